#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "syntax/xmlchars.h"
#include "syntax/xmlquick.h"

/* The specification, a byte at a time; false: the text may not stand in XML. */
static bool spell_plainly(struct buf *out, const char *p, size_t n, enum xspell_place place)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool attribute = place == XSPELL_ATTRIBUTE;
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            || (n - i >= 3 && c == 0xEF && (unsigned char)p[i + 1] == 0xBF && (unsigned char)p[i + 2] >= 0xBE))
            return false;
        if (c == '&' || c == '<' || c == '>' || c == '\r')
            buf_text(out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&#13;");
        else if (attribute && (c == '"' || c == '\n' || c == '\t'))
            buf_text(out, c == '"' ? "&quot;" : c == '\n' ? "&#10;" : "&#9;");
        else
            buf_byte(out, p[i]);
    }
    return true;
}

/* All ways to spell one text: the text lies at the end of its memory, so that the sanitizer sees a byte too many. */
static void spell_all(const char *text, size_t n, enum xspell_place place)
{
    static const char before[4 + XQUICK_PAD] = "\n <a", behind[20 + XQUICK_PAD] = "</a>1234567890123456";
    char *p = malloc(n ? n : 1);
    struct buf want = { 0 }, got = { 0 };

    if (n)
        memcpy(p, text, n);
    bool good = spell_plainly(&want, p, n, place);
    buf_text(&got, "#");
    assert_int_equal(xspell(&got, (struct slice){ p, n }, place), good);
    assert_int_equal(got.n, good ? want.n + 1 : 1);
    if (good && want.n)
        assert_memory_equal(got.p + 1, want.p, want.n);
    got.n = 1;
    bool plain = good && want.n == n && !memmem(p, n, "\xEF", 1) && !memmem(p, n, "\n", 1) && !memmem(p, n, "\t", 1);
    char *to = xquick_markup(buf_room(&got, 24 + XQUICK_VALUE + XQUICK_ROOM), (struct slice){ before, 4 });
    to = xquick_value(to, (struct slice){ p, n }, place);
    bool done = to != NULL;
    if (done)
        got.n = (size_t)(xquick_markup(to, (struct slice){ behind, 20 }) - got.p);
    assert_true(done || n > 32 || !plain);
    assert_int_equal(got.n, done ? 25 + n : 1);
    if (done) {
        assert_int_equal(want.n, n);
        assert_memory_equal(got.p, "#\n <a", 5);
        if (n)
            assert_memory_equal(got.p + 5, want.p, n);
        assert_memory_equal(got.p + 5 + n, behind, 20);
    }
    buf_release(&want);
    buf_release(&got);
    free(p);
}

static void every_byte_at_every_place(void **state)
{
    char text[70];

    (void)state;
    for (size_t n = 0; n <= 70; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                spell_all(text, n, XSPELL_TEXT);
                if (n < 40)
                    spell_all(text, n, XSPELL_ATTRIBUTE);
            }
}

static void noncharacters(void **state)
{
    static const char tails[][4] = { "\xEF\xBF\xBD", "\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xEF\xBB\xBF" };
    char text[40];

    (void)state;
    for (size_t n = 3; n <= 40; n++)
        for (size_t at = 0; at + 3 <= n; at++)
            for (size_t i = 0; i < 4; i++) {
                memset(text, 'x', sizeof text);
                memcpy(text + at, tails[i], 3);
                spell_all(text, n, XSPELL_TEXT);
            }
}

/* Runs of 16 bytes at a time against the table, each byte at each place. */
static void runs_of_names_and_blanks(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 36; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char *p = malloc(n);
                memset(p, 'x', n);
                p[at] = (char)c;
                assert_ptr_equal(xchars_skip_name(p, p + n), xclass[c] & XCLASS_NAME ? p + n : p + at);
                memset(p, ' ', n);
                p[at] = (char)c;
                assert_ptr_equal(xchars_skip_blanks(p, p + n), xclass[c] & XCLASS_BLANK ? p + n : p + at);
                free(p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(noncharacters),
        cmocka_unit_test(runs_of_names_and_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
