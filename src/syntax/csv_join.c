#include "syntax/csv.h"

/*
 * Companion files: `group Line 0..* file lines join OrderNo`.  Rows in the order of the messages stream past; rows
 * that come before their message wait in memory by key, LIMIT_MESSAGE bytes at most.  The file is looked through once
 * ahead: where the rows of one key do not stand together, all of them wait.
 */
struct joined {
    const struct flat_companion *plan;
    struct rows rows;
    struct live live;
    size_t cell;                    /* of the join column */
    bool pending, ended;
    struct arena arena;             /* of the rows that wait */
    struct map waiting;             /* key -> struct node *, a chain by next */
    struct map late;                /* node that waits -> struct late: what is said when its message takes it */
};

struct late {
    int rc;
    const struct problem *first;
};

static struct source *companion_source(struct reader *r, struct slice name)
{
    for (size_t i = 0; i < r->ncompanions; i++)
        if (slice_equal(r->companions[i].name, name))
            return r->companions[i].source;
    return NULL;
}

static int bad_companion(const struct joined *j, const char *code, struct slice text, struct problems *ps)
{
    problem_add(ps, &(struct problem){
                        .severity = PROBLEM_ERROR,
                        .code = code,
                        .text = text,
                        .place = { .file = j->rows.file ? j->rows.file->name : NULL, .offset = PLACE_NO_OFFSET } });
    return STOP;
}

/* Problems of a companion's rows are located in that file, not in the main one. */
static int bad_row(struct joined *j, struct problems *ps)
{
    void (*locate)(void *, struct problem *, struct arena *) = ps->locate;
    void *owner = ps->locate_owner;
    const char *file = ps->file;
    source_locate(j->rows.file, ps);
    rows_problem(&j->rows.fault, 0, ps);
    ps->locate = locate;
    ps->locate_owner = owner;
    ps->file = file;
    return j->rows.fault.rc == TEMP ? TEMP : STOP;
}

static int join_column(struct joined *j, struct problems *ps)
{
    struct slice *titles = arena_zero(ps->arena, (j->rows.n + 1) * sizeof *titles);
    for (size_t i = 0; i < j->rows.n; i++) {
        titles[i] = slice_trim(rows_text(&j->rows, i, ps->arena));
        if (!slice_equal(titles[i], j->plan->join))
            continue;
        j->cell = i;
        return OK;
    }
    return bad_companion(
        j, "CSV_COLUMN",
        arena_printf(ps->arena, "the heading has no column \"%.*s\", which joins its rows", SLICE_ARG(j->plan->join)),
        ps);
}

static int joined_begin(struct joined *j, struct reader *r, struct problems *ps)
{
    struct source *s = companion_source(r, j->plan->name);
    if (!s)
        return bad_companion(
            j, "CSV_COMPANION",
            arena_printf(ps->arena, "the companion file \"%.*s\" is not there", SLICE_ARG(j->plan->name)), ps);
    arena_init(&j->arena, r->limits->message);
    map_init(&j->waiting, &j->arena);
    map_init(&j->late, &j->arena);
    rows_open(&j->rows, s, &j->plan->flat->d, r->arena);
    rows_sep(&j->rows);
    int rc = rows_next(&j->rows, 0, 0);
    if (rc == END)
        return bad_companion(j, "EMPTY_FILE", SLICE("the companion file is empty"), ps);
    if (j->rows.fault.code)
        return bad_row(j, ps);
    rc = join_column(j, ps);
    return rc == OK ? live_match(&j->live, j->plan->flat, &j->rows, r->arena, ps) : rc;
}

/* The join column as the parent's key spells it. */
static struct slice joined_key(struct rows *w, size_t cell, const struct field *key, struct arena *a)
{
    struct value v = { 0 };
    struct fault fault;
    struct slice text = cell < w->n ? rows_text(w, cell, a) : slice_none();
    return type_read(key, text, a, &v, &fault) == OK && value_is(&v) ? value_text(&v) : text;
}

