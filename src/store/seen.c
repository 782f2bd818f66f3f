#include "store/seen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char *const kinds[] = { [SEEN_CONTENT] = "content", [SEEN_REFERENCE] = "reference", [SEEN_KEY] = "key" };

enum { PATH = 160 };

static void shard_path(char out[PATH], enum seen_kind kind, const char *key)
{
    snprintf(out, PATH, "seen/%s/%.2s", kinds[kind], key);
}

static void entry_path(char out[PATH], enum seen_kind kind, const char *key)
{
    snprintf(out, PATH, "seen/%s/%.2s/%s", kinds[kind], key, key + 2);
}

void seen_key(char out[SHA256_HEX], const struct slice *parts, size_t n)
{
    struct sha256 h;
    sha256_init(&h);
    for (size_t i = 0; i < n; i++) {
        char length[24];
        int digits = snprintf(length, sizeof length, "%zu:", parts[i].n);
        sha256_add(&h, (struct slice){ length, (size_t)digits });
        sha256_add(&h, parts[i]);
    }
    sha256_hex(&h, out);
}

static int sync_folder(const struct store *s, const char *path, struct problems *ps)
{
    int rc = OK;
    if (!s->durable || s->group)
        return OK;
    int fd = openat(s->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        rc = problem_system(ps, path, "cannot write to disk", errno);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int fault(const struct store *s, const char *shard, const char *what, int err, struct problems *ps)
{
    return problem_system(ps, arena_printf(ps->arena, "%s/.waybill/%s", s->path, shard).p, what, err);
}

/* The shard's folder, made at its first use. */
static int make_shard(const struct store *s, enum seen_kind kind, const char *key, struct problems *ps)
{
    char kind_path[PATH], shard[PATH];
    snprintf(kind_path, sizeof kind_path, "seen/%s", kinds[kind]);
    shard_path(shard, kind, key);
    if (mkdirat(s->top, shard, 0700) == 0 || errno == EEXIST)
        return sync_folder(s, kind_path, ps);
    if (errno == ENOENT && (mkdirat(s->top, kind_path, 0700) == 0 || errno == EEXIST)) {
        int rc = sync_folder(s, "seen", ps);
        if (rc != OK)
            return rc;
        if (mkdirat(s->top, shard, 0700) == 0 || errno == EEXIST)
            return sync_folder(s, kind_path, ps);
    }
    return fault(s, shard, "the folder of what was seen cannot be made", errno, ps);
}

int seen_lock(const struct store *s, enum seen_kind kind, const char *key, int *lock_out, struct problems *ps)
{
    char shard[PATH];
    *lock_out = -1;
    if (s->group)
        return OK;                                  /* one process, one wave */
    shard_path(shard, kind, key);
    int fd = openat(s->top, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        int rc = make_shard(s, kind, key, ps);
        if (rc != OK)
            return rc;
        fd = openat(s->top, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return fault(s, shard, "the folder of what was seen cannot be opened", errno, ps);
    int rc = file_lock(fd, LOCK_EX, shard, ps);
    if (rc == OK)
        *lock_out = fd;
    else
        close(fd);
    return rc;
}

void seen_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

static int read_entry(const struct store *s, const char *path, char out[SEEN_BATCH], struct problems *ps)
{
    ssize_t n = readlinkat(s->top, path, out, SEEN_BATCH - 1);
    if (n < 0 && errno == ENOENT)
        return END;
    if (n < 0)
        return problem_system(ps, path, "cannot read", errno);
    out[n] = '\0';
    return OK;
}

/* Replaces a stale entry by ours, atomically. */
static int take_over(const struct store *s, const char *path, const char *batch, struct problems *ps)
{
    char fresh[PATH + sizeof s->fence + 8];
    snprintf(fresh, sizeof fresh, "%s%s.new", s->fence, *s->fence ? "seen" : path);
    if (unlinkat(s->top, fresh, 0) != 0 && errno != ENOENT)
        return problem_system(ps, fresh, "cannot remove", errno);
    if (symlinkat(batch, s->top, fresh) != 0 || renameat(s->top, fresh, s->top, path) != 0)
        return problem_system(ps, path, "cannot write", errno);
    return OK;
}

int seen_put(const struct store *s, enum seen_kind kind, const char *key, const char *batch,
             bool (*known)(void *owner, const char *batch), void *owner, char other[SEEN_BATCH], struct problems *ps)
{
    char path[PATH], shard[PATH];
    entry_path(path, kind, key);
    shard_path(shard, kind, key);
    other[0] = '\0';
    int err = symlinkat(batch, s->top, path) == 0 ? 0 : errno;
    if (err == ENOENT) {
        int rc = make_shard(s, kind, key, ps);
        if (rc != OK)
            return rc;
        err = symlinkat(batch, s->top, path) == 0 ? 0 : errno;
    }
    if (err) {
        if (err != EEXIST)
            return problem_system(ps, path, "cannot write", err);
        int rc = read_entry(s, path, other, ps);
        if (rc == OK && strcmp(other, batch) != 0 && known(owner, other))
            return SKIP;
        if (rc == OK && strcmp(other, batch) != 0)
            rc = take_over(s, path, batch, ps);
        other[0] = '\0';
        if (rc != OK)
            return rc == END ? TEMP : rc;
    }
    return sync_folder(s, shard, ps);
}

int seen_get(const struct store *s, enum seen_kind kind, const char *key, char batch_out[SEEN_BATCH],
             struct problems *ps)
{
    char path[PATH];
    entry_path(path, kind, key);
    batch_out[0] = '\0';
    return read_entry(s, path, batch_out, ps);
}

/* It may be another host's entry by now: by way of a folder that a take-over removes. */
static int take_away(const struct store *s, const char *path)
{
    char old[PATH];
    if (!*s->fence)
        return unlinkat(s->top, path, 0);
    snprintf(old, sizeof old, "%sseen.old", s->fence);
    return renameat(s->top, path, s->top, old) == 0 ? unlinkat(s->top, old, 0) : -1;
}

int seen_remove(const struct store *s, enum seen_kind kind, const char *key, const char *batch, struct problems *ps)
{
    char path[PATH], shard[PATH], owner[SEEN_BATCH];
    int rc = seen_get(s, kind, key, owner, ps);
    if (rc == END || (rc == OK && strcmp(owner, batch) != 0))
        return OK;
    if (rc != OK)
        return rc;
    entry_path(path, kind, key);
    shard_path(shard, kind, key);
    if (take_away(s, path) != 0 && errno != ENOENT)
        return problem_system(ps, path, "cannot remove", errno);
    return sync_folder(s, shard, ps);
}

/* One shard. */
static int sweep(const struct store *s, const char *path, bool (*known)(void *owner, const char *batch), void *owner,
                 uint64_t *removed, struct problems *ps)
{
    char entry[PATH * 3], batch[SEEN_BATCH];
    int fd = openat(s->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err = 0, rc = OK;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? OK : problem_system(ps, path, "cannot read the folder", errno);
    while (rc <= END && (e = file_entry(dir, &err))) {
        snprintf(entry, sizeof entry, "%s/%.280s", path, e->d_name);
        rc = e->d_type == DT_LNK || e->d_type == DT_UNKNOWN ? read_entry(s, entry, batch, ps) : END;
        if (rc != OK || known(owner, batch))
            continue;
        if (unlinkat(s->top, entry, 0) == 0)
            (*removed)++;
        else if (errno != ENOENT)
            rc = problem_system(ps, entry, "cannot remove", errno);
    }
    closedir(dir);
    if (rc <= END && err)
        rc = problem_system(ps, path, "cannot read the folder", err);
    return rc > END ? rc : sync_folder(s, path, ps);
}

int seen_sweep(const struct store *s, enum seen_kind kind, bool (*known)(void *owner, const char *batch), void *owner,
               uint64_t *removed, struct problems *ps)
{
    int rc = OK;
    *removed = 0;
    for (unsigned shard = 0; shard < 256 && rc == OK; shard++) {
        char path[PATH];
        snprintf(path, sizeof path, "seen/%s/%02x", kinds[kind], shard);
        if (faccessat(s->top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            rc = sweep(s, path, known, owner, removed, ps);
    }
    return rc;
}
