#include "flow/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/trash.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define STEP_NAMES 500
#define LOGS_MARK "logs"            /* in .waybill/purged: lines of days before this one are gone */
#define SWEPT_MARK "swept"          /* in .waybill/purged: the day of the last look for versions that nothing names */
enum { PATH = PURGE_PATH };

static int64_t today(const struct batch_site *s)
{
    int64_t now = clock_now(s->clock), local = now + (s->zone ? zone_offset(s->zone, now) * 60 : 0);
    return local >= 0 ? local / 86400 : 0;
}

void purge_begin(struct purge *p, const struct batch_site *places, const struct purge_terms *terms)
{
    *p = (struct purge){ .places = places, .terms = *terms, .today = today(places) };
}

/* The first day that is kept; a day goes when all of it is older. */
static int64_t first_kept(const struct purge *p, int64_t keep)
{
    return p->today - (keep + DAY_MS - 1) / DAY_MS;
}

void purge_tell(const struct purge *p, const char *path)
{
    if (p->terms.tell)
        p->terms.tell(p->terms.owner, path);
}

void purge_day_path(int64_t day, char out[PATH])
{
    int32_t year, month, date;
    date_from_days(day, &year, &month, &date);
    snprintf(out, PATH, "archive/%04d/%02d/%02d", year, month, date);
}

/* The archive: days in order. */

static void not_read(const char *path, int err, char unread[PATH])
{
    if (unread && err && err != ENOENT)
        snprintf(unread, PATH, "%s", path);
}

/* The smallest number among the names of a folder that is not below `least`; -1 = none. */
static int next_number(const struct purge *p, const char *path, int least, char unread[PATH])
{
    int fd = openat(p->places->store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), best = -1, err;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    if (!dir) {
        not_read(path, errno, unread);
        return -1;
    }
    while ((e = file_entry(dir, &err))) {
        char *end;
        long n = strtol(e->d_name, &end, 10);
        if (*end == '\0' && n > 0 && n < 10000 && n >= least && (best < 0 || n < best))
            best = (int)n;
    }
    closedir(dir);
    not_read(path, err, unread);
    return best;
}

/* Years and months that are over go when they are empty. */
static void remove_empty(const struct purge *p, const char *path, int64_t after)
{
    if (!p->terms.dry && p->terms.archive >= 0 && after < first_kept(p, p->terms.archive))
        unlinkat(p->places->store->root, path, AT_REMOVEDIR);
}

int64_t purge_next_day(const struct purge *p, int64_t from, char unread[PATH])
{
    char path[PATH];
    int32_t y0, m0, d0;
    if (unread)
        unread[0] = '\0';
    date_from_days(from, &y0, &m0, &d0);
    for (int year = next_number(p, "archive", y0, unread); year > 0;
         year = next_number(p, "archive", year + 1, unread)) {
        snprintf(path, sizeof path, "archive/%04d", year);
        for (int month = next_number(p, path, year > y0 ? 1 : m0, unread); month > 0 && month <= 12; ) {
            char in_month[PATH];
            snprintf(in_month, sizeof in_month, "archive/%04d/%02d", year, month);
            int date = next_number(p, in_month, year > y0 || month > m0 ? 1 : d0, unread);
            if (date > 0 && date <= 31)
                return date_days(year, month, date);
            remove_empty(p, in_month, date_days(year, month, 31));
            month = next_number(p, path, month + 1, unread);
        }
        remove_empty(p, path, date_days(year, 12, 31));
    }
    return -1;
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name), m = strlen(tail);
    return n > m && strcmp(name + n - m, tail) == 0;
}

/* What lies in a day of the archive: ids of batches, one per line; how much; when the newest zip came. */
struct day {
    struct buf ids;
    uint64_t batches, bytes;
    int64_t newest;                 /* days since 1970 */
};

