/*
 * operation - take … give … map: what a flow does with one document
 *
 * Loading a site compiles its operations (site.h);
 * operation_run does the work of one job inside a worker: read once, all gives in one pass, in order.
 *
 *     rc = operation_run(job, &port, &result);
 *
 * The worker owns no name on disk: every output is a descriptor asked of the supervisor through the port when the first
 * byte is there, so `empty skip` opens nothing.
 *
 * Owner:   the job's arena; the result's texts live in it.
 * Errors:  OK (delivered, perhaps without the refused messages), STOP (the whole file is refused), TEMP (try again
 *          later).
 * Source:  DESIGN.md sections 2 and 7, LANGUAGE.md section 5.
 */
#ifndef WAYBILL_FLOW_OPERATION_H
#define WAYBILL_FLOW_OPERATION_H

#include "base/hash.h"
#include "flow/site.h"

/* Numbers of a sequence that this batch leased in an earlier attempt or now. */
struct lease_range {
    struct slice sequence;
    uint64_t from, to;              /* both included */
};

/* A batch of the flow that has a staged document: what a file may update. */
struct open_batch {
    struct slice batch;             /* id */
    const char *path;               /* of its current staged document */
    bool applied;                   /* this file changed it already (a crash between two batches): nothing is written */
};

/* A lines file of the batch that is taken, as its waybill lists it. */
struct job_log {
    const char *path;
    uint64_t size;
    char sha256[SHA256_HEX];
};

/* One edit by hand. */
struct amend {
    struct slice message;           /* its key as people write it: parts joined by a blank */
    struct slice path, value;       /* "Line[2]/Quantity"; value n 0 = nothing */
};

/* An operation that calls and waits for answers (`serial yes`): which of its jobs this is. */
enum call_phase {
    CALL_NONE,                      /* another operation */
    CALL_NEXT,                      /* the first message and give that has something to call for, one call, no more */
    CALL_LAST,                      /* nothing was left to call for: the gives without answer, the reports */
};

struct call_place {
    enum call_phase phase;
    uint64_t message;               /* so far the run has come: number in the staged document, 0 = nowhere */
    uint32_t give;                  /* … which has called for it */
    bool over;                      /* nothing more for that message in this run: its answer was a refusal */
    bool late;                      /* … its answer did not come in time */
};

/*
 * One document through one operation.  Which job it is follows from the operation:
 *
 *     unpack                           a dropped archive: OUTPUT_MEMBER for each file in it
 *     namends > 0                      edits by hand: the input is the staged document of the batch
 *     take inbox, no `give batch`      a file is converted
 *     take inbox, `give batch new`     a file is staged: OUTPUT_STAGE of its own batch
 *     calls.phase != CALL_NONE         one step of a run that calls and waits for answers (job_call.c)
 *     take inbox, `give batch`         a file updates the open batches: OUTPUT_STAGE and OUTPUT_LOG for each it changes
 *     take batch                       the input is the batch's staged document; what changes of it is OUTPUT_STAGE
 *     take table                       the input is the table's content; what changes of it is OUTPUT_TABLE, give NULL
 */
struct job {
    const struct operation *operation;
    struct slice config;            /* manifest of the mappings to do it with; n 0 = those of now */
    struct slice batch, file;       /* id; the name that the sender gave */
    struct slice time;              /* batch time, RFC 3339 with the zone's offset */
    struct slice last_run;          /* batch time of the last batch of this operation that was delivered; n 0 = none */
    uint64_t size;                  /* of the input, bytes */
    int fd;                         /* the input */
    uint32_t attempt;
    struct lease_range *leases;     /* of earlier attempts, used first */
    size_t nleases;
    struct settings sets;           /* params of this run: they win over those of the site */
    struct slice *selection;        /* keys of the messages to take, as people write them; 0 = all */
    size_t nselection;
    struct open_batch *open;        /* oldest first; for the tables `of open` too */
    size_t nopen;
    struct job_log *logs;           /* of the batch taken, oldest first */
    size_t nlogs;
    uint32_t *before;               /* by give: the outputs of earlier runs, {n} goes on from there; NULL = none */
    struct amend *amends;
    size_t namends;
    const char *original;           /* path of the file that the batch taken was made of; "" = no batch is taken */
    struct call_place calls;
    struct slice asked;             /* the file answers a call of this batch (operation->answers); n 0 = of none */
    uint64_t asked_message;         /* … for that message, by its number there */
    bool unpack;                    /* the input is an archive: OUTPUT_MEMBER for each file in it, nothing else */
};

