#include "drop/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "drop/inbox.h"

enum { FILES_MAX = 10000, NOTE = 256, LOOK = 100 };

static struct place at(const char *file)
{
    return (struct place){ .file = file, .offset = PLACE_NO_OFFSET };
}

static int sync_dir(const struct exchange *x, int fd, const char *name, struct problems *ps)
{
    return spool_sync_dir(x->spool, fd, name, ps);
}

static int open_folder(int base, const char *name, struct problems *ps)
{
    int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        problem_system(ps, name, "cannot open the folder", errno);
    return fd;
}

int exchange_open(struct exchange *x, const struct spool *s, struct arena *a, struct problems *ps)
{
    char path[256];
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    x->spool = s;
    x->arena = a;
    x->dir = x->lock = -1;
    snprintf(path, sizeof path, "exchange/%s", x->name);
    if ((mkdirat(s->top, "exchange", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(s->top, path, 0700) != 0 && errno != EEXIST))
        return problem_system(ps, path, "cannot make the folder", errno);
    x->dir = open_folder(s->top, path, ps);
    if (x->dir < 0)
        return TEMP;
    x->lock = openat(x->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (x->lock < 0 || (fcntl(x->lock, F_OFD_SETLK, &whole) != 0 && errno != EAGAIN && errno != EACCES))
        return problem_system(ps, path, "cannot lock", errno);
    if (fcntl(x->lock, F_OFD_SETLK, &whole) == 0)
        return OK;
    problem_addf(ps, PROBLEM_ERROR, "EXCHANGE_BUSY", at(x->name), "another process carries out this exchange");
    return STOP;
}

void exchange_close(struct exchange *x)
{
    if (x->lock >= 0)
        close(x->lock);
    if (x->dir >= 0)
        close(x->dir);
    x->dir = x->lock = -1;
}

/* --- notes: what is under way ------------------------------------------------------------------------------------ */

/* The files of several folders may have one name; the first one's notes are named as ever. */
static void set_mark(struct exchange *x, unsigned *before, const char *folder)
{
    char hash[SHA256_HEX];
    x->mark[0] = '\0';
    if ((*before)++ == 0)
        return;
    sha256_of(slice_of(folder), hash);
    snprintf(x->mark, sizeof x->mark, ".%.8s", hash);
}

static void note_name(const struct exchange *x, const char *kind, const char *file, char out[NOTE])
{
    snprintf(out, NOTE, "%s%s-%.180s", kind, x->mark, file);
}

/* A note is for one file: its size and what else tells it from others. */
static struct slice note_text(struct exchange *x, uint64_t size, struct slice stamp)
{
    return arena_printf(x->arena, "%llu %.*s\n", (unsigned long long)size, SLICE_ARG(stamp));
}

static int note(struct exchange *x, const char *kind, const char *file, struct slice text, struct problems *ps)
{
    char name[NOTE];
    note_name(x, kind, file, name);
    return file_replace(x->dir, name, text, 0600, x->spool->durable, ps);
}

/* Empty: there is none. */
static struct slice noted(struct exchange *x, const char *kind, const char *file)
{
    char name[NOTE], text[NOTE];
    note_name(x, kind, file, name);
    int fd = openat(x->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return slice_none();
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    return n > 0 ? arena_copy(x->arena, (struct slice){ text, (size_t)n }) : slice_none();
}

/* Whether there was one. */
static bool forget(struct exchange *x, const char *kind, const char *file)
{
    char name[NOTE];
    note_name(x, kind, file, name);
    return unlinkat(x->dir, name, 0) == 0;
}

/* The files that have one, or stand ready. */
static int list_notes(struct exchange *x, const char *kind, struct slice **out, size_t *n, struct problems *ps)
{
    char prefix[NOTE];
    size_t cap = 0;
    int err, fd = openat(x->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *out = NULL;
    *n = 0;
    if (!dir)
        return problem_system(ps, x->name, "cannot read the folder", errno);
    note_name(x, kind, "", prefix);
    for (struct dirent *e; *n < FILES_MAX && (e = file_entry(dir, &err)) != NULL;)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            ARENA_PUSH(x->arena, *out, *n, cap) = arena_copy(x->arena, slice_of(e->d_name + strlen(prefix)));
    closedir(dir);
    return OK;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static bool temporary(struct slice name)
{
    static const char *const ends[] = { ".part", ".tmp", ".filepart", ".crdownload", ".new" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (name.n > n && memcmp(name.p + name.n - n, ends[i], n) == 0)
            return true;
    }
    return name.n == 0 || name.p[0] == '.';
}

static void tell_stays(const char *folder, struct slice name, const char *why, const char *hint, struct problems *ps)
{
    struct buf shown = { 0 };
    buf_add_shown(&shown, name, 100);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "EXCHANGE_NAME", .place = at(folder),
        .text = arena_printf(ps->arena, "%.*s stays where it is: %s", SLICE_ARG(buf_slice(&shown)), why),
        .hint = slice_of(hint) });
    buf_release(&shown);
}

static void tell_name(const char *folder, struct slice name, struct problems *ps)
{
    tell_stays(folder, name, "its name cannot travel",
               "letters, digits, `.`, `_` and `-`, up to 180 of them, no dot or hyphen in front", ps);
}

/* What waybill publishes is whole: one of its outputs that is named so would never go. */
static void tell_unfinished(const char *folder, struct slice name, struct problems *ps)
{
    if (name.p[0] != '.')
        tell_stays(folder, name, "it is named like a file that is still written",
                   "`name` of `give outbox` with another end than .part .tmp .new .filepart .crdownload", ps);
}

/* A remote folder as an argument: quoted, with what sftp would take for a pattern escaped. */
static void add_argument(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (; *text; text++) {
        if (strchr("\"\\*?[", *text))
            buf_byte(out, '\\');
        if ((unsigned char)*text >= 0x20)
            buf_byte(out, *text);
    }
    buf_byte(out, '"');
}

static int run(struct exchange *x, int folder, struct buf *commands, struct buf *out, struct problems *ps)
{
    buf_byte(commands, '\0');
    int rc = sftp_run(&x->server, folder, commands->p, out, ps);
    commands->n = 0;
    return rc;
}

static void enter(struct buf *commands, const char *remote)
{
    buf_text(commands, "cd ");
    add_argument(commands, remote);
    buf_byte(commands, '\n');
}

/* --- push -------------------------------------------------------------------------------------------------------- */

struct local {
    char name[184];
    uint64_t size;
    int64_t time_ns;
    struct slice stamp;             /* its time and inode: another file of that name and size has others */
    bool there;                     /* something of that name is on the server … */
    bool alike;                     /* … a file of that size */
};

static int older(const void *a, const void *b)
{
    const struct local *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int list_local(struct exchange *x, int folder, const char *path, struct local **out, size_t *n,
                      struct problems *ps)
{
    size_t cap = 0;
    int err, fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *out = NULL;
    *n = 0;
    if (!dir)
        return problem_system(ps, path, "cannot read the folder", errno);
    for (struct dirent *e; *n < FILES_MAX && (e = file_entry(dir, &err)) != NULL;) {
        struct stat st;
        if (fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (temporary(slice_of(e->d_name))) {
            tell_unfinished(path, slice_of(e->d_name), ps);
            continue;
        }
        if (!sftp_plain(slice_of(e->d_name))) {
            tell_name(path, slice_of(e->d_name), ps);
            continue;
        }
        struct local l = { .size = (uint64_t)st.st_size,
                           .time_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                           .stamp = arena_printf(x->arena, "%lld.%09ld %llu", (long long)st.st_mtim.tv_sec,
                                                 st.st_mtim.tv_nsec, (unsigned long long)st.st_ino) };
        snprintf(l.name, sizeof l.name, "%.180s", e->d_name);
        ARENA_PUSH(x->arena, *out, *n, cap) = l;
    }
    closedir(dir);
    if (*n)
        qsort(*out, *n, sizeof **out, older);
    return OK;
}

static void found(struct local *list, size_t n, const struct sftp_entry *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!slice_is(e->name, list[i].name))
            continue;
        list[i].there = true;
        list[i].alike = e->regular && e->size == list[i].size;
    }
}

/* Which of these names are taken there, before any of them is noted: what comes to be there afterwards is ours. */
static int look(struct exchange *x, int folder, const char *remote, struct local *list, size_t n, struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    struct sftp_entry e;
    enter(&commands, remote);
    for (size_t i = 0; i < n; i++)
        buf_printf(&commands, "-ls -ln %s\n", list[i].name);
    int rc = run(x, folder, &commands, &out, ps);
    struct slice rest = buf_slice(&out);
    while (rc == OK && sftp_entry(&rest, &e))
        found(list, n, &e);
    buf_release(&commands);
    buf_release(&out);
    return rc;
}

static int upload(struct exchange *x, int folder, const char *remote, const struct local *l, struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    enter(&commands, remote);
    buf_printf(&commands, "-rm .part-%s\n", l->name);
    buf_printf(&commands, "put -f %s .part-%s\n", l->name, l->name);
    buf_printf(&commands, "rename -l .part-%s %s\n", l->name, l->name);
    int rc = run(x, folder, &commands, &out, ps);
    buf_release(&commands);
    buf_release(&out);
    return rc;
}

/* Sent, by a rename that was cut off: a server that links and removes may have left its first name too. */
static int tidy(struct exchange *x, int folder, const char *remote, const struct local *l, struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    enter(&commands, remote);
    buf_printf(&commands, "-rm .part-%s\n", l->name);
    int rc = run(x, folder, &commands, &out, ps);
    buf_release(&commands);
    buf_release(&out);
    return rc;
}

/* Not sent, for sure: a note that comes back after a power cut would take another's file of that name for this one. */
static int not_sent(struct exchange *x, const struct local *l, struct problems *ps)
{
    int rc = forget(x, "push", l->name) ? sync_dir(x, x->dir, x->name, ps) : OK;
    return rc == OK ? SKIP : rc;
}

static int name_taken(const char *path, const struct local *l, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "EXCHANGE_TAKEN", .place = at(path),
        .text = arena_printf(ps->arena, "%s waits: there is something of that name on the server", l->name),
        .hint = SLICE("it is sent when the partner has taken the other away") });
    return SKIP;
}

/* Noted and there: the process before us ended behind the rename. */
static int send_once(struct exchange *x, int folder, const char *path, const char *remote, const struct local *l,
                     struct problems *ps)
{
    struct slice text = note_text(x, l->size, l->stamp);
    bool before = slice_equal(noted(x, "push", l->name), text);
    if (before && l->alike)
        return tidy(x, folder, remote, l, ps);
    int rc = l->there ? name_taken(path, l, ps) : before ? OK : note(x, "push", l->name, text, ps);
    if (rc == OK)
        rc = upload(x, folder, remote, l, ps);
    return rc == SKIP ? not_sent(x, l, ps) : rc;
}

static int push_one(struct exchange *x, int folder, const char *path, const char *remote, const struct local *l,
                    struct problems *ps)
{
    int rc = send_once(x, folder, path, remote, l, ps);
    if (rc != OK)
        return rc;
    if (unlinkat(folder, l->name, 0) != 0 && errno != ENOENT)
        return problem_system(ps, path, "cannot remove what was sent", errno);
    rc = sync_dir(x, folder, path, ps);
    if (rc == OK)
        forget(x, "push", l->name);
    x->pushed += rc == OK;
    return rc;
}

/* What was sent has left the outbox, and the process before us ended before it could forget it. */
static int forget_sent(struct exchange *x, int folder, const char *path, const struct local *list, size_t n,
                       struct problems *ps)
{
    struct slice *names;
    size_t count;
    int rc = list_notes(x, "push", &names, &count, ps);
    if (rc == OK && count)
        rc = sync_dir(x, folder, path, ps);         /* or a power cut brings back what is not noted any more */
    for (size_t i = 0; i < count && rc == OK && n < FILES_MAX; i++) {
        size_t k = 0;
        while (k < n && !slice_is(names[i], list[k].name))
            k++;
        if (k == n)
            forget(x, "push", names[i].p);
    }
    return rc;
}

int exchange_push(struct exchange *x, const char *outbox, const char *remote, struct problems *ps)
{
    struct local *list;
    size_t n;
    int folder = open_folder(x->spool->root, outbox, ps), worst = OK;
    set_mark(x, &x->pushes, outbox);
    if (folder < 0)
        return TEMP;
    int rc = list_local(x, folder, outbox, &list, &n, ps);
    if (rc == OK)
        rc = forget_sent(x, folder, outbox, list, n, ps);
    for (size_t i = 0; i < n && rc <= SKIP; i++) {
        if (i % LOOK == 0 && (rc = look(x, folder, remote, list + i, n - i < LOOK ? n - i : LOOK, ps)) != OK)
            break;
        rc = push_one(x, folder, outbox, remote, &list[i], ps);
        worst = rc > worst ? rc : worst;
    }
    close(folder);
    return rc > worst ? rc : worst;
}

/* --- fetch ------------------------------------------------------------------------------------------------------- */

struct remote_file {
    struct slice name, stamp;
    uint64_t size;
};

static int list_remote(struct exchange *x, const char *remote, struct remote_file **out, size_t *n, struct problems *ps)
{
    struct buf commands = { 0 }, text = { 0 };
    struct sftp_entry e;
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    enter(&commands, remote);
    buf_text(&commands, "ls -ln\n");
    int rc = run(x, x->dir, &commands, &text, ps);
    struct slice rest = rc == OK ? arena_copy(x->arena, buf_slice(&text)) : slice_none();
    while (*n < FILES_MAX && sftp_entry(&rest, &e))
        if (e.regular && !temporary(e.name) && !inbox_temporary(e.name))
            ARENA_PUSH(x->arena, *out, *n, cap) = (struct remote_file){ e.name, e.stamp, e.size };
    buf_release(&commands);
    buf_release(&text);
    return rc;
}

static bool same_as_before(const struct remote_file *list, size_t n, const struct remote_file *f)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(list[i].name, f->name))
            return list[i].size == f->size && slice_equal(list[i].stamp, f->stamp);
    return false;
}

