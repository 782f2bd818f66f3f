#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/lines.h"
#include "batch/wave.h"
#include "flow/super.h"
#include "flow/wire.h"
#include "store/sequence.h"

int pool_open(struct supervisor *s, struct helper *h)
{
    int pair[2], room = WIRE_MAX * 2;
    if (h->pid)
        return OK;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return problem_system(s->ps, NULL, "no socket for a worker", errno);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        int err = errno;
        close(pair[0]);
        close(pair[1]);
        return problem_system(s->ps, NULL, "no process for a worker", err);
    }
    if (pid == 0)
        worker_main(s->site, pair[1]);
    close(pair[1]);
    *h = (struct helper){ .pid = pid, .socket = pair[0] };
    return OK;
}

static bool has_work(const struct helper *h)
{
    return h->trip || h->copies || h->bundles;
}

/* One that is free; a new one only when all that are there have work. */
struct helper *pool_idle(struct supervisor *s)
{
    struct helper *unused = NULL;
    for (unsigned i = 0; i < s->nhelpers; i++) {
        struct helper *h = &s->helpers[i];
        if (h->pid && !has_work(h) && !h->ending)
            return h;
        if (!h->pid && !unused)
            unused = h;
    }
    if (unused && pool_open(s, unused) != OK) {
        notice_problems(s, s->ps);
        return NULL;
    }
    return unused;
}

size_t pool_busy(const struct supervisor *s)
{
    size_t n = 0;
    for (unsigned i = 0; i < s->nhelpers; i++)
        n += s->helpers[i].pid && has_work(&s->helpers[i]);
    return n;
}

static int64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A file that was in a worker's hands when the whole program died is counted before it starts again. */
static int count_start(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    if (!t->recovered)
        return OK;
    t->recovered = false;
    if (w->retry.attempts >= RESTARTS_MAX)
        return SKIP;
    w->retry.attempts++;
    return batch_save(t->b, s->ps);
}

void pool_give(struct helper *h, struct trip *t)
{
    t->helper = h;
    h->trip = t;
    h->cpu_ms = cpu_of(h->pid);
    h->since = clock_monotonic_ms();
}

/* Of a batch afloat: it goes into the log of its wave. */
static int open_memory(struct trip_file *f, struct problems *ps)
{
    f->memory = true;
    f->fd = memfd_create(f->name, MFD_CLOEXEC);
    return f->fd < 0 ? problem_system(ps, f->name, "cannot be created in memory", errno) : OK;
}

static int open_plain(struct trip *t, struct trip_file *f, struct problems *ps)
{
    f->fd = batch_open_file(t->b, f->name, O_RDWR | O_TRUNC, 0600);
    return f->fd < 0 ? problem_system(ps, f->name, "cannot be created in work/", errno) : OK;
}

static int open_lines(struct trip *t, struct trip_file *f, struct problems *ps)
{
    return t->b->wave ? open_memory(f, ps) : open_plain(t, f, ps);
}

static char *lines_name(struct trip *t)
{
    return arena_cstr(&t->arena, arena_printf(&t->arena, "%s.lines.%u.jsonl", t->b->id, lines_next(t->b->w)));
}

/* The worker of a short file is given what it most likely asks for: an output, and the lines. */
static bool make_spares(struct supervisor *s, struct trip *t, int fds[WIRE_JOB_FILES])
{
    struct trip_file *f;
    if (t->op->take.kind != TAKE_INBOX || flow_stages(t->op->flow) || t->b->w->bytes > BATCH_WAVE_FILE || t->b->w->run)
        return false;
    f = arena_zero(&t->arena, sizeof *f);
    f->name = lines_name(t);
    if (batch_spare(t->b, &fds[SPARE_OUTPUT], s->ps) > WARN)
        return false;
    if (open_lines(t, f, s->ps) > WARN) {
        batch_spare_drop(t->b);
        return false;
    }
    fds[SPARE_LINES] = f->fd;
    t->spare_lines = f;
    return true;
}

