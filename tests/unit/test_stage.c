#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "jobkit.h"

/* Jobs on staged batches and tables: what changes, what stays, what is refused. */
static const char batch_format[] =
    "syntax json lines\nBatch text\nmessage Order key No {\n    No text required\n    Text text\n    Price decimal lax\n"
    "    Day date lax\n    Flag boolean\n    Sent datetime\n    Once datetime\n    Number text\n"
    "    group Line 0..* key N {\n        N text required\n        Qty decimal lax\n        Done datetime\n    }\n}\n";
static const char orders_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Order key No {\n    No text required\n    Text text\n"
    "    Price decimal lax mark \",\"\n    Day date lax pattern \"d.M.yyyy\"\n    Flag boolean true \"Y\" false \"N\"\n"
    "    group Line 0..* key N {\n        N text\n        Qty decimal lax\n    }\n}\n";
static const char answers_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Answer key No {\n    No text required\n    Text text\n    Qty decimal\n}\n";
static const char named_format[] =
    "syntax xml\nencoding utf-8\nBatch text at /answers/@batch\nmessage Answer at /answers/a key No {\n    No text required at @no\n    Text text at @text\n}\n";
static const char log_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Entry {\n    Operation text\n    Time datetime\n    Key text\n    Line text\n    Text text\n    State text\n}\n";
static const char item_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Item key Id {\n    Id text required\n    Stock decimal\n    Printed datetime\n}\n";

static const char pair_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Order key No {\n    No text required\n    Text text\n"
    "    group Line 0..* file lines join No {\n        N text\n        Qty decimal lax\n    }\n}\n";

static void put_maps(void)
{
    kit_put("pair.format", pair_format);
    kit_put("pair.map", "mapping batch => pair \"Pair\"\nOrder => Order {\n    key No => No\n    Text => Text\n"
            "    Line => Line {\n        N => N\n        Qty => Qty\n    }\n}\n");
    kit_put("stage.map", "mapping orders => batch \"Stage\"\nconcat(\"B\", next(\"n\")) => /Batch\nOrder => Order {\n"
            "    require not(No = \"skip\") else skip LEFT_OUT\n"
            "    key No => No\n    Text => Text\n    Price => Price\n    Day => Day\n    Flag => Flag\n"
            "    Line => Line {\n        key N => N\n        Qty => Qty\n    }\n}\n");
    kit_put("answer.map", "mapping answers => batch \"Answer\"\nAnswer => Order {\n    key No => No\n"
            "    require not($old/Sent) else GONE \"{No} was sent\"\n    Text => Text\n    Qty => Price\n    new add\n    missing keep\n}\n");
    kit_put("strict.map", "mapping answers => batch \"Strict\"\nAnswer => Order {\n    key No => No\n    Text => Text\n"
            "    new ignore else warn NEW \"{No} is new\"\n    missing remove else note LOST \"{No} is gone\"\n}\n");
    kit_put("named.map", "mapping named => batch \"Named\"\nkey /Batch => /Batch\nAnswer => Order {\n    key No => No\n"
            "    Text => Text\n    new ignore\n    missing {\n        \"unanswered\" => Text\n    }\n}\n");
    kit_put("send.map", "mapping batch => answers \"Send\"\nOrder[not(Sent)] => Answer {\n"
            "    require Price else wait NO_PRICE \"{No}: '{raw(Price)}' is no price\"\n    key No => No\n    Text => Text\n"
            "    Price => Qty\n    concat(\"N\", next(\"n\")) <=> No\n}\n");
    kit_put("send.map", "mapping batch => answers \"Send\"\nparam prefix text = \"N\"\nOrder[not(Sent)] => Answer {\n"
            "    require Price else wait NO_PRICE \"{No}: '{raw(Price)}' is no price\"\n    key No => No\n"
            "    concat($prefix, No) => Text\n    Price => Qty\n    Number <= Text\n}\n");
    kit_put("lines.map", "mapping batch => answers \"Lines\"\nOrder => Answer {\n    key No => No\n    sum(Line[Qty > 0]/Qty) => Qty\n"
            "    Line[Qty > 0] => Nothing {\n    }\n}\n");
    kit_put("log.map", "mapping batch => log \"Log\"\n$outcome/Problem[Text] => Entry {\n    Operation => Operation\n"
            "    Time => Time\n    Key => Key\n    Line => Line\n    Text => Text\n    ../../Number => State\n}\n");
    kit_put("latest.map", "mapping batch => log \"Latest\"\nOrder => Entry {\n    No => Key\n    $outcome/State => State\n"
            "    $outcome/Problem[1]/Text => Text\n    $state => Operation\n}\n");
    kit_put("fix.map", "mapping batch => batch \"Fix\"\nOrder[Price < 0] => Order {\n    key No => No\n    0 - Price => Price\n}\n");
    kit_put("print.map", "mapping item => answers \"Print\"\nItem[Stock > 0 and not(Printed)] => Answer {\n    key Id => No\n    Stock => Qty\n}\n");
}

static const char site_conf[] =
    "site \"T\"\nzone \"Europe/Oslo\"\nsequence n from 1\ntable items \"items.csv\" format item filled by sync\n"
    "flow sync {\n    on yes\n    batch batch track Order {\n        state staged\n        state sent when Sent\n    }\n"
    "    operation create {\n        take inbox \"in\"\n        give batch new map stage\n    }\n"
    "    operation answer {\n        take inbox \"answers\"\n        give batch map answer\n"
    "        give outbox \"o\" name \"{batch}\" map heard report\n    }\n"
    "    operation strict {\n        take inbox \"strict\"\n        give batch map strict\n    }\n"
    "    operation named {\n        take inbox \"named\"\n        give batch map named\n    }\n"
    "    operation send {\n        manual\n        take batch\n        give outbox \"o\" name \"{batch}_{n}.csv\" map send empty skip\n"
    "        done {\n            batch-time() => Order/Sent\n            Once | batch-time() => Order/Once\n        }\n    }\n"
    "    operation again {\n        every 15m\n        take batch\n        give outbox \"o\" name \"again_{batch}_{n}.csv\" map send empty skip\n    }\n"
    "    operation look {\n        manual\n        take batch\n        give outbox \"o\" name \"l_{batch}_{n}.csv\" map latest report\n"
    "        give outbox \"o\" name \"m_{batch}_{n}.csv\" map log report\n    }\n"
    "    operation fix {\n        manual\n        take batch\n        give batch map fix\n    }\n"
    "    operation pair {\n        manual\n        take batch\n"
    "        give outbox \"o\" name \"{batch}_{n}.csv\" map pair companion lines \"{batch}_lines_{n}.csv\"\n    }\n"
    "    operation print {\n        manual\n        take table items\n        give outbox \"o\" name \"p_{batch}.csv\" map print empty skip\n"
    "        done {\n            batch-time() => Item/Printed\n        }\n    }\n"
    "}\n";

static int set_up(void **state)
{
    if (kit_begin(state) != 0)
        return -1;
    kit_put("batch.format", batch_format);
    kit_put("orders.format", orders_format);
    kit_put("answers.format", answers_format);
    kit_put("named.format", named_format);
    kit_put("log.format", log_format);
    kit_put("item.format", item_format);
    put_maps();
    kit_put("heard.map", "mapping answers => log \"Heard\"\nAnswer => Entry {\n    No => Key\n    $outcome/State => State\n    $outcome/Text => Text\n}\n");
    kit_put("site.conf", site_conf);
    kit_site();
    return 0;
}

#define T1 "2026-01-01T08:00:00+01:00"
#define T2 "2026-01-02T08:00:00+01:00"
#define T3 "2026-01-03T08:00:00+01:00"

static const char orders[] = "No;Text;Price;Day;Flag;N;Qty\nA;one;1,50;5.1.2026;Y;1;2\nA;one;1,50;5.1.2026;Y;2;x\nB;;12O;31.2.2026;;1;0.50\n"
                             "skip;;;;;;\nC; b ;100;;N;;\n";

static void create(const char *id, const char *text)
{
    kit_put("file.csv", text);
    kit_file("create", id, T1, kit_path("file.csv"));
}

static int try_answers(const char *operation, const char *id, const char *text)
{
    kit_put("answers.csv", text);
    return kit_try_file(operation, id, T2, kit_path("answers.csv"));
}

static void answers(const char *operation, const char *id, const char *text)
{
    if (try_answers(operation, id, text) != OK) {
        kit_show();
        fail_msg("%s failed", operation);
    }
}

static void expect(const char *got, const char *want)
{
    assert_string_equal(got ? got : "(nothing)", want);
}

/* ---- creating --------------------------------------------------------------------------------------------------- */

#define LINE_A "{\"No\":\"A\",\"Text\":\"one\",\"Price\":1.50,\"Day\":\"2026-01-05\",\"Flag\":true,\"Line\":[{\"N\":\"1\",\"Qty\":2},{\"N\":\"2\",\"Qty\":\"x\"}]}\n"
#define LINE_B "{\"No\":\"B\",\"Price\":\"12O\",\"Day\":\"31.2.2026\",\"Line\":[{\"N\":\"1\",\"Qty\":0.50}]}\n"
#define LINE_C "{\"No\":\"C\",\"Text\":\" b \",\"Price\":100,\"Flag\":false}\n"

static void a_file_becomes_a_batch(void **state)
{
    (void)state;
    create("b1", orders);
    assert_int_equal(kit.result.messages, 4);
    assert_int_equal(kit.result.done, 3);
    assert_int_equal(kit.result.skipped, 1);
    const struct output *o = &kit.outputs[kit_find(OUTPUT_STAGE, -1)];
    assert_true(slice_is(o->target, "b1"));
    assert_int_equal(o->messages, 3);
    assert_int_equal(o->nstates, 2);
    assert_int_equal(o->states[0].count, 3);
    assert_true(o->unfinished);
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n" LINE_A LINE_B LINE_C);
}

static void nothing_to_stage_leaves_no_batch(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nskip;;;;;;\n");
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_int_equal(kit.result.problems.notes, 1);
    assert_string_equal(kit.result.problems.first->code, "NOTHING_STAGED");
}

/* ---- updating --------------------------------------------------------------------------------------------------- */

static void an_answer_changes_what_it_names(void **state)
{
    (void)state;
    create("b1", orders);
    answers("answer", "a1", "No;Text;Qty\nC;;7.00\nA;two;1.5\n");
    /* B keeps its bytes; 1.50 and 1.5 are one number; what the answer says nothing of becomes nothing */
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n"
           "{\"No\":\"A\",\"Text\":\"two\",\"Price\":1.50,\"Day\":\"2026-01-05\",\"Flag\":true,\"Line\":[{\"N\":\"1\",\"Qty\":2},{\"N\":\"2\",\"Qty\":\"x\"}]}\n"
           LINE_B "{\"No\":\"C\",\"Price\":7.00,\"Flag\":false}\n");
    assert_int_equal(kit.result.done, 2);
    assert_true(kit.outputs[kit_find(OUTPUT_LOG, -1)].messages == 2);
    answers("answer", "a2", "No;Text;Qty\nC;;7.00\nA;two;1.5\n");
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);        /* nothing is left to change */
}

