#include "flow/versions.h"

#include "flow/config.h"

struct version {
    char config[SHA256_HEX];        /* "" = free */
    struct arena arena;
    struct site *site;
    struct table_cache *tables;
    struct problems said;           /* while it was loaded */
    int status;
    uint64_t used;
};

struct versions {
    struct arena arena;
    const struct site *now;
    struct table_cache *tables;
    struct version list[VERSIONS_MAX];
    uint64_t turn;
    struct store store;
    bool store_open;
};

struct versions *versions_new(const struct site *now)
{
    struct arena a;
    arena_init(&a, 0);
    struct versions *v = arena_zero(&a, sizeof *v);
    v->now = now;
    v->tables = table_cache_new(now);
    v->arena = a;
    return v;
}

static void forget(struct version *old)
{
    if (!old->config[0])
        return;
    if (old->tables)
        table_cache_free(old->tables);
    arena_release(&old->arena);
    *old = (struct version){ .site = NULL };
}

/* The one that was not used for longest makes room. */
static struct version *room(struct versions *v)
{
    struct version *oldest = v->list;
    for (size_t i = 1; i < VERSIONS_MAX; i++)
        if (v->list[i].used < oldest->used)
            oldest = &v->list[i];
    forget(oldest);
    return oldest;
}

void versions_free(struct versions *v)
{
    struct arena a = v->arena;                      /* the struct lies in the arena itself */
    for (size_t i = 0; i < VERSIONS_MAX; i++)
        forget(&v->list[i]);
    table_cache_free(v->tables);
    if (v->store_open)
        store_close(&v->store);
    arena_release(&a);
}

static int same_shape(const struct site *a, const struct site *b, struct problems *ps)
{
    bool same = a->nflows == b->nflows;
    for (size_t i = 0; same && i < a->nflows; i++)
        same = a->flows[i]->noperations == b->flows[i]->noperations;
    if (same)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "CONFIG_GONE", (struct place){ .file = b->file, .offset = PLACE_NO_OFFSET },
                 "the flows of the site are others");
    return STOP;
}

static int load(struct versions *v, struct version *old)
{
    struct arena *a = &old->arena;
    struct site_config *config = arena_zero(a, sizeof *config);
    struct site_env env = v->now->env;
    env.config = config;
    int rc = OK;
    if (!v->store_open)
        rc = store_open(&v->store, &v->arena, v->now->dir, false, &old->said);
    v->store_open = rc <= WARN;
    if (rc <= WARN)
        rc = config_load(&v->store, a, old->config, config, &old->said);
    config->conf = v->now->conf->text;
    if (rc <= WARN)
        rc = site_load(a, &env, v->now->file, &old->site, &old->said);
    if (rc <= WARN)
        rc = same_shape(v->now, old->site, &old->said);
    if (rc <= WARN)
        old->tables = table_cache_new(old->site);
    return rc;
}

static struct version *find(struct versions *v, struct slice config)
{
    for (size_t i = 0; i < VERSIONS_MAX; i++)
        if (slice_is(config, v->list[i].config) && v->list[i].status != TEMP)
            return &v->list[i];                     /* what could not be read then may be readable now */
    struct version *old = room(v);
    arena_init(&old->arena, 0);
    problems_init(&old->said, &old->arena, 50);
    memcpy(old->config, config.p, config.n);
    old->status = load(v, old);
    return old;
}

int versions_find(struct versions *v, struct slice config, const struct site **site, struct table_cache **tables,
                  struct problems *ps)
{
    *site = v->now;
    *tables = v->tables;
    if (!config.n)
        return OK;
    if (config.n >= SHA256_HEX)
        return STOP;
    struct version *old = find(v, config);
    int rc = old->status;
    old->used = rc == TEMP ? 0 : ++v->turn;
    for (const struct problem *p = old->said.first; p; p = p->next)
        problem_add(ps, p);
    *site = old->site;
    *tables = old->tables;
    return rc;
}

struct slice versions_unfit(const struct operation *op, const struct problems *ps, struct arena *a)
{
    const struct flow *f = op ? op->flow : NULL;
    const struct problem *p = ps->first;
    if (f && !f->faulty && !(f->on && f->off))
        return SLICE("");
    while (p && p->severity != PROBLEM_ERROR)
        p = p->next;
    struct buf text = { 0 };
    buf_text(&text, "the mappings that the batch was created with cannot be used any more");
    if (p && p->place.file)
        buf_printf(&text, ": %s", p->place.file);
    if (p && p->place.file && p->place.line)
        buf_printf(&text, ":%u", p->place.line);
    if (p) {
        buf_text(&text, ": ");
        buf_add(&text, p->text);
    }
    buf_text(&text, "; `waybill renew` makes it go on with those of now");
    struct slice out = arena_copy(a, buf_slice(&text));
    buf_release(&text);
    return out;
}
