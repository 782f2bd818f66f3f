#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/file.h"
#include "flow/config.h"
#include "flow/versions.h"
#include "unit/storekit.h"

static const char rows[] = "syntax csv delimiter \";\" header yes\ninclude fields\n";
static const char copy[] = "mapping rows <=> rows\n\nRow <=> Row {\n    Id <=> Id\n}\n";
static const char conf[] = "site \"A\"\nzone \"UTC\"\nflow a {\n    on yes\n    operation convert {\n"
                           "        take inbox \"inbox/a\"\n        give outbox \"outbox/a\" name \"{file}\" map copy\n    }\n}\n";

static struct site *load_site(void)
{
    struct site *s;
    dir_put("rows.format", rows);
    dir_put("fields.format", "message Row {\n    Id text\n}\n");
    dir_put("copy.map", copy);
    dir_put("site.conf", conf);
    assert_int_equal(site_load(&arena, NULL, dir, &s, &problems), OK);
    return s;
}

/* Every file that was opened, the included one as well, by path, without the site's folder. */
static void a_manifest_names_all_files(void **state)
{
    char hash[SHA256_HEX], again[SHA256_HEX];
    struct config_file *list;
    struct site_config then;
    size_t n;
    (void)state;
    struct site *s = load_site();
    assert_int_equal(config_keep(&store, s, hash, &problems), OK);
    assert_int_equal(config_keep(&store, s, again, &problems), OK);
    assert_string_equal(hash, again);
    assert_int_equal(config_files(&store, &arena, hash, &list, &n, &problems), OK);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].path, "copy.map");
    assert_string_equal(list[1].path, "fields.format");
    assert_string_equal(list[2].path, "rows.format");
    assert_int_equal(config_load(&store, &arena, hash, &then, &problems), OK);
    struct slice *text = map_get(&then.files, SLICE("copy.map"));
    assert_true(text && slice_is(*text, copy));
}

/* Also when a file is gone since. */
static void a_site_is_loaded_as_it_was(void **state)
{
    char hash[SHA256_HEX];
    const struct site *then;
    struct table_cache *tables;
    struct site *now = load_site();
    (void)state;
    assert_int_equal(config_keep(&store, now, hash, &problems), OK);
    dir_put("fields.format", "message Row {\n    Other text\n}\n");
    dir_put("copy.map", "mapping rows <=> rows\n\nRow <=> Row {\n    Other <=> Other\n}\n");
    assert_int_equal(site_load(&arena, NULL, dir, &now, &problems), OK);
    unlink(file_join(&arena, dir, "fields.format"));
    struct versions *v = versions_new(now);
    assert_int_equal(versions_find(v, SLICE(""), &then, &tables, &problems), OK);
    assert_ptr_equal(then, now);
    assert_int_equal(versions_find(v, slice_of(hash), &then, &tables, &problems), OK);
    const struct operation *op = then->flows[0]->operations[0];
    assert_true(group_field(op->format->messages[0], SLICE("Id")) != NULL);
    assert_int_equal(versions_unfit(op, &problems, &arena).n, 0);
    const struct site *again;
    assert_int_equal(versions_find(v, slice_of(hash), &again, &tables, &problems), OK);
    assert_ptr_equal(again, then);
    versions_free(v);
}

static void one_that_is_not_kept_is_refused(void **state)
{
    char hash[SHA256_HEX];
    const struct site *then;
    struct table_cache *tables;
    struct site *now = load_site();
    (void)state;
    assert_int_equal(config_keep(&store, now, hash, &problems), OK);
    struct versions *v = versions_new(now);
    hash[0] = hash[0] == 'a' ? 'b' : 'a';
    assert_int_equal(versions_find(v, slice_of(hash), &then, &tables, &problems), STOP);
    assert_true(versions_unfit(NULL, &problems, &arena).n > 0);
    versions_free(v);
}

static void wrong_manifests_are_refused(void **state)
{
    static const char *const texts[] = {
        "x", "abc  path\n", "0000000000000000000000000000000000000000000000000000000000000000 path\n",
        "0000000000000000000000000000000000000000000000000000000000000000  path",
        "000000000000000000000000000000000000000000000000000000000000000G  path\n",
        "0000000000000000000000000000000000000000000000000000000000000000  \n",
    };
    struct config_file *list;
    size_t n;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(config_read(&arena, slice_of(texts[i]), "m", &list, &n, &problems), STOP);
    assert_int_equal(config_read(&arena, SLICE(""), "m", &list, &n, &problems), OK);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_names_all_files, store_begin, store_end),
        cmocka_unit_test_setup_teardown(a_site_is_loaded_as_it_was, store_begin, store_end),
        cmocka_unit_test_setup_teardown(one_that_is_not_kept_is_refused, store_begin, store_end),
        cmocka_unit_test_setup_teardown(wrong_manifests_are_refused, store_begin, store_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
