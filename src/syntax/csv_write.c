#include "syntax/csv.h"

#include "short.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* --- one cell --------------------------------------------------------------------------------- */

enum { SLACK = 16 };                /* bytes behind a text that has_special() may look at */

/* Holds the text a delimiter, a quote or a line end?  SLACK bytes behind it must be readable. */
static bool has_special(const char *p, size_t n, unsigned char delimiter, unsigned char quote)
{
#if defined(__SSE2__)
    const __m128i d = _mm_set1_epi8((char)delimiter), q = _mm_set1_epi8((char)quote), lf = _mm_set1_epi8('\n'),
                  cr = _mm_set1_epi8('\r');
    for (size_t i = 0; i < n; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, d), _mm_cmpeq_epi8(x, q)),
                                   _mm_or_si128(_mm_cmpeq_epi8(x, lf), _mm_cmpeq_epi8(x, cr)));
        uint32_t bits = (uint32_t)_mm_movemask_epi8(hit);
        if (n - i < 16)
            bits &= (1u << (n - i)) - 1;
        if (bits)
            return true;
    }
#else
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == delimiter || c == quote || c == '\n' || c == '\r')
            return true;
    }
#endif
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Looks the text like a byte order mark?  At the head of a file a reader would pass over it; in quotes it is text.  The
 * last is U+FFFE, which is the mark FE FF once it is written as UTF-16LE. */
static bool has_mark(const char *p, size_t n)
{
    static const char *const marks[] = { "\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF", "\xEF\xBF\xBE" };
    for (size_t i = 0; n >= 2 && (unsigned char)*p >= 0xEF && i < sizeof marks / sizeof *marks; i++)
        if (slice_starts((struct slice){ p, n }, slice_of(marks[i])))
            return true;
    return false;
}

/* The line with which Excel is told the delimiter; a reader passes over it, too. */
static bool is_sep(const char *p, size_t n)
{
    return n == 5 && memcmp(p, "sep=", 4) == 0;
}

static bool has_high(const char *p, size_t n)
{
    unsigned char all = 0;
    for (size_t i = 0; i < n; i++)
        all |= (unsigned char)p[i];
    return all >= 0x80;
}

/* Sets quotes around out[start …] and doubles those inside. */
static void quote_from(struct buf *out, size_t start, char quote)
{
    size_t n = out->n - start, inside = 0;
    for (size_t i = 0; i < n; i++)
        inside += out->p[start + i] == quote;
    buf_room(out, inside + 2);
    char *p = out->p + start, *to = p + n + inside + 2;
    *--to = quote;
    for (size_t i = n; i-- > 0;) {
        *--to = p[i];
        if (p[i] == quote)
            *--to = quote;
    }
    *p = quote;
    out->n += inside + 2;
}

/* `replace ";" ","` of the format, in out[start …]; each is noted. */
static void replace_texts(struct buf *out, size_t start, const struct node *n, const struct field *f, struct arena *a,
                          struct problems *ps)
{
    const struct format *format = f->group->format;
    for (size_t i = 0; i < format->nreplacements; i++) {
        const struct replacement *r = &format->replacements[i];
        struct slice text = { out->p + start, out->n - start };
        const char *hit = r->from.n ? memmem(text.p, text.n, r->from.p, r->from.n) : NULL;
        if (!hit)
            continue;
        text = arena_copy(a, text);
        out->n = start;
        const char *p = text.p, *end = text.p + text.n;
        while ((hit = memmem(p, (size_t)(end - p), r->from.p, r->from.n)) != NULL) {
            buf_add(out, slice_range(p, hit));
            buf_add(out, r->to);
            p = hit + r->from.n;
        }
        buf_add(out, slice_range(p, end));
        struct buf b = { 0 };
        buf_text(&b, "\"");
        buf_add_shown(&b, r->from, 20);
        buf_text(&b, "\" is written as \"");
        buf_add_shown(&b, r->to, 20);
        buf_text(&b, "\"");
        problem_add(ps, &(struct problem){ .severity = PROBLEM_NOTE,
                                           .code = "TEXT_REPLACED",
                                           .place = { .offset = PLACE_NO_OFFSET },
                                           .path = node_path(a, n, f),
                                           .value = text,
                                           .text = buf_slice(&b) });
        buf_release(&b);
    }
}

