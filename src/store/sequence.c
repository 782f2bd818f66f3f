#include "store/sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

enum { PATH = 300, TEXT = 64 };
static const int64_t largest = (int64_t)1 << 62;

/* Names come from site.conf; what a folder would take wrongly is written as `_`. */
static void file_name(const struct sequence *q, char out[PATH])
{
    size_t n = (size_t)snprintf(out, PATH, "sequences/");
    for (size_t i = 0; i < q->name.n && n < PATH - 32; i++) {
        char c = q->name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        out[n++] = plain || (c == '.' && i > 0) ? c : '_';
    }
    snprintf(out + n, PATH - n, ".next");
}

static int damaged(const struct sequence *q, const char *path, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SEQUENCE_DAMAGED",
        .place = { .file = path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "the state of the sequence %.*s cannot be believed", SLICE_ARG(q->name)),
        .hint = SLICE("look up the last number given, then remove the file and set `from` to the next one") });
    return STOP;
}

/* One lock file for all sequences: held while the state is read and replaced. */
static int lock(const struct store *s, int *out, struct problems *ps)
{
    int fd = openat(s->top, "sequences/.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_system(ps, "sequences/.lock", "cannot open", errno);
    int rc = file_lock(fd, LOCK_EX, "sequences/.lock", ps);
    if (rc == OK)
        *out = fd;
    else
        close(fd);
    return rc;
}

static unsigned long check_sum(const char *text, size_t n)
{
    return crc32(0, (const unsigned char *)text, (unsigned)n);
}

/* The next free number; `from` when the sequence was never used. */
static int read_next(const struct store *s, const struct sequence *q, int64_t *out, struct problems *ps)
{
    char path[PATH], text[TEXT + 1], want[TEXT];
    file_name(q, path);
    *out = q->from;
    int fd = openat(s->top, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, path, "cannot open", errno);
    ssize_t n = file_read_full(fd, text, TEXT);
    int err = errno;
    close(fd);
    if (n < 0)
        return problem_system(ps, path, "cannot read", err);
    text[n] = '\0';
    char *end;
    errno = 0;
    long long next = strtoll(text, &end, 10);
    int digits = (int)(end - text);
    int len = snprintf(want, sizeof want, "%lld %08lx\n", next, check_sum(text, (size_t)digits));
    if (errno || digits == 0 || next < 0 || next > largest || n != len || memcmp(text, want, (size_t)len) != 0)
        return damaged(q, path, ps);
    *out = next > q->from ? next : q->from;     /* a higher `from` in site.conf jumps ahead */
    return OK;
}

static int write_next(const struct store *s, const struct sequence *q, int64_t next, struct problems *ps)
{
    char path[PATH], text[TEXT];
    file_name(q, path);
    int digits = snprintf(text, sizeof text, "%" PRId64, next);
    int n = digits + snprintf(text + digits, sizeof text - (size_t)digits, " %08lx\n", check_sum(text, (size_t)digits));
    return file_replace_from(s->top, *s->fence ? s->fence : "sequences/", path, (struct slice){ text, (size_t)n }, 0600,
                             s->durable, ps);
}

static int64_t last_of(const struct sequence *q)
{
    int64_t last = q->to > 0 ? q->to : largest;
    int64_t digits = 1;
    for (int i = 0; i < q->size && q->size <= 18; i++)
        digits *= 10;
    return q->size > 0 && q->size <= 18 && digits - 1 < last ? digits - 1 : last;
}

static int exhausted(const struct sequence *q, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SEQUENCE_END",
                                       .place = { .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "the sequence %.*s has given its last number, %" PRId64, SLICE_ARG(q->name),
                             last_of(q)),
        .hint = SLICE("raise `to` or `size` of the sequence in site.conf, or agree on a new range with the partner") });
    return STOP;
}

int sequence_lease(const struct store *s, const struct sequence *q, int64_t want, struct sequence_lease *out,
                   struct problems *ps)
{
    int fd, rc = lock(s, &fd, ps);
    if (rc != OK)
        return rc;
    int64_t next, last = last_of(q);
    rc = read_next(s, q, &next, ps);
    if (rc == OK && next > last)
        rc = exhausted(q, ps);
    if (rc == OK) {
        want = want < 1 ? 1 : want;
        int64_t end = want > last - next + 1 ? last + 1 : next + want;
        rc = write_next(s, q, end, ps);
        if (rc == OK)
            *out = (struct sequence_lease){ .first = next, .end = end };
    }
    close(fd);
    return rc;
}

int sequence_next(const struct sequence *q, struct sequence_lease *lease, struct arena *a, struct slice *out,
                  struct problems *ps)
{
    if (lease->first >= lease->end)
        return END;
    if (lease->first > last_of(q))
        return exhausted(q, ps);
    int64_t n = lease->first++;
    *out = arena_printf(a, "%0*" PRId64, q->size > 0 ? q->size : 1, n);
    return OK;
}

int sequence_return(const struct store *s, const struct sequence *q, struct sequence_lease *lease, struct problems *ps)
{
    if (lease->first >= lease->end)
        return OK;
    int fd, rc = lock(s, &fd, ps);
    if (rc != OK)
        return rc;
    int64_t next;
    rc = read_next(s, q, &next, ps);
    if (rc == OK && next == lease->end)
        rc = write_next(s, q, lease->first, ps);
    if (rc == OK)
        lease->end = lease->first;
    close(fd);
    return rc;
}

int sequence_peek(const struct store *s, const struct sequence *q, int64_t *out, struct problems *ps)
{
    return read_next(s, q, out, ps);
}
