#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave.h"
#include "flow/super.h"
#include "store/sequence.h"

static void add_totals(struct waybill *w, const struct result *r)
{
    static const char *const names[] = { "done", "skipped", "waiting", "rejected" };
    const uint64_t counts[] = { r->done, r->skipped, r->waiting, r->rejected };
    w->messages = r->messages;
    if (r->nstates)
        w->states = NULL;
    for (size_t i = 0; i < r->nstates; i++)
        waybill_total(w, &w->states, arena_cstr(w->arena, r->states[i].code), r->states[i].count);
    for (size_t i = 0; i < 4; i++)
        if (counts[i] || i == 0)
            waybill_total(w, &w->totals, names[i], counts[i]);
    for (size_t i = 0; i < r->nskips; i++)
        waybill_total(w, &w->skips, arena_cstr(w->arena, r->skips[i].code), r->skips[i].count);
    for (size_t i = 0; i < r->ntables; i++)
        waybill_pin(w, r->tables[i].ledger ? "ledger" : "table", r->tables[i].name, r->tables[i].sha256);
}

static bool is_of(const struct waybill_lease *l, const struct lease_range *r)
{
    return slice_equal(l->sequence, r->sequence) && l->end == (int64_t)r->to + 1 && l->first <= (int64_t)r->from;
}

/* The waybill keeps the numbers that were used; what is left of the last leases goes back once the waybill is safe. */
static void trim_leases(struct trip *t)
{
    for (size_t i = 0; i < t->result->nleases; i++) {
        const struct lease_range *r = &t->result->leases[i];
        struct waybill_lease **link = &t->b->w->leases;
        while (*link) {
            struct waybill_lease *l = *link;
            l->end = is_of(l, r) ? (int64_t)r->from : l->end;
            if (l->end > l->first)
                link = &l->next;
            else
                *link = l->next;                    /* nothing of it was used */
        }
    }
}

static void return_leases(struct supervisor *s, const struct trip *t)
{
    for (size_t i = 0; i < t->result->nleases; i++) {
        const struct lease_range *r = &t->result->leases[i];
        const struct site_sequence *q = site_sequence(s->site, r->sequence);
        struct sequence_lease rest = { (int64_t)r->from, (int64_t)r->to + 1 };
        if (!q)
            continue;
        struct sequence rule = { .name = q->name, .size = (int)q->size };
        rule.from = (int64_t)q->from;
        rule.to = (int64_t)q->to;
        sequence_return(&s->store, &rule, &rest, s->ps);
    }
}

/* All its messages lie in error/, to be dropped again as they are when what they lacked is there. */
static bool is_unused(const struct trip *t)
{
    const struct result *r = t->result;
    bool used = t->b->w->run > 0 || t->op->take.kind != TAKE_INBOX || r->messages == 0 || r->rejected != r->messages;
    for (const struct trip_file *f = t->files; f && !used; f = f->next)
        used = f->kind == OUTPUT_FILE ? f->messages && !f->give->report
                                      : f->kind == OUTPUT_TABLE || f->kind == OUTPUT_STAGE || f->kind == OUTPUT_LOG ||
                                        f->kind == OUTPUT_MEMBER;
    return !used;
}

/* Nothing changed them meanwhile: runs of such a flow follow each other. */
static struct waybill_param *open_then(struct supervisor *s, struct trip *t)
{
    struct waybill_param *list = NULL;
    for (const struct open *o = s->opens[t->op->flow->index].first; o; o = o->next)
        waybill_param(&list, &t->arena, slice_of(o->id), slice_of(o->stage));
    return list;
}

/* The result is in the waybill and everything that it names is on the disk. */
int step_hold(struct supervisor *s, struct trip *t)
{
    const struct result *r = t->result;
    t->no_records = t->no_rejects = t->b->w->run == 0;
    for (const struct trip_file *f = t->files; f; f = f->next) {
        t->no_records &= f->kind != OUTPUT_LEDGER;
        t->no_rejects &= f->kind != OUTPUT_REJECTED;
    }
    struct batch_memory before = { .seq = 0 };
    bool unused = is_unused(t);
    trip_close_files(t);
    if (t->op->serial)
        batch_remember(t->b, &before);
    add_totals(t->b->w, r);
    t->b->w->unused = unused;
    calls_note(s, t);
    t->b->w->retry = (struct waybill_retry){ .attempts = t->b->w->retry.attempts };
    batch_problems(t->b, &r->problems);
    trim_leases(t);
    bool keeps = flow_stages(t->op->flow) && t->op != &s->by_hand[t->op->flow->index].resend;
    int rc = keeps ? batch_keep_outputs(t->b, s->ps) : OK;
    if (keeps && rc <= WARN)
        rc = batch_keep_run(t->b, open_then(s, t), s->ps);
    rc = rc <= WARN ? batch_written(t->b, s->ps) : rc;
    if (rc > WARN && t->op->serial)
        batch_recall(t->b, &before, s->ps);         /* the job is done once more, from where its run had come */
    batch_forget_memory(&before);
    return rc;
}

int step_written(struct supervisor *s, struct trip *t)
{
    int rc = step_hold(s, t);
    if (rc > WARN) {
        notice_problems(s, s->ps);
        trip_retry(s, t, "SYS_IO");
        return END;
    }
    return step_settled(s, t);
}

int step_settled(struct supervisor *s, struct trip *t)
{
    const struct result *r = t->result;
    return_leases(s, t);
    t->quiet = false;
    notice_problems(s, s->ps);
    s->report->messages += r->messages;
    s->report->refused += r->rejected;
    trip_to(s, t, TRIP_WRITTEN);
    t->delivered = t->b->w->place == PLACE_DELIVERED;
    trip_folder_close(t);
    notice(s, "written", t);
    return OK;
}

