/*
 * syntax - how bytes spell a document: csv, xml …; one table of functions each
 *
 * Reading, one message at a time:
 *
 *     struct reader r = { .source = &src, .format = f, .limits = &limits };
 *     rc = reader_open(&r, arena, problems);
 *     while ((rc = reader_read(&r, &message_arena, &msg, problems)) != END) {
 *         if (rc == OK || rc == WARN) ... use msg ...        SKIP: problems say why; msg tells its byte range, for
 * rejecting it alone if (rc >= STOP) break;                             the file is unusable, TEMP: try again later
 *         arena_reset(&message_arena);
 *     }
 *     reader_close(&r);
 *
 * Writing:  writer_open, writer_write per message, writer_close (trailers, counts, END of the document).
 * Patching: patch_run(original source, edits → sink): DESIGN.md section 5.
 *
 * A new syntax is one file src/syntax/NAME.c that exports `const struct syntax syntax_NAME`, and one line in
 * syntax.c.
 *
 * Units:   byte offsets of the input file.
 * Owner:   messages live in the message arena, their texts there or in the window of the source: both until the next
 *          reader_read (node_copy() keeps a message); the file node (`reader.file`) in the arena of reader_open.
 * Errors:  OK, END, WARN, SKIP, STOP, TEMP (base/status.h).
 */
#ifndef WAYBILL_SYNTAX_SYNTAX_H
#define WAYBILL_SYNTAX_SYNTAX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/limit.h"
#include "base/problem.h"
#include "format/format.h"
#include "format/type.h"
#include "message/edit.h"
#include "message/node.h"
#include "syntax/sink.h"
#include "syntax/source.h"

struct span {
    uint64_t at, end;
};

struct reader {
    struct source *source;
    const struct format *format;    /* NULL: read_raw, the tree of what is there (inspect, draft) */
    const struct limits *limits;
    struct node *file;              /* file members; complete after END, those ahead of the messages earlier */
    uint64_t messages;              /* read so far, rejected ones included */
    uint64_t head_end;              /* where the first message begins: what stands before belongs to the file */
    uint64_t tail_at;               /* where the last message that was read ends */
    bool places;                    /* update mode: byte ranges are needed (a reader may give them always) */
    const struct syntax *syntax;
    struct arena *arena;
    void *state; /* stays readable after reader_close: patching asks it for the dialect and the columns */
    struct companion_file *companions;   /* files of `group … file NAME join COLUMN`, set before reader_open */
    size_t ncompanions;
    struct slice between;           /* what parts two messages of the file: json `,`; for syntax_excerpt_framed() */
    /* Of the message that was read last: what closes the place of the one before and opens its own
       (`</Orders><Returns>`, `],"returns":[`; empty = both stand in the same), and is it no member of a list
       (json: `"order": {…}`)? */
    struct span gap;
    bool alone;
};

/* A file that holds the rows of one group of another file. */
struct companion_file {
    struct slice name;              /* as in the format: `lines` */
    struct source *source;          /* to read */
    struct sink *sink;              /* to write */
};

struct writer {
    struct sink *sink;
    const struct format *format;
    const struct limits *limits;
    struct node *file; /* file members; set before writer_open as far as they stand ahead of the messages */
    uint64_t messages;
    const struct syntax *syntax;
    struct arena *arena;            /* of the writer; reset by nobody */
    void *state;
    struct companion_file *companions;   /* as for readers; the caller closes their sinks */
    size_t ncompanions;
    bool exact;                     /* staged documents (json): what is read again is the same tree, so empty values
                                       and empty groups are written too */
};

/* At one place: what comes in between, what goes, values of what begins (or ends) there, what comes behind them. */
enum patch_turn { PATCH_BETWEEN, PATCH_GOES, PATCH_VALUE, PATCH_BEHIND };

/* Byte edits that patch_run applies: sorted by `at`, not overlapping. */
struct byte_edit {
    uint64_t at, len;               /* what is replaced */
    uint64_t row;                   /* of a value: where the row that holds it begins; it goes with that row */
    struct slice put;
    enum patch_turn turn;
    uint32_t ahead;                 /* bytes of `put` that end a last line; not needed where that line goes */
    uint32_t depth;                 /* in the tree, of what comes in between: what ends there gets its own first, and
                                       what goes behind its predecessor stands ahead of what goes to the end */
};

struct patcher {
    struct reader *reader;          /* of the original: for charset, newline, dialect */
    struct arena *arena;
    struct byte_edit *list;
    size_t n, cap;
    void *state;                    /* of the syntax: what it knows of the message at hand */
    const struct edits *edits;      /* that are being spelled */
    uint64_t round;                 /* calls of patcher_add so far, this one included */
};

