#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/bundle.h"
#include "unit/storekit.h"

#define DAY "archive/2026/11/22/"
static const char *const ids[] = { "20261122-034431-1-1", "20261122-034431-1-2", "20261122-034431-1-3" };
enum { N = 3 };

static struct archived_member *members(const char *id, const char *waybill)
{
    struct archived_member *m = arena_zero(&arena, 3 * sizeof *m);
    m[0] = (struct archived_member){ .name = arena_cstr(&arena, arena_printf(&arena, "%s.lines.1.jsonl", id)),
                                     .bytes = SLICE("{}\n") };
    m[1] = (struct archived_member){ .name = arena_cstr(&arena, arena_printf(&arena, "%s.waybill.json", id)),
                                     .bytes = slice_of(waybill) };
    m[2] = (struct archived_member){ .name = "in", .original = SLICE("orders.csv"), .bytes = SLICE("a,b\n") };
    return m;
}

static struct batch_bundle bundle(const char *id, const char *waybill)
{
    struct batch_bundle b = { .id = id, .members = members(id, waybill), .n = 3, .nlines = 1, .fd = -1 };
    b.lines = arena_zero(&arena, sizeof *b.lines);
    b.lines[0] = b.members[0].name;
    return b;
}

static void assert_text(const char *id, const char *end, const char *wanted)
{
    struct slice text;
    char path[400];
    snprintf(path, sizeof path, "%s/" DAY "%s.%s", dir, id, end);
    assert_int_equal(file_read(&arena, path, 100, &text, &problems), OK);
    assert_true(slice_is(text, wanted));
}

static void assert_archived(const char *id, const char *waybill)
{
    assert_int_equal(archived_verify(&store, id, &problems), OK);
    assert_text(id, "waybill.json", waybill);
    assert_text(id, "lines.1.jsonl", "{}\n");
}

static void each_gets_its_zip_and_what_lies_beside(void **state)
{
    (void)state;
    struct batch_bundle list[N];
    for (int i = 0; i < N; i++)
        list[i] = bundle(ids[i], "{\"seq\":1}");
    batch_bundles_archive(&store, &arena, list, N, &problems);
    for (int i = 0; i < N; i++) {
        assert_int_equal(list[i].status, OK);
        assert_archived(ids[i], "{\"seq\":1}");
    }
}

/* As after a fault behind the zip's name: the zip counts, not what would go in now. */
static void a_good_zip_stays_and_tells_what_lies_beside(void **state)
{
    (void)state;
    struct batch_bundle first = bundle(ids[0], "{\"seq\":1}"), again = bundle(ids[0], "{\"seq\":2}");
    batch_bundles_archive(&store, &arena, &first, 1, &problems);
    assert_int_equal(unlinkat(store.root, DAY "20261122-034431-1-1.waybill.json", 0), 0);
    batch_bundles_archive(&store, &arena, &again, 1, &problems);
    assert_int_equal(again.status, OK);
    assert_archived(ids[0], "{\"seq\":1}");
}

static void one_that_cannot_be_made_hinders_no_other(void **state)
{
    (void)state;
    struct batch_bundle list[N];
    for (int i = 0; i < N; i++)
        list[i] = bundle(ids[i], "{\"seq\":1}");
    list[1].members[2].sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    batch_bundles_archive(&store, &arena, list, N, &problems);
    assert_int_equal(list[0].status, OK);
    assert_int_equal(list[1].status, STOP);
    assert_int_equal(list[2].status, OK);
    assert_archived(ids[0], "{\"seq\":1}");
    assert_archived(ids[2], "{\"seq\":1}");
    assert_false(archived_exists(&store, ids[1]));
    assert_false(tempdir_has(dir, DAY "20261122-034431-1-2.waybill.json"));
    assert_false(tempdir_has(dir, DAY ".034431_20261122-034431-1-2.zip.new"));
}

/* None of ours is made like that: whoever made it, nothing empty is put beside it. */
static void a_zip_without_a_waybill_is_damaged(void **state)
{
    (void)state;
    struct batch_bundle b = bundle(ids[0], "{\"seq\":1}");
    assert_int_equal(archived_write(&store, ids[0], &b.members[2], 1, &problems), OK);
    batch_bundles_archive(&store, &arena, &b, 1, &problems);
    assert_int_equal(b.status, STOP);
    assert_string_equal(problems.last->code, "ARCHIVE_DAMAGED");
    assert_false(tempdir_has(dir, DAY "20261122-034431-1-1.waybill.json"));
}

/* Of a batch with a folder: its lines get a second name. */
static void lines_in_a_folder_are_linked(void **state)
{
    (void)state;
    struct stat st;
    struct batch_bundle b = bundle(ids[0], "{\"seq\":1}");
    dir_put("20261122-034431-1-1.lines.1.jsonl", "{}\n");
    b.members[0].dir = store.root;
    b.members[0].path = b.members[0].name;
    batch_bundles_archive(&store, &arena, &b, 1, &problems);
    assert_int_equal(b.status, OK);
    assert_archived(ids[0], "{\"seq\":1}");
    assert_int_equal(fstatat(store.root, b.members[0].name, &st, 0), 0);
    assert_int_equal(st.st_nlink, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_gets_its_zip_and_what_lies_beside, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_good_zip_stays_and_tells_what_lies_beside, store_begin, store_end),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_made_hinders_no_other, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_zip_without_a_waybill_is_damaged, store_begin, store_end),
        cmocka_unit_test_setup_teardown(lines_in_a_folder_are_linked, store_begin, store_end),
    };
    return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
