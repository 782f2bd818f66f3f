#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/super.h"

#define FOLDER_MS (10 * 1000)       /* until a folder that could not be opened is tried again */
#define SAVE_MS (60 * 1000)         /* until a waybill that could not be saved is, at the latest */

struct trip *trip_new(struct supervisor *s)
{
    struct arena a;
    (void)s;
    arena_init(&a, 0);
    struct trip *t = arena_zero(&a, sizeof *t);
    t->arena = a;
    return t;
}

void trip_add(struct supervisor *s, struct trip *t, const struct operation *op)
{
    struct trips *list = &s->flows[op->flow->index];
    t->op = op;
    if (list->last)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
    list->n++;
    list->in[t->state]++;
    list->alone += !t->waved;
    t->listed = true;
    t->afloat = t->waved ? t->b->w->bytes : 0;
    list->afloat += t->afloat;
}

void trip_alone(struct supervisor *s, struct trip *t)
{
    struct trips *list = &s->flows[t->op->flow->index];
    list->afloat -= t->afloat;
    list->alone += t->listed && t->waved;
    t->afloat = 0;
    t->waved = false;
}

void trip_folder_close(struct trip *t)
{
    if (!flow_stages(t->op->flow))                  /* what has one trip at a time */
        batch_folder_close(t->b);
}

void trip_close_files(struct trip *t)
{
    for (struct trip_file *f = t->files; f; f = f->next)
        if (f->fd >= 0)
            close(f->fd);
    t->files = NULL;
    if (t->b)
        batch_spare_drop(t->b);
    if (t->spare_lines) {                           /* nobody wrote into it */
        close(t->spare_lines->fd);
        if (!t->spare_lines->memory)
            unlinkat(t->b->dir, t->spare_lines->name, 0);
        t->spare_lines = NULL;
    }
}

/* In error/ every name may be the sender's. */
void trip_clear(struct supervisor *s, struct trip *t)
{
    if (t->b->w->place == PLACE_ERROR)
        return;
    int err, fd = t->b->wave ? -1 : openat(t->b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;
    while (dir && (e = file_entry(dir, &err)))
        if (strncmp(e->d_name, "table.", 6) == 0 || strcmp(e->d_name, "ledger.1") == 0)
            unlinkat(t->b->dir, e->d_name, 0);
    if (dir)
        closedir(dir);
    if (!t->b->wave)
        spool_remove(t->b->dir, "rejects", s->ps);
}

void trip_to(struct supervisor *s, struct trip *t, enum trip_state state)
{
    struct trips *list = t->listed ? &s->flows[t->op->flow->index] : NULL;
    if (list) {
        list->in[t->state]--;
        list->in[state]++;
        if (t->state >= TRIP_TO_ZIP && state < TRIP_TO_ZIP)
            list->open = NULL;
        if (state == TRIP_QUEUED)
            list->queued = NULL;
    }
    t->state = state;
}

void trip_hold(struct supervisor *s, struct trip *t, int64_t due)
{
    t->due = due;
    if (due < s->trips_due)
        s->trips_due = due;
}

static void take_out(struct trips *list, struct trip *t)
{
    struct trip **at = &list->first, *before = NULL;
    while (*at && *at != t) {
        before = *at;
        at = &(*at)->next;
    }
    if (!*at)
        return;
    *at = t->next;
    if (list->last == t)
        list->last = before;
    if (list->open == t)
        list->open = t->next ? t->next : before;
    if (list->queued == t)
        list->queued = t->next ? t->next : before;
    list->n--;
    list->alone -= !t->waved;
    list->in[t->state]--;
    t->listed = false;
}

void trip_free(struct supervisor *s, struct trip *t)
{
    struct arena a = t->arena;
    if (t->op) {
        trip_alone(s, t);
        take_out(&s->flows[t->op->flow->index], t);
    }
    if (t->helper)
        t->helper->trip = NULL;
    asked_left(s, t);
    trip_close_files(t);
    if (t->state == TRIP_ZIPPING && t->zip.fd >= 0)
        batch_zip_end(t->b, &t->zip, TEMP, s->ps);
    if (t->b)
        batch_close(t->b);
    a = t->arena;
    arena_release(&a);
}

struct trip *trip_of(const struct supervisor *s, const char *id)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t; t = t->next)
            if (strcmp(t->b->id, id) == 0)
                return t;
    return NULL;
}

