#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "jsonequal.h"

static ssize_t trickle(struct source *s, char *p, size_t n)
{
    struct slice *left = s->owner;
    size_t now = left->n < 1 ? left->n : 1;

    if (n < now)
        return 0;
    memcpy(p, left->p, now);
    left->p += now;
    left->n -= now;
    return (ssize_t)now;
}

/* Code and place of the problem, or "ok N" with the number of values. */
static const char *verdict(struct arena *a, struct slice text, bool lines, bool by_bytes)
{
    struct problems ps;
    struct source src;
    struct jscan s;
    struct slice left = text;
    int rc;

    problems_init(&ps, a, 0);
    if (by_bytes)
        source_open_filter(&src, trickle, &left, "t.json", NULL);
    else
        source_open_text(&src, text, "t.json", NULL);
    source_locate(&src, &ps);
    jscan_open(&s, &src, &limits_default, lines, a, &ps);
    while ((rc = jscan_next(&s)) == OK)
        ;
    jscan_close(&s);
    source_close(&src);
    if (rc == END)
        return arena_printf(a, "ok %llu", (unsigned long long)s.values).p;
    assert_int_equal(rc, STOP);
    assert_int_equal(ps.n, 1);
    return arena_printf(a, "%s %u:%u", ps.first->code, ps.first->place.line, ps.first->place.column).p;
}

static const struct { const char *text, *want; } cases[] = {
    { "{}", "ok 1" },
    { " [1, -0.5e+3, \"a\", true, false, null]\n", "ok 7" },
    { "\"alone\"", "ok 1" },
    { "7", "ok 1" },
    { "\xEF\xBB\xBF{\"a\":1}", "ok 2" },
    { "{\"\":1,\"\\u0000\":2}", "ok 3" },
    { "", "JSON_EMPTY 1:1" },
    { "  \n ", "JSON_EMPTY 2:2" },
    { "[1,]", "JSON_SYNTAX 1:3" },
    { "{\"a\":1,}", "JSON_SYNTAX 1:7" },
    { "{\"a\" 1}", "JSON_SYNTAX 1:6" },
    { "{\"a\":}", "JSON_SYNTAX 1:6" },
    { "{a:1}", "JSON_SYNTAX 1:2" },
    { "{'a':1}", "JSON_SYNTAX 1:2" },
    { "[1 2]", "JSON_SYNTAX 1:4" },
    { "[1}", "JSON_SYNTAX 1:3" },
    { "[NaN]", "JSON_SYNTAX 1:2" },
    { "[True]", "JSON_SYNTAX 1:2" },
    { "[+1]", "JSON_SYNTAX 1:2" },
    { "[.5]", "JSON_SYNTAX 1:2" },
    { "[1] // done", "JSON_AFTER 1:5" },
    { "// begin\n[1]", "JSON_SYNTAX 1:1" },
    { "[007]", "JSON_NUMBER 1:2" },
    { "[1.]", "JSON_NUMBER 1:2" },
    { "[-]", "JSON_NUMBER 1:2" },
    { "[1e]", "JSON_NUMBER 1:2" },
    { "[0x1F]", "JSON_NUMBER 1:2" },
    { "[\"a\nb\"]", "JSON_CONTROL 1:4" },
    { "[\"\\x\"]", "JSON_ESCAPE 1:3" },
    { "[\"\\u12G4\"]", "JSON_ESCAPE 1:3" },
    { "[\"\\ud800\"]", "JSON_ESCAPE 1:3" },
    { "[\"\\udc00\"]", "JSON_ESCAPE 1:3" },
    { "[\"\\ud83d\\u0041\"]", "JSON_ESCAPE 1:3" },
    { "[\"\xE6\"]", "JSON_ENCODING 1:3" },
    { "[\"\xC0\x80\"]", "JSON_ENCODING 1:3" },
    { "\xFF\xFE[\0]\0", "JSON_ENCODING 1:1" },
    { "[1][2]", "JSON_AFTER 1:4" },
    { "[\"abc", "JSON_TRUNCATED 1:1" },
    { "{\"a\":[1,2", "JSON_TRUNCATED 1:6" },
    { "{\"a\"", "JSON_TRUNCATED 1:1" },
    { "{\"a\":1,\n \"b\":2, \"\\u0061\":3}", "JSON_KEY_TWICE 2:9" },
    { "{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", "ok 6" },
};

