#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "flow/site.h"
#include "unit/dirkit.h"

/* What a site says about staged batches: compiled, or told with place and suggestion. */

static const char orders[] = "syntax csv delimiter \";\" header yes\nmessage Order key No {\n    No text required\n    Qty integer\n}\n";
static const char batch[] = "syntax json lines\nBatch text\nmessage Order key No {\n    No text required\n    Qty integer lax\n"
                            "    Sent datetime\n    group Line 0..* key N {\n        N text required\n        Done date\n    }\n}\n";
static const char stage[] = "mapping orders => batch \"Stage\"\ntable open key No columns Batch optional\n"
                            "Order => Order {\n    require not($open[No]) else skip OPEN\n    key No => No\n    Qty => Qty\n}\n";
static const char answer[] = "mapping orders => batch \"Answer\"\nOrder => Order {\n    key No => No\n    Qty => Qty\n}\n";
static const char nokey[] = "mapping orders => batch \"Answer\"\nOrder => Order {\n    No => No\n    Qty => Qty\n}\n";
static const char send[] = "mapping batch => orders \"Send\"\nparam who text required\nOrder[not(Sent)] => Order {\n    key No => No\n"
                           "    Qty => Qty\n    require $who else NOBODY\n}\n";

static struct site *load(const char *conf, int wanted)
{
    struct site *s = NULL;
    char text[4096];
    dir_put("orders.format", orders);
    dir_put("batch.format", batch);
    dir_put("stage.map", stage);
    dir_put("answer.map", answer);
    dir_put("nokey.map", nokey);
    dir_put("send.map", send);
    snprintf(text, sizeof text, "site \"T\"\nzone \"Europe/Oslo\"\ntable open of open\n"
             "table kept \"kept.jsonl\" format batch filled by sync\n%s", conf);
    dir_put("site.conf", text);
    int rc = site_load(&arena, NULL, dir, &s, &problems);
    for (const struct problem *p = problems.first; rc != wanted && p; p = p->next)
        fprintf(stderr, "%u: %.*s [%s]\n", p->place.line, (int)p->text.n, p->text.p, p->code);
    assert_int_equal(rc, wanted);
    return s;
}

#define TRACK "flow sync {\n    on yes\n    batch batch track Order {\n        state staged\n        state sent when Sent\n    }\n"
#define CREATE "    operation create {\n        take inbox \"in\" newest\n        give batch new map stage\n    }\n"
#define SEND "    operation send {\n        manual\n        take batch\n        give outbox \"o\" name \"{batch}_{n}.csv\" map send empty skip\n"

static void a_flow_that_stages(void **state)
{
    (void)state;
    struct site *s = load(TRACK CREATE SEND "        done {\n            batch-time() => Order/Sent\n            Qty + 1 => Order/Qty\n        }\n    }\n"
                          "    operation answer {\n        take inbox \"answers\"\n        give batch map answer\n    }\n}\n", OK);
    const struct flow *f = s->flows[0];
    assert_null(f->off);
    assert_non_null(f->batch);
    assert_true(slice_is(f->batch_group->name, "Order"));
    assert_ptr_equal(f->track, f->batch_group);
    assert_int_equal(f->nstates, 2);
    assert_true(slice_is(f->states[1].name, "sent"));
    assert_null(f->states[0].when);
    assert_non_null(f->states[1].when);
    const struct operation *send_op = flow_operation(f, SLICE("send"));
    assert_ptr_equal(send_op->format, f->batch);
    assert_int_equal(send_op->nstamps, 2);
    assert_true(slice_is(send_op->stamps[0].field->name, "Sent"));
    assert_ptr_equal(send_op->stamps[0].group, f->batch_group);
    assert_true(send_op->gives[0]->judges);
    assert_true(flow_operation(f, SLICE("create"))->stage->new_batch);
    assert_false(flow_operation(f, SLICE("answer"))->stage->new_batch);
    assert_true(flow_operation(f, SLICE("create"))->take.newest);
}

/* A param that comes with the command does not keep the flow off. */
static void a_manual_operation_gets_params_by_command(void **state)
{
    (void)state;
    struct site *s = load(TRACK CREATE SEND "    }\n}\n", OK);
    const struct operation *op = flow_operation(s->flows[0], SLICE("send"));
    struct setting who = { .name = SLICE("who"), .value = SLICE("me") };
    struct settings run = { &who, 1, 1 };
    assert_null(s->flows[0]->off);
    assert_true(slice_is(operation_param_missing(op, NULL), "who"));
    assert_int_equal(operation_param_missing(op, &run).n, 0);
}

static void states_go_down_the_tree(void **state)
{
    (void)state;
    struct site *s = load("flow sync {\n    on yes\n    batch batch track Order/Line {\n        state open\n        state done when Done\n    }\n"
                          CREATE "}\n", OK);
    assert_true(slice_is(s->flows[0]->track->name, "Line"));
}

struct fault_case {
    const char *conf, *code;
    uint32_t line;
    const char *hint;
};

