#include <string.h>

#include "cmd/asking.h"
#include "format/type.h"

enum { NAMES_MAX = 256 };

static struct slice suggest(struct asking *k, struct slice name, const struct slice *list, size_t n, struct slice other)
{
    struct slice near = problem_suggest(k->cmd->arena, name, list, n);
    return near.p ? near : other;
}

static void say(struct asking *k, const char *code, struct slice value, const char *text, struct slice hint)
{
    problem_add(k->cmd->problems, &(struct problem){
        .severity = PROBLEM_ERROR, .code = code, .place = { .file = k->site->file, .offset = PLACE_NO_OFFSET },
        .value = value, .text = slice_of(text), .hint = hint });
}

/* --- flow and operation ------------------------------------------------------------------------------------------- */

static bool is_on(const struct flow *f)
{
    return f->on && !f->off;
}

/* The site may say in its own language what a flow that is off means to its people. */
static void tell_off(struct asking *k, const struct flow *f)
{
    const char *code = f->off ? f->off : "SITE_SWITCHED_OFF";
    struct slice own = site_text(k->site, code);
    if (own.p)
        say(k, code, f->name, arena_cstr(k->cmd->arena, own), slice_none());
    else
        say(k, code, f->name, "is a flow that is off", SLICE("write `on yes` in it"));
}

static bool take(struct asking *k, const struct flow *f, const struct operation *op)
{
    if (!is_on(f)) {
        tell_off(k, f);
        return false;
    }
    if (op->manual && !op->on) {
        say(k, "SITE_SWITCHED_OFF", op->name, "is an operation that is off", SLICE("write `on yes` in it"));
        return false;
    }
    k->flow = f;
    k->operation = op;
    k->request.flow = f->name;
    k->request.operation = op->name;
    return true;
}

