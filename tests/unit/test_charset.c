#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <iconv.h>
#include <stdio.h>

#include "base/charset.h"

static struct buf out;

static int clear(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void names(void **state)
{
    (void)state;
    for (enum charset c = CHARSET_UTF_8; c < CHARSET_COUNT; c++)
        assert_int_equal(charset_find(slice_of(charset_name(c))), c);
    static const struct {
        const char *name;
        enum charset charset;
    } usual[] = {
        { "utf8", CHARSET_UTF_8 }, { "UTF_8", CHARSET_UTF_8 }, { "Latin-1", CHARSET_ISO_8859_1 },
        { "latin 2", CHARSET_ISO_8859_2 },
        { "cp1250", CHARSET_WINDOWS_1250 }, { "Windows1252", CHARSET_WINDOWS_1252 }, { "1252", CHARSET_WINDOWS_1252 },
        { "iso8859-15", CHARSET_ISO_8859_15 }, { "ISO_8859-1", CHARSET_ISO_8859_1 }, { "8859-1", CHARSET_ISO_8859_1 },
        { "CP850", CHARSET_IBM850 }, { "ibm-437", CHARSET_IBM437 }, { "ascii", CHARSET_US_ASCII },
        { "utf-16le", CHARSET_UTF_16LE },
        { "koi8r", CHARSET_KOI8_R }, { "utf-7", CHARSET_UNKNOWN }, { "", CHARSET_UNKNOWN }, { "--", CHARSET_UNKNOWN },
        { "iso-8859-12", CHARSET_UNKNOWN }, { "a name that is longer than any charset", CHARSET_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        assert_int_equal(charset_find(slice_of(usual[i].name)), usual[i].charset);
    assert_int_equal(charset_names_count, CHARSET_COUNT - 1);
    assert_true(slice_is(charset_names[0], "UTF-8"));
}

/* The character by iconv as UTF-8, or none. A second byte flushes what stateful converters hold back. */
static size_t by_iconv(iconv_t cd, char byte, char to[16])
{
    char from[1] = { byte }, *in = from, *at = to;
    size_t left = 1, room = 16;
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &in, &left, &at, &room) == (size_t)-1 || iconv(cd, NULL, NULL, &at, &room) == (size_t)-1)
        return 0;
    return (size_t)(at - to);
}

static void tables_are_those_of_iconv(void **state)
{
    (void)state;
    for (enum charset c = CHARSET_US_ASCII; c < CHARSET_COUNT; c++) {
        bool windows = c >= CHARSET_WINDOWS_1250 && c <= CHARSET_WINDOWS_1258;
        char full[32];
        snprintf(full, sizeof full, "%s%s", windows ? "CP" : "", charset_name(c) + (windows ? strlen("windows-") : 0));
        iconv_t cd = iconv_open("UTF-8", full);
        assert_true(cd != (iconv_t)-1);
        for (int byte = 0; byte < 256; byte++) {
            char raw = (char)byte, expected[16];
            size_t n = by_iconv(cd, raw, expected);
            bool unfinished;
            out.n = 0;
            assert_int_equal(charset_decode(c, (struct slice){ &raw, 1 }, &out, &unfinished), n > 0);
            assert_true(slice_equal(buf_slice(&out), (struct slice){ expected, n }));
            struct buf back = { 0 };
            assert_int_equal(charset_encode(c, buf_slice(&out), &back), out.n);
            assert_true(n == 0 || (back.n == 1 && back.p[0] == raw));
            buf_release(&back);
        }
        iconv_close(cd);
    }
}

static size_t decode(enum charset c, struct slice text, bool *unfinished)
{
    out.n = 0;
    return charset_decode(c, text, &out, unfinished);
}

static void utf8_is_strict(void **state)
{
    (void)state;
    bool unfinished;
    assert_int_equal(utf8_valid(SLICE("aé€😀")), 10);
    static const char *const bad[] = { "\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                       "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3(", "\xE2\x82(" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(utf8_valid(slice_of(bad[i])), 0);
        assert_int_equal(decode(CHARSET_UTF_8, slice_of(bad[i]), &unfinished), 0);
        assert_false(unfinished);
    }
    static const char *const begun[] = { "\xC3", "\xE2\x82", "\xE2", "\xF0\x9F\x98", "\xF0\x9F", "\xF0", "\xED",
        "\xF4\x8F", "\xE0\xA0" };
    for (size_t i = 0; i < sizeof begun / sizeof *begun; i++) {
        assert_int_equal(decode(CHARSET_UTF_8, slice_of(begun[i]), &unfinished), 0);
        assert_true(unfinished);
    }
    char text[100];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof text; i++) {      /* whatever the position in a word of 8 or 32 bytes */
        text[i] = '\xFF';
        assert_int_equal(utf8_valid((struct slice){ text, sizeof text }), i);
        assert_int_equal(utf8_ascii((struct slice){ text, sizeof text }), i);
        text[i] = 'a';
    }
    assert_int_equal(utf8_ascii((struct slice){ text, sizeof text }), sizeof text);
}

static void utf16(void **state)
{
    (void)state;
    bool unfinished;
    assert_int_equal(decode(CHARSET_UTF_16LE, SLICE("a\0\xAC\x20\x3D\xD8\x00\xDE"), &unfinished), 8);
    assert_true(slice_is(buf_slice(&out), "a€😀"));
    assert_int_equal(decode(CHARSET_UTF_16BE, SLICE("\0a\x20\xAC\xD8\x3D\xDE\x00"), &unfinished), 8);
    assert_true(slice_is(buf_slice(&out), "a€😀"));
    assert_int_equal(decode(CHARSET_UTF_16, SLICE("\xFE\xFF\0a"), &unfinished), 4);
    assert_true(slice_is(buf_slice(&out), "a"));
    assert_int_equal(decode(CHARSET_UTF_16, SLICE("a\0"), &unfinished), 2);
    assert_int_equal(decode(CHARSET_UTF_16LE, SLICE("a\0b"), &unfinished), 2);
    assert_true(unfinished);
    assert_int_equal(decode(CHARSET_UTF_16LE, SLICE("\x3D\xD8"), &unfinished), 0);
    assert_true(unfinished);
    assert_int_equal(decode(CHARSET_UTF_16LE, SLICE("\x3D\xD8" "a\0"), &unfinished), 0);
    assert_false(unfinished);
    assert_int_equal(decode(CHARSET_UTF_16LE, SLICE("a\0\x00\xDE"), &unfinished), 2);
    assert_false(unfinished);
    out.n = 0;
    assert_int_equal(charset_encode(CHARSET_UTF_16BE, SLICE("a😀"), &out), 5);
    assert_true(slice_equal(buf_slice(&out), SLICE("\0a\xD8\x3D\xDE\x00")));
}

static void what_cannot_be_spelled_is_told(void **state)
{
    (void)state;
    assert_int_equal(charset_encode(CHARSET_ISO_8859_1, SLICE("aé€b"), &out), 3);
    assert_true(slice_is(buf_slice(&out), "a\xE9"));
    out.n = 0;
    assert_int_equal(charset_encode(CHARSET_US_ASCII, SLICE("abcé"), &out), 3);
    assert_int_equal(charset_encode(CHARSET_WINDOWS_1250, SLICE("ł😀"), &out), 2);
    bool unfinished;
    assert_int_equal(decode(CHARSET_WINDOWS_1252, SLICE("ab\x81" "c"), &unfinished), 2);
    assert_false(unfinished);
    assert_int_equal(decode(CHARSET_US_ASCII, SLICE("ab\x81"), &unfinished), 2);
    assert_true(charset_holds(CHARSET_UTF_8, CHARSET_WINDOWS_1250));
    assert_true(charset_holds(CHARSET_ISO_8859_1, CHARSET_US_ASCII));
    assert_false(charset_holds(CHARSET_ISO_8859_1, CHARSET_UTF_8));
    assert_false(charset_holds(CHARSET_ISO_8859_1, CHARSET_ISO_8859_15));
    assert_false(charset_holds(CHARSET_US_ASCII, CHARSET_ISO_8859_1));
    assert_true(charset_holds(CHARSET_KOI8_R, CHARSET_KOI8_R));
}

static void boms(void **state)
{
    (void)state;
    enum charset c = CHARSET_UNKNOWN;
    assert_int_equal(charset_bom(SLICE("\xEF\xBB\xBFx"), &c), 3);
    assert_int_equal(c, CHARSET_UTF_8);
    assert_int_equal(charset_bom(SLICE("\xFF\xFEx\0"), &c), 2);
    assert_int_equal(c, CHARSET_UTF_16LE);
    assert_int_equal(charset_bom(SLICE("\xFE\xFF"), &c), 2);
    assert_int_equal(c, CHARSET_UTF_16BE);
    assert_int_equal(charset_bom(SLICE("\xEF\xBB"), &c), 0);
    assert_int_equal(charset_bom(slice_none(), &c), 0);
}

static enum charset guess(struct slice text)
{
    enum charset found[3] = { CHARSET_UNKNOWN };
    return charset_guess(text, found, 3) ? found[0] : CHARSET_UNKNOWN;
}

static enum charset guess_of(enum charset c, const char *utf8)
{
    out.n = 0;
    assert_int_equal(charset_encode(c, slice_of(utf8), &out), strlen(utf8));
    return guess(buf_slice(&out));
}

static void guesses(void **state)
{
    (void)state;
    assert_int_equal(guess(SLICE("plain")), CHARSET_UTF_8);
    assert_int_equal(guess(SLICE("Blåbær")), CHARSET_UTF_8);
    assert_int_equal(guess_of(CHARSET_WINDOWS_1252, "Blåbærsyltetøy; Müller – “x”"), CHARSET_WINDOWS_1252);
    assert_int_equal(guess_of(CHARSET_WINDOWS_1250, "Zażółć gęślą jaźń; Łódź; Świnoujście"), CHARSET_WINDOWS_1250);
    assert_int_equal(guess_of(CHARSET_ISO_8859_2, "Zażółć gęślą jaźń; Łódź; Świnoujście"), CHARSET_ISO_8859_2);
    assert_int_equal(guess_of(CHARSET_WINDOWS_1251, "Съешь же ещё этих мягких булок"), CHARSET_WINDOWS_1251);
    assert_int_equal(guess_of(CHARSET_IBM850, "Blåbærsyltetøy; Müller; Åse Øvergård"), CHARSET_IBM850);
    assert_int_equal(guess_of(CHARSET_UTF_16LE, "Order;Quantity\r\n12;5\r\n"), CHARSET_UTF_16LE);
    assert_int_equal(guess_of(CHARSET_UTF_16BE, "Order;Quantity\r\n12;5\r\n"), CHARSET_UTF_16BE);
    assert_int_equal(charset_guess(SLICE("a"), NULL, 0), 0);
}

static const char *mapped(void (*map)(struct slice, struct buf *), const char *text)
{
    out.n = 0;
    map(slice_of(text), &out);
    buf_byte(&out, '\0');
    return out.p;
}

static void cases(void **state)
{
    (void)state;
    assert_string_equal(mapped(text_upper, "aé ß ÿ łódź ж ώ ա ž 1"), "AÉ ß Ÿ ŁÓDŹ Ж Ώ Ա Ž 1");
    assert_string_equal(mapped(text_lower, "AÉ ẞ Ÿ ŁÓDŹ Ж Ώ Ա Ž İ 1"), "aé ß ÿ łódź ж ώ ա ž i 1");
    assert_string_equal(mapped(text_fold, "STRASSE Straße ΣΊΣΥΦΟΣ σίσυφος ſ µ ẞ ı"),
                        "strasse strasse σίσυφοσ σίσυφοσ s μ ss ı");
    for (uint32_t c = 0; c < 0x11000; c++) {
        assert_int_equal(char_lower(char_lower(c)), char_lower(c));
        assert_int_equal(char_upper(char_upper(c)), char_upper(c));
    }
}

static void characters_are_read_within_bounds(void **state)
{
    (void)state;
    const char text[] = "a€", *p = text;
    assert_int_equal(utf8_next(&p, text + 4), 'a');
    assert_int_equal(utf8_next(&p, text + 4), 0x20AC);
    assert_int_equal(utf8_next(&p, text + 4), 0);
    const char cut[] = { '\xF0' }, *q = cut;
    utf8_next(&q, cut + 1);
    assert_ptr_equal(q, cut + 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names), TEST(tables_are_those_of_iconv), TEST(utf8_is_strict), TEST(utf16),
        TEST(what_cannot_be_spelled_is_told),
        TEST(boms), TEST(guesses), TEST(cases), TEST(characters_are_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
