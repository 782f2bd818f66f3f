#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/bundle.h"
#include "batch/wave_private.h"

enum { FOLDERS_MAX = 100 };

/* --- archiving ---------------------------------------------------------------------------------------------------- */

struct members {
    struct archived_member *list;
    size_t n, cap;
};

/* Stages and logs of other batches are theirs. */
static bool is_for_others(const struct waybill_file *f)
{
    return f->name.p && (slice_is(f->kind, "stage") || slice_is(f->kind, "log"));
}

/* The waybill goes in from memory, with its last place; staged outputs are gone; what begins with a dot and stages that
   the waybill does not name are unfinished. */
static bool is_member(const struct batch *b, const char *name, const char *waybill, int *err)
{
    struct stat st;
    const struct waybill_file *f = waybill_file_named(b->w, slice_of(name));
    bool staged = strncmp(name, "stage.", 6) == 0 || strncmp(name, "log.", 4) == 0 ||
                  strncmp(name, "sent.", 5) == 0;
    if (name[0] == '.' || strcmp(name, waybill) == 0 || strncmp(name, "out.", 4) == 0)
        return false;
    if (f ? is_for_others(f) : staged)
        return false;
    if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISREG(st.st_mode);
    *err = errno;
    return false;
}

/* The work folder goes after the zip: nothing that the waybill names may be missing in it. */
static int check_members(const struct batch *b, const struct members *m, struct problems *ps)
{
    size_t wanted = 1, found = 0;
    for (const struct waybill_file *f = b->w->files; f; f = f->next)
        wanted += memchr(f->file.p, '/', f->file.n) == NULL && !is_for_others(f);
    for (size_t i = 0; i < m->n; i++)
        found += strcmp(m->list[i].name, "in") == 0 || waybill_file_named(b->w, slice_of(m->list[i].name)) != NULL;
    return found >= wanted ? OK : problem_system(ps, b->id, "files of the batch are missing in its folder", ENOENT);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct archived_member *)a)->name, ((const struct archived_member *)b)->name);
}

static struct archived_member member_of(const struct batch *b, struct slice name, const struct waybill_file *f)
{
    return (struct archived_member){
        .name = name.p, .dir = b->dir, .path = name.p, .original = f ? f->name : b->w->name,
        .sha256 = f ? f->sha256 : b->w->sha256,
    };
}

/* What this process wrote is what the waybill names. */
static void list_fresh(const struct batch *b, struct members *m)
{
    ARENA_PUSH(b->arena, m->list, m->n, m->cap) = member_of(b, SLICE("in"), NULL);
    for (const struct waybill_file *f = b->w->files; f; f = f->next)
        if (memchr(f->file.p, '/', f->file.n) == NULL && !is_for_others(f))
            ARENA_PUSH(b->arena, m->list, m->n, m->cap) =
                member_of(b, slice_of(arena_cstr(b->arena, f->file)), f);
}

/* The input stands in the wave's log, the lines in memory; there is nothing else. */
static int list_afloat(const struct batch *b, struct members *m, struct problems *ps)
{
    struct slice input;
    const struct waybill_file *f = waybill_find_file(b->w, "lines");
    int rc = wave_input(b, &input, ps);
    if (rc != OK)
        return rc;
    list_fresh(b, m);
    for (size_t i = 0; i < m->n; i++) {
        struct archived_member *one = &m->list[i];
        one->bytes = f && slice_is(f->file, one->name) ? b->lines : input;
        one->path = NULL;
    }
    return m->n == 1u + (f != NULL) ? OK : problem_system(ps, b->id, "files of the batch are missing", ENOENT);
}

