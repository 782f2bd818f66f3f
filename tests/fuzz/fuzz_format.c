/* Any bytes as a format file: it is refused with a reason, or it makes a tree that nodes can be made of. */
#include <stdint.h>
#include <stdlib.h>

#include "base/limit.h"
#include "format/type.h"
#include "message/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* Each group's parent, index and number agree, and a node of it can be walked. */
static void walk(struct arena *a, const struct format *f)
{
    for (size_t i = 0; i < f->ngroups; i++) {
        const struct group *g = f->all_groups[i];
        demand(g->id == i && g->format == f && g->nmembers == g->nfields + g->ngroups);
        for (size_t k = 0; k < g->ngroups; k++)
            demand(g->groups[k]->index == k && g->groups[k]->parent == g);
        for (size_t k = 0; k < g->nfields; k++)
            demand(g->fields[k]->slot == k && g->fields[k]->group == g && field_path(a, g->fields[k]).n > 0);
        for (size_t k = 0; k < g->nkeys; k++)
            demand(g->keys[k].field != NULL);
    }
}

static void use(struct arena *a, const struct format *f, struct slice text, struct problems *ps)
{
    struct buf out = { 0 };
    for (size_t i = 0; i < f->nmessages; i++) {
        struct node *message = node_new(a, f->messages[i], NULL);
        for (size_t k = 0; k < message->group->nfields; k++)
            type_read(message->group->fields[k], text, a, &message->values[k], NULL);
        for (size_t k = 0; k < message->group->ngroups; k++)
            node_add(a, message, message->group->groups[k]);
        node_check(message, a, ps);
        node_key(a, message);
        node_dump(&out, node_copy(a, message, NULL));
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a;
    struct problems ps;
    struct conf *conf = NULL;
    struct format *f = NULL;
    struct buf shown = { 0 };

    arena_init(&a, 0);
    problems_init(&ps, &a, 100);
    struct slice text = arena_copy(&a, (struct slice){ (const char *)data, n });
    conf_parse(&a, "fuzz.format", text, &conf, &ps);
    if (conf) {
        size_t before = ps.errors;
        int rc = format_compile(&a, NULL, SLICE("fuzz"), conf, &f, &ps);
        demand((rc == OK) == (ps.errors == before));
        if (rc == OK) {
            walk(&a, f);
            use(&a, f, (struct slice){ text.p, n > 40 ? 40 : n }, &ps);
        }
    }
    for (const struct problem *p = ps.first; p; p = p->next)
        problem_show(&shown, p);
    buf_release(&shown);
    arena_release(&a);
    return 0;
}
