#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/ledger_private.h"

enum { BLOCK = 1 << 16, STEP = 1 << 26 };

/* 0 or errno. */
static int copy_blocks(int from, int to)
{
    char bytes[BLOCK];
    ssize_t n;
    while ((n = file_read_full(from, bytes, sizeof bytes)) > 0) {
        int err = file_write_all(to, (struct slice){ bytes, (size_t)n });
        if (err)
            return err;
    }
    return n < 0 ? errno : 0;
}

/* By the file system itself where it can: both files stand at 0. */
static int copy_all(int from, int to)
{
    ssize_t n;
    while ((n = copy_file_range(from, NULL, to, NULL, STEP, 0)) > 0)
        continue;
    return n == 0 ? 0 : copy_blocks(from, to);      /* from where it stands: it is no fault of the world yet */
}

static int renew(const struct store *s, const char *path, struct problems *ps)
{
    char fresh[LEDGER_PATH];
    snprintf(fresh, sizeof fresh, "%sledger.new", s->fence);
    int from = openat(s->top, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return errno == ENOENT ? OK : problem_system(ps, path, "cannot open", errno);
    int to = openat(s->top, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = to < 0 ? errno : copy_all(from, to);
    if (err == 0 && s->durable && fsync(to) != 0)
        err = errno;
    if (to >= 0 && close(to) != 0 && err == 0)
        err = errno;
    close(from);
    if (err == 0 && renameat(s->top, fresh, s->top, path) != 0)
        err = errno;
    return err ? problem_system(ps, path, "cannot be copied, to keep the host out that had the site before", err) : OK;
}

/* Only regular files: `cannot open` of what else lies there is told when it is asked for. */
static bool is_ledger(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 7 && n < LEDGER_PATH - 8 && strcmp(e->d_name + n - 7, ".ledger") == 0 &&
        (e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
}

int ledger_renew(const struct store *s, struct problems *ps)
{
    char path[LEDGER_PATH];
    int rc = OK, err = 0, fd = openat(s->top, "ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return problem_system(ps, "ledger", "cannot read the folder", errno);
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;) {
        if (!is_ledger(e))
            continue;
        snprintf(path, sizeof path, "ledger/%.280s", e->d_name);
        rc = renew(s, path, ps);
    }
    if (rc == OK && err)
        rc = problem_system(ps, "ledger", "cannot read the folder", err);
    if (rc == OK && s->durable && fsync(fd) != 0 && errno != EINVAL)
        rc = problem_system(ps, "ledger", "cannot write to disk", errno);
    closedir(dir);
    return rc;
}