/* A short input that is in memory goes in the packet, and so do its lines, which end in memory again: no file is made
   for either. */
static struct slice input_here(const struct trip *t)
{
    bool plain = t->op->take.kind == TAKE_INBOX && !t->op->take.unpack && !flow_stages(t->op->flow) && !t->b->w->run;
    return plain ? batch_input_text(t->b) : slice_none();
}

/* 0 or errno. */
static int send_here(struct supervisor *s, struct trip *t, struct helper *h, struct slice input)
{
    struct buf packet = { 0 };
    struct job job = { .fd = -1 };
    int fd;
    job_of(s, t, &job);
    wire_job_here(&packet, &job, input);
    if (batch_spare(t->b, &fd, s->ps) > WARN)
        fd = -1;                                    /* it asks, and is told */
    int err = wire_send(h->socket, &packet, fd);
    buf_release(&packet);
    return err;
}

/* 0 or errno. Closes job->fd. */
static int send_job(struct supervisor *s, struct trip *t, struct helper *h, struct job *job)
{
    int fds[WIRE_JOB_FILES] = { job->fd };
    struct buf packet = { 0 };
    bool unpack = job->unpack;
    job_of(s, t, job);
    job->unpack = unpack;
    wire_job(&packet, job);
    bool spares = !unpack && make_spares(s, t, fds);
    int err = wire_send_job(h->socket, &packet, fds, spares ? WIRE_JOB_FILES : 1);
    close(fds[0]);
    buf_release(&packet);
    return err;
}

static int open_input(struct supervisor *s, struct trip *t, struct job *job)
{
    int rc = job_input(s, t, &job->fd);
    if (rc <= WARN && (rc = unpack_wanted(t->op, job->fd, &job->unpack)) > WARN)
        close(job->fd);
    return rc;
}

/* The worker died while it had nothing to do, or the system is short of something: the file has not been looked at. */
static void unsent(struct supervisor *s, struct trip *t, struct helper *h)
{
    h->trip = NULL;
    t->helper = NULL;
    pool_give_up(s, h);
    if (++s->unsent > UNSENT) {
        trip_retry(s, t, "SYS_IO");
        return;
    }
    trip_close_files(t);
    trip_to(s, t, TRIP_QUEUED);
}

int pool_start(struct supervisor *s, struct trip *t)
{
    bool again = t->op == &s->by_hand[t->op->flow->index].resend;
    struct helper *h = again ? NULL : pool_idle(s);
    struct job job = { .fd = -1 };
    if (!h && !again)
        return END;
    if (!trip_folder_open(s, t))
        return OK;
    if (t->op->last_run && !ran_known(s, t->op)) {  /* it would take what it took before */
        trip_retry(s, t, "SYS_IO");
        return OK;
    }
    if (t->recovered || t->b->w->retry.attempts || t->b->w->run)
        trip_clear(s, t);
    batch_restart(t->b);
    job_pins(s, t);
    int rc = count_start(s, t);
    if (rc == SKIP)
        return step_reject(s, t, "WORKER_DIED", SLICE("the program died again and again while this file was worked on"));
    if (rc <= WARN && again)
        return step_resend(s, t), OK;
    if (rc <= WARN && !t->waved)
        rc = batch_land(t->b, s->ps);
    struct slice here = input_here(t);
    if (rc <= WARN && !here.p)
        rc = open_input(s, t, &job);
    if (rc > WARN) {
        trip_retry(s, t, "SYS_IO");
        return OK;
    }
    int err = here.p ? send_here(s, t, h, here) : send_job(s, t, h, &job);
    trip_to(s, t, TRIP_RUNNING);
    t->faults = s->syncs.faults;
    pool_give(h, t);
    if (err)
        unsent(s, t, h);
    else
        s->unsent = 0;
    return OK;
}

/* What the worker asks. */

