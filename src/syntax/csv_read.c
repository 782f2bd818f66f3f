#include "syntax/csv.h"

/* --- values stay when their window moves on --------------------------------------------------- */

static void rebase(struct node *n, const char *from, const char *to, ptrdiff_t by)
{
    for (size_t i = 0; i < n->group->nfields; i++) {
        struct value *v = &n->values[i];
        if (v->p >= from && v->p < to)
            v->p += by;
    }
    struct node_list *lists = node_lists(n);
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (struct node *child = lists[i].first; child; child = child->next)
            rebase(child, from, to, by);
}

/* The open message's bytes of this window go to its arena, and its values follow. */
static void settle(void *owner, const char *from, const char *row)
{
    struct flat_reader *st = owner;
    const char *begin = st->start ? st->start : from;
    st->start = NULL;
    if (!st->message || begin >= row || st->drained)
        return;
    struct slice copy = arena_copy(st->arena, slice_range(begin, row));
    rebase(st->message, begin, row, copy.p - begin);
}

void message_drain(struct flat_reader *st)
{
    settle(st, st->rows.text->buffer, st->rows.p);
    st->drained = true;
}

/* --- messages --------------------------------------------------------------------------------- */

struct slice flat_line(struct problems *ps, struct arena *a, uint64_t at)
{
    struct problem p = { .place = { .offset = at } };
    if (ps->locate)
        ps->locate(ps->locate_owner, &p, a);
    return p.place.line ? arena_printf(a, "line %u", p.place.line)
                        : arena_printf(a, "byte %llu", (unsigned long long)at);
}

void message_begin(struct reader *r, const struct group *g, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct rows *w = &st->rows;
    r->messages++;
    ps->message = r->messages;
    if (r->messages == 1)
        r->head_end = w->at;
    st->message = st->flat->d.tag ? node_new(st->arena, g, r->file)
                                  : live_node(&st->live, 0, r->file, st->arena);
    st->message->at = w->at;
    st->message->end = w->end;
    st->message->position = (uint32_t)r->messages;
    st->node[0] = st->message;
    st->start = w->p;
    st->last_end = w->end;
    st->drained = false;
    st->rc = OK;
}

int message_end(struct reader *r, struct node **msg_out, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct node *msg = st->message;
    msg->end = st->last_end;
    r->tail_at = st->last_end;
    st->message = NULL;
    *msg_out = msg;
    if (st->twin)
        return st->rc;
    if (st->rc < SKIP) {
        int rc = node_check(msg, st->arena, ps);
        st->rc = rc > st->rc ? rc : st->rc;
    }
    if (st->rc < STOP) {
        int rc = key_check(r, msg, ps);
        st->rc = rc > st->rc ? rc : st->rc;
    }
    return st->rc;
}

static void worse(struct flat_reader *st, int rc)
{
    st->rc = rc > st->rc ? rc : st->rc;
}

/* Has the row nothing at all from a group on?  Then it has none of it. */
static bool is_void_from(const struct flat_reader *st, size_t level)
{
    const struct flat *flat = st->flat;
    if (level == 0 || flat->levels[level].group->min_occurs > 0)
        return false;
    for (; level < flat->nlevels; level++)
        if (!live_void(&st->live, &st->rows, level))
            return false;
    return true;
}

/* Opens nodes from `level` down to the row. */
static void open_levels(struct reader *r, size_t level, struct problems *ps)
{
    struct flat_reader *st = r->state;
    const struct flat *flat = st->flat;
    struct rows *w = &st->rows;
    for (; level < flat->nlevels; level++) {
        if (is_void_from(st, level)) {
            memset(&st->node[level], 0, (flat->nlevels - level) * sizeof *st->node);
            return;
        }
        if (level > 0) {
            st->node[level] = live_node(&st->live, level, st->node[level - 1], st->arena);
            st->node[level]->at = w->at;
            st->node[level]->end = w->end;
        }
        worse(st, live_fill(&st->live, w, level, st->node[level], st->arena, ps));
        if (st->joined && st->rc < STOP)
            worse(st, joined_fill(r, level, st->node[level], ps));
    }
}