static bool is_number(struct slice text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool digit = c >= '0' && c <= '9', sign = i == 0 && (c == '+' || c == '-');
        digits += digit;
        if (!digit && !sign && c != '.' && c != ',')
            return false;
    }
    return digits > 0;
}

/* What a spreadsheet takes for a formula: signs, also the full-width ones of Japanese keyboards, and the characters
 * that it passes over ahead of one.  A number with its sign is a number. */
static bool is_formula(struct slice text)
{
    static const char *const signs[] = { "=", "+", "-", "@", "\t", "\r", "\n", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20" };
    while (text.n && *text.p == ' ')
        text.p++, text.n--;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (slice_starts(text, slice_of(signs[i])))
            return !is_number(text);
    return false;
}

/* `sheet-safe`: an apostrophe ahead of out[start …] when that is a formula; each is noted. */
static void guard_sheet(struct buf *out, size_t start, const struct node *n, const struct field *f, struct arena *a,
                        struct problems *ps)
{
    struct slice text = { out->p + start, out->n - start };
    if (!is_formula(text))
        return;
    text = arena_copy(a, text);
    out->n = start;
    buf_byte(out, '\'');
    buf_add(out, text);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_NOTE,
                                       .code = "TEXT_GUARDED",
                                       .place = { .offset = PLACE_NO_OFFSET },
                                       .path = node_path(a, n, f),
                                       .value = text,
                                       .text = SLICE("is written behind an apostrophe, so that no spreadsheet runs it") });
}

static int encode_from(struct buf *out, size_t start, enum charset c, const struct node *n, const struct field *f,
                       struct arena *a, struct problems *ps)
{
    struct fault fault;
    struct slice text = arena_copy(a, (struct slice){ out->p + start, out->n - start });
    out->n = start;
    if (syntax_encode(c, text, out, &fault) == OK)
        return OK;
    fault.hint = arena_printf(a, "%s has no \"%.*s\"", charset_name(c), SLICE_ARG(fault.hint));
    return live_problem(n, f, text, PLACE_NO_OFFSET, &fault, a, ps);
}

static int spell(const struct dialect *d, const struct node *n, const struct field *f, bool quote, size_t start,
                 struct buf *out, struct arena *a, struct problems *ps)
{
    bool wide = d->charset == CHARSET_UTF_16 || d->charset == CHARSET_UTF_16LE || d->charset == CHARSET_UTF_16BE;
    if (f->group->format->nreplacements)
        replace_texts(out, start, n, f, a, ps);
    if (d->sheet_safe)
        guard_sheet(out, start, n, f, a, ps);
    if (d->charset != CHARSET_UTF_8 && !wide && has_high(out->p + start, out->n - start)
        && encode_from(out, start, d->charset, n, f, a, ps) != OK)
        return SKIP;
    buf_room(out, SLACK);
    const char *p = out->p + start;
    size_t len = out->n - start;
    bool mark = has_mark(p, len) && !d->bom,
         special = mark || has_special(p, len, d->split ? d->delimiter : '\n', d->quoting ? d->quote : '\n');
    if (!d->quoting && special) {
        struct fault fault = { .code = "CSV_CANNOT_SPELL",
                               .text = mark ? SLICE("begins like a byte order mark, and this file has no quotes")
                                            : SLICE("holds a delimiter or line end, and this file has no quotes"),
                               .hint = mark ? SLICE("write `bom yes` or `quote \"\\\"\"` in the format")
                                            : SLICE("write `replace \";\" \",\"` or `quote \"\\\"\"` in the format") };
        return live_problem(n, f, arena_copy(a, (struct slice){ p, len }), PLACE_NO_OFFSET, &fault, a, ps);
    }
    if (len == 0 && f->type != TYPE_TEXT && !quote)
        return OK;                  /* 0 in letters */
    if (d->quoting
        && (special || quote || d->quote_all || len == 0 || is_blank(p[0]) || is_blank(p[len - 1]) || is_sep(p, len)))
        quote_from(out, start, (char)d->quote);
    return OK;
}

