#include "jsonpatch.h"

#include "jsonpiece.h"
#include "jsontext.h"
#include "jsonwrite.h"

struct jpatch {
    struct patcher *patcher;
    struct jread *read;
    struct arena *arena;
    struct problems *problems;
    struct jpiece *piece;
};

static int refuse(struct jpatch *x, uint64_t at, const char *text)
{
    problem_addf(x->problems, PROBLEM_ERROR, "JSON_PATCH",
                 (struct place){ .offset = at == VALUE_NO_PLACE ? PLACE_NO_OFFSET : at }, "%s", text);
    return SKIP;
}

/* ---- spelling ---- */

static void writer_init(struct jpatch *x, struct jwrite *w, struct buf *out, struct slice line)
{
    const struct jpiece *p = x->piece;
    bool lines = memchr(line.p, '\n', line.n) || memchr(line.p, '\r', line.n);

    jwrite_init(w, out, line, lines ? p->step : slice_none(), x->problems);
    w->blank = p->blank;
}

/* A new value in the form of the old one; p NULL after a problem. */
static struct slice spell(struct jpatch *x, const struct node *n, const struct field *f, const struct value *old,
                          char first, const struct value *v)
{
    struct buf b = { 0 };
    struct jwrite w;
    bool bare = old && !(old->form & (VALUE_QUOTED | VALUE_NIL)), quoted = old && (old->form & VALUE_QUOTED);

    jwrite_init(&w, &b, (struct slice){ "", 0 }, slice_none(), x->problems);
    if (bare && f->type == TYPE_BOOLEAN && v->state == VALUE_PRESENT && (first == 't' || first == 'f'))
        buf_add(&b, value_text(v));
    else
        jwrite_value(&w, n, f, v, quoted);
    if (quoted && slice_is(buf_slice(&b), "null")) {
        b.n = 0;
        buf_text(&b, "\"\"");
    }
    /* A number without quotes in a field that is no number stays without them as long as it is one. */
    struct slice inside = b.n > 2 ? (struct slice){ b.p + 1, b.n - 2 } : (struct slice){ "", 0 };
    bool was_word = first == 't' || first == 'f';
    if (bare && b.n > 2 && b.p[0] == '"' &&
        (was_word ? slice_is(inside, "true") || slice_is(inside, "false") : jtext_is_number(inside))) {
        inside = arena_copy(x->arena, inside);
        b.n = 0;
        buf_add(&b, inside);
    }
    struct slice text = w.status == OK ? arena_copy(x->arena, buf_slice(&b)) : slice_none();
    jwrite_release(&w);
    buf_release(&b);
    return text;
}

static struct slice quoted_name(struct jpatch *x, struct slice name)
{
    struct buf b = { 0 };

