#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "batch/lines.h"
#include "cmd/commands.h"
#include "cmd/outfile.h"
#include "cmd/progress.h"
#include "cmd/why.h"
#include "flow/bind.h"
#include "flow/convert.h"

static const struct cmd_option options[] = {
    { 'm', "mapping", "MAPPING" }, { 'b', "backward", NULL }, { 'r', "original", "FILE" }, { 'o', "output", "OUT" },
    { 's', "set", "NAME=VALUE" }, { 't', "table", "NAME=FILE[:FORMAT]" }, { 'c', "case", "FILE" },
    { 'a', "attachments", "FOLDER" }, { 'l', "companion", "NAME=FILE" }, { 'L', "companion-out", "NAME=FILE" },
    { 'w', "why", "FILE" }, { 0 },
};

#define COMPANIONS 8

/* Files of `group … file NAME join COLUMN`, read or written beside the document. */
struct beside {
    struct companion_file list[COMPANIONS];
    size_t n;
    int fd[COMPANIONS];             /* read */
    struct source source[COMPANIONS];
    struct outfile file[COMPANIONS]; /* written */
};

struct converting {
    struct cmd *c;
    struct cmd_args args;
    struct binding *binding;
    struct mapping *mapping, *judge;
    struct conversion conversion;
    struct source input, original;
    struct outfile output, why;     /* why: what became of each message, and how */
    struct lines lines;             /* the same as JSON */
    struct beside read, written;
    struct progress progress;
    int in, old;
    bool backward;
    /* What the mapping left out, which is normal: counted per code, told at the end. */
    struct skipped {
        struct slice code, text;        /* text of the first */
        uint64_t count, at, message;
        struct skipped *next;
    } *skips;
};

static int bind_set(struct converting *k, const char *text)
{
    const char *eq = strchr(text, '=');
    if (!eq)
        return cmd_usage(k->c, "--set wants NAME=VALUE, not \"%s\"", text);
    binding_set(k->binding, slice_range(text, eq), slice_of(eq + 1));
    return 0;
}

static int bind_table(struct converting *k, const char *text)
{
    const char *eq = strchr(text, '='), *colon = strrchr(text, ':');
    if (!eq || !eq[1])
        return cmd_usage(k->c, "--table wants NAME=FILE or NAME=FILE:FORMAT, not \"%s\"", text);
    bool formatted = colon && colon > eq;
    struct slice file = formatted ? slice_range(eq + 1, colon) : slice_of(eq + 1);
    binding_table_file(k->binding, slice_range(text, eq), arena_cstr(k->c->arena, file),
                       formatted ? slice_of(colon + 1) : slice_none());
    return 0;
}

/* Params, tables and the time, from the options. */
static int bind_all(struct converting *k)
{
    struct cmd *c = k->c;
    k->binding = binding_new(c->arena, &c->env, &c->limits, k->mapping->file);
    struct date_parts now = { 0 };
    int64_t t = clock_now(&c->clock), days = t / 86400 - (t % 86400 < 0);
    date_from_days(days, &now.year, &now.month, &now.day);
    int32_t rest = (int32_t)(t - days * 86400);
    now.hour = rest / 3600, now.minute = rest / 60 % 60, now.second = rest % 60;
    now.has_date = now.has_time = true;
    binding_time(k->binding, date_text(c->arena, &now));
    for (int i = 0; i < k->args.nrepeated; i++) {
        int rc = 0;
        if (k->args.repeated_letter[i] == 's')
            rc = bind_set(k, k->args.repeated[i]);
        else if (k->args.repeated_letter[i] == 't')
            rc = bind_table(k, k->args.repeated[i]);
        else if (k->args.repeated_letter[i] == 'c')
            rc = binding_load(k->binding, k->args.repeated[i], c->problems) ? EXIT_INVALID : 0;
        if (rc)
            return rc;
    }
    if (cmd_arg(&k->args, 'a'))
        binding_attachments(k->binding, cmd_arg(&k->args, 'a'));
    struct slice judge = binding_report(k->binding);
    if (judge.n && mapping_load(c->arena, &c->env, judge, k->mapping->file, &k->judge, c->problems) > WARN)
        return EXIT_INVALID;
    return binding_check(k->binding, k->mapping, k->judge, c->problems) ? EXIT_USAGE : 0;
}

