#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/left.h"
#include "flow/sniff.h"

#define READY_MAX 4096              /* files that one look remembers, oldest first; the rest comes with the next */
/* So long after its last change a file is taken without its end: the reader says what is missing. */
#define INCOMPLETE_MS (3600 * 1000LL)
#define LATER INT64_MAX
#define LOOK_LATER_MS 5000

static bool runs(const struct supervisor *s, const struct operation *op)
{
    if (op->take.kind != TAKE_INBOX || !op->format || s->o->asked)
        return false;
    return op->flow->on && !op->flow->off && op->on && !op->manual;
}

static bool waits_for_end(const struct take *t, const struct format *f)
{
    return t->ready_given ? t->ready_complete : slice_is(f->syntax, "xml");
}

/* In `run`, and when somebody asks for it, a file that has not changed for long enough is stable at once, so the
   folder's own watching is not asked. */
static bool by_age(const struct supervisor *s, const struct intake *in)
{
    return !s->o->watch || in->by_hand;
}

/* `companion "pdf/{PDF}"`: that folder is no file that somebody dropped by mistake. */
static const char *const *folders_of(const struct supervisor *s, const struct take *t)
{
    const char **list = arena_zero(s->site_arena, (t->ncompanions + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < t->ncompanions; i++) {
        struct slice p = t->companions[i].pattern;
        const char *slash = p.n ? memchr(p.p, '/', p.n) : NULL;
        if (slash && !t->companions[i].name.n)
            list[n++] = arena_cstr(s->site_arena, slice_range(p.p, slash));
    }
    return list;
}

static struct ready ready_terms(const struct supervisor *s, const struct operation *op, bool watched)
{
    const struct take *t = &op->take;
    int64_t stable = t->ready_given ? t->stable : 10000;
    struct ready r = { .terms = READY_NAME, .max_size = s->site->limits.file, .folders = folders_of(s, t) };
    if (stable > 0 && watched) {
        r.terms |= READY_STABLE;
        r.stable_ms = stable;
    }
    if (t->done.n) {
        r.terms |= READY_DONE;
        r.done = arena_cstr(s->site_arena, t->done);
    }
    if (t->manifest.n) {
        r.terms |= READY_MANIFEST;
        r.manifest = arena_cstr(s->site_arena, t->manifest);
    }
    return r;
}

/* Why it cannot be made, where inbox_open does not see it. */
static void make_inbox(struct supervisor *s, const struct operation *op)
{
    struct problems made;
    struct arena a;
    arena_init(&a, 0);
    problems_init(&made, &a, 1);
    if (file_make_dirs(op->take.path, 0770, &made) > WARN && strcmp(made.first->code, "SYS_MISSING") != 0)
        problem_add(s->ps, made.first);
    arena_release(&a);
}

/* One that is not there, or is no folder, holds up no other: it is looked for again. For a request it has to be. */
static int open_intake(struct supervisor *s, const struct operation *op, bool by_hand)
{
    struct ready ready = ready_terms(s, op, s->o->watch && !by_hand);
    struct intake *in = &s->intakes[s->nintakes];
    *in = (struct intake){ .op = op, .watch = -1, .every = s->o->watch && !by_hand ? op->every : 0,
                           .stable = ready.stable_ms, .by_hand = by_hand };
    make_inbox(s, op);
    int rc = inbox_open(&s->arena, &s->spool, arena_cstr(&s->arena, op->take.folder), &ready, &in->inbox, s->ps);
    if (s->watch && !by_hand)
        in->watch = watch_add(s->watch, op->take.path, s->ps);
    if (rc != OK && by_hand) {
        inbox_close(in->inbox);
        return rc;
    }
    s->report->temporary += rc != OK;
    s->nintakes++;
    if (by_hand)
        left_looked(s, in);
    return OK;
}

/* Answers to several gives come through one inbox. */
static bool looked_into(const struct supervisor *s, const struct operation *op)
{
    for (size_t i = 0; i < s->nintakes && op->answers && op->answers->operation->serial; i++)
        if (s->intakes[i].op->answers && slice_equal(s->intakes[i].op->take.folder, op->take.folder))
            return true;
    return false;
}

int intakes_open(struct supervisor *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        n += s->site->flows[i]->noperations;
    s->intakes = arena_zero(&s->arena, (n + 1) * sizeof *s->intakes);
    s->nintakes = 0;
    for (size_t i = 0; i < s->site->nflows; i++)
        for (size_t k = 0; k < s->site->flows[i]->noperations; k++)
            if (runs(s, s->site->flows[i]->operations[k]) && !looked_into(s, s->site->flows[i]->operations[k]))
                open_intake(s, s->site->flows[i]->operations[k], false);
    notice_problems(s, s->ps);
    return OK;
}

struct intake *intake_asked(struct supervisor *s, const struct operation *op)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].op == op)
            return &s->intakes[i];
    return open_intake(s, op, true) == OK ? &s->intakes[s->nintakes - 1] : NULL;
}

