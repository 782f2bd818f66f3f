/*
 * source - bytes of an input file as a reader sees them
 *
 * A window over a file or pipe that the syntax moves forward; bytes between `at` and `end` stay in place until
 * source_fill.
 *
 *     while (source_fill(src, keep)) { ... src->at .. src->end ... }
 *
 * The window is raw bytes of the file: charset conversion is the reader's business, so that offsets stay true.
 *
 * Units:   offsets in bytes from the beginning of the file.
 * Owner:   the caller owns fd; source_close leaves it open.
 * Errors:  a read error is kept in src->error (errno) and ends the data; readers answer TEMP.
 * Limits:  the window grows to limits->row at most.
 */
#ifndef WAYBILL_SYNTAX_SOURCE_H
#define WAYBILL_SYNTAX_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/charset.h"
#include "base/hash.h"
#include "base/limit.h"
#include "base/problem.h"

struct source {
    int fd;                         /* -1: all bytes are in memory from the start */
    const char *name;               /* as the user named the file, for problems */
    char *buffer;
    size_t cap;
    char *at, *end;                 /* the bytes that are there and not yet consumed */
    uint64_t base;                  /* offset of `buffer` in the file */
    bool eof;
    int error;                      /* errno of a failed read, 0 = none */
    const struct limits *limits;
    struct sha256 *hash;            /* when set, every byte read goes through it once */
    /* For line and column of problems: where the last lookup stood, and for inputs that cannot be read again (pipes)
       the line count of what has left the window. */
    uint64_t line_offset, line_number;
    enum charset charset; /* set by the reader, for columns and source lines of problems; UNKNOWN counts as UTF-8 */
    off_t start;                    /* where the file began in fd; -1: a pipe, what left the window is gone */
    /* A source made of another (decoded text): gives up to n more bytes, 0 at the end. */
    ssize_t (*more)(struct source *s, char *p, size_t n);
    void *owner;
    uint64_t line_seen;             /* no line ends between line_offset and this: lines may be as long as the file */
};

#define SOURCE_WINDOW (256 * 1024)

void source_open_fd(struct source *s, int fd, const char *name, const struct limits *limits);
void source_open_text(struct source *s, struct slice text, const char *name, const struct limits *limits);
void source_open_filter(struct source *s, ssize_t (*more)(struct source *, char *, size_t), void *owner,
                        const char *name, const struct limits *limits);
/* The same with a window that is so small at first: what moves it happens with short inputs, too. */
void source_open_window(struct source *s, ssize_t (*more)(struct source *, char *, size_t), void *owner,
                        const char *name, const struct limits *limits, size_t window);
/* The same bytes from the beginning, while `of` is being read; false for pipes. */
bool source_open_anew(struct source *s, const struct source *of);
void source_close(struct source *s);
/* Bytes of the file again, for patching: out of the window, or read anew where the input is no pipe. slice_none()
 * otherwise. */
struct slice source_again(const struct source *s, uint64_t at, uint64_t n, struct arena *a);
/* Moves the bytes from `keep` (<= at) to the front of the window and reads more behind `end`; grows the window when
   it is full. `keep` and `at` are moved with them.  False when nothing more came: end of file, error, or the window
   is at its limit (then `eof` is false and `error` 0). */
bool source_fill(struct source *s, char **keep);

static inline uint64_t source_offset(const struct source *s, const char *p)
{
    return s->base + (uint64_t)(p - s->buffer);
}

/* Hooks a problem collection to this source: offsets become line and column, the source line is found (fd by pread). */
void source_locate(struct source *s, struct problems *ps);

#endif
