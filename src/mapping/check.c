/* check - what a mapping must hold once its names are resolved: arrows, types, keys, conditions. */
#include "check.h"

#include "func.h"

void check_fail(struct checker *c, const struct item *it, const struct token *t, enum severity severity,
                const char *code, struct slice hint,
                const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice text = arena_vprintf(c->arena, format, ap);
    va_end(ap);
    conf_problem(it->conf, t, severity, code, c->ps, hint.n ? arena_cstr(c->arena, hint) : NULL, "%.*s",
                 SLICE_ARG(text));
}

static struct slice source(const struct item *it, const struct expr *e)
{
    return expr_source(it->conf, e);
}

static bool is_plain(const struct expr *e)
{
    return expr_is_const(e) || (e->kind == EXPR_PATH && (e->root == ROOT_HERE || e->root == ROOT_FILE));
}

/* ---- two-way rows ----------------------------------------------------------------------------------------------- */

struct twice {
    struct checker *c;
    const struct item *it;
    const struct expr *seen[32];
    size_t n;
    const struct expr *whole;
};

static void check_once(void *owner, struct expr *e)
{
    struct twice *t = owner;
    if (e->kind != EXPR_PATH || e->root != ROOT_HERE || !e->field)
        return;
    for (size_t i = 0; i < t->n; i++)
        if (slice_equal(source(t->it, t->seen[i]), source(t->it, e))) {
            struct slice path = source(t->it, e);
            bool alt = t->whole->kind == EXPR_BINARY && t->whole->op == BIN_ALT;
            struct slice name = alt ? SLICE("`|`") : SLICE("an expression");
            struct slice hint = alt ? SLICE("the same path is already the first alternative")
                                    : SLICE("the way back cannot tell which");
            if (t->whole->kind == EXPR_CALL)
                name = arena_printf(t->c->arena, "%s()", t->whole->func->name);
            check_fail(t->c, t->it, &e->span, PROBLEM_ERROR, "MAP_PATH_TWICE", hint,
                       "%.*s cannot supply %.*s twice", SLICE_ARG(name), SLICE_ARG(path));
            return;
        }
    if (t->n < 32)
        t->seen[t->n++] = e;
}

static void check_invertible(struct checker *c, const struct item *it, struct expr *e)
{
    const char *why = NULL;
    const struct expr *bad = invert_fault(c->mapping, e, &why);
    if (!bad) {
        struct twice t = { .c = c, .it = it, .whole = e };
        expr_each(e, check_once, &t);
        return;
    }
    struct slice hint = SLICE("write `=>`, and a `<=` row if the way back is needed");
    struct token at = bad->kind == EXPR_CALL ? bad->token : bad->span;
    if (bad->kind == EXPR_CALL)
        check_fail(c, it, &at, PROBLEM_ERROR, "MAP_ONE_WAY", hint,
                   "%s() cannot be turned round, so this row is not `<=>`", bad->func->name);
    else if (why)
        check_fail(c, it, &at, PROBLEM_ERROR, "MAP_ONE_WAY", hint, "%.*s %s, so this row is not `<=>`",
                   SLICE_ARG(source(it, bad)), why);
    else
        check_fail(c, it, &at, PROBLEM_ERROR, "MAP_ONE_WAY", hint,
                   "%.*s cannot be turned round, so this row is not `<=>`", SLICE_ARG(source(it, bad)));
}

/* Backward finds the row of a table by its column. */
static void check_unique(struct checker *c, const struct item *it, struct expr *e)
{
    if (e->kind != EXPR_PATH || e->root != ROOT_TABLE || !e->has_column)
        return;
    struct mapping_table *t = &c->mapping->tables[e->table];
    struct slice column = table_column_name(t, e->column);
    t->unique = true;
    t->unique_column = column;
    if (t->prefer.n)
        return;
    for (size_t i = 0; t->local && i < t->nrows; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_equal(t->rows[i][e->column], t->rows[k][e->column])) {
                struct slice hint = arena_printf(c->arena,
                                                 "backward cannot choose: "
                                                 "make %.*s unique, add `prefer …`, or write `=>`", SLICE_ARG(column));
                check_fail(c, it, &e->token, PROBLEM_ERROR, "TABLE_NOT_UNIQUE", hint,
                           "table %.*s: two rows give %.*s = \"%.*s\" (rows %zu and %zu)",
                           SLICE_ARG(t->name), SLICE_ARG(column), SLICE_ARG(t->rows[i][e->column]), k + 1, i + 1);
                return;
            }
}

