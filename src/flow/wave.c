#include "batch/wave.h"
#include "flow/super.h"

/* --- written ------------------------------------------------------------------------------------------------------ */

/* Where one in this state may stand; NULL = none does. */
static struct trip *first_in(const struct supervisor *s, size_t flow, enum trip_state state)
{
    return s->flows[flow].in[state] ? sched_first(s, s->site->flows[flow]) : NULL;
}

static void gather(struct supervisor *s, struct trip_set *g)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = first_in(s, i, TRIP_DONE); t && g->n < WAVE; t = t->next)
            if (t->state == TRIP_DONE) {
                trip_to(s, t, TRIP_SETTLING);
                g->t[g->n++] = t;
            }
    s->ndone = g->n < WAVE || s->ndone < g->n ? 0 : s->ndone - g->n;
}

/* What is not on the disk for sure is made anew, in new files: never a second fsync of the same.  One without outputs
   was delivered with that and named its operation no more. */
static void again(struct supervisor *s, struct trip *t)
{
    t->b->w->place = PLACE_ACCEPTED;
    t->b->w->operation = arena_copy(t->b->arena, t->op->name);
    trip_to(s, t, TRIP_RUNNING);
    trip_retry(s, t, "SYS_IO");
}

/* Something could not be written back since its worker began to write: it may have been of its outputs. */
static bool is_doubtful(const struct supervisor *s, const struct trip *t)
{
    return t->faults != s->syncs.faults;
}

/* The outputs are on the disk: now the waybills may name them. */
static void hold_all(struct supervisor *s, struct trip_set *g)
{
    int status[WAVE];
    size_t n = g->n;
    g->n = 0;
    g->held = true;
    g->sync = sync_begin(s);
    for (size_t i = 0; i < n; i++) {
        trip_to(s, g->t[i], TRIP_RUNNING);
        status[i] = is_doubtful(s, g->t[i]) ? TEMP : step_hold(s, g->t[i]);
    }
    for (size_t i = 0; i < n; i++) {
        struct trip *t = g->t[i];
        if (status[i] <= WARN && t->b->wave)
            status[i] = batch_wave_write(t->b->wave, s->ps);
        if (status[i] > WARN) {
            again(s, t);
            continue;
        }
        trip_to(s, t, TRIP_SETTLING);
        g->t[g->n++] = t;
    }
    if (g->n)
        sync_ask(s, &g->sync);
}

/* The waybills are as well. */
static void settle_all(struct supervisor *s, struct trip_set *g, int synced)
{
    for (size_t i = 0; i < g->n; i++) {
        struct trip *t = g->t[i];
        if (synced <= WARN) {
            step_settled(s, t);
            continue;
        }
        if (t->b->wave)
            batch_wave_spoil(t->b->wave);
        again(s, t);
    }
    g->n = 0;
}

/* A waybill names what is on the disk, and only then it goes there itself. */
static void settling_goes_on(struct supervisor *s)
{
    struct trip_set *g = &s->settling;
    int synced;
    while (g->n && (synced = sync_over(s, &g->sync)) != END) {
        if (g->held)
            settle_all(s, g, synced);
        else
            hold_all(s, g);
    }
    notice_problems(s, s->ps);
}

/* Whether workers are about to end with more of a wave. */
static bool more_running(const struct supervisor *s)
{
    for (unsigned i = 0; i < s->nhelpers; i++)
        if (s->helpers[i].trip && s->helpers[i].trip->waved)
            return true;
    return false;
}

static bool enough(const struct supervisor *s, int64_t now)
{
    int64_t waited = now - s->done_since;
    if (s->ndone == 0 || s->ndone >= WAVE || waited >= WAVE_HELD_MS)
        return s->ndone > 0;
    if (more_running(s) && waited < WAVE_MS)
        return false;
    return s->ending || s->next_site || !sched_more_waved(s);       /* workers will soon begin with it */
}

void wave_written(struct supervisor *s, int64_t now)
{
    struct trip_set *g = &s->settling;
    settling_goes_on(s);
    while (g->n == 0 && enough(s, now)) {
        g->sync = sync_begin(s);
        g->held = false;
        gather(s, g);
        sync_ask(s, &g->sync);
        settling_goes_on(s);
    }
}

/* --- delivered ---------------------------------------------------------------------------------------------------- */

static bool ready(const struct trip *t, int64_t now)
{
    return t->state == TRIP_WRITTEN && t->waved && t->due <= now;
}

