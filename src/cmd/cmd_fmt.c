#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/commands.h"
#include "conf/conf.h"

static int write_back(struct cmd *c, const char *path, struct slice text)
{
    struct slice dir = file_dir(c->arena, path);
    int fd = open(arena_cstr(c->arena, dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return problem_system(c->problems, path, "its folder cannot be opened", errno);
    int rc = file_replace(fd, file_base(path), text, 0644, true, c->problems);
    close(fd);
    return rc;
}

/* 1 = differs from its layout, 0 = does not, -1 = could not be read or written. */
static int format_one(struct cmd *c, const char *path, bool in_place, bool list, struct buf *out)
{
    struct conf *conf;
    if (conf_load(c->arena, path, &conf, c->problems) != OK)
        return -1;
    struct buf text = { 0 };
    conf_format(conf, &text);
    int changed = !slice_equal(buf_slice(&text), conf->text);
    if (!in_place && !list)
        buf_add(out, buf_slice(&text));
    if (changed && list) {
        buf_add_shown(out, slice_of(path), 0);
        buf_byte(out, '\n');
    }
    if (changed && in_place && write_back(c, path, buf_slice(&text)) != OK)
        changed = -1;
    buf_release(&text);
    return changed;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'w', "write", NULL }, { 'l', "list", NULL }, { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return cmd_usage(c, "which file?");
    bool list = cmd_arg(&args, 'l') != NULL;
    struct buf out = { 0 };
    int bad = 0, changed = 0;
    for (int i = 0; i < args.n; i++) {
        int rc = format_one(c, args.operand[i], cmd_arg(&args, 'w') != NULL, list, &out);
        bad += rc < 0;
        changed += rc > 0;
    }
    int rc = cmd_print(c, &out);
    buf_release(&out);
    if (rc != EXIT_GOOD)
        return rc;
    return bad ? EXIT_INVALID : list && changed ? EXIT_REJECTED : EXIT_GOOD;
}

const struct command command_fmt = {
    .verb = "fmt",
    .run = run,
    .usage = "fmt [--write | --list] FILE ...",
    .summary = "lay out formats, mappings and sites in the usual way",
    .help = "  -w, --write     change the files in place (otherwise the text goes to standard output)\n"
            "  -l, --list      only name the files that would change; exit code 1 when there are any\n\n"
            "Indentation, blanks between words and the arrows of a block are laid out; comments are kept.\n",
};
