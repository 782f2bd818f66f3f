#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/super.h"
#include "flow/wire.h"

enum { NOTED_BLOCK = 1 << 18, LEDGER_LATER_MS = 5000 };
#define NOTED_MAX (LEDGER_RECORD_MAX + (1 << 20))      /* of one record: more is damage */

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
    if (ledger_open(&l->arena, &s->store, arena_cstr(&l->arena, f->name), &l->open, s->ps) <= WARN) {
        if (lease_stands(&s->lease, &s->spool))
            return l->open;
        ledger_close(l->open);                      /* opened after a take-over it would be the other host's */
    }
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

/* What the worker left in work/<batch>/ledger.1, a block at a time: there may be millions of records. */
struct noted {
    int fd;
    struct buf bytes;
    size_t next;                    /* byte of the next record */
    struct arena arena;             /* of one record */
};

static bool get_record(struct noted *f, struct ledger_record *r)
{
    struct wire w = { .at = slice_range(f->bytes.p + f->next, f->bytes.p + f->bytes.n), .arena = &f->arena };
    r->message = wire_get_number(&w);
    r->outcome = wire_get_text(&w);
    r->code = wire_get_text(&w);
    uint64_t n = wire_get_number(&w);
    if (w.bad || n > w.at.n / 16)                   /* each has two lengths */
        return false;
    r->fields = arena_zero(w.arena, (n + 1) * sizeof *r->fields);
    r->nfields = (size_t)n;
    for (size_t i = 0; i < n && !w.bad; i++) {
        r->fields[i].name = wire_get_text(&w);
        r->fields[i].value = wire_get_text(&w);
    }
    f->next = w.bad ? f->next : (size_t)(w.at.p - f->bytes.p);
    return !w.bad;
}

/* OK with more bytes, twice as many each time that a record is not whole yet; END when there are none. */
static int more_bytes(struct supervisor *s, struct noted *f)
{
    size_t left = f->bytes.n - f->next, want = left > NOTED_BLOCK ? left : NOTED_BLOCK;
    if (left > NOTED_MAX)
        return END;
    if (f->next)
        memmove(f->bytes.p, f->bytes.p + f->next, left);
    f->bytes.n = left;
    f->next = 0;
    ssize_t n = file_read_full(f->fd, buf_room(&f->bytes, want), want);
    f->bytes.n += n > 0 ? (size_t)n : 0;
    return n > 0 ? OK : n == 0 ? END : problem_system(s->ps, "ledger.1", "cannot be read", errno);
}

/* It was synced before the batch was written, so this is damage; what it delivered stays delivered. */
static void say_damaged(struct supervisor *s, const struct trip *t, size_t left)
{
    problem_addf(s->ps, PROBLEM_WARNING, "LEDGER_RECORDS",
                 (struct place){ .file = t->b->id, .offset = PLACE_NO_OFFSET },
                 "the last %zu bytes of what the ledger should keep of its messages cannot be read", left);
}

static int add_noted(struct supervisor *s, const struct trip *t, struct ledger *l, struct noted *f,
                     const struct ledger_record *of)
{
    int rc = OK;
    while (rc == OK) {
        struct ledger_record r = *of;
        arena_reset(&f->arena);
        rc = get_record(f, &r) ? ledger_write(l, &r, s->ps) : more_bytes(s, f);
    }
    if (rc == END && f->bytes.n > f->next)
        say_damaged(s, t, f->bytes.n - f->next);
    return rc == END ? OK : rc;
}

static int add_messages(struct supervisor *s, struct trip *t, struct ledger *l, const struct ledger_record *of)
{
    struct noted f = { .fd = openat(t->b->dir, "ledger.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
    if (f.fd < 0)
        return errno == ENOENT ? OK : problem_system(s->ps, "ledger.1", "cannot be read", errno);
    arena_init(&f.arena, 0);
    int rc = add_noted(s, t, l, &f, of);
    arena_release(&f.arena);
    buf_release(&f.bytes);
    close(f.fd);
    return rc;
}

struct slice last_run(struct supervisor *s, const struct operation *op, struct arena *a)
{
    return op->last_run ? ran_last(s, op, a) : slice_none();
}

static bool find_run(struct supervisor *s, const struct operation *op, struct arena *a, struct ledger_record *out)
{
    struct ledger *l = ledger_of(s, op->flow);
    struct slice name = SLICE("$operation");
    return l && ledger_find(l, &name, &op->name, 1, SLICE("delivered"), a, out) > 0;
}

bool ran_known(struct supervisor *s, const struct operation *op)
{
    struct ledger *l = ledger_of(s, op->flow);
    struct ledger_record r;
    struct arena a;
    arena_init(&a, 0);
    bool known = l && (find_run(s, op, &a, &r) || ledger_fault(l, s->ps) == OK);
    arena_release(&a);
    return known;
}

struct slice ran_last(struct supervisor *s, const struct operation *op, struct arena *a)
{
    struct ledger_record r;
    return find_run(s, op, a, &r) ? ledger_value(&r, SLICE("$batch-time")) : slice_none();
}

/* An operation of a batch that stays may run several times: each run is a group of its own in the ledger. */
static struct slice part_of(struct trip *t)
{
    uint32_t run = t->b->w->run;
    return run ? arena_printf(&t->arena, "%.*s#%u", SLICE_ARG(t->op->name), run) : t->op->name;
}

/* One group: the messages, then the batch as a whole.  OK too when it is there already. */
static int write_group(struct supervisor *s, struct trip *t, struct ledger *l)
{
    struct ledger_field fields[] = { { SLICE("$operation"), t->op->name },
                                     { SLICE("$batch-time"), t->b->w->batch_time } };
    struct ledger_record batch = { .batch = t->b->w->batch, .part = part_of(t),
                                   .time = batch_stamp(&s->places, &t->arena),
                                   .outcome = SLICE("delivered"), .code = slice_none() };
    struct ledger_record whole = batch;
    whole.fields = fields;
    whole.nfields = 2;
    int rc = ledger_begin(l, batch.batch, batch.part, s->ps);
    if (rc != OK)
        return rc == END ? OK : rc;
    rc = t->no_records ? OK : add_messages(s, t, l, &batch);
    return rc <= WARN ? ledger_end(l, &whole, s->ps) : rc;
}

int step_enter(struct supervisor *s, struct trip *t, bool commit)
{
    struct ledger *l = ledger_of(s, t->op->flow);
    if (!l)
        return TEMP;
    int rc = write_group(s, t, l);
    if (rc <= WARN && commit)
        rc = ledger_commit(l, s->ps);
    if (rc > WARN)
        ledger_drop(l, s->ps);                      /* the next attempt writes it once more */
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
    if (!t->no_records && batch_unlink(t->b, "ledger.1") != 0 && errno != ENOENT)
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
