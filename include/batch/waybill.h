/*
 * waybill - the sidecar: all that is known of a batch, one JSON document
 *
 *     rc = waybill_read(arena, text, "work/…/20261122-034431-12-7.waybill.json", &w, problems);
 *     waybill_write(w, &buf);                        fixed order of keys, "version": 1 first
 *     rc = waybill_save(w, dirfd, durable, problems);
 *            new file, fsync, rename, fsync of the folder; seq + 1, prev = hash of the one before
 *
 * Written by our own writer, read by jansson, strictly: a missing, mistyped or unknown member, a duplicate key or a
 * checksum that does not fit is WAYBILL_DAMAGED (with line and column where the JSON is broken), and nothing is
 * guessed.  The last member, "check", is the SHA-256 of all bytes before it, so a torn or edited waybill is found;
 * "prev" is the check of the document before.
 *
 * Names from outside may hold any byte: "name" is their printable form (buf_add_shown), "name_b64" the bytes, only
 * where they differ. Stamps are RFC 3339 with offset.
 *
 * Owner:   everything lives in the arena that waybill_read or waybill_new was given.
 * Errors:  OK, STOP (WAYBILL_DAMAGED, WAYBILL_VERSION), TEMP with SYS_….
 * Limits:  16 MiB; 50 groups of problems (more only count); every list at most 100,000 members.
 */
#ifndef WAYBILL_BATCH_WAYBILL_H
#define WAYBILL_BATCH_WAYBILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/problem.h"

#define WAYBILL_GROUPS 50
#define WAYBILL_FILE_NAME 128       /* "<batch>.waybill.json" */

/* Where the file stands; it drives recovery. */
enum batch_place {
    PLACE_ACCEPTED,                 /* bytes and waybill are safe in work/ */
    PLACE_WRITTEN,                  /* all outputs are safe in work/, none or some visible */
    PLACE_DELIVERED,                /* all outputs are visible */
    PLACE_ARCHIVED,                 /* only the zip is left */
    PLACE_ERROR,                    /* set aside in error/ */
};
extern const char *const place_names[];         /* "accepted" … */

/* What the batch was converted by: a mapping, format, table or guide in archive/config/. */
struct waybill_pin {
    /* "config" (the manifest of all mappings and formats of the site when it was accepted, or renewed), "mapping",
       "format", "table", "site"; "ledger" (of a flow: ledger_mark, nothing in archive/config/) */
    struct slice kind, name;
    char sha256[SHA256_HEX];
    struct waybill_pin *next;
};

struct waybill_param {
    struct slice name, value;
    struct waybill_param *next;
};

/* A count by outcome or by state: "done" 17, "rejected" 1. */
struct waybill_total {
    struct slice name;
    uint64_t count;
    struct waybill_total *next;
};

struct waybill_output {
    uint32_t n;                     /* work/<batch>/out.<n> */
    struct slice outbox, name;      /* path as in site.conf; clean file name */
    struct slice operation;
    uint64_t size;
    char sha256[SHA256_HEX];
    struct slice published;         /* stamp; slice_none() = not yet */
    uint32_t run;                   /* w->run when it was staged */
    uint32_t give;                  /* which give of its operation wrote it, from 0 */
    struct waybill_output *next;
};

/* A file of ours or the sender's in the batch's folder: companions ("with.1"), lines, staged documents, rejected
   messages. */
struct waybill_file {
    struct slice file;              /* its name in the folder */
    struct slice kind;              /* "companion", "lines", "stage", "log", "sent", "run", "rejects", "late" */
    /* the name that it came with; of stage and log: the batch that it is for; slice_none() = its own */
    struct slice name;
    uint64_t size, count;           /* count: lines or messages in it; 0 = does not apply */
    char sha256[SHA256_HEX];
    uint32_t run;                   /* w->run when it was written: a run that starts anew forgets its own files only */
    struct waybill_total *states;   /* of a stage: its tracked instances by state */
    struct waybill_file *next;
};

