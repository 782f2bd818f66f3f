#include "store/ledger_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { CHUNK = 1 << 18 };

static void ledger_path(char out[LEDGER_PATH], const char *flow)
{
    size_t n = (size_t)snprintf(out, LEDGER_PATH, "ledger/");
    for (const char *c = flow; *c && n < LEDGER_PATH - 32; c++)
        out[n++] = *c == '/' || (unsigned char)*c < ' ' || (*c == '.' && c == flow) ? '_' : *c;
    snprintf(out + n, LEDGER_PATH - n, ".ledger");
}

static int damaged(const char *path, uint64_t line, const char *what, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "LEDGER_DAMAGED",
        .place = { .file = path, .offset = PLACE_NO_OFFSET, .line = (uint32_t)line },
        .text = slice_of(what),
            .hint = SLICE("restore the file from a backup; `waybill fsck` names every line that does not add up") });
    return STOP;
}

/* --- reading the file --------------------------------------------------------------------------------------------- */

/* Lines of the file from an offset on, whole ones only. */
struct scan {
    int fd;
    uint64_t at;                    /* of buf.p */
    struct buf buf;
    size_t next;                    /* first byte of the next line in buf … */
    size_t looked;                  /* … and up to here there is no line end */
    bool too_long;                  /* it ended before a line that has no end */
};

/* What was given makes room. */
static void drop_lines(struct scan *s)
{
    if (!s->next)
        return;
    memmove(s->buf.p, s->buf.p + s->next, s->buf.n - s->next);
    s->buf.n -= s->next;
    s->at += s->next;
    s->next = 0;
}

/* OK with the line (without newline) and its offset, END, or an errno in *err. */
static int scan_line(struct scan *s, struct slice *line, uint64_t *at, int *err)
{
    for (;;) {
        size_t look = s->looked > s->next ? s->looked : s->next;
        char *lf = s->buf.n > look ? memchr(s->buf.p + look, '\n', s->buf.n - look) : NULL;
        if (lf) {
            *line = slice_range(s->buf.p + s->next, lf);
            *at = s->at + s->next;
            s->next = (size_t)(lf + 1 - s->buf.p);
            return OK;
        }
        s->too_long = s->buf.n - s->next > LEDGER_LINE_MAX;
        if (s->too_long)
            return END;
        drop_lines(s);
        s->looked = s->buf.n;
        ssize_t n = pread(s->fd, buf_room(&s->buf, CHUNK), CHUNK, (off_t)(s->at + s->buf.n));
        if (n < 0 && errno != EINTR) {
            *err = errno;
            return TEMP;
        }
        if (n == 0)
            return END;
        s->buf.n += n > 0 ? (size_t)n : 0;
    }
}

static struct entry *push(struct ledger *l)
{
    ARENA_PUSH(l->arena, l->entries, l->n, l->cap) = (struct entry){ .len = 0 };
    return &l->entries[l->n - 1];
}

void ledger_take_group(struct ledger *l, uint64_t hash, size_t last)
{
    ARENA_PUSH(l->arena, l->ends, l->nends, l->ends_cap) = (uint32_t)last;
    ledger_index_take(l->arena, &l->groups, hash);
}

/* Reads whole groups behind l->end. Stops silently at what is torn: *torn tells whether bytes are left. */
static int read_groups(struct ledger *l, bool *torn, struct problems *ps)
{
    struct scan s = { .fd = l->fd, .at = l->end };
    struct arena a;
    struct slice line;
    size_t group = l->n;
    uint64_t at = l->end;
    char chain[SHA256_HEX];
    int err = 0, rc;
    arena_init(&a, 0);
    memcpy(chain, l->chain, sizeof chain);
    while ((rc = scan_line(&s, &line, &at, &err)) == OK && ledger_line_check(line, chain)) {
        struct entry *e = push(l);
        e->at = at;
        e->len = (uint32_t)line.n;
        if (!ledger_line_is_end(line))
            continue;
        struct ledger_record r;
        bool end;
        arena_reset(&a);
        if (!ledger_line_read(line, &a, &r, &end))
            break;
        ledger_take_group(l, ledger_group_hash(r.batch, r.part), l->n - 1);
        group = l->n;
        l->end = at + line.n + 1;
        memcpy(l->chain, chain, sizeof chain);
    }
    l->n = group;                   /* records of a group without end do not count */
    struct stat st;
    *torn = fstat(l->fd, &st) == 0 && (uint64_t)st.st_size > l->end;
    buf_release(&s.buf);
    arena_release(&a);
    return rc == TEMP ? problem_system(ps, l->path, "cannot read", err) : OK;
}

