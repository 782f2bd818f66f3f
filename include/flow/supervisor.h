/*
 * supervisor - carries a site's files through its flows: once (`run`), for ever (`watch`) or one operation (`do`)
 *
 *     struct supervisor_options o = { .workers = 2, .durable = true };
 *     rc = supervisor_run(site, &o, &report, problems);
 *
 * The supervisor owns every rename, every fsync, the ledger and the waybills, and never looks into a document;
 * long-lived worker processes parse, map and write through descriptors that they are given.  A worker is started when
 * there is work for it, so a small site pays for one.  A worker's death counts one attempt for its batch.
 *
 * Signals: TERM and INT finish the step at hand within 5 s and end; HUP reads site.conf anew and keeps the old site
 *          when the new one is wrong.
 * Errors:  OK; STOP (another supervisor works on this site: SITE_BUSY); TEMP (the environment).
 * Source:  DESIGN.md section 2, RELIABILITY.md part 2.
 */
#ifndef WAYBILL_FLOW_SUPERVISOR_H
#define WAYBILL_FLOW_SUPERVISOR_H

#include "flow/site.h"

struct supervisor_options {
    bool watch;                     /* for ever */
    bool standby;                   /* while another one works on the site: wait for its end, then take over */
    unsigned workers;               /* 0 = one per core */
    bool durable;                   /* false: no fsync, for tests */
    bool quiet;                     /* no log lines but problems */
    int events;                     /* descriptor that tells of changed files as `inotifywait` does (drop/watch.h);
                                       -1 = inotify */
    bool asked;                     /* recovery and what was asked for (batch/request.h), then the end */
    struct clock clock;
    /* Reads the site again after SIGHUP; the new site lives in the arena given. */
    int (*reload)(void *owner, struct arena *a, struct site **out, struct problems *ps);
    /* How far the work on a file is; called some times a second while it lasts.  May be NULL. */
    void (*progress)(void *owner, struct slice file, uint64_t done, uint64_t total);
    void *owner;
};

struct supervisor_report {
    uint64_t batches, delivered, rejected, waiting; /* files */
    uint64_t messages, refused;
    uint64_t temporary;             /* batches that stay in work/ for another try */
};

int supervisor_run(struct site *site, const struct supervisor_options *o, struct supervisor_report *out,
                   struct problems *ps);

#endif
