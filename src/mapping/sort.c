/* sort - `sort` inside a group row and of the whole file; stable. */
#include "run.h"

#include <stdlib.h>

struct order {
    const struct sort_key *keys;
    size_t n;
};

static int compare(const void *a, const void *b, void *owner)
{
    const struct buffered *x = a, *y = b;
    const struct order *o = owner;
    for (size_t i = 0; i < o->n; i++) {
        bool none_x = val_is_nothing(&x->keys[i]), none_y = val_is_nothing(&y->keys[i]), comparable;
        int c = none_x || none_y ? none_y - none_x : val_compare(&x->keys[i], &y->keys[i], &comparable);
        if (c)
            return o->keys[i].descending ? -c : c;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

void sort_buffered(struct buffered *list, size_t n, const struct sort_key *keys, size_t nkeys)
{
    struct order order = { keys, nkeys };
    if (n > 1 && nkeys)
        qsort_r(list, n, sizeof *list, compare, &order);
}

static struct val *keys_of(struct run *r, const struct scope *s, const struct node *here, struct arena *a)
{
    struct val *keys = arena_alloc(a, s->nsorts * sizeof *keys);
    struct arena *before = r->a;
    r->a = a;
    for (size_t i = 0; i < s->nsorts; i++) {
        eval(r, s->sorts[i].e, here, &keys[i]);
        if (keys[i].kind == VAL_DATA && a != before)
            keys[i].p = arena_copy(a, val_slice(&keys[i])).p;
    }
    r->a = before;
    return keys;
}

void sort_list(struct run *r, const struct scope *s, struct node_list *list)
{
    size_t n = 0;
    if (list->n < 2)
        return;
    struct buffered *all = arena_alloc(r->a, list->n * sizeof *all);
    for (struct node *c = list->first; c; c = c->next, n++)
        all[n] = (struct buffered){ c, keys_of(r, s, c, r->a), n };
    sort_buffered(all, n, s->sorts, s->nsorts);
    for (size_t i = 0; i < n; i++) {
        all[i].target->next = i + 1 < n ? all[i + 1].target : NULL;
        r->changed |= all[i].index != i;
        all[i].target->position = (uint32_t)i + 1;
    }
    list->first = all[0].target;
    list->last = all[n - 1].target;
}

/* The whole file: results outlive their messages until the end. */
void keep_sorted(struct run *r, struct node *target)
{
    const struct scope *file = r->program->file;
    struct buffered b = { .target = node_copy(r->arena, target, r->file), .keys = keys_of(r, file, r->message,
            r->arena), .index = r->nkept };
    ARENA_PUSH(r->arena, r->kept, r->nkept, r->cap_kept) = b;
}

int give_sorted(struct run *r, mapping_give *give, void *owner)
{
    sort_buffered(r->kept, r->nkept, r->program->file->sorts, r->program->file->nsorts);
    for (size_t i = 0; i < r->nkept; i++) {
        int rc = give(owner, &r->kept[i].target, 1, r->ps);
        if (rc >= SKIP)
            return rc;
    }
    r->nkept = 0;
    return OK;
}
