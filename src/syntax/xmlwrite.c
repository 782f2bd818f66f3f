#include "xmlwrite.h"

#include "xmlquick.h"

void xwrite_init(struct xwrite *w, struct buf *out, const struct xplan *plan, struct slice eol, struct slice indent,
                 struct problems *ps)
{
    *w = (struct xwrite){ .out = out, .plan = plan, .problems = ps };
    if (!indent.p)
        return;
    buf_add(&w->line, eol);
    w->line_end = w->line.n;
    w->step = indent.n;
    for (int i = 0; i < XPLAN_LEVELS; i++)      /* xwrite_line stops there */
        buf_add(&w->line, indent);
}

void xwrite_release(struct xwrite *w)
{
    buf_release(&w->line);
    buf_release(&w->value);
}

void xwrite_line(struct xwrite *w, size_t depth)
{
    size_t n = w->line_end + depth * w->step;

    if (w->line_end && !w->same_line)
        buf_add(w->out, (struct slice){ w->line.p, n < w->line.n ? n : w->line.n });
    w->same_line = false;
}

static void complain(struct xwrite *w, const struct node *n, const struct field *f, const char *code,
                     struct slice value, struct slice text, struct slice hint)
{
    struct arena a;                             /* a file may have millions of them */
    arena_init(&a, 0);
    problem_add(w->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                .code = code,
                                                .value = value,
                                                .text = text,
                                                .hint = hint,
                                                .place = { .offset = PLACE_NO_OFFSET },
                                                .path = node_path(&a, n, f) });
    arena_release(&a);
    w->status = SKIP;
}

/* The spelling of a value, with references; false when it is nothing. */
static bool put_value(struct xwrite *w, const struct node *n, const struct field *f, const struct value *v,
                      enum xspell_place place)
{
    struct slice text = { v->p, v->n };

    if (f->write_fast == TYPE_SLOW || v->state != VALUE_PRESENT || v->n > f->fast_max) {
        struct fault fault = { 0 };
        struct arena a;
        arena_init(&a, 0);
        w->value.n = 0;
        int rc = type_write(f, v, &w->value, &a, &fault);
        if (rc != OK)
            complain(w, n, f, fault.code, value_text(v), fault.text, fault.hint);
        arena_release(&a);
        if (rc != OK)
            return false;
        text = buf_slice(&w->value);
    }
    if (text.n == 0)
        return false;
    if (!xspell(w->out, text, place))
        complain(w, n, f, "XML_CHAR", text, SLICE("holds a character that may not stand in XML"), slice_none());
    return true;
}

static inline bool is_written(struct xwrite *w, const struct field *f, const struct value *v)
{
    if (v->state == VALUE_PRESENT)
        return true;
    w->lacks |= (f->flags & FIELD_REQUIRED) != 0;
    return (f->flags & FIELD_ALWAYS) != 0;
}

bool xwrite_attributes(struct xwrite *w, const struct xspot *s, const struct node *n)
{
    bool any = false;

    for (size_t i = 0; i < s->nattrs; i++) {
        const struct xspot_attr *a = &s->attrs[i];
        const struct value *v = node_value(n, a->field);
        if (!is_written(w, a->field, v))
            continue;
        any = true;
        if (w->name)
            buf_byte(w->out, ' '), buf_add(w->out, w->name(w->owner, a->uri, a->local, true)), buf_add(w->out, SLICE("=\""));
        else
            buf_add(w->out, a->open);
        put_value(w, n, a->field, v, XSPELL_ATTRIBUTE);
        buf_byte(w->out, '"');
    }
    return any;
}

static void open_tag(struct xwrite *w, const struct xspot *s)
{
    if (!w->name) {
        buf_add(w->out, s->open);
        return;
    }
    buf_byte(w->out, '<');
    buf_add(w->out, w->name(w->owner, s->uri, s->local, false));
}

static void close_tag(struct xwrite *w, const struct xspot *s)
{
    if (!w->name) {
        buf_add(w->out, s->close);
        return;
    }
    buf_add(w->out, SLICE("</"));
    buf_add(w->out, w->name(w->owner, s->uri, s->local, false));
    buf_byte(w->out, '>');
}

static bool put_kids(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth);

/* Line end, indentation and start tag up to its name. */
static inline void put_lead(struct xwrite *w, const struct xspot *s, size_t depth)
{
    if (w->planned && depth == s->depth && !w->same_line) {
        buf_add(w->out, (struct slice){ s->lead.p, s->lead.n - 1 });
        return;
    }
    xwrite_line(w, depth);
    open_tag(w, s);
}

