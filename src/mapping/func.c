/* func - the table of functions, and those on numbers, nodes, dates, logic and what lies outside. */
#include "func.h"

#include "base/date.h"
#include "func_run.h"

static const struct func functions[] = {
    { "concat", 1, 16, TYPE_TEXT, ARGS_VALUES, INVERT_CONCAT, "concat(text, …): up to 16", fn_concat },
    { "join", 2, 16, TYPE_TEXT, ARGS_JOIN, INVERT_JOIN, "join(separator, text or nodes, …)", fn_join },
    { "substring", 2, 3, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "substring(text, from, length?)", fn_substring },
    { "substring-before", 2, 2, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "substring-before(text, mark)",
      fn_substring_before },
    { "substring-after", 2, 2, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "substring-after(text, mark)", fn_substring_after },
    { "length", 1, 1, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "length(text)", fn_length },
    { "trim", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "trim(text)", fn_trim },
    { "normalize-space", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "normalize-space(text)", fn_normalize_space },
    { "upper", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "upper(text)", fn_upper },
    { "lower", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "lower(text)", fn_lower },
    { "fold", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "fold(text)", fn_fold },
    { "replace", 3, 3, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "replace(text, what, with)", fn_replace },
    { "translate", 3, 3, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "translate(text, from, to)", fn_translate },
    { "digits", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LENS, "digits(text)", fn_digits },
    { "natural", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "natural(text)", fn_natural },
    { "pad-left", 3, 3, TYPE_TEXT, ARGS_VALUES, INVERT_PAD, "pad-left(text, length, character)", fn_pad_left },
    { "pad-right", 3, 3, TYPE_TEXT, ARGS_VALUES, INVERT_PAD, "pad-right(text, length, character)", fn_pad_right },
    { "contains", 2, 2, TYPE_BOOLEAN, ARGS_VALUES, INVERT_NOT, "contains(text, part)", fn_contains },
    { "starts-with", 2, 2, TYPE_BOOLEAN, ARGS_VALUES, INVERT_NOT, "starts-with(text, part)", fn_starts_with },
    { "ends-with", 2, 2, TYPE_BOOLEAN, ARGS_VALUES, INVERT_NOT, "ends-with(text, part)", fn_ends_with },
    { "letters", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_LETTERS, "letters(number)", fn_letters },
    { "text", 1, 2, TYPE_TEXT, ARGS_VALUES, INVERT_TEXT, "text(value, pattern?)", fn_text },
    { "raw", 1, 1, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "raw(field)", fn_raw },
    { "number", 1, 1, TYPE_DECIMAL, ARGS_VALUES, INVERT_NOT, "number(text)", fn_number },
    { "round", 2, 2, TYPE_DECIMAL, ARGS_VALUES, INVERT_NOT, "round(number, places)", fn_round },
    { "round-even", 2, 2, TYPE_DECIMAL, ARGS_VALUES, INVERT_NOT, "round-even(number, places)", fn_round_even },
    { "floor", 1, 1, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "floor(number)", fn_floor },
    { "ceiling", 1, 1, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "ceiling(number)", fn_ceiling },
    { "abs", 1, 1, TYPE_OF_ARGUMENT, ARGS_VALUES, INVERT_NOT, "abs(number)", fn_abs },
    { "min", 2, 2, TYPE_OF_ARGUMENT, ARGS_VALUES, INVERT_NOT, "min(a, b)", fn_min },
    { "max", 2, 2, TYPE_OF_ARGUMENT, ARGS_VALUES, INVERT_NOT, "max(a, b)", fn_max },
    { "count", 1, 1, TYPE_INTEGER, ARGS_PATHS, INVERT_NOT, "count(nodes)", fn_count },
    { "sum", 1, 1, TYPE_DECIMAL, ARGS_PATHS, INVERT_NOT, "sum(nodes)", fn_sum },
    { "position", 0, 0, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "position()", fn_position },
    { "last", 0, 0, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "last()", fn_last },
    { "exists", 1, 1, TYPE_BOOLEAN, ARGS_PATHS, INVERT_NOT, "exists(path)", fn_exists },
    { "date", 1, 1, TYPE_DATE, ARGS_VALUES, INVERT_PART, "date(datetime or text)", fn_date },
    { "time", 1, 1, TYPE_TIME, ARGS_VALUES, INVERT_PART, "time(datetime or text)", fn_time },
    { "datetime", 1, 2, TYPE_DATETIME, ARGS_VALUES, INVERT_DATETIME, "datetime(date, time?)", fn_datetime },
    { "add-days", 2, 2, TYPE_OF_ARGUMENT, ARGS_VALUES, INVERT_NOT, "add-days(date, number)", fn_add_days },
    { "days-between", 2, 2, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "days-between(from, to)", fn_days_between },
    { "batch-time", 0, 0, TYPE_DATETIME, ARGS_VALUES, INVERT_NOT, "batch-time()", fn_batch_time },
    { "not", 1, 1, TYPE_BOOLEAN, ARGS_PATHS, INVERT_NOT, "not(condition)", fn_not },
    { "true", 0, 0, TYPE_BOOLEAN, ARGS_VALUES, INVERT_NOT, "true()", fn_true },
    { "false", 0, 0, TYPE_BOOLEAN, ARGS_VALUES, INVERT_NOT, "false()", fn_false },
    { "if", 2, 3, TYPE_OF_ARGUMENT, ARGS_IF, INVERT_NOT, "if(condition, value, otherwise?)", fn_if },
    { "next", 1, 1, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "next(\"sequence\")", fn_next },
    { "attachment", 1, 1, TYPE_BINARY, ARGS_VALUES, INVERT_NOT, "attachment(name)", fn_attachment },
    { "batch-id", 0, 0, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "batch-id()", fn_batch_id },
    { "file-name", 0, 0, TYPE_TEXT, ARGS_VALUES, INVERT_NOT, "file-name()", fn_file_name },
    { "message-number", 0, 0, TYPE_INTEGER, ARGS_VALUES, INVERT_NOT, "message-number()", fn_message_number },
};

