#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/show_lines.h"

struct telling {
    struct cmd *cmd;
    const char *dir;
    bool why, all;
    struct places places;
    struct waybill *w;
    struct site *site;
    struct staged staged;
    struct said said;
    bool stages;                    /* there is a staged document, and it was read */
};

static void field(struct buf *out, const char *name, struct slice text)
{
    if (!text.n)
        return;
    buf_printf(out, "%-12s", name);
    buf_add_shown(out, text, 0);
    buf_byte(out, '\n');
}

/* Whose answer, since when. */
static struct slice awaited(struct arena *a, const struct waybill_calls *c)
{
    if (!c->asked.n)
        return slice_none();
    return arena_printf(a, "an answer to %.*s for %.*s, since %.*s%s%.*s", SLICE_ARG(c->operation), SLICE_ARG(c->key),
                        SLICE_ARG(c->asked), c->until.n ? ", late at " : "", SLICE_ARG(c->until));
}

static void show_identity(struct buf *out, struct arena *a, const struct waybill *w)
{
    field(out, "batch", w->batch);
    field(out, "flow", w->flow);
    field(out, "operation", w->operation);
    field(out, "place", slice_of(place_names[w->place]));
    field(out, "file", w->name);
    field(out, "inbox", w->inbox);
    field(out, "bytes", arena_printf(a, "%llu", (unsigned long long)w->bytes));
    field(out, "sha256", slice_of(w->sha256));
    field(out, "batch time", w->batch_time);
    field(out, "came before", w->duplicate_of);
    field(out, "waits", slice_is(w->waits, "person") ? SLICE("held") : w->waits);
    field(out, "awaits", awaited(a, &w->calls));
    field(out, "error", w->error_code.n ? arena_printf(a, "%.*s: %.*s", SLICE_ARG(w->error_code),
                                                       SLICE_ARG(w->error_text)) : slice_none());
    field(out, "again at", w->retry.cause.n ? w->retry.next : slice_none());
    field(out, "cause", w->retry.cause);
}

static void show_results(struct buf *out, const struct waybill *w)
{
    buf_printf(out, "\nmessages    %llu", (unsigned long long)w->messages);
    for (const struct waybill_total *t = w->totals; t; t = t->next)
        buf_printf(out, ", %llu %.*s", (unsigned long long)t->count, SLICE_ARG(t->name));
    buf_byte(out, '\n');
    for (const struct waybill_total *t = w->skips; t; t = t->next) {
        buf_text(out, t == w->skips ? "left out    " : "            ");
        buf_printf(out, "%llu %.*s\n", (unsigned long long)t->count, SLICE_ARG(t->name));
    }
    for (const struct waybill_output *o = w->outputs; o; o = o->next) {
        buf_text(out, "output      ");
        buf_add_shown(out, o->outbox, 0);
        buf_byte(out, '/');
        buf_add_shown(out, o->name, 0);
        buf_printf(out, "  %llu bytes  %s%.*s\n", (unsigned long long)o->size, o->published.n ? "visible since " : "not visible yet",
                   SLICE_ARG(o->published));
    }
    for (const struct waybill_pin *p = w->pins; p; p = p->next)
        buf_printf(out, "%-12.*s%.*s  %.12s\n", SLICE_ARG(p->kind), SLICE_ARG(p->name), p->sha256);
    for (const struct waybill_param *p = w->params; p; p = p->next) {
        buf_printf(out, "param       %.*s = ", SLICE_ARG(p->name));
        buf_add_shown(out, p->value, 80);
        buf_byte(out, '\n');
    }
}

static void show_group(struct buf *out, const struct waybill_group *g)
{
    static const char *const severities[] = { "note", "warning", "error" };
    if (g->file.n) {
        buf_add_shown(out, g->file, 0);
        if (g->line)
            buf_printf(out, ":%u", g->line);
        if (g->column)
            buf_printf(out, ":%u", g->column);
        buf_text(out, ": ");
    }
    buf_printf(out, "%s: ", severities[g->severity]);
    if (g->message)
        buf_printf(out, "message %llu, ", (unsigned long long)g->message);
    if (g->path.n) {
        buf_add_shown(out, g->path, 0);
        buf_text(out, ": ");
    }
    buf_add_shown(out, g->text, 0);
    buf_printf(out, " [%.*s]", SLICE_ARG(g->code));
    if (g->count > 1)
        buf_printf(out, "  %llu times", (unsigned long long)g->count);
    buf_byte(out, '\n');
}

static void show_history(struct buf *out, const struct waybill *w)
{
    buf_text(out, "\nhistory\n");
    for (const struct waybill_event *e = w->history; e; e = e->next) {
        buf_printf(out, "  %.*s  %-10.*s  ", SLICE_ARG(e->time), SLICE_ARG(e->what));
        buf_add_shown(out, e->detail, 0);
        buf_byte(out, '\n');
    }
}

static void show_runs(struct buf *out, const struct waybill *w)
{
    for (const struct waybill_run *r = w->runs; r; r = r->next) {
        buf_printf(out, "%-11.*s %.*s  %.*s  %llu message%s, %llu refused", SLICE_ARG(r->operation), SLICE_ARG(r->time),
                   SLICE_ARG(r->outcome), (unsigned long long)r->messages, r->messages == 1 ? "" : "s",
                   (unsigned long long)r->rejected);
        if (r->code.n) {
            buf_text(out, "  ");
            buf_add_shown(out, r->text, 0);
            buf_printf(out, " [%.*s]", SLICE_ARG(r->code));
        }
        if (r->batch.n)
            buf_printf(out, "  by answer %.*s", SLICE_ARG(r->batch));
        buf_byte(out, '\n');
    }
    for (const struct waybill_param *p = w->due; p; p = p->next)
        buf_printf(out, "%-11.*s is due (%.*s)\n", SLICE_ARG(p->name), SLICE_ARG(p->value));
}

