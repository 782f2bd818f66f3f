#include <stdio.h>

#include "flow/care_private.h"

#define LOOK_MS 60000
#define TOLD_MAX 10000

/* The shortest time after which somebody wants to know; -1 = nobody does. */
static int64_t shortest(const struct notices *of, int64_t least)
{
    for (size_t i = 0; i < of->n; i++)
        if (of->list[i].events & 1U << NOTICE_OVERDUE && (least < 0 || of->list[i].after < least))
            least = of->list[i].after;
    return least;
}

static int64_t wanted(const struct site *site)
{
    int64_t least = shortest(&site->notices, -1);
    for (size_t i = 0; i < site->nflows; i++)
        least = shortest(&site->flows[i]->notices, least);
    return least;
}

struct overdue {
    struct supervisor *s;
    int64_t now, least;
    struct arena arena;
};

/* A batch id begins with the local time at which it came. */
static int64_t age_ms(const struct overdue *o, const char *id)
{
    struct date_parts p = { .has_date = true, .has_time = true };
    int64_t came;
    if (sscanf(id, "%4d%2d%2d-%2d%2d%2d", &p.year, &p.month, &p.day, &p.hour, &p.minute, &p.second) != 6 ||
        !date_check(&p))
        return 0;
    zone_to_utc(o->s->site->zone, &p, &came);
    return (o->now - came) * 1000;
}

/* Only those notices whose own time is over. */
static bool tell(struct overdue *o, const struct waybill *w, const struct notices *of, int64_t age)
{
    bool any = false;
    for (size_t i = 0; i < of->n; i++) {
        struct notices one = { .list = &of->list[i], .n = 1 };
        if (!(of->list[i].events & 1U << NOTICE_OVERDUE) || of->list[i].after > age)
            continue;
        hook_event(o->s, NOTICE_OVERDUE, w, &one);
        any = true;
    }
    return any;
}

static int look(void *owner, const char *id)
{
    struct overdue *o = owner;
    struct map *told = &o->s->care->hooks.overdue;
    int64_t age = age_ms(o, id);
    struct waybill *w;
    if (age < o->least || map_get(told, slice_of(id)) || told->n >= TOLD_MAX)
        return OK;
    if (batch_find(&o->s->places, &o->arena, id, &w, o->s->ps) == OK) {
        const struct flow *f = site_flow(o->s->site, w->flow);
        bool any = tell(o, w, &o->s->site->notices, age);
        if (f)
            any = tell(o, w, &f->notices, age) || any;
        if (any)
            map_put(told, arena_copy(&o->s->care->arena, slice_of(id)), o->s);
    }
    arena_reset(&o->arena);
    return OK;
}

/* Once per batch and watcher: what is still in work/ so long after it came. */
void overdue_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care_hooks *h = &s->care->hooks;
    struct overdue o = { .s = s, .least = wanted(s->site) };
    if (o.least < 0 || s->ending)
        return;
    if (h->overdue_due <= now) {
        int64_t every = o.least < LOOK_MS ? o.least : LOOK_MS;
        h->overdue_due = now + (every < 1000 ? 1000 : every);
        o.now = clock_now(&s->o->clock);
        arena_init(&o.arena, 0);
        batch_each(&s->places, false, look, &o, s->ps);
        arena_release(&o.arena);
        notice_problems(s, s->ps);
    }
    care_wait(wait, now, h->overdue_due);
}
