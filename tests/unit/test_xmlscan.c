#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include "xmlequal.h"

/* Code of the first problem with its offset: "XML_TAG 7"; "good" when there is none. */
static const char *verdict(struct slice bytes)
{
    static char shown[300];
    struct told t;

    tell(&t, bytes, false, 0);
    const char *at = strrchr(t.text, ' ');
    if (t.status == END)
        snprintf(shown, sizeof shown, "good");
    else
        snprintf(shown, sizeof shown, "%s%s", t.code, at ? at : "");
    told_release(&t);
    return shown;
}

static void faults_have_code_and_place(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        { "<a><b></a>", "XML_TAG 6" }, { "<a>&nbsp;</a>", "XML_ENTITY 3" }, { "<a>x & y</a>", "XML_ENTITY 5" }, { "<a>\x02</a>", "XML_CHAR 3" },
        { "<a>&#2;</a>", "XML_CHAR 3" }, { "<a b='1' b='2'/>", "XML_ATTRIBUTE_TWICE 9" }, { "<a p:b='1'/>", "XML_PREFIX 3" }, { "<a/><b/>", "XML_AFTER_ROOT 4" },
        { "<a/>x", "XML_AFTER_ROOT 4" }, { "", "XML_EMPTY 0" }, { "  ", "XML_EMPTY 2" }, { "<a><b>", "XML_TRUNCATED 6" }, { "<a><b", "XML_TRUNCATED 5" },
        { "<a b=\"<\"/>", "XML_SYNTAX 6" }, { "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "XML_DTD 12" }, { "<a>\xE4</a>", "XML_ENCODING 3" },
        { "\xEF\xBB\xBF<?xml version='1.0' encoding='windows-1250'?><a/>", "XML_ENCODING 0" }, { "<a>]]></a>", "XML_SYNTAX 3" },
        { "<?xml version='1.0' encoding='us-ascii'?><a>abc\xE4</a>", "XML_ENCODING 47" }, { "<a xmlns:p=''/>", "XML_PREFIX 3" }, { "<a></a><!-- -- -->", "XML_SYNTAX 12" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(verdict(slice_of(cases[i].text)), cases[i].want);
    assert_string_equal(verdict((struct slice){ "<a>\0</a>", 8 }), "XML_CHAR 3");
    assert_string_equal(verdict((struct slice){ "<a/>\0", 5 }), "XML_CHAR 4");
}

static void repeat(struct buf *b, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_text(b, text);
}

static const char *nested(struct buf *b, size_t depth)
{
    b->n = 0;
    repeat(b, "<a>", depth);
    repeat(b, "</a>", depth);
    return verdict(buf_slice(b));
}

static const char *numbered(struct buf *b, const char *format, size_t n)
{
    b->n = 0;
    buf_text(b, "<a");
    for (size_t i = 0; i < n; i++) {
        buf_text(b, " ");
        buf_printf(b, "%s%zu='%zu'", format, i, i);
    }
    buf_text(b, "/>");
    return verdict(buf_slice(b));
}

static void limits_are_exact(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_string_equal(nested(&b, 64), "good");
    assert_string_equal(nested(&b, 65), "LIMIT_DEPTH 192");
    assert_string_equal(numbered(&b, "b", 256), "good");
    assert_memory_equal(numbered(&b, "b", 257), "LIMIT_ATTRIBUTES", 16);
    assert_memory_equal(numbered(&b, "b", 100000), "LIMIT_ATTRIBUTES", 16);
    assert_string_equal(numbered(&b, "xmlns:b", 64), "good");
    assert_memory_equal(numbered(&b, "xmlns:b", 65), "LIMIT_NAMESPACES", 16);
    b.n = 0;
    buf_text(&b, "<a b='");
    repeat(&b, "0123456789", 6500);
    buf_text(&b, "'/>");
    assert_string_equal(verdict(buf_slice(&b)), "good");
    b.n -= 3;
    repeat(&b, "0123456789", 100);
    buf_text(&b, "'/>");
    assert_string_equal(verdict(buf_slice(&b)), "LIMIT_TAG 0");
    b.n = 0;
    buf_text(&b, "<a>");
    repeat(&b, "0123456789abcdef", 65536);
    assert_string_equal(verdict(buf_slice(&b)), "XML_TRUNCATED 1048579");
    buf_text(&b, "x</a>");
    assert_memory_equal(verdict(buf_slice(&b)), "LIMIT_FIELD", 11);
    buf_release(&b);
}

/* What takes other parsers seconds per megabyte (RELIABILITY 4.2) is linear here: all of it in well under a second. */
static void bombs_are_cheap(void **state)
{
    struct buf b = { 0 };

    (void)state;
    repeat(&b, "<a b='", 200000);
    assert_string_equal(verdict(buf_slice(&b)), "XML_SYNTAX 6");
    b.n = 0;
    buf_text(&b, "<a><!--");
    repeat(&b, "0123456789abcdef", 500000);
    buf_text(&b, "--></a>");
    assert_string_equal(verdict(buf_slice(&b)), "good");
    b.n = 0;
    buf_text(&b, "<r>");
    for (int i = 0; i < 200000; i++)
        buf_printf(&b, "<n%d/>", i);
    buf_text(&b, "</r>");
    assert_string_equal(verdict(buf_slice(&b)), "good");
    b.n = 0;
    buf_text(&b, "<r>");
    for (int i = 0; i < 50000; i++)
        buf_printf(&b, "<a xmlns:p%d='u'/>", i);
    buf_text(&b, "</r>");
    assert_string_equal(verdict(buf_slice(&b)), "good");
    buf_release(&b);
}

/* Places are true bytes of the file in every charset. */
static void places_in_charsets(void **state)
{
    static const char text[] = "<r><\xC3\xA4 \xC3\xB6=\"\xC3\xBC&amp;\">\xC3\x9F</\xC3\xA4><b/></r>";
    static const struct { enum charset c; const char *name; } sets[] = {
        { CHARSET_UTF_8, "UTF-8" }, { CHARSET_ISO_8859_1, "ISO-8859-1" }, { CHARSET_WINDOWS_1252, "windows-1252" }, { CHARSET_UTF_16LE, "UTF-16" } };

    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct buf head = { 0 }, b = { 0 };
        struct told t;
        const unsigned u = sets[i].c == CHARSET_UTF_16LE ? 2 : 1, e = sets[i].c == CHARSET_UTF_8;
        buf_printf(&head, "<?xml version=\"1.0\" encoding=\"%s\"?>", sets[i].name);
        if (u == 2)
            buf_add(&b, SLICE("\xFF\xFE"));
        charset_encode(sets[i].c, buf_slice(&head), &b);
        const unsigned z = (unsigned)b.n;
        charset_encode(sets[i].c, SLICE(text), &b);
        tell(&t, buf_slice(&b), false, 0);
        assert_int_equal(t.status, END);
        char want[200];
        snprintf(want, sizeof want, "1 %u-%u 0\n1 %u-%u 0\na %u+%u\n3 %u-%u 0\n", z, z + 3 * u, z + 3 * u, z + u * 17 + 3 * e, z + u * 9 + 2 * e,
                 u * 6 + e, z + u * 18 + 4 * e, z + u * 22 + 5 * e);
        assert_memory_equal(t.places.p, want, strlen(want));
        told_release(&t);
        buf_release(&head);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_code_and_place), cmocka_unit_test(limits_are_exact), cmocka_unit_test(bombs_are_cheap),
        cmocka_unit_test(places_in_charsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
