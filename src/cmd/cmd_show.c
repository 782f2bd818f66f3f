#include "cmd/commands.h"
#include "cmd/places.h"

static void field(struct buf *out, const char *name, struct slice text)
{
    if (!text.n)
        return;
    buf_printf(out, "%-12s", name);
    buf_add_shown(out, text, 0);
    buf_byte(out, '\n');
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
    field(out, "duplicate of", w->duplicate_of);
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

static void show(struct cmd *c, struct buf *out, const struct waybill *w)
{
    show_identity(out, c->arena, w);
    show_results(out, w);
    if (w->groups)
        buf_printf(out, "\nproblems    %llu errors, %llu warnings, %llu notes\n", (unsigned long long)w->errors,
                   (unsigned long long)w->warnings, (unsigned long long)w->notes);
    for (const struct waybill_group *g = w->groups; g; g = g->next)
        show_group(out, g);
    show_history(out, w);
}

static int find(struct cmd *c, const char *dir, const char *id, struct buf *out)
{
    struct places p;
    struct waybill *w = NULL;
    int rc = places_open(&p, c, dir);
    if (rc <= WARN)
        rc = batch_find(&p.site, c->arena, id, &w, c->problems);
    if (rc == END) {
        problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "BATCH_NONE",
                                                    .value = slice_of(id),
                    .place = { .file = dir, .offset = PLACE_NO_OFFSET }, .text = SLICE("is no batch of this site"),
                    .hint = SLICE("`waybill status` lists those at work; the names of zips in archive/ end in the batch") });
        rc = STOP;
    }
    if (rc <= WARN && c->json)
        waybill_write(w, out);
    else if (rc <= WARN)
        show(c, out, w);
    places_close(&p);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'd', "dir", "DIR" }, { 0 } };
    struct cmd_args args;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which batch?");
    int rc = find(c, cmd_arg(&args, 'd') ? cmd_arg(&args, 'd') : ".", args.operand[0], &out);
    cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    return code;
}

const struct command command_show = {
    .verb = "show",
    .run = run,
    .usage = "show [--json] [--dir DIR] BATCH",
    .summary = "all that is known of one batch: its waybill",
    .help = "  -d, --dir DIR   the site's folder; default: where you are\n      --json      the waybill as it is\n",
};
