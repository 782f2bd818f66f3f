#include "xmlview.h"

#include <strings.h>

#include "xmlchars.h"

#define DECLARATION_MAX 1024            /* bytes in which the XML declaration must end */
#define DECODE_STEP (64 * 1024)         /* raw bytes decoded at a time */

static int refuse(struct problems *ps, const char *shown, const char *why)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = "XML_ENCODING",
                                       .value = slice_of(shown),
                                       .text = slice_of(why),
                                       .hint = SLICE("save the file in the encoding that it declares") });
    return STOP;
}

/* At least n bytes in the source's window, or all of a shorter file. */
static bool source_has(struct source *s, size_t n)
{
    while ((size_t)(s->end - s->at) < n) {
        char *keep = s->at;
        if (!source_fill(s, &keep))
            return false;
    }
    return true;
}

/* The value of encoding="…" in a declaration of ASCII-like bytes (every `unit`-th of them, from `first`). */
static void declared_name(struct xview *v, const char *p, size_t n, unsigned unit, unsigned first)
{
    char text[DECLARATION_MAX];
    size_t used = 0;

    for (size_t i = first; i < n && used < sizeof text - 1; i += unit)
        text[used++] = p[i];
    text[used] = '\0';
    if (used < 6 || memcmp(text, "<?xml", 5) != 0 || !xchar_is_blank(text[5]))
        return;
    char *close = strstr(text, "?>");
    if (!close)
        return;
    *close = '\0';
    char *name = strstr(text, "encoding");
    if (!name)
        return;
    name += strcspn(name, "\"'");
    if (!*name)
        return;
    size_t length = strcspn(name + 1, (char[]){ *name, '\0' });
    if (length >= sizeof v->name)
        length = sizeof v->name - 1;
    memcpy(v->name, name + 1, length);
    v->name[length] = '\0';
}

/* The charset that the first bytes prove, without a declaration (XML 1.0 F.1); UNKNOWN = one of bytes. */
static enum charset sniff(struct xview *v, const unsigned char *b, size_t n, enum charset otherwise)
{
    enum charset bom = CHARSET_UNKNOWN;
    /* Without mark UTF-16 shows itself by `<?`, or is what the caller knows it to be. */
    const bool little = n >= 4 && b[0] == '<' && !b[1], big = n >= 4 && !b[0] && b[1] == '<';

    if (n >= 4 &&
        ((!b[0] && !b[1]) || (b[0] == 0xFF && b[1] == 0xFE && !b[2] && !b[3]) ||
         (b[0] == '<' && !b[1] && !b[2] && !b[3]) || (b[0] == 0x4C && b[1] == 0x6F && b[2] == 0xA7 && b[3] == 0x94))) {
        v->foreign = true;              /* UTF-32 or EBCDIC */
        return CHARSET_UNKNOWN;
    }
    size_t skip = charset_bom((struct slice){ (const char *)b, n }, &bom);
    if (skip) {
        v->source->at += skip;
        v->marked = true;
        return bom == CHARSET_UTF_16 ? (b[0] == 0xFE ? CHARSET_UTF_16BE : CHARSET_UTF_16LE) : bom;
    }
    if (little && ((b[2] == '?' && !b[3]) || otherwise == CHARSET_UTF_16LE))
        return CHARSET_UTF_16LE;
    if (big && ((b[3] == '?' && !b[2]) || otherwise == CHARSET_UTF_16BE))
        return CHARSET_UTF_16BE;
    return CHARSET_UNKNOWN;
}

static bool is_wide(enum charset c)
{
    return c == CHARSET_UTF_16 || c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE;
}

/* Brings the proof of the bytes and the word of the declaration together. */
static int decide(struct xview *v, enum charset proven, enum charset otherwise, struct problems *ps)
{
    enum charset said = v->name[0] ? charset_find(slice_of(v->name)) : CHARSET_UNKNOWN;

    if (proven != CHARSET_UNKNOWN) {
        v->charset = proven;
        /* UTF-16 that calls itself UTF-8 was converted on its way and cannot be mistaken; the other contradictions can.
         */
        if (said != CHARSET_UNKNOWN && said != proven && !(is_wide(proven) && (is_wide(said) || said == CHARSET_UTF_8)))
            return refuse(ps, v->name, "is declared, but the first bytes prove another encoding");
        if (v->name[0] && said == CHARSET_UNKNOWN)
            return refuse(ps, v->name, "is declared, but the first bytes prove another encoding");
        return OK;
    }
    v->charset = said;
    if (strncasecmp(v->name, "utf-7", 5) == 0)
        return refuse(ps, v->name, "is a way to hide markup, not to store it");
    if (is_wide(said))
        return refuse(ps, v->name, "is declared, but the file is one of single bytes");
    if (v->name[0] && said == CHARSET_UNKNOWN)
        v->foreign = true;
    if (!v->name[0])
        v->charset = otherwise != CHARSET_UNKNOWN && !is_wide(otherwise) ? otherwise : CHARSET_UTF_8;
    return OK;
}

