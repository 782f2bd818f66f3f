/* mapping - loads a .map file: parse, declare, resolve, check, compile. */
#include "mapping/mapping.h"

#include "load.h"

const char *const outcome_names[] = { "", "note", "warn", "skip", "wait", "reject" };
const char *const outcome_states[] = { "done", "done", "done", "skipped", "waiting", "rejected" };
const char *const tried_names[] = { "failed", "chosen", "new" };
const char *const loss_names[] = { "dropped", "narrowed", "invented", "first of several" };

static void loader_init(struct loader *l, struct arena *a, const struct mapping_env *env, struct slice name,
                        struct conf *c, struct problems *ps)
{
    *l = (struct loader){ .arena = a, .env = env, .conf = c, .ps = ps };
    l->mapping = arena_zero(a, sizeof *l->mapping);
    l->program = arena_zero(a, sizeof *l->program);
    l->mapping->name = arena_copy(a, name);
    l->mapping->file = c->file;
    l->mapping->conf = c;
    l->mapping->program = l->program;
    l->program->mapping = l->mapping;
    l->program->scopes_tail = &l->program->scopes;
}

static void index_items(struct arena *a, struct program *p)
{
    p->items = arena_zero(a, (p->nitems + 1) * sizeof(struct item *));
    p->lets = arena_zero(a, (p->nlets + 1) * sizeof(struct let *));
    for (struct scope *s = p->scopes; s; s = s->next) {
        for (struct item *it = s->items; it; it = it->next)
            p->items[it->index] = it;
        for (struct let *v = s->lets; v; v = v->next)
            p->lets[v->index] = v;
    }
}

static void warn_unused(struct loader *l)
{
    for (struct block *b = l->blocks; b; b = b->next)
        if (!b->used && b->conf == l->mapping->conf)
            conf_problem(b->conf, &b->st->tokens[1], PROBLEM_WARNING, "MAP_UNUSED", l->ps, NULL,
                         "block %.*s is not used", SLICE_ARG(b->name));
}

static int load_conf(struct arena *a, const struct mapping_env *env, struct slice name, struct conf *c,
                     struct mapping **out, struct problems *ps)
{
    struct loader l;
    size_t before = ps->errors;
    loader_init(&l, a, env, name, c, ps);
    if (!c->first || !declare_header(&l, c->first))
        return STOP;
    struct mapping *m = l.mapping;
    l.program->outcome = outcome_format(a);
    declare_all(&l, c->first->next);
    struct scope *file = scope_new(&l, NULL, NULL, m->left->file_group, m->right->file_group);
    l.program->file = file;
    for (size_t i = 0; i < l.npending; i++) {
        l.conf = l.pending[i].conf;
        load_statement(&l, file, l.pending[i].st);
    }
    index_items(a, l.program);
    l.program->faulty = ps->errors > before || c->faulty;
    if (!l.program->faulty)
        warn_unused(&l);
    check_mapping(a, m, ps);
    *out = m;
    if (ps->errors > before || c->faulty)
        return STOP;
    compile_mapping(a, m);
    mapping_hide(a, m);
    return OK;
}

static const char *map_path(struct arena *a, const struct mapping_env *env, struct slice name, const char *from)
{
    const char *path = finder_find(env->finder, a, name, ".map", from);
    return path;
}

static struct slice without_suffix(struct slice name)
{
    if (name.n > 4 && memcmp(slice_end(name) - 4, ".map", 4) == 0)
        name.n -= 4;
    return name;
}

int mapping_load(struct arena *a, const struct mapping_env *env, struct slice name, const char *from,
                 struct mapping **out, struct problems *ps)
{
    struct conf *c;
    const char *path = map_path(a, env, name, from);
    *out = NULL;
    if (!path) {
        struct slice near = finder_suggest(env->finder, ps->arena, name, ".map", from);
        problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "MAP_MISSING", .value = name,
            .place = { .file = from, .offset = PLACE_NO_OFFSET }, .text = SLICE("is no mapping that can be found"),
            .hint = near.n ? near : arena_printf(ps->arena,
                "%.*s.map is looked up %s, then where mappings are (WAYBILL_PATH adds folders)",
                SLICE_ARG(without_suffix(name)), from ? "beside this file" : "here") });
        return STOP;
    }
    int rc = finder_conf(env->finder, a, path, &c, ps);
    if (!c)
        return rc;                  /* a faulty one is read on, so that all errors are told at once */
    return load_conf(a, env, name, c, out, ps);
}

int mapping_compile(struct arena *a, const struct mapping_env *env, struct slice name, struct conf *c,
                    struct mapping **out, struct problems *ps)
{
    *out = NULL;
    return load_conf(a, env, name, c, out, ps);
}
