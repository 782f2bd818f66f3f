/*
 * jobkit - jobs of flows that stage, without a supervisor: the port keeps what they write in a folder, and what is a
 * batch's becomes its own when the job is done.
 *
 *     kit_begin();  kit_put("site.conf", text) …;  kit_site();
 *     kit_file("create", "B1", "2026-01-01T08:00:00", "in.csv");      a file through an operation, as batch B1
 *     kit_batch("send", "B1", "2026-01-02T08:00:00");                 the batch through an operation
 *     kit_output(OUTPUT_FILE, 0);                                     what give 0 wrote, NULL = nothing
 *     kit_end();
 */
#ifndef WAYBILL_TESTS_JOBKIT_H
#define WAYBILL_TESTS_JOBKIT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/operation.h"

#define KIT_MOST 64

struct kit_batch {
    const char *id, *stage;
    struct job_log logs[KIT_MOST];
    size_t nlogs;
    uint32_t before[8];
};

static struct kit {
    struct arena arena;
    struct problems problems;
    char folder[64];
    struct site *site;
    struct kit_batch batches[8];
    size_t nbatches;
    struct output outputs[KIT_MOST];
    const char *paths[KIT_MOST];
    size_t noutputs;
    uint64_t next;                  /* of every sequence */
    unsigned runs;
    struct result result;
    struct setting sets[4];         /* of each job */
    size_t nsets;
    struct slice selection[4];
    size_t nselection;
    struct call_place calls;        /* of the next batch job */
    const char *asked;              /* the next file answers a call of that batch, for that message */
    uint64_t asked_message;
    bool applied;                   /* all open batches were changed by the file before */
} kit;

static const char *kit_path(const char *name)
{
    return file_join(&kit.arena, kit.folder, name);
}

static struct slice kit_contents(const char *path)
{
    struct slice text = { "", 0 };
    if (file_read(&kit.arena, path, 0, &text, &kit.problems) != OK)
        fail_msg("%s cannot be read", path);
    return text;
}

