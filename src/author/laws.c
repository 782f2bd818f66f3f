#include "author/laws.h"

#include <stdlib.h>

#include "author/document.h"
#include "base/date.h"
#include "base/num.h"
#include "format/type.h"

const char *const law_names[LAW_COUNT] = { "GetPut", "PutGet", "CreateGet" };

/* What one sample's checking hands around. */
struct lawyer {
    struct laws *l;
    struct arena *a;
    const char *name;
    struct slice s, t;              /* the sample, and F(s) */
    struct correspondence *rows;
    size_t nrows;
    uint64_t random;
};

/* xorshift64*: small, seeded, good enough to vary documents. */
static uint64_t next_random(struct lawyer *k)
{
    k->random ^= k->random >> 12;
    k->random ^= k->random << 25;
    k->random ^= k->random >> 27;
    return k->random * 2685821657736338717ULL;
}

static void judged(void *owner, uint64_t number, const struct node *message, const struct outcome *o)
{
    (void)number;
    const struct lawyer *k = owner;
    binding_message(k->l->binding, message, o);
}

static int transform(struct lawyer *k, enum mapping_direction d, struct slice in, const struct slice *original,
                     bool unjudged, struct slice *out, struct problems *ps)
{
    struct outside outside;
    binding_restart(k->l->binding);
    binding_outside(k->l->binding, &outside);
    struct conversion c = { .mapping = k->l->mapping, .direction = d, .outside = &outside, .limits = k->l->limits,
                            .unjudged = unjudged, .original_name = k->name,
                            .judged = judged, .owner = k };
    struct buf text = { 0 };
    int rc = convert_text(&c, k->name, in, original, &text, ps);
    *out = arena_copy(k->a, buf_slice(&text));
    buf_release(&text);
    return rc;
}

static int broken(struct lawyer *k, enum law law, struct place place, struct slice path, struct slice want,
                  struct slice got, struct problems *ps)
{
    struct buf text = { 0 };
    buf_printf(&text, "%s is broken: ", law_names[law]);
    buf_add_shown(&text, want, 60);
    buf_text(&text, " went in, ");
    buf_add_shown(&text, got, 60);
    buf_text(&text, " came back");
    k->l->counts[law].broken++;
    place.file = place.file ? place.file : k->l->mapping->file;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "LAW_BROKEN", .place = place, .path = path,
                                       .text = arena_copy(ps->arena, buf_slice(&text)) });
    buf_release(&text);
    return SKIP;
}

/* GetPut: an answer that changes nothing gives the original back. */
static int check_get_put(struct lawyer *k, struct problems *ps)
{
    struct slice back;
    struct law_count *count = &k->l->counts[LAW_GET_PUT];
    count->documents++;
    count->values += k->s.n;
    if (transform(k, MAPPING_BACKWARD, k->t, &k->s, false, &back, ps) >= STOP)
        return STOP;
    if (slice_equal(back, k->s))
        return OK;
    size_t at = 0;
    while (at < back.n && at < k->s.n && back.p[at] == k->s.p[at])
        at++;
    struct place place = { .file = k->name, .line = 1, .column = 1, .offset = PLACE_NO_OFFSET };
    for (size_t i = 0; i < at; i++) {
        place.line += k->s.p[i] == '\n';
        place.column = k->s.p[i] == '\n' ? 1 : place.column + 1;
    }
    return broken(k, LAW_GET_PUT, place, slice_none(), (struct slice){ k->s.p + at, k->s.n - at },
                  (struct slice){ back.p + at, back.n - at }, ps);
}

/* Two-way rows only: a field that two rows onto one left field share is changed together with its twin. */
static const struct correspondence *two_way(const struct lawyer *k, const struct field *right)
{
    for (size_t i = 0; i < k->nrows; i++)
        if (k->rows[i].right_field == right && k->rows[i].arrow == ARROW_BOTH && k->rows[i].left_field)
            return &k->rows[i];
    return NULL;
}

