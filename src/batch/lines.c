#include "batch/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"

enum { FLUSH = 65536, PROBLEMS_MAX = 100, FINDINGS_MAX = 10000, TRIED_MAX = 1000, LINE_MAX_BYTES = 64 << 20 };

unsigned lines_next(const struct waybill *w)
{
    unsigned n = 1;
    for (const struct waybill_file *f = w->files; f; f = f->next)
        n += slice_is(f->kind, "lines");
    return n;
}

int lines_open(struct lines *l, int dirfd, const char *batch, unsigned n, struct problems *ps)
{
    *l = (struct lines){ .fd = -1 };
    snprintf(l->file, sizeof l->file, "%.80s.lines.%u.jsonl", batch, n);
    sha256_init(&l->hash);
    if (unlinkat(dirfd, l->file, 0) != 0 && errno != ENOENT)
        return problem_system(ps, l->file, "cannot remove an unfinished file", errno);
    l->fd = openat(dirfd, l->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return l->fd >= 0 ? OK : problem_system(ps, l->file, "cannot write", errno);
}

static int flush(struct lines *l, struct problems *ps)
{
    sha256_add(&l->hash, buf_slice(&l->buf));
    l->size += l->buf.n;
    int err = file_write_all(l->fd, buf_slice(&l->buf));
    l->buf.n = 0;
    return err ? problem_system(ps, l->file, "cannot write", err) : OK;
}

static void add_states(struct buf *b, const struct line_state *s)
{
    if (s == NULL)
        return;
    json_key(b, "lines");
    json_open(b, '[');
    for (; s; s = s->next) {
        json_open(b, '{');
        json_text(b, "path", s->path);
        json_text(b, "key", s->key);
        json_text(b, "state", s->state);
        json_close(b, '}');
    }
    json_close(b, ']');
}

static void add_problems(struct buf *b, const struct line *line)
{
    size_t n = 0;
    for (const struct problem *p = line->problems; p && n < PROBLEMS_MAX; p = p->next) {
        if (p->message != 0 && p->message != line->message)
            continue;
        if (n++ == 0) {
            json_key(b, "problems");
            json_open(b, '[');
        }
        struct buf one = { 0 };
        problem_json(&one, p);
        json_raw(b, NULL, slice_trim(buf_slice(&one)));
        buf_release(&one);
    }
    if (n)
        json_close(b, ']');
}

static void text_if(struct buf *b, const char *key, struct slice text)
{
    if (text.n)
        json_text(b, key, text);
}

/* What is that of the line is not written again. */
static void text_unless(struct buf *b, const char *key, struct slice text, struct slice same)
{
    if (!slice_equal(text, same))
        text_if(b, key, text);
}

static void add_findings(struct buf *b, const struct line *line)
{
    size_t n = 0;
    if (line->findings == NULL)
        return;
    json_key(b, "findings");
    json_open(b, '[');
    for (const struct finding *f = line->findings; f && n < FINDINGS_MAX; f = f->next, n++) {
        json_open(b, '{');
        json_text(b, "outcome", slice_of(outcome_names[f->kind]));
        text_if(b, "code", f->code);
        text_if(b, "text", f->text);
        text_unless(b, "key", f->key, line->key);
        text_if(b, "line", f->line);
        text_if(b, "field", f->field);
        text_if(b, "value", f->value);
        text_unless(b, "operation", f->operation, line->operation);
        text_unless(b, "time", f->time, line->time);
        json_close(b, '}');
    }
    json_close(b, ']');
}

static void add_tried(struct buf *b, const struct line *line)
{
    size_t n = 0;
    if (line->tried == NULL)
        return;
    json_key(b, "tried");
    json_open(b, '[');
    for (const struct tried *t = line->tried; t && n < TRIED_MAX; t = t->next, n++) {
        json_open(b, '{');
        json_text(b, "kind", slice_of(tried_names[t->kind]));
        text_if(b, "line", t->line);
        text_if(b, "key", t->key);
        text_if(b, "code", t->code);
        text_if(b, "text", t->text);
        text_if(b, "values", t->values);
        json_close(b, '}');
    }
    json_close(b, ']');
}

int lines_add(struct lines *l, const struct line *line, struct problems *ps)
{
    struct buf *b = &l->buf;
    json_open(b, '{');
    json_number(b, "message", (int64_t)line->message);
    json_text(b, "key", line->key);
    json_text(b, "state", line->state);
    json_text(b, "code", line->code);
    json_text(b, "operation", line->operation);
    text_if(b, "time", line->time);
    text_if(b, "reason", line->reason);
    add_states(b, line->lines);
    add_findings(b, line);
    add_tried(b, line);
    add_problems(b, line);
    json_close(b, '}');
    buf_byte(b, '\n');
    l->count++;
    return b->n >= FLUSH && l->fd >= 0 ? flush(l, ps) : OK;
}

int lines_close(struct lines *l, bool sync, struct waybill *w, struct problems *ps)
{
    int rc = flush(l, ps);
    if (rc == OK && sync && fsync(l->fd) != 0)
        rc = problem_system(ps, l->file, "cannot write to disk", errno);
    if (close(l->fd) != 0 && rc == OK)
        rc = problem_system(ps, l->file, "cannot write", errno);
    l->fd = -1;
    buf_release(&l->buf);
    if (rc == OK && w) {
        struct waybill_file *f = waybill_file(w, "lines", l->file);
        f->size = l->size;
        f->count = l->count;
        sha256_hex(&l->hash, f->sha256);
    }
    return rc;
}

void lines_begin(struct lines *l, int fd)
{
    *l = (struct lines){ .fd = fd, .file = "lines" };
    sha256_init(&l->hash);
}

int lines_end(struct lines *l, char sha256[SHA256_HEX], struct problems *ps)
{
    int rc = lines_close(l, false, NULL, ps);
    sha256_hex(&l->hash, sha256);
    return rc;
}

void lines_abandon(struct lines *l, int dirfd)
{
    if (l->fd >= 0) {
        close(l->fd);
        unlinkat(dirfd, l->file, 0);
    }
    l->fd = -1;
    buf_release(&l->buf);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct slice text_of(struct arena *a, json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (!json_is_string(v))
        return slice_none();
    return arena_copy(a, (struct slice){ json_string_value(v), json_string_length(v) });
}

static uint64_t number_of(json_t *object, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (uint64_t)n : 0;
}

static enum severity severity_of(struct slice text)
{
    return slice_is(text, "note") ? PROBLEM_NOTE : slice_is(text, "warning") ? PROBLEM_WARNING : PROBLEM_ERROR;
}

static void read_problem(json_t *object, struct arena *a, struct problem *p)
{
    struct slice code = text_of(a, object, "code"), file = text_of(a, object, "file");
    *p = (struct problem){
        .severity = severity_of(text_of(a, object, "severity")), .code = code.p ? arena_cstr(a, code) : "",
        .place = { .file = file.p ? arena_cstr(a, file) : NULL, .offset = PLACE_NO_OFFSET,
                   .line = (uint32_t)number_of(object, "line"),
                   .column = (uint32_t)number_of(object, "column") },
        .message = number_of(object, "message"), .path = text_of(a, object, "path"),
        .value = text_of(a, object, "value"),
        .text = text_of(a, object, "text"), .hint = text_of(a, object, "hint"),
    };
}

static void read_states(json_t *list, struct arena *a, struct line_state **out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        *out = arena_zero(a, sizeof **out);
        (*out)->path = text_of(a, o, "path");
        (*out)->key = text_of(a, o, "key");
        (*out)->state = text_of(a, o, "state");
        out = &(*out)->next;
    }
}

/* The index of a word in a list of n; -1 = not one of them. */
static int word_of(json_t *object, const char *key, const char *const *words, int n)
{
    const char *text = json_string_value(json_object_get(object, key));
    for (int i = 0; text && i < n; i++) {
        if (strcmp(words[i], text) == 0)
            return i;
    }
    return -1;
}

static struct slice text_or(struct arena *a, json_t *object, const char *key, struct slice otherwise)
{
    struct slice text = text_of(a, object, key);
    return text.p ? text : otherwise;
}

static bool read_findings(json_t *list, struct arena *a, struct line_read *line)
{
    struct finding **link = &line->findings;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        int kind = word_of(o, "outcome", outcome_names, OUTCOME_REJECT + 1);
        if (kind <= 0)
            return false;
        *link = arena_zero(a, sizeof **link);
        **link = (struct finding){
            .kind = (unsigned)kind, .code = text_of(a, o, "code"), .text = text_of(a, o, "text"),
            .key = text_or(a, o, "key", line->key), .line = text_of(a, o, "line"), .field = text_of(a, o, "field"),
            .value = text_of(a, o, "value"), .operation = text_or(a, o, "operation", line->operation),
            .time = text_or(a, o, "time", line->time) };
        link = &(*link)->next;
    }
    return true;
}

