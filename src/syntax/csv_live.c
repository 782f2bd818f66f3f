#include "syntax/csv.h"

#include "base/file.h"

/* --- which cell is which column --------------------------------------------------------------- */

static void by_cell(struct live_level *l)
{
    for (size_t i = 1; i < l->ncols; i++) {
        struct live_column c = l->cols[i];
        size_t k = i;
        for (; k > 0 && l->cols[k - 1].cell > c.cell; k--)
            l->cols[k] = l->cols[k - 1];
        l->cols[k] = c;
    }
}

/* Cells 0 … outer-1 hold all columns of the outer levels, and none of the innermost. */
static size_t outer_cells(const struct live *l)
{
    const struct flat *flat = l->flat;
    size_t outer = 0;
    for (size_t i = 0; i < flat->ncols; i++)
        if (l->cell_of[i] != SIZE_MAX && flat->cols[i].level + 1 < flat->nlevels && l->cell_of[i] >= outer)
            outer = l->cell_of[i] + 1;
    for (size_t i = 0; i < flat->ncols; i++)
        if (flat->cols[i].level + 1 == flat->nlevels && l->cell_of[i] < outer)
            return 0;
    return outer < l->width ? outer : 0;
}

static void live_finish(struct live *l, struct arena *a)
{
    const struct flat *flat = l->flat;
    for (size_t level = 0; level < flat->nlevels; level++) {
        struct live_level *to = &l->levels[level];
        const struct flat_level *from = &flat->levels[level];
        to->blank = node_blank(a, from->group);
        to->cols = arena_zero(a, (flat->ncols + 1) * sizeof *to->cols);
        for (size_t i = 0; i < flat->ncols; i++)
            if (flat->cols[i].level == level && l->cell_of[i] != SIZE_MAX)
                to->cols[to->ncols++] = (struct live_column){ &flat->cols[i], flat->cols[i].field,
                                                              (uint32_t)l->cell_of[i], flat->cols[i].field->slot };
        by_cell(to);
        to->keys = arena_zero(a, (from->nkeys + 1) * sizeof *to->keys);
        for (size_t i = 0; i < from->nkeys; i++)
            if (l->cell_of[from->keys[i]] != SIZE_MAX)
                to->keys[to->nkeys++] = l->cell_of[from->keys[i]];
        for (size_t i = 0; level == 0 && i < to->nkeys; i++)
            l->key_width = to->keys[i] >= l->key_width ? to->keys[i] + 1 : l->key_width;
    }
    l->holder = arena_zero(a, (flat->nholders + 1) * sizeof *l->holder);
    l->outer = outer_cells(l);
}

void live_positions(struct live *l, const struct flat *flat, struct arena *a)
{
    *l = (struct live){ .flat = flat, .width = flat->width };
    l->cell_of = arena_zero(a, (flat->ncols + 1) * sizeof *l->cell_of);
    for (size_t i = 0; i < flat->ncols; i++)
        l->cell_of[i] = flat->cols[i].position ? flat->cols[i].position - 1 : SIZE_MAX;
    live_finish(l, a);
}

/* A column that every row must have. */
static bool is_needed(const struct flat *flat, size_t i)
{
    const struct flat_column *c = &flat->cols[i];
    const struct flat_level *l = &flat->levels[c->level];
    for (size_t k = 0; k < l->nkeys; k++)
        if (l->keys[k] == i && c->level + 1 < flat->nlevels)
            return true;
    for (uint32_t h = c->holder; h; h = flat->holders[h - 1].parent)
        if (flat->holders[h - 1].group->min_occurs == 0)
            return false;
    return (c->field->flags & FIELD_REQUIRED) != 0 || c->field->min_occurs > 0;
}

/* Formats made by the program lie in no file, and their lines are unknown to a user. */
static struct slice who_asks(const struct field *f, struct arena *a)
{
    if (!f->file || !f->token.line)
        return SLICE("the mapping asks for");
    return arena_printf(a, "%s:%u requires", file_base(f->file), f->token.line);
}

