#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "xmlkit.h"

#define SHOP "Status text at status\nmessage Order at /data/orders key No {\n No text required\n Qty decimal\n Paid boolean\n" \
    " City text at address/city\n Street text at address/street\n group Line 0..* at lines {\n  Sku text\n  N integer\n }\n Tag text 0..* at tags\n" \
    " group Extra 0..* at extra/* {\n  Name text at @name\n  Value text at .\n }\n}\n"

static void dumps(const char *format, const char *text, const char *want)
{
    struct kit k;

    kit_open(&k, format, slice_of(text));
    assert_string_equal(kit_dump(&k), want);
    kit_close(&k);
}

static void rewrites(const char *format, const char *text, const char *want)
{
    struct kit k;
    struct sink sink;

    kit_open(&k, format, slice_of(text));
    struct slice got = kit_rewrite(&k, &sink);
    if (!slice_is(got, want))
        fail_msg("got  %.*s\nwant %s", SLICE_ARG(got), want);
    sink_release(&sink);
    kit_close(&k);
}

static void messages_stand_in_an_array(void **state)
{
    (void)state;
    dumps("syntax json\n" SHOP,
          "{\"status\":\"OK\",\"data\":{\"x\":[1,{\"y\":2}],\"orders\":[{\"No\":\"1\",\"Qty\":4.50,\"Paid\":true,\"address\":{\"city\":\"Oslo\"},"
          "\"lines\":[{\"Sku\":\"a\",\"N\":1},{\"N\":2}],\"tags\":[\"x\",7],\"extra\":{\"k\":\"v\",\"l\":null}},{\"No\":2,\"Qty\":\"1e\"}]}}",
          "Order {\n  No = \"1\"\n  Qty = \"4.50\"\n  Paid = \"true\"\n  City = \"Oslo\"\n  Line {\n    Sku = \"a\"\n    N = \"1\"\n  }\n  Line {\n    N = \"2\"\n  }\n"
          "  Tag = \"x\"\n  Tag = \"7\"\n  Extra {\n    Name = \"k\"\n    Value = \"v\"\n  }\n  Extra {\n    Name = \"l\"\n    Value = \n  }\n}\n"
          "refused\nStatus = \"OK\"\nNUM_BAD 1:203\n");
}

static void numbers_keep_their_lexeme(void **state)
{
    (void)state;
    dumps("syntax json\nmessage M {\n A decimal\n B text\n C integer\n D decimal mark \",\"\n E boolean true \"J\" false \"N\"\n}\n",
          "[{\"A\":123456789012345678901234567890123456789.10,\"B\":1.50,\"C\":12e2,\"D\":2.5,\"E\":false},{\"A\":-1.25E-3,\"C\":5e-1},{\"A\":null,\"B\":true,\"E\":\"J\"}]",
          "M {\n  A = \"123456789012345678901234567890123456789.10\"\n  B = \"1.50\"\n  C = \"1200\"\n  D = \"2.5\"\n  E = \"false\"\n}\nrefused\n"
          "M {\n  A = \n  B = \"true\"\n  E = \"true\"\n}\nNUM_BAD 1:105\n");
}

static void lines_are_rejected_alone(void **state)
{
    (void)state;
    dumps("syntax json lines\nBatch text\nmessage M {\n A text required\n}\n",
          "{\"Batch\":\"b\"}\n{\"A\":\"1\"}\n{\"A\":\"1\",}\n\n{\"A\":tru}\nx\n{\"B\":1}\n{\"A\":\"2\"}",
          "M {\n  A = \"1\"\n}\nrefused\nrefused\nrefused\nrefused\nM {\n  A = \"2\"\n}\nBatch = \"b\"\n"
          "JSON_SYNTAX 3:9\nJSON_SYNTAX 5:6\nJSON_SYNTAX 6:1\nREQUIRED 7:1\n");
    /* a line is one message, good or bad as a whole: never given and refused as well */
    dumps("syntax json lines\nBatch text\nmessage M {\n A text required\n}\n",
          "{\"A\":\"1\"}{\"A\":\"2\"}\n{\"A\":\"3\"} x\n{}\"\n[{\"A\":\"4\"},{\"A\":\"5\"}]\n7\n{\"A\":\"6\"}\n{\"A\":\"7\"}\xEF\xBB\xBF",
          "refused\nrefused\nrefused\nrefused\nrefused\nM {\n  A = \"6\"\n}\nrefused\n"
          "JSON_AFTER 1:10\nJSON_AFTER 2:11\nJSON_AFTER 3:3\nJSON_KIND 4:1\nJSON_KIND 5:1\nJSON_AFTER 7:10\n");
}

