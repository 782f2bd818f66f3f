/* Update mode: alignment, policies, $old, and the laws on random documents. */
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
    "    Name text\n"
    "    Phone text\n"
    "    group One {\n"
    "        X text\n"
    "        Y text\n"
    "    }\n"
    "    group Row 0..* key No {\n"
    "        No integer\n"
    "        Kind text\n"
    "        Q decimal\n"
    "        Extra text\n"
    "        group Sub 0..* {\n"
    "            S text\n"
    "        }\n"
    "    }\n"
    "}\n";

static const char *const right_format =
    "syntax xml\n"
    "message R key Code {\n"
    "    Code text\n"
    "    Title text\n"
    "    Tel text\n"
    "    Mobile text\n"
    "    X text\n"
    "    Y text\n"
    "    group Line 0..* key No {\n"
    "        No text\n"
    "        Qty decimal\n"
    "        Kind text\n"
    "        group Part 0..* {\n"
    "            P text\n"
    "        }\n"
    "    }\n"
    "}\n";

static struct run *start(struct tree *t, struct outside *o, const char *map, enum mapping_direction d)
{
    tree_init(t);
    tree_format(t, "l", left_format);
    tree_format(t, "r", right_format);
    if (tree_mapping(t, map) != OK)
        fail_msg("%s", tree_problems(t));
    tree_outside(t, o);
    struct run *r = run_new(&t->arena, t->mapping, d, o, &t->problems);
    assert_non_null(r);
    return r;
}

/* Edits of one pair; the findings follow when there are any. */
static void update(const char *map, const char *original, const char *answer, const char *want)
{
    struct tree t;
    struct outside o;
    struct run *r = start(&t, &o, map, MAPPING_BACKWARD);
    struct node *old = original ? tree_message(&t, t.mapping->left, original) : NULL;
    struct node *n = answer ? tree_message(&t, t.mapping->right, answer) : NULL;
    edits_init(&t.edits, &t.message);
    run_update(r, old, n, 1, &t.message, &t.edits, &t.outcome, &t.problems);
    const char *got = arena_printf(&t.arena, "%s%s", tree_edits(&t), tree_findings(&t)).p;
    if (strcmp(got, want) != 0)
        fail_msg("got\n%swanted\n%s", got, want);
    tree_release(&t);
}

#define HEAD "mapping l <=> r\nM <=> R {\n    key Id <=> Code\n    Name <=> Title\n"
#define ROWS "    Row[Kind = \"n\"] <=> Line {\n        key No <=> No\n        Q <=> Qty\n"

static const char *const plain = HEAD "    One/X <=> X\n    One/Y <=> Y\n" ROWS "    }\n}\n";

static void test_values(void **state)
{
    (void)state;
    update(plain, "Id = 1\nName = a\n", "Code = 1\nTitle = a\n", "");
    update(plain, "Id = 1\nName = a\n", "Code = 1\nTitle = b\n", "set Name = b\n");
    update(plain, "Id = 1\n", "Code = 1\nX = x\nY = y\n", "insert One\nX = \"x\"\nY = \"y\"\n");
    update(plain, "Id = 1\nOne {\nX = x\n}\n", "Code = 1\nX = x\nY = y\n", "set One/Y = y\n");
    update(plain, "Id = 1\nPhone = 5\nRow {\nNo = 9\nKind = t\n}\n", "Code = 1\n", "");
}

static void test_lines(void **state)
{
    (void)state;
    const char *original =
        "Id = 1\nRow {\nNo = 1\nKind = n\nQ = 1.0\nExtra = e\n}\nRow {\nNo = 5\nKind = t\n}\nRow {\nNo = 2\n"
        "Kind = n\nQ = 2\n}\n";
    update(plain, original, "Code = 1\nLine {\nNo = 1\nQty = 1\n}\nLine {\nNo = 2\nQty = 2.0\n}\n", "");
    update(plain, original, "Code = 1\nLine {\nNo = 2\nQty = 2\n}\nLine {\nNo = 1\nQty = 7\n}\n", "set Row[1]/Q = 7\n");
    update(plain, original, "Code = 1\nLine {\nNo = 2\nQty = 2\n}\n", "");
    update(plain, original,
           "Code = 1\nLine {\nNo = 1\nQty = 1\n}\nLine {\nNo = 2\nQty = 2\n}\nLine {\nNo = 3\nQty = 3\n}\n",
           "insert Row\nNo = \"3\"\nKind = \"n\"\nQ = \"3\"\n");
}

