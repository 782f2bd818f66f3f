/*
 * buf - a growing byte buffer
 *
 *     struct buf b = { 0 };
 *     buf_add(&b, SLICE("hello"));
 *     ... buf_slice(&b) ...
 *     buf_release(&b);
 *
 * Owner:   the caller owns the struct; the bytes move when the buffer grows.
 * Errors:  none: see arena.h on memory.  A writer that must be bounded checks b->n itself.
 */
#ifndef WAYBILL_BASE_BUF_H
#define WAYBILL_BASE_BUF_H

#include <stdarg.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *p;
    size_t n, cap;
};

void buf_release(struct buf *b);
/* Slow path: makes room for `more` bytes behind b->n. */
void buf_grow(struct buf *b, size_t more);

static inline char *buf_room(struct buf *b, size_t more)
{
    if (b->cap - b->n < more)
        buf_grow(b, more);
    return b->p + b->n;
}

static inline void buf_add(struct buf *b, struct slice s)
{
    if (s.n) {
        memcpy(buf_room(b, s.n), s.p, s.n);
        b->n += s.n;
    }
}

static inline void buf_byte(struct buf *b, char c)
{
    *buf_room(b, 1) = c;
    b->n++;
}

static inline void buf_text(struct buf *b, const char *text)
{
    buf_add(b, slice_of(text));
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->p ? b->p : "", b->n };
}

void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* One Unicode character as UTF-8. */
void buf_char(struct buf *b, uint32_t character);
/* Text of the data for a person: control characters, invalid UTF-8 and direction marks as \xHH or \u{HHHH}, at most
   `limit` characters (0 = all), then "…".  Whatever is printed on a terminal or in a log goes through here. */
void buf_add_shown(struct buf *b, struct slice text, size_t limit);
/* Text as a JSON string with its quotes; invalid UTF-8 bytes as U+FFFD; control characters and direction
   marks are escaped, so that it may be shown on a terminal. */
void buf_add_json(struct buf *b, struct slice text);

#endif
