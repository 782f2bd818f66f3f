#include <stdio.h>
#include <unistd.h>

#include "batch/lines.h"
#include "flow/super.h"

/*
 * A run of an operation with `serial yes` goes from call to call: each job writes one, the waybill says whose answer is
 * awaited, the answer comes as a batch of its own and makes the operation due again.  All of it is in the waybill
 * (w->calls): after a crash the run goes on from there.
 */

struct open *calls_open(const struct supervisor *s, const struct flow *f)
{
    struct open *o = flow_stages(f) ? s->opens[f->index].first : NULL;
    while (o && !o->calls)
        o = o->next;
    return o;
}

bool calls_go_on(const struct waybill *w, const struct operation *op)
{
    return op->serial && slice_equal(w->calls.operation, op->name);
}

static enum call_phase phase_of(const struct trip *t)
{
    if (!t->op->serial)
        return CALL_NONE;
    return t->last || (calls_go_on(t->b->w, t->op) && t->b->w->calls.last) ? CALL_LAST : CALL_NEXT;
}

/* ---- what a worker is told -------------------------------------------------------------------------------------- */

const struct operation *calls_answer(const struct supervisor *s, const struct operation *op, const struct open **of)
{
    const struct flow *f = op->flow;
    const struct open *o = calls_open(s, f);
    *of = NULL;
    if (!op->answers->operation->serial)
        return op;                                  /* nobody waits: its keys say whose answer it is */
    const struct operation *calls = o && o->awaits ? flow_operation(f, slice_of(o->call_operation)) : NULL;
    const struct give *g = calls && o->call_give < calls->ngives ? calls->gives[o->call_give] : NULL;
    *of = o;
    if (!g || !g->answer || !slice_equal(g->answer->operation->take.folder, op->take.folder))
        return NULL;
    return g->answer->operation;
}

void calls_of(struct supervisor *s, struct trip *t, struct job *j)
{
    const struct waybill_calls *c = &t->b->w->calls;
    const struct open *o;
    j->calls.phase = phase_of(t);
    if (j->calls.phase != CALL_NONE && calls_go_on(t->b->w, t->op)) {
        j->calls.message = c->message;
        j->calls.give = c->give;
        j->calls.over = c->over == 1;
        j->calls.late = c->over == 2;
    }
    if (t->op->answers && calls_answer(s, t->op, &o) == t->op && o) {
        j->asked = slice_of(o->id);
        j->asked_message = o->call_message;
    }
}

/* ---- what a job has done ---------------------------------------------------------------------------------------- */

/* Nothing was called for and nothing said: nothing need be written before the last job of the run. */
bool calls_last(struct supervisor *s, struct trip *t)
{
    if (phase_of(t) != CALL_NEXT || t->files || t->result->called)
        return false;
    t->last = true;
    t->result = NULL;
    trip_to(s, t, TRIP_QUEUED);
    return true;
}

void calls_note(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    struct waybill_calls *c = &w->calls;
    const struct result *r = t->result;
    enum call_phase phase = phase_of(t);
    if (phase == CALL_NONE && !slice_equal(c->operation, t->op->name))
        return;
    if (phase != CALL_NEXT) {                       /* or it makes no calls any more: the site was changed */
        *c = (struct waybill_calls){ .operation = slice_none() };
        return;
    }
    if (!calls_go_on(w, t->op))
        *c = (struct waybill_calls){ .operation = t->op->name, .since = w->batch_time };
    c->over = 0;
    c->asked = c->until = slice_none();
    c->last = !r->called;
    if (!r->called || r->call_give >= t->op->ngives || !t->op->gives[r->call_give]->answer)
        return;
    int64_t within = t->op->gives[r->call_give]->answer->within;
    c->message = r->call_message;
    c->key = arena_copy(w->arena, r->call_key);
    c->give = r->call_give;
    c->asked = batch_stamp(&s->places, w->arena);
    c->until = within ? batch_stamp_in(&s->places, w->arena, within) : slice_none();
}

/* ---- what an answer has done ------------------------------------------------------------------------------------ */

