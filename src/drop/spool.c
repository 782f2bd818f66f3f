#include "drop/spool.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/date.h"
#include "base/file.h"

static int open_folder(int at, const char *name, bool make)
{
    if (make && mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (make ? O_NOFOLLOW : 0));
}

/* The newest epoch of a shared site: its number, 0 = the site is not shared. */
static int find_epoch(const struct spool *s, uint64_t *out, struct problems *ps)
{
    int err, fd = openat(s->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    *out = 0;
    if (dir == NULL)
        return problem_system(ps, ".waybill", "cannot read the folder", errno);
    for (struct dirent *e; (e = file_entry(dir, &err)) != NULL;) {
        unsigned long long n = 0;
        if (sscanf(e->d_name, "epoch-%19llu", &n) == 1 && n > *out)
            *out = n;
    }
    closedir(dir);
    return err ? problem_system(ps, ".waybill", "cannot read the folder", err) : OK;
}

int spool_fault(const struct spool *s, const char *folder, const char *rest, const char *what, int err,
                struct problems *ps)
{
    char path[SPOOL_PATH];
    spool_path(s, folder, rest, path);
    return problem_system(ps, arena_printf(ps->arena, "%s/.waybill/%s", s->path, path).p, what, err);
}

static int open_moving(struct spool *s, struct problems *ps)
{
    struct { int *fd; const char *name; } folders[] = { { &s->claim, "claim" }, { &s->tmp, "tmp" },
                                                        { &s->work, "work" } };
    char path[SPOOL_PATH];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (*folders[i].fd >= 0)
            close(*folders[i].fd);
        spool_path(s, folders[i].name, "", path);
        *folders[i].fd = open_folder(s->top, path, true);
        if (*folders[i].fd < 0)
            return spool_fault(s, folders[i].name, "", "the folder cannot be opened", errno, ps);
    }
    return OK;
}

static void set_below(struct spool *s, uint64_t epoch)
{
    s->below[0] = '\0';
    if (epoch)
        snprintf(s->below, sizeof s->below, "epoch-%llu/", (unsigned long long)epoch);
}

int spool_open(struct spool *s, struct arena *a, const char *site, bool durable, struct problems *ps)
{
    *s = (struct spool){ .path = arena_cstr(a, slice_of(site)), .top = -1, .claim = -1, .tmp = -1, .work = -1,
                         .error = -1,
                         .durable = durable };
    int rc = OK;
    uint64_t epoch = 0;
    s->root = open_folder(AT_FDCWD, site, false);
    if (s->root < 0)
        rc = problem_system(ps, s->path, "cannot open the site", errno);
    struct { int *fd; const char *name; } folders[] = { { &s->top, ".waybill" }, { &s->error, "error" } };
    for (size_t i = 0; i < sizeof folders / sizeof *folders && rc == OK; i++) {
        *folders[i].fd = open_folder(s->root, folders[i].name, true);
        if (*folders[i].fd < 0)
            rc = problem_system(ps, file_join(a, s->path, folders[i].name), "the folder cannot be opened", errno);
    }
    if (rc == OK)
        rc = find_epoch(s, &epoch, ps);
    set_below(s, epoch);
    if (rc == OK)
        rc = open_moving(s, ps);
    if (rc == OK)
        rc = spool_sync(s, ps);
    if (rc != OK)
        spool_close(s);
    return rc;
}

/* What a site had before it was shared comes along, folder by folder: a crash in between is gone on with here. */
static int move_in(struct spool *s, const char *folder, struct problems *ps)
{
    static const char *const names[] = { "claim", "tmp", "work", "replies" };
    char path[SPOOL_PATH];
    if (mkdirat(s->top, folder, 0700) != 0 && errno != EEXIST)
        return problem_system(ps, folder, "cannot make the folder", errno);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (renameat(s->top, names[i], s->top, path) != 0 && errno != ENOENT && errno != ENOTEMPTY &&
            errno != EEXIST)
            return problem_system(ps, path, "cannot be taken over", errno);
    }
    return OK;
}

