#include <unistd.h>

#include "batch/wave.h"
#include "flow/super.h"

/* From here to group_end no step syncs by itself: each ends with all others at the next wave_sync. */
static void group_begin(struct supervisor *s)
{
    s->spool.group = s->store.group = true;
}

static void group_end(struct supervisor *s)
{
    s->spool.group = s->store.group = false;
}

/* What could not be written back is told once for each opening of a folder: this one is asked by nobody else, and what
   workers write meanwhile may be what was lost. */
static int wave_sync(struct supervisor *s)
{
    struct spool own = s->spool;
    own.root = s->wave_root;
    int rc = spool_sync(&own, s->ps);
    for (size_t i = 0; i < s->site->nflows && rc > WARN; i++)
        for (struct trip *t = s->flows[i].first; t; t = t->next)
            t->doubtful |= t->state == TRIP_RUNNING || t->state == TRIP_DONE;
    return rc;
}

/* --- claiming and accepting --------------------------------------------------------------------------------------- */

/* Operations with numbers, tables or a look at their own ledger go one by one anyway; a wave opens no archives. */
bool wave_takes(const struct operation *op)
{
    return !op->numbers && !op->fills_table && !op->reads_itself && !flow_stages(op->flow) &&
           !op->take.unpack && !op->take.ncompanions && !due_follows(op);
}

bool wave_fits(const struct operation *op, const struct drop *d)
{
    return d->size <= WAVE_FILE && !d->has_done && !d->manifest[0] && wave_takes(op);
}

