#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "xmlkit.h"

static const struct { const char *path, *format; } samples[] = {
    { "samples/ongoing24so/in/24so_orders.xml", KIT_ORDERS },
    { "samples/ongoing24so/in/24so_products.xml", KIT_PRODUCTS },
    { "samples/ongoing24so/in/24so_companies.xml", KIT_COMPANIES },
    { "samples/ongoing24so/expected/ongoing_articles.xml", KIT_ARTICLES },
    { "samples/ongoing24so/expected/ongoing_orders.xml", KIT_CUSTOMER_ORDERS },
    { "samples/ongoing24so/expected/ongoing_suppliers.xml", KIT_SUPPLIERS },
    { "samples/ongoing24so/expected/24so_status_sent.xml", KIT_SENT },
    { "samples/ongoing24so/expected/24so_stock_updates.xml", KIT_STOCK },
};

enum change { CHANGE, TAKE, ADD, DELETE, COPY, CHANGES };

static const char new_text[] = "new <&> \xC3\xA6";

struct spot {
    struct node *node;
    struct field *field;                        /* NULL: the node itself */
};

static bool fits(const struct field *f, const struct value *v, enum change what)
{
    bool free_text = f->type == TYPE_TEXT && !f->ncodes;

    return what == CHANGE ? v->state != VALUE_ABSENT && free_text : what == TAKE ? v->state != VALUE_ABSENT && !(f->flags & FIELD_REQUIRED)
                                                                   : what == ADD && v->state == VALUE_ABSENT && free_text;
}

/* The place number *left, in order of the tree, where the change can be made. */
static bool find(struct node *n, enum change what, long *left, struct spot *out)
{
    for (size_t i = 0; i < n->group->nfields; i++)
        if (fits(n->group->fields[i], node_value(n, n->group->fields[i]), what) && (*left)-- == 0) {
            *out = (struct spot){ .node = n, .field = n->group->fields[i] };
            return true;
        }
    for (size_t g = 0; g < n->group->ngroups; g++)
        for (struct node *c = node_lists(n)[g].first; c; c = c->next) {
            if (c->group->max_occurs > 1 && what >= DELETE && (*left)-- == 0) {
                *out = (struct spot){ .node = c };
                return true;
            }
            if (find(c, what, left, out))
                return true;
        }
    return false;
}

static struct value new_value(enum change what)
{
    struct value v = { .at = VALUE_NO_PLACE };

    if (what != TAKE)
        v = (struct value){ .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = new_text, .n = sizeof new_text - 1 };
    return v;
}

/* Nothing is written by leaving it out, so an instance that is written has no empty values. */
static void drop_empty(struct node *n)
{
    for (size_t i = 0; i < n->group->nfields; i++)
        if (n->values[i].state == VALUE_EMPTY)
            n->values[i].state = VALUE_ABSENT;
    for (size_t g = 0; g < n->group->ngroups; g++)
        for (struct node *c = node_lists(n)[g].first; c; c = c->next)
            drop_empty(c);
}

/* Makes the change in the tree. */
static void apply(struct arena *a, struct spot at, enum change what)
{
    struct node_list *list, old;

    if (at.field) {
        *node_value(at.node, at.field) = new_value(what);
        return;
    }
    list = node_list(at.node->parent, at.node->group);
    old = *list;
    *list = (struct node_list){ 0 };
    for (struct node *c = old.first, *next; c; c = next) {
        next = c->next;
        struct node *copy = c == at.node && what == COPY ? node_copy(a, c, c->parent) : NULL;
        if (c != at.node || what == COPY)
            node_append(c->parent, c);
        if (copy) {
            drop_empty(copy);
            node_append(c->parent, copy);
        }
    }
}

static void add_edit(struct edits *e, struct arena *a, struct spot at, enum change what)
{
    struct value v = new_value(what);

    if (at.field)
        edit_set(e, at.node, at.field, &v);
    else if (what == DELETE)
        edit_delete(e, at.node);
    else {
        struct node *copy = node_copy(a, at.node, at.node->parent);
        copy->at = VALUE_NO_PLACE;
        edit_insert(e, copy, at.node->parent, at.node);
    }
}

/* The trees of a document after the change number `which`; all of it when which < 0. */
static struct buf dump_changed(const char *format, struct slice text, enum change what, long which)
{
    struct kit k;
    struct buf out = { 0 };
    struct spot at;
    struct node *m;

