/*
 * cmd - the command line: one table of commands, one file each
 *
 * main() calls cmd_main(); it finds the verb in the table and calls its function with argv[0] = the verb.  A new
 * command is one file src/cmd/cmd_VERB.c, which exports nothing but
 *
 *     const struct command command_VERB = { .verb = "check", .run = run, .usage = …, .summary = …, .help = … };
 *
 * and one line in the table of cmd.c.  Only cmd and flow print: problems to standard error, results to standard output.
 *
 * Errors:  run returns the exit code: EXIT_… below.
 */
#ifndef WAYBILL_CMD_CMD_H
#define WAYBILL_CMD_CMD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/date.h"
#include "base/limit.h"
#include "base/map.h"
#include "base/problem.h"
#include "format/format.h"
#include "mapping/mapping.h"

/* DESIGN.md section 9. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_REJECTED = 1,              /* done, but messages were rejected; check found errors; a law is broken; a test
                                       failed */
    EXIT_USAGE = 2,
    EXIT_INVALID = 3,               /* a format, mapping or site that the command needed is invalid */
    EXIT_INPUT = 4,                 /* the input of convert, inspect or draft is not what it claims to be */
    EXIT_SYSTEM = 5,
};

/* What every command has at hand; made by cmd_main. */
struct cmd {
    const char *verb;
    struct arena *arena;            /* program lifetime */
    struct problems *problems;      /* collected; cmd_flush shows and empties it */
    struct finder finder;           /* mappings beside the referring file, ./mappings, WAYBILL_PATH, the installed
                                       ones */
    struct mapping_env env;
    struct map formats;             /* by path: a format that two mappings share is loaded once */
    struct clock clock;             /* WAYBILL_CLOCK */
    struct limits limits;
    bool json;                      /* --json was given */
    const char *site;               /* as the command was told it, for hints; NULL = none */
};

struct command {
    const char *verb;
    int (*run)(struct cmd *c, int argc, char **argv);
    const char *usage;              /* "convert -m MAPPING [--backward] [-o OUT] IN" */
    const char *summary;            /* one line for the list */
    const char *help;               /* the options and an example, for --help */
};

/* Shows the problems on standard error and empties the collection; returns the number of errors among them. */
size_t cmd_flush(struct cmd *c);
/* Says what is wrong with the call on standard error, with the usage; returns EXIT_USAGE. */
int cmd_usage(const struct cmd *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes the buffer to standard output; EXIT_GOOD or EXIT_SYSTEM. */
int cmd_print(struct cmd *c, const struct buf *out);

/*
 * A tiny option reader over getopt_long, so that every command speaks alike: long options from a table.
 *     static const struct cmd_option options[] = { { 'm', "mapping", "FILE" }, { 'b', "backward", NULL }, { 0 } };
 *     struct cmd_args args; if (cmd_args(c, argc, argv, options, &args)) return EXIT_USAGE (already said);
 *     const char *m = cmd_arg(&args, 'm');        NULL = not given
 */
struct cmd_option {
    char letter;
    const char *name;
    const char *value;              /* name of its value; NULL = a switch */
};
#define CMD_OPTIONS_MAX 24
#define CMD_REPEAT_MAX 64
struct cmd_args {
    const struct cmd_option *options;
    const char *values[CMD_OPTIONS_MAX];        /* by index in options; a switch that is given has "" */
    const char *repeated[CMD_REPEAT_MAX];       /* every value of options that may come again (`--set a=b`), in order */
    char repeated_letter[CMD_REPEAT_MAX];
    int nrepeated;
    int n;                          /* operands */
    char **operand;
};
int cmd_args(struct cmd *c, int argc, char **argv, const struct cmd_option *options, struct cmd_args *out);
const char *cmd_arg(const struct cmd_args *args, char letter);

extern const struct command *const command_table[];     /* NULL-terminated */
int cmd_main(int argc, char **argv);

#endif
