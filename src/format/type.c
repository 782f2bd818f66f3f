/* Spelling to canonical text and back: one switch by type, with the usual spellings first. */
#include "format/spell.h"

#include "base/base64.h"
#include "base/date.h"
#include "base/file.h"
#include "base/num.h"

const char *const type_names[] = { "text", "integer", "decimal", "date", "time", "datetime", "boolean", "binary" };

int fault_set(struct fault *fault, const char *code, struct slice text, struct slice hint)
{
    if (fault)
        *fault = (struct fault){ .code = code, .text = text, .hint = hint };
    return SKIP;
}

struct slice fault_expected(struct arena *a, const struct field *f, struct slice what)
{
    if (!f->file || f->token.line == 0)
        return arena_printf(a, "expected %.*s", SLICE_ARG(what));
    return arena_printf(a, "expected %.*s (%s:%u)", SLICE_ARG(what), file_base(f->file), f->token.line);
}

/* ---- reading ---- */

static int read_boolean(const struct field *f, struct slice raw, struct arena *a, struct slice *out,
                        struct fault *fault)
{
    bool yes, no;
    if (f->true_text.n) {
        yes = slice_equal(raw, f->true_text);
        no = f->false_text.n && slice_equal(raw, f->false_text);
    } else {
        /* XML Schema part 2, 3.2.2: 1 and 0 are booleans too */
        yes = slice_is(raw, "true") || slice_is(raw, "1");
        no = slice_is(raw, "false") || slice_is(raw, "0");
    }
    *out = yes ? SLICE("true") : SLICE("false");
    if (yes || no)
        return OK;
    struct slice t = f->true_text.n ? f->true_text : SLICE("true"), n = f->true_text.n ? f->false_text : SLICE("false");
    return fault_set(fault, "BOOLEAN_BAD", SLICE("is neither true nor false"),
                     fault_expected(a, f, n.n ? arena_printf(a, "\"%.*s\" or \"%.*s\"", SLICE_ARG(t), SLICE_ARG(n))
                                              : arena_printf(a, "\"%.*s\" or nothing", SLICE_ARG(t))));
}

static struct slice date_example(const struct field *f)
{
    if (f->pattern_text.n)
        return f->pattern_text;
    return f->type == TYPE_DATE ? SLICE("yyyy-MM-dd") : f->type == TYPE_TIME ? SLICE("HH:mm:ss") : SLICE("yyyy-MM-ddTHH:mm:ss");
}

/* Checks that a text has the shape that date_parse() takes for the type; it decides on the calendar. */
static bool has_shape(enum type type, struct slice s)
{
    bool dashes = s.n >= 10 && s.p[4] == '-' && s.p[7] == '-';
    if (type == TYPE_DATE)
        return s.n == 10 && dashes;
    if (type == TYPE_TIME)
        return s.n >= 8 && s.p[2] == ':' && s.p[5] == ':' && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9';
    return s.n >= 19 && dashes && s.p[10] == 'T';
}

static int read_date(const struct field *f, struct slice raw, struct arena *a, struct slice *out, struct fault *fault)
{
    struct date_parts parts;
    int rc = OK;
    if (f->pattern) {
        rc = pattern_read(f->pattern, f->type, raw, a, out, fault);
    } else if (has_shape(f->type, raw) && date_parse(raw, &parts) && parts.has_date == (f->type != TYPE_TIME)
               && !(f->type == TYPE_TIME && parts.has_offset)) {
        *out = raw;
    } else {
        rc = fault_set(fault, "DATE_BAD", arena_printf(a, "is not a %s", type_names[f->type]), slice_none());
    }
    if (rc != OK && fault)
        fault->hint =
            fault_expected(a, f, arena_printf(a, "a %s like %.*s", type_names[f->type], SLICE_ARG(date_example(f))));
    return rc;
}

static int read_binary(const struct field *f, struct slice raw, struct arena *a, struct slice *out, struct fault *fault)
{
    struct slice text = raw;
    if (!slice_starts(text, f->prefix))
        return fault_set(fault, "BINARY_BAD", SLICE("lacks the prefix of a binary value"),
                         fault_expected(a, f, f->prefix));
    text.p += f->prefix.n;
    text.n -= f->prefix.n;
    if (base64_read(text, a, out))
        return OK;
    return fault_set(fault, "BINARY_BAD", SLICE("is not base64"),
                     fault_expected(a, f, SLICE("groups of four letters, digits, + and /")));
}

