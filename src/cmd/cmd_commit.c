#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, "commit");
}

const struct command command_commit = {
    .verb = "commit",
    .run = run,
    .usage = "commit [--batch BATCH] [--message KEY] [FLOW]",
    .summary = "give back what was received: the operation `commit` of a flow",
    .help = ASKING_OPERATION_HELP
            "\nThe same as `waybill do FLOW commit`; the flow need not be named when only one has the operation.\n"
            "Example: waybill commit --dir shop --batch 20261122-034431-12-7\n",
};
