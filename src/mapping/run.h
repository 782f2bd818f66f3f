/*
 * run (private) - the state of a running mapping
 *
 * Frames hold the instances at hand, by depth of their scope: both sides, and `old`, the aligned instance that update
 * mode compares with.  Values point into the message arena, the trees, the program or bound tables.
 *
 * Errors:  evaluation never stops half-way: the first fault of a row is kept in run->fault, and who evaluates a row
 *          makes a finding of it.
 */
#ifndef WAYBILL_MAPPING_RUN_H
#define WAYBILL_MAPPING_RUN_H

#include "format/type.h"
#include "program.h"

enum val_kind { VAL_NOTHING, VAL_DATA, VAL_NODE, VAL_ROW };

struct val {
    const char *p;
    uint32_t n;
    uint8_t kind, type;
    uint32_t table;                 /* VAL_ROW */
    const struct value *row;
    const struct node *node;        /* VAL_NODE */
};

struct frame {
    struct node *side[2];
    struct node *old;
    const struct node *before;      /* $before: `old` as it was before this message */
    uint32_t position, last;
    uint64_t id;                    /* a new one for each instance: lets of another are stale */
    uint64_t old_id;                /* the same for lets that read $old */
};

struct let_slot {
    uint64_t id;                    /* of the frame that it was computed for; 0 = none */
    const struct node *here;
    struct val value;
    const struct expr *missed;      /* a table had no row while it was computed under guard */
};

struct bound {
    void *table;                    /* of outside; NULL for a local one */
    struct map *index;              /* local: key text → row; NULL = not yet */
    struct value **rows;            /* local: values by column */
    int *columns;                   /* declared column → column of the bound table */
    enum type *types;
};

struct run_fault {
    const char *code;               /* NULL = none */
    struct slice text;
    const struct expr *at;
    struct slice field, value;
};

struct created {                    /* a field that several <=> rows write */
    struct node *node;
    const struct field *field;
    struct value value;
    const struct item *item;
    struct created *next;
};

struct left_out {
    const struct scope *scope;
    const struct node *node;
    struct left_out *next;
};

struct buffered {
    struct node *target;
    struct val *keys;
    size_t index;
};

/* What the judging pass of a merge chose, for the pass that writes. */
struct decision {
    const struct scope *scope;
    const struct node *read;
    struct node *chosen;            /* as it was before the message; NULL = a new one */
    struct decision *next;
};

/* A node of a document and the one that stands for it in the copy that rows change. */
struct twin {
    struct node *original, *copy;
};

/* What a message adds to, as it was before it. */
struct before {
    struct num *totals;
    bool *totals_set;
    size_t nkept;
};

struct run {
    struct arena *arena;            /* of the batch */
    struct arena *a;                /* of the message */
    const struct mapping *mapping;
    const struct program *program;
    enum mapping_direction direction;
    const struct outside *outside;
    struct value *params;
    struct bound *tables;
    struct let_slot *lets;
    struct node **regs;
    uint64_t *counts;               /* by item */
    struct frame frames[SCOPE_DEPTH_MAX + 1];
    uint32_t depth;
    const struct node *files[2];
    struct node *file;              /* that is written */
    uint64_t next_id, number;
    int guard;
    const struct expr *missed;
    struct run_fault fault;
    uint32_t position, last;        /* of the instance at hand, for position() and last() */
    struct outcome *outcome;
    struct problems *ps;
    const struct node *message;     /* of the side read */
    bool rows_only;                 /* second pass: requires were judged already */
    bool judge_only;                /* first pass */
    bool finishing, unjudged;
    enum { PAIRS_ALL, PAIRS_MESSAGE, PAIRS_LOG } pairs;     /* of a report: which message pairs run */
    int stop;                       /* STOP or TEMP came from outside */
    struct created *created;
    struct edits *edits;            /* update mode */
    struct edits back;              /* of the source: what rows against the arrow give back */
    bool note_taken;
    struct node **taken;            /* instances that the group rows took, as they came */
    size_t ntaken, cap_taken;
    bool direct;                    /* a merge: rows change a copy of the document at once, nothing goes to `edits` */
    bool changed;                   /* a merge: some row wrote what was not so */
    struct twin *twins;             /* by node->mark - 1, in the document and in its copy */
    size_t ntwins;
    struct decision *decisions, *last_decision, *next_decision;
    enum { PASS_ALL, PASS_EARLY, PASS_LATE } pass;  /* update mode: fallbacks compare with what the other rows made */
    struct left_out *left_out;      /* instances that a require left out in the early pass */
    struct passed { uint32_t seen, passed; } *passed;       /* by item: instances of a group row, those not left out */
    bool emptied;                   /* the message lost all instances of a group that must be there */
    struct node *old_file;          /* update mode: of the original */
    struct node **made;             /* update mode: new instances, not in the original's lists */
    size_t nmade, cap_made;
    struct num *totals;
    bool *totals_set;
    struct before before;
    mapping_give *accept;           /* of targets that are kept to be sorted; NULL = all are good */
    void *accept_owner;
    struct buffered *kept;
    size_t nkept, cap_kept;
    struct node **results;          /* messages made of the one at hand */
    size_t nresults, cap_results;
    bool file_judged, file_read;    /* file_read: rows outside the message pair ran with what stands ahead of it */
    int file_rc;
    struct attached *attached;      /* read for this message: a row and a require may ask for the same file */
};

