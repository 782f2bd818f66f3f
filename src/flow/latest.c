#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "flow/work.h"

/* The log of a batch: for $outcome the last that was said of each message, for reports over $outcome all of it. */
struct latest {
    struct work *work;
    struct arena arena, line;
    struct map by_key;              /* key, or "#17" of a message without one → struct outcome; NULL = nothing said */
    struct map places;              /* key → struct span in the staged document; for reports over the log */
    struct node *file;              /* its members */
    bool located;
};

static struct slice label(struct arena *a, struct slice key, uint64_t number)
{
    return key.n ? key : arena_printf(a, "#%llu", (unsigned long long)number);
}

/* ---- what was said last ----------------------------------------------------------------------------------------- */

static struct finding *copy_findings(struct arena *a, const struct finding *list, struct finding **last, size_t *n)
{
    struct finding *first = NULL, **link = &first;
    for (const struct finding *f = list; f; f = f->next) {
        struct finding *copy = arena_alloc(a, sizeof *copy);
        *copy = (struct finding){ .kind = f->kind, .code = arena_copy(a, f->code), .text = arena_copy(a, f->text),
                                  .key = arena_copy(a, f->key), .line = arena_copy(a, f->line),
                                  .field = arena_copy(a, f->field), .value = arena_copy(a, f->value),
                                  .operation = arena_copy(a, f->operation), .time = arena_copy(a, f->time) };
        *link = *last = copy;
        link = &copy->next;
        ++*n;
    }
    return first;
}

static void copy_tried(struct arena *a, const struct tried *list, struct outcome *o)
{
    struct tried **link = &o->tried;
    for (const struct tried *t = list; t; t = t->next) {
        struct tried *copy = arena_alloc(a, sizeof *copy);
        *copy = (struct tried){ .kind = t->kind, .line = arena_copy(a, t->line), .key = arena_copy(a, t->key),
                                .code = arena_copy(a, t->code), .text = arena_copy(a, t->text),
                                .values = arena_copy(a, t->values) };
        *link = o->last_tried = copy;
        link = &copy->next;
        o->ntried++;
    }
}

static enum outcome_kind kind_of(const struct line_read *l)
{
    enum outcome_kind kind = OUTCOME_NONE;
    if (slice_is(l->state, "rejected"))
        return OUTCOME_REJECT;
    if (slice_is(l->state, "waiting"))
        return OUTCOME_WAIT;
    if (slice_is(l->state, "skipped"))
        return OUTCOME_SKIP;
    for (const struct finding *f = l->findings; f; f = f->next)
        if (f->kind > kind && f->kind < OUTCOME_SKIP)
            kind = f->kind;
    return kind;
}

static void read_outcome(struct arena *a, const struct line_read *l, struct outcome *o)
{
    *o = (struct outcome){ .kind = kind_of(l), .operation = arena_copy(a, l->operation),
                           .time = arena_copy(a, l->time), .reason = arena_copy(a, l->reason) };
    o->first = copy_findings(a, l->findings, &o->last, &o->n);
    copy_tried(a, l->tried, o);
}

