#include <unistd.h>

#include "base/map.h"
#include "flow/work.h"

/* The staged document of a batch, or the content of a table, through gives; what was taken is stamped. */

struct selecting {
    struct map keys;                /* key as people write it → the flag that it was seen */
    bool *seen;
    bool any;
};

struct staged {
    struct work *work;
    struct stage stage;
    struct selecting selected;
};

static void select_keys(struct staged *x)
{
    const struct job *job = x->work->job;
    struct selecting *s = &x->selected;
    map_init(&s->keys, x->work->arena);
    s->any = job->nselection > 0;
    s->seen = arena_zero(x->work->arena, job->nselection + 1);
    for (size_t i = 0; i < job->nselection; i++)
        map_put(&s->keys, job->selection[i], &s->seen[i]);
}

static bool is_selected(struct staged *x, const struct node *message)
{
    struct slice key = x->selected.any ? note_key(&x->work->message, message) : slice_none();
    bool *seen = key.n ? map_get(&x->selected.keys, key) : NULL;
    if (seen)
        *seen = true;
    return !x->selected.any || seen;
}

static int check_selection(struct staged *x)
{
    const struct job *job = x->work->job;
    int rc = OK;
    for (size_t i = 0; i < job->nselection; i++)
        if (!x->selected.seen[i]) {
            problem_add(&x->work->now, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SELECT_UNKNOWN",
                        .place.offset = PLACE_NO_OFFSET, .value = job->selection[i],
                        .text = SLICE("is the key of no message of the batch"),
                        .hint = SLICE("`waybill show` tells the keys") });
            rc = STOP;
        }
    return rc;
}

static int damaged(struct work *w)
{
    problem_addf(&w->now, PROBLEM_ERROR, "STAGE_DAMAGED", (struct place){ .offset = PLACE_NO_OFFSET },
                 "message %llu of the staged document cannot be read", (unsigned long long)w->reader.messages);
    return STOP;
}

/* Gives, reports, stamps; then what is left of it is in its tree. */
static int run_message_through(struct work *w, struct node **message, struct outcome *now)
{
    struct slice key = note_key(&w->message, *message);
    int rc = step_map(w, message, now);
    struct node *msg = *message;
    if (rc == SKIP && now->kind < OUTCOME_SKIP)
        work_refuse(w, now);
    if (rc >= STOP)
        return rc;
    w->judged = w->judged || now->first;
    bool said = w->op->serial ? now->first != NULL : w->judged;     /* or what the calls of the run came to */
    rc = step_report(w, msg, said ? now : latest_of(w, key, w->reader.messages), said ? now : NULL);
    if (rc < STOP && now->kind < OUTCOME_WAIT)
        step_done(w);
    return rc < STOP ? OK : rc;                     /* a report refuses nothing */
}

/* An operation that runs by itself says nothing twice in a row. */
static int note(struct work *w, const struct node *msg, const struct outcome *o)
{
    bool judging = false;
    for (size_t i = 0; i < w->op->ngives; i++)
        judging = judging || (w->lanes[i].give && w->lanes[i].give->judges);
    if (!w->judged && judging)
        return OK;
    if (!w->judged || (w->op->every && !w->changed
                       && latest_same(w, note_key(&w->message, msg), w->reader.messages, o))) {
        note_count(w, o);
        return OK;
    }
    return step_note(w, msg, o);
}

/* What has changed is put in its place. */
static int keep(struct work *w, struct node *msg, struct span place, int rc)
{
    int kept = w->changed ? stage_put(w->stage, msg, place) : stage_stay(w->stage, msg);
    return w->changed || kept > WARN ? kept : rc;
}

/* Behind the place to which the run has come, up to the first message that is called for. */
static int call_for(struct work *w, struct node *msg, struct span place)
{
    const struct call_place *at = &w->job->calls;
    struct outcome now = work_outcome(w);
    if (w->result->called || w->reader.messages < at->message || (w->reader.messages == at->message && at->over))
        return stage_stay(w->stage, msg);
    w->result->messages++;
    int rc = step_call(w, &msg, &now);
    if (rc == SKIP && now.kind < OUTCOME_SKIP)
        work_refuse(w, &now);
    if (rc < STOP)
        rc = keep(w, msg, place, rc);
    if (rc >= STOP || !now.first)
        return rc;
    w->judged = true;
    return note(w, msg, &now);
}

static int take_staged(struct work *w, int read, struct node *msg)
{
    struct staged *x = w->data;
    struct outcome now = work_outcome(w);
    if (read == SKIP)
        return damaged(w);
    struct span place = { msg->at, msg->end };
    int rc = stage_see(w->stage, msg);
    if (rc > WARN)
        return rc;
    if (!is_selected(x, msg))
        return stage_stay(w->stage, msg);
    if (w->job->calls.phase == CALL_NEXT)
        return call_for(w, msg, place);
    w->result->messages++;
    rc = run_message_through(w, &msg, &now);
    if (rc >= STOP)
        return rc;
    rc = keep(w, msg, place, rc);
    if (rc == SKIP && now.kind < OUTCOME_SKIP)
        work_refuse(w, &now);
    return rc < STOP ? note(w, msg, &now) : rc;
}

static int end(struct work *w, struct staged *x)
{
    work_begin(w);
    int rc = check_selection(x);
    if (rc < STOP)
        rc = work_lanes_end(w);
    if (rc < STOP)
        rc = stage_end(&x->stage);
    if (rc < STOP && !x->stage.output && w->op->take.kind == TAKE_BATCH)
        w->result->nstates = stage_states(&x->stage, &w->result->states);
    return rc < STOP ? step_note_end(w) : rc;
}

int job_stage(struct work *w)
{
    struct staged x = { .work = w };
    stage_begin(&x.stage, w, w->job->batch, w->job->fd, 0);
    if (w->op->take.kind == TAKE_TABLE) {
        x.stage.table = w->op->take.table;
        x.stage.format = w->format;
        x.stage.file = w->reader.file;
    }
    w->stage = &x.stage;
    w->data = &x;
    select_keys(&x);
    int rc = work_lanes(w);
    if (rc <= WARN)
        rc = latest_load(w);
    if (rc <= WARN)
        rc = latest_report(w);
    if (rc <= WARN && !work_is_empty(w))
        rc = work_read(w, take_staged);
    if (rc <= WARN)
        rc = end(w, &x);
    stage_drop(&x.stage);
    w->stage = NULL;
    return rc;
}
