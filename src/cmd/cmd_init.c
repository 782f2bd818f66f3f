#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/example.h"
#include "flow/site.h"

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), k = strlen(ending);
    return n > k && strcmp(name + n - k, ending) == 0;
}

/* Whether the folder holds anything: init never mixes with what is there. */
static bool occupied(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool found = false;
    while (d && !found && (e = readdir(d)))
        found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return found;
}

static int put(struct cmd *c, const char *dir, const char *name, struct slice bytes)
{
    const char *path = file_join(c->arena, dir, name);
    const char *folder = arena_cstr(c->arena, file_dir(c->arena, path));
    int rc = file_make_dirs(folder, 0755, c->problems);
    int fd = rc <= WARN ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return rc <= WARN ? problem_system(c->problems, folder, "cannot be opened", errno) : rc;
    rc = file_replace(fd, file_base(path), bytes, 0644, false, c->problems);
    close(fd);
    return rc;
}

static int put_example(struct cmd *c, const char *dir)
{
    int rc = OK;
    for (size_t i = 0; i < example_count && rc <= WARN; i++)
        rc = put(c, dir, example_files[i].name, slice_of(example_files[i].text));
    return rc;
}

static int copy_one(struct cmd *c, const char *from, const char *name, const char *dir)
{
    struct slice bytes;
    bool conf = strcmp(name, "site.conf") == 0;
    if (!conf && !has_ending(name, ".format") && !has_ending(name, ".map"))
        return OK;
    int rc = file_read(c->arena, file_join(c->arena, from, name), 0, &bytes, c->problems);
    return rc <= WARN ? put(c, dir, conf ? name : file_join(c->arena, "mappings", name), bytes) : rc;
}

/* An integration's files: its site.conf, its formats and mappings under mappings/. */
static int put_copy(struct cmd *c, const char *from, const char *dir)
{
    DIR *d = opendir(from);
    struct dirent *e;
    int rc = OK;
    if (!d)
        return problem_system(c->problems, from, "the integration cannot be read", errno);
    while (rc <= WARN && (e = readdir(d)))
        rc = copy_one(c, from, e->d_name, dir);
    closedir(d);
    return rc;
}

static int make_folders(struct cmd *c, const struct site *s)
{
    int rc = OK;
    for (size_t i = 0; i < s->ntables && rc <= WARN; i++)
        if (s->tables[i]->kind == TABLE_FILE)
            rc = file_make_dirs(arena_cstr(c->arena, file_dir(c->arena, s->tables[i]->path)), 0700, c->problems);
    for (size_t i = 0; i < s->nflows; i++)
        for (size_t k = 0; k < s->flows[i]->noperations; k++) {
            const struct operation *op = s->flows[i]->operations[k];
            if (rc <= WARN && op->take.path)
                rc = file_make_dirs(op->take.path, 0770, c->problems);
            for (size_t g = 0; g < op->ngives; g++)
                if (rc <= WARN && op->gives[g]->path)
                    rc = file_make_dirs(op->gives[g]->path, 0770, c->problems);
        }
    return rc;
}

/* A folder, or the name of an integration among the installed mappings. */
static const char *integration(struct cmd *c, const char *from)
{
    if (file_exists(from) || strchr(from, '/'))
        return from;
    for (const char *const *root = c->finder.roots; *root; root++) {
        const char *path = file_join(c->arena, *root, from);
        if (file_exists(path))
            return path;
    }
    return from;
}

static int make(struct cmd *c, const char *dir, const char *from)
{
    struct site_env env = { .roots = c->finder.roots };
    struct site *site;
    int rc = from ? put_copy(c, integration(c, from), dir) : put_example(c, dir);
    if (rc > WARN)
        return EXIT_SYSTEM;
    rc = site_load(c->arena, &env, dir, &site, c->problems);
    if (rc <= WARN)
        rc = make_folders(c, site);
    cmd_flush(c);
    return rc == STOP ? EXIT_INVALID : rc == TEMP ? EXIT_SYSTEM : EXIT_GOOD;
}

static void tell(struct buf *out, const char *dir, bool example)
{
    buf_text(out, "The site ");
    buf_add_shown(out, slice_of(dir), 0);
    buf_text(out, " is made.");
    if (example) {
        buf_text(out, " Try it:\n\n    cd ");
        buf_add_shown(out, slice_of(dir), 0);
        buf_text(out, "\n    cp samples/orders.csv inbox/orders/\n    waybill run .\n\n"
                      "then look into outbox/, error/ and archive/; README.md tells what is what.");
    }
    buf_byte(out, '\n');
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'f', "from", "FOLDER" }, { 0 } };
    struct cmd_args args;
    struct buf out = { 0 };
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n != 1)
        return cmd_usage(c, "which folder?");
    const char *dir = args.operand[0], *from = cmd_arg(&args, 'f');
    if (occupied(dir))
        return cmd_usage(c, "%s is not empty", dir);
    int code = make(c, dir, from);
    cmd_flush(c);
    if (code == EXIT_GOOD) {
        tell(&out, dir, !from);
        code = cmd_print(c, &out);
    }
    buf_release(&out);
    return code;
}

const struct command command_init = {
    .verb = "init",
    .run = run,
    .usage = "init [--from FOLDER] DIR",
    .summary = "make a site with a worked example",
    .help = "  -f, --from FOLDER      the files of an integration (site.conf, *.format, *.map) instead of the example; a name\n"
            "                         without a slash is looked up among the installed mappings too\n"
            "\nThe example takes orders as CSV and gives them to a warehouse as XML, with a log of what was refused.\n"
            "DIR must be empty or not there yet.\n",
};
