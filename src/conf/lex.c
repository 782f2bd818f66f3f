#include "lex.h"

#include <limits.h>

#include "base/buf.h"
#include "base/charset.h"

void lex_init(struct lexer *l, const struct conf *c, struct arena *a, struct problems *ps)
{
    l->conf = c;
    l->arena = a;
    l->problems = ps;
    l->at = c->text.p;
    l->end = c->text.p + c->text.n;
    l->line = l->column = 1;
    l->spaced = true;
    l->raw = false;
    l->nesting = 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (signed char)c < 0;
}

static struct slice shown(struct lexer *l, const char *from, const char *to)
{
    struct buf b = { 0 };
    buf_add_shown(&b, slice_range(from, to), 60);
    struct slice kept = arena_copy(l->arena, buf_slice(&b));
    buf_release(&b);
    return kept;
}

/* Sets place and text of the piece from l->at to `to`, and moves there. */
static void take(struct lexer *l, struct token *t, const char *to)
{
    struct slice text = slice_range(l->at, to);
    *t = (struct token){ .text = text, .offset = (uint32_t)(l->at - l->conf->text.p), .length = (uint32_t)text.n,
                         .line = l->line, .column = l->column, .width = (uint32_t)slice_chars(text),
                         .spaced = l->spaced };
    l->column += t->width;
    l->at = to;
    l->spaced = false;
}

static enum lex_kind fault(struct lexer *l, const struct token *t, const char *code, const char *hint,
                           struct slice text)
{
    if (l->problems)
        conf_problem(l->conf, t, PROBLEM_ERROR, code, l->problems, hint, "%.*s", SLICE_ARG(text));
    return LEX_FAULT;
}

static void new_line(struct lexer *l)
{
    l->line++;
    l->column = 1;
    l->spaced = true;
}

