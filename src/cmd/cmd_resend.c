#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_RESEND);
}

const struct command command_resend = {
    .verb = "resend",
    .run = run,
    .usage = "resend BATCH [OPERATION]",
    .summary = "put the outputs of a batch into their outboxes once more",
    .help = ASKING_BATCH_HELP "\nOPERATION: only what that one gave. An output that lies in its outbox still is not put there again.\n"
            "Example: waybill resend --dir shop 20261122-034431-12-7\n",
};
