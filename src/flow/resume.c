#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "batch/wave.h"
#include "flow/left.h"

/* Which operation a batch belongs to: a delivered one names none any more, but its outputs and its inbox do. */
static const struct operation *operation_of(const struct supervisor *s, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    struct slice name = w->operation.n ? w->operation : w->outputs ? w->outputs->operation : slice_none();
    if (!f || name.n)
        return f ? due_operation(s, f, name) : NULL;
    for (size_t i = 0; i < f->noperations; i++)
        if (f->operations[i]->take.kind == TAKE_INBOX && slice_equal(w->inbox, f->operations[i]->take.folder))
            return f->operations[i];
    return f->noperations ? f->operations[0] : NULL;
}

/* Once. */
static void strange(struct supervisor *s, const struct waybill *w)
{
    if (map_get(&s->unrouted, w->batch))
        return;
    map_put(&s->unrouted, arena_copy(&s->arena, w->batch), s);
    problem_addf(s->ps, PROBLEM_WARNING, "BATCH_STRANGE", (struct place){ .offset = PLACE_NO_OFFSET },
                 "batch %.*s belongs to %.*s/%.*s, which the site does not have (any more): it stays in work/",
                 SLICE_ARG(w->batch),
                 SLICE_ARG(w->flow), SLICE_ARG(w->operation));
}

/* A file that is accepted, or an operation that began on a batch that stays. */
static bool to_do(const struct waybill *w)
{
    return w->place == PLACE_ACCEPTED ||
           (w->place == PLACE_DELIVERED && w->stage.p && w->operation.n && !w->waits.p);
}

static int take_up(struct supervisor *s, const struct recovery *r)
{
    const struct flow *f = r->b ? site_flow(s->site, r->b->w->flow) : NULL;
    if (f && !later_due(s, f, r->batch)) {
        later_add(s, f->name, r->batch);
        return OK;
    }
    struct trip *t = trip_new(s);
    int rc = batch_open(&s->places, &t->arena, r->batch, &t->b, s->ps);
    const struct operation *op = rc == OK ? operation_of(s, t->b->w) : NULL;
    if (!op) {
        if (rc == OK)
            strange(s, t->b->w);
        trip_free(s, t);
        return rc == END ? OK : rc;
    }
    if (r->next == NEXT_OPERATION && !t->b->w->operation.n) {
        trip_free(s, t);                            /* it rests, and its waybill says what is due: due.c */
        return OK;
    }
    if (r->next == NEXT_WAIT)
        trip_hold(s, t, s->o->watch ? clock_monotonic_ms() + (r->due_ms > 0 ? r->due_ms : 0) : 0);
    t->recovered = t->b->brief = true;
    trip_to(s, t, to_do(t->b->w) ? TRIP_QUEUED : TRIP_WRITTEN);
    t->delivered = t->state == TRIP_WRITTEN && t->b->w->place == PLACE_DELIVERED;
    t->asked = asked_by(s, t->b->w);
    if (t->asked)
        t->asked->trips++;
    trip_add(s, t, op);
    trip_folder_close(t);
    s->report->batches++;
    notice(s, "resumed", t);
    return OK;
}

static int set_aside_again(struct supervisor *s, const char *id)
{
    struct trip *t = trip_new(s);
    int rc = batch_open(&s->places, &t->arena, id, &t->b, s->ps);
    if (rc == OK) {
        care_refusing(s, t->b->w);
        rc = batch_set_aside(t->b, arena_cstr(&t->arena, t->b->w->error_code), t->b->w->error_text, s->ps);
        if (rc <= WARN)
            care_set_aside(s, t->b->w);
    }
    trip_free(s, t);
    return rc == SKIP || rc == END ? OK : rc;
}

/* Archived, but for its folder and what was made ready to be told. */
static int leave_again(struct supervisor *s, const char *id)
{
    int rc = recover_leftover(&s->places, id, s->ps);
    if (rc == OK)
        care_left(s, id);
    return rc;
}

