/*
 * room - how much of a disk must stay free (private to flow)
 *
 * Source:  RELIABILITY.md 2.9: 5 % of the disk, at least 64 MiB (of a small disk a tenth); 5 % of the inodes; settings
 *          `limit disk-reserve`, `limit inode-reserve`.
 */
#ifndef WAYBILL_FLOW_ROOM_H
#define WAYBILL_FLOW_ROOM_H

#include <stdbool.h>
#include <sys/statvfs.h>

#include "base/arena.h"
#include "base/limit.h"

uint64_t room_reserve(const struct limits *l, const struct statvfs *v);
bool room_inodes(const struct limits *l, const struct statvfs *v);
uint64_t room_free(const struct statvfs *v);
/* Why nothing is taken: what is free and what must be, bytes in MiB or KiB, or inodes when it is these that lack. */
struct slice room_lack(struct arena *a, const struct limits *l, const struct statvfs *v, uint64_t wanted);
/* The setting of site.conf that says so. */
const char *room_setting(const struct limits *l, const struct statvfs *v);

#endif