/* The header of the mapping says which ways it runs. */
static int check_direction(struct converting *k)
{
    static const char *const arrows[] = { "<=>", "=>", "<=" };
    k->backward = cmd_arg(&k->args, 'b') ||
                  binding_direction(k->binding, k->mapping, cmd_arg(&k->args, 'r')) == MAPPING_BACKWARD;
    enum mapping_arrow refused = k->backward ? ARROW_RIGHT : ARROW_LEFT;
    if (k->mapping->arrow != refused)
        return 0;
    return cmd_usage(k->c, "%s runs %s only: its header says `%s`", file_base(k->mapping->file), k->backward ? "forward" : "--backward",
                     arrows[k->mapping->arrow]);
}

static int open_input(struct cmd *c, const char *path, int *fd)
{
    struct stat st;
    *fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0 && fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        problem_system(c->problems, path, "cannot be converted", EISDIR);
        return EXIT_INPUT;
    }
    if (*fd >= 0)
        return 0;
    problem_system(c->problems, path, "cannot be opened", errno);
    return errno == ENOENT ? EXIT_INPUT : EXIT_SYSTEM;
}

/* NAME=FILE of a companion that is read or written. */
static int open_companion(struct converting *k, const char *text, bool written)
{
    struct beside *b = written ? &k->written : &k->read;
    const char *eq = strchr(text, '=');
    if (!eq || !eq[1])
        return cmd_usage(k->c, "--companion%s wants NAME=FILE, not \"%s\"", written ? "-out" : "", text);
    if (b->n == COMPANIONS)
        return cmd_usage(k->c, "at most %d companion files", COMPANIONS);
    struct companion_file *one = &b->list[b->n];
    *one = (struct companion_file){ .name = slice_range(text, eq) };
    if (written) {
        if (outfile_open(&b->file[b->n], eq + 1, k->c->arena, k->c->problems) > WARN)
            return EXIT_SYSTEM;
        one->sink = &b->file[b->n].sink;
    } else {
        int rc = open_input(k->c, eq + 1, &b->fd[b->n]);
        if (rc)
            return rc;
        source_open_fd(&b->source[b->n], b->fd[b->n], eq + 1, &k->c->limits);
        one->source = &b->source[b->n];
    }
    b->n++;
    return 0;
}

static int open_companions(struct converting *k)
{
    int rc = 0;
    for (int i = 0; i < k->args.nrepeated && !rc; i++)
        if (k->args.repeated_letter[i] == 'l' || k->args.repeated_letter[i] == 'L')
            rc = open_companion(k, k->args.repeated[i], k->args.repeated_letter[i] == 'L');
    return rc;
}

static int open_why(struct converting *k)
{
    if (outfile_open(&k->why, cmd_arg(&k->args, 'w'), k->c->arena, k->c->problems) > WARN)
        return EXIT_SYSTEM;
    int fd = k->c->json ? dup(k->why.fd) : -1;
    if (fd < 0 && k->c->json)
        return problem_system(k->c->problems, cmd_arg(&k->args, 'w'), "cannot be written", errno), EXIT_SYSTEM;
    lines_begin(&k->lines, fd);
    return 0;
}

static int open_all(struct converting *k)
{
    const char *original = cmd_arg(&k->args, 'r');
    int rc = open_input(k->c, k->args.operand[0], &k->in);
    if (!rc && original)
        rc = open_input(k->c, original, &k->old);
    if (!rc && outfile_open(&k->output, cmd_arg(&k->args, 'o'), k->c->arena, k->c->problems) > WARN)
        rc = EXIT_SYSTEM;
    if (!rc)
        rc = open_companions(k);
    if (!rc && cmd_arg(&k->args, 'w'))
        rc = open_why(k);
    if (k->in >= 0)
        source_open_fd(&k->input, k->in, k->args.operand[0], &k->c->limits);
    if (k->old >= 0)
        source_open_fd(&k->original, k->old, original, &k->c->limits);
    return rc;
}

static void count_skip(struct converting *k, const struct finding *f, const struct node *message, uint64_t number)
{
    struct skipped **at = &k->skips;
    while (*at && !slice_equal((*at)->code, f->code))
        at = &(*at)->next;
    if (!*at) {
        const struct node *n = f->node ? f->node : message;
        *at = arena_zero(k->c->arena, sizeof **at);
        **at = (struct skipped){ .code = arena_copy(k->c->arena, f->code), .text = arena_copy(k->c->arena, f->text),
                                 .message = number,
                                 .at = n && n->at != VALUE_NO_PLACE ? n->at : PLACE_NO_OFFSET };
    }
    (*at)->count++;
}

