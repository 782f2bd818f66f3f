#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/wave_private.h"
#include "store/archive.h"
#include "store/seen.h"

static struct waybill *begin_waybill(const struct batch_site *s, struct arena *a, const char *id,
                                     const struct batch_accept *how)
{
    struct waybill *w = waybill_new(a, id);
    w->flow = arena_copy(a, how->flow);
    w->operation = arena_copy(a, how->operation);
    w->batch_time = batch_stamp(s, a);
    w->parent = how->parent.n ? arena_copy(a, how->parent) : slice_none();
    if (how->config && *how->config)
        waybill_pin(w, "config", SLICE("manifest"), how->config);
    for (const struct waybill_param *p = how->sets; p; p = p->next)
        waybill_param(&w->run_sets, a, p->name, p->value);
    return w;
}

static int list_companions(const struct batch_site *s, const struct claim *c, struct waybill *w, struct problems *ps)
{
    struct claim_companion with;
    char file[32];
    int rc;
    for (size_t n = 1; (rc = claim_companion(s->spool, c, n, &with, ps)) == OK || rc == SKIP; n++) {
        if (rc == SKIP)
            continue;                           /* no regular file: left out */
        snprintf(file, sizeof file, "with.%zu", n);
        struct waybill_file *f = waybill_file(w, "companion", file);
        f->name = arena_copy(w->arena, slice_of(with.name));
        f->size = with.size;
        memcpy(f->sha256, with.sha256, sizeof f->sha256);
    }
    return rc == END ? OK : rc;
}

/* The first lines of its history. */
static void begin_history(struct waybill *w, const struct batch_accept *how)
{
    waybill_event(w, w->batch_time, "accepted", slice_none());
    if (!how->asked)
        return;
    struct slice who = how->by.n ? arena_printf(w->arena, "%s by %.*s", how->asked, SLICE_ARG(how->by))
                                 : slice_of(how->asked);
    waybill_event(w, w->batch_time, "asked", who);
    w->run_by = arena_printf(w->arena, "request %s", how->asked);
}

/* Its content may come again: nothing was done with it. */
static void refuse(struct waybill *w, const struct batch_accept *how)
{
    w->place = PLACE_ERROR;
    w->error_code = slice_of(how->refuse);
    w->error_text = arena_copy(w->arena, how->refuse_text);
}

/* What a batch that was taken before means is the flow's policy; the earlier one is named in any case. */
static void note_duplicate(struct batch *b, const char *other, enum duplicate_policy policy, struct problems *ps)
{
    b->w->duplicate_of = arena_copy(b->arena, slice_of(other));
    struct slice text = arena_printf(b->arena, "the same content was taken before as batch %s", other);
    if (policy == DUPLICATE_REJECT) {
        b->w->place = PLACE_ERROR;
        b->w->error_code = SLICE("DUP_CONTENT");
        b->w->error_text = text;
    }
    if (policy == DUPLICATE_PROCESS)
        return;
    problem_add(ps, &(struct problem){ .severity = policy == DUPLICATE_REJECT ? PROBLEM_ERROR : PROBLEM_WARNING,
                                       .code = "DUP_CONTENT",
        .place = { .file = b->id, .offset = PLACE_NO_OFFSET }, .text = text,
        .hint = SLICE("write `duplicates content process` into the flow or the operation if that is meant") });
    batch_note(b, "duplicate", b->w->duplicate_of);
}

/* The lock stays held until batch_commit: question, entry and acceptance are one. */
static int enter_content(struct batch *b, const struct batch_accept *how, struct problems *ps)
{
    char key[SHA256_HEX], other[SEEN_BATCH];
    seen_key(key, (struct slice[]){ b->w->flow, slice_of(b->w->sha256) }, 2);
    int rc = seen_lock(b->site->store, SEEN_CONTENT, key, &b->seen_lock, ps);
    if (rc == OK)
        rc = seen_put(b->site->store, SEEN_CONTENT, key, b->id, batch_taken, (void *)b->site, other, ps);
    if (rc != SKIP)
        return rc;
    note_duplicate(b, other, how->content, ps);
    return OK;
}

