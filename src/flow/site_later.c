#include "flow/site_parse.h"

/* Told once per flow and feature: the flow stays off, nothing is silently left out. */
static void later(struct site_loading *l, struct flow *f, const struct token *t, const char *what)
{
    site_keep_off(l, f, t, "SITE_LATER", "the flow stays off; switch it off with `on no` to be rid of this message",
                  "flow %.*s: %s is not carried out by this version yet", SLICE_ARG(f->name), what);
}

static void later_take(struct site_loading *l, struct flow *f, const struct take *t)
{
    if (t->from.n)
        later(l, f, &t->token, "`from` a partner, whom only the envelope of an EDI interchange names,");
}

void site_later(struct site_loading *l, struct flow *f)
{
    if (f->duplicates[DUPLICATE_REFERENCE] != DUPLICATE_PROCESS)
        later(l, f, &f->token, "`duplicates reference`, which needs the envelope of an EDI interchange,");
    for (size_t i = 0; i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        if (!op->on)
            continue;
        later_take(l, f, &op->take);
    }
}
