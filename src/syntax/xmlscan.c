#include "xmlscan_in.h"

/* What would be right, where the code alone tells. */
static struct slice fault_hint(const char *code)
{
    static const struct { const char *code, *hint; } hints[] = {
        { "LIMIT_ATTRIBUTES", "such a tag is hardly meant; `limit attributes` in site.conf allows more" },
        { "LIMIT_NAMESPACES", "such a tag is hardly meant; `limit namespaces` in site.conf allows more" },
        { "LIMIT_DEPTH", "such nesting is hardly meant; `limit depth` in site.conf allows more" },
        { "LIMIT_TAG", "is a quote or `>` missing? `limit tag` in site.conf allows more" },
        { "LIMIT_FIELD", "is an end tag missing? `limit field` in site.conf allows more" },
        { "XML_DTD", "the sender has to leave out what stands between [ and ]" },
        { "XML_ENTITY", "`&` itself is written `&amp;`, other characters by number, as `&#228;`" },
        { "XML_TRUNCATED", "the upload broke off, or the file is still being written" },
        { "XML_EMPTY", "a document has a root element" },
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].code, code) == 0)
            return slice_of(hints[i].hint);
    return slice_none();
}

int xscan_fault(struct xscan *s, const char *p, const char *code, const char *format, ...)
{
    struct buf text = { 0 };
    struct buf shown = { 0 };
    va_list ap;

    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    buf_add_shown(&shown, buf_slice(&text), 400);
    problem_add(s->problems,
                &(struct problem){ .severity = PROBLEM_ERROR,
                                   .code = code,
                                   .text = buf_slice(&shown),
                                   .hint = fault_hint(code),
                                   .place = { .file = s->view.source->name, .offset = xview_offset(&s->view, p) } });
    buf_release(&text);
    buf_release(&shown);
    return s->failed = STOP;
}

/* "windows-1250 would decode it" */
static struct slice other_charset(struct xscan *s, const char *p)
{
    enum charset found;
    size_t n = (size_t)(s->last - p);

    if (!s->view.direct || charset_guess((struct slice){ p, n > 4096 ? 4096 : n }, &found, 1) == 0)
        return slice_none();
    return arena_printf(s->arena, "%s would decode it: write encoding=\"%s\" into the XML declaration",
                        charset_name(found), charset_name(found));
}

int xscan_bad_char(struct xscan *s, const char *p)
{
    uint32_t c = (unsigned char)*p;
    int n = c < 0x80 ? 1 : xchar_decode(p, s->last, &c);

    if (n > 0)
        return xscan_fault(s, p, "XML_CHAR", "the character U+%04X may not stand in XML", (unsigned)c);
    struct slice text = arena_printf(s->arena, "the byte 0x%02X is not %s", (unsigned)c, charset_name(s->view.charset));
    problem_add(s->problems,
                &(struct problem){ .severity = PROBLEM_ERROR,
                                   .code = "XML_ENCODING",
                                   .text = text,
                                   .hint = other_charset(s, p),
                                   .place = { .file = s->view.source->name, .offset = xview_offset(&s->view, p) } });
    return s->failed = STOP;
}

int xscan_truncated(struct xscan *s)
{
    if (s->view.source->error)
        return s->failed = problem_system(s->problems, s->view.source->name, "reading", s->view.source->error);
    if (s->view.bad != PLACE_NO_OFFSET) {
        struct slice text = arena_printf(s->arena, "the byte here is not %s", charset_name(s->view.charset));
        problem_add(s->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "XML_ENCODING", .text = text,
                                                    .place = { .file = s->view.source->name, .offset = s->view.bad } });
        return s->failed = STOP;
    }
    if (!s->view.source->eof)
        return xscan_fault(s, s->last, "LIMIT_FIELD", "more bytes in one piece than the window of the reader may hold");
    if (!s->depth)
        return xscan_fault(s, s->last, "XML_TRUNCATED", "the file ends within a tag or comment");
    const struct xopen *o = &s->open[s->depth - 1];
    return xscan_fault(s, s->last, "XML_TRUNCATED", "the file ends while <%.*s> is still open", (int)o->name_n,
                       s->names.p + o->name_at);
}

