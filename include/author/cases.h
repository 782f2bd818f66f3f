/*
 * cases - the examples beside a mapping: NAME.test/CASE/, run by `waybill test`
 *
 * A case is a folder beside NAME.map in NAME.test/:
 *     in.EXT          what is read
 *     want.EXT        what must come out, byte for byte
 *     original.EXT    with it the case is an update: in.EXT is the answer, want.EXT the changed original
 *     back.EXT        what in.EXT becomes by rows against the arrow of a one-way mapping
 *     in-NAME.EXT, want-NAME.EXT    the companion files of `group … file NAME`
 *     want.problems   what must be said, one line each: `3 error NO_ID Product without Id`; else nothing may be said
 *     case.conf       params, tables, direction (flow/bind.h)
 * At least one of want.EXT and want.problems is there.
 *
 * A mutant is the mapping without one row, table row or require; it is killed when it no longer loads or a case fails.
 *
 * Owner:   the caller's arena; `log` is the caller's to release.
 * Errors:  OK, SKIP when a case failed or a mutant lived, STOP when a mapping does not load.
 */
#ifndef WAYBILL_AUTHOR_CASES_H
#define WAYBILL_AUTHOR_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limit.h"
#include "base/map.h"
#include "mapping/mapping.h"

struct cases {
    struct arena *arena;
    const struct mapping_env *env;
    const struct limits *limits;
    bool update;                    /* write what comes out as what is wanted */
    bool mutants;
    struct buf log;                 /* ok …, not ok …, coverage, mutants */
    uint64_t passed, failed;
    uint64_t mutants_made, mutants_killed;
    uint64_t rows, rows_run;        /* statements, and those that ran in at least one case */
    struct map shared;              /* "file:line" → struct shared_mutant: of files that several mappings include */
};

void cases_init(struct cases *c, struct arena *a, const struct mapping_env *env, const struct limits *limits);

/* All cases of one mapping; one without NAME.test is said and counts as failed only when `named`.  A file that others
   include is passed over. */
int cases_run(struct cases *c, const char *map_path, bool named, struct problems *ps);
/* After the last mapping: counts the mutants of included files. */
int cases_end(struct cases *c);

#endif
