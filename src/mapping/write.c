/* write - the tree that is made: places found or made on first use, values put there. */
#include "run.h"

#define MARK_NEW 0x4e455721u        /* node->mark of what update mode made */

/* ---- constructing predicates ------------------------------------------------------------------------------------ */

static struct node *child_get(struct run *r, struct node *n, const struct group *g)
{
    struct node_list *list = node_list(n, g);
    return list->first ? list->first : node_add(r->a, n, g);
}

/* The node that holds a field some groups below, made when it is not there. */
static struct node *holder_get(struct run *r, struct node *n, const struct group *g)
{
    return g == n->group || !g->parent ? n : child_get(r, holder_get(r, n, g->parent), g);
}

static void put_text(struct run *r, struct node *n, const struct field *f, const struct expr *constant)
{
    struct val v;
    struct value out;
    eval(r, constant, NULL, &v);
    if (val_convert(r, &v, f, constant, &out))
        *node_value(n, f) = out;
}

static void construct_condition(struct run *r, const struct expr *e, struct node *n)
{
    if (e->kind != EXPR_BINARY)
        return;
    if (e->op == BIN_AND) {
        construct_condition(r, e->args[0], n);
        construct_condition(r, e->args[1], n);
    } else if (e->op == BIN_EQ && e->args[0]->field) {
        put_text(r, holder_get(r, n, e->args[0]->field->group), e->args[0]->field, e->args[1]);
    }
}

void construct(struct run *r, const struct pred *pr, struct node *n)
{
    for (; pr; pr = pr->next) {
        if (pr->kind == PRED_CONDITION)
            construct_condition(r, pr->args[0], n);
        for (size_t i = 0; pr->kind == PRED_KEY && i < pr->n && i < n->group->nkeys; i++) {
            const struct field *f = n->group->keys[i].field;
            put_text(r, holder_get(r, n, f->group), f, pr->args[i]);
        }
    }
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

static bool constants_hold(struct run *r, const struct expr *e, const struct node *n)
{
    if (e->kind != EXPR_BINARY)
        return true;
    if (e->op == BIN_AND)
        return constants_hold(r, e->args[0], n) && constants_hold(r, e->args[1], n);
    return eval_true(r, e, n);
}

static bool matches(struct run *r, const struct pred *pr, const struct node *n, uint32_t position)
{
    for (; pr; pr = pr->next) {
        bool holds = pr->kind == PRED_KEY ? key_holds(n, pr) : pr->kind == PRED_POSITION ? position == pr->position
                   : constants_hold(r, pr->args[0], n);
        if (!holds)
            return false;
    }
    return true;
}

static struct node *find_child(struct run *r, struct node *parent, const struct dest *d)
{
    uint32_t position = 0;
    for (struct node *c = node_list(parent, d->group)->first; c; c = c->next)
        if (matches(r, d->pred, c, ++position))
            return c;
    for (size_t i = 0; i < r->nmade; i++)
        if (r->made[i]->parent == parent && r->made[i]->group == d->group && matches(r, d->pred, r->made[i],
                ++position))
            return r->made[i];
    return NULL;
}

struct node *dest_find(struct run *r, const struct dest *d)
{
    struct node *n = r->regs[d->reg];
    if (n || !d->up)
        return n;
    struct node *parent = dest_find(r, d->up);
    return parent ? find_child(r, parent, d) : NULL;
}

/* In update mode the original is not touched: what is new is put beside it, as an edit. */
static struct node *add_child(struct run *r, struct node *parent, const struct group *g)
{
    if (!r->edits || parent->mark == MARK_NEW) {
        struct node *n = node_add(r->a, parent, g);
        n->mark = r->edits ? MARK_NEW : 0;
        return n;
    }
    return update_insert(r, parent, g, NULL);
}

struct node *update_insert(struct run *r, struct node *parent, const struct group *g, struct node *after)
{
    struct node *n = node_new(r->a, g, parent);
    n->mark = MARK_NEW;
    r->changed = true;
    if (r->direct) {
        node_insert(parent, n, after);
        return n;
    }
    edit_insert(r->edits, n, parent, after);
    ARENA_PUSH(r->a, r->made, r->nmade, r->cap_made) = n;
    return n;
}

bool node_is_new(const struct node *n)
{
    return n->mark == MARK_NEW;
}

void node_mark_new(struct node *n)
{
    n->mark = MARK_NEW;
}

struct node *dest_node(struct run *r, const struct dest *d)
{
    struct node *n = r->regs[d->reg];
    if (n || !d->up)
        return n;
    struct node *parent = dest_node(r, d->up);
    if (!parent)
        return NULL;
    n = find_child(r, parent, d);
    uint32_t have = node_list(parent, d->group)->n;
    while (!n) {
        struct node *made = add_child(r, parent, d->group);
        have++;
        if (d->pred && d->pred->kind == PRED_POSITION && have < d->pred->position)
            continue;
        construct(r, d->pred, made);
        n = made;
    }
    r->regs[d->reg] = n;
    return n;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static bool same_value(const struct field *f, const struct value *a, const struct value *b)
{
    if (a->state == VALUE_PRESENT && b->state == VALUE_PRESENT && a->n == b->n && memcmp(a->p, b->p, a->n) == 0)
        return true;
    return type_equal(f->type, a, b);
}

static struct created *written_before(struct run *r, const struct node *n, const struct field *f)
{
    for (struct created *c = r->created; c; c = c->next)
        if (c->node == n && c->field == f)
            return c;
    return NULL;
}

/* Several <=> rows write this field: they must agree, the later wins. */
static bool agree(struct run *r, const struct op *op, struct node *n, const struct field *f, const struct value *v)
{
    struct created *c = written_before(r, n, f);
    if (!c) {
        c = arena_zero(r->a, sizeof *c);
        *c = (struct created){ .node = n, .field = f, .value = *v, .item = op->item, .next = r->created };
        r->created = c;
        return true;
    }
    if (same_value(f, &c->value, v))
        return false;
    finding_disagree(r, op->item, n, f, &c->value, v);
    bool later = v->state == VALUE_PRESENT || r->edits;
    if (later)
        c->value = *v;
    return later;
}

void write_value(struct run *r, const struct op *op, const struct dest *d, const struct field *f, const struct value *v)
{
    struct node *n = v->state == VALUE_ABSENT && !(v->form & VALUE_LAX) ? dest_find(r, d) : dest_node(r, d);
    if (!n)
        return;
    bool old = r->edits && n->mark != MARK_NEW;
    if (op->shared && (!agree(r, op, n, f, v) || old))
        return;                     /* of an old node: settled at the end of the message */
    if (old) {
        update_set(r, n, f, v);
    } else if (v->state != VALUE_ABSENT || (v->form & VALUE_LAX)) {
        struct value *to = node_value(n, f);
        *to = *v;
        to->at = VALUE_NO_PLACE;
    }
}
