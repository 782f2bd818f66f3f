#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/attach.h"
#include "flow/super.h"

/* ---- files that a message names: `companion "pdf/{PDF}"` -------------------------------------------------------- */

/* The folder below the inbox, and what stands before and behind the name there. */
static void split(struct arena *a, struct slice pattern, const char **folder, struct slice *before,
                  struct slice *behind)
{
    const char *open = memchr(pattern.p, '{', pattern.n), *close = memchr(pattern.p, '}', pattern.n);
    const char *end = pattern.p + pattern.n, *from = open ? open : end;
    while (from > pattern.p && from[-1] != '/')
        from--;
    *folder = arena_cstr(a, slice_range(pattern.p, from));
    *before = slice_range(from, open ? open : end);
    *behind = close ? slice_range(close + 1, end) : slice_none();
}

static struct slice entry_of(struct arena *a, const struct site_companion *c, struct slice name, const char **folder)
{
    struct slice before, behind;
    split(a, c->pattern, folder, &before, &behind);
    return arena_printf(a, "%.*s%.*s%.*s", SLICE_ARG(before), SLICE_ARG(name), SLICE_ARG(behind));
}

static int look_in(struct supervisor *s, struct trip *t, const struct take *take, const struct site_companion *c,
                   struct slice name, int *fd_out)
{
    struct arena *a = &t->arena;
    const char *below;
    struct slice entry = entry_of(a, c, name, &below);
    if (!attach_is_entry(entry))
        return OK;
    struct batch_beside of = { .entry = arena_cstr(a, entry), .max = s->site->limits.binary,
                               .stable_ms = take->ready_given ? take->stable : 10000 };
    const char *folder = below[0] ? file_join(a, take->path, below) : take->path;
    of.from = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (of.from < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
        return problem_system(s->ps, folder, "cannot look for companions", errno);
    int rc = batch_companion(t->b, &of, fd_out, s->ps);
    if (of.from >= 0)
        close(of.from);
    return rc;
}

/* The inbox that a batch came through says where its files lie, whatever operation asks. */
static bool came_through(const struct trip *t, const struct operation *op)
{
    return op->take.kind == TAKE_INBOX && slice_equal(t->b->w->inbox, op->take.folder);
}

static int open_named_by_message(struct supervisor *s, struct trip *t, struct slice name, int *fd_out)
{
    const struct flow *f = t->op->flow;
    int rc = OK;
    for (size_t i = 0; i < f->noperations && rc <= WARN && *fd_out < 0; i++) {
        const struct operation *op = f->operations[i];
        for (size_t k = 0; came_through(t, op) && k < op->take.ncompanions && rc <= WARN && *fd_out < 0; k++)
            if (!op->take.companions[k].name.n)
                rc = look_in(s, t, &op->take, &op->take.companions[k], name, fd_out);
    }
    return rc;
}

static bool has_companion(const struct waybill *w, struct slice entry)
{
    const struct waybill_file *f = w->files;
    while (f && !(slice_is(f->kind, "companion") && slice_equal(f->name, entry)))
        f = f->next;
    return f;
}

struct slice companion_entry(struct trip *t, struct slice name)
{
    const struct flow *f = t->op->flow;
    const char *below;
    for (size_t i = 0; i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        for (size_t k = 0; came_through(t, op) && k < op->take.ncompanions; k++) {
            struct slice entry = entry_of(&t->arena, &op->take.companions[k], name, &below);
            if (!op->take.companions[k].name.n && has_companion(t->b->w, entry))
                return entry;
        }
    }
    return name;
}

/* ---- files that come along: `companion lines "invoice_lines*.csv"` ---------------------------------------------- */

/* Of several patterns that a name fits the longest counts: "lines_tax*.csv" before "lines*.csv". NULL: none. */
static const struct site_companion *companion_of(struct arena *a, const struct take *t, const char *name)
{
    const struct site_companion *best = NULL;
    for (size_t i = 0; i < t->ncompanions; i++) {
        const struct site_companion *c = &t->companions[i];
        if (c->name.n && (!best || c->pattern.n > best->pattern.n) &&
            fnmatch(arena_cstr(a, c->pattern), name, FNM_PERIOD) == 0)
            best = c;
    }
    return best;
}

static const struct waybill_file *that_came(struct trip *t, struct slice name)
{
    const struct take *take = &t->op->take;
    struct arena *a = &t->arena;
    for (size_t i = 0; i < take->ncompanions; i++)
        for (const struct waybill_file *f = t->b->w->files; f; f = f->next)
            if (slice_equal(take->companions[i].name, name) && slice_is(f->kind, "companion") && f->name.p &&
                companion_of(a, take, arena_cstr(a, f->name)) == &take->companions[i])
                return f;
    return NULL;
}

static int open_that_came(struct supervisor *s, struct trip *t, struct slice name, int *fd_out)
{
    const struct waybill_file *f = that_came(t, name);
    if (!f)
        return OK;
    const char *file = arena_cstr(&t->arena, f->file);
    *fd_out = openat(t->b->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *fd_out < 0 ? problem_system(s->ps, file, "a companion cannot be opened", errno) : OK;
}

struct slice companion_name(struct trip *t, struct slice name)
{
    const struct waybill_file *f = that_came(t, name);
    return f ? f->name : name;
}

int companion_open(struct supervisor *s, struct trip *t, bool named, struct slice name, int *fd_out)
{
    *fd_out = -1;
    if (named)
        return open_that_came(s, t, name, fd_out);
    return attach_is_entry(name) ? open_named_by_message(s, t, name, fd_out) : OK;
}

bool companion_is(const struct operation *op, const char *name)
{
    struct arena a;
    arena_init(&a, 0);
    bool is = companion_of(&a, &op->take, name) != NULL;
    arena_release(&a);
    return is;
}

/* One that lies there, the oldest; its age tells whether somebody still writes it. */
struct beside {
    char name[256];
    int64_t mtime_ns, wait_ms;
    size_t n;                       /* how many lie there */
};

static int64_t stable_ms(const struct take *t)
{
    int64_t ms = t->ready_given ? t->stable : 10000;
    return ms > 0 ? ms : 0;
}

/* One that is gone meanwhile is none; what cannot be looked at is never taken for none: a file would go without it. */
static int consider(struct beside *best, const struct take *t, int dir, const char *name)
{
    struct stat st;
    struct timespec now;
    if (strlen(name) >= sizeof best->name)
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : errno;
    int64_t at = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
    best->n += S_ISREG(st.st_mode);
    if (!S_ISREG(st.st_mode) ||
        (best->name[0] && (best->mtime_ns < at || (best->mtime_ns == at && strcmp(best->name, name) < 0))))
        return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (now.tv_sec * 1000000000LL + now.tv_nsec - at) / 1000000, stable = stable_ms(t);
    snprintf(best->name, sizeof best->name, "%s", name);
    best->mtime_ns = at;
    best->wait_ms = age >= stable ? 0 : age < 0 ? stable : stable - age;
    return 0;
}

/* END: none lies there. */
static int find(const struct intake *in, const struct site_companion *c, struct beside *best, struct problems *ps)
{
    struct arena a;
    struct dirent *e;
    int err = 0, fd = openat(inbox_fd(in->inbox), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *best = (struct beside){ .wait_ms = 0 };
    if (!dir) {
        err = errno;
        if (fd >= 0)
            close(fd);
        return problem_system(ps, inbox_path(in->inbox), "cannot look for companions", err);
    }
    arena_init(&a, 0);
    while (err == 0 && (e = file_entry(dir, &err)) != NULL)
        if (!inbox_temporary(slice_of(e->d_name)) && companion_of(&a, &in->op->take, e->d_name) == c)
            err = consider(best, &in->op->take, fd, e->d_name);
    arena_release(&a);
    closedir(dir);
    if (err)
        return problem_system(ps, inbox_path(in->inbox), "cannot look for companions", err);
    return best->name[0] ? OK : END;
}

int companions_find(const struct intake *in, struct arena *a, struct companions *out, struct problems *ps)
{
    const struct take *t = &in->op->take;
    int rc = OK;
    size_t n = 0;
    *out = (struct companions){ .spare = true, .names = arena_zero(a, (t->ncompanions + 1) * sizeof *out->names) };
    for (size_t i = 0; i < t->ncompanions && rc == OK; i++) {
        struct beside b;
        if (!t->companions[i].name.n)
            continue;
        rc = find(in, &t->companions[i], &b, ps);
        out->names[n++] = arena_cstr(a, slice_of(b.name));
        out->spare = out->spare && b.n > 1;
        out->wait_ms = b.wait_ms > out->wait_ms ? b.wait_ms : out->wait_ms;
    }
    return rc;
}