static void an_answer_finds_its_batches(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;;;;;\nB;1;;;;;\n");
    create("b2", "No;Text;Price;Day;Flag;N;Qty\nB;2;;;;;\nC;2;;;;;\n");
    create("b3", "No;Text;Price;Day;Flag;N;Qty\nD;3;;;;;\n");
    answers("answer", "a1", "No;Text;Qty\nB;x;\nE;new;\n");
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n{\"No\":\"A\",\"Text\":\"1\"}\n{\"No\":\"B\",\"Text\":\"x\"}\n");
    expect(kit_stage("b2"), "{\"Batch\":\"B2\"}\n{\"No\":\"B\",\"Text\":\"x\"}\n{\"No\":\"C\",\"Text\":\"2\"}\n{\"No\":\"E\",\"Text\":\"new\"}\n");
    expect(kit_stage("b3"), "{\"Batch\":\"B3\"}\n{\"No\":\"D\",\"Text\":\"3\"}\n");
    assert_int_equal(kit.result.messages, 2);
    assert_int_equal(kit.result.done, 2);
}

static void new_ones_go_to_the_newest(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;;;;;\n");
    create("b2", "No;Text;Price;Day;Flag;N;Qty\nB;2;;;;;\n");
    answers("answer", "a1", "No;Text;Qty\nX;x;\n");
    expect(kit_stage("b2"), "{\"Batch\":\"B2\"}\n{\"No\":\"B\",\"Text\":\"2\"}\n{\"No\":\"X\",\"Text\":\"x\"}\n");
    assert_int_equal(kit_of("b1")->nlogs, 1);                   /* nothing was said of it */
    answers("strict", "a2", "No;Text;Qty\nN;x;\n");             /* it means no batch, so none misses anything */
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_null(strstr(kit_output(OUTPUT_LOG, -1), "is gone"));
}

