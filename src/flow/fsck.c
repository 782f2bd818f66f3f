#include "flow/fsck.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave.h"
#include "drop/outbox.h"
#include "flow/config.h"
#include "flow/fsck_private.h"
#include "store/archive.h"
#include "store/ledger.h"
#include "store/sequence.h"

enum { NAME_SIZE = 512, CHUNK = 1 << 16 };

void fsck_say(struct fsck *f, enum severity severity, const char *code, const char *path, const char *text,
              const char *hint)
{
    char shown[2 * NAME_SIZE];
    snprintf(shown, sizeof shown, "%s/%s", f->s->spool->path, path);
    problem_add(f->ps, &(struct problem){ .severity = severity, .code = code, .text = slice_of(text),
                                          .hint = slice_of(hint),
                                          .place = { .file = arena_cstr(f->ps->arena, slice_of(shown)),
                                                     .offset = PLACE_NO_OFFSET } });
}

int fsck_folder(struct fsck *f, int dirfd, const char *folder, int (*each)(struct fsck *f, const char *name))
{
    int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = OK;
    if (fd < 0 && errno == ENOENT)
        return OK;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    int err;
    if (!dir)
        return problem_system(f->ps, folder, "the folder cannot be read", errno);
    while (rc != TEMP && (e = file_entry(dir, &err)))
        rc = each(f, e->d_name);
    if (rc != TEMP && err)
        rc = problem_system(f->ps, folder, "the folder cannot be read", err);
    closedir(dir);
    return rc == TEMP ? TEMP : OK;
}

/* The SHA-256 of a file of any size; 0, or why it cannot be had. */
static int hash_file(int dirfd, const char *name, char out[SHA256_HEX])
{
    char chunk[CHUNK];
    struct sha256 h;
    struct stat st;
    ssize_t n = 0;
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno;
    sha256_init(&h);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        while ((n = file_read_full(fd, chunk, sizeof chunk)) > 0)
            sha256_add(&h, (struct slice){ chunk, (size_t)n });
    int err = n < 0 ? errno : 0;
    close(fd);
    sha256_hex(&h, out);
    return err;
}

/* Looks at one file that a waybill names by hash; what its absence or change means is the caller's to say.  One that
   cannot be read is told here, and nothing else is said of it: the others are looked at all the same. */
static void compare(struct fsck *f, int dirfd, const char *name, const char *sha256, const char *path, bool *there,
                    bool *same)
{
    char got[SHA256_HEX];
    struct buf file = { 0 };
    int err = hash_file(dirfd, name, got);
    *there = err != ENOENT;
    *same = err ? *there : strcmp(got, sha256) == 0;
    if (!err || !*there)
        return;
    buf_printf(&file, "%s/", path);
    buf_add_shown(&file, slice_of(name), 0);
    buf_byte(&file, '\0');
    struct slice why = arena_printf(f->ps->arena, "a file of the batch cannot be read: %s", strerror(err));
    fsck_say(f, PROBLEM_ERROR, "FSCK_UNREAD", file.p, arena_cstr(f->ps->arena, why),
             "put it right, or bring the batch's folder back from a backup");
    buf_release(&file);
}

