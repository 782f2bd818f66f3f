/* What `check` refuses and warns of in mappings: text, place and caret of LANGUAGE.md section 8, and
   hints that mend. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tree.h"

static const char *const orders =
    "syntax xml\n"
    "message InvoiceOrder key OrderId {\n"
    "    OrderId integer\n"
    "    CustomerId integer\n"
    "    CustomerDeliveryPhone text\n"
    "    Name text max 40\n"
    "    Status text\n"
    "    When datetime\n"
    "    group InvoiceRow 0..* key RowId {\n"
    "        RowId integer\n"
    "        Quantity decimal\n"
    "        Note text\n"
    "    }\n"
    "    group Party 0..9 key NAD/3035 {\n"
    "        group NAD 1 {\n"
    "            3035 text\n"
    "            3036 text\n"
    "        }\n"
    "    }\n"
    "}\n";

static const char *const ongoing =
    "syntax xml\n"
    "message CustomerOrder key OrderInfo/GoodsOwnerOrderNumber {\n"
    "    group OrderInfo 1 {\n"
    "        GoodsOwnerOrderNumber text required\n"
    "        Total decimal\n"
    "        Day date\n"
    "    }\n"
    "    group Customer 1 {\n"
    "        CustomerNumber text\n"
    "        Name text max 20\n"
    "        TelePhone text\n"
    "        OrderStatus text code (Open, Closed)\n"
    "    }\n"
    "    group Contact 0..* key Type {\n"
    "        Type text\n"
    "        Value text\n"
    "    }\n"
    "    group Line 0..* {\n"
    "        Code text\n"
    "        Count decimal\n"
    "    }\n"
    "}\n";

static void check(struct tree *t, const char *map)
{
    tree_init(t);
    tree_format(t, "orders", orders);
    tree_format(t, "ongoing", ongoing);
    tree_mapping(t, map);
}

static void expect(struct tree *t, const char *text)
{
    const char *all = tree_problems(t);
    if (!strstr(all, text))
        fail_msg("expected\n%s\nin\n%s", text, all);
}

#define KEY_ROW "    key OrderId <=> OrderInfo/GoodsOwnerOrderNumber\n"

/* A mapping of one row in the usual pair, and what check says of it. */
static void row(const char *header, const char *line, const char *want)
{
    struct tree t;
    struct arena a;
    arena_init(&a, 0);
    check(&t, arena_printf(&a, "mapping orders %s ongoing\nInvoiceOrder %s CustomerOrder {\n%s%s\n}\n", header, header,
                           strcmp(header, "=>") == 0 ? "    key OrderId => OrderInfo/GoodsOwnerOrderNumber\n"
                               : KEY_ROW, line).p);
    if (want)
        expect(&t, want);
    else if (t.problems.errors)
        fail_msg("%s", tree_problems(&t));
    tree_release(&t);
    arena_release(&a);
}

static void test_no_field(void **state)
{
    (void)state;
    row("<=>", "    CustomerId                   <=> Custmer/CustomerNumber",
        "maps/test.map:4:38: error: no field \"Custmer\" in CustomerOrder [MAP_NO_FIELD]\n"
        "        CustomerId                   <=> Custmer/CustomerNumber\n"
        "                                         ^^^^^^^ did you mean `Customer`?\n");
    row("=>", "    OrderIdd => Customer/Name", "no field \"OrderIdd\" in InvoiceOrder [MAP_NO_FIELD]");
    row("=>", "    ../../x => Customer/Name", "nothing lies above the file");
}

static void test_path_twice(void **state)
{
    (void)state;
    row("<=>", "    CustomerDeliveryPhone | CustomerDeliveryPhone <=> Customer/TelePhone",
        "maps/test.map:4:29: error: `|` cannot supply CustomerDeliveryPhone twice [MAP_PATH_TWICE]\n"
        "        CustomerDeliveryPhone | CustomerDeliveryPhone <=> Customer/TelePhone\n"
        "                                ^^^^^^^^^^^^^^^^^^^^^ the same path is already the first alternative\n");
}

