#include "store/zip_read.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "store/libarchive.h"

enum { BLOCK = 65536, MANIFEST_MAX = 32 << 20 };
static const uint64_t read_max = (uint64_t)64 << 20;

/* One member as it was read. */
struct member {
    struct slice name;
    uint64_t size;
    char sha256[SHA256_HEX];
};

struct zip {
    struct libarchive lib;
    struct archive *zip;
    struct archive_entry *entry;    /* of the member at hand; libarchive's */
    const char *path;
    struct arena arena;
    struct member *members;
    size_t n, cap;
    struct buf manifest;
    struct problems *ps;
};

static int damaged(struct zip *z, const char *what)
{
    const char *text = z->zip ? z->lib.archive_error_string(z->zip) : NULL;
    problem_addf(z->ps, PROBLEM_ERROR, "ARCHIVE_DAMAGED", (struct place){ .file = z->path, .offset = PLACE_NO_OFFSET },
                 "%s%s%s", what,
                 text ? ": " : "", text ? text : "");
    return STOP;
}

static int zip_open(struct zip *z, int fd, const char *path, struct problems *ps)
{
    *z = (struct zip){ .path = path, .ps = ps };
    arena_init(&z->arena, 0);
    int rc = libarchive_load(&z->lib, ps);
    if (rc != OK)
        return rc;
    z->zip = z->lib.archive_read_new();
    if (z->zip == NULL)
        return problem_system(ps, path, "cannot read the archive", ENOMEM);
    if (z->lib.archive_read_support_format_zip_seekable(z->zip) != ARCHIVE_OK ||
        z->lib.archive_read_open_fd(z->zip, fd, BLOCK) != ARCHIVE_OK)
        return damaged(z, "this is no zip of ours");
    return OK;
}

static void zip_close(struct zip *z)
{
    if (z->zip)
        z->lib.archive_read_free(z->zip);
    buf_release(&z->manifest);
    arena_release(&z->arena);
}

/* OK with the next member's name, END behind the last. */
static int zip_next(struct zip *z, struct slice *name)
{
    int rc = z->lib.archive_read_next_header(z->zip, &z->entry);
    if (rc == ARCHIVE_EOF)
        return END;
    const char *text = rc == ARCHIVE_OK ? z->lib.archive_entry_pathname(z->entry) : NULL;
    if (text == NULL || z->lib.archive_entry_filetype(z->entry) != AE_IFREG)
        return damaged(z, "a member cannot be read");
    *name = slice_of(text);
    return OK;
}

/* All bytes of the member at hand, to a function. */
static int zip_bytes(struct zip *z, int (*take)(void *owner, struct slice bytes), void *owner)
{
    const void *p;
    size_t n;
    la_int64_t offset, at = 0;
    for (;;) {
        int rc = z->lib.archive_read_data_block(z->zip, &p, &n, &offset);
        if (rc == ARCHIVE_EOF)
            return OK;
        if (rc != ARCHIVE_OK || offset != at)       /* ARCHIVE_WARN is a wrong checksum */
            return damaged(z, "a member is damaged");
        at += (la_int64_t)n;
        rc = take(owner, (struct slice){ p, n });
        if (rc != OK)
            return rc;
    }
}

struct hashing {
    struct zip *z;
    struct sha256 hash;
    uint64_t size;
    bool manifest;
};

static int take_hash(void *owner, struct slice bytes)
{
    struct hashing *h = owner;
    sha256_add(&h->hash, bytes);
    h->size += bytes.n;
    if (h->manifest)
        buf_add(&h->z->manifest, bytes);
    return h->manifest && h->size > MANIFEST_MAX ? damaged(h->z, "the manifest is too long") : OK;
}

/* Hashes every member; the manifest's text is kept. */
static int zip_hash_all(struct zip *z)
{
    struct slice name;
    int rc;
    while ((rc = zip_next(z, &name)) == OK) {
        struct hashing h = { .z = z, .manifest = slice_is(name, "manifest.json") };
        struct member m = { .name = arena_copy(&z->arena, name) };
        sha256_init(&h.hash);
        rc = zip_bytes(z, take_hash, &h);
        if (rc != OK)
            return rc;
        m.size = h.size;
        sha256_hex(&h.hash, m.sha256);
        ARENA_PUSH(&z->arena, z->members, z->n, z->cap) = m;
    }
    return rc == END ? OK : rc;
}

static bool listed_as(json_t *entry, const struct member *m)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    return name && sha256 && slice_is(m->name, name) && strcmp(sha256, m->sha256) == 0 &&
           (uint64_t)json_integer_value(json_object_get(entry, "size")) == m->size;
}

