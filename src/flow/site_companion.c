#include "flow/site_parse.h"

/* Files that lie beside the one that is given or taken. */

static bool has_companion(const struct group *g, struct slice name)
{
    bool found = slice_equal(g->companion, name) && name.n;
    for (size_t i = 0; i < g->ngroups && !found; i++)
        found = has_companion(g->groups[i], name);
    return found;
}

static void want_companions(struct site_loading *l, const struct give *g, const struct group *of)
{
    bool given = !of->companion.n;
    for (size_t i = 0; i < g->ncompanions; i++)
        given = given || slice_equal(g->companions[i].name, of->companion);
    if (!given)
        site_problem(l, &g->token, "SITE_COMPANION",
                     arena_cstr(l->arena, arena_printf(l->arena, "add `companion %.*s \"NAME\"`",
                                                       SLICE_ARG(of->companion))),
                     "%.*s has %.*s in a file of their own, and this give names none", SLICE_ARG(g->to->name),
                     SLICE_ARG(of->name));
    for (size_t i = 0; i < of->ngroups; i++)
        want_companions(l, g, of->groups[i]);
}

/* Files beside the one that is given hold groups of its format. */
void check_given_companions(struct site_loading *l, const struct give *g)
{
    for (size_t i = 0; i < g->ncompanions; i++) {
        const struct site_companion *c = &g->companions[i];
        if (g->kind != GIVE_OUTBOX || !has_companion(g->to->file_group, c->name))
            site_problem(l, &c->token, "SITE_COMPANION", "`companion NAME \"FILE\"`, NAME as in `group … file NAME`",
                         "no group of %.*s lies in a file \"%.*s\"", SLICE_ARG(g->to->name), SLICE_ARG(c->name));
    }
    if (g->kind == GIVE_OUTBOX)
        want_companions(l, g, g->to->file_group);
}

/* ---- of what is taken -------------------------------------------------------------------------------------------- */

static bool has_dots(struct slice text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '.' && text.p[i + 1] == '.')
            return true;
    return false;
}

/* "pdf/{PDF}": a folder of the inbox, then one name made of a field, of the file or of what is staged of it. */
static void check_named_by_field(struct site_loading *l, const struct operation *op, const struct site_companion *c)
{
    const struct slice p = c->pattern;
    const char *open = memchr(p.p, '{', p.n), *close = open ? memchr(open, '}', p.n - (size_t)(open - p.p)) : NULL;
    struct slice name = close ? slice_range(open + 1, close) : slice_none();
    const struct group *staged = op->flow->batch_group;
    if (!close || memchr(close, '/', p.n - (size_t)(close - p.p)) || p.p[0] == '/' || has_dots(p))
        site_problem(l, &c->token, "SITE_COMPANION", "`companion \"pdf/{FIELD}\"`",
                     "the files that messages name lie in a folder of the inbox, one name for each");
    else if (!(op->message && group_field(op->message, name)) && !(staged && group_field(staged, name)))
        site_problem(l, &c->token, "SITE_COMPANION", "a field of the messages", "no message has a field %.*s",
                     SLICE_ARG(name));
}

static void want_taken(struct site_loading *l, const struct operation *op, const struct group *of)
{
    bool given = !of->companion.n;
    for (size_t i = 0; i < op->take.ncompanions; i++)
        given = given || slice_equal(op->take.companions[i].name, of->companion);
    if (!given)
        site_problem(l, &op->take.token, "SITE_COMPANION",
                     arena_cstr(l->arena, arena_printf(l->arena, "add `companion %.*s \"NAME*.csv\"`",
                                                       SLICE_ARG(of->companion))),
                     "%.*s has %.*s in a file of their own, and this take names none", SLICE_ARG(op->format->name),
                     SLICE_ARG(of->name));
    for (size_t i = 0; i < of->ngroups; i++)
        want_taken(l, op, of->groups[i]);
}

void check_taken_companions(struct site_loading *l, const struct operation *op)
{
    if (op->take.kind != TAKE_INBOX || !op->format)
        return;
    for (size_t i = 0; i < op->take.ncompanions; i++) {
        const struct site_companion *c = &op->take.companions[i];
        if (!c->name.n)
            check_named_by_field(l, op, c);
        else if (!has_companion(op->format->file_group, c->name))
            site_problem(l, &c->token, "SITE_COMPANION", "`companion NAME \"FILE*.csv\"`, NAME as in `group … file NAME`",
                         "no group of %.*s lies in a file \"%.*s\"", SLICE_ARG(op->format->name), SLICE_ARG(c->name));
        else if (memchr(c->pattern.p, '/', c->pattern.n))
            site_problem(l, &c->token, "SITE_COMPANION", "\"lines*.csv\": a name in the same inbox",
                         "what comes along with a file lies beside it");
    }
    want_taken(l, op, op->format->file_group);
}
