#include "base/map.h"
#include "syntax/csv.h"

/* --- where an edit falls ---------------------------------------------------------------------- */

/* The kind of row that a node belongs to, with the columns that the file has for it. */
struct spot {
    const struct flat *flat;
    const struct live *live;
    size_t level;
    const struct node *node;        /* instance of the level that holds the edit's node */
    uint32_t holder;                /* as flat_column.holder, of the edit's node inside the level */
};

static bool find_in(const struct flat *flat, const struct live *live, const struct node *n, struct spot *out)
{
    for (size_t l = 0; l < flat->nlevels; l++)
        if (flat->levels[l].group == n->group) {
            *out = (struct spot){ flat, live, l, n, 0 };
            return true;
        }
    for (size_t h = 0; h < flat->nholders; h++) {
        if (flat->holders[h].group != n->group)
            continue;
        const struct node *up = n;
        while (up && up->group != flat->levels[flat->holders[h].level].group)
            up = up->parent;
        *out = (struct spot){ flat, live, flat->holders[h].level, up, (uint32_t)h + 1 };
        return up != NULL;
    }
    return false;
}

static bool find_spot(const struct flat_reader *st, const struct node *n, struct spot *out)
{
    if (!st->flat->d.tag)
        return find_in(st->flat, &st->live, n, out);
    for (size_t i = 0; i < st->flat->nrecords; i++)
        if (find_in(st->flat->records[i], &st->records[i], n, out))
            return true;
    return false;
}

static int refuse(const struct node *n, const struct field *f, const char *text, struct patcher *p, struct problems *ps)
{
    uint64_t at = n ? n->at : VALUE_NO_PLACE;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = "CSV_PATCH",
                                       .text = slice_of(text),
                                       .path = n ? node_path(p->arena, n, f) : slice_none(),
                                       .place = { .offset = at == VALUE_NO_PLACE ? PLACE_NO_OFFSET : at } });
    return SKIP;
}

static size_t column_of(const struct spot *s, const struct field *f)
{
    for (size_t i = 0; i < s->flat->ncols; i++)
        if (s->flat->cols[i].field == f)
            return i;
    return SIZE_MAX;
}

/* --- rows of the original, once more ---------------------------------------------------------- */

struct old_rows {
    struct source source;
    struct rows rows;
};

static bool old_open(struct old_rows *o, const struct patcher *p, uint64_t at, uint64_t end)
{
    const struct flat_reader *st = p->reader->state;
    struct slice bytes = source_again(p->reader->source, at, end - at, p->arena);
    if (!bytes.p)
        return false;
    source_open_text(&o->source, bytes, p->reader->source->name, p->reader->limits);
    o->source.base = at;
    rows_start(&o->rows, &o->source, &st->rows.d, p->arena);
    return true;
}

static bool old_next(struct old_rows *o)
{
    while (rows_next(&o->rows, 0, 0) == OK)
        if (!o->rows.fault.code)
            return true;
    return false;
}

static bool is_wide(enum charset c)
{
    return c == CHARSET_UTF_16 || c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE;
}

/* Bytes for the file out of bytes that cell_write made (which leaves UTF-16 to us). */
static struct slice file_bytes(const struct patcher *p, struct slice text)
{
    const struct flat_reader *st = p->reader->state;
    if (!is_wide(st->rows.d.charset))
        return text;
    struct buf b = { 0 };
    struct fault fault;
    syntax_encode(st->rows.d.charset, text, &b, &fault);
    struct slice bytes = arena_copy(p->arena, buf_slice(&b));
    buf_release(&b);
    return bytes;
}

/* --- a changed value -------------------------------------------------------------------------- */

/* A cell of the row that begins at `row`. */
struct old_cell {
    uint64_t row, at, len;
    bool quoted;
};

static struct old_cell old_cell(struct old_rows *o, size_t cell)
{
    struct slice raw = rows_raw(&o->rows, cell);
    uint64_t at = rows_place(&o->rows, raw.p);
    bool quoted = raw.n && o->rows.d.quoting && (unsigned char)raw.p[0] == o->rows.d.quote;
    return (struct old_cell){ o->rows.at, at, rows_place(&o->rows, raw.p + raw.n) - at, quoted };
}

