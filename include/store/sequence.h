/*
 * sequence - numbers that are never given twice
 *
 *     struct sequence_lease lease = { .first = saved.first, .end = saved.end };
 *              a batch that goes on uses its lease again
 *     rc = sequence_lease(store, &rule, 10, &lease, problems);       durable: nobody else gets these ten
 *     ... record the lease in the waybill, durably, before the first output that shows one of its numbers ...
 *     rc = sequence_next(&rule, &lease, arena, &text, problems);     END when it is used up: lease again
 *     rc = sequence_return(store, &rule, &lease, problems);     the unused rest goes back if nobody leased behind it
 *
 * .waybill/sequences/<name> holds the next free number; a lease moves it forward, durably, before a number is used.
 * Because the batch records its leases, a batch that is converted again after a crash gets the same numbers, and gaps
 * appear only where numbers of a lease that somebody leased behind stay unused.
 *
 * Errors:  OK, END (sequence_next: lease used up), STOP (SEQUENCE_END: all numbers up to `to` are given;
 *          SEQUENCE_DAMAGED), TEMP.
 * Limits:  numbers 0 … 2^62; size at most 18 digits.  Any number of processes (flock).
 */
#ifndef WAYBILL_STORE_SEQUENCE_H
#define WAYBILL_STORE_SEQUENCE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "store/store.h"

struct sequence {
    struct slice name;              /* [A-Za-z0-9._-], as site.conf has it */
    int64_t from, to;               /* to 0 = no end */
    int size;                       /* digits, zeros in front; 0 = as many as needed */
};

struct sequence_lease {
    int64_t first;                  /* the next number of it */
    int64_t end;                    /* one behind the last */
};

/* Leases `want` numbers (fewer when the end is near, at least one). The lease given is replaced: return or use it up
   before. */
int sequence_lease(const struct store *s, const struct sequence *q, int64_t want, struct sequence_lease *out,
                   struct problems *ps);
int sequence_next(const struct sequence *q, struct sequence_lease *lease, struct arena *a, struct slice *out,
                  struct problems *ps);
int sequence_return(const struct store *s, const struct sequence *q, struct sequence_lease *lease, struct problems *ps);
/* The next free number, without taking it: for status and fsck. */
int sequence_peek(const struct store *s, const struct sequence *q, int64_t *out, struct problems *ps);

#endif
