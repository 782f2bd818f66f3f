#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "jobkit.h"

/* Jobs that call and wait for answers, files that messages name, files that come along, the original with changes. */

static const char rows_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Doc key No {\n    No text required\n    Qty decimal mark \",\"\n"
    "    File text\n}\n";
static const char batch_format[] =
    "syntax json lines\nmessage Doc key No {\n    No text required\n    Qty decimal\n    File text\n    Ref text\n"
    "    Sent datetime\n}\n";
static const char call_format[] = "syntax json lines\nmessage Call {\n    What text\n    No text\n    Bytes binary\n}\n";
static const char answer_format[] =
    "syntax json lines\nmessage Answer {\n    Ok boolean required\n    Ref text\n    Why text\n}\n";
static const char log_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Entry {\n    No text\n    State text\n    Text text\n}\n";
static const char joined_format[] =
    "syntax csv delimiter \";\" header yes\nencoding utf-8\nmessage Doc key No {\n    No text required\n"
    "    group Line 0..* file lines join No {\n        Qty decimal\n    }\n}\n";

static const char site[] =
    "site \"Calls\"\nzone \"UTC\"\n"
    "flow docs {\n    on yes\n    batch batch track Doc {\n        state staged\n        state sent when Sent\n    }\n"
    "    operation create {\n        take inbox \"in\" companion \"files/{File}\"\n        give batch new map stage\n    }\n"
    "    operation send {\n        manual\n        serial yes\n        take batch\n"
    "        give outbox \"out\" name \"c_{batch}_{n}\" map open each {\n            answer inbox \"answers\" map opened by order within 1h\n        }\n"
    "        give outbox \"out\" name \"c_{batch}_{n}\" map attach each {\n            answer inbox \"answers\" map attached by order\n        }\n"
    "        give outbox \"out\" name \"list_{batch}_{n}\" map list empty skip\n"
    "        give outbox \"out\" name \"log_{batch}_{n}\" map log report\n    }\n"
    "    operation back {\n        manual\n        take batch\n"
    "        give outbox \"out\" name \"back_{batch}_{n}\" map stage backward original empty skip\n    }\n}\n"
    "flow joined {\n    on yes\n    operation convert {\n        take inbox \"in2\" companion lines \"lines*.csv\"\n"
    "        give outbox \"out\" name \"sum_{batch}\" map sum\n    }\n}\n";

static void make(void)
{
    kit_put("rows.format", rows_format);
    kit_put("batch.format", batch_format);
    kit_put("call.format", call_format);
    kit_put("answer.format", answer_format);
    kit_put("log.format", log_format);
    kit_put("joined.format", joined_format);
    kit_put("stage.map", "mapping rows <=> batch\nDoc <=> Doc {\n    key No <=> No\n    Qty <=> Qty\n    File <=> File\n}\n");
    kit_put("open.map", "mapping batch => call\nDoc[not(Ref)] => Call {\n    require Qty > 0 else NO_QTY \"{No} has no quantity\"\n"
            "    \"open\" => What\n    No => No\n}\n");
    kit_put("opened.map", "mapping answer => batch\nAnswer => Doc {\n    new ignore\n"
            "    require Ok else NOT_OPENED \"{$old/No}: {Why}\"\n    Ref => Ref\n}\n");
    kit_put("attach.map", "mapping batch => call\nDoc[Ref and not(Sent)] => Call {\n"
            "    require attachment(File) else skip NO_FILE \"{No} has no file\"\n"
            "    \"attach\" => What\n    Ref => No\n    attachment(File) => Bytes\n}\n");
    kit_put("attached.map", "mapping answer => batch\nAnswer => Doc {\n    new ignore\n"
            "    require Ok else NOT_ATTACHED \"{$old/No}: {Why}\"\n    batch-time() => Sent\n}\n");
    kit_put("list.map", "mapping batch => log\nDoc[Sent] => Entry {\n    No => No\n    \"sent\" => State\n}\n");
    kit_put("log.map", "mapping batch => log\nDoc => Entry {\n    No => No\n    $outcome/State => State\n    $outcome/Text => Text\n}\n");
    kit_put("sum.map", "mapping joined => log\nDoc => Entry {\n    No => No\n    sum(Line/Qty) => State\n}\n");
    kit_put("site.conf", site);
    kit_site();
    kit_put("in.csv", "No;Qty;File\r\n1;2,50;one.txt\r\n2;;x\r\n3;1;two.txt\r\n");
    kit_file("create", "B1", "2026-01-01T08:00:00", kit_path("in.csv"));
}

static void next(uint64_t message, uint32_t give, bool over, bool late)
{
    kit.calls = (struct call_place){ .phase = CALL_NEXT, .message = message, .give = give, .over = over, .late = late };
    kit_batch("send", "B1", "2026-01-02T08:00:00");
}

static int answer(uint64_t message, const char *operation, const char *text)
{
    kit_put("answer", text);
    kit.asked = "B1";
    kit.asked_message = message;
    kit.calls = (struct call_place){ .phase = CALL_NONE };
    int rc = kit_try_file(operation, "A1", "2026-01-02T08:01:00", kit_path("answer"));
    kit.asked = NULL;
    return rc;
}

static void called(uint64_t message, const char *key, uint32_t give)
{
    assert_true(kit.result.called);
    assert_int_equal(kit.result.call_message, message);
    assert_true(slice_is(kit.result.call_key, key));
    assert_int_equal(kit.result.call_give, give);
}

/* From message to message, from give to give; nothing else is written. */
static void one_call_after_another(void **state)
{
    (void)state;
    make();
    next(0, 0, false, false);
    called(1, "1", 0);
    assert_string_equal(kit_output(OUTPUT_FILE, 0), "{\"What\":\"open\",\"No\":\"1\"}\n");
    assert_null(kit_output(OUTPUT_FILE, 1));
    assert_null(kit_output(OUTPUT_FILE, 3));
    assert_null(kit_output(OUTPUT_LINES, -1));
    assert_int_equal(answer(1, "send.opened", "{\"Ok\":true,\"Ref\":\"r1\"}\n"), OK);
    assert_non_null(strstr(kit_stage("B1"), "\"Ref\":\"r1\""));
    next(1, 0, false, false);
    called(3, "3", 0);                              /* there is no file for 1, and 2 is refused */
    assert_int_equal(kit.result.skipped, 1);
    assert_int_equal(kit.result.rejected, 1);
}

static void put_beside(const char *name, const char *text)
{
    mkdir(kit_path("beside"), 0700);
    kit_put(arena_cstr(&kit.arena, arena_printf(&kit.arena, "beside/%s", name)), text);
}

static void files_that_messages_name(void **state)
{
    (void)state;
    make();
    put_beside("one.txt", "bytes");
    next(0, 0, false, false);
    assert_int_equal(answer(1, "send.opened", "{\"Ok\":true,\"Ref\":\"r1\"}\n"), OK);
    next(1, 0, false, false);
    called(1, "1", 1);
    assert_string_equal(kit_output(OUTPUT_FILE, 1), "{\"What\":\"attach\",\"No\":\"r1\",\"Bytes\":\"Ynl0ZXM=\"}\n");
    assert_int_equal(answer(1, "send.attached", "{\"Ok\":true}\n"), OK);
    next(1, 1, false, false);
    called(3, "3", 0);                              /* on the way 2 was refused */
    assert_int_equal(kit.result.rejected, 1);
    assert_non_null(strstr(kit_output(OUTPUT_LINES, -1), "2 has no quantity"));
}

static void a_refusal_ends_its_message(void **state)
{
    (void)state;
    make();
    assert_int_equal(answer(1, "send.opened", "{\"Ok\":false,\"Why\":\"closed\"}\n"), OK);
    assert_non_null(strstr(kit_output(OUTPUT_LOG, -1), "\"rejected\""));
    next(1, 0, true, false);
    called(3, "3", 0);
}

static void a_late_answer_ends_its_message(void **state)
{
    (void)state;
    make();
    next(1, 0, false, true);
    called(3, "3", 0);
    assert_non_null(strstr(kit_output(OUTPUT_LINES, -1), "ANSWER_LATE"));
}

static void the_last_job_has_the_rest(void **state)
{
    (void)state;
    make();
    assert_int_equal(answer(1, "send.opened", "{\"Ok\":false,\"Why\":\"closed\"}\n"), OK);
    assert_int_equal(answer(3, "send.attached", "{\"Ok\":true}\n"), OK);
    kit.calls = (struct call_place){ .phase = CALL_LAST };
    kit_batch("send", "B1", "2026-01-02T08:00:00");
    assert_false(kit.result.called);
    assert_null(kit_output(OUTPUT_FILE, 0));
    assert_string_equal(kit_output(OUTPUT_FILE, 2), "No;State;Text\n3;sent;\n");
    assert_string_equal(kit_output(OUTPUT_FILE, 3), "No;State;Text\n1;rejected;1: closed\n2;done;\n3;done;\n");
}

static void refused(uint64_t message, const char *text)
{
    assert_int_equal(answer(message, "send.opened", text), STOP);
    assert_true(slice_is(kit.result.code, "ANSWER_UNEXPECTED"));
    assert_null(kit_output(OUTPUT_LOG, -1));
}

static void answers_that_fit_no_call(void **state)
{
    (void)state;
    make();
    refused(1, "{\"Ok\":true}\n{\"Ok\":true}\n");
    refused(1, "");
    kit_put("answer", "{\"Ok\":true}\n");
    assert_int_equal(kit_try_file("send.opened", "A1", "2026-01-02T08:01:00", kit_path("answer")), STOP);
    assert_true(slice_is(kit.result.code, "ANSWER_UNEXPECTED"));
}

static void the_original_with_changes(void **state)
{
    (void)state;
    make();
    kit_batch("back", "B1", "2026-01-02T08:00:00");
    assert_null(kit_output(OUTPUT_FILE, 0));        /* nothing has changed */
    struct kit_batch *b = kit_of("B1");
    kit_put("stage", "{\"No\":\"1\",\"Qty\":\"4\",\"File\":\"one.txt\"}\n{\"No\":\"2\",\"File\":\"x\"}\n"
            "{\"No\":\"3\",\"Qty\":\"1\",\"File\":\"two.txt\"}\n");
    b->stage = kit_path("stage");
    kit_batch("back", "B1", "2026-01-02T08:00:00");
    assert_string_equal(kit_output(OUTPUT_FILE, 0), "No;Qty;File\r\n1;4;one.txt\r\n2;;x\r\n3;1;two.txt\r\n");
}

static void rows_that_came_along(void **state)
{
    (void)state;
    make();
    kit_put("main.csv", "No\n1\n2\n");
    assert_int_equal(kit_try_file("convert", "B2", "2026-01-01T08:00:00", kit_path("main.csv")), STOP);
    assert_true(slice_is(kit.result.code, "CSV_COMPANION"));
    mkdir(kit_path("with"), 0700);
    kit_put("with/lines", "No;Qty\n1;2\n2;1\n1;3\n");
    kit_file("convert", "B2", "2026-01-01T08:00:00", kit_path("main.csv"));
    assert_string_equal(kit_output(OUTPUT_FILE, 0), "No;State;Text\n1;5;\n2;1;\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_call_after_another, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(files_that_messages_name, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_refusal_ends_its_message, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_late_answer_ends_its_message, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(the_last_job_has_the_rest, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(answers_that_fit_no_call, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(the_original_with_changes, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(rows_that_came_along, kit_begin, kit_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
