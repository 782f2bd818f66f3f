#include <unistd.h>

#include "drop/inbox.h"
#include "flow/work.h"
#include "store/unpack.h"

struct unpacked {
    const struct job *job;
    const struct port *port;
    struct arena arena;
    struct output output;           /* of the member at hand */
    int fd;
    uint64_t members;
};

static int take(void *owner, struct slice name, size_t number, int *fd_out, struct problems *ps)
{
    struct unpacked *u = owner;
    arena_reset(&u->arena);
    u->output = (struct output){ .kind = OUTPUT_MEMBER, .number = (uint32_t)number,
                                 .name = arena_copy(&u->arena, name) };
    int rc = u->port->open(u->port->owner, &u->output, &u->fd, ps);
    *fd_out = u->fd;
    return rc;
}

static int done(void *owner, size_t number, uint64_t bytes, const char *sha256, struct problems *ps)
{
    struct unpacked *u = owner;
    (void)number;
    u->output.bytes = bytes;
    memcpy(u->output.sha256, sha256, sizeof u->output.sha256);
    close(u->fd);
    u->fd = -1;
    u->members++;
    return u->port->closed(u->port->owner, &u->output, ps);
}

/* All members or none: the result refuses the archive for one that is wrong. */
int job_unpack(const struct job *job, const struct port *port, struct result *out)
{
    const struct limits *l = &job->operation->flow->site->limits;
    struct unpack_limits limits = { .members = l->unpack_members, .bytes = l->unpack_bytes, .ratio = l->unpack_ratio };
    struct unpacked u = { .job = job, .port = port, .fd = -1 };
    struct unpack_take to = { &u, take, done, inbox_temporary };
    arena_init(&u.arena, 0);
    out->status = unpack_run(job->fd, job->file, &limits, &to, &out->problems);
    if (u.fd >= 0)
        close(u.fd);
    if (out->status > WARN && out->problems.first) {
        out->code = slice_of(out->problems.first->code);
        out->text = out->problems.first->text;
    } else if (out->status > WARN)
        out->code = SLICE("SYS_IO");
    out->messages = out->done = u.members;
    arena_release(&u.arena);
    return out->status;
}
