/* func_text - the functions on texts. */
#include "func_run.h"

#include "base/charset.h"

enum { TEXT_MOST = 16 << 20 };

struct slice arg_text(struct run *r, const struct expr *e, size_t i, const struct node *here)
{
    struct val v;
    eval(r, e->args[i], here, &v);
    return val_slice(&v);
}

struct slice built(struct run *r, struct buf *b)
{
    struct slice s = arena_copy(r->a, buf_slice(b));
    buf_release(b);
    return s;
}

/* Texts that are made of texts grow by doubling: `let b = concat($a, $a)`, sixty times. */
bool text_room(struct run *r, const struct expr *e, size_t n)
{
    if (n <= TEXT_MOST && (!r->a->limit || r->a->used + n <= r->a->limit))
        return true;
    run_fault_set(r, e, "LIMIT_TEXT", slice_none(), slice_none(), "a result is longer than %d MiB, or than the rest of what"
                  " a message may hold", TEXT_MOST >> 20);
    return false;
}

void fn_concat(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice part[16];
    size_t n = e->nargs < 16 ? e->nargs : 16, total = 0;
    for (size_t i = 0; i < n; i++) {
        part[i] = arg_text(r, e, i, here);
        total += part[i].n;
    }
    *out = val_nothing();
    if (!text_room(r, e, total))
        return;
    char *p = arena_alloc(r->a, total + 1), *at = p;
    for (size_t i = 0; i < n; i++) {
        if (part[i].n)
            memcpy(at, part[i].p, part[i].n);
        at += part[i].n;
    }
    *out = val_data(TYPE_TEXT, slice_range(p, at));
}

struct joining {
    struct run *r;
    const struct expr *e;
    struct buf buf;
    struct slice separator;
    bool any, full;
};

static void join_add(struct joining *j, struct slice s)
{
    if (!s.n || j->full)
        return;
    j->full = !text_room(j->r, j->e, j->buf.n + j->separator.n + s.n);
    if (j->full)
        return;
    if (j->any)
        buf_add(&j->buf, j->separator);
    j->any = true;
    buf_add(&j->buf, s);
}

static bool join_node(void *owner, const struct node *n, const struct field *f)
{
    struct joining *j = owner;
    if (f)
        join_add(j, value_text(node_value(n, f)));
    return !j->full;
}

void fn_join(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct joining j = { .r = r, .e = e, .separator = arg_text(r, e, 0, here) };
    for (size_t i = 1; i < e->nargs; i++) {
        if (e->args[i]->kind == EXPR_PATH && e->args[i]->many)
            path_each(r, e->args[i], here, join_node, &j);
        else
            join_add(&j, arg_text(r, e, i, here));
    }
    *out = val_data(TYPE_TEXT, built(r, &j.buf));
}

static bool arg_int(struct run *r, const struct expr *e, size_t i, const struct node *here, int64_t *out)
{
    struct num n;
    return num_parse(arg_text(r, e, i, here), &n) && num_round(n, 0, NUM_HALF_AWAY, &n) && num_to_int(n, out);
}

/* The byte place of the i-th character, counted from 0. */
static size_t char_at(struct slice s, int64_t i)
{
    const char *p = s.p, *end = s.p + s.n;
    while (i-- > 0 && p < end)
        utf8_next(&p, end);
    return (size_t)(p - s.p);
}

/* Positions from 1, as XPath counts them. */
void fn_substring(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here);
    int64_t from = 1, n = INT32_MAX;
    bool ok = arg_int(r, e, 1, here, &from) && (e->nargs < 3 || arg_int(r, e, 2, here, &n));
    *out = val_nothing();
    if (!ok || !s.n || from > INT32_MAX || from < -INT32_MAX || n > INT32_MAX)
        return;
    int64_t to = from + n;
    if (from < 1)
        from = 1;
    if (to <= from)
        return;
    size_t a = char_at(s, from - 1), b = char_at(s, to - 1);
    *out = val_data(TYPE_TEXT, (struct slice){ s.p + a, b - a });
}

static const char *find(struct slice s, struct slice what)
{
    return what.n ? memmem(s.p, s.n, what.p, what.n) : s.p;
}

void fn_substring_before(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), what = arg_text(r, e, 1, here);
    const char *p = find(s, what);
    *out = p ? val_data(TYPE_TEXT, slice_range(s.p, p)) : val_nothing();
}

void fn_substring_after(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), what = arg_text(r, e, 1, here);
    const char *p = find(s, what);
    *out = p ? val_data(TYPE_TEXT, slice_range(p + what.n, s.p + s.n)) : val_nothing();
}

void fn_length(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    *out = val_num(r, num_int_of((int64_t)slice_chars(arg_text(r, e, 0, here))), TYPE_INTEGER);
}

void fn_trim(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    *out = val_data(TYPE_TEXT, slice_trim(arg_text(r, e, 0, here)));
}

void fn_normalize_space(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = slice_trim(arg_text(r, e, 0, here));
    char *p = arena_alloc(r->a, s.n + 1);
    size_t n = 0;
    bool blank = false;
    for (size_t i = 0; i < s.n; i++) {
        bool space = s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r' || s.p[i] == '\n';
        if (!space)
            p[n++] = s.p[i];
        else if (!blank)
            p[n++] = ' ';
        blank = space;
    }
    *out = val_data(TYPE_TEXT, (struct slice){ p, n });
}

static void by_case(struct run *r, struct slice s, void (*how)(struct slice text, struct buf *out), struct val *out)
{
    struct buf b = { 0 };
    how(s, &b);
    *out = val_data(TYPE_TEXT, built(r, &b));
}

void fn_upper(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    by_case(r, arg_text(r, e, 0, here), text_upper, out);
}

