#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "batch/wave.h"
#include "flow/super.h"
#include "store/archive.h"

/* A trip may be touched while it waits: nothing of it is in anybody's hands. */
static bool waits(const struct trip *t)
{
    return (t->state == TRIP_QUEUED || t->state == TRIP_WRITTEN) && !t->helper;
}

/* What the history of a batch says of who asked: with the request, so that it is carried out once. */
static struct slice who(struct asked *k)
{
    const struct slice by = k->request->by;
    return by.n ? arena_printf(&k->arena, "request %.*s by %.*s", SLICE_ARG(k->request->id), SLICE_ARG(by))
                : arena_printf(&k->arena, "request %.*s", SLICE_ARG(k->request->id));
}

/* Carried out by a process that died before it could say so. */
static bool carried_out(struct asked *k, const struct waybill *w)
{
    struct slice head = arena_printf(&k->arena, "request %.*s", SLICE_ARG(k->request->id));
    for (const struct waybill_event *e = w->history; e; e = e->next)
        if (slice_starts(e->detail, head) && (e->detail.n == head.n || e->detail.p[head.n] == ' '))
            return true;
    return false;
}

static int cancel(struct supervisor *s, struct trip *t, struct slice by)
{
    const struct flow *f = site_flow(s->site, t->b->w->flow);
    int rc = batch_cancel(t->b, by, s->ps);
    if (rc > WARN)
        return rc;
    if (t->b->w->place != PLACE_ERROR && f) {
        trip_clear(s, t);
        if (!t->op)
            trip_add(s, t, &s->by_hand[f->index].amend);
        step_archive_soon(s, t);
        return OK;
    }
    s->report->rejected++;
    notice(s, "cancelled", t);
    trip_free(s, t);
    return OK;
}

/* Trip or not: what each request does to a batch that nobody has in hand.  When that cannot be written down nothing has
   changed, and the request is carried out at a later turn. */
static int touch(struct supervisor *s, struct asked *k, struct trip *t)
{
    struct slice by = who(k);
    struct batch_memory before;
    int rc;
    if (carried_out(k, t->b->w))
        return OK;
    batch_remember(t->b, &before);
    switch (k->request->kind) {
    case REQUEST_HOLD:
        rc = batch_hold(t->b, by, s->ps);
        break;
    case REQUEST_RELEASE:
        rc = batch_release(t->b, by, s->ps);
        break;
    case REQUEST_RENEW:
        rc = batch_renew(t->b, s->config, by, s->ps);
        break;
    default:
        rc = batch_retry_now(t->b, by, s->ps);
        break;
    }
    if (rc <= WARN)
        open_note(s, t->b->w);
    else
        batch_recall(t->b, &before, s->ps);
    batch_forget_memory(&before);
    return rc;
}

/* The operation that was refused last may be tried again. */
static const struct operation *refused_last(const struct supervisor *s, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    const struct waybill_run *last = NULL;
    for (const struct waybill_run *r = w->runs; r; r = r->next)
        if (!last || slice_compare(r->time, last->time) >= 0)
            last = r;
    bool again = last && f && slice_is(last->outcome, "refused");
    const struct operation *op = again ? flow_operation(f, last->operation) : NULL;
    return op && op->take.kind == TAKE_BATCH ? op : NULL;
}

/* The id of the batch to make is noted before it is made, so that a crash makes it once. */
static int note_anew(struct supervisor *s, struct asked *k, struct batch *b, char id[BATCH_ID_SIZE])
{
    struct slice head = arena_printf(&k->arena, "%.*s -> ", SLICE_ARG(k->request->id));
    for (const struct waybill_event *e = b->w->history; e; e = e->next) {
        if (!slice_is(e->what, "asked") || !slice_starts(e->detail, head))
            continue;
        struct slice noted = { e->detail.p + head.n, e->detail.n - head.n };
        snprintf(id, BATCH_ID_SIZE, "%.*s", noted.n < BATCH_ID_SIZE ? (int)noted.n : 0, noted.p);
        if (spool_id_valid(id))
            return OK;
    }
    batch_new_id(&s->places, id);
    batch_note(b, "asked", arena_printf(b->arena, "%.*s%s", SLICE_ARG(head), id));
    return batch_save(b, s->ps);
}

static int make_anew(struct supervisor *s, struct asked *k, const struct batch *b, const char *id,
                     const struct operation *op)
{
    struct trip *t = trip_new(s);
    int fd = -1, rc = batch_input(b, &fd, s->ps);
    if (rc == OK) {
        struct batch_accept how = accept_terms(s, op);
        how.id = id;
        how.from = &fd;
        how.parent = b->w->batch;
        how.with = b;
        how.asked = arena_cstr(&k->arena, k->request->id);
        how.by = k->request->by;
        how.sets = b->w->run_sets;
        rc = batch_create(&s->places, &t->arena, &how, b->w->name, slice_none(), &t->b, s->ps);
    }
    if (fd >= 0)
        close(fd);
    if (rc != OK) {
        trip_free(s, t);
        return rc;
    }
    trip_add(s, t, op);
    s->report->batches++;
    notice(s, "created", t);
    return OK;
}

