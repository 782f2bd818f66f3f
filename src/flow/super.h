/*
 * super - the supervisor's state, shared by its files (private to flow)
 *
 *     intake  one inbox of one operation: what is ready, in order; claims as there is room
 *     trip    one batch in hand, from acceptance to archive or error
 *     helper  one worker process and what it works on: a trip, the copy of a long file, or archives
 *
 * A trip's life: QUEUED (accepted) → RUNNING (a worker has it) → WRITTEN → delivered → TO_ZIP → ZIPPING (a worker packs
 * it, with those of its wave; a small one that goes alone is packed at once) → archived: gone; or HELD until `due`.
 * Between two of these one of a wave waits for the disk, and the supervisor does something else: DONE → SETTLING →
 * WRITTEN → PUBLISHED → delivered.
 * The trips of a flow stand in a list in the order of their files; they may run side by side when nothing ties them
 * together, but are delivered in that order (unless `order any`).
 *
 * In a flow that stages one trip is under way at a time and delivered wholly before the next begins, so nothing else
 * changes a batch meanwhile.  Its batches stay in work/ between operations and are no trips then, but `opens`; a trip
 * goes over into the next operation of its batch as long as one is due (due.c).
 */
#ifndef WAYBILL_FLOW_SUPER_H
#define WAYBILL_FLOW_SUPER_H

#include <sys/types.h>

#include "batch/recover.h"
#include "batch/request.h"
#include "drop/lease.h"
#include "drop/watch.h"
#include "flow/care.h"
#include "flow/operation.h"
#include "flow/supervisor.h"
#include "store/ledger.h"

#define TRIPS_PER_FLOW 64           /* accepted and not finished; the rest waits in the inbox */
#define TRIPS_IN_WAVES (4 * WAVE)   /* … of a flow whose files go in waves: one comes, one is worked on, two end */
#define CLAIMS_AGAIN_MS (60 * 1000) /* after a fault of the world claims are taken up again */
#define CLAIMS_SOON_MS (5 * 1000)   /* … and what changed while it was taken */
#define WORKERS_MAX 64
#define GIVE_UP_MS (5 * 24 * 3600 * 1000LL)
#define COPY_BY_WORKER (1 << 20)    /* bytes of a file that is copied by a worker while others are taken */
#define ZIP_BY_WORKER (128 * 1024)  /* bytes of input: a shorter one costs less than handing it over */
#define WAVE 256                    /* files of one wave */
#define WAVE_FILES 4096             /* descriptors that three waves need, and then some */
#define WAVE_BYTES (8 << 20)        /* … and of their bytes, more or less: what is afloat is partly in memory */
#define WAVES_BYTES (16 << 20)      /* bytes afloat above which a flow takes no other wave */
#define WAVE_MS 50                  /* so long the first that is done waits for others … */
#define WAVE_HELD_MS 400            /* … that a worker has not begun with yet */
#define POISON 3                    /* deaths of workers over one file */
#define UNSENT 2                    /* jobs in a row that no worker could be sent, which then are sent again at once */
#define RESTARTS_MAX 10             /* starts that ended with the whole program, for the same file */

enum trip_state {
    TRIP_QUEUED, TRIP_RUNNING,
    TRIP_DONE,                      /* of a wave: the worker is done, nothing is on the disk for sure */
    TRIP_SETTLING,                  /* … its outputs, then its waybill are being made durable */
    TRIP_WRITTEN,
    TRIP_PUBLISHED,                 /* of a wave: its outputs are visible, but not for sure */
    TRIP_TO_ZIP,                    /* delivered and in the ledger; only its archive is missing */
    TRIP_ZIPPING,                   /* a worker writes it */
    TRIP_STATES
};

/* A file that a worker writes for the trip. */
struct trip_file {
    enum output_kind kind;
    uint32_t number;                /* as the worker says it: of its give; 0 for the others */
    const struct give *give;
    unsigned n;                     /* of OUTPUT_FILE: work/<batch>/out.<n> */
    int fd;
    const char *name;               /* in the batch's folder, of the other kinds */
    bool memory;                    /* it is in memory instead */
    uint64_t messages;              /* in it, once it is complete */
    struct slice target;            /* of OUTPUT_STAGE and OUTPUT_LOG: the batch that it is for */
    struct trip_file *next;
};

