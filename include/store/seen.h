/*
 * seen - what was taken before: contents, references, business keys
 *
 *     char key[SHA256_HEX];
 *     seen_key(key, (struct slice[]){ flow, bytes_hash }, 2);
 *     rc = seen_lock(store, SEEN_CONTENT, key, &lock, problems);    held from the question to the batch's durable point
 *     rc = seen_put(store, SEEN_CONTENT, key, batch, known, owner, other, problems);
 *          OK: it is ours (now, or from before a crash);  SKIP: `other` has it
 *     ... accept the batch ...
 *     seen_unlock(lock);
 *
 * An entry is a symbolic link .waybill/seen/<kind>/<hh>/<hash> -> batch: made atomically, read at once, no file to
 * tear.  Question, entry and acceptance are one critical section under the shard's lock (RELIABILITY 0.2 (c)).  An
 * entry whose batch does not exist anywhere (`known` says no) is left from an attempt that died and is taken over.
 *
 * In a group (store.h) one process takes many files at once, two of them perhaps of one shard: seen_lock gives no lock
 * (-1) then, the site's lease is the lock, and `known` must say yes for batches of the same wave.
 *
 * Owner:   seen_lock gives a descriptor; seen_unlock closes it.
 * Errors:  OK, SKIP (somebody else's), TEMP with SYS_….
 * Limits:  batch ids up to 63 bytes.
 */
#ifndef WAYBILL_STORE_SEEN_H
#define WAYBILL_STORE_SEEN_H

#include <stdbool.h>

#include "base/hash.h"
#include "base/problem.h"
#include "store/store.h"

enum seen_kind { SEEN_CONTENT, SEEN_REFERENCE, SEEN_KEY };
#define SEEN_BATCH 64

/* SHA-256 of the parts, each with its length in front, so that no two lists of parts give one key. */
void seen_key(char out[SHA256_HEX], const struct slice *parts, size_t n);
int seen_lock(const struct store *s, enum seen_kind kind, const char *key, int *lock_out, struct problems *ps);
void seen_unlock(int lock);
/* Enters the key for a batch; `known(owner, batch)` tells whether a batch exists (in work, error or archive). */
int seen_put(const struct store *s, enum seen_kind kind, const char *key, const char *batch,
             bool (*known)(void *owner, const char *batch), void *owner, char other[SEEN_BATCH], struct problems *ps);
/* The batch that has the key; END when there is none. */
int seen_get(const struct store *s, enum seen_kind kind, const char *key, char batch_out[SEEN_BATCH],
             struct problems *ps);
/* Removes the entries of batches that `known` does not know; counts them. */
int seen_sweep(const struct store *s, enum seen_kind kind, bool (*known)(void *owner, const char *batch), void *owner,
               uint64_t *removed, struct problems *ps);
/* Takes an entry out if it is this batch's (a batch that was cancelled may come again). */
int seen_remove(const struct store *s, enum seen_kind kind, const char *key, const char *batch, struct problems *ps);

#endif
