/* load - statements to scopes and items; names are resolved at once, in the order of the file. */
#include "load.h"

#include <stdio.h>

void load_fail(struct loader *l, const struct token *t, const char *code, const char *hint, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice text = arena_vprintf(l->arena, format, ap);
    va_end(ap);
    l->failed = true;
    conf_problem(l->conf, t, PROBLEM_ERROR, code, l->ps, hint, "%.*s", SLICE_ARG(text));
}

bool load_room(struct loader *l, const struct token *t)
{
    if (l->nstatements < MAPPING_STATEMENTS) {
        l->nstatements++;
        return true;
    }
    if (!l->full)
        load_fail(l, t, "MAP_SIZE", "a block counts as often as it is used", "a mapping has at most %d statements",
                  MAPPING_STATEMENTS);
    l->full = true;
    return false;
}

struct scope *scope_new(struct loader *l, struct scope *parent, struct item *row, const struct group *left,
                        const struct group *right)
{
    struct scope *s = arena_zero(l->arena, sizeof *s);
    s->parent = parent;
    s->row = row;
    s->depth = parent ? parent->depth + 1 : 0;
    s->side[SIDE_LEFT] = left;
    s->side[SIDE_RIGHT] = right;
    s->tail = &s->items;
    *l->program->scopes_tail = s;
    l->program->scopes_tail = &s->next;
    return s;
}

/* Records a statement that `test --mutants` may leave out; once, though a block is used in several places. */
void note_mutant(struct loader *l, int kind, const struct statement *st)
{
    struct program *p = l->program;
    for (size_t i = 0; i < p->nmutants; i++)
        if (p->mutants[i].file == l->conf->file && p->mutants[i].first_line == st->tokens[0].line)
            return;
    const struct token *last = &st->tokens[st->n - 1];
    struct slice text = slice_range(l->conf->text.p + st->tokens[0].offset,
                                    l->conf->text.p + last->offset + last->length);
    struct mutant m = { .file = l->conf->file, .first_line = st->tokens[0].line, .last_line = st->last_line,
                        .text = text };
    if (m.last_line < m.first_line)
        m.last_line = m.first_line;
    m.kind = kind;
    ARENA_PUSH(l->arena, p->mutants, p->nmutants, p->cap_mutants) = m;
}

void load_names(const struct loader *l, struct scope *s, int side, struct names *n)
{
    *n = (struct names){ .mapping = l->mapping, .program = l->program, .arena = l->arena, .ps = l->ps, .conf = l->conf,
                         .scope = s,
                         .here = s->side[side], .side = side };
}

struct item *load_item(struct loader *l, struct scope *s, enum item_kind kind, struct statement *st)
{
    struct item *it = arena_zero(l->arena, sizeof *it);
    it->kind = kind;
    it->scope = s;
    it->st = st;
    it->conf = l->conf;
    it->index = l->program->nitems++;
    *s->tail = it;
    s->tail = &it->next;
    return it;
}

static void load_block(struct loader *l, struct scope *s, struct statement *first)
{
    for (struct statement *st = first; st; st = st->next)
        load_statement(l, s, st);
}

/* ---- let, use, require, sort ------------------------------------------------------------------------------------ */

static bool has_total(const struct expr *e)
{
    if (e->acc)
        return true;
    if (e->kind == EXPR_PATH && e->root == ROOT_LET)
        return e->let->file_total;
    for (size_t i = 0; i < e->nargs; i++)
        if (has_total(e->args[i]))
            return true;
    return false;
}

static void note_old(void *owner, struct expr *e)
{
    if (e->kind == EXPR_PATH && (e->root == ROOT_OLD || (e->root == ROOT_LET && e->let->uses_old)))
        *(bool *)owner = true;
}

static void load_let(struct loader *l, struct scope *s, struct statement *st)
{
    struct parser p;
    struct names n;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 2;
    if (st->n < 4 || st->tokens[1].kind != TOKEN_NAME || !parser_op(&p, OP_EQ)) {
        load_fail(l, &st->tokens[0], "MAP_SYNTAX", "let NAME = expression", "a let has a name and a value");
        return;
    }
    struct expr *e = expr_parse(&p, false);
    if (!e || !parser_done(&p))
        return;
    int side = l->mapping->arrow == ARROW_LEFT ? SIDE_RIGHT : SIDE_LEFT;
    load_names(l, s, side, &n);
    if (!expr_resolve(&n, e, true))
        return;
    for (struct let *other = s->lets; other; other = other->next)
        if (slice_equal(other->name, st->tokens[1].text)) {
            load_fail(l, &st->tokens[1], "MAP_TWICE", NULL, "let %.*s stands here already", SLICE_ARG(other->name));
            return;
        }
    struct let *v = arena_zero(l->arena, sizeof *v);
    *v = (struct let){ .name = st->tokens[1].text, .value = e, .scope = s, .index = l->program->nlets++, .side = side,
                       .conf = l->conf,
                       .token = st->tokens[1], .next = s->lets, .file_total = has_total(e) };
    expr_each(e, note_old, &v->uses_old);
    s->lets = v;
}

