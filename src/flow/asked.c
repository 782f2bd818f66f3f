#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/left.h"
#include "store/archive.h"

#define CLEAN_MS (3600 * 1000LL)    /* old answers are removed so often */
enum { LISTED_MAX = 1000 };         /* batches, and outputs, that an answer names; the others it counts */
#define AGAIN_MS 5000               /* one that cannot be carried out now is tried again */
#define LOOK_MS 30000               /* the folder of requests is read so often even when nothing tells of news */

/* --- those that are carried out ----------------------------------------------------------------------------------- */

static struct asked *find(const struct supervisor *s, struct slice id)
{
    struct asked *k = s->asked;
    while (k && !slice_equal(k->request->id, id))
        k = k->next;
    return k;
}

static int add(void *owner, const struct request *r, struct problems *ps)
{
    struct supervisor *s = owner;
    struct asked **link = &s->asked;
    struct arena a;
    struct request *own;
    if (find(s, r->id))
        return OK;
    arena_init(&a, 0);
    int rc = request_find(&s->spool, &a, arena_cstr(&a, r->id), &own, ps);
    if (rc != OK) {
        arena_release(&a);
        return rc == END ? OK : rc;
    }
    struct asked *k = arena_zero(&a, sizeof *k);
    *k = (struct asked){ .arena = a, .request = own, .answer = { .id = own->id } };
    k->batch = arena_cstr(&k->arena, own->batch.n ? own->batch : SLICE(""));
    while (*link)
        link = &(*link)->next;
    *link = k;
    return OK;
}

/* A folder that cannot be read is looked at again; files do not wait for it, nor do requests that could be read. */
static int read_folder(struct supervisor *s)
{
    struct arena a;
    arena_init(&a, 0);
    s->asked_news = false;
    s->asked_due = s->o->watch ? clock_monotonic_ms() + LOOK_MS : INT64_MAX;
    int rc = request_each(&s->spool, &a, add, s, s->ps);
    arena_release(&a);
    if (rc > WARN && (!s->o->asked || s->asked)) {
        notice_problems(s, s->ps);
        return OK;
    }
    if (rc > WARN || s->o->asked || s->asked_clean > clock_monotonic_ms())
        return rc;
    s->asked_clean = clock_monotonic_ms() + CLEAN_MS;
    if (request_clean(&s->spool, time(NULL), s->ps) > WARN)
        notice_problems(s, s->ps);
    return OK;
}

static void forget(struct supervisor *s, struct asked *k)
{
    struct asked **link = &s->asked;
    struct arena a = k->arena;                      /* the struct lies in the arena itself */
    while (*link != k)
        link = &(*link)->next;
    *link = k->next;
    arena_release(&a);
}

static void add_made(struct asked *k, struct slice batch, struct slice what)
{
    size_t n = 0;
    const struct waybill_param *p = k->answer.made;
    for (; p && !slice_equal(p->name, batch); p = p->next)
        n++;
    if (p || n < LISTED_MAX)
        waybill_param(&k->answer.made, &k->arena, batch, what);
    else
        k->answer.more_made++;
}

/* The answer is on the disk before what answers it goes to the archive: a crash never makes a request anew. */
static int answer(struct supervisor *s, struct asked *k)
{
    struct request_answer *a = &k->answer;
    if (!lease_stands(&s->lease, &s->spool))
        return TEMP;                                /* who has the site answers; the next turn tells */
    if (!a->outcome.n)
        a->outcome = k->waits ? SLICE("waits") : a->delivered ? SLICE("done")
            : a->rejected ? SLICE("refused") : SLICE("nothing");
    int rc = request_answer(&s->spool, a, s->ps);
    if (rc <= WARN)
        forget(s, k);
    return rc;
}

int asked_refuse(struct supervisor *s, struct asked *k, const char *code, struct slice text)
{
    k->answer.outcome = SLICE("refused");
    k->answer.code = slice_of(code);
    k->answer.text = arena_copy(&k->arena, text);
    k->begun = true;
    return answer(s, k);
}

