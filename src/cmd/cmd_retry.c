#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_RETRY);
}

const struct command command_retry = {
    .verb = "retry",
    .run = run,
    .usage = "retry BATCH",
    .summary = "try a batch again: one set aside anew as a batch of its own, one that waits at once",
    .help = ASKING_BATCH_HELP "\nExample: waybill retry --dir shop 20261122-034431-12-7\n",
};
