/*
 * csv - what the files of syntax csv share: dialect, rows, the flat plan
 *
 * bytes -> rows (csv_rows.c: cells and their places) -> messages (csv_read.c: grouping by keys, csv_tags.c: by record
 * tags). Cells without a quote ahead of the first quoted one of a row, and behind the last, are split by our own scan
 * alone.  Between them the scan goes by our rules for the byte ranges, and all that it found there is laid before
 * libcsv, strict, a physical line at a time (csv_authority.c): a row on which they differ is refused.  (An unquoted
 * delimiter puts libcsv into the state in which it begins a row, so it may begin and end there.)  The cells that a row
 * has in common with the row before it, byte for byte, were judged there.
 *
 * Source:  RFC 4180; LANGUAGE.md section 2.
 */
#ifndef WAYBILL_SYNTAX_CSV_H
#define WAYBILL_SYNTAX_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/charset.h"
#include "base/limit.h"
#include "base/problem.h"
#include "format/format.h"
#include "message/node.h"
#include "syntax/source.h"
#include "syntax/syntax.h"

/* --- dialect ---------------------------------------------------------------------------------- */

enum heading { HEADING_YES, HEADING_EXACT, HEADING_NO };

struct dialect {
    bool split, quoting;            /* has a delimiter, has a quote character */
    bool quote_all;                 /* writer: every text that is present */
    bool bom;                       /* writer */
    bool sheet_safe;                /* writer: no text is a formula to a spreadsheet */
    bool plain;                     /* writer: a text without delimiter, quote, line end and outer blanks is itself */
    unsigned char delimiter, quote; /* bytes of the file's charset */
    enum heading heading;
    struct slice newline;           /* writer */
    uint32_t tag;                   /* number of the column that holds the record's tag; 0 = none */
    enum charset charset;
    bool guessed;                   /* nothing says the charset: it was taken from the letters */
};

/* --- rows ------------------------------------------------------------------------------------- */

/* Why a row is not one.  `code` NULL: it is. */
struct row_fault {
    const char *code;
    int rc;                         /* SKIP, STOP or TEMP */
    uint64_t at;                    /* offset in the file */
    const char *text, *hint;        /* text NULL: rows_problem spells it */
    size_t expected, found;         /* of ROW_SHORT and ROW_LONG */
    unsigned char byte;             /* of ENCODING_BAD: what is no character … */
    enum charset charset, likely;   /* … of this set, and what the row seems to be instead */
    uint32_t line, column;          /* where it was looked up before its window went */
    struct slice source;
};

struct authority;

struct rows {
    struct source *file;            /* raw bytes */
    struct source *text;            /* what is split: `file`, or `decoded` (UTF-16) */
    struct source decoded;
    struct arena *arena;
    const struct limits *limits;
    struct dialect d;
    struct authority *authority;    /* made at the first quote */

    /* The row: cell i lies between cell_start(i) and ends[i], counted from p. */
    const char *p;
    uint32_t *ends;
    size_t n, len;                  /* cells; bytes without the line end */
    uint64_t at, end;               /* in the file, with the line end */
    bool quoted, high;              /* holds a quote character; holds a byte >= 0x80 */
    bool doubtful;                  /* of the bytes >= 0x80 not all are seen to be UTF-8 */
    bool repeated;                  /* begins with the prefix that the caller gave */
    struct row_fault fault;

    /* The row before: its bytes stay until the next call. */
    const char *before;
    uint32_t *before_ends;
    size_t before_n, before_len;

    size_t cap;                     /* of both arrays */
    struct buf kept;                /* the row before, once its window has moved on */
    struct buf decoding;            /* one cell on its way to UTF-8 */
    enum charset likely;            /* of the last row that the file's charset does not decode; UNKNOWN: none did */
    struct slice newline;           /* the first line end that was met; n 0: none yet */
    bool trusting;                  /* asks neither charset nor libcsv: for the comparison of our scan with libcsv */
    uint64_t units_at;              /* UTF-16: place in the file of text->at */
    const char *units_from;
    const char *asked;              /* the same for the last byte of the row that was asked for */
    uint64_t asked_at, asked_row;
    struct row_fault broken;        /* the stream cannot be decoded beyond this place */
    /* Bytes ahead of `row` are about to leave the window: whoever points there takes a copy now. */
    void (*leave)(void *owner, const char *from, const char *row);
    void *owner;
};

void rows_open(struct rows *w, struct source *s, const struct dialect *d, struct arena *a);
/* The same for bytes from the middle of a file: no byte order mark is looked for. */
void rows_start(struct rows *w, struct source *s, const struct dialect *d, struct arena *a);
void rows_close(struct rows *w);
/* The next row.  `prefix` bytes that hold `cells` cells of the row before, when equal, are not split again (0, 0:
   split all). OK: a row, good or with its fault.  END.  STOP, TEMP: fault says why. */
