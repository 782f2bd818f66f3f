/*
 * places - the batches of a site, for reading only: what status and show look at (private to cmd)
 */
#ifndef WAYBILL_CMD_PLACES_H
#define WAYBILL_CMD_PLACES_H

#include "batch/batch.h"
#include "cmd/cmd.h"

struct places {
    struct spool spool;
    struct store store;
    struct batch_site site;
};

int places_open(struct places *p, struct cmd *c, const char *dir);
void places_close(struct places *p);

#endif
