/* judge - `require … else`, what it says about a message, and the faults that the engine itself finds. */
#include "run.h"

#include "base/file.h"

static struct slice key_for_people(struct run *r, const struct node *n)
{
    struct slice key = node_key(r->a, n);
    struct buf b = { 0 };
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '\x1f')
            buf_add(&b, SLICE(", "));
        else
            buf_byte(&b, key.p[i]);
    }
    struct slice out = arena_copy(r->a, buf_slice(&b));
    buf_release(&b);
    return out;
}

/* ---- texts of the site ------------------------------------------------------------------------------------------ */

/* The value of `A/B` below a node, for texts that a site puts in the place of the mapping's own. */
static struct slice plain_value(const struct node *n, struct slice path)
{
    while (n) {
        const char *slash = memchr(path.p, '/', path.n);
        struct slice step = slash ? slice_range(path.p, slash) : path;
        path = slash ? slice_range(slash + 1, path.p + path.n) : (struct slice){ "", 0 };
        if (slice_is(step, "..")) {
            n = n->parent;
            continue;
        }
        const struct field *f = slash ? NULL : group_field(n->group, step);
        const struct group *g = f || !slash ? NULL : group_child(n->group, step);
        if (f)
            return f->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : value_text(node_value(n, f));
        n = g ? node_list(n, g)->first : NULL;
    }
    return SLICE("");
}

static struct slice site_text(struct run *r, struct slice text, const struct node *n)
{
    struct buf b = { 0 };
    while (text.n) {
        const char *open = memchr(text.p, '{', text.n), *close = open ? memchr(open, '}',
                                                                               text.n - (size_t)(open - text.p)) : NULL;
        if (!close) {
            buf_add(&b, text);
            break;
        }
        buf_add(&b, slice_range(text.p, open));
        buf_add(&b, plain_value(n, slice_range(open + 1, close)));
        text = slice_range(close + 1, text.p + text.n);
    }
    struct slice out = arena_copy(r->a, buf_slice(&b));
    buf_release(&b);
    return out;
}

static struct slice verdict_text(struct run *r, const struct verdict *v, const struct node *n)
{
    struct slice other = slice_none();
    if (!v->text)
        return SLICE("");
    if (r->outside && r->outside->text && v->code_text)
        other = r->outside->text(r->outside->owner, v->code_text);
    return other.p ? site_text(r, other, n) : template_run(r, v->text, n);
}

/* ---- findings --------------------------------------------------------------------------------------------------- */

static void find_field(void *owner, struct expr *e)
{
    const struct expr **first = owner;
    if (!*first && e->kind == EXPR_PATH && e->root == ROOT_HERE && e->field)
        *first = e;
}

/* In brackets it is a field of the instances there, which may be of another group. */
static bool is_of(struct expr *about, const struct expr *first, const struct node *n)
{
    const struct expr *here = NULL;
    expr_each_here(about, find_field, &here);
    return here == first || (first->nsteps == 1 && same_group(first->field->group, n->group));
}

/* The field that a condition is about: the first one that it names. */
static void about_field(struct run *r, const struct expr *about, const struct node *n, struct finding *f)
{
    struct expr *e = (struct expr *)(uintptr_t)about;
    const struct expr *first = NULL;
    if (!about || !n)
        return;
    expr_each(e, find_field, &first);
    if (!first)
        return;
    f->field = first->field->name;
    const struct value *v = is_of(e, first, n) ? path_value(r, first, n) : NULL;
    if (v && (v->state == VALUE_PRESENT || (v->form & VALUE_LAX)))
        f->value = first->field->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : (struct slice){ v->p, v->n };
}

struct finding *finding_add(struct run *r, const struct verdict *v, const struct node *n, const struct expr *about,
                            struct slice text)
{
    struct finding *f = arena_zero(r->a, sizeof *f);
    *f = (struct finding){ .kind = v->kind, .code = v->code, .text = text, .node = n };
    if (r->message)
        f->key = key_for_people(r, r->message);
    about_field(r, about, n, f);
    outcome_add(r->outcome, f, r->message);
    return f;
}

