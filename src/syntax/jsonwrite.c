#include "jsonwrite.h"

#include "jsontext.h"

void jwrite_init(struct jwrite *w, struct buf *out, struct slice eol, struct slice indent,
                 struct problems *ps)
{
    *w = (struct jwrite){ .out = out, .problems = ps };
    if (!indent.p)
        return;
    buf_add(&w->line, eol);
    w->line_end = w->line.n;
    w->step = indent.n;
    w->blank = true;
    for (int i = 0; i < 66; i++)                /* deeper than limits->depth by default */
        buf_add(&w->line, indent);
}

void jwrite_release(struct jwrite *w)
{
    buf_release(&w->line);
    buf_release(&w->value);
    w->line = w->value = (struct buf){ 0 };
}

void jwrite_line(struct jwrite *w, size_t depth)
{
    size_t n = w->line_end + depth * w->step;

    if (w->line_end)
        buf_add(w->out, (struct slice){ w->line.p, n < w->line.n ? n : w->line.n });
}

/* What stands before a member or element. */
static void lead(struct jwrite *w, size_t depth, bool *any)
{
    if (*any)
        buf_byte(w->out, ',');
    *any = true;
    jwrite_line(w, depth);
}

static void open_member(struct jwrite *w, const struct jspot *s, size_t depth, bool *any)
{
    lead(w, depth, any);
    buf_add(w->out, s->open);
    if (w->blank)
        buf_byte(w->out, ' ');
}

static bool is_bare(const struct field *f, struct slice text)
{
    switch (f->type) {
    case TYPE_INTEGER:
    case TYPE_DECIMAL: return jtext_is_number(text);
    case TYPE_BOOLEAN: return slice_is(text, "true") || slice_is(text, "false") || jtext_is_number(text);
    default: return false;
    }
}

/* Spells the value into w->value; what a problem is told with goes at once: a file may have millions of them. */
static bool spell(struct jwrite *w, const struct node *n, const struct field *f, const struct value *v)
{
    struct fault fault = { 0 };
    struct arena a;
    arena_init(&a, 0);
    w->value.n = 0;
    int rc = type_write(f, v, &w->value, &a, &fault);
    if (rc != OK) {
        problem_add(w->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                    .code = fault.code,
                                                    .value = value_text(v),
                                                    .text = fault.text,
                                                    .hint = fault.hint,
                                                    .place = { .offset = PLACE_NO_OFFSET },
                                                    .path = node_path(&a, n, f) });
        w->status = SKIP;
    }
    arena_release(&a);
    return rc == OK;
}

void jwrite_value(struct jwrite *w, const struct node *n, const struct field *f, const struct value *v, bool quoted)
{
    struct slice text = { v->p, v->n };

    if (w->exact && v->state != VALUE_PRESENT && !(v->form & VALUE_LAX)) {
        buf_text(w->out, "null");
        return;
    }
    if (f->write_fast != TYPE_FAST_TEXT || v->state != VALUE_PRESENT || v->n > f->fast_max) {
        if (!spell(w, n, f, v))
            return;
        text = buf_slice(&w->value);
    }
    if (text.n == 0)
        buf_text(w->out, "null");
    else if (!quoted && !(v->form & VALUE_LAX && v->state != VALUE_PRESENT) && is_bare(f, text))
        buf_add(w->out, text);
    else
        jtext_spell(w->out, text);
}

static bool is_written(const struct jwrite *w, const struct field *f, const struct value *v)
{
    if (w->exact)
        return v->state != VALUE_ABSENT || ((v->form & VALUE_LAX) && v->n);
    return v->state == VALUE_PRESENT || (f->flags & FIELD_ALWAYS) || ((v->form & VALUE_LAX) && v->n);
}

/* Whose members a spot holds: of this instance, or of the file around it; NULL = of neither. */
static const struct node *owner(const struct jwrite *w, const struct group *g, const struct node *n)
{
    return g == n->group ? n : w->file && g == w->file->group ? w->file : NULL;
}

static bool put_spot(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth, bool *any);

static bool put_kids(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth)
{
    bool any = false;

    for (size_t i = 0; i < s->nkids; i++)
        put_spot(w, s->kids[i], n, depth + 1, &any);
    return any;
}

static void elements(struct jwrite *w, const struct jspot *s, const struct node_list *list, size_t depth)
{
    bool any = false;

    buf_byte(w->out, '[');
    for (const struct node *child = list->first; child; child = child->next) {
        lead(w, depth + 1, &any);
        jwrite_instance(w, s, child, depth + 1);
    }
    if (any)
        jwrite_line(w, depth);
    buf_byte(w->out, ']');
}

/* Members named by the instances themselves. */
static bool named(struct jwrite *w, const struct jspot *s, const struct node_list *list, size_t depth, bool *any)
{
    for (const struct node *child = list->first; child; child = child->next) {
        const struct value *key = node_value(child, s->key);
        lead(w, depth, any);
        if (key->state == VALUE_PRESENT)
            jwrite_value(w, child, s->key, key, true);
        else
            buf_text(w->out, "\"\"");
        buf_text(w->out, w->blank ? ": " : ":");
        jwrite_instance(w, s, child, depth);
    }
    return list->n > 0;
}

