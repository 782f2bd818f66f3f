/* runfile - what happens once per file: params, tables, file members, requires and totals. */
#include "run.h"

#include "func.h"

/* ---- params ----------------------------------------------------------------------------------------------------- */

static int bind_param(struct run *r, uint32_t i, struct problems *ps)
{
    const struct mapping_param *p = &r->mapping->params[i];
    struct place place = { .file = r->mapping->file, .offset = PLACE_NO_OFFSET, .line = p->token.line,
                           .column = p->token.column };
    struct slice text = slice_none();
    struct fault fault = { 0 };
    r->params[i] = p->has_default ? p->otherwise : (struct value){ .at = VALUE_NO_PLACE };
    if (r->outside && r->outside->param)
        text = r->outside->param(r->outside->owner, p->name);
    if (text.p && !param_value(r->arena, p, text, &r->params[i], &fault)) {
        problem_addf(ps, PROBLEM_ERROR, "MAP_PARAM", place, "param %.*s: \"%.*s\" %.*s", SLICE_ARG(p->name),
                     SLICE_ARG(text), SLICE_ARG(fault.text));
        return STOP;
    }
    if (p->required && !value_is(&r->params[i])) {
        problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "MAP_PARAM_MISSING", .place = place,
                    .text = arena_printf(r->arena, "param %.*s is required and has no value", SLICE_ARG(p->name)),
                    .hint = arena_printf(r->arena, "add `set %.*s \"…\"`, or --set %.*s=…", SLICE_ARG(p->name),
                                         SLICE_ARG(p->name)) });
        return STOP;
    }
    return OK;
}

/* ---- requires of the file --------------------------------------------------------------------------------------- */

struct param_check {
    bool params_only;
};

static void note_root(void *owner, struct expr *e)
{
    struct param_check *c = owner;
    if (e->acc || (e->kind == EXPR_PATH && e->root != ROOT_PARAM))
        c->params_only = false;
}

static bool is_params_only(const struct item *it)
{
    struct param_check c = { true };
    expr_each(it->e[0], note_root, &c);
    return c.params_only;
}

static int judge_file_item(struct run *r, const struct item *it, struct problems *ps)
{
    if (eval_true(r, it->e[0], r->files[side_read(r->direction)]))
        return OK;
    struct slice text = SLICE("a require of the whole file does not hold");
    if (it->verdict.text)
        text = template_run(r, it->verdict.text, r->files[side_read(r->direction)]);
    enum outcome_kind kind = it->verdict.kind;
    enum severity severity = kind >= OUTCOME_SKIP ? PROBLEM_ERROR : kind == OUTCOME_WARN ? PROBLEM_WARNING
        : PROBLEM_NOTE;
    struct place place = { .file = it->conf->file, .offset = PLACE_NO_OFFSET, .line = it->st->tokens[0].line,
                           .column = it->st->tokens[0].column };
    problem_add(ps, &(struct problem){ .severity = severity, .code = it->verdict.code_text, .place = place,
                                       .text = text });
    return kind >= OUTCOME_SKIP ? STOP : OK;
}

static int judge_file(struct run *r, bool params, struct problems *ps)
{
    const struct scope *s = r->program->file;
    struct arena *a = r->a;
    int rc = OK;
    r->a = r->arena;
    for (size_t i = 0; i < s->nrequires[r->direction]; i++) {
        const struct item *it = s->ops[r->direction][i].item;
        if (is_params_only(it) != params)
            continue;
        r->counts[it->index]++;
        if (judge_file_item(r, it, ps) != OK)
            rc = STOP;
    }
    r->a = a;
    return rc;
}

/* Judged once, when the first message is there. */
int run_file_requires(struct run *r)
{
    if (!r->file_judged && !r->unjudged) {
        r->file_judged = true;
        r->file_rc = judge_file(r, false, r->ps);
    }
    return r->file_rc;
}

/* ---- members of the file ---------------------------------------------------------------------------------------- */