/* The value that the current row has in a cell, to compare it with the one in the tree. */
static bool cell_equals(struct flat_reader *st, const struct live_column *c, const struct value *v)
{
    struct value now = { 0 };
    struct fault fault;
    struct slice text = rows_text(&st->rows, c->cell, st->arena);
    if (text.n && !type_read_fast(c->column->field, text, &now)
        && type_read(c->column->field, text, st->arena, &now, &fault) != OK)
        return false;
    return type_equal(c->column->field->type, &now, v);
}

static bool same_as_before(const struct rows *w, size_t cell)
{
    if (!w->before || cell >= w->before_n || cell >= w->n)
        return false;
    size_t from = cell_start(w->before_ends, cell), n = w->before_ends[cell] - from;
    struct slice raw = rows_raw(w, cell);
    return raw.n == n && memcmp(raw.p, w->before + from, n) == 0;
}

/* Has the row the key of the open instance of a level? */
static bool same_key(struct flat_reader *st, size_t level)
{
    const struct live_level *l = &st->live.levels[level];
    for (size_t i = 0; i < l->nkeys; i++) {
        if (same_as_before(&st->rows, l->keys[i]))
            continue;
        size_t k = 0;
        while (l->cols[k].cell != l->keys[i])
            k++;
        const struct value *v = column_value(st->flat, l->cols[k].column, st->node[level]);
        if (l->keys[i] >= st->rows.n || !v || !cell_equals(st, &l->cols[k], v))
            return false;
    }
    return l->nkeys > 0;
}

/* Fields of a level that the row repeats must agree with the first row (DESIGN.md section 5). */
static void check_agreement(struct flat_reader *st, size_t level, struct problems *ps)
{
    const struct live_level *l = &st->live.levels[level];
    for (size_t i = 0; i < l->ncols; i++) {
        const struct live_column *c = &l->cols[i];
        if (same_as_before(&st->rows, c->cell))
            continue;
        const struct value *v = column_value(st->flat, c->column, st->node[level]);
        struct value none = { .at = st->node[level]->at };
        v = v ? v : &none;
        if (cell_equals(st, c, v))
            continue;
        struct slice raw = rows_text(&st->rows, c->cell, st->arena);
        struct buf b = { 0 };
        buf_byte(&b, '"');
        buf_add_shown(&b, raw, 60);
        buf_text(&b, "\" differs from \"");
        buf_add_shown(&b, value_text(v), 60);
        buf_text(&b, "\" in ");
        buf_add(&b, flat_line(ps, st->arena, v->at == VALUE_NO_PLACE ? st->node[level]->at : v->at));
        problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING,
                                           .code = "ROWS_DISAGREE",
                                           .path = node_path(st->arena, st->node[level], c->column->field),
                                           .place = { .offset = rows_place(&st->rows, rows_raw(&st->rows, c->cell).p),
                                                      .width = raw.n < 200 ? (uint32_t)slice_chars(raw) : 1 },
                                           .value = raw,
                                           .text = buf_slice(&b),
                                           .hint = SLICE("rows of one key should agree; the first row counts") });
        buf_release(&b);
        worse(st, WARN);
    }
}

/* The first level whose key the row does not share; 0: it begins another message. */
static size_t level_of_row(struct flat_reader *st)
{
    size_t last = st->flat->nlevels - 1, level = 0;
    if (st->rows.repeated && st->node[last - 1])
        return last;
    while (level < last && st->node[level] && same_key(st, level))   /* a spoilt first row opened only the message */
        level++;
    return level;
}

