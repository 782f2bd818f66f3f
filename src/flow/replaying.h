/*
 * replaying - what the files of a replay share (private to flow)
 *
 *     replay.c         which runs of a batch there are, and what each was done with
 *     replay_output.c  what comes out, compared with what the waybill says
 */
#ifndef WAYBILL_FLOW_REPLAYING_H
#define WAYBILL_FLOW_REPLAYING_H

#include "flow/operation.h"
#include "flow/replay.h"

struct replaying {
    const struct replay_terms *terms;
    struct arena *arena;
    const struct waybill *w;        /* of the batch as it is now */
    struct waybill then;            /* as it was for the run at hand: fewer outputs and files count */
    struct replay_run *run;
    const char *folder;             /* of the run's outputs */
    const char *scratch;            /* a folder for what is needed only now; NULL = none was made */
    const struct operation *op;
    size_t files;                   /* outputs for an outbox so far */
    struct replay_output **last;
};

/* The port that keeps outputs in r->folder. */
struct port replay_port(struct replaying *r);
/* What the waybill has and did not come again; whether all is the same. */
void replay_compare(struct replaying *r);

#endif
