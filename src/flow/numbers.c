#include "flow/work.h"

/* The numbers of next(): those that a refused message has taken are taken by the next one. */

static struct numbers *find_numbers(struct work *w, struct slice name)
{
    const struct site_sequence *q = site_sequence(w->site, name);
    for (struct numbers *n = w->numbers; n; n = n->next)
        if (slice_equal(n->sequence->name, name))
            return n;
    if (!q)
        return NULL;
    struct numbers *n = arena_zero(w->arena, sizeof *n);
    n->sequence = q;
    n->rule = (struct sequence){ .name = q->name, .from = (int64_t)q->from, .to = (int64_t)q->to,
                                 .size = (int)q->size };
    n->want = 1;
    n->next = w->numbers;
    w->numbers = n;
    return n;
}

/* The next lease that an earlier attempt of this batch made. */
static bool known_lease(struct work *w, struct numbers *n, struct lease_range *out)
{
    for (; n->next_known < w->job->nleases; n->next_known++)
        if (slice_equal(w->job->leases[n->next_known].sequence, n->sequence->name)) {
            *out = w->job->leases[n->next_known++];
            return true;
        }
    return false;
}

/* First the numbers of earlier attempts, then new ones: 1, 2, 4 … 64 at a time. */
static int more_numbers(struct work *w, struct numbers *n, struct problems *ps)
{
    struct lease_range r = { .sequence = n->sequence->name };
    int rc = OK;
    if (!known_lease(w, n, &r)) {
        rc = w->port->lease(w->port->owner, r.sequence, n->want, &r.from, &r.to, ps);
        n->want = n->want < 64 ? n->want * 2 : 64;
    }
    if (rc <= WARN)
        ARENA_PUSH(w->arena, n->list, n->n, n->cap) = r;
    return rc;
}

/* What is left of the lease that is at hand; NULL = there is none. */
static const struct lease_range *at_hand(struct numbers *n, struct sequence_lease *out)
{
    for (; n->at.lease < n->n; n->at = (struct number_place){ n->at.lease + 1, 0 }) {
        const struct lease_range *r = &n->list[n->at.lease];
        *out = (struct sequence_lease){ (int64_t)(r->from + n->at.taken), (int64_t)r->to + 1 };
        if (out->first < out->end)
            return r;
    }
    return NULL;
}

int numbers_next(struct work *w, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct numbers *n = find_numbers(w, name);
    struct sequence_lease lease;
    if (!n) {
        problem_addf(ps, PROBLEM_ERROR, "SITE_NO_SEQUENCE", (struct place){ .offset = PLACE_NO_OFFSET },
                     "the site declares no sequence %.*s", SLICE_ARG(name));
        return STOP;
    }
    int rc = at_hand(n, &lease) ? OK : more_numbers(w, n, ps);
    if (rc > WARN)
        return rc;
    at_hand(n, &lease);
    rc = sequence_next(&n->rule, &lease, a, out, ps);
    if (rc == OK)
        n->at.taken++;
    for (size_t i = 0; i < NUMBERS_MARKS && a != &w->message; i++)
        n->marks[i] = n->at;                        /* it is of the file, which outlives the message */
    return rc;
}

void numbers_mark(struct work *w, enum numbers_mark mark)
{
    for (struct numbers *n = w->numbers; n; n = n->next)
        n->marks[mark] = n->at;
}

void numbers_take_back(struct work *w, enum numbers_mark mark)
{
    for (struct numbers *n = w->numbers; n; n = n->next)
        n->at = n->marks[mark];
}

/* The last lease goes first: only what nobody leased behind can go back. */
static void left_of(struct work *w, struct numbers *n, size_t *cap)
{
    struct result *r = w->result;
    struct sequence_lease lease;
    if (!at_hand(n, &lease))
        return;
    for (size_t i = n->n; i-- > n->at.lease + 1; )
        ARENA_PUSH(w->arena, r->leases, r->nleases, *cap) = n->list[i];
    ARENA_PUSH(w->arena, r->leases, r->nleases, *cap) =
        (struct lease_range){ n->sequence->name, (uint64_t)lease.first, (uint64_t)lease.end - 1 };
}

void numbers_end(struct work *w)
{
    size_t cap = w->result->nleases;
    for (struct numbers *n = w->numbers; n; n = n->next)
        left_of(w, n, &cap);
}
