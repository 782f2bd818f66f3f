#include <unistd.h>

#include "flow/convert.h"
#include "flow/wire.h"
#include "flow/work.h"

enum { JOURNAL_HELD = 32 * 1024 };

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

void note_count(struct work *w, const struct outcome *o)
{
    struct result *r = w->result;
    r->done += o->kind < OUTCOME_SKIP;
    r->skipped += o->kind == OUTCOME_SKIP;
    r->waiting += o->kind == OUTCOME_WAIT;
    r->rejected += o->kind == OUTCOME_REJECT;
    r->warnings += o->kind == OUTCOME_WARN;
    r->notes += o->kind == OUTCOME_NOTE;
    for (const struct finding *f = o->first; f; f = f->next)
        if (f->kind == OUTCOME_SKIP)
            count_skip(w, f->code);
}

struct slice note_key(struct arena *a, const struct node *message)
{
    struct slice key = message->group->nkeys ? node_key(a, message) : slice_none();
    if (!key.n)                     /* a line without a key is known by its place */
        return message->group->is_message ? slice_none() : node_path(a, message, NULL);
    char *copy = arena_cstr(a, key);
    for (size_t i = 0; i < key.n; i++)
        if (copy[i] == '\x1f')
            copy[i] = ' ';
    return (struct slice){ copy, key.n };
}

/* Findings as they are read back: without nodes, the line judged by its key. */
static const struct finding *told_findings(struct work *w, const struct outcome *o, const struct node *message)
{
    struct finding *first = NULL, **link = &first;
    for (const struct finding *f = o->first; f; f = f->next) {
        struct finding *copy = arena_alloc(&w->message, sizeof *copy);
        *copy = *f;
        if (!f->line.n && f->node && f->node != message && !f->node->group->is_message)
            copy->line = note_key(&w->message, f->node);
        copy->next = NULL;
        *link = copy;
        link = &copy->next;
    }
    return first;
}

/* Lines that are short need no file: they wait whether they stay so. */
static int journal_open(struct work *w, struct journal *j)
{
    int fd = -1, rc = OK;
    if (j->output)
        return OK;
    struct output *o = work_output(w, j->kind, NULL);
    o->target = j->target;
    o->number = j->number;
    if (!w->port->lines || j->kind != OUTPUT_LINES)
        rc = w->port->open(w->port->owner, o, &fd, &w->now);
    if (rc > WARN)
        return rc;
    lines_begin(&j->lines, fd);
    j->output = o;
    return OK;
}

static int journal_file(struct work *w, struct journal *j, struct output *o)
{
    int fd, rc = w->port->open(w->port->owner, o, &fd, &w->now);
    if (rc <= WARN)
        j->lines.fd = fd;
    return rc;
}

int journal_add(struct work *w, struct journal *j, const struct node *message, uint64_t number, struct slice key,
                const struct outcome *o, const struct problem *problems)
{
    const bool staging = w->op->flow->batch || w->op->take.kind != TAKE_INBOX;
    int rc = journal_open(w, j);
    if (rc > WARN)
        return rc;
    struct line line = { .message = number, .key = key, .state = slice_of(state_of(o)), .code = code_of(o),
                         .operation = w->op->name, .time = slice_none(), .reason = slice_none(),
                         .problems = problems };
    if (staging || o->tried) {
        line.time = w->batch_time;
        line.findings = told_findings(w, o, message);
        line.reason = o->reason.n ? o->reason : slice_none();
        line.tried = o->tried;
    }
    if (w->changed)
        line.lines = states_lines(w, message);
    rc = lines_add(&j->lines, &line, &w->now);
    return rc <= WARN && j->lines.fd < 0 && j->lines.buf.n > JOURNAL_HELD ? journal_file(w, j, j->output) : rc;
}

/* END: they go into a file. */
static int journal_tell(struct work *w, struct journal *j, struct output *o)
{
    struct slice text = buf_slice(&j->lines.buf);
    o->bytes = text.n;
    o->messages = j->lines.count;
    sha256_of(text, o->sha256);
    int rc = w->port->lines(w->port->owner, o, text, &w->now);
    if (rc == END)
        rc = journal_file(w, j, o) <= WARN ? END : TEMP;
    if (rc != END)
        buf_release(&j->lines.buf);
    return rc;
}

