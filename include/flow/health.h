/*
 * health - is a site running well, at this moment
 *
 *     struct health_options o = { .late_ms = 600000, .watched = true };
 *     struct health_report r;
 *     rc = health_look(&places, site, &o, &r, problems);          each thing that is wrong is a problem HEALTH_…
 *
 * Looked at: who has the lease; files that lie ready in inboxes and are not taken; batches at work that are tried
 * again, batches in error/ because somebody gave up; inboxes that cannot be read; room on the disk; the clock against
 * that of the file system and against what was written last.
 *
 * Errors:  OK when all could be looked at (the problems tell what is wrong), TEMP when not.
 * Limits:  reads every waybill in work/ and error/; changes nothing but a file that it makes in .waybill/tmp and
 *          removes.
 */
#ifndef WAYBILL_FLOW_HEALTH_H
#define WAYBILL_FLOW_HEALTH_H

#include "batch/batch.h"
#include "flow/site.h"

struct health_options {
    int64_t late_ms;                /* a ready file that lies so long, or a retry that lasts so long, is wrong */
    uint64_t errors;                /* more batches in error/ than this are wrong; UINT64_MAX = any number is fine */
    bool watched;                   /* a watcher should be running */
};

struct health_report {
    long process;                   /* who has the lease; 0 = nobody, or one that is not heard of any more */
    bool down;                      /* nobody watches, and somebody should */
    uint64_t work, error, retrying, gave_up;        /* batches */
    uint64_t ready;                 /* files in inboxes that are on, under names that are no temporary ones */
    int64_t oldest;                 /* seconds since the oldest of them was changed; -1 = none */
    uint64_t free_bytes, reserve;
};

int health_look(const struct batch_site *places, const struct site *site, const struct health_options *o,
                struct health_report *out, struct problems *ps);

#endif