static void missing_ones_are_those_of_batches_that_are_meant(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;;;;;\nB;1;;;;;\n");
    create("b2", "No;Text;Price;Day;Flag;N;Qty\nC;2;;;;;\n");
    answers("strict", "a1", "No;Text;Qty\nA;x;\nN;;\n");
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n{\"No\":\"A\",\"Text\":\"x\"}\n");
    expect(kit_stage("b2"), "{\"Batch\":\"B2\"}\n{\"No\":\"C\",\"Text\":\"2\"}\n");
    assert_int_equal(kit.result.warnings, 1);
    assert_int_equal(kit.result.problems.notes, 1);
    const char *log = kit_output(OUTPUT_LOG, -1);
    assert_non_null(strstr(log, "B is gone"));
    assert_non_null(strstr(log, "N is new"));
}

static void a_file_may_name_its_batch(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;;;;;\n");
    create("b2", "No;Text;Price;Day;Flag;N;Qty\nA;2;;;;;\nB;2;;;;;\n");
    answers("named", "a1", "<answers batch=\"B2\"><a no=\"A\" text=\"yes\"/></answers>");
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n{\"No\":\"A\",\"Text\":\"1\"}\n");
    expect(kit_stage("b2"), "{\"Batch\":\"B2\"}\n{\"No\":\"A\",\"Text\":\"yes\"}\n{\"No\":\"B\",\"Text\":\"unanswered\"}\n");
    assert_int_equal(try_answers("named", "a2", "<answers batch=\"B9\"><a no=\"A\" text=\"yes\"/></answers>"), STOP);
    assert_true(slice_is(kit.result.code, "BATCH_UNKNOWN"));
}

