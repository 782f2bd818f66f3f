/*
 * wire - what supervisor and worker say to each other (private to flow)
 *
 * Sentences in SOCK_SEQPACKET packets: each its kind, then numbers (8 bytes) and texts (length, bytes) in fixed order.
 * A worker says what needs no answer together with what comes next, so that a short file takes one packet each way.
 * Both ends are one program; the supervisor still checks every length, because the worker has read hostile input.
 *
 * Limits:  a packet has at most WIRE_MAX bytes and WIRE_FILES descriptors; what goes as a file 64 MiB.
 */
#ifndef WAYBILL_FLOW_WIRE_H
#define WAYBILL_FLOW_WIRE_H

#include <sys/types.h>

#include "base/wire.h"
#include "flow/operation.h"

#define WIRE_MAX (192 * 1024)
#define WIRE_FILES 16               /* descriptors of one packet */

enum wire_kind {
    WIRE_JOB = 1,                   /* to the worker, with the input's descriptor; of a short file also spare ones */
    WIRE_JOB_HERE,                  /* the same of a very short file: its bytes, the job; with a spare output at most */
    WIRE_OPEN,                      /* to the supervisor: a new output, please */
    WIRE_OPENED,                    /* to the worker: status, number, text; with its descriptor */
    WIRE_TOOK,                      /* to the supervisor: this new output goes into the spare descriptor for its kind */
    WIRE_CLOSED,                    /* to the supervisor: this output is complete */
    WIRE_LINES,                     /* to the supervisor, of a WIRE_JOB_HERE: the lines, complete, with their bytes */
    WIRE_LEASE, WIRE_LEASED,
    WIRE_COMPANION, WIRE_COMPANION_IS,              /* named or not, name; to the worker, with it or without: its name */
    WIRE_PROGRESS,
    WIRE_TABLE,                     /* to the supervisor: the SHA-256 of a table, with the table */
    WIRE_RESULT,
    WIRE_JOB_LONG,                  /* to the worker, with the input and a file that holds the WIRE_JOB */
    WIRE_ZIP,                       /* to the worker, with the empty zip and its members */
    WIRE_ZIPPED,                    /* to the supervisor: status, code, text */
    WIRE_COPY,                      /* to the worker, with a claimed file and an empty one: most bytes, whether to sync */
    WIRE_COPIED,                    /* to the supervisor: status, bytes, SHA-256 */
    WIRE_BUNDLES,                   /* to the worker, with the site's folder, its lock and a file that holds the bundles */
    WIRE_BUNDLED,                   /* to the supervisor: the status of each, code and text of the last fault */
    WIRE_SYNC,                      /* to the worker, with a folder of the file system that is to be synced */
    WIRE_SYNCED,                    /* to the supervisor: 0 or errno */
};

/* 0 or errno. fd -1 = none goes along. */
int wire_send(int socket, const struct buf *b, int fd);
/* Bytes read; 0 = the other end is gone; -1 with errno. *fd_out -1 = none came. */
ssize_t wire_receive(int socket, char *p, size_t n, int *fd_out);

/* The same with several descriptors, WIRE_FILES at most; the number that came goes into *nfds. */
int wire_send_files(int socket, const struct buf *b, const int *fds, size_t nfds);
ssize_t wire_receive_files(int socket, char *p, size_t n, int fds[WIRE_FILES], size_t *nfds);

void wire_job(struct buf *b, const struct job *j);
/* With its input, of a flow that does not stage: it fits a packet. */
void wire_job_here(struct buf *b, const struct job *j, struct slice input);
/* With WIRE_JOB after the input: the spares. */
enum wire_spare { SPARE_OUTPUT = 1, SPARE_LINES, WIRE_JOB_FILES };
/* A job names every open batch of its flow: one that is too long for a packet goes as a file, without spares. 0 or
   errno. */
int wire_send_job(int socket, const struct buf *b, const int *fds, size_t nfds);
/* What is too long for a packet: a packet of this kind with one descriptor more, the file that holds it. 0 or errno. */
int wire_send_long(int socket, enum wire_kind kind, const struct buf *b, const int *fds, size_t nfds);
/* Reads such a file and closes it. */
struct wire wire_long(int fd, struct arena *a);
/* The manifest first, which tells whose site it is; then the rest. */
struct slice wire_get_config(struct wire *w);
int wire_get_job(struct wire *w, const struct site *site, struct job *j);
void wire_output(struct buf *b, const struct output *o);
int wire_get_output(struct wire *w, const struct operation *op, struct output *o);
void wire_result(struct buf *b, const struct result *r);
int wire_get_result(struct wire *w, struct result *r);

#endif
