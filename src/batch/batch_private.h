/*
 * batch_private - shared by the files of layer batch
 */
#ifndef WAYBILL_BATCH_BATCH_PRIVATE_H
#define WAYBILL_BATCH_BATCH_PRIVATE_H

#include "batch/batch.h"

/* Seconds of an RFC 3339 stamp; false when it is none. */
bool batch_seconds(struct slice stamp, int64_t *out);
/* The RFC 3339 stamp of a time. */
struct slice batch_stamp_at(const struct batch_site *s, struct arena *a, int64_t now);
/* Checks the move, sets the place, clears retry and waits, adds the event. BATCH_MOVE (STOP) changes nothing. */
int batch_move(struct batch *b, enum batch_place to, const char *detail, struct problems *ps);
/* Whether steps sync by themselves. */
bool batch_syncs(const struct batch *b);
/* Makes a batch around a waybill; `dir` becomes its own. */
struct batch *batch_make(const struct batch_site *s, struct arena *a, struct waybill *w, const char *id, int dir);
/* A batch became delivered: the stage of its own is current; whether anything remains to be done (waits = "rest"). */
bool batch_settled(struct batch *b);
/* Whether this run made a stage, or anything for other batches. */
bool batch_has_files(const struct batch *b);
/* Whether an output of this run may be visible. */
bool batch_visible(const struct batch *b);
/* Drops outputs and files (but lines) of a run that is given up. */
void batch_forget(struct batch *b);
/* Removes what is staged in its folder and not listed (any more). */
void batch_sweep(const struct batch *b);
/* Whether a file of the batch has the hash of the waybill: STOP with BATCH_DAMAGED. */
int batch_check_file(const struct batch *b, const struct waybill_file *f, struct problems *ps);
struct batch_bundle;
/* Which of the waybill's files lie beside the zip. */
void bundle_lines(struct arena *a, const struct waybill *w, struct batch_bundle *b);
/* The waybill of a good zip. */
int bundle_waybill(const struct store *s, const char *id, struct arena *a, struct slice *out, struct problems *ps);
/* Puts the waybill and the lines beside the zip, over what is there. */
int bundle_beside(const struct store *s, const struct batch_bundle *b, struct slice waybill, struct problems *ps);
/* Removes work/<id> of an archived batch, its waybill last. */
int batch_remove(const struct spool *s, const char *id, struct problems *ps);
/* The same for one found after a crash: first puts the waybill and the lines beside the zip. */
int batch_leave_archived(const struct batch_site *s, const char *id, struct problems *ps);
/* One more output under the name of an earlier one. */
int batch_output_again(struct batch *b, const struct waybill_output *of, unsigned *n_out, int *fd_out,
                       struct problems *ps);
/* Whether a folder, or a file in one, is there. */
bool batch_there(int dirfd, const char *path);
/* The same, where that is for sure: OK, END, TEMP. */
int batch_look(int dirfd, const char *path, struct problems *ps);

#endif
