#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "store/table.h"
#include "unit/basekit.h"

static const struct place nowhere = { .file = "t.csv", .offset = PLACE_NO_OFFSET, .line = 7 };

static struct value text(const char *s)
{
    if (s == NULL)
        return (struct value){ .state = VALUE_ABSENT, .p = "" };
    return (struct value){ .p = s, .n = (uint32_t)strlen(s), .state = VALUE_PRESENT };
}

static struct table *make(size_t nkeys, uint64_t limit)
{
    static const struct slice names[] = { { "Code", 4 }, { "Unit", 4 }, { "Price", 5 } };
    static const enum type types[] = { TYPE_TEXT, TYPE_TEXT, TYPE_DECIMAL };
    static const int keys[] = { 0, 1 };
    return table_new(&arena, &(struct table_shape){ .name = SLICE("prices"), .columns = names, .types = types,
                                                    .ncolumns = 3,
                                                    .keys = keys, .nkeys = nkeys, .limit = limit });
}

static int add(struct table *t, const char *a, const char *b, const char *c, enum table_policy policy)
{
    struct value row[] = { text(a), text(b), text(c) };
    return table_add(t, row, policy, nowhere, &problems);
}

static int find(struct table *t, int column, const char *key, const struct value **row)
{
    struct slice k = slice_of(key);
    return table_find(t, &column, &k, 1, row);
}

static int prefer(struct table *t, const char *key, const struct value **row)
{
    struct slice k = slice_of(key);
    return table_find_preferred(t, (int[]){ 0 }, &k, 1, 1, row);
}

static void finds_the_preferred_one(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(0, 0);
    add(t, "A", "true", "1", TABLE_REFUSE);
    add(t, "B", "false", "2", TABLE_REFUSE);
    add(t, "B", "true", "3", TABLE_REFUSE);
    add(t, "C", NULL, "4", TABLE_REFUSE);
    add(t, "C", "false", "5", TABLE_REFUSE);
    add(t, "D", "true", "6", TABLE_REFUSE);
    add(t, "D", "true", "7", TABLE_REFUSE);
    add(t, "E", "false", "8", TABLE_REFUSE);
    assert_int_equal(prefer(t, "A", &row), 1);
    assert_int_equal(prefer(t, "B", &row), 1);
    assert_true(slice_is(value_text(&row[2]), "3"));
    assert_int_equal(prefer(t, "C", &row), 0);
    assert_null(row);
    assert_int_equal(prefer(t, "D", &row), 2);
    assert_int_equal(prefer(t, "E", &row), 1);      /* there is no choice to make */
    assert_int_equal(prefer(t, "F", &row), 0);
}

static void finds_none_one_and_more(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(2, 0);
    assert_int_equal(find(t, 0, "A", &row), 0);
    assert_int_equal(add(t, "A", "pcs", "1.50", TABLE_REFUSE), OK);
    assert_int_equal(add(t, "A", "box", "15", TABLE_REFUSE), OK);
    assert_int_equal(add(t, "B", "pcs", NULL, TABLE_REFUSE), OK);
    assert_int_equal(find(t, 0, "B", &row), 1);
    assert_int_equal(row[2].state, VALUE_ABSENT);
    assert_int_equal(find(t, 0, "A", &row), 2);
    assert_true(slice_is(value_text(&row[1]), "pcs"));
    assert_int_equal(find(t, 0, "C", &row), 0);
    assert_null(row);
    int both[] = { 0, 1 };
    assert_int_equal(table_find(t, both, (struct slice[]){ SLICE("A"), SLICE("box") }, 2, &row), 1);
    assert_true(slice_is(value_text(&row[2]), "15"));
    assert_int_equal(table_find(t, both, (struct slice[]){ SLICE("Ab"), SLICE("ox") }, 2, &row), 0);
}

static void decimals_are_equal_by_value(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(1, 0);
    add(t, "A", "", "1.50", TABLE_REFUSE);
    add(t, "B", "", "100", TABLE_REFUSE);
    assert_int_equal(find(t, 2, "1.5", &row), 1);
    assert_int_equal(find(t, 2, "1.500", &row), 1);
    assert_int_equal(find(t, 2, "100.00", &row), 1);
    assert_int_equal(find(t, 2, "1", &row), 0);
}

