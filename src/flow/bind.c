#include "flow/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "conf/conf.h"
#include "flow/attach.h"
#include "store/table.h"
#include "syntax/syntax.h"

#define SEQUENCE_DIGITS 38

enum bound_kind { BOUND_FILE, BOUND_ROWS, BOUND_BATCH };

struct bound {
    struct slice name;
    enum bound_kind kind;
    const char *path;
    struct slice format;
    struct statement *rows;
    struct table *table;            /* when opened */
    const struct mapping_table *declared;
    struct bound *next;
};

struct counter {
    struct slice name;
    uint64_t from, at;
    int size;                       /* digits, zeros in front; 0 = as many as it has */
    struct counter *next;
};

struct pair {
    struct slice name, value;
    struct pair *next;
};

struct binding {
    struct arena *arena;
    const struct mapping_env *env;
    const struct limits *limits;
    struct pair *params;
    struct bound *tables;
    struct counter *sequences;
    struct slice time, file, report, operation, state;
    const char *from, *attachments;
    struct outcome said;
    enum { WAY_FREE, WAY_FORWARD, WAY_BACKWARD } way;
};

struct binding *binding_new(struct arena *a, const struct mapping_env *env, const struct limits *limits,
                            const char *from)
{
    struct binding *b = arena_zero(a, sizeof *b);
    b->arena = a;
    b->env = env;
    b->limits = limits;
    b->from = from;
    b->time = SLICE("1970-01-01T00:00:00");
    return b;
}

void binding_set(struct binding *b, struct slice name, struct slice value)
{
    struct pair *p = arena_zero(b->arena, sizeof *p);
    *p = (struct pair){ arena_copy(b->arena, name), arena_copy(b->arena, value), b->params };
    b->params = p;
}

static struct bound *add_table(struct binding *b, struct slice name, enum bound_kind kind)
{
    struct bound *t = arena_zero(b->arena, sizeof *t);
    *t = (struct bound){ .name = arena_copy(b->arena, name), .kind = kind, .next = b->tables };
    b->tables = t;
    return t;
}

void binding_table_file(struct binding *b, struct slice name, const char *path, struct slice format)
{
    struct bound *t = add_table(b, name, BOUND_FILE);
    t->path = arena_cstr(b->arena, slice_of(path));
    t->format = arena_copy(b->arena, format);
}

void binding_table_batch(struct binding *b, struct slice name)
{
    add_table(b, name, BOUND_BATCH);
}

void binding_time(struct binding *b, struct slice batch_time)
{
    b->time = arena_copy(b->arena, batch_time);
}

void binding_file(struct binding *b, struct slice file_name)
{
    b->file = arena_copy(b->arena, file_name);
}

void binding_attachments(struct binding *b, const char *folder)
{
    b->attachments = arena_cstr(b->arena, slice_of(folder));
}

enum mapping_direction binding_direction(const struct binding *b, const struct mapping *m, bool original)
{
    if (b->way != WAY_FREE)
        return b->way == WAY_BACKWARD ? MAPPING_BACKWARD : MAPPING_FORWARD;
    return original && m->arrow != ARROW_RIGHT ? MAPPING_BACKWARD : MAPPING_FORWARD;
}

struct slice binding_report(const struct binding *b)
{
    return b->report;
}

struct slice binding_operation(const struct binding *b)
{
    return b->operation;
}

const struct outcome *binding_said(const struct binding *b)
{
    return b->said.first ? &b->said : NULL;
}

/* case.conf */

static bool text_token(const struct statement *s, size_t i)
{
    return i < s->n && s->tokens[i].kind != TOKEN_OP;
}

static const char *beside(struct binding *b, const char *conf, struct slice file)
{
    return file_join(b->arena, arena_cstr(b->arena, file_dir(b->arena, conf)), arena_cstr(b->arena, file));
}

static bool load_table(struct binding *b, const struct conf *c, struct statement *s)
{
    if (!text_token(s, 1))
        return false;
    if (s->n == 2 && s->has_block) {
        add_table(b, s->tokens[1].text, BOUND_ROWS)->rows = s->block;
        return true;
    }
    if (s->n == 4 && token_is(&s->tokens[2], "of") && token_is(&s->tokens[3], "batch")) {
        binding_table_batch(b, s->tokens[1].text);
        return true;
    }
    bool formatted = s->n == 5 && token_is(&s->tokens[3], "format");
    if (!(s->n == 3 || formatted) || s->tokens[2].kind != TOKEN_STRING)
        return false;
    struct bound *t = add_table(b, s->tokens[1].text, BOUND_FILE);
    t->path = beside(b, c->file, s->tokens[2].text);
    t->format = formatted ? s->tokens[4].text : slice_none();
    return true;
}

