#include "batch/waybill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "batch/shape.h"
#include "batch/waybill_shape.h"

enum { VERSION = 1, BYTES_MAX = 16 << 20 };

const char *const place_names[] = { "accepted", "written", "delivered", "archived", "error", NULL };
static const char *const severity_words[] = { "note", "warning", "error", NULL };

/* --- the document ------------------------------------------------------------------------------------------------- */

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define AT(type, member) offsetof(struct type, member)

static const struct shape_member pin_members[] = {
    { "kind", SHAPE_TEXT, AT(waybill_pin, kind), NULL, true, NULL },
    { "name", SHAPE_TEXT, AT(waybill_pin, name), NULL, true, NULL },
    { "sha256", SHAPE_HASH, AT(waybill_pin, sha256), NULL, false, NULL },
};
static const struct shape pin_shape = { pin_members, COUNT(pin_members), sizeof(struct waybill_pin),
                                        AT(waybill_pin, next) };

static const struct shape_member param_members[] = {
    { "name", SHAPE_TEXT, AT(waybill_param, name), NULL, true, NULL },
    { "value", SHAPE_TEXT, AT(waybill_param, value), NULL, false, NULL },
};
const struct shape waybill_param_shape = { param_members, COUNT(param_members), sizeof(struct waybill_param),
                                           AT(waybill_param, next) };

static const struct shape_member lease_members[] = {
    { "sequence", SHAPE_TEXT, AT(waybill_lease, sequence), NULL, true, NULL },
    { "first", SHAPE_I64, AT(waybill_lease, first), NULL, true, NULL },
    { "end", SHAPE_I64, AT(waybill_lease, end), NULL, true, NULL },
    { "run", SHAPE_U32, AT(waybill_lease, run), NULL, false, NULL },
};
static const struct shape lease_shape = { lease_members, COUNT(lease_members), sizeof(struct waybill_lease),
                                          AT(waybill_lease, next) };

static const struct shape_member total_members[] = {
    { "name", SHAPE_TEXT, AT(waybill_total, name), NULL, true, NULL },
    { "count", SHAPE_U64, AT(waybill_total, count), NULL, true, NULL },
};
const struct shape waybill_total_shape = { total_members, COUNT(total_members), sizeof(struct waybill_total),
                                          AT(waybill_total, next) };

static const struct shape_member output_members[] = {
    { "n", SHAPE_U32, AT(waybill_output, n), NULL, true, NULL },
    { "outbox", SHAPE_TEXT, AT(waybill_output, outbox), NULL, true, NULL },
    { "name", SHAPE_TEXT, AT(waybill_output, name), NULL, true, NULL },
    { "operation", SHAPE_TEXT, AT(waybill_output, operation), NULL, false, NULL },
    { "size", SHAPE_U64, AT(waybill_output, size), NULL, true, NULL },
    { "sha256", SHAPE_HASH, AT(waybill_output, sha256), NULL, false, NULL },
    { "published", SHAPE_TEXT, AT(waybill_output, published), NULL, false, NULL },
    { "run", SHAPE_U32, AT(waybill_output, run), NULL, false, NULL },
    { "give", SHAPE_U32, AT(waybill_output, give), NULL, false, NULL },
};
const struct shape waybill_output_shape = { output_members, COUNT(output_members), sizeof(struct waybill_output),
                                            AT(waybill_output, next) };

static const struct shape_member file_members[] = {
    { "file", SHAPE_TEXT, AT(waybill_file, file), NULL, true, NULL },
    { "kind", SHAPE_TEXT, AT(waybill_file, kind), NULL, true, NULL },
    { "name", SHAPE_BYTES, AT(waybill_file, name), NULL, false, NULL },
    { "size", SHAPE_U64, AT(waybill_file, size), NULL, true, NULL },
    { "count", SHAPE_U64, AT(waybill_file, count), NULL, false, NULL },
    { "sha256", SHAPE_HASH, AT(waybill_file, sha256), NULL, false, NULL },
    { "run", SHAPE_U32, AT(waybill_file, run), NULL, false, NULL },
    { "states", SHAPE_LIST, AT(waybill_file, states), &waybill_total_shape, false, NULL },
};
static const struct shape file_shape = { file_members, COUNT(file_members), sizeof(struct waybill_file),
                                         AT(waybill_file, next) };

