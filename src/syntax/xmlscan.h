/*
 * xmlscan - the events of an XML document, pulled one by one, with exact byte ranges
 *
 *     xscan_open(&s, source, limits, otherwise, arena, problems);
 *     while ((rc = xscan_next(&s)) == OK) switch (s.event) { ... }          END: the document ended well
 *     xscan_close(&s);
 *
 * A complete non-validating processor for XML 1.0 (5th edition) with Namespaces 1.0, except that an internal subset is
 * refused and an external one never loaded.  Text pieces of one element may come as several events: a CDATA section is
 * one of its own, comments and processing instructions split text and are told by `marks`.
 *
 * Units:   offsets in bytes of the file as it lies on disk.
 * Owner:   slices of an event point into the window and are valid until the next xscan_next.
 * Errors:  OK, END, STOP (XML_…, LIMIT_…, with place) or TEMP.  After STOP or TEMP nothing more comes.
 * Limits:  struct limits: tag, attributes, namespaces, depth, field.  A character reference has at most 64 bytes.
 */
#ifndef WAYBILL_SYNTAX_XMLSCAN_H
#define WAYBILL_SYNTAX_XMLSCAN_H

#include "base/arena.h"
#include "base/limit.h"
#include "xmlview.h"

enum xevent { XEVENT_NONE, XEVENT_START, XEVENT_TEXT, XEVENT_END };

/* What stood between the last tag and here. */
enum xmark { XMARK_CDATA = 1, XMARK_OTHER = 2 /* comment or processing instruction */ };

struct xattr {
    struct slice name;              /* as written: `xml:lang` */
    size_t prefix;                  /* bytes of its prefix, without the colon; 0 = none */
    struct slice value;             /* normalised, references resolved */
    uint64_t at;                    /* of the text between the quotes … */
    uint32_t len;                   /* … in bytes of the file */
    char quote;
    bool spare;                     /* the value lies in `spare` at offset `where` */
    size_t where;
};

struct xopen {                      /* an element that is open */
    uint64_t at;
    size_t name_at;                 /* in `names`, to its end or the next one's */
    size_t name_n;
    size_t bindings;                /* how many were in force around it */
    uint32_t version;               /* of the bindings around it */
};

struct xbinding {                   /* texts in `names`, behind the element that declares it */
    size_t prefix_at, prefix_n, uri_at, uri_n;
};

struct xscan {
    /* the event */
    enum xevent event;
    uint64_t at, end;               /* of the tag, or of the text piece (CDATA with its brackets) */
    struct slice name;              /* of START and END, as written */
    size_t prefix;                  /* bytes of its prefix */
    bool empty;                     /* START of an empty tag: its END comes next, with at == end */
    bool cdata;                     /* TEXT of a CDATA section */
    unsigned marks;                 /* enum xmark, since the last START or END */
    struct slice text;
    struct xattr *attrs;            /* without the declarations of namespaces */
    size_t nattrs;
    uint32_t version;               /* names the bindings in force: equal versions, equal meaning of prefixes */

    /* the document */
    struct xview view;
    const struct limits *limits;
    struct arena *arena;
    struct problems *problems;
    struct xopen *open;
    size_t depth, open_cap, attr_cap;
    struct xbinding *bindings;
    size_t nbindings, binding_cap;
    struct buf names, spare;
    uint32_t versions;              /* given so far */
    char *p, *last;                 /* what is not yet scanned: copies of view.at and view.end */
    bool skip_blanks;               /* set by the caller: blanks between tags need not be told */
    bool need;                      /* the window ended within a token */
    bool pending_end;               /* of an empty tag */
    bool root_seen, doctype, started;
    int failed;                     /* STOP or TEMP once it was returned */
};

int xscan_open(struct xscan *s, struct source *source, const struct limits *limits, enum charset otherwise,
               struct arena *a, struct problems *ps);
int xscan_next(struct xscan *s);
void xscan_close(struct xscan *s);

/* The namespace of a prefix (n 0: the default one); slice_none() = the prefix is bound to none, n 0 = no namespace. */
struct slice xscan_uri(const struct xscan *s, struct slice prefix);
/* Declares a prefix as if an element around the document did: for pieces of a document. */
void xscan_bind(struct xscan *s, struct slice prefix, struct slice uri);
/* The names of the event's element and of an attribute taken apart. */
static inline struct slice xscan_local(struct slice name, size_t prefix)
{
    return prefix ? (struct slice){ name.p + prefix + 1, name.n - prefix - 1 } : name;
}

#endif
