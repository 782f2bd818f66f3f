/* The loss table, and the field table of `describe`. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tree.h"

static const char *losses(struct tree *t, const char *map, enum mapping_direction d)
{
    tree_init(t);
    tree_format(t, "l",
        "syntax xml\nFrom text\nmessage M key Id {\n    Id integer\n    A text max 30\n    B text\n"
        "    N decimal\n    S datetime\n    group Row 0..* {\n        No integer\n"
        "        Kind text\n    }\n    group Gone 0..* {\n        X text\n    }\n}\n");
    tree_format(t, "r",
        "syntax csv\nencoding iso-8859-1\nmessage R key Code {\n    Code text\n    V text max 10\n"
        "    W decimal scale 0..2\n    K text code (a, b)\n    I integer\n    D date\n"
        "    group Line 0..* {\n        No text\n    }\n}\n");
    if (tree_mapping(t, map) != OK)
        fail_msg("%s", tree_problems(t));
    struct slice s = SLICE("");
    for (struct loss *l = mapping_losses(&t->arena, t->mapping); l; l = l->next)
        if (l->direction == d)
            s = arena_printf(&t->arena, "%.*s%s %.*s (%u): %.*s\n", SLICE_ARG(s), loss_names[l->kind],
                             SLICE_ARG(l->path), l->line, SLICE_ARG(l->reason));
    return arena_cstr(&t->arena, s);
}

static const char *const map =
    "mapping l <=> r\nM <=> R {\n    key Id <=> Code\n    A <=> V\n    N <=> W\n    B <=> K\n    \"7\" => I\n"
    "    date(S) <=> D\n"
    "    Row[Kind = \"n\"] <=> Line {\n        No <=> No\n    }\n}\n";

static void test_forward(void **state)
{
    struct tree t;
    (void)state;
    assert_string_equal(losses(&t, map, MAPPING_FORWARD),
        "narrowed A (4): at most 10 characters in V\n"
        "narrowed N (5): at most 2 decimals in W\n"
        "narrowed B (6): only the 2 codes of K\n"
        "invented I (7): \"7\"\n"
        "dropped Row (9): instances that [Kind = \"n\"] leaves out\n"
        "dropped /From (0): no row reads it\n"
        "dropped Gone (0): no row reads this group\n"
        "narrowed / (0): ISO-8859-1 has not all characters of UTF-8\n");
    tree_release(&t);
}

static void test_backward(void **state)
{
    struct tree t;
    (void)state;
    assert_string_equal(losses(&t, map, MAPPING_BACKWARD),
        "narrowed Code (3): only what is an integer\n"
        "invented date(S) (8): without an original date() cannot tell what stood there\n"
        "narrowed Line/No (10): only what is an integer\n"
        "dropped I (0): no row reads it\n");
    tree_release(&t);
}

static void test_first(void **state)
{
    struct tree t;
    (void)state;
    const char *all = losses(&t, "mapping l => r\nM => R {\n    A | B => Code\n    Row[1]/Kind => V\n}\n",
                             MAPPING_FORWARD);
    assert_non_null(strstr(all, "first of several A | B (3)"));
    assert_non_null(strstr(all, "first of several Row[1]/Kind (4): number 1 of several"));
    tree_release(&t);
    assert_string_equal(losses(&t, "mapping l => r\nM => R {\n    A => Code\n}\n", MAPPING_BACKWARD), "");
    tree_release(&t);
}

static void test_correspondences(void **state)
{
    struct tree t;
    struct correspondence *rows;
    (void)state;
    losses(&t, map, MAPPING_FORWARD);
    assert_int_equal(mapping_correspondences(&t.arena, t.mapping, &rows), 9);
    assert_true(slice_is(rows[0].left, "M") && slice_is(rows[0].how, "group") && rows[0].depth == 0);
    assert_true(slice_is(rows[1].left, "Id") && rows[1].key && slice_is(rows[1].how, "copy") && rows[1].depth == 1);
    assert_true(slice_is(rows[5].left, "\"7\"") && slice_is(rows[5].how, "constant") && rows[5].arrow == ARROW_RIGHT);
    assert_true(slice_is(rows[6].how, "date") && rows[6].line == 8);
    assert_true(slice_is(rows[7].left, "Row[Kind = \"n\"]") && slice_is(rows[7].how, "group, selected"));
    assert_int_equal(t.mapping->rows, 7);
    assert_int_equal(t.mapping->two_way, 6);
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward), cmocka_unit_test(test_backward), cmocka_unit_test(test_first),
        cmocka_unit_test(test_correspondences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
