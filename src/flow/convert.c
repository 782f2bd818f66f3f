#include "flow/convert.h"

#include <errno.h>
#include <unistd.h>

#include "flow/answers.h"
#include "flow/merge.h"
#include "flow/trial.h"

/* One create run: what the steps below hand to each other. */
struct creating {
    struct conversion *c;
    struct reader reader;
    struct writer writer;
    struct run *run, *judge;        /* judge: of the mapping whose outcomes are reported, else NULL */
    struct format *outcomes;
    struct arena program, message;
    struct patcher back;            /* of the document read, when results are given back to it */
    bool writing;
    struct merge merge;             /* a mapping that consolidates: what it writes is known at the end */
    bool merging;
    struct trial *trial;            /* NULL: no message gave several targets yet */
};

const struct format *conversion_from(const struct conversion *c)
{
    return c->direction == MAPPING_FORWARD ? c->mapping->left : c->mapping->right;
}

const struct format *conversion_to(const struct conversion *c)
{
    return c->direction == MAPPING_FORWARD ? c->mapping->right : c->mapping->left;
}

static enum severity finding_severity(enum outcome_kind kind)
{
    if (kind == OUTCOME_REJECT || kind == OUTCOME_WAIT)
        return PROBLEM_ERROR;
    return kind == OUTCOME_WARN ? PROBLEM_WARNING : PROBLEM_NOTE;
}

/* "Line[2]/Qty": the instance judged and the field that the condition is about. */
static struct slice finding_path(struct arena *a, const struct finding *f, const struct node *message)
{
    struct slice path = f->node && f->node != message ? node_path(a, f->node, NULL) : slice_none();
    if (f->field.n)
        path = path.n ? arena_printf(a, "%.*s/%.*s", SLICE_ARG(path), SLICE_ARG(f->field)) : f->field;
    return path;
}

/* The value that the condition is about, else the instance judged. */
static void finding_place(struct place *place, const struct finding *f, const struct node *n)
{
    const struct field *field = n && f->field.n ? group_field(n->group, f->field) : NULL;
    const struct value *v = field ? &n->values[field->slot] : NULL;
    place->offset = n && n->at != VALUE_NO_PLACE ? n->at : PLACE_NO_OFFSET;
    bool stands = v && (v->state == VALUE_PRESENT || v->form & VALUE_LAX);
    if (!stands || v->at == VALUE_NO_PLACE)
        return;
    struct slice text = { v->p, v->n };
    place->offset = v->at;
    place->width = v->len && v->len < 200 ? (uint32_t)slice_chars(text) + (v->form & VALUE_QUOTED ? 2 : 0) : 1;
}

/* Without the path ahead of it, where a report is told it: a problem has a path of its own. */
static struct slice finding_text(const struct finding *f)
{
    struct slice text = f->text.n ? f->text : f->kind == OUTCOME_REJECT ? SLICE("refused")
        : slice_of(outcome_names[f->kind]);
    size_t n = f->field.n;
    if (n && text.n > n + 2 && memcmp(text.p, f->field.p, n) == 0 && memcmp(text.p + n, ": ", 2) == 0)
        text = (struct slice){ text.p + n + 2, text.n - n - 2 };
    return text;
}

void convert_findings(struct problems *ps, const struct outcome *o, const struct node *message, uint64_t number)
{
    struct arena a;                     /* a file may have a million of them: most are only counted */
    arena_init(&a, 0);
    for (const struct finding *f = o->first; f; f = f->next) {
        if (f->kind == OUTCOME_SKIP)
            continue;
        const struct node *n = f->node ? f->node : message;
        struct problem p = { .severity = finding_severity(f->kind), .message = number,
                             .text = finding_text(f) };
        p.code = arena_cstr(&a, f->code);
        finding_place(&p.place, f, n);
        p.path = finding_path(&a, f, message);
        problem_add(ps, &p);
    }
    arena_release(&a);
}

