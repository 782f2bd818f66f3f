/*
 * ce - counts the system calls of a command and of all its children, and strikes at the N-th
 *
 *     ce [-m MODE] [-n N] [-e ERRNO] [-c disk|all] [-k all|one] [-t SECONDS] [-o FILE] COMMAND ARGUMENT...
 *
 *     count   (or no -m) runs the command undisturbed
 *     list    the same, with a line per point: number, process, call, its path or descriptor
 *     before  SIGKILL at the entry of the N-th point: the call is not made
 *     after   SIGKILL at its end: the call was made, nobody heard of it
 *     fail    the N-th point is not made and gives ERRNO (a number)
 *     late    it is made and gives ERRNO all the same: a lost answer, an error of close
 *     short   the N-th point does half of what it was asked to (write, pwrite, read; writev: half of its parts)
 *
 * Points are calls that change what is on the disk (-c disk, default), or also those that open, close, read, lock and
 * look (-c all).  They are counted over all processes, in the order in which they happen.  -k one kills only the
 * process that made the call, -k all (default) every process at once, as a power cut does.  FILE (default: standard
 * error) ends with `points N`; a strike adds `hit N PID CALL WHAT` before.
 *
 * Exit code: that of the command; 128 + signal when it was killed; 124 when it did not end within SECONDS (30);
 *            125 when ce itself failed; 77 where ce cannot work (it knows the registers of x86-64 only).
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if !defined __x86_64__

int main(void)
{
    fputs("ce: this machine is no x86-64\n", stderr);
    return 77;
}

#else

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { PROCESSES = 512, HUNG = 124, BROKEN = 125 };
enum mode { MODE_COUNT, MODE_LIST, MODE_BEFORE, MODE_AFTER, MODE_FAIL, MODE_LATE, MODE_SHORT };
static const char *const mode_names[] = { "count", "list", "before", "after", "fail", "late", "short" };

/* What a call is: `path` is the argument (from 0) that holds a path, -1 = the first argument is a descriptor. */
enum kind { KIND_DISK, KIND_OPEN, KIND_OTHER };
struct call {
    long nr;
    const char *name;
    enum kind kind;
    int path;
};

#define CALL(name, kind, path) { SYS_##name, #name, kind, path }
static const struct call calls[] = {
    CALL(write, KIND_DISK, -1), CALL(pwrite64, KIND_DISK, -1), CALL(writev, KIND_DISK, -1), CALL(pwritev, KIND_DISK, -1),
    CALL(fsync, KIND_DISK, -1), CALL(fdatasync, KIND_DISK, -1), CALL(syncfs, KIND_DISK, -1), CALL(sync, KIND_DISK, -1),
    CALL(sync_file_range, KIND_DISK, -1), CALL(rename, KIND_DISK, 0), CALL(renameat, KIND_DISK, 1),
    CALL(renameat2, KIND_DISK, 1), CALL(link, KIND_DISK, 0), CALL(linkat, KIND_DISK, 1), CALL(unlink, KIND_DISK, 0),
    CALL(unlinkat, KIND_DISK, 1), CALL(mkdir, KIND_DISK, 0), CALL(mkdirat, KIND_DISK, 1), CALL(rmdir, KIND_DISK, 0),
    CALL(symlink, KIND_DISK, 0), CALL(symlinkat, KIND_DISK, 0), CALL(truncate, KIND_DISK, 0),
    CALL(ftruncate, KIND_DISK, -1), CALL(fallocate, KIND_DISK, -1), CALL(copy_file_range, KIND_DISK, -1),
    CALL(sendfile, KIND_DISK, -1), CALL(chmod, KIND_DISK, 0), CALL(fchmod, KIND_DISK, -1), CALL(fchmodat, KIND_DISK, 1),
    CALL(utimensat, KIND_DISK, 1), CALL(creat, KIND_DISK, 0), CALL(open, KIND_OPEN, 0), CALL(openat, KIND_OPEN, 1),
    CALL(close, KIND_OTHER, -1), CALL(read, KIND_OTHER, -1), CALL(pread64, KIND_OTHER, -1), CALL(fcntl, KIND_OTHER, -1),
    CALL(flock, KIND_OTHER, -1), CALL(getdents64, KIND_OTHER, -1), CALL(newfstatat, KIND_OTHER, 1),
    CALL(readlink, KIND_OTHER, 0), CALL(readlinkat, KIND_OTHER, 1), CALL(lseek, KIND_OTHER, -1),
    CALL(dup, KIND_OTHER, -1), CALL(socketpair, KIND_OTHER, -1), CALL(pipe2, KIND_OTHER, -1),
    CALL(sendmsg, KIND_OTHER, -1), CALL(recvmsg, KIND_OTHER, -1), CALL(clone, KIND_OTHER, -1),
    CALL(inotify_init1, KIND_OTHER, -1), CALL(statfs, KIND_OTHER, 0), CALL(fstatfs, KIND_OTHER, -1),
};

