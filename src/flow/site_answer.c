#include "base/file.h"
#include "flow/site_parse.h"

/* `answer inbox "inbox/answers" map M [ready …] [by order] [within 10m]` */

static int parse_word(struct cursor *c, struct give_answer *a, struct operation *op, struct give *g)
{
    static const char *const words[] = { "inbox", "map", "ready", "by", "within", NULL };
    struct take *t = &op->take;
    if (cursor_take(c, "inbox")) {
        int rc = word_string(c, &t->folder, "the folder of the inbox");
        if (rc == OK)
            t->path = file_join(c->l->arena, c->l->site->dir, arena_cstr(c->l->arena, t->folder));
        return rc;
    }
    if (cursor_take(c, "map")) {
        g->map_token = *cursor_token(c);
        return word_ref(c, &g->map_ref, "the name of a mapping");
    }
    if (cursor_take(c, "ready"))
        return parse_ready(c, t);
    if (cursor_take(c, "by")) {
        a->by_order = true;
        return cursor_take(c, "order") ? OK : word_unknown(c, (const char *const[]){ "order", NULL });
    }
    return cursor_take(c, "within") ? word_duration(c, &a->within) : word_unknown(c, words);
}

/* The operation that takes the answers: one give, into the batch. */
static struct give_answer *new_answer(struct site_loading *l, struct give *of, const struct token *t)
{
    struct give_answer *a = arena_zero(l->arena, sizeof *a);
    struct operation *op = a->operation = arena_zero(l->arena, sizeof *op);
    struct give *g = arena_zero(l->arena, sizeof *g);
    a->token = *t;
    *op = (struct operation){ .flow = of->operation->flow, .on = true, .answers = of, .token = *t,
                              .own_duplicates = true, .duplicates = DUPLICATE_PROCESS,      /* "ok", again and again */
                              .take = { .kind = TAKE_INBOX, .stable = -1, .token = *t } };
    *g = (struct give){ .kind = GIVE_BATCH, .operation = op, .on = true, .token = *t, .map_token = *t };
    LIST_PUSH(l, op, gives, ngives, g);
    return a;
}

int parse_answer(struct site_loading *l, struct statement *s, struct give *of)
{
    struct cursor c = { l, s, 0 };
    if (!cursor_take(&c, "answer"))
        return word_unknown(&c, (const char *const[]){ "answer", NULL });
    if (of->answer)
        return site_problem(l, &s->tokens[0], "SITE_TWICE", "leave one of them out", "a give has one answer");
    struct give_answer *a = new_answer(l, of, &s->tokens[0]);
    int rc = OK;
    while (rc == OK && cursor_more(&c))
        rc = parse_word(&c, a, a->operation, a->operation->gives[0]);
    if (rc == OK && (!a->operation->take.folder.n || !a->operation->gives[0]->map_ref.n))
        rc = site_problem(l, &a->token, "SITE_ANSWER", "`answer inbox \"inbox/NAME\" map NAME`",
                          "an answer needs an inbox and a mapping");
    of->answer = a;
    return rc;
}

/* OPERATION.MAP, so that a log tells what an answer was about. */
static struct slice name_of(struct site_loading *l, const struct flow *f, const struct give *g)
{
    struct slice map = g->answer->operation->gives[0]->map_ref;
    const char *slash = map.n ? memrchr(map.p, '/', map.n) : NULL;
    if (slash)
        map = slice_range(slash + 1, map.p + map.n);
    struct slice name = arena_printf(l->arena, "%.*s.%.*s", SLICE_ARG(g->operation->name), SLICE_ARG(map));
    if (!flow_operation(f, name))
        return name;
    return arena_printf(l->arena, "%.*s.%u", SLICE_ARG(name), g->index + 1);
}

void push_answers(struct site_loading *l, struct flow *f)
{
    size_t n = f->noperations;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < f->operations[i]->ngives; k++) {
            struct give *g = f->operations[i]->gives[k];
            if (!g->answer)
                continue;
            g->answer->operation->name = name_of(l, f, g);
            g->answer->operation->index = (uint32_t)f->noperations;
            LIST_PUSH(l, f, operations, noperations, g->answer->operation);
        }
}

static bool makes_batch_of(const struct flow *f, const struct format *format)
{
    for (size_t i = 0; i < f->noperations; i++)
        if (f->operations[i]->stage && f->operations[i]->stage->new_batch && f->operations[i]->format == format)
            return true;
    return false;
}

/* The file that the batch was made of is read once more, by the format that is given. */
static void check_original(struct site_loading *l, const struct operation *op, const struct give *g)
{
    if (op->take.kind != TAKE_BATCH || g->kind != GIVE_OUTBOX || !g->mapping || g->each || g->report || g->answer ||
        g->ncompanions)
        site_problem(l, &g->token, "SITE_GIVE", "`take batch` and `give outbox \"…\" name \"…\" map NAME backward original`",
                     "`original` writes the file that a batch was made of, as a whole");
    else if (!makes_batch_of(op->flow, g->to))
        site_problem(l, &g->map_token, "SITE_FORMATS", "the mapping by which the batch was made",
                     "no operation of flow %.*s makes a batch of a file that is %.*s", SLICE_ARG(op->flow->name),
                     SLICE_ARG(g->to->name));
}

void check_originals(struct site_loading *l, const struct flow *f)
{
    for (size_t i = 0; i < f->noperations; i++)
        for (size_t k = 0; k < f->operations[i]->ngives; k++)
            if (f->operations[i]->gives[k]->original)
                check_original(l, f->operations[i], f->operations[i]->gives[k]);
}

static void check_give(struct site_loading *l, const struct operation *op, const struct give *g)
{
    const struct give_answer *a = g->answer;
    if (op->take.kind != TAKE_BATCH || g->kind != GIVE_OUTBOX || g->report)
        site_problem(l, &a->token, "SITE_ANSWER", "`take batch` and `give outbox \"…\" … map NAME { answer … }`",
                     "only what is given of a batch, into an outbox, can be answered into the batch");
    if (a->by_order && !op->serial)
        site_problem(l, &a->token, "SITE_ANSWER", "add `serial yes` to the operation",
                     "answers `by order` name no message, so one call after another is to be made");
    if (a->within && !op->serial)
        site_problem(l, &a->token, "SITE_ANSWER", "add `serial yes` to the operation",
                     "only an operation that waits for its answers knows that one is late");
}

void check_answers(struct site_loading *l, const struct operation *op)
{
    bool any = false;
    for (size_t i = 0; i < op->ngives; i++) {
        any = any || op->gives[i]->answer;
        if (op->gives[i]->answer)
            check_give(l, op, op->gives[i]);
        if (op->gives[i]->kind == GIVE_TABLE && (op->gives[i]->each || op->gives[i]->report))
            site_problem(l, &op->gives[i]->token, "SITE_GIVE", "leave it out",
                         "`each` and `report` are about files of an outbox, not about a table");
    }
    if (op->serial && !any)
        site_problem(l, &op->token, "SITE_ANSWER", "leave out `serial yes`, or add `{ answer inbox \"…\" map NAME }`",
                     "operation %.*s has nothing to wait for", SLICE_ARG(op->name));
}
