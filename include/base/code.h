/*
 * code - the table of problem codes
 *
 * Every code that a problem may carry has a line in src/base/codes/<area>.def: code, short title, long text for
 * `waybill explain CODE`.  The lists are in order of the areas, not sorted.
 *
 * Owner:   constant.
 * Errors:  NULL for a code that nobody defined.
 */
#ifndef WAYBILL_BASE_CODE_H
#define WAYBILL_BASE_CODE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"

struct code_entry {
    const char *name, *title, *text;
};

extern const struct code_entry code_table[];
extern const size_t code_count;

/* By name, in any case of letters. */
const struct code_entry *code_find(struct slice name);
/* "did you mean `NUM_BAD`?" or slice_none(). */
struct slice code_suggest(struct arena *a, struct slice name);

#endif
