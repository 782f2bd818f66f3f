/* eval - the value of an expression for the instance at hand: a walk over the resolved tree. */
#include "run.h"

#include "func.h"

#define PREDS_MAX 8
#define TEMPLATE_MOST 65536         /* bytes of a text for people; the last part may go beyond */

/* Only the first fault of a row counts.  Under a guard (a condition, `|`, exists) what cannot be had is nothing;
   a result that is too large is a fault everywhere. */
void run_fault_set(struct run *r, const struct expr *at, const char *code, struct slice field, struct slice value,
                   const char *format, ...)
{
    if (r->fault.code || (r->guard && strcmp(code, "NUM_RANGE") != 0 && strcmp(code, "LIMIT_TEXT") != 0))
        return;
    va_list ap;
    va_start(ap, format);
    if (value.n && at && expr_names_sensitive(r->mapping, at))
        value = SLICE(PROBLEM_MASK);
    r->fault = (struct run_fault){ .code = code, .at = at, .field = field, .value = arena_copy(r->a, value),
                                   .text = arena_vprintf(r->a, format, ap) };
    va_end(ap);
}

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static const struct node *key_holder(const struct node *n, const struct group *g)
{
    if (g == n->group || !g->parent)
        return n;
    const struct node *up = key_holder(n, g->parent);
    return up ? node_list(up, g)->first : NULL;
}

bool key_holds(const struct node *n, const struct pred *pr)
{
    for (size_t i = 0; i < pr->n && i < n->group->nkeys; i++) {
        const struct keypart *k = &n->group->keys[i];
        const struct node *holder = key_holder(n, k->field->group);
        if (!holder || !slice_equal(value_text(node_value(holder, k->field)), pr->args[i]->text))
            return false;
    }
    return true;
}

static bool number_is(struct run *r, const struct expr *e, const struct node *n, uint32_t position)
{
    struct val v;
    struct num number;
    int64_t i;
    eval(r, e, n, &v);
    return v.kind == VAL_DATA && num_parse(val_slice(&v), &number) && num_to_int(number, &i) && i == (int64_t)position;
}

bool pred_holds(struct run *r, const struct pred *pr, const struct node *n, uint32_t position, uint32_t last)
{
    if (pr->kind == PRED_KEY)
        return key_holds(n, pr);
    if (pr->kind == PRED_POSITION)
        return position == pr->position;
    uint32_t before_position = r->position, before_last = r->last;
    const struct expr *missed = r->missed;
    r->position = position;
    r->last = last;
    r->guard++;
    bool holds = pr->kind == PRED_NUMBER ? number_is(r, pr->args[0], n, position) : eval_true(r, pr->args[0], n);
    r->guard--;
    r->missed = missed;
    r->position = before_position;
    r->last = before_last;
    return holds;
}

/* How many of a list pass the predicates before `until`: for last() in a later one. */
static uint32_t count_passing(struct run *r, const struct node_list *list, const struct pred *first,
                              const struct pred *until)
{
    uint32_t position[PREDS_MAX] = { 0 }, n = 0;
    for (const struct node *c = list->first; c; c = c->next) {
        const struct pred *pr = first;
        for (size_t k = 0; pr != until && k < PREDS_MAX; pr = pr->next, k++)
            if (!pred_holds(r, pr, c, ++position[k], 0))
                break;
        n += pr == until;
    }
    return n;
}

static bool walk_children(struct run *r, const struct expr *e, size_t at, const struct node *n, path_visit *visit,
                          void *owner)
{
    const struct pstep *s = &e->steps[at];
    const struct node_list *list = node_list(n, s->group);
    uint32_t position[PREDS_MAX] = { 0 };
    for (const struct node *c = list->first, *next; c; c = next) {
        const struct pred *pr = s->preds;
        next = c->next;
        for (size_t k = 0; pr && k < PREDS_MAX; pr = pr->next, k++) {
            uint32_t last = !pr->uses_last ? 0 : k == 0 ? list->n : count_passing(r, list, s->preds, pr);
            if (!pred_holds(r, pr, c, ++position[k], last))
                break;
        }
        if (!pr && !path_walk(r, e, at + 1, c, visit, owner))
            return false;
    }
    return true;
}