/* Two rows of the original with one key: changed only where it is sure which is meant. */
static void test_same_keys(void **state)
{
    (void)state;
    const char *original = "Id = 1\nRow {\nNo = 1\nKind = n\nQ = 1\n}\nRow {\nNo = 1\nKind = n\nQ = 2\n}\n"
                           "Row {\nNo = 3\nKind = n\nQ = 3\n}\n";
    update(plain, original, "Code = 1\nLine {\nNo = 1\nQty = 1\n}\nLine {\nNo = 1\nQty = 7\n}\n", "set Row[2]/Q = 7\n");
    update(plain, original, "Code = 1\nLine {\nNo = 3\nQty = 7\n}\n", "set Row[3]/Q = 7\n");
    update(plain, original, "Code = 1\nLine {\nNo = 1\nQty = 7\n}\n",
           "reject ALIGN_KEY the original has 2 Row with the key 1, and 1 came: add what tells them apart to the key rows\n");
    update(plain, original, "Code = 1\nLine {\nNo = 1\n}\nLine {\nNo = 1\n}\nLine {\nNo = 1\n}\n",
           "reject ALIGN_KEY the original has 2 Row with the key 1, and 3 came: add what tells them apart to the key rows\n");
}

static void test_policies(void **state)
{
    (void)state;
    const char *original = "Id = 1\nRow {\nNo = 1\nKind = n\nQ = 1\n}\nRow {\nNo = 2\nKind = n\nQ = 2\n}\n";
    const char *answer = "Code = 1\nLine {\nNo = 2\nQty = 2\n}\nLine {\nNo = 3\nQty = 3\n}\n";
    update(HEAD ROWS "        <= new ignore\n        <= missing remove\n    }\n}\n", original, answer,
           "delete Row[1]\n");
    update(HEAD ROWS "        <= new ignore else warn NEW \"new {No}\"\n"
                     "        <= missing keep else note GONE \"gone {No} {Q}\"\n    }\n}\n", original, answer,
           "warn NEW new 3\nnote GONE gone 1 1\n");
    update(HEAD ROWS "        <= new reject\n    }\n}\n", original, answer,
           "reject NEW_REFUSED Line: is new, and the mapping allows no new ones\n");
    update(HEAD ROWS "        <= new ignore\n        <= missing reject else GONE \"gone {No}\"\n    }\n}\n", original,
           answer, "reject GONE gone 1\n");
    update(HEAD ROWS "        <= new ignore\n        <= missing {\n            if(Q, \"left\") => Extra\n"
                     "        }\n    }\n}\n", original, answer,
           "set Row[1]/Extra = left\n");
    update(HEAD ROWS "        => new reject\n        => missing reject\n    }\n}\n", original, answer,
           "insert Row\nNo = \"3\"\nKind = \"n\"\nQ = \"3\"\n");
}

static void test_old(void **state)
{
    (void)state;
    const char *map = HEAD ROWS
        "        <= require not($old/Extra "
        "= \"locked\") or Qty = $old/Q else LOCKED \"line {No} is locked at {$old/Q}\"\n"
        "        <= require $old else skip UNKNOWN\n    }\n}\n";
    const char *original =
        "Id = 1\nRow {\nNo = 1\nKind = n\nQ = 1\nExtra = locked\n}\nRow {\nNo = 2\nKind = n\nQ = 2\n}\n";
    update(map, original, "Code = 1\nLine {\nNo = 1\nQty = 1\n}\nLine {\nNo = 2\nQty = 5\n}\n", "set Row[2]/Q = 5\n");
    update(map, original, "Code = 1\nLine {\nNo = 1\nQty = 3\n}\nLine {\nNo = 2\nQty = 5\n}\n",
           "reject LOCKED line 1 is locked at 1\n");
    update(map, original, "Code = 1\nLine {\nNo = 9\nQty = 3\n}\n", "skip UNKNOWN \n");
}

static void test_shared(void **state)
{
    (void)state;
    const char *map = HEAD "    Phone | One/X <=> Mobile\n    Phone | One/Y <=> Tel\n}\n";
    const char *original = "Id = 1\nOne {\nX = mob\nY = tel\n}\n";
    update(map, original, "Code = 1\nMobile = mob\nTel = tel\n", "");
    update(map, original, "Code = 1\nMobile = 5\nTel = 5\n", "set Phone = 5\n");
    update(map, original, "Code = 1\nMobile = mob\nTel = 7\n",
           "set Phone = 7\n"
           "warn ROWS_DISAGREE Phone gets \"\" and \"7\" from two rows; the later row wins (test.map:6)\n");
    update(map, "Id = 1\nPhone = 5\n", "Code = 1\nMobile = 6\nTel = 5\n",
           "warn ROWS_DISAGREE Phone gets \"6\" and \"5\" from two rows; the later row wins (test.map:6)\n");
}

