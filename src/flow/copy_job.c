#include <unistd.h>

#include "flow/super.h"
#include "flow/wire.h"

/* --- the supervisor's side ---------------------------------------------------------------------------------------- */

/* One that somebody asked for, or that a staged batch waits for, is taken before anything else happens. */
static bool may_wait(const struct intake *in, const struct claim *c)
{
    return c->size >= COPY_BY_WORKER && !in->asked && !in->op->take.newest && !flow_stages(in->op->flow);
}

static void hand_over(struct supervisor *s, struct intake *in, struct helper *h, int to)
{
    struct buf packet = { 0 };
    int fds[] = { in->carried.fd, to };
    wire_number(&packet, WIRE_COPY);
    wire_number(&packet, s->site->limits.file);
    wire_number(&packet, s->o->durable);
    h->copies = in;
    if (wire_send_files(h->socket, &packet, fds, 2) != 0)
        pool_give_up(s, h);
    buf_release(&packet);
}

int copy_start(struct supervisor *s, struct intake *in, struct claim *c)
{
    struct helper *h = may_wait(in, c) ? pool_idle(s) : NULL;
    int to, rc = h ? claim_copy_begin(&s->spool, c, &to, s->ps) : END;
    if (rc != OK)
        return rc;
    in->carried = *c;
    in->carrying = true;
    hand_over(s, in, h, to);
    close(to);
    return OK;
}

int copy_answered(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct intake *in = h->copies;
    struct claim *c = &in->carried;
    uint64_t status = wire_get_number(w), bytes = wire_get_number(w);
    struct slice hash = wire_get_text(w);
    if (w->bad || hash.n != SHA256_HEX - 1)
        return STOP;
    h->copies = NULL;
    if (status != OK) {                             /* the supervisor finds the fault itself, and says it */
        copy_lost(s, in, false);
        return OK;
    }
    c->filled = true;
    c->bytes = bytes;
    memcpy(c->sha256, hash.p, hash.n);
    c->sha256[hash.n] = '\0';
    claim_carried(s, in);
    return OK;
}

void copy_lost(struct supervisor *s, struct intake *in, bool ending)
{
    claim_copy_drop(&s->spool, &in->carried);
    if (!ending) {
        claim_carried(s, in);
        return;
    }
    claim_close(&in->carried);                      /* the next start finds the claim */
    in->carrying = false;
}

/* --- the worker's side -------------------------------------------------------------------------------------------- */

bool copy_work(struct wire *w, const int *fds, size_t nfds, struct buf *answer)
{
    struct problems ps;
    char sha256[SHA256_HEX];
    uint64_t most = wire_get_number(w), sync = wire_get_number(w), bytes;
    if (w->bad || nfds != 2)
        return false;
    problems_init(&ps, w->arena, 10);
    int rc = claim_fill(fds[0], fds[1], most, sync != 0, &bytes, sha256, &ps);
    wire_number(answer, WIRE_COPIED);
    wire_number(answer, (uint64_t)rc);
    wire_number(answer, bytes);
    wire_text(answer, slice_of(sha256));
    close(fds[0]);
    close(fds[1]);
    return true;
}
