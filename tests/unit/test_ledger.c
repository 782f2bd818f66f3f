#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/ledger.h"
#include "unit/storekit.h"

static const char file[] = ".waybill/ledger/orders.ledger";

/* A disk that neither syncs nor cuts, while `broken`: these stand in for the C library's. */
static bool broken, during, no_lock;
static void other_host(void);

int fdatasync(int fd)
{
    if (during) {
        during = false;
        other_host();
        errno = EIO;
        return -1;
    }
    errno = EIO;
    return broken ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int flock(int fd, int how)
{
    return no_lock ? 0 : (int)syscall(SYS_flock, fd, how);
}

int ftruncate(int fd, off_t n)
{
    errno = EIO;
    return broken ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

static struct ledger *open_it(void)
{
    struct ledger *l = NULL;
    assert_int_equal(ledger_open(&arena, &store, "orders", &l, &problems), OK);
    return l;
}

struct one {
    struct ledger_field fields[3];
    struct ledger_record r;
};

static const struct ledger_record *record(struct one *o, const char *batch, uint64_t message, const char *order,
                                          const char *status)
{
    o->fields[0] = (struct ledger_field){ SLICE("OrderNo"), slice_of(order) };
    o->fields[1] = (struct ledger_field){ SLICE("Status"), slice_of(status) };
    o->fields[2] = (struct ledger_field){ SLICE("None"), slice_none() };
    o->r = (struct ledger_record){ .batch = slice_of(batch), .part = SLICE("convert"), .message = message,
        .time = SLICE("2026-01-02T03:04:05+01:00"), .outcome = SLICE("done"), .fields = o->fields, .nfields = 3 };
    return &o->r;
}

static int begin(struct ledger *l, const char *batch)
{
    return ledger_begin(l, slice_of(batch), SLICE("convert"), &problems);
}

/* A group of these orders, in as many messages. */
static void write_group(struct ledger *l, const char *batch, const char *const *orders, size_t n)
{
    struct one o;
    assert_int_equal(begin(l, batch), OK);
    for (size_t i = 0; i < n; i++) {
        const struct ledger_record *r = record(&o, batch, i + 1, orders[i], "New");
        assert_int_equal(i + 1 < n ? ledger_write(l, r, &problems) : ledger_end(l, r, &problems), OK);
    }
}

#define GROUP(l, batch, ...) write_group((l), (batch), (const char *const[]){ __VA_ARGS__ }, \
                                         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static int find(struct ledger *l, const char *order, struct ledger_record *out)
{
    struct slice name = SLICE("OrderNo"), text = slice_of(order);
    return ledger_find(l, &name, &text, 1, slice_none(), &arena, out);
}

static void what_is_committed_is_found(void **state)
{
    (void)state;
    struct ledger_record r;
    struct one o;
    struct ledger *l = open_it();
    assert_int_equal(find(l, "1", &r), 0);
    assert_int_equal(begin(l, "b1"), OK);
    assert_int_equal(ledger_write(l, record(&o, "b1", 1, "1", "New \"quoted\"\n\xc3\xb8"), &problems), OK);
    assert_int_equal(ledger_end(l, record(&o, "b1", 2, "2", "New"), &problems), OK);
    assert_int_equal(find(l, "1", &r), 0);
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "1", &r), 1);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 2);
    assert_int_equal(find(l, "1", &r), 1);
    assert_true(slice_is(ledger_value(&r, SLICE("Status")), "New \"quoted\"\n\xc3\xb8"));
    assert_null(ledger_value(&r, SLICE("None")).p);
    assert_int_equal(r.message, 1);
    assert_int_equal(ledger_has(l, SLICE("b1"), SLICE("convert"), &problems), OK);
    assert_int_equal(ledger_has(l, SLICE("b1"), SLICE("send"), &problems), END);
    struct slice name = SLICE("OrderNo"), text = SLICE("1");
    assert_int_equal(ledger_find(l, &name, &text, 1, SLICE("rejected"), &arena, &r), 0);
    ledger_close(l);
}

