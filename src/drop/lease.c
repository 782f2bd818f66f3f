#include "drop/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

/* The number in a small file; 0 when there is none. */
static unsigned long long read_number(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return strtoull(text, NULL, 10);
}

/* The epoch only grows: ids of this watcher differ from those of all before it. */
static int next_epoch(struct spool *s, struct problems *ps)
{
    char text[32];
    unsigned long long epoch = 0;
    int fd = openat(s->top, "epoch", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return problem_system(ps, "epoch", "cannot open", errno);
    if (fd >= 0) {
        epoch = read_number(fd);
        close(fd);
    }
    int n = snprintf(text, sizeof text, "%llu\n", epoch + 1);
    int rc = file_replace(s->top, "epoch", (struct slice){ text, (size_t)n }, 0600, s->durable, ps);
    if (rc == OK) {
        s->epoch = epoch + 1;
        s->counter = 0;
    }
    return rc;
}

static int busy(const struct spool *s, int fd, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_BUSY",
        .place = { .file = s->path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "process %llu works on this site", read_number(fd)),
        .hint = SLICE("one process at a time: stop it, or let it do the work") });
    return STOP;
}

int lease_take(struct lease *l, struct spool *s, struct problems *ps)
{
    char text[32];
    l->fd = -1;
    int fd = openat(s->top, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_system(ps, "lock", "cannot open", errno);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        int rc = errno == EAGAIN || errno == EACCES ? busy(s, fd, ps)
            : problem_system(ps, "lock", "cannot lock", errno);
        close(fd);
        return rc;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    int rc = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n ? OK
        : problem_system(ps, "lock", "cannot write", errno);
    if (rc == OK)
        rc = next_epoch(s, ps);
    if (rc == OK)
        l->fd = fd;
    else
        close(fd);
    return rc;
}

void lease_give(struct lease *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

int lease_holder(const struct spool *s, long *pid_out, struct problems *ps)
{
    *pid_out = 0;
    int fd = openat(s->top, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, "lock", "cannot open", errno);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
        *pid_out = (long)read_number(fd);
    close(fd);
    return OK;
}
