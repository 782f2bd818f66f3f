#include <unistd.h>

#include "flow/attach.h"
#include "flow/work.h"
#include "store/ledger.h"

static struct slice find_param(void *owner, struct slice name)
{
    const struct work *w = owner;
    const struct settings *run = &w->job->sets;
    struct slice text = site_setting(w->op, name);
    for (size_t i = 0; i < run->n; i++)
        if (slice_equal(run->list[i].name, name))
            text = run->list[i].value;
    if (!slice_is(text, "last-run"))
        return text;
    const struct slice *time = &w->job->last_run;   /* canonical: local, without zone */
    return time->n ? (struct slice){ time->p, time->n < 19 ? time->n : 19 } : slice_none();
}

static struct slice find_text(void *owner, const char *code)
{
    const struct work *w = owner;
    return site_text(w->site, code);
}

/* A field of the group or of what it lies in. */
static const struct field *column_field(const struct group *g, struct slice name)
{
    const struct field *f = NULL;
    for (; g && !f; g = g->is_message ? NULL : g->parent)
        f = group_field(g, name);
    return f;
}

/* The columns that the mapping asks for, keys first; types come from the fields where there are any. */
static void declared_columns(struct lookup *l, const struct mapping_table *m, const struct group *of)
{
    struct arena *a = l->work->arena;
    struct slice *names = arena_alloc(a, (m->nkeys + m->ncolumns + 1) * sizeof *names);
    enum type *types = arena_zero(a, (m->nkeys + m->ncolumns + 1) * sizeof *types);
    l->fields = arena_zero(a, (m->nkeys + m->ncolumns + 1) * sizeof *l->fields);
    for (size_t i = 0; i < m->nkeys + m->ncolumns; i++) {
        names[i] = i < m->nkeys ? m->keys[i] : m->columns[i - m->nkeys];
        l->fields[i] = column_field(of, names[i]);
        types[i] = l->fields[i] ? l->fields[i]->type : TYPE_TEXT;
    }
    l->columns = names;
    l->types = types;
    l->ncolumns = m->nkeys + m->ncolumns;
}

static struct table *declared_table(struct lookup *l, const struct mapping_table *m)
{
    struct table_shape shape = { .name = m->name, .columns = l->columns, .types = l->types, .ncolumns = l->ncolumns,
                                 .limit = l->work->site->limits.table };
    return table_new(l->work->arena, &shape);
}

static struct table *table_of_rows(struct lookup *l, struct problems *ps)
{
    const struct site_table *t = l->site;
    struct arena *a = l->work->arena;
    enum type *types = arena_zero(a, (t->ncolumns + 1) * sizeof *types);
    struct table_shape shape = { .name = t->name, .columns = t->columns, .types = types, .ncolumns = t->ncolumns };
    table_text_types(t->rows, t->nrows, t->ncolumns, types);
    struct table *table = table_new(a, &shape);
    struct value *values = arena_zero(a, (t->ncolumns + 1) * sizeof *values);
    for (size_t i = 0; i < t->nrows; i++) {
        for (size_t c = 0; c < t->ncolumns; c++)
            values[c] = table_text_value(t->rows[i][c], types[c]);
        table_add(table, values, TABLE_REFUSE, (struct place){ .offset = PLACE_NO_OFFSET }, ps);
    }
    return table;
}

static void pin(struct work *w, bool ledger, struct slice name, const char *sha256, uint64_t rows)
{
    struct result *r = w->result;
    size_t cap = r->ntables;
    for (size_t i = 0; i < r->ntables; i++)
        if (r->tables[i].ledger == ledger && slice_equal(r->tables[i].name, name))
            return;
    struct pinned_table p = { .ledger = ledger, .name = name, .rows = rows };
    memcpy(p.sha256, sha256, SHA256_HEX);
    ARENA_PUSH(w->arena, r->tables, r->ntables, cap) = p;
}

static int table_of_file(struct lookup *l, struct problems *ps)
{
    char sha256[SHA256_HEX];
    uint64_t rows;
    int rc = cache_table(l->work->cache, l->site, &l->work->site->limits, sha256, &rows, &l->table, ps);
    if (rc == OK) {
        pin(l->work, false, l->site->name, sha256, rows);
        cache_hand_over(l->work->cache, l->site, l->work->port);
    }
    return rc;
}

int work_ledger(struct work *w, const struct flow *f, struct ledger **out, struct problems *ps)
{
    int rc = cache_ledger(w->cache, f, out, ps);
    if (rc == OK)
        pin(w, true, f->name, ledger_mark(*out), 0);
    return rc;
}

