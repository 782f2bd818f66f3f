/*
 * archive - finished batches as zip files, and what converted them
 *
 *     rc = archived_write(store, batch, members, n, problems);         archive/2026/11/22/034431_<batch>.zip, verified
 *     rc = archived_read(store, batch, slice_of("in"), 0, arena, &bytes, problems);
 *     rc = config_put(store, bytes, hash, problems);      archive/config/<sha256>: a mapping, format or table
 *
 * The only user of libarchive in waybill; a batch of short files needs none.  (Names begin with archived_ because the
 * library owns archive_.)
 *
 * A batch id begins with its date and time, so the path follows from the id.  Member names are ASCII ([A-Za-z0-9._-]);
 * original names stand in manifest.json, the last member, with size and SHA-256 of each.  Deflate level 1 from 4 KiB
 * on, times taken from the batch id, so the same members give the same bytes.
 *
 * Durable: written under a temporary name, fsync, read back and compared with the manifest, rename, fsync of the
 *          folder: only then may work/ go.  Done again after a crash it finds a good zip in place and answers OK.
 * Owner:   bytes read live in the arena.
 * Errors:  OK; TEMP with SYS_…; STOP with ARCHIVE_DAMAGED (what is there does not match its manifest), ARCHIVE_MISSING.
 * Limits:  100,000 members, names up to 180 bytes.
 */
#ifndef WAYBILL_STORE_ARCHIVE_H
#define WAYBILL_STORE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/problem.h"
#include "store/store.h"

#define ARCHIVED_PATH 128

struct archived_member {
    const char *name;               /* in the zip: "in", "out.1", "<batch>.waybill.json" */
    struct slice original;          /* the name it had or has outside, any bytes; slice_none() = the same */
    int dir;                        /* the bytes: file `path` in folder `dir` … */
    const char *path;
    bool opened;                    /* … or `dir` is that file, open, read from its start; path is for messages */
    struct slice bytes;             /* … or, when path is NULL, these */
    const char *sha256;             /* what it must be, checked; NULL = not known yet */
};

/* "archive/2026/11/22/034431_<batch>.zip"; false when the id does not begin with date and time. */
bool archived_path(const char *batch, char out[ARCHIVED_PATH]);
/* In doubt it is not there. */
bool archived_exists(const struct store *s, const char *batch);
/* OK; END: it is not there; TEMP: that cannot be told, or what is there is no file. */
int archived_look(const struct store *s, const char *batch, struct problems *ps);
int archived_write(const struct store *s, const char *batch, const struct archived_member *members, size_t n,
                   struct problems *ps);
/*
 * The three parts of archived_write, so that another process can do the middle, which needs no name: begin gives the
 * empty file (END: a good zip is there already, nothing is left to do), fill writes and verifies it, end makes it
 * durable and gives it its name.  `status` other than OK takes the file away again and is the result.  Closes fd.
 */
int archived_begin(const struct store *s, const char *batch, const struct archived_member *members, size_t n,
                   int *fd_out, struct problems *ps);
int archived_fill(int fd, const char *batch, const struct archived_member *members, size_t n, struct problems *ps);
int archived_end(const struct store *s, const char *batch, int fd, int status, struct problems *ps);
/* Of a zip that an earlier attempt named: its name is on the disk. */
int archived_settle(const struct store *s, const char *batch, struct problems *ps);
/* One member's bytes, checked against the manifest; max 0 = 64 MiB. END when there is no such member. */
int archived_read(const struct store *s, const char *batch, struct slice member, uint64_t max, struct arena *a,
                  struct slice *out, struct problems *ps);
/* The same, written to a descriptor: for members of any size. */
int archived_extract(const struct store *s, const char *batch, struct slice member, int fd, struct problems *ps);
/* Reads the whole zip and compares each member with the manifest. */
int archived_verify(const struct store *s, const char *batch, struct problems *ps);
/* Names of the members, in order, the manifest included. */
int archived_list(const struct store *s, const char *batch, struct arena *a, struct slice **names_out, size_t *n_out,
                  struct problems *ps);
/* Every archived batch, by date; stops when `each` returns other than OK. */
int archived_each(const struct store *s, int (*each)(void *owner, const char *batch), void *owner, struct problems *ps);

/* Stores bytes under their SHA-256, once; `hash` receives it. */
int config_put(const struct store *s, struct slice bytes, char hash[SHA256_HEX], struct problems *ps);
/* The same of a file of that hash, which is read from its start: END when it is there already; SKIP when it is longer
   than max, or not of that hash. */
int config_put_file(const struct store *s, int fd, const char *hash, uint64_t max, struct problems *ps);
/* Where it lies, whether or not there is one: below the site. */
const char *config_file(struct arena *a, const char *hash);
/* STOP with ARCHIVE_MISSING or ARCHIVE_DAMAGED when it is not there or not what its name says. */
int config_get(const struct store *s, const char *hash, struct arena *a, struct slice *out, struct problems *ps);

#endif
