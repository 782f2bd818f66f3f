#include "flow/site_parse.h"

static const char *const flow_words[] = { "on", "partner", "set", "every", "duplicates", "retry", "order", "batch",
                                          "operation", "notice", "reply", NULL };
static const char *const operation_words[] = {
    "on", "manual", "every", "after", "set", "duplicates", "serial", "take", "give", "done", NULL
};

static const char *const duplicate_words[] = { "content", "reference", "key", NULL };

static int parse_duplicates(struct cursor *c, enum duplicate_policy *out, const char *const *whats)
{
    static const char *const policies[] = { "reject", "warn", "process", NULL };
    size_t what = 0, policy = 0;
    while (whats[what] && !cursor_is(c, whats[what]))
        what++;
    if (!whats[what])
        return word_unknown(c, whats);
    c->at++;
    while (policies[policy] && !cursor_is(c, policies[policy]))
        policy++;
    if (!policies[policy])
        return word_unknown(c, policies);
    c->at++;
    out[what] = (enum duplicate_policy)policy;
    return word_end(c, NULL);
}

static int parse_retry(struct cursor *c, struct flow *f)
{
    size_t cap = f->nretry = 0;
    do {
        const struct token *at = cursor_token(c);
        int64_t delay;
        if (word_duration(c, &delay) != OK)
            return STOP;
        if (delay == 0)
            site_warning(c->l, at, "SITE_RETRY", "retry 1s", "nothing is tried again without a pause: it is taken as 1s");
        ARENA_PUSH(c->l->arena, f->retry, f->nretry, cap) = delay;
    } while (cursor_more(c));
    return OK;
}

static int parse_order(struct cursor *c, struct flow *f)
{
    static const char *const words[] = { "any", "kept", NULL };
    if (cursor_take(c, "any"))
        f->any_order = true;
    else if (!cursor_take(c, "kept"))
        return word_unknown(c, words);
    return word_end(c, NULL);
}

static int parse_operation_line(struct site_loading *l, struct statement *s, struct operation *op)
{
    struct cursor c = { l, s, 0 };
    if (cursor_take(&c, "on"))
        return word_yes(&c, &op->on) == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "manual")) {
        op->manual = true;
        return word_end(&c, NULL);
    }
    if (cursor_take(&c, "every"))
        return word_duration(&c, &op->every) == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "after"))
        return word_names(&c, &op->after, &op->nafter, "the name of an operation") == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "set"))
        return parse_set(&c, &op->sets);
    if (cursor_take(&c, "duplicates")) {
        static const char *const content[] = { "content", NULL };
        op->own_duplicates = true;
        return parse_duplicates(&c, &op->duplicates, content);
    }
    if (cursor_take(&c, "serial"))
        return word_yes(&c, &op->serial) == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "take"))
        return parse_take(&c, op);
    if (cursor_take(&c, "give"))
        return parse_give(&c, op);
    if (cursor_take(&c, "done")) {
        op->done = s;
        return word_end(&c, NULL);
    }
    return word_unknown(&c, operation_words);
}

static int parse_operation(struct cursor *c, struct flow *f)
{
    struct site_loading *l = c->l;
    struct operation *op = arena_zero(l->arena, sizeof *op);
    op->flow = f;
    op->on = true;
    op->every = f->every;
    op->take.stable = -1;
    op->token = *cursor_token(c);
    op->index = (uint32_t)f->noperations;
    if (word_name(c, &op->name, "the name of an operation") != OK)
        return STOP;
    if (flow_operation(f, op->name))
        return site_problem(l, &op->token, "SITE_TWICE", "give it another name", "there are two operations %.*s",
                            SLICE_ARG(op->name));
    if (cursor_more(c) && word_string(c, &op->title, "a title") != OK)
        return STOP;
    LIST_PUSH(l, f, operations, noperations, op);
    size_t errors = l->ps->errors;
    for (struct statement *s = c->s->block; s; s = s->next)
        parse_operation_line(l, s, op);
    if (!op->take.token.line && l->ps->errors == errors)
        site_problem(l, &op->token, "SITE_TAKE", "`take inbox \"inbox/NAME\"`", "operation %.*s takes nothing",
                     SLICE_ARG(op->name));
    return word_end(c, NULL);
}

