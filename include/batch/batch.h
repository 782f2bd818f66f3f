/*
 * batch - the life of one dropped file
 *
 *     struct batch_site site = { .spool = &spool, .store = &store, .clock = &clock, .zone = zone };
 *     rc = batch_accept(&site, arena, &claim, &how, &b, problems);            place accepted (or error: a duplicate)
 *     rc = batch_input(b, &fd, problems);                                     work/<batch>/in
 *     b->w: pins, params, leases, totals … ; batch_problems(b, problems)
 *     rc = batch_output(b, "outbox/ongoing", wanted_name, &n, &fd, problems); as many as there are, then for each
 *     rc = batch_output_done(b, n, fd, problems);
 *     rc = batch_written(b, problems);                                        all durable, listed: place written
 *     rc = batch_deliver(b, find_outbox, owner, problems);                    place delivered
 *     rc = batch_archive(b, problems);                                        zip verified, work/ gone: place archived
 * or  rc = batch_set_aside(b, "NUM_BAD", text, problems);                     place error, folder in error/<batch>/
 * or  rc = batch_retry(b, "SYS_FULL", &policy, problems);       same place, another time; GAVE_UP sets it aside
 *     batch_close(b);
 *
 * A batch of a flow that stages stays after its first delivery (w->stage names its current staged document):
 *
 *     rc = batch_stage_file(b, slice_none(), &name, &fd, problems);  stage.<k>; when complete batch_staged, then
 *     rc = batch_written, batch_deliver              the own stage is current in the save that makes it delivered,
 *                                                    waits = "rest", operation is still the one that is over
 *     … ledger, tables …
 *     rc = batch_rest(b, SLICE("open"), problems);   waits = "open": the next operation may begin
 *     rc = batch_begin(b, SLICE("send"), problems);  … batch_restart, outputs, batch_written, batch_deliver, batch_rest
 * or  rc = batch_refuse(b, code, text, problems);    the operation alone is refused, the batch stays as it was
 *     rc = batch_end(b, "ended", by, problems);      waits = "end": batch_archive follows
 *
 * What a file says about other batches is installed before its own batch is archived:
 *
 *     while ((id = batch_target(answer, after)) …)   batch_open(…, id, &into), rc = batch_install(answer, into, ps)
 *
 * Places move only so; anything else is BATCH_MOVE, changes nothing and leaves a problem:
 *     accepted → written, delivered (nothing to deliver), error
 *     written  → delivered, error (as long as nothing is visible, or its name is taken)
 *     delivered → written, delivered (a further operation of a batch that stays), archived,
 *                 error (the receiver refused it)
 * A fault on the way (TEMP) leaves all files as they are: recover.h finds the next step.
 *
 * Durable: batch_accept returns when the batch is accepted (RELIABILITY 2.5 steps 6 to 17); batch_written after the
 *          fsync of outputs, their folder, the waybill, the folder; batch_deliver after the fsync of every outbox, then
 *          of the waybill; batch_archive after the zip. With group = true in spool and store the caller ends waves: see
 *          wave.h.
 * Owner:   the batch and its waybill live in the arena; descriptors until batch_close.
 *          batch_begin, batch_rest, batch_refuse, batch_end, batch_install after the fsync of the waybill they save.
 * Errors:  OK; SKIP (this batch must wait or was set aside: see place and problems); STOP (damaged); TEMP.
 * Limits:  one process changes a batch (the holder of the site's lease).
 */
#ifndef WAYBILL_BATCH_BATCH_H
#define WAYBILL_BATCH_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/date.h"
#include "base/map.h"
#include "base/problem.h"
#include "batch/waybill.h"
#include "drop/inbox.h"
#include "drop/outbox.h"
#include "drop/spool.h"
#include "store/archive.h"
#include "store/store.h"

struct batch_site {
    struct spool *spool;
    struct store *store;
    const struct clock *clock;
    const struct zone *zone;        /* NULL = UTC */
};