/* What the note of a fetched file says. */
struct got {
    bool any;                       /* there is one of that name … */
    bool same;                      /* … and of that size and time */
    bool stays;                     /* the server refused to remove it */
    struct slice sha256;            /* of what was downloaded; none in a note of a former version */
};

/* `ls` tells the day and the time of a file, after half a year the day and the year: the same file is another line. */
static bool aged(struct exchange *x, struct slice text, const struct remote_file *f)
{
    struct slice size = note_text(x, f->size, SLICE(""));
    struct slice day = { f->stamp.p, f->stamp.n < 7 ? 0 : 7 };          /* " Jan  5" */
    size.n--;                                       /* without the line's end */
    const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
    if (!end || !day.n || !slice_starts(text, size) || memchr(f->stamp.p, ':', f->stamp.n))
        return false;
    struct slice was = slice_range(text.p + size.n, end);
    return slice_starts(was, day) && memchr(was.p, ':', was.n);
}

/* One that has aged is told by its content alone. */
static struct got recall(struct exchange *x, const struct remote_file *f, const char *name)
{
    struct slice text = noted(x, "got", name), file = note_text(x, f->size, f->stamp);
    struct got g = { .any = text.n > 0, .same = slice_starts(text, file) };
    bool old = !g.same && aged(x, text, f);
    if (old) {
        g.same = true;
        file.n = (size_t)((const char *)memchr(text.p, '\n', text.n) - text.p) + 1;
    }
    if (!g.same || text.n - file.n < SHA256_HEX)
        return g;
    g.sha256 = (struct slice){ text.p + file.n, SHA256_HEX - 1 };
    g.stays = !old && slice_is(slice_range(slice_end(g.sha256), slice_end(text)), " stays\n");
    return g;
}

