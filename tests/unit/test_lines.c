#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "batch/lines.h"
#include "unit/dirkit.h"

static int fd;
static const char batch[] = "20261122-034431-12-7";
static const char file[] = "20261122-034431-12-7.lines.1.jsonl";

static int setup(void **state)
{
    assert_int_equal(dir_begin(state), 0);
    fd = open(dir, O_RDONLY | O_DIRECTORY);
    return 0;
}

static int teardown(void **state)
{
    close(fd);
    return dir_end(state);
}

struct seen {
    uint64_t n, problems, last;
    char text[128];
};

static int look(void *owner, const struct line_read *l)
{
    struct seen *s = owner;
    s->n++;
    s->problems += l->nproblems;
    s->last = l->message;
    if (l->nproblems) {
        assert_string_equal(l->problems->code, "NUM_BAD");
        assert_int_equal(l->problems->place.line, 18);
        assert_true(slice_is(l->key, "47\"11"));
        assert_true(slice_is(l->lines->next->state, "sent"));
        snprintf(s->text, sizeof s->text, "%.*s", SLICE_ARG(l->problems->text));
    }
    return s->last == 3000 ? END : OK;
}

static void write_lines(struct waybill *w, int n)
{
    struct lines l;
    struct problems found;
    problems_init(&found, &arena, 0);
    problem_add(&found, &(struct problem){ .severity = PROBLEM_ERROR, .code = "NUM_BAD", .message = 2,
        .place = { .file = "in.csv", .offset = PLACE_NO_OFFSET, .line = 18 }, .text = SLICE("is not a decimal") });
    struct line_state second = { SLICE("Line[2]"), SLICE("2"), SLICE("sent"), NULL },
        first = { SLICE("Line[1]"), SLICE("1"), SLICE("staged"), &second };
    assert_int_equal(lines_open(&l, fd, batch, lines_next(w), &problems), OK);
    for (int i = 1; i <= n; i++) {
        struct line line = { .message = (uint64_t)i, .state = SLICE("done"), .problems = found.first };
        if (i == 2) {
            line.key = SLICE("47\"11");
            line.lines = &first;
        }
        assert_int_equal(lines_add(&l, &line, &problems), OK);
    }
    assert_int_equal(lines_close(&l, true, w, &problems), OK);
}

static void each_message_comes_back(void **state)
{
    (void)state;
    struct seen s = { 0 };
    struct waybill *w = waybill_new(&arena, batch);
    write_lines(w, 2500);
    struct waybill_file *f = waybill_find_file(w, "lines");
    assert_int_equal(f->count, 2500);
    assert_true(slice_is(f->file, file));
    assert_int_equal(lines_next(w), 2);
    assert_int_equal(lines_read(fd, f, &arena, look, &s, &problems), OK);
    assert_int_equal(s.n, 2500);
    assert_int_equal(s.problems, 1);
    assert_string_equal(s.text, "is not a decimal");
}

static void a_changed_file_is_not_believed(void **state)
{
    (void)state;
    struct seen s = { 0 };
    struct waybill *w = waybill_new(&arena, batch);
    write_lines(w, 3);
    char bytes[4096];
    size_t n = tempdir_read(dir, file, bytes, sizeof bytes);
    bytes[12] ^= 1;
    tempdir_write(dir, file, bytes, n);
    assert_int_equal(lines_read(fd, waybill_find_file(w, "lines"), &arena, look, &s, &problems), STOP);
    assert_string_equal(problems.last->code, "LINES_DAMAGED");
    assert_int_equal(s.n, 0);
    struct waybill_file evil = { .file = SLICE("../../etc/passwd") };
    assert_int_equal(lines_read(fd, &evil, &arena, look, &s, &problems), STOP);
}

static void an_unfinished_file_goes(void **state)
{
    (void)state;
    struct lines l;
    assert_int_equal(lines_open(&l, fd, batch, 1, &problems), OK);
    lines_add(&l, &(struct line){ .message = 1 }, &problems);
    lines_abandon(&l, fd);
    assert_false(tempdir_has(dir, file));
    tempdir_write(dir, file, "left by a crash", 15);
    struct waybill *w = waybill_new(&arena, batch);
    write_lines(w, 1);
    assert_int_equal(waybill_find_file(w, "lines")->count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct finding third = { .kind = OUTCOME_NOTE, .code = { "UNCHANGED", 9 }, .key = { "4711", 4 } };
static const struct finding second = { .kind = OUTCOME_WARN, .code = { "LATE", 4 }, .key = { "4711", 4 },
                                       .operation = { "send", 4 }, .time = { "2026-11-21T00:00:00+01:00", 25 },
                                       .next = (struct finding *)&third };
static const struct finding first = { .kind = OUTCOME_REJECT, .code = { "QTY", 3 }, .text = { "\"5x\" is\nnone", 12 },
                                      .key = { "other", 5 }, .line = { "4711/2", 6 }, .field = { "Quantity", 8 },
                                      .value = { "5x", 2 }, .next = (struct finding *)&second };
static const struct tried nothing = { .kind = TRIED_NEW, .code = { "NO_OPEN", 7 } };
static const struct tried tried = { .kind = TRIED_FAILED, .line = { "Line[2]", 7 }, .key = { "100232", 6 },
                                    .code = { "LOCKED", 6 }, .text = { "100232=LOCKED", 13 }, .values = { "$old \"x\"", 8 },
                                    .next = (struct tried *)&nothing };

static int judge(void *owner, const struct line_read *l)
{
    const struct finding *f = l->findings;
    const struct tried *t = l->tried;
    (*(int *)owner)++;
    assert_int_equal(f->kind, OUTCOME_REJECT);
    assert_true(slice_equal(f->text, first.text) && slice_is(f->key, "other") && slice_is(f->line, "4711/2"));
    assert_true(slice_is(f->field, "Quantity") && slice_is(f->value, "5x") && slice_is(f->operation, "receive"));
    assert_true(slice_is(f->time, "2026-11-22T03:44:31+01:00"));
    f = f->next;
    assert_int_equal(f->kind, OUTCOME_WARN);
    assert_true(slice_is(f->key, "4711") && slice_is(f->operation, "send") && slice_equal(f->time, second.time));
    assert_null(f->text.p);
    assert_null(f->next->next);
    assert_int_equal(t->kind, TRIED_FAILED);
    assert_true(slice_is(t->line, "Line[2]") && slice_equal(t->values, tried.values));
    assert_int_equal(t->next->kind, TRIED_NEW);
    assert_null(t->next->next);
    assert_true(slice_is(l->reason, "none is open"));
    return OK;
}

static void findings_come_back(void **state)
{
    (void)state;
    struct waybill *w = waybill_new(&arena, batch);
    struct lines l;
    int n = 0;
    assert_int_equal(lines_open(&l, fd, batch, 1, &problems), OK);
    struct line line = { .message = 1, .key = SLICE("4711"), .state = SLICE("rejected"), .operation = SLICE("receive"),
                         .time = SLICE("2026-11-22T03:44:31+01:00"), .reason = SLICE("none is open"),
                         .findings = &first, .tried = &tried };
    assert_int_equal(lines_add(&l, &line, &problems), OK);
    assert_int_equal(lines_close(&l, true, w, &problems), OK);
    assert_int_equal(lines_read(fd, w->files, &arena, judge, &n, &problems), OK);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(each_message_comes_back), TEST(a_changed_file_is_not_believed),
                                        TEST(an_unfinished_file_goes), TEST(findings_come_back) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
