/*
 * waybill_shape - the JSON of those parts of a waybill that requests and answers have too
 */
#ifndef WAYBILL_BATCH_WAYBILL_SHAPE_H
#define WAYBILL_BATCH_WAYBILL_SHAPE_H

#include "batch/shape.h"

extern const struct shape waybill_total_shape;
extern const struct shape waybill_param_shape, waybill_amend_shape, waybill_output_shape, waybill_group_shape;

#endif
