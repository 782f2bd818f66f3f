#include "flow/site_parse.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "flow/config.h"
#include "syntax/syntax.h"

static const char *const site_words[] = {
    "site", "language", "zone", "set", "keep", "limit", "texts", "self", "partner", "table", "sequence", "flow", "shared",
    "notice", "metrics", NULL
};

int parse_set(struct cursor *c, struct settings *sets)
{
    struct setting set = { .token = *cursor_token(c) };
    if (word_name(c, &set.name, "the name of a parameter") != OK)
        return STOP;
    if (parse_secret(c, &set) != OK)
        return STOP;
    for (size_t i = 0; i < sets->n; i++)
        if (slice_equal(sets->list[i].name, set.name))
            return site_problem(c->l, &set.token, "SITE_TWICE", "keep one of them", "%.*s is set twice",
                                SLICE_ARG(set.name));
    ARENA_PUSH(c->l->arena, sets->list, sets->n, sets->cap) = set;
    return word_end(c, NULL);
}

static int parse_zone(struct cursor *c)
{
    struct site *s = c->l->site;
    const struct token *t = cursor_token(c);
    if (word_string(c, &s->zone_name, "the name of a time zone") != OK)
        return STOP;
    s->zone = zone_load(c->l->arena, arena_cstr(c->l->arena, s->zone_name));
    if (!s->zone)
        return site_problem(c->l, t, "SITE_ZONE", "a name like \"Europe/Oslo\"", "no time zone \"%.*s\" on this system",
                            SLICE_ARG(s->zone_name));
    return word_end(c, NULL);
}

static int parse_limit(struct cursor *c)
{
    const struct token *t = cursor_token(c);
    struct slice name;
    uint64_t value;
    if (word_name(c, &name, "the name of a limit") != OK || word_number(c, &value, "its value in bytes") != OK)
        return STOP;
    if (!limit_set(&c->l->site->limits, name, value)) {
        struct slice near = problem_suggest(c->l->arena, name, limit_names, limit_count);
        return site_problem(c->l, t, "SITE_LIMIT", near.p ? arena_cstr(c->l->arena, near) : "see DESIGN: field, row, depth, message …",
                            "there is no limit \"%.*s\"", SLICE_ARG(name));
    }
    return word_end(c, NULL);
}

static int parse_texts(struct cursor *c)
{
    struct site_loading *l = c->l;
    struct slice language;
    int rc = word_name(c, &language, "a language");
    for (struct statement *s = c->s->block; rc == OK && s; s = s->next) {
        struct cursor line = { l, s, 0 };
        struct slice code, *text = arena_zero(l->arena, sizeof *text);
        if (word_name(&line, &code, "a problem code") != OK || word_string(&line, text, "its text") != OK
            || word_end(&line, NULL) != OK)
            continue;
        map_put(&l->site->texts, arena_printf(l->arena, "%.*s/%.*s", SLICE_ARG(language), SLICE_ARG(code)), text);
    }
    return rc == OK ? word_end(c, NULL) : STOP;
}

static int parse_party(struct cursor *c, bool self)
{
    struct site *s = c->l->site;
    struct party p = { .self = self, .token = *cursor_token(c), .block = c->s->block };
    size_t cap = s->nparties;
    if (word_name(c, &p.name, "the name of a partner") != OK)
        return STOP;
    if (cursor_more(c) && word_string(c, &p.title, "a title") != OK)
        return STOP;
    ARENA_PUSH(c->l->arena, s->parties, s->nparties, cap) = p;
    return word_end(c, NULL);
}