struct wire;
struct asked;

struct trip {
    struct arena arena;
    struct batch *b;
    const struct operation *op;
    enum trip_state state;          /* by trip_to() */
    bool listed;                    /* among those of its flow */
    int64_t due;                    /* monotonic ms before which nothing is tried; 0 = now; later by trip_hold() */
    bool recovered;                 /* found after a restart: its start is counted before it happens */
    bool delivered;
    bool waved;                     /* its durable points are shared with others */
    uint64_t faults;                /* of syncs that were known when its worker began */
    bool last;                      /* nothing was left to call for (calls.c) */
    bool quiet;                     /* an operation that began in memory only: saved when it does something */
    struct asked *asked;            /* the request that it answers; NULL = none */
    struct trip_file *files;
    struct trip_file *spare_lines;  /* a worker may write them without asking; NULL = none */
    struct helper *helper;
    struct result *result;
    struct batch_zip zip;           /* of TRIP_ZIPPING */
    bool no_records, no_rejects;    /* its worker left none, for sure */
    uint64_t done_bytes;
    uint64_t afloat;                /* bytes of its file, as long as it goes with others */
    struct trip *next;
};

struct trips {
    struct trip *first, *last;
    /* where to look from; NULL = from the first one (trip_to, sched.c) */
    struct trip *open;              /* those before it only wait for their archive */
    struct trip *queued;            /* none before it is TRIP_QUEUED */
    size_t n, in[TRIP_STATES];      /* in all; in each state */
    size_t alone;                   /* that do not go in waves (any more) */
    uint64_t afloat;                /* of all of them */
};

/* A batch that stays: what must be known of it without opening it. */
struct open {
    char id[BATCH_ID_SIZE];
    char stage[64];                 /* file of its current staged document */
    char config[SHA256_HEX];        /* manifest of the mappings that it goes on with; "" = those of now */
    bool held;
    bool noted;                     /* its waybill says what is due */
    bool ends;                      /* nothing is to come any more */
    bool calls;                     /* a run that calls and waits for answers: no other begins in the flow */
    bool awaits;                    /* … and an answer is awaited: to a call of this give, for this message */
    char call_operation[64];
    uint32_t call_give;
    uint64_t call_message;
    char until[40];                 /* … by then; "" = for ever */
    uint64_t waiting;               /* operations (bits by index) that left messages waiting */
    uint64_t due;                   /* … that are to run: `every`, or a table changed */
    int64_t shut;                   /* it could not be opened: passed over until then, monotonic ms; 0 = it could */
    struct open *next;
};

#define OPERATIONS_MAX 64           /* of a flow that stages: those beyond are not run by `every` or a table */

/* A batch in work/ that is taken up when there is room. */
struct later {
    char id[BATCH_ID_SIZE];
    struct later *next;
};

struct laters {
    struct slice flow;
    struct later *first, *last;     /* in their order */
    struct laters *next;
};

struct opens {
    struct open *first, *last;
    size_t n;
};

/* What people do to a batch that is no operation of its flow. */
struct by_hand {
    struct operation amend, resend;
};

/* `every` of operations that take no inbox. */
struct beat {
    const struct operation *op;
    int64_t next;                   /* monotonic ms */
    bool unknown;                   /* when it ran last could not be read: that is asked again at `next` */
};

/* A request that is being carried out (asked.c). */
struct asked {
    struct arena arena;
    struct request *request;
    const char *batch;              /* "" = none is named */
    const struct operation *op;     /* of REQUEST_RUN */
    struct request_answer answer;
    struct waybill_param *left;     /* REQUEST_RUN: batches that are still to begin */
    size_t trips;                   /* under way for it */
    int64_t due;                    /* it could not be carried out: not before, monotonic ms */
    bool waits;                     /* something of it is to be tried again later */
    bool listed;                    /* what is meant is known: `left`, or the inbox is being looked at */
    bool begun;                     /* nothing more will begin */
    struct asked *next;
};

