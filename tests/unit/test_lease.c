#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "drop/lease.h"
#include "drop/outbox.h"
#include "tempdir.h"

static char dir[256];
static struct arena arena;
static struct problems problems;
static struct spool one, two;
static struct lease a, b;

static int setup(void **state)
{
    (void)state;
    tempdir_make(dir);
    arena_init(&arena, 0);
    problems_init(&problems, &arena, 20);
    a = b = (struct lease){ .fd = -1, .shared = true, .expire_ms = 60 };
    assert_int_equal(spool_open(&one, &arena, dir, false, &problems), OK);
    assert_int_equal(spool_open(&two, &arena, dir, false, &problems), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    spool_close(&one);
    spool_close(&two);
    arena_release(&arena);
    tempdir_remove(dir);
    return 0;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static bool there(const char *path)
{
    char whole[400];
    snprintf(whole, sizeof whole, "%s/%s", dir, path);
    return access(whole, F_OK) == 0;
}

static void the_second_host_waits_while_the_first_beats(void **state)
{
    (void)state;
    a.expire_ms = b.expire_ms = 1500;               /* long after a beat that a busy machine delays */
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_true(there(".waybill/epoch-1/work"));
    assert_false(there(".waybill/work"));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(lease_take(&b, &two, &problems), STOP);
        assert_string_equal(problems.last->code, "SITE_BUSY");
        sleep_ms(200);
        a.next = 0;
        assert_int_equal(lease_keep(&a, &one, clock_monotonic_ms(), &problems), OK);
    }
}

static void whether_a_holder_lives_its_next_beat_tells(void **state)
{
    (void)state;
    a.expire_ms = b.expire_ms = 1500;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lease_take(&b, &two, &problems), STOP);
        assert_true(lease_is_unsure(&b));
    }
    a.next = 0;
    assert_int_equal(lease_keep(&a, &one, clock_monotonic_ms(), &problems), OK);
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    assert_false(lease_is_unsure(&b));
}

static void a_silent_host_is_taken_over_and_cut_off(void **state)
{
    (void)state;
    int fd;
    struct outbox box;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_int_equal(mkdirat(one.work, "20261122-034431-1-1", 0700), 0);
    assert_int_equal(outbox_stage(&one, "20261122-034431-1-1", 1, &fd, &problems), OK);
    close(fd);
    assert_int_equal(outbox_open(&box, &one, &arena, "outbox", &problems), OK);
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    sleep_ms(80);
    assert_int_equal(lease_take(&b, &two, &problems), OK);
    assert_int_equal(two.epoch, 2);
    assert_true(there(".waybill/epoch-2/work/20261122-034431-1-1/out.1"));
    /* what the paused host does now has no effect outside, nor on what the other one has under way */
    struct stat before, now;
    assert_int_equal(fstatat(two.work, "20261122-034431-1-1/out.1", &before, 0), 0);
    assert_int_not_equal(outbox_stage(&one, "20261122-034431-1-1", 1, &fd, &problems), OK);
    assert_int_equal(fstatat(two.work, "20261122-034431-1-1/out.1", &now, 0), 0);
    assert_int_equal(before.st_ino, now.st_ino);
    assert_int_not_equal(outbox_publish(&one, &box, "20261122-034431-1-1", 1, "late.csv", NULL, &problems), OK);
    assert_false(there("outbox/late.csv"));
    a.next = 0;
    assert_int_equal(lease_keep(&a, &one, clock_monotonic_ms(), &problems), STOP);
    assert_string_equal(problems.last->code, "SITE_LOST");
    assert_int_equal(outbox_publish(&two, &box, "20261122-034431-1-1", 1, "good.csv", NULL, &problems), OK);
    assert_true(there("outbox/good.csv"));
    outbox_close(&box);
}

static void a_lease_given_back_is_free_at_once(void **state)
{
    (void)state;
    long pid;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_int_equal(lease_holder(&one, &pid, &problems), OK);
    assert_int_equal(pid, getpid());
    lease_give(&a, &one);
    assert_int_equal(lease_take(&b, &two, &problems), OK);
    assert_true(b.epoch > 1);
}

