#include "cmd/places.h"

#include "base/file.h"

int places_open(struct places *p, struct cmd *c, const char *dir)
{
    *p = (struct places){ .spool.path = NULL };
    if (!file_exists(file_join(c->arena, dir, "site.conf"))) {
        problem_add(c->problems, &(struct problem){ .severity = PROBLEM_ERROR, .code = "SYS_MISSING",
            .place = { .file = dir, .offset = PLACE_NO_OFFSET },
            .text = SLICE("this is no site: there is no site.conf in it"),
            .hint = SLICE("name the folder of a site, or make one: `waybill init DIR`") });
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
