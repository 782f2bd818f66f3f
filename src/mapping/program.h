/*
 * program - a mapping, checked and compiled
 *
 * A mapping becomes a tree of scopes (one per group row, the file's own at the top), each with its rows, lets and
 * requires.  compile.c turns the rows of each scope into one array of operations per direction: requires first, then
 * rows in the order of the file.  Everything is resolved to slots; running looks up no name.
 *
 * Places that are written ("dest") are numbered: run.c keeps the node of each in a register, made on first use.
 *
 * Owner:   the program arena; immutable once compiled.
 */
#ifndef WAYBILL_MAPPING_PROGRAM_H
#define WAYBILL_MAPPING_PROGRAM_H

#include "expr.h"
#include "mapping/mapping.h"

#define SCOPE_DEPTH_MAX 32
#define TABLE_KEYS_MAX 16
#define TABLE_COLUMNS_MAX 1024

struct let {
    struct slice name;
    struct expr *value;
    struct scope *scope;
    uint32_t index;                 /* its slot at run time */
    int side;                       /* whose instance its names start from */
    bool used, file_total;          /* of the file, with totals over messages: known at the end */
    bool sensitive, names_sensitive;            /* as expr_sensitive and expr_names_sensitive: mapping_hide */
    bool uses_old;                  /* another candidate of consolidate gives it another value */
    const struct conf *conf;
    struct token token;
    struct let *next;
};

/* `else OUTCOME CODE "text"` */
struct verdict {
    bool given;
    enum outcome_kind kind;
    struct slice code;
    const char *code_text;          /* the same, NUL-terminated */
    struct template *text;          /* NULL = none */
};

/* A rule is a gate, match, check or none of a consolidate block. */
enum item_kind { ITEM_ROW, ITEM_GROUP, ITEM_REQUIRE, ITEM_RULE };

struct item {
    enum item_kind kind;
    enum mapping_arrow arrow;
    bool key;
    bool broken;                    /* a name in it could not be resolved: the checks pass over it */
    struct expr *e[2];              /* by side; of a require: [0] the condition */
    struct scope *scope, *inner;    /* where it stands; what a group row opens */
    struct verdict verdict;
    uint32_t index;                 /* for coverage */
    const struct conf *conf;
    struct statement *st;
    struct item *next;
};

enum policy_new { NEW_ADD, NEW_IGNORE, NEW_REJECT };
enum policy_missing { MISSING_KEEP, MISSING_REMOVE, MISSING_REJECT, MISSING_ROWS };

struct policy {                     /* per direction */
    enum policy_new when_new;
    enum policy_missing when_missing;
    bool follow, new_given, missing_given;
    struct verdict new_verdict, missing_verdict;
    struct scope *missing_rows;
};

struct sort_key {
    struct expr *e;
    bool descending;
};

/* `A = $old/B` in a match: a key finds the candidates. */
struct term {
    struct expr *read, *old;
};

struct consolidate {
    enum mapping_direction direction;
    struct item **gates, *match, **checks;
    size_t ngates, nchecks, cap_gates, cap_checks;
    struct verdict none;            /* candidates, but none passed */
    uint32_t none_line;
    struct sort_key *sorts;
    size_t nsorts;
    struct term *terms;
    struct expr **rest;             /* of the match: asked of each candidate */
    size_t nterms, nrest, cap_terms, cap_rest;
};

struct op;

struct scope {
    struct scope *parent;
    struct item *row;               /* the group row that opened it; NULL for the file */
    uint32_t depth;                 /* 0 = the file */
    const struct group *side[2];
    struct let *lets;
    struct item *items, **tail;
    struct policy policy[2];
    struct sort_key *sorts;
    size_t nsorts;
    size_t nkeys;
    bool uses_last;
    bool reads_old;                 /* something in it names its $old */
    bool old_only;                  /* `missing { … }`: both sides are the instance that is written */
    bool total;                     /* `/. => X`: once, after the messages */
    bool report;                    /* its left side lies in $outcome */
    struct consolidate *consolidate;    /* NULL = aligned by key or position */
    struct op *ops[2];              /* per direction */
    size_t nops[2], nrequires[2];
    struct dest *base[2];           /* per direction: the instance that is written */
    struct node_blank blank[2];     /* per direction: of its group */
    struct op *back;                /* rows against the arrow of a one-way header: what they write in the source */
    size_t nback;
    struct dest *back_base;         /* the instance read, when such a row writes into it */
    uint32_t reg_first[2], reg_end[2];
    struct scope *next;             /* all of the program */
};

/* A place in the tree that is written. */
struct dest {
    struct dest *up;                /* NULL: the file node, or a scope's base that its loop sets */
    const struct group *group;
    const struct pred *pred;        /* NULL: the only instance */
    uint32_t reg;
    struct dest *next;              /* of its scope */
};