/* TEMP: it could not be told, and would wait for the answer for ever. A dead one is noticed by its silence. */
static void begin_reply(struct buf *b, enum wire_kind kind, int status, const struct problems *ps)
{
    const struct problem *p = ps->last;
    wire_number(b, kind);
    wire_number(b, (uint64_t)status);
    wire_text(b, status > WARN && p ? slice_of(p->code) : slice_none());
    wire_text(b, status > WARN && p ? p->text : slice_none());
}

static int end_reply(struct helper *h, struct buf *b, int fd)
{
    int err = wire_send(h->socket, b, fd);
    buf_release(b);
    return err == 0 || err == EPIPE || err == ECONNRESET ? OK : TEMP;
}

static int reply(struct helper *h, enum wire_kind kind, int status, const struct problems *ps, const uint64_t *numbers,
                 size_t n, int fd)
{
    struct buf b = { 0 };
    begin_reply(&b, kind, status, ps);
    for (size_t i = 0; i < n; i++)
        wire_number(&b, numbers[i]);
    return end_reply(h, &b, fd);
}

/* A staged document, of its own batch or of another, or the part of the log that goes to another. */
static int open_staged(struct supervisor *s, struct trip *t, struct trip_file *f, const struct output *o)
{
    struct slice name;
    int rc = SKIP;
    if (!flow_stages(t->op->flow))
        return STOP;
    if (!slice_equal(o->target, t->b->w->batch)) {
        char id[BATCH_ID_SIZE];
        snprintf(id, sizeof id, "%.*s", o->target.n < BATCH_ID_SIZE ? (int)o->target.n : 0, o->target.p);
        struct open *known = open_find(s, id);
        if (!known || t->op->take.kind != TAKE_INBOX)
            return STOP;                            /* a batch that it was not told of */
    }
    rc = o->kind == OUTPUT_STAGE ? batch_stage_file(t->b, o->target, &name, &f->fd, s->ps)
                                 : batch_log_file(t->b, o->target, &name, &f->fd, s->ps);
    if (rc <= WARN) {
        f->name = arena_cstr(&t->arena, name);
        f->target = arena_copy(&t->arena, o->target);
    }
    return rc;
}

static bool is_named(const struct trip *t, const char *name)
{
    for (const struct trip_file *f = t->files; f; f = f->next)
        if (f->kind == OUTPUT_REJECTED && strcmp(f->name + strlen("rejects/"), name) == 0)
            return true;
    return false;
}

/* A companion under the name that it came with, unless cleaned that is one of the others. */
static int open_rejects(struct trip *t, struct trip_file *f, const struct output *o, struct problems *ps)
{
    char name[OUTBOX_NAME_SIZE];
    outbox_name(o->number >= ASIDE_ATTACHED ? companion_entry(t, o->name)
                : o->number                 ? companion_name(t, o->name) : o->name, name);
    if (is_named(t, name))
        snprintf(name, sizeof name, "companion.%u", o->number);
    if (mkdirat(t->b->dir, "rejects", 0700) != 0 && errno != EEXIST)
        return problem_system(ps, "rejects", "cannot be created in work/", errno);
    f->name = arena_cstr(&t->arena, arena_printf(&t->arena, "rejects/%s", name));
    return open_plain(t, f, ps);
}

static int open_output(struct trip *t, struct trip_file *f, const struct output *o, struct problems *ps)
{
    if (o->give->kind != GIVE_OUTBOX)
        return STOP;
    int rc = batch_output(t->b, arena_cstr(&t->arena, o->give->folder), o->name, &f->n, &f->fd, ps);
    if (rc <= WARN)
        t->b->last_output->give = o->give->index;
    return rc;
}

