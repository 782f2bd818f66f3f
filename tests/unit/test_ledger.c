#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "store/ledger.h"
#include "unit/storekit.h"

static const char file[] = ".waybill/ledger/orders.ledger";

static struct ledger *open_it(void)
{
    struct ledger *l = NULL;
    assert_int_equal(ledger_open(&arena, &store, "orders", &l, &problems), OK);
    return l;
}

static void add(struct ledger *l, const char *batch, uint64_t message, const char *order, const char *status)
{
    struct ledger_field fields[] = {
        { SLICE("OrderNo"), slice_of(order) }, { SLICE("Status"), slice_of(status) }, { SLICE("None"), slice_none() },
    };
    ledger_add(l, &(struct ledger_record){ .batch = slice_of(batch), .part = SLICE("convert"), .message = message,
        .time = SLICE("2026-01-02T03:04:05+01:00"), .outcome = SLICE("done"), .fields = fields, .nfields = 3 });
}

static int find(struct ledger *l, const char *order, struct ledger_record *out)
{
    struct slice name = SLICE("OrderNo"), text = slice_of(order);
    return ledger_find(l, &name, &text, 1, slice_none(), &arena, out);
}

static void what_is_added_is_found_before_and_after_commit(void **state)
{
    (void)state;
    struct ledger_record r;
    struct ledger *l = open_it();
    assert_int_equal(find(l, "1", &r), 0);
    add(l, "b1", 1, "1", "New \"quoted\"\n\xc3\xb8");
    add(l, "b1", 2, "2", "New");
    assert_int_equal(find(l, "1", &r), 1);
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "1", &r), 1);
    add(l, "b2", 1, "1", "Old");
    assert_int_equal(find(l, "1", &r), 2);
    assert_true(slice_is(ledger_value(&r, SLICE("Status")), "Old"));
    ledger_drop(l);
    assert_int_equal(find(l, "1", &r), 1);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 2);
    assert_int_equal(find(l, "1", &r), 1);
    assert_true(slice_is(ledger_value(&r, SLICE("Status")), "New \"quoted\"\n\xc3\xb8"));
    assert_null(ledger_value(&r, SLICE("None")).p);
    assert_int_equal(r.message, 1);
    assert_true(ledger_has(l, SLICE("b1"), SLICE("convert")));
    assert_false(ledger_has(l, SLICE("b1"), SLICE("send")));
    struct slice name = SLICE("OrderNo"), text = SLICE("1");
    assert_int_equal(ledger_find(l, &name, &text, 1, SLICE("rejected"), &arena, &r), 0);
    ledger_close(l);
}

static void a_group_counts_once(void **state)
{
    (void)state;
    struct ledger_record r;
    struct ledger *l = open_it();
    add(l, "b1", 1, "1", "New");
    add(l, "b2", 1, "9", "New");
    add(l, "b1", 2, "2", "New");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    add(l, "b1", 1, "1", "New");
    add(l, "b1", 2, "2", "New");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(ledger_count(l), 3);
    assert_int_equal(find(l, "1", &r), 1);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    uint64_t n;
    assert_int_equal(ledger_verify(&store, "orders", &n, &problems), OK);
    assert_int_equal(n, 3);
    ledger_close(l);
}

/* Every length that a torn write may leave: the ledger opens with the whole groups and takes the lost one again. */
static void a_torn_tail_is_cut_at_any_byte(void **state)
{
    (void)state;
    char bytes[4096];
    struct ledger_record r;
    struct ledger *l = open_it();
    add(l, "b1", 1, "1", "New");
    ledger_commit(l, &problems);
    size_t whole = tempdir_read(dir, file, bytes, sizeof bytes);
    add(l, "b2", 1, "2", "New");
    add(l, "b2", 2, "3", "New");
    ledger_commit(l, &problems);
    size_t all = tempdir_read(dir, file, bytes, sizeof bytes);
    ledger_close(l);
    for (size_t n = whole; n < all; n++) {
        tempdir_write(dir, file, bytes, n);
        l = open_it();
        assert_int_equal(ledger_count(l), 1);
        assert_int_equal(find(l, "3", &r), 0);
        add(l, "b2", 1, "2", "New");
        add(l, "b2", 2, "3", "New");
        assert_int_equal(ledger_commit(l, &problems), OK);
        ledger_close(l);
        char again[4096];
        assert_int_equal(tempdir_read(dir, file, again, sizeof again), all);
        assert_memory_equal(again, bytes, all);
    }
}

static void damage_inside_is_refused(void **state)
{
    (void)state;
    char bytes[4096];
    struct ledger *l = open_it();
    uint64_t records;
    for (int i = 0; i < 3; i++) {
        add(l, i == 0 ? "b0" : i == 1 ? "b1" : "b2", 1, "1", "New");
        ledger_commit(l, &problems);
    }
    ledger_close(l);
    size_t n = tempdir_read(dir, file, bytes, sizeof bytes);
    bytes[90] ^= 1;
    tempdir_write(dir, file, bytes, n);
    assert_int_equal(ledger_open(&arena, &store, "orders", &l, &problems), STOP);
    assert_string_equal(problems.last->code, "LEDGER_DAMAGED");
    assert_int_equal(ledger_verify(&store, "orders", &records, &problems), STOP);
    assert_int_equal(problems.last->place.line, 1);
}

