#include "batch/request.h"
#include "cmd/commands.h"
#include "cmd/running.h"

static struct slice suggest(struct cmd *c, struct slice name, const struct slice *list, size_t n)
{
    struct slice near = problem_suggest(c->arena, name, list, n);
    return near.p ? near : SLICE("look at its spelling in site.conf");
}

/* The site may say in its own language what an operation that is off means to its people. */
static void tell_off(struct cmd *c, const struct site *s, const struct flow *f)
{
    const char *code = f->off ? f->off : "SITE_SWITCHED_OFF";
    struct slice own = site_text(s, code);
    problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = code, .value = f->name,
        .place = { .file = s->file, .offset = PLACE_NO_OFFSET }, .text = own.p ? own : SLICE("the flow is off"),
        .hint = own.p ? slice_none() : SLICE("write `on yes` in it") });
}

static const struct operation *find_operation(struct cmd *c, const struct site *s, struct slice flow, struct slice name)
{
    struct slice names[64];
    size_t n = 0;
    const struct flow *f = site_flow(s, flow);
    struct place place = { .file = s->file, .offset = PLACE_NO_OFFSET };
    if (!f) {
        for (; n < s->nflows && n < 64; n++)
            names[n] = s->flows[n]->name;
        problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_NO_FLOW", .place = place,
                                                    .value = flow,
                    .text = SLICE("there is no such flow"), .hint = suggest(c, flow, names, n) });
        return NULL;
    }
    const struct operation *op = flow_operation(f, name);
    for (; n < f->noperations && n < 64; n++)
        names[n] = f->operations[n]->name;
    if (!op)
        problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_NO_OPERATION",
                                                    .place = place, .value = name,
                    .text = SLICE("the flow has no such operation"), .hint = suggest(c, name, names, n) });
    else if (!f->on || f->off) {
        tell_off(c, s, f);
        op = NULL;
    }
    return op;
}

static int ask(struct running *r, const struct operation *op)
{
    struct cmd *c = r->cmd;
    struct request q = { .kind = REQUEST_RUN, .flow = op->flow->name, .operation = op->name };
    struct spool spool;
    for (size_t i = 0; i < r->ngiven; i++)
        waybill_param(&q.sets, c->arena, r->given[i].name, r->given[i].value);
    int rc = spool_open(&spool, c->arena, r->dir, true, c->problems);
    if (rc > WARN)
        return rc;
    rc = request_put(&spool, c->arena, &q, c->problems);
    spool_close(&spool);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { RUNNING_OPTIONS, { 'd', "dir", "DIR" }, { 0 } };
    struct running r = { .cmd = c };
    struct supervisor_options o = { .events = -1 };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args) || running_settings(&r, &args))
        return EXIT_USAGE;
    if (args.n != 2)
        return cmd_usage(c, "which flow and operation?");
    r.dir = cmd_arg(&args, 'd') ? cmd_arg(&args, 'd') : ".";
    struct site *site = running_load(&r);
    if (!site)
        return EXIT_INVALID;
    const struct operation *op = find_operation(c, site, slice_of(args.operand[0]), slice_of(args.operand[1]));
    if (!op || ask(&r, op) > WARN) {
        cmd_flush(c);
        return EXIT_INVALID;
    }
    o.asked = true;
    return running_go(&r, site, &o, &args);
}

const struct command command_do = {
    .verb = "do",
    .run = run,
    .usage = "do [--dir DIR] FLOW OPERATION",
    .summary = "run one operation of a site by hand, also one that is `manual` or `on no`",
    .help = "  -d, --dir DIR          the site's folder; default: where you are\n" RUNNING_HELP
            "\nExample: waybill do --dir shop orders convert\n",
};
