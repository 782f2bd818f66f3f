/*
 * request - what a command asks of whoever holds the site's lease
 *
 *     struct request r = { .kind = REQUEST_RUN, .flow = …, .operation = SLICE("send"), .batch = … };
 *     rc = request_put(&spool, arena, &r, problems);         durable; r.id, r.by, r.time are set
 *     rc = request_result(&spool, arena, r.id, &answer, problems);         END while there is none
 *
 *     rc = request_each(&spool, arena, each, owner, problems);             the holder: unanswered ones, oldest first
 *     rc = request_find(&spool, arena, id, &r, problems);                  one of them again: END when it is gone
 *     rc = request_answer(&spool, &answer, problems);
 *     rc = request_clean(&spool, time(NULL), problems);                    answers older than a day
 *
 * A request is .waybill/requests/<id>.json, its answer .waybill/answers/<id>.json: each written whole and synced before
 * it gets its name.  Ids grow with time ("20261122-034431-123456-4711": UTC, microseconds, process).  A request goes
 * when its answer is on the disk; what it made is noted under its id in the batch's waybill, so a crash in between does
 * it once.
 *
 * Written by our own writer, read by jansson, strictly: an unknown member, a wrong type, a name that cannot be one, a
 * link, somebody else's file are REQUEST_BAD; request_each answers such a one with "refused" and nothing is done.  One
 * that cannot be read does not hide the others: the worst status of all is what request_each returns.  What is not
 * called like a request is left alone.
 *
 * Owner:   the arena that is given.
 * Errors:  OK, END, STOP (REQUEST_BAD), TEMP with SYS_….
 * Limits:  1 MiB a request or answer; 10,000 requests at a time, the newer ones wait.  An answer that would be longer
 *          has no lists, only what they leave out is counted.
 */
#ifndef WAYBILL_BATCH_REQUEST_H
#define WAYBILL_BATCH_REQUEST_H

#include "base/arena.h"
#include "base/problem.h"
#include "batch/waybill.h"
#include "drop/spool.h"

enum request_kind {
    REQUEST_RUN,                    /* flow and operation; batch "" = each open one, or what lies in the inbox */
    REQUEST_RETRY,                  /* one set aside: anew, as a batch of its own; one that waits for its retry: now */
    REQUEST_HOLD, REQUEST_RELEASE, REQUEST_CANCEL,
    REQUEST_AMEND,                  /* amends */
    REQUEST_RESEND,                 /* outputs again; operation "" = all */
    REQUEST_RENEW,                  /* it goes on with the mappings of now */
};
extern const char *const request_names[];       /* "run" "retry" … */

struct request {
    struct slice id;
    enum request_kind kind;
    struct slice flow, operation, batch;        /* n 0 = not named */
    struct slice by, time;                      /* "anna (uid 1000)"; RFC 3339, UTC */
    struct waybill_param *sets, *keys;          /* params; messages that are selected (name: key) */
    struct waybill_amend *amends;
};

/* What became of it. */
struct request_answer {
    struct slice id;
    /* "done", "refused" (nothing was changed), "nothing" (there was nothing to do), "waits" (for another attempt: code
       and text say why) */
    struct slice outcome;
    struct slice code, text;        /* of the first reason; slice_none() */
    uint64_t batches, delivered, rejected, messages, refused;   /* as struct supervisor_report */
    uint64_t waiting;               /* messages */
    struct waybill_total *skips;    /* by code: what was left out */
    struct waybill_param *made;     /* name: batch, value: what happened to it, "done", "created", "archived" … */
    struct waybill_output *outputs; /* outbox, name, size: what was delivered */
    uint64_t more_made, more_outputs;           /* of each: what the list leaves out */
    struct waybill_group *problems;
};

/* Sets id, by and time and writes it; in a site that belongs to another user (root asks) it is given to that one. */
int request_put(const struct spool *s, struct arena *a, struct request *r, struct problems *ps);
/* When it was written, by the file system's clock, in seconds; 0 = it waits no more, or that cannot be told. */
int64_t request_made(const struct spool *s, struct slice id);
int request_each(const struct spool *s, struct arena *a,
                 int (*each)(void *owner, const struct request *r, struct problems *ps), void *owner,
                 struct problems *ps);
int request_find(const struct spool *s, struct arena *a, const char *id, struct request **out, struct problems *ps);
int request_answer(const struct spool *s, const struct request_answer *answer, struct problems *ps);
int request_result(const struct spool *s, struct arena *a, struct slice id, struct request_answer **out,
                   struct problems *ps);
/* From their text; `id` is what the file is called. */
int request_read(struct arena *a, struct slice text, struct slice id, struct request **out, struct problems *ps);
int request_read_answer(struct arena *a, struct slice text, struct slice id, struct request_answer **out,
                        struct problems *ps);
/* `now`: seconds since 1970. */
int request_clean(const struct spool *s, int64_t now, struct problems *ps);
/* Whether the history of a waybill names the request: it was taken up before. */
bool request_noted(const struct waybill *w, const char *id);

#endif
