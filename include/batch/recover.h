/*
 * recover - from what is on disk to the next step
 *
 *     rc = recover_clean(&site, problems);                           tmp/, torn leftovers; before the first claim
 *     rc = recover_waves(&site, NULL, NULL, NULL, problems);         wave.h: batches of waves get folders of their own
 *     rc = recover_each(&site, arena, step, owner, problems);
 *                calls step(owner, &r, problems) for each batch and claim
 *
 * The only recovery there is: the same function serves start, crash and the ordinary course (a flow may call
 * recover_next after every step to be told the following one).  It changes nothing itself.  Whatever was interrupted is
 * simply done again: every step of batch.h is idempotent.
 *
 * Order:   batches in work/ first (so that duplicates of them are recognised), then claims, each in order of id.
 * Errors:  what `step` returns: STOP and TEMP end the pass; SKIP goes on.  One that cannot be looked at is NEXT_LATER
 *          and ends nothing; of several waves each that can be is ended, then TEMP says that one could not.
 * Source:  RELIABILITY.md 2.8.
 */
#ifndef WAYBILL_BATCH_RECOVER_H
#define WAYBILL_BATCH_RECOVER_H

#include "batch/batch.h"

enum next_step {
    NEXT_CONVERT,                   /* place accepted: read, map, write (batch_restart first) */
    NEXT_DELIVER,                   /* place written: batch_deliver */
    /* place delivered, nothing due, not open: batch_install for each batch_target, batch_archive */
    NEXT_ARCHIVE,
    /* place delivered, w->operation names the one that began; none: the first of w->due is to begin */
    NEXT_OPERATION,
    NEXT_REST,                      /* an open batch, delivered: what follows the operation, then batch_rest */
    NEXT_WAIT,                      /* open; or waits for a person, an answer, or its retry time (due_ms) */
    NEXT_SET_ASIDE,                 /* place error, but still in work/: batch_set_aside again */
    NEXT_DAMAGED,                   /* the waybill cannot be believed: recover_damaged */
    NEXT_ACCEPT,                    /* a claim that is not accepted: claim_open, batch_accept */
    NEXT_DISPOSE,                   /* a claim that is accepted: recover_dispose */
    NEXT_NOTHING,                   /* archived: the folder may go (recover_leftover) */
    NEXT_LATER,                     /* it cannot be looked at now, the problem says why: tried again later */
};
extern const char *const next_step_names[];

struct recovery {
    char batch[BATCH_ID_SIZE];
    enum next_step next;
    /* open; NULL for claims and damaged ones. Closed after `step` returns unless it sets b to NULL */
    struct batch *b;
    int64_t due_ms;                 /* of NEXT_WAIT: milliseconds until the retry; -1 = not by time */
};

/* What follows for work/<batch>, with the batch open where it can be: the caller closes it.  A good zip is the end of a
   batch, whatever its folder still says. */
void recover_look(const struct batch_site *s, struct arena *a, const char *batch, struct recovery *out,
                  struct problems *ps);
/* What follows for a batch whose waybill is this. */
enum next_step recover_next(const struct batch_site *s, const struct waybill *w, int64_t *due_ms);
int recover_each(const struct batch_site *s, struct arena *a,
                 int (*step)(void *owner, struct recovery *r, struct problems *ps), void *owner, struct problems *ps);
/* Removes tmp/ and what is half written. */
int recover_clean(const struct batch_site *s, struct problems *ps);
/* The claim of a batch that is in work/, error/ or the archive. */
int recover_dispose(const struct batch_site *s, const char *batch, struct problems *ps);
/* Moves work/<batch> to error/<batch> as it is, with the note WAYBILL_DAMAGED beside it; nothing is lost. */
int recover_damaged(const struct batch_site *s, const char *batch, struct problems *ps);
/* Removes work/<batch> of a batch whose zip is there and verifies. */
int recover_leftover(const struct batch_site *s, const char *batch, struct problems *ps);

#endif
