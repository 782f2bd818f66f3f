/* fuzz_map - any text as a mapping: loaded, checked, compiled and, when it is good, run forward,
   backward, in update mode and into documents in memory. */
#include <stdio.h>
#include <string.h>

#include "format/type.h"
#include "mapping/pool.h"

static const char *const left_text =
    "syntax xml\nFrom text\nmessage M key Id {\n    Id integer\n    A text\n    B text max 3\n    N decimal\n"
    "    D date\n    S datetime\n    Yes boolean\n"
    "    Lax decimal lax\n    group Row 0..* key No {\n        No integer\n        Kind text\n"
    "        Q decimal\n    }\n    group One {\n        X text\n"
    "        group Two {\n            Y text\n        }\n    }\n}\n";
static const char *const right_text =
    "syntax xml\nBy text\nTotal decimal\nmessage R key Code {\n    Code text\n    V text\n    W decimal\n"
    "    E date\n    F boolean\n    group Line 0..* key No {\n"
    "        No text\n        C text code (a, b)\n        Q decimal scale 2\n    }\n    group Sub {\n"
    "        Z text\n    }\n}\n";

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
    *out = slice_is(name, "l") ? f->left : slice_is(name, "r") ? f->right : NULL;
    return *out ? OK : STOP;
}

static void set(struct node *n, const char *name, const char *value)
{
    struct field *f = group_field(n->group, slice_of(name));
    if (f)
        *node_value(n, f) = (struct value){ .p = value, .n = (uint32_t)strlen(value), .state = VALUE_PRESENT,
                                            .at = VALUE_NO_PLACE };
}

static struct node *child(struct fuzz *f, struct node *n, const char *name)
{
    struct group *g = group_child(n->group, slice_of(name));
    return g ? node_add(&f->arena, n, g) : n;
}

static struct node *message(struct fuzz *f, const struct format *format)
{
    static const char *const values[][2] = {
        { "Id", "7" }, { "A", "text" }, { "B", "b" }, { "N", "2.50" }, { "D", "2026-01-31" }, { "S",
                "2026-01-31T10:11:12" }, { "Yes", "true" },
        { "Code", "7" }, { "V", "text" }, { "W", "1.5" }, { "E", "2024-02-29" }, { "F", "false" } };
    struct node *file = node_new(&f->arena, format->file_group, NULL), *n = node_new(&f->arena, format->messages[0],
            file);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        set(n, values[i][0], values[i][1]);
    for (int i = 0; i < 3; i++) {
        struct node *row = child(f, n, format == f->left ? "Row" : "Line");
        set(row, "No", i == 0 ? "1" : "2");
        set(row, "Kind", i == 1 ? "a" : "b");
        set(row, "Q", "10.25");
    }
    set(child(f, n, "One"), "X", "x");
    set(child(f, n, "Sub"), "Z", "z");
    return n;
}

static void look_at(const struct node *target)
{
    struct buf b = { 0 };
    node_dump(&b, target);
    buf_release(&b);
}

static int give(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    (void)owner, (void)ps;
    for (size_t i = 0; i < n; i++)
        look_at(targets[i]);
    return OK;
}

/* What the run leaves on the side read goes into that tree. */
static void give_back(struct fuzz *f, struct run *r)
{
    struct node *const *taken;
    struct edits edits;
    size_t n;
    edits_init(&edits, &f->arena);
    run_back(r, &edits);
    run_taken(r, &taken, &n);
    edits_apply(&edits, &f->arena);
}

/* The same twice into two documents that are there already: the second time into what the first has made of them. */
static void merge(struct fuzz *f, struct run *r, struct node *n, const struct format *written)
{
    struct outcome outcome;
    if (!run_aligns(r))
        return;
    struct pool *p = pool_new(r, 100);
    for (int i = 0; i < 2; i++)
        pool_load(p, message(f, written), &f->problems);
    for (uint64_t i = 1; i <= 3; i++) {
        if (pool_merge(p, n, i, &f->arena, &outcome, NULL, NULL, &f->problems) == OK)
            give_back(f, r);
        outcome_node(&f->arena, outcome_format(&f->arena), n, &outcome);
    }
    for (size_t i = 0; i < pool_count(p); i++)
        look_at(pool_at(p, i));
    pool_release(p);
}

static void run_way(struct fuzz *f, const struct mapping *m, enum mapping_direction d)
{
    struct outside o = { .batch_id = SLICE("B"), .file_name = SLICE("f"),
                         .batch_time = SLICE("2026-01-02T03:04:05+01:00") };
    struct outcome outcome;
    struct edits edits;
    struct run *r = run_new(&f->arena, m, d, &o, &f->problems);
    if (!r)
        return;
    struct node *n = message(f, d == MAPPING_FORWARD ? f->left : f->right), *old = message(f, d == MAPPING_FORWARD
            ? f->right : f->left);
    run_source_file(r, n->parent);
    run_note_taken(r);
    if (run_message(r, n, 1, &f->arena, &outcome, give, NULL, &f->problems) == OK)
        give_back(f, r);
    struct node *said = outcome_node(&f->arena, outcome_format(&f->arena), n, &outcome);
    run_report(r, n, said, &f->arena, give, NULL, &f->problems);
    run_log(r, n, said, &f->arena, give, NULL, &f->problems);
    run_finish(r, &f->arena, &outcome, give, NULL, &f->problems);
    edits_init(&edits, &f->arena);
    run_key(r, n, false, &f->arena);
    run_update(r, old, n, 1, &f->arena, &edits, &outcome, &f->problems);
    run_update(r, old, NULL, 1, &f->arena, &edits, &outcome, &f->problems);
    run_update(r, NULL, n, 1, &f->arena, &edits, &outcome, &f->problems);
    merge(f, r, n, d == MAPPING_FORWARD ? f->right : f->left);
    run_free(r);
}

static void describe(struct fuzz *f, const struct mapping *m)
{
    struct mutant *mutants;
    struct correspondence *rows;
    mapping_losses(&f->arena, m);
    mapping_mutants(&f->arena, m, &mutants);
    mapping_correspondences(&f->arena, m, &rows);
}

static void show(struct fuzz *f)
{
    struct buf b = { 0 };
    for (struct problem *p = f->problems.first; p; p = p->next)
        problem_show(&b, p);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .finder = { .roots = no_roots } };
    struct conf *c = NULL;
    struct mapping *m = NULL;
    struct mapping_env env = { .finder = &f.finder, .load_format = load_format, .owner = &f };
    if (size > 64 * 1024)
        return 0;
    arena_init(&f.arena, 0);
    problems_init(&f.problems, &f.arena, 100);
    f.left = format_of(&f, "l", left_text);
    f.right = format_of(&f, "r", right_text);
    if (f.left && f.right) {
        conf_parse(&f.arena, "fuzz.map", (struct slice){ (const char *)data, size }, &c, &f.problems);
        if (c && c->first && mapping_compile(&f.arena, &env, SLICE("fuzz"), c, &m, &f.problems) == OK) {
            run_way(&f, m, MAPPING_FORWARD);
            run_way(&f, m, MAPPING_BACKWARD);
            describe(&f, m);
        }
        show(&f);
    }
    arena_release(&f.arena);
    return 0;
}