static struct slice changed_number(struct lawyer *k, struct slice old)
{
    struct num n, sum;
    if (!num_parse(old, &n) || !num_add(n, num_int_of(1 + (int64_t)(next_random(k) % 9)), &sum))
        return old;
    return num_text(k->a, sum);
}

static struct slice changed_date(struct lawyer *k, struct slice old)
{
    struct date_parts d;
    if (!date_parse(old, &d) || !d.has_date)
        return old;
    date_from_days(date_days(d.year, d.month, d.day) + 1 + (int64_t)(next_random(k) % 300), &d.year, &d.month, &d.day);
    return date_text(k->a, &d);
}

static struct slice changed_text(struct lawyer *k, const struct field *f, struct slice old)
{
    static const char *const tails[] = { "x", " 7", "é", "<&>", "\"q\"", ";,", "'", "Ω" };
    const char *tail = tails[next_random(k) % (sizeof tails / sizeof *tails)];
    if (f->ncodes)
        return f->codes[next_random(k) % f->ncodes].value;
    struct slice text = arena_printf(k->a, "%.*s%s", SLICE_ARG(old), tail);
    return f->max && slice_chars(text) > f->max ? old : text;
}

/* A text that the other side takes for a number is varied as one. */
static struct slice changed(struct lawyer *k, const struct field *f, const struct field *left, struct slice old)
{
    switch (f->type == TYPE_TEXT ? left->type : f->type) {
    case TYPE_INTEGER: case TYPE_DECIMAL: return changed_number(k, old);
    case TYPE_DATE: case TYPE_DATETIME: return changed_date(k, old);
    case TYPE_BOOLEAN: return slice_is(old, "true") ? SLICE("false") : SLICE("true");
    case TYPE_TEXT: return changed_text(k, f, old);
    default: return old;
    }
}

/* Gives all fields below the node whose rows write the same left field the same value. */
static void set_twins(struct lawyer *k, struct node *n, const struct field *left, struct slice text)
{
    for (size_t i = 0; i < n->group->nfields; i++) {
        const struct correspondence *r = two_way(k, n->group->fields[i]);
        struct value *v = &n->values[i];
        if (r && r->left_field == left && v->state == VALUE_PRESENT)
            *v = (struct value){ .p = text.p, .n = (uint32_t)text.n, .state = text.n ? VALUE_PRESENT : VALUE_EMPTY,
                                 .at = VALUE_NO_PLACE };
    }
    for (size_t g = 0; g < n->group->ngroups; g++)
        if (n->group->groups[g]->max_occurs == 1)
            for (struct node *child = node_list(n, n->group->groups[g])->first; child; child = child->next)
                set_twins(k, child, left, text);
}

static void vary(struct lawyer *k, struct node *top, struct node *n)
{
    for (size_t i = 0; i < n->group->nfields; i++) {
        const struct correspondence *r = two_way(k, n->group->fields[i]);
        if (r && !r->key && n->values[i].state == VALUE_PRESENT && next_random(k) % 6 == 0)
            set_twins(k, n->group->max_occurs > 1 ? n : top, r->left_field,
                      changed(k, n->group->fields[i], r->left_field, value_text(&n->values[i])));
    }
    for (size_t g = 0; g < n->group->ngroups; g++)
        for (struct node *child = node_list(n, n->group->groups[g])->first; child; child = child->next)
            vary(k, n->group->groups[g]->max_occurs > 1 ? child : top, child);
}

/* t with some values changed, as bytes. */
static int generate(struct lawyer *k, struct slice *out, struct problems *ps)
{
    struct document d;
    struct buf text = { 0 };
    int rc = document_read(k->a, k->l->mapping->right, k->l->limits, k->name, k->t, &d, ps);
    for (size_t i = 0; i < d.n; i++)
        vary(k, d.messages[i], d.messages[i]);
    if (rc <= WARN)
        rc = document_write(&d, k->l->limits, &text, ps);
    *out = arena_copy(k->a, buf_slice(&text));
    buf_release(&text);
    return rc;
}

