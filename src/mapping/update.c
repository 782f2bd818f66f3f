/*
 * update - the written side exists: what differs becomes edits of it, nothing else does (LANGUAGE.md section 4)
 *
 * In a merge (pool.c) the written side is a copy of the document: there the changes are made at once, in two passes
 * over the message, one that judges and one that writes.
 * Limits: `order follow` puts new instances behind their predecessor; known ones are not moved.
 */
#include "run.h"

void update_set(struct run *r, struct node *n, const struct field *f, const struct value *v)
{
    const struct value *now = node_value(n, f);
    bool lax = (now->form | v->form) & VALUE_LAX;
    if (!lax && type_equal(f->type, now, v))
        return;
    if (lax && now->n == v->n && (v->n == 0 || memcmp(now->p, v->p, v->n) == 0) &&
        (now->form & VALUE_LAX) == (v->form & VALUE_LAX))
        return;
    r->changed = true;
    if (r->direct) {
        *node_value(n, f) = *v;
        node_value(n, f)->at = VALUE_NO_PLACE;
        return;
    }
    edit_set(r->edits, n, f, v);
}

static void list_remove(struct node_list *list, const struct node *n)
{
    struct node *c = list->first;
    *list = (struct node_list){ 0 };
    for (struct node *next; c; c = next) {
        next = c->next;
        if (c != n)
            node_append(n->parent, c);
    }
}

static void update_remove(struct run *r, struct node *n)
{
    r->changed = true;
    if (!r->direct)
        edit_delete(r->edits, n);
    else if (n->parent)
        list_remove(node_list(n->parent, n->group), n);
}

/* ---- value rows ------------------------------------------------------------------------------------------------- */

/* A number and a text are the same when the text is that number. */
static bool same_val(const struct val *a, const struct val *b)
{
    struct num x, y;
    if (val_equal(a, b))
        return true;
    if (a->kind != VAL_DATA || b->kind != VAL_DATA || (a->type == TYPE_TEXT && b->type == TYPE_TEXT))
        return false;
    return num_parse(val_slice(a), &x) && num_parse(val_slice(b), &y) && num_compare(x, y) == 0;
}

/* What the other direction gives now; what it cannot give is nothing. */
static void eval_now(struct run *r, const struct op *op, const struct node *old, struct val *out)
{
    const struct expr *missed = r->missed;
    r->guard++;
    eval(r, op->into, old, out);
    r->guard--;
    r->missed = missed;
}

struct keeping {
    struct run *r;
    const struct op *op;
};

static void keep_path(void *owner, struct expr *path)
{
    struct keeping *k = owner;
    struct node *n = dest_find(k->r, path->dest);
    if (n && !node_is_new(n))
        write_value(k->r, k->op, path->dest, path->field, node_value(n, path->field));
}

static const struct value *lax_of(struct run *r, const struct expr *e, const struct node *here)
{
    if (e->kind != EXPR_PATH || !e->field || (e->root != ROOT_HERE && e->root != ROOT_FILE))
        return NULL;
    const struct value *v = path_value(r, e, here);
    return v && (v->form & VALUE_LAX) && v->state != VALUE_PRESENT ? v : NULL;
}

static void update_path(struct run *r, const struct op *op, const struct val *v)
{
    struct value out;
    if (!val_convert(r, v, op->field, op->from, &out))
        return;
    struct node *n = dest_find(r, op->dest);
    if (!n && out.state == VALUE_ABSENT)
        return;
    if (n && !node_is_new(n) && !op->shared)
        update_set(r, n, op->field, &out);
    else
        write_value(r, op, op->dest, op->field, &out);
}

static void update_lax(struct run *r, const struct op *op, const struct value *v)
{
    if ((op->field->flags & FIELD_LAX) || op->field->type == TYPE_TEXT) {
        struct value out = *v;
        out.state = op->field->type == TYPE_TEXT ? VALUE_PRESENT : VALUE_EMPTY;
        out.form = op->field->type == TYPE_TEXT ? 0 : VALUE_LAX;
        write_value(r, op, op->dest, op->field, &out);
    } else {
        run_fault_set(r, op->from, "VALUE_UNFIT", op->field->name, (struct slice){ v->p, v->n },
                      "does not fit its type");
    }
}

