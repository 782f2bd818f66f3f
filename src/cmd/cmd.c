#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/hint.h"
#include "syntax/syntax.h"

const struct command *const command_table[] = {
    &command_init, &command_run, &command_watch, &command_convert, &command_inspect, &command_check, &command_explain,
    &command_laws, &command_test, &command_describe, &command_fmt, &command_status, &command_show, &command_do,
    &command_create, &command_send, &command_receive, &command_commit, &command_update, &command_amend,
    &command_retry, &command_hold, &command_release, &command_cancel, &command_resend, &command_renew,
    &command_replay, &command_where, &command_fsck, &command_exchange,
    &command_health, &command_purge,
    NULL,
};

enum { PROBLEMS_SHOWN = 100, GROUPS_SHOWN = 50 };

static const struct command *command_find(const char *verb)
{
    for (size_t i = 0; command_table[i]; i++)
        if (strcmp(command_table[i]->verb, verb) == 0)
            return command_table[i];
    return NULL;
}

/* When there are too many to be read one by one: how many of each kind, with the place of the first. */
static void show_groups(struct buf *out, const struct problems *ps)
{
    const struct problem *groups[GROUPS_SHOWN];
    size_t n = problems_groups(ps, groups, GROUPS_SHOWN), all = ps->errors + ps->warnings + ps->notes;
    buf_printf(out, "waybill: %zu problems, the first %d are shown; all of them by kind, each with its first place:\n",
               all, PROBLEMS_SHOWN);
    for (size_t i = 0; i < n && i < GROUPS_SHOWN; i++) {
        buf_printf(out, "%10llu x ", (unsigned long long)groups[i]->count);
        struct problem p = *groups[i];
        p.source = p.hint = slice_none();
        problem_show(out, &p);
    }
    if (n > GROUPS_SHOWN)
        buf_printf(out, "           and %zu kinds more\n", n - GROUPS_SHOWN);
}

size_t cmd_flush(struct cmd *c)
{
    struct problems *ps = c->problems;
    struct buf out = { 0 };
    size_t n = 0;
    problems_sort(ps);
    for (const struct problem *p = ps->first; p && n < PROBLEMS_SHOWN; p = p->next, n++) {
        struct problem shown = *p;
        shown.text = hint_for_site(c->arena, p->text, c->site);
        shown.hint = hint_for_site(c->arena, p->hint, c->site);
        problem_show(&out, &shown);
    }
    if (ps->errors + ps->warnings + ps->notes > n)
        show_groups(&out, ps);
    if (out.n)
        fwrite(out.p, 1, out.n, stderr);
    buf_release(&out);
    size_t errors = ps->errors;
    problems_init(ps, ps->arena, ps->max);
    return errors;
}

int cmd_usage(const struct cmd *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct buf text = { 0 }, out = { 0 };
    buf_vprintf(&text, format, ap);
    va_end(ap);
    buf_printf(&out, "waybill %s: ", c->verb);
    buf_add_shown(&out, buf_slice(&text), 400);
    const struct command *command = command_find(c->verb);
    if (command)
        buf_printf(&out, "\nusage: waybill %s   (waybill %s --help tells more)", command->usage, c->verb);
    buf_byte(&out, '\n');
    fwrite(out.p, 1, out.n, stderr);
    buf_release(&text);
    buf_release(&out);
    return EXIT_USAGE;
}

int cmd_print(struct cmd *c, const struct buf *out)
{
    if (fwrite(out->p ? out->p : "", 1, out->n, stdout) == out->n && fflush(stdout) == 0)
        return EXIT_GOOD;
    problem_system(c->problems, "-", "standard output cannot be written", errno);
    cmd_flush(c);
    return EXIT_SYSTEM;
}

static int option_index(const struct cmd_option *options, int letter)
{
    for (int i = 0; options[i].letter; i++)
        if (options[i].letter == letter)
            return i;
    return -1;
}

/* getopt's own tables from ours. */
static void option_tables(const struct cmd_option *options, char *letters, struct option *names)
{
    *letters++ = ':';                           /* tells a missing value from an unknown option */
    int i = 0;
    for (; options[i].letter && i < CMD_OPTIONS_MAX; i++) {
        *letters++ = options[i].letter;
        if (options[i].value)
            *letters++ = ':';
        names[i] = (struct option){ .name = options[i].name,
                                    .has_arg = options[i].value ? required_argument : no_argument,
                                    .val = options[i].letter };
    }
    *letters = 0;
    names[i] = (struct option){ 0 };
}

static int option_taken(struct cmd_args *out, int i, const char *value)
{
    out->values[i] = value ? value : "";
    if (value && out->nrepeated < CMD_REPEAT_MAX) {
        out->repeated_letter[out->nrepeated] = out->options[i].letter;
        out->repeated[out->nrepeated++] = value;
    }
    return 0;
}

/* Within letters that stand together getopt has not moved on yet. */
static int unknown_option(struct cmd *c, const char *word)
{
    if (strncmp(word, "--", 2) == 0 || optopt <= ' ' || optopt > '~')
        return cmd_usage(c, "unknown option %s", word);
    return cmd_usage(c, "unknown option -%c; of a file whose name begins with - write `-- NAME`", optopt);
}

