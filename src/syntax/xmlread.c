#include "xmlread.h"

#include "xmlchars.h"
#include "xmlsax.h"

#define XSI_URI "http://www.w3.org/2001/XMLSchema-instance"

enum { ROOM = 4096 };                   /* bytes of the message arena taken at a time for texts */

static bool is_kid(const struct xscan *s, const struct xmemo *memo, const struct xspot *spot)
{
    const struct xmemo *m = &memo[spot->id];

    return m->n == s->name.n && m->version == s->version && xchars_equal(m->name, s->name.p, m->n);
}

static void remember(const struct xscan *s, struct xmemo *memo, const struct xspot *spot)
{
    struct xmemo *m = &memo[spot->id];

    if (s->name.n > sizeof m->name)
        return;
    m->n = (uint32_t)s->name.n;
    m->version = s->version;
    memcpy(m->name, s->name.p, s->name.n);
}

const struct xspot *xread_kid(const struct xscan *s, const struct xspot *spot, size_t *hint, struct xmemo *memo)
{
    size_t n = spot->nkids;

    for (size_t i = *hint, tries = memo ? n : 0; tries; tries--, i++) {
        if (i >= n)
            i = 0;
        if (is_kid(s, memo, spot->kids[i])) {
            *hint = i + (spot->kids[i]->group == NULL || spot->kids[i]->group->max_occurs == 1);
            return spot->kids[i];
        }
    }
    struct slice uri = n ? xscan_uri(s, (struct slice){ s->name.p, s->prefix }) : slice_none();
    struct slice local = xscan_local(s->name, s->prefix);
    for (size_t i = 0; i < n; i++)
        if (slice_equal(spot->kids[i]->local, local) && slice_equal(spot->kids[i]->uri, uri)) {
            if (memo)
                remember(s, memo, spot->kids[i]);
            *hint = i;
            return spot->kids[i];
        }
    return NULL;
}

/* A text of the window for as long as the message lives. */
static struct slice keep(struct xread *x, struct slice text)
{
    if (text.n == 0)
        return (struct slice){ "", 0 };             /* perhaps there is no room yet */
    if ((size_t)(x->room_end - x->room) < text.n) {
        size_t n = text.n > ROOM ? text.n : ROOM;
        x->room = arena_alloc(x->message_arena, n);
        x->room_end = x->room + n;
    }
    struct slice own = { x->room, text.n };
    memcpy(x->room, text.p, text.n);
    x->room += text.n;
    return own;
}

/* What libxml2 reads has no offsets: there the line is all that is known. */
static struct place place_at(const struct reader *r, uint64_t at)
{
    const struct xread *x = r->state;

    if (!x->sax)
        return (struct place){ .file = r->source->name, .offset = at };
    return (struct place){ .file = r->source->name, .offset = PLACE_NO_OFFSET, .line = xsax_line(x->sax) };
}

static void problem(struct reader *r, struct node *n, const struct field *f, const char *code, uint64_t at,
                    struct slice value, struct slice text, struct slice hint, struct problems *ps)
{
    struct xread *x = r->state;
    struct place place = place_at(r, at);

    place.width = value.n < 200 ? (uint32_t)slice_chars(value) : 1;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = code,
                                       .value = value,
                                       .text = text,
                                       .hint = hint,
                                       .place = place,
                                       .message = x->message ? r->messages : 0,
                                       .path = node_path(&x->scratch, n, f) });
    arena_reset(&x->scratch);
    if (x->message)
        x->status = SKIP;
    else
        x->file_bad = true;
}

/* Sets a value from its text; its place is set before. */
static void set_value(struct reader *r, struct node *n, const struct field *f, struct slice raw, struct problems *ps)
{
    struct xread *x = r->state;
    struct value *v = node_value(n, f);
    struct fault fault = { 0 };

    if (type_read_fast(f, raw, v))
        return;
    if (f->type != TYPE_TEXT)                   /* XML Schema part 2, 4.3.6: blanks around other types do not count */
        raw = slice_trim(raw);
    if (type_read(f, raw, x->message_arena, v, &fault) == OK)
        return;
    problem(r, n, f, fault.code, v->at, raw, fault.text, fault.hint, ps);
    v->form |= VALUE_LAX;                       /* so that it does not count as missing too */
}

static bool is_nil(const struct xscan *s, const struct xattr *a)
{
    return slice_equal(xscan_local(a->name, a->prefix), SLICE("nil")) && a->prefix &&
           slice_equal(xscan_uri(s, (struct slice){ a->name.p, a->prefix }), SLICE(XSI_URI)) &&
           (slice_equal(a->value, SLICE("true")) || slice_equal(a->value, SLICE("1")));
}