static struct slice key_of(struct arena *a, const struct node *message)
{
    char *key = arena_cstr(a, message->group->nkeys ? node_key(a, message) : SLICE(""));
    for (char *p = key; *p; p++)
        if (*p == '\x1f')
            *p = ' ';
    return slice_of(key);
}

static struct slice code_of(const struct outcome *o)
{
    const struct finding *f = o->first;
    while (f && f->kind != o->kind)
        f = f->next;
    return f ? f->code : slice_none();
}

/* Lines of the form that a batch keeps, or text. */
static void tell_why(struct converting *k, uint64_t number, const struct node *message, const struct outcome *o)
{
    struct arena a;
    arena_init(&a, 0);
    for (struct finding *f = o->first; f; f = f->next)
        if (!f->line.n && f->node && f->node != message)
            f->line = node_path(&a, f->node, NULL);
    struct line line = { .message = number, .key = key_of(&a, message), .state = slice_of(outcome_states[o->kind]),
                         .code = code_of(o), .reason = o->reason, .findings = o->first, .tried = o->tried };
    if (k->c->json) {
        lines_add(&k->lines, &line, k->c->problems);
    } else {
        why_head(&k->why.sink.buf, number, line.key, line.state, line.code);
        why_tried(&k->why.sink.buf, "  ", o->tried, SIZE_MAX);
        why_findings(&k->why.sink.buf, o->first);
        sink_turn(&k->why.sink);
    }
    for (struct finding *f = o->first; f; f = f->next)
        if (f->node && f->node != message)
            f->line = slice_none();             /* it lay in this arena */
    arena_release(&a);
}

static void judged(void *owner, uint64_t number, const struct node *message, const struct outcome *o)
{
    struct converting *k = owner;
    binding_message(k->binding, message, o);
    if (k->why.fd >= 0)
        tell_why(k, number, message, o);
    for (const struct finding *f = o->first; f; f = f->next)
        if (f->kind == OUTCOME_SKIP)
            count_skip(k, f, message, number);
}

/* One line per code, with the place of the first. */
static void tell_skips(struct converting *k)
{
    struct problems *ps = k->c->problems;
    if (!cmd_arg(&k->args, 'r'))
        source_locate(&k->input, ps);       /* with an original the places may be of either file */
    for (const struct skipped *s = k->skips; s; s = s->next) {
        struct buf text = { 0 };
        buf_text(&text, s->text.n ? "skipped: " : "skipped");
        buf_add(&text, s->text);
        if (s->count > 1)
            buf_printf(&text, " (the first of %llu)", (unsigned long long)s->count);
        problem_add(ps, &(struct problem){ .severity = PROBLEM_NOTE, .code = arena_cstr(ps->arena, s->code),
                                           .message = s->message,
            .place = { .file = k->args.operand[0], .offset = ps->locate ? s->at : PLACE_NO_OFFSET },
                .text = buf_slice(&text), .source = SLICE("") });
        buf_release(&text);
    }
    ps->locate = NULL;
}

static void advance(void *owner, uint64_t done)
{
    struct converting *k = owner;
    progress_show(&k->progress, done);
}

static int exit_of(int rc)
{
    switch (rc) {
    case OK: case WARN: return EXIT_GOOD;
    case SKIP: return EXIT_REJECTED;
    case TEMP: return EXIT_SYSTEM;
    default: return EXIT_INPUT;
    }
}

/* The outputs get their names, or go away when they are not to be used. */
static int settle_outputs(struct converting *k, int code)
{
    for (size_t i = 0; i < k->written.n; i++)
        if (outfile_end(&k->written.file[i], code <= EXIT_REJECTED, k->c->problems) > WARN)
            code = EXIT_SYSTEM;
    if (outfile_end(&k->why, code <= EXIT_REJECTED, k->c->problems) > WARN)
        code = EXIT_SYSTEM;
    return outfile_end(&k->output, code <= EXIT_REJECTED, k->c->problems) > WARN ? EXIT_SYSTEM : code;
}

static void close_inputs(struct converting *k)
{
    for (size_t i = 0; i < k->read.n; i++) {
        source_close(&k->read.source[i]);
        close(k->read.fd[i]);
    }
    if (k->in >= 0) {
        source_close(&k->input);
        close(k->in);
    }
    if (k->old >= 0) {
        source_close(&k->original);
        close(k->old);
    }
}

