#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

static struct buf out;

static int clear(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void expect(const char *text)
{
    buf_byte(&out, '\0');
    assert_string_equal(out.p, text);
    out.n = 0;
}

static void grows(void **state)
{
    (void)state;
    assert_int_equal(buf_slice(&out).n, 0);
    assert_non_null(buf_slice(&out).p);
    for (int i = 0; i < 100000; i++)
        buf_byte(&out, (char)i);
    assert_int_equal(out.n, 100000);
    assert_int_equal(out.p[99999], (char)99999);
    out.n = 0;
    buf_add(&out, slice_none());
    buf_text(&out, NULL);
    buf_printf(&out, "%d%s", 12, "");
    buf_printf(&out, "%s", "");
    expect("12");
}

static void characters(void **state)
{
    (void)state;
    buf_char(&out, 'a');
    buf_char(&out, 0xE9);
    buf_char(&out, 0x20AC);
    buf_char(&out, 0x1F600);
    expect("aé€😀");
}

static void shown_is_harmless(void **state)
{
    (void)state;
    buf_add_shown(&out, SLICE("Blåbær \"x\" \\"), 0);
    expect("Blåbær \"x\" \\");
    buf_add_shown(&out, SLICE("\x1b[31m\r\n\t\0\x7f"), 0);
    expect("\\x1B[31m\\x0D\\x0A\\x09\\x00\\x7F");
    buf_add_shown(&out, SLICE("a\xC2\x9B" "b\xE2\x80\xAE" "c\xEF\xBB\xBF"), 0);
    expect("a\\u{009B}b\\u{202E}c\\u{FEFF}");
    buf_add_shown(&out, SLICE("\xFF\xC3(\xED\xA0\x80\xC3"), 0);
    expect("\\xFF\\xC3(\\xED\\xA0\\x80\\xC3");
}

static void shown_is_cut(void **state)
{
    (void)state;
    buf_add_shown(&out, SLICE("åßçdef"), 3);
    expect("åßç…");
    buf_add_shown(&out, SLICE("åßç"), 3);
    expect("åßç");
    buf_add_shown(&out, slice_none(), 3);
    expect("");
}

static void json_escapes(void **state)
{
    (void)state;
    buf_add_json(&out, SLICE("a\"b\\c\n\t\x01\x7f\0é"));
    expect("\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\\u0000é\"");
    buf_add_json(&out, SLICE("x\xFFy\xC3"));
    expect("\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"");
    buf_add_json(&out, SLICE(""));
    expect("\"\"");
    buf_add_json(&out, SLICE("°\xC2\x9B€\xE2\x80\xAE\xEF\xBB\xBFö\xF3\xA0\x81\x81😀"));
    expect("\"°\\u009b€\\u202e\\ufeffö\\udb40\\udc41😀\"");
    buf_add_json(&out, SLICE("\v\b\f\r"));
    expect("\"\\u000b\\b\\f\\r\"");
}

static void json_objects(void **state)
{
    (void)state;
    json_open(&out, '{');
    json_text(&out, "file", SLICE("a{b"));
    json_text(&out, "none", slice_none());
    json_number(&out, "errors", -3);
    json_key(&out, "lines");
    json_open(&out, '[');
    json_text(&out, NULL, SLICE("["));
    json_number(&out, NULL, INT64_MIN);
    json_open(&out, '{');
    json_close(&out, '}');
    json_open(&out, '[');
    json_close(&out, ']');
    json_close(&out, ']');
    json_bool(&out, "ok", true);
    json_raw(&out, "n", SLICE("1.00"));
    json_close(&out, '}');
    expect("{\"file\":\"a{b\",\"errors\":-3,\"lines\":[\"[\",-9223372036854775808,{},[]],\"ok\":true,\"n\":1.00}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(grows, clear), cmocka_unit_test_teardown(characters, clear),
        cmocka_unit_test_teardown(shown_is_harmless, clear), cmocka_unit_test_teardown(shown_is_cut, clear),
        cmocka_unit_test_teardown(json_escapes, clear), cmocka_unit_test_teardown(json_objects, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