/* What was under construction is begun anew; whoever still has the folder open can make nothing in it any more. */
static int fresh_tmp(const struct spool *s, const char *folder, struct problems *ps)
{
    char path[SPOOL_PATH];
    snprintf(path, sizeof path, "%s/tmp", folder);
    return spool_remove(s->top, path, ps);
}

int spool_enter(struct spool *s, uint64_t epoch, struct problems *ps)
{
    char folder[32], before[32];
    uint64_t old;
    int rc = find_epoch(s, &old, ps);
    snprintf(folder, sizeof folder, "epoch-%llu", (unsigned long long)epoch);
    snprintf(before, sizeof before, "epoch-%llu", (unsigned long long)old);
    if (rc == OK && old > epoch)
        return END;
    if (rc == OK && old && old != epoch && renameat(s->top, before, s->top, folder) != 0)
        rc = problem_system(ps, before, "cannot be taken over", errno);
    if (rc == OK)
        rc = move_in(s, folder, ps);
    if (rc == OK)
        rc = fresh_tmp(s, folder, ps);
    if (rc != OK)
        return rc;
    set_below(s, epoch);
    rc = open_moving(s, ps);
    return rc == OK ? spool_sync_dir(s, s->top, ".waybill", ps) : rc;
}

/* Whether the folder at that path is the open one; in doubt it is. END: there is none. */
static int look_at(int dir, const char *path, int fd)
{
    struct stat at, open;
    if (fstatat(dir, path, &at, 0) != 0)
        return errno == ENOENT || errno == ENOTDIR ? END : OK;
    return fstat(fd, &open) != 0 || (at.st_dev == open.st_dev && at.st_ino == open.st_ino) ? OK : SKIP;
}

static void tell_gone(const struct spool *s, const char *path, enum severity severity, const char *text,
                      const char *hint, struct problems *ps)
{
    problem_add(ps, &(struct problem){ .severity = severity, .code = "SPOOL_GONE", .text = slice_of(text),
                                       .hint = slice_of(hint),
                                       .place = { .file = arena_printf(ps->arena, "%s/%s", s->path, path).p,
                                                  .offset = PLACE_NO_OFFSET } });
}

/* The number stays, whoever holds it. */
static bool take_over(int dir, const char *path, int fd)
{
    int now = open_folder(dir, path, false);
    bool done = now >= 0 && dup3(now, fd, O_CLOEXEC) == fd;
    if (now >= 0)
        close(now);
    return done;
}

/* True: it is not there; told unless that was known. */
static bool keep_folder(const struct spool *s, int dir, const char *below, int fd, bool known, struct problems *ps)
{
    char shown[SPOOL_PATH + 16];
    snprintf(shown, sizeof shown, "%s%s", dir == s->top ? ".waybill/" : "", below);
    int rc = look_at(dir, below, fd);
    if (rc == SKIP && take_over(dir, below, fd))
        tell_gone(s, shown, PROBLEM_WARNING, "the folder was replaced while the site is worked on",
                  "it goes on with the one that is there now; what lay in the other one is not known any more", ps);
    if (rc == END && !known)
        tell_gone(s, shown, PROBLEM_ERROR, "the folder was removed while the site is worked on",
                  "put it back with what lay in it; if that is lost, make it anew (mode 0700)", ps);
    return rc == END;
}

int spool_keep(const struct spool *s, bool *gone, struct problems *ps)
{
    struct { int fd; const char *name; } folders[] = { { s->claim, "claim" }, { s->tmp, "tmp" }, { s->work, "work" } };
    char path[SPOOL_PATH];
    bool known = *gone;
    if (look_at(AT_FDCWD, s->path, s->root) != OK || look_at(s->root, ".waybill", s->top) != OK) {
        tell_gone(s, ".waybill", PROBLEM_ERROR, "the site's folder or .waybill was removed or replaced, and with it the lock",
                  "put it back and start the watcher again", ps);
        return STOP;
    }
    *gone = keep_folder(s, s->root, "error", s->error, known, ps);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        spool_path(s, folders[i].name, "", path);
        *gone |= keep_folder(s, s->top, path, folders[i].fd, known, ps);
    }
    return OK;
}

void spool_path(const struct spool *s, const char *folder, const char *rest, char out[SPOOL_PATH])
{
    snprintf(out, SPOOL_PATH, "%s%s%s%.120s", s->below, folder, *rest ? "/" : "", rest);
}

