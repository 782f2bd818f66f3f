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

static uint64_t inodes_wanted(const struct limits *l, const struct statvfs *v)
{
    return l->inode_reserve ? l->inode_reserve : v->f_files / 20;
}

/* A file system without a number of inodes (btrfs) tells 0 of them. */
bool room_inodes(const struct limits *l, const struct statvfs *v)
{
    return v->f_files == 0 || v->f_favail > inodes_wanted(l, v);
}

uint64_t room_free(const struct statvfs *v)
{
    return (uint64_t)v->f_bavail * v->f_frsize;
}

/* In what both can be told apart: a small disk is no 0 MiB. */
static struct slice bytes_lack(struct arena *a, uint64_t have, uint64_t wanted)
{
    bool small = wanted < 10ULL << 20;
    return arena_printf(a, "%llu %s are free and %llu %s are needed", (unsigned long long)(have >> (small ? 10 : 20)),
                        small ? "KiB" : "MiB", (unsigned long long)(wanted >> (small ? 10 : 20)), small ? "KiB" : "MiB");
}

struct slice room_lack(struct arena *a, const struct limits *l, const struct statvfs *v, uint64_t wanted)
{
    if (room_inodes(l, v))
        return bytes_lack(a, room_free(v), wanted);
    return arena_printf(a, "only %llu inodes are free and %llu are needed", (unsigned long long)v->f_favail,
                        (unsigned long long)inodes_wanted(l, v));
}

const char *room_setting(const struct limits *l, const struct statvfs *v)
{
    return room_inodes(l, v) ? "limit disk-reserve BYTES" : "limit inode-reserve N";
}