static void each_fault_has_its_place(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice text = i == 35 ? (struct slice){ cases[i].text, 6 } : slice_of(cases[i].text);
        const char *got = verdict(&a, text, false, false), *bytes = verdict(&a, text, false, true);
        /* What left a window that cannot be read again has no column any more. */
        size_t code = strcspn(bytes, " ");
        if (strcmp(got, cases[i].want) || strncmp(bytes, cases[i].want, code))
            fail_msg("%s: %s, by bytes %s, wanted %s", cases[i].text, got, bytes, cases[i].want);
    }
    arena_release(&a);
}

static void lines_are_documents(void **state)
{
    static const struct { const char *text, *want; } lines[] = {
        { "", "ok 0" }, { "\n\n", "ok 0" }, { "{}\n{}", "ok 2" }, { "{}\r\n\r\n[1]\r\n", "ok 3" },
        { "{} {}\n", "JSON_AFTER 1:4" }, { "{\"a\":\n1}\n", "JSON_LINE 1:1" }, { "{}\n{\"a\":[\n", "JSON_LINE 2:6" },
        { "{}\n{\"a\":1", "JSON_TRUNCATED 2:1" },
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *got = verdict(&a, slice_of(lines[i].text), true, false);
        if (strcmp(got, lines[i].want))
            fail_msg("%s: %s, wanted %s", lines[i].text, got, lines[i].want);
    }
    arena_release(&a);
}

static void depth_and_names_are_bounded(void **state)
{
    struct arena a;
    struct buf b = { 0 };

    (void)state;
    arena_init(&a, 0);
    for (int i = 0; i < 64; i++)
        buf_byte(&b, '[');
    for (int i = 0; i < 64; i++)
        buf_byte(&b, ']');
    assert_string_equal(verdict(&a, buf_slice(&b), false, false), "ok 64");
    b.n = 0;
    for (int i = 0; i < 100000; i++)
        buf_byte(&b, '[');
    assert_string_equal(verdict(&a, buf_slice(&b), false, false), "LIMIT_DEPTH 1:65");
    b.n = 0;
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "%s\"a name of some length %d\":{\"k\":%d,\"l\":0}", i ? "," : "{", i, i);
    size_t n = b.n;
    buf_text(&b, "}");
    assert_string_equal(verdict(&a, buf_slice(&b), false, false), "ok 15001");
    b.n = n;
    buf_text(&b, ",\"a name of some length 17\":1}");
    assert_true(strncmp(verdict(&a, buf_slice(&b), false, false), "JSON_KEY_TWICE", 14) == 0);
    buf_release(&b);
    arena_release(&a);
}

static void long_texts_end_in_a_limit(void **state)
{
    struct arena a;
    struct buf b = { 0 };

    (void)state;
    arena_init(&a, 0);
    buf_text(&b, "[\"");
    while (b.n < limits_default.field + 10)
        buf_text(&b, "0123456789");
    buf_text(&b, "\"]");
    assert_string_equal(verdict(&a, buf_slice(&b), false, false), "LIMIT_FIELD 1:2");
    buf_release(&b);
    arena_release(&a);
}

static void jansson_agrees_on_the_corpus(void **state)
{
    static const char dir[] = "tests/corpus/json";
    DIR *d = opendir(dir);
    unsigned files = 0;

    (void)state;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct arena a;
        struct problems ps;
        struct slice text;
        size_t n = strlen(e->d_name);
        if (n < 5 || strcmp(e->d_name + n - 5, ".json") != 0)
            continue;
        arena_init(&a, 0);
        problems_init(&ps, &a, 0);
        assert_int_equal(file_read(&a, file_join(&a, dir, e->d_name), 0, &text, &ps), OK);
        if (jequal_differ(text, &a))
            fail_msg("%s", e->d_name);
        arena_release(&a);
        files++;
    }
    closedir(d);
    assert_true(files > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_place), cmocka_unit_test(lines_are_documents),
        cmocka_unit_test(depth_and_names_are_bounded), cmocka_unit_test(long_texts_end_in_a_limit),
        cmocka_unit_test(jansson_agrees_on_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
