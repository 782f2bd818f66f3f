#include "xmlpatch_in.h"

#include "xmlpatch.h"
#include "xmlspell.h"

int xpatch_refuse(struct xpatch *x, uint64_t at, const char *text)
{
    problem_addf(x->problems, PROBLEM_ERROR, "XML_PATCH",
                 (struct place){ .offset = at == VALUE_NO_PLACE ? PLACE_NO_OFFSET : at }, "%s", text);
    return SKIP;
}

void xpatch_put(struct xpatch *x, uint64_t at, uint64_t end, struct slice markup)
{
    struct buf bytes = { 0 };

    xspell_charset(&bytes, markup, x->read->charset);
    patcher_put(x->patcher, at, end - at, buf_slice(&bytes));
    buf_release(&bytes);
}

struct slice xpatch_spell(struct xpatch *x, const struct node *n, const struct field *f, const struct value *v,
                          int place)
{
    struct buf plain = { 0 }, spelled = { 0 };
    struct fault fault = { 0 };
    struct slice out = slice_none();

    if (type_write(f, v, &plain, x->arena, &fault) != OK)
        problem_add(x->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                    .code = fault.code,
                                                    .value = value_text(v),
                                                    .text = fault.text,
                                                    .hint = fault.hint,
                                                    .path = node_path(x->arena, n, f),
                                                    .place.offset = PLACE_NO_OFFSET });
    else if (xspell(&spelled, buf_slice(&plain), (enum xspell_place)place))
        out = arena_copy(x->arena, buf_slice(&spelled));
    else if (place != XSPELL_CDATA)
        problem_add(x->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                    .code = "XML_CHAR",
                                                    .value = buf_slice(&plain),
                                                    .text = SLICE("holds a character that may not stand in XML"),
                                                    .path = node_path(x->arena, n, f),
                                                    .place.offset = PLACE_NO_OFFSET });
    buf_release(&plain);
    buf_release(&spelled);
    return out;
}

/* The guard: what stands in the file, its spelling undone, is what was read. */
static bool unchanged(struct xpatch *x, const struct field *f, struct slice text, const struct value *old)
{
    struct value now = { 0 };
    struct fault fault = { 0 };

    if (old->form & VALUE_NIL)
        return true;
    if (type_read(f, f->type == TYPE_TEXT ? text : slice_trim(text), x->arena, &now, &fault) != OK)
        return false;
    return now.state == old->state && (now.state != VALUE_PRESENT || slice_equal(value_text(&now), value_text(old)));
}

/* ---- values of elements ---- */

/* Behind `<name attributes`, before the blanks ahead of `/>`. */
static uint64_t before_slash(struct xpatch *x, const struct xpiece_element *e)
{
    uint64_t at = e->inner - 2 * x->piece->unit;

    while (xpiece_blank(x->piece, at - x->piece->unit))
        at -= x->piece->unit;
    return at;
}

/* One attribute with the blanks before it. */
static void remove_attribute(struct xpatch *x, const struct xpiece_attr *a)
{
    const struct xpiece *p = x->piece;
    uint64_t u = p->unit, at = a->at - u;               /* on the opening quote */
    const uint64_t name = u * slice_chars(a->name);

    do
        at -= u;
    while (xpiece_char(p, at) != '=');
    do
        at -= u;
    while (xpiece_blank(p, at));
    at = at + u - name;
    while (xpiece_blank(p, at - u))
        at -= u;
    patcher_put(x->patcher, at, a->at + a->len + u - at, (struct slice){ "", 0 });
}

static void remove_nil(struct xpatch *x, size_t element)
{
    for (size_t i = 0; i < x->piece->nattrs; i++) {
        const struct xpiece_attr *a = &x->piece->attrs[i];
        if (a->element == element && slice_is(a->local, "nil") && slice_is(a->uri, "http://www.w3.org/2001/XMLSchema-instance"))
            remove_attribute(x, a);
    }
}