static void test_one_way(void **state)
{
    (void)state;
    row("<=>", "    substring(Name, 1, 20)       <=> Customer/Name",
        "maps/test.map:4:5: error: substring() cannot be turned round, so this row is not `<=>` [MAP_ONE_WAY]\n"
        "        substring(Name, 1, 20)       <=> Customer/Name\n"
        "        ^^^^^^^^^ write `=>`, and a `<=` row if the way back is needed\n");
    row("<=>", "    OrderId * CustomerId <=> OrderInfo/Total", "[MAP_ONE_WAY]");
    row("<=>", "    OrderId * 2 <=> OrderInfo/Total", NULL);
    row("<=>", "    OrderId * 0 <=> OrderInfo/Total", "[MAP_ONE_WAY]");
    row("<=>", "    OrderId div 3 <=> OrderInfo/Total", "[MAP_ONE_WAY]");
    row("<=>", "    concat(Name, Status) <=> Customer/Name", "[MAP_ONE_WAY]");
    row("<=>", "    concat(Name, Name) <=> Customer/Name", "[MAP_ONE_WAY]");
    row("<=>", "    join(\"/\", Name, Status) <=> Customer/Name", NULL);
    row("=>", "    Name <=> Customer/Name", "the header promises one direction only");
}

static void test_required(void **state)
{
    struct tree t;
    (void)state;
    check(&t, "mapping orders <=> ongoing\nInvoiceOrder <=> CustomerOrder {\n    Name <=> Customer/Name\n}\n");
    expect(&t,
        "maps/test.map:2:1: error: "
        "required field OrderInfo/GoodsOwnerOrderNumber is filled by no row going right [MAP_REQUIRED]\n"
        "    InvoiceOrder <=> CustomerOrder {\n"
        "    ^ add `… => OrderInfo/GoodsOwnerOrderNumber` or drop `required` in ongoing.format:4\n");
    tree_release(&t);
}

static void test_many(void **state)
{
    (void)state;
    row("=>", "    InvoiceRow/Quantity          => OrderInfo/Total",
        "maps/test.map:4:5: error: InvoiceRow occurs 0..*, one value is needed here [MAP_MANY]\n"
        "        InvoiceRow/Quantity          => OrderInfo/Total\n"
        "        ^^^^^^^^^^^^^^^^^^^ say InvoiceRow[1]/…, InvoiceRow[\"key\"]/…, or sum(InvoiceRow/Quantity)\n");
    row("=>", "    sum(InvoiceRow/Quantity) => OrderInfo/Total", NULL);
    row("=>", "    InvoiceRow[1]/Quantity => OrderInfo/Total", NULL);
    row("=>", "    InvoiceRow[last()]/Quantity => OrderInfo/Total", NULL);
    row("=>", "    InvoiceRow[\"7\"]/Quantity => OrderInfo/Total", NULL);
    row("=>", "    InvoiceRow[\"7\", \"8\"]/Quantity => OrderInfo/Total",
        "InvoiceRow has 1 key field, not 2 [MAP_KEY]");
}

static void test_number(void **state)
{
    (void)state;
    row("=>", "    Party[3035 = \"DP\"]/NAD/3036  => Customer/Name",
        "maps/test.map:4:11: error: 3035 is a number here [EXPR_NUMBER]\n"
        "        Party[3035 = \"DP\"]/NAD/3036  => Customer/Name\n"
        "              ^^^^ write ./3035 for the element, or just Party[\"DP\"]\n");
    row("=>", "    Party[\"DP\"]/NAD/3036  => Customer/Name", NULL);
}