/* `=>` into a document that exists: the right tree is updated. */
static void test_forward(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r = start(&t, &o,
        "mapping l => r\nM => R {\n    key Id => Code\n    Name => Title\n    Row => Line {\n"
        "        require Q >= 0 else BAD \"line {No} of {../Id}: {Q}\"\n        key No => No\n        Q => Qty\n"
        "        if($old/Qty != Q, \"changed\", $old/Kind) => Kind\n"
        "        new ignore else warn NEW \"{../Id} {No}\"\n        missing {\n"
        "            concat(\"gone \", No) => Kind\n        }\n"
        "    }\n}\n", MAPPING_FORWARD);
    const char *original =
        "Code = 7\nTitle = a\nLine {\nNo = 1\nQty = 1\nKind = k\n}\nLine {\nNo = 2\nQty = 2\n}\nLine {\n"
        "No = 3\nQty = 3\n}\n";
    struct node *old = tree_message(&t, t.mapping->right, original);
    struct node *n = tree_message(&t, t.mapping->left,
        "Id = 7\nName = b\nRow {\nNo = 1\nQ = 1.0\n}\nRow {\nNo = 2\nQ = 5\n}\nRow {\nNo = 9\nQ = 1\n}\n");
    edits_init(&t.edits, &t.message);
    assert_int_equal(run_update(r, old, n, 1, &t.message, &t.edits, &t.outcome, &t.problems), OK);
    assert_string_equal(tree_edits(&t),
                        "set Title = b\nset Line[2]/Qty = 5\nset Line[2]/Kind = changed\nset Line[3]/Kind = gone 3\n");
    assert_string_equal(tree_findings(&t), "warn NEW 7 9\n");
    n = tree_message(&t, t.mapping->left, "Id = 7\nName = c\nRow {\nNo = 1\nQ = -1\n}\n");
    edits_init(&t.edits, &t.message);
    assert_int_equal(run_update(r, old, n, 1, &t.message, &t.edits, &t.outcome, &t.problems), SKIP);
    assert_string_equal(tree_edits(&t), "");
    assert_string_equal(tree_findings(&t), "reject BAD line 1 of 7: -1\n");
    tree_release(&t);
}

/* A fallback is compared with what forward gives after the other rows, wherever they stand. */
static void test_late(void **state)
{
    (void)state;
    const char *map =
        "mapping l <=> r\ntable own key Name columns Phone optional {\n    a 1\n    b 2\n}\n"
        "M <=> R {\n    key Id <=> Code\n    Phone | $own[Name]/Phone <=> Tel\n    Name <=> Title\n    Row <=> Line {\n"
        "        key No <=> No\n        Kind | $own[../Name]/Phone <=> Kind\n    }\n}\n";
    update(map, "Id = 1\nName = a\n", "Code = 1\nTitle = a\nTel = 1\n", "");
    update(map, "Id = 1\nName = a\n", "Code = 1\nTitle = b\nTel = 2\n", "set Name = b\n");
    update(map, "Id = 1\nName = a\n", "Code = 1\nTitle = b\nTel = 1\n", "set Name = b\nset Phone = 1\n");
    update(map, "Id = 1\nName = a\nRow {\nNo = 1\n}\n", "Code = 1\nTitle = b\nTel = 2\nLine {\nNo = 1\nKind = 2\n}\n",
           "set Name = b\n");
    update(map, "Id = 1\nName = a\nRow {\nNo = 1\n}\n", "Code = 1\nTitle = b\nTel = 2\nLine {\nNo = 1\nKind = 1\n}\n",
           "set Name = b\nset Row[1]/Kind = 1\n");
    update(map, "Id = 1\nName = a\n", "Code = 1\nTitle = a\nTel = 1\nLine {\nNo = 1\nKind = k\n}\n",
           "insert Row\nNo = \"1\"\nKind = \"k\"\n");
}

static void test_positions(void **state)
{
    (void)state;
    const char *map =
        HEAD "    Row <=> Line {\n        key No <=> No\n        Sub <=> Part {\n            S <=> P\n"
             "        }\n    }\n}\n";
    const char *original = "Id = 1\nRow {\nNo = 1\nSub {\nS = a\n}\nSub {\nS = b\n}\n}\n";
    update(map, original, "Code = 1\nLine {\nNo = 1\nPart {\nP = a\n}\nPart {\nP = c\n}\n}\n",
           "set Row[1]/Sub[2]/S = c\n");
    update(map, original, "Code = 1\nLine {\nNo = 1\nPart {\nP = a\n}\n}\n",
           "reject ALIGN_COUNT 1 Part stand against 2, and no key row says which is which\n");
}