static int parse_sequence(struct cursor *c)
{
    static const char *const words[] = { "from", "to", "size", NULL };
    struct site *s = c->l->site;
    struct site_sequence q = { .token = *cursor_token(c), .from = 1 };
    uint64_t size = 0;
    size_t cap = s->nsequences;
    int rc = word_name(c, &q.name, "the name of a sequence");
    while (rc == OK && cursor_more(c)) {
        if (cursor_take(c, "from"))
            rc = word_number(c, &q.from, "the first number");
        else if (cursor_take(c, "to"))
            rc = word_number(c, &q.to, "the last number");
        else if (cursor_take(c, "size"))
            rc = word_number(c, &size, "the number of digits");
        else
            rc = word_unknown(c, words);
    }
    if (rc == OK && size > 18)
        rc = site_problem(c->l, &q.token, "SITE_SEQUENCE", "size 1 … 18", "a number has at most 18 digits");
    if (rc == OK && q.to && q.to < q.from)
        rc = site_problem(c->l, &q.token, "SITE_SEQUENCE", "`to` is the last number",
                          "sequence %.*s ends before it begins", SLICE_ARG(q.name));
    q.size = (uint32_t)size;
    if (rc == OK)
        ARENA_PUSH(c->l->arena, s->sequences, s->nsequences, cap) = q;
    return rc;
}

static int parse_statement(struct site_loading *l, struct statement *s)
{
    struct cursor c = { l, s, 0 };
    struct site *site = l->site;
    if (cursor_take(&c, "site"))
        return word_string(&c, &site->title, "the site's title") == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "language"))
        return word_name(&c, &site->language, "a language") == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "zone"))
        return parse_zone(&c);
    if (cursor_take(&c, "set"))
        return parse_set(&c, &site->sets);
    if (cursor_take(&c, "keep"))
        return parse_keep(&c);
    if (cursor_take(&c, "limit"))
        return parse_limit(&c);
    if (cursor_take(&c, "shared"))
        return word_yes(&c, &site->shared) == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "notice"))
        return parse_notice(&c, &site->notices);
    if (cursor_take(&c, "metrics"))
        return parse_metrics(&c);
    if (cursor_take(&c, "texts"))
        return parse_texts(&c);
    if (cursor_is(&c, "self") || cursor_is(&c, "partner"))
        return parse_party(&c, token_is(&s->tokens[c.at++], "self"));
    if (cursor_take(&c, "table"))
        return parse_table(l, s);
    if (cursor_take(&c, "sequence"))
        return parse_sequence(&c);
    if (cursor_take(&c, "exchange"))
        return parse_exchange(&c);
    if (cursor_take(&c, "flow"))
        return parse_flow(l, s);
    return word_unknown(&c, site_words);
}

/* The finder tells of every file that it opens: their hashes are pinned by each batch. */
static void file_opened(void *owner, const char *path, struct slice content)
{
    struct site_loading *l = owner;
    struct site *s = l->site;
    for (size_t i = 0; i < s->nfiles; i++)
        if (strcmp(s->files[i].path, path) == 0)
            return;
    struct config_file f = { .path = arena_cstr(l->arena, slice_of(path)), .content = content };
    sha256_of(content, f.hash);
    ARENA_PUSH(l->arena, s->files, s->nfiles, l->files_cap) = f;
}

static bool file_kept(void *owner, const char *path, struct slice *content)
{
    const struct site_loading *l = owner;
    const struct slice *text = map_get(&l->env->config->files, slice_of(config_path(l->site, l->arena, path)));
    if (text)
        *content = *text;
    return text != NULL;
}

static int load_format(void *owner, struct arena *a, struct slice name, const char *from, struct format **out,
                       struct problems *ps)
{
    struct site_loading *l = owner;
    const char *path = finder_find(&l->finder, l->arena, name, ".format", from);
    *out = NULL;
    struct format *known = path ? map_get(&l->formats, slice_of(path)) : NULL;
    (void)a;
    if (known) {
        *out = known;
        return OK;
    }
    const struct problem *told = path ? map_get(&l->unusable, slice_of(path)) : NULL;
    if (told) {
        problem_add(ps, told);                      /* said again, so that the mapping says nothing of its own; see
                                                       drop_repeats */
        l->off_errors++;
        l->later++;
        return STOP;
    }
    size_t errors = ps->errors;
    int rc = syntax_format(l->arena, &l->finder, name, from, out, ps);
    if (rc <= WARN && path)
        map_put(&l->formats, slice_of(path), *out);
    else if (path && ps->last && strcmp(ps->last->code, "FMT_SYNTAX") == 0) {
        l->off_errors += ps->errors - errors;       /* another version may have that syntax: only its flows stay off */
        l->later++;
        map_put(&l->unusable, slice_of(path), ps->last);
    }
    if (rc > WARN)
        *out = NULL;
    return rc;
}

