#include "xmlsax.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/xmlerror.h>

#include "base/late.h"

#if LIBXML_VERSION >= 21200
typedef const xmlError *sax_error;      /* became const */
#else
typedef xmlErrorPtr sax_error;
#endif

#if LIBXML_VERSION >= 21400
#define SONAME "libxml2.so.16"
#define PACKAGE "libxml2-16"
#else
#define SONAME "libxml2.so.2"
#define PACKAGE "libxml2"
#endif

LATE_NOTE(SONAME);

#define SAX_FUNCTIONS(F) \
    F(xmlInitParser) F(xmlSetExternalEntityLoader) F(xmlSetGenericErrorFunc) F(xmlCreatePushParserCtxt) \
    F(xmlCtxtUseOptions) F(xmlDictSetLimit) F(xmlParseChunk) F(xmlStopParser) F(xmlFreeParserCtxt) F(xmlBufUse)

/* Loaded with the first document that we do not read ourselves. */
struct sax_lib {
    SAX_FUNCTIONS(LATE_MEMBER)
};

enum { CHUNK = 4096 };                  /* bytes given to libxml2 at a time: bounds the events that wait */
enum { UNDECODED_MAX = 16 };            /* bytes that may wait for the rest of their character */
enum { UNIT_MAX = 4 };                  /* bytes of a character of ASCII in the widest charset */

/* An event that waits in `queue`, followed by its texts. */
struct waiting {
    enum xevent kind;
    bool cdata;
    size_t name, prefix, text;          /* lengths in bytes */
    size_t nspaces, nattrs;
    int line;
};

struct pair {                           /* a declaration or an attribute, followed by both texts */
    size_t name, prefix, value;
};

struct xsax {
    struct sax_lib lib;
    struct xscan *scan;
    xmlParserCtxtPtr parser;
    struct buf queue;
    size_t taken;
    size_t depth, deepest;
    const char *from;                   /* what libxml2 gets next */
    size_t silent;                      /* bytes given since libxml2 told of something */
    uint64_t undecoded;                 /* from here on libxml2 could not decode what it has got; PLACE_NO_OFFSET */
    bool subset, saw_error, root_done, ended, too_deep, too_long, after_cr, undecodable;
    char message[300];
    int line, column, code;             /* of the error */
    int event_line;
    struct buf decoded;                 /* attribute values of the event, references resolved */
};

static size_t text_size(const xmlChar *t)
{
    return t ? strlen((const char *)t) : 0;
}

static void put_qname(struct xsax *x, const xmlChar *prefix, const xmlChar *local)
{
    if (prefix) {
        buf_text(&x->queue, (const char *)prefix);
        buf_byte(&x->queue, ':');
    }
    buf_text(&x->queue, (const char *)local);
}

static size_t qname_size(const xmlChar *prefix, const xmlChar *local)
{
    return text_size(local) + (prefix ? text_size(prefix) + 1 : 0);
}

static void put_record(struct xsax *x, const void *record, size_t n)
{
    buf_add(&x->queue, (struct slice){ record, n });
}

static int line_now(const struct xsax *x)
{
    return x->parser && x->parser->input ? x->parser->input->line : 0;
}

static void on_start(void *user, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int nspaces,
                     const xmlChar **spaces, int nattrs, int ndefaulted, const xmlChar **attrs)
{
    struct xsax *x = user;
    struct waiting w = { .kind = XEVENT_START, .name = qname_size(prefix, local), .prefix = text_size(prefix),
                         .nspaces = (size_t)nspaces, .nattrs = (size_t)nattrs, .line = line_now(x) };

    (void)uri;
    (void)ndefaulted;
    if (++x->depth > x->scan->limits->depth) {
        x->too_deep = true;
        x->event_line = line_now(x);
        x->lib.xmlStopParser(x->parser);
        return;
    }
    put_record(x, &w, sizeof w);
    put_qname(x, prefix, local);
    for (int i = 0; i < nspaces; i++) {
        const xmlChar *p = spaces[2 * i], *u = spaces[2 * i + 1];
        struct pair pair = { .name = text_size(p), .value = text_size(u) };
        put_record(x, &pair, sizeof pair);
        buf_add(&x->queue, (struct slice){ (const char *)p, pair.name });
        buf_add(&x->queue, (struct slice){ (const char *)u, pair.value });
    }
    for (int i = 0; i < nattrs; i++) {
        const xmlChar **a = attrs + 5 * i;
        struct pair pair = { .name = qname_size(a[1], a[0]),
                             .prefix = text_size(a[1]),
                             .value = (size_t)(a[4] - a[3]) };
        put_record(x, &pair, sizeof pair);
        put_qname(x, a[1], a[0]);
        buf_add(&x->queue, (struct slice){ (const char *)a[3], pair.value });
    }
}

