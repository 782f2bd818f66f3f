/* sensitive - values that nobody may see, and what a mapping makes of them. */
#include "program.h"

static bool is_sensitive(const struct mapping *m, const struct expr *e)
{
    if (e->field && e->field->flags & FIELD_SENSITIVE)
        return true;
    return e->kind == EXPR_PATH && e->root == ROOT_PARAM && m->params[e->param].field->flags & FIELD_SENSITIVE;
}

static const struct let *let_of(const struct expr *e)
{
    return e->kind == EXPR_PATH ? e->let : NULL;
}

bool expr_sensitive(const struct mapping *m, const struct expr *e)
{
    const struct let *let = let_of(e);
    if (is_sensitive(m, e) || (let && let->sensitive))
        return true;
    for (size_t i = 0; i < e->nargs; i++)
        if (expr_sensitive(m, e->args[i]))
            return true;
    return false;
}

struct naming {
    const struct mapping *m;
    bool found;
};

static void note_sensitive(void *owner, struct expr *e)
{
    struct naming *n = owner;
    const struct let *let = let_of(e);
    n->found = n->found || is_sensitive(n->m, e) || (let && let->names_sensitive);
}

bool expr_names_sensitive(const struct mapping *m, const struct expr *e)
{
    struct naming n = { m, false };
    expr_each((struct expr *)(uintptr_t)e, note_sensitive, &n);
    return n.found;
}

/* One may name another twice, and that one another: each is looked at once, those that stand ahead of it first. */
static void judge_lets(struct mapping *m)
{
    for (size_t i = 0; i < m->program->nlets; i++) {
        struct let *let = m->program->lets[i];
        let->sensitive = let->value && expr_sensitive(m, let->value);
        let->names_sensitive = let->value && expr_names_sensitive(m, let->value);
    }
}

static void hide_name(struct arena *a, struct hidden *h, size_t *cap, struct slice name)
{
    for (size_t i = 0; i < h->n; i++)
        if (slice_equal(h->names[i], name))
            return;
    ARENA_PUSH(a, h->names, h->n, *cap) = name;
}

static void hide_ops(struct arena *a, struct mapping *m, const struct op *ops, size_t n, size_t *cap)
{
    for (size_t i = 0; i < n; i++)
        if (ops[i].field && ops[i].from && expr_sensitive(m, ops[i].from))
            hide_name(a, &m->hidden, cap, ops[i].field->name);
}

void mapping_hide(struct arena *a, struct mapping *m)
{
    size_t cap = 0;
    m->hidden = (struct hidden){ .made = true };
    judge_lets(m);
    for (const struct scope *s = m->program->scopes; s; s = s->next) {
        for (int d = 0; d < 2; d++)
            hide_ops(a, m, s->ops[d], s->nops[d], &cap);
        hide_ops(a, m, s->back, s->nback, &cap);
    }
}