static const struct xspot_attr *find_attribute(const struct xscan *s, const struct xspot *spot, const struct xattr *a)
{
    struct slice local = xscan_local(a->name, a->prefix);

    for (size_t i = 0; i < spot->nattrs; i++) {
        const struct xspot_attr *want = &spot->attrs[i];
        if (slice_equal(want->local, local) &&
            (a->prefix ? slice_equal(want->uri, xscan_uri(s, (struct slice){ a->name.p, a->prefix }))
                       : want->uri.n == 0))
            return want;
    }
    return NULL;
}

static void twice(struct reader *r, struct node *n, const struct field *f, uint64_t at, struct problems *ps)
{
    problem(r, n, f, "OCCURS", at, slice_none(), SLICE("stands more than once"), SLICE("one is allowed here"), ps);
}

static void read_attributes(struct reader *r, struct xframe *f, struct problems *ps)
{
    struct xread *x = r->state;
    struct xscan *s = &x->scan;

    for (size_t i = 0; i < s->nattrs; i++) {
        const struct xattr *a = &s->attrs[i];
        const struct xspot_attr *want = find_attribute(s, f->spot, a);
        if (!want) {
            f->nil |= is_nil(s, a);
            continue;
        }
        struct value *v = node_value(f->node, want->field);
        if (v->state != VALUE_ABSENT) {
            twice(r, f->node, want->field, a->at, ps);
            continue;
        }
        v->at = a->at;
        v->len = a->len;
        v->lead = (uint32_t)(a->at - s->at);
        v->form = (uint8_t)(VALUE_ATTRIBUTE | (a->quote == '\'' ? VALUE_QUOTED : 0));
        set_value(r, f->node, want->field, keep(x, a->value), ps);
    }
}

/* The namespaces that messages stand in. */
static void keep_bindings(struct reader *r)
{
    struct xread *x = r->state;
    const struct xscan *s = &x->scan;
    size_t n = s->depth ? s->open[s->depth - 1].bindings : 0;

    x->prefixes = arena_alloc(r->arena, (n + 1) * sizeof *x->prefixes);
    x->uris = arena_alloc(r->arena, (n + 1) * sizeof *x->uris);
    x->nbindings = n;
    for (size_t i = 0; i < n; i++) {
        const struct xbinding *b = &s->bindings[i];
        x->prefixes[i] = arena_copy(r->arena, (struct slice){ s->names.p + b->prefix_at, b->prefix_n });
        x->uris[i] = arena_copy(r->arena, (struct slice){ s->names.p + b->uri_at, b->uri_n });
    }
}

static void begin_message(struct reader *r, struct arena *a, const struct group *g)
{
    struct xread *x = r->state;

    x->message_arena = a;
    x->room = x->room_end = NULL;
    x->message = node_new(a, g, r->file);
    x->status = OK;
    x->drop = false;
    r->messages++;
    x->scan.problems->message = r->messages;
    if (r->messages == 1) {
        r->head_end = x->scan.at;
        keep_bindings(r);
    }
    x->message->position = (uint32_t)r->messages;
}

/* The field has stood here before, good or bad: the text of another is not kept. */
static bool is_there(const struct value *v)
{
    return v->state != VALUE_ABSENT || (v->form & VALUE_LAX);
}

/* An instance begins with the element at hand; NULL when it is one too many (then the element is skipped). */
static struct node *begin_group(struct reader *r, struct arena *a, const struct xspot *spot, struct node *around,
                                struct problems *ps)
{
    struct xread *x = r->state;
    struct node *n;

    if (spot->group->is_message) {
        begin_message(r, a, spot->group);
        x->house = x->frames[x->depth].spot;
        n = x->message;
    } else if (node_list(around, spot->group)->n >= spot->group->max_occurs && spot->group->max_occurs == 1) {
        problem(r, around, NULL, "OCCURS", x->scan.at, spot->local, SLICE("stands more than once"),
                SLICE("one is allowed here"), ps);
        return NULL;
    } else {
        n = node_add(x->message_arena, around, spot->group);
    }
    n->at = x->scan.at;
    n->inner = x->scan.end;
    return n;
}

static bool is_root_wrong(struct reader *r, const struct xspot *spot, struct problems *ps)
{
    struct xread *x = r->state;
    struct buf want = { 0 };

    if (spot || x->depth)
        return false;
    for (size_t i = 0; i < x->plan->top->nkids; i++) {
        const struct xspot *k = x->plan->top->kids[i];
        buf_printf(&want, "%s<%.*s>", i ? " or " : "", SLICE_ARG(k->local));
        if (k->uri.n)
            buf_printf(&want, " of %.*s", SLICE_ARG(k->uri));
    }
    struct slice uri = xscan_uri(&x->scan, (struct slice){ x->scan.name.p, x->scan.prefix });
    struct slice local = xscan_local(x->scan.name, x->scan.prefix);
    struct slice text = arena_printf(ps->arena, "the root element is <%.*s>%s%.*s", SLICE_ARG(local), uri.n ? " of " : "", (int)uri.n, uri.n ? uri.p : "");
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "XML_ROOT", .text = text,
                                       .place = place_at(r, x->scan.at),
                                       .hint = arena_printf(ps->arena, "expected %.*s", SLICE_ARG(buf_slice(&want))) });
    buf_release(&want);
    return true;
}

