/* Time zones: TZif files (RFC 8536) with the rule in their footer (POSIX.1-2017 section 8.3, TZ) for times after the
   last entry. */
#include "base/date.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FOLDER "/usr/share/zoneinfo/"

enum { DAY = 86400, HOUR = 3600, FILE_BYTES = 256 << 10, HEADER = 44, NAME_BYTES = 64 };

/* The day of a year on which summer time begins or ends. */
struct rule_day {
    enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind;    /* M3.5.0; J60 (without 29 February); 59 */
    int32_t month, week, day;
    int32_t time;                   /* seconds after midnight, local */
};

struct zone {
    size_t n;
    int64_t *from;                  /* n times, rising */
    int32_t *offsets;               /* from each on: seconds east */
    int32_t before;                 /* before the first */
    bool has_rule, has_summer;
    int32_t standard, summer;       /* of the rule: seconds east */
    struct rule_day start, end;
};

struct header {
    uint32_t utc, std, leap, times, types, chars;
};

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big64(const unsigned char *p)
{
    return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

static bool read_header(const unsigned char *p, size_t n, struct header *h)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    *h = (struct header){ big32(p + 20), big32(p + 24), big32(p + 28), big32(p + 32), big32(p + 36), big32(p + 40) };
    return h->types > 0 && h->types <= 256 && h->times < FILE_BYTES && h->chars < FILE_BYTES && h->leap < FILE_BYTES
        && h->utc <= 256 && h->std <= 256;
}

static size_t body_size(const struct header *h, size_t time)
{
    return h->times * (time + 1) + h->types * 6 + h->chars + h->leap * (time + 4) + h->std + h->utc;
}

static int32_t offset_of_type(const unsigned char *types, unsigned i)
{
    return (int32_t)big32(types + 6 * (size_t)i);
}

/* The 64-bit entries, at p. */
static bool read_entries(struct zone *z, struct arena *a, const unsigned char *p, const struct header *h)
{
    const unsigned char *index = p + h->times * 8, *types = index + h->times;
    z->n = h->times;
    z->from = arena_alloc(a, z->n * sizeof *z->from);
    z->offsets = arena_alloc(a, z->n * sizeof *z->offsets);
    z->before = offset_of_type(types, 0);
    for (size_t i = 0; i < z->n; i++) {
        z->from[i] = big64(p + i * 8);
        if (index[i] >= h->types || (i && z->from[i] <= z->from[i - 1]))
            return false;
        z->offsets[i] = offset_of_type(types, index[i]);
        if (z->offsets[i] <= -2 * DAY || z->offsets[i] >= 2 * DAY)
            return false;
    }
    return z->before > -2 * DAY && z->before < 2 * DAY;
}

static bool take_name(const char **p)
{
    const char *s = *p;
    if (*s == '<') {
        s = strchr(s, '>');
        if (s == NULL)
            return false;
        s++;
    } else {
        while ((*s | 32) >= 'a' && (*s | 32) <= 'z')
            s++;
    }
    bool some = s > *p;
    *p = s;
    return some;
}

static int32_t take_number(const char **p)
{
    int32_t n = 0;
    for (; **p >= '0' && **p <= '9'; ++*p)
        n = n < 100000 ? n * 10 + (**p - '0') : n;
    return n;
}

/* [+-]hh[:mm[:ss]] in seconds */
static int32_t take_time(const char **p)
{
    int32_t sign = **p == '-' ? -1 : 1, unit = HOUR, seconds = 0;
    *p += **p == '-' || **p == '+';
    seconds = take_number(p) * unit;
    while (**p == ':' && unit > 1) {
        ++*p;
        unit /= 60;
        seconds += take_number(p) * unit;
    }
    return sign * seconds;
}

/* ,M3.5.0/2 */
static bool take_day(const char **p, struct rule_day *day)
{
    if (*(*p)++ != ',')
        return false;
    day->kind = **p == 'M' ? RULE_MONTH : **p == 'J' ? RULE_JULIAN : RULE_DAY;
    *p += day->kind != RULE_DAY;
    if (day->kind == RULE_MONTH) {
        day->month = take_number(p);
        if (*(*p)++ != '.')
            return false;
        day->week = take_number(p);
        if (*(*p)++ != '.')
            return false;
    }
    day->day = take_number(p);
    day->time = 2 * HOUR;
    if (**p == '/') {
        ++*p;
        day->time = take_time(p);
    }
    return day->kind != RULE_MONTH || (day->month >= 1 && day->month <= 12 && day->week >= 1 && day->week <= 5
                                       && day->day <= 6);
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; offsets count west there. */
static bool read_rule(struct zone *z, const char *p)
{
    if (!take_name(&p))
        return false;
    z->standard = -take_time(&p);
    z->has_rule = true;
    if (*p == '\0')
        return true;
    if (!take_name(&p))
        return false;
    z->has_summer = true;
    z->summer = *p == ',' ? z->standard + HOUR : -take_time(&p);
    return take_day(&p, &z->start) && *p != '\0' && take_day(&p, &z->end) && *p == '\0';
}

static bool read_zone(struct zone *z, struct arena *a, const unsigned char *p, size_t n)
{
    struct header h;
    /* version 1 has 32-bit times only; tzdata has written 2 since 2005 */
    if (!read_header(p, n, &h) || p[4] < '2')
        return false;
    size_t skip = HEADER + body_size(&h, 4);
    if (skip > n || !read_header(p + skip, n - skip, &h))
        return false;
    size_t at = skip + HEADER, footer = at + body_size(&h, 8);
    if (footer > n || !read_entries(z, a, p + at, &h))
        return false;
    if (n - footer < 3 || p[footer] != '\n' || p[n - 1] != '\n')
        return true;
    char *rule = arena_cstr(a, (struct slice){ (const char *)p + footer + 1, n - footer - 2 });
    return read_rule(z, rule);
}

static bool is_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > NAME_BYTES || strstr(name, ".."))
        return false;
    for (const char *p = name; *p; p++) {
        bool fine = ((*p | 32) >= 'a' && (*p | 32) <= 'z') || (*p >= '0' && *p <= '9') || strchr("/_+-", *p);
        if (!fine)
            return false;
    }
    return true;
}

