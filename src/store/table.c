#include "store/table.h"

#include <stdint.h>

#include "base/map.h"

enum { SLOTS_MIN = 64 };

/*
 * One index: open addressing over chains.  `slots` holds row + 1 of the first row of a key, `chain` the next row with
 * the same key, in order of coming.  A removed row stays linked and is stepped over.
 */
struct table_index {
    struct table_index *next;
    int columns[TABLE_FIND_COLUMNS];
    size_t n;
    uint32_t *slots, *tails;        /* row + 1; 0 = free */
    size_t nslots, used;            /* a power of two; keys in it */
    uint32_t *chain;                /* [row] -> row + 1 of the next */
    uint64_t *hashes;               /* [row] */
    size_t rows, cap;               /* rows taken in */
};

/* The text by which a value is compared: decimals without the zeros that do not count. */
static struct slice key_text(enum type type, struct slice text)
{
    if (type != TYPE_DECIMAL || text.n == 0 || memchr(text.p, '.', text.n) == NULL)
        return text;
    while (text.n && text.p[text.n - 1] == '0')
        text.n--;
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    return slice_is(text, "-0") ? SLICE("0") : text;
}

static struct slice cell(const struct table *t, size_t row, int column)
{
    return key_text(t->shape.types[column], value_text(&t->rows[row][column]));
}

/* One text from several: short ones are joined with their lengths, so that ("a", "bc") differs from ("ab", "c"). */
static uint64_t hash_texts(const struct slice *texts, size_t n)
{
    if (n == 1)
        return map_hash(texts[0]);
    uint64_t parts[2 * TABLE_FIND_COLUMNS];
    for (size_t i = 0; i < n; i++) {
        parts[2 * i] = texts[i].n;
        parts[2 * i + 1] = map_hash(texts[i]);
    }
    return map_hash((struct slice){ (const char *)parts, 2 * n * sizeof *parts });
}

static void row_texts(const struct table *t, const struct table_index *x, size_t row, struct slice *out)
{
    for (size_t i = 0; i < x->n; i++)
        out[i] = cell(t, row, x->columns[i]);
}

static bool row_has(const struct table *t, const struct table_index *x, size_t row, const struct slice *texts)
{
    for (size_t i = 0; i < x->n; i++) {
        if (!slice_equal(cell(t, row, x->columns[i]), texts[i]))
            return false;
    }
    return true;
}

/* The slot of a key: its own, or the free one where it belongs. */
static size_t slot_of(const struct table *t, const struct table_index *x, uint64_t hash, const struct slice *texts)
{
    size_t mask = x->nslots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t row = x->slots[i];
        if (row == 0 || (x->hashes[row - 1] == hash && row_has(t, x, row - 1, texts)))
            return i;
    }
}

static void index_widen(struct table *t, struct table_index *x)
{
    uint32_t *slots = x->slots, *tails = x->tails;
    size_t n = x->nslots;
    x->nslots = n ? 2 * n : SLOTS_MIN;
    x->slots = arena_zero(t->arena, x->nslots * sizeof *x->slots);
    x->tails = arena_zero(t->arena, x->nslots * sizeof *x->tails);
    for (size_t i = 0; i < n; i++) {
        if (slots[i] == 0)
            continue;
        size_t at = x->hashes[slots[i] - 1] & (x->nslots - 1);
        while (x->slots[at] != 0)
            at = (at + 1) & (x->nslots - 1);
        x->slots[at] = slots[i];
        x->tails[at] = tails[i];
    }
}

static void index_room(struct table *t, struct table_index *x)
{
    if (x->rows < x->cap)
        return;
    size_t cap = x->cap ? 2 * x->cap : SLOTS_MIN;
    uint32_t *chain = arena_alloc(t->arena, cap * sizeof *chain);
    uint64_t *hashes = arena_alloc(t->arena, cap * sizeof *hashes);
    if (x->rows) {
        memcpy(chain, x->chain, x->rows * sizeof *chain);
        memcpy(hashes, x->hashes, x->rows * sizeof *hashes);
    }
    x->chain = chain;
    x->hashes = hashes;
    x->cap = cap;
}

/* Takes in the row behind those that the index has. */
static void index_take(struct table *t, struct table_index *x)
{
    struct slice texts[TABLE_FIND_COLUMNS];
    size_t row = x->rows;
    index_room(t, x);
    if (2 * (x->used + 1) > x->nslots)
        index_widen(t, x);
    x->rows++;
    x->chain[row] = 0;
    x->hashes[row] = 0;
    if (t->rows[row] == NULL)
        return;
    row_texts(t, x, row, texts);
    x->hashes[row] = hash_texts(texts, x->n);
    size_t at = slot_of(t, x, x->hashes[row], texts);
    if (x->slots[at] == 0) {
        x->slots[at] = (uint32_t)row + 1;
        x->used++;
    } else {
        x->chain[x->tails[at] - 1] = (uint32_t)row + 1;
    }
    x->tails[at] = (uint32_t)row + 1;
}

