/*
 * base64 - bytes as text (RFC 4648 section 4, with padding), strictly
 */
#ifndef WAYBILL_BATCH_BASE64_H
#define WAYBILL_BATCH_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

void base64_write(struct slice bytes, struct buf *out);
/* slice_none() when the text is not base64. */
struct slice base64_read(struct slice text, struct arena *a);

#endif
