#include "jsonscan.h"

#include "base/map.h"
#include "jsontext.h"

enum want { WANT_DOCUMENT, WANT_FIRST_NAME, WANT_NAME, WANT_FIRST_ELEMENT, WANT_VALUE, WANT_MORE, WANT_END, WANT_STOP };

enum { FEW_NAMES = 24 };                /* so many are compared one by one */

int jscan_refuse(struct jscan *s, uint64_t at, const char *code, const char *text, const char *hint)
{
    problem_add(s->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                .code = code,
                                                .text = slice_of(text),
                                                .hint = slice_of(hint),
                                                .place = { .file = s->source->name, .offset = at } });
    s->want = WANT_STOP;
    return STOP;
}

static uint64_t here(const struct jscan *s)
{
    return source_offset(s->source, s->source->at);
}

/* More bytes behind the window, those from *token on kept; false at the end of what there is. */
static bool more(struct jscan *s, char **token, char **p)
{
    s->source->at = *p;
    bool came = source_fill(s->source, token);
    *p = s->source->at;
    s->source->at = *token;
    return came;
}

/* The text ends where something must follow, or the window is at its limit. */
static int ended(struct jscan *s, uint64_t at)
{
    if (s->source->error) {
        s->want = WANT_STOP;
        return problem_system(s->problems, s->source->name, "reading", s->source->error);
    }
    if (!s->source->eof)
        return jscan_refuse(s, at, "LIMIT_FIELD", "a text or number is longer than a value may be", NULL);
    const char *what = "the text ends within a value";
    if (s->depth) {
        what = s->open[s->depth - 1].object ? "the text ends within an object" : "the text ends within an array";
        at = s->open[s->depth - 1].at;
    }
    s->recoverable = false;
    return jscan_refuse(s, at, "JSON_TRUNCATED", what, "it begins here and is never closed");
}

/* Passes over white space: the byte that follows; -1 at the end of the data, -2 for the end of a line that may not be
 * there. */
static int blanks(struct jscan *s)
{
    for (;;) {
        char *p = s->source->at, *end = s->source->end;
        for (; p < end; p++) {
            if ((unsigned char)*p > ' ')
                break;
            if (*p == '\n' && s->lines && s->want != WANT_DOCUMENT)
                break;
            if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
                break;
        }
        s->source->at = p;
        if (p < end)
            return *p == '\n' ? -2 : (unsigned char)*p;
        if (!source_fill(s->source, NULL))
            return -1;
    }
}

/* ---- texts ---- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The first byte from p on that is a quotation mark, a backslash or a control character; *high collects the top
   bits. */
static char *special(char *p, const char *end, uint64_t *high)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ EACH('"'), slash = w ^ EACH('\\');
        uint64_t found = (((quote - EACH(1)) & ~quote) | ((slash - EACH(1)) & ~slash)
                          | ((w - EACH(' ')) & ~w)) & EACH(0x80);
        if (found)
            break;
        *high |= w & EACH(0x80);
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= ' ')
        *high |= (unsigned char)*p++ & 0x80;
    return p;
}

static int bad_utf8(struct jscan *s, uint64_t at)
{
    return jscan_refuse(s, at, "JSON_ENCODING", "here the text is not UTF-8",
            "JSON is always UTF-8 (RFC 8259, 8.1); convert the file before");
}

/* The token [from, to) of the window becomes the text: escapes are resolved, UTF-8 is checked. */
static int take_text(struct jscan *s, const char *from, const char *to, bool high)
{
    struct slice raw = slice_range(from, to);
    if (high) {
        size_t good = utf8_valid(raw);
        if (good < raw.n)
            return bad_utf8(s, s->at + 1 + good);
    }
    s->text = raw;
    if (!s->escaped)
        return OK;
    size_t at = 0;
    const char *hint, *wrong;
    s->decoded.n = 0;
    wrong = jtext_decode(raw, &s->decoded, &at, &hint);
    if (wrong)
        return jscan_refuse(s, s->at + 1 + at, "JSON_ESCAPE", wrong, hint);
    s->text = buf_slice(&s->decoded);
    return OK;
}

