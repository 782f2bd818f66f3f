/* The attributes of fields, groups, messages, shapes and types: one table. */
#include "format/loader.h"
#include "format/spell.h"

#define TEXTS    (1u << TYPE_TEXT)
#define NUMBERS  (1u << TYPE_INTEGER | 1u << TYPE_DECIMAL)
#define DATES    (1u << TYPE_DATE | 1u << TYPE_TIME | 1u << TYPE_DATETIME)
#define BOOLEANS (1u << TYPE_BOOLEAN)
#define BINARIES (1u << TYPE_BINARY)
#define ALL      (TEXTS | NUMBERS | DATES | BOOLEANS | BINARIES)
#define VALUES   (ON_FIELD | ON_TYPE | ON_GUIDE)
#define GROUPS   (ON_GROUP | ON_MESSAGE | ON_SHAPE)

#define MAX_LENGTH 1048576          /* characters: the limit of a field */

struct attribute {
    const char *name;
    unsigned on;                    /* enum target_kind, or-ed */
    unsigned types;                 /* of fields */
    int (*parse)(struct cursor *c, struct target *t, const struct token *word);
    uint32_t flag;                  /* that it sets, when it takes no value */
};

static int parse_at(struct cursor *c, struct target *t, const struct token *word)
{
    struct spelling at;
    (void)word;
    int rc = spelling_parse(c, &at);
    if (rc == OK && t->field)
        t->field->at = at;
    if (rc == OK && t->group)
        t->group->at = at;
    return rc;
}

static int parse_key(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return key_parse(c, t);
}

static int parse_required(struct cursor *c, struct target *t, const struct token *word)
{
    (void)c, (void)word;
    if (t->field)
        t->field->flags |= FIELD_REQUIRED;
    if (t->group && t->group->min_occurs == 0)
        t->group->min_occurs = 1;
    return OK;
}

static int parse_unused(struct cursor *c, struct target *t, const struct token *word)
{
    (void)c, (void)word;
    if (t->field)
        t->field->flags = (t->field->flags & ~(uint32_t)FIELD_REQUIRED) | FIELD_UNUSED;
    if (t->group)
        t->group->min_occurs = t->group->max_occurs = 0;
    return OK;
}

static int parse_again(struct cursor *c, struct target *t, const struct token *word)
{
    (void)c, (void)word;
    t->group->again = true;
    return OK;
}

static int parse_max(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_number(c, MAX_LENGTH, &t->field->max);
}

static int parse_min(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_number(c, MAX_LENGTH, &t->field->min);
}

static int parse_size(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_number(c, MAX_LENGTH, &t->field->size);
}

static int parse_implied(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_number(c, 38, &t->field->implied);
}

static int parse_scale(struct cursor *c, struct target *t, const struct token *word)
{
    const struct token *n = cursor_peek(c);
    uint32_t from, to;
    (void)word;
    if (!cursor_more(c) || !token_bounds(n, &from, &to) || from > 38 || (to > 38 && to != OCCURS_MANY))
        return loader_bad(c->loader, n, "FMT_VALUE", "`scale 2`, `scale 0..4`", "a scale is a number of decimals or a range, at most 38");
    c->i++;
    t->field->scale_min = (int32_t)from;
    t->field->scale_max = to == OCCURS_MANY ? -1 : (int32_t)to;
    return OK;
}

static int parse_pattern(struct cursor *c, struct target *t, const struct token *word)
{
    struct fault fault = { 0 };
    struct slice text;
    size_t at = 0;
    const struct token *quoted = cursor_peek(c);
    (void)word;
    int rc = cursor_string(c, &text);
    if (rc != OK)
        return rc;
    t->field->pattern = NULL;
    t->field->pattern_text = text;
    if (pattern_compile(c->loader->arena, t->field->type, text, &t->field->pattern, &fault, &at) == OK) {
        const char *missing = t->field->type == TYPE_TEXT ? NULL : pattern_missing(t->field->pattern, t->field->type);
        if (missing == NULL)
            return OK;
        fault = (struct fault){ .text = arena_printf(c->loader->arena, "has no %s", missing),
                                .hint = SLICE("a field of this type cannot be read without") };
    }
    struct token place = *quoted;
    size_t run = 1;                 /* "mm" is one thing */
    while (at + run < text.n && text.p[at + run] == text.p[at])
        run++;
    bool inside = place.width > at + run && (at || slice_starts(fault.hint, SLICE("did you mean")));
    if (inside) {
        place.column += (uint32_t)at + 1;
        place.width = (uint32_t)run;
    }
    t->field->pattern_text = slice_none();
    return loader_bad(c->loader, &place, "FMT_PATTERN", fault.hint.p, "\"%.*s\" %.*s", SLICE_ARG(text),
                      SLICE_ARG(fault.text));
}

