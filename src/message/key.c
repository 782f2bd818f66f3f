/* The key of a node: equal keys are equal bytes, whatever their spelling was. */
#include "message/node.h"

/* The instance of a single group below n, some levels down. */
static const struct node *holder_of(const struct node *n, const struct group *g)
{
    if (!g || g == n->group)
        return n;
    const struct node *above = holder_of(n, g->parent);
    return above ? node_list(above, g)->first : NULL;
}

const struct value *node_key_value(const struct node *n, const struct keypart *part)
{
    const struct node *holder = holder_of(n, part->group);
    return holder ? node_value(holder, part->field) : NULL;
}

/* 1.50 and 1.5 are one key: without trailing zeros after the point. */
static struct slice normal_decimal(struct slice text)
{
    if (!memchr(text.p, '.', text.n))
        return text;
    while (text.p[text.n - 1] == '0')
        text.n--;
    if (text.p[text.n - 1] == '.')
        text.n--;
    return text;
}

static struct slice normal(const struct field *f, const struct value *v)
{
    struct slice text = value_text(v);
    return f->type == TYPE_DECIMAL && text.n ? normal_decimal(text) : text;
}

/* \x1f parts the values; where a value holds it (or the escape itself) \x1e goes before it. */
static char *add_part(char *to, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\x1f' || text.p[i] == '\x1e')
            *to++ = '\x1e';
        *to++ = text.p[i];
    }
    return to;
}

static struct slice join_key(struct arena *a, const struct node *n)
{
    const struct group *g = n->group;
    size_t room = 0;
    for (size_t i = 0; i < g->nkeys; i++) {
        const struct value *v = node_key_value(n, &g->keys[i]);
        if (!v || !value_is(v))
            return SLICE("");
        room += 2 * (size_t)v->n + 1;
    }
    char *key = arena_alloc(a, room + 1), *to = key;
    for (size_t i = 0; i < g->nkeys; i++) {
        if (i)
            *to++ = '\x1f';
        to = add_part(to, normal(g->keys[i].field, node_key_value(n, &g->keys[i])));
    }
    *to = '\0';
    return slice_range(key, to);
}

struct slice node_key(struct arena *a, const struct node *n)
{
    const struct group *g = n->group;
    if (g->nkeys == 0)
        return SLICE("");
    if (g->nkeys > 1)
        return join_key(a, n);
    const struct value *v = node_key_value(n, &g->keys[0]);
    return v ? normal(g->keys[0].field, v) : SLICE("");
}
