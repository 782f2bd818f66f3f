#include "store/archive.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/date.h"
#include "base/file.h"
#include "store/libarchive.h"
#include "store/trash.h"
#include "store/zip_read.h"
#include "store/zip_stored.h"

enum { BLOCK = 65536, MEMBERS_MAX = 100000, NAME_MAX_BYTES = 180, FRESH_PATH = ARCHIVED_PATH + 64 };

/* --- paths -------------------------------------------------------------------------------------------------------- */

/* yyyymmdd-hhmmss- in front. */
static bool dated(const char *batch)
{
    for (int i = 0; i < 16; i++) {
        if (i == 8 || i == 15 ? batch[i] != '-' : !isdigit((unsigned char)batch[i]))
            return false;
    }
    for (const char *c = batch + 16; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-')
            return false;
    }
    return batch[16] != '\0' && strlen(batch) < 64;
}

bool archived_path(const char *batch, char out[ARCHIVED_PATH])
{
    if (!dated(batch))
        return false;
    snprintf(out, ARCHIVED_PATH, "archive/%.4s/%.2s/%.2s/%.6s_%s.zip", batch, batch + 4, batch + 6, batch + 9, batch);
    return true;
}

bool archived_exists(const struct store *s, const char *batch)
{
    char path[ARCHIVED_PATH];
    struct stat st;
    return archived_path(batch, path) && fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

int archived_look(const struct store *s, const char *batch, struct problems *ps)
{
    char path[ARCHIVED_PATH];
    struct stat st;
    if (!archived_path(batch, path))
        return END;
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISREG(st.st_mode) ? OK
            : problem_system_hint(ps, path, "the archive of a batch is no file", S_ISLNK(st.st_mode) ? ELOOP : EINVAL,
                                  "put the zip itself there: a link is not followed");
    return errno == ENOENT ? END : problem_system(ps, path, "cannot look for the archive of a batch", errno);
}

/* The time that members carry: that of the batch's id, so that the same batch gives the same bytes. */
static time_t member_time(const char *batch)
{
    int year, month, day, hour, minute, second;
    if (sscanf(batch, "%4d%2d%2d-%2d%2d%2d", &year, &month, &day, &hour, &minute, &second) != 6)
        return 0;
    return (time_t)(date_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct zip_writer {
    struct libarchive lib;
    struct archive *zip;
    struct archive_entry *entry;
    const char *path;               /* for messages */
    time_t time;
    struct buf manifest;
    struct problems *ps;
};

static int zip_fail(struct zip_writer *w, const char *what)
{
    int err = w->lib.archive_errno(w->zip);
    const char *text = w->lib.archive_error_string(w->zip);
    if (err > 0 && err != EILSEQ)
        return problem_system(w->ps, w->path, what, err);
    problem_addf(w->ps, PROBLEM_ERROR, "SYS_IO", (struct place){ .file = w->path, .offset = PLACE_NO_OFFSET },
                 "%s: %s", what,
                 text ? text : "unknown error");
    return TEMP;
}

static int zip_begin(struct zip_writer *w, const char *name, uint64_t size)
{
    w->lib.archive_entry_clear(w->entry);
    int rc = size < ZIP_STORED_MAX ? w->lib.archive_write_zip_set_compression_store(w->zip)
                                 : w->lib.archive_write_zip_set_compression_deflate(w->zip);
    if (rc != ARCHIVE_OK)
        return zip_fail(w, "cannot write the archive");
    w->lib.archive_entry_set_pathname(w->entry, name);
    w->lib.archive_entry_set_size(w->entry, (la_int64_t)size);
    w->lib.archive_entry_set_filetype(w->entry, AE_IFREG);
    w->lib.archive_entry_set_perm(w->entry, 0600);
    w->lib.archive_entry_set_mtime(w->entry, w->time, 0);
    return w->lib.archive_write_header(w->zip, w->entry) == ARCHIVE_OK ? OK : zip_fail(w, "cannot write the archive");
}

static int zip_data(struct zip_writer *w, struct slice bytes)
{
    while (bytes.n) {
        la_ssize_t n = w->lib.archive_write_data(w->zip, bytes.p, bytes.n);
        if (n <= 0)
            return zip_fail(w, "cannot write the archive");
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return OK;
}

/* Copies exactly `size` bytes of a file; a file that shrinks or grows meanwhile is not the one that was to be kept. */
static int zip_file(struct zip_writer *w, int fd, uint64_t size, struct sha256 *hash)
{
    char bytes[BLOCK];
    uint64_t left = size;
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (uint64_t)n > left || (n == 0 && left > 0))
            return problem_system(w->ps, w->path, "cannot read what goes into the archive", n < 0 ? errno : EIO);
        if (n == 0)
            return OK;
        struct slice part = { bytes, (size_t)n };
        left -= (uint64_t)n;
        sha256_add(hash, part);
        int rc = zip_data(w, part);
        if (rc != OK)
            return rc;
    }
}

static int zip_member(struct zip_writer *w, const struct archived_member *m)
{
    struct sha256 hash;
    char sha256[SHA256_HEX];
    struct stat st = { .st_size = (off_t)m->bytes.n };
    int fd = -1;
    sha256_init(&hash);
    if (m->path) {
        fd = m->opened ? fcntl(m->dir, F_DUPFD_CLOEXEC, 0) : openat(m->dir, m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) != 0) {
            int err = errno;
            if (fd >= 0)
                close(fd);
            return problem_system(w->ps, m->path, "cannot open what goes into the archive", err);
        }
    }
    int rc = m->opened && lseek(fd, 0, SEEK_SET) != 0 ? problem_system(w->ps, m->path, "cannot be read", errno) : OK;
    if (rc == OK)
        rc = zip_begin(w, m->name, (uint64_t)st.st_size);
    if (rc == OK && fd >= 0)
        rc = zip_file(w, fd, (uint64_t)st.st_size, &hash);
    if (rc == OK && fd < 0) {
        sha256_add(&hash, m->bytes);
        rc = zip_data(w, m->bytes);
    }
    if (fd >= 0)
        close(fd);
    sha256_hex(&hash, sha256);
    if (rc == OK)
        rc = manifest_check(m, sha256, w->path, w->ps);
    if (rc == OK)
        manifest_add(&w->manifest, m, (uint64_t)st.st_size, sha256);
    return rc;
}

static int zip_all(struct zip_writer *w, int fd, const struct archived_member *members, size_t n)
{
    if (w->lib.archive_write_set_format_zip(w->zip) != ARCHIVE_OK ||
        w->lib.archive_write_set_options(w->zip, "zip:compression=deflate,zip:compression-level=1") != ARCHIVE_OK ||
        w->lib.archive_write_set_bytes_in_last_block(w->zip, 1) != ARCHIVE_OK ||
        w->lib.archive_write_open_fd(w->zip, fd) != ARCHIVE_OK)
        return zip_fail(w, "cannot begin the archive");
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = zip_member(w, &members[i]);
    if (rc != OK)
        return rc;
    manifest_end(&w->manifest);
    rc = zip_begin(w, "manifest.json", w->manifest.n);
    if (rc == OK)
        rc = zip_data(w, buf_slice(&w->manifest));
    if (rc == OK && w->lib.archive_write_close(w->zip) != ARCHIVE_OK)
        rc = zip_fail(w, "cannot end the archive");
    return rc;
}

static bool clean_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_BYTES || name[0] == '.' || strcmp(name, "manifest.json") == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
            return false;
    }
    return true;
}