static void other_kinds_are_told(void **state)
{
    (void)state;
    dumps("syntax json\n" SHOP, "{\"data\":{\"orders\":[{\"No\":{\"a\":1}},{\"No\":\"2\",\"lines\":7},[],{\"No\":\"3\",\"address\":[]}]}}",
          "refused\nrefused\nrefused\nJSON_KIND 1:26\nREQUIRED 1:20\nJSON_KIND 1:53\nJSON_KIND 1:56\nJSON_KIND 1:79\n");
    dumps("syntax json\n" SHOP, "{\"data\":{}}", "JSON_NO_MESSAGES 1:1\n");
}

static void layouts_are_written(void **state)
{
    static const char text[] = "{\"status\":\"OK\",\"data\":{\"orders\":[{\"No\":\"1\",\"Qty\":\"4.5\",\"address\":{\"city\":\"a\\\"\\u0001\\u00e6/\"},"
                               "\"lines\":[],\"tags\":[\"x\"],\"extra\":{\"k\":\"v\"}},{\"No\":\"2\",\"lines\":[{}]}]}}";
    (void)state;
    rewrites("syntax json\n" SHOP, text,
             "{\"status\":\"OK\",\"data\":{\"orders\":[{\"No\":\"1\",\"Qty\":4.5,\"address\":{\"city\":\"a\\\"\\u0001\xC3\xA6/\"},\"tags\":[\"x\"],\"extra\":{\"k\":\"v\"}},"
             "{\"No\":\"2\",\"lines\":[{}]}]}}\n");
    rewrites("syntax json indent \"  \"\nmessage M {\n A text\n group G 0..* {\n  B integer\n }\n}\n", "[{\"A\":\"1\",\"G\":[{\"B\":1},{}]},{}]",
             "[\n  {\n    \"A\": \"1\",\n    \"G\": [\n      {\n        \"B\": 1\n      },\n      {}\n    ]\n  },\n  {}\n]\n");
    rewrites("syntax json lines\nmessage M {\n A text\n B integer always\n}\n", "{\"A\":\"1\"}\n{\"B\":2}", "{\"A\":\"1\",\"B\":null}\n{\"B\":2}\n");
    rewrites("syntax json\nmessage M {\n A text\n}\n", "[]", "[]\n");
    rewrites("syntax json\nmessage M at .  {\n A text\n}\n", "{\"A\":\"x\"}", "{\"A\":\"x\"}\n");
    rewrites("syntax json\nmessage M at /m/* {\n K text at @name\n A text\n}\n", "{\"m\":{\"x\":{\"A\":\"1\"},\"y\":{}}}", "{\"m\":{\"x\":{\"A\":\"1\"},\"y\":{}}}\n");
    rewrites("syntax json\nmessage M at /* {\n A text at .\n}\n", "[\"1\",\"2\"]", "[\"1\",\"2\"]\n");
}

