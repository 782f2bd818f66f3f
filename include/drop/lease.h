/*
 * lease - one watcher per site
 *
 *     struct lease lease = { .fd = -1, .shared = site->shared, .expire_ms = limits->lease };
 *     rc = lease_take(&lease, &spool, problems);
 *              STOP with SITE_BUSY (and who has it) while somebody has it: a watcher that stands by asks again
 *     rc = lease_keep(&lease, &spool, clock_monotonic_ms(), problems);       each turn; STOP with SITE_LOST: change
 *                                                                            nothing any more
 *     lease_give(&lease, &spool);
 *
 * On one host: a lock on .waybill/lock, held for life by the open descriptor: it goes when the process goes, however it
 * dies.  A forked worker closes lease.fd at once, or it would hold the lease as well; one that changes what nobody else
 * may change meanwhile is given it for that time.  A taker waits up to ten seconds for such a worker of a dead holder.
 *
 * Between hosts (`shared`), where locks cannot be relied on: .waybill/lease.<epoch>, written beside and named
 * exclusively, so that one of several takers wins; its holder rewrites it (a beat) several times within expire_ms.
 * Another host may take the next epoch when it has seen the same beat for expire_ms of its own monotonic time; no
 * clocks are compared.  It then renames .waybill/epoch-N (spool_enter), which cuts a holder off that was only paused:
 * that one looks after each pause (lease_stands), also when its own clock stood still, and touches nothing any more.
 *
 * Each taking raises the epoch, durably; batch ids carry it.
 *
 * Errors:  OK, STOP (SITE_BUSY, SITE_LOST), TEMP.
 * Source:  DESIGN.md section 10, RELIABILITY.md 2.7.
 */
#ifndef WAYBILL_DROP_LEASE_H
#define WAYBILL_DROP_LEASE_H

#include "drop/spool.h"

#define LEASE_TEXT 128

struct lease {
    int fd;                         /* of the lock; -1: shared, or not held */
    bool shared;
    int64_t expire_ms;              /* a beat that stands still so long is a dead holder's; 0 = a minute */
    uint64_t epoch, beat;           /* held: epoch is not 0 */
    int64_t next;                   /* monotonic ms of the next beat; not shared: of the next look at the folders */
    bool gone;                      /* spool_keep */
    char seen[LEASE_TEXT];          /* waiting: the holder's last beat, since when it stands */
    uint64_t seen_epoch;
    int64_t seen_since;
    bool silent;                    /* held: the one before did not give it back; it may only be paused */
    bool heard;                     /* waiting: there was another beat since the first look, so the holder lives */
};

int lease_take(struct lease *l, struct spool *s, struct problems *ps);
/* Not shared: whether the folders are still there (spool_keep), every few seconds.  WARN: a beat could not be written;
   it is tried again. */
int lease_keep(struct lease *l, const struct spool *s, int64_t now, struct problems *ps);
/* Shared: whether nobody renamed the folders of our epoch. One call, for each time that something was waited for. */
bool lease_stands(const struct lease *l, const struct spool *s);
/* After SITE_BUSY: nothing was heard of the holder of a shared site since the first look; its next beat, or its
   absence, will tell whether it lives.  Asked again, lease_take says so at the latest after expire_ms. */
bool lease_is_unsure(const struct lease *l);
void lease_give(struct lease *l, const struct spool *s);
/* The process id of the holder, 0 = nobody; for `status` and `health`. Needs no lease.  Of a shared site: whoever wrote
   the last beat, on whatever host. */
int lease_holder(const struct spool *s, long *pid_out, struct problems *ps);
/* Seconds since the last beat of a shared site's holder, both by the file system's clock (`now`: of a file just made);
   0 of any other site. More than a few times expire_ms: nobody is there any more. */
int64_t lease_silence(const struct spool *s, int64_t now, struct problems *ps);

#endif
