#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "cmd/running.h"

/* `-` or the path of a pipe that another program writes. */
static int open_events(struct cmd *c, const char *from)
{
    if (!from)
        return -1;
    if (strcmp(from, "-") == 0)
        return STDIN_FILENO;
    int fd = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        cmd_usage(c, "%s cannot be read", from);
    return fd;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { RUNNING_OPTIONS, { 'e', "events", "FROM" },
                                                { 'b', "standby", NULL }, { 0 } };
    struct running r = { .cmd = c };
    struct supervisor_options o = { .watch = true };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args) || running_settings(&r, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which site? Give its folder");
    r.dir = args.operand[0];
    o.standby = cmd_arg(&args, 'b') != NULL;
    o.events = open_events(c, cmd_arg(&args, 'e'));
    if (cmd_arg(&args, 'e') && o.events < 0)
        return EXIT_USAGE;
    struct site *site = running_load(&r);
    if (!site)
        return EXIT_INVALID;
    return running_go(&r, site, &o, &args);
}

const struct command command_watch = {
    .verb = "watch",
    .run = run,
    .usage = "watch [--set NAME=VALUE] DIR",
    .summary = "carry files through a site's flows for ever, as they arrive",
    .help = RUNNING_HELP
            "  -e, --events FROM      news of files come from FROM (- = standard input), NUL-separated paths as\n"
            "                         `inotifywait -m --format '%w%f%0' --no-newline` prints them\n"
            "  -b, --standby          while another watcher works on the site, wait, and take over when it ends or dies\n"
            "\nTERM ends it within five seconds, nothing is lost; HUP reads site.conf anew. One watcher works on a site at a\n"
            "time: a second one is answered SITE_BUSY, or stands by. Between hosts that share the storage (`shared yes`)\n"
            "the same goes by a lease that a silent host loses after `limit lease` milliseconds.\n",
};
