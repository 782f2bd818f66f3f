/*
 * conf - the one block syntax of .format, .map and site.conf
 *
 *     struct conf *c;
 *     int rc = conf_parse(arena, "orders.map", text, &c, problems);
 *     for (struct statement *s = c->first; s; s = s->next) ...
 *
 * Turns text into statements of tokens with places and knows no keyword.  Grammar: LANGUAGE.md section 1.
 * After a fault the parser goes on with the next line, so all faults of a file are reported at once; the statements
 * that could be read are given even then.
 *
 * Units:   line and column from 1, in characters; offset and length in bytes of the file's text.
 * Owner:   everything lives in the arena; tokens point into `text`, which is kept in the conf.
 * Errors:  OK, or STOP when at least one error was added (CONF_…).
 * Limits:  a file of 16 MiB, 64 nested blocks, 4,096 tokens in a statement.
 */
#ifndef WAYBILL_CONF_CONF_H
#define WAYBILL_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/slice.h"

enum token_kind { TOKEN_NAME, TOKEN_NUMBER, TOKEN_RANGE, TOKEN_STRING, TOKEN_OP };

enum token_op {
    OP_NONE, OP_BOTH /* <=> */, OP_RIGHT /* => */, OP_LEFT /* <= */, OP_EQ, OP_NE, OP_LT, OP_GT, OP_GE,
    OP_BAR, OP_SLASH, OP_DOT, OP_DOTDOT, OP_AT, OP_DOLLAR, OP_STAR, OP_PLUS, OP_MINUS, OP_COMMA,
    OP_LPAREN, OP_RPAREN, OP_LBRACK, OP_RBRACK,
};

struct token {
    enum token_kind kind;
    enum token_op op;               /* of TOKEN_OP */
    /* as written; of a STRING: with the escapes resolved (`\{` stays `\{`: templates need it) */
    struct slice text;
    uint32_t offset, length;        /* in the file, quotes included */
    uint32_t line, column, width;   /* width in characters */
    bool spaced;                    /* white space stands before it */
};

struct statement {
    struct token *tokens;
    size_t n;                       /* at least 1 */
    bool has_block;
    struct statement *block;        /* first statement of the block */
    struct statement *next, *parent;
    struct token end;               /* place just after the last token (for "missing" messages) */
    uint32_t last_line;             /* of the whole statement with its block */
};

struct conf {
    const char *file;
    struct slice text;
    struct statement *first;
    bool faulty;                    /* an error was added while parsing */
};

#define CONF_FILE_MAX (16 << 20)      /* bytes */

int conf_parse(struct arena *a, const char *file, struct slice text, struct conf **out, struct problems *ps);
/* Reads the file (a BOM is tolerated), then as above.  A file that cannot be read is SYS_MISSING or SYS_IO. */
int conf_load(struct arena *a, const char *path, struct conf **out, struct problems *ps);

/* Adds a problem at a token: source line, caret and width come from the conf. `hint` may be NULL. Returns STOP. */
int conf_problem(const struct conf *c, const struct token *t, enum severity severity, const char *code,
                 struct problems *ps, const char *hint, const char *format, ...) __attribute__((format(printf, 7, 8)));

/* The number of milliseconds of a DURATION token (500ms 5s 15m 2h 30d 2y), or -1. */
int64_t conf_duration(const struct token *t);

static inline bool token_is(const struct token *t, const char *name)
{
    return t->kind == TOKEN_NAME && slice_is(t->text, name);
}

static inline bool token_op(const struct token *t, enum token_op op)
{
    return t->kind == TOKEN_OP && t->op == op;
}

/* The file laid out anew: indentation, blanks between tokens, arrows of one block under each other; comments are kept.
   Laying out twice changes nothing.  Returns STOP, and adds nothing, for a faulty conf. */
int conf_format(const struct conf *c, struct buf *out);

#endif