static void a_known_key_is_refused_replaced_or_merged(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(1, 0);
    assert_int_equal(add(t, "A", "pcs", "1", TABLE_REFUSE), OK);
    assert_int_equal(add(t, "A", "box", "2", TABLE_REFUSE), SKIP);
    assert_string_equal(problems.first->code, "TABLE_DUPLICATE");
    assert_int_equal(problems.first->place.line, 7);
    assert_int_equal(t->count, 1);
    assert_int_equal(find(t, 1, "pcs", &row), 1);
    assert_int_equal(add(t, "A", "box", "2", TABLE_LAST), OK);
    assert_int_equal(find(t, 1, "pcs", &row), 0);
    assert_int_equal(find(t, 1, "box", &row), 1);
    assert_int_equal(add(t, "A", NULL, "3", TABLE_MERGE), OK);
    assert_int_equal(find(t, 0, "A", &row), 1);
    assert_true(slice_is(value_text(&row[1]), "box"));
    assert_true(slice_is(value_text(&row[2]), "3"));
    assert_int_equal(t->count, 1);
}

static void rows_can_be_removed_and_come_again(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(1, 0);
    add(t, "A", "x", "1", TABLE_REFUSE);
    add(t, "B", "x", "2", TABLE_REFUSE);
    assert_int_equal(find(t, 1, "x", &row), 2);
    table_remove(t, 0);
    table_remove(t, 0);
    assert_int_equal(t->count, 1);
    assert_null(table_row(t, 0));
    assert_int_equal(find(t, 1, "x", &row), 1);
    assert_int_equal(add(t, "A", "x", "1", TABLE_REFUSE), OK);
    assert_int_equal(find(t, 0, "A", &row), 1);
}

static void walks_all_rows_of_a_key_and_tests_uniqueness(void **state)
{
    (void)state;
    struct table *t = make(0, 0);
    int column = 1;
    size_t first, second;
    struct slice k = SLICE("x");
    assert_true(table_unique(t, &column, 1, &first, &second));
    add(t, "A", "x", "1", TABLE_REFUSE);
    add(t, "B", "y", "1", TABLE_REFUSE);
    add(t, "A", "x", "1", TABLE_REFUSE);
    assert_int_equal(table_next(t, &column, &k, 1, TABLE_NONE), 0);
    assert_int_equal(table_next(t, &column, &k, 1, 0), 2);
    assert_true(table_next(t, &column, &k, 1, 2) == TABLE_NONE);
    assert_false(table_unique(t, &column, 1, &first, &second));
    assert_int_equal(first, 0);
    assert_int_equal(second, 2);
}

static void many_rows_keep_their_index_while_they_come(void **state)
{
    (void)state;
    const struct value *row;
    struct table *t = make(1, 50000);
    char key[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof key, "K%d", i);
        assert_int_equal(add(t, key, "u", "1", TABLE_REFUSE), OK);
    }
    for (int i = 0; i < 50000; i += 7) {
        snprintf(key, sizeof key, "K%d", i);
        assert_int_equal(find(t, 0, key, &row), 1);
        assert_true(slice_is(value_text(&row[0]), key));
    }
    assert_int_equal(add(t, "one more", "u", "1", TABLE_REFUSE), STOP);
    assert_string_equal(problems.last->code, "LIMIT_TABLE");
    assert_int_equal(table_column(t, SLICE("Price")), 2);
    assert_int_equal(table_column(t, SLICE("price")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_the_preferred_one, base_begin, base_end),
        cmocka_unit_test_setup_teardown(finds_none_one_and_more, base_begin, base_end),
        cmocka_unit_test_setup_teardown(decimals_are_equal_by_value, base_begin, base_end),
        cmocka_unit_test_setup_teardown(a_known_key_is_refused_replaced_or_merged, base_begin, base_end),
        cmocka_unit_test_setup_teardown(rows_can_be_removed_and_come_again, base_begin, base_end),
        cmocka_unit_test_setup_teardown(walks_all_rows_of_a_key_and_tests_uniqueness, base_begin, base_end),
        cmocka_unit_test_setup_teardown(many_rows_keep_their_index_while_they_come, base_begin, base_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
