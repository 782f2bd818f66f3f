/* declare - the header of a mapping, its params, tables, blocks and includes. */
#include "load.h"

#include <stdio.h>

#include "format/type.h"

bool parse_arrow(struct parser *p, enum mapping_arrow *out)
{
    if (parser_op(p, OP_BOTH))
        *out = ARROW_BOTH;
    else if (parser_op(p, OP_RIGHT))
        *out = ARROW_RIGHT;
    else if (parser_op(p, OP_LEFT))
        *out = ARROW_LEFT;
    else
        return false;
    return true;
}

/* NAME { "/" NAME } or STRING; n 0 when there is none. */
struct slice parse_ref(struct parser *p)
{
    const struct token *t = parser_peek(p, 0);
    if (p->i < p->n && t->kind == TOKEN_STRING) {
        p->i++;
        return t->text;
    }
    struct slice out = slice_none();
    while (p->i < p->n && (parser_peek(p, 0)->kind == TOKEN_NAME || parser_peek(p, 0)->kind == TOKEN_NUMBER)) {
        t = parser_peek(p, 0);
        p->i++;
        out = out.p ? arena_printf(p->arena, "%.*s/%.*s", SLICE_ARG(out), SLICE_ARG(t->text)) : t->text;
        if (!token_op(parser_peek(p, 0), OP_SLASH) || p->i >= p->n)
            break;
        p->i++;
    }
    return out.p ? out : (struct slice){ "", 0 };
}

/* A format of nothing but headers is there for others to include; read by a mapping it would pass over all that
   comes. */
static bool holds_something(struct parser *p, const struct token *t, const struct format *f)
{
    if (f->nmessages || f->file_group->nfields || f->file_group->ngroups)
        return true;
    parser_fail(p, t, "MAP_NO_MESSAGE", "name a format that has a `message`", "format \"%.*s\" describes no message",
                SLICE_ARG(f->name));
    return false;
}

static bool load_side(struct loader *l, struct parser *p, struct format **out)
{
    const struct token *t = parser_peek(p, 0);
    struct slice name = parse_ref(p);
    if (!name.n) {
        parser_fail(p, t, "MAP_HEADER", "mapping LEFT <=> RIGHT", "the name of a format is expected here");
        return false;
    }
    struct problems own;
    problems_init(&own, l->arena, 0);
    int rc = l->env->load_format(l->env->owner, l->arena, name, l->mapping->file, out, &own);
    bool missing = rc > WARN && (!own.first || (strcmp(own.first->code, "FMT_MISSING") == 0 && !own.first->place.line));
    for (const struct problem *q = missing ? NULL : own.first; q; q = q->next)
        problem_add(l->ps, q);
    if (!missing)
        return (rc == OK || rc == WARN) && holds_something(p, t, *out);
    struct slice near = finder_suggest(l->env->finder, l->arena, name, ".format", l->mapping->file);
    parser_fail(p, t, "MAP_NO_FORMAT",      /* said with its place, which the format does not know */
                near.n ? arena_cstr(l->arena, near) : "NAME.format is looked up beside this file, then where mappings are",
                "no format \"%.*s\"", SLICE_ARG(name));
    return rc == OK || rc == WARN;
}

bool declare_header(struct loader *l, struct statement *st)
{
    struct parser p;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    if (!parser_word(&p, "mapping")) {
        parser_fail(&p, &st->tokens[0], "MAP_HEADER", "mapping LEFT <=> RIGHT",
                    "a mapping begins with the line that names its two formats");
        return false;
    }
    bool ok = load_side(l, &p, &l->mapping->left);
    const struct token *t = parser_peek(&p, 0);
    if (!parse_arrow(&p, &l->mapping->arrow)) {
        parser_fail(&p, t, "MAP_HEADER", "mapping LEFT <=> RIGHT", "an arrow is expected here");
        return false;
    }
    ok = load_side(l, &p, &l->mapping->right) && ok;
    if (p.i < p.n && parser_peek(&p, 0)->kind == TOKEN_STRING)
        l->mapping->title = p.tokens[p.i++].text;
    return parser_done(&p) && ok;
}

/* ---- params ----------------------------------------------------------------------------------------------------- */

