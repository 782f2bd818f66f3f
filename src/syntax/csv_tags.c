#include "syntax/csv.h"

/* Files whose rows begin with a record tag: the tag chooses message or group, the row above it in the tree is its
 * parent. */

int tagged_open(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    const struct flat *all = st->flat;
    (void)ps;
    st->records = arena_zero(r->arena, all->nrecords * sizeof *st->records + 1);
    st->record_node = arena_zero(r->arena, all->nrecords * sizeof(struct node *) + 1);
    for (size_t i = 0; i < all->nrecords; i++)
        live_positions(&st->records[i], all->records[i], r->arena);
    return OK;
}

/* The record of the row, or nrecords. */
static size_t record_of(struct flat_reader *st)
{
    const struct flat *all = st->flat;
    size_t i = all->nrecords;
    if (st->rows.n < all->d.tag)
        return i;
    struct slice tag = rows_text(&st->rows, all->d.tag - 1, st->arena);
    for (i = 0; i < all->nrecords && !slice_equal(all->records[i]->tag, tag);)
        i++;
    return i;
}

static size_t number_of(const struct flat *all, const struct flat *record)
{
    size_t i = 0;
    while (i < all->nrecords && all->records[i] != record)
        i++;
    return i;
}

/* A new instance of a record ends those below the one before. */
static void forget_below(struct flat_reader *st, size_t record)
{
    const struct flat *all = st->flat;
    for (size_t i = 0; i < all->nrecords; i++)
        for (const struct flat *p = all->records[i]->parent; p; p = p->parent)
            if (p == all->records[record])
                st->record_node[i] = NULL;
}

/* The node that a group hangs below: the parent record's instance, or a group in between that occurs once. */
static struct node *parent_node(struct arena *a, struct node *above, const struct group *g)
{
    if (above->group == g->parent)
        return above;
    struct node *middle = parent_node(a, above, g->parent);
    struct node *last = node_list(middle, g->parent)->last;
    return last ? last : node_add(a, middle, g->parent);
}

static void own_texts(struct node *n, struct arena *a)
{
    for (size_t i = 0; i < n->group->nfields; i++)
        if (n->values[i].p)
            n->values[i].p = arena_copy(a, (struct slice){ n->values[i].p, n->values[i].n }).p;
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (struct node *child = node_lists(n)[i].first; child; child = child->next)
            own_texts(child, a);
}

/* A record outside the messages: it belongs to the file and lives as long. */
static int file_record(struct reader *r, size_t record, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct node *n = node_add(r->arena, r->file, st->records[record].flat->levels[0].group);
    n->at = st->rows.at;
    n->end = st->rows.end;
    int rc = live_fill(&st->records[record], &st->rows, 0, n, r->arena, ps);
    own_texts(n, r->arena);
    return rc == OK ? OK : STOP;
}

static void bad_record(struct flat_reader *st, const char *code, const char *text, struct problems *ps)
{
    struct row_fault f = { .code = code, .rc = SKIP, .at = st->rows.at, .text = text };
    st->rc = rows_problem(&f, 0, ps);
}

/* A row below a message that is open. */
static void child_record(struct reader *r, size_t record, struct problems *ps)
{
    struct flat_reader *st = r->state;
    const struct flat *flat = st->flat->records[record];
    size_t above = number_of(st->flat, flat->parent);
    struct node *parent = above < st->flat->nrecords ? st->record_node[above] : NULL;
    if (!parent) {
        bad_record(st, "CSV_TAG_ORDER", "this record stands without the one above it", ps);
        return;
    }
    if (arena_full(st->arena)) {
        if (st->rc < SKIP)
            bad_record(st, "LIMIT_MESSAGE", "these rows are more than one message may hold", ps);
        if (!st->drained)
            message_drain(st);
        return;
    }
    parent = parent_node(st->arena, parent, flat->levels[0].group);
    struct node *n = node_add(st->arena, parent, flat->levels[0].group);
    n->at = st->rows.at;
    n->end = st->rows.end;
    for (struct node *p = parent; p && p != r->file; p = p->parent)
        p->end = st->rows.end;
    int rc = live_fill(&st->records[record], &st->rows, 0, n, st->arena, ps);
    st->rc = rc > st->rc ? rc : st->rc;
    st->record_node[record] = n;
    forget_below(st, record);
}

static int next_record(struct reader *r, size_t *record, struct problems *ps)
{
    struct flat_reader *st = r->state;
    for (;;) {
        int rc = st->pending ? OK : rows_next(&st->rows, 0, 0);
        st->pending = false;
        if (rc >= STOP)
            return rows_problem(&st->rows.fault, 0, ps);
        if (rc == END)
            return END;
        *record = record_of(st);
        if (*record < st->flat->nrecords && !live_width(&st->records[*record], &st->rows))
            continue;
        return OK;
    }
}

static void first_record(struct reader *r, size_t record, struct problems *ps)
{
    struct flat_reader *st = r->state;
    const struct group *g =
        record < st->flat->nrecords ? st->flat->records[record]->levels[0].group : r->format->messages[0];
    bool begins = record < st->flat->nrecords && g->is_message;
    while (!g->is_message && g->parent)
        g = g->parent;
    message_begin(r, g->is_message ? g : r->format->messages[0], ps);
    memset(st->record_node, 0, st->flat->nrecords * sizeof(struct node *));
    if (begins)
        st->record_node[record] = st->message;
    if (st->rows.fault.code)
        st->rc = rows_problem(&st->rows.fault, 0, ps);
    else if (record == st->flat->nrecords)
        bad_record(st, "CSV_TAG", "the format has no record with this tag", ps);
    else if (!begins)
        bad_record(st, "CSV_TAG_ORDER", "this record stands outside a message", ps);
    else
        st->rc = live_fill(&st->records[record], &st->rows, 0, st->message, st->arena, ps);
}

static bool begins_other(const struct flat_reader *st, size_t record)
{
    return record < st->flat->nrecords && st->flat->records[record]->parent == NULL;
}

int tagged_read(struct reader *r, struct node **msg_out, struct problems *ps)
{
    struct flat_reader *st = r->state;
    size_t record = 0;
    int rc;
    ps->message = 0;
    while ((rc = next_record(r, &record, ps)) == OK && begins_other(st, record)
           && !st->flat->records[record]->levels[0].group->is_message && !st->rows.fault.code)
        if ((rc = file_record(r, record, ps)) != OK)
            return rc;
    if (rc != OK)
        return rc == END ? keys_end(r, ps) : rc;
    first_record(r, record, ps);
    while ((rc = next_record(r, &record, ps)) == OK && !begins_other(st, record)) {
        st->last_end = st->rows.end;
        if (st->rows.fault.code)
            st->rc = rows_problem(&st->rows.fault, 0, ps);
        else if (record == st->flat->nrecords)
            bad_record(st, "CSV_TAG", "the format has no record with this tag", ps);
        else
            child_record(r, record, ps);
    }
    if (rc >= STOP)
        return rc;
    st->pending = rc == OK;
    return message_end(r, msg_out, ps);
}
