#include "batch/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/batch_private.h"

/* --- what lies beside a zip --------------------------------------------------------------------------------------- */

/* The sidecar lies beside the zip too, with the lines, so that nobody must open the zip to know (DESIGN.md
   section 6). */
static int put_linked(int from, int to, const char *path, const char *name, struct problems *ps)
{
    char unfinished[NAME_MAX + 1];
    snprintf(unfinished, sizeof unfinished, ".%.200s.new", name);   /* of a batch that was afloat when all was killed */
    unlinkat(to, unfinished, 0);
    if (linkat(from, path, to, name, 0) == 0 || errno == EEXIST || errno == ENOENT)
        return OK;
    return problem_system(ps, name, "cannot link beside the zip", errno);
}

static const struct archived_member *member_named(const struct batch_bundle *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->members[i].name, name) == 0)
            return &b->members[i];
    return NULL;
}

static int put_member(const struct batch_bundle *b, int to, const char *name, struct problems *ps)
{
    const struct archived_member *m = member_named(b, name);
    if (!m)
        return OK;
    return m->path ? put_linked(m->dir, to, m->path, name, ps) : file_put(to, name, m->bytes, 0600, ps);
}

/* A day's folder of the archive: the batches of a wave mostly share one. */
struct day {
    int fd;                         /* -1 = none is open */
    char path[ARCHIVED_PATH];
};

static void day_close(struct day *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

static int day_open(const struct store *s, struct day *d, const char *path, struct problems *ps)
{
    if (d->fd >= 0 && strcmp(d->path, path) == 0)
        return OK;
    day_close(d);
    snprintf(d->path, sizeof d->path, "%s", path);
    d->fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->fd >= 0 ? OK : problem_system(ps, path, "cannot open the archive's folder", errno);
}

static int put_beside(const struct store *s, const struct batch_bundle *b, struct slice waybill, struct day *d,
                      struct problems *ps)
{
    char path[ARCHIVED_PATH], file[WAYBILL_FILE_NAME];
    if (!archived_path(b->id, path))
        return OK;
    *strrchr(path, '/') = '\0';
    int rc = day_open(s, d, path, ps);
    if (rc != OK)
        return rc;
    waybill_file_name(b->id, file);
    rc = file_put(d->fd, file, waybill, 0600, ps);      /* a copy: the zip holds it for good */
    for (size_t i = 0; i < b->nlines && rc == OK; i++)
        rc = put_member(b, d->fd, b->lines[i], ps);
    return rc;
}

int bundle_beside(const struct store *s, const struct batch_bundle *b, struct slice waybill, struct problems *ps)
{
    struct day d = { .fd = -1 };
    int rc = put_beside(s, b, waybill, &d, ps);
    day_close(&d);
    return rc;
}

void bundle_lines(struct arena *a, const struct waybill *w, struct batch_bundle *b)
{
    size_t n = 0;
    for (const struct waybill_file *f = w->files; f; f = f->next)
        n++;
    b->lines = arena_zero(a, (n + 1) * sizeof *b->lines);
    for (const struct waybill_file *f = w->files; f; f = f->next)
        if (slice_is(f->kind, "lines") && !memchr(f->file.p, '/', f->file.n))
            b->lines[b->nlines++] = arena_cstr(a, f->file);
}

void batch_bundle_of(struct batch *b, const struct batch_zip *z, struct batch_bundle *out)
{
    *out = (struct batch_bundle){ .id = b->id, .members = z->members, .n = z->n, .fd = -1 };
    bundle_lines(b->arena, b->w, out);
}

/* --- zips --------------------------------------------------------------------------------------------------------- */

int bundle_waybill(const struct store *s, const char *id, struct arena *a, struct slice *out, struct problems *ps)
{
    char file[WAYBILL_FILE_NAME];
    waybill_file_name(id, file);
    int rc = archived_read(s, id, slice_of(file), 0, a, out, ps);
    if (rc != END)
        return rc;
    problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_DAMAGED", (struct place){ .file = id, .offset = PLACE_NO_OFFSET },
                 "the zip holds no waybill");
    return STOP;
}

/* An earlier attempt gave the zip its name and failed behind it: beside it comes the waybill that is in it. */
static int waybill_of(const struct store *s, const struct batch_bundle *b, struct arena *a, struct slice *out,
                      struct problems *ps)
{
    char file[WAYBILL_FILE_NAME];
    waybill_file_name(b->id, file);
    const struct archived_member *m = member_named(b, file);
    if (b->fd < 0)
        return bundle_waybill(s, b->id, a, out, ps);
    *out = m ? m->bytes : slice_none();
    return OK;
}

static void fill(const struct store *s, struct batch_bundle *b, struct problems *ps)
{
    b->status = archived_begin(s, b->id, b->members, b->n, &b->fd, ps);
    if (b->status == OK)
        b->status = archived_fill(b->fd, b->id, b->members, b->n, ps);
    if (b->status == END)
        b->status = OK;
}

static void end(const struct store *s, struct batch_bundle *b, struct arena *a, int synced, struct day *d,
                struct problems *ps)
{
    struct slice waybill = slice_none();
    if (b->status <= WARN)
        b->status = synced;
    int rc = b->status <= WARN ? waybill_of(s, b, a, &waybill, ps) : b->status;
    if (b->fd >= 0)
        b->status = archived_end(s, b->id, b->fd, b->status, ps);
    b->fd = -1;
    if (b->status <= WARN)
        b->status = rc <= WARN ? put_beside(s, b, waybill, d, ps) : rc;
}

void batch_bundles_archive(const struct store *store, struct arena *a, struct batch_bundle *list, size_t n,
                           struct problems *ps)
{
    struct store s = *store;
    struct day d = { .fd = -1 };
    s.group = true;
    for (size_t i = 0; i < n; i++)
        fill(&s, &list[i], ps);
    int synced = store_sync(&s, ps);
    for (size_t i = 0; i < n; i++)
        end(&s, &list[i], a, synced, &d, ps);
    day_close(&d);
    synced = store_sync(&s, ps);
    for (size_t i = 0; i < n; i++)
        if (list[i].status <= WARN)
            list[i].status = synced;
}