static int read_day(const struct purge *p, const char *path, struct day *out, struct problems *ps)
{
    int fd = openat(p->places->store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    struct stat st;
    if (!dir)
        return problem_system(ps, path, "the folder cannot be read", errno);
    while ((e = file_entry(dir, &err))) {
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        out->bytes += (uint64_t)st.st_size;
        if (!ends_with(e->d_name, ".zip") || strlen(e->d_name) < 12 || e->d_name[0] == '.')
            continue;
        buf_printf(&out->ids, "%.*s\n", (int)strlen(e->d_name) - 11, e->d_name + 7);     /* hhmmss_<batch>.zip */
        out->batches++;
        if (st.st_mtime / 86400 > out->newest)
            out->newest = st.st_mtime / 86400;
    }
    closedir(dir);
    return err ? problem_system(ps, path, "the folder cannot be read", err) : OK;
}

/* A batch whose life was long came to the archive late: its day stays until that is old as well. */
static int purge_day(struct purge *p, int64_t day, struct problems *ps)
{
    const struct store *store = p->places->store;
    struct day d = { .newest = 0 };
    char path[PATH], stamp[64], above[16];
    int32_t year, month, date;
    purge_day_path(day, path);
    int rc = read_day(p, path, &d, ps);
    if (rc == OK && d.newest < first_kept(p, p->terms.archive)) {
        date_from_days(day, &year, &month, &date);
        snprintf(stamp, sizeof stamp, "%04d%02d%02d", year, month, date);
        snprintf(above, sizeof above, "%.15s", path);
        purge_tell(p, path);
        p->counts.days++;
        p->counts.batches += d.batches;
        p->counts.bytes += d.bytes;
        if (!p->terms.dry)
            rc = trash_note(store, stamp, buf_slice(&d.ids), ps);
        if (rc == OK && !p->terms.dry)
            rc = trash_put(store, above, path + 16, ps);
    }
    buf_release(&d.ids);
    return rc;
}

/* Once more from the beginning at the end: months that are empty now. */
static int step_archive_day(struct purge *p, struct problems *ps)
{
    int64_t day = p->terms.archive < 0 ? -1 : purge_next_day(p, p->day, NULL);
    if (day < 0 || day >= first_kept(p, p->terms.archive)) {
        if (p->terms.archive >= 0)
            purge_next_day(p, 0, NULL);
        return END;
    }
    p->day = day + 1;
    return purge_day(p, day, ps);
}

/* Lines beside the zips. */

static int64_t mark_read(const struct purge *p, const char *name)
{
    char text[24] = "", path[32];
    snprintf(path, sizeof path, "purged/%s", name);
    int fd = openat(p->places->store->top, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strtoll(text, NULL, 10);
}

static int mark_write(const struct purge *p, const char *name, int64_t day, struct problems *ps)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)day);
    int dir = openat(p->places->store->top, "purged", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0 && errno == ENOENT && mkdirat(p->places->store->top, "purged", 0700) == 0)
        dir = openat(p->places->store->top, "purged", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return problem_system(ps, "purged", "cannot open the folder", errno);
    int rc = file_replace(dir, name, (struct slice){ text, (size_t)n }, 0600, p->places->store->durable, ps);
    close(dir);
    return rc;
}

