#include <stdio.h>

#include "base/service.h"
#include "flow/care_private.h"

#define STOP_MS 3000                /* TERM ends a watcher within 5 s */

void care_wait(int64_t *wait, int64_t now, int64_t due)
{
    int64_t rest = due > now ? due - now : 0;
    if (rest < *wait)
        *wait = rest;
}

int care_open(struct supervisor *s)
{
    struct arena a;
    arena_init(&a, 0);
    s->care = arena_zero(&a, sizeof *s->care);
    s->care->arena = a;
    s->care->last_counts = &s->care->counts;
    s->care->started = clock_now(&s->o->clock);
    map_init(&s->care->hooks.overdue, &s->care->arena);
    disk_open(s);
    reply_places(s);
    reply_resume(s);
    return OK;
}

static void tell_ready(const struct supervisor *s)
{
    char text[120];
    size_t on = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        on += s->site->flows[i]->on && !s->site->flows[i]->off;
    snprintf(text, sizeof text, "READY=1\nSTATUS=%zu of %zu flows on, %llu files taken", on, s->site->nflows,
             (unsigned long long)s->report->batches);
    service_tell(text);
}

void care_ready(struct supervisor *s)
{
    s->care->ready = true;
    s->care->alive_every = s->o->watch ? service_watchdog_ms() : 0;
    if (s->o->watch)
        tell_ready(s);
}

void care_reloading(struct supervisor *s)
{
    s->care->reloading = true;
    service_reloading();
}

void care_reloaded(struct supervisor *s)
{
    reply_places(s);
}

static void service_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care *c = s->care;
    if (c->reloading && !s->next_site) {
        c->reloading = false;
        tell_ready(s);
    }
    if (s->ending && !c->stopping) {
        c->stopping = true;
        service_tell("STOPPING=1");
    }
    if (c->alive_every && c->alive <= now) {
        c->alive = now + c->alive_every;
        service_tell("WATCHDOG=1");
    }
    if (c->alive_every)
        care_wait(wait, now, c->alive);
}

void care_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    disk_turn(s, now, wait);
    hook_turn(s, now, wait);
    overdue_turn(s, now, wait);
    if (!s->o->watch)
        return;
    daily_turn(s, now, wait);
    metrics_turn(s, now, wait);
    reply_turn(s, now, wait);
    service_turn(s, now, wait);
}

static void tell(struct supervisor *s, enum notice_event event, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    hook_event(s, event, w, &s->site->notices);
    if (f)
        hook_event(s, event, w, &f->notices);
}

static bool gave_up(const struct waybill *w)
{
    return slice_is(w->error_code, "GAVE_UP") || slice_is(w->error_code, "WORKER_DIED");
}

void care_event(struct supervisor *s, const char *event, const struct trip *t)
{
    const struct waybill *w = t->b ? t->b->w : NULL;
    if (!s->care || !w)
        return;                                     /* at the very end */
    metrics_event(s, event, t);
    bool duplicate = strcmp(event, "duplicate") == 0, error = duplicate || strcmp(event, "error") == 0;
    if (error)
        tell(s, gave_up(w) ? NOTICE_GAVE_UP : NOTICE_REJECTED, w);
    else if (strcmp(event, "refused") == 0)
        tell(s, NOTICE_REJECTED, w);
    else if (strcmp(event, "delivered") == 0)
        tell(s, NOTICE_DELIVERED, w);
    if (strcmp(event, "archived") == 0 && waybill_total_of(w->totals, "rejected"))
        tell(s, NOTICE_REJECTED, w);
    if (error || strcmp(event, "archived") == 0)
        reply_publish(s, w);
}

int care_refused(struct supervisor *s, const struct trip *t, const char *code, struct slice text)
{
    return s->care ? reply_prepare(s, t->b->w, code, text) : OK;
}

/* What cannot be written now is answered later; the refusal itself stands. */
void care_refusing(struct supervisor *s, const struct waybill *w)
{
    char code[80];
    snprintf(code, sizeof code, "%.*s", SLICE_ARG(w->error_code));
    if (s->care && reply_prepare(s, w, code, w->error_text) > WARN)
        reply_later(s, w);
}

void care_set_aside(struct supervisor *s, const struct waybill *w)
{
    if (s->care)
        reply_publish(s, w);
}

void care_left(struct supervisor *s, const char *batch)
{
    if (s->care)
        reply_left(s, batch);
}

void care_close(struct supervisor *s, int rc)
{
    if (!s->care)
        return;
    if (s->care->ready && (s->o->watch || rc > WARN))
        hook_event(s, NOTICE_STOPPED, NULL, &s->site->notices);
    hook_close(s, s->o->watch ? STOP_MS : HOOK_MS);
    if (s->care->ready)
        metrics_write(s);
    purge_end(&s->care->purge);
    struct arena a = s->care->arena;                /* the struct lies in the arena itself */
    s->care = NULL;
    arena_release(&a);
}
