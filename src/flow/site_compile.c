#include "flow/site_parse.h"
#include "format/type.h"

/* Loads the mapping of a give once per site. */
static int load_mapping(struct site_loading *l, struct give *g)
{
    const char *path = finder_find(&l->finder, l->arena, g->map_ref, ".map", l->site->file);
    if (!path) {
        struct slice near = finder_suggest(&l->finder, l->arena, g->map_ref, ".map", l->site->file);
        return site_problem(l, &g->map_token, "SITE_NO_MAP", near.n ? arena_cstr(l->arena, near)
                            : "it is looked up beside site.conf, then under mappings/",
                            "no mapping \"%.*s\"", SLICE_ARG(g->map_ref));
    }
    g->mapping = map_get(&l->mappings, slice_of(path));
    if (g->mapping)
        return OK;
    size_t errors = l->ps->errors, later = l->later;
    int rc = mapping_load(l->arena, &l->mapping_env, g->map_ref, l->site->file, &g->mapping, l->ps);
    if (rc != OK && rc != WARN) {
        g->mapping = NULL;
        return l->ps->errors > errors || l->later > later ? STOP
                                      : site_problem(l, &g->map_token, "SITE_NO_MAP", NULL,
                                                     "the mapping %.*s cannot be used", SLICE_ARG(g->map_ref));
    }
    map_put(&l->mappings, slice_of(path), g->mapping);
    return OK;
}

static int direct_mapping(struct site_loading *l, struct give *g)
{
    const struct mapping *m = g->mapping;
    g->direction = g->backward ? MAPPING_BACKWARD : MAPPING_FORWARD;
    g->from = g->backward ? m->right : m->left;
    g->to = g->backward ? m->left : m->right;
    if (g->backward && m->arrow == ARROW_RIGHT)
        return site_problem(l, &g->map_token, "SITE_MAP_WAY", "leave out `backward`, or write its header with `<=>`", "%.*s goes from left to right only",
                            SLICE_ARG(m->name));
    if (!g->backward && m->arrow == ARROW_LEFT)
        return site_problem(l, &g->map_token, "SITE_MAP_WAY", "add `backward`", "%.*s goes from right to left only",
                            SLICE_ARG(m->name));
    return OK;
}

int site_no_table(struct site_loading *l, const struct token *t, struct slice name)
{
    struct slice *list = arena_alloc(l->arena, (l->site->ntables + 1) * sizeof *list);
    for (size_t i = 0; i < l->site->ntables; i++)
        list[i] = l->site->tables[i]->name;
    struct slice near = problem_suggest(l->arena, name, list, l->site->ntables);
    struct token at = site_token(l, t, name);
    return site_problem(l, &at, "SITE_NO_TABLE",
                        near.n ? arena_cstr(l->arena, near) : "declare it: `table NAME \"file\" format F filled by …`",
                        "no table %.*s", SLICE_ARG(name));
}

int site_fills(struct site_loading *l, const struct flow *f, const struct site_table *table, const struct token *t)
{
    for (size_t i = 0; i < table->nfilled; i++)
        if (slice_equal(table->filled[i], f->name) || !site_flow(l->site, table->filled[i]))
            return OK;              /* or a name that was told to be wrong, and may be meant to be this one */
    return site_problem(l, t, "SITE_FILLED", arena_cstr(l->arena,
                                                        arena_printf(l->arena, "add `filled by %.*s` to the table",
                                                                     SLICE_ARG(f->name))),
                        "flow %.*s may not fill table %.*s", SLICE_ARG(f->name), SLICE_ARG(table->name));
}

static int find_table(struct site_loading *l, struct give *g)
{
    struct site_table *table = g->table = site_table(l->site, g->table_name);
    if (!table)
        return site_no_table(l, &g->token, g->table_name);
    if (table->kind == TABLE_FILE && table->format_ref.n && !table->format)
        return STOP;                                /* told when the table was loaded */
    if (table->kind != TABLE_FILE || !table->format)
        return site_problem(l, &g->token, "SITE_TABLE", "only a table with a file and a format can be filled",
                            "table %.*s has no file", SLICE_ARG(table->name));
    return site_fills(l, g->operation->flow, table, &g->token);
}

