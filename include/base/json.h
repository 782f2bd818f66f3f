/*
 * json - a writer of JSON, append only, keys in the order of the calls
 *
 *     json_open(&b, '{');
 *     json_text(&b, "file", name);                 nothing is written for slice_none()
 *     json_number(&b, "errors", 3);
 *     json_key(&b, "lines"); json_open(&b, '[');
 *     json_text(&b, NULL, SLICE("an element"));    key NULL: an element of an array
 *     json_close(&b, ']');
 *     json_close(&b, '}');
 *
 * Commas come by themselves, from the last byte of the buffer.  Text is escaped; invalid UTF-8 becomes U+FFFD.
 *
 * Owner:   the buffer is the caller's.
 * Errors:  none.
 */
#ifndef WAYBILL_BASE_JSON_H
#define WAYBILL_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* '{' or '['; an element of an array or the value of the key before. */
void json_open(struct buf *b, char bracket);
void json_close(struct buf *b, char bracket);
/* A key whose value follows. */
void json_key(struct buf *b, const char *key);
/* Key and value; with key NULL the value alone. */
void json_text(struct buf *b, const char *key, struct slice text);
void json_number(struct buf *b, const char *key, int64_t n);
void json_bool(struct buf *b, const char *key, bool yes);
/* JSON text that is written as it is: a number's lexeme, "null", another object. */
void json_raw(struct buf *b, const char *key, struct slice json);

#endif