static const struct shape_member amend_members[] = {
    { "message", SHAPE_TEXT, AT(waybill_amend, message), NULL, true, NULL },
    { "path", SHAPE_TEXT, AT(waybill_amend, path), NULL, true, NULL },
    { "value", SHAPE_TEXT, AT(waybill_amend, value), NULL, true, NULL },
    { "hidden", SHAPE_U32, AT(waybill_amend, hidden), NULL, false, NULL },
};
const struct shape waybill_amend_shape = { amend_members, COUNT(amend_members), sizeof(struct waybill_amend),
                                           AT(waybill_amend, next) };

static const struct shape_member run_members[] = {
    { "operation", SHAPE_TEXT, AT(waybill_run, operation), NULL, true, NULL },
    { "time", SHAPE_TEXT, AT(waybill_run, time), NULL, true, NULL },
    { "by", SHAPE_TEXT, AT(waybill_run, by), NULL, false, NULL },
    { "batch", SHAPE_TEXT, AT(waybill_run, batch), NULL, false, NULL },
    { "outcome", SHAPE_TEXT, AT(waybill_run, outcome), NULL, true, NULL },
    { "code", SHAPE_TEXT, AT(waybill_run, code), NULL, false, NULL },
    { "text", SHAPE_TEXT, AT(waybill_run, text), NULL, false, NULL },
    { "messages", SHAPE_U64, AT(waybill_run, messages), NULL, true, NULL },
    { "rejected", SHAPE_U64, AT(waybill_run, rejected), NULL, false, NULL },
    { "waiting", SHAPE_U64, AT(waybill_run, waiting), NULL, false, NULL },
    { "errors", SHAPE_U64, AT(waybill_run, errors), NULL, false, NULL },
    { "warnings", SHAPE_U64, AT(waybill_run, warnings), NULL, false, NULL },
};
static const struct shape run_shape = { run_members, COUNT(run_members), sizeof(struct waybill_run),
                                        AT(waybill_run, next) };

static const struct shape_member group_members[] = {
    { "severity", SHAPE_WORD, AT(waybill_group, severity), NULL, true, severity_words },
    { "code", SHAPE_TEXT, AT(waybill_group, code), NULL, true, NULL },
    { "count", SHAPE_U64, AT(waybill_group, count), NULL, true, NULL },
    { "file", SHAPE_TEXT, AT(waybill_group, file), NULL, false, NULL },
    { "line", SHAPE_U32, AT(waybill_group, line), NULL, false, NULL },
    { "column", SHAPE_U32, AT(waybill_group, column), NULL, false, NULL },
    { "message", SHAPE_U64, AT(waybill_group, message), NULL, false, NULL },
    { "path", SHAPE_TEXT, AT(waybill_group, path), NULL, false, NULL },
    { "text", SHAPE_TEXT, AT(waybill_group, text), NULL, false, NULL },
    { "hint", SHAPE_TEXT, AT(waybill_group, hint), NULL, false, NULL },
};
const struct shape waybill_group_shape = { group_members, COUNT(group_members), sizeof(struct waybill_group),
                                           AT(waybill_group, next) };

static const struct shape_member event_members[] = {
    { "time", SHAPE_TEXT, AT(waybill_event, time), NULL, true, NULL },
    { "what", SHAPE_TEXT, AT(waybill_event, what), NULL, true, NULL },
    { "detail", SHAPE_TEXT, AT(waybill_event, detail), NULL, false, NULL },
    { "sha256", SHAPE_HASH, AT(waybill_event, sha256), NULL, true, NULL },
};
static const struct shape event_shape = { event_members, COUNT(event_members), sizeof(struct waybill_event),
                                          AT(waybill_event, next) };

static const struct shape_member retry_members[] = {
    { "cause", SHAPE_TEXT, AT(waybill_retry, cause), NULL, true, NULL },
    { "attempts", SHAPE_U32, AT(waybill_retry, attempts), NULL, true, NULL },
    { "since", SHAPE_TEXT, AT(waybill_retry, since), NULL, true, NULL },
    { "next", SHAPE_TEXT, AT(waybill_retry, next), NULL, true, NULL },
};
static const struct shape retry_shape = { retry_members, COUNT(retry_members), sizeof(struct waybill_retry), 0 };

