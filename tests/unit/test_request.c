#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <time.h>

#include "batch/request.h"
#include "unit/dirkit.h"

static struct spool spool;

static int setup(void **state)
{
    return dir_begin(state) == 0 ? spool_open(&spool, &arena, dir, true, &problems) : -1;
}

static int teardown(void **state)
{
    spool_close(&spool);
    return dir_end(state);
}

static struct request *full(void)
{
    struct request *r = arena_zero(&arena, sizeof *r);
    r->kind = REQUEST_RUN;
    r->flow = SLICE("sync");
    r->operation = SLICE("send");
    r->batch = SLICE("20261122-034431-12-7");
    waybill_param(&r->sets, &arena, SLICE("since"), SLICE("2026-11-01 \"x\"\n"));
    waybill_param(&r->keys, &arena, SLICE("4711 1"), SLICE(""));
    return r;
}

static int keep(void *owner, const struct request *r, struct problems *ps)
{
    const struct request **list = owner;
    (void)ps;
    while (*list)
        list++;
    *list = r;
    return OK;
}

static size_t all(const struct request **list)
{
    size_t n = 0;
    memset(list, 0, 8 * sizeof *list);
    assert_int_equal(request_each(&spool, &arena, keep, list, &problems), OK);
    while (list[n])
        n++;
    return n;
}

static void put(const char *id, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, ".waybill/requests/%s.json", id);
    tempdir_write(dir, path, text, strlen(text));
}

static void oldest_first_and_once(void **state)
{
    (void)state;
    const struct request *list[8];
    struct request *a = full(), b = { .kind = REQUEST_AMEND, .batch = a->batch };
    struct request_answer *got, done = { .outcome = SLICE("done"), .batches = 1, .delivered = 1, .messages = 3 };
    assert_int_equal(all(list), 0);
    waybill_amend(&b.amends, &arena, &(struct waybill_amend){ SLICE("1"), SLICE("Line[2]/Qty"), SLICE(""), 1, NULL });
    assert_int_equal(request_put(&spool, &arena, a, &problems), OK);
    assert_int_equal(request_put(&spool, &arena, &b, &problems), OK);
    assert_int_equal(all(list), 2);
    assert_true(slice_equal(list[0]->id, a->id) && slice_equal(list[1]->id, b.id));
    assert_true(slice_equal(list[0]->sets->value, a->sets->value));
    assert_true(slice_is(list[0]->keys->name, "4711 1"));
    assert_int_equal(list[1]->kind, REQUEST_AMEND);
    assert_int_equal(list[1]->amends->value.n, 0);
    assert_non_null(strstr(list[0]->by.p, "uid "));
    assert_int_equal(request_result(&spool, &arena, a->id, &got, &problems), END);
    done.id = a->id;
    waybill_param(&done.made, &arena, a->batch, SLICE("done"));
    assert_int_equal(request_answer(&spool, &done, &problems), OK);
    assert_int_equal(request_result(&spool, &arena, a->id, &got, &problems), OK);
    assert_int_equal(got->messages, 3);
    assert_true(slice_is(got->made->value, "done"));
    assert_int_equal(all(list), 1);
    struct request *none;
    assert_int_equal(request_find(&spool, &arena, a->id.p, &none, &problems), END);
    assert_int_equal(request_find(&spool, &arena, b.id.p, &none, &problems), OK);
}

/* A host that was paused knows less than the one that went on. */
static void the_first_answer_counts(void **state)
{
    (void)state;
    struct request *a = full();
    struct request_answer *got, done = { .outcome = SLICE("done") }, late = { .outcome = SLICE("refused") };
    assert_int_equal(request_put(&spool, &arena, a, &problems), OK);
    done.id = late.id = a->id;
    assert_int_equal(request_answer(&spool, &done, &problems), OK);
    assert_int_equal(request_answer(&spool, &late, &problems), OK);
    assert_int_equal(request_result(&spool, &arena, a->id, &got, &problems), OK);
    assert_true(slice_is(got->outcome, "done"));
}

/* Killed between the answer and the removal of the request. */
static void an_answered_request_is_not_done_again(void **state)
{
    (void)state;
    const struct request *list[8];
    struct request *a = full();
    struct request_answer done = { .outcome = SLICE("done") };
    char from[128], to[128];
    assert_int_equal(request_put(&spool, &arena, a, &problems), OK);
    snprintf(from, sizeof from, "requests/%s.json", a->id.p);
    snprintf(to, sizeof to, "requests/kept");
    assert_int_equal(linkat(spool.top, from, spool.top, to, 0), 0);
    done.id = a->id;
    assert_int_equal(request_answer(&spool, &done, &problems), OK);
    assert_int_equal(renameat(spool.top, to, spool.top, from), 0);
    assert_int_equal(all(list), 0);
    assert_int_equal(faccessat(spool.top, from, F_OK, 0), -1);
}

