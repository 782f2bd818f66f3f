#include "flow/wire.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"

#define TEXT_MAX 480                /* bytes of one text of a problem: 50 of them with 5 texts each fit a packet */
#define LIST_MAX 100000
#define LONG_MAX_BYTES (64 << 20)

int wire_send_files(int socket, const struct buf *b, const int *fds, size_t nfds)
{
    struct iovec io = { b->p, b->n };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FILES)];
    } control;
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
    ssize_t n;
    if (nfds > WIRE_FILES)
        return EINVAL;
    if (nfds) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(sizeof *fds * nfds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof *fds * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof *fds * nfds);
    }
    do
        n = sendmsg(socket, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

int wire_send(int socket, const struct buf *b, int fd)
{
    return wire_send_files(socket, b, &fd, fd >= 0);
}

ssize_t wire_receive_files(int socket, char *p, size_t n, int fds[WIRE_FILES], size_t *nfds)
{
    struct iovec io = { p, n };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * WIRE_FILES)];
    } control;
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.room,
                        .msg_controllen = sizeof control.room };
    ssize_t got;
    *nfds = 0;
    do
        got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return got;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && *nfds == 0) {
            *nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
            memcpy(fds, CMSG_DATA(c), *nfds * sizeof *fds);
        }
    return got;
}

ssize_t wire_receive(int socket, char *p, size_t n, int *fd_out)
{
    int fds[WIRE_FILES];
    size_t nfds;
    ssize_t got = wire_receive_files(socket, p, n, fds, &nfds);
    *fd_out = nfds ? fds[0] : -1;
    for (size_t i = 1; i < nfds; i++)
        close(fds[i]);
    return got;
}

static void wire_counted(struct buf *b, const struct skip_count *list, size_t n)
{
    wire_number(b, n);
    for (size_t i = 0; i < n; i++) {
        wire_text(b, list[i].code);
        wire_number(b, list[i].count);
    }
}

/* What only jobs of flows that stage have. */
static void wire_staging(struct buf *b, const struct job *j)
{
    wire_number(b, j->sets.n);
    for (size_t i = 0; i < j->sets.n; i++) {
        wire_text(b, j->sets.list[i].name);
        wire_text(b, j->sets.list[i].value);
    }
    wire_number(b, j->nselection);
    for (size_t i = 0; i < j->nselection; i++)
        wire_text(b, j->selection[i]);
    wire_number(b, j->nopen);
    for (size_t i = 0; i < j->nopen; i++) {
        wire_text(b, j->open[i].batch);
        wire_text(b, slice_of(j->open[i].path));
        wire_number(b, j->open[i].applied);
    }
    wire_number(b, j->nlogs);
    for (size_t i = 0; i < j->nlogs; i++) {
        wire_text(b, slice_of(j->logs[i].path));
        wire_number(b, j->logs[i].size);
        wire_text(b, slice_of(j->logs[i].sha256));
    }
    wire_number(b, j->before ? j->operation->ngives : 0);
    for (size_t i = 0; j->before && i < j->operation->ngives; i++)
        wire_number(b, j->before[i]);
    wire_number(b, j->namends);
    for (size_t i = 0; i < j->namends; i++) {
        wire_text(b, j->amends[i].message);
        wire_text(b, j->amends[i].path);
        wire_text(b, j->amends[i].value);
    }
    wire_number(b, j->unpack);
    wire_text(b, slice_of(j->original ? j->original : ""));
    wire_number(b, j->calls.phase);
    wire_number(b, j->calls.message);
    wire_number(b, j->calls.give);
    wire_number(b, j->calls.over);
    wire_number(b, j->calls.late);
    wire_text(b, j->asked);
    wire_number(b, j->asked_message);
}

static void job_itself(struct buf *b, const struct job *j)
{
    wire_text(b, j->config);
    wire_number(b, j->operation->flow->index);
    wire_number(b, j->operation->index);
    wire_text(b, j->batch);
    wire_text(b, j->file);
    wire_text(b, j->time);
    wire_text(b, j->last_run);
    wire_number(b, j->size);
    wire_number(b, j->attempt);
    wire_number(b, j->nleases);
    for (size_t i = 0; i < j->nleases; i++) {
        wire_text(b, j->leases[i].sequence);
        wire_number(b, j->leases[i].from);
        wire_number(b, j->leases[i].to);
    }
    wire_staging(b, j);
}

void wire_job(struct buf *b, const struct job *j)
{
    wire_number(b, WIRE_JOB);
    job_itself(b, j);
}

void wire_job_here(struct buf *b, const struct job *j, struct slice input)
{
    wire_number(b, WIRE_JOB_HERE);
    wire_text(b, input);
    job_itself(b, j);
}

