#include "jsonpiece.h"

#include "jsontext.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool has_line(struct slice blanks)
{
    return memchr(blanks.p, '\n', blanks.n) || memchr(blanks.p, '\r', blanks.n);
}

struct slice jpiece_blanks(const struct jpiece *x, uint64_t at)
{
    const char *end = x->raw.p + (at - x->base), *p = end;

    while (p > x->raw.p && is_blank(p[-1]))
        p--;
    return slice_range(p, end);
}

size_t jpiece_find(const struct jpiece *x, uint64_t at)
{
    size_t lo = 0, hi = x->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (x->values[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < x->n && x->values[lo].at == at ? lo : JPIECE_NONE;
}

static bool is_removed(const struct jpiece *x, size_t i)
{
    size_t up = x->values[i].parent;
    const struct jseat *s = up == JPIECE_NONE ? NULL : x->values[up].seat;

    for (const struct jitem *k = s ? s->first : NULL; k; k = k->next)
        if (k->value == i)
            return k->removed;
    return false;
}

size_t jpiece_kid(const struct jpiece *x, size_t object, const struct jspot *spot)
{
    for (size_t i = object + 1; i < x->values[object].last; i = x->values[i].last)
        if (x->values[i].spot == spot && !is_removed(x, i))
            return i;
    return JPIECE_NONE;
}

/* ---- making ---- */

static void add_values(struct jpiece *x, struct jscan *s, struct arena *a, const struct jspot *top)
{
    size_t up = JPIECE_NONE, hint = 0;
    const struct jspot *next = top;
    uint64_t lead = 0;
    bool named = false;

    while (jscan_next(s) == OK) {
        const struct jvalue *v = up == JPIECE_NONE ? NULL : &x->values[up];
        if (s->event == JEVENT_NAME) {
            next = v->spot ? jplan_kid(v->spot, s->text, &hint) : NULL;
            lead = s->at;
            named = true;
            continue;
        }
        if (s->event == JEVENT_CLOSE) {
            x->values[up].end = s->end + x->base;
            x->values[up].last = x->n;
            up = x->values[up].parent;
            continue;
        }
        if (v && v->kind == JEVENT_ARRAY)
            next = !v->spot ? NULL : v->spot->group && !v->spot->list ? v->spot : v->spot->star;
        struct jvalue now = { .kind = s->event, .spot = next, .lead = x->base + (named ? lead : s->at),
                .at = x->base + s->at,
                              .end = x->base + s->end, .parent = up, .last = x->n + 1 };
        named = false;
        ARENA_PUSH(a, x->values, x->n, x->cap) = now;
        if (s->event == JEVENT_OBJECT || s->event == JEVENT_ARRAY)
            up = x->n - 1;
    }
}

/* How this message is laid out: from the first member that tells. */
static void learn_layout(struct jpiece *x, struct patcher *p, const struct jread *r)
{
    x->blank = r->plan->indent.p != NULL;
    x->step = r->plan->indent.p ? r->plan->indent : (struct slice){ "", 0 };
    for (size_t i = 1; i < x->n; i++) {
        const struct jvalue *v = &x->values[i];
        if (v->lead < v->at) {
            x->blank = is_blank(x->raw.p[v->at - x->base - 1]);
            break;
        }
    }
    uint64_t at = x->message->at, room = at < 512 ? at : 512;
    struct slice ahead = source_again(p->reader->source, at - room, room, p->arena);
    size_t n = ahead.p ? ahead.n : 0;
    while (n && is_blank(ahead.p[n - 1]))
        n--;
    x->outer = ahead.p ? (struct slice){ ahead.p + n, ahead.n - n } : (struct slice){ "", 0 };
    if (r->plan->lines)
        x->outer = (struct slice){ "", 0 };
    for (size_t i = 1; i < x->n; i++) {
        const struct jvalue *up = &x->values[x->values[i].parent];
        struct slice inner = jpiece_blanks(x, x->values[i].lead), outer = up->parent == JPIECE_NONE ? x->outer
                : jpiece_blanks(x, up->lead);
        if (has_line(inner) && !has_line(outer))    /* the first line of the file has no line end before it */
            outer = inner.p[0] == '\r' && inner.n > 1 ? (struct slice){ "\r\n", 2 } : (struct slice){ "\n", 1 };
        if (has_line(inner) && inner.n > outer.n && slice_starts(inner, outer)) {
            x->step = (struct slice){ inner.p + outer.n, inner.n - outer.n };
            if (!has_line(x->outer))
                x->outer = up->parent == JPIECE_NONE ? outer : x->outer;
            break;
        }
    }
}

struct jpiece *jpiece_of(struct patcher *p, const struct node *message, struct problems *ps)
{
    struct jread *r = p->reader->state;
    struct jpiece *x = p->state;
    struct source src;
    struct jscan s;

    if (x && x->message == message && x->base == message->inner)
        return x;
    x = arena_zero(p->arena, sizeof *x);
    x->message = message;
    x->base = message->at;
    x->raw = source_again(p->reader->source, message->inner, message->tail + 1 - message->inner, p->arena);
    if (x->raw.p) {
        x->base = message->inner;
        source_open_text(&src, x->raw, p->reader->source->name, NULL);
        jscan_open(&s, &src, p->reader->limits, false, p->arena, ps);
        s.max = p->reader->limits->binary;
        add_values(x, &s, p->arena, r->plan->of_group[message->group->id]);
        jscan_close(&s);
        learn_layout(x, p, r);
    }
    if (!x->n) {
        problem_addf(ps, PROBLEM_ERROR, "JSON_PATCH", (struct place){ .offset = message->at },
                     "the original cannot be read a second time, so nothing in it can be changed");
        return NULL;
    }
    p->state = x;
    return x;
}

/* ---- seats ---- */

struct jseat *jseat_of(struct jpiece *x, struct arena *a, size_t value)
{
    struct jvalue *v = &x->values[value];
    struct jitem **to;

    if (v->seat)
        return v->seat;
    v->seat = arena_zero(a, sizeof *v->seat);
    v->seat->value = value;
    v->seat->array = v->kind == JEVENT_ARRAY;
    to = &v->seat->first;
    for (size_t i = value + 1; i < v->last; i = x->values[i].last) {
        *to = arena_zero(a, sizeof **to);
        (*to)->value = i;
        (*to)->spot = x->values[i].spot;
        to = &(*to)->next;
    }
    return v->seat;
}

static struct slice own_line(struct jpiece *x, struct arena *a, const struct jseat *s)
{
    if (s->value == JPIECE_NONE)
        return jseat_line(x, a, s->up);
    if (x->values[s->value].parent == JPIECE_NONE)
        return x->outer;
    return jpiece_blanks(x, x->values[s->value].lead);
}

struct slice jseat_line(struct jpiece *x, struct arena *a, const struct jseat *s)
{
    size_t last = JPIECE_NONE;

    for (size_t i = s->value + 1; s->value != JPIECE_NONE && i < x->values[s->value].last; i = x->values[i].last)
        last = i;
    if (last != JPIECE_NONE)
        return jpiece_blanks(x, x->values[last].lead);
    struct slice outer = own_line(x, a, s);
    return has_line(outer) ? arena_printf(a, "%.*s%.*s", SLICE_ARG(outer), SLICE_ARG(x->step))
                           : (struct slice){ "", 0 };
}

static void add_new(struct jpiece *x, struct arena *a, const struct jitem *k, struct buf *out)
{
    bool any = false;

    if (!k->made) {
        buf_add(out, k->text);
        return;
    }
    const struct jseat *s = k->made;
    struct slice line = jseat_line(x, a, s), outer = has_line(line) ? own_line(x, a, s) : (struct slice){ "", 0 };
    buf_add(out, s->name);
    buf_byte(out, s->array ? '[' : '{');
    for (const struct jitem *i = s->first; i; i = i->next) {
        if (any)
            buf_byte(out, ',');
        any = true;
        buf_add(out, line);
        add_new(x, a, i, out);
    }
    buf_add(out, outer);
    buf_byte(out, s->array ? ']' : '}');
}

static void emit(struct patcher *p, struct jseat *s, size_t *used, uint64_t at, uint64_t end, struct slice put)
{
    patcher_put(p, at, end - at, put);
    if (*used == s->nedits) {
        ARENA_PUSH(p->arena, s->edits, s->nedits, s->edit_cap) = p->n - 1;
    } else {                                    /* an edit made before for this seat is replaced */
        p->list[s->edits[*used]] = p->list[p->n - 1];
        p->n--;
    }
    ++*used;
}

/* New items from k on, until one of the original comes; `before` and `behind` go around each. */
static struct slice new_run(struct jpiece *x, struct arena *a, const struct jitem *k, struct slice before,
        struct slice behind)
{
    struct buf b = { 0 };

    for (; k && k->value == JPIECE_NONE; k = k->next) {
        buf_add(&b, before);
        add_new(x, a, k, &b);
        buf_add(&b, behind);
    }
    struct slice text = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* All that stood there goes, or nothing stood there. */
static void render_anew(struct jpiece *x, struct patcher *p, struct jseat *s, size_t *used)
{
    const struct jvalue *v = &x->values[s->value];
    struct buf b = { 0 };
    struct slice line = jseat_line(x, p->arena, s);
    bool any = false;

    for (const struct jitem *k = s->first; k; k = k->next) {
        if (k->value != JPIECE_NONE)
            continue;
        if (any)
            buf_byte(&b, ',');
        if (any || has_line(line))
            buf_add(&b, line);
        any = true;
        add_new(x, p->arena, k, &b);
    }
    if (any && has_line(line))
        buf_add(&b, own_line(x, p->arena, s));
    if (v->end - v->at > 2)
        emit(p, s, used, v->at + 1, v->end - 1, (struct slice){ "", 0 });
    if (any)
        emit(p, s, used, v->end - 1, v->end - 1, buf_slice(&b));
    buf_release(&b);
}

void jseat_render(struct jpiece *x, struct patcher *p, struct jseat *s)
{
    size_t used = 0, survivors = 0;

    while (s->value == JPIECE_NONE)
        s = s->up;
    for (const struct jitem *k = s->first; k; k = k->next)
        survivors += k->value != JPIECE_NONE && !k->removed;
    struct slice line = jseat_line(x, p->arena, s), none = { "", 0 };
    struct slice comma_line = arena_printf(p->arena, ",%.*s", SLICE_ARG(line));
    uint64_t last = 0;                          /* the end of the value of the original before */
    bool any = false;                           /* something stays before */
    for (const struct jitem *k = s->first, *prev = NULL; survivors && k; prev = k, k = k->next) {
        if (k->value == JPIECE_NONE) {
            if (any && (!prev || prev->value != JPIECE_NONE))
                emit(p, s, &used, last, last, new_run(x, p->arena, k, comma_line, none));
            continue;
        }
        const struct jvalue *v = &x->values[k->value];
        if (k->removed) {
            const struct jvalue *next = v->last < x->values[s->value].last ? &x->values[v->last] : NULL;
            emit(p, s, &used, any ? last : v->lead, any || !next ? v->end : next->lead, none);
        } else if (!any) {                      /* what is new ahead of the first that stays */
            struct buf b = { 0 };
            for (const struct jitem *i = s->first; i != k; i = i->next)
                if (i->value == JPIECE_NONE) {
                    add_new(x, p->arena, i, &b);
                    buf_add(&b, comma_line);
                }
            if (b.n)
                emit(p, s, &used, v->lead, v->lead, buf_slice(&b));
            buf_release(&b);
            any = true;
        }
        last = v->end;
    }
    if (!survivors)
        render_anew(x, p, s, &used);
    for (; used < s->nedits; used++)            /* edits that are no longer needed do nothing */
        p->list[s->edits[used]] = (struct byte_edit){ .at = x->base, .put = none };
}
