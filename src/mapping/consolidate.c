/*
 * consolidate - alignment by search instead of by key (LANGUAGE.md section 4)
 *
 * `A = $old/B` terms of the match become a key that finds the candidates; what else the match says is asked of each.
 * Then sorted, checked in order: the first that passes is $old.
 */
#include "load.h"
#include "run.h"

enum { TRIED_MOST = 1000, VALUES_MOST = 400 };

/* ---- reading the block ------------------------------------------------------------------------------------------- */

/* `WORD CONDITION else CODE "text"` */
static struct item *load_rule(struct loader *l, struct scope *s, struct parser *p, struct statement *st, int side)
{
    struct names n;
    struct verdict v;
    struct expr *e = expr_parse(p, false);
    if (!e)
        return NULL;
    if (!parser_word(p, "else")) {
        parser_fail(p, parser_peek(p, 0), "MAP_SYNTAX", "gate, match or check CONDITION else CODE",
                    "`else` and a CODE are expected here");
        return NULL;
    }
    load_names(l, s, side, &n);
    bool ok = expr_resolve(&n, e, false);
    if (!load_verdict(l, p, s, side, &v) || !parser_done(p) || !ok)
        return NULL;
    if (v.kind != OUTCOME_REJECT) {
        load_fail(l, &st->tokens[0], "MAP_CONSOLIDATE", "write `else CODE`",
                  "a search refuses no message: %s has no place here", outcome_names[v.kind]);
        return NULL;
    }
    struct item *it = load_item(l, s, ITEM_RULE, st);
    it->arrow = side == SIDE_LEFT ? ARROW_RIGHT : ARROW_LEFT;
    it->e[0] = e;
    it->verdict = v;
    return it;
}

static void load_none(struct loader *l, struct scope *s, struct consolidate *c, struct parser *p, int side)
{
    if (load_verdict(l, p, s, side, &c->none))
        parser_done(p);
}

static void load_one(struct loader *l, struct scope *s, struct consolidate *c, struct statement *st, int side)
{
    struct parser p;
    struct names n;
    const struct token *w = &st->tokens[0];
    struct item *it = NULL;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    load_names(l, s, side, &n);
    if (token_is(w, "sort")) {
        load_sort_keys(l, &p, &n, &c->sorts, &c->nsorts);
        note_mutant(l, MUTANT_REQUIRE, st);
    } else if (token_is(w, "none")) {
        load_none(l, s, c, &p, side);
        c->none_line = w->line;
    } else if (!token_is(w, "gate") && !token_is(w, "match") && !token_is(w, "check")) {
        load_fail(l, w, "MAP_CONSOLIDATE", "gate, match, sort, check or none", "\"%.*s\" is no word of consolidate",
                  SLICE_ARG(w->text));
    } else if ((it = load_rule(l, s, &p, st, side)) && token_is(w, "match")) {
        if (c->match)
            load_fail(l, w, "MAP_CONSOLIDATE", "join the conditions by `and`", "one `match` is enough");
        c->match = it;
    } else if (it) {
        note_mutant(l, MUTANT_REQUIRE, st);
        if (token_is(w, "gate"))
            ARENA_PUSH(l->arena, c->gates, c->ngates, c->cap_gates) = it;
        else
            ARENA_PUSH(l->arena, c->checks, c->nchecks, c->cap_checks) = it;
    }
}

/* ---- the match, taken apart -------------------------------------------------------------------------------------- */

struct reads {
    bool old, other;                /* $old; the message and whatever else is not the same for all documents */
};

static void note_reads(void *owner, struct expr *e)
{
    struct reads *r = owner;
    if (e->kind == EXPR_CALL && e->nargs == 0)      /* position(), message-number() */
        r->other = true;
    if (e->kind != EXPR_PATH || e->root == ROOT_PARAM)
        return;
    if (e->root == ROOT_OLD)
        r->old = true;
    else if (e->root == ROOT_LET && e->let->uses_old)
        r->old = r->other = true;
    else
        r->other = true;
}

static struct reads reads_of(struct expr *e)
{
    struct reads r = { 0 };
    expr_each(e, note_reads, &r);
    return r;
}