static void faults_are_told(void **state)
{
    static const struct fault_case cases[] = {
        { "flow sync {\n    on yes\n    batch orders\n" CREATE "}\n", "SITE_BATCH", 7, "syntax json lines" },
        { "flow sync {\n    on yes\n    batch bach\n}\n", "SITE_NO_FORMAT", 7, "batch" },
        { "flow sync {\n    on yes\n    batch batch track Order/Lin {\n        state a\n    }\n" CREATE "}\n", "MAP_NO_FIELD", 7, "Line" },
        { "flow sync {\n    on yes\n    batch batch track Order {\n        state a\n        state b\n    }\n" CREATE "}\n", "SITE_STATE", 9, "when" },
        { "flow sync {\n    on yes\n    batch batch track Order {\n        state a\n        state b when Snt\n    }\n" CREATE "}\n", "MAP_NO_FIELD", 9, "Sent" },
        { "flow sync {\n    on yes\n    batch batch track Order {\n        state a\n        state a when Sent\n    }\n" CREATE "}\n", "SITE_TWICE", 9, "another name" },
        { "flow sync {\n    on yes\n    batch batch trak Order {\n        state a\n    }\n" CREATE "}\n", "CONF_WORD", 7, "track" },
        { "flow sync {\n    on yes\n" CREATE "}\n", "SITE_NO_BATCH", 9, "batch FORMAT" },
        { "flow sync {\n    on yes\n" SEND "    }\n}\n", "SITE_NO_BATCH", 9, "batch FORMAT" },
        { TRACK "    operation send {\n        take batch\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_TRIGGER", 12, "after NAME" },
        { TRACK CREATE "    operation a {\n        after b\n        take batch\n        give outbox \"o\" name \"{batch}\" map send\n    }\n"
          "    operation b {\n        after a\n        take batch\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_AFTER", 15, "by hand" },
        { TRACK CREATE "    operation a {\n        after creat\n        take batch\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_NO_OPERATION", 15, "create" },
        { TRACK "    operation x {\n        after create\n        take inbox \"x\"\n        give batch new map stage\n    }\n" CREATE "}\n", "SITE_AFTER", 11, "take batch" },
        { TRACK "    operation x {\n        take inbox \"x\"\n        give batch map nokey\n    }\n}\n", "SITE_GIVE_BATCH", 13, "key" },
        { TRACK "    operation x {\n        take inbox \"x\"\n        give batch\n    }\n}\n", "SITE_GIVE_BATCH", 13, "map" },
        { TRACK "    operation x {\n        take inbox \"x\"\n        give batch new map stage\n        give batch map answer\n    }\n}\n", "SITE_GIVE_BATCH", 14, "two operations" },
        { TRACK "    operation x {\n        manual\n        take batch\n        give batch new map send\n    }\n}\n", "SITE_GIVE_BATCH", 14, "`new`" },
        { TRACK "    operation x {\n        take inbox \"x\"\n        give batch new map stage report\n    }\n}\n", "SITE_GIVE_BATCH", 13, "leave it out" },
        { TRACK SEND "        done {\n            Qty => Order/Sent/X\n        }\n    }\n}\n", "MAP_NO_FIELD", 16, NULL },
        { TRACK SEND "        done {\n            Qty => Batch\n        }\n    }\n}\n", "FORMULA_PATH", 16, "message" },
        { TRACK SEND "        done {\n            batch-tim() => Order/Sent\n        }\n    }\n}\n", "EXPR_FUNCTION", 16, "batch-time" },
        { TRACK "    operation create {\n        take inbox \"in\"\n        give batch new map stage\n        done {\n            batch-time() => Order/Sent\n        }\n    }\n}\n",
          "SITE_DONE", 14, "take batch" },
        { TRACK "    operation x {\n        manual\n        take table kep\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_NO_TABLE", 13, "kept" },
        { TRACK "    operation x {\n        manual\n        take table open\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_TABLE", 13, "file" },
        { TRACK SEND "        give outbox \"p\" name \"{batch}\" map send companion lines \"l_{batch}\"\n    }\n}\n", "SITE_COMPANION", 15, "group" },
        { TRACK "    operation x {\n        manual\n        take batch newest\n        give outbox \"o\" name \"{batch}\" map send\n    }\n}\n", "SITE_TAKE", 13, "leave" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problems_init(&problems, &arena, 0);
        load(cases[i].conf, STOP);
        const struct problem *p = problem_of(cases[i].code);
        if (!p || p->place.line != cases[i].line || (cases[i].hint && !memmem(p->hint.p ? p->hint.p : "", p->hint.n, cases[i].hint, strlen(cases[i].hint)))) {
            for (p = problems.first; p; p = p->next)
                fprintf(stderr, "%u: %.*s [%s] %.*s\n", p->place.line, (int)p->text.n, p->text.p, p->code, (int)p->hint.n, p->hint.p);
            fail_msg("case %zu: no %s in line %u\n%s", i, cases[i].code, cases[i].line, cases[i].conf);
        }
        assert_true(p->place.column > 0 && p->place.width > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flow_that_stages, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(a_manual_operation_gets_params_by_command, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(states_go_down_the_tree, dir_begin, dir_end),
        cmocka_unit_test_setup_teardown(faults_are_told, dir_begin, dir_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
