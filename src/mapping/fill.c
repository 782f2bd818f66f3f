/* fill - which fields the rows of a mapping fill: required ones that none fills, others that two fill. */
#include "check.h"

#include "run.h"

static struct format *format_of(const struct checker *c, int side)
{
    return side == SIDE_LEFT ? c->mapping->left : c->mapping->right;
}

static void number_fields(struct checker *c, int side)
{
    const struct format *f = format_of(c, side);
    uint32_t n = 0;
    c->base[side] = arena_zero(c->arena, (f->ngroups + 1) * sizeof(uint32_t));
    c->entered[side] = arena_zero(c->arena, f->ngroups + 1);
    c->kept[side] = arena_zero(c->arena, f->ngroups + 1);
    for (size_t i = 0; i < f->ngroups; i++) {
        c->base[side][i] = n;
        n += (uint32_t)f->all_groups[i]->nfields;
    }
    c->written[side] = arena_zero(c->arena, n + 1);
}

/* ---- what is written -------------------------------------------------------------------------------------------- */

struct marking {
    struct checker *c;
    int side;
};

static void mark_field(struct marking *m, const struct field *f)
{
    const struct format *own = format_of(m->c, m->side);
    if (f->group->id >= own->ngroups || own->all_groups[f->group->id] != f->group)
        return;
    m->c->written[m->side][m->c->base[m->side][f->group->id] + f->slot] = true;
    for (const struct group *g = f->group; g; g = g->parent)
        m->c->entered[m->side][g->id] = true;
}

static void mark_constants(struct marking *m, const struct expr *e)
{
    if (e->kind != EXPR_BINARY)
        return;
    if (e->op == BIN_AND) {
        mark_constants(m, e->args[0]);
        mark_constants(m, e->args[1]);
    } else if (e->op == BIN_EQ && e->args[0]->kind == EXPR_PATH && e->args[0]->field) {
        mark_field(m, e->args[0]->field);
    }
}

static void mark_preds(struct marking *m, const struct expr *e)
{
    for (size_t i = 0; i < e->nsteps; i++)
        for (const struct pred *pr = e->steps[i].preds; pr; pr = pr->next) {
            const struct group *g = e->steps[i].group;
            if (pr->kind == PRED_CONDITION)
                mark_constants(m, pr->args[0]);
            for (size_t k = 0; pr->kind == PRED_KEY && g && k < g->nkeys; k++)
                mark_field(m, g->keys[k].field);
        }
}

static void mark_path(void *owner, struct expr *e)
{
    mark_preds(owner, e);
    if (e->field)
        mark_field(owner, e->field);
}

static void mark_group(struct marking *m, const struct item *it, enum mapping_direction d)
{
    struct expr *e = it->e[side_written(d)];
    const struct policy *p = &it->inner->policy[d];
    mark_preds(m, e);
    if (p->new_given && p->when_new != NEW_ADD)
        m->c->kept[m->side][e->group->id] = true;
    for (const struct group *g = e->group; g; g = g->parent)
        m->c->entered[m->side][g->id] = true;
}

static void mark_all(struct checker *c, enum mapping_direction d)
{
    struct marking m = { c, side_written(d) };
    for (struct scope *s = c->program->scopes; s; s = s->next)
        for (struct item *it = s->items; it; it = it->next) {
            if (it->kind == ITEM_REQUIRE || it->kind == ITEM_RULE || !arrow_goes(it->arrow, d) || s->old_only)
                continue;
            if (it->kind == ITEM_ROW)
                written_paths(it->e[m.side], mark_path, &m);
            else if (it->inner)
                mark_group(&m, it, d);
        }
}

/* A group that must be there is made with the one above it. */
static void enter_mandatory(struct checker *c, int side, const struct group *g)
{
    for (size_t i = 0; i < g->ngroups; i++) {
        const struct group *child = g->groups[i];
        if (c->entered[side][g->id] && !c->kept[side][g->id] && child->min_occurs > 0 && !child->is_message)
            c->entered[side][child->id] = true;
        enter_mandatory(c, side, child);
    }
}

/* ---- required --------------------------------------------------------------------------------------------------- */

static bool lies_in(const struct group *g, const struct group *above)
{
    while (g && g != above)
        g = g->parent;
    return g != NULL;
}

/* The group row that a row for this field belongs into: the innermost that makes its group. */
static const struct scope *scope_for(const struct checker *c, int side, const struct group *g)
{
    const struct scope *best = NULL;
    for (const struct scope *s = c->program->scopes; s; s = s->next)
        if (s->row && !s->old_only && lies_in(g, s->side[side]) && (!best || s->depth > best->depth))
            best = s;
    return best;
}

static struct slice path_from(struct arena *a, const struct group *from, const struct field *f)
{
    struct slice path = f->name;
    for (const struct group *g = f->group; g && g != from; g = g->parent)
        path = g->parent ? arena_printf(a, "%.*s/%.*s", SLICE_ARG(g->name), SLICE_ARG(path)) : arena_printf(a, "/%.*s",
                SLICE_ARG(path));
    return path;
}

