#include "base/num.h"

#include <string.h>

enum { DIGITS = 38, DIVIDE_DIGITS = 34 };

#define E18 ((num_int)1000000000000000000)
#define BOUND (E18 * E18 * 100)     /* 10^38: the first coefficient that does not fit */

static const num_int powers[DIGITS + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
    10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, E18, E18 * 10, E18 * 100,
    E18 * 1000, E18 * 10000, E18 * 100000, E18 * 1000000, E18 * 10000000, E18 * 100000000, E18 * 1000000000,
    E18 * 10000000000, E18 * 100000000000, E18 * 1000000000000, E18 * 10000000000000, E18 * 100000000000000,
    E18 * 1000000000000000, E18 * 10000000000000000, E18 * 100000000000000000, E18 * E18, E18 * E18 * 10, BOUND,
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool fits(num_int value)
{
    return value > -BOUND && value < BOUND;
}

static num_uint magnitude(num_int v)
{
    return v < 0 ? (num_uint)-v : (num_uint)v;
}

/* value * 10^n, when it fits; else *out stays. */
static bool widen(num_int value, int32_t n, num_int *out)
{
    num_int wider = 0;
    if (value != 0 && (n > DIGITS || __builtin_mul_overflow(value, powers[n], &wider) || !fits(wider)))
        return false;
    *out = wider;
    return true;
}

/* 128-bit division is a call of 20 ns: nearly all numbers fit 64 bits. */
static bool is_short(num_int value)
{
    return value == (int64_t)value;
}

struct num num_normal(struct num a)
{
    if (is_short(a.value)) {
        int64_t v = (int64_t)a.value;
        for (; a.scale > 0 && v % 10 == 0; a.scale--)
            v /= 10;
        a.value = v;
        return a;
    }
    while (a.scale > 0 && a.value % 10 == 0) {
        a.value /= 10;
        a.scale--;
    }
    return a;
}

struct num num_int_of(int64_t n)
{
    return (struct num){ .value = n };
}

struct num num_negate(struct num a)
{
    a.value = -a.value;
    return a;
}

static bool add_digit(struct num *n, char c)
{
    if (n->value >= powers[DIGITS - 1])
        return false;
    n->value = n->value * 10 + (c - '0');
    return true;
}

/* Decimals that do not fit are dropped as long as they are zeros. */
static bool parse_decimals(const char *p, const char *end, struct num *n)
{
    if (p == end)
        return false;
    bool full = false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        full = full || n->scale == DIGITS || !add_digit(n, *p);
        if (!full)
            n->scale++;
        else if (*p != '0')
            return false;
    }
    return true;
}

bool num_parse(struct slice canonical, struct num *out)
{
    const char *p = canonical.p, *end = slice_end(canonical);
    struct num n = { 0 };
    bool negative = p < end && *p == '-';
    p += negative;
    if (p == end || !is_digit(*p))
        return false;
    for (; p < end && is_digit(*p); p++) {
        if (!add_digit(&n, *p))
            return false;
    }
    if (p < end && (*p != '.' || !parse_decimals(p + 1, end, &n)))
        return false;
    *out = negative ? num_negate(n) : n;
    return true;
}

/* The last n digits before `at`. */
static char *put_digits(char *at, uint64_t v, int n)
{
    for (; n > 0; n--, v /= 10)
        *--at = (char)('0' + v % 10);
    return at;
}

struct slice num_text(struct arena *a, struct num n)
{
    enum { CHUNK = 18 };
    char room[4 * CHUNK + 4], *end = room + sizeof room, *p = end;
    num_uint v = magnitude(n.value);
    for (; v > (num_uint)E18; v /= (num_uint)E18)
        p = put_digits(p, (uint64_t)(v % (num_uint)E18), CHUNK);
    for (uint64_t rest = (uint64_t)v; rest != 0; rest /= 10)
        *--p = (char)('0' + rest % 10);
    while (end - p <= n.scale)      /* at least one digit before the point */
        *--p = '0';
    if (n.scale > 0) {
        memmove(p - 1, p, (size_t)(end - p - n.scale));
        p--;
        end[-n.scale - 1] = '.';
    }
    if (n.value < 0)
        *--p = '-';
    return arena_copy(a, slice_range(p, end));
}

/* Both with the same scale; false when one does not fit so. */
static bool align(struct num *a, struct num *b)
{
    if (a->scale == b->scale)
        return true;
    struct num *low = a->scale < b->scale ? a : b, *high = low == a ? b : a;
    if (!widen(low->value, high->scale - low->scale, &low->value)) {
        *high = num_normal(*high);
        if (high->scale > low->scale && !widen(low->value, high->scale - low->scale, &low->value))
            return false;
        if (high->scale < low->scale)
            return widen(high->value, low->scale - high->scale, &high->value) && (high->scale = low->scale, true);
    }
    low->scale = high->scale;
    return true;
}

bool num_add(struct num a, struct num b, struct num *out)
{
    if (!align(&a, &b) || !fits(a.value + b.value))     /* both are below 10^38: the sum cannot overflow */
        return false;
    *out = (struct num){ a.value + b.value, a.scale };
    return true;
}

bool num_sub(struct num a, struct num b, struct num *out)
{
    return num_add(a, num_negate(b), out);
}

bool num_mul(struct num a, struct num b, struct num *out)
{
    num_int v;
    if (a.scale + b.scale > DIGITS || __builtin_mul_overflow(a.value, b.value, &v) || !fits(v)) {
        a = num_normal(a);
        b = num_normal(b);
        if (__builtin_mul_overflow(a.value, b.value, &v))
            return false;
    }
    struct num product = { v, a.scale + b.scale };
    if (product.scale > DIGITS || !fits(v))
        product = num_normal(product);
    if (product.scale > DIGITS || !fits(product.value))
        return false;
    *out = product;
    return true;
}

