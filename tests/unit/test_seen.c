#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "store/seen.h"
#include "unit/storekit.h"

static const char *alive[4];

static int setup(void **state)
{
    memset(alive, 0, sizeof alive);
    return store_begin(state);
}

static bool known(void *owner, const char *batch)
{
    (void)owner;
    for (size_t i = 0; i < 4; i++) {
        if (alive[i] && strcmp(alive[i], batch) == 0)
            return true;
    }
    return false;
}

static int put(const char *key, const char *batch, char other[SEEN_BATCH])
{
    int lock, rc = seen_lock(&store, SEEN_CONTENT, key, &lock, &problems);
    assert_int_equal(rc, OK);
    rc = seen_put(&store, SEEN_CONTENT, key, batch, known, NULL, other, &problems);
    seen_unlock(lock);
    return rc;
}

static void keys_keep_their_parts_apart(void **state)
{
    (void)state;
    char a[SHA256_HEX], b[SHA256_HEX], c[SHA256_HEX];
    seen_key(a, (struct slice[]){ SLICE("ab"), SLICE("c") }, 2);
    seen_key(b, (struct slice[]){ SLICE("a"), SLICE("bc") }, 2);
    seen_key(c, (struct slice[]){ SLICE("ab"), SLICE("c") }, 2);
    assert_string_not_equal(a, b);
    assert_string_equal(a, c);
}

static void the_second_is_told_of_the_first(void **state)
{
    (void)state;
    char key[SHA256_HEX], other[SEEN_BATCH];
    seen_key(key, (struct slice[]){ SLICE("x") }, 1);
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), END);
    assert_int_equal(put(key, "b1", other), OK);
    alive[0] = "b1";
    assert_int_equal(put(key, "b1", other), OK);
    assert_int_equal(put(key, "b2", other), SKIP);
    assert_string_equal(other, "b1");
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), OK);
    assert_string_equal(other, "b1");
    assert_int_equal(seen_get(&store, SEEN_REFERENCE, key, other, &problems), END);
}

static void an_entry_of_a_dead_attempt_is_taken_over(void **state)
{
    (void)state;
    char key[SHA256_HEX], other[SEEN_BATCH];
    seen_key(key, (struct slice[]){ SLICE("x") }, 1);
    assert_int_equal(put(key, "dead", other), OK);
    assert_int_equal(put(key, "b2", other), OK);
    alive[0] = "b2";
    assert_int_equal(put(key, "b3", other), SKIP);
    assert_int_equal(seen_remove(&store, SEEN_CONTENT, key, "b3", &problems), OK);
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), OK);
    assert_int_equal(seen_remove(&store, SEEN_CONTENT, key, "b2", &problems), OK);
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), END);
}

static bool anybody(void *owner, const char *batch)
{
    (void)owner, (void)batch;
    return true;
}

static void of_several_processes_one_wins(void **state)
{
    (void)state;
    char key[SHA256_HEX];
    seen_key(key, (struct slice[]){ SLICE("race") }, 1);
    int won = 0;
    for (int p = 0; p < 6; p++) {
        if (fork() == 0) {
            char name[16], other[SEEN_BATCH];
            int lock;
            snprintf(name, sizeof name, "p%d", p);
            if (seen_lock(&store, SEEN_CONTENT, key, &lock, &problems) != OK)
                _exit(2);
            _exit(seen_put(&store, SEEN_CONTENT, key, name, anybody, NULL, other, &problems) == OK ? 0 : 1);
        }
    }
    int status;
    while (wait(&status) > 0)
        won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    assert_int_equal(won, 1);
}

static void sweeping_takes_dead_attempts_only(void **state)
{
    (void)state;
    char key[SHA256_HEX], other[SEEN_BATCH];
    uint64_t removed;
    for (unsigned i = 0; i < 40; i++) {
        char text[16], batch[16];
        snprintf(text, sizeof text, "content %u", i);
        snprintf(batch, sizeof batch, i % 2 ? "alive" : "dead%u", i);
        seen_key(key, (struct slice[]){ slice_of(text) }, 1);
        assert_int_equal(put(key, batch, other), OK);
    }
    alive[0] = "alive";
    assert_int_equal(seen_sweep(&store, SEEN_CONTENT, known, NULL, &removed, &problems), OK);
    assert_int_equal(removed, 20);
    seen_key(key, (struct slice[]){ SLICE("content 1") }, 1);
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), OK);
    seen_key(key, (struct slice[]){ SLICE("content 2") }, 1);
    assert_int_equal(seen_get(&store, SEEN_CONTENT, key, other, &problems), END);
    assert_int_equal(seen_sweep(&store, SEEN_KEY, known, NULL, &removed, &problems), OK);
    assert_int_equal(removed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_keep_their_parts_apart, setup, store_end),
        cmocka_unit_test_setup_teardown(the_second_is_told_of_the_first, setup, store_end),
        cmocka_unit_test_setup_teardown(an_entry_of_a_dead_attempt_is_taken_over, setup, store_end),
        cmocka_unit_test_setup_teardown(of_several_processes_one_wins, setup, store_end),
        cmocka_unit_test_setup_teardown(sweeping_takes_dead_attempts_only, setup, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
