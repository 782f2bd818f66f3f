/* The headers of a format file, and its declarations: everything at the outermost level that is no member. */
#include "format/loader.h"

/* The options of all syntaxes (LANGUAGE.md section 2); what fits which syntax is for its plan() to say. */
static const struct known_option {
    const char *name;
    bool bare;                      /* may stand alone: `lines` */
} known_options[] = {
    { "delimiter", false }, { "quote", false }, { "header", false },     { "newline", false }, { "bom", true },
    { "tag", false },       { "width", false }, { "declaration", true }, { "indent", true },   { "lines", true },
    { "sheet-safe", true },
};

const char *const header_words[] = {
    "syntax", "encoding", "namespace", "include", "guide", "default", "type", "codes", "shape", "replace", "message", "group",
    "delimiter", "quote", "header", "newline", "bom", "width", "declaration", "indent", "lines",
    "sheet-safe", NULL,
};

static const char *const syntaxes[] = { "csv", "fixed", "xml", "json", "edifact", "x12", "tradacoms" };

static const struct known_option *find_option(struct slice name)
{
    for (size_t i = 0; i < sizeof known_options / sizeof *known_options; i++)
        if (slice_is(name, known_options[i].name))
            return &known_options[i];
    return NULL;
}

/* NAME [ value ]: a bare option takes the next word only when that is no option itself. */
static int parse_option(struct cursor *c)
{
    struct loader *l = c->loader;
    struct format *f = l->format;
    struct header option = { .token = *cursor_peek(c), .value = slice_none() };
    size_t cap = f->noptions;
    int rc = cursor_word(c, "the name of an option", &option.name);
    const struct known_option *known = rc == OK ? find_option(option.name) : NULL;
    const struct token *t = cursor_peek(c);
    bool follows = cursor_more(c) && !(known && known->bare && t->kind == TOKEN_NAME && find_option(t->text));
    if (rc == OK && follows)
        rc = cursor_value(c, &option.value);
    else if (rc == OK && known && !known->bare)
        rc = loader_bad(l, t, "FMT_OPTION", NULL, "`%.*s` needs a value", SLICE_ARG(option.name));
    if (rc == OK)
        ARENA_PUSH(l->arena, f->options, f->noptions, cap) = option;
    return rc;
}

static int parse_syntax(struct cursor *c)
{
    struct loader *l = c->loader;
    struct slice name, list[sizeof syntaxes / sizeof *syntaxes];
    const struct token *t = cursor_peek(c);
    size_t n = sizeof syntaxes / sizeof *syntaxes;
    bool known = false;
    int rc = cursor_word(c, "the name of a syntax", &name);
    for (size_t i = 0; rc == OK && i < n; i++) {
        list[i] = slice_of(syntaxes[i]);
        known = known || slice_equal(name, list[i]);
    }
    if (rc == OK && !known) {
        struct slice hint = problem_suggest(l->arena, name, list, n);
        rc = loader_bad(l, t, "FMT_SYNTAX", hint.n ? hint.p : "csv, fixed, xml, json, edifact, x12, tradacoms", "there is no syntax `%.*s`",
                        SLICE_ARG(name));
    }
    /* an including file of another syntax takes the types of the included one, not its dialect */
    if (rc == OK && l->format->syntax.n && !slice_equal(l->format->syntax, name))
        l->format->noptions = 0;
    if (rc == OK)
        l->format->syntax = name;
    while (rc == OK && cursor_more(c))
        rc = parse_option(c);
    return rc;
}

static int parse_encoding(struct cursor *c)
{
    struct loader *l = c->loader;
    struct slice name;
    const struct token *t = cursor_peek(c);
    int rc = cursor_value(c, &name);
    if (rc != OK)
        return rc;
    l->format->charset = charset_find(name);
    l->format->charset_given = true;
    l->format->charset_text = name;
    if (l->format->charset == CHARSET_UNKNOWN) {
        struct slice hint = problem_suggest(l->arena, name, charset_names, charset_names_count);
        return loader_bad(l, t, "FMT_ENCODING", hint.p, "the encoding `%.*s` is not known", SLICE_ARG(name));
    }
    return cursor_done(c);
}

/* Lists that are walked for each value or field are short. */
static int few(struct loader *l, const struct token *t, size_t n)
{
    if (n < FORMAT_FEW)
        return OK;
    return loader_bad(l, t, "FMT_LIMIT", NULL, "a format has at most %d of these", FORMAT_FEW);
}

static int parse_namespace(struct cursor *c)
{
    struct format *f = c->loader->format;
    struct namespace ns = { .prefix = SLICE("") };
    size_t cap = f->nnamespaces;
    int rc = OK;
    if (cursor_more(c) && token_is_word(cursor_peek(c)))
        rc = cursor_word(c, "a prefix", &ns.prefix);
    if (rc == OK)
        rc = cursor_string(c, &ns.uri);
    if (rc == OK)
        rc = few(c->loader, &c->statement->tokens[0], f->nnamespaces);
    if (rc == OK)
        ARENA_PUSH(c->loader->arena, f->namespaces, f->nnamespaces, cap) = ns;
    return rc == OK ? cursor_done(c) : rc;
}

