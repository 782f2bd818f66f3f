/*
 * running - what run, watch and do share: a site and its supervisor (private to cmd)
 */
#ifndef WAYBILL_CMD_RUNNING_H
#define WAYBILL_CMD_RUNNING_H

#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "flow/supervisor.h"

struct running {
    struct cmd *cmd;
    const char *dir;
    struct setting given[CMD_REPEAT_MAX];
    size_t ngiven;
    bool kept_off;                  /* a flow that is `on yes` stays off */
    struct progress bar;
    bool bar_on;
    const char *bar_name;
};

/* --set NAME=VALUE, every one of them; EXIT_USAGE when one has no "=". */
int running_settings(struct running *r, const struct cmd_args *args);
/* Loads the site; its problems are shown. NULL = it cannot be used. */
struct site *running_load(struct running *r);
/* Runs it and tells the exit code (DESIGN.md section 9). */
int running_go(struct running *r, struct site *site, struct supervisor_options *o, const struct cmd_args *args);
/* Its two parts, for commands that judge by something else: the options (EXIT_USAGE when they are wrong), then the
   work; problems are not shown. */
int running_prepare(struct running *r, struct supervisor_options *o, const struct cmd_args *args);
int running_work(struct running *r, struct site *site, struct supervisor_options *o, struct supervisor_report *report);

#define RUNNING_OPTIONS \
    { 'w', "workers", "N" }, { 'n', "no-fsync", NULL }, { 's', "set", "NAME=VALUE" }, { 'q', "quiet", NULL }
#define RUNNING_HELP \
    "  -w, --workers N        worker processes; default: one per core\n" \
    "  -s, --set NAME=VALUE   value of a param for this run; wins over site.conf\n" \
    "  -q, --quiet            no log of what goes on, only problems\n" \
    "  -n, --no-fsync         nothing is made durable: for tests\n"

#endif