#if defined(__SSE2__)
/* What the dialect puts quotes around; blanks at its ends are seen to by the caller. */
static inline unsigned needs_care(__m128i v, const void *dialect)
{
    const struct dialect *d = dialect;
    const char delimiter = (char)(d->split ? d->delimiter : '\n');
    const __m128i quote = _mm_set1_epi8((char)d->quote), lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(delimiter)), _mm_cmpeq_epi8(v, quote));
    hit = _mm_or_si128(hit, _mm_or_si128(_mm_cmpeq_epi8(v, lf), _mm_cmpeq_epi8(v, cr)));
    return (unsigned)_mm_movemask_epi8(hit);
}

/* Most texts are short and stand as they are; false: nothing is written. */
static inline bool write_plain(const struct dialect *d, const struct field *f, const struct value *v, struct buf *out)
{
    if (v->state != VALUE_PRESENT || f->write_fast != TYPE_FAST_TEXT || v->n > f->fast_max || v->n == 0
        || is_blank(v->p[0]) || is_blank(v->p[v->n - 1]) || has_mark(v->p, v->n) || is_sep(v->p, v->n))
        return false;
    char *end = short_put(buf_room(out, SHORT_MAX), (struct slice){ v->p, v->n }, needs_care, d);
    if (end)
        out->n = (size_t)(end - out->p);
    return end != NULL;
}
#endif

int cell_write(const struct dialect *d, const struct node *n, const struct field *f, const struct value *v,
               bool quote, struct buf *out, struct arena *a, struct problems *ps)
{
    size_t start = out->n;
    struct fault fault;
#if defined(__SSE2__)
    if (d->plain && !quote && write_plain(d, f, v, out))
        return OK;
#endif
    if (v->state != VALUE_PRESENT && !(v->form & VALUE_LAX) && !(f->flags & FIELD_ALWAYS)) {
        if (quote && d->quoting)
            quote_from(out, start, (char)d->quote);
        return OK;
    }
    int rc = OK;
    if (!type_write_fast(f, v, out) && type_write(f, v, out, a, &fault) != OK)
        rc = live_problem(n, f, (struct slice){ v->p, v->n }, PLACE_NO_OFFSET, &fault, a, ps);
    if (rc == OK)
        rc = spell(d, n, f, quote, start, out, a, ps);
    if (rc != OK)
        out->n = start;
    return rc;
}

/* --- the order of the columns ----------------------------------------------------------------- */

struct write_plan {
    const struct flat *flat;
    const struct flat_column **cells; /* NULL: void */
    size_t width;
    size_t outer;                   /* cells 0 … outer-1 are the same in all rows of an innermost group's parent */
    struct slice join;              /* title of the first column of a companion file; it is no field */
};

struct flat_writer {
    struct write_plan plan;
    struct write_plan *records;     /* of tagged files */
    struct write_plan *companions;
    size_t *marks;                  /* by companion: where the rows of this message begin */
    struct dialect d;
    struct arena scratch;           /* of one message */
    struct buf prefix, wide;
    const struct node *node[FLAT_LEVELS];
    bool stale;                     /* the prefix belongs to other nodes */
};

static bool has_title(const struct write_plan *p, struct slice title)
{
    for (size_t i = 0; i < p->width; i++)
        if (p->cells[i] && slice_equal(p->cells[i]->title, title))
            return true;
    return false;
}

