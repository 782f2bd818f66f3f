#include "base/date.h"

#include <stdio.h>
#include <time.h>

enum { SECOND = 1, MINUTE = 60, HOUR = 3600, DAY = 86400 };

/* H. Hinnant, chrono-compatible low-level date algorithms: years begin in March, eras have 400 years. */
int64_t date_days(int32_t year, int32_t month, int32_t day)
{
    int64_t y = (int64_t)year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void date_from_days(int64_t days, int32_t *year, int32_t *month, int32_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, rest = days - era * 146097;
    int64_t of_era = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int64_t of_year = rest - (365 * of_era + of_era / 4 - of_era / 100), march = (5 * of_year + 2) / 153;
    *day = (int32_t)(of_year - (153 * march + 2) / 5 + 1);
    *month = (int32_t)(march < 10 ? march + 3 : march - 9);
    *year = (int32_t)(of_era + era * 400 + (*month <= 2));
}

static int32_t days_of_month(int32_t year, int32_t month)
{
    static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool date_check(const struct date_parts *p)
{
    if (p->has_date && (p->year < 1 || p->year > 9999 || p->month < 1 || p->month > 12 || p->day < 1
                        || p->day > days_of_month(p->year, p->month)))
        return false;
    bool in_day = p->hour >= 0 && p->hour <= 23 && p->minute >= 0 && p->minute <= 59 && p->second >= 0
        && p->second <= 59;
    if (p->has_time && (!in_day || p->nano < 0 || p->nano > 999999999))
        return false;
    if (p->has_offset && (p->offset <= -24 * 60 || p->offset >= 24 * 60))
        return false;
    return p->has_date || p->has_time;
}

/* Exactly n digits. */
static bool number(const char **p, const char *end, int n, int32_t *out)
{
    int32_t value = 0;
    if (end - *p < n)
        return false;
    for (int i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)(*p)[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + (int32_t)digit;
    }
    *p += n;
    *out = value;
    return true;
}

static bool skip(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

static bool parse_fraction(const char **p, const char *end, struct date_parts *out)
{
    int32_t unit = 100000000;
    while (*p < end && **p >= '0' && **p <= '9' && out->fraction < 9) {
        out->nano += (**p - '0') * unit;
        unit /= 10;
        out->fraction++;
        ++*p;
    }
    return out->fraction > 0;
}

static bool parse_time(const char **p, const char *end, struct date_parts *out)
{
    out->has_time = true;
    return number(p, end, 2, &out->hour) && skip(p, end, ':') && number(p, end, 2, &out->minute) && skip(p, end, ':')
        && number(p, end, 2, &out->second) && (!skip(p, end, '.') || parse_fraction(p, end, out));
}

static bool parse_offset(const char **p, const char *end, struct date_parts *out)
{
    int32_t hours, minutes;
    out->has_offset = true;
    if (skip(p, end, 'Z'))
        return true;
    bool west = skip(p, end, '-');
    if ((!west && !skip(p, end, '+')) || !number(p, end, 2, &hours) || !skip(p, end, ':')
        || !number(p, end, 2, &minutes))
        return false;
    out->offset = (west ? -1 : 1) * (hours * 60 + minutes);
    return minutes < 60;
}

bool date_parse(struct slice canonical, struct date_parts *out)
{
    const char *p = canonical.p, *end = slice_end(canonical);
    *out = (struct date_parts){ 0 };
    if (canonical.n >= 3 && p[2] == ':')
        return parse_time(&p, end, out) && p == end && date_check(out);
    out->has_date = true;
    if (!number(&p, end, 4, &out->year) || !skip(&p, end, '-') || !number(&p, end, 2, &out->month)
        || !skip(&p, end, '-') || !number(&p, end, 2, &out->day))
        return false;
    if (skip(&p, end, 'T') && (!parse_time(&p, end, out) || (p < end && !parse_offset(&p, end, out))))
        return false;
    return p == end && date_check(out);
}

static char *put(char *at, int32_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_time(char *at, const struct date_parts *p)
{
    at = put(at, p->hour, 2);
    *at++ = ':';
    at = put(at, p->minute, 2);
    *at++ = ':';
    at = put(at, p->second, 2);
    if (p->fraction) {
        *at++ = '.';
        put(at, p->nano, 9);
        at += p->fraction < 9 ? p->fraction : 9;
    }
    return at;
}

struct slice date_text(struct arena *a, const struct date_parts *p)
{
    char room[48], *at = room;
    if (p->has_date) {
        at = put(at, p->year, 4);
        *at++ = '-';
        at = put(at, p->month, 2);
        *at++ = '-';
        at = put(at, p->day, 2);
    }
    if (p->has_date && p->has_time)
        *at++ = 'T';
    if (p->has_time)
        at = put_time(at, p);
    if (p->has_offset && p->offset == 0)
        *at++ = 'Z';
    if (p->has_offset && p->offset != 0) {
        int32_t offset = p->offset < 0 ? -p->offset : p->offset;
        *at++ = p->offset < 0 ? '-' : '+';
        at = put(at, offset / 60, 2);
        *at++ = ':';
        at = put(at, offset % 60, 2);
    }
    return arena_copy(a, slice_range(room, at));
}

int64_t date_seconds(const struct date_parts *p)
{
    int64_t days = p->has_date ? date_days(p->year, p->month, p->day) : 0;
    return days * DAY + p->hour * HOUR + p->minute * MINUTE + p->second - (int64_t)p->offset * MINUTE;
}

void date_from_seconds(int64_t seconds, int32_t offset, struct date_parts *out)
{
    int64_t local = seconds + (int64_t)offset * MINUTE, days = (local >= 0 ? local : local - (DAY - 1)) / DAY;
    int32_t rest = (int32_t)(local - days * DAY);
    *out = (struct date_parts){ .hour = rest / HOUR, .minute = rest / MINUTE % 60, .second = rest % 60,
                                .offset = offset, .has_date = true, .has_time = true, .has_offset = true };
    date_from_days(days, &out->year, &out->month, &out->day);
}

int date_compare_text(struct slice a, struct slice b)
{
    struct date_parts x, y;
    if (a.n == 10 && b.n == 10)
        return slice_compare(a, b);
    if (!date_parse(a, &x) || !date_parse(b, &y))
        return slice_compare(a, b);
    if (x.has_offset != y.has_offset)       /* a time without zone is compared as it stands */
        x.offset = y.offset = 0;
    int64_t left = date_seconds(&x), right = date_seconds(&y);
    if (left == right) {
        left = x.nano;
        right = y.nano;
    }
    return (left > right) - (left < right);
}

void clock_init(struct clock *c, const char *fixed_text)
{
    struct date_parts p;
    *c = (struct clock){ .fixed = fixed_text && date_parse(slice_of(fixed_text), &p) && p.has_offset };
    if (c->fixed)
        c->seconds = date_seconds(&p);
}

int64_t clock_now(const struct clock *c)
{
    struct timespec now;
    if (c->fixed)
        return c->seconds;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
