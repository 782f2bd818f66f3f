#include "flow/work.h"

static int collect(void *owner, struct node *target, struct problems *ps)
{
    struct lane *l = owner;
    (void)ps;
    if (l->ntargets == l->targets_cap) {
        size_t cap = l->targets_cap ? l->targets_cap * 2 : 4;
        struct node **grown = arena_alloc(&l->arena, cap * sizeof *grown);
        if (l->ntargets)
            memcpy(grown, l->targets, l->ntargets * sizeof *grown);
        l->targets = grown;
        l->targets_cap = cap;
    }
    l->targets[l->ntargets++] = target;
    return OK;
}

static void merge(struct outcome *all, const struct outcome *one)
{
    if (one->kind > all->kind)
        all->kind = one->kind;
    if (!one->first)
        return;
    if (all->last)
        all->last->next = one->first;
    else
        all->first = one->first;
    all->last = one->last;
    all->n += one->n;
}

static void merge_tried(struct outcome *all, const struct outcome *one)
{
    if (one->reason.n)
        all->reason = one->reason;
    if (!one->tried)
        return;
    if (all->last_tried)
        all->last_tried->next = one->tried;
    else
        all->tried = one->tried;
    all->last_tried = one->last_tried;
    all->ntried += one->ntried;
}

static int write_targets(struct work *w, struct lane *l, const struct node *message)
{
    int rc = OK;
    for (size_t i = 0; i < l->ntargets && rc <= WARN; i++)
        rc = lane_write(w, l, l->targets[i], message);
    return rc;
}

/* Nothing of a message is written before its mapping has judged all of it. */
static int map_lane(struct work *w, struct lane *l, struct node *message, struct outcome *outcome)
{
    struct outcome one = { 0 };
    int rc;
    l->ntargets = 0;
    if (lane_merges(l))
        rc = lane_merge(w, l, message, &one);
    else if (l->run)
        rc = run_message(l->run, message, w->reader.messages, &w->message, &one, collect, l, &w->now);
    else
        rc = collect(l, message, &w->now);
    merge(outcome, &one);
    merge_tried(outcome, &one);
    if (rc <= WARN && one.kind >= OUTCOME_SKIP)
        rc = SKIP;
    if (rc <= WARN && l->run)
        message_give_back(l->run, &w->message);
    return rc <= WARN ? write_targets(w, l, message) : rc;
}

/* Gives run in order; a message that one of them refuses or skips is not seen by the later ones. */
int step_map(struct work *w, struct node *message, struct outcome *outcome)
{
    int rc = OK;
    for (size_t i = 0; i < w->op->ngives && rc <= WARN; i++) {
        struct lane *l = &w->lanes[i];
        if (l->give && !l->give->report)
            rc = map_lane(w, l, message, outcome);
    }
    return rc;
}

int step_report(struct work *w, struct node *message, const struct outcome *outcome)
{
    int rc = OK;
    for (size_t i = 0; i < w->op->ngives && rc < STOP; i++) {
        struct lane *l = &w->lanes[i];
        if (!l->give || !l->give->report)
            continue;
        struct node *tree = outcome_node(&w->message, w->outcomes, message, outcome);
        l->ntargets = 0;
        rc = l->run ? run_report(l->run, message, tree, &w->message, collect, l, &w->now) : OK;
        if (l->run && rc <= WARN)
            rc = run_log(l->run, message, tree, &w->message, collect, l, &w->now);
        if (rc <= WARN)
            rc = write_targets(w, l, message);
    }
    return rc;
}

/* Rows that run once for the file, after the messages. */
int lane_finish(struct work *w, struct lane *l)
{
    int rc = OK;
    l->ntargets = 0;
    if (l->run)
        rc = run_finish(l->run, &w->message, collect, l, &w->now);
    return rc <= WARN ? write_targets(w, l, NULL) : rc;
}
