#include "message/edit.h"

#include "base/map.h"

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

/* ---- applying ---------------------------------------------------------------------------------------------------- */

#define MARK_GONE 0x474f4e45u       /* node->mark: deleted, still in its list */

struct applying {
    struct arena *arena;
    struct map copies;              /* node of the edits → its copy in the tree */
    bool copied;                    /* there are some */
    bool apart;                     /* only what has a copy is changed */
};

static struct slice pointer_key(struct node *const *n)
{
    return (struct slice){ (const char *)n, sizeof *n };
}

/* What an edit names may have been inserted by one before it: then its copy is meant. */
static struct node *in_tree(const struct applying *p, struct node *n)
{
    struct node *copy = n && p->copied ? map_get(&p->copies, pointer_key(&n)) : NULL;
    return copy || p->apart ? copy : n;
}

static void set_value(struct arena *a, struct value *to, const struct value *v)
{
    bool text = v->n && (v->state == VALUE_PRESENT || (v->form & VALUE_LAX));
    *to = (struct value){ .state = v->state, .form = v->form & VALUE_LAX, .at = VALUE_NO_PLACE };
    if (text) {
        to->p = arena_copy(a, (struct slice){ v->p, v->n }).p;
        to->n = v->n;
    }
}

/* The mapping's format and that of the tree are two loads of one file: the copy is of the tree's. */
static struct node *copy_below(struct arena *a, const struct node *n, const struct group *g, struct node *parent)
{
    struct node *copy = node_new(a, g, parent);
    for (size_t i = 0; i < g->nfields; i++)
        set_value(a, &copy->values[i], &n->values[i]);
    for (size_t i = 0; i < g->ngroups; i++)
        for (const struct node *child = node_lists(n)[i].first; child; child = child->next)
            node_append(copy, copy_below(a, child, g->groups[i], copy));
    return copy;
}

static void insert_copy(struct applying *p, const struct edit *e)
{
    struct node *parent = in_tree(p, e->parent), *after = in_tree(p, e->after);
    struct node *copy = copy_below(p->arena, e->node, parent->group->groups[e->node->group->index], parent);
    struct node_list *list = node_list(parent, copy->group);
    if (after && after != list->last) {
        copy->next = after->next;
        after->next = copy;
        list->n++;
    } else {
        node_append(parent, copy);
    }
    copy->position = 0;             /* until its list is counted */
    p->copied = true;
    map_put(&p->copies, pointer_key(&e->node), copy);
}

/* Takes the deleted ones out of a list and numbers the others; they are marked, so a list is gone through once. */
static void count_list(struct node_list *list)
{
    struct node *n = list->first;
    *list = (struct node_list){ 0 };
    for (struct node *next; n; n = next) {
        next = n->next;
        n->next = NULL;
        if (n->mark == MARK_GONE) {
            n->mark = 0;
            n->parent = NULL;
            continue;
        }
        n->position = ++list->n;
        if (list->last)
            list->last->next = n;
        else
            list->first = n;
        list->last = n;
    }
}

static void count_again(const struct applying *p, const struct edit *e)
{
    struct node *n = e->kind == EDIT_SET ? NULL : in_tree(p, e->node);
    if (!n || !n->parent)
        return;
    if (e->kind == EDIT_INSERT ? n->position == 0 && n->mark != MARK_GONE : n->mark == MARK_GONE)
        count_list(node_list(n->parent, n->group));
}

static void apply_all(struct applying *p, const struct edit *first)
{
    for (const struct edit *e = first; e; e = e->next) {
        struct node *n = in_tree(p, e->kind == EDIT_INSERT ? e->parent : e->node);
        if (n && e->kind == EDIT_SET)
            set_value(p->arena, node_value(n, e->field), &e->value);
        else if (n && e->kind == EDIT_INSERT)
            insert_copy(p, e);
        else if (n)
            n->mark = MARK_GONE;
    }
    for (const struct edit *e = first; e; e = e->next)
        count_again(p, e);
}

void edits_apply(const struct edits *e, struct arena *a)
{
    struct applying p = { .arena = a };
    map_init(&p.copies, e->arena);
    apply_all(&p, e->first);
}

static struct node *copy_noted(struct applying *p, const struct node *n, struct node *parent)
{
    struct node *copy = node_new(p->arena, n->group, parent);
    const struct node **key = arena_alloc(p->arena, sizeof(struct node *));
    *key = n;
    copy->position = n->position;
    memcpy(copy->values, n->values, n->group->nfields * sizeof *n->values);
    map_put(&p->copies, (struct slice){ (const char *)key, sizeof n }, copy);
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (const struct node *child = node_lists(n)[i].first; child; child = child->next)
            node_append(copy, copy_noted(p, child, copy));
    return copy;
}

struct node *edits_copy(const struct edit *first, const struct node *n, struct arena *a)
{
    struct applying p = { .arena = a, .apart = true, .copied = true };
    map_init(&p.copies, a);
    struct node *copy = copy_noted(&p, n, n->parent);
    apply_all(&p, first);
    return copy;
}
