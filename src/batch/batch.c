#include "batch/batch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave_private.h"
#include "store/archive.h"
#include "store/trash.h"

enum { BLOCK = 65536 };

/* --- time and ids ------------------------------------------------------------------------------------------------- */

static int64_t offset_minutes(const struct batch_site *s, int64_t now)
{
    return s->zone ? zone_offset(s->zone, now) : 0;
}

void batch_new_id(const struct batch_site *s, char out[BATCH_ID_SIZE])
{
    int64_t now = clock_now(s->clock);
    spool_id(s->spool, now + offset_minutes(s, now) * 60, out);
}

struct slice batch_stamp_at(const struct batch_site *s, struct arena *a, int64_t now)
{
    int32_t year, month, day;
    if (s->zone)
        return zone_stamp(a, s->zone, now);
    date_from_days(now / 86400, &year, &month, &day);
    int rest = (int)(now % 86400);
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d+00:00", year, month, day, rest / 3600, rest / 60 % 60,
                        rest % 60);
}

struct slice batch_stamp(const struct batch_site *s, struct arena *a)
{
    return batch_stamp_at(s, a, clock_now(s->clock));
}

struct slice batch_stamp_in(const struct batch_site *s, struct arena *a, int64_t ms)
{
    return batch_stamp_at(s, a, clock_now(s->clock) + (ms + 999) / 1000);
}

int64_t batch_until_ms(const struct batch_site *s, struct slice stamp)
{
    int64_t at, now = clock_now(s->clock);
    return batch_seconds(stamp, &at) && at > now ? (at - now) * 1000 : 0;
}