static void check_two_way(struct checker *c, const struct item *it)
{
    for (int side = 0; side < 2; side++) {
        if (!is_plain(it->e[side]))
            check_invertible(c, it, it->e[side]);
        check_unique(c, it, it->e[side]);
    }
    if (!is_plain(it->e[0]) && !is_plain(it->e[1]))
        check_fail(c, it, &it->e[0]->span, PROBLEM_ERROR, "MAP_ONE_WAY", slice_none(),
                   "one side of a two-way row is a path");
}

/* ---- types and widths ------------------------------------------------------------------------------------------- */

static void check_types(struct checker *c, const struct item *it, enum mapping_direction d)
{
    const struct expr *from = it->e[side_read(d)], *into = it->e[side_written(d)];
    if (from->shape != SHAPE_VALUE || into->type < 0)
        return;
    if (convert_class(from->type, into->type) == CONVERT_NEVER) {
        struct slice hint = SLICE("is another field meant? else write a conversion, as `number(x)`, `date(x)` or `text(x, pattern)`");
        bool told = it->arrow == ARROW_BOTH && d == MAPPING_BACKWARD && into->shape == SHAPE_VALUE && from->type >= 0 &&
                    convert_class(into->type, from->type) == CONVERT_NEVER;
        if (told)
            return;                 /* one cause, told going right */
        if (from->type == TYPE_DATETIME && into->type == TYPE_DATE)
            hint = arena_printf(c->arena, "write `date(%.*s)`", SLICE_ARG(source(it, from)));
        check_fail(c, it, &from->span, PROBLEM_ERROR, "MAP_TYPE", hint, "%s never becomes %s: %.*s",
                   type_names[from->type], type_names[into->type],
                   SLICE_ARG(source(it, into)));
        return;
    }
    struct fault fault = { 0 };
    if (expr_is_const(from) && into->field && !constant_fits(c->arena, from, into->field, &fault))
        check_fail(c, it, &from->span, PROBLEM_ERROR, "MAP_TYPE", fault.hint, "\"%.*s\" %.*s", SLICE_ARG(from->text),
                   SLICE_ARG(fault.text));
    if (from->field && into->field && from->field->max > into->field->max && into->field->max)
        check_fail(c, it, &from->span, PROBLEM_WARNING, "MAP_NARROW", slice_none(),
                   "%.*s holds %u characters, %.*s only %u",
                   SLICE_ARG(from->field->name), from->field->max, SLICE_ARG(into->field->name), into->field->max);
}

static void check_written_path(struct checker *c, const struct item *it, struct expr *e)
{
    for (size_t i = 0; i < e->nsteps; i++)
        if (e->steps[i].kind == STEP_UP && (e->root == ROOT_HERE || e->root == ROOT_FILE))
            check_fail(c, it, &e->steps[i].token, PROBLEM_ERROR, "MAP_FIELD", SLICE("write the row one level higher"),
                       "a row cannot write above its own group");
}

static void note_next(void *owner, struct expr *e)
{
    const struct expr **found = owner;
    if (e->kind == EXPR_CALL && strcmp(e->func->name, "next") == 0)
        *found = e;
    if (e->kind == EXPR_PATH && e->root == ROOT_LET) {
        const struct expr *inner = NULL;
        expr_each(e->let->value, note_next, &inner);
        if (inner)
            *found = e;
    }
}

static void check_no_next(struct checker *c, const struct item *it, struct expr *condition)
{
    const struct expr *next = NULL;
    expr_each(condition, note_next, &next);
    if (next)
        check_fail(c, it, &next->token, PROBLEM_ERROR, "EXPR_NEXT",
                   SLICE("numbers are taken only after every require has passed"),
                   "next() has no place in a condition");
}

struct conditions {
    struct checker *c;
    const struct item *it;
};

static void check_inner_conditions(void *owner, struct expr *e)
{
    struct conditions *x = owner;
    if (e->kind == EXPR_CALL && e->func->args == ARGS_IF)
        check_no_next(x->c, x->it, e->args[0]);
    for (size_t i = 0; i < e->nsteps; i++)
        for (struct pred *pr = e->steps[i].preds; pr; pr = pr->next)
            if (pr->kind == PRED_CONDITION)
                check_no_next(x->c, x->it, pr->args[0]);
}

