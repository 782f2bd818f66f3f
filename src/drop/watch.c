#include "drop/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/buf.h"

enum { FOLDERS_MAX = 1024, EVENTS = 65536, RESCAN_LOCAL = 30000, RESCAN_POLLED = 5000 };

/* Writing ends, renaming in, linking in (link and O_TMPFILE give only IN_CREATE), and the end of the folder itself. */
static const uint32_t interest = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF |
                                 IN_ONLYDIR | IN_EXCL_UNLINK;

struct folder {
    const char *path;               /* as given */
    struct slice real;              /* absolute, to compare with paths of events */
    int wd;                         /* -1 = not watched */
    bool remote;                    /* other hosts write here unseen */
};

struct watch {
    struct arena *arena;
    int inotify, events;            /* one of them, or both -1 */
    bool told;                      /* that it polls */
    struct folder *folders;
    size_t n, cap;
    struct buf rest;                /* of the events descriptor: an unfinished path */
    char *buffer;
};

int watch_open(struct arena *a, int events, struct watch **out, struct problems *ps)
{
    struct watch *w = arena_zero(a, sizeof *w);
    *w = (struct watch){ .arena = a, .inotify = -1, .events = events, .buffer = arena_alloc(a, EVENTS) };
    *out = w;
    if (events >= 0) {
        int flags = fcntl(events, F_GETFL);
        if (flags < 0 || fcntl(events, F_SETFL, flags | O_NONBLOCK) != 0)
            return problem_system(ps, "-", "cannot read events", errno);
        return OK;
    }
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return OK;
}

void watch_close(struct watch *w)
{
    if (w->inotify >= 0)
        close(w->inotify);
    w->inotify = -1;
    buf_release(&w->rest);
}

static bool is_remote(const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return false;
    switch ((unsigned)fs.f_type) {
    case NFS_SUPER_MAGIC: case SMB_SUPER_MAGIC: case 0xFF534D42u: case 0xFE534D42u: case FUSE_SUPER_MAGIC: return true;
    default: return false;
    }
}

static void tell_polling(struct watch *w, const char *path, int err, struct problems *ps)
{
    if (w->told)
        return;
    w->told = true;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "WATCH_POLLING",
                                       .place = { .file = path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "no events can be had (%s), the folder is looked at every %d seconds",
                             strerror(err), RESCAN_POLLED / 1000),
        .hint = SLICE("raise fs.inotify.max_user_watches or max_user_instances if files must be taken at once") });
}

/* Whoever looks into it tells when it is not there. */
static void watch_folder(struct watch *w, struct folder *f, struct problems *ps)
{
    if (w->inotify >= 0)
        f->wd = inotify_add_watch(w->inotify, f->path, interest);
    if (f->wd < 0 && w->events < 0 && (w->inotify < 0 || (errno != ENOENT && errno != ENOTDIR)))
        tell_polling(w, f->path, w->inotify < 0 ? EMFILE : errno, ps);
}

int watch_add(struct watch *w, const char *path, struct problems *ps)
{
    char real[PATH_MAX];
    if (w->n >= FOLDERS_MAX) {
        tell_polling(w, path, ENOSPC, ps);
        return (int)w->n - 1;
    }
    struct folder f = { .path = arena_cstr(w->arena, slice_of(path)), .wd = -1, .remote = is_remote(path) };
    f.real = arena_copy(w->arena, slice_of(realpath(path, real) ? real : path));
    watch_folder(w, &f, ps);
    ARENA_PUSH(w->arena, w->folders, w->n, w->cap) = f;
    return (int)w->n - 1;
}

void watch_renew(struct watch *w, int id, struct problems *ps)
{
    if (id >= 0 && (size_t)id < w->n)
        watch_folder(w, &w->folders[id], ps);       /* the old watch ends with the event of its folder */
}

int watch_fd(const struct watch *w)
{
    return w->events >= 0 ? w->events : w->inotify;
}

bool watch_polled(const struct watch *w, int id)
{
    if (id < 0 || (size_t)id >= w->n)
        return true;
    return w->events < 0 && (w->folders[id].wd < 0 || w->folders[id].remote);
}