int wire_send_long(int socket, enum wire_kind kind, const struct buf *b, const int *fds, size_t nfds)
{
    struct buf packet = { 0 };
    int all[WIRE_FILES], err = nfds < WIRE_FILES ? 0 : E2BIG, text = err ? -1 : memfd_create("job", MFD_CLOEXEC);
    if (text < 0)
        return err ? err : errno;
    memcpy(all, fds, nfds * sizeof *fds);
    all[nfds] = text;
    wire_number(&packet, kind);
    err = file_write_all(text, buf_slice(b));
    if (err == 0)
        err = wire_send_files(socket, &packet, all, nfds + 1);
    close(text);
    buf_release(&packet);
    return err;
}

int wire_send_job(int socket, const struct buf *b, const int *fds, size_t nfds)
{
    if (b->n <= WIRE_MAX)
        return wire_send_files(socket, b, fds, nfds);
    return wire_send_long(socket, WIRE_JOB_LONG, b, fds, 1);
}

struct wire wire_long(int fd, struct arena *a)
{
    struct wire w = { .bad = true, .arena = a };
    off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && size <= LONG_MAX_BYTES && lseek(fd, 0, SEEK_SET) == 0) {
        char *p = arena_alloc(a, (size_t)size);
        w.at = (struct slice){ p, (size_t)size };
        w.bad = file_read_full(fd, p, (size_t)size) != size;
    }
    close(fd);
    return w;
}

static size_t get_count(struct wire *w)
{
    uint64_t n = wire_get_number(w);
    if (n > LIST_MAX)
        w->bad = true;
    return w->bad ? 0 : (size_t)n;
}

static void get_leases(struct wire *w, struct lease_range **list, size_t *n)
{
    *n = get_count(w);
    *list = arena_zero(w->arena, (*n + 1) * sizeof **list);
    for (size_t i = 0; i < *n; i++) {
        (*list)[i].sequence = wire_get_text(w);
        (*list)[i].from = wire_get_number(w);
        (*list)[i].to = wire_get_number(w);
    }
}

static void get_hex(struct wire *w, char out[SHA256_HEX])
{
    struct slice hex = wire_get_text(w);
    if (hex.n >= SHA256_HEX)
        w->bad = true;
    else if (hex.n)
        memcpy(out, hex.p, hex.n);
}

static const char *get_path(struct wire *w)
{
    struct slice path = wire_get_text(w);
    return arena_cstr(w->arena, path.p ? path : SLICE(""));
}

static struct skip_count *get_counted(struct wire *w, size_t *n)
{
    *n = get_count(w);
    struct skip_count *list = arena_zero(w->arena, (*n + 1) * sizeof *list);
    for (size_t i = 0; i < *n; i++) {
        list[i].code = wire_get_text(w);
        list[i].count = wire_get_number(w);
    }
    return list;
}

static void get_files(struct wire *w, struct job *j)
{
    j->nopen = get_count(w);
    j->open = arena_zero(w->arena, (j->nopen + 1) * sizeof *j->open);
    for (size_t i = 0; i < j->nopen; i++) {
        j->open[i].batch = wire_get_text(w);
        j->open[i].path = get_path(w);
        j->open[i].applied = wire_get_number(w) != 0;
    }
    j->nlogs = get_count(w);
    j->logs = arena_zero(w->arena, (j->nlogs + 1) * sizeof *j->logs);
    for (size_t i = 0; i < j->nlogs; i++) {
        j->logs[i].path = get_path(w);
        j->logs[i].size = wire_get_number(w);
        get_hex(w, j->logs[i].sha256);
    }
}

static void get_staging(struct wire *w, struct job *j)
{
    j->sets.n = j->sets.cap = get_count(w);
    j->sets.list = arena_zero(w->arena, (j->sets.n + 1) * sizeof *j->sets.list);
    for (size_t i = 0; i < j->sets.n; i++) {
        j->sets.list[i].name = wire_get_text(w);
        j->sets.list[i].value = wire_get_text(w);
    }
    j->nselection = get_count(w);
    j->selection = arena_zero(w->arena, (j->nselection + 1) * sizeof *j->selection);
    for (size_t i = 0; i < j->nselection; i++)
        j->selection[i] = wire_get_text(w);
    get_files(w, j);
    size_t ngives = get_count(w);
    if (ngives != 0 && ngives != j->operation->ngives)
        w->bad = true;
    j->before = w->bad || !ngives ? NULL : arena_zero(w->arena, ngives * sizeof *j->before);
    for (size_t i = 0; j->before && i < ngives; i++)
        j->before[i] = (uint32_t)wire_get_number(w);
    j->namends = get_count(w);
    j->amends = arena_zero(w->arena, (j->namends + 1) * sizeof *j->amends);
    for (size_t i = 0; i < j->namends; i++) {
        j->amends[i].message = wire_get_text(w);
        j->amends[i].path = wire_get_text(w);
        j->amends[i].value = wire_get_text(w);
    }
    j->unpack = wire_get_number(w) != 0;
    j->original = get_path(w);
    uint64_t phase = wire_get_number(w);
    j->calls.phase = phase <= CALL_LAST ? (enum call_phase)phase : CALL_NONE;
    j->calls.message = wire_get_number(w);
    j->calls.give = (uint32_t)wire_get_number(w);
    j->calls.over = wire_get_number(w) != 0;
    j->calls.late = wire_get_number(w) != 0;
    j->asked = wire_get_text(w);
    j->asked_message = wire_get_number(w);
}