int asked_answer_with(struct supervisor *s, struct asked *k, int rc, const char *what)
{
    return asked_answer_of(s, k, rc, k->request->batch, what);
}

/* What a step of the batch layer said no to, is the answer. */
int asked_answer_of(struct supervisor *s, struct asked *k, int rc, struct slice batch, const char *what)
{
    const struct problem *p = s->ps->last;
    if (rc == STOP || rc == SKIP) {
        const char *code = p ? arena_cstr(&k->arena, slice_of(p->code)) : "BATCH_BUSY";
        rc = asked_refuse(s, k, code, p ? p->text : slice_none());
        if (!s->o->watch)                           /* who asked says it, once */
            problems_init(s->ps, &s->said_arena, 200);
        return rc;
    }
    if (rc > WARN)
        return rc;
    add_made(k, batch, slice_of(what));
    k->answer.outcome = SLICE("done");
    k->begun = true;                                /* an answer that cannot be written is tried again, no more */
    return answer(s, k);
}

/* --- what happens to their batches -------------------------------------------------------------------------------- */

static void add_outputs(struct asked *k, const struct waybill *w)
{
    struct waybill_output **link = &k->answer.outputs;
    size_t n = 0;
    for (; *link; link = &(*link)->next)
        n++;
    for (const struct waybill_output *o = w->outputs; o; o = o->next) {
        if (o->run != w->run || !o->published.p)
            continue;
        if (n++ >= LISTED_MAX) {
            k->answer.more_outputs++;
            continue;
        }
        *link = arena_zero(&k->arena, sizeof **link);
        **link = *o;
        (*link)->outbox = arena_copy(&k->arena, o->outbox);
        (*link)->name = arena_copy(&k->arena, o->name);
        (*link)->operation = arena_copy(&k->arena, o->operation);
        (*link)->published = arena_copy(&k->arena, o->published);
        (*link)->next = NULL;
        link = &(*link)->next;
    }
}

/* The batches that a file changed. */
static void add_changed(struct asked *k, const struct waybill *w)
{
    for (const struct waybill_file *f = w->files; f; f = f->next) {
        if (slice_is(f->kind, "stage") && f->name.n)
            add_made(k, f->name, SLICE("changed"));
    }
}

static void add_skips(struct asked *k, const struct waybill *w)
{
    for (const struct waybill_total *t = w->skips; t; t = t->next) {
        struct waybill_total **link = &k->answer.skips;
        while (*link && !slice_equal((*link)->name, t->name))
            link = &(*link)->next;
        if (!*link) {
            *link = arena_zero(&k->arena, sizeof **link);
            (*link)->name = arena_copy(&k->arena, t->name);
        }
        (*link)->count += t->count;
    }
}

static void add_groups(struct asked *k, const struct waybill *w)
{
    struct arena *a = &k->arena;
    struct waybill_group **link = &k->answer.problems;
    size_t n = 0;
    for (; *link; link = &(*link)->next)
        n++;
    for (const struct waybill_group *g = w->groups; g && n < WAYBILL_GROUPS; g = g->next, n++) {
        *link = arena_zero(a, sizeof **link);
        **link = *g;
        (*link)->code = arena_copy(a, g->code);
        (*link)->path = arena_copy(a, g->path);
        (*link)->text = arena_copy(a, g->text);
        (*link)->hint = arena_copy(a, g->hint);
        (*link)->file = arena_copy(a, g->file);
        (*link)->next = NULL;
        link = &(*link)->next;
    }
}

/* An operation that took no message of its batch. */
static bool is_idle(const struct waybill *w, const struct operation *op)
{
    uint64_t taken = waybill_total_of(w->totals, "done") + waybill_total_of(w->totals, "skipped")
                   + waybill_total_of(w->totals, "waiting") + waybill_total_of(w->totals, "rejected");
    return op && op->take.kind == TAKE_BATCH && w->messages && !taken;
}

