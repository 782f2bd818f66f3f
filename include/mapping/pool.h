/*
 * pool - documents in memory that a mapping updates, one message at a time
 *
 * A table of a site, or the document of `convert --original`: its messages are kept by key, and by what `consolidate`
 * matches.  This is the named exception to constant memory.
 *
 *     struct pool *p = pool_new(run, limits->table);
 *     per message that is there:   rc = pool_load(p, message, problems);
 *     per message that comes:      rc = pool_merge(p, source, number, &arena, &outcome, accept, owner, problems);
 *     unless another refuses it:   rc = pool_keep(p, problems);
 *     at the end:                  for (i = 0; i < pool_count(p); i++) writer_write(&w, pool_at(p, i), problems);
 *
 * A message is all or nothing: what its rows write goes into copies, which take the place of the documents in
 * pool_keep, once every `require` held and `accept` agreed.  The next message sees its result.  Documents that nothing
 * writes stay as they are, in their order; new ones come behind them.
 *
 * Owner:   the pool packs what it is given; a node of pool_at lives until the next call.
 * Errors:  pool_load: OK, STOP (LIMIT_TABLE).  pool_merge: OK; SKIP (see the outcome); STOP, TEMP.
 * Limits:  `most` documents.  Memory grows with the documents, time per message with the document it goes into and with
 *          those that equal it in the `match` of consolidate, never with the number of documents.
 * Source:  LANGUAGE.md section 4, consolidate.
 */
#ifndef WAYBILL_MAPPING_POOL_H
#define WAYBILL_MAPPING_POOL_H

#include <stdbool.h>

#include "mapping/mapping.h"

struct pool;

/* Asked for every document that is new or changed, before anything is kept; OK, WARN, or a refusal with a problem. */
typedef int pool_accept(void *owner, struct node *document, struct problems *ps);

/* Says each message pair which document it means: by key rows or by consolidate? */
bool run_aligns(const struct run *r);
/* Does a message pair search by consolidate, going this way? */
bool mapping_consolidates(const struct mapping *m, enum mapping_direction d);

/* Does it give documents when the last message was read: consolidated ones, sorted ones, those of `/.`? */
bool mapping_gives_at_end(const struct mapping *m, enum mapping_direction d);

struct pool *pool_new(struct run *r, uint64_t most);
int pool_load(struct pool *p, const struct node *message, struct problems *ps);
int pool_merge(struct pool *p, struct node *source, uint64_t number, struct arena *a, struct outcome *outcome,
               pool_accept *accept, void *owner, struct problems *ps);
/* While the arena of that message stands; OK, STOP (LIMIT_TABLE). */
int pool_keep(struct pool *p, struct problems *ps);
size_t pool_count(const struct pool *p);
struct node *pool_at(struct pool *p, size_t i);
/* Since the last pool_load. */
bool pool_changed(const struct pool *p);
void pool_release(struct pool *p);

#endif
