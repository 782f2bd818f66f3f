#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave_private.h"

enum { NAMES_MAX = 1000000, OUTBOXES_MAX = 64 };

static struct waybill_output *find_output(const struct batch *b, unsigned n)
{
    struct waybill_output *o = b->last_output && b->last_output->n == n ? b->last_output : b->w->outputs;
    while (o && o->n != n)
        o = o->next;
    return o;
}

static struct slice name_key(struct batch *b, struct slice outbox, struct slice name)
{
    return arena_printf(b->arena, "%.*s/%.*s", SLICE_ARG(outbox), SLICE_ARG(name));
}

/* Batches may have very many outputs: their names are kept in a map. */
static struct map *names_of(struct batch *b)
{
    if (b->names)
        return b->names;
    b->names = arena_alloc(b->arena, sizeof *b->names);
    map_init(b->names, b->arena);
    for (struct waybill_output *o = b->w->outputs; o; o = o->next) {
        map_put(b->names, name_key(b, o->outbox, o->name), o);
        b->last_output = o;
    }
    return b->names;
}

static bool name_used(struct batch *b, struct slice outbox, const char *name)
{
    return map_get(names_of(b), name_key(b, outbox, slice_of(name))) != NULL;
}

/* NAME-2.xml, NAME-3.xml … : two messages of a batch may ask for one name. */
static void unique_name(struct batch *b, struct slice outbox, struct slice wanted, char out[OUTBOX_NAME_SIZE])
{
    char numbered[OUTBOX_NAME_SIZE + 16];
    outbox_name(wanted, out);
    if (!name_used(b, outbox, out))
        return;
    const char *dot = strrchr(out, '.');
    size_t stem = dot && dot != out ? (size_t)(dot - out) : strlen(out);
    char tail[OUTBOX_NAME_SIZE], clean[OUTBOX_NAME_SIZE];
    snprintf(tail, sizeof tail, "%s", out + stem);
    for (unsigned n = 2; n < NAMES_MAX; n++) {
        snprintf(numbered, sizeof numbered, "%.*s-%u%s", (int)stem, out, n, tail);
        outbox_name(slice_of(numbered), clean);
        if (!name_used(b, outbox, clean))
            break;
    }
    memcpy(out, clean, sizeof clean);
}

static int stage(const struct batch *b, unsigned n, int *fd_out, struct problems *ps)
{
    unsigned number;
    const char *folder = batch_stage_of(b, n, &number);
    return outbox_stage(b->site->spool, folder, number, fd_out, ps);
}

static int add_output(struct batch *b, struct slice outbox, struct slice name, unsigned *n_out, int *fd_out,
                      struct problems *ps)
{
    unsigned n = b->noutputs + 1;
    if (n > BATCH_OUTPUTS_MAX) {
        problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "LIMIT_OUTPUTS",
            .place = { .file = b->id, .offset = PLACE_NO_OFFSET },
            .text = arena_printf(ps->arena, "the batch gives more than %d files", BATCH_OUTPUTS_MAX),
            .hint = SLICE("let it give one file with all messages, or drop it in several parts") });
        return STOP;
    }
    int rc = OK;
    if (b->spare == n) {
        *fd_out = b->spare_fd;
        b->spare = 0;
    } else {
        rc = stage(b, n, fd_out, ps);
    }
    if (rc != OK)
        return rc;
    struct waybill_output *o = arena_zero(b->arena, sizeof *o);
    o->n = n;
    o->outbox = arena_copy(b->arena, outbox);
    o->name = arena_copy(b->arena, name);
    o->operation = b->w->operation;
    o->run = b->w->run;
    names_of(b);
    if (b->last_output)
        b->last_output->next = o;
    else
        b->w->outputs = o;
    b->last_output = o;
    map_put(b->names, name_key(b, o->outbox, o->name), o);
    b->noutputs = *n_out = n;
    return OK;
}

int batch_output(struct batch *b, const char *outbox, struct slice wanted, unsigned *n_out, int *fd_out,
                 struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE];
    unique_name(b, slice_of(outbox), wanted, name);
    return add_output(b, slice_of(outbox), slice_of(name), n_out, fd_out, ps);
}

int batch_spare(struct batch *b, int *fd_out, struct problems *ps)
{
    batch_spare_drop(b);
    int rc = stage(b, b->noutputs + 1, &b->spare_fd, ps);
    if (rc == OK)
        b->spare = b->noutputs + 1;
    *fd_out = b->spare_fd;
    return rc;
}

void batch_spare_drop(struct batch *b)
{
    if (!b->spare)
        return;
    close(b->spare_fd);
    batch_unstage(b, b->spare);
    b->spare = 0;
}

int batch_output_again(struct batch *b, const struct waybill_output *of, unsigned *n_out, int *fd_out,
                       struct problems *ps)
{
    return add_output(b, of->outbox, of->name, n_out, fd_out, ps);
}