static int collect(const struct batch *b, const char *waybill, struct members *m, struct problems *ps)
{
    if (b->wave) {
        int rc = list_afloat(b, m, ps);
        qsort(m->list, m->n, sizeof *m->list, by_name);
        return rc;
    }
    if (b->fresh && b->brief) {
        list_fresh(b, m);
        qsort(m->list, m->n, sizeof *m->list, by_name);
        return OK;
    }
    int fd = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return problem_system(ps, b->id, "cannot read the folder of the batch", errno);
    }
    int err, fault = 0;
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        if (!is_member(b, e->d_name, waybill, &fault))
            continue;
        struct slice name = arena_copy(b->arena, slice_of(e->d_name));
        const struct waybill_file *f = waybill_file_named(b->w, name);
        struct archived_member one = member_of(b, name, f);
        if (!f && !slice_is(name, "in")) {
            one.original = slice_none();
            one.sha256 = NULL;
        }
        ARENA_PUSH(b->arena, m->list, m->n, m->cap) = one;
    }
    closedir(dir);
    if (err || fault)
        return problem_system(ps, b->id, "cannot read the folder of the batch", err ? err : fault);
    if (m->n)
        qsort(m->list, m->n, sizeof *m->list, by_name);
    return check_members(b, m, ps);
}

/* Everything but the waybill, which tells until the end that the zip is what counts. */
static int empty(int fd, DIR *dir, const char *waybill, struct problems *ps)
{
    int rc = OK, err;
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;) {
        const char *name = e->d_name;
        if (strcmp(name, waybill) == 0)
            continue;
        if (unlinkat(fd, name, 0) != 0 && errno != ENOENT)
            rc = errno == EISDIR || errno == EPERM ? spool_remove(fd, name, ps)
                                                   : problem_system(ps, name, "cannot remove", errno);
    }
    if (rc == OK && unlinkat(fd, waybill, 0) != 0 && errno != ENOENT)
        rc = problem_system(ps, waybill, "cannot remove", errno);
    return rc;
}

/* A crash in between leaves a batch that is delivered and whose zip is good, or a folder without waybill
   (recover.h). */
