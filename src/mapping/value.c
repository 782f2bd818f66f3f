/* value - the values of expressions: comparing, truth, and conversion to the type of a field. */
#include "run.h"

#include "base/date.h"

struct val val_of(const struct value *v, enum type type)
{
    if (v->state != VALUE_PRESENT || v->n == 0)
        return val_nothing();
    return (struct val){ .p = v->p, .n = v->n, .kind = VAL_DATA, .type = (uint8_t)type };
}

struct val val_bool(bool b)
{
    return val_data(TYPE_BOOLEAN, b ? SLICE("true") : SLICE("false"));
}

struct val val_num(struct run *r, struct num n, enum type type)
{
    return val_data(type, num_text(r->a, n));
}

bool val_is_nothing(const struct val *v)
{
    switch ((enum val_kind)v->kind) {
    case VAL_DATA:
        return v->n == 0;
    case VAL_NODE:
        return v->node == NULL;
    case VAL_ROW:
        return v->row == NULL;
    case VAL_NOTHING:
        break;
    }
    return true;
}

/* Nothing is false, so is the boolean false; whatever has a value is true. */
bool val_true(const struct val *v)
{
    if (v->kind == VAL_DATA && v->type == TYPE_BOOLEAN)
        return v->n == 4 && memcmp(v->p, "true", 4) == 0;
    return !val_is_nothing(v);
}

static bool is_number(int type)
{
    return type == TYPE_INTEGER || type == TYPE_DECIMAL;
}

static bool is_day(int type)
{
    return type == TYPE_DATE || type == TYPE_DATETIME;
}

int val_compare(const struct val *a, const struct val *b, bool *comparable)
{
    struct slice x = val_slice(a), y = val_slice(b);
    *comparable = a->kind == VAL_DATA && b->kind == VAL_DATA && x.n && y.n;
    if (!*comparable)
        return 0;
    if (is_number(a->type) && is_number(b->type))
        return slice_equal(x, y) ? 0 : num_compare_text(x, y);
    if (is_day(a->type) && is_day(b->type))
        return slice_equal(x, y) ? 0 : date_compare_text(x, y);
    return slice_compare(x, y);
}

bool val_equal(const struct val *a, const struct val *b)
{
    bool comparable;
    bool none_a = val_is_nothing(a), none_b = val_is_nothing(b);
    if (none_a || none_b)
        return none_a && none_b;
    int c = val_compare(a, b, &comparable);
    return comparable && c == 0;
}

/* 1.0, 1.00 and 1 are one key; a text that is a number in canonical form is the key of that number. */
struct slice val_key_text(struct arena *a, const struct val *v)
{
    struct slice s = val_slice(v);
    struct num n;
    if (v->kind != VAL_DATA || !is_number(v->type) || !memchr(s.p, '.', s.n) || !num_parse(s, &n))
        return s;
    return num_text(a, num_normal(n));
}

/* ---- conversion ------------------------------------------------------------------------------------------------- */

enum convert convert_class(int from, int to)
{
    if (from == to || (from == TYPE_INTEGER && to == TYPE_DECIMAL))
        return CONVERT_SAME;
    if (from == TYPE_UNKNOWN || from == TYPE_TEXT)
        return CONVERT_DYNAMIC;
    if (to == TYPE_TEXT)
        return from == TYPE_BINARY ? CONVERT_NEVER : CONVERT_SAME;
    if (is_number(from) && is_number(to))
        return CONVERT_DYNAMIC;
    return from == TYPE_DATE && to == TYPE_DATETIME ? CONVERT_DYNAMIC : CONVERT_NEVER;
}

static struct value value_of(struct slice s)
{
    return (struct value){ .p = s.p, .n = (uint32_t)s.n, .state = s.n ? VALUE_PRESENT : VALUE_ABSENT,
                           .at = VALUE_NO_PLACE };
}