/* What stands behind the last whole group is torn when all of it is of one commit, the last one: each commit is on the
   disk before the next begins. A group tells where its commit began; of an older ledger, which does not tell, a torn
   write has at most one last line, at the very end. */
static int check_torn(struct ledger *l, struct problems *ps)
{
    struct scan s = { .fd = l->fd, .at = l->end };
    struct slice line;
    uint64_t at = 0, commit;
    int err = 0, rc, ends = 0;
    bool bad = false;
    while ((rc = scan_line(&s, &line, &at, &err)) == OK) {
        bad |= ends > 0;
        if (ledger_line_commit(line, &commit))
            bad |= commit > l->end;
        ends += ledger_line_is_old_end(line);
    }
    bad |= s.too_long || (ends && s.buf.n > s.next);
    buf_release(&s.buf);
    if (rc == TEMP)
        return problem_system(ps, l->path, "cannot read", err);
    return bad ? damaged(l->path, 0, "a line inside the ledger does not add up", ps) : OK;
}

/* Nothing is lost with it: what it was of is not archived, and is entered anew. */
static void tell_torn(const struct ledger *l, const char *aside, uint64_t bytes, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "LEDGER_TORN",
        .place = { .file = arena_printf(ps->arena, "%s/.waybill/%s", l->store->path, l->path).p,
                   .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "its last write was broken off: %llu bytes were cut and set aside in .waybill/%s",
                             (unsigned long long)bytes, aside),
        .hint = SLICE("after a kill or a power cut nothing is to be done: their batches are entered anew") });
}