/* Archives of a wave that a worker makes (bundle_job.c). */
struct bundles {
    struct arena arena;
    struct trip *trips[WAVE];
    struct batch_bundle *list;      /* of each */
    size_t n;
    uint64_t bytes;
    struct bundles *next;
};

/* What was written since `sync_begin` is on the disk once this is over. */
struct sync_point {
    uint64_t number;                /* of the question; 0 = none was asked */
    uint64_t faults;
};

/* Trips of waves that wait for the disk together. */
struct trip_set {
    struct trip *t[WAVE];
    size_t n;
    struct sync_point sync;
    bool held;                      /* SETTLING: it is the turn of the waybills */
};

struct helper {
    pid_t pid;                      /* 0 = not started */
    int socket;
    struct trip *trip;
    struct bundles *bundles;        /* it makes archives; it has no trip then */
    struct intake *copies;          /* it copies the claim of this inbox; it has no trip then */
    int64_t cpu_ms;                 /* at the start of the job */
    int64_t since;                  /* monotonic ms */
    bool over_cpu, ending;
};

/* Syncs of the whole file system, by a process of their own: a question joins those that no sync was begun for. */
struct syncs {
    struct helper helper;
    int root, own;                  /* the site's folder, of openings of their own: what could not be written back is
                                       told once for each; of the process, and of the supervisor where that fails */
    uint64_t asked, begun, over;    /* numbers of the latest questions */
    uint64_t faults;
};

struct intake {
    const struct operation *op;
    struct inbox *inbox;
    int watch;                      /* number of the folder; -1 */
    int64_t due;                    /* next look, monotonic ms; INT64_MAX = only when woken */
    int64_t pause;                  /* until then events do not make it look, monotonic ms; 0 = they do */
    int64_t every, beat;            /* `every`, and when it is next */
    int64_t stable;                 /* so long a file must not have changed, ms */
    struct drop *ready;             /* in order; [at] is the next */
    size_t nready, at, cap;
    bool more;                      /* the last look found more than it could remember */
    bool waiting;                   /* files that may become ready by time alone */
    bool by_hand;                   /* opened for requests: looks only as long as `asked` */
    struct asked *asked;
    struct claim carried;           /* a worker copies it: nothing else is taken from here meanwhile */
    bool carrying;
    struct wave *wave;              /* is being taken from here; NULL = none */
    bool given_up;                  /* the latest wave was: nothing passes its files before they are taken up again */
    bool left;                      /* a file of it is claimed, but could not be accepted yet: where the order counts
                                       the next one waits */
};

struct open_outbox {
    struct slice folder;
    struct outbox box;
    struct open_outbox *next;
};

struct flow_ledger {
    struct ledger *open;            /* NULL: not yet, or it could not be */
    struct arena arena;
    int64_t due;                    /* it is not tried again before, monotonic ms */
    char fault[32];                 /* code of what was wrong at the last attempt; "" = nothing */
};