static bool read_tried(json_t *list, struct arena *a, struct line_read *line)
{
    struct tried **link = &line->tried;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i);
        int kind = word_of(o, "kind", tried_names, TRIED_NEW + 1);
        if (kind < 0)
            return false;
        *link = arena_zero(a, sizeof **link);
        **link = (struct tried){ .kind = (unsigned)kind, .line = text_of(a, o, "line"), .key = text_of(a, o, "key"),
                                 .code = text_of(a, o, "code"), .text = text_of(a, o, "text"),
                                 .values = text_of(a, o, "values") };
        link = &(*link)->next;
    }
    return true;
}

static bool read_line(struct slice text, struct arena *a, struct line_read *out)
{
    json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool good = json_is_object(o);
    *out = (struct line_read){ .message = number_of(o, "message"), .key = text_of(a, o, "key"),
                               .state = text_of(a, o, "state"),
                               .code = text_of(a, o, "code"), .operation = text_of(a, o, "operation"),
                               .time = text_of(a, o, "time"), .reason = text_of(a, o, "reason") };
    good = good && read_findings(json_object_get(o, "findings"), a, out) &&
           read_tried(json_object_get(o, "tried"), a, out);
    read_states(json_object_get(o, "lines"), a, &out->lines);
    json_t *problems = json_object_get(o, "problems");
    out->nproblems = json_array_size(problems);
    out->problems = arena_zero(a, out->nproblems * sizeof *out->problems + 1);
    for (size_t i = 0; i < out->nproblems; i++) {
        read_problem(json_array_get(problems, i), a, &out->problems[i]);
        if (i)
            out->problems[i - 1].next = &out->problems[i];
    }
    json_decref(o);
    return good;
}

