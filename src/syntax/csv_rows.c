#include "syntax/csv.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { ROW_DONE, ROW_MORE };
enum { CELLS_FIRST = 256, HOPELESS = 4 /* times the longest field: no end is looked for further on */ };

/* --- one block of bytes ----------------------------------------------------------------------- */

/* One bit per byte of 64: delimiters, bytes at which the plain scan stops (line ends, quote, NUL), bytes beyond
 * ASCII. */
struct block {
    uint64_t delimiter, stop, high;
};

struct marks {
    unsigned char delimiter, quote; /* what a dialect does not have is set to LF */
};

#if defined(__SSE2__)
static inline struct block block_at(const char *p, struct marks m)
{
    const __m128i delimiter = _mm_set1_epi8((char)m.delimiter), quote = _mm_set1_epi8((char)m.quote);
    const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r'), nul = _mm_setzero_si128();
    struct block b = { 0, 0, 0 };
    for (int i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr)),
                                    _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, nul)));
        b.delimiter |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, delimiter)) << (16 * i);
        b.stop |= (uint64_t)(uint32_t)_mm_movemask_epi8(stop) << (16 * i);
        b.high |= (uint64_t)(uint32_t)_mm_movemask_epi8(x) << (16 * i);
    }
    return b;
}
#endif

/* The same for fewer than 64 bytes, and for machines without SSE2. */
static struct block block_part(const char *p, size_t n, struct marks m)
{
    struct block b = { 0, 0, 0 };
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        uint64_t bit = (uint64_t)1 << i;
        b.delimiter |= c == m.delimiter ? bit : 0;
        b.stop |= c == '\n' || c == '\r' || c == m.quote || c == 0 ? bit : 0;
        b.high |= c >= 0x80 ? bit : 0;
    }
    return b;
}

/* --- the plain scan --------------------------------------------------------------------------- */

static bool cells_grow(struct rows *w)
{
    if (w->cap >= w->limits->columns)
        return false;
    size_t cap = w->cap * 2 < w->limits->columns ? w->cap * 2 : w->limits->columns;
    uint32_t *ends = arena_alloc(w->arena, (cap + 64) * sizeof *ends),
             *before = arena_alloc(w->arena, (cap + 64) * sizeof *before);
    memcpy(ends, w->ends, w->cap * sizeof *ends);
    memcpy(before, w->before_ends, w->cap * sizeof *before);
    w->ends = ends;
    w->before_ends = before;
    w->cap = cap;
    return true;
}

/*
 * Are the characters beyond ASCII of a block, at the bits of `high`, well-formed?  Knows those of two bytes (Unicode
 * 15, table 3-7: C2..DF 80..BF) that lie in the block; false = utf8_valid() must say.
 */
static inline bool plain_utf8(const char *p, uint64_t high)
{
    while (high) {
        unsigned i = (unsigned)__builtin_ctzll(high);
        unsigned char c = (unsigned char)p[i];
        if (i == 63 || !(high >> (i + 1) & 1) || c < 0xc2 || c > 0xdf || (unsigned char)p[i + 1] > 0xbf)
            return false;
        high &= high - 1;
        high &= high - 1;
    }
    return true;
}

/* Splits [from, end) at delimiters up to the first byte that ends a plain row; returns that byte, or `end`.  NULL:
 * too many cells. */
static const char *split(struct rows *w, const char *row, const char *from, const char *end)
{
    struct marks m = { w->d.split ? w->d.delimiter : '\n', w->d.quoting ? w->d.quote : '\n' };
    size_t n = w->n;
    const char *stop = end;
    for (const char *p = from; p < end; p += 64) {
#if defined(__SSE2__)
        struct block b = end - p >= 64 ? block_at(p, m) : block_part(p, (size_t)(end - p), m);
#else
        struct block b = block_part(p, end - p >= 64 ? 64 : (size_t)(end - p), m);
#endif
        uint64_t before = b.stop ? (b.stop & (0 - b.stop)) - 1 : ~(uint64_t)0;
        uint64_t cells = b.delimiter & before, high = b.high & before;
        uint32_t base = (uint32_t)(p - row);
        if (high) {
            w->high = true;
            w->doubtful |= !plain_utf8(p, high);
        }
        while (n + 64 > w->cap && n + (size_t)__builtin_popcountll(cells) >= w->cap)
            if (!cells_grow(w))
                return NULL;
        for (; cells; cells &= cells - 1)
            w->ends[n++] = base + (uint32_t)__builtin_ctzll(cells);
        if (b.stop) {
            stop = p + __builtin_ctzll(b.stop);
            break;
        }
    }
    w->n = n;
    return stop;
}

