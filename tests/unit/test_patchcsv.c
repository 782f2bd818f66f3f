/* Update mode on CSV: what is changed are just the bytes of the change. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "csvkit.h"

static const char orders[] =
    "syntax csv delimiter \";\"\nencoding utf-8\n"
    "message Order key No {\n    No text required\n    Buyer text\n    Date date pattern \"dd.MM.yyyy\"\n"
    "    group Line 0..* {\n        Item text\n        Qty decimal mark \",\"\n    }\n}\n";

/* A reader that keeps all messages, so that a test can edit any of them. */
struct bench {
    struct kit k;
    struct edits edits;
    struct node *message[200];
    size_t n;
    struct slice text;
};

static void begin(struct bench *b, const char *format, struct slice text)
{
    *b = (struct bench){ .text = text };
    kit_open(&b->k, format, text.p, text.n);
    edits_init(&b->edits, &b->k.arena);
    while (b->k.rc < STOP && b->n < 200
           && (b->k.rc = reader_read(&b->k.reader, &b->k.arena, &b->message[b->n], &b->k.problems)) != END)
        b->n += b->k.rc < SKIP;
    assert_true(b->k.rc == END || b->n == 200);
}

static struct slice finish(struct bench *b)
{
    struct patcher p;
    struct source again;
    struct sink out;
    patcher_init(&p, &b->k.reader, &b->k.arena);
    b->k.rc = patcher_add(&p, &b->edits, &b->k.problems);
    source_open_text(&again, b->text, "again", NULL);
    sink_open_memory(&out, "out");
    if (b->k.rc < SKIP)
        b->k.rc = patch_run(&p, &again, &out, &b->k.problems);
    struct slice got = arena_copy(&b->k.arena, buf_slice(&out.buf));
    sink_release(&out);
    return got;
}

static void gives(struct bench *b, const char *want, size_t n)
{
    struct slice got = finish(b);
    if (got.n != n || memcmp(got.p, want, n) != 0)
        print_error("got:\n%.*s\nwant:\n%.*s\n", (int)got.n, got.p, (int)n, want);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.p, want, n);
    kit_close(&b->k);
}

#define GIVES(b, text) gives(b, text, sizeof(text) - 1)

