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
 *     pause   before the N-th point all processes stand still, as those of a host that is suspended, and ce stops itself
 *             (SIGSTOP): whoever waits for it sees that; SIGCONT to ce lets them go on
 *
 * Points are calls that change what is on the disk (-c disk, default), or also those that open, close, read, lock and
 * look (-c all).  They are counted over all processes, in the order in which they happen.  -k one kills only the
 * process that made the call, -k all (default) every process at once, as a power cut does.  FILE (default: standard
 * error) ends with `points N`; a strike adds `hit N PID CALL WHAT` before.
 *
 * Only points stop a process: a seccomp filter picks them (no_new_privs is set with it).  All run on one processor,
 * that of ce: a stop whose tracer wakes up on another one costs five times as much.
 *
 * Exit code: that of the command; 128 + signal when it was killed; 124 when it did not end within SECONDS (30);
 *            125 when ce itself failed; 77 where ce cannot work (it knows the registers of x86-64 only).
 */
#include <errno.h>
#include <sched.h>
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

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { PROCESSES = 512, HUNG = 124, BROKEN = 125 };
enum mode { MODE_COUNT, MODE_LIST, MODE_BEFORE, MODE_AFTER, MODE_FAIL, MODE_LATE, MODE_SHORT, MODE_PAUSE };
static const char *const mode_names[] = { "count", "list", "before", "after", "fail", "late", "short", "pause" };

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
    bool struck;                    /* its call is the N-th point, and is being made */
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

/* Points as a filter: all calls of the table, or those that change the disk; of opens then O_CREAT and O_TRUNC only. */
static void filter_points(bool everything)
{
    struct sock_filter code[5 * sizeof calls / sizeof *calls + 4];
    const struct sock_filter trace = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = allow;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *c = &calls[i];
        if (c->kind == KIND_OTHER && !everything)
            continue;
        bool flags = c->kind == KIND_OPEN && !everything;
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->nr, 0, flags ? 4 : 1);
        if (flags) {                /* the argument behind the path; its lower half comes first in memory */
            code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args[c->path + 1]));
            code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 01100, 0, 1);
        }
        code[n++] = trace;
        if (flags)
            code[n++] = allow;
    }
    code[n++] = allow;
    struct sock_fprog program = { .len = n, .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("ce: seccomp");
        _exit(127);
    }
}

/* Tracer and traced on the processor where this one is. */
static void stay_here(void)
{
    cpu_set_t here;
    int cpu = sched_getcpu();
    CPU_ZERO(&here);
    if (cpu >= 0 && cpu < CPU_SETSIZE) {
        CPU_SET(cpu, &here);
        sched_setaffinity(0, sizeof here, &here);
    }
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

/* Each of them stops for its tracer, which does not look until it goes on itself; their SIGSTOP is not passed on then. */
static void pause_them(const struct run *run)
{
    for (size_t i = 0; i < run->n; i++)
        kill(run->processes[i].pid, SIGSTOP);
    fflush(run->out);
    raise(SIGSTOP);
}

static void halve(pid_t pid, struct user_regs_struct *r)
{
    long nr = (long)r->orig_rax;
    if (r->rdx < 2 || !(nr == SYS_write || nr == SYS_pwrite64 || nr == SYS_writev || nr == SYS_read || nr == SYS_pread64))
        return;
    r->rdx /= 2;
    ptrace(PTRACE_SETREGS, pid, 0, r);
}

/* A point before it is made; whether its end is to be seen. */
static bool at_entry(struct run *run, struct process *p)
{
    struct user_regs_struct r;
    if (!run->started || ptrace(PTRACE_GETREGS, p->pid, 0, &r) != 0)
        return false;               /* killed meanwhile */
    const struct call *c = call_find((long)r.orig_rax);
    if (!c)
        return false;
    const bool closes = r.orig_rax == SYS_close;    /* also one that fails: no kernel leaves it open */
    run->points++;
    if (run->mode == MODE_LIST)
        tell(run, "", p->pid, c, &r);
    if (run->mode <= MODE_LIST || run->points != run->at)
        return false;
    tell(run, "hit ", p->pid, c, &r);
    if (run->mode == MODE_BEFORE) {
        kill_them(run, run->one ? p->pid : 0);
    } else if (run->mode == MODE_PAUSE) {
        pause_them(run);
    } else if (run->mode == MODE_FAIL && !closes) {
        r.orig_rax = (unsigned long long)-1;
        r.rax = (unsigned long long)-run->error;
        ptrace(PTRACE_SETREGS, p->pid, 0, &r);
    } else if (run->mode == MODE_SHORT) {
        halve(p->pid, &r);
    }
    p->struck = run->mode == MODE_AFTER || run->mode == MODE_LATE || (run->mode == MODE_FAIL && closes);
    return p->struck;
}

static void at_end(const struct run *run, struct process *p)
{
    struct user_regs_struct r;
    if (!p->struck || ptrace(PTRACE_GETREGS, p->pid, 0, &r) != 0)
        return;
    p->struck = false;
    if (run->mode == MODE_AFTER) {
        kill_them(run, run->one ? p->pid : 0);
    } else {
        r.rax = (unsigned long long)-run->error;
        ptrace(PTRACE_SETREGS, p->pid, 0, &r);
    }
}

/* One stop of one process: a point, the end of one, an event of ptrace itself, or a signal that is passed on. */
static void at_stop(struct run *run, pid_t pid, int status)
{
    int sig = WSTOPSIG(status), event = status >> 16, pass = 0;
    bool to_end = false;
    struct process *p = process_of(run, pid);
    if (event == PTRACE_EVENT_SECCOMP) {
        to_end = at_entry(run, p);
    } else if (event == PTRACE_EVENT_EXEC) {
        run->started = true;
    } else if (sig == (SIGTRAP | 0x80)) {
        at_end(run, p);
    } else if (!event && sig != SIGSTOP) {          /* a new child begins with SIGSTOP */
        pass = sig;
    }
    ptrace(to_end ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, pass);
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
    stay_here();
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        filter_points(run->everything);
        execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    int status;
    const long wanted = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                        PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, pid, 0, wanted) != 0) {
        perror("ce");
        exit(BROKEN);
    }
    process_of(run, pid);
    ptrace(PTRACE_CONT, pid, 0, 0);
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
