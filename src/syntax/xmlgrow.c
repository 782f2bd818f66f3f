/* Edits that make an element or attribute: where it goes, how it is indented, which prefix it has in this document. */
#include "xmlpatch_in.h"
#include "xmlspell.h"

/* ---- names as the document spells them ---- */

static bool is_shadowed(const struct xread *r, size_t i)
{
    for (size_t j = i + 1; j < r->nbindings; j++)
        if (slice_equal(r->prefixes[i], r->prefixes[j]))
            return true;
    return false;
}

/* The prefix that the document gives a namespace; an attribute has none without prefix. */
static struct slice document_name(void *owner, struct slice uri, struct slice local, bool attribute)
{
    struct xpatch *x = owner;
    const struct xread *r = x->read;
    bool default_taken = false;

    for (size_t i = 0; i < r->nbindings; i++)
        default_taken |= r->prefixes[i].n == 0 && r->uris[i].n && !is_shadowed(r, i);
    if (uri.n == 0 && (attribute || !default_taken))
        return local;
    for (size_t i = 0; i < r->nbindings; i++)
        if (slice_equal(r->uris[i], uri) && !is_shadowed(r, i) && (r->prefixes[i].n || !attribute))
            return r->prefixes[i].n ? arena_printf(x->arena, "%.*s:%.*s", SLICE_ARG(r->prefixes[i]), SLICE_ARG(local))
                                    : local;
    x->lost_prefix = true;
    return local;
}

/* ---- places ---- */

static const struct xpiece_element *element(const struct xpatch *x, size_t i)
{
    return &x->piece->elements[i];
}

/* A kid of the element at a spot; the last one, or the first. */
static size_t kid_of(const struct xpatch *x, size_t parent, const struct xspot *spot, bool last)
{
    size_t found = XPIECE_NONE;

    for (size_t i = parent + 1; i < x->piece->n && (last || found == XPIECE_NONE); i++) {
        const struct xpiece_element *e = element(x, i);
        if (e->at >= element(x, parent)->end)
            break;
        if (e->parent == parent && e->spot == spot && !e->removed)
            found = i;
    }
    return found;
}

/* The line break and indentation before the element. */
static struct slice pre_of(struct xpatch *x, size_t i)
{
    return xpiece_blanks(x->piece, x->arena, element(x, i)->lead, element(x, i)->at);
}

/* White space before the message itself, which lies outside the piece. */
static struct slice blanks_before(struct xpatch *x, uint64_t at)
{
    char ahead[512];
    size_t room = at < sizeof ahead ? (size_t)at : sizeof ahead;
    struct xpiece p = { .base = at - room,
                        .raw = { ahead, room },
                        .unit = x->read->unit,
                        .high_first = x->read->charset == CHARSET_UTF_16BE };
    uint64_t from = at;

    if (!xpiece_bytes(x->patcher->reader->source, at - room, ahead, room))
        return (struct slice){ "", 0 };
    while (xpiece_blank(&p, from - p.unit))
        from -= p.unit;
    return xpiece_blanks(&p, x->arena, from, at);
}

static struct slice pre_of_parent(struct xpatch *x, size_t i)
{
    return element(x, i)->parent == XPIECE_NONE ? blanks_before(x, element(x, i)->at) : pre_of(x, i);
}

static bool has_line(struct slice pre)
{
    return memchr(pre.p, '\n', pre.n) || memchr(pre.p, '\r', pre.n);
}

/* What a level adds to the indentation: as the first element that has one in this message shows, else as the format has
 * it. */
static struct slice step_of(struct xpatch *x)
{
    for (size_t i = 1; x->piece && i < x->piece->n; i++) {
        struct slice inner = pre_of(x, i), outer = pre_of_parent(x, element(x, i)->parent);
        if (has_line(inner) && has_line(outer) && inner.n > outer.n && slice_starts(inner, outer))
            return (struct slice){ inner.p + outer.n, inner.n - outer.n };
    }
    return x->read->plan->indent.p ? x->read->plan->indent : (struct slice){ "", 0 };
}

struct gap {                        /* where something new goes */
    uint64_t at;
    struct slice pre;               /* before it */
    struct slice post;              /* behind it, when it is the first in an element */
    size_t parent;
    bool opens;                     /* the parent is an empty tag */
};