static void test_predicate(void **state)
{
    (void)state;
    row("=>", "    CustomerDeliveryPhone        => Contact[length(Type) > 2]/Value",
        "error: this predicate cannot construct anything [MAP_PREDICATE]\n"
        "        CustomerDeliveryPhone        => Contact[length(Type) > 2]/Value\n"
        "                     "
        "                           ^^^^^^^^^^^^^^^^ on the written side only a key, a position or path = constant\n");
    row("=>", "    CustomerDeliveryPhone => Contact[\"phone\"]/Value", NULL);
    row("=>", "    CustomerDeliveryPhone => Contact[Type = \"phone\"]/Value", NULL);
    row("=>", "    CustomerDeliveryPhone => Contact[2]/Value", NULL);
}

static void test_table_not_unique(void **state)
{
    struct tree t;
    (void)state;
    check(&t, "mapping orders <=> ongoing\n"
              "table order-state key Shown columns Stored {\n    Sent OrderState_Sent\n    Open O\n"
              "    Closed C\n    Gone OrderState_Sent\n}\n"
              "InvoiceOrder <=> CustomerOrder {\n" KEY_ROW
              "$order-state[Status]/Stored  <=> Customer/OrderStatus\n}\n");
    expect(&t,
        "maps/test.map:10:1: error: "
        "table order-state: two rows give Stored = \"OrderState_Sent\" (rows 1 and 4) [TABLE_NOT_UNIQUE]\n"
        "    $order-state[Status]/Stored  <=> Customer/OrderStatus\n"
        "    ^^^^^^^^^^^^ backward cannot choose: make Stored unique, add `prefer …`, or write `=>`\n");
    tree_release(&t);
}

static void test_names(void **state)
{
    (void)state;
    row("=>", "    $nam => Customer/Name", "no param, table or let \"$nam\" [MAP_NO_NAME]");
    row("=>", "    uper(Name) => Customer/Name", "no function \"uper\" [EXPR_FUNCTION]");
    row("=>", "    uper(Name) => Customer/Name", "did you mean `upper`?");
    row("=>", "    upper(Name, Name) => Customer/Name", "upper() has 2 arguments here [EXPR_ARGUMENTS]");
    row("=>", "    use adress", "no block \"adress\" [MAP_NO_BLOCK]");
    row("=>", "    Name => Customer", "a field is needed here, Customer is a group [MAP_FIELD]");
    row("=>", "    Name => $x", "[MAP_NO_NAME]");
    row("=>", "    Name => upper(Customer/Name)", "only a field can be written [MAP_FIELD]");
    row("=>", "    InvoiceRow => Customer/Name", "a value is needed here, InvoiceRow is a group [MAP_FIELD]");
    row("=>", "    Name => Line {\n        Name => Code\n    }", "[MAP_GROUP]");
    row("=>", "    require Name els X", "`else` and a CODE are expected here");
    row("=>", "    require Name else nope", "a CODE in capitals is expected here [MAP_CODE]");
    row("=>", "    require Name else rejct NOPE", "did you mean `reject`?");
    row("=>", "    require Name else X \"{Nam}\"", "no field \"Nam\" in InvoiceOrder [MAP_NO_FIELD]");
    row("=>", "    require Name else X \"{Nam\"", "`{` is never closed [EXPR_BRACE]");
}

static void test_template_place(void **state)
{
    (void)state;
    row("=>", "    require Name else X \"a {Name} b {Nam}\"",
        "maps/test.map:4:38: error: no field \"Nam\" in InvoiceOrder [MAP_NO_FIELD]\n"
        "        require Name else X \"a {Name} b {Nam}\"\n"
        "                                         ^^^ did you mean `Name`?\n");
}

