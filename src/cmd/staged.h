/*
 * staged - a batch line by line: its staged document, the states of its lines, its log (private to cmd)
 *
 *     struct staged s;
 *     rc = staged_read(&s, c, &places, site, waybill);            OK; END = the batch has no staged document
 *     for (i < s.nmessages) … s.messages[i], staged_state(&s, line) …
 *     rc = said_read(&said, arena, &places, waybill, problems);   what operations said, oldest first
 *
 * Owner:   the document lives in the command's arena, what was said in the one given.
 * Errors:  OK, END, STOP (the document or a lines file is damaged, or does not fit the format of the site), TEMP.
 */
#ifndef WAYBILL_CMD_STAGED_H
#define WAYBILL_CMD_STAGED_H

#include "batch/lines.h"
#include "cmd/places.h"
#include "flow/site.h"

struct staged {
    struct cmd *cmd;
    const struct flow *flow;
    struct formula_run *formulas;
    struct outside outside;
    struct arena scratch;           /* of formulas */
    struct node **messages;
    size_t nmessages, cap;
};

/* One judgement of an operation; of a message without any, how it came out. */
struct said_entry {
    enum outcome_kind kind;
    uint64_t message;               /* its number in that run; 0 = none */
    struct slice key, line, code, text, field, value, operation, time;
    bool open;                      /* the last run of its operation that took the message said it */
    struct said_entry *next;
};

/* A message in one operation: what the last run made of it.  Messages of a batch may have equal keys: those of one run
   are told apart by their order. */
struct said_last {
    struct slice operation, key;
    uint64_t message;               /* its number in that run */
    const struct waybill_file *run;
    struct said_last *first_of;     /* the first with that key in that operation */
    size_t same;                    /* of the first: so many in the run at hand, the number of the latest of them */
    uint64_t latest;
    bool several;                   /* of the first: there are more of that key */
    struct said_entry *first;       /* what that run said */
    size_t count;
    bool errors;                    /* it was refused, or waits for something */
    struct slice state, reason;
    const struct tried *tried;
};

struct said {
    struct arena *arena;
    struct said_entry *first, **last;
    struct map judged;              /* operation, \x1f, key (\x1f and a number, of further ones) -> struct said_last */
    struct said_last **lasts;       /* of the map, in order of coming */
    const struct waybill_file *run; /* whose lines are read */
    size_t nlasts, cap, n;
    size_t errors;                  /* messages that the last run of some operation refused or left waiting */
};

int staged_read(struct staged *s, struct cmd *c, struct places *p, const struct site *site, const struct waybill *w);
void staged_free(struct staged *s);
/* The name of an instance's state; n 0 = it is not tracked. */
struct slice staged_state(struct staged *s, const struct node *n);
/* The key as people write it: parts with a blank between; n 0 = none. */
struct slice staged_key(struct staged *s, const struct node *n);
/* Calls for every tracked instance of a message, in order. */
void staged_each(const struct staged *s, const struct node *message, void (*each)(void *owner, const struct node *n),
                 void *owner);

int said_read(struct said *d, struct arena *a, struct places *p, const struct waybill *w, struct problems *ps);

/* The state that a batch shows: the least advanced of its instances, in `states`; n 0 = none is tracked. */
struct slice least_state(const struct waybill *w);

#endif
