#include "drop/sftp.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/date.h"
#include "base/file.h"

enum { TIMEOUT_MS = 15 * 60 * 1000, OUT_MAX = 16 << 20, ERR_MAX = 4096, ARGS = 40, MISSING = 127 };

struct child {
    pid_t pid;
    int in, out, err;               /* our ends */
};

static struct place at(const struct sftp *s)
{
    return (struct place){ .file = s->host, .offset = PLACE_NO_OFFSET };
}

static void add(char **args, size_t *n, const char *text)
{
    if (*n + 1 < ARGS)
        args[(*n)++] = (char *)(uintptr_t)text;
}

static void option(char **args, size_t *n, struct arena *a, const char *name, const char *value)
{
    add(args, n, "-o");
    add(args, n, arena_cstr(a, arena_printf(a, "%s=%s", name, value)));
}

/* The child works in another folder, so paths must not depend on ours. */
static const char *absolute(struct arena *a, const char *path)
{
    char *whole = arena_alloc(a, PATH_MAX);
    return realpath(path, whole) ? whole : path;
}

static void arguments(const struct sftp *s, struct arena *a, char **args)
{
    size_t n = 0;
    add(args, &n, "env");
    add(args, &n, "LC_ALL=C");
    add(args, &n, "sftp");
    add(args, &n, "-q");
    option(args, &n, a, "BatchMode", "yes");
    option(args, &n, a, "StrictHostKeyChecking", "yes");
    option(args, &n, a, "ConnectTimeout", "30");
    option(args, &n, a, "ServerAliveInterval", "15");
    if (s->known_hosts)
        option(args, &n, a, "UserKnownHostsFile", absolute(a, s->known_hosts));
    if (s->identity) {
        option(args, &n, a, "IdentitiesOnly", "yes");
        add(args, &n, "-i");
        add(args, &n, absolute(a, s->identity));
    }
    if (s->port) {
        add(args, &n, "-P");
        add(args, &n, arena_cstr(a, arena_printf(a, "%u", s->port)));
    }
    add(args, &n, "-b");
    add(args, &n, "-");
    add(args, &n, "--");
    add(args, &n, s->user ? arena_cstr(a, arena_printf(a, "%s@%s", s->user, s->host)) : s->host);
    args[n] = NULL;
}

static void close_pair(const int pair[2])
{
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
}

/* Its own group, so that sftp and its ssh end together; no signals blocked. */
static int spawn(char *const *args, int folder, const int in[2], const int out[2], const int err[2], pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], 0);
    posix_spawn_file_actions_adddup2(&files, out[1], 1);
    posix_spawn_file_actions_adddup2(&files, err[1], 2);
    posix_spawn_file_actions_addfchdir_np(&files, folder);
    posix_spawnattr_init(&how);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawnp(pid, args[0], &files, &how, args, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

static int start(const struct sftp *s, int folder, struct child *c, struct problems *ps)
{
    struct arena a;
    char *args[ARGS];
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        int rc = problem_system(ps, s->host, "no pipe for sftp", errno);
        close_pair(in);
        close_pair(out);
        close_pair(err);
        return rc;
    }
    arena_init(&a, 0);
    arguments(s, &a, args);
    int failed = spawn(args, folder, in, out, err, &c->pid);
    arena_release(&a);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    c->in = in[1];
    c->out = out[0];
    c->err = err[0];
    if (failed == 0)
        return OK;
    close(c->in);
    close(c->out);
    close(c->err);
    return problem_system(ps, s->host, "no process for sftp", failed);
}

/* What is there to read now, up to the limit: nothing comes behind what is left out.  The descriptor is closed at its
   end. */
static void take(int *fd, struct buf *into, size_t max)
{
    char block[4096];
    ssize_t n = read(*fd, block, sizeof block);
    size_t room = max - into->n;
    if (n > 0)
        buf_add(into, (struct slice){ block, (size_t)n < room ? (size_t)n : room });
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        close(*fd);
        *fd = -1;
    }
}

static void feed(struct child *c, struct slice *rest)
{
    ssize_t n = write(c->in, rest->p, rest->n);
    if (n > 0) {
        rest->p += n;
        rest->n -= (size_t)n;
    }
    if (rest->n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        close(c->in);
        c->in = -1;
    }
}

/* Speaks and listens until sftp closes its ends; false when the time is up. */
static bool converse(struct child *c, struct slice commands, struct buf *out, struct buf *err, int64_t until)
{
    while (c->out >= 0 || c->err >= 0) {
        int64_t left = until - clock_monotonic_ms();
        struct pollfd fds[] = { { .fd = c->in, .events = POLLOUT }, { .fd = c->out, .events = POLLIN },
                                { .fd = c->err, .events = POLLIN } };
        if (left <= 0)
            return false;
        if (poll(fds, 3, left > 1000 ? 1000 : (int)left) <= 0)
            continue;
        if (fds[0].revents)
            feed(c, &commands);
        if (fds[1].revents)
            take(&c->out, out, OUT_MAX);
        if (fds[2].revents)
            take(&c->err, err, ERR_MAX);
    }
    return true;
}

