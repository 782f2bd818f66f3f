#include "syntax/csv.h"

static const char *const options[] = { "delimiter", "quote", "header", "newline", "bom", "tag", "sheet-safe", NULL };

const struct syntax syntax_csv = {
    .name = "csv",
    .spec = "RFC 4180",
    .options = options,
    .bid = raw_bid,
    .plan = flat_plan,
    .read_open = flat_read_open,
    .read = flat_read,
    .read_close = flat_read_close,
    .write_open = flat_write_open,
    .write = flat_write,
    .checks = true,
    .write_close = flat_write_close,
    .patch = flat_patch,
    .inspect = raw_inspect,
    .write_drop = flat_write_drop,
};
