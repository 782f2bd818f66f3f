#include "batch/wave.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave_private.h"

enum { FLUSH = 256 * 1024, WAYBILL = 4096 /* bytes, of most: grown once */ };

/* --- names -------------------------------------------------------------------------------------------------------- */

bool batch_wave_name(const char *name)
{
    const char *dash = strchr(name, '-');
    return name[0] == 'w' && dash && dash > name + 1 && dash < name + 6 &&
           strspn(name + 1, "0123456789") == (size_t)(dash - name - 1) && spool_id_valid(dash + 1);
}

/* Epoch and counter: what makes an id unique. */
static bool numbers(const char *id, unsigned long long *epoch, unsigned long long *counter)
{
    return spool_id_valid(id) && sscanf(id + 16, "%llu-%llu", epoch, counter) == 2;
}

bool batch_wave_covers(const char *wave, const char *id)
{
    unsigned long long epoch, counter, first_epoch, first;
    return batch_wave_name(wave) && numbers(id, &epoch, &counter) &&
           numbers(strchr(wave, '-') + 1, &first_epoch, &first) && epoch == first_epoch && counter >= first &&
           counter - first < strtoull(wave + 1, NULL, 10);
}

static bool any_covers(int parent, const char *id)
{
    int err = 0, fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool found = dir == NULL;                   /* in doubt it is: what is taken for missing may be made again */
    for (struct dirent *e; !found && (e = file_entry(dir, &err)) != NULL;)
        found = batch_wave_covers(e->d_name, id);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return found || err;
}