static int open_file(struct supervisor *s, struct trip *t, struct trip_file *f, const struct output *o)
{
    struct problems *ps = s->ps;
    const struct site_table *table;
    bool light = o->kind == OUTPUT_FILE || o->kind == OUTPUT_LINES;
    int rc = light ? OK : batch_land(t->b, ps);     /* what else there is needs a folder */
    if (rc > WARN)
        return rc;
    switch (o->kind) {
    case OUTPUT_FILE:
        return open_output(t, f, o, ps);
    case OUTPUT_TABLE:
        table = o->give ? o->give->table : t->op->take.table;
        if (!table || table->kind != TABLE_FILE)
            return STOP;
        f->name = arena_cstr(&t->arena, arena_printf(&t->arena, "table.%.*s", SLICE_ARG(table->name)));
        return open_plain(t, f, ps);
    case OUTPUT_STAGE:
    case OUTPUT_LOG:
        return open_staged(s, t, f, o);
    case OUTPUT_MEMBER:
        f->name = arena_cstr(&t->arena, arena_printf(&t->arena, "member.%u", o->number));
        return open_plain(t, f, ps);
    case OUTPUT_REJECTED:
        return open_rejects(t, f, o, ps);
    case OUTPUT_LINES:
        f->name = lines_name(t);
        return open_lines(t, f, ps);
    default:
        f->name = "ledger.1";
        return open_plain(t, f, ps);
    }
}

static int asked_open(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct output o;
    struct trip_file *f = arena_zero(&t->arena, sizeof *f);
    int rc = wire_get_output(w, t->op, &o);
    *f = (struct trip_file){ .kind = o.kind, .number = o.number, .give = o.give, .fd = -1 };
    if (rc == OK)
        rc = open_file(s, t, f, &o);
    if (rc <= WARN) {
        f->next = t->files;
        t->files = f;
    }
    rc = reply(h, WIRE_OPENED, rc, s->ps, NULL, 0, f->fd);
    notice_problems(s, s->ps);
    return rc;
}

/* It writes into a spare: what would have been opened is entered now. */
static int told_took(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct trip_file *f = t->spare_lines;
    struct output o;
    int rc = wire_get_output(w, t->op, &o);
    if (rc != OK || (o.kind == OUTPUT_LINES ? !f : o.kind != OUTPUT_FILE || !t->b->spare))
        return STOP;
    if (o.kind == OUTPUT_LINES)
        t->spare_lines = NULL;
    else
        f = arena_zero(&t->arena, sizeof *f);
    f->kind = o.kind;
    f->number = o.number;
    f->give = o.give;
    if (o.kind == OUTPUT_FILE)
        rc = open_output(t, f, &o, s->ps);
    if (rc <= WARN) {
        f->next = t->files;
        t->files = f;
    }
    return rc;
}

/* The numbers are in the waybill, on the disk, before the worker sees them. */
static int asked_lease(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct slice name = wire_get_text(w);
    uint64_t want = wire_get_number(w), numbers[2] = { 0, 0 };
    const struct site_sequence *q = w->bad ? NULL : site_sequence(s->site, name);
    struct sequence_lease lease = { 0, 0 };
    int rc = q && want > 0 && want <= 1000 ? OK : STOP;
    if (rc == OK) {
        struct sequence rule = { .name = q->name, .from = (int64_t)q->from, .to = (int64_t)q->to,
                                 .size = (int)q->size };
        rc = sequence_lease(&s->store, &rule, (int64_t)want, &lease, s->ps);
    }
    if (rc <= WARN) {
        waybill_lease(t->b->w, q->name, lease.first, lease.end);
        rc = batch_save(t->b, s->ps);
    }
    numbers[0] = (uint64_t)lease.first;
    numbers[1] = (uint64_t)lease.end - 1;
    rc = reply(h, WIRE_LEASED, rc, s->ps, numbers, 2, -1);
    notice_problems(s, s->ps);
    return rc;
}

