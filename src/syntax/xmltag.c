#include "xmlscan_in.h"

#define XML_URI "http://www.w3.org/XML/1998/namespace"
#define XMLNS_URI "http://www.w3.org/2000/xmlns/"

/* Behind one character of a name beyond ASCII, or NULL. */
static char *high_name_char(struct xscan *s, char *q, bool first)
{
    uint32_t c;
    int n = xchar_decode(q, s->last, &c);

    if (n < 0) {
        s->need = true;
        return NULL;
    }
    if (n == 0 || !xchar_is_legal(c)) {
        xscan_bad_char(s, q);
        return NULL;
    }
    return (first ? xchar_is_name_start(c) : xchar_is_name(c)) ? q + n : q;
}

static char *bad_name(struct xscan *s, char *p)
{
    if ((unsigned char)*p < 0x20 && !xchar_is_blank(*p))
        xscan_bad_char(s, p);
    else
        xscan_fault(s, p, "XML_SYNTAX", "a name cannot begin here");
    return NULL;
}

/* One NCName. */
static char *simple_name(struct xscan *s, char *p)
{
    char *q = p;

    for (;;) {
        q += xchars_skip_name(q, s->last) - q;
        if (q == s->last) {
            s->need = true;
            return NULL;
        }
        if (q > p && !(xclass[(unsigned char)*p] & (XCLASS_START | XCLASS_HIGH)))
            return bad_name(s, p);
        if (!(xclass[(unsigned char)*q] & XCLASS_HIGH))
            return q > p ? q : bad_name(s, p);
        char *after = high_name_char(s, q, q == p);
        if (!after)
            return NULL;
        if (after == q)
            return q > p ? q : bad_name(s, p);
        q = after;
    }
}

char *xscan_name(struct xscan *s, char *p, size_t *prefix, bool colon)
{
    char *q = simple_name(s, p);

    *prefix = 0;
    if (!q || *q != ':' || !colon)
        return q;
    *prefix = (size_t)(q - p);
    return simple_name(s, q + 1);
}

static char *skip_blanks(struct xscan *s, char *q)
{
    while (q < s->last && xchar_is_blank(*q))
        q++;
    if (q == s->last) {
        s->need = true;
        return NULL;
    }
    return q;
}

/* The text between quotes, from q to behind the closing one; normalised as XML 1.0 section 3.3.3 has it for CDATA
 * attributes. */
static char *attribute_value(struct xscan *s, char *q, struct xattr *a)
{
    char *from = q;

    a->spare = false;
    a->where = s->spare.n;
    for (;;) {
        q = (char *)(uintptr_t)(a->quote == '"' ? xchars_run(q, s->last, '"', '<', '&', true)
                                                : xchars_run(q, s->last, '\'', '<', '&', true));
        if (q == s->last) {
            s->need = true;
            return NULL;
        }
        if (*q == a->quote)
            break;
        if (*q == '<') {
            xscan_fault(s, q, "XML_SYNTAX", "`<` may not stand in an attribute; write `&lt;`");
            return NULL;
        }
        if ((unsigned char)*q >= 0x80) {
            char *after = high_name_char(s, q, false);
            if (!after)
                return NULL;
            uint32_t c;
            q += xchar_decode(q, s->last, &c);
            continue;
        }
        buf_add(&s->spare, slice_range(from, q));
        a->spare = true;
        if (*q == '&') {
            q = xscan_reference(s, q);
            if (!q)
                return NULL;
        } else if (xchar_is_blank(*q)) {
            if (*q == '\r' && q + 1 < s->last && q[1] == '\n')
                q++;
            q++;
            buf_byte(&s->spare, ' ');
        } else {
            xscan_bad_char(s, q);
            return NULL;
        }
        from = q;
    }
    if (a->spare)
        buf_add(&s->spare, slice_range(from, q));
    a->value = a->spare ? (struct slice){ NULL, s->spare.n - a->where } : slice_range(from, q);
    return q + 1;
}