/* A correction by hand. */
struct waybill_amend {
    struct slice message, path, value;      /* key as people write it, "Line[2]/Quantity", the new text */
    uint32_t hidden;                        /* 1: of a sensitive field; the history does not tell the value */
    struct waybill_amend *next;
};

/* The last run of an operation on a batch that stays, or of one whose file changed it. */
struct waybill_run {
    struct slice operation, time;   /* batch time of the run */
    struct slice by;                /* who or what asked: "request 2026…", "after send"; slice_none() */
    struct slice batch;             /* of an answer: its id; slice_none() = this batch's own run */
    struct slice outcome;           /* "done", "refused" */
    struct slice code, text;        /* of a refusal */
    uint64_t messages, rejected, waiting, errors, warnings;
    struct waybill_run *next;
};

/* Problems of the same code and path. */
struct waybill_group {
    enum severity severity;
    struct slice code, path, text, hint;    /* of the first of them */
    struct slice file;
    uint32_t line, column;
    uint64_t message, count;
    struct waybill_group *next;
};

struct waybill_lease {
    struct slice sequence;
    int64_t first, end;             /* one behind the last */
    uint32_t run;                   /* w->run when they were leased: another run takes none of them */
    struct waybill_lease *next;
};

/* One thing that happened; each is chained to the one before by SHA-256. */
struct waybill_event {
    struct slice time, what, detail;        /* "accepted", "written", "retry" …; detail may be slice_none() */
    char sha256[SHA256_HEX];        /* of the previous event's sha256, time, what, detail */
    struct waybill_event *next;
};

/* A run of an operation that calls, one message after another, and waits for each answer: it spans several jobs. */
struct waybill_calls {
    struct slice operation;         /* slice_none() = no such run is under way */
    struct slice since;             /* stamp: when it began */
    uint64_t message;               /* the message at hand: its number in the staged document, 0 = none yet */
    struct slice key;               /* … as people write it */
    uint32_t give;                  /* … and the give that called for it last, from 0 */
    struct slice asked, until;      /* stamps: an answer is awaited since (slice_none() = none is), is late then */
    uint32_t over;                  /* 1: nothing more of this run for that message; 2: its answer is late */
    uint32_t last;                  /* 1: nothing is left to call for, the other gives and the reports are to come */
};

struct waybill_retry {
    struct slice cause;             /* code: SYS_FULL, WORKER_DIED …; slice_none() = no retry is due */
    uint32_t attempts;
    struct slice since, next;       /* stamps: of the first attempt, of the next */
};

struct waybill {
    struct arena *arena;
    struct slice batch;
    uint64_t seq;                   /* grows with each save */
    char prev[SHA256_HEX];          /* SHA-256 of the document before; "" at first */
    enum batch_place place;
    struct slice flow, operation;   /* operation: the one under way or due; slice_none() = none */
    /* why nothing is to be done now: "person" (held), "answer", "open"; or "rest": the operation named is delivered,
       what follows it (ledger, batch_rest) is due; "end": its life is over; slice_none() = go on */
    struct slice waits;
    /* identity */
    struct slice inbox, name;       /* as dropped, any bytes */
    uint64_t bytes;
    int64_t mtime_ns;
    char sha256[SHA256_HEX];
    struct slice syntax, reference, sender, receiver;  /* of the interchange, when known */
    struct slice parent;            /* batch that it was made from (retry, amend, replay) */
    struct slice duplicate_of;
    uint32_t unused;                /* 1: all its messages were refused and nothing came of them but reports */
    /* what could change the result */
    struct slice batch_time;        /* recorded once, at acceptance */
    struct waybill_pin *pins;
    struct waybill_param *params;
    struct waybill_lease *leases;
    /* results */
    uint64_t messages;
    struct waybill_total *totals, *states;
    struct waybill_total *skips;    /* by code: what the last run left out, lines too */
    struct waybill_output *outputs;
    struct waybill_file *files;
    struct waybill_group *groups;
    uint64_t errors, warnings, notes, more_groups;      /* more_groups: beyond the first 50 */
    struct waybill_param *answers;  /* name: batch id of the answer; value: stamp */
    struct waybill_param *members;  /* of a bundle: batch ids (name), "" */
    /* the life of a batch that stages */
    struct slice stage;             /* file of the current staged document; slice_none() = none */
    uint32_t run;                   /* which run of an operation this is: 0 the first, one more with each batch_begin */
    struct waybill_param *due;      /* operations (name) to come, and why (value): "after send", a request's id */
    struct slice run_by;            /* of the run under way: why it was due */
    struct waybill_param *run_sets, *run_keys;  /* … its params; the messages selected (name: key) */
    struct waybill_amend *run_amends;           /* … its corrections */
    struct waybill_run *runs;       /* the last one of each operation */
    struct waybill_calls calls;
    struct waybill_retry retry;
    struct slice error_code, error_text;        /* why it was set aside */
    struct waybill_event *history, *last_event;
    uint64_t nevents;
    char check[SHA256_HEX];         /* of the document as it was last read or saved; becomes prev of the next */
};

