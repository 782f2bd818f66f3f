#include <stdlib.h>

#include "base/map.h"
#include "flow/work.h"

/* Edits by hand of a staged document: all of them, or none. */

struct amending {
    struct work *work;
    struct stage stage;
    struct map by_key;              /* key → struct edit_of, in the order of coming */
    bool *done;
    size_t ndone;
};

struct edit_of {
    const struct amend *amend;
    size_t index;
    struct edit_of *next;
};

static int refuse(struct work *w, const struct amend *a, const char *code, const char *text, struct slice hint)
{
    struct slice value = strcmp(code, "AMEND_VALUE") == 0 ? a->value : slice_none();
    problem_add(&w->now, &(struct problem){ .severity = PROBLEM_ERROR, .code = code, .path = a->path,
                                            .value = value, .place.offset = PLACE_NO_OFFSET,
                                            .text = slice_of(text), .hint = hint });
    return STOP;
}

static struct slice suggest(struct work *w, const struct group *g, struct slice name)
{
    struct slice *list = arena_alloc(&w->message, (g->nfields + g->ngroups + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < g->nfields; i++)
        list[n++] = g->fields[i]->name;
    for (size_t i = 0; i < g->ngroups; i++)
        list[n++] = g->groups[i]->name;
    return problem_suggest(&w->message, name, list, n);
}

/* "[2]" the second, "[A-7]" the one with that key. */
static struct node *find_instance(struct work *w, const struct node_list *list, struct slice which)
{
    struct node *by_number = NULL;
    char *end;
    unsigned long at = which.n ? strtoul(arena_cstr(&w->message, which), &end, 10) : 1;
    for (struct node *n = list->first; n; n = n->next) {
        if (which.n && slice_equal(note_key(&w->message, n), which))
            return n;
        if (n->position == at && (!which.n || *end == '\0'))
            by_number = n;
    }
    return !which.n && list->n > 1 ? NULL : by_number;
}

/* One step of the path to a group: `Line[2]`. */
static int step_down(struct work *w, const struct amend *a, struct slice step, struct node **at)
{
    const char *open = memchr(step.p, '[', step.n);
    struct slice name = open ? slice_range(step.p, open) : step, which = { "", 0 };
    if (open && step.p[step.n - 1] == ']')
        which = slice_range(open + 1, step.p + step.n - 1);
    const struct group *g = group_child((*at)->group, name);
    if (!g)
        return refuse(w, a, "AMEND_PATH", "there is no group of that name", suggest(w, (*at)->group, name));
    struct node *n = find_instance(w, node_list(*at, g), which);
    if (!n)
        return refuse(w, a, "AMEND_PATH", "there is no such instance", SLICE("Line[2] is the second, Line[KEY] the one with that key"));
    *at = n;
    return OK;
}

static bool is_key(const struct field *f)
{
    for (size_t i = 0; i < f->group->nkeys; i++)
        if (f->group->keys[i].field == f)
            return true;
    return false;
}

static int find_place(struct work *w, const struct amend *a, struct node **at, const struct field **f)
{
    struct slice path = a->path;
    for (const char *slash; (slash = memchr(path.p, '/', path.n)) != NULL;) {
        if (step_down(w, a, slice_range(path.p, slash), at) != OK)
            return STOP;
        path = slice_range(slash + 1, path.p + path.n);
    }
    *f = group_field((*at)->group, path);
    if (!*f)
        return refuse(w, a, "AMEND_PATH", "there is no field of that name", suggest(w, (*at)->group, path));
    return is_key(*f) ? refuse(w, a, "AMEND_KEY", "a key says which message it is and stays",
                                SLICE("`waybill cancel` the batch and drop the corrected file")) : OK;
}

/* By hand only what fits goes in, even where files may bring other things. */
static int read_value(struct work *w, const struct amend *a, const struct field *f, struct value *out)
{
    struct fault fault = { 0 };
    struct slice canonical;
    *out = (struct value){ .at = VALUE_NO_PLACE };
    if (!a->value.n)
        return f->flags & FIELD_REQUIRED ? refuse(w, a, "AMEND_VALUE", "must have a value", slice_none()) : OK;
    if (type_parse(f->type, a->value, &w->message, &canonical, &fault) != OK
        || type_check(f, canonical, &w->message, &fault) != OK)
        return refuse(w, a, "AMEND_VALUE", arena_cstr(&w->message, fault.text), fault.hint);
    *out = (struct value){ .p = canonical.p, .n = (uint32_t)canonical.n, .state = VALUE_PRESENT,
                           .at = VALUE_NO_PLACE };
    return OK;
}

static struct slice shown(const struct field *f, const struct value *v)
{
    return f->flags & FIELD_SENSITIVE ? SLICE(PROBLEM_MASK) : (struct slice){ v->p ? v->p : "", v->n };
}

static struct finding *tell(struct work *w, struct node *n, const struct field *f, const struct value *v,
                            struct outcome *o)
{
    struct finding *found = arena_zero(&w->message, sizeof *found);
    struct buf b = { 0 };
    buf_add(&b, f->name);
    buf_text(&b, ": \"");
    buf_add_shown(&b, shown(f, node_value(n, f)), 60);
    buf_text(&b, "\" became \"");
    buf_add_shown(&b, shown(f, v), 60);
    buf_byte(&b, '"');
    *found = (struct finding){ .kind = OUTCOME_NOTE, .code = SLICE("AMENDED"), .node = n, .field = f->name,
                               .value = shown(f, v), .text = arena_copy(&w->message, buf_slice(&b)) };
    buf_release(&b);
    outcome_add(o, found, NULL);
    return found;
}

static int amend_one(struct work *w, const struct amend *a, struct node *msg, struct edits *edits, struct outcome *o)
{
    struct node *n = msg;
    const struct field *f;
    struct value v;
    if (find_place(w, a, &n, &f) != OK || read_value(w, a, f, &v) != OK)
        return STOP;
    if (type_equal(f->type, node_value(n, f), &v) && !(node_value(n, f)->form & VALUE_LAX))
        return OK;
    tell(w, n, f, &v, o);
    edit_set(edits, n, f, &v);
    return OK;
}

static int take_amended(struct work *w, int read, struct node *msg)
{
    struct amending *x = w->data;
    struct outcome o = work_outcome(w);
    struct edits edits;
    int rc = read == SKIP ? STOP : stage_see(w->stage, msg);
    if (rc > WARN)
        return rc;
    struct span place = { msg->at, msg->end };
    edits_init(&edits, &w->message);
    struct edit_of *e = map_get(&x->by_key, note_key(&w->message, msg));
    for (; e && rc <= WARN; e = e->next) {
        x->done[e->index] = true;
        rc = amend_one(w, e->amend, msg, &edits, &o);
    }
    if (rc > WARN || !edits.n)
        return rc;
    step_edit(w, &edits);
    rc = stage_put(w->stage, msg, place);
    return rc <= WARN ? step_note(w, msg, &o) : STOP;
}

static void index_amends(struct amending *x)
{
    const struct job *job = x->work->job;
    struct arena *a = x->work->arena;
    map_init(&x->by_key, a);
    x->done = arena_zero(a, job->namends);
    for (size_t i = 0; i < job->namends; i++) {
        struct edit_of *e = arena_zero(a, sizeof *e), **link;
        *e = (struct edit_of){ .amend = &job->amends[i], .index = i };
        struct map_entry *at = map_at(&x->by_key, job->amends[i].message);
        struct edit_of *first = at->value;
        for (link = &first; *link; link = &(*link)->next)
            ;
        *link = e;
        at->value = first;
    }
}

static int end(struct work *w, struct amending *x)
{
    int rc = OK;
    work_begin(w);
    for (size_t i = 0; i < w->job->namends; i++)
        if (!x->done[i])
            rc = refuse(w, &w->job->amends[i], "AMEND_UNKNOWN", "the batch holds no message with that key",
                        arena_printf(&w->message, "not %.*s: `waybill show` tells the keys",
                                     SLICE_ARG(w->job->amends[i].message)));
    if (rc == OK)
        rc = stage_end(&x->stage);
    if (rc <= WARN && !x->stage.output)
        w->result->nstates = stage_states(&x->stage, &w->result->states);
    return rc <= WARN ? step_note_end(w) : rc;
}

int job_amend(struct work *w)
{
    struct amending x = { .work = w };
    stage_begin(&x.stage, w, w->job->batch, w->job->fd, 0);
    w->stage = &x.stage;
    w->data = &x;
    index_amends(&x);
    int rc = work_read(w, take_amended);
    if (rc <= WARN)
        rc = end(w, &x);
    stage_drop(&x.stage);
    w->stage = NULL;
    return rc;
}
