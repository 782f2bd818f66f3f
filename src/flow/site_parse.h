/*
 * site_parse - what the files that load a site share (private to flow)
 *
 * A cursor walks the tokens of one statement; `word_*` functions take what the grammar expects or say what is missing.
 */
#ifndef WAYBILL_FLOW_SITE_PARSE_H
#define WAYBILL_FLOW_SITE_PARSE_H

#include "flow/site.h"

struct site_loading {
    struct site *site;
    const struct site_env *env;
    struct conf *conf;
    struct arena *arena;
    struct problems *ps;
    struct finder finder;
    struct mapping_env mapping_env;
    struct map formats, mappings;   /* by path and by reference: every reader and mapping shares one compiled format */
    size_t files_cap;
    size_t off_errors;              /* those that only keep a flow off */
    struct map unusable;            /* formats that were told to be wrong, by path */
    size_t later;                   /* formats of a syntax that this version does not have were asked for so often */
};

struct cursor {
    struct site_loading *l;
    struct statement *s;
    size_t at;
};

/* The token at hand; the statement's end when there is none. */
const struct token *cursor_token(const struct cursor *c);
bool cursor_more(const struct cursor *c);
bool cursor_is(const struct cursor *c, const char *word);
/* Moves on when the word stands there. */
bool cursor_take(struct cursor *c, const char *word);

int word_name(struct cursor *c, struct slice *out, const char *what);
int word_string(struct cursor *c, struct slice *out, const char *what);
/* STRING, NUMBER, RANGE or NAME; a minus before a number belongs to it. */
int word_value(struct cursor *c, struct slice *out, const char *what);
/* A NAME path (a/b) or a STRING. */
int word_ref(struct cursor *c, struct slice *out, const char *what);
int word_names(struct cursor *c, struct slice **out, size_t *n, const char *what);
int word_yes(struct cursor *c, bool *out);
int word_duration(struct cursor *c, int64_t *out);
int word_number(struct cursor *c, uint64_t *out, const char *what);
/* Nothing may follow: CONF_WORD with a suggestion from the words (NULL-terminated) that could stand there. */
int word_end(struct cursor *c, const char *const *words);
/* An unknown word: CONF_WORD, suggestion and the list. Returns STOP. */
int word_unknown(struct cursor *c, const char *const *words);
/* The token of a name within the same statement as `t`, for a caret; `t` itself where the name is not of the file. */
struct token site_token(const struct site_loading *l, const struct token *t, struct slice name);
int site_problem(struct site_loading *l, const struct token *t, const char *code, const char *hint, const char *format,
                 ...)
    __attribute__((format(printf, 5, 6)));
int site_warning(struct site_loading *l, const struct token *t, const char *code, const char *hint, const char *format,
                 ...)
    __attribute__((format(printf, 5, 6)));

/* An error that keeps the flow off and nothing else; not said of flows that are off anyway. */
void site_keep_off(struct site_loading *l, struct flow *f, const struct token *t, const char *code, const char *hint,
                   const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* site_flow.c: the statements of one flow. */
int parse_flow(struct site_loading *l, struct statement *s);
/* site_take.c: the take and give statements of an operation. */
int parse_take(struct cursor *c, struct operation *op);
int parse_give(struct cursor *c, struct operation *op);
int parse_ready(struct cursor *c, struct take *t);
/* site_companion.c: files beside the one that is given, or taken. */
void check_given_companions(struct site_loading *l, const struct give *g);
void check_taken_companions(struct site_loading *l, const struct operation *op);
/* site_answer.c: what answers a give; the operations that take the answers stand behind the others of the flow. */
int parse_answer(struct site_loading *l, struct statement *s, struct give *g);
void push_answers(struct site_loading *l, struct flow *f);
void check_answers(struct site_loading *l, const struct operation *op);
/* Once all operations are compiled. */
void check_originals(struct site_loading *l, const struct flow *f);
/* site_exchange.c */
int parse_exchange(struct cursor *c);
/* site_table.c */
int parse_table(struct site_loading *l, struct statement *s);
int parse_set(struct cursor *c, struct settings *sets);
/* site_care.c: who is told of what, where metrics go, how long things are kept. */
int parse_notice(struct cursor *c, struct notices *out);
int parse_reply(struct cursor *c, struct flow *f);
int parse_metrics(struct cursor *c);
int parse_keep(struct cursor *c);
/* The value of a `set`: a word, or `secret "FILE"`: the first line of a file that only its owner may read. */
int parse_secret(struct cursor *c, struct setting *out);
void check_care(struct site_loading *l);
/* site_compile.c: formats and mappings of an operation, loaded, compiled, fitting together. */
int operation_compile(struct site_loading *l, struct operation *op);
int site_format(struct site_loading *l, struct slice ref, const struct token *t, struct format **out);
/* What the operation's mappings need from outside: params and tables; after all operations are compiled. */
void operation_bind(struct site_loading *l, struct operation *op);
int site_no_table(struct site_loading *l, const struct token *t, struct slice name);
/* Whether the flow may write the table. */
int site_fills(struct site_loading *l, const struct flow *f, const struct site_table *table, const struct token *t);
/* site_batch.c: what a flow stages; what an operation of it takes, gives into batches and stamps. */
void flow_batch(struct site_loading *l, struct flow *f);
/* The first param of the mapping that is required and that neither the site nor the run gives; n 0 = none. */
struct slice site_param_missing(const struct operation *op, const struct settings *run, const struct mapping *m);
int operation_source(struct site_loading *l, struct operation *op);
int stage_give(struct site_loading *l, struct give *g);
int stage_mapping(struct site_loading *l, const struct give *g);
void operation_done(struct site_loading *l, struct operation *op);
/* site_later.c: features that this version does not carry out keep their flow off. */
void site_later(struct site_loading *l, struct flow *f);
/* name.c: the template of a give. */
int name_compile(struct site_loading *l, struct give *g);
/* site_check.c: everything that needs the whole site. */
void site_check(struct site_loading *l);

#define LIST_PUSH(l, owner, list, n, item) site_push((l)->arena, (void ***)(void *)&(owner)->list, &(owner)->n, (item))
/* Appends a pointer to a list that grows by doubling at powers of two. */
void site_push(struct arena *a, void ***list, size_t *n, void *item);

#endif
