#include "waybill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/date.h"
#include "base/file.h"
#include "flow/bind.h"
#include "flow/convert.h"

#define SEARCH_MAX 16

/* A param or table as given; bound anew for each conversion. */
struct given {
    struct slice name, value, format;
    bool table;
    struct given *next;
};

struct libwaybill {
    struct arena arena;             /* params, search folders */
    struct arena program;           /* the mapping; until the next load */
    struct arena run;               /* problems; until the next conversion */
    const char *roots[SEARCH_MAX + 2];
    size_t nroots;
    struct finder finder;
    struct mapping_env env;
    struct limits limits;
    struct mapping *mapping;
    struct binding *binding;
    struct given *given;
    struct libwaybill_problem *list;
    size_t n;
    struct buf out;
};

const char *libwaybill_version(void)
{
    return WAYBILL_VERSION;
}

static int load_format(void *owner, struct arena *a, struct slice name, const char *from, struct format **out,
                       struct problems *ps)
{
    struct libwaybill *w = owner;
    return syntax_format(a, &w->finder, name, from, out, ps);
}

struct libwaybill *libwaybill_new(void)
{
    struct libwaybill *w = arena_malloc(sizeof *w);
    *w = (struct libwaybill){ .limits = limits_default };
    arena_init(&w->arena, 0);
    arena_init(&w->program, 0);
    arena_init(&w->run, 0);
    w->roots[0] = WAYBILL_DATA "/mappings";
    w->nroots = 1;
    w->finder = (struct finder){ .roots = w->roots };
    w->env = (struct mapping_env){ .finder = &w->finder, .load_format = load_format, .owner = w };
    return w;
}

void libwaybill_free(struct libwaybill *w)
{
    if (!w)
        return;
    buf_release(&w->out);
    arena_release(&w->run);
    arena_release(&w->program);
    arena_release(&w->arena);
    arena_free(w);
}

/* The problems as the caller reads them. */
static void keep_problems(struct libwaybill *w, const struct problems *ps)
{
    w->n = ps->n;
    w->list = arena_zero(&w->run, (ps->n + 1) * sizeof *w->list);
    size_t i = 0;
    for (const struct problem *p = ps->first; p; p = p->next) {
        struct buf shown = { 0 };
        problem_show(&shown, p);
        while (shown.n && shown.p[shown.n - 1] == '\n')
            shown.n--;
        w->list[i++] = (struct libwaybill_problem){
            .severity = (enum libwaybill_severity)p->severity, .code = p->code, .file = p->place.file ? p->place.file : "",
            .line = p->place.line, .column = p->place.column, .message = p->message,
            .path = arena_cstr(&w->run, p->path),
            .value = arena_cstr(&w->run, p->value), .text = arena_cstr(&w->run, p->text),
            .hint = arena_cstr(&w->run, p->hint),
            .shown = arena_cstr(&w->run, buf_slice(&shown)),
        };
        buf_release(&shown);
    }
}

static void begin(struct libwaybill *w, struct problems *ps)
{
    arena_reset(&w->run);
    w->n = 0;
    w->list = NULL;
    problems_init(ps, &w->run, 1000);
}

int libwaybill_search(struct libwaybill *w, const char *folder)
{
    if (w->nroots > SEARCH_MAX)
        return LIBWAYBILL_USAGE;
    w->roots[w->nroots++] = arena_cstr(&w->arena, slice_of(folder));
    w->roots[w->nroots] = NULL;
    return LIBWAYBILL_OK;
}

static void bind(struct libwaybill *w)
{
    w->binding = binding_new(&w->run, &w->env, &w->limits, w->mapping->file);
    for (const struct given *g = w->given; g; g = g->next) {
        if (g->table)
            binding_table_file(w->binding, g->name, g->value.p, g->format);
        else
            binding_set(w->binding, g->name, g->value);
    }
}

int libwaybill_load(struct libwaybill *w, const char *mapping_path)
{
    struct problems ps;
    begin(w, &ps);
    arena_reset(&w->program);
    w->mapping = NULL;
    w->given = NULL;
    int rc = mapping_load(&w->program, &w->env, slice_of(mapping_path), NULL, &w->mapping, &ps);
    keep_problems(w, &ps);
    if (rc > WARN) {
        w->mapping = NULL;
        return LIBWAYBILL_INVALID;
    }
    return LIBWAYBILL_OK;
}

static void add_given(struct libwaybill *w, const char *name, const char *value, const char *format, bool table)
{
    struct given *g = arena_zero(&w->arena, sizeof *g);
    *g = (struct given){ .table = table, .next = w->given };
    g->name = arena_copy(&w->arena, slice_of(name));
    g->value = arena_copy(&w->arena, slice_of(value));
    g->format = arena_copy(&w->arena, slice_of(format));
    w->given = g;
}

int libwaybill_set(struct libwaybill *w, const char *name, const char *value)
{
    for (size_t i = 0; w->mapping && i < w->mapping->nparams; i++)
        if (slice_is(w->mapping->params[i].name, name)) {
            add_given(w, name, value, NULL, false);
            return LIBWAYBILL_OK;
        }
    return LIBWAYBILL_USAGE;
}

