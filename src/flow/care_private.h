/*
 * care_private - the state that the files of care share
 */
#ifndef WAYBILL_FLOW_CARE_PRIVATE_H
#define WAYBILL_FLOW_CARE_PRIVATE_H

#include "flow/care.h"
#include "flow/purge.h"
#include "flow/super.h"

struct care_disk {
    bool full;                      /* some file had to stay in its inbox; that is told */
    bool hit;                       /* a write failed: nothing is claimed */
    bool ballast;                   /* .waybill/reserve is there */
    uint64_t wanted;                /* free bytes with which things go on */
    int64_t due;                    /* next look */
};

struct care {
    struct arena arena;             /* holds this struct */
    bool ready, reloading, stopping;
    int64_t alive, alive_every;     /* WATCHDOG=1; 0 = nobody waits for it */
    struct care_disk disk;
    struct purge purge;
    bool purging;
    int64_t purge_due;              /* of the next one */
};

/* At most so long until the next round. */
void care_wait(int64_t *wait, int64_t now, int64_t due);

/* disk.c */
void disk_open(struct supervisor *s);
void disk_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* daily.c: what is kept no longer goes, once a day. */
void daily_turn(struct supervisor *s, int64_t now, int64_t *wait);

#endif
