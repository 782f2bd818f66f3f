/* lookup - rows of tables: those in the map are hashed once, the others are asked of outside. */
#include "run.h"

static struct slice join_keys(struct arena *a, const struct slice *keys, size_t n)
{
    if (n == 1)
        return keys[0];
    size_t total = n;
    for (size_t i = 0; i < n; i++)
        total += keys[i].n;
    char *out = arena_alloc(a, total), *p = out;
    for (size_t i = 0; i < n; i++) {
        if (i)
            *p++ = '\x1f';
        if (keys[i].n)
            memcpy(p, keys[i].p, keys[i].n);
        p += keys[i].n;
    }
    return slice_range(out, p);
}

/* ---- binding ---------------------------------------------------------------------------------------------------- */

static void bind_local(struct run *r, const struct mapping_table *t, struct bound *b)
{
    size_t columns = t->nkeys + t->ncolumns;
    b->index = arena_zero(r->arena, sizeof *b->index);
    map_init(b->index, r->arena);
    b->rows = arena_alloc(r->arena, (t->nrows + 1) * sizeof *b->rows);
    for (size_t i = 0; i < t->nrows; i++) {
        b->rows[i] = arena_zero(r->arena, columns * sizeof **b->rows);
        for (size_t c = 0; c < columns; c++)
            b->rows[i][c] = (struct value){ .p = t->rows[i][c].p, .n = (uint32_t)t->rows[i][c].n, .at = VALUE_NO_PLACE,
                                            .state = t->rows[i][c].n ? VALUE_PRESENT : VALUE_EMPTY };
        map_put(b->index, join_keys(r->arena, t->rows[i], t->nkeys), b->rows[i]);
    }
    for (size_t c = 0; c < columns; c++)
        b->columns[c] = (int)c;
}

static int no_column(struct run *r, const struct mapping_table *t, struct slice column, struct problems *ps)
{
    struct place place = { .file = r->mapping->file, .offset = PLACE_NO_OFFSET, .line = t->token.line,
                           .column = t->token.column };
    problem_addf(ps, PROBLEM_ERROR, "TABLE_NO_COLUMN", place, "table %.*s has no column \"%.*s\"", SLICE_ARG(t->name),
                 SLICE_ARG(column));
    return STOP;
}

static int bind_outside(struct run *r, const struct mapping_table *t, struct bound *b, struct problems *ps)
{
    const struct outside *o = r->outside;
    int rc = OK;
    size_t before = ps->errors;
    b->table = o && o->table_open ? o->table_open(o->owner, t, ps) : NULL;
    if (!b->table) {
        struct place place = { .file = r->mapping->file, .offset = PLACE_NO_OFFSET, .line = t->token.line,
                               .column = t->token.column };
        if (t->optional && ps->errors == before)
            return OK;
        if (ps->errors == before)
            problem_addf(ps, PROBLEM_ERROR, "TABLE_UNBOUND", place, "table %.*s is bound to nothing",
                         SLICE_ARG(t->name));
        return STOP;
    }
    for (uint32_t c = 0; c < t->nkeys + t->ncolumns; c++) {
        struct slice name = table_column_name(t, c);
        b->columns[c] = o->table_column(o->owner, b->table, name, &b->types[c]);
        if (b->columns[c] < 0)
            rc = no_column(r, t, name, ps);
    }
    return rc;
}

int lookup_bind(struct run *r, struct problems *ps)
{
    const struct mapping *m = r->mapping;
    int rc = OK;
    r->tables = arena_zero(r->arena, (m->ntables + 1) * sizeof *r->tables);
    for (size_t i = 0; i < m->ntables; i++) {
        const struct mapping_table *t = &m->tables[i];
        struct bound *b = &r->tables[i];
        b->columns = arena_zero(r->arena, (t->nkeys + t->ncolumns + 1) * sizeof *b->columns);
        b->types = arena_zero(r->arena, (t->nkeys + t->ncolumns + 1) * sizeof *b->types);
        if (t->local)
            bind_local(r, t, b);
        else if (t->used && bind_outside(r, t, b, ps) != OK)
            rc = STOP;
    }
    return rc;
}