static struct value text_value(const char *text)
{
    return (struct value){ .p = text, .n = (uint32_t)strlen(text), .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
}

static void set(struct bench *b, struct node *n, const char *field, const char *text)
{
    struct value v = text_value(text);
    edit_set(&b->edits, n, group_field(n->group, slice_of(field)), &v);
}

static struct node *line(struct node *order, size_t i)
{
    struct node *n = node_list(order, group_child(order->group, SLICE("Line")))->first;
    while (i-- > 0)
        n = n->next;
    return n;
}

#define FILE_TEXT                                                                                                    \
    "No;Rest;Buyer;Date;Item;Qty\r\nA;u;\"X\";01.02.2026;i1;1,50\r\nA;v;X;01.02.2026;i2;2\n\nB;w;Y;;i3;\r\nC;x;Z;;;"
#define HEAD "No;Rest;Buyer;Date;Item;Qty\r\n"
#define A1 "A;u;\"X\";01.02.2026;i1;1,50\r\n"
#define A2 "A;v;X;01.02.2026;i2;2\n"
#define B1 "B;w;Y;;i3;\r\n"
#define C1 "C;x;Z;;;"

static void nothing(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    assert_int_equal(b.n, 3);
    GIVES(&b, FILE_TEXT);
}

static void values(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    set(&b, line(b.message[0], 1), "Qty", "3.5");
    GIVES(&b, HEAD A1 "A;v;X;01.02.2026;i2;3,5\n\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    set(&b, line(b.message[1], 0), "Qty", "7");
    set(&b, line(b.message[1], 0), "Item", "a;\"b\"");
    GIVES(&b, HEAD A1 A2 "\nB;w;Y;;\"a;\"\"b\"\"\";7\r\n" C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    set(&b, b.message[0], "Buyer", "Q");           /* an outer field: every row, each in its form */
    set(&b, b.message[0], "Date", "2026-12-24");
    GIVES(&b, HEAD "A;u;\"Q\";24.12.2026;i1;1,50\r\nA;v;Q;24.12.2026;i2;2\n\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    struct value none = { .state = VALUE_ABSENT };
    edit_set(&b.edits, line(b.message[0], 0), group_field(line(b.message[0], 0)->group, SLICE("Qty")), &none);
    GIVES(&b, HEAD "A;u;\"X\";01.02.2026;i1;\r\n" A2 "\n" B1 C1);
}

static struct node *new_line(struct bench *b, struct node *order, const char *item, const char *qty)
{
    struct node *n = node_new(&b->k.arena, group_child(order->group, SLICE("Line")), order);
    *node_value(n, group_field(n->group, SLICE("Item"))) = text_value(item);
    *node_value(n, group_field(n->group, SLICE("Qty"))) = text_value(qty);
    return n;
}

static void new_rows(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    edit_insert(&b.edits, new_line(&b, b.message[0], "n", "9"), b.message[0], line(b.message[0], 0));
    GIVES(&b, HEAD A1 "A;;\"X\";01.02.2026;n;9\r\n" A2 "\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    edit_insert(&b.edits, new_line(&b, b.message[1], "n", "9"), b.message[1], NULL);
    edit_insert(&b.edits, new_line(&b, b.message[1], "m", "8"), b.message[1], NULL);
    GIVES(&b, HEAD A1 A2 "\n" B1 "B;;Y;;n;9\r\nB;;Y;;m;8\r\n" C1);
    begin(&b, orders, SLICE(FILE_TEXT));            /* C has no line: its row takes the first one */
    edit_insert(&b.edits, new_line(&b, b.message[2], "n", "9"), b.message[2], NULL);
    GIVES(&b, HEAD A1 A2 "\n" B1 "C;x;Z;;n;9");
}

/* A new row repeats what the same update sets, not what stands in the rows beside it. */
static void new_rows_of_changed_fields(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct bench b;
        begin(&b, orders, SLICE(FILE_TEXT));
        if (first)
            set(&b, b.message[0], "Buyer", "Q");
        edit_insert(&b.edits, new_line(&b, b.message[0], "n", "9"), b.message[0], NULL);
        if (!first)
            set(&b, b.message[0], "Buyer", "Q");
        GIVES(&b, HEAD "A;u;\"Q\";01.02.2026;i1;1,50\r\nA;v;Q;01.02.2026;i2;2\nA;;\"Q\";01.02.2026;n;9\r\n" "\n" B1 C1);
    }
}

/* Where the file ends in a void cell, its value and the new row go to one place. */
static void new_rows_behind_a_value(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE("No;Buyer;Date;Item;Qty\nA;;;i1;"));
    edit_insert(&b.edits, new_line(&b, b.message[0], "n", "9"), b.message[0], NULL);
    set(&b, line(b.message[0], 0), "Qty", "7");
    GIVES(&b, "No;Buyer;Date;Item;Qty\nA;;;i1;7\nA;;;n;9");
}

/* The void row of an order takes one new line only; the others are rows of their own. */
static void new_rows_of_a_void_order(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    edit_insert(&b.edits, new_line(&b, b.message[2], "n", "9"), b.message[2], NULL);
    edit_insert(&b.edits, new_line(&b, b.message[2], "m", "8"), b.message[2], NULL);
    GIVES(&b, HEAD A1 A2 "\n" B1 "C;x;Z;;n;9\r\nC;;Z;;m;8");
}

/* The last row has no line end and goes: what comes behind it needs none ahead. */
static void new_rows_for_the_last(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE("No;Buyer;Date;Item;Qty\nA;;;i1;1\nA;;;i2;2"));
    edit_insert(&b.edits, new_line(&b, b.message[0], "n", "9"), b.message[0], NULL);
    edit_insert(&b.edits, new_line(&b, b.message[0], "m", "8"), b.message[0], NULL);
    edit_delete(&b.edits, line(b.message[0], 1));
    GIVES(&b, "No;Buyer;Date;Item;Qty\nA;;;i1;1\nA;;;n;9\nA;;;m;8");
}

/* `order follow`: a row behind one that is new itself. */
static void new_rows_in_order(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    struct node *order = b.message[0], *n = new_line(&b, order, "n", "9"), *m = new_line(&b, order, "m", "8");
    edit_insert(&b.edits, n, order, line(order, 0));
    edit_insert(&b.edits, m, order, n);
    GIVES(&b, HEAD A1 "A;;\"X\";01.02.2026;n;9\r\nA;;\"X\";01.02.2026;m;8\r\n" A2 "\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    order = b.message[2];
    n = new_line(&b, order, "n", "9"), m = new_line(&b, order, "m", "8");
    edit_insert(&b.edits, n, order, NULL);
    edit_insert(&b.edits, m, order, n);
    GIVES(&b, HEAD A1 A2 "\n" B1 "C;x;Z;;n;9\r\nC;;Z;;m;8");
    begin(&b, orders, SLICE(FILE_TEXT));                /* behind the last one, ahead of what has no predecessor */
    order = b.message[0];
    n = new_line(&b, order, "n", "9"), m = new_line(&b, order, "m", "8");
    edit_insert(&b.edits, n, order, NULL);
    edit_insert(&b.edits, m, order, line(order, 1));
    GIVES(&b, HEAD A1 A2 "A;;\"X\";01.02.2026;m;8\r\nA;;\"X\";01.02.2026;n;9\r\n" "\n" B1 C1);
}

/* The only line goes and others come: its row is that of the first, in whatever order that is said. */
static void only_row_replaced(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct bench b;
        begin(&b, orders, SLICE(FILE_TEXT));
        struct node *order = b.message[1];
        if (first)
            edit_delete(&b.edits, line(order, 0));
        edit_insert(&b.edits, new_line(&b, order, "n", "9"), order, NULL);
        edit_insert(&b.edits, new_line(&b, order, "m", "8"), order, NULL);
        if (!first)
            edit_delete(&b.edits, line(order, 0));
        GIVES(&b, HEAD A1 A2 "\n" "B;w;Y;;n;9\r\nB;;Y;;m;8\r\n" C1);
    }
}

/* A void cell at the edge of a row: its value goes with the row, and stays behind rows that come before it. */
static void void_cells_at_edges(void **state)
{
    static const char format[] = "syntax csv delimiter \";\"\nmessage Order key No {\n    No text required at 2\n"
                                 "    Buyer text at 1\n    Note text at 4\n    group Line 0..* {\n        Item text at 3\n    }\n}\n";
    (void)state;
    struct bench b;
    begin(&b, format, SLICE("B;No;Item;N\n;A;i1;\n;A;i2;\n;C;i3;\n;C;i4;"));
    set(&b, b.message[0], "Buyer", "x");
    edit_delete(&b.edits, line(b.message[0], 0));
    set(&b, b.message[1], "Note", "y");
    edit_delete(&b.edits, line(b.message[1], 1));
    GIVES(&b, "B;No;Item;N\nx;A;i2;\n;C;i3;y\n");
    begin(&b, orders, SLICE("Item;Qty;No;Buyer;Date\ni1;1;A;;\n"));     /* each cell of the row is void then */
    edit_delete(&b.edits, line(b.message[0], 0));
    GIVES(&b, "Item;Qty;No;Buyer;Date\n;;A;;\n");
    for (int first = 0; first < 2; first++) {
        struct value n = text_value("n");
        begin(&b, format, SLICE("B;No;Item;N\n;A;i1;\n;C;i3;\n"));
        struct node *new = node_new(&b.k.arena, line(b.message[0], 0)->group, b.message[0]);
        *node_value(new, group_field(new->group, SLICE("Item"))) = n;
        if (first)
            set(&b, b.message[1], "Buyer", "x");
        edit_insert(&b.edits, new, b.message[0], NULL);
        if (!first)
            set(&b, b.message[1], "Buyer", "x");
        GIVES(&b, "B;No;Item;N\n;A;i1;\n;A;n;\nx;C;i3;\n");
    }
}

/* The only group of an order goes with all its rows; what is left is one row of the order. */
static void groups_of_many_rows(void **state)
{
    static const char format[] = "syntax csv delimiter \";\"\nmessage Order key No {\n    No text required\n"
                                 "    group Box 0..* key Code {\n        Code text required\n"
                                 "        group Line 0..* {\n            Item text\n        }\n    }\n}\n";
    (void)state;
    struct bench b;
    begin(&b, format, SLICE("No;Rest;Code;Item\nA;u;b1;i1\nA;v;b1;i2\nB;w;b2;i3\n"));
    edit_delete(&b.edits, node_list(b.message[0], b.message[0]->group->groups[0])->first);
    GIVES(&b, "No;Rest;Code;Item\nA;u;;\nB;w;b2;i3\n");
    begin(&b, orders, SLICE("No;Buyer;Date;Item;Qty\nA;x;;i1;1\n\nA;x;;i2;2\n"));     /* a blank line among its rows */
    edit_delete(&b.edits, line(b.message[0], 0));
    edit_delete(&b.edits, line(b.message[0], 1));
    GIVES(&b, "No;Buyer;Date;Item;Qty\n\nA;x;;;\n");
    begin(&b, orders, SLICE("No;Buyer;Date;Item;Qty\nA;xxxxxxxxxx;;i1;1\nA;xxxxxxxxxx;;i2;2\n"));
    struct value nothing = { .state = VALUE_ABSENT, .at = VALUE_NO_PLACE };
    edit_set(&b.edits, b.message[0], group_field(b.message[0]->group, SLICE("Buyer")), &nothing);
    edit_delete(&b.edits, line(b.message[0], 0));
    GIVES(&b, "No;Buyer;Date;Item;Qty\nA;;;i2;2\n");
}

static void new_rows_need_their_columns(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE("No;Item\nA;i1\n"));
    edit_insert(&b.edits, new_line(&b, b.message[0], "n", "9"), b.message[0], NULL);
    struct slice got = finish(&b);
    assert_int_equal(b.k.rc, SKIP);
    assert_int_equal(got.n, 0);
    assert_string_equal(b.k.problems.first->code, "CSV_PATCH");
    kit_close(&b.k);
}

static void new_messages(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    struct node *order = node_new(&b.k.arena, b.message[0]->group, b.k.reader.file);
    *node_value(order, group_field(order->group, SLICE("No"))) = text_value("D");
    node_append(order, new_line(&b, order, "l1", "1"));
    node_append(order, new_line(&b, order, "l2", "2"));
    edit_insert(&b.edits, order, b.k.reader.file, b.message[0]);
    GIVES(&b, HEAD A1 A2 "D;;;;l1;1\r\nD;;;;l2;2\r\n" "\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    order = node_new(&b.k.arena, b.message[0]->group, b.k.reader.file);
    *node_value(order, group_field(order->group, SLICE("No"))) = text_value("D");
    edit_insert(&b.edits, order, b.k.reader.file, NULL);
    GIVES(&b, FILE_TEXT "\r\nD;;;;;");
}

static void gone_rows(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE(FILE_TEXT));
    edit_delete(&b.edits, line(b.message[0], 0));
    GIVES(&b, HEAD A2 "\n" B1 C1);
    begin(&b, orders, SLICE(FILE_TEXT));
    edit_delete(&b.edits, b.message[0]);
    edit_delete(&b.edits, b.message[2]);
    GIVES(&b, HEAD "\n" B1);
    begin(&b, orders, SLICE(FILE_TEXT));            /* without its last line an order keeps its row */
    edit_delete(&b.edits, line(b.message[0], 0));
    edit_delete(&b.edits, line(b.message[0], 1));
    edit_delete(&b.edits, line(b.message[1], 0));
    GIVES(&b, HEAD "A;v;X;01.02.2026;;\n\nB;w;Y;;;\r\n" C1);
}

static void other_charsets(void **state)
{
    (void)state;
    struct bench b;
    static const char f[] = "syntax csv delimiter \";\"\nencoding windows-1250\nmessage M {\n A text\n B text\n}\n";
    begin(&b, f, SLICE("A;B\n\x9C;\xB9\n"));
    set(&b, b.message[0], "A", "ł");
    GIVES(&b, "A;B\n\xB3;\xB9\n");
    begin(&b, f, SLICE("A;B\n\x9C;\xB9\n"));
    set(&b, b.message[0], "A", "日");
    finish(&b);
    assert_int_equal(b.k.rc, SKIP);
    assert_string_equal(b.k.problems.first->code, "CHARSET_CANNOT");
    kit_close(&b.k);
    static const char wide[] = "\xFF\xFE"
                               "A\0;\0B\0\n\0\x41\x01;\0b\0\n\0",
                      want[] = "\xFF\xFE"
                               "A\0;\0B\0\n\0\x41\x01;\0\x42\x01!\0\n\0";
    begin(&b, f, (struct slice){ wide, sizeof wide - 1 });
    set(&b, b.message[0], "B", "ł!");
    gives(&b, want, sizeof want - 1);
}

static void no_column(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, orders, SLICE("No;Item\nA;1\n"));
    set(&b, b.message[0], "Buyer", "X");
    finish(&b);
    assert_int_equal(b.k.rc, SKIP);
    assert_string_equal(b.k.problems.first->code, "CSV_PATCH");
    kit_close(&b.k);
}

