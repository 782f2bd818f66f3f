#include "flow/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/config.h"
#include "flow/job.h"
#include "flow/replaying.h"
#include "flow/work.h"

enum { RUN_MAX = 16 << 20 };        /* bytes, as of any waybill */

/* ---- the site as it was ----------------------------------------------------------------------------------------- */

static void because(struct replaying *r, const char *what, const struct problems *said)
{
    const struct problem *p = said ? said->first : NULL;
    while (p && p->severity != PROBLEM_ERROR)
        p = p->next;
    r->run->why = p ? arena_printf(r->arena, "%s: %.*s [%s]", what, SLICE_ARG(p->text), p->code)
                    : arena_copy(r->arena, slice_of(what));
}

/* What of a problem is a fault of the world is one of the command; everything else is why this run cannot be done. */
static int gone(struct replaying *r, int rc, const char *what, const struct problems *said, struct problems *ps)
{
    if (rc != TEMP)
        return because(r, what, said), STOP;
    for (const struct problem *p = said->first; p; p = p->next)
        problem_add(ps, p);
    return TEMP;
}

static int load_site(struct replaying *r, struct site **out, struct problems *ps)
{
    const struct replay_terms *t = r->terms;
    struct site_config *config = arena_zero(r->arena, sizeof *config);
    struct site_env env = { .roots = t->roots, .config = config };
    const char *manifest = waybill_pinned(&r->then, "config"), *conf = waybill_pinned(&r->then, "site");
    struct problems said;
    problems_init(&said, r->arena, 50);
    if (!*conf)
        return because(r, "it was never worked on", NULL), STOP;
    if (!*manifest)
        return because(r, "its waybill does not name the state of the mappings", NULL), STOP;
    int rc = config_load(t->places->store, r->arena, manifest, config, &said);
    if (rc <= WARN)
        rc = config_get(t->places->store, conf, r->arena, &config->conf, &said);
    if (rc > WARN)
        return gone(r, rc, "its mappings are not kept", &said, ps);
    rc = site_load(r->arena, &env, t->dir, out, &said);
    const struct flow *f = rc <= WARN ? site_flow(*out, r->then.flow) : NULL;
    return f && !f->faulty ? OK : gone(r, rc, "its mappings cannot be loaded", &said, ps);
}

/* Those that the run read have the content of then; one that was empty had no file. */
static int bind_tables(struct replaying *r, struct site *s)
{
    static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (const struct waybill_pin *p = r->then.pins; p; p = p->next) {
        struct site_table *t = slice_is(p->kind, "table") ? site_table(s, p->name) : NULL;
        if (!t || t->kind != TABLE_FILE)
            continue;
        const char *path = file_join(r->arena, r->terms->dir, config_file(r->arena, p->sha256));
        if (strcmp(p->sha256, nothing) != 0 && !file_exists(path)) {
            r->run->why = arena_printf(r->arena, "what table %.*s held then is not kept (limit keep-table)",
                                       SLICE_ARG(t->name));
            return STOP;
        }
        t->path = path;
    }
    return OK;
}

/* ---- the operation ---------------------------------------------------------------------------------------------- */

/* A batch that rests or is over does not name its operation any more, but what it gave does. */
static const struct operation *operation_of(const struct replaying *r, const struct flow *f)
{
    const struct waybill *w = &r->then;
    const struct operation *found = NULL;
    if (w->operation.n)
        return flow_operation(f, w->operation);
    for (const struct waybill_output *o = w->outputs; o; o = o->next)
        if (o->run == r->run->run)
            return flow_operation(f, o->operation);
    for (size_t i = 0; i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        if (op->take.kind == TAKE_INBOX && slice_equal(op->take.folder, w->inbox)) {
            if (found)
                return NULL;
            found = op;
        }
    }
    return found;
}

static int find_operation(struct replaying *r, const struct site *s)
{
    struct flow *f = site_flow(s, r->then.flow);
    const struct operation *op = operation_of(r, f);
    struct operation *amend = arena_zero(r->arena, sizeof *amend);
    if (!op && r->then.run_amends) {
        *amend = operation_by_hand(f, r->then.operation);
        op = amend;
    }
    r->op = op;
    if (!op)
        because(r, "which operation it was cannot be told", NULL);
    else if (waybill_find_file(r->w, "member"))
        because(r, "it is an archive: each of its members is a batch of its own", NULL);
    else if (op->serial)
        because(r, "it calls one by one and waits for answers", NULL);
    if (op)
        r->run->operation = op->name;
    return r->run->why.n ? STOP : OK;
}

/* ---- the job ---------------------------------------------------------------------------------------------------- */

static bool given(const struct job *j, struct slice name)
{
    for (size_t i = 0; i < j->sets.n; i++)
        if (slice_equal(j->sets.list[i].name, name))
            return true;
    return false;
}