bool batch_afloat(const struct batch_site *s, const char *id)
{
    struct stat st;
    bool tmp = s->spool->group || s->spool->taking;
    return (any_covers(s->spool->work, id) || (tmp && any_covers(s->spool->tmp, id))) &&
           fstatat(s->spool->error, id, &st, AT_SYMLINK_NOFOLLOW) != 0;         /* in doubt it is */
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static void record(struct batch_wave *w, char kind, unsigned slot, const char *batch, struct slice one,
                   struct slice two)
{
    struct sha256 hash;
    char hex[SHA256_HEX];
    size_t from = w->more.n;
    buf_printf(&w->more, "%c %u %s %zu %zu ", kind, slot, batch, one.n, two.n);
    sha256_init(&hash);
    sha256_add(&hash, (struct slice){ w->more.p + from, w->more.n - from });
    sha256_add(&hash, one);
    sha256_add(&hash, two);
    sha256_hex(&hash, hex);
    buf_printf(&w->more, "%s\n", hex);
    buf_add(&w->more, one);
    buf_add(&w->more, two);
    buf_byte(&w->more, '\n');
}

static int log_failed(struct batch_wave *w, int err, struct problems *ps)
{
    batch_wave_spoil(w);
    return problem_system(ps, w->name, "the log of a wave cannot be written", err);
}

static int flush(struct batch_wave *w, struct problems *ps)
{
    if (w->bad)
        return log_failed(w, EIO, ps);
    while (w->more.n) {
        ssize_t n = pwrite(w->log, w->more.p, w->more.n, (off_t)w->end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return log_failed(w, n < 0 ? errno : EIO, ps);
        w->end += (uint64_t)n;
        w->more.n -= (size_t)n;
        memmove(w->more.p, w->more.p + n, w->more.n);
    }
    return OK;
}

int wave_add(struct batch_wave *w, struct batch *b, struct slice bytes, struct problems *ps)
{
    struct buf text = { 0 };
    buf_grow(&text, WAYBILL);
    waybill_seal(b->w, &text);
    record(w, 'A', w->n, b->id, buf_slice(&text), bytes);
    buf_release(&text);
    b->input_at = w->end + w->more.n - 1 - bytes.n;
    b->wave = w;
    b->slot = w->n++;
    w->left++;
    w->held++;
    return w->more.n > FLUSH ? flush(w, ps) : OK;
}

int wave_log_written(struct batch *b, struct problems *ps)
{
    struct buf text = { 0 };
    if (b->wave->bad)
        return log_failed(b->wave, EIO, ps);
    buf_grow(&text, WAYBILL);
    waybill_seal(b->w, &text);
    record(b->wave, 'W', b->slot, b->id, buf_slice(&text), b->lines);
    buf_release(&text);
    return b->wave->more.n > FLUSH ? flush(b->wave, ps) : OK;
}

int batch_wave_write(struct batch_wave *w, struct problems *ps)
{
    return w->more.n == 0 && !w->bad ? OK : flush(w, ps);
}

void batch_wave_spoil(struct batch_wave *w)
{
    w->bad = true;
    w->more.n = 0;
}

static int sync_log(struct batch_wave *w, struct problems *ps)
{
    int rc = batch_wave_write(w, ps);
    return rc == OK && w->site->spool->durable && fdatasync(w->log) != 0 ? log_failed(w, errno, ps) : rc;
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

int batch_wave_begin(const struct batch_site *s, const char *first, unsigned n, struct batch_wave **out,
                     struct problems *ps)
{
    struct arena a;
    char path[BATCH_WAVE_NAME + 8];
    arena_init(&a, 0);
    struct batch_wave *w = arena_zero(&a, sizeof *w);
    *w = (struct batch_wave){ .site = s, .arena = a, .log = -1, .held = 1 };
    snprintf(w->name, sizeof w->name, "w%u-%s", n, first);
    snprintf(path, sizeof path, "%s/log", w->name);
    *out = w;
    if (mkdirat(s->spool->tmp, w->name, 0700) != 0)
        return problem_system(ps, w->name, "cannot make the folder of a wave", errno);
    w->log = openat(s->spool->tmp, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return w->log >= 0 ? OK : problem_system(ps, path, "cannot be created", errno);
}

int batch_wave_seal(struct batch_wave *w, struct problems *ps)
{
    record(w, 'E', w->n, w->name, SLICE(""), SLICE(""));
    return flush(w, ps);
}

int batch_wave_accept(struct batch_wave *w, struct problems *ps)
{
    int rc = claim_accept(w->site->spool, w->name, ps);
    w->accepted = batch_there(w->site->spool->work, w->name);
    return rc;
}

/* The claims are gone for sure before the log that says whose they were. */
static void remove_folder(struct batch_wave *w, struct problems *ps)
{
    const struct spool *s = w->site->spool;
    if (s->durable && fsync(s->claim) != 0 && errno != EINVAL)
        problem_system(ps, "claim", "cannot write to disk", errno);
    else
        spool_remove(s->work, w->name, ps);
}

static void let_go(struct batch_wave *w)
{
    struct arena a = w->arena;
    if (--w->held)
        return;
    if (w->log >= 0)
        close(w->log);
    buf_release(&w->more);
    buf_release(&w->bytes);
    arena_release(&a);
}

/* Never accepted: nothing refers to it. */
void batch_wave_release(struct batch_wave *w, struct problems *ps)
{
    if (!w->accepted)
        spool_remove(w->site->spool->tmp, w->name, ps);
    let_go(w);
}

void wave_detach(struct batch *b, bool ended, struct problems *ps)
{
    struct batch_wave *w = b->wave;
    b->wave = NULL;
    if (!w)
        return;
    w->left -= ended;
    if (ended && w->left == 0 && w->accepted && !w->stays)
        remove_folder(w, ps);
    let_go(w);
}

/* --- a batch afloat ----------------------------------------------------------------------------------------------- */

const char *batch_stage_of(const struct batch *b, unsigned n, unsigned *number_out)
{
    *number_out = b->wave ? b->slot << WAVE_OUTPUTS_BITS | n : n;
    return b->wave ? b->wave->name : b->id;
}

static void stage_path(const struct batch *b, unsigned n, char out[BATCH_WAVE_NAME + 32])
{
    unsigned number;
    const char *folder = batch_stage_of(b, n, &number);
    snprintf(out, BATCH_WAVE_NAME + 32, "%s/out.%u", folder, number);
}

int batch_unstage(const struct batch *b, unsigned n)
{
    char path[BATCH_WAVE_NAME + 32];
    stage_path(b, n, path);
    return unlinkat(b->site->spool->work, path, 0) == 0 || errno == ENOENT ? 0 : errno;
}

int wave_input(const struct batch *b, struct slice *out, struct problems *ps)
{
    if (b->input.p) {
        *out = b->input;
        return OK;
    }
    char *p = arena_alloc(b->arena, b->w->bytes + 1);
    ssize_t n = pread(b->wave->log, p, b->w->bytes, (off_t)b->input_at);
    *out = (struct slice){ p, (size_t)b->w->bytes };
    return n == (ssize_t)b->w->bytes ? OK
        : problem_system(ps, b->wave->name, "the log of a wave cannot be read", n < 0 ? errno : EIO);
}

/* A second name: until the folder is there for sure, the wave must have them. */
static int link_outputs(const struct batch *b, int dir, unsigned last, struct problems *ps)
{
    char path[BATCH_WAVE_NAME + 32], name[32];
    for (unsigned n = 1; n <= last; n++) {
        stage_path(b, n, path);
        snprintf(name, sizeof name, "out.%u", n);
        if (linkat(b->site->spool->work, path, dir, name, 0) != 0 && errno != ENOENT)
            return problem_system(ps, path, "cannot get its folder", errno);
    }
    return OK;
}

static int fill(struct batch *b, unsigned last, struct problems *ps)
{
    struct slice input;
    const struct waybill_file *lines = waybill_find_file(b->w, "lines");
    bool sync = batch_syncs(b);
    int rc = wave_input(b, &input, ps);
    if (rc == OK)
        rc = file_replace(b->dir, "in", input, 0400, sync, ps);
    if (rc == OK && lines && b->lines.p)
        rc = file_replace(b->dir, arena_cstr(b->arena, lines->file), b->lines, 0600, sync, ps);
    if (rc == OK)
        rc = link_outputs(b, b->dir, last, ps);
    return rc == OK ? waybill_save(b->w, b->dir, sync, ps) : rc;
}

static int open_folder(const struct batch *b, int parent, struct problems *ps)
{
    int dir = openat(parent, b->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir < 0)
        problem_system(ps, b->id, "cannot open the folder of a batch", errno);
    return dir;
}

/* What an attempt left that failed behind the rename is there, whole. */
static int make_folder(struct batch *b, unsigned last, struct problems *ps)
{
    struct spool *s = b->site->spool;
    bool there = batch_there(s->work, b->id);
    int rc = there ? OK : spool_remove(s->tmp, b->id, ps);
    if (rc == OK && !there && mkdirat(s->tmp, b->id, 0700) != 0)
        rc = problem_system(ps, b->id, "cannot make the folder of a batch", errno);
    if (rc != OK)
        return rc;
    b->dir = open_folder(b, there ? s->work : s->tmp, ps);
    if (b->dir < 0)
        return TEMP;
    rc = there ? waybill_save(b->w, b->dir, batch_syncs(b), ps) : fill(b, last, ps);
    if (rc == OK && !there)
        rc = claim_accept(s, b->id, ps);
    if (rc != OK) {
        close(b->dir);
        b->dir = -1;
    }
    return rc;
}

static int land(struct batch *b, struct problems *ps)
{
    unsigned last = b->spare > b->noutputs ? b->spare : b->noutputs;
    struct problems ignored;
    /* A staged output that is gone counts as published: it must be so for sure. */
    int rc = b->w->outputs && b->w->place != PLACE_ACCEPTED ? spool_sync(b->site->spool, ps) : OK;
    if (rc == OK)
        rc = make_folder(b, last, ps);
    if (rc != OK)
        return rc;
    for (unsigned n = 1; n <= last; n++)
        batch_unstage(b, n);
    problems_init(&ignored, b->arena, 1);
    if (!b->wave->bad) {                        /* its folder says the same, as long as it is there */
        record(b->wave, 'L', b->slot, b->id, SLICE(""), SLICE(""));
        sync_log(b->wave, &ignored);
    }
    wave_detach(b, true, &ignored);
    return OK;
}

int batch_land(struct batch *b, struct problems *ps)
{
    struct spool *s = b->site->spool;
    struct store *st = b->site->store;
    bool spool_group = s->group, store_group = st->group;
    if (!b->wave)
        return OK;
    s->group = st->group = false;               /* what follows relies on it at once */
    int rc = land(b, ps);
    s->group = spool_group;
    st->group = store_group;
    return rc;
}