/* --- the end of a row ------------------------------------------------------------------------- */

static uint64_t units(const char *p, const char *end)
{
    uint64_t n = 0;
    for (; p < end; p++)            /* each character is one unit, those of four bytes are two */
        n += ((unsigned char)*p & 0xc0) != 0x80 ? 1 + ((unsigned char)*p >= 0xf0) : 0;
    return n;
}

/* Place in the file of any byte of the window; of decoded text only bytes behind the last place asked for a row. */
static uint64_t place_of(const struct rows *w, const char *p)
{
    return w->text == w->file ? source_offset(w->file, p) : w->units_at + 2 * units(w->units_from, p);
}

uint64_t rows_place(struct rows *w, const char *p)
{
    if (w->text == w->file)
        return w->at + (uint64_t)(p - w->p);
    if (w->asked_row != w->at || p < w->asked) {    /* cells are asked for from left to right */
        w->asked_row = w->asked_at = w->at;
        w->asked = w->p;
    }
    w->asked_at += 2 * units(w->asked, p);
    w->asked = p;
    return w->asked_at;
}

uint64_t rows_here(const struct rows *w)
{
    return place_of(w, w->text->at);
}

static void fault_set(struct rows *w, const char *code, int rc, const char *at, const char *text, const char *hint)
{
    w->fault = (struct row_fault){ .code = code, .rc = rc, .at = place_of(w, at), .text = text, .hint = hint };
}

/* The row ends before `stop`, a line end or the end of the data; false: it cannot be told yet. */
static bool row_end(struct rows *w, const char *row, const char *stop)
{
    const char *end = w->text->end, *next = stop;
    if (stop < end && *stop == '\n')
        next = stop + 1;
    else if (stop < end && stop + 1 == end && !w->text->eof)
        return false;
    else if (stop < end)
        next = stop + 1 + (stop + 1 < end && stop[1] == '\n');
    if (!w->newline.n && next > stop)
        w->newline = next - stop == 2 ? SLICE("\r\n") : *stop == '\n' ? SLICE("\n") : SLICE("\r");
    w->p = w->asked = row;
    w->len = (size_t)(stop - row);
    w->at = w->asked_at = w->asked_row = place_of(w, row);
    w->end = w->text == w->file ? w->at + (uint64_t)(next - row) : w->at + 2 * units(row, next);
    w->text->at = (char *)(uintptr_t)next;
    if (w->text != w->file) {
        w->units_at = w->end;
        w->units_from = next;
    }
    return true;
}

