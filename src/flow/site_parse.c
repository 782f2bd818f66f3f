#include "flow/site_parse.h"

#include <stdarg.h>
#include <stdlib.h>

const struct token *cursor_token(const struct cursor *c)
{
    return c->at < c->s->n ? &c->s->tokens[c->at] : &c->s->end;
}

bool cursor_more(const struct cursor *c)
{
    return c->at < c->s->n;
}

bool cursor_is(const struct cursor *c, const char *word)
{
    return cursor_more(c) && token_is(cursor_token(c), word);
}

bool cursor_take(struct cursor *c, const char *word)
{
    if (!cursor_is(c, word))
        return false;
    c->at++;
    return true;
}

__attribute__((format(printf, 6, 0)))
static int say(struct site_loading *l, const struct token *t, enum severity severity, const char *code,
               const char *hint, const char *format, va_list ap)
{
    struct slice text = arena_vprintf(l->arena, format, ap);
    return conf_problem(l->conf, t, severity, code, l->ps, hint, "%.*s", SLICE_ARG(text));
}

struct token site_token(const struct site_loading *l, const struct token *t, struct slice name)
{
    const char *text = l->conf->text.p, *end = text + l->conf->text.n, *line = text + t->offset;
    struct token at = *t;
    if (name.p < line || name.p >= end || memchr(line, '\n', (size_t)(name.p - line)))
        return at;
    at.offset = (uint32_t)(name.p - text);
    at.column = t->column + (uint32_t)slice_chars(slice_range(line, name.p));
    at.width = (uint32_t)slice_chars(name);
    return at;
}

int site_problem(struct site_loading *l, const struct token *t, const char *code, const char *hint, const char *format,
                 ...)
{
    va_list ap;
    va_start(ap, format);
    say(l, t, PROBLEM_ERROR, code, hint, format, ap);
    va_end(ap);
    return STOP;
}

int site_warning(struct site_loading *l, const struct token *t, const char *code, const char *hint, const char *format,
                 ...)
{
    va_list ap;
    va_start(ap, format);
    say(l, t, PROBLEM_WARNING, code, hint, format, ap);
    va_end(ap);
    return WARN;
}

void site_keep_off(struct site_loading *l, struct flow *f, const struct token *t, const char *code, const char *hint,
                   const char *format, ...)
{
    va_list ap;
    if (!f->on)
        return;
    va_start(ap, format);
    say(l, t, PROBLEM_ERROR, code, hint, format, ap);
    va_end(ap);
    l->off_errors++;
    f->off = code;
}

void site_push(struct arena *a, void ***list, size_t *n, void *item)
{
    if ((*n & (*n - 1)) == 0) {                     /* full at 0, 1, 2, 4, 8 … */
        size_t cap = *n ? *n * 2 : 1;
        void **grown = arena_alloc(a, cap * sizeof *grown);
        if (*n)
            memcpy(grown, *list, *n * sizeof *grown);
        *list = grown;
    }
    (*list)[(*n)++] = item;
}

static int missing(struct cursor *c, const char *what, const char *hint)
{
    const struct token *t = cursor_token(c);
    if (cursor_more(c))
        return site_problem(c->l, t, "CONF_WORD", hint, "%s is needed here, not `%.*s`", what, SLICE_ARG(t->text));
    return site_problem(c->l, t, "CONF_WORD", hint, "%s is missing", what);
}

int word_name(struct cursor *c, struct slice *out, const char *what)
{
    const struct token *t = cursor_token(c);
    if (!cursor_more(c) || (t->kind != TOKEN_NAME && t->kind != TOKEN_NUMBER))
        return missing(c, what, "a name without quotes");
    *out = t->text;
    c->at++;
    return OK;
}

int word_string(struct cursor *c, struct slice *out, const char *what)
{
    const struct token *t = cursor_token(c);
    if (!cursor_more(c) || t->kind != TOKEN_STRING)
        return missing(c, what, "a text in \"quotes\"");
    *out = t->text;
    c->at++;
    return OK;
}

