#include "drop/outbox.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/charset.h"
#include "base/file.h"
#include "drop/folder.h"

enum { BLOCK = 65536, STAGED = BATCH_ID_SIZE + 32, HASH_DIGITS = 8, EXTENSION_MAX = 16 };
enum { OUTBOX_MODE = 0640 };        /* nobody else gets into .waybill, where it is staged */

static struct place at(const char *file)
{
    return (struct place){ .file = file, .offset = PLACE_NO_OFFSET };
}

/* A link that leads nowhere is nothing that could be made. */
static int make_outbox(const struct spool *s, struct arena *a, const char *path, struct problems *ps)
{
    struct problems made;
    problems_init(&made, a, 1);
    int rc = file_make_dirs(file_join(a, s->path, path), 0770, &made);
    if (rc != OK && strcmp(made.first->code, "SYS_MISSING") == 0)
        return folder_problem(s->root, path, "the outbox", "give outbox", ENOENT, ps);
    if (rc != OK)
        return problem_add(ps, made.first), rc;
    return spool_sync(s, ps);                       /* a new folder's name must last before a file goes into it */
}

int outbox_open(struct outbox *o, const struct spool *s, struct arena *a, const char *path, struct problems *ps)
{
    *o = (struct outbox){ .path = arena_cstr(a, slice_of(path)), .fd = -1, .mode = OUTBOX_MODE };
    o->fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->fd < 0 && errno == ENOENT) {
        int rc = make_outbox(s, a, path, ps);
        if (rc != OK)
            return rc;
        o->fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (o->fd < 0)
        return folder_problem(s->root, path, "the outbox", "give outbox", errno, ps);
    struct stat st;
    if (fstat(o->fd, &st) == 0) {
        o->group = st.st_gid;
        o->other_group = st.st_gid != getegid();
    }
    int rc = spool_reaches(s, path, ps);
    if (rc != OK)
        outbox_close(o);
    return rc == STOP ? TEMP : rc;                  /* no file is to blame */
}

void outbox_close(struct outbox *o)
{
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool plain(unsigned char c)
{
    return isalnum(c) || c == '.' || c == '_' || c == '-';
}

/* One `_` for each character that is not plain; of invalid UTF-8 for each byte. */
static void clean(struct slice wanted, struct buf *out)
{
    for (size_t i = 0; i < wanted.n;) {
        unsigned char c = (unsigned char)wanted.p[i];
        size_t step = 1;
        if (c >= 0xC0) {
            struct slice rest = { wanted.p + i, wanted.n - i < 4 ? wanted.n - i : 4 };
            step = 2u + (c >= 0xE0) + (c >= 0xF0);
            rest.n = rest.n < step ? rest.n : step;
            if (rest.n < step || utf8_valid(rest) < step)
                step = 1;
        }
        buf_byte(out, c < 0x80 && plain(c) ? (char)c : '_');
        i += step;
    }
}

/* A short extension stays behind the cut: orders-3fa9c1d2.xml */
static void shorten(struct slice wanted, struct slice name, char out[OUTBOX_NAME_SIZE])
{
    char hash[SHA256_HEX];
    sha256_of(wanted, hash);
    size_t extension = 0;
    for (size_t n = 2; n <= EXTENSION_MAX && n < name.n; n++) {
        if (name.p[name.n - n] == '.') {
            extension = n;
            break;
        }
    }
    int stem = (int)(OUTBOX_NAME_MAX - HASH_DIGITS - 1 - extension);
    snprintf(out, OUTBOX_NAME_SIZE, "%.*s-%.*s%.*s", stem, name.p, HASH_DIGITS, hash, (int)extension,
             name.p + name.n - extension);
}

bool outbox_name(struct slice wanted, char out[OUTBOX_NAME_SIZE])
{
    struct buf b = { 0 };
    clean(wanted, &b);
    if (b.n == 0)
        buf_byte(&b, '_');
    if (b.p[0] == '.' || b.p[0] == '-')
        b.p[0] = '_';
    if (b.n <= OUTBOX_NAME_MAX)
        snprintf(out, OUTBOX_NAME_SIZE, "%.*s", SLICE_ARG(buf_slice(&b)));
    else
        shorten(wanted, buf_slice(&b), out);
    buf_release(&b);
    return !slice_is(wanted, out);
}

/* --- staging ------------------------------------------------------------------------------------------------------ */

static void staged_path(char out[STAGED], const char *batch, unsigned n)
{
    snprintf(out, STAGED, "%s/out.%u", batch, n);
}

/* By the whole path: a host that was cut off makes and removes nothing in the folder of another. */
int outbox_stage(const struct spool *s, const char *batch, unsigned n, int *fd_out, struct problems *ps)
{
    char path[STAGED], whole[SPOOL_PATH];
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    staged_path(path, batch, n);
    spool_path(s, "work", path, whole);
    *fd_out = openat(s->top, whole, flags, OUTBOX_MODE);
    if (*fd_out < 0 && errno == EEXIST) {
        if (unlinkat(s->top, whole, 0) != 0 && errno != ENOENT)
            return problem_system(ps, path, "cannot remove an unfinished output", errno);
        *fd_out = openat(s->top, whole, flags, OUTBOX_MODE);
    }
    return *fd_out >= 0 ? OK : problem_system(ps, path, "cannot write", errno);
}

static int hash_fd(int fd, char sha256[SHA256_HEX])
{
    char bytes[BLOCK];
    struct sha256 hash;
    ssize_t n;
    if (lseek(fd, 0, SEEK_SET) != 0)
        return errno;
    sha256_init(&hash);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0)
        sha256_add(&hash, (struct slice){ bytes, (size_t)n });
    sha256_hex(&hash, sha256);
    return n < 0 ? errno : 0;
}

