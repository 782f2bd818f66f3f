#include "drop/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "drop/folder.h"
#include "drop/inbox_private.h"
#include "drop/manifest.h"
#include "drop/observe.h"

enum { ENTRIES = 32768, DENIED_MS = 30000 };

struct inbox {
    const struct spool *spool;
    const char *path;               /* as given */
    struct ready ready;
    int fd;
    uint64_t dev, ino;
    uid_t user;                     /* that we are */
    int64_t now, wake;              /* of this pass; wake -1 = nothing waits to become stable */
    size_t waiting;
    bool over;                      /* the pass is */
    bool gone;                      /* the folder is, and that was told */
    bool denied;                    /* some files could not be renamed */
    struct observations seen;
    struct manifests manifests;
    struct arena *arena;
    char *entries;                  /* of getdents; NULL = none was read yet: it may be that it cannot be opened */
    size_t at, n;
};

/* What the kernel gives (getdents64). */
struct entry {
    uint64_t ino;
    int64_t off;
    uint16_t size;
    uint8_t type;
    char name[];
};

const char *inbox_path(const struct inbox *in)
{
    return in->path;
}

int inbox_fd(const struct inbox *in)
{
    return in->fd;
}

const char *inbox_done(const struct inbox *in)
{
    return in->ready.done;
}

static struct place here(const struct inbox *in)
{
    return (struct place){ .file = in->path, .offset = PLACE_NO_OFFSET };
}

/* Told once, looked for again. */
static int not_there(struct inbox *in, int err, struct problems *ps)
{
    bool lost = in->fd >= 0;
    if (in->gone)
        return SKIP;
    in->gone = true;
    if (folder_in_the_way(in->spool->root, in->path, "the inbox", "take inbox", ps))
        return SKIP;
    if (err != ENOENT)
        return problem_system(ps, in->path, "the inbox cannot be opened", err), SKIP;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "INBOX_MISSING", .place = here(in),
        .text = lost ? SLICE("the folder was renamed or removed while it was watched") : SLICE("there is no such folder"),
        .hint = SLICE("put it back, or make it anew") });
    return SKIP;
}

/* The folder that stands at its path now. */
static int open_folder(struct inbox *in, struct problems *ps)
{
    struct stat st;
    int fd = openat(in->spool->root, in->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = in->fd;
    if (fd < 0)
        return not_there(in, errno, ps);
    struct problems quiet;
    struct arena a;
    arena_init(&a, 0);
    problems_init(&quiet, &a, 1);
    int rc = spool_reaches(in->spool, in->path, in->gone ? &quiet : ps);
    in->gone = rc != OK;
    bool good = rc == OK && fstat(fd, &st) == 0;
    if (good && to < 0)
        in->fd = fd;
    else if (good)
        good = dup3(fd, to, O_CLOEXEC) == to;       /* claims hold the number */
    if (good)
        in->dev = st.st_dev, in->ino = st.st_ino;
    if (in->fd != fd)
        close(fd);
    arena_release(&a);
    return good ? OK : SKIP;
}

int inbox_open(struct arena *a, const struct spool *s, const char *path, const struct ready *ready, struct inbox **out,
               struct problems *ps)
{
    struct inbox *in = arena_zero(a, sizeof *in);
    *in = (struct inbox){ .spool = s, .path = arena_cstr(a, slice_of(path)), .ready = *ready, .fd = -1,
                          .user = geteuid(),
                          .over = true, .arena = a };
    observe_init(&in->seen);
    manifests_init(&in->manifests);
    *out = in;
    return open_folder(in, ps);
}

void inbox_close(struct inbox *in)
{
    if (in->fd >= 0)
        close(in->fd);
    in->fd = -1;
    observe_release(&in->seen);
    manifests_release(&in->manifests);
}

int inbox_again(struct inbox *in, bool *another, struct problems *ps)
{
    struct stat st;
    *another = false;
    if (in->fd >= 0 && fstatat(in->spool->root, in->path, &st, 0) == 0 && st.st_dev == in->dev && st.st_ino == in->ino)
        return OK;
    int rc = open_folder(in, ps);
    *another = rc == OK;
    return rc;
}

void inbox_begin(struct inbox *in, int64_t now_ms)
{
    in->now = now_ms;
    in->wake = -1;
    in->waiting = 0;
    in->at = in->n = 0;
    in->over = lseek(in->fd, 0, SEEK_SET) != 0;
    observe_begin(&in->seen);
    if (in->ready.terms & READY_MANIFEST)
        manifests_load(&in->manifests, in->fd, in->ready.manifest);
}

size_t inbox_waiting(const struct inbox *in, int64_t *wake_ms_out)
{
    *wake_ms_out = in->wake;
    return in->waiting;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool ends_in(struct slice name, const char *tail)
{
    size_t n = strlen(tail);
    return n > 0 && name.n > n && strncasecmp(name.p + name.n - n, tail, n) == 0;
}

bool inbox_temporary(struct slice name)
{
    static const char *const tails[] = { ".part", ".partial", ".tmp", ".filepart", ".crdownload" };
    if (slice_starts(name, SLICE(".")) || slice_starts(name, SLICE("~$")) || slice_is(name, "Thumbs.db") ||
        slice_is(name, "desktop.ini"))
        return true;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        if (ends_in(name, tails[i]))
            return true;
    }
    return false;
}

/* Names that never are a drop of their own. */
static bool passed_over(const struct inbox *in, const char *name)
{
    if (inbox_temporary(slice_of(name)))
        return true;
    if (in->ready.terms & READY_DONE && ends_in(slice_of(name), in->ready.done))
        return true;
    return in->ready.terms & READY_MANIFEST && fnmatch(in->ready.manifest, name, 0) == 0;
}

/* --- readiness ---------------------------------------------------------------------------------------------------- */

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A hash of the file's name and state: anything that changes makes another. */
static uint64_t state_key(const char *name, const struct stat *st)
{
    uint64_t parts[6] = { map_hash(slice_of(name)), st->st_ino, (uint64_t)st->st_size,
                          (uint64_t)nanoseconds(st->st_mtim),
                          (uint64_t)nanoseconds(st->st_ctim), st->st_mode ^ (uint64_t)st->st_nlink << 32 };
    return map_hash((struct slice){ (const char *)parts, sizeof parts });
}

/* Told once for each state of a file. */
static void report(struct inbox *in, const char *name, struct observed *e, const char *code, const char *what,
                   const char *hint, struct problems *ps)
{
    if (e == NULL || e->pass & OBSERVE_REPORTED)
        return;
    e->pass |= OBSERVE_REPORTED;
    struct buf text = { 0 };
    buf_byte(&text, '"');           /* with the quotes the value is not shown a second time */
    buf_add_shown(&text, slice_of(name), 200);
    buf_printf(&text, "\": %s", what);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = code, .place = here(in),
                                       .text = buf_slice(&text),
                                       .value = slice_of(name), .hint = slice_of(hint) });
    buf_release(&text);
}

