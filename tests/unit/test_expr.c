/* Expressions: precedence, values, nothing, node lists, every function. */
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
    "    Empty text\n"
    "    N decimal\n"
    "    K integer\n"
    "    D date\n"
    "    T time\n"
    "    S datetime\n"
    "    Yes boolean\n"
    "    No boolean\n"
    "    Lax decimal lax\n"
    "    group Row 0..* key No {\n"
    "        No integer\n"
    "        Kind text\n"
    "        Q decimal\n"
    "    }\n"
    "    group One {\n"
    "        X text\n"
    "    }\n"
    "}\n";

static const char *const message =
    "Id = 7\nA = Hello World\nB = ÆØÅ\nEmpty =\nN = 2.50\nK = -3\nD = 2026-02-28\nT = 10:11:12\n"
    "S = 2026-01-02T03:04:05\nYes = true\nNo = false\nLax = 12O\n"
    "Row {\nNo = 1\nKind = a\nQ = 1.5\n}\nRow {\nNo = 2\nKind = b\nQ = 2\n}\nRow {\nNo = 3\nKind = a\n}\n"
    "One {\nX = x\n}\n";

/* The value of an expression as text; "FAULT CODE" when it was refused. */
static void value(const char *expr, const char *want)
{
    struct tree t;
    struct outside o;
    char map[2000];
    tree_init(&t);
    tree_format(&t, "l", left_format);
    tree_format(&t, "r", "syntax xml\nmessage R {\n    V text\n}\n");
    snprintf(map, sizeof map,
             "mapping l => r\nparam p text = \"par\"\nparam flag boolean = \"no\"\n"
             "table tab key A columns B, C {\n    a x 1\n    b y 2\n}\n"
             "table pair key A, B columns C optional {\n    a b both\n}\n"
             "M => R {\n    let twice = join(\",\", A, B)\n    let rowa = $tab[Row[1]/Kind]\n    %s => V\n}\n", expr);
    if (tree_mapping(&t, map) != OK)
        fail_msg("%s: %s", expr, tree_problems(&t));
    tree_outside(&t, &o);
    struct run *r = run_new(&t.arena, t.mapping, MAPPING_FORWARD, &o, &t.problems);
    assert_non_null(r);
    struct node *n = tree_message(&t, t.mapping->left, message);
    int rc = run_message(r, n, 5, &t.message, &t.outcome, tree_give, &t, &t.problems);
    struct slice got = SLICE("");
    if (rc == OK)
        got = value_text(&t.given[0]->values[0]);
    else if (t.outcome.first)
        got = arena_printf(&t.arena, "FAULT %.*s", SLICE_ARG(t.outcome.first->code));
    if (!slice_is(got, want))
        fail_msg("%s: \"%.*s\", not \"%s\"", expr, SLICE_ARG(got), want);
    tree_release(&t);
}

static void test_precedence(void **state)
{
    (void)state;
    value("1 + 2 * 3", "7");
    value("(1 + 2) * 3", "9");
    value("10 - 2 - 3", "5");
    value("-K", "3");
    value("7 mod 4", "3");
    value("1 div 8", "0.125");
    value("2 * 3 | 4", "6");
    value("1 + 1 = 2 and 2 > 1 or false()", "true");
    value("1 > 2 or 2 > 1 and 1 > 2", "false");
    value("not(1 = 2) and A", "true");
    value("N * 2", "5.00");
    value("0.1 + 0.2", "0.3");
}

static void test_nothing_rules(void **state)
{
    (void)state;
    value("Empty = \"\"", "true");
    value("Empty = One/X", "false");
    value("Empty != One/X", "true");
    value("Lax < 5", "false");
    value("Lax > 5", "false");
    value("Lax = \"\"", "true");
    value("Empty | A", "Hello World");
    value("if(Empty, \"a\", \"b\")", "b");
    value("if(Empty, \"a\")", "");
    value("exists(Empty)", "true");
    value("exists(Row[\"9\"]/Kind)", "false");
    value("raw(Lax)", "12O");
    value("(Lax * 2) | 1", "1");
    value("Yes", "true");
    value("if(No, 1, 2)", "2");
    value("if($flag, 1, 2)", "2");
}

static void test_lists(void **state)
{
    (void)state;
    value("count(Row)", "3");
    value("count(Row[Kind = \"a\"])", "2");
    value("sum(Row/Q)", "3.5");
    value("sum(Row[Kind = \"z\"]/Q)", "0");
    value("join(\"-\", Row/Kind)", "a-b-a");
    value("Row/Kind = \"b\"", "true");
    value("Row/Kind = \"z\"", "false");
    value("\"b\" = Row/Kind", "true");
    value("not(Row[Kind = \"z\"])", "true");
    value("Row[2]/Kind", "b");
    value("Row[last()]/No", "3");
    value("Row[Kind = \"a\"][2]/No", "3");
    value("Row[Kind = \"a\"][last()]/No", "3");
    value("Row[\"2\"]/Kind", "b");
    value("Row[position() = 2]/Kind = \"b\"", "true");
    value("Row[../K = -3][1]/No", "1");
    value("join(\",\", Row[Q > 1]/No)", "1,2");
    value("if(Row[Q > 1.9], \"big\", \"small\")", "big");
}

