#include <unistd.h>

#include "flow/name.h"
#include "flow/work.h"

static int render(struct work *w, const struct lane *l, const struct name_part *parts, size_t n, struct slice shown,
                  const struct node *message, struct buf *name)
{
    struct name_values v = { .batch = w->job->batch, .file = w->job->file, .operation = w->op->name,
                             .time = w->batch_time, .n = l->files + 1 };
    if (w->job->before)
        v.n += w->job->before[l->give->index] / (1 + l->give->ncompanions);
    int rc = name_render(parts, n, &v, message, name);
    if (rc != OK)
        problem_addf(&w->now, PROBLEM_ERROR, "NAME_EMPTY", (struct place){ .offset = PLACE_NO_OFFSET },
                     "a field in the name of the output has no value: %.*s", SLICE_ARG(shown));
    return rc;
}

int output_name(struct work *w, const struct lane *l, const struct name_part *parts, size_t n, struct slice shown,
                const struct node *message, struct slice *out)
{
    struct buf name = { 0 };
    int rc = render(w, l, parts, n, shown, message, &name);
    *out = arena_copy(w->arena, buf_slice(&name));
    buf_release(&name);
    return rc;
}

int lane_try_names(struct work *w, const struct lane *l)
{
    const struct give *g = l->give;
    struct buf name = { 0 };
    if (!g->each || !l->ntargets)
        return OK;
    int rc = render(w, l, g->name_parts, g->nname_parts, g->name, l->seen, &name);
    for (size_t i = 0; i < g->ncompanions && rc == OK; i++) {
        const struct site_companion *c = &g->companions[i];
        rc = render(w, l, c->parts, c->nparts, c->pattern, l->seen, &name);
    }
    buf_release(&name);
    return rc;
}

static int open_writer(struct work *w, struct lane *l)
{
    const struct limits *limits = &w->site->limits;
    sha256_init(&l->hash);
    sink_open_fd(&l->sink, l->fd, arena_cstr(w->arena, l->output->name));
    l->sink.hash = &l->hash;
    l->sink.max = limits->output_times * w->job->size + limits->output_base;
    l->writer = (struct writer){ .sink = &l->sink, .format = l->give->to, .limits = limits,
                                 .file = l->run ? run_file(l->run) : w->reader.file,
                                 .companions = l->companions, .ncompanions = l->give->ncompanions };
    return writer_open(&l->writer, &l->arena, &w->now);
}

static int open_output(struct work *w, struct lane *l, const struct node *message)
{
    const struct give *g = l->give;
    bool table = g->kind == GIVE_TABLE;
    struct output *o = work_output(w, table ? OUTPUT_TABLE : OUTPUT_FILE, g);
    int rc = table ? OK : output_name(w, l, g->name_parts, g->nname_parts, g->name, message, &o->name);
    if (rc != OK)
        return rc;
    o->number = ++l->outputs;
    rc = w->port->open(w->port->owner, o, &l->fd, &w->now);
    if (rc > WARN)
        return rc;
    l->output = o;
    rc = beside_open(w, l, message);
    return rc <= WARN ? open_writer(w, l) : rc;
}

static int close_output(struct work *w, struct lane *l)
{
    int rc = writer_close(&l->writer, &w->now);
    int closed = sink_close(&l->sink, &w->now);
    struct output *o = l->output;
    o->bytes = sink_total(&l->sink);
    o->messages = l->writer.messages;
    sha256_hex(&l->hash, o->sha256);
    sink_release(&l->sink);
    close(l->fd);
    l->fd = -1;
    if (closed > rc)
        rc = closed;
    closed = beside_close(w, l);
    l->files++;
    if (closed > rc)
        rc = closed;
    return rc <= WARN ? w->port->closed(w->port->owner, o, &w->now) : rc;
}

static int add_row(struct work *w, struct lane *l, struct node *target)
{
    int rc = OK;
    if (!l->rows) {
        l->rows = rows_new(w->arena, l->give);
        if (!l->give->replace)
            rc = rows_load(l->rows, &w->site->limits, &w->now);
    }
    return rc <= WARN ? rows_add(l->rows, target, &w->site->limits, &w->now) : rc;
}

