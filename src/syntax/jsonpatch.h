/*
 * jsonpatch - edits of a tree as edits of the bytes of the original JSON text
 *
 * Errors:  SKIP with JSON_PATCH where a change cannot be made; DESIGN.md section 5.
 */
#ifndef WAYBILL_SYNTAX_JSONPATCH_H
#define WAYBILL_SYNTAX_JSONPATCH_H

#include "syntax/syntax.h"

int jpatch_edit(struct patcher *p, const struct edit *e, struct problems *ps);

#endif