enum op_code { OP_COPY, OP_CONST, OP_EXPR, OP_INVERT, OP_CONST_CHECK, OP_GROUP, OP_JUDGE };
/* How a value of one type becomes one of another. */
enum convert { CONVERT_SAME, CONVERT_DYNAMIC, CONVERT_NEVER };

#define HOPS 3

/* A row that does no more than carry a value over: slots of both sides, and its place in run->counts. */
struct copy {
    uint32_t from, to, count;
};

struct op {
    uint8_t code;
    uint8_t convert;
    uint8_t nhops;
    bool shared;                    /* another <=> row writes the same field: the later wins, ROWS_DISAGREE */
    uint32_t slot;                  /* OP_COPY: of the field that is read */
    uint32_t hop[HOPS];             /* OP_COPY: child lists on the way to it */
    uint32_t to;                    /* slot of the field that is written */
    uint32_t reg;                   /* of its node */
    const struct field *field;
    struct dest *dest;
    const struct item *item;
    struct expr *from, *into;       /* the side read, the side written */
    struct value constant;
    bool loops;                     /* OP_GROUP: makes an instance per instance read */
    bool late;                      /* update mode: a fallback, which other rows may change; runs after them */
    uint32_t ncopies;               /* OP_COPY: this row and those behind it that are `copies`, all into one node */
    struct copy *copies;            /* NULL: begins no such run of rows */
};

/* A total over all messages: sum(Order/Total) => /Trailer/Total */
struct total {
    struct expr *call;              /* count(path) or sum(path) */
    const struct group *message;
};

struct program {
    const struct mapping *mapping;
    struct scope *file, *scopes, **scopes_tail;
    uint32_t nlets, nitems, nregs[2];
    struct item **items;            /* by index */
    struct let **lets;              /* by index */
    bool faulty;                    /* errors were found: what seems unused may be meant by one of them */
    bool late[2];                   /* per direction: some rows are */
    bool uses_next;                 /* numbers are leased after all requires have passed */
    bool buffers;                   /* a sort outside the message pair */
    bool gives_back;                /* some rows do */
    bool param_requires;            /* requires of the file that parameters decide */
    struct total *totals;
    size_t ntotals;
    struct format *outcome;         /* layout of $outcome, for resolving */
    struct mutant *mutants;
    size_t nmutants, cap_mutants;
    struct slice *prefer;           /* by table: the column that chooses among equals; n 0 = none */
};

static inline int side_read(enum mapping_direction d)
{
    return (int)d;
}

static inline int side_written(enum mapping_direction d)
{
    return 1 - (int)d;
}

/* Does an arrow go this way? */
static inline bool arrow_goes(enum mapping_arrow arrow, enum mapping_direction d)
{
    return arrow == ARROW_BOTH || arrow == (d == MAPPING_FORWARD ? ARROW_RIGHT : ARROW_LEFT);
}

/* A row against the arrow of a one-way header gives a result back: `Invoice <= InvoiceNo` in a `=>` mapping. */
static inline bool gives_back(const struct mapping *m, const struct item *it)
{
    return m->arrow != ARROW_BOTH && it->arrow != ARROW_BOTH && it->arrow != m->arrow && it->kind != ITEM_REQUIRE &&
           !it->scope->old_only;
}

/* names.c: names of expressions to slots, in a scope.  `here` is the group that bare names start from. */
struct names {
    struct mapping *mapping;
    struct program *program;
    struct arena *arena;
    struct problems *ps;
    const struct conf *conf;
    struct scope *scope;
    const struct group *here;
    int side;
    bool written;                   /* the expression is also written: its predicates construct */
    bool failed;
};

/* `single`: one value is needed, MAP_MANY otherwise. */
bool expr_resolve(struct names *n, struct expr *e, bool single);
bool template_resolve(struct names *n, struct template *t);
int names_fail(struct names *n, const struct token *t, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A param's value as people write it (`no`, `12`, a date) in its field's canonical form; false with the fault. */
struct fault;
bool param_value(struct arena *a, const struct mapping_param *m, struct slice text, struct value *out,
                 struct fault *fault);
/* Table columns: keys first, then the declared ones; -1 = none of that name. */
int table_column_index(const struct mapping_table *t, struct slice name);
struct slice table_column_name(const struct mapping_table *t, uint32_t column);

/* check.c: what the whole mapping must hold, once all names are resolved. */
void check_mapping(struct arena *a, struct mapping *m, struct problems *ps);
/* Turning an expression round: NULL when that works, else the part that cannot be. */
const struct expr *invert_fault(const struct mapping *m, const struct expr *e, const char **why);
/* The path that an inverted expression writes first; NULL for constants. */
struct expr *invert_path(struct expr *e);
/* Is written in this direction by the row: e of that side, all leaves that an inversion writes. */
void written_paths(struct expr *e, void (*visit)(void *owner, struct expr *path), void *owner);
enum convert convert_class(int from, int to);

/* compile.c: operations per direction. */
void compile_mapping(struct arena *a, struct mapping *m);

#endif