static const char *line_stop(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

/* A row with a fault goes up to the end of the physical line; what was split so far stays. */
static int row_spoilt(struct rows *w, const char *row, const char *from)
{
    const char *stop = line_stop(from, w->text->end);
    if ((stop == w->text->end && !w->text->eof) || !row_end(w, row, stop))
        return ROW_MORE;
    return ROW_DONE;
}

/* --- quoted cells ----------------------------------------------------------------------------- */

/* The closing quote of the cell that is opened at `open`; NULL: not in the window. */
static const char *closing(const struct rows *w, const char *open)
{
    const char *end = w->text->end, *p = open + 1;
    while ((p = memchr(p, w->d.quote, (size_t)(end - p))) != NULL) {
        if (p + 1 == end)
            return w->text->eof ? p : NULL;
        if ((unsigned char)p[1] != w->d.quote)
            return p;
        p += 2;
    }
    return NULL;
}

static bool row_quote(struct rows *w, const char *row, const char *open, const char **next)
{
    size_t start = cell_start(w->ends, w->n);
    w->quoted = w->high = true;
    if (open != row + start) {
        fault_set(w, "CSV_STRAY_QUOTE", SKIP, open, "a quote stands inside a text that does not begin with one",
                  "quote the whole text and double the quotes in it");
        *next = open;
        return true;
    }
    const char *close = closing(w, open);
    if (!close && w->text->eof) {
        fault_set(w, "CSV_QUOTE", STOP, open, "this quote is never closed",
                  "the text ends with a quote before the next delimiter");
        *next = w->text->end;
        return true;
    }
    if (!close)
        return false;
    *next = close + 1;
    if (*next == w->text->end && !w->text->eof)
        return false;
    const char *nul = memchr(open, 0, (size_t)(close - open));
    if (nul) {
        fault_set(w, "CSV_NUL", SKIP, nul, "a NUL byte is no text",
                  "the file is damaged, or UTF-16 without byte order mark");
        *next = nul;
        return true;
    }
    w->doubtful = w->doubtful || utf8_valid(slice_range(open, close)) != (size_t)(close - open);
    bool ends = *next == w->text->end || **next == '\n' || **next == '\r'
                || (w->d.split && (unsigned char)**next == w->d.delimiter);
    if (!ends)
        fault_set(w, "CSV_STRAY_QUOTE", SKIP, *next, "text stands behind a closing quote",
                  "a quote inside a quoted text is doubled");
    return true;
}

/* --- what holds for the row as a whole -------------------------------------------------------- */

static size_t decodes(struct rows *w, enum charset c, struct slice part)
{
    bool unfinished = false;
    w->decoding.n = 0;
    return charset_decode(c, part, &w->decoding, &unfinished);
}

/* What the part seems to be instead; bad rows of a file are mostly bad for one reason, and to guess takes long. */
static enum charset likely_charset(struct rows *w, struct slice part)
{
    enum charset guess[4];
    if (w->likely != CHARSET_UNKNOWN && decodes(w, w->likely, part) == part.n)
        return w->likely;
    size_t n = charset_guess(part, guess, 4);
    w->likely = CHARSET_UNKNOWN;
    for (size_t i = 0; i < n && w->likely == CHARSET_UNKNOWN; i++)
        if (guess[i] != w->d.charset)
            w->likely = guess[i];
    return w->likely;
}

static void check_charset(struct rows *w, size_t from)
{
    struct slice part = { w->p + from, w->len - from };
    bool utf8 = w->text != w->file || w->d.charset == CHARSET_UTF_8 || w->d.charset == CHARSET_UNKNOWN;
    size_t good = utf8 ? utf8_valid(part) : decodes(w, w->d.charset, part);
    if (good == part.n)
        return;
    w->fault = (struct row_fault){ .code = "ENCODING_BAD", .rc = SKIP, .at = rows_place(w, part.p + good),
                                   .byte = (unsigned char)part.p[good], .charset = w->d.charset,
                                   .likely = likely_charset(w, part) };
}

static void check_fields(struct rows *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (rows_raw(w, i).n <= w->limits->field)
            continue;
        w->fault =
            (struct row_fault){ .code = "LIMIT_FIELD",
                                .rc = SKIP,
                                .at = rows_place(w, rows_raw(w, i).p),
                                .text = "this text is longer than a field may be",
                                .hint =
                                    "is a delimiter or a line end missing? `limit field` in site.conf allows more" };
        return;
    }
}

