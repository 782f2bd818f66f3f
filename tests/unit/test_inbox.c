#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "drop/inbox.h"
#include "drop/observe.h"
#include "unit/dirkit.h"

static struct spool spool;
static struct inbox *inbox;

static int setup(void **state)
{
    assert_int_equal(dir_begin(state), 0);
    dir_make("in");
    inbox = NULL;
    return spool_open(&spool, &arena, dir, true, &problems);
}

static int teardown(void **state)
{
    if (inbox)
        inbox_close(inbox);
    spool_close(&spool);
    return dir_end(state);
}

static void open_with(struct ready ready)
{
    assert_int_equal(inbox_open(&arena, &spool, "in", &ready, &inbox, &problems), OK);
}

static void put(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "in/%s", name);
    dir_put(path, text);
}

/* Number of ready files of a pass at this time; the last one in *d. */
static int pass(int64_t now, struct drop *d)
{
    int n = 0, rc;
    struct drop one;
    inbox_begin(inbox, now);
    while ((rc = inbox_next(inbox, &one, &problems)) == OK) {
        *d = one;
        n++;
    }
    assert_int_equal(rc, END);
    return n;
}

static void names_are_opaque_and_temporary_ones_are_left(void **state)
{
    (void)state;
    struct drop d;
    struct claim c;
    static const char *const good[] = { "a\nb.csv", "\x1b]0;pwn\x07.csv", "%n%s.csv", "$(id).csv", ";id;.csv", "*.csv",
                                        "-rf", " .csv ",
                                        "a\\b.csv", "\xff\xfe\x80.csv", "A.csv", "a.csv", "\xe2\x80\xae.csv" };
    static const char *const never[] = { ".hidden", "..csv", "x.part", "x.TMP", "~$x.xlsx", "Thumbs.db", "y.filepart",
                                         "z.crdownload" };
    char longest[256];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    open_with((struct ready){ .terms = READY_NAME });
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        put(good[i], "x");
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        put(never[i], "x");
    put(longest, "x");
    assert_int_equal(pass(0, &d), sizeof good / sizeof *good + 1);
    inbox_begin(inbox, 0);
    while (inbox_next(inbox, &d, &problems) == OK) {
        char id[BATCH_ID_SIZE];
        spool_id(&spool, 0, id);
        assert_int_equal(claim_take(&spool, inbox, &d, id, NULL, &c, &problems), OK);
        assert_string_equal(c.name, d.name);
        claim_close(&c);
        assert_int_equal(claim_open(&spool, id, &c, &problems), OK);
        assert_string_equal(c.name, d.name);
        assert_string_equal(c.inbox, "in");
        claim_close(&c);
    }
    assert_int_equal(pass(0, &d), 0);
    assert_true(tempdir_has(dir, "in/.hidden"));
    assert_int_equal(problems.n, 0);
}

