#include <unistd.h>

#include "flow/super.h"

struct trip *trip_new(struct supervisor *s)
{
    struct arena a;
    (void)s;
    arena_init(&a, 0);
    struct trip *t = arena_zero(&a, sizeof *t);
    t->arena = a;
    return t;
}

void trip_add(struct supervisor *s, struct trip *t, const struct operation *op)
{
    struct trips *list = &s->flows[op->flow->index];
    t->op = op;
    if (list->last)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
    list->n++;
}

void trip_close_files(struct trip *t)
{
    for (struct trip_file *f = t->files; f; f = f->next)
        if (f->fd >= 0)
            close(f->fd);
    t->files = NULL;
}

static void take_out(struct trips *list, struct trip *t)
{
    struct trip **at = &list->first, *before = NULL;
    while (*at && *at != t) {
        before = *at;
        at = &(*at)->next;
    }
    if (!*at)
        return;
    *at = t->next;
    if (list->last == t)
        list->last = before;
    list->n--;
}

void trip_free(struct supervisor *s, struct trip *t)
{
    struct arena a = t->arena;
    if (t->op)
        take_out(&s->flows[t->op->flow->index], t);
    if (t->helper)
        t->helper->trip = NULL;
    trip_close_files(t);
    if (t->state == TRIP_ZIPPING)
        batch_zip_end(t->b, &t->zip, TEMP, s->ps);
    if (t->b)
        batch_close(t->b);
    a = t->arena;
    arena_release(&a);
}

size_t trips_in_hand(const struct supervisor *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        n += s->flows[i].n;
    return n;
}

struct trip_file *trip_file(struct trip *t, enum output_kind kind, uint32_t number, const struct give *give)
{
    for (struct trip_file *f = t->files; f; f = f->next)
        if (f->kind == kind && f->number == number && f->give == give)
            return f;
    return NULL;
}

/* Growing delays from the flow's `retry`; a worker's death is tried again at once, three times. */
void trip_retry(struct supervisor *s, struct trip *t, const char *cause)
{
    static const int64_t at_once[] = { 0 };
    bool died = strcmp(cause, "WORKER_DIED") == 0;
    const struct flow *f = t->op->flow;
    struct retry_policy policy = { .delays_ms = died ? at_once : f->retry, .n = died ? 1 : f->nretry,
                                   .give_up_ms = GIVE_UP_MS,
                                   .poison = POISON };
    t->waved = false;
    if (t->state == TRIP_RUNNING)
        t->state = TRIP_QUEUED;
    const struct waybill_retry *r = &t->b->w->retry;
    if (died && slice_is(r->cause, cause) && r->attempts + 1 >= POISON) {
        step_reject(s, t, cause, SLICE("three workers died over this file"));
        return;
    }
    trip_close_files(t);
    int rc = batch_retry(t->b, cause, &policy, s->ps);
    notice_problems(s, s->ps);
    if (rc == SKIP) {
        s->report->rejected++;
        notice(s, "error", t);
        trip_free(s, t);
        return;
    }
    int64_t wait = rc > WARN ? 60 * 1000 : batch_due(t->b);
    t->due = clock_monotonic_ms() + wait;
    notice(s, "retry", t);
}