static void load_use(struct loader *l, struct scope *s, struct statement *st)
{
    struct block *b = l->blocks;
    if (st->n != 2) {
        load_fail(l, &st->tokens[0], "MAP_SYNTAX", "use NAME", "`use` takes the name of a block");
        return;
    }
    while (b && !slice_equal(b->name, st->tokens[1].text))
        b = b->next;
    if (!b) {
        struct slice *list = NULL;
        size_t n = 0, cap = 0;
        for (struct block *o = l->blocks; o; o = o->next)
            ARENA_PUSH(l->arena, list, n, cap) = o->name;
        struct slice hint = problem_suggest(l->arena, st->tokens[1].text, list, n);
        load_fail(l, &st->tokens[1], "MAP_NO_BLOCK", hint.n ? hint.p : NULL, "no block \"%.*s\"",
                  SLICE_ARG(st->tokens[1].text));
        return;
    }
    if (b->open) {
        load_fail(l, &st->tokens[1], "MAP_NO_BLOCK", NULL, "block %.*s uses itself", SLICE_ARG(b->name));
        return;
    }
    const struct conf *before = l->conf;
    b->used = b->open = true;
    l->conf = b->conf;
    load_block(l, s, b->st->block);
    l->conf = before;
    b->open = false;
}

static void note_param_only(void *owner, struct expr *e)
{
    if (e->kind == EXPR_PATH && e->root != ROOT_PARAM && !(e->root == ROOT_LET && !e->let->file_total &&
                                                           e->let->scope->depth == 0))
        *(bool *)owner = false;
    if (e->acc)
        *(bool *)owner = false;
}

static void load_require(struct loader *l, struct scope *s, struct parser *p, struct statement *st,
                         enum mapping_arrow arrow)
{
    struct names n;
    int side = arrow == ARROW_LEFT ? SIDE_RIGHT : SIDE_LEFT;
    struct expr *e = expr_parse(p, false);
    if (!e)
        return;
    if (!parser_word(p, "else")) {
        parser_fail(p, parser_peek(p, 0), "MAP_SYNTAX", "require CONDITION else CODE \"text\"",
                    "`else` and a CODE are expected here");
        return;
    }
    load_names(l, s, side, &n);
    bool ok = expr_resolve(&n, e, false);
    struct verdict v;
    if (!load_verdict(l, p, s, side, &v) || !parser_done(p) || !ok)
        return;
    struct item *it = load_item(l, s, ITEM_REQUIRE, st);
    it->arrow = arrow;
    it->e[0] = e;
    it->verdict = v;
    bool params_only = s->depth == 0;
    expr_each(e, note_param_only, &params_only);
    l->program->param_requires |= params_only;
    note_mutant(l, MUTANT_REQUIRE, st);
}

/* `EXPR [descending], …` to the end of the statement; after a fault there are no keys. */
void load_sort_keys(struct loader *l, struct parser *p, struct names *n, struct sort_key **keys, size_t *count)
{
    size_t cap = *count;
    do {
        struct expr *e = expr_parse(p, false);
        if (!e || !expr_resolve(n, e, true))
            return;
        bool descending = parser_word(p, "descending");
        ARENA_PUSH(l->arena, *keys, *count, cap) = (struct sort_key){ e, descending };
    } while (parser_op(p, OP_COMMA));
    parser_done(p);
}

