#include "flow/work.h"

struct stamping {
    struct work *work;
    const struct stamp *stamp;
    struct edits *edits;
};

/* Worked out of the instance as it was before any stamp. */
static int stamp_one(struct stamping *s, struct node *n)
{
    struct work *w = s->work;
    struct value v = { .at = VALUE_NO_PLACE };
    int rc = formula_value(w->formulas, s->stamp->value, n, s->stamp->field, &w->message, &v, &w->now);
    if (rc <= WARN && !type_equal(s->stamp->field->type, node_value(n, s->stamp->field), &v))
        edit_set(s->edits, n, s->stamp->field, &v);
    return rc;
}

/* A message that is given as it is, is taken with all below it. */
static int stamp_below(struct stamping *s, struct node *n)
{
    int rc = n->group == s->stamp->group ? stamp_one(s, n) : OK;
    for (size_t i = 0; i < n->group->ngroups && rc <= WARN; i++)
        for (struct node *c = node_lists(n)[i].first; c && rc <= WARN; c = c->next)
            rc = stamp_below(s, c);
    return rc;
}

static int stamp_taken(struct stamping *s)
{
    struct work *w = s->work;
    int rc = OK;
    for (size_t i = 0; i < w->ntaken && rc <= WARN; i++)
        if (w->taken[i]->group == s->stamp->group)
            rc = stamp_one(s, w->taken[i]);
    return rc;
}

/* The values change places, in this order or back. */
static void swap(struct edit *const *list, size_t n, bool back)
{
    for (size_t i = 0; i < n; i++) {
        struct edit *e = list[back ? n - 1 - i : i];
        struct value *at = node_value(e->node, e->field), was = *at;
        *at = e->value;
        e->value = was;
    }
}

/* Reports see the message as it was before: it is stamped for the question only. */
static int try_stamped(struct work *w, struct node *message)
{
    size_t n = 0;
    struct edit **list = arena_alloc(&w->message, (w->stamps.n + 1) * sizeof *list);
    for (struct edit *e = w->stamps.first; e; e = e->next)
        list[n++] = e;
    swap(list, n, false);
    int rc = stage_try(w->stage, message);
    swap(list, n, true);
    return rc;
}

int step_stamp(struct work *w, struct node *message)
{
    int rc = OK;
    edits_init(&w->stamps, &w->message);
    for (size_t i = 0; i < w->op->nstamps && rc <= WARN; i++) {
        struct stamping s = { w, &w->op->stamps[i], &w->stamps };
        rc = w->whole ? stamp_below(&s, message) : stamp_taken(&s);
    }
    return rc <= WARN && (w->changed || w->stamps.n) ? try_stamped(w, message) : rc;
}

void step_done(struct work *w)
{
    step_edit(w, &w->stamps);
}
