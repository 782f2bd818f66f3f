#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/left.h"

static uint64_t bit(const struct operation *op)
{
    return op->index < OPERATIONS_MAX ? (uint64_t)1 << op->index : 0;
}

static struct open *find_in(const struct opens *list, const char *id)
{
    struct open *o = list->first;
    while (o && strcmp(o->id, id) != 0)
        o = o->next;
    return o;
}

struct open *open_find(struct supervisor *s, const char *id)
{
    struct open *found = NULL;
    for (size_t i = 0; i < s->site->nflows && !found; i++)
        found = find_in(&s->opens[i], id);
    return found;
}

/* Entries that are not needed any more are used again: a watcher lives for months. */
static struct open *add(struct supervisor *s, struct opens *list, struct slice id)
{
    struct open *o = s->spare;
    if (o)
        s->spare = o->next;
    else
        o = arena_alloc(&s->arena, sizeof *o);
    *o = (struct open){ .held = false };
    snprintf(o->id, sizeof o->id, "%.*s", SLICE_ARG(id));
    if (list->last)
        list->last->next = o;
    else
        list->first = o;
    list->last = o;
    list->n++;
    return o;
}

static void take_out(struct supervisor *s, struct opens *list, const char *id)
{
    struct open *before = NULL, *o = list->first;
    for (; o && strcmp(o->id, id) != 0; o = o->next)
        before = o;
    if (!o)
        return;
    if (before)
        before->next = o->next;
    else
        list->first = o->next;
    if (list->last == o)
        list->last = before;
    list->n--;
    o->next = s->spare;
    s->spare = o;
}

void open_forget(struct supervisor *s, const char *id)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        take_out(s, &s->opens[i], id);
}

static uint64_t waiting_of(const struct flow *f, const struct waybill *w)
{
    uint64_t bits = 0;
    for (const struct waybill_run *r = w->runs; r; r = r->next) {
        const struct operation *op = r->waiting ? flow_operation(f, r->operation) : NULL;
        bits |= op ? bit(op) : 0;
    }
    return bits;
}

static void note_calls(struct open *o, const struct waybill *w)
{
    const struct waybill_calls *c = &w->calls;
    o->calls = c->operation.n > 0;
    o->awaits = c->asked.p != NULL;
    o->call_give = c->give;
    o->call_message = c->message;
    snprintf(o->call_operation, sizeof o->call_operation, "%.*s", SLICE_ARG(c->operation));
    snprintf(o->until, sizeof o->until, "%.*s", SLICE_ARG(c->until));
}

void open_note(struct supervisor *s, const struct waybill *w)
{
    const struct flow *f = site_flow(s->site, w->flow);
    char id[BATCH_ID_SIZE];
    snprintf(id, sizeof id, "%.*s", SLICE_ARG(w->batch));
    if (!f || !batch_is_open(w)) {
        open_forget(s, id);
        return;
    }
    struct open *o = find_in(&s->opens[f->index], id);
    if (!o)
        o = add(s, &s->opens[f->index], w->batch);
    snprintf(o->stage, sizeof o->stage, "%.*s", SLICE_ARG(w->stage));
    snprintf(o->config, sizeof o->config, "%s", waybill_pinned(w, "config"));
    o->held = slice_is(w->waits, "person");
    o->shut = 0;
    o->noted = due_next(w) != NULL;
    note_calls(o, w);
    o->ends = slice_is(w->waits, "open") && open_ends(s, f, w);
    o->waiting = waiting_of(f, w);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static bool reads(const struct operation *op, bool (*of)(const struct site_table *t, const void *what),
                  const void *what)
{
    for (size_t g = 0; g < op->ngives; g++) {
        const struct mapping *m = op->gives[g]->on ? op->gives[g]->mapping : NULL;
        for (size_t i = 0; m && i < m->ntables; i++) {
            const struct site_table *t = m->tables[i].local ? NULL : site_table(op->flow->site, m->tables[i].name);
            if (t && of(t, what))
                return true;
        }
    }
    return false;
}

/* Operations of the flow that are tried again by themselves and read such a table. */
static uint64_t readers(const struct flow *f, bool (*of)(const struct site_table *t, const void *what),
                        const void *what)
{
    uint64_t bits = 0;
    for (size_t i = 0; f->on && !f->off && i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        if (op->take.kind == TAKE_BATCH && op->on && !op->manual && reads(op, of, what))
            bits |= bit(op);
    }
    return bits;
}

static void again(struct supervisor *s, const struct flow *f, uint64_t bits)
{
    for (struct open *o = bits ? s->opens[f->index].first : NULL; o; o = o->next)
        o->due |= o->waiting & bits;
}

static bool same_file(const struct site_table *t, const void *what)
{
    const struct site_table *changed = what;
    return t->kind == TABLE_FILE && strcmp(t->path, changed->path) == 0;
}

void open_table_changed(struct supervisor *s, const struct site_table *table)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        if (s->opens[i].first)
            again(s, s->site->flows[i], readers(s->site->flows[i], same_file, table));
}