/* The format of what the operation takes: all its mappings must read the same. */
static int agree(struct site_loading *l, struct operation *op, struct give *g, struct format *from)
{
    if (!op->format)
        op->format = from;
    if (op->format == from)
        return OK;
    return site_problem(l, &g->map_token, "SITE_FORMATS", "all mappings of one operation read the same format",
                        "this gives from %.*s, the operation takes %.*s", SLICE_ARG(from->name),
                        SLICE_ARG(op->format->name));
}

static int compile_give(struct site_loading *l, struct operation *op, struct give *g)
{
    if (g->kind == GIVE_TABLE && find_table(l, g) != OK)
        return STOP;
    if (g->kind == GIVE_BATCH && stage_give(l, g) != OK)
        return STOP;
    if (!g->map_ref.n)
        return OK;
    if (load_mapping(l, g) != OK || direct_mapping(l, g) != OK || agree(l, op, g, g->from) != OK)
        return STOP;
    if (g->kind == GIVE_BATCH)
        return stage_mapping(l, g);
    if (g->table && g->to != g->table->format)
        return site_problem(l, &g->map_token, "SITE_FORMATS", "the mapping must write the table's format", "%.*s writes %.*s, table %.*s has %.*s",
                            SLICE_ARG(g->mapping->name), SLICE_ARG(g->to->name), SLICE_ARG(g->table->name), SLICE_ARG(g->table->format->name));
    return OK;
}

/* Gives without a mapping pass the document on as it is. */
static int compile_plain(struct site_loading *l, struct operation *op, struct give *g)
{
    if (g->map_ref.n)
        return OK;
    if (g->table && agree(l, op, g, g->table->format) != OK)
        return STOP;
    if (g->kind == GIVE_BATCH && agree(l, op, g, op->flow->batch) != OK)
        return STOP;
    if (g->kind == GIVE_BATCH && !g->new_batch)
        return site_problem(l, &g->token, "SITE_GIVE_BATCH", "name a `map`",
                            "nothing says how the batch is changed");
    if (!op->format)
        return site_problem(l, &g->token, "SITE_FORMATS", "name a `map`",
                            "nothing says which format operation %.*s takes", SLICE_ARG(op->name));
    g->from = g->to = op->format;
    return OK;
}

/* Which columns of the table's rows a mapping writes: the others are kept when rows are merged. */
static void find_writes(struct site_loading *l, struct give *g)
{
    const struct group *row = g->to->nmessages ? g->to->messages[0] : NULL;
    struct correspondence *list = NULL;
    if (!row)
        return;
    g->writes = arena_zero(l->arena, row->nfields + 1);
    if (!g->mapping) {
        memset(g->writes, true, row->nfields);
        return;
    }
    size_t n = mapping_correspondences(l->arena, g->mapping, &list);
    for (size_t i = 0; i < n; i++) {
        const struct field *f = g->backward ? list[i].left_field : list[i].right_field;
        if (!f && !list[i].rule)
            f = group_field(row, g->backward ? list[i].left : list[i].right);
        if (f && f->group == row)
            g->writes[f->slot] = true;
    }
}

int operation_compile(struct site_loading *l, struct operation *op)
{
    size_t errors = l->ps->errors;
    int rc = operation_source(l, op);
    for (size_t i = 0; i < op->ngives; i++)
        if (compile_give(l, op, op->gives[i]) != OK)
            rc = STOP;
    if (rc != OK && op->flow->on && !op->flow->off)
        op->flow->off = "FMT_SYNTAX";               /* or the site as a whole is wrong */
    for (size_t i = 0; i < op->ngives && rc == OK && l->ps->errors == errors; i++)
        compile_plain(l, op, op->gives[i]);
    if (op->format && op->format->nmessages)
        op->message = op->format->messages[0];
    bool good = rc == OK && l->ps->errors == errors;
    for (size_t i = 0; i < op->ngives; i++) {
        struct give *g = op->gives[i];
        if (g->kind == GIVE_OUTBOX)
            name_compile(l, g);
        if (g->to && good)
            check_given_companions(l, g);
        if (g->kind == GIVE_TABLE && g->to && good) {
            find_writes(l, g);
            op->fills_table = true;
        }
        g->judges = g->mapping && !g->report && (op->done || g->kind == GIVE_BATCH || mapping_judges(g->mapping));
    }
    if (good) {
        check_taken_companions(l, op);
        operation_done(l, op);
    }
    op->fills_table = op->fills_table || (op->take.kind == TAKE_TABLE && op->nstamps);
    return l->ps->errors > errors ? STOP : OK;
}

