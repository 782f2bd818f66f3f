#include "cmd/show_lines.h"

#include <stdio.h>

#include "base/json.h"
#include "cmd/why.h"

enum { NAME_SIZE = 256, COLUMNS_MAX = 256, WIDTH_MAX = 24, CODES_MAX = 60, TRIED_SHOWN = 1000 };

/* --- the table ---------------------------------------------------------------------------------------------------- */

struct column {
    struct slice title;
    const struct field *field;      /* NULL: one of the first, by `cells` */
    size_t width;
    bool used;
};

struct row {
    const struct node *instance;    /* the tracked one, or the message */
    struct slice cells[4];          /* key, line, state, problems */
};

struct table {
    struct staged *staged;
    struct arena *arena;
    struct map codes;               /* key, \x1f, line -> struct slice *: codes of what is open about it */
    struct column columns[COLUMNS_MAX];
    size_t ncolumns;
    struct row *rows;
    size_t nrows, cap;
    struct slice message_key;
    bool first;                     /* of the rows of its message */
};

/* Something that is still to be put right; what was left out on purpose is not. */
static bool is_open(const struct said_entry *e)
{
    return e->open && e->kind >= OUTCOME_WARN && e->kind != OUTCOME_SKIP;
}

static struct slice place_key(struct arena *a, struct slice key, struct slice line)
{
    return arena_printf(a, "%.*s\x1f%.*s", SLICE_ARG(key), SLICE_ARG(line));
}

static bool holds(struct slice list, struct slice word)
{
    for (size_t i = 0; i + word.n <= list.n; i++) {
        if (memcmp(list.p + i, word.p, word.n) == 0)
            return true;
    }
    return false;
}

static void index_codes(struct table *t, const struct said *d)
{
    map_init(&t->codes, t->arena);
    for (const struct said_entry *e = d->first; e; e = e->next) {
        if (!is_open(e) || !e->code.n)
            continue;
        struct map_entry *m = map_at(&t->codes, place_key(t->arena, e->key, e->line));
        struct slice *text = m->value;
        if (!text)
            m->value = text = arena_zero(t->arena, sizeof *text);
        if (!text->n)
            *text = e->code;
        else if (text->n < CODES_MAX && !holds(*text, e->code))
            *text = arena_printf(t->arena, "%.*s, %.*s", SLICE_ARG(*text), SLICE_ARG(e->code));
    }
}

static struct slice codes_of(const struct table *t, struct slice key, struct slice line)
{
    const struct slice *text = map_get(&t->codes, place_key(t->arena, key, line));
    return text ? *text : slice_none();
}

static void add_column(struct table *t, struct slice title, const struct field *f)
{
    if (t->ncolumns < COLUMNS_MAX)
        t->columns[t->ncolumns++] = (struct column){ .title = title, .field = f };
}

static bool is_key(const struct field *f)
{
    for (size_t i = 0; i < f->group->nkeys; i++) {
        if (f->group->keys[i].field == f)
            return true;
    }
    return false;
}

/* Fields of the message, of what lies between, of the tracked group: in the order of the format. */
static void add_fields(struct table *t, const struct group *g)
{
    if (!g->is_message && g->parent)
        add_fields(t, g->parent);
    for (size_t i = 0; i < g->nfields; i++) {
        if (!is_key(g->fields[i]))
            add_column(t, g->fields[i]->title.n ? g->fields[i]->title : g->fields[i]->name, g->fields[i]);
    }
}

/* What does not fit a lax field is nothing to a mapping, but people want to see it. */
static struct slice shown_value(const struct value *v, const struct field *f)
{
    bool lax = (v->form & VALUE_LAX) && v->n;
    if (!value_is(v) && !lax)
        return slice_none();
    return f->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : (struct slice){ v->p, v->n };
}

static struct slice cell(const struct table *t, const struct row *r, size_t column)
{
    const struct field *f = t->columns[column].field;
    const struct node *n = r->instance;
    if (!f)
        return r->cells[column];
    while (n && n->group != f->group)
        n = n->group->is_message ? NULL : n->parent;
    return n ? shown_value(node_value(n, f), f) : slice_none();
}

static void add_row(void *owner, const struct node *n)
{
    struct table *t = owner;
    struct slice key = t->message_key, line = n->group->is_message ? slice_none() : staged_key(t->staged, n);
    struct slice own = line.n ? codes_of(t, key, line) : slice_none();
    struct slice of_message = t->first ? codes_of(t, key, slice_none()) : slice_none();
    struct slice both = own.n && of_message.n && !holds(of_message, own)
        ? arena_printf(t->arena, "%.*s, %.*s", SLICE_ARG(of_message), SLICE_ARG(own)) : own.n ? own : of_message;
    ARENA_PUSH(t->arena, t->rows, t->nrows, t->cap) =
        (struct row){ n, { key, line, staged_state(t->staged, n), both } };
    t->first = false;
}

