#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX ((uint64_t)64 << 20)

/* The most that one call moves: Linux caps at 2 GiB, and smaller steps let signals through. */
enum { STEP = 1 << 24, LOCK_MS = 10000, LOCK_PAUSE_MS = 5 };

static struct place place_of(const char *path)
{
    return (struct place){ .file = path, .offset = PLACE_NO_OFFSET };
}

int file_write_all(int fd, struct slice bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n < STEP ? bytes.n : STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return 0;
}

int file_lock(int fd, int how, const char *what, struct problems *ps)
{
    static const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000 };
    int tries = LOCK_MS / LOCK_PAUSE_MS;
    while (flock(fd, how | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return problem_system(ps, what, "cannot lock", errno);
        if (tries-- == 0)
            return problem_system(ps, what, "another process has held its lock for ten seconds: is one stopped?",
                                  EWOULDBLOCK);
        nanosleep(&pause, NULL);
    }
    return OK;
}

ssize_t file_read_full(int fd, void *p, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, (char *)p + have, n - have < STEP ? n - have : STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static int refuse_size(struct problems *ps, const char *path, uint64_t max)
{
    problem_addf(ps, PROBLEM_ERROR, "LIMIT_FILE", place_of(path), "the file is longer than %llu bytes",
                 (unsigned long long)max);
    return STOP;
}

/* Reads what is there now: a file that grows meanwhile is read up to the length that it had. */
static int read_open(struct arena *a, int fd, const char *path, uint64_t max, struct slice *out, struct problems *ps)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return problem_system(ps, path, "cannot look at the file", errno);
    if (!S_ISREG(st.st_mode)) {
        problem_addf(ps, PROBLEM_ERROR, "SYS_IO", place_of(path), "this is no regular file");
        return STOP;
    }
    if ((uint64_t)st.st_size > max)
        return refuse_size(ps, path, max);
    size_t size = (size_t)st.st_size;
    char *p = arena_alloc(a, size + 1);
    ssize_t n = file_read_full(fd, p, size);
    if (n < 0)
        return problem_system(ps, path, "cannot read the file", errno);
    p[n] = '\0';
    *out = (struct slice){ p, (size_t)n };
    return OK;
}

int file_read(struct arena *a, const char *path, uint64_t max, struct slice *out, struct problems *ps)
{
    *out = slice_none();
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);      /* a FIFO must not hold us up */
    if (fd < 0)
        return problem_system(ps, path, "cannot open the file", errno);
    int rc = read_open(a, fd, path, max ? max : READ_MAX, out, ps);
    close(fd);
    return rc;
}

/* Writes a new file of that name. 0 or errno; what was begun is taken away again. */
static int write_new(int dirfd, const char *name, struct slice bytes, unsigned mode, bool durable)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return errno;
    int err = file_write_all(fd, bytes);
    if (err == 0 && fchmod(fd, (mode_t)mode) != 0)      /* whatever the umask */
        err = errno;
    if (err == 0 && durable && fsync(fd) != 0)
        err = errno;
    if (close(fd) != 0 && err == 0)
        err = errno;
    if (err)
        unlinkat(dirfd, name, 0);
    return err;
}

int file_put(int dirfd, const char *name, struct slice bytes, unsigned mode, struct problems *ps)
{
    char temporary[NAME_MAX + 1];
    int n = snprintf(temporary, sizeof temporary, ".%.200s.new", name);
    int fd = n < 0 || (size_t)n >= sizeof temporary || strchr(name, '/')
        ? -1 : openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return file_replace(dirfd, name, bytes, mode, false, ps);
    int err = file_write_all(fd, bytes);
    if (close(fd) != 0 && err == 0)
        err = errno;
    if (err == 0 && renameat(dirfd, temporary, dirfd, name) != 0)
        err = errno;
    if (err)
        unlinkat(dirfd, temporary, 0);
    return err ? problem_system(ps, name, "cannot write the file", err) : OK;
}

