#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/type.h"

struct fixture {
    struct arena arena;
    struct problems problems;
    struct buf out;
    struct fault fault;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){ 0 };
    arena_init(&f.arena, 0);
    problems_init(&f.problems, &f.arena, 0);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    buf_release(&f->out);
    arena_release(&f->arena);
    return 0;
}

/* The field that `F declaration` makes; NULL when the format is refused. */
static struct field *make(struct fixture *f, const char *declaration)
{
    struct conf *conf;
    struct format *format;
    struct slice text = arena_printf(&f->arena, "syntax csv\nmessage M {\n    F %s\n}\n", declaration);
    assert_int_equal(conf_parse(&f->arena, "t.format", text, &conf, &f->problems), OK);
    if (format_compile(&f->arena, NULL, SLICE("t"), conf, &format, &f->problems) != OK)
        return NULL;
    return format->messages[0]->fields[0];
}

/* Canonical text, "(nothing)", "(unfit)" or the code of the fault. */
static const char *reads_slice(struct fixture *f, const char *declaration, struct slice raw)
{
    struct value v = { 0 };
    struct field *field = make(f, declaration);
    assert_non_null(field);
    f->fault = (struct fault){ 0 };
    if (type_read(field, raw, &f->arena, &v, &f->fault) != OK) {
        assert_non_null(f->fault.code);
        assert_true(f->fault.text.n > 0);
        return f->fault.code;
    }
    if (v.form & VALUE_LAX) {
        assert_int_equal(v.state, VALUE_EMPTY);
        assert_true(slice_equal((struct slice){ v.p, v.n }, raw));
        return "(unfit)";
    }
    if (v.state == VALUE_EMPTY)
        return "(nothing)";
    assert_int_equal(v.state, VALUE_PRESENT);
    return arena_cstr(&f->arena, value_text(&v));
}

static const char *reads(struct fixture *f, const char *declaration, const char *raw)
{
    return reads_slice(f, declaration, slice_of(raw));
}

static const char *writes_value(struct fixture *f, const char *declaration, const struct value *v)
{
    struct field *field = make(f, declaration);
    assert_non_null(field);
    f->out.n = 0;
    buf_text(&f->out, "<");
    f->fault = (struct fault){ 0 };
    if (type_write(field, v, &f->out, &f->arena, &f->fault) != OK) {
        assert_int_equal(f->out.n, 1);              /* nothing is left behind */
        assert_non_null(f->fault.code);
        return f->fault.code;
    }
    return arena_cstr(&f->arena, slice_range(f->out.p + 1, f->out.p + f->out.n));
}

static const char *writes(struct fixture *f, const char *declaration, const char *canonical)
{
    struct value v = { .p = canonical, .n = (uint32_t)strlen(canonical), .state = VALUE_PRESENT };
    return writes_value(f, declaration, &v);
}

static void text_is_itself(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "text", "abc"), "abc");
    assert_string_equal(reads(f, "text", "  a b "), "  a b ");
    assert_string_equal(reads(f, "text", " "), " ");
    assert_string_equal(reads(f, "text", ""), "(nothing)");
    assert_string_equal(writes(f, "text", "ü\"\n;"), "ü\"\n;");
    assert_true(make(f, "text")->flags & FIELD_PLAIN);
    assert_true(make(f, "text required")->flags & FIELD_PLAIN);
    assert_false(make(f, "text trim")->flags & FIELD_PLAIN);
    assert_false(make(f, "text max 5")->flags & FIELD_PLAIN);
    assert_false(make(f, "text code (A)")->flags & FIELD_PLAIN);
    assert_false(make(f, "text nothing blank")->flags & FIELD_PLAIN);
    assert_false(make(f, "integer")->flags & FIELD_PLAIN);
}

static void text_keeps_to_its_limits(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "text max 3", "äöü"), "äöü");
    assert_string_equal(reads(f, "text max 3", "abcd"), "TEXT_LONG");
    assert_string_equal(reads(f, "text min 2", "a"), "TEXT_SHORT");
    assert_string_equal(reads(f, "text size 2", "abc"), "TEXT_SIZE");
    assert_string_equal(reads(f, "text size 2", "äö"), "äö");
    assert_string_equal(writes(f, "text max 3", "äöüß"), "TEXT_LONG");
    assert_string_equal(writes(f, "text size 6 pad left \"0\"", "12"), "000012");
    assert_string_equal(writes(f, "text size 4 pad right \"·\"", "ä"), "ä···");
    assert_string_equal(writes(f, "text size 2 pad right \" \"", "abc"), "TEXT_SIZE");
    assert_string_equal(reads(f, "text size 6 pad left \"0\"", "000012"), "000012");
    assert_string_equal(reads(f, "text trim", " \t a b \r\n"), "a b");
    assert_string_equal(reads(f, "text trim", "  "), "(nothing)");
}