int rows_next(struct rows *w, size_t prefix, size_t cells);
/* Takes the `sep=;` line when one stands at the beginning; true when it did. */
bool rows_sep(struct rows *w);

static inline size_t cell_start(const uint32_t *ends, size_t i)
{
    return i ? (size_t)ends[i - 1] + 1 : 0;
}

static inline struct slice rows_raw(const struct rows *w, size_t i)
{
    size_t from = cell_start(w->ends, i);
    return (struct slice){ w->p + from, w->ends[i] - from };
}

/* The cell as UTF-8, without its quotes; in the row's bytes where possible, else in the arena. */
struct slice rows_text(struct rows *w, size_t i, struct arena *a);
/* Place of a byte of the row in the file. */
uint64_t rows_place(struct rows *w, const char *p);
/* Where the next row may begin. */
uint64_t rows_here(const struct rows *w);
/* Adds the problem of a row that is none; returns fault.rc. */
int rows_problem(const struct row_fault *f, uint64_t message, struct problems *ps);

/* libcsv's opinion of the cells `from` … `until` - 1 of the row: true when it reads the same. */
struct authority *authority_new(struct arena *a, unsigned char delimiter, unsigned char quote);
bool authority_agrees(struct authority *au, const struct rows *w, size_t from, size_t until);
void authority_free(struct authority *au);

/* --- plan ------------------------------------------------------------------------------------- */

#define FLAT_LEVELS 16

struct flat_column {
    const struct field *field;
    struct slice title;
    uint32_t position;              /* column number from 1; 0 = by title */
    uint32_t level;                 /* 0 = message */
    uint32_t
        holder; /* index into holders + 1: a group that occurs once inside the level; 0 = the level's node itself */
    bool direct;                    /* its text is its value */
    bool has_place;                 /* `at` names title or position */
};

struct flat_holder {
    const struct group *group;
    uint32_t level, parent;         /* parent: as flat_column.holder */
};

struct flat_level {
    const struct group *group;
    size_t *keys;                   /* indexes of columns */
    size_t nkeys;
};

struct flat_companion {
    const struct group *group;      /* directly below the level's group */
    uint32_t level;
    struct flat *flat;              /* its own columns, one level */
    struct slice name, join;
    size_t key;                     /* column of the main file that joins; SIZE_MAX: none */
};

/* One kind of row: its levels from the message to the innermost repeated group, and its columns in the order of the
 * format. */
struct flat {
    const struct format *format;
    struct dialect d;
    struct slice tag;               /* of a record; tagged files have one flat per group */
    struct flat *parent;            /* record of the group above; NULL for messages and file members */
    struct flat **records;          /* of tagged files, in the order of the format */
    size_t nrecords;
    struct flat_column *cols;
    size_t ncols;
    struct flat_level levels[FLAT_LEVELS];
    size_t nlevels;
    struct flat_holder *holders;
    size_t nholders;
    struct flat_companion *companions;
    size_t ncompanions;
    size_t width;                   /* highest position where columns have positions */
};

int flat_plan(struct format *f, struct arena *a, struct problems *ps);
bool dialect_read(const struct format *f, struct dialect *out, struct problems *ps);

/* --- the keys of closed messages -------------------------------------------------------------- */

enum key_seen { KEY_NEW, KEY_SEEN, KEY_OUT_OF_ORDER, KEY_TOO_MANY };

struct keyset;
/* `forever`: keys cannot be looked up again, so all are kept, whatever it takes. */
struct keyset *keyset_new(struct arena *a, bool forever);
/* KEY_SEEN: its fingerprint was there already.  KEY_OUT_OF_ORDER: keys stop to ascend; the caller adds all that came
   before by keyset_table(), then asks again.  KEY_TOO_MANY: not kept. */
enum key_seen keyset_add(struct keyset *k, struct slice key);
enum key_seen keyset_table(struct keyset *k, uint64_t fingerprint);
uint64_t keyset_fingerprint(struct slice key);
void keyset_free(struct keyset *k);

/* --- reading ---------------------------------------------------------------------------------- */

struct live_column {                /* a column of the plan that this file has */
    const struct flat_column *column;
    const struct field *field;      /* its field and that one's slot, for the loop */
    uint32_t cell, slot;
};

struct live_level {
    struct node_blank blank;        /* of the level's group */
    struct live_column *cols;       /* by cell */
    size_t ncols;
    size_t *keys;                   /* cells of the key, in the order of the key */
    size_t nkeys;
};

/* Columns of a file matched with those of its plan. */
struct live {
    const struct flat *flat;
    size_t width;                   /* cells of a row */
    struct live_level levels[FLAT_LEVELS];
    size_t *cell_of;                /* by column of the plan; SIZE_MAX: not in the file */
    size_t key_width;               /* cells that a row must have for its message's key to be known */
    struct node **holder;           /* room for live_fill: instances of the plan's holders */
    size_t outer;                   /* cells 0 … outer-1 hold all outer columns and no inner one; 0 = they are mixed */
};

