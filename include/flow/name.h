/*
 * name - the names of output files: texts with {batch} {file} {time} {date} {operation} {n} and {field}
 *
 *     rc = name_compile(loading…)                              when the site is loaded
 *     name_render(parts, n, &now, message, &buf);              the wanted name; the outbox cleans it
 *
 * Owner:   parts live in the site's arena.
 * Errors:  name_render: OK, SKIP when a field of the name has no value (NAME_EMPTY is the caller's to say).
 * Source:  LANGUAGE.md section 5, Names.
 */
#ifndef WAYBILL_FLOW_NAME_H
#define WAYBILL_FLOW_NAME_H

#include "base/buf.h"
#include "flow/site.h"
#include "message/node.h"

enum name_kind { NAME_TEXT, NAME_BATCH, NAME_FILE, NAME_TIME, NAME_DATE, NAME_OPERATION, NAME_N, NAME_FIELD };

struct name_part {
    enum name_kind kind;
    struct slice text;              /* of NAME_TEXT; of NAME_FIELD its path */
    const struct group **groups;    /* NAME_FIELD: from the message down */
    size_t ngroups;
    const struct field *field;
};

struct name_values {
    struct slice batch, file, operation;
    struct slice time;              /* batch time, canonical datetime */
    uint64_t n;
};

int name_render(const struct name_part *parts, size_t n, const struct name_values *v, const struct node *message,
                struct buf *out);

#endif
