/* invert - writes a value through an expression, inside out: what LANGUAGE.md section 4 says may be inverted. */
#include "run.h"

#include "base/charset.h"
#include "base/date.h"
#include "func.h"

static bool fault(struct run *r, const struct expr *e, const char *code, const struct val *v, const char *text)
{
    run_fault_set(r, e, code, slice_none(), val_slice(v), "%s", text);
    return false;
}

static struct node *here_written(struct run *r)
{
    return r->frames[r->depth].side[side_written(r->direction)];
}

static bool write_path(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct value out;
    if (!val_convert(r, v, e->field, e, &out))
        return false;
    write_value(r, op, e->dest, e->field, &out);
    return true;
}

static bool write_const(struct run *r, const struct expr *e, const struct val *v)
{
    struct val want;
    eval(r, e, NULL, &want);
    return val_equal(&want, v) || fault(r, e, "CONST_DIFFERS", v, "is not the constant of the row");
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

static struct val text_val(struct slice s)
{
    return val_data(TYPE_TEXT, s);
}

static bool write_concat(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct slice s = val_slice(v);
    size_t path = 0, i;
    while (path < e->nargs && expr_is_const(e->args[path]))
        path++;
    for (i = 0; i < path; i++) {
        struct slice prefix = e->args[i]->text;
        if (!slice_starts(s, prefix))
            return fault(r, e, "CONCAT_DIFFERS", v, "does not begin with the constant of the row");
        s = slice_range(s.p + prefix.n, s.p + s.n);
    }
    for (i = e->nargs; i-- > path + 1;) {
        struct slice suffix = e->args[i]->text;
        if (s.n < suffix.n || (suffix.n && memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) != 0))
            return fault(r, e, "CONCAT_DIFFERS", v, "does not end with the constant of the row");
        s.n -= suffix.n;
    }
    struct val inner = text_val(s);
    return invert_write(r, op, e->args[path], &inner);
}

static bool write_join(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct slice s = val_slice(v), sep = e->args[0]->text;
    for (size_t i = 1; i < e->nargs; i++) {
        bool last = i + 1 == e->nargs;
        const char *p = s.n >= sep.n ? memmem(s.p, s.n, sep.p, sep.n) : NULL;
        if ((last && p) || (!last && !p))
            return fault(r, e, "JOIN_PARTS", v, "has not as many parts as the row joins");
        struct val part = text_val(last ? s : slice_range(s.p, p));
        if (val_is_nothing(&part))
            return fault(r, e, "JOIN_PARTS", v, "has an empty part");
        if (!invert_write(r, op, e->args[i], &part))
            return false;
        if (!last)
            s = slice_range(p + sep.n, s.p + s.n);
    }
    return true;
}

static bool write_pad(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct slice s = val_slice(v), c = e->args[2]->text;
    bool left = strcmp(e->func->name, "pad-left") == 0;
    while (left && s.n > c.n && slice_starts(s, c))
        s = slice_range(s.p + c.n, s.p + s.n);
    while (!left && s.n > c.n && memcmp(s.p + s.n - c.n, c.p, c.n) == 0)
        s.n -= c.n;
    struct val inner = text_val(s);
    return invert_write(r, op, e->args[0], &inner);
}

static bool write_letters(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct slice s = val_slice(v);
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 'A' || s.p[i] > 'Z' || i >= 12)
            return fault(r, e, "LETTERS_BAD", v, "is not a number in letters");
        n = n * 26 + (s.p[i] - 'A' + 1);
    }
    struct val inner = val_num(r, num_int_of(n), TYPE_INTEGER);
    return invert_write(r, op, e->args[0], &inner);
}

static bool write_text(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct slice out;
    struct fault f = { 0 };
    enum type type = (enum type)e->args[0]->type;
    if (!e->pattern)
        return invert_write(r, op, e->args[0], v);
    if (pattern_read(e->pattern, type, val_slice(v), r->a, &out, &f) != OK)
        return fault(r, e, "DATE_BAD", v, "does not fit the pattern of the row");
    struct val inner = val_data(type, out);
    return invert_write(r, op, e->args[0], &inner);
}

/* trim fold upper lower digits normalize-space: the old value stays if it gives this one already, else this one is
   taken. */