struct supervisor {
    struct site *site, *next_site;
    struct arena *site_arena, *next_arena;
    char config[SHA256_HEX];        /* manifest of its mappings, in archive/config/; "" = it could not be kept yet, … */
    int64_t config_due;             /* … and is tried again with the first round after this */
    bool reloaded;                  /* the site's arena is ours */
    const struct supervisor_options *o;
    struct supervisor_report *report;
    struct problems *ps;            /* = said; shown and emptied by notice_problems */
    struct problems said;
    struct arena said_arena;
    struct arena arena;             /* as long as the site: intakes, outboxes */
    struct spool spool;
    struct store store;
    struct lease lease;
    struct batch_site places;
    struct watch *watch;
    struct intake *intakes;
    size_t nintakes;
    struct open_outbox *outboxes;
    struct trips *flows;            /* by flow.index */
    struct opens *opens;            /* by flow.index */
    struct open *spare;
    struct by_hand *by_hand;        /* by flow.index */
    struct beat *beats;
    size_t nbeats;
    struct asked *asked;            /* in the order of their coming */
    bool asked_news;                /* the folder of requests is to be read */
    int64_t asked_due;              /* … at the latest, monotonic ms */
    int64_t asked_clean;            /* old answers are removed next, monotonic ms */
    struct watch *asked_watch;
    struct arena asked_arena;
    int64_t pause;                  /* a fault of the world: nothing that is due begins until then, monotonic ms */
    struct flow_ledger *ledgers;    /* by flow.index; opened when needed */
    bool *ties;                     /* [flow * nflows + other]: flow reads what the other fills, and stands behind it */
    struct helper helpers[WORKERS_MAX];
    struct buf packet;              /* that was received */
    unsigned nhelpers;
    bool unstarted;                 /* a trip could begin, but the system has no process for a worker */
    unsigned unsent;                /* jobs in a row that no worker could be sent */
    int64_t trips_due;              /* no trip that waits for a time is due before, monotonic ms */
    size_t ndone;                   /* trips in TRIP_DONE */
    int64_t done_since;             /* since when there are any, monotonic ms */
    struct bundles *bundles;        /* that no worker has yet, in order */
    struct syncs syncs;
    struct trip_set settling, publishing;
    size_t turn;                    /* flow whose turn it is */
    struct map unrouted;            /* files of shared inboxes, and batches, that were told to be nobody's */
    int64_t claims_due;             /* claims left from a fault are taken up again; INT64_MAX = none */
    struct laters *laters;          /* by flow */
    struct arena later_arena;
    int signals;                    /* signalfd */
    bool waited;                    /* stood by before the site was ours */
    bool ending;
    int64_t ending_since;
    struct care *care;              /* care.h */
};

static inline bool flow_stages(const struct flow *f)
{
    return f->batch != NULL;
}

/* intake.c */
int intakes_open(struct supervisor *s);
void intakes_close(struct supervisor *s);
void intake_wake(struct supervisor *s, int watch);
/* Looks and claims what has room; the ms until something changes by time alone go into *wait. */
int step_claim(struct supervisor *s, int64_t now, int64_t *wait);
/* How a batch is accepted by an operation; what follows once it is, or was not: takes the trip. */
struct batch_accept accept_terms(const struct supervisor *s, const struct operation *op);
int accept_told(struct supervisor *s, const struct operation *op, struct trip *t, int rc);
/* Of a trip that goes no further: its batch lies in error/ already. */
void aside_told(struct supervisor *s, struct trip *t);
bool intake_hungry(const struct supervisor *s);
bool intake_idle(const struct supervisor *s, int64_t now);
/* Whether a flow has files that this run will still take. */
bool intake_pending(const struct supervisor *s, const struct flow *f);
/* … or is taking a wave. */
bool intake_taking(const struct supervisor *s, const struct flow *f);
int claim_one(struct supervisor *s, struct intake *in, const struct drop *d);
int claim_again(struct supervisor *s, const char *id);
/* Claims are taken up again after so many ms at the latest. */
void claims_later(struct supervisor *s, int64_t wait);
/* The inbox of an operation, opened for a request when nothing else looks into it; NULL with a problem. */
struct intake *intake_asked(struct supervisor *s, const struct operation *op);
/* Claims that were left are taken up now: those that cannot be are left again. */
void intakes_taken_up(struct supervisor *s);
/* Whether all that a request may take was taken. */
bool intake_taken(const struct intake *in);
/* … for this one; what follows is to be done without waiting. */
bool intake_done(const struct supervisor *s, const struct asked *k);

/* Nothing is claimed from an inbox for a while: it is looked at again. */
void intake_later(struct supervisor *s, struct intake *in);
/* A file of it went back that cannot be read: its coming does not count as news for a while. */
void intake_pause(struct supervisor *s, struct intake *in);

/* sync_job.c: durable points of waves.  The supervisor never waits for one: it asks, and does something else. */
int syncs_open(struct supervisor *s);
void syncs_close(struct supervisor *s);
struct sync_point sync_begin(const struct supervisor *s);
void sync_ask(struct supervisor *s, struct sync_point *p);
/* END: not yet; TEMP: something that was written since its beginning may be lost. */
int sync_over(const struct supervisor *s, const struct sync_point *p);
int sync_answered(struct supervisor *s, struct wire *w);
/* Its process died; `ours`: we ended it, and nobody waits any more. */
void sync_lost(struct supervisor *s, bool ours);
bool sync_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer);

