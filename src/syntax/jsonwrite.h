/*
 * jsonwrite - messages to JSON text
 *
 * Members in the order of the format; what is nothing is left out.  The same functions spell what a patch puts in.
 *
 * Errors:  SKIP for a message that cannot be spelled, nothing of it is written; STOP for the file (JSON_ONE).
 */
#ifndef WAYBILL_SYNTAX_JSONWRITE_H
#define WAYBILL_SYNTAX_JSONWRITE_H

#include "jsonplan.h"
#include "syntax/syntax.h"

struct jwrite {
    struct buf *out;
    const struct node *file;        /* whose members are written among those of the message; NULL = none */
    struct buf line;                /* line end, and the indentation of all levels */
    size_t line_end, step;          /* bytes of `line` before the indentation, and per level; 0 line_end = compact */
    bool blank;                     /* behind each colon */
    bool exact;                     /* as struct writer */
    struct buf value;
    struct problems *problems;
    int status;                     /* SKIP after a problem */
};

/* indent p NULL: all on one line. `eol` is the line end with the indentation of depth 0. */
void jwrite_init(struct jwrite *w, struct buf *out, struct slice eol, struct slice indent,
                 struct problems *ps);
void jwrite_release(struct jwrite *w);
/* The line end and indentation of a depth. */
void jwrite_line(struct jwrite *w, size_t depth);
/* A value of a field; `null` when it is nothing. `quoted`: numbers stand in quotes too. */
void jwrite_value(struct jwrite *w, const struct node *n, const struct field *f, const struct value *v, bool quoted);
/* The object or value of an instance, at that depth. */
void jwrite_instance(struct jwrite *w, const struct jspot *s, const struct node *n, size_t depth);

int jwrite_open(struct writer *w, struct problems *ps);
int jwrite_message(struct writer *w, const struct node *msg, struct problems *ps);
int jwrite_close(struct writer *w, struct problems *ps);
void jwrite_drop(struct writer *w);

#endif
