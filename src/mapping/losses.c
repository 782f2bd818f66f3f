/* losses - what a mapping drops, narrows, invents or takes the first of, per direction (LANGUAGE.md section 4). */
#include "mapping/mapping.h"

#include "base/charset.h"
#include "format/type.h"

#include "func.h"
#include "program.h"

struct lister {
    struct arena *arena;
    const struct mapping *mapping;
    enum mapping_direction d;
    struct loss *first, **tail;
    bool **read;                    /* by group id: its fields that some row reads */
    bool **decides;                 /* the same: fields that consolidate asks for */
    bool **noting;                  /* the one of them that is being filled */
    bool *entered;                  /* by group id */
    const struct item *item;
};

static const struct format *format_read(const struct lister *l)
{
    return l->d == MAPPING_FORWARD ? l->mapping->left : l->mapping->right;
}

static void add(struct lister *l, enum loss_kind kind, struct slice path, uint32_t line, struct slice reason)
{
    struct loss *x = arena_zero(l->arena, sizeof *x);
    *x = (struct loss){ .direction = l->d, .kind = kind, .path = path, .reason = reason, .line = line };
    *l->tail = x;
    l->tail = &x->next;
}

static struct slice source(const struct lister *l, const struct expr *e)
{
    return expr_source(l->item->conf, e);
}

static uint32_t line_of(const struct item *it)
{
    return it->st->tokens[0].line;
}

/* ---- dropped ---------------------------------------------------------------------------------------------------- */

static bool own_group(const struct format *f, const struct group *g)
{
    return g->id < f->ngroups && f->all_groups[g->id] == g;
}

static void note_read(void *owner, struct expr *e)
{
    struct lister *l = owner;
    const struct format *f = format_read(l);
    if (e->kind != EXPR_PATH || (e->root != ROOT_HERE && e->root != ROOT_FILE))
        return;
    for (size_t i = 0; i < e->nsteps; i++)
        if (e->steps[i].group && own_group(f, e->steps[i].group))
            l->entered[e->steps[i].group->id] = true;
    if (e->field && own_group(f, e->field->group))
        l->noting[e->field->group->id][e->field->slot] = true;
}

static void note_let(void *owner, struct expr *e);

static void note_all(struct lister *l, struct expr *e)
{
    expr_each(e, note_read, l);
    expr_each(e, note_let, l);
}

static void note_let(void *owner, struct expr *e)
{
    if (e->kind == EXPR_PATH && e->root == ROOT_LET)
        note_all(owner, e->let->value);
}

static void list_dropped(struct lister *l)
{
    const struct format *f = format_read(l);
    for (size_t i = 0; i < f->ngroups; i++) {
        const struct group *g = f->all_groups[i];
        if (g->parent && !g->is_message && g->parent->parent && !l->entered[g->parent->id])
            continue;                                   /* told by the group above */
        bool any = l->entered[i];
        for (size_t k = 0; k < g->nfields; k++)
            any = any || l->read[i][k];
        if (!any && g->parent) {
            add(l, LOSS_DROPPED, group_path(l->arena, g), 0, SLICE("no row reads this group"));
            continue;
        }
        for (size_t k = 0; k < g->nfields; k++)
            if (!l->read[i][k])
                add(l, LOSS_DROPPED, field_path(l->arena, g->fields[k]), 0,
                    l->decides[i][k] ? SLICE("it decides where the rest goes, no row reads it") : SLICE("no row reads it"));
    }
}

static void list_selected(struct lister *l, const struct item *it)
{
    const struct expr *e = it->e[side_read(l->d)];
    for (size_t i = 0; i < e->nsteps; i++)
        for (const struct pred *pr = e->steps[i].preds; pr; pr = pr->next)
            add(l, LOSS_DROPPED, e->steps[i].group ? group_path(l->arena, e->steps[i].group) : source(l, e),
                line_of(it),
                arena_printf(l->arena, "instances that %.*s leaves out", SLICE_ARG(pr->source)));
}

/* ---- narrowed --------------------------------------------------------------------------------------------------- */

static void list_narrowed(struct lister *l, const struct item *it, const struct field *from, const struct field *into)
{
    struct slice path = field_path(l->arena, from);
    uint32_t line = line_of(it);
    if (into->max && (from->max == 0 || from->max > into->max))
        add(l, LOSS_NARROWED, path, line, arena_printf(l->arena, "at most %u characters in %.*s", into->max,
                                                       SLICE_ARG(into->name)));
    if (into->codes && !from->codes)
        add(l, LOSS_NARROWED, path, line, arena_printf(l->arena, "only the %zu codes of %.*s", into->ncodes,
                                                       SLICE_ARG(into->name)));
    if (into->scale_max >= 0 && from->type == TYPE_DECIMAL && (from->scale_max < 0 ||
                                                               from->scale_max > into->scale_max))
        add(l, LOSS_NARROWED, path, line, arena_printf(l->arena, "at most %d decimals in %.*s", into->scale_max,
                                                       SLICE_ARG(into->name)));
    if (from->type != into->type && convert_class((int)from->type, (int)into->type) == CONVERT_DYNAMIC)
        add(l, LOSS_NARROWED, path, line, arena_printf(l->arena, "only what is %s %s", into->type == TYPE_INTEGER
                                                       ? "an" : "a", type_names[into->type]));
    if (into->pattern && from->type != TYPE_TEXT && from->type == into->type && !pattern_is_exact(into->pattern,
            into->type))
        add(l, LOSS_NARROWED, path, line, arena_printf(l->arena, "the pattern of %.*s leaves parts out",
                                                       SLICE_ARG(into->name)));
}