void asked_told(struct supervisor *s, struct trip *t, const char *what, struct slice code, struct slice text)
{
    struct asked *k = t->asked;
    if (!k)
        return;
    struct request_answer *a = &k->answer;
    const struct waybill *w = t->b->w;
    if (strcmp(what, "done") == 0 && is_idle(w, t->op))
        what = "nothing to do";
    add_made(k, w->batch, slice_of(what));
    a->batches++;
    a->delivered += strcmp(what, "done") == 0;
    a->rejected += strcmp(what, "refused") == 0;
    k->waits = k->waits || strcmp(what, "waits") == 0;
    a->messages += w->messages;
    a->refused += waybill_total_of(w->totals, "rejected");
    a->waiting += waybill_total_of(w->totals, "waiting");
    if (!a->code.n && strcmp(what, "superseded") != 0) {
        a->code = arena_copy(&k->arena, code);
        a->text = arena_copy(&k->arena, text);
    }
    add_outputs(k, w);
    add_changed(k, w);
    add_skips(k, w);
    add_groups(k, w);
    asked_left(s, t);
    /* Taken up after a crash it is not begun yet; when it names its batch there is nothing else to begin. */
    bool whole = k->begun || (k->request->batch.n && slice_equal(k->request->batch, w->batch));
    if (whole && k->trips == 0)
        answer(s, k);
}

void asked_left(struct supervisor *s, struct trip *t)
{
    (void)s;
    if (t->asked)
        t->asked->trips--;
    t->asked = NULL;
}

struct asked *asked_for_inbox(struct supervisor *s, struct slice inbox)
{
    for (struct asked *k = s->asked; k; k = k->next) {
        const struct request *r = k->request;
        const struct flow *f = r->kind == REQUEST_RUN ? site_flow(s->site, r->flow) : NULL;
        const struct operation *op = f ? flow_operation(f, r->operation) : NULL;
        if (op && op->take.kind == TAKE_INBOX && slice_equal(op->take.folder, inbox)) {
            k->op = op;
            return k;
        }
    }
    return NULL;
}

struct asked *asked_by(struct supervisor *s, const struct waybill *w)
{
    static const struct slice head = { "request ", 8 };
    if (!slice_starts(w->run_by, head))
        return NULL;
    return find(s, (struct slice){ w->run_by.p + head.n, w->run_by.n - head.n });
}

/* --- running an operation ----------------------------------------------------------------------------------------- */

static const struct flow *flow_of(const struct supervisor *s, const struct asked *k)
{
    return k->request->kind == REQUEST_RUN ? site_flow(s->site, k->request->flow) : NULL;
}

static bool missing_param(struct asked *k, const struct operation *op, struct slice *name)
{
    struct settings sets = { 0 };
    for (const struct waybill_param *p = k->request->sets; p; p = p->next)
        ARENA_PUSH(&k->arena, sets.list, sets.n, sets.cap) = (struct setting){ .name = p->name, .value = p->value };
    *name = operation_param_missing(op, &sets);
    return name->n > 0;
}

/* The operation is there and may run; otherwise the request is answered and gone: END. */
static int resolve(struct supervisor *s, struct asked *k)
{
    const struct request *r = k->request;
    const struct flow *f = site_flow(s->site, r->flow);
    const struct operation *op = f ? flow_operation(f, r->operation) : NULL;
    struct slice param;
    int rc = OK;
    if (op && op->answers)
        op = NULL;
    if (!f)
        rc = asked_refuse(s, k, "SITE_NO_FLOW", SLICE("there is no such flow"));
    else if (!op)
        rc = asked_refuse(s, k, "SITE_NO_OPERATION", SLICE("the flow has no such operation"));
    else if (!f->on || f->off)
        rc = asked_refuse(s, k, f->off ? f->off : "SITE_SWITCHED_OFF", SLICE("the flow is off"));
    else if (op->manual && !op->on)
        rc = asked_refuse(s, k, "SITE_SWITCHED_OFF", SLICE("the operation is off"));
    else if (missing_param(k, op, &param))
        rc = asked_refuse(s, k, "SITE_PARAM", arena_printf(&k->arena, "param %.*s is required and has no value: add --set "
                                                     "%.*s=…", SLICE_ARG(param), SLICE_ARG(param)));
    else {
        k->op = op;
        return OK;
    }
    return rc <= WARN ? END : rc;
}