static bool put_group(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth, bool *any)
{
    const struct node_list *list = node_list(n, s->group);
    bool before_any = *any;
    size_t before = w->out->n;

    if (s->key)
        return named(w, s, list, depth, any);
    if (!list->n)
        return false;
    open_member(w, s, depth, any);
    size_t inner = w->out->n;
    if (s->many) {
        elements(w, s, list, depth);
        return true;
    }
    jwrite_instance(w, s, list->first, depth);
    bool void_object = w->out->n == inner + 2 && w->out->p[inner] == '{';
    if (!void_object || s->group->min_occurs > 0 || w->exact)
        return true;
    w->out->n = before;                         /* a group that need not be there, and holds nothing */
    *any = before_any;
    return false;
}

static bool put_container(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth, bool *any)
{
    bool before_any = *any;
    size_t before = w->out->n;

    if (s->list) {
        const struct node *of = owner(w, s->star->group->parent, n);
        if (!of || s->star->group->is_message || !node_list(of, s->star->group)->n)
            return false;
        open_member(w, s, depth, any);
        elements(w, s->star, node_list(of, s->star->group), depth);
        return true;
    }
    open_member(w, s, depth, any);
    buf_byte(w->out, '{');
    if (put_kids(w, s, n, depth)) {
        jwrite_line(w, depth);
        buf_byte(w->out, '}');
        return true;
    }
    w->out->n = before;
    *any = before_any;
    return false;
}

/* A member of an object; false when it is nothing. */
static bool put_spot(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth, bool *any)
{
    if (s->group) {
        const struct node *of = s->group->is_message ? NULL : owner(w, s->group->parent, n);
        return of && put_group(w, s, of, depth, any);
    }
    if (!s->value)
        return put_container(w, s, n, depth, any);
    const struct node *of = owner(w, s->value->group, n);
    const struct value *v = of ? node_value(of, s->value) : NULL;
    if (!v || !is_written(w, s->value, v))
        return false;
    open_member(w, s, depth, any);
    jwrite_value(w, of, s->value, v, false);
    return true;
}

void jwrite_instance(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth)
{
    const struct value *v = s->value ? node_value(n, s->value) : NULL;

    if (v && (!s->nkids || is_written(w, s->value, v))) {
        jwrite_value(w, n, s->value, v, false);
        return;
    }
    if (s->star && s->list) {
        elements(w, s->star, node_list(n, s->star->group), depth);
        return;
    }
    buf_byte(w->out, '{');
    if (put_kids(w, s, n, depth))
        jwrite_line(w, depth);
    buf_byte(w->out, '}');
}

/* ---- documents ---- */

struct level {                      /* an object around messages, or the array of them */
    const struct jspot *spot;
    size_t next;                    /* the first kid that is not yet written */
    bool array, any;
};

struct jdocument {
    struct jwrite write;
    const struct jplan *plan;
    struct level *levels;
    size_t depth;
    bool *closed;                   /* by spot: cannot be opened again */
    bool started;
};

int jwrite_open(struct writer *w, struct problems *ps)
{
    const struct jplan *plan = w->format->plan[1];
    struct jdocument *d = arena_zero(w->arena, sizeof *d);
    size_t deepest = 0;

    for (size_t i = 0; i < plan->nspots; i++)
        deepest = plan->spots[i]->depth > deepest ? plan->spots[i]->depth : deepest;
    d->plan = plan;
    d->levels = arena_zero(w->arena, (deepest + 3) * sizeof *d->levels);
    d->closed = arena_zero(w->arena, plan->nspots * sizeof *d->closed);
    w->state = d;
    jwrite_init(&d->write, &w->sink->buf, SLICE("\n"), plan->indent, ps);
    d->write.exact = w->exact;
    return OK;
}

/* Members of the file that stand in an open object ahead of its kid number `until`. */
static void file_members(struct writer *w, struct level *l, size_t until, size_t depth)
{
    struct jdocument *d = w->state;

    for (; l->next < until; l->next++)
        if (w->file && !l->array)
            put_spot(&d->write, l->spot->kids[l->next], w->file, depth, &l->any);
}

static void open_level(struct writer *w, const struct jspot *s, bool array)
{
    struct jdocument *d = w->state;

    if (d->depth) {
        struct level *up = &d->levels[d->depth - 1];
        bool member = !up->array;
        file_members(w, up, s->order, d->depth);
        if (up->spot->nkids > s->order)
            up->next = s->order + 1;
        if (member)
            open_member(&d->write, s, d->depth, &up->any);
        else
            lead(&d->write, d->depth, &up->any);
    }
    buf_byte(d->write.out, array ? '[' : '{');
    d->levels[d->depth++] = (struct level){ .spot = s, .array = array };
}

