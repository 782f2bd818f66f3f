#include "syntax/csv.h"

#include <csv.h>

/*
 * libcsv 3.0.3, strict.  Two of its habits are switched off: it strips blanks around unquoted cells (RFC 4180, 2.4:
 * they are part of the field), and it grows its buffer by 128 bytes.  It reports no positions, so the places stay
 * ours.
 */
struct authority {
    struct csv_parser parser;
    unsigned char delimiter, quote;
    bool live;
    const struct rows *w;
    size_t cell, until;             /* the next one it will tell, the one behind the last */
    bool differs;
};

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

static bool start(struct authority *au)
{
    if (au->live)
        return true;
    if (csv_init(&au->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
        return false;
    csv_set_delim(&au->parser, au->delimiter);
    csv_set_quote(&au->parser, au->quote);
    csv_set_space_func(&au->parser, no_space);
    csv_set_blk_size(&au->parser, 64 * 1024);
    au->live = true;
    return true;
}

struct authority *authority_new(struct arena *a, unsigned char delimiter, unsigned char quote)
{
    struct authority *au = arena_zero(a, sizeof *au);
    au->delimiter = delimiter;
    au->quote = quote;
    return au;
}

void authority_free(struct authority *au)
{
    if (au && au->live)
        csv_free(&au->parser);
    if (au)
        au->live = false;
}

/* Does the quoted cell `raw` say `text`, each doubled quote being one? */
static bool says(struct slice raw, const char *text, size_t n, char quote)
{
    const char *p = raw.p + 1, *end = raw.p + raw.n - 1;
    size_t at = 0;
    while (p < end) {
        const char *q = memchr(p, quote, (size_t)(end - p));
        size_t run = (size_t)((q ? q + 1 : end) - p);
        if (run > n - at || memcmp(p, text + at, run) != 0)
            return false;
        at += run;
        p += run + (q != NULL);
    }
    return p == end && at == n;
}

static void on_cell(void *text, size_t n, void *owner)
{
    struct authority *au = owner;
    if (au->cell >= au->until) {
        au->differs = true;
        return;
    }
    struct slice raw = rows_raw(au->w, au->cell++);
    bool quoted = raw.n > 0 && (unsigned char)raw.p[0] == au->quote;
    if (quoted)
        au->differs |= raw.n < 2 || text == NULL || !says(raw, text, n, (char)au->quote);
    else
        au->differs |= raw.n != n || (text == NULL) != (n == 0) || (n && memcmp(raw.p, text, n) != 0);
}

static void on_row(int end, void *owner)
{
    (void)end;
    struct authority *au = owner;
    au->differs |= au->cell != au->until;
}

bool authority_agrees(struct authority *au, const struct rows *w, size_t from, size_t until)
{
    if (!start(au))
        return false;
    au->w = w;
    au->cell = from;
    au->until = until;
    au->differs = false;
    const char *p = w->p + cell_start(w->ends, from), *end = w->p + w->ends[until - 1];
    bool good = true;
    while (good && p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((lf ? lf + 1 : end) - p);
        good = csv_parse(&au->parser, p, n, on_cell, on_row, au) == n;
        p += n;
    }
    /* The end of the row; behind an error libcsv must not be asked again. */
    good = good && csv_parse(&au->parser, "\n", 1, on_cell, on_row, au) == 1 && au->cell == until && !au->differs;
    if (!good)
        authority_free(au);
    return good;
}