bool intake_taken(const struct intake *in)
{
    return in->due > 0 && in->at == in->nready && !in->more && !in->waiting && !in->carrying &&
           !in->left;
}

bool intake_done(const struct supervisor *s, const struct asked *k)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].asked == k && intake_taken(&s->intakes[i]))
            return true;
    return false;
}

void intakes_close(struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes; i++)
        inbox_close(s->intakes[i].inbox);
    s->nintakes = 0;
}

void intake_wake(struct supervisor *s, int watch)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].watch == watch && !s->intakes[i].every)
            s->intakes[i].due = s->intakes[i].pause;
}

static int oldest_first(const void *a, const void *b)
{
    const struct drop *x = a, *y = b;
    if (x->mtime_ns != y->mtime_ns)
        return x->mtime_ns < y->mtime_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int64_t age_ms(const struct drop *d)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 - d->mtime_ns / 1000000;
}

/* By its age: milliseconds until the file counts as stable; 0 = it does. A time in the future is told by waiting
   once. */
static int64_t stable_in(const struct supervisor *s, const struct intake *in, const struct drop *d)
{
    const struct take *t = &in->op->take;
    int64_t stable = t->ready_given ? t->stable : 10000, age = age_ms(d);
    if (!by_age(s, in) || stable <= 0 || age >= stable)
        return 0;
    return age < 0 ? stable : stable - age;
}

