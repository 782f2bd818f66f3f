#include "syntax/sink.h"

#include "base/file.h"

void sink_open_fd(struct sink *s, int fd, const char *name)
{
    *s = (struct sink){ .fd = fd, .name = name };
    buf_grow(&s->buf, SINK_BUFFER);
}

void sink_open_memory(struct sink *s, const char *name)
{
    *s = (struct sink){ .fd = -1, .name = name };
}

void sink_flush(struct sink *s)
{
    if (s->fd < 0 || s->buf.n == 0)
        return;
    if (!s->error && (s->max == 0 || sink_total(s) <= s->max)) {
        if (s->hash)
            sha256_add(s->hash, buf_slice(&s->buf));
        s->error = file_write_all(s->fd, buf_slice(&s->buf));
    }
    s->written += s->buf.n;
    s->buf.n = 0;
}

int sink_close(struct sink *s, struct problems *ps)
{
    if (s->fd < 0 && s->hash)
        sha256_add(s->hash, buf_slice(&s->buf));
    sink_flush(s);
    if (s->error)
        return problem_system(ps, s->name, "writing", s->error);
    if (s->max && sink_total(s) > s->max) {
        problem_addf(ps, PROBLEM_ERROR, "LIMIT_OUTPUT", (struct place){ .file = s->name, .offset = PLACE_NO_OFFSET },
                     "the output would be longer than %llu bytes", (unsigned long long)s->max);
        return STOP;
    }
    return OK;
}

void sink_release(struct sink *s)
{
    buf_release(&s->buf);
}
