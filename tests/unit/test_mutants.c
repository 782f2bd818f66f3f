/* What `test --mutants` may leave out, and how often each statement ran. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tree.h"

static const char *const map =
    "mapping l => r\n"                          /* 1 */
    "table t key A columns B {\n"
    "    a x\n"
    "    b y\n"
    "}\n"
    "block both {\n"                            /* 6 */
    "    X => X\n"
    "}\n"
    "M => R {\n"
    "    require Id else skip NO_ID\n"          /* 10 */
    "    key Id => Id\n"
    "    One => One {\n"
    "        use both\n"
    "    }\n"
    "    Two => Two {\n"
    "        use both\n"
    "    }\n"
    "    $t[A]/B => B\n"                        /* 18 */
    "}\n";

static void start(struct tree *t)
{
    tree_init(t);
    tree_format(t, "l",
                "syntax xml\nmessage M key Id {\n    Id text\n    A text\n    group One {\n        X text\n"
                "    }\n    group Two {\n        X text\n    }\n}\n");
    tree_format(t, "r",
                "syntax xml\nmessage R key Id {\n    Id text\n    B text\n    group One {\n        X text\n"
                "    }\n    group Two {\n        X text\n    }\n}\n");
    if (tree_mapping(t, map) != OK)
        fail_msg("%s", tree_problems(t));
}

static void test_mutants(void **state)
{
    struct tree t;
    struct mutant *list;
    (void)state;
    start(&t);
    size_t n = mapping_mutants(&t.arena, t.mapping, &list);
    struct slice s = SLICE("");
    for (size_t i = 0; i < n; i++)
        s = arena_printf(&t.arena, "%.*s%d %u-%u %.*s\n", SLICE_ARG(s), (int)list[i].kind, list[i].first_line,
                         list[i].last_line, SLICE_ARG(list[i].text));
    assert_string_equal(arena_cstr(&t.arena, s),
        "1 3-3 a x\n1 4-4 b y\n0 9-19 M => R\n2 10-10 require Id else skip NO_ID\n0 11-11 key Id => Id\n"
        "0 12-14 One => One\n0 7-7 X => X\n0 15-17 Two => Two\n"
        "0 18-18 $t[A]/B => B\n");
    tree_release(&t);
}

struct times {
    uint64_t of[32];
};

static void count(void *owner, uint32_t line, uint64_t times)
{
    ((struct times *)owner)->of[line] += times;
}

static void count_file(void *owner, const char *file, uint32_t line, uint64_t times)
{
    assert_string_equal(file, "maps/test.map");
    count(owner, line, times);
}

static void test_coverage(void **state)
{
    struct tree t;
    struct outside o;
    struct times times = { { 0 } }, again = { { 0 } };
    (void)state;
    start(&t);
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    run_message(r, tree_message(&t, t.mapping->left, "Id = 1\nA = a\nOne {\nX = x\n}\nTwo {\nX = x\n}\n"), 1,
                &t.message, &t.outcome, tree_give, &t, &t.problems);
    run_message(r, tree_message(&t, t.mapping->left, "A = a\n"), 2, &t.message, &t.outcome, tree_give, &t, &t.problems);
    run_coverage(r, count, &times);
    assert_int_equal(times.of[10], 2);
    assert_int_equal(times.of[11], 1);
    assert_int_equal(times.of[7], 2);
    assert_int_equal(times.of[18], 1);
    run_coverage_files(r, count_file, &again);
    assert_memory_equal(&times, &again, sizeof times);
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_mutants), cmocka_unit_test(test_coverage) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
