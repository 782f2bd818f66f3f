#include "flow/guard.h"

#include <sys/stat.h>

#include "base/file.h"

static void say(struct problems *ps, const char *path, unsigned mode, const char *who, const char *bits)
{
    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SITE_OPEN",
        .place = { .file = path, .offset = PLACE_NO_OFFSET },
        .text = arena_printf(ps->arena, "%s can look into this folder (mode %04o)", who, mode & 07777),
        .hint = arena_printf(ps->arena, "chmod %s %s", bits, path) });
}

/* Whether members of the group may write into an inbox: then they are partners. */
static bool partners(const struct site *site, gid_t group)
{
    for (size_t i = 0; i < site->nflows; i++)
        for (size_t k = 0; k < site->flows[i]->noperations; k++) {
            const struct take *t = &site->flows[i]->operations[k]->take;
            struct stat st;
            if (t->kind == TAKE_INBOX && stat(t->path, &st) == 0 && st.st_gid == group && st.st_mode & S_IWGRP)
                return true;
        }
    return false;
}

void site_guard(const struct site *site, struct problems *ps)
{
    static const char *const own[] = { ".waybill", "archive", "error", "tables" };
    struct stat top, st;
    if (stat(site->dir, &top) != 0 || stat(file_join(ps->arena, site->dir, own[0]), &st) != 0)
        return;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const char *path = file_join(ps->arena, site->dir, own[i]);
        if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            continue;
        if (st.st_mode & S_IRWXO && top.st_mode & S_IXOTH)      /* nobody gets past a closed site */
            say(ps, path, st.st_mode, "everybody", "o-rwx");
        if (st.st_mode & S_IRWXG && partners(site, st.st_gid))
            say(ps, path, st.st_mode, "the group that writes into an inbox", "g-rwx");
    }
}