/* Equal values of these types are equal as keys. */
static bool keys_meet(const struct expr *a, const struct expr *b)
{
    bool number_a = a->type == TYPE_INTEGER || a->type == TYPE_DECIMAL;
    bool number_b = b->type == TYPE_INTEGER || b->type == TYPE_DECIMAL;
    if (a->shape != SHAPE_VALUE || b->shape != SHAPE_VALUE || a->many || b->many || a->type == TYPE_UNKNOWN)
        return false;
    return a->type == b->type || (number_a && number_b);
}

static bool is_term(struct expr *e, struct term *t)
{
    if (e->kind != EXPR_BINARY || e->op != BIN_EQ || !keys_meet(e->args[0], e->args[1]))
        return false;
    for (int i = 0; i < 2; i++) {
        struct reads own = reads_of(e->args[i]), other = reads_of(e->args[1 - i]);
        *t = (struct term){ .read = e->args[1 - i], .old = e->args[i] };
        if (own.old && !own.other && !other.old)
            return true;
    }
    return false;
}

static void take_apart(struct arena *a, struct consolidate *c, struct expr *e)
{
    struct term t;
    if (e->kind == EXPR_BINARY && e->op == BIN_AND) {
        take_apart(a, c, e->args[0]);
        take_apart(a, c, e->args[1]);
    } else if (is_term(e, &t)) {
        ARENA_PUSH(a, c->terms, c->nterms, c->cap_terms) = t;
    } else {
        ARENA_PUSH(a, c->rest, c->nrest, c->cap_rest) = e;
    }
}

static bool has_match(const struct statement *st)
{
    const struct statement *rule = st->block;
    while (rule && !token_is(&rule->tokens[0], "match"))
        rule = rule->next;
    return rule != NULL;
}

static bool block_fits(struct loader *l, struct scope *s, const struct consolidate *c, const struct statement *st)
{
    const struct token *w = &st->tokens[0];
    if (!c->match && !has_match(st))
        load_fail(l, w, "MAP_CONSOLIDATE", "match A = $old/B else CODE", "the block does not say what to look among");
    else if (c->nchecks && !c->none.given)
        load_fail(l, w, "MAP_CONSOLIDATE", "none CODE", "the block does not say what it means that no check passed");
    else if (c->match && c->nterms == 0 && s->depth == 1)
        conf_problem(l->conf, &c->match->st->tokens[0], PROBLEM_WARNING, "MAP_MATCH_ALL", l->ps,
                     "write an equality that the message and $old have a side each of",
                     "every message is compared with every document");
    return c->match != NULL;
}

void load_consolidate(struct loader *l, struct scope *s, struct statement *st)
{
    const struct token *w = &st->tokens[0];
    int side = l->mapping->arrow == ARROW_LEFT ? SIDE_RIGHT : SIDE_LEFT;
    if (s->depth == 0 || s->total || s->report || s->old_only || s->consolidate) {
        load_fail(l, w, "MAP_CONSOLIDATE", NULL, s->consolidate ? "a group row has one consolidate block"
                  : "consolidate stands in a group row over messages or their lines");
        return;
    }
    struct consolidate *c = arena_zero(l->arena, sizeof *c);
    c->direction = side == SIDE_LEFT ? MAPPING_FORWARD : MAPPING_BACKWARD;
    for (struct statement *rule = st->block; rule; rule = rule->next)
        if (load_room(l, &rule->tokens[0]))
            load_one(l, s, c, rule, side);
    if (c->match)
        take_apart(l->arena, c, c->match->e[0]);
    if (!l->failed && block_fits(l, s, c, st))
        s->consolidate = c;
}

/* ---- what was tried ---------------------------------------------------------------------------------------------- */

const struct consolidate *consolidates(const struct run *r, const struct scope *s)
{
    return r->direct && s->consolidate && s->consolidate->direction == r->direction ? s->consolidate : NULL;
}

static struct slice people_key(struct run *r, const struct node *n)
{
    struct slice key = n->group->nkeys ? node_key(r->a, n) : slice_none();
    if (!key.n)
        return node_path(r->a, n, NULL);
    char *copy = arena_cstr(r->a, key);
    for (size_t i = 0; i < key.n; i++)
        if (copy[i] == '\x1f')
            copy[i] = ' ';
    return (struct slice){ copy, key.n };
}

enum { VALUES_SEEN = 16 };

