#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "flow/super.h"
#include "flow/wire.h"

#define LEDGER_MAX (512ULL << 20)
#define LEDGER_LATER_MS 5000

/* NULL: it cannot be opened, or could not be a moment ago. Then whoever waits for it asks again and again, and each
   attempt reads the whole file. */
static struct ledger *ledger_of(struct supervisor *s, const struct flow *f)
{
    struct flow_ledger *l = &s->ledgers[f->index];
    int64_t now = clock_monotonic_ms();
    if (l->open || now < l->due)
        return l->open;
    arena_init(&l->arena, 0);
    l->fault[0] = '\0';
    if (ledger_open(&l->arena, &s->store, arena_cstr(&l->arena, f->name), &l->open, s->ps) <= WARN)
        return l->open;
    l->open = NULL;
    l->due = now + LEDGER_LATER_MS;
    if (s->ps->last)
        snprintf(l->fault, sizeof l->fault, "%s", s->ps->last->code);
    arena_release(&l->arena);
    return NULL;
}

/* Why a batch could not be archived; nothing is told of a ledger that is not tried again yet. */
static const char *cause_of(const struct supervisor *s, const struct trip *t)
{
    const char *fault = s->ledgers[t->op->flow->index].fault;
    return s->ps->last ? s->ps->last->code : *fault ? fault : "SYS_IO";
}

static void add_record(struct ledger *l, struct wire *w, const struct ledger_record *of)
{
    struct ledger_record r = *of;
    r.message = wire_get_number(w);
    r.outcome = wire_get_text(w);
    r.code = wire_get_text(w);
    uint64_t n = wire_get_number(w);
    if (n > 64)
        w->bad = true;
    if (w->bad)
        return;
    r.fields = arena_zero(w->arena, (n + 1) * sizeof *r.fields);
    r.nfields = (size_t)n;
    for (size_t i = 0; i < n; i++) {
        r.fields[i].name = wire_get_text(w);
        r.fields[i].value = wire_get_text(w);
    }
    if (!w->bad)
        ledger_add(l, &r);
}

/* What the worker left in work/<batch>/ledger.1; a file that does not add up is left out, which the ledger's own
   line says. */