static int sync_folder(const struct store *s, const char *path, struct problems *ps)
{
    int rc = OK;
    if (!s->durable || s->group)
        return OK;
    int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        rc = problem_system(ps, path, "cannot write to disk", errno);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* archive/2026/11/22, each level made durable in the one above when it is new. */
static int make_folders(const struct store *s, const char *path, struct problems *ps)
{
    static const size_t cuts[] = { 12, 15, 18 };       /* archive/yyyy  /mm  /dd */
    char folder[ARCHIVED_PATH], above[ARCHIVED_PATH] = "archive";
    for (size_t i = 0; i < 3; i++) {
        snprintf(folder, sizeof folder, "%.*s", (int)cuts[i], path);
        if (mkdirat(s->root, folder, 0700) == 0) {
            int rc = sync_folder(s, above, ps);
            if (rc != OK)
                return rc;
        } else if (errno != EEXIST) {
            if (i == 0 && errno == ENOENT)
                return problem_system_hint(ps, "archive", "the folder of the archive is missing", ENOENT,
                                           "mount it or put it back; what is delivered waits for it in .waybill/work");
            return problem_system(ps, folder, "cannot make the folder", errno);
        }
        memcpy(above, folder, sizeof above);
    }
    return OK;
}

/* The temporary file, never one that somebody else – a host that was cut off – still writes into; the day's folders are
   made when they are missing. -1 with a problem. */
static int open_new(const struct store *s, const char *path, struct problems *ps)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    unlinkat(s->root, path, 0);
    int fd = openat(s->root, path, flags, 0600);
    if (fd < 0 && errno == ENOENT && !*s->fence) {
        if (make_folders(s, path, ps) != OK)
            return -1;
        fd = openat(s->root, path, flags, 0600);
    }
    if (fd < 0)
        problem_system(ps, path, "cannot write", errno);
    return fd;
}

