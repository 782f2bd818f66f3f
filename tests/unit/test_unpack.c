#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "store/unpack.h"

static struct arena arena;
static struct problems problems;
static struct archive *out;
static int packed;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    problems_init(&problems, &arena, 20);
    packed = memfd_create("packed", 0);
    out = archive_write_new();
    return packed >= 0 && out ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    archive_write_free(out);
    close(packed);
    arena_release(&arena);
    return 0;
}

static void begin(int (*format)(struct archive *), int (*filter)(struct archive *))
{
    format(out);
    if (filter)
        filter(out);
    archive_write_set_bytes_in_last_block(out, 1);
    assert_int_equal(archive_write_open_fd(out, packed), ARCHIVE_OK);
}

static void add_kind(const char *name, unsigned kind, const char *link, const char *bytes, size_t n)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, kind);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)n);
    if (link && kind == AE_IFLNK)
        archive_entry_set_symlink(e, link);
    else if (link)
        archive_entry_set_hardlink(e, link);
    assert_int_equal(archive_write_header(out, e), ARCHIVE_OK);
    if (n)
        assert_int_equal(archive_write_data(out, bytes, n), (la_ssize_t)n);
    archive_entry_free(e);
}

static void add(const char *name, const char *text)
{
    add_kind(name, AE_IFREG, NULL, text, strlen(text));
}

struct taken {
    char names[4][64];
    char texts[4][64];
    size_t n;
    int fd;
};

static int take(void *owner, struct slice name, size_t number, int *fd_out, struct problems *ps)
{
    struct taken *t = owner;
    (void)ps;
    if (number <= 4)
        snprintf(t->names[number - 1], 64, "%.*s", SLICE_ARG(name));
    *fd_out = t->fd = memfd_create("member", 0);
    return OK;
}

static int done(void *owner, size_t number, uint64_t bytes, const char *sha256, struct problems *ps)
{
    struct taken *t = owner;
    (void)ps;
    assert_int_equal(strlen(sha256), 64);
    if (number <= 4 && bytes < 64)
        assert_int_equal(pread(t->fd, t->texts[number - 1], bytes, 0), (ssize_t)bytes);
    close(t->fd);
    t->fd = -1;
    t->n = number;
    return OK;
}

static int unpack(struct taken *t, const char *name, const struct unpack_limits *limits)
{
    struct unpack_take to = { t, take, done, NULL };
    archive_write_close(out);
    *t = (struct taken){ .fd = -1 };
    int rc = unpack_run(packed, slice_of(name), limits, &to, &problems);
    if (t->fd >= 0)
        close(t->fd);
    return rc;
}

static void refused(const char *code)
{
    struct taken t;
    assert_int_equal(unpack(&t, "drop.zip", NULL), STOP);
    assert_non_null(problems.last);
    assert_string_equal(problems.last->code, code);
}

static void a_zip_gives_its_files_in_order(void **state)
{
    (void)state;
    struct taken t;
    begin(archive_write_set_format_zip, NULL);
    add_kind("orders/", AE_IFDIR, NULL, NULL, 0);
    add("orders/a.csv", "Id\n1\n");
    add("b.csv", "");
    assert_int_equal(unpack(&t, "drop.zip", NULL), OK);
    assert_int_equal(t.n, 2);
    assert_string_equal(t.names[0], "a.csv");
    assert_string_equal(t.texts[0], "Id\n1\n");
    assert_string_equal(t.names[1], "b.csv");
}

static void a_tar_in_each_compression(void **state)
{
    int (*filters[])(struct archive *) = { NULL, archive_write_add_filter_gzip, archive_write_add_filter_xz,
                                           archive_write_add_filter_zstd };
    for (size_t i = 0; i < 4; i++) {
        struct taken t;
        begin(archive_write_set_format_ustar, filters[i]);
        add("a.xml", "<a/>");
        assert_int_equal(unpack(&t, "drop.tar", NULL), OK);
        assert_int_equal(t.n, 1);
        assert_string_equal(t.texts[0], "<a/>");
        teardown(state);
        setup(state);
    }
    begin(archive_write_set_format_ustar, NULL);
}