static void no_batch_is_open(void **state)
{
    (void)state;
    assert_int_equal(try_answers("answer", "a1", "No;Text;Qty\nA;;\n"), STOP);
    assert_true(slice_is(kit.result.code, "BATCH_UNKNOWN"));
}

static void a_refused_answer_is_set_aside(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;1;;;;\nB;1;2;;;;\n");
    kit_batch("send", "b1", T2);
    answers("answer", "a1", "No;Text;Qty\nA;late;\nZ;new;1\n");
    expect(kit_output(OUTPUT_REJECTED, -1), "No;Text;Qty\nA;late;\n");
    expect(kit_output(OUTPUT_FILE, 1), "Operation;Time;Key;Line;Text;State\n;;A;;A was sent;rejected\n;;Z;;;done\n");
    assert_int_equal(kit.result.rejected, 1);
    assert_non_null(strstr(kit_stage("b1"), "{\"No\":\"Z\",\"Text\":\"new\",\"Price\":1}\n"));
    assert_null(strstr(kit_stage("b1"), "late"));
}

static void an_answer_names_each_message_once(void **state)
{
    (void)state;
    create("b1", orders);
    assert_int_equal(try_answers("named", "a1", "<answers batch=\"B1\"><a no=\"A\"/><a no=\"A\" text=\"x\"/></answers>"), STOP);
    assert_true(slice_is(kit.result.code, "KEY_TWICE"));
}

static void what_was_applied_is_not_applied_again(void **state)
{
    (void)state;
    create("b1", orders);
    kit.applied = true;
    answers("answer", "a1", "No;Text;Qty\nA;x;\n");
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_true(kit_find(OUTPUT_LOG, -1) == SIZE_MAX);
}

/* ---- taking a batch --------------------------------------------------------------------------------------------- */

static void what_is_taken_is_stamped(void **state)
{
    (void)state;
    create("b1", orders);
    kit_batch("send", "b1", T2);
    expect(kit_output(OUTPUT_FILE, 0), "No;Text;Qty\nA;NA;1.50\nC;NC;100\n");
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n"
           "{\"No\":\"A\",\"Text\":\"one\",\"Price\":1.50,\"Day\":\"2026-01-05\",\"Flag\":true,\"Sent\":\"2026-01-02T08:00:00\",\"Once\":\"2026-01-02T08:00:00\",\"Number\":\"NA\",\"Line\":[{\"N\":\"1\",\"Qty\":2},{\"N\":\"2\",\"Qty\":\"x\"}]}\n"
           LINE_B "{\"No\":\"C\",\"Text\":\" b \",\"Price\":100,\"Flag\":false,\"Sent\":\"2026-01-02T08:00:00\",\"Once\":\"2026-01-02T08:00:00\",\"Number\":\"NC\"}\n");
    const struct output *o = &kit.outputs[kit_find(OUTPUT_STAGE, -1)];
    assert_int_equal(o->states[0].count, 1);
    assert_int_equal(o->states[1].count, 2);
    assert_int_equal(kit.result.waiting, 1);
    assert_true(kit_find(OUTPUT_REJECTED, -1) == SIZE_MAX);     /* it stays in the batch */
    kit_batch("send", "b1", T3);
    assert_true(kit_find(OUTPUT_STAGE, -1) == SIZE_MAX);
    assert_int_equal(kit.result.nstates, 2);
    assert_int_equal(kit.result.states[1].count, 2);
    assert_int_equal(kit.result.waiting, 1);
}

