#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "batch/batch_private.h"
#include "store/seen.h"

bool batch_is_open(const struct waybill *w)
{
    return w->stage.p && (w->place == PLACE_DELIVERED || w->place == PLACE_WRITTEN) && !slice_is(w->waits, "end");
}

/* --- the end of a delivery ---------------------------------------------------------------------------------------- */

static bool is_own_stage(const struct waybill_file *f)
{
    return slice_is(f->kind, "stage") && f->name.p == NULL;
}

/* Something that this run made for another batch. */
static bool is_for_others(const struct waybill_file *f)
{
    return (slice_is(f->kind, "stage") || slice_is(f->kind, "log")) && f->name.p;
}

bool batch_has_files(const struct batch *b)
{
    for (const struct waybill_file *f = b->w->files; f; f = f->next) {
        if (f->run == b->w->run && (is_own_stage(f) || is_for_others(f) || slice_is(f->kind, "sent") ||
                                    slice_is(f->kind, "member") || (b->w->run && slice_is(f->kind, "lines"))))
            return true;
    }
    return false;
}

bool batch_settled(struct batch *b)
{
    struct waybill *w = b->w;
    bool others = false;
    for (const struct waybill_file *f = w->files; f; f = f->next) {
        others |= is_for_others(f);
        if (f->run == w->run && is_own_stage(f)) {
            w->stage = f->file;
            w->states = f->states;
        }
    }
    if (w->stage.p || others)
        w->waits = SLICE("rest");               /* the operation stays named until its end */
    else
        w->operation = slice_none();
    return w->stage.p || others;
}

/* --- operations on a batch that stays ----------------------------------------------------------------------------- */

static int busy(const struct batch *b, const char *text, struct problems *ps)
{
    struct place place = { .file = b->id, .offset = PLACE_NO_OFFSET };
    problem_addf(ps, PROBLEM_ERROR, "BATCH_BUSY", place, "batch %s %s", b->id, text);
    return STOP;
}

static int check_rests(const struct batch *b, struct problems *ps)
{
    const struct waybill *w = b->w;
    if (!batch_is_open(w) || w->place != PLACE_DELIVERED)
        return busy(b, "is not open: its life is over, or has not begun", ps);
    if (slice_is(w->waits, "person"))
        return busy(b, "is held: `waybill release` lets it go on", ps);
    if (w->calls.asked.p)
        return busy(b, "waits for an answer: `waybill show` tells which", ps);
    return w->operation.p ? busy(b, "has an operation that is not over: `waybill show` tells which", ps) : OK;
}

int batch_begin(struct batch *b, struct slice operation, struct problems *ps)
{
    struct waybill *w = b->w;
    if (slice_equal(w->operation, operation) && !w->waits.p && w->place == PLACE_DELIVERED)
        return OK;                              /* begun before a crash */
    int rc = check_rests(b, ps);
    if (rc == OK && w->calls.operation.n && !slice_equal(w->calls.operation, operation))
        rc = busy(b, "has an operation that is not over: `waybill show` tells which", ps);
    if (rc != OK)
        return rc;
    w->run++;
    w->operation = arena_copy(b->arena, operation);
    w->run_by = waybill_not_due(w, operation);
    w->waits = slice_none();
    w->batch_time = batch_stamp(b->site, b->arena);
    w->retry = (struct waybill_retry){ .attempts = 0 };
    struct slice detail = w->run_by.n ? arena_printf(b->arena, "%.*s: %.*s", SLICE_ARG(operation), SLICE_ARG(w->run_by))
                                      : w->operation;
    batch_note(b, "began", detail);
    return b->lazy ? OK : batch_save(b, ps);
}

/* A run that spans several jobs keeps what it was begun with. */
static void forget_run(struct waybill *w)
{
    w->operation = w->run_by = slice_none();
    if (!w->calls.operation.n)
        w->run_sets = w->run_keys = NULL;
    w->run_amends = NULL;
    w->retry = (struct waybill_retry){ .attempts = 0 };
}

