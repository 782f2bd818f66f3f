#include "conf/conf.h"

#include <stdio.h>

#include "base/charset.h"
#include "base/file.h"

#include "lex.h"

enum { DEPTH_MAX = 64, TOKENS_MAX = 4096, FAULTS_MAX = 200 };

struct parser {
    struct lexer lexer;
    struct conf *conf;
    struct arena *arena;
    struct problems *problems;
    size_t errors_before;
    struct token *tokens;           /* of the statement being read; the room is used again */
    size_t n, cap;
    struct statement *parent;
    unsigned depth;
    struct statement **tails[DEPTH_MAX + 1];    /* where the next statement of each level goes */
    struct token opened[DEPTH_MAX + 1];         /* the "{" of each level */
};

static size_t faults(const struct parser *p)
{
    return p->problems->errors - p->errors_before;
}

static struct statement *new_statement(struct parser *p, bool link)
{
    struct statement *s = arena_zero(p->arena, sizeof *s);
    s->n = p->n;
    s->parent = p->parent;
    if (p->n) {
        s->tokens = arena_alloc(p->arena, p->n * sizeof *s->tokens);
        memcpy(s->tokens, p->tokens, p->n * sizeof *s->tokens);
        const struct token *last = &p->tokens[p->n - 1];
        s->end = (struct token){ .kind = TOKEN_OP, .text = SLICE(""), .offset = last->offset + last->length,
                                 .line = last->line, .column = last->column + last->width, .width = 1 };
        s->last_line = last->line;
    }
    if (link && p->n) {
        *p->tails[p->depth] = s;
        p->tails[p->depth] = &s->next;
    }
    p->n = 0;
    return s;
}

/* The statement's block begins; false when there are too many. */
static bool open_block(struct parser *p, const struct token *brace, bool link)
{
    if (p->depth == DEPTH_MAX) {
        conf_problem(p->conf, brace, PROBLEM_ERROR, "CONF_DEPTH", p->problems, NULL,
                     "more than 64 blocks inside each other");
        return false;
    }
    struct statement *s = new_statement(p, link);
    s->has_block = true;
    p->parent = s;
    p->depth++;
    p->tails[p->depth] = &s->block;
    p->opened[p->depth] = *brace;
    return true;
}

static void close_block(struct parser *p, uint32_t line)
{
    p->parent->last_line = line;
    p->parent = p->parent->parent;
    p->depth--;
}

/* Leaves the faulty statement; a brace at the end of its line counts all the same, so that braces stay in step. */
static bool recover(struct parser *p)
{
    struct token brace = { .line = p->lexer.line, .column = p->lexer.column, .width = 1,
                           .offset = (uint32_t)(p->lexer.at - p->conf->text.p) };
    char last = lex_skip_line(&p->lexer);
    if (last == '{')
        return open_block(p, &brace, false);
    if (last == '}' && p->depth)
        close_block(p, brace.line);
    p->n = 0;
    return true;
}

/* What must stand alone on the rest of its line: "{" and "}". */
static bool end_line(struct parser *p, const char *brace)
{
    struct token t;
    enum lex_kind kind = lex_next(&p->lexer, &t);
    if (kind == LEX_EOL || kind == LEX_END)
        return true;
    if (kind != LEX_FAULT)
        conf_problem(p->conf, &t, PROBLEM_ERROR, "CONF_LINE", p->problems, "write it on a line of its own",
                     "a line ends after `%s`", brace);
    return recover(p);
}

static bool take_open(struct parser *p, const struct token *brace)
{
    if (p->n == 0) {
        conf_problem(p->conf, brace, PROBLEM_ERROR, "CONF_BLOCK", p->problems,
                     "write the statement before it on the same line", "a block needs a statement before it");
        return open_block(p, brace, false) && end_line(p, "{");
    }
    return open_block(p, brace, true) && end_line(p, "{");
}

static bool take_close(struct parser *p, const struct token *brace)
{
    if (p->n) {
        conf_problem(p->conf, brace, PROBLEM_ERROR, "CONF_LINE", p->problems, "write it on a line of its own",
                     "`}` stands on a line of its own");
        new_statement(p, true);
    }
    if (p->depth == 0) {
        conf_problem(p->conf, brace, PROBLEM_ERROR, "CONF_BLOCK", p->problems, NULL, "`}` closes nothing");
        return end_line(p, "}");
    }
    close_block(p, brace->line);
    return end_line(p, "}");
}

static bool take_token(struct parser *p, const struct token *t)
{
    if (p->n < TOKENS_MAX) {
        ARENA_PUSH(p->arena, p->tokens, p->n, p->cap) = *t;
        return true;
    }
    conf_problem(p->conf, t, PROBLEM_ERROR, "CONF_LONG", p->problems, NULL, "a statement has at most 4096 tokens");
    return recover(p);
}

/* One piece of the file; false at its end, or when going on makes no sense. */
static bool step(struct parser *p)
{
    struct token t;
    enum lex_kind kind = lex_next(&p->lexer, &t);
    if (p->lexer.nesting && (kind == LEX_OPEN || kind == LEX_CLOSE || kind == LEX_END)) {
        lex_unclosed(&p->lexer);
        kind = LEX_FAULT;
    }
    if (faults(p) >= FAULTS_MAX) {
        conf_problem(p->conf, &t, PROBLEM_NOTE, "CONF_MANY", p->problems, NULL,
                     "too many faults: the rest was not read");
        return false;
    }
    switch (kind) {
    case LEX_TOKEN: return take_token(p, &t);
    case LEX_OPEN: return take_open(p, &t);
    case LEX_CLOSE: return take_close(p, &t);
    case LEX_FAULT: return recover(p);
    default:
        if (p->n)
            new_statement(p, true);
        return kind != LEX_END;
    }
}