static void others_are_seen_after_a_refresh(void **state)
{
    (void)state;
    struct ledger_record r;
    struct ledger *reader = open_it(), *writer = open_it();
    assert_int_equal(find(reader, "7", &r), 0);
    add(writer, "b7", 1, "7", "New");
    add(reader, "b8", 1, "8", "New");
    assert_int_equal(ledger_commit(writer, &problems), OK);
    assert_int_equal(find(reader, "7", &r), 0);
    assert_int_equal(ledger_refresh(reader, &problems), OK);
    assert_int_equal(find(reader, "7", &r), 1);
    assert_int_equal(ledger_commit(reader, &problems), OK);
    assert_int_equal(ledger_refresh(writer, &problems), OK);
    assert_int_equal(find(writer, "8", &r), 1);
    ledger_close(reader);
    ledger_close(writer);
}

static int count_one(void *owner, const struct ledger_record *r)
{
    (void)r;
    ++*(int *)owner;
    return OK;
}

static void several_processes_append(void **state)
{
    (void)state;
    enum { PROCESSES = 4, EACH = 30 };
    store.durable = false;
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() == 0) {
            struct ledger *l;
            if (ledger_open(&arena, &store, "orders", &l, &problems) != OK)
                _exit(1);
            for (int i = 0; i < EACH; i++) {
                char batch[32];
                snprintf(batch, sizeof batch, "b-%d-%d", p, i % 20);       /* the last ten come twice */
                add(l, batch, 1, batch, "New");
                if (ledger_commit(l, &problems) != OK)
                    _exit(1);
            }
            _exit(0);
        }
    }
    int status, n = 0;
    while (wait(&status) > 0)
        assert_int_equal(status, 0);
    struct ledger *l = open_it();
    uint64_t records;
    assert_int_equal(ledger_each(l, &arena, count_one, &n, &problems), OK);
    assert_int_equal(n, PROCESSES * 20);
    assert_int_equal(ledger_verify(&store, "orders", &records, &problems), OK);
    ledger_close(l);
}

static void a_ledger_as_it_was(void **state)
{
    char none[SHA256_HEX], one[SHA256_HEX];
    struct ledger_record r;
    (void)state;
    struct ledger *l = open_it();
    memcpy(none, ledger_mark(l), sizeof none);
    add(l, "b1", 1, "1001", "Sent");
    assert_int_equal(ledger_commit(l, &problems), OK);
    memcpy(one, ledger_mark(l), sizeof one);
    add(l, "b2", 1, "1001", "Back");
    add(l, "b2", 2, "1002", "Sent");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_true(ledger_as_of(l, one));
    assert_int_equal(ledger_refresh(l, &problems), OK);
    assert_int_equal(find(l, "1001", &r), 1);
    assert_true(slice_is(r.batch, "b1"));
    assert_int_equal(find(l, "1002", &r), 0);
    ledger_close(l);
    l = open_it();
    assert_true(ledger_as_of(l, none));
    assert_int_equal(find(l, "1001", &r), 0);
    ledger_close(l);
    l = open_it();
    one[0] = one[0] == 'a' ? 'b' : 'a';
    assert_false(ledger_as_of(l, one));
    ledger_close(l);
}

/* A full disk for days: each attempt adds its records and takes them back. */
static void attempts_that_fail_take_no_room(void **state)
{
    (void)state;
    struct rlimit was, full;
    struct ledger_record r;
    struct arena own;
    size_t room = 0;
    char order[16], bytes[4096];
    struct ledger *l;
    arena_init(&own, 0);
    assert_int_equal(ledger_open(&own, &store, "orders", &l, &problems), OK);
    add(l, "b0", 1, "7", "New");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "7", &r), 1);
    getrlimit(RLIMIT_FSIZE, &was);
    full = (struct rlimit){ tempdir_read(dir, file, bytes, sizeof bytes), was.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 100; i++) {
        for (uint64_t n = 0; n < 1000; n++) {
            snprintf(order, sizeof order, "%d", (int)n);
            add(l, "b1", n + 1, order, "New");
        }
        if (i % 2)                                  /* a look takes them into an index, too */
            assert_int_equal(find(l, "7", &r), 2);
        setrlimit(RLIMIT_FSIZE, &full);
        assert_int_equal(ledger_commit(l, &problems), TEMP);
        setrlimit(RLIMIT_FSIZE, &was);
        ledger_drop(l);
        assert_int_equal(ledger_count(l), 1);
        assert_int_equal(find(l, "7", &r), 1);
        assert_int_equal(find(l, "999", &r), 0);
        if (i == 1)
            room = own.used;
        assert_true(i < 1 || own.used <= room);
    }
    ledger_close(l);
    arena_release(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_added_is_found_before_and_after_commit, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_group_counts_once, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut_at_any_byte, store_begin, store_end),
        cmocka_unit_test_setup_teardown(damage_inside_is_refused, store_begin, store_end),
        cmocka_unit_test_setup_teardown(others_are_seen_after_a_refresh, store_begin, store_end),
        cmocka_unit_test_setup_teardown(several_processes_append, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_ledger_as_it_was, store_begin, store_end),
        cmocka_unit_test_setup_teardown(attempts_that_fail_take_no_room, store_begin, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
