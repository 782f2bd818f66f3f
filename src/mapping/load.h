/*
 * load (private) - from the statements of a .map file to scopes and items
 *
 * mapping.c reads header and declarations, load.c the statements of the scopes.
 */
#ifndef WAYBILL_MAPPING_LOAD_H
#define WAYBILL_MAPPING_LOAD_H

#include "program.h"

struct block {
    struct slice name;
    const struct conf *conf;
    struct statement *st;
    bool used, open;                /* open: being expanded, so that it cannot use itself */
    struct block *next;
};

struct pending {                    /* statements that are no declarations, in the order of the files */
    const struct conf *conf;
    struct statement *st;
};

/* What a mapping may hold in all: blocks that use blocks could otherwise double without end. */
enum { MAPPING_STATEMENTS = 10000 };

struct loader {
    struct arena *arena;
    const struct mapping_env *env;
    struct mapping *mapping;
    struct program *program;
    struct problems *ps;
    const struct conf *conf;        /* of the statement at hand */
    struct block *blocks;
    struct pending *pending;
    size_t npending, cap_pending;
    struct slice *included;
    size_t nincluded, cap_included;
    size_t cap_params, cap_tables;
    size_t nstatements;             /* a block counts where it is used */
    bool failed, full;
};

/* declare.c */
bool declare_header(struct loader *l, struct statement *st);
/* Takes declarations; other statements go to l->pending. */
void declare_all(struct loader *l, struct statement *first);

/* load.c */
struct scope *scope_new(struct loader *l, struct scope *parent, struct item *row, const struct group *left,
                        const struct group *right);
/* Counts a statement; false when there are too many, which is told once. */
bool load_room(struct loader *l, const struct token *t);
void load_statement(struct loader *l, struct scope *s, struct statement *st);
void load_fail(struct loader *l, const struct token *t, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void note_mutant(struct loader *l, int kind, const struct statement *st);
struct item *load_item(struct loader *l, struct scope *s, enum item_kind kind, struct statement *st);
void load_sort_keys(struct loader *l, struct parser *p, struct names *n, struct sort_key **keys, size_t *count);

/* consolidate.c */
void load_consolidate(struct loader *l, struct scope *s, struct statement *st);

/* policy.c */
bool load_verdict(struct loader *l, struct parser *p, struct scope *s, int side, struct verdict *v);
void load_policy(struct loader *l, struct scope *s, struct parser *p, struct statement *st, bool right, bool left);
void load_names(const struct loader *l, struct scope *s, int side, struct names *n);

/* parser helpers of both */
bool parse_arrow(struct parser *p, enum mapping_arrow *out);
struct slice parse_ref(struct parser *p);

#endif