int libwaybill_table(struct libwaybill *w, const char *name, const char *path, const char *format)
{
    for (size_t i = 0; w->mapping && i < w->mapping->ntables; i++)
        if (slice_is(w->mapping->tables[i].name, name) && !w->mapping->tables[i].local) {
            add_given(w, name, path, format, true);
            return LIBWAYBILL_OK;
        }
    return LIBWAYBILL_USAGE;
}

static int result_of(int rc)
{
    static const int results[] = { [OK] = LIBWAYBILL_OK, [END] = LIBWAYBILL_OK, [WARN] = LIBWAYBILL_OK,
                                   [SKIP] = LIBWAYBILL_REJECTED,
                                   [STOP] = LIBWAYBILL_INPUT, [TEMP] = LIBWAYBILL_SYSTEM };
    return results[rc];
}

static void judged(void *owner, uint64_t number, const struct node *message, const struct outcome *o)
{
    (void)number;
    struct libwaybill *w = owner;
    binding_message(w->binding, message, o);
}

/* What every conversion has in common. */
static void prepare(struct libwaybill *w, struct conversion *c, struct outside *outside, enum libwaybill_direction d,
                    const char *name)
{
    bind(w);
    binding_file(w->binding, slice_of(file_base(name)));
    binding_outside(w->binding, outside);
    *c = (struct conversion){ .mapping = w->mapping, .outside = outside, .limits = &w->limits, .judged = judged,
                              .owner = w,
                              .direction = d == LIBWAYBILL_FORWARD ? MAPPING_FORWARD : MAPPING_BACKWARD };
}

static int convert_memory(struct libwaybill *w, enum libwaybill_direction d, struct slice in,
                          const struct slice *original, const void **out, size_t *out_size)
{
    struct problems ps;
    begin(w, &ps);
    if (!w->mapping)
        return LIBWAYBILL_USAGE;
    struct conversion c;
    struct outside outside;
    prepare(w, &c, &outside, d, "memory");
    w->out.n = 0;
    int rc = convert_text(&c, "memory", in, original, &w->out, &ps);
    keep_problems(w, &ps);
    *out = buf_slice(&w->out).p;
    *out_size = w->out.n;
    return result_of(rc);
}

int libwaybill_convert(struct libwaybill *w, enum libwaybill_direction d, const void *in, size_t in_size,
                       const void **out, size_t *out_size)
{
    return convert_memory(w, d, (struct slice){ in, in_size }, NULL, out, out_size);
}

int libwaybill_update(struct libwaybill *w, const void *answer, size_t answer_size, const void *original,
                      size_t original_size, const void **out, size_t *out_size)
{
    struct slice old = { original, original_size };
    return convert_memory(w, LIBWAYBILL_BACKWARD, (struct slice){ answer, answer_size }, &old, out, out_size);
}

static int convert_files(struct libwaybill *w, enum libwaybill_direction d, const char *in_path, int in,
                         const char *out_path, int out, struct problems *ps)
{
    struct conversion c;
    struct outside outside;
    struct source source;
    struct sink sink;
    prepare(w, &c, &outside, d, in_path);
    source_open_fd(&source, in, in_path, &w->limits);
    sink_open_fd(&sink, out, out_path);
    c.input = &source;
    c.output = &sink;
    int rc = convert_run(&c, ps), closed = sink_close(&sink, ps);
    sink_release(&sink);
    source_close(&source);
    return closed > rc ? closed : rc;
}

/* The output gets its name when it is complete and usable. */
static int convert_to(struct libwaybill *w, enum libwaybill_direction d, const char *in_path, const char *out_path,
                      struct problems *ps)
{
    int in = open(in_path, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return problem_system(ps, in_path, "cannot be opened", errno);
    const char *temp = arena_printf(&w->run, "%s.tmp%d", out_path, (int)getpid()).p;
    int out = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), rc = TEMP;
    if (out < 0)
        problem_system(ps, out_path, "cannot be written", errno);
    else {
        rc = convert_files(w, d, in_path, in, out_path, out, ps);
        if (close(out) != 0 && rc <= SKIP)
            rc = problem_system(ps, out_path, "cannot be written", errno);
        if (rc <= SKIP && rename(temp, out_path) != 0)
            rc = problem_system(ps, out_path, "cannot get its name", errno);
        if (rc > SKIP)
            unlink(temp);
    }
    close(in);
    return rc;
}

int libwaybill_convert_file(struct libwaybill *w, enum libwaybill_direction d, const char *in_path,
                            const char *out_path)
{
    struct problems ps;
    begin(w, &ps);
    if (!w->mapping)
        return LIBWAYBILL_USAGE;
    int rc = convert_to(w, d, in_path, out_path, &ps);
    keep_problems(w, &ps);
    return result_of(rc);
}

size_t libwaybill_problem_count(const struct libwaybill *w)
{
    return w->n;
}

const struct libwaybill_problem *libwaybill_problem(const struct libwaybill *w, size_t i)
{
    return i < w->n ? &w->list[i] : NULL;
}
