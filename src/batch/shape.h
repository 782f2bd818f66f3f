/*
 * shape - a struct as a JSON object: one table for writing and reading
 *
 *     static const struct shape_member members[] = {
 *         { "name", SHAPE_TEXT, offsetof(struct thing, name), NULL, true }, … };
 *     static const struct shape shape = { members, 3, sizeof(struct thing), offsetof(struct thing, next) };
 *
 * Keys are written in the order of the table; members that are nothing are left out unless they are needed.  Reading is
 * strict: a needed member that is missing, a wrong type and an unknown key are faults.
 *
 * Owner:   texts read live in the arena.
 * Errors:  shape_read: false, and `fault` names the key.
 * Limits:  lists of 100,000 elements.
 */
#ifndef WAYBILL_BATCH_SHAPE_H
#define WAYBILL_BATCH_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"

enum shape_kind {
    SHAPE_TEXT,                     /* struct slice */
    /* struct slice of any bytes: KEY is its printable form, KEY_b64 the bytes where they differ */
    SHAPE_BYTES,
    SHAPE_HASH,                     /* char[SHA256_HEX] */
    SHAPE_U32, SHAPE_U64, SHAPE_I64,
    SHAPE_WORD,                     /* int: an index into `words` */
    SHAPE_OBJECT,                   /* a struct in place; written when its first member is something */
    SHAPE_LIST,                     /* pointer to the first of a linked list */
};

struct shape;

struct shape_member {
    const char *key;
    enum shape_kind kind;
    size_t offset;
    const struct shape *shape;      /* of OBJECT and LIST */
    bool needed;
    const char *const *words;       /* of WORD, NULL-terminated */
};

struct shape {
    const struct shape_member *members;
    size_t n, size, next;           /* next: offset of the link in a list's elements */
};

/* Members without brackets; `lines` puts each member on a line of its own. */
void shape_write_members(const struct shape *s, const void *thing, struct buf *out, bool lines);
void shape_write(const struct shape *s, const void *thing, struct buf *out);
bool shape_read(const struct shape *s, json_t *object, void *thing, struct arena *a, const char **fault);

#endif
