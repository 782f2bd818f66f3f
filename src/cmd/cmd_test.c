#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "author/cases.h"
#include "base/file.h"
#include "cmd/commands.h"

#define TEST_DEPTH 16

struct testing {
    struct cmd *c;
    struct cases cases;
    size_t depth;
    int worst;
};

static bool ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

static bool is_map(const char *path)
{
    return ends_in(path, ".map");
}

/* A folder to look into: in NAME.test lie the cases of NAME.map, and mappings that only they use. */
static bool is_folder(const char *path)
{
    struct stat st;
    return !ends_in(path, ".test") && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Prints what has come so far, so that a long run is seen to go on. */
static void print_log(struct testing *t)
{
    fwrite(t->cases.log.p ? t->cases.log.p : "", 1, t->cases.log.n, stdout);
    fflush(stdout);
    t->cases.log.n = 0;
}

static void test_path(struct testing *t, const char *path, bool named)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        problem_addf(t->c->problems, PROBLEM_ERROR, "SYS_MISSING", (struct place){ .file = path, .offset = PLACE_NO_OFFSET }, "there is no such file");
        t->worst = STOP;
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        int rc = is_map(path) ? cases_run(&t->cases, path, named, t->c->problems) : OK;
        t->worst = rc > t->worst ? rc : t->worst;
        print_log(t);
        return;
    }
    struct dirent **list;
    int n = t->depth < TEST_DEPTH ? scandir(path, &list, visible, by_name) : -1;
    t->depth++;
    for (int i = 0; i < n; i++) {
        const char *below = file_join(t->c->arena, path, list[i]->d_name);
        if (is_map(below) || is_folder(below))
            test_path(t, below, false);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    t->depth--;
}

static int run(struct cmd *c, int argc, char **argv)
{
    static const struct cmd_option options[] = { { 'M', "mutants", NULL }, { 'u', "update", NULL }, { 0 } };
    struct cmd_args args;
    if (cmd_args(c, argc, argv, options, &args))
        return EXIT_USAGE;
    if (args.n == 0)
        return cmd_usage(c, "which mapping or folder?");
    struct testing t = { .c = c };
    cases_init(&t.cases, c->arena, &c->env, &c->limits);
    t.cases.update = cmd_arg(&args, 'u') != NULL;
    t.cases.mutants = cmd_arg(&args, 'M') != NULL;
    for (int i = 0; i < args.n; i++)
        test_path(&t, args.operand[i], true);
    struct cases *k = &t.cases;
    int rc = cases_end(k);
    t.worst = rc > t.worst ? rc : t.worst;
    print_log(&t);
    if (k->mutants && k->mutants_made)
        printf("mutants: %llu of %llu killed (%.1f %%)\n", (unsigned long long)k->mutants_killed,
               (unsigned long long)k->mutants_made,
               100.0 * (double)k->mutants_killed / (double)k->mutants_made);
    printf("%llu passed, %llu failed\n", (unsigned long long)k->passed, (unsigned long long)k->failed);
    buf_release(&k->log);
    cmd_flush(c);
    if (t.worst == STOP)
        return EXIT_INVALID;
    return t.worst == TEMP ? EXIT_SYSTEM : t.worst ? EXIT_REJECTED : EXIT_GOOD;
}

const struct command command_test = {
    .verb = "test",
    .run = run,
    .usage = "test [--mutants] [--update] PATH ...",
    .summary = "run the cases beside mappings (NAME.test/CASE/)",
    .help = "  -M, --mutants   take away one row, table row or require after the other: some case must fail each time\n"
            "  -u, --update    write what comes out as what is wanted (read the change before you keep it)\n\n"
            "A case is a folder: in.EXT is read; want.EXT must come out; want.problems must be said; original.EXT makes it an\n"
            "update; case.conf gives params and tables (mappings/README.md). Coverage is printed for every mapping.\n",
};
