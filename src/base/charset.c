#include "charset_table.h"

#define NAME(charset, text) [charset] = { text, sizeof(text) - 1 }

static const struct slice names[CHARSET_COUNT] = {
    NAME(CHARSET_UNKNOWN, "unknown"), NAME(CHARSET_UTF_8, "UTF-8"), NAME(CHARSET_UTF_16, "UTF-16"),
    NAME(CHARSET_UTF_16LE, "UTF-16LE"), NAME(CHARSET_UTF_16BE, "UTF-16BE"), NAME(CHARSET_US_ASCII, "US-ASCII"),
    NAME(CHARSET_ISO_8859_1, "ISO-8859-1"), NAME(CHARSET_ISO_8859_2, "ISO-8859-2"),
    NAME(CHARSET_ISO_8859_3, "ISO-8859-3"), NAME(CHARSET_ISO_8859_4, "ISO-8859-4"),
    NAME(CHARSET_ISO_8859_5, "ISO-8859-5"), NAME(CHARSET_ISO_8859_6, "ISO-8859-6"),
    NAME(CHARSET_ISO_8859_7, "ISO-8859-7"), NAME(CHARSET_ISO_8859_8, "ISO-8859-8"),
    NAME(CHARSET_ISO_8859_9, "ISO-8859-9"), NAME(CHARSET_ISO_8859_10, "ISO-8859-10"),
    NAME(CHARSET_ISO_8859_13, "ISO-8859-13"), NAME(CHARSET_ISO_8859_14, "ISO-8859-14"),
    NAME(CHARSET_ISO_8859_15, "ISO-8859-15"), NAME(CHARSET_ISO_8859_16, "ISO-8859-16"),
    NAME(CHARSET_WINDOWS_1250, "windows-1250"), NAME(CHARSET_WINDOWS_1251, "windows-1251"),
    NAME(CHARSET_WINDOWS_1252, "windows-1252"), NAME(CHARSET_WINDOWS_1253, "windows-1253"),
    NAME(CHARSET_WINDOWS_1254, "windows-1254"), NAME(CHARSET_WINDOWS_1255, "windows-1255"),
    NAME(CHARSET_WINDOWS_1256, "windows-1256"), NAME(CHARSET_WINDOWS_1257, "windows-1257"),
    NAME(CHARSET_WINDOWS_1258, "windows-1258"), NAME(CHARSET_IBM437, "IBM437"), NAME(CHARSET_IBM850, "IBM850"),
    NAME(CHARSET_IBM852, "IBM852"), NAME(CHARSET_KOI8_R, "KOI8-R"),
};

const struct slice *const charset_names = names + 1;
const size_t charset_names_count = CHARSET_COUNT - 1;

/* Usual names beyond IANA's, without punctuation and in small letters. */
static const struct {
    const char *name;
    enum charset charset;
} aliases[] = {
    { "ascii", CHARSET_US_ASCII }, { "iso646", CHARSET_US_ASCII }, { "ansix341968", CHARSET_US_ASCII },
    { "ucs2", CHARSET_UTF_16 }, { "unicode", CHARSET_UTF_16 }, { "koi8", CHARSET_KOI8_R },
    { "latin1", CHARSET_ISO_8859_1 }, { "l1", CHARSET_ISO_8859_1 }, { "latin2", CHARSET_ISO_8859_2 },
    { "latin3", CHARSET_ISO_8859_3 }, { "latin4", CHARSET_ISO_8859_4 }, { "cyrillic", CHARSET_ISO_8859_5 },
    { "arabic", CHARSET_ISO_8859_6 }, { "greek", CHARSET_ISO_8859_7 }, { "hebrew", CHARSET_ISO_8859_8 },
    { "latin5", CHARSET_ISO_8859_9 }, { "latin6", CHARSET_ISO_8859_10 }, { "latin7", CHARSET_ISO_8859_13 },
    { "latin8", CHARSET_ISO_8859_14 }, { "latin9", CHARSET_ISO_8859_15 }, { "latin10", CHARSET_ISO_8859_16 },
};

enum { NAME_MAX_BYTES = 24 };

