#include "cmd/running.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int running_settings(struct running *r, const struct cmd_args *args)
{
    for (int i = 0; i < args->nrepeated; i++) {
        if (args->repeated_letter[i] != 's')
            continue;
        const char *equal = strchr(args->repeated[i], '=');
        if (!equal)
            return cmd_usage(r->cmd, "--set needs NAME=VALUE, not %s", args->repeated[i]);
        r->given[r->ngiven++] = (struct setting){ .name = slice_range(args->repeated[i], equal),
                                                  .value = slice_of(equal + 1) };
    }
    return EXIT_GOOD;
}

static int load_into(struct running *r, struct arena *a, struct site **out, struct problems *ps)
{
    struct site_env env = { .roots = r->cmd->finder.roots, .given = r->given, .ngiven = r->ngiven };
    int rc = site_load(a, &env, r->dir, out, ps);
    r->kept_off = false;
    for (size_t i = 0; i < (*out)->nflows; i++)
        r->kept_off = r->kept_off || ((*out)->flows[i]->on && (*out)->flows[i]->off);
    return rc;
}

struct site *running_load(struct running *r)
{
    struct site *site;
    r->cmd->site = r->dir;
    int rc = load_into(r, r->cmd->arena, &site, r->cmd->problems);
    cmd_flush(r->cmd);
    return rc <= WARN ? site : NULL;
}

static int reload(void *owner, struct arena *a, struct site **out, struct problems *ps)
{
    return load_into(owner, a, out, ps);
}

/* One bar at a time: the file that told last. */
static void show_progress(void *owner, struct slice file, uint64_t done, uint64_t total)
{
    struct running *r = owner;
    (void)file;
    if (!r->bar_on) {
        progress_start(&r->bar, total, r->bar_name);
        r->bar_on = true;
    }
    r->bar.total = total;
    progress_show(&r->bar, done);
    if (done >= total) {
        progress_end(&r->bar);
        r->bar_on = false;
    }
}

static int exit_code(const struct running *r, int rc, const struct supervisor_report *report)
{
    if (rc > WARN || report->temporary)
        return EXIT_SYSTEM;
    if (r->kept_off)
        return EXIT_INVALID;
    return report->rejected || report->refused ? EXIT_REJECTED : EXIT_GOOD;
}

int running_prepare(struct running *r, struct supervisor_options *o, const struct cmd_args *args)
{
    const char *workers = cmd_arg(args, 'w');
    char *end = NULL;
    unsigned long n = workers ? strtoul(workers, &end, 10) : 0;
    if (workers && (!*workers || *end || n == 0 || n > 64))
        return cmd_usage(r->cmd, "--workers is a number from 1 to 64");
    o->workers = (unsigned)n;
    o->durable = !cmd_arg(args, 'n');
    o->quiet = cmd_arg(args, 'q') != NULL;
    o->clock = r->cmd->clock;
    o->reload = reload;
    o->progress = show_progress;
    o->owner = r;
    r->bar_name = r->dir;
    log_setup(o->quiet ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, &o->clock);
    return EXIT_GOOD;
}

int running_work(struct running *r, struct site *site, struct supervisor_options *o, struct supervisor_report *report)
{
    int rc = supervisor_run(site, o, report, r->cmd->problems);
    if (r->bar_on)
        progress_end(&r->bar);
    return rc;
}

int running_go(struct running *r, struct site *site, struct supervisor_options *o, const struct cmd_args *args)
{
    struct supervisor_report report;
    int code = running_prepare(r, o, args);
    if (code != EXIT_GOOD)
        return code;
    int rc = running_work(r, site, o, &report);
    cmd_flush(r->cmd);
    if (o->watch)                                   /* what waits is for the next start; what was refused was told */
        return rc > WARN ? EXIT_SYSTEM : EXIT_GOOD;
    return exit_code(r, rc, &report);
}
