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
        "Id = 7\nName = Ada\nAddress {\nCity = Oslo\n}\nRow {\nNo = 1\nKind = Normal\nProduct = P1\n"
        "Quantity = 2.50\n}\n"
        "Row {\nNo = 2\nKind = Text\n}\nRow {\nNo = 3\nKind = Normal\n}\nRow {\nNo = 4\nKind = Normal\n"
        "Product = P4\n}\n");
    assert_string_equal(run(&t, r, n, OK),
        "Info {\nNumber = \"7\"\nTitle = \"Ada\"\n}\nTown = \"Oslo\"\nKind = \"sale\"\nLine {\nCode = \"1\"\n"
        "Item = \"P1\"\nCount = \"2.50\"\n}\n"
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
        "Info {\nNumber = 7\nTitle = Ada\n}\nTown = Oslo\nLine {\nCode = 1\nItem = P1\nCount = 2.50\n}\n"
        "Line {\nCode = 4\nItem = P4\n}\n");
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


/* ---- outcomes --------------------------------------------------------------------------------------------------- */

#define PAIR "mapping left => right\nOrder => Sale {\n    key Id => Info/Number\n"

static struct run *begin(struct tree *t, struct outside *o, const char *map)
{
    load(t, map);
    tree_outside(t, o);
    struct run *r = run_new(&t->arena, t->mapping, MAPPING_FORWARD, o, &t->problems);
    assert_non_null(r);
    return r;
}

static const char *const four_rows =
    "Id = 7\nRow {\nNo = 1\nQuantity = 1\n}\nRow {\nNo = 2\n}\nRow {\nNo = 3\nQuantity = -1\n}\nRow {\nNo = 4\n"
    "Quantity = 4\n}\n";

static void test_outcomes(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r = begin(&t, &o, PAIR
        "    require Name else warn NO_NAME \"order {Id} has no name\"\n"
        "    Row => Line {\n        require Quantity else skip NONE\n"
        "        require Quantity > 0 else note LOW \"line {No} of {../Id}: {Quantity}\"\n"
        "        key No => Code\n    }\n}\n");
    assert_string_equal(run(&t, r, tree_message(&t, t.mapping->left, four_rows), OK),
        "Info {\nNumber = \"7\"\n}\nLine {\nCode = \"1\"\n}\nLine {\nCode = \"3\"\n}\nLine {\nCode = \"4\"\n}\n");
    assert_string_equal(tree_findings(&t), "warn NO_NAME order 7 has no name\nskip NONE \nnote LOW line 3 of 7: -1\n");
    assert_int_equal(t.outcome.kind, OUTCOME_WARN);
    tree_release(&t);
    /* all failing lines are told, the message is held once */
    r = begin(&t, &o,
              PAIR "    Row => Line {\n        require Quantity > 0 else wait LOW \"line {No}\"\n"
                   "        key No => Code\n    }\n}\n");
    run(&t, r, tree_message(&t, t.mapping->left, four_rows), SKIP);
    assert_string_equal(tree_findings(&t), "wait LOW line 2\nwait LOW line 3\n");
    assert_int_equal(t.outcome.kind, OUTCOME_WAIT);
    assert_string_equal(tree_dump(&t, t.outcome.last->node), "No = \"3\"\nQuantity = \"-1\"\n");
    assert_true(slice_is(t.outcome.last->field, "Quantity"));
    assert_true(slice_is(t.outcome.last->value, "-1"));
    assert_true(slice_is(t.outcome.last->key, "7"));
    tree_release(&t);
    /* a field that a condition names in brackets is one of other instances: the one judged has no value of it */
    r = begin(&t, &o, PAIR "    require count(Row[Quantity > 0]) > 9 else FEW\n}\n");
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 7\nStatus = open\nRow {\nNo = 1\n}\n"), SKIP);
    assert_true(slice_is(t.outcome.last->field, "Quantity") && t.outcome.last->value.n == 0);
    tree_release(&t);
    /* a skip ends the judging */
    r = begin(&t, &o, PAIR "    require Name else skip A \"a\"\n    require Status else B \"b\"\n}\n");
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\n"), SKIP);
    assert_string_equal(tree_findings(&t), "skip A a\n");
    run_unjudged(r);
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\n"), OK);
    tree_release(&t);
}

