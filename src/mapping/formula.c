/* formula - expressions of a site: a mapping of a format onto itself without rows, so that the parser, the names and
   the evaluation of mappings serve. */
#include "mapping/formula.h"

#include "check.h"
#include "func.h"
#include "run.h"

struct formula {
    struct mapping mapping;         /* both sides are the format; its params are the settings named */
    struct program program;
    struct scope file, here;
    struct expr *expr;
    bool reads_file;                /* `/Member` */
};

/* ---- what may be named ------------------------------------------------------------------------------------------ */

struct naming {
    const struct formula_site *site;
    struct formula *f;
    struct problems *ps;
    size_t cap;
    bool failed;
};

static bool is_known(const struct formula_site *s, struct slice name)
{
    for (size_t i = 0; i < s->nparams; i++)
        if (slice_equal(s->params[i], name))
            return true;
    return false;
}

static bool is_bound(const struct mapping *m, struct slice name)
{
    for (size_t i = 0; i < m->nparams; i++)
        if (slice_equal(m->params[i].name, name))
            return true;
    return false;
}

static void bind_name(struct naming *n, const struct expr *e)
{
    struct arena *a = n->site->arena;
    struct format *f;
    struct group *g = format_new(a, "settings", "none", &f);
    struct mapping_param p = { .name = e->name, .token = e->token, .field = group_add_field(a, g, "value", TYPE_TEXT) };
    ARENA_PUSH(a, n->f->mapping.params, n->f->mapping.nparams, n->cap) = p;
}

static void name_fault(struct naming *n, const struct expr *e)
{
    const struct formula_site *s = n->site;
    static const char *const inner[] = { "old", "outcome", "state" };
    n->failed = true;
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (slice_is(e->name, inner[i])) {
            conf_problem(s->conf, &e->token, PROBLEM_ERROR, "FORMULA_NAME", n->ps,
                         i == 2 ? "name the fields that the state follows from" : "say it in a mapping",
                         "$%s cannot be named here", inner[i]);
            return;
        }
    struct slice hint = problem_suggest(s->arena, e->name, s->params, s->nparams);
    conf_problem(s->conf, &e->token, PROBLEM_ERROR, "FORMULA_NAME", n->ps,
                 hint.n ? hint.p : "tables and lets belong into a mapping", "no setting \"$%.*s\"",
                 SLICE_ARG(e->name));
}

static void note_name(void *owner, struct expr *e)
{
    struct naming *n = owner;
    static const char *const taking[] = { "next", "attachment", "message-number" };
    for (size_t i = 0; e->kind == EXPR_CALL && i < sizeof taking / sizeof *taking; i++)
        if (strcmp(e->func->name, taking[i]) == 0) {
            n->failed = true;
            conf_problem(n->site->conf, &e->token, PROBLEM_ERROR, "FORMULA_NAME", n->ps, "say it in a mapping",
                         "%s() cannot be used here", taking[i]);
        }
    if (e->kind != EXPR_PATH)
        return;
    n->f->reads_file |= e->root == ROOT_FILE;
    if (!e->name.n || (n->site->state && slice_is(e->name, "state")))
        return;
    if (!is_known(n->site, e->name))
        name_fault(n, e);
    else if (!is_bound(&n->f->mapping, e->name))
        bind_name(n, e);
}

/* ---- compiling -------------------------------------------------------------------------------------------------- */

static struct formula *formula_new(const struct formula_site *s, const struct group *here)
{
    struct formula *f = arena_zero(s->arena, sizeof *f);
    struct format *format = (struct format *)(uintptr_t)s->format;
    f->mapping = (struct mapping){ .name = format->name, .file = s->conf->file, .left = format, .right = format,
                                   .arrow = ARROW_RIGHT, .program = &f->program };
    f->program = (struct program){ .mapping = &f->mapping, .file = &f->file };
    f->file.side[0] = f->file.side[1] = format->file_group;
    f->here = (struct scope){ .parent = &f->file, .depth = 1, .side = { here, here } };
    return f;
}

static struct names names_of(const struct formula_site *s, struct formula *f, struct problems *ps)
{
    return (struct names){ .mapping = &f->mapping, .program = &f->program, .arena = s->arena, .ps = ps,
                           .conf = s->conf, .scope = &f->here, .here = f->here.side[0] };
}

