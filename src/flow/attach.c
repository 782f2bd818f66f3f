#include "flow/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define NAME_LONGEST 255

static int told(struct problems *ps, const char *code, struct slice name, const char *text)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = code, .value = arena_copy(ps->arena, name),
                                       .place.offset = PLACE_NO_OFFSET, .text = slice_of(text) });
    return WARN;
}

/* One entry of the folder: neither a path nor hidden, and nothing that cannot be a name. */
bool attach_is_entry(struct slice name)
{
    return name.n && name.n <= NAME_LONGEST && name.p[0] != '.' && !memchr(name.p, '/', name.n) &&
           !memchr(name.p, '\0', name.n);
}

static int read_file(int fd, uint64_t size, struct slice name, struct arena *a, struct slice *out, struct problems *ps)
{
    char *p = arena_alloc(a, (size_t)size + 1);
    ssize_t n = file_read_full(fd, p, (size_t)size);
    if (n < 0)
        return problem_system(ps, arena_cstr(a, name), "the attachment cannot be read", errno);
    *out = (struct slice){ p, (size_t)n };
    return OK;
}

int attach_read_fd(int fd, struct slice name, const struct limits *limits, struct arena *a, struct slice *out,
                   struct problems *ps)
{
    struct stat st;
    uint64_t most = limits->binary < limits->message / 4 ? limits->binary : limits->message / 4;
    if (fstat(fd, &st) != 0)
        return problem_system(ps, arena_cstr(a, name), "the attachment cannot be looked at", errno);
    if (!S_ISREG(st.st_mode))
        return told(ps, "ATTACH_FILE", name, "is no regular file");
    if ((uint64_t)st.st_size > most)
        return told(ps, "LIMIT_BINARY", name, "is too large for an attachment");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return problem_system(ps, arena_cstr(a, name), "the attachment cannot be read", errno);
    return read_file(fd, (uint64_t)st.st_size, name, a, out, ps);
}

int attach_read(int dirfd, struct slice name, const struct limits *limits, struct arena *a, struct slice *out,
                struct problems *ps)
{
    *out = (struct slice){ "", 0 };
    if (!name.n)
        return OK;
    if (!attach_is_entry(name))
        return told(ps, "ATTACH_NAME", name, "is no name of a file beside the document");
    int fd = openat(dirfd, arena_cstr(a, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return OK;
    if (fd < 0 && (errno == ELOOP || errno == ENXIO || errno == EACCES))
        return told(ps, "ATTACH_FILE", name, "lies there and cannot be opened");
    if (fd < 0)
        return problem_system(ps, arena_cstr(a, name), "the attachment cannot be opened", errno);
    int rc = attach_read_fd(fd, name, limits, a, out, ps);
    close(fd);
    return rc;
}
