#include "cmd/commands.h"
#include "cmd/running.h"

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { RUNNING_OPTIONS, { 0 } };
    struct running r = { .cmd = c };
    struct supervisor_options o = { .events = -1 };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args) || running_settings(&r, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which site? Give its folder");
    r.dir = args.operand[0];
    struct site *site = running_load(&r);
    return site ? running_go(&r, site, &o, &args) : EXIT_INVALID;
}

const struct command command_run = {
    .verb = "run",
    .run = run,
    .usage = "run [--set NAME=VALUE] DIR",
    .summary = "carry all that lies in a site's inboxes through its flows, once",
    .help = RUNNING_HELP "\nFlows run in the order of site.conf, so that tables are filled before they are read. A file that must be\n"
            "stable for 5s and has not changed for so long is taken at once. Exit code 1 when messages or files were\n"
            "refused, 3 when a flow stays off because of its settings, 5 when something waits for another try.\n",
};
