#include "xmlpiece.h"

#include <unistd.h>

#include "xmlchars.h"

bool xpiece_bytes(const struct source *s, uint64_t at, char *into, size_t n)
{
    if (s->fd < 0 || (at >= s->base && at + n <= source_offset(s, s->end))) {
        if (at < s->base || at + n > source_offset(s, s->end))
            return false;
        memcpy(into, s->buffer + (at - s->base), n);
        return true;
    }
    while (n && s->start >= 0) {
        ssize_t got = pread(s->fd, into, n, (off_t)(s->start + (int64_t)at));
        if (got <= 0)
            return false;
        into += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return n == 0;
}

int xpiece_char(const struct xpiece *x, uint64_t at)
{
    if (at < x->base || at + x->unit > x->base + x->raw.n)
        return -1;
    const unsigned char *b = (const unsigned char *)x->raw.p + (at - x->base);
    if (x->unit == 1)
        return b[0] < 0x80 ? b[0] : 0x10000;
    int c = x->high_first ? b[0] << 8 | b[1] : b[1] << 8 | b[0];
    return c < 0x80 ? c : 0x10000;
}

struct slice xpiece_blanks(const struct xpiece *x, struct arena *a, uint64_t from, uint64_t to)
{
    size_t n = (size_t)(to - from) / x->unit;
    char *text = arena_alloc(a, n + 1);

    for (size_t i = 0; i < n; i++)
        text[i] = (char)xpiece_char(x, from + i * x->unit);
    return (struct slice){ text, n };
}

/* Where the white space before `at` begins, if a tag stands before it. */
static uint64_t lead_of(const struct xpiece *x, uint64_t at)
{
    uint64_t from = at;

    while (xpiece_blank(x, from - x->unit))
        from -= x->unit;
    return from == x->base || xpiece_char(x, from - x->unit) == '>' ? from : at;
}

static void add_element(struct xpiece *x, struct xscan *s, struct arena *a, size_t parent, const struct xspot *spot)
{
    struct xpiece_element e = { .spot = spot,
                                .name = arena_copy(a, s->name),
                                .at = s->at,
                                .inner = s->end,
                                .tail = s->end,
                                .end = s->end,
                                .parent = parent,
                                .empty = s->empty,
                                .text = { "", 0 } };

    e.lead = lead_of(x, s->at);
    if (parent != XPIECE_NONE)
        x->elements[parent].kids++;
    ARENA_PUSH(a, x->elements, x->n, x->cap) = e;
    for (size_t i = 0; i < s->nattrs; i++) {
        const struct xattr *from = &s->attrs[i];
        struct slice uri =
            from->prefix ? xscan_uri(s, (struct slice){ from->name.p, from->prefix }) : (struct slice){ "", 0 };
        struct slice name = arena_copy(a, from->name);
        ARENA_PUSH(a, x->attrs, x->nattrs, x->attr_cap) =
            (struct xpiece_attr){ .element = x->n - 1,
                                  .name = name,
                                  .uri = arena_copy(a, uri),
                                  .local = xscan_local(name, from->prefix),
                                  .value = arena_copy(a, from->value),
                                  .at = from->at,
                                  .len = from->len,
                                  .quote = from->quote };
    }
}

static void add_text(struct xpiece *x, const struct xscan *s, struct arena *a, size_t in)
{
    struct xpiece_element *e = &x->elements[in];

    ARENA_PUSH(a, x->texts, x->ntexts, x->text_cap) = (struct xpiece_text){ .element = in, .at = s->at, .end = s->end, .cdata = s->cdata };
    if (!e->spot || !e->spot->text)
        return;
    if (e->text.n + s->text.n > e->text_cap) {
        e->text_cap = 2 * (e->text.n + s->text.n);
        char *more = arena_alloc(a, e->text_cap);
        memcpy(more, e->text.p, e->text.n);
        e->text.p = more;
    }
    memcpy((char *)(uintptr_t)e->text.p + e->text.n, s->text.p, s->text.n);
    e->text.n += s->text.n;
}

/* Scans the piece into its table. */
static int scan(struct xpiece *x, struct xscan *s, const struct xspot *top, struct arena *a)
{
    size_t in = XPIECE_NONE, hint = 0;
    int rc;

    while ((rc = xscan_next(s)) == OK) {
        if (s->event == XEVENT_START) {
            const struct xspot *around = in == XPIECE_NONE ? NULL : x->elements[in].spot;
            const struct xspot *spot = in == XPIECE_NONE ? top : around ? xread_kid(s, around, &hint, NULL) : NULL;
            add_element(x, s, a, in, spot);
            in = x->n - 1;
        } else if (s->event == XEVENT_TEXT) {
            add_text(x, s, a, in);
        } else {
            struct xpiece_element *e = &x->elements[in];
            e->tail = s->at;
            e->end = s->end;
            e->comments |= (s->marks & XMARK_OTHER) != 0;
            in = e->parent;
        }
        if (s->event != XEVENT_START && in != XPIECE_NONE)
            x->elements[in].comments |= s->event == XEVENT_TEXT && (s->marks & XMARK_OTHER);
    }
    return rc == END ? OK : rc;
}

static struct xpiece *complain(struct problems *ps, const struct node *message, const char *text)
{
    problem_addf(ps, PROBLEM_ERROR, "XML_PATCH", (struct place){ .offset = message->at }, "%s", text);
    return NULL;
}

struct xpiece *xpiece_of(struct patcher *p, const struct node *message, struct problems *ps)
{
    const struct xread *r = p->reader->state;
    struct xpiece *x = p->state;
    size_t n = (size_t)(message->end - message->at);

    if (x && x->message == message && x->base == message->at)
        return x;
    x = p->state = arena_zero(p->arena, sizeof *x);
    *x = (struct xpiece){
        .message = message, .base = message->at, .unit = r->unit, .high_first = r->charset == CHARSET_UTF_16BE
    };
    char *raw = arena_alloc(p->arena, n);
    if (!xpiece_bytes(p->reader->source, message->at, raw, n))
        return complain(ps, message, "the original cannot be read a second time, so nothing in it can be changed");
    x->raw = (struct slice){ raw, n };
    struct source src;
    struct xscan s;
    source_open_text(&src, x->raw, p->reader->source->name, p->reader->limits);
    src.base = message->at;
    int rc = xscan_open(&s, &src, p->reader->limits, r->charset, p->arena, ps);
    s.started = true;
    for (size_t i = 0; i < r->nbindings; i++)
        xscan_bind(&s, r->prefixes[i], r->uris[i]);
    if (rc == OK)
        rc = scan(x, &s, r->plan->of_group[message->group->id], p->arena);
    xscan_close(&s);
    if (rc == OK && x->n)
        return x;
    x->message = NULL;
    return complain(ps, message, "the original is not what was read before");
}

size_t xpiece_find(const struct xpiece *x, uint64_t at)
{
    size_t lo = 0, hi = x->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->elements[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < x->n && x->elements[lo].at == at ? lo : XPIECE_NONE;
}