static void a_param_of_the_run_wins(void **state)
{
    (void)state;
    create("b1", orders);
    kit.sets[kit.nsets++] = (struct setting){ .name = SLICE("prefix"), .value = SLICE("X-") };
    kit_batch("send", "b1", T2);
    expect(kit_output(OUTPUT_FILE, 0), "No;Text;Qty\nA;X-A;1.50\nC;X-C;100\n");
}

static void only_what_is_selected(void **state)
{
    (void)state;
    create("b1", orders);
    kit.selection[kit.nselection++] = SLICE("C");
    kit_batch("send", "b1", T2);
    expect(kit_output(OUTPUT_FILE, 0), "No;Text;Qty\nC;NC;100\n");
    assert_int_equal(kit.result.messages, 1);
    assert_int_equal(kit.result.waiting, 0);
    assert_memory_equal(kit_stage("b1"), "{\"Batch\":\"B1\"}\n" LINE_A LINE_B, sizeof("{\"Batch\":\"B1\"}\n" LINE_A LINE_B) - 1);
    kit.selection[kit.nselection++] = SLICE("Q");
    assert_int_equal(kit_try_batch("send", "b1", T2), STOP);
    assert_true(slice_is(kit.result.code, "SELECT_UNKNOWN"));
}

static void a_batch_updates_itself(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;-2,5;;;;\nB;1;2;;;;\n");
    kit_batch("fix", "b1", T2);
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n{\"No\":\"A\",\"Text\":\"1\",\"Price\":2.5}\n{\"No\":\"B\",\"Text\":\"1\",\"Price\":2}\n");
}

static void reports_know_what_was_said_last(void **state)
{
    (void)state;
    create("b1", orders);
    kit_batch("send", "b1", T2);
    answers("answer", "a1", "No;Text;Qty\nA;late;\n");
    kit_batch("look", "b1", T3);
    expect(kit_output(OUTPUT_FILE, 0), "Operation;Time;Key;Line;Text;State\nsent;;A;;A was sent;rejected\nstaged;;B;;B: '12O' is no price;waiting\nsent;;C;;;done\n");
    expect(kit_output(OUTPUT_FILE, 1), "Operation;Time;Key;Line;Text;State\nsend;2026-01-02T08:00:00;B;;B: '12O' is no price;\n"
           "answer;2026-01-02T08:00:00;A;;A was sent;NA\n");
}

/* At an interval only what is news is said. */
static void an_interval_says_nothing_twice(void **state)
{
    (void)state;
    create("b1", "No;Text;Price;Day;Flag;N;Qty\nA;1;x;;;;\n");
    kit_batch("again", "b1", T2);
    assert_true(kit_find(OUTPUT_LINES, -1) != SIZE_MAX);
    kit_batch("again", "b1", T3);
    assert_int_equal(kit.result.waiting, 1);
    assert_int_equal(kit.noutputs, 0);
}

static void a_give_has_companions(void **state)
{
    (void)state;
    create("b1", orders);
    kit_batch("pair", "b1", T2);
    expect(kit_output(OUTPUT_FILE, 0), "No;Text\nA;one\nB;\nC;\" b \"\n");
    size_t i = 1;
    assert_int_equal(kit.outputs[i].kind, OUTPUT_FILE);
    assert_int_equal(kit.outputs[i].number, 2);
    assert_true(slice_is(kit.outputs[i].name, "b1_lines_1.csv"));
    expect(arena_cstr(&kit.arena, kit_contents(kit.paths[i])), "No;N;Qty\nA;1;2\nA;2;x\nB;1;0.50\n");
    kit_batch("pair", "b1", T3);
    assert_true(slice_is(kit.outputs[0].name, "b1_2.csv"));
    assert_true(slice_is(kit.outputs[1].name, "b1_lines_2.csv"));
}

