#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/operation.h"
#include "unit/dirkit.h"

/* A supervisor in memory: every output is a file in a folder, told by kind and number. */
struct shelf {
    unsigned opened, closed;
    uint64_t next;                  /* of every sequence */
    struct output outputs[32];
    bool full;                      /* the disk */
    bool takes_lines;               /* short ones need no file */
    size_t lines;                   /* bytes of those that came so */
};

static struct shelf shelf;

static int set_up(void **state)
{
    shelf = (struct shelf){ .next = 1 };
    return dir_begin(state);
}

static const char *shelf_path(const struct output *o)
{
    static const char *const kinds[] = { "file", "table", "rejected", "lines", "ledger" };
    return file_join(&arena, dir, arena_cstr(&arena, arena_printf(&arena, "out.%s.%d.%u", kinds[o->kind],
                                                                  o->give ? (int)o->give->index : -1, o->number)));
}

static int shelf_open(void *owner, struct output *o, int *fd_out, struct problems *ps)
{
    struct shelf *s = owner;
    if (s->full)
        return problem_system(ps, "out", "cannot be created", 28);
    *fd_out = open(shelf_path(o), O_RDWR | O_CREAT | O_TRUNC, 0600);
    s->outputs[s->opened++ % 32] = *o;
    return OK;
}

static int shelf_closed(void *owner, const struct output *o, struct problems *ps)
{
    struct shelf *s = owner;
    (void)ps;
    (void)o;
    s->closed++;
    return OK;
}

static int shelf_lines(void *owner, const struct output *o, struct slice text, struct problems *ps)
{
    struct shelf *s = owner;
    char hash[SHA256_HEX];
    (void)ps;
    if (!s->takes_lines)
        return END;
    sha256_of(text, hash);
    assert_true(o->kind == OUTPUT_LINES && o->bytes == text.n);
    assert_string_equal(o->sha256, hash);
    s->lines += text.n;
    return OK;
}

static int shelf_lease(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out, struct problems *ps)
{
    struct shelf *s = owner;
    (void)sequence;
    (void)ps;
    *from_out = s->next;
    s->next += want;
    *to_out = s->next - 1;
    return OK;
}

static int shelf_companion(void *owner, bool named, struct slice name, struct came *out, struct problems *ps)
{
    (void)owner, (void)named, (void)name, (void)ps;
    *out = (struct came){ .fd = -1 };
    return OK;
}

static void shelf_progress(void *owner, uint64_t bytes, uint64_t messages)
{
    (void)owner;
    (void)bytes;
    (void)messages;
}

static const char *got(const char *name)
{
    struct slice text;
    const char *path = file_join(&arena, dir, name);
    return file_exists(path) && file_read(&arena, path, 0, &text, &problems) == OK ? text.p : NULL;
}

static struct site *make_site(const char *conf)
{
    struct site *s;
    dir_put("orders.format", "syntax csv delimiter \";\" header yes\nmessage Order key No {\n    No text required\n    Qty integer\n}\n");
    dir_put("lines.format", "syntax csv delimiter \",\" header yes\nmessage Line key No {\n    No text required\n    Qty integer\n    Extra text\n}\n");
    dir_put("log.format", "syntax csv delimiter \";\" header yes\nmessage Entry {\n    No text\n    What text\n    Text text\n}\n");
    dir_put("test.map", "mapping orders => lines \"Test\"\nOrder => Line {\n    require Qty else NO_QTY \"no quantity\"\n"
                        "    require Qty != 9 else skip NINE \"nine\"\n    key No => No\n    Qty => Qty\n}\n");
    dir_put("log.map", "mapping orders => log \"Log\"\n$outcome/Problem[Text] => Entry {\n    ../../No => No\n    Outcome => What\n    Text => Text\n}\n");
    dir_put("numbered.map", "mapping orders => lines \"Numbered\"\nOrder => Line {\n    key No => No\n    Qty => Qty\n    next(\"n\") => Extra\n}\n");
    dir_put("once.map", "mapping orders => lines \"Once\"\ntable earlier key No\nOrder => Line {\n"
                        "    require not($earlier[No]) else TWICE \"{No} twice\"\n    key No => No\n    Qty => Qty\n}\n");
    dir_put("site.conf", conf);
    int rc = site_load(&arena, NULL, dir, &s, &problems);
    for (const struct problem *p = problems.first; rc != OK && p; p = p->next)
        fprintf(stderr, "%s:%u: %.*s [%s]\n", p->place.file ? p->place.file : "", p->place.line, (int)p->text.n, p->text.p, p->code);
    assert_int_equal(rc, OK);
    return s;
}

