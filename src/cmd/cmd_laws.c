#include <stdio.h>
#include <stdlib.h>

#include "author/laws.h"
#include "base/file.h"
#include "base/json.h"
#include "cmd/commands.h"

static const struct cmd_option options[] = {
    { 's', "set", "NAME=VALUE" }, { 'c', "case", "FILE" }, { 'n', "documents", "N" }, { 'S', "seed", "N" }, { 0 },
};

static int bind(struct cmd *c, const struct cmd_args *args, struct binding *b)
{
    for (int i = 0; i < args->nrepeated; i++) {
        const char *text = args->repeated[i], *eq = strchr(text, '=');
        if (args->repeated_letter[i] == 'c' && binding_load(b, text, c->problems) > WARN)
            return EXIT_INVALID;
        if (args->repeated_letter[i] != 's')
            continue;
        if (!eq)
            return cmd_usage(c, "--set wants NAME=VALUE, not \"%s\"", text);
        binding_set(b, slice_range(text, eq), slice_of(eq + 1));
    }
    return EXIT_GOOD;
}

static void print_counts(struct buf *out, const struct cmd *c, const char *sample, const struct laws *l)
{
    for (int i = 0; i < LAW_COUNT; i++) {
        const struct law_count *n = &l->counts[i];
        if (c->json) {
            json_open(out, '{');
            json_text(out, "sample", slice_of(sample));
            json_text(out, "law", slice_of(law_names[i]));
            json_number(out, "documents", (int64_t)n->documents);
            json_number(out, "values", (int64_t)n->values);
            json_number(out, "refused", (int64_t)n->refused);
            json_number(out, "broken", (int64_t)n->broken);
            json_close(out, '}');
            buf_byte(out, '\n');
            continue;
        }
        buf_printf(out, "%s %s: ", n->broken ? "not ok" : "ok", law_names[i]);
        buf_add_shown(out, slice_of(file_base(sample)), 0);
        buf_printf(out, ", %llu documents (%llu refused), %llu %s compared", (unsigned long long)n->documents,
                   (unsigned long long)n->refused, (unsigned long long)n->values, i == LAW_GET_PUT ? "bytes" : "values");
        if (n->broken)
            buf_printf(out, ", %llu broken", (unsigned long long)n->broken);
        buf_byte(out, '\n');
    }
}

static uint32_t number(const char *text, uint32_t otherwise)
{
    return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static int run(struct cmd *c, int argc, char **argv)
{
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n < 2)
        return cmd_usage(c, "a mapping and at least one sample of its left side, please");
    struct mapping *m;
    if (mapping_load(c->arena, &c->env, slice_of(args.operand[0]), NULL, &m, c->problems) > WARN)
        return EXIT_INVALID;
    struct buf out = { 0 };
    buf_printf(&out, "%s: %zu rows, %zu of them both ways\n", file_base(m->file), m->rows, m->two_way);
    if (m->arrow != ARROW_BOTH)
        buf_text(&out, "its header says that it runs one way, so there is no law to keep\n");
    struct binding *b = binding_new(c->arena, &c->env, &c->limits, m->file);
    int rc = bind(c, &args, b), worst = OK;
    for (int i = 1; i < args.n && rc == EXIT_GOOD && m->arrow == ARROW_BOTH; i++) {
        struct laws l = { .mapping = m, .binding = b, .limits = &c->limits, .seed = number(cmd_arg(&args, 'S'), 1),
                          .documents = number(cmd_arg(&args, 'n'), 50) };
        struct slice sample;
        int law = file_read(c->arena, args.operand[i], 0, &sample, c->problems);
        if (law <= WARN)
            law = laws_check(&l, c->arena, args.operand[i], sample, c->problems);
        if (law <= SKIP)
            print_counts(&out, c, args.operand[i], &l);
        worst = law > worst ? law : worst;
    }
    if (rc == EXIT_GOOD)
        rc = cmd_print(c, &out);
    buf_release(&out);
    if (rc != EXIT_GOOD)
        return rc;
    return worst >= STOP ? EXIT_INPUT : worst == SKIP ? EXIT_REJECTED : EXIT_GOOD;
}

const struct command command_laws = {
    .verb = "laws",
    .run = run,
    .usage = "laws MAPPING SAMPLE ...",
    .summary = "check that a mapping which claims to run both ways does",
    .help = "  -s, --set NAME=VALUE   a param of the mapping; may come again\n"
            "  -c, --case FILE        params and tables, as the case.conf of `waybill test`\n"
            "  -n, --documents N      generated documents per sample and law (50)\n"
            "  -S, --seed N           of the generator (1)\n\n"
            "GetPut:    an answer that changes nothing gives the original back, byte for byte.\n"
            "PutGet:    what an answer changes is there when the changed original is mapped again.\n"
            "CreateGet: a document made from an answer alone maps back to it, on the rows that promise it.\n"
            "SAMPLE is a file of the mapping's left side. Exit code 1 when a law is broken.\n",
};
