/*
 * Numbers in all the spellings of business files: marks, grouping, signs behind or over the last digit, implied
 * decimals, letters.
 */
#include "format/spell.h"

bool number_is_canonical(struct slice text, bool decimal)
{
    if (number_is_short(text, decimal))
        return true;
    const char *p = text.p, *end = p + text.n, *digits;
    if (p < end && *p == '-')
        p++;
    digits = p;
    while (p < end && (unsigned char)(*p - '0') <= 9)
        p++;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return false;
    if (p == end)
        return digits == text.p || *digits != '0';          /* "-0" is not canonical */
    if (!decimal || *p != '.' || p + 1 == end)
        return false;
    bool zero = *digits == '0';
    for (p++; p < end && (unsigned char)(*p - '0') <= 9; p++)
        zero = zero && *p == '0';
    return p == end && (digits == text.p || !zero);
}

size_t char_of_set(struct slice set, const char *p, const char *end)
{
    if (set.n == 0)
        return 0;
    const char *s = set.p, *set_end = s + set.n;
    while (s < set_end) {
        const char *from = s;
        utf8_next(&s, set_end);
        size_t n = (size_t)(s - from);
        if (n <= (size_t)(end - p) && memcmp(from, p, n) == 0)
            return n;
    }
    return 0;
}

/* A number taken apart: sign, digits before and behind the mark, without grouping; the texts live in the arena or the
 * input. */
struct digits {
    bool negative;
    struct slice whole, fraction;
    size_t count;                   /* digits as spelled */
};

static struct slice example(const struct field *f)
{
    struct slice mark = f->mark.n ? f->mark : SLICE(".");
    const char *end = mark.p, *stop = mark.p + mark.n;
    if (f->flags & FIELD_LETTERS)
        return SLICE("letters like AB");
    if (f->type == TYPE_INTEGER)
        return SLICE("a whole number like 12");
    if (f->implied)
        return SLICE("digits without a decimal mark, like 1250");
    utf8_next(&end, stop);
    return slice_range(mark.p, end);
}

static int bad(const struct field *f, struct arena *a, struct fault *fault)
{
    struct slice what = example(f);
    if (f->type == TYPE_DECIMAL && !f->implied)
        what = arena_printf(a, "a number like 12%.*s50", SLICE_ARG(what));
    return fault_set(fault, "NUM_BAD", f->type == TYPE_INTEGER ? SLICE("is not an integer") : SLICE("is not a decimal"),
                     fault_expected(a, f, what));
}

/* ---- reading ---- */

/* A = 1 … Z = 26, AA = 27, as columns of a spreadsheet are counted. */
static bool letters_to_number(struct slice raw, struct arena *a, struct slice *out)
{
    uint64_t n = 0;
    if (raw.n > 12)
        return false;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] < 'A' || raw.p[i] > 'Z')
            return false;
        n = n * 26 + (uint64_t)(raw.p[i] - 'A' + 1);
    }
    *out = arena_printf(a, "%llu", (unsigned long long)n);
    return true;
}

/* Signed overpunch of the last digit (IBM zoned decimal in its usual ASCII form): { A…I are +0…9, } J…R are -0…9. */
static bool overpunch(char *last, bool *negative)
{
    char c = *last;
    *negative = c == '}' || (c >= 'J' && c <= 'R');
    if (c >= '0' && c <= '9')
        return true;
    if (c == '{' || c == '}')
        *last = '0';
    else if (c >= 'A' && c <= 'I')
        *last = (char)(c - 'A' + '1');
    else if (c >= 'J' && c <= 'R')
        *last = (char)(c - 'J' + '1');
    else
        return false;
    return true;
}

/* Takes the sign off; false when it stands where it must not. */
static bool take_sign(const struct field *f, struct slice *raw, struct arena *a, bool *negative)
{
    *negative = false;
    if (raw->n == 0)
        return false;
    if (slice_is(f->sign, "none"))
        return true;
    if (slice_is(f->sign, "overpunch")) {
        struct slice copy = arena_copy(a, *raw);
        *raw = copy;
        return overpunch((char *)(uintptr_t)copy.p + copy.n - 1, negative);
    }
    bool trailing = slice_is(f->sign, "trailing");
    char c = trailing ? raw->p[raw->n - 1] : raw->p[0];
    if (c != '-' && c != '+')
        return true;
    *negative = c == '-';
    raw->p += trailing ? 0 : 1;
    raw->n--;
    return raw->n > 0;
}

/* Digits with or without grouping: groups of three, the first of one to three.  `to`: room for the digits alone. */
static bool take_whole(const struct field *f, const char **p, const char *end, char *to, struct slice *out)
{
    size_t run = 0, groups = 0;
    char *begin = to;
    if (f->grouping.n == 0) {
        const char *from = *p;
        while (*p < end && **p >= '0' && **p <= '9')
            ++*p;
        *out = slice_range(from, *p);
        return true;
    }
    for (;;) {
        size_t n;
        if (*p < end && **p >= '0' && **p <= '9') {
            *to++ = *(*p)++;
            run++;
        } else if (*p < end && (n = char_of_set(f->grouping, *p, end)) != 0) {
            if (run == 0 || run > 3 || (groups && run != 3))
                return false;
            groups++;
            run = 0;
            *p += n;
        } else {
            break;
        }
    }
    *out = slice_range(begin, to);
    return groups == 0 || run == 3;
}

