#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/config.h"
#include "flow/job.h"
#include "flow/super.h"

/* --- the input ---------------------------------------------------------------------------------------------------- */

/* The table as it is now becomes the batch's input: nothing has been done with an older one. */
static int copy_table(struct supervisor *s, struct trip *t)
{
    const struct site_table *table = t->op->take.table;
    int fd = open(table->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return problem_system(s->ps, table->path, "the table cannot be read", errno);
    int rc = batch_refill(t->b, fd, s->ps);
    close(fd);
    return rc;
}

static int open_stage(struct supervisor *s, struct trip *t, int *fd_out)
{
    const char *name = arena_cstr(&t->arena, t->b->w->stage);
    *fd_out = openat(t->b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return *fd_out < 0 ? problem_system(s->ps, name, "the staged document cannot be opened", errno) : OK;
}

int job_input(struct supervisor *s, struct trip *t, int *fd_out)
{
    int rc = OK;
    if (t->op->take.kind == TAKE_BATCH)
        return open_stage(s, t, fd_out);
    if (t->op->take.kind == TAKE_TABLE)
        rc = copy_table(s, t);
    return rc <= WARN ? batch_input(t->b, fd_out, s->ps) : rc;
}

/* --- what it is converted by -------------------------------------------------------------------------------------- */

/* `a` NULL: the path as the finder gave it, which costs nothing. */
static bool used_by(const struct site *s, struct arena *a, const struct operation *op, const char *path)
{
    for (size_t g = 0; g < op->ngives; g++) {
        const struct give *give = op->gives[g];
        const char *const files[] = { give->mapping ? give->mapping->file : NULL, give->from ? give->from->file : NULL,
                                      give->to ? give->to->file : NULL };
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            if (files[i] && strcmp(a ? config_path(s, a, files[i]) : files[i], path) == 0)
                return true;
    }
    return false;
}

static bool changes_batches(const struct operation *op)
{
    return op->take.kind == TAKE_INBOX && op->stage && op->stage->on && !op->stage->new_batch;
}

/* A file that changes batches is read as they were made: by the mappings of the newest of them. */
static const char *config_of(const struct supervisor *s, const struct trip *t)
{
    const struct open *newest = changes_batches(t->op) ? s->opens[t->op->flow->index].last : NULL;
    const char *hash = newest ? newest->config : waybill_pinned(t->b->w, "config");
    return *hash && s->config[0] && strcmp(hash, s->config) != 0 ? hash : NULL;
}

static void pin_file(struct supervisor *s, struct trip *t, struct arena *a, const char *path, const char *hash)
{
    const char *dot = strrchr(path, '.');
    if (used_by(s->site, a, t->op, path))
        waybill_pin(t->b->w, dot && strcmp(dot, ".map") == 0 ? "mapping" : "format", slice_of(file_base(path)), hash);
}

/* The files of the state of the site that the job has; a manifest that cannot be read is told by the worker. */
static void pin_config(struct supervisor *s, struct trip *t)
{
    const struct site *site = s->site;
    const char *hash = config_of(s, t);
    struct config_file *kept;
    struct problems unread;
    size_t n = 0;
    if (changes_batches(t->op) && *s->config)
        waybill_pin(t->b->w, "config", SLICE("manifest"), hash ? hash : s->config);
    waybill_pin(t->b->w, "site", SLICE("site.conf"), site->hash);
    problems_init(&unread, &t->arena, 1);
    if (hash)
        config_files(&s->store, &t->arena, hash, &kept, &n, &unread);
    for (size_t i = 0; i < n; i++)
        pin_file(s, t, &t->arena, kept[i].path, kept[i].hash);
    for (size_t i = 0; i < site->nfiles && !hash; i++)
        pin_file(s, t, NULL, site->files[i].path, site->files[i].hash);
}

static struct slice given_for_run(const struct waybill *w, struct slice name)
{
    for (const struct waybill_param *p = w->run_sets; p; p = p->next)
        if (slice_equal(p->name, name))
            return p->value;
    return slice_none();
}

static void note_params(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    for (size_t g = 0; g < t->op->ngives; g++) {
        const struct mapping *m = t->op->gives[g]->mapping;
        for (size_t i = 0; m && i < m->nparams; i++) {
            struct slice value = given_for_run(w, m->params[i].name);
            if (!value.p)
                value = site_setting(t->op, m->params[i].name);
            if (slice_is(value, "last-run"))
                value = last_run(s, t->op, &t->arena);
            if (value.p)
                waybill_param(&w->params, w->arena, m->params[i].name,
                              m->params[i].field->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : value);
        }
    }
}

/* A file that is tried again keeps what it began with; an operation of a batch that stays begins anew. */
void job_pins(struct supervisor *s, struct trip *t)
{
    bool first = t->b->w->run == 0;
    if (!first || !*waybill_pinned(t->b->w, "site"))
        pin_config(s, t);
    if (!first)
        t->b->w->params = NULL;                     /* those of another operation */
    if (!t->b->w->params)
        note_params(s, t);
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

static void add_leases(struct job *j, struct arena *a, const struct waybill *w)
{
    size_t n = 0;
    for (const struct waybill_lease *l = w->leases; l; l = l->next)
        n += l->run == w->run;
    j->leases = arena_zero(a, (n + 1) * sizeof *j->leases);
    for (const struct waybill_lease *l = w->leases; l; l = l->next)
        if (l->run == w->run)
            j->leases[j->nleases++] = (struct lease_range){ l->sequence, (uint64_t)l->first, (uint64_t)l->end - 1 };
}

static size_t count(const struct waybill_param *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

static void add_run(struct job *j, struct arena *a, const struct waybill *w)
{
    size_t n = 0;
    j->sets.list = arena_zero(a, (count(w->run_sets) + 1) * sizeof *j->sets.list);
    for (const struct waybill_param *p = w->run_sets; p; p = p->next)
        j->sets.list[j->sets.n++] = (struct setting){ .name = p->name, .value = p->value };
    j->sets.cap = j->sets.n;
    j->selection = arena_zero(a, (count(w->run_keys) + 1) * sizeof *j->selection);
    for (const struct waybill_param *p = w->run_keys; p; p = p->next)
        j->selection[j->nselection++] = p->name;
    for (const struct waybill_amend *m = w->run_amends; m; m = m->next)
        n++;
    j->amends = arena_zero(a, (n + 1) * sizeof *j->amends);
    for (const struct waybill_amend *m = w->run_amends; m; m = m->next)
        j->amends[j->namends++] = (struct amend){ m->message, m->path, m->value };
}

static const char *path_in_work(const struct supervisor *s, struct arena *a, const char *id, const char *name)
{
    char below[SPOOL_PATH];
    spool_path(&s->spool, "work", id, below);
    return arena_cstr(a, arena_printf(a, "%s/.waybill/%s/%s", s->spool.path, below, name));
}

static void add_open(struct supervisor *s, struct job *j, struct arena *a)
{
    const struct opens *list = &s->opens[j->operation->flow->index];
    j->open = arena_zero(a, (list->n + 1) * sizeof *j->open);
    for (const struct open *o = list->first; o; o = o->next)
        j->open[j->nopen++] = (struct open_batch){ .batch = slice_of(o->id),
                                                   .path = path_in_work(s, a, o->id, o->stage) };
}

static void add_logs(struct supervisor *s, struct job *j, struct arena *a, const struct batch *b)
{
    size_t n = 0;
    for (const struct waybill_file *f = b->w->files; f; f = f->next)
        n += slice_is(f->kind, "lines");
    j->logs = arena_zero(a, (n + 1) * sizeof *j->logs);
    for (const struct waybill_file *f = b->w->files; f; f = f->next) {
        if (!slice_is(f->kind, "lines"))
            continue;
        struct job_log *log = &j->logs[j->nlogs++];
        log->path = path_in_work(s, a, b->id, arena_cstr(a, f->file));
        log->size = f->size;
        memcpy(log->sha256, f->sha256, sizeof log->sha256);
    }
}

static bool same_names(const struct operation *op, uint32_t give, const struct give *g)
{
    return give == g->index || (op->serial && give < op->ngives && slice_equal(op->gives[give]->name, g->name)
                                && slice_equal(op->gives[give]->folder, g->folder));
}

/* {n} goes on from what earlier runs of the operation gave; calls under one name are numbered as they are made. */
static void add_before(struct job *j, struct arena *a, const struct waybill *w)
{
    j->before = arena_zero(a, (j->operation->ngives + 1) * sizeof *j->before);
    for (const struct waybill_output *o = w->outputs; o; o = o->next)
        for (size_t i = 0; i < j->operation->ngives && o->run < w->run; i++)
            j->before[i] += slice_equal(o->operation, j->operation->name)
                && same_names(j->operation, o->give, j->operation->gives[i]);
}

void job_from(struct job *j, struct arena *a, const struct waybill *w)
{
    add_leases(j, a, w);
    add_run(j, a, w);
    if (w->stage.p)
        add_before(j, a, w);
}

void job_of(struct supervisor *s, struct trip *t, struct job *j)
{
    struct arena *a = &t->arena;
    const struct waybill *w = t->b->w;
    const struct waybill_file *stage = t->op->take.kind == TAKE_BATCH ? waybill_file_named(w, w->stage) : NULL;
    *j = (struct job){ .operation = t->op, .config = slice_of(config_of(s, t)), .batch = w->batch,
                       .file = w->name, .time = w->batch_time, .size = stage ? stage->size : w->bytes,
                       .last_run = last_run(s, t->op, a), .attempt = w->retry.attempts + 1, .fd = j->fd };
    j->original = t->op->take.kind == TAKE_BATCH ? path_in_work(s, a, t->b->id, "in") : "";
    calls_of(s, t, j);
    job_from(j, a, w);
    add_open(s, j, a);
    if (w->stage.p)
        add_logs(s, j, a, t->b);
}
