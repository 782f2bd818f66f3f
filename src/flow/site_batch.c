#include "flow/site_parse.h"

/* What a flow stages, which instances have states, and what of it its operations may take and give. */

static int wrong_batch(struct site_loading *l, const struct flow *f, const char *hint, const char *text)
{
    return site_problem(l, &f->batch_token, "SITE_BATCH", hint, "%.*s cannot be staged: %s", SLICE_ARG(f->batch_ref),
                        text);
}

/* Staged documents are read and written message by message, and a message is found by its key. */
static int check_format(struct site_loading *l, struct flow *f, struct format *format)
{
    struct slice lines = format_option(format, "lines", SLICE("no"));
    if (!slice_is(format->syntax, "json") || !(lines.n == 0 || slice_is(lines, "yes")))
        return wrong_batch(l, f, "begin it with `syntax json lines`", "staged documents are JSON lines");
    if (format->nmessages != 1)
        return wrong_batch(l, f, "one `message NAME key … { … }`", "a staged document holds messages of one kind");
    if (!format->messages[0]->nkeys)
        return wrong_batch(l, f, "add `key FIELD` to its `message`", "its message has no key");
    f->batch = format;
    f->batch_group = format->messages[0];
    return OK;
}

/* The names that a site's formulas may use behind `$`. */
static void add_settings(struct site_loading *l, const struct settings *sets, struct formula_site *out, size_t *cap)
{
    struct slice *list = (struct slice *)(uintptr_t)out->params;
    for (size_t i = 0; i < sets->n; i++)
        ARENA_PUSH(l->arena, list, out->nparams, *cap) = sets->list[i].name;
    out->params = list;
}

static struct formula_site formulas_of(struct site_loading *l, const struct flow *f, const struct operation *op,
                                       const struct format *format)
{
    struct formula_site s = { .arena = l->arena, .format = format, .conf = l->conf };
    size_t cap = 0;
    add_settings(l, &l->site->given, &s, &cap);
    add_settings(l, &l->site->sets, &s, &cap);
    add_settings(l, &f->sets, &s, &cap);
    if (op)
        add_settings(l, &op->sets, &s, &cap);
    return s;
}

static int parse_state(struct site_loading *l, struct flow *f, const struct formula_site *s, struct statement *st,
                       size_t *cap)
{
    struct cursor c = { l, st, 0 };
    struct track_state state = { 0 };
    if (!cursor_take(&c, "state"))
        return word_unknown(&c, (const char *const[]){ "state", NULL });
    state.token = *cursor_token(&c);
    if (word_name(&c, &state.name, "the name of a state") != OK)
        return STOP;
    for (size_t i = 0; i < f->nstates; i++)
        if (slice_equal(f->states[i].name, state.name))
            return site_problem(l, &state.token, "SITE_TWICE", "give it another name", "there are two states %.*s",
                                SLICE_ARG(state.name));
    if (cursor_more(&c) && !cursor_take(&c, "when"))
        return word_unknown(&c, (const char *const[]){ "when", NULL });
    if (cursor_more(&c) && (formula_compile(s, f->track, st, &c.at, &state.when, l->ps) != OK
                            || formula_done(s, st, c.at, l->ps) != OK))
        return STOP;
    if (f->nstates && !state.when)
        return site_problem(l, &state.token, "SITE_STATE", "`state NAME when FIELD`",
                            "every state but the first needs a condition, or the one before it is never seen");
    ARENA_PUSH(l->arena, f->states, f->nstates, *cap) = state;
    return OK;
}