static void text_matches_its_pattern(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "text pattern \"99-999\"", "12-345"), "12-345");
    assert_string_equal(reads(f, "text pattern \"99-999\"", "12345"), "TEXT_PATTERN");
    assert_string_equal(reads(f, "text pattern \"AA9{3}\"", "NO123"), "NO123");
    assert_string_equal(reads(f, "text pattern \"A{2,4}9{1,14}\"", "ÄÖ7"), "ÄÖ7");
    assert_string_equal(reads(f, "text pattern \"A{2,4}9{1,14}\"", "A7"), "TEXT_PATTERN");
    assert_string_equal(reads(f, "text pattern \"X{1,3}9\"", "129"), "129");
    assert_string_equal(reads(f, "text pattern \"X{0,3}9\"", "9"), "9");
    assert_string_equal(reads(f, "text pattern \"X{0,3}9\"", "12a"), "TEXT_PATTERN");
    assert_string_equal(reads(f, "text pattern \"9{1,14}\"", "٣"), "TEXT_PATTERN");
    assert_string_equal(writes(f, "text pattern \"9{2}\"", "1"), "TEXT_PATTERN");
    assert_null(make(f, "text pattern \"9{3\""));
    assert_null(make(f, "text pattern \"9{4,2}\""));
    assert_null(make(f, "text pattern \"9{9999}\""));
    assert_null(make(f, "text pattern \"\""));
}

static void nothing_has_many_faces(void **state)
{
    struct fixture *f = *state;
    struct value none = { .state = VALUE_ABSENT };
    assert_string_equal(reads(f, "text nothing blank", " \t\n"), "(nothing)");
    assert_string_equal(reads(f, "text nothing blank", " a"), " a");
    assert_string_equal(reads(f, "text nothing (blank, \"-\", N)", "-"), "(nothing)");
    assert_string_equal(reads(f, "text nothing (blank, \"-\", N)", "N"), "(nothing)");
    assert_string_equal(reads(f, "text nothing (blank, \"-\", N)", " "), "(nothing)");
    assert_string_equal(reads(f, "text nothing (blank, \"-\", N)", "--"), "--");
    assert_string_equal(reads(f, "text nothing \"blank\"", "blank"), "(nothing)");
    assert_string_equal(reads(f, "integer nothing \"-2147483648\"", "-2147483648"), "(nothing)");
    assert_string_equal(reads(f, "integer nothing -1", "-1"), "(nothing)");
    assert_string_equal(reads(f, "decimal nothing \"-1.7976931348623157E+308\"", "-1.7976931348623157E+308"), "(nothing)");
    assert_string_equal(reads(f, "decimal nothing \"0\"", "0.00"), "(nothing)");
    assert_string_equal(reads(f, "decimal nothing \"0\"", "-0,0"), "NUM_BAD");
    assert_string_equal(reads(f, "decimal nothing \"0\"", "0.01"), "0.01");
    assert_string_equal(reads(f, "datetime nothing \"0001-01-01T00:00:00\"", "0001-01-01T00:00:00"), "(nothing)");
    assert_string_equal(reads(f, "date pattern \"dd.MM.yyyy\" nothing \"00.00.0000\"", "00.00.0000"), "(nothing)");
    assert_string_equal(writes_value(f, "text", &none), "");
    assert_string_equal(writes_value(f, "text nothing \"-\"", &none), "");
    assert_string_equal(writes_value(f, "text always nothing (\"-\", \"?\")", &none), "-");
    assert_string_equal(writes_value(f, "text always", &none), "");
}