static struct result work(struct site *s, const char *input)
{
    struct port port = { &shelf, shelf_open, shelf_closed, shelf_lease, shelf_companion, shelf_progress, NULL, shelf_lines };
    struct result r;
    dir_put("input", input);
    struct job job = { .operation = s->flows[0]->operations[0], .batch = SLICE("20261122-100000-1-1"), .file = SLICE("orders.csv"),
                       .time = SLICE("2026-11-22T10:00:00+01:00"), .size = strlen(input) };
    job.fd = open(file_join(&arena, dir, "input"), O_RDONLY);
    struct table_cache *tables = table_cache_new(s);
    operation_run(&job, &port, tables, &arena, &r);
    table_cache_free(tables);
    close(job.fd);
    return r;
}

#define SITE(gives) "zone \"Europe/Oslo\"\nsequence n from 1\ntable earlier of batch\ntable stock \"stock.csv\" format lines filled by orders\n" \
                    "flow orders {\n    on yes\n    operation convert {\n        take inbox \"inbox\"\n" gives "    }\n}\n"
#define OUT "        give outbox \"outbox\" name \"x_{batch}.csv\" map test empty skip\n"
#define LOG "        give outbox \"outbox\" name \"log_{batch}.csv\" map log report empty skip\n"

static void several_gives_in_one_pass(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE(OUT LOG)), "No;Qty\nA;1\nB;\nC;9\nD;4\n");
    assert_int_equal(r.status, OK);
    assert_int_equal(r.messages, 4);
    assert_int_equal(r.done, 2);
    assert_int_equal(r.rejected, 1);
    assert_int_equal(r.skipped, 1);
    assert_string_equal(got("out.file.0.1"), "No,Qty,Extra\nA,1,\nD,4,\n");
    assert_string_equal(got("out.file.1.1"), "No;What;Text\nB;reject;no quantity\nC;skip;nine\n");
    assert_string_equal(got("out.rejected.-1.0"), "No;Qty\nB;\n");
    assert_non_null(strstr(got("out.lines.-1.0"), "NO_QTY"));
    assert_int_equal(shelf.opened, shelf.closed);
}

static void short_lines_need_no_file(void **state)
{
    (void)state;
    struct site *s = make_site(SITE(OUT));
    shelf.takes_lines = true;
    struct result r = work(s, "No;Qty\nA;1\nB;4\n");
    assert_int_equal(r.status, OK);
    assert_null(got("out.lines.-1.0"));
    assert_int_equal(shelf.opened, 1);
    assert_true(shelf.lines > 100);
}

static void long_lines_get_their_file(void **state)
{
    struct buf input = { 0 };
    (void)state;
    buf_text(&input, "No;Qty\n");
    for (int i = 0; i < 2000; i++)
        buf_printf(&input, "A%d;1\n", i);
    buf_byte(&input, '\0');
    shelf.takes_lines = true;
    struct result r = work(make_site(SITE(OUT)), input.p);
    buf_release(&input);
    assert_int_equal(r.done, 2000);
    assert_int_equal(shelf.lines, 0);
    const char *lines = got("out.lines.-1.0");
    assert_non_null(lines);
    assert_non_null(strstr(lines, "\"A0\""));
    assert_non_null(strstr(lines, "\"A1999\""));
    assert_int_equal(shelf.opened, shelf.closed);
}

static void nothing_to_write_opens_nothing(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE(OUT LOG)), "No;Qty\n");
    assert_int_equal(r.status, OK);
    assert_null(got("out.file.0.1"));
    assert_int_equal(shelf.opened, 0);
}

static void empty_write_gives_an_empty_document(void **state)
{
    (void)state;
    work(make_site(SITE("        give outbox \"outbox\" name \"x_{batch}.csv\" map test\n")), "No;Qty\n");
    assert_string_equal(got("out.file.0.1"), "No,Qty,Extra\n");
}

static void a_bad_row_is_refused_alone_and_reported(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE(OUT LOG)), "No;Qty\nA;1\nB;1x\nC;3\n");
    assert_int_equal(r.status, OK);
    assert_int_equal(r.rejected, 1);
    assert_int_equal(r.done, 2);
    assert_string_equal(got("out.rejected.-1.0"), "No;Qty\nB;1x\n");
    assert_non_null(r.problems.first);
    assert_string_equal(r.problems.first->code, "NUM_BAD");
    assert_int_equal(r.problems.first->place.line, 3);
    assert_non_null(strstr(got("out.file.1.1"), "B;reject;"));
}

static void a_file_that_cannot_be_used_stops(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE(OUT)), "Number;Amount\nA;1\n");
    assert_int_equal(r.status, STOP);
    assert_true(r.code.n > 0);
}

