#include <errno.h>
#include <unistd.h>

#include "flow/work.h"

/* The refused messages of a good file, in their own syntax: head, their ranges, tail, ready to be mended and dropped
   again. */
int step_set_aside(struct work *w)
{
    struct output *o = work_output(w, OUTPUT_REJECTED, NULL);
    struct sha256 hash;
    struct source again;
    struct sink sink;
    int fd, rc;
    if (!w->nrejected)
        return OK;
    if (lseek(w->job->fd, 0, SEEK_SET) < 0)
        return problem_system(&w->now, w->source.name, "the input cannot be read twice", errno);
    o->name = w->job->file;
    rc = w->port->open(w->port->owner, o, &fd, &w->now);
    if (rc > WARN)
        return rc;
    sha256_init(&hash);
    source_open_fd(&again, w->job->fd, w->source.name, &w->site->limits);
    sink_open_fd(&sink, fd, w->source.name);
    sink.hash = &hash;
    rc = syntax_excerpt_framed(&again, &w->reader, w->rejected, w->nrejected, w->frame, w->nframe, &sink, &w->now);
    int closed = sink_close(&sink, &w->now);
    o->bytes = sink_total(&sink);
    o->messages = w->nrejected;
    sha256_hex(&hash, o->sha256);
    sink_release(&sink);
    source_close(&again);
    close(fd);
    rc = closed > rc ? closed : rc;
    return rc <= WARN ? w->port->closed(w->port->owner, o, &w->now) : rc;
}