bool xscan_more(struct xscan *s, char **keep)
{
    char *own = s->p;

    s->view.at = s->p;
    bool more = xview_fill(&s->view, keep ? keep : &own);
    s->p = s->view.at;
    s->last = s->view.end;
    return more;
}

bool xscan_has(struct xscan *s, size_t n, char **keep)
{
    while ((size_t)(s->last - s->p) < n)
        if (!xscan_more(s, keep))
            return false;
    return true;
}

/* Skips blanks from s->p; their number. False in *there: the file ends. */
static size_t blanks(struct xscan *s, bool *there)
{
    size_t n = 0;

    *there = true;
    for (;; n++) {
        if (s->p == s->last && !xscan_more(s, NULL)) {
            *there = false;
            return n;
        }
        if (!xchar_is_blank(*s->p))
            return n;
        s->p++;
    }
}

/* The text of a quoted literal at s->p, which moves behind it; kept in `spare`. */
static bool literal(struct xscan *s, size_t limit)
{
    s->spare.n = 0;
    if (!xscan_has(s, 1, NULL) || (*s->p != '"' && *s->p != '\''))
        return xscan_fault(s, s->p, "XML_SYNTAX", "a text in quotes has to come here"), false;
    char quote = *s->p++;
    while (xscan_has(s, 1, NULL) && *s->p != quote) {
        if (s->spare.n >= limit)
            return xscan_fault(s, s->p, "LIMIT_TAG", "more than %zu bytes in one literal", limit), false;
        uint32_t c = (unsigned char)*s->p;
        int n = 1;
        if (c >= 0x80) {
            xscan_has(s, 4, NULL);
            n = xchar_decode(s->p, s->last, &c);
        }
        if (n <= 0 || !xchar_is_legal(c))
            return xscan_bad_char(s, s->p), false;
        buf_add(&s->spare, (struct slice){ s->p, (size_t)n });
        s->p += n;
    }
    if (s->p == s->last)
        return xscan_truncated(s), false;
    s->p++;
    return true;
}

/* `name="…"` of the XML declaration. */
static bool pseudo_attribute(struct xscan *s, const char *name)
{
    size_t n = strlen(name);
    bool there;

    if (!xscan_has(s, n, NULL) || memcmp(s->p, name, n) != 0)
        return false;
    s->p += n;
    blanks(s, &there);
    if (!there || *s->p != '=')
        return xscan_fault(s, s->p, "XML_SYNTAX", "`=` is missing in the XML declaration"), false;
    s->p++;
    blanks(s, &there);
    return literal(s, 64);
}

static bool is_version(struct slice v)
{
    if (v.n < 3 || v.p[0] != '1' || v.p[1] != '.')
        return false;
    for (size_t i = 2; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
    return true;
}

static bool is_encoding_name(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')))
            return false;
    }
    return v.n > 0;
}

/* XML 1.0 [23] XMLDecl, behind `<?xml` */
static int declaration(struct xscan *s)
{
    bool there;

    blanks(s, &there);
    if (!pseudo_attribute(s, "version") || !is_version(buf_slice(&s->spare)))
        return s->failed ? s->failed : xscan_fault(s, s->p, "XML_SYNTAX", "the XML declaration has to begin with version=\"1.0\"");
    size_t gap = blanks(s, &there);
    if (gap && pseudo_attribute(s, "encoding")) {
        if (!is_encoding_name(buf_slice(&s->spare)))
            return xscan_fault(s, s->p, "XML_SYNTAX", "the encoding has no proper name");
        gap = blanks(s, &there);
    }
    if (s->failed)
        return s->failed;
    if (gap && pseudo_attribute(s, "standalone")) {
        if (!slice_equal(buf_slice(&s->spare), SLICE("yes")) && !slice_equal(buf_slice(&s->spare), SLICE("no")))
            return xscan_fault(s, s->p, "XML_SYNTAX", "standalone is yes or no");
        blanks(s, &there);
    }
    if (s->failed)
        return s->failed;
    if (!xscan_has(s, 2, NULL))
        return xscan_truncated(s);
    if (s->p[0] != '?' || s->p[1] != '>')
        return xscan_fault(s, s->p, "XML_SYNTAX", "the XML declaration knows version, encoding and standalone, in this order, and ends in `?>`");
    s->p += 2;
    return OK;
}

