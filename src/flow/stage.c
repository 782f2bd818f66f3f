#include <errno.h>
#include <unistd.h>

#include "flow/work.h"

void stage_begin(struct stage *s, struct work *w, struct slice target, int before, uint32_t number)
{
    size_t n = w->op->flow->nstates + 1;
    *s = (struct stage){ .work = w, .target = target, .number = number, .before = before, .fd = -1,
                         .format = w->op->flow->batch };
    s->counts = arena_zero(w->arena, n * sizeof *s->counts);
    s->was = arena_zero(w->arena, n * sizeof *s->was);
    arena_init(&s->arena, 0);
}

/* ---- the document that is written ------------------------------------------------------------------------------- */

static int open_stage(struct stage *s)
{
    struct work *w = s->work;
    const struct limits *limits = &w->site->limits;
    if (s->output)
        return OK;
    s->output = work_output(w, s->table ? OUTPUT_TABLE : OUTPUT_STAGE, NULL);
    s->output->target = s->target;
    s->output->number = s->number;
    int rc = w->port->open(w->port->owner, s->output, &s->fd, &w->now);
    if (rc > WARN)
        return rc;
    sha256_init(&s->hash);
    sink_open_fd(&s->sink, s->fd, arena_cstr(w->arena, s->target));
    s->sink.hash = &s->hash;
    if (s->before < 0 && !s->table)
        s->sink.max = limits->output_times * w->job->size + limits->output_base;
    s->writer = (struct writer){ .sink = &s->sink, .format = s->format, .limits = limits, .exact = !s->table,
                                 .file = (struct node *)(uintptr_t)s->file };
    return writer_open(&s->writer, &s->arena, &w->now);
}

/* The bytes of the document before up to there. */
static int copy_until(struct stage *s, uint64_t to)
{
    char bytes[16384];
    while (s->copied < to) {
        uint64_t left = to - s->copied;
        ssize_t n = pread(s->before, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, (off_t)s->copied);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && to != UINT64_MAX))
            return problem_system(&s->work->now, s->sink.name, "the staged document cannot be read", n ? errno : EIO);
        if (n == 0)
            break;
        buf_add(&s->sink.buf, (struct slice){ bytes, (size_t)n });
        s->copied += (uint64_t)n;
        sink_turn(&s->sink);
    }
    return s->sink.error ? TEMP : OK;
}

static int write_one(struct stage *s, const struct node *message)
{
    struct work *w = s->work;
    int rc = writer_write(&s->writer, message, &w->now);
    if (s->sink.error)
        return TEMP;
    sink_turn(&s->sink);
    return rc;
}

/* ---- rows of a table --------------------------------------------------------------------------------------------- */

/* The rows before the first that has changed, read again. */
static int write_before(struct stage *s, uint64_t most)
{
    struct work *w = s->work;
    struct arena own, message;
    struct source source;
    struct reader r = { .source = &source, .format = s->format, .limits = &w->site->limits };
    if (!source_open_anew(&source, &w->source))
        return problem_system(&w->now, s->sink.name, "the table cannot be read twice", ESPIPE);
    arena_init(&own, 0);
    arena_init(&message, w->site->limits.message);
    int rc = reader_open(&r, &own, &w->now);
    for (uint64_t i = 0; i < most && rc <= WARN; i++) {
        struct node *row = NULL;
        rc = reader_read(&r, &message, &row, &w->now);
        if (rc <= WARN)
            rc = write_one(s, row);
        arena_reset(&message);
    }
    reader_close(&r);
    source_close(&source);
    arena_release(&message);
    arena_release(&own);
    return rc;
}

static int write_row(struct stage *s, const struct node *row)
{
    bool first = !s->output;
    int rc = open_stage(s);
    if (rc <= WARN && first)
        rc = write_before(s, s->messages - 1);
    if (rc <= WARN)
        rc = write_one(s, row);
    return rc == SKIP || rc == END ? STOP : rc;     /* half a table helps nobody */
}

