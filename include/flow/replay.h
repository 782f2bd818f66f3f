/*
 * replay - an old batch done again: the same bytes?
 *
 *     struct replay_terms t = { .places = &places, .dir = "shop", .batch = id, .folder = NULL };
 *     rc = replay_batch(&t, arena, &runs, problems);
 *     for (r = runs; r; r = r->next)  r->why: it could not be done; else r->same, r->outputs
 *
 * The input (or the staged document) of each run goes through the worker's code with the mappings, site.conf, params,
 * numbers, batch time and tables that the waybill names, the ledgers as they were.  Nothing is delivered, nothing of
 * the site changes; what comes out is compared by SHA-256 with what the waybill says.
 *
 * Owner:   the runs live in the arena.
 * Errors:  OK; END (there is no such batch); STOP (its waybill is damaged); TEMP with SYS_….
 * Source:  DESIGN.md section 6.
 */
#ifndef WAYBILL_FLOW_REPLAY_H
#define WAYBILL_FLOW_REPLAY_H

#include "batch/batch.h"
#include "flow/site.h"

struct replay_terms {
    const struct batch_site *places;
    const char *dir;                /* the site's folder */
    const char *const *roots;       /* as site_env */
    const char *batch;
    const char *folder;             /* where the outputs go; NULL = they are only compared */
};

struct replay_output {
    const char *kind;               /* "output", "stage", "lines", "rejects" */
    struct slice name;              /* "outbox/erp/orders.csv", "stage.2" */
    char was[SHA256_HEX];           /* by the waybill; "" = it knows no such */
    char is[SHA256_HEX];            /* now; "" = nothing came */
    bool same;
    const void *opened;             /* private to the replay */
    struct replay_output *next;
};

struct replay_run {
    uint32_t run;
    struct slice operation, time;
    struct slice why;               /* it could not be done again, because …; n 0 = it was */
    struct slice was_code, code, text;          /* of a refusal; n 0 = none */
    struct replay_output *outputs;
    bool same;                      /* all of them, and the refusal */
    struct replay_run *next;
};

int replay_batch(const struct replay_terms *t, struct arena *a, struct replay_run **out, struct problems *ps);

#endif
