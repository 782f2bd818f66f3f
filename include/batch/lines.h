/*
 * lines - what became of each message: <batch>.lines.<n>.jsonl
 *
 *     struct lines lines;
 *     rc = lines_open(&lines, dirfd, batch, n, problems);
 *     per message:
 *          lines_add(&lines, &(struct line){ .message = 17, .key = …, .state = "rejected", .code = …,
 *          .problems = first }, problems);
 *     rc = lines_close(&lines, sync, waybill, problems);     fsync; entered in the waybill with size, count and SHA-256
 *
 * One JSON object a line: {"message":17,"key":"4711","state":"rejected","code":"NUM_BAD","lines":[…],"problems":[…]}.
 * Where a log must be read back into findings (operations on batches, consolidation) the line has the time of its run,
 * "findings": what each `require` said about the message or a line of it, and "tried": the candidates that were looked
 * at and why each one was not it.  What a finding has in common with its line is not written twice.
 * A file is written once and never changed; a later operation writes the next one.  Unfinished files (not named by the
 * waybill) are overwritten.
 *
 * Owner:   lines_read gives texts in its arena, which `each` may reset when it has done with a line.
 * Errors:  OK, TEMP with SYS_…, STOP with LINES_DAMAGED (size or hash is not what the waybill says).
 * Limits:  of one message the first 100 problems, 10,000 findings, 1,000 candidates; a line of 64 MiB.
 */
#ifndef WAYBILL_BATCH_LINES_H
#define WAYBILL_BATCH_LINES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/problem.h"
#include "batch/waybill.h"
#include "mapping/mapping.h"

struct lines {
    int fd;
    char file[WAYBILL_FILE_NAME];
    struct buf buf;
    struct sha256 hash;
    uint64_t size, count;
};

/* The state of one tracked line within a message. */
struct line_state {
    struct slice path, key, state;  /* "Line[2]", "4711/2", "sent" */
    struct line_state *next;
};

struct line {
    uint64_t message;
    struct slice key;               /* for people; slice_none() = has none */
    /* "done", "skipped", "waiting", "rejected" or a tracked state; code of the outcome */
    struct slice state, code;
    struct slice operation;
    struct slice time;              /* batch time of the run; slice_none() = it is the waybill's */
    struct slice reason;            /* of the outcome, for people; slice_none() */
    struct line_state *lines;
    /* texts are written as they are, nodes are not looked at: the caller has put `line` */
    const struct finding *findings;
    const struct tried *tried;
    const struct problem *problems; /* of this message: all in the list with message == this, or 0 */
};

/* The next free number of a batch's lines file, from the waybill. */
unsigned lines_next(const struct waybill *w);
int lines_open(struct lines *l, int dirfd, const char *batch, unsigned n, struct problems *ps);
int lines_add(struct lines *l, const struct line *line, struct problems *ps);
/* Ends the file; with w it is entered there (save the waybill afterwards). */
int lines_close(struct lines *l, bool sync, struct waybill *w, struct problems *ps);
/* The same on a descriptor that somebody else opened and names (a worker): lines_begin, lines_add …, lines_end, which
   writes what is left, closes the descriptor and gives the hash; size and count stay in `l`.  With fd -1 all stays in
   l->buf until the caller sets l->fd, or takes it from there. */
void lines_begin(struct lines *l, int fd);
int lines_end(struct lines *l, char sha256[SHA256_HEX], struct problems *ps);
/* Forgets and removes an unfinished file. */
void lines_abandon(struct lines *l, int dirfd);

/* One line read back; problems are given as text lines as a person reads them. */
struct line_read {
    uint64_t message;
    struct slice key, state, code, operation, time, reason;
    struct line_state *lines;
    /* complete: key, operation and time are those of the line where they were left out; without nodes */
    struct finding *findings;
    struct tried *tried;
    struct problem *problems;       /* code, severity, text, path, place.line, place.column, hint */
    size_t nproblems;
};
/* Calls `each` for every line of the file, checked against the waybill's entry; stops when it returns other than OK. */
int lines_read(int dirfd, const struct waybill_file *f, struct arena *a,
               int (*each)(void *owner, const struct line_read *l), void *owner, struct problems *ps);
/* The same from an open file that can be read again from its start; it stays open. */
int lines_read_fd(int fd, const struct waybill_file *f, struct arena *a,
                  int (*each)(void *owner, const struct line_read *l), void *owner, struct problems *ps);

#endif