/* The messages of a flow that are rows: staged ones, else those that the first operation takes. */
static const struct group *rows_of(const struct flow *f)
{
    for (size_t i = 0; i < f->noperations && !f->batch; i++)
        if (f->operations[i]->message)
            return f->operations[i]->message;
    return f->batch_group;
}

/* Of each tracked instance of an open batch. */
struct open_row {
    struct lookup *lookup;
    struct slice batch;
    struct value *values;
};

static const struct value *open_value(const struct open_row *r, size_t column, const struct node *n)
{
    const struct lookup *l = r->lookup;
    const struct field *f = l->fields[column];
    while (f && n && n->group != f->group)
        n = n->parent;
    return f && n ? node_value(n, f) : NULL;
}

/* `Batch`: what the document calls itself, else the id. */
static struct value open_batch_value(const struct open_row *r, const struct node *n)
{
    struct slice id = r->batch;
    while (n->parent)
        n = n->parent;
    const struct field *f = group_field(n->group, SLICE("Batch"));
    if (f && value_is(node_value(n, f)))
        id = value_text(node_value(n, f));
    return (struct value){ .p = id.p, .n = (uint32_t)id.n, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
}

static int add_open(struct open_row *r, struct node *n, struct problems *ps)
{
    struct lookup *l = r->lookup;
    const struct flow *f = l->work->op->flow;
    int rc = OK;
    for (size_t i = 0; i < n->group->ngroups && rc <= WARN && f->track && n->group != f->track; i++)
        for (struct node *c = node_lists(n)[i].first; c && rc <= WARN; c = c->next)
            rc = add_open(r, c, ps);
    if (n->group != (f->track ? f->track : f->batch_group))
        return rc;
    for (size_t i = 0; i < l->ncolumns; i++) {
        const struct value *v = open_value(r, i, n);
        r->values[i] = v ? *v : slice_is(l->columns[i], "Batch") ? open_batch_value(r, n)
            : (struct value){ .at = VALUE_NO_PLACE };
    }
    return table_add(l->table, r->values, TABLE_REFUSE, (struct place){ .offset = PLACE_NO_OFFSET }, ps);
}

static int each_open(void *owner, struct node *message, struct problems *ps)
{
    return add_open(owner, message, ps);
}

static int open_rows(struct lookup *l, const struct mapping_table *m, struct problems *ps)
{
    struct work *w = l->work;
    const struct flow *f = w->op->flow;
    int rc = OK;
    declared_columns(l, m, f->track ? f->track : f->batch_group);
    l->table = declared_table(l, m);
    struct open_row r = { .lookup = l };
    r.values = arena_zero(w->arena, (l->ncolumns + 1) * sizeof *r.values);
    for (size_t i = 0; i < w->job->nopen && rc <= WARN && f->batch; i++) {
        r.batch = w->job->open[i].batch;
        rc = read_rows(w->job->open[i].path, f->batch, &w->site->limits, NULL, each_open, &r, ps);
        rc = rc == END ? OK : rc;
    }
    return rc <= WARN ? OK : rc;
}

static int open_lookup(struct lookup *l, const struct mapping_table *m, struct problems *ps)
{
    struct work *w = l->work;
    enum site_table_kind kind = l->site ? l->site->kind : TABLE_ROWS;
    int rc = OK;
    if (kind == TABLE_OF_OPEN)
        return open_rows(l, m, ps);
    if (!l->site) {
        declared_columns(l, m, NULL);
        l->table = declared_table(l, m);
    } else if (kind == TABLE_FILE)
        rc = table_of_file(l, ps);
    else if (kind == TABLE_ROWS)
        l->table = table_of_rows(l, ps);
    else if (kind == TABLE_OF_BATCH) {
        declared_columns(l, m, w->op->message);
        l->table = declared_table(l, m);
    } else {
        l->flow = site_flow(w->site, l->site->flow);
        declared_columns(l, m, rows_of(l->flow));
        rc = work_ledger(w, l->flow, &l->ledger, ps);
        if (l->flow == w->op->flow)
            w->own = l->ledger;
    }
    return rc;
}

/* A two-way row finds its row by a column, which must tell the rows apart. */
static int check_unique(struct lookup *l, const struct mapping_table *m, struct problems *ps)
{
    size_t first, second;
    int column = l->table && m->unique && m->unique_column.n ? table_column(l->table, m->unique_column) : -1;
    if (column < 0 || m->prefer.n || table_unique(l->table, &column, 1, &first, &second))
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "TABLE_NOT_UNIQUE",
                 (struct place){ .file = l->site ? l->site->path : NULL, .offset = PLACE_NO_OFFSET },
                 "table %.*s: rows %zu and %zu have the same %.*s, so the way back cannot choose", SLICE_ARG(m->name),
                 first + 1, second + 1,
                 SLICE_ARG(m->unique_column));
    return STOP;
}

