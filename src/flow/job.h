/*
 * job - what a worker is told of a batch, as far as its waybill alone says it (private to flow)
 */
#ifndef WAYBILL_FLOW_JOB_H
#define WAYBILL_FLOW_JOB_H

#include "batch/waybill.h"
#include "flow/operation.h"

/* Numbers, params, selection, corrections, how many outputs there were before: of the run at hand. */
void job_from(struct job *j, struct arena *a, const struct waybill *w);

#endif