static void on_end(void *user, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct xsax *x = user;
    struct waiting w = { .kind = XEVENT_END, .name = qname_size(prefix, local), .prefix = text_size(prefix) };

    (void)uri;
    put_record(x, &w, sizeof w);
    put_qname(x, prefix, local);
    x->root_done = --x->depth == 0;
}

static void put_text(struct xsax *x, const xmlChar *text, int n, bool cdata)
{
    struct waiting w = { .kind = XEVENT_TEXT, .text = n > 0 ? (size_t)n : 0, .cdata = cdata };

    if (!x->depth)
        return;
    put_record(x, &w, sizeof w);
    buf_add(&x->queue, (struct slice){ (const char *)text, w.text });
}

static void on_text(void *user, const xmlChar *text, int n)
{
    put_text(user, text, n, false);
}

/* The push parser hands CDATA over without making CR and CRLF a line feed (XML 1.0 section 2.11). */
static void on_cdata(void *user, const xmlChar *text, int n)
{
    struct xsax *x = user;
    size_t kept = 0;

    put_text(x, text, n, true);
    if (!x->depth)
        return;
    char *to = x->queue.p + x->queue.n - n;
    for (int i = 0; i < n; i++) {
        if (text[i] != '\n' || !x->after_cr)
            to[kept++] = text[i] == '\r' ? '\n' : (char)text[i];
        x->after_cr = text[i] == '\r';
    }
    struct waiting w;
    memcpy(&w, to - sizeof w, sizeof w);
    w.text = kept;
    memcpy(to - sizeof w, &w, sizeof w);
    x->queue.n -= (size_t)n - kept;
}

/* libxml2 calls this for every DOCTYPE; entityDecl and its like below show that there is a subset within the document.
 */
static void on_doctype(void *user, const xmlChar *name, const xmlChar *public, const xmlChar *system)
{
    struct xsax *x = user;
    const xmlParserInput *in = x->parser->input;

    (void)name;
    (void)public;
    (void)system;
    const xmlChar *p = in ? in->cur : NULL;
    while (p && p < in->end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    if (p && p < in->end && *p == '[') {
        x->subset = true;
        x->event_line = line_now(x);
        x->lib.xmlStopParser(x->parser);
    }
}

static void on_error(void *user, sax_error e)
{
    struct xsax *x = user;

    /* Namespaces 1.0 asks nobody to check that the name of a namespace is a proper URI. */
    if (e->level < XML_ERR_ERROR || x->saw_error || e->code == XML_WAR_NS_URI)
        return;
    x->saw_error = true;
    x->code = e->code;
    x->line = e->line;
    x->column = e->int2;
    size_t n = e->message ? strcspn(e->message, "\n") : 0;
    n = n < sizeof x->message - 1 ? n : sizeof x->message - 1;
    memcpy(x->message, e->message ? e->message : "", n);
    x->message[n] = '\0';
}

static void quiet(void *user, const char *format, ...)
{
    (void)user;
    (void)format;
}

static xmlParserInputPtr deny(const char *url, const char *id, xmlParserCtxtPtr parser)
{
    (void)url;
    (void)id;
    (void)parser;
    return NULL;
}

struct xsax *xsax_open(struct xscan *s)
{
    static const struct late_library libxml2 = { SONAME, PACKAGE, SAX_FUNCTIONS(LATE_NAME) };
    struct xsax *x = arena_zero(s->arena, sizeof *x);
    struct source *src = s->view.source;
    xmlSAXHandler sax = { .initialized = XML_SAX2_MAGIC,
                          .startElementNs = on_start,
                          .endElementNs = on_end,
                          .characters = on_text,
                          .ignorableWhitespace = on_text,
                          .cdataBlock = on_cdata,
                          .internalSubset = on_doctype,
                          .serror = on_error };

    x->scan = s;
    s->failed = late_load(&libxml2, &x->lib, s->problems);
    if (s->failed)
        return x;
    x->lib.xmlInitParser();
    x->lib.xmlSetExternalEntityLoader(deny);
    x->lib.xmlSetGenericErrorFunc(NULL, quiet);
    x->from = src->base == 0 && src->at - src->buffer <= 3 ? src->buffer : src->at;
    size_t n = (size_t)(src->end - x->from);
    x->parser = x->lib.xmlCreatePushParserCtxt(&sax, x, x->from, n < 4 ? (int)n : 4, NULL);
    if (!x->parser) {
        s->failed = problem_system(s->problems, src->name, "starting libxml2", 12 /* ENOMEM */);
        return x;
    }
    x->from += n < 4 ? n : 4;
    x->lib.xmlCtxtUseOptions(x->parser, XML_PARSE_NONET | XML_PARSE_BIG_LINES);
    x->lib.xmlDictSetLimit(x->parser->dict, 1 << 20);
    s->at = s->end = UINT64_MAX;
    x->undecoded = PLACE_NO_OFFSET;
    return x;
}

void xsax_close(struct xsax *x)
{
    if (x->parser)
        x->lib.xmlFreeParserCtxt(x->parser);
    buf_release(&x->queue);
    buf_release(&x->decoded);
}

static int report(struct xsax *x, const char *code, const char *text)
{
    struct xscan *s = x->scan;

    problem_add(s->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                .code = code,
                                                .text = slice_of(text),
                                                .place = { .file = s->view.source->name,
                                                           .offset = PLACE_NO_OFFSET,
                                                           .line = (uint32_t)(x->line > 0 ? x->line : x->event_line),
                                                           .column = x->column > 0 ? (uint32_t)x->column : 0 } });
    return s->failed = STOP;
}

