#include <errno.h>
#include <unistd.h>

#include "base/file.h"
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

/* ---- files that refused messages name: the next attempt finds none in the inbox ---------------------------------- */

void attached_keep(struct work *w)
{
    for (size_t i = 0; i < w->nread; i++)
        if (!map_get(&w->kept, w->read[i]))
            map_put(&w->kept, arena_copy(w->arena, w->read[i]), w);
}

static int copy_file(struct work *w, int from, struct slice name, uint32_t number)
{
    char bytes[65536];
    struct aside a;
    ssize_t n;
    int rc = lseek(from, 0, SEEK_SET) < 0 ? problem_system(&w->now, NULL, "the attachment cannot be read", errno) : OK;
    if (rc == OK)
        rc = aside_open(w, &a, name, number);
    if (rc > WARN)
        return rc;
    while ((n = file_read_full(from, bytes, sizeof bytes)) > 0) {
        buf_add(&a.sink.buf, (struct slice){ bytes, (size_t)n });
        sink_turn(&a.sink);
    }
    if (n < 0)
        rc = problem_system(&w->now, NULL, "the attachment cannot be read", errno);
    return aside_close(w, &a, rc);
}

int attached_set_aside(struct work *w)
{
    int rc = OK;
    for (size_t i = 0; i < w->kept.n && rc <= WARN; i++) {
        struct slice name = w->kept.entries[i].key;
        struct came came;
        rc = w->port->companion(w->port->owner, false, name, &came, &w->now);
        if (rc <= WARN && came.fd >= 0)
            rc = copy_file(w, came.fd, name, ASIDE_ATTACHED + (uint32_t)i);
        if (came.fd >= 0)
            close(came.fd);
    }
    return rc;
}

/* What came along with them goes along. */
int step_set_aside(struct work *w)
{
    int rc = w->nrejected ? set_messages_aside(w) : OK;
    if (rc <= WARN && w->nrejected)
        rc = with_set_aside(w);
    return rc <= WARN && w->nrejected ? attached_set_aside(w) : rc;
}
