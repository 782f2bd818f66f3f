#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "store/ledger_index.h"
#include "store/ledger_line.h"

enum { PATH = 300, CHUNK = 1 << 18 };

/* A record: a line of the file (len > 0), one that waits for ledger_commit (len 0, `pending`), or a dead one
   (neither). */
struct entry {
    union {
        uint64_t at;
        struct ledger_record *pending;
    } u;
    uint32_t len;
};

struct ledger {
    struct arena *arena;
    struct arena waiting;           /* the records of ledger_add */
    const struct store *store;
    const char *path;               /* below .waybill */
    int fd;
    uint64_t end;                   /* of the last whole group in the file */
    char chain[SHA256_HEX];         /* of its last line */
    struct entry *entries;
    size_t n, cap;
    size_t npending, ndead;
    struct ledger_index groups;     /* by batch and part, one row per group … */
    uint32_t *ends;                 /* … and the entry of its last record */
    size_t nends, ends_cap;
    struct ledger_index *indexes;
    struct buf line;                /* a line that was read */
    bool past;                      /* ledger_as_of: what came later is not wanted */
};

static const char end_mark[] = ",\"end\":true}";

static void ledger_path(char out[PATH], const char *flow)
{
    size_t n = (size_t)snprintf(out, PATH, "ledger/");
    for (const char *c = flow; *c && n < PATH - 32; c++)
        out[n++] = *c == '/' || (unsigned char)*c < ' ' || (*c == '.' && c == flow) ? '_' : *c;
    snprintf(out + n, PATH - n, ".ledger");
}

static int damaged(const char *path, uint64_t line, const char *what, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "LEDGER_DAMAGED",
        .place = { .file = path, .offset = PLACE_NO_OFFSET, .line = (uint32_t)line },
        .text = slice_of(what),
            .hint = SLICE("restore the file from a backup; `waybill fsck` names every line that does not add up") });
    return STOP;
}

static bool is_end(struct slice line)
{
    size_t n = sizeof end_mark - 1;
    return line.n > LEDGER_HEAD + n && memcmp(line.p + line.n - n, end_mark, n) == 0;
}

/* --- reading the file --------------------------------------------------------------------------------------------- */

/* Lines of the file from an offset on, whole ones only. */
struct scan {
    int fd;
    uint64_t at;                    /* of buf.p */
    struct buf buf;
    size_t next;                    /* first byte of the next line in buf */
};

