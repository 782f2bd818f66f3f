/*
 * type - from the spelling of a field to its canonical text, and back
 *
 * Inside waybill every value is canonical text, whatever the file spelled:
 *     text      as it is, UTF-8
 *     integer   -?digits, no leading zeros, no plus; "-0" becomes "0"
 *     decimal   -?digits[.digits], no leading zeros but one before the point, with the decimals it came with ("1.00")
 *     date      yyyy-MM-dd           time  HH:mm:ss[.SSS]           datetime  yyyy-MM-ddTHH:mm:ss[.SSS][Z|+hh:mm]
 *     boolean   true, false          binary  its bytes
 * So equal types compare and copy without a second look.  When the spelling is canonical already (the usual case) the
 * value points to the input and nothing is copied.
 *
 * Owner:   results point into `raw` or live in the arena.
 * Errors:  OK or SKIP.  On SKIP nothing is added: `fault` says what is wrong, the caller adds it with place and path.
 */
#ifndef WAYBILL_FORMAT_TYPE_H
#define WAYBILL_FORMAT_TYPE_H

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "format/format.h"
#include "message/value.h"

struct fault {
    const char *code;               /* NUM_BAD, DATE_BAD, TEXT_LONG, CODE_UNKNOWN, REQUIRED … */
    struct slice text;              /* "is not a decimal"; the shown value goes before it */
    struct slice hint;              /* "expected a number like 12,50" */
};

/* How the usual spellings of a field are read and written without looking at its attributes one by one. */
enum type_fast {
    TYPE_SLOW,
    TYPE_FAST_TEXT,                 /* any text (of at most fast_max bytes) is itself */
    TYPE_FAST_TEXT_BLANK,           /* the same when it does not begin with white space: `nothing blank` */
    TYPE_FAST_INTEGER, TYPE_FAST_DECIMAL, TYPE_FAST_DATE, TYPE_FAST_DATETIME /* in canonical spelling */
};

/* What most numbers are: one to eight digits, in a decimal with a point between them.  False: look closer. */
static inline bool number_is_short(struct slice text, bool decimal)
{
    const uint64_t each = 0x0101010101010101;
    const char *p = text.p;
    size_t n = text.n;
    uint64_t w, marks;
    if (n - 1 >= 8)
        return false;
    if (n < 4) {                    /* into one word, the first byte lowest */
        w = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << (8 * (n / 2))
            | (uint64_t)(unsigned char)p[n - 1] << (8 * (n - 1));
    } else {
        uint32_t head, tail;
        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        head = __builtin_bswap32(head);
        tail = __builtin_bswap32(tail);
#endif
        w = (uint64_t)head | (uint64_t)tail << (8 * (n - 4));
    }
    w ^= each * '0';
    marks = (((w & each * 0x7F) + each * 0x76) | w) & each * 0x80;      /* of the bytes that are no digits */
    marks &= ~(uint64_t)0 >> (64 - 8 * n);
    if (!marks)
        return p[0] != '0' || n == 1;
    size_t at = (size_t)__builtin_ctzll(marks) / 8;
    return decimal && !(marks & (marks - 1)) && p[at] == '.' && at > 0 && at + 1 < n && (p[0] != '0' || at == 1);
}

/* Reads in place a text field without attributes, and a short number that is canonical; false = call type_read().  For
   the loops of readers. */
static inline bool type_read_fast(const struct field *f, struct slice raw, struct value *v)
{
    if (raw.n > f->fast_max)
        return false;
    if (f->read_fast == TYPE_FAST_INTEGER || f->read_fast == TYPE_FAST_DECIMAL) {
        if (f->nnothing || !number_is_short(raw, f->read_fast == TYPE_FAST_DECIMAL))
            return false;
    } else if (f->read_fast != TYPE_FAST_TEXT
               && (f->read_fast != TYPE_FAST_TEXT_BLANK || raw.n == 0 || (unsigned char)raw.p[0] <= ' ')) {
        return false;
    }
    v->p = raw.p;
    v->n = (uint32_t)raw.n;
    v->state = raw.n ? VALUE_PRESENT : VALUE_EMPTY;
    return true;
}

/* Writes a present value whose canonical text is its spelling; false = call type_write(). For the loops of writers. */
static inline bool type_write_fast(const struct field *f, const struct value *v, struct buf *out)
{
    if (f->write_fast != TYPE_FAST_TEXT || v->state != VALUE_PRESENT || v->n > f->fast_max)
        return false;
    buf_add(out, (struct slice){ v->p, v->n });
    return true;
}

/*
 * Checks and normalises `raw` (decoded UTF-8, unescaped) for the field; sets v->p, v->n, v->state and VALUE_LAX, leaves
 * the place alone.  A value of a lax field that does not fit becomes empty with VALUE_LAX, p and n the raw text; OK.
 */
int type_read(const struct field *f, struct slice raw, struct arena *a, struct value *v, struct fault *fault);

/* Appends the field's spelling of a present value, or of nothing (first placeholder, or not at all). */
int type_write(const struct field *f, const struct value *v, struct buf *out, struct arena *a, struct fault *fault);

/* Compiles `pattern "yyyy-MM-dd"` or a text pattern; STOP with a fault when it makes no sense (*at: a character). */
int pattern_compile(struct arena *a, enum type type, struct slice text, struct pattern **out, struct fault *fault,
                    size_t *at);
/* A canonical date, time or datetime spelled by a pattern, and back: for text(x, pattern). */
int pattern_write(const struct pattern *p, struct slice canonical, struct buf *out, struct fault *fault);
int pattern_read(const struct pattern *p, enum type type, struct slice raw, struct arena *a,
                 struct slice *canonical_out, struct fault *fault);
/* Holds all parts of a value of that type, so that reading back loses nothing. */
bool pattern_is_exact(const struct pattern *p, enum type type);

/* Whether a canonical text keeps to the field's limits, codes and pattern: for rules about single instances. */
int type_check(const struct field *f, struct slice canonical, struct arena *a, struct fault *fault);
/* Canonical text of a type from a text of a person or an expression: the canonical spelling, or "+5", "007", "1." */
int type_parse(enum type type, struct slice text, struct arena *a, struct slice *canonical_out, struct fault *fault);

/* Equal by type: 1.0 and 1.00 are; absent and empty are. */
bool type_equal(enum type type, const struct value *a, const struct value *b);
/* Orders two present canonical values of one type: <0, 0, >0. */
int type_compare(enum type type, struct slice a, struct slice b);

#endif
