/*
 * versions - a worker's sites: the one of now, and those with the mappings of earlier times that batches go on with
 * (private to flow)
 *
 *     rc = versions_find(v, config, &site, &tables, problems);
 *
 * An earlier one is the site.conf of now with formats and mappings of archive/config/; flows, operations and gives have
 * the same numbers.  It is loaded at first use and kept as long as there is room.
 *
 * Owner:   the versions; what was found is good until the next call.
 * Errors:  OK; STOP (a file of it is not kept, or site.conf does not go with it); TEMP.
 * Limits:  VERSIONS_MAX earlier ones at a time.
 */
#ifndef WAYBILL_FLOW_VERSIONS_H
#define WAYBILL_FLOW_VERSIONS_H

#include "flow/operation.h"

#define VERSIONS_MAX 4

struct versions;

struct versions *versions_new(const struct site *now);
void versions_free(struct versions *v);
/* `config` n 0: now. */
int versions_find(struct versions *v, struct slice config, const struct site **site, struct table_cache **tables,
                  struct problems *ps);
/* Why an operation of such a site cannot be used; n 0 = it can. */
struct slice versions_unfit(const struct operation *op, const struct problems *ps, struct arena *a);

#endif
