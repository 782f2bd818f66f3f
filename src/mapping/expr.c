/* expr - the parser: one statement's tokens to a tree, by precedence (LANGUAGE.md section 3). */
#include "expr.h"

#include <stdio.h>

#include "func.h"

#define DEPTH_MAX 64
#define PREDS_MAX 8

static struct expr *parse_level(struct parser *p, int level);
static struct expr *parse_path(struct parser *p);

void parser_init(struct parser *p, struct arena *a, const struct conf *c, struct statement *st, struct problems *ps)
{
    *p = (struct parser){ .arena = a, .conf = c, .st = st, .tokens = st->tokens, .n = st->n, .end = st->end, .ps = ps };
}

const struct token *parser_peek(const struct parser *p, size_t ahead)
{
    return p->i + ahead < p->n ? &p->tokens[p->i + ahead] : &p->end;
}

static bool at_end(const struct parser *p)
{
    return p->i >= p->n;
}

static bool peek_op(const struct parser *p, size_t ahead, enum token_op op)
{
    return p->i + ahead < p->n && token_op(&p->tokens[p->i + ahead], op);
}

bool parser_op(struct parser *p, enum token_op op)
{
    if (!peek_op(p, 0, op))
        return false;
    p->i++;
    return true;
}

bool parser_word(struct parser *p, const char *word)
{
    if (at_end(p) || !token_is(&p->tokens[p->i], word))
        return false;
    p->i++;
    return true;
}

int parser_fail(struct parser *p, const struct token *t, const char *code, const char *hint, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct slice text = arena_vprintf(p->arena, format, ap);
    va_end(ap);
    p->failed = true;
    return conf_problem(p->conf, t, PROBLEM_ERROR, code, p->ps, hint, "%.*s", SLICE_ARG(text));
}

/* From the first token to the one before the parser's place, as one token to point at. */
static struct token span_from(const struct parser *p, const struct token *first)
{
    struct token t = *first;
    const struct token *last = p->i > 0 ? &p->tokens[p->i - 1] : first;
    t.length = last->offset + last->length - first->offset;
    t.width = last->line == first->line ? last->column + last->width - first->column : first->width;
    return t;
}

static struct expr *new_expr(struct parser *p, enum expr_kind kind, const struct token *t)
{
    struct expr *e = arena_zero(p->arena, sizeof *e);
    e->kind = kind;
    e->token = *t;
    e->span = *t;
    e->type = TYPE_UNKNOWN;
    return e;
}

static struct expr *expected(struct parser *p, const struct token *t, const char *what)
{
    parser_fail(p, t, "EXPR_SYNTAX", NULL, "%s is expected here", what);
    return NULL;
}

static bool deeper(struct parser *p, const struct token *t)
{
    if (++p->depth <= DEPTH_MAX)
        return true;
    parser_fail(p, t, "EXPR_DEPTH", "use a let for the inner part", "an expression is nested more than %d levels deep",
                DEPTH_MAX);
    return false;
}

/* A list up to the closing bracket; the opening one is taken already. */
static bool parse_list(struct parser *p, enum token_op close, struct expr ***out, size_t *n_out)
{
    struct expr **list = NULL;
    size_t n = 0, cap = 0;
    bool top = p->top;
    p->top = false;
    if (!peek_op(p, 0, close)) {
        do {
            struct expr *e = parse_level(p, 0);
            if (!e)
                return false;
            ARENA_PUSH(p->arena, list, n, cap) = e;
        } while (parser_op(p, OP_COMMA));
    }
    p->top = top;
    if (!parser_op(p, close)) {
        expected(p, parser_peek(p, 0), close == OP_RPAREN ? "`,` or `)`" : "`,` or `]`");
        return false;
    }
    *out = list;
    *n_out = n;
    return true;
}

static struct pred *parse_preds(struct parser *p, bool *ok)
{
    struct pred *first = NULL, **tail = &first;
    size_t n = 0;
    while (parser_op(p, OP_LBRACK)) {
        struct pred *pr = arena_zero(p->arena, sizeof *pr);
        const struct token *open = &p->tokens[p->i - 1];
        if (!parse_list(p, OP_RBRACK, &pr->args, &pr->n)) {
            *ok = false;
            return first;
        }
        if (pr->n == 0) {
            expected(p, &p->tokens[p->i - 1], "a key, a position or a condition");
            *ok = false;
            return first;
        }
        struct token span = span_from(p, open);
        if ((size_t)span.offset + span.length <= p->conf->text.n)
            pr->source = (struct slice){ p->conf->text.p + span.offset, span.length };
        *tail = pr;
        tail = &pr->next;
        if (++n > PREDS_MAX) {
            *ok = expected(p, &p->tokens[p->i - 1], "at most 8 predicates: no more") != NULL;
            return first;
        }
    }
    return first;
}

