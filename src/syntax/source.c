#include "syntax/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

enum { LOCATE_CHUNK = 64 * 1024, LOCATE_LINE = 4096 /* of a line that is looked at from its beginning */,
       LOCATE_AROUND = 256 /* shown of a longer one, ahead of the place and behind it */ };

void source_open_fd(struct source *s, int fd, const char *name, const struct limits *limits)
{
    *s = (struct source){ .fd = fd, .name = name, .limits = limits ? limits : &limits_default, .line_number = 1 };
    s->start = lseek(fd, 0, SEEK_CUR);
    struct buf b = { 0 };
    buf_grow(&b, SOURCE_WINDOW);
    s->buffer = s->at = s->end = b.p;
    s->cap = b.cap;
}

void source_open_text(struct source *s, struct slice text, const char *name, const struct limits *limits)
{
    char *p = (char *)(uintptr_t)(text.p ? text.p : "");
    *s = (struct source){ .fd = -1, .name = name, .buffer = p, .cap = text.n, .at = p, .end = p + text.n, .eof = true,
                          .limits = limits ? limits : &limits_default, .line_number = 1 };
}

void source_open_filter(struct source *s, ssize_t (*more)(struct source *, char *, size_t), void *owner,
                        const char *name, const struct limits *limits)
{
    source_open_window(s, more, owner, name, limits, SOURCE_WINDOW);
}

void source_open_window(struct source *s, ssize_t (*more)(struct source *, char *, size_t), void *owner,
                        const char *name, const struct limits *limits, size_t window)
{
    *s = (struct source){ .fd = -1,
                          .name = name,
                          .limits = limits ? limits : &limits_default,
                          .line_number = 1,
                          .start = -1,
                          .more = more,
                          .owner = owner };
    struct buf b = { 0 };
    buf_grow(&b, window);
    s->buffer = s->at = s->end = b.p;
    s->cap = b.cap;
}

static ssize_t read_anew(struct source *s, char *p, size_t n)
{
    ssize_t got = pread(s->fd, p, n, s->start + (off_t)source_offset(s, s->end));
    return got > 0 ? got : 0;
}

bool source_open_anew(struct source *s, const struct source *of)
{
    if (of->fd < 0 && !of->more) {
        source_open_text(s, slice_range(of->buffer, of->end), of->name, of->limits);
        return true;
    }
    if (of->start < 0)
        return false;
    source_open_filter(s, read_anew, NULL, of->name, of->limits);
    s->fd = of->fd;
    s->start = of->start;
    return true;
}

void source_close(struct source *s)
{
    if ((s->fd >= 0 || s->more) && s->buffer) {
        struct buf b = { .p = s->buffer, .cap = s->cap };
        buf_release(&b);
    }
    s->buffer = s->at = s->end = NULL;
    s->cap = 0;
}

/* Line ends in [p, end): LF, CRLF and a lone CR are one each. `next` is the byte behind the end, -1 at the end of the
 * file. */
static uint64_t count_lines(const char *p, const char *end, int next)
{
    uint64_t n = 0;
    for (const char *q = p; (q = memchr(q, '\n', (size_t)(end - q))) != NULL; q++)
        n++;
    for (const char *q = p; (q = memchr(q, '\r', (size_t)(end - q))) != NULL; q++) {
        int follows = q + 1 < end ? (unsigned char)q[1] : next;
        n += follows != '\n';
    }
    return n;
}

/* Bytes leave the window.  What cannot be read again has its lines counted now. */
static void forget(struct source *s, const char *keep)
{
    if (s->start >= 0)
        return;
    const char *from = s->line_offset > s->base ? s->buffer + (s->line_offset - s->base) : s->buffer;
    if (from >= keep)
        return;
    s->line_number += count_lines(from, keep, keep < s->end ? (unsigned char)*keep : -1);
    s->line_offset = source_offset(s, keep);
}

static void window_move(struct source *s, char *keep)
{
    size_t gone = (size_t)(keep - s->buffer);
    if (!gone)
        return;
    forget(s, keep);
    memmove(s->buffer, keep, (size_t)(s->end - keep));
    s->base += gone;
    s->at -= gone;
    s->end -= gone;
}

