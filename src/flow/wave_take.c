#include <unistd.h>

#include "batch/wave.h"
#include "flow/super.h"

/* Operations with numbers, tables or a look at their own ledger go one by one anyway; a wave opens no archives. */
bool wave_takes(const struct operation *op)
{
    return !op->numbers && !op->fills_table && !op->reads_itself && !flow_stages(op->flow) &&
           !op->take.unpack && !op->take.ncompanions && !due_follows(op);
}

bool wave_fits(const struct operation *op, const struct drop *d)
{
    return d->size <= BATCH_WAVE_FILE && !d->has_done && !d->manifest[0] && wave_takes(op);
}

struct wave {
    struct arena arena;
    struct intake *in;
    size_t n;
    size_t step;                    /* the next one */
    struct sync_point sync;         /* of the one before */
    struct batch_wave *shared;
    int dir;                        /* of the claims */
    struct claim claims[WAVE];
    struct drop drops[WAVE];
    struct trip *trips[WAVE];
    int status[WAVE];               /* of the latest step */
    int fault;                      /* the first that concerns all: no further step is begun */
};

static void fail(struct wave *w, int rc)
{
    if (rc > SKIP && w->fault == OK)
        w->fault = rc;
}

static bool goes_on(const struct wave *w, size_t i)
{
    return w->fault == OK && w->status[i] <= WARN && w->status[i] != END && w->status[i] != SKIP;
}

/* --- its steps, each on the disk before the next ------------------------------------------------------------------ */

/* Ids that follow each other, and the folders: on the disk before a file moves into one. */
static void make_all(struct supervisor *s, struct wave *w)
{
    for (size_t i = 0; i < w->n; i++)
        batch_new_id(&s->places, w->claims[i].batch);
    fail(w, batch_wave_begin(&s->places, w->claims[0].batch, (unsigned)w->n, &w->shared, s->ps));
    if (w->fault == OK)
        fail(w, claims_make(&s->spool, w->in->inbox, w->shared->name, &w->dir, s->ps));
}

static void copy_one(struct supervisor *s, struct wave *w, size_t i)
{
    struct batch_accept how = accept_terms(s, w->in->op);
    struct claim *c = &w->claims[i];
    char id[BATCH_ID_SIZE];
    memcpy(id, c->batch, sizeof id);
    w->status[i] = claims_take(w->in->inbox, &w->drops[i], w->dir, id, c, s->ps);
    if (c->unread)
        intake_pause(s, w->in);
    fail(w, w->status[i]);
    if (!goes_on(w, i))
        return;
    struct trip *t = w->trips[i] = trip_new(s);
    w->status[i] = batch_wave_copy(w->shared, &t->arena, c, &how, &t->b, s->ps);
    fail(w, w->status[i]);
    claim_close(c);
}

/* Claims and log are durable before the log gets its name: nothing refers to one before that. */
static void copy_all(struct supervisor *s, struct wave *w)
{
    for (size_t i = 0; i < w->n && w->fault == OK; i++)
        copy_one(s, w, i);
    if (w->fault == OK)
        fail(w, batch_wave_seal(w->shared, s->ps));
}

static void accept_all(struct supervisor *s, struct wave *w)
{
    if (w->shared->n)
        fail(w, batch_wave_accept(w->shared, s->ps));
}

static void new_id(void *owner, char id[BATCH_ID_SIZE])
{
    batch_new_id(&((struct supervisor *)owner)->places, id);
}

/* Accepted for sure: the claim may go.  Those that were not accepted are taken again by themselves. */
static void dispose_all(struct supervisor *s, struct wave *w)
{
    const char *name = w->shared->name;
    bool left = false, stays = false;
    for (size_t i = 0; i < w->n; i++) {
        if (w->trips[i] && goes_on(w, i)) {
            const struct waybill *b = w->trips[i]->b->w;
            stays |= claims_dispose(&s->spool, w->dir, w->claims[i].batch, w->claims[i].name, b->bytes, b->mtime_ns,
                                    s->ps) != OK;
        } else {
            left = true;
        }
    }
    if (!stays)
        stays = (left ? claims_split(&s->spool, name, new_id, s, s->ps) : claims_end(&s->spool, name, s->ps)) != OK;
    w->shared->stays = stays;                       /* the log says that they are accepted */
    if (left || stays)
        claims_later(s, CLAIMS_SOON_MS);
}