static void close_level(struct writer *w)
{
    struct jdocument *d = w->state;
    struct level *l = &d->levels[d->depth - 1];

    file_members(w, l, l->spot->nkids, d->depth);
    d->depth--;
    if (l->any)
        jwrite_line(&d->write, d->depth);
    buf_byte(d->write.out, l->array ? ']' : '}');
    d->closed[l->spot->id] = true;
}

/* Opens and closes levels until the one that the message is to stand in is open. */
static int move_to(struct writer *w, const struct jspot *s, struct problems *ps)
{
    struct jdocument *d = w->state;
    const struct jspot *chain[128];
    size_t n = 0, same = 0;

    if (s->many)
        chain[n++] = s;
    for (const struct jspot *up = s->parent; up && n < 128; up = up->parent)
        chain[n++] = up;
    while (same < d->depth && same < n && d->levels[same].spot == chain[n - 1 - same])
        same++;
    while (d->depth > same)
        close_level(w);
    for (size_t i = n - same; i-- > 0;) {
        if (d->closed[chain[i]->id]) {
            problem_addf(ps, PROBLEM_ERROR, "JSON_ONE",
                         (struct place){ .file = w->sink->name, .offset = PLACE_NO_OFFSET },
                         "the messages of \"%.*s\" do not stand together, so they cannot be one array",
                         SLICE_ARG(chain[i]->name));
            return STOP;
        }
        open_level(w, chain[i], (i == 0 && s->many) || chain[i]->list);
    }
    return OK;
}

static int one_message(struct writer *w, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "JSON_ONE",
                                       .text = SLICE("the message of this format is the whole document, "
                                                     "so a file holds one message"),
                                       .hint = SLICE("say `syntax json lines`, or `at /orders` for an array of them"),
                                       .place = { .file = w->sink->name, .offset = PLACE_NO_OFFSET } });
    return STOP;
}

/* Members of the file on a line of their own. */
static void head_line(struct writer *w)
{
    struct jdocument *d = w->state;
    size_t before = d->write.out->n;

    buf_byte(d->write.out, '{');
    if (w->file && put_kids(&d->write, d->plan->top, w->file, 0))
        buf_text(d->write.out, "}\n");
    else
        d->write.out->n = before;
}

static int begin_message(struct writer *w, const struct jspot *s, struct problems *ps)
{
    struct jdocument *d = w->state;
    bool first = !d->started;

    d->started = true;
    if (d->plan->lines) {
        if (first)
            head_line(w);
        return OK;
    }
    if (!s->parent && !s->many) {
        d->write.file = w->file;
        return first ? OK : one_message(w, ps);
    }
    int rc = move_to(w, s, ps);
    if (rc != OK || s->many)
        return rc;
    file_members(w, &d->levels[d->depth - 1], s->order, d->depth);
    return OK;
}

int jwrite_message(struct writer *w, const struct node *msg, struct problems *ps)
{
    struct jdocument *d = w->state;
    const struct jspot *s = d->plan->of_group[msg->group->id];

    d->write.problems = ps;
    d->write.status = OK;
    int rc = begin_message(w, s, ps);
    if (rc != OK)
        return rc;
    if (d->write.status != OK)
        return STOP;                            /* a member of the file, not of this message */
    struct level *l = d->depth ? &d->levels[d->depth - 1] : NULL;
    bool any = l ? l->any : false;
    size_t before = d->write.out->n;
    if (l)
        lead(&d->write, d->depth, &l->any);
    if (s->key) {
        jwrite_value(&d->write, msg, s->key, node_value(msg, s->key), true);
        buf_text(d->write.out, d->write.blank ? ": " : ":");
    }
    jwrite_instance(&d->write, s, msg, d->depth);
    if (d->write.status != OK) {
        d->write.out->n = before;
        if (l)
            l->any = any;
        d->started = l || d->plan->lines;
        return d->write.status;
    }
    if (!l)
        buf_byte(d->write.out, '\n');
    sink_turn(w->sink);
    return OK;
}

/* A document without any message. */
static void nothing(struct writer *w, struct problems *ps)
{
    struct jdocument *d = w->state;
    const struct format *f = w->format;
    const struct jspot *s = f->nmessages ? d->plan->of_group[f->messages[0]->id] : d->plan->top;

    if (d->plan->lines) {
        head_line(w);
    } else if (s == d->plan->top && !s->many) {
        open_level(w, s, false);
    } else {
        move_to(w, s, ps);
    }
}

void jwrite_drop(struct writer *w)
{
    struct jdocument *d = w->state;

    jwrite_release(&d->write);
}

int jwrite_close(struct writer *w, struct problems *ps)
{
    struct jdocument *d = w->state;

    d->write.problems = ps;
    d->write.status = OK;
    if (!d->started)
        nothing(w, ps);
    bool open = d->depth > 0;
    while (d->depth)
        close_level(w);
    if (open)
        buf_byte(d->write.out, '\n');
    sink_turn(w->sink);
    int rc = d->write.status;
    jwrite_drop(w);
    return rc == SKIP ? STOP : rc;
}