/* What `inspect` tells of a file, without any format. */
struct inspection;

struct syntax {
    const char *name, *spec;        /* "xml"; "XML 1.0, Namespaces 1.0" */
    /* Headers of a format that belong to this syntax ("delimiter" …); NULL-terminated. */
    const char *const *options;
    /* How surely the head of a file is of this syntax: bits verified, 0 = not mine. Consumes nothing. */
    int (*bid)(struct slice head);
    /* Checks a format of this syntax and compiles what reading and writing need into format->plan; called by format
     * users once. */
    int (*plan)(struct format *f, struct arena *a, struct problems *ps);
    int (*read_open)(struct reader *r, struct problems *ps);
    int (*read)(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
    void (*read_close)(struct reader *r);
    int (*write_open)(struct writer *w, struct problems *ps);
    int (*write)(struct writer *w, const struct node *msg, struct problems *ps);
    bool checks;                    /* write and write_close run writer_check() or better; else their callers do */
    int (*write_close)(struct writer *w, struct problems *ps);
    /* Turns one edit of the tree into byte edits (patcher_put). SKIP when this value cannot be spelled there. */
    int (*patch)(struct patcher *p, const struct edit *e, struct problems *ps);
    /* Adds JSON members by base/json.h (commas come by themselves): "encoding", then its own (csv: "delimiter",
       "columns", "rows"). The caller writes braces, "file" and "syntax" before them and "problems" behind. */
    int (*inspect)(struct source *s, struct buf *json, struct problems *ps);
    /* Instead of write_close, when the document is given up: frees, writes nothing. */
    void (*write_drop)(struct writer *w);
};

const struct syntax *syntax_find(struct slice name);            /* NULL = none of that name */
const struct syntax *syntax_detect(struct slice head);          /* by the highest bid; NULL = nobody knows it */
extern const struct syntax *const syntax_table[];               /* NULL-terminated */

/* Loads a format and plans it for its syntax: what everybody above should call. */
int syntax_format(struct arena *a, const struct finder *finder, struct slice name, const char *from,
                  struct format **out, struct problems *ps);
/* The same for a format compiled from text. */
int syntax_plan(struct format *f, struct arena *a, struct problems *ps);

int reader_open(struct reader *r, struct arena *a, struct problems *ps);
int reader_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
void reader_close(struct reader *r);

int writer_open(struct writer *w, struct arena *a, struct problems *ps);
int writer_write(struct writer *w, const struct node *msg, struct problems *ps);
int writer_close(struct writer *w, struct problems *ps);
/* What is required must be there when it is written too: a document that its own format refuses is never given.  For a
   message or the file node; OK or SKIP. */
int writer_check(const struct node *n, struct problems *ps);
/* Instead of writer_close, when the document is given up; also after a writer_open that failed. */
void writer_drop(struct writer *w);

void patcher_init(struct patcher *p, struct reader *r, struct arena *a);
/* One replaced range; `put` is bytes of the file's charset already and is copied. */
void patcher_put(struct patcher *p, uint64_t at, uint64_t len, struct slice put);
/* Spells the edits of a message, its place those of the original; SKIP: one of them cannot be, so none is. */
int patcher_add(struct patcher *p, const struct edits *edits, struct problems *ps);
/* Copies the original (from its beginning, `original` freshly opened) and applies the byte edits. */
int patch_run(struct patcher *p, struct source *original, struct sink *out, struct problems *ps);

/* Adds UTF-8 text to `out` in the charset; SKIP with the fault CHARSET_CANNOT, whose hint is the character, and `out`
 * as it was. */
int syntax_encode(enum charset c, struct slice utf8, struct buf *out, struct fault *fault);

/* A fault of a format that only its syntax can see, at a token of its file (NULL: at its `syntax` line). Returns
 * STOP. */
int syntax_problem(const struct format *f, const struct token *t, const char *code, struct problems *ps,
                   const char *hint, const char *text);

/* A file in the original syntax that holds only the given messages (rejected ones): head, their ranges, tail. */
int syntax_excerpt(struct source *original, uint64_t head_end, uint64_t tail_at, const struct span *spans, size_t n,
                   struct sink *out, struct problems *ps);
/* The same of a file whose messages a reader has read to the end; `frame` holds, in order, its gaps and, of messages
 * that are left out, an empty range at each that is `alone`. */
int syntax_excerpt_framed(struct source *original, const struct reader *r, const struct span *spans, size_t n,
                          const struct span *frame, size_t nframe, struct sink *out, struct problems *ps);

#endif
