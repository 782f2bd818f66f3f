#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

static char folder[64];
static struct arena arena;
static struct problems ps;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/waybill-file-XXXXXX");
    arena_init(&arena, 0);
    problems_init(&ps, &arena, 0);
    return mkdtemp(folder) ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    arena_release(&arena);
    return system(command);
}

static const char *path(const char *name)
{
    return file_join(&arena, folder, name);
}

static size_t entries(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static int replace(const char *name, struct slice text, bool durable)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    int rc = file_replace(fd, name, text, 0640, durable, &ps);
    close(fd);
    return rc;
}

static void replaces_whole_files(void **state)
{
    (void)state;
    struct slice text;
    struct stat st;
    umask(077);
    assert_int_equal(replace("a.txt", SLICE("first, and longer"), true), OK);
    assert_int_equal(replace("a.txt", SLICE("sec\0nd"), false), OK);
    assert_int_equal(file_read(&arena, path("a.txt"), 0, &text, &ps), OK);
    assert_true(slice_equal(text, SLICE("sec\0nd")));
    assert_int_equal(text.p[text.n], 0);
    assert_int_equal(stat(path("a.txt"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(entries(), 1);
    assert_int_equal(replace("b/c", SLICE("x"), false), TEMP);
    assert_int_equal(replace("", SLICE("x"), false), TEMP);
    assert_int_equal(entries(), 1);
    assert_int_equal(replace("empty", slice_none(), false), OK);
    assert_int_equal(file_read(&arena, path("empty"), 0, &text, &ps), OK);
    assert_int_equal(text.n, 0);
}

static void what_a_killed_process_left_is_taken_away(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {                     /* a killed one stops after the first bytes */
        int fd = open(path(".a.txt.new"), O_WRONLY | O_CREAT | O_EXCL, 0400);
        _exit(fd < 0 || write(fd, "half", 4) != 4);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(replace("a.txt", SLICE("whole"), true), OK);
    assert_int_equal(entries(), 1);
}

static void a_folder_in_the_way_leaves_no_rest(void **state)
{
    (void)state;
    assert_int_equal(file_make_dirs(path("a/x"), 0755, &ps), OK);
    assert_int_equal(replace("a", SLICE("x"), true), TEMP);
    assert_int_equal(entries(), 1);
    assert_int_equal(ps.errors, 1);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    struct slice text;
    assert_int_equal(file_read(&arena, path("none"), 0, &text, &ps), TEMP);
    assert_string_equal(ps.last->code, "SYS_MISSING");
    assert_null(text.p);
    assert_int_equal(file_read(&arena, folder, 0, &text, &ps), STOP);
    assert_int_equal(mkfifo(path("fifo"), 0600), 0);
    assert_int_equal(file_read(&arena, path("fifo"), 0, &text, &ps), STOP);
    assert_int_equal(replace("big", SLICE("12345678"), false), OK);
    assert_int_equal(file_read(&arena, path("big"), 7, &text, &ps), STOP);
    assert_string_equal(ps.last->code, "LIMIT_FILE");
    assert_int_equal(file_read(&arena, path("big"), 8, &text, &ps), OK);
}

static void makes_folders(void **state)
{
    (void)state;
    assert_int_equal(file_make_dirs(path("a//b/c/"), 0755, &ps), OK);
    assert_true(file_exists(path("a/b/c")));
    assert_int_equal(file_make_dirs(path("a/b"), 0755, &ps), OK);
    assert_int_equal(replace("f", SLICE("x"), false), OK);
    assert_int_equal(file_make_dirs(path("f"), 0755, &ps), TEMP);
    assert_int_equal(file_make_dirs(path("f/g"), 0755, &ps), TEMP);
    assert_int_equal(file_make_dirs("", 0755, &ps), TEMP);
    assert_false(file_exists(path("nothing")));
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(file_join(&arena, "a", "b"), "a/b");
    assert_string_equal(file_join(&arena, "a/", "b"), "a/b");
    assert_string_equal(file_join(&arena, "a", "/b"), "/b");
    assert_string_equal(file_join(&arena, "", "b"), "b");
    assert_string_equal(file_base("a/b.c"), "b.c");
    assert_string_equal(file_base("b.c"), "b.c");
    assert_true(slice_is(file_dir(&arena, "a/b/c"), "a/b"));
    assert_true(slice_is(file_dir(&arena, "c"), "."));
    assert_true(slice_is(file_dir(&arena, "/c"), "/"));
}

static void pipes_are_filled_and_read_whole(void **state)
{
    (void)state;
    enum { N = 300000 };
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        char *p = calloc(1, N);
        _exit(file_write_all(fd[1], (struct slice){ p, N }));
    }
    close(fd[1]);
    char *p = malloc(N + 10);
    assert_int_equal(file_read_full(fd[0], p, N + 10), N);
    close(fd[0]);
    free(p);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(file_read_full(-1, &status, 1), -1);
    assert_int_not_equal(file_write_all(-1, SLICE("x")), 0);
}

/* What log lines look like, caught from standard error. */
static void log_lines(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO), fd = open(path("log"), O_RDWR | O_CREAT, 0600);
    dup2(fd, STDERR_FILENO);
    struct clock fixed;
    clock_init(&fixed, "2026-01-02T03:04:05Z");
    log_setup(LOG_LEVEL_INFO, &fixed);
    struct log l = log_begin(LOG_LEVEL_INFO, "deliver");
    log_text(&l, "batch", SLICE("b17"));
    log_text(&l, "file", SLICE("a \"b\"\\\n\x1b=1"));
    log_text(&l, "empty", SLICE(""));
    log_text(&l, "none", slice_none());
    log_number(&l, "bytes", -5);
    log_end(&l);
    l = log_begin(LOG_LEVEL_DEBUG, "unseen");
    log_text(&l, "x", SLICE("y"));
    log_end(&l);
    l = log_begin(LOG_LEVEL_ERROR, "problem");
    log_problem(&l, &(struct problem){ .code = "X", .text = SLICE("is bad"), .value = SLICE("v"),
        .place = { .file = "f", .line = 3 } });
    log_end(&l);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    struct slice text;
    assert_int_equal(file_read(&arena, path("log"), 0, &text, &ps), OK);
    assert_string_equal(text.p, "time=2026-01-02T03:04:05Z level=info event=deliver batch=b17 file=\"a \\\"b\\\"\\\\\\x0A\\x1B=1\" empty=\"\" "
                                "bytes=-5\n"
                                "time=2026-01-02T03:04:05Z level=error event=problem code=X file=f line=3 text=\"\\\"v\\\" is bad\"\n");
}

/* A stopped process holds it: nobody waits for ever. */
static void a_lock_is_waited_for_so_long(void **state)
{
    (void)state;
    int go[2], fd = open(path("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char c;
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        int own = open(path("lock"), O_RDWR | O_CLOEXEC);
        _exit(file_lock(own, LOCK_EX, "lock", &ps) != OK || write(go[1], "x", 1) != 1 || pause());
    }
    assert_int_equal(read(go[0], &c, 1), 1);
    assert_int_equal(file_lock(fd, LOCK_SH, "lock", &ps), TEMP);
    assert_string_equal(ps.last->place.file, "lock");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(file_lock(fd, LOCK_SH, "lock", &ps), OK);
    close(fd);
    close(go[0]);
    close(go[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaces_whole_files), TEST(what_a_killed_process_left_is_taken_away),
        TEST(a_folder_in_the_way_leaves_no_rest), TEST(refuses_what_is_no_file),
        TEST(makes_folders), TEST(names), TEST(pipes_are_filled_and_read_whole), TEST(log_lines), TEST(a_lock_is_waited_for_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