/* The name behind <!DOCTYPE; nobody asks for it. */
static int doctype_name(struct xscan *s)
{
    size_t prefix;

    for (;;) {
        s->need = false;
        char *after = xscan_name(s, s->p, &prefix, true);
        if (after) {
            s->p = after;
            return OK;
        }
        if (!s->need)
            return STOP;
        char *keep = s->p;
        if ((uint64_t)(s->last - s->p) > s->limits->tag || !xscan_more(s, &keep))
            return xscan_truncated(s);
    }
}

static bool is_public_id(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') &&
            !(c && strchr(" \r\n-'()+,./:=?;!*#@$_%", c)))
            return false;
    }
    return true;
}

/* SYSTEM "…" or PUBLIC "…" "…": accepted, never loaded. */
static int external_id(struct xscan *s)
{
    bool there, public = *s->p == 'P';

    if (!xscan_has(s, 6, NULL) || (memcmp(s->p, "SYSTEM", 6) != 0 && memcmp(s->p, "PUBLIC", 6) != 0))
        return xscan_fault(s, s->p, "XML_SYNTAX", "SYSTEM, PUBLIC or `>` has to follow the name in <!DOCTYPE");
    s->p += 6;
    if (blanks(s, &there) == 0)
        return xscan_fault(s, s->p, "XML_SYNTAX", "a blank is missing in <!DOCTYPE");
    if (!literal(s, s->limits->tag))
        return s->failed;
    if (!public)
        return OK;
    if (!is_public_id(buf_slice(&s->spare)))
        return xscan_fault(s, s->p, "XML_SYNTAX", "a character that a public identifier may not hold");
    if (blanks(s, &there) == 0)
        return xscan_fault(s, s->p, "XML_SYNTAX", "a blank is missing in <!DOCTYPE");
    return literal(s, s->limits->tag) ? OK : s->failed;
}

/* XML 1.0 [28] doctypedecl, behind `<!DOCTYPE`, without internal subset */
static int doctype(struct xscan *s)
{
    bool there;

    if (s->doctype || s->root_seen)
        return xscan_fault(s, s->p, "XML_SYNTAX", "<!DOCTYPE may stand once, ahead of the root element");
    s->doctype = true;
    if (blanks(s, &there) == 0)
        return xscan_fault(s, s->p, "XML_SYNTAX", "a blank is missing in <!DOCTYPE");
    int rc = doctype_name(s);
    if (rc != OK)
        return rc;
    size_t gap = blanks(s, &there);
    if (there && gap && *s->p != '[' && *s->p != '>') {
        rc = external_id(s);
        if (rc != OK)
            return rc;
        blanks(s, &there);
    }
    if (s->p == s->last)
        return xscan_truncated(s);
    if (*s->p == '[')
        return xscan_fault(s, s->p, "XML_DTD", "an internal subset of declarations is not accepted");
    if (*s->p != '>')
        return xscan_fault(s, s->p, "XML_SYNTAX", "`>` is missing at the end of <!DOCTYPE");
    s->p++;
    return OK;
}

/* `<!` at s->p: END = an event is ready. */
static int exclamation(struct xscan *s)
{
    xscan_has(s, 9, NULL);
    size_t n = (size_t)(s->last - s->p);

    if (n >= 4 && memcmp(s->p, "<!--", 4) == 0) {
        s->p += 4;
        return xscan_comment(s);
    }
    if (n >= 9 && s->depth && memcmp(s->p, "<![CDATA[", 9) == 0) {
        s->p += 9;
        int rc = xscan_cdata(s);
        return rc == OK ? END : rc;
    }
    if (n >= 9 && !s->depth && memcmp(s->p, "<!DOCTYPE", 9) == 0) {
        s->p += 9;
        return doctype(s);
    }
    return n < 9 && s->view.source->eof ? xscan_truncated(s) : xscan_fault(s, s->p, "XML_SYNTAX", "no comment, CDATA section or DOCTYPE may begin like this here");
}