static int close_sinks(struct converting *k, int rc)
{
    int closed = sink_close(&k->output.sink, k->c->problems);
    rc = closed > rc ? closed : rc;
    for (size_t i = 0; i < k->written.n; i++) {
        closed = sink_close(&k->written.file[i].sink, k->c->problems);
        rc = closed > rc ? closed : rc;
    }
    if (k->why.fd >= 0 && k->c->json) {
        char sha256[SHA256_HEX];
        closed = lines_end(&k->lines, sha256, k->c->problems);
        rc = closed > rc ? closed : rc;
    }
    if (k->why.fd >= 0) {
        closed = sink_close(&k->why.sink, k->c->problems);
        rc = closed > rc ? closed : rc;
    }
    return rc;
}

static int convert(struct converting *k)
{
    struct cmd *c = k->c;
    struct outside outside;
    binding_file(k->binding, slice_of(file_base(k->args.operand[0])));
    binding_outside(k->binding, &outside);
    struct stat st;
    progress_start(&k->progress, fstat(k->in, &st) == 0 ? (uint64_t)st.st_size : 0, k->args.operand[0]);
    k->conversion = (struct conversion){
        .mapping = k->mapping, .judge = k->judge,
        .operation = binding_operation(k->binding), .said = binding_said(k->binding),
        .outside = &outside, .limits = &c->limits,
        .input = &k->input, .output = &k->output.sink,
        .direction = k->backward ? MAPPING_BACKWARD : MAPPING_FORWARD,
        .original = cmd_arg(&k->args, 'r') ? &k->original : NULL, .progress = advance, .judged = judged, .owner = k,
        .companions = k->read.list, .ncompanions = k->read.n,
        .companions_out = k->written.list, .ncompanions_out = k->written.n,
    };
    int rc = convert_run(&k->conversion, c->problems);
    if (rc < STOP)
        tell_skips(k);
    rc = close_sinks(k, rc);
    progress_end(&k->progress);
    if (k->conversion.unbound)
        return EXIT_USAGE;
    return exit_of(rc);
}

static int run(struct cmd *c, int argc, char **argv)
{
    struct converting k = { .c = c, .in = -1, .old = -1, .output.fd = -1, .why.fd = -1 };
    if (cmd_args(c, argc, argv, options, &k.args))
        return EXIT_USAGE;
    const char *name = cmd_arg(&k.args, 'm');
    if (!name || k.args.n != 1)
        return cmd_usage(c, !name ? "which mapping? (-m)" : k.args.n ? "one input at a time" : "which input file? (- is standard input)");
    if (mapping_load(c->arena, &c->env, slice_of(name), NULL, &k.mapping, c->problems) > WARN)
        return EXIT_INVALID;
    int rc = bind_all(&k);
    if (!rc)
        rc = check_direction(&k);
    if (!rc)
        rc = open_all(&k);
    if (!rc)
        rc = convert(&k);
    rc = settle_outputs(&k, rc);
    cmd_flush(c);                       /* while the input is open: places are looked up in it */
    close_inputs(&k);
    return rc;
}

const struct command command_convert = {
    .verb = "convert",
    .run = run,
    .usage = "convert -m MAPPING [--backward] [--original FILE] [-o OUT] IN",
    .summary = "convert one file with a mapping, without a site",
    .help = "  -m, --mapping MAPPING        path or name of the mapping, with or without .map\n"
            "  -b, --backward               from the right format of the mapping to the left one\n"
            "  -r, --original FILE          the output is FILE with what IN changes (backward, if the mapping can)\n"
            "  -o, --output OUT             the result; standard output without it\n"
            "  -s, --set NAME=VALUE         a param of the mapping; may come again\n"
            "  -t, --table NAME=FILE[:FORMAT]  a table of the mapping; without FORMAT comma-separated with a header\n"
            "  -c, --case FILE              params and tables from a file, as the case.conf of `waybill test`\n"
            "  -a, --attachments FOLDER     where attachment() finds the files that messages name\n"
            "  -l, --companion NAME=FILE    the rows of `group … file NAME join COLUMN` in the document that is read\n"
            "  -L, --companion-out NAME=FILE  the same in the document that is written\n"
            "  -w, --why FILE               what became of each message, what was looked at for it and what failed, with the\n"
            "                               values; as JSON lines with --json\n\n"
            "IN may be - for standard input. Problems go to standard error; the exit code is 1 when messages were rejected\n"
            "(the output then holds the good ones) and 4 when the input cannot be used (then there is no output).\n\n"
            "  waybill convert -m mappings/24so-ongoing/articles.map -s goods-owner=NORDISK products.xml > articles.xml\n",
};