static void integers(void **state)
{
    static const struct { const char *declaration, *raw, *want; } cases[] = {
        { "integer", "12", "12" }, { "integer", "0", "0" }, { "integer", "-12", "-12" }, { "integer", "+5", "5" },
        { "integer", "007", "7" }, { "integer", "-0", "0" }, { "integer", "-007", "-7" }, { "integer", "00", "0" },
        { "integer", "--5", "NUM_BAD" }, { "integer", "5-", "NUM_BAD" }, { "integer", "1e3", "NUM_BAD" }, { "integer", "٣", "NUM_BAD" },
        { "integer", "12.0", "NUM_BAD" }, { "integer", "12O", "NUM_BAD" }, { "integer", " 12", "NUM_BAD" }, { "integer", "-", "NUM_BAD" },
        { "integer", "+", "NUM_BAD" }, { "integer", " ", "NUM_BAD" }, { "integer", "", "(nothing)" }, { "integer trim", " 12 ", "12" },
        { "integer", "1 2", "NUM_BAD" }, { "integer", "0x10", "NUM_BAD" }, { "integer", "−5", "NUM_BAD" },
        { "integer", "123456789012345678901234567890123456789012345678901234567890",
          "123456789012345678901234567890123456789012345678901234567890" },
        { "integer grouping \",\"", "1,234,567", "1234567" }, { "integer grouping \",\"", "1,23,456", "NUM_BAD" },
        { "integer grouping \",\"", "1,2345", "NUM_BAD" }, { "integer grouping \",\"", ",123", "NUM_BAD" },
        { "integer grouping \",\"", "1234,567", "NUM_BAD" }, { "integer grouping \",\"", "123,", "NUM_BAD" },
        { "integer max 3", "999", "999" }, { "integer max 3", "1000", "NUM_LONG" }, { "integer max 3", "-999", "-999" },
        { "integer max 3", "0999", "NUM_LONG" }, { "integer min 2", "7", "NUM_SHORT" }, { "integer size 2", "7", "NUM_SIZE" },
        { "integer size 6 pad left \"0\"", "000123", "123" }, { "integer size 6 pad left \"0\"", "000000", "0" },
        { "integer size 6 pad left \" \"", "   123", "123" }, { "integer size 6 pad left \" \"", "      ", "(nothing)" },
        { "integer size 6 pad right \" \"", "123   ", "123" }, { "integer sign trailing", "12-", "-12" },
        { "integer sign trailing", "12+", "12" }, { "integer sign trailing", "-12", "NUM_BAD" }, { "integer sign none", "-1", "NUM_BAD" },
        { "integer sign none", "1", "1" }, { "integer sign overpunch", "12}", "-120" }, { "integer sign overpunch", "12{", "120" },
        { "integer sign overpunch", "1B", "12" }, { "integer sign overpunch", "1K", "-12" }, { "integer sign overpunch", "12", "12" },
        { "integer sign overpunch", "1*", "NUM_BAD" }, { "integer lax", "12O", "(unfit)" }, { "integer lax max 1", "12", "(unfit)" },
        { "integer code (1, 2)", "01", "1" }, { "integer code (\"01\", 2)", "1", "1" }, { "integer code (1, 2)", "3", "CODE_UNKNOWN" },
        { "integer letters", "A", "1" }, { "integer letters", "Z", "26" }, { "integer letters", "AA", "27" },
        { "integer letters", "ZZ", "702" }, { "integer letters", "", "(nothing)" }, { "integer letters", "a", "NUM_BAD" },
        { "integer letters", "12", "NUM_BAD" }, { "integer letters", "ABCDEFGHIJKLM", "NUM_BAD" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = reads(*state, cases[i].declaration, cases[i].raw);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s reads \"%s\" as %s, not %s", cases[i].declaration, cases[i].raw, got, cases[i].want);
    }
}

static void decimals(void **state)
{
    static const struct { const char *declaration, *raw, *want; } cases[] = {
        { "decimal", "12", "12" }, { "decimal", "12.50", "12.50" }, { "decimal", "-0.5", "-0.5" }, { "decimal", ".5", "0.5" },
        { "decimal", "5.", "5" }, { "decimal", ".", "NUM_BAD" }, { "decimal", "-.5", "-0.5" }, { "decimal", "+1.0", "1.0" },
        { "decimal", "00.10", "0.10" }, { "decimal", "-0", "0" }, { "decimal", "-0.00", "0.00" }, { "decimal", "12,5", "NUM_BAD" },
        { "decimal", "12,5x", "NUM_BAD" }, { "decimal", "1.2.3", "NUM_BAD" }, { "decimal", "1e3", "NUM_BAD" }, { "decimal", "NaN", "NUM_BAD" },
        { "decimal", "INF", "NUM_BAD" }, { "decimal", "1,234.5", "NUM_BAD" }, { "decimal", "12.", "12" }, { "decimal", "12.x", "NUM_BAD" },
        { "decimal grouping \",\"", "1,234.5", "1234.5" }, { "decimal grouping \",\"", "1,234,567.89", "1234567.89" },
        { "decimal grouping \",\"", "12,5", "NUM_BAD" }, { "decimal grouping \",\"", "1.234,5", "NUM_BAD" },
        { "decimal mark \",\"", "12,5", "12.5" }, { "decimal mark \",\"", "12.5", "NUM_BAD" }, { "decimal mark \",.\"", "12.5", "12.5" },
        { "decimal mark \",.\"", "12,5", "12.5" }, { "decimal mark \",.\"", "1.234,5", "NUM_BAD" },
        { "decimal mark \",\" grouping \".\"", "1.234.567,89", "1234567.89" }, { "decimal mark \",\" grouping \".\"", "12.34", "NUM_BAD" },
        { "decimal mark \",\" grouping \".\"", "1.234", "1234" }, { "decimal mark \",\" grouping \".\"", "12", "12" },
        { "decimal mark \",\" grouping \" \u00a0\"", "1\u00a0234 567,5", "1234567.5" },
        { "decimal mark \"٫\"", "3٫5", "3.5" }, { "decimal implied 2", "1234", "12.34" }, { "decimal implied 2", "5", "0.05" },
        { "decimal implied 2", "-5", "-0.05" }, { "decimal implied 2", "0", "0.00" }, { "decimal implied 2", "12.34", "NUM_BAD" },
        { "decimal implied 2 sign trailing", "1234-", "-12.34" }, { "decimal scale 2", "1.2345", "1.2345" },
        { "decimal max 15", "12345678901234.5", "12345678901234.5" }, { "decimal max 15", "-123456789012345.6", "NUM_LONG" },
        { "decimal", "0.123456789012345678901234567890123456789012345678901234567890",
          "0.123456789012345678901234567890123456789012345678901234567890" },
        { "decimal lax", "x", "(unfit)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = reads(*state, cases[i].declaration, cases[i].raw);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s reads \"%s\" as %s, not %s", cases[i].declaration, cases[i].raw, got, cases[i].want);
    }
}

