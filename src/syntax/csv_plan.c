#include "syntax/csv.h"

/* --- the dialect ------------------------------------------------------------------------------ */

static const struct token *option_token(const struct format *f, const char *name)
{
    const struct token *t = NULL;
    for (size_t i = 0; i < f->noptions; i++)
        if (slice_is(f->options[i].name, name))
            t = &f->options[i].token;
    return t;
}

static int bad_option(const struct format *f, const char *name, const char *text, struct problems *ps)
{
    return syntax_problem(f, option_token(f, name), "CSV_OPTION", ps, NULL, text);
}

/* One of a list of words; `words` NULL-terminated.  Its number, or -1 with a problem. */
static int word_option(const struct format *f, const char *name, const char *otherwise, const char *const *words,
                       struct problems *ps)
{
    struct slice v = format_option(f, name, slice_of(otherwise));
    for (int i = 0; words[i]; i++)
        if (slice_is(v, words[i]) || (v.n == 0 && i == 0))
            return i;
    struct slice text = arena_printf(ps->arena, "\"%.*s\" is no value of %s: it is one of", SLICE_ARG(v), name);
    for (int i = 0; words[i]; i++)
        text = arena_printf(ps->arena, "%.*s%s %s", SLICE_ARG(text), i ? "," : "", words[i]);
    bad_option(f, name, text.p, ps);
    return -1;
}

/* A character that is one byte in the charset of the files. */
static bool byte_option(const struct format *f, const char *name, struct slice v, unsigned char *out,
                        struct problems *ps)
{
    bool wide = f->charset == CHARSET_UTF_16 || f->charset == CHARSET_UTF_16LE || f->charset == CHARSET_UTF_16BE;
    struct buf b = { 0 };
    struct fault fault;
    int rc = wide ? (buf_add(&b, v), OK) : syntax_encode(f->charset, v, &b, &fault);
    bool good = rc == OK && b.n == 1 && b.p[0] != '\n' && b.p[0] != '\r' && b.p[0] != 0;
    if (good)
        *out = (unsigned char)b.p[0];
    else
        bad_option(f, name, "this must be one character that is one byte in the encoding of the file", ps);
    buf_release(&b);
    return good;
}

static bool dialect_delimiter(const struct format *f, struct dialect *d, struct problems *ps)
{
    struct slice v = format_option(f, "delimiter", SLICE(","));
    d->split = !slice_is(v, "none");
    if (!d->split)
        return true;
    if (slice_is(v, "tab"))
        v = SLICE("\t");
    return byte_option(f, "delimiter", v, &d->delimiter, ps);
}

static bool dialect_quote(const struct format *f, struct dialect *d, struct problems *ps)
{
    struct slice v = format_option(f, "quote", d->split ? SLICE("\"") : SLICE("none"));
    d->quote_all = slice_is(v, "all");
    d->quoting = !slice_is(v, "none");
    if (d->quote_all)
        v = SLICE("\"");
    if (!d->quoting)
        return true;
    if (!d->split)
        return bad_option(f, "quote",
                          "lines that are one field (`delimiter none`) cannot be quoted: write `quote none`", ps)
               == OK;
    if (!byte_option(f, "quote", v, &d->quote, ps))
        return false;
    return d->quote != d->delimiter || bad_option(f, "quote", "the quote is the delimiter too", ps) == OK;
}

bool dialect_read(const struct format *f, struct dialect *out, struct problems *ps)
{
    static const char *const headings[] = { "yes", "exact", "no", NULL };
    static const char *const newlines[] = { "lf", "crlf", "cr", NULL };
    static const char *const yes_no[] = { "yes", "no", NULL };
    static const struct slice ends[] = { { "\n", 1 }, { "\r\n", 2 }, { "\r", 1 } };
    *out = (struct dialect){ .charset = f->charset };
    bool good = dialect_delimiter(f, out, ps);
    good = dialect_quote(f, out, ps) && good;
    int heading = word_option(f, "header", out->split ? "yes" : "no", headings, ps);
    int newline = word_option(f, "newline", "lf", newlines, ps);
    int bom = word_option(f, "bom", "no", yes_no, ps);
    int sheet = word_option(f, "sheet-safe", "no", yes_no, ps);
    if (heading < 0 || newline < 0 || bom < 0 || sheet < 0)
        return false;
    out->heading = (enum heading)heading;
    out->newline = ends[newline];
    out->bom = bom == 0;
    out->sheet_safe = sheet == 0;
    struct slice tag = format_option(f, "tag", slice_none());
    for (size_t i = 0; i < tag.n; i++)
        out->tag = tag.p[i] >= '0' && tag.p[i] <= '9' && out->tag < 1000 ? out->tag * 10 + (uint32_t)(tag.p[i] - '0')
                                                                         : 100000;
    if (tag.p && (out->tag == 0 || out->tag > 10000))
        return bad_option(f, "tag", "this must be the number of the column that holds the tag, from 1", ps) == OK;
    return good;
}

