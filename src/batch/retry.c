#include "batch/batch_private.h"

enum { DOUBLING_MAX = 300000, LEAST = 1000, GIVE_UP_DAYS = 5 };

/* 1 s, 2 s, 4 s … 300 s where the flow gives no list. Only another worker can be had without a pause: the world has not
   changed at once. */
static int64_t delay_ms(const struct retry_policy *p, const char *cause, uint32_t attempt)
{
    if (!p->n)
        return attempt < 9 ? (int64_t)LEAST << attempt : DOUBLING_MAX;
    int64_t delay = p->delays_ms[attempt < p->n ? attempt : p->n - 1];
    return delay < LEAST && strcmp(cause, "WORKER_DIED") != 0 ? LEAST : delay;
}

/* The operation is given up, not the batch; when that cannot be written down, neither. */
static int give_up_run(struct batch *b, struct slice text, struct problems *ps)
{
    struct batch_memory before;
    batch_remember(b, &before);
    int rc = batch_refuse(b, "GAVE_UP", text, ps);
    if (rc != OK)
        batch_recall(b, &before, ps);
    batch_forget_memory(&before);
    return rc;
}

static int give_up(struct batch *b, const char *cause, struct problems *ps)
{
    struct slice text = arena_printf(b->arena, "%s came %u times since %.*s", cause, b->w->retry.attempts,
                                     SLICE_ARG(b->w->retry.since));
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "GAVE_UP",
                                       .place = { .file = b->id, .offset = PLACE_NO_OFFSET },
        .text = text, .hint = SLICE("mend the cause, then drop its file again") });
    int rc = batch_is_open(b->w) ? give_up_run(b, text, ps) : batch_set_aside(b, "GAVE_UP", text, ps);
    return rc == OK ? SKIP : rc;
}

/* What is partly visible, or only has to be noted, cannot be taken back: it is tried for as long as it takes. */
static bool must_end(const struct batch *b)
{
    return batch_is_open(b->w) && (batch_visible(b) || slice_is(b->w->waits, "rest"));
}

/* The code and, where that was said last, what happened and to which file. */
static struct slice reason(const struct batch *b, const char *cause, const struct problem *p)
{
    if (!p || strcmp(p->code, cause) != 0 || !p->text.n)
        return slice_of(cause);
    return p->place.file ? arena_printf(b->arena, "%s: %s: %.*s", cause, p->place.file, SLICE_ARG(p->text))
                         : arena_printf(b->arena, "%s: %.*s", cause, SLICE_ARG(p->text));
}

int batch_retry(struct batch *b, const char *cause, const struct retry_policy *policy, struct problems *ps)
{
    struct waybill_retry *r = &b->w->retry;
    int64_t now = clock_now(b->site->clock), since = now;
    int64_t give_up_ms = policy->give_up_ms > 0 ? policy->give_up_ms : (int64_t)GIVE_UP_DAYS * 86400000;
    if (r->cause.p == NULL || !batch_seconds(r->since, &since)) {
        since = now;
        r->since = batch_stamp_at(b->site, b->arena, now);
        r->attempts = 0;
    }
    if (!slice_is(r->cause, cause))
        r->attempts = 0;
    int64_t delay = delay_ms(policy, cause, r->attempts);
    r->cause = arena_copy(b->arena, slice_of(cause));
    r->attempts++;
    r->next = batch_stamp_at(b->site, b->arena, now + (delay + 999) / 1000);
    bool poison = slice_is(r->cause, "WORKER_DIED") && policy->poison && r->attempts >= policy->poison;
    if ((poison || (now - since) * 1000 >= give_up_ms) && !must_end(b))
        return give_up(b, cause, ps);
    batch_note(b, "retry", reason(b, cause, ps->last));
    return batch_save(b, ps);
}

int64_t batch_due(const struct batch *b)
{
    int64_t next, now = clock_now(b->site->clock);
    if (b->w->retry.cause.p == NULL || !batch_seconds(b->w->retry.next, &next) || next <= now)
        return 0;
    return (next - now) * 1000;
}