static void (*const steps[])(struct supervisor *s, struct wave *w) = { make_all, copy_all, accept_all, dispose_all };

enum { STEPS = sizeof steps / sizeof *steps };

/* No fsync is made in it: all are one, behind it. */
static void step(struct supervisor *s, struct wave *w)
{
    s->spool.group = s->store.group = true;
    w->sync = sync_begin(s);
    steps[w->step++](s, w);
    s->spool.group = s->store.group = false;
    if (w->fault == OK && w->step < STEPS)
        sync_ask(s, &w->sync);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static int accept_one(struct supervisor *s, struct wave *w, size_t i)
{
    struct trip *t = w->trips[i];
    int rc = goes_on(w, i) ? OK : w->status[i] > WARN ? w->status[i] : w->fault;
    if (rc == OK && t->b->w->place == PLACE_ERROR) {
        care_refusing(s, t->b->w);
        rc = batch_set_aside(t->b, "DUP_CONTENT", t->b->w->error_text, s->ps);
        rc = rc == OK ? SKIP : rc;
    }
    if (rc != OK && rc != SKIP && t->b) {
        batch_close(t->b);
        t->b = NULL;
    }
    t->waved = true;
    return accept_told(s, w->in->op, t, rc);
}

static void wave_free(struct supervisor *s, struct wave *w)
{
    struct arena a = w->arena;
    for (size_t i = 0; i < w->n; i++)
        claim_close(&w->claims[i]);
    if (w->dir >= 0)
        close(w->dir);
    batch_wave_release(w->shared, s->ps);
    w->in->wave = NULL;
    s->spool.taking--;
    arena_release(&a);
}

/* Its batches go on as trips.  The files of one that failed come before those behind them. */
static int taken(struct supervisor *s, struct wave *w)
{
    int rc = OK;
    for (size_t i = 0; i < w->n; i++) {
        int one = w->trips[i] ? accept_one(s, w, i) : OK;
        rc = one > rc ? one : rc;
    }
    if (w->fault != OK) {
        rc = w->fault;
        w->in->given_up = true;
        claims_later(s, CLAIMS_SOON_MS);
    }
    if (rc > WARN)
        intake_later(s, w->in);
    wave_free(s, w);
    notice_problems(s, s->ps);
    return rc;
}

static int go_on(struct supervisor *s, struct wave *w)
{
    int synced;
    while ((synced = sync_over(s, &w->sync)) != END) {
        fail(w, synced);
        if (w->fault != OK || w->step == STEPS)
            return taken(s, w);
        step(s, w);
    }
    return OK;
}

int waves_go_on(struct supervisor *s)
{
    int rc = OK;
    for (size_t i = 0; i < s->nintakes; i++) {
        int one = s->intakes[i].wave ? go_on(s, s->intakes[i].wave) : OK;
        rc = one > rc ? one : rc;
    }
    return rc;
}

bool waves_taken(const struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].wave)
            return false;
    return true;
}

int wave_claim(struct supervisor *s, struct intake *in, const struct drop **drops, size_t n)
{
    struct arena a;
    if (n == 1)
        return claim_one(s, in, drops[0]);
    arena_init(&a, 0);
    struct wave *w = arena_zero(&a, sizeof *w);
    w->arena = a;
    w->in = in;
    w->n = n;
    w->dir = -1;
    for (size_t i = 0; i < n; i++) {
        w->drops[i] = *drops[i];
        w->claims[i].dir = w->claims[i].fd = -1;
    }
    in->wave = w;
    s->spool.taking++;
    step(s, w);
    return go_on(s, w);
}

void waves_forget(struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes; i++) {
        struct wave *w = s->intakes[i].wave;
        for (size_t k = 0; w && k < w->n; k++)
            if (w->trips[k])
                trip_free(s, w->trips[k]);
        if (w)
            wave_free(s, w);
    }
}