static int too_long(struct jscan *s)
{
    const char *text = arena_printf(s->problems->arena, "a text or number of more than %llu bytes",
            (unsigned long long)s->max).p;
    return jscan_refuse(s, s->at, "LIMIT_FIELD", text, NULL);
}

/* A text or name, its opening quotation mark at hand. */
static int string(struct jscan *s)
{
    struct source *src = s->source;
    char *token = src->at, *p = token + 1;
    uint64_t high = 0;

    s->at = here(s);
    s->escaped = false;
    for (;;) {
        p = special(p, src->end, &high);
        if (p < src->end && *p == '"')
            break;
        if ((uint64_t)(p - token) > s->max)
            return too_long(s);
        if (p + (p < src->end && *p == '\\') >= src->end) {
            if (!more(s, &token, &p))
                return ended(s, s->at);
        } else if (*p == '\\') {
            s->escaped = true;
            p += 2;
        } else {
            s->recoverable = true;
            const char *hint = *p == '\n' || *p == '\r'
                    ? "a line break in a text is spelled \\n; or a quotation mark is missing"
                                                        : "spell it as an escape, such as \\t or \\u0001";
            return jscan_refuse(s, source_offset(src, p), "JSON_CONTROL", "a control character stands in a text", hint);
        }
    }
    if ((uint64_t)(p - token) > s->max + 1)
        return too_long(s);
    s->end = source_offset(src, p) + 1;
    src->at = p + 1;
    return take_text(s, token + 1, p, high != 0);
}

/* ---- names of an object stand once ---- */

static int twice(struct jscan *s, uint64_t first)
{
    struct problem there = { .place = { .file = s->source->name, .offset = first } };
    struct arena *a = s->problems->arena;

    if (s->problems->locate)
        s->problems->locate(s->problems->locate_owner, &there, a);
    struct slice where = there.place.line ? arena_printf(a, "the first one stands in line %u, column %u",
            there.place.line, there.place.column)
                                          : arena_printf(a, "the first one stands at byte %llu",
                                                  (unsigned long long)first);
    problem_add(s->problems, &(struct problem){ .severity = PROBLEM_ERROR,
                                                .code = "JSON_KEY_TWICE",
                                                .text = SLICE("stands twice in this object"),
                                                .value = s->text,
                                                .hint = where,
                                                .place = { .file = s->source->name, .offset = s->at } });
    s->want = WANT_STOP;
    return STOP;
}

static uint32_t *slot_of(const struct jscan *s, const struct jlevel *l, uint64_t print)
{
    uint32_t *table = (uint32_t *)(void *)(s->tables.p + l->table_at);
    size_t i = print & (l->slots - 1);

    while (table[i] && s->names[l->names + table[i] - 1].print != print)
        i = (i + 1) & (l->slots - 1);
    return &table[i];
}

/* A larger table for the names of the innermost object. */
static void rehash(struct jscan *s, struct jlevel *l)
{
    size_t n = s->nnames - l->names, slots = l->slots ? l->slots * 2 : 128;

    if (!l->slots)
        l->table_at = s->tables.n;
    s->tables.n = l->table_at;
    memset(buf_room(&s->tables, slots * sizeof(uint32_t)), 0, slots * sizeof(uint32_t));
    s->tables.n += slots * sizeof(uint32_t);
    l->slots = slots;
    for (size_t i = 0; i < n; i++)
        *slot_of(s, l, s->names[l->names + i].print) = (uint32_t)i + 1;
}

/* A keyed fingerprint of 64 bits,
        one multiplication for eight bytes: SipHash took a fifth of the time of reading.  Names
   of one length up to eight bytes never share one; two longer ones by chance are not to be expected. */