void finding_verdict(struct run *r, const struct verdict *v, const struct node *n, const struct expr *about)
{
    finding_add(r, v, n, about, verdict_text(r, v, n));
}

static struct finding *engine_finding(struct run *r, enum outcome_kind kind, const char *code, const struct node *n,
                                      struct slice text)
{
    struct verdict v = { .given = true, .kind = kind, .code = slice_of(code), .code_text = code };
    return finding_add(r, &v, n, NULL, text);
}

void finding_fault(struct run *r, const struct item *item, const struct node *n)
{
    struct run_fault f = r->fault;
    struct buf b = { 0 };
    r->fault = (struct run_fault){ 0 };
    if (f.value.n) {
        buf_byte(&b, '"');
        buf_add_shown(&b, f.value, 60);
        buf_add(&b, SLICE("\" "));
    }
    buf_add(&b, f.text);
    buf_printf(&b, " (%s:%u)", file_base(item->conf->file), item->st->tokens[0].line);
    struct slice text = arena_copy(r->a, buf_slice(&b));
    buf_release(&b);
    struct finding *found = engine_finding(r, OUTCOME_REJECT, f.code, n, text);
    found->field = f.field;
    found->value = f.value;
}

/* Rows that write one field read the same thing. */
static bool names_sensitive(const struct mapping *m, const struct item *item)
{
    return (item->e[0] && expr_names_sensitive(m, item->e[0])) || (item->e[1] && expr_names_sensitive(m, item->e[1]));
}

static struct slice shown(bool sensitive, const struct value *v)
{
    return sensitive ? SLICE(PROBLEM_MASK) : value_text(v);
}

void finding_disagree(struct run *r, const struct item *item, const struct node *n, const struct field *f,
                      const struct value *before,
                      const struct value *after)
{
    struct buf b = { 0 };
    bool hide = f->flags & FIELD_SENSITIVE || names_sensitive(r->mapping, item);
    buf_add(&b, f->name);
    buf_add(&b, SLICE(" gets \""));
    buf_add_shown(&b, shown(hide, before), 60);
    buf_add(&b, SLICE("\" and \""));
    buf_add_shown(&b, shown(hide, after), 60);
    buf_printf(&b, "\" from two rows; the later row wins (%s:%u)", file_base(item->conf->file),
               item->st->tokens[0].line);
    struct slice text = arena_copy(r->a, buf_slice(&b));
    buf_release(&b);
    (void)n;
    struct finding *found = engine_finding(r, OUTCOME_WARN, "ROWS_DISAGREE", r->message, text);
    found->field = f->name;
}

void finding_engine(struct run *r, enum outcome_kind kind, const char *code, const struct node *n, struct slice text)
{
    engine_finding(r, kind, code, n, text);
}

/* ---- judging ---------------------------------------------------------------------------------------------------- */

/* skip, wait and reject end the judging of this instance; warn and note go on. */
enum outcome_kind judge_scope(struct run *r, const struct scope *s, enum mapping_direction d)
{
    const struct node *here = r->frames[s->depth].side[side_read(d)];
    for (size_t i = 0; i < s->nrequires[d] && !r->unjudged; i++) {
        const struct item *it = s->ops[d][i].item;
        r->counts[it->index] += !r->rows_only;
        bool holds = eval_true(r, it->e[0], here);
        if (r->fault.code) {
            finding_fault(r, it, here);
            return OUTCOME_REJECT;
        }
        if (holds)
            continue;
        if (!r->rows_only)
            finding_verdict(r, &it->verdict, here, it->e[0]);
        if (it->verdict.kind >= OUTCOME_SKIP)
            return it->verdict.kind;
    }
    return OUTCOME_NONE;
}
