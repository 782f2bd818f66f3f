#include "drop/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "base/file.h"

enum { EXPIRE_MS = 60000, BEATS = 6, NAME = 40, LOCK_TRIES = 500, LOCK_PAUSE_MS = 20, LOOK_MS = 3000 };

/* The number in a small file; 0 when there is none. */
static unsigned long long read_number(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return strtoull(text, NULL, 10);
}

static int read_epoch(const struct spool *s, uint64_t *out, struct problems *ps)
{
    int fd = openat(s->top, "epoch", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *out = 0;
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, "epoch", "cannot open", errno);
    *out = read_number(fd);
    close(fd);
    return OK;
}

/* The epoch only grows: ids of this watcher differ from those of all before it. */
static int set_epoch(struct spool *s, uint64_t epoch, struct problems *ps)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)epoch);
    int rc = file_replace(s->top, "epoch", (struct slice){ text, (size_t)n }, 0600, s->durable, ps);
    if (rc == OK) {
        s->epoch = epoch;
        s->counter = 0;
    }
    return rc;
}

static int busy(const struct spool *s, struct slice who, struct problems *ps)
{
    struct buf shown = { 0 };
    buf_add_shown(&shown, who, 80);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_BUSY",
        .place = { .file = s->path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "process %.*s works on this site", SLICE_ARG(buf_slice(&shown))),
        .hint = SLICE("one process at a time: stop it, let it do the work, or stand by with `watch --standby`") });
    buf_release(&shown);
    return STOP;
}

/* --- one host ---------------------------------------------------------------------------------------------------- */

/* Also one that nobody has waited for yet is dead: its descriptors are closed. */
static bool alive(pid_t pid)
{
    char path[40], text[256];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *state = strrchr(text, ')');         /* pid (name) state */
    return state ? strncmp(state, ") Z", 3) != 0 : kill(pid, 0) == 0 || errno != ESRCH;
}

/* A holder that was killed is gone at once; a worker of it, forked that very moment or making archives, lets go of the
   lock soon after: at the latest when the disk has done what it asked for. */
static bool try_lock(int fd)
{
    static const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000 };
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
            return true;
        int err = errno;
        pid_t holder = (pid_t)read_number(fd);
        errno = err;
        if ((err != EAGAIN && err != EACCES) || holder <= 0 || alive(holder)) {
            errno = err;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    errno = EAGAIN;
    return false;
}

static int lock_fault(const struct spool *s, const char *what, int err, struct problems *ps)
{
    return problem_system(ps, file_join(ps->arena, s->path, ".waybill/lock"), what, err);
}

