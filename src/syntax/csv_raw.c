#include "syntax/csv.h"

#include "base/json.h"

/* Without a format: every row, the heading too, is a node whose fields are numbered; for inspect and draft. */

static const unsigned char delimiters[] = { ',', ';', '\t', '|' };

enum { HEAD_ROWS = 64, HEAD_BYTES = 64 * 1024 };

/* --- what kind of file ------------------------------------------------------------------------ */

/* Rows of the head, and how many of them have the commonest number of cells; quoted texts are left aside. */
struct fit {
    size_t rows, alike, cells;
};

static struct fit fit_counts(const size_t *count, size_t rows)
{
    struct fit f = { rows, 0, 1 };
    for (size_t i = 0; i < rows; i++) {
        size_t alike = 0;
        for (size_t k = 0; k < rows; k++)
            alike += count[k] == count[i];
        if (alike > f.alike || (alike == f.alike && count[i] > f.cells)) {
            f.alike = alike;
            f.cells = count[i];
        }
    }
    return f;
}

static struct fit fit_delimiter(struct slice head, unsigned char delimiter)
{
    size_t count[HEAD_ROWS], rows = 0, cells = 1;
    bool quoted = false, any = false;
    for (size_t i = 0; i < head.n && rows < HEAD_ROWS; i++) {
        unsigned char c = (unsigned char)head.p[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '\n' || c == '\r')) {
            if (any)
                count[rows++] = cells;
            cells = 1;
            any = false;
            continue;
        } else if (!quoted && c == delimiter) {
            cells++;
        }
        any = true;
    }
    if (any && rows == 0)
        count[rows++] = cells;
    return fit_counts(count, rows);
}

static double fit_value(struct fit f)
{
    return f.cells < 2 ? 0 : (double)f.alike / (double)f.rows + 0.01 * (double)(f.cells < 50 ? f.cells : 50);
}

unsigned char raw_delimiter(struct slice head, enum charset c)
{
    (void)c;
    if (head.n >= 5 && memcmp(head.p, "sep=", 4) == 0)
        return (unsigned char)head.p[4];
    unsigned char best = ',';
    double most = 0;
    for (size_t i = 0; i < sizeof delimiters; i++) {
        double v = fit_value(fit_delimiter(head, delimiters[i]));
        if (v > most) {
            most = v;
            best = delimiters[i];
        }
    }
    return best;
}

/* The head as UTF-8 without its byte order mark, as far as it decodes. */
static struct slice head_text(struct slice head, struct buf *b, enum charset *c)
{
    size_t bom = charset_bom(head, c);
    head.p += bom;
    head.n -= bom;
    head.n = head.n < HEAD_BYTES ? head.n : HEAD_BYTES;
    if (bom != 2)
        return head;
    bool unfinished = false;
    charset_decode(*c, (struct slice){ head.p, head.n - head.n % 2 }, b, &unfinished);
    return buf_slice(b);
}

static bool other_syntax(struct slice head)
{
    static const char *const heads[] = { "<", "{", "[", "UNA", "UNB", "ISA", "STX=", "PK\003\004", "\x1F\x8B", "%PDF-",
                                        "\xD0\xCF\x11\xE0", "\x89PNG", NULL };
    struct slice text = slice_trim(head);
    for (size_t i = 0; heads[i]; i++)
        if (slice_starts(text, slice_of(heads[i])))
            return true;
    return memchr(head.p, 0, head.n) != NULL;
}

int raw_bid(struct slice head)
{
    struct buf b = { 0 };
    enum charset c = CHARSET_UNKNOWN;
    struct slice text = head_text(head, &b, &c);
    int bits = 0;
    if (text.n && !other_syntax(text)) {
        struct fit f = fit_delimiter(text, raw_delimiter(text, c));
        bits = f.cells > 1 ? 2 + (int)(f.alike < 20 ? f.alike : 20) : 1;
    }
    buf_release(&b);
    return bits;
}

/* Of a file without mark: UTF-8 when that is valid, else the likeliest set that decodes it. */
static enum charset guess_charset(struct slice head)
{
    size_t good = utf8_valid(head);
    enum charset guess[8];
    if (good == head.n || (head.n - good < 4 && head.n >= HEAD_BYTES))
        return CHARSET_UTF_8;
    size_t n = charset_guess(head, guess, 8);
    for (size_t i = 0; i < n; i++)
        if (guess[i] != CHARSET_UTF_8 && guess[i] != CHARSET_US_ASCII)
            return guess[i];
    return CHARSET_ISO_8859_1;
}

/* UTF-16 without a mark: every second byte of text is mostly NUL. */
static enum charset bare_utf16(struct slice head)
{
    size_t even = 0, odd = 0, n = head.n < 256 ? head.n : 256;
    for (size_t i = 0; i < n; i++)
        if (head.p[i] == 0)
            *(i % 2 ? &odd : &even) += 1;
    if (odd * 3 > n && even == 0)
        return CHARSET_UTF_16LE;
    return even * 3 > n && odd == 0 ? CHARSET_UTF_16BE : CHARSET_UNKNOWN;
}

