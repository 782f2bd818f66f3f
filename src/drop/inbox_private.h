/*
 * inbox_private - what claim.c needs of an inbox
 */
#ifndef WAYBILL_DROP_INBOX_PRIVATE_H
#define WAYBILL_DROP_INBOX_PRIVATE_H

#include "drop/inbox.h"

const char *inbox_done(const struct inbox *in);

#endif
