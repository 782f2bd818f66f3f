/*
 * ledger_waiting - records that are found and never written: what a run has noted itself
 *
 *     struct waiting w = { .fd = -1 };
 *     rc = waiting_put(&w, store, &record, &at, &length, problems);
 *     good = waiting_get(&w, at, length, arena, &record);
 *     waiting_forget(&w);
 *
 * The last quarter of a MiB is in memory, what is older in a file without a name below .waybill/ledger (in memory where
 * the file system cannot make one): it is gone with the process.
 *
 * Owner:   waiting_forget closes the file; the texts of a record live in the arena that is passed.
 * Errors:  OK; TEMP with SYS_….  waiting_get: false with errno, EIO when the file does not hold what was put.
 * Limits:  a record of LEDGER_RECORD_MAX.
 */
#ifndef WAYBILL_STORE_LEDGER_WAITING_H
#define WAYBILL_STORE_LEDGER_WAITING_H

#include "base/buf.h"
#include "store/ledger.h"

struct waiting {
    int fd;                         /* -1 = all is in memory */
    uint64_t at;                    /* where bytes go in the file */
    struct buf bytes;
};

int waiting_put(struct waiting *w, const struct store *s, const struct ledger_record *r, uint64_t *at_out,
                uint32_t *length_out, struct problems *ps);
bool waiting_get(const struct waiting *w, uint64_t at, uint32_t length, struct arena *a, struct ledger_record *out);
void waiting_forget(struct waiting *w);

#endif
