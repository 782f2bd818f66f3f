#include "flow/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

enum { FILES_MAX = 100000 };

/* Folders that are given by a relative path are looked up where the process stands. */
static const char *from_root(struct arena *a, const char *path)
{
    char here[4096];
    return *path == '/' || !getcwd(here, sizeof here) ? arena_cstr(a, slice_of(path)) : file_join(a, here, path);
}

const char *config_path(const struct site *s, struct arena *a, const char *path)
{
    size_t n = strlen(s->dir);
    bool here = strcmp(s->dir, ".") == 0;
    if (strncmp(path, s->dir, n) == 0 && path[n] == '/')
        return arena_cstr(a, slice_of(path + n + 1));
    return here && *path != '/' ? arena_cstr(a, slice_of(path)) : from_root(a, path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct config_file *)a)->path, ((const struct config_file *)b)->path);
}

void config_manifest(const struct site *s, struct arena *a, struct buf *out)
{
    struct config_file *list = arena_alloc(a, (s->nfiles + 1) * sizeof *list);
    for (size_t i = 0; i < s->nfiles; i++) {
        list[i] = s->files[i];
        list[i].path = config_path(s, a, s->files[i].path);
    }
    qsort(list, s->nfiles, sizeof *list, by_path);
    for (size_t i = 0; i < s->nfiles; i++)
        if (!strchr(list[i].path, '\n'))
            buf_printf(out, "%s  %s\n", list[i].hash, list[i].path);
}

int config_keep(const struct store *store, const struct site *s, char hash[SHA256_HEX], struct problems *ps)
{
    struct buf text = { 0 };
    struct arena a;
    char each[SHA256_HEX];
    int rc = config_put(store, s->conf->text, each, ps);
    arena_init(&a, 0);
    for (size_t i = 0; i < s->nfiles && rc == OK; i++)
        rc = config_put(store, s->files[i].content, each, ps);
    config_manifest(s, &a, &text);
    if (rc == OK)
        rc = config_put(store, buf_slice(&text), hash, ps);
    buf_release(&text);
    arena_release(&a);
    return rc;
}

static int wrong(const char *file, size_t line, struct problems *ps)
{
    struct place place = { .file = file, .line = (uint32_t)line, .offset = PLACE_NO_OFFSET };
    problem_addf(ps, PROBLEM_ERROR, "CONFIG_MANIFEST", place, "expected `SHA256  PATH`");
    return STOP;
}

int config_read(struct arena *a, struct slice manifest, const char *file, struct config_file **out, size_t *n,
                struct problems *ps)
{
    const size_t hex = SHA256_HEX - 1;
    const char *at = manifest.p, *end = manifest.p + manifest.n;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop || (size_t)(stop - at) < hex + 3 || memcmp(at + hex, "  ", 2) != 0 || *n >= FILES_MAX ||
            memchr(at, '\0', (size_t)(stop - at)))
            return wrong(file, *n + 1, ps);
        struct config_file f = { .path = arena_cstr(a, slice_range(at + hex + 2, stop)) };
        memcpy(f.hash, at, hex);
        if (strspn(f.hash, "0123456789abcdef") != hex)
            return wrong(file, *n + 1, ps);
        ARENA_PUSH(a, *out, *n, cap) = f;
        at = stop + 1;
    }
    return OK;
}

int config_files(const struct store *store, struct arena *a, const char *hash, struct config_file **out, size_t *n,
                 struct problems *ps)
{
    struct slice text;
    *n = 0;
    int rc = config_get(store, hash, a, &text, ps);
    return rc == OK ? config_read(a, text, hash, out, n, ps) : rc;
}

int config_load(const struct store *store, struct arena *a, const char *hash, struct site_config *out,
                struct problems *ps)
{
    struct config_file *list;
    size_t n;
    *out = (struct site_config){ .conf = slice_none() };
    map_init(&out->files, a);
    int rc = config_files(store, a, hash, &list, &n, ps);
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct slice *content = arena_zero(a, sizeof *content);
        rc = config_get(store, list[i].hash, a, content, ps);
        if (rc == OK)
            map_put(&out->files, slice_of(list[i].path), content);
    }
    return rc;
}
