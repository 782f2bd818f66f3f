/* run - a mapping at work: create mode, message by message. */
#include "run.h"

bool run_dead(const struct run *r)
{
    return r->stop != OK;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* A value that did not fit its type is carried on as it is, where the target bears it. */
void copy_lax(struct run *r, const struct op *op, const struct value *v)
{
    if ((op->field->flags & FIELD_LAX) || op->field->type == TYPE_TEXT) {
        struct value out = *v;
        out.form = op->field->type == TYPE_TEXT ? 0 : VALUE_LAX;
        out.state = op->field->type == TYPE_TEXT ? VALUE_PRESENT : VALUE_EMPTY;
        write_value(r, op, op->dest, op->field, &out);
        return;
    }
    run_fault_set(r, op->from, "VALUE_UNFIT", op->field->name, (struct slice){ v->p, v->n },
                  "does not fit its type, and %.*s needs a value that does",
                  SLICE_ARG(op->field->name));
    finding_fault(r, op->item, r->message);
}

static inline void run_copy(struct run *r, const struct op *op, struct node *n)
{
    for (uint8_t i = 0; i < op->nhops && n; i++)
        n = node_lists(n)[op->hop[i]].first;
    if (!n)
        return;
    const struct value *v = &n->values[op->slot];
    if (v->state != VALUE_PRESENT) {
        if (v->form & VALUE_LAX)
            copy_lax(r, op, v);
        return;
    }
    r->counts[op->item->index]++;
    struct node *to = r->regs[op->reg];
    if (!to)
        to = dest_node(r, op->dest);
    if (op->shared || r->edits) {
        struct value out = { .p = v->p, .n = v->n, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
        write_value(r, op, op->dest, op->field, &out);
        return;
    }
    struct value *out = &to->values[op->to];
    out->p = v->p;
    out->n = v->n;
    out->state = VALUE_PRESENT;
}

/* The rows from `op` on that only carry values over, into a node that is there. */
static inline void run_copies(struct run *r, const struct op *op, const struct node *from, struct node *to)
{
    uint64_t *counts = r->counts;
    for (const struct copy *c = op->copies, *end = c + op->ncopies; c < end; c++) {
        const struct value *v = &from->values[c->from];
        if (v->state != VALUE_PRESENT) {
            if (v->form & VALUE_LAX)
                copy_lax(r, op + (c - op->copies), v);
            continue;
        }
        counts[c->count]++;
        struct value *out = &to->values[c->to];
        out->p = v->p;
        out->n = v->n;
        out->state = VALUE_PRESENT;
    }
}

const struct value *lax_value(struct run *r, const struct expr *e, const struct node *here)
{
    if (e->kind != EXPR_PATH || !e->field || e->root == ROOT_PARAM || e->root == ROOT_TABLE || e->root == ROOT_STATE)
        return NULL;
    const struct value *v = path_value(r, e, here);
    return v && v->state != VALUE_PRESENT && (v->form & VALUE_LAX) ? v : NULL;
}

static void run_expr(struct run *r, const struct op *op, struct node *here)
{
    struct val v;
    struct value out;
    const struct value *lax = lax_value(r, op->from, here);
    if (lax) {
        copy_lax(r, op, lax);
        return;
    }
    eval(r, op->from, here, &v);
    if (v.kind == VAL_ROW)
        v = lookup_column(r, &v, (uint32_t)r->mapping->tables[v.table].nkeys);
    bool safe = op->item->arrow != ARROW_BOTH || invert_safe(r, op->from, here);
    if (r->fault.code || !safe || !val_convert(r, &v, op->field, op->from, &out)) {
        finding_fault(r, op->item, r->frames[r->depth].side[side_read(r->direction)]);
        return;
    }
    if (out.state != VALUE_PRESENT)
        return;
    r->counts[op->item->index]++;
    write_value(r, op, op->dest, op->field, &out);
}

static void run_invert(struct run *r, const struct op *op, struct node *here)
{
    struct val v;
    eval(r, op->from, here, &v);
    if (!r->fault.code && !val_is_nothing(&v)) {
        r->counts[op->item->index]++;
        invert_write(r, op, op->into, &v);
    }
    if (r->fault.code)
        finding_fault(r, op->item, r->frames[r->depth].side[side_read(r->direction)]);
}

/* A constant on the side written: what is read must equal it. */
static void run_const_check(struct run *r, const struct op *op, struct node *here)
{
    struct val v, want;
    eval(r, op->from, here, &v);
    eval(r, op->into, NULL, &want);
    if (!r->fault.code && !val_is_nothing(&v) && !val_equal(&v, &want))
        run_fault_set(r, op->from, "CONST_DIFFERS", slice_none(), val_slice(&v), "is not the constant \"%.*s\"",
                      SLICE_ARG(val_slice(&want)));
    r->counts[op->item->index]++;
    if (r->fault.code)
        finding_fault(r, op->item, here);
}

void run_op_value(struct run *r, const struct op *op, struct node *here)
{
    switch ((enum op_code)op->code) {
    case OP_COPY:
        run_copy(r, op, here);
        break;
    case OP_CONST:
        r->counts[op->item->index]++;
        write_value(r, op, op->dest, op->field, &op->constant);
        break;
    case OP_EXPR:
        run_expr(r, op, here);
        break;
    case OP_INVERT:
        run_invert(r, op, here);
        break;
    case OP_CONST_CHECK:
        run_const_check(r, op, here);
        break;
    case OP_GROUP:
    case OP_JUDGE:
        break;
    }
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

struct loop {
    struct run *r;
    const struct op *op;
    const struct scope *scope;
    struct node *into;              /* where instances go; NULL: the place is shared, or messages are made */
    uint32_t position, last;
    uint32_t passed;                /* instances that no require left out */
};

/* ---- what is left out ------------------------------------------------------------------------------------------- */

bool is_left_out(const struct run *r, const struct scope *s, const struct node *read)
{
    const struct left_out *x = r->left_out;
    while (x && (x->scope != s || x->node != read))
        x = x->next;
    return x != NULL;
}

void leave_out(struct run *r, const struct scope *s, const struct node *read)
{
    struct left_out *x = arena_zero(r->a, sizeof *x);
    *x = (struct left_out){ s, read, r->left_out };
    r->left_out = x;
}

/* The instances that group rows of one scope make of one group: how many were read, how many passed. */
static struct passed passed_into(const struct run *r, const struct scope *s, const struct op *like)
{
    struct passed sum = { 0 };
    for (size_t i = s->nrequires[r->direction]; i < s->nops[r->direction]; i++) {
        const struct op *op = &s->ops[r->direction][i];
        if (op->code != OP_GROUP || op->dest != like->dest ||
            op->item->inner->side[side_written(r->direction)] != like->item->inner->side[side_written(r->direction)])
            continue;
        sum.seen += r->passed[op->item->index].seen;
        sum.passed += r->passed[op->item->index].passed;
    }
    return sum;
}

/* Without the lines that a require skipped there would be no message: then it is skipped with them. */
static bool is_emptied(const struct run *r, const struct scope *s)
{
    for (size_t i = s->nrequires[r->direction]; i < s->nops[r->direction]; i++) {
        const struct op *op = &s->ops[r->direction][i];
        if (op->code != OP_GROUP || !op->loops || op->dest != s->base[r->direction] ||
            op->item->inner->side[side_written(r->direction)]->min_occurs == 0)
            continue;
        struct passed sum = passed_into(r, s, op);
        if (sum.seen > 0 && sum.passed == 0)
            return true;
    }
    return false;
}

/* ---- loops ------------------------------------------------------------------------------------------------------ */

static void loop_enter(struct loop *l, const struct node *read, struct node *made)
{
    struct run *r = l->r;
    const struct scope *s = l->scope;
    struct frame *f = &r->frames[s->depth];
    int from = side_read(r->direction);
    f->side[from] = (struct node *)(uintptr_t)read;
    f->side[1 - from] = made;
    f->old = NULL;
    f->before = NULL;
    f->position = r->position = l->position;
    f->last = r->last = l->last;
    frame_begin(r, f);
}

/* What a bare path of the predicate asks of the instance that was built: InvoiceRow[Type = "Normal" and ProductId]. */
static bool built_holds(struct run *r, const struct op *op, const struct node *made)
{
    if (!op->loops || op->into->nsteps == 0)
        return true;
    for (const struct pred *pr = op->into->steps[op->into->nsteps - 1].preds; pr; pr = pr->next)
        if (pr->kind == PRED_CONDITION && !eval_true(r, pr->args[0], made))
            return false;
    return true;
}

static void clear_regs(struct run *r, const struct scope *s)
{
    enum mapping_direction d = r->direction;
    size_t n = s->reg_end[d] - s->reg_first[d];
    if (n)
        memset(&r->regs[s->reg_first[d]], 0, n * sizeof *r->regs);
}

static struct node *make(struct loop *l)
{
    struct run *r = l->r;
    struct node *made = node_from(r->a, &l->scope->blank[r->direction], r->file);
    if (l->scope->depth > 1)
        node_append(l->into, made);
    if (r->edits)
        node_mark_new(made);
    if (l->op->into->nsteps && l->op->into->steps[l->op->into->nsteps - 1].preds)
        construct(r, l->op->into->steps[l->op->into->nsteps - 1].preds, made);
    return made;
}

static void keep_result(struct run *r, struct node *made)
{
    ARENA_PUSH(r->a, r->results, r->nresults, r->cap_results) = made;
}

/* Groups within groups may make far more of a message than it was. */
bool message_full(struct run *r, const struct node *n)
{
    if (!arena_full(r->a))
        return false;
    if (!r->outcome->last || !slice_is(r->outcome->last->code, "LIMIT_MESSAGE"))
        finding_engine(r, OUTCOME_REJECT, "LIMIT_MESSAGE", n,
                       SLICE("what the mapping makes of this message is more than one message may hold"));
    return true;
}

/* One instance that is read: judged, then its rows. */
static bool loop_one(void *owner, const struct node *n, const struct field *field)
{
    struct loop *l = owner;
    struct run *r = l->r;
    const struct scope *s = l->scope;
    (void)field;
    if (message_full(r, n))
        return false;
    l->position++;
    loop_enter(l, n, NULL);
    clear_regs(r, s);
    if (s->nrequires[r->direction] && judge_scope(r, s, r->direction) >= OUTCOME_SKIP)
        return !run_dead(r);
    l->passed++;
    if (r->rows_only && is_left_out(r, s, n))
        return true;
    size_t taken = r->ntaken;
    taken_note(r, n);
    if (!l->op->loops) {
        run_scope(r, s);
        return !run_dead(r);
    }
    struct node *made = make(l);
    r->frames[s->depth].side[side_written(r->direction)] = made;
    r->regs[s->base[r->direction]->reg] = made;
    run_scope(r, s);
    if (r->emptied) {
        r->emptied = false;
        r->ntaken = taken;
        leave_out(r, s, n);
        return !run_dead(r);
    }
    if (!r->judge_only && !built_holds(r, l->op, made))
        finding_engine(r, OUTCOME_REJECT, "MAP_UNBUILT", n, arena_printf(r->a,
                                                                         "the %.*s made of it lacks what %.*s asks",
                       SLICE_ARG(made->group->name),
                       SLICE_ARG(l->op->into->steps[l->op->into->nsteps - 1].preds->source)));
    if (s->depth == 1)
        keep_result(r, made);
    return !run_dead(r);
}

static bool count_node(void *owner, const struct node *n, const struct field *f)
{
    (void)n, (void)f;
    ++*(uint32_t *)owner;
    return true;
}

static void run_group(struct run *r, const struct op *op, struct node *here)
{
    struct loop l = { .r = r, .op = op, .scope = op->item->inner };
    uint32_t position = r->position, last = r->last, depth = r->depth;
    r->counts[op->item->index]++;
    if (op->loops && !r->judge_only && op->dest && path_any(r, op->from, here))
        l.into = dest_node(r, op->dest);
    if (r->judge_only)
        l.into = op->loops ? node_new(r->a, op->dest->group, NULL) : NULL;
    if (op->item->inner->uses_last)
        path_each(r, op->from, here, count_node, &l.last);
    r->depth = l.scope->depth;
    path_each(r, op->from, here, loop_one, &l);
    r->passed[op->item->index] = (struct passed){ l.position, l.passed };
    r->depth = depth;
    r->position = position;
    r->last = last;
    if (l.scope->nsorts && l.into && r->direction == MAPPING_FORWARD && !r->judge_only)
        sort_list(r, l.scope, node_list(l.into, l.scope->side[side_written(r->direction)]));
}

static bool seen_one(void *owner, const struct node *n, const struct field *f)
{
    (void)n, (void)f;
    *(bool *)owner = true;
    return false;
}

bool path_any(struct run *r, const struct expr *e, const struct node *here)
{
    bool any = false;
    path_each(r, e, here, seen_one, &any);
    return any;
}

void run_scope(struct run *r, const struct scope *s)
{
    enum mapping_direction d = r->direction;
    struct node *here = r->frames[s->depth].side[side_read(d)];
    const struct op *op = s->ops[d] + s->nrequires[d], *end = s->ops[d] + s->nops[d];
    struct node *into = here && s->base[d] && !r->judge_only && !r->edits ? r->regs[s->base[d]->reg] : NULL;
    for (; op < end; op++) {
        if (op->copies && into) {
            run_copies(r, op, here, into);
            op += op->ncopies - 1;
        } else if (op->code == OP_COPY && !r->judge_only) {
            run_copy(r, op, here);
        } else if (op->code == OP_GROUP) {
            run_group(r, op, here);
        } else if (!r->judge_only) {
            run_op_value(r, op, here);
        }
        if (run_dead(r))
            return;
    }
    if (s->depth == 1 && is_emptied(r, s)) {
        r->emptied = true;
        r->outcome->kind = r->outcome->kind < OUTCOME_SKIP ? OUTCOME_SKIP : r->outcome->kind;
    } else if (s->nback) {
        back_scope(r, s);
    }
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

void run_begin(struct run *r, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
               struct problems *ps)
{
    *outcome = (struct outcome){ .kind = OUTCOME_NONE };
    r->a = a;
    r->ps = ps;
    r->number = number;
    r->outcome = outcome;
    r->message = source;
    r->fault = (struct run_fault){ 0 };
    r->created = NULL;
    r->results = NULL;
    r->nresults = r->cap_results = 0;
    r->made = NULL;
    r->nmade = r->cap_made = 0;
    r->attached = NULL;
    r->left_out = NULL;
    r->emptied = false;
    r->taken = NULL;
    r->ntaken = r->cap_taken = 0;
    edits_init(&r->back, a);
    r->guard = 0;
    totals_mark(r);
    if (source && source->parent)
        r->files[side_read(r->direction)] = source->parent;
}

static bool pair_runs(const struct run *r, const struct op *op)
{
    return r->pairs == PAIRS_ALL || (r->pairs == PAIRS_LOG) == (op->from->root == ROOT_OUTCOME);
}

/* The pairs of messages that read this one. */
static void run_pairs(struct run *r, struct node *source)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    for (size_t i = file->nrequires[d]; i < file->nops[d] && !run_dead(r); i++) {
        const struct op *op = &file->ops[d][i];
        if (op->code != OP_GROUP || op->item->inner->total || !pair_runs(r, op))
            continue;
        struct loop l = { .r = r, .op = op, .scope = op->item->inner };
        r->depth = 1;
        if (op->from->root == ROOT_OUTCOME)
            path_each(r, op->from, source, loop_one, &l);
        else if (op->from->nsteps && same_group(op->from->steps[0].group, source->group) &&
                 step_takes(r, &op->from->steps[0], source))
            path_walk(r, op->from, 1, source, loop_one, &l);
        else
            continue;
        r->counts[op->item->index]++;
        r->depth = 0;
    }
}

/* The same file loaded twice gives two groups of one layout. */
bool same_group(const struct group *a, const struct group *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->id != b->id || !slice_equal(a->name, b->name) || a->nfields != b->nfields ||
        a->ngroups != b->ngroups)
        return false;
    for (size_t i = 0; i < a->nfields; i++)
        if (!slice_equal(a->fields[i]->name, b->fields[i]->name) || a->fields[i]->type != b->fields[i]->type)
            return false;
    return true;
}

bool step_takes(struct run *r, const struct pstep *s, const struct node *n)
{
    for (const struct pred *pr = s->preds; pr; pr = pr->next)
        if (!pred_holds(r, pr, n, (uint32_t)r->number, 0))
            return false;
    return true;
}

static int give_results(struct run *r, mapping_give *give, void *owner)
{
    bool later = r->program->buffers && r->direction == MAPPING_FORWARD;
    if (!later)
        return r->nresults ? give(owner, r->results, r->nresults, r->ps) : OK;
    int rc = r->accept && r->nresults ? r->accept(r->accept_owner, r->results, r->nresults, r->ps) : OK;
    for (size_t i = 0; i < r->nresults && rc < SKIP; i++)
        keep_sorted(r, r->results[i]);
    return rc;
}

void run_accept(struct run *r, mapping_give *accept, void *owner)
{
    r->accept = accept;
    r->accept_owner = owner;
}

static int run_pairs_twice(struct run *r, struct node *source)
{
    r->judge_only = true;
    run_pairs(r, source);
    r->judge_only = false;
    if (run_dead(r))
        return r->stop;
    if (r->outcome->kind >= OUTCOME_WAIT)
        return SKIP;
    r->nresults = 0;
    r->created = NULL;
    r->rows_only = true;
    run_pairs(r, source);
    r->rows_only = false;
    return OK;
}

static void outcome_without_skips(struct outcome *o)
{
    o->kind = OUTCOME_NONE;
    for (const struct finding *f = o->first; f; f = f->next)
        if (f->kind != OUTCOME_SKIP && f->kind > o->kind)
            o->kind = f->kind;
}

/* A pair that was skipped does not hold back the others; reject and wait do. */
int run_verdict(struct run *r)
{
    if (run_dead(r))
        return r->stop;
    if (r->outcome->kind >= OUTCOME_WAIT)
        return SKIP;
    if (r->outcome->kind == OUTCOME_SKIP && r->nresults == 0)
        return SKIP;
    if (r->outcome->kind == OUTCOME_SKIP)
        outcome_without_skips(r->outcome);
    return OK;
}

static int run_one(struct run *r, struct node *source, mapping_give *give, void *owner)
{
    if (r->pairs != PAIRS_LOG)
        run_file_begins(r);
    int rc = run_file_requires(r);
    if (rc != OK)
        return rc;
    rc = r->program->uses_next ? run_pairs_twice(r, source) : OK;
    if (rc == OK && !r->program->uses_next)
        run_pairs(r, source);
    if (rc == OK)
        rc = run_verdict(r);
    if (rc != OK)
        return rc;
    rc = give_results(r, give, owner);
    if (rc < SKIP && r->pairs != PAIRS_LOG)
        run_totals(r, source);
    return rc;
}

int run_message(struct run *r, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
                mapping_give *give, void *owner, struct problems *ps)
{
    run_begin(r, source, number, a, outcome, ps);
    r->edits = NULL;
    return run_one(r, source, give, owner);
}

static int report(struct run *r, int pairs, struct node *message, struct node *outcome, struct arena *a,
                  mapping_give *give, void *owner, struct problems *ps)
{
    struct outcome own;
    run_begin(r, message, r->number + (pairs == PAIRS_MESSAGE), a, &own, ps);
    r->edits = NULL;
    r->pairs = pairs;
    message->outcome = outcome;
    int rc = run_one(r, message, give, owner);
    r->pairs = PAIRS_ALL;
    return rc == SKIP ? OK : rc;
}

int run_report(struct run *r, struct node *message, struct node *outcome, struct arena *a, mapping_give *give,
               void *owner, struct problems *ps)
{
    return report(r, PAIRS_MESSAGE, message, outcome, a, give, owner, ps);
}

int run_log(struct run *r, struct node *message, struct node *outcome, struct arena *a, mapping_give *give,
            void *owner, struct problems *ps)
{
    return run_has_log(r) ? report(r, PAIRS_LOG, message, outcome, a, give, owner, ps) : OK;
}

bool run_has_log(const struct run *r)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++)
        if (file->ops[d][i].code == OP_GROUP && file->ops[d][i].from->root == ROOT_OUTCOME)
            return true;
    return false;
}

