/*
 * watch - which folders to look at soon
 *
 *     struct watch *w;
 *     rc = watch_open(arena, -1, &w, problems);
 *     int id = watch_add(w, "/srv/site/inbox/orders", problems);      first watch, then scan: no gap
 *     epoll_ctl(… watch_fd(w) …);
 *     when readable:  rc = watch_read(w, woken, owner, problems);      woken(owner, id) for each folder with news
 *     and anyway every watch_rescan_ms(w) milliseconds: scan all
 *
 * Raw inotify; an event never decides anything, it only says "scan this folder soon".  Overflow, a folder that vanishes
 * and unmounts wake every folder.  With `events` ≥ 0 the news come from that descriptor instead: NUL-separated paths of
 * files, as `inotifywait --format '%w%f%0' --no-newline` prints them, perhaps on another host.
 *
 * Errors:  when inotify cannot be had (limits, no kernel support) watch_add adds the warning WATCH_POLLING once and the
 *          folder is polled: watch_rescan_ms becomes 5 s.  WATCH_LOST when events overflowed (a note), TEMP when the
 *          descriptor fails.
 * Limits:  1,024 folders.  Network and FUSE file systems give no events of other hosts: rescanned every 5 s, local ones
 *          every 30 s.
 */
#ifndef WAYBILL_DROP_WATCH_H
#define WAYBILL_DROP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"

struct watch;

int watch_open(struct arena *a, int events, struct watch **out, struct problems *ps);
void watch_close(struct watch *w);
/* Number of the folder, from 0 up. A folder that cannot be watched is polled. */
int watch_add(struct watch *w, const char *path, struct problems *ps);
/* Another folder stands at its path now. */
void watch_renew(struct watch *w, int id, struct problems *ps);
/* For poll and epoll; -1 when everything is polled. */
int watch_fd(const struct watch *w);
/* Reads all that is there. END: the events descriptor is closed (from now on polled). */
int watch_read(struct watch *w, void (*woken)(void *owner, int id), void *owner, struct problems *ps);
int64_t watch_rescan_ms(const struct watch *w);
/* Whether this folder gives events at all. */
bool watch_polled(const struct watch *w, int id);

#endif
