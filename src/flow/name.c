#include "flow/name.h"

#include "flow/site_parse.h"
#include "mapping/pool.h"

static const struct {
    const char *word;
    enum name_kind kind;
} words[] = {
    { "batch", NAME_BATCH }, { "file", NAME_FILE }, { "time", NAME_TIME }, { "date", NAME_DATE },
    { "operation", NAME_OPERATION }, { "n", NAME_N },
};

/* Follows A/B/C from a message; false when it is not there or may occur several times. */
static bool resolve(struct arena *a, const struct group *g, struct slice path, struct name_part *out)
{
    size_t cap = 0;
    for (;;) {
        const char *slash = memchr(path.p, '/', path.n);
        struct slice step = slash ? slice_range(path.p, slash) : path;
        if (!slash) {
            out->field = group_field(g, step);
            return out->field != NULL;
        }
        g = group_child(g, step);
        if (!g || g->max_occurs != 1)
            return false;
        ARENA_PUSH(a, out->groups, out->ngroups, cap) = g;
        path = slice_range(slash + 1, path.p + path.n);
    }
}

static struct slice suggest_word(struct site_loading *l, struct slice expr)
{
    struct slice list[sizeof words / sizeof *words];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        list[i] = slice_of(words[i].word);
    return problem_suggest(l->arena, expr, list, sizeof words / sizeof *words);
}

/* A text with {words} that is compiled. */
struct naming {
    struct site_loading *l;
    const struct give *give;
    const struct token *token;
    struct name_part **parts;
    size_t *n, cap;
    bool unique;
};

static int field_part(struct naming *x, struct slice expr, struct name_part *out)
{
    struct site_loading *l = x->l;
    const struct give *g = x->give;
    const struct group *m = g->operation->message;      /* not known where the mapping is wrong */
    struct slice near = suggest_word(l, expr);
    out->kind = NAME_FIELD;
    out->text = expr;
    if (m ? !resolve(l->arena, m, expr, out) : near.n > 0) {
        struct token at = site_token(l, x->token, expr);
        return site_problem(l, &at, "SITE_NAME", near.n ? arena_cstr(l->arena, near)
                            : "{batch} {file} {time} {date} {operation} {n} or a field of the message",
                            "nothing is called {%.*s} here", SLICE_ARG(expr));
    }
    struct token at = site_token(l, x->token, (struct slice){ expr.p - 1, expr.n + 2 });
    if (!g->each)
        return site_problem(l, &at, "SITE_NAME", "add `each` for one file per message, or use {batch}, {n}",
                            "\"{%.*s}\" names one message, the file holds many", SLICE_ARG(expr));
    if (g->mapping && mapping_gives_at_end(g->mapping, g->direction))
        return site_problem(l, &at, "SITE_NAME", arena_printf(l->arena, "{batch}_{n} for {%.*s}", SLICE_ARG(expr)).p,
                            "\"{%.*s}\" names one message, %.*s gives at the end of the file (`consolidate`, `sort`, `/.`)",
                            SLICE_ARG(expr), SLICE_ARG(g->mapping->name));
    if (out->field && out->field->flags & FIELD_SENSITIVE)
        site_warning(l, &at, "SITE_SHOWN", "another field, {batch} or {n}",
                     "%.*s is sensitive, and names of outputs stand in logs and waybills", SLICE_ARG(expr));
    return OK;
}

static int one_part(struct naming *x, struct slice expr, struct name_part *out)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_is(expr, words[i].word)) {
            out->kind = words[i].kind;
            return OK;
        }
    return field_part(x, expr, out);
}

static int compile(struct naming *x, struct slice text)
{
    const char *p = text.p, *end = p + text.n;
    int rc = OK;
    while (p < end && rc == OK) {
        struct name_part part = { .kind = NAME_TEXT };
        const char *open = memchr(p, '{', (size_t)(end - p));
        if (!open || open > p) {
            part.text = slice_range(p, open ? open : end);
            p = open ? open : end;
        } else {
            const char *close = memchr(open, '}', (size_t)(end - open));
            if (!close)
                return site_problem(x->l, x->token, "SITE_NAME", "`{batch}`", "a `{` without its `}`");
            rc = one_part(x, slice_trim(slice_range(open + 1, close)), &part);
            p = close + 1;
        }
        x->unique = x->unique || part.kind == NAME_BATCH || part.kind == NAME_TIME || part.kind == NAME_FIELD
            || part.kind == NAME_FILE;
        ARENA_PUSH(x->l->arena, *x->parts, *x->n, x->cap) = part;
    }
    if (rc == OK && !x->unique && !x->give->operation->manual)
        site_warning(x->l, x->token, "SITE_NAME_SAME", "put {batch} in it",
                     "every file of this outbox wants the same name");
    return rc;
}

int name_compile(struct site_loading *l, struct give *g)
{
    struct naming x = { l, g, &g->name_token, &g->name_parts, &g->nname_parts, 0, false };
    int rc = compile(&x, g->name);
    for (size_t i = 0; i < g->ncompanions && rc == OK; i++) {
        struct site_companion *c = &g->companions[i];
        struct naming of = { l, g, &c->token, &c->parts, &c->nparts, 0, false };
        rc = compile(&of, c->pattern);
    }
    return rc;
}

static const struct value *part_value(const struct name_part *part, const struct node *message)
{
    for (size_t i = 0; message && i < part->ngroups; i++)
        message = node_list(message, part->groups[i])->first;
    return message && message->group == part->field->group ? node_value(message, part->field) : NULL;
}

/* 2026-11-22T10:15:00 as 20261122T101500; of a date the first ten characters as they are. */
static void add_time(struct buf *out, struct slice time, bool date)
{
    size_t n = date ? 10 : 19;
    for (size_t i = 0; i < n && i < time.n; i++)
        if (date || (time.p[i] != '-' && time.p[i] != ':'))
            buf_byte(out, time.p[i]);
}

int name_render(const struct name_part *parts, size_t n, const struct name_values *v, const struct node *message,
                struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct name_part *p = &parts[i];
        const struct value *value;
        switch (p->kind) {
        case NAME_TEXT: buf_add(out, p->text); break;
        case NAME_BATCH: buf_add(out, v->batch); break;
        case NAME_FILE: buf_add(out, v->file); break;
        case NAME_TIME: add_time(out, v->time, false); break;
        case NAME_DATE: add_time(out, v->time, true); break;
        case NAME_OPERATION: buf_add(out, v->operation); break;
        case NAME_N: buf_printf(out, "%llu", (unsigned long long)v->n); break;
        case NAME_FIELD:
            value = part_value(p, message);
            if (!value || !value_is(value))
                return SKIP;
            buf_add(out, value_text(value));
            break;
        }
    }
    return OK;
}