static int damaged(const char *file, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "LINES_DAMAGED", (struct place){ .file = file, .offset = PLACE_NO_OFFSET },
                 "the file has not the size and SHA-256 that the waybill lists");
    return STOP;
}

/* The whole file is compared before a line of it is believed. */
static int check_file(int fd, const char *file, const struct waybill_file *f, struct problems *ps)
{
    char bytes[FLUSH], found[SHA256_HEX];
    struct sha256 hash;
    uint64_t size = 0;
    ssize_t n;
    sha256_init(&hash);
    while ((n = file_read_full(fd, bytes, sizeof bytes)) > 0) {
        sha256_add(&hash, (struct slice){ bytes, (size_t)n });
        size += (uint64_t)n;
    }
    if (n < 0 || lseek(fd, 0, SEEK_SET) != 0)
        return problem_system(ps, file, "cannot read", errno);
    sha256_hex(&hash, found);
    return size == f->size && strcmp(found, f->sha256) == 0 ? OK : damaged(file, ps);
}

static int each_line(int fd, const char *file, struct arena *a, int (*each)(void *owner, const struct line_read *l),
                     void *owner, struct problems *ps)
{
    struct buf b = { 0 };
    struct line_read line;
    int rc = OK;
    ssize_t n = 1;
    size_t from = 0;
    while (rc == OK && n > 0) {
        n = file_read_full(fd, buf_room(&b, FLUSH), FLUSH);
        if (n < 0)
            rc = problem_system(ps, file, "cannot read", errno);
        b.n += n > 0 ? (size_t)n : 0;
        for (char *lf; rc == OK && from < b.n && (lf = memchr(b.p + from, '\n', b.n - from)) != NULL;) {
            rc = read_line(slice_range(b.p + from, lf), a, &line) ? each(owner, &line) : damaged(file, ps);
            from = (size_t)(lf + 1 - b.p);
        }
        if (b.n > from)
            memmove(b.p, b.p + from, b.n - from);
        b.n -= from;
        from = 0;
        if (rc == OK && b.n > LINE_MAX_BYTES)
            rc = damaged(file, ps);
    }
    buf_release(&b);
    return rc;
}

int lines_read(int dirfd, const struct waybill_file *f, struct arena *a,
               int (*each)(void *owner, const struct line_read *l), void *owner, struct problems *ps)
{
    const char *file = arena_cstr(ps->arena, f->file);
    if (strchr(file, '/'))
        return damaged(file, ps);
    int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return problem_system(ps, file, "cannot open", errno);
    int rc = lines_read_fd(fd, f, a, each, owner, ps);
    close(fd);
    return rc;
}

int lines_read_fd(int fd, const struct waybill_file *f, struct arena *a,
                  int (*each)(void *owner, const struct line_read *l), void *owner, struct problems *ps)
{
    const char *file = arena_cstr(a, f->file);
    int rc = check_file(fd, file, f, ps);
    return rc == OK ? each_line(fd, file, a, each, owner, ps) : rc;
}
