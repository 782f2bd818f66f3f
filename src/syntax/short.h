/*
 * short - a text of up to 32 bytes, looked at and copied in one go
 *
 * What most values are.  `looks` tells for 16 bytes at a time whether one needs more care; bytes may be shown to it
 * twice, and no others than the text's.
 *
 * Limits:  32 bytes must be free at `to`, more than are written.  SSE2 only; without it nobody calls.
 */
#ifndef WAYBILL_SYNTAX_SHORT_H
#define WAYBILL_SYNTAX_SHORT_H

#include "base/slice.h"

#if defined(__SSE2__)
#include <emmintrin.h>

enum { SHORT_MAX = 32 };

/* Behind the copied text; NULL: it is longer, or some byte needs a look. */
static inline __attribute__((always_inline)) char *short_put(char *to, struct slice text,
                                                             unsigned (*looks)(__m128i v, const void *how),
                                                             const void *how)
{
    const char *p = text.p;
    size_t n = text.n;

    if (n > 16) {
        if (n > SHORT_MAX)
            return NULL;
        __m128i head = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i tail = _mm_loadu_si128((const __m128i *)(const void *)(p + n - 16));
        if (looks(head, how) | looks(tail, how))
            return NULL;
        _mm_storeu_si128((__m128i *)(void *)to, head);
        _mm_storeu_si128((__m128i *)(void *)(to + n - 16), tail);
    } else if (n >= 8) {
        __m128i head = _mm_loadl_epi64((const __m128i *)(const void *)p);
        __m128i tail = _mm_loadl_epi64((const __m128i *)(const void *)(p + n - 8));
        if (looks(_mm_unpacklo_epi64(head, tail), how))
            return NULL;
        _mm_storel_epi64((__m128i *)(void *)to, head);
        _mm_storel_epi64((__m128i *)(void *)(to + n - 8), tail);
    } else if (n >= 4) {
        int head, tail;
        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
        if (looks(_mm_set_epi32(tail, head, tail, head), how))
            return NULL;
        memcpy(to, &head, 4);
        memcpy(to + n - 4, &tail, 4);
    } else if (n) {
        unsigned first = (unsigned char)p[0], middle = (unsigned char)p[n / 2], last = (unsigned char)p[n - 1];
        if (looks(_mm_set1_epi32((int)(first | first << 8 | middle << 16 | last << 24)), how))
            return NULL;
        to[0] = (char)first;
        to[n / 2] = (char)middle;
        to[n - 1] = (char)last;
    }
    return to + n;
}
#endif

#endif