static void index_empty(struct table_index *x)
{
    if (x->nslots) {
        memset(x->slots, 0, x->nslots * sizeof *x->slots);
        memset(x->tails, 0, x->nslots * sizeof *x->tails);
    }
    x->rows = x->used = 0;
}

/* The index over these columns, made when it is new, with all rows taken in. */
static struct table_index *index_for(struct table *t, const int *columns, size_t n)
{
    struct table_index *x = t->indexes;
    while (x && !(x->n == n && memcmp(x->columns, columns, n * sizeof *columns) == 0))
        x = x->next;
    if (x == NULL) {
        x = arena_zero(t->arena, sizeof *x);
        memcpy(x->columns, columns, n * sizeof *columns);
        x->n = n;
        x->next = t->indexes;
        t->indexes = x;
    }
    while (x->rows < t->nrows)
        index_take(t, x);
    return x;
}

static bool is_yes_no(struct slice s)
{
    return slice_is(s, "yes") || slice_is(s, "no");
}

void table_text_types(struct slice *const *rows, size_t nrows, size_t n, enum type *types)
{
    for (size_t c = 0; c < n; c++) {
        size_t i = 0;
        while (i < nrows && is_yes_no(rows[i][c]))
            i++;
        types[c] = nrows && i == nrows ? TYPE_BOOLEAN : TYPE_TEXT;
    }
}

struct value table_text_value(struct slice text, enum type type)
{
    if (type == TYPE_BOOLEAN)
        text = slice_is(text, "yes") ? SLICE("true") : SLICE("false");
    return (struct value){ .p = text.p, .n = (uint32_t)text.n, .at = VALUE_NO_PLACE,
                           .state = text.n ? VALUE_PRESENT : VALUE_EMPTY };
}

struct table *table_new(struct arena *a, const struct table_shape *shape)
{
    struct table *t = arena_zero(a, sizeof *t);
    size_t n = shape->ncolumns;
    struct slice *columns = arena_alloc(a, n * sizeof *columns + 1);
    enum type *types = arena_alloc(a, n * sizeof *types + 1);
    int *keys = arena_alloc(a, shape->nkeys * sizeof *keys + 1);
    for (size_t i = 0; i < n; i++) {
        columns[i] = arena_copy(a, shape->columns[i]);
        types[i] = shape->types ? shape->types[i] : TYPE_TEXT;
    }
    if (shape->nkeys)
        memcpy(keys, shape->keys, shape->nkeys * sizeof *keys);
    t->arena = a;
    t->shape = *shape;
    t->shape.name = arena_copy(a, shape->name);
    t->shape.columns = columns;
    t->shape.types = types;
    t->shape.keys = keys;
    return t;
}

int table_column(const struct table *t, struct slice name)
{
    for (size_t i = 0; i < t->shape.ncolumns; i++) {
        if (slice_equal(t->shape.columns[i], name))
            return (int)i;
    }
    return -1;
}

static void copy_value(struct arena *a, struct value *to, const struct value *from)
{
    *to = *from;
    to->at = VALUE_NO_PLACE;
    to->len = 0;
    if (from->state == VALUE_PRESENT) {
        struct slice text = arena_copy(a, (struct slice){ from->p, from->n });
        to->p = text.p;
    } else {
        to->p = "";
        to->n = 0;
    }
}

static struct value *copy_row(struct table *t, const struct value *values)
{
    struct value *row = arena_alloc(t->arena, t->shape.ncolumns * sizeof *row + 1);
    for (size_t i = 0; i < t->shape.ncolumns; i++)
        copy_value(t->arena, &row[i], &values[i]);
    return row;
}

/* The row that has the key of these values, or TABLE_NONE. */
static size_t find_key(struct table *t, const struct value *values, struct slice *texts)
{
    if (t->shape.nkeys == 0 || t->shape.nkeys > TABLE_FIND_COLUMNS)
        return TABLE_NONE;
    for (size_t i = 0; i < t->shape.nkeys; i++)
        texts[i] = value_text(&values[t->shape.keys[i]]);
    return table_next(t, t->shape.keys, texts, t->shape.nkeys, TABLE_NONE);
}

static int refuse(const struct table *t, const struct slice *texts, struct place place, struct problems *ps)
{
    struct buf shown = { 0 };
    for (size_t i = 0; i < t->shape.nkeys; i++) {
        if (i)
            buf_text(&shown, ", ");
        buf_byte(&shown, '"');
        buf_add_shown(&shown, texts[i], 40);
        buf_byte(&shown, '"');
    }
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "TABLE_DUPLICATE", .place = place,
        .text = arena_printf(ps->arena, "table %.*s has the key %.*s twice", SLICE_ARG(t->shape.name),
                             SLICE_ARG(buf_slice(&shown))),
        .hint = SLICE("one row per key; give the table another key if both rows are meant") });
    buf_release(&shown);
    return SKIP;
}

/* Whether this index looks at a value of the row that changes. */
static bool index_touched(const struct table *t, const struct table_index *x, size_t at, const struct value *row)
{
    for (size_t i = 0; i < x->n; i++) {
        int c = x->columns[i];
        if (!slice_equal(cell(t, at, c), key_text(t->shape.types[c], value_text(&row[c]))))
            return true;
    }
    return false;
}

