#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "message/node.h"

struct fixture {
    struct arena arena;
    struct problems problems;
    struct format *format;
    struct node *file, *order;
};

static const char orders[] =
    "syntax csv\n"
    "Batch text required\n"
    "message Order key Source, Head/No {\n"
    "    Source text required\n"
    "    Amount decimal\n"
    "    group Head 1 {\n"
    "        No text\n"
    "    }\n"
    "    group Line 1..3 key Qty {\n"
    "        Qty  decimal required\n"
    "        Item text\n"
    "    }\n"
    "    Phone text 0..2\n"
    "    group Extra 2..* {\n"
    "        A text\n"
    "    }\n"
    "}\n";

static void compile(struct fixture *f, const char *text)
{
    struct conf *conf;
    assert_int_equal(conf_parse(&f->arena, "t.format", slice_of(text), &conf, &f->problems), OK);
    assert_int_equal(format_compile(&f->arena, NULL, SLICE("t"), conf, &f->format, &f->problems), OK);
    f->file = node_new(&f->arena, f->format->file_group, NULL);
    f->order = node_new(&f->arena, f->format->messages[0], f->file);
}

static int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){ 0 };
    arena_init(&f.arena, 0);
    problems_init(&f.problems, &f.arena, 0);
    compile(&f, orders);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    return 0;
}

static struct node *add(struct fixture *f, struct node *parent, const char *group)
{
    return node_add(&f->arena, parent, group_child(parent->group, slice_of(group)));
}

static struct value *set(struct node *n, const char *field, const char *text)
{
    struct value *v = node_value(n, group_field(n->group, slice_of(field)));
    v->p = text;
    v->n = (uint32_t)strlen(text);
    v->state = v->n ? VALUE_PRESENT : VALUE_EMPTY;
    return v;
}

/* An order that keeps to its format. */
static void fill(struct fixture *f)
{
    set(f->file, "Batch", "b1");
    set(f->order, "Source", "A");
    set(add(f, f->order, "Head"), "No", "77");
    struct node *line = add(f, f->order, "Line");
    set(line, "Qty", "1.50");
    set(line, "Item", "");
    set(add(f, f->order, "Line"), "Qty", "2");
    set(add(f, f->order, "Phone"), ".", "+47 1");
    add(f, f->order, "Extra");
    add(f, f->order, "Extra");
}

static const char *path(struct fixture *f, const struct node *n, const char *field)
{
    return node_path(&f->arena, n, field ? group_field(n->group, slice_of(field)) : NULL).p;
}

static void a_new_node_is_empty(void **state)
{
    struct fixture *f = *state;
    const struct value *v = node_value(f->order, group_field(f->order->group, SLICE("Amount")));
    assert_int_equal(v->state, VALUE_ABSENT);
    assert_true(v->at == VALUE_NO_PLACE);
    assert_true(f->order->at == VALUE_NO_PLACE);
    assert_int_equal(node_list(f->order, group_child(f->order->group, SLICE("Line")))->n, 0);
    assert_true(node_is_void(f->order));
    add(f, f->order, "Line");
    assert_true(node_is_void(f->order));
    set(f->order, "Amount", "");
    assert_false(node_is_void(f->order));
}

static void lists_keep_order_and_position(void **state)
{
    struct fixture *f = *state;
    fill(f);
    const struct node_list *lines = node_list(f->order, group_child(f->order->group, SLICE("Line")));
    assert_int_equal(lines->n, 2);
    assert_int_equal(lines->first->position, 1);
    assert_ptr_equal(lines->first->next, lines->last);
    assert_int_equal(lines->last->position, 2);
    assert_ptr_equal(lines->last->parent, f->order);
}

