/*
 * Companion files: rows of a second file that belong to messages of the first; the two stand in one input, with a line
 * `--` between them.  Where the second can be looked through ahead its rows stream past, from a pipe all of them wait:
 * either way each message gets the same rows, and the same is said of it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define KIT_KEEPS_FORMATS
#include "unit/csvkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const formats[] = {
    "syntax csv\nmessage I key No {\n No integer\n Who text\n group L 0..* file rows join No {\n Item text\n Qty "
    "decimal\n }\n}\n",
    "syntax csv delimiter \";\"\nmessage I key No {\n No text\n group L 0..* key Id {\n Id text\n group P 0..* file rows "
    "join Id {\n Name text required\n }\n }\n}\n",
    "syntax csv delimiter \",\"\nmessage I key Day {\n Day date\n group L 0..2 file rows join Day {\n Qty decimal max 3\n "
    "}\n}\n",
};

static ssize_t drip(struct source *s, char *p, size_t n)
{
    struct slice *left = s->owner;
    size_t now = left->n < 5 ? left->n : 5;
    now = now < n ? now : n;
    memcpy(p, left->p, now);
    left->p += now;
    left->n -= now;
    return (ssize_t)now;
}

/* The messages, each with the codes of what was said until then; the last code is told apart: it is of no message. */
static void read_all(struct kit *k, struct source *rows)
{
    struct companion_file in = { .name = SLICE("rows"), .source = rows };
    struct problem *seen = NULL;
    struct node *m = NULL;
    source_locate(&k->source, &k->problems);
    k->reader = (struct reader){ .source = &k->source, .format = k->format, .companions = &in, .ncompanions = 1 };
    k->rc = reader_open(&k->reader, &k->arena, &k->problems);
    while (k->rc < STOP && (k->rc = reader_read(&k->reader, &k->message, &m, &k->problems)) < STOP && k->rc != END) {
        buf_printf(&k->out, "[%d]", k->rc);
        for (struct problem *p = seen ? seen->next : k->problems.first; p; p = p->next, seen = k->problems.last)
            buf_printf(&k->out, " %s %u:%u", p->code, p->place.line, p->place.column);
        if (k->rc < SKIP)
            kit_tree(&k->out, m);
        buf_byte(&k->out, '\n');
        arena_reset(&k->message);
    }
    for (struct problem *p = k->problems.first; p; p = p->next)
        if (strcmp(p->code, "JOIN_ORPHAN") == 0)
            buf_text(&k->out, "rows are left\n");
    buf_byte(&k->out, 0);
}

static void read_twice(const char *format, struct slice main, struct slice rows)
{
    struct kit ahead, waiting;
    struct source s;
    struct slice left = rows;
    kit_start(&ahead, format);
    source_open_text(&ahead.source, main, "main.csv", NULL);
    source_open_text(&s, rows, "rows.csv", NULL);
    read_all(&ahead, &s);
    kit_start(&waiting, format);
    source_open_text(&waiting.source, main, "main.csv", NULL);
    source_open_window(&s, drip, &left, "rows.csv", NULL, 256);
    read_all(&waiting, &s);
    if (ahead.rc < STOP && waiting.rc < STOP && strcmp(ahead.out.p, waiting.out.p) != 0) {
        fprintf(stderr, "looked through ahead:\n%s\nfrom a pipe:\n%s\n", ahead.out.p, waiting.out.p);
        abort();
    }
    source_close(&s);
    kit_close(&ahead);
    kit_close(&waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice main = { (const char *)data, n }, rows = main;
    const char *between = memmem(data, n, "\n--\n", 4);
    if (between) {
        main.n = (size_t)(between - main.p) + 1;
        rows = (struct slice){ between + 4, n - main.n - 3 };
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        read_twice(formats[i], main, rows);
    return 0;
}
