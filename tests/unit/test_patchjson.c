#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "xmlkit.h"

#define FORMAT "syntax json\nmessage M at /m key No {\n No text\n Q decimal\n B boolean\n C text at a/c\n D text at a/d\n group L 0..* at ls {\n" \
    "  X text\n  Y text\n }\n group E 0..* at e/* {\n  K text at @name\n  V text at .\n }\n}\n"

struct bench {
    struct kit k;
    struct edits edits;
    struct patcher p;
    struct node *m;
    const char *text;
};

static void begin(struct bench *b, const char *text)
{
    b->text = text;
    kit_open(&b->k, FORMAT, slice_of(text));
    patcher_init(&b->p, &b->k.reader, &b->k.arena);
    edits_init(&b->edits, &b->k.arena);
    b->m = kit_next(&b->k);
    assert_non_null(b->m);
}

static void end(struct bench *b, const char *want)
{
    struct sink sink;
    struct slice got = kit_patch(&b->k, &b->p, &b->edits, slice_of(b->text), &sink);

    if (!slice_is(got, want)) {
        kit_show(&b->k);
        fail_msg("got  %.*s\nwant %s", SLICE_ARG(got), want);
    }
    sink_release(&sink);
    kit_close(&b->k);
}

static void set(struct bench *b, struct node *n, const char *field, const char *text)
{
    struct value v = { .at = VALUE_NO_PLACE, .state = text ? VALUE_PRESENT : VALUE_ABSENT, .p = text, .n = text ? (uint32_t)strlen(text) : 0 };

    edit_set(&b->edits, n, group_field(n->group, slice_of(field)), &v);
}

static struct node *line(struct bench *b, const char *x)
{
    struct node *n = node_new(&b->k.arena, group_child(b->m->group, SLICE("L")), b->m);
    struct value *v = node_value(n, n->group->fields[0]);

    n->at = VALUE_NO_PLACE;
    *v = (struct value){ .at = VALUE_NO_PLACE, .state = VALUE_PRESENT, .p = x, .n = (uint32_t)strlen(x) };
    return n;
}

static struct node *old_line(struct bench *b, unsigned i)
{
    struct node *n = node_list(b->m, group_child(b->m->group, SLICE("L")))->first;

    while (i--)
        n = n->next;
    return n;
}

#define ORIGINAL "{\"m\": [ {\"No\":\"1\", \"Q\":\"4\", \"z\":[1, 2],\"B\":true , \"ls\":[{\"X\":\"a\"}, {\"X\":\"b\"}, {\"X\":\"c\"}]}, {\"No\":7}]}"

static void values_keep_their_form(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, ORIGINAL);
    set(&b, b.m, "No", "n\"");
    set(&b, b.m, "Q", "5.50");
    set(&b, b.m, "B", "false");
    b.m = kit_next(&b.k);
    set(&b, b.m, "No", "8");
    end(&b, "{\"m\": [ {\"No\":\"n\\\"\", \"Q\":\"5.50\", \"z\":[1, 2],\"B\":false , \"ls\":[{\"X\":\"a\"}, {\"X\":\"b\"}, {\"X\":\"c\"}]}, {\"No\":8}]}");
}

static void members_come_and_go(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, ORIGINAL);
    set(&b, b.m, "No", NULL);
    set(&b, b.m, "B", NULL);
    set(&b, b.m, "D", "d");
    set(&b, b.m, "C", "c");
    set(&b, old_line(&b, 0), "X", NULL);
    set(&b, old_line(&b, 0), "Y", "y");
    b.m = kit_next(&b.k);
    set(&b, b.m, "Q", "1");
    end(&b, "{\"m\": [ {\"Q\":\"4\", \"z\":[1, 2], \"a\":{\"c\":\"c\",\"d\":\"d\"} , \"ls\":[{\"Y\":\"y\"}, {\"X\":\"b\"}, {\"X\":\"c\"}]}, {\"No\":7,\"Q\":1}]}");
}

static void elements_come_and_go(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, ORIGINAL);
    edit_delete(&b.edits, old_line(&b, 0));
    edit_insert(&b.edits, line(&b, "n"), b.m, old_line(&b, 1));
    edit_delete(&b.edits, old_line(&b, 2));
    edit_insert(&b.edits, line(&b, "o"), b.m, NULL);
    b.m = kit_next(&b.k);
    edit_insert(&b.edits, line(&b, "p"), b.m, NULL);
    edit_insert(&b.edits, line(&b, "q"), b.m, NULL);
    end(&b, "{\"m\": [ {\"No\":\"1\", \"Q\":\"4\", \"z\":[1, 2],\"B\":true , \"ls\":[{\"X\":\"b\"}, {\"X\":\"n\"}, {\"X\":\"o\"}]}, "
            "{\"No\":7,\"ls\":[{\"X\":\"p\"},{\"X\":\"q\"}]}]}");
    begin(&b, ORIGINAL);
    for (unsigned i = 0; i < 3; i++)
        edit_delete(&b.edits, old_line(&b, i));
    end(&b, "{\"m\": [ {\"No\":\"1\", \"Q\":\"4\", \"z\":[1, 2],\"B\":true , \"ls\":[]}, {\"No\":7}]}");
}

static void indentation_is_that_of_the_neighbour(void **state)
{
    struct bench b;

    (void)state;
    begin(&b, "{\n\t\"m\": [\n\t\t{\n\t\t\t\"No\": \"1\"\n\t\t}\n\t]\n}\n");
    edit_insert(&b.edits, line(&b, "p"), b.m, NULL);
    set(&b, b.m, "C", "c");
    end(&b, "{\n\t\"m\": [\n\t\t{\n\t\t\t\"No\": \"1\",\n\t\t\t\"a\": {\n\t\t\t\t\"c\": \"c\"\n\t\t\t},\n\t\t\t\"ls\": [\n\t\t\t\t{\n\t\t\t\t\t\"X\": \"p\"\n\t\t\t\t}\n\t\t\t]\n\t\t}\n\t]\n}\n");
}

static void messages_go(void **state)
{
    static const struct { unsigned mask; const char *want; } cases[] = {
        { 1, "{\"m\":[{\"No\":2}, {\"No\":3}]}" }, { 2, "{\"m\":[{\"No\":1}, {\"No\":3}]}" }, { 4, "{\"m\":[{\"No\":1}, {\"No\":2}]}" },
        { 3, "{\"m\":[{\"No\":3}]}" }, { 6, "{\"m\":[{\"No\":1}]}" }, { 7, "{\"m\":[]}" }, { 5, "{\"m\":[{\"No\":2}]}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        begin(&b, "{\"m\":[{\"No\":1}, {\"No\":2}, {\"No\":3}]}");
        for (unsigned n = 0; n < 3; n++) {
            if (cases[i].mask & 1u << n)
                edit_delete(&b.edits, b.m);
            b.m = n < 2 ? kit_next(&b.k) : NULL;
        }
        end(&b, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_form), cmocka_unit_test(members_come_and_go), cmocka_unit_test(elements_come_and_go),
        cmocka_unit_test(indentation_is_that_of_the_neighbour), cmocka_unit_test(messages_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
