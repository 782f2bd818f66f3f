#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_CANCEL);
}

const struct command command_cancel = {
    .verb = "cancel",
    .run = run,
    .usage = "cancel BATCH",
    .summary = "end a batch: an open one is archived as it is, one that is not delivered goes to error/",
    .help = ASKING_BATCH_HELP "\nExample: waybill cancel --dir shop 20261122-034431-12-7\n",
};
