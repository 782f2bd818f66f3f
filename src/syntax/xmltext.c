#include "xmlscan_in.h"

enum { REFERENCE_MAX = 64 };

/* One character beyond ASCII or a control character at s->p: its bytes, 0 after a problem. Keeps *keep. */
static size_t character(struct xscan *s, char **keep)
{
    uint32_t c = (unsigned char)*s->p;
    int n = 1;

    if (c >= 0x80) {
        while ((n = xchar_decode(s->p, s->last, &c)) < 0)
            if (!xscan_more(s, keep))
                break;
        if (n <= 0) {
            xscan_bad_char(s, s->p);
            return 0;
        }
    }
    if (!xchar_is_legal(c)) {
        xscan_bad_char(s, s->p);
        return 0;
    }
    return (size_t)n;
}

/* The character of `&#…;` between from and the semicolon; 0 = none. */
static uint32_t number(const char *from, const char *semicolon)
{
    bool hex = *from == 'x';
    uint32_t c = 0;

    if (hex)
        from++;
    if (from == semicolon)
        return 0;
    for (; from < semicolon; from++) {
        int digit = *from >= '0' && *from <= '9' ? *from - '0'
                    : hex && (*from | 32) >= 'a' && (*from | 32) <= 'f' ? (*from | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return 0;
        c = c * (hex ? 16 : 10) + (uint32_t)digit;
        if (c > 0x10FFFF)
            return 0;
    }
    return xchar_is_legal(c) ? c : 0;
}

static char named(struct slice name)
{
    return slice_equal(name, SLICE("amp"))    ? '&'
           : slice_equal(name, SLICE("lt"))   ? '<'
           : slice_equal(name, SLICE("gt"))   ? '>'
           : slice_equal(name, SLICE("quot")) ? '"'
           : slice_equal(name, SLICE("apos")) ? '\''
                                              : '\0';
}

char *xscan_reference(struct xscan *s, char *p)
{
    char *semicolon = p + 1;

    while (
        semicolon < s->last && semicolon - p < REFERENCE_MAX &&
        (*semicolon == '#' || *semicolon == ':' || (xclass[(unsigned char)*semicolon] & (XCLASS_NAME | XCLASS_HIGH))))
        semicolon++;
    if (semicolon == s->last && semicolon - p <= REFERENCE_MAX) {
        s->need = true;
        return NULL;
    }
    if (semicolon == s->last || *semicolon != ';')
        semicolon = NULL;
    struct slice name = slice_range(p + 1, semicolon ? semicolon : p + 1);
    if (name.n > 1 && name.p[0] == '#') {
        uint32_t c = number(name.p + 1, semicolon);
        if (c == 0) {
            xscan_fault(s, p, "XML_CHAR", "&%.*s; is no character of XML", (int)name.n, name.p);
            return NULL;
        }
        buf_char(&s->spare, c);
        return semicolon + 1;
    }
    char c = named(name);
    if (!c) {
        struct buf shown = { 0 };
        buf_add_shown(&shown, name, 32);
        if (name.n)
            xscan_fault(s, p, "XML_ENTITY", "&%.*s; is not defined", SLICE_ARG(buf_slice(&shown)));
        else
            xscan_fault(s, p, "XML_ENTITY", "a `&` that begins no entity");
        buf_release(&shown);
        return NULL;
    }
    buf_byte(&s->spare, c);
    return semicolon + 1;
}

/* A reference in text: the window grows until it is whole. */
static bool text_reference(struct xscan *s)
{
    for (;;) {
        s->need = false;
        char *after = xscan_reference(s, s->p);
        if (after) {
            s->p = after;
            return true;
        }
        if (!s->need)
            return false;
        char *keep = s->p;
        if (!xscan_more(s, &keep)) {
            xscan_truncated(s);
            return false;
        }
    }
}

/* `]]>` at s->p?  0 no, 1 yes. */
static bool section_end(struct xscan *s, char **from)
{
    xscan_has(s, 3, from);
    return s->last - s->p >= 3 && s->p[1] == ']' && s->p[2] == '>';
}

/* A CR in text is a line end: with the LF behind it, it is one (XML 1.0 section 2.11). */
static void line_end(struct xscan *s, char **from)
{
    xscan_has(s, 2, from);
    buf_add(&s->spare, slice_range(*from, s->p));
    s->p++;
    if (s->p < s->last && *s->p == '\n')
        s->p++;
    buf_byte(&s->spare, '\n');
    *from = s->p;
}

/* The characters of a text piece from s->p; stops at `<`, or at `]]>` of a CDATA section. Fills s->text. */
static inline __attribute__((always_inline)) int characters(struct xscan *s, bool cdata, bool end_is_fine)
{
    char *from = s->p;                          /* what is not yet in `spare` */
    const uint64_t limit = s->limits->field;

    s->spare.n = 0;
    for (;;) {
        s->p = (char *)(uintptr_t)(cdata ? xchars_run(s->p, s->last, ']', ']', ']', false)
                                         : xchars_run(s->p, s->last, '<', '&', ']', false));
        if (s->spare.n + (size_t)(s->p - from) > limit)
            return xscan_fault(s, from, "LIMIT_FIELD", "a text of more than %llu bytes", (unsigned long long)limit);
        if (s->p == s->last) {
            if (xscan_more(s, &from))
                continue;
            if (!end_is_fine || s->view.bad != PLACE_NO_OFFSET)
                return xscan_truncated(s);
            break;
        }
        char c = *s->p;
        if (c == '<' && !cdata)
            break;
        if (c == ']') {
            bool end = section_end(s, &from);
            if (end && cdata)
                break;
            if (end)
                return xscan_fault(s, s->p, "XML_SYNTAX", "`]]>` may not stand in text; write `]]&gt;`");
            s->p++;
        } else if (c == '\r') {
            line_end(s, &from);
        } else if (c == '&' && !cdata) {
            buf_add(&s->spare, slice_range(from, s->p));
            if (!text_reference(s))
                return STOP;
            from = s->p;
        } else {
            size_t n = character(s, &from);
            if (!n)
                return STOP;
            s->p += n;
        }
    }
    s->text = slice_range(from, s->p);
    if (s->spare.n) {
        buf_add(&s->spare, s->text);
        s->text = buf_slice(&s->spare);
    }
    return OK;
}

int xscan_text(struct xscan *s)
{
    s->at = xview_offset(&s->view, s->p);
    int rc = characters(s, false, true);
    if (rc == OK)
        s->end = xview_offset(&s->view, s->p);
    s->event = XEVENT_TEXT;
    s->cdata = false;
    return rc;
}

int xscan_cdata(struct xscan *s)
{
    s->at = xview_offset(&s->view, s->p - 9);
    int rc = characters(s, true, false);
    if (rc != OK)
        return rc;
    s->p += 3;
    s->end = xview_offset(&s->view, s->p);
    s->event = XEVENT_TEXT;
    s->cdata = true;
    s->marks |= XMARK_CDATA;
    return OK;
}

int xscan_comment(struct xscan *s)
{
    for (;;) {
        s->p = (char *)(uintptr_t)xchars_run(s->p, s->last, '-', '-', '-', false);
        if (s->p == s->last) {
            if (!xscan_more(s, NULL))
                return xscan_truncated(s);
        } else if (*s->p == '-') {
            if (!xscan_has(s, 3, NULL) && s->last - s->p < 2)
                return xscan_truncated(s);
            if (s->p[1] != '-') {
                s->p++;
                continue;
            }
            if (s->last - s->p < 3)
                return xscan_truncated(s);
            if (s->p[2] != '>')
                return xscan_fault(s, s->p, "XML_SYNTAX", "`--` may not stand in a comment");
            s->p += 3;
            s->marks |= XMARK_OTHER;
            return OK;
        } else if (*s->p == '\r') {
            s->p++;
        } else {
            size_t n = character(s, NULL);
            if (!n)
                return STOP;
            s->p += n;
        }
    }
}

/* The target of a processing instruction; its name is short enough to be kept. */
static int pi_target(struct xscan *s)
{
    size_t prefix;
    char *from = s->p, *after;

    for (;;) {
        s->need = false;
        after = xscan_name(s, from, &prefix, false);
        if (after && after == s->last)
            s->need = true;
        if (!s->need)
            break;
        s->p = from;
        if ((uint64_t)(s->last - from) > s->limits->tag || !xscan_more(s, &from))
            return xscan_truncated(s);
    }
    if (!after)
        return STOP;
    if (after - from == 3 && (from[0] | 32) == 'x' && (from[1] | 32) == 'm' && (from[2] | 32) == 'l')
        return xscan_fault(s, from, "XML_SYNTAX", "an XML declaration may stand at the very beginning of a file only");
    if (!xchar_is_blank(*after) && *after != '?')
        return xscan_fault(s, after, "XML_SYNTAX", "a blank or `?>` has to follow the name of a processing instruction");
    bool must_end = *after == '?';
    s->p = after;
    if (must_end && (!xscan_has(s, 2, NULL) || s->p[1] != '>'))
        return xscan_fault(s, s->p, "XML_SYNTAX", "`?>` is missing after the name of a processing instruction");
    return OK;
}

int xscan_pi(struct xscan *s)
{
    int rc = pi_target(s);

    while (rc == OK) {
        s->p = (char *)(uintptr_t)xchars_run(s->p, s->last, '?', '?', '?', false);
        if (s->p == s->last) {
            if (!xscan_more(s, NULL))
                return xscan_truncated(s);
        } else if (*s->p == '?') {
            if (!xscan_has(s, 2, NULL))
                return xscan_truncated(s);
            s->p++;
            if (*s->p == '>') {
                s->p++;
                s->marks |= XMARK_OTHER;
                return OK;
            }
        } else if (*s->p == '\r') {
            s->p++;
        } else {
            size_t n = character(s, NULL);
            if (!n)
                return STOP;
            s->p += n;
        }
    }
    return rc;
}
