/* describe - the rows of a mapping as a table, and the statements that `test --mutants` leaves out. */
#include "mapping/mapping.h"

#include "func.h"
#include "program.h"

size_t mapping_mutants(struct arena *a, const struct mapping *m, struct mutant **out)
{
    const struct program *p = m->program;
    struct mutant *list = arena_alloc(a, (p->nmutants + 1) * sizeof *list);
    if (p->nmutants)
        memcpy(list, p->mutants, p->nmutants * sizeof *list);
    *out = list;
    return p->nmutants;
}

struct rows {
    struct arena *arena;
    const struct mapping *mapping;
    struct correspondence *list;
    size_t n, cap;
};

static const char *how_path(const struct expr *from, const struct expr *into)
{
    if (from->root == ROOT_PARAM)
        return "param";
    if (from->root == ROOT_TABLE || into->root == ROOT_TABLE)
        return "table";
    if (from->root == ROOT_LET)
        return "let";
    return from->root == ROOT_OLD ? "old value" : "copy";
}

static const char *how(const struct mapping *m, const struct item *it)
{
    if (gives_back(m, it))
        return "given back";
    const struct expr *a = it->e[it->arrow == ARROW_LEFT], *b = it->e[it->arrow != ARROW_LEFT];
    if (it->kind == ITEM_GROUP)
        return it->e[0]->nsteps && it->e[0]->steps[it->e[0]->nsteps - 1].preds ? "group, selected" : "group";
    if (expr_is_const(a) || expr_is_const(b))
        return "constant";
    const struct expr *e = a->kind == EXPR_PATH ? b : a;
    if (e->kind == EXPR_CALL)
        return e->func->name;
    if (e->kind == EXPR_BINARY)
        return e->op == BIN_ALT ? "fallback" : "computed";
    return e->kind == EXPR_NEGATE ? "computed" : how_path(a, b);
}

/* The field that the row writes in a direction; NULL = none. */
static const struct field *written_field(const struct item *it, enum mapping_direction d)
{
    if (it->kind != ITEM_ROW || !arrow_goes(it->arrow, d))
        return NULL;
    const struct expr *path = invert_path(it->e[side_written(d)]);
    return path && path->kind == EXPR_PATH ? path->field : NULL;
}

/* A fallback and a function that keeps the old value where it can are lawful in update mode only. */
static void find_lens(void *owner, struct expr *e)
{
    bool *lens = owner;
    *lens |= (e->kind == EXPR_BINARY && e->op == BIN_ALT) ||
             (e->kind == EXPR_CALL && (e->func->invert == INVERT_PART || e->func->invert == INVERT_LENS));
}

static bool is_exact(const struct item *it)
{
    bool lens = false;
    for (int side = 0; side < 2; side++)
        expr_each(it->e[side], find_lens, &lens);
    return it->kind == ITEM_ROW && it->arrow == ARROW_BOTH && !lens;
}

static void add_rule(struct rows *r, const struct scope *s, const char *word, uint32_t line, struct slice condition,
                     struct slice code)
{
    bool forward = s->consolidate->direction == MAPPING_FORWARD;
    ARENA_PUSH(r->arena, r->list, r->n, r->cap) = (struct correspondence){
        .left = condition, .right = code, .how = slice_of(word), .arrow = forward ? ARROW_RIGHT : ARROW_LEFT,
        .line = line, .depth = s->depth, .rule = true };
}

static void add_items(struct rows *r, const struct scope *s, const char *word, struct item **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_rule(r, s, word, list[i]->st->tokens[0].line, expr_source(list[i]->conf, list[i]->e[0]),
                 list[i]->verdict.code);
}

/* In the order in which they are asked. */
static void add_consolidate(struct rows *r, const struct scope *s)
{
    const struct consolidate *c = s->consolidate;
    const struct item *match = c->match;
    add_items(r, s, "gate", c->gates, c->ngates);
    add_items(r, s, "match", (struct item **)&c->match, 1);
    for (size_t i = 0; i < c->nsorts; i++)
        add_rule(r, s, c->sorts[i].descending ? "sort descending" : "sort", c->sorts[i].e->span.line,
                 expr_source(match->conf, c->sorts[i].e), SLICE(""));
    add_items(r, s, "check", c->checks, c->nchecks);
    if (c->none.given)
        add_rule(r, s, "none", c->none_line, SLICE(""), c->none.code);
}

static void add_scope(struct rows *r, const struct scope *s)
{
    for (const struct item *it = s->items; it; it = it->next) {
        if (it->kind == ITEM_REQUIRE || it->kind == ITEM_RULE)
            continue;
        ARENA_PUSH(r->arena, r->list, r->n, r->cap) = (struct correspondence){
            .left = expr_source(it->conf, it->e[SIDE_LEFT]), .right = expr_source(it->conf, it->e[SIDE_RIGHT]), .how =
                slice_of(how(r->mapping, it)),
            .arrow = it->arrow, .key = it->key, .line = it->st->tokens[0].line, .depth = s->depth,
            .left_field = written_field(it, MAPPING_BACKWARD), .right_field = written_field(it, MAPPING_FORWARD),
            .exact = is_exact(it), .group = it->kind == ITEM_GROUP };
        if (it->inner && it->inner->consolidate)
            add_consolidate(r, it->inner);
        if (it->inner)
            add_scope(r, it->inner);
    }
}

size_t mapping_correspondences(struct arena *a, const struct mapping *m, struct correspondence **out)
{
    struct rows r = { .arena = a, .mapping = m };
    add_scope(&r, m->program->file);
    *out = r.list;
    return r.n;
}

static bool scope_keyed(const struct scope *s, enum mapping_direction d)
{
    for (const struct item *it = s->items; it; it = it->next)
        if (it->kind == ITEM_ROW && it->key && arrow_goes(it->arrow, d))
            return true;
    return false;
}

bool mapping_file_keyed(const struct mapping *m, enum mapping_direction d)
{
    return scope_keyed(m->program->file, d);
}

bool mapping_keyed(const struct mapping *m, enum mapping_direction d)
{
    bool any = false;
    for (const struct item *it = m->program->file->items; it; it = it->next) {
        if (it->kind != ITEM_GROUP || !arrow_goes(it->arrow, d) || it->inner->total || it->inner->report)
            continue;
        any = true;
        if (!scope_keyed(it->inner, d))
            return false;
    }
    return any;
}

bool mapping_judges(const struct mapping *m)
{
    for (uint32_t i = 0; i < m->program->nitems; i++)
        if (m->program->items[i] && m->program->items[i]->kind == ITEM_REQUIRE)
            return true;
    return false;
}
