/* pool - documents in memory that a mapping updates; each message is judged first, then written into copies. */
#include "mapping/pool.h"

#include "message/pack.h"
#include "run.h"

/* Bytes: replaced documents are not cleared away before there is that much of them. */
enum { GARBAGE_LEAST = 1 << 20 };

struct bucket {                     /* documents that a match finds by one key, in their order */
    uint32_t *rows;
    size_t n, cap;
};

struct row {
    const struct group *group;
    struct slice packed;
    struct slice key;               /* of by_key; n 0 = none */
    struct bucket **found_by;       /* per index */
};

struct match_index {
    const struct scope *scope;
    struct map map;                 /* match key → bucket */
};

/* What a message changes: nothing of it is kept before all of it is known to be good. */
struct touched {
    struct node *original, *copy;   /* original NULL: a new document; its `position` is its row, from 1 */
    struct slice key;               /* of a new one, by key rows: another instance of the message may mean it */
    struct twin *twins;
    size_t ntwins, cap_twins;
    bool changed;
    struct touched *next;
};

struct pool {
    struct run *run;
    struct arena index, packed, shown;
    struct row *rows;
    size_t n, cap, live;            /* live: packed bytes that count */
    uint64_t most;
    struct map by_key;              /* key → row + 1 */
    struct match_index *indexes;
    size_t nindexes, cap_indexes;
    struct edits edits;             /* stays empty: a merge writes at once */
    struct touched *touched, *last;
    bool changed;
};

struct merging {
    struct pool *pool;
    const struct op *op;
    uint32_t position;
};

/* ---- which mappings ---------------------------------------------------------------------------------------------- */

static bool is_pair(const struct op *op)
{
    return op->code == OP_GROUP && !op->item->inner->total && op->from->root != ROOT_OUTCOME && op->from->nsteps;
}

static const struct consolidate *searches(const struct run *r, const struct scope *s)
{
    return s->consolidate && s->consolidate->direction == r->direction ? s->consolidate : NULL;
}

bool mapping_gives_at_end(const struct mapping *m, enum mapping_direction d)
{
    const struct scope *file = m->program->file;
    bool last = m->program->buffers && d == MAPPING_FORWARD;
    for (size_t i = file->nrequires[d]; i < file->nops[d] && !last; i++)
        last = file->ops[d][i].code == OP_GROUP && file->ops[d][i].item->inner->total;
    return last || mapping_consolidates(m, d);
}

bool mapping_consolidates(const struct mapping *m, enum mapping_direction d)
{
    const struct scope *file = m->program->file;
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++) {
        const struct op *op = &file->ops[d][i];
        const struct consolidate *c = is_pair(op) ? op->item->inner->consolidate : NULL;
        if (c && c->direction == d)
            return true;
    }
    return false;
}

bool run_aligns(const struct run *r)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    size_t pairs = 0;
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++) {
        const struct op *op = &file->ops[d][i];
        if (op->code != OP_GROUP)
            continue;
        if (!is_pair(op) || !(searches(r, op->item->inner) || has_keys(r, op->item->inner)))
            return false;
        pairs++;
    }
    return pairs > 0;
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

struct pool *pool_new(struct run *r, uint64_t most)
{
    struct pool *p = arena_zero(r->arena, sizeof *p);
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    p->run = r;
    p->most = most;
    arena_init(&p->index, 0);
    arena_init(&p->packed, 0);
    arena_init(&p->shown, 0);
    map_init(&p->by_key, &p->index);
    edits_init(&p->edits, r->arena);
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++) {
        const struct op *op = &file->ops[d][i];
        if (!is_pair(op) || !searches(r, op->item->inner))
            continue;
        struct match_index x = { .scope = op->item->inner };
        map_init(&x.map, &p->index);
        ARENA_PUSH(&p->index, p->indexes, p->nindexes, p->cap_indexes) = x;
    }
    return p;
}

void pool_release(struct pool *p)
{
    arena_release(&p->packed);
    arena_release(&p->shown);
    arena_release(&p->index);
}

size_t pool_count(const struct pool *p)
{
    return p->n;
}

/* Its `position` says where it comes from. */
static struct node *unpack(const struct pool *p, size_t i, struct arena *a)
{
    struct node *n = node_unpack(a, p->rows[i].group, p->rows[i].packed, p->run->file);
    n->position = (uint32_t)i + 1;
    return n;
}

struct node *pool_at(struct pool *p, size_t i)
{
    arena_reset(&p->shown);
    return unpack(p, i, &p->shown);
}

bool pool_changed(const struct pool *p)
{
    return p->changed;
}