enum output_kind {
    OUTPUT_FILE,                    /* for an outbox */
    OUTPUT_TABLE,                   /* the whole new content of a table: the give's, without one the table taken */
    OUTPUT_REJECTED,                /* refused messages in the original syntax */
    OUTPUT_LINES,                   /* detail per message, JSON lines */
    OUTPUT_LEDGER,                  /* one line per finished message: what the ledger takes over when delivered */
    OUTPUT_STAGE,                   /* the whole new staged document of the batch `target` */
    OUTPUT_MEMBER,                  /* a file of a dropped archive */
    OUTPUT_LOG,                     /* what this job said about messages of the batch `target`: a lines file for it */
};

#define ASIDE_ATTACHED 1000000       /* REJECTED: numbers from here on are files that messages name */

struct skip_count {
    struct slice code;              /* or the state of tracked instances */
    uint64_t count;
};

struct output {
    enum output_kind kind;
    const struct give *give;        /* NULL unless FILE or TABLE */
    struct slice name;              /* final name in the outbox; MEMBER: the name that it has in the archive */
    /* of the give's outputs, from 1; STAGE and LOG: by target, 0 = its own batch; REJECTED: 0 = the messages, from 1
       the companions that came along */
    uint32_t number;
    uint64_t bytes, messages;
    char sha256[SHA256_HEX];
    struct slice target;            /* STAGE, LOG: the batch; its own id = its own */
    struct skip_count *states;      /* STAGE, when complete: tracked instances by state, in the order of `track` */
    size_t nstates;
    bool unfinished;                /* some tracked instance is not in the last state */
};

/* A file that came along: under which name, in the arena of the problems. */
struct came {
    int fd;                         /* who asked closes it */
    struct slice name;
};

/* What a worker asks of its supervisor while it works. */
struct port {
    void *owner;
    /* A new, empty file for the output (number, kind, give, name set); *fd_out is the worker's to close. OK or TEMP. */
    int (*open)(void *owner, struct output *o, int *fd_out, struct problems *ps);
    /* The output is complete: bytes, messages, sha256 are set, the descriptor was written to its end. */
    int (*closed)(void *owner, const struct output *o, struct problems *ps);
    /* At least one number; recorded durably before the answer. */
    int (*lease)(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out,
                 struct problems *ps);
    /* A file that came along or that a message names: of a companion of the take with that name (`named`), else one
       entry beside the dropped file, for attachment(). out->fd -1 = there is none. */
    int (*companion)(void *owner, bool named, struct slice name, struct came *out, struct problems *ps);
    void (*progress)(void *owner, uint64_t bytes, uint64_t messages);
    /* The content of a table that the job reads, once for each: `fd` stays the caller's. May be NULL. */
    void (*table)(void *owner, const char *sha256, int fd);
    /* OUTPUT_LINES that are short, complete, instead of open and closed: bytes, messages, sha256 are set. END: they are
       to be written into a file. May be NULL. */
    int (*lines)(void *owner, const struct output *o, struct slice text, struct problems *ps);
};

struct pinned_table {
    bool ledger;                    /* of the flow `name`: as far as it went, ledger_mark */
    struct slice name;
    char sha256[SHA256_HEX];
    uint64_t rows;
};

struct result {
    int status;                     /* OK, STOP, TEMP */
    struct slice code, text;        /* of STOP and TEMP: the first reason */
    uint64_t messages, done, skipped, waiting, rejected, warnings, notes;
    struct skip_count *skips;
    size_t nskips;
    struct problems problems;       /* groups by code and path, at most 50 */
    struct pinned_table *tables;
    size_t ntables;
    struct lease_range *leases;     /* numbers that were leased last and not used: they may go back */
    size_t nleases;
    bool called;                    /* CALL_NEXT: a call was written, for this message by that give */
    uint64_t call_message;
    struct slice call_key;
    uint32_t call_give;
    struct skip_count *states;      /* of the batch taken, when no new stage was written; empty: unchanged */
    size_t nstates;
};

/* What people do to a batch of the flow that is none of its operations: "amend". */
struct operation operation_by_hand(struct flow *f, struct slice name);

/* Private state of a worker that outlives jobs: loaded tables. */
struct table_cache;
struct table_cache *table_cache_new(const struct site *site);
void table_cache_free(struct table_cache *c);

int operation_run(const struct job *job, const struct port *port, struct table_cache *tables, struct arena *a,
                  struct result *out);

#endif