/* Markup at s->p: OK = skipped, END = an event is ready. */
static int markup(struct xscan *s)
{
    if (s->last - s->p < 2 && !xscan_has(s, 2, NULL))
        return xscan_truncated(s);
    int rc = OK;
    switch (s->p[1]) {
    case '/':
        if (!s->depth)
            return xscan_fault(s, s->p, "XML_TAG", "an end tag without a start tag");
        rc = xscan_end_tag(s);
        return rc == OK ? END : rc;
    case '!':
        return exclamation(s);
    case '?':
        s->p += 2;
        return xscan_pi(s);
    default:
        if (!s->depth && s->root_seen)
            return xscan_fault(s, s->p, "XML_AFTER_ROOT", "a document has one root element; a second one begins here");
        s->root_seen = true;
        rc = xscan_start_tag(s);
        return rc == OK ? END : rc;
    }
}

/* Ahead of the root and behind it: OK = markup follows, END = the document ends well. */
static int outside(struct xscan *s)
{
    bool there;

    if (!s->started) {
        s->started = true;
        if (xscan_has(s, 6, NULL) && memcmp(s->p, "<?xml", 5) == 0 && xchar_is_blank(s->p[5])) {
            s->p += 5;
            int rc = declaration(s);
            if (rc != OK)
                return rc;
        }
    }
    blanks(s, &there);
    if (!there) {
        if (s->view.bad != PLACE_NO_OFFSET || !s->view.source->eof)
            return xscan_truncated(s);
        return s->root_seen ? END : xscan_fault(s, s->p, "XML_EMPTY", "the file holds no element");
    }
    if (*s->p == '<')
        return OK;
    xscan_has(s, 4, NULL);
    uint32_t c = (unsigned char)*s->p;
    if (c < 0x20 || (c >= 0x80 && xchar_decode(s->p, s->last, &c) <= 0))
        return xscan_bad_char(s, s->p);
    return s->root_seen ? xscan_fault(s, s->p, "XML_AFTER_ROOT", "something follows the end of the root element")
                        : xscan_fault(s, s->p, "XML_SYNTAX", "an XML document begins with `<`");
}

/* Over the blanks between two tags; whatever else they are part of is left to xscan_text. */
static inline void skip_to_tag(struct xscan *s)
{
    char *p = s->p + (xchars_skip_blanks(s->p, s->last) - s->p);

    if (p < s->last && *p == '<')
        s->p = p;
}

int xscan_next(struct xscan *s)
{
    if (s->failed)
        return s->failed;
    if (s->event != XEVENT_TEXT)
        s->marks = 0;
    if (s->pending_end) {
        s->pending_end = false;
        s->event = XEVENT_END;
        s->at = s->end;
        xscan_pop(s);
        return OK;
    }
    if (s->skip_blanks && s->depth)
        skip_to_tag(s);
    for (;;) {
        if (!s->depth) {
            int rc = outside(s);
            if (rc != OK)
                return rc;
        } else if (s->p == s->last && !xscan_more(s, NULL)) {
            return xscan_truncated(s);
        } else if (*s->p != '<') {
            return xscan_text(s);
        }
        int rc = markup(s);
        if (rc != OK)
            return rc == END ? OK : rc;
    }
}

int xscan_open(struct xscan *s, struct source *source, const struct limits *limits, enum charset otherwise,
               struct arena *a, struct problems *ps)
{
    *s = (struct xscan){ .limits = limits, .arena = a, .problems = ps };
    int rc = xview_open(&s->view, source, otherwise, ps);
    s->p = s->view.at;
    s->last = s->view.end;
    s->failed = rc;
    return rc;
}

void xscan_close(struct xscan *s)
{
    xview_close(&s->view);
    buf_release(&s->names);
    buf_release(&s->spare);
}
