#include "batch/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t three = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1)
            three |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2)
            three |= (unsigned char)bytes.p[i + 2];
        buf_byte(out, digits[three >> 18]);
        buf_byte(out, digits[three >> 12 & 63]);
        buf_byte(out, left > 1 ? digits[three >> 6 & 63] : '=');
        buf_byte(out, left > 2 ? digits[three & 63] : '=');
    }
}

static int digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

struct slice base64_read(struct slice text, struct arena *a)
{
    size_t pad = 0;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
        pad++;
    if (text.n % 4 != 0)
        return slice_none();
    char *out = arena_alloc(a, text.n / 4 * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i += 4) {
        uint32_t three = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = i + k >= text.n - pad ? 0 : digit(text.p[i + k]);
            if (d < 0)
                return slice_none();
            three = three << 6 | (uint32_t)d;
        }
        out[n++] = (char)(three >> 16);
        out[n++] = (char)(three >> 8);
        out[n++] = (char)three;
    }
    n -= n ? pad : 0;
    out[n] = '\0';
    return (struct slice){ out, n };
}