static void update_value(struct run *r, const struct op *op, const struct node *here, const struct node *old)
{
    struct val v, now;
    if ((r->pass == PASS_EARLY && op->late) || (r->pass == PASS_LATE && !op->late))
        return;
    const struct value *lax = op->field ? lax_of(r, op->from, here) : NULL;
    if (op->code == OP_CONST_CHECK) {
        run_op_value(r, op, (struct node *)(uintptr_t)here);
        return;
    }
    r->counts[op->item->index]++;
    eval(r, op->from, here, &v);
    if (lax) {
        update_lax(r, op, lax);
    } else if (!r->fault.code && op->field && op->into->kind == EXPR_PATH && op->into->dest && !op->shared) {
        update_path(r, op, &v);
    } else if (!r->fault.code) {
        eval_now(r, op, old, &now);
        if (!same_val(&v, &now)) {
            invert_write(r, op, op->into, &v);
        } else if (op->shared) {
            struct keeping k = { r, op };
            written_paths(op->into, keep_path, &k);
        }
    }
    if (r->fault.code)
        finding_fault(r, op->item, here);
}

/* ---- instances -------------------------------------------------------------------------------------------------- */

struct pairing {
    struct run *r;
    const struct op *op;
    const struct scope *scope;
    struct node **read, **old;
    size_t nread, cap_read, nold, cap_old;
    struct node **partner;          /* of each read one: the old one, or NULL */
    bool *taken;                    /* of each old one */
};

static void enter(struct run *r, const struct scope *s, struct node *read, struct node *old, uint32_t position,
                  uint32_t last)
{
    struct frame *f = &r->frames[s->depth];
    f->side[side_read(r->direction)] = read;
    f->side[side_written(r->direction)] = old;
    f->old = old;
    f->before = old;
    if (r->direct && !r->judge_only && old) {
        f->before = twin_original(r, old);
        f->old = s->reads_old ? node_copy(r->a, old, old->parent) : old;
    }
    f->position = r->position = position;
    f->last = r->last = last;
    frame_begin(r, f);
}

static void clear_regs(struct run *r, const struct scope *s)
{
    enum mapping_direction d = r->direction;
    size_t n = s->reg_end[d] - s->reg_first[d];
    if (n)
        memset(&r->regs[s->reg_first[d]], 0, n * sizeof *r->regs);
}

/* Judged in the early pass, when $old is as it was. */
static bool passes(struct run *r, const struct scope *s, const struct node *read)
{
    if (r->pass == PASS_LATE || r->rows_only)
        return !is_left_out(r, s, read);
    if (judge_scope(r, s, r->direction) < OUTCOME_SKIP)
        return true;
    leave_out(r, s, read);
    return false;
}

static void update_aligned(struct run *r, const struct scope *s, struct node *read, struct node *old, bool loops)
{
    clear_regs(r, s);
    if (!passes(r, s, read))
        return;
    taken_note(r, read);
    if (loops)
        r->regs[s->base[r->direction]->reg] = old;
    update_scope(r, s);
}

static void verdict_or(struct run *r, const struct verdict *v, const struct node *n, bool refuse, const char *code)
{
    if (r->rows_only)
        return;                     /* said by the pass that judges */
    if (v->given)
        finding_verdict(r, v, n, NULL);
    else if (refuse)
        finding_engine(r, OUTCOME_REJECT, code, n, arena_printf(r->a, "%.*s: %s", SLICE_ARG(n->group->name),
                       strcmp(code, "NEW_REFUSED") == 0 ? "is new, and the mapping allows no new ones"
                           : "is missing in what was read"));
}

static void construct_last(struct run *r, const struct expr *into, struct node *made)
{
    if (into->nsteps)
        construct(r, into->steps[into->nsteps - 1].preds, made);
}

/* May the side written get it?  Says so, or why not. */
static bool new_allowed(struct run *r, const struct scope *s, struct node *read)
{
    const struct policy *p = &s->policy[r->direction];
    if (p->when_new != NEW_ADD) {
        verdict_or(r, &p->new_verdict, read, p->when_new == NEW_REJECT, "NEW_REFUSED");
        return false;
    }
    if (!passes(r, s, read))
        return false;
    if (p->new_verdict.given)
        verdict_or(r, &p->new_verdict, read, false, NULL);
    return true;
}