struct slice wire_get_config(struct wire *w)
{
    return wire_get_text(w);
}

int wire_get_job(struct wire *w, const struct site *site, struct job *j)
{
    uint64_t flow = wire_get_number(w), operation = wire_get_number(w);
    if (w->bad || flow >= site->nflows || operation >= site->flows[flow]->noperations)
        return STOP;
    j->operation = site->flows[flow]->operations[operation];
    j->batch = wire_get_text(w);
    j->file = wire_get_text(w);
    j->time = wire_get_text(w);
    j->last_run = wire_get_text(w);
    j->size = wire_get_number(w);
    j->attempt = (uint32_t)wire_get_number(w);
    get_leases(w, &j->leases, &j->nleases);
    get_staging(w, j);
    if (j->namends) {                               /* no operation of the flow */
        struct operation *amend = arena_alloc(w->arena, sizeof *amend);
        *amend = operation_by_hand(site->flows[flow], SLICE("amend"));
        j->operation = amend;
    }
    return w->bad ? STOP : OK;
}

void wire_output(struct buf *b, const struct output *o)
{
    wire_number(b, o->kind);
    wire_number(b, o->give ? o->give->index : UINT64_MAX);
    wire_text(b, o->name);
    wire_number(b, o->number);
    wire_number(b, o->bytes);
    wire_number(b, o->messages);
    wire_text(b, slice_of(o->sha256));
    wire_text(b, o->target);
    wire_counted(b, o->states, o->nstates);
    wire_number(b, o->unfinished);
}

/* Which outputs name a give, which a batch. */
static bool output_fits(const struct output *o, const struct operation *op)
{
    switch (o->kind) {
    case OUTPUT_FILE:
        return o->give != NULL;
    case OUTPUT_TABLE:
        return o->give ? o->give->kind == GIVE_TABLE : op->take.kind == TAKE_TABLE;
    case OUTPUT_STAGE:
    case OUTPUT_LOG:
        return o->target.n > 0;
    case OUTPUT_MEMBER:
        return op->take.unpack;
    case OUTPUT_REJECTED:
    case OUTPUT_LINES:
    case OUTPUT_LEDGER:
        return true;
    }
    return false;
}

int wire_get_output(struct wire *w, const struct operation *op, struct output *o)
{
    *o = (struct output){ .kind = (enum output_kind)wire_get_number(w) };
    uint64_t give = wire_get_number(w);
    o->name = wire_get_text(w);
    o->number = (uint32_t)wire_get_number(w);
    o->bytes = wire_get_number(w);
    o->messages = wire_get_number(w);
    get_hex(w, o->sha256);
    o->target = wire_get_text(w);
    o->states = get_counted(w, &o->nstates);
    o->unfinished = wire_get_number(w) != 0;
    if (give != UINT64_MAX && give >= op->ngives)
        w->bad = true;
    o->give = !w->bad && give != UINT64_MAX ? op->gives[give] : NULL;
    if (!w->bad && !output_fits(o, op))
        w->bad = true;
    return w->bad ? STOP : OK;
}

