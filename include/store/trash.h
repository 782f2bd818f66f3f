/*
 * trash - what a purge takes away: whole, durably, and not forgotten
 *
 *     rc = trash_lock(store, &lock, problems);                one purge at a time; END = another one is at it
 *     rc = trash_note(store, "20241122", ids, problems);      these batches existed: what was seen stays seen
 *     rc = trash_put(store, "archive/2024/11", "22", problems);
 *     rc = trash_empty(store, 500, problems);                 END = nothing is left
 *     trash_unlock(lock);
 *
 * A file or folder goes by one rename into .waybill/trash, both folders synced, and is unlinked there: nothing half
 * deleted is ever seen, and a killed purge is ended by the next.  The ids of purged batches stay in
 * .waybill/purged/<day>, written before the rename: seen.h asks whether a batch existed, and a content that was taken
 * years ago is still known.
 *
 * Errors:  OK, END, TEMP with SYS_….
 * Source:  RELIABILITY.md 2.9, Retention.
 */
#ifndef WAYBILL_STORE_TRASH_H
#define WAYBILL_STORE_TRASH_H

#include <stddef.h>

#include "base/buf.h"
#include "base/problem.h"
#include "store/store.h"

int trash_lock(const struct store *s, int *lock_out, struct problems *ps);
void trash_unlock(int lock);
/* `ids`: one per line; added to those of the day (yyyymmdd) that are noted already. */
int trash_note(const struct store *s, const char *day, struct slice ids, struct problems *ps);
/* OK: the batch existed and was purged; END: it was not; TEMP: who knows – taken for new it may be done a second time,
   taken for done it may be lost. */
int trash_look(const struct store *s, const char *batch, struct problems *ps);
/* `folder` below the site, `name` in it; OK also when it is gone already. */
int trash_put(const struct store *s, const char *folder, const char *name, struct problems *ps);
/* Unlinks at most `max` names. */
int trash_empty(const struct store *s, size_t max, struct problems *ps);

#endif
