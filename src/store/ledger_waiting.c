#include "store/ledger_waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/wire.h"

enum { HELD = 1 << 18 };            /* bytes in memory before they go into the file */

static void put_record(struct buf *b, const struct ledger_record *r)
{
    wire_text(b, r->batch);
    wire_text(b, r->part);
    wire_text(b, r->time);
    wire_number(b, r->message);
    wire_text(b, r->outcome);
    wire_text(b, r->code);
    wire_number(b, r->nfields);
    for (size_t i = 0; i < r->nfields; i++) {
        wire_text(b, r->fields[i].name);
        wire_text(b, r->fields[i].value);
    }
}

static void get_record(struct wire *w, struct ledger_record *out)
{
    out->batch = wire_get_text(w);
    out->part = wire_get_text(w);
    out->time = wire_get_text(w);
    out->message = wire_get_number(w);
    out->outcome = wire_get_text(w);
    out->code = wire_get_text(w);
    uint64_t n = wire_get_number(w);
    w->bad |= n > w->at.n / 16;                     /* each has two lengths */
    out->nfields = w->bad ? 0 : (size_t)n;
    out->fields = arena_alloc(w->arena, out->nfields * sizeof *out->fields + 1);
    for (size_t i = 0; i < out->nfields; i++) {
        out->fields[i].name = wire_get_text(w);
        out->fields[i].value = wire_get_text(w);
    }
}

/* EOPNOTSUPP, EISDIR, ENOENT: network and older file systems have no files without a name. */
static int open_file(struct waiting *w, const struct store *s)
{
    if (w->fd >= 0)
        return 0;
    w->fd = openat(s->top, "ledger", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL))
        w->fd = memfd_create("ledger", MFD_CLOEXEC);
    return w->fd < 0 ? errno : 0;
}

static int flush(struct waiting *w, const struct store *s, struct problems *ps)
{
    int err = open_file(w, s);
    if (err == 0 && lseek(w->fd, (off_t)w->at, SEEK_SET) < 0)
        err = errno;
    if (err == 0)
        err = file_write_all(w->fd, buf_slice(&w->bytes));
    if (err)
        return problem_system(ps, "ledger", "cannot write what this file noted so far to a temporary file", err);
    w->at += w->bytes.n;
    w->bytes.n = 0;
    return OK;
}

int waiting_put(struct waiting *w, const struct store *s, const struct ledger_record *r, uint64_t *at_out,
                uint32_t *length_out, struct problems *ps)
{
    int rc = w->bytes.n < HELD ? OK : flush(w, s, ps);
    if (rc != OK)
        return rc;
    size_t from = w->bytes.n;
    put_record(&w->bytes, r);
    *at_out = w->at + from;
    *length_out = (uint32_t)(w->bytes.n - from);
    return OK;
}

/* NULL with errno. The bytes of what is in the file live in `b`. */
static const char *bytes_of(const struct waiting *w, uint64_t at, uint32_t length, struct buf *b)
{
    if (at >= w->at)
        return w->bytes.p + (at - w->at);
    char *p = buf_room(b, length);
    ssize_t n = pread(w->fd, p, length, (off_t)at);
    if (n >= 0 && n != (ssize_t)length)
        errno = EIO;
    return n == (ssize_t)length ? p : NULL;
}

bool waiting_get(const struct waiting *w, uint64_t at, uint32_t length, struct arena *a, struct ledger_record *out)
{
    struct buf b = { 0 };
    struct wire r = { .arena = a };
    const char *p = bytes_of(w, at, length, &b);
    r.at = (struct slice){ p, p ? length : 0 };
    r.bad = p == NULL;
    get_record(&r, out);
    if (p && r.bad)
        errno = EIO;
    buf_release(&b);
    return !r.bad;
}

void waiting_forget(struct waiting *w)
{
    if (w->fd >= 0)
        close(w->fd);
    buf_release(&w->bytes);
    *w = (struct waiting){ .fd = -1 };
}