static void test_types(void **state)
{
    (void)state;
    row("=>", "    When => OrderInfo/Day", "datetime never becomes date: OrderInfo/Day [MAP_TYPE]");
    row("=>", "    When => OrderInfo/Day", "write `date(When)`");
    row("=>", "    date(When) => OrderInfo/Day", NULL);
    row("=>", "    OrderId => OrderInfo/Day", "integer never becomes date");
    row("=>", "    Name + 1 => OrderInfo/Total", "Name is text, arithmetic needs numbers [EXPR_TYPE]");
    row("=>", "    Name + 1 => OrderInfo/Total", "write `number(Name)`");
    row("=>", "    When = OrderId => OrderInfo/Total", "datetime and integer cannot be compared");
    row("=>", "    \"Opn\" => Customer/OrderStatus", "[MAP_TYPE]");
    row("=>", "    \"x\" => OrderInfo/Total", "\"x\" is not a decimal [MAP_TYPE]");
    row("=>", "    text(Name, \"yyyy\") => Customer/Name", "a pattern belongs to a date or time");
    row("=>", "    text(date(When), \"dd.mm.yyyy\") => Customer/Name", "[FMT_PATTERN]");
}

static void test_twice(void **state)
{
    (void)state;
    row("=>", "    Name => Customer/Name\n    Status => Customer/Name", "two rows write Customer/Name [MAP_TWICE]");
    row("<=>", "    Name <=> Customer/Name\n    Status <=> Customer/Name", NULL);
    row("=>", "    Name => Contact[\"a\"]/Value\n    Status => Contact[\"b\"]/Value", NULL);
}

static void test_conditions(void **state)
{
    (void)state;
    row("=>", "    require next(\"n\") else X", "next() has no place in a condition [EXPR_NEXT]");
    row("=>", "    if(next(\"n\") > 1, Name) => Customer/Name", "next() has no place in a condition [EXPR_NEXT]");
    row("=>", "    next(Name) => Customer/Name", "next() takes the name of a sequence");
    row("=>", "    require true() else X", "this require can never fail [MAP_ALWAYS]");
    row("=>", "    OrderId div CustomerId => OrderInfo/Total", "[MAP_DIV]");
    row("=>", "    round(OrderId div CustomerId, 2) => OrderInfo/Total", NULL);
    row("<=>", "    key Name => Customer/Name", "[MAP_KEY_ONE_WAY]");
    row("<=>", "    InvoiceRow <=> Line {\n        Note <=> Code\n    }", "aligned by position only [MAP_ALIGN]");
    row("=>", "    Name => Customer/Name", "Name holds 40 characters, Name only 20 [MAP_NARROW]");
    row("=>", "    let x = Name", "let x is not used [MAP_UNUSED]");
}

static void test_syntax(void **state)
{
    (void)state;
    row("=>", "    Name = > Customer/Name", "an expression is expected here [EXPR_SYNTAX]");
    row("=>", "    Name Customer/Name", "an arrow is expected here [MAP_SYNTAX]");
    row("=>", "    Name => Customer/Name extra words", "nothing may follow here [MAP_SYNTAX]");
    row("=>", "    concat(Name, => Customer/Name)", "an expression is expected here");
    row("=>", "    consolidate {\n        gate Name else X\n    }",
        "the block does not say what to look among [MAP_CONSOLIDATE]");
    row("=>", "    consolidate {\n        match Name = $old/Customer/Name else skip X\n    }",
        "a search refuses no message: skip has no place here [MAP_CONSOLIDATE]");
    row("=>", "    consolidate {\n        match Name = $old/Customer/Name else X\n        check Name else Y\n    }",
        "the block does not say what it means that no check passed [MAP_CONSOLIDATE]");
    row("=>", "    consolidate {\n        pick Name else X\n    }",
        "\"pick\" is no word of consolidate [MAP_CONSOLIDATE]");
    row("=>", "    consolidate {\n        match Name != $old/Customer/Name else X\n    }",
        "every message is compared with every document [MAP_MATCH_ALL]");
    row("=>", "    consolidate {\n        match Name = $old/Customer/Name and $old/Custmer else X\n    }",
        "no field \"Custmer\" in CustomerOrder [MAP_NO_FIELD]");
    row("=>", "    let n = next(\"n\")\n    consolidate {\n        match $n = $old/OrderInfo/Total else X\n    }",
        "next() has no place in a condition [EXPR_NEXT]");
    row("=>", "    table x key y", "stands at the top of the file only");
}

