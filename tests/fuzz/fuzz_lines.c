/* fuzz_lines - any bytes as a lines file whose size and hash are right: refused, or read; what was read can be written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batch/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct copy {
    struct lines lines;
    struct problems *problems;
    uint64_t n;
};

static int again(void *owner, const struct line_read *l)
{
    struct copy *c = owner;
    c->n++;
    return lines_add(&c->lines, &(struct line){ .message = l->message, .key = l->key, .state = l->state, .code = l->code,
                                                .operation = l->operation, .time = l->time, .reason = l->reason,
                                                .lines = l->lines, .findings = l->findings, .tried = l->tried },
                     c->problems);
}

static int count(void *owner, const struct line_read *l)
{
    (void)l;
    ++*(uint64_t *)owner;
    return OK;
}

static int read_all(struct slice text, struct arena *a, int (*each)(void *, const struct line_read *), void *owner,
                    struct problems *ps)
{
    struct waybill_file f = { .file = SLICE("x.lines.1.jsonl"), .kind = SLICE("lines"), .size = text.n };
    int fd = memfd_create("lines", 0);
    if (fd < 0 || write(fd, text.p, text.n) != (ssize_t)text.n)
        abort();
    for (size_t i = 0; i < text.n; i++)
        f.count += text.p[i] == '\n';
    sha256_of(text, f.sha256);
    int rc = lines_read_fd(fd, &f, a, each, owner, ps);
    close(fd);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a, kept;
    struct problems ps;
    struct copy c = { .problems = &ps };
    char hash[SHA256_HEX];
    int fd = memfd_create("copy", 0), twin = dup(fd);
    arena_init(&a, 0);
    arena_init(&kept, 0);
    problems_init(&ps, &kept, 100);
    lines_begin(&c.lines, fd);
    int rc = read_all((struct slice){ (const char *)data, n }, &a, again, &c, &ps);
    if (rc > WARN && rc != END && !ps.first)
        abort();
    if (lines_end(&c.lines, hash, &ps) == OK && rc <= WARN) {
        struct buf text = { 0 };
        uint64_t m = 0;
        buf_room(&text, c.lines.size + 1);
        if (pread(twin, text.p, c.lines.size, 0) != (ssize_t)c.lines.size)
            abort();
        arena_reset(&a);
        if (read_all((struct slice){ text.p, c.lines.size }, &a, count, &m, &ps) > WARN || m != c.n)
            abort();
        buf_release(&text);
    }
    close(twin);
    arena_release(&a);
    arena_release(&kept);
    return 0;
}
