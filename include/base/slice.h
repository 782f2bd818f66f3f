/*
 * slice - a run of bytes that somebody else owns
 *
 * Every text inside waybill is a slice: bytes and a length, no NUL.  Text is UTF-8 unless a header says otherwise.
 *
 * Units:   lengths in bytes.
 * Owner:   a slice owns nothing; it is valid as long as the arena, buffer or constant that it points into.
 * Errors:  none; slice_none() (p == NULL) means "no text", which differs from the empty text.
 */
#ifndef WAYBILL_BASE_SLICE_H
#define WAYBILL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

/* The slice of a string literal or character array. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

/* For printf: "%.*s", SLICE_ARG(s).  Only for texts that are known to be clean; data goes through buf_add_shown(). */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice slice_none(void)
{
    return (struct slice){ NULL, 0 };
}

static inline struct slice slice_of(const char *text)
{
    return text ? (struct slice){ text, strlen(text) } : slice_none();
}

static inline struct slice slice_range(const char *from, const char *to)
{
    return (struct slice){ from, (size_t)(to - from) };
}

/* Behind the last byte; NULL for slice_none(), to which C adds nothing, not even 0. */
static inline const char *slice_end(struct slice a)
{
    return a.n ? a.p + a.n : a.p;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}

static inline bool slice_starts(struct slice a, struct slice prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Compares by bytes, as text is ordered everywhere in waybill: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

/* Without the blanks and tabs (spaces, \t, \r, \n) at both ends. */
struct slice slice_trim(struct slice a);

/* Number of Unicode characters of valid UTF-8. */
size_t slice_chars(struct slice a);

/* The edit distance of two short names, for "did you mean"; at most `limit` + 1 is returned. */
size_t slice_distance(struct slice a, struct slice b, size_t limit);

#endif