int word_value(struct cursor *c, struct slice *out, const char *what)
{
    const struct token *t = cursor_token(c);
    if (token_op(t, OP_MINUS) && c->at + 1 < c->s->n && t[1].kind == TOKEN_NUMBER) {
        *out = arena_printf(c->l->arena, "-%.*s", SLICE_ARG(t[1].text));
        c->at += 2;
        return OK;
    }
    if (!cursor_more(c) || t->kind == TOKEN_OP)
        return missing(c, what, "a name, a number or a text in \"quotes\"");
    *out = t->text;
    c->at++;
    return OK;
}

int word_ref(struct cursor *c, struct slice *out, const char *what)
{
    const struct token *t = cursor_token(c);
    if (cursor_more(c) && t->kind == TOKEN_STRING)
        return word_string(c, out, what);
    int rc = word_name(c, out, what);
    while (rc == OK && cursor_more(c) && token_op(cursor_token(c), OP_SLASH)) {
        struct slice part;
        c->at++;
        if ((rc = word_name(c, &part, what)) == OK)
            *out = arena_printf(c->l->arena, "%.*s/%.*s", SLICE_ARG(*out), SLICE_ARG(part));
    }
    return rc;
}

int word_names(struct cursor *c, struct slice **out, size_t *n, const char *what)
{
    size_t cap = *n;
    do {
        struct slice name;
        if (word_name(c, &name, what) != OK)
            return STOP;
        ARENA_PUSH(c->l->arena, *out, *n, cap) = name;
    } while (cursor_more(c) && token_op(cursor_token(c), OP_COMMA) && ++c->at);
    return OK;
}

int word_yes(struct cursor *c, bool *out)
{
    const struct token *t = cursor_token(c);
    if (!cursor_is(c, "yes") && !cursor_is(c, "no"))
        return missing(c, "`yes` or `no`", NULL);
    *out = token_is(t, "yes");
    c->at++;
    return OK;
}

int word_duration(struct cursor *c, int64_t *out)
{
    int64_t ms = cursor_more(c) ? conf_duration(cursor_token(c)) : -1;
    if (ms < 0)
        return missing(c, "a duration", "500ms, 5s, 15m, 2h, 30d or 2y");
    *out = ms;
    c->at++;
    return OK;
}

int word_number(struct cursor *c, uint64_t *out, const char *what)
{
    const struct token *t = cursor_token(c);
    if (!cursor_more(c) || t->kind != TOKEN_NUMBER || t->text.n > 18 || memchr(t->text.p, '.', t->text.n))
        return missing(c, what, "a whole number of at most 18 digits");
    *out = strtoull(arena_cstr(c->l->arena, t->text), NULL, 10);
    c->at++;
    return OK;
}

int word_unknown(struct cursor *c, const char *const *words)
{
    const struct token *t = cursor_token(c);
    struct slice list[40], near;
    struct buf hint = { 0 };
    size_t n = 0;
    while (words[n] && n < 40) {
        list[n] = slice_of(words[n]);
        n++;
    }
    near = problem_suggest(c->l->arena, t->text, list, n);
    if (near.p)
        buf_printf(&hint, "%.*s  (", SLICE_ARG(near));
    else
        buf_text(&hint, "expected (");
    for (size_t i = 0; i < n; i++)
        buf_printf(&hint, i ? ", %s" : "%s", words[i]);
    buf_byte(&hint, ')');
    site_problem(c->l, t, "CONF_WORD", arena_cstr(c->l->arena, buf_slice(&hint)), "unknown word \"%.*s\"",
                 SLICE_ARG(t->text));
    buf_release(&hint);
    return STOP;
}

int word_end(struct cursor *c, const char *const *words)
{
    if (!cursor_more(c))
        return OK;
    if (words && words[0])
        return word_unknown(c, words);
    return site_problem(c->l, cursor_token(c), "CONF_WORD", "this statement ends before it", "unexpected `%.*s`",
                        SLICE_ARG(cursor_token(c)->text));
}
