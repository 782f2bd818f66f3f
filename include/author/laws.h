/*
 * laws - whether a mapping that claims to run both ways tells the truth
 *
 * For a sample s of the left side, with t = F(s):
 *     GetPut     U(s, F(s)) = s, byte for byte
 *     PutGet     F(U(s, t')) ≡ t' on the two-way rows, for documents t' made from t by changing values
 *     CreateGet  F(B(t')) ≡ t' on the exact two-way rows
 * ≡ compares typed values.  Generated documents come from a seeded generator, so a run can be repeated.  Values that
 * the mapping or a format refuses (a code that no table knows) are not counted against it.
 *
 * Owner:   the caller's arena.
 * Errors:  OK when all laws hold, SKIP when one is broken (LAW_BROKEN, with the place), STOP when the sample cannot be
 *          read.
 * Source:  DESIGN.md section 5, LANGUAGE.md section 4.
 */
#ifndef WAYBILL_AUTHOR_LAWS_H
#define WAYBILL_AUTHOR_LAWS_H

#include <stdint.h>

#include "flow/bind.h"
#include "flow/convert.h"

enum law { LAW_GET_PUT, LAW_PUT_GET, LAW_CREATE_GET, LAW_COUNT };
extern const char *const law_names[LAW_COUNT];

struct law_count {
    uint64_t documents, values, refused, broken;
};

struct laws {
    const struct mapping *mapping;
    struct binding *binding;
    const struct limits *limits;
    uint64_t seed;
    uint32_t documents;             /* generated ones per sample and law */
    struct law_count counts[LAW_COUNT];
};

int laws_check(struct laws *l, struct arena *a, const char *name, struct slice sample, struct problems *ps);

#endif
