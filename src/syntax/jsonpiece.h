/*
 * jsonpiece - the values of one message of the original, with places, for edits
 *
 * Objects and arrays whose members change have a seat: the list of what stands in it now, old and new.  Each change
 * makes the byte edits of its seat anew, so that commas and indentation are right whatever came before.
 *
 *     struct jpiece *x = jpiece_of(patcher, message, problems);       cached: edits come message by message
 *     size_t i = jpiece_find(x, value->at);
 *
 * Units:   offsets in bytes of the original file.
 * Owner:   the patcher's arena.
 * Errors:  NULL after a problem.
 */
#ifndef WAYBILL_SYNTAX_JSONPIECE_H
#define WAYBILL_SYNTAX_JSONPIECE_H

#include "jsonread.h"

#define JPIECE_NONE SIZE_MAX

struct jvalue {
    enum jevent kind;
    const struct jspot *spot;       /* NULL: the format does not know it */
    uint64_t lead, at, end;         /* lead: the quote of its name, or == at */
    size_t parent, last;            /* last: index behind the last value in it */
    struct jseat *seat;
};

struct jitem {
    size_t value;                   /* of the original; JPIECE_NONE: new */
    bool removed;
    const struct jspot *spot;
    const struct node *node;        /* a new instance … */
    struct slice text;              /* … with its name, or a new value with it */
    struct jseat *made;             /* a new container */
    struct jitem *next;
};

struct jseat {
    size_t value;                   /* JPIECE_NONE: new itself, then … */
    struct jseat *up;               /* … this holds it … */
    struct slice name;              /* … under that name, quoted */
    bool array;
    struct jitem *first;
    size_t *edits;                  /* in the list of the patcher */
    size_t nedits, edit_cap;
};

struct jpiece {
    const struct node *message;
    uint64_t base;
    struct slice raw;
    struct jvalue *values;
    size_t n, cap;
    struct slice outer;             /* line end and indentation of the message itself */
    struct slice step;              /* what a level adds to it */
    bool blank;                     /* behind colons */
};

struct jpiece *jpiece_of(struct patcher *p, const struct node *message, struct problems *ps);
/* The value that begins at an offset; JPIECE_NONE = none does. */
size_t jpiece_find(const struct jpiece *x, uint64_t at);
/* The member of an object, or JPIECE_NONE; removed ones do not count. */
size_t jpiece_kid(const struct jpiece *x, size_t object, const struct jspot *spot);
/* The white space before a value or its name. */
struct slice jpiece_blanks(const struct jpiece *x, uint64_t at);

struct jseat *jseat_of(struct jpiece *x, struct arena *a, size_t value);
/* Line end and indentation of what stands in a seat. */
struct slice jseat_line(struct jpiece *x, struct arena *a, const struct jseat *s);
/* Makes the byte edits of a seat, or of the one that holds it. */
void jseat_render(struct jpiece *x, struct patcher *p, struct jseat *s);

#endif