static void count_outcome(struct conversion *c, const struct outcome *o)
{
    c->rejected += o->kind == OUTCOME_REJECT;
    c->skipped += o->kind == OUTCOME_SKIP;
    c->waiting += o->kind == OUTCOME_WAIT;
    c->warned += o->kind == OUTCOME_WARN;
}

static struct writer writer_as(const struct creating *k)
{
    const struct conversion *c = k->c;
    return (struct writer){ .sink = c->output, .format = conversion_to(c), .limits = c->limits,
                            .file = run_file(k->run), .companions = c->companions_out,
                            .ncompanions = c->ncompanions_out };
}

/* The writer opens with the first message, when the file members that stand ahead of it are known. */
static int open_writer(struct creating *k, struct problems *ps)
{
    if (k->writing)
        return OK;
    k->writing = true;
    k->writer = writer_as(k);
    return writer_open(&k->writer, &k->program, ps);
}

/* Asked of several, and of those that are sorted: a single one is taken back by its writer. */
static int try_targets(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    struct creating *k = owner;
    const struct conversion *c = k->c;
    struct writer as = writer_as(k);
    int rc = OK;
    if (!k->trial) {
        k->trial = trial_new(&k->program, c->ncompanions_out);
        for (size_t i = 0; i < c->ncompanions_out; i++)
            trial_companion(k->trial, c->companions_out[i].name);
    }
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = trial_ask(k->trial, &as, targets[i], &k->message, ps);
    return rc;
}

static int give_message(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    struct creating *k = owner;
    int rc = n > 1 ? try_targets(k, targets, n, ps) : OK;
    if (rc <= WARN)
        rc = open_writer(k, ps);
    for (size_t i = 0; i < n && rc <= WARN; i++) {
        rc = writer_write(&k->writer, targets[i], ps);
        k->c->written += rc <= WARN;
    }
    return rc;
}

static int give_nothing(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    (void)owner, (void)targets, (void)n, (void)ps;
    return OK;
}

static int merge_one(struct creating *k, struct node *msg, struct outcome *outcome, struct problems *ps)
{
    int rc = merge_message(&k->merge, msg, k->reader.messages, &k->message, outcome, ps);
    return rc <= WARN ? merge_keep(&k->merge, ps) : rc;
}

/* Judged by one mapping, reported by the other. */
static int report_message(struct creating *k, struct node *msg, struct outcome *outcome, struct problems *ps)
{
    int rc = k->merging ? merge_one(k, msg, outcome, ps)
                        : run_message(k->judge, msg, k->reader.messages, &k->message, outcome, give_nothing, k, ps);
    if (rc >= STOP)
        return rc;
    if (rc <= WARN)
        message_give_back(k->judge, &k->message);
    outcome->operation = k->c->operation;
    outcome->time = k->c->outside ? k->c->outside->batch_time : slice_none();
    struct node *said = outcome_node(&k->message, k->outcomes, msg, outcome);
    rc = run_report(k->run, msg, said, &k->message, give_message, k, ps);
    return rc <= WARN ? run_log(k->run, msg, said, &k->message, give_message, k, ps) : rc;
}

/* What the rows against the arrow gave becomes a change of the document read. */
static int give_back(struct creating *k, struct problems *ps)
{
    struct edits edits;
    edits_init(&edits, &k->message);
    run_back(k->run, &edits);
    return edits.first ? patcher_add(&k->back, &edits, ps) : OK;
}