static void one_file_per_message(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE("        give outbox \"outbox\" name \"{No}.csv\" map test each\n")), "No;Qty\nA;1\nB;2\n");
    assert_int_equal(r.status, OK);
    assert_string_equal(got("out.file.0.1"), "No,Qty,Extra\nA,1,\n");
    assert_string_equal(got("out.file.0.2"), "No,Qty,Extra\nB,2,\n");
    assert_true(slice_is(shelf.outputs[0].name, "A.csv") || slice_is(shelf.outputs[1].name, "A.csv"));
}

static void a_table_is_merged_by_key(void **state)
{
    (void)state;
    struct site *s = make_site(SITE("        give table stock map test\n"));
    dir_put("stock.csv", "No,Qty,Extra\nA,7,kept\nZ,1,z\n");
    struct result r = work(s, "No;Qty\nA;1\nB;2\n");
    assert_int_equal(r.status, OK);
    assert_string_equal(got("out.table.0.1"), "No,Qty,Extra\nA,1,kept\nZ,1,z\nB,2,\n");
}

static void a_table_is_replaced(void **state)
{
    (void)state;
    struct site *s = make_site(SITE("        give table stock replace map test\n"));
    dir_put("stock.csv", "No,Qty,Extra\nA,7,gone\nZ,1,z\n");
    work(s, "No;Qty\nA;3\nB;2\n");
    assert_string_equal(got("out.table.0.1"), "No,Qty,Extra\nA,3,\nB,2,\n");
}

static void a_table_that_stays_the_same_is_left_alone(void **state)
{
    (void)state;
    struct site *s = make_site(SITE("        give table stock map test\n"));
    dir_put("stock.csv", "No,Qty,Extra\nA,1,kept\n");
    work(s, "No;Qty\nA;1\n");
    assert_null(got("out.table.0.1"));
}

static void earlier_messages_of_the_batch_are_a_table(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE("        give outbox \"outbox\" name \"x_{batch}.csv\" map once\n")), "No;Qty\nA;1\nB;2\nA;3\n");
    assert_int_equal(r.rejected, 1);
    assert_string_equal(got("out.file.0.1"), "No,Qty,Extra\nA,1,\nB,2,\n");
}

/* A part of a key that is nothing finds rows that have nothing there; a key of nothing at all finds none, as in every table. */
static void a_key_of_nothing_is_no_key_of_an_earlier_message(void **state)
{
    (void)state;
    dir_put("loose.format", "syntax csv delimiter \";\" header yes\nmessage Order {\n    No text\n    Qty integer\n}\n");
    dir_put("part.map", "mapping loose => log \"Part\"\ntable earlier key No, Qty\nOrder => Entry {\n"
                        "    require not($earlier[No, Qty]) else TWICE \"twice\"\n    No => No\n}\n");
    struct result r = work(make_site(SITE("        give outbox \"outbox\" name \"x_{batch}.csv\" map part\n")),
                           "No;Qty\nA;\nA;1\nA;\n;\n;\n;1\n;1\n");
    assert_int_equal(r.rejected, 2);
    assert_string_equal(got("out.rejected.-1.0"), "No;Qty\nA;\n;1\n");
}

static void numbers_come_from_the_lease(void **state)
{
    (void)state;
    struct result r = work(make_site(SITE("        give outbox \"outbox\" name \"x_{batch}.csv\" map numbered\n")), "No;Qty\nA;1\nB;2\nC;3\n");
    assert_int_equal(r.status, OK);
    assert_string_equal(got("out.file.0.1"), "No,Qty,Extra\nA,1,1\nB,2,2\nC,3,3\n");
}

static void a_full_disk_is_ours_to_retry(void **state)
{
    (void)state;
    shelf.full = true;
    struct result r = work(make_site(SITE(OUT)), "No;Qty\nA;1\n");
    assert_int_equal(r.status, TEMP);
    assert_true(slice_is(r.code, "SYS_FULL"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, dir_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_gives_in_one_pass), TEST(nothing_to_write_opens_nothing), TEST(short_lines_need_no_file),
        TEST(long_lines_get_their_file), TEST(empty_write_gives_an_empty_document),
        TEST(a_bad_row_is_refused_alone_and_reported), TEST(a_file_that_cannot_be_used_stops), TEST(one_file_per_message),
        TEST(a_table_is_merged_by_key), TEST(a_table_is_replaced), TEST(a_table_that_stays_the_same_is_left_alone),
        TEST(earlier_messages_of_the_batch_are_a_table), TEST(a_key_of_nothing_is_no_key_of_an_earlier_message),
        TEST(numbers_come_from_the_lease), TEST(a_full_disk_is_ours_to_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
