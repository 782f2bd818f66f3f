#include "xmlspell.h"

#include "short.h"
#include "xmlchars.h"

static const char *reference(char c, enum xspell_place place)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '\r': return "&#13;";
    case '"': return place == XSPELL_ATTRIBUTE ? "&quot;" : NULL;
    case '\'': return place == XSPELL_APOSTROPHES ? "&apos;" : NULL;
    case '\n': return place == XSPELL_TEXT ? NULL : "&#10;";
    case '\t': return place == XSPELL_TEXT ? NULL : "&#9;";
    default: return NULL;
    }
}

/* U+FFFE and U+FFFF, which UTF-8 can hold and XML cannot. */
static bool is_noncharacter(const char *p, const char *end)
{
    return end - p >= 3 && (unsigned char)p[0] == 0xEF && (unsigned char)p[1] == 0xBF && (unsigned char)p[2] >= 0xBE;
}

#ifdef __SSE2__
/* Which of 16 bytes need a look: markup, control characters, the lead byte of U+F000 … U+FFFF. */
static inline unsigned looks(__m128i v, enum xspell_place place)
{
    const __m128i quote = _mm_set1_epi8(place == XSPELL_APOSTROPHES ? '\'' : place == XSPELL_ATTRIBUTE ? '"' : '&');
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('&')),     /* < and > differ in bit 1 */
                               _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, quote));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xEF))));
}

static inline char *put_padded(char *to, struct slice s)
{
    for (size_t i = 0; i < s.n; i += 16)
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_loadu_si128((const __m128i *)(const void *)(s.p + i)));
    return to + s.n;
}

static inline unsigned looks_at(__m128i v, const void *place)
{
    return looks(v, *(const enum xspell_place *)place);
}
#endif

/* The first byte that needs a look, at or behind p; the text begins at `begin`. */
static const char *plain(const char *begin, const char *p, const char *end, enum xspell_place place)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned bits = looks(_mm_loadu_si128((const __m128i *)(const void *)p), place);
        if (bits)
            return p + __builtin_ctz(bits);
    }
    if (p < end && end - begin >= 16) {         /* the last 16 once more; what stands before p is known */
        unsigned bits = looks(_mm_loadu_si128((const __m128i *)(const void *)(end - 16)), place) >> (16 - (end - p));
        return bits ? p + __builtin_ctz(bits) : end;
    }
#else
    (void)begin;
#endif
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p != 0xEF && !reference(*p, place))
        p++;
    return p;
}

static bool spell_cdata(struct buf *out, struct slice text)
{
    const char *p = text.p, *end = text.p + text.n;

    for (; p < end; p++) {
        if (((unsigned char)*p < 0x20 && !xchar_is_blank(*p)) || is_noncharacter(p, end) || *p == '\r')
            return false;
        if (*p == '>' && p - text.p >= 2 && p[-1] == ']' && p[-2] == ']')
            buf_text(out, "]]><![CDATA[");
        buf_byte(out, *p);
    }
    return true;
}

bool xspell(struct buf *out, struct slice text, enum xspell_place place)
{
    const char *p = text.p, *end = text.p + text.n;
    size_t before = out->n;

#ifdef __SSE2__
    char *end_short = place == XSPELL_CDATA ? NULL : short_put(buf_room(out, SHORT_MAX), text, looks_at, &place);
    if (end_short) {
        out->n = (size_t)(end_short - out->p);
        return true;
    }
#endif
    if (place == XSPELL_CDATA) {
        bool good = spell_cdata(out, text);
        out->n = good ? out->n : before;
        return good;
    }
    while (p < end) {
        const char *stop = plain(text.p, p, end, place);
        buf_add(out, slice_range(p, stop));
        if (stop == end)
            break;
        const char *r = reference(*stop, place);
        if (!r && (((unsigned char)*stop < 0x20 && !xchar_is_blank(*stop)) || is_noncharacter(stop, end))) {
            out->n = before;
            return false;
        }
        if (r)
            buf_text(out, r);
        else
            buf_byte(out, *stop);
        p = stop + 1;
    }
    return true;
}

bool xspell_between(struct buf *out, struct slice before, struct slice text, struct slice behind,
                    enum xspell_place place)
{
#ifdef __SSE2__
    char *to = put_padded(buf_room(out, before.n + behind.n + SHORT_MAX + 2 * XSPELL_PAD), before);
    to = short_put(to, text, looks_at, &place);
    if (to)
        out->n = (size_t)(put_padded(to, behind) - out->p);
    return to != NULL;
#else
    size_t start = out->n;
    buf_add(out, before);
    if (text.n <= 32 && xspell(out, text, place) && out->n == start + before.n + text.n) {
        buf_add(out, behind);
        return true;
    }
    out->n = start;
    return false;
#endif
}

void xspell_charset(struct buf *out, struct slice text, enum charset c)
{
    const char *p = text.p, *end = text.p + text.n;

    while (p < end) {
        p += charset_encode(c, slice_range(p, end), out);
        if (p >= end)
            break;
        const char *before = p;
        uint32_t ch = utf8_next(&p, end);
        char number[16];
        size_t n = 0;
        char digits[12];
        for (; ch; ch /= 10)
            digits[n++] = (char)('0' + ch % 10);
        number[0] = '&';
        number[1] = '#';
        for (size_t i = 0; i < n; i++)
            number[2 + i] = digits[n - 1 - i];
        number[2 + n] = ';';
        charset_encode(c, (struct slice){ number, n + 3 }, out);
        if (p == before)
            break;
    }
}