int batch_remove(const struct spool *s, const char *id, struct problems *ps)
{
    char waybill[WAYBILL_FILE_NAME];
    waybill_file_name(id, waybill);
    int fd = openat(s->work, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, id, "cannot open the folder of a batch", errno);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return problem_system(ps, id, "cannot read the folder of a batch", errno);
    }
    int rc = empty(fd, dir, waybill, ps);
    closedir(dir);
    if (rc == OK && unlinkat(s->work, id, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = problem_system(ps, id, "cannot remove the folder of an archived batch", errno);
    return rc;
}

/* What the waybill names goes without a look at the folder; whatever else is there the slow way. */
int batch_leave(struct batch *b, struct problems *ps)
{
    char waybill[WAYBILL_FILE_NAME];
    if (b->wave) {
        wave_detach(b, true, ps);
        return OK;
    }
    if (!b->fresh || !b->brief)
        return batch_remove(b->site->spool, b->id, ps);
    waybill_file_name(b->id, waybill);
    unlinkat(b->dir, "in", 0);
    for (const struct waybill_file *f = b->w->files; f; f = f->next)
        unlinkat(b->dir, arena_cstr(b->arena, f->file), 0);
    unlinkat(b->dir, waybill, 0);
    return unlinkat(b->site->spool->work, b->id, AT_REMOVEDIR) == 0 ? OK : batch_remove(b->site->spool, b->id, ps);
}

/* The lines lie in the batch's folder. */
static int put_beside(const struct batch_site *s, int dir, const struct waybill *w, struct slice text,
                      struct problems *ps)
{
    struct batch_bundle one = { .id = arena_cstr(w->arena, w->batch), .fd = -1 };
    bundle_lines(w->arena, w, &one);
    one.members = arena_zero(w->arena, (one.nlines + 1) * sizeof *one.members);
    for (; one.n < one.nlines; one.n++) {
        const char *name = one.lines[one.n];
        one.members[one.n] = (struct archived_member){ .name = name, .dir = dir, .path = name };
    }
    return bundle_beside(s->store, &one, text, ps);
}

/* What a crash after the zip left undone: its waybill and lines beside it, then the folder in work/. */
int batch_leave_archived(const struct batch_site *s, const char *id, struct problems *ps)
{
    struct arena a;
    struct slice text;
    struct waybill *w;
    char file[WAYBILL_FILE_NAME];
    int dir = openat(s->spool->work, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        return errno == ENOENT ? OK : problem_system(ps, id, "cannot open the folder of a batch", errno);
    arena_init(&a, 0);
    waybill_file_name(id, file);
    int rc = archived_read(s->store, id, slice_of(file), 0, &a, &text, ps);
    if (rc == OK)
        rc = waybill_read(&a, text, file, &w, ps);
    if (rc == OK)
        rc = put_beside(s, dir, w, text, ps);
    if (rc == OK)
        rc = archived_settle(s->store, id, ps);
    close(dir);
    arena_release(&a);
    return rc == OK ? batch_remove(s->spool, id, ps) : rc;
}

/* What is there is not the archive of the batch: it is still delivered, the zip is tried again. */
static void stay_delivered(struct batch *b, const struct batch_zip *z)
{
    b->w->place = PLACE_DELIVERED;
    b->w->waits = z->waits;
    b->w->operation = z->operation;
    b->w->last_event = z->last;
    b->w->nevents = z->nevents;
    if (z->last)
        z->last->next = NULL;
}

static void become_archived(struct batch *b, const struct batch_zip *z)
{
    b->w->place = PLACE_ARCHIVED;
    b->w->waits = b->w->operation = slice_none();
    if (z->last)
        z->last->next = z->archived;
    b->w->last_event = z->archived;
    b->w->nevents = z->nevents + 1;
}

/* The waybill is the last member but the manifest, as it is from now on. */
static void add_waybill(struct batch *b, struct members *m, struct batch_zip *z)
{
    char file[WAYBILL_FILE_NAME];
    struct buf text = { 0 };
    waybill_file_name(b->id, file);
    memcpy(b->w->prev, b->w->check, sizeof b->w->prev);
    b->w->seq++;
    waybill_write(b->w, &text);
    z->text = arena_copy(b->arena, buf_slice(&text));
    buf_release(&text);
    ARENA_PUSH(b->arena, m->list, m->n, m->cap) =
        (struct archived_member){ .name = arena_cstr(b->arena, slice_of(file)), .bytes = z->text };
}

static int check_ended(const struct batch *b, struct problems *ps)
{
    if (!batch_is_open(b->w))
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "BATCH_BUSY", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "its life has not ended: it cannot be archived");
    return STOP;
}

int batch_zip_prepare(struct batch *b, struct batch_zip *z, struct problems *ps)
{
    struct members m = { .n = 0 };
    char file[WAYBILL_FILE_NAME];
    *z = (struct batch_zip){ .fd = -1, .last = b->w->last_event, .nevents = b->w->nevents, .waits = b->w->waits,
                             .operation = b->w->operation };
    int rc = check_ended(b, ps);
    if (rc == OK)
        rc = batch_move(b, PLACE_ARCHIVED, NULL, ps);
    if (rc != OK)
        return rc;
    b->w->operation = slice_none();
    waybill_file_name(b->id, file);
    rc = collect(b, file, &m, ps);
    if (rc == OK)
        add_waybill(b, &m, z);
    z->members = m.list;
    z->n = m.n;
    z->archived = b->w->last_event;
    stay_delivered(b, z);
    return rc;
}

int batch_zip_begin(struct batch *b, struct batch_zip *z, struct problems *ps)
{
    int rc = batch_zip_prepare(b, z, ps);
    if (rc == OK)
        rc = archived_begin(b->site->store, b->id, z->members, z->n, &z->fd, ps);
    if (rc != END)
        return rc;
    /* An earlier attempt gave the zip its name and failed behind it: beside it comes the waybill that is in it. */
    rc = bundle_waybill(b->site->store, b->id, b->arena, &z->text, ps);
    return rc == OK ? END : rc;
}

int batch_zip_done(struct batch *b, struct batch_zip *z, struct problems *ps)
{
    become_archived(b, z);
    return batch_leave(b, ps);
}

int batch_zip_end(struct batch *b, struct batch_zip *z, int status, struct problems *ps)
{
    struct batch_bundle one;
    int rc = status;
    if (z->fd >= 0)
        rc = archived_end(b->site->store, b->id, z->fd, status, ps);
    else if (rc == OK)
        rc = archived_settle(b->site->store, b->id, ps);
    z->fd = -1;
    batch_bundle_of(b, z, &one);
    if (rc == OK)
        rc = bundle_beside(b->site->store, &one, z->text, ps);
    return rc == OK ? batch_zip_done(b, z, ps) : rc;
}

int batch_archive(struct batch *b, struct problems *ps)
{
    struct batch_zip z;
    if (b->w->place == PLACE_ARCHIVED)              /* and its folder could not be removed */
        return batch_remove(b->site->spool, b->id, ps);
    int rc = batch_land(b, ps);
    if (rc != OK)
        return rc;
    rc = batch_zip_begin(b, &z, ps);
    if (rc == END)
        return batch_zip_end(b, &z, OK, ps);
    if (rc != OK)
        return rc;
    rc = archived_fill(z.fd, b->id, z.members, z.n, ps);
    return batch_zip_end(b, &z, rc, ps);
}

/* --- error/ ------------------------------------------------------------------------------------------------------- */

/* Moves a folder to error/<id>, or <id>-2 … when something of the batch lies there already. */
static int move_to_error(const struct batch *b, int from, const char *name, int parent, struct problems *ps)
{
    const struct spool *s = b->site->spool;
    char to[BATCH_ID_SIZE + 16];
    int err = EEXIST;
    for (int n = 1; n < FOLDERS_MAX && (err == EEXIST || err == ENOTEMPTY); n++) {
        snprintf(to, sizeof to, n == 1 ? "%s" : "%s-%d", b->id, n);
        err = renameat2(from, name, s->error, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
        if (err == EINVAL && !batch_there(s->error, to))
            err = renameat(from, name, s->error, to) == 0 ? 0 : errno;
    }
    if (err == ENOENT && !batch_there(from, name))
        return END;
    if (err)
        return problem_system(ps, file_join(b->arena, "error", to), "what was refused cannot be moved there", err);
    int rc = spool_sync_dir(s, s->error, "error", ps);
    return rc == OK ? spool_sync_dir(s, parent, name, ps) : rc;
}

/* The waybill and the lines go along, so that whoever mends the messages sees what is wrong with them. */
static int put_papers(const struct batch *b, int dir, const char *rejects, struct problems *ps)
{
    struct buf text = { 0 };
    char file[WAYBILL_FILE_NAME], path[SPOOL_PATH + NAME_MAX];
    waybill_file_name(b->id, file);
    waybill_write(b->w, &text);
    int rc = file_replace_in(dir, rejects, file, buf_slice(&text), 0600, batch_syncs(b), ps);
    buf_release(&text);
    for (const struct waybill_file *f = b->w->files; f && rc == OK; f = f->next) {
        const char *name = arena_cstr(b->arena, f->file);
        if (!slice_is(f->kind, "lines") || strchr(name, '/'))
            continue;
        snprintf(path, sizeof path, "%.*s/%.200s", SPOOL_PATH, rejects, name);
        if (linkat(b->dir, name, dir, path, 0) != 0 && errno != EEXIST)
            rc = problem_system(ps, name, "cannot link beside the refused messages", errno);
    }
    return rc;
}

/* By their path: to a host that lost the site meanwhile they are gone. */
int batch_rejects(struct batch *b, struct problems *ps)
{
    char below[SPOOL_PATH], path[SPOOL_PATH + 16];
    int dir = batch_place(b, below);
    snprintf(path, sizeof path, "%s%srejects", below, *below ? "/" : "");
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, b->id, "cannot open the refused messages", errno);
    int rc = put_papers(b, dir, path, ps);
    if (rc == OK)
        rc = spool_sync_dir(b->site->spool, fd, "rejects", ps);
    close(fd);
    if (rc == OK)
        rc = move_to_error(b, dir, path, b->dir, ps);
    return rc == END ? OK : rc;
}

/* Where the file system has no links the file that the waybill names must do. */
static bool is_named(int err)
{
    return err == EEXIST || err == ENOENT || err == EPERM || err == EOPNOTSUPP || err == EMLINK;
}

/* Beside its own file, which the waybill names. */
static int name_companions(const struct batch *b, struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE];
    for (const struct waybill_file *f = b->w->files; f; f = f->next) {
        if (!slice_is(f->kind, "companion") || !f->name.p)
            continue;
        outbox_name(f->name, name);
        if (linkat(b->dir, arena_cstr(b->arena, f->file), b->dir, name, 0) != 0 && !is_named(errno))
            return problem_system(ps, b->id, "cannot name a companion of the file that is set aside", errno);
    }
    return OK;
}

