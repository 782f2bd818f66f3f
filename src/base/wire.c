#include "base/wire.h"

void wire_number(struct buf *b, uint64_t n)
{
    memcpy(buf_room(b, sizeof n), &n, sizeof n);
    b->n += sizeof n;
}

void wire_text(struct buf *b, struct slice text)
{
    wire_number(b, text.p ? text.n : UINT64_MAX);
    buf_add(b, text);
}

uint64_t wire_get_number(struct wire *w)
{
    uint64_t n = 0;
    if (w->at.n < sizeof n)
        w->bad = true;
    if (w->bad)
        return 0;
    memcpy(&n, w->at.p, sizeof n);
    w->at = slice_range(w->at.p + sizeof n, w->at.p + w->at.n);
    return n;
}

struct slice wire_get_text(struct wire *w)
{
    uint64_t n = wire_get_number(w);
    if (w->bad || n == UINT64_MAX)
        return slice_none();
    if (n > w->at.n) {
        w->bad = true;
        return slice_none();
    }
    struct slice text = { w->at.p, (size_t)n };
    w->at = slice_range(w->at.p + n, w->at.p + w->at.n);
    return arena_copy(w->arena, text);
}
