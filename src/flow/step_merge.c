#include "flow/work.h"

/* Gives whose mapping updates documents: the rows of a table, or, where it consolidates, what it has made so far. */

bool lane_merges(const struct lane *l)
{
    const struct give *g = l->give;
    if (!l->run || g->report || (g->kind != GIVE_TABLE && g->kind != GIVE_OUTBOX))
        return false;
    return mapping_consolidates(g->mapping, g->direction) ||
           (g->kind == GIVE_TABLE && !g->replace && run_aligns(l->run));
}

static int load_document(void *owner, struct node *row, struct problems *ps)
{
    return merge_load(owner, row, ps);
}

/* The table is read when the first message comes: a file without any leaves it alone. */
static int open_merge(struct work *w, struct lane *l)
{
    const struct give *g = l->give;
    l->merge = arena_zero(w->arena, sizeof *l->merge);
    merge_open(l->merge, l->run, g->to, &w->site->limits, run_file(l->run));
    if (g->kind != GIVE_TABLE || g->replace)
        return OK;
    int rc = read_rows(g->table->path, g->to, &w->site->limits, NULL, load_document, l->merge, &w->now);
    return rc == END ? OK : rc;
}

int lane_merge(struct work *w, struct lane *l, struct node *message, struct outcome *outcome)
{
    int rc = l->merge ? OK : open_merge(w, l);
    if (rc <= WARN)
        rc = merge_message(l->merge, message, w->reader.messages, &w->message, outcome, &w->now);
    return rc;
}

void lane_merge_release(struct lane *l)
{
    if (l->merge)
        merge_close(l->merge);
    l->merge = NULL;
}
