/*
 * spool - the folders through which a batch passes, batch ids, and how hard each step is written
 *
 *     struct spool sp;
 *     rc = spool_open(&sp, arena, "/srv/site", true, problems);
 *     rc = lease_take(&lease, &sp, problems);              one watcher per site; gives sp.epoch
 *     spool_id(&sp, local_seconds, id);                    "20261122-034431-12-7"
 *
 *     .waybill/claim/<batch>/NAME            taken from an inbox, not accepted; companions in .with/, .from -> inbox
 *     .waybill/tmp/<batch>/                  under construction, never referred to
 *     .waybill/work/<batch>/                 a batch until its life ends
 *     .waybill/claim|tmp|work/<wave>/        the same of small files that are accepted together (batch/wave.h)
 *     error/<batch>/                         set aside: file, waybill, lines
 *
 * A site that hosts share (`shared yes`) keeps claim, tmp, work and replies below .waybill/epoch-N/, and whoever takes
 * over renames that folder and makes tmp anew: what leads to an effect – acceptance, publication, setting aside – goes
 * by the whole path (spool_path), so a host that was paused meanwhile finds its path gone and changes nothing.
 *
 * A batch id is date and time (of the site's zone), epoch, counter: only [0-9-].  It is unique by epoch and counter
 * alone: the epoch grows, durably, with each lease.
 *
 * Durable: as store.h: `durable` = each step ends on the disk; `group` = steps skip their fsyncs and the caller ends
 *          each wave (all claims | all copies | all acceptances | all publications) with spool_sync().  A wave is never
 *          mixed with the next.
 * Errors:  OK; TEMP with SYS_…; STOP with SPOOL_… for what an operator must put right.
 * Limits:  one process writes (lease.h); not for two threads, except by descriptor.
 */
#ifndef WAYBILL_DROP_SPOOL_H
#define WAYBILL_DROP_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"

#define BATCH_ID_SIZE 64            /* NUL included; real ones have about 20 characters */

struct spool {
    const char *path;               /* the site's folder, as the user named it */
    int root, top;                  /* descriptors: the site, .waybill */
    int claim, tmp, work, error;
    bool durable, group;
    unsigned taking;                /* waves under construction: what lies in tmp/ may be accepted */
    uint64_t epoch, counter;        /* of batch ids: the epoch comes from lease_take */
    char below[32];                 /* "" or "epoch-7/": where claim, tmp and work lie in .waybill */
};

#define SPOOL_PATH (BATCH_ID_SIZE + 96)

/* Opens the folders and makes those that are missing (0700). */
int spool_open(struct spool *s, struct arena *a, const char *site, bool durable, struct problems *ps);
void spool_close(struct spool *s);
/* Takes claim, tmp and work over into .waybill/epoch-<epoch>/; whoever had them before has them no more.  END: a later
   epoch has them. */
int spool_enter(struct spool *s, uint64_t epoch, struct problems *ps);
/*
 * Whether the folders are still those that stand at their paths: people move and remove them under a running watcher.
 * One that was replaced is taken over, one that is gone is told (SPOOL_GONE), once: `gone` says that one was and is.
 * STOP: the site's folder or .waybill itself, and with it the lock.
 */
int spool_keep(const struct spool *s, bool *gone, struct problems *ps);
/* "epoch-7/work/<rest>", below s->top: the path that a take-over cuts off. */
void spool_path(const struct spool *s, const char *folder, const char *rest, char out[SPOOL_PATH]);
/* problem_system for <site>/.waybill/<folder>/<rest>, where that is (rest "": the folder itself). Returns TEMP. */
int spool_fault(const struct spool *s, const char *folder, const char *rest, const char *what, int err,
                struct problems *ps);
/* The end of a wave: one syncfs. Does nothing unless durable. */
int spool_sync(const struct spool *s, struct problems *ps);

/* A new batch id; `local_seconds` = UTC seconds plus the zone's offset. */
void spool_id(struct spool *s, int64_t local_seconds, char out[BATCH_ID_SIZE]);
bool spool_id_valid(const char *id);
/* The name of a folder in error/ for what came too late, as it came: <batch>-late. */
bool spool_late(const char *name);
/* The older first, by epoch and counter, which grow whatever the clock does: …-12-7 comes before …-12-10. */
int spool_id_compare(const char *a, const char *b);

/*
 * Where the spool lies must keep what it is told: STOP with SPOOL_FS on file systems without crash-atomic rename (ext2,
 * ext4 without a journal, FAT) and on network file systems; `anyway` makes that a warning.
 */
int spool_check(const struct spool *s, bool anyway, struct problems *ps);
/* Whether files can be renamed between the spool and this folder; STOP with SPOOL_OTHER_FS when not. Writes nothing. */
int spool_reaches(const struct spool *s, const char *folder, struct problems *ps);

/* The same of an open folder, untold. */
bool spool_renames(const struct spool *s, int folder);
/* Whether they can between all folders that a batch goes through, archive and error as well; what is not there yet is
   made in the right place. */
int spool_whole(const struct spool *s, struct problems *ps);

/* One fsync of a folder when durable and not grouped; EINVAL (network file systems) is tolerated. */
int spool_sync_dir(const struct spool *s, int dirfd, const char *name, struct problems *ps);
/* Removes a folder of the spool with all it holds (two levels); a missing one is fine. */
int spool_remove(int dirfd, const char *name, struct problems *ps);

#endif
