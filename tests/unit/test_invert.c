/* What may be inverted: each row of the table of LANGUAGE.md section 4, there and back, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tree.h"

static const char *const left_format =
    "syntax xml\n"
    "message M key Id {\n"
    "    Id integer\n"
    "    A text\n"
    "    B text\n"
    "    N decimal\n"
    "    D date\n"
    "    T time\n"
    "    S datetime\n"
    "    group One {\n"
    "        X text\n"
    "    }\n"
    "}\n";

static const char *const right_format =
    "syntax xml\n"
    "message R key Id {\n"
    "    Id integer\n"
    "    V text\n"
    "    W decimal\n"
    "    E date\n"
    "    F datetime\n"
    "    G time\n"
    "}\n";

static void start(struct tree *t, const char *row)
{
    char map[2000];
    tree_init(t);
    tree_format(t, "l", left_format);
    tree_format(t, "r", right_format);
    snprintf(map, sizeof map,
             "mapping l <=> r\ntable state key Shown columns Stored {\n    Sent S1\n    Open S2\n}\n"
             "table pair key P, Q columns C {\n    a b ab\n    c d cd\n}\n"
             "table many key P columns C prefer C {\n    x same\n    y same\n}\n"
             "table liked key P columns C prefer Best {\n    x same no\n    y same yes\n}\n"
             "M <=> R {\n    key Id <=> Id\n    %s\n}\n", row);
    if (tree_mapping(t, map) != OK)
        fail_msg("%s: %s", row, tree_problems(t));
}

static const char *map_one(struct tree *t, enum mapping_direction d, const char *text)
{
    struct outside o;
    tree_outside(t, &o);
    struct run *r = run_new(&t->arena, t->mapping, d, &o, &t->problems);
    assert_non_null(r);
    t->ngiven = 0;
    struct node *n = tree_message(t, d == MAPPING_FORWARD ? t->mapping->left : t->mapping->right, text);
    int rc = run_message(r, n, 1, &t->message, &t->outcome, tree_give, t, &t->problems);
    if (rc != OK)
        return t->outcome.first ? arena_printf(&t->arena, "%.*s", SLICE_ARG(t->outcome.first->code)).p : "?";
    return tree_dump(t, t->given[0]);
}

/* Forward and backward-create. */
static void both(const char *row, const char *left, const char *right)
{
    struct tree t;
    start(&t, row);
    const char *forward = map_one(&t, MAPPING_FORWARD, left);
    if (strcmp(forward, right) != 0)
        fail_msg("%s forward: %s", row, forward);
    const char *backward = map_one(&t, MAPPING_BACKWARD, right);
    if (strcmp(backward, left) != 0)
        fail_msg("%s backward: %s", row, backward);
    tree_release(&t);
}

static void back(const char *row, const char *right, const char *want)
{
    struct tree t;
    start(&t, row);
    const char *backward = map_one(&t, MAPPING_BACKWARD, right);
    if (strcmp(backward, want) != 0)
        fail_msg("%s backward: %s", row, backward);
    tree_release(&t);
}

/* Update of the original by an answer: the edits. */
static void update(const char *row, const char *original, const char *answer, const char *want)
{
    struct tree t;
    struct outside o;
    start(&t, row);
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_BACKWARD, &o, &t.problems);
    assert_non_null(r);
    struct node *old = tree_message(&t, t.mapping->left, original), *n = tree_message(&t, t.mapping->right, answer);
    edits_init(&t.edits, &t.message);
    int rc = run_update(r, old, n, 1, &t.message, &t.edits, &t.outcome, &t.problems);
    const char *got = rc == OK ? tree_edits(&t) : arena_printf(&t.arena, "%.*s", SLICE_ARG(t.outcome.first->code)).p;
    if (strcmp(got, want) != 0)
        fail_msg("%s update: %s", row, got);
    tree_release(&t);
}

