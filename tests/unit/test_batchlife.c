#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/lines.h"
#include "store/archive.h"
#include "unit/batchkit.h"

static const struct batch_accept how = { .flow = { "sync", 4 }, .operation = { "create", 6 } };
static const struct batch_accept answers = { .flow = { "sync", 4 }, .operation = { "receive", 7 } };

/* As after a crash: only what is on the disk is known. */
static struct batch *again(struct batch *b)
{
    char id[BATCH_ID_SIZE];
    memcpy(id, b->id, sizeof id);
    batch_close(b);
    kit_restart();
    assert_int_equal(batch_open(&site, &arena, id, &b, &problems), OK);
    return b;
}

static enum next_step next(const struct batch *b)
{
    int64_t due;
    return recover_next(&site, b->w, &due);
}

static void fill(struct waybill_file *f, int fd, struct slice text)
{
    f->size = text.n;
    f->count = 1;
    sha256_of(text, f->sha256);
    assert_int_equal(file_write_all(fd, text), 0);
    close(fd);
}

static void stage(struct batch *b, struct slice target, const char *text)
{
    struct slice name;
    int fd;
    assert_int_equal(batch_stage_file(b, target, &name, &fd, &problems), OK);
    struct waybill_file *f = batch_staged(b, name, target);
    fill(f, fd, slice_of(text));
    waybill_total(b->w, &f->states, "staged", 2);
}

static void put_log(struct batch *b, struct slice target)
{
    struct lines l;
    struct slice name;
    struct problems found;
    char sha256[SHA256_HEX];
    int fd;
    problems_init(&found, &arena, 0);
    problem_add(&found, &(struct problem){ .severity = PROBLEM_ERROR, .code = "NUM_BAD", .message = 1 });
    assert_int_equal(batch_log_file(b, target, &name, &fd, &problems), OK);
    lines_begin(&l, fd);
    assert_int_equal(lines_add(&l, &(struct line){ .message = 1, .state = SLICE("rejected"), .problems = found.first },
                               &problems), OK);
    assert_int_equal(lines_end(&l, sha256, &problems), OK);
    struct waybill_file *f = batch_staged(b, name, target);
    f->size = l.size;
    f->count = l.count;
    memcpy(f->sha256, sha256, sizeof sha256);
}

static void output(struct batch *b, const char *text)
{
    unsigned n;
    int fd;
    assert_int_equal(batch_output(b, "outbox", SLICE("orders.xml"), &n, &fd, &problems), OK);
    assert_int_equal(file_write_all(fd, slice_of(text)), 0);
    assert_int_equal(batch_output_done(b, n, fd, NULL, &problems), OK);
}

static struct batch *create(void)
{
    struct batch *b;
    assert_int_equal(batch_create(&site, &arena, &how, SLICE("orders.csv"), SLICE("1;2\n"), &b, &problems), OK);
    stage(b, slice_none(), "{}\n");
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(next(b), NEXT_REST);
    assert_int_equal(batch_rest(b, SLICE("open"), &problems), OK);
    return b;
}

static struct batch *answer(const struct batch *into, const char *text)
{
    struct batch *b;
    assert_int_equal(batch_create(&site, &arena, &answers, SLICE("updates.xml"), slice_of(text), &b, &problems), OK);
    stage(b, slice_of(into->id), text);
    put_log(b, slice_of(into->id));
    assert_int_equal(batch_written(b, &problems), OK);
    return b;
}

static struct slice content(const struct batch *b, struct slice name)
{
    struct slice text;
    const char *path = arena_printf(&arena, "%s/.waybill/work/%s/%.*s", dir, b->id, SLICE_ARG(name)).p;
    assert_int_equal(file_read(&arena, path, 0, &text, &problems), OK);
    return text;
}