struct wave {
    size_t n;
    struct batch_wave *shared;
    int dir;                        /* of the claims */
    struct claim claims[WAVE];
    const struct drop *drops[WAVE];
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

static void wave_end_step(struct supervisor *s, struct wave *w)
{
    if (w->fault == OK)
        fail(w, wave_sync(s));
}

static void new_id(void *owner, char id[BATCH_ID_SIZE])
{
    batch_new_id(&((struct supervisor *)owner)->places, id);
}

/* Ids that follow each other, and the folders: on the disk before a file moves into one. */
static void make_all(struct supervisor *s, struct intake *in, struct wave *w)
{
    for (size_t i = 0; i < w->n; i++)
        batch_new_id(&s->places, w->claims[i].batch);
    fail(w, batch_wave_begin(&s->places, w->claims[0].batch, (unsigned)w->n, &w->shared, s->ps));
    if (w->fault == OK)
        fail(w, claims_make(&s->spool, in->inbox, w->shared->name, &w->dir, s->ps));
    wave_end_step(s, w);
}

static void copy_one(struct supervisor *s, struct intake *in, struct wave *w, size_t i)
{
    struct batch_accept how = accept_terms(s, in->op);
    struct claim *c = &w->claims[i];
    char id[BATCH_ID_SIZE];
    memcpy(id, c->batch, sizeof id);
    w->status[i] = claims_take(in->inbox, w->drops[i], w->dir, id, c, s->ps);
    fail(w, w->status[i]);
    if (!goes_on(w, i))
        return;
    struct trip *t = w->trips[i] = trip_new(s);
    w->status[i] = batch_wave_copy(w->shared, &t->arena, c, &how, &t->b, s->ps);
    fail(w, w->status[i]);
    claim_close(c);
}

/* Claims and log are durable before the log gets its name: nothing refers to one before that. */
static void copy_all(struct supervisor *s, struct intake *in, struct wave *w)
{
    for (size_t i = 0; i < w->n && w->fault == OK; i++)
        copy_one(s, in, w, i);
    if (w->fault == OK)
        fail(w, batch_wave_seal(w->shared, s->ps));
    wave_end_step(s, w);
}

static void accept_all(struct supervisor *s, struct wave *w)
{
    if (w->fault == OK && w->shared->n)
        fail(w, batch_wave_accept(w->shared, s->ps));
    wave_end_step(s, w);
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

static int accept_one(struct supervisor *s, const struct operation *op, struct wave *w, size_t i)
{
    struct trip *t = w->trips[i];
    int rc = goes_on(w, i) ? OK : w->status[i] > WARN ? w->status[i] : w->fault;
    if (rc == OK && t->b->w->place == PLACE_ERROR) {
        rc = batch_set_aside(t->b, "DUP_CONTENT", t->b->w->error_text, s->ps);
        rc = rc == OK ? SKIP : rc;
    }
    if (rc != OK && rc != SKIP && t->b) {
        batch_close(t->b);
        t->b = NULL;
    }
    t->waved = true;
    return accept_told(s, op, t, rc);
}

static void take_all(struct supervisor *s, struct intake *in, struct wave *w)
{
    group_begin(s);
    make_all(s, in, w);
    copy_all(s, in, w);
    accept_all(s, w);
    if (w->fault == OK)
        dispose_all(s, w);
    group_end(s);
    for (size_t i = 0; i < w->n; i++)
        claim_close(&w->claims[i]);
    if (w->dir >= 0)
        close(w->dir);
}

int wave_claim(struct supervisor *s, struct intake *in, const struct drop **drops, size_t n)
{
    struct arena a;
    int rc = OK;
    if (n == 1)
        return claim_one(s, in, drops[0]);
    arena_init(&a, 0);
    struct wave *w = arena_zero(&a, sizeof *w);
    w->n = n;
    w->dir = -1;
    memcpy(w->drops, drops, n * sizeof *drops);
    for (size_t i = 0; i < n; i++)
        w->claims[i].dir = w->claims[i].fd = -1;
    take_all(s, in, w);
    for (size_t i = 0; i < n; i++) {
        int one = w->trips[i] ? accept_one(s, in->op, w, i) : OK;
        rc = one > rc ? one : rc;
    }
    batch_wave_release(w->shared, s->ps);
    if (w->fault != OK) {
        rc = w->fault;
        claims_later(s, CLAIMS_AGAIN_MS);
    }
    notice_problems(s, s->ps);
    arena_release(&a);
    return rc;
}

/* --- written ------------------------------------------------------------------------------------------------------ */

static size_t gather(struct supervisor *s, enum trip_state state, struct trip **out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t && n < WAVE; t = t->next)
            if (t->state == state)
                out[n++] = t;
    return n;
}

/* What is not on the disk for sure is made anew, in new files: never a second fsync of the same. */
static void again(struct supervisor *s, struct trip *t)
{
    t->b->w->place = PLACE_ACCEPTED;
    t->state = TRIP_RUNNING;
    trip_retry(s, t, "SYS_IO");
}

/* A waybill names what is on the disk, and only then it goes there itself. */
static void write_wave(struct supervisor *s)
{
    struct trip *t[WAVE];
    int status[WAVE];
    size_t n = gather(s, TRIP_DONE, t);
    s->ndone = n < WAVE || s->ndone < n ? 0 : s->ndone - n;
    int synced = wave_sync(s);
    for (size_t i = 0; i < n; i++) {
        t[i]->state = TRIP_RUNNING;
        status[i] = synced > WARN ? synced : t[i]->doubtful ? TEMP : step_hold(s, t[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (status[i] <= WARN && t[i]->b->wave)
            status[i] = batch_wave_sync(t[i]->b->wave, s->ps);
        if (status[i] <= WARN)
            step_settled(s, t[i]);
        else
            again(s, t[i]);
    }
    notice_problems(s, s->ps);
}

/* Whether workers will soon begin with more of a wave. */
static bool more_queued(const struct supervisor *s)
{
    if (s->ending || s->next_site)
        return false;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct trip *t = s->flows[i].first; t; t = t->next)
            if (t->waved && t->state == TRIP_QUEUED)
                return true;
    return false;
}

void wave_written(struct supervisor *s, int64_t now)
{
    while (s->ndone) {
        int64_t waited = now - s->done_since;
        bool due = s->ndone >= WAVE || waited >= WAVE_HELD_MS, early = pool_busy(s) && waited < WAVE_MS;
        if (!due && (early || more_queued(s)))
            return;
        write_wave(s);
    }
}

/* --- delivered ---------------------------------------------------------------------------------------------------- */

static bool ready(const struct trip *t, int64_t now)
{
    return t->state == TRIP_WRITTEN && t->waved && t->due <= now;
}

/* Of each flow those whose turn it is: none before them is still open. */
static size_t gather_written(struct supervisor *s, int64_t now, struct trip **out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->site->nflows; i++) {
        bool any = s->site->flows[i]->any_order;
        for (struct trip *t = s->flows[i].first; t && n < WAVE; t = t->next) {
            if (ready(t, now))
                out[n++] = t;
            else if (!any && t->state != TRIP_TO_ZIP && t->state != TRIP_ZIPPING)
                break;
        }
    }
    return n;
}

/* Visible, but not for sure: the next attempt syncs again. */
static void unsure(struct trip *t)
{
    t->b->w->place = PLACE_WRITTEN;
    for (struct waybill_output *o = t->b->w->outputs; o; o = o->next)
        o->published = slice_none();
}

/* Those that go on stand in t[0 … n-1] again.  What stands behind one that failed waits as well, unless `order any`. */
static size_t publish_all(struct supervisor *s, struct trip **t, size_t n)
{
    size_t published = 0, kept = 0;
    const struct flow *stuck = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct flow *f = t[i]->op->flow;
        if (f == stuck)
            continue;
        group_begin(s);
        int rc = step_publish(s, t[i]);
        group_end(s);
        if (rc > WARN) {
            step_delivered(s, t[i], rc);
            stuck = f->any_order ? stuck : f;
            continue;
        }
        t[published++] = t[i];
    }
    int synced = wave_sync(s);
    for (size_t i = 0; i < published; i++) {
        if (synced > WARN)
            unsure(t[i]);
        if (step_delivered(s, t[i], synced) == OK)
            t[kept++] = t[i];
    }
    return kept;
}

/* One group of lines per batch, one write and one fdatasync per flow; when that fails, each is entered by itself. */
static size_t enter_all(struct supervisor *s, struct trip **t, size_t n)
{
    size_t kept = 0;
    int rc = OK;
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = step_enter(s, t[i], false);
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = ledger_commit(s->ledgers[t[i]->op->flow->index], s->ps);
    for (size_t i = 0; i < n && rc > WARN; i++)
        if (s->ledgers[t[i]->op->flow->index])
            ledger_drop(s->ledgers[t[i]->op->flow->index]);
    for (size_t i = 0; i < n; i++) {
        int one = rc <= WARN ? step_entered(s, t[i]) : rc;
        if (one > WARN)
            step_archived(s, t[i], one);
        else
            t[kept++] = t[i];
    }
    return kept;
}

void wave_deliver(struct supervisor *s, int64_t now)
{
    struct trip *t[WAVE];
    size_t n;
    while ((n = gather_written(s, now, t)) > 0) {
        n = publish_all(s, t, n);
        n = enter_all(s, t, n);
        wave_archive(s, t, n);
    }
}
