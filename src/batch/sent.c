#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/batch_private.h"

enum { BLOCK = 65536 };

static int copy(int from, int to)
{
    char bytes[BLOCK];
    ssize_t n;
    int err = 0;
    while (err == 0 && (n = file_read_full(from, bytes, sizeof bytes)) != 0)
        err = n < 0 ? errno : file_write_all(to, (struct slice){ bytes, (size_t)n });
    return err;
}

/* A copy: what lies in the outbox is the receiver's, who may write into it. */
static int keep(struct batch *b, const struct waybill_output *o, const char *name, struct problems *ps)
{
    char out[32];
    snprintf(out, sizeof out, "out.%u", o->n);
    if (batch_unlink(b, name) != 0 && errno != ENOENT)
        return problem_system(ps, name, "cannot remove an unfinished file", errno);
    int from = openat(b->dir, out, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return problem_system(ps, out, "cannot be read", errno);
    int to = batch_open_file(b, name, O_WRONLY | O_EXCL, 0600);
    int err = to < 0 ? errno : copy(from, to);
    if (err == 0 && batch_syncs(b) && fsync(to) != 0)
        err = errno;
    close(from);
    if (to >= 0 && close(to) != 0 && err == 0)
        err = errno;
    return err ? problem_system(ps, name, "cannot be kept", err) : OK;
}

int batch_keep_outputs(struct batch *b, struct problems *ps)
{
    int rc = OK;
    for (struct waybill_output *o = b->w->outputs; o && rc == OK; o = o->next) {
        char name[32];
        if (o->run != b->w->run || o->published.p)
            continue;
        snprintf(name, sizeof name, "sent.%u", o->n);
        rc = keep(b, o, name, ps);
        if (rc != OK)
            return rc;
        struct waybill_file *f = waybill_file(b->w, "sent", name);
        f->size = o->size;
        memcpy(f->sha256, o->sha256, sizeof f->sha256);
    }
    return rc;
}

/* --- what a run was done with ------------------------------------------------------------------------------------- */

/* A run that gave nothing is not done again; the first one is, which may have said why. */
static bool made_something(const struct waybill *w)
{
    if (w->run == 0)
        return true;
    for (const struct waybill_output *o = w->outputs; o; o = o->next)
        if (o->run == w->run)
            return true;
    for (const struct waybill_file *f = w->files; f; f = f->next)
        if (f->run == w->run && slice_is(f->kind, "stage"))
            return true;
    return false;
}

static struct waybill_file *files_of_run(const struct batch *b)
{
    struct waybill_file *list = NULL, **link = &list;
    for (const struct waybill_file *f = b->w->files; f; f = f->next) {
        if (f->run != b->w->run)
            continue;
        *link = arena_alloc(b->arena, sizeof **link);
        **link = *f;
        (*link)->next = NULL;
        link = &(*link)->next;
    }
    return list;
}

int batch_keep_run(struct batch *b, struct waybill_param *open, struct problems *ps)
{
    char name[32], hash[SHA256_HEX];
    struct waybill then = *b->w;
    struct buf text = { 0 };
    if (!made_something(b->w))
        return OK;
    then.outputs = NULL;                        /* the rest is in the waybill itself, for good */
    then.files = files_of_run(b);
    then.groups = NULL;
    then.members = open;
    then.answers = then.due = NULL;
    then.runs = NULL;
    then.history = then.last_event = NULL;
    then.nevents = 0;
    waybill_write(&then, &text);
    snprintf(name, sizeof name, "run.%u", b->w->run);
    sha256_of(buf_slice(&text), hash);
    int rc = batch_replace(b, name, buf_slice(&text), batch_syncs(b), ps);
    if (rc == OK) {
        struct waybill_file *f = waybill_file(b->w, "run", name);
        f->size = text.n;
        memcpy(f->sha256, hash, sizeof f->sha256);
    }
    buf_release(&text);
    return rc;
}

/* --- once more ---------------------------------------------------------------------------------------------------- */

static const struct waybill_file *kept(const struct waybill *w, const struct waybill_output *o)
{
    char name[32];
    snprintf(name, sizeof name, "sent.%u", o->n);
    return waybill_file_named(w, slice_of(name));
}

static int stage_again(struct batch *b, const struct waybill_output *of, const struct waybill_file *f,
                       struct problems *ps)
{
    const char *name = arena_cstr(b->arena, f->file);
    unsigned n;
    int to, rc = batch_check_file(b, f, ps);
    int from = rc == OK ? openat(b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (rc == OK && from < 0)
        rc = problem_system(ps, name, "cannot be read", errno);
    if (rc == OK)
        rc = batch_output_again(b, of, &n, &to, ps);
    int err = rc == OK ? copy(from, to) : 0;
    if (err)
        rc = problem_system(ps, name, "cannot be staged again", err);
    if (from >= 0)
        close(from);
    if (rc != OK)
        return rc;
    return batch_output_done(b, n, to, f->sha256, ps);
}

/* Its receiver has not taken it: there is no place for it, and nothing to do.  What keeps from looking the delivery
   will tell. */
static bool lies_there(const struct batch *b, const struct waybill_output *o, struct problems *ps)
{
    const char *outbox = arena_cstr(b->arena, o->outbox);
    const char *path = file_join(b->arena, outbox, arena_cstr(b->arena, o->name));
    struct stat st;
    if (fstatat(b->site->spool->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "OUTBOX_TAKEN",
        .place = { .file = outbox, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(b->arena, "%.*s lies there still and is not sent again", SLICE_ARG(o->name)),
        .hint = SLICE("its receiver has not taken it; move it away first if it is to be made anew") });
    return true;
}

static int nothing_again(const struct batch *b, struct slice operation, bool lies, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "BATCH_NOTHING_SENT", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "%s%s%.*s%s", lies ? "all that it delivered" : "nothing that it delivered is kept",
                 operation.n ? " of operation " : "", SLICE_ARG(operation),
                 lies ? " lies in its outboxes still: no receiver has taken it" : "");
    return STOP;
}

int batch_outputs_again(struct batch *b, struct slice operation, struct problems *ps)
{
    const struct waybill_output *last = b->w->outputs;
    bool any = false, lies = false;
    int rc = OK;
    while (last && last->next)
        last = last->next;
    for (const struct waybill_output *o = b->w->outputs; o && rc == OK; o = o->next) {
        const struct waybill_file *f = kept(b->w, o);
        bool meant = f && (operation.n == 0 || slice_equal(operation, o->operation));
        if (meant && lies_there(b, o, ps)) {
            lies = true;
        } else if (meant) {
            rc = stage_again(b, o, f, ps);
            any = true;
        }
        if (o == last)
            break;
    }
    return any || rc != OK ? rc : nothing_again(b, operation, lies, ps);
}