/* Gone from the inbox and in the waybill, on the disk, before the worker sees it. */
static int asked_companion(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    bool named = wire_get_number(w) != 0;
    struct slice name = wire_get_text(w);
    uint64_t saved = t->b->w->seq;
    struct buf b = { 0 };
    int fd = -1, rc = w->bad ? STOP : batch_land(t->b, s->ps);
    if (rc <= WARN)
        rc = companion_open(s, t, named, name, &fd);
    if (t->b->w->seq != saved)
        t->quiet = false;                           /* what began in memory only is on the disk now */
    begin_reply(&b, WIRE_COMPANION_IS, rc, s->ps);
    wire_text(&b, named ? companion_name(t, name) : name);
    rc = end_reply(h, &b, fd);
    if (fd >= 0)
        close(fd);
    notice_problems(s, s->ps);
    return rc;
}

/* They go where their batch is, which may have got a folder meanwhile. */
static int keep_lines(struct supervisor *s, struct trip *t, const struct trip_file *f, struct slice bytes)
{
    if (!t->b->wave)
        return batch_replace(t->b, f->name, bytes, s->o->durable && !t->waved, s->ps);
    t->b->lines = bytes;
    return OK;
}

/* What a worker wrote into memory. */
static int keep_memory(struct supervisor *s, struct trip *t, const struct trip_file *f)
{
    struct stat st;
    int rc = fstat(f->fd, &st) == 0 ? OK : problem_system(s->ps, f->name, "cannot be read", errno);
    if (rc == OK && st.st_size > BATCH_WAVE_FILE)
        rc = batch_land(t->b, s->ps);
    if (rc > WARN)
        return rc;
    struct slice bytes = { arena_alloc(t->b->arena, (size_t)st.st_size + 1), (size_t)st.st_size };
    if (lseek(f->fd, 0, SEEK_SET) != 0 || file_read_full(f->fd, (char *)(uintptr_t)bytes.p, bytes.n) != st.st_size)
        return problem_system(s->ps, f->name, "cannot be read", errno);
    return keep_lines(s, t, f, bytes);
}

static void enter_file(struct trip *t, const struct trip_file *f, const struct output *o)
{
    static const char *const kinds[] = { [OUTPUT_REJECTED] = "rejects", [OUTPUT_LINES] = "lines",
                                         [OUTPUT_MEMBER] = "member" };
    struct waybill_file *file = f->target.n ? batch_staged(t->b, slice_of(f->name), f->target)
                                            : waybill_file(t->b->w, kinds[o->kind], f->name);
    if (o->kind == OUTPUT_MEMBER)
        file->name = arena_copy(t->b->w->arena, o->name);
    file->size = o->bytes;
    file->count = o->messages;
    memcpy(file->sha256, o->sha256, SHA256_HEX);
    for (size_t i = 0; i < o->nstates; i++)
        waybill_total(t->b->w, &file->states, arena_cstr(&t->arena, o->states[i].code), o->states[i].count);
}

static int note_file(struct supervisor *s, struct trip *t, struct trip_file *f, const struct output *o)
{
    int rc = f->memory ? keep_memory(s, t, f) : OK;
    if (rc == OK && !f->memory && s->o->durable && !t->waved && fsync(f->fd) != 0)
        rc = problem_system(s->ps, f->name, "cannot be made durable", errno);
    if (close(f->fd) != 0 && rc == OK)
        rc = problem_system(s->ps, f->name, "cannot be closed", errno);
    f->fd = -1;
    if (rc == OK && o->kind != OUTPUT_TABLE && o->kind != OUTPUT_LEDGER)
        enter_file(t, f, o);
    return rc;
}

static bool has_lines(const struct trip *t)
{
    const struct trip_file *f = t->files;
    while (f && f->kind != OUTPUT_LINES)
        f = f->next;
    return f != NULL;
}

static int told_lines(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct output o;
    int rc = wire_get_output(w, t->op, &o);
    struct slice text = wire_get_text(w);
    if (rc != OK || w->bad || o.kind != OUTPUT_LINES || o.target.n || text.n == 0 || text.n != o.bytes ||
        !t->waved || has_lines(t))
        return STOP;
    struct trip_file *f = arena_zero(&t->arena, sizeof *f);
    *f = (struct trip_file){ .kind = o.kind, .number = o.number, .give = o.give, .fd = -1, .name = lines_name(t),
                             .memory = true, .next = t->files };
    t->files = f;
    rc = keep_lines(s, t, f, arena_copy(t->b->arena, text));
    if (rc == OK)
        enter_file(t, f, &o);
    return rc;
}

