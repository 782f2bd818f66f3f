/*
 * xmlwrite - elements of a format as text
 *
 * xwrite_spot() spells one element of a tree with all below it; the writer of documents and the patcher share it.
 *
 * Owner:   the caller's.
 * Errors:  OK or SKIP with problems (XML_CHAR, faults of type_write); `out` then ends with half an element, which the
 * caller drops.
 */
#ifndef WAYBILL_SYNTAX_XMLWRITE_H
#define WAYBILL_SYNTAX_XMLWRITE_H

#include "syntax/syntax.h"
#include "xmlplan.h"

struct xwrite {
    struct buf *out;                /* UTF-8 */
    const struct xplan *plan;
    struct problems *problems;
    struct buf line;                /* line end and indentation of the deepest level met so far */
    size_t line_end;                /* bytes of it before the indentation of depth 0: "\n" and the base */
    size_t step;                    /* bytes of a level; with line_end 0 nothing is indented */
    bool planned;                   /* lines are those of the plan: the leads of the spots may be used */
    bool same_line;                 /* the next element begins where the output stands */
    struct buf value;
    int status;
    bool lacks;                     /* something that must be there was not met: node_check() would say what */
    /* What a patcher does otherwise: the document's own prefixes. NULL = those of the format. */
    struct slice (*name)(void *owner, struct slice uri, struct slice local, bool attribute);
    void *owner;
};

/* Line ends are `eol`, each level deeper is `indent` (p NULL: all on one line). */
void xwrite_init(struct xwrite *w, struct buf *out, const struct xplan *plan, struct slice eol, struct slice indent,
                 struct problems *ps);
void xwrite_release(struct xwrite *w);
/* The line end and indentation of that depth. */
void xwrite_line(struct xwrite *w, size_t depth);
/* An element with its line before it; `n` is the instance that it is part of, or that it is. False when there is
 * nothing to write. */
bool xwrite_spot(struct xwrite *w, const struct xspot *s, const struct node *n, size_t depth);
/* Attributes of an element from the instance; whether there were any. */
bool xwrite_attributes(struct xwrite *w, const struct xspot *s, const struct node *n);

int xwrite_open(struct writer *w, struct problems *ps);
int xwrite_message(struct writer *w, const struct node *msg, struct problems *ps);
int xwrite_close(struct writer *w, struct problems *ps);
void xwrite_drop(struct writer *w);

#endif