/* The one CDATA section that is all of an element's content; NULL = it is not like that. */
static const struct xpiece_text *only_cdata(const struct xpiece *p, size_t element)
{
    const struct xpiece_text *found = NULL;
    const struct xpiece_element *e = &p->elements[element];

    for (size_t i = 0; i < p->ntexts; i++)
        if (p->texts[i].element == element)
            found = &p->texts[i];
    return found && found->cdata && found->at == e->inner && found->end == e->tail ? found : NULL;
}

static bool charset_takes(struct xpatch *x, struct slice text)
{
    struct buf b = { 0 };
    bool all = charset_encode(x->read->charset, text, &b) == text.n;

    buf_release(&b);
    return all;
}

/* Text around comments: the first piece is replaced, the others go. */
static void around_comments(struct xpatch *x, size_t element, struct slice markup)
{
    const struct xpiece *p = x->piece;
    bool first = true;

    for (size_t i = 0; i < p->ntexts; i++) {
        if (p->texts[i].element != element)
            continue;
        xpatch_put(x, p->texts[i].at, p->texts[i].end, first ? markup : (struct slice){ "", 0 });
        first = false;
    }
    if (first)
        xpatch_put(x, p->elements[element].inner, p->elements[element].inner, markup);
}

/* Blanks around a value that its type does not count, as in a pretty-printed file, stay. */
static void plain_text(struct xpatch *x, const struct xpiece_element *e, const struct field *f, struct slice markup)
{
    const struct xpiece *p = x->piece;
    uint64_t from = e->inner, to = e->tail;
    bool keeps = (f->type != TYPE_TEXT || f->flags & FIELD_TRIM) && slice_trim(e->text).n;

    while (keeps && from < to && xpiece_blank(p, from))
        from += p->unit;
    while (keeps && to > from && xpiece_blank(p, to - p->unit))
        to -= p->unit;
    xpatch_put(x, from, to, markup);
}

int xpatch_text(struct xpatch *x, size_t element, const struct node *n, const struct field *f, const struct value *v)
{
    const struct xpiece_element *e = &x->piece->elements[element];
    const struct xpiece_text *cdata = only_cdata(x->piece, element);
    uint64_t u = x->piece->unit;

    if (cdata) {
        struct slice inside = xpatch_spell(x, n, f, v, XSPELL_CDATA);
        if (inside.p && charset_takes(x, inside)) {
            xpatch_put(x, cdata->at + 9 * u, cdata->end - 3 * u, inside);
            return OK;
        }
    }
    struct slice markup = xpatch_spell(x, n, f, v, XSPELL_TEXT);
    if (!markup.p)
        return SKIP;
    if (value_is(v))
        remove_nil(x, element);
    if (e->empty && markup.n)
        xpatch_put(x, before_slash(x, e), e->end,
                   arena_printf(x->arena, ">%.*s</%.*s>", SLICE_ARG(markup), SLICE_ARG(e->name)));
    else if (e->kids && !e->comments)
        return xpatch_refuse(x, e->at, "the element holds other elements, so its text cannot be changed");
    else if (e->comments)
        around_comments(x, element, markup);
    else if (!e->empty)
        plain_text(x, e, f, markup);
    return OK;
}

/* ---- taking away ---- */

static bool has_attributes(const struct xpiece *p, size_t element)
{
    for (size_t i = 0; i < p->nattrs; i++)
        if (p->attrs[i].element == element && !slice_is(p->attrs[i].local, "nil"))
            return true;
    return false;
}

/* Takes an element out with the white space before it, and a container that holds nothing else with it. */
static void remove_element(struct xpatch *x, size_t element)
{
    struct xpiece *p = x->piece;
    struct xpiece_element *e = &p->elements[element];

    e->removed = true;
    patcher_put(x->patcher, e->lead, e->end - e->lead, (struct slice){ "", 0 });
    if (e->parent == XPIECE_NONE)
        return;
    struct xpiece_element *up = &p->elements[e->parent];
    if (--up->kids == 0 && !up->kept && up->spot && !up->spot->group && !up->spot->text && !up->comments &&
        !has_attributes(p, e->parent))
        remove_element(x, e->parent);
}

