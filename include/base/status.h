/*
 * status - what a function that can fail returns
 *
 * The ladder of STYLE, worst last.  SKIP and STOP are the partner's fault, TEMP is ours to retry.
 */
#ifndef WAYBILL_BASE_STATUS_H
#define WAYBILL_BASE_STATUS_H

enum status {
    OK = 0,
    END,            /* no more */
    WARN,           /* used, but noted */
    SKIP,           /* this message is bad, the next may be good */
    STOP,           /* the rest of the file is unusable */
    TEMP,           /* the environment: disk full, target missing; keep state, try again later */
};

/* Of several things that were tried, each whatever became of the others. */
static inline int status_worse(int a, int b)
{
    return a > b ? a : b;
}

#endif