struct process {
    pid_t pid;
    bool inside;                    /* between entry and end of a call */
    bool struck;                    /* this call is the N-th point */
};

struct run {
    enum mode mode;
    long at, error, points;
    bool everything;                /* -c all */
    bool one;                       /* -k one */
    unsigned seconds;
    FILE *out;
    bool started;                   /* the command itself runs: its execve is over */
    struct process processes[PROCESSES];
    size_t n;
};

static volatile sig_atomic_t hung;

static void on_alarm(int sig)
{
    (void)sig;
    hung = 1;
}

static const struct call *call_find(long nr)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].nr == nr)
            return &calls[i];
    return NULL;
}

/* O_CREAT, O_TRUNC: an open that may change the disk. */
static bool opens_new(const struct user_regs_struct *r)
{
    unsigned long long flags = (long)r->orig_rax == SYS_open ? r->rsi : r->rdx;
    return (flags & 01100) != 0;
}

static bool is_point(const struct run *run, const struct call *c, const struct user_regs_struct *r)
{
    if (!c)
        return false;
    return run->everything || c->kind == KIND_DISK || (c->kind == KIND_OPEN && opens_new(r));
}

/* A path of the traced process, made printable; its end where the page ends. */
static void text_of(pid_t pid, unsigned long long at, char *out, size_t size)
{
    size_t want = 4096 - at % 4096 < size - 1 ? 4096 - at % 4096 : size - 1;
    struct iovec mine = { out, want }, theirs = { (void *)(uintptr_t)at, want };
    ssize_t got = process_vm_readv(pid, &mine, 1, &theirs, 1, 0);
    out[got > 0 ? got : 0] = 0;
    for (char *p = out; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127)
            *p = '?';
}

static void tell(const struct run *run, const char *word, pid_t pid, const struct call *c, const struct user_regs_struct *r)
{
    const unsigned long long args[] = { r->rdi, r->rsi, r->rdx };
    char text[300];
    if (c->path < 0)
        snprintf(text, sizeof text, "%lld", (long long)r->rdi);
    else
        text_of(pid, args[c->path], text, sizeof text);
    fprintf(run->out, "%s%ld %ld %s %s\n", word, run->points, (long)pid, c->name, text);
}

static struct process *process_of(struct run *run, pid_t pid)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->processes[i].pid == pid)
            return &run->processes[i];
    if (run->n == PROCESSES) {
        fputs("ce: too many processes\n", stderr);
        exit(BROKEN);
    }
    run->processes[run->n] = (struct process){ .pid = pid };
    return &run->processes[run->n++];
}

static void process_gone(struct run *run, pid_t pid)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->processes[i].pid == pid)
            run->processes[i] = run->processes[--run->n];
}

static void kill_them(const struct run *run, pid_t one)
{
    for (size_t i = 0; i < run->n; i++)
        if (!one || run->processes[i].pid == one)
            kill(run->processes[i].pid, SIGKILL);
}

static void halve(pid_t pid, struct user_regs_struct *r)
{
    long nr = (long)r->orig_rax;
    if (r->rdx < 2 || !(nr == SYS_write || nr == SYS_pwrite64 || nr == SYS_writev || nr == SYS_read || nr == SYS_pread64))
        return;
    r->rdx /= 2;
    ptrace(PTRACE_SETREGS, pid, 0, r);
}

