#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/trash.h"
#include "unit/storekit.h"

static bool there(const char *path)
{
    return faccessat(store.root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make(const char *folder)
{
    char file[300];
    assert_int_equal(mkdirat(store.root, folder, 0700), 0);
    snprintf(file, sizeof file, "%s/x", folder);
    tempdir_write(dir, file, "x", 1);
}

static void takes_away_whole_folders(void **state)
{
    (void)state;
    make("error");
    make("error/a");
    make("error/a/rejects");
    assert_int_equal(trash_put(&store, "error", "a", &problems), OK);
    assert_false(there("error/a"));
    assert_true(there(".waybill/trash/a/rejects/x"));
    assert_int_equal(trash_put(&store, "error", "a", &problems), OK);
    assert_int_equal(trash_put(&store, "nowhere", "a", &problems), OK);
    make("error/a");                                /* the same name again, while the first is still there */
    assert_int_equal(trash_put(&store, "error", "a", &problems), OK);
    assert_int_equal(trash_empty(&store, 100, &problems), END);
    assert_false(there(".waybill/trash/a"));
    assert_int_equal(problems.n, 0);
}

static void empties_in_short_steps(void **state)
{
    (void)state;
    char name[40];
    make("error");
    make("error/many");
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "error/many/%d", i);
        tempdir_write(dir, name, "x", 1);
    }
    assert_int_equal(trash_put(&store, "error", "many", &problems), OK);
    int steps = 0;
    while (trash_empty(&store, 20, &problems) == OK)
        assert_in_range(++steps, 1, 5);
    assert_true(steps >= 2);
    assert_false(there(".waybill/trash/many"));
    assert_int_equal(trash_empty(&store, 20, &problems), END);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    make("outside");
    make("error");
    make("error/a");
    assert_int_equal(symlinkat("../../outside", store.root, "error/a/link"), 0);
    assert_int_equal(trash_put(&store, "error", "a", &problems), OK);
    assert_int_equal(trash_empty(&store, 100, &problems), END);
    assert_true(there("outside/x"));
}

static void purged_batches_are_remembered(void **state)
{
    (void)state;
    assert_int_equal(trash_look(&store, "20241122-034431-1-1", &problems), END);
    assert_int_equal(trash_note(&store, "20241122", SLICE("20241122-034431-1-1\n20241122-034431-1-2\n"), &problems), OK);
    assert_int_equal(trash_note(&store, "20241122", SLICE("20241122-034431-1-33\n"), &problems), OK);
    assert_int_equal(trash_look(&store, "20241122-034431-1-1", &problems), OK);
    assert_int_equal(trash_look(&store, "20241122-034431-1-33", &problems), OK);
    assert_int_equal(trash_look(&store, "20241122-034431-1-3", &problems), END);
    assert_int_equal(trash_look(&store, "20241123-034431-1-1", &problems), END);
    assert_int_equal(trash_look(&store, "2024", &problems), END);
    assert_int_equal(trash_look(&store, "", &problems), END);
    assert_int_equal(trash_note(&store, "20241122", SLICE(""), &problems), OK);
}

static void in_doubt_nobody_says(void **state)
{
    (void)state;
    assert_int_equal(trash_note(&store, "20241122", SLICE("20241122-034431-1-1\n"), &problems), OK);
    assert_int_equal(renameat(store.top, "purged/20241122", store.top, "aside"), 0);
    assert_int_equal(mkdirat(store.top, "purged/20241122", 0700), 0);       /* cannot be read as a file */
    assert_int_equal(trash_look(&store, "20241122-034431-1-1", &problems), TEMP);
    assert_int_equal(trash_look(&store, "20241122-034431-1-2", &problems), TEMP);
    assert_int_equal(trash_look(&store, "20241123-034431-1-1", &problems), END);
    assert_int_equal(trash_note(&store, "20241122", SLICE("20241122-034431-1-2\n"), &problems), TEMP);
    assert_int_equal(problems.errors, 3);
    assert_int_equal(unlinkat(store.top, "purged/20241122", AT_REMOVEDIR), 0);
    assert_int_equal(renameat(store.top, "aside", store.top, "purged/20241122"), 0);
    assert_int_equal(trash_look(&store, "20241122-034431-1-1", &problems), OK);
    assert_int_equal(trash_look(&store, "20241122-034431-1-2", &problems), END);
}

static void one_purge_at_a_time(void **state)
{
    (void)state;
    int first, second;
    assert_int_equal(trash_lock(&store, &first, &problems), OK);
    assert_int_equal(trash_lock(&store, &second, &problems), END);
    trash_unlock(second);
    trash_unlock(first);
    assert_int_equal(trash_lock(&store, &second, &problems), OK);
    trash_unlock(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_begin, store_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_away_whole_folders), TEST(empties_in_short_steps), TEST(links_are_not_followed),
        TEST(purged_batches_are_remembered), TEST(in_doubt_nobody_says), TEST(one_purge_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