/* wave_take.c, wave.c: small files that wait together share their fsyncs (RELIABILITY.md 2.9), their claim and their
   log (batch/wave.h): each durable point is one syncfs for all of them, in the same order as for one.  One wave of an
   inbox is taken at a time, while others settle and are published. */
bool wave_fits(const struct operation *op, const struct drop *d);
/* Whether small files of the operation go in waves. */
bool wave_takes(const struct operation *op);
/* Not while another one is being taken from there. */
int wave_claim(struct supervisor *s, struct intake *in, const struct drop **drops, size_t n);
/* Those that are being taken, as far as the disk is: the status of a claim. */
int waves_go_on(struct supervisor *s);
bool waves_taken(const struct supervisor *s);
/* The end: the next start takes up their claims. */
void waves_forget(struct supervisor *s);
/* What workers have done becomes written, when it is enough or has waited long enough. */
void wave_written(struct supervisor *s, int64_t now);
/* Publishes, enters into the ledger and archives what is written. */
void wave_deliver(struct supervisor *s, int64_t now);
/* Whether something of a wave waits for the disk. */
bool waves_under_way(const struct supervisor *s);

/* bundle_job.c: what a wave has delivered is archived, by a worker where that is possible: outputs, ledger and the next
   wave do not wait for zips. */
void wave_archive(struct supervisor *s, struct trip **t, size_t n);
void bundles_start(struct supervisor *s);
int bundles_answered(struct supervisor *s, struct helper *h, struct wire *w);
/* Its worker died; `ending`: we ended it, the next start goes on. */
void bundles_lost(struct supervisor *s, struct bundles *g, bool ending);
/* The end: those that no worker has yet are archived by the next start. */
void bundles_forget(struct supervisor *s);
bool bundles_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer);

/* step_unpack.c: whether the input is an archive to be opened (TEMP: it cannot be read); the members of one become
   batches. */
int unpack_wanted(const struct operation *op, int fd, bool *out);
bool unpack_pending(const struct waybill *w);
int step_unpack(struct supervisor *s, struct trip *t);

/* later.c: batches in work/ that wait for room – each one in hand costs memory – in the order of their flow, and before
   all that comes from its inboxes. */
void later_add(struct supervisor *s, struct slice flow, const char *id);
/* Whether this one may be taken up now: there is room, and none before it. */
bool later_due(const struct supervisor *s, const struct flow *f, const char *id);
bool later_any(const struct supervisor *s, const struct flow *f);
/* Some can be taken up: no event will tell. */
bool later_ready(const struct supervisor *s);
void later_take(struct supervisor *s);

/* trip.c */
struct trip *trip_new(struct supervisor *s);
void trip_add(struct supervisor *s, struct trip *t, const struct operation *op);
void trip_free(struct supervisor *s, struct trip *t);
void trip_to(struct supervisor *s, struct trip *t, enum trip_state state);
/* It goes on alone, or ends. */
void trip_alone(struct supervisor *s, struct trip *t);
/* Until it is its turn: many may wait, and each open folder costs a descriptor. */
void trip_folder_close(struct trip *t);
/* False: it cannot be opened, which is told, and the trip waits. */
bool trip_folder_open(struct supervisor *s, struct trip *t);
/* Nothing is tried before `due`. */
void trip_hold(struct supervisor *s, struct trip *t, int64_t due);
/* The trip of a batch; NULL = it is in nobody's hands. */
struct trip *trip_of(const struct supervisor *s, const char *id);
struct trip_file *trip_file(struct trip *t, enum output_kind kind, uint32_t number, const struct give *give);
void trip_close_files(struct trip *t);
/* What an attempt left that did not reach its end, but for staged outputs: tables, ledger, refused messages. */
void trip_clear(struct supervisor *s, struct trip *t);