static bool step_kind(const struct token *t, struct pstep *s)
{
    if (t->kind == TOKEN_NAME || t->kind == TOKEN_NUMBER)
        s->kind = STEP_CHILD;
    else if (token_op(t, OP_DOT))
        s->kind = STEP_SELF;
    else if (token_op(t, OP_DOTDOT))
        s->kind = STEP_UP;
    else
        return false;
    return true;
}

static bool parse_steps(struct parser *p, struct expr *e)
{
    size_t cap = 0;
    bool ok = true;
    do {
        struct pstep s = { .token = *parser_peek(p, 0) };
        if (at_end(p) || !step_kind(&s.token, &s)) {
            expected(p, &s.token, "a name");
            return false;
        }
        p->i++;
        s.preds = parse_preds(p, &ok);
        ARENA_PUSH(p->arena, e->steps, e->nsteps, cap) = s;
    } while (ok && parser_op(p, OP_SLASH));
    return ok;
}

static struct expr *parse_dollar(struct parser *p, const struct token *first)
{
    const struct token *name = parser_peek(p, 0);
    if (at_end(p) || (name->kind != TOKEN_NAME && name->kind != TOKEN_NUMBER))
        return expected(p, name, "the name of a param, table or let");
    struct expr *e = new_expr(p, EXPR_PATH, first);
    bool ok = true;
    p->i++;
    e->name = name->text;
    e->token = span_from(p, first);
    e->keys = parse_preds(p, &ok);
    if (ok && parser_op(p, OP_SLASH))
        ok = parse_steps(p, e);
    e->span = span_from(p, first);
    e->root = ROOT_LET;
    return ok ? e : NULL;
}

static struct expr *parse_path(struct parser *p)
{
    const struct token *first = parser_peek(p, 0);
    if (parser_op(p, OP_DOLLAR))
        return parse_dollar(p, first);
    struct expr *e = new_expr(p, EXPR_PATH, first);
    e->root = parser_op(p, OP_SLASH) ? ROOT_FILE : ROOT_HERE;
    if (!parse_steps(p, e))
        return NULL;
    e->span = span_from(p, first);
    return e;
}

static struct slice number_text(struct parser *p, const struct token *t)
{
    struct num n;
    return num_parse(t->text, &n) ? num_text(p->arena, n) : t->text;
}

static struct expr *parse_call(struct parser *p, const struct token *name)
{
    struct expr *e = new_expr(p, EXPR_CALL, name);
    p->i += 2;
    bool ok = deeper(p, name) && parse_list(p, OP_RPAREN, &e->args, &e->nargs);
    p->depth--;
    if (!ok)
        return NULL;
    e->span = span_from(p, name);
    e->func = func_find(name->text);
    if (!e->func) {
        struct slice hint = func_suggest(p->arena, name->text);
        parser_fail(p, name, "EXPR_FUNCTION", hint.n ? hint.p : NULL, "no function \"%.*s\"", SLICE_ARG(name->text));
        return NULL;
    }
    if (e->nargs < e->func->least || e->nargs > e->func->most) {
        parser_fail(p, name, "EXPR_ARGUMENTS", e->func->usage, "%s() has %zu argument%s here", e->func->name, e->nargs,
                    e->nargs == 1 ? "" : "s");
        return NULL;
    }
    return e;
}

static struct expr *parse_group(struct parser *p)
{
    const struct token *first = parser_peek(p, 0);
    bool top = p->top;
    p->i++;
    p->top = false;
    struct expr *e = deeper(p, first) ? parse_level(p, 0) : NULL;
    p->depth--;
    p->top = top;
    if (!e)
        return NULL;
    if (!parser_op(p, OP_RPAREN))
        return expected(p, parser_peek(p, 0), "`)`");
    e->span = span_from(p, first);
    return e;
}

static struct expr *parse_primary(struct parser *p)
{
    const struct token *t = parser_peek(p, 0);
    if (at_end(p))
        return expected(p, t, "an expression");
    if (t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER) {
        struct expr *e = new_expr(p, t->kind == TOKEN_STRING ? EXPR_TEXT : EXPR_NUMBER, t);
        p->i++;
        e->text = t->kind == TOKEN_STRING ? t->text : number_text(p, t);
        return e;
    }
    if (token_op(t, OP_LPAREN))
        return parse_group(p);
    if (t->kind == TOKEN_NAME && peek_op(p, 1, OP_LPAREN))
        return parse_call(p, t);
    if (t->kind == TOKEN_NAME || token_op(t, OP_SLASH) || token_op(t, OP_DOT) || token_op(t, OP_DOTDOT) ||
        token_op(t, OP_DOLLAR))
        return parse_path(p);
    return expected(p, t, "an expression");
}

