#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "xmlkit.h"

#define SHOP "syntax xml indent \"  \"\nencoding utf-8\nnamespace \"urn:shop\"\nnamespace c \"urn:common\"\nBatch text at /Orders/@batch\n" \
    "Total decimal at /Orders/Trailer/Total\nmessage Order at /Orders/Body/Order key No {\n No text required at @no\n Name text at Buyer/c:Name\n" \
    " Date date pattern \"dd.MM.yyyy\"\n Note text always\n group Line 0..3 at Lines/Line {\n  Item text required at .\n  Unit text at @unit\n" \
    "  Qty decimal at Qty mark \",\"\n }\n Tag text 0..* at Tags/Tag\n}\n"

#define HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Orders xmlns=\"urn:shop\" xmlns:c=\"urn:common\" batch=\"7\">\n  <Body>\n"

static void dump(const char *format, const char *text, const char *want)
{
    struct kit k;

    kit_open(&k, format, slice_of(text));
    const char *got = kit_dump(&k);
    if (strcmp(got, want) != 0) {
        fprintf(stderr, "--- want\n%s--- got\n%s", want, got);
        kit_show(&k);
    }
    assert_true(strcmp(got, want) == 0);
    kit_close(&k);
}

static void elements_in_any_order_and_prefix(void **state)
{
    (void)state;
    dump(SHOP,
         "<o:Orders xmlns:o='urn:shop' batch='7'><o:Body><o:Order no='1'><x/><o:Lines><o:Line unit='EA'>A<o:Qty>1,5</o:Qty></o:Line><o:Line>B</o:Line></o:Lines>"
         "<o:Date>24.12.2025</o:Date><o:Buyer><n:Name xmlns:n='urn:common'>M &amp; S</n:Name><o:Name>other</o:Name></o:Buyer></o:Order></o:Body>"
         "<o:Trailer><o:Total>1.5</o:Total></o:Trailer></o:Orders>",
         "Order {\n  No = \"1\"\n  Name = \"M & S\"\n  Date = \"2025-12-24\"\n  Line {\n    Item = \"A\"\n    Unit = \"EA\"\n    Qty = \"1.5\"\n  }\n"
         "  Line {\n    Item = \"B\"\n  }\n}\nBatch = \"7\"\nTotal = \"1.5\"\n");
}

static void absent_empty_present(void **state)
{
    static const char format[] = "syntax xml\nmessage M at /R/M {\n a text nothing blank\n b text\n c integer\n d text at d/@x\n}\n";

    (void)state;
    dump(format, "<R><M/><M><a> </a><b> </b><c></c><d x=''/></M><M><a/><b xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='1'/><c>7</c></M></R>",
         "M {\n}\nM {\n  a = \n  b = \" \"\n  c = \n  d = \n}\nM {\n  a = \n  b = \n  c = \"7\"\n}\n");
}

static void faults_reject_one_message(void **state)
{
    (void)state;
    dump("syntax xml\nmessage M at /R/M {\n n integer required\n g text\n}\n",
         "<R>\n<M><n>x</n></M>\n<M><n>1</n><n>2</n></M>\n<M><n>3</n></M>\n<M><g>q</g></M>\n<M><n>4</n></M></R>",
         "refused\nrefused\nM {\n  n = \"3\"\n}\nrefused\nM {\n  n = \"4\"\n}\nNUM_BAD 2:7\nOCCURS 3:12\nREQUIRED 5:1\n");
}