static int put_cell(struct patcher *p, const struct node *n, const struct field *f, const struct value *v,
                    const struct old_cell *c, struct problems *ps)
{
    const struct flat_reader *st = p->reader->state;
    struct buf b = { 0 };
    int rc = cell_write(&st->rows.d, n, f, v, c->quoted, &b, p->arena, ps);
    if (rc == OK) {
        patcher_put(p, c->at, c->len, file_bytes(p, buf_slice(&b)));
        p->list[p->n - 1].turn = PATCH_VALUE;
        p->list[p->n - 1].row = c->row;
    }
    buf_release(&b);
    return rc;
}

/* A field of an outer level stands in every row below its node. */
static int put_all_rows(struct patcher *p, const struct spot *s, size_t cell, const struct node *n,
                        const struct field *f, const struct value *v, struct problems *ps)
{
    struct old_rows o;
    if (!old_open(&o, p, s->node->at, s->node->end))
        return refuse(n, f, "the original cannot be read again", p, ps);
    int rc = OK;
    while (rc == OK && old_next(&o)) {
        if (cell >= o.rows.n)
            continue;
        struct old_cell c = old_cell(&o, cell);
        rc = put_cell(p, n, f, v, &c, ps);
    }
    rows_close(&o.rows);
    return rc;
}

static int patch_value(struct patcher *p, const struct node *n, const struct field *f, const struct value *v,
                       struct problems *ps)
{
    const struct flat_reader *st = p->reader->state;
    struct spot s;
    if (!find_spot(st, n, &s))
        return refuse(n, f, "values of a companion file cannot be changed in this file", p, ps);
    size_t column = column_of(&s, f), cell = column == SIZE_MAX ? SIZE_MAX : s.live->cell_of[column];
    if (cell == SIZE_MAX)
        return refuse(n, f, "the file has no column for this value", p, ps);
    const struct value *old = node_value(n, f);
    bool one = s.level + 1 == s.flat->nlevels && old->at != VALUE_NO_PLACE;
    const struct old_cell c = { s.node->at, old->at, old->len, (old->form & VALUE_QUOTED) != 0 };
    return one ? put_cell(p, n, f, v, &c, ps) : put_all_rows(p, &s, cell, n, f, v, ps);
}

/* --- new rows --------------------------------------------------------------------------------- */

/* What the edits at hand do: rows that are new repeat the values that are set, not what stands in the rows beside
   them. */
struct changes {
    uint64_t round;                 /* of patcher_add */
    struct map set;                 /* place of a value in the tree → its edit */
    struct map rows;                /* node → struct child_rows *, what became of the rows below it */
    const struct node *last;        /* that was inserted, and its place: what follows it comes behind it */
    uint64_t last_at;
    bool follows;                   /* it, or the first of those it follows, has a predecessor in the original */
};

struct child_rows {
    size_t gone;                    /* instances that were taken out */
    bool used;                      /* the row of a node without any was given to a new one */
    const struct node *added;       /* the first new one that has rows of its own, or … */
    const struct node *blank;       /* … the last one taken out, whose first row is still there, void */
    size_t edit, edits;             /* what was put for it */
};

static struct slice place_key(const void *const *place)
{
    return (struct slice){ (const char *)place, sizeof *place };
}

static struct slice stored_key(struct patcher *p, const void *place)
{
    const void **own = arena_alloc(p->arena, sizeof *own);
    *own = place;
    return place_key(own);
}

static struct changes *changes_of(struct patcher *p)
{
    struct changes *now = p->state;
    if (now && now->round == p->round)
        return now;
    p->state = now = arena_zero(p->arena, sizeof *now);
    now->round = p->round;
    map_init(&now->set, p->arena);
    map_init(&now->rows, p->arena);
    for (struct edit *e = p->edits->first; e; e = e->next)
        if (e->kind == EDIT_SET)
            map_put(&now->set, stored_key(p, node_value(e->node, e->field)), &e->value);
    return now;
}

