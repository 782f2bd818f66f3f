/*
 * unpack - the files in a dropped archive: zip, tar, and what gzip, xz or zstd made of one file or a tar
 *
 *     if (unpack_recognises(head)) …                                   by its first bytes, never by its name
 *     rc = unpack_run(fd, "orders.zip", &limits, take, owner, problems);
 *              take(owner, name, number, &out_fd, problems) for each member; its bytes are written to out_fd, then
 *              done(owner, number, bytes, sha256, problems)
 *
 * A member's name is a text to tell people, never a path to write to.  One thing that is wrong refuses the whole
 * archive: the caller throws away what it was given.  Only the formats named above are tried (libarchive would take
 * any text for an mtree).
 *
 * Several tars in a row are read as one; a zip behind or before another thing, a tar without the mark of its end are
 * damaged.
 *
 * Errors:  OK; STOP with UNPACK_… (damaged, encrypted, no file in it, a link or device, a name that leads away or comes
 *          twice, an archive within the archive, a limit); TEMP; what `take` and `done` return from STOP on.
 * Limits:  below; one compression, no nesting, names up to 255 bytes.
 * Source:  RELIABILITY.md 4.5.
 */
#ifndef WAYBILL_STORE_UNPACK_H
#define WAYBILL_STORE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/problem.h"

struct unpack_limits {
    uint64_t members;               /* 10,000 */
    uint64_t bytes;                 /* of all members: 1 GiB */
    uint64_t ratio;                 /* unpacked to packed, judged from 1 MiB on: 200 */
};

extern const struct unpack_limits unpack_limits_default;

struct unpack_take {
    void *owner;
    /* The descriptor to write to; unpack does not close it. */
    int (*take)(void *owner, struct slice name, size_t number, int *fd_out, struct problems *ps);
    int (*done)(void *owner, size_t number, uint64_t bytes, const char *sha256, struct problems *ps);
    /* Names that nobody means, which are told in a note; NULL = there are none.  A lone file always counts. */
    bool (*passes_over)(struct slice name);
};

#define UNPACK_HEAD 512             /* bytes that unpack_recognises may want to see */

bool unpack_recognises(struct slice head);
/* `fd` at any position, `name` as the sender gave it (for messages, and for the member of a lone .gz). */
int unpack_run(int fd, struct slice name, const struct unpack_limits *limits, const struct unpack_take *to,
               struct problems *ps);

#endif
