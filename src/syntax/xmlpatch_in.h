/*
 * xmlpatch_in - what the files of the patcher share: xmlpatch.c (values), xmlgrow.c (new elements and attributes)
 *
 * Errors:  functions return OK, SKIP after a problem, or TEMP.
 */
#ifndef WAYBILL_SYNTAX_XMLPATCH_IN_H
#define WAYBILL_SYNTAX_XMLPATCH_IN_H

#include "xmlpiece.h"
#include "xmlwrite.h"

struct xpatch {
    struct patcher *patcher;
    const struct xread *read;
    struct arena *arena;
    struct problems *problems;
    struct xpiece *piece;
    bool lost_prefix;               /* a namespace has no prefix in the document */
};

/* Adds XML_PATCH at a place; returns SKIP. */
int xpatch_refuse(struct xpatch *x, uint64_t at, const char *text);
/* Replaces bytes by UTF-8 markup, spelled in the charset of the file. */
void xpatch_put(struct xpatch *x, uint64_t at, uint64_t end, struct slice markup);
/* The spelling of a value by its field, with references; slice_none() after a problem. */
struct slice xpatch_spell(struct xpatch *x, const struct node *n, const struct field *f, const struct value *v,
                          int place);
/* The text of an element becomes `markup`, whatever stands in it. */
int xpatch_text(struct xpatch *x, size_t element, const struct node *n, const struct field *f, const struct value *v);

/* A value that was absent. */
int xpatch_grow(struct xpatch *x, const struct node *n, const struct field *f, const struct value *v);
/* An instance of a group within a message, and a message. */
int xpatch_insert(struct xpatch *x, const struct node *n, const struct node *parent, const struct node *after);
int xpatch_insert_message(struct xpatch *x, const struct node *n, const struct node *after);

#endif
