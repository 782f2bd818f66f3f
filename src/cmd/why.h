/*
 * why - for people: what was looked at for a message, what failed with which values, what was said (private to cmd)
 *
 *     NET N-9002: done
 *       100232: LOCKED, $old/LockedBy "UPC"
 *       into 100237
 *       Line[1]: new, NO_LINE
 *
 * `show BATCH --why` and `convert --why` share it.
 */
#ifndef WAYBILL_CMD_WHY_H
#define WAYBILL_CMD_WHY_H

#include "base/buf.h"
#include "mapping/mapping.h"

void why_head(struct buf *out, uint64_t message, struct slice key, struct slice state, struct slice code);
/* Each in a line of its own, behind `indent`; the first `most` of them. */
void why_tried(struct buf *out, const char *indent, const struct tried *first, size_t most);
/* The same as a JSON array. */
void why_json(struct buf *out, const struct tried *first);
/* Findings need `line` set; the message's own have none. */
void why_findings(struct buf *out, const struct finding *first);

#endif