/* resume.c: what lies in work/ and claim/ from before. */
int step_resume(struct supervisor *s);
/* A batch in work/ that no trip knows, after a fault while it was accepted. */
int resume_batch(struct supervisor *s, const char *id);
void resume_operation(struct supervisor *s, struct trip *t);

/* open.c: the batches that stay. */
int opens_load(struct supervisor *s);
struct open *open_find(struct supervisor *s, const char *id);
/* What its waybill says now; one that is not open any more is forgotten. */
void open_note(struct supervisor *s, const struct waybill *w);
void open_forget(struct supervisor *s, const char *id);
/* A table was published, or the ledger of a flow has more: what waited for it is tried again. */
void open_table_changed(struct supervisor *s, const struct site_table *table);
void open_flow_changed(struct supervisor *s, const struct flow *f);
/* Whether an operation may still touch a batch of this flow whose document is this. */
bool open_ends(const struct supervisor *s, const struct flow *f, const struct waybill *w);

/* due.c: from one operation of a batch to the next. */
void due_open(struct supervisor *s);
/* Starts what is due on open batches of flows that are free; `every` comes round. */
int due_start(struct supervisor *s, int64_t now, int64_t *wait);
bool due_any(const struct supervisor *s, int64_t now);
/* The open batch of a flow that has something to do now; NULL = none. */
struct open *due_of(const struct supervisor *s, const struct flow *f);
/* Whether a batch is passed over, because it could not be opened a moment ago. */
bool due_shut(const struct open *o);
/* An operation on an open batch that no trip has: takes it in hand. END: it cannot begin now; SKIP: it did before. */
int due_begin(struct supervisor *s, const char *id, const struct operation *op, struct asked *k);
/* An operation on a table: a batch of its own. END: the table has no file; STOP: whoever asked is told. */
int due_table(struct supervisor *s, const struct operation *op, struct asked *k);
/* What follows a delivery: other batches get what is theirs, `after` becomes due, the next operation begins, or the
   batch rests, or ends. */
int step_rest(struct supervisor *s, struct trip *t);
/* The operation alone is refused; the batch stays as it was. */
int step_refuse(struct supervisor *s, struct trip *t, const char *code, struct slice text);
/* What is due first on a batch; NULL = nothing is. */
const struct waybill_param *due_next(const struct waybill *w);
/* Whether another operation of its flow comes after it. */
bool due_follows(const struct operation *op);
/* The operation of that name, also one by hand. NULL = the flow has none. */
const struct operation *due_operation(const struct supervisor *s, const struct flow *f, struct slice name);

/* calls.c: runs that call and wait for answers. */
/* The batch of a flow on which one is under way; NULL = none. */
struct open *calls_open(const struct supervisor *s, const struct flow *f);
/* Whether a run of this operation is under way on a batch. */
bool calls_go_on(const struct waybill *w, const struct operation *op);
/* What takes a file that came into the inbox of this operation, by the call that is under way: on the batch *of.
   NULL = nobody waits for it. */
const struct operation *calls_answer(const struct supervisor *s, const struct operation *op, const struct open **of);
/* Its part of a job. */
void calls_of(struct supervisor *s, struct trip *t, struct job *j);
/* Whether the job had nothing to say or write: the trip goes on with the last job of its run. */
bool calls_last(struct supervisor *s, struct trip *t);
/* The result of a job, for the save that makes it written. */
void calls_note(struct supervisor *s, struct trip *t);
/* Whether an answer says something of the message that was called for in `into`, and what; when that cannot be read the
   answer is not installed, or the run would wait for it for ever. */
enum call_heard { CALL_UNHEARD, CALL_HEARD, CALL_REFUSED };
int calls_heard(struct supervisor *s, const struct trip *t, const struct batch *into, enum call_heard *out);
/* In the same save as the answer: the run on `into` goes on. */
void calls_answered(const struct trip *t, struct batch *into, enum call_heard heard);
/* Answers that are late; in how many ms the next one is. */
int calls_turn(struct supervisor *s);
int64_t calls_due(const struct supervisor *s);