/* A file that was set aside comes again, as a batch of its own: what lies in error/ stays what it was. */
static int anew(struct supervisor *s, struct asked *k, struct batch *b, char id[BATCH_ID_SIZE])
{
    const struct flow *f = site_flow(s->site, b->w->flow);
    const struct operation *op = f ? flow_operation(f, b->w->operation) : NULL;
    id[0] = '\0';
    if (!op || op->take.kind != TAKE_INBOX) {
        problem_addf(s->ps, PROBLEM_ERROR, "OPERATION_GONE", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                     "its operation is not in the site any more");
        return STOP;
    }
    int rc = note_anew(s, k, b, id);
    if (rc == OK)
        rc = batch_known(&s->places, id, s->ps);
    return rc == END ? make_anew(s, k, b, id, op) : rc;
}

/* An operation on the batch that is named. */
static int begin(struct supervisor *s, struct asked *k, const struct operation *op)
{
    int rc = due_begin(s, k->batch, op, k);
    k->begun = rc == OK;
    return rc == OK || rc == TEMP ? rc : asked_answer_with(s, k, rc == SKIP ? OK : STOP, "done");
}

static int retry(struct supervisor *s, struct asked *k, struct trip *t)
{
    const struct operation *op = refused_last(s, t->b->w);
    char id[BATCH_ID_SIZE];
    if (t->b->w->place == PLACE_ERROR) {
        int rc = anew(s, k, t->b, id);
        return asked_answer_of(s, k, rc, arena_copy(&k->arena, slice_of(id)), "created");
    }
    if (!op || !batch_is_open(t->b->w) || t->b->w->operation.n)
        return asked_answer_with(s, k, touch(s, k, t), "retried");
    return begin(s, k, op);
}

/* Whether the batch is open and its flow has something under way that may change it. */
static bool busy(const struct supervisor *s, const char *id)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct open *o = s->opens[i].first; o; o = o->next)
            if (strcmp(o->id, id) == 0)
                return sched_busy(s, s->site->flows[i]);
    return false;
}

/* Takes the trip. */
static int act_on(struct supervisor *s, struct asked *k, struct trip *t)
{
    const struct flow *f = site_flow(s->site, t->b->w->flow);
    enum request_kind kind = k->request->kind;
    int rc;
    if (kind == REQUEST_CANCEL) {
        bool over = carried_out(k, t->b->w);
        rc = over ? OK : cancel(s, t, who(k));
        if (over || rc > WARN)
            trip_free(s, t);
        return asked_answer_with(s, k, rc, "cancelled");
    }
    if ((kind == REQUEST_AMEND || kind == REQUEST_RESEND) && f && batch_is_open(t->b->w))
        rc = begin(s, k, kind == REQUEST_AMEND ? &s->by_hand[f->index].amend : &s->by_hand[f->index].resend);
    else if (kind == REQUEST_AMEND || kind == REQUEST_RESEND)
        rc = asked_refuse(s, k, "BATCH_CLOSED", SLICE("only a batch that is open can be changed or sent again"));
    else if (kind == REQUEST_HOLD)
        rc = asked_answer_with(s, k, touch(s, k, t), "held");
    else if (kind == REQUEST_RENEW)
        rc = asked_answer_with(s, k, touch(s, k, t), "renewed");
    else if (kind == REQUEST_RELEASE) {
        rc = touch(s, k, t);
        rc = asked_answer_with(s, k, rc <= WARN ? resume_batch(s, k->batch) : rc, "released");
    } else
        rc = retry(s, k, t);
    trip_free(s, t);
    return rc;
}

/* Its life ended with it, or soon after, before that could be said: what is to be answered.  OK: NULL when that was not
   so; STOP: the zip cannot be believed, so nobody knows. */
static int carried_out_before(struct supervisor *s, struct asked *k, const char **out)
{
    static const char *const what[] = {
        [REQUEST_HOLD] = "held", [REQUEST_RELEASE] = "released", [REQUEST_CANCEL] = "cancelled",
        [REQUEST_RETRY] = "retried", [REQUEST_RENEW] = "renewed",
    };
    struct waybill *w;
    enum request_kind kind = k->request->kind;
    const char *done = kind < sizeof what / sizeof *what ? what[kind] : NULL;
    *out = NULL;
    int rc = done ? batch_find(&s->places, &k->arena, k->batch, &w, s->ps) : END;
    if (rc == OK && carried_out(k, w))
        *out = done;
    if (rc == TEMP)
        return TEMP;
    return done && rc != OK && archived_exists(&s->store, k->batch) ? STOP : OK;
}

