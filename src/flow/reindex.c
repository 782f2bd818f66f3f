#include <stdlib.h>

#include "batch/wave.h"
#include "flow/fsck.h"
#include "store/archive.h"
#include "store/seen.h"

struct reindex {
    const struct batch_site *s;
    struct reindex_report *out;
    struct problems *ps;
    struct arena arena;             /* of the batch that is looked at */
    int rc;
};

/* A duplicate does not own its content; what was made here was never dropped; what was cancelled or not used may come
   again. */
static bool owns(const struct waybill *w)
{
    return w->inbox.n && !w->duplicate_of.n && !w->unused && w->place != PLACE_ERROR && !slice_is(w->error_code, "CANCELLED");
}

static int enter(struct reindex *r, const struct waybill *w, const char *id)
{
    char key[SHA256_HEX], other[SEEN_BATCH];
    int lock, rc;
    seen_key(key, (struct slice[]){ w->flow, slice_of(w->sha256) }, 2);
    if (seen_get(r->s->store, SEEN_CONTENT, key, other, r->ps) == OK)
        return OK;
    rc = seen_lock(r->s->store, SEEN_CONTENT, key, &lock, r->ps);
    if (rc == OK)
        rc = seen_put(r->s->store, SEEN_CONTENT, key, id, batch_taken, (void *)(uintptr_t)r->s, other, r->ps);
    r->out->entered += rc == OK;
    seen_unlock(lock);
    return rc == SKIP ? OK : rc;
}

static int look(void *owner, const char *id)
{
    struct reindex *r = owner;
    struct waybill *w;
    int rc = batch_find(r->s, &r->arena, id, &w, r->ps);
    r->out->batches++;
    if (rc == TEMP)
        r->rc = TEMP;                               /* all others are entered before it ends with that */
    rc = rc == OK && owns(w) ? enter(r, w, id) : OK;
    arena_reset(&r->arena);
    if (rc == TEMP)
        r->rc = TEMP;
    return rc == TEMP ? TEMP : OK;                  /* a damaged one is fsck's to tell */
}

static int look_afloat(void *owner, struct waybill *w)
{
    struct reindex *r = owner;
    r->out->batches++;
    int rc = owns(w) ? enter(r, w, arena_cstr(&r->arena, w->batch)) : OK;
    if (rc == TEMP)
        r->rc = TEMP;
    return rc == TEMP ? TEMP : OK;
}

int fsck_reindex(const struct batch_site *s, struct reindex_report *out, struct problems *ps)
{
    struct reindex r = { .s = s, .out = out, .ps = ps };
    *out = (struct reindex_report){ 0 };
    arena_init(&r.arena, 0);
    int rc = seen_sweep(s->store, SEEN_CONTENT, batch_taken, (void *)(uintptr_t)s, &out->stale, ps);
    if (rc <= WARN)
        rc = archived_each(s->store, look, &r, ps);
    if (rc <= WARN)
        rc = batch_each(s, false, look, &r, ps);
    if (rc <= WARN)
        rc = batch_each_afloat(s, &r.arena, NULL, look_afloat, &r, ps);
    arena_release(&r.arena);
    return r.rc == TEMP ? TEMP : rc;
}
