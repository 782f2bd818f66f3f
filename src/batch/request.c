#include "batch/request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "batch/waybill_shape.h"

enum { VERSION = 1, BYTES_MAX = 1 << 20, REQUESTS_MAX = 10000, ID_MAX = 47, NAME_BYTES = 256, DAY = 86400 };
enum { TEXT_MAX = 4096 };           /* of an answer in short */

const char *const request_names[] = { "run", "retry", "hold", "release", "cancel", "amend", "resend", "renew", NULL };

#define AT(type, member) offsetof(struct type, member)
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const struct shape_member request_members[] = {
    { "id", SHAPE_TEXT, AT(request, id), NULL, true, NULL },
    { "kind", SHAPE_WORD, AT(request, kind), NULL, true, request_names },
    { "flow", SHAPE_TEXT, AT(request, flow), NULL, false, NULL },
    { "operation", SHAPE_TEXT, AT(request, operation), NULL, false, NULL },
    { "batch", SHAPE_TEXT, AT(request, batch), NULL, false, NULL },
    { "by", SHAPE_TEXT, AT(request, by), NULL, true, NULL },
    { "time", SHAPE_TEXT, AT(request, time), NULL, true, NULL },
    { "sets", SHAPE_LIST, AT(request, sets), &waybill_param_shape, false, NULL },
    { "keys", SHAPE_LIST, AT(request, keys), &waybill_param_shape, false, NULL },
    { "amends", SHAPE_LIST, AT(request, amends), &waybill_amend_shape, false, NULL },
};
static const struct shape request_shape = { request_members, COUNT(request_members), sizeof(struct request), 0 };

static const struct shape_member answer_members[] = {
    { "id", SHAPE_TEXT, AT(request_answer, id), NULL, true, NULL },
    { "outcome", SHAPE_TEXT, AT(request_answer, outcome), NULL, true, NULL },
    { "code", SHAPE_TEXT, AT(request_answer, code), NULL, false, NULL },
    { "text", SHAPE_TEXT, AT(request_answer, text), NULL, false, NULL },
    { "batches", SHAPE_U64, AT(request_answer, batches), NULL, true, NULL },
    { "delivered", SHAPE_U64, AT(request_answer, delivered), NULL, true, NULL },
    { "rejected", SHAPE_U64, AT(request_answer, rejected), NULL, true, NULL },
    { "messages", SHAPE_U64, AT(request_answer, messages), NULL, true, NULL },
    { "refused", SHAPE_U64, AT(request_answer, refused), NULL, true, NULL },
    { "waiting", SHAPE_U64, AT(request_answer, waiting), NULL, false, NULL },
    { "skips", SHAPE_LIST, AT(request_answer, skips), &waybill_total_shape, false, NULL },
    { "made", SHAPE_LIST, AT(request_answer, made), &waybill_param_shape, false, NULL },
    { "outputs", SHAPE_LIST, AT(request_answer, outputs), &waybill_output_shape, false, NULL },
    { "more_made", SHAPE_U64, AT(request_answer, more_made), NULL, false, NULL },
    { "more_outputs", SHAPE_U64, AT(request_answer, more_outputs), NULL, false, NULL },
    { "problems", SHAPE_LIST, AT(request_answer, problems), &waybill_group_shape, false, NULL },
};
static const struct shape answer_shape = { answer_members, COUNT(answer_members), sizeof(struct request_answer), 0 };

/* --- the two folders ---------------------------------------------------------------------------------------------- */

static int unusable(const struct spool *s, const char *name, const char *what, int err, struct problems *ps)
{
    return problem_system(ps, arena_printf(ps->arena, "%s/.waybill/%s", s->path, name).p, what, err);
}

static int open_folder(const struct spool *s, const char *name, bool make, int *fd_out, struct problems *ps)
{
    bool made = make && mkdirat(s->top, name, 0700) == 0;
    int why = make && !made ? errno : ENOENT;
    struct stat top, own;
    *fd_out = openat(s->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd_out < 0)
        return errno != ENOENT ? unusable(s, name, "the folder cannot be opened", errno, ps)
            : make ? unusable(s, name, "the folder cannot be made", why, ps) : END;
    if (!made)
        return OK;
    if (fstat(s->top, &top) == 0 && fstat(*fd_out, &own) == 0 && top.st_uid != own.st_uid &&
        fchown(*fd_out, top.st_uid, top.st_gid) != 0) {
        int err = errno;
        close(*fd_out);
        return unusable(s, name, "cannot be given to the site's user", err, ps);
    }
    return spool_sync_dir(s, s->top, name, ps);
}

