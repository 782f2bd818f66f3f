/*
 * observe - for how long each waiting file has stayed the same
 *
 * A hash table of 16-byte entries: the key is a hash of a file's name and state, so a file that changes becomes a new
 * entry and its old one is swept at the end of the pass.  At most OBSERVE_MAX files; those beyond are not observed and
 * wait.
 *
 * Units:   milliseconds of the monotonic clock, modulo 2^32 (49 days).
 */
#ifndef WAYBILL_DROP_OBSERVE_H
#define WAYBILL_DROP_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define OBSERVE_MAX 131072u

enum observe_flag {
    OBSERVE_REPORTED = 1,           /* its problem was told */
    OBSERVE_INCOMPLETE = 2,         /* its content was looked at and is not complete */
    OBSERVE_DENIED = 4,             /* it could not be renamed, `since` says when */
    OBSERVE_FLAGS = 3,              /* so many bits */
};

struct observed {
    uint64_t key;                   /* 0 = free */
    uint32_t since;
    uint32_t pass;                  /* pass << OBSERVE_FLAGS | flags */
};

struct observations {
    struct arena arena;             /* of the table: released when it grows */
    struct observed *table;
    size_t cap, n;                  /* cap is a power of two */
    uint32_t pass;
};

void observe_init(struct observations *o);
void observe_release(struct observations *o);
void observe_begin(struct observations *o);
/* The entry of a key, new ones with since = now; NULL when the table is full. */
struct observed *observe(struct observations *o, uint64_t key, int64_t now_ms);
/* Forgets what this pass did not see. */
void observe_sweep(struct observations *o);

#endif