/* A set of characters that may not be digits or signs. */
static int parse_characters(struct cursor *c, struct slice *out)
{
    const struct token *t = cursor_peek(c);
    int rc = cursor_string(c, out);
    for (size_t i = 0; rc == OK && i < out->n; i++)
        if ((out->p[i] >= '0' && out->p[i] <= '9') || out->p[i] == '-' || out->p[i] == '+')
            rc = loader_bad(c->loader, t, "FMT_VALUE", NULL, "`%c` cannot be a mark of numbers", out->p[i]);
    if (rc == OK && out->n == 0)
        rc = loader_bad(c->loader, t, "FMT_VALUE", NULL, "at least one character is needed");
    return rc;
}

static int parse_mark(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return parse_characters(c, &t->field->mark);
}

static int parse_grouping(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return parse_characters(c, &t->field->grouping);
}

static int parse_nothing(struct cursor *c, struct target *t, const struct token *word)
{
    struct field *f = t->field;
    struct slice *values;
    size_t n, first = c->i;
    (void)word;
    int rc = cursor_values(c, &values, &n);
    if (rc != OK)
        return rc;
    f->nothing = arena_alloc(c->loader->arena, (n + 1) * sizeof *f->nothing);
    f->nnothing = 0;
    f->flags &= ~(uint32_t)FIELD_BLANK_IS_NOTHING;
    for (; first < c->i; first++)
        if (token_is(&c->statement->tokens[first], "blank"))
            f->flags |= FIELD_BLANK_IS_NOTHING;
    for (size_t i = 0; i < n; i++)
        if (!(f->flags & FIELD_BLANK_IS_NOTHING) || !slice_is(values[i], "blank"))
            f->nothing[f->nnothing++] = values[i];
    return OK;
}

static int parse_pad(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    t->field->pad_left = cursor_name(c, "left");
    if (!t->field->pad_left && !cursor_name(c, "right"))
        return loader_bad(c->loader, cursor_peek(c), "FMT_VALUE", "`pad left \"0\"`, `pad right \" \"`", "`left` or `right` is needed here");
    const struct token *text = cursor_peek(c);
    int rc = cursor_string(c, &t->field->pad);
    if (rc == OK && slice_chars(t->field->pad) != 1)
        return loader_bad(c->loader, text, "FMT_VALUE", NULL, "one character pads, not %zu",
                          slice_chars(t->field->pad));
    return rc;
}

static int parse_sign(struct cursor *c, struct target *t, const struct token *word)
{
    static const char *const names[] = { "leading", "trailing", "overpunch", "none" };
    struct slice list[4];
    const struct token *name = cursor_peek(c);
    (void)word;
    for (size_t i = 0; i < 4; i++) {
        list[i] = slice_of(names[i]);
        if (cursor_name(c, names[i])) {
            t->field->sign = i ? list[i] : slice_none();
            return OK;
        }
    }
    struct slice hint = problem_suggest(c->loader->arena, name->text, list, 4);
    return loader_bad(c->loader, name, "FMT_VALUE", hint.n ? hint.p : "leading, trailing, overpunch, none", "there is no such sign");
}

static int parse_true(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_value(c, &t->field->true_text);
}

static int parse_false(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_value(c, &t->field->false_text);
}

static int parse_prefix(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_string(c, &t->field->prefix);
}

static const char *suggest_codes(struct loader *l, struct slice name)
{
    struct slice *names = arena_alloc(l->arena, (l->codes.n + 1) * sizeof *names);
    for (size_t i = 0; i < l->codes.n; i++)
        names[i] = l->codes.entries[i].key;
    struct slice s = problem_suggest(l->arena, name, names, l->codes.n);
    return s.n ? s.p : "add `codes NAME { … }`, or list the values: `code (A, B)`";
}

static int parse_code(struct cursor *c, struct target *t, const struct token *word)
{
    const struct token *name = cursor_peek(c);
    struct field *f = t->field;
    struct slice *values;
    (void)word;
    if (cursor_more(c) && !token_op(name, OP_LPAREN)) {
        struct slice text;
        int rc = cursor_word(c, "a name of codes, or values in brackets", &text);
        const struct declared *d = rc == OK ? map_get(&c->loader->codes, text) : NULL;
        if (rc == OK && d == NULL)
            return loader_bad(c->loader, name, "FMT_CODES", suggest_codes(c->loader, text), "there are no codes `%.*s`",
                              SLICE_ARG(text));
        if (rc == OK) {
            f->codes = d->codes;
            f->ncodes = d->ncodes;
        }
        return rc;
    }
    int rc = cursor_values(c, &values, &f->ncodes);
    if (rc != OK)
        return f->ncodes = 0, rc;
    f->codes = arena_zero(c->loader->arena, f->ncodes * sizeof *f->codes);
    for (size_t i = 0; i < f->ncodes; i++)
        f->codes[i].value = values[i];
    return OK;
}