static void a_staged_document_stays(void **state)
{
    (void)state;
    struct batch *b;
    assert_int_equal(batch_create(&site, &arena, &how, SLICE("orders.csv"), SLICE("1;2\n"), &b, &problems), OK);
    stage(b, slice_none(), "{}\n");
    assert_null(b->w->stage.p);                 /* not before it is delivered */
    b->brief = true;
    assert_int_equal(batch_written(b, &problems), OK);
    b = again(b);
    assert_true(slice_is(b->w->stage, "stage.1"));
    assert_int_equal(b->w->states->count, 2);
    assert_int_equal(next(b), NEXT_REST);
    assert_true(slice_is(b->w->operation, "create"));
    assert_int_equal(batch_rest(b, SLICE("open"), &problems), OK);
    b = again(b);
    assert_int_equal(next(b), NEXT_WAIT);
    assert_true(batch_is_open(b->w));
    assert_null(b->w->operation.p);
    assert_true(slice_is(b->w->runs->operation, "create"));
    assert_int_equal(batch_archive(b, &problems), STOP);
    batch_close(b);
}

/* On a shared site: a host that was paused has an older state in its hands than what another one made of the batch. */
static void who_lost_the_site_changes_nothing(void **state)
{
    (void)state;
    struct spool other;
    struct waybill *w;
    struct slice name;
    int fd;
    assert_int_equal(spool_enter(&spool, 1, &problems), OK);
    struct batch *b = create();
    waybill_due(b->w, SLICE("send"), SLICE("request 7"));
    assert_int_equal(batch_save(b, &problems), OK);
    uint64_t seq = b->w->seq;
    assert_int_equal(spool_open(&other, &arena, dir, true, &problems), OK);
    assert_int_equal(spool_enter(&other, 2, &problems), OK);
    b->w->due = NULL;
    assert_int_equal(batch_save(b, &problems), TEMP);
    assert_int_equal(batch_stage_file(b, slice_none(), &name, &fd, &problems), TEMP);
    assert_int_equal(batch_open_file(b, "stage.1", O_RDWR | O_TRUNC, 0600), -1);
    assert_int_equal(batch_unlink(b, "stage.1"), -1);
    int folder = openat(other.work, b->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(waybill_load(&arena, folder, b->id, &w, &problems), OK);
    assert_int_equal(w->seq, seq);
    assert_non_null(w->due);
    assert_int_equal(faccessat(folder, "stage.1", F_OK, 0), 0);
    close(folder);
    batch_close(b);
    spool_close(&other);
}

static void what_is_due_comes_next(void **state)
{
    (void)state;
    struct batch *b = create();
    waybill_due(b->w, SLICE("send"), SLICE("after create"));
    waybill_due(b->w, SLICE("send"), SLICE("after create"));
    waybill_due(b->w, SLICE("send"), SLICE("request 7"));
    assert_int_equal(batch_save(b, &problems), OK);
    b = again(b);
    assert_int_equal(next(b), NEXT_OPERATION);
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    assert_true(slice_is(b->w->run_by, "after create"));
    assert_true(slice_is(b->w->due->value, "request 7"));
    assert_null(b->w->due->next);
    assert_int_equal(batch_begin(b, SLICE("commit"), &problems), STOP);
    b = again(b);
    assert_int_equal(next(b), NEXT_OPERATION);
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);     /* the same again: nothing new */
    assert_int_equal(b->w->run, 1);
    batch_close(b);
}