/* An index whose columns change is made anew at the next question; most replacements change none. */
static void replace(struct table *t, size_t at, const struct value *values, enum table_policy policy)
{
    struct value *row = arena_alloc(t->arena, t->shape.ncolumns * sizeof *row + 1);
    for (size_t i = 0; i < t->shape.ncolumns; i++)
        row[i] = policy == TABLE_LAST || values[i].state != VALUE_ABSENT ? values[i] : t->rows[at][i];
    for (struct table_index *x = t->indexes; x; x = x->next) {
        if (at < x->rows && index_touched(t, x, at, row))
            index_empty(x);
    }
    for (size_t i = 0; i < t->shape.ncolumns; i++) {
        if (row[i].p != t->rows[at][i].p || row[i].state != t->rows[at][i].state)
            copy_value(t->arena, &t->rows[at][i], &row[i]);
    }
}

int table_add(struct table *t, const struct value *values, enum table_policy policy, struct place place,
              struct problems *ps)
{
    struct slice texts[TABLE_FIND_COLUMNS];
    size_t at = find_key(t, values, texts);
    if (at != TABLE_NONE && policy == TABLE_REFUSE)
        return refuse(t, texts, place, ps);
    if (at != TABLE_NONE) {
        replace(t, at, values, policy);
        return OK;
    }
    if ((t->shape.limit && t->count >= t->shape.limit) || t->nrows >= UINT32_MAX - 1) {
        problem_addf(ps, PROBLEM_ERROR, "LIMIT_TABLE", place, "table %.*s has more than %llu rows",
                     SLICE_ARG(t->shape.name), (unsigned long long)t->shape.limit);
        return STOP;
    }
    struct value *row = copy_row(t, values);
    ARENA_PUSH(t->arena, t->rows, t->nrows, t->cap) = row;
    t->count++;
    return OK;
}

size_t table_next(struct table *t, const int *columns, const struct slice *texts, size_t n, size_t after)
{
    struct slice keys[TABLE_FIND_COLUMNS];
    if (n == 0 || n > TABLE_FIND_COLUMNS || t->nrows == 0)
        return TABLE_NONE;
    struct table_index *x = index_for(t, columns, n);
    uint32_t row;
    if (after == TABLE_NONE) {
        for (size_t i = 0; i < n; i++)
            keys[i] = key_text(t->shape.types[columns[i]], texts[i]);
        row = x->slots[slot_of(t, x, hash_texts(keys, n), keys)];
    } else {
        row = x->chain[after];
    }
    while (row != 0 && t->rows[row - 1] == NULL)
        row = x->chain[row - 1];
    return row ? row - 1 : TABLE_NONE;
}

int table_find(struct table *t, const int *columns, const struct slice *texts, size_t n, const struct value **row_out)
{
    size_t first = table_next(t, columns, texts, n, TABLE_NONE);
    *row_out = first == TABLE_NONE ? NULL : t->rows[first];
    if (first == TABLE_NONE)
        return 0;
    return table_next(t, columns, texts, n, first) == TABLE_NONE ? 1 : 2;
}

static bool is_marked(const struct value *v)
{
    struct slice text = value_text(v);
    return slice_is(text, "true") || slice_is(text, "yes") || slice_is(text, "1");
}

int table_find_preferred(struct table *t, const int *columns, const struct slice *texts, size_t n, int mark,
                         const struct value **row_out)
{
    int rows = table_find(t, columns, texts, n, row_out), found = 0;
    if (rows < 2 || mark < 0)
        return rows;
    *row_out = NULL;
    for (size_t i = table_next(t, columns, texts, n, TABLE_NONE); i != TABLE_NONE && found < 2;
         i = table_next(t, columns, texts, n, i)) {
        if (!is_marked(&t->rows[i][mark]))
            continue;
        if (found++ == 0)
            *row_out = t->rows[i];
    }
    return found;
}

const struct value *table_row(const struct table *t, size_t i)
{
    return i < t->nrows ? t->rows[i] : NULL;
}

/* The row's texts are still needed to step over it in the indexes, so these are made anew. */
void table_remove(struct table *t, size_t i)
{
    if (i >= t->nrows || t->rows[i] == NULL)
        return;
    t->rows[i] = NULL;
    t->count--;
    for (struct table_index *x = t->indexes; x; x = x->next)
        index_empty(x);
}

bool table_unique(struct table *t, const int *columns, size_t n, size_t *first, size_t *second)
{
    if (n == 0 || n > TABLE_FIND_COLUMNS)
        return t->count < 2;
    struct table_index *x = index_for(t, columns, n);
    for (size_t row = 0; row < t->nrows; row++) {
        if (t->rows[row] && x->chain[row]) {
            *first = row;
            *second = x->chain[row] - 1;
            return false;
        }
    }
    return true;
}

void table_set_hash(struct table *t, struct slice source)
{
    sha256_of(source, t->hash);
}
