/* Taking the tokens of a statement one by one. */
#include "format/loader.h"

#include <stdlib.h>

int loader_bad(struct loader *l, const struct token *t, const char *code, const char *hint, const char *format, ...)
{
    va_list ap;
    l->failed = true;
    if (l->quiet)
        return STOP;
    va_start(ap, format);
    struct slice text = arena_vprintf(l->arena, format, ap);
    va_end(ap);
    return conf_problem(l->conf, t, PROBLEM_ERROR, code, l->problems, hint, "%.*s", SLICE_ARG(text));
}

bool token_is_word(const struct token *t)
{
    return t->kind == TOKEN_NAME || t->kind == TOKEN_NUMBER;
}

static bool is_end(const struct cursor *c, const struct token *t)
{
    return t == &c->statement->end;
}

const char *token_shown(struct loader *l, const struct token *t)
{
    if (t->length == 0 && t->text.n == 0)
        return "the end of the line";
    return arena_printf(l->arena, t->kind == TOKEN_STRING ? "\"%.*s\"" : "`%.*s`", SLICE_ARG(t->text)).p;
}

bool cursor_op(struct cursor *c, enum token_op op)
{
    if (!cursor_more(c) || !token_op(cursor_peek(c), op))
        return false;
    c->i++;
    return true;
}

bool cursor_name(struct cursor *c, const char *name)
{
    if (!cursor_more(c) || !token_is(cursor_peek(c), name))
        return false;
    c->i++;
    return true;
}

static int expected(struct cursor *c, const char *what)
{
    const struct token *t = cursor_peek(c);
    return loader_bad(c->loader, t, "FMT_VALUE", NULL, "expected %s, found %s", what,
                      is_end(c, t) ? "the end of the line" : token_shown(c->loader, t));
}

int cursor_string(struct cursor *c, struct slice *out)
{
    const struct token *t = cursor_peek(c);
    if (is_end(c, t) || t->kind != TOKEN_STRING)
        return expected(c, "a text in quotes");
    *out = t->text;
    c->i++;
    return OK;
}

/* A whole number from 1 to max; false when it is none. */
static bool whole_number(struct slice text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || n > UINT32_MAX)
            return false;
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    }
    *out = (uint32_t)n;
    return text.n > 0 && n <= max;
}

int cursor_number(struct cursor *c, uint32_t max, uint32_t *out)
{
    const struct token *t = cursor_peek(c);
    if (is_end(c, t) || t->kind != TOKEN_NUMBER)
        return expected(c, "a number");
    if (!whole_number(t->text, max, out) || *out == 0)
        return loader_bad(c->loader, t, "FMT_VALUE", NULL, "`%.*s` must be a whole number from 1 to %u",
                          SLICE_ARG(t->text), max);
    c->i++;
    return OK;
}

int cursor_word(struct cursor *c, const char *what, struct slice *out)
{
    const struct token *t = cursor_peek(c);
    if (is_end(c, t) || !token_is_word(t))
        return expected(c, what);
    *out = t->text;
    c->i++;
    return OK;
}

int cursor_value(struct cursor *c, struct slice *out)
{
    const struct token *t = cursor_peek(c);
    if (cursor_op(c, OP_MINUS)) {
        t = cursor_peek(c);
        if (is_end(c, t) || t->kind != TOKEN_NUMBER)
            return expected(c, "a number");
        *out = arena_printf(c->loader->arena, "-%.*s", SLICE_ARG(t->text));
    } else if (is_end(c, t) || t->kind == TOKEN_OP) {
        return expected(c, "a value");
    } else {
        *out = t->text;
    }
    c->i++;
    return OK;
}

int cursor_values(struct cursor *c, struct slice **out, size_t *n)
{
    struct slice *list = NULL, value;
    size_t cap = 0;
    *n = 0;
    bool many = cursor_op(c, OP_LPAREN);
    do {
        int rc = cursor_value(c, &value);
        if (rc != OK)
            return rc;
        ARENA_PUSH(c->loader->arena, list, *n, cap) = value;
    } while (many && cursor_op(c, OP_COMMA));
    *out = list;
    if (many && !cursor_op(c, OP_RPAREN))
        return expected(c, "`,` or `)`");
    return OK;
}

int cursor_ref(struct cursor *c, struct slice *out)
{
    const struct token *t = cursor_peek(c);
    struct slice word;
    if (!is_end(c, t) && t->kind == TOKEN_STRING)
        return cursor_string(c, out);
    int rc = cursor_word(c, "the name of a file, without its ending", out);
    while (rc == OK && cursor_op(c, OP_SLASH)) {
        rc = cursor_word(c, "a name", &word);
        if (rc == OK)
            *out = arena_printf(c->loader->arena, "%.*s/%.*s", SLICE_ARG(*out), SLICE_ARG(word));
    }
    return rc;
}

int cursor_done(struct cursor *c)
{
    if (!cursor_more(c))
        return OK;
    return loader_bad(c->loader, cursor_peek(c), "FMT_VALUE", NULL, "nothing may follow here, found %s",
                      token_shown(c->loader, cursor_peek(c)));
}

bool token_bounds(const struct token *t, uint32_t *from, uint32_t *to)
{
    const char *dots = t->kind == TOKEN_RANGE ? memchr(t->text.p, '.', t->text.n) : NULL;
    if (t->kind == TOKEN_NUMBER) {
        bool ok = whole_number(t->text, UINT32_MAX - 1, from);
        *to = *from;
        return ok;
    }
    if (!dots || !whole_number(slice_range(t->text.p, dots), UINT32_MAX - 1, from))
        return false;
    struct slice last = slice_range(dots + 2, t->text.p + t->text.n);
    *to = OCCURS_MANY;
    if (slice_is(last, "*"))
        return true;
    return whole_number(last, UINT32_MAX - 1, to) && *from <= *to;
}
