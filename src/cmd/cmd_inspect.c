#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/commands.h"
#include "syntax/syntax.h"

/* The head that every syntax bids on. */
static struct slice head_of(struct source *s)
{
    char *keep = s->at;
    while (s->end - s->at < 4096 && source_fill(s, &keep))
        ;
    return slice_range(s->at, s->end);
}

/* What people drop by mistake, and what is read by no syntax of this version. */
static struct slice looks_like(struct slice head)
{
    static const struct { const char *begins, *is; } known[] = {
        { "PK\003\004", "this is a zip archive or an Excel workbook: unpack it, or save the sheet as CSV" },
        { "\x1F\x8B", "this is compressed with gzip: unpack it first" },
        { "\xD0\xCF\x11\xE0", "this is an old Excel or Word file: save it as CSV" },
        { "%PDF-", "this is a PDF" }, { "\x89PNG", "this is a picture" },
        { "UNA", "this looks like EDIFACT, known are csv, xml and json" },
        { "UNB", "this looks like EDIFACT, known are csv, xml and json" },
        { "ISA", "this looks like X12, known are csv, xml and json" },
        { "STX=", "this looks like TRADACOMS, known are csv, xml and json" },
    };
    struct slice text = slice_trim(head);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_starts(text, slice_of(known[i].begins)))
            return slice_of(known[i].is);
    return SLICE("known are csv, xml and json");
}

static void no_syntax(struct cmd *c, const char *path, struct slice head)
{
    struct problem p = { .severity = PROBLEM_ERROR, .place = { .file = path, .offset = PLACE_NO_OFFSET } };
    p.code = head.n ? "SYNTAX_UNKNOWN" : "EMPTY_FILE";
    p.text = head.n ? SLICE("nothing that waybill reads begins like this") : SLICE("the file is empty");
    p.hint = head.n ? looks_like(head) : slice_none();
    problem_add(c->problems, &p);
}

static void add_problems(struct buf *out, const struct problems *ps)
{
    json_key(out, "problems");
    json_open(out, '[');
    for (const struct problem *p = ps->first; p; p = p->next)
        problem_json(out, p);
    json_close(out, ']');
}

static int inspect_source(struct cmd *c, struct source *s, const char *path, struct buf *out)
{
    source_locate(s, c->problems);
    struct slice head = head_of(s);
    const struct syntax *syntax = head.n ? syntax_detect(head) : NULL;
    json_open(out, '{');
    json_text(out, "file", slice_of(path));
    int rc = STOP;
    if (syntax && syntax->inspect) {
        json_text(out, "syntax", slice_of(syntax->name));
        rc = syntax->inspect(s, out, c->problems);
    } else if (s->error)
        rc = problem_system(c->problems, path, "cannot be read", s->error) && s->error == EISDIR ? STOP : TEMP;
    else
        no_syntax(c, path, head);
    if (c->json)
        add_problems(out, c->problems);
    json_close(out, '}');
    buf_byte(out, '\n');
    return rc;
}

/* The JSON object as lines for a person: `name: value`. */
static void for_people(struct buf *out, struct slice json)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char ch = json.p[i];
        if (quoted) {
            if (ch == '\\' && i + 1 < json.n)
                buf_byte(out, json.p[i++]);
            else if (ch == '"') {
                quoted = false;
                continue;
            }
            buf_byte(out, json.p[i]);
        } else if (ch == '"')
            quoted = true;
        else if (ch == '{' || ch == '[')
            depth += 1;
        else if (ch == '}' || ch == ']')
            depth -= 1;
        else if (ch == ',' && depth == 1)
            buf_byte(out, '\n');
        else if (ch == ':' && depth == 1)
            buf_text(out, ": ");
        else
            buf_byte(out, ch);
    }
}

static int inspect_one(struct cmd *c, const char *path, struct buf *out)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        problem_system(c->problems, path, "cannot be opened", errno);
        return errno == ENOENT ? EXIT_INPUT : EXIT_SYSTEM;
    }
    struct source s;
    struct buf json = { 0 };
    source_open_fd(&s, fd, path, &c->limits);
    int rc = inspect_source(c, &s, path, &json);
    if (c->json) {
        buf_add(out, buf_slice(&json));
        problems_init(c->problems, c->arena, c->problems->max);
    } else
        for_people(out, buf_slice(&json));
    cmd_flush(c);                   /* while the file is open: places are looked up in it */
    source_close(&s);
    close(fd);
    buf_release(&json);
    return rc <= WARN ? EXIT_GOOD : rc == TEMP ? EXIT_SYSTEM : EXIT_INPUT;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return cmd_usage(c, "which file?");
    struct buf out = { 0 };
    int worst = EXIT_GOOD;
    for (int i = 0; i < args.n; i++) {
        int rc = inspect_one(c, args.operand[i], &out);
        worst = rc > worst ? rc : worst;
    }
    int rc = cmd_print(c, &out);
    buf_release(&out);
    return rc == EXIT_GOOD ? worst : rc;
}

const struct command command_inspect = {
    .verb = "inspect",
    .run = run,
    .usage = "inspect FILE ...",
    .summary = "what a file is and what is inside, without any format",
    .help = "      --json      one JSON object a file\n\n"
            "Tells syntax, encoding and the size of the document in its own units: delimiter, columns and rows, or root,\n"
            "namespace and elements. Exit code 4 when a file is not what it claims to be.\n",
};