static void one_compressed_file_is_named_after_its_archive(void **state)
{
    (void)state;
    struct taken t;
    begin(archive_write_set_format_raw, archive_write_add_filter_gzip);
    add("x", "Id\n7\n");
    assert_int_equal(unpack(&t, "orders.csv.gz", NULL), OK);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.names[0], "orders.csv");
    assert_string_equal(t.texts[0], "Id\n7\n");
}

#define REFUSED(test, code, ...) \
    static void test(void **state) \
    { \
        (void)state; \
        begin(archive_write_set_format_ustar, NULL); \
        __VA_ARGS__; \
        refused(code); \
    }

REFUSED(a_name_that_climbs_is_refused, "UNPACK_NAME", add("a.csv", "1"); add("../../evil.csv", "1"))
REFUSED(an_absolute_name_is_refused, "UNPACK_NAME", add("/etc/cron.d/x", "1"))
REFUSED(a_backslash_is_refused, "UNPACK_NAME", add("a\\..\\b.csv", "1"))
REFUSED(a_drive_is_refused, "UNPACK_NAME", add("C:x.csv", "1"))
REFUSED(a_control_character_is_refused, "UNPACK_NAME", add("a\x1b]0;x.csv", "1"))
REFUSED(a_symbolic_link_is_refused, "UNPACK_KIND", add_kind("lnk", AE_IFLNK, "/etc", NULL, 0))
REFUSED(a_hard_link_is_refused, "UNPACK_KIND", add("a", "1"); add_kind("b", AE_IFREG, "/etc/passwd", NULL, 0))
REFUSED(a_pipe_is_refused, "UNPACK_KIND", add_kind("p", AE_IFIFO, NULL, NULL, 0))
REFUSED(a_name_twice_is_refused, "UNPACK_TWICE", add("a", "1"); add("a", "2"))
REFUSED(an_archive_within_is_refused, "UNPACK_NESTED", add("in.zip", "PK\3\4 and so on"))

static void a_bomb_is_refused(void **state)
{
    (void)state;
    char *zeros = arena_zero(&arena, 8 << 20);
    begin(archive_write_set_format_zip, NULL);
    add_kind("zeros.csv", AE_IFREG, NULL, zeros, 8 << 20);
    refused("LIMIT_UNPACK");
}

static void too_many_or_too_much_is_refused(void **state)
{
    (void)state;
    struct taken t;
    struct unpack_limits limits = { .members = 2, .bytes = 100, .ratio = 200 };
    begin(archive_write_set_format_zip, NULL);
    add("a", "1");
    add("b", "1");
    add("c", "1");
    assert_int_equal(unpack(&t, "drop.zip", &limits), STOP);
    assert_string_equal(problems.last->code, "LIMIT_UNPACK");
}

static void what_is_cut_off_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_zip, NULL);
    add("a.csv", "Id;Qty\n1;2\n3;4\n");
    archive_write_close(out);
    assert_int_equal(ftruncate(packed, 60), 0);
    refused("UNPACK_DAMAGED");
}

static size_t packed_size(void)
{
    archive_write_close(out);
    return (size_t)lseek(packed, 0, SEEK_END);
}

/* As an upload that broke off between two members leaves it: nothing but the end mark is missing. */
static void a_tar_without_its_end_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_ustar, NULL);
    add("a.csv", "1");
    add("b.csv", "2");
    assert_true(packed_size() > 2048);
    assert_int_equal(ftruncate(packed, 1024), 0);
    refused("UNPACK_DAMAGED");
}

static void write_again(void)
{
    char bytes[16384];
    size_t size = packed_size();
    assert_true(size <= sizeof bytes && pread(packed, bytes, size, 0) == (ssize_t)size);
    assert_int_equal(pwrite(packed, bytes, size, (off_t)size), (ssize_t)size);
}

static void a_tar_behind_a_tar_is_never_left_out(void **state)
{
    (void)state;
    begin(archive_write_set_format_ustar, NULL);
    add("a.csv", "1");
    write_again();
    refused("UNPACK_TWICE");
}

static void what_follows_a_tar_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_ustar, NULL);
    add("a.csv", "1");
    assert_int_equal(pwrite(packed, "Id;Qty\n1;2\n", 11, (off_t)packed_size()), 11);
    refused("UNPACK_DAMAGED");
}

