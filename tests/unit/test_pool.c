/* Documents in memory: consolidate and key rows, all or nothing, what $old and $before are, what is left alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "mapping/pool.h"
#include "tree.h"

static const char *const order_format =
    "syntax json lines\n"
    "message Order key No {\n"
    "    No text\n"
    "    Day date\n"
    "    To text\n"
    "    Limit decimal\n"
    "    Got text\n"
    "    group Line 0..* {\n"
    "        Item text\n"
    "        Quantity decimal\n"
    "    }\n"
    "}\n";

static const char *const sheet_format =
    "syntax json lines\n"
    "message Sheet key Id {\n"
    "    Id text required\n"
    "    Day date\n"
    "    To text\n"
    "    Limit decimal\n"
    "    Note text\n"
    "    Closed boolean\n"
    "    group Line 0..* {\n"
    "        Item text\n"
    "        Quantity decimal\n"
    "        Seen decimal\n"
    "        Was decimal\n"
    "    }\n"
    "    group From 0..* key No {\n"
    "        No text\n"
    "    }\n"
    "}\n";

static const char *const merge_map =
    "mapping order => sheet\n"
    "Order => Sheet {\n"
    "    let sheet = $old\n"
    "    consolidate {\n"
    "        gate  To                              else NO_RECIPIENT\n"
    "        match To = $old/To and Day = $old/Day and (not(Limit) or $old/Limit < Limit) else NO_SHEET\n"
    "        sort  $old/Id descending\n"
    "        check not($old/Closed)                else CLOSED \"sheet {$old/Id} is closed\"\n"
    "        check count($old/Line) < 4            else FULL\n"
    "        none  NONE\n"
    "    }\n"
    "    $sheet/Id | concat(\"S\", No) => Id\n"
    "    Day   => Day\n"
    "    To    => To\n"
    "    Line => Line {\n"
    "        require Quantity > 0 else BAD_QUANTITY \"line of {Item}\"\n"
    "        consolidate {\n"
    "            match Item = $old/Item else NO_LINE\n"
    "        }\n"
    "        Item                           => Item\n"
    "        ($old/Quantity | 0) + Quantity => Quantity\n"
    "        $old/Quantity                  => Seen\n"
    "        $before/Quantity               => Was\n"
    "        sort if($old, Item)\n"
    "    }\n"
    "    . => From {\n"
    "        key No => No\n"
    "        missing keep\n"
    "    }\n"
    "    Got <= Id\n"
    "}\n";

struct kit {
    struct tree t;
    struct outside o;
    struct run *run;
    struct pool *pool;
    uint64_t n;
    int refuse;                     /* what accept says; OK = all is well */
    bool others_refuse;             /* what is merged is not kept */
    unsigned asked;
};

static void start(struct kit *k, const char *map)
{
    memset(k, 0, sizeof *k);
    tree_init(&k->t);
    tree_format(&k->t, "order", order_format);
    tree_format(&k->t, "sheet", sheet_format);
    if (tree_mapping(&k->t, map) != OK)
        fail_msg("%s", tree_problems(&k->t));
    tree_outside(&k->t, &k->o);
    k->run = run_new(&k->t.arena, k->t.mapping, MAPPING_FORWARD, &k->o, &k->t.problems);
    assert_non_null(k->run);
    k->pool = pool_new(k->run, 1000);
}

static void end(struct kit *k)
{
    pool_release(k->pool);
    tree_release(&k->t);
}

static void there(struct kit *k, const char *sheet)
{
    assert_int_equal(pool_load(k->pool, tree_message(&k->t, k->t.mapping->right, sheet), &k->t.problems), OK);
}

static int accept(void *owner, struct node *n, struct problems *ps)
{
    struct kit *k = owner;
    (void)n, (void)ps;
    k->asked++;
    return k->refuse;
}

static int comes(struct kit *k, const char *order)
{
    struct node *n = tree_message(&k->t, k->t.mapping->left, order);
    int rc = pool_merge(k->pool, n, ++k->n, &k->t.message, &k->t.outcome, accept, k, &k->t.problems);
    return rc <= WARN && !k->others_refuse ? pool_keep(k->pool, &k->t.problems) : rc;
}

