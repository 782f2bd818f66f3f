/*
 * Patterns of dates and times: yyyy yy MM M dd d HH H mm m ss s SSS, X XX XXX (zone: Z, +01, +0100, +01:00), Z
 * (universal time); other characters stand for themselves.
 */
#include "format/spell.h"

#include "base/date.h"

#define HAS(kind) (1u << (kind))
/* Two-digit years are 1969 to 2068, as POSIX strptime has them. */
#define YEAR_PIVOT 69

struct letter {
    char letter;
    enum part_kind kind;
    const char *name;
    uint8_t widths;                 /* 1 << n for every run length that is allowed */
};

static const struct letter letters[] = {
    { 'y', PART_YEAR, "years", 1 << 2 | 1 << 4 },
    { 'M', PART_MONTH, "months", 1 << 1 | 1 << 2 },
    { 'd', PART_DAY, "days", 1 << 1 | 1 << 2 },
    { 'H', PART_HOUR, "hours", 1 << 1 | 1 << 2 },
    { 'm', PART_MINUTE, "minutes", 1 << 1 | 1 << 2 },
    { 's', PART_SECOND, "seconds", 1 << 1 | 1 << 2 },
    { 'S', PART_FRACTION, "fractions of a second", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 },
    { 'X', PART_ZONE, "time zones", 1 << 1 | 1 << 2 | 1 << 3 },
};

/* Letters that other tools use, and what is meant by them. */
static const struct { char letter; const char *help;
} mistaken[] = {
    { 'D', "did you mean `d`, the day?" },
    { 'Y', "did you mean `y`, the year?" },
    { 'h', "did you mean `H`, hours of 24?" },
    { 'n', "did you mean `m`, the minute?" },
};

#define DATE_PARTS (HAS(PART_YEAR) | HAS(PART_MONTH) | HAS(PART_DAY))
#define TIME_PARTS                                                                                                     \
    (HAS(PART_HOUR) | HAS(PART_MINUTE) | HAS(PART_SECOND) | HAS(PART_FRACTION) | HAS(PART_ZONE) | HAS(PART_UTC))

struct compiler {
    struct arena *arena;
    struct pattern *pattern;
    size_t cap;
    struct fault *fault;
    const char *begin;
    size_t *at;
};

static int bad(struct compiler *c, const char *where, struct slice text, const char *hint)
{
    *c->at = slice_chars(slice_range(c->begin, where));
    return fault_set(c->fault, "FMT_PATTERN", text, slice_of(hint));
}

static const struct letter *letter_of(char c)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == c)
            return &letters[i];
    return NULL;
}

/* "mm" where a month must be meant, and the reverse. */
static const char *other_case(const struct letter *l, size_t run)
{
    if (l->kind == PART_MINUTE)
        return run == 1 ? "did you mean `M`?" : "did you mean `MM`?";
    if (l->kind == PART_MONTH)
        return run == 1 ? "did you mean `m`?" : "did you mean `mm`?";
    return NULL;
}

static int check_letter(struct compiler *c, const char *p, const struct letter *l, size_t run)
{
    struct pattern *pattern = c->pattern;
    if (run > 7 || !(l->widths & 1u << run))
        return bad(c, p, arena_printf(c->arena, "has %zu letters `%c`", run, l->letter), "yyyy yy MM M dd d HH H mm m ss s SSS");
    if (pattern->type == TYPE_DATE && HAS(l->kind) & TIME_PARTS)
        return bad(c, p,
                   arena_printf(c->arena,
                                l->kind == PART_MINUTE ? "has %s where a date has months" : "has %s, a date has none",
                                l->name),
                   other_case(l, run));
    if (pattern->type == TYPE_TIME && HAS(l->kind) & DATE_PARTS)
        return bad(c, p,
                   arena_printf(c->arena,
                                l->kind == PART_MONTH ? "has %s where a time has minutes" : "has %s, a time has none",
                                l->name),
                   other_case(l, run));
    if (pattern->has & HAS(l->kind))
        return bad(c, p, arena_printf(c->arena, "has %s twice", l->name), other_case(l, run));
    return OK;
}