static void find_div(const struct expr *e, bool rounded, const struct expr **loose)
{
    if (e->kind == EXPR_BINARY && e->op == BIN_DIV && !rounded && e->args[1]->kind != EXPR_NUMBER)
        *loose = e;
    const char *f = e->kind == EXPR_CALL ? e->func->name : "";
    bool inside = rounded || strncmp(f, "round", 5) == 0 || strcmp(f, "floor") == 0 || strcmp(f, "ceiling") == 0;
    for (size_t i = 0; i < e->nargs; i++)
        find_div(e->args[i], inside, loose);
}

/* ---- members of the file ---------------------------------------------------------------------------------------- */

/* The place of a member in its format; SIZE_MAX = none. */
static size_t member_index(const struct group *file, struct slice name)
{
    for (size_t i = 0; i < file->nmembers; i++) {
        const struct member *m = &file->members[i];
        if (slice_equal(m->field ? m->field->name : m->group->name, name))
            return i;
    }
    return SIZE_MAX;
}

static bool is_attribute(const struct expr *e)
{
    return e->field && e->field->at.nsteps && e->field->at.steps[e->field->at.nsteps - 1].attribute;
}

/* What stands after the messages is not read yet when a message is mapped. */
static void check_after(void *owner, struct expr *e)
{
    struct conditions *x = owner;
    if (e->kind != EXPR_PATH || e->root != ROOT_FILE || e->nsteps == 0 || is_attribute(e))
        return;
    const struct format *f = e->side == SIDE_LEFT ? x->c->mapping->left : x->c->mapping->right;
    if (!slice_is(f->syntax, "xml") || f->nmessages == 0 || (e->steps[0].group && e->steps[0].group->is_message))
        return;
    size_t at = member_index(f->file_group, e->steps[0].token.text);
    size_t message = member_index(f->file_group, f->messages[0]->name);
    if (at != SIZE_MAX && message != SIZE_MAX && at > message)
        check_fail(x->c, x->it, &e->span, PROBLEM_ERROR, "MAP_AFTER", SLICE("use it in a row outside the message pair"),
                   "%.*s stands after the messages, it is not read yet here", SLICE_ARG(source(x->it, e)));
}

static void check_file_members(struct checker *c, const struct item *it)
{
    struct conditions x = { c, it };
    if (it->scope->depth == 0 || it->scope->total)
        return;
    if (it->kind == ITEM_REQUIRE || it->kind == ITEM_RULE)
        expr_each(it->e[0], check_after, &x);
    for (int d = 0; d < 2 && it->kind == ITEM_ROW; d++)
        if (arrow_goes(it->arrow, (enum mapping_direction)d))
            expr_each(it->e[side_read((enum mapping_direction)d)], check_after, &x);
}

/* ---- results given back ----------------------------------------------------------------------------------------- */

/* A row against the arrow of the header writes into the message that was read. */
static void check_back(struct checker *c, const struct item *it)
{
    const struct scope *s = it->scope;
    const struct expr *into = it->e[c->mapping->arrow == ARROW_LEFT];
    bool right = c->mapping->arrow == ARROW_RIGHT;
    struct slice only = arena_printf(c->arena, "the header says `%s`: only values are given back by `%s`",
                                     right ? "=>" : "<=", right ? "<=" : "=>");
    if (it->kind == ITEM_GROUP)
        check_fail(c, it, &it->st->tokens[0], PROBLEM_ERROR, "MAP_BACK", SLICE("write such rows into the group row"),
                   "%.*s", SLICE_ARG(only));
    else if (it->key)
        check_fail(c, it, &it->st->tokens[0], PROBLEM_ERROR, "MAP_BACK", slice_none(), "%.*s, no keys",
                   SLICE_ARG(only));
    else if (s->depth == 0 || s->total || s->report || into->root != ROOT_HERE)
        check_fail(c, it, &into->span, PROBLEM_ERROR, "MAP_BACK",
                   SLICE("put the row into the group row of the message or of its lines"),
                   "a result is given back to the message, and this is not a field of one");
}

/* ---- items ------------------------------------------------------------------------------------------------------ */