static void note_needs(void *owner, struct expr *e)
{
    bool *needs = owner;
    if (e->acc)
        needs[1] = true;
    if (e->kind == EXPR_PATH && (e->root == ROOT_HERE || e->root == ROOT_FILE || e->root == ROOT_OUTCOME))
        needs[0] = true;
    if (e->kind == EXPR_PATH && e->root == ROOT_LET) {
        needs[0] = true;
        needs[1] |= e->let->file_total;
    }
}

/* Rows outside the message pair: as soon as what they read is there. */
void run_file_rows(struct run *r)
{
    const struct scope *s = r->program->file;
    enum mapping_direction d = r->direction;
    struct outcome own = { .kind = OUTCOME_NONE };
    struct outcome *outcome = r->outcome;
    struct arena *a = r->a;
    struct node *read = (struct node *)(uintptr_t)r->files[side_read(d)];
    r->a = r->arena;
    r->outcome = &own;
    r->depth = 0;
    for (size_t i = s->nrequires[d]; i < s->nops[d]; i++) {
        const struct op *op = &s->ops[d][i];
        bool needs[2] = { false, false };
        if (op->code == OP_GROUP || op->code == OP_JUDGE)
            continue;
        expr_each(op->from, note_needs, needs);
        if ((needs[0] && !read) || (needs[1] && !r->finishing) || (op->field && value_is(node_value(r->file,
                op->field)) && !needs[0]))
            continue;
        run_op_value(r, op, read);
    }
    r->a = a;
    r->outcome = outcome;
}

void run_file_begins(struct run *r)
{
    if (r->file_read)
        return;
    r->file_read = true;
    run_file_rows(r);
}

struct node *run_file(struct run *r)
{
    return r->file;
}

void run_source_file(struct run *r, const struct node *file)
{
    struct problems none;
    struct problems *ps = r->ps;
    problems_init(&none, r->arena, 16);
    if (!r->ps)
        r->ps = &none;
    r->files[side_read(r->direction)] = file;
    r->frames[0].side[side_read(r->direction)] = (struct node *)(uintptr_t)file;
    frame_begin(r, &r->frames[0]);
    run_file_rows(r);
    r->ps = ps;
}

/* ---- totals ----------------------------------------------------------------------------------------------------- */

struct adding {
    struct run *r;
    size_t index;
    bool count;
};

static bool add_total(void *owner, const struct node *n, const struct field *f)
{
    struct adding *t = owner;
    struct num x = num_int_of(1), *sum = &t->r->totals[t->index];
    bool there = !f || value_is(node_value(n, f));
    if (!there || (!t->count && (!f || !num_parse(value_text(node_value(n, f)), &x))))
        return true;
    if (!num_add(*sum, x, sum))
        run_fault_set(t->r, t->r->program->totals[t->index].call, "NUM_RANGE", slice_none(), slice_none(),
                      "a total does not fit 38 digits");
    t->r->totals_set[t->index] = true;
    return true;
}

void run_totals(struct run *r, const struct node *message)
{
    for (size_t i = 0; i < r->program->ntotals; i++) {
        const struct total *t = &r->program->totals[i];
        const struct expr *path = t->call->args[0];
        struct adding adding = { r, i, strcmp(t->call->func->name, "count") == 0 };
        if (same_group(t->message, message->group) && step_takes(r, &path->steps[0], message))
            path_walk(r, path, 1, message, add_total, &adding);
    }
}

void totals_mark(struct run *r)
{
    size_t n = r->program->ntotals;
    r->before.nkept = r->nkept;
    if (!n)
        return;
    memcpy(r->before.totals, r->totals, n * sizeof *r->totals);
    memcpy(r->before.totals_set, r->totals_set, n * sizeof *r->totals_set);
}

