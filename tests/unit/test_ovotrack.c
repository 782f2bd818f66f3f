#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/operation.h"

/*
 * The life of a batch as samples/ovotrack tells it, job by job, without a supervisor: the port keeps what jobs write in
 * a folder, and what is the batch's becomes its own when the job is done.
 */
#define MAPPINGS "mappings/ovotrack"
#define SAMPLES "samples/ovotrack"
#define BATCH "20240801-150000-1-1"

struct bench {
    struct arena arena;
    struct problems problems;
    char folder[64];
    struct site *site;
    const char *stage;              /* of the batch */
    struct job_log logs[32];
    size_t nlogs, noutputs;
    struct output outputs[64];
    const char *paths[64];
    uint64_t next;                  /* of the sequence */
    unsigned runs;
    struct result result;
    const char *answer;             /* id of the file's own batch */
    uint32_t before[8];
};

static struct bench b;

static const char *joined(const char *name)
{
    return file_join(&b.arena, b.folder, name);
}

static struct slice contents(const char *path)
{
    struct slice text = { "", 0 };
    if (file_read(&b.arena, path, 0, &text, &b.problems) != OK)
        fail_msg("%s cannot be read", path);
    return text;
}

static void put(const char *path, struct slice text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
}

static void copy(const char *from, const char *name)
{
    put(joined(name), contents(from));
}

static int set_up(void **state)
{
    struct dirent *e;
    (void)state;
    b = (struct bench){ .next = 1 };
    arena_init(&b.arena, 0);
    problems_init(&b.problems, &b.arena, 0);
    snprintf(b.folder, sizeof b.folder, "/tmp/test_ovotrack.XXXXXX");
    if (!mkdtemp(b.folder))
        return -1;
    DIR *d = opendir(MAPPINGS);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (strchr(e->d_name, '.') && e->d_name[0] != '.' && !strstr(e->d_name, ".test"))
            copy(file_join(&b.arena, MAPPINGS, e->d_name), e->d_name);
    closedir(d);
    file_make_dirs(joined("tables"), 0700, &b.problems);
    copy(SAMPLES "/in/divisions.csv", "tables/divisions.csv");
    copy(SAMPLES "/in/items.csv", "tables/items.csv");
    copy(SAMPLES "/in/customer_locations_0801.csv", "tables/locations.csv");
    assert_int_equal(site_load(&b.arena, NULL, b.folder, &b.site, &b.problems), OK);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    arena_release(&b.arena);
    snprintf(command, sizeof command, "rm -rf %s", b.folder);
    return system(command);
}

/* ---- the port --------------------------------------------------------------------------------------------------- */

static int port_open(void *owner, struct output *o, int *fd_out, struct problems *ps)
{
    (void)owner, (void)ps;
    assert_true(b.noutputs < 64);
    const char *path = joined(arena_cstr(&b.arena, arena_printf(&b.arena, "run%u.%d.%d.%u.%zu", b.runs, o->kind,
                                                                o->give ? (int)o->give->index : -1, o->number,
                                                                b.noutputs)));
    b.outputs[b.noutputs] = *o;
    b.paths[b.noutputs++] = path;
    *fd_out = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return *fd_out >= 0 ? OK : TEMP;
}

static int port_closed(void *owner, const struct output *o, struct problems *ps)
{
    (void)owner, (void)ps;
    for (size_t i = b.noutputs; i-- > 0;)
        if (b.outputs[i].kind == o->kind && b.outputs[i].give == o->give && b.outputs[i].number == o->number) {
            b.outputs[i] = *o;
            b.outputs[i].target = arena_copy(&b.arena, o->target);
            return OK;
        }
    fail_msg("an output that was never opened");
    return STOP;
}

static int port_lease(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out,
                      struct problems *ps)
{
    (void)owner, (void)ps, (void)sequence;
    *from_out = b.next;
    b.next += want;
    *to_out = b.next - 1;
    return OK;
}

