#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batch/batch_private.h"
#include "store/archive.h"

static int from_folder(const struct batch_site *s, struct arena *a, const char *id, const char *name, int *fd_out,
                       struct problems *ps)
{
    struct batch *b;
    int rc = batch_open(s, a, id, &b, ps);
    if (rc != OK)
        return rc;
    *fd_out = openat(b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    rc = *fd_out >= 0 ? OK : problem_system(ps, name, "cannot open a file of the batch", errno);
    batch_close(b);
    return rc;
}

static int from_zip(const struct batch_site *s, const char *id, const char *name, int *fd_out, struct problems *ps)
{
    if (!spool_id_valid(id) || !archived_exists(s->store, id))
        return END;
    int fd = memfd_create("archived", MFD_CLOEXEC);
    if (fd < 0)
        return problem_system(ps, name, "no memory for a file of the archive", errno);
    int rc = archived_extract(s->store, id, slice_of(name), fd, ps);
    if (rc == OK && lseek(fd, 0, SEEK_SET) != 0)
        rc = problem_system(ps, name, "cannot be read", errno);
    *fd_out = rc == OK ? fd : -1;
    if (rc != OK)
        close(fd);
    return rc;
}

int batch_read_file(const struct batch_site *s, struct arena *a, const char *id, struct slice file, int *fd_out,
                    struct problems *ps)
{
    const char *name = arena_cstr(a, file);
    *fd_out = -1;
    if (strchr(name, '/') || name[0] == '.')
        return END;
    int rc = from_folder(s, a, id, name, fd_out, ps);
    return rc == END ? from_zip(s, id, name, fd_out, ps) : rc;
}
