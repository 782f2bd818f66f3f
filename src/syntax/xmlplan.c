#include "xmlplan.h"

#include "syntax/syntax.h"
#include "xmlchars.h"
#include "xmlquick.h"

struct compile {
    struct xplan *plan;
    struct format *format;
    struct arena *arena;
    struct problems *problems;
    int status;
};

static void complain(struct compile *c, const struct token *t, const char *code, const char *hint, const char *text)
{
    c->status = syntax_problem(c->format, t, code, c->problems, hint, text);
}

static bool is_ncname(struct slice name)
{
    const char *p = name.p, *end = name.p + name.n;

    if (!name.n)
        return false;
    for (bool first = true; p < end; first = false) {
        uint32_t ch = utf8_next(&p, end);
        if (first ? !xchar_is_name_start(ch) : !xchar_is_name(ch))
            return false;
    }
    return true;
}

static struct slice qname(struct compile *c, const struct step *s)
{
    return s->prefix.n ? arena_printf(c->arena, "%.*s:%.*s", SLICE_ARG(s->prefix), SLICE_ARG(s->name)) : s->name;
}

/* A step that names something of XML: an element or attribute whose prefix the format declares. */
static bool check_step(struct compile *c, const struct step *s, const struct token *t)
{
    if (s->key.n)
        complain(c, t, "XML_AT", "write a condition in the mapping instead", "a path to an element has no key in brackets");
    else if (!is_ncname(s->name))
        complain(c, t, "XML_NAME", NULL, "this is no name of an element or attribute");
    else if (s->prefix.n && !s->uri.n && !slice_is(s->prefix, "xml"))
        complain(c, t, "XML_PREFIX", "add a line like  namespace cbc \"urn:…\"", "the prefix has no namespace in this format");
    else
        return true;
    return false;
}

static struct slice padded(struct arena *a, struct slice text)
{
    char *p = arena_zero(a, text.n + XQUICK_PAD);
    memcpy(p, text.p, text.n);
    return (struct slice){ p, text.n };
}

static struct xspot *spot_new(struct compile *c, struct xspot *parent, struct slice uri, struct slice local,
                              struct slice name)
{
    struct xspot *s = arena_zero(c->arena, sizeof *s);

    *s = (struct xspot){ .uri = uri, .local = local, .name = name, .parent = parent, .id = (uint32_t)c->plan->nspots };
    s->open = arena_printf(c->arena, "<%.*s", SLICE_ARG(name));
    s->close = padded(c->arena, arena_printf(c->arena, "</%.*s>", SLICE_ARG(name)));
    if (parent) {
        s->holder = parent->holder;
        s->depth = parent->parent ? parent->depth + 1 : 0;
        s->order = (uint32_t)parent->nkids;
        ARENA_PUSH(c->arena, parent->kids, parent->nkids, parent->kid_cap) = s;
    }
    ARENA_PUSH(c->arena, c->plan->spots, c->plan->nspots, c->plan->spot_cap) = s;
    return s;
}

static struct xspot *kid(struct compile *c, struct xspot *parent, const struct step *s)
{
    for (size_t i = 0; i < parent->nkids; i++)
        if (slice_equal(parent->kids[i]->local, s->name) && slice_equal(parent->kids[i]->uri, s->uri))
            return parent->kids[i];
    return spot_new(c, parent, s->uri, s->name, qname(c, s));
}

static bool is_own_text(const struct step *s)
{
    return slice_is(s->name, ".") && !s->attribute;
}

/* The spot that a path leads to; `last` = the attribute at its end, or NULL. NULL after a problem. */
static struct xspot *walk(struct compile *c, struct xspot *from, const struct spelling *at, const struct token *t,
                          const struct step **last)
{
    *last = NULL;
    for (size_t i = 0; i < at->nsteps; i++) {
        const struct step *s = &at->steps[i];
        if (is_own_text(s))
            continue;
        if (!check_step(c, s, t))
            return NULL;
        if (s->attribute && i + 1 < at->nsteps) {
            complain(c, t, "XML_AT", NULL, "nothing lies below an attribute");
            return NULL;
        }
        if (s->attribute)
            *last = s;
        else
            from = kid(c, from, s);
    }
    return from;
}

static bool check_kind(struct compile *c, const struct spelling *at, const struct token *t)
{
    if (at->kind == AT_PATH || at->kind == AT_NONE)
        return true;
    complain(c, t, "XML_AT", "at Party/Name, at @number or at .", "in XML `at` is followed by the path of an element or attribute");
    return false;
}

