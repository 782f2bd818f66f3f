#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "flow/left.h"
#include "store/unpack.h"

int unpack_wanted(const struct operation *op, int fd, bool *out)
{
    char head[UNPACK_HEAD];
    ssize_t n = op->take.unpack ? pread(fd, head, sizeof head, 0) : 0;
    *out = n > 0 && unpack_recognises((struct slice){ head, (size_t)n });
    return n < 0 ? TEMP : OK;
}

static bool is_member(const struct waybill_file *f)
{
    return slice_is(f->kind, "member");
}

bool unpack_pending(const struct waybill *w)
{
    for (const struct waybill_file *f = w->files; f; f = f->next)
        if (is_member(f))
            return true;
    return false;
}

/* Each member's batch gets its id, written down before the batch is made: a crash in between makes it once. */
static int name_children(struct supervisor *s, struct trip *t)
{
    struct waybill *w = t->b->w;
    char id[BATCH_ID_SIZE];
    if (w->members)
        return OK;
    for (const struct waybill_file *f = w->files; f; f = f->next) {
        if (!is_member(f))
            continue;
        batch_new_id(&s->places, id);
        waybill_param(&w->members, w->arena, slice_of(id), f->name);
    }
    return batch_save(t->b, s->ps);
}

/* A member whose content was taken before lies in error/ by now, told there. */
static int adopt(struct supervisor *s, struct trip *t, const struct waybill_file *f, struct slice id)
{
    struct trip *child = trip_new(s);
    struct batch_accept how = accept_terms(s, t->op);
    how.id = arena_cstr(&child->arena, id);
    how.parent = t->b->w->batch;
    int rc = batch_adopt(t->b, f, &child->arena, &how, &child->b, s->ps);
    if (rc == OK)
        later_add(s, t->op->flow->name, how.id);
    if (rc == SKIP)
        aside_told(s, child);
    trip_free(s, child);
    return rc > SKIP ? rc : OK;
}

/* The members have batches of their own: here they are only named. */
static int forget_members(struct supervisor *s, struct trip *t)
{
    struct waybill_file **at = &t->b->w->files;
    int rc = OK;
    while (*at && rc == OK) {
        struct waybill_file *f = *at;
        if (!is_member(f)) {
            at = &f->next;
            continue;
        }
        if (unlinkat(t->b->dir, arena_cstr(&t->arena, f->file), 0) != 0 && errno != ENOENT)
            rc = problem_system(s->ps, t->b->id, "a member cannot be removed", errno);
        else
            *at = f->next;
    }
    return rc == OK ? batch_save(t->b, s->ps) : rc;
}

int step_unpack(struct supervisor *s, struct trip *t)
{
    const struct waybill_param *child;
    if (!unpack_pending(t->b->w))
        return OK;
    int rc = name_children(s, t);
    child = t->b->w->members;
    for (const struct waybill_file *f = t->b->w->files; f && child && rc <= WARN; f = f->next) {
        if (!is_member(f))
            continue;
        rc = adopt(s, t, f, child->name);
        child = child->next;
    }
    notice_problems(s, s->ps);
    return rc <= WARN ? forget_members(s, t) : rc;
}
