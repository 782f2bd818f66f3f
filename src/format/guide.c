/*
 * `guide of REF`: a partner's restrictions of a standard format.
 *
 * A line about every instance changes the tree itself; a line about the instances of a key becomes a rule that
 * node_check() applies.  What admits more than the standard must say `relax`.
 */
#include "format/loader.h"

#define GUIDE_STEPS 32

struct guideline {
    struct cursor cursor;
    const struct token *first;      /* of the path */
    const struct token *path_end;   /* the token behind it */
    const struct token *occurs;     /* NULL = none given */
    struct guide_step steps[GUIDE_STEPS];
    size_t nsteps;
    struct field *field;
    struct group *group;            /* the last group on the path */
    bool keyed, relax, unused;
    uint32_t min, max;
};

/* `Party["BY"]`: the path of the line as it is written. */
static struct slice path_text(const struct loader *l, const struct guideline *g)
{
    const char *text = l->conf->text.p;
    size_t stop = g->path_end->offset;
    while (stop > g->first->offset && (text[stop - 1] == ' ' || text[stop - 1] == '\t'))
        stop--;
    return slice_range(text + g->first->offset, text + stop);
}

static void widens(struct loader *l, struct guideline *g, const struct token *t, const char *what)
{
    if (!g->relax)
        loader_bad(l, t, "GUIDE_WIDENS", "write `relax` behind it if the partner really does that", "%s", what);
}

static const char *bounds_text(struct loader *l, uint32_t min, uint32_t max)
{
    if (max == OCCURS_MANY)
        return arena_printf(l->arena, "%u..*", min).p;
    return min == max ? arena_printf(l->arena, "%u", min).p : arena_printf(l->arena, "%u..%u", min, max).p;
}

/* ---- the path ---- */

static int no_member(struct loader *l, const struct token *t, const struct group *in)
{
    struct slice *names = arena_alloc(l->arena, (in->nmembers + 1) * sizeof *names);
    for (size_t i = 0; i < in->nmembers; i++)
        names[i] = in->members[i].field ? in->members[i].field->name : in->members[i].group->name;
    struct slice hint = problem_suggest(l->arena, t->text, names, in->nmembers);
    return loader_bad(l, t, "FMT_GUIDE", hint.p, "there is no `%.*s` in %.*s", SLICE_ARG(t->text), SLICE_ARG(in->name));
}

static int parse_keys(struct guideline *g, struct guide_step *step)
{
    struct cursor *c = &g->cursor;
    struct loader *l = c->loader;
    const struct token *t = cursor_peek(c);
    size_t cap = 0;
    g->keyed = true;
    do {
        struct slice text;
        int rc = cursor_string(c, &text);
        if (rc != OK)
            return rc;
        ARENA_PUSH(l->arena, step->keys, step->nkeys, cap) = text;
    } while (cursor_op(c, OP_COMMA));
    if (!cursor_op(c, OP_RBRACK))
        return loader_bad(l, cursor_peek(c), "FMT_GUIDE", NULL, "a `]` is missing");
    if (step->nkeys != step->group->nkeys)
        return loader_bad(l, t, "FMT_GUIDE", NULL, "%.*s has %zu key fields, not %zu", SLICE_ARG(step->group->name),
                          step->group->nkeys, step->nkeys);
    return OK;
}

static int parse_step(struct guideline *g)
{
    struct cursor *c = &g->cursor;
    const struct token *t = cursor_peek(c);
    struct slice name;
    int rc = cursor_word(c, "a path", &name);
    if (rc != OK)
        return rc;
    struct group *below = group_child(g->group, name);
    if (below == NULL) {
        g->field = group_field(g->group, name);
        return g->field ? OK : no_member(c->loader, t, g->group);
    }
    if (g->nsteps == GUIDE_STEPS)
        return loader_bad(c->loader, t, "FMT_GUIDE", NULL, "a path has at most %d steps", GUIDE_STEPS);
    struct guide_step *step = &g->steps[g->nsteps++];
    *step = (struct guide_step){ .group = below };
    g->group = below;
    return cursor_op(c, OP_LBRACK) ? parse_keys(g, step) : OK;
}

static int parse_path(struct guideline *g, struct group *message)
{
    int rc;
    g->group = message;
    cursor_op(&g->cursor, OP_SLASH);
    do
        rc = parse_step(g);
    while (rc == OK && g->field == NULL && cursor_op(&g->cursor, OP_SLASH));
    return rc;
}

/* ---- groups ---- */