int file_replace(int dirfd, const char *name, struct slice bytes, unsigned mode, bool durable, struct problems *ps)
{
    return file_replace_in(dirfd, "", name, bytes, mode, durable, ps);
}

int file_replace_in(int dirfd, const char *below, const char *name, struct slice bytes, unsigned mode, bool durable,
                    struct problems *ps)
{
    char folder[2 * NAME_MAX], path[2 * NAME_MAX];
    const char *slash = *below ? "/" : "";
    int n = snprintf(folder, sizeof folder, "%s%s", below, slash);
    int m = snprintf(path, sizeof path, "%s%s%s", below, slash, name);
    if (n < 0 || (size_t)n >= sizeof folder || m < 0 || (size_t)m >= sizeof path || strchr(name, '/'))
        return problem_system(ps, name, "cannot write the file", EINVAL);
    return file_replace_from(dirfd, folder, path, bytes, mode, durable, ps);
}

/* A folder that was opened by path only (AT_FDCWD) is the working directory. */
static int sync_folder_of(int dirfd, const char *path, struct problems *ps)
{
    char above[2 * NAME_MAX];
    int n = (int)(file_base(path) - path), err = 0;
    snprintf(above, sizeof above, "%.*s", n > 1 ? n - 1 : n, path);
    int folder = openat(dirfd, n ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return problem_system(ps, file_base(path), "cannot open the folder of the file", errno);
    if (fsync(folder) != 0)
        err = errno;
    if (close(folder) != 0 && err == 0)
        err = errno;
    return err ? problem_system(ps, file_base(path), "cannot make the folder of the file durable", err) : OK;
}

int file_replace_from(int dirfd, const char *beside, const char *path, struct slice bytes, unsigned mode, bool durable,
                      struct problems *ps)
{
    char temporary[2 * NAME_MAX];
    const char *name = file_base(path);
    int n = snprintf(temporary, sizeof temporary, "%s.%.200s.new", beside, name);
    if (n < 0 || (size_t)n >= sizeof temporary || strlen(path) >= sizeof temporary)
        return problem_system(ps, name, "cannot write the file", EINVAL);
    unlinkat(dirfd, temporary, 0);                      /* left by one that was killed: so nothing ever piles up */
    int err = write_new(dirfd, temporary, bytes, mode, durable);
    if (err)
        return problem_system(ps, name, "cannot write the file", err);
    if (renameat(dirfd, temporary, dirfd, path) != 0) {
        err = errno;
        unlinkat(dirfd, temporary, 0);
        return problem_system(ps, name, "cannot rename the new file into place", err);
    }
    return durable ? sync_folder_of(dirfd, path, ps) : OK;
}

struct dirent *file_entry(DIR *dir, int *err)
{
    struct dirent *e;
    do {
        errno = 0;
        e = readdir(dir);
    } while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
    *err = e ? 0 : errno;
    return e;
}

static int make_dir(const char *path, unsigned mode, struct problems *ps)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0)
        return OK;
    int err = errno;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return OK;
    return problem_system(ps, path, "cannot make the folder", err == EEXIST ? ENOTDIR : err);
}

int file_make_dirs(const char *path, unsigned mode, struct problems *ps)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return problem_system(ps, path, "cannot make the folder", n ? ENAMETOOLONG : ENOENT);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = '\0';
        int rc = make_dir(part, mode, ps);
        if (rc != OK)
            return rc;
        part[i] = '/';
    }
    return make_dir(path, mode, ps);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

const char *file_join(struct arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    if (name[0] == '/' || n == 0)
        return arena_cstr(a, slice_of(name));
    return arena_printf(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name).p;
}

const char *file_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

struct slice file_dir(struct arena *a, const char *path)
{
    const char *base = file_base(path);
    size_t n = (size_t)(base - path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n ? arena_copy(a, (struct slice){ path, n }) : SLICE(".");
}
