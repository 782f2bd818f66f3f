#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_RELEASE);
}

const struct command command_release = {
    .verb = "release",
    .run = run,
    .usage = "release BATCH",
    .summary = "let a batch go on that was held",
    .help = ASKING_BATCH_HELP "\nExample: waybill release --dir shop 20261122-034431-12-7\n",
};