#define NFUNCTIONS (sizeof functions / sizeof *functions)

const struct func *func_find(struct slice name)
{
    for (size_t i = 0; i < NFUNCTIONS; i++)
        if (slice_is(name, functions[i].name))
            return &functions[i];
    return NULL;
}

struct slice func_suggest(struct arena *a, struct slice name)
{
    struct slice list[NFUNCTIONS];
    for (size_t i = 0; i < NFUNCTIONS; i++)
        list[i] = slice_of(functions[i].name);
    return problem_suggest(a, name, list, NFUNCTIONS);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static bool arg_num(struct run *r, const struct expr *e, size_t i, const struct node *here, struct num *out)
{
    struct slice s = arg_text(r, e, i, here);
    if (!s.n)
        return false;
    if (num_parse(s, out))
        return true;
    run_fault_set(r, e, "NUM_BAD", slice_none(), s, "is not a number of at most 38 digits");
    return false;
}

void fn_number(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct num n;
    *out = arg_num(r, e, 0, here, &n) ? val_num(r, n, TYPE_DECIMAL) : val_nothing();
}

static void rounded(struct run *r, const struct expr *e, const struct node *here, enum num_rounding how,
                    struct val *out)
{
    struct num n, places = num_int_of(0);
    int64_t p = 0;
    *out = val_nothing();
    if (!arg_num(r, e, 0, here, &n) || (e->nargs > 1 && !arg_num(r, e, 1, here, &places)) || !num_to_int(places, &p))
        return;
    if (p < 0 || p > 38 || !num_round(n, (int32_t)p, how, &n))
        run_fault_set(r, e, "NUM_RANGE", slice_none(), slice_none(), "a result does not fit 38 digits");
    else
        *out = val_num(r, n, p == 0 && e->nargs == 1 ? TYPE_INTEGER : TYPE_DECIMAL);
}

void fn_round(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    rounded(r, e, here, NUM_HALF_AWAY, out);
}

void fn_round_even(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    rounded(r, e, here, NUM_HALF_EVEN, out);
}

void fn_floor(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    rounded(r, e, here, NUM_FLOOR, out);
}

void fn_ceiling(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    rounded(r, e, here, NUM_CEILING, out);
}

void fn_abs(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct num n;
    *out = val_nothing();
    if (arg_num(r, e, 0, here, &n))
        *out = val_num(r, n.value < 0 ? num_negate(n) : n, e->type == TYPE_INTEGER ? TYPE_INTEGER : TYPE_DECIMAL);
}

/* The smaller or larger of two; nothing when one is. */
static void chosen(struct run *r, const struct expr *e, const struct node *here, int sign, struct val *out)
{
    struct val a, b;
    bool comparable;
    eval(r, e->args[0], here, &a);
    eval(r, e->args[1], here, &b);
    int c = val_compare(&a, &b, &comparable);
    *out = !comparable ? val_nothing() : c * sign >= 0 ? a : b;
}

void fn_min(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    chosen(r, e, here, -1, out);
}

void fn_max(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    chosen(r, e, here, 1, out);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

struct summing {
    struct run *r;
    const struct expr *e;
    struct num sum;
    int64_t n;
    bool any;
};

static bool count_one(void *owner, const struct node *n, const struct field *f)
{
    ((struct summing *)owner)->n += !f || value_is(node_value(n, f));
    return true;
}

void fn_count(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct summing s = { 0 };
    struct val v;
    if (e->args[0]->kind == EXPR_PATH && e->args[0]->root != ROOT_PARAM && e->args[0]->root != ROOT_TABLE) {
        path_each(r, e->args[0], here, count_one, &s);
    } else {
        eval(r, e->args[0], here, &v);
        s.n = !val_is_nothing(&v);
    }
    *out = val_num(r, num_int_of(s.n), TYPE_INTEGER);
}

static bool sum_one(void *owner, const struct node *n, const struct field *f)
{
    struct summing *s = owner;
    struct num x;
    if (!f || !value_is(node_value(n, f)) || !num_parse(value_text(node_value(n, f)), &x))
        return true;
    if (!num_add(s->sum, x, &s->sum))
        run_fault_set(s->r, s->e, "NUM_RANGE", slice_none(), slice_none(), "a sum does not fit 38 digits");
    s->any = true;
    return true;
}

void fn_sum(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct summing s = { .r = r, .e = e, .sum = num_int_of(0) };
    path_each(r, e->args[0], here, sum_one, &s);
    *out = val_num(r, s.sum, TYPE_DECIMAL);
}

void fn_position(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_num(r, num_int_of(r->position), TYPE_INTEGER);
}

void fn_last(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_num(r, num_int_of(r->last), TYPE_INTEGER);
}

static bool exists_one(void *owner, const struct node *n, const struct field *f)
{
    *(bool *)owner = !f || node_value(n, f)->state != VALUE_ABSENT;
    return !*(bool *)owner;
}

/* Is it there, though it may be empty? */
void fn_exists(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    const struct expr *x = e->args[0];
    bool any = false;
    if (x->kind == EXPR_PATH && (x->root == ROOT_HERE || x->root == ROOT_FILE || x->root == ROOT_OLD ||
                                 x->root == ROOT_OUTCOME)) {
        path_each(r, x, here, exists_one, &any);
    } else {
        struct val v;
        const struct expr *missed = r->missed;
        r->guard++;
        eval(r, x, here, &v);
        any = !val_is_nothing(&v);
        r->guard--;
        r->missed = missed;
    }
    *out = val_bool(any);
}

/* ---- dates ------------------------------------------------------------------------------------------------------ */

static bool arg_date(struct run *r, const struct expr *e, size_t i, const struct node *here, struct date_parts *out)
{
    struct slice s = arg_text(r, e, i, here);
    if (!s.n)
        return false;
    if (date_parse(s, out))
        return true;
    run_fault_set(r, e, "DATE_BAD", slice_none(), s, "is not a date or time");
    return false;
}

void fn_date(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct date_parts p;
    *out = val_nothing();
    if (arg_date(r, e, 0, here, &p) && p.has_date) {
        p.has_time = p.has_offset = false;
        *out = val_data(TYPE_DATE, date_text(r->a, &p));
    }
}

void fn_time(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct date_parts p;
    *out = val_nothing();
    if (arg_date(r, e, 0, here, &p) && p.has_time) {
        p.has_date = p.has_offset = false;
        *out = val_data(TYPE_TIME, date_text(r->a, &p));
    }
}

void fn_datetime(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct date_parts d, t = { 0 };
    *out = val_nothing();
    if (!arg_date(r, e, 0, here, &d) || !d.has_date)
        return;
    if (e->nargs > 1) {
        if (!arg_date(r, e, 1, here, &t) || !t.has_time)
            return;
        d.hour = t.hour, d.minute = t.minute, d.second = t.second, d.nano = t.nano, d.fraction = t.fraction;
    }
    d.has_time = true;
    *out = val_data(TYPE_DATETIME, date_text(r->a, &d));
}

void fn_add_days(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct date_parts d;
    struct num n;
    int64_t days;
    *out = val_nothing();
    if (!arg_date(r, e, 0, here, &d) || !d.has_date || !arg_num(r, e, 1, here, &n))
        return;
    if (!num_to_int(n, &days) || days > 4000000 || days < -4000000) {
        run_fault_set(r, e, "DATE_BAD", slice_none(), slice_none(), "only whole days can be added");
        return;
    }
    date_from_days(date_days(d.year, d.month, d.day) + days, &d.year, &d.month, &d.day);
    if (date_check(&d))
        *out = val_data(d.has_time ? TYPE_DATETIME : TYPE_DATE, date_text(r->a, &d));
    else
        run_fault_set(r, e, "DATE_BAD", slice_none(), slice_none(), "the day lies outside the years 1 to 9999");
}

void fn_days_between(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct date_parts a, b;
    *out = val_nothing();
    if (arg_date(r, e, 0, here, &a) && arg_date(r, e, 1, here, &b) && a.has_date && b.has_date)
        *out = val_num(r, num_int_of(date_days(b.year, b.month, b.day) - date_days(a.year, a.month, a.day)),
                       TYPE_INTEGER);
}

void fn_batch_time(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_data(TYPE_DATETIME, r->outside ? r->outside->batch_time : slice_none());
}

/* ---- logic ------------------------------------------------------------------------------------------------------ */

void fn_not(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    *out = val_bool(!eval_true(r, e->args[0], here));
}

void fn_true(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)r, (void)e, (void)here;
    *out = val_bool(true);
}

void fn_false(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)r, (void)e, (void)here;
    *out = val_bool(false);
}