struct telling {
    struct run *r;
    struct slice seen[VALUES_SEEN];
    size_t nseen;
    const struct item *item;
    const struct node *here;
    struct buf text;
};

static bool told_before(struct telling *t, struct slice source)
{
    for (size_t i = 0; i < t->nseen; i++)
        if (slice_equal(t->seen[i], source))
            return true;
    if (t->nseen < VALUES_SEEN)
        t->seen[t->nseen++] = source;
    return false;
}

/* count(Line): the list itself cannot be shown. */
static bool is_of_many(const struct expr *e)
{
    return e->kind == EXPR_CALL && e->nargs == 1 && e->args[0]->kind == EXPR_PATH && e->args[0]->many;
}

/* The paths of a condition with the values that it saw. */
static void tell_value(void *owner, struct expr *e)
{
    struct telling *t = owner;
    struct val v;
    bool value = e->shape == SHAPE_VALUE && !e->many && (e->kind == EXPR_PATH || is_of_many(e));
    if (!value || t->text.n > VALUES_MOST || told_before(t, expr_source(t->item->conf, e)))
        return;
    t->r->guard++;
    eval(t->r, e, t->here, &v);
    t->r->guard--;
    if (t->text.n)
        buf_text(&t->text, ", ");
    buf_add(&t->text, expr_source(t->item->conf, e));
    buf_text(&t->text, " \"");
    buf_add_shown(&t->text, expr_sensitive(t->r->mapping, e) ? SLICE(PROBLEM_MASK) : val_slice(&v), 60);
    buf_byte(&t->text, '"');
}

static struct slice values_of(struct run *r, const struct item *it, const struct node *here)
{
    struct telling t = { .r = r, .item = it, .here = here };
    const struct expr *missed = r->missed;
    expr_each_here(it->e[0], tell_value, &t);
    struct slice out = arena_copy(r->a, buf_slice(&t.text));
    buf_release(&t.text);
    r->missed = missed;
    return out;
}

static struct tried *tried_add(struct run *r, enum tried_kind kind, const struct node *read,
                               const struct node *document)
{
    struct outcome *o = r->outcome;
    if (o->ntried >= TRIED_MOST && kind == TRIED_FAILED)
        return NULL;
    struct tried *t = arena_zero(r->a, sizeof *t);
    *t = (struct tried){ .kind = kind, .node = read };
    if (read != r->message)
        t->line = people_key(r, read);
    if (document)
        t->key = people_key(r, document);
    if (o->last_tried)
        o->last_tried->next = t;
    else
        o->tried = t;
    o->last_tried = t;
    o->ntried++;
    return t;
}

static void tell_failed(struct run *r, const struct item *check, const struct node *read, const struct node *document)
{
    const struct verdict *v = &check->verdict;
    struct tried *t = tried_add(r, TRIED_FAILED, read, document);
    if (!t)
        return;
    t->code = v->code;
    t->values = values_of(r, check, read);
    t->text = v->text ? template_run(r, v->text, read)
                      : arena_printf(r->a, "%.*s=%.*s", SLICE_ARG(t->key), SLICE_ARG(v->code));
}