static int parse_file(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_word(c, "a name", &t->group->companion);
}

static int parse_join(struct cursor *c, struct target *t, const struct token *word)
{
    (void)word;
    return cursor_word(c, "the column that joins", &t->group->join);
}

static const struct attribute attributes[] = {
    { "at", ON_FIELD | GROUPS, ALL, parse_at, 0 },
    { "key", GROUPS, 0, parse_key, 0 },
    { "required", ON_FIELD | ON_GROUP | ON_TYPE | ON_GUIDE, ALL, parse_required, 0 },
    { "always", ON_FIELD | ON_TYPE, ALL, NULL, FIELD_ALWAYS },
    { "again", ON_MESSAGE, 0, parse_again, 0 },
    { "sensitive", ON_FIELD | ON_TYPE, ALL, NULL, FIELD_SENSITIVE },
    { "lax", ON_FIELD | ON_TYPE, ALL, NULL, FIELD_LAX },
    { "trim", ON_FIELD | ON_TYPE, ALL, NULL, FIELD_TRIM },
    { "letters", VALUES, 1u << TYPE_INTEGER, NULL, FIELD_LETTERS },
    { "relax", ON_GUIDE, ALL, NULL, FIELD_RELAX },
    { "unused", ON_FIELD | ON_GROUP | ON_GUIDE, ALL, parse_unused, 0 },
    { "max", VALUES, TEXTS | NUMBERS | DATES, parse_max, 0 },
    { "min", VALUES, TEXTS | NUMBERS | DATES, parse_min, 0 },
    { "size", VALUES, TEXTS | NUMBERS | DATES, parse_size, 0 },
    { "implied", VALUES, 1u << TYPE_DECIMAL, parse_implied, 0 },
    { "scale", VALUES, 1u << TYPE_DECIMAL, parse_scale, 0 },
    { "pattern", VALUES, TEXTS | DATES, parse_pattern, 0 },
    { "mark", VALUES, 1u << TYPE_DECIMAL, parse_mark, 0 },
    { "grouping", VALUES, NUMBERS, parse_grouping, 0 },
    { "nothing", VALUES, ALL, parse_nothing, 0 },
    { "pad", VALUES, TEXTS | NUMBERS, parse_pad, 0 },
    { "sign", VALUES, NUMBERS, parse_sign, 0 },
    { "true", VALUES, BOOLEANS, parse_true, 0 },
    { "false", VALUES, BOOLEANS, parse_false, 0 },
    { "code", VALUES, ALL & ~BINARIES, parse_code, 0 },
    { "file", ON_GROUP, 0, parse_file, 0 },
    { "join", ON_GROUP, 0, parse_join, 0 },
    { "prefix", VALUES, BINARIES, parse_prefix, 0 },
};

#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

static const struct attribute *find_attribute(struct slice name)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (slice_is(name, attributes[i].name))
            return &attributes[i];
    return NULL;
}

static const char *target_name(const struct target *t)
{
    switch (t->on) {
    case ON_FIELD: return t->group ? "a repeated field" : "a field";
    case ON_GROUP: return "a group";
    case ON_MESSAGE: return "a message";
    case ON_SHAPE: return "a shape";
    case ON_TYPE: return "a type";
    case ON_GUIDE: return "a line of a guide";
    }
    return "this";
}

static int unknown_attribute(struct cursor *c, const struct token *t)
{
    struct slice names[ATTRIBUTES];
    for (size_t i = 0; i < ATTRIBUTES; i++)
        names[i] = slice_of(attributes[i].name);
    struct slice hint =
        t->kind == TOKEN_NAME ? problem_suggest(c->loader->arena, t->text, names, ATTRIBUTES) : slice_none();
    return loader_bad(c->loader, t, "FMT_ATTR", hint.p, "%s is no attribute", token_shown(c->loader, t));
}

static int parse_attribute(struct cursor *c, struct target *t)
{
    const struct token *word = cursor_peek(c);
    const struct attribute *a = word->kind == TOKEN_NAME ? find_attribute(word->text) : NULL;
    c->i++;
    if (word->kind == TOKEN_STRING) {
        if (t->field)
            t->field->title = word->text;
        if (t->group)
            t->group->title = word->text;
        return OK;
    }
    if (a == NULL)
        return unknown_attribute(c, word);
    if (!(a->on & (unsigned)t->on) || (t->field == NULL && !(a->on & GROUPS) && a->parse))
        return loader_bad(c->loader, word, "FMT_ATTR", NULL, "`%s` cannot be said of %s", a->name, target_name(t));
    if (t->field && !(a->types & 1u << t->field->type))
        return loader_bad(c->loader, word, "FMT_ATTR", NULL, "`%s` cannot be said of the type %s", a->name,
                          type_names[t->field->type]);
    if (a->parse)
        return a->parse(c, t, word);
    if (t->field)
        t->field->flags |= a->flag;
    return OK;
}

