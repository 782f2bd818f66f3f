/*
 * Patterns of texts: 9 a digit, A a letter, X any character, {n} or {n,m} how many of it, all others stand for
 * themselves. The whole text must match.  All ways to match are followed at once, so time is text times pattern
 * whatever the text is.
 */
#include "format/spell.h"

#define PATTERN_CHARS 4096          /* characters that a pattern may match at most */
#define PATTERN_PARTS 256

static const struct slice brace_help = { "write {3} or {1,14}", sizeof "write {3} or {1,14}" - 1 };

/* Reads digits; false when there are none or too many. */
static bool read_count(const char **p, const char *end, uint32_t *out)
{
    const char *from = *p;
    uint32_t n = 0;
    for (; *p < end && **p >= '0' && **p <= '9' && *p - from < 6; ++*p)
        n = n * 10 + (uint32_t)(**p - '0');
    *out = n;
    return *p > from && n <= PATTERN_CHARS;
}

/* "{n}" or "{n,m}" at p; 1 = read, 0 = there is none, -1 = bad. */
static int read_braces(const char **p, const char *end, struct part *part)
{
    if (*p >= end || **p != '{')
        return 0;
    ++*p;
    if (!read_count(p, end, &part->min))
        return -1;
    part->max = part->min;
    if (*p < end && **p == ',') {
        ++*p;
        if (!read_count(p, end, &part->max) || part->max < part->min)
            return -1;
    }
    if (*p >= end || **p != '}' || part->max == 0)
        return -1;
    ++*p;
    return 1;
}

static enum part_kind kind_of(struct slice character)
{
    if (character.n != 1)
        return PART_LITERAL;
    switch (character.p[0]) {
    case '9': return PART_DIGIT;
    case 'A': return PART_LETTER;
    case 'X': return PART_ANY;
    default: return PART_LITERAL;
    }
}

int text_pattern_compile(struct arena *a, struct slice text, struct pattern **out, struct fault *fault, size_t *at)
{
    struct pattern *pattern = arena_zero(a, sizeof *pattern);
    size_t cap = 0, chars = 0;
    pattern->type = TYPE_TEXT;
    pattern->text = arena_copy(a, text);
    const char *p = pattern->text.p, *end = p + text.n;
    if (text.n == 0)
        return fault_set(fault, "FMT_PATTERN", SLICE("an empty pattern matches nothing"), slice_none());
    while (p < end) {
        struct part part = { .min = 1, .max = 1 };
        const char *from = p;
        *at = chars;
        utf8_next(&p, end);
        part.literal = slice_range(from, p);
        part.kind = kind_of(part.literal);
        if (read_braces(&p, end, &part) < 0)
            return fault_set(fault, "FMT_PATTERN", SLICE("has a count in braces that makes no sense"), brace_help);
        chars += slice_chars(slice_range(from, p));
        pattern->longest += part.max;
        pattern->has |= part.min != part.max;
        if (pattern->longest > PATTERN_CHARS || pattern->n == PATTERN_PARTS)
            return fault_set(fault, "FMT_PATTERN", SLICE("is too long"),
                             SLICE("at most 4,096 characters and 256 parts"));
        ARENA_PUSH(a, pattern->parts, pattern->n, cap) = part;
    }
    *out = pattern;
    return OK;
}

/* A letter of any script: ASCII, and beyond it what has case or lies above the punctuation blocks. */
static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (c < 0xC0)
        return c == 0xAA || c == 0xB5 || c == 0xBA;
    return c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x3004);
}

static bool part_takes(const struct part *part, struct slice character)
{
    const char *p = character.p;
    switch (part->kind) {
    case PART_DIGIT: return character.n == 1 && *p >= '0' && *p <= '9';
    case PART_LETTER: return is_letter(utf8_next(&p, p + character.n));
    case PART_ANY: return true;
    default: return slice_equal(part->literal, character);
    }
}

/* From the places in `from` (reached before character i) to those behind part: a run of matches of min to max
 * characters. */
static void follow(const struct part *part, const struct slice *chars, size_t n, const bool *from, bool *to)
{
    /* a place j is reached when a start i has j - i between min and the length of the run that matches there */
    memset(to, 0, n + 1);
    size_t run_from = 0;
    for (size_t i = 0; i <= n; i++) {
        if (!from[i])
            continue;
        if (run_from < i)
            run_from = i;
        while (run_from < n && run_from < i + part->max && part_takes(part, chars[run_from]))
            run_from++;
        size_t last = run_from < i + part->max ? run_from : i + part->max;
        for (size_t j = last + 1; j-- > i + part->min && !to[j];)
            to[j] = true;
    }
}

/* Patterns whose parts all have one length need no set of places. */
static bool match_fixed(const struct pattern *p, struct slice text)
{
    const char *at = text.p, *end = at + text.n;
    for (size_t i = 0; i < p->n; i++)
        for (uint32_t k = 0; k < p->parts[i].min; k++) {
            const char *from = at;
            if (at >= end)
                return false;
            utf8_next(&at, end);
            if (!part_takes(&p->parts[i], slice_range(from, at)))
                return false;
        }
    return at == end;
}

static bool match_varying(const struct pattern *p, struct slice text)
{
    struct slice chars[PATTERN_CHARS];
    bool places[2][PATTERN_CHARS + 1];
    size_t n = 0;
    const char *at = text.p, *end = at + text.n;
    while (at < end) {
        const char *from = at;
        if (n >= p->longest)
            return false;
        utf8_next(&at, end);
        chars[n++] = slice_range(from, at);
    }
    memset(places[0], 0, n + 1);
    places[0][0] = true;
    for (size_t i = 0; i < p->n; i++)
        follow(&p->parts[i], chars, n, places[i & 1], places[(i + 1) & 1]);
    return places[p->n & 1][n];
}

bool text_pattern_match(const struct pattern *p, struct slice text)
{
    return p->has ? match_varying(p, text) : match_fixed(p, text);
}