static void paths_are_below_the_message(void **state)
{
    struct fixture *f = *state;
    fill(f);
    const struct node *line = node_list(f->order, group_child(f->order->group, SLICE("Line")))->last;
    const struct node *phone = node_list(f->order, group_child(f->order->group, SLICE("Phone")))->first;
    const struct node *head = node_list(f->order, group_child(f->order->group, SLICE("Head")))->first;
    assert_string_equal(path(f, line, "Qty"), "Line[2]/Qty");
    assert_string_equal(path(f, line, NULL), "Line[2]");
    assert_string_equal(path(f, head, "No"), "Head/No");
    assert_string_equal(path(f, phone, "."), "Phone[1]");
    assert_string_equal(path(f, f->order, "Source"), "Source");
    assert_string_equal(path(f, f->order, NULL), "");
    assert_string_equal(path(f, f->file, "Batch"), "/Batch");
}

static void the_dump_is_canonical(void **state)
{
    struct fixture *f = *state;
    struct buf out = { 0 };
    fill(f);
    struct value *v = set(f->order, "Amount", "1O\n");
    v->state = VALUE_EMPTY;
    v->form = VALUE_LAX;
    node_dump(&out, f->order);
    assert_string_equal(arena_cstr(&f->arena, buf_slice(&out)),
                        "Order {\n"
                        "  Source = \"A\"\n"
                        "  Amount = unfit \"1O\\n\"\n"
                        "  Head {\n"
                        "    No = \"77\"\n"
                        "  }\n"
                        "  Line {\n"
                        "    Qty = \"1.50\"\n"
                        "    Item = \n"
                        "  }\n"
                        "  Line {\n"
                        "    Qty = \"2\"\n"
                        "  }\n"
                        "  Phone = \"+47 1\"\n"
                        "  Extra {\n"
                        "  }\n"
                        "  Extra {\n"
                        "  }\n"
                        "}\n");
    out.n = 0;
    node_dump(&out, f->file);
    assert_string_equal(arena_cstr(&f->arena, buf_slice(&out)), "Batch = \"b1\"\n");
    buf_release(&out);
}

static void keys(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(node_key(&f->arena, f->order).n, 0);
    fill(f);
    assert_true(slice_is(node_key(&f->arena, f->order), "A\x1f" "77"));
    const struct node *line = node_list(f->order, group_child(f->order->group, SLICE("Line")))->first;
    assert_true(slice_is(node_key(&f->arena, line), "1.5"));
    set((struct node *)(uintptr_t)line, "Qty", "100.00");
    assert_true(slice_is(node_key(&f->arena, line), "100"));
    set((struct node *)(uintptr_t)line, "Qty", "100");
    assert_true(slice_is(node_key(&f->arena, line), "100"));
    assert_int_equal(node_key(&f->arena, f->file).n, 0);
    set(f->order, "Source", "");
    assert_int_equal(node_key(&f->arena, f->order).n, 0);
    /* no two keys meet because a value holds the separator */
    set(f->order, "Source", "A\x1f" "7");
    struct slice one = node_key(&f->arena, f->order);
    set(f->order, "Source", "A");
    set(node_list(f->order, group_child(f->order->group, SLICE("Head")))->first, "No", "7\x1f" "77");
    assert_false(slice_equal(one, node_key(&f->arena, f->order)));
}

static void a_copy_stands_alone(void **state)
{
    struct fixture *f = *state;
    struct arena other;
    struct buf left = { 0 }, right = { 0 };
    char text[] = "short-lived";
    arena_init(&other, 0);
    fill(f);
    set(f->order, "Source", text);
    f->order->at = 5;
    node_dump(&left, f->order);
    struct node *copy = node_copy(&other, f->order, NULL);
    memset(text, '?', sizeof text - 1);
    node_dump(&right, copy);
    assert_true(slice_equal(buf_slice(&left), buf_slice(&right)));
    assert_int_equal(copy->at, 5);
    buf_release(&left);
    buf_release(&right);
    arena_release(&other);
}

static const char *told(struct fixture *f)
{
    struct slice all = SLICE("");
    for (const struct problem *p = f->problems.first; p; p = p->next)
        all = arena_printf(&f->arena, "%.*s%.*s: %s %.*s (%.*s)\n", SLICE_ARG(all), SLICE_ARG(p->path), p->code,
                           SLICE_ARG(p->text), SLICE_ARG(p->hint));
    return arena_cstr(&f->arena, all);
}

