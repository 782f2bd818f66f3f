/*
 * back - what a run leaves behind on the side that it reads: results given back, and which instances were taken
 *
 * A row against the arrow of a one-way header (`Invoice <= InvoiceNo` in a `=>` mapping) runs when the rows of its
 * group are done, in the same frame: a let has the value that it had there.  What it writes becomes edits of the
 * source, in a list of its own.
 */
#include "run.h"

#include "base/map.h"

/* ---- results given back ----------------------------------------------------------------------------------------- */

bool mapping_gives_back(const struct mapping *m)
{
    return m->program->gives_back;
}

static void give_back(struct run *r, const struct op *op, struct node *target)
{
    struct val v;
    struct value out;
    const struct value *lax = lax_value(r, op->from, target);
    r->counts[op->item->index]++;
    if (lax) {
        copy_lax(r, op, lax);
        return;
    }
    eval(r, op->from, target, &v);
    if (v.kind == VAL_ROW)
        v = lookup_column(r, &v, (uint32_t)r->mapping->tables[v.table].nkeys);
    if (r->fault.code || !val_convert(r, &v, op->field, op->from, &out))
        finding_fault(r, op->item, r->frames[r->depth].side[side_read(r->direction)]);
    else
        write_value(r, op, op->dest, op->field, &out);
}

void back_scope(struct run *r, const struct scope *s)
{
    const struct frame *f = &r->frames[s->depth];
    struct node *source = f->side[side_read(r->direction)], *target = f->side[side_written(r->direction)];
    struct edits *before = r->edits;
    bool direct = r->direct, changed = r->changed;
    if (r->judge_only || !source || run_dead(r) || !arrow_goes(r->mapping->arrow, r->direction))
        return;
    if (!target)                    /* a group that occurs once: where the rows wrote */
        target = dest_find(r, s->base[r->direction]);
    r->regs[s->back_base->reg] = source;
    r->edits = &r->back;
    r->direct = false;
    for (size_t i = 0; i < s->nback && !run_dead(r); i++)
        give_back(r, &s->back[i], target);
    r->edits = before;
    r->direct = direct;
    r->changed = changed;           /* that of the side written counts */
}

void run_back(struct run *r, struct edits *edits)
{
    for (const struct edit *e = r->back.first; e; e = e->next) {
        if (e->kind == EDIT_SET)
            edit_set(edits, e->node, e->field, &e->value);
        else if (e->kind == EDIT_INSERT)
            edit_insert(edits, e->node, e->parent, e->after);
    }
}

/* ---- instances taken -------------------------------------------------------------------------------------------- */

void run_note_taken(struct run *r)
{
    r->note_taken = true;
}

void taken_note(struct run *r, const struct node *n)
{
    if (r->note_taken && !r->judge_only)
        ARENA_PUSH(r->a, r->taken, r->ntaken, r->cap_taken) = (struct node *)(uintptr_t)n;
}

struct taking {
    struct arena *arena;
    struct map seen;
    struct node **list;
    size_t n, cap;
};

/* Those above first; what is there, has all above it there too. */
static void take(struct taking *t, struct node *n)
{
    struct map_entry *e;
    struct node **key;
    if (map_get(&t->seen, (struct slice){ (const char *)&n, sizeof n }))
        return;
    if (!n->group->is_message && n->parent)
        take(t, n->parent);
    key = arena_alloc(t->arena, sizeof(struct node *));
    *key = n;
    e = map_at(&t->seen, (struct slice){ (const char *)key, sizeof n });
    e->value = n;
    ARENA_PUSH(t->arena, t->list, t->n, t->cap) = n;
}

void run_taken(struct run *r, struct node *const **nodes, size_t *n)
{
    struct taking t = { .arena = r->a };
    map_init(&t.seen, r->a);
    for (size_t i = 0; i < r->ntaken; i++)
        take(&t, r->taken[i]);
    *nodes = t.list;
    *n = t.n;
}