static int told_closed(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct output o;
    if (wire_get_output(w, t->op, &o) != OK)
        return STOP;
    struct trip_file *f = trip_file(t, o.kind, o.number, o.give);
    if (!f || f->fd < 0)
        return STOP;
    f->messages = o.messages;
    if (o.kind != OUTPUT_FILE)
        return note_file(s, t, f, &o);
    int fd = f->fd;
    f->fd = -1;
    s->spool.group = t->waved;                      /* synced with those of the other files */
    int rc = batch_output_done(t->b, f->n, fd, o.sha256, s->ps);
    s->spool.group = false;
    return rc;
}

/* The end of a job. */

static void finish(struct supervisor *s, struct helper *h, struct wire *w)
{
    struct trip *t = h->trip;
    struct result *r = arena_zero(&t->arena, sizeof *r);
    w->arena = &t->arena;
    int rc = wire_get_result(w, r);
    h->trip = NULL;
    t->helper = NULL;
    t->result = r;
    if (rc != OK) {
        trip_retry(s, t, "WORKER_DIED");
        return;
    }
    notice_result(s, t);
    if (r->status <= WARN && calls_last(s, t))
        return;
    if (t->quiet && r->status <= WARN && !t->files)
        trip_free(s, t);                            /* nothing to do, and nothing was written down */
    else if (r->status == TEMP)
        trip_retry(s, t, r->code.n ? arena_cstr(&t->arena, r->code) : "SYS_IO");
    else if (r->status > WARN)
        step_reject(s, t, arena_cstr(&t->arena, r->code), r->text);
    else if (t->waved) {
        trip_to(s, t, TRIP_DONE);
        if (s->ndone++ == 0)
            s->done_since = clock_monotonic_ms();
    } else
        step_written(s, t);
}

static void bury(struct supervisor *s, struct helper *h)
{
    struct trip *t = h->trip;
    struct intake *copies = h->copies;
    struct bundles *bundles = h->bundles;
    int status = 0;
    bool over = h->over_cpu, ours = h->ending, ending = ours || s->ending;
    kill(h->pid, SIGKILL);
    while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(h->socket);
    *h = (struct helper){ 0 };
    if (h == &s->syncs.helper)
        sync_lost(s, ours);
    if (copies)
        copy_lost(s, copies, ending);
    if (bundles)
        bundles_lost(s, bundles, ending);
    if (!t)
        return;
    t->helper = NULL;
    if (t->state == TRIP_ZIPPING)
        zip_lost(s, t, ending);
    else if (over)
        step_reject(s, t, "LIMIT_CPU", SLICE("the file takes more processor time than its size allows"));
    else if (ending) {
        trip_to(s, t, TRIP_QUEUED);                 /* we ended it: that is no fault of the file */
        trip_close_files(t);
    } else
        trip_retry(s, t, "WORKER_DIED");
}

/* So that the batch can be done again when the table is another one. What cannot be kept is known by its hash only. */
static void keep_table(struct supervisor *s, struct wire *w, int fd)
{
    struct slice hash = wire_get_text(w);
    if (!w->bad && fd >= 0 && hash.n == SHA256_HEX - 1)
        config_put_file(&s->store, fd, arena_cstr(w->arena, hash), s->site->limits.keep_table, s->ps);
    notice_problems(s, s->ps);
}

/* A fault of the world: what its worker was in the middle of is begun anew. The file is not to blame. */
static void give_back(struct supervisor *s, struct helper *h)
{
    struct trip *t = h->trip;
    h->trip = NULL;
    t->helper = NULL;
    bury(s, h);
    trip_retry(s, t, "SYS_IO");
}

