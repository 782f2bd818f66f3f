#include "flow/convert.h"
#include "flow/work.h"

static void collect_one(struct lane *l, struct node *target)
{
    if (l->ntargets == l->targets_cap) {
        size_t cap = l->targets_cap ? l->targets_cap * 2 : 4;
        struct node **grown = arena_alloc(&l->listed, cap * sizeof *grown);
        if (l->ntargets)
            memcpy(grown, l->targets, l->ntargets * sizeof *grown);
        l->targets = grown;
        l->targets_cap = cap;
    }
    l->targets[l->ntargets++] = target;
}

static int collect(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    (void)ps;
    for (size_t i = 0; i < n; i++)
        collect_one(owner, targets[i]);
    return OK;
}

static void merge(struct outcome *all, const struct outcome *one)
{
    if (one->kind > all->kind)
        all->kind = one->kind;
    if (!one->first)
        return;
    if (all->last)
        all->last->next = one->first;
    else
        all->first = one->first;
    all->last = one->last;
    all->n += one->n;
}

static void merge_tried(struct outcome *all, const struct outcome *one)
{
    if (one->reason.n)
        all->reason = one->reason;
    if (!one->tried)
        return;
    if (all->last_tried)
        all->last_tried->next = one->tried;
    else
        all->tried = one->tried;
    all->last_tried = one->last_tried;
    all->ntried += one->ntried;
}

/* A single target of an output that is open is taken back by its writer; what it gave back to the message is not.  A
   table is written when the file is over. */
static bool is_tried(const struct work *w, const struct lane *l)
{
    const struct give *g = l->give;
    if (g->kind == GIVE_TABLE || l->ntargets > 1 || (g->mapping && mapping_gives_back(g->mapping)))
        return true;
    return g->kind == GIVE_BATCH ? !w->stage->output : l->fd < 0;
}

static struct trial *lane_trial(struct work *w, const struct give *g)
{
    size_t n = g->kind == GIVE_BATCH ? 0 : g->ncompanions;
    struct trial *t = trial_new(w->arena, n);
    for (size_t i = 0; i < n; i++)
        trial_companion(t, g->companions[i].name);
    return t;
}

static int lane_try(struct work *w, struct lane *l, const struct node *target)
{
    struct writer as = { .format = l->give->to, .limits = &w->site->limits,
                         .file = l->run ? run_file(l->run) : w->reader.file };
    if (l->give->kind == GIVE_BATCH) {
        w->stage->file = as.file;
        return stage_try(w->stage, target);
    }
    if (!l->trial)
        l->trial = lane_trial(w, l->give);
    return trial_ask(l->trial, &as, target, &w->message, &w->now);
}

static int try_each(struct lane *l, struct node *const *targets, size_t n)
{
    int rc = OK;
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = lane_try(l->work, l, targets[i]);
    return rc;
}

static int try_targets(struct work *w, struct lane *l, bool shared)
{
    return shared || is_tried(w, l) ? try_each(l, l->targets, l->ntargets) : OK;
}

int lane_accept(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    (void)ps;
    return try_each(owner, targets, n);
}

static int put_targets(struct work *w, struct lane *l, const struct node *message)
{
    int rc = OK;
    for (size_t i = 0; i < l->ntargets && rc <= WARN; i++)
        rc = lane_write(w, l, l->targets[i], message);
    return rc;
}

static int write_targets(struct work *w, struct lane *l, const struct node *message)
{
    int rc = try_targets(w, l, false);
    return rc <= WARN ? put_targets(w, l, message) : rc;
}

/* ---- batches and tables: what is taken is changed as well -------------------------------------------------------- */

/* The gives that wait keep the message as each has seen it: what a later one gives back does not go out with them. */
static void keep_seen(struct work *w, struct node *copy)
{
    for (size_t i = 0; i < w->op->ngives; i++) {
        struct lane *l = &w->lanes[i];
        if (!l->waits || l->seen != w->shared)
            continue;
        l->seen = copy;
        if (!l->run && l->ntargets)
            l->targets[0] = copy;                   /* it goes as it is */
    }
}