static int parse_replace(struct cursor *c)
{
    struct format *f = c->loader->format;
    struct replacement r;
    size_t cap = f->nreplacements;      /* copied each time: there are few */
    const struct token *t = cursor_peek(c);
    int rc = cursor_string(c, &r.from);
    if (rc == OK && r.from.n == 0)
        rc = loader_bad(c->loader, t, "FMT_VALUE", NULL, "nothing cannot be replaced");
    if (rc == OK)
        rc = cursor_string(c, &r.to);
    if (rc == OK)
        rc = few(c->loader, t, f->nreplacements);
    if (rc == OK)
        ARENA_PUSH(c->loader->arena, f->replacements, f->nreplacements, cap) = r;
    return rc == OK ? cursor_done(c) : rc;
}

static struct declared *declare(struct loader *l, struct statement *s)
{
    struct declared *d = arena_zero(l->arena, sizeof *d);
    d->conf = l->conf;
    d->statement = s;
    return d;
}

static bool same_file(const struct map_entry *e, const struct loader *l)
{
    return e->value && ((struct declared *)e->value)->conf == l->conf;
}

/* Puts it under its name; the including file's own declaration replaces an included one. */
static int enter(struct cursor *c, struct map *into, const char *what, struct declared *d)
{
    struct slice name;
    const struct token *t = cursor_peek(c);
    int rc = cursor_word(c, "a name", &name);
    if (rc != OK)
        return rc;
    struct map_entry *e = map_at(into, name);
    if (same_file(e, c->loader))
        return loader_bad(c->loader, t, "FMT_TWICE", NULL, "%s `%.*s` stands here already, in line %u", what,
                          SLICE_ARG(name), ((struct declared *)e->value)->statement->tokens[0].line);
    e->value = d;
    return OK;
}

static int parse_codes(struct cursor *c, struct statement *s)
{
    struct loader *l = c->loader;
    struct declared *d = declare(l, s);
    size_t cap = 0;
    int rc = enter(c, &l->codes, "codes", d);
    if (rc == OK && !s->has_block) {
        struct slice file;
        const struct token *t = cursor_peek(c);
        rc = cursor_string(c, &file);
        return rc == OK ? codes_load(l, t, file, d) : rc;
    }
    for (struct statement *line = s->block; rc == OK && line; line = line->next) {
        struct cursor each = { .loader = l, .statement = line };
        struct code code = { .title = slice_none() };
        rc = cursor_value(&each, &code.value);
        if (rc == OK && cursor_more(&each))
            rc = cursor_string(&each, &code.title);
        if (rc == OK)
            rc = cursor_done(&each);
        ARENA_PUSH(l->arena, d->codes, d->ncodes, cap) = code;
    }
    return rc;
}

static int parse_default(struct cursor *c, struct statement *s)
{
    struct loader *l = c->loader;
    int rc = few(l, &s->tokens[0], l->ndefaults);
    if (rc == OK)
        ARENA_PUSH(l->arena, l->defaults, l->ndefaults, l->defaults_cap) =
            (struct declared){ .conf = l->conf, .statement = s };
    return rc;
}

/* Whether this file, or one that it includes, declares a type or shape of the name, maybe further down. */
static bool declares(const struct loader *l, struct slice name)
{
    if (map_get(&l->types, name) || map_get(&l->shapes, name))
        return true;
    for (const struct statement *s = l->conf->first; s; s = s->next)
        if (s->n > 1 && (token_is(s->tokens, "type") || token_is(s->tokens, "shape"))
            && slice_equal(s->tokens[1].text, name))
            return true;
    return false;
}

/* A statement `delimiter ";"` of its own: a known option, alone or with one value that is no type. */
static bool is_option(const struct loader *l, const struct statement *s)
{
    const struct token *t = s->tokens;
    const struct known_option *known = t->kind == TOKEN_NAME ? find_option(t->text) : NULL;
    if (known == NULL || s->has_block || s->n > 2)
        return false;
    if (s->n == 1)
        return known->bare;
    for (enum type type = TYPE_TEXT; type <= TYPE_BINARY; type++)
        if (token_is(&t[1], type_names[type]))
            return false;
    return t[1].kind != TOKEN_OP && !(t[1].kind == TOKEN_NAME && declares(l, t[1].text));
}

int header_take(struct loader *l, struct statement *s)
{
    struct cursor c = { .loader = l, .statement = s };
    const struct token *t = s->tokens;
    if (is_option(l, s)) {
        parse_option(&c);
        return 1;
    }
    c.i = 1;
    if (token_is(t, "shape") && s->has_block)
        enter(&c, &l->shapes, "the shape", declare(l, s));
    else if (token_is(t, "codes") && s->n > 1 && token_is_word(&t[1]) && (s->has_block || s->n == 3))
        parse_codes(&c, s);
    else if (s->has_block)
        return 0;
    else if (token_is(t, "syntax"))
        parse_syntax(&c);
    else if (token_is(t, "encoding"))
        parse_encoding(&c);
    else if (token_is(t, "namespace"))
        parse_namespace(&c);
    else if (token_is(t, "replace"))
        parse_replace(&c);
    else if (token_is(t, "default"))
        parse_default(&c, s);
    else if (token_is(t, "type"))
        enter(&c, &l->types, "the type", declare(l, s));
    else
        return 0;
    return 1;
}
