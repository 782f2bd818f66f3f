#include "cmd/asking.h"
#include "cmd/commands.h"

static int run(struct cmd *c, int argc, char **argv)
{
    return asking_batch(c, argc, argv, REQUEST_AMEND);
}

const struct command command_amend = {
    .verb = "amend",
    .run = run,
    .usage = "amend --message KEY BATCH PATH=VALUE...",
    .summary = "correct fields of a staged message by hand; who and when is kept",
    .help = "  -m, --message KEY      the message, by its key as `show` prints it\n" ASKING_BATCH_HELP
            "\nPATH leads to a field of the staged message: Quantity, Line[2]/Quantity. No VALUE makes it nothing. All\n"
            "corrections are made, or none.\n"
            "Example: waybill amend --dir shop --message 4711 20261122-034431-12-7 'Line[2]/Quantity=5'\n",
};
