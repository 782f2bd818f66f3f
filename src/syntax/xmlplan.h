/*
 * xmlplan - the elements of a format as a tree of spots, for reading and writing
 *
 * A spot is an element at a fixed path from the root.  It may open an instance of a group, hold the text of a field and
 * the attributes of several; a spot with none of these is a container.  Kids stand in the order in which the format
 * names them first.  Behind their markup lie XQUICK_PAD bytes that may be read.
 *
 * Owner:   the arena of the format; immutable afterwards.
 * Errors:  STOP with problems at the format's places: XML_AT, XML_SAME_AT, XML_PREFIX, XML_NAME.
 */
#ifndef WAYBILL_SYNTAX_XMLPLAN_H
#define WAYBILL_SYNTAX_XMLPLAN_H

#include "format/format.h"

struct xspot_attr {
    struct slice uri, local;
    struct slice open;              /* ` unitCode="` */
    struct slice join;              /* the same with what stands ahead of it when all attributes are written */
    const struct field *field;
    uint32_t slot, most;            /* as in xspot */
};

struct xspot {
    struct slice uri, local;
    struct slice name;              /* with the prefix that the format gives it */
    struct slice open, close;       /* `<name` and `</name>` */
    struct slice lead, tail;        /* line end and indentation, then `<name>` or `</name>` */
    struct xspot *parent;
    struct xspot **kids;
    size_t nkids, kid_cap;
    struct xspot_attr *attrs;
    size_t nattrs, attr_cap;
    const struct group *group;      /* an instance begins with the element */
    const struct group *holder;     /* of whose instances it is a part: the group itself, or of the spot around */
    const struct field *text;
    uint32_t slot, most;            /* of `text`: its slot, bytes up to which its canonical text is its spelling */
    size_t room;                    /* for its markup with short values in it */
    uint32_t id, depth, order;      /* depth: the root has 0; order among the kids of the parent */
    bool leads;                     /* a message lies at or below it */
    bool leaf;                      /* one value and nothing else */
};

#define XPLAN_LEVELS 64             /* limits->depth by default: what lies deeper is indented like that */

struct xplan {
    const struct format *format;
    struct xspot *top;              /* stands for the document; its kids are the possible roots */
    struct xspot **spots;           /* by id; [0] is top */
    size_t nspots, spot_cap;
    struct xspot **of_group;        /* by group id */
    struct slice declaration;       /* n 0 = none */
    struct slice indent;            /* of one level; p NULL = compact */
    struct slice namespaces;        /* ` xmlns="…"` … of the root */
    bool guided;                    /* it demands more than that something is there: a guide does */
};

int xplan_compile(struct format *f, struct arena *a, struct problems *ps);

/* The spot of a field's element; for an attribute (*attribute then its place in attrs) the element that carries it. */
struct xspot *xplan_field(const struct xplan *p, const struct field *f, const struct xspot_attr **attribute);

#endif