static int take_lock(struct lease *l, struct spool *s, struct problems *ps)
{
    char text[32];
    int fd = openat(s->top, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lock_fault(s, "cannot open", errno, ps);
    if (!try_lock(fd)) {
        int err = errno;
        int n = snprintf(text, sizeof text, "%llu", read_number(fd));
        int rc = err == EAGAIN || err == EACCES ? busy(s, (struct slice){ text, (size_t)n }, ps)
            : lock_fault(s, "cannot lock", err, ps);
        close(fd);
        return rc;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    int rc = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n ? OK
        : lock_fault(s, "cannot write", errno, ps);
    uint64_t epoch = 0;
    if (rc == OK)
        rc = read_epoch(s, &epoch, ps);
    if (rc == OK)
        rc = set_epoch(s, epoch + 1, ps);
    if (rc == OK)
        l->fd = fd;
    else
        close(fd);
    return rc;
}

/* --- several hosts ----------------------------------------------------------------------------------------------- */

static void lease_name(uint64_t epoch, char out[NAME])
{
    snprintf(out, NAME, "lease.%llu", (unsigned long long)epoch);
}

/* One that is being written. The time tells apart those of hosts that have one name and one process id: containers. */
static void fresh_name(uint64_t epoch, char out[NAME])
{
    struct timespec now = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(out, NAME, ".lease.%llu.%lx%lx", (unsigned long long)epoch, now.tv_nsec, (unsigned long)getpid());
}

/* The highest epoch that anybody took; 0 = none. Older leases are removed on the way when `clean`. */
static int newest(const struct spool *s, bool clean, uint64_t *out, struct problems *ps)
{
    int err, fd = openat(s->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t before = *out;
    if (dir == NULL)
        return problem_system(ps, ".waybill", "cannot read the folder", errno);
    *out = 0;
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        unsigned long long n = 0;
        bool taken = sscanf(e->d_name, "lease.%19llu", &n) == 1;
        if (!taken && sscanf(e->d_name, ".lease.%19llu.", &n) != 1)
            continue;
        if (taken && n > *out)
            *out = n;
        if (clean && n < before)
            unlinkat(s->top, e->d_name, 0);
    }
    closedir(dir);
    return err ? problem_system(ps, ".waybill", "cannot read the folder", err) : OK;
}

static int read_lease(const struct spool *s, uint64_t epoch, char text[LEASE_TEXT], struct problems *ps)
{
    char name[NAME];
    lease_name(epoch, name);
    text[0] = '\0';
    int fd = openat(s->top, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, name, "cannot read the lease", errno);
    ssize_t n = pread(fd, text, LEASE_TEXT - 1, 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? problem_system(ps, name, "cannot read the lease", EIO) : OK;
}

static int write_text(struct lease *l, const struct spool *s, const char *name, int flags, struct problems *ps)
{
    char host[64] = "?", text[LEASE_TEXT];
    gethostname(host, sizeof host - 1);
    int n = snprintf(text, sizeof text, "%ld %.40s %llu\n", (long)getpid(), host, (unsigned long long)++l->beat);
    int fd = openat(s->top, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return errno == ENOENT ? END : problem_system(ps, name, "cannot write the lease", errno);
    bool good = pwrite(fd, text, (size_t)n, 0) == n && (!s->durable || fsync(fd) == 0);
    int err = errno;
    close(fd);
    return good ? OK : problem_system(ps, name, "cannot write the lease", err);
}

/* "process host beat", "free" once it was given back. By name, never by an old descriptor: a take-over removes it. */
static int write_beat(struct lease *l, const struct spool *s, struct problems *ps)
{
    char name[NAME];
    lease_name(l->epoch, name);
    return write_text(l, s, name, 0, ps);
}

/* Where renameat2 knows no flags: link refuses an existing name as well. 0 or errno. */
static int name_lease(const struct spool *s, const char *fresh, const char *name)
{
    if (renameat2(s->top, fresh, s->top, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    return linkat(s->top, fresh, s->top, name, 0) == 0 ? 0 : errno;
}

/* It gets its name when it is written: an empty one counts as given back, and the next taker would not wait. */
static int make_lease(struct lease *l, const struct spool *s, struct problems *ps)
{
    char fresh[NAME], name[NAME];
    fresh_name(l->epoch, fresh);
    lease_name(l->epoch, name);
    int rc = write_text(l, s, fresh, O_CREAT | O_EXCL, ps);
    int err = rc == OK ? name_lease(s, fresh, name) : 0;
    unlinkat(s->top, fresh, 0);
    return err == 0 ? rc : err == EEXIST ? END : problem_system(ps, name, "cannot make the lease", err);
}

static int64_t expires(const struct lease *l)
{
    return l->expire_ms > 0 ? l->expire_ms : EXPIRE_MS;
}

static bool is_free(const char *text)
{
    return strncmp(text, "free", 4) == 0;
}

/* Whether the holder gave it back or has not been heard of for long enough. */
static bool lapsed(struct lease *l, uint64_t epoch, const char *text, int64_t now)
{
    if (text[0] == '\0' || is_free(text))
        return true;
    if (epoch != l->seen_epoch || strcmp(text, l->seen) != 0) {
        l->heard = l->seen_epoch != 0;
        l->seen_epoch = epoch;
        snprintf(l->seen, sizeof l->seen, "%s", text);
        l->seen_since = now;
    }
    return now - l->seen_since >= expires(l);
}

static struct slice holder_in(const char *text)
{
    struct slice who = slice_of(text);
    while (who.n && who.p[who.n - 1] == '\n')
        who.n--;
    return who;
}

/* The epoch is read before the leases: whoever wins in between is seen, or has made the file that we try to make. */
static int may_take(struct lease *l, const struct spool *s, int64_t now, struct problems *ps)
{
    char text[LEASE_TEXT] = "";
    uint64_t top = 0, epoch;
    int rc = read_epoch(s, &epoch, ps);
    if (rc == OK)
        rc = newest(s, false, &top, ps);
    if (rc == OK && top)
        rc = read_lease(s, top, text, ps);
    if (rc == OK && top && !lapsed(l, top, text, now))
        return busy(s, holder_in(text), ps);
    l->epoch = (top > epoch ? top : epoch) + 1;
    l->silent = text[0] != '\0' && !is_free(text);
    return rc;
}

/* END: somebody took a later one. */
static int still_newest(const struct lease *l, const struct spool *s, bool clean, struct problems *ps)
{
    uint64_t top = l->epoch;
    int rc = newest(s, clean, &top, ps);
    return rc == OK && top > l->epoch ? END : rc;
}

static int take_shared(struct lease *l, struct spool *s, struct problems *ps)
{
    int64_t now = clock_monotonic_ms();
    int rc = may_take(l, s, now, ps);
    if (rc == OK)
        rc = make_lease(l, s, ps);
    if (rc == OK)
        rc = spool_sync_dir(s, s->top, ".waybill", ps);
    if (rc == OK)
        rc = still_newest(l, s, false, ps);
    if (rc == OK)
        rc = set_epoch(s, l->epoch, ps);
    if (rc == OK)
        rc = spool_enter(s, l->epoch, ps);
    l->next = now + expires(l) / BEATS;
    if (rc != OK)
        l->epoch = 0;
    return rc == END ? busy(s, SLICE("of another host"), ps) : rc;
}

static int lost(const struct spool *s, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_LOST",
        .place = { .file = s->path, .offset = PLACE_NO_OFFSET },
        .text = SLICE("another host has taken this site over: nothing more is done here"),
        .hint = SLICE("this host did not answer for too long (paused, or its storage hung); it may stand by again") });
    return STOP;
}

/* --- both -------------------------------------------------------------------------------------------------------- */

int lease_take(struct lease *l, struct spool *s, struct problems *ps)
{
    l->fd = -1;
    l->epoch = 0;
    return l->shared ? take_shared(l, s, ps) : take_lock(l, s, ps);
}

/* A host that stood still with its clock – a machine that was suspended – learns by nothing else what happened. */
bool lease_stands(const struct lease *l, const struct spool *s)
{
    return !l->shared || faccessat(s->top, s->below, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

bool lease_is_unsure(const struct lease *l)
{
    return l->shared && !l->heard;
}

/* One that cannot be written – a full disk – is tried again: whoever takes over for the lack of it is seen. */
static int beat(struct lease *l, const struct spool *s, struct problems *ps)
{
    int rc = still_newest(l, s, true, ps);
    if (rc != OK)
        return rc;
    rc = write_beat(l, s, ps);
    return rc == TEMP ? WARN : rc;
}

int lease_keep(struct lease *l, const struct spool *s, int64_t now, struct problems *ps)
{
    if (!l->shared && now < l->next)
        return OK;
    if (!l->shared) {
        l->next = now + LOOK_MS;
        return l->fd >= 0 ? spool_keep(s, &l->gone, ps) : OK;
    }
    int rc = lease_stands(l, s) ? OK : END;
    if (rc == OK && now >= l->next) {
        rc = beat(l, s, ps);
        l->next = now + expires(l) / BEATS;
    }
    if (rc != END)
        return rc;
    l->epoch = 0;
    return lost(s, ps);
}

void lease_give(struct lease *l, const struct spool *s)
{
    char name[NAME];
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    if (!l->shared || !l->epoch)
        return;
    lease_name(l->epoch, name);
    int fd = openat(s->top, name, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (write(fd, "free\n", 5) != 5)
        unlinkat(s->top, name, 0);              /* an empty lease is free too; this one may be torn */
    close(fd);
    l->epoch = 0;
}

static int shared_holder(const struct spool *s, long *pid_out, struct problems *ps)
{
    char text[LEASE_TEXT];
    uint64_t top = 0;
    int rc = newest(s, false, &top, ps);
    if (rc == OK && top)
        rc = read_lease(s, top, text, ps);
    if (rc == OK && top)
        *pid_out = strtol(text, NULL, 10);
    return rc;
}

int lease_holder(const struct spool *s, long *pid_out, struct problems *ps)
{
    *pid_out = 0;
    if (s->below[0])
        return shared_holder(s, pid_out, ps);
    int fd = openat(s->top, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : lock_fault(s, "cannot open", errno, ps);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
        *pid_out = (long)read_number(fd);
    close(fd);
    return OK;
}

int64_t lease_silence(const struct spool *s, int64_t now, struct problems *ps)
{
    char name[NAME];
    uint64_t top = 0;
    struct stat st;
    if (!s->below[0] || newest(s, false, &top, ps) != OK || !top)
        return 0;
    lease_name(top, name);
    return fstatat(s->top, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && now > st.st_mtime ? now - st.st_mtime : 0;
}
