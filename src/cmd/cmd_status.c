#include "base/json.h"
#include "batch/wave.h"
#include "cmd/commands.h"
#include "cmd/staged.h"
#include "drop/inbox.h"
#include "drop/lease.h"
#include "store/archive.h"

/* One batch that is not archived yet. */
struct row {
    struct waybill *w;
    bool open, errors;              /* it stages: its life goes on; some operation's last run refused messages */
    struct row *next;
};

/* A file that is taken from its inbox and no batch yet. */
struct taken {
    struct claim claim;
    struct taken *next;
};

struct telling {
    struct cmd *cmd;
    struct places places;
    struct row *first, **last, *first_aside;
    struct taken *taken, **last_taken;
    uint64_t archived;
    bool aside;                     /* what lies in error/ is looked at */
};

static bool has_errors(struct telling *t, const struct waybill *w)
{
    struct arena a;
    struct said said;
    arena_init(&a, 0);
    bool errors = said_read(&said, &a, &t->places, w, t->cmd->problems) == OK && said.errors;
    arena_release(&a);
    return errors;
}

static bool is_listed(const struct telling *t, struct slice batch)
{
    for (const struct row *r = t->first; r && r != t->first_aside; r = r->next)
        if (slice_equal(r->w->batch, batch))
            return true;
    return false;
}

static int add_waybill(void *owner, struct waybill *w)
{
    struct telling *t = owner;
    struct row *r = arena_zero(t->cmd->arena, sizeof *r);
    r->w = w;
    r->open = batch_is_open(r->w);
    if (t->aside && is_listed(t, w->batch))         /* its refused messages lie in error/ */
        return OK;
    if (r->open)
        r->errors = has_errors(t, r->w);
    if (t->aside && !t->first_aside)
        t->first_aside = r;
    *t->last = r;
    t->last = &r->next;
    return OK;
}

static int add_row(void *owner, const char *id)
{
    struct telling *t = owner;
    struct waybill *w;
    if (batch_find(&t->places.site, t->cmd->arena, id, &w, t->cmd->problems) != OK)
        return OK;                                  /* just now archived, or damaged: the problem says so */
    return add_waybill(t, w);
}

/* The problem says what cannot be read. */
static int add_taken(void *owner, const char *id)
{
    struct telling *t = owner;
    struct taken *one = arena_zero(t->cmd->arena, sizeof *one);
    if (claim_look(&t->places.spool, id, &one->claim, t->cmd->problems) == END)
        return OK;
    *t->last_taken = one;
    t->last_taken = &one->next;
    return OK;
}

static int count_archived(void *owner, const char *id)
{
    struct telling *t = owner;
    (void)id;
    t->archived++;
    return OK;
}

static void column(struct buf *out, struct slice text, size_t width)
{
    size_t before = out->n;
    buf_add_shown(out, text, width);
    for (size_t n = slice_chars((struct slice){ out->p + before, out->n - before }); n < width + 2; n++)
        buf_byte(out, ' ');
}

static void show_retry(struct buf *out, const struct waybill *w, const char *before)
{
    if (!w->retry.cause.n)
        return;
    buf_text(out, before);
    buf_text(out, "again at ");
    buf_add_shown(out, w->retry.next, 0);
    buf_text(out, ": ");
    buf_add_shown(out, w->retry.cause, 0);
}

/* Its state, what is under way or due, and what holds it up. */
static void show_open(struct buf *out, const struct row *r)
{
    const struct waybill *w = r->w;
    struct slice state = least_state(w);
    buf_add_shown(out, state.n ? state : SLICE("open"), 40);
    buf_text(out, r->errors ? ", with errors" : "");
    if (slice_is(w->waits, "person"))
        buf_text(out, ", held");
    else if (slice_is(w->waits, "answer"))
        buf_text(out, ", waits for an answer");
    if (w->operation.n || w->due) {
        buf_text(out, "; ");
        buf_add_shown(out, w->operation.n ? w->operation : w->due->name, 40);
        buf_text(out, w->operation.n ? " is under way" : " is due");
    }
    show_retry(out, w, ", ");
}

static void show_row(struct buf *out, const struct row *r)
{
    const struct waybill *w = r->w;
    column(out, w->batch, 24);
    column(out, w->flow, 16);
    column(out, slice_of(place_names[w->place]), 9);
    column(out, w->name, 32);
    if (w->place == PLACE_ERROR) {
        buf_add_shown(out, w->error_code, 0);
        buf_text(out, ": ");
        buf_add_shown(out, w->error_text, 80);
    } else if (r->open) {
        show_open(out, r);
    } else if (waybill_total_of(w->totals, "rejected")) {
        buf_printf(out, "%llu of %llu messages refused", (unsigned long long)waybill_total_of(w->totals, "rejected"),
                   (unsigned long long)w->messages);
        show_retry(out, w, ", ");
    } else if (w->retry.cause.n) {
        show_retry(out, w, "");
    } else if (w->waits.n) {
        buf_text(out, "waits for ");
        buf_add_shown(out, w->waits, 0);
    }
    buf_byte(out, '\n');
}

