#include "base/charset.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080

/* Leading bytes below 0x80, a few words at a time. */
size_t utf8_ascii(struct slice text)
{
    const char *p = text.p;
    size_t i = 0, n = text.n;
    for (; i + 32 <= n; i += 32) {
        uint64_t w[4];
        memcpy(w, p + i, sizeof w);
        if ((w[0] | w[1] | w[2] | w[3]) & HIGH_BITS)
            break;
    }
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, sizeof w);
        if (w & HIGH_BITS)
            break;
    }
    while (i < n && (signed char)p[i] >= 0)
        i++;
    return i;
}

/* The length of the well-formed character at p (Unicode 15, table 3-7), 0 when there is none within n bytes. */
static size_t character_length(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xC2 || c > 0xF4)
        return 0;
    size_t length = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (length > n)
        return 0;
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

size_t utf8_valid(struct slice text)
{
    size_t i = 0;
    while (i < text.n) {
        if ((signed char)text.p[i] >= 0) {
            i += utf8_ascii((struct slice){ text.p + i, text.n - i });
            continue;
        }
        size_t length = character_length((const unsigned char *)text.p + i, text.n - i);
        if (length == 0)
            return i;
        i += length;
    }
    return i;
}

/* Text that is not valid after all gives some character, but is never read beyond its end. */
uint32_t utf8_next(const char **p, const char *end)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t left = (size_t)(end - *p);
    if (left == 0)
        return 0;
    uint32_t c = s[0];
    size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (length > left)
        length = left;
    if (length > 1)
        c &= 0x7Fu >> length;
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (s[i] & 0x3F);
    *p += length;
    return c;
}

struct slice utf8_take(const char **p, const char *end)
{
    const char *from = *p;
    size_t length = character_length((const unsigned char *)from, (size_t)(end - from));
    *p += length ? length : 1;
    return slice_range(from, *p);
}

size_t utf8_chars(struct slice text)
{
    size_t n = 0;
    for (const char *p = text.p, *end = slice_end(text); p < end; n++)
        utf8_take(&p, end);
    return n;
}