static void a_good_message_passes(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_int_equal(node_check(f->order, &f->arena, &f->problems), OK);
    assert_int_equal(node_check(f->file, &f->arena, &f->problems), OK);
    assert_int_equal(f->problems.n, 0);
}

static void what_is_missing_is_told(void **state)
{
    struct fixture *f = *state;
    set(f->order, "Source", "")->at = 17;
    add(f, f->order, "Line");
    for (int i = 0; i < 3; i++)
        add(f, f->order, "Phone");
    add(f, f->order, "Extra");
    assert_int_equal(node_check(f->order, &f->arena, &f->problems), SKIP);
    assert_string_equal(told(f),
                        "Source: REQUIRED a value is required and empty (t.format:4 says required)\n"
                        "Head: REQUIRED is required and missing (t.format:6 says 1)\n"
                        "Line[1]/Qty: REQUIRED a value is required and missing (t.format:10 says required)\n"
                        "Phone: OCCURS stands 3 times (t.format:13 says 0..2)\n"
                        "Extra: OCCURS stands once (t.format:14 says 2..*)\n");
    assert_int_equal(f->problems.first->place.offset, 17);
    assert_true(f->problems.last->place.offset == PLACE_NO_OFFSET);
    f->problems.first = f->problems.last = NULL;
    assert_int_equal(node_check(f->file, &f->arena, &f->problems), SKIP);
    assert_string_equal(told(f), "/Batch: REQUIRED a value is required and missing (t.format:2 says required)\n");
}

static void an_unfit_value_is_a_value(void **state)
{
    struct fixture *f = *state;
    fill(f);
    struct value *v = set(f->order, "Source", "x");
    v->state = VALUE_EMPTY;
    v->form = VALUE_LAX;
    assert_int_equal(node_check(f->order, &f->arena, &f->problems), OK);
}

static void guides_judge_by_key(void **state)
{
    struct fixture *f = *state;
    static const char *const roots[] = { "tests/data/format", NULL };
    const struct finder finder = { .roots = roots };
    assert_int_equal(format_load(&f->arena, &finder, SLICE("edi/nordisk-orders"), NULL, &f->format, &f->problems), OK);
    f->order = node_new(&f->arena, f->format->messages[0], NULL);
    struct node *bgm = add(f, f->order, "BGM");
    set(bgm, "1004", "R-77");
    set(bgm, "1225", "9");
    set(add(f, bgm, "C002"), "1001", "220");
    struct node *date = add(f, add(f, f->order, "DTM"), "C507");
    set(date, "2005", "137");
    set(date, "2379", "203");
    struct node *note = add(f, f->order, "FTX");
    set(note, "4451", "DEL");
    set(add(f, f->order, "FTX"), "4451", "DEL");
    set(add(f, f->order, "UNS"), "0081", "S");
    struct node *cnt = add(f, add(f, f->order, "CNT"), "C270");
    set(cnt, "6069", "2");
    set(cnt, "6066", "1");
    assert_int_equal(node_check(f->order, &f->arena, &f->problems), SKIP);
    assert_string_equal(told(f),
                        "DTM[1]/C507/2379: CODE_UNKNOWN is not in the list of codes (expected 102 (nordisk-orders.format:9))\n"
                        "FTX[\"DEL\"]: OCCURS stands 2 times (nordisk-orders.format:12 says 0..1)\n"
                        "Party[\"BY\"]: REQUIRED is required here and missing (nordisk-orders.format:14 says 1)\n"
                        "Party[\"DP\"]: REQUIRED is required here and missing (nordisk-orders.format:16 says 1)\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_node_is_empty), TEST(lists_keep_order_and_position), TEST(paths_are_below_the_message), TEST(the_dump_is_canonical),
        TEST(keys), TEST(a_copy_stands_alone), TEST(a_good_message_passes), TEST(what_is_missing_is_told), TEST(an_unfit_value_is_a_value),
        TEST(guides_judge_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
