/* What a format demands of a tree: required fields, numbers of groups, the lines of a guide. */
#include "message/node.h"

#include "base/file.h"
#include "format/type.h"

struct check {
    struct arena *arena;
    struct problems *problems;
    int status;
};

static struct place place_of(const struct node *n, const struct value *v)
{
    uint64_t at = v && v->at != VALUE_NO_PLACE ? v->at : VALUE_NO_PLACE;
    for (; n && at == VALUE_NO_PLACE; n = n->parent)
        at = n->at;
    return (struct place){ .offset = at == VALUE_NO_PLACE ? PLACE_NO_OFFSET : at };
}

static struct slice says(struct check *c, const char *file, const struct token *t, const char *what)
{
    if (!file || t->line == 0)
        return slice_none();
    return arena_printf(c->arena, "%s:%u says %s", file_base(file), t->line, what);
}

static void complain(struct check *c, const char *code, struct place place, struct slice path, struct slice text,
                     struct slice hint)
{
    problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = code, .place = place, .path = path,
                                                .text = text, .hint = hint });
    c->status = SKIP;
}

static void check_field(struct check *c, const struct node *n, const struct field *f)
{
    const struct value *v = node_value(n, f);
    bool there = v->state == VALUE_PRESENT || v->form & VALUE_LAX;
    if (f->flags & FIELD_UNUSED && there)
        complain(c, "GUIDE_UNUSED", place_of(n, v), node_path(c->arena, n, f),
                 SLICE("is not used here and has a value"), says(c, f->file, &f->token, "unused"));
    else if (f->flags & FIELD_REQUIRED && !there)
        complain(c, "REQUIRED", place_of(n, v), node_path(c->arena, n, f),
                 v->state == VALUE_ABSENT ? SLICE("a value is required and missing")
                                          : SLICE("a value is required and empty"),
                 says(c, f->file, &f->token, "required"));
}

static const char *occurs_text(struct arena *a, uint32_t min, uint32_t max)
{
    struct slice s = max == OCCURS_MANY ? arena_printf(a, "%u..*", min) : min == max ? arena_printf(a, "%u", min)
                                                                            : arena_printf(a, "%u..%u", min, max);
    return s.p;
}

static struct slice times(struct check *c, uint32_t n)
{
    return n == 1 ? SLICE("stands once") : arena_printf(c->arena, "stands %u times", n);
}

static struct slice child_path(struct check *c, const struct node *n, const struct group *g)
{
    struct slice above = node_path(c->arena, n, NULL);
    bool outside = !n->group->parent;
    return arena_printf(c->arena, "%.*s%s%.*s", SLICE_ARG(above), outside || above.n ? "/" : "", SLICE_ARG(g->name));
}

static void complain_number(struct check *c, const struct node *n, const struct group *g, uint32_t found)
{
    struct slice hint = says(c, g->file, &g->token, occurs_text(c->arena, g->min_occurs, g->max_occurs));
    if (found == 0)
        complain(c, "REQUIRED", place_of(n, NULL), child_path(c, n, g), SLICE("is required and missing"), hint);
    else
        complain(c, "OCCURS", place_of(n, NULL), child_path(c, n, g), times(c, found),
                 hint);
}

/* What nearly all are: a required field that has its value. */
static inline bool is_fine(const struct node *n, const struct field *f)
{
    return !(f->flags & FIELD_UNUSED) && node_value(n, f)->state == VALUE_PRESENT;
}

static void check_node(struct check *c, const struct node *n)
{
    const struct group *g = n->group;
    for (size_t i = 0; i < g->nchecked; i++)
        if (!is_fine(n, g->checked[i]))
            check_field(c, n, g->checked[i]);
    for (size_t i = 0; i < g->nbounded; i++) {
        const struct group *below = g->bounded[i];
        const struct node_list *list = node_list(n, below);
        if (list->n < below->min_occurs || list->n > below->max_occurs)
            complain_number(c, n, below, list->n);
        if (below->nchecked || below->nbounded)
            for (const struct node *child = list->first; child; child = child->next)
                check_node(c, child);
    }
}

static bool has_key(const struct node *n, const struct guide_step *step)
{
    for (size_t i = 0; i < step->nkeys && i < n->group->nkeys; i++) {
        const struct value *v = node_key_value(n, &n->group->keys[i]);
        if (!v || !slice_equal(value_text(v), step->keys[i]))
            return false;
    }
    return true;
}

static void rule_field(struct check *c, const struct node *n, const struct guide_rule *r)
{
    const struct value *v = node_value(n, r->field);
    struct fault fault = { 0 };
    check_field(c, n, r->field);
    if (!value_is(v) || type_check(r->field, value_text(v), c->arena, &fault) == OK)
        return;
    problem_add(c->problems, &(struct problem){
                                 .severity = PROBLEM_ERROR,
                                 .code = fault.code,
                                 .place = place_of(n, v),
                                 .path = node_path(c->arena, n, r->field),
                                 .value = r->field->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : value_text(v),
                                 .text = fault.text,
                                 .hint = fault.hint,
                             });
    c->status = SKIP;
}

static void rule_step(struct check *c, const struct node *n, const struct guide_rule *r, size_t depth)
{
    const struct guide_step *step = &r->steps[depth];
    uint32_t found = 0;
    for (const struct node *child = node_list(n, step->group)->first; child; child = child->next) {
        if (!has_key(child, step))
            continue;
        found++;
        if (depth + 1 < r->nsteps)
            rule_step(c, child, r, depth + 1);
        else if (r->field)
            rule_field(c, child, r);
    }
    if (r->field || depth + 1 < r->nsteps || (found >= r->min_occurs && found <= r->max_occurs))
        return;
    struct slice text = SLICE("is required here and missing");
    if (found > 0)
        text = r->max_occurs == 0 ? SLICE("is not used here") : times(c, found);
    complain(c,
             found == 0           ? "REQUIRED"
             : r->max_occurs == 0 ? "GUIDE_UNUSED"
                                  : "OCCURS",
             place_of(n, NULL), r->path, text,
             says(c, step->group->format->file, &r->token, occurs_text(c->arena, r->min_occurs, r->max_occurs)));
}

int node_check(const struct node *n, struct arena *a, struct problems *ps)
{
    struct check c = { .arena = a, .problems = ps };
    const struct format *f = n->group->format;
    check_node(&c, n);
    for (size_t i = 0; n->group->is_message && i < f->nrules; i++)
        if (f->rules[i].message == n->group)
            rule_step(&c, n, &f->rules[i], 0);
    return c.status;
}