/* Characters that no line of a file may hold: what the eye does not see could hide from a reviewer what a mapping
   does. */
static bool is_hidden(uint32_t c)
{
    return (c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F
        || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

static void check_line(const struct conf *c, struct slice line, uint32_t number, struct problems *ps)
{
    size_t valid = utf8_valid(line);
    const char *p = line.p, *end = line.p + valid;
    struct token at = { .line = number, .column = 1, .width = 1 };
    while (p < end) {
        const char *from = p;
        uint32_t character = utf8_next(&p, end);
        at.offset = (uint32_t)(from - c->text.p);
        if (is_hidden(character)) {
            conf_problem(c, &at, PROBLEM_ERROR, "CONF_HIDDEN", ps, "in a text write it as \\u{…}",
                         "hidden character U+%04X", (unsigned)character);
            return;
        }
        at.column++;
    }
    at.offset = (uint32_t)(end - c->text.p);
    if (valid < line.n)
        conf_problem(c, &at, PROBLEM_ERROR, "CONF_ENCODING", ps, "save the file as UTF-8", "byte 0x%02X is not UTF-8",
                     (unsigned char)line.p[valid]);
}

/* One fault per line is enough. */
static void check_characters(const struct conf *c, struct problems *ps)
{
    const char *p = c->text.p, *end = p + c->text.n;
    size_t before = ps->errors;
    for (uint32_t number = 1; p < end && ps->errors - before < FAULTS_MAX / 10; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        struct slice line = slice_range(p, newline && stop > p && stop[-1] == '\r' ? stop - 1 : stop);
        check_line(c, line, number, ps);
        p = newline ? newline + 1 : end;
    }
}

static void parse(struct conf *c, struct arena *a, struct problems *ps)
{
    struct parser *p = arena_zero(a, sizeof *p);
    p->conf = c;
    p->arena = a;
    p->problems = ps;
    p->errors_before = ps->errors;
    p->tails[0] = &c->first;
    lex_init(&p->lexer, c, a, ps);
    check_characters(c, ps);
    while (step(p))
        ;
    if (p->depth && faults(p) < FAULTS_MAX)
        conf_problem(c, &p->opened[p->depth], PROBLEM_ERROR, "CONF_BLOCK", ps, "expected `}` further on",
                     "this block is not closed");
}

int conf_parse(struct arena *a, const char *file, struct slice text, struct conf **out, struct problems *ps)
{
    size_t before = ps->errors;
    struct conf *c = arena_zero(a, sizeof *c);
    *out = c;
    c->file = file;
    c->text = text.p ? text : SLICE("");
    if (slice_starts(c->text, SLICE("\xEF\xBB\xBF")))
        c->text = slice_range(text.p + 3, text.p + text.n);
    if (text.n > CONF_FILE_MAX) {
        c->text = SLICE("");
        problem_addf(ps, PROBLEM_ERROR, "CONF_LONG", (struct place){ .file = file, .offset = PLACE_NO_OFFSET },
                     "a format, mapping or site has at most 16 MiB");
    } else {
        parse(c, a, ps);
    }
    c->faulty = ps->errors > before;
    return c->faulty ? STOP : OK;
}

int conf_load(struct arena *a, const char *path, struct conf **out, struct problems *ps)
{
    struct slice text;
    *out = NULL;
    int rc = file_read(a, path, CONF_FILE_MAX + 3, &text, ps);
    if (rc != OK)
        return rc;
    return conf_parse(a, arena_cstr(a, slice_of(path)), text, out, ps);
}

static struct slice line_at(const struct conf *c, size_t offset)
{
    const char *at = c->text.p + (offset < c->text.n ? offset : c->text.n), *end = c->text.p + c->text.n;
    const char *newline = memchr(at, '\n', (size_t)(end - at)), *from = at;
    while (from > c->text.p && from[-1] != '\n')
        from--;
    struct slice line = slice_range(from, newline ? newline : end);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

int conf_problem(const struct conf *c, const struct token *t, enum severity severity, const char *code,
                 struct problems *ps, const char *hint, const char *format, ...)
{
    struct buf text = { 0 };
    va_list ap;
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    problem_add(ps, &(struct problem){
        .severity = severity, .code = code, .text = buf_slice(&text), .hint = slice_of(hint),
        .source = line_at(c, t->offset),
        .place = { .file = c->file, .offset = PLACE_NO_OFFSET, .line = t->line, .column = t->column,
                   .width = t->width },
    });
    buf_release(&text);
    return STOP;
}

int64_t conf_duration(const struct token *t)
{
    static const struct {
        const char *unit;
        int64_t milliseconds;
    } units[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "y", 31536000000 },
    };
    int64_t n = 0;
    size_t i = 0;
    if (t->kind != TOKEN_NAME)
        return -1;
    for (; i < t->text.n && t->text.p[i] >= '0' && t->text.p[i] <= '9'; i++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, t->text.p[i] - '0', &n))
            return -1;
    }
    struct slice unit = { t->text.p + i, t->text.n - i };
    for (size_t u = 0; i > 0 && u < sizeof units / sizeof *units; u++) {
        if (slice_is(unit, units[u].unit))
            return __builtin_mul_overflow(n, units[u].milliseconds, &n) ? -1 : n;
    }
    return -1;
}
