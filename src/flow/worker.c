#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flow/super.h"
#include "flow/versions.h"
#include "flow/wire.h"

/* The far end of the port: sentences to the supervisor over one socket, answered in turn. */
struct desk {
    int socket;
    struct buf in, out;             /* what is said next, and needs no answer by itself */
    struct arena answer;
    int spare[WIRE_JOB_FILES];      /* of the job at hand; -1 = none is left */
    bool here;                      /* its input came in the packet, and its lines go in one */
    int input;                      /* where such an input is; -1 = there was none yet */
    size_t held;                    /* … so many bytes */
};

enum { TOLD_FROM = 256 * 1024 };    /* progress of a shorter file is not worth a packet */

/* The supervisor is gone or talks nonsense: nothing is left to work for. */
static void give_up(void)
{
    _exit(0);
}

static void send_packet(struct desk *d, int fd)
{
    if (wire_send(d->socket, &d->out, fd) != 0)
        give_up();
    d->out.n = 0;
}

static struct wire receive_any(struct desk *d, int fds[WIRE_FILES], size_t *nfds)
{
    ssize_t n = wire_receive_files(d->socket, buf_room(&d->in, WIRE_MAX), WIRE_MAX, fds, nfds);
    if (n <= 0)
        give_up();
    return (struct wire){ .at = { d->in.p, (size_t)n }, .arena = &d->answer };
}

static struct wire receive_packet(struct desk *d, enum wire_kind wanted, int *fd_out)
{
    int fds[WIRE_FILES];
    size_t nfds;
    struct wire w = receive_any(d, fds, &nfds);
    *fd_out = nfds ? fds[0] : -1;
    if (wire_get_number(&w) != (uint64_t)wanted || w.bad)
        give_up();
    return w;
}

static int answered(struct wire *w, struct problems *ps)
{
    int status = (int)wire_get_number(w);
    struct slice code = wire_get_text(w), text = wire_get_text(w);
    if (status > WARN)
        problem_addf(ps, PROBLEM_ERROR, arena_cstr(ps->arena, code), (struct place){ .offset = PLACE_NO_OFFSET },
                     "%.*s", SLICE_ARG(text));
    return status;
}

/* A spare descriptor is there for it: nobody must be asked. */
static bool take_spare(struct desk *d, const struct output *o, int *fd_out)
{
    int *spare = &d->spare[o->kind == OUTPUT_FILE ? SPARE_OUTPUT : SPARE_LINES];
    if ((o->kind != OUTPUT_FILE && o->kind != OUTPUT_LINES) || o->target.n || *spare < 0)
        return false;
    *fd_out = *spare;
    *spare = -1;
    wire_number(&d->out, WIRE_TOOK);
    wire_output(&d->out, o);
    return true;
}

static int port_open(void *owner, struct output *o, int *fd_out, struct problems *ps)
{
    struct desk *d = owner;
    if (take_spare(d, o, fd_out))
        return OK;
    wire_number(&d->out, WIRE_OPEN);
    wire_output(&d->out, o);
    send_packet(d, -1);
    struct wire w = receive_packet(d, WIRE_OPENED, fd_out);
    int rc = answered(&w, ps);
    if (rc <= WARN && *fd_out < 0)
        give_up();
    arena_reset(&d->answer);
    return rc;
}

static int port_closed(void *owner, const struct output *o, struct problems *ps)
{
    struct desk *d = owner;
    (void)ps;
    wire_number(&d->out, WIRE_CLOSED);
    wire_output(&d->out, o);
    if (d->out.n > WIRE_MAX / 4)
        send_packet(d, -1);
    return OK;
}

static int port_lease(void *owner, struct slice sequence, uint64_t want, uint64_t *from_out, uint64_t *to_out,
                      struct problems *ps)
{
    struct desk *d = owner;
    int fd;
    wire_number(&d->out, WIRE_LEASE);
    wire_text(&d->out, sequence);
    wire_number(&d->out, want);
    send_packet(d, -1);
    struct wire w = receive_packet(d, WIRE_LEASED, &fd);
    int rc = answered(&w, ps);
    *from_out = wire_get_number(&w);
    *to_out = wire_get_number(&w);
    if (w.bad)
        give_up();
    arena_reset(&d->answer);
    return rc;
}

