#include "cmd/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int outfile_open(struct outfile *o, const char *path, struct arena *a, struct problems *ps)
{
    struct stat st;
    *o = (struct outfile){ .fd = -1, .path = path };
    if (!path || strcmp(path, "-") == 0) {
        o->path = "-";
        o->fd = dup(STDOUT_FILENO);
    } else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        o->temp = arena_printf(a, "%s.tmp%d", path, (int)getpid()).p;
        o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (o->fd < 0) {
        o->temp = NULL;
        return problem_system(ps, o->path, "cannot be written", errno);
    }
    sink_open_fd(&o->sink, o->fd, o->path);
    return OK;
}

int outfile_end(struct outfile *o, bool keep, struct problems *ps)
{
    int rc = OK;
    if (o->fd < 0)
        return OK;
    if (close(o->fd) != 0 && keep)
        rc = problem_system(ps, o->path, "cannot be written", errno);
    o->fd = -1;
    sink_release(&o->sink);
    if (!o->temp)
        return rc;
    if (rc == OK && keep && rename(o->temp, o->path) != 0)
        rc = problem_system(ps, o->path, "cannot get its name", errno);
    if (rc != OK || !keep)
        unlink(o->temp);
    return rc;
}
