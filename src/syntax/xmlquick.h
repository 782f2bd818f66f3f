/*
 * xmlquick - markup and short values without references, in a few stores each
 *
 * What most of a document is.
 *
 *     char *to = buf_room(out, lead.n + close.n + XQUICK_ROOM);
 *     to = xquick_value(xquick_markup(to, lead), text, XSPELL_TEXT);
 *     if (to)
 *         out->n = (size_t)(xquick_markup(to, close) - out->p);       else xspell() must look at the text
 *
 * Limits:  XQUICK_PAD bytes behind a piece of markup must be readable, XQUICK_ROOM bytes behind all that is written
 *          be free.  Without SSE2 no value is quick.
 */
#ifndef WAYBILL_SYNTAX_XMLQUICK_H
#define WAYBILL_SYNTAX_XMLQUICK_H

#include <string.h>

#include "short.h"
#include "xmlspell.h"

enum { XQUICK_PAD = 31, XQUICK_VALUE = 32, XQUICK_ROOM = 64 };

#if defined(__SSE2__)
/* Which of 16 bytes need a look: markup, control characters, the lead byte of U+F000 … U+FFFF. */
static inline __attribute__((always_inline)) unsigned xquick_looks(__m128i v, enum xspell_place place)
{
    const __m128i quote = _mm_set1_epi8(place == XSPELL_APOSTROPHES ? '\'' : '"');
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('&')),     /* < and > differ in bit 1 */
                               _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
    if (place != XSPELL_TEXT)
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, quote));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xEF))));
}

static inline __attribute__((always_inline)) unsigned xquick_looks_at(__m128i v, const void *place)
{
    return xquick_looks(v, *(const enum xspell_place *)place);
}
#endif

static inline char *xquick_markup(char *to, struct slice s)
{
    memcpy(to, s.p, 32);
    for (size_t i = 32; i < s.n; i += 16)
        memcpy(to + i, s.p + i, 16);
    return to + s.n;
}

/* Behind the value; NULL: xspell() must look at it. */
static inline __attribute__((always_inline)) char *xquick_value(char *to, struct slice text, enum xspell_place place)
{
#if defined(__SSE2__)
    return short_put(to, text, xquick_looks_at, &place);
#else
    (void)to, (void)text, (void)place;
    return NULL;
#endif
}

#endif