/* --- columns ---------------------------------------------------------------------------------- */

struct planner {
    struct format *format;
    struct flat *flat;
    struct arena *arena;
    struct problems *problems;
    size_t cap_cols, cap_holders, cap_companions, cap_records;
    uint32_t position;              /* of the last column, where rows have no heading */
    int rc;
};

static void refuse(struct planner *pl, const struct token *t, const char *code, const char *text)
{
    pl->rc = syntax_problem(pl->format, t, code, pl->problems, NULL, text);
}

static bool by_position(const struct flat *flat)
{
    return flat->d.heading == HEADING_NO || flat->d.tag;
}

static void add_column(struct planner *pl, const struct field *f, const struct group *g, uint32_t level,
                       uint32_t holder)
{
    struct flat *flat = pl->flat;
    const struct spelling *at = slice_is(f->name, ".") && g->single_value ? &g->at : &f->at;
    struct slice name = slice_is(f->name, ".") ? g->name : f->name;
    struct flat_column c = { .field = f, .title = name, .level = level, .holder = holder };
    c.direct = f->read_fast == TYPE_FAST_TEXT;
    c.has_place = at->kind == AT_TITLE || at->kind == AT_POSITION;
    if (at->kind == AT_TITLE)
        c.title = at->title;
    else if (at->kind == AT_POSITION)
        c.position = at->from;
    else if (at->kind != AT_NONE)
        refuse(pl, &at->token, "CSV_AT", "a column is a title in quotes or a number: `at \"Order no\"`, `at 3`");
    if (at->kind == AT_POSITION && (at->from == 0 || at->from > 10000))
        refuse(pl, &at->token, "CSV_AT", "columns are counted from 1 up to 10000");
    if (at->kind == AT_TITLE && by_position(flat))
        refuse(pl, &at->token, "CSV_AT",
               "rows without heading have no titles: give the number of the column, as `at 3`");
    if (by_position(flat) && at->kind != AT_POSITION) {
        pl->position++;
        pl->position += pl->position == flat->d.tag;
        c.position = pl->position;
    }
    pl->position = c.position ? c.position : pl->position;
    flat->width = c.position > flat->width ? c.position : flat->width;
    ARENA_PUSH(pl->arena, flat->cols, flat->ncols, pl->cap_cols) = c;
}

static void plan_group(struct planner *pl, const struct group *g, uint32_t level, uint32_t holder);
static struct flat *plan_record(struct planner *pl, const struct group *g, struct flat *parent);

static void plan_companion(struct planner *pl, const struct group *g, uint32_t level)
{
    struct flat *own = arena_zero(pl->arena, sizeof *own);
    own->format = pl->format;
    own->d = pl->flat->d;
    struct planner sub = { .format = pl->format, .flat = own, .arena = pl->arena, .problems = pl->problems };
    own->levels[0].group = g;
    own->nlevels = 1;
    plan_group(&sub, g, 0, 0);
    if (own->nlevels > 1)
        refuse(pl, &g->token, "CSV_TREE", "the rows of a companion file hold no repeated groups");
    pl->rc = sub.rc > pl->rc ? sub.rc : pl->rc;
    ARENA_PUSH(pl->arena, pl->flat->companions, pl->flat->ncompanions, pl->cap_companions) = (struct flat_companion){
        .group = g, .level = level, .flat = own, .name = g->companion, .join = g->join, .key = SIZE_MAX
    };
}

static void plan_child(struct planner *pl, const struct group *g, uint32_t level, uint32_t holder)
{
    struct flat *flat = pl->flat;
    if (g->companion.n) {
        plan_companion(pl, g, level);
    } else if (flat->d.tag && g->at.kind == AT_TITLE) {
        return;                     /* a record of its own */
    } else if (g->max_occurs == 1) {
        ARENA_PUSH(pl->arena, flat->holders, flat->nholders, pl->cap_holders) =
            (struct flat_holder){ .group = g, .level = level, .parent = holder };
        plan_group(pl, g, level, (uint32_t)flat->nholders);
    } else if (flat->d.tag) {
        refuse(pl, &g->token, "CSV_TREE", "in a file with record tags each repeated group says its tag: `at \"L\"`");
    } else if (holder) {
        refuse(pl, &g->token, "CSV_TREE",
               "a repeated group of a flat file stands directly in the message or in a repeated group");
    } else if (flat->nlevels > level + 1) {
        refuse(
            pl, &g->token, "CSV_TREE",
            "rows hold one repeated group per level; put this one into a companion file (`file NAME join COLUMN`)");
    } else if (level + 1 == FLAT_LEVELS) {
        refuse(pl, &g->token, "CSV_TREE", "groups are nested too deeply for rows");
    } else {
        flat->levels[level + 1].group = g;
        flat->nlevels = level + 2;
        plan_group(pl, g, level + 1, 0);
    }
}

