#include "flow/work.h"

#define GROUPS_MAX 50

/* Line[2]/Qty and Line[7]/Qty are one path when problems are grouped. */
static struct slice path_shape(struct arena *a, struct slice path)
{
    char *out = arena_alloc(a, path.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '[') {
            while (i < path.n && path.p[i] != ']')
                i++;
            continue;
        }
        out[n++] = path.p[i];
    }
    return (struct slice){ out, n };
}

static struct problem *find_group(struct problems *groups, struct arena *a, const struct problem *p)
{
    struct slice shape = path_shape(a, p->path);
    for (struct problem *g = groups->first; g; g = g->next)
        if (strcmp(g->code, p->code) == 0 && slice_equal(path_shape(a, g->path), shape))
            return g;
    return NULL;
}

static void fold_one(struct work *w, const struct problem *p)
{
    struct problems *groups = &w->result->problems;
    struct problem *g = find_group(groups, &w->message, p);
    if (g) {
        g->count++;
        return;
    }
    if (groups->n >= GROUPS_MAX)
        return;
    size_t errors = groups->errors, warnings = groups->warnings, notes = groups->notes;
    groups->locate = NULL;
    problem_add(groups, p);
    groups->errors = errors;
    groups->warnings = warnings;
    groups->notes = notes;
    groups->last->code = arena_cstr(w->arena, slice_of(p->code));   /* the mapping's codes live no longer than the
                                                                       message */
    groups->last->count = 1;
}

/* Values of sensitive fields are in no problem, whichever document they are of. */
void groups_hide(struct work *w)
{
    if (w->op->format)
        problems_hide(&w->now, &w->op->format->hidden);
    for (size_t i = 0; i < w->op->ngives; i++) {
        if (w->op->gives[i]->mapping)
            problems_hide(&w->now, &w->op->gives[i]->mapping->hidden);
        if (w->op->gives[i]->from)
            problems_hide(&w->now, &w->op->gives[i]->from->hidden);
        if (w->op->gives[i]->to)
            problems_hide(&w->now, &w->op->gives[i]->to->hidden);
    }
}

/* Moves the problems of the message at hand into the groups of the file. */
void groups_fold(struct work *w)
{
    struct problems *groups = &w->result->problems;
    for (const struct problem *p = w->now.first; p; p = p->next)
        fold_one(w, p);
    groups->errors += w->now.errors;
    groups->warnings += w->now.warnings;
    groups->notes += w->now.notes;
    problems_init(&w->now, &w->message, 100);
    groups_hide(w);
}
