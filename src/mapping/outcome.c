/* outcome - the tree of $outcome that reports read. */
#include "mapping/mapping.h"

#include "program.h"

enum { PROBLEM_OUTCOME, PROBLEM_CODE, PROBLEM_TEXT, PROBLEM_KEY, PROBLEM_LINE, PROBLEM_FIELD, PROBLEM_VALUE,
       PROBLEM_OPERATION, PROBLEM_TIME };

struct format *outcome_format(struct arena *a)
{
    static const char *const texts[] = { "State", "Code", "Reason", "Text" };
    static const char *const problem[] = { "Outcome", "Code", "Text", "Key", "Line", "Field", "Value", "Operation" };
    static const char *const tried[] = { "Key", "Code", "Text" };
    struct format *f;
    struct group *file = format_new(a, "outcome", "none", &f);
    struct group *o = group_add(a, file, "outcome", 0, OCCURS_MANY);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        group_add_field(a, o, texts[i], TYPE_TEXT);
    struct group *p = group_add(a, o, "Problem", 0, OCCURS_MANY);
    for (size_t i = 0; i < sizeof problem / sizeof *problem; i++)
        group_add_field(a, p, problem[i], TYPE_TEXT);
    group_add_field(a, p, "Time", TYPE_DATETIME);
    struct group *t = group_add(a, o, "Tried", 0, OCCURS_MANY);
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
        group_add_field(a, t, tried[i], TYPE_TEXT);
    return f;
}

static void set(struct node *n, size_t slot, struct slice s)
{
    if (s.n)
        n->values[slot] = (struct value){ .p = s.p, .n = (uint32_t)s.n, .state = VALUE_PRESENT, .at = VALUE_NO_PLACE };
}

/* Is it about a line, not about the message itself? */
static bool about_line(const struct finding *f, const struct node *message)
{
    return f->node ? f->node != message : f->line.n > 0;
}

static bool counts(const struct finding *f, const struct node *message)
{
    return f->kind != OUTCOME_SKIP || !about_line(f, message);
}

void outcome_add(struct outcome *o, struct finding *f, const struct node *message)
{
    if (o->last)
        o->last->next = f;
    else
        o->first = f;
    o->last = f;
    o->n++;
    if (f->kind > o->kind && counts(f, message))
        o->kind = f->kind;
}

/* The finding that decides: the worst, the first of those; of a message that lost all its lines, the first skip. */
static const struct finding *deciding(const struct outcome *o, const struct node *message)
{
    const struct finding *best = NULL;
    for (const struct finding *f = o->first; f; f = f->next) {
        bool decides = o->kind == OUTCOME_SKIP ? f->kind == OUTCOME_SKIP : counts(f, message);
        if (decides && (!best || f->kind > best->kind))
            best = f;
    }
    return best;
}

static struct slice joined_texts(struct arena *a, const struct outcome *o)
{
    struct slice out = SLICE("");
    for (const struct finding *f = o->first; f; f = f->next)
        if (f->text.n)
            out = out.n ? arena_printf(a, "%.*s; %.*s", SLICE_ARG(out), SLICE_ARG(f->text)) : f->text;
    return out;
}

/* Its key; a line without one is known by its place. */
static struct slice line_name(struct arena *a, const struct node *n)
{
    struct slice key = node_key(a, n);
    return key.n || n->group->is_message ? key : node_path(a, n, NULL);
}

static void add_problem(struct arena *a, struct node *n, const struct finding *f, const struct outcome *o,
                        const struct node *message)
{
    struct node *p = node_add(a, n, n->group->groups[0]);
    set(p, PROBLEM_OUTCOME, slice_of(outcome_names[f->kind]));
    set(p, PROBLEM_CODE, f->code);
    set(p, PROBLEM_TEXT, f->text);
    set(p, PROBLEM_KEY, f->key);
    if (f->line.n)
        set(p, PROBLEM_LINE, f->line);
    else if (f->node && f->node != message)
        set(p, PROBLEM_LINE, line_name(a, f->node));
    set(p, PROBLEM_FIELD, f->field);
    set(p, PROBLEM_VALUE, f->value);
    set(p, PROBLEM_OPERATION, f->operation.n ? f->operation : o->operation);
    set(p, PROBLEM_TIME, f->time.n ? f->time : o->time);
}

static void add_tried(struct arena *a, struct node *o, const struct tried *t)
{
    struct node *n = node_add(a, o, o->group->groups[1]);
    set(n, 0, t->key);
    set(n, 1, t->code);
    set(n, 2, t->text);
}

struct node *outcome_node(struct arena *a, const struct format *f, struct node *message, const struct outcome *o)
{
    const struct group *g = f->file_group->groups[0];
    struct node *n = node_new(a, g, message);
    const struct finding *worst = deciding(o, message);
    set(n, 0, slice_of(outcome_states[o->kind]));
    if (worst)
        set(n, 1, worst->code);
    set(n, 2, o->reason.n || !worst ? o->reason : worst->code);
    set(n, 3, joined_texts(a, o));
    for (const struct finding *x = o->first; x; x = x->next)
        add_problem(a, n, x, o, message);
    for (const struct tried *t = o->tried; t; t = t->next)
        if (t->kind == TRIED_FAILED && !t->line.n)
            add_tried(a, n, t);
    message->outcome = n;
    return n;
}
