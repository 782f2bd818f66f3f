/*
 * work - one job inside a worker: what its steps hand to each other (private to flow)
 *
 *     read → check → map → write, one message at a time; reject and the table rows at the end of the file
 *
 * Owner:   everything lives in the job's arena but what belongs to one message (work->message, reset after each).
 */
#ifndef WAYBILL_FLOW_WORK_H
#define WAYBILL_FLOW_WORK_H

#include "batch/lines.h"
#include "flow/merge.h"
#include "flow/operation.h"
#include "flow/trial.h"
#include "store/ledger.h"
#include "store/sequence.h"
#include "store/table.h"
#include "syntax/syntax.h"

/* A lines file that the job writes: its own, or what it says about another batch. */
struct journal {
    struct lines lines;
    struct output *output;          /* NULL: nothing was said yet */
    enum output_kind kind;          /* OUTPUT_LINES, OUTPUT_LOG */
    struct slice target;            /* of OUTPUT_LOG: the batch, and its number among the outputs */
    uint32_t number;
};

/* The staged document that a job makes: of what was there before messages that stay are copied as bytes. */
struct stage {
    struct work *work;
    struct slice target;            /* the batch */
    uint32_t number;                /* among the outputs; 0 = its own */
    const struct site_table *table; /* not a staged document but the content of this table */
    const struct format *format;
    int before;                     /* descriptor of the document before; -1 = none */
    uint64_t copied;                /* so many bytes of it are done */
    const struct node *file;        /* members of the file, where there is nothing before */
    struct output *output;          /* NULL: nothing has changed yet */
    struct sink sink;
    struct sha256 hash;
    struct writer writer;
    struct arena arena;
    struct trial *trial;            /* NULL: nothing was tried yet */
    int fd;
    uint64_t messages;
    uint64_t *counts, *was;         /* by state: of all, of the message at hand; [nstates]: of those without a state */
};

/* A file that a give writes beside its own: `companion lines "lines_{batch}.csv"`. */
struct beside {
    const struct site_companion *companion;
    struct sink sink;
    struct sha256 hash;
    int fd;                         /* -1: nothing is open */
    struct output *output;
};

/* One give of the job. */
struct lane {
    struct work *work;
    const struct give *give;
    struct run *run;                /* NULL: the document goes as it is */
    struct writer writer;
    struct arena arena;             /* of the writer */
    struct sink sink;
    struct sha256 hash;
    int fd;                         /* -1: nothing is open */
    struct output *output;
    uint32_t outputs, files;        /* so far: all, and without those beside */
    struct beside *beside;          /* one per companion of the give, while an output is open */
    struct companion_file *companions;
    struct node *seen;              /* the message at hand, with what this give and those ahead of it gave back */
    struct node **targets;          /* what the mapping gave for the message at hand */
    size_t ntargets, targets_cap;
    struct arena listed;            /* of that list */
    struct trial *trial;            /* NULL: nothing was tried yet */
    struct rows *rows;              /* of a table that is replaced, or whose rows are merged field by field */
    struct merge *merge;            /* of a table, or what consolidates: the documents that the mapping updates */
    bool waits;                     /* it has judged the message at hand; nothing of that is written yet */
    uint64_t messages;
};

/* A table that a mapping of this job asked for. */
struct lookup {
    struct work *work;
    const struct site_table *site;  /* NULL: nobody binds it, it is empty */
    struct table *table;            /* file, rows, of batch */
    struct ledger *ledger;          /* of flow */
    int prefer;                     /* column that picks one of several rows; -1 = none */
    const struct flow *flow;
    const struct slice *columns;
    const struct field **fields;    /* of batch, of flow: of the message */
    const enum type *types;
    size_t ncolumns;
    struct lookup *next;
};

/* The numbers of one sequence, lease after lease: what a refused message took of them the next one takes. */
enum numbers_mark { NUMBERS_PASS, NUMBERS_MESSAGE, NUMBERS_GIVE, NUMBERS_MARKS };
struct numbers {
    const struct site_sequence *sequence;
    struct sequence rule;
    struct lease_range *list;
    size_t n, cap;
    struct number_place {
        size_t lease;               /* in the list */
        uint64_t taken;             /* of it */
    } at, marks[NUMBERS_MARKS];
    size_t next_known;              /* of the job's leases */
    uint64_t want;
    struct numbers *next;
};

struct spans {
    struct span *list;
    size_t n, cap;
};

struct latest;                      /* latest.c */