/* The names of a parsed expression, for instances of `here`. */
static struct formula *resolve(const struct formula_site *s, const struct group *here, struct expr *e, bool single,
                               struct problems *ps)
{
    struct formula *f = formula_new(s, here);
    struct naming naming = { .site = s, .f = f, .ps = ps };
    struct names names = names_of(s, f, ps);
    f->expr = e;
    expr_each(e, note_name, &naming);
    return !naming.failed && expr_resolve(&names, e, single) ? f : NULL;
}

static bool names_only(const struct expr *e)
{
    for (size_t i = 0; i < e->nsteps; i++)
        if (e->steps[i].kind != STEP_CHILD || e->steps[i].preds)
            return false;
    return e->kind == EXPR_PATH && !e->name.n && !e->keys;
}

static bool resolve_path(const struct formula_site *s, struct expr *e, struct formula_path *out, struct problems *ps)
{
    static const char hint[] = "as Order/Line, from the message on";
    if (!names_only(e)) {
        conf_problem(s->conf, &e->span, PROBLEM_ERROR, "FORMULA_PATH", ps, hint, "a path of names is expected here");
        return false;
    }
    if (!resolve(s, s->format->file_group, e, false, ps))
        return false;
    *out = (struct formula_path){ .group = e->field ? e->field->group : e->group, .field = e->field, .token = e->span };
    if (out->group->parent)
        return true;
    conf_problem(s->conf, &e->span, PROBLEM_ERROR, "FORMULA_PATH", ps, hint, "%.*s belongs to no message",
                 SLICE_ARG(expr_source(s->conf, e)));
    return false;
}

int formula_path(const struct formula_site *s, struct statement *st, size_t *i, struct formula_path *out,
                 struct problems *ps)
{
    struct parser p;
    parser_init(&p, s->arena, s->conf, st, ps);
    p.i = *i;
    struct expr *e = expr_parse(&p, true);
    *i = p.i;
    return e && resolve_path(s, e, out, ps) ? OK : STOP;
}

int formula_compile(const struct formula_site *s, const struct group *here, struct statement *st, size_t *i,
                    struct formula **out, struct problems *ps)
{
    struct parser p;
    parser_init(&p, s->arena, s->conf, st, ps);
    p.i = *i;
    struct expr *e = expr_parse(&p, false);
    *i = p.i;
    *out = e ? resolve(s, here, e, false, ps) : NULL;
    return *out ? OK : STOP;
}

static bool fits(const struct formula_site *s, const struct expr *e, const struct field *into, struct problems *ps)
{
    struct fault fault = { 0 };
    if (e->shape != SHAPE_VALUE)
        conf_problem(s->conf, &e->span, PROBLEM_ERROR, "MAP_FIELD", ps, NULL, "a value is needed here, %.*s is a group",
                     SLICE_ARG(expr_source(s->conf, e)));
    else if (convert_class(e->type, (int)into->type) == CONVERT_NEVER)
        conf_problem(s->conf, &e->span, PROBLEM_ERROR, "MAP_TYPE", ps, NULL, "%s never becomes %s: %.*s",
                     type_names[e->type], type_names[into->type], SLICE_ARG(into->name));
    else if (expr_is_const(e) && !constant_fits(s->arena, e, into, &fault))
        conf_problem(s->conf, &e->span, PROBLEM_ERROR, "MAP_TYPE", ps, fault.hint.n ? fault.hint.p : NULL,
                     "\"%.*s\" %.*s", SLICE_ARG(e->text), SLICE_ARG(fault.text));
    else
        return true;
    return false;
}

int formula_row(const struct formula_site *s, struct statement *st, struct formula_path *into, struct formula **out,
                struct problems *ps)
{
    struct parser p;
    parser_init(&p, s->arena, s->conf, st, ps);
    struct expr *from = expr_parse(&p, true);
    if (!from)
        return STOP;
    if (!parser_op(&p, OP_RIGHT))
        return parser_fail(&p, parser_peek(&p, 0), "MAP_SYNTAX", "EXPRESSION => Group/Field", "`=>` is expected here");
    struct expr *path = expr_parse(&p, true);
    if (!path || !parser_done(&p) || !resolve_path(s, path, into, ps))
        return STOP;
    if (!into->field)
        return conf_problem(s->conf, &path->span, PROBLEM_ERROR, "MAP_FIELD", ps, NULL,
                            "a field is needed here, %.*s is a group", SLICE_ARG(expr_source(s->conf, path)));
    *out = resolve(s, into->group, from, true, ps);
    return *out && fits(s, from, into->field, ps) ? OK : STOP;
}