int site_format(struct site_loading *l, struct slice ref, const struct token *t, struct format **out)
{
    size_t errors = l->ps->errors, later = l->later;
    if (!finder_find(&l->finder, l->arena, ref, ".format", l->site->file)) {
        struct slice near = finder_suggest(&l->finder, l->arena, ref, ".format", l->site->file);
        struct token at = site_token(l, t, ref);
        return site_problem(l, &at, "SITE_NO_FORMAT", near.n ? arena_cstr(l->arena, near)
                            : "it is looked up beside site.conf, then under mappings/",
                            "no format \"%.*s\"", SLICE_ARG(ref));
    }
    int rc = load_format(l, l->arena, ref, l->site->file, out, l->ps);
    if (rc > WARN && l->ps->errors == errors && l->later == later)
        site_problem(l, t, "SITE_NO_FORMAT", NULL, "the format %.*s cannot be used", SLICE_ARG(ref));
    return rc <= WARN ? OK : STOP;
}

static void loading_init(struct site_loading *l, struct arena *a, const struct site_env *env, struct site *site,
                         struct problems *ps)
{
    size_t n = 0, given = 0;
    while (env && env->roots && env->roots[given])
        given++;
    const char **roots = arena_zero(a, (given + 3) * sizeof *roots);
    roots[n++] = file_join(a, site->dir, "mappings");
    roots[n++] = site->dir;
    for (size_t i = 0; i < given; i++)
        roots[n++] = env->roots[i];
    *l = (struct site_loading){ .site = site, .env = env, .arena = a, .ps = ps };
    l->finder = (struct finder){ .roots = roots, .opened = file_opened, .owner = l };
    if (env && env->config)
        l->finder.kept = file_kept;
    l->mapping_env = (struct mapping_env){ .finder = &l->finder, .load_format = load_format, .owner = l };
    map_init(&l->formats, a);
    map_init(&l->mappings, a);
    map_init(&l->unusable, a);
}

static void site_defaults(struct site *s, struct arena *a, const char *dir)
{
    size_t n = strlen(dir);
    s->arena = a;
    s->keep_archive = s->keep_log = s->keep_error = -1;
    s->limits = limits_default;
    map_init(&s->texts, a);
    if (n >= 5 && strcmp(dir + n - 5, ".conf") == 0) {
        s->file = arena_cstr(a, slice_of(dir));
        s->dir = arena_cstr(a, file_dir(a, dir));
    } else {
        s->dir = arena_cstr(a, slice_of(dir));
        s->file = file_join(a, dir, "site.conf");
    }
    if (!*s->dir)
        s->dir = ".";
}

static void take_given(struct site_loading *l)
{
    for (size_t i = 0; l->env && i < l->env->ngiven; i++)
        ARENA_PUSH(l->arena, l->site->given.list, l->site->given.n, l->site->given.cap) = l->env->given[i];
}

/* One format is asked for by many mappings; its fault is shown once. */
static void drop_repeats(struct site_loading *l)
{
    struct problems *ps = l->ps;
    for (struct problem *p = ps->first; p; p = p->next) {
        struct problem *before = p;
        while (strcmp(p->code, "FMT_SYNTAX") == 0 && before->next) {
            const struct problem *n = before->next;
            if (strcmp(n->code, p->code) == 0 && n->place.line == p->place.line && n->place.file && p->place.file &&
                strcmp(n->place.file, p->place.file) == 0) {
                before->next = n->next;
                ps->n--;
                ps->errors--;
                l->off_errors--;
            } else {
                before = before->next;
            }
        }
        if (!p->next)
            ps->last = p;
    }
}

