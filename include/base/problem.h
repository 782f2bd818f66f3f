/*
 * problem - a diagnostic: what is wrong, where, what would be right
 *
 * Low layers add problems and return; only cmd and flow show them.
 *
 *     problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR, .code = "NUM_BAD", .place = place,
 *                 .text = arena_printf(ps->arena, ...), .hint = SLICE("expected a number like 12,50") });
 * or  problem_addf(ps, PROBLEM_ERROR, "NUM_BAD", place, "\"%s\" is not a decimal", shown);
 *
 * Shown as  FILE:LINE:COLUMN: error: message 17, Line[2]/Qty: "12,5x" is not a decimal [NUM_BAD]
 * with the source line and a caret below it where the problem has them.
 *
 * Where a problem has a `value`, its text may leave it out: "is not a decimal" is shown as "12,5x" is not a decimal.
 * A text that holds a quotation mark already is shown as it is.
 *
 * Units:   line and column from 1, in characters; 0 = not known.  Offsets in bytes from 0.
 * Owner:   all texts of a problem live in the arena of its collection (problem_add copies what it is given, the code
 *          excepted; value and path up to 1 KiB, text and hint up to 4 KiB).
 * Errors:  none.  Beyond `max` problems only the counters go up (and the groups of same code and path).
 */
#ifndef WAYBILL_BASE_PROBLEM_H
#define WAYBILL_BASE_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

enum severity { PROBLEM_NOTE, PROBLEM_WARNING, PROBLEM_ERROR };

#define PLACE_NO_OFFSET UINT64_MAX
/* The run or the file as a whole. */
#define PLACE_NONE ((struct place){ .offset = PLACE_NO_OFFSET })

struct place {
    const char *file;               /* as the user named it; "-" = standard input; NULL = the run as a whole */
    /* of data: turned into line and column by the collection's locate(); PLACE_NO_OFFSET = use line, column */
    uint64_t offset;
    uint32_t line, column;
    uint32_t width;                 /* characters under the caret; 0 = one */
};

struct problem {
    enum severity severity;
    const char *code;               /* stable, from the table in base/code.c: "NUM_BAD" */
    struct place place;
    uint64_t message;               /* number of the message in its file from 1; 0 = none */
    struct slice path;              /* Line[2]/Qty */
    struct slice value;             /* the offending text, raw */
    struct slice text;              /* what is wrong, without place, path and code */
    struct slice hint;              /* what would be right: shown behind the caret or on a line of its own */
    struct slice source;            /* the source line to show, without line end; slice_none() = do not show */
    struct problem *next;
    uint64_t count;                 /* in a group list: how many of this code and path */
    /* characters left out at the head of `source`, which is cut around the column when long */
    uint32_t source_skip;
};

struct problem_groups;

/* Names of fields whose values nobody may see (`sensitive`). */
struct hidden {
    struct slice *names;
    size_t n;
    bool made;                      /* of what a mapping makes: lines of the documents that it reads may be shown */
};
#define PROBLEMS_HIDE 32            /* of more than these every value is hidden */
#define PROBLEM_MASK "***"

struct problems {
    struct arena *arena;
    struct problem *first, *last;   /* in order of coming, at most max */
    size_t n, max;                  /* max 0 = no bound */
    size_t errors, warnings, notes; /* of all that came */
    const char *file;               /* put into problems whose place names no file */
    uint64_t message;               /* put into problems that name no message */
    /* Turns an offset of a data file into line and column and finds the source line; set by who owns the file. */
    void (*locate)(void *owner, struct problem *p, struct arena *a);
    void *locate_owner;
    struct problem_groups *groups;  /* see problems_groups */
    uint64_t ungrouped;             /* problems beyond the 1,000th group */
    const struct hidden *hidden[PROBLEMS_HIDE];
    size_t nhidden;
    bool hide_all;                  /* there were more than PROBLEMS_HIDE */
};

void problems_init(struct problems *ps, struct arena *arena, size_t max);
void problem_add(struct problems *ps, const struct problem *p);
/*
 * From here on a problem of a field of such a name shows *** in place of its value and of what its text quotes, no name
 * that is meant instead and no source line; unless `made`, one without a path shows no value, and none its source line.
 * `h` must live as long as the collection; an empty one is fine.
 */
void problems_hide(struct problems *ps, const struct hidden *h);
void problem_addf(struct problems *ps, enum severity severity, const char *code, struct place place,
                  const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Brings the errors of each format, mapping or site into the order of its lines; those of data stay as they came. */
void problems_sort(struct problems *ps);
/* Forgets what was said before in the same words: files that were read by more than one are told once.  Not for those
   that count their groups. */
void problems_once(struct problems *ps);
/* The first problem of each code and path (numbers of instances left out: Line[2]/Qty and Line[3]/Qty are one) with
   its count, in order of coming, beyond `max` of the list too; at most `max` are stored, the number of all is
   returned. */
size_t problems_groups(const struct problems *ps, const struct problem **out, size_t max);
/* A fault of the system: "what: strerror(err)"; code SYS_IO unless errno says better (SYS_FULL, SYS_DENIED,
   SYS_MISSING). Returns TEMP. */
int problem_system(struct problems *ps, const char *file, const char *what, int err);
/* … with what the reader can do about it. */
int problem_system_hint(struct problems *ps, const char *file, const char *what, int err, const char *hint);

/* The problem as its user reads it: one line, and source line with caret where known. Escaped, without colour. Ends
   in a newline. */
void problem_show(struct buf *out, const struct problem *p);
/* Its text with the value, without place, path, code and hint; escaped. */
void problem_text(struct buf *out, const struct problem *p);
/* The problem as one JSON object: severity, code, file, line, column, offset, message, path, value, text, hint,
   count, those which are known, in this order. */
void problem_json(struct buf *out, const struct problem *p);

/* "did you mean `x`?" for a name that is not in the list, or slice_none(). */
struct slice problem_suggest(struct arena *a, struct slice name, const struct slice *list, size_t n);

#endif
