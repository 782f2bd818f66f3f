#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/batch_private.h"
#include "batch/lines.h"

enum { STAGES_MAX = 1000000 };

/* --- files that a run stages -------------------------------------------------------------------------------------- */

static bool is_own(const struct batch *b, struct slice target)
{
    return target.n == 0 || slice_is(target, b->id);
}

/* 7 of "stage.7", 0 of any other name. */
static unsigned stage_number(struct slice file)
{
    unsigned n = 0;
    if (!slice_starts(file, SLICE("stage.")) || file.n > 12)
        return 0;
    for (size_t i = 6; i < file.n; i++) {
        if (file.p[i] < '0' || file.p[i] > '9')
            return 0;
        n = n * 10 + (unsigned)(file.p[i] - '0');
    }
    return n;
}

static struct slice next_stage(struct arena *a, const struct waybill *w)
{
    unsigned last = 0;
    for (const struct waybill_file *f = w->files; f; f = f->next) {
        unsigned n = stage_number(f->file);
        last = n > last ? n : last;
    }
    return arena_printf(a, "stage.%u", last + 1);
}

static int make_file(struct batch *b, struct slice name, int *fd_out, struct problems *ps)
{
    const char *file = arena_cstr(b->arena, name);
    if (batch_unlink(b, file) != 0 && errno != ENOENT)          /* unfinished; a link is not written into */
        return problem_system(ps, file, "cannot remove an unfinished file", errno);
    *fd_out = batch_open_file(b, file, O_RDWR | O_EXCL, 0600);
    return *fd_out >= 0 ? OK : problem_system(ps, file, "cannot be created in work/", errno);
}

static int check_target(const struct batch *b, struct slice target, struct problems *ps)
{
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%.*s", target.n < sizeof id ? (int)target.n : 0, target.p ? target.p : "");
    if (is_own(b, target) || spool_id_valid(id))
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "BATCH_NONE", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "it has something for a batch whose id is none");
    return STOP;
}

int batch_stage_file(struct batch *b, struct slice target, struct slice *name_out, int *fd_out, struct problems *ps)
{
    int rc = check_target(b, target, ps);
    if (rc != OK)
        return rc;
    *name_out = is_own(b, target) ? next_stage(b->arena, b->w)
                                  : arena_printf(b->arena, "stage.%.*s", SLICE_ARG(target));
    return make_file(b, *name_out, fd_out, ps);
}

int batch_log_file(struct batch *b, struct slice target, struct slice *name_out, int *fd_out, struct problems *ps)
{
    int rc = check_target(b, target, ps);
    if (rc != OK)
        return rc;
    *name_out = is_own(b, target) ? arena_printf(b->arena, "%s.lines.%u.jsonl", b->id, lines_next(b->w))
                                  : arena_printf(b->arena, "log.%.*s", SLICE_ARG(target));
    return make_file(b, *name_out, fd_out, ps);
}

struct waybill_file *batch_staged(struct batch *b, struct slice name, struct slice target)
{
    const char *kind = slice_starts(name, SLICE("stage.")) ? "stage" : slice_starts(name, SLICE("log.")) ? "log" : "lines";
    struct waybill_file *f = waybill_file(b->w, kind, arena_cstr(b->arena, name));
    f->name = is_own(b, target) ? slice_none() : arena_copy(b->arena, target);
    return f;
}

/* --- an answer reaches the batches that it is about --------------------------------------------------------------- */

static bool is_for(const struct waybill_file *f, const char *kind, struct slice target)
{
    return slice_is(f->kind, kind) && f->name.p && (target.p == NULL || slice_equal(f->name, target));
}

const char *batch_target(const struct batch *answer, const char *after)
{
    struct slice first = slice_none(), last = slice_of(after);
    for (const struct waybill_file *f = answer->w->files; f; f = f->next) {
        if (!is_for(f, "stage", slice_none()) && !is_for(f, "log", slice_none()))
            continue;
        if (slice_compare(f->name, last) > 0 && (first.p == NULL || slice_compare(f->name, first) < 0))
            first = f->name;
    }
    return first.p ? arena_cstr(answer->arena, first) : NULL;
}

bool batch_answered(const struct batch *into, const struct batch *answer)
{
    for (const struct waybill_param *p = into->w->answers; p; p = p->next) {
        if (slice_is(p->name, answer->id))
            return true;
    }
    return false;
}