static void what_this_run_notes_is_found_and_forgotten(void **state)
{
    (void)state;
    struct ledger_record r;
    struct one o;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1", "2");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(ledger_add(l, record(&o, "b2", 1, "1", "Old"), &problems), OK);
    assert_int_equal(find(l, "1", &r), 2);
    assert_true(slice_is(ledger_value(&r, SLICE("Status")), "Old"));
    ledger_forget(l);
    assert_int_equal(find(l, "1", &r), 1);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 2);
    ledger_close(l);
}

static void a_group_counts_once(void **state)
{
    (void)state;
    struct ledger_record r;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1", "2");
    GROUP(l, "b2", "9");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(begin(l, "b1"), END);
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "1", &r), 1);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    assert_int_equal(begin(l, "b2"), END);
    ledger_drop(l, &problems);
    uint64_t n;
    assert_int_equal(ledger_verify(&store, "orders", &n, &problems), OK);
    assert_int_equal(n, 3);
    ledger_close(l);
}

static size_t file_size(void)
{
    static char bytes[1 << 20];
    return tempdir_read(dir, file, bytes, sizeof bytes);
}

/* A batch of very many messages goes into the file block by block; until it is committed nobody sees it. */
/* The file of what is noted has no name, and holds all but the last quarter of a MiB. */
static void what_is_noted_is_not_held_in_memory(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct ledger_record r;
    struct arena own;
    struct one o;
    char order[16], status[501];
    struct ledger *l;
    arena_init(&own, 0);
    memset(status, 's', sizeof status - 1);
    status[sizeof status - 1] = '\0';
    assert_int_equal(ledger_open(&own, &store, "orders", &l, &problems), OK);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < N; i++) {
            snprintf(order, sizeof order, "%d", i);
            assert_int_equal(ledger_add(l, record(&o, "b2", (uint64_t)i + 1, order, status), &problems), OK);
            assert_int_equal(i % 1000 == 999 ? find(l, order, &r) : 1, 1);
        }
        for (int i = 0; i < N; i += 777) {
            snprintf(order, sizeof order, "%d", i);
            assert_int_equal(find(l, order, &r), 1);
            assert_int_equal(r.message, i + 1);
            assert_true(slice_is(ledger_value(&r, SLICE("Status")), status));
            assert_null(ledger_value(&r, SLICE("None")).p);
            assert_null(r.code.p);
        }
        assert_true(own.used < 150 * (size_t)N);
        ledger_forget(l);
        assert_int_equal(find(l, "1", &r), 0);
    }
    assert_int_equal(tempdir_read(dir, file, status, sizeof status), 0);
    ledger_close(l);
    arena_release(&own);
}

static void a_note_that_finds_no_room_is_a_fault(void **state)
{
    (void)state;
    struct rlimit was, full;
    struct one o;
    struct ledger *l = open_it();
    int rc = OK;
    getrlimit(RLIMIT_FSIZE, &was);
    full = (struct rlimit){ 1000, was.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    for (uint64_t i = 0; i < 10000 && rc == OK; i++)
        rc = ledger_add(l, record(&o, "b2", i + 1, "1", "New"), &problems);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_equal(rc, TEMP);
    assert_non_null(problems.last);
    ledger_forget(l);
    assert_int_equal(ledger_count(l), 0);
    ledger_close(l);
}

static void a_long_group_is_not_held_in_memory(void **state)
{
    (void)state;
    struct ledger_record r;
    struct one o;
    char order[16];
    struct ledger *l = open_it(), *reader;
    GROUP(l, "b0", "0");
    assert_int_equal(ledger_commit(l, &problems), OK);
    size_t before = file_size();
    for (int commits = 0; commits < 2; commits++) {
        assert_int_equal(begin(l, "b1"), OK);
        for (int i = 1; i < 3000; i++) {
            snprintf(order, sizeof order, "%d", i);
            assert_int_equal(ledger_write(l, record(&o, "b1", (uint64_t)i, order, "New"), &problems), OK);
        }
        assert_true(file_size() > before + (1 << 18));
        if (commits == 0)
            ledger_drop(l, &problems);
    }
    store.durable = false;
    assert_int_equal(ledger_end(l, record(&o, "b1", 3000, "3000", "New"), &problems), OK);
    assert_int_equal(find(l, "77", &r), 0);
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "77", &r), 1);
    reader = open_it();
    assert_int_equal(ledger_count(reader), 3001);
    assert_int_equal(find(reader, "3000", &r), 1);
    ledger_close(reader);
    ledger_close(l);
}

