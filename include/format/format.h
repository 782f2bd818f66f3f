/*
 * format - how bytes spell a tree: a NAME.format file, compiled
 *
 *     struct format *f;
 *     int rc = format_load(arena, finder, "24so-orders", NULL, &f, problems);
 *
 * A format is a tree of groups and fields.  Every field of a group has a slot (index into node->values), every child
 * group a child index (index into node->children); an instance of a group is a struct node.  The root group `file`
 * holds the members that stand outside `message` and, as its first children, the messages in the order of the file.
 * Source: LANGUAGE.md section 2.  Syntaxes put what they need of their own (tries, tag texts) into `plan`.
 *
 * Owner:   everything lives in the arena given to format_load; immutable afterwards and free to share between threads.
 * Errors:  OK or STOP; all faults of the file are reported with place, caret and suggestion (FMT_…).
 * Limits:  32,768 fields and 16,384 groups per format (a full EDIFACT message has some 3,000 and 1,000).
 */
#ifndef WAYBILL_FORMAT_FORMAT_H
#define WAYBILL_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/charset.h"
#include "base/map.h"
#include "base/problem.h"
#include "base/slice.h"
#include "conf/conf.h"

enum type { TYPE_TEXT, TYPE_INTEGER, TYPE_DECIMAL, TYPE_DATE, TYPE_TIME, TYPE_DATETIME, TYPE_BOOLEAN, TYPE_BINARY };
extern const char *const type_names[];

#define OCCURS_MANY UINT32_MAX

enum field_flags {
    FIELD_REQUIRED = 1 << 0,        /* must have a value, when read and when written */
    FIELD_ALWAYS   = 1 << 1,        /* written even when it is nothing */
    FIELD_LAX      = 1 << 2,        /* a value that does not fit counts as nothing, raw() gives it */
    FIELD_TRIM     = 1 << 3,
    FIELD_LETTERS  = 1 << 4,
    FIELD_BLANK_IS_NOTHING = 1 << 5,
    FIELD_RELAX    = 1 << 6,
    FIELD_UNUSED   = 1 << 7,
    FIELD_PLAIN    = 1 << 8,        /* computed: canonical text is the spelling, reading and writing need no conversion
                                       beyond checking (text without limits; see type_read, type_write) */
    FIELD_SENSITIVE = 1 << 9,       /* its values are shown to nobody: masked in problems, logs and pages */
};

/* One step of an `at` path: `cac:Party`, `@number`, `*`, `.`; `key` is the text in brackets (HL["S"]). */
struct step {
    struct slice prefix, name;      /* `cac`, `Party`; name `*` or `.` for those */
    struct slice uri;               /* resolved namespace of the prefix; for elements without prefix the default one */
    bool attribute;
    struct slice key;
};

struct spelling {
    enum { AT_NONE, AT_TITLE, AT_POSITION, AT_RANGE, AT_PATH } kind;
    struct slice title;             /* AT_TITLE */
    uint32_t from, to;              /* AT_POSITION: from; AT_RANGE: both */
    bool absolute;                  /* AT_PATH that begins with "/" */
    struct step *steps;
    size_t nsteps;                  /* AT_NONE: one step all the same, made of the name (`cbc:ID` with its namespace) */
    struct token token;             /* where it is written; of the member when there is no `at` */
};

struct code {
    struct slice value, title;
};

struct pattern;                     /* a compiled date or text pattern: format/type.h */