int stage_stay(struct stage *s, const struct node *row)
{
    return s->table && s->output ? write_row(s, row) : OK;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void forget(struct stage *s)
{
    size_t n = s->work->op->flow->nstates + 1;
    for (size_t i = 0; i < n; i++) {
        s->counts[i] -= s->was[i];
        s->was[i] = 0;
    }
}

/* What it is now instead of what it was. */
static int count(struct stage *s, const struct node *message)
{
    struct work *w = s->work;
    const struct flow *f = w->op->flow;
    size_t n = f->nstates + 1;
    forget(s);
    if (message->group != f->batch_group)
        return OK;
    states_count(w, message, s->was);
    for (size_t i = 0; i < n; i++)
        s->counts[i] += s->was[i];
    return OK;
}

/* The ledger hears of each message that is new or has changed. */
static int enter(struct stage *s, const struct node *message)
{
    struct work *w = s->work;
    const struct flow *f = w->op->flow;
    const struct outcome done = { .kind = OUTCOME_NONE };
    count(s, message);
    if (s->table || !f->nkept)
        return OK;
    if (lookup_staged(w, message, s->target) > WARN)
        return TEMP;
    struct ledger_field *fields = kept_fields(&w->message, f->kept, f->nkept, message, s->target);
    return note_record(w, s->messages, &done, fields, f->nkept);
}

int stage_see(struct stage *s, const struct node *message)
{
    size_t n = s->work->op->flow->nstates + 1;
    s->messages++;
    memset(s->was, 0, n * sizeof *s->was);
    return s->table ? OK : count(s, message);
}

/* What the format asks of a message holds for staged ones too: the next operation has to be able to read it. */
static int check(struct stage *s, const struct node *message)
{
    return s->table ? OK : node_check(message, &s->work->message, &s->work->now);
}

int stage_try(struct stage *s, const struct node *message)
{
    struct work *w = s->work;
    struct writer as = { .format = s->format, .exact = !s->table, .limits = &w->site->limits,
                         .file = (struct node *)(uintptr_t)s->file };
    if (!s->trial)
        s->trial = trial_new(w->arena, 0);
    int rc = check(s, message);
    return rc <= WARN ? trial_ask(s->trial, &as, message, &w->message, &w->now) : rc;
}

int stage_put(struct stage *s, const struct node *message, struct span place)
{
    int rc = check(s, message);
    if (rc > WARN)
        return rc;
    if (s->table)
        return write_row(s, message);
    rc = open_stage(s);
    if (rc <= WARN)
        rc = copy_until(s, place.at);
    if (rc <= WARN)
        rc = write_one(s, message);
    if (rc > WARN)
        return rc;
    s->copied = place.end;
    return enter(s, message);
}

int stage_cut(struct stage *s, struct span place)
{
    int rc = open_stage(s);
    if (rc <= WARN)
        rc = copy_until(s, place.at);
    s->copied = place.end;
    s->messages--;
    forget(s);
    return rc;
}

int stage_add(struct stage *s, const struct node *message)
{
    size_t n = s->work->op->flow->nstates + 1;
    int rc = check(s, message);
    if (rc <= WARN)
        rc = open_stage(s);
    if (rc <= WARN && s->before >= 0)
        rc = copy_until(s, UINT64_MAX);
    if (rc <= WARN)
        rc = write_one(s, message);
    if (rc > WARN)
        return rc;
    s->messages++;
    memset(s->was, 0, n * sizeof *s->was);
    return enter(s, message);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

size_t stage_states(const struct stage *s, struct skip_count **out)
{
    const struct flow *f = s->work->op->flow;
    struct skip_count *list = arena_zero(s->work->arena, (f->nstates + 1) * sizeof *list);
    for (size_t i = 0; i < f->nstates; i++)
        list[i] = (struct skip_count){ .code = f->states[i].name, .count = s->counts[i] };
    *out = list;
    return f->track ? f->nstates : 0;
}

/* Without states nothing tells that a batch is finished. */
static bool unfinished(const struct stage *s)
{
    const struct flow *f = s->work->op->flow;
    uint64_t n = s->counts[f->nstates];
    for (size_t i = 0; i + 1 < f->nstates; i++)
        n += s->counts[i];
    return !f->track || n > 0;
}

static int close_stage(struct stage *s)
{
    struct work *w = s->work;
    struct output *o = s->output;
    int rc = writer_close(&s->writer, &w->now);
    int closed = sink_close(&s->sink, &w->now);
    o->bytes = sink_total(&s->sink);
    o->messages = s->messages;
    sha256_hex(&s->hash, o->sha256);
    if (!s->table) {
        o->nstates = stage_states(s, &o->states);
        o->unfinished = unfinished(s);
    }
    sink_release(&s->sink);
    close(s->fd);
    s->fd = -1;
    rc = closed > rc ? closed : rc;
    return rc <= WARN ? w->port->closed(w->port->owner, o, &w->now) : rc;
}

int stage_end(struct stage *s)
{
    int rc = OK;
    if (!s->output)
        return OK;
    if (s->before >= 0 && !s->table)
        rc = copy_until(s, UINT64_MAX);
    return rc <= WARN ? close_stage(s) : rc;
}

void stage_drop(struct stage *s)
{
    if (s->fd >= 0) {
        writer_drop(&s->writer);
        sink_release(&s->sink);
        close(s->fd);
        s->fd = -1;
    }
    arena_release(&s->arena);
    trial_release(s->trial);
    s->trial = NULL;
}
