#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mapping/formula.h"
#include "tree.h"

static const char *const batch_format =
    "syntax json lines\nBatch text\nmessage Order key OrderNo {\n    OrderNo text required\n    FirstSent datetime\n"
    "    Due date\n    group Line 1..* key No {\n        No text required\n        Quantity decimal lax\n"
    "        Sent decimal lax\n        Share integer\n        SendDate datetime\n        Done boolean\n    }\n}\n";

struct formulas {
    struct tree t;
    struct formula_site site;
    struct statement *st;
    struct outside outside;
    struct formula_run *run;
    struct node *order, *line;
    struct formula_path into;
    struct formula *f;
};

/* One statement of a site. */
static void statement(struct formulas *x, const char *text)
{
    struct conf *c = NULL;
    assert_int_equal(conf_parse(&x->t.arena, "site.conf", arena_copy(&x->t.arena, slice_of(text)), &c, &x->t.problems),
                     OK);
    x->site.conf = c;
    x->st = c->first;
}

static struct slice state_of(void *owner, const struct node *n)
{
    (void)owner;
    return n->group->is_message ? SLICE("old") : SLICE("fresh");
}

static void begin(struct formulas *x)
{
    static const struct slice names[] = { { "least", 5 }, { "mode", 4 }, { "unset", 5 } };
    static const char *const params[] = { "least", "5", "mode", "all", NULL };
    *x = (struct formulas){ 0 };
    tree_init(&x->t);
    x->site = (struct formula_site){ .arena = &x->t.arena, .format = tree_format(&x->t, "batch", batch_format),
                                     .params = names, .nparams = 3 };
    for (size_t i = 0; i < 5; i++)
        x->t.params[i] = params[i];
    tree_outside(&x->t, &x->outside);
    x->outside.state = state_of;
    x->run = formula_run_new(&x->t.arena, &x->outside);
    x->order = tree_message(&x->t, x->site.format, "OrderNo = A-1\nDue = 2026-03-01\nLine {\nNo = 1\nQuantity = 7\n}\n"
        "Line {\nNo = 2\nQuantity = 12O\nSendDate = 2026-02-01T08:00:00\n}\n");
    *node_value(x->order->parent, group_field(x->site.format->file_group, SLICE("Batch"))) =
        (struct value){ .p = "B-7", .n = 3, .state = VALUE_PRESENT };
    x->line = node_list(x->order, group_child(x->order->group, SLICE("Line")))->first;
}

static bool holds(struct formulas *x, const char *condition, const struct node *n)
{
    size_t i = 3;
    statement(x, arena_printf(&x->t.arena, "state sent when %s\n", condition).p);
    int rc = formula_compile(&x->site, n->group, x->st, &i, &x->f, &x->t.problems);
    if (rc != OK || formula_done(&x->site, x->st, i, &x->t.problems) != OK)
        fail_msg("%s", tree_problems(&x->t));
    return formula_holds(x->run, x->f, n, &x->t.message);
}

static const char *value(struct formulas *x, const char *row, const struct node *n)
{
    struct value v = { 0 };
    statement(x, arena_printf(&x->t.arena, "%s\n", row).p);
    if (formula_row(&x->site, x->st, &x->into, &x->f, &x->t.problems) != OK)
        fail_msg("%s", tree_problems(&x->t));
    assert_ptr_equal(x->into.group, n->group);
    if (formula_value(x->run, x->f, n, x->into.field, &x->t.message, &v, &x->t.problems) != OK)
        return x->t.problems.last->code;
    if (v.form & VALUE_LAX)
        return arena_printf(&x->t.arena, "unfit %.*s", (int)v.n, v.p).p;
    return v.state == VALUE_PRESENT ? arena_copy(&x->t.arena, value_text(&v)).p : "nothing";
}

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static void paths_lead_to_groups_and_fields(void **state)
{
    struct formulas x;
    size_t i = 3;
    (void)state;
    begin(&x);
    statement(&x, "batch batch track Order/Line {\n    state staged\n}\n");
    assert_int_equal(formula_path(&x.site, x.st, &i, &x.into, &x.t.problems), OK);
    assert_int_equal(i, x.st->n);
    assert_ptr_equal(x.into.group, x.line->group);
    assert_null(x.into.field);
    i = 1;
    statement(&x, "stamp Order/Line/SendDate on Order\n");
    assert_int_equal(formula_path(&x.site, x.st, &i, &x.into, &x.t.problems), OK);
    assert_true(slice_is(x.into.field->name, "SendDate"));
    assert_ptr_equal(x.into.group, x.line->group);
    assert_true(token_is(&x.st->tokens[i], "on"));
    tree_release(&x.t);
}

