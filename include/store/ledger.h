/*
 * ledger - one line per finished message, for ever
 *
 *     struct ledger *l;
 *     rc = ledger_open(arena, store, "orders", &l, problems);
 *     rc = ledger_begin(l, batch, part, problems);  END: this group is there already
 *     rc = ledger_write(l, &(struct ledger_record){ .batch = batch, .part = part, .message = 3, .outcome = "done",
 *                                                   .fields = … }, problems);
 *     rc = ledger_end(l, &whole, problems);         its last record; then perhaps other groups
 *     rc = ledger_commit(l, problems);              durable from here on, and found
 *     n = ledger_find(l, names, texts, 1, slice_none(), arena, &record);
 *
 * .waybill/ledger/<flow>.ledger, append-only.  Each line is `CRC32 SHA256 JSON`: the CRC of the JSON, the SHA-256 of
 * the previous line's SHA-256 and this JSON, so that neither a torn write nor an edit goes unseen.  All records of one
 * batch and part are a *group*, whose last line says so.  Lines go into the file as they come, a quarter of a MiB at a
 * time.  Whoever only wants to find what this run has noted itself gives it to ledger_add: never written to the file.
 *
 * Crash:   a group without its last line counts for nothing; the next ledger_begin cuts it off, sets it aside in
 *          <flow>.ledger.torn and warns of it (LEDGER_TORN).  A group (batch, part)
 *          that is there already is not written again: after a crash just write and commit once more.
 * Several: any number of processes may read and append (flock from ledger_begin to ledger_commit or ledger_drop);
 *          ledger_refresh reads what others appended.
 * Owner:   the ledger lives in its arena; records found live in the arena that is passed.
 * Errors:  OK; TEMP with SYS_…; STOP with LEDGER_DAMAGED (a line inside the file does not add up: fsck says where).
 * Limits:  record LEDGER_RECORD_MAX.  Memory: about 24 bytes per record, and 16 for each list of fields that was asked
 *          for; a record of ledger_add takes no more than one in the file (its texts go into a temporary file).
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

#define LEDGER_RECORD_MAX (64ULL << 20)     /* bytes of all names and values of a record */

struct ledger;

/* Every ledger of the store becomes a copy of itself, by way of its fence: who has one open, on another host where no
   lock counts, writes into a file that has no name any more.  Nothing of this process is open yet. */
int ledger_renew(const struct store *s, struct problems *ps);
int ledger_open(struct arena *a, const struct store *s, const char *flow, struct ledger **out, struct problems *ps);
void ledger_close(struct ledger *l);
/* Takes a record (copied) that is found from now on and never written. Not while something is being written. */
int ledger_add(struct ledger *l, const struct ledger_record *r, struct problems *ps);
/* Forgets what ledger_add took. */
void ledger_forget(struct ledger *l);
/* Begins a group: OK, or END when it is there already and nothing is to be written. */
int ledger_begin(struct ledger *l, struct slice batch, struct slice part, struct problems *ps);
int ledger_write(struct ledger *l, const struct ledger_record *r, struct problems *ps);
/* The last record of the group. */
int ledger_end(struct ledger *l, const struct ledger_record *r, struct problems *ps);
/* All groups since the first ledger_begin become durable (fdatasync), or none of them: then they are dropped. */
int ledger_commit(struct ledger *l, struct problems *ps);
/* Takes back what was written since the first ledger_begin; nothing was: nothing happens. */
void ledger_drop(struct ledger *l, struct problems *ps);
/* Whether the group of this batch and part is in the ledger: OK, END, or TEMP when that cannot be read. */
int ledger_has(struct ledger *l, struct slice batch, struct slice part, struct problems *ps);
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
/* A line could not be read since it was asked last: TEMP; what ledger_find said since may lack a record. */
int ledger_fault(struct ledger *l, struct problems *ps);
/* The value of a field of a record, or slice_none(). */
struct slice ledger_value(const struct ledger_record *r, struct slice name);
/* Reads the whole file and checks every CRC and the chain; problems with line numbers. For fsck. */
int ledger_verify(const struct store *s, const char *flow, uint64_t *records_out, struct problems *ps);

#endif
