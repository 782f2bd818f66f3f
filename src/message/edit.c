#include "message/edit.h"

void edits_init(struct edits *e, struct arena *a)
{
    *e = (struct edits){ .arena = a };
}

static struct edit *add(struct edits *e, enum edit_kind kind, struct node *n)
{
    struct edit *new = arena_zero(e->arena, sizeof *new);
    new->kind = kind;
    new->node = n;
    if (e->last)
        e->last->next = new;
    else
        e->first = new;
    e->last = new;
    e->n++;
    return new;
}

void edit_set(struct edits *e, struct node *n, const struct field *f, const struct value *v)
{
    struct edit *new = add(e, EDIT_SET, n);
    new->field = f;
    new->value = *v;
}

void edit_insert(struct edits *e, struct node *n, struct node *parent, struct node *after)
{
    struct edit *new = add(e, EDIT_INSERT, n);
    new->parent = parent;
    new->after = after;
}

void edit_delete(struct edits *e, struct node *n)
{
    add(e, EDIT_DELETE, n);
}