static bool belongs(const struct inbox *in, const char *name)
{
    const char *const *f = in->ready.folders;
    while (f && *f && strcmp(*f, name) != 0)
        f++;
    return f && *f;
}

/* Kinds of objects that are never taken. */
static bool refused(struct inbox *in, const char *name, const struct stat *st, struct observed *e, struct problems *ps)
{
    if (S_ISDIR(st->st_mode) && belongs(in, name))
        return true;
    if (!S_ISREG(st->st_mode))
        report(in, name, e, "INBOX_KIND", "this is no regular file, it stays where it is", "drop plain files", ps);
    else if (st->st_nlink > 1)
        report(in, name, e, "INBOX_LINKED",
               "the file has another name somewhere, it is taken once it has only this one",
               "write or copy the file, or remove its other name", ps);
    else if (in->ready.max_size && (uint64_t)st->st_size > in->ready.max_size)
        report(in, name, e, "INBOX_LARGE", "the file is longer than `limit file` allows: no batch is made of it",
               "raise the limit in site.conf", ps);
    else
        return false;
    return true;
}

static bool stable(struct inbox *in, const struct observed *e)
{
    if (!(in->ready.terms & READY_STABLE) || in->ready.stable_ms <= 0)
        return true;
    int64_t left = e ? in->ready.stable_ms - (int64_t)(uint32_t)((uint32_t)in->now - e->since) : in->ready.stable_ms;
    if (left > 0 && (in->wake < 0 || left < in->wake))
        in->wake = left;
    return left <= 0;
}