static void write_plan_init(struct write_plan *p, const struct flat *flat, struct arena *a)
{
    *p = (struct write_plan){ .flat = flat, .width = flat->width };
    p->cells = arena_zero(a, (flat->width + flat->ncols + 1) * sizeof *p->cells);
    for (size_t i = 0; i < flat->ncols; i++)
        if (flat->cols[i].position && !p->cells[flat->cols[i].position - 1])
            p->cells[flat->cols[i].position - 1] = &flat->cols[i];
    for (size_t i = 0, at = 0; i < flat->ncols; i++) {
        if (flat->cols[i].position || has_title(p, flat->cols[i].title))
            continue;
        while (p->cells[at])
            at++;
        p->cells[at] = &flat->cols[i];
        p->width = at + 1 > p->width ? at + 1 : p->width;
    }
    while (flat->nlevels > 1 && p->outer < p->width
           && (!p->cells[p->outer] || p->cells[p->outer]->level + 1 < flat->nlevels))
        p->outer++;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_wide(const struct dialect *d)
{
    return d->charset == CHARSET_UTF_16 || d->charset == CHARSET_UTF_16LE || d->charset == CHARSET_UTF_16BE;
}

static int write_cells(struct flat_writer *st, const struct write_plan *p, size_t from, size_t to, struct buf *out,
                       struct problems *ps)
{
    int rc = OK;
    for (size_t i = from; i < to; i++) {
        const struct flat_column *c = p->cells[i];
        if (i > 0)
            buf_byte(out, (char)st->d.delimiter);
        if (p->flat->tag.n && i + 1 == st->d.tag) {
            buf_add(out, p->flat->tag);
            continue;
        }
        const struct node *n = c ? st->node[c->level] : NULL;
        const struct value *v = !n ? NULL : c->holder ? column_value(p->flat, c, n) : node_value(n, c->field);
        if (v && cell_write(&st->d, n, c->field, v, false, out, &st->scratch, ps) != OK)
            rc = SKIP;
    }
    return rc;
}

/* UTF-16 is made row by row. */
static void end_row(struct flat_writer *st, struct buf *row, struct buf *out)
{
    buf_add(row, st->d.newline);
    if (row == out)
        return;
    struct fault fault;
    syntax_encode(st->d.charset == CHARSET_UTF_16 ? CHARSET_UTF_16LE : st->d.charset, buf_slice(row), out, &fault);
    row->n = 0;
}

static struct buf *row_buf(struct flat_writer *st, struct buf *out)
{
    return is_wide(&st->d) ? &st->wide : out;
}

static int write_row(struct flat_writer *st, const struct write_plan *p, struct buf *out, struct problems *ps)
{
    struct buf *row = row_buf(st, out);
    int rc = OK;
    if (st->stale) {
        st->prefix.n = 0;
        rc = write_cells(st, p, 0, p->outer, &st->prefix, ps);
        st->stale = false;
    }
    size_t start = row->n;
    buf_add(row, buf_slice(&st->prefix));
    int inner = write_cells(st, p, p->outer, p->width, row, ps);
    if (row->n == start && p->width == 1 && st->d.quoting)
        quote_from(row, start, (char)st->d.quote);     /* an empty line would be no row */
    end_row(st, row, out);
    return inner > rc ? inner : rc;
}

static int write_level(struct flat_writer *st, size_t level, const struct node *n, struct buf *out, struct problems *ps)
{
    const struct flat *flat = st->plan.flat;
    st->node[level] = n;
    st->stale |= level + 1 < flat->nlevels;
    if (level + 1 == flat->nlevels)
        return write_row(st, &st->plan, out, ps);
    const struct node *child = n ? node_list(n, flat->levels[level + 1].group)->first : NULL;
    int rc = child ? OK : write_level(st, level + 1, NULL, out, ps);
    for (; child; child = child->next) {
        int one = write_level(st, level + 1, child, out, ps);
        rc = one > rc ? one : rc;
    }
    return rc;
}

/* --- records with tags, companions ------------------------------------------------------------ */

static int write_record(struct flat_writer *st, const struct node *n, struct buf *out, struct problems *ps)
{
    const struct flat *all = st->plan.flat;
    int rc = OK;
    for (size_t i = 0; i < all->nrecords; i++) {
        if (all->records[i]->levels[0].group != n->group)
            continue;
        st->node[0] = n;
        st->prefix.n = 0;
        rc = write_row(st, &st->records[i], out, ps);
    }
    const struct group *g = n->group;
    for (size_t i = 0; i < g->nmembers; i++) {
        const struct node *child = g->members[i].group ? node_list(n, g->members[i].group)->first : NULL;
        for (; child; child = child->next) {
            int one = write_record(st, child, out, ps);
            rc = one > rc ? one : rc;
        }
    }
    return rc;
}

/* File members whose group stands ahead of (or behind) the first message group of the format. */
static int write_file_records(struct writer *w, bool ahead, struct problems *ps)
{
    struct flat_writer *st = w->state;
    const struct group *file = w->format->file_group;
    bool behind = false;
    int rc = OK;
    for (size_t i = 0; w->file && i < file->nmembers; i++) {
        const struct group *g = file->members[i].group;
        behind |= g && g->is_message;
        if (!g || g->is_message || behind == ahead)
            continue;
        for (const struct node *n = node_list(w->file, g)->first; n; n = n->next) {
            int one = write_record(st, n, &w->sink->buf, ps);
            rc = one > rc ? one : rc;
        }
    }
    return rc == OK ? OK : STOP;
}

static struct sink *companion_sink(struct writer *w, struct slice name)
{
    for (size_t i = 0; i < w->ncompanions; i++)
        if (slice_equal(w->companions[i].name, name))
            return w->companions[i].sink;
    return NULL;
}

/* The rows below one instance of the group above them. */
static int companion_rows(struct flat_writer *st, size_t i, const struct node *above, struct sink *sink,
                          struct problems *ps)
{
    const struct flat_companion *c = &st->plan.flat->companions[i];
    const struct write_plan *p = &st->companions[i];
    const struct flat_column *key = &st->plan.flat->cols[c->key];
    int rc = OK;
    for (const struct node *n = node_list(above, c->group)->first; n; n = n->next) {
        struct buf *row = row_buf(st, &sink->buf);
        const struct value *v = column_value(st->plan.flat, key, above);
        st->node[0] = n;
        if (p->join.n && v) {
            rc = cell_write(&st->d, above, key->field, v, false, row, &st->scratch, ps) > rc ? SKIP : rc;
            buf_byte(row, (char)st->d.delimiter);
        }
        rc = write_cells(st, p, 0, p->width, row, ps) > rc ? SKIP : rc;
        end_row(st, row, &sink->buf);
    }
    return rc;
}

static int write_companion(struct flat_writer *st, size_t i, size_t level, const struct node *n, struct sink *sink,
                           struct problems *ps)
{
    const struct flat *flat = st->plan.flat;
    if (level == flat->companions[i].level)
        return companion_rows(st, i, n, sink, ps);
    int rc = OK;
    for (const struct node *below = node_list(n, flat->levels[level + 1].group)->first; below; below = below->next) {
        int one = write_companion(st, i, level + 1, below, sink, ps);
        rc = one > rc ? one : rc;
    }
    return rc;
}

static int write_companions(struct writer *w, const struct node *msg, struct problems *ps)
{
    struct flat_writer *st = w->state;
    const struct flat *flat = st->plan.flat;
    int rc = OK;
    for (size_t i = 0; i < flat->ncompanions && rc < SKIP; i++) {
        struct sink *sink = companion_sink(w, flat->companions[i].name);
        rc = sink ? write_companion(st, i, 0, msg, sink, ps) : OK;
    }
    return rc;
}

static void mark_companions(struct writer *w)
{
    struct flat_writer *st = w->state;
    for (size_t i = 0; i < w->ncompanions; i++)
        st->marks[i] = w->companions[i].sink ? w->companions[i].sink->buf.n : 0;
}

/* A refused message leaves no rows in any file. */
static void end_companions(struct writer *w, bool refused)
{
    struct flat_writer *st = w->state;
    for (size_t i = 0; i < w->ncompanions; i++) {
        struct sink *sink = w->companions[i].sink;
        if (sink && refused)
            sink->buf.n = st->marks[i];
        if (sink)
            sink_turn(sink);
    }
}

/* --- the file --------------------------------------------------------------------------------- */

static int write_title(struct flat_writer *st, struct slice title, struct buf *row, struct problems *ps)
{
    size_t start = row->n;
    struct fault fault;
    int rc = is_wide(&st->d) ? (buf_add(row, title), OK) : syntax_encode(st->d.charset, title, row, &fault);
    if (rc != OK) {
        problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                           .code = fault.code,
                                           .place = { .offset = PLACE_NO_OFFSET },
                                           .value = title,
                                           .text = fault.text });
        return STOP;
    }
    buf_room(row, SLACK);
    const char *text = row->p + start;
    size_t n = row->n - start;
    if (st->d.quoting && (st->d.quote_all || has_mark(text, n) || is_sep(text, n)
                          || has_special(text, n, st->d.delimiter, st->d.quote)))
        quote_from(row, start, (char)st->d.quote);
    return OK;
}