static void *table_bind(void *owner, const struct mapping_table *m, struct problems *ps)
{
    struct work *w = owner;
    struct lookup *l = arena_zero(w->arena, sizeof *l);
    l->work = w;
    l->site = site_table(w->site, m->name);
    int rc = open_lookup(l, m, ps);
    if (rc == OK)
        rc = check_unique(l, m, ps);
    if (rc != OK) {
        w->unbound = rc > w->unbound ? rc : w->unbound;
        return NULL;
    }
    l->prefer = l->table && m->prefer.n ? table_column(l->table, m->prefer) : -1;
    l->next = w->lookups;
    w->lookups = l;
    return l;
}

static int column_of(void *owner, void *table, struct slice column, enum type *type_out)
{
    const struct lookup *l = table;
    (void)owner;
    if (l->table) {
        int i = table_column(l->table, column);
        if (i >= 0)
            *type_out = l->table->shape.types[i];
        return i;
    }
    for (size_t i = 0; i < l->ncolumns; i++)
        if (slice_equal(l->columns[i], column)) {
            *type_out = l->types[i];
            return (int)i;
        }
    return -1;
}

/* The newest record with these texts. */
static bool find_record(struct lookup *l, const struct slice *names, const struct slice *texts, size_t n,
                        struct ledger_record *out)
{
    return ledger_find(l->ledger, names, texts, n, SLICE("done"), &l->work->message, out) > 0;
}

/* Of a staged message there is a record for each of its changes: the newest that had the value, unless that batch took
   it away since. */
static bool find_when(struct lookup *l, struct slice *names, struct slice *texts, size_t n, struct ledger_record *out)
{
    struct ledger_record since;
    names[n] = kept_whether(&l->work->message, l->site->when);
    texts[n] = SLICE("yes");
    if (!find_record(l, names, texts, n + 1, out))
        return false;
    names[n] = SLICE("/batch");
    texts[n] = ledger_value(out, names[n]);
    return !find_record(l, names, texts, n + 1, &since) || ledger_value(&since, l->site->when).n;
}

/* What an earlier message had; of several the newest counts. */
static int find_in_ledger(struct lookup *l, const int *cols, const struct slice *keys, size_t n,
                          const struct value **row_out)
{
    struct arena *a = &l->work->message;
    struct slice *names = arena_alloc(a, (n + 2) * sizeof *names), *texts = arena_alloc(a, (n + 2) * sizeof *texts);
    struct ledger_record record;
    bool when = l->site->when.n > 0;
    for (size_t i = 0; i < n; i++) {
        names[i] = l->columns[cols[i]];
        texts[i] = keys[i];
    }
    if (when && l->flow->batch ? !find_when(l, names, texts, n, &record) : !find_record(l, names, texts, n, &record))
        return 0;
    if (when && !ledger_value(&record, l->site->when).n)
        return 0;
    struct value *row = arena_zero(a, (l->ncolumns + 1) * sizeof *row);
    for (size_t i = 0; i < l->ncolumns; i++) {
        struct slice text = ledger_value(&record, l->columns[i]);
        row[i] = (struct value){ .p = text.p, .n = (uint32_t)text.n, .at = VALUE_NO_PLACE,
                                 .state = text.p && text.n ? VALUE_PRESENT : VALUE_ABSENT };
    }
    *row_out = row;
    return 1;
}

static int find_row(void *owner, void *table, const int *cols, const struct slice *keys, size_t n,
                    const struct value **row_out)
{
    struct lookup *l = table;
    (void)owner;
    if (l->ledger)
        return find_in_ledger(l, cols, keys, n, row_out);
    int found = table_find_preferred(l->table, cols, keys, n, l->prefer, row_out);
    if (l->prefer >= 0)
        return found;
    return found > 1 && l->site && l->site->kind == TABLE_OF_BATCH ? 1 : found;
}

