/*
 * outbox - results appear whole, once, under a clean name
 *
 *     struct outbox ob;
 *     rc = outbox_open(&ob, &spool, arena, "/srv/site/outbox/ongoing", problems);
 *     outbox_name(slice_of("Müller 7/8.xml"), name);                 "M_ller_7_8.xml"
 *     rc = outbox_stage(&spool, batch, 1, &fd, problems);            work/<batch>/out.1; write it, then
 *     rc = outbox_staged(&spool, fd, &size, hash, problems);         fsync, close
 *     … the waybill lists name, size, hash: place written …
 *     rc = outbox_publish(&spool, &ob, batch, 1, name, hash, problems);
 *     rc = outbox_sync(&spool, &ob, problems);                       after the last of this outbox
 *
 * A staged output that is there is not yet visible, one that is gone has been published: recovery needs no guess, also
 * when the consumer took the file at once.
 *
 * Names:   each character that is not in [A-Za-z0-9._-] becomes one `_`; a `.` or `-` in front becomes `_`; beyond 180
 *          bytes the name is cut and the first 8 hex digits of its SHA-256 are put before the extension; nothing left:
 *          `_`.  So a name never has a slash, never leaves the outbox, never hides.
 * Durable: outbox_staged syncs the file; the folder of the batch before the waybill is written (batch.h does it);
 *          outbox_sync the outbox.
 * Errors:  OK; SKIP with OUTBOX_TAKEN (another file has the name: nothing is overwritten; try again later or set
 *          aside); TEMP with SYS_… or SPOOL_OTHER_FS; STOP with OUTBOX_DAMAGED (the staged bytes are not those of
 *          the waybill).
 * Source:  RELIABILITY.md 2.5 steps 18 to 22, 4.6.
 */
#ifndef WAYBILL_DROP_OUTBOX_H
#define WAYBILL_DROP_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/problem.h"
#include "drop/spool.h"

#define OUTBOX_NAME_MAX 180
#define OUTBOX_NAME_SIZE (OUTBOX_NAME_MAX + 1)

struct outbox {
    const char *path;
    int fd;
    unsigned mode;                  /* of published files; default 0640 */
    /* The group of published files is the folder's, or a rename would show its readers files of ours. */
    gid_t group;
    bool other_group;               /* than files of ours have by themselves */
};

/* Opens the folder, making it when it is missing (only here: at start). */
int outbox_open(struct outbox *o, const struct spool *s, struct arena *a, const char *path, struct problems *ps);
void outbox_close(struct outbox *o);

/* The clean form of a name; true when it differs from what was wanted. */
bool outbox_name(struct slice wanted, char out[OUTBOX_NAME_SIZE]);

/* Creates work/<batch>/out.<n> anew (0600) for writing and reading. */
int outbox_stage(const struct spool *s, const char *batch, unsigned n, int *fd_out, struct problems *ps);
/* Ends the writing of a staged file: its mode, fsync; tells its size and, unless `sha256` is NULL, reads it back for
   its hash. Closes fd. */
int outbox_staged(const struct spool *s, int fd, uint64_t *size_out, char *sha256, struct problems *ps);

/* work/<batch>/out.<n> becomes OUTBOX/name. OK also when it was published before. `sha256` NULL: not checked again. */
int outbox_publish(const struct spool *s, const struct outbox *o, const char *batch, unsigned n, const char *name,
                   const char *sha256, struct problems *ps);
/* Whether out.<n> is still staged. */
bool outbox_is_staged(const struct spool *s, const char *batch, unsigned n);
int outbox_sync(const struct spool *s, const struct outbox *o, struct problems *ps);

#endif
