#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "message/edit.h"

static void edits_keep_their_order(void **state)
{
    struct arena a;
    struct edits e;
    struct format *f;
    (void)state;
    arena_init(&a, 0);
    struct group *m = group_add(&a, format_new(&a, "t", "csv", &f), "M", 0, OCCURS_MANY);
    struct group *line = group_add(&a, m, "Line", 0, OCCURS_MANY);
    struct field *no = group_add_field(&a, line, "No", TYPE_TEXT);
    struct node *message = node_new(&a, m, NULL), *first = node_add(&a, message, line);
    struct node *new = node_new(&a, line, message);
    struct value v = { .p = "7", .n = 1, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };

    edits_init(&e, &a);
    assert_int_equal(e.n, 0);
    assert_null(e.first);
    edit_set(&e, first, no, &v);
    v.p = "8";                                      /* the edit has its own copy of the value */
    edit_insert(&e, new, message, first);
    edit_delete(&e, first);
    assert_int_equal(e.n, 3);
    assert_int_equal(e.first->kind, EDIT_SET);
    assert_ptr_equal(e.first->field, no);
    assert_true(slice_is(value_text(&e.first->value), "7"));
    assert_int_equal(e.first->next->kind, EDIT_INSERT);
    assert_ptr_equal(e.first->next->node, new);
    assert_ptr_equal(e.first->next->parent, message);
    assert_ptr_equal(e.first->next->after, first);
    assert_ptr_equal(e.last->node, first);
    assert_null(e.last->next);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(edits_keep_their_order) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
