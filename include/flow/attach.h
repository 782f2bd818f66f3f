/*
 * attach - the files that a message names: what attachment() reads
 *
 *     rc = attach_read(dirfd, SLICE("FS_101_06_2024.pdf"), limits, arena, &bytes, problems);
 *
 * A name comes from the data, so it is one entry of the folder and nothing else: no path, no hidden file, no link, no
 * device.  What is not there, is empty or may not be read is nothing (bytes.n 0), so that the mapping can judge it.
 *
 * Owner:   bytes live in the arena.
 * Errors:  OK; WARN with ATTACH_NAME or ATTACH_FILE when something lies there that is not taken; TEMP when reading
 *          failed.
 * Limits:  limits->binary and a quarter of limits->message, LIMIT_BINARY beyond: base64 and a copy need room too.
 */
#ifndef WAYBILL_FLOW_ATTACH_H
#define WAYBILL_FLOW_ATTACH_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/limit.h"
#include "base/problem.h"

/* Whether a name may be one of a file that lies beside a document. */
bool attach_is_entry(struct slice name);
/* From the file itself, which stays open and is read from its beginning. */
int attach_read_fd(int fd, struct slice name, const struct limits *limits, struct arena *a, struct slice *out,
                   struct problems *ps);
int attach_read(int dirfd, struct slice name, const struct limits *limits, struct arena *a, struct slice *out,
                struct problems *ps);

#endif
