/*
 * expr - expressions: text to tree, names to slots, tree to value
 *
 *     expr_parse()     tokens of a statement → struct expr, by the grammar of LANGUAGE.md section 3
 *     expr_resolve()   names become groups, slots, params, lets, table columns; static types (names.h)
 *     eval()           the value of an expression for the instance at hand (run.h)
 *
 * Owner:   the program arena; immutable once resolved.
 * Errors:  every fault is added with its place; parsing returns NULL.
 * Limits:  64 levels of nesting.
 */
#ifndef WAYBILL_MAPPING_EXPR_H
#define WAYBILL_MAPPING_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/problem.h"
#include "conf/conf.h"
#include "format/format.h"

struct func;
struct let;
struct dest;

enum { SIDE_LEFT, SIDE_RIGHT };                 /* of a mapping; a direction d reads side d and writes side 1 - d */

#define TYPE_UNKNOWN (-1)                       /* of a table column: known when the table is bound */

enum expr_kind { EXPR_TEXT, EXPR_NUMBER, EXPR_PATH, EXPR_CALL, EXPR_BINARY, EXPR_NEGATE };
enum binary {
    BIN_OR, BIN_AND, BIN_EQ, BIN_NE, BIN_LT, BIN_GT, BIN_LE, BIN_GE,
    BIN_ADD, BIN_SUB, BIN_MUL, BIN_DIV, BIN_MOD, BIN_ALT
};
enum root { ROOT_HERE, ROOT_FILE, ROOT_OLD, ROOT_LET, ROOT_PARAM, ROOT_TABLE, ROOT_OUTCOME, ROOT_STATE };
enum shape { SHAPE_VALUE, SHAPE_NODE, SHAPE_ROW };
enum pred_kind { PRED_KEY, PRED_POSITION, PRED_NUMBER, PRED_CONDITION };

struct pred {
    enum pred_kind kind;
    struct expr **args;
    size_t n;
    uint32_t position;                          /* PRED_POSITION */
    bool builds;                                /* PRED_CONDITION: holds path = constant, so it can construct */
    bool meets;                                 /* in a written path: rows with the same one meet in one instance */
    bool uses_last;
    struct slice source;                        /* as written, brackets included */
    struct pred *next;
};

struct pstep {
    enum { STEP_CHILD, STEP_SELF, STEP_UP } kind;
    struct token token;
    const struct group *group;                  /* where it leads; NULL for the last step when that is a field */
    struct pred *preds;
};

struct mapping;

struct expr {
    enum expr_kind kind;
    struct token span;                          /* all of it, for carets */
    struct token token;                         /* operator, function name, first step */
    int type;                                   /* enum type or TYPE_UNKNOWN */
    enum shape shape;
    bool many;                                  /* may give several */
    bool simple;                                /* a path of single children without predicates, from here */
    struct slice text;                          /* of a constant: canonical */
    const struct func *func;
    enum binary op;
    struct expr **args;
    size_t nargs;

    enum root root;                             /* EXPR_PATH */
    struct slice name;                          /* after the $ */
    struct pred *keys;                          /* $table[…] */
    struct pstep *steps;
    size_t nsteps;
    int side;
    uint32_t depth;                             /* ROOT_OLD: of its scope */
    bool before;                                /* ROOT_OLD: as it was before this message */
    const struct group *group;                  /* SHAPE_NODE: the group; else the one that holds `field` */
    const struct field *field;
    const struct let *let;
    uint32_t param, table, column;
    bool has_column;
    uint32_t acc;                               /* file-level count() or sum() over messages: accumulator + 1 */
    struct pattern *pattern;                    /* of text(x, "pattern") */
    struct dest *dest;                          /* where it is written, in the one direction that writes this side */
};

/* `text {expr} text`: parts one after the other, expression NULL = literal. */
struct template {
    struct template_part { struct slice text; struct expr *expr; } *parts;
    size_t n;
    struct slice source;                        /* as written */
};

struct parser {
    struct arena *arena;
    const struct conf *conf;
    struct statement *st;
    struct token *tokens;
    size_t n, i;
    struct token end;
    struct problems *ps;
    int depth;
    bool top;                                   /* `<=` is the arrow here */
    bool failed;
};

void parser_init(struct parser *p, struct arena *a, const struct conf *c, struct statement *st, struct problems *ps);
const struct token *parser_peek(const struct parser *p, size_t ahead);
/* Takes the token when it is this operator or this word. */
bool parser_op(struct parser *p, enum token_op op);
bool parser_word(struct parser *p, const char *word);
/* NULL with a problem when it is none. `top`: outside brackets `<=` ends the expression. */
struct expr *expr_parse(struct parser *p, bool top);
/* Whatever stands behind the statement is a problem. */
bool parser_done(struct parser *p);
int parser_fail(struct parser *p, const struct token *t, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The text of a STRING token with its {expr} parsed; NULL with problems. */
struct template *template_parse(struct arena *a, const struct conf *c, const struct token *t, struct problems *ps);

bool expr_is_const(const struct expr *e);
/* As it is written, blanks between tokens as in the file. */
struct slice expr_source(const struct conf *c, const struct expr *e);
/* Runs over e and all below it, predicates included. */
void expr_each(struct expr *e, void (*visit)(void *owner, struct expr *e), void *owner);
/* Without what stands in the brackets of a step: that is about the instances there, not about the one at hand. */
void expr_each_here(struct expr *e, void (*visit)(void *owner, struct expr *e), void *owner);
/* Whether its value is one that nobody may see: of a `sensitive` field, a param that is a secret, or made of such. */
bool expr_sensitive(const struct mapping *m, const struct expr *e);
/* Whether it so much as names one: the key of a table's row too. */
bool expr_names_sensitive(const struct mapping *m, const struct expr *e);

#endif
