/*
 * show_lines - a batch as a table and as JSON, and what was said about it (private to cmd)
 */
#ifndef WAYBILL_CMD_SHOW_LINES_H
#define WAYBILL_CMD_SHOW_LINES_H

#include "cmd/staged.h"

/* One row for each tracked instance (or message): keys, state, codes of its open problems, and every field that has a
   value somewhere. */
void show_table(struct buf *out, struct staged *s, const struct said *d);
/* What stands once in the document: the number that partners call the batch by. */
void show_members(struct buf *out, const struct staged *s);
/* `"messages":[…]`: each message with all its fields, its tracked lines with their states. */
void show_messages_json(struct buf *out, struct staged *s);
/* What operations said, the oldest first, under a heading; only what is open, or all. */
void show_said(struct buf *out, const struct said *d, bool all);
void show_said_json(struct buf *out, const struct said *d);
/* How each message came out of each operation, and what was tried. */
void show_why(struct buf *out, const struct said *d);

#endif
