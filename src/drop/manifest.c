#include "drop/manifest.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { MANIFESTS_MAX = 1000, BYTES_MAX = 1 << 20, BLOCK = 65536 };

void manifests_init(struct manifests *m)
{
    arena_init(&m->arena, 0);
    map_init(&m->by_name, &m->arena);
}

void manifests_release(struct manifests *m)
{
    arena_release(&m->arena);
}

static bool is_hash(struct slice line)
{
    for (size_t i = 0; i < SHA256_HEX - 1; i++) {
        if (!isxdigit((unsigned char)line.p[i]))
            return false;
    }
    return true;
}

static void add_line(struct manifests *m, struct slice line, const char *manifest, struct manifest_entry **first,
                     struct manifest_entry **last)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n < SHA256_HEX + 2 || !is_hash(line) || line.p[SHA256_HEX - 1] != ' ')
        return;
    struct slice name = { line.p + SHA256_HEX + 1, line.n - SHA256_HEX - 1 };
    if (memchr(name.p, '/', name.n) || memchr(name.p, '\0', name.n))
        return;
    struct manifest_entry *e = arena_zero(&m->arena, sizeof *e);
    memcpy(e->sha256, line.p, SHA256_HEX - 1);
    e->name = arena_cstr(&m->arena, name);
    e->manifest = manifest;
    if (*first == NULL)
        *first = e;
    else
        (*last)->next = e;
    *last = e;
    e->first = *first;
    map_put(&m->by_name, slice_of(e->name), e);
}

static void load(struct manifests *m, int dirfd, const char *name)
{
    struct stat st;
    struct manifest_entry *first = NULL, *last = NULL;
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= BYTES_MAX) {
        char *p = arena_alloc(&m->arena, (size_t)st.st_size + 1);
        const char *manifest = arena_cstr(&m->arena, slice_of(name));
        ssize_t n = file_read_full(fd, p, (size_t)st.st_size);
        const char *end = p + (n > 0 ? n : 0);
        for (const char *at = p; at < end;) {
            const char *lf = memchr(at, '\n', (size_t)(end - at));
            add_line(m, slice_range(at, lf ? lf : end), manifest, &first, &last);
            at = lf ? lf + 1 : end;
        }
    }
    close(fd);
}

void manifests_load(struct manifests *m, int dirfd, const char *pattern)
{
    size_t n = 0;
    arena_reset(&m->arena);
    map_init(&m->by_name, &m->arena);
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; n < MANIFESTS_MAX && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.' && fnmatch(pattern, e->d_name, 0) == 0) {
            load(m, fd, e->d_name);
            n++;
        }
    }
    closedir(dir);
}

const struct manifest_entry *manifests_find(const struct manifests *m, const char *name)
{
    return map_get(&m->by_name, slice_of(name));
}

bool manifest_fits(const struct manifest_entry *e, int fd)
{
    char bytes[BLOCK], found[SHA256_HEX];
    struct sha256 hash;
    ssize_t n;
    sha256_init(&hash);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0)
        sha256_add(&hash, (struct slice){ bytes, (size_t)n });
    sha256_hex(&hash, found);
    return n == 0 && strcasecmp(found, e->sha256) == 0;
}

bool manifest_last(const struct manifest_entry *e, int dirfd)
{
    struct stat st;
    for (const struct manifest_entry *other = e->first; other; other = other->next) {
        if (strcmp(other->name, e->name) != 0 && fstatat(dirfd, other->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return false;
    }
    return true;
}