/* The value that `old` of the tree gets; NULL: it stays. */
static const struct value *value_set(struct patcher *p, const struct value *old)
{
    const void *place = old;
    return old ? map_get(&changes_of(p)->set, place_key(&place)) : NULL;
}

static struct child_rows *rows_below(struct patcher *p, const struct node *parent)
{
    struct changes *now = changes_of(p);
    const void *place = parent;
    struct child_rows *r = map_get(&now->rows, place_key(&place));
    if (!r)
        map_put(&now->rows, stored_key(p, parent), r = arena_zero(p->arena, sizeof *r));
    return r;
}

struct new_row {
    struct patcher *p;
    const struct spot *s;
    const struct node *node[FLAT_LEVELS];
    struct old_rows *sibling;       /* a row with the same outer fields; NULL: a whole new message */
    struct old_rows *into;          /* a row without its own fields, which takes the first of the new ones; or NULL */
    struct buf out;
    struct slice newline;
};

static int new_cell(struct new_row *r, size_t cell, struct problems *ps)
{
    const struct spot *s = r->s;
    const struct flat_reader *st = r->p->reader->state;
    for (size_t i = 0; i < s->flat->ncols; i++) {
        const struct flat_column *c = &s->flat->cols[i];
        if (s->live->cell_of[i] != cell)
            continue;
        const struct node *n = r->node[c->level];
        const struct value *v = n ? column_value(s->flat, c, n) : NULL;
        if (c->level < s->level && r->sibling && cell < r->sibling->rows.n) {
            struct slice raw = rows_raw(&r->sibling->rows, cell);
            v = value_set(r->p, v);
            bool quoted = raw.n && st->rows.d.quoting && (unsigned char)raw.p[0] == st->rows.d.quote;
            if (v)
                return cell_write(&st->rows.d, n, c->field, v, quoted, &r->out, r->p->arena, ps);
            buf_add(&r->out, raw);
            return OK;
        }
        return v ? cell_write(&st->rows.d, n, c->field, v, false, &r->out, r->p->arena, ps) : OK;
    }
    return OK;
}

/* The fields from the level of the edit on, in a row that is there. */
static int row_into(struct new_row *r, struct problems *ps)
{
    static const struct value nothing = { .state = VALUE_ABSENT };
    const struct flat *flat = r->s->flat;
    int rc = OK;
    for (size_t i = 0; i < flat->ncols; i++) {
        const struct flat_column *c = &flat->cols[i];
        size_t cell = r->s->live->cell_of[i];
        if (c->level < r->s->level || cell >= r->into->rows.n)
            continue;
        const struct node *n = r->node[c->level];
        const struct value *v = n ? column_value(flat, c, n) : NULL;
        struct old_cell old = old_cell(r->into, cell);
        old.quoted = false;
        if (old.len || (v && value_is(v)))
            rc = put_cell(r->p, n, c->field, v ? v : &nothing, &old, ps) > rc ? SKIP : rc;
    }
    r->into = NULL;
    return rc;
}

static int add_row(struct new_row *r, struct problems *ps)
{
    if (r->into)
        return row_into(r, ps);
    const struct flat_reader *st = r->p->reader->state;
    size_t width = r->sibling ? r->sibling->rows.n : r->s->live->width, start = r->out.n;
    int rc = OK;
    for (size_t i = 0; i < width; i++) {
        if (i > 0)
            buf_byte(&r->out, (char)st->rows.d.delimiter);
        if (r->s->flat->tag.n && i + 1 == st->rows.d.tag)
            buf_add(&r->out, r->s->flat->tag);
        else
            rc = new_cell(r, i, ps) > rc ? SKIP : rc;
    }
    if (r->out.n == start && st->rows.d.quoting)
        buf_text(&r->out, "\"\"");
    buf_add(&r->out, r->newline);
    return rc;
}

