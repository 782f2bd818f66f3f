/* names - what the names in an expression mean: groups, fields, params, lets, table columns; and static types. */
#include "program.h"

#include <stdio.h>

#include "format/type.h"
#include "func.h"

static bool resolve_pred(struct names *n, struct pred *pr, const struct group *g, const struct token *step);

int names_fail(struct names *n, const struct token *t, const char *code, const char *hint, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice text = arena_vprintf(n->arena, format, ap);
    va_end(ap);
    n->failed = true;
    return conf_problem(n->conf, t, PROBLEM_ERROR, code, n->ps, hint, "%.*s", SLICE_ARG(text));
}

static const char *cstr(struct slice s)
{
    return s.n ? s.p : NULL;
}

static struct slice source_of(const struct names *n, const struct expr *e)
{
    return expr_source(n->conf, e);
}

static const char *message_name(const struct group *g)
{
    return g->parent ? g->name.p : "the file";
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static struct slice suggest_member(struct names *n, const struct group *g, struct slice name)
{
    struct slice *list = arena_alloc(n->arena, (g->nfields + g->ngroups + 1) * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < g->nfields; i++)
        list[count++] = g->fields[i]->name;
    for (size_t i = 0; i < g->ngroups; i++)
        list[count++] = g->groups[i]->name;
    return problem_suggest(n->arena, name, list, count);
}

static bool no_field(struct names *n, const struct token *t, const struct group *g)
{
    struct slice where = g->parent ? g->name : SLICE("the file");
    names_fail(n, t, "MAP_NO_FIELD", cstr(suggest_member(n, g, t->text)), "no field \"%.*s\" in %.*s",
               SLICE_ARG(t->text), SLICE_ARG(where));
    return false;
}

/* What lies above a group: for $outcome its message. */
static const struct group *group_above(const struct names *n, const struct group *g)
{
    if (n->program->outcome && g == n->program->outcome->file_group->groups[0])
        return n->mapping->left->nmessages ? n->mapping->left->messages[0] : NULL;
    return g->parent;
}

/* A key or position; in a row that writes also path = constant, which rows meet in. */
static bool step_selects_one(const struct pstep *s)
{
    for (const struct pred *pr = s->preds; pr; pr = pr->next)
        if (pr->kind != PRED_CONDITION || pr->meets)
            return true;
    return false;
}

/* One step from *g; the last may end in a field. */
static bool resolve_step(struct names *n, struct expr *e, size_t i, const struct group **g)
{
    struct pstep *s = &e->steps[i];
    bool last = i + 1 == e->nsteps;
    if (s->kind == STEP_UP) {
        const struct group *up = group_above(n, *g);
        if (!up) {
            names_fail(n, &s->token, "MAP_NO_FIELD", NULL, "nothing lies above %s", message_name(*g));
            return false;
        }
        *g = up;
    } else if (s->kind == STEP_CHILD) {
        struct field *f = last ? group_field(*g, s->token.text) : NULL;
        const struct group *child = f ? NULL : group_child(*g, s->token.text);
        if (!f && !child)
            return no_field(n, &s->token, *g);
        if (f) {
            e->field = f;
            if (s->preds)
                names_fail(n, &s->token, "MAP_PREDICATE", NULL, "%.*s is a field: it occurs once", SLICE_ARG(f->name));
            return !s->preds;
        }
        *g = child;
    }
    s->group = *g;
    for (struct pred *pr = s->preds; pr; pr = pr->next)
        if (!resolve_pred(n, pr, *g, &s->token))
            return false;
    if (s->kind == STEP_CHILD && (*g)->max_occurs > 1 && !step_selects_one(s))
        e->many = true;
    return true;
}

static bool is_simple(const struct expr *e)
{
    if (e->root != ROOT_HERE || !e->field || e->nsteps > HOPS + 1 || e->steps[e->nsteps - 1].group)
        return false;
    for (size_t i = 0; i < e->nsteps; i++) {
        const struct pstep *s = &e->steps[i];
        if (s->preds || s->kind != STEP_CHILD || (s->group && s->group->max_occurs > 1))
            return false;
    }
    return true;
}

static bool resolve_steps(struct names *n, struct expr *e, const struct group *g)
{
    for (size_t i = 0; i < e->nsteps; i++)
        if (!resolve_step(n, e, i, &g))
            return false;
    e->group = g;
    e->shape = SHAPE_NODE;
    if (!e->field && g->single_value && g->nfields == 1)
        e->field = g->fields[0];
    if (e->field) {
        e->shape = SHAPE_VALUE;
        e->type = (int)e->field->type;
    }
    e->simple = is_simple(e);
    return true;
}

/* ---- predicates ------------------------------------------------------------------------------------------------- */

static bool all_texts(const struct pred *pr)
{
    for (size_t i = 0; i < pr->n; i++)
        if (pr->args[i]->kind != EXPR_TEXT)
            return false;
    return true;
}

/* Can the condition make an instance?  path = constant, joined by `and`; bare paths are checked afterwards. */
static const struct expr *cannot_build(const struct expr *e, bool *builds)
{
    if (e->kind == EXPR_BINARY && e->op == BIN_AND) {
        const struct expr *bad = cannot_build(e->args[0], builds);
        return bad ? bad : cannot_build(e->args[1], builds);
    }
    if (e->kind == EXPR_BINARY && e->op == BIN_EQ && e->args[0]->kind == EXPR_PATH && e->args[0]->root == ROOT_HERE &&
        e->args[0]->field && expr_is_const(e->args[1])) {
        *builds = true;
        return NULL;
    }
    return e->kind == EXPR_PATH && e->root == ROOT_HERE ? NULL : e;
}

static struct token span_of_args(const struct pred *pr)
{
    struct token t = pr->args[0]->span, last = pr->args[pr->n - 1]->span;
    if (last.line == t.line)
        t.width = last.column + last.width - t.column;
    return t;
}

static bool resolve_key(struct names *n, struct pred *pr, const struct group *g, const struct token *step)
{
    size_t keys = g->nkeys;
    pr->kind = PRED_KEY;
    if (pr->n == keys)
        return true;
    struct token t = span_of_args(pr);
    if (keys == 0)
        names_fail(n, &t, "MAP_KEY", "add `key FIELD` to it in its format, or write [FIELD = \"…\"]",
                   "%.*s has no key", SLICE_ARG(step->text));
    else
        names_fail(n, &t, "MAP_KEY", NULL, "%.*s has %zu key field%s, not %zu", SLICE_ARG(step->text), keys,
                   keys == 1 ? "" : "s", pr->n);
    return false;
}

static void note_last(void *owner, struct expr *e)
{
    if (e->kind == EXPR_CALL && strcmp(e->func->name, "last") == 0)
        *(bool *)owner = true;
}

static bool resolve_condition(struct names *n, struct pred *pr, const struct group *g)
{
    const struct group *here = n->here;
    bool written = n->written;
    n->here = g;
    n->written = false;
    bool ok = expr_resolve(n, pr->args[0], false);
    n->here = here;
    n->written = written;
    if (!ok)
        return false;
    const struct expr *e = pr->args[0];
    expr_each(pr->args[0], note_last, &pr->uses_last);
    bool number = e->shape == SHAPE_VALUE && (e->type == TYPE_INTEGER || e->type == TYPE_DECIMAL) &&
        e->kind != EXPR_PATH;
    pr->kind = number ? PRED_NUMBER : PRED_CONDITION;
    const struct expr *bad = cannot_build(e, &pr->builds);
    pr->meets = n->written && pr->builds;
    if (n->written && bad) {
        names_fail(n, &e->span, "MAP_PREDICATE", "on the written side only a key, a position or path = constant",
                   "this predicate cannot construct anything");
        return false;
    }
    return true;
}

static bool resolve_pred(struct names *n, struct pred *pr, const struct group *g, const struct token *step)
{
    if (all_texts(pr))
        return resolve_key(n, pr, g, step);
    if (pr->n == 1 && pr->args[0]->kind == EXPR_NUMBER) {
        int64_t at;
        struct num number;
        pr->kind = PRED_POSITION;
        if (num_parse(pr->args[0]->text, &number) && num_to_int(number, &at) && at >= 1 && at < UINT32_MAX) {
            pr->position = (uint32_t)at;
            return true;
        }
        names_fail(n, &pr->args[0]->span, "MAP_PREDICATE", NULL, "a position is a whole number from 1");
        return false;
    }
    if (pr->n == 1)
        return resolve_condition(n, pr, g);
    struct token t = span_of_args(pr);
    names_fail(n, &t, "MAP_PREDICATE", "join conditions by `and`", "only key texts are separated by commas here");
    return false;
}

/* ---- $names ----------------------------------------------------------------------------------------------------- */

int table_column_index(const struct mapping_table *t, struct slice name)
{
    for (size_t i = 0; i < t->nkeys; i++)
        if (slice_equal(t->keys[i], name))
            return (int)i;
    for (size_t i = 0; i < t->ncolumns; i++)
        if (slice_equal(t->columns[i], name))
            return (int)(t->nkeys + i);
    return -1;
}

struct slice table_column_name(const struct mapping_table *t, uint32_t column)
{
    return column < t->nkeys ? t->keys[column] : t->columns[column - t->nkeys];
}

static bool resolve_column(struct names *n, struct expr *e, uint32_t table, size_t first)
{
    const struct mapping_table *t = &n->mapping->tables[table];
    e->table = table;
    e->shape = SHAPE_ROW;
    if (e->nsteps <= first)
        return true;
    const struct pstep *s = &e->steps[first];
    int column = s->kind == STEP_CHILD && !s->preds ? table_column_index(t, s->token.text) : -1;
    if (column < 0 || e->nsteps > first + 1) {
        struct slice *list = arena_alloc(n->arena, (t->nkeys + t->ncolumns + 1) * sizeof *list);
        for (uint32_t i = 0; i < t->nkeys + t->ncolumns; i++)
            list[i] = table_column_name(t, i);
        struct slice hint = problem_suggest(n->arena, s->token.text, list, t->nkeys + t->ncolumns);
        const char *how = hint.n ? hint.p : "name it behind `columns` where the table is declared";
        names_fail(n, &s->token, "MAP_NO_COLUMN", how, "table %.*s declares no column \"%.*s\"", SLICE_ARG(t->name),
                   SLICE_ARG(s->token.text));
        return false;
    }
    e->shape = SHAPE_VALUE;
    e->has_column = true;
    e->column = (uint32_t)column;
    e->type = t->local ? TYPE_TEXT : TYPE_UNKNOWN;
    return true;
}

static bool resolve_table(struct names *n, struct expr *e, uint32_t index)
{
    const struct mapping_table *t = &n->mapping->tables[index];
    e->root = ROOT_TABLE;
    if (!e->keys || e->keys->next) {
        names_fail(n, &e->token, "MAP_TABLE_KEY", NULL, "table %.*s needs its key in [ ]", SLICE_ARG(t->name));
        return false;
    }
    if (e->keys->n != t->nkeys) {
        names_fail(n, &e->token, "MAP_TABLE_KEY", NULL, "table %.*s has %zu key column%s, not %zu", SLICE_ARG(t->name),
                   t->nkeys,
                   t->nkeys == 1 ? "" : "s", e->keys->n);
        return false;
    }
    bool written = n->written, ok = true;
    n->written = false;
    for (size_t i = 0; i < e->keys->n; i++)
        ok = expr_resolve(n, e->keys->args[i], true) && ok;
    n->written = written;
    return resolve_column(n, e, index, 0) && ok;
}

static struct let *find_let(const struct names *n, struct slice name)
{
    for (struct scope *s = n->scope; s; s = s->parent)
        for (struct let *l = s->lets; l; l = l->next)
            if (slice_equal(l->name, name))
                return l;
    return NULL;
}

static bool resolve_let(struct names *n, struct expr *e, struct let *l)
{
    const struct expr *v = l->value;
    l->used = true;
    e->root = ROOT_LET;
    e->let = l;
    if (v->shape == SHAPE_ROW)
        return resolve_column(n, e, v->table, 0);
    if (v->shape == SHAPE_NODE)
        return resolve_steps(n, e, v->group);
    e->type = v->type;
    e->shape = v->shape;
    if (e->nsteps == 0)
        return true;
    names_fail(n, &e->token, "MAP_NO_FIELD", NULL, "$%.*s is one value and has no fields", SLICE_ARG(e->name));
    return false;
}

static bool resolve_special(struct names *n, struct expr *e)
{
    e->before = slice_is(e->name, "before");
    if (slice_is(e->name, "old") || e->before) {
        int written = n->mapping->arrow == ARROW_BOTH ? 1 - n->side : n->mapping->arrow == ARROW_LEFT ? SIDE_LEFT
                    : SIDE_RIGHT;
        const struct group *g = n->scope->side[n->scope->old_only ? SIDE_LEFT : written];
        e->root = ROOT_OLD;
        n->scope->reads_old = true;
        e->depth = n->scope->depth;
        return resolve_steps(n, e, g);
    }
    if (slice_is(e->name, "outcome")) {
        e->root = ROOT_OUTCOME;
        return resolve_steps(n, e, n->program->outcome->file_group->groups[0]);
    }
    e->root = ROOT_STATE;
    e->type = TYPE_TEXT;
    return e->nsteps == 0 || no_field(n, &e->steps[0].token, n->scope->side[0]);
}

static bool no_name(struct names *n, struct expr *e)
{
    struct slice *list = NULL;
    size_t count = 0, cap = 0;
    for (size_t i = 0; i < n->mapping->nparams; i++)
        ARENA_PUSH(n->arena, list, count, cap) = n->mapping->params[i].name;
    for (size_t i = 0; i < n->mapping->ntables; i++)
        ARENA_PUSH(n->arena, list, count, cap) = n->mapping->tables[i].name;
    for (struct scope *s = n->scope; s; s = s->parent)
        for (struct let *l = s->lets; l; l = l->next)
            ARENA_PUSH(n->arena, list, count, cap) = l->name;
    for (size_t i = 0; i < count; i++)
        list[i] = arena_printf(n->arena, "$%.*s", SLICE_ARG(list[i]));
    struct slice hint = problem_suggest(n->arena, arena_printf(n->arena, "$%.*s", SLICE_ARG(e->name)), list, count);
    names_fail(n, &e->token, "MAP_NO_NAME", hint.n ? hint.p : "declare it: `param`, `table` or `let`",
               "no param, table or let \"$%.*s\"", SLICE_ARG(e->name));
    return false;
}

static bool resolve_dollar(struct names *n, struct expr *e)
{
    struct let *l = find_let(n, e->name);
    if (l)
        return resolve_let(n, e, l);
    for (uint32_t i = 0; i < n->mapping->nparams; i++) {
        struct mapping_param *p = &n->mapping->params[i];
        if (!slice_equal(p->name, e->name))
            continue;
        e->root = ROOT_PARAM;
        e->param = i;
        e->type = (int)p->field->type;
        p->used = true;
        if (e->nsteps == 0)
            return true;
        names_fail(n, &e->token, "MAP_NO_FIELD", NULL, "$%.*s is a param and has no fields", SLICE_ARG(e->name));
        return false;
    }
    for (uint32_t i = 0; i < n->mapping->ntables; i++)
        if (slice_equal(n->mapping->tables[i].name, e->name)) {
            n->mapping->tables[i].used = true;
            return resolve_table(n, e, i);
        }
    if (slice_is(e->name, "old") || slice_is(e->name, "before") || slice_is(e->name, "outcome") ||
        slice_is(e->name, "state"))
        return resolve_special(n, e);
    return no_name(n, e);
}

/* ---- expressions ------------------------------------------------------------------------------------------------ */

static bool many_fault(struct names *n, const struct expr *e)
{
    size_t at = 0;
    while (at < e->nsteps && !(e->steps[at].kind == STEP_CHILD && e->steps[at].group &&
                               e->steps[at].group->max_occurs > 1 &&
                               !step_selects_one(&e->steps[at])))
        at++;
    if (at == e->nsteps) {
        names_fail(n, &e->span, "MAP_MANY", NULL, "%.*s may give several values, one is needed here",
                   SLICE_ARG(source_of(n, e)));
        return false;
    }
    const struct group *g = e->steps[at].group;
    struct slice name = g->name, path = source_of(n, e);
    struct slice most = g->max_occurs == OCCURS_MANY ? SLICE("*") : arena_printf(n->arena, "%u", g->max_occurs);
    bool number = e->field && (e->field->type == TYPE_DECIMAL || e->field->type == TYPE_INTEGER);
    struct slice hint = arena_printf(n->arena, "say %.*s[1]/…, %.*s[\"key\"]/…%s%.*s%s", SLICE_ARG(name),
                                     SLICE_ARG(name),
                                     number ? ", or sum(" : "", (int)(number ? path.n : 0), path.p, number ? ")" : "");
    names_fail(n, &e->span, "MAP_MANY", hint.p, "%.*s occurs %u..%.*s, one value is needed here", SLICE_ARG(name),
               g->min_occurs, SLICE_ARG(most));
    return false;
}

static bool resolve_path(struct names *n, struct expr *e, bool single)
{
    bool ok;
    e->side = n->side;
    if (e->name.n)
        ok = resolve_dollar(n, e);
    else if (e->root == ROOT_FILE)
        ok = resolve_steps(n, e, (n->side == SIDE_LEFT ? n->mapping->left : n->mapping->right)->file_group);
    else
        ok = resolve_steps(n, e, n->here);
    return ok && (!single || !e->many || e->shape != SHAPE_VALUE || many_fault(n, e));
}

static bool is_number(int type)
{
    return type == TYPE_INTEGER || type == TYPE_DECIMAL;
}

static bool need_number(struct names *n, const struct expr *e, const char *what)
{
    if (e->shape == SHAPE_VALUE && (e->type == TYPE_UNKNOWN || is_number(e->type)))
        return true;
    struct slice src = source_of(n, e);
    const char *type = e->shape == SHAPE_NODE ? "a group" : e->shape == SHAPE_ROW ? "a table row" : type_names[e->type];
    struct slice hint = arena_printf(n->arena, "write `number(%.*s)`", SLICE_ARG(src));
    names_fail(n, &e->span, "EXPR_TYPE", e->type == TYPE_TEXT ? hint.p : NULL, "%.*s is %s, %s needs numbers",
               SLICE_ARG(src), type, what);
    return false;
}

/* `3035 = "DP"`: the number 3035 is hardly meant, the element is. */
static bool number_fault(struct names *n, const struct expr *e)
{
    const struct expr *a = e->args[0], *b = e->args[1];
    if (a->kind != EXPR_NUMBER || b->kind != EXPR_TEXT)
        return false;
    struct slice hint = arena_printf(n->arena, "write ./%.*s for the element, or just %.*s[\"%.*s\"]",
                                     SLICE_ARG(a->token.text),
                                     SLICE_ARG(n->here->name), SLICE_ARG(b->text));
    names_fail(n, &a->span, "EXPR_NUMBER", hint.p, "%.*s is a number here", SLICE_ARG(a->token.text));
    return true;
}

static bool types_meet(int a, int b)
{
    bool date_a = a == TYPE_DATE || a == TYPE_DATETIME, date_b = b == TYPE_DATE || b == TYPE_DATETIME;
    return a == b || a == TYPE_UNKNOWN || b == TYPE_UNKNOWN || a == TYPE_TEXT || b == TYPE_TEXT || (is_number(a) &&
            is_number(b)) || (date_a && date_b);
}

static bool resolve_compare(struct names *n, struct expr *e)
{
    struct expr *a = e->args[0], *b = e->args[1];
    if (number_fault(n, e))
        return false;
    bool ok = expr_resolve(n, a, false);
    ok = expr_resolve(n, b, false) && ok;
    e->type = TYPE_BOOLEAN;
    if (!ok)
        return false;
    if (a->shape == SHAPE_VALUE && b->shape == SHAPE_VALUE && !types_meet(a->type, b->type)) {
        names_fail(n, &e->span, "EXPR_TYPE", NULL, "%s and %s cannot be compared", type_names[a->type],
                   type_names[b->type]);
        return false;
    }
    return true;
}

static bool resolve_binary(struct names *n, struct expr *e, bool single)
{
    struct expr *a = e->args[0], *b = e->args[1];
    if (e->op >= BIN_EQ && e->op <= BIN_GE)
        return resolve_compare(n, e);
    bool logic = e->op == BIN_AND || e->op == BIN_OR;
    bool ok = expr_resolve(n, a, !logic && (single || e->op != BIN_ALT));
    ok = expr_resolve(n, b, !logic && (single || e->op != BIN_ALT)) && ok;
    if (!ok)
        return false;
    if (logic) {
        e->type = TYPE_BOOLEAN;
    } else if (e->op == BIN_ALT) {
        bool rows = a->shape == SHAPE_ROW && b->shape == SHAPE_ROW && a->table == b->table;
        bool nodes = a->shape == SHAPE_NODE && b->shape == SHAPE_NODE && a->group == b->group;
        e->shape = rows ? SHAPE_ROW : nodes ? SHAPE_NODE : SHAPE_VALUE;
        e->table = a->table;
        e->group = a->group;
        e->type = a->type == b->type ? a->type : is_number(a->type) && is_number(b->type) ? TYPE_DECIMAL : TYPE_UNKNOWN;
    } else {
        e->type = a->type == TYPE_INTEGER && b->type == TYPE_INTEGER && e->op != BIN_DIV ? TYPE_INTEGER : TYPE_DECIMAL;
        ok = need_number(n, a, "arithmetic") && need_number(n, b, "arithmetic");
    }
    return ok;
}

/* At file level a total over messages is reckoned while they pass. */
static bool resolve_total(struct names *n, struct expr *e)
{
    struct expr *path = e->args[0];
    bool at_file = n->scope->depth == 0 || n->scope->total;
    if (!at_file || path->kind != EXPR_PATH || (path->root != ROOT_HERE && path->root != ROOT_FILE) ||
        path->nsteps == 0 ||
        !path->steps[0].group || !path->steps[0].group->is_message)
        return false;
    struct program *p = n->program;
    size_t cap = p->ntotals;
    struct total *list = arena_alloc(n->arena, (p->ntotals + 1) * sizeof *list);
    if (cap)
        memcpy(list, p->totals, cap * sizeof *list);
    list[p->ntotals] = (struct total){ .call = e, .message = path->steps[0].group };
    p->totals = list;
    e->acc = (uint32_t)++p->ntotals;
    return true;
}

static int call_type(const struct expr *e)
{
    if (e->func->type != TYPE_OF_ARGUMENT)
        return e->func->type;
    size_t first = e->func->args == ARGS_IF ? 1 : 0;
    int type = TYPE_UNKNOWN;
    for (size_t i = first; i < e->nargs; i++) {
        int t = e->args[i]->shape == SHAPE_VALUE ? e->args[i]->type : TYPE_UNKNOWN;
        if (i == first || t == type)
            type = t;
        else
            type = is_number(t) && is_number(type) ? TYPE_DECIMAL : TYPE_UNKNOWN;
    }
    return type;
}

/* The pattern of text(date, "pattern"), compiled once. */
static bool resolve_pattern(struct names *n, struct expr *e)
{
    struct expr *x = e->args[0], *pattern = e->args[1];
    int type = x->shape == SHAPE_VALUE ? x->type : TYPE_TEXT;
    struct fault fault = { 0 };
    size_t at = 0;
    if (pattern->kind != EXPR_TEXT || (type != TYPE_DATE && type != TYPE_TIME && type != TYPE_DATETIME)) {
        names_fail(n, &pattern->span, "EXPR_TYPE", NULL, "a pattern belongs to a date or time, and is a text");
        return false;
    }
    if (pattern_compile(n->arena, (enum type)type, pattern->text, &e->pattern, &fault, &at) == OK)
        return true;
    struct token t = pattern->span;
    t.column += (uint32_t)at + 1;
    t.width = 1;
    names_fail(n, &t, fault.code ? fault.code : "FMT_PATTERN", cstr(fault.hint), "\"%.*s\" %.*s",
               SLICE_ARG(pattern->text), SLICE_ARG(fault.text));
    return false;
}

static bool resolve_call(struct names *n, struct expr *e)
{
    bool ok = true, written = n->written;
    for (size_t i = 0; i < e->nargs; i++) {
        enum args how = e->func->args;
        bool many = how == ARGS_PATHS || (how == ARGS_JOIN && i > 0) || (how == ARGS_IF && i == 0);
        ok = expr_resolve(n, e->args[i], !many) && ok;
    }
    n->written = written;
    if (!ok)
        return false;
    e->type = call_type(e);
    if (strcmp(e->func->name, "next") == 0) {
        n->program->uses_next = true;
        if (e->args[0]->kind != EXPR_TEXT) {
            names_fail(n, &e->args[0]->span, "EXPR_NEXT", NULL, "next() takes the name of a sequence as a text");
            return false;
        }
    }
    if (strcmp(e->func->name, "text") == 0 && e->nargs == 2 && !resolve_pattern(n, e))
        return false;
    if (strcmp(e->func->name, "sum") == 0 && !need_number(n, e->args[0], "sum()"))
        return false;
    if (strcmp(e->func->name, "count") == 0 || strcmp(e->func->name, "sum") == 0)
        resolve_total(n, e);
    return true;
}

bool expr_resolve(struct names *n, struct expr *e, bool single)
{
    switch (e->kind) {
    case EXPR_TEXT:
        e->type = TYPE_TEXT;
        return true;
    case EXPR_NUMBER:
        e->type = memchr(e->text.p, '.', e->text.n) ? TYPE_DECIMAL : TYPE_INTEGER;
        return true;
    case EXPR_PATH:
        return resolve_path(n, e, single);
    case EXPR_CALL:
        return resolve_call(n, e);
    case EXPR_BINARY:
        return resolve_binary(n, e, single);
    case EXPR_NEGATE:
        break;
    }
    bool ok = expr_resolve(n, e->args[0], true) && need_number(n, e->args[0], "`-`");
    e->type = e->args[0]->type;
    return ok;
}

bool template_resolve(struct names *n, struct template *t)
{
    bool ok = true;
    for (size_t i = 0; i < t->n; i++)
        if (t->parts[i].expr)
            ok = expr_resolve(n, t->parts[i].expr, true) && ok;
    return ok;
}
