/*
 * wave - small files that are accepted together, in one folder and one log instead of a folder for each
 *
 *     rc = batch_wave_begin(&site, first_id, n, &wave, problems);       tmp/<wave>/log, for n ids from first_id on
 *     [rc = batch_wave_copy(wave, arena, &claim, &how, &b, problems) …] content key; waybill and bytes into the log
 *     rc = batch_wave_seal(wave, problems); spool_sync
 *     rc = batch_wave_accept(wave, problems); spool_sync                work/<wave>: all of them are accepted
 *     … batch_output, batch_output_done, spool_sync, batch_written for each
 *     rc = batch_wave_write(wave, problems); spool_sync                 only then their place is written; else _spoil
 *     … batch_deliver, spool_sync, batch_zip_prepare, bundle.h, batch_zip_done for each; the folder goes with the last
 *     batch_wave_release(wave, problems);                               the maker's hold; each batch has its own
 *
 * Such a batch is afloat (b->wave): it has no folder, its outputs are staged as work/<wave>/out.<slot << 16 | n>, its
 * lines are in memory until they stand in the log.  Whatever needs a folder – refused messages, a retry, a fault –
 * calls batch_land, which makes work/<batch>/ as batch_accept would have; batch_save does so by itself.
 *
 * Log:     records, each with its SHA-256: A (waybill, input) for each batch, E (how many), then W (waybill, lines: the
 *          place is written or delivered) and L (landed) as they happen. What does not verify ends it.
 * After a crash recover_waves gives each batch that is still afloat its folder, from the log and the staged outputs;
 *          all that follows is recover_each.  Claims of a wave lie in claim/<wave>/ (inbox.h): those that the log names
 *          are accepted.
 * Durable: the log's records A before the rename that accepts; W after the outputs that it names, before one of them is
 *          visible; the folder goes when every zip, every landed folder and the end of the claims are durable.
 * Owner:   the wave lives until it is released and no batch is afloat on it.
 * Errors:  as batch.h. A log that could not be written or synced once is not written again: its batches land.
 * Limits:  BATCH_WAVE files, each of BATCH_WAVE_FILE bytes at most (they pass through memory); one process (the holder
 *          of the lease).
 */
#ifndef WAYBILL_BATCH_WAVE_H
#define WAYBILL_BATCH_WAVE_H

#include "batch/batch.h"

#define BATCH_WAVE 4096
#define BATCH_WAVE_FILE (256 * 1024)        /* bytes of a file that goes with others */
#define BATCH_WAVE_NAME (BATCH_ID_SIZE + 8)

struct batch_wave {
    const struct batch_site *site;
    struct arena arena;
    char name[BATCH_WAVE_NAME];     /* "w<n>-<first id>" */
    int log;
    uint64_t end;                   /* of what stands in the log */
    struct buf more, bytes;         /* what comes behind it; of the file at hand */
    unsigned n, left, held;         /* batches; those that still need the folder; who refers to this */
    bool accepted;
    bool bad;                       /* a write or fsync of the log failed */
    bool stays;                     /* a claim of it could not be disposed of: the next start needs the log */
};

int batch_wave_begin(const struct batch_site *s, const char *first, unsigned n, struct batch_wave **out,
                     struct problems *ps);
/* As batch_copy; SKIP: this one is to be taken by itself, since it changes or is long by now. */
int batch_wave_copy(struct batch_wave *w, struct arena *a, struct claim *c, const struct batch_accept *how,
                    struct batch **out, struct problems *ps);
int batch_wave_seal(struct batch_wave *w, struct problems *ps);
int batch_wave_accept(struct batch_wave *w, struct problems *ps);
int batch_wave_write(struct batch_wave *w, struct problems *ps);
/* What was written into its log could not be synced. */
void batch_wave_spoil(struct batch_wave *w);
void batch_wave_release(struct batch_wave *w, struct problems *ps);

/* From now on it has its folder, with its waybill as it is. OK also for one that has. */
int batch_land(struct batch *b, struct problems *ps);

/* Whether a batch may be afloat: its id is one of a wave in work/ (while one is taken: or tmp/), and it is not set
   aside. */
bool batch_afloat(const struct batch_site *s, const char *id);
/* The waybills of all batches that are afloat, as the logs have them, in the order of their coming; `only`: of one id.
   A wave that cannot be read is passed over: TEMP at the end.  Stops when `each` returns other than OK or TEMP. */
int batch_each_afloat(const struct batch_site *s, struct arena *a, const char *only,
                      int (*each)(void *owner, struct waybill *w), void *owner, struct problems *ps);
/* "w<n>-<first id>" */
bool batch_wave_name(const char *name);
/*
 * Every wave in work/ that nobody works on becomes folders of batches, claims that it named go, others become claims of
 * their own.  `busy`: whether the wave is in use; NULL = none is. `each`: told every batch; may be NULL.
 */
int recover_waves(const struct batch_site *s, bool (*busy)(void *owner, const char *wave),
                  int (*each)(void *owner, const char *batch), void *owner, struct problems *ps);

#endif
