/* Any bytes as a dropped archive: refused, or its members come one after another within the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct taken {
    int fd;
    size_t number;
};

static int take(void *owner, struct slice name, size_t number, int *fd_out, struct problems *ps)
{
    struct taken *t = owner;
    (void)ps;
    if (number != t->number + 1 || name.n > 255)
        abort();
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/' || name.p[i] == '\0')
            abort();
    *fd_out = t->fd;
    return OK;
}

static int done(void *owner, size_t number, uint64_t bytes, const char *sha256, struct problems *ps)
{
    struct taken *t = owner;
    (void)ps;
    t->number = number;
    if (bytes > 1 << 20 || !sha256[0])
        abort();
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena arena;
    struct problems ps;
    struct unpack_limits limits = { .members = 50, .bytes = 1 << 20, .ratio = 200 };
    struct taken t = { .fd = memfd_create("member", 0) };
    struct unpack_take to = { &t, take, done, NULL };
    int fd = memfd_create("packed", 0);
    arena_init(&arena, 0);
    problems_init(&ps, &arena, 10);
    if (fd >= 0 && t.fd >= 0 && write(fd, data, n) == (ssize_t)n) {
        int rc = unpack_run(fd, SLICE("drop.gz"), &limits, &to, &ps);
        if (rc != OK && !ps.first)
            abort();
    }
    close(fd);
    close(t.fd);
    arena_release(&arena);
    return 0;
}