/* ---- what most elements are: lines of the plan, short values that are their own spelling ---- */

static inline bool is_itself(const struct value *v, uint32_t most)
{
    return v->state == VALUE_PRESENT && v->n - 1 < most;        /* more than nothing, and not too much */
}

static inline bool on_planned_line(const struct xwrite *w, const struct xspot *s, size_t depth)
{
    return w->planned && depth == s->depth && !w->same_line;
}

/* From the line end to the `>` of the start tag; false: nothing is written. */
static inline bool quick_start(struct xwrite *w, const struct xspot *s, const struct node *n)
{
    static const char ends[2 + XQUICK_PAD] = "\">";
    char *to = buf_room(w->out, s->room);

    for (const struct xspot_attr *a = s->attrs, *end = a + s->nattrs; a < end; a++) {
        const struct value *v = &n->values[a->slot];
        to = is_itself(v, a->most) ? xquick_value(xquick_markup(to, a->join), (struct slice){ v->p, v->n },
                                                  XSPELL_ATTRIBUTE) : NULL;
        if (!to)
            return false;
    }
    to = xquick_markup(to, s->nattrs ? (struct slice){ ends, 2 } : s->lead);
    w->out->n = (size_t)(to - w->out->p);
    return true;
}

/* A value behind markup and its end tag; false: nothing is written. */
static inline bool quick_text(struct xwrite *w, const struct xspot *s, struct slice ahead, const struct value *v)
{
    if (!is_itself(v, s->most))
        return false;
    char *to = buf_room(w->out, s->room);
    if (ahead.n)
        to = xquick_markup(to, ahead);
    to = xquick_value(to, (struct slice){ v->p, v->n }, XSPELL_TEXT);
    if (to)
        w->out->n = (size_t)(xquick_markup(to, s->close) - w->out->p);
    return to != NULL;
}

/* ---- elements ---- */

/* The text of an element behind its start tag, and its end tag. */
static void put_text(struct xwrite *w, const struct xspot *s, const struct node *n, const struct value *v)
{
    struct buf *out = w->out;
    size_t inner = out->n;

    if (!w->name && quick_text(w, s, (struct slice){ "", 0 }, v))
        return;
    put_value(w, n, s->text, v, XSPELL_TEXT);
    if (out->n > inner) {
        close_tag(w, s);
    } else {
        out->n = inner - 1;
        buf_add(out, SLICE("/>"));
    }
}

static void put_leaf(struct xwrite *w, const struct xspot *s, const struct node *n, const struct value *v, size_t depth)
{
    put_lead(w, s, depth);
    buf_byte(w->out, '>');
    put_text(w, s, n, v);
}

/* Line end, indentation and the whole start tag; were there attributes? */
static bool put_start(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth)
{
    if (on_planned_line(w, s, depth) && quick_start(w, s, n))
        return s->nattrs > 0;
    put_lead(w, s, depth);
    bool any = xwrite_attributes(w, s, n);
    buf_byte(w->out, '>');
    return any;
}

/* The end tag of an element that holds others, on its own line. */
static void put_end(struct xwrite *w, const struct xspot *s, size_t depth)
{
    if (on_planned_line(w, s, depth)) {
        w->out->n = (size_t)(xquick_markup(buf_room(w->out, s->room), s->tail) - w->out->p);
        return;
    }
    xwrite_line(w, depth);
    close_tag(w, s);
}

/* One element of the instance n.  Tags are written at once and taken back when nothing came between them. */
static bool element(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth, bool always)
{
    size_t before = w->out->n;
    const struct value *v = s->text ? node_value(n, s->text) : NULL;

    if (s->leaf && !always && !is_written(w, s->text, v))
        return false;
    bool any = put_start(w, s, n, depth);
    if (v && !s->nkids && v->state == VALUE_PRESENT) {
        put_text(w, s, n, v);
        return true;
    }
    size_t inner = w->out->n;
    if (v && is_written(w, s->text, v)) {
        any = true;
        put_value(w, n, s->text, v, XSPELL_TEXT);
    }
    if (s->nkids && put_kids(w, s, n, depth)) {
        put_end(w, s, depth);
        return true;
    }
    if (!any && !always) {
        w->out->n = before;
        return false;
    }
    if (w->out->n == inner) {
        w->out->n = inner - 1;
        buf_add(w->out, SLICE("/>"));
    } else {
        close_tag(w, s);
    }
    return true;
}

