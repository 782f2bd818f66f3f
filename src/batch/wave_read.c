#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave_private.h"
#include "store/archive.h"

enum { HEAD = 256 };

/* What the log says of one batch. */
struct told {
    char id[BATCH_ID_SIZE];
    struct slice waybill, input, lines;         /* in the mapped log */
    bool landed;
    struct waybill *w;
    bool made;                                  /* its folder is in tmp/ */
};

struct reading {
    const struct batch_site *site;
    const char *name;
    struct arena arena;
    char *log;
    size_t size;
    struct told *told;
    unsigned n;
    bool whole;                                 /* all of its batches are there */
    struct problems *ps;
};

struct entry {
    char kind, id[BATCH_WAVE_NAME];
    unsigned slot;
    struct slice one, two;
};

/* The record at the front: false at the end, or where it does not verify. */
static bool next_record(struct slice *at, struct entry *e)
{
    char head[HEAD], hash[SHA256_HEX], found[SHA256_HEX];
    size_t n = at->n < HEAD - 1 ? at->n : HEAD - 1, one, two;
    int space = 0;
    struct sha256 h;
    const char *end = n ? memchr(at->p, '\n', n) : NULL;
    if (!end)
        return false;
    snprintf(head, sizeof head, "%.*s", (int)(end - at->p), at->p);
    if (sscanf(head, "%c %u %71s %zu %zu %n%64s", &e->kind, &e->slot, e->id, &one, &two, &space, hash) != 6 ||
        strlen(hash) != SHA256_HEX - 1 || (size_t)space + SHA256_HEX - 1 != strlen(head))
        return false;
    size_t left = at->n - (size_t)(end + 1 - at->p);
    if (one >= left || two >= left - one || end[1 + one + two] != '\n')
        return false;
    e->one = (struct slice){ end + 1, one };
    e->two = (struct slice){ end + 1 + one, two };
    sha256_init(&h);
    sha256_add(&h, (struct slice){ at->p, (size_t)space });
    sha256_add(&h, e->one);
    sha256_add(&h, e->two);
    sha256_hex(&h, found);
    at->p = e->two.p + two + 1;
    at->n = left - one - two - 1;
    return strcmp(hash, found) == 0;
}

static struct told *told_of(struct reading *r, const struct entry *e)
{
    return e->slot < r->n && strcmp(r->told[e->slot].id, e->id) == 0 ? &r->told[e->slot] : NULL;
}

static void read_log(struct reading *r)
{
    struct slice at = { r->log, r->size };
    struct entry e;
    struct told *t;
    r->told = arena_zero(&r->arena, (BATCH_WAVE + 1) * sizeof *r->told);
    while (next_record(&at, &e)) {
        if (e.kind == 'A' && !r->whole && e.slot == r->n && r->n < BATCH_WAVE && spool_id_valid(e.id)) {
            t = &r->told[r->n++];
            snprintf(t->id, sizeof t->id, "%.63s", e.id);
            t->waybill = e.one;
            t->input = e.two;
        } else if (e.kind == 'E' && e.slot == r->n) {
            r->whole = true;
        } else if (r->whole && e.kind == 'W' && (t = told_of(r, &e))) {
            t->waybill = e.one;
            t->lines = e.two;
        } else if (r->whole && e.kind == 'L' && (t = told_of(r, &e))) {
            t->landed = true;
        } else {
            return;
        }
    }
}

