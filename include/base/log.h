/*
 * log - lines of key=value on standard error, for flow and cmd only
 *
 *     log_setup(LOG_LEVEL_INFO, &clock);               once, before threads
 *     struct log l = log_begin(LOG_LEVEL_INFO, "deliver");
 *     log_text(&l, "batch", id);
 *     log_number(&l, "bytes", 1234);
 *     log_end(&l);            time=2026-11-22T03:44:31Z level=info event=deliver batch=b17 bytes=1234
 *
 * Into the journal (JOURNAL_STREAM, sd-daemon(3)) the prefix <6> tells the level, and time is the journal's own.
 * Values are escaped (buf_add_shown) and quoted where they hold a blank, a quotation mark or "="; a line is one write,
 * so lines of several processes do not mix.
 *
 * Owner:   log_begin to log_end hold a buffer: always call both.
 * Errors:  none: a line that cannot be written is lost.
 * Limits:  a value is cut after 300 bytes.
 */
#ifndef WAYBILL_BASE_LOG_H
#define WAYBILL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/date.h"
#include "base/problem.h"
#include "base/slice.h"

/* The numbers of syslog. */
enum log_level {
    LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7,
};

struct log {
    struct buf line;
    bool off;                       /* below the level that is wanted */
};

/* `clock` tells the time of each line. Without this call: level info, the system's time. */
void log_setup(enum log_level least, const struct clock *clock);
struct log log_begin(enum log_level level, const char *event);
/* Nothing is written for slice_none(). */
void log_text(struct log *l, const char *key, struct slice value);
void log_number(struct log *l, const char *key, int64_t value);
/* code, file, line, column, message, path and text of a problem. */
void log_problem(struct log *l, const struct problem *p);
void log_end(struct log *l);

#endif
