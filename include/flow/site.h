/*
 * site - one directory tree with a site.conf: its flows, folders, tables, settings
 *
 *     struct site *site;
 *     rc = site_load(arena, &env, "shop", &site, problems);         site.conf, every format and mapping it names
 *     flow = site_flow(site, SLICE("articles"));
 *
 * Loading parses the whole grammar of LANGUAGE.md section 5, loads and compiles what the operations need, and reports
 * all faults at once.  A flow that cannot be switched on (a required param without value, a feature that this version
 * does not carry out) stays off: `flow->off` says why; the other flows work.
 *
 * Units:   durations in milliseconds.
 * Owner:   everything lives in the arena given to site_load; immutable afterwards.
 * Errors:  OK, or STOP when the site is wrong (SITE_…, CONF_…, FMT_…, MAP_…).  Problems of flows that merely stay off
 *          are among the errors, but the result is OK then.
 * Source:  LANGUAGE.md section 5, DESIGN.md sections 6 to 8.
 */
#ifndef WAYBILL_FLOW_SITE_H
#define WAYBILL_FLOW_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/date.h"
#include "base/limit.h"
#include "base/map.h"
#include "base/problem.h"
#include "batch/batch.h"
#include "conf/conf.h"
#include "format/format.h"
#include "mapping/formula.h"
#include "mapping/mapping.h"

struct setting {
    struct slice name, value;
    struct token token;             /* of the name */
    bool used;                      /* some mapping declares a param of that name */
    bool secret;                    /* its value came from a `secret FILE`: never shown, never written down */
};

struct settings {
    struct setting *list;
    size_t n, cap;
};

enum site_table_kind { TABLE_FILE, TABLE_ROWS, TABLE_OF_FLOW, TABLE_OF_BATCH, TABLE_OF_OPEN };

struct site_table {
    struct slice name;
    enum site_table_kind kind;
    struct slice file;              /* TABLE_FILE: below the site */
    const char *path;               /* the same, with the site's folder */
    struct slice format_ref;
    struct format *format;          /* NULL: none given */
    struct slice *keys;             /* `key A, B`: in place of the format's own */
    size_t nkeys;
    struct slice *filled;           /* the flows that may write it */
    size_t nfilled;
    struct slice flow;              /* TABLE_OF_FLOW */
    struct slice when;              /* a field that must have a value; n 0 = every message */
    struct slice *keep;
    size_t nkeep;
    struct slice *columns;          /* TABLE_ROWS: heading, keys first */
    size_t ncolumns;
    struct slice **rows;
    size_t nrows;
    uint32_t index;                 /* in site->tables */
    struct token token;
};

struct site_sequence {
    struct slice name;
    uint64_t from, to;              /* to 0 = no end */
    uint32_t size;                  /* digits, padded with zeros; 0 = as they come */
    struct token token;
};

struct party {
    struct slice name, title;
    bool self;
    struct statement *block;        /* identities and agreements, for the EDI syntaxes */
    struct token token;
};

/* Files to (push) or from (fetch) a partner's server. */
struct exchange_way {
    bool push;
    const char *local, *remote;     /* a folder of the site; a folder there */
    struct token token;
};

/* `exchange NAME "sftp://user@host:port" { … }`: carried out by the command of that name, not by the watcher. */
struct site_exchange {
    const char *name, *host, *user; /* user NULL = as ssh decides */
    unsigned port;                  /* 0 = 22 */
    const char *identity, *known_hosts;     /* paths; known_hosts is required */
    int64_t every, stable;
    struct exchange_way *ways;
    size_t nways;
    struct token token;
};

/* Which field of a taken message the ledger keeps, because a table `of flow` asks for it.  Of staged messages, whose
   records come anew with each change, also whether a field has a value, and the batch. */
enum kept_how { KEPT_VALUE, KEPT_WHETHER, KEPT_BATCH };
struct kept_field {
    struct slice name;
    const struct field *field;      /* NULL: KEPT_BATCH */
    enum kept_how how;
};

/* `state sent when SendDate`: an instance has the last state whose conditions hold from the top. */
struct track_state {
    struct slice name;
    struct formula *when;           /* NULL: always */
    struct token token;
};

/* `batch-time() => Order/Line/SendDate` of a `done`. */
struct stamp {
    const struct group *group;      /* at its instances the value is worked out */
    const struct field *field;
    struct formula *value;
};

enum take_kind { TAKE_INBOX, TAKE_BATCH, TAKE_TABLE };

struct name_part;                   /* flow/name.h */