static int next_number(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct tree *t = owner;
    (void)ps;
    assert_true(slice_is(name, "numbers"));
    *out = arena_printf(a, "%zu", ++t->nformats);
    return OK;
}

/* A number is taken only when every require has passed, of lines too. */
static void test_next(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r =
        begin(&t, &o,
              "mapping left => right\nOrder => Sale {\n    let own = next(\"numbers\")\n"
              "    $own => Info/Number\n    concat(\"T\", $own) => Info/Title\n"
        "    Row => Line {\n        require Quantity else X \"x\"\n        require Quantity > 0 else skip Y\n"
        "        key No => Code\n    }\n}\n");
    o.sequence_next = next_number;
    t.nformats = 100;
    run(&t, r, tree_message(&t, t.mapping->left, four_rows), SKIP);
    assert_string_equal(tree_findings(&t), "reject X x\nskip Y \n");
    assert_int_equal(t.nformats, 100);
    assert_string_equal(run(&t, r, tree_message(&t, t.mapping->left,
                                                "Row {\nNo = 1\nQuantity = 1\n}\nRow {\nNo = 2\nQuantity = 0\n}\n"),
                                                OK),
        "Info {\nNumber = \"101\"\nTitle = \"T101\"\n}\nLine {\nCode = \"1\"\n}\n");
    assert_string_equal(tree_findings(&t), "skip Y \n");
    tree_release(&t);
}

