/*
 * spell - what the types share: faults, patterns, number spelling (private to layer format)
 */
#ifndef WAYBILL_FORMAT_SPELL_H
#define WAYBILL_FORMAT_SPELL_H

#include "format/type.h"

/* Fills the fault (which may be NULL) and returns SKIP. */
int fault_set(struct fault *fault, const char *code, struct slice text, struct slice hint);
/* "expected WHAT (erp.format:14)" */
struct slice fault_expected(struct arena *a, const struct field *f, struct slice what);

/* The length of the character of `set` that stands at p, 0 = none of them. */
size_t char_of_set(struct slice set, const char *p, const char *end);

enum part_kind {
    PART_LITERAL, PART_YEAR, PART_MONTH, PART_DAY, PART_HOUR, PART_MINUTE, PART_SECOND, PART_FRACTION, PART_ZONE,
    PART_UTC,                       /* the letter Z: universal time */
    PART_DIGIT, PART_LETTER, PART_ANY
};

struct part {
    enum part_kind kind;
    uint32_t min, max;              /* dates: digits; text: how many characters */
    struct slice literal;           /* one character */
};

struct pattern {
    enum type type;
    struct slice text;
    struct part *parts;
    size_t n;
    uint32_t has;                   /* dates: 1 << part_kind of those that occur; text: 1 = a part varies in length */
    uint8_t layout[32], nlayout;    /* dates of fixed width: layout.c; nlayout 0 = others */
    uint64_t longest;               /* text: characters that can match at most */
};

int text_pattern_compile(struct arena *a, struct slice text, struct pattern **out, struct fault *fault, size_t *at);
bool text_pattern_match(const struct pattern *p, struct slice text);
/* Holds what reading a field of its type needs; otherwise the name of the part that is missing. */
const char *pattern_missing(const struct pattern *p, enum type type);

/* Fixed dates: false = the slow way decides. */
void layout_compile(struct pattern *p);
bool layout_read(const struct pattern *p, struct slice raw, struct arena *a, struct slice *canonical_out);
bool layout_write(const struct pattern *p, struct slice canonical, struct buf *out);
/* Of digits at the places of yyyy-MM-dd and HH:mm:ss: does the calendar, the clock have it? */
bool date_is_real(const char *p);
bool time_is_real(const char *p);

/* `raw` is not empty and stripped of blanks where the field says so. */
int number_read(const struct field *f, struct slice raw, struct arena *a, struct slice *canonical_out,
                struct fault *fault);
int number_write(const struct field *f, struct slice canonical, struct buf *out, struct arena *a,
                 struct fault *fault);
/* -?digits[.digits] without superfluous zeros: nothing to do. */
bool number_is_canonical(struct slice text, bool decimal);

/* Length, pattern and code list of a canonical value; `shown` is what its length counts (the spelling). */
int limits_check(const struct field *f, struct slice canonical, struct arena *a, struct fault *fault);
int codes_check(const struct field *f, struct slice canonical, struct arena *a, struct fault *fault);

#endif
