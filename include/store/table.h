/*
 * table - reference and cross-reference data in memory
 *
 *     struct table *t = table_new(arena, &(struct table_shape){ .name = …, .columns = …, .types = …, .ncolumns = 3,
 *                                 .keys = (int[]){ 0 }, .nkeys = 1, .limit = limits->table });
 *     per row:  rc = table_add(t, values, TABLE_REFUSE, place, problems);
 *     rows = table_find(t, (int[]){ 0 }, &text, 1, &row);        0, 1 or 2 = more than one
 *
 * Whoever reads the table's file calls table_add row by row; the texts are copied into the arena.  Any set of columns
 * may be asked for: its index is built at the first question (SipHash) and kept up to date from then on.
 *
 * Values:  canonical texts; equal by type, so the decimals 1.0 and 1.00 are one key.  Absent and empty are one key, the
 *          text "".
 * Owner:   all lives in the arena; rows stay where they are until the arena goes, so pointers to them stay valid.
 * Errors:  table_add: OK, SKIP (TABLE_DUPLICATE: not added) or STOP (LIMIT_TABLE).
 * Limits:  no more than `limit` rows; 16 columns in one question.  Questions build indexes: one thread at a time.
 */
#ifndef WAYBILL_STORE_TABLE_H
#define WAYBILL_STORE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/problem.h"
#include "format/format.h"
#include "message/value.h"

#define TABLE_FIND_COLUMNS 16

struct table_shape {
    struct slice name;              /* for messages */
    const struct slice *columns;
    const enum type *types;
    size_t ncolumns;
    const int *keys;                /* indices of the key columns; nkeys 0 = no key, every row counts */
    size_t nkeys;
    uint64_t limit;                 /* rows; 0 = none */
};

struct table_index;

struct table {
    struct arena *arena;
    struct table_shape shape;       /* copied, so the caller's may go */
    struct value **rows;            /* in order of coming; NULL = removed */
    size_t nrows, cap;              /* removed ones included */
    size_t count;                   /* rows that are there */
    struct table_index *indexes;
    char hash[SHA256_HEX];          /* of the source's bytes: table_set_hash; "" until then */
};

enum table_policy {
    TABLE_REFUSE,                   /* a row with a known key is a TABLE_DUPLICATE */
    TABLE_LAST,                     /* the new row replaces it, at the old one's place */
    TABLE_MERGE,                    /* its present values replace the old ones, absent ones leave them */
};

/* Rows of text that stand in a file of the site: a column in which only yes and no stand holds booleans, any other
   text; `types` has room for n. */
void table_text_types(struct slice *const *rows, size_t nrows, size_t n, enum type *types);
struct value table_text_value(struct slice text, enum type type);

struct table *table_new(struct arena *a, const struct table_shape *shape);
/* Index of a column, or -1. */
int table_column(const struct table *t, struct slice name);
/* Adds a row of shape.ncolumns values; `place` is said when the key is known already. */
int table_add(struct table *t, const struct value *values, enum table_policy policy, struct place place,
              struct problems *ps);
/* Rows whose columns equal the canonical texts: 0, 1 or 2 (= more than one); *row_out is the first in order of
   coming, or NULL. */
int table_find(struct table *t, const int *columns, const struct slice *texts, size_t n, const struct value **row_out);
/* The same, but of several rows the one whose column `mark` is true: 0 when none is, 2 when more are. mark -1 = as
   table_find. */
int table_find_preferred(struct table *t, const int *columns, const struct slice *texts, size_t n, int mark,
                         const struct value **row_out);
/* All such rows, one at a time: the number of the next one behind row `after` (start with TABLE_NONE), or
   TABLE_NONE. */
#define TABLE_NONE SIZE_MAX
size_t table_next(struct table *t, const int *columns, const struct slice *texts, size_t n, size_t after);
/* Row i, or NULL when it was removed; for (i = 0; i < t->nrows; i++). */
const struct value *table_row(const struct table *t, size_t i);
void table_remove(struct table *t, size_t i);
/* Whether no two rows agree in these columns; otherwise the first two that do. */
bool table_unique(struct table *t, const int *columns, size_t n, size_t *first, size_t *second);
/* SHA-256 of the bytes that the table was read from: what a batch pins. */
void table_set_hash(struct table *t, struct slice source);

#endif