/* OK with the line (without newline) and its offset, END, or an errno in *err. */
static int scan_line(struct scan *s, struct slice *line, uint64_t *at, int *err)
{
    for (;;) {
        char *from = s->buf.p + s->next, *lf = s->buf.n > s->next ? memchr(from, '\n', s->buf.n - s->next) : NULL;
        if (lf) {
            *line = slice_range(from, lf);
            *at = s->at + s->next;
            s->next = (size_t)(lf + 1 - s->buf.p);
            return OK;
        }
        if (s->buf.n - s->next > LEDGER_LINE_MAX + 2)
            return END;
        if (s->next) {
            memmove(s->buf.p, from, s->buf.n - s->next);
            s->buf.n -= s->next;
            s->at += s->next;
            s->next = 0;
        }
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

static void take_group(struct ledger *l, const struct ledger_record *r, size_t last)
{
    ARENA_PUSH(l->arena, l->ends, l->nends, l->ends_cap) = (uint32_t)last;
    ledger_index_take(l->arena, &l->groups, ledger_index_hash((struct slice[]){ r->batch, r->part }, 2));
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
        e->u.at = at;
        e->len = (uint32_t)line.n;
        if (!is_end(line))
            continue;
        struct ledger_record r;
        bool end;
        arena_reset(&a);
        if (!ledger_line_read(line, &a, &r, &end))
            break;
        take_group(l, &r, l->n - 1);
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

/* What stands behind the last whole group: a torn write has at most one last line, at the very end; more of them are
   damage. */
static int check_torn(struct ledger *l, struct problems *ps)
{
    struct scan s = { .fd = l->fd, .at = l->end };
    struct slice line;
    uint64_t at = 0;
    int err = 0, rc, ends = 0;
    bool behind = false;
    while ((rc = scan_line(&s, &line, &at, &err)) == OK) {
        behind |= ends > 0;
        ends += is_end(line);
    }
    bool bad = ends > 1 || (ends == 1 && (behind || s.buf.n > s.next));
    buf_release(&s.buf);
    if (rc == TEMP)
        return problem_system(ps, l->path, "cannot read", err);
    return bad ? damaged(l->path, 0, "a line inside the ledger does not add up", ps) : OK;
}

/* Cuts a torn write off; a copy of it is kept beside the ledger. The lock is held. */
static int cut_torn(struct ledger *l, struct problems *ps)
{
    char name[PATH + 8], bytes[4096];
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
    return err ? problem_system(ps, l->path, "cannot cut a torn line", err) : OK;
}

static int lock(struct ledger *l, int how, struct problems *ps)
{
    while (flock(l->fd, how) != 0) {
        if (errno != EINTR)
            return problem_system(ps, l->path, "cannot lock", errno);
    }
    return OK;
}

/* One that stayed would hold up every reader for ever. */
static void unlock(struct ledger *l)
{
    for (int i = 0; i < 10 && flock(l->fd, LOCK_UN) != 0; i++)
        continue;
}

/* Under the lock: reads on, and cuts what an appender left that died. */
static int catch_up(struct ledger *l, struct problems *ps)
{
    bool torn;
    int rc = read_groups(l, &torn, ps);
    return rc == OK && torn ? cut_torn(l, ps) : rc;
}

int ledger_open(struct arena *a, const struct store *s, const char *flow, struct ledger **out, struct problems *ps)
{
    char path[PATH];
    ledger_path(path, flow);
    struct ledger *l = arena_zero(a, sizeof *l);
    l->arena = a;
    l->store = s;
    l->path = arena_cstr(a, slice_of(path));
    memset(l->chain, '0', SHA256_HEX - 1);
    arena_init(&l->waiting, 0);
    l->fd = openat(s->top, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0)
        return problem_system(ps, l->path, "cannot open", errno);
    int rc = lock(l, LOCK_EX, ps);
    if (rc == OK)
        rc = catch_up(l, ps);
    unlock(l);
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
    arena_release(&l->waiting);
}

int ledger_refresh(struct ledger *l, struct problems *ps)
{
    if (l->past)
        return OK;
    bool torn;
    return read_groups(l, &torn, ps);
}

/* --- adding ------------------------------------------------------------------------------------------------------- */

static struct ledger_record *copy_record(struct arena *a, const struct ledger_record *r)
{
    struct ledger_record *copy = arena_alloc(a, sizeof *copy);
    *copy = (struct ledger_record){
        .batch = arena_copy(a, r->batch), .part = arena_copy(a, r->part), .time = arena_copy(a, r->time),
            .message = r->message,
        .outcome = arena_copy(a, r->outcome), .code = arena_copy(a, r->code), .nfields = r->nfields,
        .fields = arena_alloc(a, r->nfields * sizeof *copy->fields + 1),
    };
    for (size_t i = 0; i < r->nfields; i++) {
        copy->fields[i].name = arena_copy(a, r->fields[i].name);
        copy->fields[i].value = arena_copy(a, r->fields[i].value);
    }
    return copy;
}

void ledger_add(struct ledger *l, const struct ledger_record *r)
{
    struct entry *e = push(l);
    e->u.pending = copy_record(&l->waiting, r);
    l->npending++;
}

static bool is_pending(const struct entry *e)
{
    return e->len == 0 && e->u.pending != NULL;
}

static void bury(struct ledger *l, struct entry *e)
{
    e->u.pending = NULL;
    l->npending--;
    l->ndead++;
}

/* The dead ones at the end give their places back: what is tried again for days takes no more room each time. */
static void cut_dead(struct ledger *l)
{
    while (l->n && l->entries[l->n - 1].len == 0 && !is_pending(&l->entries[l->n - 1])) {
        l->n--;
        l->ndead--;
    }
    for (struct ledger_index *x = l->indexes; x; x = x->next)
        ledger_index_cut(x, l->n);
}

void ledger_drop(struct ledger *l)
{
    for (size_t i = l->n; l->npending && i > 0; i--) {
        if (is_pending(&l->entries[i - 1]))
            bury(l, &l->entries[i - 1]);
    }
    cut_dead(l);
    arena_reset(&l->waiting);
}

/* The records of one batch and part that wait. */
struct group {
    size_t *entries;
    size_t n, cap;
};

/* A line that is about to be written. */
struct placed {
    size_t entry;
    uint64_t at;
    uint32_t len;
};

struct writing {
    struct buf bytes;
    struct placed *lines;
    size_t n, cap;
    char chain[SHA256_HEX];
};

static void collect_groups(struct ledger *l, struct map *groups)
{
    map_init(groups, &l->waiting);
    for (size_t i = 0; i < l->n; i++) {
        if (!is_pending(&l->entries[i]))
            continue;
        const struct ledger_record *r = l->entries[i].u.pending;
        struct slice key = arena_printf(&l->waiting, "%zu:%.*s%.*s", r->batch.n, SLICE_ARG(r->batch),
                                        SLICE_ARG(r->part));
        struct map_entry *e = map_at(groups, key);
        if (e->value == NULL)
            e->value = arena_zero(&l->waiting, sizeof(struct group));
        struct group *g = e->value;
        ARENA_PUSH(&l->waiting, g->entries, g->n, g->cap) = i;
    }
}

/* Spells one group, or buries it when the ledger has it already. */
static void spell_group(struct ledger *l, const struct group *g, struct writing *w)
{
    const struct ledger_record *head = l->entries[g->entries[0]].u.pending;
    bool known = ledger_has(l, head->batch, head->part);
    for (size_t i = 0; i < g->n; i++) {
        struct entry *e = &l->entries[g->entries[i]];
        size_t at = w->bytes.n;
        if (known) {
            bury(l, e);
            continue;
        }
        ledger_line_write(&w->bytes, e->u.pending, i + 1 == g->n, w->chain);
        ARENA_PUSH(&l->waiting, w->lines, w->n, w->cap) = (struct placed){ g->entries[i], at,
                                                                           (uint32_t)(w->bytes.n - at - 1) };
    }
}

/* What was written is in the file from now on. */
static void settle(struct ledger *l, const struct writing *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct entry *e = &l->entries[w->lines[i].entry];
        const struct placed *p = &w->lines[i];
        if (is_end((struct slice){ w->bytes.p + p->at, p->len }))
            take_group(l, e->u.pending, p->entry);
        e->u.at = l->end + p->at;
        e->len = p->len;
        l->npending--;
    }
    l->end += w->bytes.n;
    memcpy(l->chain, w->chain, sizeof l->chain);
}

/* With its first group the file's name must last as well: 0 or errno. */
static int sync_name(const struct ledger *l)
{
    int fd = openat(l->store->top, "ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = fsync(fd) != 0 && errno != EINVAL ? errno : 0;    /* EINVAL: network file systems */
    close(fd);
    return err;
}

static int append(struct ledger *l, struct slice bytes, struct problems *ps)
{
    int err = file_write_all(l->fd, bytes);
    if (err == 0 && l->store->durable && fdatasync(l->fd) != 0)
        err = errno;
    if (err == 0 && l->store->durable && l->end == 0)
        err = sync_name(l);
    if (err == 0)
        return OK;
    /* What is cut and written again gets fresh pages: a failed fdatasync is never merely repeated. */
    if (ftruncate(l->fd, (off_t)l->end) != 0)
        return problem_system(ps, l->path, "cannot take back an unfinished line", errno);
    return problem_system(ps, l->path, "cannot append", err);
}

int ledger_commit(struct ledger *l, struct problems *ps)
{
    struct writing w = { .n = 0 };
    struct map groups;
    int rc = l->npending ? lock(l, LOCK_EX, ps) : OK;
    if (rc != OK || l->npending == 0)
        return rc;
    rc = catch_up(l, ps);
    if (rc == OK) {
        memcpy(w.chain, l->chain, sizeof w.chain);
        collect_groups(l, &groups);
        for (size_t i = 0; i < groups.n; i++)
            spell_group(l, groups.entries[i].value, &w);
        rc = append(l, buf_slice(&w.bytes), ps);
        if (rc == OK) {
            settle(l, &w);
            cut_dead(l);
            arena_reset(&l->waiting);
        }
    }
    buf_release(&w.bytes);
    unlock(l);
    return rc;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* The record of an entry, its texts in the arena; false when it is dead or cannot be read. */
static bool get_record(struct ledger *l, const struct entry *e, struct arena *a, struct ledger_record *out)
{
    bool end;
    if (e->len == 0) {
        if (e->u.pending)
            *out = *copy_record(a, e->u.pending);
        return e->u.pending != NULL;
    }
    l->line.n = 0;
    char *p = buf_room(&l->line, e->len);
    return pread(l->fd, p, e->len, (off_t)e->u.at) == (ssize_t)e->len &&
           ledger_line_read((struct slice){ p, e->len }, a, out, &end);
}

struct slice ledger_value(const struct ledger_record *r, struct slice name)
{
    for (size_t i = 0; i < r->nfields; i++) {
        if (slice_equal(r->fields[i].name, name))
            return r->fields[i].value;
    }
    return slice_none();
}

bool ledger_has(const struct ledger *l, struct slice batch, struct slice part)
{
    struct arena a;
    struct ledger_record r;
    bool found = false, end;
    struct buf line = { 0 };
    arena_init(&a, 0);
    uint64_t hash = ledger_index_hash((struct slice[]){ batch, part }, 2);
    for (uint32_t i = ledger_index_first(&l->groups, hash); i && !found; i = ledger_index_next(&l->groups, i)) {
        const struct entry *e = &l->entries[l->ends[i - 1]];
        char *p = buf_room(&line, e->len);
        found = pread(l->fd, p, e->len, (off_t)e->u.at) == (ssize_t)e->len &&
                ledger_line_read((struct slice){ p, e->len }, &a, &r, &end) && slice_equal(r.batch, batch) &&
                    slice_equal(r.part, part);
    }
    buf_release(&line);
    arena_release(&a);
    return found;
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
        if (e->len == 0 && e->u.pending == NULL)
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
    return pread(l->fd, head, sizeof head, (off_t)e->u.at) == (ssize_t)sizeof head &&
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
    char path[PATH], chain[SHA256_HEX];
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
