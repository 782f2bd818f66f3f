/* Loading a format: its files, the order of the rounds, and where references are looked up. */
#include "format/format.h"

#include <dirent.h>

#include "base/file.h"
#include "format/loader.h"

/* ---- finding ---- */

static bool ends_with(struct slice s, const char *suffix)
{
    size_t n = strlen(suffix);
    return n && s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

static const char *existing(const struct finder *f, struct arena *a, const char *dir, const char *name)
{
    const char *path = dir ? file_join(a, dir, name) : name;
    struct slice content;
    bool kept = f && f->kept && f->kept(f->owner, path, &content);
    return kept || file_exists(path) ? path : NULL;
}

const char *finder_find(const struct finder *f, struct arena *a, struct slice name, const char *suffix,
                        const char *from)
{
    const char *file = arena_cstr(a, name), *path;
    if (name.n == 0 || memchr(name.p, '\0', name.n))
        return NULL;
    if (!ends_with(name, suffix))
        file = arena_printf(a, "%.*s%s", SLICE_ARG(name), suffix).p;
    struct slice dir = from ? file_dir(a, from) : slice_none();
    if (slice_is(dir, "."))
        dir.n = 0;                  /* names are shown as their user writes them */
    path = existing(f, a, dir.n ? arena_cstr(a, dir) : NULL, file);
    for (size_t i = 0; path == NULL && f && f->roots && f->roots[i]; i++)
        path = existing(f, a, f->roots[i], file);
    return path;
}

enum { NAMES_MAX = 1000 };

/* The names of the files in a folder, without their suffix. */
static void add_names(struct arena *a, const char *dir, const char *suffix, struct slice *names, size_t *n)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && *n < NAMES_MAX && (e = readdir(d)) != NULL;) {
        struct slice name = slice_of(e->d_name);
        if (e->d_name[0] != '.' && ends_with(name, suffix))
            names[(*n)++] = arena_copy(a, (struct slice){ name.p, name.n - strlen(suffix) });
    }
    if (d)
        closedir(d);
}

struct slice finder_suggest(const struct finder *f, struct arena *a, struct slice name, const char *suffix,
                            const char *from)
{
    struct slice *names = arena_alloc(a, NAMES_MAX * sizeof *names);
    struct slice dir = from ? file_dir(a, from) : slice_none();
    size_t n = 0;
    if (ends_with(name, suffix))
        name.n -= strlen(suffix);
    add_names(a, dir.n ? arena_cstr(a, dir) : ".", suffix, names, &n);
    for (size_t i = 0; f && f->roots && f->roots[i]; i++)
        add_names(a, f->roots[i], suffix, names, &n);
    return problem_suggest(a, name, names, n);
}

/* ---- reading the files ---- */

int finder_read(const struct finder *f, struct arena *a, const char *path, uint64_t max, struct slice *out,
                struct problems *ps)
{
    bool kept = f && f->kept && f->kept(f->owner, path, out);
    int rc = kept ? OK : file_read(a, path, max, out, ps);
    if (rc == OK && f && f->opened)
        f->opened(f->owner, path, *out);
    return rc;
}

int finder_conf(const struct finder *f, struct arena *a, const char *path, struct conf **out, struct problems *ps)
{
    struct slice text;
    *out = NULL;
    int rc = finder_read(f, a, path, CONF_FILE_MAX + 3, &text, ps);
    return rc == OK ? conf_parse(a, arena_cstr(a, slice_of(path)), text, out, ps) : rc;
}

static int open_file(struct loader *l, const char *path, struct conf **out)
{
    int rc = finder_conf(l->finder, l->arena, path, out, l->problems);
    l->failed = l->failed || rc != OK;
    if (*out == NULL)
        return rc;
    buf_add(&l->source, (*out)->text);
    return OK;
}

static int include_file(struct loader *l, struct statement *s)
{
    struct cursor c = { .loader = l, .statement = s, .i = 1 };
    struct conf *here = l->conf, *conf = NULL;
    struct slice name;
    const struct token *t = cursor_peek(&c);
    if (cursor_ref(&c, &name) != OK || cursor_done(&c) != OK)
        return STOP;
    const char *path = finder_find(l->finder, l->arena, name, ".format", here->file);
    if (path == NULL)
        return loader_bad(l, t, "FMT_MISSING", "it is looked up beside this file, then where formats are", "there is no format `%.*s`",
                          SLICE_ARG(name));
    for (size_t i = 0; i < l->nloaded; i++)
        if (slice_is(l->loaded[i], path))
            return loader_bad(l, t, "FMT_CYCLE", NULL, "`%.*s` includes itself", SLICE_ARG(name));
    if (++l->nfiles > FORMAT_INCLUDES)
        return loader_bad(l, t, "FMT_LIMIT", NULL, "more than %d files make this format", FORMAT_INCLUDES);
    if (open_file(l, path, &conf) != OK)
        return STOP;
    ARENA_PUSH(l->arena, l->loaded, l->nloaded, l->loaded_cap) = slice_of(path);
    int rc = loader_collect(l, conf);
    l->nloaded--;
    l->conf = here;
    return rc;
}

static void add_member(struct loader *l, struct statement *s)
{
    ARENA_PUSH(l->arena, l->members, l->nmembers, l->members_cap) =
        (struct declared){ .conf = l->conf, .statement = s };
}