static void is(struct kit *k, size_t i, const char *want)
{
    assert_true(i < pool_count(k->pool));
    assert_string_equal(tree_dump(&k->t, pool_at(k->pool, i)), want);
}

static const char *tried(struct kit *k)
{
    struct slice s = SLICE("");
    for (struct tried *t = k->t.outcome.tried; t; t = t->next)
        s = arena_printf(&k->t.arena, "%.*s%.*s%s%s %.*s %.*s\n", SLICE_ARG(s), SLICE_ARG(t->line), t->line.n ? ": " : "",
                         tried_names[t->kind], SLICE_ARG(t->key), SLICE_ARG(t->code));
    return arena_cstr(&k->t.arena, s);
}

static void test_merge(void **state)
{
    struct kit k;
    (void)state;
    start(&k, merge_map);
    assert_true(mapping_consolidates(k.t.mapping, MAPPING_FORWARD));
    assert_true(run_aligns(k.run));
    there(&k, "Id = S1\nDay = 2026-01-02\nTo = A\nNote = kept\nLine {\nItem = K\nQuantity = 2\n}\n");
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-02\nTo = A\nLine {\nItem = Z\nQuantity = 1\n}\n"
                               "Line {\nItem = K\nQuantity = 3\n}\nLine {\nItem = K\nQuantity = 4\n}\n"), OK);
    is(&k, 0, "Id = \"S1\"\nDay = \"2026-01-02\"\nTo = \"A\"\nNote = \"kept\"\n"
              "Line {\nItem = \"K\"\nQuantity = \"9\"\nSeen = \"5\"\nWas = \"2\"\n}\n"
              "Line {\nItem = \"Z\"\nQuantity = \"1\"\n}\n"
              "From {\nNo = \"1\"\n}\n");
    assert_string_equal(tried(&k), "chosen S1 \nLine[1]: new  NO_LINE\nLine[2]: chosen Line[1] \nLine[3]: chosen Line[1] \n");
    struct edits back;
    edits_init(&back, &k.t.message);
    run_back(k.run, &back);
    assert_int_equal(back.n, 1);
    assert_string_equal(value_text(&back.first->value).p, "S1");
    assert_true(pool_changed(k.pool));
    assert_int_equal(k.asked, 1);
    end(&k);
}

/* The next message sees what the one before has made; the two lines of one order do not see each other. */
static void test_new(void **state)
{
    struct kit k;
    (void)state;
    start(&k, merge_map);
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 1\n}\nLine {\nItem = K\nQuantity = 2\n}\n"),
                     OK);
    assert_true(slice_is(k.t.outcome.reason, "NO_SHEET"));
    assert_int_equal(comes(&k, "No = 2\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 4\n}\n"), OK);
    assert_int_equal(comes(&k, "No = 3\nDay = 2026-01-03\nTo = A\n"), OK);
    assert_int_equal(comes(&k, "No = 4\nDay = 2026-01-02\n"), OK);
    assert_true(slice_is(k.t.outcome.reason, "NO_RECIPIENT"));
    assert_int_equal(pool_count(k.pool), 3);
    is(&k, 0, "Id = \"S1\"\nDay = \"2026-01-02\"\nTo = \"A\"\n"
              "Line {\nItem = \"K\"\nQuantity = \"5\"\nSeen = \"1\"\nWas = \"1\"\n}\nLine {\nItem = \"K\"\nQuantity = \"2\"\n}\n"
              "From {\nNo = \"1\"\n}\nFrom {\nNo = \"2\"\n}\n");
    is(&k, 2, "Id = \"S4\"\nDay = \"2026-01-02\"\nFrom {\nNo = \"4\"\n}\n");
    end(&k);
}