static void row_into_message(struct reader *r, size_t level, struct problems *ps)
{
    struct flat_reader *st = r->state;
    for (size_t l = level; l + 1 < st->flat->nlevels; l++)
        if (st->node[l])
            st->node[l]->end = st->last_end;
    for (size_t l = 0; l < level && !st->rows.repeated; l++)
        check_agreement(st, l, ps);
    st->last_end = st->rows.end;
    if (!arena_full(st->arena)) {
        open_levels(r, level, ps);
    } else if (st->rc < SKIP) {
        problem_add(ps,
                    &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = "LIMIT_MESSAGE",
                                       .place = { .offset = st->rows.at },
                                       .text = SLICE("the rows of this key are more than one message may hold") });
        st->rc = SKIP;
        message_drain(st);
    } else if (!st->drained) {
        message_drain(st);
    }
}

/* --- rows of no use --------------------------------------------------------------------------- */

static int next_row(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    for (;;) {
        int rc = rows_next(&st->rows, st->prefix, st->live.outer);
        if (rc >= STOP) {
            if (st->rows.fault.rc == TEMP && st->rows.file->error)
                return problem_system(ps, st->rows.file->name, "reading", st->rows.file->error);
            ps->message = 0;        /* the row may belong to the message behind the one that is being read */
            return rows_problem(&st->rows.fault, 0, ps);
        }
        if (rc == END)
            return END;
        if (!live_width(&st->live, &st->rows))
            continue;
        bool good = !st->rows.fault.code;
        st->prefix = good && st->live.outer ? st->rows.ends[st->live.outer - 1] + 1 : 0;
        return OK;
    }
}

/* Where the fault is: what is read next may come from a pipe.  Its source line lies in `a`. */
static void find_fault(struct row_fault *fault, struct arena *a, struct problems *ps)
{
    struct problem here = { .place = { .offset = fault->at } };
    if (ps->locate)
        ps->locate(ps->locate_owner, &here, a);
    fault->line = here.place.line;
    fault->column = here.place.column;
    fault->source = here.source;
}

static void keep_orphan(struct flat_reader *st, const struct row_fault *fault, uint64_t at, uint64_t end)
{
    st->orphan = *fault;
    st->orphan_source.n = 0;
    buf_add(&st->orphan_source, fault->source);
    if (fault->source.p)
        st->orphan.source = buf_slice(&st->orphan_source);
    st->orphan_at = at;
    st->orphan_end = end;
}

/* A bad row behind the message, whose key cannot be seen: the row behind it tells whether it stood inside. */
static int orphan_row(struct reader *r, bool *inside, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct row_fault fault = st->rows.fault;
    uint64_t at = st->rows.at, end = st->rows.end;
    struct arena a;
    arena_init(&a, 0);
    find_fault(&fault, &a, ps);
    int rc = next_row(r, ps);
    if (rc < STOP) {
        st->pending = rc == OK;
        *inside = rc == OK && st->rows.n >= st->live.key_width && same_key(st, 0);
        if (*inside)
            worse(st, rows_problem(&fault, 0, ps));
        else
            keep_orphan(st, &fault, at, end);
    }
    arena_release(&a);
    return rc < STOP ? OK : rc;
}

static int give_orphan(struct reader *r, struct node **msg_out, struct problems *ps)
{
    struct flat_reader *st = r->state;
    r->messages++;
    ps->message = r->messages;
    if (r->messages == 1)
        r->head_end = st->orphan_at;
    struct node *n = node_new(st->arena, st->flat->levels[0].group, r->file);
    n->at = st->orphan_at;
    n->end = r->tail_at = st->orphan_end;
    *msg_out = n;
    int rc = rows_problem(&st->orphan, 0, ps);
    st->orphan.code = NULL;
    return rc;
}

/* The rows behind the first one, as long as they are of the same message. */
static int more_rows(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    bool grouped = st->flat->nlevels > 1 && st->live.levels[0].nkeys > 0;
    while (grouped) {
        if (!st->pending) {
            int rc = next_row(r, ps);
            if (rc != OK)
                return rc == END ? OK : rc;
        }
        st->pending = true;
        bool known = st->rows.n >= st->live.key_width;
        if (st->rows.fault.code && !known) {
            bool inside = false;
            int rc = orphan_row(r, &inside, ps);
            if (rc >= STOP || !inside)
                return rc;
            continue;
        }
        size_t level = st->rows.fault.code ? same_key(st, 0) : level_of_row(st);
        if (level == 0)
            return OK;
        st->pending = false;
        if (st->rows.fault.code) {
            worse(st, rows_problem(&st->rows.fault, 0, ps));
            st->last_end = st->rows.end;
        } else {
            row_into_message(r, level, ps);
        }
    }
    return OK;
}

