#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_operation(c, argc, argv, "create");
}

const struct command command_create = {
    .verb = "create",
    .run = run,
    .usage = "create [--since TIME] [--set NAME=VALUE] [FLOW]",
    .summary = "make a batch: stage what lies in the inbox of a flow's `create`",
    .help = ASKING_OPERATION_HELP
            "\nThe same as `waybill do FLOW create`; the flow need not be named when only one has the operation.\n"
            "Example: waybill create --dir shop --since 2026-11-21 order-sync\n",
};
