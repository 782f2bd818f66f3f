#include "xmlchars.h"

#include <stddef.h>

#define S (XCLASS_START | XCLASS_NAME)
#define N XCLASS_NAME
#define B XCLASS_BLANK
#define H XCLASS_HIGH
#define H16 H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H

const uint8_t xclass[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, B, B, 0, 0, B, 0, 0,     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, N, N, 0,     N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, 0, 0,
    0, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S,     S, S, S, S, S, S, S, S, S, S, S, 0, 0, 0, 0, S,
    0, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S,     S, S, S, S, S, S, S, S, S, S, S, 0, 0, 0, 0, 0,
    H16, H16, H16, H16, H16, H16, H16, H16,
};

struct range {
    uint32_t from, to;
};

/* XML 1.0 [4] NameStartChar beyond ASCII */
static const struct range start_ranges[] = {
    { 0xC0, 0xD6 }, { 0xD8, 0xF6 }, { 0xF8, 0x2FF }, { 0x370, 0x37D }, { 0x37F, 0x1FFF }, { 0x200C, 0x200D }, { 0x2070, 0x218F },
    { 0x2C00, 0x2FEF }, { 0x3001, 0xD7FF }, { 0xF900, 0xFDCF }, { 0xFDF0, 0xFFFD }, { 0x10000, 0xEFFFF },
};

/* XML 1.0 [4a]: what NameChar adds */
static const struct range name_ranges[] = { { 0xB7, 0xB7 }, { 0x300, 0x36F }, { 0x203F, 0x2040 } };

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].from && c <= r[i].to)
            return true;
    return false;
}

bool xchar_is_name_start(uint32_t c)
{
    return c < 0x80 ? xclass[c] & XCLASS_START : in_ranges(start_ranges, sizeof start_ranges / sizeof *start_ranges, c);
}

bool xchar_is_name(uint32_t c)
{
    return c < 0x80 ? (xclass[c] & XCLASS_NAME) != 0
                    : xchar_is_name_start(c) || in_ranges(name_ranges, sizeof name_ranges / sizeof *name_ranges, c);
}

int xchar_decode(const char *p, const char *end, uint32_t *out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead = (unsigned char)*p;
    int n = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    uint32_t c = lead & (0x7Fu >> n);

    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    for (int i = 1; i < n; i++) {
        if (p + i >= end)
            return -1;
        if (((unsigned char)p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)p[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *out = c;
    return n;
}
