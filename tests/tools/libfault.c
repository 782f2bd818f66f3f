/*
 * libfault - a world with faults that strike once, for a program and the processes that it forks
 *
 *     LD_PRELOAD=libfault.so FAULT_LOST=5 FAULT_LOG=log waybill run SITE
 *
 *     FAULT_LOST=N        at the N-th syncfs what was written and not synced since is lost: outputs in .waybill/work and
 *                         zips without a name lose their bytes; outputs take their time.  As with Linux (errseq) each opening of a folder is told
 *                         once, by EIO of its next syncfs (one of later only if nobody was told before), and each
 *                         opening of such a file by its next fsync.
 *     FAULT_CHANGED=N     files named changed* have another time, the first N times that they are read by pread
 *     FAULT_UNREAD=1      files named unread* cannot be read by pread: EIO
 *     FAULT_UNFOUND=N     the first N lines of plain.ledger that a worker looks up cannot be read: EIO
 *     FAULT_UNSENT=N      the first N packets with descriptors cannot be sent: ENOBUFS
 *     FAULT_UNANSWERED=N  the same with each second one, N times: an answer, where each job asks once
 *     FAULT_UNSYNCED=N    the first N fsyncs of outputs fail: EIO
 *     FAULT_UNSETTLED=N   the first N fsyncs of folders named unsettled* fail: EIO
 *     FAULT_SITE=FOLDER   the site
 *     FAULT_LOG=FILE      gets a line per syncfs and per fault
 *
 * Never part of waybill.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 4096, LOOK_US = 1000, LOOKS = 100, HOLD_MS = 5000, OUTPUT_US = 60000, TOLD = 1, GONE = S_ISVTX, LINE = 4096 };

/* All processes see one. */
static struct world {
    pid_t first;
    atomic_uint syncs, changed, unfound, packets, unsynced, unsettled, nsafe, writers;
    atomic_bool lost, told;
    atomic_bool held;               /* what is lost is lost before a sync or after it, not in its midst */
    _Atomic int64_t synced;         /* begin of the latest syncfs that ended well */
    ino_t safe[FILES];              /* synced by themselves */
} *world;

__attribute__((constructor)) static void begin(void)
{
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world->first = getpid();
}

static unsigned number(const char *name)
{
    const char *text = getenv(name);
    return text ? (unsigned)atoi(text) : 0;
}

static void tell(const char *what, unsigned n, const char *how)
{
    char line[200];
    const char *path = getenv("FAULT_LOG");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    int len = snprintf(line, sizeof line, "%s %u %s %s\n", what, n, getpid() == world->first ? "main" : "worker", how);
    if (fd >= 0 && write(fd, line, (size_t)len) != len)
        abort();
    if (fd >= 0)
        close(fd);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_named(int fd, const char *begin)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    const char *name = strrchr(path, '/');
    return name && strncmp(name + 1, begin, strlen(begin)) == 0;
}

/* Who was killed while it held the world holds it no longer than that. */
static void hold(void)
{
    for (int i = 0; i < HOLD_MS && atomic_exchange(&world->held, true); i++)
        usleep(LOOK_US);
}

static void let_go(void)
{
    world->held = false;
}

/* --- what is lost ------------------------------------------------------------------------------------------------- */

static bool is_safe(const struct stat *st)
{
    for (unsigned i = 0; i < world->nsafe && i < FILES; i++)
        if (world->safe[i] == st->st_ino)
            return true;
    return !st->st_size || nanoseconds(st->st_mtim) <= world->synced;
}

static bool is_unfinished(const char *path)
{
    const char *name = strrchr(path, '/') + 1, *end = strstr(name, ".zip.new");
    return strncmp(name, "out.", 4) == 0 || (name[0] == '.' && end && !end[8]);
}

static unsigned found;

static int look_at(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)at;
    if (kind != FTW_F || !is_unfinished(path) || is_safe(st))
        return 0;
    found++;
    return world->lost ? truncate(path, 0) || chmod(path, st->st_mode | GONE) : 0;
}

static unsigned look(void)
{
    static const char *const folders[] = { ".waybill/work", "archive" };
    char path[4096];
    found = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", getenv("FAULT_SITE"), folders[i]);
        nftw(path, look_at, 8, FTW_PHYS);
    }
    return found;
}