static int write_heading(struct flat_writer *st, const struct write_plan *p, struct buf *out, struct problems *ps)
{
    if (st->d.bom && st->d.charset == CHARSET_UTF_8)
        buf_text(out, "\xEF\xBB\xBF");
    else if (st->d.charset == CHARSET_UTF_16 || (is_wide(&st->d) && st->d.bom))
        buf_text(out, st->d.charset == CHARSET_UTF_16BE ? "\xFE\xFF" : "\xFF\xFE");
    if (st->d.heading == HEADING_NO || st->d.tag)
        return OK;
    struct buf *row = row_buf(st, out);
    int rc = OK;
    if (p->join.n) {
        rc = write_title(st, p->join, row, ps);
        buf_byte(row, (char)st->d.delimiter);
    }
    for (size_t i = 0; i < p->width; i++) {
        if (i > 0)
            buf_byte(row, (char)st->d.delimiter);
        if (p->cells[i] && write_title(st, p->cells[i]->title, row, ps) != OK)
            rc = STOP;
    }
    end_row(st, row, out);
    return rc;
}

static int open_companions(struct writer *w, struct problems *ps)
{
    struct flat_writer *st = w->state;
    const struct flat *flat = st->plan.flat;
    int rc = OK;
    st->companions = arena_zero(w->arena, (flat->ncompanions + 1) * sizeof *st->companions);
    st->marks = arena_zero(w->arena, (w->ncompanions + 1) * sizeof *st->marks);
    for (size_t i = 0; i < flat->ncompanions && rc == OK; i++) {
        const struct flat_companion *c = &flat->companions[i];
        struct sink *sink = companion_sink(w, c->name);
        write_plan_init(&st->companions[i], c->flat, w->arena);
        if (!has_title(&st->companions[i], c->join))
            st->companions[i].join = c->join;
        if (sink)
            rc = write_heading(st, &st->companions[i], &sink->buf, ps);
    }
    return rc;
}