/* The values of then, wherever they came from; a secret is not written down and has the value of now. */
static void add_params(struct replaying *r, struct job *j)
{
    for (const struct waybill_param *p = r->then.params; p; p = p->next) {
        if (slice_is(p->value, PROBLEM_MASK) || given(j, p->name))
            continue;
        if (slice_is(site_setting(r->op, p->name), "last-run"))
            j->last_run = p->value;
        else
            ARENA_PUSH(r->arena, j->sets.list, j->sets.n, j->sets.cap) =
                (struct setting){ .name = p->name, .value = p->value };
    }
}

static int copy_out(int from, const char *path, struct problems *ps)
{
    char bytes[1 << 16];
    ssize_t n = 0;
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), err = to < 0 ? errno : 0;
    while (!err && (n = file_read_full(from, bytes, sizeof bytes)) != 0)
        err = n < 0 ? errno : file_write_all(to, (struct slice){ bytes, (size_t)n });
    if (to >= 0)
        close(to);
    return err ? problem_system(ps, path, "cannot be written", err) : OK;
}

static int make_scratch(struct replaying *r, struct problems *ps)
{
    const char *tmp = getenv("TMPDIR");
    if (r->scratch)
        return OK;
    char *path = arena_cstr(r->arena, arena_printf(r->arena, "%s/waybill-replay-XXXXXX", tmp && *tmp ? tmp : "/tmp"));
    if (!mkdtemp(path))
        return problem_system(ps, path, "cannot be made", errno);
    r->scratch = path;
    return OK;
}

/* The log of the batch as far as it went then. */
static int add_logs(struct replaying *r, struct job *j, struct problems *ps)
{
    size_t cap = 0;
    int rc = OK;
    for (const struct waybill_file *f = r->w->files; f && rc <= WARN; f = f->next) {
        int fd = -1;
        if (!slice_is(f->kind, "lines") || f->run >= r->then.run)
            continue;
        struct job_log log = { .size = f->size };
        log.path = file_join(r->arena, r->scratch, arena_cstr(r->arena, arena_printf(r->arena, "%u.%.*s", r->then.run,
                                                                                     SLICE_ARG(f->file))));
        memcpy(log.sha256, f->sha256, sizeof log.sha256);
        rc = batch_read_file(r->terms->places, r->arena, r->terms->batch, f->file, &fd, ps);
        if (rc == OK)
            rc = copy_out(fd, log.path, ps);
        if (fd >= 0)
            close(fd);
        ARENA_PUSH(r->arena, j->logs, j->nlogs, cap) = log;
    }
    return rc;
}

/* The staged documents of the flow's batches as they were then: they are never changed, wherever they lie now. */
static int add_open(struct replaying *r, struct job *j, struct problems *ps)
{
    size_t cap = 0;
    for (const struct waybill_param *p = r->then.members; p; p = p->next) {
        struct open_batch open = { .batch = p->name };
        struct slice name = arena_printf(r->arena, "%s/%u.%.*s.%.*s", r->scratch, r->then.run, SLICE_ARG(p->name),
                                         SLICE_ARG(p->value));
        open.path = arena_cstr(r->arena, name);
        int fd = -1;
        int rc = batch_read_file(r->terms->places, r->arena, arena_cstr(r->arena, p->name), p->value, &fd, ps);
        if (rc == OK)
            rc = copy_out(fd, open.path, ps);
        if (fd >= 0)
            close(fd);
        if (rc == END)
            return because(r, "another batch that was open then is gone", NULL), STOP;
        if (rc > WARN)
            return rc;
        ARENA_PUSH(r->arena, j->open, j->nopen, cap) = open;
    }
    return OK;
}

static int open_input(struct replaying *r, int *fd_out, struct problems *ps)
{
    const struct replay_terms *t = r->terms;
    struct batch *b;
    *fd_out = -1;
    if (r->op->take.kind == TAKE_BATCH)
        return batch_read_file(t->places, r->arena, t->batch, r->then.stage, fd_out, ps);
    int rc = batch_open(t->places, r->arena, t->batch, &b, ps);
    if (rc == END)
        return batch_read_file(t->places, r->arena, t->batch, SLICE("in"), fd_out, ps);
    if (rc == OK) {
        rc = batch_input(b, fd_out, ps);
        batch_close(b);
    }
    return rc;
}

static int fill_job(struct replaying *r, struct job *j, struct problems *ps)
{
    struct stat st;
    struct problems said;
    problems_init(&said, r->arena, 10);
    *j = (struct job){ .operation = r->op, .batch = r->then.batch, .file = r->then.name, .time = r->then.batch_time,
                       .attempt = 1, .fd = -1 };
    int rc = make_scratch(r, ps);
    if (rc > WARN)
        return rc;
    rc = open_input(r, &j->fd, &said);
    if (rc == OK && fstat(j->fd, &st) == 0)
        j->size = (uint64_t)st.st_size;
    if (rc != OK)
        return because(r, "its input is not there any more", &said), STOP;
    job_from(j, r->arena, &r->then);
    add_params(r, j);
    rc = add_open(r, j, ps);
    return rc <= WARN && r->then.stage.p ? add_logs(r, j, ps) : rc;
}