static bool text_to_number(struct run *r, struct slice s, enum type type, struct value *out)
{
    struct num n;
    if (!num_parse(s, &n))
        return false;
    if (type == TYPE_INTEGER && n.scale > 0) {
        n = num_normal(n);
        if (n.scale > 0)
            return false;
    }
    *out = value_of(num_text(r->a, n));
    return true;
}

static bool text_to_day(struct run *r, struct slice s, enum type type, struct value *out)
{
    struct date_parts p;
    if (!date_parse(s, &p))
        return false;
    if (type == TYPE_DATETIME && p.has_date && !p.has_time) {
        p.has_time = true;
    } else if ((type == TYPE_DATE) != (p.has_date && !p.has_time) || (type == TYPE_TIME) != (p.has_time &&
            !p.has_date)) {
        return false;
    }
    *out = value_of(date_text(r->a, &p));
    return true;
}

static bool text_to_bool(struct slice s, struct value *out)
{
    bool yes = slice_is(s, "true") || slice_is(s, "yes") || slice_is(s, "1");
    if (!yes && !slice_is(s, "false") && !slice_is(s, "no") && !slice_is(s, "0"))
        return false;
    *out = value_of(yes ? SLICE("true") : SLICE("false"));
    return true;
}

static bool convert_text(struct run *r, struct slice s, enum type to, struct value *out)
{
    switch (to) {
    case TYPE_INTEGER:
    case TYPE_DECIMAL:
        return text_to_number(r, s, to, out);
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME:
        return text_to_day(r, s, to, out);
    case TYPE_BOOLEAN:
        return text_to_bool(s, out);
    case TYPE_TEXT:
    case TYPE_BINARY:
        break;
    }
    *out = value_of(s);
    return true;
}

static const char *convert_code(enum type to)
{
    return to == TYPE_INTEGER || to == TYPE_DECIMAL ? "NUM_BAD" : to == TYPE_BOOLEAN ? "BOOLEAN_BAD" : "DATE_BAD";
}

bool val_convert(struct run *r, const struct val *v, const struct field *f, const struct expr *at, struct value *out)
{
    struct slice s = val_slice(v);
    if (v->kind != VAL_DATA || s.n == 0) {
        *out = value_of((struct slice){ "", 0 });
        return true;
    }
    if (v->type == f->type || convert_class(v->type, (int)f->type) == CONVERT_SAME) {
        *out = value_of(s);
        return true;
    }
    if (convert_class(v->type, (int)f->type) == CONVERT_DYNAMIC && convert_text(r, s, f->type, out))
        return true;
    run_fault_set(r, at, convert_code(f->type), f->name, s, "is not %s %s", f->type == TYPE_INTEGER ? "an" : "a",
                  type_names[f->type]);
    return false;
}

/* ---- params ----------------------------------------------------------------------------------------------------- */

struct slice param_spelling(struct arena *a, const struct mapping_param *m, struct slice text)
{
    struct slice day;
    struct fault fault;
    if (m->field->type != TYPE_DATETIME || m->field->pattern_text.n)
        return text;
    if (type_parse(TYPE_DATE, text, a, &day, &fault) == OK)
        return arena_printf(a, "%.*sT00:00:00", SLICE_ARG(day));
    struct slice copy = arena_copy(a, text);
    if (copy.n >= 16 && copy.p[10] == ' ')
        copy = arena_printf(a, "%.10sT%.*s", copy.p, (int)copy.n - 11, copy.p + 11);
    return copy.n == 16 ? arena_printf(a, "%.*s:00", SLICE_ARG(copy)) : copy;
}

bool param_value(struct arena *a, const struct mapping_param *m, struct slice text, struct value *out,
                 struct fault *fault)
{
    struct slice copy = arena_copy(a, param_spelling(a, m, text));
    *out = (struct value){ .at = VALUE_NO_PLACE };
    if (copy.n == 0)
        return true;
    if (m->field->type == TYPE_BOOLEAN && text_to_bool(copy, out))
        return true;
    if (type_read(m->field, copy, a, out, fault) == OK)
        return true;
    if (!fault->text.n)
        fault->text = SLICE("does not fit the type of the param");
    return false;
}
