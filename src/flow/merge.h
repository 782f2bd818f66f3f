/*
 * merge - a document that a mapping updates in memory: a table, or the original of a conversion (private to flow)
 *
 *     struct merge m;
 *     merge_open(&m, run, format, limits, file);
 *     per document there:     rc = merge_load(&m, node, problems);
 *     per message:            rc = merge_message(&m, message, number, &arena, &outcome, problems);
 *     unless another refuses it:  rc = merge_keep(&m, problems);
 *     at the end:             rc = merge_write(&m, &writer, problems);      merge_close(&m);
 *
 * Whether a document can be written is tried as soon as a message changes it, so that only that message is refused.
 *
 * Owner:   the caller; `run`, format and limits outlive it.
 */
#ifndef WAYBILL_FLOW_MERGE_H
#define WAYBILL_FLOW_MERGE_H

#include "mapping/pool.h"
#include "syntax/syntax.h"

enum { MERGE_COMPANIONS = 8 };

struct merge {
    struct run *run;
    struct pool *pool;
    struct writer writer;           /* that tries; into memory, which is emptied each time */
    struct sink sink, beside[MERGE_COMPANIONS];
    struct companion_file companions[MERGE_COMPANIONS];
    struct arena arena;
};

void merge_open(struct merge *m, struct run *r, const struct format *f, const struct limits *limits,
                struct node *file);
int merge_load(struct merge *m, const struct node *document, struct problems *ps);
/* OK, SKIP with the outcome or a problem, STOP, TEMP. */
int merge_message(struct merge *m, struct node *message, uint64_t number, struct arena *a, struct outcome *o,
                  struct problems *ps);
/* What that message has changed is so from now on. */
int merge_keep(struct merge *m, struct problems *ps);
/* After a message was mapped: the results that the mapping gives back stand in it. */
void message_give_back(struct run *r, struct arena *a);
/* All documents, into a writer that is open. */
int merge_write(const struct merge *m, struct writer *w, struct problems *ps);
void merge_close(struct merge *m);

#endif
