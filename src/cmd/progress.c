#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/date.h"

#define BAR_WIDTH 30

void progress_start(struct progress *p, uint64_t total, const char *name)
{
    *p = (struct progress){ .name = name, .total = total, .terminal = isatty(STDERR_FILENO) };
    p->started = p->terminal ? clock_monotonic_ms() : 0;
}

static void draw(struct progress *p, uint64_t done, int64_t now)
{
    struct buf line = { 0 };
    buf_byte(&line, '\r');
    buf_add_shown(&line, slice_of(p->name), 40);
    if (p->total) {
        if (done > p->total)
            done = p->total;
        unsigned full = (unsigned)(done * BAR_WIDTH / p->total);
        buf_text(&line, " [");
        for (unsigned i = 0; i < BAR_WIDTH; i++)
            buf_byte(&line, i < full ? '#' : '.');
        buf_printf(&line, "] %3u %%", (unsigned)(done * 100 / p->total));
    }
    buf_printf(&line, "  %.0f MB, %.0f MB/s ", (double)done / 1e6, (double)done / 1e3 / (double)(now - p->started + 1));
    fwrite(line.p, 1, line.n, stderr);
    fflush(stderr);
    buf_release(&line);
}

void progress_show(struct progress *p, uint64_t done)
{
    if (!p->terminal || (++p->calls & 255) != 0)        /* the clock is asked every 256 messages */
        return;
    int64_t now = clock_monotonic_ms();
    if (now - p->started < 1000 || now - p->shown < 100)
        return;
    p->shown = now;
    p->drawn = true;
    draw(p, done, now);
}

void progress_end(struct progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
}
