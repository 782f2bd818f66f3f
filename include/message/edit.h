/*
 * edit - what update mode changes in an original document
 *
 * A mapping that runs in update mode never writes into the original tree; it adds edits of the tree here.  The syntax
 * turns them into byte edits (syntax_patch), in order of their place, each new value spelled in the form of the old.
 *
 * Owner:   the arena of the list; nodes and values must live until the edits are spelled.
 */
#ifndef WAYBILL_MESSAGE_EDIT_H
#define WAYBILL_MESSAGE_EDIT_H

#include "base/arena.h"
#include "message/node.h"

enum edit_kind {
    EDIT_SET,                       /* node, field: its value becomes `value` (absent: is taken away) */
    EDIT_INSERT,                    /* node (made new, with group and values) comes under `parent`, after `after`
                                       (NULL: last of its group) */
    EDIT_DELETE,                    /* node with all below it goes away */
};

struct edit {
    enum edit_kind kind;
    struct node *node;
    const struct field *field;
    struct value value;
    struct node *parent, *after;
    struct edit *next;
};

struct edits {
    struct arena *arena;
    struct edit *first, *last;
    size_t n;
};

void edits_init(struct edits *e, struct arena *a);
void edit_set(struct edits *e, struct node *n, const struct field *f, const struct value *v);
void edit_insert(struct edits *e, struct node *n, struct node *parent, struct node *after);
void edit_delete(struct edits *e, struct node *n);

/* Makes the changes in the trees themselves, in the order of the list: an inserted node is copied, so afterwards the
   trees need nothing that is not theirs or in `a`.  Positions are counted anew; places in the input are no more. */
void edits_apply(const struct edits *e, struct arena *a);
/* A copy of the tree below n with the changes from `first` on that lie in it. */
struct node *edits_copy(const struct edit *first, const struct node *n, struct arena *a);

#endif
