#include "cmd/staged.h"

#include <unistd.h>

#include "syntax/syntax.h"

/* --- the document ------------------------------------------------------------------------------------------------- */

static struct slice find_setting(const struct settings *s, struct slice name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (slice_equal(s->list[i].name, name))
            return s->list[i].value;
    }
    return slice_none();
}

static struct slice param_of(void *owner, struct slice name)
{
    const struct flow *f = owner;
    struct slice own = find_setting(&f->sets, name);
    return own.p ? own : find_setting(&f->site->sets, name);
}

static int read_messages(struct staged *s, int fd, const struct site *site, struct problems *ps)
{
    struct source source;
    struct arena *a = s->cmd->arena, message;
    struct reader r = { .source = &source, .format = s->flow->batch, .limits = &site->limits };
    struct node *n;
    source_open_fd(&source, fd, "the staged document", &site->limits);
    int rc = reader_open(&r, a, ps);
    arena_init(&message, 0);
    while (rc <= WARN && (rc = reader_read(&r, &message, &n, ps)) <= SKIP && rc != END) {
        if (rc != SKIP)
            ARENA_PUSH(a, s->messages, s->nmessages, s->cap) = node_copy(a, n, r.file);
        arena_reset(&message);
        rc = OK;
    }
    reader_close(&r);
    source_close(&source);
    arena_release(&message);
    return rc == END ? OK : rc;
}

int staged_read(struct staged *s, struct cmd *c, struct places *p, const struct site *site, const struct waybill *w)
{
    int fd;
    *s = (struct staged){ .cmd = c, .flow = site_flow(site, w->flow) };
    arena_init(&s->scratch, 0);
    if (!w->stage.p || !s->flow || !s->flow->batch)
        return END;
    s->outside = (struct outside){ .owner = (void *)(uintptr_t)s->flow, .param = param_of, .batch_id = w->batch,
                                   .file_name = w->name,
                                   .batch_time = { w->batch_time.p, w->batch_time.n < 19 ? w->batch_time.n : 19 } };
    s->formulas = formula_run_new(c->arena, &s->outside);
    int rc = batch_read_file(&p->site, c->arena, arena_cstr(c->arena, w->batch), w->stage, &fd, c->problems);
    if (rc != OK)
        return rc;
    rc = read_messages(s, fd, site, c->problems);
    close(fd);
    return rc;
}

void staged_free(struct staged *s)
{
    arena_release(&s->scratch);
}

struct slice staged_state(struct staged *s, const struct node *n)
{
    const struct flow *f = s->flow;
    size_t i = 0;
    if (n->group != f->track)
        return slice_none();
    while (i < f->nstates && (!f->states[i].when || formula_holds(s->formulas, f->states[i].when, n, &s->scratch)))
        i++;
    arena_reset(&s->scratch);
    return i ? f->states[i - 1].name : slice_none();
}

struct slice staged_key(struct staged *s, const struct node *n)
{
    struct slice key = n->group->nkeys ? node_key(s->cmd->arena, n) : slice_none();
    char *copy = arena_cstr(s->cmd->arena, key);
    for (size_t i = 0; i < key.n; i++) {
        if (copy[i] == '\x1f')
            copy[i] = ' ';
    }
    return (struct slice){ copy, key.n };
}

static bool leads_to(const struct group *g, const struct group *track)
{
    while (track && track != g)
        track = track->is_message ? NULL : track->parent;
    return track != NULL;
}

static void walk(const struct flow *f, const struct node *n, void (*each)(void *owner, const struct node *n),
                 void *owner)
{
    if (n->group == f->track) {
        each(owner, n);
        return;
    }
    for (size_t i = 0; i < n->group->ngroups; i++) {
        if (!leads_to(n->group->groups[i], f->track))
            continue;
        for (const struct node *child = node_list(n, n->group->groups[i])->first; child; child = child->next)
            walk(f, child, each, owner);
    }
}

void staged_each(const struct staged *s, const struct node *message, void (*each)(void *owner, const struct node *n),
                 void *owner)
{
    if (s->flow->track)
        walk(s->flow, message, each, owner);
}

