/*
 * care - what surrounds a site at work: the service manager, metrics, notices, answers, disk, purge (private to flow)
 *
 *     rc = care_open(s)                               the site is ours, nothing has begun
 *     care_ready(s)                                   what lay there from before is taken up
 *     care_turn(s, now, &wait)                        at the end of each round: does what is due, shortens the wait
 *     care_event(s, "archived", trip)                 from notice(): counts, tells who wants to know
 *     care_close(s, rc)
 *
 * Nothing here may hold a flow up: what cannot be told, written or purged is told and tried again later.
 *
 * Units:   now and wait in monotonic milliseconds.
 * Limits:  100 notices wait, 4 programs run at a time, each at most 30 s.
 */
#ifndef WAYBILL_FLOW_CARE_H
#define WAYBILL_FLOW_CARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct supervisor;
struct trip;
struct care;
struct waybill;

int care_open(struct supervisor *s);
void care_ready(struct supervisor *s);
/* A new site.conf is being read. */
void care_reloading(struct supervisor *s);
/* It is in force: its folders are looked at as they are at a start. */
void care_reloaded(struct supervisor *s);
void care_turn(struct supervisor *s, int64_t now, int64_t *wait);
void care_event(struct supervisor *s, const char *event, const struct trip *t);
/* The file (code NULL: some messages of it) is about to be refused: what its sender is answered is made ready. TEMP: it
   could not be written, the refusal must wait. */
int care_refused(struct supervisor *s, const struct trip *t, const char *code, struct slice text);
/* One that was refused as it came is about to be set aside; it was, by a recovery that tells nobody else. */
void care_refusing(struct supervisor *s, const struct waybill *w);
void care_set_aside(struct supervisor *s, const struct waybill *w);
/* A batch that was archived before a crash has left work/ now. */
void care_left(struct supervisor *s, const char *batch);
/* Some write was answered with "disk full". */
void care_full(struct supervisor *s);
/* Whether there is room for a file of that size; false = it stays in the inbox for now, and has been told. */
bool care_room(struct supervisor *s, uint64_t size);
void care_close(struct supervisor *s, int rc);

#endif