static int note_got(struct exchange *x, const struct remote_file *f, const char *name, const char *sha256,
                    const char *state, struct problems *ps)
{
    struct slice file = note_text(x, f->size, f->stamp);
    return note(x, "got", name, arena_printf(x->arena, "%.*s%s %s\n", SLICE_ARG(file), sha256, state), ps);
}

/* 0 or -1 with errno. */
static int digest(int fd, char out[SHA256_HEX])
{
    struct sha256 h;
    char block[16384];
    ssize_t n;
    sha256_init(&h);
    while ((n = file_read_full(fd, block, sizeof block)) > 0)
        sha256_add(&h, (struct slice){ block, (size_t)n });
    sha256_hex(&h, out);
    return n < 0 ? -1 : 0;
}

static int download(struct exchange *x, const char *remote, const char *name, uint64_t size, char sha256[SHA256_HEX],
                    struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    struct stat st;
    enter(&commands, remote);
    unlinkat(x->dir, "part", 0);
    buf_printf(&commands, "get -f %s part\n", name);
    int rc = run(x, x->dir, &commands, &out, ps);
    buf_release(&commands);
    buf_release(&out);
    if (rc != OK)
        return rc;
    int fd = openat(x->dir, "part", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || (x->spool->durable && fsync(fd) != 0) || digest(fd, sha256) != 0)
        rc = problem_system(ps, name, "cannot be kept", errno);
    if (fd >= 0)
        close(fd);
    return rc == OK && (uint64_t)st.st_size != size ? SKIP : rc;    /* it grew: the next round */
}

