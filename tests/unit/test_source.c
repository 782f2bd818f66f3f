/* The window over an input, and where its lines are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syntax/source.h"

static FILE *file_of(const char *text, size_t n)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fflush(f), 0);
    assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
    return f;
}

/* "line:column source" of an offset. */
static void place_is(struct source *s, uint64_t offset, uint32_t line, uint32_t column, const char *text)
{
    struct arena a;
    struct problems ps;
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    source_locate(s, &ps);
    problem_addf(&ps, PROBLEM_ERROR, "X", (struct place){ .offset = offset }, "x");
    assert_int_equal(ps.first->place.line, line);
    assert_int_equal(ps.first->place.column, column);
    if (text)
        assert_true(slice_is(ps.first->source, text));
    arena_release(&a);
}

static void places_in_memory(void **state)
{
    (void)state;
    struct source s;
    source_open_text(&s, SLICE("ab\ncäd\r\ne\rf"), "x", NULL);
    place_is(&s, 0, 1, 1, "ab");
    place_is(&s, 6, 2, 3, "cäd");
    place_is(&s, 9, 3, 1, "e");
    place_is(&s, 11, 4, 1, "f");
    place_is(&s, 3, 2, 1, "cäd");
    source_close(&s);
    source_open_text(&s, SLICE("\xEF\xBB\xBF" "ab\n"), "x", NULL);
    place_is(&s, 4, 1, 2, "ab");
    source_close(&s);
    source_open_text(&s, SLICE("a\0b\0\n\0\x42\x01" "c\0"), "x", NULL);
    s.charset = CHARSET_UTF_16LE;
    place_is(&s, 8, 2, 2, "łc");
    source_close(&s);
    source_open_text(&s, SLICE("ab\x8B\xAA\xE2\x82z\xE2\x82\xACx"), "x", NULL);     /* a byte that is none counts as one */
    place_is(&s, 6, 1, 7, NULL);
    place_is(&s, 10, 1, 9, NULL);
    source_close(&s);
}

/* Places far behind and far ahead of the window, in a file and in a pipe. */
static void places_in_files(void **state)
{
    (void)state;
    struct buf text = { 0 };
    while (text.n < 3 * SOURCE_WINDOW)
        buf_text(&text, "0123456789\r\n");
    FILE *f = file_of(text.p, text.n);
    struct source s;
    source_open_fd(&s, fileno(f), "x", NULL);
    while (source_fill(&s, NULL))
        s.at = s.end;
    assert_int_equal(source_offset(&s, s.end), text.n);
    place_is(&s, 12 * 50000 + 3, 50001, 4, "0123456789");
    place_is(&s, 12 + 3, 2, 4, "0123456789");
    source_close(&s);
    fclose(f);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text.p, 1200), 1200);
    assert_int_equal(close(ends[1]), 0);
    source_open_fd(&s, ends[0], "x", NULL);
    assert_true(source_fill(&s, NULL));
    s.at += 600;
    source_fill(&s, NULL);
    place_is(&s, 12 * 60 + 1, 61, 2, "0123456789");
    source_close(&s);
    close(ends[0]);
    buf_release(&text);
}

static void windows_move_and_grow(void **state)
{
    (void)state;
    size_t n = 2 * SOURCE_WINDOW + 17;
    struct buf text = { 0 };
    for (size_t i = 0; i < n; i++)
        buf_byte(&text, (char)('a' + i % 23));
    FILE *f = file_of(text.p, n);
    struct source s;
    struct sha256 hash;
    char hex[SHA256_HEX], want[SHA256_HEX];
    sha256_init(&hash);
    source_open_fd(&s, fileno(f), "x", NULL);
    s.hash = &hash;
    assert_true(source_fill(&s, NULL));
    char *keep = s.at + 100;
    s.at = s.end;
    assert_true(source_fill(&s, &keep));            /* 100 bytes have room */
    assert_int_equal(source_offset(&s, keep), 100);
    assert_memory_equal(keep, text.p + 100, (size_t)(s.end - keep));
    while (source_fill(&s, &keep)) {
    }
    assert_true(s.eof);
    assert_int_equal(s.end - keep, n - 100);
    assert_memory_equal(keep, text.p + 100, n - 100);
    sha256_hex(&hash, hex);
    sha256_of(buf_slice(&text), want);
    assert_string_equal(hex, want);
    struct arena a;
    arena_init(&a, 0);
    struct slice again = source_again(&s, 5, 300, &a);
    assert_int_equal(again.n, 300);
    assert_memory_equal(again.p, text.p + 5, 300);
    assert_null(source_again(&s, n - 5, 6, &a).p);
    arena_release(&a);
    source_close(&s);
    fclose(f);
    buf_release(&text);
}

static void windows_have_a_limit(void **state)
{
    (void)state;
    static const struct limits small = { .row = SOURCE_WINDOW };
    struct buf text = { 0 };
    memset(buf_room(&text, 2 * SOURCE_WINDOW), 'x', 2 * SOURCE_WINDOW);
    FILE *f = file_of(text.p, 2 * SOURCE_WINDOW);
    struct source s;
    source_open_fd(&s, fileno(f), "x", &small);
    assert_true(source_fill(&s, NULL));
    char *keep = s.at;
    while (source_fill(&s, &keep)) {
    }
    assert_false(s.eof);
    assert_int_equal(s.error, 0);
    source_close(&s);
    fclose(f);
    source_open_fd(&s, 9999, "x", NULL);
    assert_false(source_fill(&s, NULL));
    assert_int_not_equal(s.error, 0);
    source_close(&s);
    buf_release(&text);
}

/* Lines as long as the file: 40,000 places in 4 MB would be 80 GB if each walked from the line's beginning. */
static void places_in_long_lines(void **state)
{
    enum { LINE = 4 << 20 };
    char *text = malloc(LINE + 8);
    struct source s;
    struct arena a;
    struct problems ps;
    (void)state;
    assert_non_null(text);
    memset(text, 'x', LINE + 8);
    text[2] = text[LINE + 3] = '\n';
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    source_open_text(&s, (struct slice){ text, LINE + 8 }, "x", NULL);
    source_locate(&s, &ps);
    for (uint64_t at = 3; at < LINE; at += 100) {
        struct problem p = { .place = { .offset = at } };
        ps.locate(ps.locate_owner, &p, &a);
        assert_int_equal(p.place.line, 2);
        assert_int_equal(p.place.column, at - 2);
        arena_reset(&a);
    }
    place_is(&s, LINE + 5, 3, 2, "xxxx");
    place_is(&s, 1, 1, 2, "xx");
    source_close(&s);
    arena_release(&a);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(places_in_memory), cmocka_unit_test(places_in_files),
                                        cmocka_unit_test(windows_move_and_grow),
                                        cmocka_unit_test(windows_have_a_limit),
                                        cmocka_unit_test(places_in_long_lines) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
