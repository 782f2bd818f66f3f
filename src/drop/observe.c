#include "drop/observe.h"

enum { CAP_MIN = 1024 };

void observe_init(struct observations *o)
{
    *o = (struct observations){ .cap = CAP_MIN };
    arena_init(&o->arena, 0);
    o->table = arena_zero(&o->arena, o->cap * sizeof *o->table);
}

void observe_release(struct observations *o)
{
    arena_release(&o->arena);
    o->table = NULL;
}

void observe_begin(struct observations *o)
{
    o->pass = (o->pass + 1) & 0x1FFFFFFF;
}

static struct observed *slot_of(const struct observations *o, uint64_t key)
{
    size_t i = key & (o->cap - 1);
    while (o->table[i].key != 0 && o->table[i].key != key)
        i = (i + 1) & (o->cap - 1);
    return &o->table[i];
}

/* Moves the entries to a new table; `all` or only those that this pass saw. */
static void rebuild(struct observations *o, size_t cap, bool all)
{
    struct observations old = *o;
    arena_init(&o->arena, 0);
    o->cap = cap;
    o->n = 0;
    o->table = arena_zero(&o->arena, cap * sizeof *o->table);
    for (size_t i = 0; i < old.cap; i++) {
        const struct observed *e = &old.table[i];
        if (e->key == 0 || (!all && e->pass >> OBSERVE_FLAGS != o->pass))
            continue;
        *slot_of(o, e->key) = *e;
        o->n++;
    }
    arena_release(&old.arena);
}

struct observed *observe(struct observations *o, uint64_t key, int64_t now_ms)
{
    key = key ? key : 1;
    struct observed *e = slot_of(o, key);
    if (e->key == 0) {
        if (o->n >= OBSERVE_MAX)
            return NULL;
        if (2 * (o->n + 1) > o->cap) {
            rebuild(o, 2 * o->cap, true);
            e = slot_of(o, key);
        }
        *e = (struct observed){ .key = key, .since = (uint32_t)now_ms };
        o->n++;
    }
    e->pass = o->pass << OBSERVE_FLAGS | (e->pass & ((1u << OBSERVE_FLAGS) - 1));
    return e;
}

void observe_sweep(struct observations *o)
{
    size_t alive = 0, cap = CAP_MIN;
    for (size_t i = 0; i < o->cap; i++)
        alive += o->table[i].key != 0 && o->table[i].pass >> OBSERVE_FLAGS == o->pass;
    while (cap < 2 * (alive + 1))
        cap *= 2;
    if (alive < o->n)
        rebuild(o, cap, false);
}
