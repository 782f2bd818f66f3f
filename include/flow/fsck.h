/*
 * fsck - whether a site at rest keeps its promises
 *
 *     struct fsck_report r;
 *     rc = fsck_run(&places, &r, problems);          each fault is a problem with the file and what to do
 *
 * Checked: every waybill in work/, error/ and the archive (its checksum, the chain of its history, its place), the
 * input and the lines against the hashes in it, staged outputs, what is set aside; every zip against its manifest and
 * its waybill, the copy of the waybill beside it; kept mappings and formats against their names; ledgers (checksum of
 * each line, chain), sequences.  Nothing is changed and nothing repaired: recovery is `run`'s (batch/recover.h).
 *
 * Errors:  OK when all could be looked at, whatever was found (the number of errors tells); TEMP when not.  A file that
 *          somebody took out of error/ or mended there is a note: those folders are for people.
 * Source:  RELIABILITY.md 2.11.
 * Limits:  input and staged outputs of any size; other members of a zip up to 64 MiB.  While a watcher works, what it
 *          moves at that moment may look wrong.
 */
#ifndef WAYBILL_FLOW_FSCK_H
#define WAYBILL_FLOW_FSCK_H

#include "batch/batch.h"

struct fsck_report {
    uint64_t work, error, archived; /* batches */
    uint64_t ledgers, records, configs, sequences;
};

/*
 * What can be derived is made anew from waybills alone: .waybill/seen (which content was taken, by which batch) from
 * work/, error/ and the archive; entries of batches that never were go.  The caller holds the site's lease.  A batch
 * whose content is noted already is passed over, so it may be done at any time, again after a kill.
 */
struct reindex_report {
    uint64_t batches, entered, stale;
};
int fsck_reindex(const struct batch_site *s, struct reindex_report *out, struct problems *ps);

int fsck_run(const struct batch_site *s, struct fsck_report *out, struct problems *ps);

#endif