static int read_by_type(const struct field *f, struct slice raw, struct arena *a, struct slice *out,
                        struct fault *fault)
{
    switch (f->type) {
    case TYPE_TEXT: *out = raw; return OK;
    case TYPE_INTEGER:
    case TYPE_DECIMAL: return number_read(f, raw, a, out, fault);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME: return read_date(f, raw, a, out, fault);
    case TYPE_BOOLEAN: return read_boolean(f, raw, a, out, fault);
    case TYPE_BINARY: return read_binary(f, raw, a, out, fault);
    }
    return OK;
}

/* Numbers lose their padding; one zero stays when zeros are the padding. */
static struct slice strip_pad(const struct field *f, struct slice raw)
{
    if (f->pad.n == 0 || f->type == TYPE_TEXT || f->type == TYPE_BINARY)
        return raw;
    bool zeros = slice_is(f->pad, "0");
    while (f->pad_left && raw.n > (zeros ? f->pad.n : 0) && slice_starts(raw, f->pad)) {
        raw.p += f->pad.n;
        raw.n -= f->pad.n;
    }
    while (!f->pad_left && raw.n >= f->pad.n && memcmp(raw.p + raw.n - f->pad.n, f->pad.p, f->pad.n) == 0)
        raw.n -= f->pad.n;
    return raw;
}

static bool is_placeholder(const struct field *f, struct slice raw)
{
    for (size_t i = 0; i < f->nnothing; i++)
        if (slice_equal(raw, f->nothing[i]))
            return true;
    return false;
}

/* Placeholders by value: "0" is 0.00 too. Equal values begin with the same byte, so few are compared. */
static bool is_placeholder_value(const struct field *f, struct slice canonical)
{
    for (size_t i = 0; i < f->nnothing_canonical; i++)
        if (f->nothing_canonical[i].p[0] == canonical.p[0]
            && type_compare(f->type, f->nothing_canonical[i], canonical) == 0)
            return true;
    return false;
}

/* 1 = a value in *text, 0 = nothing, -1 = a fault. */
static int read_slow(const struct field *f, struct slice raw, struct arena *a, struct slice *text, struct fault *fault)
{
    struct slice s = f->flags & FIELD_TRIM ? slice_trim(raw) : raw;
    if (f->type != TYPE_TEXT && f->pad.n)
        s = strip_pad(f, s);
    if (s.n == 0 || (f->nnothing && is_placeholder(f, s)))
        return 0;
    if (f->flags & FIELD_BLANK_IS_NOTHING && slice_trim(s).n == 0)
        return 0;
    if (read_by_type(f, s, a, text, fault) != OK)
        return -1;
    if (f->nnothing_canonical && is_placeholder_value(f, *text))
        return 0;
    if (f->type != TYPE_INTEGER && f->type != TYPE_DECIMAL
        && limits_check(f, f->type == TYPE_TEXT ? *text : s, a, fault) != OK)
        return -1;
    return codes_check(f, *text, a, fault) == OK ? 1 : -1;
}

#define EACH(byte) ((uint64_t)0x0101010101010101 * (byte))

/* Have eight bytes the form of `shape`, in which 0 stands for any digit?  (No byte carries into its neighbour without
   being refused itself: its high nibble is looked at as it is, too.) */
static inline bool is_shaped(const char *p, const char *shape)
{
    uint64_t w, form;
    memcpy(&w, p, 8);
    memcpy(&form, shape, 8);
    uint64_t marks = ((form ^ EACH('0')) + EACH(0x7F)) & EACH(0x80), all = (marks >> 7) * 0xFF;
    if ((w & all) != (form & all))
        return false;
    w = (w & ~all) | (EACH('0') & all);
    return ((w & EACH(0xF0)) | (((w + EACH(6)) & EACH(0xF0)) >> 4)) == EACH(0x33);
}

/* yyyy-MM-dd or yyyy-MM-ddTHH:mm:ss */
static bool is_short_date(struct slice s)
{
    return is_shaped(s.p, "0000-00-") && is_shaped(s.p + 2, "00-00-00") && date_is_real(s.p)
        && (s.n == 10 || (s.p[10] == 'T' && is_shaped(s.p + 11, "00:00:00") && time_is_real(s.p + 11)));
}

