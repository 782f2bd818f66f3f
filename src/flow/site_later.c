#include "flow/site_parse.h"

/* Told once per flow and feature: the flow stays off, nothing is silently left out. */
static void later(struct site_loading *l, struct flow *f, const struct token *t, const char *what)
{
    site_keep_off(l, f, t, "SITE_LATER", "the flow stays off; switch it off with `on no` to be rid of this message",
                  "flow %.*s: %s is not carried out by this version yet", SLICE_ARG(f->name), what);
}

static void later_take(struct site_loading *l, struct flow *f, const struct take *t)
{
    if (t->kind == TAKE_BATCH)
        later(l, f, &t->token, "`take batch`");
    if (t->kind == TAKE_TABLE)
        later(l, f, &t->token, "`take table`");
    if (t->ncompanions)
        later(l, f, &t->token, "`companion`");
    if (t->from.n)
        later(l, f, &t->token, "`from` a partner");
    if (t->newest)
        later(l, f, &t->token, "`newest`");
}

static void later_give(struct site_loading *l, struct flow *f, const struct give *g)
{
    if (g->kind == GIVE_BATCH)
        later(l, f, &g->token, "`give batch`");
    if (g->ncompanions)
        later(l, f, &g->token, "`companion`");
    if (g->answers)
        later(l, f, &g->token, "`answer`");
    if (g->original)
        later(l, f, &g->token, "`original`");
    if (g->kind == GIVE_TABLE && (g->each || g->report))
        later(l, f, &g->token, "`each` or `report` into a table");
}

void site_later(struct site_loading *l, struct flow *f)
{
    if (f->batch_ref.n)
        later(l, f, &f->track->tokens[0], "`batch` (staging)");
    if (f->duplicates[DUPLICATE_REFERENCE] != DUPLICATE_PROCESS)
        later(l, f, &f->token, "`duplicates reference`");
    for (size_t i = 0; i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        if (!op->on)
            continue;
        later_take(l, f, &op->take);
        for (size_t k = 0; k < op->ngives; k++)
            if (op->gives[k]->on)
                later_give(l, f, op->gives[k]);
        if (op->nafter)
            later(l, f, &op->token, "`after`");
        if (op->done)
            later(l, f, &op->done->tokens[0], "`done`");
        if (op->serial)
            later(l, f, &op->token, "`serial`");
    }
}