static int start(struct reader *r, struct arena *a, struct problems *ps)
{
    struct xread *x = r->state;
    struct xframe *up = &x->frames[x->depth];
    const struct xspot *spot = x->skip || x->drop ? NULL : xread_kid(&x->scan, up->spot, &up->hint, x->memo);

    x->scan.skip_blanks = !spot || !spot->text;
    if (!spot) {
        up->mixed = true;
        if (is_root_wrong(r, spot, ps))
            return STOP;
        x->skip++;
        return OK;
    }
    struct node *node = spot->group ? begin_group(r, a, spot, up->node, ps) : up->node;
    if (!node || x->depth >= r->limits->depth) {
        x->scan.skip_blanks = true;
        x->skip++;
        return OK;
    }
    struct xframe *f = &x->frames[++x->depth];
    *f = (struct xframe){ .spot = spot,
                          .node = node,
                          .at = x->scan.at,
                          .inner = x->scan.end,
                          .empty = x->scan.empty,
                          .text_at = x->pieces.n,
                          .twice = spot->text && is_there(node_value(node, spot->text)) };
    up->mixed = true;
    if (x->scan.nattrs)
        read_attributes(r, f, ps);
    if (spot->leads && !x->houses[spot->id].seen)
        x->houses[spot->id] = (struct xhouse){ .at = f->at, .inner = f->inner, .seen = true };
    return OK;
}

/* A piece of text: the first one is kept where it will stay, more are gathered. */
static int text(struct reader *r, struct problems *ps)
{
    struct xread *x = r->state;
    struct xframe *f = &x->frames[x->depth];

    if (x->skip || !f->spot->text || f->twice)
        return OK;
    if (!f->text.p && x->pieces.n == f->text_at) {
        f->text = keep(x, x->scan.text);
        return OK;
    }
    if (f->text.p) {
        buf_add(&x->pieces, f->text);
        f->text = slice_none();
    }
    buf_add(&x->pieces, x->scan.text);
    if (x->pieces.n - f->text_at <= r->limits->field)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "LIMIT_FIELD", (struct place){ .file = r->source->name, .offset = f->at }, "a text of more than %llu bytes",
                 (unsigned long long)r->limits->field);
    return STOP;
}

static void element_place(struct xread *x, const struct xframe *f, struct value *v)
{
    const struct xscan *s = &x->scan;

    if (f->empty) {
        v->at = f->inner - 2 * x->unit;
        v->len = 0;
        v->form |= VALUE_EMPTY_TAG;
    } else {
        v->at = f->inner;
        v->len = (uint32_t)(s->at - f->inner);
    }
    v->lead = (uint32_t)(v->at - f->at);
    if (f->mixed || (s->marks & XMARK_OTHER))
        v->form |= VALUE_MIXED;
}

/* The element of a field ends. */
static void end_field(struct reader *r, struct xframe *f, bool cdata_only, struct problems *ps)
{
    struct xread *x = r->state;
    const struct field *field = f->spot->text;
    struct value *v = node_value(f->node, field);
    struct slice raw = f->text;

    if (!raw.p && x->pieces.n > f->text_at)
        raw = keep(x, (struct slice){ x->pieces.p + f->text_at, x->pieces.n - f->text_at });
    x->pieces.n = f->text_at;
    if (f->twice) {
        twice(r, f->node, field, f->at, ps);
        return;
    }
    if (x->foreign)
        v->at = VALUE_NO_PLACE;
    else
        element_place(x, f, v);
    if (cdata_only)
        v->form |= VALUE_CDATA;
    if (f->nil) {
        v->form |= VALUE_NIL;
        v->state = VALUE_EMPTY;
        return;
    }
    if (f->mixed)                               /* the blanks between child elements are no part of the text */
        raw = slice_trim(raw);
    set_value(r, f->node, field, raw.p ? raw : (struct slice){ "", 0 }, ps);
}

static bool arena_is_over(struct reader *r, struct problems *ps)
{
    struct xread *x = r->state;

    if (x->message_arena->used <= r->limits->message)
        return false;
    problem(r, x->message, NULL, "LIMIT_MESSAGE", x->message->at, slice_none(),
            SLICE("the message needs more memory than one may take"), slice_none(), ps);
    return true;
}