    kit_open(&k, format, text);
    while ((m = kit_next(&k)) != NULL) {
        if (which >= 0 && find(m, what, &which, &at)) {
            apply(&k.message, at, what);
            which = -1;
        }
        node_dump(&out, m);
        arena_reset(&k.message);
    }
    if (k.rc != END)
        kit_show(&k);
    assert_int_equal(k.rc, END);
    kit_close(&k);
    return out;
}

static size_t common(struct slice a, struct slice b, bool at_end)
{
    size_t n = 0;

    while (n < a.n && n < b.n && (at_end ? a.p[a.n - 1 - n] == b.p[b.n - 1 - n] : a.p[n] == b.p[n]))
        n++;
    return n;
}

/* Bytes outside the stretch of the change are those of the original. */
static void check_stretch(struct slice original, struct slice now, enum change what, uint64_t from)
{
    size_t ahead = common(original, now, false), behind = common(original, now, true);

    assert_true(original.n != now.n || ahead != now.n);
    if (what == TAKE || what == DELETE) {
        assert_true(now.n < original.n);
    } else if (what == COPY) {
        assert_true(ahead + behind >= original.n);
    } else if (what == CHANGE) {
        assert_true(ahead >= from);
        assert_true(behind + ahead + 64 >= original.n);
    } else {
        assert_true(ahead + behind + 12 >= original.n);     /* `/>` and blanks of a tag that had to be opened */
    }
}

/* Makes change number `which` in the bytes; false when there are not as many places. */
static bool one_change(const char *format, struct slice original, enum change what, long which)
{
    struct kit k;
    struct edits edits;
    struct patcher p;
    struct sink sink;
    struct spot at;
    struct node *m;
    long left = which;
    bool found = false;

    kit_open(&k, format, original);
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&edits, &k.arena);
    while (!found && (m = kit_next(&k)) != NULL)
        found = find(m, what, &left, &at);
    if (found) {
        uint64_t from = at.field && what == CHANGE ? node_value(at.node, at.field)->at - node_value(at.node, at.field)->lead : 0;
        add_edit(&edits, &k.arena, at, what);
        struct slice now = kit_patch(&k, &p, &edits, original, &sink);
        if (!now.n)
            kit_show(&k);
        assert_true(now.n > 0);
        check_stretch(original, now, what, from);
        struct buf want = dump_changed(format, original, what, which), got = dump_changed(format, now, what, -1);
        if (!slice_equal(buf_slice(&want), buf_slice(&got)))
            fprintf(stderr, "change %d number %ld of %s\n", what, which, at.field ? at.field->name.p : "");

        assert_true(slice_equal(buf_slice(&want), buf_slice(&got)));
        buf_release(&want);
        buf_release(&got);
        sink_release(&sink);
    }
    kit_close(&k);
    return found;
}

static void every_single_change(void **state)
{
    struct arena a;
    size_t made[CHANGES] = { 0 };

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct slice text = kit_file(&a, samples[i].path);
        assert_true(text.n > 0);
        for (int what = 0; what < CHANGES; what++)
            for (long k = 0; one_change(samples[i].format, text, (enum change)what, k); k += 1 + k / 12)
                made[what]++;
    }
    for (int what = 0; what < CHANGES; what++)
        assert_true(made[what] > 10);
    arena_release(&a);
}

/* ---- forms, one by one ---- */

#define FORMS "syntax xml\nencoding utf-8\nmessage M at /R/M {\n a text\n b text\n at text at @at\n apos text at @apos\n" \
    " n decimal\n u text at n/@u\n c text at C/c\n d text at C/d\n group G 0..* at L/G {\n  x text at @x\n  t text at .\n }\n}\n"

struct value_step { const char *path, *value; };     /* field of the message; NULL: taken away */