static int end(struct child *c, bool in_time)
{
    int status = 0;
    if (!in_time)
        kill(-c->pid, SIGKILL);
    if (c->in >= 0)
        close(c->in);
    if (c->out >= 0)
        close(c->out);
    if (c->err >= 0)
        close(c->err);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* `pwd` is the last command: it asks no server, and sftp shows a command when its turn has come.  Without that it may
   have heard none, and its code says nothing: it takes a fault of the pipe for the end of the commands. */
static const char LAST[] = "pwd";

bool sftp_reached(struct slice said, const char *command)
{
    static const struct slice prompt = { "sftp> ", 6 };
    while (said.n) {
        const char *lf = memchr(said.p, '\n', said.n);
        struct slice line = { said.p, lf ? (size_t)(lf - said.p) : said.n };
        said.p += line.n + (lf != NULL);
        said.n -= line.n + (lf != NULL);
        if (slice_starts(line, prompt) &&
            slice_starts((struct slice){ line.p + prompt.n, line.n - prompt.n }, slice_of(command)))
            return true;
    }
    return false;
}

static int not_done(const struct sftp *s, const struct buf *out, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .place = at(s), .code = "EXCHANGE_FAILED",
        .text = out->n == OUT_MAX ? SLICE("sftp said more than 16 MiB: the rest was not heard")
                                  : SLICE("sftp ended before it had carried out all commands"),
        .hint = out->n == OUT_MAX ? SLICE("is there a folder with very many files on the server?")
                                  : SLICE("it is tried again in the next round") });
    return TEMP;
}

static int told(const struct sftp *s, int code, bool in_time, const struct buf *out, const struct buf *err,
                struct problems *ps)
{
    struct buf shown = { 0 };
    bool refused = code == 1 && in_time && sftp_reached(buf_slice(out), "");
    if (code == 0)
        return sftp_reached(buf_slice(out), LAST) ? OK : not_done(s, out, ps);
    buf_add_shown(&shown, buf_slice(err), 400);
    struct problem p = { .severity = PROBLEM_ERROR, .place = at(s), .code = "EXCHANGE_FAILED" };
    p.text = !in_time ? SLICE("sftp did not end in time") : arena_copy(ps->arena, buf_slice(&shown));
    p.hint = SLICE("try it by hand: sftp -o BatchMode=yes, with the same user, key and known_hosts");
    if (in_time && code == MISSING) {
        p.code = "EXCHANGE_NONE";
        p.text = SLICE("there is no program sftp here");
        p.hint = SLICE("apt-get install openssh-client");
    } else if (refused) {
        p.code = "EXCHANGE_REFUSED";
        p.hint = SLICE("the server refused a command: does the folder exist, and may the user write there?");
    }
    if (!p.text.n)
        p.text = SLICE("sftp failed and said nothing");
    problem_add(ps, &p);
    buf_release(&shown);
    return refused ? SKIP : TEMP;
}

int sftp_run(const struct sftp *s, int folder, const char *commands, struct buf *out, struct problems *ps)
{
    struct child c;
    struct buf err = { 0 }, all = { 0 };
    int rc = start(s, folder, &c, ps);
    if (rc != OK)
        return rc;
    buf_printf(&all, "%s%s\n", commands, LAST);
    out->n = 0;
    fcntl(c.in, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    int64_t until = clock_monotonic_ms() + (s->timeout_ms > 0 ? s->timeout_ms : TIMEOUT_MS);
    bool in_time = converse(&c, buf_slice(&all), out, &err, until);
    rc = told(s, end(&c, in_time), in_time, out, &err, ps);
    buf_release(&all);
    buf_release(&err);
    return rc;
}

/* --- listings ---------------------------------------------------------------------------------------------------- */

static struct slice word(struct slice *line)
{
    size_t i = 0, n;
    while (i < line->n && line->p[i] == ' ')
        i++;
    for (n = i; n < line->n && line->p[n] != ' ';)
        n++;
    struct slice w = { line->p + i, n - i };
    line->p += n;
    line->n -= n;
    return w;
}

/* "-rw-r--r--    1 1001     1001          12 Nov 22 06:50 name": the rest of the line after one blank is the name. */
static bool read_line(struct slice line, struct sftp_entry *out)
{
    struct slice mode = word(&line);
    word(&line);
    word(&line);
    word(&line);
    struct slice size = word(&line), stamp = line;
    word(&line);
    word(&line);
    word(&line);
    if (mode.n < 10 || size.n == 0 || size.n > 18 || line.n < 2)
        return false;
    *out = (struct sftp_entry){ .regular = mode.p[0] == '-', .name = { line.p + 1, line.n - 1 },
                                .stamp = { stamp.p, stamp.n - line.n } };
    for (size_t i = 0; i < size.n; i++) {
        if (!isdigit((unsigned char)size.p[i]))
            return false;
        out->size = out->size * 10 + (uint64_t)(size.p[i] - '0');
    }
    return true;
}

bool sftp_entry(struct slice *listing, struct sftp_entry *out)
{
    while (listing->n) {
        const char *lf = memchr(listing->p, '\n', listing->n);
        struct slice line = { listing->p, lf ? (size_t)(lf - listing->p) : listing->n };
        listing->p += line.n + (lf != NULL);
        listing->n -= line.n + (lf != NULL);
        if (read_line(line, out))
            return true;
    }
    return false;
}

bool sftp_plain(struct slice name)
{
    if (name.n == 0 || name.n > 180 || name.p[0] == '.' || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}