/* They are copies of what the zip holds: no detour by the trash. */
static int purge_lines(struct purge *p, int64_t day, struct problems *ps)
{
    char path[PATH], file[PATH];
    purge_day_path(day, path);
    int fd = openat(p->places->store->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    struct stat st;
    if (!dir)
        return problem_system(ps, path, "the folder cannot be read", errno);
    while ((e = file_entry(dir, &err))) {
        if (!ends_with(e->d_name, ".jsonl") || !strstr(e->d_name, ".lines.") ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(file, sizeof file, "%.40s/%.300s", path, e->d_name);
        purge_tell(p, file);
        p->counts.lines++;
        p->counts.bytes += (uint64_t)st.st_size;
        if (!p->terms.dry && unlinkat(fd, e->d_name, 0) != 0 && errno != ENOENT)
            err = errno;
    }
    closedir(dir);
    return err ? problem_system(ps, path, "lines cannot be removed", err) : OK;
}

static int logs_done(const struct purge *p, struct problems *ps)
{
    if (p->terms.dry || p->day <= mark_read(p, LOGS_MARK))
        return END;
    return mark_write(p, LOGS_MARK, p->day, ps) == OK ? END : TEMP;
}

static int step_logs_day(struct purge *p, struct problems *ps)
{
    if (p->terms.log < 0)
        return END;
    int64_t kept = first_kept(p, p->terms.log);
    if (p->day == 0)
        p->day = mark_read(p, LOGS_MARK);
    int64_t day = purge_next_day(p, p->day, NULL);
    if (day < 0 || day >= kept)
        return logs_done(p, ps);
    p->day = day + 1;
    return purge_lines(p, day, ps);
}

/* Batches that were set aside. */

struct aside {
    struct arena arena;
    const char **names;
    size_t n, cap;
};

static int64_t id_day(const char *id)
{
    int year, month, date;
    if (sscanf(id, "%4d%2d%2d-", &year, &month, &date) != 3 || month < 1 || month > 12)
        return INT64_MAX;
    return date_days(year, month, date);
}

/* By its id, and by the last change of its folder: somebody may be at it. */
static bool is_over(const struct purge *p, int error, const char *name)
{
    struct stat st;
    int64_t kept = first_kept(p, p->terms.error);
    return (spool_id_valid(name) || spool_late(name)) && id_day(name) < kept &&
           fstatat(error, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime / 86400 < kept;
}

static void tell_aside(struct purge *p, const char *name)
{
    char path[PATH];
    snprintf(path, sizeof path, "error/%.80s", name);
    purge_tell(p, path);
    p->counts.errors++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int gather(const struct purge *p, struct aside *a, struct problems *ps)
{
    int fd = openat(p->places->spool->error, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    if (!dir)
        return problem_system(ps, "error", "the folder cannot be read", errno);
    while ((e = file_entry(dir, &err)))
        if (is_over(p, fd, e->d_name))
            ARENA_PUSH(&a->arena, a->names, a->n, a->cap) = arena_cstr(&a->arena, slice_of(e->d_name));
    closedir(dir);
    if (a->n)
        qsort(a->names, a->n, sizeof *a->names, by_name);
    return err ? problem_system(ps, "error", "the folder cannot be read", err) : OK;
}

/* What came too late is no batch of its own. */
static int move_aside(struct purge *p, const char *name, struct problems *ps)
{
    char line[BATCH_ID_SIZE + 1];
    int n = snprintf(line, sizeof line, "%s\n", name), rc = OK;
    if (spool_id_valid(name))
        rc = trash_note(p->places->store, name, (struct slice){ line, (size_t)n }, ps);
    return rc == OK ? trash_put(p->places->store, "error", name, ps) : rc;
}

/* So many as a step moves; a dry run, after which they are there still, tells all at once. */
static int step_errors(struct purge *p, struct problems *ps)
{
    struct aside a = { .n = 0 };
    if (p->terms.error < 0)
        return END;
    arena_init(&a.arena, 0);
    int rc = gather(p, &a, ps);
    size_t n = p->terms.dry || a.n < STEP_NAMES ? a.n : STEP_NAMES;
    for (size_t i = 0; i < n && rc == OK; i++) {
        tell_aside(p, a.names[i]);
        if (!p->terms.dry)
            rc = move_aside(p, a.names[i], ps);
    }
    if (rc == OK && n == a.n)
        rc = END;
    arena_release(&a.arena);
    return rc;
}

/* Versions that no batch names. */

/* To read all waybills takes its time: a watcher does it once a week. */
static bool swept_lately(const struct purge *p)
{
    int64_t day = mark_read(p, SWEPT_MARK);
    return p->terms.weekly && day > 0 && p->today - day < 7 && p->today >= day;
}

static int step_versions(struct purge *p, struct problems *ps)
{
    if (!p->sweep && swept_lately(p))
        return END;
    if (!p->sweep)
        p->sweep = sweep_new(p);
    int rc = sweep_step(p->sweep, p, ps);
    if (rc == OK)
        return OK;
    bool looked = sweep_looked(p->sweep);
    purge_end(p);
    return rc == END && looked && !p->terms.dry && mark_write(p, SWEPT_MARK, p->today, ps) != OK ? TEMP : rc;
}

void purge_end(struct purge *p)
{
    sweep_free(p->sweep);
    p->sweep = NULL;
}

static int one_step(struct purge *p, struct problems *ps)
{
    switch (p->stage) {
    case PURGE_TRASH:
    case PURGE_REST: return p->terms.dry ? END : trash_empty(p->places->store, STEP_NAMES, ps);
    case PURGE_ARCHIVE: return step_archive_day(p, ps);
    case PURGE_LOGS: return step_logs_day(p, ps);
    case PURGE_ERRORS: return step_errors(p, ps);
    case PURGE_VERSIONS: return step_versions(p, ps);
    default: return END;
    }
}

int purge_step(struct purge *p, struct problems *ps)
{
    int lock, rc = trash_lock(p->places->store, &lock, ps);
    if (rc != OK)
        return rc == END ? SKIP : rc;
    rc = one_step(p, ps);
    trash_unlock(lock);
    if (rc > WARN)
        purge_end(p);
    if (rc != END)
        return rc > WARN ? TEMP : OK;
    p->stage++;
    p->day = 0;
    return p->stage >= PURGE_DONE ? END : OK;
}