static int add_rows(struct new_row *r, size_t level, const struct node *n, struct problems *ps)
{
    r->node[level] = n;
    if (level + 1 == r->s->flat->nlevels)
        return add_row(r, ps);
    const struct node *child = n ? node_list(n, r->s->flat->levels[level + 1].group)->first : NULL;
    int rc = child ? OK : add_rows(r, level + 1, NULL, ps);
    for (; child; child = child->next)
        rc = add_rows(r, level + 1, child, ps) > rc ? SKIP : rc;
    return rc;
}

static bool ends_line(const struct patcher *p, uint64_t at)
{
    const struct flat_reader *st = p->reader->state;
    size_t width = is_wide(st->rows.d.charset) ? 2 : 1;
    if (at < width || at <= 3)
        return true;
    struct slice last = source_again(p->reader->source, at - width, width, p->arena);
    return !last.p || memchr(last.p, '\n', last.n) || memchr(last.p, '\r', last.n);
}

/* Behind a last row without line end: the line end goes before the new rows. */
static void put_rows(struct new_row *r, uint64_t at)
{
    struct slice rows = buf_slice(&r->out);
    const bool cut = !ends_line(r->p, at);
    struct buf b = { 0 };
    if (cut) {
        buf_add(&b, r->newline);
        rows.n -= r->newline.n;
    }
    buf_add(&b, rows);
    patcher_put(r->p, at, 0, file_bytes(r->p, buf_slice(&b)));
    struct byte_edit *e = &r->p->list[r->p->n - 1];
    if (cut) {
        e->turn = PATCH_BEHIND;     /* the last cell may be empty and get a value here */
        e->ahead = (uint32_t)file_bytes(r->p, r->newline).n;
    }
    for (const struct group *g = r->s->flat->levels[r->s->level].group; g; g = g->parent)
        e->depth += 2;
    e->depth += changes_of(r->p)->follows;      /* ahead of what has no predecessor and is for the end */
    buf_release(&b);
}

static int set_all(struct patcher *p, const struct node *n, const struct node *at, struct problems *ps);

/* With record tags, behind its row those of the groups in it. */
static int add_records(struct new_row *r, const struct node *n, struct problems *ps)
{
    const struct flat_reader *st = r->p->reader->state;
    int rc = add_rows(r, r->s->level, n, ps);
    for (size_t g = 0; st->flat->d.tag && g < n->group->ngroups; g++)
        for (const struct node *c = node_lists(n)[g].first; c; c = c->next) {
            struct spot s;
            if (!find_spot(st, c, &s) || s.holder)
                continue;
            struct new_row below = { .p = r->p, .s = &s, .node = { c }, .newline = r->newline };
            if (add_records(&below, c, ps) != OK)
                rc = SKIP;
            buf_add(&r->out, buf_slice(&below.out));
            buf_release(&below.out);
        }
    return rc;
}

/* `into`: the instance whose row takes the first of the new ones, or NULL. */
static int insert_rows(struct patcher *p, const struct spot *s, const struct node *n, const struct node *parent,
                       uint64_t at, const struct node *into, struct problems *ps)
{
    const struct flat_reader *st = p->reader->state;
    struct old_rows sibling, taken;
    bool below = s->level > 0 && parent->at != VALUE_NO_PLACE;
    struct new_row r = { .p = p, .s = s, .newline = st->rows.newline.n ? st->rows.newline : st->rows.d.newline };
    if ((below && (!old_open(&sibling, p, parent->at, parent->end) || !old_next(&sibling))) ||
        (into && (!old_open(&taken, p, into->at, into->end) || !old_next(&taken))))
        return refuse(n, NULL, "the original cannot be read again", p, ps);
    r.sibling = below ? &sibling : NULL;
    r.into = into ? &taken : NULL;
    const struct node *up = parent;
    for (size_t l = s->level; l-- > 0 && up; up = up->parent)
        r.node[l] = up;
    int rc = add_records(&r, n, ps);
    if (rc == OK && r.out.n)
        put_rows(&r, at);
    if (below)
        rows_close(&sibling.rows);
    if (into)
        rows_close(&taken.rows);
    buf_release(&r.out);
    return rc;
}

