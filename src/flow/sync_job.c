#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "flow/super.h"
#include "flow/wire.h"

/* --- the supervisor's side ---------------------------------------------------------------------------------------- */

/* A fault concerns all that was written before it was told, whoever asked: it is told only once. */
static void end(struct supervisor *s, int err)
{
    if (err) {
        s->syncs.faults++;
        problem_system(s->ps, s->site->dir, "cannot write to disk", err);
    }
    s->syncs.over = s->syncs.begun;
}

/* By the opening of our own: it hears also what the process heard and could not tell any more. */
static void sync_here(struct supervisor *s)
{
    end(s, syncfs(s->syncs.own) == 0 ? 0 : errno);
}

static bool under_way(const struct syncs *y)
{
    return y->begun > y->over;
}

/* False: there is no process for it. */
static bool hand_over(struct supervisor *s)
{
    struct helper *h = &s->syncs.helper;
    struct buf packet = { 0 };
    wire_number(&packet, WIRE_SYNC);
    int err = pool_open(s, h) == OK ? wire_send(h->socket, &packet, s->syncs.root) : EPIPE;
    buf_release(&packet);
    return err == 0;
}

/* All that have asked by now share it. */
static void start(struct supervisor *s)
{
    struct syncs *y = &s->syncs;
    if (under_way(y) || y->asked == y->over)
        return;
    y->begun = y->asked;
    if (!hand_over(s))
        sync_here(s);
}

struct sync_point sync_begin(const struct supervisor *s)
{
    return (struct sync_point){ .faults = s->syncs.faults };
}

void sync_ask(struct supervisor *s, struct sync_point *p)
{
    if (!s->o->durable)
        return;
    p->number = ++s->syncs.asked;
    start(s);
}

int sync_over(const struct supervisor *s, const struct sync_point *p)
{
    if (p->faults != s->syncs.faults)
        return TEMP;
    return p->number > s->syncs.over ? END : OK;
}

int sync_answered(struct supervisor *s, struct wire *w)
{
    uint64_t err = wire_get_number(w);
    if (w->bad || !under_way(&s->syncs) || err > INT32_MAX)
        return STOP;
    end(s, (int)err);
    start(s);
    return OK;
}

void sync_lost(struct supervisor *s, bool ours)
{
    struct syncs *y = &s->syncs;
    if (ours)
        y->over = y->begun = y->asked;
    else if (under_way(y))
        sync_here(s);
    start(s);
}

static int open_root(struct supervisor *s, int *fd)
{
    *fd = openat(s->spool.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? problem_system(s->ps, s->site->dir, "cannot open the folder", errno) : OK;
}

int syncs_open(struct supervisor *s)
{
    int rc = open_root(s, &s->syncs.root);
    return rc == OK ? open_root(s, &s->syncs.own) : rc;
}

void syncs_close(struct supervisor *s)
{
    if (s->syncs.root >= 0)
        close(s->syncs.root);
    if (s->syncs.own >= 0)
        close(s->syncs.own);
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

bool sync_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer)
{
    if (w->bad || nfds != 1)
        return false;
    wire_number(answer, WIRE_SYNCED);
    wire_number(answer, syncfs(fds[0]) == 0 ? 0 : (uint64_t)errno);
    close(fds[0]);
    return true;
}