/* Sets fields of the first message; the result, or the code of the first problem. */
static void patched(const char *bytes, size_t n, const struct value_step *steps, size_t nsteps, struct buf *out)
{
    struct kit k;
    struct edits edits;
    struct patcher p;
    struct sink sink;

    kit_open(&k, FORMS, (struct slice){ bytes, n });
    struct node *m = kit_next(&k);
    if (!m)
        kit_show(&k);
    assert_non_null(m);
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&edits, &k.arena);
    for (size_t i = 0; i < nsteps; i++) {
        struct value v = { .at = VALUE_NO_PLACE, .state = steps[i].value ? VALUE_PRESENT : VALUE_ABSENT, .p = steps[i].value,
                           .n = steps[i].value ? (uint32_t)strlen(steps[i].value) : 0 };
        edit_set(&edits, m, group_field(m->group, slice_of(steps[i].path)), &v);
    }
    struct slice now = kit_patch(&k, &p, &edits, (struct slice){ bytes, n }, &sink);
    out->n = 0;
    if (now.n)
        buf_add(out, now);
    else
        buf_text(out, k.problems.first ? k.problems.first->code : "nothing");
    sink_release(&sink);
    kit_close(&k);
}

static void check(const char *before, const char *path, const char *value, const char *after)
{
    struct buf out = { 0 }, in = { 0 }, want = { 0 };

    buf_printf(&in, "<R><M>%s</M></R>", before);
    buf_printf(&want, strncmp(after, "XML_", 4) == 0 ? "%s" : "<R><M>%s</M></R>", after);
    patched(in.p, in.n, &(struct value_step){ path, value }, 1, &out);
    if (!slice_equal(buf_slice(&out), buf_slice(&want)))
        fprintf(stderr, "want %.*s\ngot  %.*s\n", (int)want.n, want.p, (int)out.n, out.p);
    assert_true(slice_equal(buf_slice(&out), buf_slice(&want)));
    buf_release(&out);
    buf_release(&in);
    buf_release(&want);
}

static void values_keep_their_form(void **state)
{
    (void)state;
    check("<a>x</a>", "a", "y&z", "<a>y&amp;z</a>");
    check("<a>&#120;</a>", "a", "y", "<a>y</a>");
    check("<a><![CDATA[x]]></a>", "a", "y&z", "<a><![CDATA[y&z]]></a>");
    check("<a><![CDATA[x]]></a>", "a", "a]]>b", "<a><![CDATA[a]]]]><![CDATA[>b]]></a>");
    check("<a/>", "a", "y", "<a>y</a>");
    check("<a />", "a", "y", "<a>y</a>");
    check("<a></a>", "a", "y", "<a>y</a>");
    check("<a>x<!-- c -->z</a>", "a", "y", "<a>y<!-- c --></a>");
    check("<a><!-- c --></a>", "a", "y", "<a>y<!-- c --></a>");
    check("<a>x<e/></a>", "a", "y", "XML_PATCH");
    check("<n> 5 </n>", "n", "6", "<n> 6 </n>");
    check("<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil=\"true\"/>", "a", "y",
          "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>y</a>");
    check("<a>x</a><b>y</b>", "a", NULL, "<b>y</b>");
    check("\n <a>x</a>\n <b>y</b>\n", "b", NULL, "\n <a>x</a>\n");
    check("<C><c>1</c></C><z/>", "c", NULL, "<z/>");
    check("<C><c>1</c><q/></C>", "c", NULL, "<C><q/></C>");
    check("<n u=\"EA\">5</n>", "u", "CS", "<n u=\"CS\">5</n>");
    check("<n u = 'EA' >5</n>", "u", "it's \"", "<n u = 'it&apos;s \"' >5</n>");
    check("<n u=\"EA\">5</n>", "u", NULL, "<n>5</n>");
    check("<n u=\"EA\">5</n>", "n", NULL, "<n u=\"EA\"></n>");
}

static void new_values_find_their_place(void **state)
{
    (void)state;
    check("<b>y</b>", "a", "x", "<a>x</a><b>y</b>");
    check("\n  <b>y</b>\n", "a", "x", "\n  <a>x</a>\n  <b>y</b>\n");
    check("\n  <a>y</a>\n", "b", "x", "\n  <a>y</a>\n  <b>x</b>\n");
    check("", "b", "x", "<b>x</b>");
    check("<n>5</n>", "u", "EA", "<n u=\"EA\">5</n>");
    check("<n q='1' >5</n>", "u", "EA", "<n q='1' u=\"EA\" >5</n>");
    check("", "u", "EA", "<n u=\"EA\"/>");
    check("<n/>", "u", "EA", "<n u=\"EA\"/>");
    check("\n  <a>y</a>\n", "c", "x", "\n  <a>y</a>\n  <C>\n  <c>x</c>\n  </C>\n");
    check("<C/>", "c", "x", "<C><c>x</c></C>");
    check("<C><d>1</d></C>", "c", "x", "<C><c>x</c><d>1</d></C>");
    check("<a>1</a><L><G/></L>", "c", "x", "<a>1</a><C><c>x</c></C><L><G/></L>");
}

