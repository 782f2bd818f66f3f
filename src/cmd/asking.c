#include "cmd/asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "drop/lease.h"

enum { WAIT_MS = 60000, POLL_MS = 50 };

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void answer_json(struct buf *out, const struct request_answer *a)
{
    json_open(out, '{');
    json_text(out, "request", a->id);
    json_text(out, "outcome", a->outcome);
    json_text(out, "code", a->code);
    json_text(out, "text", a->text);
    json_number(out, "delivered", (int64_t)a->delivered);
    json_number(out, "rejected", (int64_t)a->rejected);
    json_number(out, "messages", (int64_t)a->messages);
    json_number(out, "refused", (int64_t)a->refused);
    json_number(out, "waiting", (int64_t)a->waiting);
    json_key(out, "skips");
    json_open(out, '[');
    for (const struct waybill_total *t = a->skips; t; t = t->next) {
        json_open(out, '{');
        json_text(out, "code", t->name);
        json_number(out, "count", (int64_t)t->count);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key(out, "batches");
    json_open(out, '[');
    for (const struct waybill_param *p = a->made; p; p = p->next) {
        json_open(out, '{');
        json_text(out, "batch", p->name);
        json_text(out, "became", p->value);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key(out, "outputs");
    json_open(out, '[');
    for (const struct waybill_output *o = a->outputs; o; o = o->next) {
        json_open(out, '{');
        json_text(out, "outbox", o->outbox);
        json_text(out, "name", o->name);
        json_number(out, "size", (int64_t)o->size);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_number(out, "more_batches", (int64_t)a->more_made);
    json_number(out, "more_outputs", (int64_t)a->more_outputs);
    json_close(out, '}');
    buf_byte(out, '\n');
}

static void answer_skips(struct buf *out, const struct request_answer *a)
{
    for (const struct waybill_total *t = a->skips; t; t = t->next) {
        buf_printf(out, "%s%llu ", t == a->skips ? "left out: " : ", ", (unsigned long long)t->count);
        buf_add_shown(out, t->name, 0);
    }
    if (a->skips)
        buf_byte(out, '\n');
}

/* What a list leaves out. */
static void answer_more(struct buf *out, uint64_t n, bool listed, const char *one, const char *many)
{
    if (n)
        buf_printf(out, "%s%llu %s%s\n", listed ? "and " : "", (unsigned long long)n, listed ? "more " : "",
                   n == 1 ? one : many);
}

static void answer_text(struct buf *out, const struct request_answer *a, const struct operation *op)
{
    for (const struct waybill_param *p = a->made; p; p = p->next) {
        buf_text(out, "batch ");
        buf_add_shown(out, p->name, 0);
        buf_text(out, ": ");
        buf_add_shown(out, p->value, 0);
        buf_byte(out, '\n');
    }
    answer_more(out, a->more_made, a->made, "batch", "batches");
    for (const struct waybill_output *o = a->outputs; o; o = o->next) {
        buf_add_shown(out, o->outbox, 0);
        buf_byte(out, '/');
        buf_add_shown(out, o->name, 0);
        buf_printf(out, "  %llu bytes\n", (unsigned long long)o->size);
    }
    answer_more(out, a->more_outputs, a->outputs, "file", "files");
    if (a->messages && !slice_is(a->outcome, "refused"))
        buf_printf(out, "%llu message%s, %llu refused, %llu waiting\n", (unsigned long long)a->messages,
                   a->messages == 1 ? "" : "s", (unsigned long long)a->refused, (unsigned long long)a->waiting);
    answer_skips(out, a);
    if (a->made || a->more_made || slice_is(a->outcome, "refused"))
        return;
    buf_text(out, slice_is(a->outcome, "nothing") ? "there was nothing to do" : "done");
    if (slice_is(a->outcome, "nothing") && op && op->take.kind == TAKE_INBOX) {
        buf_text(out, ": no file is ready in ");
        buf_add_shown(out, op->take.folder, 0);
    }
    buf_byte(out, '\n');
}

/* What was said about it, as if it had been said here; what this process did it has told already, but for the notes. */
static void answer_problems(struct cmd *c, const struct request_answer *a, bool here)
{
    for (const struct waybill_group *g = a->problems; g; g = g->next) {
        if (here && g->severity != PROBLEM_NOTE)
            continue;
        struct place place = { .file = g->file.n ? arena_cstr(c->arena, g->file) : NULL, .offset = PLACE_NO_OFFSET,
                               .line = g->line, .column = g->column };
        problem_add(c->problems, &(struct problem){
            .severity = g->severity, .code = arena_cstr(c->arena, g->code), .place = place, .message = g->message,
            .path = g->path, .text = g->text, .hint = g->hint });
    }
    if (!a->problems && !(here && a->batches) && a->code.n && a->text.n)
        problem_add(c->problems, &(struct problem){
            .severity = slice_is(a->outcome, "refused") ? PROBLEM_ERROR : PROBLEM_NOTE,
            .code = arena_cstr(c->arena, a->code), .place = PLACE_NONE, .text = a->text });
}

static bool any_error(const struct request_answer *a)
{
    for (const struct waybill_group *g = a->problems; g; g = g->next) {
        if (g->severity == PROBLEM_ERROR)
            return true;
    }
    return false;
}

static int answer_show(struct asking *k, const struct request_answer *a)
{
    struct buf out = { 0 };
    answer_problems(k->cmd, a, k->here);
    cmd_flush(k->cmd);
    if (k->cmd->json)
        answer_json(&out, a);
    else
        answer_text(&out, a, k->operation);
    int code = cmd_print(k->cmd, &out);
    buf_release(&out);
    if (code != EXIT_GOOD)
        return code;
    bool waits = slice_is(a->outcome, "waits");     /* for its next attempt: a fault of the world */
    for (const struct waybill_param *p = a->made; p && !waits; p = p->next)
        waits = slice_is(p->value, "waits");
    if (waits)
        return EXIT_SYSTEM;
    bool refused = slice_is(a->outcome, "refused") || a->refused || a->rejected || any_error(a);
    return refused ? EXIT_REJECTED : EXIT_GOOD;
}

/* --- by whom ------------------------------------------------------------------------------------------------------ */

static int late(struct asking *k)
{
    problem_addf(k->cmd->problems, PROBLEM_ERROR, "REQUEST_WAITS", (struct place){ .file = k->running.dir,
                 .offset = PLACE_NO_OFFSET },
                 "the watcher has not answered within %lld s; it will be done all the same, as request %.*s",
                 (long long)(k->wait_ms / 1000), SLICE_ARG(k->request.id));
    cmd_flush(k->cmd);
    return EXIT_SYSTEM;
}

/* The request is in other hands, or carried out here: to ask once more might do it twice. */
static int unread(struct asking *k)
{
    problem_addf(k->cmd->problems, PROBLEM_ERROR, "REQUEST_WAITS", (struct place){ .file = k->running.dir,
                 .offset = PLACE_NO_OFFSET },
                 "the answer cannot be read; the request stays, or was carried out already: it is %.*s",
                 SLICE_ARG(k->request.id));
    cmd_flush(k->cmd);
    return EXIT_SYSTEM;
}

static bool site_is_busy(const struct problems *ps)
{
    for (const struct problem *p = ps->first; p; p = p->next) {
        if (strcmp(p->code, "SITE_BUSY") == 0)
            return true;
    }
    return false;
}

/* The request is done here, unless somebody has the site, who is not `gone`: then it is his.  A code, or -1: wait for
   the answer. */
static int work(struct asking *k, bool gone, long *pid)
{
    struct cmd *c = k->cmd;
    struct supervisor_report report;
    if (lease_holder(&k->places.spool, pid, c->problems) > WARN) {
        cmd_flush(c);
        return EXIT_SYSTEM;
    }
    if (*pid && !gone)
        return -1;
    int rc = running_work(&k->running, k->site, &k->options, &report);
    if (rc == STOP && site_is_busy(c->problems)) {              /* somebody was faster */
        problems_init(c->problems, c->problems->arena, c->problems->max);
        return -1;
    }
    cmd_flush(c);
    k->here = true;
    return rc > WARN ? EXIT_SYSTEM : -1;
}

/* Of a shared site only time tells, that of the file system: when the request was written, and how long that is ago. */
static bool holder_silent(struct asking *k)
{
    int64_t made = request_made(&k->places.spool, k->request.id);
    int64_t now = made + (clock_monotonic_ms() - k->asked) / 1000;
    return made && lease_silence(&k->places.spool, now, k->cmd->problems) * 1000 > 2 * (int64_t)k->site->limits.lease;
}

/* Whether the watcher that was to answer is there no more. */
static bool holder_gone(struct asking *k)
{
    long pid;
    if (k->here)
        return false;
    if (k->site->shared)
        return holder_silent(k);
    return lease_holder(&k->places.spool, &pid, k->cmd->problems) <= WARN && pid == 0;
}

/* Looks every now and then: an answer is a file.  When the watcher goes without one the work is done here, and *code is
   not negative if that failed. */
static int wait_for(struct asking *k, struct request_answer **answer, int *code)
{
    const struct timespec nap = { 0, POLL_MS * 1000000L };
    int64_t end = clock_monotonic_ms() + k->wait_ms;
    long pid;
    int rc;
    for (;;) {
        bool gone = holder_gone(k);             /* ahead of the look: it may answer, then go */
        rc = request_result(&k->places.spool, k->cmd->arena, k->request.id, answer, k->cmd->problems);
        if (rc != END || clock_monotonic_ms() >= end)
            return rc;
        if (gone && (*code = work(k, true, &pid)) >= 0)
            return rc;
        if (!gone)
            nanosleep(&nap, NULL);
    }
}

/* The batch that was made has come to an end, or rests: nothing more is to be known of it now. */
static bool settled(const struct waybill *w)
{
    return w->place >= PLACE_ARCHIVED || w->retry.cause.n || w->waits.n || batch_is_open(w);
}

/* What became of a batch that was made anew; a watcher may need a while for it.  NULL: that is not known in time. */
static struct waybill *fate(struct asking *k, const char *id)
{
    const struct timespec nap = { 0, POLL_MS * 1000000L };
    int64_t end = k->asked + k->wait_ms;
    struct waybill *w;
    for (;;) {
        struct problems unused;
        problems_init(&unused, k->cmd->arena, 1);
        int rc = batch_find(&k->places.site, k->cmd->arena, id, &w, &unused);
        if (rc == OK && settled(w))
            return w;
        if (k->here || clock_monotonic_ms() >= end)
            return NULL;
        nanosleep(&nap, NULL);
    }
}

/* A retry is as good as the batch that it made. */
static int retried(struct asking *k, const struct request_answer *a, int code)
{
    const struct waybill_param *made = k->request.kind == REQUEST_RETRY ? a->made : NULL;
    if (code != EXIT_GOOD || !made || !slice_is(made->value, "created"))
        return code;
    const struct waybill *w = fate(k, arena_cstr(k->cmd->arena, made->name));
    if (!w)
        return code;
    if (w->place != PLACE_ERROR)
        return w->retry.cause.n ? EXIT_SYSTEM : waybill_total_of(w->totals, "rejected") ? EXIT_REJECTED : code;
    struct arena *arena = k->cmd->arena;
    problem_add(k->cmd->problems, &(struct problem){
        .severity = PROBLEM_ERROR, .code = arena_cstr(arena, w->error_code),
        .place = { .file = arena_cstr(arena, w->batch), .offset = PLACE_NO_OFFSET },
        .text = arena_printf(arena, "refused again: %.*s", SLICE_ARG(w->error_text)),
        .hint = arena_printf(arena, "`waybill show %.*s` tells more", SLICE_ARG(w->batch)) });
    cmd_flush(k->cmd);
    return EXIT_REJECTED;
}

int asking_go(struct asking *k)
{
    struct cmd *c = k->cmd;
    struct request_answer *answer;
    long pid = 0;
    k->places.spool.durable = !cmd_arg(&k->args, 'n');
    int rc = request_put(&k->places.spool, c->arena, &k->request, c->problems);
    cmd_flush(c);
    if (rc > WARN)
        return rc == TEMP ? EXIT_SYSTEM : EXIT_USAGE;
    k->asked = clock_monotonic_ms();
    int code = work(k, holder_gone(k), &pid);
    if (code >= 0)
        return code;
    if (pid && isatty(STDERR_FILENO))
        fprintf(stderr, "waybill: process %ld works on this site and does it\n", pid);
    rc = wait_for(k, &answer, &code);
    if (code >= 0)
        return code;
    if (rc == END)
        return late(k);
    return rc > WARN ? unread(k) : retried(k, answer, answer_show(k, answer));
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static bool wait_time(struct asking *k)
{
    const char *text = cmd_arg(&k->args, 't');
    char *end = NULL;
    long seconds = text ? strtol(text, &end, 10) : 0;
    k->wait_ms = text ? (int64_t)seconds * 1000 : WAIT_MS;
    return !text || (*text && !*end && seconds >= 0 && seconds <= 86400);
}

/* Reads the options, the site, its places. */
static int begin(struct asking *k, struct cmd *c, int argc, char **argv, const struct cmd_option *options)
{
    k->cmd = c;
    k->running.cmd = c;
    k->options = (struct supervisor_options){ .events = -1, .asked = true };
    if (cmd_args(c, argc, argv, options, &k->args))
        return EXIT_USAGE;
    if (!wait_time(k))
        return cmd_usage(c, "--wait is a number of seconds");
    if (running_prepare(&k->running, &k->options, &k->args) != EXIT_GOOD)
        return EXIT_USAGE;
    k->running.dir = cmd_arg(&k->args, 'd') ? cmd_arg(&k->args, 'd') : ".";
    k->site = running_load(&k->running);
    if (!k->site)
        return EXIT_INVALID;
    int rc = places_open(&k->places, c, k->running.dir);
    if (rc > WARN)
        cmd_flush(c);
    return rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : EXIT_GOOD;
}

static int end(struct asking *k, int code)
{
    cmd_flush(k->cmd);
    places_close(&k->places);
    return code;
}

static const struct cmd_option operation_options[] = {
    RUNNING_OPTIONS, ASKING_OPTIONS, { 'S', "since", "TIME" }, { 0 }
};

static int check_operation(struct asking *k, const char *name)
{
    struct cmd_args *args = &k->args;
    const char *batch = cmd_arg(args, 'b');
    struct slice flow = args->n ? slice_of(args->operand[0]) : slice_none();
    if (!asking_find_operation(k, flow, slice_of(name ? name : args->operand[1])))
        return EXIT_INVALID;
    if (k->operation->take.kind != TAKE_BATCH && (batch || cmd_arg(args, 'm')))
        return cmd_usage(k->cmd, "the operation takes %s: --batch and --message have no meaning for it",
                         k->operation->take.kind == TAKE_INBOX ? "files of its inbox" : "a table");
    if (batch && !asking_find_batch(k, batch))
        return EXIT_INVALID;
    return asking_sets(k) && asking_selection(k) ? EXIT_GOOD : EXIT_USAGE;
}

int asking_operation(struct cmd *c, int argc, char **argv, const char *name)
{
    struct asking k = { .request.kind = REQUEST_RUN };
    int code = begin(&k, c, argc, argv, operation_options);
    if (code != EXIT_GOOD)
        return end(&k, code);
    if (name ? k.args.n > 1 : k.args.n != 2)
        return end(&k, cmd_usage(c, name ? "one flow at most" : "which flow and operation?"));
    code = check_operation(&k, name);
    return end(&k, code == EXIT_GOOD ? asking_go(&k) : code);
}

static const struct cmd_option batch_options[] = { RUNNING_OPTIONS, ASKING_OPTIONS, { 0 } };

static int check_batch(struct asking *k)
{
    bool operand = !cmd_arg(&k->args, 'b');
    const char *id = operand ? k->args.n ? k->args.operand[0] : NULL : cmd_arg(&k->args, 'b');
    int more = operand ? 1 : 0;
    if (!id || (k->request.kind == REQUEST_AMEND && operand && strchr(id, '=')))
        return cmd_usage(k->cmd, "which batch?");
    if (k->request.kind != REQUEST_AMEND && k->args.n > more + (k->request.kind == REQUEST_RESEND))
        return cmd_usage(k->cmd, "one batch at a time");
    if (!asking_find_batch(k, id))
        return EXIT_INVALID;
    if (k->request.kind == REQUEST_RESEND && k->args.n > more)
        k->request.operation = slice_of(k->args.operand[more]);
    if (k->request.kind == REQUEST_AMEND)
        return asking_amends(k, k->args.operand + more, k->args.n - more) ? EXIT_GOOD : EXIT_USAGE;
    return EXIT_GOOD;
}

int asking_batch(struct cmd *c, int argc, char **argv, enum request_kind kind)
{
    struct asking k = { .request.kind = kind };
    int code = begin(&k, c, argc, argv, batch_options);
    if (code == EXIT_GOOD)
        code = check_batch(&k);
    return end(&k, code == EXIT_GOOD ? asking_go(&k) : code);
}
