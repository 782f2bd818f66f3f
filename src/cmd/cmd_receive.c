#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, "receive");
}

const struct command command_receive = {
    .verb = "receive",
    .run = run,
    .usage = "receive [--set NAME=VALUE] [FLOW]",
    .summary = "read the answers that lie in the inbox of a flow's `receive` into the open batches",
    .help = ASKING_OPERATION_HELP
            "\nThe same as `waybill do FLOW receive`; the flow need not be named when only one has the operation.\n"
            "Example: waybill receive --dir shop order-sync\n",
};
