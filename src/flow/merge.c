#include "flow/merge.h"

static void add_companions(struct merge *m, const struct group *g)
{
    for (size_t i = 0; i < g->ngroups; i++) {
        size_t n = m->writer.ncompanions;
        if (g->groups[i]->companion.n && n < MERGE_COMPANIONS) {
            sink_open_memory(&m->beside[n], "companion");
            m->companions[n] = (struct companion_file){ .name = g->groups[i]->companion, .sink = &m->beside[n] };
            m->writer.ncompanions = n + 1;
        }
        add_companions(m, g->groups[i]);
    }
}

void merge_open(struct merge *m, struct run *r, const struct format *f, const struct limits *limits, struct node *file)
{
    *m = (struct merge){ .run = r, .pool = pool_new(r, limits->table) };
    arena_init(&m->arena, 0);
    sink_open_memory(&m->sink, "document");
    m->writer = (struct writer){ .sink = &m->sink, .format = f, .limits = limits, .file = file,
                                 .companions = m->companions };
    add_companions(m, f->file_group);
}

int merge_load(struct merge *m, const struct node *document, struct problems *ps)
{
    return pool_load(m->pool, document, ps);
}

/* Can it be written?  What comes out is thrown away; a file of its own, for a format may hold one document only. */
static int try_document(void *owner, struct node *document, struct problems *ps)
{
    struct merge *m = owner;
    struct writer w = m->writer;
    int rc = writer_open(&w, &m->arena, ps);
    if (rc <= WARN)
        rc = writer_write(&w, document, ps);
    writer_drop(&w);
    arena_reset(&m->arena);
    m->sink.buf.n = 0;
    for (size_t i = 0; i < m->writer.ncompanions; i++)
        m->beside[i].buf.n = 0;
    return rc;
}

void message_give_back(struct run *r, struct arena *a)
{
    struct edits back;
    edits_init(&back, a);
    run_back(r, &back);
    if (back.n)
        edits_apply(&back, a);
}

int merge_message(struct merge *m, struct node *message, uint64_t number, struct arena *a, struct outcome *o,
                  struct problems *ps)
{
    return pool_merge(m->pool, message, number, a, o, try_document, m, ps);
}

int merge_keep(struct merge *m, struct problems *ps)
{
    return pool_keep(m->pool, ps);
}

int merge_write(const struct merge *m, struct writer *w, struct problems *ps)
{
    int rc = OK;
    for (size_t i = 0; i < pool_count(m->pool) && rc <= WARN; i++) {
        rc = writer_write(w, pool_at(m->pool, i), ps);
        sink_turn(w->sink);
    }
    return rc == SKIP ? STOP : rc;              /* half a document helps nobody */
}

void merge_close(struct merge *m)
{
    sink_release(&m->sink);
    for (size_t i = 0; i < m->writer.ncompanions; i++)
        sink_release(&m->beside[i]);
    pool_release(m->pool);
    arena_release(&m->arena);
}
