#include "author/mutate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

static bool is_language_file(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".map") == 0 || strcmp(dot, ".format") == 0 || strcmp(dot, ".csv") == 0);
}

static int write_file(const char *path, struct slice text, struct problems *ps)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = fd < 0 ? errno : file_write_all(fd, text);
    if (fd >= 0 && close(fd) != 0 && !err)
        err = errno;
    return err ? problem_system(ps, path, "cannot be written", err) : OK;
}

/* Copies (or, with from NULL, removes) the language files of a folder. */
static int each_file(struct arena *a, const char *from, const char *to, struct problems *ps)
{
    const char *listed = from ? from : to;
    DIR *d = opendir(listed);
    if (!d)
        return problem_system(ps, listed, "the folder cannot be listed", errno);
    int rc = OK;
    for (struct dirent *e; rc == OK && (e = readdir(d));) {
        const char *target = file_join(a, to, e->d_name);
        struct slice text;
        if (!from && e->d_name[0] != '.')
            unlink(target);
        else if (from && is_language_file(e->d_name)) {
            rc = file_read(a, file_join(a, from, e->d_name), 0, &text, ps);
            rc = rc <= WARN ? write_file(target, text, ps) : rc;
        }
    }
    closedir(d);
    return rc;
}

/* The text with lines first … last blank. */
static struct slice without_lines(struct arena *a, struct slice text, uint32_t first, uint32_t last)
{
    struct slice out = arena_copy(a, text);
    uint32_t line = 1;
    for (size_t i = 0; i < out.n; i++) {
        if (out.p[i] == '\n')
            line++;
        else if (line >= first && line <= last)
            ((char *)(uintptr_t)out.p)[i] = ' ';
    }
    return out;
}

static bool lives(struct mutation *x, const char *map, struct arena *a)
{
    struct problems quiet;
    problems_init(&quiet, a, 4);
    struct mapping *m;
    if (mapping_load(a, x->env, slice_of(map), NULL, &m, &quiet) > WARN)
        return false;
    return !x->kills(x->owner, m);
}

void mutate_tell(struct buf *log, const struct mutant *one)
{
    buf_printf(log, "not ok %s:%u lives: without it no case fails: ", file_base(one->file), one->first_line);
    buf_add_shown(log, one->text, 100);
    buf_byte(log, '\n');
}

static void settle(struct mutation *x, const struct mutant *one, bool killed)
{
    if (strcmp(one->file, x->mapping->file) != 0) {
        x->shared(x->owner, one, killed);
        return;
    }
    x->made++;
    x->killed += killed;
    if (!killed)
        mutate_tell(x->log, one);
}

static int try_one(struct mutation *x, const struct mutant *one, const char *dir, struct problems *ps)
{
    struct arena a;
    arena_init(&a, 0);
    struct slice text;
    const char *file = file_join(&a, dir, file_base(one->file)), *map = file_join(&a, dir, file_base(x->mapping->file));
    int rc = file_read(&a, file, 0, &text, ps);
    if (rc <= WARN)
        rc = write_file(file, without_lines(&a, text, one->first_line, one->last_line), ps);
    if (rc <= WARN) {
        settle(x, one, !lives(x, map, &a));
        rc = write_file(file, text, ps);
    }
    arena_release(&a);
    return rc;
}

int mutate_run(struct mutation *x, struct problems *ps)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_cstr(x->arena, arena_printf(x->arena, "%s/waybill-mutants-XXXXXX", tmp ? tmp : "/tmp"));
    if (!mkdtemp(dir))
        return problem_system(ps, dir, "a temporary folder cannot be made", errno);
    const char *home = arena_cstr(x->arena, file_dir(x->arena, x->mapping->file));
    struct mutant *list;
    size_t n = mapping_mutants(x->arena, x->mapping, &list);
    int rc = each_file(x->arena, home, dir, ps);
    for (size_t i = 0; i < n && rc <= WARN; i++)
        rc = try_one(x, &list[i], dir, ps);
    each_file(x->arena, NULL, dir, ps);
    rmdir(dir);
    return rc;
}
