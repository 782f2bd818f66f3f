#include "cmd/places.h"

#include "base/file.h"

int places_open(struct places *p, struct cmd *c, const char *dir)
{
    *p = (struct places){ .spool.path = NULL };
    if (!file_exists(file_join(c->arena, dir, "site.conf"))) {
        problem_addf(c->problems, PROBLEM_ERROR, "SYS_MISSING",
                     (struct place){ .file = dir, .offset = PLACE_NO_OFFSET },
                     "this is no site: there is no site.conf in it");
        return STOP;
    }
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