/* 10 * rest divided by b: the digit, and what remains of it. No step exceeds 2 * 10^38. */
static int next_digit(num_uint *rest, num_uint b)
{
    num_uint sum = 0;
    int digit = 0;
    for (int i = 0; i < 10; i++) {
        sum += *rest;
        if (sum >= b) {
            sum -= b;
            digit++;
        }
    }
    *rest = sum;
    return digit;
}

bool num_div(struct num a, struct num b, struct num *out)
{
    if (b.value == 0)
        return false;
    num_uint divisor = magnitude(b.value), q = magnitude(a.value) / divisor, rest = magnitude(a.value) % divisor;
    int32_t scale = a.scale - b.scale;
    while (rest != 0 && q < (num_uint)powers[DIVIDE_DIGITS - 1] && scale < DIGITS) {
        q = q * 10 + (num_uint)next_digit(&rest, divisor);
        scale++;
    }
    if (rest > divisor - rest || (rest == divisor - rest && (q & 1)))
        q++;
    struct num quotient = { (a.value < 0) != (b.value < 0) ? -(num_int)q : (num_int)q, scale };
    if (scale < 0 && !widen(quotient.value, -scale, &quotient.value))
        return false;
    quotient.scale = scale < 0 ? 0 : scale;
    if (!fits(quotient.value))
        return false;
    *out = num_normal(quotient);
    return true;
}

bool num_mod(struct num a, struct num b, struct num *out)
{
    if (b.value == 0)
        return false;
    num_uint divisor = magnitude(b.value), rest = magnitude(a.value);
    num_int wider;
    if (a.scale >= b.scale && widen((num_int)divisor, a.scale - b.scale, &wider)) {
        rest %= (num_uint)wider;
    } else if (a.scale < b.scale) {
        rest %= divisor;
        for (int32_t i = a.scale; i < b.scale; i++)
            next_digit(&rest, divisor);
    }                               /* else b is beyond all that a can be: a remains */
    *out = (struct num){ a.value < 0 ? -(num_int)rest : (num_int)rest, a.scale > b.scale ? a.scale : b.scale };
    return true;
}

int num_compare(struct num a, struct num b)
{
    num_int left = a.value / powers[a.scale], right = b.value / powers[b.scale];
    if (left == right) {            /* the decimals, as 38 digits */
        left = a.value % powers[a.scale] * powers[DIGITS - a.scale];
        right = b.value % powers[b.scale] * powers[DIGITS - b.scale];
    }
    return (left > right) - (left < right);
}

/* Whether the quotient moves away from zero. */
static bool rounds_away(num_int quotient, num_int rest, num_int unit, enum num_rounding how)
{
    num_uint part = magnitude(rest), other = (num_uint)unit - part;
    switch (how) {
    case NUM_HALF_AWAY: return part >= other;
    case NUM_HALF_EVEN: return part > other || (part == other && quotient % 2 != 0);
    case NUM_FLOOR: return rest < 0;
    default: return rest > 0;
    }
}

bool num_round(struct num a, int32_t places, enum num_rounding how, struct num *out)
{
    *out = a;
    if (places >= a.scale)
        return true;
    int64_t drop = (int64_t)a.scale - places;
    num_int unit = drop <= DIGITS ? powers[drop] : BOUND;
    num_int quotient = drop <= DIGITS ? a.value / unit : 0, rest = drop <= DIGITS ? a.value % unit : a.value;
    bool half_rule = how == NUM_HALF_AWAY || how == NUM_HALF_EVEN;
    if (rest != 0 && (drop <= DIGITS || !half_rule) && rounds_away(quotient, rest, unit, how))
        quotient += a.value < 0 ? -1 : 1;
    if (places < 0 && (places < -DIGITS ? quotient != 0 : !widen(quotient, -places, &quotient)))
        return false;
    *out = (struct num){ quotient, places < 0 ? 0 : places };
    return fits(quotient);
}

bool num_to_int(struct num a, int64_t *out)
{
    a = num_normal(a);
    if (a.scale != 0 || a.value > INT64_MAX || a.value < INT64_MIN)
        return false;
    *out = (int64_t)a.value;
    return true;
}

/* A canonical text taken apart: digits before the point without leading zeros, decimals without trailing ones. */
struct lexeme {
    struct slice whole, decimals;
    int sign;                       /* 0 for zero */
};

static struct lexeme take_apart(struct slice text)
{
    struct lexeme x = { .sign = 1 };
    if (text.n && text.p[0] == '-') {
        x.sign = -1;
        text.p++;
        text.n--;
    }
    const char *point = text.n ? memchr(text.p, '.', text.n) : NULL, *end = slice_end(text);
    x.whole = slice_range(text.p, point ? point : end);
    x.decimals = point ? slice_range(point + 1, end) : slice_range(end, end);
    while (x.whole.n && x.whole.p[0] == '0') {
        x.whole.p++;
        x.whole.n--;
    }
    while (x.decimals.n && x.decimals.p[x.decimals.n - 1] == '0')
        x.decimals.n--;
    if (x.whole.n == 0 && x.decimals.n == 0)
        x.sign = 0;
    return x;
}

int num_compare_text(struct slice a, struct slice b)
{
    struct lexeme x = take_apart(a), y = take_apart(b);
    if (x.sign != y.sign)
        return x.sign < y.sign ? -1 : 1;
    if (x.whole.n != y.whole.n)
        return x.whole.n < y.whole.n ? -x.sign : x.sign;
    int order = slice_compare(x.whole, y.whole);
    if (order == 0)
        order = slice_compare(x.decimals, y.decimals);
    return order < 0 ? -x.sign : order > 0 ? x.sign : 0;
}
