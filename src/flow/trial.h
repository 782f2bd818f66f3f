/*
 * trial - can a message be written?  Asked before any of what it gives is: of a refused one nothing goes out
 *
 *     struct trial *t = trial_new(arena, ncompanions);
 *     per companion:  trial_companion(t, name);
 *     per target:     rc = trial_ask(t, &writer, target, &message, problems);
 *     at the end:     trial_release(t);
 *
 * What comes out is thrown away.  The writer stays open from one target to the next, but for formats whose file holds
 * one message.
 *
 * Owner:   the caller; `a` outlives the trial.
 * Errors:  SKIP with problems: it is refused.  OK otherwise: what is no fault of the message is told where it is
 *          written.
 */
#ifndef WAYBILL_FLOW_TRIAL_H
#define WAYBILL_FLOW_TRIAL_H

#include "syntax/syntax.h"

struct trial;

struct trial *trial_new(struct arena *a, size_t ncompanions);
void trial_companion(struct trial *t, struct slice name);
/* `as`: the writer meant, as it would be opened; its sink and companions are left alone.  `message`: for its while. */
int trial_ask(struct trial *t, const struct writer *as, const struct node *target, struct arena *message,
              struct problems *ps);
void trial_release(struct trial *t);

#endif
