/*
 * outfile - an output file that appears under its name only when it is complete
 *
 *     struct outfile o;
 *     if (outfile_open(&o, "orders.xml", arena, problems) > WARN) …     NULL or "-": standard output
 *     … write to &o.sink …
 *     rc = outfile_end(&o, keep, problems);                              renamed, or taken away
 *
 * A device or pipe is written as it is; a regular file is written beside its name first.
 *
 * Owner:   the arena holds the temporary name; the sink belongs to the struct.
 * Errors:  OK or TEMP with a problem; nothing is left behind then.
 */
#ifndef WAYBILL_CMD_OUTFILE_H
#define WAYBILL_CMD_OUTFILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/problem.h"
#include "syntax/sink.h"

struct outfile {
    struct sink sink;
    int fd;                         /* -1 = not open */
    const char *path, *temp;        /* temp NULL: there is nothing to rename */
};

int outfile_open(struct outfile *o, const char *path, struct arena *a, struct problems *ps);
/* Closes; the file gets its name when `keep`, else goes away. Harmless when nothing is open. */
int outfile_end(struct outfile *o, bool keep, struct problems *ps);

#endif