static bool take_apart(const struct field *f, struct slice raw, struct arena *a, struct digits *d)
{
    if (!take_sign(f, &raw, a, &d->negative))
        return false;
    const char *p = raw.p, *end = p + raw.n;
    struct slice mark = f->mark.n ? f->mark : SLICE(".");
    if (!take_whole(f, &p, end, f->grouping.n ? arena_alloc(a, raw.n + 1) : NULL, &d->whole))
        return false;
    for (; slice_is(f->pad, "0") && d->whole.n > 1 && d->whole.p[0] == '0'; d->whole.n--)
        d->whole.p++;               /* padding behind a sign does not count as digits */
    d->fraction = SLICE("");
    if (p < end && f->type == TYPE_DECIMAL && f->implied == 0) {
        size_t n = char_of_set(mark, p, end);
        const char *from = p += n;
        while (n && p < end && *p >= '0' && *p <= '9')
            p++;
        d->fraction = slice_range(from, p);
    }
    d->count = d->whole.n + d->fraction.n;
    return p == end && d->count > 0;
}

static struct slice to_canonical(struct arena *a, const struct digits *d)
{
    struct slice whole = d->whole, fraction = d->fraction;
    bool zero = true;
    while (whole.n > 1 && whole.p[0] == '0') {
        whole.p++;
        whole.n--;
    }
    for (size_t i = 0; i < whole.n; i++)
        zero = zero && whole.p[i] == '0';
    for (size_t i = 0; i < fraction.n; i++)
        zero = zero && fraction.p[i] == '0';
    char *text = arena_alloc(a, whole.n + fraction.n + 4), *to = text;
    if (d->negative && !zero)
        *to++ = '-';
    if (whole.n == 0)
        *to++ = '0';
    memcpy(to, whole.p, whole.n);
    to += whole.n;
    if (fraction.n) {
        *to++ = '.';
        memcpy(to, fraction.p, fraction.n);
        to += fraction.n;
    }
    *to = '\0';
    return slice_range(text, to);
}

/* "1234" with two implied decimals is 12.34, "5" is 0.05. */
static void imply(struct arena *a, uint32_t decimals, struct digits *d)
{
    size_t n = d->whole.n > decimals ? d->whole.n : decimals;
    char *text = arena_alloc(a, n + 1);
    memset(text, '0', n - d->whole.n);
    memcpy(text + n - d->whole.n, d->whole.p, d->whole.n);
    d->whole = (struct slice){ text, n - decimals };
    d->fraction = (struct slice){ text + n - decimals, decimals };
}

static int check_count(const struct field *f, size_t digits, struct arena *a, struct fault *fault)
{
    if (f->max && digits > f->max)
        return fault_set(fault, "NUM_LONG", arena_printf(a, "has %zu digits", digits),
                         fault_expected(a, f, arena_printf(a, "at most %u", f->max)));
    if (f->min && digits < f->min)
        return fault_set(fault, "NUM_SHORT", arena_printf(a, "has %zu digits", digits),
                         fault_expected(a, f, arena_printf(a, "at least %u", f->min)));
    if (f->size && f->pad.n == 0 && digits != f->size)
        return fault_set(fault, "NUM_SIZE", arena_printf(a, "has %zu digits", digits),
                         fault_expected(a, f, arena_printf(a, "exactly %u", f->size)));
    return OK;
}

int number_read(const struct field *f, struct slice raw, struct arena *a, struct slice *canonical_out,
                struct fault *fault)
{
    struct digits d;
    if (f->flags & FIELD_LETTERS)
        return letters_to_number(raw, a, canonical_out) ? OK : bad(f, a, fault);
    if (!take_apart(f, raw, a, &d))
        return bad(f, a, fault);
    if (f->implied)
        imply(a, f->implied, &d);
    *canonical_out = to_canonical(a, &d);
    return check_count(f, d.count, a, fault);
}

/* ---- writing ---- */

static bool split_canonical(struct slice text, struct digits *d)
{
    const char *p = text.p, *end = p + text.n;
    *d = (struct digits){ .negative = p < end && *p == '-', .fraction = SLICE("") };
    p += d->negative;
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    d->whole = slice_range(from, p);
    if (p < end && *p == '.') {
        from = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        d->fraction = slice_range(from, p);
    }
    return p == end && d->whole.n > 0;
}