struct field {
    struct slice name, title;
    uint32_t slot;                  /* in values[] of its group's nodes */
    enum type type;
    uint32_t flags;                 /* enum field_flags */
    struct group *group;
    struct spelling at;
    uint32_t min_occurs, max_occurs; /* max 1 for now in csv and xml; a repeated field is a group with one value "." */
    uint32_t max, min, size;        /* characters or digits; 0 = none */
    uint32_t implied;               /* implied decimals; 0 = none */
    int32_t scale_min, scale_max;   /* -1 = as it came */
    struct slice mark;              /* accepted decimal marks, the first is written; "." by default */
    struct slice grouping;
    struct slice pad;               /* one character; pad.n 0 = none */
    bool pad_left;
    struct slice sign;              /* "trailing", "overpunch" …; n 0 = leading */
    struct slice true_text, false_text;
    struct slice prefix;            /* binary */
    struct slice *nothing;          /* placeholders */
    size_t nnothing;
    struct code *codes;             /* the only values allowed; NULL = any */
    size_t ncodes;
    struct pattern *pattern;        /* compiled; NULL = the type's canonical spelling */
    struct slice pattern_text;
    struct token token;             /* of its name in the format file */
    /* Computed by field_finish(): the fast paths of format/type.h. */
    uint8_t read_fast;              /* enum type_fast */
    uint8_t write_fast;
    uint32_t fast_max;              /* bytes that surely keep to `max` */
    struct slice *nothing_canonical; /* the placeholders that fit the type, canonical: "0" means 0.00 too */
    size_t nnothing_canonical;
    struct map *code_map;           /* of long code lists */
    const char *file;               /* that declares it, for hints: the format or one that it includes */
};

struct group {
    struct slice name, title;
    struct group *parent;           /* NULL for the file group */
    struct format *format;
    uint32_t index;                 /* in children[] of the parent's nodes */
    uint32_t id;                    /* number in the format, file group 0 */
    uint32_t min_occurs, max_occurs;
    bool is_message;
    bool again;                     /* csv: a key that comes again is another message */
    bool single_value;              /* a repeated field: one field, named "." */
    struct spelling at;
    struct field **fields;
    size_t nfields;
    struct group **groups;
    size_t ngroups;
    /* The members in the order of the file: field or group, as writers need them. */
    struct member { struct field *field; struct group *group; } *members;
    size_t nmembers;
    /* `key A, B/C`: resolved; group = holder below this one, NULL when the field is its own */
    struct keypart { struct slice path; struct group *group; struct field *field; } *keys;
    size_t nkeys;
    struct slice companion, join;   /* `file lines join OrderNo` */
    struct token token;
    /* Computed by format_finish(): what node_check() looks at. */
    struct field **checked;         /* required or unused fields */
    size_t nchecked;
    struct group **bounded;         /* child groups with a least or most number, or with something to check below */
    size_t nbounded;
    const char *file;               /* that declares it, for hints */
};

struct namespace {
    struct slice prefix, uri;
};

struct header {                     /* a header of the syntax: `delimiter ";"` */
    struct slice name;
    struct slice value;             /* slice_none() when it stands alone */
    struct token token;
};

struct replacement {
    struct slice from, to;
};

/* A line of a guide about some instances only: `Party["BY"]/NAD/C082 1`.  Lines without keys change the tree. */
struct guide_rule {
    struct guide_step {
        struct group *group;
        struct slice *keys;         /* texts in brackets, as many as the group has key parts; NULL = every instance */
        size_t nkeys;
    } *steps;                       /* from below the message down to the last group */
    size_t nsteps;
    struct field *field;            /* a restricted copy of the field; NULL: the rule is about the last group */
    uint32_t min_occurs, max_occurs;
    struct group *message;
    struct slice path, title;       /* as written; the remark behind it */
    struct token token;
};