static void note_run(struct batch *b, const char *outcome, struct slice code, struct slice text)
{
    struct waybill *w = b->w;
    waybill_ran(w, &(struct waybill_run){
        .operation = w->operation, .time = w->batch_time, .by = w->run_by, .outcome = slice_of(outcome),
        .code = code, .text = text, .messages = w->messages, .rejected = waybill_total_of(w->totals, "rejected"),
        .waiting = waybill_total_of(w->totals, "waiting"),
        .errors = w->errors, .warnings = w->warnings });
}

static void note_amends(struct batch *b)
{
    for (const struct waybill_amend *m = b->w->run_amends; m; m = m->next) {
        struct slice value = m->hidden ? SLICE(PROBLEM_MASK) : m->value;
        batch_note(b, "amended", arena_printf(b->arena, "%.*s %.*s = %.*s (%.*s)", SLICE_ARG(m->message),
                                              SLICE_ARG(m->path), SLICE_ARG(value), SLICE_ARG(b->w->run_by)));
    }
}

static void end_run(struct batch *b)
{
    note_amends(b);
    note_run(b, "done", slice_none(), slice_none());
    forget_run(b->w);
}

int batch_rest(struct batch *b, struct slice why, struct problems *ps)
{
    struct waybill *w = b->w;
    if (w->place != PLACE_DELIVERED)
        return batch_move(b, PLACE_ACCEPTED, NULL, ps);         /* says what is wrong */
    if (w->operation.p)
        end_run(b);
    w->waits = arena_copy(b->arena, why);
    return batch_save(b, ps);
}

int batch_refuse(struct batch *b, const char *code, struct slice text, struct problems *ps)
{
    struct waybill *w = b->w;
    if (!w->stage.p || !w->operation.p || slice_is(w->waits, "rest") || batch_visible(b))
        return busy(b, "has no operation that could be refused now", ps);
    batch_forget(b);
    w->place = PLACE_DELIVERED;
    note_run(b, "refused", slice_of(code), text);
    batch_note(b, "refused", arena_printf(b->arena, "%.*s: %.*s [%s]", SLICE_ARG(w->operation), SLICE_ARG(text), code));
    w->calls = (struct waybill_calls){ .operation = slice_none() };
    forget_run(w);
    w->waits = SLICE("open");
    int rc = batch_save(b, ps);
    if (rc == OK)
        batch_sweep(b);
    return rc;
}

