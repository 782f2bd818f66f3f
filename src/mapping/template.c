/* template - texts with {expr} in them: parsed when the mapping is loaded, so their faults have places. */
#include "expr.h"

/* The place of the next `{` or `}` that no backslash escapes. */
static size_t find_brace(struct slice s, size_t from, char brace)
{
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == brace)
            return i;
    }
    return s.n;
}

/* Literal text: `\{` and `\}` lose their backslash, which the tokens of conf keep. */
static struct slice literal(struct arena *a, struct slice s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '{' || s.p[i + 1] == '}'))
            i++;
        out[n++] = s.p[i];
    }
    return (struct slice){ out, n };
}

/* A token of a small text inside a string token, moved to where it stands in the file. */
enum { PARTS_MOST = 64 };            /* texts and values of one template */

static void move_token(struct token *t, const struct token *string, uint32_t offset, uint32_t columns)
{
    t->line = string->line;
    t->column += string->column + columns - 1;
    t->offset += string->offset + offset;
}

struct moved {
    const struct conf *conf;
    const struct token *string;
    uint32_t offset, columns;
};

/* The fault of a token inside the braces, shown in the file where the string stands. */
static void pass_on(const struct moved *m, const struct problem *p, struct problems *ps)
{
    struct token t = *m->string;
    t.column += m->columns + (p->place.column ? p->place.column - 1 : 0);
    t.width = p->place.width ? p->place.width : 1;
    conf_problem(m->conf, &t, p->severity, p->code, ps, p->hint.n ? p->hint.p : NULL, "%.*s", SLICE_ARG(p->text));
}

static struct expr *parse_part(struct arena *a, const struct moved *m, struct slice text, struct problems *ps)
{
    struct problems own;
    struct conf *c = NULL;
    problems_init(&own, a, 0);
    if (conf_parse(a, m->conf->file, text, &c, &own) != OK || !c->first || c->first->next || c->first->has_block) {
        if (own.first)
            pass_on(m, own.first, ps);
        else
            pass_on(m, &(struct problem){ .severity = PROBLEM_ERROR, .code = "EXPR_SYNTAX",
                                          .text = SLICE("an expression is expected here") }, ps);
        return NULL;
    }
    struct statement *st = c->first;
    for (size_t i = 0; i < st->n; i++)
        move_token(&st->tokens[i], m->string, m->offset, m->columns);
    move_token(&st->end, m->string, m->offset, m->columns);
    struct parser p;
    parser_init(&p, a, m->conf, st, ps);
    struct expr *e = expr_parse(&p, false);
    return e && parser_done(&p) ? e : NULL;
}

static void add_part(struct arena *a, struct template *t, size_t *cap, struct slice text, struct expr *e)
{
    if (e || text.n)
        ARENA_PUSH(a, t->parts, t->n, *cap) = (struct template_part){ text, e };
}

struct template *template_parse(struct arena *a, const struct conf *c, const struct token *t, struct problems *ps)
{
    struct template *out = arena_zero(a, sizeof *out);
    struct slice s = t->text, raw = { c->text.p + t->offset, t->length };
    size_t cap = 0, at = 0, raw_at = 0;
    bool good = true;
    out->source = s;
    while (at < s.n) {
        size_t open = find_brace(s, at, '{'), close = find_brace(s, open, '}');
        add_part(a, out, &cap, literal(a, (struct slice){ s.p + at, open - at }), NULL);
        if (open == s.n)
            break;
        raw_at = find_brace(raw, raw_at, '{') + 1;
        size_t before = raw_at < raw.n ? raw_at : raw.n;
        struct moved m = { c, t, (uint32_t)before, (uint32_t)slice_chars((struct slice){ raw.p, before }) };
        if (close == s.n) {
            pass_on(&m, &(struct problem){ .severity = PROBLEM_ERROR, .code = "EXPR_BRACE",
                                           .text = SLICE("`{` is never closed"),
                                           .hint = SLICE("write `\\{` for a brace in the text") }, ps);
            return NULL;
        }
        if (out->n >= PARTS_MOST) {
            struct problem p = { .severity = PROBLEM_ERROR, .code = "MAP_SIZE" };
            p.text = SLICE("a text holds at most 64 pieces: texts, and values in { }");
            pass_on(&m, &p, ps);
            return NULL;
        }
        struct expr *e = parse_part(a, &m, (struct slice){ s.p + open + 1, close - open - 1 }, ps);
        good = good && e;
        if (e)
            add_part(a, out, &cap, slice_none(), e);
        at = close + 1;
    }
    return good ? out : NULL;
}
