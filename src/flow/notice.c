#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "flow/super.h"

static struct slice outputs_of(struct arena *a, const struct waybill *w)
{
    struct buf b = { 0 };
    for (const struct waybill_output *o = w->outputs; o; o = o->next)
        if (o->run == w->run)
            buf_printf(&b, "%s%.*s/%.*s", b.n ? " " : "", SLICE_ARG(o->outbox), SLICE_ARG(o->name));
    struct slice text = b.n ? arena_copy(a, buf_slice(&b)) : slice_none();
    buf_release(&b);
    return text;
}

void notice(struct supervisor *s, const char *event, const struct trip *t)
{
    const struct waybill *w = t->b ? t->b->w : NULL;
    care_event(s, event, t);
    if (s->o->quiet || !w)
        return;
    bool bad = strcmp(event, "error") == 0 || strcmp(event, "duplicate") == 0;
    struct log l = log_begin(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, event);
    log_text(&l, "batch", w->batch);
    log_text(&l, "flow", w->flow);
    log_text(&l, "operation", t->op ? t->op->name : w->operation);
    log_text(&l, "file", w->name);
    if (t->result && strcmp(event, "written") == 0) {
        log_number(&l, "messages", (int64_t)t->result->messages);
        log_number(&l, "done", (int64_t)t->result->done);
        log_number(&l, "skipped", (int64_t)t->result->skipped);
        log_number(&l, "rejected", (int64_t)t->result->rejected);
    }
    if (strcmp(event, "delivered") == 0)
        log_text(&l, "outputs", outputs_of(w->arena, w));
    if (bad)
        log_text(&l, "code", w->error_code);
    if (w->duplicate_of.n)
        log_text(&l, "duplicate_of", w->duplicate_of);
    if (strcmp(event, "retry") == 0)
        log_text(&l, "cause", w->retry.cause);
    log_end(&l);
}

void notice_standby(const struct supervisor *s, const struct problem *why)
{
    if (s->o->quiet)
        return;
    struct log l = log_begin(LOG_LEVEL_INFO, "standby");
    log_text(&l, "site", slice_of(s->site->dir));
    if (why)
        log_text(&l, "because", why->text);
    log_end(&l);
}

static void show_problems(struct supervisor *s, const struct problems *ps, struct slice batch, bool staged);

void notice_problems(struct supervisor *s, const struct problems *ps)
{
    bool untouched = !ps->first && !ps->file && !ps->message && !ps->locate && s->said_arena.used == 0;
    if (ps == s->ps && untouched)
        return;                                     /* several times a turn, and mostly nothing was said */
    show_problems(s, ps, slice_none(), false);
}

void notice_result(struct supervisor *s, const struct trip *t)
{
    show_problems(s, &t->result->problems, t->b->w->batch, t->b->w->stage.p != NULL);
}

/* On a watcher's log one line per problem; whoever runs the site by hand reads them as the checks show them, and where
   all of a kind stand: a batch that is staged has them in its log. */
static void show_problems(struct supervisor *s, const struct problems *ps, struct slice batch, bool staged)
{
    struct buf out = { 0 };
    for (const struct problem *p = ps->first; p; p = p->next) {
        if (strcmp(p->code, "SYS_FULL") == 0)
            care_full(s);
        if (s->o->watch) {
            enum log_level levels[] = { LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
            struct log l = log_begin(levels[p->severity], "problem");
            log_text(&l, "batch", batch);
            log_problem(&l, p);
            if (p->count > 1)
                log_number(&l, "count", (int64_t)p->count);
            log_end(&l);
        } else if (p->severity != PROBLEM_NOTE) {
            problem_show(&out, p);
            if (p->count > 1)
                buf_printf(&out, "    … %llu of this kind", (unsigned long long)p->count);
            if (p->count > 1 && staged)
                buf_printf(&out, ": `waybill show %.*s`", SLICE_ARG(batch));
            if (p->count > 1)
                buf_byte(&out, '\n');
        }
    }
    if (out.n)
        fwrite(out.p, 1, out.n, stderr);
    buf_release(&out);
    if (ps == s->ps) {
        arena_reset(&s->said_arena);
        problems_init(s->ps, &s->said_arena, 200);
    }
}

void notice_progress(struct supervisor *s, const struct trip *t)
{
    if (s->o->progress)
        s->o->progress(s->o->owner, t->b->w->name, t->done_bytes, t->b->w->bytes);
}
