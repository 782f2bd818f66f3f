#include <unistd.h>

#include "flow/name.h"
#include "flow/work.h"

static int open_one(struct work *w, struct lane *l, struct beside *b, const struct node *message)
{
    const struct site_companion *c = b->companion;
    const struct limits *limits = &w->site->limits;
    struct output *o = work_output(w, OUTPUT_FILE, l->give);
    int rc = output_name(w, l, c->parts, c->nparts, c->pattern, message, &o->name);
    if (rc != OK)
        return rc;
    o->number = ++l->outputs;
    rc = w->port->open(w->port->owner, o, &b->fd, &w->now);
    if (rc > WARN)
        return rc;
    b->output = o;
    sha256_init(&b->hash);
    sink_open_fd(&b->sink, b->fd, arena_cstr(w->arena, o->name));
    b->sink.hash = &b->hash;
    b->sink.max = limits->output_times * w->job->size + limits->output_base;
    return OK;
}

int beside_open(struct work *w, struct lane *l, const struct node *message)
{
    size_t n = l->give->ncompanions;
    int rc = OK;
    if (!n)
        return OK;
    if (!l->beside) {
        l->beside = arena_zero(w->arena, n * sizeof *l->beside);
        l->companions = arena_zero(w->arena, n * sizeof *l->companions);
    }
    for (size_t i = 0; i < n; i++)
        l->beside[i] = (struct beside){ .companion = &l->give->companions[i], .fd = -1 };
    for (size_t i = 0; i < n && rc <= WARN; i++) {
        rc = open_one(w, l, &l->beside[i], message);
        l->companions[i] = (struct companion_file){ .name = l->give->companions[i].name,
                                                    .sink = &l->beside[i].sink };
    }
    return rc;
}

static int close_one(struct work *w, struct beside *b)
{
    int rc = sink_close(&b->sink, &w->now);
    b->output->bytes = sink_total(&b->sink);
    sha256_hex(&b->hash, b->output->sha256);
    sink_release(&b->sink);
    close(b->fd);
    b->fd = -1;
    return rc <= WARN ? w->port->closed(w->port->owner, b->output, &w->now) : rc;
}

int beside_close(struct work *w, struct lane *l)
{
    int rc = OK;
    for (size_t i = 0; l->beside && i < l->give->ncompanions && rc <= WARN; i++)
        rc = close_one(w, &l->beside[i]);
    return rc;
}

void beside_turn(struct lane *l)
{
    for (size_t i = 0; l->beside && i < l->give->ncompanions; i++)
        if (l->beside[i].fd >= 0)
            sink_turn(&l->beside[i].sink);
}

void beside_drop(struct lane *l)
{
    for (size_t i = 0; l->beside && i < l->give->ncompanions; i++) {
        struct beside *b = &l->beside[i];
        if (b->fd < 0)
            continue;
        sink_release(&b->sink);
        close(b->fd);
        b->fd = -1;
    }
}