static void what_is_dropped_leaves_nothing(void **state)
{
    (void)state;
    struct one o;
    struct ledger *l = open_it();
    GROUP(l, "b0", "0");
    assert_int_equal(ledger_commit(l, &problems), OK);
    size_t before = file_size();
    GROUP(l, "b1", "1");
    assert_int_equal(begin(l, "b2"), OK);
    assert_int_equal(ledger_write(l, record(&o, "b2", 1, "2", "New"), &problems), OK);
    ledger_drop(l, &problems);
    assert_int_equal(file_size(), before);
    assert_int_equal(ledger_has(l, SLICE("b1"), SLICE("convert"), &problems), END);
    GROUP(l, "b1", "1");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(ledger_has(l, SLICE("b1"), SLICE("convert"), &problems), OK);
    ledger_close(l);
}

/* Quotes and tabs become twice as long in JSON; what comes after such a line is found as well. */
static void a_long_record_is_read_again(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    struct ledger_record r;
    char *key = arena_alloc(&arena, LONG + 1);
    memset(key, '"', LONG);
    key[LONG] = '\0';
    struct ledger *l = open_it();
    GROUP(l, "b1", "1", key);
    assert_int_equal(ledger_commit(l, &problems), OK);
    GROUP(l, "b2", "2");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    assert_int_equal(find(l, key, &r), 1);
    assert_int_equal(find(l, "2", &r), 1);
    ledger_close(l);
}