static void show_states(struct buf *out, const struct telling *t)
{
    struct slice least = least_state(t->w);
    if (!least.n)
        return;
    buf_printf(out, "state       %.*s%s  (", SLICE_ARG(least), t->said.errors ? ", with errors" : "");
    for (const struct waybill_total *s = t->w->states; s; s = s->next)
        buf_printf(out, "%s%llu %.*s", s == t->w->states ? "" : ", ", (unsigned long long)s->count, SLICE_ARG(s->name));
    buf_text(out, ")\n");
}

static void show_lines_of(struct buf *out, struct telling *t)
{
    buf_byte(out, '\n');
    show_table(out, &t->staged, &t->said);
    show_said(out, &t->said, t->all);
}

static void show(struct buf *out, struct telling *t)
{
    const struct waybill *w = t->w;
    show_identity(out, t->cmd->arena, w);
    if (t->stages)
        show_members(out, &t->staged);
    show_states(out, t);
    show_results(out, w);
    if (w->runs)
        buf_text(out, "\noperations\n");
    show_runs(out, w);
    if (t->stages)
        show_lines_of(out, t);
    if (w->groups)
        buf_printf(out, "\nproblems    %llu errors, %llu warnings, %llu notes\n", (unsigned long long)w->errors,
                   (unsigned long long)w->warnings, (unsigned long long)w->notes);
    for (const struct waybill_group *g = w->groups; g; g = g->next)
        show_group(out, g);
    if (t->why) {
        buf_text(out, "\nwhy\n");
        show_why(out, &t->said);
    }
    show_history(out, w);
}

/* The waybill as it is; of a batch that stages, one object around it. */
static void show_json(struct buf *out, struct telling *t)
{
    struct buf waybill = { 0 };
    waybill_write(t->w, &waybill);
    if (!t->stages) {
        buf_add(out, buf_slice(&waybill));
        buf_release(&waybill);
        return;
    }
    json_open(out, '{');
    json_raw(out, "waybill", slice_trim(buf_slice(&waybill)));
    json_text(out, "state", least_state(t->w));
    json_bool(out, "with_errors", t->said.errors != 0);
    show_messages_json(out, &t->staged);
    show_said_json(out, &t->said);
    json_close(out, '}');
    buf_byte(out, '\n');
    buf_release(&waybill);
}

static int no_batch(struct telling *t, const char *id)
{
    problem_add(t->cmd->problems, &(struct problem){
        .severity = PROBLEM_ERROR, .code = "BATCH_NONE", .value = slice_of(id),
        .place = { .file = t->dir, .offset = PLACE_NO_OFFSET }, .text = SLICE("is no batch of this site"),
        .hint = SLICE("`waybill status` lists those at work; the names of zips in archive/ end in the batch") });
    return STOP;
}

/* The formats of the site tell what the staged document means; a site that cannot be loaded still has its waybills. */
static int read_lines(struct telling *t)
{
    struct cmd *c = t->cmd;
    struct site_env env = { .roots = c->finder.roots };
    struct problems unshown;
    problems_init(&unshown, c->arena, 100);
    if (t->w->stage.p && site_load(c->arena, &env, t->dir, &t->site, &unshown) <= WARN) {
        int rc = staged_read(&t->staged, c, &t->places, t->site, t->w);
        if (rc != OK && rc != END)
            return rc;
        t->stages = rc == OK;
    }
    return t->stages || t->why ? said_read(&t->said, c->arena, &t->places, t->w, c->problems) : OK;
}

static int find(struct telling *t, const char *id, struct buf *out)
{
    struct cmd *c = t->cmd;
    int rc = places_open(&t->places, c, t->dir);
    if (rc <= WARN)
        rc = batch_find(&t->places.site, c->arena, id, &t->w, c->problems);
    if (rc == END)
        rc = no_batch(t, id);
    if (rc <= WARN)
        rc = read_lines(t);
    if (rc <= WARN)
        (c->json ? show_json : show)(out, t);
    if (t->stages)
        staged_free(&t->staged);
    places_close(&t->places);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'd', "dir", "DIR" }, { 'y', "why", NULL }, { 'a', "all", NULL },
                                                { 0 } };
    struct telling t = { .cmd = c };
    struct cmd_args args;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which batch?");
    t.dir = cmd_arg(&args, 'd') ? cmd_arg(&args, 'd') : ".";
    t.why = cmd_arg(&args, 'y') != NULL;
    t.all = cmd_arg(&args, 'a') != NULL;
    int rc = find(&t, args.operand[0], &out);
    cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    return code;
}

const struct command command_show = {
    .verb = "show",
    .run = run,
    .usage = "show [--why] [--all] [--json] [--dir DIR] BATCH",
    .summary = "all that is known of one batch: its waybill, and line by line what is staged",
    .help = "  -d, --dir DIR   the site's folder; default: where you are\n"
            "  -y, --why       how each message came out, and what was tried\n"
            "  -a, --all       all that operations said, not only the problems that are open\n"
            "      --json      the waybill as it is; of a batch that stages\n"
            "                  {\"waybill\",\"state\",\"with_errors\",\"messages\",\"said\"}\n",
};