static void numbers_are_written(void **state)
{
    static const struct { const char *declaration, *canonical, *want; } cases[] = {
        { "integer", "12", "12" }, { "integer", "-12", "-12" }, { "integer", "12.00", "12" }, { "integer", "12.5", "NUM_SCALE" },
        { "integer", "abc", "NUM_BAD" }, { "integer", "", "NUM_BAD" }, { "integer letters", "27", "AA" }, { "integer letters", "0", "" },
        { "integer letters", "702", "ZZ" }, { "integer letters", "-1", "NUM_SIGN" }, { "integer max 3", "1000", "NUM_LONG" },
        { "integer size 6 pad left \"0\"", "123", "000123" }, { "integer size 6 pad left \"0\"", "-123", "-00123" },
        { "integer size 6 pad left \" \"", "-123", "  -123" }, { "integer size 6 pad right \" \"", "123", "123   " },
        { "integer size 3 pad left \"0\"", "1234", "NUM_LONG" }, { "integer size 3 pad left \"0\"", "-123", "NUM_LONG" },
        { "integer sign trailing", "-12", "12-" }, { "integer sign none", "-12", "NUM_SIGN" }, { "integer sign overpunch", "-120", "12}" },
        { "integer sign overpunch", "12", "1B" }, { "integer grouping \".\"", "1234567", "1234567" },
        { "decimal", "12.50", "12.50" }, { "decimal", "12", "12" }, { "decimal mark \",\"", "12.50", "12,50" },
        { "decimal mark \",.\"", "12.50", "12,50" }, { "decimal mark \".,\"", "12.50", "12.50" }, { "decimal mark \"٫\"", "-3.5", "-3٫5" },
        { "decimal scale 2", "12", "12.00" }, { "decimal scale 2", "12.5", "12.50" }, { "decimal scale 2", "12.500", "12.50" },
        { "decimal scale 2", "12.345", "NUM_SCALE" }, { "decimal scale 2", "-0.001", "NUM_SCALE" }, { "decimal scale 0..4", "12.500", "12.5" },
        { "decimal scale 0..4", "12.00", "12" }, { "decimal scale 2..4", "12.50000", "12.50" }, { "decimal scale 2..4", "12.12345", "NUM_SCALE" },
        { "decimal scale 2..*", "12.1234567", "12.1234567" }, { "decimal scale 2..*", "12", "12.00" }, { "decimal scale 0", "12.0", "12" },
        { "decimal implied 2", "12.34", "1234" }, { "decimal implied 2", "0.05", "5" }, { "decimal implied 2", "-0.05", "-5" },
        { "decimal implied 2", "0", "0" }, { "decimal implied 2", "12", "1200" }, { "decimal implied 2", "12.345", "NUM_SCALE" },
        { "decimal implied 2 size 8 pad left \"0\"", "-12.5", "-0001250" }, { "decimal max 4", "123.45", "NUM_LONG" },
        { "decimal max 5", "123.45", "123.45" },
        { "decimal scale 2", "123456789012345678901234567890123456789012345678901234567890", "123456789012345678901234567890123456789012345678901234567890.00" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = writes(*state, cases[i].declaration, cases[i].canonical);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s writes %s as %s, not %s", cases[i].declaration, cases[i].canonical, got, cases[i].want);
    }
}

/* The usual spellings are looked at eight bytes at a time: each byte at each place, against the calendar. */
static void every_byte_of_a_date(void **state)
{
    static const char shape[] = "2024-12-28T11:12:13";
    struct fixture *f = *state;
    const struct field *fields[2] = { make(f, "date"), make(f, "datetime") };
    for (size_t which = 0; which < 2; which++)
        for (size_t n = which ? 19 : 10, at = 0; at < n; at++)
            for (int c = 1; c < 256; c++) {
                char text[20] = "";
                memcpy(text, shape, n);
                text[at] = (char)c;
                int month = atoi(text + 5), day = atoi(text + 8);
                bool good = c == shape[at] || (isdigit(c) && isdigit((unsigned char)shape[at]));
                good = good && month >= 1 && month <= 12 && day >= 1 && day <= 31 && (day < 30 || month != 2)
                    && (day < 31 || (month != 4 && month != 6 && month != 9 && month != 11)) && atoi(text) > 0;
                good = good && (n == 10 || (atoi(text + 11) < 24 && atoi(text + 14) < 60 && atoi(text + 17) < 60));
                struct value v = { 0 };
                int rc = type_read(fields[which], (struct slice){ text, n }, &f->arena, &v, &f->fault);
                assert_int_equal(rc, good ? OK : SKIP);
            }
}

static void dates(void **state)
{
    static const struct { const char *declaration, *raw, *want; } cases[] = {
        { "date", "2024-02-29", "2024-02-29" }, { "date", "2023-02-29", "DATE_BAD" }, { "date", "1900-02-29", "DATE_BAD" },
        { "date", "2000-02-29", "2000-02-29" }, { "date", "2024-13-01", "DATE_BAD" }, { "date", "2024-00-10", "DATE_BAD" },
        { "date", "2024-04-31", "DATE_BAD" }, { "date", "2024-1-1", "DATE_BAD" }, { "date", "2024-01-01T00:00:00", "DATE_BAD" },
        { "date", "24-01-01", "DATE_BAD" }, { "date", "0000-01-01", "DATE_BAD" }, { "date", "x", "DATE_BAD" }, { "date", "", "(nothing)" },
        { "date", "٢٠٢٤-01-01", "DATE_BAD" }, { "date", "2024-01-01 ", "DATE_BAD" }, { "date trim", "2024-01-01 ", "2024-01-01" },
        { "date pattern \"dd.MM.yyyy\"", "29.02.2024", "2024-02-29" }, { "date pattern \"dd.MM.yyyy\"", "29.02.2023", "DATE_BAD" },
        { "date pattern \"dd.MM.yyyy\"", "2024-02-29", "DATE_BAD" }, { "date pattern \"dd.MM.yyyy\"", "1.2.2024", "DATE_BAD" },
        { "date pattern \"M/d/yyyy\"", "2/9/2024", "2024-02-09" }, { "date pattern \"M/d/yyyy\"", "12/31/2024", "2024-12-31" },
        { "date pattern \"M/d/yyyy\"", "02/09/2024", "2024-02-09" }, { "date pattern \"M/d/yyyy\"", "123/1/2024", "DATE_BAD" },
        { "date pattern \"yyyyMMdd\"", "20240229", "2024-02-29" }, { "date pattern \"yyMMdd\"", "690101", "1969-01-01" },
        { "date pattern \"yyMMdd\"", "681231", "2068-12-31" }, { "date lax", "31.12.2024", "(unfit)" },
        { "time", "23:59:59", "23:59:59" }, { "time", "24:00:00", "DATE_BAD" }, { "time", "23:60:00", "DATE_BAD" },
        { "time", "12:00", "DATE_BAD" }, { "time", "12:00:00.123", "12:00:00.123" }, { "time pattern \"HH:mm\"", "24:00", "DATE_BAD" },
        { "time pattern \"HHmm\"", "0905", "09:05:00" }, { "time pattern \"HHmm\"", "905", "DATE_BAD" }, { "time pattern \"H:mm\"", "9:05", "09:05:00" },
        { "datetime", "2024-01-31T10:20:30", "2024-01-31T10:20:30" }, { "datetime", "2024-01-31T10:20:30Z", "2024-01-31T10:20:30Z" },
        { "datetime", "2024-01-31T10:20:30.5+01:00", "2024-01-31T10:20:30.5+01:00" }, { "datetime", "2024-01-31 10:20:30", "DATE_BAD" },
        { "datetime", "2024-01-31", "DATE_BAD" }, { "datetime", "2024-02-30T10:20:30", "DATE_BAD" }, { "datetime", "2024-01-31T25:20:30", "DATE_BAD" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss\"", "2024-01-31T10:20:30", "2024-01-31T10:20:30" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss\"", "2024-01-31T10:20:30Z", "DATE_BAD" },
        { "datetime pattern \"M/d/yyyy H:mm:ss\"", "1/2/2024 3:04:05", "2024-01-02T03:04:05" },
        { "datetime pattern \"yyyyMMdd\"", "20240131", "2024-01-31T00:00:00" },
        { "datetime pattern \"yyyyMMddHHmmssSSS\"", "20240131102030123", "2024-01-31T10:20:30.123" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssXXX\"", "2024-01-31T10:20:30+05:30", "2024-01-31T10:20:30+05:30" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssXXX\"", "2024-01-31T10:20:30Z", "2024-01-31T10:20:30Z" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssXX\"", "2024-01-31T10:20:30-0100", "2024-01-31T10:20:30-01:00" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssXXX\"", "2024-01-31T10:20:30-0100", "DATE_BAD" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssZ\"", "2024-01-31T10:20:30Z", "2024-01-31T10:20:30Z" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = reads(*state, cases[i].declaration, cases[i].raw);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s reads \"%s\" as %s, not %s", cases[i].declaration, cases[i].raw, got, cases[i].want);
    }
}

static void dates_are_written(void **state)
{
    static const struct { const char *declaration, *canonical, *want; } cases[] = {
        { "date", "2024-02-09", "2024-02-09" }, { "date pattern \"dd.MM.yyyy\"", "2024-02-09", "09.02.2024" },
        { "date pattern \"M/d/yyyy\"", "2024-02-09", "2/9/2024" }, { "date pattern \"yyMMdd\"", "1968-01-01", "DATE_RANGE" },
        { "date pattern \"yyMMdd\"", "2001-02-03", "010203" }, { "date pattern \"dd/MM/yyyy\"", "x", "DATE_BAD" },
        { "time pattern \"HHmm\"", "09:05:07", "0905" }, { "datetime pattern \"M/d/yyyy H:mm:ss\"", "2024-01-02T03:04:05", "1/2/2024 3:04:05" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss\"", "2024-01-02T03:04:05.678+01:00", "2024-01-02T03:04:05" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss.SSS\"", "2024-01-02T03:04:05", "2024-01-02T03:04:05.000" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss.SSS\"", "2024-01-02T03:04:05.5", "2024-01-02T03:04:05.500" },
        { "datetime pattern \"yyyy-MM-ddTHH:mmXXX\"", "2024-01-02T03:04:05-02:30", "2024-01-02T03:04-02:30" },
        { "datetime pattern \"yyyy-MM-ddTHH:mmXXX\"", "2024-01-02T03:04:05", "DATE_PART" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ssZ\"", "2024-01-01T00:30:00+01:00", "2023-12-31T23:30:00Z" },
        { "datetime", "2024-01-02T03:04:05.678+01:00", "2024-01-02T03:04:05.678+01:00" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = writes(*state, cases[i].declaration, cases[i].canonical);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s writes %s as %s, not %s", cases[i].declaration, cases[i].canonical, got, cases[i].want);
    }
}

static void booleans(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "boolean", "true"), "true");
    assert_string_equal(reads(f, "boolean", "0"), "false");
    assert_string_equal(reads(f, "boolean", "True"), "BOOLEAN_BAD");
    assert_string_equal(reads(f, "boolean true \"Y\" false \"N\"", "Y"), "true");
    assert_string_equal(reads(f, "boolean true \"Y\" false \"N\"", "N"), "false");
    assert_string_equal(reads(f, "boolean true \"Y\" false \"N\"", "true"), "BOOLEAN_BAD");
    assert_string_equal(reads(f, "boolean true X", "X"), "true");
    assert_string_equal(reads(f, "boolean true X", ""), "(nothing)");
    assert_string_equal(writes(f, "boolean", "false"), "false");
    assert_string_equal(writes(f, "boolean true \"S\" false \"N\"", "true"), "S");
    assert_string_equal(writes(f, "boolean true \"S\" false \"N\"", "false"), "N");
    assert_string_equal(writes(f, "boolean true X", "false"), "");
    assert_null(make(f, "boolean false \"N\""));
    assert_null(make(f, "boolean true \"N\" false \"N\""));
}

