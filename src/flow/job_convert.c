#include "flow/work.h"

/* A file through gives: converted, merged into tables, or staged as a batch of its own. */

void work_wait_in_error(struct outcome *o)
{
    if (o->kind != OUTCOME_WAIT)
        return;
    o->kind = OUTCOME_REJECT;
    for (struct finding *f = o->first; f; f = f->next)
        if (f->kind == OUTCOME_WAIT)
            f->kind = OUTCOME_REJECT;
}

/* One message through check, map, report, note. */
static int take_message(struct work *w, int read, struct node *msg)
{
    struct outcome outcome = work_outcome(w);
    int rc = read;
    if (read == SKIP)
        work_refuse(w, &outcome);
    else {
        rc = step_check(w, msg, &outcome);
        if (rc <= WARN)
            rc = step_map(w, &msg, &outcome);
        if (rc == SKIP && outcome.kind < OUTCOME_SKIP)
            work_refuse(w, &outcome);
        if (w->op->take.kind == TAKE_INBOX)
            work_wait_in_error(&outcome);
    }
    if (rc >= STOP)
        return rc;
    if (!msg)
        msg = node_new(&w->message, w->op->message, w->reader.file);
    return work_conclude(w, msg, &outcome);
}

static void stage_nothing(struct work *w)
{
    struct slice own = site_text(w->site, "NOTHING_STAGED");
    problem_add(&w->now, &(struct problem){ .severity = PROBLEM_NOTE, .code = "NOTHING_STAGED", .place = PLACE_NONE,
                .text = own.p ? own : SLICE("no message of the file was staged") });
}

static int end(struct work *w)
{
    work_begin(w);
    int rc = work_lanes_end(w);
    if (rc < STOP && w->stage)
        rc = stage_end(w->stage);
    if (rc < STOP && w->stage && !w->stage->output)
        stage_nothing(w);
    if (rc < STOP)
        rc = step_set_aside(w);
    return rc < STOP ? step_note_end(w) : rc;
}

int job_convert(struct work *w)
{
    struct stage stage;
    int rc = work_lanes(w);
    if (w->op->stage && w->op->stage->on) {
        stage_begin(&stage, w, w->job->batch, -1, 0);
        w->stage = &stage;
    }
    if (rc <= WARN)
        rc = work_read(w, take_message);
    if (rc <= WARN)
        rc = end(w);
    if (w->stage)
        stage_drop(w->stage);
    w->stage = NULL;
    return rc;
}