static void check_row(struct checker *c, const struct item *it)
{
    const struct expr *loose = NULL;
    struct conditions x = { c, it };
    for (int d = 0; d < 2; d++)
        if (arrow_goes(it->arrow, (enum mapping_direction)d)) {
            check_types(c, it, (enum mapping_direction)d);
            check_written_path(c, it, it->e[side_written((enum mapping_direction)d)]);
        }
    if (it->arrow == ARROW_BOTH)
        check_two_way(c, it);
    if (it->key && it->arrow != ARROW_BOTH && c->mapping->arrow == ARROW_BOTH)
        check_fail(c, it, &it->st->tokens[0], PROBLEM_ERROR, "MAP_KEY_ONE_WAY",
                   SLICE("write `<=>`: a key is found in both directions"), "a key row goes both ways");
    for (int side = 0; side < 2; side++) {
        expr_each(it->e[side], check_inner_conditions, &x);
        find_div(it->e[side], false, &loose);
    }
    if (loose)
        check_fail(c, it, &loose->token, PROBLEM_WARNING, "MAP_DIV", SLICE("write round(…, places) around it"),
                   "the result of `div` may have 34 digits");
}

static void check_require(struct checker *c, const struct item *it)
{
    check_no_next(c, it, it->e[0]);
    const struct expr *e = it->e[0];
    bool always = (e->kind == EXPR_TEXT && e->text.n) || e->kind == EXPR_NUMBER || (e->kind == EXPR_CALL &&
            strcmp(e->func->name, "true") == 0);
    if (always)
        check_fail(c, it, &e->span, PROBLEM_WARNING, "MAP_ALWAYS", slice_none(), "this require can never fail");
}

static bool repeats(const struct expr *e)
{
    for (size_t i = e->nsteps; i-- > 0;)
        if (e->steps[i].kind == STEP_CHILD)
            return e->steps[i].group && e->steps[i].group->max_occurs > 1 &&
                   (!e->steps[i].preds || e->steps[i].preds->kind == PRED_CONDITION);
    return false;
}

static void check_group(struct checker *c, const struct item *it)
{
    for (int d = 0; d < 2; d++)
        if (arrow_goes(it->arrow, (enum mapping_direction)d))
            check_written_path(c, it, it->e[side_written((enum mapping_direction)d)]);
    const struct scope *s = it->inner;
    bool policy = s->policy[0].new_given || s->policy[0].missing_given || s->policy[1].new_given ||
        s->policy[1].missing_given;
    if (it->arrow == ARROW_BOTH && c->mapping->arrow == ARROW_BOTH && s->depth > 1 && repeats(it->e[0]) &&
        repeats(it->e[1]) && s->nkeys == 0 && !policy)
        check_fail(c, it, &it->st->tokens[0], PROBLEM_WARNING, "MAP_ALIGN",
                   SLICE("write `key` before the row that identifies an instance"),
                   "on the way back %.*s is aligned by position only", SLICE_ARG(it->e[0]->group->name));
}

static void check_items(struct checker *c)
{
    for (struct scope *s = c->program->scopes; s; s = s->next)
        for (struct item *it = s->items; it; it = it->next) {
            if (it->broken)
                continue;
            check_file_members(c, it);
            if (gives_back(c->mapping, it))
                check_back(c, it);
            if (it->kind == ITEM_ROW)
                check_row(c, it);
            else if (it->kind == ITEM_REQUIRE)
                check_require(c, it);
            else if (it->kind == ITEM_RULE)
                check_no_next(c, it, it->e[0]);
            else if (it->inner)
                check_group(c, it);
        }
}

/* ---- unused ----------------------------------------------------------------------------------------------------- */

static void check_unused(struct checker *c)
{
    const struct mapping *m = c->mapping;
    for (size_t i = 0; i < m->nparams; i++)
        if (!m->params[i].used)
            conf_problem(m->conf, &m->params[i].token, PROBLEM_WARNING, "MAP_UNUSED", c->ps, NULL,
                         "param %.*s is not used", SLICE_ARG(m->params[i].name));
    for (size_t i = 0; i < m->ntables; i++)
        if (!m->tables[i].used && !m->tables[i].included)
            conf_problem(m->conf, &m->tables[i].token, PROBLEM_WARNING, "MAP_UNUSED", c->ps, NULL,
                         "table %.*s is not used", SLICE_ARG(m->tables[i].name));
    for (struct scope *s = c->program->scopes; s; s = s->next)
        for (struct let *l = s->lets; l; l = l->next)
            if (!l->used)
                conf_problem(l->conf, &l->token, PROBLEM_WARNING, "MAP_UNUSED", c->ps, NULL, "let %.*s is not used",
                             SLICE_ARG(l->name));
}

void check_mapping(struct arena *a, struct mapping *m, struct problems *ps)
{
    struct checker c = { .arena = a, .mapping = m, .program = m->program, .ps = ps };
    check_items(&c);
    check_fill(&c);
    if (!m->program->faulty)
        check_unused(&c);
}
