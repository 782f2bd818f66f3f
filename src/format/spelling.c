/* `at`: a title, a position, a range or a path, for all syntaxes. */
#include "format/loader.h"

#define SPELLING_STEPS 64

static struct slice find_namespace(const struct format *f, struct slice prefix)
{
    for (size_t i = f->nnamespaces; i-- > 0;)
        if (slice_equal(f->namespaces[i].prefix, prefix))
            return f->namespaces[i].uri;
    if (slice_is(prefix, "xml"))
        return SLICE("http://www.w3.org/XML/1998/namespace");
    if (slice_is(prefix, "xsi"))
        return SLICE("http://www.w3.org/2001/XMLSchema-instance");
    return slice_none();
}

static struct slice suggest_prefix(struct loader *l, struct slice prefix)
{
    const struct format *f = l->format;
    struct slice *names = arena_alloc(l->arena, (f->nnamespaces + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < f->nnamespaces; i++)
        if (f->namespaces[i].prefix.n)
            names[n++] = f->namespaces[i].prefix;
    struct slice s = problem_suggest(l->arena, prefix, names, n);
    return s.n ? s : arena_printf(l->arena, "add `namespace %.*s \"…\"`", SLICE_ARG(prefix));
}

/* Splits `cac:Party` and finds the namespace; attributes without prefix have none (Namespaces in XML 1.0, 6.2). */
static int resolve(struct loader *l, struct step *step, const struct token *t)
{
    const char *colon = memchr(step->name.p, ':', step->name.n);
    if (!slice_is(l->format->syntax, "xml") || slice_is(step->name, "*") || slice_is(step->name, "."))
        return OK;
    if (colon) {
        step->prefix = slice_range(step->name.p, colon);
        step->name = slice_range(colon + 1, step->name.p + step->name.n);
    } else if (step->attribute) {
        return OK;
    }
    step->uri = find_namespace(l->format, step->prefix.p ? step->prefix : SLICE(""));
    if (step->uri.p == NULL && step->prefix.n)
        return loader_bad(l, t, "FMT_PREFIX", suggest_prefix(l, step->prefix).p, "no namespace has the prefix `%.*s`",
                          SLICE_ARG(step->prefix));
    return OK;
}

static int parse_step(struct cursor *c, struct step *step)
{
    const struct token *t = cursor_peek(c);
    *step = (struct step){ 0 };
    if (cursor_op(c, OP_STAR) || cursor_op(c, OP_DOT)) {
        step->name = t->text;
        return OK;
    }
    step->attribute = cursor_op(c, OP_AT);
    t = cursor_peek(c);
    int rc = cursor_word(c, "a name", &step->name);
    if (rc == OK && cursor_op(c, OP_LBRACK)) {
        rc = cursor_string(c, &step->key);
        if (rc == OK && !cursor_op(c, OP_RBRACK))
            rc = loader_bad(c->loader, cursor_peek(c), "FMT_SPELLING", NULL, "a `]` is missing");
    }
    return rc == OK ? resolve(c->loader, step, t) : rc;
}

static int parse_path(struct cursor *c, struct spelling *out)
{
    size_t cap = 0;
    out->kind = AT_PATH;
    out->absolute = cursor_op(c, OP_SLASH);
    do {
        struct step step;
        const struct token *t = cursor_peek(c);
        int rc = parse_step(c, &step);
        if (rc != OK)
            return rc;
        if (out->nsteps && out->steps[out->nsteps - 1].attribute)
            return loader_bad(c->loader, t, "FMT_SPELLING", NULL, "nothing can stand below an attribute");
        if (out->nsteps == SPELLING_STEPS)
            return loader_bad(c->loader, t, "FMT_SPELLING", NULL, "a path has at most %d steps", SPELLING_STEPS);
        ARENA_PUSH(c->loader->arena, out->steps, out->nsteps, cap) = step;
    } while (cursor_op(c, OP_SLASH));
    return OK;
}

int spelling_parse(struct cursor *c, struct spelling *out)
{
    const struct token *t = cursor_peek(c);
    *out = (struct spelling){ .token = *t };
    if (!cursor_more(c))
        return loader_bad(c->loader, t, "FMT_SPELLING", NULL, "`at` needs a title, a position or a path behind it");
    if (t->kind == TOKEN_STRING) {
        out->kind = AT_TITLE;
        out->title = t->text;
        c->i++;
        return OK;
    }
    if (t->kind != TOKEN_NUMBER && t->kind != TOKEN_RANGE)
        return parse_path(c, out);
    /* `at 3035/1131` cannot be: a position stands alone */
    if (!token_bounds(t, &out->from, &out->to) || out->from == 0)
        return loader_bad(c->loader, t, "FMT_SPELLING", NULL, "`%.*s` is no position: they count from 1",
                          SLICE_ARG(t->text));
    out->kind = t->kind == TOKEN_NUMBER ? AT_POSITION : AT_RANGE;
    c->i++;
    return OK;
}

void spelling_of_name(struct loader *l, struct spelling *at, struct slice name, const struct token *t)
{
    if (at->kind != AT_NONE)
        return;
    *at = (struct spelling){ .token = *t, .steps = arena_zero(l->arena, sizeof *at->steps), .nsteps = 1 };
    at->steps[0].name = name;
    resolve(l, &at->steps[0], t);
}