static void test_exact(void **state)
{
    (void)state;
    both("A <=> V", "Id = \"1\"\nA = \"x\"\n", "Id = \"1\"\nV = \"x\"\n");
    both("N <=> V", "Id = \"1\"\nN = \"1.50\"\n", "Id = \"1\"\nV = \"1.50\"\n");
    both("One/X <=> V", "Id = \"1\"\nOne {\nX = \"x\"\n}\n", "Id = \"1\"\nV = \"x\"\n");
    both("concat(\"A-\", A, \"-Z\") <=> V", "Id = \"1\"\nA = \"x\"\n", "Id = \"1\"\nV = \"A-x-Z\"\n");
    both("concat(\"A-\", Id) <=> V", "Id = \"1\"\n", "Id = \"1\"\nV = \"A-1\"\n");
    both("join(\"/\", A, B) <=> V", "Id = \"1\"\nA = \"x\"\nB = \"y\"\n", "Id = \"1\"\nV = \"x/y\"\n");
    both("pad-left(Id, 5, \"0\") <=> V", "Id = \"1\"\n", "Id = \"1\"\nV = \"00001\"\n");
    both("pad-right(A, 3, \".\") <=> V", "Id = \"1\"\nA = \"x\"\n", "Id = \"1\"\nV = \"x..\"\n");
    both("N * 100 <=> W", "Id = \"1\"\nN = \"2\"\n", "Id = \"1\"\nW = \"200\"\n");
    both("N + 1.5 <=> W", "Id = \"1\"\nN = \"2\"\n", "Id = \"1\"\nW = \"3.5\"\n");
    both("N - 1 <=> W", "Id = \"1\"\nN = \"2\"\n", "Id = \"1\"\nW = \"1\"\n");
    both("10 - N <=> W", "Id = \"1\"\nN = \"2\"\n", "Id = \"1\"\nW = \"8\"\n");
    both("N div 8 <=> W", "Id = \"1\"\nN = \"2\"\n", "Id = \"1\"\nW = \"0.25\"\n");
    both("datetime(D, T) <=> F", "Id = \"1\"\nD = \"2026-01-02\"\nT = \"03:04:05\"\n",
         "Id = \"1\"\nF = \"2026-01-02T03:04:05\"\n");
    both("letters(Id) <=> V", "Id = \"28\"\n", "Id = \"28\"\nV = \"AB\"\n");
    both("text(D, \"dd.MM.yyyy\") <=> V", "Id = \"1\"\nD = \"2026-01-02\"\n", "Id = \"1\"\nV = \"02.01.2026\"\n");
    both("$state[A]/Stored <=> V", "Id = \"1\"\nA = \"Sent\"\n", "Id = \"1\"\nV = \"S1\"\n");
    both("$pair[A, B]/C <=> V", "Id = \"1\"\nA = \"c\"\nB = \"d\"\n", "Id = \"1\"\nV = \"cd\"\n");
    both("concat(\"A-\", $state[A]/Stored) <=> V", "Id = \"1\"\nA = \"Sent\"\n", "Id = \"1\"\nV = \"A-S1\"\n");
    both("A | B <=> V", "Id = \"1\"\nA = \"x\"\n", "Id = \"1\"\nV = \"x\"\n");
}

static void test_lens_create(void **state)
{
    (void)state;
    back("date(S) <=> E", "Id = \"1\"\nE = \"2026-01-02\"\n", "Id = \"1\"\nS = \"2026-01-02T00:00:00\"\n");
    back("time(S) <=> G", "Id = \"1\"\nG = \"03:04:05\"\n", "DATE_INVENTED");
    back("upper(A) <=> V", "Id = \"1\"\nV = \"ABC\"\n", "Id = \"1\"\nA = \"ABC\"\n");
    back("upper(A) <=> V", "Id = \"1\"\nV = \"Abc\"\n", "INVERT_IMAGE");
    back("trim(A) <=> V", "Id = \"1\"\nV = \"abc\"\n", "Id = \"1\"\nA = \"abc\"\n");
    back("\"k\" <=> V", "Id = \"1\"\nV = \"k\"\n", "Id = \"1\"\n");
    back("\"k\" <=> V", "Id = \"1\"\nV = \"l\"\n", "CONST_DIFFERS");
}

