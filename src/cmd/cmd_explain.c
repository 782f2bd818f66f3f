#include "base/code.h"
#include "base/json.h"
#include "cmd/commands.h"

/* The long text is written in the table as one line; on a terminal it is folded at blanks. */
static void add_folded(struct buf *out, struct slice text, size_t width)
{
    size_t column = 0;
    while (text.n) {
        const char *space = memchr(text.p, ' ', text.n), *line = memchr(text.p, '\n', text.n);
        const char *end = line && (!space || line < space) ? line : space ? space : text.p + text.n;
        struct slice word = slice_range(text.p, end);
        if (column && column + 1 + word.n > width) {
            buf_byte(out, '\n');
            column = 0;
        } else if (column) {
            buf_byte(out, ' ');
            column++;
        }
        buf_add(out, word);
        column += word.n;
        bool new_line = end < text.p + text.n && *end == '\n';
        size_t taken = word.n + (end < text.p + text.n);
        text = (struct slice){ text.p + taken, text.n - taken };
        if (new_line) {
            buf_byte(out, '\n');
            column = 0;
        }
    }
    buf_byte(out, '\n');
}

static void add_entry(struct cmd *c, struct buf *out, const struct code_entry *e)
{
    if (c->json) {
        json_open(out, '{');
        json_text(out, "code", slice_of(e->name));
        json_text(out, "title", slice_of(e->title));
        json_text(out, "text", slice_of(e->text));
        json_close(out, '}');
        buf_byte(out, '\n');
        return;
    }
    buf_printf(out, "%s: %s\n\n", e->name, e->title);
    add_folded(out, slice_of(e->text), 100);
}

static int list_all(struct cmd *c)
{
    struct buf out = { 0 };
    for (size_t i = 0; i < code_count; i++) {
        if (c->json)
            add_entry(c, &out, &code_table[i]);
        else
            buf_printf(&out, "%-22s %s\n", code_table[i].name, code_table[i].title);
    }
    int rc = cmd_print(c, &out);
    buf_release(&out);
    return rc;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return list_all(c);
    struct buf out = { 0 };
    int rc = EXIT_GOOD;
    for (int i = 0; i < args.n && rc == EXIT_GOOD; i++) {
        const struct code_entry *e = code_find(slice_of(args.operand[i]));
        if (e && i && !c->json)
            buf_byte(&out, '\n');
        if (e)
            add_entry(c, &out, e);
        else {
            struct slice hint = code_suggest(c->arena, slice_of(args.operand[i]));
            rc = cmd_usage(c, "no code \"%s\"%s%.*s", args.operand[i], hint.n ? "; " : "", SLICE_ARG(hint));
        }
    }
    if (rc == EXIT_GOOD)
        rc = cmd_print(c, &out);
    buf_release(&out);
    return rc;
}

const struct command command_explain = {
    .verb = "explain",
    .run = run,
    .usage = "explain [CODE ...]",
    .summary = "the long text of a problem code; without a code the list of all",
    .help = "  --json          as JSON, one object a line\n\n"
            "Every problem ends in its code in brackets: `waybill explain NUM_BAD` says what it means and what to do.\n",
};