static int bad_bytes(struct xsax *x)
{
    struct xscan *s = x->scan;

    problem_add(s->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                .code = "XML_ENCODING",
                                                .text = SLICE("the bytes here are not of the encoding that the document declares"),
                                                .place = { .file = s->view.source->name, .offset = x->undecoded } });
    return s->failed = STOP;
}

/* The document is over for libxml2: END when all that it demands of a good one holds (LIBS: the success predicate). */
static int verdict(struct xsax *x)
{
    struct xscan *s = x->scan;

    if (s->view.source->error)
        return s->failed = problem_system(s->problems, s->view.source->name, "reading", s->view.source->error);
    if (x->undecodable)
        return bad_bytes(x);
    if (x->too_deep)
        return report(x, "LIMIT_DEPTH", "elements are nested too deep");
    if (x->too_long)
        return report(x, "LIMIT_TAG", "a tag or comment is too long");
    if (x->subset)
        return report(x, "XML_DTD", "an internal subset of declarations is not accepted");
    if (!x->saw_error && x->parser->wellFormed && x->root_done)     /* nsWellFormed: see on_error */
        return END;
    if (x->code == XML_ERR_UNSUPPORTED_ENCODING || x->code == XML_ERR_INVALID_ENCODING ||
        x->code == XML_ERR_UNKNOWN_ENCODING)
        return report(x, "XML_ENCODING", x->message);
    if (x->ended && s->depth)
        return report(x, "XML_TRUNCATED",
                      arena_printf(s->arena, "the file ends while <%.*s> is still open",
                                   (int)s->open[s->depth - 1].name_n, s->names.p + s->open[s->depth - 1].name_at)
                          .p);
    return report(x, "XML_SYNTAX", x->message[0] ? x->message : "the document is not well-formed");
}

/* It tells nobody when a charset has no character for some bytes: they and all behind them stay undecoded. */
static void note_undecoded(struct xsax *x)
{
    const xmlParserInput *in = x->parser->input;

    if (!in || !in->buf)
        return;
    size_t left = in->buf->encoder && in->buf->raw ? x->lib.xmlBufUse(in->buf->raw) : 0;
    x->undecoded = left ? source_offset(x->scan->view.source, x->from) - left : PLACE_NO_OFFSET;
    x->undecodable = left > UNDECODED_MAX && !x->saw_error;
}

