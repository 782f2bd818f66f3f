/* Messages, groups, shapes and fields: statements become the tree. */
#include "format/loader.h"

#include "format/spell.h"

#define TYPE_DEPTH 64               /* types made of types */

static void compile_block(struct loader *l, struct group *g, struct statement *first);

/* ---- types ---- */

int type_find(struct loader *l, struct slice name)
{
    (void)l;
    for (enum type type = TYPE_TEXT; type <= TYPE_BINARY; type++)
        if (slice_is(name, type_names[type]))
            return (int)type;
    return -1;
}

static bool is_declared(struct loader *l, struct slice name)
{
    return type_find(l, name) >= 0 || map_get(&l->types, name) || map_get(&l->shapes, name);
}

const char *type_suggest(struct loader *l, struct slice name)
{
    struct slice *names = arena_alloc(l->arena, (l->types.n + l->shapes.n + 8) * sizeof *names);
    size_t n = 0;
    for (enum type type = TYPE_TEXT; type <= TYPE_BINARY; type++)
        names[n++] = slice_of(type_names[type]);
    for (size_t i = 0; i < l->types.n; i++)
        names[n++] = l->types.entries[i].key;
    for (size_t i = 0; i < l->shapes.n; i++)
        names[n++] = l->shapes.entries[i].key;
    return problem_suggest(l->arena, name, names, n).p;
}

/* The attributes of a declaration, in its own file and quietly: its faults were reported when it was checked. */
static void apply_attributes(struct loader *l, const struct declared *d, size_t from, struct field *f)
{
    struct conf *here = l->conf;
    struct cursor c = { .loader = l, .statement = d->statement, .i = from };
    struct target t = { .on = ON_TYPE, .field = f };
    l->conf = d->conf;
    l->quiet++;
    attributes_parse(&c, &t);
    l->quiet--;
    l->conf = here;
}

static void apply_defaults(struct loader *l, struct field *f, enum type type)
{
    f->type = type;
    for (size_t i = 0; i < l->ndefaults; i++)
        if (l->defaults[i].statement->n > 1 && token_is(&l->defaults[i].statement->tokens[1], type_names[type]))
            apply_attributes(l, &l->defaults[i], 2, f);
}

/* Gives the field type and attributes of a type by name; false when there is none or it is made of itself. */
static bool apply_type(struct loader *l, struct field *f, struct slice name, unsigned depth)
{
    const struct declared *d = map_get(&l->types, name);
    int base = d ? -1 : type_find(l, name);
    if (base >= 0) {
        apply_defaults(l, f, (enum type)base);
        return true;
    }
    if (d == NULL || depth > TYPE_DEPTH || d->statement->n < 3
        || !apply_type(l, f, d->statement->tokens[2].text, depth + 1))
        return false;
    apply_attributes(l, d, 3, f);
    return true;
}

static struct field *scratch_field(struct loader *l)
{
    struct field *f = arena_zero(l->arena, sizeof *f);
    f->max_occurs = 1;
    f->scale_min = f->scale_max = -1;
    return f;
}

static void check_type(struct loader *l, const struct declared *d)
{
    struct field *f = scratch_field(l);
    struct cursor c = { .loader = l, .statement = d->statement, .i = 2 };
    struct target t = { .on = ON_TYPE, .field = f };
    struct slice base;
    l->conf = d->conf;
    const struct token *name = cursor_peek(&c);
    if (cursor_word(&c, "a type", &base) != OK)
        return;
    if (!apply_type(l, f, base, 0)) {
        if (map_get(&l->types, base) || type_find(l, base) >= 0) {
            loader_bad(l, name, "FMT_CYCLE", NULL, "the type `%.*s` is made of itself, or of one that is wrong",
                       SLICE_ARG(base));
            return;
        }
        const char *hint = type_suggest(l, base);
        loader_bad(l, name, "FMT_TYPE", hint, "there is no type `%.*s`", SLICE_ARG(base));
        return;
    }
    if (attributes_parse(&c, &t) == OK)
        attributes_finish(l, f, name);
}

