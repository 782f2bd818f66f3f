#include "flow/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "flow/config.h"

enum { STEP_WAYBILLS = 100, STEP_FILES = 500, VERSIONS_MAX = 200000 };
#define YOUNG_SECONDS (3 * 24 * 3600)

enum where { IN_WORK, IN_ERROR, IN_ARCHIVE, REMOVE, OVER };

/* One file of archive/config that may go. */
struct version {
    char hash[SHA256_HEX];
    bool used;
    struct version *next;
};

struct sweep {
    struct arena arena;             /* holds this struct */
    const struct batch_site *places;
    struct map known;               /* versions by hash */
    struct map manifests;           /* that were read */
    struct version *first;
    enum where where;
    DIR *dir;                       /* that is being read */
    int64_t day;                    /* of the archive, looked at next */
    char path[PURGE_PATH];          /* of dir, for messages */
    char unread[PURGE_PATH];        /* a folder of the archive that cannot be read, "" = none */
};

static bool old(int dir, const char *name, struct stat *st)
{
    return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode) &&
           time(NULL) - st->st_mtime > YOUNG_SECONDS;
}

static bool is_hash(const char *name)
{
    return strlen(name) == SHA256_HEX - 1 && strspn(name, "0123456789abcdef") == SHA256_HEX - 1;
}

static void list_versions(struct sweep *s)
{
    int fd = openat(s->places->store->root, "archive/config", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    struct stat st;
    size_t n = 0;
    while (dir && n < VERSIONS_MAX && (e = file_entry(dir, &err))) {
        if (!is_hash(e->d_name) || !old(fd, e->d_name, &st))
            continue;
        struct version *v = arena_zero(&s->arena, sizeof *v);
        memcpy(v->hash, e->d_name, SHA256_HEX);
        v->next = s->first;
        s->first = v;
        map_put(&s->known, slice_of(v->hash), v);
        n++;
    }
    if (dir)
        closedir(dir);
}

struct sweep *sweep_new(const struct purge *p)
{
    struct arena a;
    arena_init(&a, 0);
    struct sweep *s = arena_zero(&a, sizeof *s);
    s->arena = a;
    s->places = p->places;
    map_init(&s->known, &s->arena);
    map_init(&s->manifests, &s->arena);
    list_versions(s);
    s->where = s->first ? IN_WORK : OVER;
    return s;
}

bool sweep_looked(const struct sweep *s)
{
    return s->known.n > 0;
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    if (s->dir)
        closedir(s->dir);
    struct arena a = s->arena;                      /* the struct lies in the arena itself */
    arena_release(&a);
}

/* --- what batches name -------------------------------------------------------------------------------------------- */

static int unsure(struct sweep *s, const char *name, struct problems *ps)
{
    problem_add(ps, &(struct problem){
        .severity = PROBLEM_NOTE, .code = "PURGE_UNSURE", .place = { .file = s->path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "what %.80s names cannot be read, so no kept mapping or table goes", name),
        .hint = SLICE("`waybill fsck` tells what is wrong with it") });
    s->where = OVER;
    return END;
}

static void use(struct sweep *s, const char *hash)
{
    struct version *v = map_get(&s->known, slice_of(hash));
    if (v)
        v->used = true;
}

/* A manifest that is gone or damaged is for fsck to tell: it names nothing that could be used.  TEMP: who knows. */
static int use_manifest(struct sweep *s, const char *hash, struct arena *a)
{
    struct config_file *list;
    struct problems quiet;
    size_t n;
    if (map_get(&s->manifests, slice_of(hash)))
        return OK;
    problems_init(&quiet, a, 1);
    int rc = config_files(s->places->store, a, hash, &list, &n, &quiet);
    if (rc == TEMP)
        return TEMP;
    for (size_t i = 0; i < n && rc == OK; i++)
        use(s, list[i].hash);
    map_put(&s->manifests, arena_copy(&s->arena, slice_of(hash)), s);
    return OK;
}

static int use_pins(struct sweep *s, const struct waybill *w, struct arena *a)
{
    int rc = OK;
    for (const struct waybill_pin *p = w->pins; p && rc == OK; p = p->next) {
        use(s, p->sha256);
        if (slice_is(p->kind, "config"))
            rc = use_manifest(s, p->sha256, a);
    }
    return rc;
}

static int read_all(int fd, struct arena *a, struct slice *out)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size > (64 << 20))
        return STOP;
    char *p = arena_alloc(a, (size_t)st.st_size + 1);
    ssize_t n = file_read_full(fd, p, (size_t)st.st_size);
    *out = (struct slice){ p, n > 0 ? (size_t)n : 0 };
    return n == st.st_size ? OK : STOP;
}

static int waybill_of(int fd, struct arena *a, struct waybill **out)
{
    struct problems quiet;
    struct slice text;
    problems_init(&quiet, a, 1);
    int rc = read_all(fd, a, &text);
    if (fd >= 0)
        close(fd);
    return rc == OK ? waybill_read(a, text, "waybill", out, &quiet) : rc;
}