static void add_attribute(struct compile *c, struct xspot *s, const struct step *step, const struct field *f)
{
    struct slice uri = step->prefix.n ? step->uri : (struct slice){ "", 0 };

    for (size_t i = 0; i < s->nattrs; i++)
        if (slice_equal(s->attrs[i].local, step->name) && slice_equal(s->attrs[i].uri, uri)) {
            complain(c, &f->token, "XML_SAME_AT", NULL, "another field is spelled by the same attribute");
            return;
        }
    ARENA_PUSH(c->arena, s->attrs, s->nattrs, s->attr_cap) =
        (struct xspot_attr){ .uri = uri, .local = step->name, .field = f,
                             .open = padded(c->arena, arena_printf(c->arena, " %.*s=\"",
                                                                   SLICE_ARG(qname(c, step)))) };
}

static void add_field(struct compile *c, struct xspot *base, const struct field *f)
{
    const struct step *attribute;
    struct xspot *s = base;

    if (!check_kind(c, &f->at, &f->token))
        return;
    if (slice_is(f->name, ".") && f->at.kind == AT_NONE)
        attribute = NULL;
    else
        s = walk(c, base, &f->at, &f->token, &attribute);
    if (!s)
        return;
    if (!s->parent)
        complain(c, &f->token, "XML_AT", "begin the path with the root element", "this leads to no element");
    else if (attribute)
        add_attribute(c, s, attribute, f);
    else if (s->text || (s->group && s != base))
        complain(c, &f->token, "XML_SAME_AT", NULL, "another member is spelled by the same element");
    else
        s->text = f;
}

static void add_group(struct compile *c, struct xspot *base, const struct group *g);

static void add_members(struct compile *c, struct xspot *s, const struct group *g)
{
    for (size_t i = 0; i < g->nmembers; i++)
        if (g->members[i].field)
            add_field(c, s, g->members[i].field);
        else if (!g->members[i].group->is_message)
            add_group(c, s, g->members[i].group);
}

static void add_group(struct compile *c, struct xspot *base, const struct group *g)
{
    const struct step *attribute;
    struct xspot *s = check_kind(c, &g->at, &g->token) ? walk(c, base, &g->at, &g->token, &attribute) : NULL;

    if (!s)
        return;
    if (attribute || s == base)
        complain(c, &g->token, "XML_AT", NULL, "a group has to have an element of its own");
    else if (s->group || s->text || s->nkids || s->nattrs)
        complain(c, &g->token, "XML_SAME_AT", NULL, "another member is spelled by the same element or one within it");
    else {
        s->group = s->holder = g;
        c->plan->of_group[g->id] = s;
        for (struct xspot *up = s; g->is_message && up; up = up->parent)
            up->leads = true;
        add_members(c, s, g);
    }
}

/* Where a relative path of a file member begins: the root element. */
static struct xspot *root_spot(struct compile *c)
{
    const struct group *g = c->format->nmessages ? c->format->messages[0] : NULL;

    return g && g->at.nsteps && check_step(c, &g->at.steps[0], &g->token) ? kid(c, c->plan->top, &g->at.steps[0])
                                                                          : c->plan->top;
}

/* Members of the file in its order; messages too, so that elements come out in the order of the format. */
static void add_file(struct compile *c)
{
    const struct group *g = c->format->file_group;
    bool messages_seen = false;

    for (size_t i = 0; i < g->nmembers; i++) {
        const struct field *f = g->members[i].field;
        const struct group *child = g->members[i].group;
        const struct spelling *at = f ? &f->at : &child->at;
        struct xspot *base = at->absolute || (child && child->is_message) ? c->plan->top : root_spot(c);
        messages_seen |= child && child->is_message;
        if (f)
            add_field(c, base, f);
        else
            add_group(c, base, child);
    }
    for (size_t i = 0; i < c->format->nmessages && !messages_seen; i++)
        add_group(c, c->plan->top, c->format->messages[i]);
}

static struct slice declaration(struct compile *c)
{
    struct slice name = c->format->charset_text;

    if (slice_is(format_option(c->format, "declaration", SLICE("yes")), "no"))
        return (struct slice){ "", 0 };
    if (!name.n)
        name = slice_of(charset_name(c->format->charset));
    return arena_printf(c->arena, "<?xml version=\"1.0\" encoding=\"%.*s\"?>\n", SLICE_ARG(name));
}

static struct slice namespaces(struct compile *c)
{
    struct buf b = { 0 };