static void broken_documents_stop(void **state)
{
    static const char format[] = "syntax xml\nnamespace \"u\"\nmessage M at /R/M {\n n integer\n}\n";
    static const struct { const char *text, *want; } cases[] = {
        { "<R xmlns='u'><M><n>1</n></M><M><n>2", "M {\n  n = \"1\"\n}\nXML_TRUNCATED 1:36\n" },
        { "<R xmlns='v'/>", "XML_ROOT 1:1\n" }, { "<Q xmlns='u'/>", "XML_ROOT 1:1\n" }, { "", "XML_EMPTY 1:1\n" },
        { "<R xmlns='u'><M></R>", "XML_TAG 1:17\n" }, { "<R xmlns='u'/>", "" },
        { "<!DOCTYPE R SYSTEM 'file:///etc/passwd'><R xmlns='u'><M><n>1</n></M></R>", "M {\n  n = \"1\"\n}\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        dump(format, cases[i].text, cases[i].want);
}

static void same(const char *format, struct slice text)
{
    struct kit k;
    struct sink sink;

    kit_open(&k, format, text);
    struct slice got = kit_rewrite(&k, &sink);
    if (!slice_equal(got, text))
        fprintf(stderr, "%.*s\n", SLICE_ARG(got));
    if (k.problems.n)
        kit_show(&k);
    assert_true(slice_equal(got, text));
    sink_release(&sink);
    kit_close(&k);
}

static void written_as_read(void **state)
{
    static const struct { const char *path, *format; } samples[] = {
        { "ongoing_articles", KIT_ARTICLES }, { "ongoing_articles_variants_yes", KIT_ARTICLES }, { "ongoing_orders", KIT_CUSTOMER_ORDERS },
        { "ongoing_suppliers", KIT_SUPPLIERS }, { "24so_status_sent", KIT_SENT }, { "24so_status_on_import_option_yes", KIT_SENT },
        { "24so_stock_updates", KIT_STOCK } };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct slice text = kit_file(&a, arena_printf(&a, "samples/ongoing24so/expected/%s.xml", samples[i].path).p);
        assert_true(text.n > 0);
        same(samples[i].format, text);
    }
    arena_release(&a);
    same(SHOP, SLICE(HEAD "    <Order no=\"1\">\n      <Buyer>\n        <c:Name>M &amp; &lt;S&gt; \"q\" &#13;</c:Name>\n      </Buyer>\n      <Date>24.12.2025</Date>\n"
                          "      <Note/>\n      <Lines>\n        <Line unit=\"&lt;&quot;'&#10;&#9;\">A\n          <Qty>1,50</Qty>\n        </Line>\n        <Line>B</Line>\n"
                          "      </Lines>\n      <Tags>\n        <Tag>x</Tag>\n        <Tag>y</Tag>\n      </Tags>\n    </Order>\n  </Body>\n</Orders>\n"));
    same("syntax xml\nencoding ISO-8859-1\nmessage M at /R/M {\n a text\n}\n",
         SLICE("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<R><M><a>\xE4&#8364;</a></M></R>\n"));
    same("syntax xml declaration no\nmessage M at /R/M {\n a text\n}\n", SLICE("<R><M/><M><a>x</a></M></R>\n"));
    same("syntax xml\nmessage M at /M {\n a text\n}\n", SLICE("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<M><a>x</a></M>\n"));
    same("syntax xml indent \"  \"\nmessage M at /R/M {\n a text\n}\n", SLICE("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R>\n</R>\n"));
}

static void writer_refuses(void **state)
{
    struct kit k;
    struct sink sink;

    (void)state;
    kit_open(&k, "syntax xml declaration no\nmessage M at /R/M {\n a text\n}\n", SLICE("<R/>"));
    struct writer w = { .sink = &sink, .format = k.format };
    sink_open_memory(&sink, "out.xml");
    assert_int_equal(writer_open(&w, &k.arena, &k.problems), OK);
    struct node *m = node_new(&k.arena, k.format->messages[0], NULL);
    struct value *v = node_value(m, k.format->messages[0]->fields[0]);
    *v = (struct value){ .p = "a\x01", .n = 2, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
    assert_int_equal(writer_write(&w, m, &k.problems), SKIP);
    assert_string_equal(k.problems.first->code, "XML_CHAR");
    v->n = 1;
    assert_int_equal(writer_write(&w, m, &k.problems), OK);
    assert_int_equal(writer_close(&w, &k.problems), OK);
    assert_true(slice_is(buf_slice(&sink.buf), "<R><M><a>a</a></M></R>\n"));
    sink_release(&sink);
    kit_close(&k);
}

/* `required` holds when it is written too: of messages, and of the file when it is complete. */
static void writer_checks(void **state)
{
    struct kit k;
    struct sink sink;

    (void)state;
    kit_open(&k, "syntax xml declaration no\nBy text required at /R/@by\nmessage M at /R/M {\n a text required\n}\n",
             SLICE("<R by=\"x\"/>"));
    struct node *file = node_new(&k.arena, k.format->file_group, NULL);
    struct writer w = { .sink = &sink, .format = k.format, .file = file };
    sink_open_memory(&sink, "out.xml");
    assert_int_equal(writer_open(&w, &k.arena, &k.problems), OK);
    struct node *m = node_new(&k.arena, k.format->messages[0], NULL);
    assert_int_equal(writer_write(&w, m, &k.problems), SKIP);
    assert_string_equal(k.problems.first->code, "REQUIRED");
    m->values[0] = (struct value){ .p = "1", .n = 1, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
    assert_int_equal(writer_write(&w, m, &k.problems), OK);
    assert_int_equal(writer_close(&w, &k.problems), STOP);
    assert_true(slice_is(k.problems.last->path, "/By"));
    file->values[0] = m->values[0];
    assert_int_equal(writer_close(&w, &k.problems), OK);
    sink_release(&sink);
    kit_close(&k);
}

/* Each value of a tree and each of its lists, one after the other, goes away: the writer says what node_check says. */
static void lack_each(struct kit *k, struct writer *w, const struct node *m, const struct node *n, size_t *refused)
{
    struct node_list *lists = node_lists(n);

    for (size_t i = 0; i < n->group->nfields + 2 * n->group->ngroups; i++) {
        struct value *v = i < n->group->nfields ? (struct value *)(uintptr_t)&n->values[i] : NULL;
        struct node_list *list = v ? NULL : &lists[(i - n->group->nfields) / 2], kept = v ? lists[0] : *list;
        struct value was = v ? *v : (struct value){ 0 };
        struct problems want, got;
        problems_init(&want, &k->arena, 0);
        problems_init(&got, &k->arena, 0);
        if (v)
            v->state = VALUE_ABSENT;
        else if (i % 2 == n->group->nfields % 2)
            *list = (struct node_list){ 0 };
        else
            list->n += 5;                           /* as if there were too many */
        int rc = node_check(m, &k->arena, &want);
        assert_int_equal(writer_write(w, m, &got), rc);
        assert_int_equal(got.n, want.n);
        *refused += rc != OK;
        if (rc != OK) {
            assert_string_equal(got.first->code, want.first->code);
            assert_true(slice_equal(got.first->path, want.first->path));
        }
        if (v)
            *v = was;
        else
            *list = kept;
    }
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (const struct node *child = lists[i].first; child; child = child->next)
            lack_each(k, w, m, child, refused);
}

static void writer_checks_all(void **state)
{
    static const char text[] = "<R><A><M n='1'><a>x</a><c><d>y</d></c><q u='K'>5</q><o>z</o><G i='1'>t</G>"
                               "<L><l><k>1</k></l><l><k>2</k></l></L><S><s>1</s></S></M></A></R>";
    struct kit k;
    struct sink sink;
    size_t refused = 0;

    (void)state;
    kit_open(&k, "syntax xml declaration no\nmessage M at /R/A/M {\n n text required at @n\n a text required\n d text required at c/d\n"
             " u text required at q/@u\n q integer required\n o text\n group G 1 {\n  i text required at @i\n  t text required at .\n }\n"
             " group L 1..3 at L/l {\n  k integer required\n }\n group S 0..1 {\n  s text required\n }\n}\n", SLICE(text));
    struct writer w = { .sink = &sink, .format = k.format };
    struct node *m = kit_next(&k);
    assert_non_null(m);
    assert_int_equal(k.rc, OK);
    sink_open_memory(&sink, "out.xml");
    assert_int_equal(writer_open(&w, &k.arena, &k.problems), OK);
    m->values[0].state = VALUE_ABSENT;
    assert_int_equal(writer_write(&w, m, &k.problems), SKIP);
    assert_int_equal(sink.buf.n, 0);                /* not even the elements around it */
    m->values[0].state = VALUE_PRESENT;
    lack_each(&k, &w, m, m, &refused);
    assert_int_equal(refused, 5 + 5 + 2 + 2 + 1);       /* fields of M, its lists, fields of G, of L twice, of S */
    writer_drop(&w);
    sink_release(&sink);
    kit_close(&k);
}

static void formats_are_checked(void **state)
{
    static const struct { const char *text, *code; } cases[] = {
        { "syntax xml\nmessage M at /R/M {\n a text at x\n b text at x\n}\n", "XML_SAME_AT" }, { "syntax xml\nmessage M at /R/M {\n a text at @x\n b text at @x\n}\n", "XML_SAME_AT" },
        { "syntax xml\nmessage M at /R/M {\n a text at 5\n}\n", "XML_AT" },
        { "syntax xml\nmessage M at /R/M {\n a text at \"no name\"\n}\n", "XML_AT" }, { "syntax xml\nmessage M at /R/M {\n 24so text\n}\n", "XML_NAME" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit k;
        if (kit_format(&k, cases[i].text))
            fail_msg("case %zu is taken", i);
        assert_non_null(k.problems.first);
        assert_string_equal(k.problems.first->code, cases[i].code);
        arena_release(&k.message);
        arena_release(&k.arena);
    }
}

/* Groups and values tell where they stand. */
static void places(void **state)
{
    static const char text[] = "<R><M><a>x&amp;y</a><b/><G i='1'>t</G></M></R>";
    struct kit k;

    (void)state;
    kit_open(&k, "syntax xml\nmessage M at /R/M {\n a text\n b text\n group G 0..* {\n  i text at @i\n  t text at .\n }\n}\n", SLICE(text));
    struct node *m = kit_next(&k);
    assert_non_null(m);
    const struct value *a = node_value(m, group_field(m->group, SLICE("a"))), *b = node_value(m, group_field(m->group, SLICE("b")));
    const struct node *g = node_list(m, m->group->groups[0])->first;
    assert_int_equal(m->at, 3);
    assert_int_equal(m->inner, 6);
    assert_int_equal(text[m->tail], '<');
    assert_int_equal(m->end, sizeof text - 1 - 4);
    assert_int_equal(a->at, 9);
    assert_int_equal(a->len, 7);
    assert_int_equal(a->lead, 3);
    assert_int_equal(b->at, strstr(text, "/><G") - text);
    assert_int_equal(b->len, 0);
    assert_true(b->form & VALUE_EMPTY_TAG);
    assert_int_equal(g->at, strstr(text, "<G") - text);
    assert_int_equal(g->values[0].at, strstr(text, "1'") - text);
    assert_true(g->values[0].form & VALUE_ATTRIBUTE && g->values[0].form & VALUE_QUOTED);
    assert_int_equal(k.reader.head_end, 3);
    assert_int_equal(k.reader.tail_at, m->end);
    kit_close(&k);
}

static void inspects(void **state)
{
    struct kit k;
    struct source src;
    static const char text[] = "<?xml version='1.0' encoding='utf-8'?><p:R xmlns:p='urn:x'><a/><b><c/></b></p:R>";

    (void)state;
    kit_format(&k, "syntax xml\nmessage M at /M {\n a text\n}\n");
    source_open_text(&src, SLICE(text), "x", NULL);
    assert_int_equal(syntax_find(SLICE("xml"))->inspect(&src, &k.out, &k.problems), OK);
    assert_true(slice_is(buf_slice(&k.out), "\"encoding\":\"utf-8\",\"root\":\"R\",\"namespace\":\"urn:x\",\"elements\":4"));
    assert_ptr_equal(syntax_detect(SLICE(text)), syntax_find(SLICE("xml")));
    buf_release(&k.out);
    arena_release(&k.message);
    arena_release(&k.arena);
}

static void foreign_line(const char *text, const char *code, uint32_t line)
{
    struct kit k;

    kit_open(&k, "syntax xml\nmessage M at /R/M {\n a decimal\n}\n", slice_of(text));
    while (k.rc != END && k.rc < STOP)
        kit_next(&k);
    assert_non_null(k.problems.first);
    assert_string_equal(k.problems.first->code, code);
    assert_int_equal(k.problems.first->place.line, line);
    kit_close(&k);
}

/* A charset that only libxml2 reads gives the same tree, and of places the line. */
static void foreign_charset(void **state)
{
    (void)state;
    dump("syntax xml\nmessage M at /R/M {\n a text\n b text at @b\n}\n",
         "<?xml version='1.0' encoding='Shift_JIS'?><R><M b='&amp;\x83\x41'><a>\x83\x42&lt;</a></M></R>",
         "M {\n  a = \"\xE3\x82\xA3<\"\n  b = \"&\xE3\x82\xA2\"\n}\n");
    foreign_line("<?xml version='1.0' encoding='Shift_JIS'?>\n<R>\n<M><a>\x83\x41</a></M></R>", "NUM_BAD", 3);
    foreign_line("<?xml version='1.0' encoding='Shift_JIS'?>\n<S>\x83\x41</S>", "XML_ROOT", 2);
    /* what has no character there is no end of the document */
    foreign_line("<?xml version='1.0' encoding='Shift_JIS'?>\n<R><M/></R>\n\xFF<R><M/></R>", "XML_ENCODING", 3);
    foreign_line("<?xml version='1.0' encoding='Shift_JIS'?>\n<R><M/></R>\n\n\x83", "XML_ENCODING", 4);
    foreign_line("<?xml version='1.0' encoding='Shift_JIS'?>\n<R>\n<\xFFM/></R>", "XML_ENCODING", 3);
}

static void without_a_format(void **state)
{
    static const char text[] = "<r xmlns='u'><a x='1'>t<b/>u</a> <c/></r>";
    struct kit k;
    struct node *m;

    (void)state;
    kit_format(&k, "syntax xml\nmessage M at /M {\n a text\n}\n");
    source_open_text(&k.source, SLICE(text), "x", NULL);
    k.reader = (struct reader){ .source = &k.source };
    k.rc = reader_open(&k.reader, &k.arena, &k.problems);
    while ((m = kit_next(&k)) != NULL)
        node_dump(&k.out, m);
    assert_int_equal(k.rc, END);
    node_dump(&k.out, k.reader.file);
    buf_byte(&k.out, '\0');
    assert_non_null(strstr(k.out.p, "Root = \"r\"\nNamespace = \"u\"\n"));
    assert_non_null(strstr(k.out.p, "Name = \"a\"\n  Namespace = \"u\"\n  Text = \"tu\"\n"));
    assert_non_null(strstr(k.out.p, "Attribute {\n    Name = \"x\"\n    Value = \"1\"\n  }\n"));
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_in_any_order_and_prefix), cmocka_unit_test(absent_empty_present), cmocka_unit_test(faults_reject_one_message),
        cmocka_unit_test(broken_documents_stop), cmocka_unit_test(written_as_read), cmocka_unit_test(writer_refuses), cmocka_unit_test(writer_checks),
        cmocka_unit_test(writer_checks_all),
        cmocka_unit_test(formats_are_checked), cmocka_unit_test(places), cmocka_unit_test(inspects), cmocka_unit_test(foreign_charset), cmocka_unit_test(without_a_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