static void test_search(void **state)
{
    struct kit k;
    (void)state;
    start(&k, merge_map);
    there(&k, "Id = S1\nDay = 2026-01-02\nTo = A\nLimit = 5\n");
    there(&k, "Id = S3\nDay = 2026-01-02\nTo = A\nClosed = true\n");
    there(&k, "Id = S2\nDay = 2026-01-02\nTo = A\nLine {\nItem = A\n}\nLine {\nItem = B\n}\nLine {\nItem = C\n}\nLine {\nItem = D\n}\n");
    there(&k, "Id = S4\nDay = 2026-01-02\nTo = B\n");
    assert_int_equal(comes(&k, "No = 9\nDay = 2026-01-02\nTo = A\n"), OK);
    assert_string_equal(tried(&k), "failed S3 CLOSED\nfailed S2 FULL\nchosen S1 \n");
    assert_string_equal(arena_cstr(&k.t.arena, k.t.outcome.tried->text), "sheet S3 is closed");
    assert_string_equal(arena_cstr(&k.t.arena, k.t.outcome.tried->values), "$old/Closed \"true\"");
    assert_string_equal(arena_cstr(&k.t.arena, k.t.outcome.tried->next->text), "S2=FULL");
    assert_int_equal(comes(&k, "No = 10\nDay = 2026-01-02\nTo = A\nLimit = 5\n"), OK);     /* 5 is not below 5 */
    assert_string_equal(tried(&k), "new  NO_SHEET\n");
    assert_int_equal(comes(&k, "No = 11\nDay = 2026-01-02\nTo = A\nLimit = 6.0\n"), OK);
    assert_string_equal(tried(&k), "chosen S1 \n");
    end(&k);
}

static void test_all_or_nothing(void **state)
{
    struct kit k;
    (void)state;
    start(&k, merge_map);
    there(&k, "Id = S1\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 2\n}\n");
    const char *before = tree_dump(&k.t, pool_at(k.pool, 0));
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 1\n}\nLine {\nItem = K\nQuantity = 0\n}\n"),
                     SKIP);
    assert_string_equal(tree_findings(&k.t), "reject BAD_QUANTITY line of K\n");
    is(&k, 0, before);
    k.refuse = SKIP;
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 1\n}\n"), SKIP);
    is(&k, 0, before);
    assert_int_equal(comes(&k, "No = 2\nDay = 2026-01-05\nTo = A\n"), SKIP);
    assert_int_equal(pool_count(k.pool), 1);
    assert_false(pool_changed(k.pool));
    k.refuse = OK;
    k.others_refuse = true;
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-02\nTo = A\nLine {\nItem = K\nQuantity = 1\n}\n"), OK);
    assert_int_equal(comes(&k, "No = 2\nDay = 2026-01-05\nTo = A\n"), OK);
    k.others_refuse = false;
    is(&k, 0, before);
    assert_int_equal(pool_count(k.pool), 1);
    assert_int_equal(comes(&k, "No = 1\nDay = 2026-01-05\nTo = B\n"), SKIP);        /* S1 is there */
    assert_true(strstr(tree_findings(&k.t), "reject KEY_TWICE ") != NULL);
    assert_int_equal(pool_count(k.pool), 1);
    end(&k);
}

/* What changes the fields of a match is found by the new ones, and no more by the old ones. */
static void test_index(void **state)
{
    struct kit k;
    (void)state;
    start(&k, "mapping order => sheet\n"
              "Order => Sheet {\n"
              "    consolidate {\n"
              "        match No = $old/Id or No = $old/Note else NO_SHEET\n"
              "        check true() else X\n"
              "        none NONE\n"
              "    }\n"
              "    $old/Id | No => Id\n"
              "    To => To\n"
              "}\n");
    there(&k, "Id = S1\nNote = N1\nTo = A\n");
    assert_int_equal(comes(&k, "No = N1\nTo = B\n"), OK);                           /* no key: every document is looked at */
    is(&k, 0, "Id = \"S1\"\nTo = \"B\"\nNote = \"N1\"\n");
    end(&k);
    start(&k, "mapping order => sheet\n"
              "Order => Sheet {\n"
              "    consolidate {\n"
              "        match To = $old/To else NO_SHEET\n"
              "    }\n"
              "    $old/Id | No => Id\n"
              "    if($old, Got, To) => To\n"
              "}\n");
    for (int i = 0; i < 300; i++)
        there(&k, arena_printf(&k.t.arena, "Id = S%d\nTo = A\n", i).p);
    assert_int_equal(comes(&k, "No = 1\nTo = A\nGot = B\n"), OK);
    is(&k, 0, "Id = \"S0\"\nTo = \"B\"\n");
    assert_int_equal(comes(&k, "No = 2\nTo = A\nGot = B\n"), OK);
    is(&k, 1, "Id = \"S1\"\nTo = \"B\"\n");
    assert_int_equal(comes(&k, "No = 3\nTo = B\nGot = C\n"), OK);
    is(&k, 0, "Id = \"S0\"\nTo = \"C\"\n");
    assert_int_equal(pool_count(k.pool), 300);
    end(&k);
}