static void group_line(struct loader *l, struct guideline *g)
{
    struct group *std = g->group, copy = *std;
    struct target t = { .on = ON_GUIDE, .group = &copy };
    if (g->occurs) {
        copy.min_occurs = g->min;
        copy.max_occurs = g->max;
    } else if (g->keyed) {
        copy.min_occurs = 0;
    }
    if (attributes_parse(&g->cursor, &t) != OK)
        return;
    if (copy.max_occurs > std->max_occurs || (!g->keyed && copy.min_occurs < std->min_occurs))
        widens(l, g, g->occurs ? g->occurs : g->first,
               arena_printf(l->arena, "%.*s %s admits more than the standard's %s", SLICE_ARG(path_text(l, g)),
                            bounds_text(l, copy.min_occurs, copy.max_occurs),
                            bounds_text(l, std->min_occurs, std->max_occurs))
                   .p);
    g->min = copy.min_occurs;
    g->max = copy.max_occurs;
    if (g->keyed)
        return;
    std->min_occurs = copy.min_occurs;
    std->max_occurs = copy.max_occurs;
    std->title = copy.title;
    std->token = *g->first;
    std->file = l->conf->file;
}

/* ---- fields ---- */

static bool adds_codes(const struct field *std, const struct field *f)
{
    for (size_t i = 0; std->codes && i < f->ncodes; i++) {
        bool known = false;
        for (size_t k = 0; k < std->ncodes && !known; k++)
            known = slice_equal(std->codes[k].value, f->codes[i].value);
        if (!known)
            return true;
    }
    return std->codes && f->codes == NULL;
}

static void compare_fields(struct loader *l, struct guideline *g, const struct field *std, const struct field *f)
{
    if (std->max && f->max > std->max)
        widens(l, g, g->first, arena_printf(l->arena, "max %u admits more than the standard's %u", f->max, std->max).p);
    if (f->min < std->min)
        widens(l, g, g->first, arena_printf(l->arena, "min %u admits more than the standard's %u", f->min, std->min).p);
    if (std->size && f->size != std->size)
        widens(l, g, g->first, arena_printf(l->arena, "size %u is not the standard's %u", f->size, std->size).p);
    if (adds_codes(std, f))
        widens(l, g, g->first, "the codes hold one that the standard does not have");
    if (std->flags & FIELD_REQUIRED && !(f->flags & FIELD_REQUIRED))
        widens(l, g, g->first, "the standard requires this field");
}

static void field_line(struct loader *l, struct guideline *g)
{
    struct field *f = arena_alloc(l->arena, sizeof *f);
    *f = *g->field;
    struct target t = { .on = ON_GUIDE, .field = f };
    if (g->occurs && g->min > 0)
        f->flags |= FIELD_REQUIRED;
    if (g->occurs && g->max == 0)
        f->flags = (f->flags & ~(uint32_t)FIELD_REQUIRED) | FIELD_UNUSED;
    if (g->occurs && g->min == 0 && g->max > 0)
        f->flags &= ~(uint32_t)FIELD_REQUIRED;
    if (attributes_parse(&g->cursor, &t) != OK)
        return;
    f->token = *g->first;
    f->file = l->conf->file;
    attributes_finish(l, f, g->first);
    compare_fields(l, g, g->field, f);
    if (g->keyed)
        g->field = f;
    else
        *g->field = *f;
}

/* ---- lines ---- */

static void add_rule(struct loader *l, struct guideline *g, struct group *message)
{
    struct format *f = l->format;
    const struct token *last = &g->cursor.statement->tokens[g->cursor.statement->n - 1];
    struct guide_rule rule = { .nsteps = g->nsteps,
                               .field = g->field,
                               .min_occurs = g->min,
                               .max_occurs = g->max,
                               .message = message,
                               .token = *g->first,
                               .title = last->kind == TOKEN_STRING ? last->text : slice_none() };
    size_t cap = f->nrules;
    rule.steps = arena_alloc(l->arena, (g->nsteps + 1) * sizeof *rule.steps);
    memcpy(rule.steps, g->steps, g->nsteps * sizeof *rule.steps);
    rule.path = path_text(l, g);
    ARENA_PUSH(l->arena, f->rules, f->nrules, cap) = rule;
}

static bool says(const struct statement *s, const char *word)
{
    for (size_t i = 1; i < s->n; i++)
        if (token_is(&s->tokens[i], word))
            return true;
    return false;
}

