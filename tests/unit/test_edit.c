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

struct orders {
    struct arena tree, mapping;
    struct group *message, *line, *part;
    struct field *number, *no, *quantity, *name;
    struct node *order;
    struct edits edits;
};

static struct value text(const char *s)
{
    return (struct value){ .p = s, .n = (uint32_t)strlen(s), .state = VALUE_PRESENT, .at = 7, .form = VALUE_QUOTED };
}

static struct node *line_new(struct orders *o, struct node *parent, const char *no)
{
    struct node *n = parent ? node_add(&o->tree, parent, o->line) : node_new(&o->mapping, o->line, o->order);
    *node_value(n, o->no) = text(no);
    return n;
}

static void orders_open(struct orders *o, unsigned lines)
{
    struct format *f;
    static const char *const numbers[] = { "1", "2", "3", "4" };
    arena_init(&o->tree, 0);
    arena_init(&o->mapping, 0);
    o->message = group_add(&o->tree, format_new(&o->tree, "t", "json", &f), "Order", 0, OCCURS_MANY);
    o->number = group_add_field(&o->tree, o->message, "Number", TYPE_TEXT);
    o->line = group_add(&o->tree, o->message, "Line", 0, OCCURS_MANY);
    o->no = group_add_field(&o->tree, o->line, "No", TYPE_TEXT);
    o->quantity = group_add_field(&o->tree, o->line, "Quantity", TYPE_DECIMAL);
    o->part = group_add(&o->tree, o->line, "Part", 0, OCCURS_MANY);
    o->name = group_add_field(&o->tree, o->part, "Name", TYPE_TEXT);
    o->order = node_new(&o->tree, o->message, NULL);
    for (unsigned i = 0; i < lines; i++)
        line_new(o, o->order, numbers[i]);
    edits_init(&o->edits, &o->mapping);
}

/* Applies, lets go of everything of the mapping, and compares the tree. */
static void orders_are(struct orders *o, const char *want)
{
    struct buf b = { 0 };
    uint32_t position = 0;
    edits_apply(&o->edits, &o->tree);
    arena_release(&o->mapping);
    node_dump(&b, o->order);
    assert_string_equal(arena_cstr(&o->tree, buf_slice(&b)), want);
    for (const struct node *n = node_list(o->order, o->line)->first; n; n = n->next)
        assert_int_equal(n->position, ++position);
    assert_int_equal(node_list(o->order, o->line)->n, position);
    buf_release(&b);
    arena_release(&o->tree);
}

static void values_are_set_in_the_tree(void **state)
{
    struct orders o;
    (void)state;
    orders_open(&o, 2);
    struct node *first = node_list(o.order, o.line)->first;
    char scratch[] = "A-1";
    struct value v = text(scratch), lax = { .p = "12O", .n = 3, .state = VALUE_EMPTY, .form = VALUE_LAX };
    struct value absent = { .state = VALUE_ABSENT };
    edit_set(&o.edits, o.order, o.number, &v);
    edit_set(&o.edits, first, o.quantity, &lax);
    edit_set(&o.edits, first->next, o.no, &absent);
    edits_apply(&o.edits, &o.tree);
    scratch[0] = 'B';                               /* the tree has its own copy */
    assert_true(slice_is(value_text(node_value(o.order, o.number)), "A-1"));
    assert_true(node_value(o.order, o.number)->at == VALUE_NO_PLACE);
    assert_int_equal(node_value(o.order, o.number)->form, 0);
    edits_init(&o.edits, &o.mapping);
    orders_are(&o, "Order {\n  Number = \"A-1\"\n  Line {\n    No = \"1\"\n    Quantity = unfit \"12O\"\n  }\n"
               "  Line {\n  }\n}\n");
}

static void instances_come_and_go(void **state)
{
    struct orders o;
    (void)state;
    orders_open(&o, 4);
    struct node *one = node_list(o.order, o.line)->first, *two = one->next;
    struct node *five = line_new(&o, NULL, "5"), *six = line_new(&o, NULL, "6"), *seven = line_new(&o, NULL, "7");
    struct value v = text("9");
    *node_value(node_add(&o.mapping, five, o.part), o.name) = text("leg");
    edit_insert(&o.edits, five, o.order, one);
    edit_insert(&o.edits, six, o.order, five);      /* behind one that was inserted before it */
    edit_insert(&o.edits, seven, o.order, NULL);
    edit_delete(&o.edits, two);
    edit_delete(&o.edits, two->next);
    edit_set(&o.edits, six, o.quantity, &v);
    orders_are(&o, "Order {\n  Line {\n    No = \"1\"\n  }\n  Line {\n    No = \"5\"\n    Part {\n      Name = \"leg\"\n"
               "    }\n  }\n  Line {\n    No = \"6\"\n    Quantity = \"9\"\n  }\n  Line {\n    No = \"4\"\n  }\n"
               "  Line {\n    No = \"7\"\n  }\n}\n");
}

/* The copy has the changes, the tree itself stays; edits of other trees are passed over. */
static void a_copy_has_the_changes(void **state)
{
    struct orders o;
    struct buf b = { 0 };
    (void)state;
    orders_open(&o, 3);
    struct node *one = node_list(o.order, o.line)->first, *other = node_new(&o.tree, o.message, NULL);
    struct value v = text("9");
    edit_set(&o.edits, one->next, o.no, &v);
    edit_set(&o.edits, one->next, o.quantity, &v);
    edit_set(&o.edits, other, o.number, &v);
    edit_insert(&o.edits, line_new(&o, NULL, "8"), other, NULL);
    edit_insert(&o.edits, line_new(&o, NULL, "5"), o.order, one);
    edit_delete(&o.edits, one);
    struct node *copy = edits_copy(o.edits.first->next, o.order, &o.tree);
    node_dump(&b, copy);
    assert_string_equal(arena_cstr(&o.tree, buf_slice(&b)), "Order {\n  Line {\n    No = \"5\"\n  }\n  Line {\n    No = \"2\"\n"
                        "    Quantity = \"9\"\n  }\n  Line {\n    No = \"3\"\n  }\n}\n");
    assert_int_equal(node_list(copy, o.line)->last->position, 3);
    assert_true(node_is_void(other));
    buf_release(&b);
    edits_init(&o.edits, &o.mapping);
    orders_are(&o, "Order {\n  Line {\n    No = \"1\"\n  }\n  Line {\n    No = \"2\"\n  }\n  Line {\n    No = \"3\"\n  }\n}\n");
}

static void all_may_go(void **state)
{
    struct orders o;
    (void)state;
    orders_open(&o, 3);
    struct node *new = line_new(&o, NULL, "5");
    edit_insert(&o.edits, new, o.order, NULL);
    edit_delete(&o.edits, new);
    for (struct node *n = node_list(o.order, o.line)->first; n; n = n->next)
        edit_delete(&o.edits, n);
    orders_are(&o, "Order {\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_keep_their_order),
        cmocka_unit_test(values_are_set_in_the_tree),
        cmocka_unit_test(instances_come_and_go),
        cmocka_unit_test(a_copy_has_the_changes),
        cmocka_unit_test(all_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
