#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drop/outbox.h"
#include "unit/dirkit.h"

static struct spool spool;
static struct outbox box;
static const char batch[] = "20261122-034431-12-7";

static int setup(void **state)
{
    assert_int_equal(dir_begin(state), 0);
    assert_int_equal(spool_open(&spool, &arena, dir, true, &problems), OK);
    assert_int_equal(mkdirat(spool.work, batch, 0700), 0);
    return outbox_open(&box, &spool, &arena, "out/partner", &problems);
}

static int teardown(void **state)
{
    outbox_close(&box);
    spool_close(&spool);
    return dir_end(state);
}

static void stage(unsigned n, const char *text, char sha256[SHA256_HEX])
{
    int fd;
    uint64_t size;
    assert_int_equal(outbox_stage(&spool, batch, n, &fd, &problems), OK);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(outbox_staged(&spool, fd, &size, sha256, &problems), OK);
    assert_int_equal(size, strlen(text));
}

static void check_name(struct slice wanted, const char *expected)
{
    char name[OUTBOX_NAME_SIZE];
    bool changed = outbox_name(wanted, name);
    assert_string_equal(name, expected);
    assert_int_equal(changed, !slice_is(wanted, expected));
    assert_false(outbox_name(slice_of(name), name));            /* clean names stay */
}

static void names_never_leave_the_outbox(void **state)
{
    (void)state;
    check_name(SLICE("orders_20261122.xml"), "orders_20261122.xml");
    check_name(SLICE("M\xc3\xbcller 7/8.xml"), "M_ller_7_8.xml");
    check_name(SLICE("../../etc/passwd"), "_._.._etc_passwd");
    check_name(SLICE(".."), "_.");
    check_name(SLICE("-rf"), "_rf");
    check_name(SLICE(".bashrc"), "_bashrc");
    check_name(SLICE(""), "_");
    check_name(SLICE("a\0b"), "a_b");
    check_name(SLICE("\xff\xfe\xe2\x82"), "____");
    check_name(SLICE("\xf0\x9f\x93\xa6.csv"), "_.csv");
    check_name(SLICE("$(rm -rf ~);x"), "__rm_-rf____x");
}

static void long_names_are_cut_and_stay_apart(void **state)
{
    (void)state;
    char wanted[400], a[OUTBOX_NAME_SIZE], b[OUTBOX_NAME_SIZE];
    memset(wanted, 'x', sizeof wanted);
    memcpy(wanted + 396, ".xml", 4);
    assert_true(outbox_name((struct slice){ wanted, 400 }, a));
    wanted[300] = 'y';
    assert_true(outbox_name((struct slice){ wanted, 400 }, b));
    assert_int_equal(strlen(a), OUTBOX_NAME_MAX);
    assert_string_not_equal(a, b);
    assert_string_equal(a + OUTBOX_NAME_MAX - 4, ".xml");
    wanted[0] = '.';
    assert_true(outbox_name((struct slice){ wanted, 181 }, a));
    assert_int_equal(a[0], '_');
}

static void results_appear_whole_and_once(void **state)
{
    (void)state;
    char sha256[SHA256_HEX], bytes[16];
    struct stat st;
    stage(1, "<a/>", sha256);
    assert_true(outbox_is_staged(&spool, batch, 1));
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), OK);
    assert_int_equal(outbox_sync(&spool, &box, &problems), OK);
    assert_false(outbox_is_staged(&spool, batch, 1));
    assert_int_equal(tempdir_read(dir, "out/partner/a.xml", bytes, sizeof bytes), 4);
    assert_int_equal(fstatat(box.fd, "a.xml", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(unlinkat(box.fd, "a.xml", 0), 0);          /* the partner took it: it does not come again */
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), OK);
    assert_false(tempdir_has(dir, "out/partner/a.xml"));
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    char sha256[SHA256_HEX], bytes[16];
    stage(1, "<a/>", sha256);
    tempdir_write(dir, "out/partner/a.xml", "theirs", 6);
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), SKIP);
    assert_string_equal(problems.last->code, "OUTBOX_TAKEN");
    assert_int_equal(tempdir_read(dir, "out/partner/a.xml", bytes, sizeof bytes), 6);
    assert_true(outbox_is_staged(&spool, batch, 1));
}

