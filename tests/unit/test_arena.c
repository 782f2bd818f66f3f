#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/arena.h"

static void pieces_do_not_overlap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    unsigned char *p[500];
    size_t sizes[500];
    for (size_t i = 0; i < 500; i++) {
        sizes[i] = i * i % 3001;
        p[i] = arena_alloc(&a, sizes[i]);
        assert_non_null(p[i]);
        memset(p[i], (int)(i & 255), sizes[i]);
    }
    for (size_t i = 0; i < 500; i++) {
        if (sizes[i])
            assert_int_equal((uintptr_t)p[i] % 16, 0);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(p[i][j], i & 255);
    }
    arena_release(&a);
    assert_int_equal(a.used, 0);
}

static void limit_is_soft(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    arena_alloc(&a, 1000);
    assert_true(arena_full(&a));
    assert_non_null(arena_alloc(&a, 1000));
    arena_reset(&a);
    assert_false(arena_full(&a));
    assert_int_equal(a.limit, 1000);
    arena_release(&a);
}

static void reset_serves_again(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (int round = 0; round < 100; round++) {
        for (size_t n = 1; n < 200000; n = n * 3 + 1)
            memset(arena_alloc(&a, n), round, n);
        char *zero = arena_zero(&a, 5000);
        for (size_t i = 0; i < 5000; i++)
            assert_int_equal(zero[i], 0);
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    arena_alloc(&a, 8 << 20);
    arena_reset(&a);
    arena_release(&a);
    arena_release(&a);
}

static void texts(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct slice none = arena_copy(&a, slice_none()), empty = arena_copy(&a, SLICE(""));
    assert_null(none.p);
    assert_non_null(empty.p);
    assert_int_equal(empty.n, 0);
    struct slice copy = arena_copy(&a, SLICE("a\0b"));
    assert_int_equal(copy.n, 3);
    assert_int_equal(copy.p[3], 0);
    assert_string_equal(arena_cstr(&a, slice_none()), "");
    assert_true(slice_is(arena_printf(&a, "%s-%d", "x", 42), "x-42"));
    struct slice wide = arena_printf(&a, "%5000s", "x");
    assert_int_equal(wide.n, 5000);
    assert_int_equal(wide.p[4999], 'x');
    arena_release(&a);
}

static void list_grows(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    int *list = NULL;
    size_t n = 0, cap = 0;
    for (int i = 0; i < 10000; i++)
        ARENA_PUSH(&a, list, n, cap) = i;
    assert_int_equal(n, 10000);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(list[i], i);
    arena_release(&a);
}

static jmp_buf escape;

static void no_memory(void)
{
    longjmp(escape, 1);
}

static void exhaustion_calls_the_hook(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    volatile int calls = 0;
    arena_on_exhausted(no_memory);
    if (setjmp(escape) == 0)
        arena_alloc(&a, (size_t)PTRDIFF_MAX + 64);
    else
        calls++;
    arena_on_exhausted(NULL);
    assert_int_equal(calls, 1);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_do_not_overlap), cmocka_unit_test(limit_is_soft), cmocka_unit_test(reset_serves_again),
        cmocka_unit_test(texts), cmocka_unit_test(list_grows), cmocka_unit_test(exhaustion_calls_the_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
