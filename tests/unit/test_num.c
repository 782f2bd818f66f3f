#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/num.h"
#include "unit/basekit.h"

static struct num num(const char *text)
{
    struct num n = { 0 };
    assert_true(num_parse(slice_of(text), &n));
    return n;
}

static const char *text(struct num n)
{
    return num_text(&arena, n).p;
}

typedef bool operation(struct num, struct num, struct num *);

static const char *apply(operation *f, const char *a, const char *b)
{
    struct num n;
    return f(num(a), num(b), &n) ? text(n) : "none";
}

static const char *rounded(const char *a, int32_t places, enum num_rounding how)
{
    struct num n;
    return num_round(num(a), places, how, &n) ? text(n) : "none";
}

#define D38 "99999999999999999999999999999999999999"

static void reads_and_writes(void **state)
{
    (void)state;
    static const char *const same[] = { "0", "1", "-1", "1.00", "0.05", "-0.5", "12345678901234567890.12", D38, "-" D38,
                                        "0." D38, "100" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_string_equal(text(num(same[i])), same[i]);
    assert_string_equal(text(num("-0.00")), "0.00");
    assert_string_equal(text(num("007")), "7");
    assert_string_equal(text(num("1.00000000000000000000000000000000000000000000000")), "1.0000000000000000000000000000000000000");
    static const char *const bad[] = { "", "-", "+1", "1.", ".5", "1,5", "1e3", " 1", "1 ", "--1", "1.5.2", "0x1", D38 "0",
                                       "0.000000000000000000000000000000000000001", D38 ".1" };
    struct num n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(num_parse(slice_of(bad[i]), &n));
    assert_false(num_parse(slice_none(), &n));
    assert_false(num_parse(SLICE("1\0"), &n));
}

static void adds(void **state)
{
    (void)state;
    assert_string_equal(apply(num_add, "0.1", "0.2"), "0.3");
    assert_string_equal(apply(num_add, "1.50", "1.5"), "3.00");
    assert_string_equal(apply(num_sub, "1", "1.00"), "0.00");
    assert_string_equal(apply(num_sub, "0.05", "1"), "-0.95");
    assert_string_equal(apply(num_add, D38, "0"), D38);
    assert_string_equal(apply(num_add, D38, "0.00"), D38);
    assert_string_equal(apply(num_add, D38, "-1.0"), "99999999999999999999999999999999999998");
    assert_string_equal(apply(num_add, D38, "1"), "none");
    assert_string_equal(apply(num_add, D38, "0.1"), "none");
    assert_string_equal(apply(num_sub, "-" D38, "1"), "none");
}

static void multiplies(void **state)
{
    (void)state;
    assert_string_equal(apply(num_mul, "1.5", "1.50"), "2.250");
    assert_string_equal(apply(num_mul, "-2", "0.5"), "-1.0");
    assert_string_equal(apply(num_mul, "0", "-5"), "0");
    assert_string_equal(apply(num_mul, "10000000000000000000", "1000000000000000000"), "10000000000000000000000000000000000000");
    assert_string_equal(apply(num_mul, "10000000000000000000", "10000000000000000000"), "none");
    assert_string_equal(apply(num_mul, "0.00000000000000000001", "0.00000000000000000001"), "none");
    assert_string_equal(apply(num_mul, "1.00000000000000000000", "2.00000000000000000000"), "2");
    assert_string_equal(apply(num_mul, "25000000000000000000.0", "4.00000000000000000000"), "100000000000000000000");
}

static void divides(void **state)
{
    (void)state;
    assert_string_equal(apply(num_div, "1", "4"), "0.25");
    assert_string_equal(apply(num_div, "1", "3"), "0.3333333333333333333333333333333333");
    assert_string_equal(apply(num_div, "2", "3"), "0.6666666666666666666666666666666667");
    assert_string_equal(apply(num_div, "-2", "3"), "-0.6666666666666666666666666666666667");
    assert_string_equal(apply(num_div, "100", "3"), "33.33333333333333333333333333333333");
    assert_string_equal(apply(num_div, "1.00", "0.50"), "2");
    assert_string_equal(apply(num_div, "0", "7"), "0");
    assert_string_equal(apply(num_div, "1", "0.00"), "none");
    assert_string_equal(apply(num_div, D38, "1"), D38);
    assert_string_equal(apply(num_div, D38, D38), "1");
    assert_string_equal(apply(num_div, D38, "0.1"), "none");
    assert_string_equal(apply(num_div, "1", "0.00000000000000000000000000000000001"), "100000000000000000000000000000000000");
    assert_string_equal(apply(num_div, "1", "80000000000000000000000000000000000000"), "0.00000000000000000000000000000000000001");
}

static void remainders(void **state)
{
    (void)state;
    assert_string_equal(apply(num_mod, "7", "3"), "1");
    assert_string_equal(apply(num_mod, "-7", "3"), "-1");
    assert_string_equal(apply(num_mod, "7", "-3"), "1");
    assert_string_equal(apply(num_mod, "1.5", "0.4"), "0.3");
    assert_string_equal(apply(num_mod, "7", "0"), "none");
    assert_string_equal(apply(num_mod, D38, "0.7"), "0.3");         /* 10^39 - 10 mod 7 */
    assert_string_equal(apply(num_mod, "0.3", D38), "0.3");
    assert_string_equal(apply(num_mod, D38, "0.00000000000000000000000000000000000007"),
                        "0.00000000000000000000000000000000000002");
}

static void compares(void **state)
{
    (void)state;
    assert_int_equal(num_compare(num("1.0"), num("1.00")), 0);
    assert_int_equal(num_compare(num("-1"), num("0.5")), -1);
    assert_int_equal(num_compare(num(D38), num("0." D38)), 1);
    assert_int_equal(num_compare(num("-0.1"), num("-0.11")), 1);
    assert_int_equal(num_compare(num("0.00"), num("-0")), 0);
}

static void compares_texts_of_any_length(void **state)
{
    (void)state;
    assert_int_equal(num_compare_text(SLICE(D38 D38), SLICE(D38 D38 "0")), -1);
    assert_int_equal(num_compare_text(SLICE("-" D38 D38), SLICE("-" D38 D38 "0")), 1);
    assert_int_equal(num_compare_text(SLICE(D38 D38 ".10"), SLICE("0" D38 D38 ".1")), 0);
    assert_int_equal(num_compare_text(SLICE("-0.0"), SLICE("0")), 0);
    assert_int_equal(num_compare_text(SLICE("-1"), SLICE("0")), -1);
    assert_int_equal(num_compare_text(SLICE("0.1"), SLICE("0.09")), 1);
    assert_int_equal(num_compare_text(SLICE("-0.1"), SLICE("-0.09")), -1);
    assert_int_equal(num_compare_text(slice_none(), SLICE("1")), -1);
}

static void rounds(void **state)
{
    (void)state;
    assert_string_equal(rounded("2.345", 2, NUM_HALF_AWAY), "2.35");
    assert_string_equal(rounded("-2.345", 2, NUM_HALF_AWAY), "-2.35");
    assert_string_equal(rounded("2.345", 2, NUM_HALF_EVEN), "2.34");
    assert_string_equal(rounded("2.355", 2, NUM_HALF_EVEN), "2.36");
    assert_string_equal(rounded("2.3451", 2, NUM_HALF_EVEN), "2.35");
    assert_string_equal(rounded("0.5", 0, NUM_HALF_EVEN), "0");
    assert_string_equal(rounded("-0.5", 0, NUM_HALF_AWAY), "-1");
    assert_string_equal(rounded("-0.4", 0, NUM_HALF_AWAY), "0");
    assert_string_equal(rounded("-1.1", 0, NUM_FLOOR), "-2");
    assert_string_equal(rounded("1.9", 0, NUM_FLOOR), "1");
    assert_string_equal(rounded("-1.9", 0, NUM_CEILING), "-1");
    assert_string_equal(rounded("1.1", 0, NUM_CEILING), "2");
    assert_string_equal(rounded("2.00", 0, NUM_CEILING), "2");
    assert_string_equal(rounded("2.5", 4, NUM_HALF_AWAY), "2.5");
    assert_string_equal(rounded("1250", -2, NUM_HALF_AWAY), "1300");
    assert_string_equal(rounded("1250", -2, NUM_HALF_EVEN), "1200");
    assert_string_equal(rounded("1250", -4, NUM_HALF_AWAY), "0");
    assert_string_equal(rounded("1250", -40, NUM_HALF_AWAY), "0");
    assert_string_equal(rounded("1250", -40, NUM_CEILING), "none");
    assert_string_equal(rounded("1250", INT32_MIN, NUM_HALF_AWAY), "0");
    assert_string_equal(rounded(D38, -1, NUM_HALF_AWAY), "none");
    assert_string_equal(rounded("0." D38, 37, NUM_HALF_AWAY), "1.0000000000000000000000000000000000000");
}

static void integers(void **state)
{
    (void)state;
    int64_t n;
    assert_true(num_to_int(num("-12.00"), &n));
    assert_int_equal(n, -12);
    assert_false(num_to_int(num("0.5"), &n));
    assert_true(num_to_int(num("9223372036854775807"), &n));
    assert_false(num_to_int(num("9223372036854775808"), &n));
    assert_true(num_to_int(num("-9223372036854775808"), &n));
    assert_string_equal(text(num_int_of(INT64_MIN)), "-9223372036854775808");
    assert_string_equal(text(num_negate(num("1.5"))), "-1.5");
    assert_string_equal(text(num_normal(num("100.500"))), "100.5");
}

static uint64_t seed = 88172645463325252;

static int64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed >> (seed & 31)) >> 24;
}

/* Laws over random operands: a+b-b = a, a*b div b = a where exact, (a div b)*b + a mod b = a for whole quotients. */
static void laws(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct num a = { random_number(), (int32_t)(i % 7) }, b = { random_number() | 1, (int32_t)(i % 5) };
        struct num c = { 0 }, d = { 0 };
        assert_true(num_add(a, b, &c) && num_sub(c, b, &d));
        assert_int_equal(num_compare(a, d), 0);
        assert_true(num_mul(a, b, &c) && num_div(c, b, &d));
        assert_int_equal(num_compare(a, d), 0);
        struct num quotient = { 0 }, rest = { 0 };
        assert_true(num_mod(a, b, &rest) && num_sub(a, rest, &c) && num_div(c, b, &quotient));
        assert_int_equal(num_normal(quotient).scale, 0);
        assert_int_equal(num_compare(a, b), num_compare_text(num_text(&arena, a), num_text(&arena, b)));
        arena_reset(&arena);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, base_begin, base_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_and_writes), TEST(adds), TEST(multiplies), TEST(divides), TEST(remainders), TEST(compares),
        TEST(compares_texts_of_any_length), TEST(rounds), TEST(integers), TEST(laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