void run_withdraw(struct run *r)
{
    size_t n = r->program->ntotals;
    r->nkept = r->before.nkept;
    memcpy(r->totals, r->before.totals, n * sizeof *r->totals);
    memcpy(r->totals_set, r->before.totals_set, n * sizeof *r->totals_set);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------ */

static void allocate(struct run *r, struct arena *a)
{
    const struct program *p = r->program;
    r->params = arena_zero(a, (r->mapping->nparams + 1) * sizeof *r->params);
    r->lets = arena_zero(a, (p->nlets + 1) * sizeof *r->lets);
    r->regs = arena_zero(a, (p->nregs[r->direction] + 1) * sizeof *r->regs);
    r->counts = arena_zero(a, (p->nitems + 1) * sizeof *r->counts);
    r->passed = arena_zero(a, (p->nitems + 1) * sizeof *r->passed);
    r->totals = arena_zero(a, (p->ntotals + 1) * sizeof *r->totals);
    r->totals_set = arena_zero(a, (p->ntotals + 1) * sizeof *r->totals_set);
    r->before.totals = arena_zero(a, (p->ntotals + 1) * sizeof *r->totals);
    r->before.totals_set = arena_zero(a, (p->ntotals + 1) * sizeof *r->totals_set);
    for (size_t i = 0; i < p->ntotals; i++)
        r->totals[i] = num_int_of(0);
}

struct run *run_new(struct arena *a, const struct mapping *m, enum mapping_direction d, const struct outside *o,
                    struct problems *ps)
{
    struct run *r = arena_zero(a, sizeof *r);
    int rc = OK;
    *r = (struct run){ .arena = a, .a = a, .mapping = m, .program = m->program, .direction = d, .outside = o,
                       .ps = ps };
    allocate(r, a);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (bind_param(r, i, ps) != OK)
            rc = STOP;
    if (lookup_bind(r, ps) != OK || rc != OK)
        return NULL;
    r->file = node_new(a, (d == MAPPING_FORWARD ? m->right : m->left)->file_group, NULL);
    r->files[side_written(d)] = r->file;
    r->frames[0].side[side_written(d)] = r->file;
    frame_begin(r, &r->frames[0]);
    r->regs[r->program->file->base[d]->reg] = r->file;
    if (judge_file(r, true, ps) != OK)
        return NULL;
    run_file_rows(r);
    return r;
}

int run_settings(struct arena *a, const struct mapping *m, enum mapping_direction d, const struct outside *o,
                 struct problems *ps)
{
    struct run *r = arena_zero(a, sizeof *r);
    int rc = OK;
    if (!m->program->param_requires)
        return OK;
    *r = (struct run){ .arena = a, .a = a, .mapping = m, .program = m->program, .direction = d, .outside = o,
                       .ps = ps };
    allocate(r, a);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (bind_param(r, i, ps) != OK)
            rc = STOP;
    return rc == OK ? judge_file(r, true, ps) : rc;
}

void run_unjudged(struct run *r)
{
    r->unjudged = true;
}

void run_free(struct run *r)
{
    (void)r;                        /* all of it lies in the arena of run_new */
}

void run_coverage_files(const struct run *r, void (*each)(void *owner, const char *file, uint32_t line,
                                                          uint64_t times), void *owner)
{
    for (uint32_t i = 0; i < r->program->nitems; i++)
        if (r->program->items[i])
            each(owner, r->program->items[i]->conf->file, r->program->items[i]->st->tokens[0].line, r->counts[i]);
}

void run_coverage(const struct run *r, void (*each)(void *owner, uint32_t line, uint64_t times), void *owner)
{
    for (uint32_t i = 0; i < r->program->nitems; i++)
        if (r->program->items[i] && r->program->items[i]->conf == r->mapping->conf)
            each(owner, r->program->items[i]->st->tokens[0].line, r->counts[i]);
}

const struct group *run_target(const struct run *r, const struct group *source)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++) {
        const struct op *op = &file->ops[d][i];
        if (op->code == OP_GROUP && op->from->nsteps && op->from->root != ROOT_OUTCOME &&
            same_group(op->from->steps[0].group, source))
            return op->item->inner->side[side_written(d)];
    }
    return NULL;
}
