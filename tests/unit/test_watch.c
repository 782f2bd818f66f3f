#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>

#include "drop/watch.h"
#include "unit/dirkit.h"

static char a[300], b[300];
static struct watch *watch;
static int news[4];

static int setup(void **state)
{
    assert_int_equal(dir_begin(state), 0);
    memset(news, 0, sizeof news);
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    return mkdir(a, 0700) | mkdir(b, 0700);
}

static int teardown(void **state)
{
    watch_close(watch);
    return dir_end(state);
}

static void woken(void *owner, int id)
{
    (void)owner;
    news[id]++;
}

static bool readable(void)
{
    struct pollfd p = { .fd = watch_fd(watch), .events = POLLIN };
    return poll(&p, 1, 200) == 1;
}

static void files_wake_their_folder(void **state)
{
    (void)state;
    char link_name[400], file[400];
    assert_int_equal(watch_open(&arena, -1, &watch, &problems), OK);
    assert_int_equal(watch_add(watch, a, &problems), 0);
    assert_int_equal(watch_add(watch, b, &problems), 1);
    assert_false(watch_polled(watch, 0));
    assert_int_equal(watch_rescan_ms(watch), 30000);
    assert_false(readable());
    tempdir_write(a, "x.csv", "x", 1);
    assert_true(readable());
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_true(news[0] > 0);
    assert_int_equal(news[1], 0);
    snprintf(file, sizeof file, "%s/x.csv", a);
    snprintf(link_name, sizeof link_name, "%s/y.csv", b);
    assert_int_equal(link(file, link_name), 0);             /* a hard link gives no more than IN_CREATE */
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_int_equal(news[1], 1);
}

static void a_folder_that_comes_again_is_watched_again(void **state)
{
    (void)state;
    char away[300];
    assert_int_equal(watch_open(&arena, -1, &watch, &problems), OK);
    watch_add(watch, a, &problems);
    assert_false(watch_polled(watch, 0));
    snprintf(away, sizeof away, "%s/away", dir);
    assert_int_equal(rename(a, away), 0);
    assert_int_equal(mkdir(a, 0700), 0);
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_true(news[0] > 0);
    watch_read(watch, woken, NULL, &problems);
    news[0] = 0;
    tempdir_write(a, "x.csv", "x", 1);
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_true(news[0] > 0);
}

static void a_missing_folder_is_polled(void **state)
{
    (void)state;
    assert_int_equal(watch_open(&arena, -1, &watch, &problems), OK);
    int id = watch_add(watch, "/nonexistent/inbox", &problems);
    assert_true(watch_polled(watch, id));
    assert_int_equal(watch_rescan_ms(watch), 5000);
    assert_int_equal(problems.n, 0);                         /* whoever looks into it tells */
}

static void paths_from_elsewhere_wake_too(void **state)
{
    (void)state;
    int pipes[2];
    char path[700];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(watch_open(&arena, pipes[0], &watch, &problems), OK);
    watch_add(watch, a, &problems);
    watch_add(watch, b, &problems);
    assert_false(watch_polled(watch, 0));
    int n = snprintf(path, sizeof path, "%s/new\nline.csv", b);
    assert_int_equal(write(pipes[1], path, (size_t)n), n);  /* the NUL comes later */
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_int_equal(news[1], 0);
    assert_int_equal(write(pipes[1], "\0/nowhere/x", 12), 12);
    assert_int_equal(watch_read(watch, woken, NULL, &problems), OK);
    assert_int_equal(news[1], 2);                           /* itself, and all for the path of no folder */
    assert_int_equal(news[0], 1);
    close(pipes[1]);
    assert_int_equal(watch_read(watch, woken, NULL, &problems), END);
    assert_true(watch_polled(watch, 0));
    close(pipes[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_wake_their_folder), TEST(a_folder_that_comes_again_is_watched_again), TEST(a_missing_folder_is_polled),
        TEST(paths_from_elsewhere_wake_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
