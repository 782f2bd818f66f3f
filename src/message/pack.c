#include "message/pack.h"

/* A node: for each value that is there slot + 1, state, length and text; 0; for each group below the number of its
   instances and they.  Numbers take seven bits a byte, the last one below 128. */

enum { STATE_BITS = 2 };

static void put_number(struct buf *out, uint64_t n)
{
    for (; n >= 128; n >>= 7)
        buf_byte(out, (char)(unsigned char)(n | 128));
    buf_byte(out, (char)n);
}

static uint64_t take_number(const char **at)
{
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char c = (unsigned char)*(*at)++;
        n |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return n;
    }
}

void node_pack(struct buf *out, const struct node *n)
{
    for (size_t i = 0; i < n->group->nfields; i++) {
        const struct value *v = &n->values[i];
        bool lax = v->form & VALUE_LAX;
        if (v->state == VALUE_ABSENT && !lax)
            continue;
        put_number(out, i + 1);
        put_number(out, (uint64_t)v->state | (uint64_t)lax << STATE_BITS);
        put_number(out, v->n);
        buf_add(out, (struct slice){ v->p, v->n });
    }
    put_number(out, 0);
    for (size_t i = 0; i < n->group->ngroups; i++) {
        put_number(out, node_lists(n)[i].n);
        for (const struct node *child = node_lists(n)[i].first; child; child = child->next)
            node_pack(out, child);
    }
}

static struct node *take_node(struct arena *a, const struct group *g, const char **at, struct node *parent)
{
    struct node *n = node_new(a, g, parent);
    uint64_t slot;
    while ((slot = take_number(at)) != 0) {
        struct value *v = &n->values[slot - 1];
        uint64_t state = take_number(at);
        v->state = (uint8_t)(state & ((1 << STATE_BITS) - 1));
        v->form = state >> STATE_BITS ? VALUE_LAX : 0;
        v->n = (uint32_t)take_number(at);
        v->p = *at;
        *at += v->n;
    }
    for (size_t i = 0; i < g->ngroups; i++)
        for (uint64_t left = take_number(at); left; left--)
            node_append(n, take_node(a, g->groups[i], at, n));
    return n;
}

struct node *node_unpack(struct arena *a, const struct group *g, struct slice packed, struct node *parent)
{
    const char *at = packed.p;
    return take_node(a, g, &at, parent);
}
