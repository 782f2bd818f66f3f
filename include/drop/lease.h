/*
 * lease - one watcher per site
 *
 *     struct lease lease;
 *     rc = lease_take(&lease, &spool, problems);
 *              STOP with SITE_BUSY (and the holder's process id) when somebody has it
 *     ...
 *     lease_give(&lease);
 *
 * A lock on .waybill/lock, held for life by the open descriptor: it goes when the process goes, however it dies.  A
 * forked worker closes lease.fd at once, or it would hold the lease as well.  Each taking raises the epoch, durably;
 * batch ids carry it.
 *
 * Errors:  OK, STOP (SITE_BUSY), TEMP.
 * Limits:  one host; hosts that share a spool need the epoch in their paths (DESIGN section 10), which is not done yet.
 */
#ifndef WAYBILL_DROP_LEASE_H
#define WAYBILL_DROP_LEASE_H

#include "drop/spool.h"

struct lease {
    int fd;
};

int lease_take(struct lease *l, struct spool *s, struct problems *ps);
void lease_give(struct lease *l);
/* The process id of the holder, 0 = nobody; for `status` and `health`. Needs no lease. */
int lease_holder(const struct spool *s, long *pid_out, struct problems *ps);

#endif
