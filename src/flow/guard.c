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

static bool of_group(const char *path, gid_t group, mode_t bit)
{
    struct stat st;
    return path && stat(path, &st) == 0 && st.st_gid == group && st.st_mode & bit;
}

/* Whether members of the group are partners: they may write into an inbox, or read an outbox, which the group of the
   site itself may for other reasons. */
static bool partners(const struct site *site, gid_t own, gid_t group)
{
    for (size_t i = 0; i < site->nflows; i++)
        for (size_t k = 0; k < site->flows[i]->noperations; k++) {
            const struct operation *op = site->flows[i]->operations[k];
            if (op->take.kind == TAKE_INBOX && of_group(op->take.path, group, S_IWGRP))
                return true;
            for (size_t g = 0; g < op->ngives && group != own; g++)
                if (op->gives[g]->kind == GIVE_OUTBOX && of_group(op->gives[g]->path, group, S_IRGRP))
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
        if (st.st_mode & S_IRWXG && partners(site, top.st_gid, st.st_gid))
            say(ps, path, st.st_mode, "the group that writes into an inbox or reads an outbox", "g-rwx");
    }
}
