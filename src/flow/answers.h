/*
 * answers - the messages of one document in memory by key, while another one streams past them (private to flow)
 *
 *     answers_init(&x, run, &reader, limits);
 *     per message read:   rc = answers_add(&x, message, &a, problems);
 *     per message of the other document:   a = answers_find(&x, original, &message_arena);
 *
 * Update mode of `convert` and of batches: run is the mapping that changes the document that streams.
 *
 * Owner:   copies of the messages live in x->kept until answers_release.
 * Errors:  OK; STOP (KEY_TWICE, LIMIT_ANSWER).
 * Limits:  limits->message times 16 for all of them, with what is kept beside them.
 */
#ifndef WAYBILL_FLOW_ANSWERS_H
#define WAYBILL_FLOW_ANSWERS_H

#include "base/limit.h"
#include "base/map.h"
#include "mapping/mapping.h"
#include "syntax/syntax.h"

struct answer {
    struct node *node;
    uint64_t number;                /* in its document */
    bool used;
    bool refused;                   /* by those who were asked before any batch */
    struct slice *read;             /* the attachments that were read for it */
    size_t nread, read_cap;
    /* Batches: the one that it changed last, where in it, the key there; what was said of that, and by all. */
    const void *staged_in;
    uint64_t staged;
    struct slice key;
    struct outcome said, all;
    struct answer *next;
};

struct answers {
    struct run *run;
    const struct reader *reader;
    const struct limits *limits;
    struct arena kept;
    struct map by_key;              /* key → struct answer */
    struct answer *first, *last;
    struct answer *position;        /* the next one where nothing has a key */
};

void answers_init(struct answers *x, struct run *run, const struct reader *reader, const struct limits *limits);
void answers_release(struct answers *x);
int answers_add(struct answers *x, const struct node *message, struct problems *ps);
/* The answer to a message of the document that is changed; NULL = none.  Without key rows the next one. */
struct answer *answers_find(struct answers *x, const struct node *original, struct arena *a);
/* Moves what was said last to all that was said. */
void answer_said(struct answer *a);
/* STOP when what is kept is too much. */
int answers_check(const struct answers *x, struct problems *ps);

#endif