static bool content_fits(struct intake *in, const struct drop *d)
{
    const struct take *t = &in->op->take;
    bool end = waits_for_end(t, in->op->format);
    if (!end && !t->type.n)
        return true;
    int fd = openat(inbox_fd(in->inbox), d->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return true;                                /* the claim will tell */
    bool fits = !t->type.n || sniff_type(fd, in->op->format, t->type), packed = false;
    if (fits && end && unpack_wanted(in->op, fd, &packed) == OK && !packed)
        fits = sniff_complete(fd, d->size, in->op->format) || age_ms(d) > INCOMPLETE_MS;
    close(fd);
    return fits;
}

/* With the rescan, and when a file may have become stable.  With `every` events do not count: at each beat, and once
   more for the files that this beat found. */
static int64_t next_look(const struct supervisor *s, struct intake *in, int64_t now, int64_t wake)
{
    int64_t again = s->watch ? now + watch_rescan_ms(s->watch) : LATER;
    if (in->every && in->beat <= now)
        in->beat = now + in->every;
    if (in->every)
        again = in->beat;
    if (wake < 0 || now + wake >= again || (in->every && now + wake > in->beat - in->every + in->stable))
        return again;
    return now + wake + 1;
}

/* Reads the folder: those that are ready, and in *wake when the first of the others may be; -1 = none waits. `with`:
   until the companions may be taken. */
static int read_folder(struct supervisor *s, struct intake *in, int64_t with, int64_t *wake)
{
    struct drop d;
    int64_t rest;
    int rc;
    while ((rc = inbox_next(in->inbox, &d, s->ps)) == OK || rc == SKIP) {
        if (rc == SKIP || companion_is(in->op, d.name))
            continue;
        rest = stable_in(s, in, &d);
        if ((rest = with > rest ? with : rest) > 0) {
            in->waiting = true;
            *wake = *wake < 0 || rest < *wake ? rest : *wake;
        } else if (in->nready == READY_MAX)
            in->more = true;
        else
            in->ready[in->nready++] = d;
    }
    return rc;
}

/* What is there is forgotten, another look finds it again. Other inboxes go on. */
void intake_later(struct supervisor *s, struct intake *in)
{
    in->nready = in->at = 0;
    in->more = false;
    in->due = s->o->watch ? clock_monotonic_ms() + LOOK_LATER_MS : LATER;
}

void intake_pause(struct supervisor *s, struct intake *in)
{
    in->pause = clock_monotonic_ms() + LOOK_LATER_MS;
    if (in->due < in->pause)
        in->due = s->o->watch ? in->pause : LATER;
}

/* Is there a folder? */
static bool there(struct supervisor *s, struct intake *in)
{
    bool another;
    int rc = inbox_again(in->inbox, &another, s->ps);
    if (another && in->watch >= 0)
        watch_renew(s->watch, in->watch, s->ps);
    if (rc != OK)
        notice_problems(s, s->ps);
    return rc == OK;
}

/* One look at the folder. */
static int look(struct supervisor *s, struct intake *in, int64_t now)
{
    int64_t wake = -1, rest;
    struct companions with;
    struct arena a;
    if (!in->ready)
        in->ready = arena_alloc(&s->arena, READY_MAX * sizeof *in->ready);
    in->nready = in->at = 0;
    in->more = in->waiting = false;
    arena_init(&a, 0);
    int rc = there(s, in) ? companions_find(in, &a, &with, s->ps) : END;
    arena_release(&a);
    if (rc != OK) {                                 /* the coming of the companion, or of the folder, wakes us */
        in->due = next_look(s, in, now, -1);
        return rc == END ? OK : rc;
    }
    inbox_begin(in->inbox, now);
    rc = read_folder(s, in, with.wait_ms, &wake);
    if (rc > WARN) {                                /* of a part nobody can tell what is the first or the newest */
        intake_later(s, in);
        return rc;
    }
    if (!by_age(s, in)) {
        in->waiting = inbox_waiting(in->inbox, &rest) > 0 || with.wait_ms > 0;
        wake = rest > with.wait_ms || with.wait_ms <= 0 ? rest : with.wait_ms;
    }
    qsort(in->ready, in->nready, sizeof *in->ready, oldest_first);
    in->due = next_look(s, in, now, wake);
    return OK;
}

static void before_aside(void *owner, const struct waybill *w)
{
    care_refusing(owner, w);
}

struct batch_accept accept_terms(const struct supervisor *s, const struct operation *op)
{
    return (struct batch_accept){ .flow = op->flow->name, .operation = op->name,
                                  .content = op->own_duplicates ? op->duplicates
                                                                 : op->flow->duplicates[DUPLICATE_CONTENT],
                                  .max_size = s->site->limits.file, .config = s->config,
                                  .aside = before_aside, .owner = (void *)s };
}

/* A newer file of the inbox is there: this one is set aside at once. */
static void superseded(struct batch_accept *how, struct trip *t, const char *newest)
{
    struct buf shown = { 0 };
    buf_add_shown(&shown, slice_of(newest), 200);
    how->refuse = "SUPERSEDED";
    how->refuse_text = arena_printf(&t->arena, "%.*s is newer, and only the newest file counts here",
                                    SLICE_ARG(buf_slice(&shown)));
    buf_release(&shown);
}

/* A claim becomes a batch; what was taken but not accepted is tried again later. `newest`: the file that is taken
   instead; NULL = this one is. */
static int accept_claim(struct supervisor *s, const struct operation *op, struct claim *c, struct asked *k,
                        const char *newest)
{
    const struct open *of;
    const struct operation *asked = op->answers ? calls_answer(s, op, &of) : op;
    struct batch_accept how = accept_terms(s, asked ? asked : op);
    struct trip *t = trip_new(s);
    if (!asked) {
        how.refuse = "ANSWER_UNEXPECTED";
        how.refuse_text = SLICE("no call is under way that this could answer");
    } else
        op = asked;
    if (k) {
        how.asked = arena_cstr(&t->arena, k->request->id);
        how.by = k->request->by;
        how.sets = k->request->sets;
        t->asked = k;
        k->trips++;
    }
    if (newest)
        superseded(&how, t, newest);
    int rc = batch_accept(&s->places, &t->arena, c, &how, &t->b, s->ps);
    if (rc == END) {                                /* accepted before, perhaps by ourselves and not for sure */
        trip_free(s, t);
        rc = resume_batch(s, c->batch);
        if (rc > SKIP)
            left_claimed(s, op->take.folder, CLAIMS_AGAIN_MS);
        return rc;
    }
    return accept_told(s, op, t, rc);
}

/* A duplicate; or an older file than the one that is taken, which is nobody's fault. */
void aside_told(struct supervisor *s, struct trip *t)
{
    const struct waybill *w = t->b->w;
    bool older = slice_is(w->error_code, "SUPERSEDED");
    s->report->batches++;
    s->report->rejected += !older;
    t->op = NULL;
    asked_told(s, t, older ? "superseded" : "refused", w->error_code, w->error_text);
    notice(s, older ? "superseded" : slice_is(w->error_code, "DUP_CONTENT") ? "duplicate" : "error", t);
}

int accept_told(struct supervisor *s, const struct operation *op, struct trip *t, int rc)
{
    if (rc <= WARN) {
        t->b->brief = true;
        trip_add(s, t, op);
        trip_folder_close(t);
        s->report->batches++;
        notice(s, "accepted", t);
        notice_problems(s, s->ps);
        return OK;
    }
    if (rc == SKIP && t->b)                         /* in error/ already */
        aside_told(s, t);
    notice_problems(s, s->ps);
    if (rc > SKIP)
        left_claimed(s, op->take.folder, CLAIMS_AGAIN_MS);
    else if (rc == SKIP && !t->b)                   /* it changed while it was copied: it stays claimed */
        left_claimed(s, op->take.folder, CLAIMS_SOON_MS);
    trip_free(s, t);
    return rc == SKIP ? OK : rc;
}

/* A shared inbox: a file that no flow takes is told once and stays. */
static void tell_unrouted(struct supervisor *s, struct intake *in, const struct drop *d)
{
    char key[48];
    snprintf(key, sizeof key, "%llu.%lld", (unsigned long long)d->ino, (long long)d->mtime_ns);
    if (!in->op->take.type.n || map_get(&s->unrouted, slice_of(key)) || s->unrouted.n > 10000)
        return;                                     /* nothing is kept for a file of another flow, at every look */
    int fd = openat(inbox_fd(in->inbox), d->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool taken = fd < 0;
    for (size_t i = 0; i < s->nintakes && !taken; i++)
        taken = slice_equal(s->intakes[i].op->take.folder, in->op->take.folder) &&
                sniff_type(fd, s->intakes[i].op->format, s->intakes[i].op->take.type);
    if (fd >= 0)
        close(fd);
    if (taken)
        return;
    map_put(&s->unrouted, arena_copy(&s->arena, slice_of(key)), s);
    problem_addf(s->ps, PROBLEM_WARNING, "UNROUTED", (struct place){ .file = d->name, .offset = PLACE_NO_OFFSET },
                 "no flow takes files of this kind from %.*s: it stays there", SLICE_ARG(in->op->take.folder));
}

/* A claim that could not be made durable stays one for a while: an fsync that comes right after says OK. */
static int take_in(struct supervisor *s, struct intake *in, struct claim *c, const char *newest)
{
    int rc = copy_start(s, in, c);
    if (rc == OK)
        return OK;
    if (rc == END)
        rc = accept_claim(s, in->op, c, in->asked, newest);
    else
        left_claimed(s, in->op->take.folder, CLAIMS_AGAIN_MS);
    claim_close(c);
    notice_problems(s, s->ps);
    return rc;
}

/* SKIP: it stays where it is; END: it is gone, or its companions are. */
static int claim_drop(struct supervisor *s, struct intake *in, const struct drop *d, const char *newest)
{
    char id[BATCH_ID_SIZE];
    struct claim c = { .unread = false };
    struct arena a;
    struct companions with;
    arena_init(&a, 0);
    int rc = companions_find(in, &a, &with, s->ps);
    if (rc == OK && with.wait_ms > 0)
        rc = END;                                   /* another file took them: it waits for its own */
    if (rc == OK) {
        if (newest && !with.spare)
            with.names = NULL;                      /* the newest needs them */
        batch_new_id(&s->places, id);
        rc = claim_take(&s->spool, in->inbox, d, id, with.names, &c, s->ps);
    }
    arena_release(&a);
    if (rc == SKIP && c.unread)
        intake_pause(s, in);
    if (rc <= WARN && rc != END)
        return take_in(s, in, &c, newest);
    if (rc > SKIP)
        left_claimed(s, in->op->take.folder, CLAIMS_AGAIN_MS);   /* companions may be in the claim */
    else if (in->op->take.ncompanions)
        intake_later(s, in);                        /* the next file must not take those of this one */
    notice_problems(s, s->ps);
    return rc;
}

void claim_carried(struct supervisor *s, struct intake *in)
{
    in->carrying = false;
    int rc = accept_claim(s, in->op, &in->carried, NULL, NULL);
    claim_close(&in->carried);
    if (rc > SKIP)
        left_claimed(s, in->op->take.folder, CLAIMS_AGAIN_MS);
    notice_problems(s, s->ps);
}

int claim_one(struct supervisor *s, struct intake *in, const struct drop *d)
{
    int rc = claim_drop(s, in, d, NULL);
    return rc == END || rc == SKIP ? OK : rc;
}

static bool claims_wait(const struct supervisor *s)
{
    return s->claims_due != INT64_MAX && s->claims_due <= clock_monotonic_ms();
}

/* Whatever comes stands behind one that waits for a later time. */
static bool is_stuck(const struct supervisor *s, const struct flow *f)
{
    const struct trip *first = f->any_order ? NULL : sched_first(s, f);
    return first && first->due > clock_monotonic_ms();
}

/* A flow that stages takes one file at a time, so that what people ask for and what is due comes in between. */
static size_t room(const struct supervisor *s, const struct intake *in)
{
    const struct flow *f = in->op->flow;
    size_t n = s->flows[f->index].n;
    if ((in->by_hand && !in->asked) || in->carrying || (in->left && order_counts(in->op)) || in->wave ||
        in->given_up || later_any(s, f))
        return 0;
    const struct open *run = calls_open(s, f);
    if (run && (in->op->answers ? run->held : in->op->stage && !in->op->stage->new_batch))
        return 0;                                   /* nothing else changes a batch meanwhile */
    if (flow_stages(f))
        return !sched_busy(s, f) && !due_of(s, f) && (in->asked || !asked_any(s, f));
    if (wave_takes(in->op) && claims_wait(s))
        return 0;                                   /* they are taken up when no wave is under construction */
    size_t most = wave_takes(in->op) && !is_stuck(s, f) ? TRIPS_IN_WAVES : TRIPS_PER_FLOW;
    size_t left = n < most ? most - n : 0;
    if (s->flows[f->index].afloat > WAVES_BYTES || s->flows[f->index].alone >= TRIPS_PER_FLOW)
        return 0;
    /* a wave waits until it is a whole one, as long as something moves */
    return most == TRIPS_IN_WAVES && left < WAVE && (pool_busy(s) || s->ndone || waves_under_way(s)) ? 0 : left;
}

/* Only the newest is taken.  The older ones go first: whatever a crash leaves, no older one is taken for the newest. */
static int claim_newest(struct supervisor *s, struct intake *in)
{
    const struct drop *newest = NULL;
    int rc = OK;
    if (room(s, in) == 0)
        return OK;
    for (size_t i = in->nready; i > in->at && !newest; i--)
        if (content_fits(in, &in->ready[i - 1]))
            newest = &in->ready[i - 1];
    for (; in->at < in->nready && rc <= WARN; in->at++) {
        const struct drop *d = &in->ready[in->at];
        bool full = !care_room(s, d->size);
        if (!full && d != newest && content_fits(in, d))
            rc = claim_drop(s, in, d, newest->name);
        else if (!full && d != newest)
            tell_unrouted(s, in, d);
        if (full || rc > WARN || in->left || !in->nready) {     /* an older one that stays would be the newest then */
            intake_later(s, in);
            return rc > SKIP ? rc : OK;
        }
        rc = rc == END ? OK : rc;
    }
    return rc <= WARN && newest && !in->more ? claim_one(s, in, newest) : rc;
}

/* As many as there is room for, in their order: a wave of small ones, or a long one, on which work begins before the
   next is copied. */
static int claim_ready(struct supervisor *s, struct intake *in)
{
    if (in->op->take.newest)
        return claim_newest(s, in);
    const struct drop *wave[WAVE];
    size_t nwave = 0;
    uint64_t bytes = 0;
    int rc = OK;
    for (size_t n = room(s, in); nwave < WAVE && bytes <= WAVE_BYTES && in->at < in->nready && n > 0; n--) {
        const struct drop *d = &in->ready[in->at];
        if (!care_room(s, d->size)) {
            intake_later(s, in);
            break;
        }
        bool fits = content_fits(in, d), small = fits && !in->asked && wave_fits(in->op, d);
        if (fits && !small && nwave)
            break;                                  /* those before it go first */
        in->at++;
        if (!fits)
            tell_unrouted(s, in, d);
        if (fits && !small) {
            rc = claim_one(s, in, d);
            break;
        }
        if (small) {
            wave[nwave++] = d;
            bytes += d->size;
        }
    }
    if (nwave)
        rc = wave_claim(s, in, wave, nwave);
    if (rc > WARN)                                  /* the one that stays comes before those behind it */
        intake_later(s, in);
    return rc;
}

int step_claim(struct supervisor *s, int64_t now, int64_t *wait)
{
    int rc = OK;
    for (size_t i = 0; i < s->nintakes && rc <= WARN && !s->ending; i++) {
        struct intake *in = &s->intakes[i];
        if (in->by_hand && !in->asked)
            continue;
        if (in->at == in->nready && (in->due <= now || in->more))
            rc = look(s, in, now);
        if (rc <= WARN)
            rc = claim_ready(s, in);
        if (in->due != LATER && in->due - now < *wait)
            *wait = in->due - now;
    }
    notice_problems(s, s->ps);
    return rc;
}

/* Files are ready and there is room for them: no event will tell. */
bool intake_hungry(const struct supervisor *s)
{
    for (size_t i = 0; i < s->nintakes; i++) {
        const struct intake *in = &s->intakes[i];
        if (room(s, in) > 0 && (in->at < in->nready || in->more))
            return true;
    }
    return false;
}

/* Asked when nothing is under way: what has no room then stands behind a trip that waits for a later time. */
bool intake_idle(const struct supervisor *s, int64_t now)
{
    (void)now;
    for (size_t i = 0; i < s->nintakes; i++) {
        const struct intake *in = &s->intakes[i];
        if (in->by_hand && !in->asked)
            continue;
        if (in->waiting || (room(s, in) > 0 && (in->at < in->nready || in->more)))
            return false;
    }
    return true;
}

bool intake_taking(const struct supervisor *s, const struct flow *f)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (s->intakes[i].op->flow == f && s->intakes[i].wave)
            return true;
    return false;
}

bool intake_pending(const struct supervisor *s, const struct flow *f)
{
    for (size_t i = 0; i < s->nintakes; i++) {
        const struct intake *in = &s->intakes[i];
        if (in->op->flow == f && (in->at < in->nready || in->more || in->waiting || in->carrying))
            return true;
    }
    return false;
}

static bool takes(const struct operation *op, const struct claim *c)
{
    return op->take.kind == TAKE_INBOX && slice_is(op->take.folder, c->inbox) &&
           (!op->take.type.n || sniff_type(c->fd, op->format, op->take.type));
}

/* Of the inbox that it came from, also one that runs when somebody asks: it was taken because somebody did. */
static const struct operation *owner_by_inbox(const struct supervisor *s, const struct claim *c)
{
    for (size_t i = 0; i < s->nintakes; i++)
        if (takes(s->intakes[i].op, c))
            return s->intakes[i].op;
    for (size_t i = 0; i < s->site->nflows; i++) {
        const struct flow *f = s->site->flows[i];
        for (size_t k = 0; k < f->noperations && f->on && !f->off; k++)
            if (f->operations[k]->on && takes(f->operations[k], c))
                return f->operations[k];
    }
    return NULL;
}

/* Whose claim is it?  Where the inbox is not known, the first that takes its kind. One that was taken because somebody
   asked is that request's. */
static const struct operation *owner_of(struct supervisor *s, const struct claim *c, struct asked **k)
{
    *k = asked_for_inbox(s, slice_of(c->inbox));
    if (*k)
        return (*k)->op;
    if (c->inbox[0])
        return owner_by_inbox(s, c);
    for (size_t i = 0; i < s->nintakes; i++)
        if (sniff_type(c->fd, s->intakes[i].op->format, slice_none()))
            return s->intakes[i].op;
    return NULL;
}

/* A claim that a crash left, of an operation that takes only the newest: is a newer file in the inbox? */
static bool newer_there(struct supervisor *s, const struct operation *op, const struct claim *c, char name[256])
{
    struct ready terms = ready_terms(s, op, false);
    struct inbox *in;
    struct drop d;
    struct arena a;
    int64_t newest = c->mtime_ns;
    int rc = OK;
    arena_init(&a, 0);
    name[0] = '\0';
    if (inbox_open(&a, &s->spool, arena_cstr(&a, op->take.folder), &terms, &in, s->ps) == OK) {
        inbox_begin(in, clock_monotonic_ms());
        while ((rc = inbox_next(in, &d, s->ps)) == OK || rc == SKIP)
            if (rc == OK && (d.mtime_ns > newest || (d.mtime_ns == newest && strcmp(d.name, c->name) > 0))) {
                newest = d.mtime_ns;
                snprintf(name, 256, "%s", d.name);
            }
    }
    inbox_close(in);
    arena_release(&a);
    return name[0] != '\0';
}

int claim_again(struct supervisor *s, const char *id)
{
    struct claim c;
    char newer[256];
    int rc = claim_open(&s->spool, id, &c, s->ps);
    if (rc > SKIP && c.inbox[0])
        left_claimed(s, slice_of(c.inbox), CLAIMS_AGAIN_MS);
    else if (rc > SKIP)
        left_unknown(s);
    if (rc > WARN)
        notice_problems(s, s->ps);
    if (rc > WARN || rc == END)
        return rc == END ? OK : rc;
    struct asked *k;
    const struct operation *op = owner_of(s, &c, &k);
    if (op && is_left(s, op) && order_counts(op))   /* one before it could not be accepted */
        claims_later(s, CLAIMS_AGAIN_MS);
    else if (op && later_any(s, op->flow))          /* batches of before come before it */
        claims_later(s, CLAIMS_SOON_MS);
    else if (op)
        rc = accept_claim(s, op, &c, k, op->take.newest && newer_there(s, op, &c, newer) ? newer : NULL);
    else
        problem_addf(s->ps, PROBLEM_WARNING, "CLAIM_WAITS", (struct place){ .offset = PLACE_NO_OFFSET },
                     "the claimed file in .waybill/claim/%s belongs to no flow that is on; it stays there", id);
    claim_close(&c);
    notice_problems(s, s->ps);
    return rc;
}