static void two_names_of_one_file_are_one(void **state)
{
    (void)state;
    char sha256[SHA256_HEX], from[400], to[400];
    stage(1, "<a/>", sha256);
    snprintf(from, sizeof from, "%s/.waybill/work/%s/out.1", dir, batch);
    snprintf(to, sizeof to, "%s/out/partner/a.xml", dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), OK);
    assert_false(outbox_is_staged(&spool, batch, 1));
    assert_true(tempdir_has(dir, "out/partner/a.xml"));
}

static void changed_bytes_and_foreign_names_are_refused(void **state)
{
    (void)state;
    char sha256[SHA256_HEX], file[400];
    stage(1, "<a/>", sha256);
    snprintf(file, sizeof file, ".waybill/work/%s/out.1", batch);
    tempdir_write(dir, file, "<b/>", 4);
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), STOP);
    assert_string_equal(problems.last->code, "OUTBOX_DAMAGED");
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "../a.xml", NULL, &problems), STOP);
    assert_false(tempdir_has(dir, "out/partner/a.xml"));
    stage(1, "again", sha256);                                  /* staging anew replaces what was there */
    assert_int_equal(outbox_publish(&spool, &box, batch, 1, "a.xml", sha256, &problems), OK);
}

static void folders_elsewhere_are_found_at_start(void **state)
{
    (void)state;
    struct outbox other;
    assert_int_equal(spool_reaches(&spool, "out", &problems), OK);
    assert_int_equal(outbox_open(&other, &spool, &arena, "/dev/shm", &problems), TEMP);
    assert_string_equal(problems.last->code, "SPOOL_OTHER_FS");
    assert_true(spool_check(&spool, true, &problems) <= WARN);
}

/* What is in the way is told with what would be right. */
static void tells(const char *path, const char *text, const char *hint)
{
    struct outbox other;
    char said[400], right[400];
    assert_int_equal(outbox_open(&other, &spool, &arena, path, &problems), TEMP);
    snprintf(said, sizeof said, "%.*s", SLICE_ARG(problems.last->text));
    snprintf(right, sizeof right, "%.*s", SLICE_ARG(problems.last->hint));
    assert_string_equal(problems.last->code, "SYS_MISSING");
    assert_string_equal(problems.last->place.file, path);
    assert_string_equal(said, text);
    assert_string_equal(right, hint);
}

static void what_is_in_the_way_is_told(void **state)
{
    (void)state;
    dir_put("out/plain", "x");
    assert_int_equal(symlinkat("nowhere", spool.root, "out/link"), 0);
    assert_int_equal(symlinkat("plain", spool.root, "out/to-file"), 0);
    tells("out/plain", "the outbox cannot be used: out/plain is a file",
          "move out/plain away, or name another folder in `give outbox`");
    tells("out/plain/below", "the outbox cannot be used: out/plain is a file",
          "move out/plain away, or name another folder in `give outbox`");
    tells("out/link", "the outbox cannot be used: out/link is a link to nowhere, which cannot be reached",
          "make the folder that the link names, or remove the link, or name another folder in `give outbox`");
    tells("out/to-file", "the outbox cannot be used: out/to-file is a link to a file",
          "make the folder that the link names, or remove the link, or name another folder in `give outbox`");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_never_leave_the_outbox), TEST(long_names_are_cut_and_stay_apart), TEST(results_appear_whole_and_once),
        TEST(nothing_is_overwritten), TEST(two_names_of_one_file_are_one), TEST(changed_bytes_and_foreign_names_are_refused),
        TEST(folders_elsewhere_are_found_at_start), TEST(what_is_in_the_way_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
