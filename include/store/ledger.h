/*
 * ledger - one line per finished message, for ever
 *
 *     struct ledger *l;
 *     rc = ledger_open(arena, store, "orders", &l, problems);
 *     ledger_add(l, &(struct ledger_record){ .batch = id, .part = "convert", .message = 3, .outcome = "done",
 *                                             .fields = … });
 *     rc = ledger_commit(l, problems);              durable from here on
 *     n = ledger_find(l, names, texts, 1, slice_none(), arena, &record);
 *
 * .waybill/ledger/<flow>.ledger, append-only.  Each line is `CRC32 SHA256 JSON`: the CRC of the JSON, the SHA-256 of
 * the previous line's SHA-256 and this JSON, so that neither a torn write nor an edit goes unseen.  What ledger_add
 * took is found at once (also in this run); ledger_commit writes one *group* – all records of one batch and part –
 * whose last line says so.
 *
 * Crash:   a group without its last line is cut off by the next ledger_open or ledger_commit.  A group (batch, part)
 *          that is there already is not written again: after a crash just add and commit once more.
 * Several: any number of processes may read and append (flock during a commit); ledger_refresh reads what others
 *          appended.
 * Owner:   the ledger lives in its arena; records found live in the arena that is passed.
 * Errors:  OK; TEMP with SYS_…; STOP with LEDGER_DAMAGED (a line inside the file does not add up: fsck says where).
 * Limits:  record 1 MiB, 64 fields.  Memory: about 24 bytes per record and field.
 */
#ifndef WAYBILL_STORE_LEDGER_H
#define WAYBILL_STORE_LEDGER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "store/store.h"

struct ledger_field {
    struct slice name, value;       /* value: canonical text; slice_none() = nothing */
};

struct ledger_record {
    struct slice batch, part;       /* part: the operation; a group is all records of one batch and part */
    struct slice time;              /* RFC 3339 */
    uint64_t message;               /* number in its file from 1; 0 = the batch as a whole */
    struct slice outcome, code;     /* "done", "skipped", "waiting", "rejected"; code may be slice_none() */
    struct ledger_field *fields;    /* business keys and kept fields */
    size_t nfields;
};

struct ledger;

int ledger_open(struct arena *a, const struct store *s, const char *flow, struct ledger **out, struct problems *ps);
void ledger_close(struct ledger *l);
/* Takes a record into memory (copied): found from now on, written by ledger_commit. */
void ledger_add(struct ledger *l, const struct ledger_record *r);
/* Writes what was added and is not there yet, then fdatasync. Nothing added: nothing written. */
int ledger_commit(struct ledger *l, struct problems *ps);
/* Forgets what was added and not committed (another process commits it). */
void ledger_drop(struct ledger *l);
/* Whether the group of this batch and part is in the ledger already. */
bool ledger_has(const struct ledger *l, struct slice batch, struct slice part);
/* How far it goes: the sum of its last line. */
const char *ledger_mark(const struct ledger *l);
/* From now on it goes only so far, to do a batch again; nothing may be committed then.  False: it never went so far. */
bool ledger_as_of(struct ledger *l, const char *mark);
/* Reads what others appended since. */
int ledger_refresh(struct ledger *l, struct problems *ps);

/*
 * Records whose fields have these texts (and this outcome, unless slice_none()): 0, 1 or 2 (= more than one, in
 * different batches or messages); *out is the newest.  out may be NULL.
 */
int ledger_find(struct ledger *l, const struct slice *names, const struct slice *texts, size_t n, struct slice outcome,
                struct arena *a, struct ledger_record *out);
/* Every record in order, the uncommitted ones last; stops when `each` returns other than OK, and returns that. */
int ledger_each(struct ledger *l, struct arena *a, int (*each)(void *owner, const struct ledger_record *r),
                void *owner, struct problems *ps);
size_t ledger_count(const struct ledger *l);
/* The value of a field of a record, or slice_none(). */
struct slice ledger_value(const struct ledger_record *r, struct slice name);
/* Reads the whole file and checks every CRC and the chain; problems with line numbers. For fsck. */
int ledger_verify(const struct store *s, const char *flow, uint64_t *records_out, struct problems *ps);

#endif
