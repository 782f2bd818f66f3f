/* policy - `else OUTCOME CODE "text"`, and what update mode does with new and missing instances. */
#include "load.h"

static bool is_code(struct slice s)
{
    if (!s.n || s.p[0] < 'A' || s.p[0] > 'Z')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_'))
            return false;
    return true;
}

static enum outcome_kind outcome_word(struct parser *p)
{
    for (enum outcome_kind k = OUTCOME_NOTE; k <= OUTCOME_REJECT; k++)
        if (parser_word(p, outcome_names[k]))
            return k;
    return OUTCOME_REJECT;
}

static struct slice suggest_outcome(struct loader *l, struct slice word)
{
    struct slice list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = slice_of(outcome_names[OUTCOME_NOTE + i]);
    return problem_suggest(l->arena, word, list, 5);
}

bool load_verdict(struct loader *l, struct parser *p, struct scope *s, int side, struct verdict *v)
{
    *v = (struct verdict){ .given = true, .kind = outcome_word(p) };
    const struct token *t = parser_peek(p, 0);
    if (p->i >= p->n || t->kind != TOKEN_NAME || !is_code(t->text)) {
        struct slice hint = p->i < p->n && t->kind == TOKEN_NAME ? suggest_outcome(l, t->text) : slice_none();
        parser_fail(p, t, "MAP_CODE", hint.n ? hint.p : "[reject, wait, skip, warn or note] CODE \"text\"",
                    "a CODE in capitals is expected here");
        return false;
    }
    p->i++;
    v->code = t->text;
    v->code_text = arena_cstr(l->arena, t->text);
    if (p->i >= p->n || parser_peek(p, 0)->kind != TOKEN_STRING)
        return true;
    struct names n;
    load_names(l, s, side, &n);
    v->text = template_parse(l->arena, l->conf, &p->tokens[p->i++], l->ps);
    return v->text && template_resolve(&n, v->text);
}

static struct scope *missing_rows(struct loader *l, struct scope *s, struct statement *st, int written)
{
    struct scope *rows = scope_new(l, s, s->row, s->side[written], s->side[written]);
    rows->old_only = true;
    for (struct statement *r = st->block; r; r = r->next)
        load_statement(l, rows, r);
    return rows;
}

static void policy_new(struct loader *l, struct scope *s, struct parser *p, enum mapping_direction d)
{
    struct policy *y = &s->policy[d];
    y->new_given = true;
    y->when_new = parser_word(p, "ignore") ? NEW_IGNORE : parser_word(p, "reject") ? NEW_REJECT : NEW_ADD;
    if (y->when_new == NEW_ADD && !parser_word(p, "add"))
        parser_fail(p, parser_peek(p, 0), "MAP_SYNTAX", "add, ignore or reject",
                    "`new` takes what to do with an instance that only the side read has");
    else if (parser_word(p, "else"))
        load_verdict(l, p, s, side_read(d), &y->new_verdict);
}

static void policy_missing(struct loader *l, struct scope *s, struct parser *p, struct statement *st,
                           enum mapping_direction d)
{
    struct policy *y = &s->policy[d];
    y->missing_given = true;
    if (st->has_block) {
        y->when_missing = MISSING_ROWS;
        y->missing_rows = missing_rows(l, s, st, side_written(d));
    } else if (parser_word(p, "remove")) {
        y->when_missing = MISSING_REMOVE;
    } else if (parser_word(p, "reject")) {
        y->when_missing = MISSING_REJECT;
    } else if (!parser_word(p, "keep")) {
        parser_fail(p, parser_peek(p, 0), "MAP_SYNTAX", "keep, remove, reject or { rows }",
                    "`missing` takes what to do with an instance that only the side written has");
        return;
    }
    if (parser_word(p, "else"))
        load_verdict(l, p, s, side_written(d), &y->missing_verdict);
}

static void policy_one(struct loader *l, struct scope *s, struct parser *p, struct statement *st,
                       enum mapping_direction d)
{
    if (parser_word(p, "new"))
        policy_new(l, s, p, d);
    else if (parser_word(p, "missing"))
        policy_missing(l, s, p, st, d);
    else if (parser_word(p, "order")) {
        s->policy[d].follow = parser_word(p, "follow");
        if (!s->policy[d].follow && !parser_word(p, "keep"))
            parser_fail(p, parser_peek(p, 0), "MAP_SYNTAX", "keep or follow", "`order` takes keep or follow");
    } else
        parser_fail(p, parser_peek(p, 0), "CONF_WORD", "require, new, missing or order",
                    "an unknown word stands behind the arrow");
}

/* Without an arrow the policy holds for each direction that the header promises. */
void load_policy(struct loader *l, struct scope *s, struct parser *p, struct statement *st, bool right, bool left)
{
    size_t start = p->i;
    bool both = right && left;
    enum mapping_arrow arrow = l->mapping->arrow;
    if (right && (!both || arrow != ARROW_LEFT))
        policy_one(l, s, p, st, MAPPING_FORWARD);
    if (left && (!both || arrow != ARROW_RIGHT)) {
        if (p->failed)
            return;
        p->i = start;
        policy_one(l, s, p, st, MAPPING_BACKWARD);
    }
    if (!p->failed)
        parser_done(p);
}