    jtext_spell(&b, name);
    buf_text(&b, x->piece->blank ? ": " : ":");
    struct slice text = arena_copy(x->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* An instance, with its name where it is a member. */
static struct slice spell_node(struct jpatch *x, const struct jspot *s, const struct node *n, bool member,
        struct slice line)
{
    struct buf b = { 0 };
    struct jwrite w;

    writer_init(x, &w, &b, line);
    if (s->key) {
        jwrite_value(&w, n, s->key, node_value(n, s->key), true);
        buf_text(&b, w.blank ? ": " : ":");
    } else if (member) {
        buf_add(&b, quoted_name(x, s->name));
    }
    jwrite_instance(&w, s, n, 0);
    struct slice text = w.status == OK ? arena_copy(x->arena, buf_slice(&b)) : slice_none();
    jwrite_release(&w);
    buf_release(&b);
    return text;
}

/* ---- seats ---- */

static struct jitem *item_of(struct jseat *s, size_t value)
{
    struct jitem *k = s->first;

    while (k && k->value != value)
        k = k->next;
    return k;
}

/* A new item comes behind `after`, or where its spot has its place; NULL as `after` in an array: at the end. */
static struct jitem *add_item(struct jpatch *x, struct jseat *s, const struct jspot *spot, struct jitem *after)
{
    struct jitem *k = arena_zero(x->arena, sizeof *k);
    struct jitem **to = &s->first;

    *k = (struct jitem){ .value = JPIECE_NONE, .spot = spot };
    if (after)
        to = &after->next;
    else
        for (struct jitem **i = &s->first; *i; i = &(*i)->next)
            if (s->array || ((*i)->spot && (*i)->spot->order <= spot->order))
                to = &(*i)->next;
    k->next = *to;
    *to = k;
    return k;
}

static void take_out(struct jpatch *x, size_t value)
{
    struct jseat *s = jseat_of(x->piece, x->arena, x->piece->values[value].parent);

    item_of(s, value)->removed = true;
    jseat_render(x->piece, x->patcher, s);
}

/* The object or array at a spot below a seat: what is there, or one that is made. NULL = another kind of value is
   there. */
static struct jseat *step_into(struct jpatch *x, struct jseat *up, const struct jspot *spot, bool array)
{
    struct jpiece *p = x->piece;

    for (struct jitem *k = up->first; k; k = k->next) {
        if (k->spot != spot || k->removed)
            continue;
        if (k->made)
            return k->made;
        if (k->value == JPIECE_NONE)
            continue;
        enum jevent kind = p->values[k->value].kind;
        if (kind == (array ? JEVENT_ARRAY : JEVENT_OBJECT))
            return jseat_of(p, x->arena, k->value);
        if (kind != JEVENT_NULL)
            return NULL;
        k->removed = true;                      /* null gives way */
    }
    struct jitem *k = add_item(x, up, spot, NULL);
    k->made = arena_zero(x->arena, sizeof *k->made);
    *k->made = (struct jseat){ .value = JPIECE_NONE, .up = up, .name = quoted_name(x, spot->name), .array = array };
    return k->made;
}

/* From an instance down to the object that holds the member of `spot`; NULL = another kind of value stands on the
   way. */
static struct jseat *seat_around(struct jpatch *x, size_t instance, const struct jspot *spot)
{
    const struct jspot *chain[64], *base = x->piece->values[instance].spot;
    size_t n = 0;

    for (const struct jspot *s = spot->parent; n < 64 && s && s != base; s = s->parent)
        chain[n++] = s;
    if (x->piece->values[instance].kind != JEVENT_OBJECT)
        return NULL;
    struct jseat *seat = jseat_of(x->piece, x->arena, instance);
    while (seat && n-- > 0)
        seat = step_into(x, seat, chain[n], chain[n]->list);
    return seat;
}

/* ---- edits ---- */

static int grow(struct jpatch *x, const struct node *n, const struct field *f, const struct value *v)
{
    const struct jspot *spot = jplan_field(x->read->plan, f);
    size_t i = jpiece_find(x->piece, n->inner);

    if (v->state != VALUE_PRESENT && !(f->flags & FIELD_ALWAYS) && !(v->form & VALUE_LAX))
        return OK;
    if (!spot || i == JPIECE_NONE || spot->key == f)
        return refuse(x, n->at, "the original is not what was read before");
    struct slice text = spell(x, n, f, NULL, 0, v);
    if (!text.p)
        return SKIP;
    if (spot == x->piece->values[i].spot) {     /* the instance is the value */
        patcher_put(x->patcher, x->piece->values[i].at, x->piece->values[i].end - x->piece->values[i].at, text);
        return OK;
    }
    struct jseat *seat = seat_around(x, i, spot);
    if (!seat)
        return refuse(x, n->at, "another kind of value stands where a member is to be added");
    struct jitem *k = add_item(x, seat, spot, NULL);
    k->text = arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(quoted_name(x, spot->name)), SLICE_ARG(text));
    jseat_render(x->piece, x->patcher, seat);
    return OK;
}

static int set_old(struct jpatch *x, const struct edit *e, const struct value *old)
{
    const struct node *n = e->node;
    struct arena *a = x->arena;
    struct slice raw = source_again(x->patcher->reader->source, old->at, old->len, a);
    size_t i = x->piece && !(old->form & VALUE_ATTRIBUTE) ? jpiece_find(x->piece, old->at) : JPIECE_NONE;

    if (!raw.p || !raw.n || (x->piece && i == JPIECE_NONE && !(old->form & VALUE_ATTRIBUTE)))
        return refuse(x, old->at, "the original cannot be read a second time, so nothing in it can be changed");
    bool away = e->value.state == VALUE_ABSENT && !(e->field->flags & FIELD_ALWAYS) && !((e->value.form & VALUE_LAX)
            && e->value.n);
    if (away && !x->piece)
        return refuse(x, old->at, "a member outside the messages can be changed, not added or taken away");
    if (away && (old->form & VALUE_ATTRIBUTE))
        return refuse(x, old->at, "the name of a member cannot be taken away");
    if (away && x->piece->values[i].lead < x->piece->values[i].at && !x->piece->values[i].spot->group) {
        take_out(x, i);
        return OK;
    }
    struct value nothing = { .state = VALUE_EMPTY };
    struct slice text = spell(x, n, e->field, old, raw.p[0], away ? &nothing : &e->value);
    if (!text.p)
        return SKIP;
    patcher_put(x->patcher, old->at, old->len, text);
    return OK;
}

static int set(struct jpatch *x, const struct edit *e)
{
    const struct value *old = node_value(e->node, e->field);

    if (old->state != VALUE_ABSENT || old->len)
        return set_old(x, e, old);
    if (e->value.state == VALUE_ABSENT)
        return OK;
    if (!x->piece)
        return refuse(x, VALUE_NO_PLACE, "a member outside the messages can be changed, not added or taken away");
    return grow(x, e->node, e->field, &e->value);
}

/* A member that is null gives way to what comes under its name. */
static struct jitem *null_gives_way(struct jpatch *x, struct jseat *seat, const struct jspot *spot)
{
    for (struct jitem *k = seat->first; k; k = k->next) {
        if (k->spot != spot || k->removed || k->value == JPIECE_NONE || x->piece->values[k->value].kind != JEVENT_NULL)
            continue;
        k->removed = true;
        return k;
    }
    return NULL;
}

static int insert(struct jpatch *x, const struct edit *e)
{
    const struct jspot *spot = x->read->plan->of_group[e->node->group->id];
    size_t up = jpiece_find(x->piece, e->parent->inner);
    struct jseat *seat = up == JPIECE_NONE ? NULL : seat_around(x, up, spot);
    struct jitem *after = NULL;

    if (seat && spot->many)
        seat = step_into(x, seat, spot, true);
    if (!seat)
        return refuse(x, e->parent->at, "another kind of value stands where something is to be added");
    bool member = !seat->array;
    for (struct jitem *k = e->after ? seat->first : NULL; k && !after; k = k->next)
        if (k->node == e->after || (k->value != JPIECE_NONE && x->piece->values[k->value].at == e->after->inner
                && e->after->at != VALUE_NO_PLACE))
            after = k;
    struct slice text = spell_node(x, spot, e->node, member, jseat_line(x->piece, x->arena, seat));
    if (!text.p)
        return SKIP;
    if (member && !spot->key && !after)
        after = null_gives_way(x, seat, spot);
    struct jitem *k = add_item(x, seat, spot, after);
    k->text = text;
    k->node = e->node;
    jseat_render(x->piece, x->patcher, seat);
    return OK;
}

static int delete(struct jpatch *x, const struct node *n)
{
    size_t i = jpiece_find(x->piece, n->inner);

    if (i == JPIECE_NONE || x->piece->values[i].parent == JPIECE_NONE)
        return refuse(x, n->at, "the original is not what was read before");
    take_out(x, i);
    return OK;
}

/* ---- messages ---- */

/* The byte at an offset of the original, -1 = there is none. */
static int byte_at(struct jpatch *x, uint64_t at)
{
    struct slice s = source_again(x->patcher->reader->source, at, 1, x->arena);

    return s.p ? (unsigned char)*s.p : -1;
}

static uint64_t over_blanks(struct jpatch *x, uint64_t at)
{
    for (int c = byte_at(x, at); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = byte_at(x, at))
        at++;
    return at;
}

static uint64_t back_over_blanks(struct jpatch *x, uint64_t at)
{
    while (at > 0) {
        int c = byte_at(x, at - 1);
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
        at--;
    }
    return at;
}

/* A message goes with the comma before it, or, ahead of all that stay, with the one behind it. */
static int delete_message(struct jpatch *x, const struct node *n)
{
    struct jread *r = x->read;
    uint64_t from = n->at, end = n->end, back = r->plan->lines ? 0 : back_over_blanks(x, from);

    r->deleted++;
    if (!r->plan->lines && !x->read->plan->of_group[n->group->id]->parent && !x->read->plan->top->many)
        return refuse(x, from, "the message is the whole document, so it cannot be taken away");
    if (!r->plan->lines && back && byte_at(x, back - 1) == ',' && back - 1 >= r->deleted_end) {
        from = back - 1;
    } else if (!r->plan->lines) {
        uint64_t comma = over_blanks(x, end);
        if (byte_at(x, comma) == ',')
            end = over_blanks(x, comma + 1);
    }
    if (end > n->end || from == n->at)
        r->deleted_end = end;
    patcher_put(x->patcher, from, end - from, (struct slice){ "", 0 });
    return OK;
}

static struct slice message_line(struct jpatch *x, const struct node *after)
{
    uint64_t at = after ? after->at : x->read->house_at + 1;
    uint64_t back = after ? back_over_blanks(x, at) : at;
    struct slice s = source_again(x->patcher->reader->source, back, at - back, x->arena);

