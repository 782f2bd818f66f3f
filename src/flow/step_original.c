#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "flow/convert.h"
#include "flow/work.h"

/* ---- `give outbox … map M backward original`: the file that the batch was made of, with the changes -------------- */

static int update_original(struct work *w, const struct lane *l, struct sink *sink, size_t *edits)
{
    struct source staged, original;
    int fd = open(w->job->original, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_system(&w->now, w->job->original, "the file of the batch cannot be opened", errno);
    if (lseek(w->job->fd, 0, SEEK_SET) < 0) {
        close(fd);
        return problem_system(&w->now, w->source.name, "the staged document cannot be read twice", errno);
    }
    source_open_fd(&staged, w->job->fd, w->source.name, &w->site->limits);
    source_open_fd(&original, fd, arena_cstr(w->arena, w->job->file), &w->site->limits);
    struct conversion c = { .mapping = l->give->mapping, .direction = l->give->direction, .outside = &w->outside,
                            .limits = &w->site->limits, .input = &staged, .original = &original, .output = sink };
    int rc = convert_run(&c, &w->now);
    *edits = c.edits;
    source_close(&original);
    source_close(&staged);
    close(fd);
    return rc == SKIP ? OK : rc;                    /* what was refused of it is told */
}

/* With `empty skip` a file that would be the same is not written. */
static int would_change(struct work *w, const struct lane *l, bool *out)
{
    struct sink nowhere;
    size_t edits = 0;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(&w->now, "/dev/null", "cannot be opened", errno);
    sink_open_fd(&nowhere, fd, "nowhere");
    int rc = update_original(w, l, &nowhere, &edits);
    sink_close(&nowhere, &w->now);
    sink_release(&nowhere);
    close(fd);
    work_begin(w);                                  /* it is told when it is written */
    *out = edits > 0;
    return rc;
}

static int write_file(struct work *w, struct lane *l)
{
    struct output *o = work_output(w, OUTPUT_FILE, l->give);
    struct sink sink;
    struct sha256 hash;
    size_t edits;
    int fd, rc = output_name(w, l, l->give->name_parts, l->give->nname_parts, l->give->name, NULL, &o->name);
    if (rc == OK) {
        o->number = ++l->outputs;
        rc = w->port->open(w->port->owner, o, &fd, &w->now);
    }
    if (rc > WARN)
        return rc;
    sha256_init(&hash);
    sink_open_fd(&sink, fd, arena_cstr(w->arena, o->name));
    sink.hash = &hash;
    rc = update_original(w, l, &sink, &edits);
    int closed = sink_close(&sink, &w->now);
    o->bytes = sink_total(&sink);
    sha256_hex(&hash, o->sha256);
    sink_release(&sink);
    close(fd);
    rc = closed > rc ? closed : rc;
    return rc <= WARN ? w->port->closed(w->port->owner, o, &w->now) : rc;
}

int original_write(struct work *w, struct lane *l)
{
    bool changes = true;
    int rc = l->give->empty_skip ? would_change(w, l, &changes) : OK;
    return rc <= WARN && changes ? write_file(w, l) : rc;
}
