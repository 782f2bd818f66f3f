/*
 * num - exact decimals
 *
 * A number is canonical text `-?digits[.digits]` (format/type.h); copying keeps its lexeme at any length.  Arithmetic
 * goes through struct num: a coefficient of at most 38 digits and a scale, exact for + - *, 34 digits half even for
 * div.
 *
 * Errors:  functions return false where the result does not fit 38 digits (NUM_RANGE), or divides by zero.
 */
#ifndef WAYBILL_BASE_NUM_H
#define WAYBILL_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

__extension__ typedef __int128 num_int;
__extension__ typedef unsigned __int128 num_uint;

struct num {
    num_int value;                  /* the number times 10^scale */
    int32_t scale;                  /* 0 … 38 */
};

bool num_parse(struct slice canonical, struct num *out);
struct slice num_text(struct arena *a, struct num n);       /* canonical; keeps trailing zeros up to its scale */
struct num num_int_of(int64_t n);
bool num_add(struct num a, struct num b, struct num *out);
bool num_sub(struct num a, struct num b, struct num *out);
bool num_mul(struct num a, struct num b, struct num *out);
bool num_div(struct num a, struct num b, struct num *out);      /* trailing zeros dropped */
bool num_mod(struct num a, struct num b, struct num *out);      /* sign of a; truncating, as XPath */
int num_compare(struct num a, struct num b);
enum num_rounding { NUM_HALF_AWAY, NUM_HALF_EVEN, NUM_FLOOR, NUM_CEILING };
bool num_round(struct num a, int32_t places, enum num_rounding how, struct num *out);
struct num num_negate(struct num a);
struct num num_normal(struct num a);                            /* without trailing zeros after the point */
bool num_to_int(struct num a, int64_t *out);                    /* false when it has decimals or is too large */

/* Compares canonical texts of any length, beyond 38 digits too. */
int num_compare_text(struct slice a, struct slice b);

#endif