int archived_fill(int fd, const char *batch, const struct archived_member *members, size_t n, struct problems *ps)
{
    struct zip_writer w = { .path = batch, .time = member_time(batch), .ps = ps };
    int rc = zip_stored(fd, batch, w.time, members, n, ps);
    if (rc != END)
        return rc;
    rc = libarchive_load(&w.lib, ps);
    if (rc != OK)
        return rc;
    w.zip = w.lib.archive_write_new();
    w.entry = w.lib.archive_entry_new();
    if (w.zip == NULL || w.entry == NULL)
        rc = problem_system(ps, batch, "cannot begin the archive", ENOMEM);
    else
        rc = zip_all(&w, fd, members, n);
    w.lib.archive_entry_free(w.entry);
    w.lib.archive_write_free(w.zip);
    buf_release(&w.manifest);
    if (rc == OK)
        rc = lseek(fd, 0, SEEK_SET) == 0 ? zip_check_fd(fd, batch, ps)
                                         : problem_system(ps, batch, "the archive cannot be read again", errno);
    return rc;
}

/* The temporary name: beside the final one, or behind the fence. */
static void fresh_path(const struct store *s, const char *path, char out[FRESH_PATH])
{
    if (*s->fence)
        snprintf(out, FRESH_PATH, ".waybill/%s%s.new", s->fence, path + 19);
    else
        snprintf(out, FRESH_PATH, "%.18s/.%s.new", path, path + 19);
}

int archived_begin(const struct store *s, const char *batch, const struct archived_member *members, size_t n,
                   int *fd_out, struct problems *ps)
{
    char path[ARCHIVED_PATH], fresh[FRESH_PATH];
    bool good = archived_path(batch, path) && n <= MEMBERS_MAX;
    *fd_out = -1;
    for (size_t i = 0; good && i < n; i++)
        good = clean_name(members[i].name);
    if (!good) {
        problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_NAME", (struct place){ .offset = PLACE_NO_OFFSET },
                     "the batch %s cannot be archived: its id or a member's name is none of ours, or there are too many",
                     batch);
        return STOP;
    }
    if (archived_exists(s, batch) && zip_good(s, path))
        return END;
    if (*s->fence && make_folders(s, path, ps) != OK)
        return TEMP;
    fresh_path(s, path, fresh);
    *fd_out = open_new(s, fresh, ps);
    return *fd_out < 0 ? TEMP : OK;
}

int archived_end(const struct store *s, const char *batch, int fd, int status, struct problems *ps)
{
    char path[ARCHIVED_PATH], fresh[FRESH_PATH];
    int rc = status;
    archived_path(batch, path);
    fresh_path(s, path, fresh);
    if (rc == OK && s->durable && !s->group && fsync(fd) != 0)
        rc = problem_system(ps, path, "cannot write to disk", errno);
    if (close(fd) != 0 && rc == OK)
        rc = problem_system(ps, path, "cannot write", errno);
    if (rc == OK && renameat(s->root, fresh, s->root, path) != 0)
        rc = problem_system(ps, path, "cannot rename", errno);
    if (rc != OK) {
        unlinkat(s->root, fresh, 0);
        return rc;
    }
    return archived_settle(s, batch, ps);
}

int archived_settle(const struct store *s, const char *batch, struct problems *ps)
{
    char path[ARCHIVED_PATH], folder[ARCHIVED_PATH];
    if (!archived_path(batch, path))
        return OK;
    snprintf(folder, sizeof folder, "%.18s", path);
    return sync_folder(s, folder, ps);
}

int archived_write(const struct store *s, const char *batch, const struct archived_member *members, size_t n,
                   struct problems *ps)
{
    int fd, rc = archived_begin(s, batch, members, n, &fd, ps);
    if (rc != OK)
        return rc == END ? OK : rc;
    return archived_end(s, batch, fd, archived_fill(fd, batch, members, n, ps), ps);
}

/* --- config ------------------------------------------------------------------------------------------------------- */

/* Is it there, and will it be?  A sweep takes what is old and unused, so what is used again is made young, while no
   purge is at a step. */
