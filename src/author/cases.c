#include "author/cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "author/mutate.h"
#include "base/file.h"
#include "conf/conf.h"
#include "flow/bind.h"
#include "flow/convert.h"

/* The lines of a map that ran, by number. */
struct covered {
    struct arena *arena;
    uint64_t *times;
    size_t n, cap;
};

enum { COMPANIONS = 8 };

/* Files of `group … file NAME join COLUMN`: in-NAME.EXT is read, want-NAME.EXT must come out. */
struct beside {
    struct companion_file read[COMPANIONS], written[COMPANIONS];
    struct source source[COMPANIONS];
    struct sink sink[COMPANIONS];
    size_t nread, nwritten;
};

struct trial {
    struct cases *c;
    struct arena *arena;            /* of this case */
    const struct mapping *mapping;
    const char *dir;
    struct binding *binding;
    struct covered *covered;        /* NULL: nobody counts */
    struct beside beside;
    struct buf output, back, said, skips; /* skips: messages that were left out, which is normal, are told last */
    struct buf *why;                /* what is different; NULL: nobody asks */
};

static const char *case_file(struct trial *t, const char *stem)
{
    DIR *d = opendir(t->dir);
    const char *found = NULL;
    size_t n = strlen(stem);
    for (struct dirent *e; d && (e = readdir(d)) && !found;)
        if (strncmp(e->d_name, stem, n) == 0 && e->d_name[n] == '.' && strcmp(e->d_name, "want.problems") != 0)
            found = file_join(t->arena, t->dir, e->d_name);
    if (d)
        closedir(d);
    return found;
}

static bool read_text(struct trial *t, const char *path, struct slice *out, struct problems *ps)
{
    return path && file_read(t->arena, path, 0, out, ps) <= WARN;
}

static void judged(void *owner, uint64_t number, const struct node *message, const struct outcome *o)
{
    struct trial *t = owner;
    binding_message(t->binding, message, o);
    for (const struct finding *f = o->first; f; f = f->next) {
        if (f->kind != OUTCOME_SKIP)            /* all others become problems */
            continue;
        buf_printf(&t->skips, "%llu skip %.*s ", (unsigned long long)number, SLICE_ARG(f->code));
        buf_add_shown(&t->skips, f->text, 0);
        buf_byte(&t->skips, '\n');
    }
}

static void cover_line(void *owner, uint32_t line, uint64_t times)
{
    struct covered *c = owner;
    while (c->n <= line)
        ARENA_PUSH(c->arena, c->times, c->n, c->cap) = 0;
    c->times[line] += times + 1;    /* 1: a statement stands there; more: it ran */
}

static void ending(void *owner, const struct run *r)
{
    struct trial *t = owner;
    if (t->covered)
        run_coverage(r, cover_line, t->covered);
}

static void say_problems(struct trial *t, const struct problems *ps)
{
    static const char *const words[] = { [PROBLEM_NOTE] = "note", [PROBLEM_WARNING] = "warning",
                                         [PROBLEM_ERROR] = "error" };
    for (const struct problem *p = ps->first; p; p = p->next) {
        buf_printf(&t->said, "%llu %s %s ", (unsigned long long)p->message, words[p->severity], p->code);
        if (p->path.n) {
            buf_add_shown(&t->said, p->path, 0);
            buf_text(&t->said, ": ");
        }
        buf_add_shown(&t->said, p->text, 0);
        buf_byte(&t->said, '\n');
    }
    buf_add(&t->said, buf_slice(&t->skips));
}

static int load_judge(struct trial *t, const struct mapping **out, struct problems *ps)
{
    struct slice name = binding_report(t->binding);
    if (!name.n)
        return OK;
    struct mapping *m;
    int rc = mapping_load(t->arena, t->c->env, name, t->mapping->file, &m, ps);
    *out = m;
    return rc;
}