static void kit_put(const char *name, const char *text)
{
    FILE *f = fopen(kit_path(name), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static __attribute__((unused)) void kit_copy(const char *from, const char *name)
{
    kit_put(name, arena_cstr(&kit.arena, kit_contents(from)));
}

static int kit_begin(void **state)
{
    (void)state;
    kit = (struct kit){ .next = 1 };
    arena_init(&kit.arena, 0);
    problems_init(&kit.problems, &kit.arena, 0);
    snprintf(kit.folder, sizeof kit.folder, "/tmp/test_jobs.XXXXXX");
    return mkdtemp(kit.folder) ? 0 : -1;
}

static int kit_end(void **state)
{
    char command[128];
    (void)state;
    arena_release(&kit.arena);
    snprintf(command, sizeof command, "rm -rf %s", kit.folder);
    return system(command);
}

static void kit_site(void)
{
    int rc = site_load(&kit.arena, NULL, kit.folder, &kit.site, &kit.problems);
    for (const struct problem *p = kit.problems.first; rc != OK && p; p = p->next)
        fprintf(stderr, "%s:%u: %.*s [%s]\n", p->place.file, p->place.line, (int)p->text.n, p->text.p, p->code);
    assert_int_equal(rc, OK);
}

/* ---- the port --------------------------------------------------------------------------------------------------- */

static int kit_open(void *owner, struct output *o, int *fd_out, struct problems *ps)
{
    (void)owner, (void)ps;
    assert_true(kit.noutputs < KIT_MOST);
    struct slice name = arena_printf(&kit.arena, "run%u.%zu", kit.runs, kit.noutputs);
    kit.outputs[kit.noutputs] = *o;
    kit.outputs[kit.noutputs].target = arena_copy(&kit.arena, o->target);
    kit.paths[kit.noutputs] = kit_path(arena_cstr(&kit.arena, name));
    *fd_out = open(kit.paths[kit.noutputs++], O_RDWR | O_CREAT | O_TRUNC, 0600);
    return *fd_out >= 0 ? OK : TEMP;
}

static int kit_closed(void *owner, const struct output *o, struct problems *ps)
{
    (void)owner, (void)ps;
    for (size_t i = kit.noutputs; i-- > 0;)
        if (kit.outputs[i].kind == o->kind && kit.outputs[i].give == o->give && kit.outputs[i].number == o->number) {
            struct slice target = kit.outputs[i].target;
            kit.outputs[i] = *o;
            kit.outputs[i].target = target;
            return OK;
        }
    fail_msg("an output that was never opened");
    return STOP;
}

static int kit_lease(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out,
                     struct problems *ps)
{
    (void)owner, (void)ps, (void)sequence;
    *from_out = kit.next;
    kit.next += want;
    *to_out = kit.next - 1;
    return OK;
}

/* What a message names lies in the folder "beside", what comes along under its name in "with". */
static int kit_companion(void *owner, bool named, struct slice name, struct came *out, struct problems *ps)
{
    struct slice path = arena_printf(&kit.arena, "%s/%.*s", named ? "with" : "beside", SLICE_ARG(name));
    (void)owner, (void)ps;
    *out = (struct came){ .fd = open(kit_path(arena_cstr(&kit.arena, path)), O_RDONLY), .name = name };
    return OK;
}

static void kit_progress(void *owner, uint64_t bytes, uint64_t messages)
{
    (void)owner, (void)bytes, (void)messages;
}

/* ---- what came out ---------------------------------------------------------------------------------------------- */

/* Of a give when `give` is not negative; SIZE_MAX = none. */
static size_t kit_find(enum output_kind kind, int give)
{
    for (size_t i = 0; i < kit.noutputs; i++)
        if (kit.outputs[i].kind == kind
            && (give < 0 || (kit.outputs[i].give && (int)kit.outputs[i].give->index == give)))
            return i;
    return SIZE_MAX;
}

static __attribute__((unused)) const char *kit_output(enum output_kind kind, int give)
{
    size_t i = kit_find(kind, give);
    return i == SIZE_MAX ? NULL : arena_cstr(&kit.arena, kit_contents(kit.paths[i]));
}

static struct kit_batch *kit_of(const char *id)
{
    for (size_t i = 0; i < kit.nbatches; i++)
        if (strcmp(kit.batches[i].id, id) == 0)
            return &kit.batches[i];
    assert_true(kit.nbatches < 8);
    struct kit_batch *b = &kit.batches[kit.nbatches++];
    *b = (struct kit_batch){ .id = arena_cstr(&kit.arena, slice_of(id)) };
    return b;
}

static __attribute__((unused)) const char *kit_stage(const char *id)
{
    const struct kit_batch *b = kit_of(id);
    return b->stage ? arena_cstr(&kit.arena, kit_contents(b->stage)) : NULL;
}

static void kit_add_log(struct kit_batch *b, size_t i)
{
    struct job_log *l = &b->logs[b->nlogs++];
    *l = (struct job_log){ .path = kit.paths[i], .size = kit.outputs[i].bytes };
    memcpy(l->sha256, kit.outputs[i].sha256, sizeof l->sha256);
}

/* What the supervisor does when the job is done. */
static void kit_install(const struct job *job, bool own)
{
    for (size_t i = 0; i < kit.noutputs; i++) {
        const struct output *o = &kit.outputs[i];
        if (o->kind == OUTPUT_STAGE)
            kit_of(arena_cstr(&kit.arena, o->target))->stage = kit.paths[i];
        if (o->kind == OUTPUT_LOG)
            kit_add_log(kit_of(arena_cstr(&kit.arena, o->target)), i);
        if (o->kind == OUTPUT_LINES && own)
            kit_add_log(kit_of(arena_cstr(&kit.arena, job->batch)), i);
    }
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static int kit_run(struct job *job, const char *input, bool own)
{
    struct port port = { NULL, kit_open, kit_closed, kit_lease, kit_companion, kit_progress, NULL, NULL };
    struct open_batch open_ones[8];
    assert_non_null(job->operation);
    kit.noutputs = 0;
    kit.runs++;
    for (size_t i = 0; i < kit.nbatches; i++)
        if (kit.batches[i].stage)
            open_ones[job->nopen++] = (struct open_batch){ .batch = slice_of(kit.batches[i].id),
                                                           .path = kit.batches[i].stage, .applied = kit.applied };
    job->open = open_ones;
    job->calls = kit.calls;
    job->asked = kit.asked ? slice_of(kit.asked) : slice_none();
    job->asked_message = kit.asked_message;
    job->sets = (struct settings){ kit.sets, kit.nsets, kit.nsets };
    job->selection = kit.selection;
    job->nselection = kit.nselection;
    job->fd = open(input, O_RDONLY);
    assert_true(job->fd >= 0);
    job->size = kit_contents(input).n;
    struct table_cache *tables = table_cache_new(kit.site);
    operation_run(job, &port, tables, &kit.arena, &kit.result);
    table_cache_free(tables);
    close(job->fd);
    if (kit.result.status == OK)
        kit_install(job, own);
    return kit.result.status;
}

static const struct operation *kit_operation(const char *name)
{
    for (size_t i = 0; i < kit.site->nflows; i++)
        if (flow_operation(kit.site->flows[i], slice_of(name)))
            return flow_operation(kit.site->flows[i], slice_of(name));
    fail_msg("no operation %s", name);
    return NULL;
}

static void kit_show(void)
{
    fprintf(stderr, "%.*s %.*s\n", (int)kit.result.code.n, kit.result.code.p, (int)kit.result.text.n,
            kit.result.text.p);
    for (const struct problem *p = kit.result.problems.first; p; p = p->next)
        fprintf(stderr, "  %s: %.*s %.*s\n", p->code, (int)p->path.n, p->path.p, (int)p->text.n, p->text.p);
}

/* A file of that path; the result is the job's status. */
static int kit_try_file(const char *operation, const char *id, const char *time, const char *path)
{
    struct job job = { .operation = kit_operation(operation), .batch = slice_of(id), .time = slice_of(time),
                       .file = slice_of(file_base(path)) };
    return kit_run(&job, path, job.operation->stage && job.operation->stage->new_batch);
}

static int kit_try_batch(const char *operation, const char *id, const char *time)
{
    struct kit_batch *b = kit_of(id);
    struct job job = { .operation = kit_operation(operation), .batch = slice_of(b->id), .time = slice_of(time),
                       .file = SLICE("dropped.csv"), .original = kit_path("in.csv"), .logs = b->logs, .nlogs = b->nlogs, .before = b->before };
    int rc = kit_run(&job, b->stage, true);
    for (size_t i = 0; i < kit.noutputs && rc == OK; i++)
        if (kit.outputs[i].kind == OUTPUT_FILE)
            b->before[kit.outputs[i].give->index]++;
    return rc;
}

static __attribute__((unused)) void kit_file(const char *operation, const char *id, const char *time,
                                             const char *path)
{
    if (kit_try_file(operation, id, time, path) != OK) {
        kit_show();
        fail_msg("%s on %s failed", operation, path);
    }
}

static __attribute__((unused)) void kit_batch(const char *operation, const char *id, const char *time)
{
    if (kit_try_batch(operation, id, time) != OK) {
        kit_show();
        fail_msg("%s on batch %s failed", operation, id);
    }
}

#endif