static bool is_number(const struct part *p)
{
    return p->kind != PART_LITERAL && p->kind != PART_ZONE && p->kind != PART_UTC;
}

static int add_part(struct compiler *c, const char *p, struct part part)
{
    struct pattern *pattern = c->pattern;
    if (pattern->n == 64)
        return bad(c, p, SLICE("is too long"), "at most 64 parts");
    const struct part *last = pattern->n ? &pattern->parts[pattern->n - 1] : NULL;
    if (last && is_number(last) && last->min != last->max
        && (is_number(&part) || (part.kind == PART_LITERAL && *p >= '0' && *p <= '9')))
        return bad(c, p, SLICE("has digits just behind a part of one or two digits"), "double the letter before it, or put a character between");
    ARENA_PUSH(c->arena, pattern->parts, pattern->n, c->cap) = part;
    if (part.kind != PART_LITERAL)
        pattern->has |= HAS(part.kind);
    return OK;
}

static int add_letter(struct compiler *c, const char **p, const char *end, const struct letter *l)
{
    const char *from = *p;
    while (*p < end && **p == l->letter)
        ++*p;
    size_t run = (size_t)(*p - from);
    int rc = check_letter(c, from, l, run);
    if (rc != OK)
        return rc;
    bool varies = run == 1 && l->kind != PART_FRACTION;
    return add_part(c, from,
                    (struct part){ .kind = l->kind, .min = (uint32_t)run, .max = (uint32_t)(varies ? 2 : run) });
}

static int add_literal(struct compiler *c, const char **p, const char *end)
{
    const char *from = *p;
    for (size_t i = 0; i < sizeof mistaken / sizeof *mistaken; i++)
        if (*from == mistaken[i].letter)
            return bad(c, from, arena_printf(c->arena, "has the letter `%c`, which means nothing here", *from),
                       mistaken[i].help);
    if (*from == 'Z' && c->pattern->type != TYPE_DATE) {
        ++*p;
        return add_part(c, from, (struct part){ .kind = PART_UTC });
    }
    utf8_next(p, end);
    return add_part(c, from, (struct part){ .literal = slice_range(from, *p) });
}

int pattern_compile(struct arena *a, enum type type, struct slice text, struct pattern **out, struct fault *fault,
                    size_t *at)
{
    *at = 0;
    if (type == TYPE_TEXT)
        return text_pattern_compile(a, text, out, fault, at) == OK ? OK : STOP;
    struct compiler c = { .arena = a, .pattern = arena_zero(a, sizeof *c.pattern), .fault = fault, .at = at };
    if (type != TYPE_DATE && type != TYPE_TIME && type != TYPE_DATETIME)
        return fault_set(fault, "FMT_PATTERN", SLICE("is for text, dates and times only"), slice_none()), STOP;
    c.pattern->type = type;
    c.pattern->text = arena_copy(a, text);
    c.begin = c.pattern->text.p;
    for (const char *p = c.begin, *end = p + text.n; p < end;) {
        const struct letter *l = letter_of(*p);
        if ((l ? add_letter(&c, &p, end, l) : add_literal(&c, &p, end)) != OK)
            return STOP;
    }
    if (c.pattern->has == 0)
        return fault_set(fault, "FMT_PATTERN", SLICE("holds no part of a date or time"),
                         SLICE("yyyy yy MM M dd d HH H mm m ss s SSS")),
               STOP;
    layout_compile(c.pattern);
    *out = c.pattern;
    return OK;
}

const char *pattern_missing(const struct pattern *p, enum type type)
{
    if (type != TYPE_TIME && !(p->has & HAS(PART_YEAR)))
        return "year";
    if (type != TYPE_TIME && !(p->has & HAS(PART_MONTH)))
        return "month";
    if (type != TYPE_TIME && !(p->has & HAS(PART_DAY)))
        return "day";
    if (type == TYPE_TIME && !(p->has & HAS(PART_HOUR)))
        return "hour";
    return NULL;
}