static bool is_canonical(const struct field *f, struct slice raw)
{
    switch (f->read_fast) {
    case TYPE_FAST_INTEGER: return number_is_canonical(raw, false);
    case TYPE_FAST_DECIMAL: return number_is_canonical(raw, true);
    case TYPE_FAST_DATE: return raw.n == 10 && is_short_date(raw);
    case TYPE_FAST_DATETIME: return raw.n == 19 && is_short_date(raw);
    default: return false;
    }
}

int type_read(const struct field *f, struct slice raw, struct arena *a, struct value *v, struct fault *fault)
{
    if (type_read_fast(f, raw, v))
        return OK;
    v->p = raw.p;
    v->n = (uint32_t)raw.n;
    v->state = VALUE_EMPTY;
    if (raw.n && raw.n <= f->fast_max && is_canonical(f, raw)) {
        if (f->nnothing == 0 || (!is_placeholder(f, raw) && !is_placeholder_value(f, raw)))
            v->state = VALUE_PRESENT;
        return OK;
    }
    struct slice text;
    int found = read_slow(f, raw, a, &text, fault);
    if (found == 1) {
        v->p = text.p;
        v->n = (uint32_t)text.n;
        v->state = text.n ? VALUE_PRESENT : VALUE_EMPTY;        /* base64 of no bytes */
        return OK;
    }
    if (found == 0)
        return OK;
    if (!(f->flags & FIELD_LAX))
        return SKIP;
    v->form |= VALUE_LAX;
    return OK;
}

/* ---- writing ---- */

static int write_text(const struct field *f, struct slice text, struct buf *out, struct arena *a, struct fault *fault)
{
    size_t chars = f->size && f->pad.n ? slice_chars(text) : 0;
    size_t pads = chars && chars < f->size ? f->size - chars : 0;
    size_t before = out->n;
    for (size_t i = 0; i < pads && f->pad_left; i++)
        buf_add(out, f->pad);
    buf_add(out, text);
    for (size_t i = 0; i < pads && !f->pad_left; i++)
        buf_add(out, f->pad);
    return limits_check(f, slice_range(out->p + before, out->p + out->n), a, fault);
}

static int write_boolean(const struct field *f, struct slice text, struct buf *out)
{
    bool yes = slice_is(text, "true");
    if (f->true_text.n)
        buf_add(out, yes ? f->true_text : f->false_text);
    else
        buf_add(out, text);
    return OK;
}

static int write_date(const struct field *f, struct slice text, struct buf *out, struct fault *fault)
{
    if (f->pattern)
        return pattern_write(f->pattern, text, out, fault);
    buf_add(out, text);
    return OK;
}

static int write_by_type(const struct field *f, struct slice text, struct buf *out, struct arena *a,
                         struct fault *fault)
{
    switch (f->type) {
    case TYPE_INTEGER:
    case TYPE_DECIMAL: return number_write(f, text, out, a, fault);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME: return write_date(f, text, out, fault);
    case TYPE_BOOLEAN: return write_boolean(f, text, out);
    case TYPE_BINARY: buf_add(out, f->prefix); base64_write(text, out); return OK;
    case TYPE_TEXT: break;
    }
    return write_text(f, text, out, a, fault);
}

/* A value that did not fit its own type: a lax field carries it on as it is, any other must be able to read it. */
static int write_unfit(const struct field *f, const struct value *v, struct buf *out, struct arena *a,
                       struct fault *fault)
{
    struct value read = { 0 };
    struct slice raw = { v->p, v->n };
    if (f->flags & FIELD_LAX) {
        buf_add(out, raw);
        return OK;
    }
    int rc = type_read(f, raw, a, &read, fault);
    return rc == OK ? type_write(f, &read, out, a, fault) : rc;
}

int type_write(const struct field *f, const struct value *v, struct buf *out, struct arena *a, struct fault *fault)
{
    struct slice text = { v->p, v->n };
    if (type_write_fast(f, v, out))
        return OK;
    if (v->state != VALUE_PRESENT) {
        if (v->form & VALUE_LAX)
            return write_unfit(f, v, out, a, fault);
        if (f->flags & FIELD_ALWAYS && f->nnothing)
            buf_add(out, f->nothing[0]);
        return OK;
    }
    if (f->write_fast && text.n <= f->fast_max && number_is_canonical(text, f->write_fast == TYPE_FAST_DECIMAL)) {
        buf_add(out, text);
        return OK;
    }
    size_t before = out->n;
    int rc = codes_check(f, text, a, fault);
    if (rc == OK)
        rc = write_by_type(f, text, out, a, fault);
    if (rc != OK)
        out->n = before;
    return rc;
}
