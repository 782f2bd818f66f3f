/*
 * care_private - the state that the files of care share
 */
#ifndef WAYBILL_FLOW_CARE_PRIVATE_H
#define WAYBILL_FLOW_CARE_PRIVATE_H

#include <sys/statvfs.h>

#include "flow/care.h"
#include "flow/purge.h"
#include "flow/super.h"

struct care_disk {
    bool full;                      /* some file had to stay in its inbox; that is told */
    bool hit;                       /* a write failed: nothing is claimed */
    bool ballast;                   /* .waybill/reserve is there */
    uint64_t wanted;                /* free bytes with which things go on */
    int64_t due;                    /* next look */
    struct statvfs seen;            /* what was free … */
    int64_t seen_at;                /* … then, monotonic ms; 0 = never */
    uint64_t promised;              /* bytes of the files that were let in since */
};

#define HOOK_WAITING 100            /* notices that wait for their program; more are dropped and counted */
#define HOOK_RUNNING 4
#define HOOK_MS 30000
#define HOOK_OUTPUT 4096            /* bytes of a program's output that are logged */

/* One event that somebody is to be told of. */
struct hook_job {
    struct arena arena;             /* holds this struct */
    const char *event;
    const char *program;            /* NULL = a letter to */
    const char *address;
    const char *dir;                /* the site's folder, absolute */
    struct slice batch, flow, file, code;
    struct slice input;             /* the waybill, or the letter */
    struct hook_job *next;
};

struct hook_run {
    struct hook_job *job;           /* NULL = free */
    pid_t pid;
    int out;                        /* what it says */
    int64_t since;
    bool killed;
    struct buf said;
};

struct care_hooks {
    struct hook_job *first, *last;
    size_t n;
    uint64_t dropped;
    struct hook_run run[HOOK_RUNNING];
    struct map overdue;             /* batches that were told to be */
    int64_t overdue_due;
};

/* What an operation did since the start; found by names, so that a reload keeps it. */
struct care_counts {
    struct slice flow, operation;
    uint64_t taken, delivered, rejected, retries, bytes;
    uint64_t done, refused, skipped, waiting;       /* messages */
    int64_t success;                /* when it last delivered, seconds; 0 = not yet */
    struct care_counts *next;
};

struct care {
    struct arena arena;             /* holds this struct */
    bool ready, reloading, stopping;
    int64_t alive, alive_every;     /* WATCHDOG=1; 0 = nobody waits for it */
    struct care_disk disk;
    struct care_hooks hooks;
    struct care_counts *counts, **last_counts;
    uint64_t dropped;               /* notices, since the start */
    int64_t started;                /* seconds since 1970 */
    int64_t metrics_due;
    bool metrics_failed;            /* told */
    struct waybill_param *unanswered;       /* name: batch */
    size_t nunanswered;
    int64_t replies_due;            /* 0 = none waits in replies/ */
    struct purge purge;
    bool purging;
    int64_t purge_due;              /* of the next one */
};

/* At most so long until the next round. */
void care_wait(int64_t *wait, int64_t now, int64_t due);

/* disk.c */
void disk_open(struct supervisor *s);
void disk_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* metrics.c */
void metrics_event(struct supervisor *s, const char *event, const struct trip *t);
void metrics_turn(struct supervisor *s, int64_t now, int64_t *wait);
void metrics_write(struct supervisor *s);
/* hook.c: programs and letters. */
void hook_event(struct supervisor *s, enum notice_event event, const struct waybill *w, const struct notices *of);
void hook_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* Waits for what is under way, at most so long. */
void hook_close(struct supervisor *s, int64_t ms);
/* overdue.c */
void overdue_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* letter.c: what happened to a file, in plain words of the site's language. */
void letter_text(const struct site *site, const struct waybill *w, const char *code, struct slice text,
                 struct buf *out);
/* To a person: head and body. */
void letter_mail(const struct site *site, const struct waybill *w, const char *event, const char *address,
                 struct buf *out);
/* reply.c */
/* Tells of folders that no answer can be renamed into. */
void reply_places(struct supervisor *s);
void reply_resume(struct supervisor *s);
int reply_prepare(struct supervisor *s, const struct waybill *w, const char *code, struct slice text);
/* A refusal that did not wait for its answer: tried again when there is room. */
void reply_later(struct supervisor *s, const struct waybill *w);
void reply_again(struct supervisor *s);
void reply_publish(struct supervisor *s, const struct waybill *w);
/* What lies ready for a batch that has ended goes out. */
void reply_left(struct supervisor *s, const char *batch);
/* What could not be sent is tried again now and then. */
void reply_turn(struct supervisor *s, int64_t now, int64_t *wait);
/* daily.c: what is kept no longer goes, once a day. */
void daily_turn(struct supervisor *s, int64_t now, int64_t *wait);

#endif