static void fails(const char *text, size_t first, const char *want)
{
    struct formulas x;
    begin(&x);
    statement(&x, text);
    int rc;
    if (first == 0) {
        rc = formula_row(&x.site, x.st, &x.into, &x.f, &x.t.problems);
    } else if (token_is(&x.st->tokens[0], "state")) {
        rc = formula_compile(&x.site, x.line->group, x.st, &first, &x.f, &x.t.problems);
        if (rc == OK)
            rc = formula_done(&x.site, x.st, first, &x.t.problems);
    } else {
        rc = formula_path(&x.site, x.st, &first, &x.into, &x.t.problems);
    }
    assert_int_equal(rc, STOP);
    assert_string_equal(tree_problems(&x.t), want);
    tree_release(&x.t);
}

static void faults_have_their_place(void **state)
{
    (void)state;
    fails("track Order/Lin\n", 1, "site.conf:1:13: error: no field \"Lin\" in Order [MAP_NO_FIELD]\n"
          "    track Order/Lin\n                ^^^ did you mean `Line`?\n");
    fails("track Order/Line[1]\n", 1, "site.conf:1:7: error: a path of names is expected here [FORMULA_PATH]\n"
          "    track Order/Line[1]\n          ^^^^^^^^^^^^^ as Order/Line, from the message on\n");
    fails("track Batch\n", 1, "site.conf:1:7: error: Batch belongs to no message [FORMULA_PATH]\n"
          "    track Batch\n          ^^^^^ as Order/Line, from the message on\n");
    fails("state sent when SentDate\n", 3, "site.conf:1:17: error: no field \"SentDate\" in Line [MAP_NO_FIELD]\n"
          "    state sent when SentDate\n                    ^^^^^^^^ did you mean `SendDate`?\n");
    fails("state sent when Quantity > $leest\n", 3, "site.conf:1:28: error: no setting \"$leest\" [FORMULA_NAME]\n"
          "    state sent when Quantity > $leest\n                               ^^^^^^ did you mean `least`?\n");
    fails("state sent when $state = \"x\"\n", 3, "site.conf:1:17: error: $state cannot be named here [FORMULA_NAME]\n"
          "    state sent when $state = \"x\"\n                    ^^^^^^ name the fields that the state follows from\n");
    fails("state sent when $old/No\n", 3, "site.conf:1:17: error: $old cannot be named here [FORMULA_NAME]\n"
          "    state sent when $old/No\n                    ^^^^ say it in a mapping\n");
    fails("state sent when SendDate yes\n", 3, "site.conf:1:26: error: nothing may follow here [MAP_SYNTAX]\n"
          "    state sent when SendDate yes\n                             ^^^ take this away\n");
    fails("state sent when\n", 3, "site.conf:1:16: error: an expression is expected here [EXPR_SYNTAX]\n"
          "    state sent when\n                   ^\n");
}

