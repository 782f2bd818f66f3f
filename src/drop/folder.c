#include "drop/folder.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path of site.conf or of our own, for a message. */
static const char *shown(struct arena *a, const char *path)
{
    struct buf b = { 0 };
    buf_add_shown(&b, slice_of(path), 300);
    const char *text = arena_cstr(a, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* What the part of the path is, when it is in the way. */
static const char *in_the_way(int root, const char *part, struct arena *a)
{
    char target[PATH_MAX];
    struct stat st, of;
    if (fstatat(root, part, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode))
        return NULL;
    if (!S_ISLNK(st.st_mode))
        return S_ISREG(st.st_mode) ? "a file" : "no folder";
    if (fstatat(root, part, &of, 0) == 0)
        return S_ISDIR(of.st_mode) ? NULL : "a link to a file";
    ssize_t n = readlinkat(root, part, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    return arena_printf(a, "a link to %s, which cannot be reached", shown(a, target)).p;
}

static void tell(const char *path, const char *part, const char *is, const char *what, const char *setting,
                struct problems *ps)
{
    bool link = strncmp(is, "a link", 6) == 0;
    const char *name = shown(ps->arena, part);
    struct slice text = arena_printf(ps->arena, "%s cannot be used: %s is %s", what, name, is);
    struct slice hint = arena_printf(ps->arena, "%s, or name another folder in `%s`",
                                     link ? "make the folder that the link names, or remove the link"
                                          : arena_printf(ps->arena, "move %s away", name).p, setting);
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SYS_MISSING", .text = text, .hint = hint,
                                       .place = { .file = path, .offset = PLACE_NO_OFFSET } });
}

bool folder_in_the_way(int root, const char *path, const char *what, const char *setting, struct problems *ps)
{
    char *part = arena_cstr(ps->arena, slice_of(path));
    for (char *end = part + (*part == '/'); *part; end++) {
        char c = *end;
        if (c != '/' && c != '\0')
            continue;
        *end = '\0';
        const char *is = in_the_way(root, part, ps->arena);
        if (is)
            return tell(path, part, is, what, setting, ps), true;
        *end = c;
        if (c == '\0')
            break;
    }
    return false;
}

int folder_problem(int root, const char *path, const char *what, const char *setting, int err, struct problems *ps)
{
    if (folder_in_the_way(root, path, what, setting, ps))
        return TEMP;
    return problem_system(ps, path, arena_printf(ps->arena, "%s cannot be opened", what).p, err);
}