static uint64_t print_of(const struct jscan *s, struct slice name)
{
    uint64_t h = name.n * EACH(0x9D), word;
    const char *p = name.p;
    size_t left = name.n;

    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * s->seed;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, left);
    h = (h ^ word) * s->seed;
    return h ^ h >> 32;
}

static int add_name(struct jscan *s)
{
    struct jlevel *l = &s->open[s->depth - 1];
    size_t n = s->nnames - l->names;
    uint64_t print = print_of(s, s->text);
    uint32_t *slot = NULL;

    if (n < FEW_NAMES) {
        for (size_t i = l->names; i < s->nnames; i++)
            if (s->names[i].print == print)
                return twice(s, s->names[i].at);
    } else {
        if (n * 2 >= l->slots)
            rehash(s, l);
        slot = slot_of(s, l, print);
        if (*slot)
            return twice(s, s->names[l->names + *slot - 1].at);
        *slot = (uint32_t)n + 1;
    }
    s->name_buf.n = s->nnames * sizeof *s->names;
    buf_room(&s->name_buf, sizeof *s->names);
    s->names = (struct jname *)(void *)s->name_buf.p;
    s->names[s->nnames++] = (struct jname){ .print = print, .at = s->at };
    return OK;
}

/* ---- values ---- */

static bool ends_token(int c)
{
    return c == ',' || c == ']' || c == '}' || c <= ' ' || c == ':' || c == '"' || c == '/';
}

/* A number or word from the byte at hand on, up to what cannot belong to it; the last token of a text may end with
   it. */
static int bare(struct jscan *s)
{
    struct source *src = s->source;
    char *token = src->at, *p = token;

    s->at = here(s);
    for (;;) {
        while (p < src->end && !ends_token((unsigned char)*p))
            p++;
        if ((uint64_t)(p - token) > s->max)
            return too_long(s);
        if (p < src->end || !more(s, &token, &p))
            break;
    }
    if (src->error || (p == src->end && !src->eof))
        return ended(s, s->at);
    s->text = slice_range(token, p);
    s->end = s->at + s->text.n;
    src->at = p;
    s->escaped = false;
    return OK;
}

static int word(struct jscan *s)
{
    int rc = bare(s);
    if (rc != OK)
        return rc;
    if (slice_is(s->text, "true"))
        s->event = JEVENT_TRUE;
    else if (slice_is(s->text, "false"))
        s->event = JEVENT_FALSE;
    else if (slice_is(s->text, "null"))
        s->event = JEVENT_NULL;
    else
        return jscan_refuse(s, s->at, "JSON_SYNTAX", "this is no value of JSON", jtext_word_hint(s->text));
    return OK;
}

static int number(struct jscan *s)
{
    int rc = bare(s);
    if (rc != OK)
        return rc;
    s->event = JEVENT_NUMBER;
    const char *hint = jtext_number_hint(s->text);
    if (!hint)
        return OK;
    if (s->source->eof && s->source->at == s->source->end && s->depth)
        return ended(s, s->at);
    return jscan_refuse(s, s->at, "JSON_NUMBER", "this is no number of JSON", hint);
}

static int open_level(struct jscan *s, bool object)
{
    s->at = here(s);
    if (s->depth >= s->limits->depth) {
        const char *text = arena_printf(s->problems->arena, "objects and arrays are nested more than %llu deep",
                                        (unsigned long long)s->limits->depth).p;
        return jscan_refuse(s, s->at, "LIMIT_DEPTH", text, NULL);
    }
    s->end = s->at + 1;
    s->source->at++;
    s->open[s->depth++] = (struct jlevel){ .at = s->at, .names = s->nnames, .object = object };
    s->event = object ? JEVENT_OBJECT : JEVENT_ARRAY;
    s->want = object ? WANT_FIRST_NAME : WANT_FIRST_ELEMENT;
    return OK;
}

