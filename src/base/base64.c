#include "base/base64.h"

#include <stdint.h>

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Closes the last group: 2 or 3 digits give 1 or 2 bytes, whose unused bits are 0; the padding fills the group. */
static bool finish(unsigned digits, unsigned pads, uint32_t bits, char **to)
{
    if (digits == 0)
        return pads == 0;
    if (digits == 1 || digits + pads != 4)
        return false;
    if (digits == 3) {
        *(*to)++ = (char)(bits >> 10);
        *(*to)++ = (char)(bits >> 2);
        return (bits & 3) == 0;
    }
    *(*to)++ = (char)(bits >> 4);
    return (bits & 15) == 0;
}

bool base64_read(struct slice text, struct arena *a, struct slice *bytes_out)
{
    char *bytes = arena_alloc(a, text.n / 4 * 3 + 4), *to = bytes;
    uint32_t bits = 0;
    unsigned digits = 0, pads = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        int digit = base64_digit(c);
        if (c == '=' && digits >= 2 && pads < 2) {
            pads++;
            continue;
        }
        if (digit < 0 || pads)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (++digits == 4) {
            *to++ = (char)(bits >> 16);
            *to++ = (char)(bits >> 8);
            *to++ = (char)bits;
            digits = 0;
            bits = 0;
        }
    }
    if (!finish(digits, pads, bits, &to))
        return false;
    *to = '\0';
    *bytes_out = slice_range(bytes, to);
    return true;
}

void base64_write(struct slice bytes, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    char *to = buf_room(out, (bytes.n + 2) / 3 * 4);
    size_t left = bytes.n;
    for (; left >= 3; left -= 3, p += 3) {
        *to++ = base64_letters[p[0] >> 2];
        *to++ = base64_letters[(p[0] & 3) << 4 | p[1] >> 4];
        *to++ = base64_letters[(p[1] & 15) << 2 | p[2] >> 6];
        *to++ = base64_letters[p[2] & 63];
    }
    if (left) {
        *to++ = base64_letters[p[0] >> 2];
        *to++ = base64_letters[(p[0] & 3) << 4 | (left == 2 ? p[1] >> 4 : 0)];
        *to++ = left == 2 ? base64_letters[(p[1] & 15) << 2] : '=';
        *to++ = '=';
    }
    out->n += (bytes.n + 2) / 3 * 4;
}
