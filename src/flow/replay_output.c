#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/replaying.h"

static const char *const kinds[] = { [OUTPUT_FILE] = "output", [OUTPUT_STAGE] = "stage", [OUTPUT_LINES] = "lines",
                                     [OUTPUT_REJECTED] = "rejects", [OUTPUT_LOG] = "log" };

static const char *kind_of(enum output_kind kind)
{
    return kind < sizeof kinds / sizeof *kinds ? kinds[kind] : NULL;
}

/* The n-th output of the run, from 0. */
static const struct waybill_output *output_of(const struct replaying *r, size_t n)
{
    const struct waybill_output *o = r->w->outputs;
    while (o && (o->run != r->run->run || n > 0)) {
        n -= o->run == r->run->run;
        o = o->next;
    }
    return o;
}

static bool listed(const struct replaying *r, const struct waybill_file *f)
{
    const struct replay_output *o = r->run->outputs;
    while (o && !slice_equal(o->name, f->file))
        o = o->next;
    return o != NULL;
}

/* The file of that kind of the run; of a stage or log the one for that batch, slice_none() = its own; of refused
   messages and what goes along with them the next. */
static const struct waybill_file *file_of(const struct replaying *r, const char *kind, struct slice target)
{
    bool targets = strcmp(kind, "stage") == 0 || strcmp(kind, "log") == 0, several = strcmp(kind, "rejects") == 0;
    const struct waybill_file *f = r->then.files;
    while (f && !(f->run == r->run->run && slice_is(f->kind, kind) && (!targets || slice_equal(f->name, target)) &&
                  !(several && listed(r, f))))
        f = f->next;
    return f;
}

static struct replay_output *add(struct replaying *r, const char *kind, struct slice name, const char *was)
{
    struct replay_output *o = arena_zero(r->arena, sizeof *o);
    o->kind = kind;
    o->name = arena_copy(r->arena, name);
    snprintf(o->was, sizeof o->was, "%s", was);
    *r->last = o;
    r->last = &o->next;
    return o;
}

static struct slice path_of(struct replaying *r, struct slice outbox, struct slice name)
{
    return arena_printf(r->arena, "%.*s/%.*s", SLICE_ARG(outbox), SLICE_ARG(name));
}

/* An output and what the waybill has in its place. */
static struct replay_output *expect(struct replaying *r, const struct output *o)
{
    char name[OUTBOX_NAME_SIZE];
    const char *kind = kind_of(o->kind);
    if (o->kind == OUTPUT_FILE) {
        const struct waybill_output *was = output_of(r, r->files++);
        outbox_name(o->name, name);
        return was ? add(r, kind, path_of(r, was->outbox, was->name), was->sha256)
                   : add(r, kind, path_of(r, o->give->folder, slice_of(name)), "");
    }
    bool other = o->target.n && !slice_equal(o->target, r->then.batch);
    const struct waybill_file *f = kind ? file_of(r, kind, other ? o->target : slice_none()) : NULL;
    if (f)
        return add(r, kind, f->file, f->sha256);
    snprintf(name, sizeof name, "%s.%u", kind ? kind : "other", o->number);
    return kind ? add(r, kind, slice_of(name), "") : NULL;
}

static int make(struct replaying *r, struct slice name, int *fd_out, struct problems *ps)
{
    const char *path = file_join(r->arena, r->folder, arena_cstr(r->arena, name));
    struct slice dir = file_dir(r->arena, path);
    int rc = file_make_dirs(arena_cstr(r->arena, dir), 0700, ps);
    if (rc > WARN)
        return rc;
    *fd_out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd_out < 0 ? problem_system(ps, path, "cannot be created", errno) : OK;
}

static int port_open(void *owner, struct output *o, int *fd_out, struct problems *ps)
{
    struct replaying *r = owner;
    struct replay_output *e = expect(r, o);
    if (e)
        e->opened = o;
    if (e)
        return make(r, e->name, fd_out, ps);
    *fd_out = open("/dev/null", O_WRONLY | O_CLOEXEC);          /* tables and the ledger: nobody compares them */
    return *fd_out < 0 ? problem_system(ps, "/dev/null", "cannot be opened", errno) : OK;
}

/* Several of a kind may be open at a time: the one that is not complete yet, in order. */
static int port_closed(void *owner, const struct output *o, struct problems *ps)
{
    struct replaying *r = owner;
    const char *kind = kind_of(o->kind);
    (void)ps;
    for (struct replay_output *e = kind ? r->run->outputs : NULL; e; e = e->next)
        if (strcmp(e->kind, kind) == 0 && !e->is[0] && e->opened == o) {
            memcpy(e->is, o->sha256, sizeof e->is);
            return OK;
        }
    return OK;
}

static int port_lease(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out,
                      struct problems *ps)
{
    (void)owner;
    (void)want;
    *from_out = *to_out = 0;
    problem_addf(ps, PROBLEM_ERROR, "REPLAY_NUMBERS", PLACE_NONE,
                 "more numbers of sequence %.*s are wanted than the batch had", SLICE_ARG(sequence));
    return STOP;
}

static bool came_as(const struct replaying *r, const struct waybill_file *f, bool named, struct slice name)
{
    const struct take *take = &r->op->take;
    const char *file = arena_cstr(r->arena, f->name);
    if (!slice_is(f->kind, "companion") || !f->name.p)
        return false;
    if (!named)
        return strstr(file, arena_cstr(r->arena, name)) != NULL;
    for (size_t i = 0; i < take->ncompanions; i++)
        if (slice_equal(take->companions[i].name, name) &&
            fnmatch(arena_cstr(r->arena, take->companions[i].pattern), file, FNM_PERIOD) == 0)
            return true;
    return false;
}

static int port_companion(void *owner, bool named, struct slice name, struct came *out, struct problems *ps)
{
    struct replaying *r = owner;
    *out = (struct came){ .fd = -1 };
    for (const struct waybill_file *f = r->w->files; f; f = f->next)
        if (came_as(r, f, named, name)) {
            int rc = batch_read_file(r->terms->places, r->arena, r->terms->batch, f->file, &out->fd, ps);
            out->name = f->name;
            return rc == END ? OK : rc;
        }
    return OK;
}

static void port_progress(void *owner, uint64_t bytes, uint64_t messages)
{
    (void)owner;
    (void)bytes;
    (void)messages;
}

struct port replay_port(struct replaying *r)
{
    return (struct port){ .owner = r, .open = port_open, .closed = port_closed, .lease = port_lease,
                          .companion = port_companion, .progress = port_progress };
}

void replay_compare(struct replaying *r)
{
    const struct waybill_output *o;
    while ((o = output_of(r, r->files++)) != NULL)
        add(r, "output", path_of(r, o->outbox, o->name), o->sha256);
    for (const struct waybill_file *f = r->then.files; f; f = f->next)
        for (size_t i = OUTPUT_FILE + 1; i < sizeof kinds / sizeof *kinds; i++)
            if (kinds[i] && f->run == r->run->run && slice_is(f->kind, kinds[i]) && !listed(r, f))
                add(r, kinds[i], f->file, f->sha256);
    r->run->same = slice_equal(r->run->was_code, r->run->code);
    for (struct replay_output *e = r->run->outputs; e; e = e->next) {
        e->same = e->was[0] && strcmp(e->was, e->is) == 0;
        r->run->same = r->run->same && e->same;
    }
}