static int close_level(struct jscan *s)
{
    const struct jlevel *l = &s->open[--s->depth];

    s->at = here(s);
    s->end = s->at + 1;
    s->source->at++;
    s->nnames = l->names;
    if (l->slots)
        s->tables.n = l->table_at;
    s->event = JEVENT_CLOSE;
    s->want = s->depth ? WANT_MORE : WANT_END;
    return OK;
}

static int value(struct jscan *s, int c)
{
    int rc;

    s->values++;
    if (c == '{' || c == '[')
        return open_level(s, c == '{');
    if (c == '"') {
        rc = string(s);
        s->event = JEVENT_STRING;
    } else if ((c >= '0' && c <= '9') || c == '-') {
        rc = number(s);
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        rc = word(s);
    } else {
        const char *hint, *text = jtext_no_value(c, &hint);
        return jscan_refuse(s, here(s), "JSON_SYNTAX", text, hint);
    }
    if (rc == OK)
        s->want = s->depth ? WANT_MORE : WANT_END;
    return rc;
}

static int name(struct jscan *s, int c)
{
    if (c != '"') {
        const char *hint, *text = jtext_no_name(c, &hint);
        return jscan_refuse(s, here(s), "JSON_SYNTAX", text, hint);
    }
    uint64_t max = s->max;
    s->max = s->limits->field;
    int rc = string(s);
    s->max = max;
    if (rc == OK)
        rc = add_name(s);
    if (rc != OK)
        return rc;
    s->event = JEVENT_NAME;
    uint64_t at = s->at;
    if (s->source->at < s->source->end && *s->source->at == ':') {
        s->source->at++;
    } else {
        if (!s->escaped) {                      /* the window may move when the colon is looked for */
            s->decoded.n = 0;
            buf_add(&s->decoded, s->text);
            s->text = buf_slice(&s->decoded);
        }
        c = blanks(s);
        if (c == -1)
            return ended(s, at);
        if (c != ':')
            return jscan_refuse(s, here(s), "JSON_SYNTAX", "a `:` is missing behind this member's name",
                    "\"name\": value");
        s->source->at++;
    }
    s->want = WANT_VALUE;
    return OK;
}

/* What follows a value within an object or array. */
static int after_value(struct jscan *s, int c)
{
    bool object = s->open[s->depth - 1].object;

    if (c == (object ? '}' : ']'))
        return close_level(s);
    if (c != ',') {
        const char *hint, *text = jtext_no_comma(c, object, &hint);
        return jscan_refuse(s, here(s), "JSON_SYNTAX", text, hint);
    }
    uint64_t comma = here(s);
    s->source->at++;
    s->want = object ? WANT_NAME : WANT_VALUE;
    c = blanks(s);
    if (c == '}' || c == ']')
        return jscan_refuse(s, comma, "JSON_SYNTAX", "a comma stands before the closing bracket",
                "take out the comma behind the last value");
    return c < 0 ? c : object ? name(s, c) : value(s, c);
}

/* ---- documents ---- */

static int begin(struct jscan *s)
{
    enum charset bom;

    s->begun = true;
    while (s->source->end - s->source->at < 4 && source_fill(s->source, NULL))
        ;
    struct slice head = slice_range(s->source->at, s->source->end);
    size_t skip = charset_bom(head, &bom);
    bool wide = (skip && bom != CHARSET_UTF_8) || (head.n >= 2 && (!head.p[0] || !head.p[1]));
    s->source->charset = CHARSET_UTF_8;
    if (wide)
        return jscan_refuse(s, here(s), "JSON_ENCODING", "the file is UTF-16 or UTF-32",
                "JSON is always UTF-8 (RFC 8259, 8.1); convert the file before");
    s->source->at += skip;
    return OK;
}

static int at_end(struct jscan *s)
{
    if (s->source->error)
        return ended(s, here(s));
    if (s->documents || s->lines)
        return END;
    return jscan_refuse(s, here(s), "JSON_EMPTY", "the file holds no JSON value", "an empty list is spelled []");
}