/* Into the batch that the file makes; its members are those of the mapping, or of the file as it is. */
static int stage_target(struct work *w, struct lane *l, const struct node *target)
{
    w->stage->file = l->run ? run_file(l->run) : w->reader.file;
    int rc = stage_add(w->stage, target);
    if (rc <= WARN && !w->staged_key.n)
        w->staged_key = note_key(&w->message, target);
    return rc;
}

int lane_write(struct work *w, struct lane *l, struct node *target, const struct node *message)
{
    int rc = OK;
    if (l->give->kind == GIVE_BATCH)
        return stage_target(w, l, target);
    if (l->give->kind == GIVE_TABLE)
        return add_row(w, l, target);
    if (l->fd < 0)
        rc = open_output(w, l, message);
    if (rc <= WARN)
        rc = writer_write(&l->writer, target, &w->now);
    if (rc <= WARN)
        l->messages++;
    if (l->sink.error)
        return TEMP;
    if (l->give->each && l->fd >= 0) {
        int end = close_output(w, l);
        arena_reset(&l->arena);
        return end > rc ? end : rc;
    }
    sink_turn(&l->sink);
    beside_turn(l);
    return rc;
}

/* A table is written when all its rows are known; an unchanged one is left alone. */
static int end_table(struct work *w, struct lane *l)
{
    int rc = OK;
    if (!l->rows && l->give->replace && !l->give->empty_skip)
        l->rows = rows_new(w->arena, l->give);
    else if (!l->rows || !rows_changed(l->rows))
        return OK;
    rc = open_output(w, l, NULL);
    for (size_t i = 0; i < rows_count(l->rows) && rc <= WARN; i++) {
        rc = writer_write(&l->writer, rows_at(l->rows, i), &w->now);
        sink_turn(&l->sink);
    }
    if (rc == SKIP)                                 /* half a table helps nobody */
        rc = STOP;
    return rc <= WARN ? close_output(w, l) : rc;
}

/* What a mapping has updated: a table only when it changed. */
static int end_merge(struct work *w, struct lane *l)
{
    struct pool *p = l->merge->pool;
    int rc = OK;
    if (l->give->kind == GIVE_TABLE && !pool_changed(p))
        return OK;
    if (l->give->kind == GIVE_TABLE)
        rc = open_output(w, l, NULL);
    for (size_t i = 0; i < pool_count(p) && rc <= WARN; i++) {
        if (l->give->kind == GIVE_TABLE)
            rc = writer_write(&l->writer, pool_at(p, i), &w->now);
        else
            rc = lane_write(w, l, pool_at(p, i), NULL);
        sink_turn(&l->sink);
    }
    if (rc == SKIP)                                 /* half a table helps nobody */
        rc = STOP;
    return rc <= WARN && l->give->kind == GIVE_TABLE ? close_output(w, l) : rc;
}

int lane_end(struct work *w, struct lane *l)
{
    if (l->give->kind == GIVE_BATCH && !l->give->new_batch)
        return OK;                                  /* update mode has no rows at the end */
    if (w->job->calls.phase == CALL_NEXT)           /* one message of many: nothing is said of the file */
        return l->fd >= 0 ? close_output(w, l) : OK;
    if (l->give->original)
        return original_write(w, l);
    int rc = lane_finish(w, l);
    if (rc <= WARN && l->merge)
        rc = end_merge(w, l);
    if (rc > WARN || (l->merge && l->give->kind == GIVE_TABLE))
        return rc;
    if (l->give->kind == GIVE_TABLE)
        return end_table(w, l);
    if (l->give->kind == GIVE_BATCH)
        return OK;
    if (l->fd < 0 && !l->give->each && !l->give->empty_skip && !l->messages)
        rc = open_output(w, l, NULL);
    if (rc <= WARN && l->fd >= 0)
        rc = close_output(w, l);
    return rc;
}

void lane_abandon(struct lane *l)
{
    beside_drop(l);
    if (l->fd < 0)
        return;
    writer_drop(&l->writer);
    sink_release(&l->sink);
    close(l->fd);
    l->fd = -1;
}
