/* What is packed comes back the same, whatever lies in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "message/pack.h"
#include "tree.h"

static const char *const format =
    "syntax json lines\n"
    "message Order key No {\n"
    "    No text\n"
    "    Date date lax\n"
    "    Note text\n"
    "    group Line 0..* {\n"
    "        Item text\n"
    "        Quantity decimal lax\n"
    "        group Serial 0..* {\n"
    "            Number text\n"
    "        }\n"
    "    }\n"
    "    group Address {\n"
    "        City text\n"
    "    }\n"
    "}\n";

static void put(struct node *n, const char *field, const char *text, uint8_t state, uint8_t form)
{
    struct value *v = node_value(n, group_field(n->group, slice_of(field)));
    *v = (struct value){ .p = text, .n = (uint32_t)strlen(text), .state = state, .form = form, .at = 7 };
}

static struct slice dump(struct arena *a, const struct node *n)
{
    struct buf b = { 0 };
    node_dump(&b, n);
    struct slice out = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return out;
}

static struct node *again(struct tree *t, const struct node *n, struct buf *packed)
{
    node_pack(packed, n);
    return node_unpack(&t->arena, n->group, buf_slice(packed), n->parent);
}

static void test_all(void **state)
{
    struct tree t;
    struct buf packed = { 0 };
    char *text = malloc(70000);
    (void)state;
    tree_init(&t);
    struct format *f = tree_format(&t, "order", format);
    struct node *order = node_new(&t.arena, f->messages[0], NULL);
    memset(text, 'x', 69999);
    text[69999] = '\0';
    put(order, "No", "A-1", VALUE_PRESENT, VALUE_QUOTED);
    put(order, "Date", "31.31.", VALUE_EMPTY, VALUE_LAX);
    put(order, "Note", text, VALUE_PRESENT, 0);
    const struct group *line = group_child(order->group, SLICE("Line"));
    for (int i = 0; i < 300; i++) {
        struct node *l = node_add(&t.arena, order, line);
        put(l, "Item", i % 2 ? "K-1" : "", i % 2 ? VALUE_PRESENT : VALUE_EMPTY, 0);
        if (i % 3 == 0)
            put(node_add(&t.arena, l, line->groups[0]), "Number", "S", VALUE_PRESENT, 0);
    }
    struct node *back = again(&t, order, &packed);
    struct slice want = dump(&t.arena, order), got = dump(&t.arena, back);
    assert_int_equal(want.n, got.n);
    assert_memory_equal(want.p, got.p, want.n);
    assert_int_equal(node_list(back, line)->n, 300);
    assert_int_equal(node_list(back, line)->last->position, 300);
    assert_ptr_equal(node_list(back, line)->last->parent, back);
    assert_int_equal(back->values[0].form, 0);
    assert_true(back->values[0].at == VALUE_NO_PLACE);
    buf_release(&packed);
    free(text);
    tree_release(&t);
}

static void test_nothing(void **state)
{
    struct tree t;
    struct buf packed = { 0 };
    (void)state;
    tree_init(&t);
    struct format *f = tree_format(&t, "order", format);
    struct node *back = again(&t, node_new(&t.arena, f->messages[0], NULL), &packed);
    assert_true(node_is_void(back));
    assert_int_equal(packed.n, 3);
    buf_release(&packed);
    tree_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all), cmocka_unit_test(test_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
