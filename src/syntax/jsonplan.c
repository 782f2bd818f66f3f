#include "jsonplan.h"

#include "jsontext.h"
#include "syntax/syntax.h"

struct compile {
    struct jplan *plan;
    struct format *format;
    struct arena *arena;
    struct problems *problems;
    int status;
};

static void complain(struct compile *c, const struct token *t, const char *code, const char *hint, const char *text)
{
    c->status = syntax_problem(c->format, t, code, c->problems, hint, text);
}

static struct slice step_name(struct compile *c, const struct step *s)
{
    return s->prefix.n ? arena_printf(c->arena, "%.*s:%.*s", SLICE_ARG(s->prefix), SLICE_ARG(s->name)) : s->name;
}

static struct jspot *spot_new(struct compile *c, struct jspot *parent, struct slice name)
{
    struct jspot *s = arena_zero(c->arena, sizeof *s);
    struct buf b = { 0 };

    *s = (struct jspot){ .name = name, .parent = parent, .id = (uint32_t)c->plan->nspots };
    if (parent) {
        s->holder = parent->holder;
        s->depth = parent->depth + 1;
        s->order = (uint32_t)parent->nkids;
        ARENA_PUSH(c->arena, parent->kids, parent->nkids, parent->kid_cap) = s;
    }
    jtext_spell(&b, name);
    buf_byte(&b, ':');
    s->open = arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    ARENA_PUSH(c->arena, c->plan->spots, c->plan->nspots, c->plan->spot_cap) = s;
    return s;
}

static bool is_star(const struct step *s)
{
    return slice_is(s->name, "*") && !s->attribute;
}

static bool is_self(const struct step *s)
{
    return slice_is(s->name, ".") && !s->attribute;
}

static struct jspot *kid(struct compile *c, struct jspot *parent, const struct step *step)
{
    struct slice name = step_name(c, step);

    if (is_star(step)) {
        if (!parent->star)
            parent->star = spot_new(c, parent, name);
        return parent->star;
    }
    for (size_t i = 0; i < parent->nkids; i++)
        if (parent->kids[i] != parent->star && slice_equal(parent->kids[i]->name, name))
            return parent->kids[i];
    return spot_new(c, parent, name);
}

/* The spot that a path leads to; NULL after a problem. */
static struct jspot *walk(struct compile *c, struct jspot *from, const struct spelling *at, const struct token *t,
        bool group)
{
    for (size_t i = 0; i < at->nsteps; i++) {
        const struct step *s = &at->steps[i];
        const char *wrong = s->key.n ? "a path to a member has no key in brackets"
                            : s->attribute
                                    ? "JSON has no attributes; `@name` is the name of a member that `*` stands for"
                            : is_star(s) && (!group || i + 1 < at->nsteps)
                                    ? "`*` is the last step of the path of a group" : NULL;
        if (wrong) {
            complain(c, t, "JSON_AT", s->attribute ? "at @name, in a group with `at …/*`" : NULL, wrong);
            return NULL;
        }
        if (!is_self(s))
            from = kid(c, from, s);
    }
    return from;
}

static bool check_kind(struct compile *c, const struct spelling *at, const struct token *t)
{
    if (at->kind == AT_PATH || at->kind == AT_NONE)
        return true;
    complain(c, t, "JSON_AT", "at customer/name, at * or at .", "in JSON `at` is followed by the path of a member");
    return false;
}

static bool is_name(const struct spelling *at)
{
    return at->kind == AT_PATH && at->nsteps == 1 && at->steps[0].attribute && slice_is(at->steps[0].name, "name")
            && !at->steps[0].prefix.n;
}

static void add_key(struct compile *c, struct jspot *base, const struct field *f)
{
    if (!base->parent || base != base->parent->star || base->group != f->group)
        complain(c, &f->token, "JSON_AT", "give the group `at …/*`",
                "`@name` stands in a group whose path ends with `*`");
    else if (base->key)
        complain(c, &f->token, "JSON_SAME_AT", NULL, "another field is the name of the same member");
    else
        base->key = f;
}

static void add_field(struct compile *c, struct jspot *base, const struct field *f)
{
    if (is_name(&f->at)) {
        add_key(c, base, f);
        return;
    }
    if (!check_kind(c, &f->at, &f->token))
        return;
    bool own = slice_is(f->name, ".") && f->at.kind == AT_NONE;
    struct jspot *s = own ? base : walk(c, base, &f->at, &f->token, false);
    if (!s)
        return;
    if (s->value || (s->group && s != base))
        complain(c, &f->token, "JSON_SAME_AT", NULL, "another member of the format is spelled by the same member");
    else
        s->value = f;
}

static void add_group(struct compile *c, struct jspot *base, const struct group *g);

static void add_members(struct compile *c, struct jspot *s, const struct group *g)
{
    for (size_t i = 0; i < g->nmembers; i++)
        if (g->members[i].field)
            add_field(c, s, g->members[i].field);
        else if (!g->members[i].group->is_message)
            add_group(c, s, g->members[i].group);
}

static void set_holder(struct jspot *s, const struct group *g)
{
    s->group = s->holder = g;
    s->many = g->max_occurs > 1;
}

static void add_group(struct compile *c, struct jspot *base, const struct group *g)
{
    struct jspot *s = check_kind(c, &g->at, &g->token) ? walk(c, base, &g->at, &g->token, true) : NULL;

    if (!s)
        return;
    if (s == base) {
        complain(c, &g->token, "JSON_AT", NULL, "a group has to have a member of its own");
    } else if (s->group || s->value || s->nkids) {
        complain(c, &g->token, "JSON_SAME_AT", NULL,
                "another member of the format is spelled by the same member or one within it");
    } else {
        set_holder(s, g);
        c->plan->of_group[g->id] = s;
        add_members(c, s, g);
    }
}