/* Maps one message that was read; SKIP stays within it. */
static int convert_message(struct creating *k, struct node *msg, struct problems *ps)
{
    struct conversion *c = k->c;
    struct outcome outcome = { 0 };
    int rc = k->judge ? report_message(k, msg, &outcome, ps)
           : k->merging ? merge_one(k, msg, &outcome, ps)
                        : run_message(k->run, msg, k->reader.messages, &k->message, &outcome, give_message, k, ps);
    if (c->back && rc <= WARN && outcome.kind < OUTCOME_SKIP)
        rc = give_back(k, ps);
    if (rc <= WARN && !k->judge)
        message_give_back(k->run, &k->message);
    if (c->judged)
        c->judged(c->owner, k->reader.messages, msg, &outcome);
    convert_findings(ps, &outcome, msg, k->reader.messages);
    count_outcome(c, &outcome);
    if (rc == SKIP && outcome.kind < OUTCOME_SKIP)
        c->rejected++;                          /* refused by the writer or by a fault of the run */
    return rc;
}

/* What earlier operations said, oldest first: a report over the log tells it before what is said now. */
static int report_said(struct creating *k, struct problems *ps)
{
    struct conversion *c = k->c;
    if (!c->said || !k->outcomes || !run_has_log(k->run))
        return OK;
    const struct format *f = conversion_from(c);
    const struct group *g = f->nmessages ? f->messages[0] : NULL;
    struct node *msg = g ? node_new(&k->message, g, k->reader.file) : NULL;
    int rc = msg ? run_log(k->run, msg, outcome_node(&k->message, k->outcomes, msg, c->said), &k->message, give_message,
                           k, ps) : OK;
    arena_reset(&k->message);
    return rc;
}

static int read_all(struct creating *k, struct problems *ps)
{
    struct conversion *c = k->c;
    for (;;) {
        struct node *msg = NULL;
        int rc = reader_read(&k->reader, &k->message, &msg, ps);
        if (rc == END)
            break;
        ps->message = k->reader.messages;
        if (rc >= STOP)
            return rc;
        if (rc == SKIP)
            c->rejected++;
        else
            rc = convert_message(k, msg, ps);
        ps->message = 0;
        if (rc >= STOP)
            return rc;
        if (c->output->error)
            return TEMP;
        sink_turn(c->output);
        if (c->progress)
            c->progress(c->owner, source_offset(c->input, c->input->at));
        arena_reset(&k->message);
    }
    c->read = k->reader.messages;
    return OK;
}

static int finish_writing(struct creating *k, struct problems *ps)
{
    struct outcome said = { 0 };
    int rc = run_finish(k->run, &k->message, &said, give_message, k, ps);
    convert_findings(ps, &said, NULL, 0);
    if (rc > WARN)
        return rc == SKIP ? STOP : rc;              /* it belongs to no message that could be left out */
    rc = open_writer(k, ps);
    if (rc <= WARN && k->merging && !k->judge) {
        rc = merge_write(&k->merge, &k->writer, ps);
        k->c->written = pool_count(k->merge.pool);
    }
    if (rc <= WARN)
        rc = writer_close(&k->writer, ps);
    return rc;
}

/* Back to the first byte, for the second reading that copies. */
static int rewind_original(struct source *from, struct source *again, struct problems *ps)
{
    if (from->fd < 0) {
        source_open_text(again, slice_range(from->buffer, from->end), from->name, from->limits);
        return OK;
    }
    if (lseek(from->fd, 0, SEEK_SET) < 0)
        return problem_system(ps, from->name, "the original is read twice, so it has to be a file", errno);
    source_open_fd(again, from->fd, from->name, from->limits);
    return OK;
}

/* The document read once more, now with what was given back. */
static int write_back(struct creating *k, struct problems *ps)
{
    struct source again;
    int rc = rewind_original(k->c->input, &again, ps);
    if (rc > WARN)
        return rc;
    rc = patch_run(&k->back, &again, k->c->back, ps);
    source_close(&again);
    return rc;
}