static void edits_meet_in_a_new_container(void **state)
{
    struct buf out = { 0 };
    static const char bytes[] = "<R><M><a>1</a></M></R>", empty[] = "<R><M/></R>";
    const struct value_step both[] = { { "c", "x" }, { "d", "y" } }, plain[] = { { "a", "x" }, { "b", "y" }, { "at", "z" } };

    (void)state;
    patched(bytes, sizeof bytes - 1, both, 2, &out);
    buf_byte(&out, '\0');
    assert_string_equal(out.p, "<R><M><a>1</a><C><c>x</c><d>y</d></C></M></R>");
    patched(empty, sizeof empty - 1, plain, 3, &out);
    buf_byte(&out, '\0');
    assert_string_equal(out.p, "<R><M at=\"z\"><a>x</a><b>y</b></M></R>");
    buf_release(&out);
}

static struct node *new_g(struct kit *k, struct node *m, const char *text)
{
    struct node *g = node_new(&k->arena, m->group->groups[0], m);
    *node_value(g, group_field(g->group, SLICE("x"))) =
        (struct value){ .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = text, .n = (uint32_t)strlen(text) };
    return g;
}

/* `order follow`: an element behind one that is new itself, where other edits come between. */
static void new_elements_in_order(void **state)
{
    static const char bytes[] = "<R><M><L><G x='1'/><G x='2'/></L></M></R>";
    struct kit k;
    struct edits edits;
    struct patcher p;
    struct sink sink;

    (void)state;
    kit_open(&k, FORMS, slice_of(bytes));
    struct node *m = kit_next(&k), *first = node_list(m, m->group->groups[0])->first, *last = first->next;
    struct node *n = new_g(&k, m, "n"), *o = new_g(&k, m, "o");
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&edits, &k.arena);
    edit_insert(&edits, n, m, first);
    edit_insert(&edits, new_g(&k, m, "z"), m, NULL);
    edit_insert(&edits, o, m, n);
    edit_insert(&edits, new_g(&k, m, "p"), m, o);
    edit_insert(&edits, new_g(&k, m, "y"), m, last);        /* ahead of "z", which has no predecessor */
    struct slice now = kit_patch(&k, &p, &edits, slice_of(bytes), &sink);
    assert_string_equal(arena_cstr(&k.arena, now),
                        "<R><M><L><G x='1'/><G x=\"n\"/><G x=\"o\"/><G x=\"p\"/><G x='2'/><G x=\"y\"/><G x=\"z\"/></L></M></R>");
    sink_release(&sink);
    kit_close(&k);
}

/* The same edit in several encodings: outside the edit all bytes are equal, and what the charset lacks is a reference. */
static void other_charsets(void **state)
{
    static const struct { enum charset c; const char *name; } sets[] = {
        { CHARSET_ISO_8859_1, "ISO-8859-1" }, { CHARSET_WINDOWS_1250, "windows-1250" }, { CHARSET_UTF_16LE, "UTF-16" }, { CHARSET_UTF_16BE, "UTF-16" } };

    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct buf text = { 0 }, bytes = { 0 }, want = { 0 }, out = { 0 };
        const bool wide = sets[i].c == CHARSET_UTF_16LE || sets[i].c == CHARSET_UTF_16BE;
        buf_printf(&text, "<?xml version=\"1.0\" encoding=\"%s\"?>\r\n<R><M n\xC3\xB6=\"\xC3\xA4\"><a>\xC3\xA4\xC3\xB6</a><b/></M></R>", sets[i].name);
        if (wide)
            buf_add(&bytes, sets[i].c == CHARSET_UTF_16LE ? SLICE("\xFF\xFE") : SLICE("\xFE\xFF"));
        assert_int_equal(charset_encode(sets[i].c, buf_slice(&text), &bytes), text.n);
        text.n = 0;
        buf_printf(&text, "<?xml version=\"1.0\" encoding=\"%s\"?>\r\n<R><M n\xC3\xB6=\"\xC3\xA4\"><a>%s</a><b>\xC3\xA4</b></M></R>", sets[i].name,
                   wide ? "\xC4\x85\xC3\xBC" : sets[i].c == CHARSET_ISO_8859_1 ? "&#261;\xC3\xBC" : "\xC4\x85\xC3\xBC");
        if (wide)
            buf_add(&want, sets[i].c == CHARSET_UTF_16LE ? SLICE("\xFF\xFE") : SLICE("\xFE\xFF"));
        assert_int_equal(charset_encode(sets[i].c, buf_slice(&text), &want), text.n);
        const struct value_step steps[] = { { "a", "\xC4\x85\xC3\xBC" }, { "b", "\xC3\xA4" } };
        patched(bytes.p, bytes.n, steps, 2, &out);
        assert_int_equal(out.n, want.n);
        assert_memory_equal(out.p, want.p, want.n);
        buf_release(&text);
        buf_release(&bytes);
        buf_release(&want);
        buf_release(&out);
    }
}