int batch_output_done(struct batch *b, unsigned n, int fd, const char *sha256, struct problems *ps)
{
    struct waybill_output *o = find_output(b, n);
    char found[SHA256_HEX];
    uint64_t size;
    int rc = outbox_staged(b->site->spool, fd, &size, sha256 ? NULL : found, ps);
    if (rc != OK || o == NULL)
        return rc;
    o->size = size;
    snprintf(o->sha256, sizeof o->sha256, "%s", sha256 ? sha256 : found);
    return OK;
}

/* The map and the end of the list are found anew at the next output. */
static void forget_names(struct batch *b)
{
    b->names = NULL;
    b->last_output = NULL;
}

static void forget(struct batch *b, unsigned n)
{
    struct waybill_output **link = &b->w->outputs;
    while (*link && (*link)->n != n)
        link = &(*link)->next;
    if (*link)
        *link = (*link)->next;
    forget_names(b);
}

int batch_output_drop(struct batch *b, unsigned n, int fd, struct problems *ps)
{
    forget(b, n);
    if (fd >= 0)
        close(fd);
    int err = batch_unstage(b, n);
    return err ? problem_system(ps, b->id, "cannot remove an empty output", err) : OK;
}

static bool of_run(const struct waybill *w, const struct waybill_file *f, bool lines)
{
    return f->run == w->run && (slice_is(f->kind, "stage") || slice_is(f->kind, "log") || slice_is(f->kind, "sent") ||
                                slice_is(f->kind, "run") || slice_is(f->kind, "rejects") ||
                                (lines && slice_is(f->kind, "lines")));
}

/* What a worker that died had ended already: the next one writes it under the same names.  What earlier runs left is
   the batch. */
