/*
 * inbox_private - what claim.c needs of an inbox, and claim_wave.c of claim.c
 */
#ifndef WAYBILL_DROP_INBOX_PRIVATE_H
#define WAYBILL_DROP_INBOX_PRIVATE_H

#include <time.h>

#include "drop/inbox.h"

const char *inbox_done(const struct inbox *in);
/* The file may be read and not be renamed, others may: told once, and left alone for a while.  Gives SKIP. */
int inbox_denied(struct inbox *in, const char *name, int err, struct problems *ps);

int64_t claim_nanoseconds(struct timespec t);
/* Never over an existing file. 0 or errno. */
int claim_rename(int from_dir, const char *from, int to_dir, const char *to);
/* What a failed rename out of the inbox means: END, SKIP or TEMP, with its problem. After one only the folders
   tell what happened: network file systems may fail and yet have done it. */
int claim_failed(struct inbox *in, const char *name, int err, struct problems *ps);
/* Keeps a claimed file in error/<batch>-late/. */
int claim_late(struct spool *s, const char *batch, int dirfd, const char *name, struct problems *ps);
/* What lies in a folder but names that begin with a dot, sorted. */
int claim_names(int dirfd, const char *name, struct arena *a, struct slice **out, size_t *n, struct problems *ps);

#endif