struct attached {
    struct slice name, bytes;
    struct attached *next;
};

/* Another instance: what lets hold of the one before is stale. */
static inline void frame_begin(struct run *r, struct frame *f)
{
    f->id = f->old_id = ++r->next_id;
}

/* value.c */
static inline struct val val_nothing(void)
{
    return (struct val){ .kind = VAL_NOTHING };
}

static inline struct val val_data(enum type type, struct slice s)
{
    return (struct val){ .p = s.p, .n = (uint32_t)s.n, .kind = s.n ? VAL_DATA : VAL_NOTHING, .type = (uint8_t)type };
}

static inline struct slice val_slice(const struct val *v)
{
    return v->kind == VAL_DATA ? (struct slice){ v->p, v->n } : (struct slice){ "", 0 };
}

struct val val_of(const struct value *v, enum type type);
struct val val_bool(bool b);
struct val val_num(struct run *r, struct num n, enum type type);
bool val_is_nothing(const struct val *v);
bool val_true(const struct val *v);
/* <0, 0, >0; *comparable false when one is nothing or the types do not meet. */
int val_compare(const struct val *a, const struct val *b, bool *comparable);
bool val_equal(const struct val *a, const struct val *b);
/* Equal as keys of alignment: numbers by value. */
struct slice val_key_text(struct arena *a, const struct val *v);
/* Puts a value into a field's canonical form; false with a fault when it does not convert. */
bool val_convert(struct run *r, const struct val *v, const struct field *f, const struct expr *at, struct value *out);

/* eval.c */
void eval(struct run *r, const struct expr *e, const struct node *here, struct val *out);
bool eval_true(struct run *r, const struct expr *e, const struct node *here);
/* Each node (or value, f not NULL) that a path gives; stops when visit says false. */
typedef bool path_visit(void *owner, const struct node *n, const struct field *f);
bool path_each(struct run *r, const struct expr *e, const struct node *here, path_visit *visit, void *owner);
/* The same for the steps of `e` from `at` on. */
bool path_walk(struct run *r, const struct expr *e, size_t at, const struct node *n, path_visit *visit, void *owner);
bool pred_holds(struct run *r, const struct pred *pr, const struct node *n, uint32_t position, uint32_t last);
bool key_holds(const struct node *n, const struct pred *pr);
/* The first value of a path as it lies in the tree (raw() needs it), or NULL. */
const struct value *path_value(struct run *r, const struct expr *e, const struct node *here);
void run_fault_set(struct run *r, const struct expr *at, const char *code, struct slice field, struct slice value,
                   const char *format, ...)
    __attribute__((format(printf, 6, 7)));
struct slice template_run(struct run *r, const struct template *t, const struct node *here);

/* lookup.c */
int lookup_bind(struct run *r, struct problems *ps);
bool lookup_row(struct run *r, const struct expr *e, const struct node *here, struct val *out);
/* The row whose column has that value: for `<=>` rows; 0, 1 or 2 found. */
int lookup_back(struct run *r, const struct expr *e, struct slice value, const struct value **row_out);
struct val lookup_column(const struct run *r, const struct val *row, uint32_t column);

/* invert.c: writes the value through the expression, into the node at hand. */
/* Could a two-way row take this back?  Joined parts without the separator, padding that is not part of the text. */
bool invert_safe(struct run *r, const struct expr *e, const struct node *here);
bool invert_write(struct run *r, const struct op *op, const struct expr *e, const struct val *v);

/* write.c */
struct node *dest_node(struct run *r, const struct dest *d);
/* Where a dest stands now, without making it; NULL = it is not there. */
struct node *dest_find(struct run *r, const struct dest *d);
void write_value(struct run *r, const struct op *op, const struct dest *d, const struct field *f,
                 const struct value *v);
/* Sets what the predicate of a written group says on a new instance. */
void construct(struct run *r, const struct pred *pr, struct node *n);

/* judge.c */
struct finding *finding_add(struct run *r, const struct verdict *v, const struct node *n, const struct expr *about,
                            struct slice text);
/* A fault that the engine found, as `reject`. */
void finding_fault(struct run *r, const struct item *item, const struct node *n);
/* The scope's requires for the instance at hand; the kind that stops it, or OUTCOME_NONE. */
enum outcome_kind judge_scope(struct run *r, const struct scope *s, enum mapping_direction d);

