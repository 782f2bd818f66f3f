/*
 * mapping - the correspondence of two formats, compiled, run forward and backward
 *
 *     struct mapping *m;
 *     rc = mapping_load(arena, &env, "sales-orders", NULL, &m, problems);       names resolved, checked, compiled
 *     struct run *run = run_new(arena, m, MAPPING_FORWARD, &outside, problems); binds params and tables
 *     per message:  rc = run_message(run, source, &message_arena, &outcome, sink_fn, owner, problems);
 *     at the end:   rc = run_finish(run, …);                                    file members, totals
 *
 * The mapping layer knows no folder, no table file and no clock: all that comes from outside is asked of
 * `struct outside`.  Source: LANGUAGE.md sections 3, 4 and 6.
 *
 * Owner:   mapping: program arena, immutable, shared by threads.  run: batch arena.  Results: the message arena.
 * Errors:  OK, SKIP (this message was refused, skipped or waits: see the outcome), STOP (the run cannot go on), TEMP.
 */
#ifndef WAYBILL_MAPPING_MAPPING_H
#define WAYBILL_MAPPING_MAPPING_H

#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "format/format.h"
#include "message/edit.h"
#include "message/node.h"

enum mapping_direction { MAPPING_FORWARD, MAPPING_BACKWARD };
enum mapping_arrow { ARROW_BOTH, ARROW_RIGHT, ARROW_LEFT };

enum outcome_kind { OUTCOME_NONE, OUTCOME_NOTE, OUTCOME_WARN, OUTCOME_SKIP, OUTCOME_WAIT, OUTCOME_REJECT };
extern const char *const outcome_names[];       /* "note", "warn", "skip", "wait", "reject" */
extern const char *const outcome_states[];      /* State of $outcome: "done", "skipped", "waiting", "rejected" */

struct mapping_param {
    struct slice name, title;
    struct field *field;            /* type and attributes */
    bool required, has_default;
    struct value otherwise;         /* the default */
    struct token token;
    bool used;
};

/* The value of a param as people write it: a date alone is its first moment, a blank may stand for the T of a datetime,
   seconds may be left out. */
struct slice param_spelling(struct arena *a, const struct mapping_param *m, struct slice text);

struct mapping_table {
    struct slice name;
    struct slice *keys, *columns;   /* column names */
    size_t nkeys, ncolumns;
    bool optional, local;           /* local: rows stand in the map */
    struct slice **rows;            /* of a local table: rows[i][column], keys first */
    size_t nrows;
    bool unique;                    /* a two-way row finds its rows by column: column values must be unique */
    struct token token;
    bool used;
    struct slice prefer;            /* `prefer COLUMN`: of several rows table_find gives the one where it is true; n
                                       0 = none */
    struct slice unique_column;     /* with `unique`: the column */
    bool included;                  /* declared in a file that the map includes */
};

struct mapping {
    struct slice name, title;
    const char *file;
    struct format *left, *right;
    enum mapping_arrow arrow;
    struct mapping_param *params;
    size_t nparams;
    struct mapping_table *tables;
    size_t ntables;
    struct conf *conf;
    size_t rows, two_way;           /* value rows, and how many of them are <=> */
    struct hidden hidden;           /* names of fields that it makes of sensitive values, for problems_hide() */
    struct program *program;        /* private: mapping/program.h */
};

/* How formats are found and prepared: syntax_format() of the layer above, passed in so that mapping does not include
   syntax. */
struct mapping_env {
    const struct finder *finder;
    int (*load_format)(void *owner, struct arena *a, struct slice name, const char *from, struct format **out,
                       struct problems *ps);
    void *owner;
};

int mapping_load(struct arena *a, const struct mapping_env *env, struct slice name, const char *from,
                 struct mapping **out, struct problems *ps);

/* The same from a parsed conf: for tests and for mappings made by the program. */
int mapping_compile(struct arena *a, const struct mapping_env *env, struct slice name, struct conf *c,
                    struct mapping **out, struct problems *ps);

/* Finds `hidden` anew: after a param was made FIELD_SENSITIVE, because its value is a secret. */
void mapping_hide(struct arena *a, struct mapping *m);

/* One row of a table as the mapping sees it: values by the table's own column order. */
struct table_row {
    const struct value *values;     /* [ncolumns of the bound table] */
};

