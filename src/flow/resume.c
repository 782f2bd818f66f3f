#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "batch/wave.h"
#include "flow/super.h"

static bool ends_with(struct slice text, struct slice end)
{
    return text.n >= end.n && end.n && memcmp(text.p + text.n - end.n, end.p, end.n) == 0;
}

/* Which operation a batch belongs to: a delivered one names none any more, but its outputs and its inbox do. */
static const struct operation *operation_of(const struct supervisor *s, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    struct slice name = w->operation.n ? w->operation : w->outputs ? w->outputs->operation : slice_none();
    if (!f || name.n)
        return f ? due_operation(s, f, name) : NULL;
    for (size_t i = 0; i < f->noperations; i++)
        if (f->operations[i]->take.kind == TAKE_INBOX && ends_with(w->inbox, f->operations[i]->take.folder))
            return f->operations[i];
    return f->noperations ? f->operations[0] : NULL;
}

static void strange(struct supervisor *s, const struct waybill *w)
{
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
    if (trips_in_hand(s) >= LATER_MAX) {
        later_add(s, r->batch);
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
        t->due = s->o->watch ? clock_monotonic_ms() + (r->due_ms > 0 ? r->due_ms : 0) : 0;
    t->recovered = t->b->brief = true;
    t->state = to_do(t->b->w) ? TRIP_QUEUED : TRIP_WRITTEN;
    t->delivered = t->state == TRIP_WRITTEN && t->b->w->place == PLACE_DELIVERED;
    t->asked = asked_by(s, t->b->w);
    if (t->asked)
        t->asked->trips++;
    trip_add(s, t, op);
    s->report->batches++;
    notice(s, "resumed", t);
    return OK;
}

static int set_aside_again(struct supervisor *s, const char *id)
{
    struct trip *t = trip_new(s);
    int rc = batch_open(&s->places, &t->arena, id, &t->b, s->ps);
    if (rc == OK)
        rc = batch_set_aside(t->b, arena_cstr(&t->arena, t->b->w->error_code), t->b->w->error_text, s->ps);
    trip_free(s, t);
    return rc == SKIP || rc == END ? OK : rc;
}

/* A batch or claim that was found; its next step follows from what is on the disk alone. */
static int resume_one(void *owner, struct recovery *r, struct problems *ps)
{
    struct supervisor *s = owner;
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
        return recover_damaged(&s->places, r->batch, ps);
    case NEXT_ACCEPT:
        return claim_again(s, r->batch);
    case NEXT_DISPOSE:
        return recover_dispose(&s->places, r->batch, ps);
    case NEXT_NOTHING:
        return recover_leftover(&s->places, r->batch, ps);
    }
    return OK;
}

int resume_batch(struct supervisor *s, const char *id)
{
    struct recovery r = { .b = NULL };
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            if (strcmp(t->b->id, id) == 0)
                return OK;
    if (faccessat(s->spool.work, id, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return OK;
    snprintf(r.batch, sizeof r.batch, "%s", id);
    struct arena a;
    arena_init(&a, 0);
    int rc = batch_open(&s->places, &a, id, &r.b, s->ps);
    if (rc == OK) {
        r.next = recover_next(&s->places, r.b->w, &r.due_ms);
        batch_close(r.b);
        rc = resume_one(s, &r, s->ps);
    }
    arena_release(&a);
    return rc == END ? OK : rc;
}

int step_resume(struct supervisor *s)
{
    struct arena a;
    arena_init(&a, 0);
    int rc = recover_clean(&s->places, s->ps);
    if (rc <= WARN)
        rc = recover_waves(&s->places, NULL, NULL, NULL, s->ps);
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