struct site_companion {
    struct slice name, pattern;     /* name n 0: files named by a field, for attachment() */
    struct token token;             /* of the pattern */
    struct name_part *parts;        /* of a give: the name of the output */
    size_t nparts;
};

struct take {
    enum take_kind kind;
    struct slice folder;            /* as written: "inbox/orders" */
    const char *path;
    struct slice table_name;
    struct site_table *table;       /* TAKE_TABLE */
    bool ready_given, ready_name, ready_complete, newest;
    bool unpack;                    /* a dropped archive is opened, and each member is a batch of its own */
    int64_t stable;                 /* -1 = no such term */
    struct slice done, manifest;    /* n 0 = no such term */
    struct site_companion *companions;
    size_t ncompanions;
    struct slice type, from;
    struct token token;
};

/* `answer inbox "inbox/answers" map M by order within 10m`: taken by an operation of its own, OPERATION.MAP. */
struct give_answer {
    bool by_order;                  /* an answer names no message: it is that of the call under way */
    int64_t within;                 /* ms; 0 = for ever */
    struct operation *operation;
    struct token token;
};

enum give_kind { GIVE_OUTBOX, GIVE_BATCH, GIVE_TABLE };

struct give {
    enum give_kind kind;
    uint32_t index;                 /* in its operation */
    struct operation *operation;
    struct slice folder;            /* GIVE_OUTBOX */
    const char *path;
    struct slice name;
    struct name_part *name_parts;
    size_t nname_parts;
    struct token name_token;
    struct site_table *table;       /* GIVE_TABLE */
    struct slice table_name;
    bool replace, new_batch;
    struct slice map_ref;           /* n 0: the document goes as it is */
    struct token map_token;
    bool backward, original, report, each, empty_skip, on;
    struct site_companion *companions;
    size_t ncompanions;
    struct give_answer *answer;     /* NULL = nobody answers */
    bool judges;                    /* what it says of a message is a judgement: its mapping has `require`, or the
                                       operation has `done` or stages */
    struct mapping *mapping;        /* NULL: as it is */
    bool *writes;                   /* GIVE_TABLE: by slot of the row, whether the mapping writes that column */
    enum mapping_direction direction;
    struct format *from, *to;
    struct token token;
};

struct operation {
    struct slice name, title;
    struct flow *flow;
    uint32_t index;                 /* in its flow */
    bool on, manual, serial;
    int64_t every;                  /* 0 = on a drop */
    struct slice *after;
    size_t nafter;
    struct settings sets;
    struct take take;
    struct give **gives;
    size_t ngives;
    const struct give *answers;     /* it takes the answers to what this give called for; NULL = an ordinary one */
    struct give *stage;             /* its `give batch`; NULL = none.  With `new`: a file makes a batch, else it (or the
                                       batch itself) changes batches that are there */
    struct statement *done;
    struct stamp *stamps;           /* of `done` */
    size_t nstamps;
    struct format *format;          /* of what it takes */
    const struct group *message;    /* its first message group */
    struct kept_field *kept;        /* for tables `of flow` */
    size_t nkept;
    /* What hinders running several of its files at the same time (each is delivered in order all the same). */
    bool reads_itself, fills_table, numbers;
    bool last_run;                  /* a param is `last-run`: the batch time of the newest batch that this operation
                                       delivered */
    bool own_duplicates;            /* `duplicates content …` of its own, else the flow's counts */
    enum duplicate_policy duplicates;
    bool duplicates_key;            /* a business key that came before is told: the ledger keeps the keys */
    struct token token;
};

enum duplicate_what { DUPLICATE_CONTENT, DUPLICATE_REFERENCE, DUPLICATE_KEY, DUPLICATE_WHATS };

/* When somebody is told: `notice rejected, gave-up "tell.sh"`, `notice stopped mail "ops@example.com"`. */
enum notice_event {
    NOTICE_REJECTED,                /* a file, or messages of it, went to error/ */
    NOTICE_OVERDUE,                 /* a batch is not finished so long after it came */
    NOTICE_GAVE_UP,                 /* a batch went to error/ because of a fault of the world, not of its sender */
    NOTICE_DELIVERED,
    NOTICE_STOPPED,                 /* the watcher ends, or cannot go on */
    NOTICE_EVENTS
};
extern const char *const notice_names[];            /* "rejected" …, NULL at the end */

struct site_notice {
    unsigned events;                /* 1 << enum notice_event, added */
    const char *program;            /* below the site unless it begins with "/"; NULL = mail */
    const char *address;
    int64_t after;                  /* of NOTICE_OVERDUE, ms */
    struct token token;
};

