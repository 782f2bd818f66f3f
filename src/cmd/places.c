#include "cmd/places.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"

/* That there is none is said of what can be looked into alone. */
static int no_site(struct cmd *c, const char *dir, int err)
{
    if (err != ENOENT && err != ENOTDIR)
        return problem_system(c->problems, dir, "cannot look into the folder", err);
    problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SYS_MISSING",
        .place = { .file = dir, .offset = PLACE_NO_OFFSET },
        .text = SLICE("this is no site: there is no site.conf in it"),
        .hint = SLICE("name the folder of a site, or make one: `waybill init DIR`") });
    return STOP;
}

int places_open(struct places *p, struct cmd *c, const char *dir)
{
    *p = (struct places){ .spool.path = NULL };
    struct stat st;
    c->site = dir;
    if (stat(file_join(c->arena, dir, "site.conf"), &st) != 0)
        return no_site(c, dir, errno);
    int rc = spool_open(&p->spool, c->arena, dir, false, c->problems);
    if (rc <= WARN)
        rc = store_open(&p->store, c->arena, dir, false, c->problems);
    p->site = (struct batch_site){ .spool = &p->spool, .store = &p->store, .clock = &c->clock };
    return rc;
}

void places_close(struct places *p)
{
    if (p->store.path)
        store_close(&p->store);
    if (p->spool.path)
        spool_close(&p->spool);
}
