#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/problem.h"

static struct arena arena;
static struct problems ps;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    problems_init(&ps, &arena, 0);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void expect(const struct problem *p, const char *text)
{
    struct buf out = { 0 };
    problem_show(&out, p);
    buf_byte(&out, '\0');
    assert_string_equal(out.p, text);
    buf_release(&out);
}

static void shows_value_and_caret(void **state)
{
    (void)state;
    problem_add(&ps, &(struct problem){
        .severity = PROBLEM_ERROR, .code = "NUM_BAD", .message = 12, .path = SLICE("Line[2]/Quantity"),
        .value = SLICE("12,5x"),
        .text = SLICE("is not a decimal"), .hint = SLICE("expected a number like 12,50 (erp.format:14)"),
        .source = SLICE("7012;2;LG-12;12,5x"),
        .place = { .file = "in/orders.csv", .offset = PLACE_NO_OFFSET, .line = 18, .column = 14, .width = 5 } });
    expect(ps.first, "in/orders.csv:18:14: error: message 12, Line[2]/Quantity: \"12,5x\" is not a decimal [NUM_BAD]\n"
                     "    7012;2;LG-12;12,5x\n"
                     "                 ^^^^^ expected a number like 12,50 (erp.format:14)\n");
}

static void shows_without_place(void **state)
{
    (void)state;
    ps.file = "x.csv";
    problem_addf(&ps, PROBLEM_WARNING, "A_CODE", PLACE_NONE, "something %d", 7);
    expect(ps.first, "x.csv: warning: something 7 [A_CODE]\n");
    ps.file = NULL;
    problem_add(&ps, &(struct problem){ .code = "B", .text = SLICE("t"), .place = PLACE_NONE,
        .hint = SLICE("do this") });
    expect(ps.last, "note: t [B]\n    do this\n");
    problem_add(&ps, &(struct problem){ .code = "EDI_MISSING", .text = SLICE("segment is missing"), .message = 1,
                                        .path = SLICE("DTM[\"2\"]"), .severity = PROBLEM_ERROR,
                                        .place = { .file = "orders.edi", .offset = PLACE_NO_OFFSET, .line = 9 } });
    expect(ps.last, "orders.edi:9: error: message 1, DTM[\"2\"]: segment is missing [EDI_MISSING]\n");
}

static void hostile_text_is_escaped(void **state)
{
    (void)state;
    problem_add(&ps, &(struct problem){
        .severity = PROBLEM_ERROR, .code = "X", .value = SLICE("\x1b[2J\nrm"), .text = SLICE("is bad"),
        .path = SLICE("a\x07"),
        .source = SLICE("\tab\x1b\xFFz"), .place = { .file = "f\n.csv", .offset = PLACE_NO_OFFSET, .line = 1,
            .column = 4, .width = 2 } });
    expect(ps.first, "f\\x0A.csv:1:4: error: a\\x07: \"\\x1B[2J\\x0Arm\" is bad [X]\n"
                     "     ab\\x1B\\xFFz\n"
                     "       ^^^^^^^^\n");
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    static char line[5000];
    memset(line, 'a', sizeof line);
    memset(line + 3000, 'X', 5);
    problem_add(&ps, &(struct problem){ .code = "X", .text = SLICE("t"), .source = { line, sizeof line },
        .place = { .file = "f", .offset = PLACE_NO_OFFSET, .line = 1, .column = 3001, .width = 5 } });
    struct buf out = { 0 };
    problem_show(&out, ps.first);
    buf_byte(&out, '\0');
    char *x = strstr(out.p, "XXXXX"), *caret = strstr(out.p, "^^^^^");
    assert_non_null(x);
    assert_non_null(caret);
    char *line2 = strchr(out.p, '\n') + 1, *line3 = strchr(line2, '\n') + 1;
    assert_int_equal(x - line2 - 2, caret - line3);     /* "…" is three bytes, one character */
    assert_true(out.n < 500);
    buf_release(&out);
    line[0] = 'X';
    problem_add(&ps, &(struct problem){ .code = "X", .text = SLICE("t"), .source = { line, sizeof line },
        .place = { .file = "f", .offset = PLACE_NO_OFFSET, .line = 1, .column = 4999, .width = 500 } });
    struct buf end = { 0 };
    problem_show(&end, ps.last);
    assert_true(end.n < 700);
    buf_release(&end);
}

