#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, "send");
}

const struct command command_send = {
    .verb = "send",
    .run = run,
    .usage = "send [--batch BATCH] [--message KEY] [FLOW]",
    .summary = "send what is staged: the operation `send` of a flow, on one batch or each open one",
    .help = ASKING_OPERATION_HELP
            "\nThe same as `waybill do FLOW send`; the flow need not be named when only one has the operation.\n"
            "Example: waybill send --dir shop --batch 20261122-034431-12-7\n",
};