/* `from`: what is not repeated of the row before; `first` … `behind`: cells from the first quoted one to the last. */
static void check_row(struct rows *w, size_t from, size_t first, size_t behind)
{
    bool utf8 = w->text != w->file || w->d.charset == CHARSET_UTF_8;
    if (utf8 ? w->doubtful : w->high)
        check_charset(w, from);
    if (!w->fault.code && w->len > w->limits->field)
        check_fields(w);
    if (w->fault.code || first == behind)
        return;
    if (!w->authority)
        w->authority = authority_new(w->arena, w->d.split ? w->d.delimiter : '\n', w->d.quote);
    if (!authority_agrees(w->authority, w, first, behind))
        w->fault = (struct row_fault){ .code = "CSV_STRAY_QUOTE",
                                       .rc = SKIP,
                                       .at = w->at,
                                       .text = "the quotes of this row can be read in more than one way" };
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Splits the row that begins at `row` as far as the window holds it. */
static int attempt(struct rows *w, const char *row, size_t prefix, size_t cells)
{
    const char *end = w->text->end;
    w->fault.code = NULL;
    w->repeated = prefix && (size_t)(end - row) > prefix && memcmp(row, w->before, prefix) == 0;
    const char *from = row;
    w->n = 0;
    w->high = w->doubtful = false;
    size_t first = 0, behind = 0;               /* cells from the first quoted one to the last */
    if (w->repeated) {
        memcpy(w->ends, w->before_ends, cells * sizeof *w->ends);
        w->n = cells;
        from = row + prefix;
    }
    for (const char *p = from;;) {
        const char *stop = split(w, row, p, end);
        if (!stop) {
            fault_set(w, "LIMIT_COLUMNS", SKIP, row, "this row has more columns than a row may have", NULL);
            return row_spoilt(w, row, p);
        }
        if (stop < end && w->d.quoting && (unsigned char)*stop == w->d.quote) {
            first = behind ? first : w->n;
            behind = w->n + 1;
            if (!row_quote(w, row, stop, &p))
                return ROW_MORE;
            if (w->fault.code)
                return row_spoilt(w, row, p);
            continue;
        }
        if (stop < end && *stop == 0) {
            fault_set(w, "CSV_NUL", SKIP, stop, "a NUL byte is no text",
                      "the file is damaged, or UTF-16 without byte order mark");
            return row_spoilt(w, row, stop);
        }
        if ((stop == end && !w->text->eof) || !row_end(w, row, stop))
            return ROW_MORE;
        w->ends[w->n++] = (uint32_t)(stop - row);
        if (!w->trusting && (w->high || behind || w->len > w->limits->field))
            check_row(w, (size_t)(from - row), first, behind);
        return ROW_DONE;
    }
}

/* Reads on behind the window; what points to bytes ahead of `row` is told before they go. */
static bool more(struct rows *w, char **row)
{
    struct source *s = w->text;
    if (w->leave && *row > s->buffer)
        w->leave(w->owner, s->buffer, *row);
    if (w->before && w->before >= s->buffer && w->before < s->end) {
        w->kept.n = 0;
        buf_add(&w->kept, (struct slice){ w->before, w->before_len });
        w->before = w->kept.p ? w->kept.p : "";
    }
    w->p = NULL;
    if (w->text != w->file) {
        w->units_at += 2 * units(w->units_from, *row);
        w->units_from = *row;
    }
    s->at = *row;
    bool came = source_fill(s, row);
    w->units_from = *row;
    return came;
}

static int out_of_data(struct rows *w, const char *row)
{
    if (w->file->error) {
        w->fault = (struct row_fault){ .code = "SYS_IO", .rc = TEMP, .at = place_of(w, row), .text = "reading failed" };
        return TEMP;
    }
    if (w->fault.code) {            /* known to be bad, and no end in sight */
        w->fault.rc = STOP;
        return STOP;
    }
    size_t start = cell_start(w->ends, w->n);
    bool field = (size_t)(w->text->end - row) - start > w->limits->field;
    if (field && w->quoted && w->d.quoting && (unsigned char)row[start] == w->d.quote)
        fault_set(w, "CSV_QUOTE", STOP, row + start, "this quote is not closed as far as a field may reach",
                  "the text ends with a quote before the next delimiter");
    else if (field)
        fault_set(w, "LIMIT_FIELD", STOP, row + start, "this text is longer than a field may be",
                  "is a delimiter or a line end missing? `limit field` in site.conf allows more");
    else
        fault_set(w, "LIMIT_ROW", STOP, row, "this row is longer than a row may be",
                  "are the line ends of the file others? `limit row` in site.conf allows more");
    return STOP;
}

/* The cell that has no end yet is so long that its row cannot be used: memory is not spent on looking for the end. */
static bool hopeless(const struct rows *w, const char *row)
{
    return (size_t)(w->text->end - row) - cell_start(w->ends, w->n) > HOPELESS * w->limits->field;
}

static bool at_line_end(const struct source *s, const char *p)
{
    return *p == '\n'
           || (*p == '\r' && (p + 1 < s->end || s->eof)); /* a CR at the end of the window may be half of a CRLF */
}

/* Steps over empty lines (they are rows where a line is one field); false at the end of the data. */
static bool find_row(struct rows *w, char **row)
{
    struct source *s = w->text;
    for (;;) {
        while (*row < s->end && w->d.split && at_line_end(s, *row))
            (*row)++;
        if (*row < s->end && (**row != '\r' || !w->d.split))
            return true;
        if (s->eof || (!more(w, row) && !s->eof))
            return false;
    }
}

int rows_next(struct rows *w, size_t prefix, size_t cells)
{
    uint32_t *spare = w->before_ends;
    w->before = w->p;
    w->before_ends = w->ends;
    w->before_n = w->n;
    w->before_len = w->len;
    w->ends = spare;
    w->quoted = false;
    char *row = w->text->at;
    bool found = find_row(w, &row);
    if (!w->before)
        prefix = 0;
    if (w->text != w->file) {
        w->units_at += 2 * units(w->units_from, row);
        w->units_from = row;
    }
    while (found && attempt(w, row, w->before ? prefix : 0, cells) != ROW_DONE)
        if (hopeless(w, row) || (!more(w, &row) && !w->text->eof))
            return out_of_data(w, row);
    if (w->broken.code && (!found || w->text->at == w->text->end)) {
        w->fault = w->broken;
        return STOP;
    }
    if (!found)
        return w->file->error ? out_of_data(w, row) : END;
    return w->fault.code && w->fault.rc >= STOP ? w->fault.rc : OK;
}

bool rows_sep(struct rows *w)
{
    char *row = w->text->at;
    if (row == w->text->end)
        more(w, &row);
    const char *p = w->text->at, *end = w->text->end;
    if (end - p < 5 || memcmp(p, "sep=", 4) != 0 || p[4] == '\n' || p[4] == '\r')
        return false;
    const char *stop = p + 5;
    if (stop < end && *stop != '\n' && *stop != '\r')
        return false;
    w->d.delimiter = (unsigned char)p[4];
    w->d.split = true;
    while (stop < end && (*stop == '\n' || *stop == '\r'))
        stop++;
    if (w->text != w->file)
        w->units_at += 2 * units(w->units_from, stop);
    w->units_from = stop;
    w->text->at = (char *)(uintptr_t)stop;
    return true;
}

/* --- cells ------------------------------------------------------------------------------------ */

static struct slice undouble(struct slice inner, char quote, struct arena *a)
{
    char *to = arena_alloc(a, inner.n ? inner.n : 1), *out = to;
    for (size_t i = 0; i < inner.n; i++) {
        *out++ = inner.p[i];
        if (inner.p[i] == quote)
            i++;
    }
    return slice_range(to, out);
}

struct slice rows_text(struct rows *w, size_t i, struct arena *a)
{
    struct slice raw = rows_raw(w, i);
    if (w->d.quoting && raw.n >= 2 && (unsigned char)raw.p[0] == w->d.quote) {
        raw = (struct slice){ raw.p + 1, raw.n - 2 };
        if (memchr(raw.p, w->d.quote, raw.n))
            raw = undouble(raw, (char)w->d.quote, a);
    }
    if (w->text != w->file || w->d.charset == CHARSET_UTF_8 || !w->high)
        return raw;
    bool unfinished = false;
    w->decoding.n = 0;
    charset_decode(w->d.charset, raw, &w->decoding, &unfinished);
    return arena_copy(a, buf_slice(&w->decoding));
}

/* What the row itself does not say as it is: a file may have millions of them. */
static void spell_fault(const struct row_fault *f, struct buf *text, struct buf *hint)
{
    if (f->expected)
        buf_printf(text, "the row has %zu column%s, %zu are expected", f->found, f->found == 1 ? "" : "s", f->expected);
    else if (!f->text)
        buf_printf(text, "byte 0x%02X is not valid %s here", f->byte, charset_name(f->charset));
    else
        buf_text(text, f->text);
    if (f->likely != CHARSET_UNKNOWN)
        buf_printf(hint, "%s would decode this row: is `encoding` in the format right?", charset_name(f->likely));
    else
        buf_text(hint, f->hint ? f->hint : "");
}

int rows_problem(const struct row_fault *f, uint64_t message, struct problems *ps)
{
    struct buf text = { 0 }, hint = { 0 };
    spell_fault(f, &text, &hint);
    struct place place = { .offset = f->line ? PLACE_NO_OFFSET : f->at, .line = f->line, .column = f->column };
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = f->code,
                                       .place = place,
                                       .message = message,
                                       .text = buf_slice(&text),
                                       .hint = buf_slice(&hint),
                                       .source = f->source });
    buf_release(&text);
    buf_release(&hint);
    return f->rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool is_utf16(enum charset c)
{
    return c == CHARSET_UTF_16 || c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE;
}