/* Undoes byte edits of this round that others take the place of. */
static void forget(struct patcher *p, size_t edit)
{
    p->list[edit].len = 0;
    p->list[edit].put = (struct slice){ "", 0 };
}

/* The row that is void, or was made so, goes to the first new one: the fields of the parent stand in it. */
static const struct node *row_to_take(struct patcher *p, const struct edit *e, struct child_rows *r)
{
    const struct node *into = r->blank;
    for (size_t i = 0; into && i < r->edits; i++)
        forget(p, r->edit + i);
    if (!into && !r->used && node_list(e->parent, e->node->group)->n == 0)
        into = e->parent;
    r->blank = NULL;
    r->used = true;
    return into;
}

static int insert_below(struct patcher *p, const struct spot *s, const struct edit *e, uint64_t at, struct problems *ps)
{
    struct child_rows *r = rows_below(p, e->parent);
    const struct node *into = row_to_take(p, e, r);
    size_t edit = p->n;
    int rc = insert_rows(p, s, e->node, e->parent, at, into, ps);
    if (!into && !r->added && rc == OK) {
        r->added = e->node;
        r->edit = edit;
    }
    return rc;
}

/* A value that the file has no column for would be lost. */
static int has_columns(struct patcher *p, const struct spot *s, size_t level, const struct node *n,
                       struct problems *ps)
{
    for (size_t i = 0; i < s->flat->ncols; i++) {
        const struct flat_column *c = &s->flat->cols[i];
        bool has = c->level != level || s->live->cell_of[i] != SIZE_MAX;
        const struct value *v = has ? NULL : column_value(s->flat, c, n);
        if (v && value_is(v))
            return refuse(n, c->field, "the file has no column for this value", p, ps);
    }
    const struct node *child =
        level + 1 < s->flat->nlevels ? node_list(n, s->flat->levels[level + 1].group)->first : NULL;
    int rc = OK;
    for (; child; child = child->next)
        rc = has_columns(p, s, level + 1, child, ps) > rc ? SKIP : rc;
    return rc;
}

/* The end of what it comes behind, where that is new itself, its place. */
static uint64_t place_of_new(struct patcher *p, const struct edit *e, bool message)
{
    struct changes *now = changes_of(p);
    uint64_t last = message ? p->reader->tail_at : e->parent->end, at = e->after ? e->after->end : last;
    if (e->after && e->after->at == VALUE_NO_PLACE) {
        now->follows = now->follows && e->after == now->last;
        at = e->after == now->last ? now->last_at : last;
    } else {
        now->follows = e->after != NULL;
    }
    now->last = e->node;
    now->last_at = at;
    return at;
}

static int patch_insert(struct patcher *p, const struct edit *e, struct problems *ps)
{
    const struct flat_reader *st = p->reader->state;
    struct spot s;
    if (!find_spot(st, e->node, &s)) {
        const struct node *n = e->node;
        while (n && !find_spot(st, n, &s))
            n = n->parent;
        return refuse(n, NULL, "rows of a companion file cannot be added to this file", p, ps);
    }
    if (s.holder)
        return set_all(p, e->node, e->parent, ps);
    if (has_columns(p, &s, s.level, e->node, ps) != OK)
        return SKIP;
    bool message = s.level == 0 && !s.flat->parent;
    uint64_t at = place_of_new(p, e, message);
    if (at == VALUE_NO_PLACE)
        return refuse(e->node, NULL, "there is no place for this row in the original", p, ps);
    return s.level > 0 ? insert_below(p, &s, e, at, ps) : insert_rows(p, &s, e->node, e->parent, at, NULL, ps);
}

/* --- rows that go ----------------------------------------------------------------------------- */

static void rows_go(struct patcher *p, uint64_t at, uint64_t end)
{
    patcher_put(p, at, end - at, slice_none());
    p->list[p->n - 1].turn = PATCH_GOES;
}