static const struct shape_member calls_members[] = {
    { "operation", SHAPE_TEXT, AT(waybill_calls, operation), NULL, true, NULL },
    { "since", SHAPE_TEXT, AT(waybill_calls, since), NULL, true, NULL },
    { "message", SHAPE_U64, AT(waybill_calls, message), NULL, true, NULL },
    { "key", SHAPE_TEXT, AT(waybill_calls, key), NULL, false, NULL },
    { "give", SHAPE_U32, AT(waybill_calls, give), NULL, false, NULL },
    { "asked", SHAPE_TEXT, AT(waybill_calls, asked), NULL, false, NULL },
    { "until", SHAPE_TEXT, AT(waybill_calls, until), NULL, false, NULL },
    { "over", SHAPE_U32, AT(waybill_calls, over), NULL, false, NULL },
    { "last", SHAPE_U32, AT(waybill_calls, last), NULL, false, NULL },
};
static const struct shape calls_shape = { calls_members, COUNT(calls_members), sizeof(struct waybill_calls), 0 };

static const struct shape_member members[] = {
    { "batch", SHAPE_TEXT, AT(waybill, batch), NULL, true, NULL },
    { "seq", SHAPE_U64, AT(waybill, seq), NULL, true, NULL },
    { "prev", SHAPE_HASH, AT(waybill, prev), NULL, false, NULL },
    { "place", SHAPE_WORD, AT(waybill, place), NULL, true, place_names },
    { "flow", SHAPE_TEXT, AT(waybill, flow), NULL, true, NULL },
    { "operation", SHAPE_TEXT, AT(waybill, operation), NULL, false, NULL },
    { "waits", SHAPE_TEXT, AT(waybill, waits), NULL, false, NULL },
    { "inbox", SHAPE_TEXT, AT(waybill, inbox), NULL, false, NULL },
    { "name", SHAPE_BYTES, AT(waybill, name), NULL, true, NULL },
    { "bytes", SHAPE_U64, AT(waybill, bytes), NULL, true, NULL },
    { "mtime_ns", SHAPE_I64, AT(waybill, mtime_ns), NULL, false, NULL },
    { "sha256", SHAPE_HASH, AT(waybill, sha256), NULL, true, NULL },
    { "syntax", SHAPE_TEXT, AT(waybill, syntax), NULL, false, NULL },
    { "reference", SHAPE_TEXT, AT(waybill, reference), NULL, false, NULL },
    { "sender", SHAPE_TEXT, AT(waybill, sender), NULL, false, NULL },
    { "receiver", SHAPE_TEXT, AT(waybill, receiver), NULL, false, NULL },
    { "parent", SHAPE_TEXT, AT(waybill, parent), NULL, false, NULL },
    { "duplicate_of", SHAPE_TEXT, AT(waybill, duplicate_of), NULL, false, NULL },
    { "batch_time", SHAPE_TEXT, AT(waybill, batch_time), NULL, true, NULL },
    { "pins", SHAPE_LIST, AT(waybill, pins), &pin_shape, false, NULL },
    { "params", SHAPE_LIST, AT(waybill, params), &waybill_param_shape, false, NULL },
    { "leases", SHAPE_LIST, AT(waybill, leases), &lease_shape, false, NULL },
    { "messages", SHAPE_U64, AT(waybill, messages), NULL, true, NULL },
    { "unused", SHAPE_U32, AT(waybill, unused), NULL, false, NULL },
    { "totals", SHAPE_LIST, AT(waybill, totals), &waybill_total_shape, false, NULL },
    { "skips", SHAPE_LIST, AT(waybill, skips), &waybill_total_shape, false, NULL },
    { "states", SHAPE_LIST, AT(waybill, states), &waybill_total_shape, false, NULL },
    { "outputs", SHAPE_LIST, AT(waybill, outputs), &waybill_output_shape, false, NULL },
    { "files", SHAPE_LIST, AT(waybill, files), &file_shape, false, NULL },
    { "errors", SHAPE_U64, AT(waybill, errors), NULL, false, NULL },
    { "warnings", SHAPE_U64, AT(waybill, warnings), NULL, false, NULL },
    { "notes", SHAPE_U64, AT(waybill, notes), NULL, false, NULL },
    { "problems", SHAPE_LIST, AT(waybill, groups), &waybill_group_shape, false, NULL },
    { "more_problems", SHAPE_U64, AT(waybill, more_groups), NULL, false, NULL },
    { "answers", SHAPE_LIST, AT(waybill, answers), &waybill_param_shape, false, NULL },
    { "members", SHAPE_LIST, AT(waybill, members), &waybill_param_shape, false, NULL },
    { "stage", SHAPE_TEXT, AT(waybill, stage), NULL, false, NULL },
    { "run", SHAPE_U32, AT(waybill, run), NULL, false, NULL },
    { "due", SHAPE_LIST, AT(waybill, due), &waybill_param_shape, false, NULL },
    { "run_by", SHAPE_TEXT, AT(waybill, run_by), NULL, false, NULL },
    { "run_sets", SHAPE_LIST, AT(waybill, run_sets), &waybill_param_shape, false, NULL },
    { "run_keys", SHAPE_LIST, AT(waybill, run_keys), &waybill_param_shape, false, NULL },
    { "run_amends", SHAPE_LIST, AT(waybill, run_amends), &waybill_amend_shape, false, NULL },
    { "runs", SHAPE_LIST, AT(waybill, runs), &run_shape, false, NULL },
    { "calls", SHAPE_OBJECT, AT(waybill, calls), &calls_shape, false, NULL },
    { "retry", SHAPE_OBJECT, AT(waybill, retry), &retry_shape, false, NULL },
    { "error_code", SHAPE_TEXT, AT(waybill, error_code), NULL, false, NULL },
    { "error_text", SHAPE_TEXT, AT(waybill, error_text), NULL, false, NULL },
    { "history", SHAPE_LIST, AT(waybill, history), &event_shape, false, NULL },
};
static const struct shape shape = { members, COUNT(members), sizeof(struct waybill), 0 };