/* When there is something to lose; of what workers archive, when two of them are at it. */
static void lose(unsigned n)
{
    unsigned files = 0;
    bool worker = getpid() != world->first;
    for (int i = 0; i < LOOKS && (!files || (worker && world->writers < 2)); i++) {
        usleep(LOOK_US);
        files = look();
    }
    hold();
    world->lost = true;
    files = look();
    let_go();
    tell("lost", n, files ? "some" : "nothing");
}

/* The opening itself remembers whether it was told: its signal is a number that nobody else needs. */
static bool hears(int fd)
{
    return world->lost && fcntl(fd, F_GETSIG) != TOLD && fcntl(fd, F_SETSIG, TOLD) == 0;
}

int syncfs(int fd)
{
    struct timespec now;
    unsigned n = ++world->syncs;
    bool worker = getpid() != world->first;
    world->writers += worker;
    if (n == number("FAULT_LOST"))
        lose(n);
    for (int i = 0; i < HOLD_MS && n > number("FAULT_LOST") && number("FAULT_LOST") && !world->lost; i++)
        usleep(LOOK_US);            /* after what is lost now, unless who loses it was killed */
    hold();
    clock_gettime(CLOCK_REALTIME, &now);
    bool bad = hears(fd);
    world->told |= bad;
    int rc = (int)syscall(SYS_syncfs, fd);
    if (!bad && rc == 0)
        world->synced = nanoseconds(now);
    let_go();
    tell("syncfs", n, bad ? "EIO" : "ok");
    world->writers -= worker;
    errno = bad ? EIO : errno;
    return bad ? -1 : rc;
}

static int sync_held(long call, int fd)
{
    struct stat st;
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int rc = (int)syscall(call, fd);
    if (world->unsynced < number("FAULT_UNSYNCED") && is_named(fd, "out.")) {
        tell("unsynced", ++world->unsynced, "");
        errno = EIO;
        return -1;
    }
    if (world->unsettled < number("FAULT_UNSETTLED") && is_named(fd, "unsettled")) {
        tell("unsettled", ++world->unsettled, "");
        errno = EIO;
        return -1;
    }
    if (file && (st.st_mode & GONE) && hears(fd)) {
        errno = EIO;
        return -1;
    }
    if (file && rc == 0)
        world->safe[world->nsafe++ % FILES] = st.st_ino;
    return rc;
}

static int sync_file(long call, int fd)
{
    hold();
    int rc = sync_held(call, fd), err = errno;
    let_go();
    errno = err;
    return rc;
}

int fsync(int fd)
{
    return sync_file(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_file(SYS_fdatasync, fd);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, unsigned) : 0;
    va_end(list);
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && (flags & O_DIRECTORY) && world->told)
        fcntl(fd, F_SETSIG, TOLD);
    return fd;
}

/* Somebody is always at it. */
ssize_t write(int fd, const void *from, size_t n)
{
    if (number("FAULT_LOST") && getpid() != world->first && is_named(fd, "out.") && lseek(fd, 0, SEEK_CUR) == 0)
        usleep(OUTPUT_US);
    return syscall(SYS_write, fd, from, n);
}

/* --- other faults ------------------------------------------------------------------------------------------------- */

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    if (number("FAULT_CHANGED") && is_named(fd, "changed") && world->changed < number("FAULT_CHANGED")) {
        futimens(fd, NULL);
        tell("changed", ++world->changed, "");
    }
    if (number("FAULT_UNREAD") && is_named(fd, "unread")) {
        tell("unread", 1, "");
        errno = EIO;
        return -1;
    }
    bool looks_up = n < LINE && number("FAULT_UNFOUND") && getpid() != world->first && is_named(fd, "plain.ledger");
    if (looks_up && world->unfound < number("FAULT_UNFOUND")) {
        tell("unfound", ++world->unfound, "");
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, n, at);
}

ssize_t sendmsg(int socket, const struct msghdr *m, int flags)
{
    unsigned n = m->msg_controllen ? ++world->packets : 0;
    bool answer = n && n % 2 == 0;
    if (n && (n <= number("FAULT_UNSENT") || (answer && n <= 2 * number("FAULT_UNANSWERED")))) {
        tell("unsent", n, "");
        errno = ENOBUFS;
        return -1;
    }
    return syscall(SYS_sendmsg, socket, m, flags);
}
