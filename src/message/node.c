#include "message/node.h"

static size_t size_of(const struct group *g)
{
    return sizeof(struct node) + g->nfields * sizeof(struct value) + g->ngroups * sizeof(struct node_list);
}

struct node_blank node_blank(struct arena *a, const struct group *g)
{
    return (struct node_blank){ node_new(a, g, NULL), size_of(g) };
}

struct node *node_new(struct arena *a, const struct group *g, struct node *parent)
{
    struct node *n = arena_zero(a, size_of(g));
    n->group = g;
    n->parent = parent;
    n->at = n->end = n->inner = n->tail = VALUE_NO_PLACE;
    for (size_t i = 0; i < g->nfields; i++)
        n->values[i].at = VALUE_NO_PLACE;
    return n;
}

void node_append(struct node *parent, struct node *child)
{
    struct node_list *list = node_list(parent, child->group);
    child->parent = parent;
    child->next = NULL;
    child->position = ++list->n;
    if (list->last)
        list->last->next = child;
    else
        list->first = child;
    list->last = child;
}

void node_insert(struct node *parent, struct node *child, struct node *after)
{
    struct node_list *list = node_list(parent, child->group);
    if (!after || after == list->last) {
        node_append(parent, child);
        return;
    }
    child->parent = parent;
    child->next = after->next;
    after->next = child;
    list->n++;
    for (struct node *n = after; n->next; n = n->next)
        n->next->position = n->position + 1;
}

struct node *node_add(struct arena *a, struct node *parent, const struct group *g)
{
    struct node *n = node_new(a, g, parent);
    node_append(parent, n);
    return n;
}

struct node *node_copy(struct arena *a, const struct node *n, struct node *parent)
{
    struct node *copy = node_new(a, n->group, parent);
    copy->at = n->at;
    copy->end = n->end;
    copy->inner = n->inner;
    copy->tail = n->tail;
    copy->position = n->position;
    for (size_t i = 0; i < n->group->nfields; i++) {
        copy->values[i] = n->values[i];
        if (n->values[i].p)
            copy->values[i].p = arena_copy(a, (struct slice){ n->values[i].p, n->values[i].n }).p;
    }
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (const struct node *child = node_lists(n)[i].first; child; child = child->next)
            node_append(copy, node_copy(a, child, copy));
    return copy;
}

bool node_is_void(const struct node *n)
{
    for (size_t i = 0; i < n->group->nfields; i++)
        if (n->values[i].state != VALUE_ABSENT)
            return false;
    for (size_t i = 0; i < n->group->ngroups; i++)
        for (const struct node *child = node_lists(n)[i].first; child; child = child->next)
            if (!node_is_void(child))
                return false;
    return true;
}

/* Messages and the file itself are where paths begin. */
static bool is_root(const struct node *n)
{
    return n->group->is_message || !n->group->parent || !n->parent;
}

static void add_path(struct buf *out, const struct node *n)
{
    if (is_root(n))
        return;
    add_path(out, n->parent);
    if (!is_root(n->parent))
        buf_byte(out, '/');
    buf_add(out, n->group->name);
    if (n->group->max_occurs > 1)
        buf_printf(out, "[%u]", n->position);
}

struct slice node_path(struct arena *a, const struct node *n, const struct field *f)
{
    struct buf b = { 0 };
    const struct node *root = n;
    while (!is_root(root))
        root = root->parent;
    if (!root->group->parent && (f || root != n))
        buf_byte(&b, '/');
    add_path(&b, n);
    if (f && !n->group->single_value) {
        if (!is_root(n))
            buf_byte(&b, '/');
        buf_add(&b, f->name);
    }
    struct slice path = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return path;
}

static void indent(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_text(out, "  ");
}

static void dump_value(struct buf *out, struct slice name, const struct value *v, unsigned depth)
{
    if (v->state == VALUE_ABSENT)
        return;
    indent(out, depth);
    buf_add(out, name);
    buf_text(out, v->form & VALUE_LAX ? " = unfit " : " = ");
    if (v->state == VALUE_PRESENT || v->form & VALUE_LAX)
        buf_add_json(out, (struct slice){ v->p, v->n });
    buf_byte(out, '\n');
}

static void dump_members(struct buf *out, const struct node *n, unsigned depth);

static void dump_node(struct buf *out, const struct node *n, unsigned depth)
{
    if (n->group->single_value) {
        dump_value(out, n->group->name, &n->values[0], depth);
        return;
    }
    indent(out, depth);
    buf_add(out, n->group->name);
    buf_text(out, " {\n");
    dump_members(out, n, depth + 1);
    indent(out, depth);
    buf_text(out, "}\n");
}

static void dump_members(struct buf *out, const struct node *n, unsigned depth)
{
    for (size_t i = 0; i < n->group->nmembers; i++) {
        const struct member *m = &n->group->members[i];
        if (m->field)
            dump_value(out, m->field->name, node_value(n, m->field), depth);
        else
            for (const struct node *child = node_list(n, m->group)->first; child; child = child->next)
                dump_node(out, child, depth);
    }
}

void node_dump(struct buf *out, const struct node *n)
{
    if (n->group->parent)
        dump_node(out, n, 0);
    else
        dump_members(out, n, 0);
}