static bool write_lens(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct val now;
    struct node *n = here_written(r);
    if (r->edits && n && !node_is_new(n)) {
        eval(r, e, n, &now);
        if (val_equal(&now, v))
            return true;
    }
    struct expr constant = { .kind = EXPR_TEXT, .type = TYPE_TEXT, .text = val_slice(v) };
    struct expr *args[1] = { &constant };
    struct expr image = *e;
    image.args = args;
    e->func->run(r, &image, NULL, &now);
    if (!slice_equal(val_slice(&now), val_slice(v)))
        return fault(r, e, "INVERT_IMAGE", v, "is not a value that the row could have written");
    return invert_write(r, op, e->args[0], v);
}

/* ---- dates ------------------------------------------------------------------------------------------------------ */

static struct val date_val(struct run *r, const struct date_parts *p, bool date, bool time)
{
    struct date_parts part = *p;
    part.has_date = date;
    part.has_time = time;
    part.has_offset = false;
    return val_data(date ? TYPE_DATE : TYPE_TIME, date_text(r->a, &part));
}

static bool write_datetime(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct date_parts p;
    if (!date_parse(val_slice(v), &p) || !p.has_date)
        return fault(r, e, "DATE_BAD", v, "is not a date and time");
    struct val day = date_val(r, &p, true, false), time = date_val(r, &p, false, true);
    return invert_write(r, op, e->args[0], &day) && invert_write(r, op, e->args[1], &time);
}

