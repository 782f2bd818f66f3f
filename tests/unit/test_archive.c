#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/archive.h"
#include "unit/storekit.h"

static const char batch[] = "20261122-034431-12-7";
static const char zip[] = "archive/2026/11/22/034431_20261122-034431-12-7.zip";

static int write_it(void)
{
    tempdir_write(dir, "data", "a;b\n1;2\n", 8);
    struct archived_member members[] = {
        { .name = "in", .original = SLICE("\xff" "evil/../name\n.csv"), .dir = store.root, .path = "data" },
        { .name = "empty", .bytes = SLICE("") },
        { .name = "b.waybill.json", .bytes = SLICE("{}\n") },
    };
    return archived_write(&store, batch, members, 3, &problems);
}

static void a_batch_is_archived_and_read_back(void **state)
{
    (void)state;
    char path[ARCHIVED_PATH];
    struct slice bytes, *names;
    size_t n;
    assert_true(archived_path(batch, path));
    assert_string_equal(path, zip);
    assert_false(archived_path("../../../etc/passwd", path));
    assert_false(archived_path("20261122-034431-12/7", path));
    assert_false(archived_exists(&store, batch));
    assert_int_equal(write_it(), OK);
    assert_true(archived_exists(&store, batch));
    assert_int_equal(archived_verify(&store, batch, &problems), OK);
    assert_int_equal(archived_read(&store, batch, SLICE("in"), 0, &arena, &bytes, &problems), OK);
    assert_true(slice_is(bytes, "a;b\n1;2\n"));
    assert_int_equal(archived_read(&store, batch, SLICE("empty"), 0, &arena, &bytes, &problems), OK);
    assert_int_equal(bytes.n, 0);
    assert_int_equal(archived_read(&store, batch, SLICE("none"), 0, &arena, &bytes, &problems), END);
    assert_int_equal(archived_read(&store, batch, SLICE("in"), 7, &arena, &bytes, &problems), STOP);
    assert_int_equal(archived_list(&store, batch, &arena, &names, &n, &problems), OK);
    assert_int_equal(n, 4);
    assert_true(slice_is(names[3], "manifest.json"));
    assert_int_equal(archived_read(&store, batch, SLICE("manifest.json"), 0, &arena, &bytes, &problems), OK);
    assert_non_null(strstr(bytes.p, "\\\\xFFevil/../name\\\\x0A.csv"));
}

static void the_same_batch_gives_the_same_bytes(void **state)
{
    (void)state;
    char a[4096], b[4096];
    assert_int_equal(write_it(), OK);
    size_t n = tempdir_read(dir, zip, a, sizeof a);
    assert_int_equal(write_it(), OK);                   /* found good, left alone */
    a[n] = 0;
    tempdir_write(dir, zip, "torn", 4);
    assert_int_equal(write_it(), OK);                   /* found bad, written again */
    assert_int_equal(tempdir_read(dir, zip, b, sizeof b), n);
    assert_memory_equal(a, b, n);
}

/* A host that was cut off may still hold its unfinished zip open, and write into it. */
static void an_unfinished_zip_of_another_is_not_written_on(void **state)
{
    (void)state;
    int late, fd;
    struct archived_member in = { .name = "in", .bytes = SLICE("a;b\n") };
    assert_int_equal(archived_begin(&store, batch, &in, 1, &late, &problems), OK);
    assert_int_equal(archived_begin(&store, batch, &in, 1, &fd, &problems), OK);
    assert_int_equal(archived_end(&store, batch, fd, archived_fill(fd, batch, &in, 1, &problems), &problems), OK);
    assert_int_equal(pwrite(late, "late", 4, 0), 4);
    assert_int_equal(archived_verify(&store, batch, &problems), OK);
    assert_int_not_equal(archived_end(&store, batch, late, OK, &problems), OK);
    assert_int_equal(archived_verify(&store, batch, &problems), OK);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    char a[4096];
    struct slice bytes;
    assert_int_equal(write_it(), OK);
    size_t n = tempdir_read(dir, zip, a, sizeof a);
    char *data = memmem(a, n, "a;b\n1;2\n", 8);
    assert_non_null(data);
    data[3] ^= 4;
    tempdir_write(dir, zip, a, n);
    assert_int_not_equal(archived_verify(&store, batch, &problems), OK);
    data[3] ^= 4;
    tempdir_write(dir, zip, a, n - 30);
    assert_int_equal(archived_verify(&store, batch, &problems), STOP);
    assert_string_equal(problems.last->code, "ARCHIVE_DAMAGED");
    assert_int_equal(archived_read(&store, "20261122-034431-12-8", SLICE("in"), 0, &arena, &bytes, &problems), STOP);
    assert_string_equal(problems.last->code, "ARCHIVE_MISSING");
}

