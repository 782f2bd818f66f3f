/* Our scan against libcsv on every file of the corpus, on samples and on rows made up here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "csvequal.h"

static const unsigned char delimiters[] = { ',', ';', '\t', '|' };

static void check(struct slice text, const char *what)
{
    for (size_t i = 0; i < sizeof delimiters; i++) {
        struct source s;
        source_open_text(&s, text, what, NULL);
        long rows = csv_ways_equal(text, delimiters[i], &s);
        if (rows < 0)
            print_error("%s: row %ld differs with delimiter %c\n", what, -rows, delimiters[i]);
        assert_true(rows >= 0);
    }
}

static void corpus(void **state)
{
    (void)state;
    static const char *const folders[] = { "tests/corpus/csv", "tests/corpus/csv/found", NULL };
    size_t files = 0;
    struct arena a;
    struct problems ps;
    arena_init(&a, 0);
    problems_init(&ps, &a, 10);
    for (size_t i = 0; folders[i]; i++) {
        DIR *d = opendir(folders[i]);
        struct dirent *e;
        while (d && (e = readdir(d)) != NULL) {
            struct slice text;
            if (e->d_name[0] == '.' || e->d_type == DT_DIR)
                continue;
            assert_int_equal(file_read(&a, file_join(&a, folders[i], e->d_name), 0, &text, &ps), OK);
            char *clean = arena_alloc(&a, text.n + 1);
            memcpy(clean, text.p, text.n);
            for (size_t k = 0; k < text.n; k++)
                if (clean[k] == 0)              /* we refuse NUL bytes, libcsv does not */
                    clean[k] = 'n';
            check((struct slice){ clean, text.n }, e->d_name);
            files++;
        }
        if (d)
            closedir(d);
    }
    assert_true(files >= 30);
    arena_release(&a);
}

/* All texts of eight bytes over an alphabet of trouble. */
static void all_short_texts(void **state)
{
    (void)state;
    static const char alphabet[] = "\",\n\ra";
    char text[8];
    for (uint32_t n = 0; n < 390625; n++) {
        uint32_t v = n;
        for (size_t i = 0; i < sizeof text; i++, v /= 5)
            text[i] = alphabet[v % 5];
        struct source s;
        source_open_text(&s, (struct slice){ text, sizeof text }, "x", NULL);
        if (csv_ways_equal((struct slice){ text, sizeof text }, ',', &s) < 0)
            fail_msg("differs: %.8s (%u)", text, n);
    }
}

static ssize_t drip(struct source *s, char *p, size_t n)
{
    struct slice *left = s->owner;
    size_t now = left->n < 7 ? left->n : 7;
    now = now < n ? now : n;
    memcpy(p, left->p, now);
    left->p += now;
    left->n -= now;
    return (ssize_t)now;
}

/* Random rows, whole and seven bytes at a time. */
static void random_rows(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        char text[300];
        size_t n = 0;
        while (n < sizeof text) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[n++] = "abcdefgh,,\n\"\"\"\r\n"[seed >> 60];
        }
        struct slice all = { text, sizeof text }, left = all;
        struct source s;
        source_open_text(&s, all, "x", NULL);
        long whole = csv_ways_equal(all, ',', &s);
        source_open_filter(&s, drip, &left, "x", NULL);
        long parts = csv_ways_equal(all, ',', &s);
        source_close(&s);
        assert_true(whole >= 0);
        assert_int_equal(whole, parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(corpus), cmocka_unit_test(all_short_texts),
                                        cmocka_unit_test(random_rows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
