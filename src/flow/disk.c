#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "flow/care_private.h"
#include "flow/room.h"

/* RELIABILITY.md 2.9: a file is taken only when more is free than room.h says, and than four times its size. What is
   not taken stays in the inbox, where the sender sees it. */
#define FILE_TIMES 4
#define LOOK_MS 5000
#define SEEN_MS 20                  /* so long what was free counts as free … */
#define SEEN_BYTES (1ULL << 20)     /* … for as many bytes */
#define ROOM_MORE (1ULL << 20)      /* after "disk full": so much more than now must be free before a next try */
#define BALLAST_NAME "reserve"

/* Told once, until there is room again. */
static void tell_full(struct supervisor *s, const struct statvfs *v, uint64_t wanted)
{
    if (s->care->disk.full)
        return;
    s->care->disk.full = true;
    s->report->temporary += !s->o->watch;           /* `run` ends, and its exit code tells */
    problem_add(s->ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "DISK_RESERVE",
        .place = { .file = s->spool.path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(s->ps->arena, "%.*s: files stay in their inboxes",
                             SLICE_ARG(room_lack(s->ps->arena, &s->site->limits, v, wanted))),
        .hint = arena_printf(s->ps->arena, "make room; work goes on by itself. `%s` sets another mark",
                             room_setting(&s->site->limits, v)) });
}

/* Files of a wave are let in before one of them is written: one look serves them all. */
static int look(struct supervisor *s, uint64_t size, struct statvfs *out)
{
    struct care_disk *d = &s->care->disk;
    int64_t now = clock_monotonic_ms();
    bool lately = d->seen_at && now - d->seen_at < SEEN_MS && size <= SEEN_BYTES && d->promised <= SEEN_BYTES - size;
    if (!lately && fstatvfs(s->spool.top, &d->seen) != 0)
        return -1;
    if (!lately) {
        d->seen_at = now;
        d->promised = 0;
    }
    d->promised += size;
    *out = d->seen;
    return 0;
}

bool care_room(struct supervisor *s, uint64_t size)
{
    struct statvfs v;
    if (s->care->disk.hit)
        return false;
    if (look(s, size, &v) != 0)
        return true;                                /* the write will tell */
    uint64_t wanted = room_reserve(&s->site->limits, &v);
    if (size > wanted / FILE_TIMES)
        wanted = size > UINT64_MAX / FILE_TIMES ? UINT64_MAX : size * FILE_TIMES;
    if (room_free(&v) > wanted && room_inodes(&s->site->limits, &v))
        return true;
    s->care->disk.wanted = wanted;
    s->care->disk.due = clock_monotonic_ms() + LOOK_MS;
    tell_full(s, &v, wanted);
    return false;
}

/* Blocks that are given up when the disk is full, so that waybills, archives and what is set aside can still be
   written. */
static void lay_ballast(struct supervisor *s, const struct statvfs *v)
{
    uint64_t size = s->site->limits.ballast, free_bytes = room_free(v);
    if (s->care->disk.ballast || !size || free_bytes < room_reserve(&s->site->limits, v) + 2 * size)
        return;
    int fd = openat(s->spool.top, BALLAST_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    if (posix_fallocate(fd, 0, (off_t)size) == 0)
        s->care->disk.ballast = true;
    else
        unlinkat(s->spool.top, BALLAST_NAME, 0);
    close(fd);
}

/* Another disk, or a quota: nothing that stopping to take files would mend. */
static bool elsewhere(const struct supervisor *s, const struct statvfs *v)
{
    uint64_t reserve = room_reserve(&s->site->limits, v);
    return room_free(v) > (reserve > ROOM_MORE ? reserve : ROOM_MORE) && room_inodes(&s->site->limits, v);
}

void care_full(struct supervisor *s)
{
    struct statvfs v;
    if (!s->care || fstatvfs(s->spool.top, &v) != 0 || elsewhere(s, &v))
        return;
    struct care_disk *d = &s->care->disk;
    if (d->ballast && unlinkat(s->spool.top, BALLAST_NAME, 0) == 0) {
        struct log l = log_begin(LOG_LEVEL_WARNING, "ballast");
        log_text(&l, "text", SLICE("the disk is full: .waybill/reserve is given up"));
        log_end(&l);
    }
    d->ballast = false;
    d->due = clock_monotonic_ms() + LOOK_MS;
    if (d->hit || fstatvfs(s->spool.top, &v) != 0)
        return;
    d->hit = true;
    uint64_t more = room_free(&v) + ROOM_MORE, reserve = room_reserve(&s->site->limits, &v);
    d->wanted = more > reserve ? more : reserve;
}

/* What a full disk held up is tried at once, not when its delay is over. */
static void go_on(struct supervisor *s)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t; t = t->next)
            if (t->b && slice_starts(t->b->w->retry.cause, SLICE("SYS_")))
                t->due = 0;
    reply_again(s);
    if (s->claims_due != INT64_MAX)
        s->claims_due = 0;
    for (size_t i = 0; i < s->nintakes; i++)
        if (!s->intakes[i].every)
            s->intakes[i].due = 0;
}

void disk_open(struct supervisor *s)
{
    struct statvfs v;
    s->care->disk.ballast = faccessat(s->spool.top, BALLAST_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (s->o->watch && fstatvfs(s->spool.top, &v) == 0)
        lay_ballast(s, &v);
}

void disk_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care_disk *d = &s->care->disk;
    struct statvfs v;
    if (!d->full && !d->hit && (d->ballast || !d->due))
        return;
    if (d->due > now) {
        care_wait(wait, now, d->due);
        return;
    }
    d->due = now + LOOK_MS;
    if (fstatvfs(s->spool.top, &v) != 0)
        return;
    if ((d->full || d->hit) && room_free(&v) > d->wanted && room_inodes(&s->site->limits, &v)) {
        struct log l = log_begin(LOG_LEVEL_NOTICE, "room");
        log_number(&l, "free", (int64_t)room_free(&v));
        log_end(&l);
        d->full = d->hit = false;
        go_on(s);
        *wait = 0;
    }
    if (s->o->watch && !d->hit)
        lay_ballast(s, &v);
    if (d->ballast && !d->full && !d->hit)
        d->due = 0;
}
