/*
 * folder - what is in the way where a folder belongs (private to drop)
 *
 *     return folder_problem(spool->root, "outbox/acme", "the outbox", "give outbox", errno, problems);
 *
 * Names the part of the path that is a file, or a link that leads nowhere, and says what would be right.  A missing
 * folder and other faults are told as the system tells them.  Gives TEMP.
 */
#ifndef WAYBILL_DROP_FOLDER_H
#define WAYBILL_DROP_FOLDER_H

#include <stdbool.h>

#include "base/problem.h"

/* The same where something is in the way; false with nothing told where nothing is. */
bool folder_in_the_way(int root, const char *path, const char *what, const char *setting, struct problems *ps);
/* `what` is it for, and which line of site.conf names it. */
int folder_problem(int root, const char *path, const char *what, const char *setting, int err, struct problems *ps);

#endif