/* Documents of two groups may have equal keys: the group's number goes before the key. */
static struct slice grouped(struct arena *a, const struct group *g, struct slice key)
{
    return key.n ? arena_printf(a, "%u\x1f%.*s", g->id, SLICE_ARG(key)) : key;
}

/* The key of a document: that of the key rows, or of its format where a search finds it. */
static struct slice document_key(struct pool *p, struct node *n, struct arena *a)
{
    struct run *r = p->run;
    int written = side_written(r->direction);
    const struct op *op = pair_for(r, n->group, written);
    if (!op)
        return slice_none();
    bool keyed = has_keys(r, op->item->inner) && !searches(r, op->item->inner);
    return grouped(a, n->group, keyed ? instance_key(r, op->item->inner, written, n) : node_key(a, n));
}

static void bucket_remove(struct bucket *b, uint32_t row)
{
    size_t at = 0;
    while (at < b->n && b->rows[at] != row)
        at++;
    for (; at + 1 < b->n; at++)
        b->rows[at] = b->rows[at + 1];
    b->n -= b->n > 0;
}

static void bucket_add(struct arena *a, struct bucket *b, uint32_t row)
{
    ARENA_PUSH(a, b->rows, b->n, b->cap) = row;
    for (size_t i = b->n - 1; i > 0 && b->rows[i - 1] > row; i--) {
        b->rows[i] = b->rows[i - 1];
        b->rows[i - 1] = row;
    }
}

static void index_match(struct pool *p, uint32_t at, struct node *n, size_t i)
{
    struct run *r = p->run;
    struct match_index *x = &p->indexes[i];
    struct row *row = &p->rows[at];
    if (!same_group(n->group, x->scope->side[side_written(r->direction)]))
        return;
    frame_old(r, &r->frames[x->scope->depth], n, n);
    struct slice key = match_key(r, x->scope, true, r->a);
    struct bucket *b = map_get(&x->map, key);
    if (!b) {
        b = arena_zero(&p->index, sizeof *b);
        map_put(&x->map, arena_copy(&p->index, key), b);
    }
    if (b == row->found_by[i])
        return;
    if (row->found_by[i])
        bucket_remove(row->found_by[i], at);
    bucket_add(&p->index, b, at);
    row->found_by[i] = b;
}

static void index_row(struct pool *p, uint32_t at, struct node *n, struct slice key)
{
    struct row *row = &p->rows[at];
    for (size_t i = 0; i < p->nindexes; i++)
        index_match(p, at, n, i);
    if (slice_equal(row->key, key))
        return;
    if (row->key.n && map_get(&p->by_key, row->key) == (void *)(uintptr_t)(at + 1))
        map_put(&p->by_key, row->key, NULL);
    row->key = arena_copy(&p->index, key);
    if (key.n)
        map_put(&p->by_key, row->key, (void *)(uintptr_t)(at + 1));
}

static struct slice keep_packed(struct arena *a, struct slice packed)
{
    char *p = arena_alloc(a, packed.n);
    memcpy(p, packed.p, packed.n);
    return (struct slice){ p, packed.n };
}

static void row_store(struct pool *p, uint32_t at, struct node *n, struct slice key)
{
    struct row *row = &p->rows[at];
    struct buf packed = { 0 };
    node_pack(&packed, n);
    p->live -= row->packed.n;
    row->group = n->group;
    row->packed = keep_packed(&p->packed, buf_slice(&packed));
    p->live += row->packed.n;
    buf_release(&packed);
    index_row(p, at, n, key);
}

/* What replaced documents have left behind is cleared away when it is more than the documents themselves. */
static void clear_garbage(struct pool *p)
{
    if (p->packed.used < 2 * p->live + 16 * p->n + GARBAGE_LEAST)
        return;
    struct arena fresh;
    arena_init(&fresh, 0);
    for (size_t i = 0; i < p->n; i++)
        p->rows[i].packed = keep_packed(&fresh, p->rows[i].packed);
    arena_release(&p->packed);
    p->packed = fresh;
}

static int row_add(struct pool *p, struct node *n, struct slice key, struct problems *ps)
{
    if (p->n >= UINT32_MAX - 1 || (p->most && p->n >= p->most)) {
        problem_addf(ps, PROBLEM_ERROR, "LIMIT_TABLE", (struct place){ .offset = PLACE_NO_OFFSET },
                     "there are more than %llu documents to keep in memory", (unsigned long long)p->most);
        return STOP;
    }
    struct bucket **found_by = arena_zero(&p->index, (p->nindexes + 1) * sizeof *found_by);
    ARENA_PUSH(&p->index, p->rows, p->n, p->cap) = (struct row){ .found_by = found_by };
    row_store(p, (uint32_t)p->n - 1, n, key);
    return OK;
}