static void show_taken(struct buf *out, const struct claim *c)
{
    column(out, slice_of(c->batch), 24);
    column(out, SLICE("-"), 16);
    column(out, SLICE("claimed"), 9);
    column(out, slice_of(c->name), 32);
    buf_text(out, "taken from ");
    buf_add_shown(out, slice_of(c->inbox[0] ? c->inbox : "an inbox"), 80);
    buf_text(out, ", not accepted yet\n");
}

static void show(const struct telling *t, struct buf *out, long pid)
{
    if (pid)
        buf_printf(out, "watched by process %ld\n", pid);
    else
        buf_text(out, "nobody watches this site at the moment\n");
    buf_printf(out, "%llu batch%s archived\n", (unsigned long long)t->archived, t->archived == 1 ? "" : "es");
    if (t->first || t->taken) {
        buf_byte(out, '\n');
        column(out, SLICE("BATCH"), 24);
        column(out, SLICE("FLOW"), 16);
        column(out, SLICE("PLACE"), 9);
        column(out, SLICE("FILE"), 32);
        buf_text(out, "WHY\n");
    }
    for (const struct row *r = t->first; r; r = r->next)
        show_row(out, r);
    for (const struct taken *c = t->taken; c; c = c->next)
        show_taken(out, &c->claim);
}

static void states_json(struct buf *out, const struct row *r)
{
    json_bool(out, "open", true);
    json_text(out, "state", least_state(r->w));
    json_bool(out, "with_errors", r->errors);
    json_text(out, "waits", r->w->waits);
    json_text(out, "due", r->w->due ? r->w->due->name : slice_none());
    json_key(out, "states");
    json_open(out, '[');
    for (const struct waybill_total *s = r->w->states; s; s = s->next) {
        json_open(out, '{');
        json_text(out, "state", s->name);
        json_number(out, "lines", (int64_t)s->count);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void row_json(struct buf *out, const struct row *r)
{
    const struct waybill *w = r->w;
    json_open(out, '{');
    json_text(out, "batch", w->batch);
    json_text(out, "flow", w->flow);
    json_text(out, "operation", w->operation);
    json_text(out, "place", slice_of(place_names[w->place]));
    json_text(out, "file", w->name);
    json_number(out, "messages", (int64_t)w->messages);
    json_number(out, "rejected", (int64_t)waybill_total_of(w->totals, "rejected"));
    if (r->open)
        states_json(out, r);
    if (w->error_code.n) {
        json_text(out, "code", w->error_code);
        json_text(out, "text", w->error_text);
    }
    if (w->retry.cause.n) {
        json_text(out, "cause", w->retry.cause);
        json_number(out, "attempts", w->retry.attempts);
        json_text(out, "next", w->retry.next);
    }
    json_close(out, '}');
}

static void show_json(const struct telling *t, struct buf *out, long pid)
{
    json_open(out, '{');
    json_bool(out, "watched", pid != 0);
    json_number(out, "process", pid);
    json_number(out, "archived", (int64_t)t->archived);
    json_key(out, "batches");
    json_open(out, '[');
    for (const struct row *r = t->first; r; r = r->next)
        row_json(out, r);
    json_close(out, ']');
    json_key(out, "claims");
    json_open(out, '[');
    for (const struct taken *c = t->taken; c; c = c->next) {
        json_open(out, '{');
        json_text(out, "batch", slice_of(c->claim.batch));
        json_text(out, "inbox", slice_of(c->claim.inbox));
        json_text(out, "file", slice_of(c->claim.name));
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static int worse(int one, int other)
{
    return one > other ? one : other;
}

/* What can be told is told, whatever cannot be read. */
static int gather(struct telling *t, long *pid)
{
    struct problems *ps = t->cmd->problems;
    int rc = batch_each(&t->places.site, false, add_row, t, ps);
    rc = worse(rc, batch_each_afloat(&t->places.site, t->cmd->arena, NULL, add_waybill, t, ps));
    t->aside = true;
    rc = worse(rc, batch_each(&t->places.site, true, add_row, t, ps));
    rc = worse(rc, claim_each(&t->places.spool, add_taken, t, ps));
    rc = worse(rc, archived_each(&t->places.store, count_archived, t, ps));
    return worse(rc, lease_holder(&t->places.spool, pid, ps));
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 0 } };
    struct telling t = { .cmd = c };
    struct cmd_args args;
    struct buf out = { 0 };
    long pid = 0;
    t.last = &t.first;
    t.last_taken = &t.taken;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n > 1)
        return cmd_usage(c, "one site at a time");
    int rc = places_open(&t.places, c, args.n ? args.operand[0] : ".");
    if (rc <= WARN) {
        rc = gather(&t, &pid);
        (c->json ? show_json : show)(&t, &out, pid);
    }
    places_close(&t.places);
    cmd_flush(c);
    int code = cmd_print(c, &out);
    buf_release(&out);
    return rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : code;
}

const struct command command_status = {
    .verb = "status",
    .run = run,
    .usage = "status [--json] [DIR]",
    .summary = "where the batches of a site stand",
    .help = "      --json      one JSON object\n\nBatches at work and set aside and files taken from an inbox are listed, those in the archive counted. An open batch of a flow that stages\n"
            "shows the least advanced state of its lines, and whether operations refused messages of it.\n",
};