bool path_walk(struct run *r, const struct expr *e, size_t at, const struct node *n, path_visit *visit, void *owner)
{
    for (; at < e->nsteps; at++) {
        const struct pstep *s = &e->steps[at];
        if (!n)
            return true;
        if (s->kind == STEP_CHILD && s->group)
            return walk_children(r, e, at, n, visit, owner);
        if (s->kind == STEP_UP)
            n = n->parent;
        for (const struct pred *pr = s->preds; pr && n; pr = pr->next)
            if (!pred_holds(r, pr, n, 1, 1))
                return true;
    }
    return !n || visit(owner, n, e->field);
}

static const struct node *outcome_of(const struct node *n)
{
    while (n && !n->outcome)
        n = n->parent;
    return n ? n->outcome : NULL;
}

static void eval_let(struct run *r, const struct expr *e, struct val *out);

static const struct node *path_start(struct run *r, const struct expr *e, const struct node *here)
{
    struct val v;
    switch (e->root) {
    case ROOT_HERE:
        return here;
    case ROOT_FILE:
        return r->files[e->side];
    case ROOT_OLD:
        return e->before ? r->frames[e->depth].before : r->frames[e->depth].old;
    case ROOT_OUTCOME:
        return outcome_of(here);
    case ROOT_LET:
        eval_let(r, e, &v);
        return v.kind == VAL_NODE ? v.node : NULL;
    case ROOT_PARAM:
    case ROOT_TABLE:
    case ROOT_STATE:
        break;
    }
    return NULL;
}

bool path_each(struct run *r, const struct expr *e, const struct node *here, path_visit *visit, void *owner)
{
    const struct node *n = path_start(r, e, here);
    return !n || path_walk(r, e, 0, n, visit, owner);
}

struct first {
    const struct node *node;
    const struct field *field;
};

static bool take_first(void *owner, const struct node *n, const struct field *f)
{
    *(struct first *)owner = (struct first){ n, f };
    return false;
}

const struct value *path_value(struct run *r, const struct expr *e, const struct node *here)
{
    struct first first = { 0 };
    if (e->simple && here) {
        for (size_t i = 0; i + 1 < e->nsteps && here; i++)
            here = node_list(here, e->steps[i].group)->first;
        return here ? node_value(here, e->field) : NULL;
    }
    path_each(r, e, here, take_first, &first);
    return first.node && first.field ? node_value(first.node, first.field) : NULL;
}

/* ---- roots outside the tree ------------------------------------------------------------------------------------- */

/* A let is computed once per instance of its scope; a missing table row counts only where its value is needed. */
static void let_fill(struct run *r, const struct let *l, struct let_slot *slot)
{
    struct frame *f = &r->frames[l->scope->depth];
    const struct node *here = f->side[l->side];
    const struct expr *missed = r->missed;
    uint32_t position = r->position, last = r->last;
    struct arena *a = r->a;
    if (l->scope->depth == 0)
        r->a = r->arena;
    r->missed = NULL;
    r->position = f->position;
    r->last = f->last;
    r->guard++;
    eval(r, l->value, here, &slot->value);
    r->guard--;
    slot->id = l->uses_old ? f->old_id : f->id;
    slot->here = here;
    slot->missed = r->missed;
    r->missed = missed;
    r->position = position;
    r->last = last;
    r->a = a;
}

static void eval_let(struct run *r, const struct expr *e, struct val *out)
{
    const struct let *l = e->let;
    struct let_slot *slot = &r->lets[l->index];
    const struct frame *f = &r->frames[l->scope->depth];
    if (slot->id != (l->uses_old ? f->old_id : f->id) || slot->here != f->side[l->side])
        let_fill(r, l, slot);
    if (slot->missed) {
        r->missed = slot->missed;
        if (!r->guard)
            eval(r, l->value, slot->here, out);         /* again, to make the fault */
    }
    *out = slot->value;
}

static void eval_state(struct run *r, const struct node *here, struct val *out)
{
    struct slice s = slice_none();
    if (r->outside && r->outside->state && here)
        s = r->outside->state(r->outside->owner, here);
    *out = val_data(TYPE_TEXT, s);
}

