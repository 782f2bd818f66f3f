#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "drop/inbox_private.h"

enum { BLOCK = 65536, WITH_MAX = 10000 };

int64_t claim_nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct place at(const char *file)
{
    return (struct place){ .file = file, .offset = PLACE_NO_OFFSET };
}

/* The name of a dropped file for a message. */
static struct slice shown(struct arena *a, const char *name)
{
    struct buf b = { 0 };
    buf_add_shown(&b, slice_of(name), 200);
    struct slice text = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* Never over an existing file; where the file system knows no such flag the target is in a folder of ours that is
   empty. */
int claim_rename(int from_dir, const char *from, int to_dir, const char *to)
{
    if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (faccessat(to_dir, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    return renameat(from_dir, from, to_dir, to) == 0 ? 0 : errno;
}

/* A claim that cannot be read now: where it lies, and what becomes of it. */
static int unread(const struct spool *s, const char *batch, const char *what, int err, struct problems *ps)
{
    char path[SPOOL_PATH];
    spool_path(s, "claim", batch, path);
    return problem_system_hint(ps, arena_printf(ps->arena, "%s/.waybill/%s", s->path, path).p, what, err,
                               "it stays there and is tried again every minute: mend the disk, or give the folder and "
                               "its file back to the user that waybill runs as");
}

static int fsync_dir(const struct spool *s, int fd, const char *name, struct problems *ps)
{
    return spool_sync_dir(s, fd, name, ps);
}

/* --- the folders of claims ---------------------------------------------------------------------------------------- */

/* The names in a folder, without those that begin with a dot; a missing one has none. A folder that cannot be read
   is never taken for an empty one: empty claims are removed. */
static int names_in(int dirfd, const char *name, struct arena *a, struct slice **out, size_t *n, struct problems *ps)
{
    size_t cap = 0;
    int err = 0;
    *out = NULL;
    *n = 0;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, name, "cannot open the folder of a claim", errno);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        err = errno;
        close(fd);
        return problem_system(ps, name, "cannot read the folder of a claim", err);
    }
    for (struct dirent *e; *n < WITH_MAX && (e = file_entry(dir, &err)) != NULL;) {
        if (e->d_name[0] != '.')
            ARENA_PUSH(a, *out, *n, cap) = arena_copy(a, slice_of(e->d_name));
    }
    closedir(dir);
    return err ? problem_system(ps, name, "cannot read the folder of a claim", err) : OK;
}

static int by_name(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

int claim_names(int dirfd, const char *name, struct arena *a, struct slice **out, size_t *n,
                struct problems *ps)
{
    int rc = names_in(dirfd, name, a, out, n, ps);
    if (*n)
        qsort(*out, *n, sizeof **out, by_name);
    return rc;
}

/* error/<batch>-late receives what came too late or belongs to nothing any more: bytes of a sender are never thrown
   away. */
int claim_late(struct spool *s, const char *batch, int dirfd, const char *name, struct problems *ps)
{
    char folder[BATCH_ID_SIZE + 8];
    snprintf(folder, sizeof folder, "%s-late", batch);
    if (mkdirat(s->error, folder, 0700) != 0 && errno != EEXIST)
        return problem_system(ps, folder, "cannot make the folder", errno);
    int fd = openat(s->error, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_system(ps, folder, "cannot open the folder", errno);
    int rc = fsync_dir(s, s->error, "error", ps);
    int err = rc == OK ? claim_rename(dirfd, name, fd, name) : 0;
    if (rc == OK && err == 0)
        rc = fsync_dir(s, fd, folder, ps);
    close(fd);
    if (err && err != ENOENT)
        return problem_system(ps, folder, "cannot keep a file that changed", err);
    return rc;
}

/* One goes back to where it lay; a newer one of its name that came meanwhile stays, and this one is kept beside. */
static int give_one_back(struct spool *s, const struct claim *c, int inbox, int with, const char *name,
                         struct problems *ps)
{
    int err = inbox >= 0 ? claim_rename(with, name, inbox, name) : EEXIST;
    if (err && err != EEXIST && err != ENOENT)
        return problem_system(ps, c->inbox, "a companion cannot go back to its inbox", err);
    return err == EEXIST ? claim_late(s, c->batch, with, name, ps) : OK;
}

/* What came along with a file that is not accepted is kept with it. */
static int keep_companions(struct spool *s, const struct claim *c, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0);
    int rc = names_in(c->dir, ".with", &a, &names, &n, ps);
    int with = n ? openat(c->dir, ".with", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == OK && n && with < 0)
        rc = problem_system(ps, c->batch, "cannot open the companions of a claim", errno);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = claim_late(s, c->batch, with, names[i].p, ps);
    if (with >= 0)
        close(with);
    arena_release(&a);
    return rc;
}

/* Companions whose file was not taken after all lie in the inbox again, as if nobody had looked. */
static int give_back(struct spool *s, const struct claim *c, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0);
    int rc = names_in(c->dir, ".with", &a, &names, &n, ps);
    int with = n ? openat(c->dir, ".with", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == OK && n && with < 0)
        rc = problem_system(ps, c->batch, "cannot open the companions of a claim", errno);
    int inbox = n ? openat(s->root, c->inbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (rc == OK && n && inbox < 0 && (errno != ENOENT && errno != ENOTDIR))
        rc = problem_system(ps, c->inbox, "the inbox of companions cannot be opened", errno);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = give_one_back(s, c, inbox, with, names[i].p, ps);
    if (with >= 0)
        close(with);
    if (inbox >= 0)
        close(inbox);
    arena_release(&a);
    if (rc == OK)
        unlinkat(c->dir, ".with", AT_REMOVEDIR);
    return rc;
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

/* claim/<batch>, durable before a file moves into it: otherwise a power cut could lose the folder with the file. */
static int make_claim(struct spool *s, const struct inbox *in, const char *batch, struct claim *c, struct problems *ps)
{
    if (mkdirat(s->claim, batch, 0700) != 0)
        return spool_fault(s, "claim", batch, "the folder for a file that is taken cannot be made", errno, ps);
    c->dir = openat(s->claim, batch, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (c->dir < 0 || symlinkat(inbox_path(in), c->dir, ".from") != 0)
        return spool_fault(s, "claim", batch, "the folder for a file that is taken cannot be opened", errno, ps);
    int rc = fsync_dir(s, c->dir, batch, ps);       /* .from: after a cut nobody else knows which inbox it was */
    return rc == OK ? fsync_dir(s, s->claim, "claim", ps) : rc;
}

static int open_claimed(struct claim *c, struct stat *st)
{
    c->fd = openat(c->dir, c->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (c->fd < 0 || fstat(c->fd, st) != 0)
        return errno;
    c->size = (uint64_t)st->st_size;
    c->dev = st->st_dev;
    c->ino = st->st_ino;
    c->mtime_ns = claim_nanoseconds(st->st_mtim);
    return 0;
}

/* What cannot go back now stays in the claim, where claim_open finds it. */
static void unmake(struct spool *s, struct claim *c, struct problems *ps)
{
    bool empty = c->dir < 0 || give_back(s, c, ps) == OK;
    if (c->dir >= 0 && empty)
        unlinkat(c->dir, ".from", 0);
    if (empty)
        unlinkat(s->claim, c->batch, AT_REMOVEDIR);
    claim_close(c);
}

/* It is not what was looked at: back to the sender's folder, where the next pass judges it anew. */
static int put_back(struct spool *s, const struct inbox *in, struct claim *c, int err, struct problems *ps)
{
    c->unread = err && err != ELOOP && err != ENXIO;
    if (c->unread)
        problem_system(ps, inbox_path(in), shown(ps->arena, c->name).p, err);
    if (claim_rename(c->dir, c->name, inbox_fd(in), c->name) == 0)
        unmake(s, c, ps);
    else
        claim_close(c);
    return SKIP;
}

/* SKIP: it is not ours to rename, or a mount point (EBUSY), or of another project's quota (EXDEV, where the folder as
   a whole was found to lie well): others may be taken. */
static int cannot_take(struct inbox *in, const char *name, int err, struct problems *ps)
{
    if (err == EPERM || err == EACCES || err == EBUSY || err == EXDEV)
        return inbox_denied(in, name, err, ps);
    const char *what = arena_printf(ps->arena, "cannot take %.*s", SLICE_ARG(shown(ps->arena, name))).p;
    return problem_system(ps, inbox_path(in), what, err);
}

int claim_failed(struct inbox *in, const char *name, int err, struct problems *ps)
{
    return err == ENOENT ? END : cannot_take(in, name, err, ps);
}

/* Another file of the inbox goes along: END when it is not there (any more). */
static int take_along(struct spool *s, struct inbox *in, const char *name, const struct claim *c,
                      struct problems *ps)
{
    struct stat st;
    if (strchr(name, '/') || name[0] == '\0' || name[0] == '.')
        return END;
    if (fstatat(inbox_fd(in), name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return END;
    if (mkdirat(c->dir, ".with", 0700) != 0 && errno != EEXIST)
        return problem_system(ps, c->batch, "cannot make the folder of companions", errno);
    int with = openat(c->dir, ".with", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (with < 0)
        return problem_system(ps, c->batch, "cannot open the folder of companions", errno);
    int rc = fsync_dir(s, c->dir, c->batch, ps);
    int err = rc == OK ? claim_rename(inbox_fd(in), name, with, name) : 0;
    if (rc == OK && err == 0)
        rc = fsync_dir(s, with, c->batch, ps);
    close(with);
    if (err == ENOENT)
        return END;
    if (err)
        return cannot_take(in, name, err, ps);
    return rc;
}

/* Marker and manifest follow their file. A crash in between leaves an orphan marker, which announces nothing; so does
   one that may not be renamed. */
static int take_markers(struct spool *s, struct inbox *in, const struct drop *d, const struct claim *c,
                        struct problems *ps)
{
    char marker[512];
    int rc = OK;
    if (d->has_done) {
        snprintf(marker, sizeof marker, "%s%s", d->name, inbox_done(in));
        rc = take_along(s, in, marker, c, ps);
    }
    if (d->manifest[0] && (rc == OK || rc == END || rc == SKIP))
        rc = take_along(s, in, d->manifest, c, ps);
    return rc == END || rc == SKIP ? OK : rc;
}

static int begin_claim(struct spool *s, const struct inbox *in, const struct drop *d, const char *batch,
                       struct claim *out, struct problems *ps)
{
    *out = (struct claim){ .dir = -1, .fd = -1, .inbox_fd = inbox_fd(in) };
    snprintf(out->batch, sizeof out->batch, "%s", batch);
    memcpy(out->name, d->name, sizeof out->name);
    snprintf(out->inbox, sizeof out->inbox, "%s", inbox_path(in));
    int rc = make_claim(s, in, batch, out, ps);
    if (rc != OK)
        unmake(s, out, ps);
    return rc;
}

static int move(struct spool *s, struct inbox *in, const struct drop *d, struct claim *c, struct problems *ps)
{
    struct stat st;
    int err = claim_rename(inbox_fd(in), d->name, c->dir, d->name);
    if (err && (err == ENOENT || faccessat(c->dir, d->name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)) {
        unmake(s, c, ps);
        return claim_failed(in, c->name, err, ps);
    }
    err = open_claimed(c, &st);
    if (err || !S_ISREG(st.st_mode) || st.st_dev != d->dev || st.st_ino != d->ino || st.st_nlink > 1)
        return put_back(s, in, c, err, ps);
    return take_markers(s, in, d, c, ps);
}

/* The file itself comes last: once it is here, all that belongs to it is. */
int claim_take(struct spool *s, struct inbox *in, const struct drop *d, const char *batch,
               const char *const *with, struct claim *out, struct problems *ps)
{
    int rc = begin_claim(s, in, d, batch, out, ps);
    if (rc != OK)
        return rc;
    for (; with && *with && rc == OK; with++)
        rc = take_along(s, in, *with, out, ps);
    if (rc == OK)
        return move(s, in, d, out, ps);
    unmake(s, out, ps);
    return rc;
}

void claim_close(struct claim *c)
{
    if (c->fd >= 0)
        close(c->fd);
    if (c->dir >= 0)
        close(c->dir);
    c->fd = c->dir = -1;
}

/* --- finding again ------------------------------------------------------------------------------------------------ */

static int open_folder(struct spool *s, const char *batch, struct claim *c, struct problems *ps)
{
    *c = (struct claim){ .fd = -1, .inbox_fd = -1 };
    snprintf(c->batch, sizeof c->batch, "%s", batch);
    c->dir = openat(s->claim, batch, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (c->dir < 0)
        return errno == ENOENT ? END : unread(s, batch, "the folder of a claimed file cannot be opened", errno, ps);
    ssize_t n = readlinkat(c->dir, ".from", c->inbox, sizeof c->inbox - 1);
    c->inbox[n > 0 ? n : 0] = '\0';
    struct arena a;
    struct slice *names;
    size_t count;
    arena_init(&a, 0);
    int rc = claim_names(c->dir, ".", &a, &names, &count, ps);
    if (count > 0)
        snprintf(c->name, sizeof c->name, "%s", names[0].p);
    arena_release(&a);
    if (rc != OK)
        claim_close(c);
    return rc;
}

static int cannot_open(const struct spool *s, const struct claim *c, int err, struct problems *ps)
{
    struct slice from = slice_of(c->inbox[0] ? c->inbox : "its inbox");
    struct slice what = arena_printf(ps->arena, "%.*s, taken from %.*s, cannot be opened",
                                     SLICE_ARG(shown(ps->arena, c->name)), SLICE_ARG(from));
    return unread(s, c->batch, what.p, err, ps);
}

int claim_look(struct spool *s, const char *batch, struct claim *out, struct problems *ps)
{
    struct stat st;
    int rc = open_folder(s, batch, out, ps), err = 0;
    if (rc == OK && out->name[0])
        err = open_claimed(out, &st);
    claim_close(out);
    return err && err != ENOENT ? cannot_open(s, out, err, ps) : err ? END : rc;
}

int claim_open(struct spool *s, const char *batch, struct claim *out, struct problems *ps)
{
    struct stat st;
    int rc = open_folder(s, batch, out, ps);
    if (rc != OK)
        return rc;
    if (out->name[0] == '\0') {
        rc = give_back(s, out, ps);
        claim_close(out);
        if (rc == OK)
            rc = spool_remove(s->claim, batch, ps);
        return rc == OK ? END : rc;
    }
    int err = open_claimed(out, &st);
    if (err == 0 && S_ISREG(st.st_mode))
        return OK;
    if (err && err != ELOOP && err != ENXIO) {
        claim_close(out);
        return cannot_open(s, out, err, ps);
    }
    problem_addf(ps, PROBLEM_WARNING, "INBOX_KIND", at(batch),
                 "%.*s was claimed and is no regular file; it was put into error/%s-late",
                 SLICE_ARG(shown(ps->arena, out->name)), batch);
    rc = claim_late(s, batch, out->dir, out->name, ps);
    claim_close(out);
    return rc == OK ? claim_open(s, batch, out, ps) : rc;
}

static int by_age(const void *a, const void *b)
{
    return spool_id_compare(((const struct slice *)a)->p, ((const struct slice *)b)->p);
}

int claim_each(const struct spool *s, int (*each)(void *owner, const char *batch), void *owner, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0);
    int rc = names_in(s->claim, ".", &a, &names, &n, ps);
    if (n)
        qsort(names, n, sizeof *names, by_age);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (spool_id_valid(names[i].p))
            rc = each(owner, names[i].p);
    }
    arena_release(&a);
    return rc;
}

/* --- copying ------------------------------------------------------------------------------------------------------ */

/* The claim is durable before anything refers to it: else a power cut could bring the file back into the inbox,
   accepted twice. */
static int settle(struct spool *s, const struct claim *c, struct problems *ps)
{
    if (!s->durable || s->group)
        return OK;
    int rc = fsync_dir(s, c->dir, c->batch, ps);
    if (rc == OK)
        rc = fsync_dir(s, s->claim, "claim", ps);
    if (rc != OK || c->inbox[0] == '\0')
        return rc;
    if (c->inbox_fd >= 0)
        return fsync_dir(s, c->inbox_fd, c->inbox, ps);
    int fd = openat(s->root, c->inbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return OK;                              /* an inbox that is gone brings nothing back */
    rc = fsync_dir(s, fd, c->inbox, ps);
    close(fd);
    return rc;
}

static int too_large(const char *name, uint64_t max, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "INBOX_LARGE", at(shown(ps->arena, name).p), "the file is longer than %llu bytes",
                 (unsigned long long)max);
    return STOP;
}

struct copy {
    int from, to;
    uint64_t max, bytes;
    uint64_t size;                  /* that is expected; 0 = not known */
    struct sha256 hash;
};

static int copy_bytes(struct copy *c, const char *name, struct problems *ps)
{
    char bytes[BLOCK];
    sha256_init(&c->hash);
    for (;;) {
        ssize_t n = pread(c->from, bytes, sizeof bytes, (off_t)c->bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return problem_system(ps, shown(ps->arena, name).p, "cannot read", errno);
        if (n == 0)
            return OK;
        c->bytes += (uint64_t)n;
        if (c->max && c->bytes > c->max)
            return too_large(name, c->max, ps);
        sha256_add(&c->hash, (struct slice){ bytes, (size_t)n });
        int err = file_write_all(c->to, (struct slice){ bytes, (size_t)n });
        if (err)
            return problem_system(ps, shown(ps->arena, name).p, "cannot copy into .waybill", err);
        if (c->bytes == c->size && (size_t)n < sizeof bytes)
            return OK;                              /* check_same tells whether more came meanwhile */
    }
}

/* A private inode: whoever still has the dropped file open cannot change what was accepted. */
static int open_copy(int dir, const char *name, int *fd_out, struct problems *ps)
{
    *fd_out = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    return *fd_out < 0 ? problem_system(ps, name, "cannot write", errno) : OK;
}

static int copy_file(struct spool *s, struct copy *c, int dir, const char *to, const char *name, struct problems *ps)
{
    int rc = open_copy(dir, to, &c->to, ps);
    if (rc != OK)
        return rc;
    rc = copy_bytes(c, name, ps);
    if (rc == OK && s->durable && !s->group && fsync(c->to) != 0)
        rc = problem_system(ps, to, "cannot write to disk", errno);
    if (close(c->to) != 0 && rc == OK)
        rc = problem_system(ps, to, "cannot write", errno);
    return rc;
}

/* Somebody still writes it. */
static int changed(const char *name, struct problems *ps)
{
    problem_addf(ps, PROBLEM_WARNING, "INBOX_CHANGED", at(shown(ps->arena, name).p),
                 "the file changed while it was taken: it is taken again later");
    return SKIP;
}

static int copy_same(struct spool *s, struct copy *c, int dir, const char *to, const char *name,
                     const struct stat *before, struct problems *ps)
{
    struct stat st;
    int rc = copy_file(s, c, dir, to, name, ps);
    if (rc != OK)
        return rc;
    if (fstat(c->from, &st) != 0)
        return problem_system(ps, shown(ps->arena, name).p, "cannot look at a companion", errno);
    bool same = (uint64_t)st.st_size == c->bytes && claim_nanoseconds(st.st_mtim) == claim_nanoseconds(before->st_mtim);
    return same ? OK : changed(name, ps);
}

static int copy_companion(struct spool *s, int with, struct slice name, int tmp, size_t n, uint64_t max,
                          struct problems *ps)
{
    char to[32];
    struct stat st;
    struct copy c = { .max = max };
    snprintf(to, sizeof to, "with.%zu", n);
    c.from = openat(with, name.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (c.from < 0 && errno != ELOOP && errno != ENXIO)
        return problem_system(ps, shown(ps->arena, name.p).p, "cannot open", errno);
    int rc = OK;
    if (c.from >= 0 && fstat(c.from, &st) != 0)
        rc = problem_system(ps, shown(ps->arena, name.p).p, "cannot look at a companion", errno);
    else if (c.from >= 0 && S_ISREG(st.st_mode))
        rc = copy_same(s, &c, tmp, to, name.p, &st, ps);
    else
        problem_addf(ps, PROBLEM_WARNING, "INBOX_KIND", at(name.p), "a companion is no regular file and was left out");
    if (c.from >= 0)
        close(c.from);
    return rc;
}

static int copy_companions(struct spool *s, const struct claim *c, int tmp, uint64_t max, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    if (c->alone)
        return OK;
    arena_init(&a, 0);
    int rc = claim_names(c->dir, ".with", &a, &names, &n, ps);
    int with = n ? openat(c->dir, ".with", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == OK && n && with < 0)
        rc = problem_system(ps, c->batch, "cannot open the companions of a claim", errno);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = copy_companion(s, with, names[i], tmp, i + 1, max, ps);
    if (with >= 0)
        close(with);
    arena_release(&a);
    return rc;
}

/* Whether the file stayed as it was while it was copied; a sender that still writes is waited for. */
static int check_same(struct claim *c, struct problems *ps)
{
    struct stat st;
    if (fstat(c->fd, &st) != 0)
        return problem_system(ps, c->batch, "cannot look at a claimed file", errno);
    bool same = (uint64_t)st.st_size == c->size && claim_nanoseconds(st.st_mtim) == c->mtime_ns && c->bytes == c->size;
    c->size = (uint64_t)st.st_size;
    c->mtime_ns = claim_nanoseconds(st.st_mtim);
    return same ? OK : changed(c->name, ps);
}

/* What another process copied ahead lies beside the folder. */
static void filled_name(const struct claim *c, char out[BATCH_ID_SIZE + 4])
{
    snprintf(out, BATCH_ID_SIZE + 4, "%s.in", c->batch);
}

int claim_copy_begin(struct spool *s, struct claim *c, int *fd_out, struct problems *ps)
{
    char name[BATCH_ID_SIZE + 4];
    int rc = settle(s, c, ps);
    filled_name(c, name);
    return rc == OK ? open_copy(s->tmp, name, fd_out, ps) : rc;
}

int claim_fill(int from, int to, uint64_t max, bool sync, uint64_t *bytes_out, char sha256_out[SHA256_HEX],
               struct problems *ps)
{
    struct copy c = { .from = from, .to = to, .max = max };
    int rc = copy_bytes(&c, "in", ps);
    if (rc == OK && sync && fsync(to) != 0)
        rc = problem_system(ps, "in", "cannot write to disk", errno);
    *bytes_out = c.bytes;
    sha256_hex(&c.hash, sha256_out);
    return rc;
}

void claim_copy_drop(struct spool *s, const struct claim *c)
{
    char name[BATCH_ID_SIZE + 4];
    filled_name(c, name);
    unlinkat(s->tmp, name, 0);
}

static int take_filled(struct spool *s, const struct claim *c, int tmp, struct problems *ps)
{
    char name[BATCH_ID_SIZE + 4];
    filled_name(c, name);
    return renameat(s->tmp, name, tmp, "in") == 0 ? OK : problem_system(ps, c->batch, "the copy is gone", errno);
}

static int copy_main(struct spool *s, struct claim *c, int tmp, uint64_t max, struct problems *ps)
{
    struct copy copy = { .from = c->fd, .max = max, .size = c->size };
    if (c->filled)
        return take_filled(s, c, tmp, ps);
    int rc = copy_file(s, &copy, tmp, "in", c->name, ps);
    c->bytes = copy.bytes;
    if (rc == OK)
        sha256_hex(&copy.hash, c->sha256);
    return rc;
}

/* tmp/<batch>, without what an attempt left that died. */
static int make_tmp(struct spool *s, const char *batch, struct problems *ps)
{
    if (mkdirat(s->tmp, batch, 0700) == 0)
        return OK;
    int rc = errno == EEXIST ? spool_remove(s->tmp, batch, ps) : OK;
    if (rc == OK && mkdirat(s->tmp, batch, 0700) != 0)
        rc = spool_fault(s, "tmp", batch, "the folder for a batch that is accepted cannot be made", errno, ps);
    return rc;
}

int claim_copy(struct spool *s, struct claim *c, uint64_t max, int *dir_out, struct problems *ps)
{
    int tmp = -1, rc = c->filled ? OK : settle(s, c, ps);
    if (rc == OK)
        rc = make_tmp(s, c->batch, ps);
    if (rc != OK)
        return rc;
    tmp = openat(s->tmp, c->batch, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    rc = tmp >= 0 ? copy_main(s, c, tmp, max, ps)
                  : spool_fault(s, "tmp", c->batch, "the folder cannot be opened", errno, ps);
    if (rc == OK)
        rc = copy_companions(s, c, tmp, max, ps);
    if (rc == OK)
        rc = check_same(c, ps);
    if (tmp >= 0 && (rc != OK || !dir_out))
        close(tmp);
    if (rc != OK)
        spool_remove(s->tmp, c->batch, ps);
    else if (dir_out)
        *dir_out = tmp;
    return rc;
}

int claim_companion(struct spool *s, const struct claim *c, size_t n, struct claim_companion *out, struct problems *ps)
{
    struct arena a;
    struct slice *names, bytes;
    char path[BATCH_ID_SIZE + 32];
    size_t count;
    *out = (struct claim_companion){ .size = 0 };
    if (c->alone)
        return END;
    arena_init(&a, 0);
    int rc = claim_names(c->dir, ".with", &a, &names, &count, ps);
    if (rc == OK)
        rc = END;
    if (rc == END && n >= 1 && n <= count) {
        snprintf(out->name, sizeof out->name, "%s", names[n - 1].p);
        snprintf(path, sizeof path, "%s/with.%zu", c->batch, n);
        int fd = openat(s->tmp, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        rc = fd >= 0 ? OK : errno == ENOENT ? SKIP : problem_system(ps, path, "cannot open", errno);
        struct sha256 hash;
        char block[BLOCK];
        ssize_t got = 0;
        sha256_init(&hash);
        while (fd >= 0 && (got = file_read_full(fd, block, sizeof block)) > 0) {
            bytes = (struct slice){ block, (size_t)got };
            sha256_add(&hash, bytes);
            out->size += bytes.n;
        }
        if (got < 0)
            rc = problem_system(ps, path, "cannot read", errno);
        sha256_hex(&hash, out->sha256);
        if (fd >= 0)
            close(fd);
    }
    arena_release(&a);
    return rc;
}

/* --- accepting and disposing -------------------------------------------------------------------------------------- */

int claim_accept(struct spool *s, const char *batch, struct problems *ps)
{
    char from[SPOOL_PATH], to[SPOOL_PATH];
    spool_path(s, "tmp", batch, from);
    spool_path(s, "work", batch, to);
    if (renameat2(s->top, from, s->top, to, RENAME_NOREPLACE) != 0)
        return spool_fault(s, "tmp", batch, "the batch cannot be moved to .waybill/work", errno, ps);
    return fsync_dir(s, s->work, "work", ps);
}

int claim_dispose_named(struct spool *s, const char *batch, struct slice name, uint64_t size, int64_t mtime_ns,
                        struct problems *ps)
{
    char file[BATCH_ID_SIZE + 264], from[BATCH_ID_SIZE + 8];
    struct stat st;
    int n = snprintf(file, sizeof file, "%s/%.*s", batch, SLICE_ARG(name));
    if (n >= (int)sizeof file || name.n == 0 || name.p[0] == '.' || memchr(name.p, '/', name.n) ||
        fstatat(s->claim, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || (uint64_t)st.st_size != size ||
        claim_nanoseconds(st.st_mtim) != mtime_ns)
        return claim_dispose(s, batch, size, mtime_ns, ps);
    snprintf(from, sizeof from, "%s/.from", batch);
    unlinkat(s->claim, file, 0);
    unlinkat(s->claim, from, 0);
    return unlinkat(s->claim, batch, AT_REMOVEDIR) == 0 ? OK : spool_remove(s->claim, batch, ps);
}

int claim_dispose(struct spool *s, const char *batch, uint64_t size, int64_t mtime_ns, struct problems *ps)
{
    struct claim c;
    struct stat st;
    int rc = open_folder(s, batch, &c, ps);
    if (rc != OK)
        return rc == END ? OK : rc;
    bool there = c.name[0] && fstatat(c.dir, c.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (c.name[0] && !there && errno != ENOENT)
        rc = problem_system(ps, batch, "cannot look at a claimed file", errno);
    if (rc == OK && size == CLAIM_REFUSED)
        rc = keep_companions(s, &c, ps);            /* before the file: without it they would be another one's */
    if (rc == OK && there &&
        ((uint64_t)st.st_size != size || claim_nanoseconds(st.st_mtim) != mtime_ns)) {
        problem_addf(ps, PROBLEM_WARNING, "INBOX_LATE", at(shown(ps->arena, c.name).p), "%s error/%s-late",
                     size == CLAIM_REFUSED ? "the file could not be accepted: with what came along it was put into"
                                           : "the file changed after it was accepted; what it is now was put into",
                     batch);
        rc = claim_late(s, batch, c.dir, c.name, ps);
    }
    if (rc == OK && c.name[0])                  /* usually all there is */
        unlinkat(c.dir, c.name, 0);
    if (rc == OK)
        unlinkat(c.dir, ".from", 0);
    claim_close(&c);
    if (rc != OK || unlinkat(s->claim, batch, AT_REMOVEDIR) == 0)
        return rc;
    return spool_remove(s->claim, batch, ps);
}