struct notices {
    struct site_notice *list;
    size_t n, cap;
};

struct flow {
    struct slice name, title;
    struct site *site;
    uint32_t index;                 /* in site->flows */
    bool on;
    const char *off;                /* not NULL: why it stays off although it is `on yes` (a problem code) */
    bool faulty;                    /* something of it cannot be used: only in a site that was loaded with env.config,
                                       whose other flows may be whole */
    struct token on_token;          /* the statement `on yes`, or the flow's name */
    struct slice partner;
    struct settings sets;
    int64_t every;                  /* default of its operations */
    enum duplicate_policy duplicates[DUPLICATE_WHATS];
    int64_t *retry;                 /* delays; the last repeats */
    size_t nretry;
    bool any_order;
    struct notices notices;
    const char *reply;              /* folder for answers to the sender of a refused file; NULL = none */
    struct token reply_token;
    struct slice batch_ref;
    struct token batch_token;
    struct statement *batch_statement;
    size_t track_at;                /* of its tokens: the path behind `track`; 0 = none */
    struct format *batch;           /* of staged documents; NULL: this flow does not stage */
    const struct group *batch_group;            /* the staged message */
    const struct group *track;      /* the instances that have states: the message or a group below it; NULL = none */
    struct track_state *states;     /* from the first to the last */
    size_t nstates;
    struct kept_field *kept;        /* of staged messages, for tables `of flow` */
    size_t nkept;
    struct operation **operations;
    size_t noperations;
    struct token token;
};

/* Texts that count in place of the files': those of an earlier state of the site. */
struct site_config {
    struct slice conf;              /* of site.conf; p NULL: the file's own */
    /* formats and mappings: path as config_path() gives it -> struct slice *; others are read as they are */
    struct map files;
};

/* What `site_load` needs from outside. */
struct site_env {
    const char *const *roots;       /* more folders to look for formats and mappings, NULL-terminated; may be NULL */
    const struct setting *given;    /* --set NAME=VALUE */
    size_t ngiven;
    const struct site_config *config;           /* NULL: all files as they are */
};

struct site {
    struct arena *arena;
    struct site_env env;            /* that it was loaded with */
    const char *dir, *file;         /* the folder, and its site.conf */
    struct conf *conf;
    struct slice title, language, zone_name;
    const struct zone *zone;
    struct limits limits;
    struct settings sets;
    struct settings given;          /* --set */
    bool shared;                    /* several hosts stand by for it: lease.h */
    int64_t keep_archive, keep_log, keep_error;     /* -1 = for ever */
    const char *metrics;            /* text file for node_exporter; NULL = none */
    struct notices notices;
    struct map texts;               /* "LANGUAGE/CODE" -> struct slice * */
    struct party *parties;
    size_t nparties;
    struct site_table **tables;
    size_t ntables;
    struct site_sequence *sequences;
    size_t nsequences;
    struct site_exchange *exchanges;
    size_t nexchanges;
    struct flow **flows;
    size_t nflows;
    char hash[65];                  /* SHA-256 of site.conf */
    struct config_file *files;      /* formats and mappings that were opened */
    size_t nfiles;
};

struct config_file {
    const char *path;
    char hash[65];
    struct slice content;
};

/* `dir` is the site's folder or its site.conf. */
int site_load(struct arena *a, const struct site_env *env, const char *dir, struct site **out, struct problems *ps);

struct flow *site_flow(const struct site *s, struct slice name);            /* NULL = none of that name */
struct operation *flow_operation(const struct flow *f, struct slice name);
struct site_table *site_table(const struct site *s, struct slice name);
struct site_sequence *site_sequence(const struct site *s, struct slice name);
/* The value of a param for an operation: --set, operation, flow, site; slice_none() when nobody sets it. */
struct slice site_setting(const struct operation *op, struct slice name);
/* A required param that neither the site nor the settings of this run (may be NULL) give; n 0 = there is none.  Asked
   before an operation that is started by hand begins: only for those the site need not give all. */
struct slice operation_param_missing(const struct operation *op, const struct settings *run);
/* The name under which the ledger keeps whether a field of a staged message has a value. */
struct slice kept_whether(struct arena *a, struct slice field);
/* Whether site.conf takes that value from a `secret FILE`: another one that a command gives in its place is a secret
   too. */
bool site_setting_secret(const struct operation *op, struct slice name);
/* Another text for a CODE in the site's language, or slice_none(). */
struct slice site_text(const struct site *s, const char *code);

#endif