/* Small letters and digits only. */
static size_t simplify(struct slice name, char out[NAME_MAX_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (n == NAME_MAX_BYTES)
            return 0;
        out[n++] = c;
    }
    return n;
}

static struct slice without_prefix(struct slice name)
{
    static const char *const prefixes[] = { "windows", "win", "codepage", "cp", "ibm", "dos", "cs", "iso", "xcp" };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct slice prefix = slice_of(prefixes[i]);
        if (slice_starts(name, prefix) && name.n > prefix.n)
            return slice_range(name.p + prefix.n, name.p + name.n);
    }
    return name;
}

enum charset charset_find(struct slice name)
{
    char room[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
    struct slice wanted = { room, simplify(name, room) };
    if (wanted.n == 0)
        return CHARSET_UNKNOWN;
    struct slice core = without_prefix(wanted);
    for (enum charset c = CHARSET_UTF_8; c < CHARSET_COUNT; c++) {
        struct slice known = { other, simplify(names[c], other) };
        if (slice_equal(wanted, known) || slice_equal(core, without_prefix(known)))
            return c;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (slice_is(wanted, aliases[i].name) || slice_is(core, aliases[i].name))
            return aliases[i].charset;
    }
    return CHARSET_UNKNOWN;
}

const char *charset_name(enum charset c)
{
    return names[(unsigned)c < CHARSET_COUNT ? c : CHARSET_UNKNOWN].p;
}

size_t charset_bom(struct slice head, enum charset *out)
{
    if (slice_starts(head, SLICE("\xEF\xBB\xBF"))) {
        *out = CHARSET_UTF_8;
        return 3;
    }
    if (slice_starts(head, SLICE("\xFF\xFE"))) {
        *out = CHARSET_UTF_16LE;
        return 2;
    }
    if (slice_starts(head, SLICE("\xFE\xFF"))) {
        *out = CHARSET_UTF_16BE;
        return 2;
    }
    return 0;
}

static bool is_single_byte(enum charset c)
{
    return c >= CHARSET_ISO_8859_1 && c < CHARSET_COUNT;
}

/* Whether the rest is a character of UTF-8 that only lacks its end. */
static bool is_unfinished(struct slice rest)
{
    unsigned char c = rest.n ? (unsigned char)rest.p[0] : 0;
    size_t length = c < 0xC2 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 1;
    if (rest.n >= length)
        return false;
    /* some ending makes it valid: 0x80, 0x90 or 0xBF at the second byte, 0x80 after it */
    char whole[4] = { 0 };
    static const char seconds[] = { '\x80', '\x90', '\xBF' };
    for (size_t i = 0; i < sizeof seconds; i++) {
        memset(whole, '\x80', sizeof whole);
        whole[1] = seconds[i];
        memcpy(whole, rest.p, rest.n);
        if (utf8_valid((struct slice){ whole, length }) == length)
            return true;
    }
    return false;
}

static size_t decode_utf8(struct slice text, struct buf *out, bool *unfinished)
{
    size_t valid = utf8_valid(text);
    buf_add(out, (struct slice){ text.p, valid });
    *unfinished = valid < text.n && is_unfinished((struct slice){ text.p + valid, text.n - valid });
    return valid;
}

static size_t decode_utf16(bool big, struct slice text, struct buf *out, bool *unfinished)
{
    const unsigned char *s = (const unsigned char *)text.p;
    size_t i = 0;
    for (; i + 2 <= text.n; i += 2) {
        uint32_t c = big ? (uint32_t)s[i] << 8 | s[i + 1] : (uint32_t)s[i + 1] << 8 | s[i];
        if (c >= 0xDC00 && c < 0xE000)
            return i;
        if (c >= 0xD800 && c < 0xDC00) {
            if (i + 4 > text.n)
                break;
            uint32_t low = big ? (uint32_t)s[i + 2] << 8 | s[i + 3] : (uint32_t)s[i + 3] << 8 | s[i + 2];
            if (low < 0xDC00 || low > 0xDFFF)
                return i;
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            i += 2;
        }
        buf_char(out, c);
    }
    *unfinished = i < text.n;
    return i;
}

static size_t decode_single(const uint16_t high[128], struct slice text, struct buf *out)
{
    size_t i = 0;
    while (i < text.n) {
        size_t run = utf8_ascii((struct slice){ text.p + i, text.n - i });
        buf_add(out, (struct slice){ text.p + i, run });
        for (i += run; i < text.n && (signed char)text.p[i] < 0; i++) {
            uint16_t c = high[(unsigned char)text.p[i] & 0x7F];
            if (c == 0)
                return i;
            buf_char(out, c);
        }
    }
    return i;
}

size_t charset_decode(enum charset c, struct slice text, struct buf *out, bool *unfinished)
{
    enum charset marked = CHARSET_UTF_16LE;
    *unfinished = false;
    if (c == CHARSET_UTF_8)
        return decode_utf8(text, out, unfinished);
    if (c == CHARSET_UTF_16) {
        size_t mark = charset_bom(text, &marked);
        mark = marked == CHARSET_UTF_8 ? 0 : mark;
        text = mark ? slice_range(text.p + mark, text.p + text.n) : text;
        return mark + decode_utf16(marked == CHARSET_UTF_16BE, text, out, unfinished);
    }
    if (c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE)
        return decode_utf16(c == CHARSET_UTF_16BE, text, out, unfinished);
    return decode_single(charset_high[is_single_byte(c) ? c : CHARSET_US_ASCII], text, out);
}

/* The byte that spells the character, or 0. */
static unsigned char find_byte(enum charset c, uint32_t character)
{
    const uint16_t *high = charset_high[c];
    const uint8_t *order = charset_order[c];
    size_t low = 0, end = 128;
    while (low < end) {
        size_t middle = (low + end) / 2;
        if (high[order[middle]] < character)
            low = middle + 1;
        else
            end = middle;
    }
    return low < 128 && high[order[low]] == character ? (unsigned char)(order[low] | 0x80) : 0;
}

static size_t encode_single(enum charset c, struct slice utf8, struct buf *out)
{
    size_t i = 0;
    while (i < utf8.n) {
        size_t run = utf8_ascii((struct slice){ utf8.p + i, utf8.n - i });
        buf_add(out, (struct slice){ utf8.p + i, run });
        const char *p = utf8.p + i + run, *end = utf8.p + utf8.n;
        while (p < end && (signed char)*p < 0) {
            const char *from = p;
            unsigned char byte = find_byte(c, utf8_next(&p, end));
            if (byte == 0)
                return (size_t)(from - utf8.p);
            buf_byte(out, (char)byte);
        }
        i = (size_t)(p - utf8.p);
    }
    return i;
}

static void add_unit(struct buf *out, bool big, uint32_t unit)
{
    buf_byte(out, (char)(big ? unit >> 8 : unit));
    buf_byte(out, (char)(big ? unit : unit >> 8));
}

static size_t encode_utf16(bool big, struct slice utf8, struct buf *out)
{
    size_t valid = utf8_valid(utf8);
    const char *end = slice_end((struct slice){ utf8.p, valid });
    for (const char *p = utf8.p; p < end;) {
        uint32_t c = utf8_next(&p, end);
        if (c >= 0x10000) {
            add_unit(out, big, 0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        add_unit(out, big, c);
    }
    return valid;
}

size_t charset_encode(enum charset c, struct slice utf8, struct buf *out)
{
    bool unfinished;
    if (c == CHARSET_UTF_8)
        return decode_utf8(utf8, out, &unfinished);
    if (c == CHARSET_UTF_16 || c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE)
        return encode_utf16(c == CHARSET_UTF_16BE, utf8, out);
    return encode_single(is_single_byte(c) ? c : CHARSET_US_ASCII, utf8, out);
}

bool charset_holds(enum charset to, enum charset from)
{
    if (to == from || from == CHARSET_US_ASCII || (to >= CHARSET_UTF_8 && to <= CHARSET_UTF_16BE))
        return true;
    if (!is_single_byte(to) || !is_single_byte(from))
        return false;
    for (size_t i = 0; i < 128; i++) {
        if (charset_high[from][i] != 0 && find_byte(to, charset_high[from][i]) == 0)
            return false;
    }
    return true;
}