/* Not more than fits, and not in the middle of a character. */
static struct slice shortened(struct slice text)
{
    if (text.n <= TEXT_MAX)
        return text;
    size_t n = TEXT_MAX;
    while (n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    return (struct slice){ text.p, n };
}

static void wire_problem(struct buf *b, const struct problem *p)
{
    wire_number(b, p->severity);
    wire_text(b, slice_of(p->code));
    wire_text(b, slice_of(p->place.file));
    wire_number(b, p->place.line);
    wire_number(b, p->place.column);
    wire_number(b, p->place.width);
    wire_number(b, p->message);
    wire_number(b, p->count);
    wire_text(b, shortened(p->path));
    wire_text(b, shortened(p->value));
    wire_text(b, shortened(p->text));
    wire_text(b, shortened(p->hint));
    wire_text(b, shortened(p->source));
}

static void get_problem(struct wire *w, struct problems *ps)
{
    struct problem *p = arena_zero(w->arena, sizeof *p);
    struct slice file;
    uint64_t severity = wire_get_number(w);
    p->severity = severity < PROBLEM_ERROR ? (enum severity)severity : PROBLEM_ERROR;
    p->code = arena_cstr(w->arena, wire_get_text(w));
    file = wire_get_text(w);
    p->place.file = file.p ? arena_cstr(w->arena, file) : NULL;
    p->place.offset = PLACE_NO_OFFSET;
    p->place.line = (uint32_t)wire_get_number(w);
    p->place.column = (uint32_t)wire_get_number(w);
    p->place.width = (uint32_t)wire_get_number(w);
    p->message = wire_get_number(w);
    p->count = wire_get_number(w);
    p->path = wire_get_text(w);
    p->value = wire_get_text(w);
    p->text = wire_get_text(w);
    p->hint = wire_get_text(w);
    p->source = wire_get_text(w);
    problem_add(ps, p);
    ps->last->count = p->count;
}

/* The groups that the waybill takes over have the worker's counts. */
static void keep_counts(struct problems *ps)
{
    const struct problem *groups[LIST_MAX / 1000];
    const struct problem *p = ps->first;
    size_t n = problems_groups(ps, groups, LIST_MAX / 1000);
    for (size_t i = 0; i < n && i < LIST_MAX / 1000 && p && n == ps->n; i++, p = p->next)
        ((struct problem *)(uintptr_t)groups[i])->count = p->count;
}

static void wire_counts(struct buf *b, const struct result *r)
{
    const uint64_t counts[] = { r->messages, r->done, r->skipped, r->waiting, r->rejected, r->warnings, r->notes };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        wire_number(b, counts[i]);
    wire_counted(b, r->skips, r->nskips);
    wire_counted(b, r->states, r->nstates);
    wire_number(b, r->called);
    wire_number(b, r->call_message);
    wire_text(b, r->call_key);
    wire_number(b, r->call_give);
}

void wire_result(struct buf *b, const struct result *r)
{
    wire_number(b, WIRE_RESULT);
    wire_number(b, (uint64_t)r->status);
    wire_text(b, r->code);
    wire_text(b, shortened(r->text));
    wire_counts(b, r);
    wire_number(b, r->ntables);
    for (size_t i = 0; i < r->ntables; i++) {
        wire_text(b, r->tables[i].name);
        wire_text(b, slice_of(r->tables[i].sha256));
        wire_number(b, r->tables[i].rows);
        wire_number(b, r->tables[i].ledger);
    }
    wire_number(b, r->nleases);
    for (size_t i = 0; i < r->nleases; i++) {
        wire_text(b, r->leases[i].sequence);
        wire_number(b, r->leases[i].from);
        wire_number(b, r->leases[i].to);
    }
    wire_number(b, r->problems.errors);
    wire_number(b, r->problems.warnings);
    wire_number(b, r->problems.notes);
    wire_number(b, r->problems.n);
    for (const struct problem *p = r->problems.first; p; p = p->next)
        wire_problem(b, p);
}

static void get_counts(struct wire *w, struct result *r)
{
    uint64_t *counts[] = { &r->messages, &r->done, &r->skipped, &r->waiting, &r->rejected, &r->warnings, &r->notes };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = wire_get_number(w);
    r->skips = get_counted(w, &r->nskips);
    r->states = get_counted(w, &r->nstates);
    r->called = wire_get_number(w) != 0;
    r->call_message = wire_get_number(w);
    r->call_key = wire_get_text(w);
    r->call_give = (uint32_t)wire_get_number(w);
}

static void get_tables(struct wire *w, struct result *r)
{
    r->ntables = get_count(w);
    r->tables = arena_zero(w->arena, (r->ntables + 1) * sizeof *r->tables);
    for (size_t i = 0; i < r->ntables; i++) {
        r->tables[i].name = wire_get_text(w);
        get_hex(w, r->tables[i].sha256);
        r->tables[i].rows = wire_get_number(w);
        r->tables[i].ledger = wire_get_number(w) != 0;
    }
}

/* The outputs themselves were told one by one (WIRE_OPEN, and again when they were complete). */
int wire_get_result(struct wire *w, struct result *r)
{
    r->status = (int)wire_get_number(w);
    r->code = wire_get_text(w);
    r->text = wire_get_text(w);
    get_counts(w, r);
    get_tables(w, r);
    get_leases(w, &r->leases, &r->nleases);
    problems_init(&r->problems, w->arena, 0);
    uint64_t errors = wire_get_number(w), warnings = wire_get_number(w), notes = wire_get_number(w);
    size_t n = get_count(w);
    for (size_t i = 0; i < n && !w->bad; i++)
        get_problem(w, &r->problems);
    keep_counts(&r->problems);
    r->problems.errors = (size_t)errors;
    r->problems.warnings = (size_t)warnings;
    r->problems.notes = (size_t)notes;
    return w->bad || r->status < OK || r->status > TEMP ? STOP : OK;
}