/* Of each flow those whose turn it is: none before them is still open. */
static void gather_written(struct supervisor *s, int64_t now, struct trip_set *g)
{
    for (size_t i = 0; i < s->site->nflows; i++) {
        bool any = s->site->flows[i]->any_order;
        for (struct trip *t = first_in(s, i, TRIP_WRITTEN); t && g->n < WAVE; t = t->next) {
            if (ready(t, now))
                g->t[g->n++] = t;
            else if (!any && t->state != TRIP_TO_ZIP && t->state != TRIP_ZIPPING)
                break;
        }
    }
}

static int publish(struct supervisor *s, struct trip *t)
{
    s->spool.group = s->store.group = true;
    int rc = step_publish(s, t);
    s->spool.group = s->store.group = false;
    return rc;
}

/* What stands behind one that failed waits as well, unless `order any`. */
static void publish_all(struct supervisor *s, struct trip_set *g)
{
    const struct flow *stuck = NULL;
    size_t n = g->n;
    g->n = 0;
    g->sync = sync_begin(s);
    for (size_t i = 0; i < n; i++) {
        struct trip *t = g->t[i];
        const struct flow *f = t->op->flow;
        int rc = f == stuck ? SKIP : publish(s, t);
        if (rc <= WARN) {
            trip_to(s, t, TRIP_PUBLISHED);
            g->t[g->n++] = t;
        } else if (f != stuck) {
            step_delivered(s, t, rc);
            stuck = f->any_order ? stuck : f;
        }
    }
    if (g->n)
        sync_ask(s, &g->sync);
}

/* Visible, but not for sure: the next attempt syncs again.  One that was delivered before has nothing visible. */
static void unsure(struct trip *t)
{
    if (t->delivered)
        return;
    t->b->w->place = PLACE_WRITTEN;
    for (struct waybill_output *o = t->b->w->outputs; o; o = o->next)
        o->published = slice_none();
}

static void delivered_all(struct supervisor *s, struct trip_set *g, int synced)
{
    size_t n = g->n;
    g->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct trip *t = g->t[i];
        trip_to(s, t, TRIP_WRITTEN);
        if (synced > WARN)
            unsure(t);
        if (step_delivered(s, t, synced) == OK)
            g->t[g->n++] = t;
    }
}

/* Trips of one flow: one group of lines per batch, one commit.  When that fails, each is entered by
   itself later. */
static int enter(struct supervisor *s, struct trip *const *t, size_t n)
{
    struct flow_ledger *l = &s->ledgers[t[0]->op->flow->index];
    int rc = OK;
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = step_enter(s, t[i], false);
    if (rc <= WARN)
        rc = ledger_commit(l->open, s->ps);
    if (rc > WARN && l->open)
        ledger_drop(l->open, s->ps);
    return rc;
}

static size_t of_one_flow(struct trip *const *t, size_t n)
{
    size_t i = 1;
    while (i < n && t[i]->op->flow == t[0]->op->flow)
        i++;
    return i;
}

/* A fault of one flow's ledger is nothing to the others. */
static void enter_all(struct supervisor *s, struct trip_set *g)
{
    struct trip **t = g->t;
    size_t all = g->n, n;
    g->n = 0;
    for (size_t at = 0; at < all; at += n) {
        n = of_one_flow(t + at, all - at);
        int rc = enter(s, t + at, n);
        for (size_t i = at; i < at + n; i++) {
            int one = rc <= WARN ? step_entered(s, t[i]) : rc;
            if (one > WARN)
                step_archived(s, t[i], one);
            else
                t[g->n++] = t[i];
        }
    }
}

static void publishing_goes_on(struct supervisor *s)
{
    struct trip_set *g = &s->publishing;
    int synced = g->n ? sync_over(s, &g->sync) : END;
    if (synced == END)
        return;
    delivered_all(s, g, synced);
    enter_all(s, g);
    wave_archive(s, g->t, g->n);
    g->n = 0;
}

void wave_deliver(struct supervisor *s, int64_t now)
{
    struct trip_set *g = &s->publishing;
    for (;;) {
        publishing_goes_on(s);
        if (g->n)
            return;
        gather_written(s, now, g);
        if (g->n == 0)
            return;
        publish_all(s, g);
    }
}

bool waves_under_way(const struct supervisor *s)
{
    return !waves_taken(s) || s->settling.n || s->publishing.n;
}