int flat_write_open(struct writer *w, struct problems *ps)
{
    struct flat_writer *st = arena_zero(w->arena, sizeof *st);
    const struct flat *flat = w->format->plan[1];
    w->state = st;
    st->d = flat->d;
    st->d.plain = st->d.quoting && !st->d.quote_all && (st->d.charset == CHARSET_UTF_8 || is_wide(&st->d))
                  && !st->d.sheet_safe && w->format->nreplacements == 0;
    arena_init(&st->scratch, 0);
    write_plan_init(&st->plan, flat, w->arena);
    st->records = arena_zero(w->arena, (flat->nrecords + 1) * sizeof *st->records);
    for (size_t i = 0; i < flat->nrecords; i++)
        write_plan_init(&st->records[i], flat->records[i], w->arena);
    int rc = write_heading(st, &st->plan, &w->sink->buf, ps);
    if (rc == OK)
        rc = open_companions(w, ps);
    return rc == OK && st->d.tag ? write_file_records(w, true, ps) : rc;
}

int flat_write(struct writer *w, const struct node *msg, struct problems *ps)
{
    struct flat_writer *st = w->state;
    size_t start = w->sink->buf.n;
    arena_reset(&st->scratch);
    w->messages++;
    mark_companions(w);
    int rc = node_check(msg, &st->scratch, ps);
    st->stale = true;
    int written = st->d.tag ? write_record(st, msg, &w->sink->buf, ps) : write_level(st, 0, msg, &w->sink->buf, ps);
    rc = written > rc ? written : rc;
    int beside = rc < SKIP ? write_companions(w, msg, ps) : OK;
    rc = beside > rc ? beside : rc;
    if (rc >= SKIP)
        w->sink->buf.n = start;
    end_companions(w, rc >= SKIP);
    return rc;
}

void flat_write_drop(struct writer *w)
{
    struct flat_writer *st = w->state;
    arena_release(&st->scratch);
    buf_release(&st->prefix);
    buf_release(&st->wide);
    w->state = NULL;
}

int flat_write_close(struct writer *w, struct problems *ps)
{
    struct flat_writer *st = w->state;
    if (!st)
        return OK;
    int rc = st->d.tag ? write_file_records(w, false, ps) : OK;
    flat_write_drop(w);
    return rc;
}