/* Cuts a torn write off; a copy of it is kept beside the ledger. The lock is held. */
static int cut_torn(struct ledger *l, struct problems *ps)
{
    char name[LEDGER_PATH + 8], bytes[4096];
    int rc = check_torn(l, ps);
    if (rc != OK)
        return rc;
    snprintf(name, sizeof name, "%s.torn", l->path);
    int fd = openat(l->store->top, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return problem_system(ps, name, "cannot write", errno);
    uint64_t at = l->end;
    ssize_t n;
    int err = 0;
    while (err == 0 && (n = pread(l->fd, bytes, sizeof bytes, (off_t)at)) > 0) {
        err = file_write_all(fd, (struct slice){ bytes, (size_t)n });
        at += (uint64_t)n;
    }
    if (close(fd) != 0 && err == 0)
        err = errno;
    if (err == 0 && ftruncate(l->fd, (off_t)l->end) != 0)
        err = errno;
    if (err)
        return problem_system(ps, l->path, "cannot cut a torn line", err);
    tell_torn(l, name, at - l->end, ps);
    return OK;
}

int ledger_lock(struct ledger *l, int how, struct problems *ps)
{
    return file_lock(l->fd, how, l->path, ps);
}

void ledger_unlock(struct ledger *l)
{
    for (int i = 0; i < 10 && flock(l->fd, LOCK_UN) != 0; i++)
        continue;
}

int ledger_catch_up(struct ledger *l, struct problems *ps)
{
    bool torn;
    uint64_t before = l->end;
    int rc = read_groups(l, &torn, ps);
    l->writing.unsure |= l->end > before;
    return rc == OK && torn ? cut_torn(l, ps) : rc;
}

int ledger_open(struct arena *a, const struct store *s, const char *flow, struct ledger **out, struct problems *ps)
{
    char path[LEDGER_PATH];
    ledger_path(path, flow);
    struct ledger *l = arena_zero(a, sizeof *l);
    l->arena = a;
    l->store = s;
    l->path = arena_cstr(a, slice_of(path));
    memset(l->chain, '0', SHA256_HEX - 1);
    arena_init(&l->group, 0);
    l->waiting.fd = -1;
    l->fd = openat(s->top, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0)
        return problem_system(ps, l->path, "cannot open", errno);
    bool torn = false;
    int rc = ledger_lock(l, LOCK_EX, ps);
    if (rc == OK)
        rc = read_groups(l, &torn, ps);
    if (rc == OK && torn)
        rc = check_torn(l, ps);                     /* who writes cuts it, and tells */
    ledger_unlock(l);
    l->writing.unsure = l->end > 0;
    if (rc == OK)
        *out = l;
    else
        ledger_close(l);
    return rc;
}

void ledger_close(struct ledger *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    buf_release(&l->line);
    buf_release(&l->writing.bytes);
    arena_release(&l->group);
    waiting_forget(&l->waiting);
}

int ledger_refresh(struct ledger *l, struct problems *ps)
{
    if (l->past)
        return OK;
    bool torn;
    int rc = ledger_lock(l, LOCK_SH, ps);           /* what is not committed may be taken back */
    if (rc != OK)
        return rc;
    rc = read_groups(l, &torn, ps);
    ledger_unlock(l);
    return rc;
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

int ledger_add(struct ledger *l, const struct ledger_record *r, struct problems *ps)
{
    uint64_t at;
    uint32_t length;
    int rc = waiting_put(&l->waiting, l->store, r, &at, &length, ps);
    if (rc != OK)
        return rc;
    *push(l) = (struct entry){ .at = at, .len = length, .waiting = true };
    l->nwaiting++;
    return OK;
}

/* The dead ones at the end give their places back: what is tried again for days takes no more room each time. */
static void cut_dead(struct ledger *l)
{
    while (l->n && l->entries[l->n - 1].len == 0) {
        l->n--;
        l->ndead--;
    }
    for (struct ledger_index *x = l->indexes; x; x = x->next)
        ledger_index_cut(x, l->n);
}

void ledger_forget(struct ledger *l)
{
    for (size_t i = l->n; l->nwaiting && i > 0; i--) {
        struct entry *e = &l->entries[i - 1];
        if (!e->waiting)
            continue;
        *e = (struct entry){ .len = 0 };
        l->nwaiting--;
        l->ndead++;
    }
    cut_dead(l);
    waiting_forget(&l->waiting);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* What cannot be read is remembered: whoever asked must not take it for not there. */
static bool read_line(struct ledger *l, const struct entry *e, struct slice *out)
{
    l->line.n = 0;
    char *p = buf_room(&l->line, e->len);
    ssize_t n = pread(l->fd, p, e->len, (off_t)e->at);
    *out = (struct slice){ p, e->len };
    if (n == (ssize_t)e->len)
        return true;
    l->unread = n < 0 ? errno : EIO;
    return false;
}

int ledger_fault(struct ledger *l, struct problems *ps)
{
    int err = l->unread;
    if (err == 0)
        return OK;
    l->unread = 0;
    l->indexes = NULL;              /* they lack what could not be read: made anew */
    return problem_system(ps, l->path, "cannot read", err);
}

/* The record of an entry, its texts in the arena; false when it is dead or cannot be read. */
static bool get_record(struct ledger *l, const struct entry *e, struct arena *a, struct ledger_record *out)
{
    bool end;
    struct slice line;
    if (e->len == 0)
        return false;
    if (!e->waiting)
        return read_line(l, e, &line) && ledger_line_read(line, a, out, &end);
    bool read = waiting_get(&l->waiting, e->at, e->len, a, out);
    l->unread = read ? l->unread : errno;
    return read;
}

struct slice ledger_value(const struct ledger_record *r, struct slice name)
{
    for (size_t i = 0; i < r->nfields; i++) {
        if (slice_equal(r->fields[i].name, name))
            return r->fields[i].value;
    }
    return slice_none();
}

int ledger_has(struct ledger *l, struct slice batch, struct slice part, struct problems *ps)
{
    struct arena a;
    struct ledger_record r;
    int rc = END;
    arena_init(&a, 0);
    uint32_t i = ledger_index_first(&l->groups, ledger_group_hash(batch, part));
    for (; i && rc == END; i = ledger_index_next(&l->groups, i)) {
        bool read = get_record(l, &l->entries[l->ends[i - 1]], &a, &r);
        bool same = read && slice_equal(r.batch, batch) && slice_equal(r.part, part);
        rc = same ? OK : l->unread ? ledger_fault(l, ps) : END;
    }
    arena_release(&a);
    return rc;
}

static bool same_names(const struct ledger_index *x, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!slice_equal(x->names[i], names[i]))
            return false;
    }
    return true;
}

static uint64_t record_hash(struct ledger *l, const struct ledger_index *x, size_t i, struct arena *a)
{
    struct ledger_record r;
    arena_reset(a);
    if (!get_record(l, &l->entries[i], a, &r))
        return 0;
    struct slice *texts = arena_alloc(a, x->n * sizeof *texts + 1);
    for (size_t k = 0; k < x->n; k++)
        texts[k] = ledger_value(&r, x->names[k]);
    return ledger_index_hash(texts, x->n);
}

/* The index over these fields, made when it is new, with all records taken in. */
static struct ledger_index *index_for(struct ledger *l, const struct slice *names, size_t n, struct arena *scratch)
{
    struct ledger_index *x = l->indexes;
    while (x && !(x->n == n && same_names(x, names, n)))
        x = x->next;
    if (x == NULL) {
        x = arena_zero(l->arena, sizeof *x);
        x->names = arena_alloc(l->arena, n * sizeof *names + 1);
        for (size_t i = 0; i < n; i++)
            x->names[i] = arena_copy(l->arena, names[i]);
        x->n = n;
        x->next = l->indexes;
        l->indexes = x;
    }
    while (x->rows < l->n)
        ledger_index_take(l->arena, x, record_hash(l, x, x->rows, scratch));
    return x;
}

static bool has_texts(const struct ledger_record *r, const struct slice *names, const struct slice *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!slice_equal(ledger_value(r, names[i]), texts[i]))
            return false;
    }
    return true;
}

