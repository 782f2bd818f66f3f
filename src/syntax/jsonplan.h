/*
 * jsonplan - the members of a format as a tree of spots, for reading and writing
 *
 * A spot is a value at a fixed path of member names from the document.  It may open an instance of a group (an object,
 * or each element of an array), hold the value of a field, or be a container.  `*` is a spot that any other member of
 * its object leads to, or each element of an array.  Kids stand in the order in which the format names them first.
 *
 * Owner:   the arena of the format; immutable afterwards.
 * Errors:  STOP with problems at the format's places: JSON_AT, JSON_SAME_AT, JSON_FORMAT_ENCODING.
 */
#ifndef WAYBILL_SYNTAX_JSONPLAN_H
#define WAYBILL_SYNTAX_JSONPLAN_H

#include "format/format.h"

struct jspot {
    struct slice name;
    struct slice open;              /* `"name":` as it is written */
    struct jspot *parent;
    struct jspot **kids;
    size_t nkids, kid_cap;
    struct jspot *star;             /* also the last of the kids */
    const struct group *group;      /* an instance begins with the value */
    const struct group *holder;     /* of whose instances it is a part: the group itself, or of the spot around */
    const struct field *value;      /* the value itself */
    const struct field *key;        /* of a star: its `@name` */
    uint32_t id, depth, order;      /* depth: the document has 0; order among the kids of the parent */
    bool leads;                     /* a message lies at or below it */
    bool many;                      /* written as an array of instances */
    bool list;                      /* a container written as an array: of what its star stands for */
};

struct jplan {
    const struct format *format;
    struct jspot *top;              /* the document */
    struct jspot **spots;           /* by id; [0] is top */
    size_t nspots, spot_cap;
    struct jspot **of_group;        /* by group id */
    struct slice indent;            /* of one level; p NULL = compact */
    bool lines;
};

int jplan_compile(struct format *f, struct arena *a, struct problems *ps);

/* The kid that a member's name leads to, NULL = the format does not know it. *hint: where to look first. */
const struct jspot *jplan_kid(const struct jspot *s, struct slice name, size_t *hint);
/* The spot of a field; of a `@name` the spot that is named. */
struct jspot *jplan_field(const struct jplan *p, const struct field *f);

#endif
