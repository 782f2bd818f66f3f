/*
 * tree.h - small formats, mappings and message trees from text, for unit tests
 *
 *     struct tree t;
 *     tree_init(&t);
 *     tree_format(&t, "left", "syntax xml\nmessage Order {\n…}\n");
 *     tree_mapping(&t, "mapping left <=> right\n…");          t.mapping; t.rc; tree_problems(&t) tells what was wrong
 *     struct node *n = tree_message(&t, t.mapping->left, "Id = 7\nLine {\nNo = 1\n}\n");
 */
#ifndef WAYBILL_TESTS_TREE_H
#define WAYBILL_TESTS_TREE_H

#include <stdlib.h>

#include "format/type.h"
#include "mapping/mapping.h"

struct tree {
    struct arena arena, message;
    struct problems problems;
    struct format *formats[8];
    size_t nformats;
    struct mapping *mapping;
    struct finder finder;
    struct mapping_env env;
    int rc;
    const char *params[16];         /* name, value … */
    struct outcome outcome;
    struct node *given[16];
    size_t ngiven;
    struct edits edits;
};

static const char *const tree_roots[] = { NULL };

static inline int tree_load_format(void *owner, struct arena *a, struct slice name, const char *from,
                                   struct format **out, struct problems *ps)
{
    struct tree *t = owner;
    (void)a, (void)from;
    for (size_t i = 0; i < t->nformats; i++)
        if (slice_equal(t->formats[i]->name, name)) {
            *out = t->formats[i];
            return OK;
        }
    problem_addf(ps, PROBLEM_ERROR, "FMT_MISSING", (struct place){ .offset = PLACE_NO_OFFSET }, "no format %.*s",
                 SLICE_ARG(name));
    return STOP;
}

static inline void tree_init(struct tree *t)
{
    memset(t, 0, sizeof *t);
    arena_init(&t->arena, 0);
    arena_init(&t->message, 0);
    problems_init(&t->problems, &t->arena, 0);
    t->finder = (struct finder){ .roots = tree_roots };
    t->env = (struct mapping_env){ .finder = &t->finder, .load_format = tree_load_format, .owner = t };
}

static inline void tree_release(struct tree *t)
{
    arena_release(&t->message);
    arena_release(&t->arena);
}

/* All problems as their user reads them. */
static inline const char *tree_problems(struct tree *t)
{
    struct buf b = { 0 };
    for (struct problem *p = t->problems.first; p; p = p->next)
        problem_show(&b, p);
    const char *s = arena_cstr(&t->arena, buf_slice(&b));
    buf_release(&b);
    return s;
}

static inline struct format *tree_format(struct tree *t, const char *name, const char *text)
{
    struct conf *c = NULL;
    struct format *f = NULL;
    const char *file = arena_printf(&t->arena, "%s.format", name).p;
    if (conf_parse(&t->arena, file, arena_copy(&t->arena, slice_of(text)), &c, &t->problems) != OK ||
        format_compile(&t->arena, &t->finder, slice_of(name), c, &f, &t->problems) != OK) {
        fprintf(stderr, "%s", tree_problems(t));
        abort();
    }
    t->formats[t->nformats++] = f;
    return f;
}

static inline int tree_mapping(struct tree *t, const char *text)
{
    struct conf *c = NULL;
    t->rc = conf_parse(&t->arena, "maps/test.map", arena_copy(&t->arena, slice_of(text)), &c, &t->problems);
    int rc = mapping_compile(&t->arena, &t->env, SLICE("test"), c, &t->mapping, &t->problems);
    if (t->rc == OK)
        t->rc = rc;
    return t->rc;
}

/* ---- trees ------------------------------------------------------------------------------------------------------ */

static inline struct slice tree_line(const char **at)
{
    const char *end = strchr(*at, '\n');
    struct slice line = end ? slice_range(*at, end) : slice_of(*at);
    *at = end ? end + 1 : *at + line.n;
    return slice_trim(line);
}

static inline void tree_value(struct tree *t, struct node *n, struct slice name, struct slice raw)
{
    struct field *f = group_field(n->group, name);
    struct fault fault = { 0 };
    if (!f) {
        fprintf(stderr, "tree: no field %.*s in %.*s\n", SLICE_ARG(name), SLICE_ARG(n->group->name));
        abort();
    }
    struct value *v = node_value(n, f);
    if (type_read(f, arena_copy(&t->message, raw), &t->message, v, &fault) != OK) {
        fprintf(stderr, "tree: %.*s = %.*s %.*s\n", SLICE_ARG(name), SLICE_ARG(raw), SLICE_ARG(fault.text));
        abort();
    }
    if (raw.n == 0)
        v->state = VALUE_EMPTY;
}

