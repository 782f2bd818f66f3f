/*
 * store - what a site knows for good, and how hard it is written
 *
 * One struct for the folders that hold truth in plain files: .waybill/seen, .waybill/sequences, .waybill/ledger,
 * archive/.
 *
 *     struct store st;
 *     rc = store_open(&st, arena, "/srv/site", true, problems);
 *     ...
 *     store_close(&st);
 *
 * Durable: with `durable` every step of seen.h, sequence.h, ledger.h and archive.h ends on the disk before it returns.
 *          With `group` as well they skip their fsyncs of folders and of what a later step of the same wave waits for,
 *          and the caller ends the wave with store_sync() (one syncfs for all).  Sequences and ledgers are never
 *          grouped: their numbers are used at once.  Without `durable` nothing is ever synced: for tests, --no-fsync.
 *
 * Shared:  who has the site by a lease, where no lock counts, says with store_fence() which folder a take-over removes.
 *          What gets a name in the end (sequences, seen, archive) is made there, so that a host that lost the site has
 *          nothing to name; what is appended to (ledgers) is copied by the one that took over (ledger_renew).
 *
 * Owner:   the caller owns the struct; `path` lives in the arena.
 * Errors:  OK, or TEMP with SYS_… when a folder cannot be made or opened.
 * Limits:  a store may be shared by processes (every file has its own lock) but not by threads.
 */
#ifndef WAYBILL_STORE_STORE_H
#define WAYBILL_STORE_STORE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/problem.h"

struct store {
    const char *path;               /* the site's folder, as the user named it */
    int root;                       /* descriptor of the site's folder */
    int top;                        /* of .waybill */
    bool durable, group;
    char fence[48];                 /* "" or "epoch-7/tmp/", below top */
};

/* Opens a site's store; makes the folders that are missing (0700). */
int store_open(struct store *s, struct arena *a, const char *site, bool durable, struct problems *ps);
void store_close(struct store *s);
/* The folder below .waybill that is the holder's alone; "" = the site is not shared. */
void store_fence(struct store *s, const char *folder);
/* The end of a wave: all that was written before is on the disk. Does nothing unless durable. */
int store_sync(const struct store *s, struct problems *ps);

#endif