/* The documents that are there already. */
static int read_documents(struct creating *k, const struct format *f, struct problems *ps)
{
    struct arena own;
    struct reader r = { .source = k->c->original, .format = f, .limits = k->c->limits };
    arena_init(&own, 0);
    source_locate(k->c->original, ps);
    int rc = reader_open(&r, &own, ps);
    while (rc <= WARN && rc != END) {
        struct node *msg = NULL;
        rc = reader_read(&r, &k->message, &msg, ps);
        if (rc == SKIP)
            rc = STOP;                  /* a document that cannot be read cannot be updated */
        if (rc <= WARN && rc != END)
            rc = merge_load(&k->merge, msg, ps);
        arena_reset(&k->message);
    }
    reader_close(&r);
    arena_release(&own);
    source_locate(k->c->input, ps);
    return rc == END ? OK : rc;
}

/* The mapping that judges may be another than the one that writes a report of it. */
static int open_merge(struct creating *k, struct problems *ps)
{
    struct conversion *c = k->c;
    const struct mapping *m = c->judge ? c->judge : c->mapping;
    struct run *r = c->judge ? k->judge : k->run;
    if (!mapping_consolidates(m, c->direction))
        return OK;
    const struct format *f = c->direction == MAPPING_FORWARD ? m->right : m->left;
    merge_open(&k->merge, r, f, c->limits, run_file(r));
    k->merging = true;
    return c->original ? read_documents(k, f, ps) : OK;
}

static struct run *new_run(struct conversion *c, const struct mapping *m, struct arena *a, struct problems *ps)
{
    struct run *r = run_new(a, m, c->direction, c->outside, ps);
    if (r && c->unjudged)
        run_unjudged(r);
    c->unbound |= !r;
    return r;
}

static int create(struct conversion *c, struct problems *ps)
{
    struct creating k = { .c = c };
    k.reader = (struct reader){ .source = c->input, .format = conversion_from(c), .limits = c->limits,
                                .places = c->back != NULL,
                                .companions = c->companions, .ncompanions = c->ncompanions };
    arena_init(&k.program, 0);
    arena_init(&k.message, c->limits->message);
    source_locate(c->input, ps);
    k.run = new_run(c, c->mapping, &k.program, ps);
    k.judge = c->judge ? new_run(c, c->judge, &k.program, ps) : NULL;
    if (k.run)
        run_accept(k.run, try_targets, &k);
    k.outcomes = c->judge ? outcome_format(&k.program) : NULL;
    int rc = k.run && (k.judge || !c->judge) ? reader_open(&k.reader, &k.program, ps) : STOP;
    if (rc <= WARN) {
        run_source_file(k.run, k.reader.file);
        if (k.judge)
            run_source_file(k.judge, k.reader.file);
        patcher_init(&k.back, &k.reader, &k.program);
        rc = open_merge(&k, ps);
        if (rc <= WARN)
            rc = report_said(&k, ps);
        if (rc <= WARN)
            rc = read_all(&k, ps);
        if (rc <= WARN)
            rc = finish_writing(&k, ps);
        if (rc <= WARN && c->back)
            rc = write_back(&k, ps);
        if (c->ending)
            c->ending(c->owner, k.run);
        writer_drop(&k.writer);             /* nothing is left of one that was closed */
        trial_release(k.trial);
        if (k.merging)
            merge_close(&k.merge);
        reader_close(&k.reader);
    }
    if (k.run)
        run_free(k.run);
    if (k.judge)
        run_free(k.judge);
    arena_release(&k.message);
    arena_release(&k.program);
    return rc;
}

/* Update: the answer's messages by key, then the original streams past them. */
struct updating {
    struct conversion *c;
    struct reader from, originals;
    struct answers answers;
    struct run *run;
    struct arena program, message;
    struct patcher patcher;
};

static int read_answers(struct updating *u, struct problems *ps)
{
    source_locate(u->c->input, ps);
    for (;;) {
        struct node *msg = NULL;
        int rc = reader_read(&u->from, &u->message, &msg, ps);
        if (rc == END)
            return OK;
        if (rc == SKIP)
            u->c->rejected++;
        else
            rc = rc >= STOP ? rc : answers_add(&u->answers, msg, ps);
        if (rc >= STOP)
            return rc;
        arena_reset(&u->message);
    }
}