static struct slice list_of(struct asking *k, const char *what, const struct slice *names, size_t n)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : what, SLICE_ARG(names[i]));
    struct slice text = arena_copy(k->cmd->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* A batch where a flow is named is a slip of the hand. */
static struct slice batch_meant(struct asking *k, struct slice name)
{
    struct problems unused;
    struct waybill *w;
    problems_init(&unused, k->cmd->arena, 1);
    if (batch_find(&k->places.site, k->cmd->arena, arena_cstr(k->cmd->arena, name), &w, &unused) != OK)
        return slice_none();
    return arena_printf(k->cmd->arena, "it is a batch: write --batch %.*s", SLICE_ARG(name));
}

static bool find_in_flow(struct asking *k, struct slice flow, struct slice name)
{
    struct slice names[NAMES_MAX];
    size_t n = 0;
    const struct flow *f = site_flow(k->site, flow);
    for (; !f && n < k->site->nflows && n < NAMES_MAX; n++)
        names[n] = k->site->flows[n]->name;
    if (!f) {
        struct slice batch = batch_meant(k, flow);
        say(k, "SITE_NO_FLOW", flow, "is no flow of this site",
            batch.p ? batch : suggest(k, flow, names, n, list_of(k, "its flows are ", names, n)));
        return false;
    }
    const struct operation *op = flow_operation(f, name);
    for (size_t i = 0; i < f->noperations && n < NAMES_MAX; i++)
        if (!f->operations[i]->answers)             /* those only answers begin */
            names[n++] = f->operations[i]->name;
    if (op && !op->answers)
        return take(k, f, op);
    say(k, "SITE_NO_OPERATION", name,
        arena_printf(k->cmd->arena, "is no operation of flow %.*s", SLICE_ARG(f->name)).p,
        suggest(k, name, names, n, list_of(k, "it has ", names, n)));
    return false;
}

/* The only flow that has it, those that are off last. */
static bool find_anywhere(struct asking *k, struct slice name)
{
    struct slice names[NAMES_MAX];
    const struct flow *last = NULL;
    size_t n = 0;
    for (int on = 1; on >= 0 && n == 0; on--) {
        for (size_t i = 0; i < k->site->nflows && n < NAMES_MAX; i++) {
            const struct flow *f = k->site->flows[i];
            if (is_on(f) != on || !flow_operation(f, name))
                continue;
            names[n++] = f->name;
            last = f;
        }
    }
    if (n == 1)
        return take(k, last, flow_operation(last, name));
    if (n > 1)
        say(k, "SITE_NO_FLOW", name, "is an operation of several flows",
            list_of(k, "name one of the flows: ", names, n));
    else
        say(k, "SITE_NO_OPERATION", name, "is no operation of any flow",
            SLICE("`waybill do FLOW OPERATION` runs any one by its name"));
    return false;
}

bool asking_find_operation(struct asking *k, struct slice flow, struct slice name)
{
    return flow.n ? find_in_flow(k, flow, name) : find_anywhere(k, name);
}

/* --- the batch ---------------------------------------------------------------------------------------------------- */

struct ids {
    struct arena *arena;
    struct slice list[NAMES_MAX];
    size_t n;
};

static int add_id(void *owner, const char *id)
{
    struct ids *ids = owner;
    if (ids->n < NAMES_MAX)
        ids->list[ids->n++] = arena_copy(ids->arena, slice_of(id));
    return OK;
}

static bool no_batch(struct asking *k, const char *id)
{
    struct ids ids = { .arena = k->cmd->arena };
    batch_each(&k->places.site, false, add_id, &ids, k->cmd->problems);
    batch_each(&k->places.site, true, add_id, &ids, k->cmd->problems);
    say(k, "BATCH_NONE", slice_of(id), "is no batch of this site",
        suggest(k, slice_of(id), ids.list, ids.n, SLICE("`waybill status` lists those at work")));
    return false;
}

/* An operation needs an open batch of its flow; the other requests say themselves what they can be about. */
static bool fits(struct asking *k)
{
    const struct waybill *w = k->batch;
    if (!k->operation)
        return true;
    if (!slice_equal(w->flow, k->flow->name)) {
        say(k, "BATCH_OTHER_FLOW", w->batch, "is a batch of another flow",
            arena_printf(k->cmd->arena, "it belongs to %.*s", SLICE_ARG(w->flow)));
        return false;
    }
    if (batch_is_open(w))
        return true;
    say(k, "BATCH_NOT_OPEN", w->batch, "is not open: an operation cannot take it",
        arena_printf(k->cmd->arena, "it is %s; `waybill status` lists the open ones", place_names[w->place]));
    return false;
}

bool asking_find_batch(struct asking *k, const char *id)
{
    int rc = batch_find(&k->places.site, k->cmd->arena, id, &k->batch, k->cmd->problems);
    if (rc == END)
        return no_batch(k, id);
    if (rc > WARN)
        return false;
    k->request.batch = k->batch->batch;
    k->flow = k->flow ? k->flow : site_flow(k->site, k->batch->flow);
    return fits(k);
}

/* --- params ------------------------------------------------------------------------------------------------------- */

static const struct mapping_param *find_param(const struct operation *op, struct slice name)
{
    for (size_t g = 0; g < op->ngives; g++) {
        const struct mapping *m = op->gives[g]->mapping;
        for (size_t i = 0; m && i < m->nparams; i++) {
            if (slice_equal(m->params[i].name, name))
                return &m->params[i];
        }
    }
    return NULL;
}

static size_t param_names(const struct operation *op, struct slice *out, bool times)
{
    size_t n = 0;
    for (size_t g = 0; g < op->ngives; g++) {
        const struct mapping *m = op->gives[g]->mapping;
        for (size_t i = 0; m && i < m->nparams && n < NAMES_MAX; i++) {
            enum type t = m->params[i].field->type;
            if (times && t != TYPE_DATE && t != TYPE_DATETIME)
                continue;
            bool known = false;
            for (size_t o = 0; o < n; o++)
                known = known || slice_equal(out[o], m->params[i].name);
            if (!known)
                out[n++] = m->params[i].name;
        }
    }
    return n;
}

static bool set(struct asking *k, struct slice name, struct slice text)
{
    struct slice names[NAMES_MAX];
    struct fault fault = { 0 };
    struct value v = { 0 };
    const struct mapping_param *p = find_param(k->operation, name);
    if (!p) {
        say(k, "PARAM_UNKNOWN", name, "is no param of the operation",
            suggest(k, name, names, param_names(k->operation, names, false),
                    SLICE("`waybill describe MAPPING` lists them")));
        return false;
    }
    struct slice value = param_spelling(k->cmd->arena, p, text);
    bool good = p->field->type == TYPE_BOOLEAN && (slice_is(value, "yes") || slice_is(value, "no"));
    if (!good && value.n)
        good = type_read(p->field, arena_copy(k->cmd->arena, value), k->cmd->arena, &v, &fault) == OK;
    if (!good) {
        problem_add(k->cmd->problems, &(struct problem){
            .severity = PROBLEM_ERROR, .code = "PARAM_BAD", .place = PLACE_NONE, .path = name,
            .value = p->field->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : text,
            .text = value.n ? fault.text : SLICE("needs a value"),
            .hint = fault.hint.p ? fault.hint
                                 : arena_printf(k->cmd->arena, "its type is %s", type_names[p->field->type]) });
        return false;
    }
    waybill_param(&k->request.sets, k->cmd->arena, name, value);
    return true;
}

/* The moment from which on changes are taken: whatever the mapping calls that param. */
static bool set_since(struct asking *k, const char *text)
{
    struct slice names[NAMES_MAX];
    size_t n = param_names(k->operation, names, true);
    for (size_t i = 0; i < n && n > 1; i++) {
        if (slice_is(names[i], "since")) {
            names[0] = names[i];
            n = 1;
        }
    }
    if (n == 1)
        return set(k, names[0], slice_of(text));
    say(k, "PARAM_UNKNOWN", SLICE("--since"),
        n ? "could mean several params of the operation" : "means nothing: the operation has no param that is a time",
        n ? SLICE("use --set NAME=TIME") : SLICE("leave it out"));
    return false;
}

static bool check_missing(struct asking *k)
{
    struct setting list[NAMES_MAX];
    struct settings given = { .list = list };
    for (const struct waybill_param *p = k->request.sets; p && given.n < NAMES_MAX; p = p->next)
        list[given.n++] = (struct setting){ .name = p->name, .value = p->value };
    struct slice name = operation_param_missing(k->operation, &given);
    if (!name.n)
        return true;
    const struct mapping_param *p = find_param(k->operation, name);
    say(k, "MAP_PARAM_MISSING", p && p->title.n ? p->title : name, "has no value: the operation needs one",
        arena_printf(k->cmd->arena, "add --set %.*s=… (a %s)", SLICE_ARG(name), p ? type_names[p->field->type] : "value"));
    return false;
}

bool asking_sets(struct asking *k)
{
    const struct cmd_args *args = &k->args;
    bool good = true;
    for (int i = 0; i < args->nrepeated; i++) {
        if (args->repeated_letter[i] == 'S')
            good = set_since(k, args->repeated[i]) && good;
        if (args->repeated_letter[i] != 's')
            continue;
        const char *equal = strchr(args->repeated[i], '=');
        if (!equal) {
            say(k, "PARAM_BAD", slice_of(args->repeated[i]), "is no setting", SLICE("write --set NAME=VALUE"));
            return false;
        }
        good = set(k, slice_range(args->repeated[i], equal), slice_of(equal + 1)) && good;
    }
    return good && check_missing(k);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

bool asking_selection(struct asking *k)
{
    for (int i = 0; i < k->args.nrepeated; i++) {
        if (k->args.repeated_letter[i] == 'm')
            waybill_param(&k->request.keys, k->cmd->arena, slice_of(k->args.repeated[i]), SLICE(""));
    }
    return true;
}

static size_t member_names(const struct group *g, struct slice *out)
{
    size_t n = 0;
    for (size_t i = 0; i < g->nmembers && n < NAMES_MAX; i++)
        out[n++] = g->members[i].field ? g->members[i].field->name : g->members[i].group->name;
    return n;
}

static bool bad_path(struct asking *k, const struct group *g, struct slice path, struct slice name, const char *text)
{
    struct slice names[NAMES_MAX];
    say(k, "AMEND_PATH", path, text, suggest(k, name, names, member_names(g, names),
                                             SLICE("write it like Quantity or Line[2]/Quantity")));
    return false;
}

/* `Line[2]/Quantity` below the staged message: the field, or NULL, said. */
static const struct field *find_field(struct asking *k, struct slice path)
{
    const struct group *g = k->flow->batch_group;
    struct slice rest = path;
    for (;;) {
        const char *slash = memchr(rest.p, '/', rest.n);
        struct slice step = slash ? slice_range(rest.p, slash) : rest;
        const char *bracket = memchr(step.p, '[', step.n);
        struct slice name = bracket ? slice_range(step.p, bracket) : step;
        if (!slash) {
            const struct field *f = bracket ? NULL : group_field(g, name);
            if (!f)
                bad_path(k, g, path, name, "names no field of a staged message");
            return f;
        }
        const struct group *below = group_child(g, name);
        if (!below) {
            bad_path(k, g, path, name, "leads nowhere in a staged message");
            return NULL;
        }
        g = below;
        rest = slice_range(slash + 1, slice_end(rest));
    }
}

static bool amend(struct asking *k, struct slice message, const char *text)
{
    struct fault fault = { 0 };
    struct value v = { 0 };
    const char *equal = strchr(text, '=');
    if (!equal)
        return bad_path(k, k->flow->batch_group, slice_of(text), slice_of(text), "is no correction: PATH=VALUE");
    struct waybill_amend m = { .message = message, .path = slice_range(text, equal), .value = slice_of(equal + 1) };
    const struct field *f = find_field(k, m.path);
    if (!f)
        return false;
    m.hidden = f->flags & FIELD_SENSITIVE ? 1 : 0;
    int rc = m.value.n ? type_read(f, arena_copy(k->cmd->arena, m.value), k->cmd->arena, &v, &fault) : OK;
    if (rc != OK || (v.form & VALUE_LAX)) {
        problem_add(k->cmd->problems, &(struct problem){
            .severity = PROBLEM_ERROR, .code = "PARAM_BAD", .place = PLACE_NONE, .path = m.path,
            .value = m.hidden ? SLICE(PROBLEM_MASK) : m.value,
            .text = fault.text.n ? fault.text : SLICE("does not fit the field"), .hint = fault.hint });
        return false;
    }
    waybill_amend(&k->request.amends, k->cmd->arena, &m);
    return true;
}

bool asking_amends(struct asking *k, char **operand, int n)
{
    bool good = true;
    const char *message = cmd_arg(&k->args, 'm');
    if (!k->flow || !k->flow->batch_group || !batch_is_open(k->batch)) {
        say(k, "BATCH_NOT_OPEN", k->batch->batch, "is not open: there is nothing to correct",
            SLICE("`waybill status` lists the open ones"));
        return false;
    }
    if (!message || n == 0) {
        cmd_usage(k->cmd, message ? "which corrections? PATH=VALUE" : "which message? Give --message KEY");
        return false;
    }
    for (int i = 0; i < n; i++)
        good = amend(k, slice_of(message), operand[i]) && good;
    return good;
}