const struct zone *zone_load(struct arena *a, const char *name)
{
    char path[sizeof FOLDER + NAME_BYTES + 1];
    if (!is_name(name))
        return NULL;
    snprintf(path, sizeof path, "%s%s", FOLDER, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct arena scratch;
    arena_init(&scratch, 0);
    unsigned char *bytes = arena_alloc(&scratch, FILE_BYTES);
    ssize_t n = file_read_full(fd, bytes, FILE_BYTES);
    close(fd);
    struct zone *z = arena_zero(a, sizeof *z);
    bool good = n > 0 && n < FILE_BYTES && read_zone(z, a, bytes, (size_t)n);
    arena_release(&scratch);
    return good ? z : NULL;
}

/* Local seconds since 1970 at which the rule's day and time come in that year. */
static int64_t rule_seconds(const struct rule_day *r, int32_t year)
{
    int64_t first = date_days(year, 1, 1), day = first + r->day;
    if (r->kind == RULE_JULIAN) {
        bool leap = date_days(year, 3, 1) - first == 60;
        day = first + r->day - 1 + (leap && r->day >= 60);
    } else if (r->kind == RULE_MONTH) {
        first = date_days(year, r->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7, next = date_days(year + (r->month == 12), r->month % 12 + 1, 1);
        day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
        while (day >= next)
            day -= 7;               /* week 5 is the last one */
    }
    return day * DAY + r->time;
}

static int32_t rule_offset(const struct zone *z, int64_t utc)
{
    if (!z->has_summer)
        return z->standard;
    int32_t year, month, day;
    int64_t local = utc + z->standard;
    date_from_days((local >= 0 ? local : local - (DAY - 1)) / DAY, &year, &month, &day);
    int64_t start = rule_seconds(&z->start, year) - z->standard, end = rule_seconds(&z->end, year) - z->summer;
    bool summer = start < end ? utc >= start && utc < end : utc >= start || utc < end;
    return summer ? z->summer : z->standard;
}

static int32_t offset_seconds(const struct zone *z, int64_t utc)
{
    if (z->n == 0 || utc >= z->from[z->n - 1]) {
        if (z->has_rule)
            return rule_offset(z, utc);
        return z->n ? z->offsets[z->n - 1] : z->before;
    }
    size_t low = 0, high = z->n;
    while (low < high) {            /* the first entry that begins later */
        size_t middle = (low + high) / 2;
        if (z->from[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? z->offsets[low - 1] : z->before;
}

int32_t zone_offset(const struct zone *z, int64_t utc_seconds)
{
    int32_t seconds = offset_seconds(z, utc_seconds);
    return (seconds >= 0 ? seconds : seconds - 59) / 60;
}

struct slice zone_stamp(struct arena *a, const struct zone *z, int64_t utc_seconds)
{
    struct date_parts p;
    date_from_seconds(utc_seconds, zone_offset(z, utc_seconds), &p);
    return date_text(a, &p);
}

int zone_to_utc(const struct zone *z, const struct date_parts *local, int64_t *out)
{
    int64_t seconds = date_seconds(local);
    *out = seconds;
    if (local->has_offset)
        return 1;
    /* No zone changes twice within two days, so the offsets of a day before and a day after are all there is. */
    int64_t early = seconds - offset_seconds(z, seconds - DAY), late = seconds - offset_seconds(z, seconds + DAY);
    bool early_fits = early + offset_seconds(z, early) == seconds;
    bool late_fits = late + offset_seconds(z, late) == seconds;
    if (early == late) {
        *out = early;
        return 1;
    }
    if (early_fits != late_fits) {
        *out = early_fits ? early : late;
        return 1;
    }
    *out = early_fits && late < early ? late : early;
    return early_fits ? 2 : 0;
}