/* People look for their file by its name, and for what came with it. */
static int name_input(const struct batch *b, struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE];
    outbox_name(b->w->name, name);
    if (renameat2(b->dir, "in", b->dir, name, RENAME_NOREPLACE) != 0 && errno != ENOENT && errno != EEXIST &&
        errno != EINVAL)
        return problem_system(ps, b->id, "cannot name the file that is set aside", errno);
    int rc = name_companions(b, ps);
    return rc == OK ? spool_sync_dir(b->site->spool, b->dir, b->id, ps) : rc;
}

static bool is_output(const struct batch *b, const char *name)
{
    char file[32];
    for (const struct waybill_output *o = b->w->outputs; o; o = o->next) {
        snprintf(file, sizeof file, "out.%u", o->n);
        if (strcmp(name, file) == 0)
            return true;
    }
    return false;
}

static bool is_stray(const struct batch *b, const char *name)
{
    size_t n = strlen(b->id);
    if (strcmp(name, "ledger.1") == 0 || strncmp(name, "table.", 6) == 0)
        return true;                                /* they were never entered, or published */
    if (strncmp(name, "out.", 4) == 0)
        return name[4] && strspn(name + 4, "0123456789") == strlen(name + 4) && !is_output(b, name);
    return strncmp(name, b->id, n) == 0 && strncmp(name + n, ".lines.", 7) == 0 &&
           !waybill_file_named(b->w, slice_of(name));
}