static void at_entry(struct run *run, struct process *p, struct user_regs_struct *r)
{
    const struct call *c = call_find((long)r->orig_rax);
    p->inside = true;
    p->struck = false;
    if (!run->started || !is_point(run, c, r))
        return;
    run->points++;
    if (run->mode == MODE_LIST)
        tell(run, "", p->pid, c, r);
    if (run->mode <= MODE_LIST || run->points != run->at)
        return;
    p->struck = true;
    tell(run, "hit ", p->pid, c, r);
    if (run->mode == MODE_BEFORE) {
        kill_them(run, run->one ? p->pid : 0);
    } else if (run->mode == MODE_FAIL) {
        r->orig_rax = (unsigned long long)-1;
        ptrace(PTRACE_SETREGS, p->pid, 0, r);
    } else if (run->mode == MODE_SHORT) {
        halve(p->pid, r);
    }
}

static void at_end(struct run *run, struct process *p, struct user_regs_struct *r)
{
    p->inside = false;
    if ((long)r->orig_rax == SYS_execve && (long)r->rax == 0)
        run->started = true;
    if (!p->struck)
        return;
    p->struck = false;
    if (run->mode == MODE_AFTER) {
        kill_them(run, run->one ? p->pid : 0);
    } else if (run->mode == MODE_FAIL || run->mode == MODE_LATE) {
        r->rax = (unsigned long long)-run->error;
        ptrace(PTRACE_SETREGS, p->pid, 0, r);
    }
}

static void at_call(struct run *run, pid_t pid)
{
    struct process *p = process_of(run, pid);
    struct user_regs_struct r;
    if (ptrace(PTRACE_GETREGS, pid, 0, &r) != 0)
        return;                     /* killed meanwhile */
    if (p->inside)
        at_end(run, p, &r);
    else
        at_entry(run, p, &r);
}

/* One stop of one process: a system call, an event of ptrace itself, or a signal that is passed on. */
static void at_stop(struct run *run, pid_t pid, int status)
{
    int sig = WSTOPSIG(status), pass = 0;
    if (sig == (SIGTRAP | 0x80)) {
        at_call(run, pid);
    } else if (sig == SIGSTOP && !process_of(run, pid)->inside) {
        process_of(run, pid);       /* a new child begins so */
    } else if (!(sig == SIGTRAP && status >> 16)) {
        pass = sig;
    }
    ptrace(PTRACE_SYSCALL, pid, 0, pass);
}

static int follow(struct run *run, pid_t command)
{
    int code = BROKEN, status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) {
            if (hung)
                kill_them(run, 0);
            continue;
        }
        if (pid < 0)
            return hung ? HUNG : code;
        if (WIFSTOPPED(status)) {
            at_stop(run, pid, status);
            continue;
        }
        process_gone(run, pid);
        if (pid == command)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

static pid_t launch(struct run *run, char **argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    int status;
    const long wanted = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                        PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, pid, 0, wanted) != 0) {
        perror("ce");
        exit(BROKEN);
    }
    process_of(run, pid);
    ptrace(PTRACE_SYSCALL, pid, 0, 0);
    return pid;
}

static enum mode mode_of(const char *name)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
        if (strcmp(name, mode_names[i]) == 0)
            return (enum mode)i;
    fprintf(stderr, "ce: no mode %s\n", name);
    exit(BROKEN);
}

static void options(struct run *run, int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "+m:n:e:c:k:t:o:")) != -1) {
        switch (letter) {
        case 'm': run->mode = mode_of(optarg); break;
        case 'n': run->at = atol(optarg); break;
        case 'e': run->error = atol(optarg); break;
        case 'c': run->everything = strcmp(optarg, "all") == 0; break;
        case 'k': run->one = strcmp(optarg, "one") == 0; break;
        case 't': run->seconds = (unsigned)atol(optarg); break;
        case 'o': run->out = fopen(optarg, "we"); break;
        default: exit(BROKEN);
        }
    }
    if (optind >= argc || !run->out) {
        fputs("usage: ce [-m MODE] [-n N] [-e ERRNO] [-c disk|all] [-k all|one] [-t SECONDS] [-o FILE] COMMAND ...\n", stderr);
        exit(BROKEN);
    }
}

int main(int argc, char **argv)
{
    static struct run run = { .seconds = 30 };
    run.out = stderr;
    options(&run, argc, argv);
    /* no SA_RESTART: the alarm ends waitpid */
    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
    pid_t pid = launch(&run, argv + optind);
    alarm(run.seconds);
    int code = follow(&run, pid);
    fprintf(run.out, "points %ld\n", run.points);
    return fclose(run.out) == 0 ? code : BROKEN;
}

#endif