static void eval_path(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct first first = { 0 };
    if (e->simple) {
        const struct value *v = path_value(r, e, here);
        *out = v ? val_of(v, e->field->type) : val_nothing();
        return;
    }
    if (e->root == ROOT_PARAM) {
        *out = val_of(&r->params[e->param], r->mapping->params[e->param].field->type);
    } else if (e->root == ROOT_STATE) {
        eval_state(r, here, out);
    } else if (e->root == ROOT_TABLE || (e->root == ROOT_LET && e->let->value->shape == SHAPE_ROW)) {
        if (e->root == ROOT_TABLE)
            lookup_row(r, e, here, out);
        else
            eval_let(r, e, out);
        if (e->has_column)
            *out = lookup_column(r, out, e->column);
    } else if (e->root == ROOT_LET && e->nsteps == 0) {
        eval_let(r, e, out);
    } else {
        path_each(r, e, here, take_first, &first);
        if (!first.node)
            *out = val_nothing();
        else if (first.field)
            *out = val_of(node_value(first.node, first.field), first.field->type);
        else
            *out = (struct val){ .kind = VAL_NODE, .node = first.node };
    }
}

/* ---- operators -------------------------------------------------------------------------------------------------- */

static bool relation(enum binary op, const struct val *a, const struct val *b)
{
    bool comparable;
    if (op == BIN_EQ)
        return val_equal(a, b);
    if (op == BIN_NE)
        return !val_equal(a, b);
    int c = val_compare(a, b, &comparable);
    if (!comparable)
        return false;
    return op == BIN_LT ? c < 0 : op == BIN_GT ? c > 0 : op == BIN_LE ? c <= 0 : c >= 0;
}

struct comparing {
    struct run *r;
    enum binary op;
    struct val left, right;
    const struct expr *many;        /* the right side, when it may give several */
    const struct node *here;
    bool any, hit;
};

static struct val member(const struct node *n, const struct field *f)
{
    return f ? val_of(node_value(n, f), f->type) : (struct val){ .kind = VAL_NODE, .node = n };
}

static bool compare_right(void *owner, const struct node *n, const struct field *f)
{
    struct comparing *c = owner;
    struct val v = member(n, f);
    c->any = true;
    c->hit = relation(c->op, &c->left, &v);
    return !c->hit;
}

static void compare_one(struct comparing *c)
{
    c->any = false;
    if (c->many)
        path_each(c->r, c->many, c->here, compare_right, c);
    if (!c->any)
        c->hit = relation(c->op, &c->left, &c->right);
}

static bool compare_left(void *owner, const struct node *n, const struct field *f)
{
    struct comparing *c = owner;
    c->left = member(n, f);
    compare_one(c);
    c->any = true;
    return !c->hit;
}

static bool is_list(const struct expr *e)
{
    return e->kind == EXPR_PATH && e->many;
}

static bool eval_compare(struct run *r, const struct expr *e, const struct node *here)
{
    struct comparing c = { .r = r, .op = e->op, .here = here, .left = val_nothing(), .right = val_nothing() };
    const struct expr *a = e->args[0], *b = e->args[1], *missed = r->missed;
    r->guard++;
    if (is_list(b))
        c.many = b;
    else
        eval(r, b, here, &c.right);
    if (is_list(a)) {
        path_each(r, a, here, compare_left, &c);
        if (!c.any) {
            c.left = val_nothing();
            compare_one(&c);
        }
    } else {
        eval(r, a, here, &c.left);
        compare_one(&c);
    }
    r->guard--;
    r->missed = missed;
    return c.hit;
}

static bool eval_num(struct run *r, const struct expr *e, const struct node *here, struct num *out)
{
    struct val v;
    eval(r, e, here, &v);
    if (v.kind != VAL_DATA || v.n == 0)
        return false;
    if (num_parse(val_slice(&v), out))
        return true;
    run_fault_set(r, e, "NUM_BAD", slice_none(), val_slice(&v), "is not a number of at most 38 digits");
    return false;
}