static void formats_are_checked(void **state)
{
    static const struct { const char *format, *code; } wrong[] = {
        { "syntax json\nencoding iso-8859-1\nmessage M {\n A text\n}\n", "JSON_FORMAT_ENCODING" },
        { "syntax json\nmessage M {\n A text at x\n B text at x\n}\n", "JSON_SAME_AT" },
        { "syntax json\nmessage M {\n A text at @id\n}\n", "JSON_AT" },
        { "syntax json\nmessage M {\n A text at @name\n}\n", "JSON_AT" },
        { "syntax json\nmessage M {\n A text at x/*\n}\n", "JSON_AT" },
        { "syntax json\nmessage M {\n A text at 3\n}\n", "JSON_AT" },
        { "syntax json lines\nmessage M at /a {\n A text\n}\n", "JSON_AT" },
        { "syntax json lines indent \"  \"\nmessage M {\n A text\n}\n", "JSON_AT" },
        { "syntax json\nmessage M {\n A text at x/y\n group G at x/* {\n  B text\n }\n}\n", "JSON_AT" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kit k;
        assert_false(kit_format(&k, wrong[i].format));
        assert_string_equal(k.problems.first->code, wrong[i].code);
        arena_release(&k.message);
        arena_release(&k.arena);
    }
}

/* Staged documents: what is written and read again is the same tree, value by value. */
static void a_staged_document_is_itself_again(void **state)
{
    static const char format[] =
        "syntax json lines\nBatch text\nNote text\nmessage M key A {\n A text required\n T text\n D decimal lax\n E decimal lax mark \",\"\n"
        " I integer\n Day date lax\n At datetime\n B boolean lax\n P text nothing (\"-\")\n Z decimal nothing (\"0\") always\n X binary\n"
        " group One at one {\n  V text\n }\n group Many 0..* {\n  V text\n  N integer lax\n }\n Tag text 0..* at tags\n}\n";
    static const char *const lines[] = {
        "{\"Batch\":\"B 1\",\"Note\":null}",
        "{\"A\":\"1\",\"T\":\"  x \\\"\\n\\u0001 \",\"D\":\"12O\",\"E\":\"12,50\",\"I\":-7,\"Day\":\"31.2.2026\",\"At\":\"2026-01-02T03:04:05\",\"B\":true,\"X\":\"AAH/\"}",
        "{\"A\":\"2\",\"T\":null,\"D\":null,\"E\":null,\"I\":null,\"Day\":null,\"At\":null,\"B\":\"maybe\",\"P\":null,\"Z\":null}",
        "{\"A\":\"3\",\"D\":1.500,\"E\":\"0,0\",\"Day\":\"2026-02-28\"}",
        "{\"A\":\"4\",\"D\":99999999999999999999999999999999999999,\"one\":{},\"Many\":[{},{\"V\":null},{\"V\":\"v\",\"N\":\"n\"}]}",
        "{\"A\":\"5\",\"one\":{\"V\":null},\"tags\":[\"a\",null,\"b\"]}",
    };
    struct kit k, again;
    struct sink sink, other;
    struct buf text = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        buf_printf(&text, "%s\n", lines[i]);
    kit_open(&k, format, buf_slice(&text));
    k.exact = true;
    struct slice got = kit_rewrite(&k, &sink);
    if (!slice_equal(got, buf_slice(&text)))
        fail_msg("got\n%.*swant\n%.*s", SLICE_ARG(got), SLICE_ARG(buf_slice(&text)));
    kit_open(&again, format, got);                  /* and once more, from what was written */
    again.exact = true;
    assert_true(slice_equal(kit_rewrite(&again, &other), got));
    sink_release(&other);
    sink_release(&sink);
    kit_close(&again);
    kit_close(&k);
    buf_release(&text);
}

static void places_are_exact(void **state)
{
    static const char text[] = "{\"data\":{\"orders\":[ {\"No\": \"ab\", \"Qty\":12}]}}";
    struct kit k;

    (void)state;
    kit_open(&k, "syntax json\n" SHOP, slice_of(text));
    struct node *m = kit_next(&k);
    assert_non_null(m);
    assert_int_equal(m->at, 20);
    assert_memory_equal(text + m->at, "{\"No\"", 5);
    assert_int_equal(text[m->end - 1], '}');
    const struct value *v = &m->values[0];
    assert_memory_equal(text + v->at, "\"ab\"", 4);
    assert_int_equal(v->len, 4);
    assert_int_equal(v->lead, 6);
    assert_memory_equal(text + m->values[1].at, "12}", 3);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_stand_in_an_array), cmocka_unit_test(numbers_keep_their_lexeme), cmocka_unit_test(lines_are_rejected_alone),
        cmocka_unit_test(other_kinds_are_told), cmocka_unit_test(layouts_are_written), cmocka_unit_test(formats_are_checked),
        cmocka_unit_test(a_staged_document_is_itself_again),
        cmocka_unit_test(places_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
