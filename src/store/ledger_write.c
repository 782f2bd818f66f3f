#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/ledger_private.h"

enum { HELD = 1 << 18 };            /* bytes that are spelled before they go into the file */

static uint64_t length_of(const struct ledger *l)
{
    struct stat st;
    return fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* What a failed attempt left is nobody's: as a group of its own it would count as entered and perhaps be on no disk. */
static int cut(struct ledger *l, struct problems *ps)
{
    l->writing.uncut = ftruncate(l->fd, (off_t)l->end) != 0;
    return l->writing.uncut ? problem_system(ps, l->path, "cannot take back an unfinished line", errno) : OK;
}

/* Once the lock was given up another host may have taken it for entered and have gone on behind it. */
static int cut_left(struct ledger *l, struct problems *ps)
{
    struct writing *w = &l->writing;
    if (w->uncut && length_of(l) == w->left)
        return cut(l, ps);
    w->uncut = false;
    return OK;
}

static int open_writing(struct ledger *l, struct problems *ps)
{
    struct writing *w = &l->writing;
    if (w->open)
        return OK;
    int rc = ledger_lock(l, LOCK_EX, ps);
    if (rc == OK)
        rc = cut_left(l, ps);
    if (rc == OK)
        rc = ledger_catch_up(l, ps);
    if (rc != OK) {
        ledger_unlock(l);
        return rc;
    }
    w->open = true;
    w->at = w->reach = l->end;
    memcpy(w->chain, l->chain, sizeof w->chain);
    return OK;
}

static void close_writing(struct ledger *l)
{
    struct writing *w = &l->writing;
    buf_release(&w->bytes);
    *w = (struct writing){ .unsure = w->unsure, .uncut = w->uncut, .left = w->uncut ? length_of(l) : 0 };
    arena_reset(&l->group);
    ledger_unlock(l);
}

int ledger_begin(struct ledger *l, struct slice batch, struct slice part, struct problems *ps)
{
    int rc = open_writing(l, ps);
    if (rc != OK)
        return rc;
    rc = ledger_has(l, batch, part, ps);
    return rc == OK ? END : rc == END ? OK : rc;
}

/* Of a group without its last line nobody takes notice, so it may be in the file before it is whole. */
static int flush(struct ledger *l, struct problems *ps)
{
    struct writing *w = &l->writing;
    w->reach = w->at + w->bytes.n;
    int err = file_write_all(l->fd, buf_slice(&w->bytes));
    w->at += err ? 0 : w->bytes.n;
    w->bytes.n = 0;
    w->uncut |= err != 0;
    return err ? problem_system(ps, l->path, "cannot append", err) : OK;
}

static int write_line(struct ledger *l, const struct ledger_record *r, const uint64_t *commit, struct problems *ps)
{
    struct writing *w = &l->writing;
    size_t from = w->bytes.n, at = l->n + w->n;
    ledger_line_write(&w->bytes, r, commit, w->chain);
    ARENA_PUSH(l->arena, l->entries, at, l->cap) =
        (struct entry){ .at = w->at + from, .len = (uint32_t)(w->bytes.n - from - 1) };
    w->n++;
    return w->bytes.n < HELD ? OK : flush(l, ps);
}

int ledger_write(struct ledger *l, const struct ledger_record *r, struct problems *ps)
{
    return write_line(l, r, NULL, ps);
}

int ledger_end(struct ledger *l, const struct ledger_record *r, struct problems *ps)
{
    struct writing *w = &l->writing;
    ARENA_PUSH(&l->group, w->ends, w->nends, w->cap) =
        (struct group_end){ ledger_group_hash(r->batch, r->part), (uint32_t)(l->n + w->n) };
    return write_line(l, r, &l->end, ps);
}

/* With its first group the file's name must last as well: 0 or errno. */
static int sync_name(const struct ledger *l)
{
    int fd = openat(l->store->top, "ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = fsync(fd) != 0 && errno != EINVAL ? errno : 0;    /* EINVAL: network file systems */
    close(fd);
    return err;
}

static int sync_lines(struct ledger *l, struct problems *ps)
{
    int err = 0;
    if (l->store->durable && fdatasync(l->fd) != 0)
        err = errno;
    if (err == 0 && l->store->durable && (l->end == 0 || l->writing.unsure))
        err = sync_name(l);
    l->writing.unsure &= err != 0;
    return err ? problem_system(ps, l->path, "cannot append", err) : OK;
}

/* What was written is in the file from now on. */
static void settle(struct ledger *l)
{
    const struct writing *w = &l->writing;
    for (size_t i = 0; i < w->nends; i++)
        ledger_take_group(l, w->ends[i].hash, w->ends[i].entry);
    l->n += w->n;
    l->end = w->at;
    memcpy(l->chain, w->chain, sizeof l->chain);
}

int ledger_commit(struct ledger *l, struct problems *ps)
{
    if (!l->writing.open)
        return OK;
    int rc = flush(l, ps);
    if (rc == OK && (l->writing.n || l->writing.unsure))
        rc = sync_lines(l, ps);
    if (rc != OK) {
        ledger_drop(l, ps);
        return rc;
    }
    settle(l);
    close_writing(l);
    return OK;
}

/* What is cut and written again gets fresh pages: a failed fdatasync is never merely repeated.  Where the lock is none,
   of a host that was paused on a network file system, others may have gone on behind it meanwhile. */
void ledger_drop(struct ledger *l, struct problems *ps)
{
    struct writing *w = &l->writing;
    if (!w->open)
        return;
    if (length_of(l) > w->reach)
        w->uncut = false;
    else if (w->uncut || w->at > l->end)
        cut(l, ps);
    close_writing(l);
}