/* An instance that only the side read has. */
static struct node *add_new(struct run *r, const struct op *op, const struct scope *s, struct node *read,
                            struct node *parent, struct node *after)
{
    enum mapping_direction d = r->direction;
    clear_regs(r, s);
    if (!new_allowed(r, s, read))
        return NULL;
    if (r->judge_only) {
        run_scope(r, s);
        return NULL;
    }
    taken_note(r, read);
    struct node *into = parent ? parent : dest_node(r, op->dest);
    struct node *made = node_is_new(into) ? node_add(r->a, into, s->side[side_written(d)]) : update_insert(r, into,
            s->side[side_written(d)], after);
    node_mark_new(made);
    construct_last(r, op->into, made);
    r->frames[s->depth].side[side_written(d)] = made;
    r->regs[s->base[d]->reg] = made;
    run_scope(r, s);
    return made;
}

/* An instance that only the side written has. */
static void keep_missing(struct run *r, const struct scope *s, struct node *old)
{
    enum mapping_direction d = r->direction;
    const struct policy *p = &s->policy[d];
    enter(r, s, NULL, old, 1, 1);
    if (p->missing_verdict.given || p->when_missing == MISSING_REJECT)
        verdict_or(r, &p->missing_verdict, old, p->when_missing == MISSING_REJECT, "MISSING_REFUSED");
    if (p->when_missing == MISSING_REMOVE && !r->judge_only)
        update_remove(r, old);
    if (p->when_missing != MISSING_ROWS || r->judge_only)
        return;
    const struct scope *rows = p->missing_rows;
    clear_regs(r, rows);
    enter(r, rows, old, old, 1, 1);
    r->regs[rows->base[d]->reg] = old;
    uint32_t depth = r->depth;
    int pass = (int)r->pass;
    r->depth = rows->depth;
    r->pass = PASS_ALL;
    update_scope(r, rows);
    r->pass = pass;
    r->depth = depth;
}

/* ---- alignment -------------------------------------------------------------------------------------------------- */

/* The key rows' values of an instance; n 0 when all of them are nothing: then it equals no other. */
struct slice instance_key(struct run *r, const struct scope *s, int side, struct node *n)
{
    struct slice key = slice_none();
    bool any = false;
    struct frame *f = &r->frames[s->depth];
    f->side[side] = n;
    frame_begin(r, f);
    for (const struct item *it = s->items; it; it = it->next) {
        struct val v;
        if (it->kind != ITEM_ROW || !it->key || !arrow_goes(it->arrow, r->direction))
            continue;
        r->guard++;
        eval(r, it->e[side], n, &v);
        r->guard--;
        struct slice part = val_key_text(r->a, &v);
        any = any || part.n;
        if (key.p)
            key = arena_printf(r->a, "%.*s\x1f%.*s", SLICE_ARG(key), SLICE_ARG(part));
        else
            key = part.p ? part : (struct slice){ "", 0 };
    }
    return any ? key : (struct slice){ "", 0 };
}

bool has_keys(const struct run *r, const struct scope *s)
{
    for (const struct item *it = s->items; it; it = it->next)
        if (it->kind == ITEM_ROW && it->key && arrow_goes(it->arrow, r->direction))
            return true;
    return false;
}

/* Of several old ones with one key the n-th is that of the n-th read, and that is sure only when all of them came. */
static bool told_apart(struct pairing *p, const uint32_t *next, const uint32_t *came)
{
    struct run *r = p->r;
    for (size_t i = 0, n = 0; i < p->nold; i++, n = 0) {
        for (size_t at = came[i] ? i + 1 : 0; at; at = next[at - 1])
            n++;
        if (n < 2 || n == came[i])
            continue;
        char *key = arena_cstr(r->a, instance_key(r, p->scope, side_written(r->direction), p->old[i]));
        for (char *c = key; *c; c++)
            *c = *c == '\x1f' ? ' ' : *c;
        finding_engine(r, OUTCOME_REJECT, "ALIGN_KEY", r->message,
                       arena_printf(r->a, "the original has %zu %.*s with the key %s, and %u came: add what tells them "
                                    "apart to the key rows", n, SLICE_ARG(p->old[i]->group->name), key, came[i]));
        return false;
    }
    return true;
}

