/* What a run leaves behind on the side that it reads: results given back by rows against the arrow, instances taken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tree.h"

static const char *const order_format =
    "syntax json lines\nmessage Order key No {\n    No text required\n    Kind text\n    Own integer\n    Invoice text\n"
    "    Action text\n    Sum decimal lax\n    group Result {\n        Text text\n    }\n"
    "    group Ref 0..* key Type {\n        Type text\n        Value text\n    }\n"
    "    group Line 0..* key Item {\n        Item text required\n        Quantity decimal lax\n        Pos integer\n"
    "        Price decimal\n    }\n    group Note 0..* {\n        Text text\n    }\n}\n";

static const char *const invoice_format =
    "syntax json lines\nmessage Invoice key InvoiceNo {\n    InvoiceNo text\n    Revision integer\n    Total decimal lax\n"
    "    group Row 0..* key Item {\n        Item text\n        Quantity decimal\n        Price decimal\n    }\n"
    "    group Head {\n        Mark text\n    }\n}\n";

struct back {
    struct tree t;
    struct outside o;
    struct run *run;
    int number;
};

static int number_next(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct back *b = owner;
    (void)ps;
    assert_true(slice_is(name, "own"));
    *out = arena_printf(a, "%d", ++b->number);
    return OK;
}

static void begin(struct back *b, const char *map)
{
    *b = (struct back){ .number = 100 };
    tree_init(&b->t);
    tree_format(&b->t, "o", order_format);
    tree_format(&b->t, "i", invoice_format);
    if (tree_mapping(&b->t, map) != OK)
        fail_msg("%s", tree_problems(&b->t));
    tree_outside(&b->t, &b->o);
    b->o.owner = b;
    b->o.param = NULL;
    b->o.sequence_next = number_next;
    b->run = run_new(&b->t.arena, b->t.mapping, b->t.mapping->arrow == ARROW_LEFT ? MAPPING_BACKWARD : MAPPING_FORWARD,
                     &b->o, &b->t.problems);
    assert_non_null(b->run);
    run_note_taken(b->run);
}

static int give(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    struct back *b = owner;
    return tree_give(&b->t, targets, n, ps);
}

static struct node *message(struct back *b, const char *text)
{
    return tree_message(&b->t, b->t.mapping->arrow == ARROW_LEFT ? b->t.mapping->right : b->t.mapping->left, text);
}

/* The edits of the source, then what was found. */
static const char *given_back(struct back *b)
{
    edits_init(&b->t.edits, &b->t.message);
    run_back(b->run, &b->t.edits);
    return arena_printf(&b->t.arena, "%s%s", tree_edits(&b->t), tree_findings(&b->t)).p;
}

static void gives(const char *map, const char *source, const char *want)
{
    struct back b;
    begin(&b, map);
    assert_true(mapping_gives_back(b.t.mapping));
    struct node *n = message(&b, source);
    int rc = run_message(b.run, n, 1, &b.t.message, &b.t.outcome, give, &b, &b.t.problems);
    const char *got = rc == OK ? given_back(&b) : tree_findings(&b.t);
    if (strcmp(got, want) != 0)
        fail_msg("got\n%swanted\n%s", got, want);
    tree_release(&b.t);
}

#define NO "No => InvoiceNo\n    "

/* ---- given back ------------------------------------------------------------------------------------------------- */

static void a_target_gives_back(void **state)
{
    (void)state;
    gives("mapping o => i\nOrder => Invoice {\n    concat(\"I-\", No) => InvoiceNo\n    Invoice <= InvoiceNo\n"
          "    Action <= \"new\"\n    Result/Text <= concat(InvoiceNo, \"!\")\n}\n", "No = 7\nInvoice = I-6\n",
          "set Invoice = I-7\nset Action = new\ninsert Result\nText = \"I-7!\"\n");
    /* nothing takes away; what is so already is no change */
    gives("mapping o => i\nOrder => Invoice {\n    No => InvoiceNo\n    Invoice <= InvoiceNo\n    Own <= Revision\n"
          "    Result/Text <= Head/Mark\n}\n", "No = 7\nInvoice = 7\nOwn = 5\n", "set Own = \n");
    gives("mapping o => i\nOrder => Invoice {\n    No => InvoiceNo\n    Ref[\"IV\"]/Value <= InvoiceNo\n"
          "    Ref[\"ID\"]/Value <= batch-id()\n}\n", "No = 7\nRef {\nType = IV\n}\n",
          "set Ref[1]/Value = 7\ninsert Ref\nType = \"ID\"\nValue = \"B-1\"\n");
    gives("mapping i <= o\nInvoice <= Order {\n    InvoiceNo <= No\n    concat(InvoiceNo, \"x\") => Invoice\n}\n",
          "No = 7\n", "set Invoice = 7x\n");
}

