/*
 * CSV: our scan against libcsv; whole files against files that come seven bytes at a time; what is written reads back
 * as the same; an update that changes nothing gives the same bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define KIT_KEEPS_FORMATS
#include "unit/csvequal.h"
#include "unit/csvkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const formats[] = {
    "syntax csv\nmessage M key A {\n A text\n B text\n group L 0..* {\n C text\n D text\n }\n}\n",
    "syntax csv delimiter \";\" header no\nmessage M key A again {\n A text\n B integer\n group L 0..* key C {\n C "
    "text\n group N 0..* {\n D decimal\n }\n }\n}\n",
    "syntax csv delimiter tab header no quote none\nencoding windows-1252\nmessage M {\n A text\n B text\n}\n",
    "syntax csv delimiter \"|\" header no tag 1\nmessage M at \"H\" {\n A text\n group L 0..* at \"L\" {\n B text\n "
    "}\n}\n",
    "syntax csv delimiter none\nmessage M {\n A text\n}\n",
};

static ssize_t drip(struct source *s, char *p, size_t n)
{
    struct slice *left = s->owner;
    size_t now = left->n < 7 ? left->n : 7;
    now = now < n ? now : n;
    memcpy(p, left->p, now);
    left->p += now;
    left->n -= now;
    return (ssize_t)now;
}

static void same_as_libcsv(struct slice text)
{
    static const unsigned char delimiters[] = { ',', ';', '\t', '|' };
    if (memchr(text.p, 0, text.n))
        return;
    for (size_t i = 0; i < sizeof delimiters; i++) {
        struct source s;
        source_open_text(&s, text, "x", NULL);
        if (csv_ways_equal(text, delimiters[i], &s) < 0)
            abort();
    }
}

/* Reads all of it, whole and in drips: the same messages, problems and places. */
static void same_in_drips(const char *format, struct slice text, struct buf *out)
{
    struct kit whole, parts;
    struct slice left = text;
    kit_open(&whole, format, text.p, text.n);
    kit_dump(&whole);
    kit_start(&parts, format);
    source_open_window(&parts.source, drip, &left, "test.csv", NULL, 256);
    kit_read(&parts);
    kit_dump(&parts);
    bool split =
        whole.out.n && memmem(whole.out.p, whole.out.n, "KEY_SPLIT", 9); /* looks the key up in the file again */
    enum charset mark = CHARSET_UNKNOWN;
    bool wide = charset_bom(text, &mark) == 2;      /* decoded ahead: a pipe has no places then */
    if (!split && !wide && !slice_equal(buf_slice(&whole.out), buf_slice(&parts.out))) {
        fprintf(stderr, "whole:\n%s\nin drips:\n%s\n", whole.out.p ? whole.out.p : "", parts.out.p ? parts.out.p : "");
        abort();
    }
    buf_add(out, buf_slice(&whole.out));
    kit_close(&whole);
    kit_close(&parts);
}

static void no_change(const char *format, struct slice text)
{
    struct kit k;
    struct patcher p;
    struct source again;
    struct sink out;
    struct edits edits;
    struct node *m = NULL;
    kit_open(&k, format, text.p, text.n);
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&edits, &k.arena);
    while (k.rc < STOP && (k.rc = reader_read(&k.reader, &k.arena, &m, &k.problems)) != END)
        for (size_t i = 0; k.rc == OK && i < m->group->nfields; i++)
            if (m->values[i].form & VALUE_QUOTED)
                edit_set(&edits, m, m->group->fields[i], &m->values[i]);
    source_open_text(&again, text, "again", NULL);
    sink_open_memory(&out, "out");
    if (patcher_add(&p, &edits, &k.problems) == OK && patch_run(&p, &again, &out, &k.problems) == OK
        && !slice_equal(buf_slice(&out.buf), text)) {
        const char *how = format_option(k.format, "quote", SLICE("")).p;
        if (!how || k.problems.errors == 0)
            abort();
    }
    sink_release(&out);
    kit_close(&k);
}

/* What was written can be read, and is written the same way again. */
static void stable_writing(const char *format, struct slice text)
{
    struct kit first, second;
    kit_open(&first, format, text.p, text.n);
    kit_rewrite(&first);
    if (first.rc < STOP && first.problems.n == 0) {     /* rejected messages would bring their neighbours together */
        kit_open(&second, format, first.out.p, first.out.n);
        kit_rewrite(&second);
        bool empty = second.problems.first && slice_is(slice_of(second.problems.first->code), "EMPTY_FILE");
        if (!empty && !slice_equal(buf_slice(&first.out), buf_slice(&second.out))) {
            fprintf(stderr, "first:\n%s\nsecond:\n%s\n", first.out.p, second.out.p);
            abort();
        }
        kit_close(&second);
    }
    kit_close(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = { (const char *)data, n };
    struct buf out = { 0 }, json = { 0 };
    const char *format = formats[n % (sizeof formats / sizeof *formats)];
    same_as_libcsv(text);
    same_in_drips(format, text, &out);
    no_change(format, text);
    stable_writing(format, text);
    struct kit k;
    kit_start(&k, formats[0]);
    source_open_text(&k.source, text, "x", NULL);
    source_locate(&k.source, &k.problems);
    syntax_find(SLICE("csv"))->bid(text);
    if (n < 1024)                   /* guesses charsets, which is half the time of a long input */
        syntax_find(SLICE("csv"))->inspect(&k.source, &json, &k.problems);
    kit_close(&k);
    buf_release(&out);
    buf_release(&json);
    return 0;
}
