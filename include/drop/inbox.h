/*
 * inbox - is a dropped file ready, and taking it exactly once
 *
 *     struct inbox *in;
 *     rc = inbox_open(arena, &spool, "inbox/orders", &ready, &in, problems);       below the site, or absolute
 *     inbox_begin(in, clock_monotonic_ms());
 *     while ((rc = inbox_next(in, &drop, problems)) == OK) {       ready files, streaming; END = the pass is over
 *         spool_id(&spool, now, id);
 *         rc = claim_take(&spool, in, &drop, id, NULL, &claim, problems);     END = somebody was faster
 *         rc = batch_accept(…, &claim, …);         layer batch: copy, waybill, acceptance, disposal
 *         claim_close(&claim);
 *     }
 *
 * A pass reads the folder by getdents and keeps nothing but one 16-byte observation per waiting file (at most 131,072;
 * those beyond wait for a later pass).  Nothing of ours is ever written in the inbox.  Never a candidate: names that
 * begin with "." or "~$", end in .part .tmp .filepart .crdownload .partial or are Thumbs.db, desktop.ini; markers and
 * manifests of the ready terms; whatever is no regular file. Those that are not regular, have several links or are too
 * large stay where they are and are reported once.
 *
 * Durable: claim_take: folder claim/<batch> before the rename (RELIABILITY 0.2 (b)).  claim_copy: claim durable before
 *          anything refers to it, then the copy.  claim_dispose needs no fsync: what comes back is disposed again.
 * Units:   monotonic milliseconds; modification times in nanoseconds.
 * Owner:   inbox: the arena, plus descriptors until inbox_close.  claim: until claim_close.
 * Errors:  OK, END, SKIP (this file cannot be taken now, see the problem), TEMP with SYS_….
 * Source:  RELIABILITY.md 2.5, 2.6, 4.1.
 */
#ifndef WAYBILL_DROP_INBOX_H
#define WAYBILL_DROP_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/problem.h"
#include "drop/spool.h"

enum ready_term {
    READY_NAME = 1 << 0,            /* not a temporary name (always held): the sender renames in */
    READY_STABLE = 1 << 1,          /* size, times and inode unchanged for stable_ms of our observation */
    READY_DONE = 1 << 2,            /* NAME + done exists */
    /* a file that fits `manifest` lists NAME with its SHA-256 ("<hex>  NAME", as sha256sum) */
    READY_MANIFEST = 1 << 3,
    READY_COMPLETE = 1 << 4,        /* the callback says so */
};

struct ready {
    unsigned terms;
    int64_t stable_ms;
    const char *done;               /* ".done" */
    const char *manifest;           /* "*.sum", a shell pattern */
    /* Is the content complete?  OK, SKIP = not yet; asked once per state of the file, after all other terms hold. */
    int (*complete)(void *owner, int fd, uint64_t size);
    void *owner;
    uint64_t max_size;              /* limits->file; 0 = none */
    const char *const *folders;     /* names of folders that belong there, NULL-terminated; NULL = none */
};

/* A ready file. */
struct drop {
    char name[256];
    uint64_t size, dev, ino;
    int64_t mtime_ns, ctime_ns;
    bool has_done;                  /* the marker goes with it */
    char manifest[256];             /* it is the last file of this manifest, which goes with it; "" = none */
};

struct inbox;

/* SKIP when the folder is not there or cannot serve (INBOX_MISSING, SPOOL_OTHER_FS …): inbox_again looks for it anew,
   and until then nothing is in it. */
int inbox_open(struct arena *a, const struct spool *s, const char *path, const struct ready *ready, struct inbox **out,
               struct problems *ps);
void inbox_close(struct inbox *in);
/* Something in it is ready and could not be taken: it may not be renamed. */
bool inbox_is_denied(const struct inbox *in);
const char *inbox_path(const struct inbox *in);
int inbox_fd(const struct inbox *in);
void inbox_begin(struct inbox *in, int64_t now_ms);
int inbox_next(struct inbox *in, struct drop *out, struct problems *ps);
/* A name that is no candidate, whatever the ready terms are. */
bool inbox_temporary(struct slice name);
/* Files seen in this pass that wait for a ready term, and in how many milliseconds the first may become stable (-1 =
   none waits so). */
size_t inbox_waiting(const struct inbox *in, int64_t *wake_ms_out);
/* Senders may rename folders away: opens what stands at the path now, when that is another folder than the open one.
   SKIP: none does, or none that files can be renamed from; that is told once. */
int inbox_again(struct inbox *in, bool *another, struct problems *ps);

/* What was taken. */
struct claim {
    char batch[BATCH_ID_SIZE];
    char name[256];
    /* path as given to inbox_open, kept in claim/<batch>/.from over a restart; "" = not known */
    char inbox[512];
    int inbox_fd;                   /* of the inbox, borrowed; -1 after a restart */
    uint64_t size, dev, ino;
    int64_t mtime_ns;
    int dir;                        /* claim/<batch> */
    int fd;                         /* the file */
    bool alone;                     /* set by a caller who knows that it has no companions */
    bool unread;                    /* it could not be opened and went back: to be tried again after a while */
    bool filled;                    /* claim_fill has copied it: set by its caller, with bytes and sha256 */
    char sha256[SHA256_HEX];        /* set by claim_copy */
    uint64_t bytes;                 /* copied */
};