static void a_run_that_died_leaves_nothing(void **state)
{
    (void)state;
    struct batch *b = create();
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    output(b, "<a/>");
    stage(b, slice_none(), "{\"SendDate\":1}\n");
    put_log(b, slice_none());
    assert_int_equal(batch_save(b, &problems), OK);
    b = again(b);
    batch_restart(b);
    assert_null(b->w->outputs);
    assert_non_null(waybill_file_named(b->w, SLICE("stage.1")));
    assert_null(waybill_file_named(b->w, SLICE("stage.2")));
    assert_true(slice_is(content(b, b->w->stage), "{}\n"));
    output(b, "<a/>");
    stage(b, slice_none(), "{\"SendDate\":2}\n");
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(b->w->place, PLACE_WRITTEN);
    b = again(b);
    assert_true(slice_is(b->w->stage, "stage.1"));      /* what is not delivered did not happen */
    assert_int_equal(next(b), NEXT_DELIVER);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    b = again(b);
    assert_true(slice_is(b->w->stage, "stage.2"));
    assert_true(slice_is(content(b, b->w->stage), "{\"SendDate\":2}\n"));
    assert_int_equal(next(b), NEXT_REST);
    assert_int_equal(batch_rest(b, SLICE("open"), &problems), OK);
    batch_restart(b);
    assert_non_null(waybill_file_named(b->w, SLICE("stage.2")));
    batch_close(b);
}

static void a_refused_run_leaves_the_batch_as_it_was(void **state)
{
    (void)state;
    struct batch *b = create();
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    output(b, "<a/>");
    stage(b, slice_none(), "{\"SendDate\":1}\n");
    put_log(b, slice_none());
    assert_int_equal(batch_refuse(b, "SITE_TEXT", SLICE("no location"), &problems), OK);
    b = again(b);
    assert_true(slice_is(b->w->stage, "stage.1"));
    assert_null(waybill_file_named(b->w, SLICE("stage.2")));
    assert_non_null(waybill_find_file(b->w, "lines"));
    assert_null(b->w->outputs);
    assert_int_equal(next(b), NEXT_WAIT);
    assert_true(slice_is(b->w->runs->next->code, "SITE_TEXT"));
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    batch_close(b);
}

static void an_answer_is_installed_once(void **state)
{
    (void)state;
    struct batch *b = create(), *a = answer(b, "{\"Received\":1}\n");
    char into[BATCH_ID_SIZE];
    memcpy(into, b->id, sizeof into);
    assert_int_equal(next(a), NEXT_REST);
    assert_string_equal(batch_target(a, ""), into);
    assert_null(batch_target(a, into));
    waybill_due(b->w, SLICE("commit"), SLICE("after receive"));
    assert_int_equal(batch_install(a, b, &problems), OK);
    a = again(a);
    assert_int_equal(batch_open(&site, &arena, into, &b, &problems), OK);
    assert_true(batch_answered(b, a));
    assert_int_equal(batch_install(a, b, &problems), OK);
    assert_true(slice_is(b->w->stage, "stage.2"));
    assert_true(slice_is(content(b, b->w->stage), "{\"Received\":1}\n"));
    assert_int_equal(lines_next(b->w), 2);
    assert_true(slice_is(b->w->runs->next->operation, "receive"));
    assert_int_equal(b->w->runs->next->rejected, 1);
    assert_int_equal(b->w->runs->next->errors, 1);
    assert_int_equal(next(b), NEXT_OPERATION);
    assert_int_equal(batch_archive(a, &problems), OK);          /* without what is the other's */
    assert_int_equal(archived_verify(&store, a->id, &problems), OK);
    batch_close(a);
    b = again(b);
    assert_true(slice_is(content(b, b->w->stage), "{\"Received\":1}\n"));
    batch_close(b);
}

/* Killed after each link: the waybill does not name them yet, and the next attempt ends the same. */
static void an_answer_is_installed_after_a_crash(void **state)
{
    (void)state;
    for (int links = 0; links <= 3; links++) {
        struct batch *b = create(), *a = answer(b, "{\"Received\":1}\n");
        const char *from = arena_printf(&arena, "stage.%s", b->id).p, *log = arena_printf(&arena, "log.%s", b->id).p;
        const char *to = arena_printf(&arena, "%s.lines.1.jsonl", b->id).p;
        char id[BATCH_ID_SIZE];
        memcpy(id, b->id, sizeof id);
        if (links == 1 || links == 2)
            assert_int_equal(linkat(a->dir, from, b->dir, "stage.2", 0), 0);
        if (links == 2)
            assert_int_equal(linkat(a->dir, log, b->dir, to, 0), 0);
        if (links == 3)                         /* another one, torn, of a run that died */
            close(openat(b->dir, "stage.2", O_WRONLY | O_CREAT, 0600));
        batch_close(b);
        a = again(a);
        assert_int_equal(batch_open(&site, &arena, id, &b, &problems), OK);
        assert_int_equal(batch_install(a, b, &problems), OK);
        b = again(b);
        assert_true(slice_is(b->w->stage, "stage.2"));
        assert_true(slice_is(content(b, b->w->stage), "{\"Received\":1}\n"));
        assert_int_equal(lines_next(b->w), 2);
        batch_close(a);
        batch_close(b);
    }
}