void fn_lower(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    by_case(r, arg_text(r, e, 0, here), text_lower, out);
}

void fn_fold(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    by_case(r, slice_trim(arg_text(r, e, 0, here)), text_fold, out);
}

void fn_replace(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), what = arg_text(r, e, 1, here), with = arg_text(r, e, 2, here);
    struct buf b = { 0 };
    const char *p;
    while (what.n && s.n && (p = memmem(s.p, s.n, what.p, what.n))) {
        buf_add(&b, slice_range(s.p, p));
        buf_add(&b, with);
        s = slice_range(p + what.n, s.p + s.n);
        if (!text_room(r, e, b.n + s.n)) {
            b.n = 0;
            s = slice_none();
        }
    }
    buf_add(&b, s);
    *out = val_data(TYPE_TEXT, built(r, &b));
}

void fn_translate(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), from = arg_text(r, e, 1, here), to = arg_text(r, e, 2, here);
    struct buf b = { 0 };
    const char *p = s.p, *end = s.p + s.n;
    while (p < end) {
        const char *f = from.p, *fe = from.p + from.n, *t = to.p, *te = to.p + to.n;
        uint32_t c = utf8_next(&p, end), put = c;
        while (f < fe) {
            uint32_t wanted = utf8_next(&f, fe), instead = t < te ? utf8_next(&t, te) : 0;
            if (wanted == c) {
                put = instead;
                break;
            }
        }
        if (put)
            buf_char(&b, put);
    }
    *out = val_data(TYPE_TEXT, built(r, &b));
}

/* A run of digits so that bytes compare as the numbers do: without zeros in front, behind its length, which is written
   as a 9 for every eight digits and then the rest, 1 to 8. */
static void natural_run(struct buf *b, struct slice digits)
{
    while (digits.n > 1 && digits.p[0] == '0')
        digits = (struct slice){ digits.p + 1, digits.n - 1 };
    size_t n = digits.n;
    for (buf_byte(b, '0'); n > 8; n -= 8)
        buf_byte(b, '9');
    buf_byte(b, (char)('0' + n));
    buf_add(b, digits);
}

void fn_natural(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here);
    struct buf b = { 0 };
    *out = val_nothing();
    if (!text_room(r, e, s.n * 3))
        return;
    for (size_t i = 0, from; i < s.n;) {
        for (from = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            ;
        if (i > from)
            natural_run(&b, (struct slice){ s.p + from, i - from });
        else
            buf_byte(&b, s.p[i++]);
    }
    *out = val_data(TYPE_TEXT, built(r, &b));
}

void fn_digits(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here);
    char *p = arena_alloc(r->a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9')
            p[n++] = s.p[i];
    *out = val_data(TYPE_TEXT, (struct slice){ p, n });
}

static void pad(struct run *r, const struct expr *e, const struct node *here, bool left, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), c = arg_text(r, e, 2, here);
    int64_t want = 0;
    struct buf b = { 0 };
    size_t have = slice_chars(s);
    *out = val_nothing();
    if (!s.n || !c.n || !arg_int(r, e, 1, here, &want) || want > 10000)
        return;
    if (!left)
        buf_add(&b, s);
    for (; (int64_t)have < want; have++)
        buf_add(&b, c);
    if (left)
        buf_add(&b, s);
    *out = val_data(TYPE_TEXT, built(r, &b));
}

void fn_pad_left(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    pad(r, e, here, true, out);
}

void fn_pad_right(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    pad(r, e, here, false, out);
}

void fn_contains(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), what = arg_text(r, e, 1, here);
    *out = val_bool(what.n == 0 || (s.n && find(s, what)));
}

void fn_starts_with(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here);
    *out = val_bool(slice_starts(s, arg_text(r, e, 1, here)));
}

void fn_ends_with(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here), what = arg_text(r, e, 1, here);
    *out = val_bool(s.n >= what.n && (what.n == 0 || memcmp(s.p + s.n - what.n, what.p, what.n) == 0));
}

/* 1 = A … 26 = Z, 27 = AA; 0 = nothing. */
struct slice letters_of(struct arena *a, uint64_t n)
{
    char *p = arena_alloc(a, 16), *at = p + 16;
    for (; n > 0; n = (n - 1) / 26)
        *--at = (char)('A' + (n - 1) % 26);
    return slice_range(at, p + 16);
}

void fn_letters(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    int64_t n;
    bool ok = arg_int(r, e, 0, here, &n) && n > 0;
    *out = ok ? val_data(TYPE_TEXT, letters_of(r->a, (uint64_t)n)) : val_nothing();
}

void fn_text(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    struct slice s = arg_text(r, e, 0, here);
    struct fault fault = { 0 };
    struct buf b = { 0 };
    *out = val_data(TYPE_TEXT, s);
    if (!s.n || !e->pattern)
        return;
    if (pattern_write(e->pattern, s, &b, &fault) != OK)
        run_fault_set(r, e, "DATE_BAD", slice_none(), s, "cannot be written by that pattern");
    *out = val_data(TYPE_TEXT, built(r, &b));
}

/* The text of a value as the file has it, also when it did not fit its type. */
void fn_raw(struct run *r, const struct expr *e, const struct node *here, struct val *out)
{
    const struct expr *x = e->args[0];
    bool in_tree = x->kind == EXPR_PATH && x->field && x->root != ROOT_PARAM && x->root != ROOT_STATE &&
        x->root != ROOT_TABLE;
    const struct value *v = in_tree ? path_value(r, x, here) : NULL;
    if (v && v->state != VALUE_PRESENT && !(v->form & VALUE_LAX))
        *out = val_nothing();
    else if (v)
        *out = val_data(TYPE_TEXT, (struct slice){ v->p, v->n });
    else
        *out = val_data(TYPE_TEXT, arg_text(r, e, 0, here));
}
