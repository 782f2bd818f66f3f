/*
 * lex - tokens of the block syntax
 *
 * The lexer reports its own faults (CONF_…) and then gives LEX_FAULT, after which only lex_skip_line makes sense.
 * Braces, line ends and comments are no tokens of a statement: they have kinds of their own.
 *
 * Units:   columns in characters from 1.
 * Limits:  64 nested brackets.
 */
#ifndef WAYBILL_CONF_LEX_H
#define WAYBILL_CONF_LEX_H

#include "conf/conf.h"

enum { LEX_NESTING = 64 };

enum lex_kind { LEX_TOKEN, LEX_OPEN, LEX_CLOSE, LEX_EOL, LEX_COMMENT, LEX_END, LEX_FAULT };

struct lexer {
    const struct conf *conf;
    struct arena *arena;
    struct problems *problems;      /* NULL: faults are not told */
    const char *at, *end;
    uint32_t line, column;
    bool spaced;                    /* white space or a line's start stands before `at` */
    bool raw;                       /* comments and line ends within brackets are given too (conf_format) */
    unsigned nesting;
    struct token brackets[LEX_NESTING];     /* those that are open */
};

void lex_init(struct lexer *l, const struct conf *c, struct arena *a, struct problems *ps);
/* The next piece; `t` has its place whatever its kind. */
enum lex_kind lex_next(struct lexer *l, struct token *t);
/* To the start of the next line; brackets are forgotten.  Gives the last character of what was skipped, blanks left
   out. */
char lex_skip_line(struct lexer *l);
/* Says that the innermost bracket is not closed, and goes back to it. */
void lex_unclosed(struct lexer *l);

#endif
