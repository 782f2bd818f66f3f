#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/care_private.h"

/*
 * The answer to the sender of a refused file: .waybill/replies/<batch> is written, durably, before the batch is set
 * aside, and renamed into the partner's folder after; a crash in between leaves it there, and the next start sends it:
 * at once, or when the rest of a batch that was at its end has left work/. So it comes exactly once. Every step goes by
 * the whole path, which a take-over cuts off (spool.h).
 */
#define FOLDER "replies"
#define MODE 0640
#define UNANSWERED_MAX 1000
#define AGAIN_MS 300000

/* The folder of replies/ was made. */
static void sync_above(struct supervisor *s)
{
    int fd = openat(s->spool.top, s->spool.below[0] ? s->spool.below : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    spool_sync_dir(&s->spool, fd, ".waybill", s->ps);
    close(fd);
}

static int open_folder(struct supervisor *s, char path[SPOOL_PATH])
{
    spool_path(&s->spool, FOLDER, "", path);
    if (mkdirat(s->spool.top, path, 0700) == 0)
        sync_above(s);
    return openat(s->spool.top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* One that is not there yet is made when it is needed. */
void reply_places(struct supervisor *s)
{
    for (size_t i = 0; i < s->site->nflows; i++) {
        const char *folder = s->site->flows[i]->reply;
        int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd >= 0 && !spool_renames(&s->spool, fd))
            problem_add(s->ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "SPOOL_OTHER_FS",
                .place = { .file = folder, .offset = PLACE_NO_OFFSET },
                .text = SLICE("the folder is on another file system or mount than .waybill: answers stay in .waybill/replies"),
                .hint = SLICE("keep reply folders and .waybill under one mount point") });
        if (fd >= 0)
            close(fd);
    }
}

/* What the world did to a file is not its sender's to mend. */
static bool senders(const char *code)
{
    return !code || (strcmp(code, "GAVE_UP") != 0 && strcmp(code, "CANCELLED") != 0 && strcmp(code, "SUPERSEDED") != 0);
}

/* What was made ready for a refusal that a crash or a fault prevented is not true of a file that went through since. */
static bool still_true(const struct waybill *w)
{
    char code[80];
    snprintf(code, sizeof code, "%.*s", SLICE_ARG(w->error_code));
    return w->error_code.n ? senders(code) : waybill_total_of(w->totals, "rejected") > 0;
}

int reply_prepare(struct supervisor *s, const struct waybill *w, const char *code, struct slice text)
{
    const struct flow *f = site_flow(s->site, w->flow);
    char id[BATCH_ID_SIZE], folder[SPOOL_PATH];
    struct buf out = { 0 };
    if (!f || !f->reply || !senders(code))
        return OK;
    int dir = open_folder(s, folder);
    if (dir < 0)
        return problem_system(s->ps, FOLDER, "cannot open the folder", errno);
    close(dir);
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(w->batch));
    letter_text(s->site, w, code, text, &out);
    int rc = file_replace_in(s->spool.top, folder, id, buf_slice(&out), MODE, s->o->durable, s->ps);
    buf_release(&out);
    return rc;
}

void reply_later(struct supervisor *s, const struct waybill *w)
{
    struct care *c = s->care;
    if (c->nunanswered++ < UNANSWERED_MAX)
        waybill_param(&c->unanswered, &c->arena, w->batch, slice_none());
}

void reply_again(struct supervisor *s)
{
    struct waybill_param *list = s->care->unanswered;
    struct arena a;
    arena_init(&a, 0);
    s->care->unanswered = NULL;
    s->care->nunanswered = 0;
    for (; list; list = list->next) {
        struct waybill *w;
        char code[80];
        if (batch_find(&s->places, &a, arena_cstr(&a, list->name), &w, s->ps) != OK)
            continue;
        snprintf(code, sizeof code, "%.*s", SLICE_ARG(w->error_code));
        if (reply_prepare(s, w, code, w->error_text) > WARN)
            reply_later(s, w);
        else
            reply_publish(s, w);
    }
    arena_release(&a);
}