/* Gives libxml2 the next piece; END when there is none or it wants no more. */
static int feed(struct xsax *x)
{
    struct source *src = x->scan->view.source;

    if (x->ended || x->saw_error || x->subset || x->too_deep || x->too_long || x->undecodable)
        return END;
    if (x->from == src->end) {
        src->at = src->end;
        char *keep = src->at;
        x->ended = !source_fill(src, &keep);
        x->from = src->at;
        x->undecodable = x->ended && x->undecoded != PLACE_NO_OFFSET;
        if (x->undecodable)
            return END;
        if (x->ended) {
            x->lib.xmlParseChunk(x->parser, NULL, 0, 1);
            return OK;
        }
    }
    size_t n = (size_t)(src->end - x->from);
    n = n < CHUNK ? n : CHUNK;
    x->lib.xmlParseChunk(x->parser, x->from, (int)n, 0);
    x->from += n;
    note_undecoded(x);
    /* libxml2 compares each attribute with all others once a tag ends: it never gets the end of a long one. */
    x->silent = x->queue.n ? 0 : x->silent + n;
    if (x->silent > UNIT_MAX * x->scan->limits->tag) {
        x->too_long = true;
        x->event_line = line_now(x);
    }
    return OK;
}

uint32_t xsax_line(const struct xsax *x)
{
    return x->event_line > 0 ? (uint32_t)x->event_line : 0;
}

static struct slice take(struct xsax *x, size_t n)
{
    struct slice t = { x->queue.p + x->taken, n };

    x->taken += n;
    return t;
}

/* libxml2 gives every `&` of an attribute as `&#38;`. */
static struct slice undo_ampersand(struct xsax *x, struct slice v, size_t *where)
{
    *where = x->decoded.n;
    for (size_t i = 0; i < v.n; i++) {
        buf_byte(&x->decoded, v.p[i]);
        if (v.p[i] == '&' && v.n - i >= 5 && memcmp(v.p + i, "&#38;", 5) == 0)
            i += 4;
    }
    return (struct slice){ NULL, x->decoded.n - *where };
}

static int start(struct xsax *x, const struct waiting *w)
{
    struct xscan *s = x->scan;

    s->name = take(x, w->name);
    s->prefix = w->prefix;
    s->nattrs = 0;
    buf_room(&x->decoded, 1);
    x->decoded.n = 0;
    struct xopen o = { .name_at = s->names.n, .name_n = w->name, .bindings = s->nbindings, .version = s->version };
    buf_add(&s->names, s->name);
    ARENA_PUSH(s->arena, s->open, s->depth, s->open_cap) = o;
    for (size_t i = 0; i < w->nspaces; i++) {
        struct pair p;
        memcpy(&p, take(x, sizeof p).p, sizeof p);
        struct slice prefix = take(x, p.name), uri = take(x, p.value);
        xscan_bind(s, prefix, uri);
    }
    for (size_t i = 0; i < w->nattrs; i++) {
        struct pair p;
        memcpy(&p, take(x, sizeof p).p, sizeof p);
        struct xattr a = { .prefix = p.prefix, .quote = '"', .at = UINT64_MAX, .spare = true };
        a.name = take(x, p.name);
        a.value = undo_ampersand(x, take(x, p.value), &a.where);
        ARENA_PUSH(s->arena, s->attrs, s->nattrs, s->attr_cap) = a;
    }
    for (size_t i = 0; i < s->nattrs; i++)
        s->attrs[i].value.p = x->decoded.p + s->attrs[i].where;
    if (w->nspaces)
        s->version = ++s->versions;
    if (w->nattrs > s->limits->attributes || w->nspaces > s->limits->namespaces)
        return report(x, w->nspaces > s->limits->namespaces ? "LIMIT_NAMESPACES" : "LIMIT_ATTRIBUTES", "too many attributes in one tag");
    return OK;
}

static int pop_event(struct xsax *x)
{
    struct xscan *s = x->scan;
    struct waiting w;

    memcpy(&w, take(x, sizeof w).p, sizeof w);
    s->event = w.kind;
    s->cdata = w.cdata;
    x->event_line = w.line ? w.line : x->event_line;
    s->empty = false;
    if (w.kind == XEVENT_START)
        return start(x, &w);
    if (w.kind == XEVENT_TEXT) {
        s->text = take(x, w.text);
        return w.text <= s->limits->field ? OK : report(x, "LIMIT_FIELD", "a text is too long");
    }
    s->name = take(x, w.name);
    s->prefix = w.prefix;
    const struct xopen *o = &s->open[--s->depth];
    s->names.n = o->name_at;
    s->nbindings = o->bindings;
    s->version = o->version;
    return OK;
}

int xsax_next(struct xsax *x)
{
    if (x->scan->failed)
        return x->scan->failed;
    for (;;) {
        if (x->taken < x->queue.n)
            return pop_event(x);
        x->queue.n = x->taken = 0;
        if (feed(x) == END)
            return verdict(x);
    }
}
