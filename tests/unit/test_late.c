#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include <zlib.h>

#include "base/late.h"
#include "unit/basekit.h"

#define FUNCTIONS(F) F(crc32) F(zlibVersion)

struct functions {
    FUNCTIONS(LATE_MEMBER)
};

static void functions_are_those_of_the_library(void **state)
{
    static const struct late_library zlib = { "libz.so.1", "zlib1g", FUNCTIONS(LATE_NAME) };
    struct functions lib, again;
    (void)state;
    assert_int_equal(late_load(&zlib, &lib, &problems), OK);
    assert_int_equal(late_load(&zlib, &again, &problems), OK);
    assert_memory_equal(&lib, &again, sizeof lib);
    assert_int_equal(lib.crc32(0, (const unsigned char *)"123456789", 9), 0xcbf43926);
    assert_string_equal(lib.zlibVersion(), zlibVersion());
    assert_int_equal(problems.errors, 0);
}

static void told(const char *reason, const char *package)
{
    assert_int_equal(problems.errors, 1);
    assert_string_equal(problems.last->code, "SYS_LIBRARY");
    assert_non_null(strstr(arena_cstr(&arena, problems.last->text), reason));
    assert_non_null(strstr(arena_cstr(&arena, problems.last->hint), package));
}

static void a_missing_library_is_told_with_its_package(void **state)
{
    static const struct late_library none = { "libnobody-has-this.so.1", "libnobody1", FUNCTIONS(LATE_NAME) };
    struct functions lib;
    (void)state;
    assert_int_equal(late_load(&none, &lib, &problems), TEMP);
    told("libnobody-has-this.so.1", "libnobody1");
}

static void a_missing_function_is_told_by_name(void **state)
{
    static const struct late_library old = { "libz.so.1", "zlib1g", "crc32\0nobody_wrote_this\0" };
    struct functions lib;
    (void)state;
    assert_int_equal(late_load(&old, &lib, &problems), TEMP);
    told("nobody_wrote_this", "zlib1g");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(functions_are_those_of_the_library, base_begin, base_end),
        cmocka_unit_test_setup_teardown(a_missing_library_is_told_with_its_package, base_begin, base_end),
        cmocka_unit_test_setup_teardown(a_missing_function_is_told_by_name, base_begin, base_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
