/*
 * hint - the commands that problems tell to type, with the site that the command was called for (private to cmd)
 *
 * Hints are written where no layer knows how the site was named: "`waybill show BATCH` tells more".  With `--dir DIR`
 * behind the verb, or DIR as its operand, they can be typed as they stand.
 */
#ifndef WAYBILL_CMD_HINT_H
#define WAYBILL_CMD_HINT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

/* The text with the site in every command between backquotes that does not name one; `dir` NULL or "." leaves it. */
struct slice hint_for_site(struct arena *a, struct slice text, const char *dir);

#endif
