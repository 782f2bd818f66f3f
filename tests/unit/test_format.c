#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/file.h"
#include "format/format.h"
#include "format/type.h"
#include "unit/tempdir.h"

struct fixture {
    struct arena arena;
    struct problems problems;
    struct format *format;
    unsigned opened;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    f = (struct fixture){ 0 };
    arena_init(&f.arena, 0);
    problems_init(&f.problems, &f.arena, 0);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    return 0;
}

static int compile(struct fixture *f, const char *text)
{
    struct conf *conf;
    assert_int_equal(conf_parse(&f->arena, "t.format", slice_of(text), &conf, &f->problems), OK);
    return format_compile(&f->arena, NULL, SLICE("t"), conf, &f->format, &f->problems);
}

/* All problems, one per line, as "line:column CODE text (hint)". */
static const char *told(struct fixture *f)
{
    struct slice all = SLICE("");
    for (const struct problem *p = f->problems.first; p; p = p->next)
        all = arena_printf(&f->arena, "%.*s%u:%u %s %.*s%s%.*s%s\n", SLICE_ARG(all), p->place.line, p->place.column,
                           p->code, SLICE_ARG(p->text), p->hint.n ? " (" : "", SLICE_ARG(p->hint), p->hint.n ? ")" : "");
    return arena_cstr(&f->arena, all);
}

static void good(struct fixture *f, const char *text)
{
    if (compile(f, text) != OK)
        fail_msg("%s", told(f));
}

static void note_opened(void *owner, const char *path, struct slice content)
{
    struct fixture *f = owner;
    (void)path;
    assert_true(content.n > 0);
    f->opened++;
}

static const char *const roots[] = { "tests/data", "tests/data/format", NULL };

static void load(struct fixture *f, const char *name)
{
    const struct finder finder = { .roots = roots, .opened = note_opened, .owner = f };
    f->opened = 0;
    if (format_load(&f->arena, &finder, slice_of(name), NULL, &f->format, &f->problems) != OK)
        fail_msg("%s: %s", name, told(f));
    assert_int_equal(f->problems.n, 0);
}

static struct group *message(struct fixture *f)
{
    assert_true(f->format->nmessages > 0);
    return f->format->messages[0];
}

static struct group *child(const struct group *g, const char *name)
{
    struct group *below = group_child(g, slice_of(name));
    assert_non_null(below);
    return below;
}

static struct field *field(const struct group *g, const char *name)
{
    struct field *f = group_field(g, slice_of(name));
    assert_non_null(f);
    return f;
}

/* ---- the formats of an integration ---- */

