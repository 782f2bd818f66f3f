#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/site.h"
#include "unit/dirkit.h"

static const char orders[] = "syntax csv delimiter \";\" header yes\nmessage Order key No {\n    No text required\n    Qty integer\n}\n";
static const char result[] = "syntax csv delimiter \",\" header yes\nmessage Line key No {\n    No text required\n    Qty integer\n    Owner text\n}\n";
static const char map[] = "mapping orders => result \"Test\"\nparam owner text required\ntable known key No columns Owner optional\n"
                          "Order => Line {\n    key No => No\n    Qty => Qty\n    $owner => Owner\n    let k = $known[No]/Owner\n"
                          "    require not($k) else warn KNOWN \"known\"\n}\n";

static struct site *load(const char *conf, int wanted)
{
    struct site *s;
    dir_put("orders.format", orders);
    dir_put("result.format", result);
    dir_put("test.map", map);
    dir_put("site.conf", conf);
    int rc = site_load(&arena, NULL, dir, &s, &problems);
    if (rc != wanted)
        for (const struct problem *p = problems.first; p; p = p->next) {
            struct buf b = { 0 };
            problem_show(&b, p);
            fwrite(b.p, 1, b.n, stderr);
            buf_release(&b);
        }
    assert_int_equal(rc, wanted);
    return s;
}

#define HEAD "site \"Test\"\nzone \"Europe/Oslo\"\n"
#define FLOW "flow orders \"Orders\" {\n    on yes\n    set owner \"NORDISK\"\n    operation convert {\n" \
             "        take inbox \"inbox/orders\" ready stable 5s\n"                                      \
             "        give outbox \"outbox/x\" name \"x_{batch}.csv\" map test empty skip\n    }\n}\n"

static void loads_a_site(void **state)
{
    (void)state;
    struct site *s = load(HEAD "keep archive 2y\nlimit depth 32\n" FLOW, OK);
    struct flow *f = site_flow(s, SLICE("orders"));
    assert_non_null(f);
    assert_true(f->on);
    assert_null(f->off);
    struct operation *op = flow_operation(f, SLICE("convert"));
    assert_non_null(op);
    assert_int_equal(op->take.stable, 5000);
    assert_int_equal(op->ngives, 1);
    assert_true(op->gives[0]->empty_skip);
    assert_true(slice_is(site_setting(op, SLICE("owner")), "NORDISK"));
    assert_null(site_setting(op, SLICE("none")).p);
    assert_int_equal(s->limits.depth, 32);
    assert_true(s->keep_archive == 2LL * 365 * 24 * 3600 * 1000 || s->keep_archive > 0);
    assert_int_equal(f->duplicates[DUPLICATE_CONTENT], DUPLICATE_REJECT);
    assert_true(slice_is(op->message->name, "Order"));
}

static void tells_all_faults_at_once(void **state)
{
    (void)state;
    load("site \"Test\"\nflw orders {\n}\nlimit dept 3\nzone \"Europe/Osla\"\n"
         "flow orders {\n    on maybe\n    duplicates contents reject\n    operation convert {\n        take inbx \"in/orders\"\n"
         "        give outbox \"out\" name \"a_{batch}\" map nomap\n    }\n}\n", STOP);
    assert_true(problems.errors >= 6);
    assert_non_null(problem_of("SITE_LIMIT"));
    assert_non_null(problem_of("SITE_ZONE"));
    assert_non_null(problem_of("SITE_NO_MAP"));
    const struct problem *p = problem_of("CONF_WORD");
    assert_non_null(p);
    assert_int_equal(p->place.line, 2);
    assert_non_null(memmem(p->hint.p, p->hint.n, "`flow`", 6));
}

static void suggests_inbox(void **state)
{
    (void)state;
    load(HEAD "flow orders {\n    on yes\n    operation convert {\n        take inbx \"in/orders\"\n    }\n}\n", STOP);
    const struct problem *p = problem_of("CONF_WORD");
    assert_non_null(p);
    assert_int_equal(p->place.line, 6);
    assert_int_equal(p->place.column, 14);
    assert_true(slice_is(p->hint, "did you mean `inbox`?  (inbox, batch, table)"));
}

static void a_missing_param_keeps_the_flow_off(void **state)
{
    (void)state;
    struct site *s = load(HEAD "flow orders {\n    on yes\n    operation convert {\n        take inbox \"inbox/orders\"\n"
                          "        give outbox \"outbox\" name \"x_{batch}.csv\" map test\n    }\n}\n", OK);
    assert_string_equal(site_flow(s, SLICE("orders"))->off, "SITE_PARAM");
    const struct problem *p = problem_of("SITE_PARAM");
    assert_non_null(p);
    assert_int_equal(p->place.line, 4);
}

