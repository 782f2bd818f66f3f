/*
 * progress - a bar on a terminal for what takes longer than a second
 *
 * Nothing is shown unless standard error is a terminal.  Redrawn at most ten times a second.
 *
 * Units:   bytes of `total`; 0 = not known.
 */
#ifndef WAYBILL_CMD_PROGRESS_H
#define WAYBILL_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *name;
    uint64_t total;
    int64_t started, shown;         /* milliseconds, monotonic */
    bool terminal, drawn;
    uint32_t calls;
};

void progress_start(struct progress *p, uint64_t total, const char *name);
void progress_show(struct progress *p, uint64_t done);
/* Wipes the bar. */
void progress_end(struct progress *p);

#endif
