/*
 * mutate - a mapping without one of its statements, for judging its cases
 *
 * The folder of the mapping is copied to a temporary one; there one statement after the other is blanked out (line
 * numbers stay), the mapping loaded again and shown to `kills`.  A statement of a file that the mapping includes is
 * shared: some mapping that includes it has to notice, so the verdict goes to `shared` and is not counted here.
 *
 * Errors:  OK; TEMP when the copy cannot be made.
 */
#ifndef WAYBILL_AUTHOR_MUTATE_H
#define WAYBILL_AUTHOR_MUTATE_H

#include "base/buf.h"
#include "mapping/mapping.h"

struct mutation {
    struct arena *arena;
    const struct mapping_env *env;
    const struct mapping *mapping;
    bool (*kills)(void *owner, const struct mapping *m);
    void (*shared)(void *owner, const struct mutant *one, bool killed);
    void *owner;
    struct buf *log;                /* the ones that lived */
    uint64_t made, killed;
};

int mutate_run(struct mutation *x, struct problems *ps);
/* The line that tells of a mutant that lived. */
void mutate_tell(struct buf *log, const struct mutant *one);

#endif