static void raw_dialect(struct source *s, struct dialect *d)
{
    if (s->at == s->end)
        source_fill(s, NULL);
    struct slice head = slice_range(s->at, s->end);
    enum charset c = CHARSET_UNKNOWN;
    struct buf b = { 0 };
    struct slice text = head_text(head, &b, &c);
    bool guessed = false;
    if (c == CHARSET_UNKNOWN) {
        c = bare_utf16(head);
        bool unfinished = false;
        if (c != CHARSET_UNKNOWN) {
            charset_decode(c, (struct slice){ text.p, text.n - text.n % 2 }, &b, &unfinished);
            text = buf_slice(&b);
        } else {
            c = guess_charset(head);
            guessed = c != CHARSET_UTF_8;
        }
    }
    *d = (struct dialect){
        .split = true, .quoting = true, .delimiter = raw_delimiter(text, c), .quote = '"', .charset = c,
        .guessed = guessed
    };
    buf_release(&b);
}

/* --- reading ---------------------------------------------------------------------------------- */

int raw_open(struct reader *r, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct dialect d;
    struct format *f;
    raw_dialect(r->source, &d);
    rows_open(&st->rows, r->source, &d, r->arena);
    if (r->source->error)
        return problem_system(ps, r->source->name, "reading", r->source->error);
    if (r->source->at == r->source->end) {
        problem_add(ps, &(struct problem){
                            .severity = PROBLEM_ERROR, .code = "EMPTY_FILE", .text = SLICE("the file is empty") });
        return STOP;
    }
    rows_sep(&st->rows);
    r->head_end = r->tail_at = rows_here(&st->rows);
    struct group *file = format_new(r->arena, "raw", "csv", &f);
    r->file = node_new(r->arena, file, NULL);
    return OK;
}

/* The group of rows of this width: a new one when it has grown. */
static struct group *raw_group(struct reader *r, size_t width)
{
    struct flat_reader *st = r->state;
    if (st->raw && st->raw->nfields >= width)
        return st->raw;
    struct format *f;
    struct group *file = format_new(r->arena, "raw", "csv", &f);
    st->raw = group_add(r->arena, file, "Row", 0, OCCURS_MANY);
    st->raw->is_message = true;
    for (size_t i = 0; i < width; i++)
        group_add_field(r->arena, st->raw, arena_printf(r->arena, "%zu", i + 1).p, TYPE_TEXT);
    return st->raw;
}

int raw_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct flat_reader *st = r->state;
    struct rows *w = &st->rows;
    int rc = rows_next(w, 0, 0);
    if (rc == END)
        return END;
    if (rc >= STOP)
        return w->file->error ? problem_system(ps, w->file->name, "reading", w->file->error)
                              : rows_problem(&w->fault, 0, ps);
    r->messages++;
    r->tail_at = w->end;
    struct group *g = raw_group(r, w->n ? w->n : 1);
    struct node *n = node_new(a, g, r->file);
    n->at = w->at;
    n->end = w->end;
    n->position = (uint32_t)r->messages;
    *msg_out = n;
    if (w->fault.code)
        return rows_problem(&w->fault, r->messages, ps);
    for (size_t i = 0; i < w->n; i++) {
        struct slice raw = rows_raw(w, i), text = rows_text(w, i, a);
        bool quoted = raw.n && (unsigned char)raw.p[0] == w->d.quote;
        n->values[i] = (struct value){ .p = text.p,
                                       .n = (uint32_t)text.n,
                                       .at = rows_place(w, raw.p),
                                       .len = (uint32_t)raw.n,
                                       .state = text.n   ? VALUE_PRESENT
                                                : quoted ? VALUE_EMPTY
                                                         : VALUE_ABSENT,
                                       .form = quoted ? VALUE_QUOTED : 0 };
    }
    return OK;
}

static void tell_guess(enum charset c, struct problems *ps)
{
    const char *other = c == CHARSET_WINDOWS_1252 ? "windows-1250" : "windows-1252";
    problem_add(ps, &(struct problem){ .severity = PROBLEM_NOTE, .code = "ENCODING_GUESSED", .place = { .offset = 0 },
        .text = arena_printf(ps->arena, "nothing in the file says its encoding: %s is a guess from its letters",
                             charset_name(c)),
        .hint = arena_printf(ps->arena, "ask the sender; where it is another one, write that into the format: "
                             "`encoding %s`", other) });
}

int raw_inspect(struct source *s, struct buf *json, struct problems *ps)
{
    struct arena a;
    arena_init(&a, 0);
    struct dialect d;
    struct rows w;
    raw_dialect(s, &d);
    rows_open(&w, s, &d, &a);
    bool empty = s->at == s->end && !s->error;
    rows_sep(&w);
    uint64_t rows = 0, columns = 0;
    int rc = OK;
    while ((rc = rows_next(&w, 0, 0)) == OK) {
        rows++;
        columns = rows == 1 ? w.n : columns;
        if (w.fault.code)
            rows_problem(&w.fault, 0, ps);
    }
    if (rc >= STOP)
        rc = s->error ? problem_system(ps, s->name, "reading", s->error) : rows_problem(&w.fault, 0, ps);
    if (empty)
        problem_addf(ps, PROBLEM_ERROR, "EMPTY_FILE", (struct place){ .offset = 0 }, "the file is empty");
    if (d.guessed)
        tell_guess(d.charset, ps);
    json_text(json, "encoding", slice_of(charset_name(w.d.charset)));
    json_text(json, "delimiter", (struct slice){ (const char *)&w.d.delimiter, 1 });
    json_number(json, "columns", (int64_t)columns);
    json_number(json, "rows", (int64_t)rows);
    rows_close(&w);
    arena_release(&a);
    return rc == END ? OK : rc;
}