static void open_read(struct trial *t, const struct format *f, struct problems *ps)
{
    struct beside *b = &t->beside;
    for (size_t i = 0; i < f->ngroups && b->nread < COMPANIONS; i++) {
        struct slice name = f->all_groups[i]->companion, text;
        const char *path = name.n ? case_file(t, arena_printf(t->arena, "in-%.*s", SLICE_ARG(name)).p) : NULL;
        if (!read_text(t, path, &text, ps))
            continue;
        source_open_text(&b->source[b->nread], text, file_base(path), t->c->limits);
        b->read[b->nread] = (struct companion_file){ .name = name, .source = &b->source[b->nread] };
        b->nread++;
    }
}

static void open_written(struct trial *t, const struct format *f)
{
    struct beside *b = &t->beside;
    for (size_t i = 0; i < f->ngroups && b->nwritten < COMPANIONS; i++) {
        struct slice name = f->all_groups[i]->companion;
        if (!name.n)
            continue;
        sink_open_memory(&b->sink[b->nwritten], "companion");
        b->written[b->nwritten] = (struct companion_file){ .name = name, .sink = &b->sink[b->nwritten] };
        b->nwritten++;
    }
}

static void close_beside(struct beside *b)
{
    for (size_t i = 0; i < b->nread; i++)
        source_close(&b->source[i]);
    for (size_t i = 0; i < b->nwritten; i++)
        sink_release(&b->sink[i]);
}

/* Runs the mapping over the case; the problems are those of the data. */
static int convert_case(struct trial *t, struct problems *ps)
{
    const char *in = case_file(t, "in"), *old = case_file(t, "original");
    struct slice input, original;
    if (!read_text(t, in, &input, ps) || (old && !read_text(t, old, &original, ps))) {
        problem_addf(ps, PROBLEM_ERROR, "TEST_CASE", (struct place){ .file = t->dir, .offset = PLACE_NO_OFFSET },
                     "a case needs a file in.EXT (and one that can be read)");
        return STOP;
    }
    const char *conf = file_join(t->arena, t->dir, "case.conf");
    t->binding = binding_new(t->arena, t->c->env, t->c->limits, t->mapping->file);
    binding_file(t->binding, slice_of(file_base(in)));
    int rc = file_exists(conf) ? binding_load(t->binding, conf, ps) : OK;
    struct conversion c = { .mapping = t->mapping, .limits = t->c->limits, .judged = judged, .ending = ending,
                            .owner = t };
    if (rc <= WARN)
        rc = load_judge(t, &c.judge, ps);
    if (rc > WARN)
        return rc;
    struct outside outside;
    binding_outside(t->binding, &outside);
    c.outside = &outside;
    c.operation = binding_operation(t->binding);
    c.said = binding_said(t->binding);
    c.back_text = case_file(t, "back") ? &t->back : NULL;
    c.direction = binding_direction(t->binding, t->mapping, old);
    open_read(t, conversion_from(&c), ps);
    open_written(t, conversion_to(&c));
    c.companions = t->beside.read, c.ncompanions = t->beside.nread;
    c.companions_out = t->beside.written, c.ncompanions_out = t->beside.nwritten;
    return convert_text(&c, file_base(in), input, old ? &original : NULL, &t->output, ps);
}

static struct slice line_at(struct slice text, size_t at)
{
    size_t from = at, to = at;
    while (from > 0 && text.p[from - 1] != '\n')
        from--;
    while (to < text.n && text.p[to] != '\n')
        to++;
    return (struct slice){ text.p + from, to - from };
}

static bool same(struct trial *t, const char *what, struct slice want, struct slice got)
{
    if (slice_equal(want, got))
        return true;
    if (!t->why)
        return false;
    size_t at = 0, line = 1;
    for (; at < want.n && at < got.n && want.p[at] == got.p[at]; at++)
        line += want.p[at] == '\n';
    buf_printf(t->why, "    %s differs in line %zu\n    want: ", what, line);
    buf_add_shown(t->why, at <= want.n ? line_at(want, at) : slice_none(), 160);
    buf_text(t->why, "\n    got:  ");
    buf_add_shown(t->why, at <= got.n ? line_at(got, at) : slice_none(), 160);
    buf_byte(t->why, '\n');
    return false;
}

static void write_want(struct trial *t, const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        file_write_all(fd, text);
        close(fd);
    }
    if (t->why)
        buf_printf(t->why, "    written: %s\n", file_base(path));
}

