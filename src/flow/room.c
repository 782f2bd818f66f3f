#include "flow/room.h"

#define RESERVE_LEAST (64ULL << 20)

uint64_t room_reserve(const struct limits *l, const struct statvfs *v)
{
    uint64_t total = (uint64_t)v->f_blocks * v->f_frsize, twentieth = total / 20;
    uint64_t least = total / 10 < RESERVE_LEAST ? total / 10 : RESERVE_LEAST;
    if (l->disk_reserve)
        return l->disk_reserve;
    return twentieth > least ? twentieth : least;
}

/* A file system without a number of inodes (btrfs) tells 0 of them. */
bool room_inodes(const struct limits *l, const struct statvfs *v)
{
    uint64_t wanted = l->inode_reserve ? l->inode_reserve : v->f_files / 20;
    return v->f_files == 0 || v->f_favail > wanted;
}

uint64_t room_free(const struct statvfs *v)
{
    return (uint64_t)v->f_bavail * v->f_frsize;
}