static void bind_param(struct site_loading *l, struct operation *op, struct mapping_param *p)
{
    struct slice text = site_setting(op, p->name);
    struct value v = { 0 };
    struct fault fault = { 0 };
    if (!text.p) {
        if (p->required && !p->has_default && !op->manual)      /* else it may come with the command */
            site_keep_off(l, op->flow, &op->flow->on_token, "SITE_PARAM",
                          arena_cstr(l->arena, arena_printf(l->arena,
                                                            "add `set %.*s \"…\"`; the flow stays off until then",
                                                            SLICE_ARG(p->name))),
                          "flow %.*s: param %.*s is required and has no value", SLICE_ARG(op->flow->name),
                          SLICE_ARG(p->name));
        return;
    }
    if (site_setting_secret(op, p->name))
        p->field->flags |= FIELD_SENSITIVE;
    if (slice_is(text, "last-run")) {               /* the watermark: when this operation last delivered */
        op->reads_itself = op->last_run = true;
        return;
    }
    if (p->field->type == TYPE_BOOLEAN && (slice_is(text, "yes") || slice_is(text, "no")))
        return;
    if (type_read(p->field, param_spelling(l->arena, p, text), l->arena, &v, &fault) != OK)
        site_problem(l, &op->token, "SITE_PARAM_VALUE", fault.hint.p ? arena_cstr(l->arena, fault.hint) : NULL,
                     "param %.*s: \"%.*s\" %.*s", SLICE_ARG(p->name),
                     SLICE_ARG(p->field->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : text), SLICE_ARG(fault.text));
}

static void mark_used(struct settings *sets, struct slice name)
{
    for (size_t i = 0; i < sets->n; i++)
        if (slice_equal(sets->list[i].name, name))
            sets->list[i].used = true;
}

static void use_param(struct operation *op, struct slice name)
{
    mark_used(&op->sets, name);
    mark_used(&op->flow->sets, name);
    mark_used(&op->flow->site->sets, name);
    mark_used(&op->flow->site->given, name);
}

/* The ledger of a flow keeps each field that a table over it asks for. */
static void keep_field(struct site_loading *l, struct flow *f, struct slice name, const struct token *t,
                       const struct site_table *table)
{
    bool found = false;
    for (size_t i = 0; i < f->noperations; i++) {
        struct operation *op = f->operations[i];
        const struct field *field = op->message ? group_field(op->message, name) : NULL;
        bool known = false;
        for (size_t k = 0; field && k < op->nkept; k++)
            known = known || op->kept[k].field == field;
        found = found || field || !op->message;
        size_t cap = op->nkept;
        if (field && !known)
            ARENA_PUSH(l->arena, op->kept, op->nkept, cap) = (struct kept_field){ .name = name, .field = field };
    }
    if (!found)
        site_problem(l, t, "SITE_COLUMN", "a field of the messages that the flow takes", "table %.*s: flow %.*s takes no field %.*s",
                     SLICE_ARG(table->name), SLICE_ARG(f->name), SLICE_ARG(name));
}

struct slice kept_whether(struct arena *a, struct slice field)
{
    return arena_printf(a, "when/%.*s", SLICE_ARG(field));
}

static void keep_staged(struct site_loading *l, struct flow *f, struct kept_field kept)
{
    size_t cap = f->nkept;
    for (size_t i = 0; i < f->nkept; i++)
        if (f->kept[i].field == kept.field && f->kept[i].how == kept.how)
            return;
    ARENA_PUSH(l->arena, f->kept, f->nkept, cap) = kept;
}