/* What is made of a message is as its format says, like a new document.  What is not so comes from the answer. */
static int check_made(struct updating *u, const struct edits *edits, const struct node *old, const struct answer *a,
                      struct problems *ps)
{
    int rc = OK;
    ps->message = a ? a->number : u->originals.messages;
    for (const struct edit *e = edits->first; e && rc <= WARN; e = e->next)
        if (e->kind == EDIT_DELETE && e->node == old)
            return OK;
        else if (e->kind == EDIT_INSERT && e->node->group->is_message)
            rc = node_check(e->node, &u->message, ps);
    if (old && edits->first && rc <= WARN)
        rc = node_check(edits_copy(edits->first, old, &u->message), &u->message, ps);
    return rc;
}

/* A message that cannot be spelled where it stands is refused whole; the places told are those of the original. */
static int put_edits(struct updating *u, const struct edits *edits, const struct node *old, const struct answer *a,
                     struct problems *ps)
{
    uint64_t message = ps->message;
    int rc = check_made(u, edits, old, a, ps);
    ps->message = message;
    source_locate(u->c->original, ps);
    if (rc <= WARN)
        rc = patcher_add(&u->patcher, edits, ps);
    source_locate(a ? u->c->input : u->c->original, ps);
    u->c->rejected += rc == SKIP;
    return rc;
}

/* One aligned pair, or one side alone: edits, judged like a message. */
static int update_pair(struct updating *u, struct node *old, struct answer *a, struct problems *ps)
{
    struct edits edits;
    struct outcome outcome = { 0 };
    edits_init(&edits, &u->message);
    uint64_t number = a ? a->number : u->originals.messages;
    int rc = run_update(u->run, old, a ? a->node : NULL, number, &u->message, &edits, &outcome, ps);
    if (u->c->judged)
        u->c->judged(u->c->owner, number, a ? a->node : old, &outcome);
    convert_findings(ps, &outcome, a ? a->node : old, number);
    count_outcome(u->c, &outcome);
    if (rc <= WARN && outcome.kind < OUTCOME_SKIP)
        rc = put_edits(u, &edits, old, a, ps);
    u->c->edits = u->patcher.n;
    return rc == SKIP ? OK : rc;
}

/* `key /Batch => /Batch`: an answer for another document changes nothing. */
static int same_document(struct updating *u, struct problems *ps)
{
    if (!mapping_file_keyed(u->c->mapping, u->c->direction))
        return OK;
    struct slice named = run_file_key(u->run, false, u->from.file, &u->message);
    struct slice own = run_file_key(u->run, true, u->originals.file, &u->message);
    if (slice_equal(named, own))
        return OK;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "KEY_FILE", .place = PLACE_NONE,
                    .text = SLICE("the file is about another document than the original"),
                    .hint = SLICE("the `key` rows of the file tell which one it names") });
    return STOP;
}

/* One answer is about all that has its key, which may not be what is meant. */
static void named_before(const struct updating *u, const struct node *old, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "KEY_TWICE", .place.offset = old->at,
                                       .message = u->originals.messages,
        .text = SLICE("the original has a message with this key before: the answer changes both"),
        .hint = SLICE("add what tells them apart to the keys of the mapping") });
}

static int read_originals(struct updating *u, struct problems *ps)
{
    bool checked = false;
    for (;;) {
        struct node *msg = NULL;
        source_locate(u->c->original, ps);
        int rc = reader_read(&u->originals, &u->message, &msg, ps);
        if (rc > WARN)
            return rc == SKIP ? STOP : rc;      /* a document that cannot be read cannot be updated */
        int other = checked ? OK : same_document(u, ps);
        checked = true;
        if (other != OK || rc == END)
            return other;
        struct answer *a = answers_find(&u->answers, msg, &u->message);
        if (a && a->used)
            named_before(u, msg, ps);
        if (a)
            a->used = true;
        source_locate(a ? u->c->input : u->c->original, ps);
        rc = update_pair(u, msg, a, ps);
        if (rc >= STOP)
            return rc;
        arena_reset(&u->message);
    }
}

