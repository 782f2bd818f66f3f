#include <stdlib.h>

#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/places.h"
#include "conf/conf.h"
#include "flow/health.h"

enum { LATE_MS = 600000 };

struct healthy {
    struct cmd *cmd;
    struct places places;
    struct health_options o;
    struct health_report r;
};

static void show_json(struct buf *out, const struct healthy *h)
{
    const struct health_report *r = &h->r;
    const struct problems *ps = h->cmd->problems;
    json_open(out, '{');
    json_bool(out, "good", ps->errors == 0);
    json_bool(out, "watched", r->process != 0);
    json_number(out, "process", r->process);
    json_number(out, "work", (int64_t)r->work);
    json_number(out, "retrying", (int64_t)r->retrying);
    json_number(out, "error", (int64_t)r->error);
    json_number(out, "gave_up", (int64_t)r->gave_up);
    json_number(out, "ready", (int64_t)r->ready);
    json_number(out, "oldest_seconds", r->oldest);
    json_number(out, "free_bytes", (int64_t)r->free_bytes);
    json_number(out, "reserve_bytes", (int64_t)r->reserve);
    json_key(out, "problems");
    json_open(out, '[');
    for (const struct problem *p = ps->first; p; p = p->next)
        problem_json(out, p);
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static void show(struct buf *out, const struct healthy *h)
{
    const struct health_report *r = &h->r;
    if (r->process)
        buf_printf(out, "watched by process %ld; ", r->process);
    else
        buf_text(out, "not watched; ");
    buf_printf(out, "%llu batches at work, %llu of them tried again, %llu in error/; %llu files wait in inboxes; "
               "%llu MiB free: %s\n",
               (unsigned long long)r->work, (unsigned long long)r->retrying, (unsigned long long)r->error,
               (unsigned long long)r->ready, (unsigned long long)(r->free_bytes >> 20),
               h->cmd->problems->errors ? "SOMETHING IS WRONG" : "all good");
}

/* A duration as in site.conf, or a number. */
static bool options(struct healthy *h, const struct cmd_args *args)
{
    const char *late = cmd_arg(args, 'l'), *errors = cmd_arg(args, 'e');
    char *end = NULL;
    h->o = (struct health_options){ .late_ms = LATE_MS, .errors = UINT64_MAX, .watched = !cmd_arg(args, 'r') };
    if (late) {
        struct token t = { .kind = TOKEN_NAME, .text = slice_of(late) };
        h->o.late_ms = conf_duration(&t);
    }
    if (errors)
        h->o.errors = strtoull(errors, &end, 10);
    return h->o.late_ms >= 0 && (!errors || (*errors && !*end));
}

/* A site.conf that is wrong is among the things that are wrong: the watcher goes on with the one before. */
static int look(struct healthy *h, const char *dir)
{
    struct cmd *c = h->cmd;
    struct site *site;
    struct site_env env = { .roots = c->finder.roots };
    int rc = places_open(&h->places, c, dir);
    if (rc <= WARN) {
        site_load(c->arena, &env, dir, &site, c->problems);
        rc = health_look(&h->places.site, site, &h->o, &h->r, c->problems);
    }
    places_close(&h->places);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option list[] = {
        { 'l', "late", "TIME" }, { 'e', "errors", "N" }, { 'r', "run", NULL }, { 0 }
    };
    struct healthy h = { .cmd = c };
    struct cmd_args args;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, list, &args))
        return EXIT_USAGE;
    if (args.n > 1)
        return cmd_usage(c, "one site at a time");
    if (!options(&h, &args))
        return cmd_usage(c, "--late is a time like 10m, --errors a number");
    int rc = look(&h, args.n ? args.operand[0] : ".");
    if (rc <= WARN)
        (c->json ? show_json : show)(&out, &h);
    bool wrong = c->problems->errors > 0;
    if (c->json && rc <= WARN)
        problems_init(c->problems, c->arena, c->problems->max);
    cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    if (code != EXIT_GOOD)
        return code;
    return h.r.down ? EXIT_SYSTEM : wrong ? EXIT_REJECTED : EXIT_GOOD;
}

const struct command command_health = {
    .verb = "health",
    .run = run,
    .usage = "health [--late TIME] [--errors N] [--run] [--json] [DIR]",
    .summary = "is a site running well at this moment",
    .help = "  -l, --late TIME        a ready file that is not taken, or a retry, is wrong after this time; default 10m\n"
            "  -e, --errors N         more than N batches in error/ are wrong; default: any number is fine\n"
            "  -r, --run              the site is run at times, by cron: nobody needs to watch it\n"
            "      --json             one JSON object\n\n"
            "For a monitoring system or a service check. Exit code 0: all is well; 1: something is wrong, each with what\n"
            "to do; 5: nobody watches the site. Looked at: the watcher, files that lie too long, batches that are tried\n"
            "again or were given up, folders that cannot be read, room on the disk, the clock.\n",
};