struct format {
    struct slice name;              /* as referred to: "24so-orders" */
    const char *file;               /* path, for messages */
    struct slice syntax;            /* "csv", "xml" … */
    enum charset charset;           /* CHARSET_UTF_8 by default */
    bool charset_given;
    struct namespace *namespaces;
    size_t nnamespaces;
    struct header *options;         /* in order; the last of a name counts: format_option() */
    size_t noptions;
    struct replacement *replacements;
    size_t nreplacements;
    struct group *file_group;
    struct group **messages;
    size_t nmessages;
    struct group **all_groups;      /* by id */
    size_t ngroups;
    struct conf *conf;
    struct slice text_hash_source;  /* the bytes of the file and its includes, for the hash that a batch pins */
    void *plan[2];                  /* compiled by the syntax: [0] to read, [1] to write */
    struct slice guide_of;          /* the standard that this guide restricts; slice_none() = no guide */
    struct guide_rule *rules;
    size_t nrules;
    struct arena *arena;            /* that it was compiled in */
    const struct conf **confs;      /* the file and all that it includes */
    size_t nconfs;
    struct hidden hidden;           /* names of its sensitive fields, for problems_hide() */
    struct slice charset_text;      /* the charset as its author spells it: `utf-8`; n 0 = not given */
};

/* Finds files by reference: beside `from`, then in each root.  Layer format, mapping and flow share it. */
struct finder {
    const char *const *roots;       /* folders, NULL-terminated: the site's mappings, then the installed ones */
    /* Called once for each file that was opened, e.g. to pin its hash; may be NULL. */
    void (*opened)(void *owner, const char *path, struct slice content);
    /* The content that counts in place of the file's, also where there is no such file any more; false: the file's.
       May be NULL. */
    bool (*kept)(void *owner, const char *path, struct slice *content);
    void *owner;
};

/* The path of NAME with `suffix` (".format"), in the arena, or NULL. `from` is the referring file or NULL. */
const char *finder_find(const struct finder *f, struct arena *a, struct slice name, const char *suffix,
                        const char *from);

/* What a file that was found holds, told to `opened`. `max` as file_read. */
int finder_read(const struct finder *f, struct arena *a, const char *path, uint64_t max, struct slice *out,
                struct problems *ps);
/* The same parsed; *out is NULL when it cannot be read. */
int finder_conf(const struct finder *f, struct arena *a, const char *path, struct conf **out, struct problems *ps);

/* "did you mean `orders`?" for a NAME that is not there, from the files beside `from` and in the roots; or
   slice_none(). */
struct slice finder_suggest(const struct finder *f, struct arena *a, struct slice name, const char *suffix,
                            const char *from);

/* `from` is the referring file (may be NULL); a name that ends in ".format" or holds "/" may be a path too. */
int format_load(struct arena *a, const struct finder *finder, struct slice name, const char *from, struct format **out,
                struct problems *ps);
/* The same from a parsed conf: for tests and for formats made by the program. */
int format_compile(struct arena *a, const struct finder *finder, struct slice name, struct conf *c, struct format **out,
                   struct problems *ps);

/* The file that a token of the format comes from, its own or an included one: for conf_problem(). */
const struct conf *format_conf(const struct format *f, const struct token *t);

/* An option's value, or `otherwise` when it is not given. An option that stands alone gives the empty text. */
struct slice format_option(const struct format *f, const char *name, struct slice otherwise);
struct field *group_field(const struct group *g, struct slice name);    /* NULL = none */
struct group *group_child(const struct group *g, struct slice name);
/* "/Interchange" or "Line/Item": for messages, below the message; in the arena. */
struct slice field_path(struct arena *a, const struct field *f);
struct slice group_path(struct arena *a, const struct group *g);

/* Formats made by the program, as that of $outcome: the file group.  A message is a group below it with is_message. */
struct group *format_new(struct arena *a, const char *name, const char *syntax, struct format **out);
struct group *group_add(struct arena *a, struct group *parent, const char *name, uint32_t min, uint32_t max);
struct field *group_add_field(struct arena *a, struct group *g, const char *name, enum type type);
/* Recomputes what depends on the attributes: after a field made by hand got some. OK, or STOP with a fault
   (format/type.h) when they do not fit. */
struct fault;
int field_finish(struct arena *a, struct field *f, struct fault *fault);
/* Numbers the groups, collects what node_check() looks at: after the last group of a format made by hand was added. */
void format_finish(struct arena *a, struct format *f);

#endif