/* END = a message is complete. */
static int end(struct reader *r, uint64_t cdata_from, uint64_t cdata_to, struct problems *ps)
{
    struct xread *x = r->state;
    struct xframe *f = &x->frames[x->depth];

    if (x->skip) {
        x->skip--;
        x->scan.skip_blanks = x->skip || !f->spot->text;
        return OK;
    }
    x->depth--;
    x->scan.skip_blanks = !f[-1].spot->text;
    if (f->spot->text)
        end_field(r, f, cdata_from == f->inner && cdata_to == x->scan.at && cdata_to > cdata_from, ps);
    if (f->spot->leads && !x->houses[f->spot->id].closed) {
        x->houses[f->spot->id].tail = x->scan.at;
        x->houses[f->spot->id].end = x->scan.end;
        x->houses[f->spot->id].closed = true;
    }
    if (!f->spot->group)
        return OK;
    f->node->tail = x->scan.at;
    f->node->end = x->scan.end;
    if (x->message && !x->drop && arena_is_over(r, ps))
        x->drop = true;
    return f->spot->group->is_message ? END : OK;
}

static int finish_message(struct reader *r, struct node **msg_out, struct problems *ps)
{
    struct xread *x = r->state;

    *msg_out = x->message;
    bool same = x->house == x->house_before || r->messages == 1;
    r->gap = (struct span){ r->tail_at, same ? r->tail_at : x->message->at };
    x->house_before = x->house;
    r->tail_at = x->message->end;
    if (!x->drop) {
        int rc = node_check(x->message, x->message_arena, ps);
        x->status = rc > x->status ? rc : x->status;
    }
    x->message = NULL;
    x->drop = false;
    x->message_arena = r->arena;
    x->room = x->room_end = NULL;
    return x->status;
}

static int finish_file(struct reader *r, struct problems *ps)
{
    struct xread *x = r->state;

    if (r->messages == 0)
        r->head_end = r->tail_at = source_offset(r->source, r->source->at);
    if (node_check(r->file, r->arena, ps) != OK || x->file_bad)
        return STOP;
    return END;
}

static int read_events(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct xread *x = r->state;
    struct xscan *s = &x->scan;
    uint64_t cdata_from = 0, cdata_to = 0;
    int rc;

    while ((rc = x->sax ? xsax_next(x->sax) : xscan_next(s)) == OK) {
        if (s->event == XEVENT_START) {
            rc = start(r, a, ps);
        } else if (s->event == XEVENT_TEXT) {
            rc = text(r, ps);
            if (s->cdata) {
                cdata_from = s->at;
                cdata_to = s->end;
            }
        } else {
            rc = end(r, cdata_from, cdata_to, ps);
            cdata_from = cdata_to = 0;
        }
        if (rc == END)
            return finish_message(r, msg_out, ps);
        if (rc != OK)
            return rc;
    }
    return rc == END ? finish_file(r, ps) : rc;
}

int xread_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct xread *x = r->state;
    uint64_t before = ps->message;

    if (x->raw)
        return xraw_next(r, a, msg_out, ps);
    x->scan.problems = ps;
    int rc = read_events(r, a, msg_out, ps);
    ps->message = before;
    return rc;
}

/* What reading by a format needs. */
static void open_plan(struct reader *r, struct xread *x)
{
    x->plan = r->format->plan[0];
    x->memo = arena_zero(r->arena, x->plan->nspots * sizeof *x->memo);
    for (size_t i = 0; i < x->plan->nspots; i++)
        x->memo[i].n = UINT32_MAX;
    x->houses = arena_zero(r->arena, x->plan->nspots * sizeof *x->houses);
    x->frames = arena_zero(r->arena, (r->limits->depth + 2) * sizeof *x->frames);
    r->file = node_new(r->arena, r->format->file_group, NULL);
    x->frames[0] = (struct xframe){ .spot = x->plan->top, .node = r->file };
}

int xread_open(struct reader *r, struct problems *ps)
{
    struct xread *x = arena_zero(r->arena, sizeof *x);
    bool given = r->format && r->format->charset_given;

    r->state = x;
    x->message_arena = r->arena;
    if (r->format)
        open_plan(r, x);
    else
        xraw_open(r, ps);
    int rc = xscan_open(&x->scan, r->source, r->limits, given ? r->format->charset : CHARSET_UNKNOWN, r->arena, ps);
    if (rc != OK)
        return rc;
    x->unit = x->scan.view.unit;
    x->charset = x->scan.view.charset;
    x->foreign = x->scan.view.foreign;
    if (x->foreign)
        x->sax = xsax_open(&x->scan);
    return OK;
}

void xread_close(struct reader *r)
{
    struct xread *x = r->state;

    if (!x)
        return;
    if (x->sax)
        xsax_close(x->sax);
    xscan_close(&x->scan);
    buf_release(&x->pieces);
    arena_release(&x->scratch);
}