/* name = "value" from q on; behind it. */
static char *attribute(struct xscan *s, char *q)
{
    struct xattr *a = &(ARENA_PUSH(s->arena, s->attrs, s->nattrs, s->attr_cap));
    char *name = q;

    q = xscan_name(s, q, &a->prefix, true);
    if (!q)
        return NULL;
    a->name = slice_range(name, q);
    q = skip_blanks(s, q);
    if (!q)
        return NULL;
    if (*q != '=') {
        xscan_fault(s, q, "XML_SYNTAX", "`=` is missing after the name of an attribute");
        return NULL;
    }
    q = skip_blanks(s, q + 1);
    if (!q)
        return NULL;
    if (*q != '"' && *q != '\'') {
        xscan_fault(s, q, "XML_SYNTAX", "the value of an attribute has to stand in quotes");
        return NULL;
    }
    a->quote = *q++;
    char *value = q;
    q = attribute_value(s, q, a);
    if (!q)
        return NULL;
    a->at = xview_offset(&s->view, value);
    a->len = (uint32_t)(xview_offset(&s->view, q - 1) - a->at);
    return q;
}

static bool is_declaration(const struct xattr *a)
{
    return a->prefix ? a->prefix == 5 && memcmp(a->name.p, "xmlns", 5) == 0 : slice_equal(a->name, SLICE("xmlns"));
}

void xscan_bind(struct xscan *s, struct slice prefix, struct slice uri)
{
    struct xbinding b = {
        .prefix_at = s->names.n, .prefix_n = prefix.n, .uri_at = s->names.n + prefix.n, .uri_n = uri.n
    };

    buf_add(&s->names, prefix);
    buf_add(&s->names, uri);
    ARENA_PUSH(s->arena, s->bindings, s->nbindings, s->binding_cap) = b;
}

/* Namespaces 1.0 section 3: what may not be declared. */
static int declare(struct xscan *s, const struct xattr *a)
{
    struct slice prefix = a->prefix ? xscan_local(a->name, a->prefix) : (struct slice){ "", 0 };
    bool xml_prefix = slice_equal(prefix, SLICE("xml")), xml_uri = slice_equal(a->value, SLICE(XML_URI));
    const char *at = a->name.p;

    if (slice_equal(prefix, SLICE("xmlns")) || slice_equal(a->value, SLICE(XMLNS_URI)))
        return xscan_fault(s, at, "XML_PREFIX", "the prefix xmlns and its namespace cannot be declared");
    if (xml_prefix != xml_uri)
        return xscan_fault(s, at, "XML_PREFIX", "the prefix xml belongs to %s and to nothing else", XML_URI);
    if (prefix.n && a->value.n == 0)
        return xscan_fault(s, at, "XML_PREFIX", "a prefix cannot be bound to an empty namespace");
    if (!xml_prefix)
        xscan_bind(s, prefix, a->value);
    return OK;
}

struct slice xscan_uri(const struct xscan *s, struct slice prefix)
{
    for (size_t i = s->nbindings; i-- > 0;) {
        const struct xbinding *b = &s->bindings[i];
        if (b->prefix_n == prefix.n && memcmp(s->names.p + b->prefix_at, prefix.p, prefix.n) == 0)
            return (struct slice){ s->names.p + b->uri_at, b->uri_n };
    }
    if (slice_equal(prefix, SLICE("xml")))
        return SLICE(XML_URI);
    return prefix.n ? slice_none() : (struct slice){ "", 0 };
}

static int check_prefix(struct xscan *s, struct slice name, size_t prefix)
{
    if (prefix == 0 || xscan_uri(s, (struct slice){ name.p, prefix }).p)
        return OK;
    return xscan_fault(s, name.p, "XML_PREFIX", "the prefix %.*s is not declared", (int)prefix, name.p);
}

/* The same expanded name twice, under two prefixes of one namespace. */
static bool same_expanded(const struct xscan *s, const struct xattr *a, const struct xattr *b)
{
    return a->prefix && b->prefix && slice_equal(xscan_local(a->name, a->prefix), xscan_local(b->name, b->prefix)) &&
           slice_equal(xscan_uri(s, (struct slice){ a->name.p, a->prefix }),
                       xscan_uri(s, (struct slice){ b->name.p, b->prefix }));
}