static int add_messages(struct supervisor *s, struct trip *t, struct ledger *l, const struct ledger_record *of)
{
    struct slice bytes = slice_none();
    struct arena a;
    off_t end;
    int fd = openat(t->b->dir, "ledger.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = OK;
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(s->ps, "ledger.1", "cannot be read", errno);
    arena_init(&a, 0);
    end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        rc = problem_system(s->ps, "ledger.1", "cannot be read", errno);
    if (end > 0 && (uint64_t)end <= LEDGER_MAX) {
        char *p = arena_alloc(&a, (size_t)end);
        ssize_t n = pread(fd, p, (size_t)end, 0);
        bytes = (struct slice){ p, n > 0 ? (size_t)n : 0 };
        if (n != end)
            rc = problem_system(s->ps, "ledger.1", "cannot be read", n < 0 ? errno : EIO);
    }
    struct wire w = { .at = bytes, .arena = &a };
    while (rc == OK && w.at.n && !w.bad)
        add_record(l, &w, of);
    close(fd);
    arena_release(&a);
    return rc;
}

struct slice last_run(struct supervisor *s, const struct operation *op, struct arena *a)
{
    return op->last_run ? ran_last(s, op, a) : slice_none();
}

struct slice ran_last(struct supervisor *s, const struct operation *op, struct arena *a)
{
    struct ledger *l = ledger_of(s, op->flow);
    struct slice name = SLICE("$operation");
    struct ledger_record r;
    if (!l || ledger_find(l, &name, &op->name, 1, SLICE("delivered"), a, &r) == 0)
        return slice_none();
    return ledger_value(&r, SLICE("$batch-time"));
}

/* An operation of a batch that stays may run several times: each run is a group of its own in the ledger. */
static struct slice part_of(struct trip *t)
{
    uint32_t run = t->b->w->run;
    return run ? arena_printf(&t->arena, "%.*s#%u", SLICE_ARG(t->op->name), run) : t->op->name;
}

int step_enter(struct supervisor *s, struct trip *t, bool commit)
{
    struct ledger *l = ledger_of(s, t->op->flow);
    if (!l)
        return TEMP;
    struct ledger_field fields[] = { { SLICE("$operation"), t->op->name },
                                     { SLICE("$batch-time"), t->b->w->batch_time } };
    struct ledger_record batch = { .batch = t->b->w->batch, .part = part_of(t),
                                   .time = batch_stamp(&s->places, &t->arena),
                                   .outcome = SLICE("delivered"), .code = slice_none() };
    struct ledger_record whole = batch;
    whole.fields = fields;
    whole.nfields = 2;
    if (ledger_has(l, batch.batch, batch.part))
        return OK;
    int rc = t->no_records ? OK : add_messages(s, t, l, &batch);
    if (rc > WARN) {
        ledger_drop(l);
        return rc;
    }
    ledger_add(l, &whole);
    rc = commit ? ledger_commit(l, s->ps) : OK;
    if (rc > WARN)
        ledger_drop(l);                             /* the next attempt adds it once more */
    return rc;
}

int step_archived(struct supervisor *s, struct trip *t, int rc)
{
    if (rc > WARN) {
        const char *cause = arena_cstr(&t->arena, slice_of(cause_of(s, t)));
        notice_problems(s, s->ps);
        trip_to(s, t, TRIP_WRITTEN);
        trip_retry(s, t, cause);
        return END;
    }
    s->report->delivered++;
    notice(s, "archived", t);
    trip_free(s, t);
    return OK;
}

/* A batch whose life is over goes to the archive by the way of all others. */
void step_archive_soon(struct supervisor *s, struct trip *t)
{
    trip_to(s, t, TRIP_WRITTEN);
    t->delivered = true;
    trip_alone(s, t);
    t->due = 0;
    open_note(s, t->b->w);
}

int step_entered(struct supervisor *s, struct trip *t)
{
    int rc = OK;
    if (!t->no_records && unlinkat(t->b->dir, "ledger.1", 0) != 0 && errno != ENOENT)
        rc = problem_system(s->ps, "ledger.1", "cannot be removed", errno);
    if (rc <= WARN && !t->no_rejects && faccessat(t->b->dir, "rejects", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        rc = care_refused(s, t, NULL, slice_none());
        if (rc <= WARN)
            rc = batch_rejects(t->b, s->ps);
    }
    open_flow_changed(s, t->op->flow);
    return rc;
}

/* Ledger, refused messages, what comes after, zip: what follows once the outputs are visible. */
int step_archive(struct supervisor *s, struct trip *t)
{
    if (t->b->w->place == PLACE_ARCHIVED)           /* all is done but the removal of its folder */
        return step_archived(s, t, batch_archive(t->b, s->ps));
    bool ended = slice_is(t->b->w->waits, "end");   /* its last operation was entered when it was over */
    int rc = ended ? OK : step_enter(s, t, true);
    if (rc <= WARN && !ended)
        rc = step_entered(s, t);
    if (rc <= WARN)
        rc = step_unpack(s, t);
    if (rc <= WARN && !ended && (flow_stages(t->op->flow) || due_follows(t->op))) {
        rc = step_rest(s, t);
        if (rc != OK)
            return rc;                              /* it rests, or is tried again */
    }
    if (rc <= WARN)
        asked_told(s, t, "done", slice_none(), slice_none());
    if (rc <= WARN && t->b->w->bytes >= ZIP_BY_WORKER) {
        trip_to(s, t, TRIP_TO_ZIP);
        return OK;
    }
    if (rc <= WARN)
        rc = batch_archive(t->b, s->ps);
    return step_archived(s, t, rc);
}