static void port_progress(void *owner, uint64_t bytes, uint64_t messages)
{
    (void)owner, (void)bytes, (void)messages;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static size_t find_output(enum output_kind kind, int give)
{
    for (size_t i = 0; i < b.noutputs; i++)
        if (b.outputs[i].kind == kind && (give < 0 || (b.outputs[i].give && (int)b.outputs[i].give->index == give)))
            return i;
    return SIZE_MAX;
}

static void add_log(size_t i)
{
    struct job_log *l = &b.logs[b.nlogs++];
    *l = (struct job_log){ .path = b.paths[i], .size = b.outputs[i].bytes };
    memcpy(l->sha256, b.outputs[i].sha256, sizeof l->sha256);
}

/* What the supervisor does when the job is done. */
static void install(void)
{
    for (size_t i = 0; i < b.noutputs; i++) {
        struct output *o = &b.outputs[i];
        bool own = !b.answer;
        if (o->kind == OUTPUT_STAGE) {
            assert_true(slice_is(o->target, BATCH));
            b.stage = b.paths[i];
        }
        if ((own && o->kind == OUTPUT_LINES) || o->kind == OUTPUT_LOG)
            add_log(i);
    }
}

static struct table_cache *tables;

static void run_job(struct job *job, const char *input)
{
    struct port port = { NULL, port_open, port_closed, port_lease, port_progress };
    b.noutputs = 0;
    b.runs++;
    job->fd = open(input, O_RDONLY);
    assert_true(job->fd >= 0);
    job->size = contents(input).n;
    tables = table_cache_new(b.site);
    operation_run(job, &port, tables, &b.arena, &b.result);
    table_cache_free(tables);
    close(job->fd);
    if (b.result.status == OK)
        install();
}

static void show_problems(void)
{
    fprintf(stderr, "%.*s %.*s\n", (int)b.result.code.n, b.result.code.p, (int)b.result.text.n, b.result.text.p);
    for (const struct problem *p = b.result.problems.first; p; p = p->next)
        fprintf(stderr, "  %s: %.*s %.*s\n", p->code, (int)p->path.n, p->path.p, (int)p->text.n, p->text.p);
}

/* An operation of the flow on a file (its own batch `answer`), or on the batch. */
static void run(const char *operation, const char *time, const char *file, const char *answer)
{
    const struct flow *f = site_flow(b.site, SLICE("order-sync"));
    struct setting modified = { .name = SLICE("last-modified"), .value = SLICE("2024-07-31T00:00:00") };
    struct open_batch open = { .batch = SLICE(BATCH), .path = b.stage };
    struct job job = { .operation = flow_operation(f, slice_of(operation)), .time = slice_of(time),
                       .file = SLICE("orders.csv"), .sets = { &modified, 1, 1 } };
    assert_non_null(job.operation);
    b.answer = answer;
    job.batch = answer ? slice_of(answer) : SLICE(BATCH);
    job.open = &open;
    job.nopen = b.stage != NULL;
    job.before = b.before;
    if (!file || !answer) {
        job.logs = b.logs;
        job.nlogs = b.nlogs;
    }
    run_job(&job, file ? file : b.stage);
    if (b.result.status != OK)
        show_problems();
    assert_int_equal(b.result.status, OK);
}

static void expect_file(size_t i, const char *name)
{
    if (i == SIZE_MAX)
        fail_msg("nothing was written for %s", name);
    struct slice got = contents(b.paths[i]), want = contents(file_join(&b.arena, SAMPLES "/expected", name));
    if (!slice_equal(got, want)) {
        size_t same = 0;
        while (same < got.n && same < want.n && got.p[same] == want.p[same])
            same++;
        size_t from = same > 200 ? same - 200 : 0;
        fail_msg("%s differs at byte %zu:\n--- got\n%.*s\n--- want\n%.*s", name, same, 400, got.p + from, 400,
                 want.p + from);
    }
}

static void expect_view(const char *name)
{
    run("view", "2024-08-02T23:00:00-04:00", NULL, NULL);
    expect_file(find_output(OUTPUT_FILE, 0), name);
    assert_true(find_output(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_true(find_output(OUTPUT_LINES, -1) == SIZE_MAX);     /* who only looks says nothing */
}

static uint64_t state_count(const char *name)
{
    const struct output *o = &b.outputs[find_output(OUTPUT_STAGE, -1)];
    for (size_t i = 0; i < o->nstates; i++)
        if (slice_is(o->states[i].code, name))
            return o->states[i].count;
    fail_msg("no state %s", name);
    return 0;
}

static void create(void)
{
    run("create", "2024-08-01T15:00:00-04:00", SAMPLES "/in/erp_orders_20240801.csv", NULL);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void the_whole_life(void **state)
{
    (void)state;
    create();
    expect_file(find_output(OUTPUT_FILE, 1), "1_not_staged.csv");
    assert_int_equal(state_count("staged"), 15);
    expect_view("1_staged.csv");

    run("send", "2024-08-01T15:05:00-04:00", NULL, NULL);
    expect_file(find_output(OUTPUT_FILE, 0), "2_ovotrack_orders_1.xml");
    assert_int_equal(state_count("sent"), 9);
    assert_true(b.outputs[find_output(OUTPUT_STAGE, -1)].unfinished);
    b.before[0] = 1;
    expect_view("2_after_send_1.csv");

    run("receive", "2024-08-02T07:30:00-04:00", SAMPLES "/in/ovotrack_updates_1.xml", "answer-1");
    assert_int_equal(b.result.messages, 4);
    assert_int_equal(b.result.warnings, 1);
    expect_view("3_after_receive_1.csv");

    run("update", "2024-08-02T08:00:00-04:00", SAMPLES "/in/erp_orders_update_20240802.csv", "answer-2");
    assert_true(find_output(OUTPUT_REJECTED, -1) != SIZE_MAX);  /* 70015 was picked */
    expect_view("4_after_update_from_source.csv");

    copy(SAMPLES "/in/customer_locations_0802.csv", "tables/locations.csv");
    run("send", "2024-08-02T08:10:00-04:00", NULL, NULL);
    expect_file(find_output(OUTPUT_FILE, 0), "4_ovotrack_orders_2.xml");
    assert_true(slice_is(b.outputs[find_output(OUTPUT_FILE, 0)].name, "ovotrack_orders_" BATCH "_2.xml"));
    b.before[0] = 2;
    expect_view("4_after_send_2.csv");

    run("receive", "2024-08-02T12:00:00-04:00", SAMPLES "/in/ovotrack_updates_2.xml", "answer-3");
    expect_view("5_after_receive_2.csv");

    run("commit", "2024-08-02T13:00:00-04:00", NULL, NULL);
    expect_file(find_output(OUTPUT_FILE, 0), "6_erp_commit.csv");
    assert_int_equal(state_count("committed"), 11);
    expect_view("6_after_commit.csv");
    expect_file(find_output(OUTPUT_FILE, 1), "commit_messages.csv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_life, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