int flat_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct flat_reader *st = r->state;
    if (!r->format)
        return raw_read(r, a, msg_out, ps);
    st->arena = a;
    if (st->flat->d.tag)
        return tagged_read(r, msg_out, ps);
    if (st->orphan.code)
        return give_orphan(r, msg_out, ps);
    if (!st->pending) {
        st->prefix = 0;
        ps->message = 0;
        int rc = next_row(r, ps);
        if (rc == END && st->joined)
            rc = joined_close(r, ps);
        if (rc == END)
            rc = keys_end(r, ps);
        if (rc != OK)
            return rc;
    }
    st->pending = false;
    message_begin(r, st->flat->levels[0].group, ps);
    if (st->rows.fault.code)
        worse(st, rows_problem(&st->rows.fault, 0, ps));
    else
        open_levels(r, 0, ps);
    int rc = more_rows(r, ps);
    if (rc >= STOP) {
        st->message = NULL;
        return rc;
    }
    for (size_t l = 1; l + 1 < st->flat->nlevels; l++)
        if (st->node[l])
            st->node[l]->end = st->last_end;
    memset(st->node, 0, sizeof st->node);
    return message_end(r, msg_out, ps);
}

/* --- opening ---------------------------------------------------------------------------------- */

static int empty_file(struct reader *r, struct problems *ps)
{
    if (r->source->error)
        return problem_system(ps, r->source->name, "reading", r->source->error);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = "EMPTY_FILE",
                                       .place = { .offset = 0 },
                                       .text = SLICE("the file is empty"),
                                       .hint = SLICE("not even a heading is there") });
    return STOP;
}

static int read_heading(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct rows *w = &st->rows;
    if (st->flat->d.tag)
        return tagged_open(r, ps);
    if (st->flat->d.heading == HEADING_NO) {
        live_positions(&st->live, st->flat, r->arena);
        return OK;
    }
    int rc = rows_next(w, 0, 0);
    if (rc == END)
        return empty_file(r, ps);
    if (w->fault.code) {
        rows_problem(&w->fault, 0, ps);
        return w->fault.rc == TEMP ? TEMP : STOP;
    }
    r->head_end = r->tail_at = w->end;
    return live_match(&st->live, st->flat, w, r->arena, ps);
}

int flat_open_twin(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = arena_zero(r->arena, sizeof *st);
    r->state = st;
    st->twin = true;
    st->flat = r->format->plan[0];
    rows_open(&st->rows, r->source, &st->flat->d, r->arena);
    r->file = node_new(r->arena, r->format->file_group, NULL);
    if (r->source->at == r->source->end)
        return empty_file(r, ps);
    rows_sep(&st->rows);
    r->head_end = r->tail_at = rows_here(&st->rows);
    int rc = read_heading(r, ps);
    st->rows.leave = settle;
    st->rows.owner = st;
    return rc;
}

int flat_read_open(struct reader *r, struct problems *ps)
{
    if (!r->format) {
        r->state = arena_zero(r->arena, sizeof(struct flat_reader));
        return raw_open(r, ps);
    }
    int rc = flat_open_twin(r, ps);
    struct flat_reader *st = r->state;
    st->twin = false;
    st->keys = keyset_new(r->arena, r->source->start < 0);
    return rc == OK && st->flat->ncompanions ? joined_open(r, ps) : rc;
}

void flat_read_close(struct reader *r)
{
    struct flat_reader *st = r->state;
    if (!st)
        return;
    joined_release(r);
    rows_close(&st->rows);
    buf_release(&st->orphan_source);
    keyset_free(st->keys);
}