/* `batch FORMAT track Order/Line { state … }`; what it names is looked up once the format is loaded. */
static int parse_batch(struct cursor *c, struct flow *f)
{
    if (f->batch_statement)
        return site_problem(c->l, &c->s->tokens[0], "SITE_TWICE", "a flow stages documents of one format",
                            "flow %.*s has two `batch` statements", SLICE_ARG(f->name));
    f->batch_statement = c->s;
    f->batch_token = *cursor_token(c);
    if (word_ref(c, &f->batch_ref, "the name of a format") != OK)
        return STOP;
    if (!cursor_more(c))
        return c->s->has_block ? word_unknown(c, (const char *const[]){ "track", NULL }) : OK;
    if (!cursor_take(c, "track"))
        return word_unknown(c, (const char *const[]){ "track", NULL });
    f->track_at = c->at;
    return OK;
}

static int parse_flow_line(struct site_loading *l, struct statement *s, struct flow *f)
{
    struct cursor c = { l, s, 0 };
    if (cursor_take(&c, "on")) {
        f->on_token = s->tokens[0];
        return word_yes(&c, &f->on) == OK ? word_end(&c, NULL) : STOP;
    }
    if (cursor_take(&c, "partner"))
        return word_name(&c, &f->partner, "the name of a partner") == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "set"))
        return parse_set(&c, &f->sets);
    if (cursor_take(&c, "every"))
        return word_duration(&c, &f->every) == OK ? word_end(&c, NULL) : STOP;
    if (cursor_take(&c, "duplicates"))
        return parse_duplicates(&c, f->duplicates, duplicate_words);
    if (cursor_take(&c, "retry"))
        return parse_retry(&c, f);
    if (cursor_take(&c, "order"))
        return parse_order(&c, f);
    if (cursor_take(&c, "notice"))
        return parse_notice(&c, &f->notices);
    if (cursor_take(&c, "reply"))
        return parse_reply(&c, f);
    if (cursor_take(&c, "batch"))
        return parse_batch(&c, f);
    if (cursor_take(&c, "operation"))
        return parse_operation(&c, f);
    return word_unknown(&c, flow_words);
}

/* An order pulled again is no fault unless the site says so; the same bytes again are (requirement G-2). */
static void flow_defaults(struct site_loading *l, struct flow *f)
{
    static const int64_t delays[] = { 60 * 1000, 5 * 60 * 1000, 30 * 60 * 1000 };
    f->site = l->site;
    f->index = (uint32_t)l->site->nflows;
    f->duplicates[DUPLICATE_CONTENT] = DUPLICATE_REJECT;
    f->duplicates[DUPLICATE_REFERENCE] = DUPLICATE_PROCESS;     /* no syntax of this version has references */
    f->duplicates[DUPLICATE_KEY] = DUPLICATE_PROCESS;
    f->nretry = sizeof delays / sizeof *delays;
    f->retry = arena_alloc(l->arena, sizeof delays);
    memcpy(f->retry, delays, sizeof delays);
}

int parse_flow(struct site_loading *l, struct statement *s)
{
    struct cursor c = { l, s, 1 };
    struct flow *f = arena_zero(l->arena, sizeof *f);
    flow_defaults(l, f);
    f->token = f->on_token = *cursor_token(&c);
    if (word_name(&c, &f->name, "the name of a flow") != OK)
        return STOP;
    if (site_flow(l->site, f->name))
        return site_problem(l, &f->token, "SITE_TWICE", "give it another name", "there are two flows %.*s",
                            SLICE_ARG(f->name));
    if (cursor_more(&c) && word_string(&c, &f->title, "a title") != OK)
        return STOP;
    LIST_PUSH(l, l->site, flows, nflows, f);
    for (struct statement *line = s->block; line; line = line->next)
        parse_flow_line(l, line, f);
    push_answers(l, f);
    return word_end(&c, NULL);
}