int attributes_parse(struct cursor *c, struct target *t)
{
    int worst = OK;
    while (cursor_more(c)) {
        if (parse_attribute(c, t) == OK)
            continue;
        worst = STOP;
        /* go on with the next word that is an attribute */
        while (cursor_more(c) && !(cursor_peek(c)->kind == TOKEN_NAME && find_attribute(cursor_peek(c)->text)))
            c->i++;
    }
    return worst;
}

/* Codes are compared with canonical texts: "01" of an integer is 1. */
static int canonical_codes(struct loader *l, struct field *f, const struct token *t)
{
    struct field plain = *f;
    struct code *codes = arena_alloc(l->arena, f->ncodes * sizeof *codes);
    plain.codes = NULL;
    plain.nnothing = 0;
    plain.flags = f->flags & FIELD_LETTERS;
    field_finish(l->arena, &plain, NULL);
    for (size_t i = 0; i < f->ncodes; i++) {
        struct value v = { 0 };
        struct fault fault = { 0 };
        codes[i] = f->codes[i];
        if (type_read(&plain, f->codes[i].value, l->arena, &v, &fault) != OK)
            return loader_bad(l, t, "FMT_CODES", NULL, "the code \"%.*s\" %.*s", SLICE_ARG(f->codes[i].value),
                              SLICE_ARG(fault.text));
        codes[i].value = value_text(&v);
    }
    f->codes = codes;
    return OK;
}

/* Padding must not look like a part of the number. */
static bool can_pad_number(const struct field *f)
{
    unsigned char c = (unsigned char)f->pad.p[0], lower = c | 0x20;
    struct slice mark = f->mark.n ? f->mark : SLICE(".");
    if (f->flags & FIELD_LETTERS)
        return c == ' ';
    if (c == '0')
        return f->pad_left;
    bool letter = (lower >= 'a' && lower <= 'z') || c == '{' || c == '}';
    return !letter && !(c >= '0' && c <= '9') && c != '-' && c != '+'
           && !char_of_set(mark, f->pad.p, f->pad.p + f->pad.n)
           && !char_of_set(f->grouping, f->pad.p, f->pad.p + f->pad.n);
}

static int check_together(struct loader *l, const struct field *f, const struct token *t)
{
    struct slice mark = f->mark.n ? f->mark : SLICE(".");
    for (size_t i = 0; i < f->grouping.n && f->type == TYPE_DECIMAL; i++)
        if ((signed char)f->grouping.p[i] >= 0 && memchr(mark.p, f->grouping.p[i], mark.n))
            return loader_bad(l, t, "FMT_ATTR", "state another `mark`, or no `grouping`",
                              "`%c` cannot be decimal mark and grouping at once", f->grouping.p[i]);
    if (f->false_text.n && f->true_text.n == 0)
        return loader_bad(l, t, "FMT_ATTR", "add `true \"…\"`", "`false` without `true`");
    if (f->true_text.n && slice_equal(f->true_text, f->false_text))
        return loader_bad(l, t, "FMT_ATTR", NULL, "`true` and `false` are the same text");
    if (f->pad.n && f->size == 0 && !slice_is(l->format->syntax, "fixed"))
        return loader_bad(l, t, "FMT_ATTR", "add `size N`", "`pad` without `size`");
    if (f->pad.n && f->type != TYPE_TEXT && !can_pad_number(f))
        return loader_bad(l, t, "FMT_ATTR", "pad with a blank, or with zeros on the left", "\"%.*s\" as padding would change the number",
                          SLICE_ARG(f->pad));
    if (f->min && f->max && f->min > f->max)
        return loader_bad(l, t, "FMT_ATTR", NULL, "min %u is more than max %u", f->min, f->max);
    return OK;
}

int attributes_finish(struct loader *l, struct field *f, const struct token *t)
{
    struct fault fault = { 0 };
    int rc = check_together(l, f, t);
    if (rc == OK && f->codes && f->type != TYPE_TEXT)
        rc = canonical_codes(l, f, t);
    if (field_finish(l->arena, f, &fault) != OK)
        return loader_bad(l, t, "FMT_PATTERN", fault.hint.p, "\"%.*s\" %.*s", SLICE_ARG(f->pattern_text),
                          SLICE_ARG(fault.text));
    return rc;
}