/* The gap for a kid of that order: behind the last one that the format has before it, else ahead of all. */
static struct gap gap_for(struct xpatch *x, size_t parent, const struct xspot *spot)
{
    const struct xpiece_element *up = element(x, parent);
    size_t before = XPIECE_NONE, any = XPIECE_NONE;
    struct gap g = { .at = up->inner, .parent = parent, .opens = up->empty };

    for (size_t i = parent + 1; i < x->piece->n && element(x, i)->at < up->end; i++) {
        const struct xpiece_element *e = element(x, i);
        if (e->parent != parent)
            continue;
        if (any == XPIECE_NONE || element(x, any)->removed)
            any = i;
        if (e->spot && e->spot->order <= spot->order)
            before = i;
    }
    if (before != XPIECE_NONE)
        g.at = element(x, before)->end;
    /* An insertion must not stand where a deletion begins: it goes behind what is taken out. */
    for (size_t i = parent + 1; i < x->piece->n; i++)
        if (element(x, i)->parent == parent && element(x, i)->removed && element(x, i)->lead == g.at)
            g.at = element(x, i)->end;
    struct slice outer = pre_of_parent(x, parent);
    if (before != XPIECE_NONE || any != XPIECE_NONE)
        g.pre = pre_of(x, before != XPIECE_NONE ? before : any);
    else if (has_line(outer))
        g.pre = arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(outer), SLICE_ARG(step_of(x)));
    else
        g.pre = (struct slice){ "", 0 };
    bool alone = any == XPIECE_NONE;
    g.post = alone && has_line(g.pre) ? outer : (struct slice){ "", 0 };
    return g;
}

/* Puts markup into a gap; `inner` = where in it kids go, `pre` theirs. Remembers an element that others may come into.
 */
static void fill(struct xpatch *x, const struct gap *g, struct slice head, struct slice tail,
                 const struct xpiece_made *made)
{
    struct xpiece *p = x->piece;
    struct buf bytes = { 0 };
    uint64_t at = g->at, end = at;

    if (g->opens) {
        const struct xpiece_element *e = element(x, g->parent);
        at = e->inner - 2 * p->unit;
        while (xpiece_blank(p, at - p->unit))
            at -= p->unit;
        end = e->end;
        xspell_charset(&bytes, SLICE(">"), x->read->charset);
    }
    xspell_charset(&bytes, head, x->read->charset);
    size_t inner = bytes.n;
    xspell_charset(&bytes, tail, x->read->charset);
    size_t more = bytes.n;
    xspell_charset(&bytes, g->post, x->read->charset);
    if (g->opens)
        xspell_charset(&bytes, arena_printf(x->arena, "</%.*s>", SLICE_ARG(element(x, g->parent)->name)),
                       x->read->charset);
    patcher_put(x->patcher, at, end - at, buf_slice(&bytes));
    if (made) {
        struct xpiece_made m = *made;
        m.edit = x->patcher->n - 1;
        m.inner = inner;
        ARENA_PUSH(x->arena, p->made, p->nmade, p->made_cap) = m;
    }
    /* What else comes into an element that was empty or without kids joins this edit. */
    if (g->opens || g->post.n)
        ARENA_PUSH(x->arena, p->made, p->nmade, p->made_cap) = (struct xpiece_made){
            .element = g->parent, .spot = NULL, .edit = x->patcher->n - 1, .inner = more, .pre = g->pre
        };
    buf_release(&bytes);
}

/* Markup joins an element that an earlier edit makes. */
static void join(struct xpatch *x, struct xpiece_made *m, struct slice markup)
{
    struct byte_edit *e = &x->patcher->list[m->edit];
    struct buf bytes = { 0 };

    buf_add(&bytes, (struct slice){ e->put.p, m->inner });
    xspell_charset(&bytes, markup, x->read->charset);
    size_t added = bytes.n - m->inner, from = m->inner;
    buf_add(&bytes, (struct slice){ e->put.p + from, e->put.n - from });
    e->put = arena_copy(x->arena, buf_slice(&bytes));
    for (size_t i = 0; i < x->piece->nmade; i++)
        if (x->piece->made[i].edit == m->edit && x->piece->made[i].inner >= from)
            x->piece->made[i].inner += added;
    buf_release(&bytes);
}