/* Attributes other than `required` are what a format says of a field: the format layer reads them. */
static struct field *param_field(struct loader *l, struct slice name, struct slice attributes, const struct token *t)
{
    struct problems own;
    struct conf *c;
    struct format *f;
    problems_init(&own, l->arena, 0);
    struct slice text = arena_printf(l->arena, "syntax csv\nmessage P {\n    %.*s %.*s\n}\n", SLICE_ARG(name),
                                     SLICE_ARG(attributes));
    if (conf_parse(l->arena, l->conf->file, text, &c, &own) == OK && format_compile(l->arena, l->env->finder,
            SLICE("param"), c, &f, &own) == OK &&
        f->nmessages == 1 && f->messages[0]->nfields == 1)
        return f->messages[0]->fields[0];
    struct slice why = own.first ? own.first->text : SLICE("not the type and attributes of a param");
    struct token at = *t;
    uint32_t before = 4 + (uint32_t)slice_chars(name) + 1;      /* of line 3 above, ahead of the attributes */
    if (own.first && own.first->place.line == 3 && own.first->place.column > before) {
        at.column = t->column + own.first->place.column - before - 1;
        at.width = own.first->place.width;
    }
    load_fail(l, &at, "MAP_PARAM", own.first && own.first->hint.n ? arena_cstr(l->arena, own.first->hint) : NULL,
              "param %.*s: %.*s", SLICE_ARG(name), SLICE_ARG(why));
    return NULL;
}

/* The place of `=` or of the title that ends the attributes. */
static size_t attributes_end(const struct statement *st, size_t from)
{
    size_t end = from;
    while (end < st->n && !token_op(&st->tokens[end], OP_EQ))
        end++;
    if (end == st->n && end > from && st->tokens[end - 1].kind == TOKEN_STRING)
        end--;
    return end;
}

static bool param_default(struct loader *l, struct parser *p, struct mapping_param *m)
{
    const struct token *t = parser_peek(p, 0);
    bool minus = parser_op(p, OP_MINUS);
    const struct token *value = parser_peek(p, 0);
    if (p->i >= p->n || value->kind == TOKEN_OP) {
        parser_fail(p, value, "MAP_PARAM", NULL, "a value is expected here");
        return false;
    }
    p->i++;
    struct slice text = minus ? arena_printf(l->arena, "-%.*s", SLICE_ARG(value->text)) : value->text;
    struct fault fault = { 0 };
    m->has_default = true;
    if (param_value(l->arena, m, text, &m->otherwise, &fault))
        return true;
    parser_fail(p, t, "MAP_PARAM", fault.hint.n ? fault.hint.p : NULL, "\"%.*s\" %.*s", SLICE_ARG(text),
                SLICE_ARG(fault.text));
    return false;
}