static struct expr *parse_unary(struct parser *p)
{
    const struct token *t = parser_peek(p, 0);
    if (!peek_op(p, 0, OP_MINUS))
        return parse_primary(p);
    struct expr *e = new_expr(p, EXPR_NEGATE, t);
    p->i++;
    struct expr *inner = deeper(p, t) ? parse_unary(p) : NULL;
    p->depth--;
    if (!inner)
        return NULL;
    e->args = arena_alloc(p->arena, sizeof *e->args);
    e->args[0] = inner;
    e->nargs = 1;
    e->span = span_from(p, t);
    return e;
}

#define LEVELS 6

static const struct operator {
    int level;
    const char *word;
    enum token_op op;
    enum binary binary;
} operators[] = {
    { 0, "or", OP_NONE, BIN_OR }, { 1, "and", OP_NONE, BIN_AND },
    { 2, NULL, OP_EQ, BIN_EQ }, { 2, NULL, OP_NE, BIN_NE }, { 2, NULL, OP_LT, BIN_LT }, { 2, NULL, OP_GT, BIN_GT },
    { 2, NULL, OP_LEFT, BIN_LE }, { 2, NULL, OP_GE, BIN_GE },
    { 3, NULL, OP_PLUS, BIN_ADD }, { 3, NULL, OP_MINUS, BIN_SUB },
    { 4, NULL, OP_STAR, BIN_MUL }, { 4, "div", OP_NONE, BIN_DIV }, { 4, "mod", OP_NONE, BIN_MOD },
    { 5, NULL, OP_BAR, BIN_ALT },
};

static const struct operator *peek_operator(const struct parser *p, int level)
{
    if (at_end(p))
        return NULL;
    const struct token *t = &p->tokens[p->i];
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const struct operator *o = &operators[i];
        if (o->level != level || (p->top && o->op == OP_LEFT))
            continue;
        if (o->word ? token_is(t, o->word) : token_op(t, o->op))
            return o;
    }
    return NULL;
}

static struct expr *parse_level(struct parser *p, int level)
{
    if (level == LEVELS)
        return parse_unary(p);
    const struct token *first = parser_peek(p, 0);
    struct expr *left = parse_level(p, level + 1);
    const struct operator *o;
    while (left && (o = peek_operator(p, level))) {
        struct expr *e = new_expr(p, EXPR_BINARY, &p->tokens[p->i++]);
        struct expr *right = parse_level(p, level + 1);
        if (!right)
            return NULL;
        e->op = o->binary;
        e->args = arena_alloc(p->arena, 2 * sizeof *e->args);
        e->args[0] = left;
        e->args[1] = right;
        e->nargs = 2;
        e->span = span_from(p, first);
        left = e;
        if (level == 2)
            break;
    }
    return left;
}

struct expr *expr_parse(struct parser *p, bool top)
{
    bool before = p->top;
    p->top = top;
    struct expr *e = parse_level(p, 0);
    p->top = before;
    return e;
}

bool parser_done(struct parser *p)
{
    if (at_end(p))
        return true;
    struct token *first = &p->tokens[p->i], rest = *first, *last = &p->tokens[p->n - 1];
    if (last->line == first->line)
        rest.width = last->column + last->width - first->column;
    parser_fail(p, &rest, "MAP_SYNTAX", "take this away", "nothing may follow here");
    return false;
}

bool expr_is_const(const struct expr *e)
{
    if (e->kind == EXPR_NEGATE)
        return e->args[0]->kind == EXPR_NUMBER;
    return e->kind == EXPR_TEXT || e->kind == EXPR_NUMBER;
}

struct slice expr_source(const struct conf *c, const struct expr *e)
{
    if ((size_t)e->span.offset + e->span.length > c->text.n)
        return e->span.text;
    return (struct slice){ c->text.p + e->span.offset, e->span.length };
}

static void preds_each(struct pred *pr, void (*visit)(void *owner, struct expr *e), void *owner)
{
    for (; pr; pr = pr->next)
        for (size_t i = 0; i < pr->n; i++)
            expr_each(pr->args[i], visit, owner);
}

void expr_each_here(struct expr *e, void (*visit)(void *owner, struct expr *e), void *owner)
{
    visit(owner, e);
    for (size_t i = 0; i < e->nargs; i++)
        expr_each_here(e->args[i], visit, owner);
    for (struct pred *pr = e->keys; pr; pr = pr->next)
        for (size_t i = 0; i < pr->n; i++)
            expr_each_here(pr->args[i], visit, owner);
}

void expr_each(struct expr *e, void (*visit)(void *owner, struct expr *e), void *owner)
{
    visit(owner, e);
    for (size_t i = 0; i < e->nargs; i++)
        expr_each(e->args[i], visit, owner);
    preds_each(e->keys, visit, owner);
    for (size_t i = 0; i < e->nsteps; i++)
        preds_each(e->steps[i].preds, visit, owner);
}
