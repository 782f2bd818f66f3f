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

int bundle_beside(const struct store *s, const struct batch_bundle *b, struct slice waybill, struct problems *ps)
{
    char path[ARCHIVED_PATH], file[WAYBILL_FILE_NAME];
    if (!archived_path(b->id, path))
        return OK;
    *strrchr(path, '/') = '\0';
    int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(ps, path, "cannot open the archive's folder", errno);
    waybill_file_name(b->id, file);
    int rc = file_put(fd, file, waybill, 0600, ps);     /* a copy: the zip holds it for good */
    for (size_t i = 0; i < b->nlines && rc == OK; i++)
        rc = put_member(b, fd, b->lines[i], ps);
    close(fd);
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

static void end(const struct store *s, struct batch_bundle *b, struct arena *a, int synced, struct problems *ps)
{
    struct slice waybill = slice_none();
    if (b->status <= WARN)
        b->status = synced;
    int rc = b->status <= WARN ? waybill_of(s, b, a, &waybill, ps) : b->status;
    if (b->fd >= 0)
        b->status = archived_end(s, b->id, b->fd, b->status, ps);
    b->fd = -1;
    if (b->status <= WARN)
        b->status = rc <= WARN ? bundle_beside(s, b, waybill, ps) : rc;
}

void batch_bundles_archive(const struct store *store, struct arena *a, struct batch_bundle *list, size_t n,
                           struct problems *ps)
{
    struct store s = *store;
    s.group = true;
    for (size_t i = 0; i < n; i++)
        fill(&s, &list[i], ps);
    int synced = store_sync(&s, ps);
    for (size_t i = 0; i < n; i++)
        end(&s, &list[i], a, synced, ps);
    synced = store_sync(&s, ps);
    for (size_t i = 0; i < n; i++)
        if (list[i].status <= WARN)
            list[i].status = synced;
}
