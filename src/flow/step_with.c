#include <unistd.h>

#include "flow/work.h"

/* ---- `companion lines "invoice_lines*.csv"` of a take: rows that lie in a file of their own ---------------------- */

static int open_one(struct work *w, const struct site_companion *c, struct companion_file *f)
{
    int fd;
    int rc = w->port->companion(w->port->owner, true, c->name, &fd, &w->now);
    if (rc > WARN || fd < 0)                        /* the reader says which one it misses */
        return rc;
    f->source = arena_zero(w->arena, sizeof *f->source);
    source_open_fd(f->source, fd, arena_cstr(w->arena, c->name), &w->site->limits);
    return OK;
}

int with_open(struct work *w)
{
    const struct take *t = &w->op->take;
    int rc = OK;
    w->companions = arena_zero(w->arena, (t->ncompanions + 1) * sizeof *w->companions);
    for (size_t i = 0; i < t->ncompanions && rc <= WARN && t->kind == TAKE_INBOX; i++) {
        if (!t->companions[i].name.n)
            continue;
        struct companion_file *f = &w->companions[w->ncompanions];
        f->name = t->companions[i].name;
        rc = open_one(w, &t->companions[i], f);
        w->ncompanions += f->source != NULL;
    }
    w->reader.companions = w->companions;
    w->reader.ncompanions = w->ncompanions;
    return rc;
}

void with_close(struct work *w)
{
    for (size_t i = 0; i < w->ncompanions; i++) {
        close(w->companions[i].source->fd);
        source_close(w->companions[i].source);
    }
    w->ncompanions = 0;
}