static const char head[] = "{\"version\":1,\"id\":\"1-1\",\"by\":\"x\",\"time\":\"y\",";

static void hostile_ones_are_refused(void **state)
{
    (void)state;
    static const char *const tails[] = {
        "\"kind\":\"run\",\"flow\":\"f\",\"operation\":\"o\",\"extra\":1}",
        "\"kind\":\"run\",\"flow\":\"f\"}",
        "\"kind\":\"fly\",\"batch\":\"20261122-034431-12-7\"}",
        "\"kind\":\"hold\",\"batch\":\"../../etc\"}",
        "\"kind\":\"hold\",\"batch\":7}",
        "\"kind\":\"hold\"}",
        "\"kind\":\"amend\",\"batch\":\"20261122-034431-12-7\"}",
        "\"kind\":\"hold\",\"batch\":\"20261122-034431-12-7\",\"amends\":[{\"message\":\"1\",\"path\":\"Q\",\"value\":\"2\"}]}",
        "\"kind\":\"hold\",\"kind\":\"run\",\"batch\":\"20261122-034431-12-7\"}",
        "\"kind\":\"hold\",\"batch\":\"2026\\u0000\"}",
        "", "\"kind\":\"hold\",\"batch\":\"20261122-034431-12-7\"} x",
    };
    const struct request *list[8];
    struct request_answer *got;
    assert_int_equal(mkdirat(spool.top, "requests", 0700), 0);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", head, tails[i]);
        put("1-1", text);
        assert_int_equal(all(list), 0);
        assert_int_equal(request_result(&spool, &arena, SLICE("1-1"), &got, &problems), OK);
        assert_true(slice_is(got->outcome, "refused") && slice_is(got->code, "REQUEST_BAD"));
        assert_int_equal(unlinkat(spool.top, "answers/1-1.json", 0), 0);
    }
    assert_int_equal(problems.errors, 0);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    const struct request *list[8];
    struct request_answer *got;
    assert_int_equal(mkdirat(spool.top, "requests", 0700), 0);
    assert_int_equal(symlinkat("/etc/passwd", spool.top, "requests/1-1.json"), 0);
    assert_int_equal(mkfifoat(spool.top, "requests/1-2.json", 0600), 0);
    put("nobody's", "x");
    put("-1", "x");
    assert_int_equal(all(list), 0);
    assert_int_equal(request_result(&spool, &arena, SLICE("1-1"), &got, &problems), OK);
    assert_int_equal(request_result(&spool, &arena, SLICE("1-2"), &got, &problems), OK);
    assert_int_equal(faccessat(spool.top, "requests/nobody's.json", F_OK, 0), 0);
    assert_int_equal(request_result(&spool, &arena, SLICE("../1-1"), &got, &problems), END);
}

static void a_request_must_make_sense(void **state)
{
    (void)state;
    struct request *r = full();
    r->operation = slice_none();
    assert_int_equal(request_put(&spool, &arena, r, &problems), STOP);
    r->kind = REQUEST_HOLD;
    r->batch = SLICE("x/y");
    assert_int_equal(request_put(&spool, &arena, r, &problems), STOP);
}

static void answers_go_after_a_day(void **state)
{
    (void)state;
    struct request *r = full();
    const struct request *list[8];
    struct request_answer *got, done = { .outcome = SLICE("done") };
    assert_int_equal(request_put(&spool, &arena, r, &problems), OK);
    done.id = r->id;
    assert_int_equal(request_answer(&spool, &done, &problems), OK);
    assert_int_equal(request_put(&spool, &arena, r, &problems), OK);
    assert_int_equal(request_clean(&spool, time(NULL), &problems), OK);
    assert_int_equal(request_result(&spool, &arena, done.id, &got, &problems), OK);
    assert_int_equal(request_clean(&spool, time(NULL) + 90000, &problems), OK);
    assert_int_equal(request_result(&spool, &arena, done.id, &got, &problems), END);
    assert_int_equal(all(list), 1);             /* one that nobody answered stays */
}

static void noted_by_its_whole_id(void **state)
{
    (void)state;
    struct waybill *w = waybill_new(&arena, "20261122-034431-12-7");
    waybill_event(w, SLICE("t"), "asked", SLICE("1-12"));
    waybill_event(w, SLICE("t"), "asked", SLICE("1-3 by anna"));
    waybill_event(w, SLICE("t"), "began", SLICE("1-4"));
    assert_true(request_noted(w, "1-12") && request_noted(w, "1-3"));
    assert_false(request_noted(w, "1-1") || request_noted(w, "1-4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(oldest_first_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_answer_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answered_request_is_not_done_again, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_ones_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_must_make_sense, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_go_after_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(noted_by_its_whole_id, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