static bool load_sequence(struct binding *b, struct statement *s)
{
    uint64_t from = 1, size = 0;
    for (size_t i = 2; i < s->n; i += 2) {
        uint64_t *to = token_is(&s->tokens[i], "from") ? &from : token_is(&s->tokens[i], "size") ? &size : NULL;
        if (!to || !text_token(s, i + 1))
            return false;
        *to = strtoull(arena_cstr(b->arena, s->tokens[i + 1].text), NULL, 10);
    }
    if (!text_token(s, 1) || size > SEQUENCE_DIGITS)
        return false;
    struct counter *k = arena_zero(b->arena, sizeof *k);
    *k = (struct counter){ s->tokens[1].text, from, from, (int)size, b->sequences };
    b->sequences = k;
    return true;
}

/* `said { Operation Code Key …`: what earlier operations said, as a report over the log reads it. */
static bool load_said(struct binding *b, const struct statement *s)
{
    const struct statement *head = s->block;
    if (s->n != 1 || !head)
        return false;
    for (const struct statement *row = head->next; row; row = row->next) {
        struct finding *f = arena_zero(b->arena, sizeof *f);
        struct { const char *name; struct slice *at; } fields[] = {
            { "Code", &f->code }, { "Text", &f->text }, { "Key", &f->key }, { "Line", &f->line },
            { "Field", &f->field }, { "Value", &f->value }, { "Operation", &f->operation }, { "Time", &f->time },
        };
        f->kind = OUTCOME_WARN;
        for (size_t i = 0; i < row->n && i < head->n; i++)
            for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
                if (token_is(&head->tokens[i], fields[k].name))
                    *fields[k].at = row->tokens[i].text;
        outcome_add(&b->said, f, NULL);
    }
    return true;
}

static bool load_statement(struct binding *b, const struct conf *c, struct statement *s)
{
    const struct token *word = &s->tokens[0];
    if (token_is(word, "set") && s->n == 3 && text_token(s, 2))
        binding_set(b, s->tokens[1].text, s->tokens[2].text);
    else if (token_is(word, "direction") && s->n == 2 && (token_is(&s->tokens[1], "backward") || token_is(&s->tokens[1], "forward")))
        b->way = token_is(&s->tokens[1], "backward") ? WAY_BACKWARD : WAY_FORWARD;
    else if (token_is(word, "attachments") && s->n == 2 && text_token(s, 1))
        b->attachments = beside(b, c->file, s->tokens[1].text);
    else if (token_is(word, "report") && (s->n == 2 || s->n == 3)) {
        b->report = s->tokens[1].text;
        b->operation = s->n == 3 ? s->tokens[2].text : slice_none();
    } else if (token_is(word, "state") && s->n == 2)
        b->state = s->tokens[1].text;
    else if (token_is(word, "said"))
        return load_said(b, s);
    else if (token_is(word, "time") && s->n == 2 && s->tokens[1].kind == TOKEN_STRING)
        b->time = s->tokens[1].text;
    else if (token_is(word, "table"))
        return load_table(b, c, s);
    else if (token_is(word, "sequence"))
        return load_sequence(b, s);
    else
        return false;
    return true;
}

int binding_load(struct binding *b, const char *path, struct problems *ps)
{
    struct conf *c;
    int rc = conf_load(b->arena, path, &c, ps);
    if (rc != OK)
        return rc;
    for (struct statement *s = c->first; s; s = s->next)
        if (!load_statement(b, c, s))
            rc = conf_problem(c, &s->tokens[0], PROBLEM_ERROR, "BIND_WORD", ps,
                              "set NAME VALUE, table NAME \"file\" [format REF], table NAME of batch, "
                              "table NAME { rows }, "
                              "direction backward, direction forward, report MAPPING [OPERATION], "
                              "said { rows }, state NAME, "
                              "time \"2026-01-02T03:04:05\", "
                              "sequence NAME [from N] [size N] or attachments \"folder\"",
                              "this is no statement of a case");
    return rc;
}

static bool is_among(struct slice name, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(names[i], name))
            return true;
    return false;
}

static void unknown_name(const struct mapping *m, const char *code, const char *text, struct slice name,
                         const struct slice *names, size_t n, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = code, .value = name,
        .place = { .file = m->file, .offset = PLACE_NO_OFFSET }, .text = slice_of(text),
        .hint = problem_suggest(ps->arena, name, names, n) });
}

