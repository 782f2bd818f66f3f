/*
 * A code list in a CSV file: first a heading `code` (or `value`), then a title; `,` `;` or a tab between, quotes as in
 * RFC 4180. Other columns are passed over.
 */
#include "base/file.h"
#include "format/loader.h"

#define CODES_FILE (16u << 20)
#define CODES_MAX 1000000

struct codefile {
    struct arena *arena;
    const char *p, *end;
    char delimiter;
};

static char find_delimiter(struct slice text)
{
    for (size_t i = 0; i < text.n && text.p[i] != '\n'; i++)
        if (text.p[i] == ',' || text.p[i] == ';' || text.p[i] == '\t')
            return text.p[i];
    return ',';
}

/* A cell in quotes; "" is a quotation mark. */
static struct slice quoted_cell(struct codefile *f)
{
    const char *from = ++f->p;
    while (f->p < f->end && (*f->p != '"' || (f->p + 1 < f->end && f->p[1] == '"')))
        f->p += *f->p == '"' ? 2 : 1;
    char *text = arena_alloc(f->arena, (size_t)(f->p - from) + 1), *to = text;
    for (const char *p = from; p < f->p; p++) {
        *to++ = *p;
        p += *p == '"';
    }
    while (f->p < f->end && *f->p != f->delimiter && *f->p != '\n')
        f->p++;
    return slice_range(text, to);
}

static struct slice read_cell(struct codefile *f)
{
    if (f->p < f->end && *f->p == '"')
        return quoted_cell(f);
    const char *from = f->p;
    while (f->p < f->end && *f->p != f->delimiter && *f->p != '\n')
        f->p++;
    return slice_trim(slice_range(from, f->p));
}

/* The first two cells of a row; false at the end. */
static bool read_row(struct codefile *f, struct code *row)
{
    size_t column = 0;
    *row = (struct code){ 0 };
    if (f->p >= f->end)
        return false;
    for (;;) {
        struct slice cell = read_cell(f);
        if (column == 0)
            row->value = cell;
        else if (column == 1)
            row->title = cell;
        column++;
        if (f->p >= f->end || *f->p++ == '\n')
            return true;
    }
}

static bool is_heading(struct slice s)
{
    return s.n < 16
           && (slice_is(s, "code") || slice_is(s, "value") || slice_is(s, "Code") || slice_is(s, "Value")
               || slice_is(s, "CODE"));
}

int codes_load(struct loader *l, const struct token *t, struct slice name, struct declared *d)
{
    struct slice text;
    struct code row;
    size_t cap = 0;
    const char *path = finder_find(l->finder, l->arena, name, "", l->conf->file);
    if (path == NULL)
        return loader_bad(l, t, "FMT_CODES", "it is looked up beside this file, then where formats are",
                          "there is no file \"%.*s\"", SLICE_ARG(name));
    int rc = finder_read(l->finder, l->arena, path, CODES_FILE, &text, l->problems);
    if (rc != OK)
        return l->failed = true, rc;
    buf_add(&l->source, text);
    if (slice_starts(text, SLICE("\xEF\xBB\xBF")))
        text = slice_range(text.p + 3, text.p + text.n);
    if (utf8_valid(text) != text.n)
        return loader_bad(l, t, "FMT_CODES", NULL, "\"%.*s\" is not UTF-8", SLICE_ARG(name));
    struct codefile f = { .arena = l->arena, .p = text.p, .end = text.p + text.n, .delimiter = find_delimiter(text) };
    if (!read_row(&f, &row) || !is_heading(row.value))
        return loader_bad(l, t, "FMT_CODES", NULL, "the first row of \"%.*s\" must be a heading: code, title",
                          SLICE_ARG(name));
    while (read_row(&f, &row) && d->ncodes < CODES_MAX)
        if (row.value.n)
            ARENA_PUSH(l->arena, d->codes, d->ncodes, cap) = row;
    return OK;
}
