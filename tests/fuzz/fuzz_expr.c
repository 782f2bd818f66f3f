/* fuzz_expr - any text as an expression of a row: parsed, resolved and evaluated, forward, and backward
   when it can be turned round. */
#include <stdio.h>
#include <string.h>

#include "format/type.h"
#include "mapping/formula.h"

static const char *const left_text =
    "syntax xml\nFrom text\nmessage M key Id {\n    Id integer\n    A text\n    B text\n    N decimal\n"
    "    D date\n    T time\n    S datetime\n"
    "    Yes boolean\n    Lax decimal lax\n    group Row 0..* key No {\n        No integer\n        Kind text\n"
    "        Q decimal\n    }\n"
    "    group One {\n        X text\n    }\n}\n";
static const char *const right_text = "syntax xml\nmessage R {\n    V text\n}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
    struct arena arena;
    struct problems problems;
    struct format *left, *right;
    struct finder finder;
};

static const char *const no_roots[] = { NULL };

static struct format *format_of(struct fuzz *f, const char *name, const char *text)
{
    struct conf *c;
    struct format *out = NULL;
    if (conf_parse(&f->arena, name, slice_of(text), &c, &f->problems) == OK)
        format_compile(&f->arena, &f->finder, slice_of(name), c, &out, &f->problems);
    return out;
}

static int load_format(void *owner, struct arena *a, struct slice name, const char *from, struct format **out,
                       struct problems *ps)
{
    struct fuzz *f = owner;
    (void)a, (void)from, (void)ps;
    *out = slice_is(name, "l") ? f->left : f->right;
    return *out ? OK : STOP;
}

static void set(struct node *n, const char *name, const char *value)
{
    struct field *f = group_field(n->group, slice_of(name));
    if (f)
        *node_value(n, f) = (struct value){ .p = value, .n = (uint32_t)strlen(value), .state = VALUE_PRESENT,
                                            .at = VALUE_NO_PLACE };
}

static struct node *left_message(struct fuzz *f)
{
    static const char *const values[][2] = { { "Id", "7" }, { "A", "a text, ÆØÅ" }, { "N", "-2.50" },
                                             { "D", "2026-01-31" }, { "T", "10:11:12" },
                                             { "S", "2026-01-31T10:11:12" }, { "Yes", "true" } };
    struct node *file = node_new(&f->arena, f->left->file_group, NULL), *n = node_new(&f->arena, f->left->messages[0],
            file);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        set(n, values[i][0], values[i][1]);
    for (int i = 0; i < 3; i++) {
        struct node *row = node_add(&f->arena, n, group_child(n->group, SLICE("Row")));
        set(row, "No", i == 0 ? "1" : "2");
        set(row, "Kind", i == 1 ? "a" : "b");
        set(row, "Q", "10.25");
    }
    return n;
}

static int give(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    (void)ps;
    *(struct node **)owner = targets[n - 1];
    return OK;
}

static void run_both(struct fuzz *f, const struct mapping *m, bool back)
{
    struct outside o = { .batch_id = SLICE("B"), .file_name = SLICE("f"),
                         .batch_time = SLICE("2026-01-02T03:04:05+01:00") };
    struct outcome outcome;
    struct edits edits;
    struct node *made = NULL, *n = left_message(f);
    struct run *r = run_new(&f->arena, m, MAPPING_FORWARD, &o, &f->problems);
    if (r)
        run_message(r, n, 1, &f->arena, &outcome, give, &made, &f->problems);
    r = back && made ? run_new(&f->arena, m, MAPPING_BACKWARD, &o, &f->problems) : NULL;
    if (!r)
        return;
    struct node *target = made;
    run_message(r, target, 1, &f->arena, &outcome, give, &made, &f->problems);
    edits_init(&edits, &f->arena);
    run_update(r, n, target, 1, &f->arena, &edits, &outcome, &f->problems);
}

static void try_row(struct fuzz *f, const char *arrow, const uint8_t *data, size_t size)
{
    struct conf *c = NULL;
    struct mapping *m = NULL;
    struct mapping_env env = { .finder = &f->finder, .load_format = load_format, .owner = f };
    struct slice text = arena_printf(&f->arena,
                                     "mapping l %s r\ntable t key A columns B optional {\n    a x\n    b y\n}\n"
                                     "M %s R {\n    %.*s %s V\n}\n",
                                     arrow, arrow, (int)size, (const char *)data, arrow);
    conf_parse(&f->arena, "fuzz.map", text, &c, &f->problems);
    if (c && c->first && mapping_compile(&f->arena, &env, SLICE("fuzz"), c, &m, &f->problems) == OK)
        run_both(f, m, strcmp(arrow, "<=>") == 0);
}

/* The same text as a condition and as a stamp of a site. */
static void try_formula(struct fuzz *f, const uint8_t *data, size_t size)
{
    static const struct slice names[] = { { "p", 1 }, { "n", 1 } };
    struct outside o = { .batch_id = SLICE("B"), .batch_time = SLICE("2026-01-02T03:04:05+01:00") };
    struct formula_site s = { .arena = &f->arena, .format = f->left, .params = names, .nparams = 2 };
    struct formula_run *r = formula_run_new(&f->arena, &o);
    struct node *n = left_message(f);
    struct conf *c = NULL;
    struct slice text = arena_printf(&f->arena, "state x when %.*s\n%.*s => M/A\n", (int)size, (const char *)data,
                                     (int)size, (const char *)data);
    conf_parse(&f->arena, "fuzz.conf", text, &c, &f->problems);
    s.conf = c;
    for (struct statement *st = c ? c->first : NULL; st; st = st->next) {
        struct formula *formula;
        struct formula_path into;
        struct value v;
        size_t i = 3;
        if (st->n > 3 && formula_compile(&s, n->group, st, &i, &formula, &f->problems) == OK)
            formula_holds(r, formula, n, &f->arena);
        if (formula_row(&s, st, &into, &formula, &f->problems) == OK)
            formula_value(r, formula, into.group == n->group ? n : node_new(&f->arena, into.group, n), into.field,
                          &f->arena, &v, &f->problems);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .finder = { .roots = no_roots } };
    if (size > 4096 || memchr(data, 0, size))
        return 0;
    arena_init(&f.arena, 0);
    problems_init(&f.problems, &f.arena, 100);
    f.left = format_of(&f, "l", left_text);
    f.right = format_of(&f, "r", right_text);
    if (f.left && f.right) {
        try_row(&f, "=>", data, size);
        try_row(&f, "<=>", data, size);
        try_formula(&f, data, size);
    }
    arena_release(&f.arena);
    return 0;
}
