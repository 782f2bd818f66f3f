/*
 * jsonscan - the tokens of JSON text, one at a time, with exact places
 *
 *     jscan_open(&s, source, limits, lines, problems);
 *     while ((rc = jscan_next(&s)) == OK) { ... s.event, s.text, s.at, s.end ... }
 *     jscan_close(&s);
 *
 * Strict RFC 8259: no trailing commas, comments, single quotes, leading zeros, NaN; a member name may stand once in its
 * object; UTF-8 only, a byte order mark ahead of all is tolerated; escaped surrogates come in pairs.  With `lines` each
 * document stands on one line of its own (blank lines are passed over), else the text holds one document.
 *
 * Units:   at, end: byte offsets in the file; of strings and names the quotes are included.
 * Owner:   text points into the window of the source or into the scanner: until the next jscan_next.
 * Errors:  OK, END (after the last document), STOP with one problem, TEMP for a read error.  After STOP in `lines`
 *          jscan_resync() goes on behind the line.
 * Limits:  limits->depth levels; a string or number of `max` bytes (limits->field; its user may set it before each
 *          jscan_next) and never more than the window.  16 bytes of memory for each name of an open object.
 */
#ifndef WAYBILL_SYNTAX_JSONSCAN_H
#define WAYBILL_SYNTAX_JSONSCAN_H

#include "syntax/source.h"

enum jevent { JEVENT_OBJECT, JEVENT_ARRAY, JEVENT_CLOSE, JEVENT_NAME, JEVENT_STRING, JEVENT_NUMBER, JEVENT_TRUE,
              JEVENT_FALSE, JEVENT_NULL };

struct jname {                      /* of an open object, by its fingerprint */
    uint64_t print, at;
};

struct jlevel {
    uint64_t at;                    /* of the opening bracket */
    size_t names;                   /* where its names begin in `names` */
    size_t table_at, slots;         /* its hash table in `tables`; 0 slots = none yet */
    bool object;
};

struct jscan {
    struct source *source;
    const struct limits *limits;
    struct problems *problems;
    bool lines;
    /* more documents may follow, each on a new line: for who does not know the format */
    bool either;
    enum jevent event;
    struct slice text;              /* names and strings: without quotes and escapes; numbers: the lexeme */
    bool escaped;                   /* spelled with escapes, so text is a copy */
    uint64_t at, end;
    uint64_t max;
    uint64_t values;                /* so far; names not counted */
    uint64_t documents, document_at; /* so far; where the one at hand begins */
    struct jlevel *open;
    size_t depth;
    int want;                       /* enum want in jsonscan.c */
    struct jname *names;            /* of all open objects, innermost last */
    size_t nnames;
    uint64_t seed;                  /* of the fingerprints; odd */
    struct buf name_buf;            /* that `names` lies in */
    struct buf tables, decoded;
    bool begun;
    bool recoverable;               /* the fault lies in a line that has an end: the next line may be good */
};

void jscan_open(struct jscan *s, struct source *source, const struct limits *limits, bool lines, struct arena *a,
                struct problems *ps);
int jscan_next(struct jscan *s);
void jscan_close(struct jscan *s);
/* Skips to behind the end of the line; false at the end of the file. */
bool jscan_resync(struct jscan *s);

/* After the end of a document of `lines`: goes to behind the end of its line and tells where that is; STOP after a
   problem when something else stands there. */
int jscan_line_end(struct jscan *s, uint64_t *end);

/* A problem at an offset of the file; returns STOP. */
int jscan_refuse(struct jscan *s, uint64_t at, const char *code, const char *text, const char *hint);

#endif
