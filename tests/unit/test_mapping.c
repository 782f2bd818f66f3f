#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tree.h"

static const char *const left_format =
    "syntax xml\n"
    "message Order key Id {\n"
    "    Id integer\n"
    "    Name text\n"
    "    Phone text\n"
    "    Status text\n"
    "    When datetime\n"
    "    Amount decimal\n"
    "    group Address {\n"
    "        Street text\n"
    "        City text\n"
    "    }\n"
    "    group Row 0..* key No {\n"
    "        No integer\n"
    "        Kind text\n"
    "        Product text\n"
    "        Quantity decimal\n"
    "    }\n"
    "}\n";

static const char *const right_format =
    "syntax xml\n"
    "Owner text\n"
    "Total decimal\n"
    "message Sale key Info/Number {\n"
    "    group Info 1 {\n"
    "        Number text required\n"
    "        Title text\n"
    "    }\n"
    "    Street text\n"
    "    Town text\n"
    "    Tel text\n"
    "    Mobile text\n"
    "    Kind text\n"
    "    group Line 0..* key Code {\n"
    "        Code text required\n"
    "        Item text\n"
    "        Count decimal\n"
    "    }\n"
    "}\n";

static void load(struct tree *t, const char *map)
{
    tree_init(t);
    tree_format(t, "left", left_format);
    tree_format(t, "right", right_format);
    if (tree_mapping(t, map) != OK)
        fail_msg("%s", tree_problems(t));
}

/* Runs one message; the dump of what it gives. */
static const char *run(struct tree *t, struct run *r, struct node *n, int want)
{
    t->ngiven = 0;
    int rc = run_message(r, n, 1, &t->message, &t->outcome, tree_give, t, &t->problems);
    if (rc != want)
        fail_msg("rc %d: %s%s", rc, tree_findings(t), tree_problems(t));
    return t->ngiven ? tree_dump(t, t->given[0]) : "";
}

static const char *const two_way =
    "mapping left <=> right \"test\"\n"
    "param owner text required\n"
    "$owner => /Owner\n"
    "Order <=> Sale {\n"
    "    require Id else NO_ID \"no id\"\n"
    "    key Id         <=> Info/Number\n"
    "    Name           <=> Info/Title\n"
    "    Address/Street <=> Street\n"
    "    Address/City   <=> Town\n"
    "    \"sale\"        => Kind\n"
    "    Row[Kind = \"Normal\" and Product] <=> Line {\n"
    "        key No   <=> Code\n"
    "        Product  <=> Item\n"
    "        Quantity <=> Count\n"
    "    }\n"
    "}\n";

static void test_forward(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, two_way);
    t.params[0] = "owner";
    t.params[1] = "NORDISK";
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    assert_non_null(r);
    assert_string_equal(tree_dump(&t, run_file(r)), "Owner = \"NORDISK\"\n");
    struct node *n = tree_message(&t, t.mapping->left,
        "Id = 7\nName = Ada\nAddress {\nCity = Oslo\n}\nRow {\nNo = 1\nKind = Normal\nProduct = P1\nQuantity = 2.50\n}\n"
        "Row {\nNo = 2\nKind = Text\n}\nRow {\nNo = 3\nKind = Normal\n}\nRow {\nNo = 4\nKind = Normal\nProduct = P4\n}\n");
    assert_string_equal(run(&t, r, n, OK),
        "Info {\nNumber = \"7\"\nTitle = \"Ada\"\n}\nTown = \"Oslo\"\nKind = \"sale\"\nLine {\nCode = \"1\"\nItem = \"P1\"\nCount = \"2.50\"\n}\n"
        "Line {\nCode = \"4\"\nItem = \"P4\"\n}\n");
    n = tree_message(&t, t.mapping->left, "Name = Ada\n");
    run(&t, r, n, SKIP);
    assert_string_equal(tree_findings(&t), "reject NO_ID no id\n");
    tree_release(&t);
}

static void test_backward_create(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, two_way);
    t.params[0] = "owner";
    t.params[1] = "NORDISK";
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_BACKWARD, &o, &t.problems);
    assert_non_null(r);
    struct node *n = tree_message(&t, t.mapping->right,
        "Info {\nNumber = 7\nTitle = Ada\n}\nTown = Oslo\nLine {\nCode = 1\nItem = P1\nCount = 2.50\n}\nLine {\nCode = 4\nItem = P4\n}\n");
    assert_string_equal(run(&t, r, n, OK),
        "Id = \"7\"\nName = \"Ada\"\nAddress {\nCity = \"Oslo\"\n}\n"
        "Row {\nNo = \"1\"\nKind = \"Normal\"\nProduct = \"P1\"\nQuantity = \"2.50\"\n}\n"
        "Row {\nNo = \"4\"\nKind = \"Normal\"\nProduct = \"P4\"\n}\n");
    /* what the predicate asks of the built instance */
    n = tree_message(&t, t.mapping->right, "Info {\nNumber = 7\n}\nLine {\nCode = 1\n}\n");
    run(&t, r, n, SKIP);
    /* not an integer */
    n = tree_message(&t, t.mapping->right, "Info {\nNumber = 7a\n}\n");
    run(&t, r, n, SKIP);
    assert_non_null(strstr(tree_findings(&t), "reject NUM_BAD"));
    tree_release(&t);
}

static void test_required_param(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, two_way);
    tree_outside(&t, &o);
    assert_null(run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems));
    assert_non_null(strstr(tree_problems(&t), "param owner is required"));
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward_create),
        cmocka_unit_test(test_required_param),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
