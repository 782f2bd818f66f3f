#include "syntax/csv.h"

/*
 * Fingerprints of the keys of closed messages: 64 bits of SipHash.  While each key is greater than all before it (longer, or as long
 * and greater by bytes: numbered orders) they are only listed; the first one that is not turns the list into open addressing, 8
 * bytes a slot, at most three quarters full.  333,000 orders take 2.7 MB in the list, 4 MiB in the table.  A fingerprint that is there already is no verdict: the file is then read again up to
 * here to find the key itself (csv_read.c), so no collision can refuse a good file.  Only for pipes, which cannot be read again,
 * the fingerprint decides: with a million keys one good file in 37 million would be refused.
 */
struct keyset {
    struct buf slots;               /* of uint64_t; 0 = free */
    size_t size, n;                 /* size: a power of two */
    bool mixed;                     /* the keys do not ascend: the table counts */
    struct buf list, last;          /* fingerprints, and the greatest key */
};

enum { KEYSET_FIRST = 1024 };

struct keyset *keyset_new(struct arena *a)
{
    return arena_zero(a, sizeof(struct keyset));
}

void keyset_free(struct keyset *k)
{
    if (!k)
        return;
    buf_release(&k->slots);
    buf_release(&k->list);
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

static bool table_add(struct keyset *k, uint64_t fingerprint)
{
    if (k->n + 1 > k->size / 4 * 3)
        grow(k);
    uint64_t *slot = slot_of((uint64_t *)(void *)k->slots.p, k->size, fingerprint);
    if (*slot)
        return false;
    *slot = fingerprint;
    k->n++;
    return true;
}

static bool is_greater(struct slice key, struct slice last)
{
    return key.n != last.n ? key.n > last.n : memcmp(key.p, last.p, key.n) > 0;
}

bool keyset_add(struct keyset *k, struct slice key)
{
    uint64_t fingerprint = map_hash(key);
    fingerprint += fingerprint == 0;
    if (k->mixed)
        return table_add(k, fingerprint);
    if (is_greater(key, buf_slice(&k->last))) {
        k->last.n = 0;
        buf_add(&k->last, key);
        buf_add(&k->list, (struct slice){ (const char *)&fingerprint, sizeof fingerprint });
        return true;
    }
    k->mixed = true;
    const uint64_t *listed = (const uint64_t *)(const void *)k->list.p;
    for (size_t i = 0; i < k->list.n / sizeof *listed; i++)
        table_add(k, listed[i]);
    buf_release(&k->list);
    return table_add(k, fingerprint);
}
