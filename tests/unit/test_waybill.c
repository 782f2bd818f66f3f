#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/base64.h"
#include "batch/waybill.h"
#include "unit/basekit.h"
#include "unit/tempdir.h"

static const char hash[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static struct waybill *full(void)
{
    struct waybill *w = waybill_new(&arena, "20261122-034431-12-7");
    w->place = PLACE_WRITTEN;
    w->flow = SLICE("orders");
    w->operation = SLICE("convert");
    w->inbox = SLICE("inbox/orders");
    w->name = SLICE("b\xc3\xa5t\n\xff.csv");
    w->bytes = 12345678901;
    w->mtime_ns = 1795319071123456789;
    memcpy(w->sha256, hash, sizeof hash);
    w->batch_time = SLICE("2026-11-22T04:44:31+01:00");
    w->duplicate_of = SLICE("20261121-000000-1-1");
    waybill_pin(w, "mapping", SLICE("orders"), hash);
    waybill_pin(w, "mapping", SLICE("orders"), hash);
    waybill_param(&w->params, &arena, SLICE("status"), SLICE("a\0b\"\\"));
    waybill_lease(w, SLICE("invoice"), 100, 110);
    waybill_total(w, &w->totals, "done", 2);
    waybill_total(w, &w->totals, "rejected", 1);
    waybill_total(w, &w->totals, "done", 3);
    struct waybill_output *o = arena_zero(&arena, sizeof *o);
    *o = (struct waybill_output){ .n = 1, .outbox = SLICE("outbox"), .name = SLICE("a.xml"), .size = 4 };
    memcpy(o->sha256, hash, sizeof hash);
    w->outputs = o;
    waybill_file(w, "companion", "with.1")->name = SLICE("d\xff.pdf");
    struct waybill_group *g = arena_zero(&arena, sizeof *g);
    *g = (struct waybill_group){ .severity = PROBLEM_ERROR, .code = SLICE("NUM_BAD"), .path = SLICE("Line/Qty"),
                                 .line = 3, .count = 7 };
    w->groups = g;
    w->retry = (struct waybill_retry){ SLICE("SYS_FULL"), 2, w->batch_time, w->batch_time };
    w->stage = SLICE("stage.2");
    w->run = 2;
    struct waybill_file *f = waybill_file(w, "stage", "stage.2");
    waybill_total(w, &f->states, "sent", 4);
    waybill_due(w, SLICE("commit"), SLICE("after send"));
    waybill_due(w, SLICE("commit"), slice_none());
    w->run_by = SLICE("request 7");
    waybill_param(&w->run_sets, &arena, SLICE("since"), SLICE("2026-11-01"));
    waybill_param(&w->run_keys, &arena, SLICE("4711"), SLICE(""));
    waybill_amend(&w->run_amends, &arena, &(struct waybill_amend){ SLICE("4711"), SLICE("Line[2]/Qty"), SLICE(""), 1, NULL });
    waybill_ran(w, &(struct waybill_run){ .operation = SLICE("create"), .time = SLICE("x"), .outcome = SLICE("done") });
    waybill_ran(w, &(struct waybill_run){ .operation = SLICE("send"), .time = w->batch_time, .outcome = SLICE("refused"),
                                          .code = SLICE("BATCH_MIXED"), .messages = 3, .rejected = 1 });
    waybill_ran(w, &(struct waybill_run){ .operation = SLICE("create"), .time = w->batch_time, .outcome = SLICE("done") });
    waybill_event(w, w->batch_time, "accepted", slice_none());
    waybill_event(w, w->batch_time, "written", SLICE("2 outputs"));
    return w;
}

static int read_back(struct slice text, struct waybill **out)
{
    return waybill_read(&arena, text, "w.json", out, &problems);
}

static void everything_comes_back(void **state)
{
    (void)state;
    struct buf a = { 0 }, b = { 0 };
    struct waybill *w;
    waybill_write(full(), &a);
    assert_int_equal(read_back(buf_slice(&a), &w), OK);
    waybill_write(w, &b);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    assert_true(slice_equal(w->runs->time, w->batch_time));     /* the later one, in its place */
    assert_true(slice_is(w->runs->next->code, "BATCH_MIXED"));
    assert_true(slice_is(waybill_not_due(w, SLICE("commit")), "after send"));
    assert_true(slice_is(waybill_not_due(w, SLICE("commit")), ""));
    assert_null(waybill_not_due(w, SLICE("commit")).p);
    assert_int_equal(waybill_file_named(w, w->stage)->states->count, 4);
    assert_memory_equal(a.p,
                        "{\"version\":1,\n\"batch\":\"20261122-034431-12-7\",\n\"seq\":0,\n\"place\":\"written\",", 70);
    assert_true(slice_equal(w->name, SLICE("b\xc3\xa5t\n\xff.csv")));
    assert_true(slice_equal(w->params->value, SLICE("a\0b\"\\")));
    assert_int_equal(w->bytes, 12345678901);
    assert_int_equal(w->mtime_ns, 1795319071123456789);
    assert_int_equal(waybill_total_of(w->totals, "done"), 5);
    assert_int_equal(waybill_total_of(w->totals, "skipped"), 0);
    assert_null(w->pins->next);
    assert_int_equal(w->nevents, 2);
    assert_true(waybill_history_ok(w));
    w->history->detail = SLICE("changed");
    assert_false(waybill_history_ok(w));
    buf_release(&a);
    buf_release(&b);
}

static void any_changed_byte_is_refused(void **state)
{
    (void)state;
    struct buf a = { 0 };
    struct waybill *w;
    waybill_write(full(), &a);
    for (size_t i = 0; i < a.n; i += 3) {
        a.p[i] ^= 1;
        assert_int_equal(read_back(buf_slice(&a), &w), STOP);
        assert_null(w);
        a.p[i] ^= 1;
        assert_int_equal(read_back((struct slice){ a.p, i }, &w), STOP);
    }
    buf_release(&a);
}

static void expect(const char *body, const char *code)
{
    struct buf b = { 0 };
    struct waybill *w;
    char check[SHA256_HEX];
    buf_text(&b, body);
    sha256_of(buf_slice(&b), check);
    buf_printf(&b, "\"check\":\"%s\"}\n", check);
    assert_int_equal(read_back(buf_slice(&b), &w), STOP);
    assert_string_equal(problems.last->code, code);
    buf_release(&b);
}

static void only_what_is_known_is_read(void **state)
{
    (void)state;
    expect("{\"version\":2,\n", "WAYBILL_VERSION");
    expect("{\"version\":1,\n", "WAYBILL_DAMAGED");
    expect("{\"version\":1,\"version\":1,\n", "WAYBILL_DAMAGED");
    expect("{\"version\":\"1\",\n", "WAYBILL_DAMAGED");
    expect("{\"version\":1,\"batch\":\"x\",\"seq\":0,\"place\":\"lost\",\n", "WAYBILL_DAMAGED");
#define BASE "{\"version\":1,\"batch\":\"x\",\"seq\":0,\"place\":\"accepted\",\"flow\":\"\",\"name\":\"\"," \
             "\"bytes\":1,\"sha256\":" \
             "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"batch_time\":\"\",\"messages\":0,"
    expect(BASE "\"unknown\":1,\n", "WAYBILL_DAMAGED");
    expect(BASE "\"outputs\":[{\"n\":1}],\n", "WAYBILL_DAMAGED");
    expect(BASE "\"outputs\":[[[[[1]]]]],\n", "WAYBILL_DAMAGED");
    expect(BASE "\"retry\":null,\n", "WAYBILL_DAMAGED");
    expect(BASE "\"errors\":1e999,\n", "WAYBILL_DAMAGED");
    expect(BASE "\"errors\":-1,\n", "WAYBILL_DAMAGED");
    expect(BASE "\"name_b64\":\"***\",\n", "WAYBILL_DAMAGED");
    struct waybill *w;
    assert_int_equal(read_back(SLICE(""), &w), STOP);
    assert_int_equal(read_back(SLICE("[]"), &w), STOP);
    assert_int_equal(read_back(SLICE("{\n  oops"), &w), STOP);
    assert_int_equal(problems.last->place.line, 2);
}

static void saving_chains_the_documents(void **state)
{
    (void)state;
    char dir[256];
    struct waybill *w, *again;
    assert_non_null(tempdir_make(dir));
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(waybill_load(&arena, fd, "20261122-034431-12-7", &w, &problems), END);
    w = full();
    assert_int_equal(waybill_save(w, fd, true, &problems), OK);
    assert_int_equal(waybill_load(&arena, fd, "20261122-034431-12-7", &again, &problems), OK);
    assert_int_equal(again->seq, 1);
    assert_string_equal(again->prev, "");
    assert_string_equal(again->check, w->check);
    assert_int_equal(waybill_save(again, fd, true, &problems), OK);
    assert_string_equal(again->prev, w->check);
    assert_int_equal(again->seq, 2);
    tempdir_write(dir, "20261122-034431-12-8.waybill.json", "x", 1);
    struct buf b = { 0 };
    waybill_write(w, &b);
    tempdir_write(dir, "20261122-034431-12-9.waybill.json", b.p, b.n);
    assert_int_equal(waybill_load(&arena, fd, "20261122-034431-12-8", &again, &problems), STOP);
    /* another batch's */
    assert_int_equal(waybill_load(&arena, fd, "20261122-034431-12-9", &again, &problems), STOP);
    buf_release(&b);
    close(fd);
    tempdir_remove(dir);
}

static void base64_goes_there_and_back(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
    };
    struct slice bytes;
    for (size_t i = 0; i < 5; i++) {
        struct buf b = { 0 };
        base64_write(slice_of(pairs[i][0]), &b);
        assert_true(slice_is(buf_slice(&b), pairs[i][1]));
        assert_true(base64_read(buf_slice(&b), &arena, &bytes));
        assert_true(slice_is(bytes, pairs[i][0]));
        buf_release(&b);
    }
    assert_false(base64_read(SLICE("Zg="), &arena, &bytes));
    assert_false(base64_read(SLICE("Z==="), &arena, &bytes));
    assert_false(base64_read(SLICE("Zm9-"), &arena, &bytes));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, base_begin, base_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_back), TEST(any_changed_byte_is_refused), TEST(only_what_is_known_is_read),
        TEST(saving_chains_the_documents), TEST(base64_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
