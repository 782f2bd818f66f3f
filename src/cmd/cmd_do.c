#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, NULL);
}

const struct command command_do = {
    .verb = "do",
    .run = run,
    .usage = "do [--dir DIR] [--batch BATCH] FLOW OPERATION",
    .summary = "run one operation of a site by hand, also one that is `manual` or `on no`",
    .help = ASKING_OPERATION_HELP
            "\nExample: waybill do --dir shop orders convert\n",
};