static bool is_id(struct slice id)
{
    if (id.n == 0 || id.n > ID_MAX || id.p[0] == '-')
        return false;
    for (size_t i = 0; i < id.n; i++) {
        if ((id.p[i] < '0' || id.p[i] > '9') && id.p[i] != '-')
            return false;
    }
    return true;
}

static void file_name(struct slice id, char out[ID_MAX + 8])
{
    snprintf(out, ID_MAX + 8, "%.*s.json", id.n > ID_MAX ? 0 : (int)id.n, id.p);
}

/* Anybody asks, one answers. */
static int beside(const struct spool *s, const char *folder, int dir)
{
    return s->below[0] && strcmp(folder, "answers") == 0 ? s->top : dir;
}

/* Whole, synced, the site user's own, then named: nobody ever reads a part.  It is made in `from`: its own folder, or
   for what only the holder of the site may say .waybill, with a path that a take-over cuts off. */
static int put_file(const struct spool *s, const char *folder, int dir, const char *name, struct slice text,
                    struct problems *ps)
{
    char temporary[SPOOL_PATH], base[ID_MAX + 16];
    int from = beside(s, folder, dir);
    struct stat own, of;
    snprintf(base, sizeof base, ".%s.new", name);
    if (from == dir)
        snprintf(temporary, sizeof temporary, "%s", base);
    else
        spool_path(s, "tmp", base, temporary);
    unlinkat(from, temporary, 0);
    int fd = openat(from, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return unusable(s, folder, "nothing can be written there", errno, ps);
    int err = file_write_all(fd, text);
    if (!err && fstat(dir, &of) == 0 && fstat(fd, &own) == 0 && of.st_uid != own.st_uid &&
        fchown(fd, of.st_uid, of.st_gid) != 0)
        err = errno;
    if (!err && s->durable && fsync(fd) != 0)
        err = errno;
    if (close(fd) != 0 && !err)
        err = errno;
    if (!err && renameat(from, temporary, dir, name) != 0)
        err = errno;
    if (err)
        unlinkat(from, temporary, 0);
    return err ? unusable(s, folder, "nothing can be written there", err, ps) : spool_sync_dir(s, dir, name, ps);
}

/* --- who and when ------------------------------------------------------------------------------------------------- */

/* The one who logged in, also behind sudo. */
static uid_t login_uid(void)
{
    char text[24] = "";
    int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? file_read_full(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    char *end;
    unsigned long uid = n > 0 ? strtoul(text, &end, 10) : UINT32_MAX;
    return uid < UINT32_MAX ? (uid_t)uid : getuid();
}

static struct slice caller(struct arena *a)
{
    char room[4096];
    struct passwd entry, *found = NULL;
    struct buf name = { 0 };
    uid_t uid = login_uid();
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
        buf_add_shown(&name, slice_of(entry.pw_name), 64);
    struct slice by = name.n ? arena_printf(a, "%.*s (uid %lu)", SLICE_ARG(buf_slice(&name)), (unsigned long)uid)
                             : arena_printf(a, "uid %lu", (unsigned long)uid);
    buf_release(&name);
    return by;
}

static void sign(struct arena *a, struct request *r)
{
    struct timespec t;
    struct tm day;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &day);
    int year = day.tm_year + 1900, month = day.tm_mon + 1;
    r->id = arena_printf(a, "%04d%02d%02d-%02d%02d%02d-%06ld-%ld", year, month, day.tm_mday, day.tm_hour, day.tm_min,
                         day.tm_sec, t.tv_nsec / 1000, (long)getpid());
    r->time = arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d+00:00", year, month, day.tm_mday, day.tm_hour, day.tm_min,
                           day.tm_sec);
    r->by = caller(a);
}

/* --- one document ------------------------------------------------------------------------------------------------- */

static int bad(const char *file, const char *text, const char *more, struct problems *ps)
{
    problem_addf(ps, PROBLEM_ERROR, "REQUEST_BAD", (struct place){ .file = file, .offset = PLACE_NO_OFFSET }, "%s%s",
                 text, more);
    return STOP;
}

