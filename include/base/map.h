/*
 * map - a hash table from text to pointer, safe for keys that come from the input
 *
 *     struct map m;
 *     map_init(&m, arena);
 *     map_put(&m, key, thing);          the key is not copied
 *     thing = map_get(&m, key);         NULL when there is none
 *
 * Keyed SipHash-1-3 with a random key per process, so that nobody can choose colliding keys.  Iteration is in order of
 * insertion (m->entries[0 .. m->n-1]), so no output depends on a hash.
 *
 * Owner:   table and entries live in the arena; keys must live as long.
 */
#ifndef WAYBILL_BASE_MAP_H
#define WAYBILL_BASE_MAP_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct map_entry {
    struct slice key;
    void *value;
    uint64_t hash;
};

struct map {
    struct arena *arena;
    struct map_entry *entries;
    uint32_t *slots;                /* index into entries + 1; 0 = free */
    size_t n, cap, nslots;
};

void map_init(struct map *m, struct arena *a);
void *map_get(const struct map *m, struct slice key);
/* Adds the key or replaces its value. */
void map_put(struct map *m, struct slice key, void *value);
/* The entry of the key, added with value NULL when it is new. */
struct map_entry *map_at(struct map *m, struct slice key);

/* SipHash-1-3 under the process's key. */
uint64_t map_hash(struct slice key);

#endif
