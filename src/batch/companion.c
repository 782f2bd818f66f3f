#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/batch_private.h"

/* ---- a file that lies beside the dropped one becomes one of the batch -------------------------------------------- */

static unsigned next_number(const struct waybill *w)
{
    unsigned n = 0;
    for (const struct waybill_file *f = w->files; f; f = f->next)
        n += slice_is(f->kind, "companion");
    return n + 1;
}

static int64_t age_ms(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - st->st_mtim.tv_sec) * 1000LL + (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
}

/* Hashed on the way; `size`: what it had when it was opened. */
static int copy_bytes(struct batch *b, int from, int to, struct waybill_file *f, struct problems *ps)
{
    char bytes[65536];
    struct sha256 hash;
    ssize_t n;
    sha256_init(&hash);
    f->size = 0;
    while ((n = file_read_full(from, bytes, sizeof bytes)) > 0) {
        int err = file_write_all(to, (struct slice){ bytes, (size_t)n });
        if (err)
            return problem_system(ps, arena_cstr(b->arena, f->name), "cannot copy into .waybill", err);
        sha256_add(&hash, (struct slice){ bytes, (size_t)n });
        f->size += (uint64_t)n;
    }
    if (n < 0)
        return problem_system(ps, arena_cstr(b->arena, f->name), "cannot read", errno);
    sha256_hex(&hash, f->sha256);
    return OK;
}

static int sync_copy(const struct batch *b, int fd, struct problems *ps)
{
    if (batch_syncs(b) && fsync(fd) != 0)
        return problem_system(ps, b->id, "a companion cannot be made durable", errno);
    return batch_syncs(b) ? spool_sync_dir(b->site->spool, b->dir, b->id, ps) : OK;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The batch has it for sure; gone for sure, so that after a power cut it is not there for another message. A newer one
   that came under its name meanwhile stays: nobody has a copy of that. */
static int leave_inbox(const struct batch *b, const struct batch_beside *of, const struct stat *taken,
                       struct problems *ps)
{
    struct stat st;
    if (fstatat(of->from, of->entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_same(&st, taken))
        return OK;
    if (unlinkat(of->from, of->entry, 0) == 0 || errno == ENOENT)
        return batch_syncs(b) ? spool_sync_dir(b->site->spool, of->from, of->entry, ps) : OK;
    if (errno != EACCES && errno != EPERM && errno != EROFS)
        return problem_system(ps, of->entry, "a companion cannot be removed from the inbox", errno);
    problem_addf(ps, PROBLEM_WARNING, "INBOX_KIND", (struct place){ .file = of->entry, .offset = PLACE_NO_OFFSET },
                 "the batch has a copy of the companion, but the file cannot be removed from the inbox");
    return OK;
}

static const struct waybill_file *newest_of(const struct batch *b, const char *entry)
{
    const struct waybill_file *newest = NULL;
    for (const struct waybill_file *f = b->w->files; f; f = f->next) {
        if (slice_is(f->kind, "companion") && slice_is(f->name, entry))
            newest = f;
    }
    return newest;
}

/* It could not be noted, so the batch does not have it: the next attempt makes it anew. */
static void forget(struct waybill *w, const struct waybill_file *own)
{
    struct waybill_file **at = &w->files;
    while (*at && *at != own)
        at = &(*at)->next;
    if (*at)
        *at = own->next;
}

static int enter(struct batch *b, const char *name, const struct waybill_file *f, struct problems *ps)
{
    struct waybill_file *own = waybill_file(b->w, "companion", name);
    own->name = arena_copy(b->arena, f->name);
    own->size = f->size;
    memcpy(own->sha256, f->sha256, sizeof own->sha256);
    int rc = batch_save(b, ps);
    if (rc != OK)
        forget(b->w, own);
    return rc;
}

/* A private copy: whoever still has the file open cannot change what the batch has. END: somebody changed it on the
   way, so it is not there yet. */
static int take_in(struct batch *b, const struct batch_beside *of, int from, const struct stat *taken, int *fd_out,
                   struct problems *ps)
{
    char name[32];
    struct stat st;
    snprintf(name, sizeof name, "with.%u", next_number(b->w));
    unlinkat(b->dir, name, 0);                      /* left by a crash: the waybill does not name it */
    int fd = openat(b->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return problem_system(ps, name, "cannot write", errno);
    struct waybill_file f = { .name = slice_of(of->entry) };
    int rc = copy_bytes(b, from, fd, &f, ps);
    if (rc == OK)
        rc = sync_copy(b, fd, ps);
    if (rc == OK && fstat(from, &st) != 0)
        rc = problem_system(ps, of->entry, "cannot look at a companion", errno);
    else if (rc == OK && !is_same(&st, taken))
        rc = END;
    if (rc != OK) {
        close(fd);
        unlinkat(b->dir, name, 0);
        return rc;
    }
    const struct waybill_file *before = newest_of(b, of->entry);
    if (before && strcmp(before->sha256, f.sha256) == 0)    /* taken before, when it could not be removed */
        unlinkat(b->dir, name, 0);
    else
        rc = enter(b, name, &f, ps);
    if (rc == OK)
        rc = leave_inbox(b, of, taken, ps);
    *fd_out = rc == OK && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
    if (*fd_out < 0)
        close(fd);
    return rc;
}

/* What is no file that somebody put there: no name of one, a link, a device. */
static bool is_none(int err)
{
    return err == ENOENT || err == ELOOP || err == ENXIO || err == ENOTDIR || err == ENAMETOOLONG || err == EACCES;
}

static int look_beside(struct batch *b, const struct batch_beside *of, int *fd_out, struct problems *ps)
{
    struct stat st;
    int fd = of->from < 0 ? -1 : openat(of->from, of->entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && (of->from < 0 || is_none(errno)))
        return OK;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        return problem_system(ps, of->entry, "cannot open a companion", err);
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > of->max) {
        *fd_out = fd;                               /* whoever reads it says what is wrong with it */
        return OK;
    }
    int rc = age_ms(&st) >= 0 && age_ms(&st) < of->stable_ms ? OK : take_in(b, of, fd, &st, fd_out, ps);
    close(fd);
    return rc == END ? OK : rc;
}

int batch_companion(struct batch *b, const struct batch_beside *of, int *fd_out, struct problems *ps)
{
    *fd_out = -1;
    int rc = look_beside(b, of, fd_out, ps);
    if (rc != OK || *fd_out >= 0)
        return rc;
    const struct waybill_file *newest = newest_of(b, of->entry);
    if (!newest)
        return OK;
    const char *name = arena_cstr(b->arena, newest->file);
    *fd_out = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return *fd_out < 0 ? problem_system(ps, name, "a companion of the batch cannot be opened", errno) : OK;
}
