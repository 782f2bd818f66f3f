/*
 * libplant - plants a bug of durability into a program, to see whether the tests of durability catch it
 *
 *     LD_PRELOAD=libplant.so PLANT=file,dir waybill run SITE
 *
 *     file     fsync and fdatasync of regular files do nothing
 *     dir      fsync of folders does nothing
 *     syncfs   syncfs does nothing
 *     rename   files are copied and the old name removed, in place of renamed: what is half written is visible
 *     lost     a name that was renamed is removed first: for a moment there is neither
 *     locks    flock locks nothing, as between hosts whose storage knows no locks
 *
 * PLANT_HOLD=FILE: FILE holds a number: after so many more, syncfs makes FILE.held and waits until FILE is removed; with
 * FILE.fail it gives EIO then, once, and FILE.again becomes FILE.
 * PLANT_FULL=FILE: FILE holds a name: the next waybill that would get its name beside a file of that name does not,
 * ENOSPC, and FILE goes.
 * PLANT_LATE=FILE: when FILE is there the clock that only goes forward is two minutes ahead, and two more for each byte
 * in it; who waits in poll hears of that.
 * PLANT_UNREAD=NAME: what is opened by a path that ends in NAME gives EIO, as on a bad sector.
 * PLANT_APART=NAME: files whose names begin with NAME cannot be renamed: EXDEV, as if they were of another project quota.
 *
 * Never part of waybill; used by tests alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool planted(const char *bug)
{
    const char *list = getenv("PLANT");
    size_t n = strlen(bug);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, bug, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static bool dropped(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    return S_ISDIR(st.st_mode) ? planted("dir") : planted("file");
}

int fsync(int fd)
{
    return dropped(fd) ? 0 : (int)syscall(SYS_fsync, fd);
}

int flock(int fd, int how)
{
    return planted("locks") ? 0 : (int)syscall(SYS_flock, fd, how);
}

int fdatasync(int fd)
{
    return dropped(fd) ? 0 : (int)syscall(SYS_fdatasync, fd);
}

/* Whether it shall fail. */
static bool hold_up(void)
{
    const char *file = getenv("PLANT_HOLD");
    char held[4096];
    unsigned left;
    FILE *f = file ? fopen(file, "r+") : NULL;
    if (!f)
        return false;
    if (fscanf(f, "%u", &left) == 1 && left > 0) {
        rewind(f);
        fprintf(f, "%u\n", left - 1);
        fclose(f);
        return false;
    }
    fclose(f);
    snprintf(held, sizeof held, "%s.held", file);
    f = fopen(held, "w");
    if (f)
        fclose(f);
    while (access(file, F_OK) == 0)
        usleep(10 * 1000);
    snprintf(held, sizeof held, "%s.again", file);
    rename(held, file);
    snprintf(held, sizeof held, "%s.fail", file);
    return unlink(held) == 0;
}

int syncfs(int fd)
{
    if (hold_up()) {
        errno = EIO;
        return -1;
    }
    return planted("syncfs") ? 0 : (int)syscall(SYS_syncfs, fd);
}

static bool unread(const char *path)
{
    const char *name = getenv("PLANT_UNREAD");
    size_t n = name ? strlen(name) : 0, all = strlen(path);
    return n && all >= n && strcmp(path + all - n, name) == 0;
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
    va_end(ap);
    if (!unread(path))
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    errno = EIO;
    return -1;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
    va_end(ap);
    return openat(AT_FDCWD, path, flags, mode);
}

/* Copies in small pieces, so that a half copy is there to be seen. */
static int copy(int from_dir, const char *from, int to_dir, const char *to)
{
    char block[64];
    ssize_t n = -1;
    int in = openat(from_dir, from, O_RDONLY), out = openat(to_dir, to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            break;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return n == 0 ? unlinkat(from_dir, from, 0) : -1;
}

static bool is_file(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool apart(const char *from)
{
    const char *name = getenv("PLANT_APART");
    return name && strncmp(from, name, strlen(name)) == 0;
}

static bool full(int dir, const char *to)
{
    const char *file = getenv("PLANT_FULL");
    char beside[256];
    FILE *f = file && strstr(to, ".waybill.json") ? fopen(file, "r") : NULL;
    bool named = f && fscanf(f, "%255s", beside) == 1;
    if (f)
        fclose(f);
    return named && faccessat(dir, beside, F_OK, 0) == 0 && unlink(file) == 0;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (apart(from)) {
        errno = EXDEV;
        return -1;
    }
    if (full(to_dir, to)) {
        errno = ENOSPC;
        return -1;
    }
    if (is_file(from_dir, from) && planted("rename")) {
        if (flags && is_file(to_dir, to)) {
            errno = EEXIST;
            return -1;
        }
        return copy(from_dir, from, to_dir, to);
    }
    if (!flags && is_file(to_dir, to) && planted("lost"))
        unlinkat(to_dir, to, 0);
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const char *file = getenv("PLANT_LATE");
    struct stat st;
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_MONOTONIC && file && stat(file, &st) == 0)
        now->tv_sec += 120 * (1 + st.st_size);
    return rc;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int poll_once(struct pollfd *fds, nfds_t n, long long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    return (int)syscall(SYS_ppoll, fds, n, ms < 0 ? NULL : &t, NULL, (size_t)8);
}

/* In short waits, since the clock may jump meanwhile. */
int poll(struct pollfd *fds, nfds_t n, int ms)
{
    if (ms <= 0 || !getenv("PLANT_LATE"))
        return poll_once(fds, n, ms);
    long long left = ms, end = now_ms() + ms;
    int rc;
    do {
        rc = poll_once(fds, n, left < 50 ? left : 50);
        left = end - now_ms();
    } while (rc == 0 && left > 0);
    return rc;
}