int asked_unknown(struct supervisor *s, struct asked *k)
{
    return asked_refuse(s, k, "ARCHIVE_DAMAGED", arena_printf(&k->arena,
                        "batch %s is archived and its zip cannot be read: nothing is done with it any more, and whether that "
                        "was done before cannot be told (`waybill fsck`)", k->batch));
}

static struct slice closed_text(const struct supervisor *s, struct asked *k)
{
    const char *way = faccessat(s->spool.error, k->batch, F_OK, AT_SYMLINK_NOFOLLOW) == 0
        ? arena_printf(&k->arena, "what was refused of it lies in error/%s: mend that and drop it again", k->batch).p
        : "its file lies in the zip and can be dropped again (`waybill where`)";
    return arena_printf(&k->arena, "batch %s is archived, nothing is done with it any more: %s", k->batch, way);
}

/* A batch that lies somewhere, in nobody's hands. */
static int act_on_disk(struct supervisor *s, struct asked *k)
{
    struct trip *t = trip_new(s);
    int rc = batch_open(&s->places, &t->arena, k->batch, &t->b, s->ps);
    if (rc == OK)
        return act_on(s, k, t);
    trip_free(s, t);
    if (rc == TEMP)
        return rc;
    const char *done;
    rc = carried_out_before(s, k, &done);
    if (rc == TEMP)
        return rc;
    if (rc != OK)
        return asked_unknown(s, k);
    if (done)
        return asked_answer_with(s, k, OK, done);
    if (archived_exists(&s->store, k->batch))
        return asked_refuse(s, k, "BATCH_CLOSED", closed_text(s, k));
    return asked_refuse(s, k, "BATCH_NONE", arena_printf(&k->arena, "there is no batch %s that anything could be done with",
                                                         k->batch));
}

/* It waits on. */
static int touch_on(struct supervisor *s, struct asked *k, struct trip *t)
{
    int rc = touch(s, k, t);
    trip_folder_close(t);
    return rc;
}

/* What is set aside in its waybill alone is no trip any more: the next turn finds it on the disk. */
static int cancel_trip(struct supervisor *s, struct asked *k, struct trip *t)
{
    int rc = carried_out(k, t->b->w) ? OK : cancel(s, t, who(k));
    if (rc == TEMP && t->b->w->place == PLACE_ERROR)
        trip_free(s, t);
    else if (rc > WARN)
        trip_folder_close(t);
    return rc;
}

/* What can be done to a batch while an operation of it waits; an operation of its own comes when that is over. */
static bool acts_on_trip(enum request_kind kind)
{
    return kind == REQUEST_CANCEL || kind == REQUEST_HOLD || kind == REQUEST_RETRY || kind == REQUEST_RELEASE
        || kind == REQUEST_RENEW;
}

/* One that waits for its next attempt, or in the queue of its flow. */
static int act_on_trip(struct supervisor *s, struct asked *k, struct trip *t)
{
    if (!waits(t) || !acts_on_trip(k->request->kind))
        return OK;                                  /* when that is over */
    int rc = batch_folder_open(t->b, s->ps);
    if (rc > WARN)
        return asked_answer_with(s, k, rc, "");
    switch (k->request->kind) {
    case REQUEST_CANCEL:
        return asked_answer_with(s, k, cancel_trip(s, k, t), "cancelled");
    case REQUEST_HOLD:
        rc = touch(s, k, t);
        if (rc > WARN)
            trip_folder_close(t);
        else {
            notice(s, "held", t);
            trip_free(s, t);
        }
        return asked_answer_with(s, k, rc, "held");
    case REQUEST_RETRY:
        rc = touch_on(s, k, t);
        if (rc <= WARN)
            t->due = 0;
        return asked_answer_with(s, k, rc, "retried");
    case REQUEST_RELEASE:
        return asked_answer_with(s, k, touch_on(s, k, t), "released");
    default:
        return asked_answer_with(s, k, touch_on(s, k, t), "renewed");
    }
}

int asked_act(struct supervisor *s, struct asked *k)
{
    struct trip *t = trip_of(s, k->batch);
    if (k->begun || k->trips) {                     /* begun before a crash */
        k->begun = true;
        return OK;
    }
    if (t)
        return act_on_trip(s, k, t);
    bool at_once = k->request->kind == REQUEST_HOLD || k->request->kind == REQUEST_RELEASE;
    return at_once || !busy(s, k->batch) ? act_on_disk(s, k) : OK;
}


bool asked_may_act(const struct supervisor *s, const struct asked *k)
{
    const struct trip *t = trip_of(s, k->batch);
    if (!t && !waves_taken(s) && batch_afloat(&s->places, k->batch))
        return false;                               /* it is one soon */
    return t ? waits(t) && acts_on_trip(k->request->kind) : !busy(s, k->batch);
}