    return s.p && s.n ? s : (struct slice){ "", 0 };
}

/* Where the first message goes; a byte order mark stays ahead of it. */
static uint64_t first_place(struct jpatch *x)
{
    if (!x->read->plan->lines)
        return x->read->house_at + 1;
    return byte_at(x, 0) == 0xEF ? 3 : 0;
}

/* Does the last message, or the first array of the file, stand where those of that kind do? */
static bool same_house(const struct jpatch *x, const struct jspot *s)
{
    const struct jread *r = x->read;
    const struct jspot *last = x->patcher->reader->messages ? r->house : r->first_house;

    return r->plan->lines || last == s || last == s->parent;
}

/* A new message behind another, or behind the last one. */
static int insert_message(struct jpatch *x, const struct edit *e)
{
    struct reader *rd = x->patcher->reader;
    struct jread *r = x->read;
    const struct jspot *s = r->plan->of_group[e->node->group->id];
    bool here = e->after && e->after->at != VALUE_NO_PLACE, alone = rd->messages == r->deleted && !r->inserted;
    uint64_t at = here ? e->after->end : rd->messages ? rd->tail_at : first_place(x);
    static const struct jpiece compact = { .step = { "", 0 } };
    struct jpiece layout = compact;

    if (!r->plan->lines && !r->house_seen)
        return refuse(x, VALUE_NO_PLACE, "the original has no array that a new message could stand in");
    if (!here && !same_house(x, s))
        return refuse(x, at, "a new message goes behind the last one of the original, which stands in another array "
                             "than messages of its kind");
    struct slice line = here && !r->plan->lines ? message_line(x, e->after) : (struct slice){ "", 0 };
    layout.step = r->plan->indent.p ? r->plan->indent : (struct slice){ "", 0 };
    layout.blank = r->plan->indent.p != NULL;
    x->piece = x->patcher->state && !r->plan->lines ? x->patcher->state : &layout;
    struct slice text = spell_node(x, s, e->node, false, line);
    if (!text.p)
        return SKIP;
    if (r->plan->lines) {
        bool cut = rd->messages && at > 0 && byte_at(x, at - 1) != '\n';
        text = arena_printf(x->arena, "%s%.*s\n", cut && !r->inserted ? "\n" : "", SLICE_ARG(text));
    } else if (alone) {
        text = arena_printf(x->arena, "%.*s%.*s", SLICE_ARG(line), SLICE_ARG(text));
    } else if (here && at < r->deleted_end) {
        at = r->deleted_end;
        text = arena_printf(x->arena, "%.*s,%.*s", SLICE_ARG(text), SLICE_ARG(line));
    } else {
        text = arena_printf(x->arena, ",%.*s%.*s", SLICE_ARG(line), SLICE_ARG(text));
    }
    r->inserted = true;
    patcher_put(x->patcher, at, 0, text);
    return OK;
}

int jpatch_edit(struct patcher *p, const struct edit *e, struct problems *ps)
{
    struct jpatch x = { .patcher = p, .read = p->reader->state, .arena = p->arena, .problems = ps };
    const struct node *place = e->kind == EDIT_INSERT ? e->parent : e->node, *message = place;

    while (message && !message->group->is_message)
        message = message->parent;
    if (!x.read || !x.read->plan)
        return refuse(&x, VALUE_NO_PLACE, "the reader of the original is closed");
    if (e->kind == EDIT_INSERT && e->node->group->is_message)
        return insert_message(&x, e);
    if (e->kind == EDIT_DELETE && e->node->group->is_message)
        return delete_message(&x, e->node);
    if (message && (message->at == VALUE_NO_PLACE || place->at == VALUE_NO_PLACE))
        return OK;                              /* new itself: it is written with all that it holds */
    if (message) {
        x.piece = jpiece_of(p, message, ps);
        if (!x.piece)
            return SKIP;
    } else if (e->kind != EDIT_SET) {
        return refuse(&x, VALUE_NO_PLACE, "groups outside the messages cannot be added or taken away");
    }
    switch (e->kind) {
    case EDIT_SET: return set(&x, e);
    case EDIT_INSERT: return insert(&x, e);
    case EDIT_DELETE: return delete(&x, e->node);
    }
    return OK;
}
