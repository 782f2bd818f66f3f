#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/date.h"
#include "unit/basekit.h"

static void days(void **state)
{
    (void)state;
    assert_int_equal(date_days(1970, 1, 1), 0);
    assert_int_equal(date_days(2000, 2, 29), 11016);
    assert_int_equal(date_days(1, 1, 1), -719162);
    assert_int_equal(date_days(9999, 12, 31), 2932896);
    int64_t expected = date_days(1895, 1, 1);
    for (int32_t year = 1895; year < 2110; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            for (int32_t day = 1; day <= 31; day++) {
                struct date_parts p = { .year = year, .month = month, .day = day, .has_date = true };
                if (!date_check(&p))
                    continue;
                int32_t y, m, d;
                assert_int_equal(date_days(year, month, day), expected);
                date_from_days(expected++, &y, &m, &d);
                assert_true(y == year && m == month && d == day);
            }
        }
    }
    assert_int_equal(expected, date_days(2110, 1, 1));
}

static void texts(void **state)
{
    (void)state;
    static const char *const good[] = {
        "2026-11-22", "0001-01-01", "9999-12-31", "2024-02-29", "00:00:00", "23:59:59.5", "12:30:00.123456789",
        "2026-11-22T10:00:00", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.250+01:00", "2026-11-22T10:00:00-05:30",
    };
    struct date_parts p;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(date_parse(slice_of(good[i]), &p));
        assert_true(slice_is(date_text(&arena, &p), good[i]));
    }
    static const char *const bad[] = {
        "", "2026", "2026-13-01", "2026-00-01", "2025-02-29", "1900-02-29", "2026-04-31", "0000-01-01", "2026-1-01",
        "2026-11-22T", "2026-11-22 10:00:00", "24:00:00", "10:60:00", "10:00:60", "10:00", "10:00:00.",
        "10:00:00.1234567890",
        "10:00:00Z", "2026-11-22T10:00:00+1:00", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+01:60",
        "2026-11-22Z",
        "20261122", "-026-11-22", "2026-11-2x", " 2026-11-22", "2026-11-22T10:00:00z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(date_parse(slice_of(bad[i]), &p));
    assert_false(date_parse(slice_none(), &p));
    assert_true(date_parse(SLICE("2026-11-22T10:00:00+00:00"), &p));
    assert_true(slice_is(date_text(&arena, &p), "2026-11-22T10:00:00Z"));
}

static int order(const char *a, const char *b)
{
    return date_compare_text(slice_of(a), slice_of(b));
}

static void compares(void **state)
{
    (void)state;
    assert_true(order("2026-11-22", "2026-11-23") < 0);
    assert_int_equal(order("2026-11-22", "2026-11-22T00:00:00"), 0);
    assert_int_equal(order("2026-11-22", "2026-11-22T00:00:01"), -1);
    assert_int_equal(order("2026-11-22T10:00:00Z", "2026-11-22T11:00:00+01:00"), 0);
    assert_int_equal(order("2026-11-22T10:00:00+02:00", "2026-11-22T09:30:00+01:00"), -1);
    assert_int_equal(order("2026-11-22T10:00:00", "2026-11-22T10:00:00+05:00"), 0);
    assert_int_equal(order("10:00:00.5", "10:00:00.50"), 0);
    assert_int_equal(order("10:00:00.5", "10:00:00.45"), 1);
}

static const char *stamp(const struct zone *z, int64_t seconds)
{
    return zone_stamp(&arena, z, seconds).p;
}

static void zones(void **state)
{
    (void)state;
    const struct zone *oslo = zone_load(&arena, "Europe/Oslo"), *utc = zone_load(&arena, "Etc/UTC");
    const struct zone *york = zone_load(&arena, "America/New_York"), *sydney = zone_load(&arena, "Australia/Sydney");
    assert_true(oslo && utc && york && sydney);
    assert_string_equal(stamp(oslo, 1795338000), "2026-11-22T10:00:00+01:00");
    assert_string_equal(stamp(utc, 1795338000), "2026-11-22T09:00:00Z");
    assert_string_equal(stamp(york, 1795338000), "2026-11-22T04:00:00-05:00");
    assert_string_equal(stamp(sydney, 1795338000), "2026-11-22T20:00:00+11:00");
    assert_int_equal(zone_offset(oslo, 1774745999), 60);        /* 2026-03-29 01:00 UTC */
    assert_int_equal(zone_offset(oslo, 1774746000), 120);
    assert_int_equal(zone_offset(oslo, date_days(2090, 7, 1) * 86400), 120);   /* by the rule of the footer */
    assert_int_equal(zone_offset(sydney, date_days(2090, 7, 1) * 86400), 600);
    assert_int_equal(zone_offset(sydney, date_days(2090, 1, 1) * 86400), 660);
    assert_int_equal(zone_offset(york, date_days(1800, 1, 1) * 86400), -297);  /* local mean time -4:56:02 */
    static const char *const unknown[] = { "", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "Europe",
        "tzdata.zi", "zone.tab" };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_null(zone_load(&arena, unknown[i]));
}

static int to_utc(const struct zone *z, const char *local, int64_t *out)
{
    struct date_parts p;
    assert_true(date_parse(slice_of(local), &p));
    return zone_to_utc(z, &p, out);
}

static void local_times(void **state)
{
    (void)state;
    const struct zone *oslo = zone_load(&arena, "Europe/Oslo");
    int64_t t;
    assert_int_equal(to_utc(oslo, "2026-11-22T10:00:00", &t), 1);
    assert_int_equal(t, 1795338000);
    assert_int_equal(to_utc(oslo, "2026-07-22T10:00:00", &t), 1);
    assert_int_equal(zone_offset(oslo, t), 120);
    assert_int_equal(to_utc(oslo, "2026-03-29T02:30:00", &t), 0);
    assert_int_equal(t, 1774746000 + 1800);
    assert_int_equal(to_utc(oslo, "2026-03-29T01:59:59", &t), 1);
    assert_int_equal(to_utc(oslo, "2026-03-29T03:00:00", &t), 1);
    assert_int_equal(t, 1774746000);
    assert_int_equal(to_utc(oslo, "2026-10-25T02:30:00", &t), 2);
    assert_string_equal(stamp(oslo, t), "2026-10-25T02:30:00+02:00");
    assert_int_equal(to_utc(oslo, "2026-10-25T03:00:00", &t), 1);
    assert_int_equal(to_utc(oslo, "2026-10-25T02:30:00+01:00", &t), 1);
    assert_string_equal(stamp(oslo, t), "2026-10-25T02:30:00+01:00");
}

static void clocks(void **state)
{
    (void)state;
    struct clock c;
    clock_init(&c, "2026-01-02T03:04:05Z");
    assert_true(c.fixed);
    assert_int_equal(clock_now(&c), 1767323045);
    clock_init(&c, NULL);
    assert_false(c.fixed);
    assert_true(clock_now(&c) > 1700000000);
    clock_init(&c, "tomorrow");
    assert_false(c.fixed);
    int64_t now = clock_monotonic_ms();
    assert_true(clock_monotonic_ms() >= now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, base_begin, base_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(days), TEST(texts), TEST(compares), TEST(zones), TEST(local_times), TEST(clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
