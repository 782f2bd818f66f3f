#include "flow/health.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "drop/inbox.h"
#include "drop/lease.h"
#include "flow/guard.h"
#include "flow/room.h"

#define CLOCK_APART 120             /* seconds between the clock and that of the file system that are no fault */
#define LOOK_MAX 100000             /* names of an inbox that are looked at */

/* What is at work in a flow. */
struct flow_work {
    bool retrying;                  /* one of its batches is tried again */
    int64_t since;                  /* ms since something was written down of the batch that stands still longest */
    const char *batch;              /* its id */
    struct slice name;              /* of its file */
};

struct looking {
    const struct batch_site *places;
    const struct site *site;
    struct flow_work *flows;        /* of the site, by index */
    const struct health_options *o;
    struct health_report *out;
    struct problems *ps;
    struct arena arena;             /* of the batch that is looked at */
    int64_t now, ahead;             /* ahead: seconds from now to the newest word about a batch, when that lies ahead */
};

__attribute__((format(printf, 6, 7)))
static void say(struct looking *k, enum severity severity, const char *code, const char *file, const char *hint,
                const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice text = arena_vprintf(k->ps->arena, format, ap);
    va_end(ap);
    problem_add(k->ps, &(struct problem){ .severity = severity, .code = code, .text = text, .hint = slice_of(hint),
                                          .place = { .file = file, .offset = PLACE_NO_OFFSET } });
}

/* Inboxes. */