struct finding_answer {
    struct slice key;
    bool found, refused;
};

static int look_at(void *owner, const struct line_read *l)
{
    struct finding_answer *x = owner;
    if (!slice_equal(l->key, x->key))
        return OK;
    x->found = true;
    x->refused = x->refused || !slice_is(l->state, "done");
    return OK;
}

int calls_heard(struct supervisor *s, const struct trip *t, const struct batch *into, enum call_heard *out)
{
    struct finding_answer x = { .key = into->w->calls.key };
    struct arena a;
    int rc = OK;
    *out = CALL_UNHEARD;
    if (!t->op->answers || !into->w->calls.asked.p)
        return OK;
    arena_init(&a, 0);
    for (const struct waybill_file *f = t->b->w->files; f && rc == OK; f = f->next)
        if (slice_is(f->kind, "log") && slice_is(f->name, into->id))
            rc = lines_read(t->b->dir, f, &a, look_at, &x, s->ps);
    arena_release(&a);
    if (x.found)
        *out = x.refused ? CALL_REFUSED : CALL_HEARD;
    return rc;
}

void calls_answered(const struct trip *t, struct batch *into, enum call_heard heard)
{
    struct waybill *w = into->w;
    if (heard == CALL_UNHEARD)
        return;
    w->calls.asked = w->calls.until = slice_none();
    w->calls.over = heard == CALL_REFUSED;
    if (slice_is(w->waits, "answer"))
        w->waits = SLICE("open");
    waybill_due(w, w->calls.operation, arena_printf(w->arena, "answer %s", t->b->id));
}

/* ---- an answer that does not come ------------------------------------------------------------------------------- */

static int give_up_on(struct supervisor *s, const struct open *o)
{
    struct arena a;
    struct batch *b;
    arena_init(&a, 0);
    int rc = batch_open(&s->places, &a, o->id, &b, s->ps);
    if (rc == OK) {
        struct waybill_calls *c = &b->w->calls;
        c->asked = c->until = slice_none();
        c->over = 2;
        b->w->waits = SLICE("open");
        waybill_due(b->w, c->operation, SLICE("answer late"));
        batch_note(b, "answer late", c->key);
        rc = batch_save(b, s->ps);
        open_note(s, b->w);
        batch_close(b);
    }
    arena_release(&a);
    return rc == END ? OK : rc;
}

/* An answer that lies in the inbox already is not late. */
static bool comes(const struct supervisor *s, const struct flow *f)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].op->flow == f && s->intakes[i].op->answers && s->intakes[i].at < s->intakes[i].nready)
            return true;
    return false;
}

/* The site was changed: what called for it is not there any more. */
static bool gone(const struct flow *f, const struct open *o)
{
    const struct operation *op = flow_operation(f, slice_of(o->call_operation));
    return !op || !op->serial || o->call_give >= op->ngives || !op->gives[o->call_give]->answer;
}

/* The batch whose answer is awaited, but not for ever. */
static const struct open *limited(const struct supervisor *s, const struct flow *f)
{
    const struct open *o = f->on && !f->off ? calls_open(s, f) : NULL;
    if (!o || !o->awaits || o->held || sched_busy(s, f))
        return NULL;
    return o->until[0] || gone(f, o) ? o : NULL;
}

int64_t calls_due(const struct supervisor *s)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < s->site->nflows; i++) {
        const struct open *o = limited(s, s->site->flows[i]);
        int64_t rest = o ? batch_until_ms(&s->places, slice_of(o->until)) : INT64_MAX;
        least = rest < least ? rest : least;
    }
    return least < 100 ? 100 : least;               /* one that is late now was seen a moment ago */
}

int calls_turn(struct supervisor *s)
{
    int rc = OK;
    for (size_t i = 0; i < s->site->nflows; i++) {
        const struct open *o = limited(s, s->site->flows[i]);
        if (o && batch_until_ms(&s->places, slice_of(o->until)) == 0 && !comes(s, s->site->flows[i]))
            rc = status_worse(rc, give_up_on(s, o));
    }
    return rc;
}