/* The whole file stands ready under its own name before it is noted: the note says that it may go into the inbox. So
   the note of another one goes before. */
static int keep(struct exchange *x, const struct remote_file *f, const char *name, const char *sha256,
                struct problems *ps)
{
    char ready[NOTE];
    note_name(x, "ready", name, ready);
    int rc = forget(x, "got", name) ? sync_dir(x, x->dir, x->name, ps) : OK;
    if (rc != OK)
        return rc;
    if (renameat(x->dir, "part", x->dir, ready) != 0)
        return problem_system(ps, name, "cannot be kept", errno);
    rc = sync_dir(x, x->dir, x->name, ps);
    return rc == OK ? note_got(x, f, name, sha256, "fetched", ps) : rc;
}

/* Into the inbox; gone from here means that it was done before. */
static int hand_in(struct exchange *x, int inbox, const char *path, const char *name, struct problems *ps)
{
    char ready[NOTE], other[NOTE];
    note_name(x, "ready", name, ready);
    int err = renameat2(x->dir, ready, inbox, name, RENAME_NOREPLACE) == 0 ? 0 : errno;
    for (int n = 2; err == EEXIST && n < 1000; n++) {
        snprintf(other, sizeof other, "%d-%.180s", n, name);
        err = renameat2(x->dir, ready, inbox, other, RENAME_NOREPLACE) == 0 ? 0 : errno;
    }
    if (err && err != ENOENT)
        return problem_system(ps, path, "cannot be put into the inbox", err);
    int rc = sync_dir(x, inbox, path, ps);
    return rc == OK ? sync_dir(x, x->dir, x->name, ps) : rc;
}