static bool window_grow(struct source *s)
{
    uint64_t most = s->limits->row > SOURCE_WINDOW ? s->limits->row : SOURCE_WINDOW;
    if (s->cap >= most)
        return false;
    size_t at = (size_t)(s->at - s->buffer), n = (size_t)(s->end - s->buffer);
    struct buf b = { .p = s->buffer, .n = n, .cap = s->cap };
    uint64_t want = s->cap * 2 < most ? s->cap * 2 : most;
    buf_grow(&b, (size_t)want - n);
    s->buffer = b.p;
    s->cap = b.cap;
    s->at = s->buffer + at;
    s->end = s->buffer + n;
    return true;
}

bool source_fill(struct source *s, char **keep)
{
    if (s->eof || s->error || (s->fd < 0 && !s->more))
        return false;
    window_move(s, keep ? *keep : s->at);
    size_t least = s->more ? 64 : 1;            /* a filter needs room for whole characters */
    bool grown = (size_t)(s->buffer + s->cap - s->end) >= least || window_grow(s);
    if (keep)
        *keep = s->buffer;
    if (!grown)
        return false;
    size_t room = (size_t)(s->buffer + s->cap - s->end);
    ssize_t n = s->more ? s->more(s, s->end, room) : file_read_full(s->fd, s->end, room);
    if (n < 0) {
        s->error = errno;
        return false;
    }
    if (s->hash && n > 0)
        sha256_add(s->hash, (struct slice){ s->end, (size_t)n });
    s->end += n;
    s->eof = s->more ? n == 0 : (size_t)n < room;
    return n > 0;
}

/* Bytes of the file from `offset`: out of the window, else by pread. 0 when they cannot be had any more. */
static size_t bytes_at(const struct source *s, uint64_t offset, char *into, size_t n)
{
    if (offset >= s->base && offset < source_offset(s, s->end)) {
        size_t there = (size_t)(source_offset(s, s->end) - offset);
        n = n < there ? n : there;
        memcpy(into, s->buffer + (offset - s->base), n);
        return n;
    }
    if (s->fd < 0 || s->start < 0)
        return 0;
    ssize_t got = pread(s->fd, into, n, s->start + (off_t)offset);
    return got > 0 ? (size_t)got : 0;
}

struct slice source_again(const struct source *s, uint64_t at, uint64_t n, struct arena *a)
{
    if (n > SIZE_MAX - 16)
        return slice_none();
    char *p = arena_alloc(a, (size_t)n ? (size_t)n : 1);
    for (uint64_t got = 0; got < n;) {
        size_t now = bytes_at(s, at + got, p + got, (size_t)(n - got));
        if (!now)
            return slice_none();
        got += now;
    }
    return (struct slice){ p, (size_t)n };
}

static unsigned unit_width(enum charset c)
{
    return c == CHARSET_UTF_16 || c == CHARSET_UTF_16LE || c == CHARSET_UTF_16BE ? 2 : 1;
}

/* Is there an end of line at p?  UTF-16 has NUL in the other byte of the unit. */
static bool line_end(const char *p, size_t n, unsigned width, char which)
{
    if (width == 1)
        return n >= 1 && *p == which;
    return n >= 2 && ((p[0] == which && p[1] == 0) || (p[1] == which && p[0] == 0));
}

/* Counts whole chunks that end well before `offset`, so that the exact walk has at most two chunks left; returns
 * where it begins. */
static uint64_t skip_lines(struct source *s, uint64_t from, uint64_t offset, char *chunk)
{
    while (offset > from && offset - from > 2 * LOCATE_CHUNK) {
        size_t n = bytes_at(s, from, chunk, LOCATE_CHUNK);
        while (n > 0 && chunk[n - 1] != '\n')
            n--;
        if (n == 0)
            break;
        s->line_number += count_lines(chunk, chunk + n, -1);
        from += n;
        s->line_offset = from;
    }
    return from;
}

