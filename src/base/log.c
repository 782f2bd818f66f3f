#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/date.h"
#include "base/file.h"

enum { VALUE_SHOWN = 300 };

/* Set once by log_setup. */
static enum log_level wanted = LOG_LEVEL_INFO;
static bool to_journal;
static struct clock now;

/* systemd.exec(5): JOURNAL_STREAM names device and inode of the stream; ours may have been redirected since. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0
        && st.st_dev == device && st.st_ino == inode;
}

void log_setup(enum log_level least, const struct clock *clock)
{
    wanted = least;
    now = *clock;
    to_journal = is_journal();
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR: return "error";
    case LOG_LEVEL_WARNING: return "warning";
    case LOG_LEVEL_NOTICE: return "notice";
    case LOG_LEVEL_INFO: return "info";
    default: return "debug";
    }
}

/* UTC, to the second: the journal has its own. */
static void add_time(struct buf *b)
{
    struct date_parts p;
    date_from_seconds(clock_now(&now), 0, &p);
    buf_printf(b, "time=%04d-%02d-%02dT%02d:%02d:%02dZ ", p.year, p.month, p.day, p.hour, p.minute, p.second);
}

struct log log_begin(enum log_level level, const char *event)
{
    struct log l = { .off = level > wanted };
    if (l.off)
        return l;
    if (to_journal) {
        buf_printf(&l.line, "<%d>event=%s", (int)level, event);
    } else {
        add_time(&l.line);
        buf_printf(&l.line, "level=%s event=%s", level_name(level), event);
    }
    return l;
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (strchr(" \"=\\", value.p[i]))       /* the NUL byte counts too */
            return true;
    }
    return value.n == 0;
}

static void add_quoted(struct buf *b, struct slice value)
{
    buf_byte(b, '"');
    for (size_t from = 0, i = 0; i <= value.n; i++) {
        if (i < value.n && value.p[i] != '"' && value.p[i] != '\\')
            continue;
        buf_add_shown(b, slice_range(value.p + from, value.p + i), 0);
        if (i < value.n) {
            buf_byte(b, '\\');
            buf_byte(b, value.p[i]);
        }
        from = i + 1;
    }
    buf_byte(b, '"');
}

void log_text(struct log *l, const char *key, struct slice value)
{
    if (l->off || value.p == NULL)
        return;
    buf_printf(&l->line, " %s=", key);
    if (value.n > VALUE_SHOWN)
        value.n = VALUE_SHOWN;
    if (needs_quotes(value))
        add_quoted(&l->line, value);
    else
        buf_add_shown(&l->line, value, 0);
}

void log_number(struct log *l, const char *key, int64_t value)
{
    if (!l->off)
        buf_printf(&l->line, " %s=%" PRId64, key, value);
}

void log_problem(struct log *l, const struct problem *p)
{
    struct buf text = { 0 };
    if (l->off)
        return;
    log_text(l, "code", slice_of(p->code));
    log_text(l, "file", slice_of(p->place.file));
    if (p->place.line)
        log_number(l, "line", p->place.line);
    if (p->place.column)
        log_number(l, "column", p->place.column);
    if (p->message)
        log_number(l, "message", (int64_t)p->message);
    if (p->path.n)
        log_text(l, "path", p->path);
    problem_text(&text, p);
    log_text(l, "text", buf_slice(&text));
    if (p->hint.n)
        log_text(l, "hint", p->hint);
    buf_release(&text);
}

void log_end(struct log *l)
{
    if (!l->off) {
        buf_byte(&l->line, '\n');
        (void)file_write_all(STDERR_FILENO, buf_slice(&l->line));
    }
    buf_release(&l->line);
}
