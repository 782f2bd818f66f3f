#include "flow/trial.h"

struct trial {
    struct writer writer;
    struct arena arena;             /* of the writer */
    struct sink sink, *beside;
    struct companion_file *companions;
    size_t ncompanions;
    bool open;
};

struct trial *trial_new(struct arena *a, size_t ncompanions)
{
    struct trial *t = arena_zero(a, sizeof *t);
    arena_init(&t->arena, 0);
    sink_open_memory(&t->sink, "document");
    t->beside = arena_zero(a, (ncompanions + 1) * sizeof *t->beside);
    t->companions = arena_zero(a, (ncompanions + 1) * sizeof *t->companions);
    return t;
}

void trial_companion(struct trial *t, struct slice name)
{
    size_t i = t->ncompanions++;
    sink_open_memory(&t->beside[i], "companion");
    t->companions[i] = (struct companion_file){ .name = name, .sink = &t->beside[i] };
}

static void close_trial(struct trial *t)
{
    if (t->open)
        writer_drop(&t->writer);
    t->open = false;
    arena_reset(&t->arena);
}

static int open_trial(struct trial *t, const struct writer *as, struct problems *ps)
{
    t->writer = (struct writer){ .sink = &t->sink, .format = as->format, .exact = as->exact, .limits = as->limits,
                                 .file = as->file, .companions = t->companions, .ncompanions = t->ncompanions };
    t->open = true;
    return writer_open(&t->writer, &t->arena, ps);
}

static int try_once(struct trial *t, const struct writer *as, const struct node *target, struct problems *ps)
{
    int rc = t->open ? OK : open_trial(t, as, ps);
    if (rc <= WARN)
        rc = writer_write(&t->writer, target, ps);
    t->sink.buf.n = 0;
    for (size_t i = 0; i < t->ncompanions; i++)
        t->beside[i].buf.n = 0;
    if (rc >= STOP)
        close_trial(t);
    return rc;
}

int trial_ask(struct trial *t, const struct writer *as, const struct node *target, struct arena *message,
              struct problems *ps)
{
    struct problems now;
    bool used = t->open;
    problems_init(&now, message, 100);
    now.file = ps->file;
    now.message = ps->message;
    int rc = try_once(t, as, target, &now);
    if (rc >= STOP && used)
        rc = try_once(t, as, target, &now);     /* the file held one already */
    if (rc != SKIP)
        return OK;
    return try_once(t, as, target, ps) == SKIP ? SKIP : OK;
}

void trial_release(struct trial *t)
{
    if (!t)
        return;
    close_trial(t);
    arena_release(&t->arena);
    sink_release(&t->sink);
    for (size_t i = 0; i < t->ncompanions; i++)
        sink_release(&t->beside[i]);
}
