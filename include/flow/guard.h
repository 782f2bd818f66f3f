/*
 * guard - whether a partner could look into what is not his
 *
 *     site_guard(site, problems);                     errors SITE_OPEN, each with what to type
 *
 * Only of a site that has worked before (it has .waybill): .waybill, archive, error and tables must not be open to
 * others, nor to a group whose members may write into an inbox.
 *
 * Source:  RELIABILITY.md 4.8.
 */
#ifndef WAYBILL_FLOW_GUARD_H
#define WAYBILL_FLOW_GUARD_H

#include "flow/site.h"

void site_guard(const struct site *site, struct problems *ps);

#endif
