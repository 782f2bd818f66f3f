#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "format/type.h"

static int open_arena(void **state)
{
    static struct arena a;
    arena_init(&a, 0);
    *state = &a;
    return 0;
}

static int close_arena(void **state)
{
    arena_release(*state);
    return 0;
}

static struct pattern *compile(struct arena *a, enum type type, const char *text)
{
    struct pattern *p = NULL;
    struct fault fault = { 0 };
    size_t at;
    assert_int_equal(pattern_compile(a, type, slice_of(text), &p, &fault, &at), OK);
    assert_non_null(p);
    return p;
}

static void refused(struct arena *a, enum type type, const char *text, size_t where, const char *why, const char *hint)
{
    struct pattern *p = NULL;
    struct fault fault = { 0 };
    size_t at = 99;
    assert_int_equal(pattern_compile(a, type, slice_of(text), &p, &fault, &at), STOP);
    assert_string_equal(fault.code, "FMT_PATTERN");
    assert_string_equal(arena_cstr(a, fault.text), why);
    assert_int_equal(at, where);
    if (hint)
        assert_string_equal(arena_cstr(a, fault.hint), hint);
}

static int put(struct arena *a, enum type type, const char *pattern, struct slice date, struct buf *out,
               struct fault *fault)
{
    return pattern_write(compile(a, type, pattern), date, out, fault);
}

static void mistakes_are_told(void **state)
{
    struct arena *a = *state;
    refused(a, TYPE_DATE, "dd.mm.yyyy", 3, "has minutes where a date has months", "did you mean `MM`?");
    refused(a, TYPE_DATE, "d.m.yyyy", 2, "has minutes where a date has months", "did you mean `M`?");
    refused(a, TYPE_DATE, "yyyy-MM-dd HH", 11, "has hours, a date has none", NULL);
    refused(a, TYPE_TIME, "HH:MM", 3, "has months where a time has minutes", "did you mean `mm`?");
    refused(a, TYPE_TIME, "yyyy HH", 0, "has years, a time has none", NULL);
    refused(a, TYPE_DATETIME, "yyyy-MM-dd HH:MM", 14, "has months twice", "did you mean `mm`?");
    refused(a, TYPE_DATETIME, "yyyy-mm-dd HH:mm", 14, "has minutes twice", "did you mean `MM`?");
    refused(a, TYPE_DATE, "dd.MM.yyy", 6, "has 3 letters `y`", NULL);
    refused(a, TYPE_DATE, "dd.MMM.yyyy", 3, "has 3 letters `M`", NULL);
    refused(a, TYPE_DATE, "DD.MM.yyyy", 0, "has the letter `D`, which means nothing here", "did you mean `d`, the day?");
    refused(a, TYPE_DATE, "dd.MM.YYYY", 6, "has the letter `Y`, which means nothing here", "did you mean `y`, the year?");
    refused(a, TYPE_TIME, "hh:mm", 0, "has the letter `h`, which means nothing here", "did you mean `H`, hours of 24?");
    refused(a, TYPE_DATE, "Mdyyyy", 1, "has digits just behind a part of one or two digits", NULL);
    refused(a, TYPE_DATE, "…/…", 0, "holds no part of a date or time", NULL);
    refused(a, TYPE_DATE, "", 0, "holds no part of a date or time", NULL);
    refused(a, TYPE_DECIMAL, "99", 0, "is for text, dates and times only", NULL);
    refused(a, TYPE_TEXT, "ÄÄ9{x}", 2, "has a count in braces that makes no sense", NULL);
}

static void text_of_a_date(void **state)
{
    struct arena *a = *state;
    struct buf out = { 0 };
    assert_int_equal(put(a, TYPE_DATETIME, "yyMMdd/HHmm", SLICE("2026-11-02T09:05:07"), &out, NULL), OK);
    assert_int_equal(put(a, TYPE_DATE, " d.M.yy", SLICE("2026-11-02"), &out, NULL), OK);
    assert_int_equal(put(a, TYPE_DATETIME, " yyyy-MM-dd HH:mm", SLICE("2026-11-02"), &out, NULL), OK);
    assert_string_equal(arena_cstr(a, buf_slice(&out)), "261102/0905 2.11.26 2026-11-02 00:00");
    buf_release(&out);
}

