#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_HOLD);
}

const struct command command_hold = {
    .verb = "hold",
    .run = run,
    .usage = "hold BATCH",
    .summary = "keep a batch as it is until it is released: no operation takes it",
    .help = ASKING_BATCH_HELP "\nExample: waybill hold --dir shop 20261122-034431-12-7\n",
};
