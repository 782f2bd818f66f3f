/* compile - the rows of each scope to one array of operations per direction, every place resolved to slots. */
#include "run.h"

struct compiler {
    struct arena *arena;
    struct mapping *mapping;
    struct program *program;
    enum mapping_direction d;
    struct scope *scope;
    struct dest *dests;             /* of the scope at hand */
    struct op *ops;
    size_t n, cap;
};

/* ---- written places --------------------------------------------------------------------------------------------- */

static struct dest *dest_new(struct compiler *c, struct dest *up, const struct group *g, const struct pred *pred)
{
    struct dest *d = arena_zero(c->arena, sizeof *d);
    *d = (struct dest){ .up = up, .group = g, .pred = pred, .reg = c->program->nregs[c->d]++, .next = c->dests };
    c->dests = d;
    return d;
}

static bool same_pred(const struct pred *a, const struct pred *b)
{
    return a == b || (a && b && slice_equal(a->source, b->source));
}

static struct dest *dest_get(struct compiler *c, struct dest *up, const struct group *g, const struct pred *pred)
{
    for (struct dest *d = c->dests; d; d = d->next)
        if (d->up == up && d->group == g && same_pred(d->pred, pred))
            return d;
    return dest_new(c, up, g, pred);
}

/* The place of the first n steps of a written path. */
static struct dest *path_dest(struct compiler *c, const struct expr *e, size_t n)
{
    struct dest *d = e->root == ROOT_FILE ? c->program->file->base[c->d] : c->scope->base[c->d];
    for (size_t i = 0; i < n; i++)
        if (e->steps[i].kind == STEP_CHILD && e->steps[i].group)
            d = dest_get(c, d, e->steps[i].group, e->steps[i].preds);
    return d;
}

