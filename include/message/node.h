/*
 * node - an instance of a group of a format
 *
 * One block in the message's arena: the head, then values by slot, then the child lists by index.
 *
 *     struct node *order = node_new(arena, message_group, file_node);
 *     struct node *line = node_add(arena, order, line_group);       appended to order's list of that group
 *     *node_value(line, field) = value_of(...);
 *
 * Units:   at, end: byte range of the whole instance in the input (xml: from `<` of its start to `>` of its end tag;
 *          csv: its first row to the end of its last row, line end included); VALUE_NO_PLACE when made by a mapping.
 * Owner:   the arena.
 */
#ifndef WAYBILL_MESSAGE_NODE_H
#define WAYBILL_MESSAGE_NODE_H

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/problem.h"
#include "format/format.h"
#include "message/value.h"

struct node_list {
    struct node *first, *last;
    uint32_t n;
};

struct node {
    const struct group *group;
    struct node *parent;            /* of a message: the file node */
    struct node *next;              /* in its list */
    struct node *outcome;           /* of a message and its lines: the instance of $outcome, or NULL */
    uint64_t at, end;
    uint64_t inner;                 /* xml: just after the start tag; where children begin.  An empty tag: == end */
    uint64_t tail;                  /* xml: the `<` of the end tag */
    uint32_t position;              /* in its list, from 1 */
    uint32_t mark;                  /* free for whoever walks the tree at the moment */
    struct value values[];          /* group->nfields, then struct node_list[group->ngroups] */
};

static inline struct node_list *node_lists(const struct node *n)
{
    return (struct node_list *)(void *)((char *)(uintptr_t)n->values + n->group->nfields * sizeof(struct value));
}

static inline struct value *node_value(const struct node *n, const struct field *f)
{
    return (struct value *)(uintptr_t)&n->values[f->slot];
}

static inline struct node_list *node_list(const struct node *n, const struct group *g)
{
    return &node_lists(n)[g->index];
}

/* All values absent, all lists empty, no place; belongs to no list. */
struct node *node_new(struct arena *a, const struct group *g, struct node *parent);
/* The same, appended to the parent's list of g. */
struct node *node_add(struct arena *a, struct node *parent, const struct group *g);
void node_append(struct node *parent, struct node *child);
/* An empty instance to copy, for loops that make many. */
struct node_blank {
    const struct node *node;
    size_t size;
};
struct node_blank node_blank(struct arena *a, const struct group *g);
/* As node_new. */
static inline struct node *node_from(struct arena *a, const struct node_blank *b, struct node *parent)
{
    struct node *n = memcpy(arena_alloc(a, b->size), b->node, b->size);
    n->parent = parent;
    return n;
}
/* The same behind `after` of its list (NULL: as the last); positions are counted anew. */
void node_insert(struct node *parent, struct node *child, struct node *after);
/* A copy with all below it; texts are copied too, so it may outlive the message's arena. */
struct node *node_copy(struct arena *a, const struct node *n, struct node *parent);
/* "Line[2]/Item" below the message, for problems; f may be NULL. */
struct slice node_path(struct arena *a, const struct node *n, const struct field *f);
/* Canonical text of the tree, for tests and `show`: one line `NAME = "text"` per present value, `NAME = ` for empty
   ones, `NAME = unfit "text"` for those of VALUE_LAX, groups as `NAME {` … `}`, two blanks of indentation; absent ones
   are left out. */
void node_dump(struct buf *out, const struct node *n);
/* Has neither a value nor a child with one. */
bool node_is_void(const struct node *n);
/* The key of the node as one text (parts joined by \x1f), canonical so that equal keys are equal bytes; n 0 when a part
   is nothing. */
struct slice node_key(struct arena *a, const struct node *n);
/* The value of one part of the key; NULL when its holder is not there. */
const struct value *node_key_value(const struct node *n, const struct keypart *part);
/*
 * What must be there and is not, what stands too often, what a guide forbids: problems REQUIRED, OCCURS, GUIDE_… with
 * path and, for a tree that was read, place.  For a message or the file node (its own members, not its messages).
 * OK or SKIP.
 */
int node_check(const struct node *n, struct arena *a, struct problems *ps);

#endif