static bool listed(const struct remote_file *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(list[i].name, name))
            return true;
    return n == FILES_MAX;                          /* it may be one of the others */
}

/* Left by a killed process, and perhaps gone from the server since.  One that is still there and not noted is
   downloaded once more. */
static int hand_in_left(struct exchange *x, const struct remote_file *list, size_t n, int inbox, const char *path,
                        struct problems *ps)
{
    struct slice *names;
    size_t count;
    int rc = list_notes(x, "ready", &names, &count, ps);
    for (size_t i = 0; i < count && rc == OK; i++) {
        const char *name = names[i].p;
        if (!sftp_plain(names[i]) || (listed(list, n, name) && !noted(x, "got", name).n))
            continue;
        rc = hand_in(x, inbox, path, name, ps);
        x->fetched += rc == OK;
    }
    return rc;
}

/* What was fetched is gone from the server, and the process before us did not live to hear it. */
static int forget_fetched(struct exchange *x, const struct remote_file *list, size_t n, struct problems *ps)
{
    struct slice *names;
    size_t count;
    int rc = list_notes(x, "got", &names, &count, ps);
    for (size_t i = 0; i < count && rc == OK; i++)
        if (!listed(list, n, names[i].p))
            forget(x, "got", names[i].p);
    return rc;
}

static int remove_there(struct exchange *x, const char *remote, const char *name, struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    enter(&commands, remote);
    buf_printf(&commands, "rm %s\n", name);
    int rc = run(x, x->dir, &commands, &out, ps);
    if (rc == SKIP && !sftp_reached(buf_slice(&out), "rm "))
        rc = TEMP;                                  /* it was not refused: it was not asked for */
    buf_release(&commands);
    buf_release(&out);
    return rc;
}