static const struct outbox *find_outbox(void *owner, struct slice folder)
{
    struct supervisor *s = owner;
    for (struct open_outbox *o = s->outboxes; o; o = o->next)
        if (slice_equal(o->folder, folder))
            return &o->box;
    return NULL;
}

/* People may move an outbox away and make another one: what is open is the one that its name leads to. */
static bool is_there(const struct supervisor *s, const struct outbox *o)
{
    struct stat held, now;
    return fstat(o->fd, &held) == 0 && fstatat(s->spool.root, o->path, &now, 0) == 0 && held.st_ino == now.st_ino &&
           held.st_dev == now.st_dev;
}

static int open_again(struct supervisor *s, struct open_outbox *o)
{
    struct arena a;
    const char *path = o->box.path;
    arena_init(&a, 0);
    outbox_close(&o->box);
    int rc = outbox_open(&o->box, &s->spool, &a, path, s->ps);
    o->box.path = path;
    arena_release(&a);
    return rc;
}

static int open_box(struct supervisor *s, struct slice folder)
{
    struct open_outbox *o = s->outboxes;
    while (o && !slice_equal(o->folder, folder))
        o = o->next;
    if (o && is_there(s, &o->box))
        return OK;
    if (o)
        return open_again(s, o);
    o = arena_zero(&s->arena, sizeof *o);          /* stays, also when it cannot be opened: that is tried many times */
    o->folder = arena_copy(&s->arena, folder);
    o->box = (struct outbox){ .path = o->folder.p, .fd = -1 };
    o->next = s->outboxes;
    s->outboxes = o;
    return open_again(s, o);
}

/* A folder that cannot be opened now is a fault of the world, not of the batch. */
static int open_boxes(struct supervisor *s, const struct trip *t)
{
    int rc = OK;
    const struct waybill_output *last = NULL;
    for (const struct waybill_output *o = t->b->w->outputs; o && rc <= WARN; last = o, o = o->next)
        if (!last || !slice_equal(last->outbox, o->outbox))
            rc = open_box(s, o->outbox);
    return rc == STOP ? TEMP : rc;
}

static int sync_folder(struct supervisor *s, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(s->ps, path, "cannot be opened", errno);
    int rc = spool_sync_dir(&s->spool, fd, path, s->ps);
    close(fd);
    return rc;
}

/* The new content of a table takes the place of the old one; its folder may be new, so its name is synced first.
   By its path, which ends with a take-over: the other host publishes it. */
static int publish_table(struct supervisor *s, struct trip *t, const char *name)
{
    const struct site_table *table = site_table(s->site, slice_of(name + 6));
    if (!table || table->kind != TABLE_FILE)
        return OK;
    struct slice folder = file_dir(&t->arena, table->path);
    const char *dir = folder.n ? arena_cstr(&t->arena, folder) : ".";
    int rc = file_make_dirs(dir, 0770, s->ps);
    folder = file_dir(&t->arena, dir);
    if (rc <= WARN)
        rc = sync_folder(s, folder.n ? arena_cstr(&t->arena, folder) : ".");
    if (rc > WARN)
        return rc;
    char below[SPOOL_PATH], path[SPOOL_PATH + NAME_MAX];
    int from = batch_place(t->b, below);
    snprintf(path, sizeof path, "%s%s%s", below, *below ? "/" : "", name);
    if (renameat(from, path, AT_FDCWD, table->path) != 0)
        return errno == ENOENT ? OK : problem_system(s->ps, table->path, "the table cannot be replaced", errno);
    open_table_changed(s, table);
    return sync_folder(s, dir);
}

/* Gone from work/ means published before: after a crash this is simply done again. */
static int publish_tables(struct supervisor *s, struct trip *t)
{
    int rc = OK, err, fd = openat(t->b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    if (!dir)
        return problem_system(s->ps, t->b->id, "the batch's folder cannot be read", errno);
    while (rc <= WARN && (e = file_entry(dir, &err)))
        if (strncmp(e->d_name, "table.", 6) == 0)
            rc = publish_table(s, t, e->d_name);
    if (rc <= WARN && err)
        rc = problem_system(s->ps, t->b->id, "the batch's folder cannot be read", err);
    closedir(dir);
    return rc;
}

/* One that goes alone has a folder, unless landing failed when it was tried last. */
int step_publish(struct supervisor *s, struct trip *t)
{
    int rc = batch_folder_open(t->b, s->ps);
    if (rc <= WARN)
        rc = open_boxes(s, t);
    if (rc <= WARN && !t->waved)
        rc = batch_land(t->b, s->ps);
    if (rc <= WARN && !t->waved)
        rc = publish_tables(s, t);
    return rc <= WARN && !t->delivered ? batch_deliver(t->b, find_outbox, s, s->ps) : rc;
}

int step_deliver(struct supervisor *s, struct trip *t)
{
    if (t->b->w->place == PLACE_ERROR)
        return step_reject_again(s, t);
    return step_delivered(s, t, step_publish(s, t));
}

int step_delivered(struct supervisor *s, struct trip *t, int rc)
{
    if (rc <= WARN) {
        t->delivered = true;
        notice(s, "delivered", t);
        return OK;
    }
    const struct problem *p = s->ps->last;
    const char *cause = p ? arena_cstr(&t->arena, slice_of(p->code)) : "SYS_IO";
    notice_problems(s, s->ps);
    if (rc == STOP)
        step_reject(s, t, cause, SLICE("the outputs cannot be delivered"));
    else
        trip_retry(s, t, cause);
    return END;                                     /* the trip may be gone */
}
