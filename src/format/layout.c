/*
 * Date patterns whose parts all have a fixed width: each character of the spelling is a literal or stands at a known
 * place of the canonical text, so reading and writing only move digits.  This is what most files have, and where time
 * goes.
 */
#include "format/spell.h"

#define LITERAL 32                  /* values from here on are the character itself */

static int place_of(enum part_kind kind, bool time_only)
{
    switch (kind) {
    case PART_YEAR: return 0;
    case PART_MONTH: return 5;
    case PART_DAY: return 8;
    case PART_HOUR: return time_only ? 0 : 11;
    case PART_MINUTE: return time_only ? 3 : 14;
    case PART_SECOND: return time_only ? 6 : 17;
    default: return -1;
    }
}

static bool add_part(struct pattern *p, const struct part *part)
{
    if (part->kind == PART_LITERAL) {
        unsigned char c = (unsigned char)part->literal.p[0];
        if (part->literal.n != 1 || c < LITERAL || c >= 0x80 || p->nlayout == sizeof p->layout)
            return false;
        p->layout[p->nlayout++] = c;
        return true;
    }
    int place = place_of(part->kind, p->type == TYPE_TIME);
    uint32_t width = part->kind == PART_YEAR ? 4 : 2;
    if (place < 0 || part->min != width || part->max != width || p->nlayout + width > sizeof p->layout)
        return false;
    for (uint32_t i = 0; i < width; i++)
        p->layout[p->nlayout++] = (uint8_t)((unsigned)place + i);
    return true;
}

void layout_compile(struct pattern *p)
{
    p->nlayout = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!add_part(p, &p->parts[i])) {
            p->nlayout = 0;
            return;
        }
    if (pattern_missing(p, p->type))
        p->nlayout = 0;
}

static unsigned two(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

bool date_is_real(const char *p)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year = two(p) * 100 + two(p + 2), month = two(p + 5), day = two(p + 8);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year == 0 || month == 0 || month > 12 || day == 0)
        return false;
    return day <= days[month - 1] || (month == 2 && leap && day == 29);
}

bool time_is_real(const char *p)
{
    return two(p) < 24 && two(p + 3) < 60 && two(p + 6) < 60;
}

static size_t canonical_length(enum type type)
{
    return type == TYPE_DATE ? 10 : type == TYPE_TIME ? 8 : 19;
}

bool layout_read(const struct pattern *p, struct slice raw, struct arena *a, struct slice *canonical_out)
{
    char *text = arena_alloc(a, 32);
    if (raw.n != p->nlayout)
        return false;
    memcpy(text, p->type == TYPE_TIME ? "00:00:00" : "0000-00-00T00:00:00", p->type == TYPE_TIME ? 9 : 20);
    for (size_t i = 0; i < raw.n; i++) {
        unsigned char c = (unsigned char)raw.p[i];
        if (p->layout[i] >= LITERAL ? c != p->layout[i] : (unsigned char)(c - '0') > 9)
            return false;
        if (p->layout[i] < LITERAL)
            text[p->layout[i]] = (char)c;
    }
    *canonical_out = (struct slice){ text, canonical_length(p->type) };
    text[canonical_out->n] = '\0';
    if (p->type == TYPE_TIME)
        return time_is_real(text);
    return date_is_real(text) && (p->type == TYPE_DATE || time_is_real(text + 11));
}

bool layout_write(const struct pattern *p, struct slice canonical, struct buf *out)
{
    if (canonical.n < canonical_length(p->type)
        || canonical.p[p->type == TYPE_TIME ? 2 : 4] != (p->type == TYPE_TIME ? ':' : '-'))
        return false;
    char *to = buf_room(out, p->nlayout);
    for (size_t i = 0; i < p->nlayout; i++)
        to[i] = p->layout[i] >= LITERAL ? (char)p->layout[i] : canonical.p[p->layout[i]];
    out->n += p->nlayout;
    return true;
}
