/* Length, pattern and code list of a value; comparing and parsing of canonical texts. */
#include "format/spell.h"

#include "base/date.h"
#include "base/num.h"

int limits_check(const struct field *f, struct slice text, struct arena *a, struct fault *fault)
{
    if (f->max || f->min || f->size) {
        size_t n = slice_chars(text);
        if (f->max && n > f->max)
            return fault_set(fault, "TEXT_LONG", arena_printf(a, "has %zu characters", n),
                             fault_expected(a, f, arena_printf(a, "at most %u", f->max)));
        if (f->min && n < f->min)
            return fault_set(fault, "TEXT_SHORT", arena_printf(a, "has %zu characters", n),
                             fault_expected(a, f, arena_printf(a, "at least %u", f->min)));
        if (f->size && n != f->size)
            return fault_set(fault, "TEXT_SIZE", arena_printf(a, "has %zu characters", n),
                             fault_expected(a, f, arena_printf(a, "exactly %u", f->size)));
    }
    if (f->type == TYPE_TEXT && f->pattern && !text_pattern_match(f->pattern, text))
        return fault_set(fault, "TEXT_PATTERN", SLICE("does not match its pattern"),
                         fault_expected(a, f, f->pattern_text));
    return OK;
}

static bool in_codes(const struct field *f, struct slice text)
{
    if (f->code_map)
        return map_get(f->code_map, text) != NULL;
    for (size_t i = 0; i < f->ncodes; i++)
        if (slice_equal(f->codes[i].value, text))
            return true;
    return false;
}

/* The first few codes, and the one that is meant where it is near. */
static struct slice code_help(const struct field *f, struct slice text, struct arena *a)
{
    struct slice *values = arena_alloc(a, f->ncodes * sizeof *values);
    for (size_t i = 0; i < f->ncodes; i++)
        values[i] = f->codes[i].value;
    struct slice suggestion =
        text.n >= 4 && f->ncodes <= 1000 ? problem_suggest(a, text, values, f->ncodes) : slice_none();
    if (suggestion.n)
        return suggestion;
    struct slice list = SLICE("");
    for (size_t i = 0; i < f->ncodes && i < 6; i++)
        list = arena_printf(a, "%.*s%s%.*s", SLICE_ARG(list), i ? ", " : "", SLICE_ARG(values[i]));
    return fault_expected(
        a, f, arena_printf(a, "%s%.*s%s", f->ncodes > 1 ? "one of " : "", SLICE_ARG(list), f->ncodes > 6 ? " …" : ""));
}

int codes_check(const struct field *f, struct slice canonical, struct arena *a, struct fault *fault)
{
    if (f->codes == NULL || in_codes(f, canonical))
        return OK;
    if (fault == NULL)
        return SKIP;
    return fault_set(fault, "CODE_UNKNOWN", SLICE("is not in the list of codes"), code_help(f, canonical, a));
}

int type_check(const struct field *f, struct slice canonical, struct arena *a, struct fault *fault)
{
    struct buf spelled = { 0 };
    struct value v = { .p = canonical.p, .n = (uint32_t)canonical.n, .state = VALUE_PRESENT };
    int rc = type_write(f, &v, &spelled, a, fault);
    buf_release(&spelled);
    return rc;
}

int type_parse(enum type type, struct slice text, struct arena *a, struct slice *canonical_out, struct fault *fault)
{
    struct field plain = { .type = type, .scale_min = -1, .scale_max = -1, .fast_max = UINT32_MAX };
    struct value v = { 0 };
    if (type == TYPE_TEXT || type == TYPE_BINARY) {
        *canonical_out = text;
        return OK;
    }
    if (text.n == 0)
        return fault_set(fault,
                         type == TYPE_BOOLEAN   ? "BOOLEAN_BAD"
                         : type <= TYPE_DECIMAL ? "NUM_BAD"
                                                : "DATE_BAD",
                         SLICE("is empty"), slice_none());
    int rc = type_read(&plain, text, a, &v, fault);
    *canonical_out = (struct slice){ v.p, v.n };
    return rc;
}

int type_compare(enum type type, struct slice a, struct slice b)
{
    switch (type) {
    case TYPE_INTEGER:
    case TYPE_DECIMAL: return num_compare_text(a, b);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME: return date_compare_text(a, b);
    default: return slice_compare(a, b);
    }
}

bool type_equal(enum type type, const struct value *a, const struct value *b)
{
    struct slice left = { a->p, a->n }, right = { b->p, b->n };
    if (value_is(a) && value_is(b))
        return slice_equal(left, right) || type_compare(type, left, right) == 0;
    if (a->form & VALUE_LAX || b->form & VALUE_LAX)
        return (a->form & b->form & VALUE_LAX) && slice_equal(left, right);
    return value_is(a) == value_is(b);
}