static bool align_keys(struct pairing *p)
{
    struct run *r = p->r;
    struct map index;
    uint32_t *next = arena_zero(r->a, (p->nold + 1) * sizeof *next);
    uint32_t *came = arena_zero(r->a, (p->nold + 1) * sizeof *came);    /* with the key of an old one */
    map_init(&index, r->a);
    for (size_t i = p->nold; i-- > 0;) {                /* backward, so that the first of equal keys comes first */
        struct slice key = instance_key(r, p->scope, side_written(r->direction), p->old[i]);
        if (!key.n)
            continue;
        struct map_entry *e = map_at(&index, key);
        next[i] = (uint32_t)(uintptr_t)e->value;
        e->value = (void *)(uintptr_t)(i + 1);
    }
    for (size_t i = 0; i < p->nread; i++) {
        struct slice key = instance_key(r, p->scope, side_read(r->direction), p->read[i]);
        uint32_t at = key.n ? (uint32_t)(uintptr_t)map_get(&index, key) : 0;
        came[at ? at - 1 : p->nold]++;
        while (at && p->taken[at - 1])
            at = next[at - 1];
        if (!at)
            continue;
        p->taken[at - 1] = true;
        p->partner[i] = p->old[at - 1];
    }
    return told_apart(p, next, came);
}

static bool align_positions(struct pairing *p)
{
    const struct policy *y = &p->scope->policy[p->r->direction];
    for (size_t i = 0; i < p->nread && i < p->nold; i++) {
        p->partner[i] = p->old[i];
        p->taken[i] = true;
    }
    if (p->nread == p->nold || y->new_given || y->missing_given)
        return true;
    finding_engine(p->r, OUTCOME_REJECT, "ALIGN_COUNT", p->r->message, arena_printf(p->r->a,
            "%zu %.*s stand against %zu, and no key row says which is which",
                   p->nread, SLICE_ARG(p->scope->side[side_read(p->r->direction)]->name), p->nold));
    return false;
}

static bool collect_read(void *owner, const struct node *n, const struct field *f)
{
    struct pairing *p = owner;
    (void)f;
    ARENA_PUSH(p->r->a, p->read, p->nread, p->cap_read) = (struct node *)(uintptr_t)n;
    return true;
}

static bool collect_old(void *owner, const struct node *n, const struct field *f)
{
    struct pairing *p = owner;
    (void)f;
    ARENA_PUSH(p->r->a, p->old, p->nold, p->cap_old) = (struct node *)(uintptr_t)n;
    return true;
}

static void update_pairs(struct pairing *p)
{
    struct run *r = p->r;
    const struct policy *y = &p->scope->policy[r->direction];
    struct node *previous = NULL;
    for (size_t i = 0; i < p->nread && !run_dead(r); i++) {
        enter(r, p->scope, p->read[i], p->partner[i], (uint32_t)i + 1, (uint32_t)p->nread);
        if (p->partner[i]) {
            update_aligned(r, p->scope, p->read[i], p->partner[i], true);
            previous = p->partner[i];
        } else if (r->pass != PASS_LATE) {
            struct node *made = add_new(r, p->op, p->scope, p->read[i], NULL, y->follow ? previous : NULL);
            previous = made ? made : previous;
        }
    }
    for (size_t i = 0; i < p->nold && r->pass != PASS_LATE && !run_dead(r); i++)
        if (!p->taken[i])
            keep_missing(r, p->scope, p->old[i]);
}

static void update_loop(struct run *r, const struct op *op, const struct node *here, const struct node *old)
{
    struct pairing p = { .r = r, .op = op, .scope = op->item->inner };
    path_each(r, op->from, here, collect_read, &p);
    if (old)
        path_each(r, op->into, old, collect_old, &p);
    p.partner = arena_zero(r->a, (p.nread + 1) * sizeof *p.partner);
    p.taken = arena_zero(r->a, (p.nold + 1) * sizeof *p.taken);
    if (has_keys(r, p.scope) ? align_keys(&p) : align_positions(&p))
        update_pairs(&p);
}

/* ---- lines that consolidate ------------------------------------------------------------------------------------- */

/* The instances of a document as it was before this message, by what the match compares. */
struct candidates {
    struct pairing *p;
    struct map index;
    uint32_t *next;
    bool ready;
};

static void index_candidates(struct candidates *c)
{
    struct run *r = c->p->r;
    const struct scope *s = c->p->scope;
    struct frame *f = &r->frames[s->depth];
    c->ready = true;
    c->next = arena_zero(r->a, (c->p->nold + 1) * sizeof *c->next);
    map_init(&c->index, r->a);
    for (size_t i = c->p->nold; i-- > 0;) {
        frame_old(r, f, c->p->old[i], c->p->old[i]);
        struct map_entry *e = map_at(&c->index, match_key(r, s, true, r->a));
        c->next[i] = (uint32_t)(uintptr_t)e->value;
        e->value = (void *)(uintptr_t)(i + 1);
    }
}

