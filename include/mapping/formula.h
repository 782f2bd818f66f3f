/*
 * formula - expressions of a site over one format: `state sent when SendDate`, `done { batch-time() => Order/Sent }`
 *
 * The expressions of mappings (LANGUAGE.md section 3), read and worked out by the same code, without a mapping around
 * them: compiled once when the site is loaded, every name resolved, evaluated at an instance of a staged document.
 *
 *     struct formula_site site = { .arena = a, .format = batch, .conf = c };
 *     struct formula_path track;
 *     size_t i = 3;                                           `batch orders track Order/Line {`
 *     rc = formula_path(&site, st, &i, &track, problems);     and formula_done(&site, st, i, problems)
 *     i = 3;                                                  `state sent when SendDate`
 *     rc = formula_compile(&site, track.group, st, &i, &sent, problems);
 *     rc = formula_row(&site, st, &stamp, &value, problems);  `batch-time() => Order/Line/SendDate`
 *
 *     struct formula_run *r = formula_run_new(a, &outside);   once per job and thread
 *     if (formula_holds(r, sent, line, &message_arena)) …
 *
 * A formula reads the instance, what lies below and above it, `/Member` of the file, and `$name` of a setting; it has
 * no tables, lets, `$old` and `$outcome`, takes no number of a sequence and no attachment: naming one is an error.
 *
 * Owner:   path, formula: the site's arena, immutable, shared by threads.  formula_run: one thread.
 * Errors:  OK or STOP with every fault, its place and suggestion (MAP_NO_FIELD, EXPR_…, FORMULA_…).
 * Limits:  those of expressions: 64 levels.
 */
#ifndef WAYBILL_MAPPING_FORMULA_H
#define WAYBILL_MAPPING_FORMULA_H

#include "mapping/mapping.h"

struct formula;
struct formula_run;

/* Where formulas are written, and what they may name. */
struct formula_site {
    struct arena *arena;
    const struct format *format;
    const struct conf *conf;        /* of the statements */
    const struct slice *params;     /* settings that `$name` may name (their values are texts); may be NULL */
    size_t nparams;
    bool state;                     /* `$state` may be named: not in the conditions that define it */
};

/* `Order/Line` or `Order/Line/SendDate`, from the top of the format. */
struct formula_path {
    const struct group *group;      /* the group named, or that of the field */
    const struct field *field;      /* NULL: a group is named */
    struct token token;             /* all of it, to point at */
};

/* Reads from token *i on, and leaves *i behind what was read. */
int formula_path(const struct formula_site *s, struct statement *st, size_t *i, struct formula_path *out,
                 struct problems *ps);
/* `here`: the group whose instances it is evaluated at. */
int formula_compile(const struct formula_site *s, const struct group *here, struct statement *st, size_t *i,
                    struct formula **out, struct problems *ps);
/* A whole statement `EXPR => PATH`: the path names a field, the expression is evaluated at an instance of its group. */
int formula_row(const struct formula_site *s, struct statement *st, struct formula_path *into, struct formula **out,
                struct problems *ps);
/* STOP with a problem when tokens follow from i on. */
int formula_done(const struct formula_site *s, struct statement *st, size_t i, struct problems *ps);

/* What formulas ask of outside: param, state, batch_id, batch_time, file_name; it must live as long as the run. */
struct formula_run *formula_run_new(struct arena *a, const struct outside *o);
/* Is it true of this instance?  What cannot be had is false.  `a` for what is worked out on the way. */
bool formula_holds(struct formula_run *r, const struct formula *f, const struct node *n, struct arena *a);
/* The value for a field, in its canonical form, living in `a` or the tree; absent when it is nothing.  SKIP with a
   problem when it does not fit the field. */
int formula_value(struct formula_run *r, const struct formula *f, const struct node *n, const struct field *into,
                  struct arena *a, struct value *out, struct problems *ps);

#endif
