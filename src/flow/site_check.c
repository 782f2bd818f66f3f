#include "base/file.h"
#include "flow/site_parse.h"

static struct slice suggest_flow(struct site_loading *l, struct slice name)
{
    struct slice *list = arena_alloc(l->arena, (l->site->nflows + 1) * sizeof *list);
    for (size_t i = 0; i < l->site->nflows; i++)
        list[i] = l->site->flows[i]->name;
    return problem_suggest(l->arena, name, list, l->site->nflows);
}

static void check_flow_name(struct site_loading *l, const struct token *t, struct slice name)
{
    if (site_flow(l->site, name))
        return;
    struct slice near = suggest_flow(l, name);
    struct token at = site_token(l, t, name);
    site_problem(l, &at, "SITE_NO_FLOW", near.p ? arena_cstr(l->arena, near) : NULL, "there is no flow %.*s",
                 SLICE_ARG(name));
}

/* A table's file stays below the site: what a flow may write is jailed. */
static bool inside(struct slice path)
{
    if (path.n == 0 || path.p[0] == '/')
        return false;
    for (size_t i = 0; i + 1 < path.n; i++)
        if (path.p[i] == '.' && path.p[i + 1] == '.' && (i == 0 || path.p[i - 1] == '/')
            && (i + 2 == path.n || path.p[i + 2] == '/'))
            return false;
    return true;
}

static void check_table(struct site_loading *l, struct site_table *t)
{
    if (t->kind == TABLE_OF_FLOW)
        check_flow_name(l, &t->token, t->flow);
    for (size_t i = 0; i < t->nfilled; i++)
        check_flow_name(l, &t->token, t->filled[i]);
    if (t->kind != TABLE_FILE)
        return;
    t->path = file_join(l->arena, l->site->dir, arena_cstr(l->arena, t->file));
    if (!inside(t->file))
        site_problem(l, &t->token, "SITE_OUTSIDE", "a path below the site, without `..`",
                     "table %.*s lies outside the site", SLICE_ARG(t->name));
    if (!t->format_ref.n)
        site_problem(l, &t->token, "SITE_TABLE", "add `format NAME`", "table %.*s has a file but no format",
                     SLICE_ARG(t->name));
    else if (site_format(l, t->format_ref, &t->token, &t->format) == OK && !t->format->nmessages)
        site_problem(l, &t->token, "SITE_TABLE", "a format with one `message`", "the format of table %.*s has no rows",
                     SLICE_ARG(t->name));
}

static void check_every(struct site_loading *l, const struct operation *op)
{
    if (op->every && op->every < 1000)
        site_problem(l, &op->token, "SITE_EVERY", "at least 1s", "operation %.*s would run without a pause",
                     SLICE_ARG(op->name));
    if (op->take.unpack && op->take.type.n)
        site_problem(l, &op->take.token, "SITE_UNPACK", "give archives an inbox of their own",
                     "`unpack` and `type` do not go together: the type of an archive's members is not known before");
    if (op->take.kind == TAKE_INBOX && op->take.stable > 24LL * 3600 * 1000)
        site_warning(l, &op->take.token, "SITE_STABLE", "5s or 10s are usual", "a file must be stable for more than a day");
}

static void no_operation(struct site_loading *l, const struct operation *op, struct slice name)
{
    const struct flow *f = op->flow;
    struct slice *list = arena_alloc(l->arena, (f->noperations + 1) * sizeof *list);
    for (size_t i = 0; i < f->noperations; i++)
        list[i] = f->operations[i]->name;
    struct slice near = problem_suggest(l->arena, name, list, f->noperations);
    struct token at = site_token(l, &op->token, name);
    site_problem(l, &at, "SITE_NO_OPERATION", near.p ? arena_cstr(l->arena, near) : NULL,
                 "flow %.*s has no operation %.*s", SLICE_ARG(f->name), SLICE_ARG(name));
}

/* Notes what an operation follows, over any number of others. */
static void find_before(const struct operation *op, bool *before)
{
    for (size_t i = 0; i < op->nafter; i++) {
        const struct operation *o = flow_operation(op->flow, op->after[i]);
        if (!o || before[o->index])
            continue;
        before[o->index] = true;
        find_before(o, before);
    }
}

static void check_after(struct site_loading *l, const struct operation *op)
{
    bool *before = arena_zero(l->arena, op->flow->noperations * sizeof *before);
    for (size_t i = 0; i < op->nafter; i++)
        if (!flow_operation(op->flow, op->after[i]))
            no_operation(l, op, op->after[i]);
    find_before(op, before);
    if (before[op->index])
        site_problem(l, &op->token, "SITE_AFTER", "let the first of them be started by hand or at an interval",
                     "operation %.*s follows itself, for ever", SLICE_ARG(op->name));
}

