#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "flow/answers.h"
#include "flow/convert.h"
#include "flow/work.h"

/* A file that changes batches which are there: its messages wait in memory while the staged documents stream past. */

/* One open batch of the flow. */
struct opened {
    const struct open_batch *batch;
    uint32_t number;                /* among the outputs */
    bool meant;                     /* the file is about it */
    struct arena arena;
    struct source source;
    struct reader reader;
    int fd;
    struct stage stage;
    struct journal journal;
};

struct updating {
    struct work *work;
    struct run *run;
    struct answers answers;
    struct opened *list;
    size_t n;
    struct opened *newest;          /* that new messages go to */
};

/* ---- staged documents ------------------------------------------------------------------------------------------- */

static int open_document(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    d->fd = open(d->batch->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (d->fd < 0)
        return problem_system(&w->now, d->batch->path, "the staged document cannot be opened", errno);
    arena_init(&d->arena, 0);
    source_open_fd(&d->source, d->fd, arena_cstr(w->arena, d->batch->batch), &w->site->limits);
    d->reader = (struct reader){ .source = &d->source, .format = w->op->flow->batch, .limits = &w->site->limits };
    return reader_open(&d->reader, &d->arena, &w->now);
}

static void close_document(struct opened *d)
{
    if (d->fd < 0)
        return;
    reader_close(&d->reader);
    source_close(&d->source);
    arena_release(&d->arena);
    close(d->fd);
    d->fd = -1;
}

/* The next staged message; its problems are about the document. */
static int read_document(struct updating *u, struct opened *d, struct node **out)
{
    struct work *w = u->work;
    arena_reset(&w->message);
    work_message(w);
    w->now.file = d->source.name;
    source_locate(&d->source, &w->now);
    int rc = reader_read(&d->reader, &w->message, out, &w->now);
    if (rc != SKIP)
        return rc;
    problem_addf(&w->now, PROBLEM_ERROR, "STAGE_DAMAGED", (struct place){ .offset = PLACE_NO_OFFSET },
                 "message %llu of the staged document cannot be read", (unsigned long long)d->reader.messages);
    return STOP;
}

/* ---- which batches the file is about ---------------------------------------------------------------------------- */

/* By members of the file, which are known once the first message is there. */
static int same_file(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    struct node *msg;
    int rc = read_document(u, d, &msg);
    if (rc > WARN)
        return rc;
    struct slice a = run_file_key(u->run, false, w->reader.file, &w->message);
    struct slice b = run_file_key(u->run, true, d->reader.file, &w->message);
    d->meant = slice_equal(a, b);
    return OK;
}

/* By the key of a message. */
static int holds_one(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    struct node *msg;
    int rc;
    while ((rc = read_document(u, d, &msg)) != END && rc <= WARN && !d->meant)
        d->meant = answers_find(&u->answers, msg, &w->message) != NULL;
    return rc > WARN ? rc : OK;
}

/* The answer to the call under way. */
static bool is_asked(const struct updating *u)
{
    const struct give *of = u->work->op->answers;
    return of && of->answer->by_order;
}

static int find_meant(struct updating *u)
{
    if (is_asked(u)) {
        u->newest = u->n ? &u->list[0] : NULL;
        return OK;
    }
    bool by_file = mapping_file_keyed(u->work->op->stage->mapping, u->work->op->stage->direction);
    int rc = OK;
    for (size_t i = 0; i < u->n && rc <= WARN; i++) {
        struct opened *d = &u->list[i];
        rc = open_document(u, d);
        if (rc <= WARN)
            rc = by_file ? same_file(u, d) : holds_one(u, d);
        close_document(d);
        if (d->meant || !by_file)
            u->newest = d->meant || !u->newest || !u->newest->meant ? d : u->newest;
    }
    return rc;
}

/* The file's key as people write it: its parts joined by a blank. */
static struct slice named(struct updating *u)
{
    struct work *w = u->work;
    struct slice key = run_file_key(u->run, false, w->reader.file, &w->message);
    char *copy = arena_cstr(&w->message, key);
    for (size_t i = 0; i < key.n; i++) {
        if ((unsigned char)copy[i] < ' ')
            copy[i] = ' ';
    }
    return slice_trim((struct slice){ copy, key.n });
}

static int unknown(struct updating *u)
{
    struct work *w = u->work;
    struct slice text = u->n ? SLICE("the file names a batch that is not open") : SLICE("no batch is open");
    if (u->n && mapping_file_keyed(w->op->stage->mapping, w->op->stage->direction))
        text = arena_printf(&w->message, "the file names %.*s, and no open batch is that", SLICE_ARG(named(u)));
    work_begin(w);
    problem_add(&w->now, &(struct problem){ .severity = PROBLEM_ERROR, .code = "BATCH_UNKNOWN",
                .place.offset = PLACE_NO_OFFSET, .text = text,
                .hint = SLICE("it ended, or the file came too early: `waybill retry` when there is one") });
    return STOP;
}

/* ---- one pair --------------------------------------------------------------------------------------------------- */

/* Findings that outlive the message at hand; instances of the answer stay known, those of the batch by their key. */
static void keep_outcome(struct updating *u, struct answer *a, const struct outcome *o)
{
    struct arena *kept = &u->answers.kept;
    for (const struct finding *f = o->first; f; f = f->next) {
        struct finding *copy = arena_zero(kept, sizeof *copy);
        const struct node *top = f->node;
        while (top && !top->group->is_message)
            top = top->parent;
        *copy = (struct finding){ .kind = f->kind, .code = arena_copy(kept, f->code), .text = arena_copy(kept, f->text),
                                  .key = arena_copy(kept, f->key), .line = arena_copy(kept, f->line),
                                  .field = arena_copy(kept, f->field), .value = arena_copy(kept, f->value) };
        if (top == a->node)
            copy->node = f->node;
        if (!copy->line.n && f->node && !f->node->group->is_message)
            copy->line = note_key(kept, f->node);
        outcome_add(&a->said, copy, NULL);
    }
    a->said.kind = o->kind;
}

/* A fault that is no judgement: a value that the batch cannot hold. */
static void refuse_pair(struct work *w, struct outcome *o)
{
    struct problems now = w->now;
    work_refuse(w, o);
    w->told_all = false;
    problems_init(&w->now, &w->message, 100);       /* its findings are told, once */
    w->now.file = now.file;
    w->now.locate = now.locate;
    w->now.locate_owner = now.locate_owner;
}

/* What it changes is written; `place`: where the old one stands. */
static int write_edits(struct updating *u, struct opened *d, struct node *old, const struct edits *edits,
                       struct span place)
{
    struct work *w = u->work;
    for (const struct edit *e = edits->first; e; e = e->next) {
        if (e->kind == EDIT_DELETE && e->node == old)
            return stage_cut(&d->stage, place);
        if (e->kind == EDIT_INSERT && e->node->group->is_message)
            return stage_add(&d->stage, e->node);
    }
    step_edit(w, edits);
    return stage_put(&d->stage, old, place);
}

/* The attachments of a refused message are set aside with it. */
static void keep_read(struct updating *u, struct answer *a)
{
    struct work *w = u->work;
    struct arena *kept = &u->answers.kept;
    for (size_t i = 0; i < w->nread; i++)
        ARENA_PUSH(kept, a->read, a->nread, a->read_cap) = arena_copy(kept, w->read[i]);
}

static int update_pair(struct updating *u, struct opened *d, struct node *old, struct answer *a, struct outcome *o)
{
    struct work *w = u->work;
    struct span place = { old ? old->at : 0, old ? old->end : 0 };
    struct edits edits;
    uint64_t number = a ? a->number : d->reader.messages;
    edits_init(&edits, &w->message);
    *o = work_outcome(w);
    numbers_mark(w, NUMBERS_MESSAGE);
    int rc = run_update(u->run, old, a ? a->node : NULL, number, &w->message, &edits, o, &w->now);
    o->operation = w->op->name;
    o->time = w->batch_time;
    if (rc <= WARN && o->kind < OUTCOME_SKIP && edits.n && !d->batch->applied)
        rc = write_edits(u, d, old, &edits, place);
    if (rc == SKIP && o->kind < OUTCOME_SKIP)
        refuse_pair(w, o);
    if (o->kind >= OUTCOME_SKIP)
        numbers_take_back(w, NUMBERS_MESSAGE);
    if (a)
        keep_read(u, a);
    return rc >= STOP ? rc : OK;
}

/* What is said about a message of the batch, for the batch: with its number there. */
static int log_pair(struct updating *u, struct opened *d, const struct node *message, uint64_t number,
                    struct slice key, const struct outcome *o)
{
    struct work *w = u->work;
    struct problems told;
    if (d->batch->applied)
        return OK;
    problems_init(&told, &w->message, 100);
    told.file = w->now.file;
    told.locate = w->now.locate;
    told.locate_owner = w->now.locate_owner;
    convert_findings(&told, o, message, number);
    return journal_add(w, &d->journal, message, number, key, o, told.first);
}

/* ---- one batch -------------------------------------------------------------------------------------------------- */

static int take_known(struct updating *u, struct opened *d, struct node *old, struct answer *a)
{
    struct work *w = u->work;
    struct outcome o;
    a->used = true;
    a->staged_in = d;
    a->staged = d->reader.messages;
    a->key = note_key(&u->answers.kept, old);
    if (a->refused)
        return OK;
    w->now.file = w->source.name;
    source_locate(&w->source, &w->now);
    int rc = update_pair(u, d, old, a, &o);
    if (rc <= WARN)
        keep_outcome(u, a, &o);
    return rc <= WARN ? answers_check(&u->answers, &w->now) : rc;
}

/* One that only the batch has: seldom anything is to be said or done. */
static int take_missing(struct updating *u, struct opened *d, struct node *old)
{
    struct work *w = u->work;
    struct outcome o;
    int rc = update_pair(u, d, old, NULL, &o);
    if (rc > WARN || (!o.first && !w->changed))
        return rc;
    convert_findings(&w->now, &o, old, 0);
    return log_pair(u, d, old, d->reader.messages, note_key(&w->message, old), &o);
}

static int take_new(struct updating *u, struct opened *d, struct answer *a)
{
    struct outcome o = a->said;
    a->used = true;
    a->key = note_key(&u->answers.kept, a->node);
    int rc = a->refused ? OK : update_pair(u, d, NULL, a, &o);
    if (rc <= WARN && !a->refused)
        keep_outcome(u, a, &o);
    if (rc <= WARN && (o.first || d->stage.output))
        a->staged_in = d;
    return rc;
}

/* In the order of the answers: what was said about them, for the batch; those that no batch has are new in this one. */
static int log_answers(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    int rc = OK;
    for (struct answer *a = u->answers.first; a && rc <= WARN; a = a->next) {
        arena_reset(&w->message);
        work_message(w);
        if (!a->used && d == u->newest && !is_asked(u))
            rc = take_new(u, d, a);
        if (rc <= WARN && a->staged_in == d)
            rc = log_pair(u, d, a->node, a->staged, a->key, &a->said);
        if (rc <= WARN && a->staged_in == d)
            answer_said(a);
        if (rc <= WARN)
            groups_fold(w);
    }
    return rc;
}

static struct answer *answer_to(struct updating *u, struct opened *d, struct node *old)
{
    if (!is_asked(u))
        return answers_find(&u->answers, old, &u->work->message);
    return d->reader.messages == u->work->job->asked_message ? u->answers.first : NULL;
}

static int update_document(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    struct node *old;
    int rc;
    while ((rc = read_document(u, d, &old)) != END && rc <= WARN) {
        rc = stage_see(&d->stage, old);
        struct answer *a = rc <= WARN ? answer_to(u, d, old) : NULL;
        if (rc <= WARN && (is_asked(u) ? a != NULL : d->meant))
            rc = a ? take_known(u, d, old, a) : take_missing(u, d, old);
        if (rc >= STOP)
            return rc;
        groups_fold(w);
    }
    return rc == END ? log_answers(u, d) : rc;
}

static int update_batch(struct updating *u, struct opened *d)
{
    struct work *w = u->work;
    int rc = open_document(u, d);
    stage_begin(&d->stage, w, d->batch->batch, d->fd, d->number);
    d->journal = (struct journal){ .kind = OUTPUT_LOG, .target = d->batch->batch, .number = d->number };
    if (rc <= WARN)
        rc = update_document(u, d);
    if (rc <= WARN)
        rc = stage_end(&d->stage);
    if (rc <= WARN)
        rc = journal_end(w, &d->journal);
    work_fault(w, rc);
    groups_fold(w);
    stage_drop(&d->stage);
    journal_drop(&d->journal);
    close_document(d);
    return rc;
}

static int update_batches(struct updating *u)
{
    int rc = OK;
    for (size_t i = 0; i < u->n && rc <= WARN; i++)
        if (u->list[i].meant || &u->list[i] == u->newest)
            rc = update_batch(u, &u->list[i]);
    return rc;
}

/* ---- the answers ------------------------------------------------------------------------------------------------ */

static int take_answer(struct work *w, int read, struct node *msg)
{
    struct updating *u = w->data;
    struct outcome o = work_outcome(w);
    if (read != SKIP)
        return answers_add(&u->answers, msg, &w->now);
    work_refuse(w, &o);
    return work_conclude(w, msg ? msg : node_new(&w->message, w->op->message, w->reader.file), &o);
}

/* Through the other gives and reports, with what all batches said about it. */
static int conclude_answer(struct updating *u, struct answer *a)
{
    struct work *w = u->work;
    struct outcome o = a->all;
    int rc = OK;
    w->staged_key = a->key;
    o.operation = w->op->name;
    o.time = w->batch_time;
    if (o.kind < OUTCOME_SKIP)
        rc = step_map(w, &a->node, &o);
    if (rc == SKIP)
        work_wait_in_error(&o);
    if (rc == SKIP && o.kind < OUTCOME_SKIP)
        work_refuse(w, &o);
    for (size_t i = 0; i < a->nread; i++)
        ARENA_PUSH(&w->message, w->read, w->nread, w->read_cap) = a->read[i];
    return rc < STOP ? work_conclude(w, a->node, &o) : rc;
}

/* What another give refuses changes no batch: they are asked first. */
static int judge_answer(struct updating *u, struct answer *a)
{
    struct work *w = u->work;
    struct outcome o = work_outcome(w);
    struct node *message = a->node;
    int rc = step_judge(w, &message, &o);
    if (message != a->node)                         /* something was given back to it: this is how it was */
        a->node = node_copy(&u->answers.kept, message, message->parent);
    if (rc >= STOP)
        return rc;
    keep_read(u, a);
    if (rc != SKIP) {
        rc = lookup_message(w, a->node);
        return rc <= WARN ? answers_check(&u->answers, &w->now) : rc;
    }
    a->refused = true;
    work_wait_in_error(&o);
    if (o.kind < OUTCOME_SKIP)
        refuse_pair(w, &o);
    keep_outcome(u, a, &o);
    return answers_check(&u->answers, &w->now);
}

static int each_answer(struct updating *u, int (*take)(struct updating *u, struct answer *a))
{
    struct work *w = u->work;
    uint64_t messages = w->reader.messages;
    int rc = OK;
    for (struct answer *a = u->answers.first; a && rc <= WARN; a = a->next) {
        arena_reset(&w->message);
        work_message(w);
        w->reader.messages = w->now.message = a->number;
        rc = take(u, a);
        work_fault(w, rc);
        groups_fold(w);
    }
    w->reader.messages = messages;
    return rc;
}

static int judge_answers(struct updating *u)
{
    if (!step_judges(u->work))
        return OK;
    int rc = each_answer(u, judge_answer);
    lookups_forget(u->work);
    return rc;
}

static void list_batches(struct updating *u)
{
    const struct job *job = u->work->job;
    u->list = arena_zero(u->work->arena, (job->nopen + 1) * sizeof *u->list);
    for (size_t i = 0; i < job->nopen; i++)
        if (!is_asked(u) || slice_equal(job->open[i].batch, job->asked))
            u->list[u->n++] = (struct opened){ .batch = &job->open[i], .number = (uint32_t)i + 1, .fd = -1 };
}

/* One call, one answer. */
static int check_asked(struct updating *u)
{
    struct work *w = u->work;
    const struct answer *first = u->answers.first;
    if (first ? u->n && !first->next : w->result->rejected > 0)
        return OK;
    problem_addf(&w->now, PROBLEM_ERROR, "ANSWER_UNEXPECTED", (struct place){ .offset = PLACE_NO_OFFSET },
                 !first ? "the file holds no answer" : first->next ? "the file holds several answers to one call"
                 : "no call is under way that this could answer");
    return STOP;
}

static int update_all(struct updating *u)
{
    struct work *w = u->work;
    int rc = work_read(w, take_answer);
    work_begin(w);
    if (rc <= WARN && is_asked(u))
        rc = check_asked(u);
    if (rc <= WARN && u->answers.first)
        rc = find_meant(u);
    if (rc <= WARN && u->answers.first && !u->newest)
        rc = unknown(u);
    if (rc <= WARN)
        rc = judge_answers(u);
    if (rc <= WARN)
        rc = update_batches(u);
    if (rc <= WARN)
        rc = each_answer(u, conclude_answer);
    return rc;
}

int job_update(struct work *w)
{
    struct updating u = { .work = w };
    int rc = work_lanes(w);
    if (rc > WARN)
        return rc;
    u.run = w->lanes[w->op->stage->index].run;
    w->data = &u;
    answers_init(&u.answers, u.run, &w->reader, &w->site->limits);
    list_batches(&u);
    rc = update_all(&u);
    work_fault(w, rc);
    groups_fold(w);
    arena_reset(&w->message);
    work_begin(w);
    if (rc <= WARN)
        rc = work_lanes_end(w);
    if (rc <= WARN)
        rc = step_set_aside(w);
    if (rc <= WARN)
        rc = step_note_end(w);
    answers_release(&u.answers);
    return rc;
}