static int check_unique(struct xscan *s, bool expanded)
{
    uint64_t seen = 0;                          /* one bit per length and last character: most tags need no comparing */

    for (size_t i = 0; i < s->nattrs && s->nattrs > 1; i++) {
        const struct xattr *a = &s->attrs[i];
        uint64_t bit = UINT64_C(1) << ((a->name.n - a->prefix + (unsigned char)a->name.p[a->name.n - 1] * 7u) & 63);
        for (size_t j = 0; (seen & bit) && j < i; j++)
            if (expanded ? same_expanded(s, a, &s->attrs[j]) : slice_equal(a->name, s->attrs[j].name))
                return xscan_fault(s, a->name.p, "XML_ATTRIBUTE_TWICE", "the attribute %.*s stands twice in one tag",
                                   SLICE_ARG(a->name));
        seen |= expanded && !a->prefix ? 0 : bit;
    }
    return OK;
}

/* Declarations take effect and leave the list; prefixes are looked up; no name may come twice. */
static int settle_attributes(struct xscan *s)
{
    size_t kept = 0, declared = 0;
    bool prefixed = false;
    int rc = check_unique(s, false);

    for (size_t i = 0; i < s->nattrs && rc == OK; i++) {
        struct xattr *a = &s->attrs[i];
        if (a->spare)
            a->value.p = s->spare.p + a->where;
        if (!is_declaration(a)) {
            s->attrs[kept++] = *a;
            prefixed |= a->prefix != 0;
        } else if (++declared > s->limits->namespaces) {
            return xscan_fault(s, a->name.p, "LIMIT_NAMESPACES", "more than %llu namespaces in one tag",
                               (unsigned long long)s->limits->namespaces);
        } else {
            rc = declare(s, a);
        }
    }
    s->nattrs = kept;
    if (kept > s->limits->attributes)
        return xscan_fault(s, s->attrs[s->limits->attributes].name.p, "LIMIT_ATTRIBUTES", "more than %llu attributes in one tag",
                           (unsigned long long)s->limits->attributes);
    if (declared)
        s->version = ++s->versions;
    for (size_t i = 0; i < kept && rc == OK && prefixed; i++)
        rc = check_prefix(s, s->attrs[i].name, s->attrs[i].prefix);
    return rc == OK && prefixed ? check_unique(s, true) : rc;
}

static int push(struct xscan *s)
{
    if (s->depth >= s->limits->depth)
        return xscan_fault(s, s->name.p - 1, "LIMIT_DEPTH", "elements are nested more than %llu deep",
                           (unsigned long long)s->limits->depth);
    struct xopen o = {
        .at = s->at, .name_at = s->names.n, .name_n = s->name.n, .bindings = s->nbindings, .version = s->version
    };
    buf_add(&s->names, s->name);
    if (s->depth < s->open_cap)
        s->open[s->depth++] = o;
    else
        ARENA_PUSH(s->arena, s->open, s->depth, s->open_cap) = o;
    if (s->nattrs && settle_attributes(s) != OK)
        return STOP;
    return check_prefix(s, s->name, s->prefix);
}

void xscan_pop(struct xscan *s)
{
    const struct xopen *o = &s->open[--s->depth];

    s->names.n = o->name_at;
    s->nbindings = o->bindings;
    s->version = o->version;
}

/* The tag at p, whole or up to the end of the window (need); behind it. */
static char *tag(struct xscan *s, char *p)
{
    char *q = xscan_name(s, p + 1, &s->prefix, true);

    s->nattrs = 0;
    s->spare.n = 0;
    if (!q)
        return NULL;
    s->name = slice_range(p + 1, q);
    for (;;) {
        char *blank = q;
        if (q < s->last && *q == '>') {
            s->empty = false;
            return q + 1;
        }
        q = skip_blanks(s, q);
        if (!q)
            return NULL;
        if (*q == '>')
            continue;
        if (*q == '/') {
            if (q + 1 == s->last) {
                s->need = true;
                return NULL;
            }
            s->empty = true;
            return q[1] == '>' ? q + 2 : (xscan_fault(s, q, "XML_SYNTAX", "`>` has to follow `/` in a tag"), NULL);
        }
        if (q == blank || s->nattrs > s->limits->attributes + s->limits->namespaces) {
            if (q == blank)
                xscan_fault(s, q, "XML_SYNTAX", "a blank, `>` or `/>` has to come here");
            else
                xscan_fault(s, s->attrs[s->limits->attributes].name.p, "LIMIT_ATTRIBUTES",
                            "more than %llu attributes in one tag", (unsigned long long)s->limits->attributes);
            return NULL;
        }
        q = attribute(s, q);
        if (!q)
            return NULL;
    }
}

