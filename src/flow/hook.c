#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "flow/care_private.h"

#define LOOK_MS 100                 /* between two looks at a program that runs */
#define ENVIRONMENT 10
#define READS 16                    /* of one look: a program that never stops talking holds nobody up */

/* The queue. */

static struct hook_job *job_new(const struct supervisor *s, enum notice_event event, const struct site_notice *n,
                                const struct waybill *w)
{
    struct arena a;
    char dir[PATH_MAX];
    struct buf input = { 0 };
    arena_init(&a, 0);
    struct hook_job *j = arena_zero(&a, sizeof *j);
    j->event = notice_names[event];
    j->program = n->program ? arena_cstr(&a, slice_of(n->program)) : NULL;
    j->address = n->address ? arena_cstr(&a, slice_of(n->address)) : NULL;
    if (j->program && j->program[0] != '/' && realpath(j->program, dir))
        j->program = arena_cstr(&a, slice_of(dir));
    j->dir = arena_cstr(&a, slice_of(realpath(s->site->dir, dir) ? dir : s->site->dir));
    if (w) {
        j->batch = arena_copy(&a, w->batch);
        j->flow = arena_copy(&a, w->flow);
        j->code = arena_copy(&a, w->error_code);
        j->file = arena_copy(&a, w->name);
    }
    if (j->address)
        letter_mail(s->site, w, j->event, j->address, &input);
    else if (w)
        waybill_write(w, &input);
    j->input = arena_copy(&a, buf_slice(&input));
    buf_release(&input);
    j->arena = a;
    return j;
}

static void job_free(struct hook_job *j)
{
    struct arena a = j->arena;                      /* the struct lies in the arena itself */
    arena_release(&a);
}

void hook_event(struct supervisor *s, enum notice_event event, const struct waybill *w, const struct notices *of)
{
    struct care_hooks *h = &s->care->hooks;
    for (size_t i = 0; i < of->n; i++) {
        if (!(of->list[i].events & 1U << event))
            continue;
        if (h->n >= HOOK_WAITING) {
            h->dropped++;
            s->care->dropped++;
            continue;
        }
        struct hook_job *j = job_new(s, event, &of->list[i], w);
        if (h->last)
            h->last->next = j;
        else
            h->first = j;
        h->last = j;
        h->n++;
    }
}

/* A line for each notice: who, of what, how it ended. */
static void tell(const struct hook_job *j, int status, struct slice text)
{
    struct log l = log_begin(status ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "notice");
    log_text(&l, "notice", slice_of(j->event));
    log_text(&l, "batch", j->batch);
    log_text(&l, "flow", j->flow);
    if (j->program)
        log_text(&l, "program", slice_of(j->program));
    else
        log_text(&l, "mail", slice_of(j->address));
    log_number(&l, "status", status);
    if (text.n)
        log_text(&l, "text", text);
    log_end(&l);
}

/* Programs. */

/* What it may know beside its input, and nothing else of ours. */
static void environment(struct hook_job *j, char *env[ENVIRONMENT])
{
    const struct { const char *name; struct slice value; } list[] = {
        { "PATH", SLICE("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") }, { "LC_ALL", SLICE("C.UTF-8") },
        { "WAYBILL_EVENT", slice_of(j->event) }, { "WAYBILL_SITE", slice_of(j->dir) }, { "WAYBILL_FLOW", j->flow },
        { "WAYBILL_BATCH", j->batch }, { "WAYBILL_FILE", j->file }, { "WAYBILL_CODE", j->code },
    };
    size_t n = 0;
    _Static_assert(sizeof list / sizeof *list < ENVIRONMENT, "and NULL");
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct buf shown = { 0 };
        buf_printf(&shown, "%s=", list[i].name);
        buf_add_shown(&shown, list[i].value, 0);
        env[n++] = arena_cstr(&j->arena, buf_slice(&shown));
        buf_release(&shown);
    }
    env[n] = NULL;
}