struct work {
    const struct job *job;
    const struct site *site;
    const struct operation *op;
    const struct port *port;
    struct table_cache *cache;
    struct arena *arena, message;
    const struct format *format;    /* of the document that is read */
    struct source source;
    struct reader reader;
    struct problems now;            /* of the message at hand, or of the file as a whole */
    struct result *result;
    struct lane *lanes;
    struct format *outcomes;        /* the tree of $outcome, for reports */
    struct outside outside;
    struct slice batch_time;        /* canonical, local */
    struct lookup *lookups;
    int unbound;                    /* why a table could not be bound: STOP, or TEMP = try again */
    struct numbers *numbers;
    struct span *rejected;          /* byte ranges of refused messages */
    size_t nrejected, rejected_cap;
    struct span *frame;             /* what stays between them: syntax_excerpt_framed */
    size_t nframe, frame_cap;
    struct journal lines;
    struct stage *stage;            /* of its own batch, or the table that is taken; NULL = none */
    struct formula_run *formulas;   /* of the states, and of `done` */
    struct latest *latest;          /* what was said about the messages of the batch; NULL = nobody asks */
    /* Of the message at hand in a job on a batch or table: was it judged, its tree changed, what was taken of it. */
    bool judged, changed, whole;    /* whole: a give has taken it as it is */
    struct node **taken;
    size_t ntaken, taken_cap;
    struct node *shared, *unchanged;    /* as long as it may be refused; a copy of it ahead of the first edit */
    struct edits stamps;            /* what `done` makes of it once it is given */
    void *data;                     /* of the kind of job */
    struct slice staged_key;        /* of the message that was staged for the one at hand; n 0 = none */
    struct sink ledger;
    bool ledger_open;
    struct sha256 ledger_hash;
    struct output *ledger_output;
    struct buf attached;            /* name of the file that attachment() read last */
    int attached_fd;                /* -1: there is none */
    struct slice *read;             /* what attachment() read for the message at hand */
    size_t nread, read_cap;
    struct map kept;                /* … and for those that were refused */
    struct companion_file *companions;              /* of the document that is read */
    size_t ncompanions;
    struct spans *used;             /* by companion: the rows of messages that were not refused */
    struct ledger *own;             /* of this flow, when a table or `duplicates key` asks for it */
    bool told_all;                  /* the message's findings are among its problems already */
    int64_t told;                   /* monotonic ms of the last progress */
    size_t skips_cap;
};

/* outside.c */
/* The ledger of a flow, and the result names how far it goes. */
int work_ledger(struct work *w, const struct flow *f, struct ledger **out, struct problems *ps);
void work_outside(struct work *w);
/* The file that attachment() read last is closed. */
void attached_drop(struct work *w);
/* The message is refused: what attachment() read for it is set aside with it. */
void attached_keep(struct work *w);
int attached_set_aside(struct work *w);
/* step_original.c: the file that the batch was made of, with what its staged document changes in it. */
int original_write(struct work *w, struct lane *l);
/* step_with.c: the companions that came along with the file, for its reader. */
int with_open(struct work *w);
void with_close(struct work *w);
/* The rows of a message that is not refused: all others are set aside with those that are. */
void with_used(struct work *w, const struct node *message);
int with_set_aside(struct work *w);
/* Earlier messages of this job are none any more. */
void lookups_forget(struct work *w);
/* A message that gave output is an earlier one from now on: tables `of batch`, and `of flow` over this flow. */
int lookup_message(struct work *w, const struct node *message);
/* TEMP when a ledger could not be read in between: what was looked up may have been there. */
int lookups_sure(struct work *w);
void lookup_end(struct work *w);
/* numbers.c: STOP (SITE_NO_SEQUENCE, SEQUENCE_END …), TEMP. */
int numbers_next(struct work *w, struct slice name, struct arena *a, struct slice *out, struct problems *ps);
/* What was taken since the mark is given again; what went into another arena than the message's is not. */
void numbers_mark(struct work *w, enum numbers_mark mark);
void numbers_take_back(struct work *w, enum numbers_mark mark);
/* The numbers that are left of each lease, for the result. */
void numbers_end(struct work *w);
/* The same for a message that was staged in a batch. */
int lookup_staged(struct work *w, const struct node *message, struct slice batch);
/* The ledger fields of a message (staged in that batch), in the arena. */
struct ledger_field *kept_fields(struct arena *a, const struct kept_field *kept, size_t n, const struct node *message,
                                 struct slice batch);

