/*
 * value - one field of a message
 *
 * Text in canonical form (format/type.h), its state, how the file spelled it and where.
 *
 * Units:   at, len: bytes of the input file as it lies on disk, quotes of CSV included, delimiters not; XML: the text
 *          between the tags or between the quotes of an attribute.
 * Owner:   the text belongs to the message's arena or to the reader's buffer that lives as long as the message.
 */
#ifndef WAYBILL_MESSAGE_VALUE_H
#define WAYBILL_MESSAGE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum value_state { VALUE_ABSENT, VALUE_EMPTY, VALUE_PRESENT };

enum value_form {
    VALUE_LAX       = 1 << 0,       /* did not fit its type: counts as nothing, p and n are the raw text */
    VALUE_QUOTED    = 1 << 1,       /* csv: in quotes; xml attribute: in apostrophes */
    VALUE_CDATA     = 1 << 2,       /* xml: one CDATA section and nothing else */
    VALUE_MIXED     = 1 << 3,       /* xml: comments, PIs or child elements stand inside */
    VALUE_EMPTY_TAG = 1 << 4,       /* xml: <a/>; at is just before "/>" , len 0 */
    VALUE_NIL       = 1 << 5,       /* xml: xsi:nil */
    VALUE_ATTRIBUTE = 1 << 6,
    VALUE_PADDED    = 1 << 7,
};

#define VALUE_NO_PLACE UINT64_MAX

struct value {
    const char *p;
    uint32_t n;
    uint8_t state;                  /* enum value_state */
    uint8_t form;                   /* enum value_form */
    uint16_t spare;
    uint64_t at;                    /* VALUE_NO_PLACE: made by a mapping */
    uint32_t len;
    uint32_t lead;                  /* xml: bytes from the `<` of the start tag to `at`, to take an element out */
};

static inline struct slice value_text(const struct value *v)
{
    return v->state == VALUE_PRESENT ? (struct slice){ v->p, v->n } : (struct slice){ "", 0 };
}

static inline bool value_is(const struct value *v)
{
    return v->state == VALUE_PRESENT;
}

#endif
