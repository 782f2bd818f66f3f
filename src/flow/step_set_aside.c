#include <errno.h>
#include <unistd.h>

#include "flow/work.h"

int aside_open(struct work *w, struct aside *a, struct slice name, uint32_t number)
{
    a->output = work_output(w, OUTPUT_REJECTED, NULL);
    a->output->name = name;
    a->output->number = number;
    int rc = w->port->open(w->port->owner, a->output, &a->fd, &w->now);
    if (rc > WARN)
        return rc;
    sha256_init(&a->hash);
    sink_open_fd(&a->sink, a->fd, arena_cstr(w->arena, name));
    a->sink.hash = &a->hash;
    return rc;
}

int aside_close(struct work *w, struct aside *a, int rc)
{
    int closed = sink_close(&a->sink, &w->now);
    a->output->bytes = sink_total(&a->sink);
    sha256_hex(&a->hash, a->output->sha256);
    sink_release(&a->sink);
    close(a->fd);
    rc = closed > rc ? closed : rc;
    return rc <= WARN ? w->port->closed(w->port->owner, a->output, &w->now) : rc;
}

/* The refused messages of a good file, in their own syntax: head, their ranges, tail, ready to be mended and dropped
   again. */
static int set_messages_aside(struct work *w)
{
    struct source again;
    struct aside a;
    if (lseek(w->job->fd, 0, SEEK_SET) < 0)
        return problem_system(&w->now, w->source.name, "the input cannot be read twice", errno);
    int rc = aside_open(w, &a, w->job->file, 0);
    if (rc > WARN)
        return rc;
    source_open_fd(&again, w->job->fd, w->source.name, &w->site->limits);
    rc = syntax_excerpt_framed(&again, &w->reader, w->rejected, w->nrejected, w->frame, w->nframe, &a.sink, &w->now);
    source_close(&again);
    a.output->messages = w->nrejected;
    return aside_close(w, &a, rc);
}

/* What came along with them goes along. */
int step_set_aside(struct work *w)
{
    int rc = w->nrejected ? set_messages_aside(w) : OK;
    return rc <= WARN && w->nrejected ? with_set_aside(w) : rc;
}