/* A batch or claim that was found; its next step follows from what is on the disk alone. */
static int take_step(struct supervisor *s, const struct recovery *r)
{
    switch (r->next) {
    case NEXT_CONVERT: case NEXT_DELIVER: case NEXT_ARCHIVE:
        return take_up(s, r);
    case NEXT_WAIT:
        return r->due_ms >= 0 ? take_up(s, r) : OK;
    case NEXT_OPERATION: case NEXT_REST:
        return take_up(s, r);
    case NEXT_SET_ASIDE:
        return set_aside_again(s, r->batch);
    case NEXT_DAMAGED:
        return recover_damaged(&s->places, r->batch, s->ps);
    case NEXT_ACCEPT:
        return claim_again(s, r->batch);
    case NEXT_DISPOSE:
        return recover_dispose(&s->places, r->batch, s->ps);
    case NEXT_NOTHING:
        return leave_again(s, r->batch);
    case NEXT_LATER:
        return TEMP;
    }
    return OK;
}

/* What was done with it needs no more but room; anything else may still come, and others must not pass it. */
static bool is_over(const struct recovery *r)
{
    return r->next == NEXT_DISPOSE || r->next == NEXT_NOTHING || r->next == NEXT_SET_ASIDE || r->next == NEXT_DAMAGED;
}

/* One that cannot be taken up does not stand in the way of others; of a claim intake.c says what has to wait for it. */
static int resume_one(void *owner, struct recovery *r, struct problems *ps)
{
    struct supervisor *s = owner;
    int rc = take_step(s, r);
    if (rc > SKIP && is_over(r))
        left_behind(s);
    else if (rc > SKIP && r->next != NEXT_ACCEPT)
        left_unknown(s);
    notice_problems(s, ps);
    return OK;
}

int resume_batch(struct supervisor *s, const char *id)
{
    struct recovery r;
    struct arena a;
    if (trip_of(s, id))
        return OK;
    if (faccessat(s->spool.work, id, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return OK;
    arena_init(&a, 0);
    recover_look(&s->places, &a, id, &r, s->ps);
    int rc = take_step(s, &r);
    if (r.b)
        batch_close(r.b);
    arena_release(&a);
    return rc == END ? OK : rc;
}

struct leftover {
    struct supervisor *s;
    struct map in_hand;             /* ids */
    struct arena arena;
};

static void in_hand(struct leftover *k, const char *id)
{
    map_put(&k->in_hand, arena_copy(&k->arena, slice_of(id)), k->s);
}

static void list_in_hand(struct leftover *k)
{
    const struct supervisor *s = k->s;
    map_init(&k->in_hand, &k->arena);
    for (size_t i = 0; i < s->site->nflows; i++) {
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            in_hand(k, t->b->id);
        for (const struct open *o = s->opens[i].first; o; o = o->next)
            in_hand(k, o->id);
    }
    for (const struct laters *of = s->laters; of; of = of->next)
        for (const struct later *l = of->first; l; l = l->next)
            in_hand(k, l->id);
}

/* An open batch is known before its operation goes on. */
static int resume_unknown(void *owner, const char *id)
{
    struct leftover *k = owner;
    struct recovery r;
    if (map_get(&k->in_hand, slice_of(id)))
        return OK;
    recover_look(&k->s->places, &k->arena, id, &r, k->s->ps);
    if (r.b && batch_is_open(r.b->w))
        opens_load(k->s);
    resume_one(k->s, &r, k->s->ps);
    if (r.b)
        batch_close(r.b);
    return OK;
}

void resume_left(struct supervisor *s)
{
    struct leftover k = { .s = s };
    arena_init(&k.arena, 0);
    list_in_hand(&k);
    if (batch_each(&s->places, false, resume_unknown, &k, s->ps) > SKIP)
        left_unknown(s);
    arena_release(&k.arena);
    notice_problems(s, s->ps);
}

int step_resume(struct supervisor *s)
{
    struct arena a;
    arena_init(&a, 0);
    int rc = recover_clean(&s->places, s->ps);
    if (rc <= WARN && recover_waves(&s->places, NULL, NULL, NULL, s->ps) > SKIP)
        left_behind(s);
    if (rc <= WARN)
        rc = recover_each(&s->places, &a, resume_one, s, s->ps);
    arena_release(&a);
    notice_problems(s, s->ps);
    return rc == SKIP || rc == END ? OK : rc;
}

/* After a reload: the same operation of the new site. */
void resume_operation(struct supervisor *s, struct trip *t)
{
    const struct operation *op = operation_of(s, t->b->w);
    if (!op) {
        strange(s, t->b->w);
        t->op = NULL;
        trip_free(s, t);
        return;
    }
    trip_add(s, t, op);
}
