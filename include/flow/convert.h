/*
 * convert - one document through one mapping: read, map, write
 *
 * The core that `waybill convert`, the tests of mappings, the laws and the library share; it needs no site.
 *
 *     struct conversion c = { .mapping = m, .direction = MAPPING_FORWARD, .outside = &o, .limits = &limits,
 *                             .input = &source, .output = &sink };
 *     rc = convert_run(&c, problems);
 *
 * With `original` set the answer in `input` updates that document (DESIGN.md section 5): the output is the original
 * with byte edits.  A mapping that consolidates merges the input into that document, which is then written anew;
 * without an original into what it makes itself.
 *
 * Units:   counts of messages.
 * Owner:   the caller opens and closes sources and sink.
 * Errors:  OK; SKIP when messages were rejected (the good ones were converted); STOP when the input, or TEMP when the
 *          system, made the result unusable.  Findings of the mapping become problems with the place of their message.
 * Limits:  in update mode the answer's messages are kept in memory (limits->message times 16 at most, LIMIT_ANSWER
 *          beyond).
 */
#ifndef WAYBILL_FLOW_CONVERT_H
#define WAYBILL_FLOW_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limit.h"
#include "mapping/mapping.h"
#include "syntax/sink.h"
#include "syntax/source.h"
#include "syntax/syntax.h"

struct conversion {
    const struct mapping *mapping;
    enum mapping_direction direction;
    const struct outside *outside;
    const struct limits *limits;
    struct source *input;
    struct sink *output;
    struct companion_file *companions, *companions_out;     /* of the document read, of the one written */
    size_t ncompanions, ncompanions_out;
    /* Create mode: the document read, with what rows against the arrow give back to it; may be NULL. The input is then
       read twice: it must be seekable or in memory. */
    struct sink *back;
    struct source *original;        /* update mode: the document to change; must be seekable or in memory */
    bool unjudged;                  /* requires refuse nothing: for the laws */
    const struct mapping *judge;    /* `mapping` is a report: over what this mapping says of the messages */
    struct slice operation;         /* that the report names; n 0: none */
    const struct outcome *said;     /* by earlier operations, for a report over the log; NULL = nothing */
    /* Told now and then how many bytes of the input are done; may be NULL. */
    void (*progress)(void *owner, uint64_t done);
    void *owner;
    /* Called with every judged message, before its problems are added; may be NULL. */
    void (*judged)(void *owner, uint64_t number, const struct node *message, const struct outcome *o);
    /* Called with the run before it ends, for coverage; may be NULL. */
    void (*ending)(void *owner, const struct run *r);
    /* Results. */
    uint64_t read, written, rejected, skipped, waiting, warned;
    size_t edits;                   /* update mode: how many places were changed */
    struct buf *back_text;          /* of convert_text: what `back` would be given is appended; may be NULL */
    const char *original_name;      /* for messages of convert_text; NULL = "original" */
    bool unbound;                   /* stopped before the first byte: a param or table does not fit the mapping */
};

/* The format read and the format written in this direction. */
const struct format *conversion_from(const struct conversion *c);
const struct format *conversion_to(const struct conversion *c);

int convert_run(struct conversion *c, struct problems *ps);
/* The same from memory to memory: sets input, output and original itself, and a sink in memory for `back` when the
   caller asks with back_text. `original` may be NULL; out is appended to. */
int convert_text(struct conversion *c, const char *name, struct slice input, const struct slice *original,
                 struct buf *out, struct problems *ps);

/* Adds the findings of a message as problems: note, warn, wait, reject.  A skip is normal: it is counted, not told. */
void convert_findings(struct problems *ps, const struct outcome *o, const struct node *message, uint64_t number);

#endif