/* back.EXT: the document read, with what rows against the arrow gave back. */
static bool same_back(struct trial *t)
{
    const char *path = case_file(t, "back");
    struct slice want;
    struct problems ps;
    problems_init(&ps, t->arena, 8);
    if (!path || !read_text(t, path, &want, &ps) || same(t, file_base(path), want, buf_slice(&t->back)))
        return true;
    if (t->c->update && t->why)
        write_want(t, path, buf_slice(&t->back));
    return false;
}

/* want-NAME.EXT: what is written to a companion file. */
static bool same_beside(struct trial *t)
{
    bool ok = true;
    struct problems ps;
    problems_init(&ps, t->arena, 8);
    for (size_t i = 0; i < t->beside.nwritten; i++) {
        struct slice want, got = buf_slice(&t->beside.sink[i].buf), name = t->beside.written[i].name;
        const char *path = case_file(t, arena_printf(t->arena, "want-%.*s", SLICE_ARG(name)).p);
        if (!read_text(t, path, &want, &ps) || same(t, file_base(path), want, got))
            continue;
        ok = false;
        if (t->c->update && t->why)
            write_want(t, path, got);
    }
    return ok;
}

static bool compare_case(struct trial *t, bool usable)
{
    const char *want_path = case_file(t, "want"), *said_path = file_join(t->arena, t->dir, "want.problems");
    struct slice got = usable ? buf_slice(&t->output) : SLICE("");
    bool ok = true;
    struct slice want = SLICE(""), said = SLICE("");
    struct problems ps;
    problems_init(&ps, t->arena, 8);
    if (file_exists(said_path))
        read_text(t, said_path, &said, &ps);
    else
        ok = want_path != NULL;
    if (want_path && read_text(t, want_path, &want, &ps))
        ok &= same(t, file_base(want_path), want, got);
    ok &= same(t, "want.problems", said, buf_slice(&t->said));
    ok &= same_back(t);
    ok &= same_beside(t);
    if (!ok && t->c->update && t->why) {
        if (want_path)
            write_want(t, want_path, got);
        if (t->said.n || file_exists(said_path))
            write_want(t, said_path, buf_slice(&t->said));
    }
    return ok;
}

