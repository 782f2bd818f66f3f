/*
 * jsonread - JSON text to messages
 *
 * Values keep their place (quotes included), `lead` is the distance from the quote of their name, 0 in an array; forms:
 * VALUE_QUOTED a text in quotes, VALUE_NIL null, VALUE_ATTRIBUTE the name of a member.  A node has its range from the
 * quote of its name (`at`, only where `*` leads to it), `inner` where its value begins, `tail` its last byte; a message
 * of `lines` ends behind the end of its line.
 */
#ifndef WAYBILL_SYNTAX_JSONREAD_H
#define WAYBILL_SYNTAX_JSONREAD_H

#include "jsonplan.h"
#include "jsonscan.h"
#include "syntax/syntax.h"

struct jframe {
    const struct jspot *spot;       /* of an array: that of its elements */
    struct node *node;              /* the instance that it is part of */
    size_t hint;                    /* the kid that is likely to come next */
    bool array;
};

struct jread {
    struct jscan scan;
    const struct jplan *plan;
    struct jframe *frames;          /* [0] stands for the file */
    size_t depth;                   /* index of the innermost frame */
    size_t skip;                    /* levels of unknown values */
    const struct jspot *next;       /* of the member whose name was read */
    uint64_t key_at, key_end;
    struct buf key;                 /* its name, where a field wants it */
    struct arena scratch;           /* what a problem is told with, until it is told */
    char *room, *room_end;          /* free bytes of the message arena */
    struct arena *message_arena;    /* where values go at the moment */
    struct node *message;
    const struct jspot *house, *house_before;       /* around the message, around the one before */
    int status;                     /* of the message at hand: OK, WARN or SKIP */
    bool file_bad;
    bool drop;                      /* the message is too large: nothing more of it is kept */
    bool file_seen, message_seen;   /* in this document: a member of the file, of a message */
    bool house_seen;
    const struct jspot *first_house;                /* as house, of the brackets below */
    uint64_t house_at, house_end;   /* the brackets of the first array of messages; of objects with `*` too */
    /* Of the patcher: messages taken out, up to where, and whether new ones came. */
    uint64_t deleted, deleted_end;
    bool inserted;
};

int jread_open(struct reader *r, struct problems *ps);
int jread_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
void jread_close(struct reader *r);
/* The members that `inspect` prints: encoding, values. */
int jread_inspect(struct source *source, struct buf *json, struct problems *ps);

/* Reads one value of a field from a token of the scanner into *v, whose place is set; text is as it will stay. */
int jread_value(const struct field *f, enum jevent event, struct slice text, struct arena *a, struct value *v,
                struct fault *fault);

#endif
