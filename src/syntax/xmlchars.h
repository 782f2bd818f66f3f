/*
 * xmlchars - which characters XML 1.0 (5th edition) allows where, and fast runs over the usual ones
 *
 * Errors:  none.
 * Source:  XML 1.0 section 2.2 (Char), 2.3 (NameStartChar, NameChar).
 */
#ifndef WAYBILL_SYNTAX_XMLCHARS_H
#define WAYBILL_SYNTAX_XMLCHARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum xclass {
    XCLASS_START = 1,               /* may begin a name (ASCII, without the colon) */
    XCLASS_NAME  = 2,               /* may stand in a name (ASCII, without the colon) */
    XCLASS_BLANK = 4,
    XCLASS_HIGH  = 8,               /* the beginning or middle of a character beyond ASCII */
};

extern const uint8_t xclass[256];

bool xchar_is_name_start(uint32_t c);
bool xchar_is_name(uint32_t c);

static inline bool xchar_is_blank(char c)
{
    return xclass[(unsigned char)c] & XCLASS_BLANK;
}

static inline bool xchar_is_legal(uint32_t c)
{
    return c >= 0x20 ? c < 0xD800 || (c > 0xDFFF && c < 0xFFFE) || (c > 0xFFFF && c <= 0x10FFFF)
                     : c == '\t' || c == '\n' || c == '\r';
}

/* The first byte from p on that is no ASCII character of a name; `end` when there is none. */
static inline const char *xchars_skip_name(const char *p, const char *end)
{
#ifdef __SSE2__
    if (end - p >= 16) {                        /* most names have fewer than 16 bytes */
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p), low = _mm_or_si128(v, _mm_set1_epi8(0x20));
        /* signed comparisons: bytes beyond ASCII are below all */
        __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
                                       _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
        __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('-' - 1)),
                                      _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
        __m128i other = _mm_cmpeq_epi8(v, _mm_set1_epi8('_')), slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('/'));
        __m128i name = _mm_or_si128(_mm_or_si128(letter, other), _mm_andnot_si128(slash, digit));   /* - . 0 … 9 */
        unsigned ends = (unsigned)_mm_movemask_epi8(name) ^ 0xFFFF;
        if (ends)
            return p + __builtin_ctz(ends);
        p += 16;
    }
#endif
    while (p < end && (xclass[(unsigned char)*p] & XCLASS_NAME))
        p++;
    return p;
}

/* The first byte from p on that is no blank; `end` when there is none. */
static inline const char *xchars_skip_blanks(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {            /* a line end and its indentation */
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
        blank = _mm_or_si128(blank, _mm_cmpeq_epi8(v, _mm_set1_epi8('\t')));
        blank = _mm_or_si128(blank, _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
        unsigned ends = (unsigned)_mm_movemask_epi8(blank) ^ 0xFFFF;
        if (ends)
            return p + __builtin_ctz(ends);
    }
#endif
    while (p < end && xchar_is_blank(*p))
        p++;
    return p;
}

/* Decodes one character beyond ASCII: its bytes (2 … 4); 0 = not UTF-8, -1 = the window ends within it. */
int xchar_decode(const char *p, const char *end, uint32_t *out);

/* memcmp(a, b, n) == 0 for names, without a call: most have at most 16 bytes. */
static inline bool xchars_equal(const char *a, const char *b, size_t n)
{
    if (n >= 8 && n <= 16) {
        uint64_t a1, b1, a2, b2;
        memcpy(&a1, a, 8);
        memcpy(&b1, b, 8);
        memcpy(&a2, a + n - 8, 8);
        memcpy(&b2, b + n - 8, 8);
        return ((a1 ^ b1) | (a2 ^ b2)) == 0;
    }
    if (n >= 4 && n < 8) {
        uint32_t a1, b1, a2, b2;
        memcpy(&a1, a, 4);
        memcpy(&b1, b, 4);
        memcpy(&a2, a + n - 4, 4);
        memcpy(&b2, b + n - 4, 4);
        return ((a1 ^ b1) | (a2 ^ b2)) == 0;
    }
    if (n > 16)
        return memcmp(a, b, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/*
 * The first byte from p that is one of a, b, c, a control character (blanks too when `blanks`) or beyond ASCII; `end`
 * when there is none.  Called with constants, so that each use is a loop of its own.
 */
static inline __attribute__((always_inline)) const char *xchars_run(const char *p, const char *end, char a, char b,
                                                                    char c, bool blanks)
{
#ifdef __SSE2__
    const __m128i va = _mm_set1_epi8(a), vb = _mm_set1_epi8(b), vc = _mm_set1_epi8(c);
    const __m128i low = _mm_set1_epi8(0x1F), lf = _mm_set1_epi8('\n'), tab = _mm_set1_epi8('\t');

    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, low), v);

        if (!blanks)
            control = _mm_andnot_si128(_mm_or_si128(_mm_cmpeq_epi8(v, lf), _mm_cmpeq_epi8(v, tab)), control);
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, va), control), v);
        if (b != a)
            hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, vb));
        if (c != a)
            hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, vc));
        unsigned bits = (unsigned)_mm_movemask_epi8(hit);
        if (bits)
            return p + __builtin_ctz(bits);
        p += 16;
    }
#endif
    for (; p < end; p++) {
        unsigned char u = (unsigned char)*p;
        if (u >= 0x80 || *p == a || *p == b || *p == c || (u < 0x20 && (blanks || (u != '\n' && u != '\t'))))
            break;
    }
    return p;
}

#endif