/* A column that is not there: shown below the title that may be a slip of it, else at the heading. */
static int missing(const struct live *l, const struct flat_column *c, struct rows *w, const struct slice *titles,
                   struct problems *ps)
{
    struct slice what = c->position ? arena_printf(ps->arena, "column %u", c->position)
                                    : arena_printf(ps->arena, "column \"%.*s\"", SLICE_ARG(c->title));
    struct slice who = who_asks(c->field, ps->arena);
    struct problem p = { .severity = PROBLEM_ERROR, .code = "CSV_COLUMN", .place = { .offset = w->at },
                         .text = arena_printf(ps->arena, "the heading has no %.*s", SLICE_ARG(what)),
                         .hint = arena_printf(ps->arena, "%.*s it", SLICE_ARG(who)) };
    struct slice near = problem_suggest(ps->arena, c->title, titles, l->width);
    for (size_t i = 0; near.n && i < l->width; i++) {
        struct slice this = problem_suggest(ps->arena, c->title, &titles[i], 1);
        if (!slice_equal(this, near))
            continue;
        p.place.offset = rows_place(w, rows_raw(w, i).p);
        p.place.width = (uint32_t)slice_chars(titles[i]);
        p.hint = arena_printf(ps->arena, "is this `%.*s`, which %.*s?", SLICE_ARG(c->title), SLICE_ARG(who));
        break;
    }
    problem_add(ps, &p);
    return STOP;
}

static int check_exact(const struct live *l, struct rows *w, const struct slice *titles, struct problems *ps)
{
    const struct flat *flat = l->flat;
    for (size_t i = 0; i < flat->ncols || i < l->width; i++) {
        if (i < flat->ncols && i < l->width && slice_equal(titles[i], flat->cols[i].title))
            continue;
        uint64_t at = i < l->width ? rows_place(w, rows_raw(w, i).p) : w->at;
        struct slice text =
            i < flat->ncols ? arena_printf(ps->arena, "column %zu should be \"%.*s\": the format says `header exact`",
                                           i + 1, SLICE_ARG(flat->cols[i].title))
                            : SLICE("the format says `header exact` and has no further column");
        problem_add(ps,
                    &(struct problem){
                        .severity = PROBLEM_ERROR, .code = "CSV_HEADER", .place = { .offset = at }, .text = text });
        return STOP;
    }
    return OK;
}

static int read_titles(struct live *l, struct rows *w, struct slice *titles, struct map *cells, struct arena *a,
                       struct problems *ps)
{
    int rc = OK;
    for (size_t i = 0; i < w->n; i++) {
        titles[i] = arena_copy(a, slice_trim(rows_text(w, i, a)));
        if (titles[i].n)
            l->width = i + 1;
        struct map_entry *e = titles[i].n ? map_at(cells, titles[i]) : NULL;
        if (e && e->value) {
            rc = STOP;
            problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                               .code = "CSV_HEADER_TWICE",
                                               .place = { .offset = rows_place(w, rows_raw(w, i).p) },
                                               .value = titles[i],
                                               .text = SLICE("is the title of two columns"),
                                               .hint = SLICE("titles tell the columns apart: give each its own") });
        } else if (e) {
            e->value = &titles[i];
        }
    }
    l->width =
        l->width + 1 < w->n ? w->n : l->width; /* one column without title at the end is a trailing delimiter */
    return rc;
}

int live_match(struct live *l, const struct flat *flat, struct rows *w, struct arena *a, struct problems *ps)
{
    *l = (struct live){ .flat = flat };
    struct map cells;
    map_init(&cells, a);
    struct slice *titles = arena_zero(a, (w->n + 1) * sizeof *titles);
    int rc = read_titles(l, w, titles, &cells, a, ps);
    l->cell_of = arena_zero(a, (flat->ncols + 1) * sizeof *l->cell_of);
    for (size_t i = 0; i < flat->ncols; i++) {
        const struct flat_column *c = &flat->cols[i];
        struct slice *found = c->position ? NULL : map_get(&cells, c->title);
        l->cell_of[i] = found                                    ? (size_t)(found - titles)
                        : c->position && c->position <= l->width ? c->position - 1
                                                                 : SIZE_MAX;
        if (l->cell_of[i] == SIZE_MAX && is_needed(flat, i))
            rc = missing(l, c, w, titles, ps);
    }
    if (rc == OK && flat->d.heading == HEADING_EXACT)
        rc = check_exact(l, w, titles, ps);
    live_finish(l, a);
    return rc;
}

/* --- from cells to values --------------------------------------------------------------------- */

bool live_width(const struct live *l, struct rows *w)
{
    if (w->fault.code || w->n == l->width)
        return true;
    if (w->n == l->width + 1 && w->ends[l->width] == cell_start(w->ends, l->width))
        return true;                /* a delimiter at the end of the row */
    if (w->n == 1 && slice_trim((struct slice){ w->p, w->len }).n == 0)
        return false;
    bool more = w->n > l->width;
    const char *where = more ? w->p + cell_start(w->ends, l->width) : w->p;
    w->fault = (struct row_fault){ .code = more ? "ROW_LONG" : "ROW_SHORT", .rc = SKIP, .at = rows_place(w, where),
                                   .expected = l->width, .found = w->n,
                                   .hint = more ? "does a text hold the delimiter without being quoted?"
                                                : "does a text hold a line end without being quoted?" };
    return true;
}

