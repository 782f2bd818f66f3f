#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/limit.h"
#include "base/slice.h"

static void compares_by_bytes(void **state)
{
    (void)state;
    assert_true(slice_compare(SLICE("a"), SLICE("b")) < 0);
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("\xC3"), SLICE("z")) > 0);
    assert_int_equal(slice_compare(SLICE(""), slice_none()), 0);
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_is(SLICE("a\0"), "a"));
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
}

static void trims(void **state)
{
    (void)state;
    assert_true(slice_is(slice_trim(SLICE(" \t a b\r\n")), "a b"));
    assert_true(slice_is(slice_trim(SLICE(" \t ")), ""));
    assert_int_equal(slice_trim(slice_none()).n, 0);
}

static void counts_characters(void **state)
{
    (void)state;
    assert_int_equal(slice_chars(SLICE("aé€😀")), 4);
    assert_int_equal(slice_chars(slice_none()), 0);
}

static void distance(void **state)
{
    (void)state;
    assert_int_equal(slice_distance(SLICE("Custmer"), SLICE("Customer"), 3), 1);
    assert_int_equal(slice_distance(SLICE("inbx"), SLICE("inbox"), 3), 1);
    assert_int_equal(slice_distance(SLICE("ab"), SLICE("ba"), 3), 1);
    assert_int_equal(slice_distance(SLICE("kitten"), SLICE("sitting"), 5), 3);
    assert_int_equal(slice_distance(SLICE("kitten"), SLICE("sitting"), 2), 3);
    assert_int_equal(slice_distance(SLICE(""), SLICE("abc"), 3), 3);
    assert_int_equal(slice_distance(SLICE("same"), SLICE("same"), 0), 0);
    char longer[100] = { 0 };
    assert_int_equal(slice_distance((struct slice){ longer, 100 }, (struct slice){ longer, 100 }, 2), 3);
}

static void limits(void **state)
{
    (void)state;
    struct limits l = limits_default;
    for (size_t i = 0; i < limit_count; i++)
        assert_true(limit_set(&l, limit_names[i], 1000 + i));
    assert_int_equal(l.field, 1000);
    assert_int_equal(l.ballast, 1000 + limit_count - 1);
    assert_int_equal(limit_count, sizeof l / sizeof(uint64_t));
    assert_false(limit_set(&l, SLICE("fild"), 1));
    assert_int_equal(limits_default.depth, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_by_bytes), cmocka_unit_test(trims), cmocka_unit_test(counts_characters),
        cmocka_unit_test(distance), cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