static void lines_give_back(void **state)
{
    (void)state;
    gives("mapping o => i\nOrder => Invoice {\n    " NO "Line[Quantity > 0] => Row {\n"
          "        require Item != \"C\" else skip NO_C\n        Item => Item\n        position() => Price\n"
          "        let mine = position() * 10\n        Price <= Price + $mine\n        Pos <= $mine\n    }\n"
          "    Action <= count(Row)\n}\n",
          "No = 7\nLine {\nItem = A\nQuantity = 0\n}\nLine {\nItem = B\nQuantity = 2\n}\nLine {\nItem = C\n"
          "Quantity = 3\n}\nLine {\nItem = D\nQuantity = 4\nPos = 30\n}\n",
          "set Line[2]/Price = 11\nset Line[2]/Pos = 10\nset Line[4]/Price = 33\nset Action = 2\nskip NO_C \n");
}

/* The number that the target got is the one given back, leased once and after every require. */
static void a_let_is_the_same(void **state)
{
    struct back b;
    (void)state;
    begin(&b, "mapping o => i\nOrder => Invoice {\n    require Kind != \"bad\" else BAD\n    let own = next(\"own\")\n"
          "    $own => InvoiceNo\n    Own <= $own\n    Line => Row {\n        require Quantity > 0 else QUANTITY\n"
          "        Item => Item\n        Pos <= $own\n    }\n}\n");
    struct node *n = message(&b, "No = 7\nLine {\nItem = A\nQuantity = 1\n}\n");
    assert_int_equal(run_message(b.run, n, 1, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    assert_string_equal(given_back(&b), "set Line[1]/Pos = 101\nset Own = 101\n");
    assert_string_equal(tree_dump(&b.t, b.t.given[0]), "InvoiceNo = \"101\"\nRow {\nItem = \"A\"\n}\n");
    n = message(&b, "No = 8\nLine {\nItem = A\nQuantity = 0\n}\n");
    assert_int_equal(run_message(b.run, n, 2, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), SKIP);
    n = message(&b, "No = 9\nOwn = 3\n");
    assert_int_equal(run_message(b.run, n, 3, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    assert_string_equal(given_back(&b), "set Own = 102\n");
    edits_apply(&b.t.edits, &b.t.message);
    assert_true(slice_is(value_text(node_value(n, group_field(n->group, SLICE("Own")))), "102"));
    assert_int_equal(b.number, 102);
    tree_release(&b.t);
}

static void what_does_not_fit_rejects(void **state)
{
    (void)state;
    gives("mapping o => i\nOrder => Invoice {\n    No => InvoiceNo\n    Own <= InvoiceNo\n}\n", "No = x7\n",
          "reject NUM_BAD \"x7\" is not an integer (test.map:4)\n");
    gives("mapping o => i\nOrder => Invoice {\n    " NO "Sum => Total\n    Sum <= Total\n    Action <= Total\n}\n",
          "No = 7\nSum = 1O\n", "set Action = 1O\n");
}

/* Update mode: `<=` rows see what the others have made of the instance, and `$old` as it was. */
static void an_update_gives_back(void **state)
{
    struct back b;
    (void)state;
    begin(&b, "mapping o => i\nOrder => Invoice {\n    let merged = $old\n    key No => InvoiceNo\n"
          "    ($old/Revision | 0) + 1 => Revision\n    Own <= Revision\n"
          "    Action <= if($merged, \"consolidated\", \"new\")\n    Invoice <= $old/Revision\n    Sum <= count(Row)\n"
          "    Kind <= $merged/Revision\n"
          "    Line => Row {\n        key Item => Item\n        ($old/Quantity | 0) + Quantity => Quantity\n"
          "        Price <= Quantity\n        missing keep\n    }\n}\n");
    struct node *n = message(&b, "No = 7\nLine {\nItem = A\nQuantity = 1\n}\nLine {\nItem = B\nQuantity = 5\n}\n");
    struct node *old = tree_message(&b.t, b.t.mapping->right,
                                    "InvoiceNo = 7\nRevision = 3\nRow {\nItem = A\nQuantity = 4\n}\n");
    edits_init(&b.t.edits, &b.t.message);
    assert_int_equal(run_update(b.run, old, n, 1, &b.t.message, &b.t.edits, &b.t.outcome, &b.t.problems), OK);
    assert_string_equal(tree_edits(&b.t), "set Revision = 4\nset Row[1]/Quantity = 5\ninsert Row\nItem = \"B\"\n"
                        "Quantity = \"5\"\n");
    assert_string_equal(given_back(&b), "set Line[1]/Price = 5\nset Line[2]/Price = 5\nset Own = 4\n"
                        "set Action = consolidated\nset Invoice = 3\nset Sum = 2\nset Kind = 3\n");
    assert_string_equal(tree_dump(&b.t, old), "InvoiceNo = \"7\"\nRevision = \"3\"\nRow {\nItem = \"A\"\n"
                        "Quantity = \"4\"\n}\n");
    edits_init(&b.t.edits, &b.t.message);
    assert_int_equal(run_update(b.run, NULL, n, 2, &b.t.message, &b.t.edits, &b.t.outcome, &b.t.problems), OK);
    assert_string_equal(given_back(&b), "set Line[1]/Price = 1\nset Line[2]/Price = 5\nset Own = 1\nset Action = new\n"
                        "set Sum = 2\n");
    tree_release(&b.t);
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

static void refused(const char *rows, const char *want)
{
    struct back b = { 0 };
    tree_init(&b.t);
    tree_format(&b.t, "o", order_format);
    tree_format(&b.t, "i", invoice_format);
    assert_int_equal(tree_mapping(&b.t, arena_printf(&b.t.arena, "mapping o => i\n%s", rows).p), STOP);
    assert_string_equal(tree_problems(&b.t), want);
    tree_release(&b.t);
}

static void only_fields_of_the_message(void **state)
{
    (void)state;
    refused("Order => Invoice {\n    " NO "Line <= Row {\n        Item => Item\n    }\n}\n",
            "maps/test.map:4:5: error: the header says `=>`: only values are given back by `<=` [MAP_BACK]\n"
            "        Line <= Row {\n        ^^^^ write such rows into the group row\n");
    refused("Order => Invoice {\n    " NO "key Own <= Revision\n}\n",
            "maps/test.map:4:5: error: the header says `=>`: only values are given back by `<=`, no keys [MAP_BACK]\n"
            "        key Own <= Revision\n        ^^^\n");
    refused("Order => Invoice {\n    " NO "Line => Row {\n        Item => Item\n        ../Own <= Price\n    }\n}\n",
            "maps/test.map:6:9: error: a row cannot write above its own group [MAP_FIELD]\n"
            "            ../Own <= Price\n            ^^ write the row one level higher\n");
    refused("Order => Invoice {\n    " NO "Own <= batch-time()\n}\n",
            "maps/test.map:4:12: error: datetime never becomes integer: Own [MAP_TYPE]\n"
            "        Own <= batch-time()\n               ^^^^^^^^^^^^ is another field meant? else write a conversion, as "
            "`number(x)`, `date(x)` or `text(x, pattern)`\n");
    refused("Order => Invoice {\n    " NO "Own <= Revision\n    Own <= 4\n}\n",
            "maps/test.map:5:5: error: two rows write Own [MAP_TWICE]\n"
            "        Own <= 4\n        ^^^ line 4 fills it already: join the two, as `a | b` or if()\n");
    refused("Order => Invoice {\n    " NO "Own <= Invoice\n}\n",
            "maps/test.map:4:12: error: no field \"Invoice\" in Invoice [MAP_NO_FIELD]\n"
            "        Own <= Invoice\n               ^^^^^^^ did you mean `InvoiceNo`?\n");
    refused("$outcome/Problem => Invoice {\n    Key => InvoiceNo\n    Text <= InvoiceNo\n}\n",
            "maps/test.map:4:5: error: a result is given back to the message, and this is not a field of one [MAP_BACK]\n"
            "        Text <= InvoiceNo\n        ^^^^ put the row into the group row of the message or of its lines\n");
}

/* ---- the whole mapping ------------------------------------------------------------------------------------------ */

static void count_line(void *owner, uint32_t line, uint64_t times)
{
    uint64_t *counts = owner;
    counts[line] += times;
}

static void authors_see_them(void **state)
{
    struct back b;
    struct correspondence *rows;
    struct mutant *mutants;
    uint64_t counts[16] = { 0 };
    (void)state;
    begin(&b, "mapping o => i\nOrder => Invoice {\n    No => InvoiceNo\n    Invoice <= InvoiceNo\n}\n");
    assert_int_equal(mapping_correspondences(&b.t.arena, b.t.mapping, &rows), 3);
    assert_true(slice_is(rows[2].how, "given back"));
    assert_int_equal(rows[2].arrow, ARROW_LEFT);
    assert_true(slice_is(rows[2].left_field->name, "Invoice"));
    assert_int_equal(mapping_mutants(&b.t.arena, b.t.mapping, &mutants), 3);
    for (const struct loss *l = mapping_losses(&b.t.arena, b.t.mapping); l; l = l->next)
        assert_false(l->kind == LOSS_DROPPED && slice_is(l->path, "Order/Invoice"));
    struct node *n = message(&b, "No = 7\n");
    assert_int_equal(run_message(b.run, n, 1, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    run_coverage(b.run, count_line, counts);
    assert_int_equal(counts[4], 1);
    tree_release(&b.t);
    begin(&b, "mapping o => i\nOrder => Invoice {\n    No => InvoiceNo\n}\n");
    assert_false(mapping_gives_back(b.t.mapping));
    tree_release(&b.t);
}

/* ---- instances taken -------------------------------------------------------------------------------------------- */

static const char *taken(struct back *b)
{
    struct node *const *list;
    size_t n;
    struct slice s = SLICE("");
    run_taken(b->run, &list, &n);
    for (size_t i = 0; i < n; i++) {
        struct slice path = node_path(&b->t.arena, list[i], NULL);
        s = arena_printf(&b->t.arena, "%.*s%s%.*s", SLICE_ARG(s), i ? " " : "",
                         SLICE_ARG(path.n ? path : list[i]->group->name));
    }
    return arena_cstr(&b->t.arena, s);
}

static void instances_are_taken_once(void **state)
{
    struct back b;
    (void)state;
    begin(&b, "mapping o => i\nOrder[Kind != \"no\"] => Invoice {\n    require not(Kind = \"bad\") else BAD\n"
          "    key No => InvoiceNo\n    Line[Quantity > 0] => Row {\n        require Item != \"C\" else skip NO_C\n"
          "        key Item => Item\n    }\n    .[Kind] => Head {\n        Kind => Mark\n    }\n}\n"
          "Order/Note[Text] => Invoice {\n    Text => InvoiceNo\n}\n");
    struct node *n = message(&b, "No = 7\nKind = x\nLine {\nItem = A\n}\nLine {\nItem = B\nQuantity = 2\n}\nLine {\n"
                             "Item = C\nQuantity = 3\n}\nLine {\nItem = D\nQuantity = 4\n}\n");
    assert_int_equal(run_message(b.run, n, 1, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    assert_string_equal(taken(&b), "Order Line[2] Line[4]");
    n = message(&b, "No = 7\nKind = bad\nLine {\nItem = B\nQuantity = 2\n}\n");
    assert_int_equal(run_message(b.run, n, 2, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), SKIP);
    n = message(&b, "No = 7\nKind = no\nNote {\n}\n");
    assert_int_equal(run_message(b.run, n, 2, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    assert_string_equal(taken(&b), "");
    n = message(&b, "No = 7\nKind = no\nNote {\n}\nNote {\nText = x\n}\n");
    assert_int_equal(run_message(b.run, n, 2, &b.t.message, &b.t.outcome, give, &b, &b.t.problems), OK);
    assert_string_equal(taken(&b), "Order Note[2]");
    tree_release(&b.t);
}

static void an_update_takes_too(void **state)
{
    struct back b;
    (void)state;
    begin(&b, "mapping o => i\nOrder => Invoice {\n    key No => InvoiceNo\n    Line => Row {\n"
          "        require Quantity else skip NONE\n        key Item => Item\n        Quantity => Quantity\n"
          "        new ignore\n    }\n}\n");
    struct node *n = message(&b, "No = 7\nLine {\nItem = A\n}\nLine {\nItem = B\nQuantity = 5\n}\nLine {\nItem = N\n"
                             "Quantity = 5\n}\n");
    struct node *old = tree_message(&b.t, b.t.mapping->right,
                                    "InvoiceNo = 7\nRow {\nItem = A\n}\nRow {\nItem = B\n}\n");
    edits_init(&b.t.edits, &b.t.message);
    assert_int_equal(run_update(b.run, old, n, 1, &b.t.message, &b.t.edits, &b.t.outcome, &b.t.problems), OK);
    assert_string_equal(taken(&b), "Order Line[2]");
    edits_init(&b.t.edits, &b.t.message);
    assert_int_equal(run_update(b.run, NULL, n, 1, &b.t.message, &b.t.edits, &b.t.outcome, &b.t.problems), OK);
    assert_string_equal(taken(&b), "Order Line[2] Line[3]");
    tree_release(&b.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_gives_back), cmocka_unit_test(lines_give_back), cmocka_unit_test(a_let_is_the_same),
        cmocka_unit_test(what_does_not_fit_rejects), cmocka_unit_test(an_update_gives_back),
        cmocka_unit_test(only_fields_of_the_message), cmocka_unit_test(authors_see_them),
        cmocka_unit_test(instances_are_taken_once), cmocka_unit_test(an_update_takes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