static struct xpiece_made *made_at(struct xpatch *x, size_t parent, const struct xspot *spot)
{
    for (size_t i = x->piece->nmade; i-- > 0;)
        if (x->piece->made[i].element == parent && x->piece->made[i].spot == spot)
            return &x->piece->made[i];
    return NULL;
}

/* ---- new elements ---- */

struct fresh {                      /* what has to be spelled at the innermost new spot */
    const struct node *node;        /* an instance of the spot's group, or … */
    const struct field *field;      /* … a value of the element or of an attribute of it */
    const struct xspot_attr *attribute;
    const struct value *value;
};

static struct slice spot_name(struct xpatch *x, const struct xspot *s)
{
    return document_name(x, s->uri, s->local, false);
}

/* The element of the innermost spot, its line before it. */
static bool spell_fresh(struct xpatch *x, const struct xspot *s, const struct fresh *f, const struct node *holder,
                        struct slice pre, struct slice step, struct buf *out)
{
    if (f->node) {
        struct xwrite w;
        xwrite_init(&w, out, x->read->plan, pre, has_line(pre) ? step : slice_none(), x->problems);
        w.name = document_name;
        w.owner = x;
        xwrite_spot(&w, s, f->node, 0);
        xwrite_release(&w);
        return w.status == OK;
    }
    struct slice markup = xpatch_spell(x, holder, f->field, f->value, f->attribute ? XSPELL_ATTRIBUTE : XSPELL_TEXT),
                 name = spot_name(x, s);
    if (!markup.p)
        return false;
    buf_printf(out, "%.*s<%.*s", SLICE_ARG(pre), SLICE_ARG(name));
    if (f->attribute)
        buf_printf(out, " %.*s=\"%.*s\"/>", SLICE_ARG(document_name(x, f->attribute->uri, f->attribute->local, true)),
                   SLICE_ARG(markup));
    else if (markup.n)
        buf_printf(out, ">%.*s</%.*s>", SLICE_ARG(markup), SLICE_ARG(name));
    else
        buf_text(out, "/>");
    return true;
}

/* Containers from `top` down to `spot`, around what is new: head and tail of the markup; *pre becomes that of the kids.
 */
static void containers(struct xpatch *x, const struct xspot *top, const struct xspot *spot, struct slice *pre,
                       struct slice step, struct buf *head, struct buf *tail)
{
    const struct xspot *chain[64];
    size_t n = 0;

    for (const struct xspot *s = spot->parent; n < 64 && s && s != top->parent; s = s->parent)
        chain[n++] = s;
    struct slice lines[65];
    lines[n] = *pre;
    for (size_t i = n; i-- > 0;) {
        struct slice name = spot_name(x, chain[i]);
        buf_printf(head, "%.*s<%.*s>", SLICE_ARG(lines[i + 1]), SLICE_ARG(name));
        lines[i] = has_line(lines[i + 1]) ? arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(lines[i + 1]), SLICE_ARG(step))
                                          : (struct slice){ "", 0 };
    }
    *pre = lines[0];
    for (size_t i = 0; i < n; i++)
        buf_printf(tail, "%.*s</%.*s>", SLICE_ARG(lines[i + 1]), SLICE_ARG(spot_name(x, chain[i])));
}

/* Makes the element of `spot`, which is missing in `parent` from `top` on. */
static int make(struct xpatch *x, size_t parent, const struct xspot *top, const struct xspot *spot,
                const struct fresh *f, const struct node *holder)
{
    struct xpiece_made *made = made_at(x, parent, top), *opened = made_at(x, parent, NULL);
    struct gap g = gap_for(x, parent, top);
    struct slice step = step_of(x), pre = made ? made->pre : opened ? opened->pre : g.pre;
    struct buf head = { 0 }, tail = { 0 };
    struct xpiece_made own = { .element = parent, .spot = top };
    x->piece->elements[parent].kept = true;
    bool join_made = made && top != spot;

    if (!join_made) {
        pre = opened ? opened->pre : g.pre;
        containers(x, top, spot, &pre, step, &head, &tail);
    }
    own.pre = pre;
    bool good = spell_fresh(x, spot, f, holder, pre, step, &head);
    if (good && !x->lost_prefix) {
        if (join_made || opened) {
            struct slice all =
                arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(buf_slice(&head)), SLICE_ARG(buf_slice(&tail)));
            join(x, join_made ? made : opened, all);
        } else {
            fill(x, &g, buf_slice(&head), buf_slice(&tail), top != spot ? &own : NULL);
        }
    }
    buf_release(&head);
    buf_release(&tail);
    if (x->lost_prefix)
        return xpatch_refuse(x, element(x, parent)->at, "the original declares no prefix for the namespace of a new element");
    return good ? OK : SKIP;
}

