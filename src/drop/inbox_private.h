/*
 * inbox_private - what claim.c needs of an inbox
 */
#ifndef WAYBILL_DROP_INBOX_PRIVATE_H
#define WAYBILL_DROP_INBOX_PRIVATE_H

#include "drop/inbox.h"

const char *inbox_done(const struct inbox *in);
/* The file may be read and not be renamed: told once, and left alone for a while.  Gives SKIP. */
int inbox_denied(struct inbox *in, const char *name, int err, struct problems *ps);

#endif