static void check_default(struct loader *l, const struct declared *d)
{
    struct cursor c = { .loader = l, .statement = d->statement, .i = 1 };
    struct target t = { .on = ON_TYPE, .field = scratch_field(l) };
    struct slice name;
    l->conf = d->conf;
    const struct token *at = cursor_peek(&c);
    if (cursor_word(&c, "a type", &name) != OK)
        return;
    int type = type_find(l, name);
    if (type < 0) {
        const char *hint = type_suggest(l, name);
        loader_bad(l, at, "FMT_TYPE", hint ? hint : "a default is stated for text, integer, decimal, date, time, datetime, boolean or binary",
                   "there is no type `%.*s`", SLICE_ARG(name));
        return;
    }
    t.field->type = (enum type)type;
    if (!cursor_more(&c))
        loader_bad(l, cursor_peek(&c), "FMT_VALUE", NULL, "a default without attributes says nothing");
    if (attributes_parse(&c, &t) == OK)
        attributes_finish(l, t.field, at);
}

/* ---- occurs ---- */

int occurs_parse(struct cursor *c, uint32_t *min, uint32_t *max)
{
    const struct token *t = cursor_peek(c);
    if (!cursor_more(c) || (t->kind != TOKEN_NUMBER && t->kind != TOKEN_RANGE))
        return OK;
    if (!token_bounds(t, min, max) || *max == 0)
        return loader_bad(c->loader, t, "FMT_OCCURS", "`1`, `0..1`, `1..*`", "`%.*s` is no number of times",
                          SLICE_ARG(t->text));
    c->i++;
    return OK;
}

/* ---- members ---- */

static bool has_room(struct loader *l, const struct token *t)
{
    if (l->nfields < FORMAT_FIELDS && l->ngroups < FORMAT_GROUPS && l->made++ < FORMAT_WORK && l->depth < FORMAT_DEPTH)
        return true;
    unsigned quiet = l->quiet;
    l->quiet = l->full ? 1 : 0;     /* said once, wherever it happens */
    loader_bad(l, t, "FMT_LIMIT", NULL, "a format has at most %d fields and %d groups, %d deep", FORMAT_FIELDS,
               FORMAT_GROUPS, FORMAT_DEPTH);
    l->quiet = quiet;
    l->full = true;
    return false;
}

/* A name is taken by one member only. */
static bool is_free(struct loader *l, const struct group *g, const struct token *t)
{
    if (l->full)
        return true;                /* it gets no room: looking through all the others would take minutes */
    const struct field *f = group_field(g, t->text);
    const struct group *child = group_child(g, t->text);
    if (f == NULL && child == NULL)
        return true;
    loader_bad(l, t, "FMT_TWICE", NULL, "`%.*s` stands here already, in line %u", SLICE_ARG(t->text),
               f ? f->token.line : child->token.line);
    return false;
}

static struct group *new_group(struct loader *l, struct group *parent, const struct token *t, uint32_t min,
                               uint32_t max)
{
    struct group *g = group_add(l->arena, parent, arena_cstr(l->arena, t->text), min, max);
    g->token = *t;
    g->file = l->conf->file;
    l->ngroups++;
    return g;
}

static void finish_group(struct loader *l, struct group *g)
{
    if (g->at.kind == AT_NONE)
        spelling_of_name(l, &g->at, g->name, &g->token);
}

/* Fills a group with the members of a shape, in the shape's own file. */
static void expand_shape(struct loader *l, struct group *g, struct declared *shape, const struct token *used)
{
    struct conf *here = l->conf;
    if (shape->busy) {
        unsigned quiet = l->quiet;
        l->quiet = shape->cyclic ? 1 : 0;
        loader_bad(l, used, "FMT_CYCLE", NULL, "the shape `%.*s` holds itself",
                   SLICE_ARG(shape->statement->tokens[1].text));
        l->quiet = quiet;
        shape->cyclic = true;
        return;
    }
    shape->busy = true;
    l->conf = shape->conf;
    l->quiet++;
    l->depth++;
    struct cursor c = { .loader = l, .statement = shape->statement, .i = 2 };
    struct target t = { .on = ON_SHAPE, .group = g };
    attributes_parse(&c, &t);
    compile_block(l, g, shape->statement->block);
    l->depth--;
    l->quiet--;
    l->conf = here;
    shape->busy = false;
}

static void compile_shape_use(struct loader *l, struct group *parent, struct cursor *c, const struct token *name,
                              struct declared *shape)
{
    uint32_t min = 0, max = 1;
    const struct token *used = cursor_peek(c);
    if (occurs_parse(c, &min, &max) != OK || !has_room(l, name))
        return;
    struct group *g = new_group(l, parent, name, min, max);
    struct target t = { .on = ON_GROUP, .group = g };
    expand_shape(l, g, shape, used);
    attributes_parse(c, &t);
    finish_group(l, g);
}