int ledger_find(struct ledger *l, const struct slice *names, const struct slice *texts, size_t n, struct slice outcome,
                struct arena *a, struct ledger_record *out)
{
    struct arena scratch;
    struct ledger_record r, first = { .nfields = 0 };
    int found = 0;
    arena_init(&scratch, 0);
    struct ledger_index *x = index_for(l, names, n, &scratch);
    uint32_t i = ledger_index_first(x, ledger_index_hash(texts, n));
    for (; i && found < 2; i = ledger_index_next(x, i)) {
        if (!get_record(l, &l->entries[i - 1], found ? &scratch : a, &r) || !has_texts(&r, names, texts, n))
            continue;
        if (outcome.p && !slice_equal(outcome, r.outcome))
            continue;
        if (found && slice_equal(r.batch, first.batch) && r.message == first.message)
            continue;
        if (++found == 1)
            first = r;
    }
    if (found && out)
        *out = first;
    arena_release(&scratch);
    return found;
}

int ledger_each(struct ledger *l, struct arena *a, int (*each)(void *owner, const struct ledger_record *r),
                void *owner, struct problems *ps)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct entry *e = &l->entries[i];
        struct ledger_record r;
        if (e->len == 0)
            continue;
        if (!get_record(l, e, a, &r))
            return damaged(l->path, i + 1, "the line cannot be read", ps);
        int rc = each(owner, &r);
        if (rc != OK)
            return rc;
    }
    return OK;
}

/* --- as it was ---------------------------------------------------------------------------------------------------- */

const char *ledger_mark(const struct ledger *l)
{
    return l->chain;
}

/* The sum stands in the head of the line. */
static bool has_mark(const struct ledger *l, const struct entry *e, const char *mark)
{
    char head[LEDGER_HEAD];
    return pread(l->fd, head, sizeof head, (off_t)e->at) == (ssize_t)sizeof head &&
           memcmp(head + LEDGER_HEAD - SHA256_HEX, mark, SHA256_HEX - 1) == 0;
}

bool ledger_as_of(struct ledger *l, const char *mark)
{
    size_t n = 0;
    bool found = strspn(mark, "0") == SHA256_HEX - 1;           /* before the first record */
    for (size_t i = l->nends; i > 0 && !found; i--) {
        n = l->ends[i - 1] + 1;
        found = has_mark(l, &l->entries[n - 1], mark);
    }
    if (found)
        l->n = n;
    l->past = true;
    return found;
}

size_t ledger_count(const struct ledger *l)
{
    return l->n - l->ndead;
}

int ledger_verify(const struct store *s, const char *flow, uint64_t *records_out, struct problems *ps)
{
    char path[LEDGER_PATH], chain[SHA256_HEX];
    struct scan scan = { .at = 0 };
    struct slice line;
    uint64_t at, n = 0;
    int err = 0, rc;
    ledger_path(path, flow);
    memset(chain, '0', sizeof chain);
    *records_out = 0;
    scan.fd = openat(s->top, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (scan.fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, path, "cannot open", errno);
    while ((rc = scan_line(&scan, &line, &at, &err)) == OK) {
        n++;
        if (!ledger_line_check(line, chain)) {
            rc = damaged(arena_cstr(ps->arena, slice_of(path)), n, "the line or one before it was changed", ps);
            break;
        }
    }
    buf_release(&scan.buf);
    close(scan.fd);
    *records_out = n;
    if (rc == TEMP)
        return problem_system(ps, arena_cstr(ps->arena, slice_of(path)), "cannot read", err);
    return rc == END ? OK : rc;
}