static int take_away(struct xpatch *x, size_t element, const struct node *n, const struct field *f)
{
    const struct xpiece_element *e = &x->piece->elements[element];
    const struct value nothing = { .state = VALUE_EMPTY };

    if (f->flags & FIELD_ALWAYS || e->kids || has_attributes(x->piece, element) || (e->spot && e->spot->group))
        return xpatch_text(x, element, n, f, &nothing);
    remove_element(x, element);
    return OK;
}

/* ---- edits ---- */

static int set_attribute(struct xpatch *x, const struct node *n, const struct field *f, const struct value *old,
                         const struct value *v)
{
    const struct xpiece_attr *a = NULL;

    for (size_t i = 0; i < x->piece->nattrs && !a; i++)
        if (x->piece->attrs[i].at == old->at)
            a = &x->piece->attrs[i];
    if (!a || !unchanged(x, f, a->value, old))
        return xpatch_refuse(x, old->at, "the original is not what was read before");
    if (v->state == VALUE_ABSENT && !(f->flags & FIELD_ALWAYS)) {
        remove_attribute(x, a);
        return OK;
    }
    const struct value nothing = { .state = VALUE_EMPTY };
    struct slice markup = xpatch_spell(x, n, f, v->state == VALUE_ABSENT ? &nothing : v,
                                       a->quote == '\'' ? XSPELL_APOSTROPHES : XSPELL_ATTRIBUTE);
    if (!markup.p)
        return SKIP;
    xpatch_put(x, a->at, a->at + a->len, markup);
    return OK;
}

static int set_element(struct xpatch *x, const struct node *n, const struct field *f, const struct value *old,
                       const struct value *v)
{
    size_t i = xpiece_find(x->piece, old->at - old->lead);

    if (i == XPIECE_NONE ||
        !unchanged(x, f, old->form & VALUE_MIXED ? slice_trim(x->piece->elements[i].text) : x->piece->elements[i].text,
                   old))
        return xpatch_refuse(x, old->at, "the original is not what was read before");
    return v->state == VALUE_ABSENT ? take_away(x, i, n, f) : xpatch_text(x, i, n, f, v);
}

/* A value outside the messages: only its bytes are looked at, as an attribute or text of their own. */
static int set_file_value(struct xpatch *x, const struct node *n, const struct field *f, const struct value *old,
                          const struct value *v)
{
    bool attribute = old->form & VALUE_ATTRIBUTE;
    char *raw = arena_alloc(x->arena, old->len + 1);
    const char quote = attribute && !(old->form & VALUE_QUOTED) ? '"' : '\'';
    struct buf b = { 0 };
    bool unfinished;

    if (old->at == VALUE_NO_PLACE || v->state == VALUE_ABSENT ||
        old->form & (VALUE_EMPTY_TAG | VALUE_MIXED | VALUE_CDATA | VALUE_NIL))
        return xpatch_refuse(x, old->at, "a member outside the messages can be changed, not added or taken away");
    if (!xpiece_bytes(x->patcher->reader->source, old->at, raw, old->len))
        return xpatch_refuse(x, old->at, "the original cannot be read a second time, so nothing in it can be changed");
    buf_printf(&b, attribute ? "<a a=%c" : "<a>", quote);
    charset_decode(x->read->charset, (struct slice){ raw, old->len }, &b, &unfinished);
    buf_printf(&b, attribute ? "%c/>" : "</a>", quote);
    struct source src;
    struct xscan s;
    source_open_text(&src, buf_slice(&b), NULL, NULL);
    xscan_open(&s, &src, x->patcher->reader->limits, CHARSET_UTF_8, x->arena, x->problems);
    bool good = xscan_next(&s) == OK &&
                (attribute ? s.nattrs == 1 && unchanged(x, f, s.attrs[0].value, old)
                           : xscan_next(&s) == OK &&
                                 unchanged(x, f, s.event == XEVENT_TEXT ? s.text : (struct slice){ "", 0 }, old));
    xscan_close(&s);
    buf_release(&b);
    if (!good)
        return xpatch_refuse(x, old->at, "the original is not what was read before");
    struct slice markup = xpatch_spell(x, n, f, v,
                                       !attribute     ? XSPELL_TEXT
                                       : quote == '"' ? XSPELL_ATTRIBUTE
                                                      : XSPELL_APOSTROPHES);
    if (markup.p)
        xpatch_put(x, old->at, old->at + old->len, markup);
    return markup.p ? OK : SKIP;
}

