#include "store/trash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { DEPTH = 3, DAY = 8, NAME = 320 };

static int open_folder(const struct store *s, const char *name, struct problems *ps)
{
    if (mkdirat(s->top, name, 0700) == 0 && s->durable && fsync(s->top) != 0)
        problem_system(ps, name, "cannot write to disk", errno);
    int fd = openat(s->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        problem_system(ps, name, "cannot open the folder", errno);
    return fd;
}

int trash_lock(const struct store *s, int *lock_out, struct problems *ps)
{
    *lock_out = open_folder(s, "trash", ps);
    if (*lock_out < 0)
        return TEMP;
    if (flock(*lock_out, LOCK_EX | LOCK_NB) == 0)
        return OK;
    int rc = errno == EWOULDBLOCK ? END : problem_system(ps, "trash", "cannot lock", errno);
    trash_unlock(*lock_out);
    *lock_out = -1;
    return rc;
}

void trash_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* END: nothing was purged of that day. */
static int read_day(const struct store *s, const char *day, struct arena *a, struct slice *out, struct problems *ps)
{
    struct stat st;
    char path[64];
    snprintf(path, sizeof path, "purged/%.8s", day);
    *out = slice_none();
    if (fstatat(s->top, path, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return END;
    return file_read(a, file_join(a, file_join(a, s->path, ".waybill"), path), 0, out, ps) == OK ? OK : TEMP;
}

int trash_note(const struct store *s, const char *day, struct slice ids, struct problems *ps)
{
    struct arena a;
    struct buf all = { 0 };
    struct slice before;
    char name[DAY + 1];
    if (ids.n == 0)
        return OK;
    int dir = open_folder(s, "purged", ps);
    if (dir < 0)
        return TEMP;
    arena_init(&a, 0);
    int rc = read_day(s, day, &a, &before, ps);
    buf_add(&all, rc == OK ? before : SLICE("\n"));
    buf_add(&all, ids);
    snprintf(name, sizeof name, "%.8s", day);
    if (rc != TEMP)
        rc = file_replace(dir, name, buf_slice(&all), 0600, s->durable, ps);
    close(dir);
    buf_release(&all);
    arena_release(&a);
    return rc;
}

int trash_look(const struct store *s, const char *batch, struct problems *ps)
{
    struct arena a;
    struct slice ids;
    char line[80];
    int n = snprintf(line, sizeof line, "\n%s\n", batch);
    if (n < DAY + 2 || (size_t)n >= sizeof line)
        return END;
    arena_init(&a, 0);
    int rc = read_day(s, batch, &a, &ids, ps);
    if (rc == OK && !memmem(ids.p, ids.n, line, (size_t)n))
        rc = END;
    arena_release(&a);
    return rc;
}

/* In the trash names need not be told apart by people: the first free one of NAME, NAME~1 … */
static int move_in(int from, const char *name, int trash)
{
    char free_name[NAME];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(free_name, sizeof free_name, i ? "%.280s~%u" : "%.280s", name, i);
        if (renameat2(from, name, trash, free_name, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

int trash_put(const struct store *s, const char *folder, const char *name, struct problems *ps)
{
    int from = openat(s->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc = OK;
    if (from < 0)
        return errno == ENOENT ? OK : problem_system(ps, folder, "cannot open the folder", errno);
    int trash = open_folder(s, "trash", ps);
    int err = trash < 0 ? 0 : move_in(from, name, trash);
    if (trash < 0)
        rc = TEMP;
    else if (err && err != ENOENT)
        rc = problem_system(ps, name, "cannot be moved to the trash", err);
    else if (!err && s->durable && (fsync(trash) != 0 || fsync(from) != 0))
        rc = problem_system(ps, name, "cannot write to disk", errno);
    if (trash >= 0)
        close(trash);
    close(from);
    return rc;
}

/* Unlinks what is in a folder, at most *left names; true when it is empty. */
static bool empty(int fd, size_t *left, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *e;
    int err;
    bool all = dir != NULL;
    if (!dir) {
        close(fd);
        return false;
    }
    while (*left > 0 && (e = file_entry(dir, &err))) {
        (*left)--;
        if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
            continue;
        int below = depth > 0 ? openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
        bool gone = below >= 0 && empty(below, left, depth - 1) && unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) == 0;
        all = all && gone;
    }
    all = all && *left > 0;
    closedir(dir);
    return all;
}

int trash_empty(const struct store *s, size_t max, struct problems *ps)
{
    size_t left = max;
    int fd = open_folder(s, "trash", ps);
    if (fd < 0)
        return TEMP;
    bool all = empty(fd, &left, DEPTH);
    return all || left == max ? END : left > 0 ? problem_system(ps, "trash", "something cannot be removed", EBUSY) : OK;
}