/* Moves (line_offset, line_number) to the beginning of the line that holds `offset`. */
static void walk_lines(struct source *s, uint64_t offset, char *chunk)
{
    unsigned width = unit_width(s->charset);
    if (offset < s->line_offset && s->start >= 0) {
        s->line_offset = s->line_seen = 0;
        s->line_number = 1;
    } else if (offset < s->line_offset) {
        return;
    }
    uint64_t from = s->line_seen > s->line_offset ? s->line_seen : s->line_offset;
    if (width == 1)
        from = skip_lines(s, from, offset, chunk);
    while (from < offset) {
        size_t want = offset - from + width < LOCATE_CHUNK ? (size_t)(offset - from) + width : LOCATE_CHUNK;
        size_t n = bytes_at(s, from, chunk, want), i = 0;
        for (; i + width <= n && from + i < offset; i += width) {
            bool lf = line_end(chunk + i, n - i, width, '\n');
            bool cr = !lf && line_end(chunk + i, n - i, width, '\r');
            if (cr && i + 2 * width > n && n == LOCATE_CHUNK)
                break;
            if (lf || (cr && !line_end(chunk + i + width, n - i - width, width, '\n'))) {
                s->line_number++;
                s->line_offset = from + i + width;
            }
        }
        if (i == 0)
            return;
        from += i;
        s->line_seen = from;
    }
}

/* The bytes of the line as UTF-8, or the bytes themselves where they do not decode. */
static struct slice line_text(const struct source *s, struct slice raw, struct arena *a)
{
    if (s->charset == CHARSET_UNKNOWN || s->charset == CHARSET_UTF_8 || s->charset == CHARSET_US_ASCII)
        return arena_copy(a, raw);
    struct buf b = { 0 };
    bool unfinished = false;
    charset_decode(s->charset, raw, &b, &unfinished);
    struct slice text = arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* Column of an offset in its line, and the line itself where it is short enough to show. `ahead`: bytes from the
 * line's beginning. */
static void locate_column(struct source *s, struct problem *p, uint64_t ahead, char *chunk, struct arena *a)
{
    size_t n = bytes_at(s, s->line_offset, chunk, LOCATE_LINE), len = 0;
    unsigned width = unit_width(s->charset);
    while (len + width <= n && !line_end(chunk + len, n - len, width, '\n')
           && !line_end(chunk + len, n - len, width, '\r'))
        len += width;
    if (s->line_offset == 0) {                  /* a byte order mark has no column */
        enum charset of;
        size_t bom = charset_bom((struct slice){ chunk, n }, &of);
        ahead -= bom < ahead ? bom : ahead;
        len -= bom < len ? bom : len;
        memmove(chunk, chunk + bom, len);
    }
    struct slice head = line_text(s, (struct slice){ chunk, ahead < len ? ahead : len }, a);
    p->place.column = (uint32_t)utf8_chars(head) + 1;
    if (!p->source.p)
        p->source = line_text(s, (struct slice){ chunk, len }, a);
}

/* Of a line too long to count characters in: the column in bytes, and what stands around it. */
static void locate_far(struct source *s, struct problem *p, uint64_t ahead, char *chunk, struct arena *a)
{
    p->place.column = ahead < UINT32_MAX ? (uint32_t)ahead + 1 : UINT32_MAX;
    if (p->source.p || p->place.column == UINT32_MAX || unit_width(s->charset) != 1)
        return;
    size_t n = bytes_at(s, p->place.offset - LOCATE_AROUND, chunk, 2 * LOCATE_AROUND), from = 0, to = LOCATE_AROUND;
    if (n < LOCATE_AROUND)
        return;
    while (from < 4 && ((unsigned char)chunk[from] & 0xC0) == 0x80)
        from++;                                 /* not within a character */
    while (to < n && !line_end(chunk + to, n - to, 1, '\n') && !line_end(chunk + to, n - to, 1, '\r'))
        to++;
    struct slice head = line_text(s, slice_range(chunk + from, chunk + LOCATE_AROUND), a);
    p->source = line_text(s, slice_range(chunk + from, chunk + to), a);
    p->source_skip = p->place.column - 1 - (uint32_t)utf8_chars(head);
}

static void locate(void *owner, struct problem *p, struct arena *a)
{
    struct source *s = owner;
    if (p->place.offset == PLACE_NO_OFFSET)
        return;
    char chunk[LOCATE_CHUNK];
    walk_lines(s, p->place.offset, chunk);
    if (p->place.offset < s->line_offset)
        return;
    p->place.line = (uint32_t)s->line_number;
    uint64_t ahead = p->place.offset - s->line_offset;
    if (ahead < LOCATE_LINE - 512)
        locate_column(s, p, ahead, chunk, a);
    else
        locate_far(s, p, ahead, chunk, a);
}

void source_locate(struct source *s, struct problems *ps)
{
    ps->locate = locate;
    ps->locate_owner = s;
    ps->file = s->name;
}
