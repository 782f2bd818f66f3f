#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/places.h"
#include "flow/replay.h"

static void show_output(struct buf *out, const struct replay_output *o)
{
    const char *what = o->same ? "equal" : !o->was[0] ? "not there then" : !o->is[0] ? "did not come" : "different";
    buf_printf(out, "  %-14s  %-8s  ", what, o->kind);
    buf_add_shown(out, o->name, 0);
    if (!o->same)
        buf_printf(out, "  %.12s then, %.12s now", o->was[0] ? o->was : "nothing", o->is[0] ? o->is : "nothing");
    buf_byte(out, '\n');
}

static void show_refusal(struct buf *out, const struct replay_run *r)
{
    if (!r->code.n && !r->was_code.n)
        return;
    bool same = slice_equal(r->code, r->was_code);
    buf_printf(out, "  %-14s  refused   ", same ? "equal" : "different");
    buf_add_shown(out, same || r->code.n ? r->code : r->was_code, 0);
    if (!same)
        buf_text(out, r->code.n ? ": it was not refused then, or for another reason" : ": it is not refused now");
    buf_byte(out, '\n');
}

static void show(const struct replay_run *r, struct buf *out)
{
    for (; r; r = r->next) {
        buf_printf(out, "%.*s  %.*s", SLICE_ARG(r->operation), SLICE_ARG(r->time));
        if (r->why.n) {
            buf_text(out, "  cannot be done again: ");
            buf_add_shown(out, r->why, 0);
        } else {
            buf_text(out, !r->same ? "  DIFFERENT" : r->outputs || r->code.n ? "  equal" : "  gave nothing, as then");
        }
        buf_byte(out, '\n');
        for (const struct replay_output *o = r->outputs; o; o = o->next)
            show_output(out, o);
        if (!r->why.n)
            show_refusal(out, r);
    }
}

static void json_output(struct buf *out, const struct replay_output *o)
{
    json_open(out, '{');
    json_text(out, "kind", slice_of(o->kind));
    json_text(out, "name", o->name);
    json_text(out, "then", slice_of(o->was));
    json_text(out, "now", slice_of(o->is));
    json_bool(out, "equal", o->same);
    json_close(out, '}');
}

static void show_json(const char *batch, bool same, const struct replay_run *r, struct buf *out)
{
    json_open(out, '{');
    json_text(out, "batch", slice_of(batch));
    json_bool(out, "equal", same);
    json_key(out, "runs");
    json_open(out, '[');
    for (; r; r = r->next) {
        json_open(out, '{');
        json_number(out, "run", r->run);
        json_text(out, "operation", r->operation);
        json_text(out, "time", r->time);
        json_bool(out, "replayed", r->why.n == 0);
        json_text(out, "why_not", r->why);
        json_bool(out, "equal", r->same);
        json_text(out, "code_then", r->was_code);
        json_text(out, "code_now", r->code);
        json_key(out, "outputs");
        json_open(out, '[');
        for (const struct replay_output *o = r->outputs; o; o = o->next)
            json_output(out, o);
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static int tell(struct cmd *c, const char *batch, const struct replay_run *runs)
{
    struct buf out = { 0 };
    bool same = true, any = false;
    for (const struct replay_run *r = runs; r; r = r->next) {
        any = any || !r->why.n;
        same = same && (r->why.n || r->same);
    }
    if (c->json)
        show_json(batch, any && same, runs, &out);
    else
        show(runs, &out);
    int code = cmd_print(c, &out);
    buf_release(&out);
    return code != EXIT_GOOD ? code : !any ? EXIT_INVALID : same ? EXIT_GOOD : EXIT_REJECTED;
}

static int no_batch(struct cmd *c, const char *dir, const char *id)
{
    problem_add(c->problems, &(struct problem){
        .severity = PROBLEM_ERROR, .code = "BATCH_NONE", .value = slice_of(id),
        .place = { .file = dir, .offset = PLACE_NO_OFFSET }, .text = SLICE("is no batch of this site"),
        .hint = SLICE("`waybill status` lists those at work; the names of zips in archive/ end in the batch") });
    return EXIT_INVALID;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'd', "dir", "DIR" }, { 'o', "output", "FOLDER" }, { 0 } };
    struct cmd_args args;
    struct places places;
    struct replay_run *runs;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which batch?");
    const char *dir = cmd_arg(&args, 'd') ? cmd_arg(&args, 'd') : ".";
    int code, rc = places_open(&places, c, dir);
    struct replay_terms terms = { .places = &places.site, .dir = dir, .roots = c->finder.roots,
                                  .batch = args.operand[0], .folder = cmd_arg(&args, 'o') };
    if (rc <= WARN)
        rc = replay_batch(&terms, c->arena, &runs, c->problems);
    if (rc == OK)
        code = tell(c, terms.batch, runs);
    else
        code = rc == END ? no_batch(c, dir, terms.batch) : rc == TEMP ? EXIT_SYSTEM : EXIT_INVALID;
    places_close(&places);
    cmd_flush(c);
    return code;
}

const struct command command_replay = {
    .verb = "replay",
    .run = run,
    .usage = "replay [--json] [--dir DIR] [-o FOLDER] BATCH",
    .summary = "do an old batch again with the mappings, params and tables of then: are the bytes the same?",
    .help = "  -d, --dir DIR          the site's folder; default: where you are\n"
            "  -o, --output FOLDER    keep what comes out; a folder per operation for a batch that was staged\n"
            "      --json             one JSON object\n"
            "\nNothing is delivered and nothing of the site changes. The exit code is 1 when something differs, 3 when\n"
            "nothing of the batch can be done again; what cannot is told with the reason.\n"
            "\nExample: waybill replay --dir shop 20261122-034431-12-7\n",
};