/* More decoded text for the window of `decoded`. */
static ssize_t decode_more(struct source *s, char *p, size_t n)
{
    struct rows *w = s->owner;
    struct source *f = w->file;
    if (w->broken.code)
        return 0;
    if (f->end - f->at < 4)
        source_fill(f, NULL);
    size_t take = (size_t)(f->end - f->at);
    take = take < n / 2 ? take : n / 2;        /* two bytes of UTF-16 are at most three of UTF-8 */
    take -= take == 1 ? 0 : take % 2;
    struct buf b = { 0 };
    bool unfinished = false;
    size_t good = charset_decode(w->d.charset, (struct slice){ f->at, take }, &b, &unfinished);
    size_t got = b.n < n ? b.n : n;
    if (got)
        memcpy(p, b.p, got);
    buf_release(&b);
    bool last = f->eof && (size_t)(f->end - f->at) - take < 2;     /* half a unit may stand behind */
    if (good < take && (!unfinished || last))
        w->broken = (struct row_fault){ .code = "ENCODING_BAD", .rc = STOP, .at = source_offset(f, f->at + good),
                                        .text = "this is not valid UTF-16", .hint = "the file is damaged or cut off" };
    f->at += good;
    return (ssize_t)got;
}

void rows_start(struct rows *w, struct source *s, const struct dialect *d, struct arena *a)
{
    *w = (struct rows){ .file = s, .text = s, .arena = a, .limits = s->limits, .d = *d, .cap = CELLS_FIRST };
    w->ends = arena_alloc(a, (w->cap + 64) * sizeof *w->ends);
    w->before_ends = arena_alloc(a, (w->cap + 64) * sizeof *w->before_ends);
    if (w->d.charset == CHARSET_UTF_16)
        w->d.charset = CHARSET_UTF_16LE;
    s->charset = w->d.charset;
    if (is_utf16(w->d.charset)) {
        w->units_at = source_offset(s, s->at);
        source_open_filter(&w->decoded, decode_more, w, s->name, s->limits);
        w->text = &w->decoded;
        w->units_from = w->decoded.at;
    }
}

void rows_open(struct rows *w, struct source *s, const struct dialect *d, struct arena *a)
{
    struct dialect real = *d;
    if (s->at == s->end)
        source_fill(s, NULL);
    enum charset told = CHARSET_UNKNOWN;
    size_t bom = charset_bom(slice_range(s->at, s->end), &told);
    if (bom) {
        s->at += bom;
        real.charset = told;            /* the mark at the head of the file is nearer to the truth than the format */
    }
    rows_start(w, s, &real, a);
}

void rows_close(struct rows *w)
{
    authority_free(w->authority);
    if (w->text == &w->decoded)
        source_close(&w->decoded);
    buf_release(&w->kept);
    buf_release(&w->decoding);
    w->text = w->file;
}
