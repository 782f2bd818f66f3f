/*
 * ledger_private - what reading and writing a ledger share (private to store)
 *
 * The file ends with whole groups up to `end`; what a writer has put behind that and not committed is `writing`.
 */
#ifndef WAYBILL_STORE_LEDGER_PRIVATE_H
#define WAYBILL_STORE_LEDGER_PRIVATE_H

#include "store/ledger.h"
#include "store/ledger_index.h"
#include "store/ledger_line.h"
#include "store/ledger_waiting.h"

enum { LEDGER_PATH = 300 };

/* A record: a line of the file, one that ledger_add gave, or a dead one (len 0). */
struct entry {
    uint64_t at;
    uint32_t len : 31;
    uint32_t waiting : 1;           /* `at` and `len` are of ledger_waiting */
};

/* The last record of a group that is written and not committed: what take_group needs of it. */
struct group_end {
    uint64_t hash;
    uint32_t entry;
};

struct writing {
    bool open;                      /* from ledger_begin to ledger_commit or ledger_drop: the lock is held */
    bool unsure;                    /* what is in the file may not be on the disk: others wrote it, or it was opened */
    bool uncut;                     /* what a failed attempt left behind `end` could not be cut yet … */
    uint64_t left;                  /* … and how long the file was then */
    struct buf bytes;               /* spelled, not in the file yet */
    uint64_t at;                    /* where they go */
    uint64_t reach;                 /* no byte of ours lies behind it */
    char chain[SHA256_HEX];
    size_t n;                       /* entries behind those of the ledger */
    struct group_end *ends;
    size_t nends, cap;
};

struct ledger {
    struct arena *arena;
    struct arena group;             /* of a writing: its ends */
    struct waiting waiting;         /* the records of ledger_add */
    const struct store *store;
    const char *path;               /* below .waybill */
    int fd;
    uint64_t end;                   /* of the last whole group in the file */
    char chain[SHA256_HEX];         /* of its last line */
    struct entry *entries;
    size_t n, cap;
    size_t nwaiting, ndead;
    struct ledger_index groups;     /* by batch and part, one row per group … */
    uint32_t *ends;                 /* … and the entry of its last record */
    size_t nends, ends_cap;
    struct ledger_index *indexes;
    struct buf line;                /* a line that was read */
    int unread;                     /* errno of a line that could not be read since ledger_fault */
    bool past;                      /* ledger_as_of: what came later is not wanted */
    struct writing writing;
};

/* LOCK_EX or LOCK_SH. */
int ledger_lock(struct ledger *l, int how, struct problems *ps);
/* One that stayed would hold up every reader for ever. */
void ledger_unlock(struct ledger *l);
/* Under the lock: reads on, and cuts what an appender left that died. */
int ledger_catch_up(struct ledger *l, struct problems *ps);
/* A group is in the file: by the hash of batch and part, and its last entry. */
void ledger_take_group(struct ledger *l, uint64_t hash, size_t last);

#endif
