/*
 * xmlpiece - the elements of one message of the original, with places, for edits
 *
 *     struct xpiece *x = xpiece_of(patcher, message, problems);       cached: edits come message by message
 *     size_t i = xpiece_find(x, node->at);
 *
 * Units:   offsets in bytes of the original file.
 * Owner:   the patcher's arena.
 * Errors:  NULL after a problem.
 */
#ifndef WAYBILL_SYNTAX_XMLPIECE_H
#define WAYBILL_SYNTAX_XMLPIECE_H

#include "xmlread.h"

#define XPIECE_NONE SIZE_MAX

struct xpiece_attr {
    size_t element;
    struct slice name, uri, local, value;
    uint64_t at, len;
    char quote;
};

struct xpiece_text {
    size_t element;
    uint64_t at, end;
    bool cdata;
};

struct xpiece_element {
    const struct xspot *spot;       /* NULL: the format does not know it */
    struct slice name;              /* as written */
    uint64_t at, inner, tail, end;
    uint64_t lead; /* where the white space before it begins; == at when something else stands before it */
    size_t parent;
    size_t kids;                    /* elements in it */
    bool kept;                      /* an edit puts something into it: it does not go with the last of its kids */
    struct slice text;              /* its own, gathered … */
    size_t text_cap;                /* … in a block of that size */
    bool empty, comments, removed;
};

/* An element that an earlier edit of the same message makes: others may come into it. */
struct xpiece_made {
    size_t element;                 /* in which it is made */
    const struct xspot *spot;
    size_t edit;                    /* index in the patcher's list */
    size_t inner;                   /* where in the bytes put there the next kid goes */
    struct slice pre;               /* line and indentation of its kids */
};

/* An instance that an earlier edit put behind an element: what follows the instance goes behind that element too. */
struct xpiece_behind {
    const struct node *node;
    size_t sibling;
    bool last;                      /* it has no predecessor, or one that has none: it goes behind those that have */
};

struct xpiece {
    const struct node *message;
    uint64_t base;
    struct slice raw;
    unsigned unit;
    bool high_first;                /* UTF-16BE */
    struct xpiece_element *elements;
    size_t n, cap;
    struct xpiece_attr *attrs;
    size_t nattrs, attr_cap;
    struct xpiece_text *texts;
    size_t ntexts, text_cap;
    struct xpiece_made *made;
    size_t nmade, made_cap;
    struct xpiece_behind *behind;
    size_t nbehind, behind_cap;
};

struct xpiece *xpiece_of(struct patcher *p, const struct node *message, struct problems *ps);
/* The element that begins at an offset; XPIECE_NONE = none does. */
size_t xpiece_find(const struct xpiece *x, uint64_t at);
/* The character at an offset if it is ASCII, else a large number; -1 outside the piece. */
int xpiece_char(const struct xpiece *x, uint64_t at);
/* White space at an offset? */
static inline bool xpiece_blank(const struct xpiece *x, uint64_t at)
{
    int c = xpiece_char(x, at);

    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
/* The white space of [from, to) as text. */
struct slice xpiece_blanks(const struct xpiece *x, struct arena *a, uint64_t from, uint64_t to);
/* Bytes of the original; false when they cannot be had any more. */
bool xpiece_bytes(const struct source *s, uint64_t at, char *into, size_t n);

#endif