/* What a mapping needs from outside; every pointer may be NULL where the mapping declares no need. */
struct outside {
    void *owner;
    /* The value of a param (text as written in site.conf or --set), or slice_none(): then the default counts. */
    struct slice (*param)(void *owner, struct slice name);
    /* Binds a declared table once per run; NULL with a problem when it cannot be had. Gives its columns' types in
       `columns`. */
    void *(*table_open)(void *owner, const struct mapping_table *t, struct problems *ps);
    /* Type of a column of a bound table; -1 = no such column. */
    int (*table_column)(void *owner, void *table, struct slice column, enum type *type_out);
    /* Rows whose columns `cols[0..n-1]` equal the canonical texts: 0, 1 or 2 (= more than one); fills the first. */
    int (*table_find)(void *owner, void *table, const int *cols, const struct slice *keys, size_t n,
                      const struct value **row_out);
    int (*sequence_next)(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps);
    int (*attachment)(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps);
    struct slice batch_id, file_name;
    struct slice batch_time;        /* canonical datetime of the site's zone, recorded once */
    /* Another text for a CODE, in the site's language; slice_none() = the mapping's own. May hold {expr} of plain
       field names. */
    struct slice (*text)(void *owner, const char *code);
    /* $state: that of an instance of a batch, by the `track … state … when` of the flow; may be NULL. */
    struct slice (*state)(void *owner, const struct node *instance);
};

/* One judgement about a message: what `require … else` said. */
struct finding {
    enum outcome_kind kind;
    struct slice code, text;
    const struct node *node;        /* the instance judged: the message or a line of it; NULL: read back from a log */
    struct slice key;               /* of the message, for people */
    struct slice line;              /* the key of the line judged; n 0: that of `node`, or the message is meant */
    struct slice field, value;
    struct slice operation, time;   /* which run said it, and when (canonical datetime); n 0: as the outcome has them */
    struct finding *next;
};

/* One step of `consolidate`: a document (or a line of one) that was looked at, or how the search ended. */
enum tried_kind { TRIED_FAILED, TRIED_CHOSEN, TRIED_NEW };
extern const char *const tried_names[];         /* "failed", "chosen", "new" */
struct tried {
    enum tried_kind kind;
    const struct node *node;        /* the instance read: the message or a line of it */
    struct slice line;              /* of a line: its key, else its path ("Line[2]"); n 0: the message itself */
    struct slice key;               /* of the one looked at, for people; n 0 with TRIED_NEW */
    struct slice code;              /* the check that failed, or why it is a new one; n 0 with TRIED_CHOSEN */
    struct slice text;              /* what stands behind the code, else "100232=LOCKED" */
    struct slice values;            /* what the check saw: `$old/LockedBy "UPC"` */
    struct tried *next;
};

struct outcome {
    enum outcome_kind kind;         /* the worst; SKIP, WAIT, REJECT mean that the message gives no output */
    struct finding *first, *last;
    size_t n;
    struct slice operation, time;   /* of the run at hand, for $outcome/Problem: set by who calls outcome_node() */
    struct slice reason;            /* of a consolidating map: why the message made a new document; n 0 = it did not */
    struct tried *tried, *last_tried;
    size_t ntried;                  /* the first 1,000 are kept */
};

/* Appends a finding: a skip of a line leaves the message's kind as it is, any other raises it. */
void outcome_add(struct outcome *o, struct finding *f, const struct node *message);

struct run;

/* Receives what was built of one message, all of it at once (several message rows give several), n > 0; sorted targets
   at the end, one by one.  A message whose targets are refused (SKIP) does not count in totals. */
typedef int mapping_give(void *owner, struct node *const *targets, size_t n, struct problems *ps);

struct run *run_new(struct arena *a, const struct mapping *m, enum mapping_direction d, const struct outside *o,
                    struct problems *ps);
/* Do the params fit, and every `require` of the file that reads nothing else?  Before a flow is switched on: the run
   would stop with the same problems. */
int run_settings(struct arena *a, const struct mapping *m, enum mapping_direction d, const struct outside *o,
                 struct problems *ps);
/* File members of the side written, made so far: set writer.file to it before writer_open. */
struct node *run_file(struct run *r);
/* From now on no `require` refuses, skips or notes anything: for the laws, which are about values. */
void run_unjudged(struct run *r);
/* The file node of the side read, for `/Name` paths; call when the reader has opened. */
void run_source_file(struct run *r, const struct node *file);
int run_message(struct run *r, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
                mapping_give *give, void *owner, struct problems *ps);
/* `outcome`: what the requires of rows at the end say; what they reject (SKIP) is the file, for it belongs to no
   message. */
int run_finish(struct run *r, struct arena *a, struct outcome *outcome, mapping_give *give, void *owner,
               struct problems *ps);
/* The message that the run has taken last is refused by others: it counts in no total and is not sorted in. */
void run_withdraw(struct run *r);
/* Targets to be sorted wait for the end: from now on `accept` is asked of those of a message while it is there; what it
   refuses (SKIP) is refused like that of a `give`. */
void run_accept(struct run *r, mapping_give *accept, void *owner);

