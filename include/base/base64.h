/*
 * base64 - bytes as text (RFC 4648 section 4, with padding)
 *
 * Owner:   what is read lives in the arena, with a NUL behind it.
 * Errors:  base64_read is false when the text is no base64; white space between the characters is passed over.
 */
#ifndef WAYBILL_BASE_BASE64_H
#define WAYBILL_BASE_BASE64_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

bool base64_read(struct slice text, struct arena *a, struct slice *bytes_out);
void base64_write(struct slice bytes, struct buf *out);

#endif