/* A line of control bytes: each is shown as four characters. */
static void lines_are_cut_by_what_is_shown(void **state)
{
    (void)state;
    static const uint32_t columns[] = { 1, 2, 15, 16, 17, 40, 200, 401 };
    static char line[400];
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        uint32_t column = columns[i];
        memset(line, 0, sizeof line);
        if (column <= sizeof line)
            memset(line + column - 1, '\x01', 1);
        struct problem p = { .code = "X", .text = SLICE("t"), .source = { line, sizeof line },
            .place = { .file = "f", .offset = PLACE_NO_OFFSET, .line = 1, .column = column } };
        struct buf out = { 0 };
        problem_show(&out, &p);
        buf_byte(&out, '\0');
        char *shown = strchr(out.p, '\n') + 1, *carets = strchr(shown, '\n') + 1, *one = strstr(shown, "\\x01");
        size_t wide = slice_chars(slice_range(shown, carets - 1)), caret = strcspn(carets, "^");
        assert_true(wide > 60 && wide <= 4 + 110 + 2);
        assert_true(column > sizeof line ? caret == wide : one != NULL);
        if (one)
            assert_int_equal(caret, slice_chars(slice_range(shown, one)));
        assert_int_equal(strspn(carets + caret, "^"), one ? 4 : 1);
        buf_release(&out);
    }
}

static void long_values_are_cut(void **state)
{
    (void)state;
    static char value[100000];
    memset(value, 'v', sizeof value);
    problem_add(&ps, &(struct problem){ .code = "X", .value = { value, sizeof value }, .text = SLICE("is long"),
        .place = PLACE_NONE });
    struct buf out = { 0 };
    problem_show(&out, ps.first);
    assert_true(out.n < 100);
    assert_true(ps.first->value.n <= 1024);
    buf_release(&out);
}

static void find_line(void *owner, struct problem *p, struct arena *a)
{
    p->place.line = 3;
    p->place.column = (uint32_t)p->place.offset;
    p->source = arena_printf(a, "%s", (const char *)owner);
}

static void offsets_are_located(void **state)
{
    (void)state;
    char text[] = "some line";
    ps.locate = find_line;
    ps.locate_owner = text;
    ps.file = "d.csv";
    problem_addf(&ps, PROBLEM_ERROR, "X", (struct place){ .offset = 6, .width = 4 }, "bad");
    text[0] = 'S';
    expect(ps.first, "d.csv:3:6: error: bad [X]\n    some line\n         ^^^^\n");
    problem_addf(&ps, PROBLEM_ERROR, "X", (struct place){ .offset = 6, .line = 9, .column = 1 }, "known");
    assert_int_equal(ps.last->place.line, 9);
}

static void beyond_max_only_counts(void **state)
{
    (void)state;
    problems_init(&ps, &arena, 3);
    for (int i = 0; i < 50; i++) {
        problem_add(&ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = i % 2 ? "ODD" : "EVEN",
        .place = PLACE_NONE,
                                            .path = arena_printf(&arena, "Line[%d]/Qty", i), .text = SLICE("t") });
    }
    problem_add(&ps, &(struct problem){ .code = "LATE", .place = PLACE_NONE, .path = SLICE("Party[\"BY\"]"),
        .text = SLICE("late") });
    assert_int_equal(ps.n, 3);
    assert_int_equal(ps.errors, 50);
    assert_int_equal(ps.notes, 1);
    const struct problem *groups[8];
    assert_int_equal(problems_groups(&ps, groups, 8), 3);
    assert_string_equal(groups[0]->code, "EVEN");
    assert_int_equal(groups[0]->count, 25);
    assert_true(slice_is(groups[0]->path, "Line[0]/Qty"));
    assert_int_equal(groups[1]->count, 25);
    assert_true(slice_is(groups[2]->text, "late"));
    assert_int_equal(problems_groups(&ps, groups, 1), 3);
}

static void memory_of_many_is_bounded(void **state)
{
    (void)state;
    problems_init(&ps, &arena, 10);
    for (int i = 0; i < 100000; i++) {
        char path[40];
        snprintf(path, sizeof path, "Party[\"%d\"]/Qty", i);
        problem_add(&ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "X", .place = PLACE_NONE,
            .path = slice_of(path),
                                            .text = SLICE("t") });
    }
    assert_int_equal(ps.errors, 100000);
    assert_int_equal(ps.ungrouped, 99000);
    assert_true(arena.used < 2000000);
}