static void keep_unchanged(struct work *w)
{
    struct node *copy = node_copy(&w->message, w->shared, w->shared->parent);
    keep_seen(w, copy);
    if (!w->unchanged)
        w->unchanged = copy;
}

void step_edit(struct work *w, const struct edits *edits)
{
    if (!edits->n)
        return;
    if (w->shared)
        keep_unchanged(w);
    edits_apply(edits, &w->message);
    w->changed = true;
}

static bool is_staged(const struct work *w)
{
    return w->op->take.kind != TAKE_INBOX;
}

/* What of the message the give took; false = nothing. */
static bool note_taken(struct work *w, struct lane *l)
{
    struct node *const *nodes;
    size_t n;
    w->whole = w->whole || !l->run;
    if (!l->run)
        return true;
    run_taken(l->run, &nodes, &n);
    for (size_t i = 0; i < n; i++)
        ARENA_PUSH(&w->message, w->taken, w->ntaken, w->taken_cap) = nodes[i];
    return n > 0;
}

/* Rows against the arrow: what the target says goes back into the message, and the later gives see it. */
static void give_back(struct work *w, struct lane *l)
{
    struct edits edits;
    edits_init(&edits, &w->message);
    if (!l->run)
        return;
    run_back(l->run, &edits);
    step_edit(w, &edits);
}

/* `give batch` of an operation that takes batches: the message is its own answer. */
static int update_itself(struct work *w, struct lane *l, struct node *message, struct outcome *one)
{
    struct edits edits;
    edits_init(&edits, &w->message);
    int rc = run_update(l->run, message, message, w->reader.messages, &w->message, &edits, one, &w->now);
    if (rc <= WARN && one->kind < OUTCOME_SKIP)
        step_edit(w, &edits);
    return rc;
}

/* ---- one message ------------------------------------------------------------------------------------------------ */

struct giving {
    struct lane *l;
    bool shared;                    /* other gives may refuse the message after this one */
    bool given;
};

/* What it gives waits until all gives have judged the message; what can be tried of it is tried. */
static int give_lane(struct giving *g)
{
    struct lane *l = g->l;
    struct work *w = l->work;
    g->given = true;
    if (is_staged(w) && note_taken(w, l) && l->give->judges)
        w->judged = true;
    int rc = try_targets(w, l, g->shared);
    if (rc > WARN)
        return rc;
    give_back(w, l);
    rc = lane_try_names(w, l);
    l->waits = rc <= WARN;
    return rc;
}

/* While the run waits: a message that cannot be written counts in none of its totals. */
static int give_targets(void *owner, struct node *const *targets, size_t n, struct problems *ps)
{
    struct giving *g = owner;
    int rc = collect(g->l, targets, n, ps);
    return rc <= WARN ? give_lane(g) : rc;
}

static int map_one(struct giving *g, struct node *message, struct outcome *one)
{
    struct lane *l = g->l;
    struct work *w = l->work;
    l->ntargets = 0;
    if (l->give->kind == GIVE_BATCH && is_staged(w))
        return update_itself(w, l, message, one);
    if (lane_merges(l))
        return lane_merge(w, l, message, one);
    if (l->run)
        return run_message(l->run, message, w->reader.messages, &w->message, one, give_targets, g, &w->now);
    collect_one(l, message);
    return OK;
}

static int map_lane(struct work *w, struct lane *l, struct node *message, bool shared, struct outcome *outcome)
{
    struct giving g = { l, shared, false };
    struct outcome one = { 0 };
    l->seen = message;
    numbers_mark(w, NUMBERS_GIVE);
    int rc = map_one(&g, message, &one);
    w->judged = w->judged || one.first || one.tried;
    merge(outcome, &one);
    merge_tried(outcome, &one);
    if (rc <= WARN && one.kind >= OUTCOME_SKIP)
        rc = SKIP;
    if (rc <= WARN && !g.given)
        rc = give_lane(&g);
    if (rc == SKIP)
        numbers_take_back(w, NUMBERS_GIVE);
    return rc;
}

static void withdraw(struct lane *l)
{
    if (l->waits && l->run)
        run_withdraw(l->run);
    l->waits = false;
}