static void a_damaged_document_stops_the_operation(void **state)
{
    (void)state;
    create("b1", orders);
    kit_put("broken", "{\"No\":\"A\"}\n{\"No\":\n");
    kit_of("b1")->stage = kit_path("broken");
    assert_int_equal(kit_try_batch("send", "b1", T2), STOP);
    assert_true(kit.result.problems.errors > 0);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static void a_table_is_taken_and_stamped(void **state)
{
    (void)state;
    kit_put("items.csv", "Id;Stock;Printed\na;0;\nb;2;\nc;3;2026-01-01T00:00:00\n");
    kit_file("print", "t1", T2, kit_path("items.csv"));
    expect(kit_output(OUTPUT_FILE, 0), "No;Text;Qty\nb;;2\n");
    expect(kit_output(OUTPUT_TABLE, -1), "Id;Stock;Printed\na;0;\nb;2;2026-01-02T08:00:00\nc;3;2026-01-01T00:00:00\n");
    kit_put("items.csv", "");
    kit_file("print", "t2", T2, kit_path("items.csv"));
    assert_true(kit_find(OUTPUT_TABLE, -1) == SIZE_MAX);
}

/* ---- corrections ------------------------------------------------------------------------------------------------ */

static int amend(const char *message, const char *path, const char *value, const char *path2, const char *value2)
{
    struct kit_batch *b = kit_of("b1");
    struct amend list[2] = { { slice_of(message), slice_of(path), slice_of(value) } };
    struct job job = { .operation = kit_operation("send"), .batch = SLICE("b1"), .time = SLICE(T2), .amends = list,
                       .namends = 1 };
    if (path2)
        list[job.namends++] = (struct amend){ slice_of(message), slice_of(path2), slice_of(value2) };
    return kit_run(&job, b->stage, true);
}

static void corrections_by_hand(void **state)
{
    (void)state;
    create("b1", orders);
    assert_int_equal(amend("B", "Price", "12.0", "Line[1]/Qty", ""), OK);
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n" LINE_A "{\"No\":\"B\",\"Price\":12.0,\"Day\":\"31.2.2026\",\"Line\":[{\"N\":\"1\"}]}\n" LINE_C);
    assert_non_null(strstr(kit_output(OUTPUT_LINES, -1), "Price: \\\"12O\\\" became \\\"12.0\\\""));
    assert_int_equal(amend("A", "Line[2]/Qty", "5", NULL, NULL), OK);
    assert_non_null(strstr(kit_stage("b1"), "{\"N\":\"2\",\"Qty\":5}"));
    assert_int_equal(amend("A", "Text", "one", NULL, NULL), OK);
    assert_int_equal(kit.noutputs, 0);                          /* it was that already */
}

static void wrong_corrections(void **state)
{
    static const char *const cases[][4] = {
        { "A", "Prise", "1", "AMEND_PATH" },        { "A", "Lines[1]/Qty", "1", "AMEND_PATH" },
        { "A", "Line[9]/Qty", "1", "AMEND_PATH" },  { "A", "Line/Qty", "1", "AMEND_PATH" },
        { "A", "Price", "12O", "AMEND_VALUE" },     { "A", "Day", "5.1.2026", "AMEND_VALUE" },
        { "A", "No", "Q", "AMEND_KEY" },            { "A", "Line[1]/N", "7", "AMEND_KEY" },
        { "Q", "Price", "1", "AMEND_UNKNOWN" },
    };
    (void)state;
    create("b1", orders);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(amend(cases[i][0], cases[i][1], cases[i][2], "Text", "other"), STOP);
        assert_string_equal(arena_cstr(&kit.arena, kit.result.code), cases[i][3]);
    }
    expect(kit_stage("b1"), "{\"Batch\":\"B1\"}\n" LINE_A LINE_B LINE_C);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, kit_end)
    const struct CMUnitTest tests[] = {
        TEST(a_file_becomes_a_batch), TEST(nothing_to_stage_leaves_no_batch), TEST(an_answer_changes_what_it_names),
        TEST(an_answer_finds_its_batches), TEST(new_ones_go_to_the_newest),
        TEST(missing_ones_are_those_of_batches_that_are_meant), TEST(a_file_may_name_its_batch),
        TEST(no_batch_is_open), TEST(a_refused_answer_is_set_aside), TEST(an_answer_names_each_message_once),
        TEST(what_was_applied_is_not_applied_again), TEST(what_is_taken_is_stamped), TEST(a_param_of_the_run_wins),
        TEST(only_what_is_selected), TEST(a_batch_updates_itself), TEST(reports_know_what_was_said_last),
        TEST(an_interval_says_nothing_twice), TEST(a_give_has_companions), TEST(a_damaged_document_stops_the_operation),
        TEST(a_table_is_taken_and_stamped), TEST(corrections_by_hand), TEST(wrong_corrections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