int journal_end(struct work *w, struct journal *j)
{
    struct output *o = j->output;
    if (!o)
        return OK;
    j->output = NULL;
    int rc = j->lines.fd < 0 ? journal_tell(w, j, o) : END;
    if (rc != END)
        return rc;
    rc = lines_end(&j->lines, o->sha256, &w->now);
    o->bytes = j->lines.size;
    o->messages = j->lines.count;
    return rc <= WARN ? w->port->closed(w->port->owner, o, &w->now) : rc;
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

static bool too_long(const struct ledger_field *fields, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += fields[i].name.n + fields[i].value.n;
    return bytes > LEDGER_RECORD_MAX;
}

/* What the supervisor enters in the ledger once the batch is delivered. */
int note_record(struct work *w, uint64_t number, const struct outcome *o, const struct ledger_field *fields, size_t n)
{
    if (too_long(fields, n)) {
        problem_add(&w->now, &(struct problem){ .severity = PROBLEM_ERROR, .code = "LIMIT_LEDGER",
            .place = { .file = w->source.name, .offset = PLACE_NO_OFFSET },
            .text = arena_printf(w->arena, "what the ledger keeps of message %llu is longer than %llu bytes",
                                 (unsigned long long)number, LEDGER_RECORD_MAX),
            .hint = SLICE("the ledger keeps the keys, and what other messages look up: use shorter ones") });
        return STOP;
    }
    if (!w->ledger_open && open_ledger(w) > WARN)
        return TEMP;
    wire_number(&w->ledger.buf, number);
    wire_text(&w->ledger.buf, slice_of(state_of(o)));
    wire_text(&w->ledger.buf, code_of(o));
    wire_number(&w->ledger.buf, n);
    for (size_t i = 0; i < n; i++) {
        wire_text(&w->ledger.buf, fields[i].name);
        wire_text(&w->ledger.buf, fields[i].value);
    }
    w->ledger_output->messages++;
    sink_turn(&w->ledger);
    return w->ledger.error ? TEMP : OK;
}

static int note_message(struct work *w, const struct node *message, const struct outcome *o)
{
    const struct operation *op = w->op;
    if (!op->nkept || message->group != op->message)
        return OK;
    struct ledger_field *fields = kept_fields(&w->message, op->kept, op->nkept, message, w->job->batch);
    return note_record(w, w->reader.messages, o, fields, op->nkept);
}

static void keep_span(struct work *w, const struct node *message, bool rejected)
{
    struct reader *r = &w->reader;
    if (r->gap.end > r->gap.at)
        ARENA_PUSH(w->arena, w->frame, w->nframe, w->frame_cap) = r->gap;
    r->gap = (struct span){ 0 };                    /* of this message: more than one outcome may be noted */
    if (!rejected && r->alone)
        ARENA_PUSH(w->arena, w->frame, w->nframe, w->frame_cap) = (struct span){ message->at, message->at };
    if (rejected)
        attached_keep(w);
    else
        with_used(w, message);
    if (rejected && message->at != VALUE_NO_PLACE && message->end > message->at)
        ARENA_PUSH(w->arena, w->rejected, w->nrejected, w->rejected_cap) = (struct span){ message->at, message->end };
}

int step_note(struct work *w, const struct node *message, const struct outcome *o)
{
    if (!w->told_all)
        convert_findings(&w->now, o, message, w->reader.messages);
    note_count(w, o);
    if (o->kind < OUTCOME_SKIP && lookup_message(w, message) > WARN)
        return TEMP;
    if (w->op->take.kind == TAKE_INBOX)
        keep_span(w, message, o->kind == OUTCOME_REJECT);
    struct slice key = w->staged_key.n ? w->staged_key : note_key(&w->message, message);
    int rc = journal_add(w, &w->lines, message, w->reader.messages, key, o, w->now.first);
    return rc < STOP ? note_message(w, message, o) : rc;
}

static int end_ledger(struct work *w)
{
    if (!w->ledger_open)
        return OK;
    int rc = sink_close(&w->ledger, &w->now);
    w->ledger_output->bytes = sink_total(&w->ledger);
    sha256_hex(&w->ledger_hash, w->ledger_output->sha256);
    close(w->ledger.fd);
    sink_release(&w->ledger);
    w->ledger_open = false;
    return rc <= WARN ? w->port->closed(w->port->owner, w->ledger_output, &w->now) : rc;
}

int step_note_end(struct work *w)
{
    int rc = journal_end(w, &w->lines);
    return rc <= WARN ? end_ledger(w) : rc;
}

void journal_drop(struct journal *j)
{
    if (!j->output)
        return;
    if (j->lines.fd >= 0)
        close(j->lines.fd);
    buf_release(&j->lines.buf);
    j->output = NULL;
}

/* What a job that was given up leaves open. */
void note_drop(struct work *w)
{
    journal_drop(&w->lines);
    if (!w->ledger_open)
        return;
    close(w->ledger.fd);
    sink_release(&w->ledger);
    w->ledger_open = false;
}