int cmd_args(struct cmd *c, int argc, char **argv, const struct cmd_option *options, struct cmd_args *out)
{
    char letters[2 * CMD_OPTIONS_MAX + 2];
    struct option names[CMD_OPTIONS_MAX + 1];
    *out = (struct cmd_args){ .options = options };
    option_tables(options, letters, names);
    optind = 0;
    opterr = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        if (letter == ':')
            return cmd_usage(c, "%s needs a value", argv[optind - 1]);
        int i = letter == '?' ? -1 : option_index(options, letter);
        if (i < 0)
            return unknown_option(c, argv[optind - 1]);
        option_taken(out, i, optarg);
        optarg = NULL;
    }
    out->n = argc - optind;
    out->operand = argv + optind;
    return 0;
}

const char *cmd_arg(const struct cmd_args *args, char letter)
{
    int i = option_index(args->options, letter);
    return i < 0 ? NULL : args->values[i];
}

static void help_all(FILE *to)
{
    fprintf(to, "waybill %s - converts business files by mapping files, there and back\n\nusage: waybill COMMAND [ARGUMENT ...]\n\n",
            WAYBILL_VERSION);
    for (size_t i = 0; command_table[i]; i++)
        fprintf(to, "  %-9s %s\n", command_table[i]->verb, command_table[i]->summary);
    fprintf(to, "\nwaybill COMMAND --help tells the options of one command; waybill explain CODE the meaning of a problem.\n"
                "Exit codes: 0 good, 1 some messages rejected or errors found, 2 wrong usage, 3 invalid format, mapping or\n"
                "site, 4 input is not what it claims to be, 5 the system failed.\n");
}

static void help_one(const struct command *c)
{
    printf("usage: waybill %s\n\n%s.\n\n%s", c->usage, c->summary, c->help);
}

/* `--help` and `--json` are every command's: taken out of argv here. Returns true when help was asked for. */
static bool common_options(struct cmd *c, int *argc, char **argv)
{
    bool help = false;
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < *argc)
                argv[n++] = argv[i++];
            break;
        }
        if (strcmp(argv[i], "--help") == 0)
            help = true;
        else if (strcmp(argv[i], "--json") == 0)
            c->json = true;
        else
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
    *argc = n;
    return help;
}

/* Formats live as long as the command, so that mappings which share one see the same groups. */
static int load_format(void *owner, struct arena *a, struct slice name, const char *from, struct format **out,
                       struct problems *ps)
{
    struct cmd *c = owner;
    const char *path = finder_find(&c->finder, c->arena, name, ".format", from);
    (void)a;
    if (!path)
        return syntax_format(c->arena, &c->finder, name, from, out, ps);
    struct map_entry *e = map_at(&c->formats, slice_of(path));
    if (e->value) {
        *out = e->value;
        return OK;
    }
    int rc = syntax_format(c->arena, &c->finder, name, from, out, ps);
    if (rc <= WARN)
        map_put(&c->formats, slice_of(path), *out);
    return rc;
}

static const char *const *finder_roots(struct arena *a)
{
    static const char *const fallback[] = { "mappings", WAYBILL_DATA "/mappings" };
    const char *path = getenv("WAYBILL_PATH");
    size_t parts = 1;
    for (const char *p = path ? path : ""; *p; p++)
        parts += *p == ':';
    const char **roots = arena_zero(a, (parts + 3) * sizeof *roots);
    size_t n = 0;
    while (path && *path) {
        size_t len = strcspn(path, ":");
        if (len)
            roots[n++] = arena_cstr(a, (struct slice){ path, len });
        path += len + (path[len] == ':');
    }
    roots[n++] = fallback[0];
    roots[n++] = fallback[1];
    return roots;
}

static const struct command *command_wanted(const char *verb, struct arena *a)
{
    const struct command *command = command_find(verb);
    if (command)
        return command;
    struct slice verbs[64];
    size_t n = 0;
    for (; command_table[n] && n < 64; n++)
        verbs[n] = slice_of(command_table[n]->verb);
    struct slice hint = problem_suggest(a, slice_of(verb), verbs, n);
    struct buf out = { 0 };
    buf_text(&out, "waybill: no command \"");
    buf_add_shown(&out, slice_of(verb), 60);
    buf_text(&out, "\"");
    if (hint.n)
        buf_printf(&out, "; %.*s", SLICE_ARG(hint));
    buf_text(&out, " (waybill --help lists them)\n");
    fwrite(out.p, 1, out.n, stderr);
    buf_release(&out);
    return NULL;
}

static int command_run_one(const struct command *command, int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct problems problems;
    problems_init(&problems, &arena, 1000);
    struct cmd c = { .verb = command->verb, .arena = &arena, .problems = &problems, .limits = limits_default };
    c.finder.roots = finder_roots(&arena);
    map_init(&c.formats, &arena);
    c.env = (struct mapping_env){ .finder = &c.finder, .load_format = load_format, .owner = &c };
    clock_init(&c.clock, getenv("WAYBILL_CLOCK"));
    int code = EXIT_GOOD;
    if (common_options(&c, &argc, argv))
        help_one(command);
    else
        code = command->run(&c, argc, argv);
    cmd_flush(&c);
    arena_release(&arena);
    return code;
}

/* libarchive takes the times of members from TZ and their names from LC_CTYPE: zips must not depend on the caller. */
static void settle_environment(void)
{
    setenv("TZ", "UTC0", 1);
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "C");
}

int cmd_main(int argc, char **argv)
{
    settle_environment();
    if (argc < 2) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("waybill %s\n", WAYBILL_VERSION);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help_all(stdout);
        return EXIT_GOOD;
    }
    struct arena a;
    arena_init(&a, 0);
    const struct command *command = command_wanted(argv[1], &a);
    arena_release(&a);
    if (!command)
        return EXIT_USAGE;
    return command_run_one(command, argc - 1, argv + 1);
}