static int broken_line(struct jscan *s)
{
    s->recoverable = true;
    const char *text = s->depth ? "the line ends before its document does" : "the line ends within a value";
    return jscan_refuse(s, s->depth ? s->open[s->depth - 1].at : here(s), "JSON_LINE", text,
                        "with `syntax json lines` each document stands on one line; "
                        "leave out `lines` for one document over many");
}

/* Behind the end of a document stands more, at hand. */
static int more_on_line(struct jscan *s)
{
    return jscan_refuse(s, here(s), "JSON_AFTER", "something follows the end of the document",
                        s->lines ? "each document on a line of its own"
                                : "for one document per line say `syntax json lines`");
}

/* Between documents: END, or the first byte of the next one in *c. */
static int next_document(struct jscan *s, int *c)
{
    if (s->want == WANT_END) {
        bool lines = s->lines;
        s->lines |= s->either;
        *c = blanks(s);
        s->lines = lines;
        if (*c == -1)
            return at_end(s);
        if (*c != -2 || !(lines || s->either))
            return more_on_line(s);
    }
    s->want = WANT_DOCUMENT;
    s->recoverable = false;
    *c = blanks(s);
    if (*c == -1)
        return at_end(s);
    s->documents++;
    s->document_at = here(s);
    return OK;
}

int jscan_next(struct jscan *s)
{
    int c, rc = OK;

    if (s->want == WANT_STOP)
        return STOP;
    if (!s->begun && (rc = begin(s)) != OK)
        return rc;
    if (s->want == WANT_DOCUMENT || s->want == WANT_END) {
        rc = next_document(s, &c);
        if (rc != OK)
            return rc;
        s->want = WANT_VALUE;
    } else {
        c = s->source->at < s->source->end ? (unsigned char)*s->source->at : 0;
        if (c <= ' ')
            c = blanks(s);
    }
    s->recoverable = s->lines;
    switch (c < 0 ? WANT_STOP : s->want) {
    case WANT_FIRST_NAME: rc = c == '}' ? close_level(s) : name(s, c); break;
    case WANT_NAME: rc = name(s, c); break;
    case WANT_FIRST_ELEMENT: rc = c == ']' ? close_level(s) : value(s, c); break;
    case WANT_VALUE: rc = value(s, c); break;
    case WANT_MORE: rc = after_value(s, c); break;
    default: rc = c; break;
    }
    if (rc == -1)
        return ended(s, here(s));
    return rc == -2 ? broken_line(s) : rc;
}

int jscan_line_end(struct jscan *s, uint64_t *end)
{
    int c = blanks(s);

    *end = here(s);
    if (c >= 0)
        return more_on_line(s);
    if (c == -2) {
        s->source->at++;
        s->want = WANT_DOCUMENT;
        *end = here(s);
    }
    return OK;
}

bool jscan_resync(struct jscan *s)
{
    s->depth = s->nnames = 0;
    s->tables.n = 0;
    s->want = WANT_DOCUMENT;
    for (;;) {
        char *p = s->source->at < s->source->end ? memchr(s->source->at, '\n', (size_t)(s->source->end - s->source->at))
                : NULL;
        s->source->at = p ? p + 1 : s->source->end;
        if (p)
            return true;
        if (!source_fill(s->source, NULL))
            return false;
    }
}

void jscan_open(struct jscan *s, struct source *source, const struct limits *limits, bool lines, struct arena *a,
                struct problems *ps)
{
    *s = (struct jscan){ .source = source, .limits = limits, .problems = ps, .lines = lines, .max = limits->field };
    s->seed = map_hash(SLICE("names of an object")) | 1;
    s->open = arena_alloc(a, (limits->depth + 1) * sizeof *s->open);
}

void jscan_close(struct jscan *s)
{
    buf_release(&s->tables);
    buf_release(&s->name_buf);
    buf_release(&s->decoded);
}
