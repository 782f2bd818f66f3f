/*
 * ledger_index - from the texts of some fields to the records that have them
 *
 * Holds hashes and record numbers only, 20 bytes per record; whoever asks reads the record to be sure.  The newest
 * record of a key comes first.
 *
 *     for (uint32_t i = ledger_index_first(x, hash); i; i = ledger_index_next(x, i)) … record i - 1, perhaps …
 */
#ifndef WAYBILL_STORE_LEDGER_INDEX_H
#define WAYBILL_STORE_LEDGER_INDEX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct ledger_index {
    struct ledger_index *next;
    struct slice *names;            /* fields; n 0 = batch and part */
    size_t n;
    uint32_t *slots;                /* number + 1 of the newest record; 0 = free */
    size_t nslots, used;
    uint32_t *older;                /* [record] -> number + 1 of the next older one of the same hash */
    uint64_t *hashes;               /* [record]; 0 = not in the index */
    size_t rows, cap;               /* records looked at */
};

uint64_t ledger_index_hash(const struct slice *texts, size_t n);
/* Takes in the next record, with its hash, or leaves it out when hash is 0. */
void ledger_index_take(struct arena *a, struct ledger_index *x, uint64_t hash);
/* Forgets the newest records: so many stay. */
void ledger_index_cut(struct ledger_index *x, size_t rows);
uint32_t ledger_index_first(const struct ledger_index *x, uint64_t hash);

static inline uint32_t ledger_index_next(const struct ledger_index *x, uint32_t at)
{
    return x->older[at - 1];
}

#endif
