/*
 * sink - bytes on their way to an output file
 *
 * A buffer of 256 KiB in front of a file descriptor or of memory.
 *
 * Errors:  a write error is kept in sink->error (errno); sink_close returns it as TEMP with a problem.  After an
 * error bytes are dropped, so writers need not check each time.
 */
#ifndef WAYBILL_SYNTAX_SINK_H
#define WAYBILL_SYNTAX_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/problem.h"

struct sink {
    int fd;                         /* -1: all stays in `buf` */
    const char *name;
    struct buf buf;
    uint64_t written;               /* bytes that have left the buffer */
    uint64_t max;                   /* LIMIT_OUTPUT beyond; 0 = none */
    int error;
    struct sha256 *hash;
};

#define SINK_BUFFER (256 * 1024)

void sink_open_fd(struct sink *s, int fd, const char *name);
void sink_open_memory(struct sink *s, const char *name);
void sink_flush(struct sink *s);
/* Flushes; OK, STOP (LIMIT_OUTPUT) or TEMP. The bytes of a memory sink stay until sink_release. */
int sink_close(struct sink *s, struct problems *ps);
void sink_release(struct sink *s);

static inline uint64_t sink_total(const struct sink *s)
{
    return s->written + s->buf.n;
}

/* Called after a message or row: writes the buffer out when it is full. */
static inline void sink_turn(struct sink *s)
{
    if (s->fd >= 0 && s->buf.n >= SINK_BUFFER - 64 * 1024)
        sink_flush(s);
}

#endif