/* One sentence. STOP: nonsense; TEMP: what was to be done for it could not be. */
static void hear(struct supervisor *s, struct helper *h, struct wire *w, int fd)
{
    uint64_t kind = wire_get_number(w);
    struct trip *t = h->trip;
    int rc = OK;
    if (!w->bad && h == &s->syncs.helper)
        rc = kind == WIRE_SYNCED ? sync_answered(s, w) : STOP;
    else if (!w->bad && h->copies)
        rc = kind == WIRE_COPIED ? copy_answered(s, h, w) : STOP;
    else if (!w->bad && h->bundles)
        rc = kind == WIRE_BUNDLED ? bundles_answered(s, h, w) : STOP;
    else if (w->bad || !t)
        rc = STOP;
    else if ((t->state == TRIP_ZIPPING) != (kind == WIRE_ZIPPED))
        rc = STOP;
    else if (kind == WIRE_ZIPPED)
        rc = zip_answered(s, h, w);
    else if (kind == WIRE_OPEN)
        rc = asked_open(s, h, w);
    else if (kind == WIRE_LEASE)
        rc = asked_lease(s, h, w);
    else if (kind == WIRE_COMPANION)
        rc = asked_companion(s, h, w);
    else if (kind == WIRE_TOOK)
        rc = told_took(s, h, w);
    else if (kind == WIRE_LINES)
        rc = told_lines(s, h, w);
    else if (kind == WIRE_CLOSED)
        rc = told_closed(s, h, w);
    else if (kind == WIRE_PROGRESS) {
        t->done_bytes = wire_get_number(w);
        wire_get_number(w);                         /* messages */
        notice_progress(s, t);
    } else if (kind == WIRE_TABLE)
        keep_table(s, w, fd);
    else if (kind == WIRE_RESULT)
        finish(s, h, w);
    else
        rc = STOP;
    if (rc > WARN) {
        notice_problems(s, s->ps);
        if (rc == TEMP && h->trip)
            give_back(s, h);
        else
            bury(s, h);
    }
}

void pool_read(struct supervisor *s, struct helper *h)
{
    struct arena a;
    int fd;
    ssize_t n = wire_receive(h->socket, buf_room(&s->packet, WIRE_MAX * 2), WIRE_MAX * 2, &fd);
    arena_init(&a, 0);
    struct wire w = { .at = { s->packet.p, n > 0 ? (size_t)n : 0 }, .arena = &a };
    if (n <= 0)
        bury(s, h);
    while (h->pid && w.at.n) {
        w.arena = &a;
        hear(s, h, &w, fd);
    }
    if (fd >= 0)
        close(fd);
    arena_release(&a);
}

/* Dead already, or it would wait for ever; what it said is read on to its end. */
void pool_give_up(struct supervisor *s, struct helper *h)
{
    kill(h->pid, SIGKILL);
    pool_read(s, h);
}

/* CPU by size: a file that takes more is stopped, whatever its worker does at the moment. */
void pool_watch(struct supervisor *s, int64_t now)
{
    const struct limits *l = &s->site->limits;
    for (unsigned i = 0; i < s->nhelpers; i++) {
        struct helper *h = &s->helpers[i];
        if (!h->pid || !h->trip || now - h->since < 1000)
            continue;
        uint64_t allowed = l->cpu_base + l->cpu_mb * (h->trip->b->w->bytes >> 20);
        if (!h->over_cpu && (uint64_t)(cpu_of(h->pid) - h->cpu_ms) > allowed) {
            h->over_cpu = true;
            kill(h->pid, SIGKILL);
        }
    }
}

static void end_helper(struct supervisor *s, struct helper *h)
{
    h->ending = true;
    if (h->pid)
        bury(s, h);
}

void pool_end(struct supervisor *s)
{
    for (unsigned i = 0; i < s->nhelpers; i++)
        end_helper(s, &s->helpers[i]);
    end_helper(s, &s->syncs.helper);
}