/* Do the rows of one key stand apart somewhere?  Also true where the file cannot be read twice. */
static bool is_scattered(const struct joined *j, const struct field *key)
{
    struct source s;
    struct rows w;
    struct arena a, part;
    struct buf last = { 0 };
    if (!source_open_anew(&s, j->rows.file))
        return true;
    arena_init(&a, 0);
    arena_init(&part, 0);
    struct keyset *keys = keyset_new(&a, true);
    rows_open(&w, &s, &j->plan->flat->d, &a);
    rows_sep(&w);
    bool apart = false;
    for (int rc = rows_next(&w, 0, 0); !apart && rc == OK; rc = rows_next(&w, 0, 0)) {
        struct slice now = joined_key(&w, j->cell, key, &part);
        if (!slice_equal(now, buf_slice(&last))) {
            last.n = 0;
            buf_add(&last, now);
            apart = keyset_add(keys, now) == KEY_SEEN;
        }
        arena_reset(&part);
    }
    arena_release(&part);
    keyset_free(keys);
    rows_close(&w);
    source_close(&s);
    buf_release(&last);
    arena_release(&a);
    return apart;
}

static int joined_next(struct joined *j, struct problems *ps);
static int set_aside(struct joined *j, struct slice key, struct problems *ps);

static int all_wait(struct joined *j, const struct field *key, struct problems *ps)
{
    int rc;
    while ((rc = joined_next(j, ps)) == OK)
        if ((rc = set_aside(j, joined_key(&j->rows, j->cell, key, &j->arena), ps)) != OK)
            return rc;
    return rc == END ? OK : rc;
}