static void write_document(struct buf *b, const struct shape *shape, const void *thing)
{
    b->n = 0;
    buf_text(b, "{\"version\":1");
    shape_write_members(shape, thing, b, true);
    buf_text(b, "}\n");
}

static int put_document(const struct spool *s, const char *folder, struct slice id, struct slice text,
                        struct problems *ps)
{
    char name[ID_MAX + 8];
    int dir, rc = open_folder(s, folder, true, &dir, ps);
    if (rc != OK)
        return rc;
    file_name(id, name);
    rc = text.n > BYTES_MAX ? bad(name, "it is longer than 1 MiB", "", ps) : put_file(s, folder, dir, name, text, ps);
    close(dir);
    return rc;
}

/* Only a regular file of the folder's owner or of root; END when there is none. */
static int load_text(int dir, const char *name, struct arena *a, struct slice *out, struct problems *ps)
{
    struct stat st, own;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? END : errno == ELOOP ? bad(name, "it is a link", "", ps)
                                                      : problem_system(ps, name, "cannot open", errno);
    int rc = OK;
    if (fstat(fd, &st) != 0 || fstat(dir, &own) != 0)
        rc = problem_system(ps, name, "cannot look at the file", errno);
    else if (!S_ISREG(st.st_mode) || st.st_size > BYTES_MAX || (st.st_uid != own.st_uid && st.st_uid != 0))
        rc = bad(name, "it is no file of ours", "", ps);
    if (rc == OK) {
        char *p = arena_alloc(a, (size_t)st.st_size + 1);
        ssize_t n = file_read_full(fd, p, (size_t)st.st_size);
        *out = (struct slice){ p, n > 0 ? (size_t)n : 0 };
        rc = n < 0 ? problem_system(ps, name, "cannot read", errno) : OK;
    }
    close(fd);
    return rc;
}

static int read_document(struct slice text, const char *name, const struct shape *shape, void *thing, struct arena *a,
                         struct problems *ps)
{
    json_error_t error;
    const char *fault = "";
    json_t *doc = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    int rc = OK;
    if (!json_is_object(doc))
        rc = bad(name, "it is no JSON object", "", ps);
    else if (!json_is_integer(json_object_get(doc, "version")) ||
             json_integer_value(json_object_get(doc, "version")) != VERSION)
        rc = bad(name, "it is of another version", "", ps);
    else {
        json_object_del(doc, "version");
        if (!shape_read(shape, doc, thing, a, &fault))
            rc = bad(name, "a member is missing, of the wrong type or unknown: ", fault, ps);
    }
    json_decref(doc);
    return rc;
}

