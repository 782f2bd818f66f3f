#include "flow/site_parse.h"

#include "base/file.h"

static const char *const take_sources[] = { "inbox", "batch", "table", NULL };
static const char *const take_words[] = { "ready", "companion", "type", "from", "newest", "unpack", NULL };
static const char *const ready_words[] = { "name", "stable", "done", "manifest", "complete", NULL };
static const char *const give_targets[] = { "outbox", "batch", "table", NULL };
static const char *const give_words[] = {
    "map", "backward", "original", "report", "each", "empty", "on", "companion", "replace", "new", NULL
};

static bool is_word(const struct cursor *c, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (cursor_is(c, words[i]))
            return true;
    return false;
}

static int parse_ready_term(struct cursor *c, struct take *t)
{
    if (cursor_take(c, "name")) {
        t->ready_name = true;
        return OK;
    }
    if (cursor_take(c, "complete")) {
        t->ready_complete = true;
        return OK;
    }
    if (cursor_take(c, "stable"))
        return word_duration(c, &t->stable);
    if (cursor_take(c, "done"))
        return word_string(c, &t->done, "the ending of the marker");
    if (cursor_take(c, "manifest"))
        return word_string(c, &t->manifest, "a name with `*`");
    return word_unknown(c, ready_words);
}

int parse_ready(struct cursor *c, struct take *t)
{
    int rc;
    t->ready_given = true;
    do
        rc = parse_ready_term(c, t);
    while (rc == OK && is_word(c, ready_words));
    return rc;
}

/* `companion lines "lines*.csv"` or `companion "pdf/{PDF}"`. */
static int parse_companion(struct cursor *c, struct site_companion **list, size_t *n)
{
    struct site_companion one = { .name = { "", 0 } };
    size_t cap = *n;
    int rc = OK;
    if (cursor_token(c)->kind == TOKEN_NAME)
        rc = word_name(c, &one.name, "a name");
    one.token = *cursor_token(c);
    if (rc == OK)
        rc = word_string(c, &one.pattern, "the file of the companion");
    if (rc == OK)
        ARENA_PUSH(c->l->arena, *list, *n, cap) = one;
    return rc;
}

static int parse_take_word(struct cursor *c, struct take *t)
{
    if (cursor_take(c, "ready"))
        return parse_ready(c, t);
    if (cursor_take(c, "companion"))
        return parse_companion(c, &t->companions, &t->ncompanions);
    if (cursor_take(c, "type"))
        return word_string(c, &t->type, "the type of a message");
    if (cursor_take(c, "from"))
        return word_name(c, &t->from, "the name of a partner");
    if (cursor_take(c, "newest")) {
        t->newest = true;
        return OK;
    }
    if (t->kind == TAKE_INBOX && cursor_take(c, "unpack")) {
        t->unpack = true;
        return OK;
    }
    return word_unknown(c, take_words);
}

int parse_take(struct cursor *c, struct operation *op)
{
    struct take *t = &op->take;
    int rc = OK;
    if (t->token.line)
        return site_problem(c->l, &c->s->tokens[0], "SITE_TAKE", "one operation takes one document", "a second `take`");
    t->token = c->s->tokens[0];
    if (cursor_take(c, "inbox")) {
        t->kind = TAKE_INBOX;
        rc = word_string(c, &t->folder, "the folder of the inbox");
        if (rc == OK)
            t->path = file_join(c->l->arena, c->l->site->dir, arena_cstr(c->l->arena, t->folder));
    } else if (cursor_take(c, "table")) {
        t->kind = TAKE_TABLE;
        rc = word_name(c, &t->table_name, "the name of a table");
    } else if (cursor_take(c, "batch"))
        t->kind = TAKE_BATCH;
    else
        rc = word_unknown(c, take_sources);
    while (rc == OK && cursor_more(c))
        rc = parse_take_word(c, t);
    return rc;
}

static int parse_empty(struct cursor *c, struct give *g)
{
    static const char *const words[] = { "skip", "write", NULL };
    if (!is_word(c, words))
        return word_unknown(c, words);
    g->empty_skip = token_is(cursor_token(c), "skip");
    c->at++;
    return OK;
}

static int parse_map(struct cursor *c, struct give *g)
{
    g->map_token = *cursor_token(c);
    int rc = word_ref(c, &g->map_ref, "the name of a mapping");
    if (rc == OK && cursor_take(c, "backward"))
        g->backward = true;
    return rc;
}

static int parse_give_word(struct cursor *c, struct give *g)
{
    static const struct {
        const char *word;
        size_t offset;
    } flags[] = {
        { "original", offsetof(struct give, original) }, { "report", offsetof(struct give, report) },
        { "each", offsetof(struct give, each) }, { "backward", offsetof(struct give, backward) },
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (cursor_take(c, flags[i].word)) {
            *(bool *)(void *)((char *)g + flags[i].offset) = true;
            return OK;
        }
    if (cursor_take(c, "map"))
        return parse_map(c, g);
    if (cursor_take(c, "empty"))
        return parse_empty(c, g);
    if (cursor_take(c, "on"))
        return word_yes(c, &g->on);
    if (cursor_take(c, "companion"))
        return parse_companion(c, &g->companions, &g->ncompanions);
    if (g->kind == GIVE_TABLE && cursor_take(c, "replace")) {
        g->replace = true;
        return OK;
    }
    if (g->kind == GIVE_BATCH && cursor_take(c, "new")) {
        g->new_batch = true;
        return OK;
    }
    return word_unknown(c, give_words);
}

static int parse_outbox(struct cursor *c, struct give *g)
{
    g->kind = GIVE_OUTBOX;
    int rc = word_string(c, &g->folder, "the folder of the outbox");
    if (rc != OK)
        return rc;
    g->path = file_join(c->l->arena, c->l->site->dir, arena_cstr(c->l->arena, g->folder));
    if (!cursor_take(c, "name"))
        return word_unknown(c, (const char *const[]){ "name", NULL });
    g->name_token = *cursor_token(c);
    return word_string(c, &g->name, "the name of the files");
}

static int parse_target(struct cursor *c, struct give *g)
{
    if (cursor_take(c, "outbox"))
        return parse_outbox(c, g);
    if (cursor_take(c, "table")) {
        g->kind = GIVE_TABLE;
        return word_name(c, &g->table_name, "the name of a table");
    }
    if (cursor_take(c, "batch")) {
        g->kind = GIVE_BATCH;
        return OK;
    }
    return word_unknown(c, give_targets);
}

int parse_give(struct cursor *c, struct operation *op)
{
    struct give *g = arena_zero(c->l->arena, sizeof *g);
    g->operation = op;
    g->on = true;
    g->index = (uint32_t)op->ngives;
    g->token = c->s->tokens[0];
    g->map_token = g->token;
    int rc = parse_target(c, g);
    while (rc == OK && cursor_more(c))
        rc = parse_give_word(c, g);
    for (struct statement *s = c->s->block; rc == OK && s; s = s->next) {
        rc = parse_answer(c->l, s, g);
    }
    if (rc == OK)
        LIST_PUSH(c->l, op, gives, ngives, g);
    return rc;
}
