#include "base/json.h"
#include "cmd/commands.h"

static const char *const arrows[] = { [ARROW_BOTH] = "<=>", [ARROW_RIGHT] = "=>", [ARROW_LEFT] = "<=" };

static void describe_json(struct buf *out, const struct correspondence *r)
{
    json_open(out, '{');
    json_text(out, "left", r->left);
    json_text(out, "arrow", slice_of(arrows[r->arrow]));
    json_text(out, "right", r->right);
    json_text(out, "how", r->how);
    json_bool(out, "key", r->key);
    json_number(out, "line", r->line);
    json_close(out, '}');
    buf_byte(out, '\n');
}

static void pad(struct buf *out, size_t used, size_t width)
{
    for (; used < width; used++)
        buf_byte(out, ' ');
}

/* `check CONDITION    CODE` of a consolidate block. */
static void describe_rule(struct buf *out, const struct correspondence *r)
{
    pad(out, 0, 2 * r->depth + 4);
    buf_add_shown(out, r->how, 0);
    buf_text(out, r->left.n ? " " : "");
    buf_add_shown(out, r->left, 0);
    buf_text(out, r->right.n ? r->left.n ? " else " : " " : "");
    buf_add_shown(out, r->right, 0);
    buf_byte(out, '\n');
}

/* One row of the table; group rows stand out by their depth. */
static void describe_row(struct buf *out, const struct correspondence *r, size_t width)
{
    pad(out, 0, 2 * r->depth);
    buf_text(out, r->key ? "key " : "    ");
    buf_add_shown(out, r->left, 0);
    pad(out, 2 * r->depth + slice_chars(r->left), width);
    buf_printf(out, " %-3s ", arrows[r->arrow]);
    buf_add_shown(out, r->right, 0);
    if (r->how.n) {
        buf_text(out, "    (");
        buf_add_shown(out, r->how, 0);
        buf_byte(out, ')');
    }
    buf_byte(out, '\n');
}

static void describe_params(struct buf *out, const struct mapping *m)
{
    for (size_t i = 0; i < m->nparams; i++) {
        const struct mapping_param *p = &m->params[i];
        buf_printf(out, "param %.*s %s", SLICE_ARG(p->name), type_names[p->field->type]);
        buf_text(out, p->required ? ", required" : "");
        if (p->has_default) {
            buf_text(out, ", default ");
            buf_add_shown(out, value_text(&p->otherwise), 60);
        }
        buf_text(out, p->title.n ? ": " : "");
        buf_add_shown(out, p->title, 0);
        buf_byte(out, '\n');
    }
    for (size_t i = 0; i < m->ntables; i++)
        buf_printf(out, "table %.*s%s\n", SLICE_ARG(m->tables[i].name), m->tables[i].local ? ", rows in the mapping" : "");
}

static void describe_losses(struct cmd *c, struct buf *out, const struct mapping *m)
{
    for (const struct loss *l = mapping_losses(c->arena, m); l; l = l->next) {
        buf_printf(out, "  going %s, %s: ", l->direction == MAPPING_FORWARD ? "right" : "left", loss_names[l->kind]);
        buf_add_shown(out, l->path, 0);
        buf_text(out, l->reason.n ? " - " : "");
        buf_add_shown(out, l->reason, 0);
        buf_byte(out, '\n');
    }
}

static void describe(struct cmd *c, struct buf *out, const struct mapping *m)
{
    struct correspondence *rows;
    size_t n = mapping_correspondences(c->arena, m, &rows), width = 20;
    if (c->json) {
        for (size_t i = 0; i < n; i++)
            describe_json(out, &rows[i]);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t w = rows[i].rule ? 0 : 2 * rows[i].depth + slice_chars(rows[i].left);
        width = w > width && w <= 70 ? w : width;
    }
    buf_printf(out, "%.*s: %.*s %s %.*s", SLICE_ARG(m->name), SLICE_ARG(m->left->name), arrows[m->arrow],
               SLICE_ARG(m->right->name));
    buf_text(out, m->title.n ? "  " : "");
    buf_add_shown(out, m->title, 0);
    buf_printf(out, "\n%zu rows, %zu of them both ways\n\n", m->rows, m->two_way);
    describe_params(out, m);
    buf_byte(out, '\n');
    for (size_t i = 0; i < n; i++)
        if (rows[i].rule)
            describe_rule(out, &rows[i]);
        else
            describe_row(out, &rows[i], width);
    buf_text(out, "\nLosses\n");
    describe_losses(c, out, m);
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return cmd_usage(c, "which mapping?");
    struct buf out = { 0 };
    int rc = EXIT_GOOD;
    for (int i = 0; i < args.n; i++) {
        struct mapping *m;
        if (mapping_load(c->arena, &c->env, slice_of(args.operand[i]), NULL, &m, c->problems) > WARN)
            rc = EXIT_INVALID;
        else
            describe(c, &out, m);
    }
    if (rc == EXIT_GOOD)
        rc = cmd_print(c, &out);
    buf_release(&out);
    return rc;
}

const struct command command_describe = {
    .verb = "describe",
    .run = run,
    .usage = "describe MAPPING ...",
    .summary = "the field table of a mapping, with what gets lost on the way",
    .help = "      --json      one JSON object a row\n\n"
            "For the partner's eyes: which field becomes which, both ways or one way, the params and tables that it needs,\n"
            "the gates, matches, sorts and checks of consolidate with their codes.\n",
};