/* Waits until the declaration is whole in the window. */
static void see_declaration(struct xview *v, unsigned unit, unsigned first)
{
    struct source *s = v->source;

    for (size_t n = 64; n < DECLARATION_MAX * unit; n += 64) {
        bool more = source_has(s, n);
        size_t have = (size_t)(s->end - s->at);
        if (have > DECLARATION_MAX * unit)
            have = DECLARATION_MAX * unit;
        declared_name(v, s->at, have, unit, first);
        if (v->name[0] || !more || have < 6 || s->at[first] != '<' || s->at[unit + first] != '?')
            return;
        if (memmem(s->at, have, unit == 1 ? "?>" : first ? "\0?\0>" : "?\0>\0", 2 * unit))
            return;
    }
}

int xview_open(struct xview *v, struct source *source, enum charset otherwise, struct problems *ps)
{
    *v = (struct xview){ .source = source, .bad = PLACE_NO_OFFSET, .unit = 1 };
    source_has(source, 4);
    enum charset proven = sniff(v, (const unsigned char *)source->at, (size_t)(source->end - source->at), otherwise);
    unsigned wide = is_wide(proven) ? 2 : 1;

    if (!v->foreign) {
        see_declaration(v, wide, proven == CHARSET_UTF_16BE);
        if (decide(v, proven, otherwise, ps) != OK)
            return STOP;
    }
    v->declared = v->name[0] != '\0';
    v->direct = v->charset == CHARSET_UTF_8;
    v->unit = wide;
    source->charset = v->charset;
    v->at = v->end = source->at;
    v->anchor_at = source_offset(source, source->at);
    if (v->direct) {
        v->end = source->end;
        return OK;
    }
    buf_room(&v->text, DECODE_STEP);
    v->at = v->end = v->text.p;
    v->anchor = v->at;
    return OK;
}

void xview_close(struct xview *v)
{
    buf_release(&v->text);
}

/* Decodes what the source has, at most a step; false when that was nothing. */
static bool decode(struct xview *v)
{
    struct source *s = v->source;
    size_t before = v->text.n;

    while (v->bad == PLACE_NO_OFFSET) {
        size_t n = (size_t)(s->end - s->at);
        bool unfinished = false;
        size_t step = n > DECODE_STEP ? DECODE_STEP : n;
        size_t taken = step ? charset_decode(v->charset, (struct slice){ s->at, step }, &v->text, &unfinished) : 0;

        s->at += taken;
        if (taken < step && !unfinished)
            v->bad = source_offset(s, s->at);
        if (v->text.n > before)
            return true;
        char *keep = s->at;
        if (v->bad != PLACE_NO_OFFSET || !source_fill(s, &keep)) {
            if (v->bad == PLACE_NO_OFFSET && s->at < s->end && !s->error)
                v->bad = source_offset(s, s->at);
            return false;
        }
    }
    return false;
}

/* Tests see the window piece by piece. */
static bool reveal(struct xview *v, char *end)
{
    if (v->step && (size_t)(end - v->end) > v->step)
        end = v->end + v->step;
    bool more = end > v->end;
    v->end = end;
    return more;
}

bool xview_fill(struct xview *v, char **keep)
{
    if (v->step && reveal(v, v->direct ? v->source->end : v->text.p + v->text.n))
        return true;
    if (v->direct) {
        v->source->at = v->at;
        bool more = source_fill(v->source, keep);
        v->end = v->step ? v->end + (v->source->at - v->at) : v->source->end;
        v->at = v->source->at;
        return v->step ? reveal(v, v->source->end) : more;
    }
    size_t drop = (size_t)(*keep - v->text.p), at = (size_t)(v->at - *keep), shown = (size_t)(v->end - *keep);

    v->anchor_at = xview_count(v, *keep);
    memmove(v->text.p, *keep, v->text.n - drop);
    v->text.n -= drop;
    bool more = decode(v);
    *keep = v->text.p;
    v->anchor = v->text.p;
    v->at = v->text.p + at;
    v->end = v->text.p + shown;
    return v->step ? reveal(v, v->text.p + v->text.n) : (v->end = v->text.p + v->text.n, more);
}

/* Code units of the text: UTF-16 spells a character beyond U+FFFF with two. */
static uint64_t units(const char *p, const char *end, unsigned unit)
{
    uint64_t n = 0;

    if (unit == 1)
        for (; p < end; p++)
            n += ((unsigned char)*p & 0xC0) != 0x80;
    else
        for (; p < end; p++)
            n += (((unsigned char)*p & 0xC0) != 0x80) + ((unsigned char)*p >= 0xF0);
    return n;
}

uint64_t xview_count(struct xview *v, const char *p)
{
    if (p >= v->anchor)
        v->anchor_at += v->unit * units(v->anchor, p, v->unit);
    else
        v->anchor_at -= v->unit * units(p, v->anchor, v->unit);
    v->anchor = p;
    return v->anchor_at;
}