struct batch {
    const struct batch_site *site;
    struct arena *arena;
    struct waybill *w;
    char id[BATCH_ID_SIZE];
    int dir;                        /* work/<id>, tmp/<id> or error/<id>; -1 = afloat */
    unsigned noutputs;              /* numbers given by batch_output */
    int seen_lock;                  /* held from batch_copy to batch_commit; -1 = none */
    bool fresh;                     /* its outputs were written by this process: their hashes need no second look */
    /* set by the caller when batch_archive follows batch_deliver at once: the waybill is not saved in between */
    bool brief;
    /* set before batch_begin at an interval, which may find nothing to do: it is not saved before there is something
       (a lease, an output); a batch that is closed without that was not touched */
    bool lazy;
    struct batch_wave *wave;        /* afloat (wave.h): it has no folder; NULL = it has */
    unsigned slot;                  /* … its number there */
    uint64_t input_at;              /* … where its input stands in the log */
    struct slice input;             /* … the input itself, when it is short; slice_none() = it stands in the log only */
    struct slice lines;             /* … its lines; slice_none() = none yet */
    unsigned spare;                 /* number of an output that is staged ahead; 0 = none */
    int spare_fd;
    struct map *names;              /* of outputs, by outbox and name; made at first use */
    struct waybill_output *last_output;
};

enum duplicate_policy { DUPLICATE_REJECT, DUPLICATE_WARN, DUPLICATE_PROCESS };

struct batch_accept {
    struct slice flow, operation;
    enum duplicate_policy content;
    uint64_t max_size;              /* limits->file */
    const char *id;                 /* batch_create: an id that was noted before; NULL = a new one */
    const int *from;                /* batch_create: a descriptor that gives the input instead; NULL = none */
    struct slice parent;            /* what it was made from */
    const struct batch *with;       /* batch_create: one set aside whose inbox and companions it gets; NULL = none */
    const char *asked;              /* id of the request that it answers; NULL = none */
    struct slice by;                /* … who asked */
    struct waybill_param *sets;     /* … and its params */
    const char *config;             /* manifest of the mappings that convert it; NULL or "" = none is kept */
    /* Called before one that is refused as it comes goes to error/; NULL = nobody wants to know. */
    void (*aside)(void *owner, const struct waybill *w);
    void *owner;
    const char *refuse;             /* it is not worked on but set aside at once, with this code; NULL = it is */
    struct slice refuse_text;
};

/* A new id for now; the stamp of now, RFC 3339 with the zone's offset. */
void batch_new_id(const struct batch_site *s, char out[BATCH_ID_SIZE]);
struct slice batch_stamp(const struct batch_site *s, struct arena *a);
/* The stamp of so many milliseconds from now; the milliseconds until a stamp, 0 when it is past. */
struct slice batch_stamp_in(const struct batch_site *s, struct arena *a, int64_t ms);
int64_t batch_until_ms(const struct batch_site *s, struct slice stamp);
/* Whether a batch exists anywhere: work, error, archive.  OK: it does; END: it does not; TEMP: that cannot be told. */
int batch_known(const struct batch_site *s, const char *id, struct problems *ps);
/* The same without those that were set aside as a whole, and those of which nothing was used: they had no effect, so
   their content may come again. `owner` is the batch_site; in doubt it exists. */
bool batch_taken(void *owner, const char *id);

/*
 * Copies, enters the content key, writes the waybill, accepts, disposes of the claim.  A claim that was accepted before
 * a crash is only disposed of: END, *out NULL (recover_each gives the batch).  A duplicate under DUPLICATE_REJECT
 * becomes place error with DUP_CONTENT (result SKIP, *out set, folder in error/), so does one that is refused.
 */
int batch_accept(const struct batch_site *s, struct arena *a, struct claim *c, const struct batch_accept *how,
                 struct batch **out, struct problems *ps);
/* Its parts. */
int batch_copy(const struct batch_site *s, struct arena *a, struct claim *c, const struct batch_accept *how,
               struct batch **out, struct problems *ps);
int batch_commit(struct batch *b, struct problems *ps);
int batch_dispose(struct batch *b, struct problems *ps);
/* A batch that no drop caused: an operation over a table, a bundle, a replay. `input` may be empty. */
int batch_create(const struct batch_site *s, struct arena *a, const struct batch_accept *how, struct slice name,
                 struct slice input, struct batch **out, struct problems *ps);
/* Its input anew, all that `fd` gives from its beginning, when it differs: a table may change before the work on it
   begins. Saved. */
