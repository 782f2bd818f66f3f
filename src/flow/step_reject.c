#include <errno.h>
#include <unistd.h>

#include "flow/super.h"

/* What the job staged is not wanted any more; the input, the waybill and the lines are. */
static void drop_outputs(struct supervisor *s, struct trip *t)
{
    for (struct trip_file *f = t->files; f; f = f->next) {
        if (f->kind == OUTPUT_FILE) {
            batch_output_drop(t->b, f->n, f->fd, s->ps);
            f->fd = -1;
        } else if (f->name && f->kind != OUTPUT_LINES && f->kind != OUTPUT_REJECTED)
            unlinkat(t->b->dir, f->name, 0);
    }
    trip_close_files(t);
}

/* The file is in error/ with its papers, or its retry moves it there. */
static void was_set_aside(struct supervisor *s, struct trip *t, int rc)
{
    notice_problems(s, s->ps);
    if (rc > SKIP) {
        trip_retry(s, t, "SYS_IO");
        return;
    }
    s->report->rejected++;
    notice(s, "error", t);
    trip_free(s, t);
}

/* The whole file goes to error/, with the reason; of a batch that stays only the operation ends. */
int step_reject(struct supervisor *s, struct trip *t, const char *code, struct slice text)
{
    drop_outputs(s, t);
    if (t->result) {
        t->b->w->messages = t->result->messages;
        batch_problems(t->b, &t->result->problems);
    }
    if (batch_is_open(t->b->w))
        return step_refuse(s, t, code, text);
    int rc = care_refused(s, t, code, text);
    if (rc <= WARN) {
        asked_told(s, t, "refused", slice_of(code), text);
        rc = batch_set_aside(t->b, code, text, s->ps);
    }
    was_set_aside(s, t, rc);
    return OK;
}

int step_reject_again(struct supervisor *s, struct trip *t)
{
    const struct waybill *w = t->b->w;
    int rc = batch_folder_open(t->b, s->ps);
    if (rc <= WARN)
        rc = batch_set_aside(t->b, arena_cstr(&t->arena, w->error_code), w->error_text, s->ps);
    was_set_aside(s, t, rc);
    return END;
}
