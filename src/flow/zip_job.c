#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "flow/super.h"
#include "flow/wire.h"

#define TEXT_MAX (WIRE_MAX / 2)     /* of the waybill and all names: a longer one stays with the supervisor */

struct trip *zip_next(struct supervisor *s)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        for (struct trip *t = s->flows[i].first; t && s->flows[i].in[TRIP_TO_ZIP]; t = t->next)
            if (t->state == TRIP_TO_ZIP)
                return t;
    return NULL;
}

static void wire_member(struct buf *b, const struct archived_member *m)
{
    wire_text(b, slice_of(m->name));
    wire_text(b, m->original);
    wire_text(b, m->path ? slice_none() : m->bytes);
    wire_text(b, slice_of(m->sha256 ? m->sha256 : ""));
}

static struct archived_member get_member(struct wire *w, const int *fds, size_t nfds, size_t *used)
{
    struct archived_member m = { .name = arena_cstr(w->arena, wire_get_text(w)) };
    m.original = wire_get_text(w);
    m.bytes = wire_get_text(w);
    m.sha256 = arena_cstr(w->arena, wire_get_text(w));
    if (m.bytes.p || w->bad)
        return m;
    if (*used == nfds) {
        w->bad = true;
        return m;
    }
    m.dir = fds[(*used)++];
    m.path = m.name;
    m.opened = true;
    return m;
}

/* --- the supervisor's side ---------------------------------------------------------------------------------------- */

static void close_files(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

/* The zip and the files that go into it. fds[0] stays the trip's. False: not for a worker. */
static bool gather(const struct batch_zip *z, int fds[WIRE_FILES], size_t *nfds, struct buf *packet)
{
    fds[0] = z->fd;
    *nfds = 1;
    for (size_t i = 0; i < z->n; i++) {
        const struct archived_member *m = &z->members[i];
        wire_member(packet, m);
        if (!m->path)
            continue;
        int fd = *nfds < WIRE_FILES ? openat(m->dir, m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd < 0)
            return false;
        fds[(*nfds)++] = fd;
    }
    return packet->n <= TEXT_MAX;
}

static void pack_here(struct supervisor *s, struct trip *t)
{
    struct batch_zip *z = &t->zip;
    int rc = archived_fill(z->fd, t->b->id, z->members, z->n, s->ps);
    step_archived(s, t, batch_zip_end(t->b, z, rc, s->ps));
}

static void hand_over(struct supervisor *s, struct trip *t, struct helper *h, const struct buf *packet, const int *fds,
                      size_t nfds)
{
    int err = wire_send_files(h->socket, packet, fds, nfds);
    trip_to(s, t, TRIP_ZIPPING);
    pool_give(h, t);
    if (err)
        pool_give_up(s, h);
}

void zip_start(struct supervisor *s, struct trip *t)
{
    struct buf packet = { 0 };
    struct helper *h = pool_idle(s);
    int fds[WIRE_FILES];
    size_t nfds = 1;
    int rc = batch_zip_begin(t->b, &t->zip, s->ps);
    if (rc == END)
        rc = batch_zip_end(t->b, &t->zip, OK, s->ps);
    if (rc > WARN || t->zip.fd < 0) {
        step_archived(s, t, rc);
        return;
    }
    wire_number(&packet, WIRE_ZIP);
    wire_text(&packet, slice_of(t->b->id));
    wire_number(&packet, t->zip.n);
    if (gather(&t->zip, fds, &nfds, &packet) && h)
        hand_over(s, t, h, &packet, fds, nfds);
    else
        pack_here(s, t);
    close_files(fds + 1, nfds - 1);
    buf_release(&packet);
}

int zip_answered(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    int status = (int)wire_get_number(w);
    struct slice code = wire_get_text(w), text = wire_get_text(w);
    if (w->bad || status < OK || status > TEMP)
        return STOP;
    h->trip = NULL;
    t->helper = NULL;
    if (status > WARN)
        problem_addf(s->ps, PROBLEM_ERROR, arena_cstr(&t->arena, code),
                     (struct place){ .file = t->b->id, .offset = PLACE_NO_OFFSET }, "%.*s", SLICE_ARG(text));
    step_archived(s, t, batch_zip_end(t->b, &t->zip, status, s->ps));
    return OK;
}

void zip_lost(struct supervisor *s, struct trip *t, bool later)
{
    trip_to(s, t, TRIP_TO_ZIP);
    if (!later && ftruncate(t->zip.fd, 0) == 0 && lseek(t->zip.fd, 0, SEEK_SET) == 0)
        pack_here(s, t);
    else
        batch_zip_end(t->b, &t->zip, TEMP, s->ps);
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

bool zip_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer)
{
    struct problems ps;
    const char *batch = arena_cstr(w->arena, wire_get_text(w));
    uint64_t n = wire_get_number(w);
    size_t used = 1;
    if (w->bad || n > WIRE_MAX / 32 || nfds == 0)
        return false;
    struct archived_member *members = arena_zero(w->arena, ((size_t)n + 1) * sizeof *members);
    for (size_t i = 0; i < n; i++)
        members[i] = get_member(w, fds, nfds, &used);
    if (w->bad)
        return false;
    problems_init(&ps, w->arena, 10);
    int rc = archived_fill(fds[0], batch, members, (size_t)n, &ps);
    const struct problem *p = ps.last;
    wire_number(answer, WIRE_ZIPPED);
    wire_number(answer, (uint64_t)rc);
    wire_text(answer, p ? slice_of(p->code) : slice_none());
    wire_text(answer, p ? p->text : slice_none());
    close_files(fds, nfds);
    return true;
}