/* tables.c: tables with a file, loaded once and again when the file changed. */
struct table_cache;
int cache_table(struct table_cache *c, const struct site_table *t, const struct limits *limits,
                char sha256[SHA256_HEX], uint64_t *rows, struct table **out, struct problems *ps);
/* A job begins; until the next one a table stays as it was found first, whatever becomes of its file. */
void table_cache_begin(struct table_cache *c);
/* Ledgers as they were when they were pinned: kind "ledger", by flow. */
void table_cache_as_of(struct table_cache *c, const struct waybill_pin *pins);
/* The content that was read goes to the port, once. */
void cache_hand_over(struct table_cache *c, const struct site_table *t, const struct port *port);
int cache_ledger(struct table_cache *c, const struct flow *f, struct ledger **out, struct problems *ps);
/* Reads a document row by row; `each` gets nodes that live until it returns. */
int read_rows(const char *path, const struct format *f, const struct limits *limits, struct sha256 *hash,
              int (*each)(void *owner, struct node *row, struct problems *ps), void *owner, struct problems *ps);

/* rows.c: the new content of a table. */
struct rows *rows_new(struct arena *a, const struct give *g);
int rows_add(struct rows *r, const struct node *row, const struct limits *limits, struct problems *ps);
size_t rows_count(const struct rows *r);
struct node *rows_at(const struct rows *r, size_t i);
/* Rows that are there already, for a merge. */
int rows_load(struct rows *r, const struct limits *limits, struct problems *ps);
bool rows_changed(const struct rows *r);

/* step_merge.c: gives whose mapping updates documents in memory. */
bool lane_merges(const struct lane *l);
int lane_merge(struct work *w, struct lane *l, struct node *message, struct outcome *outcome);
void lane_merge_release(struct lane *l);

/* operation.c: what the jobs share. */
/* Problems from now on are those of one message, or of the end of the file. */
void work_begin(struct work *w);
/* The same for one message, of which nothing is known yet; w->message was reset. */
void work_message(struct work *w);
/* A message of a file has no batch to stay in: what waits is set aside, else it would never be tried again. */
void work_wait_in_error(struct outcome *o);
/* The outcome of a message before anything is said. */
struct outcome work_outcome(const struct work *w);
/* A message that could not be read, mapped or written: its problems are its outcome, so that reports tell of it. */
void work_refuse(struct work *w, struct outcome *o);
/* Reads the document to its end; `take` gets each message with the status of reading it. */
int work_read(struct work *w, int (*take)(struct work *w, int read, struct node *message));
/* Takes an outcome through reports and notes, once the gives have said theirs. */
int work_conclude(struct work *w, struct node *message, struct outcome *o);

/* job_convert.c, job_stage.c, job_update.c, job_amend.c: one document through an operation, once it is opened. */
/* There is no byte to read. */
bool work_is_empty(const struct work *w);
/* Opens the gives. */
int work_lanes(struct work *w);
/* Ends them. */
int work_lanes_end(struct work *w);
int job_convert(struct work *w);
int job_stage(struct work *w);
int job_update(struct work *w);
int job_amend(struct work *w);

/* stage.c */
void stage_begin(struct stage *s, struct work *w, struct slice target, int before, uint32_t number);
/* The next message of the document before: it stays unless it is put anew or cut out. */
int stage_see(struct stage *s, const struct node *message);
/* Could it be put or added?  SKIP with a problem when not. */
int stage_try(struct stage *s, const struct node *message);
/* In the place of the one seen last, which stood there.  SKIP when it cannot be written: then that one stays. */
int stage_put(struct stage *s, const struct node *message, struct span place);
int stage_cut(struct stage *s, struct span place);
/* That one stays: of a table every row is written anew once one has changed. */
int stage_stay(struct stage *s, const struct node *row);
/* A new one, behind all others. */
int stage_add(struct stage *s, const struct node *message);
int stage_end(struct stage *s);
void stage_drop(struct stage *s);
/* Tracked instances by state, in the order of `track`. */
size_t stage_states(const struct stage *s, struct skip_count **out);

/* states.c: `track Order/Line { state sent when SendDate }` */
size_t states_index(struct work *w, const struct node *instance);   /* nstates = it has none */
void states_count(struct work *w, const struct node *message, uint64_t *counts);
struct slice states_of(void *owner, const struct node *instance);   /* $state */
struct line_state *states_lines(struct work *w, const struct node *message);

