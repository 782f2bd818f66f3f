#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "jobkit.h"

/* The life of a batch as samples/ovotrack tells it, job by job. */
#define MAPPINGS "mappings/ovotrack"
#define SAMPLES "samples/ovotrack"
#define BATCH "20240801-150000-1-1"

static int set_up(void **state)
{
    struct dirent *e;
    if (kit_begin(state) != 0)
        return -1;
    DIR *d = opendir(MAPPINGS);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (strstr(e->d_name, ".map") || strstr(e->d_name, ".format") || strstr(e->d_name, ".conf"))
            kit_copy(file_join(&kit.arena, MAPPINGS, e->d_name), e->d_name);
    closedir(d);
    file_make_dirs(kit_path("tables"), 0700, &kit.problems);
    kit_copy(SAMPLES "/in/divisions.csv", "tables/divisions.csv");
    kit_copy(SAMPLES "/in/items.csv", "tables/items.csv");
    kit_copy(SAMPLES "/in/customer_locations_0801.csv", "tables/locations.csv");
    kit_site();
    kit.sets[0] = (struct setting){ .name = SLICE("last-modified"), .value = SLICE("2024-07-31T00:00:00") };
    kit.nsets = 1;
    return 0;
}

static void expect_file(size_t i, const char *name)
{
    if (i == SIZE_MAX)
        fail_msg("nothing was written for %s", name);
    struct slice got = kit_contents(kit.paths[i]);
    struct slice want = kit_contents(file_join(&kit.arena, SAMPLES "/expected", name));
    size_t same = 0;
    while (same < got.n && same < want.n && got.p[same] == want.p[same])
        same++;
    size_t from = same > 200 ? same - 200 : 0;
    if (!slice_equal(got, want))
        fail_msg("%s differs at byte %zu:\n--- got\n%.*s\n--- want\n%.*s", name, same, 400, got.p + from, 400,
                 want.p + from);
}

static void expect_view(const char *name)
{
    kit_batch("view", BATCH, "2024-08-02T23:00:00-04:00");
    expect_file(kit_find(OUTPUT_FILE, 0), name);
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_true(kit_find(OUTPUT_LINES, -1) == SIZE_MAX);        /* who only looks says nothing */
}

static uint64_t state_count(const char *name)
{
    const struct output *o = &kit.outputs[kit_find(OUTPUT_STAGE, -1)];
    for (size_t i = 0; i < o->nstates; i++)
        if (slice_is(o->states[i].code, name))
            return o->states[i].count;
    fail_msg("no state %s", name);
    return 0;
}

static void the_whole_life(void **state)
{
    (void)state;
    kit_file("create", BATCH, "2024-08-01T15:00:00-04:00", SAMPLES "/in/erp_orders_20240801.csv");
    expect_file(kit_find(OUTPUT_FILE, 1), "1_not_staged.csv");
    assert_int_equal(state_count("staged"), 15);
    expect_view("1_staged.csv");

    kit_batch("send", BATCH, "2024-08-01T15:05:00-04:00");
    expect_file(kit_find(OUTPUT_FILE, 0), "2_ovotrack_orders_1.xml");
    assert_int_equal(state_count("sent"), 9);
    assert_true(kit.outputs[kit_find(OUTPUT_STAGE, -1)].unfinished);
    expect_view("2_after_send_1.csv");

    kit_file("receive", "answer-1", "2024-08-02T07:30:00-04:00", SAMPLES "/in/ovotrack_updates_1.xml");
    assert_int_equal(kit.result.messages, 4);
    assert_int_equal(kit.result.warnings, 1);
    expect_view("3_after_receive_1.csv");

    kit_file("update", "answer-2", "2024-08-02T08:00:00-04:00", SAMPLES "/in/erp_orders_update_20240802.csv");
    assert_true(kit_find(OUTPUT_REJECTED, -1) != SIZE_MAX);     /* 70015 was picked */
    expect_view("4_after_update_from_source.csv");

    kit_copy(SAMPLES "/in/customer_locations_0802.csv", "tables/locations.csv");
    kit_of(BATCH)->before[0] = 1;
    kit_batch("send", BATCH, "2024-08-02T08:10:00-04:00");
    expect_file(kit_find(OUTPUT_FILE, 0), "4_ovotrack_orders_2.xml");
    assert_true(slice_is(kit.outputs[kit_find(OUTPUT_FILE, 0)].name, "ovotrack_orders_" BATCH "_2.xml"));
    expect_view("4_after_send_2.csv");

    kit_file("receive", "answer-3", "2024-08-02T12:00:00-04:00", SAMPLES "/in/ovotrack_updates_2.xml");
    expect_view("5_after_receive_2.csv");

    kit_batch("commit", BATCH, "2024-08-02T13:00:00-04:00");
    expect_file(kit_find(OUTPUT_FILE, 0), "6_erp_commit.csv");
    assert_int_equal(state_count("committed"), 11);
    expect_view("6_after_commit.csv");
    expect_file(kit_find(OUTPUT_FILE, 1), "commit_messages.csv");
}

/* Lines that an open batch holds are not staged again (S0-18): the second batch has nothing. */
static void nothing_is_staged_twice(void **state)
{
    (void)state;
    kit_file("create", BATCH, "2024-08-01T15:00:00-04:00", SAMPLES "/in/erp_orders_20240801.csv");
    kit_file("create", "second", "2024-08-01T16:00:00-04:00", SAMPLES "/in/erp_orders_20240801.csv");
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_int_equal(kit.result.problems.notes, 1);             /* NOTHING_STAGED */
    assert_non_null(strstr(kit_output(OUTPUT_LINES, -1), "already in batch B0001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_life, set_up, kit_end),
        cmocka_unit_test_setup_teardown(nothing_is_staged_twice, set_up, kit_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
