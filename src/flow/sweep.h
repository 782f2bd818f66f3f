/*
 * sweep - kept versions of mappings, formats, site.conf and tables that no batch names any more go (private to flow)
 *
 *     struct sweep *s = sweep_new(purge);
 *     while ((rc = sweep_step(s, purge, problems)) == OK) {}        END = done; each step is short
 *     sweep_free(s);
 *
 * What lies in archive/config/ for three days is looked for in the waybills of work/, then of error/, then of the
 * archive: a batch only moves in this direction.  A manifest keeps what it names, a run of a staged batch what it was
 * done with.  What is put there again is young again (config_put), a watcher does that every day with what it works
 * with.  While one waybill, manifest or folder of the archive cannot be read, nothing goes;
 * a manifest that is missing or damaged names nothing.
 *
 * Errors:  OK, END, TEMP with SYS_…; the note PURGE_UNSURE, and END, when a waybill is damaged or missing,
 *          or a manifest or a folder of the archive cannot be read now.
 * Limits:  200,000 versions per sweep; the rest goes with the next.
 */
#ifndef WAYBILL_FLOW_SWEEP_H
#define WAYBILL_FLOW_SWEEP_H

#include "flow/purge.h"

struct sweep;

struct sweep *sweep_new(const struct purge *p);
void sweep_free(struct sweep *s);
int sweep_step(struct sweep *s, struct purge *p, struct problems *ps);
/* Whether there was anything that could go, so that waybills were read. */
bool sweep_looked(const struct sweep *s);

/* The first day of the archive that is not before `from`, -1 = none; where it lies.  A folder on the way that could
   not be read, "" = none, is put into `unread`, which may be NULL: nobody knows which days are in it. */
#define PURGE_PATH 400
int64_t purge_next_day(const struct purge *p, int64_t from, char unread[PURGE_PATH]);
void purge_day_path(int64_t day, char out[PURGE_PATH]);
void purge_tell(const struct purge *p, const char *path);

#endif