static void system_faults(void **state)
{
    (void)state;
    assert_int_equal(problem_system(&ps, "x", "cannot open", ENOENT), TEMP);
    assert_string_equal(ps.last->code, "SYS_MISSING");
    problem_system(&ps, "x", "cannot write", ENOSPC);
    assert_string_equal(ps.last->code, "SYS_FULL");
    problem_system(&ps, "x", "cannot write", EACCES);
    assert_string_equal(ps.last->code, "SYS_DENIED");
    problem_system(&ps, "x", "cannot move", EXDEV);
    assert_non_null(strstr(ps.last->hint.p, "one mount point"));
    problem_system(&ps, "x", "cannot write", EIO);
    expect(ps.last, "x: error: cannot write: Input/output error [SYS_IO]\n"
                    "    the disk or the network folder has a fault: look at `dmesg` and at its mount\n");
    problem_system_hint(&ps, "x", "cannot write", EIO, "write it on paper");
    expect(ps.last, "x: error: cannot write: Input/output error [SYS_IO]\n    write it on paper\n");
    problem_system(&ps, "x", "cannot open", ENOENT);
    expect(ps.last, "x: error: cannot open: No such file or directory [SYS_MISSING]\n");
}

static void json(void **state)
{
    (void)state;
    problem_add(&ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "NUM_BAD", .message = 2,
        .path = SLICE("a/b"),
        .value = SLICE("x\"y"), .text = SLICE("is bad"), .place = { .file = "f", .offset = PLACE_NO_OFFSET,
            .line = 1, .column = 2 } });
    struct buf out = { 0 };
    problem_json(&out, ps.first);
    buf_byte(&out, '\0');
    assert_string_equal(out.p,
    "{\"severity\":\"error\",\"code\":\"NUM_BAD\",\"file\":\"f\",\"line\":1,\"column\":2,\"message\":2,"
                               "\"path\":\"a/b\",\"value\":\"x\\\"y\",\"text\":\"is bad\"}");
    buf_release(&out);
}

static void suggests(void **state)
{
    (void)state;
    static const struct slice names[] = { { "inbox", 5 }, { "batch", 5 }, { "table", 5 }, { "Customer", 8 } };
    assert_true(slice_is(problem_suggest(&arena, SLICE("inbx"), names, 4), "did you mean `inbox`?"));
    assert_true(slice_is(problem_suggest(&arena, SLICE("CUSTMER"), names, 4), "did you mean `Customer`?"));
    assert_null(problem_suggest(&arena, SLICE("zzz"), names, 4).p);
    assert_null(problem_suggest(&arena, SLICE(""), names, 4).p);
    assert_null(problem_suggest(&arena, SLICE("x"), names, 0).p);
}

static void codes_are_known_once(void **state)
{
    (void)state;
    assert_non_null(code_find(SLICE("SYS_IO")));
    assert_ptr_equal(code_find(SLICE("sys_io")), code_find(SLICE("SYS_IO")));
    assert_null(code_find(SLICE("SYS_I")));
    assert_true(slice_is(code_suggest(&arena, SLICE("SYS_FULLL")), "did you mean `SYS_FULL`?"));
    for (size_t i = 0; i < code_count; i++) {
        assert_ptr_equal(code_find(slice_of(code_table[i].name)), &code_table[i]);
        assert_true(strlen(code_table[i].title) > 3);
        assert_true(strlen(code_table[i].text) > 40);
    }
}

static void sorts_errors_of_our_files_only(void **state)
{
    (void)state;
    static const struct { const char *file; uint32_t line, column; uint64_t message; } given[] = {
        { "a.map", 3, 1, 0 }, { "a.map", 1, 5, 0 }, { "b.map", 2, 1, 0 }, { "a.map", 1, 2, 0 }, { "in.csv", 9, 1, 2 },
        { "in.csv", 4, 1, 3 },
    };
    static const uint32_t wanted[] = { 12, 15, 31, 21, 91, 41 };
    for (size_t i = 0; i < 6; i++)
        problem_add(&ps, &(struct problem){ .code = "X", .message = given[i].message, .place = {
            .file = given[i].file, .line = given[i].line, .column = given[i].column, .offset = PLACE_NO_OFFSET } });
    problems_sort(&ps);
    size_t n = 0;
    for (const struct problem *p = ps.first; p; p = p->next, n++)
        assert_int_equal(p->place.line * 10 + p->place.column, wanted[n]);
    assert_int_equal(n, 6);
    assert_int_equal(ps.last->place.line, 4);
    assert_null(ps.last->next);
}