/* A field that may stand many times is a group with one value, named "." */
static struct field *add_repeated(struct loader *l, struct group *parent, const struct token *name, uint32_t min,
                                  uint32_t max)
{
    static const struct step own_text = { .name = { ".", 1 } };
    struct group *g = new_group(l, parent, name, min, max);
    struct field *f = group_add_field(l->arena, g, ".", TYPE_TEXT);
    g->single_value = true;
    f->at = (struct spelling){
        .kind = AT_PATH, .steps = arena_zero(l->arena, sizeof own_text), .nsteps = 1, .token = *name
    };
    f->at.steps[0] = own_text;
    return f;
}

/* Place, title and `required` of a repeated field belong to its group. */
static void move_to_group(struct loader *l, struct field *f, struct spelling own)
{
    struct group *g = f->group;
    g->title = f->title;
    g->at = f->at;
    f->at = own;
    if (f->flags & FIELD_REQUIRED && g->min_occurs == 0)
        g->min_occurs = 1;
    f->flags &= ~(uint32_t)FIELD_REQUIRED;
    finish_group(l, g);
}

static void compile_field(struct loader *l, struct group *parent, struct cursor *c, const struct token *name,
                          struct slice type)
{
    uint32_t min = 0, max = 1;
    if (occurs_parse(c, &min, &max) != OK || !has_room(l, name))
        return;
    bool repeated = max > 1;
    struct field *f = repeated ? add_repeated(l, parent, name, min, max)
                               : group_add_field(l->arena, parent, arena_cstr(l->arena, name->text), TYPE_TEXT);
    struct spelling own = f->at;
    struct target t = { .on = ON_FIELD, .field = f };
    f->at = (struct spelling){ 0 };
    f->token = *name;
    f->file = l->conf->file;
    l->nfields++;
    apply_type(l, f, type, 0);
    attributes_parse(c, &t);
    if (repeated)
        move_to_group(l, f, own);
    else if (min > 0)
        f->flags |= FIELD_REQUIRED;
    f->min_occurs = f->flags & FIELD_REQUIRED ? 1 : 0;
    spelling_of_name(l, &f->at, f->name, name);
    attributes_finish(l, f, name);
}

static const char *suggest_keyword(struct loader *l, struct slice name)
{
    struct slice names[32];
    size_t n = 0;
    while (n < 32 && header_words[n]) {
        names[n] = slice_of(header_words[n]);
        n++;
    }
    return problem_suggest(l->arena, name, names, n).p;
}

/* Neither the second word nor the first is a type: what was meant? */
static void no_type(struct loader *l, struct group *parent, const struct token *name, const struct token *second)
{
    const char *hint = second ? type_suggest(l, second->text) : type_suggest(l, name->text);
    const char *keyword = parent->parent ? NULL : suggest_keyword(l, name->text);
    if (hint == NULL && keyword)
        loader_bad(l, name, "FMT_WORD", keyword, "unknown word `%.*s`", SLICE_ARG(name->text));
    else if (second)
        loader_bad(l, second, "FMT_TYPE", hint ? hint : "text, integer, decimal, date, time, datetime, boolean, binary or a shape",
                   "there is no type or shape `%.*s`", SLICE_ARG(second->text));
    else
        loader_bad(l, name, "FMT_TYPE", hint ? hint : "write a type behind it: text, integer, decimal, date …", "`%.*s` has no type",
                   SLICE_ARG(name->text));
}

/* NAME [ TYPE ] [ occurs ] { attr }; a member that is called like a keyword is written ./NAME */
static void compile_plain(struct loader *l, struct group *parent, struct statement *s)
{
    size_t at = s->n > 2 && token_op(&s->tokens[0], OP_DOT) && token_op(&s->tokens[1], OP_SLASH) ? 2 : 0;
    struct cursor c = { .loader = l, .statement = s, .i = at + 1 };
    const struct token *name = &s->tokens[at], *second = s->n > at + 1 ? &s->tokens[at + 1] : NULL;
    struct slice type = name->text;
    bool self = map_get(&l->types, name->text) || map_get(&l->shapes, name->text);
    bool names_type = second && is_declared(l, second->text)
                      && (second->kind == TOKEN_NAME || (second->kind == TOKEN_NUMBER && !self));
    if (!token_is_word(name)) {
        loader_bad(l, name, "FMT_WORD", NULL, "a member begins with its name, found %s", token_shown(l, name));
        return;
    }
    if (names_type) {
        type = second->text;
        c.i = at + 2;
    } else if (!self && type_find(l, type) < 0) {
        no_type(l, parent, name, second && second->kind == TOKEN_NAME ? second : NULL);
        return;
    }
    if (s->has_block)
        loader_bad(l, name, "FMT_BLOCK", "write `group` before the name", "only message, group and shape have a block");
    if (!is_free(l, parent, name))
        return;
    struct declared *shape = map_get(&l->types, type) ? NULL : map_get(&l->shapes, type);
    if (shape)
        compile_shape_use(l, parent, &c, name, shape);
    else
        compile_field(l, parent, &c, name, type);
}

