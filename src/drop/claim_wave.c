#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "drop/inbox_private.h"

int claims_make(struct spool *s, const struct inbox *in, const char *wave, int *dir_out, struct problems *ps)
{
    if (mkdirat(s->claim, wave, 0700) != 0)
        return spool_fault(s, "claim", wave, "the folder for files that are taken cannot be made", errno, ps);
    *dir_out = openat(s->claim, wave, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*dir_out >= 0 && symlinkat(inbox_path(in), *dir_out, ".from") == 0)
        return OK;
    int err = errno;
    if (*dir_out >= 0)
        close(*dir_out);
    *dir_out = -1;
    unlinkat(s->claim, wave, AT_REMOVEDIR);
    return problem_system(ps, wave, "cannot open the folder of claims", err);
}

/* Where it was swapped for something else it goes back, for the next pass to judge; if that fails it stays a claim. */
int claims_take(struct inbox *in, const struct drop *d, int dir, const char *batch, struct claim *out,
                struct problems *ps)
{
    struct stat st;
    *out = (struct claim){ .dir = -1, .fd = -1, .inbox_fd = inbox_fd(in), .alone = true };
    snprintf(out->batch, sizeof out->batch, "%s", batch);
    snprintf(out->inbox, sizeof out->inbox, "%s", inbox_path(in));
    memcpy(out->name, d->name, sizeof out->name);
    int err = claim_rename(inbox_fd(in), d->name, dir, d->name);
    if (err && (err == ENOENT || faccessat(dir, d->name, F_OK, AT_SYMLINK_NOFOLLOW) != 0))
        return claim_failed(in, d->name, err, ps);
    out->fd = openat(dir, d->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    err = out->fd < 0 || fstat(out->fd, &st) != 0 ? errno : 0;
    if (err == 0 && S_ISREG(st.st_mode) && st.st_dev == d->dev && st.st_ino == d->ino && st.st_nlink == 1) {
        out->size = (uint64_t)st.st_size;
        out->dev = st.st_dev;
        out->ino = st.st_ino;
        out->mtime_ns = claim_nanoseconds(st.st_mtim);
        return OK;
    }
    claim_close(out);
    out->unread = err && err != ELOOP && err != ENXIO;
    if (out->unread)
        problem_system(ps, inbox_path(in), "cannot open a claimed file", err);
    claim_rename(dir, d->name, inbox_fd(in), d->name);
    return SKIP;
}

int claims_read(struct claim *c, struct buf *out, struct problems *ps)
{
    struct stat st;
    size_t want = (size_t)c->size + 1;
    out->n = 0;
    for (;;) {
        ssize_t n = pread(c->fd, buf_room(out, want - out->n), want - out->n, (off_t)out->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {                                /* the others go on; by itself it is told again */
            problem_system(ps, c->batch, "cannot read a claimed file", errno);
            return SKIP;
        }
        out->n += (size_t)n;
        if (n == 0 || out->n + 1 >= want)       /* one more was asked for: less means the end */
            break;
    }
    if (fstat(c->fd, &st) != 0)
        return problem_system(ps, c->batch, "cannot look at a claimed file", errno);
    if (out->n != c->size || (uint64_t)st.st_size != c->size || claim_nanoseconds(st.st_mtim) != c->mtime_ns)
        return SKIP;
    c->bytes = out->n;
    sha256_of(buf_slice(out), c->sha256);
    return OK;
}

int claims_dispose(struct spool *s, int dir, const char *batch, const char *name, uint64_t size, int64_t mtime_ns,
                   struct problems *ps)
{
    struct stat st;
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
        return OK;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : problem_system(ps, batch, "cannot look at a claimed file", errno);
    if ((uint64_t)st.st_size != size || claim_nanoseconds(st.st_mtim) != mtime_ns)
        return claim_late(s, batch, dir, name, ps);
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? OK
        : problem_system(ps, batch, "cannot remove a claimed file", errno);
}

int claims_end(struct spool *s, const char *wave, struct problems *ps)
{
    char from[BATCH_ID_SIZE + 24];
    snprintf(from, sizeof from, "%s/.from", wave);
    if (unlinkat(s->claim, from, 0) != 0 && errno != ENOENT)
        return problem_system(ps, wave, "cannot remove the folder of claims", errno);
    if (unlinkat(s->claim, wave, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return OK;
    return problem_system(ps, wave, "cannot remove the folder of claims", errno);
}

struct left {
    const char *name;
    struct timespec time;
};

static int oldest_first(const void *a, const void *b)
{
    const struct left *x = a, *y = b;
    int64_t from = claim_nanoseconds(x->time), to = claim_nanoseconds(y->time);
    return from != to ? (from < to ? -1 : 1) : strcmp(x->name, y->name);
}

/* In the order in which they are taken from an inbox. */
static struct left *in_order(int dir, const struct slice *names, size_t n, struct arena *a)
{
    struct left *out = arena_zero(a, (n + 1) * sizeof *out);
    struct stat st;
    for (size_t i = 0; i < n; i++) {
        out[i].name = names[i].p;
        if (fstatat(dir, names[i].p, &st, AT_SYMLINK_NOFOLLOW) == 0)
            out[i].time = st.st_mtim;
    }
    qsort(out, n, sizeof *out, oldest_first);
    return out;
}

/* Folders first, on the disk, then the files into them: as for every claim. */
static int split(struct spool *s, int dir, const char *from, const struct left *names, size_t n,
                 void (*new_id)(void *owner, char id[BATCH_ID_SIZE]), void *owner, struct problems *ps)
{
    char (*ids)[BATCH_ID_SIZE] = arena_alloc(ps->arena, n * sizeof *ids), path[BATCH_ID_SIZE + 264];
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        new_id(owner, ids[i]);
        snprintf(path, sizeof path, "%s/.from", ids[i]);
        if (mkdirat(s->claim, ids[i], 0700) != 0 || (*from && symlinkat(from, s->claim, path) != 0))
            rc = problem_system(ps, ids[i], "cannot make the folder of a claim", errno);
    }
    if (rc == OK)
        rc = spool_sync(s, ps);
    for (size_t i = 0; i < n && rc == OK; i++) {
        snprintf(path, sizeof path, "%s/%.255s", ids[i], names[i].name);
        if (renameat2(dir, names[i].name, s->claim, path, RENAME_NOREPLACE) != 0)
            rc = problem_system(ps, ids[i], "cannot take over a claimed file", errno);
    }
    return rc == OK ? spool_sync(s, ps) : rc;
}

int claims_split(struct spool *s, const char *wave, void (*new_id)(void *owner, char id[BATCH_ID_SIZE]), void *owner,
                 struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    char from[512];
    int dir = openat(s->claim, wave, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return errno == ENOENT ? OK : problem_system(ps, wave, "cannot open the folder of claims", errno);
    arena_init(&a, 0);
    ssize_t length = readlinkat(dir, ".from", from, sizeof from - 1);
    from[length > 0 ? length : 0] = '\0';
    int rc = claim_names(dir, ".", &a, &names, &n, ps);
    if (rc == OK && n)
        rc = split(s, dir, from, in_order(dir, names, n, &a), n, new_id, owner, ps);
    close(dir);
    arena_release(&a);
    return rc == OK ? claims_end(s, wave, ps) : rc;
}