static int keep_line(void *owner, const struct line_read *l)
{
    struct latest *x = owner;
    struct slice key = label(&x->line, l->key, l->message);
    struct map_entry *e = map_at(&x->by_key, key);
    if (e->key.p == key.p)
        e->key = arena_copy(&x->arena, key);        /* it is new, and the line's arena goes on */
    e->value = NULL;
    if (l->findings || l->tried || l->reason.n || kind_of(l) != OUTCOME_NONE) {
        struct outcome *o = arena_alloc(&x->arena, sizeof *o);
        read_outcome(&x->arena, l, o);
        e->value = o;
    }
    arena_reset(&x->line);
    return x->arena.used > x->work->site->limits.message * 16 ? STOP : OK;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static int read_log(struct latest *x, const struct job_log *log, int (*each)(void *owner, const struct line_read *l))
{
    struct work *w = x->work;
    const char *base = file_base(log->path);
    struct slice dir = { log->path, (size_t)(base - log->path) };
    struct waybill_file f = { .file = slice_of(base), .size = log->size };
    memcpy(f.sha256, log->sha256, sizeof f.sha256);
    int fd = open(dir.n ? arena_cstr(&w->message, dir) : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(&w->now, log->path, "cannot open", errno);
    int rc = lines_read(fd, &f, &x->line, each, x, &w->now);
    close(fd);
    arena_reset(&x->line);
    return rc;
}

static int each_log(struct latest *x, int (*each)(void *owner, const struct line_read *l))
{
    struct work *w = x->work;
    int rc = OK;
    for (size_t i = 0; i < w->job->nlogs && rc <= WARN; i++)
        rc = read_log(x, &w->job->logs[i], each);
    if (rc == STOP && !w->now.first)
        problem_addf(&w->now, PROBLEM_ERROR, "LIMIT_LOG", (struct place){ .offset = PLACE_NO_OFFSET },
                     "what was said about the batch is too much to be kept in memory");
    return rc;
}

/* Who asks: a report, and an operation that runs by itself. */
static bool is_wanted(const struct work *w)
{
    bool report = w->op->every > 0;
    for (size_t i = 0; i < w->op->ngives; i++)
        report = report || (w->lanes[i].give && w->lanes[i].give->report);
    return report && w->job->nlogs;
}

int latest_load(struct work *w)
{
    if (!is_wanted(w))
        return OK;
    struct latest *x = arena_zero(w->arena, sizeof *x);
    x->work = w;
    arena_init(&x->arena, 0);
    arena_init(&x->line, 0);
    map_init(&x->by_key, &x->arena);
    map_init(&x->places, &x->arena);
    w->latest = x;
    return each_log(x, keep_line);
}

void latest_free(struct work *w)
{
    if (!w->latest)
        return;
    arena_release(&w->latest->arena);
    arena_release(&w->latest->line);
    w->latest = NULL;
}

const struct outcome *latest_of(const struct work *w, struct slice key, uint64_t number)
{
    char text[24];
    if (!w->latest)
        return NULL;
    snprintf(text, sizeof text, "#%llu", (unsigned long long)number);
    return map_get(&w->latest->by_key, key.n ? key : slice_of(text));
}

bool latest_same(const struct work *w, struct slice key, uint64_t number, const struct outcome *o)
{
    static const struct outcome none = { .kind = OUTCOME_NONE };
    const struct outcome *before = latest_of(w, key, number);
    before = before ? before : &none;
    const struct finding *f = o->first, *g = before->first;
    for (; f && g; f = f->next, g = g->next)
        if (f->kind != g->kind || !slice_equal(f->code, g->code) || !slice_equal(f->text, g->text))
            return false;
    return !f && !g && before->kind == o->kind && !o->tried;
}

/* ---- reports over the log --------------------------------------------------------------------------------------- */

static int note_place(struct latest *x, const struct node *msg)
{
    struct slice key = note_key(&x->arena, msg);
    struct span *place = arena_alloc(&x->arena, sizeof *place);
    *place = (struct span){ msg->at, msg->end };
    if (key.n)
        map_put(&x->places, key, place);
    return OK;
}

/* Where each message stands in the staged document: a first reading, which notes keys only. */
static int locate(struct latest *x)
{
    struct work *w = x->work;
    struct source source;
    struct reader r = { .source = &source, .format = w->format, .limits = &w->site->limits };
    struct node *msg = NULL;
    source_open_fd(&source, w->job->fd, w->source.name, &w->site->limits);
    int rc = reader_open(&r, &x->arena, &w->now);
    while (rc <= WARN && (rc = reader_read(&r, &w->message, &msg, &w->now)) != END && rc <= WARN) {
        note_place(x, msg);
        arena_reset(&w->message);
    }
    x->file = r.file;
    reader_close(&r);
    source_close(&source);
    if (lseek(w->job->fd, 0, SEEK_SET) < 0)
        return problem_system(&w->now, w->source.name, "the staged document cannot be read twice", errno);
    return rc == END ? OK : STOP;
}

static int read_place(struct latest *x, const struct span *place, struct node **out)
{
    struct work *w = x->work;
    struct arena *a = &w->message;
    size_t n = (size_t)(place->end - place->at);
    struct source source;
    char *text = arena_alloc(a, n + 1);
    if (pread(w->job->fd, text, n, (off_t)place->at) != (ssize_t)n)
        return problem_system(&w->now, w->source.name, "the staged document cannot be read", EIO);
    source_open_text(&source, (struct slice){ text, n }, w->source.name, &w->site->limits);
    struct reader r = { .source = &source, .format = w->format, .limits = &w->site->limits };
    int rc = reader_open(&r, a, &w->now);
    if (rc <= WARN)
        rc = reader_read(&r, a, out, &w->now);
    if (rc <= WARN)
        *out = node_copy(a, *out, x->file);         /* its texts lie in the window of that source */
    reader_close(&r);
    source_close(&source);
    return rc <= WARN ? OK : STOP;
}

/* The message that a line is about; one that is not in the batch is empty. */
static int find_message(struct latest *x, struct slice key, struct node **out)
{
    struct work *w = x->work;
    const struct span *place = key.n ? map_get(&x->places, key) : NULL;
    if (place)
        return read_place(x, place, out);
    *out = node_new(&w->message, w->op->message, x->file);
    return OK;
}

static int report_line(void *owner, const struct line_read *l)
{
    struct latest *x = owner;
    struct work *w = x->work;
    struct node *message = NULL;
    struct outcome o;
    work_begin(w);
    read_outcome(&w->message, l, &o);
    int rc = o.first || o.tried ? find_message(x, l->key, &message) : OK;
    for (size_t i = 0; i < w->op->ngives && rc <= WARN && message; i++) {
        struct lane *lane = &w->lanes[i];
        if (lane->give && lane->give->report && lane->run && run_has_log(lane->run))
            rc = step_report_log(w, lane, message, &o);
    }
    rc = rc == SKIP ? OK : rc;
    if (rc >= STOP)
        work_fault(w, rc);
    groups_fold(w);
    arena_reset(&w->message);
    arena_reset(&x->line);
    return rc;
}

int latest_report(struct work *w)
{
    bool any = false;
    for (size_t i = 0; i < w->op->ngives; i++)
        any = any || (w->lanes[i].give && w->lanes[i].give->report && w->lanes[i].run
                      && run_has_log(w->lanes[i].run));
    if (!any || !w->latest)
        return OK;
    int rc = locate(w->latest);
    return rc <= WARN ? each_log(w->latest, report_line) : rc;
}