void spool_close(struct spool *s)
{
    int *fds[] = { &s->error, &s->work, &s->tmp, &s->claim, &s->top, &s->root };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

int spool_sync(const struct spool *s, struct problems *ps)
{
    if (s->durable && syncfs(s->root) != 0)
        return problem_system(ps, s->path, "cannot write to disk", errno);
    return OK;
}

int spool_sync_dir(const struct spool *s, int dirfd, const char *name, struct problems *ps)
{
    if (!s->durable || s->group || fsync(dirfd) == 0 || errno == EINVAL)
        return OK;
    return problem_system(ps, name, "cannot write to disk", errno);
}

/* --- batch ids ---------------------------------------------------------------------------------------------------- */

void spool_id(struct spool *s, int64_t local_seconds, char out[BATCH_ID_SIZE])
{
    int32_t year, month, day;
    int64_t days = local_seconds / 86400, rest = local_seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    date_from_days(days, &year, &month, &day);
    snprintf(out, BATCH_ID_SIZE, "%04d%02d%02d-%02d%02d%02d-%llu-%llu", year, month, day, (int)(rest / 3600),
             (int)(rest / 60 % 60), (int)(rest % 60), (unsigned long long)s->epoch, (unsigned long long)++s->counter);
}

/* Epoch and counter of an id. */
static void age_of(const char *id, unsigned long long age[2])
{
    const char *dash = strrchr(id, '-'), *epoch = dash;
    while (epoch && epoch > id && epoch[-1] != '-')
        epoch--;
    age[0] = epoch ? strtoull(epoch, NULL, 10) : 0;
    age[1] = dash ? strtoull(dash + 1, NULL, 10) : 0;
}

int spool_id_compare(const char *a, const char *b)
{
    unsigned long long x[2], y[2];
    age_of(a, x);
    age_of(b, y);
    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    if (x[1] != y[1])
        return x[1] < y[1] ? -1 : 1;
    return strcmp(a, b);
}

bool spool_id_valid(const char *id)
{
    size_t n = strlen(id);
    if (n < 18 || n >= BATCH_ID_SIZE)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool hyphen = id[i] == '-';
        if (i == 8 || i == 15 ? !hyphen : !isdigit((unsigned char)id[i]) && (i < 16 || !hyphen))
            return false;
    }
    return isdigit((unsigned char)id[16]) && isdigit((unsigned char)id[n - 1]);
}

bool spool_late(const char *name)
{
    char id[BATCH_ID_SIZE];
    size_t n = strlen(name);
    if (n <= 5 || n - 5 >= sizeof id || strcmp(name + n - 5, "-late") != 0)
        return false;
    snprintf(id, sizeof id, "%.*s", (int)(n - 5), name);
    return spool_id_valid(id);
}

/* --- what lies below ---------------------------------------------------------------------------------------------- */

/* ext2, ext3 and ext4 have one magic number: the mount table tells them apart. */
static bool mounted_as(int fd, const char *type)
{
    struct statx sx;
    char line[1024], want[64];
    bool found = false;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) != 0)
        return false;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (f == NULL)
        return false;
    snprintf(want, sizeof want, "%llu ", (unsigned long long)sx.stx_mnt_id);
    while (!found && fgets(line, sizeof line, f)) {
        const char *dash = strstr(line, " - ");
        found = strncmp(line, want, strlen(want)) == 0 && dash && strncmp(dash + 3, type, strlen(type)) == 0 &&
            dash[3 + strlen(type)] == ' ';
    }
    fclose(f);
    return found;
}

static bool first_line(const char *path, char *out, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, n - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return got > 0;
}

/* ext4 names the process that writes its journal.  Where that cannot be seen (older kernels, a container without /sys)
   it is taken for a whole one. */
static bool lacks_journal(int fd)
{
    struct stat st;
    char path[PATH_MAX], device[PATH_MAX], task[64];
    if (fstat(fd, &st) != 0)
        return false;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    ssize_t n = readlink(path, device, sizeof device - 1);
    if (n <= 0)
        return false;
    device[n] = '\0';
    snprintf(path, sizeof path, "/sys/fs/ext4/%.200s/journal_task", file_base(device));
    return first_line(path, task, sizeof task) && strcmp(task, "<none>") == 0;
}

