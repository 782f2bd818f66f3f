#include "flow/left.h"

#define AT_ONCE_MS 1

bool order_counts(const struct operation *op)
{
    return op->take.newest || flow_stages(op->flow);
}

void left_behind(struct supervisor *s)
{
    s->report->temporary++;
    claims_later(s, CLAIMS_AGAIN_MS);
}

void left_claimed(struct supervisor *s, struct slice inbox, int64_t wait)
{
    s->report->temporary++;
    claims_later(s, wait);
    for (size_t i = 0; i < s->nintakes; i++)
        if (slice_equal(s->intakes[i].op->take.folder, inbox))
            s->intakes[i].left = true;
}

void left_unknown(struct supervisor *s)
{
    left_behind(s);
    for (size_t i = 0; i < s->nintakes; i++)
        s->intakes[i].left |= order_counts(s->intakes[i].op);
}

bool is_left(const struct supervisor *s, const struct operation *op)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].left && slice_equal(s->intakes[i].op->take.folder, op->take.folder))
            return true;
    return false;
}

struct looking {
    struct supervisor *s;
    struct intake *in;
    struct arena arena;
};

static int look_claim(void *owner, const char *id)
{
    struct looking *k = owner;
    struct problems told_before;
    struct claim c;
    problems_init(&told_before, &k->arena, 1);
    if (claim_look(&k->s->spool, id, &c, &told_before) != END)
        k->in->left |= !c.inbox[0] || slice_is(k->in->op->take.folder, c.inbox);
    return OK;
}

void left_looked(struct supervisor *s, struct intake *in)
{
    struct looking k = { .s = s, .in = in };
    if (s->claims_due == INT64_MAX || !order_counts(in->op))
        return;
    arena_init(&k.arena, 0);
    if (claim_each(&s->spool, look_claim, &k, s->ps) != OK)
        in->left = true;
    arena_release(&k.arena);
    resume_left(s);
    if (in->left)
        claims_later(s, AT_ONCE_MS);
}

void intakes_taken_up(struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes; i++)
        s->intakes[i].left = s->intakes[i].given_up = false;
    s->report->temporary = 0;
    resume_left(s);
}