bool pattern_is_exact(const struct pattern *p, enum type type)
{
    const uint32_t clock = HAS(PART_HOUR) | HAS(PART_MINUTE) | HAS(PART_SECOND);
    uint32_t need = type == TYPE_DATE ? DATE_PARTS : type == TYPE_TIME ? clock : DATE_PARTS | clock;
    for (size_t i = 0; i < p->n; i++)
        if (p->parts[i].kind == PART_YEAR && p->parts[i].max == 2 && type != TYPE_TIME)
            return false;
    return type != TYPE_TEXT && (p->has & need) == need;
}

/* ---- reading ---- */

static bool read_digits(const char **p, const char *end, const struct part *part, int32_t *out)
{
    const char *from = *p;
    int32_t n = 0;
    for (; *p < end && **p >= '0' && **p <= '9' && (uint32_t)(*p - from) < part->max; ++*p)
        n = n * 10 + (**p - '0');
    *out = n;
    return (uint32_t)(*p - from) >= part->min;
}

/* Z, or sign and hours, for two or three letters minutes behind them (with a colon for three). */
static bool read_zone(const char **p, const char *end, const struct part *part, int32_t *out)
{
    static const struct part two = { .min = 2, .max = 2 };
    int32_t hours, minutes = 0;
    if (*p < end && **p == 'Z') {
        ++*p;
        *out = 0;
        return true;
    }
    if (*p >= end || (**p != '+' && **p != '-'))
        return false;
    bool west = *(*p)++ == '-';
    if (!read_digits(p, end, &two, &hours))
        return false;
    if (part->max == 3) {
        if (*p >= end || **p != ':')
            return false;
        ++*p;
    }
    if (part->max >= 2 && !read_digits(p, end, &two, &minutes))
        return false;
    *out = (hours * 60 + minutes) * (west ? -1 : 1);
    return hours <= 23 && minutes <= 59;
}

static bool read_fraction(const char **p, const char *end, const struct part *part, struct date_parts *d)
{
    if (!read_digits(p, end, part, &d->nano))
        return false;
    for (uint32_t i = part->max; i < 9; i++)
        d->nano *= 10;
    d->fraction = (uint8_t)part->max;
    return true;
}

static bool read_year(const char **p, const char *end, const struct part *part, int32_t *year)
{
    if (!read_digits(p, end, part, year))
        return false;
    if (part->max == 2)
        *year += *year < YEAR_PIVOT ? 2000 : 1900;
    return true;
}

static bool read_part(const char **p, const char *end, const struct part *part, struct date_parts *d)
{
    switch (part->kind) {
    case PART_YEAR: return read_year(p, end, part, &d->year);
    case PART_MONTH: return read_digits(p, end, part, &d->month);
    case PART_DAY: return read_digits(p, end, part, &d->day);
    case PART_HOUR: return read_digits(p, end, part, &d->hour);
    case PART_MINUTE: return read_digits(p, end, part, &d->minute);
    case PART_SECOND: return read_digits(p, end, part, &d->second);
    case PART_FRACTION: return read_fraction(p, end, part, d);
    case PART_ZONE: return read_zone(p, end, part, &d->offset);
    default: break;
    }
    struct slice literal = part->kind == PART_UTC ? SLICE("Z") : part->literal;
    if (!slice_starts(slice_range(*p, end), literal))
        return false;
    *p += literal.n;
    return true;
}

int pattern_read(const struct pattern *p, enum type type, struct slice raw, struct arena *a,
                 struct slice *canonical_out, struct fault *fault)
{
    struct date_parts d = { .has_date = type != TYPE_TIME, .has_time = type != TYPE_DATE };
    if (p->nlayout && p->type == type && layout_read(p, raw, a, canonical_out))
        return OK;
    d.has_offset = (p->has & (HAS(PART_ZONE) | HAS(PART_UTC))) != 0;
    const char *at = raw.p, *end = at + raw.n;
    for (size_t i = 0; i < p->n; i++)
        if (!read_part(&at, end, &p->parts[i], &d))
            return fault_set(fault, "DATE_BAD", arena_printf(a, "is not a %s", type_names[type]), slice_none());
    if (at != end)
        return fault_set(fault, "DATE_BAD", arena_printf(a, "is not a %s", type_names[type]), slice_none());
    if (!date_check(&d))
        return fault_set(fault, "DATE_BAD", arena_printf(a, "is no real %s", type_names[type]), slice_none());
    *canonical_out = date_text(a, &d);
    return OK;
}