static void compile_group(struct loader *l, struct group *parent, struct statement *s)
{
    struct cursor c = { .loader = l, .statement = s, .i = 1 };
    const struct token *name = cursor_peek(&c);
    uint32_t min = 0, max = 1;
    struct slice text;
    if (cursor_word(&c, "the name of a group", &text) != OK || !is_free(l, parent, name)
        || occurs_parse(&c, &min, &max) != OK || !has_room(l, name))
        return;
    struct group *g = new_group(l, parent, name, min, max);
    struct target t = { .on = ON_GROUP, .group = g };
    attributes_parse(&c, &t);
    finish_group(l, g);
    compile_block(l, g, s->block);
}

static void compile_message(struct loader *l, struct group *parent, struct statement *s)
{
    struct cursor c = { .loader = l, .statement = s, .i = 1 };
    const struct token *name = cursor_peek(&c);
    struct slice text;
    if (parent->parent || parent != l->format->file_group) {
        loader_bad(l, s->tokens, "FMT_BLOCK", "write `group`", "a message stands at the outermost level of a format");
        return;
    }
    if (cursor_word(&c, "the name of a message", &text) != OK || !is_free(l, parent, name) || !has_room(l, name))
        return;
    struct group *g = new_group(l, parent, name, 0, OCCURS_MANY);
    struct target t = { .on = ON_MESSAGE, .group = g };
    g->is_message = true;
    attributes_parse(&c, &t);
    finish_group(l, g);
    compile_block(l, g, s->block);
}

/* `message X`, `group X` without a block, unless X is a type and the keyword a member's name. */
static bool lacks_block(struct loader *l, struct statement *s)
{
    bool keyword = token_is(s->tokens, "message") || token_is(s->tokens, "group") || token_is(s->tokens, "shape");
    if (!keyword || s->has_block || (s->n > 1 && is_declared(l, s->tokens[1].text)))
        return false;
    loader_bad(l, &s->end, "FMT_BLOCK", NULL, "a %.*s needs a block: `{`, its members, `}`",
               SLICE_ARG(s->tokens[0].text));
    return true;
}

static void compile_member(struct loader *l, struct group *parent, struct statement *s)
{
    if (l->full || lacks_block(l, s))
        return;
    if (s->has_block && token_is(s->tokens, "message"))
        compile_message(l, parent, s);
    else if (s->has_block && token_is(s->tokens, "group"))
        compile_group(l, parent, s);
    else
        compile_plain(l, parent, s);
}

static void compile_block(struct loader *l, struct group *g, struct statement *first)
{
    for (struct statement *s = first; s; s = s->next)
        compile_member(l, g, s);
}

/* A shape for itself, in a tree that nobody sees: its faults are told here and nowhere else. */
static void check_shape(struct loader *l, struct declared *d)
{
    struct format *own;
    struct group *root = format_new(l->arena, "", "", &own), *g;
    struct cursor c = { .loader = l, .statement = d->statement, .i = 2 };
    size_t fields = l->nfields, groups = l->ngroups;
    l->conf = d->conf;
    g = group_add(l->arena, root, arena_cstr(l->arena, d->statement->tokens[1].text), 0, 1);
    struct target t = { .on = ON_SHAPE, .group = g };
    d->busy = true;
    attributes_parse(&c, &t);
    compile_block(l, g, d->statement->block);
    d->busy = false;
    l->nfields = fields;
    l->ngroups = groups;
}

int members_compile(struct loader *l)
{
    for (size_t i = 0; i < l->ndefaults; i++)
        check_default(l, &l->defaults[i]);
    for (size_t i = 0; i < l->types.n; i++)
        if (l->types.entries[i].value)
            check_type(l, l->types.entries[i].value);
    for (size_t i = 0; i < l->shapes.n; i++)
        if (l->shapes.entries[i].value)
            check_shape(l, l->shapes.entries[i].value);
    for (size_t i = 0; i < l->nmembers; i++) {
        l->conf = l->members[i].conf;
        compile_member(l, l->format->file_group, l->members[i].statement);
    }
    return l->failed ? STOP : OK;
}
