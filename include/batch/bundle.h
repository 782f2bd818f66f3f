/*
 * bundle - archives of several batches at once, from what goes in alone: no batch is needed, so another process can
 *
 *     rc = batch_zip_prepare(b, &z, problems);                    of each batch: what goes into its zip
 *     batch_bundle_of(b, &z, &bundle)
 *     batch_bundles_archive(store, arena, bundles, n, problems);  zips, sync, their names, what lies beside, sync
 *     batch_zip_done(b, &z, problems)                             of each with status OK: it leaves work/
 *
 * Durable: a zip gets its name when its bytes are on the disk; OK when the name is, with waybill and lines beside it.
 *          A batch whose zip is good already gets what lies beside from the zip.
 * Owner:   a bundle refers to the batch's arena.
 * Errors:  `status` of each: OK; TEMP, STOP as archive.h.  A sync that fails is every bundle's: those without a name
 *          are made anew.  It is told once for each opening of the store's root: that must be the caller's own.
 * Limits:  as archive.h; a descriptor for each bundle.
 */
#ifndef WAYBILL_BATCH_BUNDLE_H
#define WAYBILL_BATCH_BUNDLE_H

#include "batch/batch.h"
#include "store/archive.h"

struct batch_bundle {
    const char *id;
    struct archived_member *members;
    size_t n;
    const char **lines;             /* names of the members that lie beside the zip, after its waybill */
    size_t nlines;
    int fd;                         /* of the unfinished zip; -1 */
    int status;
};

void batch_bundle_of(struct batch *b, const struct batch_zip *z, struct batch_bundle *out);
void batch_bundles_archive(const struct store *s, struct arena *a, struct batch_bundle *list, size_t n,
                           struct problems *ps);

#endif