static bool has_done(const struct inbox *in, const char *name)
{
    char marker[512];
    struct stat st;
    int n = snprintf(marker, sizeof marker, "%s%s", name, in->ready.done);
    return n < (int)sizeof marker && fstatat(in->fd, marker, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* While somebody has the file open for writing no read lease can be had (needs to be the owner or CAP_LEASE;
   otherwise no answer). */
static bool being_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
        return errno == EAGAIN;
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

/* The terms that need the content, which is looked at once for each state of the file. */
static bool content_ready(struct inbox *in, const char *name, const struct stat *st, struct observed *e)
{
    const struct manifest_entry *line = NULL;
    if (in->ready.terms & READY_MANIFEST && (line = manifests_find(&in->manifests, name)) == NULL)
        return false;
    if (e && e->pass & OBSERVE_INCOMPLETE)
        return false;
    int fd = openat(in->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = !(in->ready.terms & READY_STABLE) || !being_written(fd);
    bool fits = good && (line == NULL || manifest_fits(line, fd));
    if (fits && in->ready.terms & READY_COMPLETE && in->ready.complete && lseek(fd, 0, SEEK_SET) == 0)
        fits = in->ready.complete(in->ready.owner, fd, (uint64_t)st->st_size) == OK;
    if (good && !fits && e && line == NULL)         /* a manifest may be mended while the file stays the same */
        e->pass |= OBSERVE_INCOMPLETE;
    close(fd);
    return fits;
}

static const char *would_be_right(int err)
{
    if (err == EBUSY)
        return "unmount what is mounted there";
    if (err == EXDEV)
        return "give the file the project of .waybill (chattr -p), or copy it into the inbox anew";
    return "give the user that waybill runs as the right to rename in this folder";
}

/* The right to rename is the folder's, so the file does not change when it comes. */
int inbox_denied(struct inbox *in, const char *name, int err, struct problems *ps)
{
    struct stat st;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return SKIP;
    struct observed *e = observe(&in->seen, state_key(name, &st), in->now);
    const char *what = arena_printf(ps->arena, "the file may not be renamed (%s), it stays where it is",
                                    strerror(err)).p;
    report(in, name, e, "INBOX_DENIED", what, would_be_right(err), ps);
    in->denied = true;
    if (e) {
        e->pass |= OBSERVE_DENIED;
        e->since = (uint32_t)in->now;
    }
    return SKIP;
}

bool inbox_is_denied(const struct inbox *in)
{
    return in && in->denied;
}

static bool denied_lately(const struct inbox *in, const struct observed *e)
{
    if (!(e->pass & OBSERVE_DENIED) || (uint32_t)in->now - e->since >= DENIED_MS)
        return false;
    return true;
}

/* An owner has what the mode gives him, whatever a list gives to others (acl(5), access check): others must ask. */
static bool may_not_read(const struct inbox *in, const char *name, const struct stat *st)
{
    if (st->st_uid == in->user && st->st_mode & S_IRUSR)
        return false;
    return faccessat(in->fd, name, R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

static bool is_ready(struct inbox *in, const char *name, const struct stat *st, struct problems *ps)
{
    const unsigned content = READY_STABLE | READY_MANIFEST | READY_COMPLETE;
    bool observed = in->ready.terms & content || !S_ISREG(st->st_mode) || st->st_nlink > 1 || in->ready.max_size ||
                    in->denied;
    struct observed *e = observed ? observe(&in->seen, state_key(name, st), in->now) : NULL;
    if (refused(in, name, st, e, ps) || (e && denied_lately(in, e)))
        return false;
    if (in->ready.terms & READY_DONE && !has_done(in, name))
        return false;
    if (!stable(in, e))
        return false;
    if (may_not_read(in, name, st)) {
        report(in, name, e ? e : observe(&in->seen, state_key(name, st), in->now), "INBOX_DENIED",
               "the file may not be read, it stays where it is",
               "give the user that waybill runs as the right to read it", ps);
        return false;
    }
    return !(in->ready.terms & content) || content_ready(in, name, st, e);
}

/* --- the pass ----------------------------------------------------------------------------------------------------- */

static int next_entry(struct inbox *in, struct entry **out, struct problems *ps)
{
    if (in->over)
        return END;
    if (in->at >= in->n) {
        if (!in->entries)
            in->entries = arena_alloc(in->arena, ENTRIES);
        long n = syscall(SYS_getdents64, in->fd, in->entries, ENTRIES);
        if (n < 0)
            return problem_system(ps, in->path, "cannot read the inbox", errno);
        in->over = n == 0;
        in->at = 0;
        in->n = (size_t)n;
        if (n == 0)
            return END;
    }
    *out = (struct entry *)(void *)(in->entries + in->at);
    in->at += (*out)->size;
    return OK;
}

static void describe(const struct inbox *in, const char *name, const struct stat *st, struct drop *out)
{
    *out = (struct drop){ .size = (uint64_t)st->st_size, .dev = st->st_dev, .ino = st->st_ino,
                          .mtime_ns = nanoseconds(st->st_mtim),
                          .ctime_ns = nanoseconds(st->st_ctim), .has_done = (in->ready.terms & READY_DONE) != 0 };
    snprintf(out->name, sizeof out->name, "%s", name);
    if (!(in->ready.terms & READY_MANIFEST))
        return;
    const struct manifest_entry *line = manifests_find(&in->manifests, name);
    if (line && manifest_last(line, in->fd))
        snprintf(out->manifest, sizeof out->manifest, "%s", line->manifest);
}

int inbox_next(struct inbox *in, struct drop *out, struct problems *ps)
{
    struct entry *e = NULL;
    struct stat st;
    int rc;
    while ((rc = next_entry(in, &e, ps)) == OK) {
        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0 || passed_over(in, e->name))
            continue;
        if (fstatat(in->fd, e->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT)
                continue;                           /* somebody was faster */
            return problem_system(ps, in->path, "a file of the inbox cannot be looked at", errno);
        }
        if (is_ready(in, e->name, &st, ps)) {
            describe(in, e->name, &st, out);
            return OK;
        }
        in->waiting += S_ISREG(st.st_mode);
    }
    if (rc == END)
        observe_sweep(&in->seen);
    return rc;
}