static void plan_group(struct planner *pl, const struct group *g, uint32_t level, uint32_t holder)
{
    for (size_t i = 0; i < g->nmembers; i++) {
        if (g->members[i].field)
            add_column(pl, g->members[i].field, g, level, holder);
        else
            plan_child(pl, g->members[i].group, level, holder);
    }
}

static size_t column_of_field(const struct flat *flat, const struct field *f)
{
    for (size_t i = 0; i < flat->ncols; i++)
        if (flat->cols[i].field == f)
            return i;
    return SIZE_MAX;
}

static void plan_keys(struct planner *pl)
{
    struct flat *flat = pl->flat;
    for (size_t l = 0; l < flat->nlevels; l++) {
        struct flat_level *level = &flat->levels[l];
        const struct group *g = level->group;
        level->keys = arena_zero(pl->arena, (g->nkeys + 1) * sizeof *level->keys);
        for (size_t i = 0; i < g->nkeys; i++) {
            size_t c = column_of_field(flat, g->keys[i].field);
            if (c == SIZE_MAX || flat->cols[c].level != l)
                refuse(pl, &g->token, "CSV_KEY", "the key must be columns of this group");
            else
                level->keys[level->nkeys++] = c;
        }
    }
    for (size_t i = 0; i < flat->ncompanions; i++) {
        struct flat_companion *c = &flat->companions[i];
        const struct flat_level *level = &flat->levels[c->level];
        if (level->nkeys != 1)
            refuse(pl, &c->group->token, "CSV_KEY",
                   "the group above rows of a companion file needs a key of one field");
        else
            c->key = level->keys[0];
    }
}

/* --- records with tags ------------------------------------------------------------------------ */

static void plan_records_below(struct planner *pl, const struct group *g, struct flat *parent)
{
    for (size_t i = 0; i < g->ngroups; i++)
        if (g->groups[i]->at.kind == AT_TITLE)
            plan_record(pl, g->groups[i], parent);
        else if (g->groups[i]->max_occurs == 1)
            plan_records_below(pl, g->groups[i], parent);
}

static struct flat *plan_record(struct planner *pl, const struct group *g, struct flat *parent)
{
    struct flat *own = arena_zero(pl->arena, sizeof *own), *all = pl->flat;
    own->format = pl->format;
    own->d = all->d;
    own->tag = g->at.title;
    own->parent = parent;
    own->levels[0].group = g;
    own->nlevels = 1;
    own->width = all->d.tag;
    struct planner sub = { .format = pl->format, .flat = own, .arena = pl->arena, .problems = pl->problems };
    plan_group(&sub, g, 0, 0);
    plan_keys(&sub);
    pl->rc = sub.rc > pl->rc ? sub.rc : pl->rc;
    for (size_t i = 0; i < all->nrecords; i++)
        if (slice_equal(all->records[i]->tag, own->tag))
            refuse(pl, &g->at.token, "CSV_TAG", "another record has this tag already");
    ARENA_PUSH(pl->arena, all->records, all->nrecords, pl->cap_records) = own;
    plan_records_below(pl, g, own);
    return own;
}

static void plan_tagged(struct planner *pl)
{
    const struct group *file = pl->format->file_group;
    for (size_t i = 0; i < file->ngroups; i++) {
        const struct group *g = file->groups[i];
        if (g->at.kind == AT_TITLE)
            plan_record(pl, g, NULL);
        else
            refuse(pl, &g->token, "CSV_TAG", "in a file with record tags every message says its tag: `at \"H\"`");
    }
}

static void plan_keyed(struct planner *pl)
{
    const struct format *f = pl->format;
    if (!f->nmessages && !f->file_group->nfields && !f->file_group->ngroups)
        return;                         /* only its header is there: a file for others to include */
    if (f->nmessages != 1) {
        refuse(pl, NULL, "CSV_TREE", "a file without record tags holds one kind of message");
        return;
    }
    if (f->file_group->nfields || f->file_group->ngroups > 1)
        refuse(pl, f->file_group->nfields ? &f->file_group->fields[0]->token : NULL, "CSV_TREE",
               "a file without record tags has no members outside its message");
    pl->flat->levels[0].group = f->messages[0];
    pl->flat->nlevels = 1;
    plan_group(pl, f->messages[0], 0, 0);
    plan_keys(pl);
    if (!pl->flat->d.split && pl->flat->ncols > 1)
        refuse(pl, NULL, "CSV_TREE", "a line that is one field (`delimiter none`) has one column");
}

int flat_plan(struct format *f, struct arena *a, struct problems *ps)
{
    struct flat *flat = arena_zero(a, sizeof *flat);
    struct planner pl = { .format = f, .flat = flat, .arena = a, .problems = ps };
    flat->format = f;
    if (!dialect_read(f, &flat->d, ps))
        return STOP;
    if (flat->d.tag)
        plan_tagged(&pl);
    else
        plan_keyed(&pl);
    f->plan[0] = f->plan[1] = flat;
    return pl.rc;
}