/* ---- writing ---- */

static void write_number(struct buf *out, int32_t n, const struct part *part)
{
    char digits[12], *p = digits + sizeof digits;
    uint32_t rest = (uint32_t)(n < 0 ? 0 : n), width = 0;
    for (; rest || width < part->min; rest /= 10, width++)
        *--p = (char)('0' + rest % 10);
    buf_add(out, slice_range(p, digits + sizeof digits));
}

static void write_zone(struct buf *out, int32_t offset, const struct part *part)
{
    static const struct part two = { .min = 2, .max = 2 };
    int32_t minutes = offset < 0 ? -offset : offset;
    if (offset == 0) {
        buf_byte(out, 'Z');
        return;
    }
    buf_byte(out, offset < 0 ? '-' : '+');
    write_number(out, minutes / 60, &two);
    if (part->max == 3)
        buf_byte(out, ':');
    if (part->max >= 2)
        write_number(out, minutes % 60, &two);
}

static void write_fraction(struct buf *out, int32_t nano, const struct part *part)
{
    for (uint32_t i = part->max; i < 9; i++)
        nano /= 10;
    write_number(out, nano, part);
}

static void write_part(struct buf *out, const struct date_parts *d, const struct part *part)
{
    switch (part->kind) {
    case PART_YEAR: write_number(out, part->max == 2 ? d->year % 100 : d->year, part); break;
    case PART_MONTH: write_number(out, d->month, part); break;
    case PART_DAY: write_number(out, d->day, part); break;
    case PART_HOUR: write_number(out, d->hour, part); break;
    case PART_MINUTE: write_number(out, d->minute, part); break;
    case PART_SECOND: write_number(out, d->second, part); break;
    case PART_FRACTION: write_fraction(out, d->nano, part); break;
    case PART_ZONE: write_zone(out, d->offset, part); break;
    case PART_UTC: buf_byte(out, 'Z'); break;
    default: buf_add(out, part->literal);
    }
}

static void to_universal(struct date_parts *d)
{
    int64_t minutes =
        (d->has_date ? date_days(d->year, d->month, d->day) * 1440 : 0) + d->hour * 60 + d->minute - d->offset;
    int64_t of_day = ((minutes % 1440) + 1440) % 1440;
    if (d->has_date)
        date_from_days((minutes - of_day) / 1440, &d->year, &d->month, &d->day);
    d->hour = (int32_t)(of_day / 60);
    d->minute = (int32_t)(of_day % 60);
    d->offset = 0;
}

int pattern_write(const struct pattern *p, struct slice canonical, struct buf *out, struct fault *fault)
{
    struct date_parts d = { 0 };
    if (p->nlayout && layout_write(p, canonical, out))
        return OK;
    if (!date_parse(canonical, &d))
        return fault_set(fault, "DATE_BAD", SLICE("is not a date or time"), slice_none());
    if (p->has & DATE_PARTS && !d.has_date)
        return fault_set(fault, "DATE_PART", SLICE("is a time and has no date"), slice_none());
    if (p->has & (HAS(PART_ZONE) | HAS(PART_UTC)) && !d.has_offset)
        return fault_set(fault, "DATE_PART", SLICE("has no time zone"), SLICE("its target's pattern asks for one"));
    if (p->has & HAS(PART_UTC))
        to_universal(&d);
    for (size_t i = 0; i < p->n; i++)
        if (p->parts[i].kind == PART_YEAR && p->parts[i].max == 2
            && (d.year < 1900 + YEAR_PIVOT || d.year >= 2000 + YEAR_PIVOT))
            return fault_set(fault, "DATE_RANGE", SLICE("cannot be told by two digits of a year"),
                             SLICE("1969 to 2068; write yyyy in the pattern"));
    for (size_t i = 0; i < p->n; i++)
        write_part(out, &d, &p->parts[i]);
    return OK;
}