static bool same_file(int dir, const char *a, int other, const char *b)
{
    struct stat x, y;
    return fstatat(dir, a, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(other, b, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What stands there under that name is not in the waybill: left by an attempt that a crash ended. */
static int link_file(const struct batch *answer, const struct waybill_file *f, const struct batch *into,
                     struct slice name, struct problems *ps)
{
    const char *from = arena_cstr(answer->arena, f->file), *to = arena_cstr(into->arena, name);
    int err = linkat(answer->dir, from, into->dir, to, 0) == 0 ? 0 : errno;
    if (err == EEXIST && same_file(answer->dir, from, into->dir, to))
        return OK;
    if (err == EEXIST && unlinkat(into->dir, to, 0) == 0)
        err = linkat(answer->dir, from, into->dir, to, 0) == 0 ? 0 : errno;
    return err ? problem_system(ps, from, "cannot be linked into the folder of the batch that it is about", err) : OK;
}

/* The file becomes one of `into`; its list goes along. */
static struct waybill_file *take_over(const struct waybill_file *f, struct batch *into, const char *kind,
                                      struct slice name)
{
    struct waybill_file *own = waybill_file(into->w, kind, arena_cstr(into->arena, name));
    own->size = f->size;
    own->count = f->count;
    memcpy(own->sha256, f->sha256, sizeof own->sha256);
    for (const struct waybill_total *t = f->states; t; t = t->next)
        waybill_total(into->w, &own->states, arena_cstr(into->arena, t->name), t->count);
    return own;
}

struct tally {
    uint64_t rejected, errors, warnings;
};

static int count_line(void *owner, const struct line_read *l)
{
    struct tally *t = owner;
    t->rejected += slice_is(l->state, "rejected");
    for (size_t i = 0; i < l->nproblems; i++) {
        t->errors += l->problems[i].severity == PROBLEM_ERROR;
        t->warnings += l->problems[i].severity == PROBLEM_WARNING;
    }
    for (const struct finding *f = l->nproblems ? NULL : l->findings; f; f = f->next) {
        t->errors += f->kind == OUTCOME_REJECT;
        t->warnings += f->kind == OUTCOME_WARN;
    }
    return OK;
}

static int install_log(const struct batch *answer, const struct waybill_file *f, struct batch *into,
                       struct waybill_run *run, struct problems *ps)
{
    struct tally t = { 0 };
    struct arena a;
    struct slice name = arena_printf(into->arena, "%s.lines.%u.jsonl", into->id, lines_next(into->w));
    int rc = link_file(answer, f, into, name, ps);
    if (rc != OK)
        return rc;
    struct waybill_file *own = take_over(f, into, "lines", name);
    arena_init(&a, 0);
    rc = lines_read(into->dir, own, &a, count_line, &t, ps);
    arena_release(&a);
    run->messages = f->count;
    run->rejected = t.rejected;
    run->errors = t.errors;
    run->warnings = t.warnings;
    return rc;
}

static int install_stage(const struct batch *answer, const struct waybill_file *f, struct batch *into,
                         struct problems *ps)
{
    struct slice name = next_stage(into->arena, into->w);
    int rc = answer->fresh ? OK : batch_check_file(answer, f, ps);
    if (rc == OK)
        rc = link_file(answer, f, into, name, ps);
    if (rc != OK)
        return rc;
    struct waybill_file *own = take_over(f, into, "stage", name);
    into->w->stage = own->file;
    into->w->states = own->states;
    return OK;
}

static int install_files(const struct batch *answer, struct batch *into, struct waybill_run *run, struct problems *ps)
{
    int rc = OK;
    for (const struct waybill_file *f = answer->w->files; f && rc == OK; f = f->next) {
        if (is_for(f, "stage", slice_of(into->id)))
            rc = install_stage(answer, f, into, ps);
        else if (is_for(f, "log", slice_of(into->id)))
            rc = install_log(answer, f, into, run, ps);
    }
    return rc == OK ? spool_sync_dir(into->site->spool, into->dir, into->id, ps) : rc;
}

/* As long as the waybill does not name them the links are nothing: a crash before its save changes nothing. */
int batch_install(struct batch *answer, struct batch *into, struct problems *ps)
{
    const struct waybill *w = answer->w;
    if (batch_answered(into, answer))
        return OK;
    if (into->w->place != PLACE_DELIVERED || into->w->operation.p || !batch_is_open(into->w)) {
        problem_addf(ps, PROBLEM_ERROR, "BATCH_BUSY", (struct place){ .file = into->id, .offset = PLACE_NO_OFFSET },
                     "it is not open for the answer %s", answer->id);
        return STOP;
    }
    struct waybill_run run = { .operation = w->operation, .time = w->batch_time, .batch = w->batch,
                               .by = w->run_by, .outcome = SLICE("done") };
    int rc = install_files(answer, into, &run, ps);
    if (rc != OK)
        return rc;
    waybill_ran(into->w, &run);
    waybill_param(&into->w->answers, into->arena, w->batch, batch_stamp(into->site, into->arena));
    batch_note(into, "answered", arena_printf(into->arena, "%.*s by %s", SLICE_ARG(w->operation), answer->id));
    return batch_save(into, ps);
}