static inline void tree_fill(struct tree *t, struct node *n, const char **at)
{
    while (**at) {
        struct slice line = tree_line(at);
        const char *eq = memchr(line.p, '=', line.n);
        if (!line.n)
            continue;
        if (slice_is(line, "}"))
            return;
        if (eq) {
            struct slice raw = slice_trim(slice_range(eq + 1, line.p + line.n));
            if (raw.n >= 2 && raw.p[0] == '"')
                raw = slice_range(raw.p + 1, raw.p + raw.n - 1);
            tree_value(t, n, slice_trim(slice_range(line.p, eq)), raw);
            continue;
        }
        struct slice name = slice_trim((struct slice){ line.p, line.n - 1 });
        struct group *g = group_child(n->group, name);
        if (!g) {
            fprintf(stderr, "tree: no group %.*s in %.*s\n", SLICE_ARG(name), SLICE_ARG(n->group->name));
            abort();
        }
        tree_fill(t, node_add(&t->message, n, g), at);
    }
}

/* A message of the format's first (or named) group. */
static inline struct node *tree_group(struct tree *t, const struct group *g, const char *text)
{
    struct node *file = node_new(&t->message, g->format->file_group, NULL);
    struct node *n = node_new(&t->message, g, file);
    tree_fill(t, n, &text);
    return n;
}

static inline struct node *tree_message(struct tree *t, const struct format *f, const char *text)
{
    return tree_group(t, f->messages[0], text);
}

/* The values below a node, one line each, without indentation. */
static inline const char *tree_dump(struct tree *t, const struct node *n)
{
    struct buf b = { 0 }, out = { 0 };
    node_dump(&b, n);
    buf_byte(&b, '\0');
    const char *at = b.p;
    bool wrapped = n->group->parent != NULL;
    if (wrapped)
        tree_line(&at);
    while (*at) {
        struct slice line = tree_line(&at);
        if (wrapped && !*at)
            break;
        buf_add(&out, line);
        buf_byte(&out, '\n');
    }
    const char *s = arena_cstr(&t->arena, buf_slice(&out));
    buf_release(&b);
    buf_release(&out);
    return s;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static inline struct slice tree_param(void *owner, struct slice name)
{
    struct tree *t = owner;
    for (size_t i = 0; t->params[i]; i += 2)
        if (slice_is(name, t->params[i]))
            return slice_of(t->params[i + 1]);
    return slice_none();
}

static inline int tree_give(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    struct tree *t = owner;
    (void)ps;
    for (size_t i = 0; i < n; i++)
        t->given[t->ngiven++] = targets[i];
    return OK;
}

static inline void tree_outside(struct tree *t, struct outside *o)
{
    *o = (struct outside){ .owner = t, .param = tree_param, .batch_id = SLICE("B-1"), .file_name = SLICE("in.xml"),
                           .batch_time = SLICE("2026-01-02T03:04:05+01:00") };
}

/* The findings as "kind CODE text" lines. */
static inline const char *tree_findings(struct tree *t)
{
    struct slice s = SLICE("");
    for (struct finding *f = t->outcome.first; f; f = f->next)
        s = arena_printf(&t->arena, "%.*s%s %.*s %.*s\n", SLICE_ARG(s), outcome_names[f->kind], SLICE_ARG(f->code),
                         SLICE_ARG(f->text));
    return arena_cstr(&t->arena, s);
}

/* Edits as "set Path = value", "delete Path", "insert Path { … }" lines. */
static inline const char *tree_edits(struct tree *t)
{
    struct buf b = { 0 };
    for (struct edit *e = t->edits.first; e; e = e->next) {
        struct slice path = node_path(&t->arena, e->node, e->kind == EDIT_SET ? e->field : NULL);
        if (e->kind == EDIT_SET)
            buf_printf(&b, "set %.*s = %.*s\n", SLICE_ARG(path), SLICE_ARG(value_text(&e->value)));
        else if (e->kind == EDIT_DELETE)
            buf_printf(&b, "delete %.*s\n", SLICE_ARG(path));
        else {
            buf_printf(&b, "insert %.*s\n%s", SLICE_ARG(e->node->group->name), tree_dump(t, e->node));
        }
    }
    const char *s = arena_cstr(&t->arena, buf_slice(&b));
    buf_release(&b);
    return s;
}

#endif