static int open_log(struct reading *r)
{
    char path[BATCH_WAVE_NAME + 8];
    struct stat st = { .st_size = 0 };
    snprintf(path, sizeof path, "%.71s/log", r->name);
    int fd = openat(r->site->spool->work, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        return err == ENOENT ? END : spool_fault(r->site->spool, "work", path, "a wave cannot be opened", err, r->ps);
    }
    r->size = (size_t)st.st_size;
    r->log = r->size ? mmap(NULL, r->size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    int err = errno;
    close(fd);
    if (r->log != MAP_FAILED)
        return OK;
    r->log = NULL;
    return spool_fault(r->site->spool, "work", path, "a wave cannot be read", err, r->ps);
}

static void close_log(struct reading *r)
{
    if (r->log)
        munmap(r->log, r->size);
    arena_release(&r->arena);
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

static int link_outputs(struct reading *r, const struct told *t, unsigned slot, int dir)
{
    char path[BATCH_WAVE_NAME + 32], name[32];
    for (const struct waybill_output *o = t->w->outputs; o; o = o->next) {
        snprintf(path, sizeof path, "%.71s/out.%u", r->name, slot << WAVE_OUTPUTS_BITS | o->n);
        snprintf(name, sizeof name, "out.%u", o->n);
        if (linkat(r->site->spool->work, path, dir, name, 0) != 0 && errno != ENOENT)
            return problem_system(r->ps, path, "cannot get its folder", errno);
    }
    return OK;
}

static int fill(struct reading *r, const struct told *t, unsigned slot, int dir)
{
    char file[WAYBILL_FILE_NAME];
    const struct waybill_file *lines = waybill_find_file(t->w, "lines");
    waybill_file_name(t->id, file);
    int rc = file_put(dir, "in", t->input, 0400, r->ps);
    if (rc == OK)
        rc = file_put(dir, file, t->waybill, 0600, r->ps);
    if (rc == OK && lines)
        rc = file_put(dir, arena_cstr(&r->arena, lines->file), t->lines, 0600, r->ps);
    return rc == OK ? link_outputs(r, t, slot, dir) : rc;
}

/* tmp/<batch>: what is published already has no staged output any more, as ever. */
static int make_folder(struct reading *r, struct told *t, unsigned slot)
{
    const struct spool *s = r->site->spool;
    int rc = waybill_read(&r->arena, t->waybill, t->id, &t->w, r->ps);
    if (rc != OK || t->landed)
        return rc;
    int there = batch_look(s->work, t->id, r->ps);
    if (there == END)
        there = batch_look(s->error, t->id, r->ps);
    if (there != END)
        return there;
    rc = spool_remove(s->tmp, t->id, r->ps);
    if (rc == OK && mkdirat(s->tmp, t->id, 0700) != 0)
        rc = problem_system(r->ps, t->id, "cannot make the folder of a batch", errno);
    if (rc != OK)
        return rc;
    int dir = openat(s->tmp, t->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return problem_system(r->ps, t->id, "cannot open the folder of a batch", errno);
    rc = fill(r, t, slot, dir);
    close(dir);
    t->made = rc == OK;
    return rc;
}

static void new_id(void *owner, char id[BATCH_ID_SIZE])
{
    batch_new_id(owner, id);
}

/* Of those that the log names; the others are dropped files that nobody accepted. */
static int end_claims(struct reading *r)
{
    struct spool *s = r->site->spool;
    int rc = OK, dir = openat(s->claim, r->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return errno == ENOENT ? OK : problem_system(r->ps, r->name, "cannot open the folder of claims", errno);
    for (unsigned i = 0; i < r->n && rc == OK; i++) {
        const struct told *t = &r->told[i];
        rc = claims_dispose(s, dir, t->id, arena_cstr(&r->arena, t->w->name), t->w->bytes, t->w->mtime_ns, r->ps);
    }
    close(dir);
    return rc == OK ? claims_split(s, r->name, new_id, (void *)(uintptr_t)r->site, r->ps) : rc;
}

static void tell_damage(struct reading *r, const char *what)
{
    problem_addf(r->ps, PROBLEM_ERROR, "WAYBILL_DAMAGED", (struct place){ .file = r->name, .offset = PLACE_NO_OFFSET },
                 "the log of files that were accepted together is damaged%s", what);
}

/* A log that cannot be believed: all of the wave is kept for people to see. */
static int set_aside(struct reading *r)
{
    const struct spool *s = r->site->spool;
    tell_damage(r, ": it was put into error/");
    if (renameat2(s->work, r->name, s->error, r->name, RENAME_NOREPLACE) != 0)
        return problem_system(r->ps, r->name, "cannot move to error/", errno);
    int rc = spool_sync_dir(s, s->error, "error", r->ps);
    return rc == OK ? spool_sync_dir(s, s->work, "work", r->ps) : rc;
}

/* In three steps, each on the disk before the next: folders, their names, the end of the wave. */
static int end_wave(struct reading *r)
{
    struct spool *s = r->site->spool;
    int rc = OK;
    for (unsigned i = 0; i < r->n && rc == OK; i++)
        rc = make_folder(r, &r->told[i], i);
    if (rc == OK)
        rc = spool_sync(s, r->ps);
    for (unsigned i = 0; i < r->n && rc == OK; i++)
        if (r->told[i].made)
            rc = claim_accept(s, r->told[i].id, r->ps);
    if (rc == OK)
        rc = spool_sync(s, r->ps);
    if (rc == OK)
        rc = end_claims(r);
    if (rc == OK)
        rc = spool_sync(s, r->ps);
    if (rc != OK)
        return rc;
    return r->whole ? spool_remove(s->work, r->name, r->ps) : set_aside(r);
}

static int end_one(const struct batch_site *s, const char *name, int (*each)(void *owner, const char *batch),
                   void *owner, struct problems *ps)
{
    struct reading r = { .site = s, .name = name, .ps = ps };
    bool group = s->spool->group;
    arena_init(&r.arena, 0);
    int rc = open_log(&r);
    if (rc == OK || rc == END) {                /* END: all but the folder itself was removed */
        r.whole = rc == END;
        if (rc == OK)
            read_log(&r);
        s->spool->group = true;
        rc = end_wave(&r);
        s->spool->group = group;
    }
    for (unsigned i = 0; each && i < r.n && rc == OK; i++)
        rc = each(owner, r.told[i].id);
    close_log(&r);
    return rc;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int list_waves(int parent, struct arena *a, struct slice **names, size_t *n, struct problems *ps)
{
    size_t cap = 0;
    int err = 0, fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *names = NULL;
    *n = 0;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return problem_system(ps, "work", "cannot read the folder", errno);
    }
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;)
        if (batch_wave_name(e->d_name))
            ARENA_PUSH(a, *names, *n, cap) = arena_copy(a, slice_of(e->d_name));
    closedir(dir);
    return err ? problem_system(ps, "work", "cannot read the folder", err) : OK;
}

static bool ended(const struct batch_site *s, const struct told *t)
{
    return t->landed || batch_there(s->spool->work, t->id) || batch_there(s->spool->error, t->id) ||
           archived_exists(s->store, t->id);
}

static int each_of(struct reading *r, struct arena *a, const char *only,
                   int (*each)(void *owner, struct waybill *w), void *owner)
{
    struct waybill *w;
    int rc = open_log(r);
    if (rc == OK)
        read_log(r);
    if (rc == OK && !r->whole)
        tell_damage(r, "");
    for (unsigned i = 0; i < r->n && rc == OK; i++) {
        const struct told *t = &r->told[i];
        if ((only && strcmp(only, t->id) != 0) || ended(r->site, t))
            continue;
        rc = waybill_read(a, t->waybill, r->name, &w, r->ps);
        if (rc == OK)
            rc = each(owner, w);
    }
    return rc == END ? OK : rc;                     /* just gone */
}

int batch_each_afloat(const struct batch_site *s, struct arena *a, const char *only,
                      int (*each)(void *owner, struct waybill *w), void *owner, struct problems *ps)
{
    struct arena own;
    struct slice *names;
    size_t n;
    arena_init(&own, 0);
    int rc = list_waves(s->spool->work, &own, &names, &n, ps), bad = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct reading r = { .site = s, .name = names[i].p, .ps = ps };
        if (only && !batch_wave_covers(names[i].p, only))
            continue;
        arena_init(&r.arena, 0);
        rc = each_of(&r, a, only, each, owner);
        close_log(&r);
        if (rc == TEMP) {                           /* the others can be read */
            bad = rc;
            rc = OK;
        }
    }
    arena_release(&own);
    return rc == OK ? bad : rc;
}

int recover_waves(const struct batch_site *s, bool (*busy)(void *owner, const char *wave),
                  int (*each)(void *owner, const char *batch), void *owner, struct problems *ps)
{
    struct arena a;
    struct slice *names;
    size_t n;
    arena_init(&a, 0);
    int rc = list_waves(s->spool->work, &a, &names, &n, ps), bad = OK, one = OK;
    for (size_t i = 0; i < n && rc == OK; i++)
        if (!busy || !busy(owner, names[i].p))
            bad = (one = end_one(s, names[i].p, each, owner, ps)) > SKIP ? one : bad;
    if (rc == OK)
        rc = list_waves(s->spool->claim, &a, &names, &n, ps);
    for (size_t i = 0; i < n && rc == OK; i++)
        if (!batch_there(s->spool->work, names[i].p) &&
            (one = claims_split(s->spool, names[i].p, new_id, (void *)(uintptr_t)s, ps)) > SKIP)
            bad = one;
    arena_release(&a);
    return rc == OK ? bad : rc;
}