static int port_companion(void *owner, bool named, struct slice name, struct came *out, struct problems *ps)
{
    struct desk *d = owner;
    wire_number(&d->out, WIRE_COMPANION);
    wire_number(&d->out, named);
    wire_text(&d->out, name);
    send_packet(d, -1);
    struct wire w = receive_packet(d, WIRE_COMPANION_IS, &out->fd);
    int rc = answered(&w, ps);
    out->name = arena_copy(ps->arena, wire_get_text(&w));
    if (w.bad)
        give_up();
    arena_reset(&d->answer);
    return rc;
}

static void port_progress(void *owner, uint64_t bytes, uint64_t messages)
{
    struct desk *d = owner;
    if (bytes < TOLD_FROM)
        return;
    wire_number(&d->out, WIRE_PROGRESS);
    wire_number(&d->out, bytes);
    wire_number(&d->out, messages);
    send_packet(d, -1);
}

static int port_lines(void *owner, const struct output *o, struct slice text, struct problems *ps)
{
    struct desk *d = owner;
    (void)ps;
    if (!d->here || text.n > WIRE_MAX / 4)
        return END;
    wire_number(&d->out, WIRE_LINES);
    wire_output(&d->out, o);
    wire_text(&d->out, text);
    if (d->out.n > WIRE_MAX / 4)
        send_packet(d, -1);
    return OK;
}

static void take_spares(struct desk *d, const int *fds, size_t nfds)
{
    for (size_t i = 1; i < WIRE_JOB_FILES; i++)
        d->spare[i] = fds && i < nfds ? fds[i] : -1;
}

static void close_spares(struct desk *d)
{
    for (size_t i = 1; i < WIRE_JOB_FILES; i++)
        if (d->spare[i] >= 0)
            close(d->spare[i]);
    take_spares(d, NULL, 0);
}

static void port_table(void *owner, const char *sha256, int fd)
{
    struct desk *d = owner;
    wire_number(&d->out, WIRE_TABLE);
    wire_text(&d->out, slice_of(sha256));
    send_packet(d, fd);
}

/* The operation of the site of now, or with the mappings that the batch goes on with; these may be of no use. */
static int find_job(struct versions *versions, struct wire *w, struct job *job, struct table_cache **tables,
                    struct result *out)
{
    const struct site *site;
    struct problems said;
    problems_init(&said, w->arena, 50);
    struct slice config = wire_get_config(w);
    int rc = versions_find(versions, config, &site, tables, &said);
    if (rc <= WARN && wire_get_job(w, site, job) != OK)
        give_up();
    job->config = config;
    struct slice why = config.n ? versions_unfit(rc <= WARN ? job->operation : NULL, &said, w->arena) : SLICE("");
    if (rc <= WARN && !why.n)
        return OK;
    *out = (struct result){ .status = rc == TEMP ? TEMP : STOP, .text = why };
    out->code = rc == TEMP ? SLICE("SYS_IO") : SLICE("CONFIG_GONE");
    problems_init(&out->problems, w->arena, 0);
    problem_add(&out->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = arena_cstr(w->arena, out->code),
                                                   .place = PLACE_NONE, .text = why });
    return STOP;
}

static void work_one(struct desk *d, struct wire *w, int fd, struct versions *versions)
{
    struct arena a;
    struct job job = { .fd = fd };
    struct result result;
    struct port port = { d, port_open, port_closed, port_lease, port_companion, port_progress, port_table, port_lines };
    struct table_cache *tables;
    arena_init(&a, 0);
    w->arena = &a;
    if (fd < 0)
        give_up();
    if (find_job(versions, w, &job, &tables, &result) == OK)
        operation_run(&job, &port, tables, &a, &result);
    if (fd != d->input)
        close(fd);
    close_spares(d);
    if (d->out.n > WIRE_MAX / 4)
        send_packet(d, -1);
    wire_result(&d->out, &result);
    send_packet(d, -1);
    arena_release(&a);
}