void finding_verdict(struct run *r, const struct verdict *v, const struct node *n, const struct expr *about);
void finding_disagree(struct run *r, const struct item *item, const struct node *n, const struct field *f,
                      const struct value *before,
                      const struct value *after);
void finding_engine(struct run *r, enum outcome_kind kind, const char *code, const struct node *n, struct slice text);

/* consolidate.c */
typedef void candidate_each(void *owner, struct slice key, void (*take)(void *to, struct node *n), void *to);
/* Whether these rules of a scope hold in this run. */
const struct consolidate *consolidates(const struct run *r, const struct scope *s);
/* The key that a match finds candidates by: of the instance read, or of a document (`old` is set in the frame). */
struct slice match_key(struct run *r, const struct scope *s, bool old, struct arena *a);
/* The document, or line of one, that the instance at hand goes into; NULL = a new one.  Says why to the outcome. */
struct node *consolidate_choose(struct run *r, const struct scope *s, candidate_each *each, void *owner);
/* `$old` is another one from now on. */
static inline void frame_old(struct run *r, struct frame *f, struct node *old, const struct node *before)
{
    f->old = old;
    f->before = before;
    f->old_id = ++r->next_id;
}

/* The node that stands for it before this message: n itself where nothing was copied; NULL when it is new. */
struct node *twin_original(const struct run *r, struct node *n);
struct node *twin_copy(const struct run *r, struct node *original);
/* What the judging pass found is kept for the pass that writes. */
void decision_keep(struct run *r, const struct scope *s, const struct node *read, struct node *chosen);
struct node *decision_next(struct run *r, const struct scope *s, const struct node *read);

/* update.c */
/* The instance that is read of a message pair is at hand from now on; then its $old is set. */
void update_enter(struct run *r, const struct scope *s, struct node *read, uint32_t position);
/* Its rows write into `document`, NULL: into a new one.  Gives the document, NULL when a require leaves it out. */
struct node *update_document(struct run *r, const struct op *op, struct node *document);
/* The message pair of a group of this side. */
const struct op *pair_for(const struct run *r, const struct group *g, int side);
/* Several rows wrote a field: the later has won. */
void settle_shared(struct run *r);
/* The key rows' values; n 0 when all of them are nothing. */
struct slice instance_key(struct run *r, const struct scope *s, int side, struct node *n);
bool has_keys(const struct run *r, const struct scope *s);
/* A new instance below an old parent, as an edit; and an old value that changes. */
struct node *update_insert(struct run *r, struct node *parent, const struct group *g, struct node *after);
void update_set(struct run *r, struct node *n, const struct field *f, const struct value *v);
bool node_is_new(const struct node *n);
void node_mark_new(struct node *n);
void update_scope(struct run *r, const struct scope *s);

/* run.c */
void run_scope(struct run *r, const struct scope *s);
void run_op_value(struct run *r, const struct op *op, struct node *here);
/* The value that a path gives when it did not fit its type, else NULL; and how a row carries it on. */
const struct value *lax_value(struct run *r, const struct expr *e, const struct node *here);
void copy_lax(struct run *r, const struct op *op, const struct value *v);
/* Says so when what is made of the message is more than one may hold. */
bool message_full(struct run *r, const struct node *n);
/* What the judging of all pairs comes to: OK or SKIP. */
int run_verdict(struct run *r);
bool run_dead(const struct run *r);

void run_begin(struct run *r, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
               struct problems *ps);
bool path_any(struct run *r, const struct expr *e, const struct node *here);
bool same_group(const struct group *a, const struct group *b);
/* Does the first step of a top-level path take this message? */
bool step_takes(struct run *r, const struct pstep *s, const struct node *n);

/* Was the instance left out in an earlier pass? */
bool is_left_out(const struct run *r, const struct scope *s, const struct node *read);
void leave_out(struct run *r, const struct scope *s, const struct node *read);

/* back.c: what the instance at hand, judged and taken, leaves behind on the side read. */
void taken_note(struct run *r, const struct node *n);
/* Its results are there: the rows against the arrow. */
void back_scope(struct run *r, const struct scope *s);

/* runfile.c */
int run_file_requires(struct run *r);
void run_file_rows(struct run *r);
/* The first message is there, and with it the members of the file that stand ahead of it. */
void run_file_begins(struct run *r);
void run_totals(struct run *r, const struct node *message);
/* What the next message adds to can be taken back: run_withdraw(). */
void totals_mark(struct run *r);

/* sort.c */
void sort_buffered(struct buffered *list, size_t n, const struct sort_key *keys, size_t nkeys);
void sort_list(struct run *r, const struct scope *s, struct node_list *list);
void keep_sorted(struct run *r, struct node *target);
int give_sorted(struct run *r, mapping_give *give, void *owner);

#endif