/* The names that a mapping, and the one that it reports of, declare. */
struct declared {
    struct slice *names;
    size_t n;
};

static struct declared declared_names(struct arena *a, const struct mapping *m, const struct mapping *judge,
                                      bool tables)
{
    const struct mapping *both[] = { m, judge };
    size_t most = m->nparams + m->ntables + (judge ? judge->nparams + judge->ntables : 0);
    struct declared d = { .names = arena_alloc(a, (most + 1) * sizeof *d.names) };
    for (size_t i = 0; i < 2 && both[i]; i++)
        for (size_t j = 0; j < (tables ? both[i]->ntables : both[i]->nparams); j++)
            d.names[d.n++] = tables ? both[i]->tables[j].name : both[i]->params[j].name;
    return d;
}

static int check_params(const struct binding *b, const struct mapping *m, const struct mapping *judge,
                        struct problems *ps)
{
    struct declared d = declared_names(ps->arena, m, judge, false);
    int rc = OK;
    for (const struct pair *p = b->params; p; p = p->next) {
        if (is_among(p->name, d.names, d.n))
            continue;
        unknown_name(m, "BIND_PARAM", "is set, but the mapping declares no such param", p->name, d.names, d.n, ps);
        rc = STOP;
    }
    return rc;
}

/* Each table is given by hand, stands in the map, or may be missing. */
static int check_given(const struct binding *b, const struct mapping *m, struct problems *ps)
{
    int rc = OK;
    for (size_t i = 0; i < m->ntables; i++) {
        const struct mapping_table *d = &m->tables[i];
        const struct bound *t = b->tables;
        while (t && !slice_equal(t->name, d->name))
            t = t->next;
        if (t || d->local || d->optional)
            continue;
        problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "BIND_TABLE", .value = d->name,
            .place = { .file = m->file, .offset = PLACE_NO_OFFSET, .line = d->included ? 0 : d->token.line },
            .text = SLICE("is a table of the mapping, and it is not given"),
            .hint = arena_printf(ps->arena, "add `--table %.*s=FILE`, or say `optional` in the mapping",
                                 SLICE_ARG(d->name)) });
        rc = STOP;
    }
    return rc;
}

static int check_tables(const struct binding *b, const struct mapping *m, const struct mapping *judge,
                        struct problems *ps)
{
    struct declared d = declared_names(ps->arena, m, judge, true);
    int rc = check_given(b, m, ps);
    if (judge && check_given(b, judge, ps) > rc)
        rc = STOP;
    for (const struct bound *t = b->tables; t; t = t->next) {
        if (is_among(t->name, d.names, d.n))
            continue;
        unknown_name(m, "BIND_TABLE", "is given, but the mapping declares no such table", t->name, d.names, d.n, ps);
        rc = STOP;
    }
    return rc;
}

int binding_check(const struct binding *b, const struct mapping *m, const struct mapping *judge, struct problems *ps)
{
    int params = check_params(b, m, judge, ps), tables = check_tables(b, m, judge, ps);
    return params > tables ? params : tables;
}

/* Tables: opened when a run binds them. */

static size_t declared_columns(const struct mapping_table *d, struct slice *out)
{
    size_t n = 0;
    for (size_t i = 0; i < d->nkeys; i++)
        out[n++] = d->keys[i];
    for (size_t i = 0; i < d->ncolumns; i++)
        out[n++] = d->columns[i];
    return n;
}

/* Columns of given types; keys are the first nkeys of the mapping's declaration. */
static struct table *make_table(struct binding *b, struct slice name, const struct slice *columns,
                                const enum type *types, size_t n)
{
    struct table_shape shape = { .name = name, .columns = columns, .types = types, .ncolumns = n,
                                 .limit = b->limits->table };
    return table_new(b->arena, &shape);
}

static struct table *text_table(struct binding *b, struct slice name, const struct slice *columns, size_t n)
{
    enum type *types = arena_zero(b->arena, (n + 1) * sizeof *types);
    return make_table(b, name, columns, types, n);
}

static struct slice *row_texts(struct binding *b, const struct statement *s, size_t n)
{
    struct slice *row = arena_zero(b->arena, (n + 1) * sizeof *row);
    for (size_t i = 0; i < n; i++)
        row[i] = i < s->n ? s->tokens[i].text : (struct slice){ "", 0 };
    return row;
}