int batch_refill(struct batch *b, int fd, struct problems *ps);

/*
 * A batch made of a file in another one's folder – a member of a dropped archive –, which both have from then on; its
 * id (how->id) was noted there before. OK, SKIP as batch_accept; END: it was made before.
 */
int batch_adopt(const struct batch *parent, const struct waybill_file *f, struct arena *a,
                const struct batch_accept *how, struct batch **out, struct problems *ps);

/* A batch in work/ (or error/). END when there is none. */
int batch_open(const struct batch_site *s, struct arena *a, const char *id, struct batch **out, struct problems *ps);
/* The waybill of a batch wherever it is, the archive included: for show and status. */
int batch_find(const struct batch_site *s, struct arena *a, const char *id, struct waybill **out, struct problems *ps);
void batch_close(struct batch *b);
/* One that waits holds no descriptor: its folder is opened anew before anything is done to it.  For one that is afloat
   both do nothing. */
void batch_folder_close(struct batch *b);
int batch_folder_open(struct batch *b, struct problems *ps);
/* Every batch in work/ (error: in error/), the oldest first. */
int batch_each(const struct batch_site *s, bool error, int (*each)(void *owner, const char *id), void *owner,
               struct problems *ps);

/* A file of a batch wherever the batch is, for reading: one of the archive comes out of the zip, into memory. END when
   there is no such batch or member. */
int batch_read_file(const struct batch_site *s, struct arena *a, const char *id, struct slice file, int *fd_out,
                    struct problems *ps);
/* The original bytes, for reading: of one afloat, a copy in memory. */
int batch_input(const struct batch *b, int *fd_out, struct problems *ps);
/* The same as bytes, of a short one that is afloat; slice_none() = only batch_input has it. */
struct slice batch_input_text(const struct batch *b);
/* Whether `in` still has the waybill's hash: STOP with BATCH_DAMAGED. */
int batch_check_input(const struct batch *b, struct problems *ps);
/* Saves the waybill as it is, without moving (leases, answers, stamps). */
int batch_save(struct batch *b, struct problems *ps);
/*
 * Where files of a batch in work/ are made, replaced and removed: the returned folder, and the path below it.  That is
 * the batch's own folder and "" – on a shared site the whole path, where a host that was cut off finds nothing: what it
 * still writes would else stand in the batch as another host has it by now.  batch_open_file and batch_unlink as openat
 * and unlinkat, batch_replace as file_replace with 0600.
 */
int batch_place(const struct batch *b, char below[SPOOL_PATH]);
int batch_open_file(const struct batch *b, const char *name, int flags, unsigned mode);
int batch_unlink(const struct batch *b, const char *name);
int batch_replace(const struct batch *b, const char *name, struct slice bytes, bool sync, struct problems *ps);
/* Adds an event to the history with the time of now. */
void batch_note(struct batch *b, const char *what, struct slice detail);
/* Groups the problems by code and path into the waybill (first 50) and counts. */
void batch_problems(struct batch *b, const struct problems *of);

#define BATCH_OUTPUTS_MAX 50000     /* files that one batch may give; then LIMIT_OUTPUTS (STOP) */
/* Stages one more output: `wanted` is cleaned (outbox_name) and made unique within the batch (-2, -3 … before the
   extension). */
int batch_output(struct batch *b, const char *outbox, struct slice wanted, unsigned *n_out, int *fd_out,
                 struct problems *ps);
/* Stages the file of the next output ahead of its name: the next batch_output takes it.  What nobody took is
   dropped. */
int batch_spare(struct batch *b, int *fd_out, struct problems *ps);
void batch_spare_drop(struct batch *b);
/* Enters size and hash; closes fd. `sha256` NULL: the file is read back. */
int batch_output_done(struct batch *b, unsigned n, int fd, const char *sha256, struct problems *ps);
/* Drops an output that turned out empty. */
int batch_output_drop(struct batch *b, unsigned n, int fd, struct problems *ps);
/* Keeps a copy of each output of this run (sent.<n>), so that it can be delivered once more: before batch_written. */
int batch_keep_outputs(struct batch *b, struct problems *ps);
/* Keeps what this run was done with (run.<n>: a waybill that says no more than that), so that it can be done again:
   before batch_written; nothing when it made no output and no staged document of its own. `open`: the batches that were
   open (name) and their staged documents (value). */