/* What a worker was given to write into and was taken back may be there again, or could not be removed.  Once the input
   has the name that its sender chose, nothing is removed by name: that may be any. */
static int drop_strays(const struct batch *b, struct problems *ps)
{
    int rc = batch_look(b->dir, "in", ps), err = 0;
    if (rc != OK)
        return rc == END ? OK : rc;
    int fd = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return problem_system(ps, b->id, "cannot read the folder of the batch", errno);
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;)
        if (is_stray(b, e->d_name) && unlinkat(fd, e->d_name, 0) != 0 && errno != ENOENT)
            rc = problem_system(ps, e->d_name, "cannot remove", errno);
    closedir(dir);
    return rc == OK && err ? problem_system(ps, b->id, "cannot read the folder of the batch", err) : rc;
}

/* When it cannot be written down nothing has changed: its folder never goes to error/ with a waybill of before. */
static int become_error(struct batch *b, const char *code, struct slice text, struct problems *ps)
{
    struct batch_memory before;
    batch_remember(b, &before);
    b->w->error_code = arena_copy(b->arena, slice_of(code));
    b->w->error_text = arena_copy(b->arena, text);
    int rc = batch_move(b, PLACE_ERROR, code, ps);
    if (rc == OK)
        rc = batch_save(b, ps);
    if (rc != OK)
        batch_recall(b, &before, ps);
    batch_forget_memory(&before);
    return rc;
}

int batch_set_aside(struct batch *b, const char *code, struct slice text, struct problems *ps)
{
    bool again = b->w->place == PLACE_ERROR && b->w->error_code.p != NULL;
    char path[SPOOL_PATH];
    spool_path(b->site->spool, "work", b->id, path);
    int rc = again ? batch_land(b, ps) : become_error(b, code, text, ps);
    if (rc == OK)
        rc = drop_strays(b, ps);
    if (rc == OK)
        rc = name_input(b, ps);
    if (rc == OK)
        rc = move_to_error(b, b->site->spool->top, path, b->site->spool->work, ps);
    return rc == END ? OK : rc;
}
