#include "charset_table.h"

/* As much of the text as is weighed; all of it must decode. */
enum { SAMPLE = 1 << 16 };

/* What partners send, most usual first: decides where the text does not. */
static const enum charset usual[] = {
    CHARSET_WINDOWS_1252, CHARSET_ISO_8859_15, CHARSET_ISO_8859_1, CHARSET_WINDOWS_1250, CHARSET_ISO_8859_2,
    CHARSET_WINDOWS_1251, CHARSET_WINDOWS_1254, CHARSET_ISO_8859_9, CHARSET_WINDOWS_1253, CHARSET_ISO_8859_7,
    CHARSET_WINDOWS_1257, CHARSET_ISO_8859_13, CHARSET_IBM850, CHARSET_IBM852, CHARSET_IBM437, CHARSET_KOI8_R,
    CHARSET_ISO_8859_5, CHARSET_WINDOWS_1255, CHARSET_WINDOWS_1256, CHARSET_WINDOWS_1258, CHARSET_ISO_8859_8,
    CHARSET_ISO_8859_6, CHARSET_ISO_8859_4, CHARSET_ISO_8859_10, CHARSET_ISO_8859_3, CHARSET_ISO_8859_14,
    CHARSET_ISO_8859_16,
};

enum { USUAL = sizeof usual / sizeof *usual };

enum script { SCRIPT_NONE, SCRIPT_LATIN, SCRIPT_GREEK, SCRIPT_CYRILLIC, SCRIPT_HEBREW, SCRIPT_ARABIC };

static enum script script_of(uint32_t c)
{
    if ((c | 32) >= 'a' && (c | 32) <= 'z')
        return SCRIPT_LATIN;
    if (c < 0xC0 || c == 0xD7 || c == 0xF7)
        return SCRIPT_NONE;
    if (c < 0x250)
        return SCRIPT_LATIN;
    if (c >= 0x386 && c < 0x400)
        return SCRIPT_GREEK;
    if (c >= 0x400 && c < 0x530)
        return SCRIPT_CYRILLIC;
    if (c >= 0x5D0 && c < 0x5F0)
        return SCRIPT_HEBREW;
    return c >= 0x620 && c < 0x700 ? SCRIPT_ARABIC : SCRIPT_NONE;
}

/* How natural it is that this high byte means `c` between those neighbours. */
static long weigh(uint32_t before, uint32_t c, uint32_t after)
{
    enum script script = script_of(c), left = script_of(before), right = script_of(after);
    if (c < 0xA0)
        return -20;                 /* a C1 control */
    if (script == SCRIPT_NONE)
        return left != SCRIPT_NONE && right != SCRIPT_NONE ? -6 : c >= 0x2500 && c < 0x2600 ? -4 : -1;
    long weight = 2;
    if ((left != SCRIPT_NONE && left != script) || (right != SCRIPT_NONE && right != script))
        weight -= 6;                /* two scripts in one word */
    if (script == SCRIPT_LATIN && left == SCRIPT_LATIN && before >= 0x80)
        weight -= 2;                /* Latin words have few accented letters side by side, Cyrillic ones nothing else */
    bool capital = char_lower(c) != c, small_before = left != SCRIPT_NONE && char_upper(before) != before;
    if (capital && small_before)
        weight -= 3;                /* aÄ */
    return weight;
}

static uint32_t character(enum charset c, const char *p)
{
    unsigned char byte = (unsigned char)*p;
    return byte < 0x80 ? byte : charset_high[c][byte & 0x7F];
}

/* False when a byte is not defined. */
static bool score(enum charset c, struct slice text, long *out)
{
    long sum = 0;
    for (size_t i = 0; i < text.n; i++) {
        i += utf8_ascii((struct slice){ text.p + i, text.n - i });
        if (i == text.n)
            break;
        uint32_t here = character(c, text.p + i);
        if (here == 0)
            return false;
        uint32_t before = i ? character(c, text.p + i - 1) : ' ';
        uint32_t after = i + 1 < text.n ? character(c, text.p + i + 1) : ' ';
        if (i < SAMPLE)
            sum += weigh(before, here, after);
    }
    *out = sum;
    return true;
}

/* UTF-16 without a mark: where most of the text is Latin every other byte is 0. */
static enum charset guess_utf16(struct slice text)
{
    size_t zeros[2] = { 0, 0 }, n = text.n < 4096 ? text.n : 4096;
    enum charset c = CHARSET_UNKNOWN;
    if (text.n % 2 == 0 && charset_bom(text, &c) == 2)
        return c;
    for (size_t i = 0; i < n; i++)
        zeros[i & 1] += text.p[i] == '\0';
    if (text.n % 2 != 0 || (zeros[0] * 4 < n && zeros[1] * 4 < n))
        return CHARSET_UNKNOWN;
    return zeros[1] > zeros[0] ? CHARSET_UTF_16LE : CHARSET_UTF_16BE;
}

static bool decodes_utf16(enum charset c, struct slice text)
{
    struct buf out = { 0 };
    bool unfinished;
    bool whole = charset_decode(c, text, &out, &unfinished) == text.n;
    buf_release(&out);
    return whole;
}

size_t charset_guess(struct slice text, enum charset *out, size_t max)
{
    enum charset found[USUAL + 2];
    long scores[USUAL + 2];
    size_t n = 0;
    if (utf8_valid(text) == text.n) {
        found[n] = CHARSET_UTF_8;
        scores[n++] = 1000000;
    }
    enum charset wide = guess_utf16(text);
    if (wide != CHARSET_UNKNOWN && decodes_utf16(wide, text)) {
        found[n] = wide;
        scores[n++] = 2000000;      /* text with a 0 in every other byte is valid UTF-8, but it is not that */
    }
    for (size_t i = 0; i < USUAL; i++) {
        found[n] = usual[i];
        n += score(usual[i], text, &scores[n]);
    }
    for (size_t i = 1; i < n; i++) {        /* insertion keeps the order of `usual` where scores are equal */
        for (size_t j = i; j > 0 && scores[j] > scores[j - 1]; j--) {
            long s = scores[j];
            enum charset c = found[j];
            scores[j] = scores[j - 1];
            found[j] = found[j - 1];
            scores[j - 1] = s;
            found[j - 1] = c;
        }
    }
    n = n < max ? n : max;
    if (n)
        memcpy(out, found, n * sizeof *out);
    return n;
}