static void given_settings_win(void **state)
{
    (void)state;
    struct site *s;
    struct setting given = { .name = SLICE("owner"), .value = SLICE("GIVEN") };
    struct site_env env = { .given = &given, .ngiven = 1 };
    dir_put("orders.format", orders);
    dir_put("result.format", result);
    dir_put("test.map", map);
    dir_put("site.conf", HEAD FLOW);
    assert_int_equal(site_load(&arena, &env, dir, &s, &problems), OK);
    assert_true(slice_is(site_setting(s->flows[0]->operations[0], SLICE("owner")), "GIVEN"));
}

static void later_features_keep_the_flow_off(void **state)
{
    (void)state;
    struct site *s = load(HEAD FLOW "flow staged {\n    on yes\n    operation send {\n        take inbox \"inbox/x\"\n        every 1h\n"
                          "        give outbox \"outbox\" name \"x_{batch}.csv\" map test\n    }\n    set owner \"X\"\n    duplicates reference warn\n}\n", OK);
    assert_string_equal(site_flow(s, SLICE("staged"))->off, "SITE_LATER");
    assert_null(site_flow(s, SLICE("orders"))->off);
}

static void a_policy_that_nothing_obeys_keeps_the_flow_off(void **state)
{
    (void)state;
    struct site *s = load(HEAD "flow orders {\n    on yes\n    set owner \"N\"\n    duplicates reference reject\n"
                          "    operation convert {\n        take inbox \"inbox/orders\"\n"
                          "        give outbox \"outbox\" name \"x_{batch}.csv\" map test\n    }\n}\n", OK);
    assert_string_equal(site_flow(s, SLICE("orders"))->off, "SITE_LATER");
}

static void a_name_of_one_message_needs_each(void **state)
{
    (void)state;
    load(HEAD "flow orders {\n    on yes\n    set owner \"N\"\n    operation convert {\n        take inbox \"inbox/orders\"\n"
         "        give outbox \"outbox\" name \"doc_{No}.csv\" map test\n    }\n}\n", STOP);
    const struct problem *p = problem_of("SITE_NAME");
    assert_non_null(p);
    assert_non_null(memmem(p->hint.p, p->hint.n, "add `each`", 10));
}

#define EACH(name, map) "flow orders {\n    on yes\n    operation convert {\n        take inbox \"inbox/orders\"\n" \
                        "        give outbox \"outbox\" name \"" name "\" map " map " each\n    }\n}\n"

/* What waits for the end of the file has no message that could name it. */
static void what_is_given_at_the_end_is_named_after_no_message(void **state)
{
    (void)state;
    dir_put("sorted.map", "mapping orders => result \"Sorted\"\nsort Qty\nOrder => Line {\n    key No => No\n    Qty => Qty\n}\n");
    dir_put("last.map", "mapping orders => result \"Last\"\n/. => Line {\n    \"1\" => No\n    sum(Order/Qty) => Qty\n}\n");
    dir_put("merged.map", "mapping orders => result \"Merged\"\nOrder => Line {\n    consolidate {\n        match No = $old/No else NONE\n    }\n"
                          "    No => No\n    Qty => Qty\n}\n");
    static const char *const wrong[] = { HEAD EACH("{batch}_{No}.csv", "sorted"), HEAD EACH("{batch}_{No}.csv", "last"),
                                         HEAD EACH("{batch}_{No}.csv", "merged") };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        load(wrong[i], STOP);
        const struct problem *p = problem_of("SITE_NAME");
        assert_non_null(p);
        assert_int_equal(p->place.line, 7);
        assert_int_equal(p->place.column, 44);
        assert_true(slice_is(p->hint, "{batch}_{n} for {No}"));
        problems_init(&problems, &arena, 0);
    }
    load(HEAD EACH("{batch}_{n}.csv", "sorted"), OK);
    load(HEAD EACH("{batch}_{n}.csv", "merged"), OK);
}

static void a_retry_without_a_pause_is_taken_as_a_second(void **state)
{
    (void)state;
    load(HEAD "flow orders \"Orders\" {\n    on yes\n    set owner \"N\"\n    retry 0s 5s\n    operation convert {\n"
         "        take inbox \"inbox/orders\"\n        give outbox \"outbox/x\" name \"x_{batch}.csv\" map test\n    }\n}\n", OK);
    assert_string_equal(problems.last->code, "SITE_RETRY");
    assert_int_equal(problems.last->place.line, 6);
    assert_true(slice_is(problems.last->hint, "retry 1s"));
}