static bool put_kids(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth)
{
    bool any = false, planned = on_planned_line(w, s, depth);

    for (size_t i = 0; i < s->nkids; i++) {
        const struct xspot *kid = s->kids[i];
        const struct value *v = kid->leaf ? &n->values[kid->slot] : NULL;
        if (!v) {
            any |= xwrite_spot(w, kid, n, depth + 1);
        } else if (is_written(w, kid->text, v)) {
            if (!planned || !quick_text(w, kid, kid->lead, v))
                put_leaf(w, kid, n, v, depth + 1);
            any = true;
        }
    }
    return any;
}

bool xwrite_spot(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth)
{
    bool any = false;

    if (!s->group)
        return element(w, s, n, depth, false);
    if (s->group == n->group)
        return element(w, s, n, depth, true);
    /* Instances of a group that may repeat are things even when they are empty; a single one is, when it must be there.
     */
    bool always = s->group->max_occurs > 1 || s->group->min_occurs > 0;
    const struct node_list *list = node_list(n, s->group);
    w->lacks |= list->n < s->group->min_occurs || list->n > s->group->max_occurs;
    for (const struct node *child = list->first; child; child = child->next)
        any |= element(w, s, child, depth, always);
    return any;
}

/* ---- documents ---- */

struct level {
    const struct xspot *spot;
    size_t next;                    /* the first kid that is not yet written */
    bool any;                       /* something stands in it */
};

struct xdocument {
    struct xwrite write;
    const struct xplan *plan;
    struct buf utf8;                /* of formats in other charsets */
    struct level *levels, *before;  /* that are open; that were before this message */
    size_t depth;                   /* elements that are open */
    bool started, done;
};

int xwrite_open(struct writer *w, struct problems *ps)
{
    const struct xplan *plan = w->format->plan[1];
    struct xdocument *d = arena_zero(w->arena, sizeof *d);
    size_t deepest = 0;

    for (size_t i = 0; i < plan->nspots; i++)
        deepest = plan->spots[i]->depth > deepest ? plan->spots[i]->depth : deepest;
    d->plan = plan;
    d->levels = arena_zero(w->arena, (deepest + 2) * sizeof *d->levels);
    d->before = arena_zero(w->arena, (deepest + 2) * sizeof *d->levels);
    w->state = d;
    xwrite_init(&d->write, w->format->charset == CHARSET_UTF_8 ? &w->sink->buf : &d->utf8, plan, SLICE("\n"),
                plan->indent, ps);
    d->write.planned = true;
    return OK;
}

/* What was spelled goes to the sink in the charset of the format. */
static void flush(struct writer *w)
{
    struct xdocument *d = w->state;

    if (d->utf8.n) {
        xspell_charset(&w->sink->buf, buf_slice(&d->utf8), w->format->charset);
        d->utf8.n = 0;
    }
    sink_turn(w->sink);
}

/* Members of the file that stand in an open element ahead of its kid number `until`. */
static void file_members(struct writer *w, struct level *l, size_t until)
{
    struct xdocument *d = w->state;

    for (; l->next < until; l->next++)
        if (!l->spot->kids[l->next]->leads && w->file)
            l->any |= xwrite_spot(&d->write, l->spot->kids[l->next], w->file, l->spot->depth + 1);
}

static void open_level(struct writer *w, const struct xspot *s)
{
    struct xdocument *d = w->state;

    if (d->depth) {
        struct level *up = &d->levels[d->depth - 1];
        file_members(w, up, s->order);
        up->any = true;
        xwrite_line(&d->write, s->depth);
    }
    buf_add(d->write.out, s->open);
    if (s->depth == 0)
        buf_add(d->write.out, d->plan->namespaces);
    if (w->file)
        xwrite_attributes(&d->write, s, w->file);
    buf_byte(d->write.out, '>');
    d->levels[d->depth++] = (struct level){ .spot = s };
    d->done = true;
}

static void close_level(struct writer *w)
{
    struct xdocument *d = w->state;
    struct level *l = &d->levels[d->depth - 1];

    file_members(w, l, l->spot->nkids);
    if (l->any || l->spot->depth == 0)
        xwrite_line(&d->write, l->spot->depth);
    buf_add(d->write.out, l->spot->close);
    d->depth--;
}

static void begin(struct xdocument *d)
{
    if (!d->started)
        buf_add(d->write.out, d->plan->declaration);
    d->started = true;
}