struct waybill *waybill_new(struct arena *a, const char *batch)
{
    struct waybill *w = arena_zero(a, sizeof *w);
    w->arena = a;
    w->batch = arena_copy(a, slice_of(batch));
    w->flow = w->batch_time = w->name = SLICE("");
    return w;
}

void waybill_file_name(const char *batch, char out[WAYBILL_FILE_NAME])
{
    snprintf(out, WAYBILL_FILE_NAME, "%.80s.waybill.json", batch);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

void waybill_write(const struct waybill *w, struct buf *out)
{
    char check[SHA256_HEX];
    size_t from = out->n;
    buf_text(out, "{\"version\":1");
    shape_write_members(&shape, w, out, true);
    buf_text(out, ",\n");
    sha256_of((struct slice){ out->p + from, out->n - from }, check);
    buf_printf(out, "\"check\":\"%s\"}\n", check);
}

/* The tail that waybill_write makes: "check":"…"} and a newline. */
enum { CHECK_TAIL = 9 + SHA256_HEX - 1 + 3 };

/* The first one stands in a folder that nothing refers to yet: no need to replace anything. */
static int write_first(int dirfd, const char *file, struct slice text, bool sync, struct problems *ps)
{
    int fd = openat(dirfd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? file_replace(dirfd, file, text, 0600, sync, ps)
                               : problem_system(ps, file, "cannot write", errno);
    int err = file_write_all(fd, text);
    if (err == 0 && sync && fsync(fd) != 0)
        err = errno;
    if (close(fd) != 0 && err == 0)
        err = errno;
    if (err == 0 && sync && fsync(dirfd) != 0)
        err = errno;
    if (err)
        unlinkat(dirfd, file, 0);
    return err ? problem_system(ps, file, "cannot write", err) : OK;
}

void waybill_seal(struct waybill *w, struct buf *out)
{
    memcpy(w->prev, w->check, sizeof w->prev);
    w->seq++;
    waybill_write(w, out);
    memcpy(w->check, out->p + out->n - CHECK_TAIL + 9, SHA256_HEX - 1);
    w->check[SHA256_HEX - 1] = '\0';
}

int waybill_save(struct waybill *w, int dirfd, bool sync, struct problems *ps)
{
    return waybill_save_in(w, dirfd, "", sync, ps);
}

int waybill_save_in(struct waybill *w, int dirfd, const char *below, bool sync, struct problems *ps)
{
    struct buf b = { 0 };
    char file[WAYBILL_FILE_NAME], batch[80], old_prev[SHA256_HEX];
    snprintf(batch, sizeof batch, "%.*s", SLICE_ARG(w->batch));
    waybill_file_name(batch, file);
    memcpy(old_prev, w->prev, sizeof old_prev);
    waybill_seal(w, &b);
    int rc = w->seq == 1 && !*below ? write_first(dirfd, file, buf_slice(&b), sync, ps)
                                    : file_replace_in(dirfd, below, file, buf_slice(&b), 0600, sync, ps);
    if (rc != OK) {
        memcpy(w->check, w->prev, sizeof w->check);
        memcpy(w->prev, old_prev, sizeof w->prev);
        w->seq--;
    }
    buf_release(&b);
    return rc;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int damaged(const char *file, int line, int column, const char *text, const char *more, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "WAYBILL_DAMAGED",
        .place = { .file = file, .offset = PLACE_NO_OFFSET, .line = line > 0 ? (uint32_t)line : 0,
                   .column = column > 0 ? (uint32_t)column : 0 },
        .text = arena_printf(ps->arena, "%s%s", text, more),
        .hint = SLICE("nothing is guessed: the batch is set aside with all its files") });
    return STOP;
}

static int check_version(json_t *doc, const char *file, struct problems *ps)
{
    json_t *version = json_object_get(doc, "version");
    if (!json_is_integer(version))
        return damaged(file, 1, 0, "the waybill has no version", "", ps);
    if (json_integer_value(version) == VERSION)
        return OK;
    struct place place = { .file = file, .offset = PLACE_NO_OFFSET, .line = 1 };
    problem_addf(ps, PROBLEM_ERROR, "WAYBILL_VERSION", place, "the waybill has version %lld, this program knows %d",
                 (long long)json_integer_value(version), VERSION);
    return STOP;
}

static int check_sum(struct slice text, const char *file, char check[SHA256_HEX], struct problems *ps)
{
    char want[CHECK_TAIL + 1];
    if (text.n > CHECK_TAIL) {
        sha256_of((struct slice){ text.p, text.n - CHECK_TAIL }, check);
        snprintf(want, sizeof want, "\"check\":\"%s\"}\n", check);
        if (memcmp(want, text.p + text.n - CHECK_TAIL, CHECK_TAIL) == 0)
            return OK;
    }
    return damaged(file, 0, 0, "the waybill was changed after it was written: its check does not fit", "", ps);
}

static int read_document(json_t *doc, struct slice text, const char *file, struct waybill *w, struct problems *ps)
{
    const char *fault = "";
    int rc = check_version(doc, file, ps);
    if (rc == OK)
        rc = check_sum(text, file, w->check, ps);
    if (rc != OK)
        return rc;
    json_object_del(doc, "version");
    json_object_del(doc, "check");
    if (!shape_read(&shape, doc, w, w->arena, &fault))
        return damaged(file, 0, 0, "a member is missing, of the wrong type or unknown: ", fault, ps);
    for (struct waybill_event *e = w->history; e; e = e->next) {
        w->last_event = e;
        w->nevents++;
    }
    return OK;
}

int waybill_read(struct arena *a, struct slice text, const char *file, struct waybill **out, struct problems *ps)
{
    json_error_t error;
    *out = NULL;
    if (text.n > BYTES_MAX)
        return damaged(file, 0, 0, "the waybill is too long", "", ps);
    json_t *doc = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json_is_object(doc)) {
        json_decref(doc);
        return doc ? damaged(file, 1, 1, "the waybill is no object", "", ps)
                   : damaged(file, error.line, error.column, "the waybill is no JSON: ", error.text, ps);
    }
    struct waybill *w = waybill_new(a, "");
    int rc = read_document(doc, text, file, w, ps);
    json_decref(doc);
    if (rc == OK)
        *out = w;
    return rc;
}

int waybill_load(struct arena *a, int dirfd, const char *batch, struct waybill **out, struct problems *ps)
{
    char file[WAYBILL_FILE_NAME];
    struct stat st;
    waybill_file_name(batch, file);
    *out = NULL;
    int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? END : problem_system(ps, file, "cannot open", errno);
    int rc = fstat(fd, &st) == 0 ? OK : problem_system(ps, file, "cannot look at the file", errno);
    if (rc == OK && (!S_ISREG(st.st_mode) || st.st_size > BYTES_MAX))
        rc = damaged(file, 0, 0, "the waybill is no file of ours", "", ps);
    if (rc == OK) {
        char *p = arena_alloc(a, (size_t)st.st_size + 1);
        ssize_t n = file_read_full(fd, p, (size_t)st.st_size);
        rc = n < 0 ? problem_system(ps, file, "cannot read", errno)
            : waybill_read(a, (struct slice){ p, (size_t)n }, file, out, ps);
    }
    close(fd);
    if (rc == OK && !slice_is((*out)->batch, batch)) {
        *out = NULL;
        rc = damaged(file, 0, 0, "the waybill is that of another batch", "", ps);
    }
    return rc;
}