static int set(struct xpatch *x, const struct edit *e)
{
    const struct value *old = node_value(e->node, e->field);

    if (old->state == VALUE_ABSENT && e->value.state == VALUE_ABSENT)
        return OK;
    if (!e->node->group->parent)
        return set_file_value(x, e->node, e->field, old, &e->value);
    if (old->state == VALUE_ABSENT)
        return xpatch_grow(x, e->node, e->field, &e->value);
    if (old->form & VALUE_ATTRIBUTE)
        return set_attribute(x, e->node, e->field, old, &e->value);
    return set_element(x, e->node, e->field, old, &e->value);
}

static int delete(struct xpatch *x, const struct node *n)
{
    size_t i = xpiece_find(x->piece, n->at);

    if (i == XPIECE_NONE)
        return xpatch_refuse(x, n->at, "the original is not what was read before");
    remove_element(x, i);
    return OK;
}

/* A message goes with the white space before it. */
static int delete_message(struct xpatch *x, const struct node *n)
{
    char ahead[4096];
    uint64_t from = n->at;
    size_t room = from < sizeof ahead ? (size_t)from : sizeof ahead;
    struct xpiece p = { .base = from - room,
                        .raw = { ahead, room },
                        .unit = x->read->unit,
                        .high_first = x->read->charset == CHARSET_UTF_16BE };

    if (!xpiece_bytes(x->patcher->reader->source, from - room, ahead, room))
        return xpatch_refuse(x, n->at, "the original cannot be read a second time, so nothing in it can be changed");
    while (xpiece_blank(&p, from - p.unit))
        from -= p.unit;
    if (xpiece_char(&p, from - p.unit) != '>')
        from = n->at;
    patcher_put(x->patcher, from, n->end - from, (struct slice){ "", 0 });
    return OK;
}

static const struct node *message_of(const struct node *n)
{
    while (n && !n->group->is_message)
        n = n->parent;
    return n;
}

int xpatch_edit(struct patcher *p, const struct edit *e, struct problems *ps)
{
    struct xpatch x = { .patcher = p, .read = p->reader->state, .arena = p->arena, .problems = ps };
    const struct node *place = e->kind == EDIT_INSERT ? e->parent : e->node;
    const struct node *message = message_of(place);

    if (!x.read)
        return xpatch_refuse(&x, VALUE_NO_PLACE, "the reader of the original is closed");
    if (x.read->foreign)
        return xpatch_refuse(&x, VALUE_NO_PLACE, "files in this encoding can be read, not changed; convert the original to UTF-8");
    if (e->kind == EDIT_INSERT && !message)
        return xpatch_insert_message(&x, e->node, e->after);
    if (e->kind == EDIT_DELETE && e->node->group->is_message)
        return delete_message(&x, e->node);
    if (message && (message->at == VALUE_NO_PLACE || place->at == VALUE_NO_PLACE))
        return OK;                              /* new itself: it is written with all that it holds */
    if (message) {
        x.piece = xpiece_of(p, message, ps);
        if (!x.piece)
            return SKIP;
    }
    switch (e->kind) {
    case EDIT_SET: return set(&x, e);
    case EDIT_INSERT: return xpatch_insert(&x, e->node, e->parent, e->after);
    case EDIT_DELETE: return delete(&x, e->node);
    }
    return OK;
}