void fn_if(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    if (eval_true(r, e->args[0], here))
        eval(r, e->args[1], here, out);
    else if (e->nargs > 2)
        eval(r, e->args[2], here, out);
    else
        *out = val_nothing();
}

/* ---- outside ---------------------------------------------------------------------------------------------------- */

static void outside_failed(struct run *r, int rc)
{
    if (rc > r->stop)
        r->stop = rc;
}

void fn_next(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = slice_none();
    (void)here;
    *out = val_nothing();
    if (r->judge_only)
        return;
    if (!r->outside || !r->outside->sequence_next) {
        run_fault_set(r, e, "SEQUENCE_UNBOUND", slice_none(), e->args[0]->text, "is a sequence that nobody provides");
        return;
    }
    int rc = r->outside->sequence_next(r->outside->owner, e->args[0]->text, r->a, &s, r->ps);
    if (rc != OK)
        outside_failed(r, rc);
    *out = val_data(TYPE_INTEGER, s);
}

/* Once per message and file. */
static struct slice attached(struct run *r, struct slice name)
{
    for (const struct attached *at = r->attached; at; at = at->next)
        if (slice_equal(at->name, name))
            return at->bytes;
    struct slice bytes = slice_none();
    int rc = r->outside->attachment(r->outside->owner, name, r->a, &bytes, r->ps);
    if (rc >= STOP) {
        outside_failed(r, rc);
    } else if (r->a != r->arena) {
        struct attached *at = arena_zero(r->a, sizeof *at);
        *at = (struct attached){ arena_copy(r->a, name), bytes, r->attached };
        r->attached = at;
    }
    return bytes;
}

void fn_attachment(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice name = arg_text(r, e, 0, here);
    *out = val_nothing();
    if (name.n && r->outside && r->outside->attachment)
        *out = val_data(TYPE_BINARY, attached(r, name));
}

void fn_batch_id(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_data(TYPE_TEXT, r->outside ? r->outside->batch_id : slice_none());
}

void fn_file_name(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_data(TYPE_TEXT, r->outside ? r->outside->file_name : slice_none());
}

void fn_message_number(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    (void)e, (void)here;
    *out = val_num(r, num_int_of((int64_t)r->number), TYPE_INTEGER);
}