/* It may be new: what is renamed into it lasts only with its name. */
static int make_folder(struct supervisor *s, const char *folder)
{
    struct arena a;
    int rc = file_make_dirs(folder, 0770, s->ps);
    if (rc > WARN)
        return rc;
    arena_init(&a, 0);
    struct slice above = file_dir(&a, folder);
    const char *path = above.n ? arena_cstr(&a, above) : ".";
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        rc = spool_sync_dir(&s->spool, fd, folder, s->ps);
    else if (errno != EACCES)                       /* what may not be read was not made by us */
        rc = problem_system(s->ps, folder, "the answer cannot be delivered", errno);
    if (fd >= 0)
        close(fd);
    arena_release(&a);
    return rc;
}

static int move(struct supervisor *s, int from, const char *id, const char *folder, const char *name)
{
    int rc = make_folder(s, folder);
    if (rc > WARN)
        return rc;
    char path[SPOOL_PATH];
    spool_path(&s->spool, FOLDER, id, path);
    int to = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return problem_system(s->ps, folder, "the answer cannot be delivered", errno);
    if (renameat2(s->spool.top, path, to, name, RENAME_NOREPLACE) != 0)
        rc = errno == EEXIST && unlinkat(s->spool.top, path, 0) == 0 ? OK
            : problem_system(s->ps, folder, "the answer cannot be delivered", errno);
    if (rc == OK)
        rc = spool_sync_dir(&s->spool, to, folder, s->ps);
    if (rc == OK)
        rc = spool_sync_dir(&s->spool, from, FOLDER, s->ps);
    close(to);
    return rc;
}

static int publish(struct supervisor *s, const struct flow *f, const struct waybill *w)
{
    int rc = OK;
    char id[BATCH_ID_SIZE], name[OUTBOX_NAME_SIZE], path[SPOOL_PATH];
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(w->batch));
    int from = open_folder(s, path);
    spool_path(&s->spool, FOLDER, id, path);
    bool there = from >= 0 && faccessat(s->spool.top, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !still_true(w)) {
        unlinkat(s->spool.top, path, 0);
    } else if (there) {
        struct buf wanted = { 0 };
        buf_printf(&wanted, "%.*s.%s.txt", (int)(w->name.n < 120 ? w->name.n : 120), w->name.p, id);
        outbox_name(buf_slice(&wanted), name);
        buf_release(&wanted);
        rc = move(s, from, id, f->reply, name);
    }
    if (from >= 0)
        close(from);
    if (rc > WARN)
        s->care->replies_due = clock_monotonic_ms() + AGAIN_MS;
    return rc;
}

void reply_publish(struct supervisor *s, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    if (f && f->reply)
        publish(s, f, w);
}

void reply_left(struct supervisor *s, const char *batch)
{
    struct arena a;
    struct waybill *w;
    struct stat st;
    char path[SPOOL_PATH];
    spool_path(&s->spool, FOLDER, batch, path);
    if (fstatat(s->spool.top, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    arena_init(&a, 0);
    if (batch_find(&s->places, &a, batch, &w, s->ps) == OK)
        reply_publish(s, w);
    arena_release(&a);
}

void reply_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care *c = s->care;
    if (c->replies_due && c->replies_due <= now) {
        c->replies_due = 0;
        reply_resume(s);
        notice_problems(s, s->ps);
    }
    if (c->replies_due)
        care_wait(wait, now, c->replies_due);
}

/* What a run that was killed made ready and did not send, or could not send; a folder that takes none is told once. */
void reply_resume(struct supervisor *s)
{
    char path[SPOOL_PATH];
    spool_path(&s->spool, FOLDER, "", path);
    int fd = openat(s->spool.top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    const struct flow *stuck = NULL;
    struct stat st;
    struct arena a;
    if (!dir)
        return;
    arena_init(&a, 0);
    while ((e = file_entry(dir, &err))) {
        struct waybill *w;
        if (!spool_id_valid(e->d_name) || fstatat(s->spool.work, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (batch_find(&s->places, &a, e->d_name, &w, s->ps) == OK) {
            const struct flow *f = site_flow(s->site, w->flow);
            if (f && f->reply && f != stuck && publish(s, f, w) > WARN)
                stuck = f;
        }
        arena_reset(&a);
    }
    arena_release(&a);
    closedir(dir);
}
