/*
 * func - the closed list of functions of LANGUAGE.md section 3
 *
 * One table; each function evaluates its own arguments.
 */
#ifndef WAYBILL_MAPPING_FUNC_H
#define WAYBILL_MAPPING_FUNC_H

#include "base/arena.h"
#include "base/slice.h"

struct run;
struct expr;
struct node;
struct val;

enum { ARGS_MANY = 1000 };
#define TYPE_OF_ARGUMENT (-2)       /* the type of its first argument that has one (if: of the second) */

/* What an argument may be. */
enum args { ARGS_VALUES, ARGS_PATHS /* repeated paths are welcome */, ARGS_JOIN /* from the second on */,
            ARGS_IF /* the first */ };

enum invert { INVERT_NOT, INVERT_CONCAT, INVERT_JOIN, INVERT_PAD, INVERT_DATETIME, INVERT_LETTERS, INVERT_TEXT,
              INVERT_PART, INVERT_LENS };

struct func {
    const char *name;
    size_t least, most;
    int type;                       /* of its result */
    enum args args;
    enum invert invert;
    const char *usage;
    void (*run)(struct run *r, const struct expr *e, const struct node *here, struct val *out);
};

const struct func *func_find(struct slice name);
struct slice func_suggest(struct arena *a, struct slice name);

#endif