/* companion.c: the files beside a dropped one. */
/* What the worker asked for: a companion of the take by its name, or one that a message names. *fd_out -1 = none. */
int companion_open(struct supervisor *s, struct trip *t, bool named, struct slice name, int *fd_out);
/* Under which name the companion `name` of the take came. */
struct slice companion_name(struct trip *t, struct slice name);
/* … and under which one the file that a message names so. */
struct slice companion_entry(struct trip *t, struct slice name);
/* Whether a file of the inbox is a companion of another one. */
bool companion_is(const struct operation *op, const char *name);
/* Those that the next file of the inbox takes along. END: one is not there. */
struct companions {
    const char **names;             /* NULL-terminated */
    int64_t wait_ms;                /* until each may be taken; 0 = now */
    bool spare;                     /* of each another one lies there */
};
int companions_find(const struct intake *in, struct arena *a, struct companions *out, struct problems *ps);

/* Puts what the batch delivered before into its outboxes once more: no worker is needed. */
int step_resend(struct supervisor *s, struct trip *t);

/* job.c: what a worker is told. */
int job_input(struct supervisor *s, struct trip *t, int *fd_out);
void job_of(struct supervisor *s, struct trip *t, struct job *j);
void job_pins(struct supervisor *s, struct trip *t);

/* asked.c: requests of commands. */
int asked_start(struct supervisor *s);
void asked_end(struct supervisor *s);
/* The site is another one now. */
void asked_again(struct supervisor *s);
/* Tells of news; -1 = none. */
int asked_fd(const struct supervisor *s);
void asked_heard(struct supervisor *s);
bool asked_ready(const struct supervisor *s, int64_t now);
/* The end of a process that works for requests alone. */
int asked_give_up(struct supervisor *s);
/* Reads new ones, begins what can begin, answers what is over. */
int asked_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* Answers it: nothing was changed; with the status of a step of the batch layer. The request is gone. */
int asked_refuse(struct supervisor *s, struct asked *k, const char *code, struct slice text);
int asked_answer_with(struct supervisor *s, struct asked *k, int rc, const char *what);
/* The same of another batch than the one that was named. */
int asked_answer_of(struct supervisor *s, struct asked *k, int rc, struct slice batch, const char *what);
/* The same of a batch whose zip cannot be believed: what was done to it is not known. */
int asked_unknown(struct supervisor *s, struct asked *k);
/* asked_act.c: what is asked of a batch as such: hold, release, cancel, retry, resend, amend. */
int asked_act(struct supervisor *s, struct asked *k);
bool asked_may_act(const struct supervisor *s, const struct asked *k);
/* Something of a request happened to a trip. */
void asked_told(struct supervisor *s, struct trip *t, const char *what, struct slice code, struct slice text);
/* A trip of a request goes. */
void asked_left(struct supervisor *s, struct trip *t);
/* The request that takes files of that inbox; NULL = none. */
struct asked *asked_for_inbox(struct supervisor *s, struct slice inbox);
/* The request that made a batch, by its waybill; NULL = none that is not answered. */
struct asked *asked_by(struct supervisor *s, const struct waybill *w);
/* Requests that are not answered; of one flow (NULL = all). */
bool asked_any(const struct supervisor *s, const struct flow *f);

/* sched.c */
/* Whether a flow that stages has something under way: nothing else may begin. */
bool sched_busy(const struct supervisor *s, const struct flow *f);
void ties_find(struct supervisor *s);
struct trip *sched_next(struct supervisor *s, int64_t now);
/* The first trip of a flow that is not delivered and in the ledger yet; NULL = none. */
struct trip *sched_first(const struct supervisor *s, const struct flow *f);
/* One that goes alone and is to be delivered now; NULL = none. */
struct trip *sched_delivery(const struct supervisor *s, int64_t now);
/* Whether one of a wave is still to be begun. */
bool sched_more_waved(const struct supervisor *s);