static int still_there(struct exchange *x, const char *remote, const struct remote_file *f, bool *yes,
                       struct problems *ps)
{
    struct buf commands = { 0 }, out = { 0 };
    struct sftp_entry e;
    enter(&commands, remote);
    buf_printf(&commands, "-ls -ln %.*s\n", SLICE_ARG(f->name));
    int rc = run(x, x->dir, &commands, &out, ps);
    struct slice rest = buf_slice(&out);
    *yes = false;
    while (rc == OK && sftp_entry(&rest, &e))
        *yes = *yes || (e.regular && slice_equal(e.name, f->name) && e.size == f->size &&
                        slice_equal(e.stamp, f->stamp));
    buf_release(&commands);
    buf_release(&out);
    return rc;
}

/* Without an answer the note stays as it is: next time the content tells whether this file is still there. */
static int let_go(struct exchange *x, const char *remote, const struct remote_file *f, const char *name,
                  const char *sha256, struct problems *ps)
{
    bool there = false;
    int rc = remove_there(x, remote, name, ps), err = OK;
    if (rc == OK && forget(x, "got", name))
        return sync_dir(x, x->dir, x->name, ps);
    if (rc == SKIP)
        err = still_there(x, remote, f, &there, ps);
    if (there)
        err = note_got(x, f, name, sha256, "stays", ps);
    return err > rc ? err : rc;
}

static int left_there(const char *remote, const char *name, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_WARNING, .code = "EXCHANGE_STAYS", .place = at(remote),
        .text = arena_printf(ps->arena, "%s was fetched and stays on the server, which refused to remove it", name),
        .hint = SLICE("take it away there; it is fetched again when its size or time is another one") });
    return SKIP;
}

/* Only bytes that were read are removed there: a name, a size and a time that `ls` rounds may be another file's. What
   is noted and still stands ready was left by a killed process, and may be gone from the server: it comes in first. */
static int take_in(struct exchange *x, const char *remote, int inbox, const char *path, const struct remote_file *f,
                   const char *name, const struct got *g, char sha256[SHA256_HEX], struct problems *ps)
{
    int rc = g->any ? hand_in(x, inbox, path, name, ps) : OK;
    if (rc == OK)
        rc = download(x, remote, name, f->size, sha256, ps);
    if (rc == OK && !(g->same && slice_is(g->sha256, sha256))) {
        rc = keep(x, f, name, sha256, ps);
        return rc == OK ? hand_in(x, inbox, path, name, ps) : rc;
    }
    unlinkat(x->dir, "part", 0);
    return rc;
}

static int fetch_one(struct exchange *x, const char *remote, int inbox, const char *path, const struct remote_file *f,
                     struct problems *ps)
{
    const char *name = arena_cstr(x->arena, f->name);
    char sha256[SHA256_HEX];
    if (!sftp_plain(f->name)) {
        tell_name(remote, f->name, ps);
        return SKIP;
    }
    struct got g = recall(x, f, name);
    if (g.stays)
        return left_there(remote, name, ps);
    int rc = take_in(x, remote, inbox, path, f, name, &g, sha256, ps);
    if (rc == OK)
        rc = let_go(x, remote, f, name, sha256, ps);
    x->fetched += rc == OK;
    return rc;
}

static void wait_ms(int64_t ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

int exchange_fetch(struct exchange *x, const char *remote, const char *inbox, struct problems *ps)
{
    struct remote_file *before, *now;
    size_t nbefore, n = 0;
    int folder = open_folder(x->spool->root, inbox, ps), worst = OK;
    set_mark(x, &x->fetches, remote);
    if (folder < 0)
        return TEMP;
    int rc = list_remote(x, remote, &before, &nbefore, ps);
    if (rc == OK)
        rc = hand_in_left(x, before, nbefore, folder, inbox, ps);
    if (rc == OK)
        rc = forget_fetched(x, before, nbefore, ps);
    if (rc == OK && nbefore) {
        wait_ms(x->stable_ms);
        rc = list_remote(x, remote, &now, &n, ps);
    }
    for (size_t i = 0; i < n && rc <= SKIP; i++) {
        if (!same_as_before(before, nbefore, &now[i]))
            continue;
        rc = fetch_one(x, remote, folder, inbox, &now[i], ps);
        worst = rc > worst ? rc : worst;
    }
    close(folder);
    return rc > worst ? rc : worst;
}