static void list_charset(struct lister *l)
{
    const struct format *from = format_read(l), *into = l->d == MAPPING_FORWARD ? l->mapping->right : l->mapping->left;
    if (!charset_holds(into->charset, from->charset))
        add(l, LOSS_NARROWED, SLICE("/"), 0, arena_printf(l->arena, "%s has not all characters of %s",
                                                          charset_name(into->charset), charset_name(from->charset)));
}

/* ---- invented, first of several --------------------------------------------------------------------------------- */

static bool reads_message(const struct expr *e)
{
    bool any = e->kind == EXPR_PATH && (e->root == ROOT_HERE || e->root == ROOT_FILE || e->root == ROOT_OLD ||
                                        e->root == ROOT_LET || e->root == ROOT_TABLE);
    for (size_t i = 0; i < e->nargs; i++)
        any = any || reads_message(e->args[i]);
    return any;
}

static void note_first(void *owner, struct expr *e)
{
    struct lister *l = owner;
    if (e->kind == EXPR_BINARY && e->op == BIN_ALT)
        add(l, LOSS_FIRST, source(l, e), line_of(l->item), SLICE("the first that has a value; which one is not kept"));
    for (size_t i = 0; i < e->nsteps; i++)
        for (const struct pred *pr = e->steps[i].preds; pr; pr = pr->next)
            if (pr->kind == PRED_POSITION)
                add(l, LOSS_FIRST, source(l, e), line_of(l->item), arena_printf(l->arena, "number %u of several",
                                                                                pr->position));
}

/* A lens takes its default where no original is. */
static void list_lens(struct lister *l, const struct item *it, const struct expr *into)
{
    if (into->kind == EXPR_CALL && (into->func->invert == INVERT_LENS || into->func->invert == INVERT_PART))
        add(l, LOSS_INVENTED, source(l, into), line_of(it), arena_printf(l->arena,
                                                                         "without an original %s() "
                                                                         "cannot tell what stood there",
                                                                         into->func->name));
}

static void list_row(struct lister *l, const struct item *it)
{
    struct expr *from = it->e[side_read(l->d)], *into = it->e[side_written(l->d)];
    note_all(l, from);
    expr_each(from, note_first, l);
    if (!reads_message(from))
        add(l, LOSS_INVENTED, source(l, into), line_of(it), arena_printf(l->arena, "%.*s", SLICE_ARG(source(l, from))));
    if (from->kind == EXPR_PATH && from->field && from->root == ROOT_HERE && into->kind == EXPR_PATH && into->field)
        list_narrowed(l, it, from->field, into->field);
    list_lens(l, it, into);
}

/* What a result fills is no loss, and the lets that it gives back are used. */
static void list_back(struct lister *l, const struct item *it)
{
    note_all(l, it->e[side_read(l->d)]);
    expr_each(it->e[side_written(l->d)], note_let, l);
}

static void list_items(struct lister *l)
{
    for (const struct scope *s = l->mapping->program->scopes; s; s = s->next)
        for (const struct item *it = s->items; it; it = it->next) {
            l->item = it;
            if (gives_back(l->mapping, it))
                list_back(l, it);
            if (it->kind == ITEM_RULE && arrow_goes(it->arrow, l->d)) {
                l->noting = l->decides;
                note_all(l, it->e[0]);
                l->noting = l->read;
            }
            if (it->kind == ITEM_REQUIRE || it->kind == ITEM_RULE || !arrow_goes(it->arrow, l->d))
                continue;
            if (it->kind == ITEM_ROW) {
                list_row(l, it);
            } else {
                note_all(l, it->e[side_read(l->d)]);
                list_selected(l, it);
            }
        }
}

struct loss *mapping_losses(struct arena *a, const struct mapping *m)
{
    struct lister l = { .arena = a, .mapping = m };
    l.tail = &l.first;
    for (int d = 0; d < 2; d++) {
        l.d = (enum mapping_direction)d;
        if (!arrow_goes(m->arrow, l.d))
            continue;
        const struct format *f = format_read(&l);
        l.read = l.noting = arena_zero(a, (f->ngroups + 1) * sizeof *l.read);
        l.decides = arena_zero(a, (f->ngroups + 1) * sizeof *l.decides);
        l.entered = arena_zero(a, f->ngroups + 1);
        for (size_t i = 0; i < f->ngroups; i++) {
            l.read[i] = arena_zero(a, f->all_groups[i]->nfields + 1);
            l.decides[i] = arena_zero(a, f->all_groups[i]->nfields + 1);
        }
        list_items(&l);
        list_dropped(&l);
        list_charset(&l);
    }
    return l.first;
}
