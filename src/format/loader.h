/*
 * loader - a format while it is compiled (private to layer format)
 *
 * Two rounds: first all files are read and their headers and declarations collected, so that order does not matter;
 * then the members are compiled.  Declarations are compiled once for themselves, which reports their faults, and again,
 * quietly, wherever they are used.
 */
#ifndef WAYBILL_FORMAT_LOADER_H
#define WAYBILL_FORMAT_LOADER_H

#include "conf/conf.h"
#include "format/format.h"
#include "format/type.h"

#define FORMAT_FIELDS 32768
#define FORMAT_GROUPS 16384
#define FORMAT_INCLUDES 64          /* files that make one format */
#define FORMAT_FEW 256              /* namespaces, replacements, defaults */
#define FORMAT_WORK 200000          /* members that are compiled for one format, again and again */
#define FORMAT_DEPTH 64             /* groups within groups: the depth of documents, base/limit.h */
#define FORMAT_GUIDES 8             /* guides of guides */

/* A statement with the file it stands in. */
struct declared {
    struct conf *conf;
    struct statement *statement;
    bool busy;                      /* is being expanded just now: meeting it again is a cycle */
    bool cyclic;                    /* said once */
    struct code *codes;             /* of `codes` */
    size_t ncodes;
};

struct pending_key {
    struct conf *conf;
    struct token *token;
    struct group *group;
    size_t part;
    bool quiet;
};

struct loader {
    struct arena *arena;
    const struct finder *finder;
    struct problems *problems;
    struct format *format;
    struct conf *conf;              /* of the statement at hand */
    struct map types, shapes, codes; /* name to struct declared */
    struct declared *defaults, *members;
    size_t ndefaults, defaults_cap, nmembers, members_cap;
    struct pending_key *keys;
    size_t nkeys, keys_cap;
    struct slice *loaded;           /* paths of the files being included, outermost first */
    size_t nloaded, loaded_cap, nfiles;
    struct buf source;              /* bytes of all files */
    size_t nfields, ngroups;
    size_t made;                    /* members compiled, those of checks included */
    unsigned depth;                 /* of shapes within shapes */
    unsigned guides;                /* guides of guides above this one */
    unsigned quiet;                 /* > 0: faults were reported before */
    bool failed, full;
    struct declared *guide;         /* the `guide of` statement */
};

/* The tokens of one statement, one after the other. */
struct cursor {
    struct loader *loader;
    const struct statement *statement;
    size_t i;
};

enum target_kind { ON_FIELD = 1, ON_GROUP = 2, ON_MESSAGE = 4, ON_SHAPE = 8, ON_TYPE = 16, ON_GUIDE = 32 };

/* What attributes are stated of. */
struct target {
    enum target_kind on;
    struct field *field;            /* of a member: both, until its number tells which it is */
    struct group *group;
    bool keyed;                     /* this statement gave a key already */
};

/* Reports at a token of the current file; returns STOP. `hint` may be NULL. */
int loader_bad(struct loader *l, const struct token *t, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static inline const struct token *cursor_peek(const struct cursor *c)
{
    return c->i < c->statement->n ? &c->statement->tokens[c->i] : &c->statement->end;
}

static inline bool cursor_more(const struct cursor *c)
{
    return c->i < c->statement->n;
}

bool cursor_op(struct cursor *c, enum token_op op);             /* takes it if it stands there */
bool cursor_name(struct cursor *c, const char *name);
int cursor_string(struct cursor *c, struct slice *out);
int cursor_number(struct cursor *c, uint32_t max, uint32_t *out);
int cursor_word(struct cursor *c, const char *what, struct slice *out);   /* NAME or NUMBER */
int cursor_value(struct cursor *c, struct slice *out);          /* STRING, NUMBER, RANGE, NAME, - NUMBER */
int cursor_values(struct cursor *c, struct slice **out, size_t *n);
int cursor_ref(struct cursor *c, struct slice *out);
int cursor_done(struct cursor *c);
bool token_is_word(const struct token *t);
/* "0..5" or "3" of a token; false when it is neither or the wrong way round. */
bool token_bounds(const struct token *t, uint32_t *from, uint32_t *to);
/* What stands at the token, for messages: `…` or "the end of the line". */
const char *token_shown(struct loader *l, const struct token *t);

/* format.c: the standard that a guide restricts. */
int loader_standard(struct loader *l, struct slice ref, struct format **out);
/* format.c: reads a format file and all that it includes, into the lists of the loader. */
int loader_collect(struct loader *l, struct conf *conf);
/* header.c: 1 = this statement is a header or declaration and was taken, 0 = it is a member. */
int header_take(struct loader *l, struct statement *s);
extern const char *const header_words[];                        /* NULL-terminated */
/* codefile.c */
int codes_load(struct loader *l, const struct token *t, struct slice name, struct declared *d);
/* attr.c */
int attributes_parse(struct cursor *c, struct target *t);
/* Canonical codes, patterns, flags: after the last attribute of a field. */
int attributes_finish(struct loader *l, struct field *f, const struct token *t);
/* spelling.c */
int spelling_parse(struct cursor *c, struct spelling *out);
/* The step that a name itself makes, for members without `at`. */
void spelling_of_name(struct loader *l, struct spelling *at, struct slice name, const struct token *t);
/* member.c */
int members_compile(struct loader *l);
int occurs_parse(struct cursor *c, uint32_t *min, uint32_t *max);
int type_find(struct loader *l, struct slice name);             /* enum type or -1 */
/* The base type, or the type and the shape that are nearest, "" otherwise. */
const char *type_suggest(struct loader *l, struct slice name);
/* key.c */
int key_parse(struct cursor *c, struct target *t);
void keys_resolve(struct loader *l);
/* guide.c */
int guide_apply(struct loader *l);

#endif