/* One file in memory serves all such inputs. */
static bool hold_input(struct desk *d, struct slice bytes)
{
    if (d->input < 0)
        d->input = memfd_create("in", MFD_CLOEXEC);
    bool shorter = d->held > bytes.n;
    if (!shorter)
        d->held = bytes.n;                          /* also when only a part can be written */
    if (d->input < 0 || pwrite(d->input, bytes.p, bytes.n, 0) != (ssize_t)bytes.n)
        return false;
    if (shorter && ftruncate(d->input, (off_t)bytes.n) != 0)
        return false;
    d->held = bytes.n;
    return lseek(d->input, 0, SEEK_SET) == 0;
}

/* A fault of the world, not of the file. */
static void no_input(struct desk *d)
{
    struct result result = { .status = TEMP, .code = SLICE("SYS_IO"), .text = SLICE("no room for the input in memory") };
    problems_init(&result.problems, &d->answer, 0);
    close_spares(d);
    wire_result(&d->out, &result);
    send_packet(d, -1);
}

static void work_here(struct desk *d, struct wire *w, const int *fds, size_t nfds, struct versions *versions)
{
    struct slice input = wire_get_text(w);
    if (w->bad || !input.p || nfds > 1)
        give_up();
    d->spare[SPARE_OUTPUT] = nfds ? fds[0] : -1;
    d->here = true;
    if (hold_input(d, input))
        work_one(d, w, d->input, versions);
    else
        no_input(d);
    d->here = false;
    arena_reset(&d->answer);
}

static void work_long(struct desk *d, const int *fds, struct versions *versions)
{
    struct arena a;
    arena_init(&a, 0);
    struct wire w = wire_long(fds[1], &a);
    if (wire_get_number(&w) != WIRE_JOB)
        give_up();
    work_one(d, &w, fds[0], versions);
    arena_release(&a);
}

/* Work without an operation: on files alone. */
static void work_files(struct desk *d, struct wire *w, const int *fds, size_t nfds,
                       bool (*work)(struct wire *w, const int *fds, size_t nfds, struct buf *answer))
{
    struct arena a;
    arena_init(&a, 0);
    w->arena = &a;
    if (!work(w, fds, nfds, &d->out))
        give_up();
    send_packet(d, -1);
    arena_release(&a);
}

/* Nothing of the supervisor's may live on here: above all not the lock of the site. */
static int only_socket(int socket)
{
    if (socket != 3) {
        if (dup2(socket, 3) < 0)
            _exit(1);
        socket = 3;
    }
    if (close_range(4, ~0u, 0) != 0)
        for (int fd = 4; fd < 1024; fd++)
            close(fd);
    return socket;
}

static void confine(void)
{
    static const struct rlimit none = { 0, 0 };
    sigset_t all;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);                        /* the terminal sends it to all: the supervisor decides */
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

void worker_main(const struct site *site, int socket)
{
    struct desk d = { .socket = only_socket(socket), .input = -1 };     /* first of all: the lock is not ours */
    confine();
    if (getppid() == 1)
        _exit(0);
    arena_hoard();
    struct versions *versions = versions_new(site);
    arena_init(&d.answer, 0);
    take_spares(&d, NULL, 0);
    for (;;) {
        int fds[WIRE_FILES];
        size_t nfds;
        struct wire w = receive_any(&d, fds, &nfds);
        uint64_t kind = wire_get_number(&w);
        if (kind == WIRE_ZIP)
            work_files(&d, &w, fds, nfds, zip_work);
        else if (kind == WIRE_COPY)
            work_files(&d, &w, fds, nfds, copy_work);
        else if (kind == WIRE_SYNC)
            work_files(&d, &w, fds, nfds, sync_work);
        else if (kind == WIRE_BUNDLES)
            work_files(&d, &w, fds, nfds, bundles_work);
        else if (kind == WIRE_JOB_HERE)
            work_here(&d, &w, fds, nfds, versions);
        else if (kind == WIRE_JOB && (nfds == 1 || nfds == WIRE_JOB_FILES)) {
            take_spares(&d, fds, nfds);
            work_one(&d, &w, fds[0], versions);
        }
        else if (kind == WIRE_JOB_LONG && nfds == 2)
            work_long(&d, fds, versions);
        else
            give_up();
    }
}
