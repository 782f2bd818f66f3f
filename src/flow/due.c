#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/super.h"

#define SHUT_MS (15 * 1000)         /* until what could not be opened is tried again */
#define PAUSE_MS 5000               /* until anything is tried again after a fault of the world: a full disk */

const struct operation *due_operation(const struct supervisor *s, const struct flow *f, struct slice name)
{
    const struct operation *op = flow_operation(f, name);
    const struct by_hand *h = &s->by_hand[f->index];
    if (op)
        return op;
    return slice_equal(name, h->amend.name) ? &h->amend : slice_equal(name, h->resend.name) ? &h->resend : NULL;
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

/* One that cannot be opened is passed over for a while. */
static int open_due(struct supervisor *s, struct trip *t, const char *id)
{
    int rc = batch_open(&s->places, &t->arena, id, &t->b, s->ps);
    struct open *o = rc == TEMP ? open_find(s, id) : NULL;
    if (o)
        o->shut = clock_monotonic_ms() + SHUT_MS;
    return rc;
}

bool due_shut(const struct open *o)
{
    return o->shut && o->shut > clock_monotonic_ms();
}

/* The trip is in hand from here on; what goes wrong frees it. */
static int take_on(struct supervisor *s, struct trip *t, const struct operation *op, int rc)
{
    if (rc != OK) {
        trip_free(s, t);
        return rc == STOP ? END : rc;
    }
    t->delivered = false;
    trip_to(s, t, TRIP_QUEUED);
    trip_add(s, t, op);
    s->report->batches++;
    if (!t->quiet)
        notice(s, "begun", t);
    return OK;
}

static struct waybill_param *copied(struct arena *a, const struct waybill_param *of)
{
    struct waybill_param *list = NULL;
    for (; of; of = of->next)
        waybill_param(&list, a, of->name, of->value);
    return list;
}

/* What the command said goes into the waybill in the same save that makes the operation begin. */
static void note_request(struct batch *b, const struct request *r, const struct operation *op)
{
    struct waybill *w = b->w;
    w->run_sets = copied(w->arena, r->sets);
    w->run_keys = copied(w->arena, r->keys);
    w->run_amends = NULL;
    for (const struct waybill_amend *m = r->amends; m; m = m->next)
        waybill_amend(&w->run_amends, w->arena, m);
    if (r->kind == REQUEST_RESEND)
        waybill_param(&w->run_sets, w->arena, SLICE("operation"), r->operation);
    batch_note(b, "asked", arena_printf(w->arena, "%.*s by %.*s", SLICE_ARG(r->id), SLICE_ARG(r->by)));
    waybill_due(w, op->name, arena_printf(w->arena, "request %.*s", SLICE_ARG(r->id)));
}

int due_begin(struct supervisor *s, const char *id, const struct operation *op, struct asked *k)
{
    struct trip *t = trip_new(s);
    int rc = open_due(s, t, id);
    if (rc == OK && request_noted(t->b->w, arena_cstr(&t->arena, k->request->id)))
        rc = SKIP;
    if (rc == OK) {
        note_request(t->b, k->request, op);
        rc = batch_begin(t->b, op->name, s->ps);
    }
    if (rc == OK) {
        t->asked = k;
        k->trips++;
    }
    return take_on(s, t, op, rc);
}

/* By itself and again and again: nothing is written down before it does something. */
static int begin_quietly(struct supervisor *s, const struct open *o, const struct operation *op, const char *why)
{
    struct trip *t = trip_new(s);
    int rc = open_due(s, t, o->id);
    if (rc == OK) {
        waybill_due(t->b->w, op->name, slice_of(why));
        t->b->lazy = t->quiet = true;
        rc = batch_begin(t->b, op->name, s->ps);
    }
    return take_on(s, t, op, rc);
}

/* --- operations that take a table --------------------------------------------------------------------------------- */

/* Its input comes when a worker is ready for it (job.c): the table may change until then. */
static int make_batch(struct supervisor *s, const struct operation *op, const char *id, const struct batch *cause,
                      struct asked *k)
{
    struct trip *t = trip_new(s);
    struct batch_accept how = accept_terms(s, op);
    const char *path = op->take.table->path;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    how.id = id;
    how.from = &fd;
    how.parent = cause ? cause->w->batch : slice_none();
    if (k) {
        how.asked = arena_cstr(&t->arena, k->request->id);
        how.by = k->request->by;
        how.sets = k->request->sets;
    }
    int rc = fd < 0 ? problem_system(s->ps, path, "the table cannot be read", errno)
                    : batch_create(&s->places, &t->arena, &how, slice_of(file_base(path)), slice_none(), &t->b, s->ps);
    if (fd >= 0)
        close(fd);
    if (rc > WARN) {
        trip_free(s, t);
        return fd < 0 && k ? STOP : rc;             /* whoever asked is told */
    }
    if (k) {
        t->asked = k;
        k->trips++;
    }
    trip_add(s, t, op);
    s->report->batches++;
    notice(s, "created", t);
    return OK;
}

/* Only what is surely not there is left out: in doubt the batch is made, and tells. */
static bool has_file(const struct operation *op)
{
    const struct site_table *t = op->take.table;
    return t->kind == TABLE_FILE && (faccessat(AT_FDCWD, t->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT);
}

int due_table(struct supervisor *s, const struct operation *op, struct asked *k)
{
    char id[BATCH_ID_SIZE];
    if (!has_file(op))
        return END;
    batch_new_id(&s->places, id);
    return make_batch(s, op, id, NULL, k);
}

/* "20261122-034431-12-7 after import": the id of the batch to make is noted before it is made, so that a crash makes
   it once. */
static bool noted_id(struct slice why, char id[BATCH_ID_SIZE])
{
    size_t n = 0;
    while (n < why.n && why.p[n] != ' ')
        n++;
    if (n >= BATCH_ID_SIZE)
        return false;
    snprintf(id, BATCH_ID_SIZE, "%.*s", (int)n, why.p);
    return spool_id_valid(id);
}

/* Of what is due because of this batch, what takes a table: all ids first, then the batches. */
static int make_tables(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    char id[BATCH_ID_SIZE];
    bool fresh = false;
    int rc = OK;
    for (struct waybill_param *d = w->due; d; d = d->next) {
        const struct operation *op = due_operation(s, t->op->flow, d->name);
        if (!op || op->take.kind != TAKE_TABLE || noted_id(d->value, id))
            continue;
        batch_new_id(&s->places, id);
        d->value = arena_printf(w->arena, "%s %.*s", id, SLICE_ARG(d->value));
        fresh = true;
    }
    if (fresh)
        rc = batch_save(t->b, s->ps);
    for (struct waybill_param *d = w->due; d && rc <= WARN; d = d->next) {
        const struct operation *op = due_operation(s, t->op->flow, d->name);
        if (!op || op->take.kind != TAKE_TABLE || !noted_id(d->value, id))
            continue;
        int known = batch_known(&s->places, id, s->ps);
        if (known == TEMP)
            rc = TEMP;
        else if (known == END && has_file(op))
            rc = make_batch(s, op, id, t->b, NULL);
    }
    return rc;
}

/* They are made: in the save that ends the operation they are due no more.  A batch that goes to the archive from here
   keeps them with their ids, for when that fails and is tried again. */
static void tables_made(struct supervisor *s, struct trip *t)
{
    struct waybill_param **link = &t->b->w->due;
    while (*link) {
        const struct operation *op = due_operation(s, t->op->flow, (*link)->name);
        if (op && op->take.kind == TAKE_TABLE)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

/* --- what an operation makes due ---------------------------------------------------------------------------------- */

static bool comes_after(const struct operation *op, const struct operation *done)
{
    for (size_t i = 0; i < op->nafter && op->on; i++)
        if (slice_equal(op->after[i], done->name))
            return true;
    return false;
}

static struct slice reason(struct arena *a, const struct operation *done)
{
    return arena_printf(a, "after %.*s", SLICE_ARG(done->name));
}

/* Again after a crash: what is due for that reason already is not added. */
static void add_due(struct waybill *w, const struct operation *op, struct slice why)
{
    for (const struct waybill_param *d = w->due; d; d = d->next)
        if (slice_equal(d->name, op->name) && d->value.n >= why.n &&
            memcmp(d->value.p + d->value.n - why.n, why.p, why.n) == 0)
            return;
    waybill_due(w, op->name, why);
}

/* To a batch: the operations that take it. */
static void batch_due_after(struct waybill *w, const struct operation *done)
{
    const struct flow *f = done->flow;
    for (size_t i = 0; i < f->noperations; i++)
        if (f->operations[i]->take.kind == TAKE_BATCH && comes_after(f->operations[i], done))
            add_due(w, f->operations[i], reason(w->arena, done));
}

static void tables_due_after(struct waybill *w, const struct operation *done)
{
    const struct flow *f = done->flow;
    for (size_t i = 0; i < f->noperations; i++)
        if (f->operations[i]->take.kind == TAKE_TABLE && comes_after(f->operations[i], done))
            add_due(w, f->operations[i], reason(w->arena, done));
}

static bool gives_batch(const struct operation *op)
{
    for (size_t g = 0; g < op->ngives; g++)
        if (op->gives[g]->kind == GIVE_BATCH)
            return true;
    return op->take.kind == TAKE_BATCH;
}

bool due_follows(const struct operation *done)
{
    for (size_t i = 0; i < done->flow->noperations; i++)
        if (comes_after(done->flow->operations[i], done))
            return true;
    return false;
}

/* After an operation that touches no batch: every open one of the flow. */
static int all_due_after(struct supervisor *s, const struct trip *t)
{
    int rc = OK;
    if (gives_batch(t->op) || !due_follows(t->op))
        return OK;
    for (struct open *o = s->opens[t->op->flow->index].first; o; o = o->next) {
        struct arena a;
        struct batch *b;
        arena_init(&a, 0);
        int one = batch_open(&s->places, &a, o->id, &b, s->ps);
        if (one == OK) {
            batch_due_after(b->w, t->op);
            one = batch_save(b, s->ps);
            open_note(s, b->w);
            batch_close(b);
        }
        rc = one == TEMP ? TEMP : rc;               /* one that is gone, or damaged, waits for nothing any more */
        arena_release(&a);
    }
    return rc;
}

/* --- the end of an operation -------------------------------------------------------------------------------------- */

static int becomes_due(struct supervisor *s, const struct trip *t, struct batch *into)
{
    enum call_heard heard;
    int rc = batch_answered(into, t->b) ? END : calls_heard(s, t, into, &heard);
    if (rc != OK)
        return rc == END ? OK : rc;
    batch_due_after(into->w, t->op);
    calls_answered(t, into, heard);
    return OK;
}

/* One batch gets what the file says of it, and what follows from that becomes due, in one save, or nothing at all: it
   may be in somebody's hands. */
static int tell(struct supervisor *s, struct trip *t, struct batch *into)
{
    struct batch_memory before;
    batch_remember(into, &before);
    int rc = becomes_due(s, t, into);
    if (rc == OK)
        rc = batch_install(t->b, into, s->ps);
    if (rc > WARN)
        batch_recall(into, &before, s->ps);
    batch_forget_memory(&before);
    return rc;
}

static int install(struct supervisor *s, struct trip *t, const char *id)
{
    struct trip *other = trip_of(s, id);
    struct batch *into = other ? other->b : NULL;
    struct arena a;
    arena_init(&a, 0);
    int rc = into ? OK : batch_open(&s->places, &a, id, &into, s->ps);
    if (rc == END || rc == STOP) {                  /* the next start sets a damaged one aside */
        struct place place = { .file = t->b->id, .offset = PLACE_NO_OFFSET };
        problem_addf(s->ps, PROBLEM_WARNING, "BATCH_GONE", place, "batch %s %s: what this file says about it is left out",
                     id, rc == END ? "is gone" : "cannot be believed any more");
        rc = OK;
    } else if (rc == OK) {
        rc = tell(s, t, into);
        open_note(s, into->w);
        if (!other)
            batch_close(into);
    }
    arena_release(&a);
    return rc;
}

static int install_all(struct supervisor *s, struct trip *t)
{
    int rc = OK;
    for (const char *id = batch_target(t->b, ""); id && rc <= WARN; id = batch_target(t->b, id))
        rc = install(s, t, id);
    return rc;
}

static int make_due(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    if (slice_is(w->waits, "end") || calls_go_on(w, t->op))
        return OK;
    if (batch_is_open(w))
        batch_due_after(w, t->op);
    tables_due_after(w, t->op);
    int rc = all_due_after(s, t);
    return rc <= WARN ? make_tables(s, t) : rc;
}

/* Between two jobs of a run that calls: the answer is awaited, or the next job is due. */
static int rest_between(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    if (!w->calls.asked.p)
        waybill_due(w, t->op->name, SLICE("goes on"));
    return batch_rest(t->b, w->calls.asked.p ? SLICE("answer") : SLICE("open"), s->ps);
}

/* The batch rests, or its life is over; when that cannot be written down nothing has changed. */
static int rest(struct supervisor *s, struct trip *t)
{
    struct batch *b = t->b;
    struct batch_memory before;
    batch_remember(b, &before);
    if (batch_is_open(b->w))
        tables_made(s, t);
    int rc = !batch_is_open(b->w) ? OK : calls_go_on(b->w, t->op) ? rest_between(s, t)
        : open_ends(s, t->op->flow, b->w) ? batch_end(b, "ended", slice_none(), s->ps)
                                          : batch_rest(b, SLICE("open"), s->ps);
    if (rc > WARN)
        batch_recall(b, &before, s->ps);
    batch_forget_memory(&before);
    return rc;
}

/* The next job of a run that calls: the trip stays in hand, and with it the request that it answers. */
static bool go_on(struct supervisor *s, struct trip *t)
{
    const struct waybill *w = t->b->w;
    if (s->ending || s->next_site || !batch_is_open(w) || !calls_go_on(w, t->op) || w->calls.asked.p ||
        batch_begin(t->b, t->op->name, s->ps) > WARN)
        return false;
    t->delivered = false;
    t->result = NULL;
    trip_to(s, t, TRIP_QUEUED);
    return true;
}

int step_rest(struct supervisor *s, struct trip *t)
{
    int rc = install_all(s, t);
    if (rc <= WARN)
        rc = make_due(s, t);
    if (rc <= WARN)
        rc = rest(s, t);
    notice_problems(s, s->ps);
    if (rc > WARN) {
        trip_retry(s, t, "SYS_IO");
        return END;
    }
    open_note(s, t->b->w);
    if (!batch_is_open(t->b->w))
        return OK;
    if (go_on(s, t))
        return END;
    asked_told(s, t, "done", slice_none(), slice_none());
    notice(s, "rests", t);
    s->report->delivered++;
    trip_free(s, t);
    return END;
}

int step_refuse(struct supervisor *s, struct trip *t, const char *code, struct slice text)
{
    struct batch_memory before;
    batch_remember(t->b, &before);
    int rc = batch_refuse(t->b, code, text, s->ps);
    if (rc > WARN)
        batch_recall(t->b, &before, s->ps);
    batch_forget_memory(&before);
    notice_problems(s, s->ps);
    if (rc > WARN) {
        trip_retry(s, t, "SYS_IO");
        return END;
    }
    s->report->rejected++;
    notice(s, "refused", t);
    asked_told(s, t, "refused", slice_of(code), text);
    open_note(s, t->b->w);
    trip_free(s, t);
    return END;
}

int step_resend(struct supervisor *s, struct trip *t)
{
    const struct waybill_param *of = t->b->w->run_sets;
    t->result = arena_zero(&t->arena, sizeof *t->result);
    problems_init(&t->result->problems, &t->arena, 0);
    int rc = batch_outputs_again(t->b, of ? of->value : slice_none(), s->ps);
    const struct problem *p = s->ps->last;
    if (rc == STOP)
        return step_reject(s, t, p ? p->code : "BATCH_NOTHING_SENT", p ? p->text : slice_none());
    if (rc <= WARN)
        return step_written(s, t);
    trip_retry(s, t, "SYS_IO");
    return END;
}

/* --- what is due comes into hand ---------------------------------------------------------------------------------- */

/* The flow was changed under it: the operation is not there any more, or takes something else now. */
static int not_due(struct supervisor *s, struct batch *b, const struct waybill_param *d)
{
    problem_addf(s->ps, PROBLEM_WARNING, "OPERATION_GONE", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "operation %.*s was due (%.*s), but the flow does not have it any more", SLICE_ARG(d->name),
                 SLICE_ARG(d->value));
    if (slice_equal(b->w->calls.operation, d->name))
        b->w->calls = (struct waybill_calls){ .operation = slice_none() };
    waybill_not_due(b->w, d->name);
    return batch_save(b, s->ps);
}

const struct waybill_param *due_next(const struct waybill *w)
{
    const struct waybill_param *d = w->due;
    while (d && w->calls.operation.n && !slice_equal(d->name, w->calls.operation))
        d = d->next;                                /* first the run that is under way */
    return d;
}

static int start_noted(struct supervisor *s, const struct flow *f, const struct open *o)
{
    struct trip *t = trip_new(s);
    int rc = open_due(s, t, o->id);
    const struct waybill_param *d = rc == OK ? due_next(t->b->w) : NULL;
    const struct operation *op = d ? due_operation(s, f, d->name) : NULL;
    if (op && op->take.kind == TAKE_BATCH)
        return take_on(s, t, op, batch_begin(t->b, op->name, s->ps));
    if (d)
        rc = not_due(s, t->b, d);
    if (rc == OK)
        open_note(s, t->b->w);
    else if (rc == END)
        open_forget(s, o->id);
    notice_problems(s, s->ps);
    trip_free(s, t);
    return rc == END ? OK : rc;
}

static int start_quiet(struct supervisor *s, const struct flow *f, struct open *o)
{
    for (size_t i = 0; i < f->noperations && i < OPERATIONS_MAX; i++) {
        uint64_t bit = (uint64_t)1 << i;
        if (!(o->due & bit))
            continue;
        o->due &= ~bit;
        const struct operation *op = f->operations[i];
        int rc = begin_quietly(s, o, op, o->waiting & bit ? "waiting" : "every");
        o->due |= rc == TEMP ? bit : 0;
        return rc;
    }
    return OK;
}

static bool runs(const struct flow *f)
{
    return flow_stages(f) && f->on && !f->off;
}

/* Its life is over without an operation of its own: an answer was the last thing, or the site changed. */
static int start_end(struct supervisor *s, const struct flow *f, struct open *o)
{
    struct trip *t = trip_new(s);
    int rc = open_due(s, t, o->id);
    if (rc == OK)
        rc = batch_end(t->b, "ended", slice_none(), s->ps);
    o->ends = rc == TEMP;
    rc = take_on(s, t, &s->by_hand[f->index].amend, rc);
    if (rc == OK)
        step_archive_soon(s, t);
    return rc == END ? OK : rc;
}

/* The oldest batch that has something to do. */
struct open *due_of(const struct supervisor *s, const struct flow *f)
{
    struct open *o = runs(f) ? s->opens[f->index].first : NULL, *calls = o ? calls_open(s, f) : NULL;
    if (calls)
        return calls->noted && !calls->held && !due_shut(calls) && !trip_of(s, calls->id) ? calls : NULL;
    while (o && (o->held || !(o->noted || o->due || o->ends) || due_shut(o) || trip_of(s, o->id)))
        o = o->next;
    return o;
}

/* The same, when nothing else is under way. Flows without open batches may have hundreds of trips in hand: they are not
   asked whether they are busy. */
static struct open *due_now(const struct supervisor *s, const struct flow *f)
{
    return s->opens[f->index].first && !sched_busy(s, f) ? due_of(s, f) : NULL;
}

bool due_any(const struct supervisor *s, int64_t now)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        if (due_now(s, s->site->flows[i]))
            return true;
    for (size_t i = 0; i < s->nbeats; i++)
        if (s->beats[i].next <= now && !sched_busy(s, s->beats[i].op->flow))
            return true;
    return false;
}

/* --- `every` ------------------------------------------------------------------------------------------------------ */

/* A restart does not make it come sooner: it counts from the last time that it did something. */
static struct beat first_beat(struct supervisor *s, const struct operation *op)
{
    struct arena a;
    struct date_parts p;
    int64_t at = 0, now = clock_now(&s->o->clock), rest = 0;
    if (!ran_known(s, op))
        return (struct beat){ op, clock_monotonic_ms() + SHUT_MS, true };
    arena_init(&a, 0);
    struct slice last = ran_last(s, op, &a);
    if (last.n && date_parse(last, &p) && p.has_offset)
        at = date_seconds(&p);
    if (at && at <= now && (now - at) * 1000 < op->every)
        rest = op->every - (now - at) * 1000;
    arena_release(&a);
    return (struct beat){ op, clock_monotonic_ms() + rest, false };
}

static bool beats(const struct operation *op)
{
    return op->every && op->on && !op->manual && op->take.kind != TAKE_INBOX && op->flow->on && !op->flow->off;
}

void due_open(struct supervisor *s)
{
    const struct site *site = s->site;
    size_t n = 0;
    s->by_hand = arena_zero(&s->arena, (site->nflows + 1) * sizeof *s->by_hand);
    for (size_t i = 0; i < site->nflows; i++) {
        struct flow *f = site->flows[i];
        s->by_hand[i].amend = operation_by_hand(f, SLICE("amend"));
        s->by_hand[i].resend = operation_by_hand(f, SLICE("resend"));
        n += f->noperations;
    }
    s->beats = arena_zero(&s->arena, (n + 1) * sizeof *s->beats);
    s->nbeats = 0;
    for (size_t i = 0; i < site->nflows && !s->o->asked; i++)
        for (size_t k = 0; k < site->flows[i]->noperations; k++) {
            const struct operation *op = site->flows[i]->operations[k];
            if (beats(op))
                s->beats[s->nbeats++] = first_beat(s, op);
        }
}

static int beat(struct supervisor *s, struct beat *b, int64_t now)
{
    const struct operation *op = b->op;
    b->next = s->o->watch ? now + op->every : INT64_MAX;
    if (calls_open(s, op->flow))
        return OK;                                  /* a run is under way: this one is left out */
    if (op->take.kind == TAKE_TABLE) {
        int rc = due_table(s, op, NULL);
        if (rc == TEMP && b->next < now + SHUT_MS)
            b->next = now + SHUT_MS;
        return rc == END ? OK : rc;
    }
    for (struct open *o = s->opens[op->flow->index].first; o; o = o->next)
        o->due |= op->index < OPERATIONS_MAX ? (uint64_t)1 << op->index : 0;
    return OK;
}

/* Those that were passed over come again. */
static int64_t next_shut(const struct supervisor *s, int64_t now, int64_t wait)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (const struct open *o = s->opens[i].first; o; o = o->next)
            if (o->shut > now && o->shut - now < wait)
                wait = o->shut - now;
    return wait;
}

/* A fault of one batch, which is passed over for a while, keeps no others from it; one of the world does. */
static int start(struct supervisor *s, const struct flow *f, struct open *o, bool *world)
{
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%s", o->id);
    int rc = o->noted ? start_noted(s, f, o) : o->ends ? start_end(s, f, o) : start_quiet(s, f, o);
    o = rc == TEMP ? open_find(s, id) : NULL;
    *world = *world || (rc == TEMP && !(o && due_shut(o)));
    return rc;
}

/* What cannot begin now does not keep others from it. */
int due_start(struct supervisor *s, int64_t now, int64_t *wait)
{
    int rc = OK;
    for (size_t i = 0; i < s->nbeats; i++) {
        struct beat *b = &s->beats[i];
        if (b->next <= now && b->unknown)
            *b = first_beat(s, b->op);
        if (b->next <= now && !sched_busy(s, b->op->flow))
            rc = status_worse(rc, beat(s, b, now));
        if (b->next > now && b->next - now < *wait)
            *wait = b->next - now;
    }
    rc = status_worse(rc, calls_turn(s));
    bool world = rc == TEMP;
    for (size_t i = 0; i < s->site->nflows; i++) {
        const struct flow *f = s->site->flows[i];
        struct open *o = due_now(s, f);
        if (o)
            rc = status_worse(rc, start(s, f, o, &world));
    }
    if (world)
        s->pause = now + PAUSE_MS;
    *wait = next_shut(s, now, *wait);
    notice_problems(s, s->ps);
    return rc;
}