int pool_load(struct pool *p, const struct node *message, struct problems *ps)
{
    struct arena own;
    struct arena *before = p->run->a;
    arena_init(&own, 0);
    p->run->a = &own;
    struct node *n = (struct node *)(uintptr_t)message;
    struct slice key = document_key(p, n, &own);
    uint32_t at = key.n ? (uint32_t)(uintptr_t)map_get(&p->by_key, key) : 0;
    int rc = OK;
    if (at)                         /* of documents with equal keys the last one counts */
        row_store(p, at - 1, n, key);
    else
        rc = row_add(p, n, key, ps);
    p->run->a = before;
    arena_release(&own);
    return rc;
}

/* ---- one instance that is read ----------------------------------------------------------------------------------- */

struct bucket_search {
    struct pool *pool;
    const struct scope *scope;
};

static void each_row(void *owner, struct slice key, void (*take)(void *to, struct node *n), void *to)
{
    struct bucket_search *s = owner;
    for (size_t i = 0; i < s->pool->nindexes; i++) {
        if (s->pool->indexes[i].scope != s->scope)
            continue;
        const struct bucket *b = map_get(&s->pool->indexes[i].map, key);
        for (size_t k = 0; b && k < b->n; k++)
            take(to, unpack(s->pool, b->rows[k], s->pool->run->a));
    }
}

/* The document that the instance at hand means, as it was before the message; NULL = a new one. */
static struct node *document_for(struct merging *m, struct node *read, struct slice *key)
{
    struct run *r = m->pool->run;
    const struct scope *s = m->op->item->inner;
    struct bucket_search search = { m->pool, s };
    *key = slice_none();
    if (searches(r, s))
        return r->judge_only ? consolidate_choose(r, s, each_row, &search) : decision_next(r, s, read);
    *key = grouped(r->a, s->side[side_written(r->direction)], instance_key(r, s, side_read(r->direction), read));
    if (!r->judge_only)
        return decision_next(r, s, read);
    uint32_t at = key->n ? (uint32_t)(uintptr_t)map_get(&m->pool->by_key, *key) : 0;
    return at ? unpack(m->pool, at - 1, r->a) : NULL;
}

static void pair_twins(struct run *r, struct touched *t, struct node *original, struct node *copy)
{
    ARENA_PUSH(r->a, t->twins, t->ntwins, t->cap_twins) = (struct twin){ original, copy };
    original->mark = copy->mark = (uint32_t)t->ntwins;
    for (size_t i = 0; i < original->group->ngroups; i++) {
        struct node *c = node_lists(copy)[i].first;
        for (struct node *o = node_lists(original)[i].first; o; o = o->next, c = c->next)
            pair_twins(r, t, o, c);
    }
}

static struct touched *touched_add(struct pool *p, struct node *original, struct node *copy, struct slice key)
{
    struct touched *t = arena_zero(p->run->a, sizeof *t);
    *t = (struct touched){ .original = original, .copy = copy, .key = key, .changed = !original };
    if (original) {
        t->copy = node_copy(p->run->a, original, p->run->file);
        pair_twins(p->run, t, original, t->copy);
    }
    if (p->last)
        p->last->next = t;
    else
        p->touched = t;
    p->last = t;
    return t;
}

/* Several instances of one message may go into one document. */
static struct touched *touched_find(const struct pool *p, const struct node *original, struct slice key)
{
    struct touched *t = p->touched;
    for (; t; t = t->next)
        if (original ? t->original && t->original->position == original->position
                     : !t->original && key.n && slice_equal(t->key, key))
            break;
    return t;
}

static void write_into(struct merging *m, struct touched *t, bool again)
{
    struct run *r = m->pool->run;
    struct frame *f = &r->frames[m->op->item->inner->depth];
    r->twins = t->twins;
    r->ntwins = t->ntwins;
    r->changed = false;
    frame_old(r, f, again ? node_copy(r->a, t->copy, r->file) : t->original, t->original);
    update_document(r, m->op, t->copy);
    t->changed |= r->changed;
}

static void write_instance(struct merging *m, struct node *original, struct slice key)
{
    struct pool *p = m->pool;
    struct run *r = p->run;
    struct touched *t = touched_find(p, original, key);
    if (t) {
        write_into(m, t, true);
    } else if (original) {
        write_into(m, touched_add(p, original, NULL, key), false);
    } else if (r->pass != PASS_LATE) {
        r->ntwins = 0;
        frame_old(r, &r->frames[m->op->item->inner->depth], NULL, NULL);
        struct node *made = update_document(r, m->op, NULL);
        if (made)
            touched_add(p, NULL, made, key);
    }
}

