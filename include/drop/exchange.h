/*
 * exchange - files to and from a partner's server, by SFTP
 *
 *     struct exchange x = { .name = "ovotrack", .server = …, .stable_ms = 5000 };
 *     rc = exchange_open(&x, &spool, arena, problems);          STOP with EXCHANGE_BUSY: another process does it
 *     rc = exchange_push(&x, "outbox/ovotrack", "incoming", problems);
 *     rc = exchange_fetch(&x, "outgoing", "inbox/ovotrack", problems);
 *     exchange_close(&x);
 *
 * Push: each plain file of the outbox, oldest first, under a temporary name, then renamed, never over another file: it
 * waits while its name is taken there.  Only then it leaves the outbox.  Fetch: each plain file that kept size and time
 * over stable_ms, into the inbox by a rename; only then it is removed there.
 *
 * Once: .waybill/exchange/NAME/ holds a note per file that is under way, durable before the step that cannot be taken
 *          back, so that a crash in between neither loses a file nor sends it again – as long as the partner has not
 *          taken it away in that very moment, which nobody can know (RELIABILITY.md, P4).  A note is of one file, not
 *          of its name: of size, time and, for a push, inode; for a fetch, SHA-256 of what was downloaded, as the
 *          time that is listed is too coarse.  When it is not known whether the server removed a file that was
 *          fetched, the one that is there is downloaded once more: the same content is only removed, another one (or
 *          after a note of a former version, without hash) comes in as a new file.
 *          What stood ready when a process was killed comes in also when it has gone from the server since.
 * Stays:   where the server refuses to remove what was fetched this is noted: it is neither removed nor downloaded
 *          again while name, size and listed time are the same, but told in each round (EXCHANGE_STAYS, SKIP).
 *          After half a year `ls` lists the year instead of the time: it is downloaded once more, to be compared.
 * Names:   [A-Za-z0-9._-] only; temporary names (.x, x.part, x.tmp …; of a fetch, all that an inbox
 *          passes over) are left alone, and told where an outbox has them without a dot in front; others are told once
 *          per run.
 * Errors:  OK; SKIP (this file or folder could not be done, others go on: see the problems); TEMP (no connection).
 * Limits:  10,000 files a round.
 */
#ifndef WAYBILL_DROP_EXCHANGE_H
#define WAYBILL_DROP_EXCHANGE_H

#include "drop/sftp.h"
#include "drop/spool.h"

struct exchange {
    const char *name;               /* a plain name: of its folder in .waybill/exchange */
    struct sftp server;
    int64_t stable_ms;
    const struct spool *spool;
    struct arena *arena;
    int dir;                        /* .waybill/exchange/NAME */
    int lock;
    uint64_t pushed, fetched;       /* files of this process */
    unsigned pushes, fetches;       /* outboxes that were pushed, folders of the server that were fetched from */
    char mark[12];                  /* in the names of notes: which of them; "" = the first of its kind */
};

int exchange_open(struct exchange *x, const struct spool *s, struct arena *a, struct problems *ps);
void exchange_close(struct exchange *x);
int exchange_push(struct exchange *x, const char *outbox, const char *remote, struct problems *ps);
int exchange_fetch(struct exchange *x, const char *remote, const char *inbox, struct problems *ps);

#endif
