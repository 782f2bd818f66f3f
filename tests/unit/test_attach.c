#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>


#include "flow/attach.h"
#include "tempdir.h"

static struct arena arena;
static struct problems problems;
static char root[256], folder[300];
static int dir;

static int setup(void **state)
{
    (void)state;
    char sub[320];
    arena_init(&arena, 0);
    assert_non_null(tempdir_make(root));
    snprintf(folder, sizeof folder, "%s/pdf", root);
    snprintf(sub, sizeof sub, "%s/sub", folder);
    assert_int_equal(mkdir(folder, 0700) | mkdir(sub, 0700), 0);
    tempdir_write(root, "secret", "no", 2);
    tempdir_write(folder, "a.pdf", "%PDF-1.4 x", 10);
    tempdir_write(folder, "empty.pdf", "", 0);
    tempdir_write(folder, ".hidden", "no", 2);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    assert_int_equal(symlinkat("../secret", dir, "link.pdf"), 0);
    assert_int_equal(mkfifoat(dir, "fifo.pdf", 0600), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(dir);
    tempdir_remove(root);
    arena_release(&arena);
    return 0;
}

static int take(struct slice name, const struct limits *limits, struct slice *out)
{
    problems_init(&problems, &arena, 0);
    return attach_read(dir, name, limits, &arena, out, &problems);
}

static void told(const char *code, struct slice name, const struct limits *limits)
{
    struct slice out;
    assert_int_equal(take(name, limits, &out), WARN);
    assert_int_equal(out.n, 0);
    assert_string_equal(problems.first->code, code);
}

static void reads_what_lies_there(void **state)
{
    (void)state;
    struct slice out;
    assert_int_equal(take(SLICE("a.pdf"), &limits_default, &out), OK);
    assert_true(slice_is(out, "%PDF-1.4 x"));
    assert_int_equal(take(SLICE("empty.pdf"), &limits_default, &out), OK);
    assert_int_equal(out.n, 0);
    assert_int_equal(take(SLICE("none.pdf"), &limits_default, &out), OK);
    assert_int_equal(out.n, 0);
    assert_int_equal(take(SLICE(""), &limits_default, &out), OK);
    assert_null(problems.first);
}

static void never_leaves_the_folder(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof longest);
    told("ATTACH_NAME", SLICE("../secret"), &limits_default);
    told("ATTACH_NAME", SLICE("/etc/passwd"), &limits_default);
    told("ATTACH_NAME", SLICE(".."), &limits_default);
    told("ATTACH_NAME", SLICE(".hidden"), &limits_default);
    told("ATTACH_NAME", (struct slice){ "a.pdf\0x", 7 }, &limits_default);
    told("ATTACH_NAME", (struct slice){ longest, sizeof longest }, &limits_default);
    told("ATTACH_FILE", SLICE("link.pdf"), &limits_default);
    told("ATTACH_FILE", SLICE("fifo.pdf"), &limits_default);
    told("ATTACH_FILE", SLICE("sub"), &limits_default);
}

static void keeps_the_limits(void **state)
{
    (void)state;
    struct limits small = limits_default;
    struct slice out;
    small.binary = 9;
    told("LIMIT_BINARY", SLICE("a.pdf"), &small);
    small.binary = 10;
    assert_int_equal(take(SLICE("a.pdf"), &small, &out), OK);
    small.message = 39;
    told("LIMIT_BINARY", SLICE("a.pdf"), &small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_lies_there),
        cmocka_unit_test(never_leaves_the_folder),
        cmocka_unit_test(keeps_the_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