static size_t line_end_length(const struct lexer *l, const char *p)
{
    if (p < l->end && *p == '\n')
        return 1;
    return p + 1 < l->end && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

/* Blanks, and line ends after a "\". */
static void skip_blanks(struct lexer *l)
{
    while (l->at < l->end) {
        size_t newline = *l->at == '\\' ? line_end_length(l, l->at + 1) : 0;
        if (newline && !l->raw) {
            l->at += 1 + newline;
            new_line(l);
        } else if (*l->at == ' ' || *l->at == '\t') {
            l->at++;
            l->column++;
            l->spaced = true;
        } else {
            return;
        }
    }
}

/* NAME, NUMBER or RANGE. */
static enum lex_kind lex_word(struct lexer *l, struct token *t)
{
    const char *p = l->at;
    bool digits = true;
    unsigned points = 0;
    while (p < l->end && (is_word(*p) || ((*p == '-' || *p == '.' || *p == ':') && p + 1 < l->end && is_word(p[1])))) {
        points += *p == '.';
        digits = digits && (is_digit(*p) || *p == '.');
        p++;
    }
    enum token_kind kind = digits && points < 2 ? TOKEN_NUMBER : TOKEN_NAME;
    if (digits && points == 0 && l->end - p > 2 && p[0] == '.' && p[1] == '.' && (is_digit(p[2]) || p[2] == '*')) {
        kind = TOKEN_RANGE;
        p += 3;
        while (p[-1] != '*' && p < l->end && is_digit(*p))
            p++;
    }
    take(l, t, p);
    t->kind = kind;
    return LEX_TOKEN;
}

/* The place of a fault within a string token. */
static struct token within(const struct token *t, const char *string, const char *from, const char *to)
{
    struct token w = *t;
    w.offset += (uint32_t)(from - string);
    w.length = (uint32_t)(to - from);
    w.column += (uint32_t)slice_chars(slice_range(string, from));
    w.width = (uint32_t)slice_chars(slice_range(from, to));
    return w;
}

/* \u{…}: p stands behind the "u"; the character, or UINT32_MAX. */
static uint32_t unicode_escape(const char **p, const char *end)
{
    uint32_t c = 0;
    const char *s = *p;
    int n = 0;
    if (s == end || *s++ != '{')
        return UINT32_MAX;
    for (; s < end && *s != '}' && n < 7; s++, n++) {
        int digit = is_digit(*s) ? *s - '0' : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (*s | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return UINT32_MAX;
        c = c << 4 | (uint32_t)digit;
    }
    if (s == end || *s != '}' || n == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return UINT32_MAX;
    *p = s + 1;
    return c;
}

/* One escape, p behind its backslash; false when there is no such. `\{` and `\}` stay as they are. */
static bool resolve(struct buf *out, const char **p, const char *end)
{
    static const char from[] = "\"\\ntr", to[] = "\"\\\n\t\r";
    char c = *(*p)++;
    const char *found = c ? strchr(from, c) : NULL;
    if (c == 'u') {
        uint32_t character = unicode_escape(p, end);
        if (character == UINT32_MAX)
            return false;
        buf_char(out, character);
    } else if (found) {
        buf_byte(out, to[found - from]);
    } else if (c == '{' || c == '}') {
        buf_byte(out, '\\');
        buf_byte(out, c);
    } else {
        return false;
    }
    return true;
}

/* The text of a string that holds escapes. */
static enum lex_kind unescape(struct lexer *l, struct token *t)
{
    struct buf out = { 0 };
    const char *string = t->text.p, *end = string + t->text.n - 1;
    enum lex_kind kind = LEX_TOKEN;
    for (const char *p = string + 1; p < end;) {
        const char *from = p;
        if (*p != '\\') {
            buf_byte(&out, *p++);
            continue;
        }
        p++;
        if (!resolve(&out, &p, end)) {
            if (p < end && (signed char)p[-1] < 0) {
                p--;
                utf8_next(&p, end);
            }
            struct token at = within(t, string, from, p);
            struct slice text = arena_printf(l->arena, "no escape %.*s", SLICE_ARG(shown(l, from, p)));
            kind = fault(l, &at, "CONF_ESCAPE", "the escapes are \\\" \\\\ \\n \\t \\r \\u{20AC} \\{ \\}", text);
        }
    }
    t->text = arena_copy(l->arena, buf_slice(&out));
    buf_release(&out);
    return kind;
}

static enum lex_kind lex_string(struct lexer *l, struct token *t)
{
    const char *p = l->at + 1;
    bool escapes = false;
    while (p < l->end && *p != '"' && *p != '\n') {
        bool escape = *p == '\\' && p + 1 < l->end && p[1] != '\n';
        escapes = escapes || escape;
        p += escape ? 2 : 1;
    }
    bool closed = p < l->end && *p == '"';
    take(l, t, closed ? p + 1 : p);
    t->kind = TOKEN_STRING;
    if (!closed) {
        t->width = 1;
        return fault(l, t, "CONF_STRING", "close it with \" on the same line", SLICE("this text has no end"));
    }
    if (escapes)
        return unescape(l, t);
    t->text = slice_range(t->text.p + 1, t->text.p + t->text.n - 1);
    return LEX_TOKEN;
}

static const struct {
    const char *text;
    enum token_op op;
} operators[] = {
    { "<=>", OP_BOTH }, { "=>", OP_RIGHT }, { "<=", OP_LEFT }, { "!=", OP_NE }, { ">=", OP_GE }, { "..", OP_DOTDOT },
    { "=", OP_EQ }, { "<", OP_LT }, { ">", OP_GT }, { "|", OP_BAR }, { "/", OP_SLASH }, { ".", OP_DOT }, { "@", OP_AT },
    { "$", OP_DOLLAR }, { "*", OP_STAR }, { "+", OP_PLUS }, { "-", OP_MINUS }, { ",", OP_COMMA }, { "(", OP_LPAREN },
    { ")", OP_RPAREN }, { "[", OP_LBRACK }, { "]", OP_RBRACK },
};

static enum lex_kind open_bracket(struct lexer *l, const struct token *t)
{
    if (l->nesting == LEX_NESTING)
        return fault(l, t, "CONF_DEPTH", NULL, SLICE("more than 64 brackets inside each other"));
    l->brackets[l->nesting++] = *t;
    return LEX_TOKEN;
}

static enum lex_kind close_bracket(struct lexer *l, const struct token *t)
{
    char c = *t->text.p, opener = c == ')' ? '(' : '[';
    if (l->nesting == 0)
        return fault(l, t, "CONF_BRACKET", NULL, arena_printf(l->arena, "`%c` closes nothing", c));
    const struct token *open = &l->brackets[l->nesting - 1];
    if (*open->text.p == opener) {
        l->nesting--;
        return LEX_TOKEN;
    }
    struct slice text = arena_printf(l->arena, "`%c` where `%c` of line %u, column %u must be closed first", c,
                                     *open->text.p, open->line, open->column);
    return fault(l, t, "CONF_BRACKET", *open->text.p == '(' ? "expected `)`" : "expected `]`", text);
}

static const char *character_hint(char c)
{
    switch (c) {
    case '\'': case '`': return "texts stand between \" and \"";
    case ';': return "a statement ends with its line";
    case '&': return "write `and`";
    case '!': return "write `!=`, or not( )";
    case '%': return "write `mod`";
    case '\\': return "a line goes on after `\\` only when nothing follows it";
    case ':': return "a name does not begin or end with `:`";
    default: return NULL;
    }
}

static enum lex_kind lex_other(struct lexer *l, struct token *t)
{
    size_t left = (size_t)(l->end - l->at);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].text);
        if (n > left || memcmp(l->at, operators[i].text, n) != 0)
            continue;
        take(l, t, l->at + n);
        t->kind = TOKEN_OP;
        t->op = operators[i].op;
        if (t->op == OP_LPAREN || t->op == OP_LBRACK)
            return open_bracket(l, t);
        return t->op == OP_RPAREN || t->op == OP_RBRACK ? close_bracket(l, t) : LEX_TOKEN;
    }
    take(l, t, l->at + 1);
    if ((unsigned char)*t->text.p < 0x20)
        return LEX_FAULT;           /* told already, as CONF_HIDDEN */
    struct slice text = arena_printf(l->arena, "unexpected character `%.*s`",
                                     SLICE_ARG(shown(l, t->text.p, t->text.p + 1)));
    return fault(l, t, "CONF_CHARACTER", character_hint(*t->text.p), text);
}