static void test_after(void **state)
{
    struct tree t;
    (void)state;
    tree_init(&t);
    tree_format(&t, "file", "syntax xml\nHead text\nmessage M {\n    A text\n}\nTail text\nNote text at /Ms/@note\n");
    tree_format(&t, "orders", orders);
    tree_mapping(&t,
                 "mapping file => orders\nM => InvoiceOrder {\n    /Head => Name\n    /Note => Status\n"
                 "    /Tail => CustomerDeliveryPhone\n}\n");
    expect(&t, "maps/test.map:5:5: error: /Tail stands after the messages, it is not read yet here [MAP_AFTER]");
    assert_int_equal(t.problems.errors, 1);
    tree_release(&t);
}

static void test_headers(void **state)
{
    struct tree t;
    (void)state;
    check(&t, "block a {\n    x => y\n}\n");
    expect(&t, "[MAP_HEADER]");
    tree_release(&t);
    check(&t, "mapping orders ongoing\n");
    expect(&t, "an arrow is expected here [MAP_HEADER]");
    tree_release(&t);
    check(&t, "mapping orders => nowhere\n");
    expect(&t, "no format \"nowhere\" [MAP_NO_FORMAT]");
    tree_release(&t);
    tree_init(&t);
    tree_format(&t, "shared", "syntax csv header yes\nencoding iso-8859-1\n");
    tree_format(&t, "orders", orders);
    tree_mapping(&t, "mapping orders => shared\n");
    expect(&t, "format \"shared\" describes no message [MAP_NO_MESSAGE]");
    tree_release(&t);
    check(&t, "");
    assert_int_equal(t.rc, STOP);
    tree_release(&t);
}

/* Ten errors, all told at once; with each hint followed the mapping is good. */
static void test_ten_errors(void **state)
{
    struct tree t;
    (void)state;
    check(&t, "mapping orders => ongoing\n"
              "param owner texxt\n"
              "table x ky A\n"
              "InvoiceOrder => CustomerOrder {\n"
              "    require Nme else X\n"
              "    let a = uper(Name)\n"
              "    key OrdrId => OrderInfo/GoodsOwnerOrderNumber\n"
              "    Name => Custmer/Name\n"
              "    InvoiceRow/Quantity => OrderInfo/Total\n"
              "    When => OrderInfo/Day\n"
              "    $b => Customer/TelePhone\n"
              "    InvoiceRow => Lin {\n        RowId => Code\n    }\n"
              "}\n");
    assert_int_equal(t.problems.errors, 10);
    tree_release(&t);
    check(&t, "mapping orders => ongoing\n"
              "param owner text\n"
              "table x key A\n"
              "InvoiceOrder => CustomerOrder {\n"
              "    require Name else X\n"
              "    let a = upper(Name)\n"
              "    key OrderId => OrderInfo/GoodsOwnerOrderNumber\n"
              "    Name => Customer/Name\n"
              "    sum(InvoiceRow/Quantity) => OrderInfo/Total\n"
              "    date(When) => OrderInfo/Day\n"
              "    $a => Customer/TelePhone\n"
              "    InvoiceRow => Line {\n        RowId => Code\n    }\n"
              "}\n");
    if (t.problems.errors)
        fail_msg("%s", tree_problems(&t));
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_field), cmocka_unit_test(test_path_twice), cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_many), cmocka_unit_test(test_number), cmocka_unit_test(test_predicate),
        cmocka_unit_test(test_table_not_unique),
        cmocka_unit_test(test_names), cmocka_unit_test(test_template_place), cmocka_unit_test(test_types),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_syntax), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_ten_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