static bool is_temporary(const char *name)
{
    static const char *const ends[] = { ".part", ".tmp", ".filepart", ".crdownload" };
    size_t n = strlen(name);
    if (name[0] == '.' || strncmp(name, "~$", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && strcmp(name + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* The age of the oldest file in seconds, -1 = none. */
static int64_t oldest_in(struct looking *k, DIR *dir)
{
    int64_t oldest = -1;
    size_t looked = 0;
    struct dirent *e;
    struct stat st;
    int err;
    while (looked++ < LOOK_MAX && (e = file_entry(dir, &err))) {
        if (is_temporary(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!S_ISREG(st.st_mode))
            continue;
        /* Of a file that was renamed in, the change of its name counts, not that of its bytes. */
        int64_t age = k->now - st.st_ctime;
        k->out->ready++;
        oldest = age > oldest ? age : oldest;
    }
    return oldest;
}

static void look_inbox(struct looking *k, const struct operation *op)
{
    DIR *dir = opendir(op->take.path);
    if (!dir || faccessat(dirfd(dir), ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        say(k, PROBLEM_ERROR, "HEALTH_INBOX", op->take.path, "correct owner and mode, or make the folder",
            "the inbox of %.*s cannot be %s: %s", SLICE_ARG(op->flow->name), dir ? "emptied" : "read",
            strerror(errno));
    } else {
        int64_t age = oldest_in(k, dir), late = (k->o->late_ms + op->every) / 1000;
        if (op->take.stable > 0)
            late += op->take.stable / 1000;
        k->out->oldest = age > k->out->oldest ? age : k->out->oldest;
        if (age > late)
            say(k, PROBLEM_ERROR, "HEALTH_LATE", op->take.path, "look at the log of the watcher",
                "a file lies in the inbox for %lld s and is not taken", (long long)age);
    }
    if (dir)
        closedir(dir);
}

static bool expected(const struct site *site)
{
    for (size_t i = 0; i < site->nflows; i++)
        for (size_t k = 0; k < site->flows[i]->noperations; k++) {
            const struct operation *op = site->flows[i]->operations[k];
            if (site->flows[i]->on && op->on && !op->manual)
                return true;
        }
    return false;
}

/* Answers to several gives come through one inbox. */
static bool looked_at(const struct flow *f, size_t n)
{
    for (size_t i = 0; i < n && f->operations[n]->answers; i++)
        if (slice_equal(f->operations[i]->take.folder, f->operations[n]->take.folder))
            return true;
    return false;
}

static void look_inboxes(struct looking *k, const struct site *site)
{
    for (size_t i = 0; i < site->nflows; i++) {
        const struct flow *f = site->flows[i];
        if (f->on && f->off)
            say(k, PROBLEM_ERROR, "HEALTH_OFF", site->file, "waybill check tells why",
                "flow %.*s is switched on and stays off", SLICE_ARG(f->name));
        for (size_t n = 0; n < f->noperations; n++) {
            const struct operation *op = f->operations[n];
            if (f->on && !f->off && op->on && !op->manual && op->take.kind == TAKE_INBOX && !op->take.type.n &&
                !looked_at(f, n))
                look_inbox(k, op);
        }
    }
}

/* Batches. */

static bool since_ms(struct looking *k, struct slice stamp, int64_t *out)
{
    struct date_parts p;
    if (!stamp.n || !date_parse(stamp, &p))
        return false;
    *out = (k->now - date_seconds(&p)) * 1000;
    return true;
}

static void look_retry(struct looking *k, const struct waybill *w)
{
    int64_t since;
    k->out->retrying++;
    if (since_ms(k, w->retry.since, &since) && since >= k->o->late_ms)
        say(k, PROBLEM_ERROR, "HEALTH_RETRY", arena_cstr(k->ps->arena, w->batch),
            "mend the cause; waybill show tells more", "tried %u times since %.*s: %.*s", w->retry.attempts,
            SLICE_ARG(w->retry.since), SLICE_ARG(w->retry.cause));
}

/* It waits for nothing and nobody: its worker hangs, or has very much to do.  What comes behind it in its flow waits
   for it, or for one that is tried again, so of each flow the oldest is told. */
static void look_stuck(struct looking *k, struct flow_work *f, const struct waybill *w)
{
    int64_t since;
    if (w->waits.n || w->calls.operation.n || !w->last_event || !since_ms(k, w->last_event->time, &since) ||
        since <= f->since)
        return;
    f->since = since;
    f->batch = arena_cstr(k->ps->arena, w->batch);
    f->name = arena_copy(k->ps->arena, w->name);
}

static int look_work(void *owner, const char *id)
{
    struct looking *k = owner;
    struct waybill *w;
    k->out->work++;
    if (batch_find(k->places, &k->arena, id, &w, k->ps) == OK) {
        int64_t since;
        if (w->last_event && since_ms(k, w->last_event->time, &since) && -since / 1000 > k->ahead)
            k->ahead = -since / 1000;
        const struct flow *f = site_flow(k->site, w->flow);
        struct flow_work *work = f && f->on && !f->off ? &k->flows[f->index] : NULL;
        if (w->retry.cause.n)
            look_retry(k, w);
        else if (work)
            look_stuck(k, work, w);
        if (work)
            work->retrying = work->retrying || w->retry.cause.n;
    }
    arena_reset(&k->arena);
    return OK;
}

static void tell_stuck(struct looking *k, const struct flow_work *f)
{
    struct buf name = { 0 };
    if (f->retrying || f->since <= k->o->late_ms)
        return;
    buf_add_shown(&name, f->name, 200);
    say(k, PROBLEM_ERROR, "HEALTH_WORK", f->batch,
        "look at the disk; when its worker process is ended, another one begins anew",
        "nothing came of %.*s for %lld s, though it waits for nothing", SLICE_ARG(buf_slice(&name)),
        (long long)(f->since / 1000));
    buf_release(&name);
}

static int look_error(void *owner, const char *id)
{
    struct looking *k = owner;
    struct waybill *w;
    k->out->error++;
    if (batch_find(k->places, &k->arena, id, &w, k->ps) == OK && w->place == PLACE_ERROR &&
        (slice_is(w->error_code, "GAVE_UP") || slice_is(w->error_code, "WORKER_DIED"))) {
        k->out->gave_up++;
        say(k, PROBLEM_ERROR, "HEALTH_GAVE_UP", arena_cstr(k->ps->arena, w->batch),
            "mend the cause, drop the file again, take the folder out of error/", "%.*s: %.*s",
            SLICE_ARG(w->error_code), SLICE_ARG(w->error_text));
    }
    arena_reset(&k->arena);
    return OK;
}

/* A watcher has it for a moment, or tries it again every minute. */
static int look_claim(void *owner, const char *id)
{
    struct looking *k = owner;
    struct claim c;
    char path[SPOOL_PATH];
    struct stat st;
    if (claim_look(k->places->spool, id, &c, k->ps) != OK || fstatat(k->places->spool->claim, id, &st, 0) != 0)
        return OK;
    int64_t age = k->now - st.st_mtime;
    if (age * 1000 <= k->o->late_ms)
        return OK;
    spool_path(k->places->spool, "claim", id, path);
    struct buf name = { 0 };
    buf_add_shown(&name, slice_of(c.name), 200);
    say(k, PROBLEM_ERROR, "HEALTH_CLAIM", arena_printf(k->ps->arena, "%s/.waybill/%s", k->places->spool->path, path).p,
        "the watcher's log says what is in the way; `waybill run` takes it up where nobody watches",
        "%.*s was taken from %s %lld s ago and is not accepted", SLICE_ARG(buf_slice(&name)),
        c.inbox[0] ? c.inbox : "its inbox", (long long)age);
    buf_release(&name);
    return OK;
}

static int look_batches(struct looking *k)
{
    int rc = batch_each(k->places, false, look_work, k, k->ps);
    for (size_t i = 0; i < k->site->nflows; i++)
        tell_stuck(k, &k->flows[i]);
    if (rc <= WARN)
        rc = claim_each(k->places->spool, look_claim, k, k->ps);
    if (rc <= WARN)
        rc = batch_each(k->places, true, look_error, k, k->ps);
    if (k->out->error > k->o->errors)
        say(k, PROBLEM_ERROR, "HEALTH_ERRORS", NULL, "look at error/, mend and drop again, or take them out",
            "%llu batches lie in error/", (unsigned long long)k->out->error);
    return rc;
}

/* Disk and clock. */

static void look_disk(struct looking *k, const struct site *site)
{
    struct statvfs v;
    if (fstatvfs(k->places->spool->top, &v) != 0)
        return;
    k->out->free_bytes = room_free(&v);
    k->out->reserve = room_reserve(&site->limits, &v);
    if (k->out->free_bytes <= k->out->reserve || !room_inodes(&site->limits, &v))
        say(k, PROBLEM_ERROR, "HEALTH_DISK", k->places->spool->path, "make room; `waybill purge` may help",
            "%.*s: nothing is taken from inboxes",
            SLICE_ARG(room_lack(k->ps->arena, &site->limits, &v, k->out->reserve)));
}

/* What was written in .waybill before this look lies ahead when the clock was set back since: files that wait too long
   are young again until it has caught up. */
static void look_back(struct looking *k)
{
    const int dirs[] = { k->places->spool->work, k->places->spool->claim };
    int64_t ahead = k->ahead;
    struct stat st;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (fstat(dirs[i], &st) == 0 && st.st_mtime - k->now > ahead)
            ahead = st.st_mtime - k->now;
    if (ahead > CLOCK_APART)
        say(k, PROBLEM_ERROR, "HEALTH_CLOCK", k->places->spool->path, "set the clock; use NTP",
            "the clock is %lld s behind the time at which something was last written here", (long long)ahead);
}

/* The time of a file that is made now, by the clock of the file system. */
static bool file_time(struct looking *k, int64_t *out)
{
    char name[64];
    struct stat st;
    int top = k->places->spool->tmp;
    snprintf(name, sizeof name, ".health-%ld", (long)getpid());
    int fd = openat(top, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        say(k, PROBLEM_ERROR, "HEALTH_DISK", k->places->spool->path, "correct owner and mode",
            "nothing can be written in .waybill/tmp: %s", strerror(errno));
        return false;
    }
    bool good = fstat(fd, &st) == 0;
    *out = good ? st.st_mtime : 0;
    close(fd);
    unlinkat(top, name, 0);
    return good;
}

static void look_clock(struct looking *k, int64_t made)
{
    if (made - k->now > CLOCK_APART || k->now - made > CLOCK_APART)
        say(k, PROBLEM_ERROR, "HEALTH_CLOCK", k->places->spool->path, "set the clock; use NTP",
            "the clock and that of the file system are %lld s apart", (long long)(made - k->now));
    else
        look_back(k);
}

/* A lock goes with its process; a lease stays where a host died, and is only not renewed. */
static void look_watcher(struct looking *k, bool known, int64_t made)
{
    const struct health_options *o = k->o;
    struct health_report *out = k->out;
    int64_t silent = known && out->process ? lease_silence(k->places->spool, made, k->ps) : 0;
    bool dead = silent * 1000 > 2 * (int64_t)k->site->limits.lease;
    out->down = (!out->process || dead) && o->watched && expected(k->site);
    if (out->down && dead)
        say(k, PROBLEM_ERROR, "HEALTH_DOWN", k->site->dir, "start `waybill watch`, here or on another host",
            "process %ld took this site and has not been heard of for %lld s", out->process, (long long)silent);
    else if (out->down)
        say(k, PROBLEM_ERROR, "HEALTH_DOWN", k->site->dir, "start `waybill watch`, or say --run when cron runs the site",
            "nobody watches this site");
    if (dead)
        out->process = 0;
}

int health_look(const struct batch_site *places, const struct site *site, const struct health_options *o,
                struct health_report *out, struct problems *ps)
{
    struct looking k = { .places = places, .site = site, .o = o, .out = out, .ps = ps,
                         .flows = arena_zero(ps->arena, site->nflows * sizeof *k.flows),
                         .now = clock_now(places->clock) };
    *out = (struct health_report){ .oldest = -1 };
    arena_init(&k.arena, 0);
    int64_t made = 0;
    bool known = file_time(&k, &made);
    int rc = lease_holder(places->spool, &out->process, ps);
    if (rc <= WARN)
        look_watcher(&k, known, made);
    if (rc <= WARN)
        rc = look_batches(&k);
    look_inboxes(&k, site);
    site_guard(site, ps);
    look_disk(&k, site);
    if (known)
        look_clock(&k, made);
    arena_release(&k.arena);
    return rc;
}
