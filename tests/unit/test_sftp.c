#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drop/sftp.h"

static void listings_are_read(void **state)
{
    (void)state;
    struct slice text = SLICE("sftp> ls -ln\n"
                              "drwxr-xr-x    2 0        0            4096 Nov 22 06:50 in\n"
                              "-rw-r--r--    1 1001     1001     12345678 Nov 22 06:50 a b.csv\n"
                              "lrwxrwxrwx    1 0        0               4 Jan  1  2025 link\n"
                              "-rw-r--r--    ? 1001     1001           7x Nov 22 06:50 odd\n"
                              "-rw-r--r--    1 1001     1001            0 Jan  1  2025 e.xml");
    struct sftp_entry e;
    assert_true(sftp_entry(&text, &e));
    assert_false(e.regular);
    assert_true(sftp_entry(&text, &e));
    assert_true(e.regular && slice_is(e.name, "a b.csv"));
    assert_int_equal(e.size, 12345678);
    assert_true(sftp_entry(&text, &e));
    assert_false(e.regular);
    assert_true(sftp_entry(&text, &e));
    assert_true(e.regular && e.size == 0 && slice_is(e.name, "e.xml"));
    assert_false(sftp_entry(&text, &e));
}

static void only_plain_names_travel(void **state)
{
    (void)state;
    static const char *const bad[] = { "", ".hidden", "-rf", "a b", "a/b", "..", "a\n", "a;b", "a*", "é.csv", "a\"b" };
    assert_true(sftp_plain(SLICE("orders_20261122-1.xml")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sftp_plain(slice_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings_are_read),
        cmocka_unit_test(only_plain_names_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
