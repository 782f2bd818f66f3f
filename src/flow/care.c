#include <stdio.h>

#include "base/service.h"
#include "flow/care_private.h"

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
    disk_open(s);
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
    if (!s->o->watch)
        return;
    daily_turn(s, now, wait);
    service_turn(s, now, wait);
}

void care_event(struct supervisor *s, const char *event, const struct trip *t)
{
    if (!s->care)
        return;                                     /* at the very end */
    (void)event;
    (void)t;
}

void care_close(struct supervisor *s, int rc)
{
    (void)rc;
    if (!s->care)
        return;
    struct arena a = s->care->arena;                /* the struct lies in the arena itself */
    s->care = NULL;
    arena_release(&a);
}
