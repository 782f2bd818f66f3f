#include "flow/operation.h"

#include <unistd.h>

#include "base/file.h"
#include "flow/convert.h"
#include "flow/work.h"

/* Who reads this file first: the way of one document through a worker.
   operation_run → one of job_convert, job_stage, job_update, job_amend: work_read gives each message to
   step_check, step_map (→ lane_write), step_stamp, step_report, step_note → lane_end, stage_end, step_set_aside. */

struct output *work_output(struct work *w, enum output_kind kind, const struct give *g)
{
    struct output *o = arena_zero(w->arena, sizeof *o);
    o->kind = kind;
    o->give = g;
    return o;
}

/* As it is read elsewhere: with the value that is meant. */
static struct slice fault_text(struct work *w, const struct problem *p)
{
    struct buf b = { 0 };
    problem_text(&b, p);
    struct slice text = arena_copy(w->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

void work_fault(struct work *w, int status)
{
    struct result *r = w->result;
    const struct problem *p = w->now.first;
    if (status <= SKIP || r->status != OK)
        return;
    r->status = status;
    while (p && p->severity != PROBLEM_ERROR)
        p = p->next;
    r->code = p ? arena_copy(w->arena, slice_of(p->code)) : status == TEMP ? SLICE("SYS_IO") : SLICE("FILE_REFUSED");
    r->text = p ? fault_text(w, p) : SLICE("the file cannot be used");
}

/* A fresh collection that knows the file. */
void work_begin(struct work *w)
{
    problems_init(&w->now, &w->message, 100);
    w->now.file = w->source.name;
    source_locate(&w->source, &w->now);
    groups_hide(w);
}

void work_message(struct work *w)
{
    work_begin(w);
    w->told_all = w->judged = w->changed = w->whole = false;
    w->taken = NULL;
    w->ntaken = w->taken_cap = 0;
    w->read = NULL;
    w->nread = w->read_cap = 0;
    w->staged_key = (struct slice){ "", 0 };
}

struct outcome work_outcome(const struct work *w)
{
    return (struct outcome){ .operation = w->op->name, .time = w->batch_time };
}

/* ---- the gives -------------------------------------------------------------------------------------------------- */

static int open_lane(struct work *w, struct lane *l, const struct give *g)
{
    *l = (struct lane){ .work = w, .give = g, .fd = -1 };
    arena_init(&l->arena, 0);
    arena_init(&l->listed, 0);
    if (!g->mapping || g->original)
        return OK;
    l->run = run_new(w->arena, g->mapping, g->direction, &w->outside, &w->now);
    if (!l->run)
        return w->unbound ? w->unbound : STOP;
    run_source_file(l->run, w->reader.file);
    run_accept(l->run, lane_accept, l);
    if (w->op->take.kind != TAKE_INBOX && !g->report)
        run_note_taken(l->run);
    if (g->report && !w->outcomes)
        w->outcomes = outcome_format(w->arena);
    return OK;
}

/* Calls are made one by one, before all else. */
static bool belongs(const struct work *w, const struct give *g)
{
    enum call_phase phase = w->job->calls.phase;
    return phase == CALL_NONE || (phase == CALL_NEXT) == (g->answer != NULL);
}

int work_lanes(struct work *w)
{
    int rc = OK;
    for (size_t i = 0; i < w->op->ngives && rc <= WARN; i++)
        if (w->op->gives[i]->on && belongs(w, w->op->gives[i]))
            rc = open_lane(w, &w->lanes[i], w->op->gives[i]);
    work_fault(w, rc);
    groups_fold(w);
    return rc;
}

int work_lanes_end(struct work *w)
{
    int rc = OK;
    for (size_t i = 0; i < w->op->ngives && rc < STOP; i++)
        if (w->lanes[i].give)
            rc = lane_end(w, &w->lanes[i]);
    return rc;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

/* `Line[2]/Qty: "12x" is not a decimal`: the problem without its place and code. */
static struct slice spoken(struct arena *a, const struct problem *p)
{
    struct buf b = { 0 };
    buf_add(&b, p->path);
    buf_text(&b, p->path.n ? ": " : "");
    if (p->value.p) {
        buf_byte(&b, '"');
        buf_add_shown(&b, p->value, 60);
        buf_text(&b, "\" ");
    }
    buf_add(&b, p->text);
    struct slice text = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return text;
}

void work_refuse(struct work *w, struct outcome *o)
{
    convert_findings(&w->now, o, NULL, w->reader.messages);     /* what was said before it was refused */
    w->told_all = true;
    o->kind = OUTCOME_REJECT;
    for (const struct problem *p = w->now.first; p; p = p->next) {
        if (p->severity != PROBLEM_ERROR)
            continue;
        struct finding *f = arena_zero(&w->message, sizeof *f);
        struct slice other = site_text(w->site, p->code);
        *f = (struct finding){ .kind = OUTCOME_REJECT, .code = slice_of(p->code), .field = p->path, .value = p->value };
        f->text = other.p ? other : spoken(&w->message, p);
        outcome_add(o, f, NULL);
    }
}

int work_conclude(struct work *w, struct node *message, struct outcome *o)
{
    int rc = step_report(w, message, o, o);
    if (rc < STOP)
        rc = step_note(w, message, o);
    return rc >= STOP ? rc : OK;
}

static void tell(struct work *w)
{
    int64_t now = clock_monotonic_ms();
    if (now - w->told < 200)
        return;
    w->told = now;
    w->port->progress(w->port->owner, source_offset(&w->source, w->source.at), w->reader.messages);
}

int work_read(struct work *w, int (*take)(struct work *w, int read, struct node *message))
{
    for (;;) {
        struct node *msg = NULL;
        work_message(w);
        int rc = reader_read(&w->reader, &w->message, &msg, &w->now);
        w->now.message = w->reader.messages;
        if (rc < STOP && rc != END)
            rc = take(w, rc, msg);
        if (rc >= STOP)
            work_fault(w, rc);
        groups_fold(w);
        if (rc == END || rc >= STOP)
            return rc == END ? OK : rc;
        arena_reset(&w->message);
        tell(w);
    }
}

/* ---- the job ---------------------------------------------------------------------------------------------------- */

static void release(struct work *w)
{
    for (size_t i = 0; i < w->op->ngives; i++)
        if (w->lanes[i].give) {
            lane_abandon(&w->lanes[i]);
            lane_merge_release(&w->lanes[i]);
            trial_release(w->lanes[i].trial);
            w->lanes[i].trial = NULL;
            if (w->lanes[i].run)
                run_free(w->lanes[i].run);
            arena_release(&w->lanes[i].arena);
            arena_release(&w->lanes[i].listed);
        }
    latest_free(w);
    attached_drop(w);
    with_close(w);
    note_drop(w);
    lookup_end(w);
    numbers_end(w);
    arena_release(&w->message);
}

/* A table that is not there yet has no rows; its syntax may want at least a heading. */
bool work_is_empty(const struct work *w)
{
    return w->op->take.kind == TAKE_TABLE && w->job->size == 0;
}

static int work_open(struct work *w)
{
    struct buf shown = { 0 };
    /* lines of a staged document are no lines of the file that it was made of */
    buf_add_shown(&shown, w->op->take.kind == TAKE_BATCH ? w->job->batch : w->job->file, 200);
    const char *name = arena_cstr(w->arena, buf_slice(&shown));
    buf_release(&shown);
    source_open_fd(&w->source, w->job->fd, name, &w->site->limits);
    work_begin(w);
    int rc = w->op->duplicates_key ? work_ledger(w, w->op->flow, &w->own, &w->now) : OK;
    if (rc > WARN)
        return rc;
    if (w->job->namends)
        w->format = w->op->flow->batch;
    w->reader = (struct reader){ .source = &w->source, .format = w->format, .limits = &w->site->limits };
    if (!work_is_empty(w)) {
        rc = with_open(w);
        return rc <= WARN ? reader_open(&w->reader, w->arena, &w->now) : rc;
    }
    w->reader.file = node_new(w->arena, w->format->file_group, NULL);
    return OK;
}

struct operation operation_by_hand(struct flow *f, struct slice name)
{
    return (struct operation){ .name = name, .flow = f, .on = true, .manual = true, .take.kind = TAKE_BATCH,
                               .format = f->batch, .message = f->batch_group };
}

static int work_do(struct work *w)
{
    const struct operation *op = w->op;
    if (w->job->namends)
        return job_amend(w);
    if (op->take.kind != TAKE_INBOX)
        return job_stage(w);
    return op->stage && op->stage->on && !op->stage->new_batch ? job_update(w) : job_convert(w);
}

int operation_run(const struct job *job, const struct port *port, struct table_cache *tables, struct arena *a,
                  struct result *out)
{
    struct work w = { .job = job, .port = port, .cache = tables, .arena = a, .result = out, .op = job->operation };
    w.site = w.op->flow->site;
    w.format = w.op->format;
    memset(out, 0, sizeof *out);
    problems_init(&out->problems, a, 0);
    if (job->unpack)
        return job_unpack(job, port, out);
    table_cache_begin(tables);
    arena_init(&w.message, w.site->limits.message);
    w.batch_time = (struct slice){ job->time.p, job->time.n < 19 ? job->time.n : 19 };
    w.attached_fd = -1;
    map_init(&w.kept, a);
    w.lines.kind = OUTPUT_LINES;
    w.lanes = arena_zero(a, (w.op->ngives + 1) * sizeof *w.lanes);
    for (size_t i = 0; i < w.op->ngives; i++)
        w.lanes[i].fd = -1;
    work_outside(&w);
    w.formulas = formula_run_new(a, &w.outside);
    int rc = work_open(&w);
    if (rc <= WARN) {
        rc = work_do(&w);
        out->messages = out->messages ? out->messages : w.reader.messages;
        reader_close(&w.reader);
        int sure = lookups_sure(&w);
        rc = sure > rc ? sure : rc;
    }
    work_fault(&w, rc);
    groups_fold(&w);
    source_close(&w.source);
    release(&w);
    return out->status;
}