/* From the instance's element down towards the spot: the last element that is there, and the first spot that is not. */
static size_t descend(struct xpatch *x, size_t from, const struct xspot *spot, bool whole, const struct xspot **missing)
{
    const struct xspot *chain[64];
    size_t n = 0;

    for (const struct xspot *s = spot; n < 64 && s && s != element(x, from)->spot; s = s->parent)
        chain[n++] = s;
    *missing = NULL;
    while (n-- > 0) {
        size_t kid = n == 0 && !whole ? XPIECE_NONE : kid_of(x, from, chain[n], false);
        if (kid == XPIECE_NONE) {
            *missing = chain[n];
            break;
        }
        from = kid;
    }
    return from;
}

/* A new attribute goes behind the last one that is there. */
static int add_attribute(struct xpatch *x, size_t i, const struct xspot_attr *a, const struct node *n,
                         const struct value *v)
{
    const struct xpiece *p = x->piece;
    uint64_t at = element(x, i)->at + p->unit;
    struct slice markup = xpatch_spell(x, n, a->field, v, XSPELL_ATTRIBUTE),
                 name = document_name(x, a->uri, a->local, true);

    if (!markup.p)
        return SKIP;
    if (x->lost_prefix)
        return xpatch_refuse(x, at, "the original declares no prefix for the namespace of a new attribute");
    x->piece->elements[i].kept = true;
    while (!xpiece_blank(p, at) && xpiece_char(p, at) != '/' && xpiece_char(p, at) != '>')
        at += p->unit;
    for (size_t k = 0; k < p->nattrs; k++)
        if (p->attrs[k].element == i)
            at = p->attrs[k].at + p->attrs[k].len + p->unit;
    markup = arena_printf(x->arena, " %.*s=\"%.*s\"", SLICE_ARG(name), SLICE_ARG(markup));
    for (size_t k = 0; k < x->patcher->n; k++) {
        const struct byte_edit *e = &x->patcher->list[k];
        if (e->at == at && e->len && e->put.n) {        /* the tag is being opened: the attribute joins that edit */
            struct xpiece_made front = { .edit = k, .inner = 0 };
            join(x, &front, markup);
            return OK;
        }
    }
    xpatch_put(x, at, at, markup);
    return OK;
}

int xpatch_grow(struct xpatch *x, const struct node *n, const struct field *f, const struct value *v)
{
    const struct xspot_attr *attribute;
    const struct xspot *spot = xplan_field(x->read->plan, f, &attribute), *missing;
    size_t from = xpiece_find(x->piece, n->at);

    if (!spot || from == XPIECE_NONE)
        return xpatch_refuse(x, n->at, "the original is not what was read before");
    if (v->state != VALUE_PRESENT && !(f->flags & FIELD_ALWAYS) && f->nnothing == 0)
        return OK;                              /* nothing is spelled by leaving it out */
    size_t at = descend(x, from, spot, true, &missing);
    const struct fresh fresh = { .field = f, .attribute = attribute, .value = v };
    if (missing)
        return make(x, at, missing, spot, &fresh, n);
    return attribute ? add_attribute(x, at, attribute, n, v) : xpatch_text(x, at, n, f, v);
}

/* ---- new instances ---- */

/* Behind which element an instance goes whose predecessor is `after`, which may be new itself. */
static struct xpiece_behind place_behind(const struct xpatch *x, const struct node *n, const struct node *after)
{
    struct xpiece_behind b = { .node = n, .sibling = XPIECE_NONE, .last = true };