/*
 * Takes a ready file: rename into claim/<batch>.  END: gone meanwhile.  SKIP: it was swapped for something else and
 * went back.  `with`: other files of the inbox that belong to it (companions), NULL-terminated, or NULL; they go first,
 * so a claim that holds the file holds them all, and go back when it is not taken.  END also when one of them is gone.
 */
int claim_take(struct spool *s, struct inbox *in, const struct drop *d, const char *batch,
               const char *const *with, struct claim *out, struct problems *ps);
/* Finds a claim again after a restart; END: the folder is empty or gone (and is removed); companions whose file was not
   taken lie in their inbox again, or in error/<batch>-late where their name is taken. */
int claim_open(struct spool *s, const char *batch, struct claim *out, struct problems *ps);
/* What a claim is, for people to see: name ("" = the file is gone, or not there yet), inbox, size, time.  Changes
   nothing and leaves nothing open; END: there is none. */
int claim_look(struct spool *s, const char *batch, struct claim *out, struct problems *ps);
void claim_close(struct claim *c);

/*
 * Makes tmp/<batch>/ anew and copies the file into it as `in` (0400), companions as `with.1` …, hashing on the way; all
 * synced. SKIP with INBOX_CHANGED when the file changed under the copy (try again later), INBOX_LARGE beyond max bytes
 * (0 = none).  dir_out, when not NULL, receives the folder, open.
 */
int claim_copy(struct spool *s, struct claim *c, uint64_t max, int *dir_out, struct problems *ps);
/*
 * A long file is copied by another process, so that nobody waits for it: begin makes the claim durable and gives an
 * empty file; claim_fill, which needs no name, copies and syncs; then claim_copy with `filled` takes what is there.
 * Without `filled`, after claim_copy_drop, it copies as ever.
 */
int claim_copy_begin(struct spool *s, struct claim *c, int *fd_out, struct problems *ps);
int claim_fill(int from, int to, uint64_t max, bool sync, uint64_t *bytes_out, char sha256_out[SHA256_HEX],
               struct problems *ps);
void claim_copy_drop(struct spool *s, const struct claim *c);
/* The companions copied, in order: original name, size, SHA-256. END behind the last. `n` from 1. */
struct claim_companion {
    char name[256], sha256[SHA256_HEX];
    uint64_t size;
};
int claim_companion(struct spool *s, const struct claim *c, size_t n, struct claim_companion *out, struct problems *ps);
/* tmp/<batch> becomes work/<batch>: the batch is accepted. */
int claim_accept(struct spool *s, const char *batch, struct problems *ps);
/*
 * Removes claim/<batch> of an accepted batch.  A file that changed since it was copied (another size or time than
 * these) is not thrown away: it moves to error/<batch>-late/ with the warning INBOX_LATE.  CLAIM_REFUSED: there is no
 * such batch, the file and what came along with it move there.
 */
#define CLAIM_REFUSED UINT64_MAX
int claim_dispose(struct spool *s, const char *batch, uint64_t size, int64_t mtime_ns, struct problems *ps);
/* The same where the file's name is known, without a look at the folder. */
int claim_dispose_named(struct spool *s, const char *batch, struct slice name, uint64_t size, int64_t mtime_ns,
                        struct problems *ps);
/*
 * Claims of a wave (batch/wave.h), in one folder claim/<wave>/, each under its own name; END, SKIP as claim_take.
 *
 *     claims_make … spool_sync [claims_take claims_read claim_close …] spool_sync, accepted, [claims_dispose …],
 *     claims_end
 *
 * claims_read gives the bytes, with hash and size in the claim; SKIP: it changed meanwhile.  Whatever is left in the
 * folder claims_split makes claims of their own, oldest first.
 */
int claims_make(struct spool *s, const struct inbox *in, const char *wave, int *dir_out, struct problems *ps);
int claims_take(struct inbox *in, const struct drop *d, int dir, const char *batch, struct claim *out,
                struct problems *ps);
int claims_read(struct claim *c, struct buf *out, struct problems *ps);
/* One that changed since goes to error/<batch>-late/. */
int claims_dispose(struct spool *s, int dir, const char *batch, const char *name, uint64_t size, int64_t mtime_ns,
                   struct problems *ps);
/* Removes the folder. */
int claims_end(struct spool *s, const char *wave, struct problems *ps);
int claims_split(struct spool *s, const char *wave, void (*new_id)(void *owner, char id[BATCH_ID_SIZE]), void *owner,
                 struct problems *ps);
/* Claims in claim/: every batch id, the oldest first; stops when `each` returns other than OK. */
int claim_each(const struct spool *s, int (*each)(void *owner, const char *batch), void *owner, struct problems *ps);

#endif
