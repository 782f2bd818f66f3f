/*
 * asking - what commands share that act on batches: they ask whoever works on the site (private to cmd)
 *
 *     return asking_operation(c, argc, argv, "send");             waybill send [FLOW]
 *     return asking_batch(c, argc, argv, REQUEST_HOLD);           waybill hold BATCH
 *
 * All is checked before anything is written: flow, operation, batch, params, selection, each with a suggestion.  Then
 * the request is left in the site.  When nobody works on it, this process does so, for the request alone; else a
 * watcher answers, and the command waits for that; when the watcher goes without an answer, the command does it itself.
 *
 * Errors:  the exit code (DESIGN.md section 9): 1 something was refused, 2 the call is wrong, 3 there is no such flow,
 *          operation or batch, 5 the system failed or nobody answered in time.
 */
#ifndef WAYBILL_CMD_ASKING_H
#define WAYBILL_CMD_ASKING_H

#include "batch/request.h"
#include "cmd/places.h"
#include "cmd/running.h"

struct asking {
    struct cmd *cmd;
    struct cmd_args args;
    struct running running;
    struct supervisor_options options;
    struct places places;
    struct site *site;
    const struct flow *flow;
    const struct operation *operation;      /* NULL: the request is about a batch as such */
    struct waybill *batch;          /* the one named; NULL = none */
    struct request request;
    int64_t wait_ms, asked;         /* asked: monotonic ms */
    bool here;                      /* this process carried it out */
};

/* `name` NULL: flow and operation are operands. */
int asking_operation(struct cmd *c, int argc, char **argv, const char *name);
int asking_batch(struct cmd *c, int argc, char **argv, enum request_kind kind);

/* The parts, private to asking_*.c: OK or an exit code. */
bool asking_find_operation(struct asking *k, struct slice flow, struct slice name);
bool asking_find_batch(struct asking *k, const char *id);
bool asking_sets(struct asking *k);
bool asking_selection(struct asking *k);
bool asking_amends(struct asking *k, char **operand, int n);
int asking_go(struct asking *k);

#define ASKING_OPTIONS \
    { 'd', "dir", "DIR" }, { 'b', "batch", "BATCH" }, { 'm', "message", "KEY" }, { 't', "wait", "SECONDS" }
#define ASKING_HELP \
    "  -d, --dir DIR          the site's folder; default: where you are\n" \
    "  -b, --batch BATCH      the batch; default for an operation: each open one of the flow\n" \
    "  -t, --wait SECONDS     how long to wait when a watcher does the work; default 60\n" \
    "      --json             what became of it as one JSON object\n"
#define ASKING_BATCH_HELP \
    ASKING_HELP \
    "  -q, --quiet            no log of what goes on, only problems\n"
#define ASKING_OPERATION_HELP \
    "  -S, --since TIME       changes after that moment: sets the param of the operation that is a time\n" \
    "  -m, --message KEY      only the message of that key, as `show` prints it; may come again\n" \
    ASKING_HELP RUNNING_HELP

#endif