static void test_refused(void **state)
{
    (void)state;
    back("concat(\"A-\", A) <=> V", "Id = \"1\"\nV = \"B-x\"\n", "CONCAT_DIFFERS");
    back("concat(A, \"-Z\") <=> V", "Id = \"1\"\nV = \"x\"\n", "CONCAT_DIFFERS");
    back("join(\"/\", A, B) <=> V", "Id = \"1\"\nV = \"x\"\n", "JOIN_PARTS");
    back("join(\"/\", A, B) <=> V", "Id = \"1\"\nV = \"x/y/z\"\n", "JOIN_PARTS");
    back("join(\"/\", A, B) <=> V", "Id = \"1\"\nV = \"x/\"\n", "JOIN_PARTS");
    back("N * 3 <=> W", "Id = \"1\"\nW = \"1\"\n", "NUM_RANGE");
    back("N <=> V", "Id = \"1\"\nV = \"x\"\n", "NUM_BAD");
    back("letters(Id) <=> V", "Id = \"1\"\nV = \"a\"\n", "LETTERS_BAD");
    back("text(D, \"dd.MM.yyyy\") <=> V", "Id = \"1\"\nV = \"99.01.2026\"\n", "DATE_BAD");
    back("$state[A]/Stored <=> V", "Id = \"1\"\nV = \"S9\"\n", "TABLE_MISS");
    back("$many[A]/C <=> V", "Id = \"1\"\nV = \"same\"\n", "Id = \"1\"\nA = \"x\"\n");
    back("$liked[A]/C <=> V", "Id = \"1\"\nV = \"same\"\n", "Id = \"1\"\nA = \"y\"\n");
}

static void test_forward_refused(void **state)
{
    struct tree t;
    (void)state;
    start(&t, "$state[A]/Stored <=> V");
    assert_string_equal(map_one(&t, MAPPING_FORWARD, "Id = 1\nA = Gone\n"), "TABLE_MISS");
    tree_release(&t);
    start(&t, "join(\"/\", A, B) <=> V");
    assert_string_equal(map_one(&t, MAPPING_FORWARD, "Id = 1\nA = a/b\nB = c\n"), "JOIN_PARTS");
    assert_string_equal(map_one(&t, MAPPING_FORWARD, "Id = 1\nA = a\n"), "JOIN_PARTS");
    tree_release(&t);
    start(&t, "pad-left(A, 3, \"0\") <=> V");
    assert_string_equal(map_one(&t, MAPPING_FORWARD, "Id = 1\nA = 01\n"), "PAD_AMBIGUOUS");
    tree_release(&t);
}

static void test_update(void **state)
{
    (void)state;
    update("A <=> V", "Id = 1\nA = x\n", "Id = 1\nV = x\n", "");
    update("A <=> V", "Id = 1\nA = x\n", "Id = 1\nV = y\n", "set A = y\n");
    update("A <=> V", "Id = 1\nA = x\n", "Id = 1\n", "set A = \n");
    update("N <=> V", "Id = 1\nN = 1.0\n", "Id = 1\nV = 1.00\n", "");
    update("N * 100 <=> W", "Id = 1\nN = 1.0\n", "Id = 1\nW = 100\n", "");
    update("N * 100 <=> W", "Id = 1\nN = 1.0\n", "Id = 1\nW = 150\n", "set N = 1.5\n");
    update("upper(A) <=> V", "Id = 1\nA = Abc\n", "Id = 1\nV = ABC\n", "");
    update("upper(A) <=> V", "Id = 1\nA = Abc\n", "Id = 1\nV = ABD\n", "set A = ABD\n");
    update("date(S) <=> E", "Id = 1\nS = 2026-01-02T03:04:05\n", "Id = 1\nE = 2026-01-02\n", "");
    update("date(S) <=> E", "Id = 1\nS = 2026-01-02T03:04:05\n", "Id = 1\nE = 2026-01-03\n",
           "set S = 2026-01-03T03:04:05\n");
    update("time(S) <=> G", "Id = 1\nS = 2026-01-02T03:04:05\n", "Id = 1\nG = 10:00:00\n",
           "set S = 2026-01-02T10:00:00\n");
    update("A | B <=> V", "Id = 1\nB = b\n", "Id = 1\nV = b\n", "");
    update("A | B <=> V", "Id = 1\nB = b\n", "Id = 1\nV = c\n", "set A = c\n");
    update("A | B <=> V", "Id = 1\nA = a\nB = b\n", "Id = 1\nV = c\n", "set A = c\n");
    update("$state[A]/Stored <=> V", "Id = 1\nA = Sent\n", "Id = 1\nV = S2\n", "set A = Open\n");
    update("One/X <=> V", "Id = 1\n", "Id = 1\nV = x\n", "insert One\nX = \"x\"\n");
    update("One/X <=> V", "Id = 1\n", "Id = 1\n", "");
    update("join(\"/\", A, B) <=> V", "Id = 1\nA = a\nB = b\n", "Id = 1\nV = a/c\n", "set B = c\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact), cmocka_unit_test(test_lens_create), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_forward_refused), cmocka_unit_test(test_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