bool batch_seconds(struct slice stamp, int64_t *out)
{
    struct date_parts p;
    if (!date_parse(stamp, &p) || !p.has_date || !p.has_time || !p.has_offset)
        return false;
    *out = date_days(p.year, p.month, p.day) * 86400 + p.hour * 3600 + p.minute * 60 + p.second;
    *out -= (int64_t)p.offset * 60;
    return true;
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

bool batch_there(int dirfd, const char *path)
{
    struct stat st;
    /* in doubt it is: what is taken for missing may be made a second time */
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* Of an archive that was opened nothing was used when nothing of its members was. */
static bool members_unused(const struct batch_site *s, const struct waybill *w, struct arena *a)
{
    for (const struct waybill_param *m = w->members; m; m = m->next)
        if (batch_taken((void *)(uintptr_t)s, arena_cstr(a, m->name)))
            return false;
    return w->members != NULL;
}

static bool archived_unused(const struct batch_site *s, const char *id, struct arena *a, struct problems *ps)
{
    struct slice text;
    struct waybill *w;
    char file[WAYBILL_FILE_NAME];
    waybill_file_name(id, file);
    return archived_read(s->store, id, slice_of(file), 0, a, &text, ps) == OK &&
           waybill_read(a, text, file, &w, ps) == OK && (w->unused || members_unused(s, w, a));
}

/* In a group the batches are still in tmp/, which is emptied at start. */
bool batch_taken(void *owner, const char *id)
{
    const struct batch_site *s = owner;
    struct problems unsaid;
    struct arena a;
    if (!spool_id_valid(id))
        return false;
    if (batch_there(s->spool->work, id) || (s->spool->group && batch_there(s->spool->tmp, id)) || batch_afloat(s, id))
        return true;
    arena_init(&a, 0);
    problems_init(&unsaid, &a, 1);                  /* in doubt it is */
    bool archived = archived_look(s->store, id, &unsaid) != END;
    bool taken = archived ? !archived_unused(s, id, &a, &unsaid) : trash_look(s->store, id, &unsaid) != END;
    arena_release(&a);
    return taken;
}

int batch_look(int dirfd, const char *id, struct problems *ps)
{
    struct stat st;
    if (fstatat(dirfd, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return OK;
    return errno == ENOENT ? END : problem_system(ps, id, "cannot look for a batch", errno);
}

int batch_known(const struct batch_site *s, const char *id, struct problems *ps)
{
    if (!spool_id_valid(id))
        return END;
    int rc = batch_look(s->spool->work, id, ps);
    if (rc == END)
        rc = batch_look(s->spool->error, id, ps);
    if (rc == END)
        rc = archived_look(s->store, id, ps);
    if (rc == END && s->spool->group)
        rc = batch_look(s->spool->tmp, id, ps);
    return rc == END ? trash_look(s->store, id, ps) : rc;
}

struct batch *batch_make(const struct batch_site *s, struct arena *a, struct waybill *w, const char *id, int dir)
{
    struct batch *b = arena_zero(a, sizeof *b);
    *b = (struct batch){ .site = s, .arena = a, .w = w, .dir = dir, .seen_lock = -1 };
    snprintf(b->id, sizeof b->id, "%s", id);
    for (const struct waybill_output *o = w->outputs; o; o = o->next)
        b->noutputs = o->n > b->noutputs ? o->n : b->noutputs;
    return b;
}

static int unread(const struct batch_site *s, int parent, const char *id, int err, struct problems *ps)
{
    char path[SPOOL_PATH];
    struct slice where = arena_printf(ps->arena, "%s/error/%s", s->spool->path, id);
    if (parent == s->spool->work) {
        spool_path(s->spool, "work", id, path);
        where = arena_printf(ps->arena, "%s/.waybill/%s", s->spool->path, path);
    }
    return problem_system_hint(ps, where.p, "the folder of a batch cannot be opened", err,
                               "it stays there and is tried again: mend the disk, or give the folder back to the user "
                               "that waybill runs as");
}

/* The batch in one of the folders; END when it is not there. */
static int open_in(const struct batch_site *s, struct arena *a, int parent, const char *id, struct batch **out,
                   struct problems *ps)
{
    struct waybill *w;
    int dir = openat(parent, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return errno == ENOENT ? END : unread(s, parent, id, errno, ps);
    int rc = waybill_load(a, dir, id, &w, ps);
    if (rc == OK)
        *out = batch_make(s, a, w, id, dir);
    else
        close(dir);
    return rc;
}

int batch_open(const struct batch_site *s, struct arena *a, const char *id, struct batch **out, struct problems *ps)
{
    *out = NULL;
    if (!spool_id_valid(id))
        return END;
    int rc = open_in(s, a, s->spool->work, id, out, ps);
    if (rc != END || batch_there(s->spool->work, id))
        return rc;
    rc = open_in(s, a, s->spool->error, id, out, ps);
    /* refused messages of a good batch lie there, with a copy of its waybill */
    if (rc == OK && (*out)->w->place != PLACE_ERROR) {
        batch_close(*out);
        *out = NULL;
        rc = END;
    }
    return rc;
}

static int found(void *owner, struct waybill *w)
{
    *(struct waybill **)owner = w;
    return OK;
}

int batch_find(const struct batch_site *s, struct arena *a, const char *id, struct waybill **out, struct problems *ps)
{
    struct batch *b;
    struct slice text;
    char file[WAYBILL_FILE_NAME], path[ARCHIVED_PATH];
    int rc = batch_open(s, a, id, &b, ps);
    *out = NULL;
    if (rc == OK) {
        *out = b->w;
        batch_close(b);
        return OK;
    }
    if (rc != END || !spool_id_valid(id))
        return rc;
    rc = archived_look(s->store, id, ps);
    if (rc == END) {
        rc = batch_each_afloat(s, a, id, found, out, ps);
        return rc == OK && !*out ? END : rc;
    }
    if (rc != OK)
        return rc;
    waybill_file_name(id, file);
    rc = archived_read(s->store, id, slice_of(file), 0, a, &text, ps);
    if (rc != OK)
        return rc;
    archived_path(id, path);
    return waybill_read(a, text, path, out, ps);
}

void batch_close(struct batch *b)
{
    if (b->dir >= 0)
        close(b->dir);
    if (b->seen_lock >= 0)
        close(b->seen_lock);
    b->dir = b->seen_lock = -1;
    wave_detach(b, false, NULL);
}

void batch_folder_close(struct batch *b)
{
    if (b->dir >= 0)
        close(b->dir);
    b->dir = -1;
}

int batch_folder_open(struct batch *b, struct problems *ps)
{
    const struct spool *s = b->site->spool;
    if (b->wave || b->dir >= 0)
        return OK;
    b->dir = openat(s->work, b->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (b->dir < 0 && errno == ENOENT)              /* it was being set aside */
        b->dir = openat(s->error, b->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return b->dir >= 0 ? OK : unread(b->site, s->work, b->id, errno, ps);
}

static int by_age(const void *a, const void *b)
{
    return spool_id_compare(((const struct slice *)a)->p, ((const struct slice *)b)->p);
}

static int unlisted(const struct batch_site *s, bool error, int err, struct problems *ps)
{
    static const char what[] = "the folder of batches cannot be read";
    return error ? problem_system(ps, arena_printf(ps->arena, "%s/error", s->spool->path).p, what, err)
                 : spool_fault(s->spool, "work", "", what, err, ps);
}

int batch_each(const struct batch_site *s, bool error, int (*each)(void *owner, const char *id), void *owner,
               struct problems *ps)
{
    struct arena a;
    struct slice *names = NULL;
    size_t n = 0, cap = 0;
    int rc = OK, fd = openat(error ? s->spool->error : s->spool->work, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return unlisted(s, error, errno, ps);
    }
    int err;
    arena_init(&a, 0);
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        if (spool_id_valid(e->d_name))
            ARENA_PUSH(&a, names, n, cap) = arena_copy(&a, slice_of(e->d_name));
    }
    closedir(dir);
    if (err)
        rc = unlisted(s, error, err, ps);
    if (n)
        qsort(names, n, sizeof *names, by_age);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = each(owner, names[i].p);
    arena_release(&a);
    return rc;
}

/* --- the input ---------------------------------------------------------------------------------------------------- */

/* The whole log is nobody's business who reads one file. */
static int input_afloat(const struct batch *b, int *fd_out, struct problems *ps)
{
    struct slice bytes;
    int rc = wave_input(b, &bytes, ps);
    *fd_out = rc == OK ? memfd_create("in", MFD_CLOEXEC) : -1;
    if (rc != OK)
        return rc;
    ssize_t n = *fd_out >= 0 ? pwrite(*fd_out, bytes.p, bytes.n, 0) : -1;
    if (n == (ssize_t)bytes.n)
        return OK;
    int err = n < 0 ? errno : ENOSPC;
    if (*fd_out >= 0)
        close(*fd_out);
    *fd_out = -1;
    return problem_system(ps, b->id, "the input of the batch cannot be copied", err);
}

int batch_input(const struct batch *b, int *fd_out, struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE];
    if (b->wave)
        return input_afloat(b, fd_out, ps);
    *fd_out = openat(b->dir, "in", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd_out < 0 && errno == ENOENT) {               /* set aside: under its own name */
        outbox_name(b->w->name, name);
        *fd_out = openat(b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    return *fd_out >= 0 ? OK : problem_system(ps, b->id, "cannot open the input of the batch", errno);
}

struct slice batch_input_text(const struct batch *b)
{
    return b->wave ? b->input : slice_none();
}

/* Closes fd. */
static int check_hash(const struct batch *b, int fd, const char *what, const char *want, struct problems *ps)
{
    char bytes[BLOCK], found[SHA256_HEX];
    struct sha256 hash;
    ssize_t n;
    int rc = OK;
    sha256_init(&hash);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0)
        sha256_add(&hash, (struct slice){ bytes, (size_t)n });
    if (n < 0)
        rc = problem_system(ps, b->id, "cannot read a file of the batch", errno);
    close(fd);
    sha256_hex(&hash, found);
    if (rc != OK || strcmp(found, want) == 0)
        return rc;
    problem_addf(ps, PROBLEM_ERROR, "BATCH_DAMAGED", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "%s has SHA-256 %s, the waybill says %s", what, found, want);
    return STOP;
}

int batch_check_input(const struct batch *b, struct problems *ps)
{
    int fd, rc = batch_input(b, &fd, ps);
    return rc == OK ? check_hash(b, fd, "the input", b->w->sha256, ps) : rc;
}

int batch_check_file(const struct batch *b, const struct waybill_file *f, struct problems *ps)
{
    const char *name = arena_cstr(b->arena, f->file);
    int fd = openat(b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? check_hash(b, fd, name, f->sha256, ps)
                   : problem_system(ps, name, "cannot open a file of the batch", errno);
}

/* --- the waybill -------------------------------------------------------------------------------------------------- */

bool batch_syncs(const struct batch *b)
{
    return b->site->spool->durable && !b->site->spool->group;
}

int batch_save(struct batch *b, struct problems *ps)
{
    if (b->wave)
        return batch_land(b, ps);
    char below[SPOOL_PATH];
    int dir = batch_place(b, below);
    return waybill_save_in(b->w, dir, below, batch_syncs(b), ps);
}

int batch_place(const struct batch *b, char below[SPOOL_PATH])
{
    const struct spool *s = b->site->spool;
    *below = '\0';
    if (!s->below[0])
        return b->dir;
    spool_path(s, "work", b->id, below);
    if (faccessat(s->top, below, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT ||
        faccessat(s->top, s->below, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return s->top;
    *below = '\0';                              /* it is in tmp/ yet, or in error/ */
    return b->dir;
}

static void path_in(const char *below, const char *name, char out[SPOOL_PATH + NAME_MAX])
{
    snprintf(out, SPOOL_PATH + NAME_MAX, "%s%s%s", below, *below ? "/" : "", name);
}

int batch_open_file(const struct batch *b, const char *name, int flags, unsigned mode)
{
    char below[SPOOL_PATH], path[SPOOL_PATH + NAME_MAX];
    int dir = batch_place(b, below);
    path_in(below, name, path);
    return openat(dir, path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
}

int batch_unlink(const struct batch *b, const char *name)
{
    char below[SPOOL_PATH], path[SPOOL_PATH + NAME_MAX];
    int dir = batch_place(b, below);
    path_in(below, name, path);
    return unlinkat(dir, path, 0);
}

int batch_replace(const struct batch *b, const char *name, struct slice bytes, bool sync, struct problems *ps)
{
    char below[SPOOL_PATH];
    int dir = batch_place(b, below);
    return file_replace_in(dir, below, name, bytes, 0600, sync, ps);
}

void batch_remember(const struct batch *b, struct batch_memory *m)
{
    *m = (struct batch_memory){ .seq = b->w->seq };
    memcpy(m->prev, b->w->prev, sizeof m->prev);
    memcpy(m->check, b->w->check, sizeof m->check);
    waybill_write(b->w, &m->text);
}

void batch_recall(struct batch *b, const struct batch_memory *m, struct problems *ps)
{
    struct waybill *w;
    if (waybill_read(b->arena, arena_copy(b->arena, buf_slice(&m->text)), b->id, &w, ps) != OK)
        return;
    w->seq = m->seq;
    memcpy(w->prev, m->prev, sizeof w->prev);
    memcpy(w->check, m->check, sizeof w->check);
    b->w = w;
    b->names = NULL;
    b->last_output = NULL;
}

void batch_forget_memory(struct batch_memory *m)
{
    buf_release(&m->text);
}

void batch_note(struct batch *b, const char *what, struct slice detail)
{
    waybill_event(b->w, batch_stamp(b->site, b->arena), what, detail);
}

/* accepted, written, delivered, archived, error */
static const bool allowed[][5] = {
    [PLACE_ACCEPTED]  = { false, true, true, false, true },
    [PLACE_WRITTEN]   = { false, false, true, false, true },
    [PLACE_DELIVERED] = { false, true, true, true, true },
    [PLACE_ARCHIVED]  = { false, false, false, false, false },
    [PLACE_ERROR]     = { false, false, false, false, true },
};

int batch_move(struct batch *b, enum batch_place to, const char *detail, struct problems *ps)
{
    enum batch_place from = b->w->place;
    if (!allowed[from][to]) {
        problem_addf(ps, PROBLEM_ERROR, "BATCH_MOVE", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                     "a batch that is %s cannot become %s", place_names[from], place_names[to]);
        return STOP;
    }
    b->w->place = to;
    b->w->retry = (struct waybill_retry){ .attempts = 0 };
    b->w->waits = slice_none();
    batch_note(b, place_names[to], slice_of(detail));
    return OK;
}

int batch_wait(struct batch *b, struct slice why, struct problems *ps)
{
    b->w->waits = arena_copy(b->arena, why);
    batch_note(b, why.p ? "waits" : "goes on", why);
    return batch_save(b, ps);
}

static struct waybill_group *new_group(struct arena *a, const struct problem *p)
{
    struct waybill_group *g = arena_zero(a, sizeof *g);
    struct buf text = { 0 };
    problem_text(&text, p);
    *g = (struct waybill_group){
        .severity = p->severity, .code = arena_copy(a, slice_of(p->code)), .path = arena_copy(a, p->path),
        .text = arena_copy(a, buf_slice(&text)), .hint = arena_copy(a, p->hint),
        .file = arena_copy(a, slice_of(p->place.file)),
        .line = p->place.line, .column = p->place.column, .message = p->message, .count = p->count,
    };
    buf_release(&text);
    return g;
}

void batch_problems(struct batch *b, const struct problems *of)
{
    const struct problem *groups[WAYBILL_GROUPS];
    struct waybill_group **link = &b->w->groups;
    size_t room = WAYBILL_GROUPS, n = problems_groups(of, groups, WAYBILL_GROUPS);
    for (; *link; link = &(*link)->next)
        room -= room > 0;
    for (size_t i = 0; i < n && i < room; i++) {
        *link = new_group(b->arena, groups[i]);
        link = &(*link)->next;
    }
    b->w->more_groups += n > room ? n - room : 0;
    b->w->errors += of->errors;
    b->w->warnings += of->warnings;
    b->w->notes += of->notes;
}
