#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/map.h"

static void finds_what_was_put(void **state)
{
    (void)state;
    struct arena a;
    struct map m;
    arena_init(&a, 0);
    map_init(&m, &a);
    assert_null(map_get(&m, SLICE("x")));
    for (size_t i = 0; i < 20000; i++)
        map_put(&m, arena_printf(&a, "key-%zu", i), (void *)(uintptr_t)(i + 1));
    assert_int_equal(m.n, 20000);
    for (size_t i = 0; i < 20000; i++) {
        assert_int_equal((uintptr_t)map_get(&m, arena_printf(&a, "key-%zu", i)), i + 1);
        assert_int_equal((uintptr_t)m.entries[i].value, i + 1);     /* in order of insertion */
    }
    assert_null(map_get(&m, SLICE("key-20000")));
    arena_release(&a);
}

static void replaces(void **state)
{
    (void)state;
    struct arena a;
    struct map m;
    int one = 1, two = 2;
    arena_init(&a, 0);
    map_init(&m, &a);
    map_put(&m, SLICE("a"), &one);
    map_put(&m, SLICE("a"), &two);
    assert_int_equal(m.n, 1);
    assert_ptr_equal(map_get(&m, SLICE("a")), &two);
    struct map_entry *fresh = map_at(&m, SLICE(""));
    assert_null(fresh->value);
    fresh->value = &one;
    assert_ptr_equal(map_get(&m, SLICE("")), &one);
    assert_ptr_equal(map_get(&m, slice_none()), &one);
    assert_null(map_get(&m, SLICE("a\0")));
    arena_release(&a);
}

static void hash_spreads(void **state)
{
    (void)state;
    size_t buckets[256] = { 0 };
    char key[40] = { 0 };
    for (size_t i = 0; i < 65536; i++) {
        key[0] = (char)i;
        key[1] = (char)(i >> 8);
        buckets[map_hash((struct slice){ key, sizeof key }) & 255]++;
    }
    for (size_t i = 0; i < 256; i++)
        assert_in_range(buckets[i], 128, 400);      /* 256 on average; 9 standard deviations */
    for (size_t n = 0; n < sizeof key; n++)
        assert_int_not_equal(map_hash((struct slice){ key, n }), map_hash((struct slice){ key, n + 1 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put), cmocka_unit_test(replaces), cmocka_unit_test(hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