struct flat_reader {
    struct rows rows;
    const struct flat *flat;
    struct live live;
    bool drained;                   /* the message is too large: nothing more is added to it */
    bool pending;                   /* rows holds a row that is not yet in a message */
    bool twin;                      /* reads a second time, to find where a key stood: judges nothing */
    size_t prefix;                  /* bytes of the outer cells of the last row; 0 = they are mixed with others */
    struct node *node[FLAT_LEVELS]; /* open instance of each level */
    struct node *message;           /* open message */
    const char *start;              /* its first byte in the window; NULL: it began in a window before */
    struct arena *arena;            /* of the message */
    uint64_t last_end;              /* of its last row */
    int rc;
    struct keyset *keys;
    bool too_many;                  /* keys for the set */
    unsigned verified;              /* fingerprints that were looked up in the file again */
    struct live *records;           /* of tagged files, by record */
    struct node **record_node;      /* last instance of each record's group */
    struct joined *joined;          /* by companion of the plan */
    struct row_fault orphan;        /* a bad row whose key is not known, seen behind the message that was given */
    uint64_t orphan_at, orphan_end;
    struct buf orphan_source;       /* its line: the problems' arena may end with the message */
    struct group *raw;              /* without a format */
};

/* The heading of the file (in rows) matched with the plan. */
int live_match(struct live *l, const struct flat *flat, struct rows *w, struct arena *a, struct problems *ps);
/* The same without heading: by position. */
void live_positions(struct live *l, const struct flat *flat, struct arena *a);
/* Fills a node of the level from the row; SKIP when a value is not what the format wants. */
/* A new instance of the level's group, appended to `parent` when it is one of its lists. */
struct node *live_node(const struct live *l, size_t level, struct node *parent, struct arena *a);
int live_fill(const struct live *l, struct rows *w, size_t level, struct node *node, struct arena *a,
              struct problems *ps);

/* Adds the problem of a value that does not fit its field. Returns SKIP. */
int live_problem(const struct node *n, const struct field *f, struct slice text, uint64_t at,
                 const struct fault *fault, struct arena *a, struct problems *ps);
/* The value of a column below an instance of its level; NULL when the group that holds it is not there. */
const struct value *column_value(const struct flat *flat, const struct flat_column *c, const struct node *level);
/* Is every cell of the level void? */
bool live_void(const struct live *l, const struct rows *w, size_t level);
/* Is this row as wide as the file's rows are?  Sets w->fault; false when it is to be passed over (blanks only). */
bool live_width(const struct live *l, struct rows *w);

int flat_read_open(struct reader *r, struct problems *ps);
int flat_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
void flat_read_close(struct reader *r);
/* Parts that flat_read is made of. */
int flat_begin(struct reader *r, struct problems *ps);
int tagged_open(struct reader *r, struct problems *ps);
int tagged_read(struct reader *r, struct node **msg_out, struct problems *ps);
void message_begin(struct reader *r, const struct group *g, struct problems *ps);
/* The message will not grow any more: its bytes are settled now. */
void message_drain(struct flat_reader *st);
int message_end(struct reader *r, struct node **msg_out, struct problems *ps);
int key_check(struct reader *r, struct node *msg, struct problems *ps);
int keys_end(struct reader *r, struct problems *ps);
/* Opens a reader that only looks: no keys, no companions. */
int flat_open_twin(struct reader *r, struct problems *ps);
int joined_open(struct reader *r, struct problems *ps);
int joined_fill(struct reader *r, size_t level, struct node *node, struct problems *ps);
int joined_close(struct reader *r, struct problems *ps);
void joined_release(struct reader *r);
/* "line 12" of an offset of the input, for texts. */
struct slice flat_line(struct problems *ps, struct arena *a, uint64_t at);

int raw_open(struct reader *r, struct problems *ps);
int raw_read(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps);
int raw_inspect(struct source *s, struct buf *json, struct problems *ps);
int raw_bid(struct slice head);
/* The delimiter that splits the head best. */
unsigned char raw_delimiter(struct slice head, enum charset c);

int flat_write_open(struct writer *w, struct problems *ps);
int flat_write(struct writer *w, const struct node *msg, struct problems *ps);
int flat_write_close(struct writer *w, struct problems *ps);
void flat_write_drop(struct writer *w);
/* Spells one value as a cell, quoted where needed or asked for, in the charset; SKIP with the problem added. */
int cell_write(const struct dialect *d, const struct node *n, const struct field *f, const struct value *v,
               bool quote, struct buf *out, struct arena *a, struct problems *ps);

int flat_patch(struct patcher *p, const struct edit *e, struct problems *ps);

#endif