static const char *const keyed_map =
    "mapping order => sheet\n"
    "Order => Sheet {\n"
    "    require not($old/Closed) else CLOSED\n"
    "    new add else note NEW_ONE\n"
    "    key No => Id\n"
    "    To     => To\n"
    "    Line => Line {\n"
    "        key Item => Item\n"
    "        Quantity => Quantity\n"
    "        missing remove\n"
    "    }\n"
    "}\n";

static void test_keys(void **state)
{
    struct kit k;
    (void)state;
    start(&k, keyed_map);
    assert_false(mapping_consolidates(k.t.mapping, MAPPING_FORWARD));
    assert_true(run_aligns(k.run));
    there(&k, "Id = A\nTo = X\nNote = kept\nLine {\nItem = K\nQuantity = 2\nSeen = 7\n}\nLine {\nItem = L\nQuantity = 1\n}\n");
    there(&k, "Id = B\nClosed = true\n");
    assert_int_equal(comes(&k, "No = A\nTo = X\nLine {\nItem = K\nQuantity = 2.0\n}\nLine {\nItem = L\nQuantity = 1\n}\n"), OK);
    assert_false(pool_changed(k.pool));             /* the same */
    assert_int_equal(comes(&k, "No = A\nTo = Y\nLine {\nItem = K\nQuantity = 3\n}\n"), OK);
    is(&k, 0, "Id = \"A\"\nTo = \"Y\"\nNote = \"kept\"\nLine {\nItem = \"K\"\nQuantity = \"3\"\nSeen = \"7\"\n}\n");
    assert_int_equal(comes(&k, "No = B\nTo = Y\n"), SKIP);
    assert_int_equal(comes(&k, "No = C\nTo = Y\n"), OK);
    assert_string_equal(tree_findings(&k.t), "note NEW_ONE \n");
    assert_int_equal(comes(&k, "No = C\nTo = Z\n"), OK);
    assert_int_equal(pool_count(k.pool), 3);
    is(&k, 2, "Id = \"C\"\nTo = \"Z\"\n");
    end(&k);
}

/* Several lines of one message go into one document, old or new. */
static void test_below(void **state)
{
    struct kit k;
    (void)state;
    start(&k, "mapping order => sheet\n"
              "Order/Line => Sheet {\n"
              "    require Quantity else skip NOTHING\n"
              "    key Item => Id\n"
              "    ($old/Limit | 0) + Quantity => Limit\n"
              "}\n");
    there(&k, "Id = K\nLimit = 10\n");
    assert_int_equal(comes(&k, "No = 1\nLine {\nItem = K\nQuantity = 1\n}\nLine {\nItem = N\nQuantity = 2\n}\nLine {\nItem = Q\n}\n"
                               "Line {\nItem = K\nQuantity = 3\n}\nLine {\nItem = N\nQuantity = 4\n}\n"), OK);
    assert_int_equal(pool_count(k.pool), 2);
    is(&k, 0, "Id = \"K\"\nLimit = \"14\"\n");
    is(&k, 1, "Id = \"N\"\nLimit = \"6\"\n");
    end(&k);
}

