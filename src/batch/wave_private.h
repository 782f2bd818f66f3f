/*
 * wave_private - what output.c, finish.c and batch.c need of a wave
 */
#ifndef WAYBILL_BATCH_WAVE_PRIVATE_H
#define WAYBILL_BATCH_WAVE_PRIVATE_H

#include "batch/batch_private.h"
#include "batch/wave.h"

enum { WAVE_OUTPUTS_BITS = 16 };    /* BATCH_OUTPUTS_MAX fits */

/* Where output n of a batch is staged, as outbox.h counts: the folder in work/ and the number there. */
const char *batch_stage_of(const struct batch *b, unsigned n, unsigned *number_out);
/* Removes a staged output. 0 or errno; a missing one is fine. */
int batch_unstage(const struct batch *b, unsigned n);
/* Whether the id may be one of the wave: they follow each other. */
bool batch_wave_covers(const char *wave, const char *id);
enum { WAVE_INPUT_HELD = 16 * 1024 };   /* bytes of an input that stays in memory as long as its batch is afloat */

/* The input, from memory or from the log. */
int wave_input(const struct batch *b, struct slice *out, struct problems *ps);
/* A record for a batch of a wave that is being made: its waybill as it is, its bytes. */
int wave_add(struct batch_wave *w, struct batch *b, struct slice bytes, struct problems *ps);
/* Place written, or delivered: into the log; sure with batch_wave_write. */
int wave_log_written(struct batch *b, struct problems *ps);
/* The batch needs its wave no more: `ended` = nor its folder. */
void wave_detach(struct batch *b, bool ended, struct problems *ps);

#endif