/* From now on the run notes which instances of the source its group rows take; costs nothing when not asked for. */
void run_note_taken(struct run *r);
/* After run_message or run_update gave OK: the instances that passed the predicates and requires of a group row, and
   those that they lie in up to the message, each once and those above first; in the message's arena. */
void run_taken(struct run *r, struct node *const **nodes, size_t *n);
/* Are there rows that give results back into the source: `<=` rows of a `=>` mapping? */
bool mapping_gives_back(const struct mapping *m);
/* After run_message or run_update gave OK: adds what those rows change in the source message, as edits of it. */
void run_back(struct run *r, struct edits *edits);
void run_free(struct run *r);

/*
 * Update mode: the written side exists.  `old` is the aligned instance of the original (NULL: new), `source` the
 * answer's message (NULL: only the original has it).  Adds edits; nothing is written into `old`.
 */
int run_update(struct run *r, struct node *old, struct node *source, uint64_t number, struct arena *a,
               struct edits *edits, struct outcome *outcome, struct problems *ps);
/* The key that aligns a message of the side read (written = false) or of the side written (written = true); n 0 = no
   key rows. */
struct slice run_key(struct run *r, const struct node *message, bool written, struct arena *a);
/* The same of the file, by key rows outside the message pairs (`key /Batch => /Batch`); n 0 = there are none. */
struct slice run_file_key(struct run *r, bool written, const struct node *file, struct arena *a);
/* Do key rows say which message belongs to which, in all message pairs; which file to which; does it judge messages
   (`require`)? */
bool mapping_keyed(const struct mapping *m, enum mapping_direction d);
bool mapping_file_keyed(const struct mapping *m, enum mapping_direction d);
bool mapping_judges(const struct mapping *m);
/* The message pairs of the mapping in this direction: for a message group of the side read, the group written; NULL
   = none. */
const struct group *run_target(const struct run *r, const struct group *source);

/* Makes the tree of $outcome below a message, for reports; `state` as in LANGUAGE section 5.  A report over a log makes
   it of findings that were read back: without nodes, with key and line as texts. */
struct format *outcome_format(struct arena *a);
struct node *outcome_node(struct arena *a, const struct format *f, struct node *message, const struct outcome *o);
/* Runs the pairs of a report map that begin at a message over one message, refused ones too; `outcome`: the latest
   that was said about it. */
int run_report(struct run *r, struct node *message, struct node *outcome, struct arena *a, mapping_give *give,
               void *owner, struct problems *ps);
/* Runs the pairs that begin at $outcome (`$outcome/Problem => Entry`); `message`: the one that it is about, or an empty
   instance of its group below the same file node. */
int run_log(struct run *r, struct node *message, struct node *outcome, struct arena *a, mapping_give *give,
            void *owner, struct problems *ps);
bool run_has_log(const struct run *r);

/* Loss table, per direction: dropped, narrowed, invented, first of several. */
enum loss_kind { LOSS_DROPPED, LOSS_NARROWED, LOSS_INVENTED, LOSS_FIRST };
extern const char *const loss_names[];
struct loss {
    enum mapping_direction direction;
    enum loss_kind kind;
    struct slice path, reason;
    uint32_t line;
    struct loss *next;
};
struct loss *mapping_losses(struct arena *a, const struct mapping *m);

/* For `test`: how often each statement ran or fired, by line; and what may be left out to make a mutant. */
struct mutant {
    enum { MUTANT_ROW, MUTANT_TABLE_ROW, MUTANT_REQUIRE } kind;
    const char *file;               /* of the statement: the map or one that it includes */
    uint32_t first_line, last_line;
    struct slice text;
};
size_t mapping_mutants(struct arena *a, const struct mapping *m, struct mutant **out);
void run_coverage(const struct run *r, void (*each)(void *owner, uint32_t line, uint64_t times), void *owner);
/* The same with the file of each statement: the map or one that it includes. */
void run_coverage_files(const struct run *r, void (*each)(void *owner, const char *file, uint32_t line, uint64_t times),
                        void *owner);

/* Field table of a mapping, for `describe`.  Lines of a consolidate block stand in it too, behind its group row:
   `match`, with the condition on the left, the code on the right, and neither field. */
struct correspondence {
    struct slice left, right, how;
    enum mapping_arrow arrow;
    bool key;
    uint32_t line, depth;
    const struct field *left_field, *right_field;   /* of a value row: the field that going left, going right writes;
                                                       NULL = none */
    bool exact;                     /* a two-way row that is lawful in create mode too (LANGUAGE.md: exact, not lens) */
    bool group;                     /* a group row */
    bool rule;                      /* of a consolidate block: `how` is its word, `arrow` the direction it works in */
};
size_t mapping_correspondences(struct arena *a, const struct mapping *m, struct correspondence **out);

#endif