static void compile_line(struct loader *l, struct group *message, struct statement *s)
{
    struct guideline g = {
        .cursor = { .loader = l, .statement = s }, .first = s->tokens, .max = OCCURS_MANY, .relax = says(s, "relax")
    };
    if (s->has_block) {
        loader_bad(l, s->tokens, "FMT_BLOCK", NULL, "the lines of a guide have no blocks");
        return;
    }
    if (parse_path(&g, message) != OK)
        return;
    const struct token *t = cursor_peek(&g.cursor);
    g.path_end = t;
    if (cursor_more(&g.cursor) && (t->kind == TOKEN_NUMBER || t->kind == TOKEN_RANGE)) {
        if (!token_bounds(t, &g.min, &g.max)) {
            loader_bad(l, t, "FMT_OCCURS", NULL, "`%.*s` is no number of times", SLICE_ARG(t->text));
            return;
        }
        g.occurs = t;
        g.cursor.i++;
    }
    if (g.field)
        field_line(l, &g);
    else
        group_line(l, &g);
    if (g.keyed)
        add_rule(l, &g, message);
}

/* `message Order at "…"`: the same message under the partner's name of its version. */
static struct group *message_line(struct loader *l, struct statement *s)
{
    struct cursor c = { .loader = l, .statement = s, .i = 1 };
    const struct token *t = cursor_peek(&c);
    struct slice name;
    if (cursor_word(&c, "the name of a message", &name) != OK)
        return NULL;
    struct group *g = group_child(l->format->file_group, name);
    if (g == NULL || !g->is_message) {
        no_member(l, t, l->format->file_group);
        return NULL;
    }
    struct target target = { .on = ON_MESSAGE, .group = g };
    attributes_parse(&c, &target);
    return g;
}

/* The standard's tree becomes this format's; headers of the guide stand above its own. */
static void adopt(struct loader *l, const struct format *std, struct slice ref)
{
    struct format own = *l->format, *f = l->format;
    size_t cap;
    *f = *std;
    f->name = own.name;
    f->file = own.file;
    f->conf = own.conf;
    f->guide_of = ref;
    if (own.charset_given) {
        f->charset = own.charset;
        f->charset_text = own.charset_text;
        f->charset_given = true;
    }
    cap = std->nconfs;
    for (size_t i = 0; i < own.nconfs; i++)
        ARENA_PUSH(l->arena, f->confs, f->nconfs, cap) = own.confs[i];
    cap = std->noptions;
    for (size_t i = 0; i < own.noptions; i++)
        ARENA_PUSH(l->arena, f->options, f->noptions, cap) = own.options[i];
    if (own.nreplacements) {
        f->replacements = own.replacements;
        f->nreplacements = own.nreplacements;
    }
    for (size_t i = 0; i < f->ngroups; i++)
        f->all_groups[i]->format = f;
    buf_add(&l->source, std->text_hash_source);
}

int guide_apply(struct loader *l)
{
    struct cursor c = { .loader = l, .statement = l->guide->statement, .i = 2 };
    struct format *std = NULL;
    struct slice ref;
    const struct token *t = cursor_peek(&c);
    l->conf = l->guide->conf;
    if (cursor_ref(&c, &ref) != OK || cursor_done(&c) != OK)
        return STOP;
    const char *path = finder_find(l->finder, l->arena, ref, ".format", l->conf->file);
    if (path == NULL)
        return loader_bad(l, t, "FMT_MISSING", NULL, "there is no format `%.*s`", SLICE_ARG(ref));
    if (l->conf->file && strcmp(path, l->conf->file) == 0)
        return loader_bad(l, t, "FMT_CYCLE", NULL, "`%.*s` is a guide of itself", SLICE_ARG(ref));
    if (l->guides == FORMAT_GUIDES)
        return loader_bad(l, t, "FMT_CYCLE", NULL, "`%.*s` is a guide of a guide of … without end", SLICE_ARG(ref));
    if (loader_standard(l, ref, &std) != OK || std->nmessages == 0)
        return loader_bad(l, t, "FMT_GUIDE", NULL, "`%.*s` cannot be restricted: it has %s", SLICE_ARG(ref), std && !std->nmessages ? "no message" : "faults");
    adopt(l, std, ref);
    struct group *message = l->format->messages[0];
    for (size_t i = 0; i < l->nmembers; i++) {
        struct statement *s = l->members[i].statement;
        l->conf = l->members[i].conf;
        if (token_is(s->tokens, "message") && !s->has_block) {
            struct group *named = message_line(l, s);
            message = named ? named : message;
        } else {
            compile_line(l, message, s);
        }
    }
    keys_resolve(l);
    format_finish(l->arena, l->format);
    return l->failed ? STOP : OK;
}