/* date(p), time(p): that part is put, the other stays; in create midnight, and today is never invented. */
static bool write_part(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    struct date_parts part, whole = { 0 };
    struct node *n = here_written(r);
    struct val now = val_nothing();
    bool date = e->func->type == TYPE_DATE;
    if (!date_parse(val_slice(v), &part) || (date ? !part.has_date : !part.has_time))
        return fault(r, e, "DATE_BAD", v, date ? "is not a date" : "is not a time");
    if (r->edits && n && !node_is_new(n))
        eval(r, e->args[0], n, &now);
    bool old = !val_is_nothing(&now) && date_parse(val_slice(&now), &whole);
    if (!old && !date)
        return fault(r, e, "DATE_INVENTED", v, "is a time without a day, and none is invented");
    if (date) {
        whole.year = part.year, whole.month = part.month, whole.day = part.day;
    } else {
        whole.hour = part.hour, whole.minute = part.minute, whole.second = part.second, whole.nano =
            part.nano, whole.fraction = part.fraction;
    }
    whole.has_date = true;
    whole.has_time = e->args[0]->type != TYPE_DATE;
    struct val inner = val_data(whole.has_time ? TYPE_DATETIME : TYPE_DATE, date_text(r->a, &whole));
    return invert_write(r, op, e->args[0], &inner);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* v = a op b with one of them constant: the other. */
static bool solve(enum binary op, bool const_left, struct num k, struct num v, struct num *out)
{
    struct num back;
    switch (op) {
    case BIN_ADD:
        return num_sub(v, k, out);
    case BIN_SUB:
        return const_left ? num_sub(k, v, out) : num_add(v, k, out);
    case BIN_DIV:
        return num_mul(v, k, out);
    default:
        return num_div(v, k, out) && num_mul(*out, k, &back) && num_compare(back, v) == 0;
    }
}

static bool write_arithmetic(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    bool const_left = e->args[0]->kind == EXPR_NUMBER;
    const struct expr *inner = e->args[const_left ? 1 : 0];
    struct num k, value, x;
    if (!num_parse(val_slice(v), &value) || !num_parse(e->args[const_left ? 0 : 1]->text, &k))
        return fault(r, e, "NUM_BAD", v, "is not a number");
    if (!solve(e->op, const_left, k, value, &x))
        return fault(r, e, "NUM_RANGE", v, "cannot be turned back exactly");
    struct val out = val_num(r, num_normal(x), TYPE_DECIMAL);
    return invert_write(r, op, inner, &out);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static bool write_table(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    const struct value *row = NULL;
    const struct mapping_table *t = &r->mapping->tables[e->table];
    const struct bound *b = &r->tables[e->table];
    int found = lookup_back(r, e, val_key_text(r->a, v), &row);
    if (found == 0) {
        run_fault_set(r, e, "TABLE_MISS", slice_none(), val_slice(v), "is no %.*s of table %.*s",
                      SLICE_ARG(table_column_name(t, e->column)), SLICE_ARG(t->name));
        return false;
    }
    if (found > 1) {
        run_fault_set(r, e, "TABLE_AMBIGUOUS", slice_none(), val_slice(v), "is the %.*s of several rows of table %.*s",
                      SLICE_ARG(table_column_name(t, e->column)), SLICE_ARG(t->name));
        return false;
    }
    for (size_t i = 0; i < e->keys->n; i++) {
        struct val key = val_of(&row[b->columns[i]], b->types[i]);
        if (!invert_write(r, op, e->keys->args[i], &key))
            return false;
    }
    return true;
}

/* ---- forward: what could not come back -------------------------------------------------------------------------- */

static bool safe_join(struct run *r, const struct expr *e, const struct node *here)
{
    struct slice sep = e->args[0]->text;
    size_t empty = 0;
    for (size_t i = 1; i < e->nargs; i++) {
        struct val v;
        eval(r, e->args[i], here, &v);
        struct slice s = val_slice(&v);
        empty += s.n == 0;
        if (s.n && memmem(s.p, s.n, sep.p, sep.n))
            return fault(r, e, "JOIN_PARTS", &v, "holds the separator, so it could not be split again");
    }
    struct val none = val_nothing();
    return empty == 0 || empty == e->nargs - 1 || fault(r, e, "JOIN_PARTS", &none,
                                                        "a part is empty, so it could not be split again");
}

static bool safe_pad(struct run *r, const struct expr *e, const struct node *here)
{
    struct val v;
    struct slice c = e->args[2]->text;
    eval(r, e->args[0], here, &v);
    struct slice s = val_slice(&v);
    if (v.type != TYPE_TEXT || s.n < c.n || c.n == 0)
        return true;
    const char *edge = strcmp(e->func->name, "pad-left") == 0 ? s.p : s.p + s.n - c.n;
    return memcmp(edge, c.p, c.n) != 0 || fault(r, e, "PAD_AMBIGUOUS", &v,
                                                "has the padding character "
                                                "at its edge already, so it could not be taken off again");
}

bool invert_safe(struct run *r, const struct expr *e, const struct node *here)
{
    if (e->kind != EXPR_CALL)
        return true;
    if (e->func->invert == INVERT_JOIN)
        return safe_join(r, e, here);
    return e->func->invert != INVERT_PAD || safe_pad(r, e, here);
}

/* ---- the walk --------------------------------------------------------------------------------------------------- */

static bool write_call(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    switch (e->func->invert) {
    case INVERT_CONCAT:
        return write_concat(r, op, e, v);
    case INVERT_JOIN:
        return write_join(r, op, e, v);
    case INVERT_PAD:
        return write_pad(r, op, e, v);
    case INVERT_DATETIME:
        return write_datetime(r, op, e, v);
    case INVERT_LETTERS:
        return write_letters(r, op, e, v);
    case INVERT_TEXT:
        return write_text(r, op, e, v);
    case INVERT_PART:
        return write_part(r, op, e, v);
    case INVERT_LENS:
        return write_lens(r, op, e, v);
    case INVERT_NOT:
        break;
    }
    return false;
}

/* Nothing clears every field that the expression would write. */
struct clearing {
    struct run *r;
    const struct op *op;
};

static void clear_path(void *owner, struct expr *path)
{
    struct clearing *c = owner;
    struct value nothing = { .state = VALUE_ABSENT, .at = VALUE_NO_PLACE };
    write_value(c->r, c->op, path->dest, path->field, &nothing);
}

bool invert_write(struct run *r, const struct op *op, const struct expr *e, const struct val *v)
{
    if (val_is_nothing(v)) {
        struct clearing c = { r, op };
        written_paths((struct expr *)(uintptr_t)e, clear_path, &c);
        return true;
    }
    switch (e->kind) {
    case EXPR_TEXT:
    case EXPR_NUMBER:
    case EXPR_NEGATE:
        return write_const(r, e, v);
    case EXPR_PATH:
        return e->root == ROOT_TABLE ? write_table(r, op, e, v) : write_path(r, op, e, v);
    case EXPR_CALL:
        return write_call(r, op, e, v);
    case EXPR_BINARY:
        break;
    }
    return e->op == BIN_ALT ? invert_write(r, op, e->args[0], v) : write_arithmetic(r, op, e, v);
}