static void test_texts(void **state)
{
    (void)state;
    value("concat(A, \"-\", K)", "Hello World--3");
    value("join(\", \", A, Empty, \"z\")", "Hello World, z");
    value("substring(A, 2, 3)", "ell");
    value("substring(B, 2, 1)", "Ø");
    value("substring(A, 0, 3)", "He");
    value("substring(A, 7)", "World");
    value("substring(A, 99)", "");
    value("substring-before(A, \" \")", "Hello");
    value("substring-after(A, \" \")", "World");
    value("substring-after(A, \"zz\")", "");
    value("length(B)", "3");
    value("trim(\"  a b \")", "a b");
    value("normalize-space(\"  a   b \")", "a b");
    value("upper(\"æøå ß\")", "ÆØÅ ß");
    value("lower(B)", "æøå");
    value("fold(\" STRASSE \") = fold(\"straße\")", "true");
    value("replace(A, \"o\", \"0\")", "Hell0 W0rld");
    value("replace(A, \"\", \"0\")", "Hello World");
    value("translate(\"abc\", \"abc\", \"xy\")", "xy");
    value("digits(\"+47 911-11\")", "4791111");
    value("natural(\"FS/9/06\") < natural(\"FS/10/06\")", "true");
    value("natural(\"A 007\") = natural(\"A 7\")", "true");
    value("natural(\"9\") < natural(\"A\")", "true");
    value("natural(\"99999999\") < natural(\"100000000\")", "true");
    value("natural(\"9999999999999999\") < natural(\"10000000000000000\")", "true");
    value("natural(\"100\") < natural(\"20\")", "false");
    value("natural(\"\")", "");
    value("pad-left(7, 3, \"0\")", "007");
    value("pad-right(\"a\", 3, \".\")", "a..");
    value("contains(A, \"lo W\")", "true");
    value("starts-with(A, \"Hell\")", "true");
    value("ends-with(A, \"World\")", "true");
    value("ends-with(A, \"Hello\")", "false");
    value("letters(1)", "A");
    value("letters(27)", "AA");
    value("letters(0)", "");
    value("letters(702)", "ZZ");
    value("text(D, \"dd.MM.yyyy\")", "28.02.2026");
    value("text(N)", "2.50");
}

static void test_numbers(void **state)
{
    (void)state;
    value("number(\"12.50\")", "12.50");
    value("number(\"x\")", "FAULT NUM_BAD");
    value("number(\"x\") | 0", "0");
    value("round(2.345, 2)", "2.35");
    value("round(-2.345, 2)", "-2.35");
    value("round-even(2.345, 2)", "2.34");
    value("floor(-1.5)", "-2");
    value("ceiling(1.2)", "2");
    value("abs(K)", "3");
    value("min(N, 2)", "2");
    value("max(K, 0)", "0");
    value("1 div 0", "FAULT NUM_RANGE");
    value("99999999999999999999999999999999999999 * 99", "FAULT NUM_RANGE");
}

static void test_dates(void **state)
{
    (void)state;
    value("date(S)", "2026-01-02");
    value("time(S)", "03:04:05");
    value("datetime(D, T)", "2026-02-28T10:11:12");
    value("add-days(D, 1)", "2026-03-01");
    value("days-between(D, date(S))", "-57");
    value("D > date(S)", "true");
    value("D > S", "true");
    value("datetime(D) = D", "true");
    value("batch-time()", "2026-01-02T03:04:05+01:00");
    value("text(S, \"yyyyMMddHHmm\")", "202601020304");
}

static void test_outside(void **state)
{
    (void)state;
    value("$p", "par");
    value("$twice", "Hello World,ÆØÅ");
    value("$tab[\"a\"]/B", "x");
    value("$tab[Row[2]/Kind]/C", "2");
    value("$tab[\"b\"]", "y");
    value("$tab[\"zz\"]/B", "FAULT TABLE_MISS");
    value("$tab[\"zz\"]/B | \"none\"", "none");
    value("exists($tab[\"zz\"])", "false");
    value("if($tab[\"a\"], 1, 2)", "1");
    value("$pair[\"a\", \"b\"]/C", "both");
    value("$pair[\"a\", \"c\"]/C", "");
    value("$rowa/C", "1");
    value("batch-id()", "B-1");
    value("file-name()", "in.xml");
    value("message-number()", "5");
    value("concat(true(), false())", "truefalse");
    value("next(\"n\")", "FAULT SEQUENCE_UNBOUND");
}

static void test_arithmetic_of_nothing(void **state)
{
    (void)state;
    value("Lax + 1", "");
    value("1 + Row[\"3\"]/Q", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_nothing_rules), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_dates), cmocka_unit_test(test_outside),
        cmocka_unit_test(test_arithmetic_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
