#include "flow/work.h"

/* The last state of the list whose conditions hold from the top. */
size_t states_index(struct work *w, const struct node *instance)
{
    const struct flow *f = w->op->flow;
    size_t i = 0;
    while (i < f->nstates && (!f->states[i].when || formula_holds(w->formulas, f->states[i].when, instance,
                                                                  &w->message)))
        i++;
    return i ? i - 1 : f->nstates;
}

/* Does the group lie on the way down to the tracked one? */
static bool leads(const struct group *g, const struct group *track)
{
    while (track && track != g)
        track = track->is_message ? NULL : track->parent;
    return track != NULL;
}

typedef void visit_instance(void *owner, const struct node *n);

static void each_tracked(const struct flow *f, const struct node *n, visit_instance *visit, void *owner)
{
    if (n->group == f->track) {
        visit(owner, n);
        return;
    }
    for (size_t i = 0; i < n->group->ngroups; i++)
        if (leads(n->group->groups[i], f->track))
            for (const struct node *c = node_lists(n)[i].first; c; c = c->next)
                each_tracked(f, c, visit, owner);
}

struct counting {
    struct work *work;
    uint64_t *counts;
};

static void count_one(void *owner, const struct node *n)
{
    struct counting *c = owner;
    c->counts[states_index(c->work, n)]++;
}

void states_count(struct work *w, const struct node *message, uint64_t *counts)
{
    struct counting c = { w, counts };
    if (w->op->flow->track)
        each_tracked(w->op->flow, message, count_one, &c);
}

struct least {
    struct work *work;
    size_t index;
    bool any;
};

static void find_least(void *owner, const struct node *n)
{
    struct least *l = owner;
    size_t i = states_index(l->work, n), none = l->work->op->flow->nstates;
    if (!l->any || i == none || i < l->index)
        l->index = l->any && l->index == none ? none : i;
    l->any = true;
}

/* Of an instance below a tracked one that one's; above them the one that is furthest behind. */
struct slice states_of(void *owner, const struct node *instance)
{
    struct work *w = owner;
    const struct flow *f = w->op->flow;
    struct least l = { .work = w, .index = f->nstates };
    const struct node *n = instance;
    while (n && f->track && n->group != f->track)
        n = n->parent;
    if (n && f->track)
        l.index = states_index(w, n);
    else if (f->track)
        each_tracked(f, instance, find_least, &l);
    return l.index < f->nstates ? f->states[l.index].name : slice_none();
}

struct listing {
    struct work *work;
    struct line_state *first, **link;
};

static void list_one(void *owner, const struct node *n)
{
    struct listing *l = owner;
    struct work *w = l->work;
    size_t i = states_index(w, n);
    struct line_state *s = arena_zero(&w->message, sizeof *s);
    *s = (struct line_state){ .path = node_path(&w->message, n, NULL), .key = note_key(&w->message, n),
                              .state = i < w->op->flow->nstates ? w->op->flow->states[i].name : SLICE("") };
    *l->link = s;
    l->link = &s->next;
}

/* The states of tracked instances below the message, for its line. */
struct line_state *states_lines(struct work *w, const struct node *message)
{
    const struct flow *f = w->op->flow;
    struct listing l = { .work = w };
    l.link = &l.first;
    if (f->track && !f->track->is_message && message->group == f->batch_group)
        each_tracked(f, message, list_one, &l);
    return l.first;
}