static void eval_arithmetic(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct num a, b, c = { 0 };
    bool ok = eval_num(r, e->args[0], here, &a), both = eval_num(r, e->args[1], here, &b) && ok;
    *out = val_nothing();
    if (!both)
        return;
    switch (e->op) {
    case BIN_ADD:
        ok = num_add(a, b, &c);
        break;
    case BIN_SUB:
        ok = num_sub(a, b, &c);
        break;
    case BIN_MUL:
        ok = num_mul(a, b, &c);
        break;
    case BIN_DIV:
        ok = num_div(a, b, &c);
        break;
    default:
        ok = num_mod(a, b, &c);
        break;
    }
    if (ok)
        *out = val_num(r, c, c.scale == 0 && e->type == TYPE_INTEGER ? TYPE_INTEGER : TYPE_DECIMAL);
    else
        run_fault_set(r, e, "NUM_RANGE", slice_none(), slice_none(),
                      "a result does not fit 38 digits, or divides by zero");
}

static void eval_guarded(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    const struct expr *missed = r->missed;
    r->guard++;
    eval(r, e, here, out);
    r->guard--;
    r->missed = missed;
}

static void eval_binary(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    switch (e->op) {
    case BIN_OR:
        *out = val_bool(eval_true(r, e->args[0], here) || eval_true(r, e->args[1], here));
        break;
    case BIN_AND:
        *out = val_bool(eval_true(r, e->args[0], here) && eval_true(r, e->args[1], here));
        break;
    case BIN_ALT:
        eval_guarded(r, e->args[0], here, out);
        if (val_is_nothing(out))
            eval_guarded(r, e->args[1], here, out);
        break;
    case BIN_ADD:
    case BIN_SUB:
    case BIN_MUL:
    case BIN_DIV:
    case BIN_MOD:
        eval_arithmetic(r, e, here, out);
        break;
    default:
        *out = val_bool(eval_compare(r, e, here));
        break;
    }
}

static void eval_negate(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct num n;
    if (!eval_num(r, e->args[0], here, &n))
        *out = val_nothing();
    else
        *out = val_num(r, num_negate(n), e->type == TYPE_INTEGER ? TYPE_INTEGER : TYPE_DECIMAL);
}

static void eval_total(struct run *r, const struct expr *e, struct val *out)
{
    bool count = strcmp(e->func->name, "count") == 0;
    *out = val_nothing();
    if (count || r->totals_set[e->acc - 1])
        *out = val_num(r, r->totals[e->acc - 1], count ? TYPE_INTEGER : TYPE_DECIMAL);
}

void eval(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    switch (e->kind) {
    case EXPR_TEXT:
    case EXPR_NUMBER:
        *out = val_data((enum type)e->type, e->text);
        break;
    case EXPR_PATH:
        eval_path(r, e, here, out);
        break;
    case EXPR_CALL:
        if (e->acc)
            eval_total(r, e, out);
        else
            e->func->run(r, e, here, out);
        break;
    case EXPR_BINARY:
        eval_binary(r, e, here, out);
        break;
    case EXPR_NEGATE:
        eval_negate(r, e, here, out);
        break;
    }
}

static bool member_true(void *owner, const struct node *n, const struct field *f)
{
    struct val v = member(n, f);
    *(bool *)owner = val_true(&v);
    return !*(bool *)owner;
}

/* As a condition: what cannot be had is false. */
bool eval_true(struct run *r, const struct expr *e, const struct node *here)
{
    struct val v;
    bool any = false;
    const struct expr *missed = r->missed;
    r->guard++;
    if (is_list(e)) {
        path_each(r, e, here, member_true, &any);
    } else {
        eval(r, e, here, &v);
        any = val_true(&v);
    }
    r->guard--;
    r->missed = missed;
    return any;
}

struct slice template_run(struct run *r, const struct template *t, const struct node *here)
{
    struct buf b = { 0 };
    if (t->n == 1 && !t->parts[0].expr)
        return t->parts[0].text;
    for (size_t i = 0; i < t->n && b.n < TEMPLATE_MOST; i++) {
        struct slice part = t->parts[i].text;
        struct val v;
        if (t->parts[i].expr && expr_sensitive(r->mapping, t->parts[i].expr)) {
            part = SLICE(PROBLEM_MASK);
        } else if (t->parts[i].expr) {
            eval_guarded(r, t->parts[i].expr, here, &v);
            part = val_slice(&v);
        }
        buf_add(&b, part);
    }
    struct slice out = b.n ? arena_copy(r->a, buf_slice(&b)) : SLICE("");
    buf_release(&b);
    return out;
}