static void fill(struct table *t)
{
    for (size_t i = 0; i < t->staged->nmessages; i++) {
        const struct node *m = t->staged->messages[i];
        t->message_key = staged_key(t->staged, m);
        t->first = true;
        staged_each(t->staged, m, add_row, t);
        if (t->first)
            add_row(t, m);                      /* nothing of it is tracked */
    }
}

static size_t shown_width(struct slice text)
{
    struct buf b = { 0 };
    buf_add_shown(&b, text, WIDTH_MAX);
    size_t n = slice_chars(buf_slice(&b));
    buf_release(&b);
    return n;
}

static void measure(struct table *t)
{
    for (size_t c = 0; c < t->ncolumns; c++) {
        struct column *column = &t->columns[c];
        for (size_t r = 0; r < t->nrows; r++) {
            struct slice text = cell(t, &t->rows[r], c);
            size_t n = text.n ? shown_width(text) : 0;
            column->used = column->used || text.n;
            column->width = n > column->width ? n : column->width;
        }
        size_t n = shown_width(column->title);
        column->width = n > column->width ? n : column->width;
    }
}

static void put_cell(struct buf *out, struct slice text, size_t width)
{
    size_t before = out->n;
    buf_add_shown(out, text, WIDTH_MAX);
    for (size_t n = slice_chars((struct slice){ out->p + before, out->n - before }); n < width + 2; n++)
        buf_byte(out, ' ');
}

static void end_line(struct buf *out)
{
    while (out->n && out->p[out->n - 1] == ' ')
        out->n--;
    buf_byte(out, '\n');
}

