/*
 * document - a small document as a whole in memory, for the laws and for tests of mappings
 *
 * Owner:   nodes and texts live in the arena given.
 * Errors:  OK, or the worst status of reading or writing; SKIP when messages were refused (they are left out).
 */
#ifndef WAYBILL_AUTHOR_DOCUMENT_H
#define WAYBILL_AUTHOR_DOCUMENT_H

#include "base/buf.h"
#include "base/limit.h"
#include "base/problem.h"
#include "format/format.h"
#include "message/node.h"

struct document {
    const struct format *format;
    struct node *file;
    struct node **messages;
    size_t n, cap;
};

int document_read(struct arena *a, const struct format *f, const struct limits *limits, const char *name,
                  struct slice bytes, struct document *out, struct problems *ps);
int document_write(const struct document *d, const struct limits *limits, struct buf *out, struct problems *ps);

#endif
