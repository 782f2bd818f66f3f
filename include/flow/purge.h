/*
 * purge - what is kept no longer goes
 *
 *     struct purge p;
 *     purge_begin(&p, &places, &terms);                keep archive, keep log, keep error of site.conf
 *     while ((rc = purge_step(&p, problems)) == OK) {}         END = done; each step is short
 *     purge_end(&p);                                           also when it is given up before
 *
 * The archive goes by whole days: a day of batches whose zips are all older than `keep archive` is one rename.  Lines
 * beside the zips go after `keep log`; they stay in the zips.  A batch in error/ goes after `keep error`; without that
 * never: it is a person's to look at.  Kept mappings, formats and tables that no batch in work, error or the archive
 * names go as well (sweep.h).  What must outlive a purge does: what was seen, sequences, ledgers, and the ids of the
 * purged batches.
 *
 * Units:   milliseconds, -1 = for ever; ages by calendar days.
 * Errors:  OK (more is to be done), END (done), SKIP (another purge works on this site), TEMP.
 * Source:  RELIABILITY.md 2.9, DESIGN.md section 6.
 */
#ifndef WAYBILL_FLOW_PURGE_H
#define WAYBILL_FLOW_PURGE_H

#include "batch/batch.h"
#include "flow/site.h"

struct purge_terms {
    int64_t archive, log, error;
    bool weekly;                    /* versions are looked for once a week only */
    bool dry;                       /* only count and tell what would go */
    void (*tell)(void *owner, const char *path);        /* each folder or file that goes; may be NULL */
    void *owner;
};

struct purge_counts {
    uint64_t days, batches, lines, errors, versions, bytes;
};

enum purge_stage { PURGE_TRASH, PURGE_ARCHIVE, PURGE_LOGS, PURGE_ERRORS, PURGE_VERSIONS, PURGE_REST, PURGE_DONE };

struct purge {
    const struct batch_site *places;
    struct purge_terms terms;
    struct purge_counts counts;
    enum purge_stage stage;
    int64_t today;                  /* days since 1970 */
    int64_t day;                    /* of the archive, looked at next */
    struct sweep *sweep;            /* under way */
};

void purge_begin(struct purge *p, const struct batch_site *places, const struct purge_terms *terms);
int purge_step(struct purge *p, struct problems *ps);
void purge_end(struct purge *p);

#endif
