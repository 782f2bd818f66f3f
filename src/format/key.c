/* `key A, B/C`: read with the group, resolved when all its members are there. */
#include "format/loader.h"

int key_parse(struct cursor *c, struct target *t)
{
    struct loader *l = c->loader;
    struct group *g = t->group;
    size_t cap = 0;
    if (!t->keyed) {
        g->keys = NULL;
        g->nkeys = 0;
    }
    t->keyed = true;
    do {
        struct token *first = &c->statement->tokens[c->i];
        struct slice path, word;
        int rc = cursor_word(c, "the name of a field", &path);
        while (rc == OK && cursor_op(c, OP_SLASH)) {
            rc = cursor_word(c, "a name", &word);
            if (rc == OK)
                path = arena_printf(l->arena, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(word));
        }
        if (rc != OK)
            return rc;
        if (g->nkeys == 16)
            return loader_bad(l, first, "FMT_KEY", NULL, "a key has at most 16 parts");
        struct keypart part = { .path = path };
        cap = g->nkeys;
        ARENA_PUSH(l->arena, g->keys, g->nkeys, cap) = part;
        ARENA_PUSH(l->arena, l->keys, l->nkeys, l->keys_cap) = (struct pending_key){
            .conf = l->conf, .token = first, .group = g, .part = g->nkeys - 1, .quiet = l->quiet > 0
        };
    } while (cursor_op(c, OP_COMMA));
    return OK;
}

static const char *suggest_member(struct loader *l, const struct group *g, struct slice name)
{
    struct slice *names = arena_alloc(l->arena, (g->nmembers + 1) * sizeof *names);
    for (size_t i = 0; i < g->nmembers; i++)
        names[i] = g->members[i].field ? g->members[i].field->name : g->members[i].group->name;
    return problem_suggest(l->arena, name, names, g->nmembers).p;
}

static void no_member(struct loader *l, const struct pending_key *k, const struct group *g, struct slice name)
{
    loader_bad(l, k->token, "FMT_KEY", suggest_member(l, g, name), "there is no field `%.*s` in %.*s", SLICE_ARG(name),
               SLICE_ARG(g->name));
}

static void resolve(struct loader *l, struct pending_key *k)
{
    struct keypart *part = &k->group->keys[k->part];
    struct group *g = k->group;
    struct slice rest = part->path;
    const char *slash;
    while ((slash = memchr(rest.p, '/', rest.n)) != NULL) {
        struct slice name = slice_range(rest.p, slash);
        struct group *below = group_child(g, name);
        if (below == NULL) {
            no_member(l, k, g, name);
            return;
        }
        if (below->max_occurs > 1) {
            loader_bad(l, k->token, "FMT_KEY", NULL, "`%.*s` stands many times, a key needs one value",
                       SLICE_ARG(name));
            return;
        }
        g = below;
        rest = slice_range(slash + 1, rest.p + rest.n);
    }
    part->field = group_field(g, rest);
    part->group = g == k->group ? NULL : g;
    if (part->field == NULL)
        no_member(l, k, g, rest);
}

void keys_resolve(struct loader *l)
{
    for (size_t i = 0; i < l->nkeys; i++) {
        struct pending_key *k = &l->keys[i];
        if (k->part >= k->group->nkeys)
            continue;               /* the shape's key was replaced where it is used */
        l->conf = k->conf;
        l->quiet = k->quiet;
        if (k->group->keys[k->part].field == NULL)
            resolve(l, k);
    }
    l->quiet = 0;
}