static void place_path(void *owner, struct expr *e)
{
    if (e->field)
        e->dest = path_dest(owner, e, e->nsteps);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void set_copy(struct op *op, const struct expr *from)
{
    op->code = OP_COPY;
    op->nhops = (uint8_t)(from->nsteps - 1);
    for (size_t i = 0; i + 1 < from->nsteps; i++)
        op->hop[i] = from->steps[i].group->index;
    op->slot = from->field->slot;
}

/* A constant is put into the field's form once; what does not convert was refused by check. */
static void set_const(struct compiler *c, struct op *op, const struct expr *from)
{
    struct run scratch = { .a = c->arena, .arena = c->arena };
    struct val v;
    eval(&scratch, from, NULL, &v);
    op->code = val_convert(&scratch, &v, op->field, from, &op->constant) ? OP_CONST : OP_EXPR;
}

static void set_into_path(struct compiler *c, struct op *op)
{
    struct expr *from = op->from, *into = op->into;
    op->dest = into->dest;
    op->reg = into->dest->reg;
    op->field = into->field;
    op->to = into->field->slot;
    op->convert = (uint8_t)convert_class(from->type, (int)into->field->type);
    if (expr_is_const(from))
        set_const(c, op, from);
    else if (from->simple && op->convert == CONVERT_SAME)
        set_copy(op, from);
    else
        op->code = OP_EXPR;
}

static struct op *op_add(struct compiler *c, const struct item *it, enum op_code code)
{
    ARENA_PUSH(c->arena, c->ops, c->n, c->cap) = (struct op){ .code = (uint8_t)code, .item = it };
    return &c->ops[c->n - 1];
}

static void note_fallback(void *owner, struct expr *e)
{
    if (e->kind == EXPR_BINARY && e->op == BIN_ALT)
        *(bool *)owner = true;
}

static void compile_row(struct compiler *c, const struct item *it)
{
    if (gives_back(c->mapping, it))
        return;
    int read = side_read(c->d), written = side_written(c->d);
    if (c->scope->old_only && it->arrow == (c->d == MAPPING_FORWARD ? ARROW_LEFT : ARROW_RIGHT)) {
        read = 1 - read;
        written = 1 - written;
    } else if (!arrow_goes(it->arrow, c->d)) {
        return;
    }
    struct op *op = op_add(c, it, OP_INVERT);
    op->from = it->e[read];
    op->into = it->e[written];
    written_paths(op->into, place_path, c);
    expr_each(op->into, note_fallback, &op->late);
    op->late = op->late && it->arrow == ARROW_BOTH;
    c->program->late[c->d] |= op->late;
    if (op->into->kind == EXPR_PATH && op->into->dest)
        set_into_path(c, op);
    else if (expr_is_const(op->into))
        op->code = OP_CONST_CHECK;
}

/* Where a result is given back: below the instance that is read. */
static void compile_back_row(struct compiler *c, const struct item *it)
{
    struct scope *s = c->scope;
    struct op *op = op_add(c, it, OP_EXPR);
    op->from = it->e[side_written(c->d)];
    op->into = it->e[side_read(c->d)];
    if (!s->back_base)
        s->back_base = dest_new(c, NULL, s->side[side_read(c->d)], NULL);
    struct dest *d = s->back_base;
    for (size_t i = 0; i < op->into->nsteps; i++)
        if (op->into->steps[i].kind == STEP_CHILD && op->into->steps[i].group)
            d = dest_get(c, d, op->into->steps[i].group, op->into->steps[i].preds);
    op->into->dest = op->dest = d;
    op->field = op->into->field;
}

static void compile_back(struct compiler *c)
{
    struct scope *s = c->scope;
    c->ops = NULL;
    c->n = c->cap = 0;
    for (const struct item *it = s->items; it; it = it->next)
        if (it->kind == ITEM_ROW && gives_back(c->mapping, it))
            compile_back_row(c, it);
    s->back = c->ops;
    s->nback = c->n;
    c->program->gives_back |= c->n > 0;
}

/* Does a group row make an instance for each one that it reads? */
static bool row_loops(const struct scope *parent, const struct expr *e)
{
    if (parent->depth == 0)
        return true;
    for (size_t i = e->nsteps; i-- > 0;) {
        const struct pstep *s = &e->steps[i];
        if (s->kind != STEP_CHILD)
            continue;
        if (s->group->max_occurs <= 1)
            return false;
        for (const struct pred *pr = s->preds; pr; pr = pr->next)
            if (pr->kind == PRED_KEY || pr->kind == PRED_POSITION)
                return false;
        return true;
    }
    return false;
}

static void compile_group(struct compiler *c, const struct item *it)
{
    if (!arrow_goes(it->arrow, c->d))
        return;
    struct op *op = op_add(c, it, OP_GROUP);
    op->from = it->e[side_read(c->d)];
    op->into = it->e[side_written(c->d)];
    op->loops = row_loops(c->scope, op->into);
    if (c->scope->depth == 0)
        return;
    size_t n = op->into->nsteps;
    if (op->loops)
        while (n > 0 && op->into->steps[n - 1].kind != STEP_CHILD)
            n--;
    op->dest = path_dest(c, op->into, op->loops ? n - 1 : n);
    if (!op->loops)
        it->inner->base[c->d] = op->dest;
}

/* ---- scopes ----------------------------------------------------------------------------------------------------- */

static void compile_scope(struct compiler *c, struct scope *s)
{
    *c = (struct compiler){ .arena = c->arena, .mapping = c->mapping, .program = c->program, .d = c->d, .scope = s };
    s->reg_first[c->d] = c->program->nregs[c->d];
    if (!s->base[c->d])
        s->base[c->d] = dest_new(c, NULL, s->side[side_written(c->d)], NULL);
    s->blank[c->d] = node_blank(c->arena, s->side[side_written(c->d)]);
    for (const struct item *it = s->items; it; it = it->next)
        if (it->kind == ITEM_REQUIRE && arrow_goes(it->arrow, c->d))
            op_add(c, it, OP_JUDGE);
    s->nrequires[c->d] = c->n;
    for (const struct item *it = s->items; it; it = it->next) {
        if (it->kind == ITEM_ROW)
            compile_row(c, it);
        else if (it->kind == ITEM_GROUP)
            compile_group(c, it);
    }
    s->ops[c->d] = c->ops ? c->ops : arena_zero(c->arena, sizeof *c->ops);
    s->nops[c->d] = c->n;
    if (arrow_goes(c->mapping->arrow, c->d) && c->mapping->arrow != ARROW_BOTH)
        compile_back(c);
    s->reg_end[c->d] = c->program->nregs[c->d];
}

struct leaf {
    const struct expr *path;
    struct op *op;
};

struct leaves {
    struct arena *arena;
    struct leaf *list;
    size_t n, cap;
    struct op *op;
};

static void leaf_add(void *owner, struct expr *path)
{
    struct leaves *l = owner;
    ARENA_PUSH(l->arena, l->list, l->n, l->cap) = (struct leaf){ path, l->op };
}

/* Two <=> rows onto one field must agree: they are compared when they run. */
static void mark_shared(struct compiler *c)
{
    struct leaves l = { .arena = c->arena };
    for (struct scope *s = c->program->scopes; s; s = s->next)
        for (size_t i = 0; i < s->nops[c->d]; i++) {
            l.op = &s->ops[c->d][i];
            if (l.op->code != OP_GROUP && l.op->code != OP_JUDGE && l.op->item->arrow == ARROW_BOTH)
                written_paths(l.op->into, leaf_add, &l);
        }
    for (size_t i = 0; i < l.n; i++)
        for (size_t k = 0; k < i; k++)
            if (l.list[i].path->dest == l.list[k].path->dest && l.list[i].path->field == l.list[k].path->field &&
                l.list[i].op != l.list[k].op)
                l.list[i].op->shared = l.list[k].op->shared = true;
}

static bool is_plain_copy(const struct op *op, const struct dest *base)
{
    return op->code == OP_COPY && op->nhops == 0 && !op->shared && op->dest == base;
}

/* Rows that stand together and only carry values over are one step in create mode. */
static void gather_copies(struct compiler *c, struct scope *s)
{
    struct op *ops = s->ops[c->d];
    for (size_t i = 0, n; i < s->nops[c->d]; i += n ? n : 1) {
        for (n = 0; i + n < s->nops[c->d] && is_plain_copy(&ops[i + n], s->base[c->d]);)
            n++;
        if (!n)
            continue;
        ops[i].ncopies = (uint32_t)n;
        ops[i].copies = arena_zero(c->arena, n * sizeof *ops[i].copies);
        for (size_t k = 0; k < n; k++)
            ops[i].copies[k] = (struct copy){ ops[i + k].slot, ops[i + k].to, ops[i + k].item->index };
    }
}

void compile_mapping(struct arena *a, struct mapping *m)
{
    struct program *p = m->program;
    for (int d = 0; d < 2; d++) {
        struct compiler c = { .arena = a, .mapping = m, .program = p, .d = (enum mapping_direction)d };
        for (struct scope *s = p->scopes; s; s = s->next)   /* parents come before their children */
            if (!s->old_only || (s->parent && s->parent->policy[d].missing_rows == s))
                compile_scope(&c, s);
        mark_shared(&c);
        for (struct scope *s = p->scopes; s; s = s->next)
            gather_copies(&c, s);
    }
}