int joined_open(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    st->joined = arena_zero(r->arena, (st->flat->ncompanions + 1) * sizeof *st->joined);
    int rc = OK;
    for (size_t i = 0; i < st->flat->ncompanions; i++) {
        st->joined[i].plan = &st->flat->companions[i];
        int one = joined_begin(&st->joined[i], r, ps);
        const struct field *key = st->flat->cols[st->flat->companions[i].key].field;
        if (one == OK && is_scattered(&st->joined[i], key))
            one = all_wait(&st->joined[i], key, ps);
        rc = one > rc ? one : rc;
    }
    return rc;
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

/* The row as a node of its own; its places are those of the companion file. */
static struct node *row_node(struct joined *j, struct arena *a, int *rc, struct problems *ps)
{
    struct node *n = node_new(a, j->plan->group, NULL);
    n->at = j->rows.at;
    n->end = j->rows.end;
    void (*locate)(void *, struct problem *, struct arena *) = ps->locate;
    void *owner = ps->locate_owner;
    const char *file = ps->file;
    source_locate(j->rows.file, ps);
    int one = live_fill(&j->live, &j->rows, 0, n, a, ps);
    *rc = one > *rc ? one : *rc;
    ps->locate = locate;
    ps->locate_owner = owner;
    ps->file = file;
    own_texts(n, a);
    return n;
}

/* Makes the next row the pending one. END, or STOP. */
static int joined_next(struct joined *j, struct problems *ps)
{
    while (!j->pending && !j->ended) {
        int rc = rows_next(&j->rows, 0, 0);
        j->ended = rc == END;
        if (rc == END)
            return END;
        if (rc >= STOP)
            return bad_row(j, ps);
        bool row = live_width(&j->live, &j->rows);
        if (j->rows.fault.code)
            return bad_row(j, ps);
        j->pending = row;
    }
    return j->ended ? END : OK;
}

static struct slice name_of(struct node *const *n)
{
    return (struct slice){ (const char *)n, sizeof *n };
}

static void pass_on(const struct problem *first, struct problems *ps)
{
    void (*locate)(void *, struct problem *, struct arena *) = ps->locate;
    ps->locate = NULL;                  /* they have their places */
    for (const struct problem *p = first; p; p = p->next)
        problem_add(ps, p);
    ps->locate = locate;
}

/* What is wrong with a row that waits is its message's, not that of the one at hand. */
static struct node *waiting_node(struct joined *j, int *rc, struct problems *ps)
{
    struct problems said;
    problems_init(&said, &j->arena, 100);
    struct node *n = row_node(j, &j->arena, rc, &said);
    if (*rc >= STOP)
        pass_on(said.first, ps);
    else if (said.first) {
        struct late *l = arena_zero(&j->arena, sizeof *l);
        *l = (struct late){ *rc, said.first };
        map_put(&j->late, arena_copy(&j->arena, name_of(&n)), l);
    }
    return n;
}

static int said_late(const struct joined *j, struct node *n, struct problems *ps)
{
    const struct late *l = j->late.n ? map_get(&j->late, name_of(&n)) : NULL;
    if (l)
        pass_on(l->first, ps);
    return l ? l->rc : OK;
}

static int set_aside(struct joined *j, struct slice key, struct problems *ps)
{
    int rc = OK;
    if (arena_full(&j->arena))
        return bad_companion(j, "LIMIT_MESSAGE",
                             SLICE("too many rows stand before their message: sort both files alike"), ps);
    struct node *n = waiting_node(j, &rc, ps);
    struct map_entry *e =
        map_get(&j->waiting, key) ? map_at(&j->waiting, key) : map_at(&j->waiting, arena_copy(&j->arena, key));
    struct node *last = e->value;
    n->next = last ? last->next : n;    /* a ring: the last row points to the first */
    if (last)
        last->next = n;
    e->value = n;
    j->pending = false;
    return rc >= STOP ? rc : OK;
}

static int take_waiting(struct joined *j, struct map_entry *e, struct node *parent, struct arena *a,
                        struct problems *ps)
{
    struct node *last = e->value, *n = last->next;
    int rc = OK;
    for (bool more = true; more; ) {
        struct node *next = n->next;
        more = n != last;
        struct node *copy = node_copy(a, n, parent);
        node_append(parent, copy);
        int one = said_late(j, n, ps);
        rc = one > rc ? one : rc;
        n = next;
    }
    e->value = NULL;
    return rc;
}

static int join_one(struct reader *r, struct joined *j, struct node *node, struct problems *ps)
{
    struct flat_reader *st = r->state;
    const struct flat_column *key = &st->flat->cols[j->plan->key];
    const struct value *v = column_value(st->flat, key, node);
    if (!v || !value_is(v))
        return OK;
    struct slice want = value_text(v);
    bool found = false;
    int rc = OK, next;
    if (map_get(&j->waiting, want)) {
        rc = take_waiting(j, map_at(&j->waiting, want), node, st->arena, ps);
        found = true;
    }
    while ((next = joined_next(j, ps)) == OK) {
        struct slice has = joined_key(&j->rows, j->cell, key->field, st->arena);
        if (slice_equal(has, want)) {
            node_append(node, row_node(j, st->arena, &rc, ps));
            j->pending = false;
            found = true;
        } else if (found) {
            break;
        } else if ((next = set_aside(j, has, ps)) != OK) {
            return next;
        }
    }
    return next >= STOP ? next : rc;
}

int joined_fill(struct reader *r, size_t level, struct node *node, struct problems *ps)
{
    struct flat_reader *st = r->state;
    int rc = OK;
    for (size_t i = 0; i < st->flat->ncompanions; i++) {
        if (st->flat->companions[i].level != level)
            continue;
        int one = join_one(r, &st->joined[i], node, ps);
        rc = one > rc ? one : rc;
    }
    return rc;
}

struct orphan {
    uint64_t at;
    struct slice key;
};

/* The first row that no message took. */
static bool first_orphan(struct joined *j, const struct field *key, struct arena *a, struct orphan *out)
{
    bool found = j->pending;
    if (found)
        *out = (struct orphan){ j->rows.at, joined_key(&j->rows, j->cell, key, a) };
    for (size_t i = 0; i < j->waiting.n; i++) {
        const struct map_entry *e = &j->waiting.entries[i];
        const struct node *last = e->value;
        if (!last || (found && last->next->at >= out->at))
            continue;
        *out = (struct orphan){ last->next->at, e->key };
        found = true;
    }
    return found;
}

static void tell_orphan(struct joined *j, const struct orphan *o, struct problems *ps)
{
    void (*locate)(void *, struct problem *, struct arena *) = ps->locate;
    void *owner = ps->locate_owner;
    const char *file = ps->file;
    source_locate(j->rows.file, ps);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "JOIN_ORPHAN",
                .place = { .file = j->rows.file->name, .offset = o->at }, .path = j->plan->join, .value = o->key,
                .text = SLICE("is in no message: this row, and others like it, were not used") });
    ps->locate = locate;
    ps->locate_owner = owner;
    ps->file = file;
}

/* Rows of a companion file that no message took: told once, at the first of them. */
int joined_close(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    for (size_t i = 0; i < st->flat->ncompanions; i++) {
        struct joined *j = &st->joined[i];
        struct orphan first = { 0 };
        int rc = joined_next(j, ps);
        if (rc >= STOP)
            return rc;
        if (first_orphan(j, st->flat->cols[j->plan->key].field, st->arena, &first))
            tell_orphan(j, &first, ps);
    }
    joined_release(r);
    return END;
}

void joined_release(struct reader *r)
{
    struct flat_reader *st = r->state;
    for (size_t i = 0; st->joined && i < st->flat->ncompanions; i++) {
        arena_release(&st->joined[i].arena);
        if (st->joined[i].rows.file)
            rows_close(&st->joined[i].rows);
    }
    st->joined = NULL;
}