/* The ledger gets a record of a staged message whenever it changes. */
static void keep_staged_field(struct site_loading *l, struct flow *f, struct slice name, const struct site_table *t)
{
    const struct field *field = group_field(f->batch_group, name);
    if (!field) {
        site_problem(l, &t->token, "SITE_COLUMN", "a field of the message that the flow stages",
                     "table %.*s: the staged messages of flow %.*s have no field %.*s", SLICE_ARG(t->name),
                     SLICE_ARG(f->name), SLICE_ARG(name));
        return;
    }
    keep_staged(l, f, (struct kept_field){ .name = name, .field = field });
    if (!slice_equal(name, t->when))
        return;
    keep_staged(l, f, (struct kept_field){ .name = kept_whether(l->arena, name), .field = field, .how = KEPT_WHETHER });
    keep_staged(l, f, (struct kept_field){ .name = SLICE("/batch"), .how = KEPT_BATCH });
}

static void keep_column(struct site_loading *l, struct flow *f, struct slice name, const struct site_table *t)
{
    if (f->batch)
        keep_staged_field(l, f, name, t);
    else if (!f->batch_ref.n)
        keep_field(l, f, name, &t->token, t);
}

/* A column of a table `of open`: a field of the tracked instances, of what they lie in, or their batch. */
static bool is_open_column(const struct flow *f, struct slice name)
{
    const struct group *g = f->track ? f->track : f->batch_group;
    if (slice_is(name, "Batch"))
        return true;
    for (; g; g = g->is_message ? NULL : g->parent)
        if (group_field(g, name))
            return true;
    return !f->batch;               /* what is wrong there was told */
}

static bool has_column(const struct site_table *t, const struct operation *op, struct slice name)
{
    const struct group *row = t->kind == TABLE_OF_BATCH ? op->message : t->format && t->format->nmessages
        ? t->format->messages[0] : NULL;
    if (t->kind == TABLE_OF_OPEN)
        return is_open_column(op->flow, name);
    if (t->kind == TABLE_ROWS) {
        for (size_t i = 0; i < t->ncolumns; i++)
            if (slice_equal(t->columns[i], name))
                return true;
        return false;
    }
    return !row || group_field(row, name) != NULL;
}

static void bind_columns(struct site_loading *l, struct operation *op, struct give *g, struct site_table *t,
                         const struct slice *names, size_t n)
{
    struct flow *of = t->kind == TABLE_OF_FLOW ? site_flow(l->site, t->flow) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (of)
            keep_column(l, of, names[i], t);
        else if (!of && !has_column(t, op, names[i]))
            site_problem(l, &g->map_token, "SITE_COLUMN", NULL, "mapping %.*s needs column %.*s, table %.*s has none",
                         SLICE_ARG(g->mapping->name), SLICE_ARG(names[i]), SLICE_ARG(t->name));
    }
}

static void bind_table(struct site_loading *l, struct operation *op, struct give *g, const struct mapping_table *m)
{
    struct site_table *t = site_table(l->site, m->name);
    if (!t) {
        if (!m->optional)
            site_problem(l, &g->map_token, "SITE_NO_TABLE",
                         arena_cstr(l->arena, arena_printf(l->arena, "declare `table %.*s …` in the site",
                                                           SLICE_ARG(m->name))),
                         "mapping %.*s needs table %.*s", SLICE_ARG(g->mapping->name), SLICE_ARG(m->name));
        return;
    }
    if (t->kind == TABLE_FILE && !t->format && op->flow->on && !op->flow->off)
        op->flow->off = "FMT_SYNTAX";
    bind_columns(l, op, g, t, m->keys, m->nkeys);
    bind_columns(l, op, g, t, m->columns, m->ncolumns);
    if (t->kind == TABLE_OF_FLOW) {
        bind_columns(l, op, g, t, t->keep, t->nkeep);
        bind_columns(l, op, g, t, &t->when, t->when.n > 0);
    }
    if (t->kind == TABLE_OF_FLOW && slice_equal(t->flow, op->flow->name))
        op->reads_itself = true;
    if (t->kind == TABLE_OF_OPEN && !op->flow->batch_ref.n)
        site_problem(l, &g->map_token, "SITE_NO_BATCH", "add `batch FORMAT` to the flow",
                     "flow %.*s stages nothing, so table %.*s `of open` has no rows", SLICE_ARG(op->flow->name),
                     SLICE_ARG(t->name));
}