static int blank_row(struct patcher *p, const struct spot *s, struct old_rows *o, struct problems *ps)
{
    struct child_rows *r = rows_below(p, s->node->parent);
    struct new_row void_row = { .p = p, .s = s, .into = o };
    r->blank = s->node;
    r->edit = p->n;
    int rc = row_into(&void_row, ps);
    r->edits = p->n - r->edit;
    return rc;
}

/* The first of the new rows takes the row of the one that goes; what else comes with it stays at its place. */
static int added_takes(struct patcher *p, const struct spot *s, struct child_rows *r, struct problems *ps)
{
    const struct node *n = r->added;
    uint64_t at = p->list[r->edit].at;
    uint32_t depth = p->list[r->edit].depth;
    r->added = NULL;
    r->used = true;
    int rc = insert_rows(p, s, n, s->node->parent, at, s->node, ps);
    struct byte_edit *last = &p->list[p->n - 1];
    if (rc == OK && last->turn != PATCH_VALUE) {
        last->depth = depth;
        p->list[r->edit] = p->list[--p->n];
    } else {
        forget(p, r->edit);
    }
    return rc;
}

/* The last one below its parent: a row stays, for the parent's fields. */
static int last_goes(struct patcher *p, const struct spot *s, struct problems *ps)
{
    struct child_rows *r = rows_below(p, s->node->parent);
    struct old_rows o;
    if (!old_open(&o, p, s->node->at, s->node->end) || !old_next(&o))
        return refuse(s->node, NULL, "the original cannot be read again", p, ps);
    if (o.rows.end < s->node->end)
        rows_go(p, o.rows.end, s->node->end);
    int rc = r->added ? added_takes(p, s, r, ps) : blank_row(p, s, &o, ps);
    rows_close(&o.rows);
    return rc;
}

static int patch_delete(struct patcher *p, const struct edit *e, struct problems *ps)
{
    const struct flat_reader *st = p->reader->state;
    const struct node *n = e->node, *parent = n->parent;
    struct spot s;
    if (!find_spot(st, n, &s))
        return refuse(n, NULL, "rows of a companion file cannot be taken out of this file", p, ps);
    if (s.holder)
        return set_all(p, NULL, n, ps);
    bool below = s.level > 0 && parent && parent->at != VALUE_NO_PLACE;
    if (below && ++rows_below(p, parent)->gone == node_list(parent, n->group)->n)
        return last_goes(p, &s, ps);
    rows_go(p, n->at, n->end);
    return OK;
}

/* A group that occurs once inside a row comes (n: its values; `at`: the node it comes under) or goes (n NULL, `at`
 * itself). */
static int set_all(struct patcher *p, const struct node *n, const struct node *at, struct problems *ps)
{
    static const struct value nothing = { .state = VALUE_ABSENT };
    const struct flat_reader *st = p->reader->state;
    const struct group *g = n ? n->group : at->group;
    struct spot s;
    if (!find_spot(st, at, &s))
        return refuse(at, NULL, "there is no row for these values", p, ps);
    int rc = OK;
    for (size_t i = 0; i < g->nfields; i++) {
        size_t column = column_of(&s, g->fields[i]), cell = column == SIZE_MAX ? SIZE_MAX : s.live->cell_of[column];
        const struct value *v = n ? node_value(n, g->fields[i]) : &nothing;
        if (cell != SIZE_MAX && (!n || value_is(v)))
            rc = put_all_rows(p, &s, cell, n ? n : at, g->fields[i], v, ps) > rc ? SKIP : rc;
    }
    return rc;
}

int flat_patch(struct patcher *p, const struct edit *e, struct problems *ps)
{
    switch (e->kind) {
    case EDIT_SET: return patch_value(p, e->node, e->field, &e->value, ps);
    case EDIT_INSERT: return patch_insert(p, e, ps);
    case EDIT_DELETE: return patch_delete(p, e, ps);
    }
    return OK;
}