static void tables_are_jailed_and_filled_by_known_flows(void **state)
{
    (void)state;
    load(HEAD "table known \"../known.csv\" format result filled by ordrs\n" FLOW, STOP);
    assert_non_null(problem_of("SITE_OUTSIDE"));
    const struct problem *p = problem_of("SITE_NO_FLOW");
    assert_non_null(p);
    assert_non_null(memmem(p->hint.p, p->hint.n, "`orders`", 8));
}

static void only_named_flows_fill_a_table(void **state)
{
    (void)state;
    load(HEAD "table lines \"tables/lines.csv\" format result filled by other\nflow other {\n    on no\n    operation x {\n"
         "        take inbox \"inbox/x\"\n        give outbox \"o\" name \"{batch}\" map test\n    }\n}\n"
         "flow orders {\n    on yes\n    set owner \"N\"\n    operation convert {\n        take inbox \"inbox/orders\"\n"
         "        give table lines map test\n    }\n}\n", STOP);
    assert_non_null(problem_of("SITE_FILLED"));
}

static void two_flows_on_one_inbox_must_differ(void **state)
{
    (void)state;
    load(HEAD FLOW "flow again {\n    on yes\n    set owner \"N\"\n    operation convert {\n        take inbox \"inbox/orders\"\n"
         "        give outbox \"o\" name \"{batch}\" map test\n    }\n}\n", STOP);
    assert_non_null(problem_of("SITE_INBOX_SHARED"));
}

#define WITH(in, out, map, more) HEAD "flow orders {\n    on yes\n    operation convert {\n        take inbox \"" in "\" " more "\n" \
                                 "        give outbox \"" out "\" name \"x_{batch}.csv\" map " map "\n    }\n}\n"

/* What it gives would be taken for ever, unless something keeps it from that. */
static void an_operation_does_not_feed_itself(void **state)
{
    (void)state;
    dir_put("plain.map", "mapping orders => orders \"Plain\"\nOrder => Order {\n    key No => No\n}\n");
    dir_put("back.map", "mapping result => orders \"Back\"\nLine => Order {\n    key No => No\n}\n");
    dir_put("there.map", "mapping orders => result \"There\"\nOrder => Line {\n    key No => No\n}\n");
    load(WITH("shared", "shared", "there", ""), STOP);
    const struct problem *p = problem_of("SITE_FEEDS_ITSELF");
    assert_non_null(p);
    assert_int_equal(p->place.line, 7);
    assert_non_null(memmem(p->hint.p, p->hint.n, "outbox/", 7));
    problems_init(&problems, &arena, 0);
    load(WITH("shared/x", "./shared//x/", "plain", ""), STOP);
    assert_non_null(problem_of("SITE_FEEDS_ITSELF"));
    problems_init(&problems, &arena, 0);
    load(WITH("shared", "shared", "plain", "type \"No\""), STOP);
    assert_non_null(problem_of("SITE_FEEDS_ITSELF"));
    problems_init(&problems, &arena, 0);
    load(WITH("shared", "shared", "there", "type \"No;Qty\""), OK);
    load(WITH("shared", "shared", "plain", "ready done \".done\""), OK);
    load(WITH("shared", "shared/x", "plain", ""), OK);
    load(HEAD "flow orders {\n    on yes\n    operation there {\n        take inbox \"a\"\n"
         "        give outbox \"b\" name \"x_{batch}.csv\" map there\n    }\n    operation back {\n        take inbox \"b\"\n"
         "        give outbox \"a\" name \"x_{batch}.csv\" map back\n    }\n}\n", OK);
}

static void ledger_fields_follow_from_tables(void **state)
{
    (void)state;
    struct site *s = load(HEAD "table known of flow orders keep Qty\n" FLOW, STOP);
    assert_non_null(problem_of("SITE_COLUMN"));           /* the messages taken have no Owner */
    (void)s;
}

static void a_missing_file_is_no_crash(void **state)
{
    struct site *s;
    (void)state;
    assert_int_equal(site_load(&arena, NULL, dir, &s, &problems), STOP);
    assert_true(problems.errors > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loads_a_site, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(tells_all_faults_at_once, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(suggests_inbox, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_missing_param_keeps_the_flow_off, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(given_settings_win, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(later_features_keep_the_flow_off, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_policy_that_nothing_obeys_keeps_the_flow_off, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_name_of_one_message_needs_each, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(what_is_given_at_the_end_is_named_after_no_message, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_retry_without_a_pause_is_taken_as_a_second, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(tables_are_jailed_and_filled_by_known_flows, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(only_named_flows_fill_a_table, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(two_flows_on_one_inbox_must_differ, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(an_operation_does_not_feed_itself, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(ledger_fields_follow_from_tables, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_missing_file_is_no_crash, dir_begin, dir_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