int batch_end(struct batch *b, const char *what, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    bool over = w->operation.p && slice_is(w->waits, "rest");
    if (!batch_is_open(w) || w->place != PLACE_DELIVERED || (w->operation.p && !over))
        return check_rests(b, ps) == OK ? OK : STOP;
    w->calls = (struct waybill_calls){ .operation = slice_none() };
    if (over)
        end_run(b);
    w->due = NULL;
    w->waits = SLICE("end");
    batch_note(b, what, by);
    return batch_save(b, ps);
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

int batch_hold(struct batch *b, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    if (slice_is(w->waits, "person"))
        return OK;
    if (w->place > PLACE_DELIVERED || slice_is(w->waits, "rest") || slice_is(w->waits, "end"))
        return busy(b, "cannot be held now: its life is over, or an operation on it is not", ps);
    w->waits = SLICE("person");
    batch_note(b, "held", by);
    return batch_save(b, ps);
}

int batch_release(struct batch *b, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    if (!slice_is(w->waits, "person"))
        return busy(b, "is not held: there is nothing to release", ps);
    w->waits = !w->stage.p || w->place != PLACE_DELIVERED || w->operation.p ? slice_none()
        : w->calls.asked.p ? SLICE("answer") : SLICE("open");
    batch_note(b, "released", by);
    return batch_save(b, ps);
}

/* They are entered anew when it is worked on next. */
static void forget_pins(struct waybill *w)
{
    struct waybill_pin **link = &w->pins;
    while (*link) {
        if (slice_is((*link)->kind, "site") || slice_is((*link)->kind, "mapping") || slice_is((*link)->kind, "format"))
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

int batch_renew(struct batch *b, const char *config, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    if (w->place > PLACE_DELIVERED || slice_is(w->waits, "end") || (w->place == PLACE_DELIVERED && !batch_is_open(w)))
        return busy(b, "has come to its end: drop its file again, or `waybill retry` it", ps);
    if (!*config)
        return busy(b, "stays as it is: archive/config cannot keep the mappings of now; is the disk full?", ps);
    if (strcmp(waybill_pinned(w, "config"), config) == 0)
        return OK;
    forget_pins(w);
    waybill_pin(w, "config", SLICE("manifest"), config);
    batch_note(b, "renewed", by);
    return batch_save(b, ps);
}

/* Its content may come again: it was not used. */
static int forget_content(const struct batch *b, struct problems *ps)
{
    char key[SHA256_HEX];
    seen_key(key, (struct slice[]){ b->w->flow, slice_of(b->w->sha256) }, 2);
    return seen_remove(b->site->store, SEEN_CONTENT, key, b->id, ps);
}

/* What had begun is not visible: it did not take place.  When that cannot be written down nothing has changed. */
static int cancel_open(struct batch *b, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    struct batch_memory before;
    batch_remember(b, &before);
    if (w->operation.p) {
        batch_forget(b);
        w->place = PLACE_DELIVERED;
        w->calls = (struct waybill_calls){ .operation = slice_none() };
        forget_run(w);
    }
    w->waits = SLICE("open");
    int rc = batch_end(b, "cancelled", by, ps);
    if (rc == OK)
        batch_sweep(b);
    else
        batch_recall(b, &before, ps);
    batch_forget_memory(&before);
    return rc;
}

int batch_cancel(struct batch *b, struct slice by, struct problems *ps)
{
    struct waybill *w = b->w;
    struct slice text = arena_printf(b->arena, "cancelled by %.*s", SLICE_ARG(by));
    if (w->place == PLACE_ERROR && slice_is(w->error_code, "CANCELLED") && slice_equal(w->error_text, text))
        return batch_set_aside(b, "CANCELLED", text, ps);       /* all but its folder was, at an earlier attempt */
    if (w->place >= PLACE_ARCHIVED || slice_is(w->waits, "rest") || slice_is(w->waits, "end") || batch_visible(b))
        return busy(b, "cannot be cancelled any more: `waybill status` tells where it stands", ps);
    if (batch_is_open(w))
        return cancel_open(b, by, ps);
    if (w->place == PLACE_DELIVERED)
        return busy(b, "is delivered and cannot be cancelled", ps);
    int rc = forget_content(b, ps);
    return rc == OK ? batch_set_aside(b, "CANCELLED", text, ps) : rc;
}

int batch_retry_now(struct batch *b, struct slice by, struct problems *ps)
{
    if (!b->w->retry.cause.p)
        return busy(b, "waits for no other attempt: there is nothing to retry", ps);
    b->w->retry.next = batch_stamp(b->site, b->arena);
    batch_note(b, "retry asked", by);
    return batch_save(b, ps);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

struct open_walk {
    const struct batch_site *site;
    struct arena *arena;
    struct slice flow;
    int (*each)(void *owner, struct batch **b, struct problems *ps);
    void *owner;
    struct problems *ps;
    bool passed;                    /* one could not be read */
};

static int one_open(void *owner, const char *id)
{
    struct open_walk *k = owner;
    struct problems unread;
    struct batch *b;
    problems_init(&unread, k->arena, 1);
    int rc = batch_open(k->site, k->arena, id, &b, &unread);
    if (rc == TEMP) {
        k->passed = true;
        problem_add(k->ps, unread.first);
    }
    if (rc != OK)
        return OK;
    rc = OK;
    if (batch_is_open(b->w) && (k->flow.n == 0 || slice_equal(b->w->flow, k->flow)))
        rc = k->each(k->owner, &b, k->ps);
    if (b)
        batch_close(b);
    return rc;
}

int batch_each_open(const struct batch_site *s, struct arena *a, struct slice flow,
                    int (*each)(void *owner, struct batch **b, struct problems *ps), void *owner, struct problems *ps)
{
    struct open_walk k = { .site = s, .arena = a, .flow = flow, .each = each, .owner = owner, .ps = ps };
    int rc = batch_each(s, false, one_open, &k, ps);
    return rc == OK && k.passed ? TEMP : rc;
}