int outbox_staged(const struct spool *s, int fd, uint64_t *size_out, char *sha256, struct problems *ps)
{
    struct stat st;
    int err = fstat(fd, &st) == 0 ? 0 : errno;
    *size_out = (uint64_t)st.st_size;
    if (err == 0 && s->durable && !s->group && fsync(fd) != 0)
        err = errno;
    if (err == 0 && sha256)
        err = hash_fd(fd, sha256);
    if (close(fd) != 0 && err == 0)
        err = errno;
    return err ? problem_system(ps, "an output", "cannot write", err) : OK;
}

/* --- publishing --------------------------------------------------------------------------------------------------- */

static int check_staged(const struct spool *s, const char *path, const char *name, const char *sha256,
                        struct problems *ps)
{
    char found[SHA256_HEX];
    int fd = openat(s->work, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_system(ps, path, "cannot open", errno);
    int err = hash_fd(fd, found);
    close(fd);
    if (err)
        return problem_system(ps, path, "cannot read", err);
    if (strcmp(found, sha256) == 0)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "OUTBOX_DAMAGED", at(path),
                 "the output %s has not the bytes that the waybill lists", name);
    return STOP;
}

/* The name exists: perhaps it is our own file (a rename that was done and yet failed, or two names after a crash). */
static int taken(const struct spool *s, const struct outbox *o, const char *path, const char *name, struct problems *ps)
{
    struct stat a, b;
    if (fstatat(s->work, path, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(o->fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
        a.st_ino == b.st_ino && a.st_dev == b.st_dev) {
        if (unlinkat(s->work, path, 0) == 0)
            return OK;
        return problem_system(ps, path, "cannot remove", errno);
    }
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "OUTBOX_TAKEN", .place = at(o->path),
        .text = arena_printf(ps->arena, "there is another file %s already", name),
        .hint = SLICE("it is tried again later; put {batch} into the name if several may be there at once") });
    return SKIP;
}

/* The folder is where this host believes it to be: nobody took the site over and made something else of it. */
static bool staged_is_gone(const struct spool *s, const char *path)
{
    char whole[SPOOL_PATH];
    if (faccessat(s->work, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
        return false;
    spool_path(s, "work", path, whole);
    *strrchr(whole, '/') = '\0';
    return faccessat(s->top, whole, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int publish_failed(const struct spool *s, const struct outbox *o, const char *path, const char *name, int err,
                          struct problems *ps)
{
    if (err == ENOENT && staged_is_gone(s, path))
        return OK;                              /* it was published before */
    if (err == EEXIST)
        return taken(s, o, path, name, ps);
    if (err != EXDEV)
        return problem_system(ps, o->path, "cannot publish", err);
    problem_addf(ps, PROBLEM_ERROR, "SPOOL_OTHER_FS", at(o->path),
                 "files cannot be renamed from .waybill/work into this outbox");
    return TEMP;
}

/* Where renameat2 knows no flags: link refuses an existing name as well. */
static int rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
    if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (linkat(from_dir, from, to_dir, to, 0) != 0)
        return errno;
    return unlinkat(from_dir, from, 0) == 0 ? 0 : errno;
}

int outbox_publish(const struct spool *s, const struct outbox *o, const char *batch, unsigned n, const char *name,
                   const char *sha256, struct problems *ps)
{
    char path[STAGED], whole[SPOOL_PATH], cleaned[OUTBOX_NAME_SIZE];
    staged_path(path, batch, n);
    spool_path(s, "work", path, whole);
    if (outbox_name(slice_of(name), cleaned)) {
        problem_addf(ps, PROBLEM_ERROR, "OUTBOX_DAMAGED", at(path), "the waybill names an output that no outbox takes");
        return STOP;
    }
    struct stat st = { .st_mode = 0 };
    if (fstatat(s->work, path, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return publish_failed(s, o, path, name, ENOENT, ps);
    int rc = sha256 ? check_staged(s, path, name, sha256, ps) : OK;
    if (rc != OK)
        return rc;
    if ((st.st_mode & 07777) != o->mode && fchmodat(s->work, path, o->mode, 0) != 0)
        return problem_system(ps, path, "cannot set the mode", errno);
    if (o->other_group && fchownat(s->work, path, (uid_t)-1, o->group, AT_SYMLINK_NOFOLLOW) != 0 && errno != EPERM)
        return problem_system(ps, path, "cannot set the group", errno);
    int err = rename_new(s->top, whole, o->fd, name);
    return err ? publish_failed(s, o, path, name, err, ps) : OK;
}

bool outbox_is_staged(const struct spool *s, const char *batch, unsigned n)
{
    char path[STAGED];
    struct stat st;
    staged_path(path, batch, n);
    /* in doubt it is: what is taken for published is never looked at again */
    return fstatat(s->work, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int outbox_sync(const struct spool *s, const struct outbox *o, struct problems *ps)
{
    return spool_sync_dir(s, o->fd, o->path, ps);
}
