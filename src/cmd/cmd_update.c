#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, "update");
}

const struct command command_update = {
    .verb = "update",
    .run = run,
    .usage = "update [--set NAME=VALUE] [FLOW]",
    .summary = "bring what changed at the source into the open batches: the operation `update`",
    .help = ASKING_OPERATION_HELP
            "\nThe same as `waybill do FLOW update`; the flow need not be named when only one has the operation.\n"
            "Example: waybill update --dir shop order-sync\n",
};
