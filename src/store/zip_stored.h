/*
 * zip_stored - zips whose members are stored as they are, and the manifest of all zips (private to store)
 *
 *     rc = zip_stored(fd, batch, time, members, n, problems);      END: a member is too long, nothing was written
 *
 * A batch of short files is put together in memory, written by one call and read back by one: that takes a tenth of the
 * CPU of the library, which longer ones go through.
 *
 * Errors:  as archived_fill.
 * Limits:  members shorter than ZIP_STORED_MAX, not more than ZIP_STORED_ALL together.
 * Source:  PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4; Info-ZIP's extra field 0x5455 for the time.
 */
#ifndef WAYBILL_STORE_ZIP_STORED_H
#define WAYBILL_STORE_ZIP_STORED_H

#include <time.h>

#include "base/buf.h"
#include "store/archive.h"

/* Shorter members are stored: a block of the disk is 4 KiB anyway, and deflate would be a quarter of the CPU that a
   small batch takes (measured 2026-11-22). */
#define ZIP_STORED_MAX 4096
#define ZIP_STORED_ALL (256 * 1024)

int zip_stored(int fd, const char *batch, time_t time, const struct archived_member *members, size_t n,
               struct problems *ps);

/* manifest.json, the last member of every zip of ours: one line per member. */
void manifest_add(struct buf *manifest, const struct archived_member *m, uint64_t size, const char *sha256);
void manifest_end(struct buf *manifest);
/* Whether the member is what the waybill says: STOP with ARCHIVE_DAMAGED. */
int manifest_check(const struct archived_member *m, const char *sha256, const char *path, struct problems *ps);

#endif
