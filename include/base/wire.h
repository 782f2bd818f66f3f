/*
 * wire - numbers and texts in a row: what our own processes say to each other, and our own temporary files hold
 *
 *     wire_number(&buf, 3);
 *     wire_text(&buf, SLICE("a"));
 *
 *     struct wire w = { .at = bytes, .arena = arena };
 *     n = wire_get_number(&w);
 *     text = wire_get_text(&w);
 *     if (w.bad) … something did not fit, and all since is 0 or slice_none() …
 *
 * A number is 8 bytes of this machine, a text its length and its bytes; slice_none() stays what it is.
 *
 * Owner:   texts are copied into the arena.
 */
#ifndef WAYBILL_BASE_WIRE_H
#define WAYBILL_BASE_WIRE_H

#include "base/arena.h"
#include "base/buf.h"

struct wire {
    struct slice at;                /* what is left */
    bool bad;                       /* stays set */
    struct arena *arena;
};

void wire_number(struct buf *b, uint64_t n);
void wire_text(struct buf *b, struct slice text);
uint64_t wire_get_number(struct wire *w);
struct slice wire_get_text(struct wire *w);

#endif