static void what_is_lacking_is_told(void **state)
{
    struct arena *a = *state;
    struct buf out = { 0 };
    struct fault fault = { 0 };
    assert_int_equal(put(a, TYPE_DATETIME, "yyyy HH", SLICE("09:05:07"), &out, &fault), SKIP);
    assert_string_equal(fault.code, "DATE_PART");
    assert_int_equal(put(a, TYPE_DATETIME, "yyyy-MM-dd X", SLICE("2026-11-02T09:05:07"), &out, &fault), SKIP);
    assert_string_equal(fault.code, "DATE_PART");
    assert_int_equal(put(a, TYPE_DATE, "yy", SLICE("2069-01-01"), &out, &fault), SKIP);
    assert_string_equal(fault.code, "DATE_RANGE");
    assert_int_equal(put(a, TYPE_DATE, "yy", SLICE("2069-13-01"), &out, &fault), SKIP);
    assert_string_equal(fault.code, "DATE_BAD");
    assert_int_equal(out.n, 0);
    buf_release(&out);
}

static void exact_patterns(void **state)
{
    struct arena *a = *state;
    assert_true(pattern_is_exact(compile(a, TYPE_DATE, "dd.MM.yyyy"), TYPE_DATE));
    assert_true(pattern_is_exact(compile(a, TYPE_DATETIME, "dd.MM.yyyy HH:mm:ss"), TYPE_DATETIME));
    assert_false(pattern_is_exact(compile(a, TYPE_DATETIME, "dd.MM.yyyy HH:mm"), TYPE_DATETIME));
    assert_false(pattern_is_exact(compile(a, TYPE_DATE, "dd.MM.yy"), TYPE_DATE));
    assert_false(pattern_is_exact(compile(a, TYPE_DATE, "MM.yyyy"), TYPE_DATE));
    assert_true(pattern_is_exact(compile(a, TYPE_TIME, "HHmmss"), TYPE_TIME));
    assert_false(pattern_is_exact(compile(a, TYPE_TEXT, "9"), TYPE_TEXT));
}

static void all_dates_come_back(void **state)
{
    static const char *const patterns[] = { "yyyyMMdd", "dd.MM.yyyy", "M/d/yyyy", "d-M-yyyy", "yyyy/M/d" };
    struct arena *a = *state;
    struct buf out = { 0 };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const struct pattern *p = compile(a, TYPE_DATE, patterns[i]);
        for (int32_t month = 1; month <= 12; month++)
            for (int32_t day = 1; day <= 28; day++) {
                struct slice date = arena_printf(a, "%04d-%02d-%02d", 1000 + month * 700 + day, month, day), back;
                out.n = 0;
                assert_int_equal(pattern_write(p, date, &out, NULL), OK);
                assert_int_equal(pattern_read(p, TYPE_DATE, buf_slice(&out), a, &back, NULL), OK);
                assert_true(slice_equal(date, back));
            }
    }
    buf_release(&out);
}

/* Every way of splitting a run of digits is tried without the time exploding. */
static void long_patterns_stay_fast(void **state)
{
    struct arena *a = *state;
    struct conf *conf;
    struct format *f;
    struct problems ps;
    struct value v = { 0 };
    problems_init(&ps, a, 0);
    struct slice text = SLICE("syntax csv\nmessage M {\n F text pattern \"9{0,200}X{0,200}9{0,200}X{0,200}9{0,200}A\"\n}\n");
    assert_int_equal(conf_parse(a, "t.format", text, &conf, &ps), OK);
    assert_int_equal(format_compile(a, NULL, SLICE("t"), conf, &f, &ps), OK);
    char digits[901];
    memset(digits, '7', sizeof digits);
    assert_int_equal(type_read(f->messages[0]->fields[0], (struct slice){ digits, 900 }, a, &v, NULL), SKIP);
    digits[900] = 'z';
    assert_int_equal(type_read(f->messages[0]->fields[0], (struct slice){ digits, 901 }, a, &v, NULL), OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mistakes_are_told), TEST(text_of_a_date), TEST(what_is_lacking_is_told), TEST(exact_patterns),
        TEST(all_dates_come_back), TEST(long_patterns_stay_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