static int run_inbox(struct supervisor *s, struct asked *k)
{
    struct intake *in = intake_asked(s, k->op);
    if (!in)
        return s->o->watch ? asked_refuse(s, k, "SYS_IO", SLICE("the inbox cannot be opened")) : TEMP;
    if (in->asked && in->asked != k)
        return OK;
    if (!in->asked) {
        in->asked = k;
        in->due = 0;
        in->nready = in->at = 0;
        k->listed = true;                           /* from here on the inbox tells when something is to be done */
        return OK;
    }
    if (!intake_taken(in))
        return OK;
    in->asked = NULL;
    k->begun = true;
    return k->trips ? OK : answer(s, k);
}

/* Its life ended with this run, and who did it died before it could say so: OK; END: it did not; STOP: its zip cannot
   be believed, so nobody knows. */
static int ran_to_its_end(struct supervisor *s, struct asked *k)
{
    struct slice by = arena_printf(&k->arena, "request %.*s", SLICE_ARG(k->request->id));
    struct waybill *w;
    int rc = batch_find(&s->places, &k->arena, k->batch, &w, s->ps);
    if (rc != OK)
        return rc == TEMP ? TEMP : archived_exists(&s->store, k->batch) ? STOP : END;
    for (const struct waybill_run *r = w->runs; r; r = r->next) {
        if (!slice_equal(r->by, by) || r->batch.n)
            continue;
        add_made(k, w->batch, slice_is(r->outcome, "refused") ? r->outcome : SLICE("done"));
        k->answer.batches = 1;
        k->answer.delivered = !slice_is(r->outcome, "refused");
        k->answer.rejected = !k->answer.delivered;
        k->answer.messages = r->messages;
        k->answer.refused = r->rejected;
        k->answer.waiting = r->waiting;
        add_outputs(k, w);
        return OK;
    }
    return END;
}

/* The batches that are meant, once; those that come later are not. END: it is refused, and gone. */
static int list_batches(struct supervisor *s, struct asked *k)
{
    const struct flow *f = k->op->flow;
    struct slice named = k->request->batch;
    for (struct open *o = s->opens[f->index].first; o; o = o->next) {
        if (named.n && !slice_is(named, o->id))
            continue;
        if (o->held)
            add_made(k, slice_of(o->id), SLICE("held"));
        else
            waybill_param(&k->left, &k->arena, slice_of(o->id), SLICE(""));
    }
    int rc = !named.n || k->left || k->trips ? OK : k->answer.made ? END : ran_to_its_end(s, k);
    k->listed = rc != TEMP;
    if (rc == OK || rc == TEMP)
        return rc;
    if (rc == STOP)
        rc = asked_unknown(s, k);
    else
        rc = asked_refuse(s, k, "BATCH_CLOSED", arena_printf(&k->arena, "batch %.*s is not open in flow %.*s%s",
                                                             SLICE_ARG(named), SLICE_ARG(f->name),
                                                             k->answer.made ? ": it is held (`waybill release` lets it go on)" : ""));
    return rc <= WARN ? END : rc;
}

/* A run that waits for an answer is not waited for: END when nothing of the request was begun. */
static int not_now(struct supervisor *s, struct asked *k, const struct open *run)
{
    if (k->answer.batches == 0) {
        int rc = asked_refuse(s, k, "BATCH_BUSY", arena_printf(&k->arena, "operation %s of batch %s is not over: it waits "
                                                               "for an answer", run->call_operation, run->id));
        return rc <= WARN ? END : rc;
    }
    for (; k->left; k->left = k->left->next)
        add_made(k, k->left->name, SLICE("not begun"));
    return OK;
}

/* A batch that cannot be opened keeps neither the others nor what comes behind the request. */
static void pass_over(struct asked *k, struct slice id)
{
    add_made(k, id, SLICE("not begun"));
    k->answer.rejected++;
    if (k->answer.code.n)
        return;
    k->answer.code = SLICE("SYS_IO");
    k->answer.text = arena_printf(&k->arena, "batch %.*s cannot be opened now: the log says why", SLICE_ARG(id));
}