static const struct field *sensitive_key(const struct group *g)
{
    const struct field *found = NULL;
    for (size_t i = 0; i < g->nkeys && !found; i++)
        if (g->keys[i].field && g->keys[i].field->flags & FIELD_SENSITIVE)
            found = g->keys[i].field;
    for (size_t i = 0; i < g->ngroups && !found; i++)
        found = sensitive_key(g->groups[i]);
    return found;
}

/* A key is how a message or a line of it is called wherever something is said about it. */
static void check_shown(struct site_loading *l, const struct operation *op)
{
    const struct field *f = op->message ? sensitive_key(op->message) : NULL;
    if (f)
        site_warning(l, &op->token, "SITE_SHOWN", "let another field be the key",
                     "%.*s is sensitive, and a key: lines, ledgers and places of problems name it",
                     SLICE_ARG(f->name));
}

static void check_flow(struct site_loading *l, struct flow *f)
{
    bool known = !f->partner.n;
    for (size_t i = 0; i < l->site->nparties; i++)
        known = known || slice_equal(l->site->parties[i].name, f->partner);
    if (!known)
        site_problem(l, &f->token, "SITE_NO_PARTNER", "declare `partner NAME { … }`", "there is no partner %.*s",
                     SLICE_ARG(f->partner));
    if (!f->noperations)
        site_problem(l, &f->token, "SITE_NO_OPERATION", "`operation convert { take … give … }`",
                     "flow %.*s has no operation", SLICE_ARG(f->name));
    flow_batch(l, f);
    for (size_t i = 0; i < f->noperations; i++) {
        check_every(l, f->operations[i]);
        check_after(l, f->operations[i]);
        check_answers(l, f->operations[i]);
        operation_compile(l, f->operations[i]);
        check_shown(l, f->operations[i]);
    }
    check_originals(l, f);
}

/* Two flows that take from one folder must say which files are theirs. */
static void check_shared(struct site_loading *l, const struct operation *a, const struct operation *b)
{
    if (a->take.kind != TAKE_INBOX || b->take.kind != TAKE_INBOX || !slice_equal(a->take.folder, b->take.folder))
        return;
    if (a->answers && b->answers && a->flow == b->flow && a->answers->operation->serial &&
        b->answers->operation->serial)
        return;                                     /* the call under way says whose answer it is */
    if ((a->take.type.n && b->take.type.n) || a->manual || b->manual || a->take.from.n || b->take.from.n)
        return;
    site_problem(l, &b->take.token, "SITE_INBOX_SHARED", "add `type \"…\"` to both, or give each its own inbox",
                 "%.*s/%.*s takes from the same inbox", SLICE_ARG(a->flow->name), SLICE_ARG(a->name));
}

static void check_inboxes(struct site_loading *l)
{
    struct site *s = l->site;
    const struct operation **all;
    size_t n = 0;
    for (size_t i = 0; i < s->nflows; i++)
        n += s->flows[i]->noperations;
    all = arena_alloc(l->arena, (n + 1) * sizeof *all);
    n = 0;
    for (size_t i = 0; i < s->nflows; i++)
        for (size_t k = 0; k < s->flows[i]->noperations; k++)
            all[n++] = s->flows[i]->operations[k];
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            check_shared(l, all[i], all[k]);
}

static void check_folder(struct site_loading *l, struct slice folder, const struct token *t)
{
    if (folder.n && (slice_starts(folder, SLICE(".waybill")) || slice_starts(folder, SLICE("archive")) || slice_starts(folder, SLICE("error"))))
        site_problem(l, t, "SITE_OUTSIDE", "a folder like \"inbox/orders\" or \"outbox/partner\"",
                     "\"%.*s\" is waybill's own", SLICE_ARG(folder));
}

/* One component behind the other, without "." and empty ones; n 0 at the end. */
static struct slice next_step(struct slice *path)
{
    struct slice step;
    do {
        const char *slash = path->n ? memchr(path->p, '/', path->n) : NULL, *end = slice_end(*path);
        step = slash ? slice_range(path->p, slash) : *path;
        *path = slash ? slice_range(slash + 1, end) : SLICE("");
    } while ((step.n == 0 && path->n) || slice_is(step, "."));
    return step;
}

static bool same_folder(struct slice a, struct slice b)
{
    struct slice x, y;
    do {
        x = next_step(&a);
        y = next_step(&b);
    } while (x.n && slice_equal(x, y));
    return x.n == 0 && y.n == 0;
}

