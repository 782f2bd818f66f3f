#include "flow/answers.h"

void answers_init(struct answers *x, struct run *run, const struct reader *reader, const struct limits *limits)
{
    *x = (struct answers){ .run = run, .reader = reader, .limits = limits };
    arena_init(&x->kept, 0);
    map_init(&x->by_key, &x->kept);
}

void answers_release(struct answers *x)
{
    arena_release(&x->kept);
}

/* Messages of two groups may have equal keys: the group's number goes before the key. */
static struct slice key_of(struct answers *x, const struct node *msg, bool written, struct arena *a)
{
    struct slice key = run_key(x->run, msg, written, a);
    if (!key.n)
        return key;
    const struct group *g = written ? msg->group : run_target(x->run, msg->group);
    return arena_printf(a, "%u\x1f%.*s", g ? g->id : 0, SLICE_ARG(key));
}

int answers_check(const struct answers *x, struct problems *ps)
{
    if (x->kept.used <= x->limits->message * 16)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "LIMIT_ANSWER", (struct place){ .offset = PLACE_NO_OFFSET },
                 "the answer is too large to be matched in memory (%llu bytes)",
                 (unsigned long long)x->limits->message * 16);
    return STOP;
}

static int twice(const struct answer *a, const struct answer *before, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "KEY_TWICE", .place.offset = a->node->at,
                                       .message = a->number,
        .text = arena_printf(ps->arena, "the same key came in message %llu", (unsigned long long)before->number),
        .hint = SLICE("an answer names each message once; merge the two") });
    return STOP;
}

int answers_add(struct answers *x, const struct node *message, struct problems *ps)
{
    struct answer *a = arena_zero(&x->kept, sizeof *a);
    a->node = node_copy(&x->kept, message, NULL);
    a->node->parent = x->reader->file;
    a->number = x->reader->messages;
    if (x->last)
        x->last->next = a;
    else
        x->first = x->position = a;
    x->last = a;
    struct slice key = key_of(x, a->node, false, &x->kept);
    struct map_entry *e = key.n ? map_at(&x->by_key, key) : NULL;
    if (e && e->value)
        return twice(a, e->value, ps);
    if (e)
        e->value = a;
    return answers_check(x, ps);
}

struct answer *answers_find(struct answers *x, const struct node *original, struct arena *a)
{
    struct slice key = key_of(x, original, true, a);
    if (key.n)
        return map_get(&x->by_key, key);
    struct answer *next = x->position;
    if (next)
        x->position = next->next;
    return next;
}

void answer_said(struct answer *a)
{
    if (a->all.last)
        a->all.last->next = a->said.first;
    else
        a->all.first = a->said.first;
    if (a->said.last)
        a->all.last = a->said.last;
    a->all.n += a->said.n;
    a->all.kind = a->said.kind > a->all.kind ? a->said.kind : a->all.kind;
    a->said = (struct outcome){ .kind = OUTCOME_NONE };
}
