#include "store/zip_stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/file.h"
#include "base/json.h"

enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END_OF_ALL = 0x06054b50, UNIX_TIME = 0x5455 };
enum { VERSION = 20, MADE_BY = 3 };

/* --- the manifest ------------------------------------------------------------------------------------------------- */

void manifest_add(struct buf *b, const struct archived_member *m, uint64_t size, const char *sha256)
{
    buf_text(b, b->n ? ",\n" : "{\"version\":1,\"members\":[\n");
    json_open(b, '{');
    json_text(b, "name", slice_of(m->name));
    if (m->original.p) {
        struct buf shown = { 0 };
        buf_add_shown(&shown, m->original, 0);
        json_text(b, "original", buf_slice(&shown));
        buf_release(&shown);
    }
    json_number(b, "size", (int64_t)size);
    json_text(b, "sha256", slice_of(sha256));
    json_close(b, '}');
}

void manifest_end(struct buf *b)
{
    if (b->n == 0)
        buf_text(b, "{\"version\":1,\"members\":[\n");
    buf_text(b, "\n]}\n");
}

int manifest_check(const struct archived_member *m, const char *sha256, const char *path, struct problems *ps)
{
    if (!m->sha256 || !m->sha256[0] || strcmp(m->sha256, sha256) == 0)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_DAMAGED", (struct place){ .file = path, .offset = PLACE_NO_OFFSET },
                 "%s changed since the waybill was written: it has SHA-256 %s, not %s", m->name, sha256, m->sha256);
    return STOP;
}

/* --- the zip ------------------------------------------------------------------------------------------------------ */

struct stored {
    struct buf all, central, manifest;
    struct buf bytes;               /* of the member at hand */
    uint16_t members;
    uint32_t dos, unix_time;
    const char *path;               /* for messages */
    struct problems *ps;
};

static void put16(struct buf *b, unsigned n)
{
    buf_byte(b, (char)(n & 0xFF));
    buf_byte(b, (char)(n >> 8 & 0xFF));
}

static void put32(struct buf *b, uint32_t n)
{
    put16(b, n & 0xFFFF);
    put16(b, n >> 16);
}

/* From "time needed to extract" to the length of the extra field: the same in both headers. */
static void put_common(struct buf *b, const struct stored *z, uint32_t crc, uint32_t size, size_t name)
{
    put16(b, VERSION);
    put16(b, 0);
    put16(b, 0);                                    /* stored */
    put32(b, z->dos);
    put32(b, crc);
    put32(b, size);
    put32(b, size);
    put16(b, (unsigned)name);
    put16(b, 9);
}

static void put_time(struct buf *b, const struct stored *z)
{
    put16(b, UNIX_TIME);
    put16(b, 5);
    buf_byte(b, 1);
    put32(b, z->unix_time);
}

static void put_member(struct stored *z, const char *name, struct slice bytes)
{
    uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)bytes.p, (unsigned)bytes.n), at = (uint32_t)z->all.n;
    size_t n = strlen(name);
    put32(&z->all, LOCAL);
    put_common(&z->all, z, crc, (uint32_t)bytes.n, n);
    buf_text(&z->all, name);
    put_time(&z->all, z);
    buf_add(&z->all, bytes);
    put32(&z->central, CENTRAL);
    put16(&z->central, MADE_BY << 8 | VERSION);
    put_common(&z->central, z, crc, (uint32_t)bytes.n, n);
    for (int i = 0; i < 3; i++)
        put16(&z->central, 0);                      /* comment, disk, internal attributes */
    put32(&z->central, (uint32_t)(S_IFREG | 0600) << 16);
    put32(&z->central, at);
    buf_text(&z->central, name);
    put_time(&z->central, z);
    z->members++;
}

static void put_end(struct stored *z)
{
    uint32_t at = (uint32_t)z->all.n;
    buf_add(&z->all, buf_slice(&z->central));
    put32(&z->all, END_OF_ALL);
    put32(&z->all, 0);
    put16(&z->all, z->members);
    put16(&z->all, z->members);
    put32(&z->all, (uint32_t)z->central.n);
    put32(&z->all, at);
    put16(&z->all, 0);
}

/* The whole file, when it is short. A file that grows or shrinks meanwhile is not the one that was to be kept: its hash
   tells. */
static int read_short(struct stored *z, const struct archived_member *m)
{
    int fd = m->opened ? m->dir : openat(m->dir, m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_system(z->ps, m->path, "cannot open what goes into the archive", errno);
    z->bytes.n = 0;
    ssize_t n = pread(fd, buf_room(&z->bytes, ZIP_STORED_MAX), ZIP_STORED_MAX, 0);
    int err = errno;
    if (!m->opened)
        close(fd);
    if (n < 0)
        return problem_system(z->ps, z->path, "cannot read what goes into the archive", err);
    z->bytes.n = (size_t)n;
    return n < ZIP_STORED_MAX ? OK : END;
}

static int add_member(struct stored *z, const struct archived_member *m)
{
    char sha256[SHA256_HEX];
    int rc = m->path ? read_short(z, m) : m->bytes.n < ZIP_STORED_MAX ? OK : END;
    if (rc != OK || z->all.n > ZIP_STORED_ALL)
        return rc == OK ? END : rc;
    struct slice bytes = m->path ? buf_slice(&z->bytes) : m->bytes;
    sha256_of(bytes, sha256);
    put_member(z, m->name, bytes);
    manifest_add(&z->manifest, m, bytes.n, sha256);
    return manifest_check(m, sha256, z->path, z->ps);
}

/* What stands in the file is what was to be written. */
static int write_checked(struct stored *z, int fd)
{
    struct buf back = { 0 };
    int err = file_write_all(fd, buf_slice(&z->all));
    if (err)
        return problem_system(z->ps, z->path, "cannot write the archive", err);
    ssize_t n = pread(fd, buf_room(&back, z->all.n + 1), z->all.n + 1, 0);
    err = n < 0 ? errno : 0;
    bool same = n == (ssize_t)z->all.n && memcmp(back.p, z->all.p, z->all.n) == 0;
    buf_release(&back);
    if (err)
        return problem_system(z->ps, z->path, "cannot read the archive back", err);
    if (same)
        return OK;
    problem_addf(z->ps, PROBLEM_ERROR, "ARCHIVE_DAMAGED", (struct place){ .file = z->path, .offset = PLACE_NO_OFFSET },
                 "what was written reads back as something else");
    return STOP;
}

static uint32_t dos_time(time_t time)
{
    struct tm t;
    gmtime_r(&time, &t);
    uint32_t year = (uint32_t)(t.tm_year < 80 ? 0 : t.tm_year - 80);
    uint32_t date = year << 9 | (uint32_t)(t.tm_mon + 1) << 5 | (uint32_t)t.tm_mday;
    return date << 16 | (uint32_t)t.tm_hour << 11 | (uint32_t)t.tm_min << 5 | (uint32_t)t.tm_sec / 2;
}

int zip_stored(int fd, const char *batch, time_t time, const struct archived_member *members, size_t n,
               struct problems *ps)
{
    struct stored z = { .path = batch, .ps = ps, .dos = dos_time(time), .unix_time = (uint32_t)time };
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = add_member(&z, &members[i]);
    if (rc == OK) {
        manifest_end(&z.manifest);
        put_member(&z, "manifest.json", buf_slice(&z.manifest));
        put_end(&z);
        rc = write_checked(&z, fd);
    }
    buf_release(&z.all);
    buf_release(&z.central);
    buf_release(&z.manifest);
    buf_release(&z.bytes);
    return rc;
}
