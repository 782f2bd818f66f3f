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
#include "store/ledger.h"
#include "store/sequence.h"
#include "store/table.h"
#include "syntax/syntax.h"

/* One give of the job. */
struct lane {
    const struct give *give;
    struct run *run;                /* NULL: the document goes as it is */
    struct writer writer;
    struct arena arena;             /* of the writer */
    struct sink sink;
    struct sha256 hash;
    int fd;                         /* -1: nothing is open */
    struct output *output;
    struct node **targets;          /* what the mapping gave for the message at hand */
    size_t ntargets, targets_cap;
    struct rows *rows;              /* of a table that is replaced, or whose rows are merged field by field */
    struct merge *merge;            /* of a table, or what consolidates: the documents that the mapping updates */
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

struct numbers {
    const struct site_sequence *sequence;
    struct sequence rule;
    struct sequence_lease lease;
    size_t next_known;              /* of the job's leases */
    uint64_t want;
    struct numbers *next;
};

struct work {
    const struct job *job;
    const struct site *site;
    const struct operation *op;
    const struct port *port;
    struct table_cache *cache;
    struct arena *arena, message;
    struct source source;
    struct reader reader;
    struct problems now;            /* of the message at hand, or of the file as a whole */
    struct result *result;
    struct lane *lanes;
    struct format *outcomes;        /* the tree of $outcome, for reports */
    struct outside outside;
    struct slice batch_time;        /* canonical, local */
    struct lookup *lookups;
    struct numbers *numbers;
    struct span *rejected;          /* byte ranges of refused messages */
    size_t nrejected, rejected_cap;
    struct lines lines;
    bool lines_open;
    struct sink ledger;
    bool ledger_open;
    struct sha256 ledger_hash;
    struct output *ledger_output;
    struct ledger *own;             /* of this flow, when a table or `duplicates key` asks for it */
    bool told_all;                  /* the message's findings are among its problems already */
    int64_t told;                   /* monotonic ms of the last progress */
    size_t skips_cap;
};

/* outside.c */
void work_outside(struct work *w);
/* A message that gave output is an earlier one from now on: tables `of batch`, and `of flow` over this flow. */
void lookup_message(struct work *w, const struct node *message);
void lookup_end(struct work *w);
/* The numbers that are left of each lease, for the result. */
void numbers_end(struct work *w);
/* The ledger fields of a message, in the arena; nfields of them. */
struct ledger_field *kept_fields(struct arena *a, const struct operation *op, const struct node *message);

/* tables.c: tables with a file, loaded once and again when the file changed. */
struct table_cache;
struct table *cache_table(struct table_cache *c, const struct site_table *t, const struct limits *limits,
                          char sha256[SHA256_HEX], uint64_t *rows, struct problems *ps);
struct ledger *cache_ledger(struct table_cache *c, const struct flow *f, struct problems *ps);
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

/* step_map.c */
int step_map(struct work *w, struct node *message, struct outcome *outcome);
int lane_finish(struct work *w, struct lane *l);
/* All messages, refused ones too. */
int step_report(struct work *w, struct node *message, const struct outcome *outcome);
/* step_check.c: the business key was there before. */
int step_check(struct work *w, const struct node *message, struct outcome *outcome);
/* step_write.c */
int lane_write(struct work *w, struct lane *l, struct node *target, const struct node *message);
int lane_end(struct work *w, struct lane *l);
void lane_abandon(struct lane *l);
struct output *work_output(struct work *w, enum output_kind kind, const struct give *g);
/* step_note.c: the line, the ledger record and the counts of a message. */
int step_note(struct work *w, const struct node *message, const struct outcome *outcome);
int step_note_end(struct work *w);
/* step_set_aside.c: refused messages in their own syntax. */
int step_set_aside(struct work *w);

/* groups.c: problems of the same code and path are one, with a count. */
void groups_fold(struct work *w);
void groups_hide(struct work *w);
void work_fault(struct work *w, int status);

#endif