static void compile_track(struct site_loading *l, struct flow *f)
{
    struct formula_site s = formulas_of(l, f, NULL, f->batch);
    struct statement *st = f->batch_statement;
    struct formula_path path;
    size_t at = f->track_at, cap = 0;
    if (formula_path(&s, st, &at, &path, l->ps) != OK || formula_done(&s, st, at, l->ps) != OK)
        return;
    if (path.field) {
        site_problem(l, &path.token, "SITE_STATE", "`track Order/Line`: the message, or a group below it",
                     "only instances of a group have states");
        return;
    }
    f->track = path.group;
    for (struct statement *line = st->block; line; line = line->next)
        parse_state(l, f, &s, line, &cap);
    if (!st->block)
        site_problem(l, &path.token, "SITE_STATE", "`track PATH { state NAME … }`", "no state is named");
}

void flow_batch(struct site_loading *l, struct flow *f)
{
    struct format *format = NULL;
    if (!f->batch_statement || !f->batch_ref.n)
        return;
    if (site_format(l, f->batch_ref, &f->batch_token, &format) != OK || check_format(l, f, format) != OK)
        return;
    if (f->track_at)
        compile_track(l, f);
}

/* ---- what is taken ---------------------------------------------------------------------------------------------- */

static int taken_table(struct site_loading *l, struct operation *op)
{
    struct take *t = &op->take;
    struct token at = site_token(l, &t->token, t->table_name);
    t->table = site_table(l->site, t->table_name);
    if (!t->table)
        return site_no_table(l, &t->token, t->table_name);
    if (t->table->kind == TABLE_FILE && t->table->format_ref.n && !t->table->format)
        return STOP;                                /* told when the table was loaded */
    if (t->table->kind != TABLE_FILE || !t->table->format)
        return site_problem(l, &at, "SITE_TABLE", "only a table with a file and a format can be taken",
                            "table %.*s has no file", SLICE_ARG(t->table_name));
    op->format = t->table->format;
    return OK;
}

static int taken_batch(struct site_loading *l, struct operation *op)
{
    struct flow *f = op->flow;
    op->format = f->batch;
    if (f->batch || f->batch_ref.n)
        return f->batch ? OK : STOP;                /* told at its `batch` */
    return site_problem(l, &op->take.token, "SITE_NO_BATCH", "add `batch FORMAT` to the flow",
                        "flow %.*s stages nothing, so there is no batch to take", SLICE_ARG(f->name));
}

static void check_trigger(struct site_loading *l, const struct operation *op)
{
    const struct take *t = &op->take;
    const char *what = t->kind == TAKE_BATCH ? "batch" : "table";
    if (t->kind != TAKE_INBOX && !op->manual && !op->every && !op->nafter)
        site_problem(l, &t->token, "SITE_TRIGGER", "add `manual`, `every 15m` or `after NAME` to it",
                     "nothing starts operation %.*s: one that takes a %s needs manual, every or after",
                     SLICE_ARG(op->name), what);
    if (t->kind == TAKE_INBOX && op->nafter)
        site_problem(l, &op->token, "SITE_AFTER", "`after` goes with `take batch` or `take table`",
                     "operation %.*s takes files, so it begins when one is there", SLICE_ARG(op->name));
    if (t->kind != TAKE_INBOX && (t->newest || t->ready_given || t->type.n || t->from.n || t->ncompanions))
        site_problem(l, &t->token, "SITE_TAKE", "leave it out",
                     "`newest`, `ready`, `type`, `from` and `companion` are about files of an inbox");
}

int operation_source(struct site_loading *l, struct operation *op)
{
    check_trigger(l, op);
    if (op->take.kind == TAKE_INBOX)
        return OK;
    return op->take.kind == TAKE_TABLE ? taken_table(l, op) : taken_batch(l, op);
}

/* ---- what is given ---------------------------------------------------------------------------------------------- */

static int stage_problem(struct site_loading *l, const struct give *g, const char *hint, const char *text)
{
    return site_problem(l, &g->token, "SITE_GIVE_BATCH", hint, "%s", text);
}

