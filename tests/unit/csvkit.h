/* What the CSV tests share: a format from text, messages as text, a file rewritten. */
#ifndef TESTS_UNIT_CSVKIT_H
#define TESTS_UNIT_CSVKIT_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "syntax/syntax.h"
#include "unit/formatkit.h"

struct kit {
    struct arena arena, message;
    struct problems problems;
    struct format *format;
    struct source source;
    struct reader reader;
    struct buf out;
    FILE *file;
    int rc;
};

static inline bool kit_format(struct kit *k, const char *format)
{
    *k = (struct kit){ 0 };
    arena_init(&k->arena, 0);
    problems_init(&k->problems, &k->arena, 0);
    k->format = format_of(&k->arena, format, &k->problems);
    return k->format;
}

static inline void kit_start(struct kit *k, const char *format)
{
    bool good = kit_format(k, format);
    for (struct problem *p = k->problems.first; p; p = p->next) {
        struct buf b = { 0 };
        problem_show(&b, p);
        if (!good)
            fprintf(stderr, "%.*s", (int)b.n, b.p);
        buf_release(&b);
    }
    if (!good)
        abort();
    arena_init(&k->message, limits_default.message);
}

static inline void kit_read(struct kit *k)
{
    source_locate(&k->source, &k->problems);
    k->reader = (struct reader){ .source = &k->source, .format = k->format };
    k->rc = reader_open(&k->reader, &k->arena, &k->problems);
}

static inline void kit_open(struct kit *k, const char *format, const char *text, size_t n)
{
    kit_start(k, format);
    source_open_text(&k->source, (struct slice){ text, n }, "test.csv", NULL);
    kit_read(k);
}

static inline void kit_open_file(struct kit *k, const char *format, const char *text, size_t n)
{
    kit_start(k, format);
    k->file = tmpfile();
    if (!k->file || fwrite(text, 1, n, k->file) != n || fflush(k->file) != 0
        || lseek(fileno(k->file), 0, SEEK_SET) != 0)
        abort();
    source_open_fd(&k->source, fileno(k->file), "test.csv", NULL);
    kit_read(k);
}

static inline void kit_close(struct kit *k)
{
    if (k->reader.syntax)
        reader_close(&k->reader);
    source_close(&k->source);
    if (k->file)
        fclose(k->file);
    arena_release(&k->message);
    arena_release(&k->arena);
    buf_release(&k->out);
}

/* `No=A Line{Item=x Qty=1}`: absent values are left out, empty ones are `Name=`. */
static inline void kit_tree(struct buf *b, const struct node *n)
{
    const char *sep = "";
    for (size_t i = 0; i < n->group->nmembers; i++) {
        const struct field *f = n->group->members[i].field;
        if (f && n->values[f->slot].state == VALUE_ABSENT)
            continue;
        if (f) {
            buf_printf(b, "%s%.*s=", sep, SLICE_ARG(f->name));
            buf_add_shown(b, value_text(&n->values[f->slot]), 0);
            sep = " ";
            continue;
        }
        for (struct node *c = node_list(n, n->group->members[i].group)->first; c; c = c->next) {
            buf_printf(b, "%s%.*s{", sep, SLICE_ARG(c->group->name));
            kit_tree(b, c);
            buf_byte(b, '}');
            sep = " ";
        }
    }
}

/* "[CODE line:column]" for each problem since the last call. */
static inline void kit_problems(struct kit *k, struct problem **seen)
{
    for (struct problem *p = *seen ? (*seen)->next : k->problems.first; p; p = p->next) {
        buf_printf(&k->out, "[%s %u:%u]\n", p->code, p->place.line, p->place.column);
        *seen = p;
    }
}

/* "[status at..end]", the problems, then the tree of each good message. */
static inline void kit_dump(struct kit *k)
{
    struct problem *seen = NULL;
    struct node *m = NULL;
    while (k->rc < STOP && (k->rc = reader_read(&k->reader, &k->message, &m, &k->problems)) != END && k->rc < STOP) {
        buf_printf(&k->out, "[%d %llu..%llu]\n", k->rc, (unsigned long long)m->at, (unsigned long long)m->end);
        kit_problems(k, &seen);
        if (k->rc < SKIP) {
            kit_tree(&k->out, m);
            buf_byte(&k->out, '\n');
        }
        arena_reset(&k->message);
    }
    if (k->rc >= STOP)
        buf_printf(&k->out, "[%d]\n", k->rc);
    kit_problems(k, &seen);
    if (k->out.n) {
        buf_byte(&k->out, 0);
        k->out.n--;
    }
}

/* Reads all and writes all by the same format, into k->out. */
static inline void kit_rewrite(struct kit *k)
{
    struct sink sink;
    struct node *m = NULL;
    sink_open_memory(&sink, "out.csv");
    struct writer w = { .sink = &sink, .format = k->format, .file = k->reader.file };
    k->rc = writer_open(&w, &k->arena, &k->problems);
    while (k->rc < STOP && (k->rc = reader_read(&k->reader, &k->message, &m, &k->problems)) != END && k->rc < STOP) {
        if (k->rc < SKIP)
            k->rc = writer_write(&w, m, &k->problems);
        arena_reset(&k->message);
    }
    int rc = writer_close(&w, &k->problems);
    k->rc = rc > k->rc ? rc : k->rc;
    rc = sink_close(&sink, &k->problems);
    k->rc = rc > k->rc ? rc : k->rc;
    buf_add(&k->out, buf_slice(&sink.buf));
    buf_byte(&k->out, 0);
    k->out.n--;
    sink_release(&sink);
}

#endif