static bool stays(const struct store *s, int dir, const char *hash, const struct stat *st)
{
    struct problems quiet;
    struct arena a;
    int lock, rc;
    if (time(NULL) - st->st_mtime < 24 * 3600)
        return true;
    arena_init(&a, 0);
    problems_init(&quiet, &a, 1);
    while ((rc = trash_lock(s, &lock, &quiet)) == END)
        usleep(1000);                               /* each step is short */
    arena_release(&a);
    if (rc != OK)
        return false;
    bool there = utimensat(dir, hash, NULL, 0) == 0;
    trash_unlock(lock);
    return there;
}

int config_put(const struct store *s, struct slice bytes, char hash[SHA256_HEX], struct problems *ps)
{
    struct stat st;
    sha256_of(bytes, hash);
    int dir = openat(s->root, "archive/config", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return problem_system(ps, "archive/config", "cannot open the folder", errno);
    int rc = OK;
    if (fstatat(dir, hash, &st, AT_SYMLINK_NOFOLLOW) != 0 || (uint64_t)st.st_size != bytes.n ||
        !stays(s, dir, hash, &st))
        rc = file_replace(dir, hash, bytes, 0600, s->durable, ps);
    close(dir);
    return rc;
}

/* The copy must be what its name will say: nobody looks at it again before it is needed. */
static int copy_hashed(int from, int to, const char *hash)
{
    char bytes[1 << 16], found[SHA256_HEX];
    struct sha256 h;
    ssize_t n;
    int err = lseek(from, 0, SEEK_SET) < 0 ? errno : 0;
    sha256_init(&h);
    while (!err && (n = file_read_full(from, bytes, sizeof bytes)) != 0) {
        err = n < 0 ? errno : file_write_all(to, (struct slice){ bytes, (size_t)n });
        if (!err)
            sha256_add(&h, (struct slice){ bytes, (size_t)n });
    }
    sha256_hex(&h, found);
    return err ? err : strcmp(found, hash) == 0 ? 0 : -1;
}

static int put_copy(const struct store *s, int dir, int from, const char *hash, struct problems *ps)
{
    char name[SHA256_HEX + 8];
    snprintf(name, sizeof name, ".%s.new", hash);
    int to = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = to < 0 ? errno : copy_hashed(from, to, hash);
    if (!err && s->durable && fsync(to) != 0)
        err = errno;
    if (to >= 0 && close(to) != 0 && !err)
        err = errno;
    if (!err && renameat(dir, name, dir, hash) != 0)
        err = errno;
    if (err)
        unlinkat(dir, name, 0);
    if (!err && s->durable && fsync(dir) != 0)
        err = errno;
    return err < 0 ? SKIP : err ? problem_system(ps, "archive/config", "a table cannot be kept", err) : OK;
}

int config_put_file(const struct store *s, int fd, const char *hash, uint64_t max, struct problems *ps)
{
    struct stat st;
    if (strlen(hash) != SHA256_HEX - 1 || strspn(hash, "0123456789abcdef") != SHA256_HEX - 1 || fstat(fd, &st) != 0 ||
        !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
        return SKIP;
    int dir = openat(s->root, "archive/config", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return problem_system(ps, "archive/config", "cannot open the folder", errno);
    bool there = fstatat(dir, hash, &st, AT_SYMLINK_NOFOLLOW) == 0 && stays(s, dir, hash, &st);
    int rc = there ? END : put_copy(s, dir, fd, hash, ps);
    close(dir);
    return rc;
}

const char *config_file(struct arena *a, const char *hash)
{
    return file_join(a, "archive/config", hash);
}

int config_get(const struct store *s, const char *hash, struct arena *a, struct slice *out, struct problems *ps)
{
    char found[SHA256_HEX];
    bool named = strlen(hash) == SHA256_HEX - 1 && strspn(hash, "0123456789abcdef") == SHA256_HEX - 1;
    int err = !named ? ENOENT : faccessat(s->root, config_file(a, hash), F_OK, 0) == 0 ? 0 : errno;
    if (err == ENOENT) {
        problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_MISSING", (struct place){ .offset = PLACE_NO_OFFSET },
                     "archive/config has nothing with the SHA-256 %s", hash);
        return STOP;
    }
    const char *path = file_join(a, file_join(a, s->path, "archive/config"), hash);
    int rc = file_read(a, path, 0, out, ps);
    if (rc != OK)
        return rc;
    sha256_of(*out, found);
    if (strcmp(found, hash) == 0)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_DAMAGED", (struct place){ .file = path, .offset = PLACE_NO_OFFSET },
                 "the file has SHA-256 %s, not the one that is its name", found);
    return STOP;
}
