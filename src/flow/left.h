/*
 * left - what cannot be taken up now: a claim or a batch that a fault of the world hides (private to flow)
 *
 * It stays where it is, others go on, and it is tried again after a while (claims_later).  Where the order counts
 * – only the newest is taken, or the flow stages – the inbox that it came from waits, and all such inboxes when nobody
 * can tell which one that is.  A run ends with exit code 5 as long as something is left.
 */
#ifndef WAYBILL_FLOW_LEFT_H
#define WAYBILL_FLOW_LEFT_H

#include "flow/super.h"

/* Where the newest counts, or what a batch was told before, no file may pass another. */
bool order_counts(const struct operation *op);
/* A file of this inbox, again after so many ms. */
void left_claimed(struct supervisor *s, struct slice inbox, int64_t wait);
/* Nobody can tell which inbox it came from. */
void left_unknown(struct supervisor *s);
/* Whatever it is, nothing has to wait for it. */
void left_behind(struct supervisor *s);
bool is_left(const struct supervisor *s, const struct operation *op);
/* An inbox that is opened only now: what is left may be of it. */
void left_looked(struct supervisor *s, struct intake *in);

/* resume.c: the batches in work/ that nobody has in hand. */
void resume_left(struct supervisor *s);

#endif