static void load_conf(struct site_loading *l)
{
    const struct site_config *config = l->env ? l->env->config : NULL;
    if (config && config->conf.p)
        conf_parse(l->arena, l->site->file, config->conf, &l->conf, l->ps);
    else if (file_exists(l->site->file) || errno != ENOENT)
        conf_load(l->arena, l->site->file, &l->conf, l->ps);
    else
        problem_add(l->ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SYS_MISSING",
                                              .place = { .file = l->site->file, .offset = PLACE_NO_OFFSET },
                                              .text = SLICE("there is no such file, so this is no site"),
                                              .hint = SLICE("name the folder of a site, or make one: `waybill init DIR`") });
}

int site_load(struct arena *a, const struct site_env *env, const char *dir, struct site **out, struct problems *ps)
{
    struct site *site = arena_zero(a, sizeof *site);
    struct site_loading l;
    size_t errors = ps->errors;
    *out = site;
    site_defaults(site, a, dir);
    if (env)
        site->env = *env;
    loading_init(&l, a, env, site, ps);
    take_given(&l);
    load_conf(&l);
    if (!l.conf)
        return STOP;
    site->conf = l.conf;
    sha256_of(l.conf->text, site->hash);
    for (struct statement *s = l.conf->first; s; s = s->next)
        parse_statement(&l, s);
    site_check(&l);
    drop_repeats(&l);
    return ps->errors > errors + l.off_errors ? STOP : OK;
}

struct flow *site_flow(const struct site *s, struct slice name)
{
    for (size_t i = 0; i < s->nflows; i++)
        if (slice_equal(s->flows[i]->name, name))
            return s->flows[i];
    return NULL;
}

struct operation *flow_operation(const struct flow *f, struct slice name)
{
    for (size_t i = 0; i < f->noperations; i++)
        if (slice_equal(f->operations[i]->name, name))
            return f->operations[i];
    return NULL;
}

struct site_table *site_table(const struct site *s, struct slice name)
{
    for (size_t i = 0; i < s->ntables; i++)
        if (slice_equal(s->tables[i]->name, name))
            return s->tables[i];
    return NULL;
}

struct site_sequence *site_sequence(const struct site *s, struct slice name)
{
    for (size_t i = 0; i < s->nsequences; i++)
        if (slice_equal(s->sequences[i].name, name))
            return &s->sequences[i];
    return NULL;
}

static const struct setting *find_set(const struct settings *sets, struct slice name)
{
    for (size_t i = 0; i < sets->n; i++)
        if (slice_equal(sets->list[i].name, name))
            return &sets->list[i];
    return NULL;
}

enum { LEVELS = 4 };

/* The inner one counts. */
static const struct setting *set_at(const struct operation *op, size_t level, struct slice name)
{
    const struct site *s = op->flow->site;
    const struct settings *levels[LEVELS] = { &s->given, &op->sets, &op->flow->sets, &s->sets };
    return find_set(levels[level], name);
}

struct slice site_setting(const struct operation *op, struct slice name)
{
    const struct setting *set = NULL;
    for (size_t i = 0; i < LEVELS && !set; i++)
        set = set_at(op, i, name);
    return set ? set->value : slice_none();
}

bool site_setting_secret(const struct operation *op, struct slice name)
{
    const struct setting *set = NULL;
    for (size_t i = 0; i < LEVELS && !(set && set->secret); i++)
        set = set_at(op, i, name);
    return set && set->secret;
}

struct slice site_text(const struct site *s, const char *code)
{
    char key[160];
    int n = snprintf(key, sizeof key, "%.*s/%s", SLICE_ARG(s->language), code);
    if (n < 0 || (size_t)n >= sizeof key)
        return slice_none();
    const struct slice *text = map_get(&s->texts, (struct slice){ key, (size_t)n });
    return text ? *text : slice_none();
}