static void a_member_that_changed_is_refused(void **state)
{
    (void)state;
    struct archived_member m = { .name = "in", .bytes = SLICE("x"), .sha256 = "00" };
    assert_int_equal(archived_write(&store, batch, &m, 1, &problems), STOP);
    assert_false(archived_exists(&store, batch));
    m = (struct archived_member){ .name = "../in", .bytes = SLICE("x") };
    assert_int_equal(archived_write(&store, batch, &m, 1, &problems), STOP);
    assert_string_equal(problems.last->code, "ARCHIVE_NAME");
    m = (struct archived_member){ .name = "in", .dir = store.root, .path = "missing" };
    assert_int_equal(archived_write(&store, batch, &m, 1, &problems), TEMP);
}

static int remember(void *owner, const char *id)
{
    strcat(strcat(owner, id), " ");
    return OK;
}

static void batches_are_walked_in_order(void **state)
{
    (void)state;
    char list[256] = "";
    struct archived_member m = { .name = "in", .bytes = SLICE("x") };
    archived_write(&store, "20270101-000000-1-1", &m, 1, &problems);
    archived_write(&store, "20261122-034431-1-2", &m, 1, &problems);
    archived_write(&store, "20261122-034430-1-3", &m, 1, &problems);
    assert_int_equal(archived_each(&store, remember, list, &problems), OK);
    assert_string_equal(list, "20261122-034430-1-3 20261122-034431-1-2 20270101-000000-1-1 ");
}

static void config_is_kept_once_by_hash(void **state)
{
    (void)state;
    char hash[SHA256_HEX], path[128];
    struct slice bytes;
    assert_int_equal(config_put(&store, SLICE("mapping a <=> b"), hash, &problems), OK);
    assert_int_equal(config_put(&store, SLICE("mapping a <=> b"), hash, &problems), OK);
    assert_int_equal(config_get(&store, hash, &arena, &bytes, &problems), OK);
    assert_true(slice_is(bytes, "mapping a <=> b"));
    snprintf(path, sizeof path, "archive/config/%s", hash);
    tempdir_write(dir, path, "mapping a <=> c", 15);
    assert_int_equal(config_get(&store, hash, &arena, &bytes, &problems), STOP);
    assert_int_equal(config_get(&store, "../../x", &arena, &bytes, &problems), STOP);
}

/* A table: only what is what its name will say, and not longer than allowed. */
static void a_file_is_kept_by_its_hash(void **state)
{
    (void)state;
    char hash[SHA256_HEX], other[SHA256_HEX];
    struct slice bytes;
    sha256_of(SLICE("Id;Price\n1;10\n"), hash);
    sha256_of(SLICE("something else"), other);
    tempdir_write(dir, "table.csv", "Id;Price\n1;10\n", 14);
    int fd = openat(store.root, "table.csv", O_RDONLY | O_CLOEXEC);
    assert_int_equal(config_put_file(&store, fd, hash, 13, &problems), SKIP);
    assert_int_equal(config_put_file(&store, fd, other, 100, &problems), SKIP);
    assert_int_equal(config_get(&store, other, &arena, &bytes, &problems), STOP);
    assert_int_equal(config_put_file(&store, fd, "../../x", 100, &problems), SKIP);
    assert_int_equal(config_put_file(&store, fd, hash, 14, &problems), OK);
    assert_int_equal(config_put_file(&store, fd, hash, 14, &problems), END);
    assert_int_equal(config_get(&store, hash, &arena, &bytes, &problems), OK);
    assert_true(slice_is(bytes, "Id;Price\n1;10\n"));
    close(fd);
    fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_int_equal(config_put_file(&store, fd, other, 100, &problems), SKIP);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_is_archived_and_read_back, store_begin, store_end),
        cmocka_unit_test_setup_teardown(the_same_batch_gives_the_same_bytes, store_begin, store_end),
        cmocka_unit_test_setup_teardown(an_unfinished_zip_of_another_is_not_written_on, store_begin, store_end),
        cmocka_unit_test_setup_teardown(every_changed_byte_is_noticed, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_member_that_changed_is_refused, store_begin, store_end),
        cmocka_unit_test_setup_teardown(batches_are_walked_in_order, store_begin, store_end),
        cmocka_unit_test_setup_teardown(config_is_kept_once_by_hash, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_file_is_kept_by_its_hash, store_begin, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