int batch_keep_run(struct batch *b, struct waybill_param *open, struct problems *ps);
/* Stages what was kept again, under the same names: of one operation, or (n 0) all; what lies in its outbox still is
   passed over, with a warning. STOP with BATCH_NOTHING_SENT. */
int batch_outputs_again(struct batch *b, struct slice operation, struct problems *ps);
/* Forgets outputs, files, totals and groups of a conversion or run that did not reach `written`, so that it can start
   anew; leases, the current stage and all that earlier runs left are kept. */
void batch_restart(struct batch *b);

/*
 * The next free name for a staged document, or for the part of the log (`log`) that goes to another batch, and the open
 * file (0600, emptied): stage.<k> for its own (target slice_none() or the own id), stage.<target>, log.<target>.  When
 * it is complete and on the disk the caller lists it: batch_staged.
 */
int batch_stage_file(struct batch *b, struct slice target, struct slice *name_out, int *fd_out, struct problems *ps);
int batch_log_file(struct batch *b, struct slice target, struct slice *name_out, int *fd_out, struct problems *ps);
/* Lists such a file in the waybill: size, count (messages), hash, states are filled in by the caller. */
struct waybill_file *batch_staged(struct batch *b, struct slice name, struct slice target);

/* An operation of an open batch begins (the caller has put run_sets, run_keys, run_amends): place delivered, its
   batch time is now, no longer due; saved. BATCH_BUSY (STOP) while another one is under way or the batch is held. */
int batch_begin(struct batch *b, struct slice operation, struct problems *ps);
/* The operation is over: noted in `runs`, waits = why ("open", "person", "answer"); saved. */
int batch_rest(struct batch *b, struct slice why, struct problems *ps);
/* The operation under way is refused as a whole: its outputs and files are forgotten, the reason is in `runs` and in
   the history, waits = "open"; saved. */
int batch_refuse(struct batch *b, const char *code, struct slice text, struct problems *ps);
/* Its life is over, by itself ("ended") or by somebody ("cancelled", `by`), instead of batch_rest or later: nothing is
   due any more; saved. */
int batch_end(struct batch *b, const char *what, struct slice by, struct problems *ps);
/* The waybill as it is now, to come back to when a save fails after several changes. */
struct batch_memory {
    struct buf text;
    uint64_t seq;
    char prev[SHA256_HEX], check[SHA256_HEX];
};
void batch_remember(const struct batch *b, struct batch_memory *m);
void batch_recall(struct batch *b, const struct batch_memory *m, struct problems *ps);
void batch_forget_memory(struct batch_memory *m);
/* Holds it until batch_release; what is due stays due. */
int batch_hold(struct batch *b, struct slice by, struct problems *ps);
int batch_release(struct batch *b, struct slice by, struct problems *ps);
/* From now on it is converted with the mappings of that manifest. */
int batch_renew(struct batch *b, const char *config, struct slice by, struct problems *ps);
/* Ends an open batch as "cancelled"; one that is not delivered goes to error/ as CANCELLED, and its content may come
   again. BATCH_BUSY (STOP) when something of it is visible already. When it cannot be saved nothing has changed; when
   its folder cannot be moved the same `by` goes on. */
int batch_cancel(struct batch *b, struct slice by, struct problems *ps);
/* The next attempt of one that waits for its retry is due now. */
int batch_retry_now(struct batch *b, struct slice by, struct problems *ps);
/* Whether its life goes on: it has a staged document and no end yet. */
bool batch_is_open(const struct waybill *w);
/* Every open batch in work/, oldest first; `b` is closed after `each` returns, unless that sets *b to NULL. A waybill
   that cannot be believed is passed over (recovery sees to it), so is a folder that cannot be read: TEMP at the end. */
int batch_each_open(const struct batch_site *s, struct arena *a, struct slice flow,
                    int (*each)(void *owner, struct batch **b, struct problems *ps), void *owner, struct problems *ps);