static bool merge_one(void *owner, const struct node *n, const struct field *field)
{
    struct merging *m = owner;
    struct run *r = m->pool->run;
    const struct scope *s = m->op->item->inner;
    struct node *read = (struct node *)(uintptr_t)n;
    struct slice key;
    (void)field;
    update_enter(r, s, read, ++m->position);
    struct node *original = document_for(m, read, &key);
    update_enter(r, s, read, m->position);
    if (!r->judge_only) {
        write_instance(m, original, key);
        return !run_dead(r);
    }
    decision_keep(r, s, read, original);
    frame_old(r, &r->frames[s->depth], original, original);
    size_t before = r->outcome->n;
    r->nresults += update_document(r, m->op, original) || r->outcome->n == before;
    return !run_dead(r);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void merge_pairs(struct pool *p, struct node *source)
{
    struct run *r = p->run;
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    for (size_t i = file->nrequires[d]; i < file->nops[d] && !run_dead(r); i++) {
        const struct op *op = &file->ops[d][i];
        if (!is_pair(op) || !same_group(op->from->steps[0].group, source->group) ||
            !step_takes(r, &op->from->steps[0], source))
            continue;
        struct merging m = { .pool = p, .op = op };
        r->counts[op->item->index] += !r->judge_only;
        r->depth = 1;
        path_walk(r, op->from, 1, source, merge_one, &m);
        r->depth = 0;
    }
}

static int judge_message(struct pool *p, struct node *source)
{
    struct run *r = p->run;
    r->judge_only = true;
    merge_pairs(p, source);
    r->judge_only = false;
    int rc = run_verdict(r);
    r->nresults = 0;
    return rc;
}

static int write_message(struct pool *p, struct node *source)
{
    struct run *r = p->run;
    bool late = r->program->late[r->direction];
    r->rows_only = true;
    r->next_decision = r->decisions;
    r->pass = late ? PASS_EARLY : PASS_ALL;
    merge_pairs(p, source);
    if (late) {
        r->next_decision = r->decisions;
        r->pass = PASS_LATE;
        merge_pairs(p, source);
    }
    r->pass = PASS_ALL;
    settle_shared(r);
    r->rows_only = false;
    return run_dead(r) ? r->stop : r->outcome->kind >= OUTCOME_WAIT ? SKIP : OK;
}

/* A document whose key another one has already would make that one unreachable. */
static int check_key(struct pool *p, const struct touched *t, struct slice key)
{
    uint32_t at = key.n ? (uint32_t)(uintptr_t)map_get(&p->by_key, key) : 0;
    if (!at || (t->original && at == t->original->position))
        return OK;
    finding_engine(p->run, OUTCOME_REJECT, "KEY_TWICE", p->run->message,
                   arena_printf(p->run->a, "it would make a second %.*s of a key that is there",
                                SLICE_ARG(t->copy->group->name)));
    return SKIP;
}

static int check_documents(struct pool *p, pool_accept *accept, void *owner, struct problems *ps)
{
    int rc = OK;
    for (struct touched *t = p->touched; t && rc <= WARN; t = t->next) {
        if (!t->changed)
            continue;
        t->key = document_key(p, t->copy, p->run->a);
        rc = check_key(p, t, t->key);
        if (rc == OK && accept)
            rc = accept(owner, t->copy, ps);
    }
    return rc;
}

int pool_keep(struct pool *p, struct problems *ps)
{
    int rc = OK;
    for (struct touched *t = p->touched; t && rc == OK; t = t->next) {
        if (!t->changed)
            continue;
        p->changed = true;
        if (t->original)
            row_store(p, t->original->position - 1, t->copy, t->key);
        else
            rc = row_add(p, t->copy, t->key, ps);
    }
    p->touched = p->last = NULL;
    return rc;
}

int pool_merge(struct pool *p, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
               pool_accept *accept, void *owner, struct problems *ps)
{
    struct run *r = p->run;
    run_begin(r, source, number, a, outcome, ps);
    r->edits = &p->edits;
    r->direct = true;
    r->left_out = NULL;
    r->decisions = r->last_decision = r->next_decision = NULL;
    r->ntwins = 0;
    p->touched = p->last = NULL;
    clear_garbage(p);
    int rc = run_file_requires(r);
    if (rc == OK)
        rc = judge_message(p, source);
    if (rc == OK)
        rc = write_message(p, source);
    if (rc == OK)
        rc = check_documents(p, accept, owner, ps);
    if (rc <= WARN)
        run_totals(r, source);
    r->edits = NULL;
    r->direct = false;
    return rc;
}