static void every_format_of_24so_loads(void **state)
{
    static const char *const names[] = {
        "24so", "24so-companies", "24so-orders", "24so-products", "24so-status", "24so-stock", "companies-table", "log", "ongoing-articles",
        "ongoing-inventory", "ongoing-orders", "ongoing-shipped", "ongoing-suppliers", "products-table", "bl-call", "edi/ubl-order", "edi/d96a",
        "edi/orders", "edi/nordisk-orders",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        load(*state, names[i]);
}

static void orders_become_a_tree(void **state)
{
    struct fixture *f = *state;
    load(f, "24so-orders");
    assert_int_equal(f->opened, 2);
    assert_true(slice_is(f->format->syntax, "xml"));
    assert_int_equal(f->format->charset, CHARSET_UTF_8);
    assert_true(slice_is(format_option(f->format, "indent", SLICE("none")), "  "));
    assert_true(slice_is(format_option(f->format, "declaration", SLICE("yes")), "yes"));
    struct group *m = message(f), *row = child(m, "InvoiceRow"), *delivery = child(child(m, "Addresses"), "Delivery");
    assert_true(m->is_message);
    assert_int_equal(m->at.nsteps, 3);
    assert_true(m->at.absolute);
    assert_true(slice_is(m->at.steps[2].uri, "http://24sevenOffice.com/webservices"));
    assert_true(slice_is(m->title, "Order"));
    assert_int_equal(m->nkeys, 1);
    assert_ptr_equal(m->keys[0].field, field(m, "OrderId"));
    assert_null(m->keys[0].group);
    assert_int_equal(row->min_occurs, 0);
    assert_int_equal(row->max_occurs, OCCURS_MANY);
    assert_int_equal(row->at.nsteps, 2);
    assert_int_equal(delivery->max_occurs, 1);
    assert_int_equal(delivery->nfields, 7);
    assert_true(slice_is(field_path(&f->arena, field(delivery, "Street")), "Addresses/Delivery/Street"));
    assert_int_equal(field(row, "Type")->ncodes, 3);
    assert_int_equal(field(m, "DeliveryDate")->nnothing, 1);
    assert_true(field(m, "CustomerName")->flags & FIELD_BLANK_IS_NOTHING);
    assert_int_equal(m->nmembers, m->nfields + m->ngroups);
    assert_true(slice_is(m->members[5].group->name, "Addresses"));
}

static void file_members_stand_behind_messages(void **state)
{
    struct fixture *f = *state;
    load(f, "ongoing-articles");
    struct group *file = f->format->file_group;
    struct field *owner = field(file, "GoodsOwner");
    assert_ptr_equal(file->groups[0], message(f));
    assert_true(owner->at.absolute);
    assert_true(owner->at.steps[1].attribute);
    assert_true(slice_is(owner->at.steps[1].name, "goodsOwner"));
    assert_true(slice_is(field_path(&f->arena, owner), "/GoodsOwner"));
    assert_ptr_equal(file->members[0].field, owner);
    good(f, "syntax xml\ngroup Head {\n  A text\n}\nmessage M {\n  B text\n}\nmessage N {\n  C text\n}\n");
    file = f->format->file_group;
    assert_true(slice_is(file->groups[0]->name, "M"));
    assert_true(slice_is(file->groups[1]->name, "N"));
    assert_true(slice_is(file->groups[2]->name, "Head"));
    assert_int_equal(file->groups[2]->index, 2);
    assert_true(slice_is(file->members[0].group->name, "Head"));
    assert_int_equal(f->format->nmessages, 2);
    for (size_t i = 0; i < f->format->ngroups; i++)
        assert_int_equal(f->format->all_groups[i]->id, i);
}

static void prefixes_become_namespaces(void **state)
{
    struct fixture *f = *state;
    load(f, "edi/ubl-order");
    struct field *zone = field(child(child(message(f), "Buyer"), "Address"), "Zone");
    assert_true(slice_is(zone->at.steps[0].prefix, "cbc"));
    assert_true(slice_is(zone->at.steps[0].name, "PostalZone"));
    assert_true(slice_is(zone->at.steps[0].uri, "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"));
    struct field *unit = field(child(message(f), "Line"), "Unit");
    assert_true(unit->at.steps[1].attribute);
    assert_null(unit->at.steps[1].uri.p);
    assert_true(slice_is(message(f)->at.steps[0].uri, "urn:oasis:names:specification:ubl:schema:xsd:Order-2"));
    good(f, "syntax xml\nnamespace a \"urn:a\"\nmessage M {\n  a:X text\n  Y text\n}\n");
    assert_int_equal(field(message(f), "a:X")->at.kind, AT_NONE);
    assert_true(slice_is(field(message(f), "a:X")->at.steps[0].uri, "urn:a"));
    assert_true(slice_is(field(message(f), "a:X")->at.steps[0].name, "X"));
    assert_null(field(message(f), "Y")->at.steps[0].uri.p);
}

static void segments_and_composites_are_shapes(void **state)
{
    struct fixture *f = *state;
    load(f, "edi/orders");
    struct group *m = message(f), *nad = child(child(m, "Party"), "NAD"), *name = child(child(nad, "C080"), "3036");
    assert_int_equal(m->at.kind, AT_TITLE);
    assert_true(slice_is(m->keys[0].path, "BGM/1004"));
    assert_ptr_equal(m->keys[0].group, child(m, "BGM"));
    assert_true(name->single_value);
    assert_int_equal(name->min_occurs, 1);
    assert_int_equal(name->max_occurs, 5);
    assert_true(slice_is(name->fields[0]->name, "."));
    assert_int_equal(name->fields[0]->max, 35);
    assert_true(slice_is(field_path(&f->arena, name->fields[0]), "Party/NAD/C080/3036"));
    assert_true(field(nad, "3035")->flags & FIELD_REQUIRED);
    assert_int_equal(child(m, "DTM")->max_occurs, 35);
    assert_ptr_equal(child(m, "DTM")->keys[0].group, child(child(m, "DTM"), "C507"));
    assert_non_null(group_field(child(f->format->file_group, "Interchange"), SLICE("Recipient")));
}

static void json_members_and_names(void **state)
{
    struct fixture *f = *state;
    load(f, "bl-call");
    struct group *custom = child(child(message(f), "parameters"), "Custom");
    assert_true(slice_is(custom->at.steps[1].name, "*"));
    assert_true(slice_is(field(custom, "Id")->at.steps[0].name, "name"));
    assert_true(slice_is(field(custom, "Value")->at.steps[0].name, "."));
    assert_true(slice_is(field(child(message(f), "parameters"), "file")->prefix, "data:"));
    assert_true(slice_is(format_option(f->format, "lines", slice_none()), ""));
    assert_int_equal(child(message(f), "parameters")->min_occurs, 1);
}

/* ---- headers ---- */

static void headers_in_both_places(void **state)
{
    struct fixture *f = *state;
    good(f, "syntax csv delimiter \";\" header exact\nquote none\nnewline crlf\nbom\nreplace \";\" \",\"\nencoding windows-1250\n"
            "message M {\n    delimiter text\n    header text\n}\n");
    assert_true(slice_is(format_option(f->format, "delimiter", SLICE(",")), ";"));
    assert_true(slice_is(format_option(f->format, "quote", SLICE("\"")), "none"));
    assert_true(slice_is(format_option(f->format, "bom", SLICE("no")), ""));
    assert_true(slice_is(format_option(f->format, "tag", SLICE("?")), "?"));
    assert_int_equal(f->format->nreplacements, 1);
    assert_int_equal(f->format->charset, CHARSET_WINDOWS_1250);
    assert_int_equal(message(f)->nfields, 2);
    good(f, "syntax json lines\nwidth text\nindent money\nmessage M {\n    A text\n}\ntype money decimal max 9\n");
    assert_non_null(group_field(f->format->file_group, SLICE("indent")));
    assert_non_null(group_field(f->format->file_group, SLICE("width")));
}

static void own_headers_stand_above_included(void **state)
{
    struct fixture *f = *state;
    struct conf *conf;
    const struct finder finder = { .roots = roots };
    struct slice text = SLICE("encoding iso-8859-1\nsyntax xml indent \"\\t\"\ndefault datetime pattern \"yyyyMMddHHmm\"\ninclude 24so\n"
                              "message M {\n    D datetime\n    T text\n}\n");
    assert_int_equal(conf_parse(&f->arena, "t.format", text, &conf, &f->problems), OK);
    assert_int_equal(format_compile(&f->arena, &finder, SLICE("t"), conf, &f->format, &f->problems), OK);
    assert_int_equal(f->format->charset, CHARSET_ISO_8859_1);
    assert_true(slice_is(format_option(f->format, "indent", slice_none()), "\t"));
    assert_true(slice_is(field(message(f), "D")->pattern_text, "yyyyMMddHHmm"));
    assert_int_equal(field(message(f), "D")->nnothing, 1);
    assert_true(f->format->text_hash_source.n > text.n);
    assert_ptr_equal(format_conf(f->format, &field(message(f), "D")->token), conf);
    assert_string_equal(format_conf(f->format, &f->format->options[0].token)->file, "tests/data/format/24so.format");
}

static void types_codes_and_shapes_in_any_order(void **state)
{
    struct fixture *f = *state;
    good(f, "syntax csv\nmessage M {\n    A amount\n    amount\n    K text code kinds\n    G 1..3\n    T G 1\n}\n"
            "shape G \"A pair\" key X {\n    X amount required\n    Y text\n}\n"
            "type amount money max 9\ntype money decimal mark \",\" scale 2\ndefault decimal nothing \"0\"\n"
            "codes kinds {\n    A \"first\"\n    B\n}\n");
    struct group *m = message(f);
    assert_int_equal(field(m, "A")->type, TYPE_DECIMAL);
    assert_int_equal(field(m, "A")->max, 9);
    assert_int_equal(field(m, "A")->scale_max, 2);
    assert_int_equal(field(m, "amount")->nnothing, 1);
    assert_int_equal(field(m, "K")->ncodes, 2);
    assert_true(slice_is(field(m, "K")->codes[0].title, "first"));
    assert_true(slice_is(child(m, "G")->title, "A pair"));
    assert_int_equal(child(m, "T")->min_occurs, 1);
    assert_ptr_equal(child(m, "T")->keys[0].field, field(child(m, "T"), "X"));
}

static void repeated_fields(void **state)
{
    struct fixture *f = *state;
    good(f, "syntax xml\nmessage M {\n    Phone text 0..* at Phones/Phone max 20 required \"Telephone\"\n    One text 1\n}\n");
    struct group *phone = child(message(f), "Phone");
    assert_true(phone->single_value);
    assert_int_equal(phone->at.nsteps, 2);
    assert_true(slice_is(phone->title, "Telephone"));
    assert_int_equal(phone->min_occurs, 1);
    assert_int_equal(phone->fields[0]->max, 20);
    assert_false(phone->fields[0]->flags & FIELD_REQUIRED);
    assert_int_equal(phone->fields[0]->at.kind, AT_PATH);
    assert_true(field(message(f), "One")->flags & FIELD_REQUIRED);
}

static void spellings(void **state)
{
    struct fixture *f = *state;
    good(f, "syntax edifact\nmessage M at \"ORDERS:D:96A:UN\" {\n    group L at HL[\"S\"] {\n        A text at 6\n        B text at 4..12\n"
            "        C text at \"Column title\"\n        D text at .\n    }\n}\n");
    struct group *l = child(message(f), "L");
    assert_true(slice_is(l->at.steps[0].key, "S"));
    assert_int_equal(field(l, "A")->at.from, 6);
    assert_int_equal(field(l, "B")->at.to, 12);
    assert_true(slice_is(field(l, "C")->at.title, "Column title"));
    assert_true(slice_is(field(l, "D")->at.steps[0].name, "."));
}

static void a_member_called_like_a_keyword(void **state)
{
    struct fixture *f = *state;
    good(f, "syntax csv\nmessage Row key group {\n    ./group text required\n    ./key\n    ./message integer\n}\n"
            "type key text\n");
    assert_non_null(group_field(f->format->messages[0], SLICE("group")));
    assert_int_equal(group_field(f->format->messages[0], SLICE("message"))->type, TYPE_INTEGER);
}

static void code_lists_from_a_file(void **state)
{
    struct fixture *f = *state;
    char dir[256];
    assert_non_null(tempdir_make(dir));
    const char *list = file_join(&f->arena, dir, "units.csv"), *format = file_join(&f->arena, dir, "u.format");
    FILE *out = fopen(list, "w");
    assert_non_null(out);
    fputs("code;title\r\nKGM;\"kilo; \"\"gram\"\"\"\nPCE;piece\n\n\"X;Y\";\n", out);
    fclose(out);
    out = fopen(format, "w");
    assert_non_null(out);
    fputs("syntax csv\ncodes units \"units.csv\"\nmessage M {\n    U text code units\n}\n", out);
    fclose(out);
    load(f, format);
    const struct field *u = field(message(f), "U");
    assert_int_equal(u->ncodes, 3);
    assert_true(slice_is(u->codes[0].title, "kilo; \"gram\""));
    assert_true(slice_is(u->codes[2].value, "X;Y"));
    assert_int_equal(f->opened, 2);
    tempdir_remove(dir);
}

/* ---- what is wrong is told, all at once ---- */

static void wrong(struct fixture *f, const char *text, const char *want)
{
    f->problems.first = f->problems.last = NULL;
    f->problems.n = 0;
    assert_int_equal(compile(f, text), STOP);
    assert_string_equal(told(f), want);
}

static void every_fault_has_its_place(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        { "syntax csvv\n", "1:8 FMT_SYNTAX there is no syntax `csvv` (did you mean `csv`?)\n" },
        { "syntax csv\nencodng utf-8\n", "2:1 FMT_WORD unknown word `encodng` (did you mean `encoding`?)\n" },
        { "syntax csv\nencoding utf-9\n", "2:10 FMT_ENCODING the encoding `utf-9` is not known (did you mean `UTF-8`?)\n" },
        { "syntax csv\nmessage M {\n    A txet\n}\n", "3:7 FMT_TYPE there is no type or shape `txet` (did you mean `text`?)\n" },
        { "syntax csv\nmessage M {\n    A\n}\n", "3:5 FMT_TYPE `A` has no type (write a type behind it: text, integer, decimal, date …)\n" },
        { "syntax csv\nmessage M {\n    A text reqired\n}\n", "3:12 FMT_ATTR `reqired` is no attribute (did you mean `required`?)\n" },
        { "syntax csv\nmessage M {\n    A text scale 2\n}\n", "3:12 FMT_ATTR `scale` cannot be said of the type text\n" },
        { "syntax csv\nmessage M {\n    A text key B\n}\n", "3:12 FMT_ATTR `key` cannot be said of a field\n" },
        { "syntax csv\nmessage M {\n    A text max x\n}\n", "3:16 FMT_VALUE expected a number, found `x`\n" },
        { "syntax csv\nmessage M {\n    A text max\n}\n", "3:15 FMT_VALUE expected a number, found the end of the line\n" },
        { "syntax csv\nmessage M {\n    A text 2..1\n}\n", "3:12 FMT_OCCURS `2..1` is no number of times (`1`, `0..1`, `1..*`)\n" },
        { "syntax csv\nmessage M {\n    A text\n    A date\n}\n", "4:5 FMT_TWICE `A` stands here already, in line 3\n" },
        { "syntax csv\nmessage M\n", "2:10 FMT_BLOCK a message needs a block: `{`, its members, `}`\n" },
        { "syntax csv\nmessage M {\n    A text {\n        B text\n    }\n}\n",
          "3:5 FMT_BLOCK only message, group and shape have a block (write `group` before the name)\n" },
        { "syntax csv\nmessage M key Custmer {\n    Customer text\n}\n",
          "2:15 FMT_KEY there is no field `Custmer` in M (did you mean `Customer`?)\n" },
        { "syntax csv\nmessage M key L/A {\n    group L 0..* {\n        A text\n    }\n}\n",
          "2:15 FMT_KEY `L` stands many times, a key needs one value\n" },
        { "syntax csv\ndefault date pattern \"dd.mm.yyyy\"\n",
          "2:26 FMT_PATTERN \"dd.mm.yyyy\" has minutes where a date has months (did you mean `MM`?)\n" },
        { "syntax csv\nmessage M {\n    A text code unts\n}\ncodes units {\n    A\n}\n",
          "3:17 FMT_CODES there are no codes `unts` (did you mean `units`?)\n" },
        { "syntax csv\nmessage M {\n    A integer code (1, B)\n}\n", "3:5 FMT_CODES the code \"B\" is not an integer\n" },
        { "syntax xml\nnamespace cbc \"urn:x\"\nmessage M {\n    A text at cbx:ID\n}\n",
          "4:15 FMT_PREFIX no namespace has the prefix `cbx` (did you mean `cbc`?)\n" },
        { "syntax xml\nmessage M {\n    A text at @x/y\n}\n", "3:18 FMT_SPELLING nothing can stand below an attribute\n" },
        { "syntax csv\nshape S {\n    X S\n}\n", "3:8 FMT_CYCLE the shape `S` holds itself\n" },
        { "syntax csv\ninclude missing\n",
          "2:9 FMT_MISSING there is no format `missing` (it is looked up beside this file, then where formats are)\n" },
        { "message M {\n    A text\n}\n", "1:1 FMT_SYNTAX this format names no syntax (begin with `syntax csv`, `syntax xml` …)\n" },
        { "syntax csv\nmessage M {\n    A decimal mark \",\" grouping \",.\"\n}\n",
          "3:5 FMT_ATTR `,` cannot be decimal mark and grouping at once (state another `mark`, or no `grouping`)\n" },
        { "syntax csv\nmessage M {\n    A text pad left \"0\"\n}\n", "3:5 FMT_ATTR `pad` without `size` (add `size N`)\n" },
        { "syntax csv\nmessage M {\n    message N {\n        A text\n    }\n}\n",
          "3:5 FMT_BLOCK a message stands at the outermost level of a format (write `group`)\n" },
        { "syntax csv delimiter\n", "1:21 FMT_OPTION `delimiter` needs a value\n" },
        { "syntax csv\ntype a b max 3\n", "2:8 FMT_TYPE there is no type `b`\n" },
        { "syntax csv\ntype a a\n", "2:8 FMT_CYCLE the type `a` is made of itself, or of one that is wrong\n" },
        { "syntax csv\nmessage M {\n    = text\n}\n", "3:5 FMT_WORD a member begins with its name, found `=`\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        wrong(*state, cases[i].text, cases[i].want);
}

static void all_faults_at_once_and_none_twice(void **state)
{
    wrong(*state,
          "syntax csv\n"
          "default date pattern \"dd.MM.YYYY\"\n"
          "type money decimal scal 2\n"
          "shape Address {\n"
          "    Street txt\n"
          "    City text max 0\n"
          "}\n"
          "message M key Nr {\n"
          "    Delivery Address\n"
          "    Invoice Address maxx 3 required lax\n"
          "    Price money\n"
          "    Total money scale 99\n"
          "    D date\n"
          "}\n",
          "2:29 FMT_PATTERN \"dd.MM.YYYY\" has the letter `Y`, which means nothing here (did you mean `y`, the year?)\n"
          "3:20 FMT_ATTR `scal` is no attribute (did you mean `scale`?)\n"
          "5:12 FMT_TYPE there is no type or shape `txt` (did you mean `text`?)\n"
          "6:19 FMT_VALUE `0` must be a whole number from 1 to 1048576\n"
          "10:21 FMT_ATTR `maxx` is no attribute (did you mean `max`?)\n"
          "10:37 FMT_ATTR `lax` cannot be said of a group\n"
          "12:23 FMT_VALUE a scale is a number of decimals or a range, at most 38 (`scale 2`, `scale 0..4`)\n"
          "8:15 FMT_KEY there is no field `Nr` in M\n");
}

static void growth_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct buf b = { 0 };
    buf_text(&b, "syntax xml\nshape S0 {\n    A text\n}\n");
    for (int i = 1; i < 30; i++)
        buf_printf(&b, "shape S%d {\n    A S%d\n    B S%d\n}\n", i, i - 1, i - 1);
    buf_text(&b, "message M {\n    X S29\n}\n");
    assert_int_equal(compile(f, arena_cstr(&f->arena, buf_slice(&b))), STOP);
    buf_release(&b);
    assert_int_equal(f->problems.n, 1);
    assert_string_equal(f->problems.first->code, "FMT_LIMIT");
}

static void shapes_go_so_deep(void **state)
{
    struct fixture *f = *state;
    struct buf b = { 0 };
    buf_text(&b, "syntax xml\nshape S0 {\n    A text\n}\n");
    for (int i = 1; i < 5000; i++)
        buf_printf(&b, "shape S%d {\n    A S%d\n}\n", i, i - 1);
    buf_text(&b, "message M {\n    X S29\n}\n");
    assert_int_equal(compile(f, arena_cstr(&f->arena, buf_slice(&b))), STOP);
    buf_release(&b);
    assert_int_equal(f->problems.n, 1);
    assert_string_equal(f->problems.first->code, "FMT_LIMIT");
}

static void includes_and_guides_come_to_an_end(void **state)
{
    struct fixture *f = *state;
    char dir[256];
    static const char *const files[][2] = {
        { "a.format", "include b\nsyntax csv\n" }, { "b.format", "include a\n" }, { "g.format", "guide of h\n" },
        { "h.format", "guide of g\n" },
    };
    assert_non_null(tempdir_make(dir));
    for (size_t i = 0; i < 4; i++) {
        FILE *out = fopen(file_join(&f->arena, dir, files[i][0]), "w");
        assert_non_null(out);
        fputs(files[i][1], out);
        fclose(out);
    }
    struct slice a = slice_of(file_join(&f->arena, dir, "a")), g = slice_of(file_join(&f->arena, dir, "g"));
    assert_int_equal(format_load(&f->arena, NULL, a, NULL, &f->format, &f->problems), STOP);
    assert_string_equal(f->problems.first->code, "FMT_CYCLE");
    f->problems.first = f->problems.last = NULL;
    assert_int_equal(format_load(&f->arena, NULL, g, NULL, &f->format, &f->problems), STOP);
    assert_string_equal(f->problems.first->code, "FMT_CYCLE");
    tempdir_remove(dir);
}

/* ---- guides ---- */

static void a_guide_restricts(void **state)
{
    struct fixture *f = *state;
    load(f, "edi/nordisk-orders");
    struct group *m = message(f);
    assert_true(slice_is(f->format->guide_of, "orders"));
    assert_true(slice_is(m->at.title, "ORDERS:D:96A:UN:EAN008"));
    assert_true(field(child(m, "BGM"), "1004")->flags & FIELD_REQUIRED);
    assert_int_equal(field(child(m, "BGM"), "1004")->max, 17);
    assert_int_equal(field(child(m, "BGM"), "1225")->ncodes, 1);
    assert_int_equal(child(child(m, "Line"), "DTM")->max_occurs, 0);
    assert_true(f->format->nrules > 5);
    assert_true(slice_is(f->format->rules[0].path, "DTM[\"137\"]"));
    assert_int_equal(f->format->rules[0].min_occurs, 1);
    assert_true(slice_is(f->format->rules[0].title, "Date of the message"));
    for (size_t i = 0; i < f->format->ngroups; i++)
        assert_ptr_equal(f->format->all_groups[i]->format, f->format);
}

static void a_guide_may_not_widen(void **state)
{
    struct fixture *f = *state;
    struct conf *conf;
    const struct finder finder = { .roots = roots };
    struct slice text = SLICE("guide of edi/orders\nParty[\"BY\"] 0..30\nBGM 0..1\nBGM/1004 max 99\nBGM/1225 max 99 relax\nUNS/0081 code (X)\n"
                              "Prty 1\nParty[\"BY\", \"X\"] 1\n");
    assert_int_equal(conf_parse(&f->arena, "t.format", text, &conf, &f->problems), OK);
    assert_int_equal(format_compile(&f->arena, &finder, SLICE("t"), conf, &f->format, &f->problems), STOP);
    assert_string_equal(told(f),
        "2:13 GUIDE_WIDENS Party[\"BY\"] 0..30 admits more than the standard's 0..20 (write `relax` behind it if the partner really does that)\n"
        "3:5 GUIDE_WIDENS BGM 0..1 admits more than the standard's 1 (write `relax` behind it if the partner really does that)\n"
        "4:1 GUIDE_WIDENS max 99 admits more than the standard's 35 (write `relax` behind it if the partner really does that)\n"
        "6:1 GUIDE_WIDENS the codes hold one that the standard does not have (write `relax` behind it if the partner really does that)\n"
        "7:1 FMT_GUIDE there is no `Prty` in Order (did you mean `Party`?)\n"
        "8:7 FMT_GUIDE Party has 1 key fields, not 2\n");
}

static void formats_made_by_hand(void **state)
{
    struct fixture *f = *state;
    struct format *format;
    struct group *file = format_new(&f->arena, "hand", "csv", &format);
    struct group *m = group_add(&f->arena, file, "M", 0, OCCURS_MANY);
    m->is_message = true;
    struct field *a = group_add_field(&f->arena, m, "A", TYPE_TEXT);
    struct field *b = group_add_field(&f->arena, m, "B", TYPE_DECIMAL);
    assert_true(a->flags & FIELD_PLAIN);
    b->flags |= FIELD_REQUIRED;
    b->max = 3;
    assert_int_equal(field_finish(&f->arena, b, NULL), OK);
    for (int i = 0; i < 100; i++)
        group_add_field(&f->arena, m, arena_printf(&f->arena, "F%d", i).p, TYPE_TEXT);
    format_finish(&f->arena, format);
    assert_int_equal(format->nmessages, 1);
    assert_int_equal(m->nfields, 102);
    assert_int_equal(field(m, "F99")->slot, 101);
    assert_int_equal(m->nchecked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_format_of_24so_loads), TEST(orders_become_a_tree), TEST(file_members_stand_behind_messages), TEST(prefixes_become_namespaces),
        TEST(segments_and_composites_are_shapes), TEST(json_members_and_names), TEST(headers_in_both_places),
        TEST(own_headers_stand_above_included), TEST(types_codes_and_shapes_in_any_order), TEST(repeated_fields), TEST(spellings),
        TEST(a_member_called_like_a_keyword), TEST(code_lists_from_a_file), TEST(every_fault_has_its_place), TEST(all_faults_at_once_and_none_twice), TEST(growth_is_bounded), TEST(shapes_go_so_deep), TEST(includes_and_guides_come_to_an_end),
        TEST(a_guide_restricts), TEST(a_guide_may_not_widen), TEST(formats_made_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