static void binaries(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "binary", "aGVsbG8="), "hello");
    assert_string_equal(reads(f, "binary", "aGVs\r\nbG8="), "hello");
    assert_string_equal(reads(f, "binary", "aGVsbG8"), "BINARY_BAD");
    assert_string_equal(reads(f, "binary", "aGVsbG9="), "BINARY_BAD");
    assert_string_equal(reads(f, "binary", "aGVsbG8=="), "BINARY_BAD");
    assert_string_equal(reads(f, "binary", "a=VsbG8="), "BINARY_BAD");
    assert_string_equal(reads(f, "binary", "aGVs*G8="), "BINARY_BAD");
    assert_string_equal(reads(f, "binary prefix \"data:\"", "data:aGVsbG8h"), "hello!");
    assert_string_equal(reads(f, "binary prefix \"data:\"", "aGVsbG8h"), "BINARY_BAD");
    assert_string_equal(writes(f, "binary prefix \"data:\"", "hello"), "data:aGVsbG8=");
    assert_string_equal(writes(f, "binary", "hello!"), "aGVsbG8h");
    assert_string_equal(writes(f, "binary", "hell"), "aGVsbA==");
}

static void codes(void **state)
{
    struct fixture *f = *state;
    struct buf many = { 0 };
    assert_string_equal(reads(f, "text code (D, C)", "C"), "C");
    assert_string_equal(reads(f, "text code (D, C)", "c"), "CODE_UNKNOWN");
    assert_string_equal(reads(f, "text code (D, C)", ""), "(nothing)");
    assert_string_equal(writes(f, "text code (D, C)", "X"), "CODE_UNKNOWN");
    assert_string_equal(reads(f, "text code (completed, open)", "compleded"), "CODE_UNKNOWN");
    assert_non_null(strstr(f->fault.hint.p, "completed"));
    buf_text(&many, "text code (");
    for (int i = 0; i < 100; i++)
        buf_printf(&many, "%sC%d", i ? ", " : "", i);
    buf_text(&many, ")");
    const char *declaration = arena_cstr(&f->arena, buf_slice(&many));
    buf_release(&many);
    assert_non_null(make(f, declaration)->code_map);
    assert_string_equal(reads(f, declaration, "C99"), "C99");
    assert_string_equal(reads(f, declaration, "C100"), "CODE_UNKNOWN");
}

