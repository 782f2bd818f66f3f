#include "batch/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/batch_private.h"
#include "store/archive.h"

const char *const next_step_names[] = {
    "convert", "deliver", "archive", "operation", "rest", "wait", "set aside", "damaged", "accept", "dispose", "nothing",
    "later",
};

/* An open batch is never archived by default: its end is said in so many words. */
static enum next_step next_delivered(const struct waybill *w, int64_t *due_ms)
{
    if (slice_is(w->waits, "rest"))
        return NEXT_REST;
    if (slice_is(w->waits, "end"))
        return NEXT_ARCHIVE;
    if (w->operation.p && !w->waits.p)
        return NEXT_OPERATION;
    if (w->due && slice_is(w->waits, "open"))
        return NEXT_OPERATION;
    if (!w->waits.p && !w->stage.p)
        return NEXT_ARCHIVE;
    *due_ms = -1;
    return NEXT_WAIT;
}

enum next_step recover_next(const struct batch_site *s, const struct waybill *w, int64_t *due_ms)
{
    int64_t next = 0, now = clock_now(s->clock);
    *due_ms = 0;
    if (w->place == PLACE_ERROR)
        return NEXT_SET_ASIDE;
    if (w->place == PLACE_ARCHIVED)
        return NEXT_NOTHING;
    if (slice_is(w->waits, "person")) {
        *due_ms = -1;
        return NEXT_WAIT;
    }
    if (w->retry.cause.p && batch_seconds(w->retry.next, &next) && next > now) {
        *due_ms = (next - now) * 1000;
        return NEXT_WAIT;
    }
    if (w->place == PLACE_WRITTEN)
        return NEXT_DELIVER;
    if (w->place == PLACE_DELIVERED)
        return next_delivered(w, due_ms);
    if (w->waits.p)
        *due_ms = -1;
    return w->waits.p ? NEXT_WAIT : NEXT_CONVERT;
}

struct walk {
    const struct batch_site *site;
    struct arena *arena;
    int (*step)(void *owner, struct recovery *r, struct problems *ps);
    void *owner;
    struct problems *ps;
};

static int do_step(struct walk *k, struct recovery *r)
{
    int rc = k->step(k->owner, r, k->ps);
    if (r->b)
        batch_close(r->b);
    return rc == STOP || rc == TEMP ? rc : OK;
}

/*
 * A good zip is the end of a batch, whatever its folder still says: its waybill may be older (a batch that goes from
 * conversion to the archive at once saves none in between) and its input may be removed already.
 */
static bool zipped(const struct batch_site *s, struct arena *a, const char *id)
{
    struct problems ignored;
    problems_init(&ignored, a, 1);
    return archived_exists(s->store, id) && archived_verify(s->store, id, &ignored) == OK;
}

/* A folder without waybill is what the removal of an archived batch left; anything else without one is damaged. */
void recover_look(const struct batch_site *s, struct arena *a, const char *batch, struct recovery *out,
                  struct problems *ps)
{
    *out = (struct recovery){ .due_ms = 0 };
    snprintf(out->batch, sizeof out->batch, "%s", batch);
    int rc = batch_open(s, a, batch, &out->b, ps);
    if (rc == TEMP)
        out->next = NEXT_LATER;
    else if (zipped(s, a, batch))
        out->next = NEXT_NOTHING;
    else
        out->next = rc == OK ? recover_next(s, out->b->w, &out->due_ms) : NEXT_DAMAGED;
}

static int one_batch(void *owner, const char *id)
{
    struct walk *k = owner;
    struct recovery r;
    recover_look(k->site, k->arena, id, &r, k->ps);
    return do_step(k, &r);
}

static int one_claim(void *owner, const char *id)
{
    struct walk *k = owner;
    int known = batch_known(k->site, id, k->ps);
    struct recovery r = { .next = known == TEMP ? NEXT_LATER : known == OK ? NEXT_DISPOSE : NEXT_ACCEPT };
    snprintf(r.batch, sizeof r.batch, "%s", id);
    return do_step(k, &r);
}

int recover_each(const struct batch_site *s, struct arena *a,
                 int (*step)(void *owner, struct recovery *r, struct problems *ps), void *owner, struct problems *ps)
{
    struct walk k = { .site = s, .arena = a, .step = step, .owner = owner, .ps = ps };
    int rc = batch_each(s, false, one_batch, &k, ps);
    return rc == OK ? claim_each(s->spool, one_claim, &k, ps) : rc;
}

int recover_clean(const struct batch_site *s, struct problems *ps)
{
    int rc = OK, fd = openat(s->spool->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return problem_system(ps, "tmp", "cannot read the folder", errno);
    }
    int err;
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;) {
        if (unlinkat(fd, e->d_name, 0) != 0 && errno != ENOENT)
            rc = spool_remove(fd, e->d_name, ps);
    }
    closedir(dir);
    return rc;
}

int recover_dispose(const struct batch_site *s, const char *batch, struct problems *ps)
{
    struct arena a;
    struct waybill *w;
    arena_init(&a, 0);
    int rc = batch_find(s, &a, batch, &w, ps);
    if (rc == OK)
        rc = claim_dispose(s->spool, batch, w->bytes, w->mtime_ns, ps);
    else if (rc == END || rc == STOP)           /* its waybill cannot be read: the file is kept, not thrown away */
        rc = claim_dispose(s->spool, batch, CLAIM_REFUSED, 0, ps);
    arena_release(&a);
    return rc;
}

int recover_damaged(const struct batch_site *s, const char *batch, struct problems *ps)
{
    const struct spool *sp = s->spool;
    char to[BATCH_ID_SIZE + 16];
    static const char note[] = "The waybill of this batch cannot be believed (WAYBILL_DAMAGED), so nothing was done with it.\n"
                               "The original is the file `in`: drop it again if its outputs were never delivered.\n";
    int fd = openat(sp->work, batch, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, batch, "cannot open the folder of a batch", errno);
    int rc = file_replace(fd, "DAMAGED.txt", SLICE(note), 0600, sp->durable && !sp->group, ps);
    close(fd);
    int err = EEXIST;
    for (int n = 1; rc == OK && n < 100 && (err == EEXIST || err == ENOTEMPTY); n++) {
        snprintf(to, sizeof to, n == 1 ? "%s" : "%s-%d", batch, n);
        err = renameat2(sp->work, batch, sp->error, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
    }
    if (rc == OK && err)
        rc = problem_system(ps, batch, "cannot move to error/", err);
    if (rc == OK)
        rc = spool_sync_dir(sp, sp->error, "error", ps);
    return rc == OK ? spool_sync_dir(sp, sp->work, "work", ps) : rc;
}

int recover_leftover(const struct batch_site *s, const char *batch, struct problems *ps)
{
    int rc = archived_verify(s->store, batch, ps);
    return rc == OK ? batch_leave_archived(s, batch, ps) : rc;
}