static void each_candidate(void *owner, struct slice key, void (*take)(void *to, struct node *n), void *to)
{
    struct candidates *c = owner;
    if (!c->ready)
        index_candidates(c);
    for (uint32_t at = (uint32_t)(uintptr_t)map_get(&c->index, key); at; at = c->next[at - 1])
        take(to, c->p->old[at - 1]);
}

/* `$old` is the instance with what earlier ones did to it, `$before` without. */
static void merge_into(struct run *r, const struct scope *s, struct node *read, struct node *chosen)
{
    struct frame *f = &r->frames[s->depth];
    struct node *now = r->judge_only ? chosen : twin_copy(r, chosen);
    f->side[side_written(r->direction)] = now;
    frame_old(r, f, r->judge_only ? chosen : node_copy(r->a, now, now->parent), chosen);
    update_aligned(r, s, read, now, true);
}

static void note_chosen(struct pairing *p, const struct node *chosen)
{
    for (size_t i = 0; i < p->nold && p->scope->policy[p->r->direction].missing_given; i++)
        p->taken[i] = p->taken[i] || p->old[i] == chosen;
}

static void merge_loop(struct run *r, const struct op *op, const struct node *here, struct node *document)
{
    const struct scope *s = op->item->inner;
    struct pairing p = { .r = r, .op = op, .scope = s };
    struct candidates c = { .p = &p };
    struct node *before = twin_original(r, document);
    path_each(r, op->from, here, collect_read, &p);
    if (before)
        path_each(r, op->into, before, collect_old, &p);
    p.taken = arena_zero(r->a, (p.nold + 1) * sizeof *p.taken);
    for (size_t i = 0; i < p.nread && !run_dead(r); i++) {
        enter(r, s, p.read[i], NULL, (uint32_t)i + 1, (uint32_t)p.nread);
        struct node *chosen = r->judge_only ? consolidate_choose(r, s, each_candidate, &c)
                                            : decision_next(r, s, p.read[i]);
        if (r->judge_only)
            decision_keep(r, s, p.read[i], chosen);
        note_chosen(&p, chosen);
        if (chosen)
            merge_into(r, s, p.read[i], chosen);
        else if (r->pass != PASS_LATE)
            add_new(r, op, s, p.read[i], NULL, NULL);
    }
    for (size_t i = 0; i < p.nold && s->policy[r->direction].missing_given && r->pass != PASS_LATE; i++)
        if (!p.taken[i] && (r->judge_only || twin_copy(r, p.old[i])))
            keep_missing(r, s, r->judge_only ? p.old[i] : twin_copy(r, p.old[i]));
}

/* A document that lines were added to is put in order. */
static void sort_written(struct run *r, const struct op *op)
{
    const struct scope *s = op->item->inner;
    struct node *holder = s->nsorts && r->direct && !r->judge_only && r->direction == MAPPING_FORWARD && op->dest
        ? dest_find(r, op->dest) : NULL;
    if (holder)
        sort_list(r, s, node_list(holder, s->side[side_written(r->direction)]));
}

/* The group occurs once on the written side. */
static void update_single(struct run *r, const struct op *op, const struct node *here)
{
    const struct scope *s = op->item->inner;
    struct pairing p = { .r = r, .op = op, .scope = s };
    struct node *old = op->dest ? dest_find(r, op->dest) : NULL;
    path_each(r, op->from, here, collect_read, &p);
    for (size_t i = 0; i < p.nread; i++) {
        enter(r, s, p.read[i], old, (uint32_t)i + 1, (uint32_t)p.nread);
        update_aligned(r, s, p.read[i], old, false);
    }
    if (p.nread == 0 && old && r->pass != PASS_LATE && s->policy[r->direction].missing_given)
        keep_missing(r, s, old);
}

static void update_group(struct run *r, const struct op *op, const struct node *here, struct node *old)
{
    uint32_t position = r->position, last = r->last, depth = r->depth;
    r->counts[op->item->index]++;
    r->depth = op->item->inner->depth;
    if (op->loops && consolidates(r, op->item->inner))
        merge_loop(r, op, here, old);
    else if (op->loops)
        update_loop(r, op, here, old);
    else
        update_single(r, op, here);
    r->depth = depth;
    r->position = position;
    r->last = last;
    if (op->loops)
        sort_written(r, op);
}