struct waybill *waybill_new(struct arena *a, const char *batch);
void waybill_write(const struct waybill *w, struct buf *out);
/* `file` is for messages. */
int waybill_read(struct arena *a, struct slice text, const char *file, struct waybill **out, struct problems *ps);
void waybill_file_name(const char *batch, char out[WAYBILL_FILE_NAME]);
/* <batch>.waybill.json in that folder. END when there is none. */
int waybill_load(struct arena *a, int dirfd, const char *batch, struct waybill **out, struct problems *ps);
/* Sets seq and prev and replaces the file atomically; `sync` = with both fsyncs. */
int waybill_save(struct waybill *w, int dirfd, bool sync, struct problems *ps);
/* In the folder of that path: file_replace_in. */
int waybill_save_in(struct waybill *w, int dirfd, const char *below, bool sync, struct problems *ps);
/* Sets seq, prev and check and appends the document: for whoever keeps it other than in a file of its own (wave.h). */
void waybill_seal(struct waybill *w, struct buf *out);

/* Small helpers: lists keep the order of adding; texts are copied into the waybill's arena. */
void waybill_event(struct waybill *w, struct slice time, const char *what, struct slice detail);
void waybill_pin(struct waybill *w, const char *kind, struct slice name, const char *sha256);
/* "" = there is none of that kind */
const char *waybill_pinned(const struct waybill *w, const char *kind);
void waybill_param(struct waybill_param **list, struct arena *a, struct slice name, struct slice value);
void waybill_total(struct waybill *w, struct waybill_total **list, const char *name, uint64_t add);
uint64_t waybill_total_of(const struct waybill_total *list, const char *name);
/* Appends, unless the same is due for the same reason; an operation may be due twice. */
void waybill_due(struct waybill *w, struct slice operation, struct slice why);
/* Takes the first that is due of that name out; slice_none() when it is not there, else why it was. */
struct slice waybill_not_due(struct waybill *w, struct slice operation);
void waybill_amend(struct waybill_amend **list, struct arena *a, const struct waybill_amend *of);
/* Enters a run in the place of the last one of that operation; texts are copied. */
void waybill_ran(struct waybill *w, const struct waybill_run *of);
void waybill_lease(struct waybill *w, struct slice sequence, int64_t first, int64_t end);
struct waybill_file *waybill_file(struct waybill *w, const char *kind, const char *file);
/* the last of that kind, or NULL */
struct waybill_file *waybill_find_file(const struct waybill *w, const char *kind);
/* by its name in the folder, or NULL */
struct waybill_file *waybill_file_named(const struct waybill *w, struct slice file);
/* Recomputes the chain of events; false where it breaks. */
bool waybill_history_ok(const struct waybill *w);

#endif
