#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "store/sequence.h"
#include "unit/storekit.h"

static void gives_each_number_once(void **state)
{
    (void)state;
    struct sequence q = { .name = SLICE("invoice"), .from = 100, .size = 6 };
    struct sequence_lease a, b;
    struct slice text;
    assert_int_equal(sequence_lease(&store, &q, 2, &a, &problems), OK);
    assert_int_equal(sequence_lease(&store, &q, 3, &b, &problems), OK);
    assert_int_equal(a.first, 100);
    assert_int_equal(b.first, 102);
    assert_int_equal(sequence_next(&q, &a, &arena, &text, &problems), OK);
    assert_true(slice_is(text, "000100"));
    assert_int_equal(sequence_next(&q, &a, &arena, &text, &problems), OK);
    assert_int_equal(sequence_next(&q, &a, &arena, &text, &problems), END);
}

static void an_unused_rest_goes_back_only_at_the_end(void **state)
{
    (void)state;
    struct sequence q = { .name = SLICE("n"), .from = 1 };
    struct sequence_lease a, b;
    struct slice text;
    int64_t next;
    sequence_lease(&store, &q, 10, &a, &problems);
    sequence_next(&q, &a, &arena, &text, &problems);
    assert_int_equal(sequence_return(&store, &q, &a, &problems), OK);
    assert_int_equal(sequence_peek(&store, &q, &next, &problems), OK);
    assert_int_equal(next, 2);
    sequence_lease(&store, &q, 10, &a, &problems);
    sequence_lease(&store, &q, 10, &b, &problems);
    assert_int_equal(sequence_return(&store, &q, &a, &problems), OK);
    sequence_peek(&store, &q, &next, &problems);
    assert_int_equal(next, 22);
    assert_int_equal(a.first, a.end);
}

static void stops_at_its_end_and_its_size(void **state)
{
    (void)state;
    struct sequence q = { .name = SLICE("small"), .from = 98, .to = 1000, .size = 2 };
    struct sequence_lease a;
    assert_int_equal(sequence_lease(&store, &q, 10, &a, &problems), OK);
    assert_int_equal(a.end - a.first, 2);
    assert_int_equal(sequence_lease(&store, &q, 1, &a, &problems), STOP);
    assert_string_equal(problems.last->code, "SEQUENCE_END");
}

static void a_damaged_state_is_not_guessed_at(void **state)
{
    (void)state;
    struct sequence q = { .name = SLICE("../x"), .from = 1 };
    struct sequence_lease a;
    assert_int_equal(sequence_lease(&store, &q, 1, &a, &problems), OK);
    assert_true(tempdir_has(dir, ".waybill/sequences/_._x.next"));
    tempdir_write(dir, ".waybill/sequences/_._x.next", "1 00000000\n", 11);
    assert_int_equal(sequence_lease(&store, &q, 1, &a, &problems), STOP);
    assert_string_equal(problems.last->code, "SEQUENCE_DAMAGED");
    tempdir_write(dir, ".waybill/sequences/_._x.next", "", 0);
    assert_int_equal(sequence_lease(&store, &q, 1, &a, &problems), STOP);
}

static void processes_never_share_a_number(void **state)
{
    (void)state;
    enum { PROCESSES = 4, EACH = 50 };
    struct sequence q = { .name = SLICE("race"), .from = 1 };
    int pipes[2];
    store.durable = false;
    assert_int_equal(pipe(pipes), 0);
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() == 0) {
            for (int i = 0; i < EACH; i++) {
                struct sequence_lease a;
                if (sequence_lease(&store, &q, 1, &a, &problems) != OK || write(pipes[1], &a.first, 8) != 8)
                    _exit(1);
            }
            _exit(0);
        }
    }
    close(pipes[1]);
    int64_t n;
    char seen[PROCESSES * EACH + 1] = { 0 };
    int count = 0;
    while (read(pipes[0], &n, 8) == 8) {
        assert_in_range(n, 1, PROCESSES * EACH);
        assert_int_equal(seen[n]++, 0);
        count++;
    }
    assert_int_equal(count, PROCESSES * EACH);
    close(pipes[0]);
    while (wait(NULL) > 0)
        continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_each_number_once, store_begin, store_end),
        cmocka_unit_test_setup_teardown(an_unused_rest_goes_back_only_at_the_end, store_begin, store_end),
        cmocka_unit_test_setup_teardown(stops_at_its_end_and_its_size, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_damaged_state_is_not_guessed_at, store_begin, store_end),
        cmocka_unit_test_setup_teardown(processes_never_share_a_number, store_begin, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
