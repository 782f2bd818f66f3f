#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char *const folders[] = {
    ".waybill", ".waybill/seen", ".waybill/sequences", ".waybill/ledger", "archive", "archive/config",
};

static int make_folders(const struct store *s, struct problems *ps)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (mkdirat(s->root, folders[i], 0700) != 0 && errno != EEXIST)
            return problem_system(ps, folders[i], "cannot make the folder", errno);
    }
    return OK;
}

int store_open(struct store *s, struct arena *a, const char *site, bool durable, struct problems *ps)
{
    *s = (struct store){ .path = arena_cstr(a, slice_of(site)), .root = -1, .top = -1, .durable = durable };
    int rc = TEMP;
    s->root = open(site, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0) {
        rc = problem_system(ps, s->path, "cannot open the site", errno);
        goto out;
    }
    rc = make_folders(s, ps);
    if (rc != OK)
        goto out;
    s->top = openat(s->root, ".waybill", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (s->top < 0)
        rc = problem_system(ps, ".waybill", "cannot open the folder", errno);
    else
        rc = store_sync(s, ps);
out:
    if (rc != OK)
        store_close(s);
    return rc;
}

void store_close(struct store *s)
{
    if (s->top >= 0)
        close(s->top);
    if (s->root >= 0)
        close(s->root);
    s->top = s->root = -1;
}

void store_fence(struct store *s, const char *folder)
{
    snprintf(s->fence, sizeof s->fence, "%s%s", folder, *folder ? "/" : "");
}

int store_sync(const struct store *s, struct problems *ps)
{
    if (s->durable && syncfs(s->root) != 0)
        return problem_system(ps, s->path, "cannot write to disk", errno);
    return OK;
}