static struct table *table_of_rows(struct binding *b, struct bound *t, struct problems *ps)
{
    const struct statement *head = t->rows;
    struct slice *columns = arena_alloc(b->arena, ((head ? head->n : 0) + 1) * sizeof *columns);
    size_t n = 0;
    for (; head && n < head->n; n++)
        columns[n] = head->tokens[n].text;
    struct slice **rows = NULL;
    size_t nrows = 0, cap = 0;
    for (const struct statement *s = head ? head->next : NULL; s; s = s->next)
        ARENA_PUSH(b->arena, rows, nrows, cap) = row_texts(b, s, n);
    enum type *types = arena_zero(b->arena, (n + 1) * sizeof *types);
    table_text_types(rows, nrows, n, types);
    struct table *table = make_table(b, t->name, columns, types, n);
    struct value *values = arena_zero(b->arena, (n + 1) * sizeof *values);
    const struct statement *s = head;
    for (size_t i = 0; i < nrows; i++) {
        s = s->next;
        for (size_t c = 0; c < n; c++)
            values[c] = table_text_value(rows[i][c], types[c]);
        if (table_add(table, values, TABLE_REFUSE, (struct place){ .line = s->tokens[0].line,
                                                                   .offset = PLACE_NO_OFFSET }, ps) > WARN)
            return NULL;
    }
    return table;
}

/* Without a format: the columns that the mapping asks for, as text. */
static struct format *plain_format(struct binding *b, struct bound *t, struct problems *ps)
{
    struct buf text = { 0 };
    struct slice *names = arena_alloc(b->arena, (t->declared->nkeys + t->declared->ncolumns + 1) * sizeof *names);
    size_t n = declared_columns(t->declared, names);
    buf_text(&text, "syntax csv delimiter \",\" header yes\nmessage Row {\n");
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "    ./%.*s text\n", SLICE_ARG(names[i]));
    buf_text(&text, "}\n");
    struct conf *c;
    struct format *f = NULL;
    int rc = conf_parse(b->arena, t->path, arena_copy(b->arena, buf_slice(&text)), &c, ps);
    if (rc == OK)
        rc = format_compile(b->arena, b->env->finder, t->name, c, &f, ps);
    if (rc <= WARN)
        rc = syntax_plan(f, b->arena, ps);
    for (size_t i = 0; rc <= WARN && i < f->messages[0]->nfields; i++) {
        f->messages[0]->fields[i]->min_occurs = 1;      /* a column must be there, its values need not */
        f->messages[0]->fields[i]->token.line = 0;      /* no line that a user knows */
    }
    buf_release(&text);
    return rc <= WARN ? f : NULL;
}

static struct table *read_rows(struct binding *b, struct bound *t, const struct format *f, int fd, struct problems *ps)
{
    const struct group *g = f->messages[0];
    struct slice *columns = arena_alloc(b->arena, (g->nfields + 1) * sizeof *columns);
    enum type *types = arena_alloc(b->arena, (g->nfields + 1) * sizeof *types);
    for (size_t i = 0; i < g->nfields; i++) {
        columns[i] = g->fields[i]->name;
        types[i] = g->fields[i]->type;
    }
    struct table *table = make_table(b, t->name, columns, types, g->nfields);
    struct source source;
    source_open_fd(&source, fd, t->path, b->limits);
    struct reader r = { .source = &source, .format = f, .limits = b->limits };
    struct problems before = *ps;       /* tables are read while a document is open */
    source_locate(&source, ps);
    struct arena own, message;
    arena_init(&own, 0);
    arena_init(&message, b->limits->message);
    int rc = reader_open(&r, &own, ps);
    while (rc <= SKIP && rc != END) {
        struct node *row;
        rc = reader_read(&r, &message, &row, ps);
        if (rc == OK || rc == WARN)
            rc = table_add(table, row->values, TABLE_REFUSE, (struct place){ .offset = row->at }, ps);
        arena_reset(&message);
    }
    reader_close(&r);
    source_close(&source);
    ps->locate = before.locate, ps->locate_owner = before.locate_owner;
    ps->file = before.file, ps->message = before.message;
    arena_release(&message);
    arena_release(&own);
    return rc == END ? table : NULL;
}

static struct table *table_of_file(struct binding *b, struct bound *t, struct problems *ps)
{
    struct format *f = NULL;
    if (!t->format.n)
        f = plain_format(b, t, ps);
    else if (b->env->load_format(b->env->owner, b->arena, t->format, b->from, &f, ps) > WARN)
        f = NULL;
    if (!f || !f->nmessages)
        return NULL;
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        problem_system(ps, t->path, "the table cannot be read", errno);
        return NULL;
    }
    struct table *table = read_rows(b, t, f, fd, ps);
    close(fd);
    return table;
}