/* One after the other, each when its flow is free and nothing that was due before is left. */
static int run_batches(struct supervisor *s, struct asked *k)
{
    int rc = OK;
    if (!k->listed) {
        rc = list_batches(s, k);
        if (rc != OK)
            return rc == END ? OK : rc;
    }
    if (k->left && !k->trips && calls_open(s, k->op->flow)) {
        rc = not_now(s, k, calls_open(s, k->op->flow));
        if (rc != OK)
            return rc == END ? OK : rc;
    }
    while (k->left && !sched_busy(s, k->op->flow) && !calls_open(s, k->op->flow)) {
        struct open *o = open_find(s, arena_cstr(&k->arena, k->left->name));
        if (o && o->noted && !o->held && !due_shut(o))      /* one that is held since is waited for by nobody */
            return OK;
        rc = !o || o->held ? END : due_shut(o) ? TEMP : due_begin(s, o->id, k->op, k);
        if (rc == TEMP && !due_shut(o))
            return rc;
        if (rc == TEMP)
            pass_over(k, k->left->name);
        else if (rc != OK)
            add_made(k, k->left->name, rc == SKIP ? SLICE("done") : SLICE("not begun"));
        k->left = k->left->next;
    }
    if (k->left)
        return OK;
    k->begun = true;
    return k->trips ? OK : answer(s, k);
}

static int run_table(struct supervisor *s, struct asked *k)
{
    if (k->trips == 0 && sched_busy(s, k->op->flow))
        return OK;
    int rc = k->trips ? OK : due_table(s, k->op, k);
    if (rc == STOP || rc == SKIP)
        return asked_answer_with(s, k, rc, "");
    if (rc > WARN)
        return rc;
    k->begun = true;
    return k->trips ? OK : answer(s, k);
}

/* Requests of one flow are carried out in the order of their coming. */
static bool first_of_flow(const struct supervisor *s, const struct asked *k)
{
    const struct flow *f = flow_of(s, k);
    for (const struct asked *other = s->asked; other != k; other = other->next)
        if (f && flow_of(s, other) == f)
            return false;
    return true;
}

