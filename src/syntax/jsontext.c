#include "jsontext.h"

#include <stdint.h>

enum { MOST_DIGITS = 1000 };

/* ---- texts ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits at p, -1 = there are none. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t code = 0;

    for (int i = 0; i < 4; i++, p++) {
        int d = p < end ? hex_digit(*p) : -1;
        if (d < 0)
            return -1;
        code = code << 4 | d;
    }
    return code;
}

/* \uXXXX at *p (on the `u`), a pair of surrogates is one character. */
static const char *unicode(const char **p, const char *end, struct buf *out, const char **hint)
{
    int32_t code = hex4(*p + 1, end);

    *hint = "\\u and four hexadecimal digits, such as \\u00e9";
    if (code < 0)
        return "this escape is not complete";
    *p += 5;
    if (code >= 0xD800 && code <= 0xDFFF) {
        int32_t low = code < 0xDC00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, end) : -1;
        *hint = "characters beyond U+FFFF are two escapes, \\ud800 to \\udbff and then \\udc00 to \\udfff";
        if (low < 0xDC00 || low > 0xDFFF)
            return "this is half of a surrogate pair";
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        *p += 6;
    }
    buf_char(out, (uint32_t)code);
    return NULL;
}

const char *jtext_decode(struct slice raw, struct buf *out, size_t *at, const char **hint)
{
    const char *p = raw.p, *end = raw.p + raw.n;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        buf_add(out, slice_range(p, slash ? slash : end));
        if (!slash)
            break;
        p = slash + 1;
        *at = (size_t)(slash - raw.p);
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *known = p < end && *p ? strchr(from, *p) : NULL;
        if (known) {
            buf_byte(out, to[known - from]);
            p++;
        } else if (p < end && *p == 'u') {
            const char *wrong = unicode(&p, end, out, hint);
            if (wrong)
                return wrong;
        } else {
            *hint = "known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits";
            return "JSON has no such escape";
        }
    }
    return NULL;
}

void jtext_spell(struct buf *out, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    const char *p = text.p, *end = slice_end(text), *plain = p;

    buf_byte(out, '"');
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buf_add(out, slice_range(plain, p));
        plain = p + 1;
        const char *short_form = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r"
                : c == '\t' ? "\\t" : NULL;
        if (short_form)
            buf_text(out, short_form);
        else
            buf_add(out, (struct slice){ (const char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6 });
    }
    if (p > plain)
        buf_add(out, slice_range(plain, p));
    buf_byte(out, '"');
}

/* ---- numbers ---- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

const char *jtext_number_hint(struct slice lexeme)
{
    const char *p = lexeme.p, *end = slice_end(lexeme);

    if (p < end && *p == '-')
        p++;
    const char *from = p;
    p = digits(p, end);
    if (p == from)
        return "a number begins with a digit, or with - and a digit";
    if (*from == '0' && p - from > 1)
        return "a number has no leading zeros; a code such as 007 stands in quotes";
    if (p < end && *p == '.') {
        const char *fraction = p + 1;
        p = digits(fraction, end);
        if (p == fraction)
            return "digits follow the decimal point";
    }
    if (p < end && (*p | 32) == 'e') {
        p += 1 + (end - p > 1 && (p[1] == '+' || p[1] == '-'));
        const char *exponent = p;
        p = digits(p, end);
        if (p == exponent)
            return "digits follow the e of an exponent";
    }
    return p == end ? NULL : "a number is spelled like -12.50; a text stands in quotes";
}

bool jtext_expand(struct slice lexeme, struct buf *out)
{
    const char *p = lexeme.p, *end = slice_end(lexeme), *e = p;
    char coefficient[MOST_DIGITS];
    long n = 0, point = -1, exponent;

    while (e < end && (*e | 32) != 'e')
        e++;
    for (; p < e; p++) {
        if (*p == '.')
            point = n;
        else if (*p != '-' && n == MOST_DIGITS)
            return false;
        else if (*p != '-')
            coefficient[n++] = *p;
    }
    const char *sign = e + 1;
    const char *first = sign + (sign < end && (*sign == '+' || *sign == '-'));
    while (first < end - 1 && *first == '0')
        first++;
    if (e == end || end - first > 5)
        return false;
    exponent = 0;
    for (; first < end; first++)
        exponent = exponent * 10 + (*first - '0');
    exponent = *sign == '-' ? -exponent : exponent;
    point = (point < 0 ? n : point) + exponent;
    if (point > MOST_DIGITS || point < -MOST_DIGITS)
        return false;
    if (*lexeme.p == '-')
        buf_byte(out, '-');
    long begin = 0;
    while (begin < n - 1 && begin < point - 1 && coefficient[begin] == '0')
        begin++;                                /* 0.5e1 is 5 */
    if (point <= 0)
        buf_byte(out, '0');
    for (long i = begin; i < point; i++)
        buf_byte(out, i < n ? coefficient[i] : '0');
    if (point < n)
        buf_byte(out, '.');
    for (long i = point; i < 0; i++)
        buf_byte(out, '0');
    for (long i = point > 0 ? point : 0; i < n; i++)
        buf_byte(out, coefficient[i]);
    return true;
}

/* ---- what to say ---- */

const char *jtext_word_hint(struct slice word)
{
    static const char *const others[][2] = {
        { "True", "JSON spells it true" },  { "TRUE", "JSON spells it true" },   { "False", "JSON spells it false" },
        { "FALSE", "JSON spells it false" }, { "None", "JSON spells it null" },  { "NULL", "JSON spells it null" },
        { "nil", "JSON spells it null" },   { "undefined", "JSON spells it null" },
        { "NaN", "JSON has no NaN; use null, or leave the member out" },
        { "Infinity", "JSON has no Infinity; use null, or leave the member out" },
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_is(word, others[i][0]))
            return others[i][1];
    return "a text stands in quotation marks; other words are true, false and null";
}

const char *jtext_no_value(int c, const char **hint)
{
    *hint = "a value is a text in quotes, a number, true, false, null, { or [";
    switch (c) {
    case '\'': *hint = "texts stand in quotation marks: \"…\""; return "an apostrophe opens no text";
    case '/': case '#': *hint = "take the comment out"; return "JSON has no comments";
    case '+': *hint = "a positive number has no sign"; return "a number does not begin with +";
    case '.': *hint = "write 0.5"; return "a number does not begin with a point";
    case ',': case ']': case '}': return "a value is missing here";
    case ':': return "a `:` has no place here";
    default: return "no value of JSON begins like this";
    }
}

const char *jtext_no_name(int c, const char **hint)
{
    *hint = "\"name\": value";
    switch (c) {
    case '\'': *hint = "names stand in quotation marks: \"name\""; return "an apostrophe opens no name";
    case '/': case '#': *hint = "take the comment out"; return "JSON has no comments";
    case ',': return "a member is missing here";
    default: return "the name of a member stands in quotation marks";
    }
}

const char *jtext_no_comma(int c, bool object, const char **hint)
{
    *hint = object ? "members are parted by `,`, the last one is followed by `}`"
            : "values are parted by `,`, the last one is followed by `]`";
    switch (c) {
    case ']': return "`]` closes what `{` opened";
    case '}': return "`}` closes what `[` opened";
    case '/': case '#': *hint = "take the comment out"; return "JSON has no comments";
    case ':': return "a `:` has no place here";
    default: return "a comma is missing here";
    }
}