/* ---- results given back ----------------------------------------------------------------------------------------- */

/* Rows against the arrow see what the rows with it make of the instance; `$old` stays as it was. */
static void back_updated(struct run *r, const struct scope *s, const struct edit *last)
{
    struct node **target = &r->frames[s->depth].side[side_written(r->direction)], *old = *target;
    const struct edit *first = last ? last->next : r->edits->first;
    if (old && !node_is_new(old) && first)
        *target = edits_copy(first, old, r->a);
    back_scope(r, s);
    *target = old;
}

/* ---- scopes ----------------------------------------------------------------------------------------------------- */

void update_scope(struct run *r, const struct scope *s)
{
    enum mapping_direction d = r->direction;
    const struct frame *f = &r->frames[s->depth];
    struct node *here = f->side[side_read(d)], *old = f->side[side_written(d)];
    const struct edit *last = r->edits->last;
    for (size_t i = s->nrequires[d]; i < s->nops[d] && !run_dead(r); i++) {
        const struct op *op = &s->ops[d][i];
        if (op->code == OP_GROUP)
            update_group(r, op, here, old);
        else if (!r->judge_only)
            update_value(r, op, here, old);
    }
    if (s->nback && !r->judge_only)
        back_updated(r, s, last);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

/* The rows that several others share are settled at the end: the later one has won. */
void settle_shared(struct run *r)
{
    for (struct created *c = r->created; c; c = c->next)
        if (!node_is_new(c->node))
            update_set(r, c->node, c->field, &c->value);
}

const struct op *pair_for(const struct run *r, const struct group *g, int side)
{
    const struct scope *file = r->program->file;
    enum mapping_direction d = r->direction;
    for (size_t i = file->nrequires[d]; i < file->nops[d]; i++) {
        const struct op *op = &file->ops[d][i];
        const struct expr *e = side == side_read(d) ? op->from : op->into;
        if (op->code == OP_GROUP && !op->item->inner->total && e->root != ROOT_OUTCOME && e->nsteps &&
            same_group(e->steps[0].group, g))
            return op;
    }
    return NULL;
}

static bool taken_by(struct run *r, const struct expr *e, const struct node *n)
{
    return n && e->nsteps == 1 && step_takes(r, &e->steps[0], n);
}

static void update_pair(struct run *r, const struct op *op, struct node *old, struct node *source)
{
    const struct scope *s = op->item->inner;
    r->depth = 1;
    enter(r, s, source, old, (uint32_t)r->number, 0);
    if (source && !taken_by(r, op->from, source))
        return;
    if (old && !taken_by(r, op->into, old))
        return;
    if (source && old)
        update_aligned(r, s, source, old, true);
    else if (source)
        add_new(r, op, s, source, r->old_file ? r->old_file : r->file, NULL);
    else if (old)
        keep_missing(r, s, old);
    r->depth = 0;
}

/* ---- merging ---------------------------------------------------------------------------------------------------- */

static struct node *new_document(struct run *r, const struct op *op, struct node *read)
{
    const struct scope *s = op->item->inner;
    int written = side_written(r->direction);
    if (!new_allowed(r, s, read))
        return NULL;
    taken_note(r, read);
    struct node *made = node_new(r->a, s->side[written], r->file);
    node_mark_new(made);
    construct_last(r, op->into, made);
    r->frames[s->depth].side[written] = made;
    r->regs[s->base[r->direction]->reg] = made;
    run_scope(r, s);
    if (!r->emptied)
        return made;
    r->emptied = false;             /* all its lines were left out, and it must have one */
    leave_out(r, s, read);
    return NULL;
}

void update_enter(struct run *r, const struct scope *s, struct node *read, uint32_t position)
{
    enter(r, s, read, NULL, position, 0);
    clear_regs(r, s);
}

struct node *update_document(struct run *r, const struct op *op, struct node *document)
{
    const struct scope *s = op->item->inner;
    struct node *read = r->frames[s->depth].side[side_read(r->direction)];
    if (!document)
        return new_document(r, op, read);
    r->frames[s->depth].side[side_written(r->direction)] = document;
    if (!passes(r, s, read))
        return NULL;
    taken_note(r, read);
    r->regs[s->base[r->direction]->reg] = document;
    update_scope(r, s);
    return document;
}

/* ---- fallbacks -------------------------------------------------------------------------------------------------- */

struct applied {
    struct value *place, before;
    struct applied *next;
};

/* For the late pass the original looks as the edits so far will make it; restore() takes that back. */
static struct applied *apply(struct run *r, const struct edit *e)
{
    struct applied *list = NULL;
    for (; e; e = e->next) {
        if (e->kind != EDIT_SET)
            continue;
        struct applied *a = arena_zero(r->a, sizeof *a);
        *a = (struct applied){ .place = node_value(e->node, e->field), .before = *node_value(e->node, e->field),
                               .next = list };
        a->place->p = e->value.p;
        a->place->n = e->value.n;
        a->place->state = e->value.state;
        list = a;
    }
    return list;
}

static void restore(const struct applied *a)
{
    for (; a; a = a->next)
        *a->place = a->before;
}

/*
 * A fallback `a | b <=> X` writes a only when X differs from what forward would give, and that may depend on what other
 * rows write: the company of an order whose customer changes.  So fallbacks run after all other rows.
 */
static void update_passes(struct run *r, const struct op *op, struct node *old, struct node *source, struct edit *last)
{
    r->left_out = NULL;
    r->pass = r->program->late[r->direction] ? PASS_EARLY : PASS_ALL;
    update_pair(r, op, old, source);
    if (r->pass == PASS_EARLY && old && source && r->outcome->kind < OUTCOME_SKIP) {
        struct applied *applied = apply(r, last ? last->next : r->edits->first);
        r->pass = PASS_LATE;
        update_pair(r, op, old, source);
        restore(applied);
    }
    r->pass = PASS_ALL;
    settle_shared(r);
}

static void forget_edits(struct edits *e, struct edit *last, size_t n)
{
    if (last)
        last->next = NULL;
    else
        e->first = NULL;
    e->last = last;
    e->n = n;
}

int run_update(struct run *r, struct node *old, struct node *source, uint64_t number, struct arena *a,
               struct edits *edits, struct outcome *outcome,
               struct problems *ps)
{
    struct edit *last = edits->last;
    size_t n = edits->n;
    run_begin(r, source, number, a, outcome, ps);
    if (source)
        run_file_begins(r);
    r->edits = edits;
    if (!r->message)
        r->message = old;
    if (old && old->parent) {
        r->old_file = old->parent;
        r->files[side_written(r->direction)] = old->parent;
    }
    int rc = run_file_requires(r);
    const struct op *op = source ? pair_for(r, source->group, side_read(r->direction)) : old ? pair_for(r, old->group,
            side_written(r->direction)) : NULL;
    if (rc == OK && op) {
        r->counts[op->item->index]++;
        update_passes(r, op, old, source, last);
    }
    r->edits = NULL;
    if (rc == OK)
        rc = run_dead(r) ? r->stop : outcome->kind >= OUTCOME_SKIP ? SKIP : OK;
    if (rc != OK)
        forget_edits(edits, last, n);
    return rc;
}

struct slice run_key(struct run *r, const struct node *message, bool written, struct arena *a)
{
    int side = written ? side_written(r->direction) : side_read(r->direction);
    const struct op *op = pair_for(r, message->group, side);
    struct arena *before = r->a;
    if (!op || !has_keys(r, op->item->inner))
        return (struct slice){ "", 0 };
    r->a = a;
    struct slice key = instance_key(r, op->item->inner, side, (struct node *)(uintptr_t)message);
    r->a = before;
    return key.n ? key : written ? SLICE("\x1e") : SLICE("\x1d");     /* nothing is the key of no other message */
}

struct slice run_file_key(struct run *r, bool written, const struct node *file, struct arena *a)
{
    int side = written ? side_written(r->direction) : side_read(r->direction);
    const struct scope *s = r->program->file;
    const struct node *before = r->files[side];
    struct node *here = r->frames[0].side[side];
    struct arena *arena = r->a;
    if (!has_keys(r, s))
        return (struct slice){ "", 0 };
    r->a = a;
    r->files[side] = file;
    struct slice key = instance_key(r, s, side, (struct node *)(uintptr_t)file);
    r->frames[0].side[side] = here;
    r->frames[0].id = ++r->next_id;
    r->files[side] = before;
    r->a = arena;
    return key.n ? key : written ? SLICE("\x1e") : SLICE("\x1d");
}