static int get_text(const struct spool *s, const char *folder, struct slice id, struct arena *a, struct slice *text,
                    struct problems *ps)
{
    char name[ID_MAX + 8];
    int dir, rc = open_folder(s, folder, false, &dir, ps);
    if (rc != OK)
        return rc;
    file_name(id, name);
    rc = load_text(dir, name, a, text, ps);
    close(dir);
    return rc;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static bool is_batch(struct slice id)
{
    char text[BATCH_ID_SIZE];
    snprintf(text, sizeof text, "%.*s", id.n < sizeof text ? (int)id.n : 0, id.p ? id.p : "");
    return spool_id_valid(text);
}

/* What it asks makes sense by itself; whether the site has that flow is the holder's to say. */
static const char *fault_of(const struct request *r)
{
    if (r->flow.n > NAME_BYTES || r->operation.n > NAME_BYTES || r->by.n > NAME_BYTES || r->time.n > NAME_BYTES)
        return "a name is too long";
    if (r->batch.n && !is_batch(r->batch))
        return "its batch has no id that can be one";
    if (r->kind == REQUEST_RUN && (!r->flow.n || !r->operation.n))
        return "flow and operation are missing";
    if (r->kind != REQUEST_RUN && !r->batch.n)
        return "the batch is missing";
    if ((r->kind == REQUEST_AMEND) != (r->amends != NULL))
        return r->amends ? "corrections belong to an amend" : "the corrections are missing";
    return NULL;
}

static int check(const struct request *r, struct slice id, struct problems *ps)
{
    char name[ID_MAX + 8];
    file_name(id, name);
    const char *fault = slice_equal(r->id, id) ? fault_of(r) : "it has the id of another one";
    return fault ? bad(name, fault, "", ps) : OK;
}

int request_put(const struct spool *s, struct arena *a, struct request *r, struct problems *ps)
{
    sign(a, r);
    struct buf b = { 0 };
    int rc = check(r, r->id, ps);
    if (rc != OK)
        return rc;
    write_document(&b, &request_shape, r);
    rc = put_document(s, "requests", r->id, buf_slice(&b), ps);
    buf_release(&b);
    return rc;
}

int64_t request_made(const struct spool *s, struct slice id)
{
    char path[ID_MAX + 32], name[ID_MAX + 8];
    struct stat st;
    file_name(id, name);
    snprintf(path, sizeof path, "requests/%s", name);
    return fstatat(s->top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime : 0;
}

int request_read(struct arena *a, struct slice text, struct slice id, struct request **out, struct problems *ps)
{
    struct request *r = arena_zero(a, sizeof *r);
    char name[ID_MAX + 8];
    file_name(id, name);
    *out = NULL;
    int rc = read_document(text, name, &request_shape, r, a, ps);
    if (rc == OK)
        rc = check(r, id, ps);
    if (rc == OK)
        *out = r;
    return rc;
}

int request_find(const struct spool *s, struct arena *a, const char *id, struct request **out, struct problems *ps)
{
    struct slice text = SLICE("");
    *out = NULL;
    if (!is_id(slice_of(id)))
        return END;
    int rc = get_text(s, "requests", slice_of(id), a, &text, ps);
    return rc == OK ? request_read(a, text, slice_of(id), out, ps) : rc;
}

static int by_id(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

struct ids {
    struct slice *list;
    size_t n, cap;
};

/* The oldest 10,000 of the folder; its other files are not ours. */
static int list_ids(int fd, struct arena *a, struct ids *ids, struct problems *ps)
{
    int err = 0, copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL) {
        err = errno;
        if (copy >= 0)
            close(copy);
        return problem_system(ps, "requests", "cannot read the folder", err);
    }
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        struct slice name = slice_of(e->d_name);
        bool json = name.n > 5 && memcmp(name.p + name.n - 5, ".json", 5) == 0;
        struct slice id = { name.p, json ? name.n - 5 : 0 };
        if (is_id(id))
            ARENA_PUSH(a, ids->list, ids->n, ids->cap) = arena_copy(a, id);
    }
    closedir(dir);
    if (ids->n)
        qsort(ids->list, ids->n, sizeof *ids->list, by_id);
    ids->n = ids->n < REQUESTS_MAX ? ids->n : REQUESTS_MAX;
    return err ? problem_system(ps, "requests", "cannot read the folder", err) : OK;
}

static int forget(const struct spool *s, int dir, struct slice id, struct problems *ps)
{
    char name[ID_MAX + 8];
    file_name(id, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return problem_system(ps, name, "cannot remove an answered request", errno);
    return spool_sync_dir(s, dir, name, ps);
}

static bool answered(const struct spool *s, struct slice id)
{
    char path[ID_MAX + 32], name[ID_MAX + 8];
    struct stat st;
    file_name(id, name);
    snprintf(path, sizeof path, "answers/%s", name);
    return fstatat(s->top, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whoever asked is told what is wrong with it. */
static int refuse(const struct spool *s, struct slice id, const struct problems *why, struct problems *ps)
{
    struct request_answer no = { .id = id, .outcome = SLICE("refused"), .code = SLICE("REQUEST_BAD"),
                                 .text = why->last ? why->last->text : slice_none() };
    return request_answer(s, &no, ps);
}

static int one_request(const struct spool *s, int dir, struct arena *a, struct slice id,
                       int (*each)(void *owner, const struct request *r, struct problems *ps), void *owner,
                       struct problems *ps)
{
    struct request *r;
    struct problems why;
    problems_init(&why, a, 8);
    if (answered(s, id))
        return forget(s, dir, id, ps);
    int rc = request_find(s, a, id.p, &r, &why);
    if (rc == STOP)
        return refuse(s, id, &why, ps);
    if (rc == OK)
        return each(owner, r, ps);
    for (const struct problem *p = why.first; p; p = p->next)
        problem_add(ps, p);
    return rc == END ? OK : rc;
}

int request_each(const struct spool *s, struct arena *a,
                 int (*each)(void *owner, const struct request *r, struct problems *ps), void *owner,
                 struct problems *ps)
{
    struct ids ids = { .n = 0 };
    int dir, rc = open_folder(s, "requests", false, &dir, ps);
    if (rc != OK)
        return rc == END ? OK : rc;
    rc = list_ids(dir, a, &ids, ps);
    for (size_t i = rc == OK ? 0 : ids.n; i < ids.n; i++)
        rc = status_worse(rc, one_request(s, dir, a, ids.list[i], each, owner, ps));
    close(dir);
    return rc;
}

bool request_noted(const struct waybill *w, const char *id)
{
    size_t n = strlen(id);
    for (const struct waybill_event *e = w->history; e; e = e->next) {
        if (slice_is(e->what, "asked") && e->detail.n >= n && memcmp(e->detail.p, id, n) == 0 &&
            (e->detail.n == n || e->detail.p[n] == ' '))
            return true;
    }
    return false;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Without what may be long. */
static struct request_answer in_short(const struct request_answer *answer)
{
    struct request_answer a = *answer;
    for (const struct waybill_param *p = a.made; p; p = p->next)
        a.more_made++;
    for (const struct waybill_output *o = a.outputs; o; o = o->next)
        a.more_outputs++;
    a.made = NULL;
    a.outputs = NULL;
    a.skips = NULL;
    a.problems = NULL;
    if (a.text.n > TEXT_MAX)
        a.text = slice_none();
    return a;
}

/* What was done was done: an answer that says less is better than none.  The first one counts: a host that was paused
   knows less than the one that went on. */
static int put_answer(const struct spool *s, const struct request_answer *answer, struct problems *ps)
{
    struct buf b = { 0 };
    if (answered(s, answer->id))
        return OK;
    write_document(&b, &answer_shape, answer);
    if (b.n > BYTES_MAX) {
        struct request_answer a = in_short(answer);
        write_document(&b, &answer_shape, &a);
    }
    int rc = put_document(s, "answers", answer->id, buf_slice(&b), ps);
    buf_release(&b);
    return rc;
}

int request_answer(const struct spool *s, const struct request_answer *answer, struct problems *ps)
{
    int dir, rc = put_answer(s, answer, ps);
    if (rc == OK)
        rc = open_folder(s, "requests", false, &dir, ps);
    if (rc != OK)
        return rc == END ? OK : rc;
    rc = forget(s, dir, answer->id, ps);
    close(dir);
    return rc;
}

int request_read_answer(struct arena *a, struct slice text, struct slice id, struct request_answer **out,
                        struct problems *ps)
{
    struct request_answer *r = arena_zero(a, sizeof *r);
    char name[ID_MAX + 8];
    file_name(id, name);
    *out = NULL;
    int rc = read_document(text, name, &answer_shape, r, a, ps);
    if (rc == OK)
        *out = r;
    return rc;
}

int request_result(const struct spool *s, struct arena *a, struct slice id, struct request_answer **out,
                   struct problems *ps)
{
    struct slice text = SLICE("");
    *out = NULL;
    if (!is_id(id))
        return END;
    int rc = get_text(s, "answers", id, a, &text, ps);
    return rc == OK ? request_read_answer(a, text, id, out, ps) : rc;
}

/* Also what a killed writer left. */
static int clean_folder(const struct spool *s, const char *folder, bool all, int64_t now, struct problems *ps)
{
    int err = 0, fd, rc = open_folder(s, folder, false, &fd, ps);
    struct stat st;
    if (rc != OK)
        return rc == END ? OK : rc;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return problem_system(ps, folder, "cannot read the folder", errno);
    }
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;) {
        bool ours = e->d_name[0] == '.' || all;
        if (!ours || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_mtime > now - DAY)
            continue;
        if (unlinkat(fd, e->d_name, 0) != 0 && errno != ENOENT && errno != EISDIR)
            rc = problem_system(ps, e->d_name, "cannot remove", errno);
    }
    closedir(dir);
    return rc == OK && err ? problem_system(ps, folder, "cannot read the folder", err) : rc;
}

int request_clean(const struct spool *s, int64_t now, struct problems *ps)
{
    int rc = clean_folder(s, "requests", false, now, ps);
    return rc == OK ? clean_folder(s, "answers", true, now, ps) : rc;
}