/* Edits of whole messages and of members of the file, as they come while the original is read. */
static void check_messages(const char *text, const char *want, int remove, bool add, const char *batch)
{
    static const char format[] = "syntax xml indent \"  \"\nBatch text at /R/@batch\nmessage M at /R/L/M {\n a text\n b text at b/c\n}\n";
    struct kit k;
    struct edits edits;
    struct patcher p;
    struct sink sink;
    struct node *m;

    kit_open(&k, format, slice_of(text));
    patcher_init(&p, &k.reader, &k.arena);
    edits_init(&edits, &k.arena);
    for (int i = 0; (m = kit_next(&k)) != NULL; i++)
        if (i == remove)
            edit_delete(&edits, m);
    assert_int_equal(k.rc, END);
    if (add) {
        struct node *new = node_new(&k.arena, k.format->messages[0], k.reader.file);
        *node_value(new, group_field(new->group, SLICE("a"))) = new_value(CHANGE);
        *node_value(new, group_field(new->group, SLICE("b"))) = new_value(CHANGE);
        edit_insert(&edits, new, k.reader.file, NULL);
    }
    if (batch) {
        struct value v = { .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = batch, .n = (uint32_t)strlen(batch) };
        edit_set(&edits, k.reader.file, k.format->file_group->fields[0], &v);
    }
    struct slice now = kit_patch(&k, &p, &edits, slice_of(text), &sink);
    if (k.problems.n)
        kit_show(&k);
    if (!slice_is(now, want))
        fprintf(stderr, "%.*s\n", SLICE_ARG(now));
    assert_true(slice_is(now, want));
    sink_release(&sink);
    kit_close(&k);
}

static void whole_messages(void **state)
{
    static const char two[] = "<R batch='1'>\n  <L>\n    <M>\n      <a>1</a>\n    </M>\n    <M/>\n  </L>\n</R>\n";
    static const char new[] = "\n    <M>\n      <a>new &lt;&amp;&gt; \xC3\xA6</a>\n      <b>\n        <c>new &lt;&amp;&gt; \xC3\xA6</c>\n      </b>\n    </M>";
    char want[400];

    (void)state;
    check_messages(two, "<R batch='1'>\n  <L>\n    <M/>\n  </L>\n</R>\n", 0, false, NULL);
    check_messages(two, "<R batch='1'>\n  <L>\n    <M>\n      <a>1</a>\n    </M>\n  </L>\n</R>\n", 1, false, NULL);
    check_messages(two, "<R batch='it&apos;s'>\n  <L>\n    <M>\n      <a>1</a>\n    </M>\n    <M/>\n  </L>\n</R>\n", -1, false, "it's");
    snprintf(want, sizeof want, "<R batch='1'>\n  <L>\n    <M>\n      <a>1</a>\n    </M>\n    <M/>%s\n  </L>\n</R>\n", new);
    check_messages(two, want, -1, true, NULL);
    snprintf(want, sizeof want, "<R>\n  <L>%s\n  </L>\n</R>\n", new);
    check_messages("<R>\n  <L>\n  </L>\n</R>\n", want, -1, true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_form),
        cmocka_unit_test(new_values_find_their_place),
        cmocka_unit_test(edits_meet_in_a_new_container),
        cmocka_unit_test(new_elements_in_order),
        cmocka_unit_test(other_charsets),
        cmocka_unit_test(whole_messages),
        cmocka_unit_test(every_single_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