static void declare_param(struct loader *l, struct statement *st)
{
    struct parser p;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    const struct token *name = parser_peek(&p, 0), *type = parser_peek(&p, 1);
    if (st->n < 3 || name->kind != TOKEN_NAME || type->kind != TOKEN_NAME) {
        parser_fail(&p, name, "MAP_PARAM", "param NAME TYPE [required] [= value] [\"title\"]",
                    "a param has a name and a type");
        return;
    }
    size_t end = attributes_end(st, 2);
    struct slice attributes = slice_range(l->conf->text.p + type->offset,
                                          l->conf->text.p + st->tokens[end - 1].offset + st->tokens[end - 1].length);
    struct mapping_param m = { .name = name->text, .token = *name, .field = param_field(l, name->text, attributes,
            type) };
    if (!m.field)                   /* told; the rows that use it are read all the same */
        m.field = param_field(l, name->text, SLICE("text"), name);
    if (!m.field)
        return;
    m.required = m.field->flags & FIELD_REQUIRED;
    p.i = end;
    if (parser_op(&p, OP_EQ) && !param_default(l, &p, &m))
        return;
    if (p.i < p.n && parser_peek(&p, 0)->kind == TOKEN_STRING)
        m.title = p.tokens[p.i++].text;
    if (!parser_done(&p))
        return;
    ARENA_PUSH(l->arena, l->mapping->params, l->mapping->nparams, l->cap_params) = m;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static bool parse_names(struct parser *p, struct slice **out, size_t *n_out)
{
    struct slice *list = *out;
    size_t n = *n_out, cap = n;
    do {
        const struct token *t = parser_peek(p, 0);
        if (p->i >= p->n || (t->kind != TOKEN_NAME && t->kind != TOKEN_NUMBER)) {
            parser_fail(p, t, "MAP_TABLE", NULL, "a column name is expected here");
            return false;
        }
        p->i++;
        ARENA_PUSH(p->arena, list, n, cap) = t->text;
    } while (parser_op(p, OP_COMMA));
    *out = list;
    *n_out = n;
    return true;
}

static bool table_row(struct loader *l, struct mapping_table *t, struct statement *st, struct slice **out)
{
    struct parser p;
    size_t n = 0, want = t->nkeys + t->ncolumns;
    struct slice *row = arena_zero(l->arena, (want + 1) * sizeof *row);
    parser_init(&p, l->arena, l->conf, st, l->ps);
    while (p.i < p.n) {
        bool minus = parser_op(&p, OP_MINUS);
        const struct token *v = parser_peek(&p, 0);
        if (v->kind == TOKEN_OP || p.i >= p.n) {
            parser_fail(&p, v, "MAP_TABLE", "write \"…\" around it", "a value is expected here");
            return false;
        }
        p.i++;
        if (n < want)
            row[n] = minus ? arena_printf(l->arena, "-%.*s", SLICE_ARG(v->text)) : v->text;
        n++;
    }
    if (n != want || st->has_block) {
        parser_fail(&p, &st->tokens[0], "MAP_TABLE", NULL, "a row of table %.*s has %zu values, not %zu",
                    SLICE_ARG(t->name), want, n);
        return false;
    }
    *out = row;
    note_mutant(l, MUTANT_TABLE_ROW, st);
    return true;
}

static void table_rows(struct loader *l, struct mapping_table *t, struct statement *first)
{
    size_t cap = 0;
    for (struct statement *st = first; st; st = st->next) {
        struct slice *row;
        if (!load_room(l, &st->tokens[0]))
            return;
        if (!table_row(l, t, st, &row))
            continue;
        for (size_t i = 0; i < t->nrows; i++) {
            bool same = t->nkeys > 0;
            for (size_t k = 0; k < t->nkeys; k++)
                same = same && slice_equal(t->rows[i][k], row[k]);
            if (same)
                load_fail(l, &st->tokens[0], "TABLE_NOT_UNIQUE", NULL, "table %.*s: row %zu has this key already",
                          SLICE_ARG(t->name), i + 1);
        }
        ARENA_PUSH(l->arena, t->rows, t->nrows, cap) = row;
    }
}

static bool table_attributes(struct loader *l, struct parser *p, struct mapping_table *t)
{
    while (p->i < p->n) {
        const struct token *w = parser_peek(p, 0);
        bool ok = true;
        if (parser_word(p, "key")) {
            ok = parse_names(p, &t->keys, &t->nkeys);
        } else if (parser_word(p, "columns")) {
            ok = parse_names(p, &t->columns, &t->ncolumns);
        } else if (parser_word(p, "optional")) {
            t->optional = true;
        } else if (parser_word(p, "prefer")) {
            const struct token *column = parser_peek(p, 0);
            ok = p->i < p->n && column->kind == TOKEN_NAME;
            t->prefer = column->text;
            p->i++;
            if (!ok)
                parser_fail(p, column, "MAP_TABLE", NULL,
                            "`prefer` names the column that is true for the row to choose");
            else if (table_column_index(t, t->prefer) < 0)
                ARENA_PUSH(l->arena, t->columns, t->ncolumns, (size_t){ t->ncolumns }) = t->prefer;
        } else {
            static const struct slice words[] = { { "key", 3 }, { "columns", 7 }, { "optional", 8 }, { "prefer", 6 } };
            struct slice hint = problem_suggest(l->arena, w->text, words, 4);
            parser_fail(p, w, "CONF_WORD", hint.n ? hint.p : "key, columns, optional, prefer", "unknown word \"%.*s\"",
                        SLICE_ARG(w->text));
            return false;
        }
        if (!ok)
            return false;
    }
    return true;
}

static void declare_table(struct loader *l, struct statement *st)
{
    struct parser p;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    const struct token *name = parser_peek(&p, 0);
    if (p.i >= p.n || (name->kind != TOKEN_NAME && name->kind != TOKEN_NUMBER)) {
        parser_fail(&p, name, "MAP_TABLE", "table NAME key COLUMN columns COLUMN, …", "a table has a name");
        return;
    }
    p.i++;
    struct mapping_table t = { .name = name->text, .token = *name, .local = st->has_block,
                               .included = l->conf != l->mapping->conf };
    if (!table_attributes(l, &p, &t))
        return;
    if (t.nkeys == 0) {
        parser_fail(&p, name, "MAP_TABLE", "table NAME key COLUMN columns COLUMN, …", "table %.*s has no key",
                    SLICE_ARG(t.name));
        return;
    }
    if (t.nkeys > TABLE_KEYS_MAX || t.nkeys + t.ncolumns > TABLE_COLUMNS_MAX) {
        parser_fail(&p, name, "MAP_TABLE", NULL, "a table has at most %d key columns and %d columns", TABLE_KEYS_MAX,
                    TABLE_COLUMNS_MAX);
        return;
    }
    if (st->has_block)
        table_rows(l, &t, st->block);
    ARENA_PUSH(l->arena, l->mapping->tables, l->mapping->ntables, l->cap_tables) = t;
}

/* ---- blocks and includes ---------------------------------------------------------------------------------------- */

static void declare_block(struct loader *l, struct statement *st)
{
    if (st->n != 2 || !st->has_block) {
        load_fail(l, &st->tokens[0], "MAP_SYNTAX", "block NAME {", "a block has a name and rows in { }");
        return;
    }
    struct block *b = arena_zero(l->arena, sizeof *b);
    *b = (struct block){ .name = st->tokens[1].text, .conf = l->conf, .st = st, .next = l->blocks };
    l->blocks = b;
}

static void declare_include(struct loader *l, struct statement *st)
{
    struct parser p;
    struct conf *c;
    parser_init(&p, l->arena, l->conf, st, l->ps);
    p.i = 1;
    struct slice name = parse_ref(&p);
    if (!name.n || !parser_done(&p)) {
        load_fail(l, &st->tokens[0], "MAP_SYNTAX", "include NAME", "the name of a file is expected behind `include`");
        return;
    }
    const char *path = finder_find(l->env->finder, l->arena, name, ".map", l->conf->file);
    if (!path) {
        load_fail(l, &st->tokens[1], "MAP_MISSING", NULL, "no file %.*s.map", SLICE_ARG(name));
        return;
    }
    for (size_t i = 0; i < l->nincluded; i++)
        if (slice_is(l->included[i], path))
            return;
    ARENA_PUSH(l->arena, l->included, l->nincluded, l->cap_included) = slice_of(path);
    if (finder_conf(l->env->finder, l->arena, path, &c, l->ps) != OK)
        return;
    const struct conf *before = l->conf;
    l->conf = c;
    declare_all(l, c->first);
    l->conf = before;
}

static bool is_declaration(const struct statement *st, const char *word)
{
    return token_is(&st->tokens[0], word) && !(st->n > 1 && st->tokens[1].kind == TOKEN_OP);
}

void declare_all(struct loader *l, struct statement *first)
{
    for (struct statement *st = first; st; st = st->next) {
        bool row = !is_declaration(st, "param") && !is_declaration(st, "table") && !is_declaration(st, "block") &&
            !is_declaration(st, "include");
        if (row)                        /* counted where it is loaded */
            ARENA_PUSH(l->arena, l->pending, l->npending, l->cap_pending) = (struct pending){ l->conf, st };
        else if (!load_room(l, &st->tokens[0]))
            return;
        else if (is_declaration(st, "param"))
            declare_param(l, st);
        else if (is_declaration(st, "table"))
            declare_table(l, st);
        else if (is_declaration(st, "block"))
            declare_block(l, st);
        else
            declare_include(l, st);
    }
}