/* `/. => Entry`: once, after the messages. */
static int finish_pairs(struct run *r)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    struct node *read = (struct node *)(uintptr_t)r->files[side_read(d)];
    for (size_t i = file->nrequires[d]; i < file->nops[d] && !run_dead(r); i++) {
        const struct op *op = &file->ops[d][i];
        if (op->code != OP_GROUP || !op->item->inner->total || !read)
            continue;
        struct loop l = { .r = r, .op = op, .scope = op->item->inner };
        r->counts[op->item->index]++;
        r->depth = 1;
        path_walk(r, op->from, 0, read, loop_one, &l);
        r->depth = 0;
    }
    return run_dead(r) ? r->stop : r->outcome->kind >= OUTCOME_WAIT ? SKIP : OK;
}

int run_finish(struct run *r, struct arena *a, struct outcome *outcome, mapping_give *give, void *owner,
               struct problems *ps)
{
    run_begin(r, NULL, r->number, a, outcome, ps);
    r->edits = NULL;
    r->finishing = true;
    frame_begin(r, &r->frames[0]);
    run_file_rows(r);
    int rc = give_sorted(r, give, owner);
    if (rc >= SKIP)
        return rc;
    rc = finish_pairs(r);
    if (rc == OK && r->nresults)
        rc = give(owner, r->results, r->nresults, ps) >= SKIP ? STOP : OK;
    return rc;
}
