/* The tree of groups and fields itself: growing it, finding in it, what is computed when it is whole. */
#include "format/spell.h"

/* Room for one element more; lists grow by doubling whenever their number is a power of two. */
static void *room(struct arena *a, void *list, size_t n, size_t size)
{
    if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
        return list;
    void *bigger = arena_alloc(a, (n ? 2 * n : 4) * size);
    if (n)
        memcpy(bigger, list, n * size);
    return bigger;
}

#define ADD(a, list, n, element) ((list) = room((a), (list), (n), sizeof *(list)), (list)[(n)++] = (element))

static void register_group(struct arena *a, struct format *f, struct group *g)
{
    g->format = f;
    g->id = (uint32_t)f->ngroups;
    ADD(a, f->all_groups, f->ngroups, g);
}

struct group *format_new(struct arena *a, const char *name, const char *syntax, struct format **out)
{
    struct format *f = arena_zero(a, sizeof *f);
    struct group *file = arena_zero(a, sizeof *file);
    f->name = arena_copy(a, slice_of(name));
    f->syntax = arena_copy(a, slice_of(syntax));
    f->charset = CHARSET_UTF_8;
    f->arena = a;
    f->file_group = file;
    file->name = SLICE("");
    file->min_occurs = file->max_occurs = 1;
    register_group(a, f, file);
    *out = f;
    return file;
}

struct group *group_add(struct arena *a, struct group *parent, const char *name, uint32_t min, uint32_t max)
{
    struct group *g = arena_zero(a, sizeof *g);
    g->name = arena_copy(a, slice_of(name));
    g->parent = parent;
    g->min_occurs = min;
    g->max_occurs = max;
    g->index = (uint32_t)parent->ngroups;
    g->file = parent->file;
    register_group(a, parent->format, g);
    ADD(a, parent->groups, parent->ngroups, g);
    ADD(a, parent->members, parent->nmembers, ((struct member){ .group = g }));
    return g;
}

struct field *group_add_field(struct arena *a, struct group *g, const char *name, enum type type)
{
    struct field *f = arena_zero(a, sizeof *f);
    f->name = arena_copy(a, slice_of(name));
    f->slot = (uint32_t)g->nfields;
    f->type = type;
    f->group = g;
    f->max_occurs = 1;
    f->scale_min = f->scale_max = -1;
    f->file = g->file;
    field_finish(a, f, NULL);
    ADD(a, g->fields, g->nfields, f);
    ADD(a, g->members, g->nmembers, ((struct member){ .field = f }));
    return f;
}

const struct conf *format_conf(const struct format *f, const struct token *t)
{
    for (size_t i = 0; i < f->nconfs; i++) {
        const struct slice *text = &f->confs[i]->text;
        if (text->n && t->text.p >= text->p && t->text.p <= text->p + text->n)
            return f->confs[i];
    }
    return f->conf;
}

struct slice format_option(const struct format *f, const char *name, struct slice otherwise)
{
    for (size_t i = f->noptions; i-- > 0;)
        if (slice_is(f->options[i].name, name))
            return f->options[i].value.p ? f->options[i].value : SLICE("");
    return otherwise;
}

struct field *group_field(const struct group *g, struct slice name)
{
    for (size_t i = 0; i < g->nfields; i++)
        if (slice_equal(g->fields[i]->name, name))
            return g->fields[i];
    return NULL;
}

struct group *group_child(const struct group *g, struct slice name)
{
    for (size_t i = 0; i < g->ngroups; i++)
        if (slice_equal(g->groups[i]->name, name))
            return g->groups[i];
    return NULL;
}

struct slice group_path(struct arena *a, const struct group *g)
{
    if (g->is_message || !g->parent)
        return SLICE("");
    struct slice above = group_path(a, g->parent);
    return arena_printf(a, "%.*s%s%.*s", SLICE_ARG(above), above.n || !g->parent->parent ? "/" : "",
                        SLICE_ARG(g->name));
}