/* A row that failed to resolve may well be the one that fills the field: then its own fault is told, not this one. */
static bool broken_row_fits(const struct checker *c, int side, const struct field *f)
{
    for (const struct scope *s = c->program->scopes; s; s = s->next)
        for (const struct item *it = s->items; it; it = it->next) {
            const struct expr *e = it->broken && it->kind == ITEM_ROW ? it->e[side] : NULL;
            if (e && e->kind == EXPR_PATH && e->nsteps && !e->field &&
                slice_distance(e->steps[e->nsteps - 1].token.text, f->name, 2) <= 2)
                return true;
        }
    return false;
}

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "the format";
}

static void required_fault(struct checker *c, enum mapping_direction d, const struct field *f)
{
    int side = side_written(d);
    const struct scope *s = scope_for(c, side, f->group);
    const struct item *at = s ? s->row : NULL;
    struct item file = { .conf = c->mapping->conf, .st = c->mapping->conf->first };
    struct slice path = path_from(c->arena, s ? s->side[side] : NULL, f);
    const char *arrow = d == MAPPING_FORWARD ? "… => " : "";
    struct slice hint = arena_printf(c->arena, "add `%s%.*s%s` or drop `required` in %s:%u", arrow, SLICE_ARG(path),
                                     d == MAPPING_FORWARD ? "" : " <= …",
                                     base_name(format_of(c, side)->file), f->token.line);
    struct token t = (at ? at : &file)->st->tokens[0];
    t.width = 1;
    check_fail(c, at ? at : &file, &t, PROBLEM_ERROR, "MAP_REQUIRED", hint,
               "required field %.*s is filled by no row going %s", SLICE_ARG(path),
               d == MAPPING_FORWARD ? "right" : "left");
}

static void check_required(struct checker *c, enum mapping_direction d)
{
    int side = side_written(d);
    const struct format *f = format_of(c, side);
    enter_mandatory(c, side, f->file_group);
    for (size_t i = 0; i < f->ngroups; i++) {
        const struct group *g = f->all_groups[i];
        if (!c->entered[side][g->id] || c->kept[side][g->id])
            continue;
        for (size_t k = 0; k < g->nfields; k++)
            if ((g->fields[k]->flags & FIELD_REQUIRED) &&
                !c->written[side][c->base[side][g->id] + g->fields[k]->slot] &&
                !broken_row_fits(c, side, g->fields[k]))
                required_fault(c, d, g->fields[k]);
    }
}

/* ---- twice ------------------------------------------------------------------------------------------------------ */

static bool same_preds(const struct expr *a, const struct expr *b)
{
    if (a->nsteps != b->nsteps || a->root != b->root)
        return false;
    for (size_t i = 0; i < a->nsteps; i++) {
        const struct pred *x = a->steps[i].preds, *y = b->steps[i].preds;
        if (!slice_equal(a->steps[i].token.text, b->steps[i].token.text) || !x != !y || (x && !slice_equal(x->source,
                y->source)))
            return false;
    }
    return true;
}

static void check_twice(struct checker *c, const struct scope *s, enum mapping_direction d)
{
    int side = side_written(d);
    for (const struct item *it = s->items; it; it = it->next) {
        if (it->kind != ITEM_ROW || it->broken || !arrow_goes(it->arrow, d) || it->e[side]->kind != EXPR_PATH)
            continue;
        for (const struct item *other = s->items; other != it; other = other->next) {
            if (other->kind != ITEM_ROW || other->broken || !arrow_goes(other->arrow, d) ||
                other->e[side]->kind != EXPR_PATH)
                continue;
            bool both = it->arrow == ARROW_BOTH && other->arrow == ARROW_BOTH;
            if (both || it->e[side]->field != other->e[side]->field || !same_preds(it->e[side], other->e[side]))
                continue;
            struct slice name = expr_source(it->conf, it->e[side]);
            struct slice hint = arena_printf(c->arena, "line %u fills it already: join the two, as `a | b` or if()",
                                             other->st->tokens[0].line);
            check_fail(c, it, &it->e[side]->span, PROBLEM_ERROR, "MAP_TWICE", hint, "two rows write %.*s",
                       SLICE_ARG(name));
            break;
        }
    }
}

bool constant_fits(struct arena *a, const struct expr *constant, const struct field *f, struct fault *fault)
{
    struct run scratch = { .a = a, .arena = a };
    struct val v;
    struct value out;
    struct buf spelled = { 0 };
    eval(&scratch, constant, NULL, &v);
    if (!val_convert(&scratch, &v, f, constant, &out)) {
        fault->text = scratch.fault.text;
        return false;
    }
    bool fits = out.state != VALUE_PRESENT || type_write(f, &out, &spelled, a, fault) == OK;
    buf_release(&spelled);
    return fits;
}

void check_fill(struct checker *c)
{
    for (int side = 0; side < 2; side++)
        number_fields(c, side);
    for (int d = 0; d < 2; d++) {
        mark_all(c, (enum mapping_direction)d);
        if (arrow_goes(c->mapping->arrow, (enum mapping_direction)d))
            check_required(c, (enum mapping_direction)d);
        for (const struct scope *s = c->program->scopes; s; s = s->next)
            check_twice(c, s, (enum mapping_direction)d);
    }
}