static void a_damaged_answer_is_not_installed(void **state)
{
    (void)state;
    struct batch *b = create(), *a = answer(b, "{\"Received\":1}\n");
    a = again(a);
    const char *from = arena_printf(&arena, "stage.%s", b->id).p;
    int fd = openat(a->dir, from, O_WRONLY | O_TRUNC);
    assert_int_equal(file_write_all(fd, SLICE("{\"Received\":2}\n")), 0);
    close(fd);
    assert_int_equal(batch_install(a, b, &problems), STOP);
    b = again(b);
    assert_true(slice_is(b->w->stage, "stage.1"));
    assert_null(b->w->answers);
    batch_close(a);
    batch_close(b);
}

static void an_answer_for_two(void **state)
{
    (void)state;
    struct batch *one = create(), *two = create(), *a;
    assert_int_equal(batch_create(&site, &arena, &answers, SLICE("u.xml"), SLICE("<a/>"), &a, &problems), OK);
    stage(a, slice_of(two->id), "{\"b\":2}\n");
    stage(a, slice_of(one->id), "{\"b\":1}\n");
    put_log(a, slice_of(one->id));
    assert_int_equal(batch_written(a, &problems), OK);
    assert_string_equal(batch_target(a, ""), one->id);
    assert_string_equal(batch_target(a, one->id), two->id);
    assert_int_equal(batch_install(a, two, &problems), OK);
    assert_int_equal(batch_install(a, one, &problems), OK);
    assert_true(slice_is(content(one, one->w->stage), "{\"b\":1}\n"));
    assert_true(slice_is(content(two, two->w->stage), "{\"b\":2}\n"));
    batch_close(one);
    batch_close(two);
    batch_close(a);
}

static void by_hand(void **state)
{
    (void)state;
    struct batch *b = create();
    waybill_due(b->w, SLICE("send"), SLICE("after create"));
    assert_int_equal(batch_hold(b, SLICE("anna (uid 1000)"), &problems), OK);
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), STOP);
    b = again(b);
    assert_int_equal(next(b), NEXT_WAIT);
    assert_int_equal(batch_release(b, SLICE("anna (uid 1000)"), &problems), OK);
    assert_int_equal(batch_release(b, SLICE("anna (uid 1000)"), &problems), STOP);
    assert_int_equal(next(b), NEXT_OPERATION);
    struct waybill_amend m = { SLICE("4711 1"), SLICE("Line[2]/Quantity"), SLICE("5"), 0, NULL };
    b->w->due = NULL;
    waybill_amend(&b->w->run_amends, &arena, &m);
    assert_int_equal(batch_begin(b, SLICE("amend"), &problems), OK);
    b = again(b);
    assert_true(slice_is(b->w->run_amends->value, "5"));
    stage(b, slice_none(), "{\"Quantity\":5}\n");
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_rest(b, SLICE("open"), &problems), OK);
    assert_null(b->w->run_amends);
    assert_true(slice_is(b->w->last_event->what, "amended"));
    assert_true(waybill_history_ok(b->w));
    assert_int_equal(batch_cancel(b, SLICE("anna (uid 1000)"), &problems), OK);
    b = again(b);
    assert_int_equal(next(b), NEXT_ARCHIVE);
    assert_int_equal(batch_archive(b, &problems), OK);
    batch_close(b);
}

