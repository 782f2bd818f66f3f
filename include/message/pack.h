/*
 * pack - an instance with all below it as few bytes: documents that wait in memory
 *
 *     struct buf b = { 0 };
 *     node_pack(&b, order);
 *     struct node *again = node_unpack(arena, order->group, buf_slice(&b), parent);
 *
 * A node takes 32 bytes for every field of its group, there or not; packed only what is there counts.  Places in the
 * input and how the file spelled a value are not kept.
 *
 * Owner:   the texts of the node that is unpacked lie in the packed bytes.
 * Limits:  for memory only: the bytes are trusted.
 */
#ifndef WAYBILL_MESSAGE_PACK_H
#define WAYBILL_MESSAGE_PACK_H

#include "base/arena.h"
#include "base/buf.h"
#include "message/node.h"

void node_pack(struct buf *out, const struct node *n);
struct node *node_unpack(struct arena *a, const struct group *g, struct slice packed, struct node *parent);

#endif
