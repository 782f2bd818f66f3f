/*
 * zip_read - reading zips that archived_write made, against their manifest
 *
 * Errors:  OK; END; STOP with ARCHIVE_DAMAGED; TEMP with SYS_….
 * Limits:  a manifest of 4 MiB.
 */
#ifndef WAYBILL_STORE_ZIP_READ_H
#define WAYBILL_STORE_ZIP_READ_H

#include "store/archive.h"

/* Reads the whole zip from the start of the descriptor and compares every member with the manifest. */
int zip_check_fd(int fd, const char *path, struct problems *ps);
/* The same for a file below the site, without a word. */
bool zip_good(const struct store *s, const char *path);

#endif