/* latest.c: the log of a batch, read back. */
int latest_load(struct work *w);
void latest_free(struct work *w);
/* What the last operation that judged a message said of it; `number`: where it stands, for one without a key. */
const struct outcome *latest_of(const struct work *w, struct slice key, uint64_t number);
/* Would a line say only what was said last? */
bool latest_same(const struct work *w, struct slice key, uint64_t number, const struct outcome *o);
/* Reports that go over the log. */
int latest_report(struct work *w);

/* step_map.c: all gives of a message, or none.  SKIP where one refuses it: *message is then as it was read. */
int step_map(struct work *w, struct node **message, struct outcome *outcome);
/* Would they take it?  SKIP as above; nothing is given, and *message is as it was read.  Each is asked on its own: what
   another message would have left behind in a give is not there.  step_judges: there are gives to ask. */
bool step_judges(const struct work *w);
int step_judge(struct work *w, struct node **message, struct outcome *outcome);
int lane_finish(struct work *w, struct lane *l);
/* What a mapping sorts is written when the file is over; whether it can be is asked while its message is there. */
mapping_give lane_accept;
/* One step of a run that calls and waits for answers: result->called when this message is called for. */
int step_call(struct work *w, struct node **message, struct outcome *outcome);
/* All messages, refused ones too: `latest` is what counts of them, `now` what this run has said; NULL = nothing. */
int step_report(struct work *w, struct node *message, const struct outcome *latest, const struct outcome *now);
/* One line of the log through a report that goes over it. */
int step_report_log(struct work *w, struct lane *l, struct node *message, const struct outcome *said);
/* Edits of the message at hand, made in it. */
void step_edit(struct work *w, const struct edits *edits);
/* step_stamp.c: `done { EXPR => PATH }` over what was taken.  Worked out before anything is given.  SKIP: the document
   that the message is of cannot hold what it has become; then nothing is given. */
int step_stamp(struct work *w, struct node *message);
/* The message was given. */
void step_done(struct work *w);
/* step_check.c: the business key was there before. */
int step_check(struct work *w, const struct node *message, struct outcome *outcome);
/* step_write.c */
int lane_write(struct work *w, struct lane *l, struct node *target, const struct node *message);
int lane_end(struct work *w, struct lane *l);
void lane_abandon(struct lane *l);
/* step_set_aside.c: a file that goes to error/; number 0 is the document, others are of its companions. */
struct aside {
    struct output *output;
    struct sink sink;
    struct sha256 hash;
    int fd;
};
int aside_open(struct work *w, struct aside *a, struct slice name, uint32_t number);
int aside_close(struct work *w, struct aside *a, int rc);
/* step_beside.c: the companions of a give's output. */
int beside_open(struct work *w, struct lane *l, const struct node *message);
int beside_close(struct work *w, struct lane *l);
void beside_turn(struct lane *l);
void beside_drop(struct lane *l);
/* The name of an output; the supervisor cleans it and makes it unique within the batch. */
int output_name(struct work *w, const struct lane *l, const struct name_part *parts, size_t n, struct slice shown,
                const struct node *message, struct slice *out);
/* Of a file for each message: could it be named?  SKIP with a problem when not. */
int lane_try_names(struct work *w, const struct lane *l);
struct output *work_output(struct work *w, enum output_kind kind, const struct give *g);
/* step_note.c: the line, the ledger record and the counts of a message. */
int step_note(struct work *w, const struct node *message, const struct outcome *outcome);
int step_note_end(struct work *w);
void note_count(struct work *w, const struct outcome *o);
void note_drop(struct work *w);
/* The key as people write it, parts with a blank between; n 0 = it has none. */
struct slice note_key(struct arena *a, const struct node *message);
/* One line of a journal, with what is among the problems of the message. */
int journal_add(struct work *w, struct journal *j, const struct node *message, uint64_t number, struct slice key,
                const struct outcome *o, const struct problem *problems);
int journal_end(struct work *w, struct journal *j);
void journal_drop(struct journal *j);
/* A record of a message for the ledger. */
int note_record(struct work *w, uint64_t number, const struct outcome *o, const struct ledger_field *fields, size_t n);
/* step_set_aside.c: refused messages in their own syntax. */
int step_set_aside(struct work *w);

/* job_unpack.c: an archive's members, in place of a document's messages. */
int job_unpack(const struct job *job, const struct port *port, struct result *out);

/* groups.c: problems of the same code and path are one, with a count. */
void groups_fold(struct work *w);
void groups_hide(struct work *w);
void work_fault(struct work *w, int status);

#endif
