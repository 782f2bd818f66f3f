#include "charset_table.h"

static uint32_t mapped(uint32_t c, const struct case_run *runs, size_t n)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (runs[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || c < runs[low].first || (c - runs[low].first) % runs[low].step != 0)
        return c;
    return (uint32_t)((int32_t)c + runs[low].delta);
}

uint32_t char_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return mapped(c, case_lower, case_lower_count);
}

uint32_t char_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    return mapped(c, case_upper, case_upper_count);
}

/* Folding by way of the capital brings variants together: ς and σ, ſ and s, µ and μ.  The dotless ı stays itself, as in
   Unicode's CaseFolding.txt. */
static uint32_t char_fold(uint32_t c)
{
    return c == 0x131 ? c : char_lower(char_upper(c));
}

static void map_text(struct slice text, struct buf *out, uint32_t (*map)(uint32_t))
{
    const char *end = slice_end(text);
    for (const char *p = text.p; p < end;)
        buf_char(out, map(utf8_next(&p, end)));
}

void text_lower(struct slice text, struct buf *out)
{
    map_text(text, out, char_lower);
}

void text_upper(struct slice text, struct buf *out)
{
    map_text(text, out, char_upper);
}

void text_fold(struct slice text, struct buf *out)
{
    const char *end = slice_end(text);
    for (const char *p = text.p; p < end;) {
        uint32_t c = char_fold(utf8_next(&p, end));
        if (c == 0xDF || c == 0x1E9E)
            buf_text(out, "ss");
        else
            buf_char(out, c);
    }
}
