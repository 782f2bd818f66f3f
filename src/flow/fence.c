#include "flow/fence.h"

#include "store/ledger.h"

int site_fence(struct store *store, const struct spool *spool, const struct lease *lease, struct problems *ps)
{
    char folder[SPOOL_PATH];
    if (!lease->shared)
        return OK;
    spool_path(spool, "tmp", "", folder);
    store_fence(store, folder);
    return lease->silent ? ledger_renew(store, ps) : OK;
}
