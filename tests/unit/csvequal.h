/*
 * Our rows and libcsv's, side by side: the same rows, cells, faults and places on any input.  libcsv is strict and is
 * fed up to each line end; where it refuses a row, both go on behind the end of that physical line.
 */
#ifndef TESTS_UNIT_CSVEQUAL_H
#define TESTS_UNIT_CSVEQUAL_H

#include <csv.h>

#include "syntax/csv.h"

struct oracle {
    struct csv_parser parser;
    struct slice text;
    size_t at;                      /* where the next row begins */
    struct buf cells;               /* texts of the row, each with its length before it and whether it is void */
    size_t n;
    bool row, bad, open;
    size_t fault;                   /* offset of the offending byte */
};

static int oracle_space(unsigned char c)
{
    (void)c;
    return 0;
}

static void oracle_cell(void *p, size_t n, void *owner)
{
    struct oracle *o = owner;
    char none = p == NULL;
    buf_add(&o->cells, (struct slice){ (const char *)&n, sizeof n });
    buf_byte(&o->cells, none);
    buf_add(&o->cells, (struct slice){ p ? p : "", n });
    o->n++;
}

static void oracle_end(int c, void *owner)
{
    (void)c;
    ((struct oracle *)owner)->row = true;
}

/* The next row of libcsv; false at the end. */
static bool oracle_next(struct oracle *o, unsigned char delimiter)
{
    while (o->at < o->text.n && (o->text.p[o->at] == '\n' || o->text.p[o->at] == '\r'))
        o->at++;
    o->cells.n = o->n = 0;
    o->row = o->bad = o->open = false;
    if (o->at == o->text.n)
        return false;
    csv_init(&o->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL);
    csv_set_delim(&o->parser, delimiter);
    csv_set_space_func(&o->parser, oracle_space);
    while (!o->row && !o->bad && o->at < o->text.n) {
        size_t end = o->at;
        while (end < o->text.n && o->text.p[end] != '\n' && o->text.p[end] != '\r')
            end++;
        end += end < o->text.n;
        size_t did = csv_parse(&o->parser, o->text.p + o->at, end - o->at, oracle_cell, oracle_end, o);
        o->bad = did != end - o->at;
        o->fault = o->at + did;
        o->at = end;
        if (o->bad && o->fault + 1 < end)
            continue;
        if (o->bad)                 /* the offending byte may be the line end itself: then the row ends there */
            o->at = end;
    }
    if (!o->row && !o->bad)
        o->open = csv_fini(&o->parser, oracle_cell, oracle_end, o) != 0;
    csv_free(&o->parser);
    return true;
}

static bool equal_cells(struct oracle *o, struct rows *w, struct arena *a)
{
    const char *p = o->cells.p;
    for (size_t i = 0; i < w->n; i++) {
        size_t n;
        memcpy(&n, p, sizeof n);
        bool none = p[sizeof n];
        struct slice text = rows_text(w, i, a);
        if (n != text.n || memcmp(p + sizeof n + 1, text.p, n) != 0 || none != (rows_raw(w, i).n == 0))
            return false;
        p += sizeof n + 1 + n;
    }
    return true;
}

/* The number of rows that are the same both ways, or -1 - the row where they are not. */
static long csv_ways_equal(struct slice text, unsigned char delimiter, struct source *s)
{
    static const struct limits wide = { .field = 1 << 30, .row = 1 << 30, .columns = 1 << 20 };
    struct arena a;
    struct rows w;
    struct oracle o = { .text = text };
    struct dialect d = {
        .split = true, .quoting = true, .delimiter = delimiter, .quote = '"', .charset = CHARSET_UTF_8
    };
    long rows = 0;
    bool same = true;
    arena_init(&a, 0);
    s->limits = &wide;
    rows_start(&w, s, &d, &a);
    w.trusting = true;              /* no charset, no libcsv inside: the scan alone is compared */
    for (;;) {
        int rc = rows_next(&w, 0, 0);
        bool there = oracle_next(&o, delimiter);
        if (rc == END || !there) {
            same = rc == END && !there;
            break;
        }
        if (rc == STOP)
            same = o.open && w.fault.code && strcmp(w.fault.code, "CSV_QUOTE") == 0;
        else if (w.fault.code)
            same = o.bad && w.fault.at == o.fault;
        else
            same = !o.bad && !o.open && o.n == w.n && equal_cells(&o, &w, &a);
        if (!same || rc == STOP)
            break;
        rows++;
    }
    rows_close(&w);
    buf_release(&o.cells);
    arena_release(&a);
    return same ? rows : -1 - rows;
}

#endif