/* Every length that a torn write may leave: the ledger opens with the whole groups and takes the lost one again. */
static void a_torn_tail_is_cut_at_any_byte(void **state)
{
    (void)state;
    char bytes[4096];
    struct ledger_record r;
    struct ledger *l = open_it();
    size_t told = 0;
    GROUP(l, "b1", "1");
    ledger_commit(l, &problems);
    size_t whole = tempdir_read(dir, file, bytes, sizeof bytes);
    GROUP(l, "b2", "2", "3");
    ledger_commit(l, &problems);
    size_t all = tempdir_read(dir, file, bytes, sizeof bytes);
    ledger_close(l);
    for (size_t n = whole; n < all; n++) {
        tempdir_write(dir, file, bytes, n);
        l = open_it();
        assert_int_equal(ledger_count(l), 1);
        assert_int_equal(find(l, "3", &r), 0);
        assert_int_equal(problems.warnings, told);
        GROUP(l, "b2", "2", "3");
        assert_int_equal(ledger_commit(l, &problems), OK);
        ledger_close(l);
        assert_int_equal(problems.warnings, told += n > whole);
        assert_true(n == whole || strcmp(problems.last->code, "LEDGER_TORN") == 0);
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
        GROUP(l, i == 0 ? "b0" : i == 1 ? "b1" : "b2", "1");
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

/* A power cut keeps any of the pages of a commit: its groups are all or partly lost, which is no damage.  A commit that
   another one follows was on the disk. */
static void only_the_last_commit_may_be_torn(void **state)
{
    (void)state;
    char bytes[4096], hole[64] = { 0 };
    struct ledger *l = open_it();
    store.durable = false;
    GROUP(l, "b1", "1");
    GROUP(l, "b2", "2");
    ledger_commit(l, &problems);
    size_t first = file_size();
    GROUP(l, "b3", "3");
    GROUP(l, "b4", "4", "5");
    GROUP(l, "b5", "6");
    ledger_commit(l, &problems);
    ledger_close(l);
    size_t all = tempdir_read(dir, file, bytes, sizeof bytes);
    for (size_t at = 0; at + sizeof hole <= all; at += 7) {
        char now[4096];
        memcpy(now, bytes, all);
        memcpy(now + at, hole, sizeof hole);
        tempdir_write(dir, file, now, all);
        l = NULL;
        int rc = ledger_open(&arena, &store, "orders", &l, &problems);
        assert_int_equal(rc, at < first ? STOP : OK);
        if (rc != OK)
            continue;
        assert_true(ledger_count(l) >= 2 && ledger_count(l) < 6);
        if (begin(l, "b3") == OK)
            ledger_end(l, record(&(struct one){ .r.message = 0 }, "b3", 1, "3", "New"), &problems);
        GROUP(l, "b5", "6");
        assert_int_equal(ledger_commit(l, &problems), OK);
        ledger_close(l);
        uint64_t records;
        assert_int_equal(ledger_verify(&store, "orders", &records, &problems), OK);
    }
}

static void what_cannot_be_read_is_not_taken_for_missing(void **state)
{
    (void)state;
    char bytes[4096];
    struct ledger_record r;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1", "2");
    assert_int_equal(ledger_commit(l, &problems), OK);
    size_t all = tempdir_read(dir, file, bytes, sizeof bytes);
    tempdir_write(dir, file, bytes, 20);
    find(l, "2", &r);
    assert_int_equal(ledger_fault(l, &problems), TEMP);
    assert_int_equal(ledger_fault(l, &problems), OK);
    assert_int_equal(ledger_has(l, SLICE("b1"), SLICE("convert"), &problems), TEMP);
    tempdir_write(dir, file, bytes, all);
    assert_int_equal(find(l, "2", &r), 1);
    assert_int_equal(ledger_fault(l, &problems), OK);
    ledger_close(l);
}

/* Such ledgers were written before a group told where its commit began: b1 and b2, each with one record. */
static void a_ledger_of_before_goes_on(void **state)
{
    (void)state;
    static const char before[] =
        "9057101b 5533bf568b58d779ea5f30025674294afccd5031dd44a3a5ef98a3840e9f0cc1 "
        "{\"batch\":\"b1\",\"part\":\"convert\",\"time\":\"2026-01-02T03:04:05+01:00\",\"message\":1,"
        "\"outcome\":\"done\",\"fields\":{\"OrderNo\":\"1\"},\"end\":true}\n"
        "e9484f60 23496d107fda1d1b046dd0fe0d02e5062c56d7ace03c71ad4680f9acae53295b "
        "{\"batch\":\"b2\",\"part\":\"convert\",\"time\":\"2026-01-02T03:04:05+01:00\",\"message\":1,"
        "\"outcome\":\"done\",\"fields\":{\"OrderNo\":\"2\"},\"end\":true}\n";
    char bytes[sizeof before];
    const size_t all = sizeof before - 1;
    struct ledger_record r;
    memcpy(bytes, before, sizeof before);
    tempdir_write(dir, file, bytes, all);
    struct ledger *l = open_it();
    assert_int_equal(ledger_count(l), 2);
    assert_int_equal(find(l, "2", &r), 1);
    GROUP(l, "b3", "3");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    ledger_close(l);
    tempdir_write(dir, file, bytes, all - 40);
    l = open_it();
    assert_int_equal(ledger_count(l), 1);
    ledger_close(l);
    bytes[100] ^= 1;
    tempdir_write(dir, file, bytes, all);
    assert_int_equal(ledger_open(&arena, &store, "orders", &l, &problems), STOP);
}

static void others_are_seen_after_a_refresh(void **state)
{
    (void)state;
    struct ledger_record r;
    struct ledger *reader = open_it(), *writer = open_it();
    assert_int_equal(find(reader, "7", &r), 0);
    GROUP(writer, "b7", "7");
    assert_int_equal(ledger_commit(writer, &problems), OK);
    assert_int_equal(find(reader, "7", &r), 0);
    assert_int_equal(ledger_refresh(reader, &problems), OK);
    assert_int_equal(find(reader, "7", &r), 1);
    GROUP(reader, "b8", "8");
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
                struct one o;
                int rc = begin(l, batch);
                if (rc > END || (rc == OK && ledger_end(l, record(&o, batch, 1, batch, "New"), &problems) != OK) ||
                    ledger_commit(l, &problems) != OK)
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
    GROUP(l, "b1", "1001");
    assert_int_equal(ledger_commit(l, &problems), OK);
    memcpy(one, ledger_mark(l), sizeof one);
    GROUP(l, "b2", "1001", "1002");
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

/* A whole group that could neither be synced nor cut: who comes next cuts it and writes it again … */
static void what_could_not_be_cut_is_cut_later(void **state)
{
    (void)state;
    store.durable = true;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1");
    assert_int_equal(ledger_commit(l, &problems), OK);
    GROUP(l, "b2", "2", "3");
    broken = true;
    assert_int_equal(ledger_commit(l, &problems), TEMP);
    assert_int_equal(begin(l, "b2"), TEMP);
    broken = false;
    GROUP(l, "b2", "2", "3");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 3);
    ledger_close(l);
}

/* Another process that goes on although we hold the lock: for it there is none. */
static void other_host(void)
{
    no_lock = true;
    struct ledger *other = open_it();
    GROUP(other, "b3", "3");
    assert_int_equal(ledger_commit(other, &problems), OK);
    ledger_close(other);
    no_lock = false;
}

/* … but not when another host took it for entered and went on behind it. */
static void what_others_went_on_behind_is_not_cut(void **state)
{
    (void)state;
    struct ledger_record r;
    store.durable = true;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1");
    assert_int_equal(ledger_commit(l, &problems), OK);
    GROUP(l, "b2", "2");
    broken = true;
    assert_int_equal(ledger_commit(l, &problems), TEMP);
    broken = false;
    struct ledger *other = open_it();
    GROUP(other, "b3", "3");
    assert_int_equal(ledger_commit(other, &problems), OK);
    ledger_close(other);
    assert_int_equal(begin(l, "b2"), END);
    GROUP(l, "b4", "4");
    assert_int_equal(ledger_commit(l, &problems), OK);
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 4);
    assert_int_equal(find(l, "3", &r), 1);
    ledger_close(l);
}

/* The lock is none, and what stood there before the sync failed is not the end of the file any more. */
static void what_others_wrote_during_a_sync_is_not_cut(void **state)
{
    (void)state;
    struct ledger_record r;
    store.durable = true;
    struct ledger *l = open_it();
    GROUP(l, "b1", "1");
    during = true;
    assert_int_equal(ledger_commit(l, &problems), TEMP);
    during = false;
    ledger_close(l);
    l = open_it();
    assert_int_equal(ledger_count(l), 2);
    assert_int_equal(find(l, "3", &r), 1);
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
    GROUP(l, "b0", "7");
    assert_int_equal(ledger_commit(l, &problems), OK);
    assert_int_equal(find(l, "7", &r), 1);
    getrlimit(RLIMIT_FSIZE, &was);
    full = (struct rlimit){ tempdir_read(dir, file, bytes, sizeof bytes), was.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 100; i++) {
        struct one o;
        assert_int_equal(begin(l, "b1"), OK);
        for (uint64_t n = 0; n < 1000; n++) {
            snprintf(order, sizeof order, "%d", (int)n);
            assert_int_equal(ledger_write(l, record(&o, "b1", n + 1, order, "New"), &problems), OK);
        }
        assert_int_equal(ledger_end(l, record(&o, "b1", 1001, "x", "New"), &problems), OK);
        setrlimit(RLIMIT_FSIZE, &full);
        assert_int_equal(ledger_commit(l, &problems), TEMP);
        setrlimit(RLIMIT_FSIZE, &was);
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
        cmocka_unit_test_setup_teardown(what_is_committed_is_found, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_this_run_notes_is_found_and_forgotten, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_is_noted_is_not_held_in_memory, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_note_that_finds_no_room_is_a_fault, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_long_group_is_not_held_in_memory, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_is_dropped_leaves_nothing, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_long_record_is_read_again, store_begin, store_end),
        cmocka_unit_test_setup_teardown(only_the_last_commit_may_be_torn, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_taken_for_missing, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_ledger_of_before_goes_on, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_group_counts_once, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut_at_any_byte, store_begin, store_end),
        cmocka_unit_test_setup_teardown(damage_inside_is_refused, store_begin, store_end),
        cmocka_unit_test_setup_teardown(others_are_seen_after_a_refresh, store_begin, store_end),
        cmocka_unit_test_setup_teardown(several_processes_append, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_ledger_as_it_was, store_begin, store_end),
        cmocka_unit_test_setup_teardown(attempts_that_fail_take_no_room, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_could_not_be_cut_is_cut_later, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_others_went_on_behind_is_not_cut, store_begin, store_end),
        cmocka_unit_test_setup_teardown(what_others_wrote_during_a_sync_is_not_cut, store_begin, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