static void unfit_values_travel(void **state)
{
    struct fixture *f = *state;
    struct value v = { .p = "12O", .n = 3, .state = VALUE_EMPTY, .form = VALUE_LAX };
    assert_string_equal(writes_value(f, "decimal lax", &v), "12O");
    assert_string_equal(writes_value(f, "text", &v), "12O");
    assert_string_equal(writes_value(f, "decimal", &v), "NUM_BAD");
    assert_string_equal(writes_value(f, "text max 2", &v), "TEXT_LONG");
}

static void faults_name_the_format(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads(f, "decimal mark \",\"", "12,5x"), "NUM_BAD");
    assert_string_equal(f->fault.hint.p, "expected a number like 12,50 (t.format:3)");
    assert_true(slice_is(f->fault.text, "is not a decimal"));
    assert_string_equal(reads(f, "date pattern \"dd.MM.yyyy\"", "x"), "DATE_BAD");
    assert_non_null(strstr(f->fault.hint.p, "dd.MM.yyyy"));
    assert_string_equal(writes(f, "decimal scale 2", "1.234"), "NUM_SCALE");
    assert_non_null(strstr(f->fault.hint.p, "round(x, 2)"));
}

static void the_usual_spellings_are_not_copied(void **state)
{
    static const struct { const char *declaration, *raw; } cases[] = {
        { "text", "abc" }, { "text nothing blank", "abc" }, { "text max 10", "abc" }, { "integer", "12" }, { "decimal", "12.50" },
        { "decimal mark \".,\"", "12.50" }, { "date", "2024-02-29" }, { "date pattern \"yyyy-MM-dd\"", "2024-02-29" },
        { "datetime pattern \"yyyy-MM-ddTHH:mm:ss\"", "2024-02-29T01:02:03" }, { "integer nothing \"-1\"", "12" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value v = { 0 };
        struct field *field = make(f, cases[i].declaration);
        size_t used = f->arena.used;
        assert_int_equal(type_read(field, slice_of(cases[i].raw), &f->arena, &v, NULL), OK);
        assert_ptr_equal(v.p, cases[i].raw);
        assert_int_equal(f->arena.used, used);
    }
}

static void equal_by_type(void **state)
{
    (void)state;
    struct value a = { .p = "1.0", .n = 3, .state = VALUE_PRESENT };
    struct value b = { .p = "1.00", .n = 4, .state = VALUE_PRESENT };
    struct value none = { .state = VALUE_ABSENT }, empty = { .state = VALUE_EMPTY };
    struct value unfit = { .p = "1O", .n = 2, .state = VALUE_EMPTY, .form = VALUE_LAX };
    assert_true(type_equal(TYPE_DECIMAL, &a, &b));
    assert_false(type_equal(TYPE_TEXT, &a, &b));
    assert_true(type_equal(TYPE_TEXT, &none, &empty));
    assert_false(type_equal(TYPE_DECIMAL, &a, &none));
    assert_false(type_equal(TYPE_DECIMAL, &unfit, &none));
    assert_true(type_equal(TYPE_DECIMAL, &unfit, &unfit));
    assert_true(type_compare(TYPE_DECIMAL, SLICE("9"), SLICE("10")) < 0);
    assert_true(type_compare(TYPE_TEXT, SLICE("9"), SLICE("10")) > 0);
    assert_true(type_compare(TYPE_DATE, SLICE("2024-01-02"), SLICE("2023-12-31")) > 0);
    assert_true(type_compare(TYPE_TIME, SLICE("09:00:00"), SLICE("10:00:00")) < 0);
    assert_true(type_compare(TYPE_DATETIME, SLICE("2024-01-01T10:00:00+01:00"), SLICE("2024-01-01T09:00:00Z")) == 0);
    assert_true(type_compare(TYPE_BOOLEAN, SLICE("false"), SLICE("true")) < 0);
}

static void parse_without_a_field(void **state)
{
    struct fixture *f = *state;
    struct slice out;
    assert_int_equal(type_parse(TYPE_DECIMAL, SLICE("+007.50"), &f->arena, &out, NULL), OK);
    assert_true(slice_is(out, "7.50"));
    assert_int_equal(type_parse(TYPE_INTEGER, SLICE("x"), &f->arena, &out, &f->fault), SKIP);
    assert_string_equal(f->fault.code, "NUM_BAD");
    assert_int_equal(type_parse(TYPE_DATE, SLICE(""), &f->arena, &out, &f->fault), SKIP);
    assert_int_equal(type_parse(TYPE_BOOLEAN, SLICE("true"), &f->arena, &out, &f->fault), OK);
    assert_int_equal(type_parse(TYPE_TEXT, SLICE(""), &f->arena, &out, &f->fault), OK);
}

static void bytes_of_any_kind_are_taken(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(reads_slice(f, "integer", SLICE("1\0" "2")), "NUM_BAD");
    assert_string_equal(reads_slice(f, "date", SLICE("2024\0-01-01")), "DATE_BAD");
    assert_string_equal(reads_slice(f, "text pattern \"X{1,4}\"", SLICE("\xff\xfe")), "\xff\xfe");
    assert_string_equal(reads_slice(f, "text pattern \"XX\"", SLICE("a\xe2")), "a\xe2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

/* LANGUAGE.md section 2: digits, no leading zeros but one before the point; what is short has no sign. */
static bool plain_number(const char *p, size_t n, bool decimal)
{
    size_t whole = 0, behind = 0;
    while (whole < n && p[whole] >= '0' && p[whole] <= '9')
        whole++;
    if (whole == 0 || whole > 8 || (p[0] == '0' && whole > 1))
        return false;
    if (whole == n)
        return true;
    while (whole + 1 + behind < n && p[whole + 1 + behind] >= '0' && p[whole + 1 + behind] <= '9')
        behind++;
    return decimal && p[whole] == '.' && behind > 0 && whole + 1 + behind == n && n <= 8;
}

/* All texts of up to five of these bytes, and each byte at each place; at the end of their memory, for the sanitizer. */
static void short_numbers(void **state)
{
    static const char bytes[] = "0195.-/:x";
    (void)state;
    for (size_t n = 0; n <= 10; n++) {
        char *p = malloc(n ? n : 1);
        size_t all = 1, some = n < 5 ? n : 5;
        for (size_t i = 0; i < some; i++)
            all *= sizeof bytes - 1;
        for (size_t k = 0, left = 0; k < all; left = ++k) {
            memset(p, '7', n);
            for (size_t i = 0; i < some; i++, left /= sizeof bytes - 1)
                p[i * n / some] = bytes[left % (sizeof bytes - 1)];
            for (int decimal = 0; decimal < 2; decimal++)
                assert_int_equal(number_is_short((struct slice){ p, n }, decimal), plain_number(p, n, decimal));
        }
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                memset(p, '7', n);
                p[at] = (char)c;
                assert_int_equal(number_is_short((struct slice){ p, n }, true), plain_number(p, n, true));
            }
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_is_itself), TEST(text_keeps_to_its_limits), TEST(text_matches_its_pattern), TEST(nothing_has_many_faces),
        TEST(integers), TEST(decimals), TEST(numbers_are_written), TEST(dates), TEST(every_byte_of_a_date),
        TEST(dates_are_written), TEST(booleans), TEST(binaries),
        TEST(codes), TEST(unfit_values_travel), TEST(faults_name_the_format), TEST(the_usual_spellings_are_not_copied),
        TEST(equal_by_type), TEST(parse_without_a_field), TEST(bytes_of_any_kind_are_taken),
        cmocka_unit_test(short_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