static int add_new_ones(struct updating *u, struct problems *ps)
{
    source_locate(u->c->input, ps);
    for (struct answer *a = u->answers.first; a; a = a->next) {
        if (a->used)
            continue;
        int rc = update_pair(u, NULL, a, ps);
        if (rc >= STOP)
            return rc;
        arena_reset(&u->message);
    }
    return OK;
}

static int update_documents(struct updating *u, struct problems *ps)
{
    int rc = read_answers(u, ps);
    if (rc <= WARN)
        rc = read_originals(u, ps);
    if (rc <= WARN)
        rc = add_new_ones(u, ps);
    if (rc > WARN)
        return rc;
    u->c->read = u->from.messages;
    u->c->written = u->originals.messages;
    if (u->c->ending)
        u->c->ending(u->c->owner, u->run);
    struct source again;
    rc = rewind_original(u->c->original, &again, ps);
    if (rc > WARN)
        return rc;
    rc = patch_run(&u->patcher, &again, u->c->output, ps);
    source_close(&again);
    return rc;
}

static int update(struct conversion *c, struct problems *ps)
{
    struct updating u = {
        .c = c,
        .from = { .source = c->input, .format = conversion_from(c), .limits = c->limits },
        .originals = { .source = c->original, .format = conversion_to(c), .limits = c->limits, .places = true },
    };
    arena_init(&u.program, 0);
    arena_init(&u.message, c->limits->message);
    source_locate(c->input, ps);
    u.run = new_run(c, c->mapping, &u.program, ps);
    answers_init(&u.answers, u.run, &u.from, c->limits);
    int rc = u.run ? reader_open(&u.from, &u.program, ps) : STOP;
    if (rc <= WARN) {
        source_locate(c->original, ps);
        rc = reader_open(&u.originals, &u.program, ps);
        if (rc <= WARN) {
            run_source_file(u.run, u.from.file);
            patcher_init(&u.patcher, &u.originals, &u.answers.kept);
            rc = update_documents(&u, ps);
            reader_close(&u.originals);
        }
        reader_close(&u.from);
    }
    if (u.run)
        run_free(u.run);
    arena_release(&u.message);
    answers_release(&u.answers);
    arena_release(&u.program);
    return rc;
}

int convert_run(struct conversion *c, struct problems *ps)
{
    bool merges = mapping_consolidates(c->judge ? c->judge : c->mapping, c->direction);
    problems_hide(ps, &c->mapping->hidden);
    int rc = c->original && !merges ? update(c, ps) : create(c, ps);
    ps->message = 0;
    ps->locate = NULL;
    if (rc > WARN)
        return rc;
    return c->rejected || c->waiting ? SKIP : OK;
}

int convert_text(struct conversion *c, const char *name, struct slice input, const struct slice *original,
                 struct buf *out, struct problems *ps)
{
    struct source in, old;
    struct sink sink, back;
    source_open_text(&in, input, name, c->limits);
    if (original)
        source_open_text(&old, *original, c->original_name ? c->original_name : "original", c->limits);
    sink_open_memory(&sink, "output");
    sink_open_memory(&back, "back");
    c->input = &in;
    c->back = c->back_text ? &back : NULL;
    c->original = original ? &old : NULL;
    c->output = &sink;
    int rc = convert_run(c, ps);
    int closed = sink_close(&sink, ps);
    if (c->back_text)
        buf_add(c->back_text, buf_slice(&back.buf));
    buf_add(out, buf_slice(&sink.buf));
    sink_release(&back);
    sink_release(&sink);
    if (original)
        source_close(&old);
    source_close(&in);
    return closed > rc ? closed : rc;
}