struct slice field_path(struct arena *a, const struct field *f)
{
    struct slice above = group_path(a, f->group);
    if (f->group->single_value)
        return above;
    return arena_printf(a, "%.*s%s%.*s", SLICE_ARG(above), above.n || !f->group->parent ? "/" : "", SLICE_ARG(f->name));
}

/* ---- what is computed ---- */

static bool has_limits(const struct field *f)
{
    return f->min || f->size || f->codes || f->pad.n || f->pattern;
}

static bool first_mark_is_point(const struct field *f)
{
    return f->mark.n == 0 || f->mark.p[0] == '.';
}

static bool reads_point(const struct field *f)
{
    return (f->mark.n == 0 || memchr(f->mark.p, '.', f->mark.n))
           && !(f->grouping.n && memchr(f->grouping.p, '.', f->grouping.n));
}

static void set_text_paths(struct field *f)
{
    if (has_limits(f))
        return;
    f->write_fast = TYPE_FAST_TEXT;
    if (f->nnothing == 0 && !(f->flags & FIELD_TRIM))
        f->read_fast = f->flags & FIELD_BLANK_IS_NOTHING ? TYPE_FAST_TEXT_BLANK : TYPE_FAST_TEXT;
    if (f->read_fast == TYPE_FAST_TEXT && f->max == 0)
        f->flags |= FIELD_PLAIN;
}

static void set_number_paths(struct field *f)
{
    enum type_fast fast = f->type == TYPE_INTEGER ? TYPE_FAST_INTEGER : TYPE_FAST_DECIMAL;
    if (has_limits(f) || f->implied || f->sign.n || f->flags & FIELD_LETTERS)
        return;
    if (f->type == TYPE_INTEGER || reads_point(f))
        f->read_fast = (uint8_t)fast;
    if (f->type == TYPE_INTEGER || (first_mark_is_point(f) && f->scale_min < 0 && f->scale_max < 0))
        f->write_fast = (uint8_t)fast;
}

/* Dates are read fast in the canonical spelling; writing goes by the pattern. */
static void set_date_paths(struct field *f)
{
    bool canonical = f->pattern == NULL || slice_is(f->pattern_text, f->type == TYPE_DATE ? "yyyy-MM-dd" : "yyyy-MM-ddTHH:mm:ss");
    if (f->max || f->min || f->size || f->codes || f->pad.n || !canonical)
        return;
    f->read_fast = f->type == TYPE_DATE ? TYPE_FAST_DATE : TYPE_FAST_DATETIME;
}

/* Placeholders by value, for numbers and dates: "0" is meant to be 0.00 too. */
static void find_placeholder_values(struct arena *a, struct field *f)
{
    struct field plain = *f;
    if (f->nnothing == 0 || f->type == TYPE_TEXT || f->type == TYPE_BINARY || f->type == TYPE_BOOLEAN)
        return;
    plain.nnothing = plain.nnothing_canonical = 0;
    plain.nothing_canonical = NULL;
    plain.max = plain.min = plain.size = 0;
    plain.flags &= ~(uint32_t)FIELD_LAX;
    plain.codes = NULL;
    f->nothing_canonical = arena_alloc(a, f->nnothing * sizeof *f->nothing_canonical);
    for (size_t i = 0; i < f->nnothing; i++) {
        struct value v = { 0 };
        if (type_read(&plain, f->nothing[i], a, &v, NULL) == OK && value_is(&v))
            f->nothing_canonical[f->nnothing_canonical++] = value_text(&v);
    }
}

#define CODES_LINEAR 16

static void index_codes(struct arena *a, struct field *f)
{
    f->code_map = NULL;
    if (f->ncodes <= CODES_LINEAR)
        return;
    f->code_map = arena_zero(a, sizeof *f->code_map);
    map_init(f->code_map, a);
    for (size_t i = 0; i < f->ncodes; i++)
        map_put(f->code_map, f->codes[i].value, &f->codes[i]);
}