/* The first batch that `answer` has something for and that is behind `after` ("" = the first); NULL = none. */
const char *batch_target(const struct batch *answer, const char *after);
/* Whether `into` has the answer already: what it brought is not due again. */
bool batch_answered(const struct batch *into, const struct batch *answer);
/*
 * The stage and the log of `answer` for `into` become those of `into`, which names the answer and what it brought (put
 * into->w->due before).  Idempotent: links, then the waybill; the answer keeps its files until it is archived.
 */
int batch_install(struct batch *answer, struct batch *into, struct problems *ps);

/*
 * The file `entry` of the folder `from` (-1 = none), which a message names, becomes one of the batch: copied
 * into its folder, entered (kind "companion") and saved, then removed there.  One that changed less than stable_ms ago
 * counts as not there yet.  Else the newest one of that name that the batch has. *fd_out: for reading, -1 = there is
 * none; what is no regular file, or longer than `max`, is given as it lies there.
 */
struct batch_beside {
    int from;
    const char *entry;
    uint64_t max;
    int64_t stable_ms;
};
int batch_companion(struct batch *b, const struct batch_beside *of, int *fd_out, struct problems *ps);

/* All outputs are there. Nothing staged: place delivered at once. Afloat: after a spool_sync that made the outputs so,
   and sure with batch_wave_write and another one. */
int batch_written(struct batch *b, struct problems *ps);
/* Publishes in listed order; `find` gives the open outbox of a path. SKIP with OUTBOX_TAKEN: try again later. */
int batch_deliver(struct batch *b, const struct outbox *(*find)(void *owner, struct slice path), void *owner,
                  struct problems *ps);
/* Moves work/<id>/rejects/ (refused messages in their own syntax, written there by the flow) to error/<id>/, with
   the waybill and lines. */
int batch_rejects(struct batch *b, struct problems *ps);
/* Writes the zip of everything in work/<id> but temporaries, verifies, removes the folder. One that is afloat lands
   first. */
int batch_archive(struct batch *b, struct problems *ps);
/*
 * batch_archive in parts, for a zip that another process writes: begin gives what goes in and the empty file (END: a
 * good zip is there), archived_fill is done elsewhere, end makes it the batch's archive; `status` other than OK gives
 * up and leaves the batch delivered.  The batch is not changed by others in between.
 * Of several at once (bundle.h): prepare gives what goes in, done says that the zip and what lies beside it are there.
 */
struct batch_zip {
    struct archived_member *members;
    size_t n;
    int fd;                         /* -1: a good zip is there, or none was begun */
    struct slice text;              /* the waybill as it goes in */
    struct waybill_event *archived; /* enters the history when the zip has its name */
    struct waybill_event *last;     /* of before */
    uint64_t nevents;
    struct slice waits, operation;  /* of before */
};
int batch_zip_prepare(struct batch *b, struct batch_zip *z, struct problems *ps);
int batch_zip_done(struct batch *b, struct batch_zip *z, struct problems *ps);
int batch_zip_begin(struct batch *b, struct batch_zip *z, struct problems *ps);
int batch_zip_end(struct batch *b, struct batch_zip *z, int status, struct problems *ps);
/* Removes work/<id> of an archived batch; of one afloat, its part of the wave. */
int batch_leave(struct batch *b, struct problems *ps);
/* Waits for a person or an answer: recovery leaves it alone. slice_none() = goes on. */
int batch_wait(struct batch *b, struct slice why, struct problems *ps);

/* Place error: the folder moves to error/<id>/, the input under its own (cleaned) name; nothing is deleted. When the
   waybill cannot be saved nothing has changed; when a later step fails the place is error and a second call goes on. */
int batch_set_aside(struct batch *b, const char *code, struct slice text, struct problems *ps);

struct retry_policy {
    /* 1m 5m 30m …, each at least 1 s but for WORKER_DIED; the last is used again; n 0 = 1 s, doubling up to 300 s */
    const int64_t *delays_ms;
    size_t n;
    int64_t give_up_ms;             /* 5 days */
    uint32_t poison;                /* attempts after which WORKER_DIED gives up: 3 */
};
/* Notes the cause and the next time. When the time is up: set aside with GAVE_UP, result SKIP. */
int batch_retry(struct batch *b, const char *cause, const struct retry_policy *policy, struct problems *ps);
/* Milliseconds until the retry is due; 0 = now or none. */
int64_t batch_due(const struct batch *b);

#endif