static const char *rest_of_line(const struct lexer *l)
{
    const char *p = memchr(l->at, '\n', (size_t)(l->end - l->at));
    p = p ? p : l->end;
    return p > l->at && p < l->end && p[-1] == '\r' ? p - 1 : p;
}

enum lex_kind lex_next(struct lexer *l, struct token *t)
{
    for (;;) {
        skip_blanks(l);
        size_t newline = line_end_length(l, l->at);
        if (l->at == l->end || newline) {
            take(l, t, l->at + newline);
            t->width = 1;
            if (newline == 0)
                return LEX_END;
            new_line(l);
            if (l->nesting == 0 || l->raw)
                return LEX_EOL;
        } else if (*l->at == '#') {
            take(l, t, rest_of_line(l));
            if (l->raw)
                return LEX_COMMENT;
        } else {
            break;
        }
    }
    if (is_word(*l->at))
        return lex_word(l, t);
    if (*l->at == '"')
        return lex_string(l, t);
    if (*l->at == '{' || *l->at == '}') {
        take(l, t, l->at + 1);
        return *t->text.p == '{' ? LEX_OPEN : LEX_CLOSE;
    }
    if (*l->at == '\\' && l->raw && line_end_length(l, l->at + 1)) {
        take(l, t, l->at + 1);
        return LEX_TOKEN;
    }
    return lex_other(l, t);
}

char lex_skip_line(struct lexer *l)
{
    const char *end = rest_of_line(l), *p = end;
    while (p > l->at && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    char last = p > l->at ? p[-1] : '\0';
    l->at = end + line_end_length(l, end);
    l->nesting = 0;
    new_line(l);
    return last;
}

void lex_unclosed(struct lexer *l)
{
    const struct token *t = &l->brackets[l->nesting - 1];
    char c = *t->text.p;
    fault(l, t, "CONF_BRACKET", c == '(' ? "expected `)` further on" : "expected `]` further on",
          arena_printf(l->arena, "`%c` is not closed", c));
    l->at = l->conf->text.p + t->offset;
    l->line = t->line;
    l->column = t->column;
    l->nesting = 0;
}