static bool of_flow(const struct site_table *t, const void *what)
{
    const struct flow *f = what;
    return t->kind == TABLE_OF_FLOW && slice_equal(t->flow, f->name);
}

void open_flow_changed(struct supervisor *s, const struct flow *f)
{
    for (size_t i = 0; i < s->site->nflows; i++)
        if (s->opens[i].first && s->site->flows[i] != f)
            again(s, s->site->flows[i], readers(s->site->flows[i], of_flow, f));
}

/* --- the end of a life -------------------------------------------------------------------------------------------- */

/* By hand, at an interval, or by a file: something may still change the batch. */
static bool may_be_touched(const struct flow *f)
{
    for (size_t i = 0; i < f->noperations; i++) {
        const struct operation *op = f->operations[i];
        if (op->take.kind == TAKE_BATCH && (op->manual || op->every))
            return true;
        if (op->take.kind == TAKE_BATCH || (op->answers && op->answers->operation->serial))
            continue;                               /* such an answer comes only while a run waits for it */
        for (size_t g = 0; g < op->ngives; g++)
            if (op->gives[g]->kind == GIVE_BATCH && !op->gives[g]->new_batch)
                return true;
    }
    return false;
}

/* Every tracked instance is in the last state: nothing of it is under way any more. */
static bool all_done(const struct flow *f, const struct waybill *w)
{
    struct slice last = f->nstates ? f->states[f->nstates - 1].name : slice_none();
    uint64_t done = 0;
    for (const struct waybill_total *t = last.n ? w->states : NULL; t; t = t->next) {
        if (!slice_equal(t->name, last) && t->count)
            return false;
        done += t->count;
    }
    return done > 0;
}

bool open_ends(const struct supervisor *s, const struct flow *f, const struct waybill *w)
{
    (void)s;
    if (w->due || w->calls.operation.n || slice_is(w->waits, "person"))
        return false;
    return all_done(f, w) || (!may_be_touched(f) && !waiting_of(f, w));
}

/* --- after a start ------------------------------------------------------------------------------------------------ */

/* The hash of a table's file as it is now; "" = it cannot be told. */
static void hash_now(const struct site_table *t, char out[SHA256_HEX])
{
    char bytes[65536];
    struct sha256 h;
    ssize_t n;
    int fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    out[0] = '\0';
    if (fd < 0)
        return;
    sha256_init(&h);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0)
        sha256_add(&h, (struct slice){ bytes, (size_t)n });
    close(fd);
    if (n == 0)
        sha256_hex(&h, out);
}

/* A table that changed while nobody looked: messages that waited for it are tried again. */
static void changed_meanwhile(struct supervisor *s, const struct flow *f, struct open *o, const struct waybill *w)
{
    char now[SHA256_HEX];
    for (const struct waybill_pin *p = o->waiting ? w->pins : NULL; p; p = p->next) {
        const struct site_table *t = slice_is(p->kind, "table") ? site_table(s->site, p->name) : NULL;
        if (!t || t->kind != TABLE_FILE)
            continue;
        hash_now(t, now);
        if (now[0] && strcmp(now, p->sha256) != 0)
            o->due |= o->waiting & readers(f, same_file, t);
    }
}

static int load_one(void *owner, struct batch **b, struct problems *ps)
{
    struct supervisor *s = owner;
    const struct flow *f = site_flow(s->site, (*b)->w->flow);
    (void)ps;
    open_note(s, (*b)->w);
    struct open *o = f ? find_in(&s->opens[f->index], (*b)->id) : NULL;
    if (o)
        changed_meanwhile(s, f, o, (*b)->w);
    return OK;
}

/* One that cannot be read is known when resume.c could take it up, which tells it as well. */
int opens_load(struct supervisor *s)
{
    int rc = OK;
    struct arena a;
    struct problems untold;
    arena_init(&a, 0);
    problems_init(&untold, &a, 1);
    for (size_t i = 0; i < s->site->nflows; i++)
        if (flow_stages(s->site->flows[i]))
            rc = batch_each_open(&s->places, &a, s->site->flows[i]->name, load_one, s, &untold);
    arena_release(&a);
    if (rc > WARN)
        left_unknown(s);
    return OK;
}
