#include "xmlspell.h"

#include "xmlchars.h"
#include "xmlquick.h"

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

/* The first byte that needs a look, at or behind p; the text begins at `begin`. */
static const char *plain(const char *begin, const char *p, const char *end, enum xspell_place place)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned bits = xquick_looks(_mm_loadu_si128((const __m128i *)(const void *)p), place);
        if (bits)
            return p + __builtin_ctz(bits);
    }
    if (p < end && end - begin >= 16) {         /* the last 16 once more; what stands before p is known */
        unsigned bits = xquick_looks(_mm_loadu_si128((const __m128i *)(const void *)(end - 16)), place);
        bits >>= 16 - (end - p);
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

    char *quick = place == XSPELL_CDATA ? NULL : xquick_value(buf_room(out, XQUICK_VALUE), text, place);
    if (quick) {
        out->n = (size_t)(quick - out->p);
        return true;
    }
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