/* Compares what the two-way rows say; counts values. */
static int compare(struct lawyer *k, enum law law, const struct node *want, const struct node *got, struct problems *ps)
{
    int rc = OK;
    for (size_t i = 0; i < want->group->nfields; i++) {
        const struct field *f = want->group->fields[i];
        const struct correspondence *r = two_way(k, f);
        if (!r || (law == LAW_CREATE_GET && !r->exact))
            continue;
        k->l->counts[law].values++;
        if (!type_equal(f->type, &want->values[i], &got->values[i]))
            rc = broken(k, law, (struct place){ .line = r->line, .offset = PLACE_NO_OFFSET }, node_path(k->a, want, f),
                        value_text(&want->values[i]), value_text(&got->values[i]), ps);
    }
    for (size_t g = 0; g < want->group->ngroups; g++) {
        const struct node *a = node_list(want, want->group->groups[g])->first,
            *b = node_list(got, want->group->groups[g])->first;
        for (; a && b; a = a->next, b = b->next)
            rc |= compare(k, law, a, b, ps);
    }
    return rc;
}

static int compare_documents(struct lawyer *k, enum law law, struct slice want, struct slice got, struct problems *ps)
{
    struct document a, b;
    if (document_read(k->a, k->l->mapping->right, k->l->limits, k->name, want, &a, ps) >= STOP ||
        document_read(k->a, k->l->mapping->right, k->l->limits, k->name, got, &b, ps) >= STOP)
        return STOP;
    if (a.n != b.n)
        return broken(k, law, (struct place){ .file = k->name, .offset = PLACE_NO_OFFSET }, slice_none(),
                      arena_printf(k->a, "%zu messages", a.n), arena_printf(k->a, "%zu", b.n), ps);
    int rc = OK;
    for (size_t i = 0; i < a.n; i++)
        rc |= compare(k, law, a.messages[i], b.messages[i], ps);
    return rc;
}

/* Two rows write one field and the document gives them different values: no document of the left side maps to it. */
static bool disagrees(const struct problems *ps)
{
    for (const struct problem *p = ps->first; p; p = p->next)
        if (strcmp(p->code, "ROWS_DISAGREE") == 0)
            return true;
    return false;
}

/* One generated document through one law. A document that a format or table refuses proves nothing. */
static int check_generated(struct lawyer *k, enum law law, struct problems *ps)
{
    struct problems quiet;
    struct slice answer, there, back;
    problems_init(&quiet, k->a, 0);
    struct law_count *count = &k->l->counts[law];
    count->documents++;
    const struct slice *original = law == LAW_PUT_GET ? &k->s : NULL;
    bool create = law == LAW_CREATE_GET;
    if (generate(k, &answer, &quiet) > WARN ||
        transform(k, MAPPING_BACKWARD, answer, original, create, &there, &quiet) > WARN ||
        (!create && disagrees(&quiet)) || transform(k, MAPPING_FORWARD, there, NULL, create, &back, &quiet) >= STOP) {
        count->refused++;
        return OK;
    }
    return compare_documents(k, law, answer, back, ps);
}

int laws_check(struct laws *l, struct arena *a, const char *name, struct slice sample, struct problems *ps)
{
    struct lawyer k = { .l = l, .a = a, .name = name, .s = sample, .random = l->seed * 2 + 1 };
    struct problems quiet;
    problems_init(&quiet, a, 8);
    k.nrows = mapping_correspondences(a, l->mapping, &k.rows);
    if (transform(&k, MAPPING_FORWARD, sample, NULL, false, &k.t, &quiet) >= STOP) {
        for (const struct problem *p = quiet.first; p; p = p->next)
            problem_add(ps, p);
        return STOP;
    }
    int rc = check_get_put(&k, ps);
    for (uint32_t i = 0; i < l->documents && rc < STOP; i++) {
        rc |= check_generated(&k, LAW_PUT_GET, ps);
        rc |= check_generated(&k, LAW_CREATE_GET, ps);
    }
    return rc;
}