/* Brings the window to the end of the tag at s->p, without looking twice at a byte. */
static void see_whole_tag(struct xscan *s)
{
    size_t i = 1;
    char quote = '\0';

    for (;;) {
        for (; s->p + i < s->last; i++) {
            char c = s->p[i];
            if (c == '<' || (c == '>' && !quote) || i > s->limits->tag)
                return;
            if (quote)
                quote = c == quote ? '\0' : quote;
            else if (c == '"' || c == '\'')
                quote = c;
        }
        char *keep = s->p;
        if (!xscan_more(s, &keep))
            return;
    }
}

/* The window ended in the tag: 0 = try again with all of it, else the status. */
static int tag_unfinished(struct xscan *s, bool tried)
{
    if (s->need && !tried) {
        see_whole_tag(s);
        return OK;
    }
    if (s->need && (uint64_t)(s->last - s->p) > s->limits->tag)
        return xscan_fault(s, s->p, "LIMIT_TAG", "a tag of more than %llu bytes", (unsigned long long)s->limits->tag);
    return s->need ? xscan_truncated(s) : STOP;
}

int xscan_start_tag(struct xscan *s)
{
    char *after = NULL;

    for (int tries = 0; !after; tries++) {
        s->need = false;
        after = tag(s, s->p);
        int rc = after ? OK : tag_unfinished(s, tries > 0 || !s->need);
        if (rc != OK)
            return rc;
    }
    if ((uint64_t)(after - s->p) > s->limits->tag)
        return xscan_fault(s, s->p, "LIMIT_TAG", "a tag of more than %llu bytes", (unsigned long long)s->limits->tag);
    s->at = xview_offset(&s->view, s->p);
    s->end = xview_offset(&s->view, after);
    s->event = XEVENT_START;
    s->p = after;
    s->pending_end = s->empty;
    return push(s);
}

static char *end_tag(struct xscan *s, char *p, struct slice want)
{
    size_t prefix;
    char *q = xscan_name(s, p + 2, &prefix, true);

    if (!q)
        return NULL;
    if (!slice_equal(slice_range(p + 2, q), want)) {
        xscan_fault(s, p, "XML_TAG", "</%.*s> stands where </%.*s> has to close the element", (int)(q - p - 2), p + 2,
                    SLICE_ARG(want));
        return NULL;
    }
    q = skip_blanks(s, q);
    if (!q)
        return NULL;
    if (*q != '>') {
        xscan_fault(s, q, "XML_SYNTAX", "`>` is missing at the end of an end tag");
        return NULL;
    }
    return q + 1;
}

int xscan_end_tag(struct xscan *s)
{
    const struct xopen *o = &s->open[s->depth - 1];
    struct slice want = { s->names.p + o->name_at, o->name_n };
    char *after = NULL;

    if ((size_t)(s->last - s->p) >= want.n + 3 && s->p[want.n + 2] == '>' && xchars_equal(s->p + 2, want.p, want.n))
        after = s->p + want.n + 3;
    for (int tries = 0; !after; tries++) {
        s->need = false;
        after = end_tag(s, s->p, want);
        int rc = after ? OK : tag_unfinished(s, tries > 0 || !s->need);
        if (rc != OK)
            return rc;
    }
    s->at = xview_offset(&s->view, s->p);
    s->end = xview_offset(&s->view, after);
    s->event = XEVENT_END;
    s->name = want;
    s->p = after;
    xscan_pop(s);
    return OK;
}
