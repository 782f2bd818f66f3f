#include "flow/site_parse.h"

static const char *const table_words[] = { "of", "format", "key", "filled", NULL };

static int parse_of(struct cursor *c, struct site_table *t)
{
    static const char *const words[] = { "batch", "open", "flow", NULL };
    int rc = OK;
    if (cursor_take(c, "batch"))
        t->kind = TABLE_OF_BATCH;
    else if (cursor_take(c, "open"))
        t->kind = TABLE_OF_OPEN;
    else if (cursor_take(c, "flow")) {
        t->kind = TABLE_OF_FLOW;
        rc = word_name(c, &t->flow, "the name of a flow");
    } else
        rc = word_unknown(c, words);
    if (rc == OK && cursor_take(c, "when"))
        rc = word_name(c, &t->when, "the field that must have a value");
    if (rc == OK && cursor_take(c, "keep"))
        rc = word_names(c, &t->keep, &t->nkeep, "the name of a field");
    return rc;
}

/* One line of a table that stands in the site: a value per column. */
static int parse_row(struct site_loading *l, struct site_table *t, struct statement *s, struct slice *row)
{
    struct cursor c = { l, s, 0 };
    for (size_t i = 0; i < t->ncolumns; i++)
        if (word_value(&c, &row[i], "a value") != OK)
            return STOP;
    return word_end(&c, NULL);
}

static int parse_rows(struct site_loading *l, struct site_table *t, struct statement *s)
{
    struct statement *heading = s->block;
    size_t n = 0, cap = 0;
    struct cursor c = { l, heading, 0 };
    t->kind = TABLE_ROWS;
    while (cursor_more(&c)) {
        struct slice name;
        if (word_name(&c, &name, "the name of a column") != OK)
            return STOP;
        ARENA_PUSH(l->arena, t->columns, t->ncolumns, cap) = name;
    }
    for (struct statement *r = heading->next; r; r = r->next)
        n++;
    t->rows = arena_zero(l->arena, (n + 1) * sizeof *t->rows);
    for (struct statement *r = heading->next; r; r = r->next) {
        struct slice *row = arena_zero(l->arena, t->ncolumns * sizeof *row);
        if (parse_row(l, t, r, row) == OK)
            t->rows[t->nrows++] = row;
    }
    return OK;
}

static int parse_part(struct cursor *c, struct site_table *t)
{
    if (cursor_take(c, "of"))
        return parse_of(c, t);
    if (cursor_take(c, "format"))
        return word_ref(c, &t->format_ref, "the name of a format");
    if (cursor_take(c, "key"))
        return word_names(c, &t->keys, &t->nkeys, "the name of a column");
    if (cursor_take(c, "filled")) {
        if (!cursor_take(c, "by"))
            return word_unknown(c, (const char *const[]){ "by", NULL });
        return word_names(c, &t->filled, &t->nfilled, "the name of a flow");
    }
    return word_unknown(c, table_words);
}

int parse_table(struct site_loading *l, struct statement *s)
{
    struct site *site = l->site;
    struct cursor c = { l, s, 1 };
    struct site_table *t = arena_zero(l->arena, sizeof *t);
    t->token = *cursor_token(&c);
    t->index = (uint32_t)site->ntables;
    int rc = word_name(&c, &t->name, "the name of a table");
    if (rc == OK && site_table(site, t->name))
        rc = site_problem(l, &t->token, "SITE_TWICE", "give it another name", "there are two tables %.*s",
                          SLICE_ARG(t->name));
    if (rc == OK && cursor_more(&c) && cursor_token(&c)->kind == TOKEN_STRING)
        rc = word_string(&c, &t->file, "a file");
    while (rc == OK && cursor_more(&c))
        rc = parse_part(&c, t);
    if (rc == OK && s->has_block && s->block)
        rc = parse_rows(l, t, s);
    if (rc == OK && t->kind == TABLE_FILE && !t->file.n)
        rc = site_problem(l, &t->token, "SITE_TABLE", "a file with a format, `of …`, or rows in { }",
                          "table %.*s has no content", SLICE_ARG(t->name));
    if (rc == OK)
        LIST_PUSH(l, site, tables, ntables, t);
    return rc;
}
