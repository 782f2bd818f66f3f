#include "syntax/csv.h"

/*
 * Which keys of closed messages have been met: a set of fingerprints, 64 bits of SipHash in open addressing, 8 bytes
 * a slot. While each key is greater than all before it (longer, or as long and greater by bytes: numbered orders) the
 * greatest one is all that is kept.  The table takes 393,216 keys in 4 MiB; what is beyond is looked at when the file
 * has been read (csv_again.c).  Inputs that cannot be read again are kept in the table from the start, however large
 * it grows.
 */
struct keyset {
    struct buf slots;               /* of uint64_t; 0 = free */
    size_t size, n;                 /* size: a power of two */
    bool table, forever;            /* beyond the ascending part; without bound */
    struct buf last;                /* the greatest key */
};

enum { KEYSET_FIRST = 1024, KEYSET_MOST = 1 << 19 };

struct keyset *keyset_new(struct arena *a, bool forever)
{
    struct keyset *k = arena_zero(a, sizeof *k);
    k->table = k->forever = forever;
    return k;
}

void keyset_free(struct keyset *k)
{
    if (!k)
        return;
    buf_release(&k->slots);
    buf_release(&k->last);
}

static uint64_t *slot_of(uint64_t *slots, size_t size, uint64_t fingerprint)
{
    size_t i = (size_t)fingerprint & (size - 1);
    while (slots[i] && slots[i] != fingerprint)
        i = (i + 1) & (size - 1);
    return &slots[i];
}

static void grow(struct keyset *k)
{
    size_t size = k->size ? k->size * 2 : KEYSET_FIRST;
    struct buf slots = { 0 };
    uint64_t *to = (uint64_t *)(void *)buf_room(&slots, size * sizeof *to), *from = (uint64_t *)(void *)k->slots.p;
    memset(to, 0, size * sizeof *to);
    for (size_t i = 0; i < k->size; i++)
        if (from[i])
            *slot_of(to, size, from[i]) = from[i];
    buf_release(&k->slots);
    k->slots = slots;
    k->size = size;
}

uint64_t keyset_fingerprint(struct slice key)
{
    uint64_t fingerprint = map_hash(key);
    return fingerprint + (fingerprint == 0);
}

enum key_seen keyset_table(struct keyset *k, uint64_t fingerprint)
{
    k->table = true;
    if (k->n + 1 > k->size / 4 * 3) {
        if (k->size >= KEYSET_MOST && !k->forever)
            return *slot_of((uint64_t *)(void *)k->slots.p, k->size, fingerprint) ? KEY_SEEN : KEY_TOO_MANY;
        grow(k);
    }
    uint64_t *slot = slot_of((uint64_t *)(void *)k->slots.p, k->size, fingerprint);
    if (*slot)
        return KEY_SEEN;
    *slot = fingerprint;
    k->n++;
    return KEY_NEW;
}

enum key_seen keyset_add(struct keyset *k, struct slice key)
{
    struct slice last = buf_slice(&k->last);
    if (k->table)
        return keyset_table(k, keyset_fingerprint(key));
    if (key.n == last.n ? memcmp(key.p, last.p, key.n) <= 0 : key.n < last.n)
        return slice_equal(key, last) ? KEY_SEEN : KEY_OUT_OF_ORDER;
    k->last.n = 0;
    buf_add(&k->last, key);
    return KEY_NEW;
}