static struct node *tell_new(struct run *r, const struct verdict *v, const struct item *rule, const struct node *read)
{
    struct tried *t = tried_add(r, TRIED_NEW, read, NULL);
    t->code = v->code;
    t->text = v->text ? template_run(r, v->text, read) : v->code;
    if (rule)
        t->values = values_of(r, rule, read);
    if (read == r->message)
        r->outcome->reason = v->code;
    return NULL;
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

struct slice match_key(struct run *r, const struct scope *s, bool old, struct arena *a)
{
    const struct consolidate *c = s->consolidate;
    const struct node *here = r->frames[s->depth].side[side_read(r->direction)];
    struct buf key = { 0 };
    const struct expr *missed = r->missed;
    r->guard++;
    for (size_t i = 0; i < c->nterms; i++) {
        struct val v;
        eval(r, old ? c->terms[i].old : c->terms[i].read, old ? NULL : here, &v);
        struct slice part = val_key_text(r->a, &v);
        buf_printf(&key, "%zu:", part.n);
        buf_add(&key, part);
    }
    r->guard--;
    r->missed = missed;
    struct slice out = arena_copy(a, buf_slice(&key));
    buf_release(&key);
    return out.p ? out : SLICE("");
}

struct search {
    struct run *r;
    const struct scope *scope;
    const struct consolidate *c;
    struct frame *frame;
    struct node *read;
    struct buffered *list;
    size_t n, cap;
};

static bool holds(struct search *x, const struct item *rule)
{
    x->r->counts[rule->index]++;
    return eval_true(x->r, rule->e[0], x->read);
}

static void take_candidate(void *owner, struct node *n)
{
    struct search *x = owner;
    if (message_full(x->r, x->read))
        return;
    frame_old(x->r, x->frame, n, n);
    for (size_t i = 0; i < x->c->nrest; i++)
        if (!eval_true(x->r, x->c->rest[i], x->read))
            return;
    struct buffered b = { .target = n, .index = x->n };
    b.keys = arena_alloc(x->r->a, (x->c->nsorts + 1) * sizeof *b.keys);
    x->r->guard++;
    for (size_t i = 0; i < x->c->nsorts; i++)
        eval(x->r, x->c->sorts[i].e, x->read, &b.keys[i]);
    x->r->guard--;
    ARENA_PUSH(x->r->a, x->list, x->n, x->cap) = b;
}

/* The first that passes all checks; the first check that fails is why one does not. */
static struct node *first_passing(struct search *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct node *n = x->list[i].target;
        size_t k = 0;
        frame_old(x->r, x->frame, n, n);
        while (k < x->c->nchecks && holds(x, x->c->checks[k]))
            k++;
        if (k == x->c->nchecks) {
            tried_add(x->r, TRIED_CHOSEN, x->read, n);
            return n;
        }
        tell_failed(x->r, x->c->checks[k], x->read, n);
    }
    frame_old(x->r, x->frame, NULL, NULL);
    return tell_new(x->r, &x->c->none, NULL, x->read);
}

struct node *consolidate_choose(struct run *r, const struct scope *s, candidate_each *each, void *owner)
{
    struct search x = { .r = r, .scope = s, .c = s->consolidate, .frame = &r->frames[s->depth] };
    x.read = x.frame->side[side_read(r->direction)];
    frame_old(r, x.frame, NULL, NULL);
    for (size_t i = 0; i < x.c->ngates; i++)
        if (!holds(&x, x.c->gates[i]))
            return tell_new(r, &x.c->gates[i]->verdict, x.c->gates[i], x.read);
    r->counts[x.c->match->index]++;
    each(owner, match_key(r, s, false, r->a), take_candidate, &x);
    frame_old(r, x.frame, NULL, NULL);
    if (x.n == 0)
        return tell_new(r, &x.c->match->verdict, NULL, x.read);
    sort_buffered(x.list, x.n, x.c->sorts, x.c->nsorts);
    return first_passing(&x);
}

/* ---- between the passes ------------------------------------------------------------------------------------------ */

struct node *twin_original(const struct run *r, struct node *n)
{
    if (!n || node_is_new(n))
        return NULL;
    bool copy = n->mark && n->mark <= r->ntwins && r->twins[n->mark - 1].copy == n;
    return copy ? r->twins[n->mark - 1].original : n;
}

struct node *twin_copy(const struct run *r, struct node *original)
{
    return original && original->mark && original->mark <= r->ntwins ? r->twins[original->mark - 1].copy : original;
}

void decision_keep(struct run *r, const struct scope *s, const struct node *read, struct node *chosen)
{
    struct decision *d = arena_zero(r->a, sizeof *d);
    *d = (struct decision){ .scope = s, .read = read, .chosen = chosen };
    if (r->last_decision)
        r->last_decision->next = d;
    else
        r->decisions = d;
    r->last_decision = d;
}

static const struct decision *find_decision(const struct decision *d, const struct scope *s, const struct node *read)
{
    while (d && (d->scope != s || d->read != read))
        d = d->next;
    return d;
}

/* They are asked for in the order in which they were made. */
struct node *decision_next(struct run *r, const struct scope *s, const struct node *read)
{
    const struct decision *d = find_decision(r->next_decision, s, read);
    if (!d)
        d = find_decision(r->decisions, s, read);
    if (d)
        r->next_decision = d->next;
    return d ? d->chosen : NULL;
}
