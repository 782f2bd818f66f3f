/*
 * date - the calendar: days, times and zones, never the server's
 *
 * Proleptic Gregorian calendar, years 0001 to 9999 (ISO 8601).  Canonical texts: format/type.h.
 *
 * Units:   days since 1970-01-01; seconds since 1970-01-01T00:00:00Z.
 * Errors:  false when the text is not a real date or time.
 */
#ifndef WAYBILL_BASE_DATE_H
#define WAYBILL_BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct date_parts {
    int32_t year, month, day, hour, minute, second, nano;
    int32_t offset;                 /* minutes east of UTC */
    bool has_date, has_time, has_offset;
    uint8_t fraction;               /* digits after the second */
};

/* Date, time or datetime; checks the calendar. */
bool date_parse(struct slice canonical, struct date_parts *out);
bool date_check(const struct date_parts *p);
struct slice date_text(struct arena *a, const struct date_parts *p);
int64_t date_days(int32_t year, int32_t month, int32_t day);
void date_from_days(int64_t days, int32_t *year, int32_t *month, int32_t *day);
/* A date is its midnight; zones are reckoned with. */
int date_compare_text(struct slice a, struct slice b);

/* Seconds since 1970-01-01T00:00:00Z: offset counted, a date is its midnight, a time alone is of 1970-01-01. */
int64_t date_seconds(const struct date_parts *p);
/* Date, time and offset (minutes east) of an instant. */
void date_from_seconds(int64_t seconds, int32_t offset, struct date_parts *out);

/* A time zone by IANA name, read from the system's tzdata (TZif, RFC 8536); program lifetime. */
struct zone;
const struct zone *zone_load(struct arena *a, const char *name);        /* NULL = unknown */
int32_t zone_offset(const struct zone *z, int64_t utc_seconds);         /* minutes east */
/* "2026-11-22T10:00:00+01:00" */
struct slice zone_stamp(struct arena *a, const struct zone *z, int64_t utc_seconds);
/* Local time without zone to UTC: 1 = one answer, 0 = in a gap of summer time, 2 = in an overlap (out is the earlier).
   In a gap out is reckoned with the offset before it; a local time that names its offset is taken by that. */
int zone_to_utc(const struct zone *z, const struct date_parts *local, int64_t *out);

/* The wall clock in seconds and nanoseconds, or what the environment's WAYBILL_CLOCK says ("2026-01-02T03:04:05Z"),
   read once by the caller. */
struct clock {
    bool fixed;
    int64_t seconds;
};
void clock_init(struct clock *c, const char *fixed_text);       /* NULL = the system's */
int64_t clock_now(const struct clock *c);
int64_t clock_monotonic_ms(void);

#endif
