#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow/work.h"

/* ---- `companion lines "invoice_lines*.csv"` of a take: rows that lie in a file of their own ---------------------- */

static int open_one(struct work *w, const struct site_companion *c, struct companion_file *f)
{
    struct came came;
    struct buf shown = { 0 };
    int rc = w->port->companion(w->port->owner, true, c->name, &came, &w->now);
    if (rc > WARN || came.fd < 0)                   /* the reader says which one it misses */
        return rc;
    buf_add_shown(&shown, came.name, 200);
    f->source = arena_zero(w->arena, sizeof *f->source);
    source_open_fd(f->source, came.fd, arena_cstr(w->arena, buf_slice(&shown)), &w->site->limits);
    buf_release(&shown);
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
    w->used = arena_zero(w->arena, (w->ncompanions + 1) * sizeof *w->used);
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

/* ---- what is set aside of them: all rows but those of messages that were not refused ---------------------------- */

static struct spans *used_of(struct work *w, struct slice name)
{
    for (size_t i = 0; i < w->ncompanions; i++)
        if (slice_equal(w->companions[i].name, name))
            return &w->used[i];
    return NULL;
}

/* Rows that stand together are one range. */
static void use_row(struct work *w, struct spans *s, const struct node *row)
{
    if (row->at == VALUE_NO_PLACE || row->end <= row->at)
        return;
    if (s->n && s->list[s->n - 1].end == row->at)
        s->list[s->n - 1].end = row->end;
    else
        ARENA_PUSH(w->arena, s->list, s->n, s->cap) = (struct span){ row->at, row->end };
}

void with_used(struct work *w, const struct node *message)
{
    for (size_t i = 0; w->ncompanions && i < message->group->ngroups; i++)
        for (const struct node *n = node_lists(message)[i].first; n; n = n->next) {
            struct spans *s = n->group->companion.n ? used_of(w, n->group->companion) : NULL;
            if (s)
                use_row(w, s, n);
            else
                with_used(w, n);
        }
}

static int by_place(const void *a, const void *b)
{
    const struct span *one = a, *two = b;
    return one->at < two->at ? -1 : one->at > two->at;
}

/* The companion without the ranges that were used. */
static int write_rest(struct work *w, struct source *again, struct spans *used, struct sink *sink)
{
    size_t n = used->n;
    if (n == 0)
        return syntax_excerpt(again, 0, 0, NULL, 0, sink, &w->now);
    qsort(used->list, n, sizeof *used->list, by_place);
    uint64_t head = used->list[0].at, tail = used->list[n - 1].end;
    for (size_t i = 0; i + 1 < n; i++)
        used->list[i] = (struct span){ used->list[i].end, used->list[i + 1].at };
    return syntax_excerpt(again, head, tail, used->list, n - 1, sink, &w->now);
}

static int set_one_aside(struct work *w, size_t i)
{
    struct source *from = w->companions[i].source, again;
    if (lseek(from->fd, 0, SEEK_SET) < 0)
        return problem_system(&w->now, from->name, "the companion cannot be read twice", errno);
    struct aside a;
    int rc = aside_open(w, &a, w->companions[i].name, (uint32_t)i + 1);
    if (rc > WARN)
        return rc;
    source_open_fd(&again, from->fd, from->name, &w->site->limits);
    rc = write_rest(w, &again, &w->used[i], &a.sink);
    source_close(&again);
    return aside_close(w, &a, rc);
}

int with_set_aside(struct work *w)
{
    int rc = OK;
    for (size_t i = 0; i < w->ncompanions && rc <= WARN; i++)
        rc = set_one_aside(w, i);
    return rc;
}
