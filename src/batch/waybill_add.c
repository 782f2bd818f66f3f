#include <stdio.h>

#include "batch/waybill.h"

static void add_part(struct sha256 *h, struct slice part)
{
    char length[24];
    int n = snprintf(length, sizeof length, "%zu:", part.n);
    sha256_add(h, (struct slice){ length, (size_t)n });
    sha256_add(h, part);
}

static void chain(const struct waybill_event *e, const char *before, char out[SHA256_HEX])
{
    struct sha256 h;
    sha256_init(&h);
    add_part(&h, slice_of(before));
    add_part(&h, e->time);
    add_part(&h, e->what);
    add_part(&h, e->detail);
    sha256_hex(&h, out);
}

void waybill_event(struct waybill *w, struct slice time, const char *what, struct slice detail)
{
    struct waybill_event *e = arena_zero(w->arena, sizeof *e);
    e->time = arena_copy(w->arena, time);
    e->what = arena_copy(w->arena, slice_of(what));
    e->detail = arena_copy(w->arena, detail);
    chain(e, w->last_event ? w->last_event->sha256 : "", e->sha256);
    if (w->last_event)
        w->last_event->next = e;
    else
        w->history = e;
    w->last_event = e;
    w->nevents++;
}

bool waybill_history_ok(const struct waybill *w)
{
    const char *before = "";
    for (const struct waybill_event *e = w->history; e; e = e->next) {
        char want[SHA256_HEX];
        chain(e, before, want);
        if (strcmp(want, e->sha256) != 0)
            return false;
        before = e->sha256;
    }
    return true;
}

void waybill_pin(struct waybill *w, const char *kind, struct slice name, const char *sha256)
{
    struct waybill_pin **link = &w->pins;
    while (*link && !(slice_is((*link)->kind, kind) && slice_equal((*link)->name, name)))
        link = &(*link)->next;
    if (*link == NULL) {
        *link = arena_zero(w->arena, sizeof **link);
        (*link)->kind = arena_copy(w->arena, slice_of(kind));
        (*link)->name = arena_copy(w->arena, name);
    }
    snprintf((*link)->sha256, sizeof (*link)->sha256, "%s", sha256);
}

const char *waybill_pinned(const struct waybill *w, const char *kind)
{
    const struct waybill_pin *p = w->pins;
    while (p && !slice_is(p->kind, kind))
        p = p->next;
    return p ? p->sha256 : "";
}

void waybill_param(struct waybill_param **list, struct arena *a, struct slice name, struct slice value)
{
    while (*list && !slice_equal((*list)->name, name))
        list = &(*list)->next;
    if (*list == NULL) {
        *list = arena_zero(a, sizeof **list);
        (*list)->name = arena_copy(a, name);
    }
    (*list)->value = arena_copy(a, value);
}

void waybill_due(struct waybill *w, struct slice operation, struct slice why)
{
    struct waybill_param **link = &w->due;
    for (; *link; link = &(*link)->next) {
        if (slice_equal((*link)->name, operation) && slice_equal((*link)->value, why))
            return;
    }
    *link = arena_zero(w->arena, sizeof **link);
    (*link)->name = arena_copy(w->arena, operation);
    (*link)->value = arena_copy(w->arena, why.p ? why : SLICE(""));
}

struct slice waybill_not_due(struct waybill *w, struct slice operation)
{
    struct waybill_param **link = &w->due;
    while (*link && !slice_equal((*link)->name, operation))
        link = &(*link)->next;
    if (*link == NULL)
        return slice_none();
    struct slice why = (*link)->value;
    *link = (*link)->next;
    return why;
}

void waybill_amend(struct waybill_amend **list, struct arena *a, const struct waybill_amend *of)
{
    while (*list)
        list = &(*list)->next;
    *list = arena_zero(a, sizeof **list);
    **list = (struct waybill_amend){ .message = arena_copy(a, of->message), .path = arena_copy(a, of->path),
                                     .value = arena_copy(a, of->value), .hidden = of->hidden };
}

void waybill_ran(struct waybill *w, const struct waybill_run *of)
{
    struct arena *a = w->arena;
    struct waybill_run **link = &w->runs, *next;
    while (*link && !slice_equal((*link)->operation, of->operation))
        link = &(*link)->next;
    next = *link ? (*link)->next : NULL;
    *link = arena_zero(a, sizeof **link);
    **link = *of;
    (*link)->operation = arena_copy(a, of->operation);
    (*link)->time = arena_copy(a, of->time);
    (*link)->by = arena_copy(a, of->by);
    (*link)->batch = arena_copy(a, of->batch);
    (*link)->outcome = arena_copy(a, of->outcome);
    (*link)->code = arena_copy(a, of->code);
    (*link)->text = arena_copy(a, of->text);
    (*link)->next = next;
}

void waybill_total(struct waybill *w, struct waybill_total **list, const char *name, uint64_t add)
{
    while (*list && !slice_is((*list)->name, name))
        list = &(*list)->next;
    if (*list == NULL) {
        *list = arena_zero(w->arena, sizeof **list);
        (*list)->name = arena_copy(w->arena, slice_of(name));
    }
    (*list)->count += add;
}

uint64_t waybill_total_of(const struct waybill_total *list, const char *name)
{
    while (list && !slice_is(list->name, name))
        list = list->next;
    return list ? list->count : 0;
}

void waybill_lease(struct waybill *w, struct slice sequence, int64_t first, int64_t end)
{
    struct waybill_lease **link = &w->leases;
    while (*link)
        link = &(*link)->next;
    *link = arena_zero(w->arena, sizeof **link);
    (*link)->sequence = arena_copy(w->arena, sequence);
    (*link)->first = first;
    (*link)->end = end;
    (*link)->run = w->run;
}

struct waybill_file *waybill_file(struct waybill *w, const char *kind, const char *file)
{
    struct waybill_file **link = &w->files;
    while (*link && !slice_is((*link)->file, file))
        link = &(*link)->next;
    if (*link == NULL)
        *link = arena_zero(w->arena, sizeof **link);
    (*link)->kind = arena_copy(w->arena, slice_of(kind));
    (*link)->file = arena_copy(w->arena, slice_of(file));
    (*link)->run = w->run;
    return *link;
}

struct waybill_file *waybill_file_named(const struct waybill *w, struct slice file)
{
    struct waybill_file *f = w->files;
    while (f && !slice_equal(f->file, file))
        f = f->next;
    return f;
}

struct waybill_file *waybill_find_file(const struct waybill *w, const char *kind)
{
    struct waybill_file *found = NULL;
    for (struct waybill_file *f = w->files; f; f = f->next) {
        if (slice_is(f->kind, kind))
            found = f;
    }
    return found;
}