static int compile_pattern(struct arena *a, struct field *f, struct fault *fault)
{
    size_t at;
    if (f->pattern || f->pattern_text.n == 0)
        return OK;
    int rc = pattern_compile(a, f->type, f->pattern_text, &f->pattern, fault, &at);
    if (rc != OK)
        return rc;
    const char *missing = f->type == TYPE_TEXT ? NULL : pattern_missing(f->pattern, f->type);
    if (missing == NULL)
        return OK;
    fault_set(fault, "FMT_PATTERN", arena_printf(a, "has no %s", missing),
              SLICE("a field of this type cannot be read without"));
    return STOP;
}

int field_finish(struct arena *a, struct field *f, struct fault *fault)
{
    f->read_fast = f->write_fast = TYPE_SLOW;
    f->flags &= ~(uint32_t)FIELD_PLAIN;
    f->fast_max = f->max ? f->max : UINT32_MAX;
    f->nothing_canonical = NULL;
    f->nnothing_canonical = 0;
    if (compile_pattern(a, f, fault) != OK)
        return STOP;
    index_codes(a, f);
    find_placeholder_values(a, f);
    if (f->type == TYPE_TEXT)
        set_text_paths(f);
    else if (f->type == TYPE_INTEGER || f->type == TYPE_DECIMAL)
        set_number_paths(f);
    else if (f->type == TYPE_DATE || f->type == TYPE_DATETIME)
        set_date_paths(f);
    return OK;
}

static void find_checked(struct arena *a, struct group *g)
{
    g->nchecked = g->nbounded = 0;
    for (size_t i = 0; i < g->nfields; i++)
        if (g->fields[i]->flags & (FIELD_REQUIRED | FIELD_UNUSED))
            ADD(a, g->checked, g->nchecked, g->fields[i]);
    for (size_t i = 0; i < g->ngroups; i++) {
        struct group *below = g->groups[i];
        find_checked(a, below);
        bool bounded = below->min_occurs > 0 || below->max_occurs != OCCURS_MANY;
        if (!below->is_message && (bounded || below->nchecked || below->nbounded))
            ADD(a, g->bounded, g->nbounded, below);
    }
}

static void number_groups(struct arena *a, struct format *f, struct group *g)
{
    register_group(a, f, g);
    for (size_t i = 0; i < g->ngroups; i++) {
        g->groups[i]->index = (uint32_t)i;
        number_groups(a, f, g->groups[i]);
    }
}

/* Messages are the first children of the file group, in their order. */
static void messages_first(struct arena *a, struct format *f)
{
    struct group *file = f->file_group, **sorted = arena_alloc(a, (file->ngroups + 1) * sizeof *sorted);
    size_t n = 0;
    f->nmessages = 0;
    for (size_t i = 0; i < file->ngroups; i++) {
        if (!file->groups[i]->is_message)
            continue;
        sorted[n++] = file->groups[i];
        ADD(a, f->messages, f->nmessages, file->groups[i]);
    }
    for (size_t i = 0; i < file->ngroups; i++)
        if (!file->groups[i]->is_message)
            sorted[n++] = file->groups[i];
    if (n)
        memcpy(file->groups, sorted, n * sizeof *sorted);
}

static void find_hidden(struct arena *a, struct format *f, const struct group *g, size_t *cap)
{
    for (size_t i = 0; i < g->nfields; i++)
        if (g->fields[i]->flags & FIELD_SENSITIVE)
            ARENA_PUSH(a, f->hidden.names, f->hidden.n, *cap) =
                g->single_value ? g->name : g->fields[i]->name;
    for (size_t i = 0; i < g->ngroups; i++)
        find_hidden(a, f, g->groups[i], cap);
}

void format_finish(struct arena *a, struct format *f)
{
    size_t hidden = 0;
    messages_first(a, f);
    f->ngroups = 0;
    number_groups(a, f, f->file_group);
    find_checked(a, f->file_group);
    f->hidden.n = 0;
    find_hidden(a, f, f->file_group, &hidden);
}