static struct table *empty_table(struct binding *b, const struct mapping_table *d)
{
    struct slice *columns = arena_alloc(b->arena, (d->nkeys + d->ncolumns + 1) * sizeof *columns);
    size_t n = declared_columns(d, columns);
    return text_table(b, d->name, columns, n);
}

static void *open_table(void *owner, const struct mapping_table *declared, struct problems *ps)
{
    struct binding *b = owner;
    struct bound *t = b->tables;
    while (t && !slice_equal(t->name, declared->name))
        t = t->next;
    if (!t)
        return empty_table(b, declared);
    t->declared = declared;
    if (t->table && t->kind != BOUND_BATCH)
        return t->table;
    t->table = t->kind == BOUND_FILE ? table_of_file(b, t, ps) : t->kind == BOUND_ROWS ? table_of_rows(b, t, ps)
        : empty_table(b, declared);
    return t->table;
}

static int column_of(void *owner, void *table, struct slice column, enum type *type_out)
{
    (void)owner;
    const struct table *t = table;
    int i = table_column(t, column);
    if (i >= 0)
        *type_out = t->shape.types[i];
    return i;
}

static int find_row(void *owner, void *table, const int *cols, const struct slice *keys, size_t n,
                    const struct value **row_out)
{
    const struct binding *b = owner;
    for (const struct bound *t = b->tables; t; t = t->next)
        if (t->table == table && t->declared && t->declared->prefer.n)
            return table_find_preferred(table, cols, keys, n, table_column(table, t->declared->prefer), row_out);
    return table_find(table, cols, keys, n, row_out);
}

static struct slice find_param(void *owner, struct slice name)
{
    const struct binding *b = owner;
    for (const struct pair *p = b->params; p; p = p->next)
        if (slice_equal(p->name, name))
            return p->value;
    return slice_none();
}

static int next_number(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    (void)ps;
    struct binding *b = owner;
    struct counter *k = b->sequences;
    while (k && !slice_equal(k->name, name))
        k = k->next;
    if (!k) {
        k = arena_zero(b->arena, sizeof *k);
        *k = (struct counter){ arena_copy(b->arena, name), 1, 1, 0, b->sequences };
        b->sequences = k;
    }
    *out = arena_printf(a, "%0*llu", k->size, (unsigned long long)k->at++);
    return OK;
}

static int read_attachment(void *owner, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    const struct binding *b = owner;
    *out = (struct slice){ "", 0 };
    if (!b->attachments)
        return OK;
    int fd = open(b->attachments, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(ps, b->attachments, "the folder of the attachments cannot be opened", errno);
    int rc = attach_read(fd, name, b->limits, a, out, ps);
    close(fd);
    return rc;
}

/* What the flow would say of each instance. */
static struct slice the_state(void *owner, const struct node *instance)
{
    const struct binding *b = owner;
    (void)instance;
    return b->state;
}

void binding_outside(struct binding *b, struct outside *out)
{
    *out = (struct outside){ .owner = b, .param = find_param, .table_open = open_table, .table_column = column_of,
                             .table_find = find_row, .sequence_next = next_number,
                             .attachment = read_attachment, .batch_id = SLICE("none"),
                             .file_name = b->file, .batch_time = b->time, .state = the_state };
}

void binding_message(struct binding *b, const struct node *message, const struct outcome *o)
{
    if (o->kind >= OUTCOME_SKIP)
        return;
    for (struct bound *t = b->tables; t; t = t->next) {
        if (t->kind != BOUND_BATCH || !t->table)
            continue;
        const struct table_shape *shape = &t->table->shape;
        struct value *values = arena_zero(b->arena, (shape->ncolumns + 1) * sizeof *values);
        for (size_t i = 0; i < shape->ncolumns; i++) {
            const struct field *f = group_field(message->group, shape->columns[i]);
            if (f)
                values[i] = *node_value(message, f);
        }
        struct problems unused;
        problems_init(&unused, b->arena, 1);
        table_add(t->table, values, TABLE_LAST, (struct place){ .offset = PLACE_NO_OFFSET }, &unused);
    }
}

void binding_restart(struct binding *b)
{
    for (struct counter *k = b->sequences; k; k = k->next)
        k->at = k->from;
}