/* The manifest lists all the other members, in their order. */
static int zip_compare(struct zip *z)
{
    json_t *doc = json_loadb(z->manifest.p, z->manifest.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(doc, "members");
    bool good = z->n > 0 && slice_is(z->members[z->n - 1].name, "manifest.json") && json_array_size(list) == z->n - 1;
    for (size_t i = 0; good && i + 1 < z->n; i++)
        good = listed_as(json_array_get(list, i), &z->members[i]);
    json_decref(doc);
    return good ? OK : damaged(z, "the members are not those of the manifest");
}

int zip_check_fd(int fd, const char *path, struct problems *ps)
{
    struct zip z;
    int rc = zip_open(&z, fd, path, ps);
    if (rc == OK)
        rc = zip_hash_all(&z);
    if (rc == OK)
        rc = zip_compare(&z);
    zip_close(&z);
    return rc;
}

bool zip_good(const struct store *s, const char *path)
{
    struct arena a;
    struct problems quiet;
    arena_init(&a, 0);
    problems_init(&quiet, &a, 1);
    int fd = openat(s->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = fd >= 0 && zip_check_fd(fd, path, &quiet) == OK;
    if (fd >= 0)
        close(fd);
    arena_release(&a);
    return good;
}

/* --- reading members ---------------------------------------------------------------------------------------------- */

static int open_archived(const struct store *s, const char *batch, char path[ARCHIVED_PATH], int *fd,
                         struct problems *ps)
{
    *fd = archived_path(batch, path) ? openat(s->root, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    if (*fd >= 0)
        return OK;
    if (errno != ENOENT && archived_path(batch, path))
        return problem_system(ps, path, "cannot open", errno);
    struct buf shown = { 0 };
    buf_add_shown(&shown, slice_of(batch), 80);
    problem_addf(ps, PROBLEM_ERROR, "ARCHIVE_MISSING", (struct place){ .offset = PLACE_NO_OFFSET },
                 "the archive has no batch %.*s",
                 SLICE_ARG(buf_slice(&shown)));
    buf_release(&shown);
    return STOP;
}

/* Where the bytes of a member go: into a buffer or a descriptor. */
struct taking {
    struct zip *z;
    struct buf *buf;
    int fd;
    uint64_t max;
    struct sha256 hash;
    uint64_t size;
};

static int take_member(void *owner, struct slice bytes)
{
    struct taking *t = owner;
    t->size += bytes.n;
    if (t->max && t->size > t->max) {
        problem_addf(t->z->ps, PROBLEM_ERROR, "LIMIT_FILE", (struct place){ .file = t->z->path,
                                                                            .offset = PLACE_NO_OFFSET },
                     "the member is longer than %llu bytes", (unsigned long long)t->max);
        return STOP;
    }
    sha256_add(&t->hash, bytes);
    if (t->buf) {
        buf_add(t->buf, bytes);
        return OK;
    }
    int err = file_write_all(t->fd, bytes);
    return err ? problem_system(t->z->ps, t->z->path, "cannot write a member", err) : OK;
}

/* Compares what was read with the manifest, which is further on in the zip. */
static int check_member(struct zip *z, struct slice member, struct taking *t)
{
    struct member m = { .name = member, .size = t->size };
    struct slice name;
    int rc;
    bool good = false;
    sha256_hex(&t->hash, m.sha256);
    while ((rc = zip_next(z, &name)) == OK && !slice_is(name, "manifest.json"))
        continue;
    if (rc != OK)
        return rc == END ? damaged(z, "the manifest is missing") : rc;
    struct hashing h = { .z = z, .manifest = true };
    sha256_init(&h.hash);
    rc = zip_bytes(z, take_hash, &h);
    if (rc != OK)
        return rc;
    json_t *doc = json_loadb(z->manifest.p, z->manifest.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(doc, "members");
    for (size_t i = 0; !good && i < json_array_size(list); i++)
        good = listed_as(json_array_get(list, i), &m);
    json_decref(doc);
    return good ? OK : damaged(z, "the member is not what the manifest says");
}

static int read_member(const struct store *s, const char *batch, struct slice member, struct taking *t,
                       struct problems *ps)
{
    char path[ARCHIVED_PATH];
    struct zip z;
    struct slice name;
    int fd, rc = open_archived(s, batch, path, &fd, ps);
    if (rc != OK)
        return rc;
    rc = zip_open(&z, fd, path, ps);
    if (rc == OK) {
        t->z = &z;
        sha256_init(&t->hash);
        while ((rc = zip_next(&z, &name)) == OK && !slice_equal(name, member))
            continue;
    }
    if (rc == OK)
        rc = zip_bytes(&z, take_member, t);
    if (rc == OK && !slice_is(member, "manifest.json"))
        rc = check_member(&z, member, t);
    zip_close(&z);
    close(fd);
    return rc;
}

int archived_read(const struct store *s, const char *batch, struct slice member, uint64_t max, struct arena *a,
                  struct slice *out, struct problems *ps)
{
    struct buf bytes = { 0 };
    struct taking t = { .buf = &bytes, .fd = -1, .max = max ? max : read_max };
    int rc = read_member(s, batch, member, &t, ps);
    if (rc == OK)
        *out = arena_copy(a, buf_slice(&bytes));
    buf_release(&bytes);
    return rc;
}

int archived_extract(const struct store *s, const char *batch, struct slice member, int fd, struct problems *ps)
{
    struct taking t = { .fd = fd };
    return read_member(s, batch, member, &t, ps);
}

int archived_verify(const struct store *s, const char *batch, struct problems *ps)
{
    char path[ARCHIVED_PATH];
    int fd, rc = open_archived(s, batch, path, &fd, ps);
    if (rc != OK)
        return rc;
    rc = zip_check_fd(fd, path, ps);
    close(fd);
    return rc;
}

int archived_list(const struct store *s, const char *batch, struct arena *a, struct slice **names_out, size_t *n_out,
                  struct problems *ps)
{
    char path[ARCHIVED_PATH];
    struct zip z;
    struct slice name, *names = NULL;
    size_t n = 0, cap = 0;
    int fd, rc = open_archived(s, batch, path, &fd, ps);
    if (rc != OK)
        return rc;
    rc = zip_open(&z, fd, path, ps);
    while (rc == OK && (rc = zip_next(&z, &name)) == OK)
        ARENA_PUSH(a, names, n, cap) = arena_copy(a, name);
    zip_close(&z);
    close(fd);
    *names_out = names;
    *n_out = n;
    return rc == END ? OK : rc;
}

/* --- walking ------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* A plain file is no folder of ours; a link, say to where a year lies now, is one that cannot be looked into. */
static bool is_file(const struct store *s, const char *path)
{
    struct stat st;
    return fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* The names in a folder, sorted; a missing folder has none. */
static int sorted_names(const struct store *s, const char *path, struct arena *a, struct slice **out, size_t *n_out,
                        struct problems *ps)
{
    size_t cap = 0;
    *out = NULL;
    *n_out = 0;
    int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int err = errno;
        return err == ENOENT || (err == ENOTDIR && is_file(s, path))
                   ? OK : problem_system(ps, path, "cannot open the folder", err);
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return problem_system(ps, path, "cannot open the folder", errno);
    }
    int err;
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        if (isdigit((unsigned char)e->d_name[0]))
            ARENA_PUSH(a, *out, *n_out, cap) = arena_copy(a, slice_of(e->d_name));
    }
    closedir(dir);
    if (*n_out)
        qsort(*out, *n_out, sizeof **out, by_name);
    return err ? problem_system(ps, path, "cannot read the folder", err) : OK;
}

/* 034431_<batch>.zip; one that is a link, say to where it lies now, is there as well: whoever opens it tells. */
static int each_zip(const struct store *s, struct slice name, int (*each)(void *owner, const char *batch), void *owner)
{
    char batch[64], path[ARCHIVED_PATH];
    struct stat st;
    if (name.n < 12 || name.n - 11 >= sizeof batch || name.p[6] != '_' || memcmp(name.p + name.n - 4, ".zip", 4) != 0)
        return OK;
    memcpy(batch, name.p + 7, name.n - 11);
    batch[name.n - 11] = '\0';
    bool there = archived_path(batch, path) && fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return there ? each(owner, batch) : OK;
}

static int walk(const struct store *s, const char *path, int depth, int (*each)(void *owner, const char *batch),
                void *owner, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0);
    int rc = sorted_names(s, path, &a, &names, &n, ps);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (depth == 3)
            rc = each_zip(s, names[i], each, owner);
        else
            rc = walk(s, file_join(&a, path, names[i].p), depth + 1, each, owner, ps);
    }
    arena_release(&a);
    return rc;
}

int archived_each(const struct store *s, int (*each)(void *owner, const char *batch), void *owner, struct problems *ps)
{
    return walk(s, "archive", 0, each, owner, ps);
}