static int put_lane(struct work *w, struct lane *l)
{
    int rc = l->merge ? merge_keep(l->merge, &w->now) : put_targets(w, l, l->seen);
    if (rc == SKIP)
        withdraw(l);
    l->waits = false;
    return rc;
}

/* A file that changes batches has done so already (job_update.c); the original is written when all is known. */
static bool is_over(const struct work *w, const struct lane *l)
{
    return l->give->original || (l->give->kind == GIVE_BATCH && !l->give->new_batch && !is_staged(w));
}

static bool takes_part(const struct work *w, const struct lane *l)
{
    return l->give && !l->give->report && !is_over(w, l);
}

static size_t last_lane(const struct work *w)
{
    size_t i = w->op->ngives;
    while (i > 0 && !takes_part(w, &w->lanes[i - 1]))
        i--;
    return i;
}

static int map_all(struct work *w, size_t n, struct node *message, bool judge, struct outcome *outcome)
{
    int rc = OK;
    w->unchanged = NULL;
    w->shared = message;
    numbers_mark(w, NUMBERS_MESSAGE);
    for (size_t i = 0; i < n && rc <= WARN; i++)
        if (takes_part(w, &w->lanes[i]))
            rc = map_lane(w, &w->lanes[i], message, judge || i + 1 < n, outcome);
    w->shared = NULL;
    return rc;
}

/* What only writing can tell is written first: while nothing else is, it can still be refused. */
static int put_untried(struct work *w, size_t n)
{
    struct lane *l = n ? &w->lanes[n - 1] : NULL;
    return l && l->waits && !l->merge && !is_tried(w, l) ? put_lane(w, l) : OK;
}

static int put_all(struct work *w, size_t n)
{
    int rc = put_untried(w, n);
    if (rc > WARN)
        return rc;
    for (size_t i = 0; i < n && rc <= WARN; i++)
        if (w->lanes[i].waits)
            rc = put_lane(w, &w->lanes[i]);
    return rc == SKIP && n > 1 ? STOP : rc;         /* an earlier give may have written it: then the file is over */
}

/* What was said of the message itself is said of its copy: else it would look like something about a line. */
static void say_of(struct outcome *o, const struct node *message, const struct node *copy)
{
    for (struct finding *f = o->first; f; f = f->next)
        f->node = f->node == message ? copy : f->node;
    for (struct tried *t = o->tried; t; t = t->next)
        t->node = t->node == message ? copy : t->node;
}

/* The message is as it was read: no give has written it, changed it, counts it, or took a number for it. */
static void take_back(struct work *w, size_t n, struct node **message, struct outcome *o)
{
    for (size_t i = 0; i < n; i++)
        withdraw(&w->lanes[i]);
    numbers_take_back(w, NUMBERS_MESSAGE);
    if (w->unchanged) {
        say_of(o, *message, w->unchanged);
        *message = w->unchanged;
    }
    w->changed = w->changed && !w->unchanged;
}

/* Gives run in order, the later ones see what the earlier ones gave back.  A message that one of them refuses is given
   by none; one that is skipped stays with those that have taken it. */
int step_map(struct work *w, struct node **message, struct outcome *outcome)
{
    size_t n = last_lane(w);
    int rc = map_all(w, n, *message, false, outcome);
    bool skipped = rc == SKIP && outcome->kind == OUTCOME_SKIP, given = rc <= WARN || skipped;
    int put = given && is_staged(w) ? step_stamp(w, *message) : OK;
    if (given && put <= WARN)
        put = put_all(w, n);
    if (put == SKIP || (rc == SKIP && !skipped))
        take_back(w, n, message, outcome);
    if (put == SKIP && skipped)
        outcome->kind = OUTCOME_NONE;               /* refused, whatever one give has skipped */
    return put > rc ? put : rc;
}

bool step_judges(const struct work *w)
{
    return last_lane(w) > 0;
}

int step_judge(struct work *w, struct node **message, struct outcome *outcome)
{
    size_t n = last_lane(w);
    int rc = map_all(w, n, *message, true, outcome);
    if (rc < STOP)
        take_back(w, n, message, outcome);
    return rc == SKIP && outcome->kind == OUTCOME_SKIP ? OK : rc;
}

