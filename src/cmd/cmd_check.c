#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "cmd/commands.h"
#include "flow/guard.h"
#include "flow/site.h"
#include "syntax/syntax.h"

#define CHECK_DEPTH 16

struct checking {
    struct cmd *c;
    bool loss;
    size_t files, depth;
    struct buf out;                 /* the loss table */
};

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

static void add_loss(struct checking *k, const struct mapping *m, const struct loss *l)
{
    const char *direction = l->direction == MAPPING_FORWARD ? "right" : "left";
    if (k->c->json) {
        json_open(&k->out, '{');
        json_text(&k->out, "file", slice_of(m->file));
        json_number(&k->out, "line", l->line);
        json_text(&k->out, "direction", slice_of(direction));
        json_text(&k->out, "loss", slice_of(loss_names[l->kind]));
        json_text(&k->out, "path", l->path);
        json_text(&k->out, "reason", l->reason);
        json_close(&k->out, '}');
        buf_byte(&k->out, '\n');
        return;
    }
    buf_printf(&k->out, "  %-5s %-9s ", direction, loss_names[l->kind]);
    buf_add_shown(&k->out, l->path, 60);
    buf_text(&k->out, l->reason.n ? "  - " : "");
    buf_add_shown(&k->out, l->reason, 200);
    if (l->line)
        buf_printf(&k->out, "  (line %u)", l->line);
    buf_byte(&k->out, '\n');
}

static void check_mapping(struct checking *k, const char *path)
{
    struct mapping *m;
    if (mapping_load(k->c->arena, &k->c->env, slice_of(path), NULL, &m, k->c->problems) > WARN || !k->loss)
        return;
    if (!k->c->json) {
        buf_add_shown(&k->out, slice_of(path), 0);
        buf_printf(&k->out, ": %zu rows, %zu of them both ways\n", m->rows, m->two_way);
    }
    for (const struct loss *l = mapping_losses(k->c->arena, m); l; l = l->next)
        add_loss(k, m, l);
}

/* A file that only other mappings include has no header: it is checked where it is included. */
static bool is_fragment(const char *path, struct cmd *c)
{
    struct slice text;
    struct problems unused;
    problems_init(&unused, c->arena, 1);
    if (file_read(c->arena, path, 0, &text, &unused) > WARN)
        return false;
    struct conf *conf;
    if (conf_parse(c->arena, path, text, &conf, &unused) != OK)
        return false;
    for (const struct statement *s = conf->first; s; s = s->next)
        if (token_is(&s->tokens[0], "mapping") || token_is(&s->tokens[0], "syntax") || token_is(&s->tokens[0], "guide"))
            return false;
    return true;
}

static void check_site(struct checking *k, const char *path)
{
    struct site *site;
    struct site_env env = { .roots = k->c->finder.roots };
    site_load(k->c->arena, &env, path, &site, k->c->problems);
    site_guard(site, k->c->problems);
}

static void check_file(struct checking *k, const char *path, bool named)
{
    struct cmd *c = k->c;
    struct format *f;
    bool format = has_suffix(path, ".format"), map = has_suffix(path, ".map");
    if (!named && (format || map) && is_fragment(path, c))
        return;
    k->files++;
    if (format)
        syntax_format(c->arena, &c->finder, slice_of(path), NULL, &f, c->problems);
    else if (map)
        check_mapping(k, path);
    else
        check_site(k, path);
}

static bool is_checked(const char *name)
{
    return has_suffix(name, ".format") || has_suffix(name, ".map") || strcmp(name, "site.conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void check_path(struct checking *k, const char *path, bool named);

static void check_folder(struct checking *k, const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, NULL, by_name);
    if (n < 0) {
        problem_system(k->c->problems, path, "the folder cannot be listed", errno);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.' && !has_suffix(list[i]->d_name, ".test"))
            check_path(k, file_join(k->c->arena, strcmp(path, ".") ? path : "", list[i]->d_name), false);
        free(list[i]);
    }
    free(list);
}

static void check_path(struct checking *k, const char *path, bool named)
{
    struct stat st;
    if (stat(path, &st) != 0)
        problem_system(k->c->problems, path, "cannot be checked", errno);
    else if (S_ISDIR(st.st_mode)) {
        if (k->depth++ < CHECK_DEPTH)
            check_folder(k, path);
        k->depth--;
    } else if (named || is_checked(file_base(path)))
        check_file(k, path, named);
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'l', "loss", NULL }, { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return cmd_usage(c, "which format, mapping, site.conf or folder?");
    struct checking k = { .c = c, .loss = cmd_arg(&args, 'l') != NULL };
    for (int i = 0; i < args.n; i++)
        check_path(&k, args.operand[i], true);
    problems_once(c->problems);                     /* a format stands by itself, in its mappings and in the site */
    size_t errors = c->problems->errors;
    if (c->json) {
        problems_sort(c->problems);
        for (const struct problem *p = c->problems->first; p; p = p->next) {
            problem_json(&k.out, p);
            buf_byte(&k.out, '\n');
        }
        problems_init(c->problems, c->arena, c->problems->max);
    } else if (!errors && !k.loss)
        buf_printf(&k.out, "%zu file%s checked, no errors\n", k.files, k.files == 1 ? "" : "s");
    int rc = cmd_print(c, &k.out);
    buf_release(&k.out);
    cmd_flush(c);
    return errors ? EXIT_REJECTED : rc;
}

const struct command command_check = {
    .verb = "check",
    .run = run,
    .usage = "check [--loss] PATH ...",
    .summary = "find the errors of formats, mappings and sites, all at once",
    .help = "  -l, --loss      for each mapping what gets lost, narrowed or invented on the way, per direction\n"
            "      --json      problems or losses as JSON, one object a line\n\n"
            "PATH is a .format, a .map, a site.conf or a folder that holds some. Exit code 1 when there are errors.\n"
            "`waybill explain CODE` tells more about a problem.\n",
};