static void a_zip_behind_a_zip_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_zip, NULL);
    add("a.csv", "1");
    write_again();
    refused("UNPACK_DAMAGED");
}

static void what_follows_a_zip_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_zip, NULL);
    add("a.csv", "1");
    assert_int_equal(pwrite(packed, "Id;Qty\n1;2\n", 11, (off_t)packed_size()), 11);
    refused("UNPACK_DAMAGED");
    assert_non_null(strstr(arena_cstr(&arena, problems.last->text), "behind its end"));
}

static void a_zip_of_folders_is_refused(void **state)
{
    (void)state;
    begin(archive_write_set_format_zip, NULL);
    add_kind("orders/", AE_IFDIR, NULL, NULL, 0);
    refused("UNPACK_EMPTY");
}

static void a_refused_name_is_told(void **state)
{
    (void)state;
    begin(archive_write_set_format_zip, NULL);
    add("orders/a.csv", "1");
    add("orders/a.csv", "2");
    refused("UNPACK_TWICE");
    assert_non_null(strstr(arena_cstr(&arena, problems.last->text), "member 2: its name \"orders/a.csv\" came before"));
}

/* What compresses best: nothing but zeros behind the end of a tar. */
static void zeros_without_end_are_refused(void **state)
{
    (void)state;
    struct taken t;
    struct unpack_limits limits = { .members = 2, .bytes = 1 << 20, .ratio = 200 };
    char *zeros = arena_zero(&arena, 8 << 20);
    begin(archive_write_set_format_raw, archive_write_add_filter_zstd);
    add_kind("tar", AE_IFREG, NULL, "", 0);
    static const char head[] = "a.csv";
    memcpy(zeros, head, sizeof head);
    memcpy(zeros + 100, "0000644", 8);
    memcpy(zeros + 124, "00000000000", 12);
    memcpy(zeros + 136, "00000000000", 12);
    memcpy(zeros + 148, "        0", 9);
    memcpy(zeros + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)zeros[i];
    snprintf(zeros + 148, 8, "%06o", sum);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(archive_write_data(out, zeros, 8 << 20), 8 << 20);
        memset(zeros, 0, 512);
    }
    assert_int_equal(unpack(&t, "drop.tar.zst", &limits), STOP);
    assert_string_equal(problems.last->code, "LIMIT_UNPACK");
}

static void text_is_never_taken_for_an_archive(void **state)
{
    (void)state;
    static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n#mtree\n./x type=file\n";
    begin(archive_write_set_format_ustar, NULL);
    archive_write_close(out);
    assert_int_equal(ftruncate(packed, 0), 0);
    assert_int_equal(pwrite(packed, passwd, sizeof passwd, 0), (ssize_t)sizeof passwd);
    refused("UNPACK_DAMAGED");
    assert_false(unpack_recognises(slice_of(passwd)));
    assert_true(unpack_recognises(SLICE("PK\3\4....")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_zip_gives_its_files_in_order), TEST(a_tar_in_each_compression),
        TEST(one_compressed_file_is_named_after_its_archive), TEST(a_name_that_climbs_is_refused),
        TEST(an_absolute_name_is_refused), TEST(a_backslash_is_refused), TEST(a_drive_is_refused),
        TEST(a_control_character_is_refused), TEST(a_symbolic_link_is_refused), TEST(a_hard_link_is_refused),
        TEST(a_pipe_is_refused), TEST(a_name_twice_is_refused), TEST(an_archive_within_is_refused),
        TEST(a_bomb_is_refused), TEST(too_many_or_too_much_is_refused), TEST(what_is_cut_off_is_refused),
        TEST(a_tar_without_its_end_is_refused), TEST(a_tar_behind_a_tar_is_never_left_out),
        TEST(what_follows_a_tar_is_refused), TEST(a_zip_behind_a_zip_is_refused), TEST(what_follows_a_zip_is_refused),
        TEST(a_zip_of_folders_is_refused), TEST(a_refused_name_is_told), TEST(zeros_without_end_are_refused),
        TEST(text_is_never_taken_for_an_archive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