/* Sets how many decimals are written; more than the field has room for are never cut off. */
static int scale(const struct field *f, struct digits *d, size_t *decimals, struct arena *a, struct fault *fault)
{
    struct slice needed = d->fraction;
    int64_t most = f->type == TYPE_INTEGER ? 0 : f->implied ? (int64_t)f->implied : f->scale_max;
    int64_t least = f->implied ? (int64_t)f->implied : f->scale_min;
    while (needed.n && needed.p[needed.n - 1] == '0')
        needed.n--;
    if (most >= 0 && needed.n > (size_t)most)
        return fault_set(fault, "NUM_SCALE", arena_printf(a, "has %zu decimals", needed.n),
                         fault_expected(a, f,
                                        arena_printf(a, "at most %lld: say round(x, %lld) in the mapping",
                                                     (long long)most, (long long)most)));
    if (most >= 0)
        d->fraction = needed;
    *decimals = least > 0 && d->fraction.n < (size_t)least ? (size_t)least : d->fraction.n;
    return OK;
}

static int write_letters(const struct field *f, const struct digits *d, struct buf *out, struct arena *a,
                         struct fault *fault)
{
    char text[16], *p = text + sizeof text;
    uint64_t n = 0;
    if (d->negative || d->whole.n > 16)
        return fault_set(fault, "NUM_SIGN", SLICE("cannot be counted in letters"),
                         fault_expected(a, f, SLICE("0 to 9,999,999,999,999,999")));
    for (size_t i = 0; i < d->whole.n; i++)
        n = n * 10 + (uint64_t)(d->whole.p[i] - '0');
    for (; n; n = (n - 1) / 26)
        *--p = (char)('A' + (n - 1) % 26);
    buf_add(out, slice_range(p, text + sizeof text));
    return OK;
}

/* The digits with mark, as long as they get; returns the end. */
static char *spell_digits(const struct field *f, const struct digits *d, size_t decimals, char *to)
{
    struct slice whole = d->whole, mark = f->mark.n ? f->mark : SLICE(".");
    const char *mark_end = mark.p;
    char *begin = to;
    utf8_next(&mark_end, mark.p + mark.n);
    memcpy(to, whole.p, whole.n);
    to += whole.n;
    if (decimals && !f->implied) {
        memcpy(to, mark.p, (size_t)(mark_end - mark.p));
        to += mark_end - mark.p;
    }
    memcpy(to, d->fraction.p, d->fraction.n);
    memset(to + d->fraction.n, '0', decimals - d->fraction.n);
    to += decimals;
    if (f->implied) {
        char *first = begin;
        while (first + 1 < to && *first == '0')
            first++;
        memmove(begin, first, (size_t)(to - first));
        to -= first - begin;
    }
    return to;
}

static char punched(char digit, bool negative)
{
    if (digit == '0')
        return negative ? '}' : '{';
    return (char)((negative ? 'J' : 'A') + (digit - '1'));
}

/* Sign and padding around the digits that stand in `text`. */
static int add_signed(const struct field *f, bool negative, struct slice text, struct buf *out, struct arena *a,
                      struct fault *fault)
{
    bool punch = slice_is(f->sign, "overpunch"), behind = slice_is(f->sign, "trailing");
    size_t length = text.n + (negative && !punch), pads = f->pad.n && f->size > length ? f->size - length : 0;
    bool zeros = slice_is(f->pad, "0");
    if (negative && slice_is(f->sign, "none"))
        return fault_set(fault, "NUM_SIGN", SLICE("is negative, and the field has no sign"),
                         fault_expected(a, f, SLICE("a number from 0 on")));
    if (f->pad.n && f->size && length > f->size)
        return fault_set(fault, "NUM_LONG", arena_printf(a, "takes %zu characters", length),
                         fault_expected(a, f, arena_printf(a, "at most %u", f->size)));
    for (size_t i = 0; i < pads && f->pad_left && !zeros; i++)
        buf_add(out, f->pad);
    if (negative && !punch && !behind)
        buf_byte(out, '-');
    for (size_t i = 0; i < pads && f->pad_left && zeros; i++)
        buf_byte(out, '0');
    buf_add(out, text);
    if (punch)
        out->p[out->n - 1] = punched(out->p[out->n - 1], negative);
    if (negative && behind)
        buf_byte(out, '-');
    for (size_t i = 0; i < pads && !f->pad_left; i++)
        buf_add(out, f->pad);
    return OK;
}

int number_write(const struct field *f, struct slice canonical, struct buf *out, struct arena *a, struct fault *fault)
{
    struct digits d;
    size_t decimals = 0;
    if (!split_canonical(canonical, &d))
        return bad(f, a, fault);
    int rc = scale(f, &d, &decimals, a, fault);
    if (rc != OK)
        return rc;
    if (f->flags & FIELD_LETTERS)
        return write_letters(f, &d, out, a, fault);
    char *text = arena_alloc(a, d.whole.n + decimals + 8);
    struct slice spelled = slice_range(text, spell_digits(f, &d, decimals, text));
    rc = check_count(f, f->implied ? spelled.n : d.whole.n + decimals, a, fault);
    return rc == OK ? add_signed(f, d.negative, spelled, out, a, fault) : rc;
}