struct trip_file *trip_file(struct trip *t, enum output_kind kind, uint32_t number, const struct give *give)
{
    for (struct trip_file *f = t->files; f; f = f->next)
        if (f->kind == kind && f->number == number && f->give == give)
            return f;
    return NULL;
}

static bool is_gone(const struct supervisor *s, const struct batch *b)
{
    if (b->wave || b->w->place == PLACE_ARCHIVED || b->w->place == PLACE_ERROR)
        return false;                               /* they have none, or it went where it was to */
    return faccessat(s->spool.work, b->id, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT &&
           faccessat(s->spool.tmp, b->id, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/* Somebody removed its folder: there is nothing to go on with, and what comes behind it does not wait for ever. */
static bool trip_gone(struct supervisor *s, struct trip *t)
{
    struct slice text = SLICE("its folder in .waybill/work was removed: nothing more is done with it");
    if (!is_gone(s, t->b))
        return false;
    notice_problems(s, s->ps);
    problem_addf(s->ps, PROBLEM_ERROR, "BATCH_GONE", (struct place){ .file = t->b->id, .offset = PLACE_NO_OFFSET },
                 "%.*s", SLICE_ARG(text));
    notice_problems(s, s->ps);
    asked_told(s, t, "refused", SLICE("BATCH_GONE"), text);
    s->report->rejected++;
    open_forget(s, t->b->id);
    trip_free(s, t);
    return true;
}

/* Nothing can be noted in its waybill then. */
bool trip_folder_open(struct supervisor *s, struct trip *t)
{
    if (batch_folder_open(t->b, s->ps) <= WARN)
        return true;
    if (trip_gone(s, t))
        return false;
    t->b->w->retry.cause = SLICE("SYS_IO");
    asked_told(s, t, "waits", t->b->w->retry.cause, slice_none());
    notice_problems(s, s->ps);
    trip_hold(s, t, clock_monotonic_ms() + FOLDER_MS);
    return false;
}

/* Until the next attempt; without a pause nothing is tried that cannot even be noted. */
static int64_t wait_ms(const struct batch *b, int rc)
{
    int64_t wait = batch_due(b);
    if (rc <= WARN)
        return wait;
    return wait < 1000 ? 1000 : wait > SAVE_MS ? SAVE_MS : wait;
}

/* Growing delays from the flow's `retry`; a worker's death is tried again at once, three times. */
void trip_retry(struct supervisor *s, struct trip *t, const char *cause)
{
    static const int64_t at_once[] = { 0 };
    bool died = strcmp(cause, "WORKER_DIED") == 0;
    const struct flow *f = t->op->flow;
    struct retry_policy policy = { .delays_ms = died ? at_once : f->retry, .n = died ? 1 : f->nretry,
                                   .give_up_ms = GIVE_UP_MS,
                                   .poison = POISON };
    trip_alone(s, t);
    t->quiet = false;
    if (t->state == TRIP_RUNNING)
        trip_to(s, t, TRIP_QUEUED);
    const struct waybill_retry *r = &t->b->w->retry;
    if (died && slice_is(r->cause, cause) && r->attempts + 1 >= POISON) {
        step_reject(s, t, cause, SLICE("three workers died over this file"));
        return;
    }
    trip_close_files(t);
    if (trip_gone(s, t) || !trip_folder_open(s, t))
        return;
    if (t->b->w->place == PLACE_ERROR && t->state == TRIP_QUEUED)
        trip_to(s, t, TRIP_WRITTEN);                /* no worker looks at it again: it only has to be moved */
    int rc = batch_retry(t->b, cause, &policy, s->ps);
    if (rc == SKIP) {
        bool stays = batch_is_open(t->b->w);
        asked_told(s, t, "refused", SLICE("GAVE_UP"), s->ps->last ? s->ps->last->text : slice_none());
        notice_problems(s, s->ps);
        s->report->rejected++;
        notice(s, stays ? "refused" : "error", t);
        open_note(s, t->b->w);
        trip_free(s, t);
        return;
    }
    asked_told(s, t, "waits", slice_of(cause), slice_none());
    notice_problems(s, s->ps);
    trip_hold(s, t, clock_monotonic_ms() + wait_ms(t->b, rc));
    trip_folder_close(t);
    notice(s, "retry", t);
}