static void load_sort(struct loader *l, struct scope *s, struct statement *st)
{
    struct parser p;
    struct names n;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    load_names(l, s, s->depth == 0 ? SIDE_LEFT : SIDE_RIGHT, &n);
    if (s->depth == 0 && l->mapping->left->nmessages)
        n.here = l->mapping->left->messages[0];
    load_sort_keys(l, &p, &n, &s->sorts, &s->nsorts);
    if (s->depth == 0) {
        l->program->buffers = true;
        conf_problem(l->conf, &st->tokens[0], PROBLEM_WARNING, "MAP_SORT", l->ps, NULL,
                     "a sort of the whole file keeps all its messages in memory");
    }
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static bool written_needs_path(struct loader *l, struct item *it, int side)
{
    struct expr *e = it->e[side];
    bool both = it->arrow == ARROW_BOTH;
    if (both && e->kind != EXPR_PATH)
        return true;                                /* check.c: can it be turned round? */
    if (e->kind == EXPR_PATH && (e->root == ROOT_HERE || e->root == ROOT_FILE)) {
        if (e->field)
            return true;
        load_fail(l, &e->span, "MAP_FIELD", "name a field in it, or open a block with `{`", "a field is needed here, %.*s is a group",
                  SLICE_ARG(expr_source(l->conf, e)));
        return false;
    }
    if (both)
        return true;
    load_fail(l, &e->span, "MAP_FIELD", NULL, "only a field can be written");
    return false;
}

static bool value_needed(struct loader *l, struct expr *e)
{
    if (e->shape == SHAPE_VALUE)
        return true;
    if (e->shape == SHAPE_ROW && l->mapping->tables[e->table].ncolumns > 0) {
        if (e->kind != EXPR_PATH)
            return true;
        e->shape = SHAPE_VALUE;
        e->has_column = true;
        e->column = (uint32_t)l->mapping->tables[e->table].nkeys;
        e->type = l->mapping->tables[e->table].local ? TYPE_TEXT : TYPE_UNKNOWN;
        return true;
    }
    load_fail(l, &e->span, "MAP_FIELD", NULL, "a value is needed here, %.*s is a %s", SLICE_ARG(expr_source(l->conf,
            e)),
              e->shape == SHAPE_ROW ? "table row without columns" : "group");
    return false;
}

static void load_value_row(struct loader *l, struct scope *s, struct item *it)
{
    struct names n;
    bool ok = true;
    for (int side = 0; side < 2; side++) {
        load_names(l, s, side, &n);
        n.written = it->arrow == ARROW_BOTH || it->arrow == (side == SIDE_RIGHT ? ARROW_RIGHT : ARROW_LEFT);
        bool good = expr_resolve(&n, it->e[side], true) && (!n.written || written_needs_path(l, it, side)) &&
            value_needed(l, it->e[side]);
        if (!good)
            it->e[side]->type = TYPE_UNKNOWN;
        ok = ok && good;
    }
    it->broken = !ok;
    l->mapping->rows++;
    l->mapping->two_way += it->arrow == ARROW_BOTH;
}

static bool is_group(struct loader *l, struct expr *e)
{
    if (e->kind == EXPR_PATH && e->shape == SHAPE_NODE && !e->field && e->root != ROOT_LET)
        return true;
    load_fail(l, &e->span, "MAP_GROUP", NULL, "a group is needed here");
    return false;
}

static void load_group_row(struct loader *l, struct scope *s, struct item *it)
{
    struct names n;
    bool ok = true;
    for (int side = 0; side < 2; side++) {
        load_names(l, s, side, &n);
        n.written = it->arrow == ARROW_BOTH || it->arrow == (side == SIDE_RIGHT ? ARROW_RIGHT : ARROW_LEFT);
        ok = expr_resolve(&n, it->e[side], false) && is_group(l, it->e[side]) && ok;
    }
    it->broken = !ok;
    if (!ok)
        return;
    if (s->depth + 1 >= SCOPE_DEPTH_MAX) {
        load_fail(l, &it->st->tokens[0], "MAP_DEPTH", NULL, "groups are nested more than %d levels deep",
                  SCOPE_DEPTH_MAX);
        return;
    }
    it->inner = scope_new(l, s, it, it->e[0]->group, it->e[1]->group);
    it->inner->report = it->e[0]->root == ROOT_OUTCOME || s->report;
    const struct expr *left = it->e[l->mapping->arrow == ARROW_LEFT];
    const struct format *read = left->side == SIDE_RIGHT ? l->mapping->right : l->mapping->left;
    it->inner->total = s->depth == 0 && left->root == ROOT_FILE && left->group == read->file_group;
    load_block(l, it->inner, it->st->block);
}

static bool header_allows(struct loader *l, const struct token *t, enum mapping_arrow arrow)
{
    if (arrow != ARROW_BOTH || l->mapping->arrow == ARROW_BOTH)
        return true;
    const char *own = l->mapping->arrow == ARROW_RIGHT ? "=>" : "<=";
    struct slice hint = arena_printf(l->arena, "write `%s`, or `<=>` in the header", own);
    load_fail(l, t, "MAP_ARROW", hint.p, "the header promises one direction only");
    return false;
}

static void load_row(struct loader *l, struct scope *s, struct statement *st)
{
    struct parser p;
    enum mapping_arrow arrow;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    bool key = st->n > 1 && token_is(&st->tokens[0], "key") && st->tokens[1].kind != TOKEN_OP;
    key = key || (st->n > 1 && token_is(&st->tokens[0], "key") && (token_op(&st->tokens[1], OP_SLASH) ||
                                                                   token_op(&st->tokens[1], OP_DOLLAR) ||
                                                                   token_op(&st->tokens[1], OP_DOT) ||
                                                                       token_op(&st->tokens[1], OP_DOTDOT)));
    p.i = key;
    struct expr *left = expr_parse(&p, true);
    if (!left)
        return;
    const struct token *t = parser_peek(&p, 0);
    if (!parse_arrow(&p, &arrow)) {
        parser_fail(&p, t, "MAP_SYNTAX", "`<=>`, `=>` or `<=`", "an arrow is expected here");
        return;
    }
    struct expr *right = expr_parse(&p, true);
    if (!right || !parser_done(&p) || !header_allows(l, t, arrow))
        return;
    struct item *it = load_item(l, s, st->has_block ? ITEM_GROUP : ITEM_ROW, st);
    it->e[SIDE_LEFT] = left;
    it->e[SIDE_RIGHT] = right;
    it->arrow = arrow;
    it->key = key;
    s->nkeys += key;
    note_mutant(l, MUTANT_ROW, st);
    if (st->has_block)
        load_group_row(l, s, it);
    else
        load_value_row(l, s, it);
}

/* ---- the first word --------------------------------------------------------------------------------------------- */

static bool is_arrow(const struct token *t)
{
    return token_op(t, OP_RIGHT) || token_op(t, OP_LEFT) || token_op(t, OP_BOTH);
}

/* `=> require …`, `<= new …`: a statement with its direction in front. */
static void load_directed(struct loader *l, struct scope *s, struct statement *st)
{
    struct parser p;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    bool right = parser_op(&p, OP_RIGHT);
    if (!right && !parser_op(&p, OP_LEFT)) {
        load_fail(l, &st->tokens[0], "MAP_SYNTAX", NULL, "`=>` or `<=` is expected before this statement");
        return;
    }
    if (parser_word(&p, "require"))
        load_require(l, s, &p, st, right ? ARROW_RIGHT : ARROW_LEFT);
    else
        load_policy(l, s, &p, st, right, !right);
}

static bool starts_row(const struct statement *st)
{
    if (st->n < 2)
        return false;
    const struct token *t = &st->tokens[1];
    return is_arrow(t) || token_op(t, OP_SLASH) || token_op(t, OP_BAR) || token_op(t, OP_LBRACK);
}

void load_statement(struct loader *l, struct scope *s, struct statement *st)
{
    struct token *w = &st->tokens[0];
    struct parser p;
    if (!load_room(l, w))
        return;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    if (is_arrow(w))
        load_directed(l, s, st);
    else if (starts_row(st) || w->kind != TOKEN_NAME)
        load_row(l, s, st);
    else if (token_is(w, "let"))
        load_let(l, s, st);
    else if (token_is(w, "use"))
        load_use(l, s, st);
    else if (token_is(w, "require"))
        load_require(l, s, &p, st, l->mapping->arrow == ARROW_LEFT ? ARROW_LEFT : ARROW_RIGHT);
    else if (token_is(w, "sort"))
        load_sort(l, s, st);
    else if (token_is(w, "consolidate") && st->has_block)
        load_consolidate(l, s, st);
    else if (token_is(w, "new") || token_is(w, "missing") || token_is(w, "order")) {
        p.i = 0;
        load_policy(l, s, &p, st, true, true);
    } else if (token_is(w, "param") || token_is(w, "table") || token_is(w, "block") || token_is(w, "include"))
        load_fail(l, w, "MAP_SYNTAX", "put it outside the group rows", "`%.*s` stands at the top of the file only",
                  SLICE_ARG(w->text));
    else
        load_row(l, s, st);
}