static const char *bad_ext(int fd)
{
    if (mounted_as(fd, "ext2"))
        return "ext2";
    return mounted_as(fd, "ext4") && lacks_journal(fd) ? "ext4 without a journal" : NULL;
}

static const char *bad_file_system(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0)
        return NULL;
    switch ((unsigned)fs.f_type) {
    case NFS_SUPER_MAGIC: return "NFS";
    case SMB_SUPER_MAGIC: case 0xFF534D42u: case 0xFE534D42u: return "SMB";
    case FUSE_SUPER_MAGIC: return "FUSE";
    case MSDOS_SUPER_MAGIC: case 0x2011BAB0u: return "FAT";
    case EXT2_SUPER_MAGIC: return bad_ext(fd);
    default: return NULL;
    }
}

int spool_check(const struct spool *s, bool anyway, struct problems *ps)
{
    const char *name = bad_file_system(s->top);
    if (name == NULL)
        return OK;
    problem_add(ps, &(struct problem){ .severity = anyway ? PROBLEM_WARNING : PROBLEM_ERROR, .code = "SPOOL_FS",
        .place = { .file = s->path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "the site lies on %s, where a rename is not safe against a power cut", name),
        .hint = SLICE("keep the site with its inboxes and outboxes on a local ext4 or XFS file system") });
    return anyway ? WARN : STOP;
}

/* One mount: two bind mounts of one file system have one device, yet renames between them fail. */
static bool same_mount(int a, int b)
{
    struct statx x, y;
    if (statx(a, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &x) != 0 ||
        statx(b, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &y) != 0)
        return false;
    if (x.stx_dev_major != y.stx_dev_major || x.stx_dev_minor != y.stx_dev_minor)
        return false;
    return !(x.stx_mask & y.stx_mask & STATX_MNT_ID) || x.stx_mnt_id == y.stx_mnt_id;
}

bool spool_renames(const struct spool *s, int folder)
{
    return same_mount(folder, s->claim);
}

int spool_reaches(const struct spool *s, const char *folder, struct problems *ps)
{
    int fd = openat(s->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(ps, folder, "cannot open the folder", errno);
    bool same = spool_renames(s, fd);
    close(fd);
    if (same)
        return OK;
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SPOOL_OTHER_FS",
        .place = { .file = folder, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena,
                             "the folder is on another file system or mount than %s/.waybill, so files cannot be renamed between them",
                             s->path),
        .hint = SLICE("keep inboxes, outboxes, archive, error and .waybill under one mount point") });
    return STOP;
}

int spool_whole(const struct spool *s, struct problems *ps)
{
    static const char *const names[] = { "archive", "error", "tmp", "work" };
    char path[SPOOL_PATH + 16];
    int all = OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool inside = i >= 2;
        char below[SPOOL_PATH];
        spool_path(s, names[i], "", below);
        snprintf(path, sizeof path, "%s%s", inside ? ".waybill/" : "", inside ? below : names[i]);
        int rc = faccessat(s->root, path, F_OK, 0) == 0 ? spool_reaches(s, path, ps) : OK;
        if (rc > all)
            all = rc;
    }
    return all;
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

static int remove_in(int dirfd, const char *name, int levels, struct problems *ps)
{
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : problem_system(ps, name, "cannot open the folder", errno);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return problem_system(ps, name, "cannot open the folder", errno);
    }
    int rc = OK, err;
    for (struct dirent *e; rc == OK && (e = file_entry(dir, &err)) != NULL;) {
        if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        err = errno;
        if ((err == EISDIR || err == EPERM) && levels > 0)
            rc = remove_in(fd, e->d_name, levels - 1, ps);
        else
            rc = problem_system(ps, e->d_name, "cannot remove", err);
    }
    closedir(dir);
    if (rc == OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = problem_system(ps, name, "cannot remove the folder", errno);
    return rc;
}

int spool_remove(int dirfd, const char *name, struct problems *ps)
{
    return remove_in(dirfd, name, 2, ps);
}
