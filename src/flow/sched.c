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

struct trip *sched_first(const struct supervisor *s, const struct flow *f)
{
    struct trips *list = &s->flows[f->index];
    struct trip *t = list->open ? list->open : list->first;
    while (t && done(t))
        t = t->next;
    list->open = t ? t : list->last;
    return t;
}

static struct trip *first_queued(const struct supervisor *s, const struct flow *f)
{
    struct trips *list = &s->flows[f->index];
    struct trip *t = list->queued ? list->queued : list->first;
    while (t && t->state != TRIP_QUEUED)
        t = t->next;
    list->queued = t ? t : list->last;
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

static bool any_alone(const struct flow *f)
{
    for (size_t i = 0; i < f->noperations; i++)
        if (alone(f->operations[i]))
            return true;
    return false;
}

static struct trip *next_of_flow(struct supervisor *s, const struct flow *f, int64_t now)
{
    if (!s->flows[f->index].in[TRIP_QUEUED] || tied(s, f, now))
        return NULL;
    if (flow_stages(f)) {
        struct trip *t = sched_first(s, f);
        return t && t->state == TRIP_QUEUED && t->due <= now && !table_taken(s, t) ? t : NULL;
    }
    for (struct trip *t = any_alone(f) ? sched_first(s, f) : first_queued(s, f); t; t = t->next) {
        if (t->state == TRIP_QUEUED && t->due <= now && !table_taken(s, t)
            && (!alone(t->op) || t == sched_first(s, f)))
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
    const struct trips *of = &s->flows[f->index];
    return of->n > of->in[TRIP_TO_ZIP] + of->in[TRIP_ZIPPING];
}

/* In the order of its flow only the first one, unless it was told that any may go. */
static struct trip *next_delivery(const struct supervisor *s, const struct flow *f, int64_t now)
{
    bool any = f->any_order && !flow_stages(f);
    struct trip *t = s->flows[f->index].in[TRIP_WRITTEN] ? sched_first(s, f) : NULL;
    for (; t; t = any ? t->next : NULL)
        if (t->state == TRIP_WRITTEN && !t->waved && t->due <= now)
            return t;
    return NULL;
}

struct trip *sched_delivery(const struct supervisor *s, int64_t now)
{
    for (size_t i = 0; i < s->site->nflows; i++) {
        struct trip *t = next_delivery(s, s->site->flows[i], now);
        if (t)
            return t;
    }
    return NULL;
}

bool sched_more_waved(const struct supervisor *s)
{
    for (size_t i = 0; i < s->site->nflows; i++) {
        const struct trip *t = s->flows[i].in[TRIP_QUEUED] ? first_queued(s, s->site->flows[i]) : NULL;
        for (; t; t = t->next)
            if (t->waved && t->state == TRIP_QUEUED)
                return true;
    }
    return false;
}