/* Opens and closes elements until those around `s` are open. */
static void move_to(struct writer *w, const struct xspot *s)
{
    struct xdocument *d = w->state;
    const struct xspot *around = s->parent;

    for (;;) {
        const struct xspot *common = around;
        while (common->parent && !(d->depth > common->depth && d->levels[common->depth].spot == common))
            common = common->parent;
        size_t keep = common->parent ? common->depth + 1 : 0;
        if (d->depth > keep) {
            close_level(w);
            continue;
        }
        if (common == around)
            return;
        const struct xspot *next = around;
        while (next->parent != common)
            next = next->parent;
        open_level(w, next);
    }
}

static int one_root(struct writer *w, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "XML_ONE_ROOT", (struct place){ .file = w->sink->name, .offset = PLACE_NO_OFFSET },
                 "each message of this format is a root element, so a file holds one message");
    return STOP;
}

/* A message that is the root carries the declarations of namespaces. */
static void root_message(struct xdocument *d, size_t from)
{
    struct slice ns = d->plan->namespaces;
    const struct buf *out = d->write.out;
    size_t at = from + 1;

    while (at < out->n && out->p[at] != ' ' && out->p[at] != '>' && out->p[at] != '/')
        at++;
    buf_room(d->write.out, ns.n);
    memmove(out->p + at + ns.n, out->p + at, out->n - at);
    if (ns.n)
        memcpy(out->p + at, ns.p, ns.n);
    d->write.out->n += ns.n;
    d->done = true;
}

/* The message behind the elements that it stands in; SKIP, STOP: what was written is to be taken back. */
static int spell_message(struct writer *w, const struct xspot *s, const struct node *msg, struct problems *ps)
{
    struct xdocument *d = w->state;
    bool root = s->depth == 0;

    begin(d);
    move_to(w, s);
    if (!root)
        file_members(w, &d->levels[d->depth - 1], s->order);
    if (d->write.status != OK)
        return STOP;                            /* a member of the file, not of this message */
    size_t before = d->write.out->n;
    d->write.same_line = root;
    d->write.lacks = false;
    xwrite_spot(&d->write, s, msg, s->depth);
    if (d->write.lacks && writer_check(msg, ps) >= SKIP)
        d->write.status = SKIP;
    if (d->write.status != OK)
        return d->write.status;
    if (root)
        root_message(d, before);
    else
        d->levels[d->depth - 1].any = true;
    return OK;
}

int xwrite_message(struct writer *w, const struct node *msg, struct problems *ps)
{
    struct xdocument *d = w->state;
    const struct xspot *s = d->plan->of_group[msg->group->id];

    if (s->depth == 0 && d->done)
        return one_root(w, ps);
    if (d->plan->guided && writer_check(msg, ps) >= SKIP)
        return SKIP;
    d->write.problems = ps;
    d->write.status = OK;
    size_t n = d->write.out->n, depth = d->depth;
    bool started = d->started, done = d->done;
    memcpy(d->before, d->levels, d->depth * sizeof *d->levels);
    int rc = spell_message(w, s, msg, ps);
    if (rc == OK) {
        flush(w);
        return OK;
    }
    d->write.out->n = n;
    memcpy(d->levels, d->before, depth * sizeof *d->levels);
    d->depth = depth;
    d->started = started;
    d->done = done;
    return rc;
}

void xwrite_drop(struct writer *w)
{
    struct xdocument *d = w->state;

    xwrite_release(&d->write);
    buf_release(&d->utf8);
    w->state = NULL;
}

int xwrite_close(struct writer *w, struct problems *ps)
{
    struct xdocument *d = w->state;

    if (w->file && writer_check(w->file, ps) >= SKIP)
        return STOP;                            /* what the whole file must say is missing */
    d->write.problems = ps;
    d->write.status = OK;
    begin(d);
    if (!d->done && d->plan->top->nkids) {
        const struct xspot *root = d->plan->top->kids[0];
        if (root->group && root->group->is_message) {
            buf_add(d->write.out, root->open);
            buf_add(d->write.out, d->plan->namespaces);
            buf_add(d->write.out, SLICE("/>"));
        } else {
            open_level(w, root);
        }
    }
    while (d->depth)
        close_level(w);
    buf_byte(d->write.out, '\n');
    flush(w);
    int rc = d->write.status;
    xwrite_drop(w);
    return rc == SKIP ? STOP : rc;
}