static void excerpt(void **state)
{
    (void)state;
    struct bench b;
    struct source again;
    struct sink out;
    begin(&b, orders, SLICE(FILE_TEXT));
    struct span span = { b.message[1]->at, b.message[1]->end };
    source_open_text(&again, b.text, "again", NULL);
    sink_open_memory(&out, "out");
    assert_int_equal(syntax_excerpt(&again, b.k.reader.head_end, b.k.reader.tail_at, &span, 1, &out, &b.k.problems),
                     OK);
    buf_byte(&out.buf, 0);
    assert_string_equal(out.buf.p, HEAD B1);
    sink_release(&out);
    kit_close(&b.k);
}

/* Every sample: one value, one row less, one row more, and only those bytes differ. */
struct sample {
    const char *file, *format;
};

static const struct sample samples[] = {
    { "tests/data/csv/necs_orders.csv",
      "syntax csv\nencoding windows-1252\nmessage M {\n A text at \"ShipTo\"\n B text at \"Item\"\n}\n" },
    { "tests/data/csv/erp_orders_20240801.csv",
      "syntax csv\nencoding windows-1252\nmessage M {\n A text at \"Customer\"\n B text at \"Description\"\n}\n" },
    { "tests/data/csv/totvs_SC7.csv", "syntax csv delimiter \";\"\nencoding iso-8859-1\nmessage M {\n A text at "
                                      "\"C7_NUM\"\n B text at \"C7_OBS\"\n}\n" },
    { "tests/data/csv/rastreador_vendas.csv",
      "syntax csv delimiter \";\"\nmessage M {\n A text at \"Cliente\"\n B text at \"Complemento\"\n}\n" },
    { "tests/data/csv/raks_dokumenty_20240611.csv", "syntax csv delimiter \";\"\nencoding windows-1250\nmessage M "
                                                    "{\n A text at \"Kontrahent\"\n B text at \"Numer\"\n}\n" },
    { "samples/ongoing24so/in/ongoing_inventory.csv",
      "syntax csv delimiter \";\"\nmessage M {\n A text at \"ArticleNumber\"\n B text at \"NumberOfItems\"\n}\n" },
    { "samples/ongoing24so/in/ongoing_shipped.csv",
      "syntax csv delimiter \";\"\nmessage M {\n A text at \"OrderStatus\"\n B text at \"ShippedTime\"\n}\n" },
};

