/*
 * check (private) - the checks of a whole mapping
 *
 * check.c looks at each row, fill.c at what is filled and what is filled twice.
 */
#ifndef WAYBILL_MAPPING_CHECK_H
#define WAYBILL_MAPPING_CHECK_H

#include "format/type.h"
#include "program.h"

struct checker {
    struct arena *arena;
    struct mapping *mapping;
    struct program *program;
    struct problems *ps;
    bool *written[2];               /* per side: fields that some row fills, by number (field_number) */
    bool *entered[2];               /* per side: groups that are made, by id */
    bool *kept[2];                  /* per side: groups that update mode never makes */
    uint32_t *base[2];              /* per side: number of a group's first field */
};

void check_fail(struct checker *c, const struct item *it, const struct token *t, enum severity severity,
                const char *code, struct slice hint,
                const char *format, ...) __attribute__((format(printf, 7, 8)));
/* Does a constant fit the field: type, codes, length? */
bool constant_fits(struct arena *a, const struct expr *constant, const struct field *f, struct fault *fault);
/* Required fields that no row fills, fields that two one-way rows fill. */
void check_fill(struct checker *c);

#endif
