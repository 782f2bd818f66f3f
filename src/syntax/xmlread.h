/*
 * xmlread - the state of an XML reader: what the patcher asks it afterwards
 *
 * Owner:   the arena of reader_open; the windows live until reader_close.
 */
#ifndef WAYBILL_SYNTAX_XMLREAD_H
#define WAYBILL_SYNTAX_XMLREAD_H

#include "syntax/syntax.h"
#include "xmlplan.h"
#include "xmlscan.h"

struct raw;
struct xsax;

/* An element that is open, as the format sees it. */
struct xframe {
    const struct xspot *spot;
    struct node *node;              /* the instance that it is part of */
    uint64_t at, inner;
    size_t hint;                    /* the kid that is likely to come next */
    struct slice text;              /* of a field: its text so far */
    size_t text_at;                 /* where it begins in `pieces`, when it comes in pieces */
    bool empty, nil, mixed, twice;
};

/* How the document spelled the name of a spot the last time. */
struct xmemo {
    uint32_t version;
    uint32_t n;
    char name[24];
};

/* Where an element stands that holds messages, for the patcher: of its first instance. */
struct xhouse {
    uint64_t at, inner, tail, end;
    bool seen, closed;
};

struct xread {
    struct xscan scan;
    struct raw *raw;                /* without a format */
    struct xsax *sax;               /* charsets that only libxml2 knows */
    const struct xplan *plan;
    struct xframe *frames;          /* [0] stands for the document */
    size_t depth;                   /* index of the innermost frame */
    size_t skip;                    /* levels of unknown elements */
    struct xmemo *memo;             /* by spot id */
    struct xhouse *houses;          /* by spot id, of spots that lead to messages */
    struct buf pieces;
    struct arena scratch;           /* what a problem is told with, until it is told */
    char *room, *room_end;          /* free bytes of the message arena */
    struct arena *message_arena;    /* where values go at the moment */
    struct node *message;
    const struct xspot *house, *house_before;       /* around the message, around the one before */
    int status;                     /* of the message at hand: OK, WARN or SKIP */
    bool file_bad;
    bool drop;                      /* the message is too large: nothing more of it is kept */
    /* Namespaces in force around the first message, declared again for pieces of the document. */
    struct slice *prefixes, *uris;
    size_t nbindings;
    unsigned unit;                  /* bytes of a code unit */
    enum charset charset;
    bool foreign;
};

int xread_open(struct reader *r, struct problems *ps);
int xread_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
void xread_close(struct reader *r);
/* The same without a format. */
int xraw_open(struct reader *r, struct problems *ps);
int xraw_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
/* The members that `inspect` prints for an XML file: encoding, root, namespace, elements. */
int xread_inspect(struct source *source, struct buf *json, struct problems *ps);

/* The kid of a spot that the scanner's element is, NULL = none. `memo` may be NULL. */
const struct xspot *xread_kid(const struct xscan *s, const struct xspot *spot, size_t *hint, struct xmemo *memo);

#endif