int64_t watch_rescan_ms(const struct watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (watch_polled(w, (int)i))
            return RESCAN_POLLED;
    }
    return RESCAN_LOCAL;
}

static void wake_all(struct watch *w, void (*woken)(void *owner, int id), void *owner)
{
    for (size_t i = 0; i < w->n; i++)
        woken(owner, (int)i);
}

/* --- inotify ------------------------------------------------------------------------------------------------------ */

/* Several folders may be one (two inboxes of one path share a watch). */
static void wake_watched(struct watch *w, int wd, void (*woken)(void *owner, int id), void *owner)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->folders[i].wd == wd)
            woken(owner, (int)i);
    }
}

/* The folder of a watch went away: whatever stands at its path now is watched, as soon as something does. */
static void watch_again(struct watch *w, int wd, struct problems *ps)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->folders[i].wd == wd) {
            w->folders[i].wd = -1;
            watch_folder(w, &w->folders[i], ps);
        }
    }
}

static void one_event(struct watch *w, const struct inotify_event *e, void (*woken)(void *owner, int id), void *owner,
                      struct problems *ps)
{
    if (e->mask & IN_Q_OVERFLOW) {
        problem_addf(ps, PROBLEM_NOTE, "WATCH_LOST", (struct place){ .offset = PLACE_NO_OFFSET },
                     "events were lost, all folders are looked at");
        wake_all(w, woken, owner);
        return;
    }
    wake_watched(w, e->wd, woken, owner);
    if (e->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF))
        watch_again(w, e->wd, ps);
    else if (e->mask & IN_MOVE_SELF && inotify_rm_watch(w->inotify, e->wd) == 0)
        watch_again(w, e->wd, ps);
}

static int read_inotify(struct watch *w, void (*woken)(void *owner, int id), void *owner, struct problems *ps)
{
    for (;;) {
        ssize_t n = read(w->inotify, w->buffer, EVENTS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno == EAGAIN ? OK : problem_system(ps, "inotify", "cannot read events", errno);
        for (char *at = w->buffer; at < w->buffer + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)at;
            one_event(w, e, woken, owner, ps);
            at += sizeof *e + e->len;
        }
    }
}

/* --- paths from elsewhere ----------------------------------------------------------------------------------------- */

static bool same_folder(struct slice folder, struct slice path)
{
    while (folder.n > 1 && folder.p[folder.n - 1] == '/')
        folder.n--;
    return slice_equal(folder, path);
}

/* A path wakes the folder that it lies in, or is; one of no known folder wakes all. */
static void wake_path(struct watch *w, struct slice path, void (*woken)(void *owner, int id), void *owner)
{
    bool found = false;
    struct slice dir = path;
    while (dir.n > 0 && dir.p[dir.n - 1] != '/')
        dir.n--;
    while (dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    for (size_t i = 0; i < w->n; i++) {
        const struct folder *f = &w->folders[i];
        if (same_folder(f->real, dir) || same_folder(slice_of(f->path), dir) || same_folder(f->real, path)) {
            woken(owner, (int)i);
            found = true;
        }
    }
    if (!found)
        wake_all(w, woken, owner);
}

static int read_paths(struct watch *w, void (*woken)(void *owner, int id), void *owner, struct problems *ps)
{
    for (;;) {
        ssize_t n = read(w->events, w->buffer, EVENTS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? OK : problem_system(ps, "-", "cannot read events", errno);
        if (n == 0) {
            w->events = -1;
            tell_polling(w, "-", EPIPE, ps);
            wake_all(w, woken, owner);              /* from now on each look sets the time of the next */
            return END;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (w->buffer[i] != '\0') {
                if (w->rest.n < PATH_MAX)
                    buf_byte(&w->rest, w->buffer[i]);
                continue;
            }
            wake_path(w, buf_slice(&w->rest), woken, owner);
            w->rest.n = 0;
        }
    }
}

int watch_read(struct watch *w, void (*woken)(void *owner, int id), void *owner, struct problems *ps)
{
    if (w->events >= 0)
        return read_paths(w, woken, owner, ps);
    return w->inotify >= 0 ? read_inotify(w, woken, owner, ps) : OK;
}