/* Its standard input: a file in memory, so that nobody waits for it to be read. */
static int input_of(const struct hook_job *j)
{
    int fd = memfd_create("waybill", MFD_CLOEXEC);
    if (fd >= 0 && (file_write_all(fd, j->input) != 0 || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* In its own process group, with no descriptor and no signal setting of ours. */
static int spawn(struct hook_job *j, int in, int out, pid_t *pid)
{
    char *env[ENVIRONMENT];
    const char *sendmail = getenv("WAYBILL_SENDMAIL");
    char *arguments[4] = { NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    const char *path = j->program ? j->program : sendmail ? sendmail : "/usr/sbin/sendmail";
    arguments[0] = arena_cstr(&j->arena, slice_of(path));
    if (!j->program) {
        arguments[1] = arena_cstr(&j->arena, SLICE("-t"));
        arguments[2] = arena_cstr(&j->arena, SLICE("-i"));
    }
    environment(j, env);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&files, j->dir);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    int err = posix_spawn(pid, path, &files, &how, arguments, env);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static void start(struct hook_run *r, struct hook_job *j, int64_t now)
{
    int out[2] = { -1, -1 }, in = input_of(j), err = in < 0 ? errno : 0;
    if (!err && pipe2(out, O_CLOEXEC) != 0)
        err = errno;
    if (!err)
        err = spawn(j, in, out[1], &r->pid);
    if (in >= 0)
        close(in);
    if (out[1] >= 0)
        close(out[1]);
    if (err) {
        if (out[0] >= 0)
            close(out[0]);
        tell(j, 127, slice_of(strerror(err)));
        job_free(j);
        return;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    r->job = j;
    r->out = out[0];
    r->since = now;
    r->killed = false;
}

static void listen_to(struct hook_run *r)
{
    char bytes[4096];
    ssize_t n;
    for (int i = 0; i < READS && (n = read(r->out, bytes, sizeof bytes)) > 0; i++) {
        size_t room = r->said.n < HOOK_OUTPUT ? HOOK_OUTPUT - r->said.n : 0;
        buf_add(&r->said, (struct slice){ bytes, (size_t)n < room ? (size_t)n : room });
    }
}

/* true when it is over. */
static bool look_at(struct hook_run *r, int64_t now)
{
    int status;
    pid_t got = waitpid(r->pid, &status, WNOHANG);
    listen_to(r);
    if (got == 0) {
        if (!r->killed && now - r->since > HOOK_MS) {
            kill(-r->pid, SIGKILL);
            r->killed = true;
        }
        return false;
    }
    if (got < 0)
        status = 0;                                 /* somebody else has heard of it */
    struct slice said = buf_slice(&r->said);
    while (said.n && (said.p[said.n - 1] == '\n' || said.p[said.n - 1] == ' '))
        said.n--;
    if (r->killed)
        said = SLICE("it took more than 30 s and was ended");
    tell(r->job, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), said);
    close(r->out);
    buf_release(&r->said);
    r->said = (struct buf){ 0 };
    job_free(r->job);
    r->job = NULL;
    return true;
}

static struct hook_job *next_job(struct care_hooks *h)
{
    struct hook_job *j = h->first;
    if (!j)
        return NULL;
    h->first = j->next;
    if (!h->first)
        h->last = NULL;
    h->n--;
    return j;
}

static bool busy(const struct care_hooks *h)
{
    bool any = h->first != NULL;
    for (size_t i = 0; i < HOOK_RUNNING; i++)
        any = any || h->run[i].job;
    return any;
}

void hook_turn(struct supervisor *s, int64_t now, int64_t *wait)
{
    struct care_hooks *h = &s->care->hooks;
    for (size_t i = 0; i < HOOK_RUNNING; i++) {
        struct hook_run *r = &h->run[i];
        struct hook_job *j;
        if (r->job && !look_at(r, now))
            continue;
        if (!r->job && (j = next_job(h)))
            start(r, j, now);
    }
    if (h->dropped) {
        struct log l = log_begin(LOG_LEVEL_WARNING, "notice-dropped");
        log_number(&l, "count", (int64_t)h->dropped);
        log_text(&l, "text", SLICE("too many notices wait for their programs"));
        log_end(&l);
        h->dropped = 0;
    }
    if (busy(h))
        care_wait(wait, now, now + LOOK_MS);
}

void hook_close(struct supervisor *s, int64_t ms)
{
    struct care_hooks *h = &s->care->hooks;
    int64_t end = clock_monotonic_ms() + ms, now, wait = 0;
    while (busy(h) && (now = clock_monotonic_ms()) < end) {
        hook_turn(s, now, &wait);
        if (busy(h))
            poll(NULL, 0, 20);
    }
    for (size_t i = 0; i < HOOK_RUNNING; i++) {
        struct hook_run *r = &h->run[i];
        if (!r->job)
            continue;
        kill(-r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
        tell(r->job, 128 + SIGKILL, SLICE("ended, because the program ends"));
        close(r->out);
        buf_release(&r->said);
        job_free(r->job);
        r->job = NULL;
    }
    for (struct hook_job *j; (j = next_job(h)); job_free(j))
        tell(j, 127, SLICE("not run: the program ends"));
}