static int open_tmp(const struct batch_site *s, const char *id, int *dir, struct problems *ps)
{
    *dir = openat(s->spool->tmp, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *dir >= 0 ? OK : problem_system(ps, id, "cannot open the folder of a batch", errno);
}

/* END: the claim's batch is accepted already; only one that was found again after a restart can be. */
static int accepted_before(const struct batch_site *s, const struct claim *c, struct problems *ps)
{
    int known = c->inbox_fd < 0 ? batch_known(s, c->batch, ps) : END;
    return known == OK ? END : known == END ? OK : known;
}

/* Longer than allowed by now: the claim's file goes to error/<id>-late, nothing waits for it. */
static int refuse_large(const struct batch_site *s, const struct claim *c, struct problems *ps)
{
    int rc = claim_dispose(s->spool, c->batch, CLAIM_REFUSED, 0, ps);
    return rc == OK ? SKIP : rc;
}

static struct waybill *claimed_waybill(const struct batch_site *s, struct arena *a, const struct claim *c,
                                       const struct batch_accept *how)
{
    struct waybill *w = begin_waybill(s, a, c->batch, how);
    w->inbox = arena_copy(a, slice_of(c->inbox));
    w->name = arena_copy(a, slice_of(c->name));
    w->bytes = c->bytes;
    w->mtime_ns = c->mtime_ns;
    memcpy(w->sha256, c->sha256, sizeof w->sha256);
    return w;
}

int batch_wave_copy(struct batch_wave *wave, struct arena *a, struct claim *c, const struct batch_accept *how,
                    struct batch **out, struct problems *ps)
{
    *out = NULL;
    if (c->size > BATCH_WAVE_FILE || (how->max_size && c->size > how->max_size))
        return SKIP;
    int rc = claims_read(c, &wave->bytes, ps);
    if (rc != OK)
        return rc;
    struct batch *b = batch_make(wave->site, a, claimed_waybill(wave->site, a, c, how), c->batch, -1);
    begin_history(b->w, how);
    rc = enter_content(b, how, ps);
    if (rc == OK)
        rc = wave_add(wave, b, buf_slice(&wave->bytes), ps);
    if (wave->bytes.n <= WAVE_INPUT_HELD)
        b->input = arena_copy(a, buf_slice(&wave->bytes));
    if (rc == OK)
        *out = b;
    else
        batch_close(b);
    return rc;
}

int batch_copy(const struct batch_site *s, struct arena *a, struct claim *c, const struct batch_accept *how,
               struct batch **out, struct problems *ps)
{
    int dir = -1;
    *out = NULL;
    int rc = accepted_before(s, c, ps);
    if (rc != OK)
        return rc;
    rc = claim_copy(s->spool, c, how->max_size, &dir, ps);
    if (rc != OK)
        return rc == STOP ? refuse_large(s, c, ps) : rc;
    struct waybill *w = claimed_waybill(s, a, c, how);
    struct batch *b = batch_make(s, a, w, c->batch, dir);
    rc = list_companions(s, c, w, ps);
    if (rc == OK) {
        begin_history(w, how);
        if (how->refuse)
            refuse(w, how);
        else
            rc = enter_content(b, how, ps);
    }
    if (rc == OK)
        rc = batch_save(b, ps);
    if (rc == OK)
        *out = b;
    else
        batch_close(b);
    return rc;
}

int batch_commit(struct batch *b, struct problems *ps)
{
    int rc = claim_accept(b->site->spool, b->id, ps);
    if (rc == OK) {
        seen_unlock(b->seen_lock);
        b->seen_lock = -1;
    }
    return rc;
}

int batch_dispose(struct batch *b, struct problems *ps)
{
    return claim_dispose_named(b->site->spool, b->id, b->w->name, b->w->bytes, b->w->mtime_ns, ps);
}

static int dispose_again(const struct batch_site *s, struct arena *a, const char *id, struct problems *ps)
{
    struct waybill *w;
    int rc = batch_find(s, a, id, &w, ps);
    if (rc != OK)
        return rc == END ? STOP : rc;
    rc = claim_dispose(s->spool, id, w->bytes, w->mtime_ns, ps);
    return rc == OK ? END : rc;
}

/* What is refused as it comes goes to error/ at once. */
static int settle_accepted(struct batch *b, const struct batch_accept *how, int rc, struct batch **out,
                           struct problems *ps)
{
    if (rc == OK && b->w->place == PLACE_ERROR) {
        if (how->aside)
            how->aside(how->owner, b->w);
        rc = batch_set_aside(b, "DUP_CONTENT", b->w->error_text, ps);
        rc = rc == OK ? SKIP : rc;
    }
    if (rc == OK || rc == SKIP)
        *out = b;
    else
        batch_close(b);
    return rc;
}

int batch_accept(const struct batch_site *s, struct arena *a, struct claim *c, const struct batch_accept *how,
                 struct batch **out, struct problems *ps)
{
    struct batch *b;
    int rc = batch_copy(s, a, c, how, &b, ps);
    *out = NULL;
    if (rc == END)
        return dispose_again(s, a, c->batch, ps);
    if (rc != OK)
        return rc;
    rc = batch_commit(b, ps);
    if (rc == OK)
        rc = batch_dispose(b, ps);
    return settle_accepted(b, how, rc, out, ps);
}

/* tmp/<id>, empty; what an attempt left that failed goes. */
static int fresh_tmp(const struct batch_site *s, const char *id, int *dir, struct problems *ps)
{
    int rc = spool_remove(s->spool->tmp, id, ps);
    if (rc == OK && mkdirat(s->spool->tmp, id, 0700) != 0)
        rc = problem_system(ps, id, "cannot make the folder of a batch", errno);
    return rc == OK ? open_tmp(s, id, dir, ps) : rc;
}

int batch_adopt(const struct batch *parent, const struct waybill_file *f, struct arena *a,
                const struct batch_accept *how, struct batch **out, struct problems *ps)
{
    const struct batch_site *s = parent->site;
    const char *file = arena_cstr(a, f->file);
    int dir = -1;
    *out = NULL;
    int rc = batch_known(s, how->id, ps);
    if (rc != END)
        return rc == OK ? END : rc;
    rc = fresh_tmp(s, how->id, &dir, ps);
    if (rc != OK)
        return rc;
    struct waybill *w = begin_waybill(s, a, how->id, how);
    w->inbox = arena_copy(a, parent->w->inbox);
    w->name = arena_copy(a, f->name);
    w->bytes = f->size;
    memcpy(w->sha256, f->sha256, sizeof w->sha256);
    begin_history(w, how);
    struct batch *b = batch_make(s, a, w, how->id, dir);
    if (linkat(parent->dir, file, dir, "in", 0) != 0)
        rc = problem_system(ps, file, "cannot become a batch", errno);
    if (rc == OK)
        rc = enter_content(b, how, ps);
    if (rc == OK)
        rc = batch_save(b, ps);
    if (rc == OK)
        rc = batch_commit(b, ps);
    return settle_accepted(b, how, rc, out, ps);
}

static int copy_bytes(int from, int to, uint64_t *size, char sha256[SHA256_HEX])
{
    char bytes[65536];
    struct sha256 h;
    ssize_t n;
    int err = 0;
    *size = 0;
    sha256_init(&h);
    while (err == 0 && (n = file_read_full(from, bytes, sizeof bytes)) != 0) {
        err = n < 0 ? errno : file_write_all(to, (struct slice){ bytes, (size_t)n });
        if (n > 0)
            sha256_add(&h, (struct slice){ bytes, (size_t)n });
        *size += n > 0 ? (uint64_t)n : 0;
    }
    sha256_hex(&h, sha256);
    return err;
}

/* The input under a name that nothing refers to, then under its own. */
static int fill(struct batch *b, int from, struct problems *ps)
{
    static const char part[] = ".in.new";
    if (unlinkat(b->dir, part, 0) != 0 && errno != ENOENT)
        return problem_system(ps, part, "cannot remove an unfinished file", errno);
    int to = openat(b->dir, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (to < 0)
        return problem_system(ps, part, "cannot be created in work/", errno);
    int err = copy_bytes(from, to, &b->w->bytes, b->w->sha256);
    if (err == 0 && batch_syncs(b) && fsync(to) != 0)
        err = errno;
    if (close(to) != 0 && err == 0)
        err = errno;
    if (err == 0 && renameat(b->dir, part, b->dir, "in") != 0)
        err = errno;
    return err ? problem_system(ps, "in", "the input cannot be copied", err) : OK;
}

static int put_input(struct batch *b, const struct batch_accept *how, struct slice input, struct problems *ps)
{
    if (how->from)
        return fill(b, *how->from, ps);
    b->w->bytes = input.n;
    sha256_of(input, b->w->sha256);
    return file_replace(b->dir, "in", input, 0400, batch_syncs(b), ps);
}

/* In error/ under the name that it came with, where people mend it, or its own. */
static int open_companion(const struct batch *of, const struct waybill_file *f)
{
    char name[OUTBOX_NAME_SIZE];
    outbox_name(f->name, name);
    int fd = openat(of->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        fd = openat(of->dir, arena_cstr(of->arena, f->file), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd;
}

static int take_companion(struct batch *b, const struct batch *of, const struct waybill_file *f, struct problems *ps)
{
    struct waybill_file *own = waybill_file(b->w, "companion", arena_cstr(b->arena, f->file));
    int from = open_companion(of, f), err = from < 0 ? errno : 0;
    int to = err ? -1 : openat(b->dir, own->file.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    own->name = arena_copy(b->arena, f->name);
    err = err ? err : to < 0 ? errno : copy_bytes(from, to, &own->size, own->sha256);
    if (err == 0 && batch_syncs(b) && fsync(to) != 0)
        err = errno;
    if (to >= 0 && close(to) != 0 && err == 0)
        err = errno;
    if (from >= 0)
        close(from);
    return err ? problem_system(ps, of->id, "a companion cannot be copied", err) : OK;
}

static int take_companions(struct batch *b, const struct batch *of, struct problems *ps)
{
    int rc = OK;
    if (!of)
        return OK;
    b->w->inbox = arena_copy(b->arena, of->w->inbox);
    for (const struct waybill_file *f = of->w->files; f && rc == OK; f = f->next)
        if (slice_is(f->kind, "companion") && f->name.p)
            rc = take_companion(b, of, f, ps);
    return rc;
}

int batch_create(const struct batch_site *s, struct arena *a, const struct batch_accept *how, struct slice name,
                 struct slice input, struct batch **out, struct problems *ps)
{
    char id[BATCH_ID_SIZE];
    int dir = -1;
    *out = NULL;
    if (how->id)
        snprintf(id, sizeof id, "%s", how->id);
    else
        batch_new_id(s, id);
    int rc = fresh_tmp(s, id, &dir, ps);
    if (rc != OK)
        return rc;
    struct waybill *w = begin_waybill(s, a, id, how);
    w->name = arena_copy(a, name);
    begin_history(w, how);
    struct batch *b = batch_make(s, a, w, id, dir);
    rc = put_input(b, how, input, ps);
    if (rc == OK)
        rc = take_companions(b, how->with, ps);
    if (rc == OK)
        rc = batch_save(b, ps);
    if (rc == OK)
        rc = batch_commit(b, ps);
    if (rc == OK)
        *out = b;
    else
        batch_close(b);
    return rc;
}


static bool same_bytes(const struct batch *b, int fd)
{
    char found[SHA256_HEX], bytes[65536];
    struct sha256 h;
    ssize_t n;
    sha256_init(&h);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0)
        sha256_add(&h, (struct slice){ bytes, (size_t)n });
    sha256_hex(&h, found);
    return n == 0 && strcmp(found, b->w->sha256) == 0;
}

int batch_refill(struct batch *b, int fd, struct problems *ps)
{
    if (same_bytes(b, fd))
        return OK;
    int rc = lseek(fd, 0, SEEK_SET) == 0 ? fill(b, fd, ps) : problem_system(ps, b->id, "cannot be read again", errno);
    return rc == OK ? batch_save(b, ps) : rc;
}
