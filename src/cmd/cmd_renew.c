#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_RENEW);
}

const struct command command_renew = {
    .verb = "renew",
    .run = run,
    .usage = "renew BATCH",
    .summary = "let a batch go on with the mappings and formats of now, not those that it was created with",
    .help = ASKING_BATCH_HELP "\nA batch keeps the mappings and formats that the site had when it was created, although their\n"
            "files change. Tables are read as they are each time.\n"
            "\nExample: waybill renew --dir shop 20261122-034431-12-7\n",
};
