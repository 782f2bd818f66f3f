#include "flow/work.h"

static void say(struct work *w, const struct node *message, struct outcome *o, const struct ledger_record *before)
{
    struct finding *f = arena_zero(&w->message, sizeof *f);
    struct slice other = site_text(w->site, "DUP_KEY");
    struct buf key = { 0 };
    buf_add_shown(&key, node_key(&w->message, message), 60);
    *f = (struct finding){ .kind = w->op->flow->duplicates[DUPLICATE_KEY] == DUPLICATE_WARN ? OUTCOME_WARN
                           : OUTCOME_REJECT,
                           .code = SLICE("DUP_KEY"), .node = message };
    f->text = other.p ? other : arena_printf(&w->message, "the key %.*s came before, in batch %.*s, message %llu",
                                             SLICE_ARG(buf_slice(&key)),
                                             SLICE_ARG(before->batch), (unsigned long long)before->message);
    buf_release(&key);
    o->kind = f->kind;
    o->first = o->last = f;
    o->n = 1;
}

/* `duplicates key reject`: the ledger knows every message that this flow finished with output. */
int step_check(struct work *w, const struct node *message, struct outcome *outcome)
{
    const struct group *g = message->group;
    struct slice names[8], texts[8];
    struct ledger_record before;
    size_t n = 0;
    if (!w->op->duplicates_key || !w->own || g != w->op->message)
        return OK;
    for (size_t i = 0; i < g->nkeys && n < 8; i++) {
        const struct value *v = node_key_value(message, &g->keys[i]);
        if (!v || !value_is(v) || g->keys[i].group)
            return OK;                              /* no key, no duplicate */
        names[n] = g->keys[i].field->name;
        texts[n++] = value_text(v);
    }
    if (n == 0 || ledger_find(w->own, names, texts, n, SLICE("done"), &w->message, &before) == 0)
        return OK;
    if (slice_equal(before.batch, w->job->batch) && before.message == w->reader.messages)
        return OK;
    say(w, message, outcome, &before);
    return outcome->kind == OUTCOME_REJECT ? SKIP : WARN;
}
