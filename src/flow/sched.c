#include "flow/super.h"

static bool fills(const struct site_table *t, const struct flow *f)
{
    for (size_t i = 0; i < t->nfilled; i++)
        if (slice_equal(t->filled[i], f->name))
            return true;
    return t->kind == TABLE_OF_FLOW && slice_equal(t->flow, f->name);
}

static bool reads(const struct flow *f, const struct flow *other)
{
    const struct site *s = f->site;
    for (size_t i = 0; i < f->noperations; i++)
        for (size_t g = 0; g < f->operations[i]->ngives; g++) {
            const struct mapping *m = f->operations[i]->gives[g]->mapping;
            for (size_t k = 0; m && k < m->ntables; k++) {
                const struct site_table *t = m->tables[k].local ? NULL : site_table(s, m->tables[k].name);
                if (t && fills(t, other))
                    return true;
            }
        }
    return false;
}

/* A flow waits for those above it in site.conf that fill its tables and have work in hand: so what is dropped together
   is handled in the order that the site gives.  Only upwards: there is no circle. */
void ties_find(struct supervisor *s)
{
    size_t n = s->site->nflows;
    s->ties = arena_zero(&s->arena, n * n + 1);
    for (size_t f = 0; f < n; f++)
        for (size_t other = 0; other < f; other++)
            s->ties[f * n + other] = reads(s->site->flows[f], s->site->flows[other]);
}

/* Delivered and in the ledger: only the zip is missing, for which nobody waits. */
static bool done(const struct trip *t)
{
    return t->state == TRIP_TO_ZIP || t->state == TRIP_ZIPPING;
}

size_t sched_open(const struct trips *of)
{
    return of->n - of->in[TRIP_TO_ZIP] - of->in[TRIP_ZIPPING];
}

static struct trip *first_open(const struct supervisor *s, const struct flow *f)
{
    struct trip *t = s->flows[f->index].first;
    while (t && done(t))
        t = t->next;
    return t;
}

/* A trip that waits for a later time ties nobody; one whose worker died is tried again at once and does. */
static bool tied(const struct supervisor *s, const struct flow *f, int64_t now)
{
    size_t n = s->site->nflows;
    for (size_t other = 0; other < f->index; other++) {
        if (!s->ties[f->index * n + other])
            continue;
        for (const struct trip *t = s->flows[other].first; t; t = t->next)
            if (!done(t) && (t->due <= now || t->state == TRIP_RUNNING))
                return true;
        if ((!s->o->watch && intake_pending(s, s->site->flows[other])) || intake_taking(s, s->site->flows[other]))
            return true;
    }
    return false;
}

static bool writes_table(const struct operation *op, const struct site_table *table)
{
    if (op->take.kind == TAKE_TABLE && op->take.table == table)
        return true;                                /* what is stamped in it goes back */
    for (size_t i = 0; i < op->ngives; i++)
        if (op->gives[i]->on && op->gives[i]->table == table)
            return true;
    return false;
}

static bool written_now(const struct supervisor *s, const struct trip *t, const struct site_table *table)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *o = s->flows[i].first; o; o = o->next)
            if (o != t && o->state != TRIP_QUEUED && !done(o) && writes_table(o->op, table))
                return true;
    return false;
}

/* Two jobs that rewrite one table would lose rows of the first. */
static bool table_taken(const struct supervisor *s, const struct trip *t)
{
    const struct operation *op = t->op;
    for (size_t g = 0; g < op->ngives; g++)
        if (op->gives[g]->table && op->gives[g]->on && written_now(s, t, op->gives[g]->table))
            return true;
    return op->take.kind == TAKE_TABLE && written_now(s, t, op->take.table);
}

static bool alone(const struct operation *op)
{
    return op->reads_itself || op->fills_table || op->numbers;
}

static struct trip *next_of_flow(struct supervisor *s, const struct flow *f, int64_t now)
{
    if (!s->flows[f->index].in[TRIP_QUEUED] || tied(s, f, now))
        return NULL;
    if (flow_stages(f)) {
        struct trip *t = first_open(s, f);
        return t && t->state == TRIP_QUEUED && t->due <= now && !table_taken(s, t) ? t : NULL;
    }
    for (struct trip *t = s->flows[f->index].first; t; t = t->next) {
        if (t->state == TRIP_QUEUED && t->due <= now && !table_taken(s, t)
            && (!alone(t->op) || t == first_open(s, f)))
            return t;
        if (t->due > now && !f->any_order && alone(t->op))
            return NULL;
    }
    return NULL;
}

/* The flows take turns, so that none waits for the queue of another. */
struct trip *sched_next(struct supervisor *s, int64_t now)
{
    size_t n = s->site->nflows;
    for (size_t i = 0; i < n; i++) {
        struct trip *t = next_of_flow(s, s->site->flows[(s->turn + i) % n], now);
        if (t) {
            s->turn = (t->op->flow->index + 1) % n;
            return t;
        }
    }
    return NULL;
}

bool sched_busy(const struct supervisor *s, const struct flow *f)
{
    return sched_open(&s->flows[f->index]) > 0;
}

bool sched_may_deliver(const struct supervisor *s, const struct trip *t)
{
    return (t->op->flow->any_order && !flow_stages(t->op->flow)) || first_open(s, t->op->flow) == t;
}