static void what_began_can_be_cancelled(void **state)
{
    (void)state;
    struct batch *b = create();
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    output(b, "<a/>");
    stage(b, slice_none(), "{\"SendDate\":1}\n");
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_hold(b, SLICE("anna"), &problems), OK);
    b = again(b);
    assert_int_equal(next(b), NEXT_WAIT);
    assert_int_equal(batch_cancel(b, SLICE("anna"), &problems), OK);
    b = again(b);
    assert_int_equal(next(b), NEXT_ARCHIVE);
    assert_true(slice_is(b->w->stage, "stage.1"));
    assert_null(b->w->outputs);
    batch_close(b);
}

static void what_is_visible_cannot(void **state)
{
    (void)state;
    struct batch *b = create();
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    output(b, "<a/>");
    output(b, "<b/>");
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(unlinkat(b->dir, "out.1", 0), 0);          /* published before the crash */
    assert_int_equal(batch_cancel(b, SLICE("anna"), &problems), STOP);
    assert_int_equal(batch_refuse(b, "OUTBOX_TAKEN", SLICE("no"), &problems), STOP);
    batch_close(b);
}

static int count(void *owner, struct batch **b, struct problems *ps)
{
    struct slice *last = owner;
    (void)ps;
    if (last[0].p)
        assert_true(slice_compare(last[0], slice_of((*b)->id)) != 0);
    last[1] = last[0];
    last[0] = arena_copy(&arena, slice_of((*b)->id));
    return OK;
}

static void open_ones_by_age(void **state)
{
    (void)state;
    struct slice last[2] = { { 0 } };
    struct batch *b[11];
    for (int i = 0; i < 11; i++)
        b[i] = create();
    assert_int_equal(batch_end(b[0], "ended", slice_none(), &problems), OK);
    assert_int_equal(batch_each_open(&site, &arena, SLICE("sync"), count, last, &problems), OK);
    assert_true(slice_is(last[0], b[10]->id));
    assert_true(slice_is(last[1], b[9]->id));
    last[0] = slice_none();
    assert_int_equal(batch_each_open(&site, &arena, SLICE("other"), count, last, &problems), OK);
    assert_null(last[0].p);
    for (int i = 0; i < 11; i++)
        batch_close(b[i]);
}

static void an_operation_is_given_up_alone(void **state)
{
    (void)state;
    struct retry_policy policy = { .give_up_ms = 1000 };
    struct batch *b = create();
    assert_int_equal(batch_begin(b, SLICE("send"), &problems), OK);
    assert_int_equal(batch_retry(b, "SYS_FULL", &policy, &problems), OK);
    clock_init(&now, "2026-11-22T04:44:31Z");
    assert_int_equal(batch_retry(b, "SYS_FULL", &policy, &problems), SKIP);
    assert_int_equal(b->w->place, PLACE_DELIVERED);
    assert_int_equal(next(b), NEXT_WAIT);
    assert_true(slice_is(b->w->runs->next->code, "GAVE_UP"));
    batch_close(b);
}

static void names_are_checked(void **state)
{
    (void)state;
    struct batch *b = create();
    struct slice name;
    int fd;
    assert_int_equal(batch_stage_file(b, SLICE("../../x"), &name, &fd, &problems), STOP);
    assert_int_equal(batch_log_file(b, SLICE("x/y"), &name, &fd, &problems), STOP);
    batch_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_staged_document_stays, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(who_lost_the_site_changes_nothing, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(what_is_due_comes_next, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_run_that_died_leaves_nothing, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_refused_run_leaves_the_batch_as_it_was, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(an_answer_is_installed_once, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(an_answer_is_installed_after_a_crash, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(a_damaged_answer_is_not_installed, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(an_answer_for_two, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(by_hand, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(what_began_can_be_cancelled, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(what_is_visible_cannot, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(open_ones_by_age, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(an_operation_is_given_up_alone, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(names_are_checked, kit_begin, kit_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