/* A message without `at` is the document: each element of an array, or the object itself, or each line. */
static void add_message(struct compile *c, const struct group *g)
{
    struct jspot *top = c->plan->top;
    struct jspot *s = top;

    if (!check_kind(c, &g->at, &g->token))
        return;
    if (g->at.kind == AT_PATH)
        s = walk(c, top, &g->at, &g->token, true);
    if (!s)
        return;
    if (s->group || s->value || (s != top && s->nkids)) {
        complain(c, &g->token, "JSON_SAME_AT", NULL,
                "another message or member is spelled by the same member or one within it");
        return;
    }
    if (s != top && c->plan->lines)
        complain(c, &g->token, "JSON_AT", "leave out `at`, or `lines`",
                "with `lines` each message is a document of its own, on its line");
    bool shared = s == top && top->nkids;
    set_holder(s, g);
    /* `at .` is the one object of the document, and so is one that shares it with members of the file; `at /orders`
       an array as far as it can be seen. */
    s->many = !c->plan->lines && !shared && !(s == top && g->at.kind == AT_PATH);
    c->plan->of_group[g->id] = s;
    for (struct jspot *up = s; up; up = up->parent)
        up->leads = true;
    add_members(c, s, g);
}

/* Members of the file stand in the document around the messages, or on a line ahead of them.  They come first, so that
   the holder of the document is the file for them. */
static void add_file(struct compile *c)
{
    const struct group *file = c->format->file_group;
    struct jspot *top = c->plan->top;
    bool document = false;

    for (size_t i = 0; i < file->nmembers; i++) {
        const struct member *m = &file->members[i];
        if (m->field)
            add_field(c, top, m->field);
        else if (!m->group->is_message)
            add_group(c, top, m->group);
        else if (m->group->at.kind == AT_PATH && !is_self(&m->group->at.steps[0]))
            add_message(c, m->group);
        else
            document = true;
    }
    for (size_t i = 0; document && i < file->nmembers; i++) {
        const struct group *g = file->members[i].group;
        if (g && g->is_message && (g->at.kind != AT_PATH || is_self(&g->at.steps[0])))
            add_message(c, g);
    }
}

static void check_headers(struct compile *c)
{
    struct format *f = c->format;
    struct slice indent = format_option(f, "indent", slice_none()), lines = format_option(f, "lines", SLICE("no"));

    c->plan->lines = lines.n == 0 || slice_is(lines, "yes");
    if (lines.n && !slice_is(lines, "yes") && !slice_is(lines, "no"))
        complain(c, NULL, "JSON_AT", "syntax json lines", "`lines` stands alone, or is yes or no");
    for (size_t i = 0; i < indent.n; i++)
        if (indent.p[i] != ' ' && indent.p[i] != '\t') {
            complain(c, NULL, "JSON_AT", "indent \"  \"", "the indentation is made of blanks and tabs");
            return;
        }
    if (indent.p && c->plan->lines)
        complain(c, NULL, "JSON_AT", "leave out `indent`, or `lines`", "a document on one line has no indentation");
    c->plan->indent = c->plan->lines ? slice_none() : indent;
    if (f->charset == CHARSET_UNKNOWN)
        f->charset = CHARSET_UTF_8;
    if (f->charset != CHARSET_UTF_8)
        complain(c, NULL, "JSON_FORMAT_ENCODING", "encoding utf-8", "JSON is always UTF-8 (RFC 8259, 8.1)");
}

/* A star with a name is written as members of an object, one without as elements of an array. */
static void finish_spots(struct compile *c)
{
    for (size_t i = 0; i < c->plan->nspots; i++) {
        struct jspot *s = c->plan->spots[i];
        if (!s->star || !s->star->group)
            continue;
        s->star->many = false;
        s->list = !s->star->key;
        if (s->list && (s->nkids > 1 || s->group || s->value))
            complain(c, &s->star->group->token, "JSON_AT", "add a field `Name text at @name`",
                     "`*` beside other members needs a field for the name");
    }
}

int jplan_compile(struct format *f, struct arena *a, struct problems *ps)
{
    struct jplan *p = arena_zero(a, sizeof *p);
    struct compile c = { .plan = p, .format = f, .arena = a, .problems = ps };

    p->format = f;
    check_headers(&c);
    p->of_group = arena_zero(a, (f->ngroups + 1) * sizeof *p->of_group);
    p->top = spot_new(&c, NULL, (struct slice){ "", 0 });
    p->top->holder = f->file_group;
    add_file(&c);
    finish_spots(&c);
    f->plan[0] = f->plan[1] = p;
    return c.status;
}

const struct jspot *jplan_kid(const struct jspot *s, struct slice name, size_t *hint)
{
    size_t n = s->nkids;

    for (size_t i = *hint, tries = n; tries; tries--, i++) {
        if (i >= n)
            i = 0;
        if (s->kids[i] != s->star && s->kids[i]->name.n == name.n && memcmp(s->kids[i]->name.p, name.p, name.n) == 0) {
            *hint = i + 1;
            return s->kids[i];
        }
    }
    return s->star;
}

struct jspot *jplan_field(const struct jplan *p, const struct field *f)
{
    for (size_t i = 0; i < p->nspots; i++)
        if (p->spots[i]->value == f || p->spots[i]->key == f)
            return p->spots[i];
    return NULL;
}