/* ---- forward ---------------------------------------------------------------------------------------------------- */

/* Evaluates the key; false when all of it is nothing: then no row can have it. A part that is nothing asks for rows
   that have nothing there. */
static bool key_texts(struct run *r, const struct expr *e, const struct node *here, struct slice *keys)
{
    const struct bound *b = &r->tables[e->table];
    bool some = false;
    for (size_t i = 0; i < e->keys->n; i++) {
        struct val v;
        eval(r, e->keys->args[i], here, &v);
        keys[i] = val_key_text(r->a, &v);
        some |= keys[i].n != 0;
        if (b->types[i] == TYPE_DECIMAL && v.type != TYPE_DECIMAL) {
            struct num n;
            if (num_parse(keys[i], &n))
                keys[i] = num_text(r->a, num_normal(n));
        }
    }
    return some;
}

static int find_row(struct run *r, const struct expr *e, const struct slice *keys, const struct value **row)
{
    const struct bound *b = &r->tables[e->table];
    size_t n = e->keys->n;
    if (b->index) {
        *row = map_get(b->index, join_keys(r->a, keys, n));
        return *row != NULL;
    }
    if (!b->table)
        return 0;
    return r->outside->table_find(r->outside->owner, b->table, b->columns, keys, n, row);
}

static void miss(struct run *r, const struct expr *e, const struct slice *keys, bool known)
{
    const struct mapping_table *t = &r->mapping->tables[e->table];
    if (t->optional)
        return;
    if (r->guard) {
        r->missed = e;
        return;
    }
    struct slice key = known ? keys[0] : SLICE("nothing");
    run_fault_set(r, e, "TABLE_MISS", slice_none(), key, "is in no row of table %.*s", SLICE_ARG(t->name));
}

bool lookup_row(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice keys[TABLE_KEYS_MAX] = { { "", 0 } };
    const struct value *row = NULL;
    const struct mapping_table *t = &r->mapping->tables[e->table];
    bool known = key_texts(r, e, here, keys);
    int found = known ? find_row(r, e, keys, &row) : 0;
    *out = (struct val){ .kind = VAL_ROW, .table = e->table, .row = found ? row : NULL };
    if (found == 0)
        miss(r, e, keys, known);
    if (found > 1 && !r->guard)
        run_fault_set(r, e, "TABLE_AMBIGUOUS", slice_none(), keys[0], "is in several rows of table %.*s",
                      SLICE_ARG(t->name));
    return found > 0;
}

struct val lookup_column(const struct run *r, const struct val *row, uint32_t column)
{
    const struct bound *b = &r->tables[row->table];
    if (row->kind != VAL_ROW || !row->row || b->columns[column] < 0)
        return val_nothing();
    return val_of(&row->row[b->columns[column]], b->types[column]);
}

/* ---- backward --------------------------------------------------------------------------------------------------- */

static bool row_is_preferred(const struct mapping_table *t, const struct value *row)
{
    int c = t->prefer.n ? table_column_index(t, t->prefer) : -1;
    return c >= 0 && value_is(&row[c]) && !slice_is(value_text(&row[c]), "no") && !slice_is(value_text(&row[c]),
            "false");
}

static int find_local(const struct mapping_table *t, const struct bound *b, uint32_t column, struct slice value,
                      const struct value **out)
{
    int found = 0;
    for (size_t i = 0; i < t->nrows; i++) {
        if (!slice_equal(value_text(&b->rows[i][column]), value))
            continue;
        if (row_is_preferred(t, b->rows[i])) {
            *out = b->rows[i];
            return 1;
        }
        if (found++ == 0)
            *out = b->rows[i];
    }
    return found > 1 ? 2 : found;
}

int lookup_back(struct run *r, const struct expr *e, struct slice value, const struct value **row_out)
{
    const struct bound *b = &r->tables[e->table];
    *row_out = NULL;
    if (b->index)
        return find_local(&r->mapping->tables[e->table], b, e->column, value, row_out);
    if (!b->table)
        return 0;
    return r->outside->table_find(r->outside->owner, b->table, &b->columns[e->column], &value, 1, row_out);
}
