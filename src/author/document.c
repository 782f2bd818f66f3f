#include "author/document.h"

#include "syntax/syntax.h"

static int read_messages(struct reader *r, struct arena *a, struct document *out, struct problems *ps)
{
    struct arena message;
    arena_init(&message, r->limits->message);
    int worst = OK;
    for (;;) {
        struct node *n;
        int rc = reader_read(r, &message, &n, ps);
        if (rc == END)
            break;
        if (rc >= SKIP)
            worst = rc;
        if (rc >= STOP)
            break;
        if (rc <= WARN)
            ARENA_PUSH(a, out->messages, out->n, out->cap) = node_copy(a, n, NULL);
        arena_reset(&message);
    }
    arena_release(&message);
    return worst;
}

int document_read(struct arena *a, const struct format *f, const struct limits *limits, const char *name,
                  struct slice bytes, struct document *out, struct problems *ps)
{
    struct source source;
    source_open_text(&source, bytes, name, limits);
    source_locate(&source, ps);
    struct reader r = { .source = &source, .format = f, .limits = limits };
    struct arena own;
    arena_init(&own, 0);
    *out = (struct document){ .format = f };
    int rc = reader_open(&r, &own, ps);
    if (rc <= WARN) {
        rc = read_messages(&r, a, out, ps);
        out->file = node_copy(a, r.file, NULL);
        for (size_t i = 0; i < out->n; i++)
            out->messages[i]->parent = out->file;
        reader_close(&r);
    }
    ps->locate = NULL;
    source_close(&source);
    arena_release(&own);
    return rc;
}

int document_write(const struct document *d, const struct limits *limits, struct buf *out, struct problems *ps)
{
    struct sink sink;
    sink_open_memory(&sink, "document");
    struct writer w = { .sink = &sink, .format = d->format, .limits = limits, .file = d->file };
    struct arena own;
    arena_init(&own, 0);
    int rc = writer_open(&w, &own, ps), worst = rc;
    for (size_t i = 0; i < d->n && rc <= SKIP; i++) {
        rc = writer_write(&w, d->messages[i], ps);
        worst = rc > worst ? rc : worst;
    }
    if (worst <= SKIP) {
        rc = writer_close(&w, ps);
        worst = rc > worst ? rc : worst;
    }
    writer_drop(&w);
    buf_add(out, buf_slice(&sink.buf));
    sink_release(&sink);
    arena_release(&own);
    return worst;
}