static int late(struct work *w, struct outcome *o)
{
    struct finding *f = arena_zero(&w->message, sizeof *f);
    struct slice text = site_text(w->site, "ANSWER_LATE");
    *f = (struct finding){ .kind = OUTCOME_REJECT, .code = SLICE("ANSWER_LATE"),
                           .text = text.p ? text : SLICE("no answer came in time") };
    outcome_add(o, f, NULL);
    return SKIP;
}

static int call_lane(struct work *w, struct lane *l, struct node **message, struct outcome *o)
{
    numbers_mark(w, NUMBERS_MESSAGE);
    int rc = map_lane(w, l, *message, false, o);
    if (l->waits && w->changed)
        rc = stage_try(w->stage, *message);         /* what the call has given back */
    if (l->waits && rc <= WARN)
        rc = put_lane(w, l);
    if (rc == SKIP)
        take_back(w, w->op->ngives, message, o);
    return rc;
}

static void note_call(struct work *w, const struct node *message, size_t give)
{
    w->result->called = true;
    w->result->call_message = w->reader.messages;
    w->result->call_key = arena_copy(w->arena, note_key(&w->message, message));
    w->result->call_give = (uint32_t)give;
}

/* From where the run has come, the first give that has something to call for; what one of them refuses is over. */
int step_call(struct work *w, struct node **message, struct outcome *o)
{
    const struct call_place *at = &w->job->calls;
    bool here = at->message && w->reader.messages == at->message;
    int rc = here && at->late ? late(w, o) : OK;
    w->unchanged = NULL;
    w->shared = *message;
    for (size_t i = here ? at->give + 1 : 0; i < w->op->ngives && rc <= WARN && !w->result->called; i++) {
        struct lane *l = &w->lanes[i];
        uint64_t before = l->messages;
        if (l->give)
            rc = call_lane(w, l, message, o);
        if (rc <= WARN && l->messages > before)
            note_call(w, *message, i);
    }
    w->shared = NULL;
    return rc;
}

static int report_lane(struct work *w, struct lane *l, struct node *message, const struct outcome *latest,
                       const struct outcome *now)
{
    static const struct outcome none = { .kind = OUTCOME_NONE };
    struct node *tree = outcome_node(&w->message, w->outcomes, message, latest ? latest : &none);
    int rc = OK;
    l->ntargets = 0;
    if (l->run)
        rc = run_report(l->run, message, tree, &w->message, collect, l, &w->now);
    if (rc <= WARN && l->run && now) {
        tree = outcome_node(&w->message, w->outcomes, message, now);
        rc = run_log(l->run, message, tree, &w->message, collect, l, &w->now);
    }
    return rc <= WARN ? write_targets(w, l, message) : rc;
}

int step_report(struct work *w, struct node *message, const struct outcome *latest, const struct outcome *now)
{
    int rc = OK;
    for (size_t i = 0; i < w->op->ngives && rc < STOP; i++)
        if (w->lanes[i].give && w->lanes[i].give->report)
            rc = report_lane(w, &w->lanes[i], message, latest, now);
    return rc;
}

int step_report_log(struct work *w, struct lane *l, struct node *message, const struct outcome *said)
{
    struct node *tree = outcome_node(&w->message, w->outcomes, message, said);
    l->ntargets = 0;
    int rc = run_log(l->run, message, tree, &w->message, collect, l, &w->now);
    return rc <= WARN ? write_targets(w, l, message) : rc;
}

/* Rows that run once for the file, after the messages. */
int lane_finish(struct work *w, struct lane *l)
{
    struct outcome said = { 0 };
    int rc = OK;
    l->ntargets = 0;
    if (l->run)
        rc = run_finish(l->run, &w->message, &said, collect, l, &w->now);
    convert_findings(&w->now, &said, NULL, 0);
    if (rc <= WARN)
        rc = put_targets(w, l, NULL);
    return rc == SKIP ? STOP : rc;                  /* it belongs to no message that could be left out */
}