bool live_void(const struct live *l, const struct rows *w, size_t level)
{
    const struct live_level *v = &l->levels[level];
    for (size_t i = 0; i < v->ncols; i++)
        if (w->ends[v->cols[i].cell] != cell_start(w->ends, v->cols[i].cell))
            return false;
    return true;
}

int live_problem(const struct node *n, const struct field *f, struct slice text, uint64_t at,
                 const struct fault *fault, struct arena *a, struct problems *ps)
{
    problem_add(ps,
                &(struct problem){ .severity = PROBLEM_ERROR,
                                   .code = fault->code,
                                   .place = { .offset = at, .width = text.n < 200 ? (uint32_t)slice_chars(text) : 1 },
                                   .path = node_path(a, n, f),
                                   .value = text,
                                   .text = fault->text,
                                   .hint = fault->hint });
    return SKIP;
}

const struct value *column_value(const struct flat *flat, const struct flat_column *c, const struct node *level)
{
    const struct node *n = level;
    const struct group *chain[FLAT_LEVELS];
    size_t depth = 0;
    for (uint32_t h = c->holder; h && depth < FLAT_LEVELS; h = flat->holders[h - 1].parent)
        chain[depth++] = flat->holders[h - 1].group;
    while (depth && n)
        n = node_list(n, chain[--depth])->first;
    return n ? node_value(n, c->field) : NULL;
}

/* The instance of a group that occurs once: made when a cell of it is not void. */
static struct node *holder_node(const struct live *l, uint32_t holder, struct node *level, struct arena *a)
{
    if (!holder)
        return level;
    if (!l->holder[holder]) {
        const struct flat_holder *h = &l->flat->holders[holder - 1];
        struct node *parent = holder_node(l, h->parent, level, a);
        l->holder[holder] = node_add(a, parent, h->group);
        l->holder[holder]->at = level->at;
        l->holder[holder]->end = level->end;
    }
    return l->holder[holder];
}

static int read_cell(const struct live *l, struct rows *w, const struct live_column *c, struct node *level,
                     struct arena *a, struct problems *ps)
{
    struct slice raw = rows_raw(w, c->cell);
    if (raw.n == 0 && c->column->holder)
        return OK;
    const struct field *f = c->column->field;
    struct node *node = holder_node(l, c->column->holder, level, a);
    struct value *v = node_value(node, f);
    v->at = rows_place(w, raw.p);
    v->len = (uint32_t)(w->text == w->file ? raw.n : rows_place(w, raw.p + raw.n) - v->at);
    if (raw.n == 0)
        return OK;                  /* void: absent, with its place */
    if (w->d.quoting && (unsigned char)raw.p[0] == w->d.quote)
        v->form = VALUE_QUOTED;
    struct slice text = rows_text(w, c->cell, a);
    struct fault fault;
    if (type_read_fast(f, text, v) || type_read(f, text, a, v, &fault) == OK)
        return OK;
    return live_problem(node, f, text, v->at, &fault, a, ps);
}

struct node *live_node(const struct live *l, size_t level, struct node *parent, struct arena *a)
{
    struct node *n = node_from(a, &l->levels[level].blank, parent);
    if (level > 0)
        node_append(parent, n);
    return n;
}

int live_fill(const struct live *l, struct rows *w, size_t level, struct node *node, struct arena *a,
              struct problems *ps)
{
    const struct live_level *v = &l->levels[level];
    bool simple = w->text == w->file && (!w->high || w->d.charset == CHARSET_UTF_8);
    int quote = w->quoted ? w->d.quote : -1, rc = OK;
    if (l->flat->nholders)
        memset(l->holder, 0, (l->flat->nholders + 1) * sizeof *l->holder);
    for (const struct live_column *c = v->cols, *end = c + v->ncols; c < end; c++) {
        size_t from = cell_start(w->ends, c->cell);
        struct slice raw = { w->p + from, w->ends[c->cell] - from };
        if (!simple || c->column->holder || (raw.n && (unsigned char)*raw.p == quote)) {
            rc = read_cell(l, w, c, node, a, ps) == OK ? rc : SKIP;
            continue;
        }
        struct value *to = &node->values[c->slot];
        to->at = w->at + from;
        to->len = (uint32_t)raw.n;
        struct fault fault;
        if (raw.n == 0 || type_read_fast(c->field, raw, to) || type_read(c->field, raw, a, to, &fault) == OK)
            continue;
        rc = live_problem(node, c->field, raw, to->at, &fault, a, ps);
    }
    return rc;
}