/* What it gives is not taken again where somebody must say that it is ready, or where its type is another one. */
static bool takes_again(const struct operation *op, const struct give *g)
{
    const struct take *t = &op->take;
    return t->kind == TAKE_INBOX && g->kind == GIVE_OUTBOX && same_folder(t->folder, g->folder) &&
           !t->done.n && !t->manifest.n && (!t->type.n || g->original || g->to == op->format);
}

static void check_circle(struct site_loading *l, const struct operation *op, const struct give *g)
{
    if (takes_again(op, g))
        site_problem(l, &g->token, "SITE_FEEDS_ITSELF", "give it a folder of its own, like \"outbox/partner\"",
                     "operation %.*s would take what it gives, for ever: \"%.*s\" is its inbox", SLICE_ARG(op->name),
                     SLICE_ARG(g->folder));
}

static void check_folders(struct site_loading *l)
{
    for (size_t i = 0; i < l->site->nflows; i++)
        for (size_t k = 0; k < l->site->flows[i]->noperations; k++) {
            const struct operation *op = l->site->flows[i]->operations[k];
            check_folder(l, op->take.folder, &op->take.token);
            for (size_t g = 0; g < op->ngives; g++) {
                check_folder(l, op->gives[g]->folder, &op->gives[g]->token);
                check_circle(l, op, op->gives[g]);
            }
        }
}

/* "did you mean `pull-status`?", from the params of all mappings. */
static struct slice suggest_param(struct site_loading *l, struct slice name)
{
    struct slice *list = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < l->site->nflows; i++)
        for (size_t k = 0; k < l->site->flows[i]->noperations; k++) {
            const struct operation *op = l->site->flows[i]->operations[k];
            for (size_t g = 0; g < op->ngives; g++)
                for (size_t p = 0; op->gives[g]->mapping && p < op->gives[g]->mapping->nparams; p++)
                    ARENA_PUSH(l->arena, list, n, cap) = op->gives[g]->mapping->params[p].name;
        }
    return problem_suggest(l->arena, name, list, n);
}

static void check_sets(struct site_loading *l, const struct settings *sets)
{
    for (size_t i = 0; i < sets->n; i++) {
        const struct setting *s = &sets->list[i];
        if (s->used || !s->token.line)
            continue;
        struct slice near = suggest_param(l, s->name);
        site_warning(l, &s->token, "SITE_SET_UNUSED", near.n ? arena_cstr(l->arena, near) : "look at its spelling in the mapping's `param`",
                     "no mapping has a param %.*s", SLICE_ARG(s->name));
    }
}

static void check_all_sets(struct site_loading *l)
{
    check_sets(l, &l->site->sets);
    for (size_t i = 0; i < l->site->nflows; i++) {
        check_sets(l, &l->site->flows[i]->sets);
        for (size_t k = 0; k < l->site->flows[i]->noperations; k++)
            check_sets(l, &l->site->flows[i]->operations[k]->sets);
    }
}

/* With texts of an earlier time a flow may not be whole any more; the others do not suffer by that. */
static void note_faults(struct site_loading *l, struct flow *f, size_t errors, size_t off_errors)
{
    size_t own = l->ps->errors - errors - (l->off_errors - off_errors);
    if (!own || !l->env || !l->env->config)
        return;
    f->faulty = true;
    l->off_errors += own;
}

static void compile_flow(struct site_loading *l, struct flow *f)
{
    size_t errors = l->ps->errors, off_errors = l->off_errors;
    check_flow(l, f);
    note_faults(l, f, errors, off_errors);
}

static void bind_flow(struct site_loading *l, struct flow *f)
{
    size_t errors = l->ps->errors, off_errors = l->off_errors;
    for (size_t k = 0; k < f->noperations; k++)
        operation_bind(l, f->operations[k]);
    note_faults(l, f, errors, off_errors);
}

void site_check(struct site_loading *l)
{
    struct site *s = l->site;
    size_t errors = l->ps->errors;
    if (!s->zone_name.n)
        site_problem(l, &(struct token){ .line = 1, .column = 1, .width = 1 }, "SITE_ZONE", "add `zone \"Europe/Oslo\"`", "the site names no time zone");
    for (size_t i = 0; i < s->ntables; i++)
        check_table(l, s->tables[i]);
    for (size_t i = 0; i < s->nflows; i++)
        compile_flow(l, s->flows[i]);
    check_inboxes(l);
    check_folders(l);
    check_care(l);
    for (size_t i = 0; i < s->nflows; i++)
        bind_flow(l, s->flows[i]);
    for (size_t i = 0; i < s->nflows; i++)
        site_later(l, s->flows[i]);
    if (l->ps->errors == errors)                    /* else a mapping may be missing that reads them */
        check_all_sets(l);
}