static void forget_files(struct waybill *w, bool lines)
{
    struct waybill_file **link = &w->files;
    while (*link) {
        if (of_run(w, *link, lines))
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

static void forget_outputs(struct batch *b)
{
    struct waybill_output **link = &b->w->outputs;
    b->noutputs = 0;
    forget_names(b);
    while (*link) {
        if ((*link)->published.p == NULL) {
            *link = (*link)->next;
            continue;
        }
        b->noutputs = (*link)->n > b->noutputs ? (*link)->n : b->noutputs;
        link = &(*link)->next;
    }
}

bool batch_visible(const struct batch *b)
{
    if (b->w->place != PLACE_WRITTEN)
        return false;
    for (const struct waybill_output *o = b->w->outputs; o; o = o->next) {
        unsigned number;
        const char *folder = batch_stage_of(b, o->n, &number);
        if (o->run == b->w->run && (o->published.p || !outbox_is_staged(b->site->spool, folder, number)))
            return true;
    }
    return false;
}

void batch_forget(struct batch *b)
{
    forget_outputs(b);
    forget_files(b->w, false);
}

static bool is_output_of(const struct waybill *w, const char *name)
{
    char file[32];
    for (const struct waybill_output *o = w->outputs; o; o = o->next) {
        snprintf(file, sizeof file, "out.%u", o->n);
        if (o->published.p == NULL && strcmp(file, name) == 0)
            return true;
    }
    return false;
}

/* Once the waybill that does not list them is safe: an output that is missing counts as published. What a kill leaves
   of them later runs overwrite, and the zip leaves it out. */
void batch_sweep(const struct batch *b)
{
    int err, fd = b->wave ? -1 : openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *e; dir && (e = file_entry(dir, &err)) != NULL;) {
        const char *name = e->d_name;
        bool output = strncmp(name, "out.", 4) == 0;
        bool staged = strncmp(name, "stage.", 6) == 0 || strncmp(name, "log.", 4) == 0 ||
                      strncmp(name, "sent.", 5) == 0;
        if ((output && !is_output_of(b->w, name)) || (staged && !waybill_file_named(b->w, slice_of(name))))
            unlinkat(b->dir, name, 0);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

void batch_restart(struct batch *b)
{
    bool under_way = b->w->place == PLACE_DELIVERED && b->w->operation.p && !b->w->waits.p;
    forget_outputs(b);
    b->w->messages = b->w->errors = b->w->warnings = b->w->notes = b->w->more_groups = 0;
    b->w->unused = 0;
    b->w->totals = b->w->skips = NULL;
    b->w->groups = NULL;
    if (b->w->place == PLACE_ACCEPTED || under_way)
        forget_files(b->w, true);
}

static bool any_staged(const struct batch *b)
{
    for (const struct waybill_output *o = b->w->outputs; o; o = o->next) {
        if (o->published.p == NULL)
            return true;
    }
    return false;
}

/* The refused messages stand in a folder of their own. */
static int sync_rejects(const struct batch *b, struct problems *ps)
{
    int fd = openat(b->dir, "rejects", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, b->id, "cannot open the refused messages", errno);
    int rc = spool_sync_dir(b->site->spool, fd, "rejects", ps);
    close(fd);
    return rc;
}

static int save_written(struct batch *b, struct problems *ps)
{
    return b->wave ? wave_log_written(b, ps) : batch_save(b, ps);
}

/* It is as it was before batch_move and batch_settled: the next attempt begins anew, from the same staged document and
   with other outputs. */
static void take_back(struct batch *b, const struct waybill *before)
{
    b->w->place = before->place;
    b->w->stage = before->stage;
    b->w->states = before->states;
    b->w->operation = before->operation;
    b->w->retry = before->retry;
    b->w->waits = before->waits;
    b->w->last_event = before->last_event;
    if (before->last_event)
        before->last_event->next = NULL;
    b->w->nevents = before->nevents;
    b->fresh = false;
}

/* The folders are synced before the waybill that names their files: otherwise a power cut could lose an output
   (RELIABILITY 0.2 (a)). */
int batch_written(struct batch *b, struct problems *ps)
{
    bool staged = any_staged(b);
    if (b->w->place == PLACE_WRITTEN)
        return OK;
    bool rejects = waybill_find_file(b->w, "rejects");
    const struct waybill before = *b->w;
    int rc = rejects ? sync_rejects(b, ps) : OK;
    if (rc == OK && !b->wave && (staged || batch_has_files(b)))
        rc = spool_sync_dir(b->site->spool, b->dir, b->id, ps);
    if (rc == OK)
        rc = batch_move(b, staged ? PLACE_WRITTEN : PLACE_DELIVERED, NULL, ps);
    if (rc != OK)
        return rc;
    b->fresh = true;
    /* Refused messages are visible before the batch is archived: a crash in between must not make them anew. */
    bool saved = staged || batch_settled(b) || !b->brief || rejects;
    rc = saved ? save_written(b, ps) : OK;
    if (rc != OK)
        take_back(b, &before);
    return rc;
}

static int no_outbox(const struct batch *b, const struct waybill_output *o, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "BATCH_OUTBOX", (struct place){ .file = b->id, .offset = PLACE_NO_OFFSET },
                 "the site has no outbox %.*s any more", SLICE_ARG(o->outbox));
    return STOP;
}

struct delivery {
    const struct outbox *outboxes[OUTBOXES_MAX];
    size_t n;
    struct slice stamp;
};

static int publish(struct batch *b, struct waybill_output *o, const struct outbox *box, struct delivery *d,
                   struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE + 1];
    snprintf(name, sizeof name, "%.*s", o->name.n > OUTBOX_NAME_MAX ? OUTBOX_NAME_MAX + 1 : (int)o->name.n, o->name.p);
    const char *check = b->fresh || o->sha256[0] == '\0' ? NULL : o->sha256;
    unsigned number;
    const char *folder = batch_stage_of(b, o->n, &number);
    int rc = outbox_publish(b->site->spool, box, folder, number, name, check, ps);
    if (rc != OK)
        return rc;
    o->published = d->stamp;
    for (size_t i = 0; i < d->n; i++) {
        if (d->outboxes[i] == box)
            return OK;
    }
    if (d->n == OUTBOXES_MAX) {                 /* the oldest is synced now to make room */
        rc = outbox_sync(b->site->spool, d->outboxes[0], ps);
        d->outboxes[0] = d->outboxes[--d->n];
    }
    d->outboxes[d->n++] = box;
    return rc;
}

static int sync_all(const struct batch *b, const struct delivery *d, struct problems *ps)
{
    int rc = OK;
    for (size_t i = 0; i < d->n && rc == OK; i++)
        rc = outbox_sync(b->site->spool, d->outboxes[i], ps);
    return rc == OK && d->n ? spool_sync_dir(b->site->spool, b->dir, b->id, ps) : rc;
}

int batch_deliver(struct batch *b, const struct outbox *(*find)(void *owner, struct slice path), void *owner,
                  struct problems *ps)
{
    struct delivery d = { .n = 0, .stamp = batch_stamp(b->site, b->arena) };
    int rc = OK;
    bool gone = false;
    if (b->wave && !b->site->spool->group)
        rc = batch_land(b, ps);
    if (rc != OK)
        return rc;
    if (b->w->place != PLACE_WRITTEN)
        return b->w->place == PLACE_DELIVERED ? OK : batch_move(b, PLACE_DELIVERED, NULL, ps);
    for (struct waybill_output *o = b->w->outputs; o && rc == OK; o = o->next) {
        if (o->published.p)
            continue;
        const struct outbox *box = find(owner, o->outbox);
        rc = box ? publish(b, o, box, &d, ps) : no_outbox(b, o, ps);
        gone |= rc == OK;
    }
    int synced = sync_all(b, &d, ps);
    bool later = rc != OK && b->site->spool->group;
    if (synced != OK || later) {                /* visible, but not for sure: the next attempt syncs again */
        for (struct waybill_output *o = b->w->outputs; o; o = o->next)
            o->published = o->published.p == d.stamp.p ? slice_none() : o->published;
    }
    rc = rc == OK ? synced : rc;
    if (rc == OK)
        rc = batch_move(b, PLACE_DELIVERED, NULL, ps);
    else if (gone && synced == OK && !later)
        batch_save(b, ps);          /* some are visible: worth a note, though recovery can tell without it */
    if (rc != OK)
        return rc;
    return batch_settled(b) || !b->brief ? batch_save(b, ps) : OK;
}