static void test_messages(void **state)
{
    (void)state;
    update(plain, "Id = 1\nName = a\n", NULL, "");
    update(plain, NULL, "Code = 1\nTitle = t\nLine {\nNo = 3\nQty = 1\n}\n",
           "insert M\nId = \"1\"\nName = \"t\"\nRow {\nNo = \"3\"\nKind = \"n\"\nQ = \"1\"\n}\n");
    update(HEAD "    <= new ignore else warn NEW \"{Code} is new\"\n}\n", NULL, "Code = 1\n", "warn NEW 1 is new\n");
    update(HEAD "    <= missing remove\n}\n", "Id = 1\n", NULL, "delete \n");
    update(HEAD "    <= missing {\n        \"gone\" => Phone\n    }\n}\n", "Id = 1\n", NULL, "set Phone = gone\n");
}

static void test_key(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *r = start(&t, &o, plain, MAPPING_BACKWARD);
    struct node *old = tree_message(&t, t.mapping->left, "Id = 12\n"), *n = tree_message(&t, t.mapping->right,
            "Code = 12\n");
    assert_true(slice_equal(run_key(r, old, true, &t.message), run_key(r, n, false, &t.message)));
    struct node *none = tree_message(&t, t.mapping->left, "Name = x\n"), *other = tree_message(&t, t.mapping->right,
            "Title = x\n");
    assert_false(slice_equal(run_key(r, none, true, &t.message), run_key(r, other, false, &t.message)));
    assert_ptr_equal(run_target(r, n->group), old->group);
    tree_release(&t);
}

/* ---- laws ------------------------------------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t dice(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % n;
}

/* Random text of an original: now and then without a value, an odd spelling, a line of another kind. */
static const char *random_left(struct tree *t)
{
    struct buf b = { 0 };
    buf_printf(&b, "Id = %u\n", 1 + dice(9));
    if (dice(3))
        buf_printf(&b, "Name = n%u\n", dice(5));
    if (dice(2))
        buf_printf(&b, "Phone = p%u\n", dice(5));
    if (dice(2))
        buf_printf(&b, "One {\nX = x%u\n}\n", dice(3));
    for (uint32_t i = 0, n = dice(5); i < n; i++)
        buf_printf(&b, "Row {\nNo = %u\nKind = %s\nQ = %u.%u\nExtra = e\n}\n", i + 1, dice(3) ? "n" : "t", dice(3),
                   dice(2) * 5);
    const char *s = arena_cstr(&t->message, buf_slice(&b));
    buf_release(&b);
    return s;
}

static struct node *forward(struct tree *t, struct run *r, struct node *n)
{
    t->ngiven = 0;
    assert_int_equal(run_message(r, n, 1, &t->message, &t->outcome, tree_give, t, &t->problems), OK);
    assert_int_equal(t->ngiven, 1);
    return t->given[0];
}

static const char *const lawful =
    HEAD "    Phone | One/X <=> Tel\n    One/X <=> X\n" ROWS "        <= missing remove\n    }\n}\n";

/* GetPut: U(s, F(s)) = s.  CreateGet: F(B(t)) = t. */
static void test_laws(void **state)
{
    struct tree t;
    struct outside o;
    (void)state;
    struct run *f = start(&t, &o, lawful, MAPPING_FORWARD);
    struct run *b = run_new(&t.arena, t.mapping, MAPPING_BACKWARD, &o, &t.problems);
    for (seed = 1; seed < 100000; seed += 331) {
        uint32_t before = seed;
        struct node *s = tree_message(&t, t.mapping->left, random_left(&t));
        struct node *target = forward(&t, f, s);
        edits_init(&t.edits, &t.message);
        assert_int_equal(run_update(b, s, target, 1, &t.message, &t.edits, &t.outcome, &t.problems), OK);
        if (t.edits.n)
            fail_msg("GetPut, seed %u:\n%s%s", before, tree_dump(&t, s), tree_edits(&t));
        const char *want = tree_dump(&t, target);
        struct node *again = forward(&t, f, forward(&t, b, target));
        if (strcmp(tree_dump(&t, again), want) != 0)
            fail_msg("CreateGet, seed %u:\n%s\n%s", before, want, tree_dump(&t, again));
        arena_reset(&t.message);
        seed = before;
    }
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_lines), cmocka_unit_test(test_same_keys), cmocka_unit_test(test_policies),
        cmocka_unit_test(test_old),
        cmocka_unit_test(test_shared), cmocka_unit_test(test_late), cmocka_unit_test(test_forward),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
