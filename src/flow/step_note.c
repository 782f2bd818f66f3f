#include <unistd.h>

#include "flow/convert.h"
#include "flow/wire.h"
#include "flow/work.h"

static const char *state_of(const struct outcome *o)
{
    if (o->kind == OUTCOME_REJECT)
        return "rejected";
    if (o->kind == OUTCOME_WAIT)
        return "waiting";
    return o->kind == OUTCOME_SKIP ? "skipped" : "done";
}

static struct slice code_of(const struct outcome *o)
{
    for (const struct finding *f = o->first; f; f = f->next)
        if (f->kind == o->kind)
            return f->code;
    return slice_none();
}

static void count_skip(struct work *w, struct slice code)
{
    struct result *r = w->result;
    for (size_t i = 0; i < r->nskips; i++)
        if (slice_equal(r->skips[i].code, code)) {
            r->skips[i].count++;
            return;
        }
    if (r->nskips < 100)
        ARENA_PUSH(w->arena, r->skips, r->nskips, w->skips_cap) = (struct skip_count){ arena_copy(w->arena, code), 1 };
}

static void count(struct work *w, const struct outcome *o)
{
    struct result *r = w->result;
    r->done += o->kind < OUTCOME_SKIP;
    r->skipped += o->kind == OUTCOME_SKIP;
    r->waiting += o->kind == OUTCOME_WAIT;
    r->rejected += o->kind == OUTCOME_REJECT;
    r->warnings += o->kind == OUTCOME_WARN;
    r->notes += o->kind == OUTCOME_NOTE;
    if (o->kind == OUTCOME_SKIP)
        count_skip(w, code_of(o));
}

/* The key as people write it: parts with a blank between. */
static struct slice shown_key(struct work *w, const struct node *message)
{
    struct slice key = message->group->nkeys ? node_key(&w->message, message) : slice_none();
    if (!key.n)
        return slice_none();
    char *copy = arena_cstr(&w->message, key);
    for (size_t i = 0; i < key.n; i++)
        if (copy[i] == '\x1f')
            copy[i] = ' ';
    return (struct slice){ copy, key.n };
}

static int note_line(struct work *w, const struct node *message, const struct outcome *o)
{
    if (!w->lines_open) {
        struct output *out = work_output(w, OUTPUT_LINES, NULL);
        int fd, rc = w->port->open(w->port->owner, out, &fd, &w->now);
        if (rc > WARN)
            return rc;
        lines_begin(&w->lines, fd);
        w->lines_open = true;
    }
    struct line line = { .message = w->reader.messages, .key = shown_key(w, message), .state = slice_of(state_of(o)),
                         .code = code_of(o),
                         .operation = w->op->name, .problems = w->now.first, .reason = o->reason,
                         .tried = o->tried };
    return lines_add(&w->lines, &line, &w->now);
}

static int open_ledger(struct work *w)
{
    int fd;
    w->ledger_output = work_output(w, OUTPUT_LEDGER, NULL);
    int rc = w->port->open(w->port->owner, w->ledger_output, &fd, &w->now);
    if (rc > WARN)
        return rc;
    sha256_init(&w->ledger_hash);
    sink_open_fd(&w->ledger, fd, "ledger");
    w->ledger.hash = &w->ledger_hash;
    w->ledger_open = true;
    return OK;
}

/* What the supervisor enters in the ledger once the batch is delivered. */
static int note_record(struct work *w, const struct node *message, const struct outcome *o)
{
    if (!w->op->nkept || message->group != w->op->message)
        return OK;
    if (!w->ledger_open && open_ledger(w) > WARN)
        return TEMP;
    struct ledger_field *fields = kept_fields(&w->message, w->op, message);
    wire_number(&w->ledger.buf, w->reader.messages);
    wire_text(&w->ledger.buf, slice_of(state_of(o)));
    wire_text(&w->ledger.buf, code_of(o));
    wire_number(&w->ledger.buf, w->op->nkept);
    for (size_t i = 0; i < w->op->nkept; i++) {
        wire_text(&w->ledger.buf, fields[i].name);
        wire_text(&w->ledger.buf, fields[i].value);
    }
    w->ledger_output->messages++;
    sink_turn(&w->ledger);
    return w->ledger.error ? TEMP : OK;
}

static void keep_span(struct work *w, const struct node *message)
{
    if (message->at != VALUE_NO_PLACE && message->end > message->at)
        ARENA_PUSH(w->arena, w->rejected, w->nrejected, w->rejected_cap) = (struct span){ message->at, message->end };
}

int step_note(struct work *w, const struct node *message, const struct outcome *o)
{
    if (!w->told_all)
        convert_findings(&w->now, o, message, w->reader.messages);
    count(w, o);
    if (o->kind < OUTCOME_SKIP)
        lookup_message(w, message);
    if (o->kind == OUTCOME_REJECT)
        keep_span(w, message);
    int rc = note_line(w, message, o);
    return rc < STOP ? note_record(w, message, o) : rc;
}

static int end_lines(struct work *w)
{
    struct output *out = work_output(w, OUTPUT_LINES, NULL);
    if (!w->lines_open)
        return OK;
    int rc = lines_end(&w->lines, out->sha256, &w->now);
    out->bytes = w->lines.size;
    out->messages = w->lines.count;
    return rc <= WARN ? w->port->closed(w->port->owner, out, &w->now) : rc;
}

int step_note_end(struct work *w)
{
    int rc = end_lines(w);
    if (rc > WARN || !w->ledger_open)
        return rc;
    rc = sink_close(&w->ledger, &w->now);
    w->ledger_output->bytes = sink_total(&w->ledger);
    sha256_hex(&w->ledger_hash, w->ledger_output->sha256);
    close(w->ledger.fd);
    sink_release(&w->ledger);
    return rc <= WARN ? w->port->closed(w->port->owner, w->ledger_output, &w->now) : rc;
}