static void hidden_values_are_shown_nowhere(void **state)
{
    (void)state;
    struct slice names[] = { SLICE("Pin"), SLICE("Iban") };
    struct hidden h = { .names = names, .n = 2 }, none = { 0 };
    struct buf out = { 0 };
    problems_hide(&ps, &none);
    problems_hide(&ps, &h);
    problems_hide(&ps, &h);
    assert_int_equal(ps.nhidden, 1);
    static const char *const paths[] = { "Pin", "Line[2]/Pin", "Party[\"a/b\"]/Iban[3]", "" };
    for (size_t i = 0; i < 4; i++)
        problem_add(&ps, &(struct problem){ .code = "X", .path = slice_of(paths[i]), .value = SLICE("4711"),
            .source = SLICE("a;4711;b"), .text = SLICE("is wrong"), .place = { .line = 2, .column = 3 } });
    problem_add(&ps, &(struct problem){ .code = "X", .path = SLICE("Pin"), .text = SLICE("\"4711\" is none of \"4712\"") });
    for (const struct problem *p = ps.first; p; p = p->next) {
        problem_show(&out, p);
        problem_json(&out, p);
    }
    assert_null(memmem(out.p, out.n, "471", 3));
    assert_true(slice_is(ps.last->text, "\"***\""));
    problem_add(&ps, &(struct problem){ .code = "X", .path = SLICE("Pin"), .text = SLICE("Pin: \"a\"4711\"b\" is wrong"),
                                        .hint = SLICE("did you mean `4712`?") });
    assert_true(slice_is(ps.last->text, "Pin: \"***\" is wrong"));
    assert_int_equal(ps.last->hint.n, 0);
    buf_release(&out);
}

static void other_fields_keep_theirs(void **state)
{
    (void)state;
    struct slice names[] = { SLICE("Pin") };
    struct hidden h = { .names = names, .n = 1 };
    problems_hide(&ps, &h);
    problem_add(&ps, &(struct problem){ .code = "X", .path = SLICE("Pin/Qty"), .value = SLICE("12x"),
                                        .source = SLICE("4711;12x"), .text = SLICE("\"12x\" is no number") });
    assert_true(slice_is(ps.first->value, "12x"));
    assert_true(slice_is(ps.first->text, "\"12x\" is no number"));
    assert_int_equal(ps.first->source.n, 0);        /* the line holds the pin */
}

static void what_a_mapping_makes_hides_no_lines(void **state)
{
    (void)state;
    struct slice names[] = { SLICE("Pin") };
    struct hidden h[PROBLEMS_HIDE + 1];
    h[0] = (struct hidden){ .names = names, .n = 1, .made = true };
    problems_hide(&ps, &h[0]);
    problem_add(&ps, &(struct problem){ .code = "X", .path = SLICE("Qty"), .value = SLICE("12x"),
                                        .source = SLICE("a;12x"), .text = SLICE("is no number") });
    assert_true(slice_is(ps.last->source, "a;12x"));
    for (size_t i = 1; i <= PROBLEMS_HIDE; i++) {
        h[i] = h[0];
        problems_hide(&ps, &h[i]);
    }
    problem_add(&ps, &(struct problem){ .code = "X", .path = SLICE("Qty"), .value = SLICE("12x") });
    assert_true(slice_is(ps.last->value, PROBLEM_MASK));        /* too many to know: none is shown */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shows_value_and_caret), TEST(shows_without_place), TEST(hostile_text_is_escaped), TEST(long_lines_are_cut),
        TEST(lines_are_cut_by_what_is_shown),
        TEST(long_values_are_cut), TEST(offsets_are_located), TEST(beyond_max_only_counts),
            TEST(memory_of_many_is_bounded),
        TEST(system_faults), TEST(json), TEST(suggests), TEST(codes_are_known_once),
        TEST(sorts_errors_of_our_files_only), TEST(hidden_values_are_shown_nowhere), TEST(other_fields_keep_theirs),
        TEST(what_a_mapping_makes_hides_no_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