static void rows_are_checked(void **state)
{
    (void)state;
    fails("next(\"n\") => Order/OrderNo\n", 0, "site.conf:1:1: error: next() cannot be used here [FORMULA_NAME]\n"
          "    next(\"n\") => Order/OrderNo\n    ^^^^ say it in a mapping\n");
    fails("batch-time() => Order/Line\n", 0, "site.conf:1:17: error: a field is needed here, Order/Line is a group "
          "[MAP_FIELD]\n    batch-time() => Order/Line\n                    ^^^^^^^^^^\n");
    fails("batch-time() => Order/Line/Quantity\n", 0, "site.conf:1:1: error: datetime never becomes decimal: Quantity "
          "[MAP_TYPE]\n    batch-time() => Order/Line/Quantity\n    ^^^^^^^^^^^^\n");
    fails("Line/No => Order/OrderNo\n", 0, "site.conf:1:1: error: Line occurs 1..*, one value is needed here [MAP_MANY]\n"
          "    Line/No => Order/OrderNo\n    ^^^^^^^ say Line[1]/…, Line[\"key\"]/…\n");
    fails("1.5 => Order/Line/Share\n", 0, "site.conf:1:1: error: \"1.5\" is not an integer [MAP_TYPE]\n"
          "    1.5 => Order/Line/Share\n    ^^^\n");
    fails("batch-time() <= Order/FirstSent\n", 0, "site.conf:1:14: error: `=>` is expected here [MAP_SYNTAX]\n"
          "    batch-time() <= Order/FirstSent\n                 ^^ EXPRESSION => Group/Field\n");
    fails("batch-time() => Order/FirstSent now\n", 0, "site.conf:1:33: error: nothing may follow here [MAP_SYNTAX]\n"
          "    batch-time() => Order/FirstSent now\n                                    ^^^ take this away\n");
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void conditions_hold_or_not(void **state)
{
    struct formulas x;
    (void)state;
    begin(&x);
    struct node *second = x.line->next;
    assert_false(holds(&x, "SendDate", x.line));
    assert_true(holds(&x, "SendDate", second));
    assert_true(holds(&x, "Quantity", x.line));
    assert_false(holds(&x, "Quantity", second));                /* lax and unfit: nothing */
    assert_true(holds(&x, "raw(Quantity) = \"12O\"", second));
    assert_true(holds(&x, "Quantity <= 7 and ../OrderNo = \"A-1\"", x.line));
    assert_true(holds(&x, "Quantity > number($least)", x.line));
    assert_true(holds(&x, "$mode = \"all\" and not($unset)", x.line));
    assert_true(holds(&x, "/Batch = \"B-7\" and count(/Order) = 0", x.line));
    assert_true(holds(&x, "position() = 2 and last() = 2", second));
    assert_true(holds(&x, "Line[not(SendDate)]", x.order));
    assert_true(holds(&x, "count(Line[SendDate]) = 1 and last() = 1", x.order));
    assert_true(holds(&x, "Due < batch-time()", x.order) == false);
    x.site.state = true;
    assert_true(holds(&x, "$state = \"fresh\"", x.line));
    assert_true(holds(&x, "$state = \"old\"", x.order));
    tree_release(&x.t);
}

static void rows_give_values(void **state)
{
    struct formulas x;
    (void)state;
    begin(&x);
    assert_string_equal(value(&x, "batch-time() => Order/Line/SendDate", x.line), "2026-01-02T03:04:05+01:00");
    assert_string_equal(value(&x, "FirstSent | batch-time() => Order/FirstSent", x.order), "2026-01-02T03:04:05+01:00");
    assert_string_equal(value(&x, "Quantity => Order/Line/Sent", x.line), "7");
    assert_string_equal(value(&x, "Quantity => Order/Line/Sent", x.line->next), "unfit 12O");
    assert_string_equal(value(&x, "Quantity => Order/Line/Share", x.line->next), "VALUE_UNFIT");
    assert_string_equal(value(&x, "Quantity => Order/Line/No", x.line->next), "12O");
    assert_string_equal(value(&x, "if(Quantity > 9, true()) => Order/Line/Done", x.line), "nothing");
    assert_string_equal(value(&x, "$mode => Order/Line/Share", x.line), "NUM_BAD");
    assert_string_equal(value(&x, "$least => Order/Line/Share", x.line), "5");
    tree_release(&x.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_groups_and_fields), cmocka_unit_test(faults_have_their_place),
        cmocka_unit_test(rows_are_checked), cmocka_unit_test(conditions_hold_or_not),
        cmocka_unit_test(rows_give_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