    for (size_t i = 0; i < c->format->nnamespaces; i++) {
        const struct namespace *n = &c->format->namespaces[i];
        buf_printf(&b, n->prefix.n ? " xmlns:%.*s=\"" : " xmlns%.*s=\"", SLICE_ARG(n->prefix));
        xspell(&b, n->uri, XSPELL_ATTRIBUTE);
        buf_byte(&b, '"');
    }
    struct slice text = arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static void check_indent(struct compile *c)
{
    struct slice indent = format_option(c->format, "indent", slice_none());

    for (size_t i = 0; i < indent.n; i++)
        if (indent.p[i] != ' ' && indent.p[i] != '\t') {
            complain(c, NULL, "XML_AT", "indent \"  \"", "the indentation is made of blanks and tabs");
            return;
        }
    c->plan->indent = indent;
}

/* Line end and indentation of a depth, then a text. */
static struct slice on_line(struct compile *c, size_t depth, struct slice text)
{
    struct slice indent = c->plan->indent;
    struct buf b = { 0 };

    if (indent.p)
        buf_byte(&b, '\n');
    for (size_t k = 0; k < depth && k < XPLAN_LEVELS; k++)
        buf_add(&b, indent);
    buf_add(&b, text);
    struct slice line = padded(c->arena, buf_slice(&b));
    buf_release(&b);
    return line;
}

static uint32_t most_itself(const struct field *f)
{
    return f->write_fast == TYPE_SLOW ? 0 : f->fast_max;
}

static void finish_attributes(struct compile *c, struct xspot *s)
{
    struct slice ahead = on_line(c, s->depth, s->open);

    for (size_t i = 0; i < s->nattrs; i++) {
        struct xspot_attr *a = &s->attrs[i];
        a->join = padded(c->arena, arena_printf(c->arena, "%.*s%.*s", SLICE_ARG(ahead), SLICE_ARG(a->open)));
        a->slot = a->field->slot;
        a->most = most_itself(a->field);
        s->room += a->join.n + XQUICK_VALUE;
        ahead = SLICE("\"");
    }
}

/* What is known once all members and the indentation are. */
static void finish_spots(struct compile *c)
{
    for (size_t i = 0; i < c->plan->nspots; i++) {
        struct xspot *s = c->plan->spots[i];
        s->lead = on_line(c, s->depth, arena_printf(c->arena, "%.*s>", SLICE_ARG(s->open)));
        s->tail = on_line(c, s->depth, s->close);
        s->leaf = s->text && !s->group && !s->nattrs && !s->nkids;
        s->slot = s->text ? s->text->slot : 0;
        s->most = s->text ? most_itself(s->text) : 0;
        s->room = s->lead.n + s->tail.n + XQUICK_VALUE + XQUICK_ROOM;
        finish_attributes(c, s);
    }
}

static bool is_guided(const struct format *f)
{
    for (size_t i = 0; i < f->ngroups; i++)
        for (size_t k = 0; k < f->all_groups[i]->nchecked; k++)
            if (f->all_groups[i]->checked[k]->flags & FIELD_UNUSED)
                return true;
    return f->nrules > 0;
}

int xplan_compile(struct format *f, struct arena *a, struct problems *ps)
{
    struct xplan *p = arena_zero(a, sizeof *p);
    struct compile c = { .plan = p, .format = f, .arena = a, .problems = ps };

    p->format = f;
    if (f->charset == CHARSET_UNKNOWN)
        f->charset = CHARSET_UTF_8;
    p->of_group = arena_zero(a, (f->ngroups + 1) * sizeof *p->of_group);
    p->top = spot_new(&c, NULL, slice_none(), (struct slice){ "", 0 }, (struct slice){ "", 0 });
    p->top->holder = f->file_group;
    add_file(&c);
    check_indent(&c);
    finish_spots(&c);
    p->declaration = declaration(&c);
    p->namespaces = namespaces(&c);
    p->guided = is_guided(f);
    f->plan[0] = f->plan[1] = p;
    return c.status;
}

struct xspot *xplan_field(const struct xplan *p, const struct field *f, const struct xspot_attr **attribute)
{
    for (size_t i = 0; i < p->nspots; i++) {
        struct xspot *s = p->spots[i];
        *attribute = NULL;
        if (s->text == f)
            return s;
        for (size_t k = 0; k < s->nattrs; k++)
            if (s->attrs[k].field == f) {
                *attribute = &s->attrs[k];
                return s;
            }
    }
    return NULL;
}