int formula_done(const struct formula_site *s, struct statement *st, size_t i, struct problems *ps)
{
    struct parser p;
    parser_init(&p, s->arena, s->conf, st, ps);
    p.i = i;
    return parser_done(&p) ? OK : STOP;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

struct bound_params {
    const struct formula *formula;
    struct value *values;
    struct bound_params *next;
};

struct formula_run {
    struct run run;
    struct bound_params *params;
};

struct formula_run *formula_run_new(struct arena *a, const struct outside *o)
{
    struct formula_run *r = arena_zero(a, sizeof *r);
    r->run = (struct run){ .arena = a, .a = a, .outside = o, .direction = MAPPING_FORWARD };
    return r;
}

/* The settings that a formula names, asked of outside once. */
static struct value *params_of(struct formula_run *r, const struct formula *f)
{
    const struct outside *o = r->run.outside;
    struct bound_params *b = r->params;
    while (b && b->formula != f)
        b = b->next;
    if (b || f->mapping.nparams == 0)
        return b ? b->values : NULL;
    b = arena_zero(r->run.arena, sizeof *b);
    *b = (struct bound_params){ .formula = f, .next = r->params };
    b->values = arena_zero(r->run.arena, f->mapping.nparams * sizeof *b->values);
    for (size_t i = 0; i < f->mapping.nparams; i++) {
        struct slice s = o && o->param ? o->param(o->owner, f->mapping.params[i].name) : slice_none();
        s = s.n ? arena_copy(r->run.arena, s) : SLICE("");
        b->values[i] = (struct value){ .p = s.p, .n = (uint32_t)s.n, .state = s.n ? VALUE_PRESENT : VALUE_ABSENT,
                                       .at = VALUE_NO_PLACE };
    }
    r->params = b;
    return b->values;
}

/* The scratch run, standing at the instance. */
static struct run *enter(struct formula_run *r, const struct formula *f, const struct node *n, struct arena *a)
{
    struct run *run = &r->run;
    const struct node *file = n;
    uint32_t listed = n->parent ? node_list(n->parent, n->group)->n : 0;
    while (f->reads_file && file->parent)
        file = file->parent;
    run->a = a;
    run->mapping = &f->mapping;
    run->program = &f->program;
    run->params = params_of(r, f);
    run->files[0] = run->files[1] = file->group->parent ? NULL : file;
    run->frames[1].side[0] = run->frames[1].side[1] = (struct node *)(uintptr_t)n;
    run->frames[1].id = ++run->next_id;
    run->depth = 1;
    run->position = n->position ? n->position : 1;
    run->last = listed ? listed : 1;
    run->guard = 0;
    run->missed = NULL;
    run->fault = (struct run_fault){ 0 };
    return run;
}

bool formula_holds(struct formula_run *r, const struct formula *f, const struct node *n, struct arena *a)
{
    return eval_true(enter(r, f, n, a), f->expr, n);
}

/* A value that does not fit its type is carried on as it is, where the field bears it. */
static bool carried(struct run *run, const struct expr *e, const struct node *n, const struct field *into,
                    struct value *out)
{
    const struct value *v = e->kind == EXPR_PATH && e->field && !e->name.n ? path_value(run, e, n) : NULL;
    if (!v || v->state == VALUE_PRESENT || !(v->form & VALUE_LAX))
        return false;
    bool text = into->type == TYPE_TEXT;
    *out = (struct value){ .p = v->p, .n = v->n, .at = VALUE_NO_PLACE, .form = text ? 0 : VALUE_LAX,
                           .state = text ? VALUE_PRESENT : VALUE_EMPTY };
    if (!text && !(into->flags & FIELD_LAX))
        run_fault_set(run, e, "VALUE_UNFIT", into->name, (struct slice){ v->p, v->n }, "does not fit its type");
    return true;
}

int formula_value(struct formula_run *r, const struct formula *f, const struct node *n, const struct field *into,
                  struct arena *a, struct value *out, struct problems *ps)
{
    struct run *run = enter(r, f, n, a);
    struct val v;
    if (!carried(run, f->expr, n, into, out)) {
        eval(run, f->expr, n, &v);
        if (!run->fault.code)
            val_convert(run, &v, into, f->expr, out);
    }
    if (!run->fault.code)
        return OK;
    problem_add(ps, &(struct problem){
        .severity = PROBLEM_ERROR, .code = run->fault.code, .path = node_path(a, n, into), .value = run->fault.value,
        .place = { .file = f->mapping.file, .offset = PLACE_NO_OFFSET, .line = f->expr->span.line,
                   .column = f->expr->span.column }, .text = run->fault.text });
    return SKIP;
}