static bool is_kept(struct fsck *f, const char *hash)
{
    char name[SHA256_HEX + 16];
    snprintf(name, sizeof name, "config/%s", hash);
    return faccessat(f->archive, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether all is kept that a manifest names, which many batches share; of the manifest itself others tell. */
static bool names_kept(struct fsck *f, const char *hash)
{
    const bool *seen = map_get(&f->manifests, slice_of(hash));
    struct config_file *list;
    struct problems said;
    size_t n;
    if (seen)
        return *seen;
    bool *all = arena_zero(&f->kept, sizeof *all);
    problems_init(&said, &f->arena, 1);
    int rc = config_files(f->s->store, &f->arena, hash, &list, &n, &said);
    if (rc == TEMP)
        problem_add(f->ps, said.first);
    *all = true;
    for (size_t i = 0; i < n && rc == OK; i++)
        *all = *all && is_kept(f, list[i].hash);
    map_put(&f->manifests, arena_copy(&f->kept, slice_of(hash)), all);
    return *all;
}

void fsck_waybill(struct fsck *f, const struct waybill *w, const char *path)
{
    static const char back[] = "bring archive/config/ back from a backup";
    if (!waybill_history_ok(w))
        fsck_say(f, PROBLEM_ERROR, "FSCK_HISTORY", path, "the history of the waybill was changed",
                 "its chain of hashes breaks: compare with a backup");
    for (const struct waybill_pin *p = w->pins; p; p = p->next) {
        bool kept = !slice_is(p->kind, "table") && !slice_is(p->kind, "ledger");
        if (kept && !is_kept(f, p->sha256))
            fsck_say(f, PROBLEM_ERROR, "FSCK_CONFIG", path,
                     "a mapping or format that the batch was converted with is not kept", back);
        else if (slice_is(p->kind, "config") && !names_kept(f, p->sha256))
            fsck_say(f, PROBLEM_ERROR, "FSCK_CONFIG", path,
                     "a file of the site as it was for the batch is not kept", back);
    }
}

/* The files in the batch's own folder. */
static void check_files(struct fsck *f, int dir, const struct waybill *w, const char *path)
{
    bool there, same;
    for (const struct waybill_file *x = w->files; x; x = x->next) {
        const char *name = arena_cstr(&f->arena, x->file), *base = strrchr(name, '/');
        bool aside = w->place != PLACE_ERROR && f->aside;
        if (x->sha256[0] == '\0' || (aside && !slice_is(x->kind, "rejects") && !slice_is(x->kind, "lines")))
            continue;
        compare(f, dir, aside && base ? base + 1 : name, x->sha256, path, &there, &same);
        if (slice_is(x->kind, "rejects") && f->aside && !same)
            fsck_say(f, PROBLEM_NOTE, "FSCK_TAKEN", path,
                     there ? "the refused messages were edited" : "the refused messages were taken away",
                     "nothing is to be done");
        else if (slice_is(x->kind, "rejects") && !there && w->place == PLACE_DELIVERED)
            continue;                               /* moved to error/ already */
        else if (!same)
            fsck_say(f, PROBLEM_ERROR, "FSCK_FILE", path,
                     there ? "a file of the batch is not what its waybill says" : "a file of the batch is missing",
                     "bring the batch's folder back from a backup");
    }
}

static void check_outputs(struct fsck *f, int dir, const struct waybill *w, const char *path)
{
    char name[32];
    bool there, same;
    for (const struct waybill_output *o = w->outputs; o; o = o->next) {
        snprintf(name, sizeof name, "out.%u", o->n);
        compare(f, dir, name, o->sha256, path, &there, &same);
        if (there && w->place == PLACE_DELIVERED && o->published.n)
            fsck_say(f, PROBLEM_ERROR, "FSCK_PLACE", path, "the batch is delivered, but an output is still staged",
                     "look whether the receiver has it, then remove the staged one");
        else if (there && !same && w->place == PLACE_WRITTEN)
            fsck_say(f, PROBLEM_ERROR, "FSCK_FILE", path, "a staged output is not what the waybill says",
                     "it will not be delivered: move the batch to error/ and drop its input again");
    }
}

static void check_work(struct fsck *f, int dir, const struct waybill *w, const char *path)
{
    bool there, same;
    if (archived_exists(f->s->store, f->batch)) {
        fsck_say(f, PROBLEM_NOTE, "FSCK_OPEN", path, "the batch is archived, its folder not yet removed",
                 "`waybill run` removes it");
        return;
    }
    fsck_say(f, PROBLEM_NOTE, "FSCK_OPEN", path, "the batch is under way", "`waybill run` goes on with it");
    compare(f, dir, "in", w->sha256, path, &there, &same);
    if (!same && w->place != PLACE_ERROR)
        fsck_say(f, PROBLEM_ERROR, "FSCK_INPUT", path,
                 there ? "the input is not what its waybill says" : "the input is missing",
                 "bring the file `in` back from a backup, or ask the sender for it");
    if (w->stage.p && !waybill_file_named(w, w->stage))
        fsck_say(f, PROBLEM_ERROR, "FSCK_PLACE", path, "the waybill does not list its own staged document",
                 "please report it");
    check_outputs(f, dir, w, path);
    check_files(f, dir, w, path);
}

static void check_aside(struct fsck *f, int dir, const struct waybill *w, const char *path)
{
    char name[OUTBOX_NAME_SIZE];
    bool there, same;
    if (w->place != PLACE_ERROR) {
        check_files(f, dir, w, path);
        return;
    }
    outbox_name(w->name, name);
    compare(f, dir, name, w->sha256, path, &there, &same);
    if (!same)
        compare(f, dir, "in", w->sha256, path, &there, &same);
    if (!same)
        fsck_say(f, PROBLEM_NOTE, "FSCK_TAKEN", path, "the file that was set aside was taken away or edited",
                 "nothing is to be done");
    if (w->error_code.n == 0)
        fsck_say(f, PROBLEM_ERROR, "FSCK_PLACE", path, "the batch was set aside without a reason",
                 "please report it");
}

/* The batch whose waybill lies in the folder: a second one of a batch ends in -2. */
static bool find_waybill(int dir, char batch[BATCH_ID_SIZE])
{
    static const char tail[] = ".waybill.json";
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    int err;
    batch[0] = '\0';
    while (d && (e = file_entry(d, &err))) {
        size_t n = strlen(e->d_name);
        if (e->d_name[0] != '.' && n > sizeof tail && n - sizeof tail + 1 < BATCH_ID_SIZE &&
            strcmp(e->d_name + n - sizeof tail + 1, tail) == 0)
            snprintf(batch, BATCH_ID_SIZE, "%.*s", (int)(n - sizeof tail + 1), e->d_name);
    }
    if (d)
        closedir(d);
    return batch[0] != '\0';
}

/* Of a folder of work/ or claim/, which on a shared site lie in one of the holder's; NULL = of error/. */
static void place_of(const struct fsck *f, const char *folder, const char *name, char out[NAME_SIZE])
{
    char path[SPOOL_PATH];
    if (folder)
        spool_path(f->s->spool, folder, "", path);
    snprintf(out, NAME_SIZE, "%s%s/%.300s", folder ? ".waybill/" : "", folder ? path : "error", name);
}

/* One folder of work/ or error/. */
static int check_folder(struct fsck *f, int parent, const char *name)
{
    char path[NAME_SIZE];
    struct waybill *w = NULL;
    place_of(f, f->aside ? NULL : "work", name, path);
    if (f->aside && spool_late(name))
        return OK;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc = END;
    if (dir < 0) {
        fsck_say(f, PROBLEM_WARNING, "FSCK_STRANGE", path, "only folders of batches belong here",
                 "move it elsewhere");
        return OK;
    }
    if (find_waybill(dir, f->batch))
        rc = waybill_load(&f->arena, dir, f->batch, &w, f->ps);
    if (rc == END && !f->aside && archived_exists(f->s->store, name))
        fsck_say(f, PROBLEM_NOTE, "FSCK_OPEN", path, "the batch is archived, its folder not yet removed",
                 "`waybill run` removes it");
    else if (rc != OK)
        fsck_say(f, PROBLEM_ERROR, "FSCK_WAYBILL", path,
                 rc == END ? "there is no waybill" : rc == TEMP ? "the waybill cannot be read"
                                                   : "the waybill cannot be believed",
                 rc == TEMP ? "put right what is said before" : f->aside ? "bring it back from a backup, or drop the file again"
                                         : "`waybill run` moves the batch to error/ as it is");
    if (rc == OK) {
        fsck_waybill(f, w, path);
        (f->aside ? check_aside : check_work)(f, dir, w, path);
    }
    close(dir);
    arena_reset(&f->arena);
    return OK;                                      /* what is wrong with one is told: so are the others */
}

/* Files that were accepted together: what the log says of each. */
static int one_afloat(void *owner, struct waybill *w)
{
    struct fsck *f = owner;
    char path[NAME_SIZE];
    snprintf(path, sizeof path, ".waybill/work: %.*s", (int)w->batch.n, w->batch.p);
    f->out->work++;
    fsck_say(f, PROBLEM_NOTE, "FSCK_OPEN", path, "the batch is under way", "`waybill run` goes on with it");
    fsck_waybill(f, w, path);
    return OK;
}

static int one_work(struct fsck *f, const char *name)
{
    f->aside = false;
    if (batch_wave_name(name))
        return OK;
    f->out->work++;
    return check_folder(f, f->s->spool->work, name);
}

static int one_error(struct fsck *f, const char *name)
{
    f->aside = true;
    f->out->error++;
    return check_folder(f, f->s->spool->error, name);
}

/* Ledgers, sequences. */

static int one_ledger(struct fsck *f, const char *name)
{
    uint64_t records = 0;
    const char *dot = strrchr(name, '.');
    if (dot && strcmp(dot, ".torn") == 0) {
        char path[NAME_SIZE];
        snprintf(path, sizeof path, ".waybill/ledger/%.300s", name);
        fsck_say(f, PROBLEM_NOTE, "LEDGER_TORN", path, "here lies what a write that was broken off left of a ledger",
                 "after a kill or a power cut its batches were entered anew: the file may be removed");
    }
    if (!dot || strcmp(dot, ".ledger") != 0)
        return OK;
    f->out->ledgers++;
    const char *flow = arena_cstr(&f->arena, slice_range(name, dot));
    int rc = ledger_verify(f->s->store, flow, &records, f->ps);
    f->out->records += records;
    return rc;
}

static int one_sequence(struct fsck *f, const char *name)
{
    int64_t next;
    if (name[0] == '.')
        return OK;
    f->out->sequences++;
    struct sequence q = { .name = slice_of(name) };
    return sequence_peek(f->s->store, &q, &next, f->ps);
}

static int one_claim(struct fsck *f, const char *name)
{
    char path[NAME_SIZE];
    place_of(f, "claim", name, path);
    fsck_say(f, PROBLEM_NOTE, "FSCK_OPEN", path, "a file is taken from its inbox and not accepted yet",
             "`waybill run` goes on with it");
    return OK;
}

int fsck_run(const struct batch_site *s, struct fsck_report *out, struct problems *ps)
{
    struct fsck f = { .s = s, .out = out, .ps = ps };
    *out = (struct fsck_report){ 0 };
    arena_init(&f.arena, 0);
    arena_init(&f.kept, 0);
    map_init(&f.manifests, &f.kept);
    f.archive = openat(s->store->root, "archive", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = f.archive < 0 ? problem_system(ps, "archive", "cannot be opened", errno) : OK;
    if (rc != TEMP)
        rc = fsck_folder(&f, s->spool->claim, ".", one_claim);
    if (rc != TEMP)
        rc = fsck_folder(&f, s->spool->work, ".", one_work);
    if (rc != TEMP)
        rc = batch_each_afloat(s, &f.arena, NULL, one_afloat, &f, ps);
    if (rc != TEMP)
        rc = fsck_folder(&f, s->store->root, "error", one_error);
    if (rc != TEMP)
        rc = fsck_archive(&f);
    if (rc != TEMP)
        rc = fsck_folder(&f, s->store->top, "ledger", one_ledger);
    if (rc != TEMP)
        rc = fsck_folder(&f, s->store->top, "sequences", one_sequence);
    if (f.archive >= 0)
        close(f.archive);
    arena_release(&f.arena);
    arena_release(&f.kept);
    return rc;
}
