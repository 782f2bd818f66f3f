#include "base/map.h"
#include "flow/work.h"

/* The rows of a table that a job fills, by key, in order of coming. */
struct rows {
    struct arena *arena;
    const struct give *give;
    struct map by_key;              /* key -> index + 1 */
    struct node **list;
    size_t n, cap;
    bool changed;
};

struct rows *rows_new(struct arena *a, const struct give *g)
{
    struct rows *r = arena_zero(a, sizeof *r);
    r->arena = a;
    r->give = g;
    map_init(&r->by_key, a);
    return r;
}

/* The site may name another key than the format: `table produto-erp … key TipoProduto, Variedade`. */
static struct slice row_key(struct rows *r, const struct node *row)
{
    const struct site_table *t = r->give->table;
    struct buf key = { 0 };
    if (!t->nkeys)
        return node_key(r->arena, row);
    for (size_t i = 0; i < t->nkeys; i++) {
        const struct field *f = group_field(row->group, t->keys[i]);
        if (i)
            buf_byte(&key, '\x1f');
        if (f)
            buf_add(&key, value_text(node_value(row, f)));
    }
    struct slice copy = arena_copy(r->arena, buf_slice(&key));
    buf_release(&key);
    return copy;
}

/* A merged row keeps what its mapping does not write. */
static bool merge(struct rows *r, struct node *old, const struct node *row)
{
    const struct group *g = old->group;
    bool changed = false;
    for (size_t i = 0; i < g->nfields; i++) {
        if (!r->give->writes[i])
            continue;
        if (!type_equal(g->fields[i]->type, &old->values[i], &row->values[i])) {
            changed = true;
            old->values[i] = row->values[i];
        }
    }
    if (g->ngroups && !r->give->replace) {          /* the groups below come anew */
        memcpy(node_lists(old), node_lists(row), g->ngroups * sizeof(struct node_list));
        changed = true;
    }
    return changed;
}

static int put(struct rows *r, const struct node *row, bool fresh, const struct limits *limits, struct problems *ps)
{
    struct node *copy = node_copy(r->arena, row, NULL);
    struct slice key = row_key(r, copy);
    struct map_entry *e = key.n ? map_at(&r->by_key, key) : NULL;
    if (e && e->value) {
        size_t i = (size_t)(uintptr_t)e->value - 1;
        if (r->give->replace) {
            r->list[i] = copy;
            r->changed = true;
        } else if (merge(r, r->list[i], copy))
            r->changed = true;
        return OK;
    }
    if (limits->table && r->n >= limits->table) {
        problem_addf(ps, PROBLEM_ERROR, "LIMIT_TABLE", (struct place){ .offset = PLACE_NO_OFFSET }, "table %.*s has more than %llu rows",
                     SLICE_ARG(r->give->table->name), (unsigned long long)limits->table);
        return STOP;
    }
    ARENA_PUSH(r->arena, r->list, r->n, r->cap) = copy;
    if (e)
        e->value = (void *)(uintptr_t)r->n;
    r->changed = r->changed || fresh;
    return OK;
}

int rows_add(struct rows *r, const struct node *row, const struct limits *limits, struct problems *ps)
{
    return put(r, row, true, limits, ps);
}

struct loading_rows {
    struct rows *rows;
    const struct limits *limits;
};

static int load_row(void *owner, struct node *row, struct problems *ps)
{
    struct loading_rows *l = owner;
    return put(l->rows, row, false, l->limits, ps);
}

int rows_load(struct rows *r, const struct limits *limits, struct problems *ps)
{
    struct loading_rows l = { r, limits };
    int rc = read_rows(r->give->table->path, r->give->to, limits, NULL, load_row, &l, ps);
    r->changed = false;
    return rc == END ? OK : rc;
}

size_t rows_count(const struct rows *r)
{
    return r->n;
}

struct node *rows_at(const struct rows *r, size_t i)
{
    return r->list[i];
}

bool rows_changed(const struct rows *r)
{
    return r->changed;
}