/* A machine that was suspended: its clock says that the next look is not due. */
static void a_host_whose_clock_stood_still_is_cut_off(void **state)
{
    (void)state;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    assert_true(lease_stands(&a, &one));
    sleep_ms(80);
    assert_int_equal(lease_take(&b, &two, &problems), OK);
    a.next = INT64_MAX;
    assert_false(lease_stands(&a, &one));
    assert_int_equal(lease_keep(&a, &one, clock_monotonic_ms(), &problems), STOP);
    assert_string_equal(problems.last->code, "SITE_LOST");
}

static void write_lease(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/.waybill/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* Containers may have one name, and one process id: 1. */
static void a_new_holder_is_not_taken_for_the_silent_one(void **state)
{
    (void)state;
    write_lease("lease.1", "1 box 1\n");
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    sleep_ms(80);
    write_lease("lease.2", "1 box 1\n");
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    assert_string_equal(problems.last->code, "SITE_BUSY");
}

/* Paused between its lease and the folders, which somebody has taken over since. */
static void who_comes_late_takes_nothing_away(void **state)
{
    (void)state;
    assert_int_equal(spool_enter(&two, 3, &problems), OK);
    assert_int_equal(spool_enter(&one, 2, &problems), END);
    assert_true(there(".waybill/epoch-3/work"));
    assert_false(there(".waybill/epoch-2"));
}

/* A full disk. */
static void a_beat_that_cannot_be_written_is_tried_again(void **state)
{
    (void)state;
    struct rlimit was, none;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    none = was;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    a.next = 0;
    int rc = lease_keep(&a, &one, clock_monotonic_ms(), &problems);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, WARN);
    a.next = 0;
    assert_int_equal(lease_keep(&a, &one, clock_monotonic_ms(), &problems), OK);
}

/* Two that find the same dead lease: the file of the next epoch can be made once. */
static void one_of_two_takers_wins(void **state)
{
    (void)state;
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    sleep_ms(80);
    write_lease("lease.2", "77 other 1\n");
    assert_int_equal(lease_take(&b, &two, &problems), STOP);
    assert_string_equal(problems.last->code, "SITE_BUSY");
}

static void what_a_site_had_comes_along(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(one.work, "20261122-034431-1-9", 0700), 0);
    assert_int_equal(lease_take(&a, &one, &problems), OK);
    assert_true(there(".waybill/epoch-1/work/20261122-034431-1-9"));
    spool_close(&two);
    assert_int_equal(spool_open(&two, &arena, dir, false, &problems), OK);
    assert_string_equal(two.below, "epoch-1/");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The holder takes the lock and dies; what it forked keeps the lock for so long. */
static void hold_and_die(long ms)
{
    a = (struct lease){ .fd = -1 };
    if (lease_take(&a, &one, &problems) != OK)
        _exit(1);
    if (fork() == 0)
        sleep_ms(ms);
    _exit(0);
}

/* Nobody has waited for the holder yet. */
static void a_dead_holder_is_waited_for(void **state)
{
    (void)state;
    siginfo_t how;
    pid_t holder = fork();
    assert_true(holder >= 0);
    if (holder == 0)
        hold_and_die(300);
    assert_int_equal(waitid(P_PID, (id_t)holder, &how, WEXITED | WNOWAIT), 0);
    assert_int_equal(how.si_status, 0);
    b = (struct lease){ .fd = -1 };
    assert_int_equal(lease_take(&b, &two, &problems), OK);
    lease_give(&b, &two);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_second_host_waits_while_the_first_beats),
        TEST(whether_a_holder_lives_its_next_beat_tells),
        TEST(a_silent_host_is_taken_over_and_cut_off),
        TEST(a_lease_given_back_is_free_at_once),
        TEST(a_host_whose_clock_stood_still_is_cut_off),
        TEST(a_new_holder_is_not_taken_for_the_silent_one),
        TEST(who_comes_late_takes_nothing_away),
        TEST(a_beat_that_cannot_be_written_is_tried_again),
        TEST(one_of_two_takers_wins),
        TEST(what_a_site_had_comes_along),
        TEST(a_dead_holder_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
