/*
 * fence - nothing of a host that lost a shared site gets into its store any more
 *
 *     rc = lease_take(&lease, &spool, problems);
 *     rc = store_open(&store, arena, dir, durable, problems);
 *     rc = site_fence(&store, &spool, &lease, problems);         before anything of the store is written
 *
 * Between hosts no lock counts.  What replaces a file is made in the tmp of the lease's own epoch (store_fence), which
 * the next holder removes; ledgers, which are appended to, are copied when the holder before was only silent
 * (ledger_renew): what it still appends goes into a file without a name.
 *
 * Errors:  OK; TEMP with SYS_….  A site that is not shared has its locks: nothing is done.
 */
#ifndef WAYBILL_FLOW_FENCE_H
#define WAYBILL_FLOW_FENCE_H

#include "drop/lease.h"
#include "store/store.h"

int site_fence(struct store *store, const struct spool *spool, const struct lease *lease, struct problems *ps);

#endif