/* ---- one run ---------------------------------------------------------------------------------------------------- */

/* A fault of the world, say a full disk, is no difference: TEMP with it. */
static int run_job(struct replaying *r, const struct site *s, struct job *j, struct problems *ps)
{
    struct result *result = arena_zero(r->arena, sizeof *result);
    struct table_cache *tables = table_cache_new(s);
    struct port port = replay_port(r);
    r->folder = r->terms->folder ? r->terms->folder : r->scratch;
    if (r->w->stage.p || !r->terms->folder)
        r->folder = file_join(r->arena, r->folder, arena_cstr(r->arena, arena_printf(r->arena, "%u-%.*s", r->then.run,
                                                                                     SLICE_ARG(r->op->name))));
    table_cache_as_of(tables, r->then.pins);
    operation_run(j, &port, tables, r->arena, result);
    table_cache_free(tables);
    if (result->status == TEMP)
        return gone(r, TEMP, NULL, &result->problems, ps);
    if (result->status > SKIP) {
        r->run->code = result->code;
        r->run->text = result->text;
    }
    replay_compare(r);
    return OK;
}

/* TEMP ends all; what cannot be done is told in the run. */
static int do_run(struct replaying *r, struct problems *ps)
{
    struct site *site = NULL;
    struct job job = { .fd = -1 };
    r->files = 0;
    r->last = &r->run->outputs;
    int rc = load_site(r, &site, ps);
    if (rc == OK)
        rc = find_operation(r, site);
    if (rc == OK)
        rc = bind_tables(r, site);
    if (rc == OK)
        rc = fill_job(r, &job, ps);
    if (rc == OK)
        rc = run_job(r, site, &job, ps);
    if (job.fd >= 0)
        close(job.fd);
    return rc == TEMP ? TEMP : OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static struct replay_run *add_run(struct replaying *r, struct replay_run ***link)
{
    struct replay_run *run = arena_zero(r->arena, sizeof *run);
    run->run = r->then.run;
    run->operation = r->then.operation;
    run->time = r->then.batch_time;
    **link = run;
    *link = &run->next;
    r->run = run;
    return run;
}

static int read_whole(struct replaying *r, int fd, struct slice *out, struct problems *ps)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size > RUN_MAX)
        return problem_system(ps, r->terms->batch, "what a run was done with cannot be read", EFBIG);
    char *p = arena_alloc(r->arena, (size_t)st.st_size + 1);
    ssize_t n = file_read_full(fd, p, (size_t)st.st_size);
    *out = (struct slice){ p, n > 0 ? (size_t)n : 0 };
    return n < 0 ? problem_system(ps, r->terms->batch, "what a run was done with cannot be read", errno) : OK;
}

/* A run of a batch that stays: what it was done with lies in run.<n>. */
static int staged_run(struct replaying *r, const struct waybill_file *f, struct replay_run ***link, struct problems *ps)
{
    const struct replay_terms *t = r->terms;
    struct waybill *kept;
    struct slice text;
    int fd = -1, rc = batch_read_file(t->places, r->arena, t->batch, f->file, &fd, ps);
    if (rc == END)
        return OK;
    if (rc == OK)
        rc = read_whole(r, fd, &text, ps);
    if (fd >= 0)
        close(fd);
    if (rc == OK)
        rc = waybill_read(r->arena, text, arena_cstr(r->arena, f->file), &kept, ps);
    if (rc != OK)
        return rc;
    r->then = *kept;
    r->then.outputs = r->w->outputs;
    r->then.leases = r->w->leases;
    add_run(r, link);
    return do_run(r, ps);
}

static int single_run(struct replaying *r, struct replay_run ***link, struct problems *ps)
{
    r->then = *r->w;
    r->then.members = NULL;
    add_run(r, link);
    if (r->w->place == PLACE_ERROR)
        r->run->was_code = r->w->error_code;
    return do_run(r, ps);
}

static int all_runs(struct replaying *r, struct replay_run **first, struct problems *ps)
{
    struct replay_run **link = first;
    int rc = OK;
    bool any = false;
    for (const struct waybill_file *f = r->w->files; f && rc <= WARN; f = f->next)
        if (slice_is(f->kind, "run")) {
            any = true;
            rc = staged_run(r, f, &link, ps);
        }
    return any ? rc : single_run(r, &link, ps);
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *where)
{
    (void)st;
    (void)what;
    (void)where;
    remove(path);
    return 0;
}

static void drop_scratch(struct replaying *r)
{
    if (r->scratch)
        nftw(r->scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int replay_batch(const struct replay_terms *t, struct arena *a, struct replay_run **out, struct problems *ps)
{
    struct replaying r = { .terms = t, .arena = a };
    struct waybill *w;
    *out = NULL;
    int rc = batch_find(t->places, a, t->batch, &w, ps);
    if (rc != OK)
        return rc;
    r.w = w;
    rc = all_runs(&r, out, ps);
    drop_scratch(&r);
    return rc <= WARN ? OK : rc;
}