/* What a batch or table holds, and what changes a batch, came before on purpose. */
static bool takes_new(const struct operation *op)
{
    return op->take.kind == TAKE_INBOX && (!op->stage || op->stage->new_batch);
}

/* `duplicates key reject`: the ledger keeps the key fields, and messages look themselves up in it. */
static void bind_key(struct site_loading *l, struct operation *op)
{
    const struct group *g = op->message;
    if (op->flow->duplicates[DUPLICATE_KEY] == DUPLICATE_PROCESS || !g || !takes_new(op))
        return;
    if (!g->nkeys) {
        site_warning(l, &op->flow->token, "SITE_NO_KEY", "add `key …` to its `message`", "%.*s has no key, so `duplicates key` finds nothing",
                     SLICE_ARG(op->format->name));
        return;
    }
    size_t cap = op->nkept;
    for (size_t i = 0; i < g->nkeys; i++) {
        bool known = g->keys[i].group != NULL;
        for (size_t k = 0; k < op->nkept; k++)
            known = known || op->kept[k].field == g->keys[i].field;
        if (!known)
            ARENA_PUSH(l->arena, op->kept, op->nkept, cap) =
                (struct kept_field){ .name = g->keys[i].field->name, .field = g->keys[i].field };
    }
    op->duplicates_key = op->reads_itself = true;
}

struct slice site_param_missing(const struct operation *op, const struct settings *run, const struct mapping *m)
{
    for (size_t i = 0; m && i < m->nparams; i++) {
        const struct mapping_param *p = &m->params[i];
        bool given = !p->required || p->has_default || site_setting(op, p->name).p;
        for (size_t k = 0; run && k < run->n; k++)
            given = given || slice_equal(run->list[k].name, p->name);
        if (!given)
            return p->name;
    }
    return SLICE("");
}

struct slice operation_param_missing(const struct operation *op, const struct settings *run)
{
    struct slice name = SLICE("");
    for (size_t i = 0; i < op->ngives && !name.n; i++)
        if (op->gives[i]->on)
            name = site_param_missing(op, run, op->gives[i]->mapping);
    return name;
}

static struct slice setting_of(void *owner, struct slice name)
{
    struct slice text = site_setting(owner, name);
    return slice_is(text, "last-run") ? slice_none() : text;
}

/* A `require` that params alone decide is judged before the flow is switched on; for an operation by hand the params
   may come with the command, so it is judged when it runs. */
static void judge_settings(struct site_loading *l, struct operation *op, const struct give *g)
{
    struct outside o = { .owner = op, .param = setting_of };
    struct problems said;
    problems_init(&said, l->arena, 4);
    if (!op->flow->on || op->manual || site_param_missing(op, NULL, g->mapping).n ||
        run_settings(l->arena, g->mapping, g->direction, &o, &said) == OK)
        return;
    for (const struct problem *p = said.first; p; p = p->next)
        if (p->severity == PROBLEM_ERROR)
            site_keep_off(l, op->flow, &g->token, p->code, p->hint.p ? arena_cstr(l->arena, p->hint)
                          : arena_cstr(l->arena, arena_printf(l->arena, "%s:%u asks for it; the flow stays off until then",
                                                              g->mapping->file, p->place.line)),
                          "flow %.*s: %.*s", SLICE_ARG(op->flow->name), SLICE_ARG(p->text));
}

void operation_bind(struct site_loading *l, struct operation *op)
{
    for (size_t i = 0; i < op->ngives; i++) {
        struct give *g = op->gives[i];
        size_t errors = l->ps->errors;
        if (!g->mapping)
            continue;
        for (size_t k = 0; k < g->mapping->nparams; k++) {
            use_param(op, g->mapping->params[k].name);
            if (g->on && op->on)
                bind_param(l, op, &g->mapping->params[k]);
        }
        mapping_hide(l->arena, g->mapping);         /* a param may be a secret */
        for (size_t k = 0; k < g->mapping->ntables; k++)
            if (!g->mapping->tables[k].local)
                bind_table(l, op, g, &g->mapping->tables[k]);
        if (g->on && op->on && l->ps->errors == errors)
            judge_settings(l, op, g);
    }
    bind_key(l, op);
    op->numbers = l->site->nsequences > 0;
}