/* What a message names beside the document, asked for again and again: the last one stays open. */
static int read_attachment(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct work *w = owner;
    struct came came;
    int rc = OK;
    *out = (struct slice){ "", 0 };
    if (!name.n)
        return OK;
    if (!attach_is_entry(name))
        return attach_read(-1, name, &w->site->limits, a, out, ps);     /* which says so */
    if (!slice_equal(name, buf_slice(&w->attached)) || !w->attached.n) {
        attached_drop(w);
        rc = w->port->companion(w->port->owner, false, name, &came, ps);
        w->attached_fd = came.fd;
        buf_add(&w->attached, rc <= WARN ? name : slice_none());
    }
    if (rc > WARN || w->attached_fd < 0)
        return rc;
    rc = attach_read_fd(w->attached_fd, name, &w->site->limits, a, out, ps);
    if (rc == OK)
        ARENA_PUSH(&w->message, w->read, w->nread, w->read_cap) = arena_copy(&w->message, name);
    return rc;
}

void attached_drop(struct work *w)
{
    if (w->attached_fd >= 0)
        close(w->attached_fd);
    w->attached_fd = -1;
    buf_release(&w->attached);
    w->attached = (struct buf){ 0 };
}

static int sequence_number(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    return numbers_next(owner, name, a, out, ps);
}

void work_outside(struct work *w)
{
    w->outside = (struct outside){
        .owner = w, .param = find_param, .table_open = table_bind, .table_column = column_of, .table_find = find_row,
        .sequence_next = sequence_number, .attachment = read_attachment, .text = find_text,
        .state = w->op->flow->track ? states_of : NULL,
        .batch_id = w->job->batch, .file_name = w->job->file, .batch_time = w->batch_time,
    };
}

static void add_earlier(struct lookup *l, const struct node *message)
{
    struct problems unused;
    struct value *values = arena_zero(l->work->arena, (l->ncolumns + 1) * sizeof *values);
    problems_init(&unused, &l->work->message, 1);
    for (size_t i = 0; i < l->ncolumns; i++)
        if (l->fields[i] && l->fields[i]->group == message->group)
            values[i] = *node_value(message, l->fields[i]);
    table_add(l->table, values, TABLE_REFUSE, (struct place){ .offset = PLACE_NO_OFFSET }, &unused);
}

static struct slice kept_text(const struct kept_field *k, const struct node *message, struct slice batch)
{
    if (k->how == KEPT_BATCH)
        return batch;
    struct slice text = value_text(node_value(message, k->field));
    return k->how == KEPT_VALUE ? text : text.n ? SLICE("yes") : SLICE("no");
}

struct ledger_field *kept_fields(struct arena *a, const struct kept_field *kept, size_t n, const struct node *message,
                                 struct slice batch)
{
    struct ledger_field *fields = arena_alloc(a, (n + 1) * sizeof *fields);
    for (size_t i = 0; i < n; i++)
        fields[i] = (struct ledger_field){ kept[i].name, kept_text(&kept[i], message, batch) };
    return fields;
}

static int add_to_ledger(struct work *w, const struct ledger_field *fields, size_t n)
{
    struct ledger_record r = { .batch = w->job->batch, .part = w->op->name, .message = w->reader.messages,
                               .outcome = SLICE("done"), .code = slice_none(),
                               .fields = (struct ledger_field *)(uintptr_t)fields, .nfields = n };
    return ledger_add(w->own, &r, &w->now);
}

int lookup_message(struct work *w, const struct node *message)
{
    const struct operation *op = w->op;
    for (struct lookup *l = w->lookups; l; l = l->next)
        if (l->site && l->site->kind == TABLE_OF_BATCH)
            add_earlier(l, message);
    if (!w->own || message->group != op->message || (!op->nkept && op->flow->batch))
        return OK;
    return add_to_ledger(w, kept_fields(&w->message, op->kept, op->nkept, message, w->job->batch), op->nkept);
}

void lookups_forget(struct work *w)
{
    for (struct lookup *l = w->lookups; l; l = l->next)
        if (l->site && l->site->kind == TABLE_OF_BATCH)
            l->table = table_new(w->arena, &l->table->shape);
    lookup_end(w);
}

int lookup_staged(struct work *w, const struct node *message, struct slice batch)
{
    const struct flow *f = w->op->flow;
    return w->own ? add_to_ledger(w, kept_fields(&w->message, f->kept, f->nkept, message, batch), f->nkept) : OK;
}

int lookups_sure(struct work *w)
{
    int rc = w->own ? ledger_fault(w->own, &w->now) : OK;
    for (struct lookup *l = w->lookups; l && rc <= WARN; l = l->next)
        rc = l->ledger ? ledger_fault(l->ledger, &w->now) : OK;
    return rc;
}

/* The supervisor enters this job's records when they are delivered; until then nobody else may see them. */
void lookup_end(struct work *w)
{
    if (w->own)
        ledger_forget(w->own);
}