static void test_report(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, PAIR "    require Name else X \"no name\"\n}\n");
    tree_format(&t, "log",
                "syntax csv\nmessage Entry {\n    Key text\n    What text\n    Text text\n    All text\n}\n");
    struct mapping *m = t.mapping;
    assert_int_equal(tree_mapping(&t, "mapping left => log\ntable word key O columns Shown {\n    reject refused\n}\n"
        "$outcome/Problem[Text] => Entry {\n    ../../Id => Key\n    $word[Outcome] => What\n    Text => Text\n"
        "    $outcome/Text => All\n}\n"), OK);
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, m, MAPPING_FORWARD, &o, &t.problems), *report = run_new(&t.arena, t.mapping,
            MAPPING_FORWARD, &o, &t.problems);
    struct node *n = tree_message(&t, m->left, "Id = 9\n");
    run(&t, r, n, SKIP);
    struct node *said = outcome_node(&t.message, outcome_format(&t.arena), n, &t.outcome);
    t.ngiven = 0;
    assert_true(run_has_log(report));
    assert_int_equal(run_report(report, n, said, &t.message, tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 0);
    assert_int_equal(run_log(report, n, said, &t.message, tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 1);
    assert_string_equal(tree_dump(&t, t.given[0]),
                        "Key = \"9\"\nWhat = \"refused\"\nText = \"no name\"\nAll = \"no name\"\n");
    assert_true(slice_is(value_text(&said->values[0]), "rejected"));
    tree_release(&t);
}

/* Findings of a log have no nodes; those of the run at hand take operation and time from the outcome. */
static void test_log(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, PAIR "}\n");
    tree_format(&t, "log", "syntax csv\nmessage Entry {\n    Id text\n    Line text\n    Step text\n    At datetime\n"
                "    State text\n    Lines integer\n}\n");
    const struct format *left = t.mapping->left;
    assert_int_equal(tree_mapping(&t, "mapping left => log\n$outcome/Problem[Text] => Entry {\n    Key => Id\n"
        "    Line => Line\n    Operation => Step\n    Time => At\n    ../State => State\n    count(../../Row) => Lines\n}\n"
        "Order => Entry {\n    Id => Id\n    $outcome/Code => Step\n}\n"), OK);
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    struct node *empty = node_new(&t.message, left->messages[0], NULL);
    struct outcome said = { .operation = SLICE("send"), .time = SLICE("2026-03-02T08:00:00") };
    struct finding findings[] = {
        { .kind = OUTCOME_WAIT, .code = SLICE("A"), .text = SLICE("wait"), .key = SLICE("7"), .operation = SLICE("old"),
          .time = SLICE("2026-03-01T08:00:00") },
        { .kind = OUTCOME_SKIP, .code = SLICE("B"), .text = SLICE("left out"), .key = SLICE("7"), .line = SLICE("2") },
    };
    outcome_add(&said, &findings[1], empty);
    assert_int_equal(said.kind, OUTCOME_NONE);      /* a line only */
    outcome_add(&said, &findings[0], empty);
    assert_int_equal(said.kind, OUTCOME_WAIT);
    assert_int_equal(said.n, 2);
    struct node *tree = outcome_node(&t.message, outcome_format(&t.arena), empty, &said);
    assert_int_equal(run_log(r, empty, tree, &t.message, tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 2);
    assert_string_equal(tree_dump(&t, t.given[0]), "Id = \"7\"\nLine = \"2\"\nStep = \"send\"\n"
        "At = \"2026-03-02T08:00:00\"\nState = \"waiting\"\nLines = \"0\"\n");
    assert_string_equal(tree_dump(&t, t.given[1]), "Id = \"7\"\nStep = \"old\"\nAt = \"2026-03-01T08:00:00\"\n"
        "State = \"waiting\"\nLines = \"0\"\n");
    t.ngiven = 0;
    struct node *n = tree_message(&t, left, "Id = 7\n");
    assert_int_equal(run_report(r, n, outcome_node(&t.message, outcome_format(&t.arena), n, &said), &t.message,
                                tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 1);
    assert_string_equal(tree_dump(&t, t.given[0]), "Id = \"7\"\nStep = \"A\"\n");
    tree_release(&t);
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void test_totals(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r =
        begin(&t, &o,
              "mapping left => right\nlet named = count(Order[Name])\nbatch-id() => /Owner\n"
              "sum(Order/Row/Quantity) => /Total\n"
        "Order => Sale {\n    require Id else skip X\n    key Id => Info/Number\n}\n/.[$named > 0] => Sale {\n"
        "    concat(\"named \", $named) => Info/Number\n}\n"
        "/.[not($named > 0)] => Sale {\n    \"none\" => Info/Number\n}\n");
    run_source_file(r, node_new(&t.arena, t.mapping->left->file_group, NULL));
    assert_string_equal(tree_dump(&t, run_file(r)), "Owner = \"B-1\"\n");
    run(&t, r, tree_message(&t, t.mapping->left, four_rows), OK);
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 2\nName = n\nRow {\nQuantity = 0.5\n}\n"), OK);
    run(&t, r, tree_message(&t, t.mapping->left, "Name = n\nRow {\nQuantity = 99\n}\n"), SKIP);
    t.ngiven = 0;
    assert_int_equal(run_finish(r, &t.message, &t.outcome, tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 1);
    assert_string_equal(tree_dump(&t, t.given[0]), "Info {\nNumber = \"named 1\"\n}\n");
    assert_string_equal(tree_dump(&t, run_file(r)), "Owner = \"B-1\"\nTotal = \"4.5\"\n");
    tree_release(&t);
}

static void test_file_requires(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t,
         "mapping left => right\nparam a text\nparam b text = \"x\"\n"
         "require $a and $a != $b else BAD \"set a, other than {$b}\"\n"
             "Order => Sale {\n    key Id => Info/Number\n}\n");
    tree_outside(&t, &o);
    assert_null(run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems));
    assert_non_null(strstr(tree_problems(&t), "set a, other than x [BAD]"));
    t.params[0] = "a";
    t.params[1] = "y";
    assert_non_null(run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems));
    tree_release(&t);
}

static void test_sort(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r =
        begin(&t, &o, "mapping left => right\nsort Name descending, Id\nOrder => Sale {\n    key Id => Info/Number\n"
        "    Row => Line {\n        key No => Code\n        Quantity => Count\n"
        "        sort Count, Code descending\n    }\n}\n");
    run(&t, r, tree_message(&t, t.mapping->left,
                            "Id = 3\nName = a\nRow {\nNo = 1\nQuantity = 10\n}\nRow {\nNo = 2\nQuantity = 9\n"
                            "}\nRow {\nNo = 3\nQuantity = 9.0\n}\n"), OK);
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 10\nName = b\n"), OK);
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 2\nName = a\n"), OK);
    arena_reset(&t.message);
    t.ngiven = 0;
    assert_int_equal(run_finish(r, &t.message, &t.outcome, tree_give, &t, &t.problems), OK);
    assert_int_equal(t.ngiven, 3);
    assert_string_equal(tree_dump(&t, t.given[0]), "Info {\nNumber = \"10\"\n}\n");
    assert_string_equal(tree_dump(&t, t.given[1]), "Info {\nNumber = \"2\"\n}\n");
    assert_string_equal(tree_dump(&t, t.given[2]),
        "Info {\nNumber = \"3\"\n}\nLine {\nCode = \"3\"\nCount = \"9.0\"\n}\nLine {\nCode = \"2\"\n"
        "Count = \"9\"\n}\nLine {\nCode = \"1\"\nCount = \"10\"\n}\n");
    tree_release(&t);
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

static void test_blocks_and_places(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r = begin(&t, &o, "mapping left => right\nblock where {\n    Street => Street\n    City => Town\n}\n"
        "Order => Sale {\n    key Id => Info/Number\n    Address => . {\n        use where\n    }\n"
        "    Name => Line[Code = \"n\" and Item = \"i\"]/Count\n"
        "    \"x\" => Line[\"k\"]/Item\n    .[Phone] => Line {\n        \"phone\" => Code\n    }\n}\n");
    assert_string_equal(run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\nName = 5\nAddress {\nCity = Oslo\n}\n"),
                            OK),
        "Info {\nNumber = \"1\"\n}\nTown = \"Oslo\"\nLine {\nCode = \"n\"\nItem = \"i\"\nCount = \"5\"\n}\n"
        "Line {\nCode = \"k\"\nItem = \"x\"\n}\n");
    assert_string_equal(run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\nPhone = 5\n"), OK),
        "Info {\nNumber = \"1\"\n}\nLine {\nCode = \"k\"\nItem = \"x\"\n}\nLine {\nCode = \"phone\"\n}\n");
    tree_release(&t);
}

static void test_lets_once(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r = begin(&t, &o, "mapping left => right\ntable t key A columns B {\n    a x\n}\n"
        "Order => Sale {\n    let b = $t[Name]/B\n    require not(Phone) or $b else X \"no row for {Name}\"\n"
        "    key Id => Info/Number\n"
        "    Row => Line {\n        let two = Quantity * 2\n        key No => Code\n        $two => Count\n"
        "        if(Product, $b) => Item\n    }\n}\n");
    assert_string_equal(run(&t, r, tree_message(&t, t.mapping->left,
        "Id = 1\nName = a\nRow {\nNo = 1\nQuantity = 2\nProduct = p\n}\nRow {\nNo = 2\nQuantity = 3\n}\n"), OK),
        "Info {\nNumber = \"1\"\n}\nLine {\nCode = \"1\"\nItem = \"x\"\nCount = \"4\"\n}\nLine {\n"
        "Code = \"2\"\nCount = \"6\"\n}\n");
    /* missing, and guarded by a condition or never needed */
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\nName = b\n"), OK);
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\nName = b\nPhone = 1\n"), SKIP);
    assert_string_equal(tree_findings(&t), "reject X no row for b\n");
    run(&t, r, tree_message(&t, t.mapping->left, "Id = 1\nName = b\nRow {\nNo = 1\nProduct = p\n}\n"), SKIP);
    assert_non_null(strstr(tree_findings(&t), "reject TABLE_MISS \"b\" is in no row of table t"));
    tree_release(&t);
}

static int number_next(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct tree *t = owner;
    (void)name, (void)a, (void)ps;
    t->rc++;
    *out = SLICE("1");
    return OK;
}

/* Lines that are skipped take their message with them when it must have some; no number is taken for it. */
static void test_emptied(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, PAIR "}\n");
    tree_format(&t, "must", "syntax xml\nmessage Sale key Id {\n    Id integer\n    No integer\n    group Line 1..* {\n"
                "        Code text\n    }\n}\n");
    assert_int_equal(tree_mapping(&t, "mapping left => must\nOrder => Sale {\n    Id => Id\n    next(\"n\") => No\n"
        "    Row[No != 9] => Line {\n        require Quantity > 0 else skip LOW\n        No => Code\n    }\n"
        "    Row[No = 9] => Line {\n        require Quantity else skip NONE\n        \"9\" => Code\n    }\n}\n"), OK);
    tree_outside(&t, &o);
    o.sequence_next = number_next;
    t.rc = 0;
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    const struct format *left = t.mapping->left;
    run_note_taken(r);
    run(&t, r, tree_message(&t, left, "Id = 1\nRow {\nNo = 1\n}\nRow {\nNo = 9\n}\n"), SKIP);
    assert_int_equal(t.ngiven, 0);
    assert_int_equal(t.rc, 0);
    assert_int_equal(t.outcome.kind, OUTCOME_SKIP);
    assert_string_equal(tree_findings(&t), "skip LOW \nskip NONE \n");
    struct node *n = tree_message(&t, left, "Id = 1\n"), *said = outcome_node(&t.message, outcome_format(&t.arena), n,
                                                                              &t.outcome);
    assert_true(slice_is(value_text(&said->values[0]), "skipped"));
    assert_true(slice_is(value_text(&said->values[1]), "LOW"));
    assert_string_equal(run(&t, r, tree_message(&t, left, "Id = 1\nRow {\nNo = 1\n}\nRow {\nNo = 9\nQuantity = 1\n}\n"),
                            OK), "Id = \"1\"\nNo = \"1\"\nLine {\nCode = \"9\"\n}\n");
    assert_int_equal(t.rc, 1);
    /* none were there: that is for the writer to refuse */
    run(&t, r, tree_message(&t, left, "Id = 1\n"), OK);
    assert_int_equal(t.ngiven, 1);
    edits_init(&t.edits, &t.message);
    n = tree_message(&t, left, "Id = 1\nRow {\nNo = 1\n}\n");
    assert_int_equal(run_update(r, NULL, n, 1, &t.message, &t.edits, &t.outcome, &t.problems), SKIP);
    assert_int_equal(t.edits.n, 0);
    tree_release(&t);
}

