/* A zip that an earlier attempt named: work/ goes only when that name is on the disk. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "unit/batchkit.h"

static const struct batch_accept how = { .flow = { "orders", 6 }, .operation = { "convert", 7 } };
static char failing[512];           /* the folder that cannot be synced; "" = none */

/* In place of the C library's. */
int fsync(int fd)
{
    struct stat of, bad;
    if (failing[0] && fstat(fd, &of) == 0 && stat(failing, &bad) == 0 && of.st_dev == bad.st_dev &&
        of.st_ino == bad.st_ino) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static struct batch *deliver(void)
{
    struct claim c;
    struct drop d;
    struct batch *b;
    char id[BATCH_ID_SIZE];
    unsigned n;
    int fd;
    kit_drop("orders.csv", "a;b\n");
    inbox_begin(inbox, 0);
    assert_int_equal(inbox_next(inbox, &d, &problems), OK);
    batch_new_id(&site, id);
    assert_int_equal(claim_take(&spool, inbox, &d, id, NULL, &c, &problems), OK);
    assert_int_equal(batch_accept(&site, &arena, &c, &how, &b, &problems), OK);
    claim_close(&c);
    batch_restart(b);
    assert_int_equal(batch_output(b, "outbox", SLICE("result.xml"), &n, &fd, &problems), OK);
    assert_int_equal(write(fd, "<a/>", 4), 4);
    assert_int_equal(batch_output_done(b, n, fd, NULL, &problems), OK);
    assert_int_equal(batch_written(b, &problems), OK);
    assert_int_equal(batch_deliver(b, kit_outbox, NULL, &problems), OK);
    return b;
}

/* The zip gets its name, but its folder cannot be synced. */
static struct batch *archive_half(void)
{
    char zip[ARCHIVED_PATH];
    struct batch *b = deliver();
    assert_true(archived_path(b->id, zip));
    snprintf(failing, sizeof failing, "%s/%.*s", dir, (int)(strrchr(zip, '/') - zip), zip);
    assert_int_equal(file_make_dirs(failing, 0700, &problems), OK);
    assert_int_equal(batch_archive(b, &problems), TEMP);
    assert_true(archived_exists(&store, b->id));
    return b;
}

static void assert_work(const char *id, bool there)
{
    assert_int_equal(faccessat(spool.work, id, F_OK, 0) == 0, there);
}

static void tried_again(void **state)
{
    (void)state;
    struct batch *b = archive_half();
    assert_int_equal(batch_archive(b, &problems), TEMP);
    assert_work(b->id, true);
    failing[0] = '\0';
    assert_int_equal(batch_archive(b, &problems), OK);
    assert_work(b->id, false);
    batch_close(b);
}

/* As after a crash in the middle of its removal: the waybill is gone, the folder is not. */
static void left_over(void **state)
{
    (void)state;
    char id[BATCH_ID_SIZE], waybill[600];
    struct batch *b = archive_half();
    snprintf(id, sizeof id, "%s", b->id);
    snprintf(waybill, sizeof waybill, "%s/.waybill/work/%s/%s.waybill.json", dir, id, id);
    assert_int_equal(unlink(waybill), 0);
    batch_close(b);
    kit_restart();
    assert_int_equal(recover_leftover(&site, id, &problems), TEMP);
    assert_work(id, true);
    failing[0] = '\0';
    assert_int_equal(recover_leftover(&site, id, &problems), OK);
    assert_work(id, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tried_again, kit_begin, kit_end),
        cmocka_unit_test_setup_teardown(left_over, kit_begin, kit_end),
    };
    return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