static int run(struct supervisor *s, struct asked *k)
{
    if (k->begun || !first_of_flow(s, k))
        return OK;
    if (!k->op) {
        int rc = resolve(s, k);
        if (rc != OK)
            return rc == END ? OK : rc;
    }
    return k->op->take.kind == TAKE_INBOX ? run_inbox(s, k)
        : k->op->take.kind == TAKE_BATCH ? run_batches(s, k) : run_table(s, k);
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

static void news(void *owner, int id)
{
    struct supervisor *s = owner;
    (void)id;
    s->asked_news = true;
}

int asked_fd(const struct supervisor *s)
{
    return s->asked_watch ? watch_fd(s->asked_watch) : -1;
}

void asked_heard(struct supervisor *s)
{
    watch_read(s->asked_watch, news, s, s->ps);
}

int asked_start(struct supervisor *s)
{
    arena_init(&s->asked_arena, 0);
    struct arena *a = &s->asked_arena;
    const char *path = arena_cstr(a, arena_printf(a, "%s/.waybill/requests", s->spool.path));
    int rc = OK;
    if (s->o->watch && file_make_dirs(path, 0700, s->ps) > WARN)
        notice_problems(s, s->ps);
    if (s->o->watch)
        rc = watch_open(&s->asked_arena, -1, &s->asked_watch, s->ps);
    if (rc <= WARN && s->asked_watch)
        watch_add(s->asked_watch, path, s->ps);
    return rc <= WARN ? read_folder(s) : rc;
}

void asked_end(struct supervisor *s)
{
    if (s->asked_watch)
        watch_close(s->asked_watch);
    s->asked_watch = NULL;
    while (s->asked)
        forget(s, s->asked);
    arena_release(&s->asked_arena);
}

void asked_again(struct supervisor *s)
{
    for (struct asked *k = s->asked; k; k = k->next)
        k->op = NULL;
}

/* Nobody is there to do it later: what stands in its way is told. */
int asked_give_up(struct supervisor *s)
{
    int rc = OK;
    while (s->asked && rc <= WARN) {
        struct asked *k = s->asked;
        const struct flow *f = flow_of(s, k);
        const struct trip *t = f ? s->flows[f->index].first : trip_of(s, k->batch);
        struct slice text = SLICE("it cannot be done now");
        if (k->op && k->op->take.kind == TAKE_INBOX && is_left(s, k->op))
            text = SLICE("a file or batch that comes before cannot be read: mend what was told, or see `waybill status`");
        if (t)
            text = arena_printf(&k->arena, "batch %s waits for another attempt (%.*s): `waybill retry` or `cancel` it first",
                                t->b->id, SLICE_ARG(t->b->w->retry.cause));
        rc = asked_refuse(s, k, "BATCH_BUSY", text);
    }
    return rc;
}

bool asked_any(const struct supervisor *s, const struct flow *f)
{
    for (const struct asked *k = s->asked; k; k = k->next)
        if (!k->begun && (!f || flow_of(s, k) == f))
            return true;
    return false;
}

static bool ready(const struct supervisor *s, const struct asked *k)
{
    if (k->begun)
        return k->trips == 0;
    if (k->request->kind == REQUEST_RUN) {
        const struct flow *f = flow_of(s, k);
        bool looks = k->op && k->op->take.kind == TAKE_INBOX && k->listed;
        if (looks && intake_done(s, k))
            return true;
        return !f || (!sched_busy(s, f) && first_of_flow(s, k) && !looks);
    }
    return asked_may_act(s, k);
}

/* Of one batch, or operations of one flow. */
static bool comes_behind(const struct asked *k, const struct asked *other)
{
    return (k->batch[0] && strcmp(other->batch, k->batch) == 0) ||
           (k->op && other->op && k->op->flow == other->op->flow);
}

/* It could not be done a moment ago; what people do to one batch, or with one flow, stays in order behind it. */
static bool is_put_off(const struct supervisor *s, const struct asked *k, int64_t now)
{
    if (k->due > now)
        return true;
    for (const struct asked *other = s->asked; other != k; other = other->next)
        if (other->due > now && !other->begun && comes_behind(k, other))
            return true;
    return false;
}

/* One that can be carried on now, so that nobody goes to sleep over it. */
bool asked_ready(const struct supervisor *s, int64_t now)
{
    for (const struct asked *k = s->asked; k; k = k->next)
        if (!is_put_off(s, k, now) && ready(s, k))
            return true;
    return false;
}

static int carry_on(struct supervisor *s, struct asked *k)
{
    int rc = k->begun && k->trips == 0 ? answer(s, k) : k->request->kind == REQUEST_RUN ? run(s, k) : asked_act(s, k);
    if (rc != STOP && rc != SKIP)
        return rc;
    return k->trips ? TEMP : asked_answer_with(s, k, STOP, "");     /* its fault is nothing to the site */
}

/* When nobody is there to try it again, that is the end. */
static int put_off(struct supervisor *s, const struct asked *k, int64_t now)
{
    for (struct asked *other = s->asked; other; other = other->next)
        if (other == k)
            other->due = now + AGAIN_MS;
    return s->o->watch ? OK : TEMP;
}

/* One that cannot be carried out now does not keep the others waiting. */
int asked_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    int rc = OK;
    if (s->asked_news || s->asked_due <= now)
        rc = read_folder(s);
    for (struct asked *k = rc <= WARN ? s->asked : NULL, *next; k; k = next) {
        next = k->next;
        int one = is_put_off(s, k, now) ? OK : carry_on(s, k);
        rc = status_worse(rc, one == TEMP ? put_off(s, k, now) : one);
    }
    for (const struct asked *k = s->asked; k; k = k->next)
        if (k->due > now && k->due - now < *wait)
            *wait = k->due - now;
    if (s->asked_due != INT64_MAX && s->asked_due - now < *wait)
        *wait = s->asked_due - now;
    notice_problems(s, s->ps);
    return rc;
}
