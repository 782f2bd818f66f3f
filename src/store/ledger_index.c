#include "store/ledger_index.h"

#include "base/map.h"

enum { SLOTS_MIN = 64, TEXTS_MAX = 64 };

uint64_t ledger_index_hash(const struct slice *texts, size_t n)
{
    uint64_t parts[2 * TEXTS_MAX];
    if (n > TEXTS_MAX)
        n = TEXTS_MAX;
    for (size_t i = 0; i < n; i++) {
        parts[2 * i] = texts[i].n;
        parts[2 * i + 1] = map_hash(texts[i]);
    }
    uint64_t hash = map_hash((struct slice){ (const char *)parts, 2 * n * sizeof *parts });
    return hash ? hash : 1;
}

/* The slot of a hash, or the free one where it belongs. */
static size_t slot_of(const struct ledger_index *x, uint64_t hash)
{
    size_t mask = x->nslots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        if (x->slots[i] == 0 || x->hashes[x->slots[i] - 1] == hash)
            return i;
    }
}

static void widen(struct arena *a, struct ledger_index *x)
{
    x->nslots = x->nslots ? 2 * x->nslots : SLOTS_MIN;
    x->slots = arena_zero(a, x->nslots * sizeof *x->slots);
    for (size_t i = 0; i < x->rows; i++) {          /* as if they came anew: see ledger_index_cut */
        if (x->hashes[i])
            x->slots[slot_of(x, x->hashes[i])] = (uint32_t)i + 1;
    }
}

static void room(struct arena *a, struct ledger_index *x)
{
    if (x->rows < x->cap)
        return;
    size_t cap = x->cap ? 2 * x->cap : SLOTS_MIN;
    uint32_t *older = arena_alloc(a, cap * sizeof *older);
    uint64_t *hashes = arena_alloc(a, cap * sizeof *hashes);
    if (x->rows) {
        memcpy(older, x->older, x->rows * sizeof *older);
        memcpy(hashes, x->hashes, x->rows * sizeof *hashes);
    }
    x->older = older;
    x->hashes = hashes;
    x->cap = cap;
}

void ledger_index_take(struct arena *a, struct ledger_index *x, uint64_t hash)
{
    room(a, x);
    if (2 * (x->used + 1) > x->nslots)
        widen(a, x);
    size_t row = x->rows++;
    x->older[row] = 0;
    x->hashes[row] = hash;
    if (hash == 0)
        return;
    size_t at = slot_of(x, hash);
    x->older[row] = x->slots[at];
    x->used += x->slots[at] == 0;
    x->slots[at] = (uint32_t)row + 1;
}

/* The newest first: no key that is still there had to look past the slot that becomes free. */
void ledger_index_cut(struct ledger_index *x, size_t rows)
{
    while (x->rows > rows) {
        size_t row = x->rows - 1;
        if (x->hashes[row]) {
            size_t at = slot_of(x, x->hashes[row]);
            x->slots[at] = x->older[row];
            x->used -= x->slots[at] == 0;
        }
        x->rows = row;
    }
}

uint32_t ledger_index_first(const struct ledger_index *x, uint64_t hash)
{
    return x->nslots ? x->slots[slot_of(x, hash)] : 0;
}