static void test_limits(void **state)
{
    struct kit k;
    (void)state;
    start(&k, keyed_map);
    k.pool = (pool_release(k.pool), pool_new(k.run, 2));
    there(&k, "Id = A\n");
    assert_int_equal(comes(&k, "No = B\n"), OK);
    assert_int_equal(comes(&k, "No = C\n"), STOP);
    assert_true(strstr(tree_problems(&k.t), "LIMIT_TABLE") != NULL);
    end(&k);
}

/* Replaced documents do not pile up. */
static void test_garbage(void **state)
{
    struct kit k;
    (void)state;
    start(&k, keyed_map);
    char *text = malloc(20000);
    for (int i = 0; i < 500; i++) {
        memset(text, 'a' + i % 26, 19999);
        text[19999] = '\0';
        assert_int_equal(comes(&k, arena_printf(&k.t.message, "No = A\nTo = %s\n", text).p), OK);
    }
    assert_int_equal(pool_count(k.pool), 1);
    assert_int_equal(node_value(pool_at(k.pool, 0), group_field(k.t.mapping->right->messages[0], SLICE("To")))->n, 19999);
    free(text);
    end(&k);
}

/* A document must have a line: without the skipped ones it is none, and the message is skipped. */
static void test_emptied(void **state)
{
    struct kit k;
    (void)state;
    memset(&k, 0, sizeof k);
    tree_init(&k.t);
    tree_format(&k.t, "order", order_format);
    tree_format(&k.t, "sheet", "syntax json lines\nmessage Sheet key Id {\n    Id text\n    group Line 1..* {\n        Item text\n    }\n}\n");
    assert_int_equal(tree_mapping(&k.t, "mapping order => sheet\n"
                                        "Order => Sheet {\n"
                                        "    key No => Id\n"
                                        "    Line => Line {\n"
                                        "        require Quantity else skip NOTHING\n"
                                        "        key Item => Item\n"
                                        "    }\n"
                                        "}\n"), OK);
    tree_outside(&k.t, &k.o);
    k.run = run_new(&k.t.arena, k.t.mapping, MAPPING_FORWARD, &k.o, &k.t.problems);
    k.pool = pool_new(k.run, 1000);
    assert_int_equal(comes(&k, "No = 1\nLine {\nItem = K\n}\n"), SKIP);
    assert_int_equal(k.t.outcome.kind, OUTCOME_SKIP);
    assert_int_equal(pool_count(k.pool), 0);
    assert_int_equal(comes(&k, "No = 1\nLine {\nItem = K\n}\nLine {\nItem = L\nQuantity = 1\n}\n"), OK);
    is(&k, 0, "Id = \"1\"\nLine {\nItem = \"L\"\n}\n");
    end(&k);
}

static void test_create(void **state)
{
    struct kit k;
    (void)state;
    start(&k, "mapping order => sheet\nOrder => Sheet {\n    No => Id\n}\n");
    assert_false(run_aligns(k.run));                /* no key rows */
    end(&k);
}

/* What a check saw is told of the order and its candidate, never of what stands in brackets: that is about lines. */
static void test_values(void **state)
{
    struct kit k;
    (void)state;
    start(&k, "mapping order => sheet\nOrder => Sheet {\n    consolidate {\n        match Day = $old/Day else NO_SHEET\n"
              "        check count($old/Line[Item = \"K\"]) + count(Line[Item = \"K\"]) < 2 else FULL\n        none NONE\n    }\n"
              "    No => Id\n    Day => Day\n}\n");
    there(&k, "Id = S1\nDay = 2026-01-02\nLine {\nItem = K\n}\nLine {\nItem = L\n}\n");
    assert_int_equal(comes(&k, "No = 9\nDay = 2026-01-02\nLine {\nItem = K\n}\n"), OK);
    assert_string_equal(arena_cstr(&k.t.arena, k.t.outcome.tried->values),
                        "count($old/Line[Item = \"K\"]) \"1\", count(Line[Item = \"K\"]) \"1\"");
    end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge), cmocka_unit_test(test_new), cmocka_unit_test(test_search),
        cmocka_unit_test(test_all_or_nothing), cmocka_unit_test(test_index), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_below), cmocka_unit_test(test_limits), cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_create), cmocka_unit_test(test_emptied), cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