static void other_objects_stay_and_are_told_once(void **state)
{
    (void)state;
    char path[300], target[300];
    struct drop d;
    snprintf(path, sizeof path, "%s/in/fifo.csv", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/in/dir.csv", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/in/link.csv", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/in/loop.csv", dir);
    assert_int_equal(symlink("loop.csv", path), 0);
    put("one.csv", "x");
    snprintf(path, sizeof path, "%s/in/one.csv", dir);
    snprintf(target, sizeof target, "%s/elsewhere", dir);
    assert_int_equal(link(path, target), 0);
    open_with((struct ready){ .terms = READY_NAME });
    assert_int_equal(pass(0, &d), 0);
    assert_int_equal(problems.n, 5);
    assert_int_equal(pass(1, &d), 0);
    assert_int_equal(problems.n, 5);
    unlink(target);
    assert_int_equal(pass(2, &d), 1);
    assert_string_equal(d.name, "one.csv");
}

static void stable_is_what_we_observed(void **state)
{
    (void)state;
    struct drop d;
    int64_t wake;
    open_with((struct ready){ .terms = READY_NAME | READY_STABLE, .stable_ms = 10000 });
    put("a.csv", "x");
    assert_int_equal(pass(1000, &d), 0);
    assert_int_equal(inbox_waiting(inbox, &wake), 1);
    assert_int_equal(wake, 10000);
    assert_int_equal(pass(8000, &d), 0);
    inbox_waiting(inbox, &wake);
    assert_int_equal(wake, 3000);
    put("a.csv", "xy");
    assert_int_equal(pass(11500, &d), 0);
    assert_int_equal(pass(21499, &d), 0);
    assert_int_equal(pass(21500, &d), 1);
}

static void a_file_open_for_writing_is_not_stable(void **state)
{
    (void)state;
    struct drop d;
    char path[300];
    open_with((struct ready){ .terms = READY_STABLE, .stable_ms = 10 });
    put("a.csv", "x");
    snprintf(path, sizeof path, "%s/in/a.csv", dir);
    int fd = open(path, O_WRONLY);
    pass(0, &d);
    int n = pass(1000, &d);
    close(fd);
    int probe = open(path, O_RDONLY);
    bool leases = fcntl(probe, F_SETLEASE, F_RDLCK) == 0;
    close(probe);
    assert_int_equal(n, leases ? 0 : 1);        /* where the kernel grants none, nobody can see the writer */
    assert_int_equal(pass(2000, &d), 1);
}

static void a_marker_announces_and_goes_along(void **state)
{
    (void)state;
    struct drop d;
    struct claim c;
    struct claim_companion with;
    open_with((struct ready){ .terms = READY_DONE, .done = ".done" });
    put("a.csv", "x");
    assert_int_equal(pass(0, &d), 0);
    put("a.csv.done", "");
    assert_int_equal(pass(0, &d), 1);
    assert_string_equal(d.name, "a.csv");
    assert_int_equal(claim_take(&spool, inbox, &d, "20260101-000000-1-1", NULL, &c, &problems), OK);
    assert_false(tempdir_has(dir, "in/a.csv.done"));
    assert_int_equal(claim_copy(&spool, &c, 0, NULL, &problems), OK);
    assert_int_equal(claim_companion(&spool, &c, 1, &with, &problems), OK);
    assert_string_equal(with.name, "a.csv.done");
    assert_int_equal(claim_companion(&spool, &c, 2, &with, &problems), END);
    claim_close(&c);
}

static void a_manifest_proves_each_file(void **state)
{
    (void)state;
    struct drop d;
    open_with((struct ready){ .terms = READY_MANIFEST, .manifest = "*.sum" });
    put("a.csv", "hello\n");
    put("b.csv", "wrong\n");
    put("c.csv", "unlisted\n");
    put("drop.sum", "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  a.csv\n"
                    "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 *b.csv\r\nnonsense\n");
    assert_int_equal(pass(0, &d), 1);
    assert_string_equal(d.name, "a.csv");
    assert_string_equal(d.manifest, "");
    char path[300];
    snprintf(path, sizeof path, "%s/in/a.csv", dir);
    unlink(path);
    put("b.csv", "hello\n");
    assert_int_equal(pass(0, &d), 1);
    assert_string_equal(d.name, "b.csv");
    assert_string_equal(d.manifest, "drop.sum");
}

static int even(void *owner, int fd, uint64_t size)
{
    char c;
    ++*(int *)owner;
    return read(fd, &c, 1) == 1 && size % 2 == 0 ? OK : SKIP;
}

static void completeness_is_asked_once_for_each_state(void **state)
{
    (void)state;
    struct drop d;
    int asked = 0;
    open_with((struct ready){ .terms = READY_COMPLETE, .complete = even, .owner = &asked });
    put("a.edi", "xxx");
    assert_int_equal(pass(0, &d), 0);
    assert_int_equal(pass(0, &d), 0);
    assert_int_equal(asked, 1);
    put("a.edi", "xxxx");
    assert_int_equal(pass(0, &d), 1);
    assert_int_equal(asked, 2);
}

static void large_files_stay(void **state)
{
    (void)state;
    struct drop d;
    char path[300];
    put("big.csv", "");
    snprintf(path, sizeof path, "%s/in/big.csv", dir);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    open_with((struct ready){ .terms = READY_NAME, .max_size = 1 << 20 });
    assert_int_equal(pass(0, &d), 0);
    assert_string_equal(problems.last->code, "INBOX_LARGE");
}

static void what_is_swapped_goes_back(void **state)
{
    (void)state;
    struct drop d;
    struct claim c;
    char path[300];
    open_with((struct ready){ .terms = READY_NAME });
    put("a.csv", "x");
    assert_int_equal(pass(0, &d), 1);
    snprintf(path, sizeof path, "%s/in/a.csv", dir);
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(claim_take(&spool, inbox, &d, "20260101-000000-1-1", NULL, &c, &problems), SKIP);
    assert_true(tempdir_has(dir, "in/a.csv"));
    assert_false(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1"));
    unlink(path);
    assert_int_equal(claim_take(&spool, inbox, &d, "20260101-000000-1-1", NULL, &c, &problems), END);
    assert_false(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1"));
}

static void a_file_that_changes_under_the_copy_waits(void **state)
{
    (void)state;
    struct drop d;
    struct claim c;
    open_with((struct ready){ .terms = READY_NAME });
    put("a.csv", "x");
    pass(0, &d);
    assert_int_equal(claim_take(&spool, inbox, &d, "20260101-000000-1-1", NULL, &c, &problems), OK);
    tempdir_write(dir, ".waybill/claim/20260101-000000-1-1/a.csv", "xy", 2);
    assert_int_equal(claim_copy(&spool, &c, 0, NULL, &problems), SKIP);
    assert_string_equal(problems.last->code, "INBOX_CHANGED");
    assert_false(tempdir_has(dir, ".waybill/tmp/20260101-000000-1-1"));
    assert_int_equal(claim_copy(&spool, &c, 0, NULL, &problems), OK);
    assert_true(tempdir_has(dir, ".waybill/tmp/20260101-000000-1-1/in"));
    claim_close(&c);
}

/* A claim of a.csv with these, which gives `want`. */
static void take_with(const char *const *with, int want)
{
    struct drop d;
    struct claim c;
    assert_int_equal(pass(0, &d), 1);
    assert_int_equal(claim_take(&spool, inbox, &d, "20260101-000000-1-1", with, &c, &problems), want);
    claim_close(&c);
}

static void companions_come_only_by_plain_names(void **state)
{
    (void)state;
    static const char *const bad[] = { "../in", "..", ".hidden", "", "missing.pdf" };
    open_with((struct ready){ .terms = READY_NAME });
    put("a.csv", "x");
    put(".hidden", "x");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        take_with((const char *[]){ bad[i], NULL }, END);
        assert_true(tempdir_has(dir, "in/a.csv"));
        assert_false(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1"));
    }
}

static void companions_go_with_their_file_or_not_at_all(void **state)
{
    (void)state;
    open_with((struct ready){ .terms = READY_NAME });
    put("a.csv", "x");
    put("1.part", "%PDF");
    take_with((const char *[]){ "1.part", "gone.part", NULL }, END);
    assert_true(tempdir_has(dir, "in/1.part"));
    assert_true(tempdir_has(dir, "in/a.csv"));
    assert_false(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1"));
    take_with((const char *[]){ "1.part", NULL }, OK);
    assert_true(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1/.with/1.part"));
    assert_true(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1/a.csv"));
}

/* Died when the companion was taken and its file was not: both lie in the inbox again. */
static void companions_of_a_dead_claim_go_back(void **state)
{
    (void)state;
    struct claim c;
    char path[300];
    open_with((struct ready){ .terms = READY_NAME });
    put("a.csv", "x");
    put("1.part", "old");
    take_with((const char *[]){ "1.part", NULL }, OK);
    snprintf(path, sizeof path, "%s/.waybill/claim/20260101-000000-1-1/a.csv", dir);
    unlink(path);
    assert_int_equal(claim_open(&spool, "20260101-000000-1-1", &c, &problems), END);
    assert_true(tempdir_has(dir, "in/1.part"));
    assert_false(tempdir_has(dir, ".waybill/claim/20260101-000000-1-1"));
    put("a.csv", "x");
    take_with((const char *[]){ "1.part", NULL }, OK);
    unlink(path);
    put("1.part", "new");           /* the sender put another one there: nothing is written over */
    assert_int_equal(claim_open(&spool, "20260101-000000-1-1", &c, &problems), END);
    assert_true(tempdir_has(dir, "in/1.part"));
    assert_true(tempdir_has(dir, "error/20260101-000000-1-1-late/1.part"));
}

static void of_two_watchers_each_file_goes_to_one(void **state)
{
    (void)state;
    enum { FILES = 200, PROCESSES = 3 };
    char name[32];
    int pipes[2], taken = 0;
    spool.durable = false;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d.csv", i);
        put(name, "x");
    }
    assert_int_equal(pipe(pipes), 0);
    for (int p = 1; p <= PROCESSES; p++) {
        if (fork() == 0) {
            struct drop d;
            struct claim c;
            char id[BATCH_ID_SIZE];
            spool.epoch = (uint64_t)p;
            open_with((struct ready){ .terms = READY_NAME });
            inbox_begin(inbox, 0);
            while (inbox_next(inbox, &d, &problems) == OK) {
                spool_id(&spool, 0, id);
                if (claim_take(&spool, inbox, &d, id, NULL, &c, &problems) == OK && write(pipes[1], "t", 1) == 1)
                    claim_close(&c);
            }
            _exit(0);
        }
    }
    close(pipes[1]);
    char t;
    while (read(pipes[0], &t, 1) == 1)
        taken++;
    while (wait(NULL) > 0)
        continue;
    close(pipes[0]);
    assert_int_equal(taken, FILES);
}

static void observations_are_bounded_and_swept(void **state)
{
    (void)state;
    struct observations o;
    observe_init(&o);
    observe_begin(&o);
    for (uint64_t i = 1; i <= OBSERVE_MAX; i++)
        assert_non_null(observe(&o, i * 0x9E3779B97F4A7C15u, 5));
    assert_null(observe(&o, 12345, 5));
    observe_begin(&o);
    struct observed *e = observe(&o, 0x9E3779B97F4A7C15u, 9);
    assert_int_equal(e->since, 5);
    observe_sweep(&o);
    assert_int_equal(o.n, 1);
    assert_non_null(observe(&o, 12345, 5));
    observe_release(&o);
}

static void a_missing_or_moved_inbox_is_noticed(void **state)
{
    (void)state;
    struct ready ready = { .terms = READY_NAME };
    char from[300], to[300];
    assert_int_equal(inbox_open(&arena, &spool, "none", &ready, &inbox, &problems), SKIP);
    assert_string_equal(problems.last->code, "INBOX_MISSING");
    inbox_close(inbox);
    open_with(ready);
    bool another;
    assert_int_equal(inbox_again(inbox, &another, &problems), OK);
    assert_false(another);
    snprintf(from, sizeof from, "%s/in", dir);
    snprintf(to, sizeof to, "%s/away", dir);
    assert_int_equal(rename(from, to), 0);
    size_t told = problems.warnings;
    for (int i = 0; i < 2; i++)
        assert_int_equal(inbox_again(inbox, &another, &problems), SKIP);
    assert_int_equal(problems.warnings, told + 1);
    assert_int_equal(mkdir(from, 0700), 0);
    put("new.csv", "x");
    assert_int_equal(inbox_again(inbox, &another, &problems), OK);
    assert_true(another);
    assert_int_equal(inbox_again(inbox, &another, &problems), OK);
    assert_false(another);
    inbox_begin(inbox, 1);
    struct drop d;
    assert_int_equal(inbox_next(inbox, &d, &problems), OK);
    assert_string_equal(d.name, "new.csv");
}

static void batch_ids_are_checked(void **state)
{
    (void)state;
    char id[BATCH_ID_SIZE];
    spool.epoch = 12;
    spool.counter = 6;
    spool_id(&spool, 1795319071, id);
    assert_string_equal(id, "20261122-034431-12-7");
    assert_true(spool_id_valid(id));
    assert_false(spool_id_valid("20261122-034431-12-"));
    assert_false(spool_id_valid("20261122-034431--1-2/.."));
    assert_false(spool_id_valid("../../../../../../../x"));
    assert_false(spool_id_valid(""));
}

static int next_claim(void *owner, const char *id)
{
    const char *const **want = owner;
    assert_string_equal(id, *(*want)++);
    return OK;
}

/* What a crash left is taken up in the order in which it came, not in that of the texts; the clock may go back. */
static void claims_are_taken_up_in_the_order_of_their_coming(void **state)
{
    (void)state;
    static const char *const ids[] = { "20261122-034431-2-8", "20261122-034431-2-9", "20261122-034431-2-10",
                                       "20261122-034429-2-11", "20261122-034430-10-1", NULL };
    const char *const *want = ids;
    for (size_t i = 0; ids[i]; i++)
        assert_int_equal(mkdirat(spool.claim, ids[i], 0700), 0);
    assert_int_equal(mkdirat(spool.claim, "not-ours", 0700), 0);
    assert_int_equal(claim_each(&spool, next_claim, &want, &problems), OK);
    assert_null(*want);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_opaque_and_temporary_ones_are_left), TEST(other_objects_stay_and_are_told_once),
            TEST(stable_is_what_we_observed),
        TEST(a_file_open_for_writing_is_not_stable), TEST(a_marker_announces_and_goes_along),
            TEST(a_manifest_proves_each_file),
        TEST(completeness_is_asked_once_for_each_state), TEST(large_files_stay), TEST(what_is_swapped_goes_back),
        TEST(a_file_that_changes_under_the_copy_waits), TEST(companions_come_only_by_plain_names),
        TEST(companions_go_with_their_file_or_not_at_all), TEST(companions_of_a_dead_claim_go_back),
        TEST(of_two_watchers_each_file_goes_to_one), TEST(observations_are_bounded_and_swept),
        TEST(a_missing_or_moved_inbox_is_noticed), TEST(batch_ids_are_checked),
        TEST(claims_are_taken_up_in_the_order_of_their_coming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