static bool is_guide(const struct statement *s)
{
    return token_is(s->tokens, "guide") && s->n > 1 && token_is(&s->tokens[1], "of");
}

static void take_guide(struct loader *l, struct statement *s)
{
    if (l->guide || l->nloaded > 1) {
        loader_bad(l, s->tokens, "FMT_GUIDE", NULL, l->guide ? "one guide restricts one format" : "a guide cannot be included");
        return;
    }
    l->guide = arena_zero(l->arena, sizeof *l->guide);
    *l->guide = (struct declared){ .conf = l->conf, .statement = s };
}

int loader_collect(struct loader *l, struct conf *conf)
{
    size_t cap = l->format->nconfs;
    ARENA_PUSH(l->arena, l->format->confs, l->format->nconfs, cap) = conf;
    l->conf = conf;
    /* what is included comes first, so that this file's own headers stand above it */
    for (struct statement *s = conf->first; s; s = s->next)
        if (token_is(s->tokens, "include") && !s->has_block)
            include_file(l, s);
    for (struct statement *s = conf->first; s; s = s->next) {
        if (token_is(s->tokens, "include") && !s->has_block)
            continue;
        if (is_guide(s))
            take_guide(l, s);
        else if (!header_take(l, s))
            add_member(l, s);
    }
    return OK;
}

/* ---- the rounds ---- */

static void add_interchange(struct loader *l)
{
    static const char *const texts[] = { "Sender", "SenderQualifier", "Recipient", "RecipientQualifier", "Reference" };
    struct format *f = l->format;
    bool edi = slice_is(f->syntax, "edifact") || slice_is(f->syntax, "x12") || slice_is(f->syntax, "tradacoms");
    if (!edi || group_child(f->file_group, SLICE("Interchange")))
        return;
    struct group *g = group_add(l->arena, f->file_group, "Interchange", 0, 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        group_add_field(l->arena, g, texts[i], TYPE_TEXT);
    group_add_field(l->arena, g, "Date", TYPE_DATE);
    group_add_field(l->arena, g, "Time", TYPE_TIME);
    group_add_field(l->arena, g, "Test", TYPE_BOOLEAN);
}

static void check_syntax(struct loader *l, struct conf *conf)
{
    static const struct token start = { .line = 1, .column = 1 };
    l->conf = conf;
    if (l->format->syntax.n == 0 && l->nmembers && !l->failed)
        loader_bad(l, conf->first ? conf->first->tokens : &start, "FMT_SYNTAX", "begin with `syntax csv`, `syntax xml` …",
                   "this format names no syntax");
}

static void compile_rounds(struct loader *l, struct conf *conf)
{
    struct format *f = l->format;
    map_init(&l->types, l->arena);
    map_init(&l->shapes, l->arena);
    map_init(&l->codes, l->arena);
    ARENA_PUSH(l->arena, l->loaded, l->nloaded, l->loaded_cap) = slice_of(conf->file ? conf->file : "-");
    buf_add(&l->source, conf->text);
    loader_collect(l, conf);
    if (l->guide) {
        guide_apply(l);
        return;
    }
    check_syntax(l, conf);
    members_compile(l);
    keys_resolve(l);
    add_interchange(l);
    format_finish(l->arena, f);
}

static int compile_at(struct arena *a, const struct finder *finder, struct slice name, struct conf *c, unsigned guides,
                      struct format **out, struct problems *ps)
{
    struct loader l = { .arena = a, .finder = finder, .problems = ps, .guides = guides };
    const char *cname = arena_cstr(a, name);
    format_new(a, cname, "", &l.format);
    l.format->file = c->file;
    l.format->conf = c;
    l.format->file_group->file = c->file;
    compile_rounds(&l, c);
    l.format->text_hash_source = arena_copy(a, buf_slice(&l.source));
    buf_release(&l.source);
    *out = l.format;
    return l.failed ? STOP : OK;
}

static int load_at(struct arena *a, const struct finder *finder, struct slice name, const char *from, unsigned guides,
                   struct format **out, struct problems *ps)
{
    struct conf *c = NULL;
    *out = NULL;
    const char *path = finder_find(finder, a, name, ".format", from);
    if (path == NULL) {
        problem_addf(ps, PROBLEM_ERROR, "FMT_MISSING", (struct place){ .file = from, .offset = PLACE_NO_OFFSET },
                     "there is no format `%.*s`", SLICE_ARG(name));
        return STOP;
    }
    int parsed = finder_conf(finder, a, path, &c, ps);
    if (c == NULL)
        return parsed;
    int rc = compile_at(a, finder, name, c, guides, out, ps);
    return parsed != OK ? parsed : rc;
}

int loader_standard(struct loader *l, struct slice ref, struct format **out)
{
    return load_at(l->arena, l->finder, ref, l->conf->file, l->guides + 1, out, l->problems);
}

int format_compile(struct arena *a, const struct finder *finder, struct slice name, struct conf *c, struct format **out,
                   struct problems *ps)
{
    return compile_at(a, finder, name, c, 0, out, ps);
}

int format_load(struct arena *a, const struct finder *finder, struct slice name, const char *from, struct format **out,
                struct problems *ps)
{
    return load_at(a, finder, name, from, 0, out, ps);
}
