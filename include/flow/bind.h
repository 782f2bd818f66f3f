/*
 * bind - params and tables of a mapping without a site
 *
 * `convert`, the tests of mappings, the laws and the library run a mapping alone; this gives it what site.conf gives in
 * a site.
 *
 *     struct binding *b = binding_new(arena, &env, limits);
 *     binding_set(b, name, value);  binding_table_file(b, name, path, format);  binding_load(b, "case.conf", problems);
 *     struct outside o;  binding_outside(b, &o);
 *     conversion.judged = …; in it: binding_message(b, message, outcome)         for tables `of batch`
 *
 * A case.conf is a small site.conf:  set NAME VALUE | table NAME "file" [format REF] | table NAME of batch |
 * table NAME { rows, the first is the heading } | direction backward | direction forward |
 * report MAPPING [OPERATION] | said { rows: what earlier operations said } | state NAME ($state of every instance) |
 * time "2026-01-02T03:04:05" | sequence NAME [from N] [size N] | attachments "folder". Files are looked up beside it.
 * With an original the direction is backward, unless it is said or the mapping runs forward only.
 *
 * Owner:   everything lives in the arena; texts given are copied.
 * Errors:  OK or STOP (BIND_…, CONF_…).  A table that the mapping declares and nobody binds is empty.
 */
#ifndef WAYBILL_FLOW_BIND_H
#define WAYBILL_FLOW_BIND_H

#include "base/limit.h"
#include "mapping/mapping.h"

struct binding;

/* `from` is the mapping's file: formats of tables are looked up beside it. */
struct binding *binding_new(struct arena *a, const struct mapping_env *env, const struct limits *limits,
                            const char *from);
void binding_set(struct binding *b, struct slice name, struct slice value);
/* `format` n 0: comma-separated text with a header row, all columns text. */
void binding_table_file(struct binding *b, struct slice name, const char *path, struct slice format);
/* Where attachment() finds the files that a message names. */
void binding_attachments(struct binding *b, const char *folder);
/* Earlier messages of the document are the rows. */
void binding_table_batch(struct binding *b, struct slice name);
int binding_load(struct binding *b, const char *path, struct problems *ps);
/* Which way to run: what was said, else backward if there is an original that the mapping can go back to. */
enum mapping_direction binding_direction(const struct binding *b, const struct mapping *m, bool original);
struct slice binding_report(const struct binding *b);   /* `report MAPPING`: its outcomes are what the mapping
                                                           reports */
struct slice binding_operation(const struct binding *b);    /* the operation that they name; slice_none() */
const struct outcome *binding_said(const struct binding *b);    /* for a report over the log; NULL = nothing */
void binding_time(struct binding *b, struct slice batch_time);
void binding_file(struct binding *b, struct slice file_name);
/* Params and tables that were given although the mapping, and the one that it reports of (NULL: none), declare none of
   that name: BIND_PARAM, BIND_TABLE with a suggestion; tables that are needed and not given. */
int binding_check(const struct binding *b, const struct mapping *m, const struct mapping *judge, struct problems *ps);
void binding_outside(struct binding *b, struct outside *out);
/* A message that gave output becomes a row of the tables `of batch`. */
void binding_message(struct binding *b, const struct node *message, const struct outcome *o);
/* Forgets the rows of tables `of batch` and restarts sequences: before another document. */
void binding_restart(struct binding *b);

#endif