void show_table(struct buf *out, struct staged *s, const struct said *d)
{
    struct table t = { .staged = s, .arena = s->cmd->arena };
    const struct group *track = s->flow->track ? s->flow->track : s->flow->batch_group;
    index_codes(&t, d);
    add_column(&t, s->flow->batch_group->name, NULL);
    add_column(&t, track->name, NULL);
    add_column(&t, SLICE("State"), NULL);
    add_column(&t, SLICE("Problems"), NULL);
    add_fields(&t, track);
    fill(&t);
    measure(&t);
    for (size_t c = 0; c < t.ncolumns; c++) {
        if (t.columns[c].used)
            put_cell(out, t.columns[c].title, t.columns[c].width);
    }
    end_line(out);
    for (size_t r = 0; r < t.nrows; r++) {
        for (size_t c = 0; c < t.ncolumns; c++) {
            if (t.columns[c].used)
                put_cell(out, cell(&t, &t.rows[r], c), t.columns[c].width);
        }
        end_line(out);
    }
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* Names of members are short words. */
static const char *key_text(struct slice name, char room[NAME_SIZE])
{
    snprintf(room, NAME_SIZE, "%.*s", SLICE_ARG(name));
    return room;
}

static void tree_json(struct buf *out, const struct node *n)
{
    const struct group *g = n->group;
    char room[NAME_SIZE];
    for (size_t i = 0; i < g->nfields; i++) {
        struct slice text = shown_value(node_value(n, g->fields[i]), g->fields[i]);
        if (text.n)
            json_text(out, key_text(g->fields[i]->name, room), text);
    }
    for (size_t i = 0; i < g->ngroups; i++) {
        const struct node *child = node_list(n, g->groups[i])->first;
        if (!child)
            continue;
        json_key(out, key_text(g->groups[i]->name, room));
        json_open(out, '[');
        for (; child; child = child->next) {
            json_open(out, '{');
            tree_json(out, child);
            json_close(out, '}');
        }
        json_close(out, ']');
    }
}

struct line_writer {
    struct buf *out;
    struct staged *staged;
};

static void line_json(void *owner, const struct node *n)
{
    struct line_writer *w = owner;
    json_open(w->out, '{');
    if (!n->group->is_message) {
        json_text(w->out, "path", node_path(w->staged->cmd->arena, n, NULL));
        json_text(w->out, "key", staged_key(w->staged, n));
    }
    json_text(w->out, "state", staged_state(w->staged, n));
    json_close(w->out, '}');
}

void show_messages_json(struct buf *out, struct staged *s)
{
    struct line_writer w = { out, s };
    json_key(out, "messages");
    json_open(out, '[');
    for (size_t i = 0; i < s->nmessages; i++) {
        json_open(out, '{');
        json_text(out, "key", staged_key(s, s->messages[i]));
        json_key(out, "lines");
        json_open(out, '[');
        staged_each(s, s->messages[i], line_json, &w);
        json_close(out, ']');
        json_key(out, "fields");
        json_open(out, '{');
        tree_json(out, s->messages[i]);
        json_close(out, '}');
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* What was looked at for each message, by the last run of each operation that looked for something. */
static void show_tried_json(struct buf *out, const struct said *d)
{
    json_key(out, "tried");
    json_open(out, '[');
    for (size_t i = 0; i < d->nlasts; i++) {
        const struct said_last *last = d->lasts[i];
        if (!last->tried)
            continue;
        json_open(out, '{');
        json_text(out, "key", last->key);
        json_number(out, "message", (int64_t)last->message);
        json_text(out, "operation", last->operation);
        json_text(out, "state", last->state);
        json_text(out, "reason", last->reason);
        json_key(out, "looked_at");
        why_json(out, last->tried);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void show_said_json(struct buf *out, const struct said *d)
{
    json_key(out, "said");
    json_open(out, '[');
    for (const struct said_entry *e = d->first; e; e = e->next) {
        json_open(out, '{');
        json_text(out, "outcome", slice_of(outcome_names[e->kind]));
        json_text(out, "code", e->code);
        json_text(out, "text", e->text);
        json_number(out, "message", (int64_t)e->message);
        json_text(out, "key", e->key);
        json_text(out, "line", e->line);
        json_text(out, "field", e->field);
        json_text(out, "value", e->value);
        json_text(out, "operation", e->operation);
        json_text(out, "time", e->time);
        json_bool(out, "open", e->open);
        json_close(out, '}');
    }
    json_close(out, ']');
    show_tried_json(out, d);
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

void show_members(struct buf *out, const struct staged *s)
{
    const struct node *file = s->nmessages ? s->messages[0]->parent : NULL;
    for (size_t i = 0; file && i < file->group->nfields; i++) {
        const struct field *f = file->group->fields[i];
        struct slice text = shown_value(node_value(file, f), f);
        if (!text.n)
            continue;
        buf_printf(out, "%-11.*s ", SLICE_ARG(f->name));
        buf_add_shown(out, text, 0);
        buf_byte(out, '\n');
    }
}

static void put_part(struct buf *out, const char *before, struct slice text, const char *after)
{
    if (!text.n)
        return;
    buf_text(out, before);
    buf_add_shown(out, text, 0);
    buf_text(out, after);
}

void show_said(struct buf *out, const struct said *d, bool all)
{
    bool headed = false;
    for (const struct said_entry *e = d->first; e; e = e->next) {
        if (!all && !is_open(e))
            continue;
        if (!headed)
            buf_text(out, all ? "\nsaid\n" : "\nopen problems\n");
        headed = true;
        put_part(out, "", e->time, "  ");
        put_part(out, "", e->operation, "  ");
        put_part(out, "", e->key, "");
        if (!e->key.n && e->message)
            buf_printf(out, "message %llu", (unsigned long long)e->message);
        else if (!e->key.n)
            buf_text(out, "a message that the batch does not hold");
        put_part(out, ", line ", e->line, "");
        put_part(out, ", ", e->field, "");
        put_part(out, " = \"", e->value, "\"");
        buf_printf(out, ": %s", outcome_names[e->kind]);
        put_part(out, ": ", e->text, "");
        put_part(out, " [", e->code, "]");
        buf_byte(out, '\n');
    }
}

void show_why(struct buf *out, const struct said *d)
{
    for (size_t i = 0; i < d->nlasts; i++) {
        const struct said_last *last = d->lasts[i];
        put_part(out, "", last->key, "");
        if (last->first_of->several)
            buf_printf(out, ", message %llu", (unsigned long long)last->message);
        put_part(out, "  ", last->operation, ": ");
        buf_add_shown(out, last->state, 0);
        put_part(out, ", ", last->reason, "");
        buf_byte(out, '\n');
        const struct said_entry *e = last->first;
        for (size_t n = 0; n < last->count; n++, e = e->next) {
            buf_printf(out, "    %-7s ", outcome_names[e->kind]);
            put_part(out, "line ", e->line, " ");
            put_part(out, "", e->field, ": ");
            put_part(out, "", e->text, " ");
            put_part(out, "[", e->code, "]");
            buf_byte(out, '\n');
        }
        why_tried(out, "    ", last->tried, TRIED_SHOWN);
    }
}