/* The batch, and each of its runs that says for itself what it was done with. */
static int use_batch(struct sweep *s, int fd, struct arena *a)
{
    struct waybill *w, *run;
    struct problems quiet;
    int rc = waybill_of(fd, a, &w), with;
    if (rc > WARN)
        return rc;
    rc = use_pins(s, w, a);
    problems_init(&quiet, a, 1);
    for (const struct waybill_file *f = w->files; f && rc == OK; f = f->next) {
        if (!slice_is(f->kind, "run"))
            continue;
        rc = batch_read_file(s->places, a, arena_cstr(a, w->batch), f->file, &with, &quiet);
        if (rc == OK)
            rc = waybill_of(with, a, &run);
        if (rc != OK)
            return STOP;
        rc = use_pins(s, run, a);
    }
    return rc;
}

/* --- where they lie ----------------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name), m = strlen(tail);
    return n > m && strcmp(name + n - m, tail) == 0;
}

/* A folder of work/ or error/.  OK also for one that went meanwhile: it is met again further on. */
static int look_at_folder(struct sweep *s, const char *name, struct arena *a)
{
    char file[2 * BATCH_ID_SIZE + 32];
    struct stat st;
    if (!spool_id_valid(name))
        return OK;
    snprintf(file, sizeof file, "%s/%s.waybill.json", name, name);
    int fd = openat(dirfd(s->dir), file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && fstatat(dirfd(s->dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return OK;
    int rc = use_batch(s, fd, a);
    return rc > WARN && fstatat(dirfd(s->dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? OK : rc;
}

/* A file of a day of the archive: beside each zip, hhmmss_<batch>.zip, lies its waybill. */
static int look_at_file(struct sweep *s, const char *name, struct arena *a)
{
    char beside[320];
    size_t n = strlen(name);
    if (name[0] == '.' || n > 280)
        return OK;
    if (ends_with(name, ".zip") && n > 11) {
        snprintf(beside, sizeof beside, "%.*s.waybill.json", (int)n - 11, name + 7);
        return faccessat(dirfd(s->dir), beside, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT ? OK : STOP;
    }
    if (!ends_with(name, ".waybill.json"))
        return OK;
    return use_batch(s, openat(dirfd(s->dir), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), a);
}

/* Opens what comes next; false: that was all, or what comes next cannot be told (s->unread). */
static bool next_folder(struct sweep *s, const struct purge *p)
{
    int fd = -1;
    if (s->where == IN_WORK || s->where == IN_ERROR) {
        fd = openat(s->where == IN_WORK ? s->places->spool->work : s->places->spool->error, ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        snprintf(s->path, sizeof s->path, "%s", s->where == IN_WORK ? ".waybill/work" : "error");
    } else {
        int64_t day = purge_next_day(p, s->day, s->unread);
        if (day < 0 || s->unread[0])
            return false;
        s->day = day + 1;
        purge_day_path(day, s->path);
        fd = openat(s->places->store->root, s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    s->dir = fd >= 0 ? fdopendir(fd) : NULL;
    return true;
}

static int end_of_folder(struct sweep *s)
{
    closedir(s->dir);
    s->dir = NULL;
    if (s->where < IN_ARCHIVE)
        s->where++;
    return OK;
}

static int look_on(struct sweep *s, const struct purge *p, struct problems *ps)
{
    struct dirent *e;
    int err;
    if (!s->dir && !next_folder(s, p)) {
        if (s->unread[0])
            return unsure(s, s->unread, ps);
        s->where = REMOVE;
        return OK;
    }
    if (!s->dir)
        return problem_system(ps, s->path, "the folder cannot be read", errno);
    for (int i = 0; i < STEP_WAYBILLS; i++) {
        if ((e = file_entry(s->dir, &err)) == NULL)
            return err ? problem_system(ps, s->path, "the folder cannot be read", err) : end_of_folder(s);
        struct arena a;
        arena_init(&a, 0);
        int rc = (s->where == IN_ARCHIVE ? look_at_file : look_at_folder)(s, e->d_name, &a);
        arena_release(&a);
        if (rc > WARN)
            return unsure(s, e->d_name, ps);
    }
    return OK;
}

/* --- what goes ---------------------------------------------------------------------------------------------------- */

static int remove_some(struct sweep *s, struct purge *p, struct problems *ps)
{
    int dir = openat(s->places->store->root, "archive/config", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int err = dir < 0 ? errno : 0;
    struct stat st;
    char path[PURGE_PATH];
    for (int i = 0; s->first && i < STEP_FILES && !err; i++, s->first = s->first->next) {
        if (s->first->used || !old(dir, s->first->hash, &st))
            continue;
        snprintf(path, sizeof path, "archive/config/%s", s->first->hash);
        if (!p->terms.dry && unlinkat(dir, s->first->hash, 0) != 0 && errno != ENOENT)
            err = errno;
        purge_tell(p, path);
        p->counts.versions++;
        p->counts.bytes += (uint64_t)st.st_size;
    }
    if (dir >= 0)
        close(dir);
    if (err)
        return problem_system(ps, "archive/config", "a version that nothing needs cannot be removed", err);
    s->where = s->first ? REMOVE : OVER;
    return OK;
}

int sweep_step(struct sweep *s, struct purge *p, struct problems *ps)
{
    switch (s->where) {
    case IN_WORK: case IN_ERROR: case IN_ARCHIVE: return look_on(s, p, ps);
    case REMOVE: return remove_some(s, p, ps);
    default: return END;
    }
}
