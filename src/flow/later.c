#include <stdio.h>

#include "flow/left.h"

#define ON_HAND_MAX 256             /* trips of a flow above which its batches in work/ wait */

/* A flow may be gone from the site since: its batches are looked at to say so. */
static bool has_room(const struct supervisor *s, const struct laters *of)
{
    const struct flow *f = site_flow(s->site, of->flow);
    return of->first && (!f || s->flows[f->index].n < ON_HAND_MAX);
}

static struct laters *of_flow(const struct supervisor *s, struct slice flow)
{
    struct laters *of = s->laters;
    while (of && !slice_equal(of->flow, flow))
        of = of->next;
    return of;
}

bool later_due(const struct supervisor *s, const struct flow *f, const char *id)
{
    const struct laters *of = of_flow(s, f->name);
    bool before = of && of->first && strcmp(of->first->id, id) != 0;
    return !before && s->flows[f->index].n < ON_HAND_MAX;
}

bool later_any(const struct supervisor *s, const struct flow *f)
{
    const struct laters *of = of_flow(s, f->name);
    return of && of->first;
}

bool later_ready(const struct supervisor *s)
{
    const struct laters *of = s->laters;
    while (of && !has_room(s, of))
        of = of->next;
    return of;
}

void later_add(struct supervisor *s, struct slice flow, const char *id)
{
    struct laters *of = of_flow(s, flow);
    struct later *l = arena_zero(&s->later_arena, sizeof *l);
    if (!of) {
        of = arena_zero(&s->later_arena, sizeof *of);
        *of = (struct laters){ .flow = arena_copy(&s->later_arena, flow), .next = s->laters };
        s->laters = of;
    }
    snprintf(l->id, sizeof l->id, "%s", id);
    *(of->first ? &of->last->next : &of->first) = l;
    of->last = l;
}

/* It is the first until it is taken up: later_due. */
static void take(struct supervisor *s, struct laters *of)
{
    while (has_room(s, of)) {
        if (resume_batch(s, of->first->id) > SKIP)
            left_unknown(s);
        of->first = of->first->next;
    }
}

void later_take(struct supervisor *s)
{
    bool any = false;
    if (!s->laters)
        return;
    for (struct laters *of = s->laters; of; of = of->next) {
        take(s, of);
        any = any || of->first;
    }
    if (!any) {
        s->laters = NULL;
        arena_reset(&s->later_arena);
        if (s->claims_due != INT64_MAX)
            claims_later(s, 0);                     /* they stood behind */
    }
    notice_problems(s, s->ps);
}
