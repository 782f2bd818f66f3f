#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "flow/wire.h"

/* What supervisor and worker tell each other comes over whole; a packet that ends early is never believed. */
static struct arena arena;
static struct operation operation;
static struct operation *operations[] = { &operation };
static struct flow flow;
static struct flow *flows[] = { &flow };
static struct site site;
static struct give file_give = { .kind = GIVE_OUTBOX }, table_give = { .kind = GIVE_TABLE, .index = 1 };
static struct give *gives[] = { &file_give, &table_give };

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    flow = (struct flow){ .operations = operations, .noperations = 1 };
    operation = (struct operation){ .flow = &flow, .gives = gives, .ngives = 2 };
    site = (struct site){ .flows = flows, .nflows = 1 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct wire wire_over(const struct buf *b, size_t n)
{
    struct wire w = { .at = { b->p, n }, .arena = &arena };
    wire_get_number(&w);
    return w;
}

static void a_job(void **state)
{
    struct setting sets[] = { { .name = SLICE("a"), .value = SLICE("1") } };
    struct slice selection[] = { SLICE("K 1"), SLICE("K 2") };
    struct open_batch open[] = { { SLICE("b1"), "work/b1/stage.3", true }, { SLICE("b2"), "work/b2/stage.1", false } };
    struct job_log logs[] = { { .path = "work/b1/b1.lines.1.jsonl", .size = 77, .sha256 = "abc" } };
    static uint32_t before[] = { 4, 0 };
    struct amend amends[] = { { SLICE("K"), SLICE("Line[2]/Qty"), SLICE("") } };
    struct lease_range leases[] = { { SLICE("n"), 7, 9 } };
    struct job j = { .operation = &operation, .config = SLICE("c0ffee"), .batch = SLICE("b1"), .file = SLICE("x.csv"), .time = SLICE("2026"), .size = 5,
                     .attempt = 2, .leases = leases, .nleases = 1, .sets = { sets, 1, 1 }, .selection = selection,
                     .nselection = 2, .open = open, .nopen = 2, .logs = logs, .nlogs = 1, .before = before,
                     .amends = amends, .namends = 1 };
    struct buf b = { 0 };
    struct job got = { 0 };
    (void)state;
    wire_job(&b, &j);
    struct wire w = wire_over(&b, b.n);
    assert_true(slice_is(wire_get_config(&w), "c0ffee"));
    assert_int_equal(wire_get_job(&w, &site, &got), OK);
    assert_int_equal(w.at.n, 0);
    assert_true(slice_is(got.operation->name, "amend"));    /* corrections are no operation of the flow */
    assert_true(slice_is(got.sets.list[0].value, "1") && got.sets.n == 1);
    assert_true(got.nselection == 2 && slice_is(got.selection[1], "K 2"));
    assert_true(got.nopen == 2 && got.open[0].applied && !got.open[1].applied);
    assert_string_equal(got.open[1].path, "work/b2/stage.1");
    assert_true(got.nlogs == 1 && got.logs[0].size == 77);
    assert_string_equal(got.logs[0].sha256, "abc");
    assert_true(got.before && got.before[0] == 4 && got.before[1] == 0);
    assert_true(got.namends == 1 && slice_is(got.amends[0].path, "Line[2]/Qty"));
    for (size_t n = 8; n < b.n; n++) {
        w = wire_over(&b, n);
        wire_get_config(&w);
        assert_int_equal(wire_get_job(&w, &site, &got), STOP);
    }
    buf_release(&b);
}

static void a_short_input_goes_along(void **state)
{
    struct job j = { .operation = &operation, .batch = SLICE("b1"), .file = SLICE("a.csv"), .config = SLICE("") }, got = { .fd = -1 };
    struct buf b = { 0 };
    (void)state;
    wire_job_here(&b, &j, SLICE("No;Qty\n"));
    struct wire w = wire_over(&b, b.n);
    assert_true(slice_is(wire_get_text(&w), "No;Qty\n"));
    wire_get_config(&w);
    assert_int_equal(wire_get_job(&w, &site, &got), OK);
    assert_true(slice_is(got.file, "a.csv") && w.at.n == 0);
    buf_release(&b);
}

static void an_output(void **state)
{
    struct skip_count states[] = { { SLICE("staged"), 3 }, { SLICE("sent"), 0 } };
    struct output o = { .kind = OUTPUT_STAGE, .number = 2, .bytes = 9, .messages = 4, .sha256 = "ff", .target = SLICE("b7"),
                        .states = states, .nstates = 2, .unfinished = true }, got;
    struct buf b = { 0 };
    (void)state;
    wire_number(&b, WIRE_CLOSED);
    wire_output(&b, &o);
    struct wire w = wire_over(&b, b.n);
    assert_int_equal(wire_get_output(&w, &operation, &got), OK);
    assert_true(slice_is(got.target, "b7") && got.nstates == 2 && got.states[0].count == 3 && got.unfinished);
    for (size_t n = 8; n < b.n; n++) {
        w = wire_over(&b, n);
        assert_int_equal(wire_get_output(&w, &operation, &got), STOP);
    }
    buf_release(&b);
}

/* Which kinds of output name a give, a table, a batch. */
static void outputs_that_make_no_sense(void **state)
{
    const struct {
        struct output o;
        int rc;
    } cases[] = {
        { { .kind = OUTPUT_FILE, .give = &file_give }, OK },    { { .kind = OUTPUT_FILE }, STOP },
        { { .kind = OUTPUT_TABLE, .give = &table_give }, OK },  { { .kind = OUTPUT_TABLE, .give = &file_give }, STOP },
        { { .kind = OUTPUT_TABLE }, STOP },                     { { .kind = OUTPUT_STAGE }, STOP },
        { { .kind = OUTPUT_LOG }, STOP },                       { { .kind = OUTPUT_LOG, .target = SLICE("b") }, OK },
        { { .kind = OUTPUT_LOG + 1, .target = SLICE("b") }, STOP },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = { 0 };
        struct output got;
        wire_number(&b, WIRE_OPEN);
        wire_output(&b, &cases[i].o);
        struct wire w = wire_over(&b, b.n);
        assert_int_equal(wire_get_output(&w, &operation, &got), cases[i].rc);
        buf_release(&b);
    }
}

static void a_result(void **state)
{
    struct skip_count states[] = { { SLICE("staged"), 3 } }, skips[] = { { SLICE("OLD"), 2 } };
    struct result r = { .status = OK, .messages = 5, .done = 3, .skips = skips, .nskips = 1, .states = states, .nstates = 1 };
    struct result got;
    struct buf b = { 0 };
    (void)state;
    problems_init(&r.problems, &arena, 0);
    problem_addf(&r.problems, PROBLEM_WARNING, "X_Y", (struct place){ .offset = PLACE_NO_OFFSET }, "text");
    wire_result(&b, &r);
    struct wire w = wire_over(&b, b.n);
    assert_int_equal(wire_get_result(&w, &got), OK);
    assert_true(got.done == 3 && got.nskips == 1 && got.nstates == 1 && got.states[0].count == 3);
    assert_string_equal(got.problems.first->code, "X_Y");
    for (size_t n = 8; n < b.n; n++) {
        w = wire_over(&b, n);
        assert_int_equal(wire_get_result(&w, &got), STOP);
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_input_goes_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outputs_that_make_no_sense, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
