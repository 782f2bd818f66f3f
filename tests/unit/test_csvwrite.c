#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "syntax/csv.h"

static const struct field *text_field(struct arena *a, struct problems *ps)
{
    struct conf *conf;
    struct format *format;
    assert_int_equal(conf_parse(a, "t.format", SLICE("syntax csv\nmessage M {\n    F text\n}\n"), &conf, ps), OK);
    assert_int_equal(format_compile(a, NULL, SLICE("t"), conf, &format, ps), OK);
    return format->messages[0]->fields[0];
}

static void spell(struct buf *out, struct dialect d, bool plain, const struct field *f, struct slice text)
{
    struct arena a;
    struct problems ps;
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    struct node *n = node_new(&a, f->group, NULL);
    struct value *v = node_value(n, f);
    *v = (struct value){ .p = text.p, .n = (uint32_t)text.n, .state = VALUE_PRESENT };
    d.plain = plain;
    out->n = 0;
    assert_int_equal(cell_write(&d, n, f, v, false, out, &a, &ps), OK);
    arena_release(&a);
}

/* The short way for texts of up to 32 bytes and the long one: each byte at each place.  The text ends where its memory
   does, so that the sanitizer sees a byte too many. */
static void short_and_long_way_agree(void **state)
{
    static const struct dialect dialects[] = {
        { .split = true, .quoting = true, .delimiter = ',', .quote = '"', .charset = CHARSET_UTF_8 },
        { .split = true, .quoting = true, .delimiter = '-', .quote = '\'', .charset = CHARSET_UTF_16LE },
        { .quoting = true, .quote = '"', .charset = CHARSET_UTF_8 },
    };
    struct arena a;
    struct problems ps;
    struct buf fast = { 0 }, slow = { 0 };
    (void)state;
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    const struct field *f = text_field(&a, &ps);
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        for (size_t n = 1; n <= 36; n++)
            for (size_t at = 0; at < n; at++)
                for (int c = 0; c < 256; c++) {
                    char *text = malloc(n);
                    memset(text, 'x', n);
                    text[at] = (char)c;
                    spell(&fast, dialects[i], true, f, (struct slice){ text, n });
                    spell(&slow, dialects[i], false, f, (struct slice){ text, n });
                    assert_int_equal(fast.n, slow.n);
                    assert_memory_equal(fast.p, slow.p, slow.n);
                    free(text);
                }
    buf_release(&fast);
    buf_release(&slow);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(short_and_long_way_agree) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
