#include <errno.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/commands.h"
#include "cmd/places.h"
#include "flow/purge.h"

enum { WAIT_MS = 10000, PAUSE_MS = 20 };

struct purging {
    struct cmd *cmd;
    struct places places;
    struct purge purge;
    struct buf paths;
};

static void tell(void *owner, const char *path)
{
    struct purging *p = owner;
    if (p->cmd->json)
        json_text(&p->paths, NULL, slice_of(path));
    else {
        buf_add_shown(&p->paths, slice_of(path), 0);
        buf_byte(&p->paths, '\n');
    }
}

static void show(struct purging *p, struct buf *out)
{
    const struct purge_counts *n = &p->purge.counts;
    if (p->purge.terms.dry)
        buf_add(out, buf_slice(&p->paths));
    buf_printf(out, "%llu archived batches of %llu days, %llu files of lines, %llu batches of error/, "
               "%llu kept versions (%llu MiB) %s\n",
               (unsigned long long)n->batches, (unsigned long long)n->days, (unsigned long long)n->lines,
               (unsigned long long)n->errors, (unsigned long long)n->versions, (unsigned long long)(n->bytes >> 20),
               p->purge.terms.dry ? "would go" : "are gone");
}

static void show_json(struct purging *p, struct buf *out)
{
    const struct purge_counts *n = &p->purge.counts;
    json_open(out, '{');
    json_bool(out, "dry", p->purge.terms.dry);
    json_number(out, "batches", (int64_t)n->batches);
    json_number(out, "days", (int64_t)n->days);
    json_number(out, "lines", (int64_t)n->lines);
    json_number(out, "errors", (int64_t)n->errors);
    json_number(out, "versions", (int64_t)n->versions);
    json_number(out, "bytes", (int64_t)n->bytes);
    json_key(out, "paths");
    json_open(out, '[');
    buf_add(out, buf_slice(&p->paths));
    json_close(out, ']');
    json_close(out, '}');
    buf_byte(out, '\n');
}

static int go(struct purging *p, const struct site *site, bool dry)
{
    struct purge_terms terms = { .archive = site->keep_archive, .log = site->keep_log, .error = site->keep_error,
                                 .dry = dry, .tell = tell, .owner = p };
    int rc, waited = 0;
    p->places.site.zone = site->zone;
    p->places.store.durable = p->places.spool.durable = true;
    purge_begin(&p->purge, &p->places.site, &terms);
    while ((rc = purge_step(&p->purge, p->cmd->problems)) == OK || (rc == SKIP && waited < WAIT_MS)) {
        waited = rc == SKIP ? waited + PAUSE_MS : 0;
        if (rc == SKIP)
            usleep(PAUSE_MS * 1000);                /* a watcher is at it: each of its steps is short */
    }
    purge_end(&p->purge);
    if (rc == SKIP)
        return problem_system(p->cmd->problems, ".waybill/trash", "another process has held its lock for ten seconds: "
                              "is one stopped?", EWOULDBLOCK);
    return rc == END ? OK : rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'n', "dry-run", NULL }, { 0 } };
    struct purging p = { .cmd = c };
    struct site_env env = { .roots = c->finder.roots };
    struct cmd_args args;
    struct site *site;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n > 1)
        return cmd_usage(c, "one site at a time");
    const char *dir = args.n ? args.operand[0] : ".";
    int rc = places_open(&p.places, c, dir);
    if (rc <= WARN)
        rc = site_load(c->arena, &env, dir, &site, c->problems);
    if (rc <= WARN)
        rc = go(&p, site, cmd_arg(&args, 'n') != NULL);
    if (rc <= WARN)
        (c->json ? show_json : show)(&p, &out);
    places_close(&p.places);
    cmd_flush(c);
    int code = rc > STOP ? EXIT_SYSTEM : rc > WARN ? EXIT_INVALID : cmd_print(c, &out);
    buf_release(&out);
    buf_release(&p.paths);
    return code;
}

const struct command command_purge = {
    .verb = "purge",
    .run = run,
    .usage = "purge [--dry-run] [--json] [DIR]",
    .summary = "take away what is older than site.conf keeps",
    .help = "  -n, --dry-run   tell what would go, and leave it\n"
            "      --json      one JSON object\n\n"
            "`keep archive 2y`, `keep log 90d` and `keep error 1y` in site.conf say how long; without them no batch\n"
            "goes. Kept mappings and tables go when no batch names them any more. What was seen before, sequences and\n"
            "ledgers stay. A watcher purges by itself once a day; both may work at\n"
            "the same time.\n",
};