struct slice least_state(const struct waybill *w)
{
    for (const struct waybill_total *t = w->states; t; t = t->next) {
        if (t->count)
            return t->name;
    }
    return slice_none();
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static struct said_entry *add_entry(struct said *d, const struct said_entry *of)
{
    struct said_entry *e = arena_zero(d->arena, sizeof *e);
    *e = *of;
    e->next = NULL;
    *d->last = e;
    d->last = &e->next;
    d->n++;
    return e;
}

/* Lines of plain conversions have problems alone. */
static void add_problems(struct said *d, const struct line_read *l)
{
    static const enum outcome_kind kinds[] = { OUTCOME_NOTE, OUTCOME_WARN, OUTCOME_REJECT };
    for (size_t i = 0; i < l->nproblems; i++) {
        const struct problem *p = &l->problems[i];
        add_entry(d, &(struct said_entry){
            .kind = kinds[p->severity], .message = l->message, .key = l->key, .code = slice_of(p->code),
            .text = p->text, .field = p->path, .value = p->value, .operation = l->operation, .time = l->time });
    }
}

static void add_findings(struct said *d, const struct line_read *l)
{
    for (const struct finding *f = l->findings; f; f = f->next)
        add_entry(d, &(struct said_entry){
            .kind = f->kind, .message = l->message, .key = f->key, .line = f->line, .code = f->code, .text = f->text,
            .field = f->field, .value = f->value, .operation = f->operation, .time = f->time });
}

static struct said_last *judged(struct said *d, struct slice name)
{
    struct said_last *last = map_get(&d->judged, name);
    if (last)
        return last;
    last = arena_zero(d->arena, sizeof *last);
    last->first_of = last;
    map_put(&d->judged, name, last);
    ARENA_PUSH(d->arena, d->lasts, d->nlasts, d->cap) = last;
    return last;
}

/* The message that the line is about: of several with its key in this run the one that stands in its place. */
static struct said_last *last_for(struct said *d, const struct line_read *l, struct slice key)
{
    struct slice name = arena_printf(d->arena, "%.*s\x1f%.*s", SLICE_ARG(l->operation), SLICE_ARG(key));
    struct said_last *first = judged(d, name), *last = first;
    bool began = first->run == d->run;
    if (began && first->message == l->message)
        return first;
    first->same = !began ? 1 : first->latest == l->message ? first->same : first->same + 1;
    first->latest = l->message;
    if (first->same > 1) {
        first->several = true;
        last = judged(d, arena_printf(d->arena, "%.*s\x1f%zu", SLICE_ARG(name), first->same));
        last->first_of = first;
    }
    return last;
}

static void judge(struct said *d, const struct line_read *l, struct said_entry *first, size_t count)
{
    struct slice key = l->key.p ? l->key : arena_printf(d->arena, "message %llu", (unsigned long long)l->message);
    struct said_last *last = last_for(d, l, key);
    d->errors -= last->errors;
    last->operation = l->operation;
    last->key = key;
    last->message = l->message;
    last->run = d->run;
    last->first = first;
    last->count = count;
    last->state = l->state;
    last->reason = l->reason;
    last->tried = l->tried;
    last->errors = slice_is(l->state, "rejected") || slice_is(l->state, "waiting");
    d->errors += last->errors;
}

static int add_line(void *owner, const struct line_read *l)
{
    struct said *d = owner;
    struct said_entry **before = d->last;
    size_t n = d->n;
    if (l->findings)
        add_findings(d, l);
    else
        add_problems(d, l);
    judge(d, l, *before, d->n - n);
    return OK;
}

/* What no later run of the same operation has said anew is open. */
static void mark_open(struct said *d)
{
    for (size_t i = 0; i < d->nlasts; i++) {
        const struct said_last *last = d->lasts[i];
        struct said_entry *e = last->first;
        for (size_t n = 0; n < last->count; n++, e = e->next)
            e->open = true;
    }
}

int said_read(struct said *d, struct arena *a, struct places *p, const struct waybill *w, struct problems *ps)
{
    int fd, rc = OK;
    *d = (struct said){ .arena = a };
    d->last = &d->first;
    map_init(&d->judged, a);
    for (const struct waybill_file *f = w->files; f && rc == OK; f = f->next) {
        if (!slice_is(f->kind, "lines"))
            continue;
        rc = batch_read_file(&p->site, a, arena_cstr(a, w->batch), f->file, &fd, ps);
        if (rc != OK)
            break;
        d->run = f;
        rc = lines_read_fd(fd, f, a, add_line, d, ps);
        close(fd);
    }
    mark_open(d);
    return rc;
}
