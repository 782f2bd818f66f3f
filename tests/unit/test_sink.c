/* Bytes on their way out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "syntax/sink.h"

struct world {
    struct arena arena;
    struct problems problems;
};

static void begin(struct world *w)
{
    arena_init(&w->arena, 0);
    problems_init(&w->problems, &w->arena, 0);
}

static void to_a_file(void **state)
{
    (void)state;
    struct world w;
    struct sink s;
    struct sha256 hash;
    char hex[SHA256_HEX], want[SHA256_HEX];
    FILE *f = tmpfile();
    assert_non_null(f);
    begin(&w);
    sha256_init(&hash);
    sink_open_fd(&s, fileno(f), "out");
    s.hash = &hash;
    struct buf all = { 0 };
    for (int i = 0; i < 100000; i++) {
        buf_printf(&s.buf, "line %d\n", i);
        buf_printf(&all, "line %d\n", i);
        sink_turn(&s);
        assert_true(s.buf.n < SINK_BUFFER);
    }
    assert_int_equal(sink_total(&s), all.n);
    assert_int_equal(sink_close(&s, &w.problems), OK);
    sha256_hex(&hash, hex);
    sha256_of(buf_slice(&all), want);
    assert_string_equal(hex, want);
    assert_int_equal(lseek(fileno(f), 0, SEEK_END), all.n);
    sink_release(&s);
    buf_release(&all);
    fclose(f);
    arena_release(&w.arena);
}

static void faults(void **state)
{
    (void)state;
    struct world w;
    struct sink s;
    begin(&w);
    int fd = open("/dev/full", O_WRONLY);
    sink_open_fd(&s, fd, "/dev/full");
    buf_text(&s.buf, "x");
    assert_int_equal(sink_close(&s, &w.problems), TEMP);
    assert_string_equal(w.problems.first->code, "SYS_FULL");
    sink_release(&s);
    close(fd);
    sink_open_memory(&s, "out");
    s.max = 3;
    buf_text(&s.buf, "four");
    assert_int_equal(sink_close(&s, &w.problems), STOP);
    assert_string_equal(w.problems.last->code, "LIMIT_OUTPUT");
    assert_true(slice_is(buf_slice(&s.buf), "four"));
    sink_release(&s);
    arena_release(&w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(to_a_file), cmocka_unit_test(faults) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