static bool run_case(struct cases *c, const struct mapping *m, const char *dir, struct covered *covered,
                     struct buf *why)
{
    struct arena a;
    arena_init(&a, 0);
    struct trial t = { .c = c, .arena = &a, .mapping = m, .dir = dir, .covered = covered, .why = why };
    struct problems ps;
    problems_init(&ps, &a, 0);
    int rc = convert_case(&t, &ps);
    say_problems(&t, &ps);
    bool ok = compare_case(&t, rc <= SKIP);
    close_beside(&t.beside);
    buf_release(&t.output);
    buf_release(&t.back);
    buf_release(&t.said);
    buf_release(&t.skips);
    arena_release(&a);
    return ok;
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The folders of the cases, in order of their names. */
static size_t list_cases(struct arena *a, const char *dir, const char ***out)
{
    struct dirent **list;
    int n = scandir(dir, &list, not_hidden, by_name);
    size_t count = 0;
    *out = arena_alloc(a, ((size_t)(n > 0 ? n : 0) + 1) * sizeof **out);
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *path = file_join(a, dir, list[i]->d_name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            (*out)[count++] = path;
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return count;
}

static void count_coverage(struct cases *c, const char *map_path, const struct covered *covered)
{
    uint64_t rows = 0, run = 0;
    for (size_t line = 1; line < covered->n; line++) {
        rows += covered->times[line] > 0;
        run += covered->times[line] > 1;
    }
    c->rows += rows;
    c->rows_run += run;
    buf_printf(&c->log, "# %s: %llu of %llu statements ran\n", file_base(map_path), (unsigned long long)run,
               (unsigned long long)rows);
}

struct killing {
    struct cases *c;
    const char **dirs;
    size_t n;
};

/* Whether a case notices that this is not the mapping it was written for. */
static bool kills(void *owner, const struct mapping *m)
{
    const struct killing *k = owner;
    for (size_t i = 0; i < k->n; i++)
        if (!run_case(k->c, m, k->dirs[i], NULL, NULL))
            return true;
    return false;
}

/* A statement of an included file: one verdict over all mappings that include it. */
struct shared_mutant {
    struct mutant one;
    bool killed;
};

static void share(void *owner, const struct mutant *one, bool killed)
{
    const struct killing *k = owner;
    struct arena *a = k->c->arena;
    struct map_entry *e = map_at(&k->c->shared, arena_printf(a, "%s:%u", one->file, one->first_line));
    if (!e->value) {
        struct shared_mutant *m = arena_zero(a, sizeof *m);
        m->one = *one;
        m->one.text = arena_copy(a, one->text);
        e->value = m;
    }
    ((struct shared_mutant *)e->value)->killed |= killed;
}

int cases_end(struct cases *c)
{
    int rc = OK;
    for (size_t i = 0; i < c->shared.n; i++) {
        const struct shared_mutant *m = c->shared.entries[i].value;
        c->mutants_made++;
        c->mutants_killed += m->killed;
        if (!m->killed) {
            mutate_tell(&c->log, &m->one);
            rc = SKIP;
        }
    }
    return rc;
}

static int run_mutants(struct cases *c, const struct mapping *m, const char **dirs, size_t n, struct problems *ps)
{
    struct killing k = { c, dirs, n };
    struct mutation x = { .arena = c->arena, .env = c->env, .mapping = m, .kills = kills, .shared = share, .owner = &k,
                          .log = &c->log };
    int rc = mutate_run(&x, ps);
    c->mutants_made += x.made;
    c->mutants_killed += x.killed;
    buf_printf(&c->log, "# %s: %llu of %llu mutants killed\n", file_base(m->file), (unsigned long long)x.killed,
               (unsigned long long)x.made);
    return rc == OK && x.killed < x.made ? SKIP : rc;
}

static struct slice without_suffix(const char *path)
{
    struct slice s = slice_of(path);
    return s.n > 4 && strcmp(path + s.n - 4, ".map") == 0 ? (struct slice){ s.p, s.n - 4 } : s;
}

void cases_init(struct cases *c, struct arena *a, const struct mapping_env *env, const struct limits *limits)
{
    *c = (struct cases){ .arena = a, .env = env, .limits = limits };
    map_init(&c->shared, a);
}

/* Has no `mapping` line: other mappings include it. */
static bool is_fragment(struct cases *c, const char *path)
{
    struct problems quiet;
    struct conf *conf;
    problems_init(&quiet, c->arena, 1);
    if (conf_load(c->arena, path, &conf, &quiet) > WARN)
        return false;
    const struct statement *s = conf->first;
    while (s && !token_is(&s->tokens[0], "mapping"))
        s = s->next;
    return !s;
}

int cases_run(struct cases *c, const char *map_path, bool named, struct problems *ps)
{
    struct slice stem = without_suffix(map_path);
    const char *dir = arena_printf(c->arena, "%.*s.test", SLICE_ARG(stem)).p;
    if (!file_exists(dir)) {
        if (is_fragment(c, map_path))
            return OK;
        buf_printf(&c->log, "# %s has no cases: put them into %s/\n", file_base(map_path), dir);
        c->failed += named;
        return named ? SKIP : OK;
    }
    struct mapping *m;
    if (mapping_load(c->arena, c->env, slice_of(map_path), NULL, &m, ps) > WARN)
        return STOP;
    struct covered covered = { .arena = c->arena };
    const char **dirs;
    size_t n = list_cases(c->arena, dir, &dirs);
    uint64_t failed = c->failed;
    for (size_t i = 0; i < n; i++) {
        struct buf why = { 0 };
        bool ok = run_case(c, m, dirs[i], &covered, &why);
        c->passed += ok;
        c->failed += !ok;
        buf_printf(&c->log, "%s %.*s/%s\n", ok ? "ok" : "not ok",
                   SLICE_ARG(slice_of(file_base(arena_cstr(c->arena, stem)))), file_base(dirs[i]));
        buf_add(&c->log, buf_slice(&why));
        buf_release(&why);
    }
    count_coverage(c, map_path, &covered);
    if (c->mutants && c->failed == failed)
        return run_mutants(c, m, dirs, n, ps);
    return c->failed == failed ? OK : SKIP;
}