    if (after && after->at != VALUE_NO_PLACE) {
        b.sibling = xpiece_find(x->piece, after->at);
        b.last = false;
    }
    for (size_t i = x->piece->nbehind; after && b.last && i-- > 0;)
        if (x->piece->behind[i].node == after)
            return (struct xpiece_behind){ n, x->piece->behind[i].sibling, x->piece->behind[i].last };
    return b;
}

int xpatch_insert(struct xpatch *x, const struct node *n, const struct node *parent, const struct node *after)
{
    const struct xspot *spot = x->read->plan->of_group[n->group->id], *missing;
    size_t from = xpiece_find(x->piece, parent->at);
    struct buf b = { 0 };

    if (from == XPIECE_NONE)
        return xpatch_refuse(x, parent->at, "the original is not what was read before");
    size_t at = descend(x, from, spot, false, &missing);
    struct xpiece_behind behind = place_behind(x, n, after);
    if (behind.sibling == XPIECE_NONE && missing == spot)
        behind.sibling = kid_of(x, at, spot, true);
    size_t sibling = behind.sibling;
    const struct fresh fresh = { .node = n };
    if (sibling == XPIECE_NONE)
        return make(x, at, missing, spot, &fresh, n);
    bool good = spell_fresh(x, spot, &fresh, n, pre_of(x, sibling), step_of(x), &b);
    struct gap g = { .at = element(x, sibling)->end };
    x->piece->elements[at].kept = true;
    ARENA_PUSH(x->arena, x->piece->behind, x->piece->nbehind, x->piece->behind_cap) = behind;
    for (size_t i = sibling + 1; i < x->piece->n; i++)
        if (element(x, i)->removed && element(x, i)->lead == g.at)
            g.at = element(x, i)->end;
    if (good && !x->lost_prefix) {
        xpatch_put(x, g.at, g.at, buf_slice(&b));
        x->patcher->list[x->patcher->n - 1].depth = behind.last ? 1 : 2;
    }
    buf_release(&b);
    if (x->lost_prefix)
        return xpatch_refuse(x, parent->at, "the original declares no prefix for the namespace of a new element");
    return good ? OK : SKIP;
}

/* Behind the last message of the file, or in the element that would hold it. */
static int end_of_messages(struct xpatch *x, const struct xspot *spot, uint64_t *at, struct slice *pre)
{
    const struct reader *r = x->patcher->reader;
    const struct xhouse *h = spot->parent && spot->parent->parent ? &x->read->houses[spot->parent->id] : NULL;

    if (r->messages && x->read->house != spot->parent)
        return xpatch_refuse(x, r->tail_at, "a new message goes behind the last one of the original, which stands in "
                                            "another element than messages of its kind");
    if (r->messages) {
        *at = r->tail_at;
        *pre = blanks_before(x, r->head_end);
        return OK;
    }
    if (!h || !h->seen || h->inner == h->end || !h->closed)
        return xpatch_refuse(x, VALUE_NO_PLACE, "the original has no place for a first message");
    struct slice outer = blanks_before(x, h->at);
    *at = h->inner;
    *pre = x->read->plan->indent.p
               ? arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(has_line(outer) ? outer : SLICE("\n")),
                              SLICE_ARG(x->read->plan->indent))
               : outer;
    return OK;
}

int xpatch_insert_message(struct xpatch *x, const struct node *n, const struct node *after)
{
    const struct xspot *spot = x->read->plan->of_group[n->group->id];
    const struct fresh fresh = { .node = n };
    struct buf b = { 0 };
    struct slice pre = { "", 0 };
    uint64_t at = 0;

    if (after && after->at != VALUE_NO_PLACE) {
        at = after->end;
        pre = blanks_before(x, after->at);
    } else if (end_of_messages(x, spot, &at, &pre) != OK) {
        return SKIP;
    }
    struct slice step = x->read->plan->indent.p ? x->read->plan->indent : SLICE("  ");
    bool good = spell_fresh(x, spot, &fresh, n, pre, step, &b);
    if (good && !x->lost_prefix)
        xpatch_put(x, at, at, buf_slice(&b));
    buf_release(&b);
    if (x->lost_prefix)
        return xpatch_refuse(x, at, "the original declares no prefix for the namespace of a new element");
    return good ? OK : SKIP;
}