/* pool.c: workers as the supervisor sees them. */
int pool_start(struct supervisor *s, struct trip *t);
void pool_give(struct helper *h, struct trip *t);
struct helper *pool_idle(struct supervisor *s);
/* A packet could not be sent to it. */
void pool_give_up(struct supervisor *s, struct helper *h);
void pool_read(struct supervisor *s, struct helper *h);
/* Starts the process of a helper that has none. */
int pool_open(struct supervisor *s, struct helper *h);
void pool_watch(struct supervisor *s, int64_t now);
void pool_end(struct supervisor *s);
size_t pool_busy(const struct supervisor *s);
/* copy_job.c: a long file is copied into .waybill by a worker, so that it holds up no other inbox.  END: it is not
   for a worker. A claim whose worker died is copied by the supervisor. */
int copy_start(struct supervisor *s, struct intake *in, struct claim *c);
/* STOP: nonsense. */
int copy_answered(struct supervisor *s, struct helper *h, struct wire *w);
void copy_lost(struct supervisor *s, struct intake *in, bool ending);
/* The worker's side. */
bool copy_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer);
/* intake.c: what was carried becomes a batch. */
void claim_carried(struct supervisor *s, struct intake *in);

/* zip_job.c: the archive of a long file is packed by a worker: reading, deflating and checking it are most of the CPU
   that the supervisor would need. */
struct trip *zip_next(struct supervisor *s);
void zip_start(struct supervisor *s, struct trip *t);
/* The worker's answer; the helper is free again. */
int zip_answered(struct supervisor *s, struct helper *h, struct wire *w);
/* The worker is gone: the supervisor packs it itself (`later`: it is left for another worker). */
void zip_lost(struct supervisor *s, struct trip *t, bool later);
/* In the worker: what came with WIRE_ZIP; closes fds. Returns false when the packet makes no sense. */
bool zip_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer);
/* worker.c: the life of a worker process; does not return. */
void worker_main(const struct site *site, int socket) __attribute__((noreturn));

/* step_write_down.c: the result of a job becomes place written. */
int step_written(struct supervisor *s, struct trip *t);
/* Its two halves: into the waybill (in a wave it is still held back); what follows once that is sure. */
int step_hold(struct supervisor *s, struct trip *t);
int step_settled(struct supervisor *s, struct trip *t);
/* step_deliver.c, step_archive.c, step_reject.c: what is left of a trip's way. TEMP holds it. */
int step_deliver(struct supervisor *s, struct trip *t);
int step_publish(struct supervisor *s, struct trip *t);
int step_delivered(struct supervisor *s, struct trip *t, int rc);
int step_archive(struct supervisor *s, struct trip *t);
/* The batch into the ledger (not commit: the caller ends it with ledger_commit), and what follows once it is there. */
int step_enter(struct supervisor *s, struct trip *t, bool commit);
int step_entered(struct supervisor *s, struct trip *t);
void step_archive_soon(struct supervisor *s, struct trip *t);
/* The last of it, with the status of the zip: the trip is gone, or tried again later. */
int step_archived(struct supervisor *s, struct trip *t, int status);
/* Batch time of the newest batch that the operation delivered; n 0 = none. */
struct slice last_run(struct supervisor *s, const struct operation *op, struct arena *a);
/* Whether that can be told at all: the ledger can be read. */
bool ran_known(struct supervisor *s, const struct operation *op);
/* The same, whether or not a mapping asks for it. */
struct slice ran_last(struct supervisor *s, const struct operation *op, struct arena *a);
int step_reject(struct supervisor *s, struct trip *t, const char *code, struct slice text);
/* One that was, and could not be moved to error/. */
int step_reject_again(struct supervisor *s, struct trip *t);
/* A fault of the world: later again; the trip goes when its time is up. */
void trip_retry(struct supervisor *s, struct trip *t, const char *cause);

/* notice.c: what people and programs are told. */
void notice(struct supervisor *s, const char *event, const struct trip *t);
void notice_standby(const struct supervisor *s, const struct problem *why);
void notice_problems(struct supervisor *s, const struct problems *ps);
/* Those of a batch: its id is told along. */
void notice_result(struct supervisor *s, const struct trip *t);
void notice_progress(struct supervisor *s, const struct trip *t);

#endif
