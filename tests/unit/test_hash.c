#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/hash.h"

static void known_sums(void **state)
{
    (void)state;
    char text[SHA256_HEX];
    sha256_of(slice_none(), text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_of(SLICE("abc"), text);      /* FIPS 180-4, example */
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void pieces_make_the_same(void **state)
{
    (void)state;
    char data[1000], whole[SHA256_HEX], pieces[SHA256_HEX];
    struct sha256 h;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    sha256_of((struct slice){ data, sizeof data }, whole);
    sha256_init(&h);
    for (size_t i = 0; i < sizeof data; i += 77)
        sha256_add(&h, (struct slice){ data + i, sizeof data - i < 77 ? sizeof data - i : 77 });
    sha256_hex(&h, pieces);
    assert_string_equal(whole, pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_sums), cmocka_unit_test(pieces_make_the_same) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