/* Members of the file that come with the first message, as those of JSON lines do. */
static void test_file_members_late(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    load(&t, "mapping left => right\nOrder => Sale {\n    key Id => Info/Number\n}\n");
    tree_format(&t, "lines", "syntax json lines\nBatch text\nmessage Order key Id {\n    Id integer\n}\n");
    assert_int_equal(tree_mapping(&t, "mapping lines => right\n/Batch => /Owner\nOrder => Sale {\n"
                                  "    key Id => Info/Number\n}\n"), OK);
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    struct node *n = tree_message(&t, t.mapping->left, "Id = 1\n");
    run_source_file(r, n->parent);
    assert_string_equal(tree_dump(&t, run_file(r)), "");
    n->parent->values[0] = (struct value){ .p = "B-7", .n = 3, .state = VALUE_PRESENT };
    run(&t, r, n, OK);
    assert_string_equal(tree_dump(&t, run_file(r)), "Owner = \"B-7\"\n");
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward_create),
        cmocka_unit_test(test_required_param),
        cmocka_unit_test(test_outcomes), cmocka_unit_test(test_next), cmocka_unit_test(test_report),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_file_requires), cmocka_unit_test(test_sort), cmocka_unit_test(test_blocks_and_places),
        cmocka_unit_test(test_lets_once), cmocka_unit_test(test_emptied), cmocka_unit_test(test_file_members_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