static void only_these_bytes(struct bench *b, uint64_t at, uint64_t len, const char *put, struct slice got)
{
    size_t n = put ? strlen(put) : 0;
    assert_int_equal(got.n, b->text.n - len + n);
    assert_memory_equal(got.p, b->text.p, at);
    assert_memory_equal(got.p + at, put ? put : "", n);
    assert_memory_equal(got.p + at + n, b->text.p + at + len, b->text.n - at - len);
}

static void all_samples(void **state)
{
    (void)state;
    struct arena a;
    struct problems ps;
    arena_init(&a, 0);
    problems_init(&ps, &a, 0);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct slice text;
        struct bench b;
        assert_int_equal(file_read(&a, samples[i].file, 0, &text, &ps), OK);
        begin(&b, samples[i].format, text);
        assert_true(b.n > 0);
        size_t m = b.n / 2;
        const struct value *v = node_value(b.message[m], group_field(b.message[m]->group, SLICE("A")));
        set(&b, b.message[m], "A", "changed");
        only_these_bytes(&b, v->at, v->len, v->form & VALUE_QUOTED ? "\"changed\"" : "changed", finish(&b));
        kit_close(&b.k);

        begin(&b, samples[i].format, text);
        edit_delete(&b.edits, b.message[m]);
        only_these_bytes(&b, b.message[m]->at, b.message[m]->end - b.message[m]->at, NULL, finish(&b));
        kit_close(&b.k);

        begin(&b, samples[i].format, text);
        struct node *copy = node_new(&b.k.arena, b.message[m]->group, b.k.reader.file);
        *node_value(copy, group_field(copy->group, SLICE("A"))) = text_value("new");
        edit_insert(&b.edits, copy, b.k.reader.file, b.message[m]);
        struct slice got = finish(&b);
        assert_true(got.n > text.n);
        assert_memory_equal(got.p, text.p, b.message[m]->end);
        assert_memory_equal(got.p + got.n - (text.n - b.message[m]->end), text.p + b.message[m]->end,
                            text.n - b.message[m]->end);
        kit_close(&b.k);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),      cmocka_unit_test(values),    cmocka_unit_test(new_rows),
        cmocka_unit_test(new_rows_of_changed_fields),
        cmocka_unit_test(new_rows_behind_a_value),
        cmocka_unit_test(new_rows_of_a_void_order), cmocka_unit_test(only_row_replaced), cmocka_unit_test(new_rows_in_order), cmocka_unit_test(new_rows_for_the_last),
        cmocka_unit_test(void_cells_at_edges), cmocka_unit_test(groups_of_many_rows), cmocka_unit_test(new_rows_need_their_columns),
        cmocka_unit_test(new_messages), cmocka_unit_test(gone_rows), cmocka_unit_test(other_charsets),
        cmocka_unit_test(no_column),    cmocka_unit_test(excerpt),   cmocka_unit_test(all_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
