#include "base/map.h"

#include <sys/auxv.h>
#include <sys/random.h>

enum { SLOTS_FIRST = 16 };

/* The one state of the process that is not const: set before main(), never changed. */
static uint64_t hash_key[2];

__attribute__((constructor)) static void choose_hash_key(void)
{
    if (getrandom(hash_key, sizeof hash_key, GRND_NONBLOCK) == (ssize_t)sizeof hash_key)
        return;
    const void *of_kernel = (const void *)getauxval(AT_RANDOM);     /* 16 random bytes given to every process */
    if (of_kernel)
        memcpy(hash_key, of_kernel, sizeof hash_key);
}

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3: Aumasson and Bernstein 2012, one round per word and three at the end. */
uint64_t map_hash(struct slice key)
{
    uint64_t v[4] = { hash_key[0] ^ 0x736f6d6570736575, hash_key[1] ^ 0x646f72616e646f6d,
                      hash_key[0] ^ 0x6c7967656e657261, hash_key[1] ^ 0x7465646279746573 };
    const char *p = key.p, *end = slice_end((struct slice){ key.p, key.n & ~(size_t)7 });
    uint64_t word;
    for (; p < end; p += 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)key.n << 56;
    for (size_t i = 0; i < (key.n & 7); i++)
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xFF;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, struct arena *a)
{
    *m = (struct map){ .arena = a };
}

/* The slot where the key is or where it would go. */
static uint32_t *find_slot(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->nslots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &m->slots[i];
        if (*slot == 0)
            return slot;
        const struct map_entry *e = &m->entries[*slot - 1];
        if (e->hash == hash && slice_equal(e->key, key))
            return slot;
    }
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->n == 0)
        return NULL;
    uint32_t slot = *find_slot(m, key, map_hash(key));
    return slot ? m->entries[slot - 1].value : NULL;
}

/* Half of the slots stay free, so runs are short. */
static void widen(struct map *m)
{
    m->nslots = m->nslots ? m->nslots * 2 : SLOTS_FIRST;
    m->slots = arena_zero(m->arena, m->nslots * sizeof *m->slots);
    size_t mask = m->nslots - 1;
    for (size_t n = 0; n < m->n; n++) {
        size_t i = m->entries[n].hash & mask;
        while (m->slots[i])
            i = (i + 1) & mask;
        m->slots[i] = (uint32_t)(n + 1);
    }
}

struct map_entry *map_at(struct map *m, struct slice key)
{
    if (m->n * 2 >= m->nslots)
        widen(m);
    uint64_t hash = map_hash(key);
    uint32_t *slot = find_slot(m, key, hash);
    if (*slot == 0) {
        ARENA_PUSH(m->arena, m->entries, m->n, m->cap) = (struct map_entry){ .key = key, .hash = hash };
        *slot = (uint32_t)m->n;
    }
    return &m->entries[*slot - 1];
}

void map_put(struct map *m, struct slice key, void *value)
{
    map_at(m, key)->value = value;
}
