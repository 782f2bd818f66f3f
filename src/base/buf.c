#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/charset.h"

enum { PRINTED = 64 };      /* bytes that most printed texts are shorter than */

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ 0 };
}

void buf_grow(struct buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < b->n + more)
        cap = b->n + more;
    if (more > PTRDIFF_MAX - b->n)
        cap = SIZE_MAX;             /* arena_realloc reports it */
    b->p = arena_realloc(b->p, cap);
    b->cap = cap;
}

/* vsnprintf writes a NUL, which is not counted.  Most texts fit at once; the others are written a second time. */
void buf_vprintf(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *p = buf_room(b, PRINTED);
    int n = vsnprintf(p, b->cap - b->n, format, ap);
    if (n > 0 && (size_t)n >= b->cap - b->n) {
        p = buf_room(b, (size_t)n + 1);
        vsnprintf(p, (size_t)n + 1, format, again);
    }
    va_end(again);
    b->n += n > 0 ? (size_t)n : 0;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(b, format, ap);
    va_end(ap);
}

void buf_char(struct buf *b, uint32_t c)
{
    unsigned char *p = (unsigned char *)buf_room(b, 4);
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        b->n += 1;
    } else if (c < 0x800) {
        p[0] = (unsigned char)(0xC0 | c >> 6);
        p[1] = (unsigned char)(0x80 | (c & 0x3F));
        b->n += 2;
    } else if (c < 0x10000) {
        p[0] = (unsigned char)(0xE0 | c >> 12);
        p[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        p[2] = (unsigned char)(0x80 | (c & 0x3F));
        b->n += 3;
    } else {
        p[0] = (unsigned char)(0xF0 | c >> 18);
        p[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
        p[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        p[3] = (unsigned char)(0x80 | (c & 0x3F));
        b->n += 4;
    }
}

/* Characters that change how their neighbours look, or that nobody sees: C0, DEL, C1, direction marks (UAX 9), line and
   paragraph separator, zero width ones, byte order mark, tags, and what no character may be. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x061C || c == 0x180E
        || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF
        || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

void buf_add_shown(struct buf *b, struct slice text, size_t limit)
{
    const char *end = slice_end(text);
    size_t shown = 0;
    for (const char *p = text.p; p < end; shown++) {
        if (limit && shown == limit) {
            buf_text(b, "…");
            return;
        }
        /* Four bytes are as long as a character can be. */
        size_t left = (size_t)(end - p), ahead = left < 4 ? left : 4;
        bool valid = (signed char)*p >= 0 || utf8_valid((struct slice){ p, ahead }) > 0;
        const char *from = p;
        uint32_t c = valid ? utf8_next(&p, end) : (unsigned char)*p++;
        if (!valid || (is_hidden(c) && c < 0x80))
            buf_printf(b, "\\x%02X", (unsigned)c);
        else if (is_hidden(c))
            buf_printf(b, "\\u{%04X}", (unsigned)c);
        else
            buf_add(b, slice_range(from, p));
    }
}

static void json_escape(struct buf *b, uint32_t c)
{
    static const char letters[] = "btnvfr";     /* 8 … 13; \v is no JSON escape */
    if (c > 0xFFFF)
        buf_printf(b, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    else if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", (char)c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_printf(b, "\\%c", letters[c - 8]);
    else
        buf_printf(b, "\\u%04x", c);
}

/* Whether a character that begins with this byte may need an escape: what is_hidden() names, besides \ and ".  One bit
   per byte: C0, ", \, DEL; C2 (C1 and soft hyphen), D8, E1, E2, EF, F3. */
static bool json_may_escape(unsigned char c)
{
    static const uint32_t special[8] = { 0xFFFFFFFF, 1u << 2, 1u << 28, 1u << 31, 0, 0, 1u << 2 | 1u << 24,
                                         1u << 1 | 1u << 2 | 1u << 15 | 1u << 19 };
    return special[c >> 5] >> (c & 31) & 1;
}

#define EACH(byte) ((uint64_t)0x0101010101010101 * (byte))

/* The high bit of each byte that is zero (Lamport 1975; exact as to whether there is one). */
static uint64_t zero_bytes(uint64_t w)
{
    return (w - EACH(1)) & ~w & EACH(0x80);
}

static bool is_plain_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t special = (w & EACH(0x80)) | ((w - EACH(0x20)) & ~w & EACH(0x80));
    return (special | zero_bytes(w ^ EACH('"')) | zero_bytes(w ^ EACH('\\')) | zero_bytes(w ^ EACH(0x7F))) == 0;
}

/* Over what needs no escape for sure, eight bytes at a time where they are plain ASCII. */
static const char *skip_plain(const char *p, const char *end)
{
    while (p < end) {
        if (end - p >= 8 && is_plain_word(p)) {
            p += 8;
            continue;
        }
        for (int i = 0; i < 8 && p < end; i++, p++) {
            if (json_may_escape((unsigned char)*p))
                return p;
        }
    }
    return p;
}

/* Valid UTF-8.  Hidden characters are escaped too, since JSON is shown on terminals as well. */
static void json_valid(struct buf *b, struct slice text)
{
    const char *end = slice_end(text), *from = text.p;
    for (const char *p = skip_plain(text.p, end); p < end; p = skip_plain(p, end)) {
        const char *at = p;
        uint32_t c = utf8_next(&p, end);
        if (c != '"' && c != '\\' && !is_hidden(c))
            continue;
        buf_add(b, slice_range(from, at));
        json_escape(b, c);
        from = p;
    }
    buf_add(b, slice_range(from, end));
}

/* ASCII without anything that is escaped: keys, and most texts. */
static bool is_plain(struct slice text)
{
    const char *p = text.p, *end = slice_end(text);
    for (; end - p >= 8; p += 8) {
        if (!is_plain_word(p))
            return false;
    }
    for (; p < end; p++) {
        if ((signed char)*p < 0 || json_may_escape((unsigned char)*p))
            return false;
    }
    return true;
}

static void add_quoted(struct buf *b, struct slice text)
{
    char *p = buf_room(b, text.n + 2);
    p[0] = '"';
    memcpy(p + 1, text.p, text.n);
    p[text.n + 1] = '"';
    b->n += text.n + 2;
}

void buf_add_json(struct buf *b, struct slice text)
{
    if (text.n && is_plain(text)) {
        add_quoted(b, text);
        return;
    }
    buf_byte(b, '"');
    while (text.n) {
        size_t valid = utf8_valid(text);
        json_valid(b, (struct slice){ text.p, valid });
        if (valid < text.n) {
            buf_text(b, "\xEF\xBF\xBD");
            valid++;
        }
        text.p += valid;
        text.n -= valid;
    }
    buf_byte(b, '"');
}