static int check_stage_words(struct site_loading *l, const struct give *g)
{
    const struct operation *op = g->operation;
    if (op->take.kind == TAKE_TABLE)
        return stage_problem(l, g, "take an inbox or a batch", "a table cannot be staged");
    if (g->new_batch && op->take.kind == TAKE_BATCH)
        return stage_problem(l, g, "leave out `new`", "a batch that is taken is there already");
    if (g->report || g->each || g->original || g->ncompanions)
        return stage_problem(l, g, "leave it out",
                             "`report`, `each`, `original` and `companion` do not go with `give batch`");
    if (op->stage)
        return stage_problem(l, g, "make two operations of it", "an operation stages once");
    return OK;
}

/* Whether a batch can be staged by this give; its mapping is checked once it is loaded. */
int stage_give(struct site_loading *l, struct give *g)
{
    struct operation *op = g->operation;
    const struct flow *f = op->flow;
    if (!f->batch)
        return f->batch_ref.n ? STOP
            : site_problem(l, &g->token, "SITE_NO_BATCH", "add `batch FORMAT` to the flow",
                           "flow %.*s has no format for staged documents", SLICE_ARG(f->name));
    if (check_stage_words(l, g) != OK)
        return STOP;
    op->stage = g;
    return OK;
}

int stage_mapping(struct site_loading *l, const struct give *g)
{
    const struct flow *f = g->operation->flow;
    if (g->to != f->batch)
        return site_problem(l, &g->map_token, "SITE_FORMATS", "the mapping must write the format of the batch",
                            "%.*s writes %.*s, flow %.*s stages %.*s", SLICE_ARG(g->mapping->name),
                            SLICE_ARG(g->to->name), SLICE_ARG(f->name), SLICE_ARG(f->batch->name));
    if (g->operation->answers && g->operation->answers->answer->by_order)
        return OK;                                  /* it is that of the call under way */
    if (!g->new_batch && !mapping_keyed(g->mapping, g->direction))
        return site_problem(l, &g->map_token, "SITE_GIVE_BATCH", "add `key … => …` to its message row",
                            "%.*s does not say which staged message it changes", SLICE_ARG(g->mapping->name));
    return OK;
}

/* ---- done ------------------------------------------------------------------------------------------------------- */

static bool takes_messages(const struct operation *op)
{
    for (size_t i = 0; i < op->ngives; i++)
        if (!op->gives[i]->report)
            return true;
    return false;
}

static void parse_stamp(struct site_loading *l, struct operation *op, const struct formula_site *s,
                        struct statement *st, size_t *cap)
{
    struct formula_path path;
    struct stamp stamp = { 0 };
    if (formula_row(s, st, &path, &stamp.value, l->ps) != OK)
        return;
    stamp.group = path.group;
    stamp.field = path.field;
    for (size_t i = 0; i < op->nstamps; i++)
        if (op->stamps[i].field == stamp.field)
            site_problem(l, &path.token, "SITE_TWICE", "leave one of them out", "two rows stamp the same field");
    ARENA_PUSH(l->arena, op->stamps, op->nstamps, *cap) = stamp;
}

void operation_done(struct site_loading *l, struct operation *op)
{
    size_t cap = 0;
    if (!op->done || !op->format)
        return;
    const struct token *t = &op->done->tokens[0];
    if (op->take.kind == TAKE_INBOX) {
        site_problem(l, t, "SITE_DONE", "`done` goes with `take batch` or `take table`",
                     "a file that was taken is not changed, so it cannot be stamped");
        return;
    }
    if (!takes_messages(op))
        site_problem(l, t, "SITE_DONE", "give them to something, or leave out `done`",
                     "operation %.*s takes no messages: reports only look at them", SLICE_ARG(op->name));
    struct formula_site s = formulas_of(l, op->flow, op, op->format);
    s.state = op->flow->track && op->format == op->flow->batch;
    for (struct statement *st = op->done->block; st; st = st->next)
        parse_stamp(l, op, &s, st, &cap);
    if (op->take.kind == TAKE_TABLE)
        site_fills(l, op->flow, op->take.table, t);
}
