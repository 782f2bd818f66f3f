/*
 * replay - runs a fuzz harness over saved inputs: fuzz_NAME FILE|FOLDER…
 *
 * Linked instead of libFuzzer, so that every input that ever crashed is tried again by `make check` with any compiler.
 * Prints "ok NAME: N inputs" at the end; a fault ends the process and the file that was at work is named on standard
 * error.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char current[4096];          /* the input at work, for the signal handler */
static unsigned long inputs;

static void tell(int signal_number)
{
    static const char text[] = "\nnot ok: died on ";
    ssize_t ignored = write(2, text, sizeof text - 1);
    ignored += write(2, current, strlen(current));
    ignored += write(2, "\n", 1);
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    snprintf(current, sizeof current, "%s", path);
    size_t size = 0, room = 1 << 16;
    uint8_t *data = malloc(room);
    while (data) {
        size += fread(data + size, 1, room - size, f);
        if (size < room)
            break;
        data = realloc(data, room *= 2);
    }
    int bad = !data || ferror(f);
    fclose(f);
    if (!bad) {
        /* An exact copy, so that the sanitizer sees the first byte read behind the end. */
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
        inputs++;
    }
    free(data);
    return bad;
}

static int run_path(const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort), bad = n < 0;
    for (int i = 0; i < n; i++) {
        char below[4096];
        if (list[i]->d_name[0] != '.' && snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name)
            < (int)sizeof below)
            bad |= run_path(below);
        free(list[i]);
    }
    free(list);
    return bad;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    int bad = 0;
    signal(SIGSEGV, tell);
    signal(SIGABRT, tell);
    signal(SIGALRM, tell);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        bad |= run_path(argv[i]);
    printf("%s %s: %lu inputs\n", bad ? "not ok" : "ok", name, inputs);
    return bad;
}
